/* What fired keeps its words, and stretches without an evaluation are known, both over a restart. */
#include "tests/support/check.h"

#include <errno.h>

#include "collector/event/firings.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

static struct state *open_state(const char *dir)
{
    const struct state_room *const rooms[] = {&FIRINGS_STATE_ROOM};
    struct state *st = NULL;
    char why[256] = "";
    if (state_open(dir, rooms, 1, &st, why, sizeof why) < 0)
        check_failed("%s", why);
    return st;
}

static struct label NAMES[] = {{{"alertname", 9}, {"Stuck", 5}}, {{"service", 7}, {"shop", 4}}};
static const struct labels STUCK = {NAMES, 2};

struct passed {
    size_t alerts, commits;
    int result;
};
static int next_accept(void *ctx, struct db *db, const struct alert *alerts, size_t n)
{
    struct passed *p = ctx;
    (void)db;
    (void)alerts;
    p->alerts += n;
    return p->result;
}
static void next_committed(void *ctx)
{
    ((struct passed *)ctx)->commits++;
}

struct firing {
    struct alert_sink sink;
    struct alert alert;
};
static int send(struct db *db, void *arg)
{
    struct firing *f = arg;
    return f->sink.accept(f->sink.ctx, db, &f->alert, 1);
}
static int fire(struct state *st, struct alert_sink sink, int64_t starts_ms, const char *annotation, const char *text,
                bool resolved)
{
    struct label said = {span_str(annotation), span_str(text)};
    struct firing f = {sink,
                       {.labels = STUCK, .annotations = {&said, 1}, .starts_ms = starts_ms, .resolved = resolved}};
    int r = state_run(st, send, &f);
    sink.committed(sink.ctx);
    return r;
}

static void check_words(struct firings *f, int64_t until_ms, const char *expected)
{
    char *words = NULL;
    check_ok(firings_words(f, &STUCK, until_ms, &words));
    assert_string_equal(words, expected);
    free(words);
}

static void an_alert_keeps_the_words_with_which_it_began_to_fire(void **state)
{
    (void)state;
    char *dir = NULL;
    struct firings *f = NULL;
    struct passed passed = {0};
    check_ok(dir_make_temp("firings-", &dir));
    struct state *st = open_state(dir);
    check_ok(firings_open(st, &f));
    struct alert_sink sink =
        firings_sink(f, (struct alert_sink){.ctx = &passed, .accept = next_accept, .committed = next_committed});
    check_words(f, INT64_MAX, "");
    check_ok(fire(st, sink, 1000, "summary", "does not answer for 2 s", false));
    check_ok(fire(st, sink, 1000, "summary", "does not answer for 9 s", false)); /* sent again */
    check_ok(fire(st, sink, 1000, "summary", "resolved words", true));
    check_ok(fire(st, sink, 5000, "description", "no summary, but this", false));
    check_ok(fire(st, sink, 7000, "runbook", "no words at all", false));
    assert_int_equal(passed.alerts, 5);
    assert_int_equal(passed.commits, 5);
    passed.result = -EIO; /* what the others refuse is not kept either */
    assert_int_equal(fire(st, sink, 6000, "summary", "never committed", false), -EIO);
    check_words(f, 999, "");
    check_words(f, 1000, "does not answer for 2 s");
    check_words(f, 4999, "does not answer for 2 s");
    check_words(f, INT64_MAX, "no summary, but this");
    struct labels other = {NAMES, 1};
    char *words = NULL;
    check_ok(firings_words(f, &other, INT64_MAX, &words));
    assert_string_equal(words, "");
    free(words);
    state_close(st);
    firings_free(f);

    st = open_state(dir);
    check_ok(firings_open(st, &f));
    check_words(f, 4999, "does not answer for 2 s");
    state_close(st);
    firings_free(f);
    check_ok(dir_remove(dir));
    free(dir);
}

static void long_words_are_cut_between_letters(void **state)
{
    (void)state;
    struct firings *f = NULL;
    struct passed passed = {0};
    struct state *st = open_state(NULL);
    check_ok(firings_open(st, &f));
    struct alert_sink sink =
        firings_sink(f, (struct alert_sink){.ctx = &passed, .accept = next_accept, .committed = next_committed});
    char text[FIRING_WORDS_MAX + 3], *words = NULL;
    memset(text, 'x', sizeof text);
    memcpy(text + FIRING_WORDS_MAX - 1, "\xe2\x82\xac", 4);
    check_ok(fire(st, sink, 1000, "summary", text, false));
    check_ok(firings_words(f, &STUCK, 1000, &words));
    assert_int_equal(strlen(words), FIRING_WORDS_MAX - 1);
    free(words);
    state_close(st);
    firings_free(f);
}

static void put_pause(void *ctx, int64_t from_ms, int64_t to_ms)
{
    buf_printf(ctx, "%lld-%lld ", (long long)from_ms, (long long)to_ms);
}
static void check_pauses(struct firings *f, int64_t start_ms, int64_t end_ms, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    check_ok(firings_pauses(f, start_ms, end_ms, put_pause, &out));
    buf_str(&out, "");
    assert_string_equal(out.len ? out.data : "", expected);
    buf_done(&out);
}

static void rounds_far_apart_and_a_start_long_after_the_last_sample_are_pauses(void **state)
{
    (void)state;
    struct firings *f = NULL;
    struct state *st = open_state(NULL);
    check_ok(firings_open(st, &f));
    firings_began(f, 0, 100000);     /* a first start: nothing was missed */
    firings_began(f, 96000, 100000); /* quick enough */
    firings_began(f, 80000, 100000); /* down for 20 s */
    for (int64_t t = 100000; t <= 110000; t += 1000)
        firings_round(f, t);
    firings_round(f, 114500); /* late, but no pause */
    firings_round(f, 115500);
    firings_round(f, 122000); /* 6.5 s */
    firings_round(f, 123000);
    check_pauses(f, 0, 200000, "80000-100000 115500-122000 ");
    check_pauses(f, 90000, 120000, "90000-100000 115500-120000 "); /* as much of them as is in the window */
    check_pauses(f, 100000, 115500, "");
    for (int64_t t = 150000; t <= 250000; t += 10000) /* every 10 s from now on: the first is late, then it is usual */
        firings_round(f, t);
    check_pauses(f, 123000, 300000, "123000-150000 ");
    state_close(st);
    firings_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_keeps_the_words_with_which_it_began_to_fire),
        cmocka_unit_test(long_words_are_cut_between_letters),
        cmocka_unit_test(rounds_far_apart_and_a_start_long_after_the_last_sample_are_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
