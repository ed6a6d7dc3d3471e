/* db.h - SQLite with our rules: pragmas, a statement table, transactions, migrations. The only user of sqlite3.h.
 *
 *   enum { SQL_PUT, SQL_GET, SQL_COUNT };
 *   static const char *const SQL[SQL_COUNT] = {[SQL_PUT] = "INSERT INTO kv(k,v) VALUES(?1,?2)", …};   // X_sql.h
 *   struct db_options options = {.sync = DB_SYNC_FULL, .sql = SQL, .sql_count = SQL_COUNT, .migrations = MIGRATIONS};
 *   r = db_open(path, &options, &db, why, sizeof why);
 *   r = db_begin(db);
 *   db_bind_text(db, SQL_PUT, 1, key); db_bind_i64(db, SQL_PUT, 2, 7);
 *   r = db_run(db, SQL_PUT);                       // one row-less statement; resets it
 *   while ((r = db_step(db, SQL_GET)) > 0) { v = db_i64(db, SQL_GET, 0); }     // 1 row, 0 end, negative error
 *   r = db_commit(db);
 *
 * One connection, one thread at a time. Every connection: WAL, secure_delete=OFF, wal_autocheckpoint=0,
 * journal_size_limit, foreign_keys=ON, trusted_schema=OFF, cell_size_check=ON; exactly one connection per file writes
 * and checkpoints (the WAL-reset bug of SQLite up to 3.51.2), others open with .read_only. New files get mode 0640.
 * Errors: -EIO, -ENOSPC (SQLITE_FULL), -EBUSY, -EUCLEAN (corrupt, not a database, or another program's), -EROFS,
 * -ENOMEM, -EEXIST (constraint), -EFBIG, -EINVAL (the statement is wrong), -EOVERFLOW (schema newer than this
 * program), -ENODATA (read_only and older: open it for writing first), -ENOENT and other errnos of opening; db_why()
 * has SQLite's words. After -ENOSPC, -EIO or -ENOMEM SQLite may have rolled the transaction back: roll back and begin
 * anew. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct db;
enum db_sync { DB_SYNC_NORMAL, DB_SYNC_FULL };
struct db_options {
    enum db_sync sync;
    bool read_only;
    bool
        bulk; /* a new file that is written once and thrown away if that fails: no journal, so no WAL beside it, ever */
    unsigned page_bytes;    /* 0: 4096; only for a new file */
    const char *const *sql; /* prepared on first use, kept */
    size_t sql_count;
    /* [i] brings user_version i to i+1; ended by NULL; never edited once released. All that are due run in one
     * transaction, foreign keys checked at its end. NULL: the version is not looked at */
    const char *const *migrations;
    uint32_t application_id;   /* 0: not checked; else set on a new file and required on an old one */
    size_t cache_kib;          /* 0: SQLite's default */
    int64_t journal_bytes_max; /* what the WAL file shrinks to after a checkpoint; 0: 4 MB */
};
/* path NULL: in memory. "": until it is closed, in memory as far as cache_kib goes and then in a temporary file; with .bulk.
 * why (may be NULL) gets a sentence on failure. */
MUST_USE int db_open(const char *path, const struct db_options *options, struct db **ret, char *why, size_t why_bytes);
/* Finalises, checkpoints (TRUNCATE, unless read_only) and closes. NULL is fine. */
void db_close(struct db *db);
const char *db_why(const struct db *db);
MUST_USE int db_begin(struct db *db);  /* IMMEDIATE */
MUST_USE int db_commit(struct db *db); /* on failure the transaction is rolled back */
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);
MUST_USE int db_exec(struct db *db, const char *sql); /* schema and pragmas; constants only */

/* Parameters count from 1; text and blobs must stay until the statement is reset (db_run, or db_step returning <= 0),
 * which also unbinds: what is not bound again is NULL. Errors of binding and preparing are reported by the next
 * db_run/db_step. */
void db_bind_i64(struct db *db, int statement, int at, int64_t v);
void db_bind_f64(struct db *db, int statement, int at, double v);
void db_bind_text(struct db *db, int statement, int at, struct span v);           /* ptr NULL binds NULL */
void db_bind_blob(struct db *db, int statement, int at, const void *p, size_t n); /* p NULL binds NULL */
void db_bind_null(struct db *db, int statement, int at);
MUST_USE int db_run(struct db *db, int statement);  /* rows, if any, are skipped; then reset */
MUST_USE int db_step(struct db *db, int statement); /* 1 a row, 0 the end (reset), negative (reset) */
void db_reset(struct db *db, int statement);        /* leave a walk early */
/* Columns count from 0; text and blobs live until the next step or reset. */
int64_t db_i64(struct db *db, int statement, int column);
double db_f64(struct db *db, int statement, int column);
struct span db_text(struct db *db, int statement, int column); /* NULL gives ptr NULL */
struct span db_blob(struct db *db, int statement, int column);
bool db_is_null(struct db *db, int statement, int column);
int64_t db_last_id(const struct db *db);
int64_t db_changes(const struct db *db);
int64_t db_wal_bytes(const struct db *db); /* size of the WAL file now */
/* PASSIVE (false) or TRUNCATE (true). -EBUSY when readers kept it from finishing: not a failure for PASSIVE callers. */
MUST_USE int db_checkpoint(struct db *db, bool truncate);
/* Make all that was committed survive a power cut, as a commit with DB_SYNC_FULL does: for DB_SYNC_NORMAL. -EIO, -ENOSPC. */
MUST_USE int db_sync_log(struct db *db);
MUST_USE int db_quick_check(struct db *db); /* -EUCLEAN, db_why says where */
/* Make a file that was written and closed, and its name, survive a power cut. A negative errno. */
MUST_USE int db_sync_file(const char *path);
/* Copy a consistent image of the whole database to a new file while it is in use (VACUUM INTO), synced. -EEXIST. A
 * failed copy is removed. */
MUST_USE int db_backup(struct db *db, const char *to_path);
/* The rows of a table that is alike in both, in the order of the first column; wanted NULL: all of them, else those whose first
 * column, a number, it says yes to. Rows of the same key are replaced. In the caller's transaction of `to`. */
MUST_USE int db_copy_rows(struct db *from, struct db *to, const char *table, bool (*wanted)(void *ctx, int64_t key),
                          void *ctx);
/* All that db has becomes what `by` has, in one transaction; page sizes must be the same. */
MUST_USE int db_replace(struct db *db, struct db *by);
