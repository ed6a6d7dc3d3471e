/* A rehearsal's load: what an event's minutes and a run's journeys come to, and when they come to nothing. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "loadgen/engine/plan.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/rehearsal/rehearsal.h"

#define DOORS_MS INT64_C(1795734000000) /* 2026-11-27 00:00 in Berlin */
#define HEAD(name, more)                                                                                               \
    "{\"name\":\"" name "\",\"zone\":\"Europe/Berlin\",\"starts\":1795734000000,\"ends\":1795820400000," more          \
    "\"markets\":{"
#define EVENT(more, markets) HEAD("bf", more) markets "}}"
#define CURVES(which, first, orders, sessions)                                                                         \
    "\"" which "\":{\"first_minute\":" first ",\"orders\":" orders ",\"sessions\":" sessions "}"
#define ORDERS_ONLY(which, orders) "\"" which "\":{\"first_minute\":0,\"orders\":" orders "}"

/* ---- what stands on both sides ---- */

static struct event_facts facts(const char *text)
{
    struct parse_error error;
    struct event_facts e = {0};
    char why[120] = "";
    json_t *data = json_read(span_str(text), &error);
    if (!data)
        check_failed("%s: %s", error.text, text);
    if (event_facts_read(data, &e, why, sizeof why) < 0)
        check_failed("%s: %s", why, text);
    json_decref(data);
    return e;
}

static void measure(struct minutes *m, enum minute_value value, const double *list, size_t n)
{
    check_ok(minutes_reach(m, value, 0, n));
    for (size_t i = 0; i < n; i++)
        minutes_add(m, value, (int64_t)i, list[i]);
}

#define LOOK                                                                                                           \
    {                                                                                                                  \
        .name = "look", .weight = 1, .walk = {.requests = 4 }                                                          \
    }
#define BUY                                                                                                            \
    {                                                                                                                  \
        .name = "buy", .weight = 1, .walk = {.requests = 8, .buys = 1, .orders = 1, .payments = 1 }                    \
    }
static const struct rehearsal_journey
    BOTH[] = {LOOK, BUY},
    BUYERS[] = {BUY}, LOOKERS[] = {LOOK},
    WEIGHED[] = {{"look", 98, true, {.requests = 4}},
                 {"buy", 2, true, {.requests = 8, .buys = 1, .orders = 1, .payments = 1}}},
    WEIGHED_LOOKERS[] = {{"look", 98, true, {.requests = 4}}},
    WALK[] = {{"walk", 1, false, {.requests = 100, .buys = 0.5, .orders = 0.5, .payments = 0.6}}};

static struct rehearsal_wish wish(const struct rehearsal_journey *list, size_t n, double at)
{
    return (struct rehearsal_wish){.at = at, .journeys = list, .n = n, .money_rate = 50};
}
#define WISH(list, at) wish(list, ARRAY_LEN(list), at)

static void check_near(double actual, double expected)
{
    if (!(fabs(actual - expected) <= 1e-9 * fmax(1, fabs(expected))))
        check_failed("%.12g is not %.12g", actual, expected);
}

/* ---- a plan ---- */

static void a_plan_s_highest_minutes_are_the_rate_and_the_mix(void **state)
{
    (void)state;
    struct event_facts e = facts(
        EVENT("", "\"de\":{" CURVES("plan", "-1", "[5,30,20,null]",
                                    "[50,700,800,null]") "},"
                                                         "\"jp\":{" CURVES("plan", "0", "[2,1]", "[100,200]") "}"));
    struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS - 1};
    struct rehearsal_wish w = WISH(BOTH, 1.5);
    struct rehearsal r;
    check_ok(rehearsal_derive(&w, &known, &r));
    /* sessions: 50, 800, 1000 (at +1); orders: 5, 32 (at 0), 21 */
    check_near(r.peaks[MINUTE_SESSIONS].per_minute, 1000);
    assert_int_equal(r.peaks[MINUTE_SESSIONS].minute, 1);
    check_near(r.peaks[MINUTE_ORDERS].per_minute, 32);
    assert_int_equal(r.peaks[MINUTE_ORDERS].minute, 0);
    check_near(r.rate, 1000 / 60.0 * 1.5);
    check_near(r.weights[0], 0.968);
    check_near(r.weights[1], 0.032);
    check_near(r.orders_per_minute, 48);
    check_near(r.payments, 0.8);
    assert_int_equal(r.basis, REHEARSAL_PLAN);
    assert_int_equal(r.mix, REHEARSAL_MIX_SESSIONS);
    assert_int_equal(r.n_notes, 0);
    rehearsal_done(&r);
    event_facts_done(&e);
}

/* What each source knows, and what the journeys ask for. */
static void each_source_gives_what_it_knows(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        const struct rehearsal_journey *journeys;
        size_t n;
        enum rehearsal_basis basis, took;
        enum rehearsal_mix mix;
        double rate_per_minute, orders_per_minute; /* at 100 % */
        const char *note;                          /* NULL: none */
    } CASES[] = {
        /* all of one kind: orders alone, or sessions without those that buy */
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), BUYERS, 1, 0, REHEARSAL_PLAN, REHEARSAL_MIX_ONE_KIND,
         12, 12, "every journey buys"},
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[6,12]", "[90,100]") "}"), LOOKERS, 1, 0, REHEARSAL_PLAN,
         REHEARSAL_MIX_ONE_KIND, 88, 0, "no journey comes to a # @money step"},
        /* weights that somebody said stay: by sessions, else by orders */
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[6,12]", "[90,100]") "}"), WEIGHED, 2, 0, REHEARSAL_PLAN,
         REHEARSAL_MIX_GIVEN, 100, 2, "make 2 orders a minute, the plan has 12 at 100 %"},
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), WEIGHED, 2, 0, REHEARSAL_PLAN, REHEARSAL_MIX_GIVEN,
         600, 12, NULL},
        /* a walk of which half buys */
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), WALK, 1, 0, REHEARSAL_PLAN, REHEARSAL_MIX_ONE_KIND,
         24, 12, NULL},
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[6,12]", "[90,100]") "}"), WALK, 1, 0, REHEARSAL_PLAN,
         REHEARSAL_MIX_ONE_KIND, 100, 50, "make 50 orders a minute"},
        /* the plan knows orders, its last event's file how many sessions there are for one */
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "," CURVES("last", "0", "[3,4]", "[80,60]") "}"), BOTH, 2,
         0, REHEARSAL_PLAN, REHEARSAL_MIX_LAST_SESSIONS, 240, 12, NULL},
        /* no plan: the last event's file; asked for: that, too */
        {EVENT("", "\"de\":{" CURVES("last", "0", "[3,4]", "[80,60]") "}"), BOTH, 2, 0, REHEARSAL_LAST,
         REHEARSAL_MIX_SESSIONS, 80, 4, NULL},
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "," CURVES("last", "0", "[3,4]", "[80,60]") "}"), BOTH, 2,
         REHEARSAL_LAST, REHEARSAL_LAST, REHEARSAL_MIX_SESSIONS, 80, 4, NULL},
        /* more orders than sessions */
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[6,12]", "[3,4]") "}"), BOTH, 2, 0, REHEARSAL_PLAN,
         REHEARSAL_MIX_SESSIONS, 12, 12, "none is left to look around"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct event_facts e = facts(CASES[i].event);
        struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS};
        struct rehearsal_wish w = wish(CASES[i].journeys, CASES[i].n, 1);
        struct rehearsal r;
        w.basis = CASES[i].basis;
        int x = rehearsal_derive(&w, &known, &r);
        if (x != 0)
            check_failed("case %zu: %d %s", i, x, r.why);
        check_near(r.rate * 60, CASES[i].rate_per_minute);
        check_near(r.orders_per_minute, CASES[i].orders_per_minute);
        assert_int_equal(r.basis, CASES[i].took);
        assert_int_equal(r.mix, CASES[i].mix);
        assert_int_equal(r.n_notes, CASES[i].note != NULL);
        if (CASES[i].note)
            check_contains(r.notes[0], CASES[i].note);
        rehearsal_done(&r);
        event_facts_done(&e);
    }
}

/* ---- what was measured ---- */

static void an_event_that_is_over_is_its_own_measure(void **state)
{
    (void)state;
    struct event_facts e = facts(EVENT("", "\"de\":{}"));
    struct rehearsal_known known = {.event = &e, .now_ms = e.ends_ms};
    struct rehearsal_wish w = WISH(BOTH, 2);
    struct rehearsal r;
    assert_int_equal(rehearsal_derive(&w, &known, &r), REHEARSAL_NEEDS_MEASURED);
    known.has_measured = true;
    measure(&known.measured, MINUTE_ORDERS, (double[]){3, 10, NAN, 4}, 4);
    measure(&known.measured, MINUTE_REQUESTS, (double[]){100, 400, 480}, 3);
    check_ok(rehearsal_derive(&w, &known, &r));
    /* 480 requests, of which 10 orders of 8 make 80: 400 are a hundred sessions of four */
    check_near(r.rate, 110 / 60.0 * 2);
    check_near(r.weights[0], 100 / 110.0);
    check_near(r.orders_per_minute, 20);
    assert_int_equal(r.basis, REHEARSAL_MEASURED);
    assert_int_equal(r.mix, REHEARSAL_MIX_REQUESTS);
    assert_string_equal(r.of, "bf");
    rehearsal_done(&r);
    rehearsal_known_done(&known);
    event_facts_done(&e);
}

static void the_last_event_stands_in_where_there_is_no_plan(void **state)
{
    (void)state;
    struct event_facts e = facts(EVENT("", "\"de\":{}"));
    struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS};
    struct rehearsal_wish w = WISH(BOTH, 1);
    struct rehearsal r;
    assert_int_equal(rehearsal_derive(&w, &known, &r), REHEARSAL_NEEDS_LAST);
    known.has_last = true;
    known.last = facts(HEAD("summer", "") "\"de\":{}}}");
    measure(&known.last_measured, MINUTE_ORDERS, (double[]){3, 10}, 2);
    measure(&known.last_measured, MINUTE_REQUESTS, (double[]){100, 480}, 2);
    check_ok(rehearsal_derive(&w, &known, &r));
    check_near(r.rate, 110 / 60.0);
    assert_int_equal(r.basis, REHEARSAL_LAST);
    assert_string_equal(r.of, "summer");
    rehearsal_done(&r);
    event_facts_done(&e);
    /* a plan of orders, growth of the last: the mix is the last event's */
    e = facts(EVENT("\"last_event\":\"summer\",\"growth\":3,\"plan_from\":\"last\",",
                    "\"de\":{" ORDERS_ONLY("plan", "[9,30]") "," ORDERS_ONLY("last", "[3,10]") "}"));
    check_ok(rehearsal_derive(&w, &known, &r));
    check_near(r.rate, 330 / 60.0);
    check_near(r.weights[1], 30 / 330.0);
    check_near(r.growth, 3);
    assert_int_equal(r.basis, REHEARSAL_PLAN);
    assert_int_equal(r.mix, REHEARSAL_MIX_LAST_REQUESTS);
    rehearsal_done(&r);
    rehearsal_known_done(&known);
    event_facts_done(&e);
}

static void what_says_nothing_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        const struct rehearsal_journey *journeys;
        size_t n;
        enum rehearsal_basis basis;
        int error;
        const char *why;
    } CASES[] = {
        {EVENT("", "\"de\":{}"), BOTH, 2, 0, -ENODATA, "bf has no plan and no last event, and no other event is over"},
        {EVENT("\"last_event\":\"gone\",", "\"de\":{}"), BOTH, 2, 0, -ENODATA, "its last event, gone, is not at the"},
        {EVENT("", "\"de\":{}"), BOTH, 2, REHEARSAL_PLAN, -ENODATA, "bf has no plan: give its file"},
        {EVENT("", "\"de\":{}"), BOTH, 2, REHEARSAL_LAST, -ENODATA, "no last event"},
        {EVENT("", "\"de\":{}"), BOTH, 2, REHEARSAL_MEASURED, -ENODATA, "no orders and no requests of it: it has not"},
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[0,0]", "[0,0]") "}"), BOTH, 2, 0, -ENODATA,
         "its highest minute is 0"},
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), BOTH, 2, 0, -EINVAL,
         "nothing says how many sessions there are for one"},
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), LOOKERS, 1, 0, -EINVAL, "no journey buys"},
        {EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,12]") "}"), WEIGHED_LOOKERS, 1, 0, -EINVAL,
         "none of the journeys that have a weight buys"},
        {EVENT("", "\"de\":{\"plan\":{\"first_minute\":0,\"sessions\":[9]}}"), BOTH, 2, 0, -EINVAL,
         "nothing says how many sessions buy"},
        {EVENT("", "\"de\":{\"plan\":{\"first_minute\":0,\"sessions\":[9]}}"), BUYERS, 1, 0, -EINVAL,
         "every journey buys: add one that looks around"},
        {EVENT("", "\"de\":{" CURVES("plan", "0", "[1]", "[1e12]") "}"), BOTH, 2, 0, -ERANGE, "more than a run may"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct event_facts e = facts(CASES[i].event);
        struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS - 1, .has_measured = true, .has_last = true};
        struct rehearsal_wish w = wish(CASES[i].journeys, CASES[i].n, 1);
        struct rehearsal r;
        w.basis = CASES[i].basis;
        check_errno(rehearsal_derive(&w, &known, &r), CASES[i].error);
        check_contains(r.why, CASES[i].why);
        event_facts_done(&e);
    }
}

static void a_cap_that_would_bind_is_told(void **state)
{
    (void)state;
    struct event_facts e = facts(EVENT("", "\"de\":{" ORDERS_ONLY("plan", "[6,1200]") "}"));
    struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS};
    struct rehearsal_wish w = WISH(BUYERS, 1.5);
    struct rehearsal r;
    w.money_rate = 29;
    check_ok(rehearsal_derive(&w, &known, &r));
    check_near(r.payments, 30);
    assert_int_equal(r.n_notes, 2);
    check_contains(r.notes[1], "--money-rate holds @money steps down to 29 a second of 30");
    rehearsal_done(&r);
    w.money_rate = 31;
    check_ok(rehearsal_derive(&w, &known, &r));
    assert_int_equal(r.n_notes, 1);
    rehearsal_done(&r);
    event_facts_done(&e);
}

/* ---- how much, and when ---- */

static void a_share_is_a_percentage_within_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double at; /* 0: refused */
        int error;
    } CASES[] = {{"150%", 1.5, 0},      {"62.5 %", 0.625, 0},   {"10000%", 100, 0},     {"0.01%", 0.0001, 0},
                 {"150", 0, -EINVAL},   {"%", 0, -EINVAL},      {"", 0, -EINVAL},       {"half%", 0, -EINVAL},
                 {"150%%", 0, -EINVAL}, {"0%", 0, -ERANGE},     {"-50%", 0, -ERANGE},   {"NaN%", 0, -ERANGE},
                 {"Inf%", 0, -ERANGE},  {"10001%", 0, -ERANGE}, {"1e300%", 0, -ERANGE}, {"1.5x", 0, -EINVAL}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        double at = 7;
        check_errno(rehearsal_at_parse(CASES[i].text, &at), CASES[i].error);
        check_near(at, CASES[i].error ? 7 : CASES[i].at);
    }
}

static void check_stages(const struct rehearsal *r, int64_t length_ms, const char *expected)
{
    struct buf out;
    buf_init(&out, 65536);
    rehearsal_stages(r, length_ms, &out);
    buf_char(&out, '\0');
    assert_string_equal(out.data, expected);
    buf_done(&out);
}

static void a_curve_ends_with_its_peak_minute_by_minute(void **state)
{
    (void)state;
    struct event_facts e =
        facts(EVENT("", "\"de\":{\"plan\":{\"first_minute\":-1,\"orders\":[null,60,120,null,600,300,null]}}"));
    struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS};
    struct rehearsal_wish w = WISH(BUYERS, 2);
    struct rehearsal r;
    w.shape = REHEARSAL_CURVE;
    check_ok(rehearsal_derive(&w, &known, &r));
    check_stages(&r, 0, "1m:2,1m:4,1m:4,1m:20,1m:10"); /* a gap is as the minute before it; unknown ends are left out */
    check_stages(&r, 60000, "1m:20");
    check_stages(&r, 1000, "1s:20");
    check_stages(&r, 150000, "1m:4,1m:4,30s:20");
    check_stages(&r, 240000, "1m:2,1m:4,1m:4,1m:20");
    check_stages(&r, 300000, "1m:2,1m:4,1m:4,1m:20,1m:10"); /* more than stands before the peak: what comes behind it */
    check_stages(&r, 3600000, "1m:2,1m:4,1m:4,1m:20,1m:10");
    rehearsal_done(&r);
    event_facts_done(&e);
}

static void a_month_of_minutes_fits_into_a_plan_and_keeps_its_peak(void **state)
{
    (void)state;
    enum { MINUTES = 44640, PEAK = 30001 };
    struct event_facts e = facts(EVENT("", "\"de\":{}"));
    struct rehearsal_known known = {.event = &e, .now_ms = e.ends_ms, .has_measured = true};
    check_ok(minutes_reach(&known.measured, MINUTE_ORDERS, 0, MINUTES));
    for (int64_t i = 0; i < MINUTES; i++)
        minutes_add(&known.measured, MINUTE_ORDERS, i, i == PEAK ? 6000 : 60);
    struct rehearsal_wish w = WISH(BUYERS, 1);
    struct rehearsal r;
    struct buf out;
    char why[200];
    struct plan plan;
    w.shape = REHEARSAL_CURVE;
    check_ok(rehearsal_derive(&w, &known, &r));
    buf_init(&out, 65536);
    rehearsal_stages(&r, 0, &out);
    check_ok(plan_parse_stages(&plan, buf_view(&out), why, sizeof why));
    check_near(plan.seconds, MINUTES * 60.0);
    check_near(plan_peak(&plan), 100);
    check_near(plan_rate(&plan, PEAK * 60.0 + 30), 100);
    check_near(plan_rate(&plan, 10), 1);
    plan_done(&plan);
    buf_done(&out);
    rehearsal_done(&r);
    rehearsal_known_done(&known);
    event_facts_done(&e);
}

/* ---- journeys ---- */

static struct walk walk(const char *text)
{
    struct problems ps;
    struct hurl_file *f = NULL;
    struct walk w;
    problems_init(&ps);
    int r = hurl_parse("x.hurl", span_str(text), &f, &ps);
    if (r == 0)
        r = hurl_check(f, &ps);
    if (r < 0)
        check_failed("%s: %s", text, ps.n ? ps.list[0].text : "?");
    check_ok(walk_of(f, &w));
    hurl_file_free(f);
    problems_done(&ps);
    return w;
}

static void a_walk_is_what_its_ways_come_to_on_average(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double requests, buys, orders, payments;
    } CASES[] = {
        {"GET http://h/a\nGET http://h/b\n", 2, 0, 0, 0},
        {"GET http://h/a\n# @money\nGET http://h/b\nGET http://h/c\n", 3, 1, 1, 1},
        /* one in ten goes on, the others leave */
        {"# @goto p=0.9 end\nGET http://h/a\n# @money\nGET http://h/b\n", 1.1, 0.1, 0.1, 0.1},
        /* back and forth: each time half go on; the way ends surely */
        {"# @step a\nGET http://h/a\n# @goto p=0.5 a\nGET http://h/b\n# @money\nGET http://h/c\n", 5, 1, 1, 1},
        /* who pays comes back to pay again in half of the cases: two orders, one buyer */
        {"# @step pay\n# @money\n# @goto p=0.5 pay\nGET http://h/a\n", 2, 1, 2, 2},
        /* a skipped entry is not sent, its @goto holds */
        {"# @step in\n# @goto p=0.25 pay\nGET http://h/x\n[Options]\nskip: true\n\n# @goto p=1 end\nGET "
         "http://h/look\n\n"
         "# @step pay\n# @money\nGET http://h/pay\n",
         1, 0.25, 0.25, 0.25},
        /* without an end but the limit of a session's steps */
        {"# @step a\n# @goto p=1 a\nGET http://h/a\n", 10000, 0, 0, 0},
        /* two steps on one way are one order, and so is one of two ways */
        {"# @money\nGET http://h/hold\n# @money\nGET http://h/take\n", 2, 1, 1, 2},
        {"# @goto p=0.5 other\nGET http://h/cart\n# @money\n# @goto p=1 end\nGET http://h/card\n# @step other\n# "
         "@money\nGET http://h/cash\n",
         2, 1, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct walk w = walk(CASES[i].text);
        if (fabs(w.requests - CASES[i].requests) > 1e-6 || fabs(w.buys - CASES[i].buys) > 1e-6 ||
            fabs(w.orders - CASES[i].orders) > 1e-6 || fabs(w.payments - CASES[i].payments) > 1e-6)
            check_failed("case %zu: %g %g %g %g", i, w.requests, w.buys, w.orders, w.payments);
    }
}

/* ---- the collector's answers ---- */

static void the_question_is_of_customers_of_the_event_s_service_and_markets(void **state)
{
    (void)state;
    struct event_facts e = facts(EVENT("\"service\":\"sh\\\"op\",", "\"de\":{},\"u.s\":{}"));
    struct buf out;
    buf_init(&out, 4096);
    event_facts_query(&e, MINUTE_ORDERS, &out);
    buf_char(&out, '\0');
    assert_string_equal(out.data,
                        "sum(increase(commerce_orders_total{source=\"\",service=\"sh\\\"op\",market=~\"de|u\\\\.s\"}"
                        "[1m] anchored))");
    buf_clear(&out);
    event_facts_query(&e, MINUTE_REQUESTS, &out);
    buf_char(&out, '\0');
    assert_string_equal(out.data,
                        "sum(increase(commerce_operations_total{source=\"\",service=\"sh\\\"op\"}[1m] anchored)) or "
                        "sum(increase(http_server_request_duration_seconds_count{source=\"\",service=\"sh\\\"op\"}[1m] "
                        "anchored))");
    buf_done(&out);
    event_facts_done(&e);
}

static void answers_become_minutes_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *result;
        int error;
        double peak; /* NAN: nothing is known */
        int64_t minute;
    } CASES[] = {
        {"[]", 0, NAN, 0},
        {"[{\"values\":[[1795734060,\"3\"],[1795734120,\"7.5\"],[1795734240,\"NaN\"]]}]", 0, 7.5, 1},
        {"[{\"values\":[[1795733940,\"3\"]]}]", 0, 3, -2},
        {"[{\"values\":[[1795734060,\"-3\"]]}]", 0, NAN, 0},
        {"[{\"values\":[]},{\"values\":[]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[1795734060,3]]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[1795734060,\"three\"]]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[1795734120,\"3\"],[1795734060,\"3\"]]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[1795734060,\"3\"],[1795734999,\"3\"],[1795734120,\"3\"]]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[1e300,\"3\"]]}]", -EINVAL, 0, 0},
        {"[{\"values\":[[0,\"3\"]]}]", -E2BIG, 0, 0},
        {"[{\"values\":[[1795734060,\"3\"],[9795734060,\"3\"]]}]", -E2BIG, 0, 0},
        {"{}", -EINVAL, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct parse_error error;
        struct minutes m = {0};
        json_t *result = json_read(span_str(CASES[i].result), &error);
        int64_t minute = 0;
        double v = NAN;
        assert_non_null(result);
        int x = event_facts_samples(result, DOORS_MS, MINUTE_ORDERS, &m);
        if (x != CASES[i].error)
            check_failed("case %zu: %d", i, x);
        bool known = x == 0 && minutes_peak(&m, MINUTE_ORDERS, &minute, &v);
        assert_int_equal(known, x == 0 && !isnan(CASES[i].peak));
        if (known) {
            check_near(v, CASES[i].peak);
            assert_int_equal(minute, CASES[i].minute);
        }
        minutes_done(&m);
        json_decref(result);
    }
}

static void a_text_that_is_no_event_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "{}",
        "[]",
        "7",
        "{\"name\":\"bf\",\"starts\":1,\"ends\":2}",
        "{\"name\":\"bf\",\"starts\":2,\"ends\":2,\"markets\":{}}",
        "{\"name\":\"bf\",\"starts\":1,\"ends\":2,\"markets\":{\"de\":{\"plan\":{\"first_minute\":99999999,"
        "\"orders\":[1]}}}}"};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct parse_error error;
        struct event_facts e = {0};
        char why[120] = "";
        json_t *data = json_read(span_str(CASES[i]), &error);
        check_errno(event_facts_read(data, &e, why, sizeof why), -EINVAL);
        assert_true(why[0] != 0);
        json_decref(data);
    }
}

/* ---- in words ---- */

static void a_rehearsal_says_where_its_figures_come_from(void **state)
{
    (void)state;
    struct event_facts e =
        facts(EVENT("\"title\":\"Black <Friday>\",", "\"de\":{" CURVES("plan", "0", "[5,32]", "[50,1000]") "}"));
    struct rehearsal_known known = {.event = &e, .now_ms = DOORS_MS};
    struct rehearsal_wish w = WISH(BOTH, 1.5);
    struct rehearsal r;
    check_ok(rehearsal_derive(&w, &known, &r));
    r.collector = "http://127.0.0.1:9480";
    rehearsal_note(&r, "a < note");
    check_capture_start(1);
    rehearsal_text(stdout, &r);
    fflush(stdout);
    char *text = check_capture_end(1);
    assert_string_equal(
        text, "rehearsal of bf at 150 %: 25 sessions a second at the peak, 3.2 % of them buy: 48 orders a minute; held "
              "at the peak\n"
              "  sessions  1000 a minute, the peak of its plan: 2026-11-27 00:01 CET (minute +1)\n"
              "  orders    32 a minute, the peak of its plan: 2026-11-27 00:01 CET (minute +1)\n"
              "  mix       look 96.8 %, buy 3.2 %: so many of the sessions buy as there are orders\n"
              "  note      a < note\n");
    free(text);
    struct buf out;
    struct json_writer j;
    buf_init(&out, 65536);
    jw_init(&j, &out);
    rehearsal_json(&j, &r);
    buf_char(&out, '\0');
    check_contains(out.data, "\"event\":\"bf\"");
    check_contains(out.data, "\"at_ratio\":1.5,\"from\":\"plan\",\"of\":\"bf\"");
    check_contains(out.data, "\"orders\":{\"per_minute\":32,\"minute\":1,\"at\":\"2026-11-26T23:01:00.000Z\"}");
    check_contains(out.data, "\"requests\":null");
    check_contains(out.data, "\"rate\":25,");
    buf_clear(&out);
    jw_init(&j, &out);
    rehearsal_json(&j, NULL);
    check_span(buf_view(&out), "null");
    buf_clear(&out);
    rehearsal_html(&out, &r);
    buf_char(&out, '\0');
    check_contains(out.data, "<h2>The rehearsal</h2>\n<p>Black &lt;Friday&gt; (bf) at 150");
    check_contains(out.data, "<td>1000</td>");
    check_contains(out.data, "a &lt; note");
    buf_done(&out);
    rehearsal_done(&r);
    event_facts_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_s_highest_minutes_are_the_rate_and_the_mix),
        cmocka_unit_test(each_source_gives_what_it_knows),
        cmocka_unit_test(an_event_that_is_over_is_its_own_measure),
        cmocka_unit_test(the_last_event_stands_in_where_there_is_no_plan),
        cmocka_unit_test(what_says_nothing_is_refused_in_words),
        cmocka_unit_test(a_cap_that_would_bind_is_told),
        cmocka_unit_test(a_share_is_a_percentage_within_reason),
        cmocka_unit_test(a_curve_ends_with_its_peak_minute_by_minute),
        cmocka_unit_test(a_month_of_minutes_fits_into_a_plan_and_keeps_its_peak),
        cmocka_unit_test(a_walk_is_what_its_ways_come_to_on_average),
        cmocka_unit_test(the_question_is_of_customers_of_the_event_s_service_and_markets),
        cmocka_unit_test(answers_become_minutes_or_are_refused),
        cmocka_unit_test(a_text_that_is_no_event_is_refused),
        cmocka_unit_test(a_rehearsal_says_where_its_figures_come_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
