/* crest-tui in a real terminal (tmux): sizes, mouse, paste, kinds of terminals, colours, and how it leaves. */
#include <signal.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/term/cells.h"
#include "tests/support/query.h"
#include "tests/support/samples.h"
#include "tests/support/tmux.h"

#define NEEDS_TMUX()                                                                                                   \
    if (!e2e_have("tmux"))                                                                                             \
    skip()

/* Three services and two markets, as recorded series. */
static struct e2e_program *start_collector(void)
{
    static const char *const SERVICES[] = {"catalogue", "search", "shop"};
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    struct sample_batch *b = sample_batch_new();
    int64_t now = unix_ms();
    for (int64_t s = -60; s <= 0; s++)
        for (size_t i = 0; i < ARRAY_LEN(SERVICES); i++) {
            char series[200];
            snprintf(series, sizeof series, "commerce:throughput_rps|service=%s|stack=otel|tier=app", SERVICES[i]);
            sample_batch_add(b, series, now + s * 1000, 20 + 10 * (double)i + (double)(s * s % 7));
            snprintf(series, sizeof series,
                     "commerce:orders_per_minute|channel=web|currency=EUR|market=%s|service=shop", i ? "de" : "fr");
            if (i < 2)
                sample_batch_add(b, series, now + s * 1000, 30 + (double)(s * s % 5));
        }
    sample_batch_send(b, c);
    return c;
}

static struct tmux *watch(struct e2e_program *c, int w, int h)
{
    struct tmux *t = tmux_start("t", w, h);
    tmux_run_tui(t, "TERM=tmux-256color", e2e_url(c));
    tmux_see(t, " live ");
    return t;
}

static void quit(struct tmux *t, struct e2e_program *c)
{
    tmux_keys(t, "q");
    tmux_see(t, "ended with 0.");
    tmux_stop(t);
    if (c)
        e2e_stop(c);
}

/* ---- sizes ---- */

/* What stands there although nothing drew it, or does not although something did. */
static void check_same_as_drawn_anew(struct tmux *t)
{
    AUTO_FREE char *before = NULL, *after = NULL;
    for (int tries = 0; tries < 5; tries++) { /* a clock moves on; two screens of one second are the same */
        free(before);
        free(after);
        before = tmux_screen(t);
        tmux_keys(t, "C-l");
        sleep_us(200000);
        after = tmux_screen(t);
        if (strcmp(before, after) == 0)
            return;
    }
    check_failed("drawn anew the screen is another:\n%s\n---- it was:\n%s", after, before);
}

static void sizes_may_storm_and_end_with_a_whole_screen(void **state UNUSED)
{
    NEEDS_TMUX();
    struct e2e_program *c = start_collector();
    struct tmux *t = watch(c, 80, 24);
    struct check_random random = check_random_new("sizes");
    tmux_keys(t, "2");
    tmux_see(t, "req/s");
    static const int ODD[][2] = {{40, 10}, {10, 3}, {300, 100}, {1, 1}, {60, 12}, {59, 12}};
    for (int i = 0; i < 50; i++) {
        bool odd = i % 8 == 3;
        tmux_resize(t, odd ? ODD[i / 8 % 6][0] : 20 + (int)check_random_below(&random, 200),
                    odd ? ODD[i / 8 % 6][1] : 4 + (int)check_random_below(&random, 60));
    }
    tmux_resize(t, 40, 10);
    tmux_see(t, "this terminal is 40x10");
    tmux_see(t, "crest-tui needs 60x12");
    tmux_resize(t, 300, 100);
    tmux_see(t, "req/s over time");
    tmux_resize(t, 100, 30);
    tmux_see(t, "q Quit");
    tmux_keys(t, "p");
    tmux_see(t, "PAUSED");
    tmux_see(t, "catalogue");
    check_same_as_drawn_anew(t);
    quit(t, c);
}

/* ---- mouse and paste ---- */

/* Where a text stands on the screen, in cells from 1 as a mouse reports them. */
static void place_of(struct tmux *t, const char *text, int *ret_x, int *ret_y)
{
    tmux_see(t, text);
    AUTO_FREE char *screen = tmux_screen(t);
    char *at = strstr(screen, text), *line = screen;
    *ret_y = 1;
    for (char *p = screen; at && p < at; p++)
        if (*p == '\n') {
            line = p + 1;
            ++*ret_y;
        }
    assert_non_null(at);
    *at = '\0';
    *ret_x = cells_text_width(line) + 1;
}

/* What a terminal sends for button 0 (left), 64 (wheel up), 65 (wheel down). */
static void mouse(struct tmux *terminal, int button, int x, int y)
{
    char bytes[64];
    snprintf(bytes, sizeof bytes, "\033[<%d;%d;%dM", button, x, y);
    tmux_bytes(terminal, bytes);
    if (button == 0) {
        bytes[strlen(bytes) - 1] = 'm';
        tmux_bytes(terminal, bytes);
    }
}

/* The reversed line: the selected row. */
static bool is_selected(struct tmux *t, const char *name)
{
    AUTO_FREE char *screen = tmux_screen_styled(t);
    struct span rest = span_str(screen), line;
    while (span_cut(&rest, '\n', &line))
        if (span_search(line, span_str(name)) < line.len && span_search(line, SPAN("7m")) < line.len)
            return true;
    return false;
}
static bool catalogue_is_selected(void *ctx)
{
    return is_selected(ctx, "catalogue");
}
static bool shop_is_selected(void *ctx)
{
    return is_selected(ctx, "shop");
}
static bool search_is_selected(void *ctx)
{
    return is_selected(ctx, "search");
}

static void what_is_clicked_is_done(void **state UNUSED)
{
    NEEDS_TMUX();
    struct e2e_program *c = start_collector();
    struct tmux *t = tmux_start("i", 120, 40), *terminal = tmux_start("o", 120, 40);
    /* a tmux in a tmux: the outer one is the terminal whose mouse the inner one takes and passes on */
    char line[700];
    snprintf(line, sizeof line, "TMUX= tmux -u -S %s attach", e2e_path("i"));
    tmux_line(terminal, line);
    tmux_run_tui(t, "TERM=tmux-256color", e2e_url(c));
    tmux_see(terminal, " live ");
    int x, y;
    place_of(t, "2 Services", &x, &y);
    mouse(terminal, 0, x, y);
    tmux_see(t, "req/s");
    (void)e2e_wait(TMUX_WAIT_MS, shop_is_selected, t);
    place_of(t, "catalogue ", &x, &y);
    mouse(terminal, 0, x, y);
    (void)e2e_wait(TMUX_WAIT_MS, catalogue_is_selected, t);
    mouse(terminal, 64, x, y); /* the wheel moves the selection by three rows: to the first */
    (void)e2e_wait(TMUX_WAIT_MS, shop_is_selected, t);
    mouse(terminal, 65, x, y); /* and to the last */
    (void)e2e_wait(TMUX_WAIT_MS, search_is_selected, t);
    mouse(terminal, 64, x, y);
    (void)e2e_wait(TMUX_WAIT_MS, shop_is_selected, t);
    place_of(t, "shop   ", &x, &y);
    mouse(terminal, 0, x, y); /* the selected row once more: it opens */
    tmux_see(t, "dependencies");
    place_of(t, "? Help", &x, &y);
    mouse(terminal, 0, x, y);
    tmux_see(t, "this help");
    place_of(t, "q Quit", &x, &y);
    mouse(terminal, 0, x, y);
    tmux_see(t, "ended with 0.");
    tmux_stop(terminal);
    tmux_stop(t);
    e2e_stop(c);
}

static void pasted_keys_do_nothing(void **state UNUSED)
{
    NEEDS_TMUX();
    struct e2e_program *c = start_collector();
    struct tmux *t = watch(c, 100, 30);
    free(tmux_command(t, "set-buffer", "2q:quit\n"));
    free(tmux_command(t, "paste-buffer", "-p"));
    tmux_see(t, "pasted text is not taken as keys");
    tmux_see_no(t, "ended with");
    tmux_see(t, "orders/min"); /* still the Event view */
    tmux_keys(t, ":");
    free(tmux_command(t, "set-buffer", "services"));
    free(tmux_command(t, "paste-buffer", "-p"));
    tmux_see(t, ":services");
    tmux_keys(t, "Enter");
    tmux_see(t, "req/s");
    quit(t, c);
}

/* ---- kinds of terminals ---- */

static void each_kind_of_terminal_gets_what_it_can_show(void **state UNUSED)
{
    NEEDS_TMUX();
    static const struct {
        const char *environment, *sees, *never[3];
    } KINDS[] = {
        {"TERM=xterm", "\xe2\xa3\xbf", {"\xe2\x96\x88", "####", NULL}}, /* braille */
        {"TERM=xterm-256color", "\xe2\xa3\xbf", {"\xe2\x96\x88", "####", NULL}},
        {"TERM=tmux-256color", "\xe2\xa3\xbf", {"\xe2\x96\x88", "####", NULL}},
        {"TERM=linux", "\xe2\x96\x88", {"\xe2\xa3\xbf", NULL}},                /* blocks */
        {"TERM=vt100", "|||", {"\xe2", NULL}},                                 /* ASCII */
        {"LC_ALL=C LANG=C TERM=tmux-256color", "|||", {"\xe2", "\xc2", NULL}}, /* the locale decides */
        {"LC_ALL=C LANG=C TERM=tmux-256color", "o shop", {"\xe2", "\xc2", NULL}},
        {"TERM=dumb", "state at 2", {"\033", " live ", NULL}}, /* lines */
        {"TERM=no-such-terminal", "state at 2", {"\033", " live ", NULL}},
    };
    struct e2e_program *c = start_collector();
    struct tmux *t = tmux_start("t", 100, 30);
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        tmux_run_tui(t, KINDS[i].environment, e2e_url(c));
        tmux_see(t, KINDS[i].sees);
        AUTO_FREE char *screen = tmux_screen(t);
        for (size_t k = 0; KINDS[i].never[k]; k++)
            if (strstr(screen, KINDS[i].never[k]))
                check_failed("%s shows '%s':\n%s", KINDS[i].environment, KINDS[i].never[k], screen);
        if (strstr(screen, "state at"))
            assert_int_equal(kill(tmux_tui_pid(t), SIGTERM), 0); /* lines are ended by a signal */
        else
            tmux_keys(t, "q");
        tmux_see(t, "ended with");
    }
    tmux_stop(t);
    e2e_stop(c);
}

/* SGR sequences that are a colour: 30-37, 38, 39-47, 48, 49, 90-107. */
static size_t colours_in(const char *styled)
{
    size_t n = 0;
    for (const char *at = styled; (at = strstr(at, "\033[")); at += 2) {
        for (const char *p = at + 2; *p && *p != 'm';) {
            char *end;
            long code = strtol(p, &end, 10);
            n += (code >= 30 && code <= 49 && code != 39 && code != 49) || (code >= 90 && code <= 107) ? 1 : 0;
            p = *end == ';' || *end == ':' ? end + 1 : end;
            if (p == end && *end != 'm')
                break;
        }
    }
    return n;
}

static void no_color_has_no_colours(void **state UNUSED)
{
    NEEDS_TMUX();
    static const struct {
        const char *environment, *option;
        bool coloured;
    } CASES[] = {{"TERM=tmux-256color", "", true},
                 {"TERM=tmux-256color NO_COLOR=", "", true}, /* empty means nothing */
                 {"TERM=tmux-256color NO_COLOR=1", "", false},
                 {"TERM=tmux-256color", "--no-color", false},
                 {"TERM=vt100", "", false}};
    struct e2e_program *c = start_collector();
    struct tmux *t = tmux_start("t", 100, 30);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char arguments[300];
        snprintf(arguments, sizeof arguments, "%s %s", CASES[i].option, e2e_url(c));
        tmux_run_tui(t, CASES[i].environment, arguments);
        tmux_see(t, " live ");
        tmux_see(t, "shop");
        AUTO_FREE char *styled = tmux_screen_styled(t);
        if ((colours_in(styled) > 0) != CASES[i].coloured)
            check_failed("%s %s has %zu colours:\n%s", CASES[i].environment, CASES[i].option, colours_in(styled),
                         styled);
        tmux_keys(t, "q");
        tmux_see(t, "ended with 0.");
    }
    tmux_stop(t);
    e2e_stop(c);
}

/* ---- how it leaves ---- */

static void whatever_ends_it_leaves_the_terminal_clean(void **state UNUSED)
{
    NEEDS_TMUX();
    static const int SIGNALS[] = {SIGSEGV, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT};
    struct e2e_program *c = start_collector();
    struct tmux *t = tmux_start("t", 80, 24);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        tmux_run_tui(t, "TERM=tmux-256color", e2e_url(c));
        tmux_see(t, " live ");
        AUTO_FREE char *during = tmux_format(t, "#{alternate_on} #{cursor_flag} #{mouse_any_flag}");
        assert_string_equal(during, "1 0 1");
        assert_int_equal(kill(tmux_tui_pid(t), SIGNALS[i]), 0);
        tmux_see(t, "ended with ");
        tmux_see_no(t, "ended with 0.");
        AUTO_FREE char *after = tmux_format(t, "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}");
        if (strcmp(after, "0 1 0 0") != 0)
            check_failed("after signal %d the terminal has alternate screen, cursor, mouse, keypad: %s", SIGNALS[i],
                         after);
        tmux_line(t, "clear; stty -a | tr ';' '\\n' | grep -c -e ' -echo ' -e ' -icanon ' -e ' -isig ' -e ' -opost ' | "
                     "sed 's/^/switched off: /'");
        tmux_see(t, "switched off: 0\nready"); /* the prompt too: what is typed before it is echoed before it */
        tmux_line(t, "echo che\"\"cked");
        tmux_see(t, "\nchecked");
        AUTO_FREE char *screen = tmux_screen(t);
        check_contains(screen, "ready echo che\"\"cked\n"); /* what is typed is echoed, and ends in a line of its own */
    }
    tmux_stop(t);
    e2e_stop(c);
}

/* ---- a note into a real collector ---- */

static bool note_is_there(void *ctx)
{
    char path[200];
    int64_t now = unix_ms() / 1000;
    snprintf(path, sizeof path, "/api/crest/v1/annotations?start=%lld&end=%lld", (long long)now - 600,
             (long long)now + 600);
    json_t *list = get_json(ctx, path, 200);
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(list, "data"), 0), "text"));
    bool yes = text && strcmp(text, "gr\xc3\xb6\xc3\x9f"
                                    "er: queue opened") == 0;
    json_decref(list);
    return yes;
}

static void n_writes_an_annotation(void **state UNUSED)
{
    NEEDS_TMUX();
    struct e2e_program *c = start_collector();
    struct tmux *t = watch(c, 120, 40);
    tmux_keys(t, "n");
    tmux_see(t, "note:");
    tmux_bytes(t, "gr\xc3\xb6\xc3\x9f"
                  "er: queue opened");
    tmux_keys(t, "Enter");
    tmux_see(t, "the note is written");
    (void)e2e_wait(TMUX_WAIT_MS, note_is_there, c);
    tmux_see(t, "note   gr\xc3\xb6\xc3\x9f"
                "er: queue opened"); /* it comes back in the stream */
    quit(t, c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sizes_may_storm_and_end_with_a_whole_screen, e2e_teardown),
        cmocka_unit_test_teardown(what_is_clicked_is_done, e2e_teardown),
        cmocka_unit_test_teardown(pasted_keys_do_nothing, e2e_teardown),
        cmocka_unit_test_teardown(each_kind_of_terminal_gets_what_it_can_show, e2e_teardown),
        cmocka_unit_test_teardown(no_color_has_no_colours, e2e_teardown),
        cmocka_unit_test_teardown(whatever_ends_it_leaves_the_terminal_clean, e2e_teardown),
        cmocka_unit_test_teardown(n_writes_an_annotation, e2e_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
