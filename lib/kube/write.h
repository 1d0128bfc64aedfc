/*
 * A Kubernetes API server, write side. Only lib/record includes this header (a check proves it): what is written to a
 * cluster goes through the protocol's guard.
 *
 * Outcomes that are unknown (lost answer) come back as O2_ETRANSIENT and are the caller's to settle by reading
 * (PROTOCOL.md U9). 429 and 5xx with Retry-After are retried, since the server says that it did nothing.
 */
#pragma once

#include "kube/kube.h"

#define O2_KUBE_FIELD_MANAGER "os2os"

enum o2_kube_write_op {
	O2_KUBE_DO_CREATE,      /* POST body */
	O2_KUBE_DO_REPLACE,     /* PUT body, which must carry metadata.resourceVersion (asserted) */
	O2_KUBE_DO_PATCH_JSON,  /* application/json-patch+json */
	O2_KUBE_DO_PATCH_MERGE, /* application/merge-patch+json */
	O2_KUBE_DO_APPLY,       /* server-side apply */
	O2_KUBE_DO_DELETE, /* uid precondition required (asserted), resource_version optional, background propagation unless orphan/foreground */
	O2_KUBE_DO_COUNT
};

struct o2_kube_write {
	enum o2_kube_write_op op;
	const struct o2_kube_kind *kind;
	const char *ns, *name;     /* name may be NULL for CREATE (taken from the body) */
	const char *subresource;   /* "scale", "status", NULL */
	const struct o2_doc *body; /* not for DELETE */
	const char *uid;           /* DELETE */
	const char *resource_version;
	const char *propagation;   /* DELETE: "Background" (NULL), "Foreground", "Orphan" */
	const char *field_manager; /* NULL: O2_KUBE_FIELD_MANAGER */
	bool dry_run;
	bool force;            /* APPLY */
	struct o2_doc *result; /* out, caller frees; NULL on failure */
	struct o2_err err;     /* out, code 0 on success */
};

/* One write, waited for. Returns write->err.code and copies it to err. */
O2_MUST_CHECK int o2_kube_write_one(struct o2_kube *kube, struct o2_kube_write *write,
				    struct o2_err *err);

/*
 * Independent writes, many in flight (the window grows from 16 to 64 while the server keeps up and shrinks at 429).
 *
 * on_done  called for each as it ends, may be NULL.
 * stop_on_error  begin no further write once one has failed; those that were not begun keep err.code == -O2_ECANCELED.
 */
void o2_kube_write_many(struct o2_kube *kube, struct o2_kube_write *writes, size_t count,
			bool stop_on_error, void (*on_done)(void *arg, struct o2_kube_write *write),
			void *arg);
