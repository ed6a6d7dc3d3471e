#include "collector/notify/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "collector/notify/notify_internal.h"
#include "collector/notify/notify_sql.h"
#include "collector/notify/webhook.h"
#include "collector/state/label_box.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/options.h"

#define DEFAULT_TIMEOUT_MS 10000
#define DEFAULT_EXPIRE_MS (24 * 3600 * 1000ll)
#define DEFAULT_REPEAT_MS (4 * 3600 * 1000ll)
#define BODY_BYTES_SOFT_MAX (2u << 20) /* a body is cut into several around here: receivers refuse huge ones */
#define TIME_OUT_BATCH 500

const struct state_room NOTIFY_STATE_ROOM = {"notify", NOTIFY_SQL, NOTIFY_SQL_COUNT, NOTIFY_MIGRATIONS};
const double NOTIFY_LATENCY_BOUNDS[LATENCY_BUCKETS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                       1,     2.5,  5,     10,   30,  60,   300};

static void add(atomic_uint_least64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- rows ---- */
static int by_group(const void *a, const void *b)
{
    const struct alert *x = *(const struct alert *const *)a, *y = *(const struct alert *const *)b;
    int c = span_compare(labels_get(&x->labels, SPAN("alertname")), labels_get(&y->labels, SPAN("alertname")));
    if (c == 0)
        c = (int)x->resolved - (int)y->resolved;
    return c ? c : labels_compare(&x->labels, &y->labels);
}

static size_t estimated_bytes(const struct alert *a)
{
    size_t n = 512;
    for (size_t i = 0; i < a->labels.n; i++)
        n += 2 * (a->labels.pairs[i].name.len + a->labels.pairs[i].value.len);
    for (size_t i = 0; i < a->annotations.n; i++)
        n += 2 * (a->annotations.pairs[i].name.len + a->annotations.pairs[i].value.len);
    return n;
}

/* How many of the alerts, all of one name from the first on, go into one body. */
static size_t body_alerts(const struct alert *const *alerts, size_t n)
{
    struct span name = labels_get(&alerts[0]->labels, SPAN("alertname"));
    size_t bytes = 0, i = 0;
    for (; i < n && i < DELIVERY_ALERTS_MAX; i++) {
        bytes += estimated_bytes(alerts[i]);
        if (i && (bytes > BODY_BYTES_SOFT_MAX || !span_equal(labels_get(&alerts[i]->labels, SPAN("alertname")), name)))
            break;
    }
    return i;
}

MUST_USE static int add_row(struct notify *n, struct db *db, const struct alert *const *alerts, size_t count)
{
    struct buf key, body;
    buf_init(&key, 8 * LABEL_VALUE_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    webhook_group_key(&key, labels_get(&alerts[0]->labels, SPAN("alertname")));
    webhook_body(&body, alerts, count, n->external_url);
    int r = buf_error(&key) < 0 ? buf_error(&key) : buf_error(&body);
    if (r == 0) {
        int sql = n->base + NOTIFY_SQL_DELIVERY_ADD;
        db_bind_text(db, sql, 1, SPAN(WEBHOOK_RECEIVER));
        db_bind_text(db, sql, 2, buf_view(&key));
        db_bind_i64(db, sql, 3, unix_ms());
        db_bind_i64(db, sql, 4, (int64_t)count);
        db_bind_text(db, sql, 5, buf_view(&body));
        r = db_run(db, sql);
    }
    buf_done(&key);
    buf_done(&body);
    return r;
}

MUST_USE static int trim_rows(struct notify *n, struct db *db)
{
    int sql = n->base + NOTIFY_SQL_DELIVERY_TRIM;
    db_bind_i64(db, sql, 1, DELIVERY_ROWS_MAX);
    int r = db_run(db, sql);
    if (r == 0 && db_changes(db) > 0) {
        add(&n->counters.outcomes[NOTIFY_OVERFLOWED], (uint64_t)db_changes(db));
        log_error("too many notifications wait, the oldest were dropped", "dropped", "%lld", (long long)db_changes(db),
                  "limit", "%u", DELIVERY_ROWS_MAX);
    }
    return r;
}

int notify_enqueue(struct notify *n, struct db *db, const struct alert **alerts, size_t count)
{
    if (count == 0)
        return 0;
    qsort(alerts, count, sizeof(const struct alert *), by_group);
    for (size_t at = 0; at < count;) {
        size_t here = body_alerts(alerts + at, count - at);
        int r = add_row(n, db, alerts + at, here);
        if (r < 0)
            return r;
        at += here;
    }
    for (size_t i = 0; i < count; i++)
        add(alerts[i]->resolved ? &n->counters.resolved : &n->counters.firing, 1);
    return trim_rows(n, db);
}

/* ---- what is news ---- */
MUST_USE static int put_alert(struct notify *n, struct db *db, const struct alert *a, const struct label_box *labels)
{
    struct label_box *annotations = NULL;
    int r = label_box_new(&a->annotations, &annotations);
    if (r < 0)
        return r;
    int sql = n->base + NOTIFY_SQL_ALERT_PUT;
    int64_t valid_ms = a->ends_ms > a->updated_ms ? a->ends_ms - a->updated_ms : 0;
    db_bind_blob(db, sql, 1, labels->packed.ptr, labels->packed.len);
    db_bind_blob(db, sql, 2, annotations->packed.ptr, annotations->packed.len);
    db_bind_i64(db, sql, 3, a->starts_ms);
    db_bind_text(db, sql, 4, a->generator_url.ptr ? a->generator_url : SPAN(""));
    db_bind_i64(db, sql, 5, a->updated_ms);
    db_bind_i64(db, sql, 6, valid_ms);
    db_bind_i64(db, sql, 7, unix_ms() + valid_ms);
    r = db_run(db, sql);
    free(annotations);
    return r;
}

MUST_USE static int refresh_alert(struct notify *n, struct db *db, const struct alert *a,
                                  const struct label_box *labels)
{
    int sql = n->base + NOTIFY_SQL_ALERT_REFRESH;
    int64_t valid_ms = a->ends_ms > a->updated_ms ? a->ends_ms - a->updated_ms : 0;
    db_bind_blob(db, sql, 1, labels->packed.ptr, labels->packed.len);
    db_bind_i64(db, sql, 2, valid_ms);
    db_bind_i64(db, sql, 3, unix_ms() + valid_ms);
    return db_run(db, sql);
}

MUST_USE static int delete_alert(struct notify *n, struct db *db, struct span packed)
{
    int sql = n->base + NOTIFY_SQL_ALERT_DELETE;
    db_bind_blob(db, sql, 1, packed.ptr, packed.len);
    return db_run(db, sql);
}

/* 1: tell it; 0: known already. A resolved alert whose firing was never told is no news. */
MUST_USE static int is_news(struct notify *n, struct db *db, const struct alert *a)
{
    struct label_box *labels = NULL;
    int r = label_box_new(&a->labels, &labels);
    if (r < 0)
        return r;
    int sql = n->base + NOTIFY_SQL_ALERT_GET;
    db_bind_blob(db, sql, 1, labels->packed.ptr, labels->packed.len);
    int known = db_step(db, sql);
    int64_t notified_ms = known > 0 ? db_i64(db, sql, 0) : 0;
    db_reset(db, sql);
    bool news =
        a->resolved ? known > 0 : known == 0 || (n->repeat_ms >= 0 && a->updated_ms - notified_ms >= n->repeat_ms);
    if (known < 0)
        r = known;
    else if (a->resolved)
        r = known ? delete_alert(n, db, labels->packed) : 0;
    else
        r = news ? put_alert(n, db, a, labels) : refresh_alert(n, db, a, labels);
    free(labels);
    return r < 0 ? r : news;
}

static int accept_alerts(void *ctx, struct db *db, const struct alert *alerts, size_t count)
{
    struct notify *n = ctx;
    if (!atomic_load(&n->routed)) {
        add(&n->counters.unrouted, count);
        return 0;
    }
    AUTO_FREE const struct alert **news = calloc(count ? count : 1, sizeof *news);
    if (!news)
        return -ENOMEM;
    size_t n_news = 0;
    for (size_t i = 0; i < count; i++) {
        int r = is_news(n, db, &alerts[i]);
        if (r < 0)
            return r;
        if (r > 0)
            news[n_news++] = &alerts[i];
    }
    return notify_enqueue(n, db, news, n_news);
}

static void alerts_committed(void *ctx)
{
    notify_wake(ctx);
}

struct alert_sink notify_sink(struct notify *n)
{
    return (struct alert_sink){.ctx = n, .accept = accept_alerts, .committed = alerts_committed};
}

/* ---- alerts that nobody speaks of any more ---- */
struct time_out {
    struct notify *notify;
    int64_t now_ms;
    struct alert alerts[TIME_OUT_BATCH];
    struct label_box *boxes[2 * TIME_OUT_BATCH];
    char *urls[TIME_OUT_BATCH];
    size_t n;
};

MUST_USE static int read_expired(struct time_out *t, struct db *db, int sql)
{
    size_t i = t->n;
    int r = label_box_unpack(db_blob(db, sql, 0), &t->boxes[2 * i]);
    if (r == 0)
        r = label_box_unpack(db_blob(db, sql, 1), &t->boxes[2 * i + 1]);
    if (r == 0 && !(t->urls[i] = span_dup(db_text(db, sql, 3))))
        r = -ENOMEM;
    t->n++; /* what was made is freed, also after a failure */
    if (r < 0)
        return r;
    t->alerts[i] = (struct alert){.labels = t->boxes[2 * i]->labels,
                                  .annotations = t->boxes[2 * i + 1]->labels,
                                  .starts_ms = db_i64(db, sql, 2),
                                  .ends_ms = db_i64(db, sql, 4),
                                  .updated_ms = t->now_ms,
                                  .resolved = true,
                                  .generator_url = span_str(t->urls[i])};
    return 0;
}

static int time_out_change(struct db *db, void *arg)
{
    struct time_out *t = arg;
    int sql = t->notify->base + NOTIFY_SQL_ALERT_EXPIRED, r;
    db_bind_i64(db, sql, 1, t->now_ms);
    db_bind_i64(db, sql, 2, TIME_OUT_BATCH);
    while ((r = db_step(db, sql)) > 0) {
        r = read_expired(t, db, sql);
        if (r < 0) {
            db_reset(db, sql);
            return r;
        }
    }
    const struct alert *all[TIME_OUT_BATCH];
    for (size_t i = 0; i < t->n && r == 0; i++) {
        all[i] = &t->alerts[i];
        r = delete_alert(t->notify, db, t->boxes[2 * i]->packed);
    }
    return r < 0 ? r : notify_enqueue(t->notify, db, all, t->n);
}

int notify_time_out(struct notify *n, int64_t now_ms, size_t *ret_found)
{
    struct time_out *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->notify = n;
    t->now_ms = now_ms;
    int r = state_run(n->state, time_out_change, t);
    if (r == 0) {
        add(&n->counters.timed_out, t->n);
        *ret_found = t->n;
    }
    for (size_t i = 0; i < t->n; i++) {
        free(t->boxes[2 * i]);
        free(t->boxes[2 * i + 1]);
        free(t->urls[i]);
    }
    free(t);
    return r;
}

struct extend {
    struct notify *notify;
    int64_t now_ms;
};
static int extend_change(struct db *db, void *arg)
{
    struct extend *e = arg;
    int sql = e->notify->base + NOTIFY_SQL_ALERT_EXTEND_ALL;
    db_bind_i64(db, sql, 1, e->now_ms);
    return db_run(db, sql);
}
int notify_extend_all(struct notify *n, int64_t now_ms)
{
    return state_run(n->state, extend_change, &(struct extend){n, now_ms});
}

/* ---- life ---- */
void notify_wake(struct notify *n)
{
    (void)eventfd_write(n->wake_fd, 1); /* fails only when it is readable anyway */
}

MUST_USE static int copy_texts(struct notify *n, const struct notify_config *config)
{
    if (notify_set_webhook_url(n, config->webhook_url) < 0)
        return -ENOMEM;
    if (notify_set_external_url(n, config->external_url) < 0)
        return -ENOMEM;
    if (asprintf(&n->user_agent, "User-Agent: crest-collector/%s", crest_version()) < 0) {
        n->user_agent = NULL;
        return -ENOMEM;
    }
    return 0;
}

int notify_new(const struct notify_config *config, struct notify **ret)
{
    struct notify *n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->idle, NULL);
    n->state = config->state;
    n->base = state_base(config->state, &NOTIFY_STATE_ROOM);
    n->timeout_ms = config->timeout_ms ? config->timeout_ms : DEFAULT_TIMEOUT_MS;
    n->expire_ms = config->expire_ms ? config->expire_ms : DEFAULT_EXPIRE_MS;
    n->repeat_ms = config->repeat_ms ? config->repeat_ms : DEFAULT_REPEAT_MS;
    n->random = hash_seed() | 1;
    n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = n->wake_fd < 0 ? -errno : copy_texts(n, config);
    if (r < 0) {
        notify_free(n);
        return r;
    }
    *ret = n;
    return 0;
}

int notify_set_webhook_url(struct notify *n, const char *webhook_url)
{
    char *copy = webhook_url && *webhook_url ? strdup(webhook_url) : NULL;
    if (webhook_url && *webhook_url && !copy)
        return -ENOMEM;
    pthread_mutex_lock(&n->lock);
    free(n->new_url);
    n->new_url = copy;
    n->url_changed = true;
    atomic_store(&n->routed, copy != NULL);
    pthread_mutex_unlock(&n->lock);
    notify_wake(n);
    return 0;
}

int notify_set_external_url(struct notify *n, const char *external_url)
{
    char *copy = strdup(external_url ? external_url : "");
    if (!copy)
        return -ENOMEM;
    free(n->external_url);
    n->external_url = copy;
    return 0;
}

int notify_start(struct notify *n)
{
    int r = http_client_new(&n->client);
    return r < 0 ? r : thread_start("notify", notify_loop, n, &n->thread);
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    atomic_store(&n->stopping, true);
    if (n->wake_fd >= 0)
        notify_wake(n);
    thread_join(n->thread);
    http_client_free(n->client); /* what was in flight stays a row */
    pthread_mutex_lock(&n->lock);
    while (n->outstanding)
        pthread_cond_wait(&n->idle, &n->lock);
    pthread_mutex_unlock(&n->lock);
    pthread_cond_destroy(&n->idle);
    pthread_mutex_destroy(&n->lock);
    if (n->wake_fd >= 0)
        close(n->wake_fd);
    free(n->items);
    free(n->url);
    free(n->new_url);
    free(n->external_url);
    free(n->user_agent);
    free(n);
}

/* ---- numbers about ourselves ---- */
static double read_count(const atomic_uint_least64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static void latency_stats(const struct notify_counters *c, struct metric_writer *w)
{
    uint64_t counts[LATENCY_BUCKETS + 1];
    for (size_t i = 0; i <= LATENCY_BUCKETS; i++)
        counts[i] = atomic_load_explicit(&c->latency_counts[i], memory_order_relaxed);
    metric_family(w, "crest_notify_delivery_seconds", METRIC_HISTOGRAM,
                  "From the change of an alert to the 2xx of the receiver.");
    metric_histogram(w, NOTIFY_LATENCY_BOUNDS, counts, LATENCY_BUCKETS, read_count(&c->latency_sum_us) / 1e6, NULL, 0);
}

void notify_stats(const struct notify *n, struct metric_writer *w)
{
    static const char *const OUTCOMES[] = {[NOTIFY_DELIVERED] = "delivered",
                                           [NOTIFY_REFUSED] = "refused",
                                           [NOTIFY_EXPIRED] = "expired",
                                           [NOTIFY_OVERFLOWED] = "dropped"};
    const struct notify_counters *c = &n->counters;
    metric_family(w, "crest_notify_deliveries_total", METRIC_COUNTER, "Deliveries that came to an end, by outcome.");
    for (size_t i = 0; i < NOTIFY_OUTCOMES; i++)
        metric_value(w, read_count(&c->outcomes[i]), "outcome", OUTCOMES[i], NULL);
    metric_family(w, "crest_notify_attempts_total", METRIC_COUNTER, "Requests to receivers.");
    metric_value(w, read_count(&c->attempts), NULL);
    metric_family(w, "crest_notify_retries_total", METRIC_COUNTER, "Attempts that will be repeated.");
    metric_value(w, read_count(&c->retries), NULL);
    metric_family(w, "crest_notify_alerts_total", METRIC_COUNTER, "Alerts put into deliveries, by what they say.");
    metric_value(w, read_count(&c->firing), "status", "firing", NULL);
    metric_value(w, read_count(&c->resolved), "status", "resolved", NULL);
    metric_family(w, "crest_notify_unrouted_alerts_total", METRIC_COUNTER,
                  "Alerts offered while no receiver is configured.");
    metric_value(w, read_count(&c->unrouted), NULL);
    metric_family(w, "crest_notify_timed_out_alerts_total", METRIC_COUNTER,
                  "Alerts resolved because the rules spoke of them no more.");
    metric_value(w, read_count(&c->timed_out), NULL);
    metric_family(w, "crest_notify_state_errors_total", METRIC_COUNTER,
                  "Delivery rows that could not be read or written.");
    metric_value(w, read_count(&c->state_errors), NULL);
    metric_family(w, "crest_notify_queue_depth", METRIC_GAUGE, "Deliveries that wait or are under way.");
    metric_value(w, (double)atomic_load_explicit(&c->queued, memory_order_relaxed), NULL);
    metric_family(w, "crest_notify_in_flight", METRIC_GAUGE, "Requests under way.");
    metric_value(w, (double)atomic_load_explicit(&c->in_flight, memory_order_relaxed), NULL);
    int64_t oldest_ms = atomic_load_explicit(&c->oldest_ms, memory_order_relaxed), now_ms = unix_ms();
    metric_family(w, "crest_notify_oldest_seconds", METRIC_GAUGE,
                  "Age of the oldest delivery in the queue, 0 when it is empty.");
    metric_value(w, oldest_ms && now_ms > oldest_ms ? (double)(now_ms - oldest_ms) / 1000 : 0, NULL);
    latency_stats(c, w);
}
