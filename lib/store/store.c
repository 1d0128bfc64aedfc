/*
 * Opening the database: the file, its settings, its tables, and what to do with a damaged one.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "store/store_internal.h"

#define BUSY_TIMEOUT_MS 5000
#define SCHEMA_VERSION 1

static const char schema[] =
	"CREATE TABLE migration ("
	" number INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id TEXT,"
	" command TEXT NOT NULL,"
	" started INTEGER NOT NULL,"
	" ended INTEGER,"
	" source TEXT,"
	" target TEXT,"
	" namespaces TEXT,"
	" mode TEXT,"
	" end TEXT,"
	" exit_code INTEGER,"
	" report TEXT"
	") STRICT;"
	"CREATE INDEX migration_id ON migration (id);"
	"CREATE TABLE step ("
	" migration INTEGER NOT NULL REFERENCES migration (number) ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" phase TEXT NOT NULL,"
	" wave INTEGER NOT NULL,"
	" objects INTEGER NOT NULL,"
	" predicted_ms INTEGER NOT NULL,"
	" actual_ms INTEGER,"
	" state TEXT NOT NULL,"
	" PRIMARY KEY (migration, position)"
	") STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 1;";

/* --- SQLite's words --------------------------------------------------------------------------------------------------- */

static enum o2_code code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return O2_EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return O2_ECORRUPT;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
		return O2_EAUTH;
	case SQLITE_FULL:
	case SQLITE_TOOBIG:
		return O2_ELIMIT;
	default:
		return O2_EIO;
	}
}

int o2_store_fail(struct o2_store *store, const char *what, struct o2_err *err)
{
	int rc = sqlite3_extended_errcode(store->db);

	o2_fail(err, code_of(rc), "cannot %s '%s': %s", what, store->path,
		sqlite3_errmsg(store->db));
	if (err == NULL)
		return -(int)code_of(rc);
	err->origin = O2_ORIGIN_SQLITE;
	err->number = rc;
	return err->code;
}

int o2_store_exec(struct o2_store *store, const char *sql, const char *what, struct o2_err *err)
{
	if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return o2_store_fail(store, what, err);
	return 0;
}

/* --- file ------------------------------------------------------------------------------------------------------------- */

char *o2_store_default_path(void)
{
	const char *base = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (base != NULL && base[0] == '/')
		return o2_xasprintf("%s/os2os/history.db", base);
	return home != NULL && home[0] == '/'
		       ? o2_xasprintf("%s/.local/state/os2os/history.db", home)
		       : NULL;
}

static int make_directory(const char *path, struct o2_err *err)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return 0;
	O2_AUTO(o2_freep) char *directory = o2_xstrndup(path, (size_t)(slash - path));
	return o2_file_mkdirs(directory, 0700, err);
}

/* Make the file before SQLite does, so that it is private from its first byte; SQLite gives its log the same mode. */
static int make_private(const char *path, struct o2_err *err)
{
	struct stat st;
	int rc = 0;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return o2_fail_errno(err, errno, "cannot open history database '%s'", path);
	if (fstat(fd, &st) == 0 && (st.st_mode & 0077) != 0 && fchmod(fd, 0600) < 0)
		rc = o2_fail_errno(err, errno, "cannot make history database '%s' private", path);
	close(fd);
	return rc;
}

static int prepare_file(const char *path, enum o2_store_access access_wanted, struct o2_err *err)
{
	struct stat st;

	if (access_wanted == O2_STORE_READ)
		return stat(path, &st) == 0
			       ? 0
			       : o2_fail_errno(err, errno, "history database '%s'", path);
	int rc = make_directory(path, err);
	return rc < 0 ? rc : make_private(path, err);
}

/* Give the damaged file, with its log, another name, so that it can be looked at. */
static int set_aside(const char *path, struct o2_err *err)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char now[O2_CLOCK_TEXT_SIZE];

	o2_clock_text(o2_clock_unix(), now);
	O2_AUTO(o2_freep) char *aside = o2_xasprintf("%s.damaged-%s", path, now);
	for (size_t i = 0; i < O2_COUNT(suffixes); i++) {
		O2_AUTO(o2_freep) char *from = o2_xasprintf("%s%s", path, suffixes[i]);
		O2_AUTO(o2_freep) char *to = o2_xasprintf("%s%s", aside, suffixes[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return o2_fail_errno(err, errno, "cannot set damaged '%s' aside", from);
	}
	o2_log(O2_WARN,
	       "history database '%s' is damaged; it was set aside as '%s' and a new one begun",
	       path, aside);
	return 0;
}

/* --- settings and tables ---------------------------------------------------------------------------------------------- */

static int read_int(struct o2_store *store, const char *sql, int *out, struct o2_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		rc = o2_store_fail(store, "read history database", err);
	else
		*out = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

/* A whole look: what is damaged deep inside would else be noticed in the middle of a migration. */
static int check_whole(struct o2_store *store, struct o2_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW)
		rc = o2_store_fail(store, "check history database", err);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		rc = o2_fail(err, O2_ECORRUPT, "history database '%s': %s", store->path,
			     (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return rc;
}

/* Two processes may open a new file at once: look at the version again once the writing is ours. */
static int make_tables(struct o2_store *store, struct o2_err *err)
{
	int version = 0;
	int rc = o2_store_exec(store, "BEGIN IMMEDIATE", "lock history database", err);

	if (rc == 0)
		rc = read_int(store, "PRAGMA user_version", &version, err);
	if (rc == 0 && version == 0)
		rc = o2_store_exec(store, schema, "make tables in", err);
	if (rc == 0)
		rc = o2_store_exec(store, "COMMIT", "write history database", err);
	if (rc < 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int set_up(struct o2_store *store, enum o2_store_access access_wanted, struct o2_err *err)
{
	int version = 0;
	int rc;

	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	rc = check_whole(store, err);
	if (rc == 0)
		rc = read_int(store, "PRAGMA user_version", &version, err);
	if (rc == 0 && version > SCHEMA_VERSION)
		rc = o2_fail(err, O2_EUNSUPPORTED,
			     "history database '%s' was made by a newer version of os2os",
			     store->path);
	if (rc < 0 || access_wanted == O2_STORE_READ)
		return rc;
	rc = o2_store_exec(store,
			   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			   "PRAGMA foreign_keys = ON",
			   "set up history database", err);
	return rc == 0 && version == 0 ? make_tables(store, err) : rc;
}

static int open_once(struct o2_store *store, enum o2_store_access access_wanted, struct o2_err *err)
{
	int rc = prepare_file(store->path, access_wanted, err);

	if (rc < 0)
		return rc;
	/* Reading too needs to write the log's index, so a reader opens for writing where it may. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK) {
		if (store->db == NULL)
			return o2_fail(err, O2_EIO, "cannot open history database '%s'",
				       store->path);
		return o2_store_fail(store, "open history database", err);
	}
	rc = set_up(store, access_wanted, err);
	/* SQLite falls back to reading only; whoever wants to write must know it now. */
	if (rc == 0 && access_wanted == O2_STORE_WRITE &&
	    sqlite3_db_readonly(store->db, "main") == 1)
		rc = o2_fail(err, O2_EAUTH, "history database '%s' can't be written", store->path);
	return rc;
}

static void close_db(struct o2_store *store)
{
	sqlite3_close(store->db);
	store->db = NULL;
}

struct o2_store *o2_store_open(const char *path, enum o2_store_access access_wanted,
			       struct o2_err *err)
{
	O2_AUTO(o2_store_freep) struct o2_store *store = o2_xcalloc(1, sizeof(*store));
	struct o2_err detail = { 0 };

	store->path = path != NULL ? o2_xstrdup(path) : o2_store_default_path();
	if (store->path == NULL) {
		o2_fail(err, O2_ENOTFOUND, "no place for the history: HOME is not set");
		return NULL;
	}
	int rc = open_once(store, access_wanted, &detail);
	if (rc == -O2_ECORRUPT) {
		close_db(store);
		o2_err_clear(&detail);
		rc = set_aside(store->path, &detail);
		if (rc == 0)
			rc = open_once(store, O2_STORE_WRITE, &detail);
	}
	if (rc < 0) {
		if (err != NULL)
			*err = detail;
		return NULL;
	}
	return O2_STEAL(store);
}

void o2_store_free(struct o2_store *store)
{
	if (store == NULL)
		return;
	close_db(store);
	free(store->path);
	free(store);
}
