/* state_sql.h - the state writer's own statements; the rooms' follow behind them. */
#pragma once

#define STATE_APPLICATION_ID 0x43525354u /* "CRST" */

enum {
    STATE_SQL_SAVEPOINT,
    STATE_SQL_RELEASE,
    STATE_SQL_ROLLBACK_TO,
    STATE_SQL_VERSION_GET,
    STATE_SQL_VERSION_PUT,
    STATE_SQL_COUNT
};
static const char *const STATE_SQL[STATE_SQL_COUNT] = {
    [STATE_SQL_SAVEPOINT] = "SAVEPOINT change",
    [STATE_SQL_RELEASE] = "RELEASE change",
    [STATE_SQL_ROLLBACK_TO] = "ROLLBACK TO change",
    [STATE_SQL_VERSION_GET] = "SELECT version FROM schema_version WHERE room = ?1",
    [STATE_SQL_VERSION_PUT] = "INSERT INTO schema_version(room, version) VALUES(?1, ?2)"
                              " ON CONFLICT(room) DO UPDATE SET version = excluded.version",
};
static const char *const STATE_MIGRATIONS[] = {
    "CREATE TABLE schema_version(room TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID",
    NULL,
};
