/*
 * Lists: what of a collection a request asks for.
 */
#pragma once

#include "address.h"
#include "api.h"

/* GET of a collection. */
void sim_list(struct sim_cluster *cluster, const struct sim_address *address,
	      struct sim_response *out);
/* Is the object one of those that a list or watch at this address shows? */
bool sim_list_shows(const struct sim_address *address, const char *label_selector,
		    const char *field_selector, const struct o2_doc *doc);
