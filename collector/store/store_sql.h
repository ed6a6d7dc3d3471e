/* store_sql.h - everything the store says to SQLite. head.db holds the log, the newest extents, the series, the metadata and the
 * list of the files of days and weeks; those hold extents.
 *
 * The rows of series (several series each, series_rows.h) and the records in headlog.data (log_slots.h) begin with their CRC-32C, ext.data holds one (extent.h). ext is filled in the order of making,
 * so that what retention deletes lies together; ext_time covers all that the list of extents needs at start. */
#pragma once

#define STORE_FILE "head.db"
#define STORE_LOCK_FILE "store.lock"
#define STORE_APPLICATION_ID 0x43725374u /* "CrSt" */
/* Bumped when the meaning of any row changes. There are no migrations: another format's folder is refused. */
#define STORE_FORMAT 6
/* In meta when rows of series were lost with a damaged head.db (set_aside.h): numbers that extents carry stay taken. */
#define STORE_META_LOST_SERIES "lost_series"

static const char *const STORE_MIGRATIONS[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO meta(key, value) VALUES('format', 6), ('log_trimmed', 0);"
    "CREATE TABLE series(id INTEGER PRIMARY KEY, labels BLOB NOT NULL) STRICT;"
    "CREATE TABLE family(name TEXT PRIMARY KEY, type INTEGER NOT NULL, unit TEXT NOT NULL, help TEXT NOT NULL) STRICT, "
    "WITHOUT ROWID;"
    "CREATE TABLE headlog(slot INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE histlog(seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE ext(id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL,"
    "                 bytes INTEGER NOT NULL, level INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE INDEX ext_time ON ext(max_ms, grp, min_ms, bytes, level);"
    "CREATE TABLE exemplar(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE part(id INTEGER PRIMARY KEY, file TEXT NOT NULL, day_ms INTEGER NOT NULL, days INTEGER NOT NULL) "
    "STRICT;",
    "CREATE TABLE tombstone(id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, last_ext INTEGER NOT NULL, ords BLOB NOT "
    "NULL,"
    "                       min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL) STRICT;",
    NULL,
};

/* A file of a day or week has extents and nothing else; written once, then read only. */
#define PART_APPLICATION_ID 0x43725044u /* "CrPD" */
static const char *const PART_MIGRATIONS[] = {
    "CREATE TABLE ext(id INTEGER PRIMARY KEY, grp INTEGER NOT NULL, min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL,"
    "                 bytes INTEGER NOT NULL, level INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE INDEX ext_time ON ext(max_ms, grp, min_ms, bytes, level);",
    NULL,
};

enum store_statement {
    SQL_FORMAT,
    SQL_SERIES_PUT,
    SQL_SERIES_ALL,
    SQL_SERIES_FORGET,
    SQL_SERIES_LOST,
    SQL_FAMILY_PUT,
    SQL_FAMILY_ALL,
    SQL_LOG_PUT,
    SQL_LOG_WRITE,
    SQL_LOG_LIST,
    SQL_LOG_READ,
    SQL_LOG_DELETE,
    SQL_LOG_DROP,
    SQL_LOG_TRIM,
    SQL_LOG_TRIMMED,
    SQL_HISTLOG_PUT,
    SQL_HISTLOG_ALL,
    SQL_HISTLOG_TRIM,
    SQL_EXT_PUT,
    SQL_EXT_GET,
    SQL_EXT_LIST,
    SQL_EXT_DELETE,
    SQL_PART_PUT,
    SQL_PART_ALL,
    SQL_PART_DELETE,
    SQL_TOMB_PUT,
    SQL_TOMB_ALL,
    SQL_TOMB_DELETE,
    SQL_EXEMPLAR_PUT,
    SQL_EXEMPLAR_ALL,
    SQL_EXEMPLAR_DELETE,
    SQL_PROBE_PUT,
    SQL_PROBE_DELETE,
    SQL_FREE_PAGES,
    SQL_PAGES,
    STORE_STATEMENTS
};
static const char *const STORE_SQL[STORE_STATEMENTS] = {
    [SQL_FORMAT] = "SELECT value FROM meta WHERE key = 'format'",
    [SQL_SERIES_PUT] = "INSERT INTO series(id, labels) VALUES(?1, ?2)",
    [SQL_SERIES_ALL] = "SELECT id, labels FROM series ORDER BY id",
    [SQL_SERIES_FORGET] = "DELETE FROM series WHERE id BETWEEN ?1 AND ?2",
    [SQL_SERIES_LOST] = "SELECT value FROM meta WHERE key = '" STORE_META_LOST_SERIES "'",
    [SQL_FAMILY_PUT] =
        "INSERT INTO family(name, type, unit, help) VALUES(?1, ?2, ?3, ?4) "
        "ON CONFLICT(name) DO UPDATE SET type = excluded.type, unit = excluded.unit, help = excluded.help",
    [SQL_FAMILY_ALL] = "SELECT name, type, unit, help FROM family",
    [SQL_LOG_PUT] = "INSERT INTO headlog(slot, seq, data) VALUES(?1, ?2, ?3)",
    [SQL_LOG_WRITE] = "UPDATE headlog SET seq = ?2, data = ?3 WHERE slot = ?1",
    [SQL_LOG_LIST] = "SELECT slot, seq, length(data) FROM headlog WHERE slot > 0",
    [SQL_LOG_READ] = "SELECT data FROM headlog WHERE slot = ?1",
    [SQL_LOG_DELETE] = "DELETE FROM headlog WHERE slot = ?1",
    [SQL_LOG_DROP] = "DELETE FROM headlog", /* without WHERE: its pages go as they are, no tree is balanced */
    [SQL_LOG_TRIM] = "UPDATE meta SET value = ?1 WHERE key = 'log_trimmed'",
    [SQL_LOG_TRIMMED] = "SELECT value FROM meta WHERE key = 'log_trimmed'",
    [SQL_HISTLOG_PUT] = "INSERT INTO histlog(seq, data) VALUES(?1, ?2)",
    [SQL_HISTLOG_ALL] = "SELECT seq, data FROM histlog ORDER BY seq",
    [SQL_HISTLOG_TRIM] = "DELETE FROM histlog WHERE seq <= ?1",
    [SQL_EXT_PUT] = "INSERT INTO ext(id, grp, min_ms, max_ms, bytes, level, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [SQL_EXT_GET] = "SELECT data FROM ext WHERE id = ?1",
    [SQL_EXT_LIST] = "SELECT id, grp, min_ms, max_ms, bytes, level FROM ext INDEXED BY ext_time",
    [SQL_EXT_DELETE] = "DELETE FROM ext WHERE id = ?1",
    [SQL_PART_PUT] = "INSERT INTO part(id, file, day_ms, days) VALUES(?1, ?2, ?3, ?4)",
    [SQL_PART_ALL] = "SELECT id, file, day_ms, days FROM part ORDER BY id",
    [SQL_PART_DELETE] = "DELETE FROM part WHERE id = ?1",
    [SQL_TOMB_PUT] = "INSERT INTO tombstone(grp, last_ext, ords, min_ms, max_ms) VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQL_TOMB_ALL] = "SELECT id, grp, last_ext, ords, min_ms, max_ms FROM tombstone ORDER BY id",
    [SQL_TOMB_DELETE] = "DELETE FROM tombstone WHERE id = ?1",
    [SQL_EXEMPLAR_PUT] = "INSERT INTO exemplar(id, data) VALUES(?1, ?2)",
    [SQL_EXEMPLAR_ALL] = "SELECT id, data FROM exemplar ORDER BY id",
    [SQL_EXEMPLAR_DELETE] = "DELETE FROM exemplar WHERE id = ?1",
    /* Is there room again? A page's worth and its way out of the file; the log is the place that must have it. */
    [SQL_PROBE_PUT] = "INSERT INTO headlog(slot, seq, data) VALUES(-1, 0, zeroblob(65536))",
    [SQL_PROBE_DELETE] = "DELETE FROM headlog WHERE slot = -1",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
    [SQL_PAGES] = "PRAGMA page_count",
};
