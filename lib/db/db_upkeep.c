/* Checkpoint, check, copy and replace a database. */
#include "lib/db/db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

int64_t db_wal_bytes(const struct db *db)
{
    const char *name = sqlite3_db_filename(db->handle, "main");
    const char *wal = name && *name ? sqlite3_filename_wal(name) : NULL;
    struct stat st;
    return wal && *wal && stat(wal, &st) == 0 ? st.st_size : 0;
}

int db_checkpoint(struct db *db, bool truncate)
{
    if (db->read_only)
        return db_fail_with(db, -EROFS, "a read-only connection does not checkpoint");
    int logged = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(
        db->handle, "main", truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &logged, &moved);
    if (rc != SQLITE_OK)
        return db_fail(db, rc);
    if (moved < logged)
        return db_fail_with(db, -EBUSY, "readers kept %d of %d pages in the log", logged - moved, logged);
    return 0;
}

int db_sync_log(struct db *db)
{
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log && log->pMethods) /* else nothing was written yet */
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

int db_quick_check(struct db *db)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int r = 0;
    if (rc != SQLITE_ROW) {
        r = db_fail(db, rc);
    } else {
        const char *words = (const char *)sqlite3_column_text(stmt, 0);
        if (!words || strcmp(words, "ok") != 0)
            r = db_fail_with(db, -EUCLEAN, "%s", words ? words : "no answer from the check");
    }
    sqlite3_finalize(stmt);
    return r;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

int db_sync_file(const char *path)
{
    int r = sync_path(path, O_RDWR);
    char folder[PATH_MAX];
    if (r == 0 && (size_t)snprintf(folder, sizeof folder, "%s", path) < sizeof folder)
        r = sync_path(dirname(folder), O_RDONLY | O_DIRECTORY);
    return r;
}

int db_backup(struct db *db, const char *to_path)
{
    struct stat st;
    if (lstat(to_path, &st) == 0) /* VACUUM INTO would take an empty file */
        return db_fail_with(db, -EEXIST, "%s exists", to_path);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "VACUUM INTO ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 1, to_path, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int r = rc == SQLITE_DONE ? 0 : db_fail(db, rc);
    sqlite3_finalize(stmt);
    if (r == 0) {
        r = db_sync_file(to_path); /* VACUUM INTO does not */
        if (r < 0)
            db_fail_with(db, r, "%s: %s", to_path, strerror(-r));
    }
    if (r < 0)
        (void)unlink(to_path);
    return r;
}

/* ---- into another one ---- */
#define COLUMNS_MAX 16

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, ret, NULL);
    return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}

static int prepare_put(struct db *to, const char *table, int columns, sqlite3_stmt **ret)
{
    char sql[256], places[2 * COLUMNS_MAX];
    if (columns < 1 || columns > COLUMNS_MAX)
        return db_fail_with(to, -EINVAL, "table %s has %d columns", table, columns);
    for (int i = 0; i < columns; i++) {
        places[2 * i] = '?';
        places[2 * i + 1] = i + 1 < columns ? ',' : '\0';
    }
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO %s VALUES(%s)", table, places);
    return prepare(to, sql, ret);
}

static int put_row(sqlite3_stmt *get, sqlite3_stmt *put)
{
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < sqlite3_column_count(get); i++)
        rc = sqlite3_bind_value(put, i + 1, sqlite3_column_value(get, i));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(put);
    int reset = sqlite3_reset(put);
    return rc == SQLITE_DONE ? reset : rc;
}

int db_copy_rows(struct db *from, struct db *to, const char *table, bool (*wanted)(void *ctx, int64_t key), void *ctx)
{
    char sql[128];
    sqlite3_stmt *get = NULL, *put = NULL;
    int rc = SQLITE_DONE;
    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", table);
    int r = prepare(from, sql, &get);
    if (r == 0)
        r = prepare_put(to, table, sqlite3_column_count(get), &put);
    while (r == 0 && (rc = sqlite3_step(get)) == SQLITE_ROW) {
        int put_rc = !wanted || wanted(ctx, sqlite3_column_int64(get, 0)) ? put_row(get, put) : SQLITE_OK;
        r = put_rc == SQLITE_OK ? 0 : db_fail(to, put_rc);
    }
    if (r == 0 && rc != SQLITE_DONE)
        r = db_fail(from, rc);
    sqlite3_finalize(get);
    sqlite3_finalize(put);
    return r;
}

int db_replace(struct db *db, struct db *by)
{
    sqlite3_backup *copy = sqlite3_backup_init(db->handle, "main", by->handle, "main");
    if (!copy)
        return db_fail(db, sqlite3_extended_errcode(db->handle));
    int rc = sqlite3_backup_step(copy, -1); /* what passes by itself, as a lock, only this tells */
    int end = sqlite3_backup_finish(copy);
    rc = rc == SQLITE_DONE ? end : rc;
    return rc == SQLITE_OK ? 0 : db_fail(db, rc);
}
