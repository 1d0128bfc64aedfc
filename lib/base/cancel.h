/*
 * The wish to stop, set by a signal and looked at between steps.
 *
 * Undoing runs under o2_cancel_mask(), so that a second Ctrl-C can't stop the clean-up half-way.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

/* Async-signal-safe: remember the signal (SIGINT, SIGTERM, SIGHUP). The first one counts; 0 forgets it. */
void o2_cancel_request(int signal_number);
/* The signal that was asked for, or 0; 0 while masked. */
int o2_cancel_pending(void);
/* The signal that was asked for, masked or not. */
int o2_cancel_signal(void);
/* While masked, o2_cancel_pending() says no. Nests. */
void o2_cancel_mask(bool on);
/* 0, or O2_ECANCELED with a message that names the signal. */
O2_MUST_CHECK int o2_cancel_check(struct o2_err *err);
