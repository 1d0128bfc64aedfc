/*
 * What strikes do.
 */
#pragma once

#include "api.h"
#include "fault.h"
#include "http/http.h"

/* A strike that stands in the place of the server's answer: fills it in. False if the strike is none of those. */
bool sim_strike_answer(enum sim_strike strike, struct sim_response *out);
/* A strike that changes the world: cuts, clocks, nodes, other people. */
void sim_strike_world(enum sim_strike strike);
/* Some last for a while, and mend by themselves or when the operator looks after it: everything that was struck is well again. */
void sim_strike_mend(void);
/* Which cluster a host of the transport is: 0 A, 1 B. */
int sim_host_side(const struct o2_http_host *host);
