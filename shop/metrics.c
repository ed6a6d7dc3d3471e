#include "shop/metrics.h"

#include <errno.h>

#include "lib/base/clock.h"

/* OpenTelemetry's bounds for http.server.request.duration, and finer ones below 5 ms and where a slow payment lies: between 2.5
 * and 5 s its p95 was guessed half as large again. */
static const double BOUNDS[DURATION_BOUNDS] = {.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5,
                                               .75,  1,     1.5,  2,   2.5,  3,   4,    5,  7.5, 10};
static const char *const OUTCOME_NAMES[OUTCOMES] = {"ok",      "declined", "out_of_stock", "throttled",
                                                    "invalid", "error",    "timeout"};
static const char *const PAYMENT_NAMES[PAYMENTS] = {"approved", "declined", "error", "timeout", "rate_limited"};
static const char *const DEPENDENCY_NAMES[DEPENDENCIES] = {"payment-gateway", "database"};
static const char *const CALL_NAMES[CALL_OUTCOMES] = {"ok", "error", "timeout", "rate_limited"};

int shop_metrics_new(size_t n_routes, struct shop_metrics **ret)
{
    struct shop_metrics *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->routes = calloc(n_routes, sizeof *m->routes);
    if (!m->routes) {
        free(m);
        return -ENOMEM;
    }
    m->n_routes = n_routes;
    atomic_store(&m->quota_limit, -1);
    *ret = m;
    return 0;
}

void shop_metrics_free(struct shop_metrics *m)
{
    if (!m)
        return;
    free(m->routes);
    free(m);
}

void shop_metrics_route(struct shop_metrics *m, size_t index, const char *method, const char *route,
                        const int *statuses)
{
    m->routes[index].method = method;
    m->routes[index].route = route;
    for (size_t i = 0; statuses[i] && i < ROUTE_STATUSES; i++)
        atomic_store(&m->routes[index].statuses[i].status, statuses[i]);
}

void duration_record(struct duration *d, int64_t us)
{
    size_t i = 0;
    while (i < DURATION_BOUNDS && (double)us > BOUNDS[i] * 1e6)
        i++;
    count_add(&d->counts[i], 1);
    count_add(&d->sum_us, (unsigned long)(us > 0 ? us : 0));
}

void shop_metrics_request(struct shop_metrics *m, size_t route, int status, enum source source, int64_t us)
{
    struct route_metrics *r = &m->routes[route];
    for (size_t i = 0; i < ROUTE_STATUSES; i++) {
        int known = atomic_load(&r->statuses[i].status);
        if (known == 0 && atomic_compare_exchange_strong(&r->statuses[i].status, &known, status))
            known = status;
        if (known == status) {
            duration_record(&r->statuses[i].by_source[source], us);
            return;
        }
    }
}

int inflight_begin(struct shop_metrics *m, int kind, enum source source, int64_t now_us)
{
    static atomic_uint hint;
    unsigned at = atomic_fetch_add_explicit(&hint, 1, memory_order_relaxed);
    for (unsigned i = 0; i < INFLIGHT_SLOTS; i++) {
        struct inflight_slot *s = &m->inflight[(at + i) % INFLIGHT_SLOTS];
        long long free_slot = 0;
        if (atomic_load_explicit(&s->start_us, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(&s->start_us, &free_slot, -1)) {
            atomic_store(&s->kind, kind);
            atomic_store(&s->source, (int)source);
            atomic_store(&s->start_us, now_us);
            return (int)((at + i) % INFLIGHT_SLOTS);
        }
    }
    return -1;
}

void inflight_end(struct shop_metrics *m, int slot)
{
    if (slot >= 0)
        atomic_store(&m->inflight[slot].start_us, 0);
}

static unsigned long load(atomic_ulong *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* The label source is there for test traffic only, and only once there was some. Label pairs, two names and
 * values at a time; the list ends with the source. */
#define PAIRS_MAX 12
struct pairs {
    const char *list[PAIRS_MAX];
    size_t n;
};
static struct pairs pairs_of(enum source source, const char *const *given, size_t n)
{
    struct pairs p = {.n = n};
    for (size_t i = 0; i < n; i++)
        p.list[i] = given[i];
    if (source != SOURCE_CUSTOMER) {
        p.list[p.n++] = "source";
        p.list[p.n++] = SOURCE_NAMES[source];
    }
    return p;
}
#define PAIRS(source, ...)                                                                                             \
    pairs_of(source, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void histogram(struct metric_writer *w, struct duration *d, enum source source, struct pairs p)
{
    uint64_t counts[DURATION_BOUNDS + 1], total = 0;
    for (size_t i = 0; i <= DURATION_BOUNDS; i++)
        total += counts[i] = load(&d->counts[i]);
    if (total == 0 && source != SOURCE_CUSTOMER)
        return;
    metric_histogram(w, BOUNDS, counts, DURATION_BOUNDS, (double)load(&d->sum_us) / 1e6, p.list, p.n / 2);
}

static void counter(struct metric_writer *w, atomic_ulong *c, enum source source, struct pairs p)
{
    unsigned long v = load(c);
    if (v == 0 && source != SOURCE_CUSTOMER)
        return;
    const char **l = p.list;
    while (p.n < PAIRS_MAX)
        l[p.n++] = NULL; /* the first NULL ends the list */
    metric_value(w, (double)v, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8], l[9], l[10], l[11], NULL);
}

static void http(struct shop_metrics *m, struct metric_writer *w)
{
    metric_family(w, "http_server_request_duration_seconds", METRIC_HISTOGRAM, "Duration of HTTP server requests.");
    for (size_t i = 0; i < m->n_routes; i++)
        for (size_t k = 0; k < ROUTE_STATUSES && m->routes[i].route; k++) {
            int status = atomic_load(&m->routes[i].statuses[k].status);
            char text[16];
            snprintf(text, sizeof text, "%d", status);
            for (enum source s = 0; s < SOURCES && status; s++)
                histogram(w, &m->routes[i].statuses[k].by_source[s], s,
                          PAIRS(s, "http_request_method", m->routes[i].method, "http_route", m->routes[i].route,
                                "http_response_status_code", text));
        }
    metric_family(w, "http_server_active_requests", METRIC_GAUGE, "HTTP server requests in flight.");
    for (size_t i = 0; i < m->n_routes; i++)
        if (m->routes[i].route)
            metric_value(w, atomic_load(&m->routes[i].active), "http_request_method", m->routes[i].method, "http_route",
                         m->routes[i].route, NULL);
}

static void operations(struct shop_metrics *m, struct metric_writer *w)
{
    metric_family(w, "commerce_operations_total", METRIC_COUNTER,
                  "Operations by what they came to, whatever the HTTP status.");
    for (size_t i = 0; i < STEPS; i++)
        for (size_t k = 0; k < OUTCOMES; k++)
            for (enum source s = 0; s < SOURCES; s++)
                counter(w, &m->operations[i][k][s], s,
                        PAIRS(s, "operation", STEP_NAMES[i], "outcome", OUTCOME_NAMES[k]));
    metric_family(w, "commerce_operation_duration_seconds", METRIC_HISTOGRAM, "Duration of operations.");
    for (size_t i = 0; i < STEPS; i++)
        for (enum source s = 0; s < SOURCES; s++)
            histogram(w, &m->operation_seconds[i][s], s, PAIRS(s, "operation", STEP_NAMES[i]));
}

static void inflight(struct shop_metrics *m, struct metric_writer *w)
{
    enum { KINDS = STEPS + DEPENDENCIES };
    long count[KINDS][SOURCES] = {0};
    int64_t oldest[KINDS][SOURCES] = {0}, now = mono_us();
    for (size_t i = 0; i < INFLIGHT_SLOTS; i++) {
        long long start = atomic_load(&m->inflight[i].start_us);
        if (start <= 0)
            continue;
        int kind = atomic_load(&m->inflight[i].kind), source = atomic_load(&m->inflight[i].source);
        count[kind][source]++;
        if (now - start > oldest[kind][source])
            oldest[kind][source] = now - start;
    }
    static const struct {
        const char *name, *label, *help;
        size_t first, n;
        bool is_count;
    } FAMILIES[] = {
        {"commerce_step_inflight", "step", "Requests of a checkout step in flight.", 0, STEPS, true},
        {"commerce_step_oldest_inflight_seconds", "step", "Age of the oldest request of a step in flight.", 0, STEPS,
         false},
        {"commerce_dependency_inflight", "dependency", "Calls to a dependency in flight.", STEPS, DEPENDENCIES, true},
        {"commerce_dependency_oldest_inflight_seconds", "dependency", "Age of the oldest call in flight.", STEPS,
         DEPENDENCIES, false},
    };
    for (size_t f = 0; f < ARRAY_LEN(FAMILIES); f++) {
        metric_family(w, FAMILIES[f].name, METRIC_GAUGE, FAMILIES[f].help);
        for (size_t i = 0; i < FAMILIES[f].n; i++)
            for (enum source s = 0; s < SOURCES; s++) {
                size_t kind = FAMILIES[f].first + i;
                double v = FAMILIES[f].is_count ? (double)count[kind][s] : (double)oldest[kind][s] / 1e6;
                const char *name = FAMILIES[f].first ? DEPENDENCY_NAMES[i] : STEP_NAMES[i];
                if (s == SOURCE_CUSTOMER)
                    metric_value(w, v, FAMILIES[f].label, name, NULL);
                else if (count[kind][s])
                    metric_value(w, v, FAMILIES[f].label, name, "source", SOURCE_NAMES[s], NULL);
            }
    }
}

static void dependencies(struct shop_metrics *m, struct metric_writer *w)
{
    metric_family(w, "commerce_dependency_duration_seconds", METRIC_HISTOGRAM, "Duration of calls to dependencies.");
    for (size_t i = 0; i < DEPENDENCIES; i++)
        for (size_t k = 0; k < CALL_OUTCOMES; k++)
            for (enum source s = 0; s < SOURCES; s++)
                histogram(w, &m->dependency_seconds[i][k][s], s,
                          PAIRS(s, "dependency", DEPENDENCY_NAMES[i], "outcome", CALL_NAMES[k]));
    if (atomic_load(&m->quota_limit) >= 0) {
        metric_family(w, "commerce_dependency_quota_limit", METRIC_GAUGE,
                      "Requests allowed per window, from RateLimit-Limit.");
        metric_value(w, (double)atomic_load(&m->quota_limit), "dependency", DEPENDENCY_NAMES[DEPENDENCY_GATEWAY], NULL);
        metric_family(w, "commerce_dependency_quota_used", METRIC_GAUGE,
                      "Requests used of the window, from RateLimit-Remaining.");
        metric_value(w, (double)atomic_load(&m->quota_used), "dependency", DEPENDENCY_NAMES[DEPENDENCY_GATEWAY], NULL);
    }
}

/* One counter per market and channel. */
static void by_market(struct metric_writer *w, atomic_ulong (*c)[CHANNELS][SOURCES])
{
    for (size_t i = 0; i < MARKETS; i++)
        for (size_t k = 0; k < CHANNELS; k++)
            for (enum source s = 0; s < SOURCES; s++)
                counter(w, &c[i][k][s], s,
                        PAIRS(s, "market", MARKET_NAMES[i], "currency", CURRENCIES[i], "channel", CHANNEL_NAMES[k]));
}

static void commerce(struct shop_metrics *m, struct metric_writer *w)
{
    metric_family(w, "commerce_payments_total", METRIC_COUNTER, "Payment attempts by outcome.");
    for (size_t o = 0; o < PAYMENTS; o++)
        for (size_t i = 0; i < MARKETS; i++)
            for (size_t k = 0; k < CHANNELS; k++)
                for (enum source s = 0; s < SOURCES; s++)
                    counter(w, &m->payments[o][i][k][s], s,
                            PAIRS(s, "outcome", PAYMENT_NAMES[o], "market", MARKET_NAMES[i], "currency", CURRENCIES[i],
                                  "channel", CHANNEL_NAMES[k]));
    metric_family(w, "commerce_checkouts_started_total", METRIC_COUNTER, "Checkouts begun (address given).");
    by_market(w, m->checkouts_started);
    metric_family(w, "commerce_orders_total", METRIC_COUNTER, "Orders placed.");
    by_market(w, m->orders);
    metric_family(w, "commerce_order_units_total", METRIC_COUNTER, "Units in orders placed.");
    by_market(w, m->units);
    metric_family(w, "commerce_revenue_minor_units_total", METRIC_COUNTER,
                  "Revenue in minor units of the currency (ISO 4217).");
    by_market(w, m->revenue_minor);
    metric_family(w, "commerce_checkout_duration_seconds", METRIC_HISTOGRAM, "From the address to the order.");
    for (size_t i = 0; i < MARKETS; i++)
        for (size_t k = 0; k < CHANNELS; k++)
            for (enum source s = 0; s < SOURCES; s++)
                histogram(w, &m->checkout_seconds[i][k][s], s,
                          PAIRS(s, "market", MARKET_NAMES[i], "channel", CHANNEL_NAMES[k]));
}

static void cache_and_pool(struct shop_metrics *m, struct pool *pool, struct metric_writer *w)
{
    struct pool_counts n;
    uint64_t counts[DURATION_BOUNDS + 1];
    pool_count(pool, &n);
    metric_family(w, "commerce_cache_requests_total", METRIC_COUNTER, "Look-ups in a cache.");
    metric_value(w, (double)load(&m->cache_hits), "cache", "catalogue", "result", "hit", NULL);
    metric_value(w, (double)load(&m->cache_misses), "cache", "catalogue", "result", "miss", NULL);
    metric_family(w, "db_client_connection_count", METRIC_GAUGE, "Database sessions of the pool by state.");
    metric_value(w, n.used > n.max ? 0 : n.max - n.used, "pool", "shop", "state", "idle", NULL);
    metric_value(w, n.used, "pool", "shop", "state", "used", NULL);
    metric_family(w, "db_client_connection_max", METRIC_GAUGE, "Database sessions the pool may have.");
    metric_value(w, n.max, "pool", "shop", NULL);
    metric_family(w, "db_client_connection_pending_requests", METRIC_GAUGE, "Requests waiting for a database session.");
    metric_value(w, n.waiting, "pool", "shop", NULL);
    metric_family(w, "db_client_connection_idle_in_transaction", METRIC_GAUGE,
                  "Sessions that wait for something else inside a transaction.");
    metric_value(w, n.idle_in_transaction, "pool", "shop", NULL);
    metric_family(w, "db_client_connection_wait_time_seconds", METRIC_HISTOGRAM,
                  "Time spent waiting for a database session.");
    for (size_t i = 0; i <= DURATION_BOUNDS; i++)
        counts[i] = load(&m->pool_wait.counts[i]);
    metric_histogram(w, BOUNDS, counts, DURATION_BOUNDS, (double)load(&m->pool_wait.sum_us) / 1e6,
                     (const char *const[]){"pool", "shop"}, 1);
}

static void stock(struct orders *orders, const struct catalogue *catalogue, struct metric_writer *w)
{
    struct stock_view *views = malloc(PRODUCTS * sizeof *views);
    if (!views)
        return;
    orders_stock_view(orders, views);
    metric_family(w, "commerce_stock_units", METRIC_GAUGE, "Units left as the shop believes.");
    for (size_t i = 0; i < PRODUCTS; i++)
        metric_value(w, (double)views[i].believed, "sku", catalogue_product(catalogue, i)->sku, NULL);
    metric_family(w, "commerce_stock_received_units", METRIC_GAUGE, "Units that ever came in, less write-offs.");
    for (size_t i = 0; i < PRODUCTS; i++)
        metric_value(w, (double)views[i].received, "sku", catalogue_product(catalogue, i)->sku, NULL);
    metric_family(w, "commerce_stock_sold_units_total", METRIC_COUNTER, "Units in orders placed, per article.");
    for (size_t i = 0; i < PRODUCTS; i++)
        for (enum source s = 0; s < SOURCES; s++) {
            if (s == SOURCE_CUSTOMER)
                metric_value(w, (double)views[i].sold[s], "sku", catalogue_product(catalogue, i)->sku, NULL);
            else if (views[i].sold[s])
                metric_value(w, (double)views[i].sold[s], "sku", catalogue_product(catalogue, i)->sku, "source",
                             SOURCE_NAMES[s], NULL);
        }
    free(views);
}

void shop_metrics_write(struct shop_metrics *m, struct pool *pool, struct orders *orders,
                        const struct catalogue *catalogue, struct metric_writer *w)
{
    http(m, w);
    operations(m, w);
    inflight(m, w);
    dependencies(m, w);
    commerce(m, w);
    cache_and_pool(m, pool, w);
    stock(orders, catalogue, w);
}
