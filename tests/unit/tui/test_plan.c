/* The plan and the last event beside the graphs: asked from the collector, or as the stream named them. */
#include "tests/support/check.h"
#include "tui/plain.h"
#include "tui/plan.h"
#include "tui/screen.h"

#include <math.h>

#define T0 1795802400000 /* a whole minute */

struct wire {
    char path[512];
    uint64_t tag;
    unsigned asked;
};

static int on_send(void *ctx, enum app_request kind, uint64_t tag, const char *path, const char *body)
{
    struct wire *w = ctx;
    (void)body;
    if (kind != REQUEST_EVENT)
        return 0;
    snprintf(w->path, sizeof w->path, "%s", path);
    w->tag = tag;
    w->asked++;
    return 0;
}

static struct app *open_app(struct wire *w)
{
    struct app *app;
    struct app_config config = {.address = "test", .graphs = GRAPH_BRAILLE};
    if (w)
        config.wire = (struct app_wire){w, on_send};
    check_ok(app_new(&config, &app));
    app_connected(app, 1000);
    return app;
}

static void frame(struct app *app, int64_t t_ms, double plan)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"t\":%lld,\"sections\":{\"event\":{\"a sale\":{\"name\":\"a sale\",\"starts\":%lld,\"markets\":"
             "{\"de\":{\"currency\":\"EUR\",\"orders\":{\"plan\":%g}},\"jp\":{\"currency\":\"JPY\"}}}}}}",
             (long long)t_ms, (long long)T0, plan);
    app_frame(app, &(struct sse_event){"snapshot", span_str(text), "a-1"}, 1000 + (t_ms - T0));
    app_tick(app, app->mono_ms);
}

static double at(const struct app *app, const char *figure, const char *which, const char *currency, int64_t t_ms)
{
    double v;
    struct plan_line line = {figure, which, currency};
    plan_window(app, &line, t_ms, 1, 1, &v);
    return v;
}

static void curves_are_asked_for_and_added_up_over_markets(void **state)
{
    (void)state;
    struct wire w = {0};
    struct app *app = open_app(&w);
    frame(app, T0 + 65000, 99);
    assert_int_equal(w.asked, 1);
    assert_string_equal(w.path, "/api/crest/v1/events/a%20sale");
    check_double_bits(at(app, "orders", "plan", NULL, T0 + 65000), 99); /* until the answer: what the stream says */
    assert_true(isnan(at(app, "orders", "plan", NULL, T0 + 30000)));
    app_answer(app, REQUEST_EVENT, w.tag, 200,
               SPAN("{\"status\":\"success\",\"data\":{\"name\":\"a sale\",\"starts\":1795802400000,\"markets\":{"
                    "\"de\":{\"currency\":\"EUR\",\"plan\":{\"first_minute\":-1,\"orders\":[5,40,null,42],\"revenue\":["
                    "1,2,3,4]},"
                    "\"last\":{\"first_minute\":0,\"orders\":[7,8]}},"
                    "\"jp\":{\"currency\":\"JPY\",\"plan\":{\"first_minute\":0,\"orders\":[10,11]}}}}}"),
               "");
    check_double_bits(at(app, "orders", "plan", NULL, T0), 50);
    check_double_bits(at(app, "orders", "plan", NULL, T0 + 59000), 50);
    check_double_bits(at(app, "orders", "plan", NULL, T0 - 1000), 5);
    check_double_bits(at(app, "orders", "plan", NULL, T0 + 60000), 11); /* de's is not known then */
    check_double_bits(at(app, "orders", "plan", "JPY", T0), 10);
    check_double_bits(at(app, "orders", "last", NULL, T0 + 60000), 8);
    check_double_bits(at(app, "revenue", "plan", "EUR", T0 + 61000), 3);
    assert_true(isnan(at(app, "orders", "plan", NULL, T0 - 61000)));
    assert_true(isnan(at(app, "orders", "plan", NULL, T0 + 600000)));
    double v[4];
    struct plan_line line = {"orders", "plan", NULL};
    assert_int_equal(plan_window(app, &line, T0 + 119000, 120, 2, v), 2);
    check_double_bits(v[0], 50);
    check_double_bits(v[1], 11);
    /* not again each second, but when the plan may have been replaced, and on a new connection */
    frame(app, T0 + 70000, 99);
    assert_int_equal(w.asked, 1);
    frame(app, T0 + 130000, 99);
    assert_int_equal(w.asked, 2);
    app_disconnected(app, "gone");
    app_connected(app, app->mono_ms);
    frame(app, T0 + 131000, 99);
    assert_int_equal(w.asked, 3);
    app_free(app);
}

static void graphs_reach_ahead_while_doors_are_about_to_open(void **state)
{
    (void)state;
    struct wire w = {0};
    struct app *app = open_app(&w);
    frame(app, T0 - 10000, 0);
    assert_int_equal(plan_edge_ms(app, T0 - 10000, 300), T0 - 10000); /* nothing to show ahead yet */
    app_answer(
        app, REQUEST_EVENT, w.tag, 200,
        SPAN("{\"status\":\"success\",\"data\":{\"name\":\"a sale\",\"starts\":1795802400000,\"ends\":1795802520000,"
             "\"markets\":{\"de\":{\"currency\":\"EUR\",\"plan\":{\"first_minute\":0,\"orders\":[41,42]}}}}}"),
        "");
    assert_int_equal(plan_edge_ms(app, T0 - 10000, 300), T0 + 120000); /* its end */
    assert_int_equal(plan_edge_ms(app, T0 - 10000, 100), T0 + 50000);  /* doors open in the middle */
    assert_int_equal(plan_edge_ms(app, T0 + 20000, 100), T0 + 50000);
    assert_int_equal(plan_edge_ms(app, T0 + 70000, 100), T0 + 70000);
    assert_int_equal(plan_edge_ms(app, T0 - 51000, 100), T0 - 51000);
    app_free(app);
}

static void without_an_answer_the_stream_s_own_values_stand(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"", "[]", "{\"data\":7}", "{\"data\":{\"name\":\"a sale\",\"markets\":[]}}",
                                        "{\"data\":{\"name\":\"other\",\"markets\":{}}}"};
    struct wire w = {0};
    struct app *app = open_app(&w);
    frame(app, T0 + 10000, 40);
    frame(app, T0 + 11000, 41);
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++)
        app_answer(app, REQUEST_EVENT, w.tag, 200, span_str(WRONG[i]), "");
    app_answer(app, REQUEST_EVENT, w.tag, 404, SPAN("{}"), "");
    app_answer(app, REQUEST_EVENT, w.tag, 0, SPAN(""), "refused");
    check_double_bits(at(app, "orders", "plan", NULL, T0 + 10000), 40);
    check_double_bits(at(app, "orders", "plan", "EUR", T0 + 11000), 41);
    assert_true(isnan(at(app, "orders", "last", NULL, T0 + 11000)));
    app_free(app);
    app = open_app(NULL); /* a replay */
    frame(app, T0 + 10000, 40);
    check_double_bits(at(app, "orders", "plan", NULL, T0 + 10000), 40);
    app_free(app);
}

/* What stands on the Event view's line that begins with the market and has this text. */
static void check_line(const char *screen, const char *starts, const char *there, const char *not_there)
{
    struct span rest = span_str(screen), line;
    while (span_cut(&rest, '\n', &line)) {
        AUTO_FREE char *text = span_dup(span_trim(line));
        assert_non_null(text);
        if (strncmp(text, starts, strlen(starts)) != 0)
            continue;
        check_contains(text, there);
        if (not_there && strstr(text, not_there))
            check_failed("'%s' in: %s", not_there, text);
        return;
    }
    check_failed("no line begins with '%s':\n%s", starts, screen);
}

static void a_market_of_several_channels_is_compared_as_a_whole(void **state)
{
    (void)state;
    struct app *app = open_app(NULL);
    struct cells c;
    struct buf b;
    app_frame(
        app,
        &(struct sse_event){
            "snapshot",
            SPAN(
                "{\"t\":1795802460000,\"sections\":{\"event\":{\"sale\":{\"name\":\"sale\",\"starts\":1795802400000,"
                "\"ends\":1795806000000,\"phase\":\"rush\",\"markets\":{"
                "\"de\":{\"currency\":\"EUR\",\"orders\":{\"plan\":77},\"total\":{\"orders\":{\"now\":50,\"plan\":60}},"
                "\"on_pace_for\":{\"orders\":{\"at\":90,\"low\":80,\"high\":99,\"plan\":120}}},"
                "\"jp\":{\"currency\":\"JPY\",\"orders\":{\"plan\":12},\"total\":{\"orders\":{\"now\":5}}}}}},"
                "\"markets\":{"
                "\"s/de/web/"
                "EUR\":{\"service\":\"s\",\"market\":\"de\",\"channel\":\"web\",\"currency\":\"EUR\",\"orders_per_"
                "minute\":40},"
                "\"s/de/app/"
                "EUR\":{\"service\":\"s\",\"market\":\"de\",\"channel\":\"app\",\"currency\":\"EUR\",\"orders_per_"
                "minute\":23},"
                "\"s/de/kiosk/"
                "EUR\":{\"service\":\"s\",\"market\":\"de\",\"channel\":\"kiosk\",\"currency\":\"EUR\",\"orders_per_"
                "minute\":0},"
                "\"s/jp/web/"
                "JPY\":{\"service\":\"s\",\"market\":\"jp\",\"channel\":\"web\",\"currency\":\"JPY\",\"orders_per_"
                "minute\":30}}}}"),
            "a-1"},
        1000);
    check_ok(cells_init(&c, 110, 40));
    screen_draw(app, &c);
    screen_draw(app, &c); /* what one drawing made up is not there twice */
    buf_init(&b, 100000);
    cells_save(&c, &b);
    const char *screen = b.data;
    check_line(screen, "sale: rush, ends in 59 min 0 s", "55 orders so far, plan 60", NULL);
    check_line(screen, "de       all", " 63 ", NULL);
    check_line(screen, "de       all", " 77 ", NULL);
    check_line(screen, "de       all", "90 (80-99) 75 %", NULL);
    check_line(screen, "de       web", " 40 ", "77");
    check_line(screen, "de       app", " 23 ", "77");
    check_line(screen, "jp       web", " 12 ", "all");
    assert_true(strstr(screen, "de       all") < strstr(screen, "de       web"));
    assert_true(strstr(screen, "de       app") < strstr(screen, "jp       web")); /* parts stand below their market */
    assert_null(strstr(screen, "kiosk"));                                         /* never sold anything */
    buf_done(&b);
    cells_done(&c);
    app_free(app);
}

/* One market with orders, money and their plan; the event ends at 1795806000000. */
static struct app *sale_at(const char *t)
{
    struct app *app = open_app(NULL);
    char frame[1024];
    snprintf(
        frame, sizeof frame,
        "{\"t\":%s,\"sections\":{\"event\":{\"sale\":{\"name\":\"sale\",\"starts\":1795802400000,\"ends\":"
        "1795806000000,\"phase\":\"rush\",\"markets\":{\"de\":{\"currency\":\"EUR\",\"orders\":{\"plan\":77,\"last\":"
        "66},\"revenue\":{\"plan\":7654},\"total\":{\"orders\":{\"now\":50,\"plan\":60}},\"on_pace_for\":{\"orders\":{"
        "\"at\":90,\"low\":80,\"high\":99,\"plan\":120}}}}}},\"markets\":{\"s/de/web/EUR\":{\"service\":\"s\","
        "\"market\":\"de\",\"channel\":\"web\",\"currency\":\"EUR\",\"orders_per_minute\":40,"
        "\"revenue_per_minute\":3210}}}}",
        t);
    app_frame(app, &(struct sse_event){"snapshot", span_str(frame), "a-1"}, 1000);
    return app;
}
static char *screen_of(struct app *app, int width)
{
    struct cells c;
    struct buf b;
    check_ok(cells_init(&c, width, 40));
    screen_draw(app, &c);
    buf_init(&b, 100000);
    cells_save(&c, &b);
    cells_done(&c);
    return buf_take(&b, NULL);
}

static void the_plan_of_the_revenue_stands_beside_it_at_every_width(void **state)
{
    (void)state;
    struct app *app = sale_at("1795802460000");
    static const int WIDTHS[] = {80, 120, 200};
    for (size_t i = 0; i < ARRAY_LEN(WIDTHS); i++) {
        char *screen = screen_of(app, WIDTHS[i]);
        check_line(screen, "de  ", "3,210   7,654 EUR", NULL);
        check_line(screen, "de  ", WIDTHS[i] == 80 ? " 90 75 %" : " 90 (80-99) 75 %", NULL);
        free(screen);
    }
    app_free(app);
}

static void when_the_event_is_over_its_figures_are_final_and_on_pace_for_nothing(void **state)
{
    (void)state;
    struct app *app = sale_at("1795806060000");
    static const int WIDTHS[] = {80, 120, 200};
    for (size_t i = 0; i < ARRAY_LEN(WIDTHS); i++) {
        char *screen = screen_of(app, WIDTHS[i]);
        check_line(screen, "sale: over for 1 min 0 s", "50 orders in all, plan 60", "pace");
        check_line(screen, "sale: over for 1 min 0 s", "final 83 %", NULL);
        check_line(screen, "market ", "final", "pace");
        check_line(screen, "de  ", " 50 83 %", "90");
        free(screen);
    }
    struct buf lines;
    buf_init(&lines, 100000);
    plain_state(app, &lines);
    check_contains(lines.data, "50 orders in all, plan 60\n");
    buf_done(&lines);
    app_free(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_of_the_revenue_stands_beside_it_at_every_width),
        cmocka_unit_test(when_the_event_is_over_its_figures_are_final_and_on_pace_for_nothing),
        cmocka_unit_test(curves_are_asked_for_and_added_up_over_markets),
        cmocka_unit_test(a_market_of_several_channels_is_compared_as_a_whole),
        cmocka_unit_test(graphs_reach_ahead_while_doors_are_about_to_open),
        cmocka_unit_test(without_an_answer_the_stream_s_own_values_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
