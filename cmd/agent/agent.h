/*
 * os2os-agent: the program that os2os runs in the clusters. Static, since it runs in anybody's image; it knows nothing of
 * Kubernetes but a server to replay requests against.
 *
 * A verb is one row of main.c and one function here: it returns the exit code and writes to stderr, a line a matter, by agent_say().
 */
#pragma once

#include "base/err.h"

enum { AGENT_EXIT_DONE = 0, AGENT_EXIT_FAILED = 1, AGENT_EXIT_USAGE = 2 };

/* One line on stderr, in one write. */
void agent_say(const char *fmt, ...) O2_PRINTF(1, 2);

/* Arguments behind the verb. */
typedef int agent_verb_fn(int argc, char **argv);

/* Sleep until SIGTERM or SIGINT, and reap what is left to process 1. */
agent_verb_fn agent_hold;
/* NAME=PATH...: serve one driver on stdin and stdout (stream/stream.h). */
agent_verb_fn agent_session;
/* FILE: replay the requests in it when their deadline passes (orders.h). */
agent_verb_fn agent_watchdog;
