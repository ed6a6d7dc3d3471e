/* Answers of a collector in, the server's first limit out. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "loadgen/bottleneck/server_limit.h"

#define SECONDS 40
#define START_MS 1764255600000

static const struct server_signal *signal_of(const char *selector)
{
    const struct server_signal *s;
    for (size_t i = 0; (s = server_signal_at(i)); i++)
        if (strstr(s->selector, selector))
            return s;
    check_failed("no signal %s", selector);
}

/* A sample a second: `before` until the second, then `after`. */
static void answer(struct signal_set *set, const char *selector, const char *labels, int bends_at, double before,
                   double after)
{
    struct buf json;
    buf_init(&json, 1u << 20);
    buf_printf(&json,
               "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{%s},"
               "\"values\":[",
               labels);
    for (int i = 0; i < SECONDS; i++)
        buf_printf(&json, "%s[%lld.200,\"%g\"]", i ? "," : "", (long long)START_MS / 1000 + i,
                   i < bends_at ? before : after);
    buf_str(&json, "]}]}}");
    check_ok(signals_read(set, signal_of(selector), buf_view(&json)));
    buf_done(&json);
}

/* A run of a second's spans under ever more load, the first quarter of it normal. */
static struct limit_question run_of(struct load_span spans[SECONDS])
{
    for (int i = 0; i < SECONDS; i++)
        spans[i] = (struct load_span){.start_ms = START_MS + i * 1000,
                                      .end_ms = START_MS + (i + 1) * 1000,
                                      .told_from_ms = START_MS,
                                      .load = i + 1,
                                      .rate = i + 1,
                                      .is_base = i < SECONDS / 4};
    return (struct limit_question){.spans = spans, .n = SECONDS};
}

static char *words_of(const struct server_limit *l)
{
    struct buf out;
    buf_init(&out, 1u << 16);
    server_limit_sentence(&out, l);
    return buf_take(&out, NULL);
}

#define SHOP "\"service\":\"shop\",\"tier\":\"app\",\"stack\":\"otel\""

static void the_signal_that_bent_first_is_named_with_its_evidence(void **state UNUSED)
{
    struct load_span spans[SECONDS];
    struct limit_question q = run_of(spans);
    struct signal_set set = {0};
    struct server_limit l = {0};
    answer(&set, "commerce:response_seconds:p95", SHOP, 30, 0.1, 2);
    answer(&set, "dependency_seconds:p95", SHOP ",\"route\":\"payment-gateway\"", 20, 0.08, 1.2);
    answer(&set, "cache_hit_ratio", SHOP, SECONDS, 0.9, 0);
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.state, SERVER_LIMIT_FOUND);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.at_once, 1);
    assert_int_equal(l.series, 3);
    assert_int_equal(l.judged, 3);
    assert_string_equal(l.bends[0].where, "payment-gateway");
    assert_true(l.bends[0].rate == 21 && fabs(l.bends[0].second - 20.2) < 1e-9);
    char *words = words_of(&l);
    assert_string_equal(words,
                        "dependency: p95 of a dependency's answers (shop payment-gateway) rose to 1.20s, 20 s into "
                        "the run under 21 requests/s (80.0ms before)");
    free(words);
    signals_done(&set);
}

static void what_bends_at_once_is_told_together_causes_first(void **state UNUSED)
{
    struct load_span spans[SECONDS];
    struct limit_question q = run_of(spans);
    struct signal_set set = {0};
    struct server_limit l = {0};
    answer(&set, "commerce:response_seconds:p95", SHOP, 20, 0.1, 2);
    answer(&set, "commerce:inflight", SHOP, 21, 3, 400);
    answer(&set, "db_connections_ratio", SHOP, 22, 0.2, 1);
    answer(&set, "dependency_seconds:p95", SHOP ",\"route\":\"database\"", 28, 0.01, 1.2);
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.n, 4);
    assert_int_equal(l.at_once, 3);
    assert_string_equal(l.bends[0].signal->kind, "pool");
    assert_true(l.bends[0].bend.used_up);
    assert_string_equal(l.bends[3].where, "database");
    char *words = words_of(&l);
    check_contains(words, "pool: database connections in use (shop) was used up, 100 %, 22 s into the run");
    check_contains(words, "; at the same time requests: requests in flight (shop), requests: p95 of the");
    free(words);
    signals_done(&set);
}

static void the_response_time_of_a_dependency_is_a_cause(void **state UNUSED)
{
    struct load_span spans[SECONDS];
    struct limit_question q = run_of(spans);
    struct signal_set set = {0};
    struct server_limit l = {0};
    answer(&set, "commerce:response_seconds:p95", SHOP, 20, 0.1, 2);
    answer(&set, "commerce:response_seconds:p95", "\"service\":\"bank\",\"tier\":\"dependency\"", 21, 0.1, 2);
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.at_once, 2);
    assert_string_equal(l.bends[0].service, "bank");
    signals_done(&set);
}

static void probes_are_ordered_by_their_rate_not_by_when_they_were_made(void **state UNUSED)
{
    /* at 10, at 40 (broke), at 20: a search; 20 stands before 40 */
    struct load_span spans[] = {
        {.start_ms = START_MS,
         .end_ms = START_MS + 10000,
         .told_from_ms = START_MS,
         .load = 30,
         .rate = 10,
         .is_base = true},
        {.start_ms = START_MS + 25000,
         .end_ms = START_MS + 40000,
         .told_from_ms = START_MS + 20000,
         .load = 60,
         .rate = 20},
        {.start_ms = START_MS + 10000,
         .end_ms = START_MS + 25000,
         .told_from_ms = START_MS + 10000,
         .load = 70,
         .rate = 40},
    };
    struct limit_question q = {.spans = spans, .n = ARRAY_LEN(spans), .in_probes = true};
    struct signal_set set = {0};
    struct server_limit l = {0};
    answer(&set, "commerce:response_seconds:p95", SHOP, 10, 0.1, 2);
    struct signal_series *s = &set.list[0];
    for (size_t i = 25; i < 33; i++)
        s->points[i].value = 0.1; /* at 20 it was well for half of the time */
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.state, SERVER_LIMIT_FOUND);
    assert_true(l.bends[0].rate == 20 && fabs(l.bends[0].second - 13.2) < 1e-9);
    char *words = words_of(&l);
    check_contains(words, "13 s into the probe at 20 sessions/s (100ms before)");
    free(words);
    signals_done(&set);
}

static void nothing_that_bent_nothing_at_all_and_too_little_are_said(void **state UNUSED)
{
    struct load_span spans[SECONDS];
    struct limit_question q = run_of(spans);
    struct signal_set set = {0};
    struct server_limit l = {0};
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.state, SERVER_LIMIT_NO_SIGNALS);
    char *words = words_of(&l);
    check_contains(words, "the collector has no signals of these services");
    free(words);

    l = (struct server_limit){0};
    answer(&set, "cache_hit_ratio", SHOP, SECONDS, 0.9, 0);
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.state, SERVER_LIMIT_NONE);
    words = words_of(&l);
    check_contains(words, "no signal bent, 1 series kept");
    free(words);

    l = (struct server_limit){0};
    q.n = 7; /* a run of seven seconds */
    server_limit_judge(&set, &q, &l);
    assert_int_equal(l.state, SERVER_LIMIT_TOO_LITTLE);
    words = words_of(&l);
    check_contains(words, "too few samples");
    free(words);
    signals_done(&set);
}

static void answers_that_are_none_are_refused_and_long_ones_thinned(void **state UNUSED)
{
    struct signal_set set = {0};
    const struct server_signal *signal = server_signal_at(0);
    check_errno(signals_read(&set, signal, SPAN("no json")), -EBADMSG);
    check_errno(signals_read(&set, signal, SPAN("{\"data\":{\"resultType\":\"vector\",\"result\":[]}}")), -EBADMSG);
    check_errno(signals_read(&set, signal,
                             SPAN("{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"service\":\"a\"},"
                                  "\"values\":[[1,2]]}]}}")),
                -EBADMSG);
    for (int piece = 0; piece < 3; piece++) { /* each begins with the sample that the one before ended with */
        struct buf json;
        buf_init(&json, 4u << 20);
        buf_str(&json, "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"service\":\"b\"},\"values\":[");
        for (unsigned i = 0; i <= SIGNAL_POINTS_MAX; i++)
            buf_printf(&json, "%s[%u,\"0.5\"]", i ? "," : "", (unsigned)piece * SIGNAL_POINTS_MAX + i + 1);
        buf_str(&json, "]}]}}");
        check_ok(signals_read(&set, signal, buf_view(&json)));
        buf_done(&json);
    }
    assert_int_equal(set.n, 2);
    const struct signal_series *s = &set.list[1];
    assert_true(s->n > SIGNAL_POINTS_MAX / 2 && s->n <= SIGNAL_POINTS_MAX);
    for (size_t i = 1; i < s->n; i++)
        assert_true(s->points[i].t_ms - s->points[i - 1].t_ms == 4000);
    signals_done(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signal_that_bent_first_is_named_with_its_evidence),
        cmocka_unit_test(what_bends_at_once_is_told_together_causes_first),
        cmocka_unit_test(the_response_time_of_a_dependency_is_a_cause),
        cmocka_unit_test(probes_are_ordered_by_their_rate_not_by_when_they_were_made),
        cmocka_unit_test(nothing_that_bent_nothing_at_all_and_too_little_are_said),
        cmocka_unit_test(answers_that_are_none_are_refused_and_long_ones_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
