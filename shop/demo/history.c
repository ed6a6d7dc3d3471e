/* An hour of the past, so that the live lines have something to stand beside: the shop's signals every 2 s, in time order, by remote write. Made up,
 * and only signals: no counter, order or euro of it can enter the books. */
#include "shop/demo/demo.h"

#include <errno.h>
#include <math.h>

#include "lib/metric/sample.h"
#include "lib/wire/http_client.h"
#include "lib/wire/remote_write.h"

#define STEP_MS 2000 /* dense enough for a line in a live chart, which shows 3 s without a sample as a gap */
#define HOUR_MS 3600000

struct past {
    const char *name, *market, *currency, *channel;
    double base, swing; /* value = base + swing * wave, never below 0 */
};
static const struct past SIGNALS[] = {
    {"commerce:throughput_rps", NULL, NULL, NULL, 14, 4},
    {"commerce:error_ratio", NULL, NULL, NULL, 0, 0},
    {"commerce:operation_error_ratio", NULL, NULL, NULL, 0.004, 0.002},
    {"commerce:response_seconds:p95", NULL, NULL, NULL, 0.045, 0.01},
    {"commerce:inflight", NULL, NULL, NULL, 1, 1},
    {"commerce:checkout_step_seconds:p95", NULL, NULL, NULL, 0.12, 0.02},
    {"commerce:payment_decline_ratio", NULL, NULL, NULL, 0.02, 0.01},
    {"commerce:payment_failure_ratio", NULL, NULL, NULL, 0, 0},
    {"commerce:cache_hit_ratio", NULL, NULL, NULL, 0.96, 0.02},
    {"commerce:db_connections_ratio", NULL, NULL, NULL, 0.1, 0.05},
    {"commerce:orders_per_minute", "de", "EUR", "web", 22, 6},
    {"commerce:orders_per_minute", "jp", "JPY", "app", 12, 4},
    {"commerce:revenue_per_minute", "de", "EUR", "web", 3400, 900},
    {"commerce:revenue_per_minute", "jp", "JPY", "app", 290000, 80000},
};

MUST_USE static int add(struct remote_write_encoder *e, const struct past *p, size_t index, int64_t t_ms)
{
    struct label pairs[7];
    size_t n = 0;
    pairs[n++] = (struct label){SPAN("__name__"), span_str(p->name)};
    if (p->market) {
        pairs[n++] = (struct label){SPAN("channel"), span_str(p->channel)};
        pairs[n++] = (struct label){SPAN("currency"), span_str(p->currency)};
        pairs[n++] = (struct label){SPAN("market"), span_str(p->market)};
    }
    pairs[n++] = (struct label){SPAN("service"), SPAN("shop")};
    pairs[n++] = (struct label){SPAN("stack"), SPAN("otel")};
    pairs[n++] = (struct label){SPAN("tier"), SPAN("app")};
    double phase = (double)t_ms / 1000.0,
           wave = sin(phase / 290 + (double)index) * 0.6 + sin(phase / 47 + 2.0 * (double)index) * 0.4;
    struct sample s = {t_ms, 0, fmax(0, p->base + p->swing * wave)};
    return remote_write_add(e, &(struct labels){pairs, n}, &s, 1);
}

MUST_USE static int post(struct stage *s, struct remote_write_encoder *e)
{
    char url[256];
    struct buf body;
    static const char *const HEADERS[] = {"Content-Encoding: snappy", "Content-Type: " REMOTE_WRITE_CONTENT_TYPE,
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    buf_init(&body, 4u << 20);
    snprintf(url, sizeof url, "http://%s/api/v1/write", s->address[COLLECTOR]);
    int r = remote_write_finish(e, &body);
    struct http_request request = {
        .method = "POST", .url = url, .headers = HEADERS, .body = buf_view(&body), .timeout_ms = 10000};
    struct http_response response = {0};
    if (r == 0)
        r = http_fetch(&request, &response);
    if (r == 0 && response.status / 100 != 2) {
        fprintf(stderr, "demo: history refused: HTTP %d " SPAN_FMT "\n", response.status,
                SPAN_ARG(buf_view(&response.body)));
        r = -EIO;
    }
    http_response_done(&response);
    buf_done(&body);
    return r;
}

int history_write(struct stage *s, int64_t until_ms, size_t *ret_samples)
{
    struct remote_write_encoder *e = NULL;
    size_t written = 0;
    int r = remote_write_encoder_new(&e);
    for (int64_t t = until_ms - HOUR_MS; r == 0 && t < until_ms; t += STEP_MS) {
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(SIGNALS); i++)
            r = add(e, &SIGNALS[i], i, t);
        if (r == 0 && remote_write_samples(e) >= 500) {
            written += remote_write_samples(e);
            r = post(s, e);
        }
    }
    if (r == 0 && remote_write_samples(e)) {
        written += remote_write_samples(e);
        r = post(s, e);
    }
    remote_write_encoder_free(e);
    *ret_samples = written;
    return r;
}
