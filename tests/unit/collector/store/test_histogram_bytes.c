/* Native histograms as bytes: packed, in the log, in extents. */
#include "collector/store/histogram_extent.h"
#include "collector/store/histogram_log.h"
#include "collector/store/residual.h"
#include "lib/metric/native_histogram.h"
#include "tests/unit/collector/store/histogram_test.h"

static struct arena arena;

static int set_up_arena(void **state)
{
    (void)state;
    arena_init(&arena, 512u << 20);
    return 0;
}
static int tear_down_arena(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct histogram_item packed_of(const struct native_histogram *h, int64_t t_ms)
{
    uint8_t *bytes = arena_alloc(&arena, histogram_pack_bound(h));
    size_t n = (size_t)(histogram_pack(bytes, h) - bytes);
    assert_in_range(n, 1, histogram_pack_bound(h));
    return (struct histogram_item){t_ms, 0, bytes, n};
}

static void histograms_come_back_bit_by_bit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        const struct native_histogram *h = histogram_of(&arena, seed);
        const char *why = "";
        if (native_histogram_check(h, &why) < 0)
            check_failed("seed %llu: %s", (unsigned long long)seed, why);
        struct histogram_item item = packed_of(h, 0);
        struct packed_histogram packed;
        struct native_histogram back;
        const uint8_t *at = item.bytes;
        check_ok(histogram_open(&at, item.bytes + item.n_bytes, &packed));
        assert_ptr_equal(at, item.bytes + item.n_bytes);
        check_ok(histogram_unpack(&packed, &arena, &back));
        check_histogram(&back, h);
        for (size_t n = 0; n < item.n_bytes; n++) { /* cut anywhere it is none, and nothing behind is read */
            uint8_t *cut = malloc(n ? n : 1);
            memcpy(cut, item.bytes, n);
            at = cut;
            assert_int_equal(histogram_open(&at, cut + n, &packed), -EBADMSG);
            free(cut);
        }
    }
}

/* Counts that are no whole numbers below 2^53, and the ends of what is stored. */
static void odd_and_large_histograms_come_back(void **state)
{
    (void)state;
    double odd[] = {-0.0, 1e300, 0x1p53, 0x1p53 + 2, 0.1, INFINITY, f64_from_bits(0x7ff8000000001234ull)};
    struct histogram_span span = {INT32_MIN, ARRAY_LEN(odd)};
    struct native_histogram h = {.schema = 8,
                                 .is_float = true,
                                 .count = 1,
                                 .positive_spans = &span,
                                 .n_positive_spans = 1,
                                 .positive = odd,
                                 .n_positive = ARRAY_LEN(odd)};
    struct native_histogram back;
    struct packed_histogram packed;
    struct histogram_item item = packed_of(&h, 0);
    const uint8_t *at = item.bytes;
    check_ok(histogram_open(&at, at + item.n_bytes, &packed));
    check_ok(histogram_unpack(&packed, &arena, &back));
    check_histogram(&back, &h);

    struct histogram_span *spans = arena_array(&arena, HISTOGRAM_SPANS_MAX, sizeof *spans);
    double *counts = arena_array(&arena, HISTOGRAM_BUCKETS_MAX + 1, sizeof *counts);
    for (size_t i = 0; i < HISTOGRAM_SPANS_MAX; i++)
        spans[i] = (struct histogram_span){i ? 500000 : INT32_MIN, HISTOGRAM_BUCKETS_MAX / HISTOGRAM_SPANS_MAX};
    for (size_t i = 0; i < HISTOGRAM_BUCKETS_MAX; i++)
        counts[i] = 0.1 + (double)i;
    h.positive_spans = spans;
    h.n_positive_spans = HISTOGRAM_SPANS_MAX;
    h.positive = counts;
    h.n_positive = HISTOGRAM_BUCKETS_MAX;
    const char *why;
    check_ok(histogram_pack_check(&h, &why));
    item = packed_of(&h, 0);
    assert_true(item.n_bytes <= HISTOGRAM_PACK_BYTES_MAX);
    at = item.bytes;
    check_ok(histogram_open(&at, at + item.n_bytes, &packed));
    check_ok(histogram_unpack(&packed, &arena, &back));
    check_histogram(&back, &h);
    h.n_positive++;
    assert_int_equal(histogram_pack_check(&h, &why), -EINVAL);
}

static void rules_of_histograms_are_told(void **state)
{
    (void)state;
    double two[] = {1, 2}, bounds[] = {1, 2, INFINITY}, falling[] = {2, 1};
    struct histogram_span spans[] = {{0, 1}, {-1, 1}}, one[] = {{0, 2}}, before[] = {{-1, 2}};
    const struct {
        struct native_histogram h;
        const char *why; /* NULL: fine */
    } CASES[] = {
        {{.count = 3, .positive = two, .n_positive = 2, .positive_spans = one, .n_positive_spans = 1}, NULL},
        {{.count = 4, .positive = two, .n_positive = 2, .positive_spans = one, .n_positive_spans = 1}, "add up"},
        {{.count = 4, .sum = NAN, .positive = two, .n_positive = 2, .positive_spans = one, .n_positive_spans = 1},
         NULL},
        {{.count = 2, .sum = NAN, .positive = two, .n_positive = 2, .positive_spans = one, .n_positive_spans = 1},
         "add up"},
        {{.count = 9, .is_float = true, .positive = two, .n_positive = 2, .positive_spans = one, .n_positive_spans = 1},
         NULL},
        {{.count = 3, .positive = two, .n_positive = 2, .positive_spans = spans, .n_positive_spans = 2}, "overlap"},
        {{.count = 1, .positive = two, .n_positive = 1, .positive_spans = one, .n_positive_spans = 1},
         "another number of buckets"},
        {{.count = -1, .is_float = true}, "count is negative"},
        {{.schema = 9}, "schema"},
        {{.schema = -5}, "schema"},
        {{.bounds = bounds, .n_bounds = 2}, "exponential buckets has custom bounds"},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA, .bounds = bounds, .n_bounds = 2}, NULL},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA, .bounds = bounds, .n_bounds = 3}, "infinite"},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA, .bounds = falling, .n_bounds = 2}, "do not rise"},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA, .zero_threshold = 1}, "zero or negative"},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA,
          .count = 3,
          .positive = two,
          .n_positive = 2,
          .positive_spans = before,
          .n_positive_spans = 1},
         "before its custom bounds"},
        {{.schema = HISTOGRAM_CUSTOM_SCHEMA,
          .count = 3,
          .positive = two,
          .n_positive = 2,
          .positive_spans = one,
          .n_positive_spans = 1},
         "beyond its custom bounds"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *why = "";
        int r = native_histogram_check(&CASES[i].h, &why);
        if (CASES[i].why ? r != -EINVAL || !strstr(why, CASES[i].why) : r != 0)
            check_failed("case %zu: %d %s", i, r, why);
    }
}

static void a_record_of_the_log_gives_them_back(void **state)
{
    (void)state;
    struct histogram_log log;
    struct histogram_log_reader rd;
    histogram_log_init(&log);
    histogram_log_reader_init(&rd);
    for (size_t n = 0; n < 60; n += n < 2 ? 1 : 19) { /* none, one without compression, many */
        const uint8_t *bytes = NULL;
        size_t n_bytes = 0;
        histogram_log_begin(&log);
        for (size_t i = 0; i < n; i++) {
            struct histogram_item item = packed_of(histogram_of(&arena, i), (int64_t)i * 15000 - 40000);
            item.start_ms = i % 3 ? (int64_t)i : 0;
            histogram_log_add(&log, (uint32_t)(i * 7 % 50), &item);
        }
        check_ok(histogram_log_end(&log, &bytes, &n_bytes));
        if (n == 0) {
            assert_int_equal(n_bytes, 0);
            continue;
        }
        check_ok(histogram_log_open(&rd, bytes, n_bytes));
        for (size_t i = 0; i < n; i++) {
            uint32_t id;
            struct histogram_item item, want = packed_of(histogram_of(&arena, i), 0);
            assert_int_equal(histogram_log_next(&rd, &id, &item), 1);
            assert_int_equal(id, i * 7 % 50);
            assert_int_equal(item.t_ms, (int64_t)i * 15000 - 40000);
            assert_int_equal(item.start_ms, i % 3 ? (int64_t)i : 0);
            assert_int_equal(item.n_bytes, want.n_bytes);
            assert_memory_equal(item.bytes, want.bytes, want.n_bytes);
        }
        uint32_t id;
        struct histogram_item item;
        assert_int_equal(histogram_log_next(&rd, &id, &item), 0);
        uint8_t *damaged = malloc(n_bytes);
        for (size_t i = 0; i < n_bytes; i++) {
            memcpy(damaged, bytes, n_bytes);
            damaged[i] ^= 1;
            assert_int_equal(histogram_log_open(&rd, damaged, n_bytes), -EBADMSG);
        }
        free(damaged);
    }
    histogram_log_done(&log);
    histogram_log_reader_done(&rd);
}

/* ---- extents ---- */
struct expected {
    size_t next, to;
    const uint64_t *packed;
    int64_t start_ms;
};

static int check_row(void *ctx, const struct histogram_row *row)
{
    struct expected *e = ctx;
    uint8_t bytes[4096];
    assert_int_equal(row->index, e->next);
    assert_true(HISTOGRAM_PACK_BOUND(row->layout) <= sizeof bytes);
    size_t n = (size_t)(histogram_pack_columns(bytes, row->is_float, row->hint, row->layout, row->bits) - bytes);
    assert_memory_equal(bytes, (const uint8_t *)(uintptr_t)e->packed[e->next], n);
    assert_int_equal(row->t_ms, (int64_t)e->next * 1000 + 5);
    assert_int_equal(row->start_ms, e->start_ms ? e->start_ms + (int64_t)e->next : 0);
    e->next++;
    return 0;
}

/* Seeds of one layout now and then in a row, as a client's histograms are. */
static void fill(uint64_t *packed, int64_t *t, int64_t *starts, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t pick = i / 40 % 2 ? seed : seed + i; /* 40 equal ones, 40 of all layouts */
        packed[i] = (uint64_t)(uintptr_t)packed_of(histogram_of(&arena, pick), 0).bytes;
        t[i] = (int64_t)i * 1000 + 5;
        starts[i] = 77 + (int64_t)i;
    }
}

static void an_extent_gives_them_back(void **state)
{
    (void)state;
    static uint64_t packed[3][EXTENT_SAMPLES_MAX];
    static int64_t t[EXTENT_SAMPLES_MAX], starts[EXTENT_SAMPLES_MAX], got[EXTENT_SAMPLES_MAX];
    static const size_t COUNTS[3] = {1, 300, EXTENT_SAMPLES_MAX};
    struct histogram_extent_writer *w;
    struct extent x;
    uint8_t *bytes;
    size_t n_bytes;
    check_ok(histogram_extent_writer_new(&w));
    for (int twice = 0; twice < 2; twice++) {
        histogram_extent_begin(w, 3 | EXTENT_HISTOGRAMS);
        for (unsigned i = 0; i < 3; i++) {
            fill(packed[i], t, starts, COUNTS[i], i * 1000);
            check_ok(histogram_extent_add(w, i * 60, t, i == 1 ? starts : NULL, packed[i], COUNTS[i]));
        }
        check_ok(histogram_extent_end(w, &bytes, &n_bytes));
        check_ok(extent_open(&x, bytes, n_bytes));
        assert_true(x.histograms);
        assert_int_equal(x.group, 3 | EXTENT_HISTOGRAMS);
        assert_int_equal(x.min_ms, 5);
        struct extent_series none;
        struct histogram_series at;
        assert_false(extent_find(&x, 0, &none));
        assert_false(histogram_extent_find(&x, 1, &at));
        for (unsigned i = 0; i < 3; i++) {
            assert_true(histogram_extent_find(&x, i * 60, &at));
            assert_int_equal(at.samples, COUNTS[i]);
            check_ok(histogram_extent_times(&x, &at, got));
            fill(packed[i], t, starts, COUNTS[i], i * 1000);
            assert_memory_equal(got, t, COUNTS[i] * sizeof *t);
            struct expected all = {0, COUNTS[i], packed[i], i == 1 ? 77 : 0};
            check_ok(histogram_extent_read(&x, &at, 0, COUNTS[i], check_row, &all));
            assert_int_equal(all.next, COUNTS[i]);
            if (COUNTS[i] < 200)
                continue;
            struct expected some = {47, 130, packed[i], all.start_ms};
            check_ok(histogram_extent_read(&x, &at, 47, 130, check_row, &some));
            assert_int_equal(some.next, 130);
        }
        free(bytes);
    }
    histogram_extent_writer_free(w);
}

/* A column for each bucket: counters that rise by a few take some bits, not bytes. */
static void many_of_one_layout_are_small(void **state)
{
    (void)state;
    enum { SAMPLES = 240, BUCKETS = 40 };
    static uint64_t packed[SAMPLES];
    static int64_t t[SAMPLES];
    double counts[BUCKETS] = {0};
    uint64_t seed = 7;
    size_t plain = 0;
    struct histogram_span span = {-10, BUCKETS};
    struct native_histogram h = {.schema = 3, .positive = counts, .n_positive = BUCKETS};
    h.positive_spans = &span;
    h.n_positive_spans = 1;
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t b = 0; b < BUCKETS; b++) {
            uint64_t more = 5 + histogram_next(&seed) % 4;
            counts[b] += (double)more;
            h.count += (double)more;
            h.sum += (double)more * 0.25;
        }
        struct histogram_item item = packed_of(&h, 0);
        packed[i] = (uint64_t)(uintptr_t)item.bytes;
        plain += item.n_bytes;
        t[i] = (int64_t)i * 15000;
    }
    struct histogram_extent_writer *w;
    uint8_t *bytes;
    size_t n_bytes;
    check_ok(histogram_extent_writer_new(&w));
    histogram_extent_begin(w, EXTENT_HISTOGRAMS);
    check_ok(histogram_extent_add(w, 0, t, NULL, packed, SAMPLES));
    check_ok(histogram_extent_end(w, &bytes, &n_bytes));
    double each =
        (double)n_bytes / SAMPLES; /* 40 buckets of 4 values each carry 2 bits: 10 bytes; +3 columns, +heads */
    if (each > 22 || n_bytes * 2 > plain)
        check_failed("%.1f bytes a histogram, packed they have %.1f", each, (double)plain / SAMPLES);
    free(bytes);
    histogram_extent_writer_free(w);
}

static int count_rows(void *ctx, const struct histogram_row *row)
{
    double sum = 0; /* every bit is read: the sanitizers look on */
    for (size_t i = 0; i < histogram_layout_columns(row->layout); i++)
        sum += f64_from_bits(row->bits[i]);
    *(double *)ctx += sum;
    return 0;
}

/* With the CRC put right again: whatever the bytes say, it ends in -EBADMSG or in some histograms. */
static void damaged_extents_do_no_harm(void **state)
{
    (void)state;
    static uint64_t packed[100];
    static int64_t t[100], starts[100];
    struct histogram_extent_writer *w;
    uint8_t *bytes;
    size_t n_bytes;
    double sum = 0;
    unsigned refused = 0;
    check_ok(histogram_extent_writer_new(&w));
    histogram_extent_begin(w, EXTENT_HISTOGRAMS);
    fill(packed, t, starts, 100, 11);
    check_ok(histogram_extent_add(w, 9, t, starts, packed, 100));
    check_ok(histogram_extent_end(w, &bytes, &n_bytes));
    struct extent x;
    check_ok(extent_open(&x, bytes, n_bytes));
    uint64_t seed = 42;
    for (int i = 0; i < 4000; i++) {
        size_t at = 48 + histogram_next(&seed) % (n_bytes - 48);
        uint8_t was = bytes[at];
        struct histogram_series series;
        bytes[at] ^= (uint8_t)(1u << histogram_next(&seed) % 8);
        x.bytes = bytes; /* opened before: the CRC is not asked again */
        assert_true(histogram_extent_find(&x, 9, &series));
        int r = histogram_extent_read(&x, &series, 0, series.samples, count_rows, &sum);
        assert_true(r == 0 || r == -EBADMSG);
        refused += r < 0;
        bytes[at] = was;
    }
    assert_true(refused > 100);
    free(bytes);
    histogram_extent_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(histograms_come_back_bit_by_bit, set_up_arena, tear_down_arena),
        cmocka_unit_test_setup_teardown(odd_and_large_histograms_come_back, set_up_arena, tear_down_arena),
        cmocka_unit_test(rules_of_histograms_are_told),
        cmocka_unit_test_setup_teardown(a_record_of_the_log_gives_them_back, set_up_arena, tear_down_arena),
        cmocka_unit_test_setup_teardown(an_extent_gives_them_back, set_up_arena, tear_down_arena),
        cmocka_unit_test_setup_teardown(many_of_one_layout_are_small, set_up_arena, tear_down_arena),
        cmocka_unit_test_setup_teardown(damaged_extents_do_no_harm, set_up_arena, tear_down_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
