/* Retention by selector: hidden at once, gone from the files with compaction, longer than the rest, pins, restarts, changes. */
#include "tests/unit/collector/store/store_test.h"

#include <math.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

static const int64_t DAY = 86400000;
static const char *const COMMERCE[] = {"commerce:", NULL};
static _Atomic int64_t clock_ms;

static int64_t now(void *ctx)
{
    (void)ctx;
    return atomic_load(&clock_ms);
}

static struct matcher matchers[3];
/* debug for two days, commerce for ever; debug's commerce series are debug's, which stands first. */
static struct store_retention RULES[] = {
    {&matchers[0], 1, 2 * 86400000}, {&matchers[1], 1, 0}, {&matchers[2], 1, 20 * 86400000}};

static int set_up_rules(void **state)
{
    struct parse_error error;
    int r = set_up(state);
    check_ok(matcher_init(&matchers[0], MATCH_EQUAL, SPAN("job"), SPAN("debug"), &error));
    check_ok(matcher_init(&matchers[1], MATCH_REGEX, SPAN("__name__"), SPAN("commerce:.*"), &error));
    check_ok(matcher_init(&matchers[2], MATCH_NOT_EQUAL, SPAN("kept"), SPAN(""), &error));
    return r;
}

static int tear_down_rules(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
        matcher_done(&matchers[i]);
    return tear_down(state);
}

static void reopen(struct store_fixture *f)
{
    shut(f);
    open_again(f);
    f->s->part_bytes_min = 1;
}

static const char *const SERIES[] = {"plain", "debug|job=debug", "commerce:orders", "commerce:debug|job=debug",
                                     "special|kept=long"};
enum { PLAIN, DEBUG, COMMERCE_ORDERS, COMMERCE_DEBUG, SPECIAL, N_SERIES };

static double value_at(int series, int64_t t_ms)
{
    return (double)(t_ms / 3600000 % 1000) + series;
}

/* Ten days of all of them, an hour apart: they are neighbours, in one group. The tenth day is not over. */
static void write_ten_days(struct store_fixture *f, int64_t retention_ms, size_t n_rules)
{
    shut(f);
    atomic_store(&clock_ms, 110 * DAY);
    f->config.now_ms = now;
    f->config.retention_ms = retention_ms;
    f->config.retentions = RULES;
    f->config.n_retentions = n_rules;
    open_again(f);
    f->s->part_bytes_min = 1;
    for (int64_t day = 100; day < 110; day++) {
        struct write_request *w = request_new();
        for (int i = 0; i < N_SERIES; i++) {
            struct write_series *ws = request_series(w, SERIES[i], 24);
            for (int64_t t = day * DAY; t < (day + 1) * DAY; t += 3600000)
                ws->samples[ws->n_samples++] = (struct sample){.t_ms = t, .value = value_at(i, t)};
        }
        assert_int_equal(write_now(f->s, w).samples, 24 * N_SERIES);
        check_ok(store_seal(f->s));
    }
}

/* The series has exactly the hours of [from_ms, 110 days). */
static void check_from(struct store_fixture *f, int series, int64_t from_ms, const char *when)
{
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(f->s, SERIES[series], INT64_MIN, INT64_MAX, &c);
    if (c.n != (size_t)((110 * DAY - from_ms) / 3600000))
        check_failed("%s: %s has %zu samples, not %lld", when, SERIES[series], c.n,
                     (long long)((110 * DAY - from_ms) / 3600000));
    for (size_t i = 0; i < c.n; i++) {
        assert_int_equal(c.t_ms[i], from_ms + (int64_t)i * 3600000);
        assert_true(c.value[i] == value_at(series, c.t_ms[i]));
    }
    sample_columns_done(&c);
}

static void check_all(struct store_fixture *f, int64_t plain_ms, int64_t debug_ms, const char *when)
{
    check_from(f, PLAIN, plain_ms, when);
    check_from(f, DEBUG, debug_ms, when);
    check_from(f, COMMERCE_ORDERS, 100 * DAY, when);
    check_from(f, COMMERCE_DEBUG, debug_ms, when); /* the first selector that matches counts */
    check_from(f, SPECIAL, 100 * DAY, when);
}

/* How many samples the files and head.db have of the series, whatever readers hide. */
static size_t stored(struct store_fixture *f, int series)
{
    uint32_t id = (uint32_t)series; /* they are the first in their order */
    struct extent_ref *refs = NULL;
    struct extent_source src;
    size_t n = 0, samples = 0;
    check_ok(extent_dir_list(&f->s->extents, 0, UINT32_MAX, &refs, &n));
    extent_source_init(&src, f->s, false);
    for (size_t i = 0; i < n; i++) {
        struct loaded_extent x;
        struct extent_series at;
        check_ok(store_load_extent(&src, &refs[i], &x));
        if (extent_find(&x.extent, id, &at))
            samples += at.samples;
        loaded_extent_free(&x);
    }
    extent_source_done(&src);
    free(refs);
    return samples;
}

static void a_shorter_retention_hides_at_once_and_leaves_the_files_by_whole_days(void **state)
{
    struct store_fixture *f = *state;
    write_ten_days(f, 0, 3);
    int64_t cutoff = 108 * DAY; /* the hour that the clock's last millisecond is in */
    check_all(f, 100 * DAY, cutoff, "hidden in head.db");
    assert_int_equal(stored(f, DEBUG), 240);
    check_ok(store_compact(f->s)); /* moves nine days, and rewrites */
    check_ok(store_compact(f->s));
    check_all(f, 100 * DAY, cutoff, "compacted");
    assert_int_equal(stored(f, DEBUG), 48);
    assert_int_equal(stored(f, COMMERCE_DEBUG), 48);
    assert_int_equal(stored(f, PLAIN), 240);
    assert_int_equal(stat_of(f->s, "crest_store_tombstones"), 0);
    double purged = stat_of(f->s, "crest_store_purged_extents_total");
    check_ok(store_compact(f->s)); /* what has none of them any more is not rewritten again */
    assert_true(stat_of(f->s, "crest_store_purged_extents_total") == purged);
    reopen(f);
    check_all(f, 100 * DAY, cutoff, "opened again");
    atomic_fetch_add(&clock_ms, DAY / 2); /* half a day is hidden, and in the file until the day is over */
    check_from(f, DEBUG, cutoff + DAY / 2, "half a day later");
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, DEBUG), 48);
    atomic_fetch_add(&clock_ms, DAY / 2);
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, DEBUG), 24);
    check_all(f, 100 * DAY, cutoff + DAY, "a day later");
}

static void a_longer_retention_outlives_the_rest_of_its_files(void **state)
{
    struct store_fixture *f = *state;
    write_ten_days(f, 4 * DAY, 3);
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    check_all(f, 106 * DAY, 108 * DAY, "compacted");
    assert_int_equal(stored(f, PLAIN), 96);
    assert_int_equal(stored(f, COMMERCE_ORDERS), 240);
    for (int i = 0; i < 2; i++) {
        reopen(f);
        check_ok(store_compact(f->s));
        check_all(f, 106 * DAY, 108 * DAY, "opened again");
    }
    atomic_store(&clock_ms, 200 * DAY); /* beyond the third selector's 20 days, too */
    reopen(f);
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(count_samples(f->s, "plain"), 0);
    assert_int_equal(count_samples(f->s, "special|kept=long"), 0);
    assert_int_equal(stored(f, SPECIAL), 0);
    assert_int_equal(stored(f, DEBUG), 0);
    check_from(f, COMMERCE_ORDERS, 100 * DAY, "for ever");
}

static size_t day_files(struct store_fixture *f)
{
    char pattern[512];
    struct file_list files;
    (void)snprintf(pattern, sizeof pattern, "%s/day-*", f->folder);
    check_ok(file_glob(pattern, &files));
    size_t n = files.n;
    file_list_done(&files);
    return n;
}

static void days_on_which_only_shorter_ones_wrote_are_dropped_as_files(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    atomic_store(&clock_ms, 110 * DAY);
    f->config = (struct store_config){.path = f->folder,
                                      .future_ms_max = -1,
                                      .now_ms = now,
                                      .retentions = RULES,
                                      .n_retentions = 1,
                                      .durability = STORE_NORMAL};
    open_again(f);
    f->s->part_bytes_min = 1;
    for (int64_t day = 105; day < 110; day++)
        for (int64_t i = 0; i < 4; i++)
            put(f->s, "debug|job=debug", day * DAY + i, 1);
    check_ok(store_seal(f->s));
    check_ok(store_set_pins(f->s, NULL, 0)); /* the retention runs now */
    for (int i = 0; i < 60000 && store_oldest_ms(f->s) < 108 * DAY; i++)
        sleep_us(1000);
    assert_int_equal(store_oldest_ms(f->s), 108 * DAY);
    check_ok(store_compact(f->s));
    assert_int_equal(day_files(f), 1);
    atomic_store(&clock_ms, 112 * DAY);
    check_ok(store_set_pins(f->s, NULL, 0));
    for (int i = 0; i < 60000 && store_oldest_ms(f->s) != INT64_MAX; i++)
        sleep_us(1000);
    assert_int_equal(day_files(f), 0);
}

static void a_file_that_lost_much_to_the_retention_is_written_anew(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    atomic_store(&clock_ms, 102 * DAY);
    f->config.now_ms = now;
    f->config.retentions = RULES;
    f->config.n_retentions = 1;
    open_again(f);
    f->s->part_bytes_min = 1;
    char text[64];
    for (int i = 0; i < 256; i++) { /* two groups, of which one is all debug */
        (void)snprintf(text, sizeof text, "m|i=%03d|job=%s", i, i < 128 ? "debug" : "shop");
        struct write_request *w = request_new();
        struct write_series *ws = request_series(w, text, 100);
        for (int64_t k = 0; k < 100; k++)
            ws->samples[ws->n_samples++] =
                (struct sample){.t_ms = 100 * DAY + k * 1000, .value = sqrt((double)(i * k))};
        assert_int_equal(write_now(f->s, w).samples, 100);
    }
    check_ok(store_seal(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(day_files(f), 1);
    uint64_t before = store_parts_bytes(f->s);
    assert_int_equal(extent_dir_totals(&f->s->extents).extents, 4); /* samples and rollups */
    atomic_store(&clock_ms, 103 * DAY);
    check_ok(store_set_pins(f->s, NULL, 0));
    for (int i = 0; i < 60000 && extent_dir_totals(&f->s->extents).extents > 2; i++)
        sleep_us(1000);
    check_ok(store_set_pins(f->s, NULL, 0)); /* the writer has counted, too, what left the file */
    check_ok(store_compact(f->s));
    assert_int_equal(day_files(f), 1);
    assert_in_range(store_parts_bytes(f->s), 1, before * 3 / 4);
    uint64_t after = store_parts_bytes(f->s);
    reopen(f); /* nothing of it comes back */
    assert_int_equal(extent_dir_totals(&f->s->extents).extents, 2);
    assert_int_equal(store_parts_bytes(f->s), after);
    assert_int_equal(count_samples(f->s, "m|i=200|job=shop"), 100);
    assert_int_equal(count_samples(f->s, "m|i=007|job=debug"), 0);
}

static void what_is_pinned_stays_whatever_its_selector_says(void **state)
{
    struct store_fixture *f = *state;
    const struct store_pin pin = {102 * DAY + DAY / 2, 103 * DAY + DAY / 2 - 1, COMMERCE};
    write_ten_days(f, 0, 1);
    check_ok(store_set_pins(f->s, &pin, 1));
    for (int i = 0; i < 3; i++) {
        struct sample_columns c;
        sample_columns_init(&c);
        check_from(f, PLAIN, 100 * DAY, "pinned");
        check_from(f, DEBUG, 108 * DAY, "not pinned");
        read_series(f->s, SERIES[COMMERCE_DEBUG], INT64_MIN, INT64_MAX, &c);
        assert_int_equal(c.n, 24 + 48); /* the window, and what is not over */
        assert_int_equal(c.t_ms[0], 102 * DAY + DAY / 2);
        assert_int_equal(c.t_ms[23], 103 * DAY + DAY / 2 - 3600000);
        assert_int_equal(c.t_ms[24], 108 * DAY);
        sample_columns_done(&c);
        check_ok(store_compact(f->s));
    }
    assert_int_equal(stored(f, COMMERCE_DEBUG), 2 * 24 + 48); /* its days */
    assert_int_equal(stored(f, DEBUG), 48);
    check_ok(store_set_pins(f->s, NULL, 0));
    check_from(f, COMMERCE_DEBUG, 108 * DAY, "not pinned any more");
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, COMMERCE_DEBUG), 48);
}

static void nothing_leaves_before_the_pins_are_known(void **state)
{
    struct store_fixture *f = *state;
    f->config.retention_waits = true;
    write_ten_days(f, 4 * DAY, 3);
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, DEBUG), 240);
    assert_int_equal(stored(f, PLAIN), 240);
    check_ok(store_set_pins(f->s, NULL, 0));
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, DEBUG), 48);
    assert_int_equal(stored(f, PLAIN), 96);
}

static void other_retentions_hold_from_the_next_reader_on(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *before;
    struct sample_columns c;
    sample_columns_init(&c);
    write_ten_days(f, 0, 0);
    check_ok(store_compact(f->s));
    check_from(f, DEBUG, 100 * DAY, "without selectors");
    check_ok(store_reader_open(f->s, &before));
    check_ok(store_set_retention(f->s, 0, RULES, 3));
    check_all(f, 100 * DAY, 108 * DAY, "with them");
    check_ok(store_compact(f->s)); /* waits for the reader */
    read_in(before, SERIES[DEBUG], INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, 240);
    store_reader_close(before);
    check_ok(store_set_retention(f->s, 0, RULES + 1, 2)); /* taken back: what was dropped by then stays so */
    check_from(f, PLAIN, 100 * DAY, "taken back");
    check_from(f, COMMERCE_ORDERS, 100 * DAY, "taken back");
    check_ok(store_set_retention(f->s, 0, RULES, 1));
    check_ok(store_compact(f->s));
    check_ok(store_compact(f->s));
    assert_int_equal(stored(f, DEBUG), 48);
    check_ok(store_set_retention(f->s, 3 * DAY, NULL, 0));
    for (int i = 0; i < 60000 && store_oldest_ms(f->s) < 107 * DAY; i++)
        sleep_us(1000);
    check_from(f, COMMERCE_ORDERS, 107 * DAY, "the retention of all");
    check_errno(store_set_retention(f->s, 0, RULES, STORE_RETENTIONS_MAX + 1), -E2BIG);
    sample_columns_done(&c);
}

static void in_memory_it_is_hidden_and_goes_with_its_neighbours(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    f->config.path = NULL;
    open_again(f);
    write_ten_days(f, 4 * DAY, 1);
    check_from(f, DEBUG, 108 * DAY, "hidden");
    for (int i = 0; i < 60000 && store_oldest_ms(f->s) < 106 * DAY; i++) {
        check_ok(store_set_pins(f->s, NULL, 0));
        sleep_us(1000);
    }
    check_from(f, PLAIN, 106 * DAY, "dropped");
    check_from(f, DEBUG, 108 * DAY, "dropped");
}

static void series_that_are_over_are_not_listed(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct arena a;
    struct store_series *series;
    size_t n;
    write_ten_days(f, 0, 1);
    put(f->s, "gone|job=debug", 101 * DAY, 1);
    arena_init(&a, 16u << 20);
    for (int i = 0; i < 2; i++) {
        check_ok(store_reader_open(f->s, &rd));
        struct matcher m;
        struct parse_error error;
        check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("job"), SPAN("debug"), &error));
        struct store_selection selection = {
            .matchers = &m, .n_matchers = 1, .min_ms = INT64_MIN, .max_ms = 108 * DAY - 1};
        check_ok(store_select(rd, &selection, &a, &series, &n));
        assert_int_equal(n, 0);
        selection.max_ms = 108 * DAY;
        check_ok(store_select(rd, &selection, &a, &series, &n));
        assert_true(n >= 2);
        matcher_done(&m);
        store_reader_close(rd);
        check_ok(store_compact(f->s));
    }
    arena_done(&a);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_rules, tear_down_rules)
    const struct CMUnitTest tests[] = {
        TEST(a_shorter_retention_hides_at_once_and_leaves_the_files_by_whole_days),
        TEST(a_longer_retention_outlives_the_rest_of_its_files),
        TEST(days_on_which_only_shorter_ones_wrote_are_dropped_as_files),
        TEST(a_file_that_lost_much_to_the_retention_is_written_anew),
        TEST(what_is_pinned_stays_whatever_its_selector_says),
        TEST(nothing_leaves_before_the_pins_are_known),
        TEST(other_retentions_hold_from_the_next_reader_on),
        TEST(in_memory_it_is_hidden_and_goes_with_its_neighbours),
        TEST(series_that_are_over_are_not_listed),
    };
    return cmocka_run_group_tests_name("collector/store retention", tests, NULL, NULL);
}
