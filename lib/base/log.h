/*
 * What the library has to say while it works: the library never prints, it calls back.
 *
 * The command installs one sink for the whole process before any other call (o2_log_set_sink), as the only writable global
 * state of the library; without a sink everything is dropped. Texts are one line without control characters. Secrets
 * never reach this interface: values of Secrets are not formatted anywhere.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum o2_level { O2_DEBUG, O2_INFO, O2_WARN, O2_ERROR, O2_LEVEL_COUNT };

enum o2_event_kind {
	O2_EVENT_LOG,   /* level, text */
	O2_EVENT_PHASE, /* a phase of a transaction begins: text is its name */
	O2_EVENT_STEP,  /* progress within a phase: text, done, total (0: unknown) */
	O2_EVENT_KIND_COUNT
};

struct o2_event {
	enum o2_event_kind kind;
	enum o2_level level;
	const char *text; /* valid during the call */
	int64_t done, total;
};

typedef void o2_sink_fn(void *arg, const struct o2_event *event);

/* Install a sink (NULL: drop everything). Not thread-safe: call it once, at the start. */
void o2_log_set_sink(o2_sink_fn *fn, void *arg);

void o2_log(enum o2_level level, const char *fmt, ...) O2_PRINTF(2, 3);
void o2_log_phase(const char *name);
void o2_log_step(int64_t done, int64_t total, const char *fmt, ...) O2_PRINTF(3, 4);

/* What a server or a plug-in said, fit for one line of a terminal: control characters become spaces. In place. */
void o2_log_sanitize(char *text);
