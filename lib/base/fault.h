/*
 * Named fault points: places where a test stops the process, to show that recovery works from there.
 *
 * OS2OS_FAULT="start.before=kill" (or "start.before:3=kill" for the third time) in the environment arms one point; `kill` is SIGKILL
 * of the process itself, `stop` is SIGSTOP, `fail` makes the point report a failure. Unarmed points cost one comparison.
 */
#pragma once

#include "base/err.h"

/* Pass a point. 0, or O2_EINTERNAL if it is armed with `fail`; does not return if armed with `kill`. */
O2_MUST_CHECK int o2_fault_point(const char *name, struct o2_err *err);
