/*
 * Writing and reading migrations.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

/* --- statements ------------------------------------------------------------------------------------------------------- */

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int prepare(struct o2_store *store, const char *sql, sqlite3_stmt **out, struct o2_err *err)
{
	if (sqlite3_prepare_v2(store->db, sql, -1, out, NULL) != SQLITE_OK)
		return o2_store_fail(store, "read history database", err);
	return 0;
}

static void bind_text(sqlite3_stmt *stmt, int column, const char *text)
{
	if (text == NULL)
		sqlite3_bind_null(stmt, column);
	else
		sqlite3_bind_text(stmt, column, text, -1, SQLITE_STATIC);
}

/* Run a statement that gives no rows; it can be bound and run again. */
static int run(struct o2_store *store, sqlite3_stmt *stmt, struct o2_err *err)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_DONE)
		return o2_store_fail(store, "write history database", err);
	sqlite3_reset(stmt);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

int o2_store_begin(struct o2_store *store, const struct o2_store_entry *entry, int64_t *out_number,
		   struct o2_err *err)
{
	O2_AUTO(finalize) sqlite3_stmt *stmt = NULL;
	int rc = prepare(
		store,
		"INSERT INTO migration (id, command, started, source, target, namespaces, mode)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		&stmt, err);

	if (rc < 0)
		return rc;
	bind_text(stmt, 1, entry->id);
	bind_text(stmt, 2, entry->command != NULL ? entry->command : "");
	sqlite3_bind_int64(stmt, 3, entry->started);
	bind_text(stmt, 4, entry->source);
	bind_text(stmt, 5, entry->target);
	bind_text(stmt, 6, entry->namespaces);
	bind_text(stmt, 7, entry->mode);
	rc = run(store, stmt, err);
	if (rc == 0)
		*out_number = sqlite3_last_insert_rowid(store->db);
	return rc;
}

static int write_end(struct o2_store *store, int64_t number, const struct o2_store_entry *entry,
		     struct o2_err *err)
{
	O2_AUTO(finalize) sqlite3_stmt *stmt = NULL;
	int rc = prepare(
		store,
		"UPDATE migration SET id = coalesce(?, id), ended = ?, end = ?, exit_code = ?,"
		" report = ? WHERE number = ?",
		&stmt, err);

	if (rc < 0)
		return rc;
	bind_text(stmt, 1, entry->id);
	sqlite3_bind_int64(stmt, 2, entry->ended);
	bind_text(stmt, 3, entry->end);
	sqlite3_bind_int(stmt, 4, entry->exit_code);
	bind_text(stmt, 5, entry->report);
	sqlite3_bind_int64(stmt, 6, number);
	rc = run(store, stmt, err);
	if (rc == 0 && sqlite3_changes(store->db) == 0)
		return o2_fail(err, O2_ENOTFOUND, "the history has no migration number %lld",
			       (long long)number);
	return rc;
}

static int write_step(struct o2_store *store, sqlite3_stmt *stmt, int64_t number, size_t position,
		      const struct o2_store_step *step, struct o2_err *err)
{
	sqlite3_bind_int64(stmt, 1, number);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)position);
	bind_text(stmt, 3, step->name);
	bind_text(stmt, 4, step->phase);
	sqlite3_bind_int(stmt, 5, step->wave);
	sqlite3_bind_int64(stmt, 6, step->object_count);
	sqlite3_bind_int64(stmt, 7, step->predicted_ms);
	if (step->actual_ms < 0)
		sqlite3_bind_null(stmt, 8);
	else
		sqlite3_bind_int64(stmt, 8, step->actual_ms);
	bind_text(stmt, 9, step->state);
	return run(store, stmt, err);
}

static int write_steps(struct o2_store *store, int64_t number, const struct o2_store_step *steps,
		       size_t count, struct o2_err *err)
{
	O2_AUTO(finalize) sqlite3_stmt *stmt = NULL;
	int rc = prepare(store, "INSERT OR REPLACE INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			 &stmt, err);

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = write_step(store, stmt, number, i, &steps[i], err);
	return rc;
}

int o2_store_end(struct o2_store *store, int64_t number, const struct o2_store_entry *entry,
		 const struct o2_store_step *steps, size_t step_count, struct o2_err *err)
{
	int rc = o2_store_exec(store, "BEGIN IMMEDIATE", "lock history database", err);

	if (rc < 0)
		return rc;
	rc = write_end(store, number, entry, err);
	if (rc == 0)
		rc = write_steps(store, number, steps, step_count, err);
	if (rc == 0)
		rc = o2_store_exec(store, "COMMIT", "write history database", err);
	if (rc < 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static char *text_at(sqlite3_stmt *stmt, int column)
{
	return o2_xstrdup_null((const char *)sqlite3_column_text(stmt, column));
}

static void read_row(sqlite3_stmt *stmt, struct o2_store_entry *out)
{
	*out = (struct o2_store_entry){
		.number = sqlite3_column_int64(stmt, 0),
		.id = text_at(stmt, 1),
		.command = text_at(stmt, 2),
		.started = sqlite3_column_int64(stmt, 3),
		.ended = sqlite3_column_int64(stmt, 4),
		.source = text_at(stmt, 5),
		.target = text_at(stmt, 6),
		.namespaces = text_at(stmt, 7),
		.mode = text_at(stmt, 8),
		.end = text_at(stmt, 9),
		.exit_code = sqlite3_column_int(stmt, 10),
		.report = text_at(stmt, 11),
	};
}

int o2_store_list(struct o2_store *store, const char *id, size_t limit, o2_store_entry_fn *fn,
		  void *arg, struct o2_err *err)
{
	O2_AUTO(finalize) sqlite3_stmt *stmt = NULL;
	int rc = prepare(
		store,
		"SELECT number, id, command, started, ended, source, target, namespaces, mode,"
		" end, exit_code, report FROM migration WHERE ?1 IS NULL OR id = ?1"
		" ORDER BY number DESC LIMIT ?2",
		&stmt, err);

	if (rc < 0)
		return rc;
	bind_text(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, limit == 0 ? -1 : (sqlite3_int64)limit);
	for (;;) {
		int row = sqlite3_step(stmt);
		if (row == SQLITE_DONE)
			return 0;
		if (row != SQLITE_ROW)
			return o2_store_fail(store, "read history database", err);
		O2_AUTO(o2_store_entry_release) struct o2_store_entry entry = { 0 };
		read_row(stmt, &entry);
		rc = fn(arg, &entry);
		if (rc < 0)
			return rc;
	}
}

void o2_store_entry_copy(const struct o2_store_entry *entry, struct o2_store_entry *out)
{
	*out = *entry;
	out->id = o2_xstrdup_null(entry->id);
	out->command = o2_xstrdup_null(entry->command);
	out->source = o2_xstrdup_null(entry->source);
	out->target = o2_xstrdup_null(entry->target);
	out->namespaces = o2_xstrdup_null(entry->namespaces);
	out->mode = o2_xstrdup_null(entry->mode);
	out->end = o2_xstrdup_null(entry->end);
	out->report = o2_xstrdup_null(entry->report);
}

void o2_store_entry_release(struct o2_store_entry *entry)
{
	free(entry->id);
	free(entry->command);
	free(entry->source);
	free(entry->target);
	free(entry->namespaces);
	free(entry->mode);
	free(entry->end);
	free(entry->report);
	*entry = (struct o2_store_entry){ 0 };
}
