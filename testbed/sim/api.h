/*
 * The API server's face: a request as HTTP brings it, and the answer.
 *
 * Everything goes through here that os2os or its watchdog asks: discovery (aggregated), get, list (selectors, pages), watch, create,
 * replace, JSON patch, merge patch, strategic merge is refused (415), server-side apply, delete with preconditions, dry runs,
 * sub-resources status and scale, access reviews, logs. Both transports (direct.h, serve.c) and the replay of recorded requests use it.
 */
#pragma once

#include "cluster.h"

struct sim_request {
	const char *method;
	const char *path;         /* with its query, encoded */
	const char *content_type; /* NULL without a body */
	const char *accept;
	const char *body;
	size_t body_len;
};

struct sim_response {
	int status;
	struct o2_doc *doc; /* the body; NULL if `text` is it */
	char *text;
	int retry_after_s; /* -1: absent */
	char warning[256];
};

/* At this moment of the world, at once. A watch is answered as a list here: see watch.h. */
void sim_serve(struct sim_cluster *cluster, const struct sim_request *request,
	       struct sim_response *out);
void sim_response_release(struct sim_response *response);
/* Access reviews say no to this resource from now on; NULL: everybody may do everything. What is asked for is carried out all the same. */
void sim_deny_reviews(const char *resource);
/* A Status as answer. */
void sim_answer_refusal(struct sim_response *out, int status, const char *reason,
			const char *message);
