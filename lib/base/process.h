/*
 * Running a user's command.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/strs.h"

/*
 * Run `/bin/sh -c command` and wait for it. Its stdout goes to this process's stderr, since stdout carries the result alone.
 *
 * env         "NAME=value" to add; may be NULL.
 * input       written to its stdin, which is then closed; NULL: an empty stdin.
 * timeout_ms  the command's process group is ended after that; 0: none.
 * out_exit    exit status, or 128 + signal.
 * Errors      O2_EIO (could not be started), O2_ETRANSIENT (time-out), O2_ECANCELED (interrupted; the command was ended).
 */
O2_MUST_CHECK int o2_process_shell(const char *command, const struct o2_strs *env,
				   const char *input, int timeout_ms, int *out_exit,
				   struct o2_err *err);
