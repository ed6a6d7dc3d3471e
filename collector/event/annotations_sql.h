/* annotations_sql.h - every statement about annotations. Times are ms since the epoch. */
#pragma once

enum { ANNOTATIONS_SQL_ADD, ANNOTATIONS_SQL_TRIM, ANNOTATIONS_SQL_BETWEEN, ANNOTATIONS_SQL_COUNT };
static const char *const ANNOTATIONS_SQL[ANNOTATIONS_SQL_COUNT] = {
    [ANNOTATIONS_SQL_ADD] = "INSERT INTO annotation(t_ms, kind, text, service, user) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ANNOTATIONS_SQL_TRIM] = "DELETE FROM annotation WHERE id <="
                             " (SELECT id FROM annotation ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    [ANNOTATIONS_SQL_BETWEEN] =
        "SELECT id, t_ms, kind, text, service, user FROM"
        " (SELECT * FROM annotation WHERE t_ms BETWEEN ?1 AND ?2 ORDER BY t_ms DESC, id DESC LIMIT ?3)"
        " ORDER BY t_ms, id",
};
static const char *const ANNOTATIONS_MIGRATIONS[] = {
    "CREATE TABLE annotation(id INTEGER PRIMARY KEY AUTOINCREMENT, t_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    " text TEXT NOT NULL, service TEXT NOT NULL, user TEXT NOT NULL);"
    "CREATE INDEX annotation_t ON annotation(t_ms);",
    NULL,
};
