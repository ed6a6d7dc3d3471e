/* events_sql.h - every statement about events: the texts they were read from are kept, so that they are read again by the program
 * of the day. */
#pragma once

enum { EVENTS_SQL_PUT, EVENTS_SQL_ALL, EVENTS_SQL_DELETE, EVENTS_SQL_N };
static const char *const EVENTS_SQL[EVENTS_SQL_N] = {
    [EVENTS_SQL_PUT] =
        "INSERT OR REPLACE INTO event(name, imported_ms, user, file, text, plan_file, plan_text, last_file, last_text,"
        " starts, length) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [EVENTS_SQL_ALL] = "SELECT name, imported_ms, user, file, text, plan_file, plan_text, last_file, last_text, starts,"
                       " length FROM event ORDER BY name",
    [EVENTS_SQL_DELETE] = "DELETE FROM event WHERE name = ?1",
};
static const char *const EVENTS_MIGRATIONS[] = {
    "CREATE TABLE event(name TEXT PRIMARY KEY, imported_ms INTEGER NOT NULL, user TEXT NOT NULL, file TEXT NOT NULL,"
    " text TEXT NOT NULL, plan_file TEXT, plan_text TEXT, last_file TEXT, last_text TEXT, starts TEXT, length TEXT)"
    " WITHOUT ROWID",
    NULL,
};
