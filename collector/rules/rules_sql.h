/* rules_sql.h - every statement of the rules room. One row per alert that is pending, firing or lately resolved; times are ms since the
 * epoch, NULL for "not". value_bits: the double's bits, as SQLite has no NaN. */
#pragma once

enum { RULES_SQL_PUT, RULES_SQL_DELETE, RULES_SQL_DELETE_RULE, RULES_SQL_ALL, RULES_SQL_COUNT };
static const char *const RULES_SQL[RULES_SQL_COUNT] = {
    [RULES_SQL_PUT] =
        "INSERT OR REPLACE INTO rules_alert(rule, labels, annotations, phase, value_bits, active_ms, fired_ms,"
        " resolved_ms, last_sent_ms, valid_until_ms, keep_firing_since_ms)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [RULES_SQL_DELETE] = "DELETE FROM rules_alert WHERE rule = ?1 AND labels = ?2",
    [RULES_SQL_DELETE_RULE] = "DELETE FROM rules_alert WHERE rule = ?1",
    [RULES_SQL_ALL] =
        "SELECT rule, labels, annotations, phase, value_bits, active_ms, fired_ms, resolved_ms, last_sent_ms,"
        " valid_until_ms, keep_firing_since_ms FROM rules_alert ORDER BY rule, labels",
};
static const char *const RULES_MIGRATIONS[] = {
    "CREATE TABLE rules_alert(rule TEXT NOT NULL, labels BLOB NOT NULL, annotations BLOB NOT NULL, phase INTEGER NOT "
    "NULL,"
    " value_bits INTEGER NOT NULL, active_ms INTEGER NOT NULL, fired_ms INTEGER, resolved_ms INTEGER, last_sent_ms "
    "INTEGER,"
    " valid_until_ms INTEGER, keep_firing_since_ms INTEGER, PRIMARY KEY(rule, labels)) WITHOUT ROWID",
    NULL,
};
