/* Random expressions are asked of a collector and of Debian's prometheus over the same samples: both must answer the same.
 *
 * The grammar keeps to what 2.42 reads, and away from what it answers differently by design (tests/support/promql_grammar.c has these by
 * name). Numbers may differ by rounding only: one part in 10^8 of the largest number in the answer. DIFFERENTIAL_ROUNDS says how many
 * expressions, CREST_SEED which; what differs is printed with the expression and its time. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/metric/sample.h"
#include "lib/wire/remote_write.h"
#include "lib/wire/url.h"
#include "tests/support/promql_grammar.h"
#include "tests/support/store_server.h"
#include "tests/support/write_client.h"

#define MINUTES 40
#define SAMPLES (MINUTES * 4)
#define ROUNDS 150

static uint16_t ports[2]; /* ours, prometheus's */
static int64_t first_ms;

/* ---- the samples ---- */

/* Where sample k of a series lies: 15 s apart, never on a whole second. */
static int64_t sample_ms(unsigned series, unsigned k)
{
    return first_ms + k * 15000 + 137 + (series * 211 + k * 17) % 700;
}

static double value_of(const char *metric, unsigned series, unsigned k, struct check_random *r)
{
    double noise = (double)check_random_below(r, 1000000) / 1e6;
    if (strcmp(metric, "temperature") == 0)
        return 20 + 10 * sin((double)(k + 7 * series) / 9) + noise + series;
    if (strcmp(metric, "requests_total") == 0)
        return 1e6 * (series + 1) + 37.0 * k + floor(5 * noise); /* never anywhere near 0 */
    if (strcmp(metric, "restarts_total") == 0)
        return (double)((k + 3 * series) % 23) * 3 + 1000; /* falls every 23 samples */
    if (strcmp(metric, "flags") == 0)
        return (double)check_random_below(r, 3);
    return -5 + noise * 10;
}

static void add_series(struct remote_write_encoder *e, const char *metric, unsigned series, const char *job,
                       struct check_random *r)
{
    char instance[8];
    snprintf(instance, sizeof instance, "i%u", series % 4);
    struct label pairs[3] = {
        {SPAN("__name__"), span_str(metric)}, {SPAN("instance"), span_str(instance)}, {SPAN("job"), span_str(job)}};
    struct sample list[SAMPLES];
    size_t n = 0;
    bool sparse = strcmp(metric, "sparse") == 0;
    for (unsigned k = 0; k < SAMPLES; k++) {
        double v = value_of(metric, series, k, r);
        if (sparse && (k / 12 + series) % 3 == 0)
            continue; /* three minutes without */
        if (sparse && k % 40 == 39)
            v = k % 80 == 79 ? stale_marker() : f64_from_bits(NAN_BITS);
        list[n++] = (struct sample){.t_ms = sample_ms(series, k), .value = v};
    }
    check_ok(remote_write_add(e, &(struct labels){pairs, 3}, list, n));
}

static void add_histogram(struct remote_write_encoder *e, unsigned series, const char *job, struct check_random *r)
{
    static const char *const BOUNDS[] = {"0.1", "0.5", "1", "5", "+Inf"};
    double counts[ARRAY_LEN(BOUNDS)][SAMPLES] = {{0}};
    for (unsigned k = 1; k < SAMPLES; k++) {
        double more = 0;
        for (size_t b = 0; b < ARRAY_LEN(BOUNDS); b++) {
            more += (double)check_random_below(r, 10);
            counts[b][k] = counts[b][k - 1] + more;
        }
    }
    for (size_t b = 0; b < ARRAY_LEN(BOUNDS); b++) {
        char instance[8];
        snprintf(instance, sizeof instance, "i%u", series);
        struct label pairs[4] = {{SPAN("__name__"), SPAN("latency_bucket")},
                                 {SPAN("instance"), span_str(instance)},
                                 {SPAN("job"), span_str(job)},
                                 {SPAN("le"), span_str(BOUNDS[b])}};
        struct sample list[SAMPLES];
        for (unsigned k = 0; k < SAMPLES; k++)
            list[k] = (struct sample){.t_ms = sample_ms(series, k), .value = 1e6 + counts[b][k] + 1e5 * (double)b};
        check_ok(remote_write_add(e, &(struct labels){pairs, 4}, list, SAMPLES));
    }
}

static void send_samples(void)
{
    static const char *const METRICS[] = {"temperature", "requests_total", "restarts_total", "sparse", "flags"};
    static const char *const JOBS[] = {"a", "b", "c"};
    struct check_random r = {.state = 4711}; /* the same samples, whatever is asked of them */
    struct remote_write_encoder *e;
    struct buf body;
    check_ok(remote_write_encoder_new(&e));
    for (size_t m = 0; m < ARRAY_LEN(METRICS); m++)
        for (unsigned s = 0; s < 12; s++)
            add_series(e, METRICS[m], s, JOBS[s / 4], &r);
    for (unsigned s = 0; s < 3; s++)
        add_histogram(e, s, JOBS[s], &r);
    buf_init(&body, 64u << 20);
    check_ok(remote_write_finish(e, &body));
    for (size_t i = 0; i < 2; i++) {
        char why[400];
        struct write_client *c = write_client_new(ports[i]);
        int status = write_client_send(c, buf_view(&body), why, sizeof why);
        if (status != 204 && status != 200)
            check_failed("remote write to %s: %d %s", STORE_NAMES[i], status, why);
        write_client_free(c);
    }
    buf_done(&body);
    remote_write_encoder_free(e);
}

/* ---- asking ---- */

/* data.result, or NULL for an error, whose words are in *ret_why. */
static json_t *ask(size_t server, struct span expression, int64_t start_ms, int64_t end_ms, char **ret_why)
{
    struct buf url;
    json_error_t error;
    buf_init(&url, 1u << 16);
    buf_printf(&url, "http://127.0.0.1:%u/api/v1/%s?query=", ports[server],
               end_ms > start_ms ? "query_range" : "query");
    url_encode(&url, expression);
    if (end_ms > start_ms)
        buf_printf(&url, "&start=%lld&end=%lld&step=30", (long long)(start_ms / 1000), (long long)(end_ms / 1000));
    else
        buf_printf(&url, "&time=%lld", (long long)(start_ms / 1000));
    char *body = NULL;
    int status = buf_error(&url) ? buf_error(&url) : e2e_try("GET", url.data, NULL, SPAN(""), &body);
    json_t *root = body ? json_loads(body, 0, &error) : NULL;
    if (status < 0 || !root)
        check_failed("%s: %s: no answer (%d)", STORE_NAMES[server], url.data, status);
    json_t *result = status == 200 ? json_incref(json_object_get(json_object_get(root, "data"), "result")) : NULL;
    *ret_why = body;
    json_decref(root);
    buf_done(&url);
    return result;
}

static double number_at(const json_t *pair)
{
    double v = NAN;
    const char *text = json_string_value(json_array_get(pair, 1));
    if (!text || parse_f64_span(span_str(text), &v) < 0)
        check_failed("not a value");
    return v;
}

static const json_t *series_like(const json_t *result, const json_t *metric)
{
    for (size_t i = 0; i < json_array_size(result); i++)
        if (json_equal(json_object_get(json_array_get(result, i), "metric"), metric))
            return json_array_get(result, i);
    return NULL;
}

/* Of an instant query one. */
static size_t count_points(const json_t *series)
{
    const json_t *values = json_object_get(series, "values");
    return values ? json_array_size(values) : 1;
}

static const json_t *point_at(const json_t *series, size_t i)
{
    const json_t *values = json_object_get(series, "values");
    return values ? json_array_get(values, i) : json_object_get(series, "value");
}

static double largest(const json_t *result)
{
    double most = 0;
    for (size_t i = 0; i < json_array_size(result); i++) {
        const json_t *series = json_array_get(result, i);
        for (size_t k = 0; k < count_points(series); k++) {
            double v = fabs(number_at(point_at(series, k)));
            most = isfinite(v) && v > most ? v : most;
        }
    }
    return most;
}

static bool same_number(double a, double b, double scale)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-8 * fmax(scale, 1);
}

/* NULL: the same. */
static const char *compare(const json_t *ours, const json_t *theirs)
{
    static char why[200];
    double scale = largest(theirs);
    if (json_array_size(ours) != json_array_size(theirs)) {
        snprintf(why, sizeof why, "%zu series, not %zu", json_array_size(ours), json_array_size(theirs));
        return why;
    }
    for (size_t i = 0; i < json_array_size(theirs); i++) {
        const json_t *want = json_array_get(theirs, i), *have = series_like(ours, json_object_get(want, "metric"));
        if (!have)
            return "another series";
        size_t n = count_points(want);
        if (count_points(have) != n)
            return "another number of steps";
        for (size_t k = 0; k < n; k++) {
            const json_t *a = point_at(have, k), *b = point_at(want, k);
            if (json_number_value(json_array_get(a, 0)) != json_number_value(json_array_get(b, 0)))
                return "another step";
            if (!same_number(number_at(a), number_at(b), scale)) {
                snprintf(why, sizeof why, "%.17g, not %.17g at step %zu", number_at(a), number_at(b), k);
                return why;
            }
        }
    }
    return NULL;
}

/* 1: compared; 0: both refuse it. */
static int compare_answers(struct span expression, int64_t start_ms, int64_t end_ms)
{
    char *texts[2];
    json_t *results[2];
    for (size_t i = 0; i < 2; i++)
        results[i] = ask(i, expression, start_ms, end_ms, &texts[i]);
    const char *why = !results[0] != !results[1] ? "one of them refuses it"
                      : results[0] && results[1] ? compare(results[0], results[1])
                                                 : NULL;
    if (why)
        check_failed(SPAN_FMT "\nfrom %lld to %lld: %s\nours:   %.1500s\ntheirs: %.1500s", SPAN_ARG(expression),
                     (long long)(start_ms / 1000), (long long)(end_ms / 1000), why, texts[0], texts[1]);
    int answered = results[0] != NULL;
    for (size_t i = 0; i < 2; i++) {
        json_decref(results[i]);
        free(texts[i]);
    }
    return answered;
}

static void random_expressions_are_answered_as_prometheus_does(void **state)
{
    (void)state;
    if (!store_server_have(STORE_PROMETHEUS)) {
        print_message("skipped, prometheus is not installed\n");
        skip();
    }
    const char *asked = getenv("DIFFERENTIAL_ROUNDS");
    uint64_t rounds = ROUNDS;
    if (asked)
        check_ok(parse_u64(asked, 100000000, &rounds));
    first_ms = (unix_ms() / 60000 - MINUTES - 2) * 60000;
    struct store_server *servers[2] = {store_server_start(STORE_CREST, 1), store_server_start(STORE_PROMETHEUS, 1)};
    for (size_t i = 0; i < 2; i++)
        ports[i] = store_server_port(servers[i]);
    send_samples();
    struct check_random r = check_random_new("differential");
    struct buf expression;
    size_t answered = 0;
    buf_init(&expression, 1u << 14);
    for (uint64_t i = 0; i < rounds; i++) {
        /* seven seconds past a half minute: no multiple of a subquery's resolution is a window's edge */
        int64_t at = first_ms + (int64_t)check_random_below(&r, 2 * MINUTES) * 30000 + 7000;
        buf_clear(&expression);
        promql_random_expression(&r, &expression);
        check_ok(buf_error(&expression));
        bool range = check_random_below(&r, 2);
        answered += (size_t)compare_answers(buf_view(&expression), at, range ? at + 600000 : at);
    }
    print_message("%llu expressions, %zu answered by both, none differs\n", (unsigned long long)rounds, answered);
    assert_true(answered * 10 >= rounds * 9); /* what both refuse shows nothing */
    buf_done(&expression);
    for (size_t i = 0; i < 2; i++) {
        store_server_stop(servers[i]);
        store_server_remove(servers[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_expressions_are_answered_as_prometheus_does, e2e_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
