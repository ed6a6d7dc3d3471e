/* Any bytes as an expression: parsed or refused with a place inside the text, never more. What is parsed prints to a text
 * that parses to the same print, and evaluates over a small store within small limits. */
#include <string.h>

#include "collector/promql/promql.h"
#include "lib/base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Histograms with exponential and with custom buckets that grow, and are reset now and then. */
static void add_histograms(struct write_request *w, struct write_series *ws, bool custom)
{
    static struct histogram_span spans[1] = {{-1, 4}};
    static double bounds[3] = {-1, 0.5, 2};
    ws->histograms = arena_array(&w->arena, 60, sizeof *ws->histograms);
    for (int64_t k = 0; k < 60; k++) {
        struct native_histogram *h = arena_alloc(&w->arena, sizeof *h);
        double n = (double)(k % 25);
        *h = (struct native_histogram){.schema = custom ? HISTOGRAM_CUSTOM_SCHEMA : (int32_t)(k / 40),
                                       .is_float = true,
                                       .hint = k == 50 ? HISTOGRAM_GAUGE : HISTOGRAM_RESET_UNKNOWN,
                                       .zero_threshold = custom ? 0 : 0.001,
                                       .zero_count = custom ? 0 : n,
                                       .count = 5 * n,
                                       .sum = k == 33 ? NAN : n,
                                       .positive_spans = spans,
                                       .n_positive_spans = 1,
                                       .n_positive = 4,
                                       .bounds = custom ? bounds : NULL,
                                       .n_bounds = custom ? 3 : 0};
        h->positive = arena_array(&w->arena, 4, sizeof *h->positive);
        for (size_t i = 0; i < 4; i++)
            h->positive[i] = n;
        if (custom) {
            static struct histogram_span from_zero[1] = {{0, 4}};
            h->positive_spans = from_zero;
        }
        ws->histograms[ws->n_histograms++] = (struct histogram_sample){k * 10000, 0, h};
    }
}

/* One store for all inputs: three series with a gap, a reset, a stale marker, and two of histograms. */
static struct store *fuzz_store(void)
{
    static struct store *s;
    char why[256];
    if (s)
        return s;
    if (store_open(&(struct store_config){.future_ms_max = -1}, &s, why, sizeof why) < 0)
        abort();
    struct write_request *w = write_request_new(1u << 20);
    static struct label histograms[2][2] = {
        {{SPAN_INIT("__name__"), SPAN_INIT("h")}, {SPAN_INIT("i"), SPAN_INIT("1")}},
        {{SPAN_INIT("__name__"), SPAN_INIT("h")}, {SPAN_INIT("i"), SPAN_INIT("2")}}};
    static struct label pairs[3][2] = {{{SPAN_INIT("__name__"), SPAN_INIT("a")}, {SPAN_INIT("i"), SPAN_INIT("1")}},
                                       {{SPAN_INIT("__name__"), SPAN_INIT("a")}, {SPAN_INIT("i"), SPAN_INIT("2")}},
                                       {{SPAN_INIT("__name__"), SPAN_INIT("b")}, {SPAN_INIT("le"), SPAN_INIT("+Inf")}}};
    w->series = arena_array(&w->arena, 5, sizeof *w->series);
    for (size_t i = 0; i < 3; i++) {
        struct write_series *ws = &w->series[w->n_series++];
        ws->labels = (struct labels){pairs[i], 2};
        ws->samples = arena_array(&w->arena, 60, sizeof *ws->samples);
        for (int64_t k = 0; k < 60; k++)
            if (k % 7 != (int64_t)i)
                ws->samples[ws->n_samples++] = (struct sample){.t_ms = k * 10000,
                                                               .value = k == 30  ? stale_marker()
                                                                        : k > 40 ? (double)k - 40
                                                                                 : (double)k};
    }
    for (size_t i = 0; i < 2; i++) {
        struct write_series *ws = &w->series[w->n_series++];
        ws->labels = (struct labels){histograms[i], 2};
        add_histograms(w, ws, i == 1);
    }
    struct store_written written;
    if (store_write(s, w, &written) < 0)
        abort();
    return s;
}

static void evaluate(const struct promql_expr *e, int64_t step_ms)
{
    struct promql_params p = {.start_ms = 300000,
                              .end_ms = step_ms ? 600000 : 300000,
                              .step_ms = step_ms,
                              .samples_max = 100000,
                              .bytes_max = 4u << 20,
                              .deadline_mono_us = mono_us() + 200000};
    struct promql_result *res = NULL;
    struct promql_error error;
    if (promql_eval(fuzz_store(), e, &p, &res, &error) == 0)
        promql_result_free(res);
    else if (error.kind == PROMQL_OK || error.text[0] == '\0' || res)
        abort();
}

static bool print(struct span text, struct buf *out, bool and_evaluate)
{
    struct arena a;
    struct promql_expr *e = NULL;
    struct parse_error error = {0};
    arena_init(&a, 16u << 20);
    int r = promql_parse(text, &a, &e, &error);
    if (r == 0) {
        promql_format(e, out);
        if (and_evaluate) {
            evaluate(e, 0);
            evaluate(e, 60000);
        }
    } else if (error.text[0] == '\0' || error.start > text.len) {
        abort();
    }
    promql_expr_done(e);
    arena_done(&a);
    return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct buf once, twice;
    buf_init(&once, 4u << 20);
    buf_init(&twice, 4u << 20);
    if (print(text, &once, true) && !buf_error(&once)) {
        if (!print(buf_view(&once), &twice, false) || !span_equal(buf_view(&once), buf_view(&twice)))
            abort();
    }
    buf_done(&once);
    buf_done(&twice);
    struct arena a;
    struct matcher *ms;
    size_t n;
    struct parse_error error;
    arena_init(&a, 16u << 20);
    if (promql_parse_selector(text, &a, &ms, &n, &error) == 0)
        for (size_t i = 0; i < n; i++)
            matcher_done(&ms[i]);
    arena_done(&a);
    return 0;
}
