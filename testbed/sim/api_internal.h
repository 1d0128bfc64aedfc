/*
 * What the files of the API's face share: a request while it is carried out.
 */
#pragma once

#include "address.h"
#include "api.h"
#include "refusal.h"

struct serving {
	struct sim_cluster *cluster;
	const struct sim_request *request;
	struct sim_address address;
	struct sim_object *object; /* at the address; NULL if absent */
	char *manager;             /* fieldManager; "unknown" if the request names none */
	bool names_manager;
	bool dry;
	struct sim_response *out;
};

/* --- api.c --- */

void sim_answer_status(struct sim_response *out, const struct sim_refusal *refusal);
void sim_answer_object(struct sim_response *out, int status, struct o2_doc *doc);
void sim_answer_absent(struct serving *serving);
void sim_answer_conflict(struct serving *serving, const char *words);
void sim_answer_method(struct serving *serving);
/* NULL, and answered, if it can't be read. Caller frees. */
struct o2_doc *sim_read_body(struct serving *serving);
/*
 * What is in a body for the main resource: its kind is the address' (filled in if it is not said), its namespace too; fields that the kind
 * does not have go, or are refused if the request says fieldValidation=Strict. False, and answered, if it can't be.
 */
bool sim_check_body(struct serving *serving, struct o2_doc *doc);

/* --- change.c: PUT and PATCH --- */

void sim_serve_put(struct serving *serving);
void sim_serve_patch(struct serving *serving);
void sim_serve_scale(struct serving *serving);

/* --- delete.c --- */

void sim_serve_delete(struct serving *serving);
void sim_serve_delete_all(struct serving *serving);

/* --- strict.c --- */

/* Take out what the kind does not have, as far as the simulator knows it; `out_unknown` names it, as the server does. */
void sim_drop_unknown(const struct sim_kind *kind, struct o2_doc *doc, struct o2_buf *out_unknown);
