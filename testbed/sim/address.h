/*
 * A request's path, taken apart: /apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE?QUERY.
 */
#pragma once

#include "cluster.h"

#define SIM_ADDRESS_PART 320

struct sim_address {
	const struct sim_kind *kind; /* NULL: no such resource */
	bool is_served;              /* its group and version are */
	char ns[SIM_ADDRESS_PART];   /* "" for all, or cluster-scoped */
	char name[SIM_ADDRESS_PART]; /* "" for a collection */
	char subresource[64];
	char root
		[SIM_ADDRESS_PART]; /* "/version", "/apis": the path where it is no resource's; "" otherwise */
	const char *query; /* borrowed from the path; "" if none */
};

void sim_address_parse(const char *path, struct sim_address *out);
/* The value of a query, decoded; caller frees. NULL if absent. `nth` counts repeated ones from 0. */
char *sim_address_query(const struct sim_address *address, const char *name, size_t nth);
