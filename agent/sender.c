#include "agent/sender.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/wire/remote_write.h"
#include "lib/wire/url.h"

#define SPOOL_AFTER_US 500000
#define HOLD_US_MAX                                                                                                    \
    100000 /* a batch is held back so long at most: a target that hangs again and again must not hold it for ever */
#define BATCH_BYTES (2u << 20) /* a batch this large does not wait for the one in flight */
#define BACKOFF_MIN_US 100000
#define BACKOFF_MAX_US 1000000      /* so soon does a collector that is back see live samples again */
#define RETRY_AFTER_US_MAX 60000000 /* no receiver may silence us for longer */
#define SCRATCH_BYTES (1u << 20)

struct flight { /* a request on its way */
    uint64_t id;
    struct buf body;
    uint32_t samples;
    int64_t since_us;
    bool active, live;
    bool spooled, tried; /* its twin is in the spool; that was tried once */
    struct sender *sender;
};
struct sender {
    const struct remote_endpoint *endpoint;
    struct http_client *http;
    struct spool *spool;
    struct remote_write_encoder *encoder;
    int64_t oldest_us; /* when the first sample of the encoder came */
    struct flight live, backlog;
    int64_t now_us, retry_us, backoff_us; /* retry_us: not before */
    const char **headers;
    char *shown_url;
    struct arena scratch;
    struct buf text;
    struct sender_counts counts;
};

/* The URL for logs and metrics: without the password. */
MUST_USE static char *shown(const char *text)
{
    struct url url;
    const char *why;
    struct buf out;
    if (url_parse(&url, span_str(text), &why) < 0 || url.password.len == 0)
        return span_dup(span_str(text));
    buf_init(&out, strlen(text) + 16);
    buf_bytes(&out, text, (size_t)(url.password.ptr - text));
    buf_str(&out, "xxxxx");
    buf_str(&out, url.password.ptr + url.password.len);
    return buf_take(&out, NULL);
}

static void count_spool(struct sender *s)
{
    struct spool_counts n;
    if (!s->spool)
        return;
    spool_count(s->spool, &n);
    atomic_store(&s->counts.spool_bytes, n.bytes);
    atomic_store(&s->counts.spool_records, n.records);
    atomic_store(&s->counts.spool_dropped_samples, n.dropped_samples);
    atomic_store(&s->counts.spool_damaged_records, n.damaged_records);
}

int sender_new(const struct remote_endpoint *endpoint, struct http_client *http, const char *dir, uint64_t spool_bytes,
               struct sender **ret)
{
    static const char *const FIXED[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE,
                                        REMOTE_WRITE_VERSION_HEADER, "User-Agent: crest-agent"};
    struct sender *s = calloc(1, sizeof *s);
    size_t n = 0;
    if (!s)
        return -ENOMEM;
    s->endpoint = endpoint;
    s->http = http;
    s->backoff_us = BACKOFF_MIN_US;
    s->live = (struct flight){.live = true, .sender = s};
    s->backlog = (struct flight){.sender = s};
    buf_init(&s->live.body, BODY_BYTES_MAX);
    buf_init(&s->backlog.body, BODY_BYTES_MAX);
    buf_init(&s->text, SCRATCH_BYTES);
    arena_init(&s->scratch, SCRATCH_BYTES);
    atomic_store(&s->counts.healthy, true);
    while (endpoint->headers[n])
        n++;
    s->headers = calloc(n + ARRAY_LEN(FIXED) + 1, sizeof *s->headers);
    s->shown_url = shown(endpoint->url);
    int r = s->headers && s->shown_url ? remote_write_encoder_new(&s->encoder) : -ENOMEM;
    if (r == 0 && dir)
        r = spool_open(dir, spool_bytes, &s->spool);
    if (r < 0) {
        sender_free(s);
        return r;
    }
    count_spool(s); /* what an earlier run left */
    for (size_t i = 0; i < ARRAY_LEN(FIXED); i++)
        s->headers[i] = FIXED[i];
    for (size_t i = 0; i < n; i++)
        s->headers[ARRAY_LEN(FIXED) + i] = endpoint->headers[i];
    *ret = s;
    return 0;
}

const char *sender_url(const struct sender *s)
{
    return s->shown_url;
}

const struct sender_counts *sender_counts(const struct sender *s)
{
    return &s->counts;
}

static void dropped(struct sender *s, uint32_t samples, const char *why)
{
    unsigned long hidden;
    atomic_fetch_add(&s->counts.dropped_samples, samples);
    if (log_allow(s->endpoint->url, 10000, &hidden))
        log_warn("samples dropped", "url", "%s", s->shown_url, "samples", "%u", samples, "error", "%s", why);
}

static void to_spool(struct sender *s, struct span body, uint32_t samples)
{
    int r = s->spool ? spool_append(s->spool, body, samples) : -ENODEV;
    if (r < 0)
        dropped(s, samples, s->spool ? strerror(-r) : "the endpoint is away and there is no spool (--data)");
    count_spool(s);
}

/* The encoder's samples as a body, into `body`. 0 when there was nothing. */
static uint32_t take_batch(struct sender *s, struct buf *body)
{
    uint32_t n = (uint32_t)remote_write_samples(s->encoder);
    buf_clear(body);
    s->oldest_us = 0;
    if (remote_write_bytes(s->encoder) == 0)
        return 0;
    int r = remote_write_finish(s->encoder, body);
    if (r < 0) {
        dropped(s, n, strerror(-r));
        return 0;
    }
    return n;
}

static void batch_to_spool(struct sender *s)
{
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    uint32_t n = take_batch(s, &body);
    if (n)
        to_spool(s, buf_view(&body), n);
    buf_done(&body);
}

static void send_flight(struct sender *s, struct flight *f);

static void send_batch(struct sender *s)
{
    s->live.samples = take_batch(s, &s->live.body);
    if (s->live.body.len)
        send_flight(s, &s->live);
}

/* More at once than one request holds: it leaves now if it can, else the backlog sends it. */
static void make_room(struct sender *s)
{
    if (!s->live.active && atomic_load(&s->counts.healthy))
        send_batch(s);
    else
        batch_to_spool(s);
}

void sender_add(struct sender *s, const struct labels *labels, const struct sample *sample, int64_t now_us)
{
    struct labels relabelled;
    s->now_us = now_us; /* a full batch leaves from here */
    atomic_fetch_add_explicit(&s->counts.samples, 1, memory_order_relaxed);
    if (s->endpoint->relabel.n) {
        struct label_builder b;
        arena_reset(&s->scratch);
        label_builder_init(&b, &s->scratch);
        label_builder_from(&b, labels);
        int r = relabel_apply(&s->endpoint->relabel, &b, &s->text);
        if (r == 0)
            return;
        if (r < 0 || label_builder_finish(&b, &relabelled) < 0) {
            dropped(s, 1, "write_relabel_configs failed");
            return;
        }
        labels = &relabelled;
    }
    int r = remote_write_add(s->encoder, labels, sample, 1);
    if (r == -E2BIG) {
        make_room(s);
        r = remote_write_add(s->encoder, labels, sample, 1);
    }
    if (r < 0)
        dropped(s, 1, strerror(-r));
    else if (s->oldest_us == 0)
        s->oldest_us = now_us;
}

void sender_metadata(struct sender *s, const struct metadata *m)
{
    if (!s->endpoint->send_metadata)
        return;
    int r = remote_write_metadata(s->encoder, m);
    if (r == -E2BIG) {
        make_room(s);
        r = remote_write_metadata(s->encoder, m);
    }
    if (r < 0)
        dropped(s, 0, "metadata that no request can hold");
}

/* Refused for good; a receiver of remote write 2.0's manners says how many samples it has stored all the same. */
static void refused(struct sender *s, uint32_t samples, const struct http_response *response, const char *why)
{
    uint64_t written = 0;
    struct span header = http_response_header(response, "x-prometheus-remote-write-samples-written");
    if (header.len && parse_u64_span(header, samples, &written) < 0)
        written = 0;
    atomic_fetch_add(&s->counts.sent_samples, written);
    dropped(s, samples - (uint32_t)written, why);
}

static bool retryable(const struct http_response *response)
{
    return response->error || response->status >= 500 || response->status == 429;
}

static void failed_request(struct sender *s, struct flight *f, const struct http_response *response)
{
    char why[512];
    unsigned long hidden;
    if (response->error)
        snprintf(why, sizeof why, "%s", response->error_text);
    else
        snprintf(why, sizeof why, "HTTP %d: " SPAN_FMT, response->status,
                 SPAN_ARG(span_of(response->body.data, response->body.len < 200 ? response->body.len : 200)));
    atomic_fetch_add(&s->counts.failed_requests, 1);
    if (!retryable(response)) {
        if (!f->spooled) /* else its twin in the spool is counted when it is refused */
            refused(s, f->samples, response, why);
        if (!f->live)
            spool_pop(s->spool);
        return;
    }
    if (response->error == -ECANCELED) {
        s->retry_us = 0;
    } else {
        int64_t after_ms = http_retry_after_ms(response);
        int64_t after_us = after_ms < 0                           ? s->backoff_us
                           : after_ms < RETRY_AFTER_US_MAX / 1000 ? after_ms * 1000
                                                                  : RETRY_AFTER_US_MAX;
        s->retry_us = s->now_us + after_us;
        s->backoff_us = s->backoff_us * 2 < BACKOFF_MAX_US ? s->backoff_us * 2 : BACKOFF_MAX_US;
        if (atomic_exchange(&s->counts.healthy, false) && log_allow("remote", 1000, &hidden))
            log_warn("remote write fails, samples wait in the spool", "url", "%s", s->shown_url, "error", "%s", why);
    }
    if (f->live && !f->spooled)
        to_spool(s, buf_view(&f->body), f->samples);
}

static void on_done(void *ctx, struct http_response *response)
{
    struct flight *f = ctx;
    struct sender *s = f->sender;
    f->active = false;
    atomic_fetch_add(&s->counts.requests, 1);
    if (response->error || response->status / 100 != 2) {
        failed_request(s, f, response);
    } else {
        s->backoff_us = BACKOFF_MIN_US;
        s->retry_us = 0;
        if (!atomic_exchange(&s->counts.healthy, true))
            log_info("remote write works again", "url", "%s", s->shown_url);
        atomic_fetch_add(&s->counts.sent_samples, f->samples);
        if (!f->live)
            spool_pop(s->spool);
    }
    buf_clear(&f->body);
    count_spool(s);
}

static void send_flight(struct sender *s, struct flight *f)
{
    struct http_request request = {.method = "POST",
                                   .url = s->endpoint->url,
                                   .headers = s->headers,
                                   .body = buf_view(&f->body),
                                   .credentials = &s->endpoint->credentials,
                                   .timeout_ms = s->endpoint->timeout_ms,
                                   .body_bytes_max = 65536};
    f->active = true;
    f->spooled = f->tried = false;
    f->since_us = s->now_us;
    int r = http_send(s->http, &request, on_done, f, &f->id);
    if (r < 0) {
        f->active = false;
        s->retry_us = s->now_us + s->backoff_us;
        if (f->live)
            to_spool(s, buf_view(&f->body), f->samples);
    }
}

static void step_live(struct sender *s, bool hold)
{
    bool waiting = remote_write_bytes(s->encoder) > 0;
    if (s->live.active && !s->live.tried && s->now_us - s->live.since_us >= SPOOL_AFTER_US && s->spool) {
        s->live.tried = true;
        s->live.spooled = spool_append(s->spool, buf_view(&s->live.body), s->live.samples) == 0;
        count_spool(s);
    }
    if (!waiting || hold)
        return;
    if (!s->live.active && atomic_load(&s->counts.healthy)) {
        send_batch(s);
    } else if (s->oldest_us &&
               (s->now_us - s->oldest_us >= SPOOL_AFTER_US || remote_write_bytes(s->encoder) >= BATCH_BYTES)) {
        batch_to_spool(s);
    }
}

/* The oldest record: the backlog while the endpoint answers, the probe while it does not. */
static void step_backlog(struct sender *s)
{
    if (s->backlog.active || s->now_us < s->retry_us)
        return;
    if (s->live.active && !atomic_load(&s->counts.healthy))
        return;
    int r = s->spool ? spool_peek(s->spool, &s->backlog.body, &s->backlog.samples) : 0;
    if (r > 0)
        send_flight(s, &s->backlog);
    else if (r == 0 && !atomic_load(&s->counts.healthy) && !s->live.active)
        atomic_store(&s->counts.healthy, true); /* nothing to probe with: the next batch is the probe */
}

int64_t sender_step(struct sender *s, int64_t now_us, int64_t hold_until_us)
{
    int64_t next = INT64_MAX;
    s->now_us = now_us;
    if (s->oldest_us && hold_until_us > s->oldest_us + HOLD_US_MAX)
        hold_until_us = s->oldest_us + HOLD_US_MAX;
    step_live(s, hold_until_us > now_us);
    step_backlog(s);
    if (hold_until_us > now_us && s->oldest_us)
        next = hold_until_us;
    if (s->live.active && !s->live.tried && s->spool && s->live.since_us + SPOOL_AFTER_US < next)
        next = s->live.since_us + SPOOL_AFTER_US;
    if (s->oldest_us && s->oldest_us + SPOOL_AFTER_US < next)
        next = s->oldest_us + SPOOL_AFTER_US;
    if (!s->backlog.active && s->retry_us > now_us && s->retry_us < next)
        next = s->retry_us;
    return next;
}

bool sender_idle(const struct sender *s)
{
    return !s->live.active && remote_write_bytes(s->encoder) == 0;
}

void sender_free(struct sender *s)
{
    if (!s)
        return;
    if (s->live.active)
        http_cancel(s->http, s->live.id); /* its callback puts the body into the spool */
    if (s->backlog.active)
        http_cancel(s->http, s->backlog.id);
    if (s->encoder && s->spool && remote_write_bytes(s->encoder) > 0)
        batch_to_spool(s);
    remote_write_encoder_free(s->encoder);
    spool_close(s->spool);
    buf_done(&s->live.body);
    buf_done(&s->backlog.body);
    buf_done(&s->text);
    arena_done(&s->scratch);
    free(s->headers);
    free(s->shown_url);
    free(s);
}
