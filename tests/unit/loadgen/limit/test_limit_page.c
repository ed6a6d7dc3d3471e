/* The page of a search: what it says first, what it draws, and what it leaves to the table. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "loadgen/limit/limit_page.h"

/* A search over a server of 100 sessions a second, ten requests each: kept up to 95, broken at 100, and far behind it. */
static void searched(struct limit_result *r)
{
    static const double RATES[] = {10, 40, 320, 80, 100, 90, 95, 95};
    *r = (struct limit_result){.started_ms = 1764255600000, .seconds = 200};
    limit_search_init(&r->search, &(struct limit_rules){10, 1e6, 0.06, 12});
    for (size_t i = 0; i < ARRAY_LEN(RATES); i++) {
        double rate = RATES[i], spare = fmax(104 - rate, 0.4);
        struct limit_probe *p = &r->probes[i];
        *p = (struct limit_probe){.rate = rate,
                                  .answer = rate < 100 ? LIMIT_MET : LIMIT_BROKEN,
                                  .throughput = fmin(rate, 104) * 10,
                                  .served_rate = fmin(rate, 104),
                                  .concurrency = fmin(rate, 104) / spare,
                                  .p50_us = (int64_t)(1e5 / spare),
                                  .p95_us = (int64_t)(5e5 / spare),
                                  .p99_us = (int64_t)(9e5 / spare),
                                  .recovery_s = NAN};
        if (p->answer == LIMIT_BROKEN) {
            snprintf(p->why, sizeof p->why, "shop/<pay>: p95<100ms is not met");
            snprintf(p->gave_way, sizeof p->gave_way, "shop/<pay>");
        }
        r->search.asked = rate;
        if (r->search.end == LIMIT_SEARCHING)
            limit_search_tell(&r->search, p->answer, 1, p->served_rate);
    }
    assert_int_equal(r->search.n, ARRAY_LEN(RATES));
    limit_result_fit(r);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void the_verdict_stands_first_and_what_is_foreign_is_escaped(void **state UNUSED)
{
    static struct limit_result r;
    struct run_config config = {.run_id = "r<1>", .threads = 1};
    struct buf out;
    searched(&r);
    buf_init(&out, 1u << 20);
    check_ok(limit_page(&r, &config, &out));
    check_contains(out.data, "<strong>The limit is 95 sessions/s: the SLO was kept there and not at 100 (5.3 % more).");
    check_contains(out.data, "shop/&lt;pay&gt; (at 100 sessions/s");
    assert_null(strstr(out.data, "<pay>"));
    assert_null(strstr(out.data, "r<1>"));
    assert_true(strstr(out.data, "The limit is") < strstr(out.data, "What gave way first"));
    assert_true(strstr(out.data, "What gave way first") < strstr(out.data, "<svg"));
    assert_null(strstr(out.data, "first limit</h2>")); /* nobody was asked */
    buf_done(&out);

    struct buf small;
    buf_init(&small, 1000);
    assert_int_equal(limit_page(&r, &config, &small), -ENOSPC);
    buf_done(&small);
}

static void both_curves_are_drawn_and_far_probes_stand_in_the_table(void **state UNUSED)
{
    static struct limit_result r;
    struct run_config config = {.run_id = "r", .threads = 2};
    struct buf out;
    searched(&r);
    buf_init(&out, 1u << 20);
    check_ok(limit_page(&r, &config, &out));
    assert_int_equal(count(out.data, "<svg"), 2);
    check_contains(out.data, "1 probe far above the limit, void or without an answer is in the table only");
    assert_int_equal(r.usl_state, USL_FITTED);
    check_contains(out.data, "scalability law");
    const char *table = strstr(out.data, "<h2>Probes");
    assert_non_null(table);
    assert_int_equal(count(table, "<tr>"), 9); /* a head and eight */
    check_contains(table, "<td>320</td>");
    assert_int_equal(count(table, "<li>Probe"), 2);
    buf_done(&out);
}

static void a_search_without_an_answer_is_a_page_too(void **state UNUSED)
{
    static struct limit_result r;
    struct run_config config = {.run_id = "r", .threads = 1};
    struct buf out;
    limit_search_init(&r.search, &(struct limit_rules){10, 1e6, 0.05, 12});
    r.interrupted = true;
    limit_result_fit(&r);
    buf_init(&out, 1u << 20);
    check_ok(limit_page(&r, &config, &out));
    check_contains(out.data, "The search was ended early");
    check_contains(out.data, "class=\"verdict alert\"");
    assert_null(strstr(out.data, "<svg"));
    buf_done(&out);
}

static void the_spans_are_the_probes_by_their_rate_up_to_the_first_that_broke(void **state UNUSED)
{
    static struct limit_result r;
    struct load_span spans[LIMIT_PROBES_MAX];
    searched(&r);
    for (size_t i = 0; i < r.search.n; i++) {
        r.probes[i].started_ms = 1000000 * (int64_t)(i + 1);
        r.probes[i].settle_s = 5;
        r.probes[i].measured_s = 20;
    }
    size_t n = limit_result_spans(&r, spans);
    assert_int_equal(n, 7); /* without that at 320 */
    for (size_t i = 1; i < n; i++)
        assert_true(spans[i].rate >= spans[i - 1].rate);
    assert_true(spans[0].is_base && spans[1].is_base && !spans[2].is_base);  /* 10, 40; 80 is above 100 / 2 */
    assert_true(spans[0].start_ms == 1010000 && spans[0].end_ms == 1025000); /* ten seconds remember what was before */
    assert_true(spans[n - 1].rate == 100 && spans[n - 1].start_ms == 5000000); /* that one whole */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_verdict_stands_first_and_what_is_foreign_is_escaped),
        cmocka_unit_test(both_curves_are_drawn_and_far_probes_stand_in_the_table),
        cmocka_unit_test(a_search_without_an_answer_is_a_page_too),
        cmocka_unit_test(the_spans_are_the_probes_by_their_rate_up_to_the_first_that_broke),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
