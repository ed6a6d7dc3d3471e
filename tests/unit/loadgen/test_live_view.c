/* The screen of a run, without a terminal: what it says at several sizes, and that what is broken stands first. */
#include "tests/support/check.h"

#include <math.h>

#include "lib/base/file.h"
#include "loadgen/live_view.h"

struct fixture {
    char *folder;
    struct journeys *journeys;
    struct run_config config;
    struct run_stats *stats;
    struct run_threshold thresholds[2];
    struct run_tick tick;
};

static void set_up(struct fixture *f)
{
    static const char JOURNEY[] = "# @step pay\n# @slo p95<50ms err<5%\nGET http://x\n# @step look\nGET http://x\n";
    char path[512];
    check_ok(dir_make_temp("live", &f->folder));
    snprintf(path, sizeof path, "%s/cart.hurl", f->folder);
    check_ok(file_write(path, JOURNEY, strlen(JOURNEY)));
    struct problems ps;
    problems_init(&ps);
    check_ok(journeys_load((const char *const[]){path}, 1, &f->journeys, &ps));
    problems_done(&ps);
    f->config = (struct run_config){.journeys = f->journeys, .run_id = "r1", .max_lag_ms = 50};
    check_ok(stats_new(1, 2, &f->stats));
    for (int i = 0; i < 100; i++)
        stats_step(f->stats, 0, OUTCOME_OK, ERROR_NONE, 1000 * i, 900 * i, NULL);
    stats_step(f->stats, 0, OUTCOME_STATUS, ERROR_STATUS, 1000, 1000, "500");
    f->stats->sessions = (struct session_counts){.planned = 110, .started = 101, .dropped = 9, .completed = 100};
    const struct hurl_slo *slos = f->journeys->steps[0].slos;
    f->thresholds[0] = (struct run_threshold){.slo = &slos[1], .scope = "cart/pay", .value = 0.01, .met = true};
    f->thresholds[1] = (struct run_threshold){.slo = &slos[0], .scope = "cart/pay", .value = 95000};
    f->tick = (struct run_tick){.second = 7,
                                .interval_s = 1,
                                .planned_rate = 110,
                                .open = 4,
                                .in_flight = 3,
                                .interval = f->stats,
                                .total = f->stats,
                                .thresholds = f->thresholds,
                                .n_thresholds = 2};
}

static void tear_down(struct fixture *f)
{
    stats_free(f->stats);
    journeys_free(f->journeys);
    check_ok(dir_remove(f->folder));
    free(f->folder);
}

static char *screen(const struct live_view *v, int w, int h)
{
    struct cells c;
    struct buf out;
    check_ok(cells_init(&c, w, h));
    buf_init(&out, 1u << 20);
    live_view_draw(v, &c, GRAPH_ASCII);
    cells_save(&c, &out);
    cells_done(&c);
    return buf_take(&out, NULL);
}

static void a_second_is_told_with_what_is_broken_first(void **state)
{
    (void)state;
    struct fixture f;
    struct live_view v;
    set_up(&f);
    check_ok(live_view_init(&v, &f.config, 40));
    check_ok(live_view_update(&v, &f.tick));
    AUTO_FREE char *text = screen(&v, 80, 24);
    const char *SAYS[] = {"r1  7 s of 40  running",
                          "101.0/s of 110.0 planned   open 4   in flight 3",
                          "planned 110 = started 101 + dropped 9",
                          "not ok 1.0/s",
                          "NOT MET  cart/pay p95<50ms: 95.0ms",
                          "met      cart/pay err<5%: 1.00%",
                          "cart/pay                               101      1",
                          "cart/look                                0      0      -"};
    for (size_t i = 0; i < ARRAY_LEN(SAYS); i++)
        if (!strstr(text, SAYS[i]))
            check_failed("the screen does not say: %s\n%s", SAYS[i], text);
    assert_true(strstr(text, "NOT MET") < strstr(text, "met      cart"));
    live_view_done(&v);
    tear_down(&f);
}

static void any_size_is_drawn_and_the_way_out_is_always_named(void **state)
{
    (void)state;
    struct fixture f;
    struct live_view v;
    set_up(&f);
    check_ok(live_view_init(&v, &f.config, 0));
    for (int i = 0; i < 3; i++)
        check_ok(live_view_update(&v, &f.tick));
    for (int w = 1; w < 240; w += w < 90 ? 7 : 50)
        for (int h = 1; h < 60; h += 5) {
            AUTO_FREE char *text = screen(&v, w, h);
            if (w >= 40)
                assert_non_null(strstr(text, "q: start no more"));
        }
    v.stops = 1;
    AUTO_FREE char *text = screen(&v, 80, 10);
    assert_non_null(strstr(text, "q again: cut"));
    assert_non_null(strstr(text, "stopping"));
    live_view_done(&v);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_is_told_with_what_is_broken_first),
        cmocka_unit_test(any_size_is_drawn_and_the_way_out_is_always_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
