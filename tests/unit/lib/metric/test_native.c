#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "lib/metric/native.h"

#define BUCKETS 40

static struct arena arena;

static int start(void **state)
{
    (void)state;
    arena_init(&arena, 64u << 20);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* Buckets from index `first` on, each with its count; `count` is what they add up to. */
static struct native_histogram *histogram(int32_t schema, int32_t first, const double *counts, size_t n)
{
    struct native_histogram *h = arena_alloc(&arena, sizeof *h);
    h->schema = schema;
    h->is_float = true;
    h->positive = arena_array(&arena, n, sizeof *h->positive);
    h->positive_spans = arena_array(&arena, 1, sizeof *h->positive_spans);
    *h->positive_spans = (struct histogram_span){first, (uint32_t)n};
    h->n_positive_spans = n > 0;
    h->n_positive = n;
    for (size_t i = 0; i < n; i++) {
        h->positive[i] = counts[i];
        h->count += counts[i];
        h->sum += counts[i];
    }
    return h;
}
#define HISTOGRAM(schema, first, ...)                                                                                  \
    histogram(schema, first, (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static struct native_histogram *with_bounds(struct native_histogram *h, const double *bounds, size_t n)
{
    h->schema = HISTOGRAM_CUSTOM_SCHEMA;
    h->bounds = arena_array(&arena, n, sizeof *bounds);
    memcpy(h->bounds, bounds, n * sizeof *bounds);
    h->n_bounds = n;
    return h;
}

static const struct native_histogram *add(const struct native_histogram *a, const struct native_histogram *b, int sign,
                                          struct native_notes *notes)
{
    struct native_work w;
    const struct native_histogram *h;
    check_ok(native_work_init(&w, &arena, a));
    check_ok(native_work_add(&w, b, sign, notes));
    check_ok(native_work_give(&w, NATIVE_COMPACT, &h));
    return h;
}

static void check_text(const struct native_histogram *h, const char *want)
{
    struct buf text;
    buf_init(&text, 10000);
    check_ok(native_format(&arena, h, &text));
    check_span(buf_view(&text), want);
    buf_done(&text);
}

static void bounds_are_powers_of_two_and_their_roots(void **state)
{
    (void)state;
    struct native_histogram h = {.schema = 0};
    check_double_bits(native_bound(&h, 0), 1);
    check_double_bits(native_bound(&h, -3), 0.125);
    check_double_bits(native_bound(&h, 1024), 0x1.fffffffffffffp1023);
    check_double_bits(native_bound(&h, 1025), INFINITY);
    check_double_bits(native_bound(&h, -1074), 5e-324);
    h.schema = -2;
    check_double_bits(native_bound(&h, 1), 16);
    h.schema = 3;
    check_double_bits(native_bound(&h, 8), 2);
    check_double_ulps(native_bound(&h, 4), sqrt(2), 1);
    check_double_ulps(native_bound(&h, -4), sqrt(0.5), 1);
    h = (struct native_histogram){.schema = HISTOGRAM_CUSTOM_SCHEMA, .bounds = (double[]){1, 5}, .n_bounds = 2};
    check_double_bits(native_bound(&h, -1), -INFINITY);
    check_double_bits(native_bound(&h, 1), 5);
    check_double_bits(native_bound(&h, 2), INFINITY);
}

static void a_histogram_is_told_as_prometheus_tells_it(void **state)
{
    (void)state;
    struct native_histogram *h = HISTOGRAM(0, 1, 2, 0, 1);
    h->negative = (double[]){3};
    h->negative_spans = &(struct histogram_span){0, 1};
    h->n_negative = h->n_negative_spans = 1;
    h->zero_threshold = 0.5;
    h->zero_count = 4;
    check_text(h, "{count:3, sum:3, [-1,-0.5):3, [-0.5,0.5]:4, (1,2]:2, (4,8]:1}");
    check_text(with_bounds(HISTOGRAM(0, 0, 1, 2), (double[]){5}, 1), "{count:3, sum:3, [-Inf,5]:1, (5,+Inf]:2}");
}

/* A naive twin: counts by index, at the lower of two schemas. */
static void sums_agree_with_a_naive_twin(void **state)
{
    (void)state;
    struct check_random r = check_random_new("native");
    for (unsigned round = 0; round < 2000 / check_slowness(); round++) {
        double counts[2][BUCKETS], want[2 * BUCKETS + 1] = {0}, total = 0;
        int32_t schema[2], first[2];
        struct native_histogram *h[2];
        int sign = check_random_below(&r, 2) ? 1 : -1;
        for (size_t k = 0; k < 2; k++) {
            schema[k] = (int32_t)check_random_below(&r, 4);
            first[k] = (int32_t)check_random_below(&r, 20) - 10;
            size_t n = 1 + check_random_below(&r, BUCKETS / 2);
            for (size_t i = 0; i < n; i++)
                counts[k][i] = (double)check_random_below(&r, 4);
            h[k] = histogram(schema[k], first[k], counts[k], n);
        }
        int32_t low = schema[0] < schema[1] ? schema[0] : schema[1];
        for (size_t k = 0; k < 2; k++)
            for (size_t i = 0; i < h[k]->n_positive; i++) {
                int32_t index = ((first[k] + (int32_t)i - 1) >> (schema[k] - low)) + 1;
                want[index + BUCKETS] += (k ? sign : 1) * counts[k][i];
            }
        struct native_notes notes = {false, false};
        const struct native_histogram *sum = add(h[0], h[1], sign, &notes);
        assert_int_equal(sum->schema, low);
        struct native_bucket *b;
        size_t n, at = 0;
        check_ok(native_buckets(&arena, sum, &b, &n));
        for (int32_t i = -BUCKETS; i <= BUCKETS; i++) {
            total += want[i + BUCKETS];
            if (want[i + BUCKETS] == 0)
                continue;
            assert_true(at < n);
            check_double_bits(b[at].upper, native_bound(sum, i));
            check_double_bits(b[at++].count, want[i + BUCKETS]);
        }
        assert_int_equal(at, n);
        check_double_bits(sum->count, total);
        arena_reset(&arena);
    }
}

static void the_wider_zero_bucket_takes_what_lies_in_it(void **state)
{
    (void)state;
    struct native_notes notes = {false, false};
    struct native_histogram *narrow = HISTOGRAM(0, -3, 1, 2, 4, 8), *wide = HISTOGRAM(0, 2, 1);
    narrow->zero_count = 3; /* (1/16, 1/8] 1, ... (1/2, 1] 8 */
    wide->zero_threshold = 0.25;
    wide->zero_count = 10;
    const struct native_histogram *sum = add(narrow, wide, 1, &notes);
    check_double_bits(sum->zero_threshold, 0.25);
    check_double_bits(sum->zero_count, 3 + 1 + 2 + 10);
    check_text(sum, "{count:16, sum:16, [-0.25,0.25]:16, (0.25,0.5]:4, (0.5,1]:8, (2,4]:1}");
    /* a threshold inside of a bucket that holds something moves to its end */
    wide->zero_threshold = 0.3;
    check_double_bits(add(narrow, wide, 1, &notes)->zero_threshold, 0.5);
    check_double_bits(add(wide, narrow, 1, &notes)->zero_threshold, 0.5);
}

static void custom_bounds_meet_at_those_in_common(void **state)
{
    (void)state;
    struct native_notes notes = {false, false};
    struct native_histogram *a = with_bounds(HISTOGRAM(0, 0, 1, 2, 3, 4), (double[]){1, 2, 3}, 3);
    struct native_histogram *b = with_bounds(HISTOGRAM(0, 0, 10, 20, 30), (double[]){2, 5}, 2);
    check_text(add(a, b, 1, &notes), "{count:70, sum:70, [-Inf,2]:13, (2,+Inf]:57}");
    assert_true(notes.reconciled);
    notes.reconciled = false;
    add(a, a, -1, &notes);
    assert_false(notes.reconciled);
    struct native_work w;
    check_ok(native_work_init(&w, &arena, a));
    check_errno(native_work_add(&w, HISTOGRAM(0, 0, 1), 1, &notes), -EINVAL);
}

static void hints_join_and_contradictions_are_noted(void **state)
{
    (void)state;
    static const enum histogram_reset_hint CASES[][3] = {
        {HISTOGRAM_RESET_NO, HISTOGRAM_RESET_NO, HISTOGRAM_RESET_NO},
        {HISTOGRAM_RESET_NO, HISTOGRAM_RESET_UNKNOWN, HISTOGRAM_RESET_UNKNOWN},
        {HISTOGRAM_RESET_NO, HISTOGRAM_GAUGE, HISTOGRAM_GAUGE},
        {HISTOGRAM_GAUGE, HISTOGRAM_RESET_YES, HISTOGRAM_GAUGE},
        {HISTOGRAM_RESET_NO, HISTOGRAM_RESET_YES, HISTOGRAM_RESET_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct native_notes notes = {false, false};
        struct native_histogram *a = HISTOGRAM(0, 0, 1), *b = HISTOGRAM(0, 0, 1);
        a->hint = CASES[i][0];
        b->hint = CASES[i][1];
        assert_int_equal(add(a, b, 1, &notes)->hint, CASES[i][2]);
        assert_int_equal(notes.collision, i == 4);
    }
}

static bool reset(const struct native_histogram *before, const struct native_histogram *now)
{
    bool is;
    check_ok(native_detect_reset(&arena, now, before, &is));
    return is;
}

static void a_reset_is_a_count_that_fell_anywhere(void **state)
{
    (void)state;
    struct native_histogram *h = HISTOGRAM(1, 0, 1, 2, 3);
    assert_false(reset(h, h));
    assert_false(reset(h, HISTOGRAM(1, 0, 1, 2, 3, 4)));
    assert_true(reset(h, HISTOGRAM(1, 0, 1, 1, 9)));
    assert_true(reset(h, HISTOGRAM(1, 1, 9, 9)));  /* a bucket is gone */
    assert_false(reset(h, HISTOGRAM(0, 0, 1, 9))); /* coarser: 1 is in (0.5, 1], 2 + 3 in (1, 2] */
    assert_true(reset(h, HISTOGRAM(2, 0, 9, 9, 9, 9)));
    struct native_histogram *less = HISTOGRAM(1, 0, 1, 2, 3), *told = HISTOGRAM(1, 0, 0, 9, 9);
    less->count = 5;
    assert_true(reset(h, less));
    told->hint = HISTOGRAM_RESET_NO;
    assert_false(reset(h, told));
    told->hint = HISTOGRAM_RESET_YES;
    assert_true(reset(told, told));
}

static void sums_keep_what_rounding_takes_away(void **state)
{
    (void)state;
    struct native_work w;
    struct native_notes notes = {false, false};
    const struct native_histogram *plain, *exact;
    struct native_histogram *small = HISTOGRAM(0, 0, 1), *large = HISTOGRAM(0, 0, 1);
    small->sum = 1;
    large->sum = 1e100;
    check_ok(native_work_init(&w, &arena, small));
    check_ok(native_work_add(&w, large, 1, &notes));
    check_ok(native_work_add(&w, small, 1, &notes));
    check_ok(native_work_add(&w, large, -1, &notes));
    check_ok(native_work_give(&w, NATIVE_PLAIN, &plain));
    check_ok(native_work_give(&w, NATIVE_EXACT, &exact));
    check_double_bits(plain->sum, 0);
    check_double_bits(exact->sum, 2);
}

static void what_a_quantile_says_a_fraction_confirms_and_trimming_counts(void **state)
{
    (void)state;
    struct check_random r = check_random_new("quantile");
    for (unsigned round = 0; round < 2000 / check_slowness(); round++) {
        double counts[10], q = (double)(1 + check_random_below(&r, 999)) / 1000, at, share;
        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
            counts[i] = (double)(1 + check_random_below(&r, 9));
        struct native_histogram *h = histogram((int32_t)check_random_below(&r, 5) - 1,
                                               (int32_t)check_random_below(&r, 9) - 4, counts, ARRAY_LEN(counts));
        struct native_nan nan;
        const struct native_histogram *below, *above;
        check_ok(native_quantile(&arena, q, h, &at, &nan));
        check_ok(native_fraction(&arena, -INFINITY, at, h, &share, &nan));
        assert_true(fabs(share - q) < 1e-9);
        check_ok(native_trim(&arena, h, at, true, &below));
        check_ok(native_trim(&arena, h, at, false, &above));
        assert_true(fabs(below->count - q * h->count) < 1e-6);
        assert_true(fabs(below->count + above->count - h->count) < 1e-6);
        arena_reset(&arena);
    }
}

static void without_memory_every_calculation_says_so(void **state)
{
    (void)state;
    struct native_histogram *h = HISTOGRAM(1, 0, 1, 2, 3);
    for (size_t bytes = 0; bytes < 4000; bytes += 48) {
        struct arena little;
        struct native_work w;
        struct native_notes notes = {false, false};
        const struct native_histogram *out = NULL;
        arena_init(&little, bytes);
        int r = native_work_init(&w, &little, h);
        if (r == 0)
            r = native_work_add(&w, h, 1, &notes);
        if (r == 0)
            r = native_work_give(&w, NATIVE_PLAIN, &out);
        assert_true(r == 0 ? out && out->n_positive == 3 : r == -ENOMEM);
        arena_done(&little);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bounds_are_powers_of_two_and_their_roots, start, finish),
        cmocka_unit_test_setup_teardown(a_histogram_is_told_as_prometheus_tells_it, start, finish),
        cmocka_unit_test_setup_teardown(sums_agree_with_a_naive_twin, start, finish),
        cmocka_unit_test_setup_teardown(the_wider_zero_bucket_takes_what_lies_in_it, start, finish),
        cmocka_unit_test_setup_teardown(custom_bounds_meet_at_those_in_common, start, finish),
        cmocka_unit_test_setup_teardown(hints_join_and_contradictions_are_noted, start, finish),
        cmocka_unit_test_setup_teardown(a_reset_is_a_count_that_fell_anywhere, start, finish),
        cmocka_unit_test_setup_teardown(sums_keep_what_rounding_takes_away, start, finish),
        cmocka_unit_test_setup_teardown(what_a_quantile_says_a_fraction_confirms_and_trimming_counts, start, finish),
        cmocka_unit_test_setup_teardown(without_memory_every_calculation_says_so, start, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
