/*
 * Refusals: why a request is not done, and the Status that tells it.
 *
 *	return sim_refuse_field(refusal, kind, name, "data", "FieldValueTooLong", "Too long: may not be more than %d bytes", MAX);
 *
 * Each fills the refusal anew and returns false.
 */
#pragma once

#include "cluster.h"

/* Nothing but words. reason "" for none. */
bool sim_refuse(struct sim_refusal *refusal, int status, const char *reason, const char *fmt, ...)
	O2_PRINTF(4, 5);
/* Of an object: details name it. */
bool sim_refuse_object(struct sim_refusal *refusal, int status, const char *reason,
		       const struct sim_kind *kind, const char *name, const char *fmt, ...)
	O2_PRINTF(6, 7);
/* 422: the words are of one field, and follow its name in the message. */
bool sim_refuse_field(struct sim_refusal *refusal, const struct sim_kind *kind, const char *name,
		      const char *field, const char *why, const char *fmt, ...) O2_PRINTF(6, 7);
/* 404 of an object. */
bool sim_refuse_absent(struct sim_refusal *refusal, const struct sim_kind *kind, const char *name);
/* One more of the details' causes; what there is no room for is left out. */
void sim_refusal_add_cause(struct sim_refusal *refusal, const char *why, const char *field,
			   const char *words);
/* The Status. Caller frees. */
struct o2_doc *sim_refusal_doc(const struct sim_refusal *refusal);
/* `pods "web"`, `deployments.apps "web"`: how the API server names an object. Static buffer. */
const char *sim_subject(const struct sim_kind *kind, const char *name);
