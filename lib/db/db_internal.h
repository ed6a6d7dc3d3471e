/* db_internal.h - what the files of lib/db share: the connection and how SQLite's codes become ours. */
#pragma once

#include <sqlite3.h>

#include "lib/db/db.h"

struct db_statement {
    sqlite3_stmt *stmt;
    int bind_error; /* SQLite's code of the first failed bind or prepare since the last reset */
};
struct db {
    sqlite3 *handle;
    const char *const *sql;
    size_t sql_count;
    bool read_only;
    struct db_statement *statements; /* [sql_count] */
    char why[512];
};

/* Keep SQLite's words for db_why and return the errno that stands for rc. */
int db_fail(struct db *db, int rc);
/* Keep a sentence of our own; returns error. */
int db_fail_with(struct db *db, int error, const char *format, ...) PRINTF_LIKE(3, 4);
/* First column of a one-row query; constants only. */
MUST_USE int db_query_i64(struct db *db, const char *sql, int64_t *ret);
/* Bring the schema to the last of the migrations, all in one transaction, or check that it is there
 * (read_only). */
MUST_USE int db_migrate(struct db *db, const struct db_options *options);
