/*
 * What the user sees besides the result: messages, progress and the one question, all on stderr.
 *
 *	o2_ui_init(O2_UI_NORMAL, O2_UI_COLOR_AUTO);   // the sink of o2_log() from now on
 *	o2_log(O2_ERROR, "...");
 *	o2_ui_wipe();                                 // leaves the terminal clean
 *
 * Phases are one line each. Steps within a phase are one line that is redrawn on a terminal, once 2 s have passed; elsewhere
 * one line every 15 s. Time is looked at when an event arrives, so that no timer or thread is needed.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

enum o2_ui_level { O2_UI_QUIET, O2_UI_NORMAL, O2_UI_VERBOSE };
enum o2_ui_color { O2_UI_COLOR_AUTO, O2_UI_COLOR_ON, O2_UI_COLOR_OFF };

void o2_ui_init(enum o2_ui_level level, enum o2_ui_color color);
/* Wipe the progress line, if one stands. Before anything else is written to the terminal, and at the end. */
void o2_ui_wipe(void);
/* May text on this stream be coloured? --color and --no-color, then NO_COLOR, CLICOLOR_FORCE, then terminal and TERM. */
bool o2_ui_colored(FILE *stream);
/* Lines that belong together, on stderr, without any mark: the plan, before the question. */
void o2_ui_text(const char *text);
/* "error: subject: text" and, indented, the remedy; either may be "". */
void o2_ui_blocker(const char *subject, const char *text, const char *remedy);
/* Is there somebody to ask? */
bool o2_ui_can_ask(void);
/*
 * Ask; only "yes" is yes.
 * Errors  O2_ECANCELED (a signal).
 */
O2_MUST_CHECK int o2_ui_ask(const char *question, bool *out_yes, struct o2_err *err);

/* Install the handlers of SIGINT, SIGTERM and SIGHUP; ignore SIGPIPE. */
void o2_ui_catch_signals(void);
/*
 * From now on (or no longer) something would have to be undone: a second signal is answered by a word of patience instead of the
 * end of the process.
 */
void o2_ui_undoing_needed(bool needed);
