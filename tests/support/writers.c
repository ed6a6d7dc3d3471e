#include "tests/support/writers.h"

#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"
#include "lib/wire/remote_write.h"
#include "lib/wire/url.h"

#define SENDERS_MAX 16u
#define CHUNK 5000u /* requests asked for at a time */

struct sender {
    struct writers *all;
    struct thread *thread;
    unsigned number;
    atomic_ullong acked;
    uint64_t checked;
    struct remote_write_encoder *encoder;
    struct http_client *http;
};
struct writers {
    struct sender list[SENDERS_MAX];
    unsigned n, samples;
    int64_t base_ms;
    char url[128];
    atomic_bool stopping;
};

/* Fractions, so that a value is more than its number. */
static double value_of(unsigned sender, unsigned k, uint64_t n)
{
    return (double)n / 8 + (double)k * 1000 + (double)sender * 1e6;
}

struct writers *writers_new(unsigned senders, unsigned samples, int64_t base_ms)
{
    struct writers *w = calloc(1, sizeof *w);
    if (!w || senders > SENDERS_MAX)
        check_failed("no memory, or more than %u senders", SENDERS_MAX);
    *w = (struct writers){.n = senders, .samples = samples, .base_ms = base_ms};
    for (unsigned i = 0; i < senders; i++) {
        w->list[i].all = w;
        w->list[i].number = i;
        check_ok(remote_write_encoder_new(&w->list[i].encoder));
    }
    return w;
}

void writers_free(struct writers *w)
{
    for (unsigned i = 0; i < w->n; i++)
        remote_write_encoder_free(w->list[i].encoder);
    free(w);
}

uint64_t writers_acked(const struct writers *w)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < w->n; i++)
        n += atomic_load(&w->list[i].acked);
    return n;
}

/* ---- sending ---- */

MUST_USE static int encode(struct sender *s, uint64_t n, struct buf *body)
{
    char sender[NUMBER_TEXT_MAX], k_text[NUMBER_TEXT_MAX];
    snprintf(sender, sizeof sender, "%u", s->number);
    int r = 0;
    for (unsigned k = 0; r == 0 && k < s->all->samples; k++) {
        snprintf(k_text, sizeof k_text, "%u", k);
        struct label pairs[] = {{SPAN("__name__"), SPAN("crest_written")},
                                {SPAN("k"), span_str(k_text)},
                                {SPAN("sender"), span_str(sender)}};
        struct labels labels = {pairs, ARRAY_LEN(pairs)};
        struct sample sample = {s->all->base_ms + (int64_t)n, 0, value_of(s->number, k, n)};
        r = remote_write_add(s->encoder, &labels, &sample, 1);
    }
    int finished = remote_write_finish(s->encoder, body);
    return r < 0 ? r : finished;
}

struct answer {
    bool came;
    int status;
};

static void on_answer(void *ctx, struct http_response *response)
{
    struct answer *a = ctx;
    a->came = true;
    a->status = response->error ? response->error : response->status;
}

/* The status of the answer, or a negative errno. */
static int post(struct sender *s, struct span body)
{
    static const char *const HEADERS[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE,
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    struct http_request request = {.url = s->all->url, .headers = HEADERS, .body = body, .timeout_ms = 30000};
    struct answer answer = {0};
    int r = http_send(s->http, &request, on_answer, &answer, NULL);
    while (r == 0 && !answer.came) {
        struct pollfd p = {.fd = http_client_fd(s->http), .events = POLLIN};
        int64_t wait_ms = http_client_timeout_ms(s->http);
        poll(&p, 1, wait_ms < 0 || wait_ms > 100 ? 100 : (int)wait_ms);
        http_client_step(s->http);
    }
    return r < 0 ? r : answer.status;
}

static void sender_main(void *arg)
{
    struct sender *s = arg;
    struct buf body;
    buf_init(&body, 1 << 20);
    int status = 204;
    while (!atomic_load(&s->all->stopping) && (status / 100 == 2 || status == 503)) {
        buf_clear(&body);
        if (encode(s, atomic_load(&s->acked), &body) < 0)
            break;
        status = post(s, buf_view(&body));
        if (status / 100 == 2)
            atomic_fetch_add(&s->acked, 1);
        else if (status == 503)
            sleep_us(10000);
        else if (status > 0)
            print_error("sender %u: HTTP %d\n", s->number, status);
    }
    buf_done(&body);
}

void writers_start(struct writers *w, const struct e2e_program *collector)
{
    snprintf(w->url, sizeof w->url, "%s/api/v1/write", e2e_url(collector));
    atomic_store(&w->stopping, false);
    for (unsigned i = 0; i < w->n; i++) {
        check_ok(http_client_new(&w->list[i].http));
        check_ok(thread_start("sender", sender_main, &w->list[i], &w->list[i].thread));
    }
}

void writers_stop(struct writers *w)
{
    atomic_store(&w->stopping, true);
    for (unsigned i = 0; i < w->n; i++) {
        thread_join(w->list[i].thread);
        http_client_free(w->list[i].http);
        w->list[i].thread = NULL;
        w->list[i].http = NULL;
    }
}

/* ---- asking ---- */

/* One series: [[seconds, "value"], …] must hold all of from … to - 1. Time stamps have milliseconds. */
static uint64_t check_series(struct sender *s, const json_t *series, uint64_t from, uint64_t to)
{
    const json_t *values = json_object_get(series, "values");
    const char *k_text = json_string_value(json_object_get(json_object_get(series, "metric"), "k"));
    uint64_t k, next = from;
    if (!k_text || parse_u64(k_text, s->all->samples - 1, &k) < 0)
        check_failed("a series of nobody");
    for (size_t i = 0; i < json_array_size(values) && next < to; i++) {
        const json_t *pair = json_array_get(values, i);
        int64_t n = llround(json_number_value(json_array_get(pair, 0)) * 1000) - s->all->base_ms;
        const char *text = json_string_value(json_array_get(pair, 1));
        double v = NAN;
        if (n < (int64_t)from)
            continue;
        if (n != (int64_t)next)
            check_failed("sender %u, series %s: request %llu was acknowledged and is not there (next is %lld)",
                         s->number, k_text, (unsigned long long)next, (long long)n);
        if (!text || parse_f64_span(span_str(text), &v) < 0 || v != value_of(s->number, (unsigned)k, next))
            check_failed("sender %u, series %s: request %llu has the value %s", s->number, k_text,
                         (unsigned long long)next, text ? text : "none");
        next++;
    }
    if (next < to)
        check_failed("sender %u, series %s: requests from %llu on were acknowledged up to %llu and are not there",
                     s->number, k_text, (unsigned long long)next, (unsigned long long)to);
    return to - from;
}

static uint64_t check_chunk(struct sender *s, const struct e2e_program *collector, uint64_t from, uint64_t to)
{
    char query[160];
    struct parse_error error;
    struct buf path;
    uint64_t seen = 0;
    int64_t end_ms = s->all->base_ms + (int64_t)to;
    snprintf(query, sizeof query, "crest_written{sender=\"%u\"}[%llums]", s->number,
             (unsigned long long)(to - from + 1));
    buf_init(&path, 4096);
    buf_str(&path, "/api/v1/query?query=");
    url_encode(&path, span_str(query));
    buf_printf(&path, "&time=%lld.%03d", (long long)(end_ms / 1000), (int)(end_ms % 1000));
    check_ok(buf_error(&path));
    char *body = e2e_get(collector, path.data, 200);
    json_t *answer = json_read(span_str(body), &error), *series;
    json_t *result = json_object_get(json_object_get(answer, "data"), "result");
    if (json_array_size(result) != s->all->samples)
        check_failed("sender %u: %zu series instead of %u for requests %llu to %llu", s->number,
                     json_array_size(result), s->all->samples, (unsigned long long)from, (unsigned long long)to);
    size_t i;
    json_array_foreach(result, i, series)
    {
        seen += check_series(s, series, from, to);
    }
    json_decref(answer);
    free(body);
    buf_done(&path);
    return seen;
}

uint64_t writers_check(struct writers *w, const struct e2e_program *collector, bool all)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < w->n; i++) {
        struct sender *s = &w->list[i];
        uint64_t acked = atomic_load(&s->acked);
        for (uint64_t from = all ? 0 : s->checked; from < acked; from += CHUNK)
            seen += check_chunk(s, collector, from, from + CHUNK < acked ? from + CHUNK : acked);
        s->checked = acked;
    }
    return seen;
}
