/*
 * What a server says of itself: its version and its kinds.
 */
#pragma once

#include "api.h"

/* GET of /version, /api, /apis (aggregated discovery, apidiscovery.k8s.io/v2) or anything else that is no resource. */
void sim_discover(const char *path, struct sim_response *out);
