/* http.h - the collector's HTTP face: routes, parameters, JSON in Prometheus's shapes.
 *
 *   struct http_room room = {.store = s, .query = q, .rules = ru, .notify = n, .state = st};
 *   r = http_start(&room, &server_config, &h, why, sizeof why);
 *   httpd_stop(h, 10000);
 *
 * Handlers never block: writes are answered from the store's commit callback, queries from a query worker.
 * Source of the shapes: prometheus.io/docs/prometheus/latest/querying/api. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "collector/event/annotations.h"
#include "collector/event/firings.h"
#include "collector/event/events.h"
#include "collector/live/live.h"
#include "collector/notify/notify.h"
#include "collector/query/query.h"
#include "collector/rules/rules.h"
#include "collector/state/state.h"
#include "collector/store/store.h"
#include "lib/httpd/httpd_daemon.h"

#define HTTP_SECRET "<secret>" /* stands for what may hold a password */

struct http_room { /* borrowed parts; must outlive the server */
    struct store *store;
    struct query_engine *query;
    struct rules *rules;
    struct notify *notify;
    struct state *state;
    struct live *live;
    struct annotations *annotations;
    struct firings *firings;
    struct events *events;
    const struct options *options; /* shown by /api/v1/status/flags */
    _Atomic int64_t retention_ms;
    bool admin_api;              /* series may be deleted */
    int64_t started_ms;          /* by http_start */
    pthread_mutex_t config_lock; /* over config_yaml; PTHREAD_MUTEX_INITIALIZER */
    char *config_yaml;           /* of http_room_config; the owner of the room frees the last one */
    struct httpd_daemon daemon;  /* filled in by http_start, but for ready and how loading went */
    atomic_size_t answers_bytes; /* held by answers that are being taken (answer.h) */
    atomic_ulong writes_decoded_bytes, writes_refused_busy, writes_refused_bad,
        writes_refused_failed; /* nothing was stored: disk full, I/O error */
};
/* What /api/v1/status/config shows from now on: malloc'd, taken; without secrets. */
void http_room_config(struct http_room *room, char *yaml);
MUST_USE int http_start(struct http_room *room, struct httpd_config *config, struct httpd **ret, char *why,
                        size_t why_bytes);
