/*
 * The clusters that a verb works on, opened from its arguments.
 *
 *	O2_AUTO(o2_session_release) struct o2_session session = { 0 };
 *	int rc = o2_session_open(&session, args, O2_SOURCE, &err);
 *	if (rc < 0)
 *		return o2_session_exit(&session, &err);
 */
#pragma once

#include "kube/config.h"
#include "kube/kube.h"
#include "options.h"

struct o2_session {
	struct o2_http *http;
	struct o2_kube_config *config[O2_SIDE_COUNT];
	struct o2_kube *kube[O2_SIDE_COUNT];
	char *name[O2_SIDE_COUNT]; /* as the user calls it */
	bool usage; /* the failure was one of usage: no such context, settings that contradict each other */
};

/* Did the user say anything about this side? */
bool o2_session_named(const struct o2_args *args, enum o2_side side);
/*
 * Load the side's configuration; no request is made.
 * Errors  as o2_kube_config_load(); o2_file_read()'s for a token file.
 */
O2_MUST_CHECK int o2_session_configure(struct o2_session *session, const struct o2_args *args,
				       enum o2_side side, struct o2_err *err);
/* The same, and connect. Errors: as o2_kube_open() too. */
O2_MUST_CHECK int o2_session_open(struct o2_session *session, const struct o2_args *args,
				  enum o2_side side, struct o2_err *err);
/* Print the failure of the above; its exit code. */
int o2_session_exit(const struct o2_session *session, const struct o2_err *err);
void o2_session_release(struct o2_session *session);
/* Exit code of an interrupted verb, else `otherwise`. */
int o2_exit_of(const struct o2_err *err, int otherwise);
/* The namespaces that -n or --from-namespace name, or else the context's own. */
void o2_session_namespaces(const struct o2_session *session, const struct o2_args *args,
			   struct o2_strs *out);
