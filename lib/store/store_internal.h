/*
 * Private to lib/store.
 */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

struct o2_store {
	char *path;
	sqlite3 *db;
};

/* Fill `err` from the database's last error: "cannot <what> '<path>': ...". */
int o2_store_fail(struct o2_store *store, const char *what, struct o2_err *err);
O2_MUST_CHECK int o2_store_exec(struct o2_store *store, const char *sql, const char *what,
				struct o2_err *err);
