/*
 * The decision table of recovery, apart from its execution, so that it can be read, printed and tested row by row.
 */
#pragma once

#include "record/record.h"

/* A record's state as recovery sees it: o2_record_state, or one of these. */
enum { O2_DECISION_UNREACHABLE = O2_STATE_COUNT, O2_DECISION_ANY };

enum o2_decision_action {
	O2_DECIDE_CLEAR,         /* remove lock and write set */
	O2_DECIDE_UNDO_BY_LABEL, /* without R1: B is cleaned by labels, A given back by its marks */
	O2_DECIDE_UNDO,          /* take over and undo by the write set */
	O2_DECIDE_ABORT_NOW,     /* CAS ABORTED in A; B later */
	O2_DECIDE_FORWARD,       /* take over and finish forward */
	O2_DECIDE_FORWARD_ON_B,  /* finish what can be finished without A */
	O2_DECIDE_WAIT_FOR_A,
	O2_DECIDE_WAIT_FOR_B,
	O2_DECIDE_HALT_BACKUP,
	O2_DECIDE_HALT_CORRUPT,
	O2_DECIDE_NOTHING,
	O2_DECIDE_COUNT
};

struct o2_decision {
	int source, target; /* states; a target of O2_DECISION_ANY matches all */
	enum o2_decision_action action;
	const char *words;
};

/* The row for two states; there is one for every pair. */
const struct o2_decision *o2_decision_of(int source, int target);
