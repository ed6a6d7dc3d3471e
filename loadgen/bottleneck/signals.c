#include "loadgen/bottleneck/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"

#define TIMEOUT_MS 15000

/* Causes before what they cause. least: half a connection, a few milliseconds: what nobody would call a limit. Crest's own programs are not what
 * is measured. */
#define OF(metric) metric "{tier!=\"crest\"}"
static const struct server_signal SIGNALS[] = {
    {"pool",
     "database connections in use",
     OF("commerce:db_connections_ratio"),
     SIGNAL_SHARE,
     {.relation = BEND_RISES, .end = 1, .least = 0.1, .least_ratio = 0.5},
     false},
    {"pool",
     "requests waiting for a database connection",
     "{__name__=~\"db_client_connection_pending_requests|commerce:db_pool_waiting\",tier!=\"crest\"}",
     SIGNAL_COUNT,
     {.relation = BEND_LEVEL, .least = 1, .least_ratio = 1},
     false},
    {"queue",
     "queue depth",
     OF("commerce:queue_depth"),
     SIGNAL_COUNT,
     {.relation = BEND_RISES, .least = 10, .least_ratio = 1},
     false},
    {"queue",
     "time to drain the queue",
     OF("commerce:queue_drain_seconds"),
     SIGNAL_SECONDS,
     {.relation = BEND_LEVEL, .least = 5, .least_ratio = 1},
     false},
    {"cache",
     "cache hit ratio",
     OF("commerce:cache_hit_ratio"),
     SIGNAL_SHARE,
     {.relation = BEND_LEVEL, .falls = true, .least = 0.05, .least_ratio = 0.05},
     false},
    {"cache",
     "origin amplification",
     OF("commerce:origin_amplification"),
     SIGNAL_COUNT,
     {.relation = BEND_LEVEL, .least = 0.2, .least_ratio = 0.2},
     false},
    {"quota",
     "a dependency's quota in use",
     OF("commerce:api_quota_used_ratio"),
     SIGNAL_SHARE,
     {.relation = BEND_RISES, .end = 1, .least = 0.1, .least_ratio = 0.5},
     false},
    {"dependency",
     "p95 of a dependency's answers",
     "{__name__=~\"commerce:(route_)?dependency_seconds:p95\",tier!=\"crest\"}",
     SIGNAL_SECONDS,
     {.relation = BEND_LEVEL, .least = 0.005, .least_ratio = 0.5},
     false},
    {"gateway",
     "connections dropped",
     OF("commerce:connections_dropped_rps"),
     SIGNAL_PER_SECOND,
     {.relation = BEND_LEVEL, .least = 0.5, .least_ratio = 1},
     false},
    {"database",
     "waits for row locks",
     OF("commerce:db_row_lock_waits_rps"),
     SIGNAL_PER_SECOND,
     {.relation = BEND_RISES, .least = 1, .least_ratio = 0.5},
     false},
    {"database",
     "deadlocks a minute",
     OF("commerce:db_deadlocks_per_minute"),
     SIGNAL_COUNT,
     {.relation = BEND_LEVEL, .least = 1, .least_ratio = 1},
     false},
    {"pool",
     "database sessions idle in a transaction",
     OF("commerce:db_idle_in_tx"),
     SIGNAL_COUNT,
     {.relation = BEND_RISES, .least = 2, .least_ratio = 0.5},
     false},
    {"requests",
     "requests in flight",
     OF("commerce:inflight"),
     SIGNAL_COUNT,
     {.relation = BEND_RISES, .least = 5, .least_ratio = 1},
     true},
    {"requests",
     "p95 of the service's answers",
     OF("commerce:response_seconds:p95"),
     SIGNAL_SECONDS,
     {.relation = BEND_LEVEL, .least = 0.02, .least_ratio = 0.5},
     true},
};
#undef OF

const struct server_signal *server_signal_at(size_t i)
{
    return i < ARRAY_LEN(SIGNALS) ? &SIGNALS[i] : NULL;
}

/* ---- the set ---- */

void signals_done(struct signal_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->list[i].points);
    free(set->list);
    *set = (struct signal_set){0};
}

/* The labels that tell series of a service apart: "payment-gateway", "main idle". */
static void name_place(const json_t *labels, char *where, size_t bytes)
{
    static const char *const KNOWN[] = {"__name__", "service", "tier", "stack", "job"};
    const char *key;
    json_t *value;
    size_t len = 0;
    where[0] = 0;
    json_object_foreach((json_t *)labels, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
            known |= strcmp(key, KNOWN[i]) == 0;
        const char *text = json_string_value(value);
        if (known || !text || len + 1 >= bytes)
            continue;
        int n = snprintf(where + len, bytes - len, "%s%s", len ? " " : "", text);
        len += n < 0 ? 0 : (size_t)n;
    }
}

static const char *label(const json_t *labels, const char *name)
{
    const char *text = json_string_value(json_object_get(labels, name));
    return text ? text : "";
}

/* The series of these labels, known or new; NULL: there are too many, or no memory (*ret_error). */
static struct signal_series *series_of(struct signal_set *set, const struct server_signal *signal, const json_t *labels,
                                       int *ret_error)
{
    struct signal_series new = {.signal = signal, .every = 1};
    const char *service = label(labels, "service");
    snprintf(new.service, sizeof new.service, "%s", service[0] ? service : label(labels, "job"));
    name_place(labels, new.where, sizeof new.where);
    new.symptom =
        signal->symptom && !(signal->unit == SIGNAL_SECONDS && strcmp(label(labels, "tier"), "dependency") == 0);
    for (size_t i = 0; i < set->n; i++)
        if (set->list[i].signal == signal && strcmp(set->list[i].service, new.service) == 0 &&
            strcmp(set->list[i].where, new.where) == 0)
            return &set->list[i];
    if (set->n == SIGNAL_SERIES_MAX) {
        set->left_out++;
        return NULL;
    }
    if (set->n == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 32;
        struct signal_series *list = reallocarray(set->list, cap, sizeof *list);
        if (!list) {
            *ret_error = -ENOMEM;
            return NULL;
        }
        set->list = list;
        set->cap = cap;
    }
    set->list[set->n] = new;
    return &set->list[set->n++];
}

/* Every second one only, from now on, too. */
static void thin(struct signal_series *s)
{
    for (size_t i = 0; i < s->n / 2; i++)
        s->points[i] = s->points[2 * i];
    s->n /= 2;
    s->every *= 2;
}

MUST_USE static int add_point(struct signal_series *s, int64_t t_ms, double value)
{
    if (s->n && t_ms <= s->points[s->n - 1].t_ms) /* the end of one piece is the start of the next */
        return 0;
    if (s->seen++ % s->every)
        return 0;
    if (s->n == SIGNAL_POINTS_MAX)
        thin(s);
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct signal_point *points = reallocarray(s->points, cap, sizeof *points);
        if (!points)
            return -ENOMEM;
        s->points = points;
        s->cap = cap;
    }
    s->points[s->n++] = (struct signal_point){t_ms, value};
    return 0;
}

/* ---- answers ---- */

MUST_USE static int read_values(struct signal_series *s, const json_t *values)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const json_t *pair = json_array_get(values, i), *t = json_array_get(pair, 0);
        const char *text = json_string_value(json_array_get(pair, 1));
        double value;
        if (!json_is_number(t) || !text || parse_f64_span(span_str(text), &value) < 0)
            return -EBADMSG;
        int r = add_point(s, llround(json_number_value(t) * 1000), value);
        if (r < 0)
            return r;
    }
    return 0;
}

int signals_read(struct signal_set *set, const struct server_signal *signal, struct span body)
{
    struct parse_error error;
    json_t *root = json_read(body, &error);
    const json_t *data = json_object_get(root, "data"), *result = json_object_get(data, "result");
    const char *type = json_string_value(json_object_get(data, "resultType"));
    int r = json_is_array(result) && type && strcmp(type, "matrix") == 0 ? 0 : -EBADMSG;
    for (size_t i = 0; i < json_array_size(result) && r == 0; i++) {
        const json_t *one = json_array_get(result, i);
        struct signal_series *s = series_of(set, signal, json_object_get(one, "metric"), &r);
        if (s)
            r = read_values(s, json_object_get(one, "values"));
    }
    json_decref(root);
    return r;
}

/* ---- questions ---- */

/* %XX for all but what a query may hold as it is. */
static void escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        if (plain)
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* One signal's samples in (end - piece, end]. */
MUST_USE static int ask(const char *collector, const char *auth_file, const struct server_signal *signal,
                        int64_t piece_ms, int64_t end_ms, struct signal_set *set, char *why, size_t why_bytes)
{
    char range[64];
    struct buf url;
    struct http_credentials credentials = {.auth_file = auth_file};
    struct http_response response;
    size_t n = strlen(collector);
    buf_init(&url, 8192);
    buf_printf(&url, "%.*s/api/v1/query?query=", (int)(n && collector[n - 1] == '/' ? n - 1 : n), collector);
    escape(&url, signal->selector);
    snprintf(range, sizeof range, "[%" PRId64 "ms]", piece_ms);
    escape(&url, range);
    buf_printf(&url, "&time=%" PRId64 ".%03d", end_ms / 1000, (int)(end_ms % 1000));
    int r = buf_error(&url);
    if (r < 0) {
        buf_done(&url);
        return r;
    }
    struct http_request request = {
        .url = url.data, .credentials = &credentials, .timeout_ms = TIMEOUT_MS, .accept_encoding = true};
    r = http_fetch(&request, &response);
    if (r < 0) {
        snprintf(why, why_bytes, "%.120s: %.150s", collector, response.error_text);
    } else if (response.status != 200) {
        r = -EPROTO;
        snprintf(why, why_bytes, "%.120s: status %d", collector, response.status);
    } else {
        r = signals_read(set, signal, buf_view(&response.body));
        if (r < 0)
            snprintf(why, why_bytes, "%.120s: its answer is no matrix of samples", collector);
    }
    http_response_done(&response);
    buf_done(&url);
    return r;
}

int signals_fetch(const char *collector, const char *auth_file, int64_t start_ms, int64_t end_ms,
                  struct signal_set *ret, char *why, size_t why_bytes)
{
    struct signal_set set = {0};
    int r = 0;
    why[0] = 0;
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS) && r == 0; i++)
        for (int64_t at_ms = start_ms; at_ms < end_ms && r == 0; at_ms += SIGNALS_PIECE_MS) {
            int64_t to_ms = at_ms + SIGNALS_PIECE_MS < end_ms ? at_ms + SIGNALS_PIECE_MS : end_ms;
            r = ask(collector, auth_file, &SIGNALS[i], to_ms - at_ms, to_ms, &set, why, why_bytes);
        }
    if (r < 0) {
        if (!why[0])
            snprintf(why, why_bytes, "%s", strerror(-r));
        signals_done(&set);
        return r;
    }
    *ret = set;
    return 0;
}
