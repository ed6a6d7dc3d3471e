/* What the server counts: answers by route and status, their seconds, what was refused and why. */
#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd_internal.h"

static const int STATUS_LIST[HTTPD_STATUSES - 1] = {200, 201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 308,
                                                    400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412,
                                                    413, 415, 416, 422, 429, 431, 500, 501, 502, 503, 504};
static const double BOUNDS[HTTPD_BUCKETS] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                             0.1,    0.25,  0.5,    1,     2.5,  10,    60};

static const struct {
    const char *label, *words;
} REFUSALS[REFUSED_COUNT] = {
    [REFUSED_CONNECTIONS] = {"connections", "the server has as many connections as it may"},
    [REFUSED_ADDRESS] = {"address", "this address has as many connections as it may"},
    [REFUSED_HEADER_DEADLINE] = {"header_deadline", "the request's headers took too long"},
    [REFUSED_BODY_DEADLINE] = {"body_deadline", "the request's body came too slowly"},
    [REFUSED_REPLY_DEADLINE] = {"reply_deadline", "the client took the reply too slowly"},
    [REFUSED_IDLE] = {"idle", NULL}, /* ordinary */
    [REFUSED_MALFORMED] = {"malformed", "the request is not HTTP as we know it"},
    [REFUSED_HOST] = {"host", "the Host header is not one of this server's names"},
    [REFUSED_ORIGIN] = {"origin", "a page of another origin tried to change something"},
    [REFUSED_CREDENTIALS] = {"credentials", "credentials are missing or wrong"},
    [REFUSED_AUTH_BUSY] = {"auth_busy", "too many credentials wait to be checked"},
    [REFUSED_BODY_SIZE] = {"body_size", "the body is larger than this path takes"},
    [REFUSED_STOPPING] = {"stopping", NULL},
    [REFUSED_ABORTED] = {"aborted", NULL}, /* the client left before it was answered */
};

void stats_refused(struct httpd *h, enum refusal why, const char *peer)
{
    atomic_fetch_add_explicit(&h->refused[why], 1, memory_order_relaxed);
    if (!REFUSALS[why].words)
        return;
    unsigned long hidden = 0;
    if (log_allow(REFUSALS[why].words, 60000, &hidden))
        log_warn("http client refused", "server", "%s", h->config.server_name, "reason", "%s", REFUSALS[why].words,
                 "peer", "%s", peer ? peer : "", "repeated", "%lu", hidden);
}

void stats_answered(struct httpd *h, size_t at, int status, int64_t us)
{
    struct route_stats *s = &h->stats[at];
    size_t i = 0;
    while (i < ARRAY_LEN(STATUS_LIST) && STATUS_LIST[i] != status)
        i++;
    atomic_fetch_add_explicit(&s->status[i], 1, memory_order_relaxed);
    if (us < 0)
        return;
    size_t b = 0;
    while (b < HTTPD_BUCKETS && (double)us > BOUNDS[b] * 1e6)
        b++;
    atomic_fetch_add_explicit(&s->bucket[b], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->total_us, (unsigned long)us, memory_order_relaxed);
}

/* The path that stands for stats[at]: the first route that counts there. */
static const char *stats_path(const struct httpd *h, size_t at)
{
    for (size_t i = 0; i < h->routes_n; i++)
        if (h->routes[i].stats_at == at)
            return h->config.routes[i].path;
    return at == h->routes_n ? "none" : NULL;
}

static void write_requests(const struct httpd *h, struct metric_writer *w)
{
    metric_family(w, "crest_http_requests_total", METRIC_COUNTER, "Requests answered, by route and status.");
    for (size_t at = 0; at <= h->routes_n; at++) {
        const char *path = stats_path(h, at);
        for (size_t i = 0; path && i < HTTPD_STATUSES; i++) {
            unsigned long n = atomic_load_explicit(&h->stats[at].status[i], memory_order_relaxed);
            char status[8] = "other";
            if (i < ARRAY_LEN(STATUS_LIST))
                (void)snprintf(status, sizeof status, "%d", STATUS_LIST[i]);
            if (n)
                metric_value(w, (double)n, "route", path, "status", status, NULL);
        }
    }
}

static void write_durations(const struct httpd *h, struct metric_writer *w)
{
    metric_family(w, "crest_http_request_duration_seconds", METRIC_HISTOGRAM,
                  "From a request's first line to the last byte of its answer, streams left out.");
    for (size_t at = 0; at <= h->routes_n; at++) {
        const char *path = stats_path(h, at);
        uint64_t counts[HTTPD_BUCKETS + 1], all = 0;
        for (size_t b = 0; b <= HTTPD_BUCKETS; b++)
            all += counts[b] = atomic_load_explicit(&h->stats[at].bucket[b], memory_order_relaxed);
        const char *labels[] = {"route", path};
        double seconds = (double)atomic_load_explicit(&h->stats[at].total_us, memory_order_relaxed) / 1e6;
        if (path && all)
            metric_histogram(w, BOUNDS, counts, HTTPD_BUCKETS, seconds, labels, 1);
    }
}

void httpd_stats(const struct httpd *h, struct metric_writer *w)
{
    write_requests(h, w);
    write_durations(h, w);
    metric_family(w, "crest_http_refused_total", METRIC_COUNTER,
                  "Connections and requests turned away or cut, by reason.");
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        metric_value(w, (double)atomic_load_explicit(&h->refused[i], memory_order_relaxed), "reason", REFUSALS[i].label,
                     NULL);
    struct httpd *open = (struct httpd *)(uintptr_t)h; /* only for the lock */
    pthread_mutex_lock(&open->lock);
    size_t deferred = h->deferred_n, streams = h->streams_n;
    pthread_mutex_unlock(&open->lock);
    const struct {
        const char *name, *help;
        double value;
    } gauges[] = {
        {"crest_http_connections", "Connections open now.", (double)atomic_load(&h->connections_open)},
        {"crest_http_connections_limit", "Connections that may be open.", (double)h->config.connections_max},
        {"crest_http_requests_in_flight", "Requests being read, handled or answered now, streams included.",
         (double)atomic_load(&h->in_flight)},
        {"crest_http_requests_deferred", "Requests whose answer is being made by another thread.", (double)deferred},
        {"crest_http_streams", "Streams open now.", (double)streams},
    };
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
        metric_family(w, gauges[i].name, METRIC_GAUGE, gauges[i].help);
        metric_value(w, gauges[i].value, NULL);
    }
}
