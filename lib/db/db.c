#include "lib/db/db_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>

/* ---- errors ---- */
static int errno_of(sqlite3 *handle, int rc)
{
    int os = handle ? sqlite3_system_errno(handle) : 0;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM)
            return -ENOMEM;
        return os == ENOSPC || os == EDQUOT ? -ENOSPC : -EIO; /* growing the shared-memory file, fsync */
    case SQLITE_CANTOPEN:
        return os > 0 ? -os : -EIO;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return -EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EUCLEAN;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    case SQLITE_TOOBIG:
        return -EFBIG;
    case SQLITE_INTERRUPT:
        return -EINTR;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    default: /* SQLITE_ERROR, _RANGE, _MISMATCH, _SCHEMA, _MISUSE: the statement is wrong */
        return -EINVAL;
    }
}

int db_fail_with(struct db *db, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(db->why, sizeof db->why, format, args);
    va_end(args);
    return error;
}

int db_fail(struct db *db, int rc)
{
    int os = db->handle ? sqlite3_system_errno(db->handle) : 0;
    bool system = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    /* A failed bind leaves no message on the connection: then the code's own words. */
    const char *words =
        db->handle && sqlite3_extended_errcode(db->handle) == rc ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    return db_fail_with(db, errno_of(db->handle, rc), system && os ? "%s (%s)" : "%s", words,
                        system && os ? strerror(os) : "");
}

const char *db_why(const struct db *db)
{
    return db->why;
}

/* ---- texts that are run as they are ---- */
int db_exec(struct db *db, const char *sql)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

int db_query_i64(struct db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int r = rc == SQLITE_DONE ? db_fail_with(db, -ENODATA, "no row: %s", sql) : rc == SQLITE_ROW ? 0 : db_fail(db, rc);
    if (r == 0)
        *ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return r;
}

/* ---- transactions ---- */
bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int db_begin(struct db *db)
{
    return db_exec(db, "BEGIN IMMEDIATE");
}

void db_rollback(struct db *db)
{
    /* SQLite may have rolled back by itself (disk full, out of memory). */
    if (db_in_transaction(db))
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int db_commit(struct db *db)
{
    int r = db_exec(db, "COMMIT");
    if (r < 0)
        db_rollback(db);
    return r;
}

/* ---- statements ---- */
static void statement_reset(struct db_statement *s)
{
    if (s->stmt) {
        (void)sqlite3_reset(s->stmt);          /* repeats the error of the last step */
        (void)sqlite3_clear_bindings(s->stmt); /* they point into the caller's memory */
    }
    s->bind_error = SQLITE_OK;
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret)
{
    const char *tail = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
    if (rc != SQLITE_OK)
        return rc;
    while (tail && (*tail == ' ' || *tail == '\n' || *tail == ';'))
        tail++;
    if (!stmt || (tail && *tail)) { /* empty, or a second statement that would never run */
        sqlite3_finalize(stmt);
        return SQLITE_MISUSE;
    }
    *ret = stmt;
    return SQLITE_OK;
}

/* The prepared statement, or NULL with the reason kept for the next run. */
static sqlite3_stmt *statement(struct db *db, int at)
{
    assert(at >= 0 && (size_t)at < db->sql_count);
    struct db_statement *s = &db->statements[at];
    if (!s->stmt) {
        int rc = prepare(db, db->sql[at], &s->stmt);
        if (rc != SQLITE_OK) {
            s->bind_error = rc;
            db_fail(db, rc);
        }
    }
    return s->stmt;
}

static void bound(struct db *db, int at, int rc)
{
    struct db_statement *s = &db->statements[at];
    if (rc != SQLITE_OK && s->bind_error == SQLITE_OK)
        s->bind_error = rc;
}

void db_bind_i64(struct db *db, int at_statement, int at, int64_t v)
{
    sqlite3_stmt *stmt = statement(db, at_statement);
    if (stmt)
        bound(db, at_statement, sqlite3_bind_int64(stmt, at, v));
}

void db_bind_f64(struct db *db, int at_statement, int at, double v)
{
    sqlite3_stmt *stmt = statement(db, at_statement);
    if (stmt)
        bound(db, at_statement, sqlite3_bind_double(stmt, at, v));
}

void db_bind_text(struct db *db, int at_statement, int at, struct span v)
{
    sqlite3_stmt *stmt = statement(db, at_statement);
    if (stmt)
        bound(db, at_statement, sqlite3_bind_text64(stmt, at, v.ptr, v.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct db *db, int at_statement, int at, const void *p, size_t n)
{
    sqlite3_stmt *stmt = statement(db, at_statement);
    if (stmt)
        bound(db, at_statement, sqlite3_bind_blob64(stmt, at, p, n, SQLITE_STATIC));
}

void db_bind_null(struct db *db, int at_statement, int at)
{
    sqlite3_stmt *stmt = statement(db, at_statement);
    if (stmt)
        bound(db, at_statement, sqlite3_bind_null(stmt, at));
}

int db_step(struct db *db, int at)
{
    sqlite3_stmt *stmt = statement(db, at);
    struct db_statement *s = &db->statements[at];
    int rc = s->bind_error != SQLITE_OK ? s->bind_error : sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    int r = 0;
    if (!stmt)
        r = errno_of(db->handle, rc); /* statement() kept the words */
    else if (rc != SQLITE_DONE)
        r = db_fail(db, rc);
    statement_reset(s);
    return r;
}

int db_run(struct db *db, int at)
{
    int r;
    do
        r = db_step(db, at);
    while (r > 0);
    return r;
}

void db_reset(struct db *db, int at)
{
    assert(at >= 0 && (size_t)at < db->sql_count);
    statement_reset(&db->statements[at]);
}

/* ---- columns ---- */
int64_t db_i64(struct db *db, int at, int column)
{
    return sqlite3_column_int64(db->statements[at].stmt, column);
}

double db_f64(struct db *db, int at, int column)
{
    return sqlite3_column_double(db->statements[at].stmt, column);
}

struct span db_text(struct db *db, int at, int column)
{
    sqlite3_stmt *stmt = db->statements[at].stmt;
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return span_of(text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

struct span db_blob(struct db *db, int at, int column)
{
    sqlite3_stmt *stmt = db->statements[at].stmt;
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return span_of(NULL, 0);
    const char *p = sqlite3_column_blob(stmt, column); /* NULL also for an empty blob */
    return p ? span_of(p, (size_t)sqlite3_column_bytes(stmt, column)) : SPAN("");
}

bool db_is_null(struct db *db, int at, int column)
{
    return sqlite3_column_type(db->statements[at].stmt, column) == SQLITE_NULL;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}
