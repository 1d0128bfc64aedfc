/*
 * kubeconfig between reading and resolving.
 */
#pragma once

#include "doc/doc.h"
#include "kube/config.h"

/* All files put together: the first one that names a cluster, user or context decides about it. */
struct o2_kube_merged {
	struct o2_doc *clusters; /* name -> cluster; file names in them are resolved */
	struct o2_doc *users;
	struct o2_doc *contexts;
	char *current; /* "" if no file says */
	char *files;   /* those that were looked for, for messages */
	size_t found;  /* how many were there */
};

void o2_kube_merged_init(struct o2_kube_merged *merged);
void o2_kube_merged_release(struct o2_kube_merged *merged);
/* One file; a missing one is an error only if `required`. */
O2_MUST_CHECK int o2_kube_merged_add(struct o2_kube_merged *merged, const char *path, bool required,
				     struct o2_err *err);
/* The files that the rules say: `kubeconfig` alone, else $KUBECONFIG, else ~/.kube/config. */
O2_MUST_CHECK int o2_kube_merged_load(struct o2_kube_merged *merged, const char *kubeconfig,
				      struct o2_err *err);
/* "a, b, c" of an object's members, sorted; "none" if it has none. Caller frees. */
char *o2_kube_merged_names(const struct o2_doc *object);

/* Credentials and plug-in of a user, into `config`. `cluster`: for the plug-in's information; `tls`: without it nothing is taken. */
O2_MUST_CHECK int o2_kube_config_set_user(struct o2_kube_config *config,
					  const struct o2_kube_overrides *overrides,
					  const struct o2_doc *user, const struct o2_doc *cluster,
					  struct o2_err *err);
/* Text of a member that must be a string if it is there; NULL if it is absent or "". */
O2_MUST_CHECK int o2_kube_config_text(const struct o2_doc *doc, const char *pointer,
				      const char *what, const char **out, struct o2_err *err);
/* `data` (base64) or the content of `file`; both is an error, none is NULL. */
O2_MUST_CHECK int o2_kube_config_pem(const struct o2_doc *doc, const char *file_member,
				     const char *what, char **out_pem, struct o2_err *err);
O2_MUST_CHECK int o2_kube_config_read(const char *path, const char *what, char **out,
				      struct o2_err *err);
