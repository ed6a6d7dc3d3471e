/* notify.h - delivers alerts: rows of a delivery table, sent by a loop of its own, retried until accepted or expired.
 *
 *   r = notify_new(&(struct notify_config){.state = st, .webhook_url = url, …}, &n);
 *   rules_config.sink = notify_sink(n);
 *   r = notify_start(n);
 *   notify_free(n);
 *
 * News of an accepted batch become delivery rows in the same transaction as the alert state (alert.h); what was told
 * before is no news. Body: Alertmanager's webhook JSON version 4, one group per alertname (groupKey
 * {}:{alertname="…"}), resolved sent once. A 2xx deletes the row; 5xx, 429 (Retry-After honoured) and network errors
 * are retried with backoff; other answers drop it, logged and counted. After a restart the rows go out where they
 * stopped. Delivery is at least once, in order per alert. docs/notify.md */
#pragma once

#include "collector/alert.h"
#include "collector/state/state.h"

struct notify;
struct notify_config {
    struct state *state;
    const char *webhook_url; /* NULL: deliveries are recorded nowhere (counted as unrouted) */
    const char *external_url;
    int64_t timeout_ms; /* per attempt; 0: 10 s */
    int64_t expire_ms;  /* rows older than this are given up, counted; 0: 24 h */
    int64_t repeat_ms;  /* an alert that fires on is sent again after this; 0: 4 h, Alertmanager's default; <0: never */
};
extern const struct state_room NOTIFY_STATE_ROOM;
MUST_USE int notify_new(const struct notify_config *config, struct notify **ret);
/* Another receiver, or none (NULL), from now on: what waits goes there, at once. Any thread; -ENOMEM keeps the old. */
MUST_USE int notify_set_webhook_url(struct notify *n, const char *webhook_url);
/* Before notify_start: where the port was not known when the room was made. */
MUST_USE int notify_set_external_url(struct notify *n, const char *external_url);
struct alert_sink notify_sink(struct notify *n);
MUST_USE int notify_start(struct notify *n);
void notify_free(struct notify *n);
void notify_stats(const struct notify *n, struct metric_writer *w);
