#include "lib/base/number.h"
#include "lib/wire/remote_write.h"
#include "tests/support/store_load.h"

#define SERIES 500u
#define ROUNDS 3u
#define BASE_MS 1700000000000

/* The samples of all requests, by series and round. */
struct seen {
    double value[SERIES][ROUNDS];
    int64_t t_ms[SERIES][ROUNDS];
    unsigned times[SERIES], requests, samples;
};

static unsigned series_of(const struct labels *labels)
{
    struct span shard = labels_get(labels, SPAN("shard"));
    uint64_t n = 0;
    check_span(span_of(shard.ptr, 6), "shard-");
    check_ok(parse_u64_span(span_from(shard, 6), UINT32_MAX, &n));
    return (unsigned)n;
}

static void see(void *ctx, struct buf *body, unsigned samples)
{
    struct seen *seen = ctx;
    struct write_request *w;
    struct remote_write_report report;
    check_ok(remote_write_decode(REMOTE_WRITE_1, buf_view(body), &w, &report));
    assert_int_equal(report.rejected_series, 0);
    assert_int_equal(w->n_series, samples);
    for (size_t i = 0; i < w->n_series; i++) {
        unsigned n = series_of(&w->series[i].labels);
        assert_in_range(n, 0, SERIES - 1);
        assert_in_range(seen->times[n], 0, ROUNDS - 1);
        seen->value[n][seen->times[n]] = w->series[i].samples[0].value;
        seen->t_ms[n][seen->times[n]++] = w->series[i].samples[0].t_ms;
    }
    seen->requests++;
    seen->samples += samples;
    write_request_free(w);
    buf_done(body);
}

static void send(struct seen *seen, unsigned first, unsigned n)
{
    struct store_load *l = store_load_new(first, n, SERIES, 100);
    for (unsigned round = 0; round < ROUNDS; round++)
        store_load_round(l, BASE_MS + round * 10000, see, seen);
    store_load_flush(l, see, seen);
    store_load_free(l);
}

static void parts_of_a_load_send_what_the_whole_sends(void **state)
{
    static struct seen whole, parts;
    (void)state;
    send(&whole, 0, SERIES);
    send(&parts, 125, SERIES - 125);
    send(&parts, 0, 125);
    assert_int_equal(whole.samples, SERIES * ROUNDS);
    assert_int_equal(whole.requests, SERIES * ROUNDS / 100);
    assert_int_equal(parts.samples, SERIES * ROUNDS);
    for (unsigned i = 0; i < SERIES; i++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            check_double_bits(parts.value[i][round], whole.value[i][round]);
            assert_int_equal(parts.t_ms[i][round], whole.t_ms[i][round]);
            assert_int_equal(whole.t_ms[i][round], BASE_MS + round * 10000 + i / 250 * 13);
        }
}

static void values_are_of_the_kinds_that_the_workload_names(void **state)
{
    static struct seen seen;
    unsigned moved = 0;
    (void)state;
    send(&seen, 0, SERIES);
    for (unsigned i = 0; i < SERIES; i++)
        for (unsigned round = 1; round < ROUNDS; round++) {
            double step = seen.value[i][round] - seen.value[i][round - 1];
            if (i % 10 == 9)
                assert_true(step == 0 && seen.value[i][round] == 1);
            else if (i % 10 == 8)
                assert_true(step / 4096 == (double)(int64_t)(step / 4096));
            else
                assert_true(step >= 0 && step <= 751 && step == (double)(int64_t)step);
            moved += step != 0;
        }
    assert_in_range(moved, SERIES, SERIES * (ROUNDS - 1));
}

static void churned_series_were_never_there_before(void **state)
{
    (void)state;
    struct store_load *a = store_load_new(0, 100, 200, 10), *b = store_load_new(100, 100, 200, 10);
    bool seen[400] = {0};
    store_load_churn(a, 95, 10); /* beyond its end: goes on at its start */
    store_load_churn(a, 5, 10);
    store_load_churn(b, 0, 20);
    const struct store_load *loads[] = {a, b};
    for (size_t k = 0; k < ARRAY_LEN(loads); k++)
        for (unsigned i = 0; i < 100; i++) {
            unsigned n = series_of(store_load_labels(loads[k], i));
            assert_in_range(n, 0, ARRAY_LEN(seen) - 1);
            assert_false(seen[n]);
            seen[n] = true;
            bool churned = k == 0 ? i < 15 || i >= 95 : i < 20;
            assert_int_equal(n >= 200, churned);
        }
    store_load_free(a);
    store_load_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_load_send_what_the_whole_sends),
        cmocka_unit_test(values_are_of_the_kinds_that_the_workload_names),
        cmocka_unit_test(churned_series_were_never_there_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
