/*
 * What the API server makes of a body before it asks anybody: fields that Go leaves out when they are zero, and the kind's defaults. Both
 * are the request's, so they are done before ownership is settled.
 *
 * Only those defaults are here that something in the world looks at, or os2os might; the rest of them (terminationMessagePath,
 * dnsPolicy ...) would make every object twice as large and tell nothing.
 */
#pragma once

#include "cluster.h"

/* Of a body for the main resource, to create or to change. */
void sim_fill_defaults(const struct sim_kind *kind, struct o2_doc *doc);
/* The status that an object of the kind begins with. */
void sim_reset_status(const struct sim_kind *kind, struct o2_doc *doc);
