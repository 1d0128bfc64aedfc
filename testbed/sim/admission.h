/*
 * What stands between a request to create and the store: names, namespaces, quota, defaults.
 */
#pragma once

#include "cluster.h"

/*
 * May `doc` be created? Fills in the defaults that the API server would.
 * dry      nothing is counted.
 * Returns  false with the refusal filled in.
 */
bool sim_admit_create(struct sim_cluster *cluster, struct o2_doc *doc, bool dry,
		      struct sim_refusal *refusal);
/* May `live` become `next`? Immutable fields, names. */
bool sim_admit_change(const struct sim_object *live, const struct o2_doc *next,
		      struct sim_refusal *refusal);
/* Does a quota count objects of the kind like this one? By scope; what it counts stands in its `hard`. */
bool sim_quota_covers(const struct o2_doc *quota, const struct sim_kind *kind,
		      const struct o2_doc *object);
/* Fill a refusal; always false. */
bool sim_refuse(struct sim_refusal *refusal, int status, const char *reason, const char *fmt, ...)
	O2_PRINTF(4, 5);
/* `pods "web"`, `deployments.apps "web"`: how the API server names an object. Static buffer. */
const char *sim_subject(const struct sim_kind *kind, const char *name);
