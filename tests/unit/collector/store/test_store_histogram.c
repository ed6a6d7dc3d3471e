/* Native histograms on all of the store's ways: head, log, seal, compaction, days' files, deletion, retention, restart. */
#include "tests/unit/collector/store/histogram_test.h"

#include "collector/store/store_inside.h"

static struct arena arena;

static int start(void **state)
{
    arena_init(&arena, 1u << 30);
    return set_up(state);
}
static int end(void **state)
{
    arena_done(&arena);
    return tear_down(state);
}

/* What was put at each time of one series: histogram seeds, 0 for a float whose value is its time. */
struct put_sample {
    int64_t t_ms;
    uint64_t seed;
};

static void check_series(struct store *s, const char *text, const struct put_sample *want, size_t n)
{
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(s, text, INT64_MIN, INT64_MAX, &c);
    if (c.n != n)
        check_failed("%s: %zu samples, not %zu", text, c.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(c.t_ms[i], want[i].t_ms);
        if (want[i].seed == 0) {
            assert_true(!c.histograms || !c.histograms[i]);
            check_double_bits(c.value[i], (double)want[i].t_ms);
            continue;
        }
        assert_non_null(c.histograms);
        check_histogram(c.histograms[i], histogram_of(&arena, want[i].seed));
        check_double_bits(c.value[i], c.histograms[i]->sum);
        assert_int_equal(c.start_ms ? c.start_ms[i] : 0, want[i].t_ms / 2);
    }
    sample_columns_done(&c);
}

static void put_one(struct store *s, const char *text, struct put_sample p)
{
    if (p.seed)
        put_histogram(s, text, p.t_ms, histogram_of(&arena, p.seed));
    else
        put(s, text, p.t_ms, (double)p.t_ms);
}

static void histograms_are_read_from_head_extents_and_after_a_restart(void **state)
{
    struct store_fixture *f = *state;
    struct put_sample want[40];
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        want[i] = (struct put_sample){(int64_t)i * 15000 + 1000, i % 5 == 4 ? 0 : i + 1}; /* floats in between */
        put_one(f->s, "rpc_seconds|job=a", want[i]);
        if (i == 7)
            check_ok(store_seal(f->s));
        if (i == 20)
            restart(f);
    }
    put_histogram(f->s, "rpc_seconds|job=b", 5, histogram_of(&arena, 99));
    check_series(f->s, "rpc_seconds|job=a", want, ARRAY_LEN(want));
    struct store_reader *before;
    check_ok(store_reader_open(f->s, &before));
    check_ok(store_seal(f->s));
    check_series(f->s, "rpc_seconds|job=a", want, ARRAY_LEN(want));
    put_histogram(f->s, "rpc_seconds|job=a", 99000000, histogram_of(&arena, 7));
    struct sample_columns c;
    sample_columns_init(&c);
    read_in(before, "rpc_seconds|job=a", INT64_MIN, INT64_MAX, &c); /* its own view, whatever came since */
    assert_int_equal(c.n, ARRAY_LEN(want));
    read_in(before, "rpc_seconds|job=a", 31000, 91000, &c);
    assert_int_equal(c.n, 5);
    assert_int_equal(c.t_ms[0], 31000);
    check_histogram(c.histograms[0], histogram_of(&arena, 3));
    read_in(before, "rpc_seconds|job=a", 61000, 61000, &c); /* a float alone: no column of histograms */
    assert_int_equal(c.n, 1);
    assert_true(!c.histograms || !c.histograms[0]);
    store_reader_close(before);
    sample_columns_done(&c);
    restart(f); /* seals and merges */
    check_series(f->s, "rpc_seconds|job=b", &(struct put_sample){5, 99}, 1);
    assert_int_equal(count_samples(f->s, "rpc_seconds|job=a"), ARRAY_LEN(want) + 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM histlog"), 0);
}

static void late_histograms_take_their_place(void **state)
{
    struct store_fixture *f = *state;
    struct put_sample want[30];
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        want[i] = (struct put_sample){(int64_t)i * 1000 - 9000, i % 7 == 3 ? 0 : i + 1};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) { /* 0, 17, 4, 21, … */
        put_one(f->s, "h", want[i * 17 % ARRAY_LEN(want)]);
        if (i % 6 == 5)
            check_ok(store_seal(f->s));
    }
    check_series(f->s, "h", want, ARRAY_LEN(want));
    check_ok(store_compact(f->s));
    check_series(f->s, "h", want, ARRAY_LEN(want));
    restart(f);
    check_series(f->s, "h", want, ARRAY_LEN(want));
}

static struct store_written offer(struct store *s, int64_t t_ms, uint64_t seed)
{
    struct write_request *w = request_new();
    if (seed)
        request_add_histogram(w, "h", t_ms, histogram_of(&arena, seed));
    else
        request_add(w, "h", t_ms, 1);
    return write_now(s, w);
}

/* Equal ones are silent, wherever the first one lies; others are refused: a float where a histogram is, too. */
static void known_histograms_are_recognised(void **state)
{
    struct store_fixture *f = *state;
    put_histogram(f->s, "h", 10, histogram_of(&arena, 1));
    put_histogram(f->s, "h", 20, histogram_of(&arena, 2));
    put(f->s, "h", 30, 1);
    for (int place = 0; place < 4; place++) {
        assert_int_equal(offer(f->s, 10, 1).histograms, 1);
        assert_int_equal(offer(f->s, 20, 2).histograms, 1);
        assert_int_equal(offer(f->s, 10, 2).refused[STORE_REFUSED_DUPLICATE], 1);
        assert_int_equal(offer(f->s, 20, 0).refused[STORE_REFUSED_DUPLICATE], 1);
        assert_int_equal(offer(f->s, 30, 3).refused[STORE_REFUSED_DUPLICATE], 1);
        assert_int_equal(count_samples(f->s, "h"), 3);
        if (place == 0)
            check_ok(store_seal(f->s));
        else if (place == 1)
            restart(f);
        else if (place == 2)
            check_ok(store_compact(f->s));
    }
}

static void invalid_histograms_are_refused_and_the_rest_is_kept(void **state)
{
    struct store_fixture *f = *state;
    struct write_request *w = request_new();
    struct native_histogram bad = *histogram_of(&arena, 3), large = bad;
    bad.count += 1;
    bad.is_float = false;
    bad.sum = 1;
    request_add_histogram(w, "h", 10, &bad);
    request_add_histogram(w, "h", 20, histogram_of(&arena, 3));
    large.is_float = true;
    large.n_negative = large.n_negative_spans = large.n_bounds = 0;
    large.schema = 0;
    large.positive = arena_array(&arena, 9000, sizeof *large.positive);
    large.n_positive = 9000;
    large.positive_spans = &(struct histogram_span){0, 9000};
    large.n_positive_spans = 1;
    request_add_histogram(w, "h", 30, &large);
    request_add(w, "h", 40, 1);
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.histograms, 1);
    assert_int_equal(written.samples, 1);
    assert_int_equal(written.refused[STORE_REFUSED_HISTOGRAM], 2);
    check_contains(written.why, "add up");
    check_contains(written.why, ": h");
    assert_int_equal(count_samples(f->s, "h"), 2);
    assert_true(stat_of(f->s, "crest_store_refused_samples_total{reason=\"histogram\"}") == 2);
    assert_true(stat_of(f->s, "crest_store_histograms_total") == 1);
}

/* More than one extent takes, over two days: all is cut, merged and moved into the days' files, and nothing changes. */
static void days_of_histograms_are_cut_merged_and_moved(void **state)
{
    struct store_fixture *f = *state;
    enum { SERIES = 6, SAMPLES = 96 };
    static const double WIDE = 4000;
    struct native_histogram wide = {.schema = 2, .sum = 1};
    wide.n_positive = (size_t)WIDE;
    wide.positive = arena_array(&arena, wide.n_positive, sizeof *wide.positive);
    wide.positive_spans = &(struct histogram_span){-7, (uint32_t)WIDE};
    wide.n_positive_spans = 1;
    char name[64];
    for (int64_t i = 0; i < SAMPLES; i++) {
        struct write_request *w = request_new();
        for (int k = 0; k < SERIES; k++) {
            (void)snprintf(name, sizeof name, "h|k=%d", k);
            uint64_t seed = (uint64_t)(i * SERIES + k);
            struct native_histogram *h = arena_alloc(&arena, sizeof *h);
            *h = wide;
            h->positive = arena_array(&arena, wide.n_positive, sizeof *h->positive);
            h->count = 0;
            for (size_t b = 0; b < h->n_positive; b++)
                h->count += h->positive[b] = (double)(histogram_next(&seed) % 100000000);
            request_add_histogram(w, name, i * 1800000, h);
        }
        assert_int_equal(write_now(f->s, w).histograms, SERIES);
        if (i % 12 == 11)
            check_ok(store_seal(f->s));
    }
    for (int round = 0; round < 3; round++) {
        for (int k = 0; k < SERIES; k++) {
            (void)snprintf(name, sizeof name, "h|k=%d", k);
            struct sample_columns c;
            sample_columns_init(&c);
            read_series(f->s, name, INT64_MIN, INT64_MAX, &c);
            assert_int_equal(c.n, SAMPLES);
            for (size_t i = 0; i < c.n; i++) {
                uint64_t seed = i * SERIES + (uint64_t)k;
                assert_int_equal(c.t_ms[i], i * 1800000);
                for (size_t b = 0; b < c.histograms[i]->n_positive; b++)
                    if (c.histograms[i]->positive[b] != (double)(histogram_next(&seed) % 100000000))
                        check_failed("series %d sample %zu bucket %zu", k, i, b);
            }
            sample_columns_done(&c);
        }
        if (round == 0)
            check_ok(store_compact(f->s)); /* merges, and moves both days into their week's file */
        else
            restart(f);
    }
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM part"), 1);
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM ext"), 0);
}

static uint64_t delete_range(struct store *s, const char *name, int64_t min_ms, int64_t max_ms)
{
    struct matcher m;
    struct parse_error error;
    uint64_t n = 0;
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), span_str(name), &error));
    struct store_selection sel = {.matchers = &m, .n_matchers = 1, .min_ms = min_ms, .max_ms = max_ms};
    check_ok(store_delete(s, &sel, 1, &n));
    matcher_done(&m);
    return n;
}

static void deleted_histograms_stay_away(void **state)
{
    struct store_fixture *f = *state;
    struct put_sample want[20], other[20];
    for (size_t i = 0; i < 20; i++) {
        want[i] = (struct put_sample){(int64_t)i * 1000, i % 4 ? i + 1 : 0};
        other[i] = (struct put_sample){(int64_t)i * 1000, i + 100};
        put_one(f->s, "gone", want[i]);
        put_one(f->s, "stays", other[i]);
    }
    assert_int_equal(delete_range(f->s, "gone", 5000, 14000), 1);
    memmove(want + 5, want + 15, 5 * sizeof *want);
    for (int round = 0; round < 4; round++) {
        check_series(f->s, "gone", want, 10);
        check_series(f->s, "stays", other, 20);
        if (round == 0)
            restart(f);
        else if (round == 1)
            check_ok(store_clean(f->s));
        else if (round == 2)
            restart(f);
    }
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM tombstone"), 0);
    put_one(f->s, "gone", (struct put_sample){6000, 500}); /* written afterwards: it lives */
    assert_int_equal(count_samples(f->s, "gone"), 11);
    assert_int_equal(delete_range(f->s, "gone", INT64_MIN, INT64_MAX), 1);
    struct store_reader *rd;
    check_ok(store_reader_open(f->s, &rd));
    assert_int_equal(id_of(rd, "gone"), UINT32_MAX); /* not even listed */
    store_reader_close(rd);
}

static int64_t clock_ms;
static int64_t now_of(void *ctx UNUSED)
{
    return clock_ms;
}

static void retention_takes_old_histograms(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    clock_ms = 100 * INT64_C(86400000);
    f->config.retention_ms = 86400000;
    f->config.now_ms = now_of;
    open_again(f);
    put_histogram(f->s, "h", clock_ms - 3 * INT64_C(86400000), histogram_of(&arena, 1));
    put_histogram(f->s, "h", clock_ms - 1000, histogram_of(&arena, 2));
    assert_int_equal(count_samples(f->s, "h"), 2);
    restart(f); /* seals; the retention comes at start */
    size_t n = 2;
    for (int i = 0; i < 1000 && (n = count_samples(f->s, "h")) == 2; i++)
        check_ok(store_seal(f->s));
    assert_int_equal(n, 1);
    check_series(f->s, "h", &(struct put_sample){clock_ms - 1000, 2}, 1);
}

static void a_damaged_record_of_histograms_costs_only_itself(void **state)
{
    struct store_fixture *f = *state;
    put_histogram(f->s, "h", 10, histogram_of(&arena, 1));
    put(f->s, "h", 20, 20);
    put_histogram(f->s, "h", 30, histogram_of(&arena, 2));
    check_ok(store_seal(f->s));
    put_histogram(f->s, "h", 40, histogram_of(&arena, 3));
    /* the extent of histograms is damaged in the file; readers say so once and give the rest */
    edit_file(f, "UPDATE ext SET data = zeroblob(length(data)) WHERE grp >= 1073741824 AND min_ms = 10");
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(f->s, "h", INT64_MIN, INT64_MAX, &c);
    assert_true(c.n >= 1 && c.n <= 2); /* the stop before the edit may have merged all into one */
    assert_true(stat_of(f->s, "crest_store_damaged_extents") == 1);
    sample_columns_done(&c);
}

static void a_store_in_memory_has_them_too(void **state)
{
    struct store_fixture *f = *state;
    struct store *s;
    char why[256];
    const struct store_config config = {.future_ms_max = -1};
    check_ok(store_open(&config, &s, why, sizeof why));
    struct put_sample want[12];
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        want[i] = (struct put_sample){(int64_t)i * 1000, i % 3 ? i : 0};
        put_one(s, "h", want[i]);
        if (i == 6)
            check_ok(store_seal(s));
    }
    check_series(s, "h", want, ARRAY_LEN(want));
    store_close(s);
    (void)f;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(histograms_are_read_from_head_extents_and_after_a_restart),
        STORE_TEST(late_histograms_take_their_place),
        STORE_TEST(known_histograms_are_recognised),
        STORE_TEST(invalid_histograms_are_refused_and_the_rest_is_kept),
        STORE_TEST(days_of_histograms_are_cut_merged_and_moved),
        STORE_TEST(deleted_histograms_stay_away),
        STORE_TEST(retention_takes_old_histograms),
        STORE_TEST(a_damaged_record_of_histograms_costs_only_itself),
        STORE_TEST(a_store_in_memory_has_them_too),
    };
    return cmocka_run_group_tests_name("collector/store/histogram", tests, NULL, NULL);
}
