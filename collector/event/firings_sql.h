/* firings_sql.h - every statement about what fired and when nothing could. Times are ms since the epoch; labels are packed
 * (label_box.h). */
#pragma once

enum {
    FIRINGS_SQL_ADD,
    FIRINGS_SQL_TRIM,
    FIRINGS_SQL_WORDS,
    FIRINGS_SQL_PAUSE_ADD,
    FIRINGS_SQL_PAUSE_TRIM,
    FIRINGS_SQL_PAUSES,
    FIRINGS_SQL_COUNT
};
static const char *const FIRINGS_SQL[FIRINGS_SQL_COUNT] = {
    [FIRINGS_SQL_ADD] = "INSERT INTO firing(labels, starts_ms, words) VALUES(?1, ?2, ?3)"
                        " ON CONFLICT(labels, starts_ms) DO NOTHING",
    [FIRINGS_SQL_TRIM] = "DELETE FROM firing WHERE id <="
                         " (SELECT id FROM firing ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    [FIRINGS_SQL_WORDS] = "SELECT words FROM firing WHERE labels = ?1 AND starts_ms <= ?2"
                          " ORDER BY starts_ms DESC LIMIT 1",
    [FIRINGS_SQL_PAUSE_ADD] = "INSERT INTO pause(from_ms, to_ms) VALUES(?1, ?2)",
    [FIRINGS_SQL_PAUSE_TRIM] = "DELETE FROM pause WHERE id <="
                               " (SELECT id FROM pause ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    [FIRINGS_SQL_PAUSES] = "SELECT from_ms, to_ms FROM pause WHERE to_ms > ?1 AND from_ms < ?2 ORDER BY from_ms, id",
};
static const char *const FIRINGS_MIGRATIONS[] = {
    "CREATE TABLE firing(id INTEGER PRIMARY KEY AUTOINCREMENT, labels BLOB NOT NULL, starts_ms INTEGER NOT NULL,"
    " words TEXT NOT NULL, UNIQUE(labels, starts_ms));"
    "CREATE TABLE pause(id INTEGER PRIMARY KEY AUTOINCREMENT, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);",
    NULL,
};
