#include "txn/decision.h"

#include <assert.h>

#define O2_DECISION_ABSENT O2_STATE_ABSENT
#define O2_DECISION_OPEN O2_STATE_OPEN
#define O2_DECISION_COMMITTED O2_STATE_COMMITTED
#define O2_DECISION_DONE O2_STATE_DONE
#define O2_DECISION_ABORTED O2_STATE_ABORTED

static const struct o2_decision rows[] = {
#define O2_DECISION(source, target, action, words) \
	{ O2_DECISION_##source, O2_DECISION_##target, O2_DECIDE_##action, words },
#include "txn/decision.def"
#undef O2_DECISION
};

const struct o2_decision *o2_decision_of(int source, int target)
{
	const struct o2_decision *row = rows;

	while (row->source != source || (row->target != target && row->target != O2_DECISION_ANY)) {
		row++;
		assert(row <
		       rows + O2_COUNT(rows)); /* there is one for every pair: decision_test.c */
	}
	return row;
}
