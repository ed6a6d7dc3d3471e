#include "lib/db/db_internal.h"

#include <errno.h>

/* Nothing was ever written into it by us: a file that was just made, or one whose maker died before its first
 * transaction. */
static int is_blank(struct db *db, bool *ret)
{
    int64_t id = 0, version = 0, objects = 0;
    int r = db_query_i64(db, "PRAGMA application_id", &id);
    if (r == 0)
        r = db_query_i64(db, "PRAGMA user_version", &version);
    if (r == 0)
        r = db_query_i64(db, "SELECT count(*) FROM sqlite_schema", &objects);
    if (r == 0)
        *ret = id == 0 && version == 0 && objects == 0;
    return r;
}

static int check_application(struct db *db, uint32_t wanted, bool blank)
{
    if (wanted == 0 || (blank && !db->read_only))
        return 0;
    int64_t id = 0;
    int r = db_query_i64(db, "PRAGMA application_id", &id);
    if (r < 0)
        return r;
    if ((uint32_t)id != wanted) /* the pragma is a signed 32-bit number */
        return db_fail_with(db, -EUCLEAN, "a database of another program (application id 0x%08x, not 0x%08x)",
                            (unsigned)(uint32_t)id, (unsigned)wanted);
    return 0;
}

static int check_foreign_keys(struct db *db)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA foreign_key_check", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int r = 0;
    if (rc == SQLITE_ROW)
        r = db_fail_with(db, -EUCLEAN, "a migration leaves rows of '%s' that refer to nothing",
                         (const char *)sqlite3_column_text(stmt, 0));
    else if (rc != SQLITE_DONE)
        r = db_fail(db, rc);
    sqlite3_finalize(stmt);
    return r;
}

static int run_migrations(struct db *db, const struct db_options *options, bool blank, int64_t version, int64_t newest)
{
    char sql[64];
    int r = 0;
    if (blank && options->application_id) {
        (void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d", (int)options->application_id);
        r = db_exec(db, sql);
    }
    for (int64_t i = version; r == 0 && i < newest; i++) {
        r = db_exec(db, options->migrations[i]);
        if (r < 0) {
            char words[sizeof db->why];
            (void)snprintf(words, sizeof words, "%s", db->why);
            return db_fail_with(db, r, "migration to schema version %lld: %.400s", (long long)i + 1, words);
        }
    }
    if (r == 0)
        r = check_foreign_keys(db);
    if (r == 0 && newest > version) {
        (void)snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)newest);
        r = db_exec(db, sql);
    }
    return r;
}

static int check_version(struct db *db, int64_t newest, int64_t *ret_version)
{
    int r = db_query_i64(db, "PRAGMA user_version", ret_version);
    if (r == 0 && (*ret_version > newest || *ret_version < 0))
        return db_fail_with(db, -EOVERFLOW,
                            "schema version %lld is newer than this program knows (%lld): use the newer program",
                            (long long)*ret_version, (long long)newest);
    return r;
}

int db_migrate(struct db *db, const struct db_options *options)
{
    int64_t newest = 0, version = 0;
    while (options->migrations && options->migrations[newest])
        newest++;
    bool blank = false;
    int r = is_blank(db, &blank);
    if (r == 0)
        r = check_application(db, options->application_id, blank);
    if (r == 0 && options->migrations)
        r = check_version(db, newest, &version);
    if (r < 0)
        return r;
    bool stamp = blank && options->application_id;
    if (version == newest && !stamp)
        return 0;
    if (db->read_only)
        return db_fail_with(db, -ENODATA, "schema version %lld, but %lld is needed: it must be opened for writing once",
                            (long long)version, (long long)newest);

    /* Rebuilding a table drops the old one, which enforced keys would forbid; the pragma has no effect inside
     * a transaction, so it stands around it and the keys are checked before the commit. */
    r = db_exec(db, "PRAGMA foreign_keys = OFF");
    if (r == 0)
        r = db_begin(db);
    if (r == 0 && options->migrations)
        r = check_version(db, newest, &version); /* somebody else may have been faster */
    if (r == 0)
        r = is_blank(db, &blank);
    if (r == 0)
        r = run_migrations(db, options, blank, version, newest);
    if (r == 0)
        r = db_commit(db);
    db_rollback(db);
    if (r == 0)
        r = db_exec(db, "PRAGMA foreign_keys = ON");
    return r;
}
