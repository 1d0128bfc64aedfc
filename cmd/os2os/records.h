/*
 * The clusters' records, for the verbs that only look at them.
 */
#pragma once

#include "options.h"
#include "session.h"
#include "txn/txn.h"

/* Was a cluster named, so that its records are to be read? */
bool o2_records_wanted(const struct o2_args *args);
/*
 * Read the records of the clusters that are named; of the current context's if none is. A cluster that does not answer is
 * passed over with a warning as long as the other one does.
 */
O2_MUST_CHECK int o2_records_read(struct o2_session *session, const struct o2_args *args,
				  struct o2_txn_list *out, struct o2_err *err);
/* The entry with that id, else NULL. */
const struct o2_txn_entry *o2_records_find(const struct o2_txn_list *list, const char *id);
