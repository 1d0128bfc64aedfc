/*
 * Who owns which field: metadata.managedFields, as structured-merge-diff keeps them, and server-side apply on top of it.
 *
 * Entries are one a (manager, operation, subresource, apiVersion), with fieldsV1 of the kind {"f:spec":{"f:replicas":{}}}. Lists
 * with merge keys (containers by name, ports, env, volumes, conditions, ownerReferences by uid ...) are owned element by element
 * ("k:{\"name\":\"web\"}"), sets by value ("v:\"x\""), all other lists as a whole. metadata.{name, namespace, uid, resourceVersion,
 * generation, creationTimestamp, managedFields, selfLink} and a kind's status, where it is a sub-resource, are never owned by a write of the main resource.
 *
 * The API server settles this between a request's defaults and all that it adds itself: what mutating admission puts in (a pod's token
 * volume, tolerations, priority), addresses and node ports of a Service, a claim's finalizer, a Job's selector and labels. Nobody
 * owns those, so call these functions before. Fields that Go leaves out when they are 0, false or empty must be left out by then too.
 *
 *	next = o2_doc_copy(object->doc);          // with its managedFields
 *	... patch and defaults ...
 *	sim_managed_update(object->doc, next, "kubectl-edit", NULL);
 *	... admission ...
 *
 * Times are sim_stamp()'s. A member's place within fieldsV1 is not the server's (it sorts them); that of the entries is.
 */
#pragma once

#include "cluster.h"

/*
 * A write that is no apply: fields that changed go over to `manager` (operation Update). `after` gets the managedFields.
 *
 * before       NULL for a create. Never changed.
 * after        changed in place. What it carries itself in metadata.managedFields is taken first, unless it is not valid or absent:
 *              then what `before` has. A list that is empty, or has one empty entry, clears them; nobody is recorded from then on until
 *              somebody applies. Writes of sub-resources ignore it. It must not share its managedFields with `before` but as a whole.
 * manager      "" and NULL are "unknown".
 * subresource  NULL, "status" or "scale" (whose writes count for spec.replicas alone).
 */
void sim_managed_update(const struct o2_doc *before, struct o2_doc *after, const char *manager,
			const char *subresource);

/*
 * Server-side apply to the main resource. out_object: the merged object with its managedFields, without defaults of what is new in it;
 * the caller frees it.
 * live     NULL if there is none: it is created. Never changed.
 * refusal  may be NULL.
 * Returns  false with a 409 Conflict refusal, whose message names the fields and their managers as the API server does; with 400 if
 *          `applied` has managedFields; with 500 if it names an element of a list twice. out_object is NULL then.
 */
bool sim_managed_apply(const struct o2_doc *live, const struct o2_doc *applied, const char *manager,
		       bool force, struct o2_doc **out_object, struct sim_refusal *refusal);
