/* Golden screens: keys and a recorded sale in, text out (tests/screen). CREST_GOLDEN=write writes them anew: look at the
 * difference before it is committed. */
#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"
#include "tui/console.h"

#define SALE "tests/screen/sale.sse"

static char *folder;

static int start(void **state)
{
    (void)state;
    return dir_make_temp("crest-screens", &folder);
}

static int stop(void **state)
{
    (void)state;
    int r = dir_remove(folder);
    free(folder);
    return r;
}

/* Runs crest-tui on a script's text; what it saves goes to files in the folder. */
static int run_script(const char *script, const char *graphs)
{
    char path[512];
    snprintf(path, sizeof path, "%s/script", folder);
    check_ok(file_write(path, script, strlen(script)));
    const char *argv[] = {"crest-tui", "--replay", SALE, "--script", path, "--graphs", graphs, NULL};
    struct options *o;
    assert_int_equal(options_parse(&CONSOLE_PROGRAM, 7, (char **)(uintptr_t)argv, &o), OPTIONS_RUN);
    int code = console_run(o);
    options_free(o);
    return code;
}

static char *screen(const char *name)
{
    char path[512], *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (file_read(path, BODY_BYTES_MAX, &text, &n) < 0)
        check_failed("the script wrote no %s", name);
    return text;
}

static void check_golden(const char *name)
{
    char path[512], *expected = NULL;
    size_t n;
    AUTO_FREE char *actual = screen(name);
    snprintf(path, sizeof path, "tests/screen/golden/%s", name);
    const char *write_them = getenv("CREST_GOLDEN");
    if (write_them && strcmp(write_them, "write") == 0)
        check_ok(file_write(path, actual, strlen(actual)));
    check_ok(file_read(path, BODY_BYTES_MAX, &expected, &n));
    bool same = strcmp(actual, expected) == 0;
    if (!same)
        print_error("%s is not as tests/screen/golden/%s says; it is now:\n%s", name, name, actual);
    free(expected);
    assert_true(same);
}

static void every_view_at_three_sizes_is_as_it_was_judged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *keys;
    } VIEWS_SHOWN[] = {{"event", "1"},   {"services", "2"}, {"journeys", "3"},        {"alerts", "4"},
                       {"targets", "5"}, {"explore", "6"},  {"service", "2g<Enter>"}, {"help", "?"}};
    static const char *const SIZES[] = {"80x24", "120x40", "200x50"};
    char script[8192] = ":frames all\n";
    for (size_t s = 0; s < ARRAY_LEN(SIZES); s++)
        for (size_t v = 0; v < ARRAY_LEN(VIEWS_SHOWN); v++) {
            size_t used = strlen(script);
            snprintf(script + used, sizeof script - used, ":size %s\n%s\n:save-display %s/%s-%s.txt\n", SIZES[s],
                     VIEWS_SHOWN[v].keys, folder, VIEWS_SHOWN[v].name, SIZES[s]);
        }
    assert_int_equal(run_script(script, "braille"), 0);
    for (size_t s = 0; s < ARRAY_LEN(SIZES); s++)
        for (size_t v = 0; v < ARRAY_LEN(VIEWS_SHOWN); v++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%s.txt", VIEWS_SHOWN[v].name, SIZES[s]);
            check_golden(name);
        }
}

static void a_page_that_fires_is_the_first_thing_in_words_on_every_view(void **state)
{
    (void)state;
    char script[4096] = ":frames all\n";
    static const char KEYS[] = "123456?";
    for (size_t i = 0; KEYS[i]; i++) {
        size_t used = strlen(script);
        snprintf(script + used, sizeof script - used, "%c\n:save-display %s/page%zu\n:save-styles %s/styles%zu\n",
                 KEYS[i], folder, i, folder, i);
    }
    assert_int_equal(run_script(script, "ascii"), 0);
    for (size_t i = 0; KEYS[i]; i++) {
        char name[32];
        snprintf(name, sizeof name, "page%zu", i);
        AUTO_FREE char *text = screen(name);
        check_contains(text, "PAGE shop: payment-gateway does not answer · 18 s");
        assert_true(strstr(text, "PAGE") < strstr(text, " crest "));
        snprintf(name, sizeof name, "styles%zu", i);
        AUTO_FREE char *styles = screen(name);
        assert_int_equal(strncmp(styles, "0: 0+80 page\n1: 0+80 page\n2: 0+80 page\n", 39), 0);
    }
}

static char *after(const char *script_body)
{
    char script[2048];
    snprintf(script, sizeof script, "%s\n:save-display %s/out\n", script_body, folder);
    assert_int_equal(run_script(script, "block"), 0);
    return screen("out");
}

static void check_after(const char *script_body, const char *there, const char *not_there)
{
    AUTO_FREE char *text = after(script_body);
    check_contains(text, there);
    if (not_there && strstr(text, not_there))
        check_failed("after %s the screen says '%s':\n%s", script_body, not_there, text);
}

static void a_stream_that_stops_is_called_stale_after_three_seconds(void **state)
{
    (void)state;
    check_after(":frames all\n:elapse 2s", "live 18:01:02", "STALE");
    check_after(":frames all\n:elapse 3s", "STALE: no frame for 3 s", NULL);
    check_after(":frames 20\n:elapse 9s\n:frames 1", "live", "STALE");
}

static void what_is_old_is_unknown_and_never_green(void **state)
{
    (void)state;
    check_after(":frames all\n2", "\xe2\x97\x8f ok       search", "was ok");
    check_after(":frames all\n:elapse 3s\n2", "\xe2\x97\x8b was ok   search", "\xe2\x97\x8f ok");
    check_after(":frames all\n:elapse 3s\n2", "\xe2\x97\x8b was crit shop", "\xe2\x96\xa0 crit");
    check_after(":frames all\n:elapse 3s\n2G<Enter>", "\xe2\x97\x8b search was ok", NULL);
    check_after(":frames all\n:elapse 3s\n5", "\xe2\x97\x8b was up", "\xe2\x97\x8f up");
    check_after(":frames all\n:size 120x40\n:elapse 3s\n1", "\xe2\x97\x8b search was ok", NULL);
    check_after(":frames all\n:elapse 3s\n2H", "\xe2\x97\x8f ok       search", "was ok"); /* then it was known */
    check_after(":frames 20\n:elapse 3s\n:frames 1\n2", "\xe2\x97\x8f ok       search", "was ok");
    char script[1024];
    snprintf(script, sizeof script, ":size 80x18\n:frames all\n:elapse 3s\n2\n:save-styles %s/styles\n", folder);
    assert_int_equal(run_script(script, "block"), 0);
    AUTO_FREE char *styles = screen("styles");
    check_contains(styles, " unknown\n");
    if (strstr(styles, " ok\n"))
        check_failed("a state is green:\n%s", styles);
}

static void time_goes_back_and_returns_to_now(void **state)
{
    (void)state;
    check_after(":frames all\n2\nH", "PAUSED at 18:00:00 UTC, 1 min 0 s ago", NULL);
    check_after(":frames all\n2\nH", "shop ", "PaymentStuck");
    check_after(":frames all\n2\nHlllllllll", "PAUSED at 18:00:45", NULL);
    check_after(":frames all\n2\nHlllllllll", "PaymentStuck", NULL); /* 3 s after the fault */
    check_after(":frames all\n2\nH0", "live 18:01:00", "PAUSED");
    check_after(":frames all\nhhl<Esc>", "live 18:01:00", "PAUSED");
    check_after(":frames 10\np\n:frames 5", "PAUSED at 18:00:09 UTC, 5 s ago", NULL);
    check_after(":frames 50\n:at 18:00:30", "PAUSED at 18:00:30", NULL);
    check_after(":frames 50\n:back 30s", "PAUSED at 18:00:19", NULL);
    check_after(":frames all\nH", "PAGE shop", NULL); /* what burns now is said whatever is looked at */
}

/* How often a text stands in another. */
static size_t times_in(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void the_shown_moment_is_a_line_in_all_graphs_and_their_values_are_of_it(void **state)
{
    (void)state;
    AUTO_FREE char *there = after(":frames all\n:size 120x40\n2g<Enter>\n:at 18:00:30");
    check_contains(there, "requests/s 19.7 ");
    check_contains(there, "errors 0.2 % ");
    check_contains(there, "p95 48 ms ");
    check_contains(there, "in flight 3 ");
    size_t lines = times_in(there, "\xe2\x94\x82"), rows = 0;
    struct span rest = span_str(there), line;
    while (
        span_cut(&rest, '\n', &line)) { /* two graphs side by side: the line is in both, as far from their left ends */
        size_t first = span_search(line, SPAN("\xe2\x94\x82"));
        rows += first < line.len ? 1 : 0;
    }
    assert_true(rows >= 8);
    assert_int_equal(lines, 2 * rows);
    AUTO_FREE char *now = after(":frames all\n:size 120x40\n2g<Enter>");
    check_contains(now, "requests/s 27.5 ");
    assert_int_equal(times_in(now, "\xe2\x94\x82"), 0);
    /* the graphs stand still while the moment moves: what came later stays on the screen */
    AUTO_FREE char *back = after(":frames all\n:size 120x40\n2g<Enter>\nhhh");
    check_contains(back, "PAUSED at 18:00:45");
    check_contains(back, "in flight 12 ");
    check_contains(back, "\xe2\x94\x82\xe2\x96"); /* a block right of the line */
    check_after(":frames all\n:size 120x40\n2g<Enter>\n:click 50 9",
                "PAUSED at 18:00:", NULL); /* a graph, at about 18:00:11 */
    check_after(":frames all\n:size 120x40\n1\n:at 18:00:30", "orders/min 63.1 plan 100 last 68", NULL);
    check_after(":frames all\n:size 120x40\n1\n:at 18:00:29", "plan 82 last 68", NULL);
}

static void the_help_is_searched(void **state)
{
    (void)state;
    check_after("?/annot<Enter>", "write an annotation at the moment", "one row down");
    check_after("?/!the<Enter>", "one row down", "write an annotation at the moment");
    check_after("?/nowhere<Enter>", "nothing in the help has this text", NULL);
    check_after(":frames all\n?/annot<Enter><Esc>", "one row down", NULL);
    check_after(":frames all\n:size 120x40\n?/annot<Enter>1", "deploy checkout v42",
                NULL); /* it filters nothing but the help */
}

static void filters_take_text_expressions_and_their_opposite(void **state)
{
    (void)state;
    check_after(":frames all\n2/CATA<Enter>", "catalogue", "● ok       search");
    check_after(":frames all\n2/~^(search|stock)$|^search<Enter>", "search", "catalogue");
    check_after(":frames all\n2/!catalogue<Enter>", "search", "▲ warn     catalogue");
    check_after(":frames all\n2/nothing<Enter>", "no service matches the filter", "catalogue ");
    check_after(":frames all\n2/cata<Enter><Esc>", "● ok       search", NULL);
    check_after(":frames all\n2/~(<Enter>", "filter: ", NULL);
}

static void the_selection_stays_with_its_row(void **state)
{
    (void)state;
    check_after(":frames 20\n2\nG\n:frames all\n<Enter>", "■ shop crit", "catalogue");
}

static void commands_complete_and_say_what_is_wrong(void **state)
{
    (void)state;
    check_after(":frames all\n<F2>jo<Tab><Enter>", "share of the busiest step", NULL);
    check_after(":frames all\n<F2>service sh<Tab><Enter>", "■ shop crit", NULL);
    check_after(":frames all\n<F2>alrts<Enter>", "no command ':alrts' (did you mean :alerts?)", NULL);
    check_after(":frames all\n<F2>back x<Enter>", "'x' is no duration", NULL);
    check_after(":frames all\nnhello<Enter>", "a replay takes no notes", NULL);
}

static void what_has_a_key_label_can_be_clicked(void **state)
{
    (void)state;
    check_after(":frames 5\n:click 15 1", "req/s", NULL); /* the tab of Services */
    check_after(":frames 5\n:click 1 23", "this help", NULL);
    check_after(":frames all\n:click 5 1", "Enter: its chart", NULL); /* the page on top: Alerts */
}

static void pasted_keys_are_not_pressed(void **state)
{
    (void)state;
    check_after(":frames 5\n:paste q2", "pasted text is not taken as keys", "req/s");
}

static void a_terminal_too_small_says_so_and_still_says_the_page(void **state)
{
    (void)state;
    check_after(":frames 5\n:size 40x10", "this terminal is 40x10\ncrest-tui needs 60x12", NULL);
    check_after(":frames all\n:size 40x10", "PAGE shop: payment-gateway", NULL);
}

static void a_cure_is_never_cut_off(void **state)
{
    (void)state;
    /* the last row is shop, which has all; above it catalogue and search */
    check_after(":frames all\n5G", "shop             \xe2\x97\x8f", "is blind to checkout");
    check_after(":frames all\n5Gkk<Enter>", "brings database", "brings response_time");
    check_after(":frames all\n5Gkkk<Enter>", "blind to response_time", NULL);
    check_after(":size 60x12\n:frames 20\n5Gkkk<Enter>", "more: j", "brings database");
    check_after(":size 60x12\n:frames 20\n5Gkkk<Enter>jjjjjjjjjjjjjjjjjjjjjjjj", "brings database", "more: j");
    check_after(":frames all\n5Gkk<Enter><Enter>", "search ok", NULL);
    check_after(":frames all\n:size 60x30\n4", "service=\"shop\"", NULL);
    check_after(":frames all\n:size 60x30\n4", "pay. First moved: payment-gateway, 2 s before the rest.", NULL);
}

static void graphs_change_live(void **state)
{
    (void)state;
    check_after(":frames all", "█", "⣿");
    check_after(":frames all\nb", "|", "█");
    check_after(":frames all\nbb", "⣿", NULL);
}

static void a_script_with_a_mistake_says_its_line(void **state)
{
    (void)state;
    check_capture_start(2);
    int code = run_script("# fine\n:frames all\n:nonsense\n<NoKey>\n:size big\n", "ascii");
    AUTO_FREE char *errors = check_capture_end(2);
    assert_int_equal(code, EXIT_USAGE);
    check_contains(errors, ":3:1: ");
    check_contains(errors, ":4:1: ");
    check_contains(errors, ":5:1: ");
}

int main(void)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_view_at_three_sizes_is_as_it_was_judged),
        cmocka_unit_test(a_page_that_fires_is_the_first_thing_in_words_on_every_view),
        cmocka_unit_test(a_stream_that_stops_is_called_stale_after_three_seconds),
        cmocka_unit_test(what_is_old_is_unknown_and_never_green),
        cmocka_unit_test(time_goes_back_and_returns_to_now),
        cmocka_unit_test(the_shown_moment_is_a_line_in_all_graphs_and_their_values_are_of_it),
        cmocka_unit_test(the_help_is_searched),
        cmocka_unit_test(filters_take_text_expressions_and_their_opposite),
        cmocka_unit_test(the_selection_stays_with_its_row),
        cmocka_unit_test(commands_complete_and_say_what_is_wrong),
        cmocka_unit_test(what_has_a_key_label_can_be_clicked),
        cmocka_unit_test(pasted_keys_are_not_pressed),
        cmocka_unit_test(a_terminal_too_small_says_so_and_still_says_the_page),
        cmocka_unit_test(a_cure_is_never_cut_off),
        cmocka_unit_test(graphs_change_live),
        cmocka_unit_test(a_script_with_a_mistake_says_its_line),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
