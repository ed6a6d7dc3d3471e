/* notify_sql.h - every statement of the notify room. Times are ms since the epoch.
 *
 *   notify_alert     the alerts whose firing was put into a delivery and whose end was not yet: what makes a send a repeat.
 *                    expires_ms: by then the rules say again that it fires, or it counts as resolved; valid_ms after each such word.
 *   notify_delivery  bodies that no receiver has accepted yet, in the order in which they came about. */
#pragma once

enum {
    NOTIFY_SQL_ALERT_GET,
    NOTIFY_SQL_ALERT_PUT,
    NOTIFY_SQL_ALERT_REFRESH,
    NOTIFY_SQL_ALERT_DELETE,
    NOTIFY_SQL_ALERT_EXPIRED,
    NOTIFY_SQL_ALERT_EXTEND_ALL,
    NOTIFY_SQL_DELIVERY_ADD,
    NOTIFY_SQL_DELIVERY_TRIM,
    NOTIFY_SQL_DELIVERY_AFTER,
    NOTIFY_SQL_DELIVERY_FIRST,
    NOTIFY_SQL_DELIVERY_BODY,
    NOTIFY_SQL_DELIVERY_RETRY,
    NOTIFY_SQL_DELIVERY_DELETE,
    NOTIFY_SQL_COUNT
};
static const char *const NOTIFY_SQL[NOTIFY_SQL_COUNT] = {
    [NOTIFY_SQL_ALERT_GET] = "SELECT notified_ms FROM notify_alert WHERE labels = ?1",
    [NOTIFY_SQL_ALERT_PUT] =
        "INSERT INTO notify_alert(labels, annotations, starts_ms, generator_url, notified_ms, valid_ms, expires_ms)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT(labels) DO UPDATE SET annotations = excluded.annotations, generator_url = excluded.generator_url,"
        " notified_ms = excluded.notified_ms, valid_ms = excluded.valid_ms, expires_ms = excluded.expires_ms",
    [NOTIFY_SQL_ALERT_REFRESH] = "UPDATE notify_alert SET valid_ms = ?2, expires_ms = ?3 WHERE labels = ?1",
    [NOTIFY_SQL_ALERT_DELETE] = "DELETE FROM notify_alert WHERE labels = ?1",
    [NOTIFY_SQL_ALERT_EXPIRED] = "SELECT labels, annotations, starts_ms, generator_url, expires_ms FROM notify_alert"
                                 " WHERE expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2",
    [NOTIFY_SQL_ALERT_EXTEND_ALL] =
        "UPDATE notify_alert SET expires_ms = ?1 + valid_ms WHERE expires_ms <> ?1 + valid_ms",
    [NOTIFY_SQL_DELIVERY_ADD] =
        "INSERT INTO notify_delivery(receiver, group_key, created_ms, next_ms, attempts, alerts, body)"
        " VALUES(?1, ?2, ?3, ?3, 0, ?4, ?5)",
    [NOTIFY_SQL_DELIVERY_TRIM] = "DELETE FROM notify_delivery WHERE id <="
                                 " (SELECT id FROM notify_delivery ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    [NOTIFY_SQL_DELIVERY_AFTER] =
        "SELECT id, receiver || ' ' || group_key, created_ms, next_ms, attempts FROM notify_delivery"
        " WHERE id > ?1 ORDER BY id",
    [NOTIFY_SQL_DELIVERY_FIRST] = "SELECT id FROM notify_delivery ORDER BY id LIMIT 1",
    [NOTIFY_SQL_DELIVERY_BODY] = "SELECT body FROM notify_delivery WHERE id = ?1",
    [NOTIFY_SQL_DELIVERY_RETRY] =
        "UPDATE notify_delivery SET attempts = ?2, next_ms = ?3, last_error = ?4 WHERE id = ?1",
    [NOTIFY_SQL_DELIVERY_DELETE] = "DELETE FROM notify_delivery WHERE id = ?1",
};
static const char *const NOTIFY_MIGRATIONS[] = {
    "CREATE TABLE notify_alert(labels BLOB PRIMARY KEY, annotations BLOB NOT NULL, starts_ms INTEGER NOT NULL,"
    " generator_url TEXT NOT NULL, notified_ms INTEGER NOT NULL, valid_ms INTEGER NOT NULL, expires_ms INTEGER NOT "
    "NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX notify_alert_expires ON notify_alert(expires_ms);"
    "CREATE TABLE notify_delivery(id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, group_key TEXT NOT "
    "NULL,"
    " created_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, alerts INTEGER NOT NULL,"
    " last_error TEXT, body TEXT NOT NULL);",
    NULL,
};
