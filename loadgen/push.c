#include "loadgen/push.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"
#include "lib/wire/remote_write.h"
#include "lib/base/limits.h"

#define RETRY_MS 1000
#define SEND_TIMEOUT_MS 5000

/* Seconds. Dense where shops' budgets lie, so that quantiles of them are near the truth. */
static const double BOUNDS[] = {0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1,
                                0.15,  0.2,   0.25,  0.3,  0.4,   0.5,  0.6,  0.8,  1,    1.25,  1.5,
                                2,     2.5,   3,     3.5,  4,     5,    7.5,  10,   15,   30,    60};

struct push {
    char *url;
    const struct run_config *config;
    void (*more)(void *ctx, struct push_message *m);
    void *more_ctx;
    struct http_credentials credentials;
    struct http_client *client;
    struct remote_write_encoder *encoder;
    struct arena arena;
    struct buf queue[PUSH_QUEUE_MAX]; /* ring */
    size_t at, n;
    bool in_flight;
    int64_t retry_us;
    uint64_t dropped, refused;
    char error[300];
};

int push_new(const char *url, const char *auth_file, const struct run_config *config, struct push **ret)
{
    struct push *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->config = config;
    p->credentials = (struct http_credentials){.auth_file = auth_file, .ca_file = config->ca_file};
    arena_init(&p->arena, PUSH_BYTES_MAX);
    p->url = span_dup(span_str(url));
    int r = p->url ? http_client_new(&p->client) : -ENOMEM;
    if (r == 0)
        r = remote_write_encoder_new(&p->encoder);
    if (r < 0)
        push_free(p);
    else
        *ret = p;
    return r;
}

void push_free(struct push *p)
{
    if (!p)
        return;
    http_client_free(p->client);
    remote_write_encoder_free(p->encoder);
    for (; p->n; p->n--, p->at = (p->at + 1) % PUSH_QUEUE_MAX)
        buf_done(&p->queue[p->at]);
    arena_done(&p->arena);
    free(p->url);
    free(p);
}

const char *push_error(const struct push *p)
{
    return p->error;
}

uint64_t push_dropped(const struct push *p)
{
    return p->dropped;
}

uint64_t push_refused(const struct push *p)
{
    return p->refused;
}

/* ---- encoding ---- */

/* What stands in the encoder becomes the newest body of the queue. */
MUST_USE static int enqueue(struct push *p)
{
    struct buf body;
    buf_init(&body, 32u << 20);
    int r = remote_write_finish(p->encoder, &body);
    if (r == 0)
        r = buf_error(&body);
    if (r < 0) {
        buf_done(&body);
        return r;
    }
    if (p->n == PUSH_QUEUE_MAX) {
        size_t victim = p->in_flight ? (p->at + 1) % PUSH_QUEUE_MAX : p->at; /* the first may be on its way */
        buf_done(&p->queue[victim]);
        if (p->in_flight)
            p->queue[victim] = p->queue[p->at];
        p->at = (p->at + 1) % PUSH_QUEUE_MAX;
        p->n--;
        p->dropped++;
    }
    p->queue[(p->at + p->n++) % PUSH_QUEUE_MAX] = body;
    return 0;
}

struct push_message {
    struct push *p;
    int64_t now_ms;
    const struct journey_step *step; /* NULL: of the run */
    int error;
};

static void add_of(struct push_message *s, const struct journey_step *step, const char *name, double value,
                   const char *label, const char *label_value)
{
    if (s->error < 0)
        return;
    struct label_builder b;
    struct labels labels;
    label_builder_init(&b, &s->p->arena);
    label_builder_set(&b, SPAN("__name__"), span_str(name));
    label_builder_set(&b, SPAN("run"), span_str(s->p->config->run_id));
    if (step) {
        label_builder_set(&b, SPAN("journey"), span_str(step->journey));
        if (step->name.len)
            label_builder_set(&b, SPAN("step"), step->name);
    }
    if (label)
        label_builder_set(&b, span_str(label), span_str(label_value));
    s->error = label_builder_finish(&b, &labels);
    struct sample sample = {.t_ms = s->now_ms, .value = value};
    if (s->error == 0)
        s->error = remote_write_add(s->p->encoder, &labels, &sample, 1);
    if (s->error == -E2BIG) { /* full: one more body */
        s->error = enqueue(s->p);
        if (s->error == 0)
            s->error = remote_write_add(s->p->encoder, &labels, &sample, 1);
    }
}

static void add(struct push_message *s, const char *name, double value, const char *label, const char *label_value)
{
    add_of(s, s->step, name, value, label, label_value);
}

void push_add(struct push_message *m, const char *journey, struct span step, const char *name, double value,
              const char *label, const char *label_value)
{
    struct journey_step of = {.journey = journey, .name = step};
    add_of(m, &of, name, value, label, label_value);
}

void push_extend(struct push *p, void (*more)(void *ctx, struct push_message *m), void *ctx)
{
    p->more = more;
    p->more_ctx = ctx;
}

static void add_histogram(struct push_message *s, const char *name, const struct hdr *h, double sum_us)
{
    char metric[96], le[NUMBER_TEXT_MAX];
    snprintf(metric, sizeof metric, "%s_bucket", name);
    uint64_t count = h ? hdr_count(h) : 0;
    for (size_t i = 0; i < ARRAY_LEN(BOUNDS); i++) {
        format_f64_le(le, BOUNDS[i]);
        add(s, metric, h ? (double)hdr_count_at_or_below(h, (int64_t)(BOUNDS[i] * 1e6)) : 0, "le", le);
    }
    add(s, metric, (double)count, "le", "+Inf");
    snprintf(metric, sizeof metric, "%s_count", name);
    add(s, metric, (double)count, NULL, NULL);
    snprintf(metric, sizeof metric, "%s_sum", name);
    add(s, metric, sum_us / 1e6, NULL, NULL);
}

static void add_steps(struct push_message *s, const struct run_stats *total)
{
    const struct journeys *js = s->p->config->journeys;
    for (size_t i = 0; i < js->n_steps; i++) {
        static const struct step_stats NOTHING;
        const struct step_stats *step = total ? &total->steps[i] : &NOTHING;
        s->step = &js->steps[i];
        add_histogram(s, "crest_loadgen_step_response_seconds", step->response, step->response_sum_us);
        add_histogram(s, "crest_loadgen_step_service_seconds", step->service, step->service_sum_us);
        for (size_t k = 0; k < OUTCOMES; k++)
            add(s, "crest_loadgen_steps_total", (double)step->outcomes[k], "outcome",
                step_outcome_name((enum step_outcome)k));
    }
    s->step = NULL;
}

static void add_run(struct push_message *s, const struct run_tick *tick)
{
    static const struct run_stats NOTHING;
    const struct run_stats *t = tick ? tick->total : &NOTHING;
    const struct {
        const char *state;
        uint64_t n;
    } SESSIONS[] = {
        {"planned", t->sessions.planned},     {"started", t->sessions.started}, {"dropped", t->sessions.dropped},
        {"completed", t->sessions.completed}, {"failed", t->sessions.failed},   {"unfinished", t->sessions.unfinished},
        {"capped", t->sessions.capped},
    };
    for (size_t i = 0; i < ARRAY_LEN(SESSIONS); i++)
        add(s, "crest_loadgen_sessions_total", (double)SESSIONS[i].n, "state", SESSIONS[i].state);
    add(s, "crest_loadgen_open_sessions", tick ? tick->open : 0, NULL, NULL);
    if (t->lag && hdr_count(t->lag))
        add(s, "crest_loadgen_lag_seconds", (double)hdr_percentile(tick->interval->lag, 99) / 1e6, "quantile", "0.99");
}

int push_tick(struct push *p, const struct run_tick *tick, int64_t now_ms)
{
    struct push_message s = {.p = p, .now_ms = now_ms};
    arena_reset(&p->arena);
    add_run(&s, tick);
    add_steps(&s, tick ? tick->total : NULL);
    if (p->more)
        p->more(p->more_ctx, &s);
    int r = enqueue(p);
    return s.error < 0 ? s.error : r;
}

/* ---- sending ---- */

static void on_done(void *ctx, struct http_response *response)
{
    struct push *p = ctx;
    p->in_flight = false;
    bool good = response->error == 0 && response->status / 100 == 2;
    bool hopeless = response->error == 0 && response->status / 100 == 4 && response->status != 429;
    if (good)
        p->error[0] = '\0';
    else if (response->error)
        snprintf(p->error, sizeof p->error, "%s", response->error_text);
    else
        snprintf(p->error, sizeof p->error, "HTTP %d: %.200s", response->status,
                 response->body.data ? response->body.data : "");
    p->refused += hopeless;
    if (good || hopeless) { /* what was refused once would be refused again */
        buf_done(&p->queue[p->at]);
        p->at = (p->at + 1) % PUSH_QUEUE_MAX;
        p->n--;
        return;
    }
    int64_t wait_ms = http_retry_after_ms(response);
    p->retry_us = mono_us() + (wait_ms > 0 ? wait_ms : RETRY_MS) * 1000;
}

static void send_next(struct push *p)
{
    static const char *const HEADERS[] = {"Content-Type: " REMOTE_WRITE_CONTENT_TYPE, "Content-Encoding: snappy",
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    if (p->in_flight || p->n == 0 || mono_us() < p->retry_us)
        return;
    struct http_request request = {.method = "POST",
                                   .url = p->url,
                                   .credentials = &p->credentials,
                                   .headers = HEADERS,
                                   .body = buf_view(&p->queue[p->at]),
                                   .timeout_ms = SEND_TIMEOUT_MS};
    uint64_t id;
    int r = http_send(p->client, &request, on_done, p, &id);
    if (r == 0) {
        p->in_flight = true;
    } else {
        snprintf(p->error, sizeof p->error, "%s", strerror(-r));
        p->retry_us = mono_us() + RETRY_MS * 1000;
    }
}

void push_wait(struct push *p, int64_t timeout_ms)
{
    int64_t end_us = mono_us() + timeout_ms * 1000;
    for (;;) {
        send_next(p);
        int64_t left_ms = (end_us - mono_us() + 999) / 1000, client_ms = http_client_timeout_ms(p->client);
        if (left_ms <= 0)
            return;
        struct pollfd fd = {.fd = http_client_fd(p->client), .events = POLLIN};
        poll(&fd, 1, (int)(client_ms >= 0 && client_ms < left_ms ? client_ms : left_ms));
        http_client_step(p->client);
    }
}

bool push_finish(struct push *p, int64_t timeout_ms)
{
    int64_t end_us = mono_us() + timeout_ms * 1000;
    while (p->n && mono_us() < end_us)
        push_wait(p, 20);
    return p->n == 0 && p->dropped == 0 && p->refused == 0;
}
