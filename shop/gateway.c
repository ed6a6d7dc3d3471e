#include "shop/gateway.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "lib/httpd/httpd_daemon.h"
#include "shop/faults.h"

#define HANG_US 60000000 /* a hang ends after a minute, so that nothing grows for ever */
#define RATE_WINDOW_US 1000000

enum answer { ANSWER_APPROVED, ANSWER_DECLINED, ANSWER_ERROR, ANSWER_HANG, ANSWER_RATE_LIMITED, ANSWERS };
static const char *const ANSWER_NAMES[ANSWERS] = {"approved", "declined", "error", "hang", "rate_limited"};

/* A payment that waits for its latency to pass; the timer thread answers it. */
struct pending {
    struct httpd_request *request;
    enum answer answer;
    enum source source;
    int64_t due_us, start_us;
};
struct gateway {
    struct gateway_faults faults;
    struct httpd *httpd;
    struct httpd_daemon daemon;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct pending list[GATEWAY_PENDING_MAX]; /* a heap by due_us */
    size_t n;
    bool closing;
    int64_t window_start_us;
    double window_used;
    atomic_ulong answers[ANSWERS][SOURCES], next_id;
};

static void heap_up(struct gateway *g, size_t i)
{
    while (i > 0 && g->list[(i - 1) / 2].due_us > g->list[i].due_us) {
        struct pending t = g->list[i];
        g->list[i] = g->list[(i - 1) / 2];
        g->list[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static struct pending heap_pop(struct gateway *g)
{
    struct pending top = g->list[0];
    g->list[0] = g->list[--g->n];
    for (size_t i = 0;;) {
        size_t least = i, l = 2 * i + 1;
        for (size_t k = l; k < l + 2 && k < g->n; k++)
            if (g->list[k].due_us < g->list[least].due_us)
                least = k;
        if (least == i)
            return top;
        struct pending t = g->list[i];
        g->list[i] = g->list[least];
        g->list[least] = t;
        i = least;
    }
}

static void answer(struct gateway *g, const struct pending *p)
{
    atomic_fetch_add(&g->answers[p->answer][p->source], 1);
    struct buf body;
    struct json_writer j;
    buf_init(&body, 4096);
    jw_init(&j, &body);
    jw_object(&j);
    if (p->answer == ANSWER_APPROVED || p->answer == ANSWER_DECLINED) {
        char id[32];
        snprintf(id, sizeof id, "pay-%lu", atomic_fetch_add(&g->next_id, 1) + 1);
        jw_key(&j, "id");
        jw_str(&j, id);
        jw_key(&j, "status");
        jw_str(&j, ANSWER_NAMES[p->answer]);
        jw_key(&j, "code");
        jw_str(&j, p->answer == ANSWER_APPROVED ? "00" : "05");
    } else {
        jw_key(&j, "error");
        jw_str(&j, p->answer == ANSWER_HANG ? "timed out" : "the acquirer is unreachable");
    }
    jw_end(&j);
    httpd_reply(p->request,
                p->answer == ANSWER_ERROR  ? 502
                : p->answer == ANSWER_HANG ? 504
                                           : 200,
                "application/json", &body);
    buf_done(&body);
}

static void timer_main(void *arg)
{
    struct gateway *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->closing || g->n > 0) {
        int64_t now = mono_us();
        if (g->n > 0 && (g->list[0].due_us <= now || g->closing)) {
            struct pending p = heap_pop(g);
            pthread_mutex_unlock(&g->lock);
            answer(g, &p);
            pthread_mutex_lock(&g->lock);
            continue;
        }
        int64_t until = g->n > 0 ? g->list[0].due_us : now + 1000000;
        struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
        pthread_cond_timedwait(&g->changed, &g->lock, &at);
    }
    pthread_mutex_unlock(&g->lock);
}

/* Fixed windows of a second. Sets the RateLimit-* headers; false: over the limit. */
static bool within_rate(struct gateway *g, struct httpd_request *r, int64_t now_us)
{
    double limit = atomic_load(&g->faults.rate_limit_rps);
    char text[NUMBER_TEXT_MAX];
    if (limit <= 0)
        return true;
    pthread_mutex_lock(&g->lock);
    if (now_us - g->window_start_us >= RATE_WINDOW_US) {
        g->window_start_us = now_us;
        g->window_used = 0;
    }
    bool ok = g->window_used + 1 <= limit;
    if (ok)
        g->window_used++;
    double left = limit - g->window_used;
    pthread_mutex_unlock(&g->lock);
    format_f64(text, limit);
    httpd_reply_header(r, "RateLimit-Limit", text);
    format_f64(text, left > 0 ? left : 0);
    httpd_reply_header(r, "RateLimit-Remaining", text);
    httpd_reply_header(r, "RateLimit-Reset", "1");
    return ok;
}

static enum answer decide(struct gateway *g, struct span card)
{
    if (span_equal(card, SPAN("4000000000000002")))
        return ANSWER_DECLINED;
    if (span_equal(card, SPAN("4000000000000119")))
        return ANSWER_ERROR;
    if (random_ratio() < atomic_load(&g->faults.hang_ratio))
        return ANSWER_HANG;
    if (random_ratio() < atomic_load(&g->faults.error_ratio))
        return ANSWER_ERROR;
    return random_ratio() < atomic_load(&g->faults.decline_ratio) ? ANSWER_DECLINED : ANSWER_APPROVED;
}

static void on_payment(struct httpd_request *r, void *ctx)
{
    struct gateway *g = ctx;
    struct parse_error error = {0};
    enum source source;
    int64_t now = mono_us();
    if (source_parse(httpd_header(r, "X-Crest-Run"), &source) < 0) {
        httpd_reply_text(r, 400, "X-Crest-Run is load/ID or synthetic/ID\n");
        return;
    }
    json_t *body = json_read(httpd_body(r), &error);
    const char *card = json_string_value(json_object_get(body, "card")),
               *currency = json_string_value(json_object_get(body, "currency"));
    bool ok = card && currency && json_is_integer(json_object_get(body, "amount")) &&
              json_integer_value(json_object_get(body, "amount")) > 0;
    if (!ok) {
        httpd_reply_text(r, 400, "amount (minor units), currency and card are needed%s%s\n", error.text[0] ? ": " : "",
                         error.text);
    } else if (!within_rate(g, r, now)) {
        atomic_fetch_add(&g->answers[ANSWER_RATE_LIMITED][source], 1);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_text(r, 429, "too many requests\n");
    } else {
        struct pending p = {.request = r, .source = source, .start_us = now, .answer = decide(g, span_str(card))};
        double jitter = (double)atomic_load(&g->faults.jitter_ms) * (2 * random_ratio() - 1);
        double latency = (double)atomic_load(&g->faults.latency_ms) + jitter;
        p.due_us = now + (p.answer == ANSWER_HANG ? HANG_US : (int64_t)(latency > 0 ? latency * 1000 : 0));
        httpd_defer(r);
        pthread_mutex_lock(&g->lock);
        bool full = g->n == GATEWAY_PENDING_MAX || g->closing;
        if (!full) {
            g->list[g->n++] = p;
            heap_up(g, g->n - 1);
            pthread_cond_signal(&g->changed);
        }
        pthread_mutex_unlock(&g->lock);
        if (full)
            httpd_reply_text(r, 503, "busy\n");
    }
    json_decref(body);
}

static void reply_control(struct httpd_request *r, struct gateway *g)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, 4096);
    jw_init(&j, &out);
    faults_write(&j, GATEWAY_FIELDS, &g->faults);
    httpd_reply(r, 200, "application/json", &out);
    buf_done(&out);
}

static void on_control(struct httpd_request *r, void *ctx)
{
    struct gateway *g = ctx;
    char why[128] = "";
    if (span_equal(httpd_method(r), SPAN("PUT"))) {
        struct parse_error error = {0};
        json_t *body = json_read(httpd_body(r), &error);
        int e = body ? faults_read(body, GATEWAY_FIELDS, &g->faults, why, sizeof why) : -EINVAL;
        json_decref(body);
        if (e < 0) {
            httpd_reply_text(r, 400, "%s\n", why[0] ? why : error.text);
            return;
        }
    }
    reply_control(r, g);
}

static void write_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    struct gateway *g = ctx;
    int64_t now = mono_us(), oldest = 0;
    pthread_mutex_lock(&g->lock);
    size_t n = g->n;
    for (size_t i = 0; i < n; i++)
        if (now - g->list[i].start_us > oldest)
            oldest = now - g->list[i].start_us;
    pthread_mutex_unlock(&g->lock);
    metric_family(w, "gateway_payments_total", METRIC_COUNTER, "Payment requests by answer.");
    for (size_t i = 0; i < ANSWERS; i++)
        for (enum source s = 0; s < SOURCES; s++) {
            double v = (double)atomic_load(&g->answers[i][s]);
            if (s == SOURCE_CUSTOMER)
                metric_value(w, v, "answer", ANSWER_NAMES[i], NULL);
            else if (v > 0)
                metric_value(w, v, "answer", ANSWER_NAMES[i], "source", SOURCE_NAMES[s], NULL);
        }
    metric_family(w, "gateway_inflight", METRIC_GAUGE, "Payments in flight.");
    metric_value(w, (double)n, NULL);
    metric_family(w, "gateway_oldest_inflight_seconds", METRIC_GAUGE, "Age of the oldest payment in flight.");
    metric_value(w, (double)oldest / 1e6, NULL);
    httpd_stats(server, w);
}

static const struct httpd_route ROUTES[] = {
    {"POST", "/v1/payments", 65536, on_payment, .help = "take a payment"},
    {"GET|PUT", "/control", 65536, on_control, .help = "faults"},
    {0},
};

int gateway_main(const struct options *options)
{
    struct gateway *g = calloc(1, sizeof *g);
    struct thread *timer = NULL;
    char why[512] = "";
    if (!g)
        return EXIT_FAILED;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, &attr);
    pthread_condattr_destroy(&attr);
    atomic_store(&g->faults.latency_ms, options_duration_ms(options, "latency"));
    atomic_store(&g->faults.jitter_ms, options_duration_ms(options, "jitter"));
    atomic_store(&g->faults.decline_ratio, options_number(options, "decline"));
    atomic_store(&g->faults.error_ratio, options_number(options, "error"));
    atomic_store(&g->faults.hang_ratio, options_number(options, "hang"));
    atomic_store(&g->faults.rate_limit_rps, options_number(options, "rate-limit"));
    const char *listen = options_given(options, "listen") ? options_text(options, "listen") : "127.0.0.1:9484";
    g->daemon = (struct httpd_daemon){.program = "crest-shop-gateway", .metrics = write_metrics};
    struct httpd_config config = {
        .listen = listen, .routes = ROUTES, .ctx = g, .daemon = &g->daemon, .server_name = "crest-shop-gateway"};
    int r = thread_start("gateway-timer", timer_main, g, &timer);
    if (r == 0)
        r = httpd_start(&config, &g->httpd, why, sizeof why);
    if (r < 0) {
        log_error("cannot listen", "address", "%s", listen, "error", "%s", why[0] ? why : strerror(-r));
    } else {
        atomic_store(&g->daemon.ready, true);
        daemon_print_listening(httpd_address(g->httpd), httpd_port(g->httpd));
        daemon_notify("READY=1");
        while (!daemon_stopping())
            daemon_wait(60000);
    }
    pthread_mutex_lock(&g->lock);
    g->closing = true; /* what waits is answered at once */
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    thread_join(timer);
    httpd_stop(g->httpd, 2000);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
