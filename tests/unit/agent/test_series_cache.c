/* The cache of a target's series: found by what the page calls them, forgotten when a round did not see them. */
#include "agent/series_cache.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "tests/support/check.h"

#define HASH 7u /* the same for all: every look-up has to tell keys apart by their bytes */

static struct pair_table *table;

static int setup(void **state UNUSED)
{
    return pair_table_new(&table);
}

/* Everything that was taken has been released. */
static int teardown(void **state UNUSED)
{
    size_t left = pair_table_count(table);
    pair_table_free(table);
    return left ? -1 : 0;
}

static struct labels named(struct label pairs[2], const char *name, const char *value)
{
    pairs[0] = (struct label){SPAN("__name__"), span_str(name)};
    pairs[1] = (struct label){SPAN("l"), span_str(value)};
    return (struct labels){pairs, value[0] ? 2 : 1};
}

static int64_t add(struct series_cache *c, const char *name, const char *value, const struct labels *final)
{
    struct label pairs[2];
    struct labels labels = named(pairs, name, value);
    check_errno((int)series_cache_find(c, &labels, HASH), -ENOENT);
    int64_t at = series_cache_add(c, &labels, HASH, final ? final : &labels);
    assert_true(at >= 0);
    c->list[at].round = c->round;
    return at;
}

static int64_t find(struct series_cache *c, const char *name, const char *value)
{
    struct label pairs[2];
    struct labels labels = named(pairs, name, value);
    return series_cache_find(c, &labels, HASH);
}

static void a_series_is_found_by_the_pages_labels(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2];
    struct labels final = named(pairs, "final", "x");
    series_cache_init(&c, table);
    series_cache_begin(&c);
    int64_t a = add(&c, "up", "1", &final), b = add(&c, "up", "12", NULL), d = add(&c, "up1", "", NULL);
    assert_int_equal(find(&c, "up", "1"), a);
    assert_int_equal(find(&c, "up", "12"), b);
    assert_int_equal(find(&c, "up1", ""), d);
    check_errno((int)find(&c, "up", "2"), -ENOENT);
    struct label again[LABELS_MAX + 1];
    struct labels kept = series_cache_final(&c, &c.list[a], again);
    check_span(labels_get(&kept, SPAN("__name__")), "final");
    series_cache_done(&c);
}

static void the_pages_labels_can_be_rebuilt_and_the_final_ones_renamed(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2], rebuilt[200];
    struct labels scraped, final = named(pairs, "after", "z");
    series_cache_init(&c, table);
    series_cache_begin(&c);
    int64_t at = add(&c, "before", "v", NULL);
    check_ok(series_cache_rename(&c, (size_t)at, &final));
    scraped = series_cache_final(&c, &c.list[at], rebuilt);
    check_span(labels_get(&scraped, SPAN("__name__")), "after");
    scraped = series_cache_scraped(&c, &c.list[at], rebuilt);
    assert_int_equal(scraped.n, 2);
    check_span(labels_get(&scraped, SPAN("__name__")), "before");
    check_span(labels_get(&scraped, SPAN("l")), "v");
    assert_int_equal(find(&c, "before", "v"), at);
    series_cache_done(&c);
}

static void count_gone(void *ctx, const struct cached_series *e, const struct labels *final)
{
    assert_true(e->n_final > 0 && final->n == e->n_final);
    ++*(int *)ctx;
}

static void what_a_round_did_not_see_is_gone(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2];
    struct labels dropped = named(pairs, "dropped", "");
    int gone = 0;
    series_cache_init(&c, table);
    series_cache_begin(&c);
    add(&c, "a", "", NULL);
    add(&c, "b", "", NULL);
    check_errno((int)series_cache_find(&c, &dropped, HASH), -ENOENT);
    int64_t at = series_cache_add(&c, &dropped, HASH, NULL); /* relabelled away: nobody must hear of its end */
    c.list[at].round = c.round;
    series_cache_sweep(&c, count_gone, &gone);
    assert_int_equal(gone, 0);
    assert_int_equal(c.n, 3);

    series_cache_begin(&c);
    c.list[find(&c, "b", "")].round = c.round;
    series_cache_sweep(&c, count_gone, &gone);
    assert_int_equal(gone, 1);
    assert_int_equal(c.n, 1);
    check_errno((int)find(&c, "a", ""), -ENOENT);
    assert_int_equal(find(&c, "b", ""), 0);
    series_cache_done(&c);
}

static void a_page_in_its_old_order_needs_no_look_up(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2];
    series_cache_init(&c, table);
    series_cache_begin(&c);
    for (int i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i), 0};
        add(&c, name, "", NULL);
    }
    series_cache_begin(&c);
    struct labels a = named(pairs, "a", "");
    assert_int_equal(series_cache_next(&c, &a), 0);
    struct labels x = named(pairs, "x", "");
    check_errno((int)series_cache_next(&c, &x), -ENOENT);
    assert_int_equal(find(&c, "b", ""), 1); /* from here on in order again */
    struct labels third = named(pairs, "c", "");
    assert_int_equal(series_cache_next(&c, &third), 2);
    check_errno((int)series_cache_next(&c, &third), -ENOENT);
    series_cache_done(&c);
}

static void equal_pairs_are_kept_once_and_freed_with_the_last(void **state UNUSED)
{
    struct label pair = {SPAN("method"), SPAN("GET")}, other = {SPAN("metho"), SPAN("dGET")};
    uint32_t a, b, d;
    check_ok(pair_table_take(table, &pair, &a));
    check_ok(pair_table_take(table, &pair, &b));
    check_ok(pair_table_take(table, &other, &d));
    assert_int_equal(a, b);
    assert_int_not_equal(a, d);
    assert_int_equal(pair_table_count(table), 2);
    pair_table_release(table, a);
    check_span(pair_table_at(table, b)->value, "GET");
    pair_table_release(table, b);
    assert_int_equal(pair_table_count(table), 1);
    check_ok(pair_table_take(table, &pair, &a)); /* its number is free again */
    assert_int_equal(a, b);
    pair_table_release(table, a);
    pair_table_release(table, d);
}

/* Random rounds against a naive twin: an array of flags. */
static void many_rounds_agree_with_a_naive_twin(void **state UNUSED)
{
    enum { NAMES = 500 };
    struct check_random random = check_random_new("series_cache");
    struct series_cache c;
    bool known[NAMES] = {0};
    series_cache_init(&c, table);
    for (int round = 0; round < 60; round++) {
        bool seen[NAMES] = {0};
        int gone = 0, expected = 0;
        series_cache_begin(&c);
        for (int i = 0; i < 300; i++) {
            char name[16];
            struct label pairs[2];
            size_t k = check_random_below(&random, NAMES);
            snprintf(name, sizeof name, "n%zu", k);
            struct labels labels = named(pairs, name, "");
            uint64_t hash = labels_hash(&labels);
            int64_t at = series_cache_next(&c, &labels);
            if (at < 0)
                at = series_cache_find(&c, &labels, hash);
            assert_int_equal(at >= 0, known[k] || seen[k]);
            if (at < 0)
                at = series_cache_add(&c, &labels, hash, &labels);
            c.list[at].round = c.round;
            seen[k] = true;
        }
        series_cache_sweep(&c, count_gone, &gone);
        for (size_t k = 0; k < NAMES; k++) {
            expected += known[k] && !seen[k];
            known[k] = seen[k];
        }
        assert_int_equal(gone, expected);
    }
    series_cache_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_series_is_found_by_the_pages_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(the_pages_labels_can_be_rebuilt_and_the_final_ones_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_round_did_not_see_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_in_its_old_order_needs_no_look_up, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_pairs_are_kept_once_and_freed_with_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(many_rounds_agree_with_a_naive_twin, setup, teardown),
    };
    return cmocka_run_group_tests_name("series_cache", tests, NULL, NULL);
}
