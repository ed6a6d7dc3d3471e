#include "loadgen/rehearsal/event_ask.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/url.h"

#define PATH_EVENTS "/api/crest/v1/events"
#define TIMEOUT_MS 60000 /* a last event is read from the store, minute by minute */
#define CONNECT_TIMEOUT_MS 5000
#define POINTS_MAX 10000 /* of a range query; Prometheus and we refuse 11,000 */

/* ---- one request ---- */

MUST_USE static int refused(struct event_ask *ask, const struct http_response *response, const json_t *root)
{
    const char *error = json_string_value(json_object_get(root, "error"));
    const char *type = json_string_value(json_object_get(root, "errorType"));
    if (response->status == 401)
        snprintf(ask->error, sizeof ask->error, "%s asks for credentials: give --auth-file", ask->url);
    else if (response->status == 404 && (!type || strcmp(type, "not_found") != 0))
        snprintf(ask->error, sizeof ask->error, "%s has no events: is a crest-collector there?", ask->url);
    else
        snprintf(ask->error, sizeof ask->error, "%s: status %d%s%.300s", ask->url, response->status, error ? ": " : "",
                 error ? error : "");
    return response->status == 404 && type && strcmp(type, "not_found") == 0 ? -ENOENT : -EPROTO;
}

/* The answer's "data", which the caller json_decref()s. */
MUST_USE static int get(struct event_ask *ask, const char *path, json_t **ret)
{
    struct http_credentials credentials = {.auth_file = ask->auth_file, .ca_file = ask->ca_file};
    struct buf url;
    size_t n = strlen(ask->url);
    buf_init(&url, REHEARSAL_QUERY_BYTES_MAX * 4);
    buf_printf(&url, "%.*s%s", (int)(n && ask->url[n - 1] == '/' ? n - 1 : n), ask->url, path);
    int r = buf_error(&url);
    struct http_response response = {0};
    if (r == 0) {
        struct http_request request = {.url = url.data,
                                       .credentials = &credentials,
                                       .timeout_ms = TIMEOUT_MS,
                                       .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                       .accept_encoding = true};
        r = http_fetch(&request, &response);
        if (r < 0)
            snprintf(ask->error, sizeof ask->error, "%s: %s", ask->url, response.error_text);
    } else {
        snprintf(ask->error, sizeof ask->error, "%s: %s", ask->url, strerror(-r));
    }
    if (r == 0) {
        struct parse_error error;
        json_t *root = json_read(buf_view(&response.body), &error);
        json_t *data = json_object_get(root, "data");
        if (response.status != 200)
            r = refused(ask, &response, root);
        else if (!data) {
            snprintf(ask->error, sizeof ask->error, "%s: its answer is none of a crest-collector", ask->url);
            r = -EBADMSG;
        } else {
            *ret = json_incref(data);
        }
        json_decref(root);
    }
    http_response_done(&response);
    buf_done(&url);
    return r;
}

/* ---- events ---- */

/* "bf, summer-sale", for who mistyped. */
static void name_events(const json_t *list, char *to, size_t bytes)
{
    size_t n = json_array_size(list), len = 0;
    to[0] = 0;
    for (size_t i = 0; i < n && len + 70 < bytes; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));
        len += (size_t)snprintf(to + len, bytes - len, "%s%.64s", i ? ", " : "", name ? name : "?");
        if (i + 1 < n && len + 70 >= bytes)
            snprintf(to + len, bytes - len, ", …");
    }
}

MUST_USE static int unknown(struct event_ask *ask, const char *name)
{
    char names[300] = "";
    json_t *list = NULL;
    int r = get(ask, PATH_EVENTS, &list);
    if (r < 0)
        return r;
    name_events(list, names, sizeof names);
    snprintf(ask->error, sizeof ask->error, "no event is called '%.64s' at %.150s; %s%s", name, ask->url,
             names[0] ? "there are: " : "it has none: crest-collector event import FILE", names);
    json_decref(list);
    return -ENOENT;
}

MUST_USE static int read_facts(struct event_ask *ask, json_t *data, struct event_facts *ret)
{
    char why[120];
    int r = event_facts_read(data, ret, why, sizeof why);
    if (r < 0)
        snprintf(ask->error, sizeof ask->error, "%.200s: the event cannot be read: %s", ask->url, why);
    return r;
}

int event_ask_event(struct event_ask *ask, const char *name, struct event_facts *ret)
{
    struct buf path;
    json_t *data = NULL;
    buf_init(&path, REHEARSAL_QUERY_BYTES_MAX);
    buf_str(&path, PATH_EVENTS "/");
    url_encode(&path, span_str(name));
    int r = buf_error(&path);
    if (r < 0)
        snprintf(ask->error, sizeof ask->error, "'%.40s…' is no event's name", name);
    else
        r = get(ask, path.data, &data);
    buf_done(&path);
    if (r == -ENOENT)
        return unknown(ask, name);
    if (r == 0)
        r = read_facts(ask, data, ret);
    json_decref(data);
    return r;
}

int event_ask_last_over(struct event_ask *ask, const char *but, int64_t now_ms, struct event_facts *ret)
{
    json_t *list = NULL, *best = NULL;
    int64_t best_ms = INT64_MIN;
    int r = get(ask, PATH_EVENTS, &list);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        json_t *one = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(one, "name"));
        int64_t ends_ms = json_integer_value(json_object_get(one, "ends"));
        if (!name || strcmp(name, but) == 0 || ends_ms > now_ms || ends_ms <= best_ms)
            continue;
        best = one;
        best_ms = ends_ms;
    }
    if (r == 0 && !best) {
        snprintf(ask->error, sizeof ask->error, "no other event at %.150s is over", ask->url);
        r = -ENOENT;
    }
    if (r == 0)
        r = read_facts(ask, best, ret);
    json_decref(list);
    return r;
}

/* ---- what was measured ---- */

MUST_USE static int ask_range(struct event_ask *ask, const struct event_facts *e, enum minute_value value,
                              int64_t first, int64_t last, struct minutes *to)
{
    char from[NUMBER_TEXT_MAX], until[NUMBER_TEXT_MAX];
    struct buf path, query;
    json_t *data = NULL;
    buf_init(&path, REHEARSAL_QUERY_BYTES_MAX * 4);
    buf_init(&query, REHEARSAL_QUERY_BYTES_MAX);
    event_facts_query(e, value, &query);
    format_seconds_ms(from, e->starts_ms + (first + 1) * MINUTE_MS);
    format_seconds_ms(until, e->starts_ms + (last + 1) * MINUTE_MS);
    buf_printf(&path, "/api/v1/query_range?start=%s&end=%s&step=60&query=", from, until);
    url_encode(&path, buf_view(&query));
    int r = buf_error(&query) ? buf_error(&query) : buf_error(&path);
    if (r < 0)
        snprintf(ask->error, sizeof ask->error, "the event's markets make too long a query");
    else
        r = get(ask, path.data, &data);
    if (r == 0) {
        r = event_facts_samples(json_object_get(data, "result"), e->starts_ms, value, to);
        if (r < 0)
            snprintf(ask->error, sizeof ask->error, "%.200s: its answer to a query cannot be read", ask->url);
    }
    json_decref(data);
    buf_done(&path);
    buf_done(&query);
    return r;
}

int event_ask_measured(struct event_ask *ask, const struct event_facts *e, int64_t until_ms, struct minutes *to)
{
    static const enum minute_value VALUES[] = {MINUTE_ORDERS, MINUTE_REQUESTS};
    int64_t ends_ms = until_ms < e->ends_ms ? until_ms : e->ends_ms;
    int64_t n = (ends_ms - e->starts_ms) / MINUTE_MS; /* whole ones */
    if (n > REHEARSAL_MINUTES_MAX)
        n = REHEARSAL_MINUTES_MAX;
    int r = 0;
    for (size_t v = 0; v < ARRAY_LEN(VALUES) && r == 0; v++)
        for (int64_t first = 0; first < n && r == 0; first += POINTS_MAX) {
            int64_t last = first + POINTS_MAX < n ? first + POINTS_MAX - 1 : n - 1;
            r = ask_range(ask, e, VALUES[v], first, last, to);
        }
    return r;
}
