/*
 * What resume, rollback, recover and cancel have in common: find a transaction that was begun and bring it to an end.
 */
#pragma once

#include "options.h"
#include "txn/txn.h"

/* Returns the exit code. */
int o2_settle(const struct o2_args *args, enum o2_txn_wish wish);
