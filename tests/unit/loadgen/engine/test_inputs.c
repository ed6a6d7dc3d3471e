/* What a run reads beside journeys: feeds, allow-lists, variables. */
#include "tests/support/check.h"

#include <errno.h>

#include "lib/base/file.h"
#include "loadgen/engine/allow_hosts.h"
#include "loadgen/engine/feed.h"
#include "loadgen/engine/journeys.h"

/* ---- feeds ---- */

static struct feed *feed_of(const char *text, enum hurl_feed_mode mode)
{
    struct problems ps;
    problems_init(&ps);
    struct feed *f = NULL;
    if (feed_parse("users.csv", span_str(text), mode, 1, 1, &f, &ps) < 0)
        check_failed("%s: %s", text, ps.n ? ps.list[0].text : "?");
    problems_done(&ps);
    return f;
}

static void a_feed_is_read_as_csv_says(void **state)
{
    (void)state;
    struct feed *f = feed_of("\xef\xbb\xbfuser,\"pass word\"\r\nann,\"a \"\"b\"\", c\"\n\nbob,\"two\nlines\"\r\ncid,",
                             HURL_FEED_SEQUENTIAL);
    assert_int_equal(feed_columns(f), 2);
    assert_int_equal(feed_rows(f), 3);
    check_span(feed_column(f, 1), "pass word");
    struct rng rng;
    rng_seed(&rng, 1);
    struct span row[FEED_COLUMNS_MAX];
    static const char *const want[][2] = {
        {"ann", "a \"b\", c"}, {"bob", "two\nlines"}, {"cid", ""}, {"ann", "a \"b\", c"}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(feed_next(f, &rng, row));
        check_span(row[0], want[i][0]);
        check_span(row[1], want[i][1]);
    }
    feed_free(f);
}

static void feed_modes_take_rows_as_they_are_called(void **state)
{
    (void)state;
    static const char TEXT[] = "n\n0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    struct rng rng;
    rng_seed(&rng, 3);
    struct span row[FEED_COLUMNS_MAX];
    struct feed *unique = feed_of(TEXT, HURL_FEED_UNIQUE), *mixed = feed_of(TEXT, HURL_FEED_SHUFFLE),
                *any = feed_of(TEXT, HURL_FEED_RANDOM);
    unsigned seen_mixed = 0, seen_any = 0;
    bool in_order = true;
    for (int i = 0; i < 10; i++) {
        assert_true(feed_next(unique, &rng, row));
        assert_int_equal(row[0].ptr[0] - '0', i);
        assert_true(feed_next(mixed, &rng, row));
        seen_mixed |= 1u << (row[0].ptr[0] - '0');
        in_order &= row[0].ptr[0] - '0' == i;
    }
    assert_int_equal(seen_mixed, 0x3ff); /* each once, in another order */
    assert_false(in_order);
    assert_false(feed_next(unique, &rng, row));
    for (int i = 0; i < 200; i++) {
        assert_true(feed_next(any, &rng, row));
        seen_any |= 1u << (row[0].ptr[0] - '0');
    }
    assert_int_equal(seen_any, 0x3ff);
    feed_free(unique);
    feed_free(mixed);
    feed_free(any);
}

static void a_broken_feed_is_refused_at_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
        const char *why;
    } cases[] = {
        {"", 0, "needs a header"},
        {"a,b\n", 0, "needs a header"},
        {"a,b\n1,2\n3\n", 3, "1 fields, the header has 2"},
        {"a\n\"x\n", 2, "no end"},
        {"a\n1\n\"x\"y\n", 3, "behind a closing quote"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct problems ps;
        problems_init(&ps);
        struct feed *f = NULL;
        check_errno(feed_parse("f.csv", span_str(cases[i].text), HURL_FEED_SEQUENTIAL, 1, 1, &f, &ps), -EINVAL);
        assert_int_equal(ps.list[0].line, cases[i].line);
        check_contains(ps.list[0].text, cases[i].why);
        problems_done(&ps);
    }
}

/* ---- where load may go ---- */

static void load_goes_to_loopback_and_to_what_the_list_names(void **state)
{
    (void)state;
    struct problems ps;
    problems_init(&ps);
    struct allow_hosts *a = NULL;
    check_ok(allow_hosts_parse(
        "hosts", SPAN("# ours\nshop.example # the shop\napi.example:8443\n*.staging.example\n[2001:db8::1]:80\n\n"), &a,
        &ps));
    static const struct {
        const char *host;
        uint16_t port;
        bool listed, unlisted; /* with and without the list */
    } cases[] = {
        {"127.0.0.1", 9483, true, true},
        {"localhost", 80, true, true},
        {"::1", 80, true, true},
        {"shop.example", 443, true, false},
        {"SHOP.Example", 80, true, false},
        {"www.shop.example", 80, false, false},
        {"api.example", 8443, true, false},
        {"api.example", 443, false, false},
        {"a.staging.example", 80, true, false},
        {"a.b.staging.example", 80, true, false},
        {"staging.example", 80, false, false},
        {"xstaging.example", 80, false, false},
        {"2001:db8::1", 80, true, false},
        {"2001:db8::1", 81, false, false},
        {"10.0.0.1", 80, false, false},
        {"127.0.0.1.evil.example", 80, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span host = span_str(cases[i].host);
        if (allow_hosts_permits(a, host, cases[i].port) != cases[i].listed ||
            allow_hosts_permits(NULL, host, cases[i].port) != cases[i].unlisted)
            check_failed("%s:%u", cases[i].host, cases[i].port);
    }
    allow_hosts_free(a);
    check_errno(allow_hosts_parse("hosts", SPAN("ok.example\nhttp://shop.example/\nx:0\na b\n"), &a, &ps), -EINVAL);
    assert_int_equal(problems_errors(&ps), 3);
    assert_int_equal(ps.list[0].line, 2);
    assert_int_equal(ps.list[2].line, 4);
    problems_done(&ps);
}

/* ---- journeys ---- */

static void journeys_bring_steps_feeds_and_variables_together(void **state)
{
    (void)state;
    AUTO_FREE char *folder = NULL;
    check_ok(dir_make_temp("loadgen", &folder));
    char one[512], two[512], csv[512];
    snprintf(one, sizeof one, "%s/a.hurl", folder);
    snprintf(csv, sizeof csv, "%s/users.csv", folder);
    static const char A[] = "# @feed users.csv\n# @step x\n# @slo p95<1s\nGET {{base}}/{{user}}\n# @step y\nGET "
                            "{{base}}/\n# @step x\nGET {{base}}/\n";
    check_ok(file_write(one, A, strlen(A)));
    check_ok(file_write(csv, "user,unused\nann,1\n", 18));
    snprintf(two, sizeof two, "%s/sub", folder);
    check_ok(dir_make(two));
    snprintf(two, sizeof two, "%s/sub/a.hurl", folder);
    static const char B[] = "GET {{base}}/{{typo}}\n";
    check_ok(file_write(two, B, strlen(B)));

    struct problems ps;
    problems_init(&ps);
    const char *paths[] = {one, two};
    struct journeys *js = NULL;
    check_ok(journeys_load(paths, 2, &js, &ps));
    assert_int_equal(js->n_steps, 3); /* x twice is one step; the second journey has one */
    assert_int_equal(js->list[0].step_of[0], js->list[0].step_of[2]);
    assert_string_equal(js->list[1].name, "a-2");
    assert_int_equal(js->steps[0].n_slos, 1);
    assert_int_equal(journeys_set(js, SPAN("base"), hurl_value_text(SPAN("http://localhost"))), 1);
    assert_int_equal(journeys_set(js, SPAN("nobody"), hurl_value_int(1)), 0);
    check_errno(journeys_complete(js, &ps), -EINVAL);
    assert_int_equal(ps.n, 1); /* user comes from the feed, base is set: only the typo is left */
    check_contains(ps.list[0].text, "'typo'");
    journeys_free(js);
    problems_done(&ps);
    check_ok(dir_remove(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_feed_is_read_as_csv_says),
        cmocka_unit_test(feed_modes_take_rows_as_they_are_called),
        cmocka_unit_test(a_broken_feed_is_refused_at_its_line),
        cmocka_unit_test(load_goes_to_loopback_and_to_what_the_list_names),
        cmocka_unit_test(journeys_bring_steps_feeds_and_variables_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
