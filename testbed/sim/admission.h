/*
 * What stands between a request to create and the store: names, namespaces, quota, defaults.
 */
#pragma once

#include "cluster.h"

/* Is the namespace there, and not on its way out? */
bool sim_admit_namespace(struct sim_cluster *cluster, const struct sim_kind *kind,
			 const struct o2_doc *doc, struct sim_refusal *refusal);
/* Does a webhook that nobody answers stand in the way? webhook.c */
bool sim_admit_webhooks(const struct sim_cluster *cluster, const struct sim_kind *kind,
			const struct o2_doc *doc, struct sim_refusal *refusal);
/*
 * May `doc` be created? Adds what the API server adds itself, which nobody owns.
 * dry      nothing is counted.
 * Returns  false with the refusal filled in.
 */
bool sim_admit_create(struct sim_cluster *cluster, struct o2_doc *doc, bool dry,
		      struct sim_refusal *refusal);
/* Are the contents of an object of the kind valid? */
bool sim_admit_contents(const struct sim_kind *kind, const struct o2_doc *doc,
			struct sim_refusal *refusal);
/* May `live` become `next`? What may not change, and contents. immutable.c */
bool sim_admit_change(const struct sim_object *live, const struct o2_doc *next,
		      struct sim_refusal *refusal);
/* Does a quota count objects of the kind like this one? By scope; what it counts stands in its `hard`. */
bool sim_quota_covers(const struct o2_doc *quota, const struct sim_kind *kind,
		      const struct o2_doc *object);
