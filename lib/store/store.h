/*
 * The history of this machine: which migrations ran here, how they ended, how long their steps took (SQLite).
 *
 * It is a convenience and a source for calibration, never the truth: that is in the clusters' records. So a caller whose store can't
 * be opened or written warns and goes on.
 *
 *	struct o2_store *store = o2_store_open(NULL, O2_STORE_WRITE, &err);
 *	int64_t number = 0;
 *	o2_store_begin(store, &(struct o2_store_entry){ .command = "migrate", ... }, &number, &err);
 *	...
 *	o2_store_end(store, number, &(struct o2_store_entry){ .id = ..., .end = "Done" }, steps, step_count, &err);
 *	o2_store_free(store);
 *
 * The file is 0600 in a directory of 0700; the journal is a write-ahead log, and what was said to be written survives a power
 * cut (synchronous FULL). Several processes may use it at once. A file that is damaged is set aside under another name, which is logged
 * as a warning, and a new one begun. Tables: README.md.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/err.h"

struct o2_store;

/* One migration. Texts may be NULL where nothing is known. */
struct o2_store_entry {
	int64_t number;        /* given by the store; grows */
	char *id;              /* the transaction's; NULL: it never had one */
	char *command;         /* the verb */
	int64_t started;       /* seconds since 1970 */
	int64_t ended;         /* 0: still running, or killed */
	char *source, *target; /* names as the user gave them */
	char *namespaces;      /* "a, b" on the source */
	char *mode;
	char *end; /* "Done", "Undone" ... */
	int exit_code;
	char *report; /* JSON */
};

/* One step of a migration, for calibration. */
struct o2_store_step {
	const char *name, *phase;
	int wave;
	int64_t object_count;
	int64_t predicted_ms;
	int64_t actual_ms; /* -1: did not run */
	const char *state;
};

enum o2_store_access {
	O2_STORE_READ,  /* a file that is absent is O2_ENOTFOUND */
	O2_STORE_WRITE, /* made if absent */
};

/* ${XDG_STATE_HOME:-~/.local/state}/os2os/history.db; NULL if neither is set. Caller frees. */
char *o2_store_default_path(void);

/*
 * path    NULL: the default.
 * Effects a damaged file is renamed to "<path>.damaged-<time>", with a warning in the log.
 * Errors  O2_ENOTFOUND; O2_EAUTH or O2_EIO (directory or file can't be written); O2_EUNSUPPORTED (made by a newer version);
 *         O2_EBUSY (locked for more than 5 s).
 */
O2_MUST_CHECK struct o2_store *o2_store_open(const char *path, enum o2_store_access access,
					     struct o2_err *err);
void o2_store_free(struct o2_store *store);
O2_DEFINE_FREEP(struct o2_store, o2_store_free)

/*
 * Note that a migration begins. Durable when this returns.
 *
 * entry  number, ended, end, exit_code and report are ignored; copied.
 */
O2_MUST_CHECK int o2_store_begin(struct o2_store *store, const struct o2_store_entry *entry,
				 int64_t *out_number, struct o2_err *err);
/*
 * Note how it ended, with its steps, in one transaction.
 *
 * entry  id, ended, end, exit_code and report are taken over; the rest is ignored. Copied.
 * Errors O2_ENOTFOUND: no such number.
 */
O2_MUST_CHECK int o2_store_end(struct o2_store *store, int64_t number,
			       const struct o2_store_entry *entry,
			       const struct o2_store_step *steps, size_t step_count,
			       struct o2_err *err);

/* Called for each migration, newest first; the entry is borrowed for the call. A negative return ends the reading with it. */
typedef int o2_store_entry_fn(void *arg, const struct o2_store_entry *entry);
/* id NULL: all. limit 0: none. */
O2_MUST_CHECK int o2_store_list(struct o2_store *store, const char *id, size_t limit,
				o2_store_entry_fn *fn, void *arg, struct o2_err *err);

/* Copies; release the copy. */
void o2_store_entry_copy(const struct o2_store_entry *entry, struct o2_store_entry *out);
void o2_store_entry_release(struct o2_store_entry *entry);
