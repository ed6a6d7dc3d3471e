/* The cache of a target's series: found by what the page calls them, forgotten when a round did not see them. */
#include "agent/series_cache.h"

#include <errno.h>

#include "tests/support/check.h"

#define HASH 7u /* the same for all: every look-up has to tell keys apart by their bytes */

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
    int64_t at = series_cache_add(c, HASH, final ? final : &labels);
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
    series_cache_init(&c);
    series_cache_begin(&c);
    int64_t a = add(&c, "up", "1", &final), b = add(&c, "up", "12", NULL), d = add(&c, "up1", "", NULL);
    assert_int_equal(find(&c, "up", "1"), a);
    assert_int_equal(find(&c, "up", "12"), b);
    assert_int_equal(find(&c, "up1", ""), d);
    check_errno((int)find(&c, "up", "2"), -ENOENT);
    check_span(labels_get(&c.list[a].final, SPAN("__name__")), "final");
    series_cache_done(&c);
}

static void the_pages_labels_can_be_rebuilt_and_the_final_ones_renamed(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2], rebuilt[200];
    struct labels scraped, final = named(pairs, "after", "z");
    series_cache_init(&c);
    series_cache_begin(&c);
    int64_t at = add(&c, "before", "v", NULL);
    check_ok(series_cache_rename(&c, (size_t)at, &final));
    check_span(labels_get(&c.list[at].final, SPAN("__name__")), "after");
    series_cache_scraped(&c.list[at], rebuilt, &scraped);
    assert_int_equal(scraped.n, 2);
    check_span(labels_get(&scraped, SPAN("__name__")), "before");
    check_span(labels_get(&scraped, SPAN("l")), "v");
    assert_int_equal(find(&c, "before", "v"), at);
    series_cache_done(&c);
}

static void count_gone(void *ctx, const struct cached_series *e)
{
    assert_true(e->final.n > 0);
    ++*(int *)ctx;
}

static void what_a_round_did_not_see_is_gone(void **state UNUSED)
{
    struct series_cache c;
    struct label pairs[2];
    struct labels dropped = named(pairs, "dropped", "");
    int gone = 0;
    series_cache_init(&c);
    series_cache_begin(&c);
    add(&c, "a", "", NULL);
    add(&c, "b", "", NULL);
    check_errno((int)series_cache_find(&c, &dropped, HASH), -ENOENT);
    int64_t at = series_cache_add(&c, HASH, NULL); /* relabelled away: nobody must hear of its end */
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

/* Random rounds against a naive twin: an array of flags. */
static void many_rounds_agree_with_a_naive_twin(void **state UNUSED)
{
    enum { NAMES = 500 };
    struct check_random random = check_random_new("series_cache");
    struct series_cache c;
    bool known[NAMES] = {0};
    series_cache_init(&c);
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
            int64_t at = series_cache_find(&c, &labels, hash);
            assert_int_equal(at >= 0, known[k] || seen[k]);
            if (at < 0)
                at = series_cache_add(&c, hash, &labels);
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
        cmocka_unit_test(a_series_is_found_by_the_pages_labels),
        cmocka_unit_test(the_pages_labels_can_be_rebuilt_and_the_final_ones_renamed),
        cmocka_unit_test(what_a_round_did_not_see_is_gone),
        cmocka_unit_test(many_rounds_agree_with_a_naive_twin),
    };
    return cmocka_run_group_tests_name("series_cache", tests, NULL, NULL);
}
