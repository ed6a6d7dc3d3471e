#include "lib/db/db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define BUSY_TIMEOUT_MS 2000        /* a person's sqlite3 shell on the file; our own programs never collide */
#define JOURNAL_BYTES_MAX (4 << 20) /* the WAL file shrinks to this after a checkpoint (DESIGN §5) */
#define FILE_MODE 0640              /* state holds users and an audit trail; SQLite's own default is 0644 */

static int open_handle(struct db *db, const char *path, bool bulk)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    flags |= db->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (path && !db->read_only) {
        /* Only a file made here may be opened and closed beside SQLite: closing any descriptor of a file
         * drops the locks that this process holds on it. */
        int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, FILE_MODE);
        if (fd >= 0)
            close(fd);
    }
    int rc = sqlite3_open_v2(path ? path : ":memory:", &db->handle, flags, NULL);
    if (rc != SQLITE_OK)
        return db_fail(db, rc);
    (void)sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    const struct {
        int option, value;
    } config[] = {
        /* defensive: PRAGMA journal_mode = OFF would do nothing */
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_FKEY, 1}, {SQLITE_DBCONFIG_DEFENSIVE, !bulk},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_DQS_DML, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(config); i++) {
        rc = sqlite3_db_config(db->handle, config[i].option, config[i].value, NULL);
        if (rc != SQLITE_OK)
            return db_fail(db, rc);
    }
    if (db->read_only) /* the last to close must not be the one that writes the file */
        rc = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

static int set_pragma(struct db *db, const char *name, int64_t value)
{
    char sql[96];
    (void)snprintf(sql, sizeof sql, "PRAGMA %s = %lld", name, (long long)value);
    return db_exec(db, sql);
}

static int set_journal(struct db *db, bool in_memory, bool bulk)
{
    sqlite3_stmt *stmt = NULL;
    const char *sql = bulk ? "PRAGMA journal_mode = OFF" : "PRAGMA journal_mode = WAL";
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int r = rc == SQLITE_ROW ? 0 : db_fail(db, rc);
    const char *mode = r == 0 ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (r == 0 && !in_memory && !bulk && (!mode || strcmp(mode, "wal") != 0))
        r = db_fail_with(db, -EIO, "write-ahead logging does not work on this file system (journal mode stays '%s')",
                         mode ? mode : "?");
    if (r == 0 && bulk && (!mode || strcmp(mode, "off") != 0))
        r = db_fail_with(db, -EIO, "the journal cannot be left out (journal mode stays '%s')", mode ? mode : "?");
    sqlite3_finalize(stmt);
    return r;
}

static int set_pragmas(struct db *db, const char *path, const struct db_options *options)
{
    int r = 0;
    if (!db->read_only) {
        r = set_pragma(db, "page_size",
                       options->page_bytes ? options->page_bytes : 4096); /* no effect on an old file */
        if (r == 0)
            r = set_journal(db, path == NULL, options->bulk);
        if (r == 0)
            r = set_pragma(db, "synchronous", options->sync == DB_SYNC_FULL ? 2 : 1);
        if (r == 0)
            r = set_pragma(db, "secure_delete", 0); /* Debian builds SQLite with it on */
        if (r == 0)
            r = set_pragma(db, "wal_autocheckpoint", 0);
        if (r == 0)
            r = set_pragma(db, "journal_size_limit",
                           options->journal_bytes_max ? options->journal_bytes_max : JOURNAL_BYTES_MAX);
    }
    if (r == 0)
        r = set_pragma(db, "cell_size_check", 1);
    if (r == 0 && options->cache_kib)
        r = set_pragma(db, "cache_size", -(int64_t)options->cache_kib);
    return r;
}

static bool page_bytes_valid(unsigned n)
{
    return n == 0 || (n >= 512 && n <= 65536 && (n & (n - 1)) == 0);
}

int db_open(const char *path, const struct db_options *options, struct db **ret, char *why, size_t why_bytes)
{
    struct db *db = calloc(1, sizeof *db);
    int r = -ENOMEM;
    if (!db)
        goto fail;
    db->read_only = options->read_only;
    db->sql = options->sql;
    db->sql_count = options->sql_count;
    db->statements = calloc(options->sql_count ? options->sql_count : 1, sizeof *db->statements);
    if (!db->statements)
        goto fail;
    if (!page_bytes_valid(options->page_bytes)) {
        r = db_fail_with(db, -EINVAL, "page size %u is not a power of two within 512..65536", options->page_bytes);
        goto fail;
    }
    r = open_handle(db, path, options->bulk);
    if (r == 0)
        r = set_pragmas(db, path, options);
    if (r == 0)
        r = db_migrate(db, options);
    if (r < 0)
        goto fail;
    *ret = db;
    return 0;
fail:
    if (why && why_bytes)
        (void)snprintf(why, why_bytes, "%s: %s", path ? path : "in-memory database",
                       db && db->why[0] ? db->why : strerror(-r));
    db_close(db);
    return r;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (size_t i = 0; db->statements && i < db->sql_count; i++)
        sqlite3_finalize(db->statements[i].stmt);
    if (db->handle) {
        db_rollback(db);
        if (!db->read_only) /* a failure leaves the WAL file, which the next open reads: nothing is lost */
            (void)sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        (void)sqlite3_close(db->handle);
    }
    free(db->statements);
    free(db);
}
