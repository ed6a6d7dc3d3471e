/* Runs of plan files against a small server: phases, warm-up, classes of traffic, thresholds, what is recorded of each. */
#include "http_server.h"

#include "lib/base/file.h"
#include "lib/base/options.h"
#include "loadgen/engine/plan_file.h"

struct rig {
    char *folder;
    struct plan_file *pf;
    struct run_config config;
    struct run_result result;
};

static void rig_init(struct rig *rig, const char *plan, const char *const *journeys, size_t n, uint16_t port)
{
    *rig = (struct rig){0};
    check_ok(dir_make_temp("traffic", &rig->folder));
    char path[300];
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/j%zu.hurl", rig->folder, i);
        check_ok(file_write(path, journeys[i], strlen(journeys[i])));
    }
    snprintf(path, sizeof path, "%s/plan.yml", rig->folder);
    check_ok(file_write(path, plan, strlen(plan)));
    struct problems ps;
    problems_init(&ps);
    if (plan_file_load(path, &rig->pf, &ps) < 0) {
        problems_print(&ps, stderr);
        check_failed("the plan does not load");
    }
    problems_done(&ps);
    char base[64];
    snprintf(base, sizeof base, "http://127.0.0.1:%u", port);
    check_ok(journeys_set(plan_file_journeys(rig->pf), SPAN("base"), hurl_value_text(span_str(base))) < 0 ? -ENOMEM
                                                                                                          : 0);
    rig->config = (struct run_config){.threads = 1,
                                      .open_max = 10000,
                                      .grace_ms = 30000,
                                      .max_lag_ms = 3600000,
                                      .connect_timeout_ms = 20000,
                                      .max_time_ms = 20000,
                                      .think_scale = 1,
                                      .seed = 1,
                                      .run_id = "test-1"};
    plan_file_apply(rig->pf, &rig->config);
}

static void rig_run(struct rig *rig)
{
    check_ok(run_execute(&rig->config, &(struct run_hooks){0}, &rig->result));
}

static void rig_done(struct rig *rig)
{
    run_result_done(&rig->result);
    plan_file_free(rig->pf);
    check_ok(dir_remove(rig->folder));
    free(rig->folder);
}

/* /bot wants the bots' name, /fail is what a shop says that has nothing left. */
static _Atomic unsigned bots, strangers;
static void answer(struct http_server *s, const struct asked *q, struct buf *out)
{
    (void)s;
    bool is_bot = span_equal(asked_header(q, "user-agent"), SPAN("stockwatch/1"));
    if (span_equal(q->target, SPAN("/bot")))
        atomic_fetch_add(is_bot ? &bots : &strangers, 1);
    else if (is_bot)
        atomic_fetch_add(&strangers, 1);
    respond(out, span_equal(q->target, SPAN("/fail")) ? 503 : 200, "", "{}");
}

static void check_adds_up(const struct run_stats *s)
{
    assert_int_equal(s->sessions.planned, s->sessions.started + s->sessions.dropped);
    assert_int_equal(s->sessions.started,
                     s->sessions.completed + s->sessions.failed + s->sessions.unfinished + s->sessions.capped);
    assert_int_equal(s->requests.started, s->requests.completed + s->requests.failed);
    struct session_counts n = {0};
    for (size_t i = 0; i < s->n_journeys; i++)
        stats_add_sessions(&n, &s->journeys[i].sessions);
    assert_memory_equal(&n, &s->sessions, sizeof n);
}

static void each_class_and_phase_is_counted_apart_and_the_warm_up_is_in_no_figure(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {
        "# @step look\nGET {{base}}/look\nHTTP 200\n# @step more\n# @think 1h\nGET {{base}}/more\n",
        "# @step watch\n# @think 1h\nGET {{base}}/bot\nHTTP 200\n"};
    struct http_server *s = server_start(answer);
    struct rig rig;
    rig_init(&rig,
             "think_scale: 0\n"
             "phases:\n"
             "  - {name: warm, duration: 300ms, rate: 50, warmup: true}\n"
             "  - {name: first, duration: 400ms, rate: 50, arrivals: exact}\n"
             "  - {name: second, duration: 200ms, rate: 200}\n"
             "journeys: [j0.hurl]\n"
             "traffic:\n"
             "  - {name: bots, journeys: [j1.hurl], rate: 100, think_scale: 0, user_agent: stockwatch/1}\n",
             JOURNEYS, 2, s->port);
    rig_run(&rig);
    const struct run_result *r = &rig.result;
    if (r->verdict != RUN_PASSED)
        check_failed("%s", r->reasons[0]);
    assert_int_equal(r->n_phases, 3);
    static const unsigned CUSTOMERS[] = {15, 20, 40}, BOTS[] = {30, 40, 20};
    for (size_t i = 0; i < 3; i++) {
        const struct run_stats *p = r->phases[i].stats;
        check_adds_up(p);
        assert_int_equal(p->journeys[0].sessions.planned, CUSTOMERS[i]);
        assert_int_equal(p->journeys[1].sessions.planned, BOTS[i]);
    }
    check_adds_up(r->total);
    assert_int_equal(r->total->sessions.completed, 60 + 60);
    assert_int_equal(r->warmup->sessions.completed, 45);
    assert_int_equal(hdr_count(r->total->steps[0].response), 60);
    assert_int_equal(hdr_count(r->phases[0].stats->steps[0].response), 15);
    assert_int_equal(hdr_count(r->total->journeys[0].duration), 60);
    assert_true(hdr_max(r->total->journeys[0].response) >= hdr_min(r->total->steps[1].response));
    assert_int_equal(atomic_load(&bots), 90);
    assert_int_equal(atomic_load(&strangers), 0);
    /* every one was a new visitor with a connection of its own; the second step of a session pays for none */
    const struct step_stats *look = &r->total->steps[0], *more = &r->total->steps[1];
    assert_int_equal(hdr_count(look->parts[PART_FIRST_BYTE]), 60);
    assert_int_equal(hdr_count(look->parts[PART_TRANSFER]), 60);
    assert_true(look->parts[PART_CONNECT] && hdr_count(look->parts[PART_CONNECT]) > 0);
    assert_true(!more->parts[PART_CONNECT] || hdr_count(more->parts[PART_CONNECT]) == 0);
    assert_null(look->parts[PART_TLS]);
    /* the series has the warm-up in it, too */
    uint64_t started = 0;
    double planned = 0;
    for (size_t i = 0; i < series_count(r->series); i++) {
        started += series_at(r->series, i)->sessions.started;
        planned += series_at(r->series, i)->planned;
    }
    assert_int_equal(started, 165);
    assert_true(planned > 164.9 && planned < 165.1);
    assert_true(hdr_count(r->hiccup) > 0);
    rig_done(&rig);
    server_stop(s);
}

static void users_come_and_go_as_their_plan_says(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {"# @step look\n# @think 20ms\nGET {{base}}/look\nHTTP 200\n"};
    struct http_server *s = server_start(answer);
    struct rig rig;
    rig_init(&rig, "phases: [{duration: 1500ms, users: 3}, {duration: 300ms, users: 1}]\njourneys: [j0.hurl]\n",
             JOURNEYS, 1, s->port);
    rig_run(&rig);
    check_adds_up(rig.result.total);
    assert_true(rig.result.total->sessions.completed >= 4);
    assert_int_equal(atomic_load(&s->connections), 3); /* a user keeps its connection */
    rig_done(&rig);
    server_stop(s);
}

static void thresholds_of_a_plan_see_what_they_name(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {"# @step good\nGET {{base}}/look\nHTTP 200\n",
                                           "# @step bad\nGET {{base}}/fail\nHTTP 200\n",
                                           "# @step business\nGET {{base}}/look\nHTTP 200\n[Asserts]\nbody == \"x\"\n"};
    static const struct {
        const char *threshold;
        bool met;
    } cases[] = {
        {"err<10%", false},
        {"err<90%", true},
        {"{step: good, slo: err<1%}", true},
        {"{step: bad, slo: err<1%}", false},
        {"{journey: j1, slo: err<1%}", false},
        {"{journey: j0, step: good, slo: err<1% max<1h}", true},
        {"{traffic: customers, slo: err<1%}", true},
        {"{traffic: others, slo: err<1%}", false},
        {"{traffic: others, slo: business<60%}", true},
        {"{step: business, slo: business<60%}", false},
        {"{step: bad, slo: business<60%}", true},
        {"{phase: one, slo: err<10%}", false},
        {"{phase: two, traffic: customers, slo: err<10%}", true},
        {"{step: good, slo: p50<0s}", false},
    };
    struct http_server *s = server_start(answer);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char plan[600];
        struct rig rig;
        snprintf(plan, sizeof plan,
                 "phases: [{name: one, duration: 40ms, rate: 100}, {name: two, duration: 40ms, rate: 100}]\n"
                 "journeys: [j0.hurl]\n"
                 "traffic: [{name: others, rate: 400, journeys: [j1.hurl, j2.hurl]}]\n"
                 "thresholds: [%s]\n",
                 cases[i].threshold);
        rig_init(&rig, plan, JOURNEYS, 3, s->port);
        rig_run(&rig);
        if ((rig.result.verdict == RUN_PASSED) != cases[i].met ||
            (!cases[i].met && rig.result.verdict != RUN_THRESHOLD))
            check_failed("%s: %s", cases[i].threshold, run_verdict_name(rig.result.verdict));
        rig_done(&rig);
    }
    server_stop(s);
}

static void a_broken_threshold_ends_the_run_early_when_asked(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {"GET {{base}}/fail\nHTTP 200\n"};
    struct http_server *s = server_start(answer);
    struct rig rig;
    rig_init(&rig, "rate: 20\nduration: 600s\nabort_on_threshold: 0s\nthresholds: [err<50%]\njourneys: [j0.hurl]\n",
             JOURNEYS, 1, s->port);
    rig_run(&rig);
    assert_int_equal(rig.result.verdict, RUN_THRESHOLD);
    assert_int_equal(run_exit_code(&rig.result), EXIT_THRESHOLD);
    check_contains(rig.result.reasons[0], "a threshold was broken");
    assert_true(rig.result.duration_s >= 2 && rig.result.duration_s < 500);
    check_adds_up(rig.result.total);
    assert_true(rig.result.total->sessions.planned <
                20 * 500); /* what the plan still had was not dropped: it was not due */
    rig_done(&rig);
    server_stop(s);
}

/* Rows that are used once are used once over all workers, journeys and classes, and a session without one is dropped. */
static void unique_rows_are_given_once_to_all(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {"# @feed users.jsonl unique\nGET {{base}}/u/{{name}}\nHTTP 200\n",
                                           "# @feed users.jsonl unique\nGET {{base}}/v/{{name}}\nHTTP 200\n"};
    struct http_server *s = server_start(answer);
    struct rig rig;
    char path[300], *folder;
    /* the folder is made by rig_init: the feed must be there before, so it stands beside and is named by its path */
    check_ok(dir_make_temp("feed", &folder));
    snprintf(path, sizeof path, "%s/users.jsonl", folder);
    static const char ROWS[] = "{\"name\": \"a\", \"n\": 1}\n{\"n\": 2, \"name\": \"b\"}\n\n{\"name\": \"c\"}\n";
    check_ok(file_write(path, ROWS, strlen(ROWS)));
    char first[400], second[400];
    snprintf(first, sizeof first, "# @feed %s unique\n%s", path, strchr(JOURNEYS[0], '\n') + 1);
    snprintf(second, sizeof second, "# @feed %s unique\n%s", path, strchr(JOURNEYS[1], '\n') + 1);
    rig_init(&rig,
             "threads: 3\nrate: 50\nduration: 200ms\njourneys: [j0.hurl]\n"
             "traffic: [{name: others, rate: 50, journeys: [j1.hurl]}]\n",
             (const char *const[]){first, second}, 2, s->port);
    rig_run(&rig);
    check_adds_up(rig.result.total);
    assert_int_equal(rig.result.total->sessions.planned, 20);
    assert_int_equal(rig.result.total->sessions.completed, 3);
    assert_int_equal(rig.result.total->sessions.dropped, 17);
    assert_int_equal(atomic_load(&s->requests), 3);
    rig_done(&rig);
    check_ok(dir_remove(folder));
    free(folder);
    server_stop(s);
}

/* The figures at a scale that suits a loaded machine; CREST_HONESTY=1 (make honesty): 2,000 a second, frozen for 1.4 s. */
static void a_pause_of_the_server_is_in_the_response_time_whole(void **state)
{
    (void)state;
    static const char *const JOURNEYS[] = {"# @step it\nGET {{base}}/look\nHTTP 200\n"};
    bool whole = getenv("CREST_HONESTY") != NULL;
    struct http_server *s = server_start(answer);
    struct rig rig;
    rig_init(&rig,
             whole ? "users: 16\nrate: 2000\nduration: 10s\njourneys: [j0.hurl]\n"
                   : "users: 8\nrate: 200\nduration: 2s\njourneys: [j0.hurl]\n",
             JOURNEYS, 1, s->port);
    int64_t freeze_us = whole ? 1400000 : 600000;
    atomic_store(&s->freeze_us, freeze_us);
    atomic_store(&s->freeze_at_us, mono_us() + (whole ? 5000000 : 800000));
    rig_run(&rig);
    const struct step_stats *it = &rig.result.total->steps[0];
    assert_int_equal(hdr_count(it->response), whole ? 20000 : 400);
    /* 2,800 of 20,000 wait, the longest 1.4 s: the 99th percentile is the one that waits longer than 13/14 of them */
    assert_true(hdr_percentile(it->response, 99) > freeze_us * 8 / 10);
    assert_true(hdr_percentile(it->response, 90) > freeze_us / 10);
    if (whole) /* sixteen of 20,000: too few for a service p99 */
        assert_true(hdr_percentile(it->service, 99) < freeze_us / 10);
    assert_true(hdr_percentile(it->service, 90) < hdr_percentile(it->response, 90));
    assert_true(hdr_max(it->service) > freeze_us * 8 / 10);
    rig_done(&rig);
    server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_and_phase_is_counted_apart_and_the_warm_up_is_in_no_figure),
        cmocka_unit_test(users_come_and_go_as_their_plan_says),
        cmocka_unit_test(thresholds_of_a_plan_see_what_they_name),
        cmocka_unit_test(a_broken_threshold_ends_the_run_early_when_asked),
        cmocka_unit_test(unique_rows_are_given_once_to_all),
        cmocka_unit_test(a_pause_of_the_server_is_in_the_response_time_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
