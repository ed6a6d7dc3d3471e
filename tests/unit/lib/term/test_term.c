/* The terminal over a pseudo terminal: what is written to it, what is read from it, and how it is left. */
#include "lib/term/term.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "tests/support/check.h"

struct pty {
    int master;
    FILE *in, *out;
    struct termios before;
};

static void open_pty(struct pty *p, int w, int h)
{
    p->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(p->master >= 0);
    assert_int_equal(grantpt(p->master), 0);
    assert_int_equal(unlockpt(p->master), 0);
    char name[128];
    assert_int_equal(ptsname_r(p->master, name, sizeof name), 0);
    int slave = open(name, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    assert_int_equal(
        ioctl(slave, TIOCSWINSZ, &(struct winsize){.ws_row = (unsigned short)h, .ws_col = (unsigned short)w}), 0);
    p->in = fdopen(slave, "r+");
    p->out = fdopen(dup(slave), "r+");
    assert_non_null(p->in);
    assert_non_null(p->out);
    assert_int_equal(tcgetattr(slave, &p->before), 0);
}

static void close_pty(struct pty *p)
{
    fclose(p->in);
    fclose(p->out);
    close(p->master);
}

/* What was written to the terminal since the last time. */
static size_t drain(struct pty *p, char *text, size_t n)
{
    size_t used = 0;
    for (;;) {
        struct pollfd f = {.fd = p->master, .events = POLLIN};
        char bytes[4096];
        if (poll(&f, 1, 50) <= 0)
            break;
        ssize_t r = read(p->master, bytes, sizeof bytes);
        if (r <= 0)
            break;
        for (ssize_t i = 0; i < r; i++, used++)
            if (text && used + 1 < n)
                text[used] = bytes[i];
    }
    if (text)
        text[used < n ? used : n - 1] = '\0';
    return used;
}

static struct terminal *open_term(struct pty *p, const char *type, bool no_color)
{
    struct terminal *t;
    const char *why = "";
    int r = term_open(&(struct term_options){.in = p->in, .out = p->out, .type = type, .no_color = no_color}, &t, &why);
    if (r < 0)
        check_failed("term_open: %s", why);
    return t;
}

static void draw_chart(struct cells *c, int x, int y, int w, int h, int phase)
{
    for (int i = 0; i < w; i++)
        for (int k = 0; k < h; k++) {
            int value = (int)(h * 2 * (1 + sin((i + phase) / 7.0) * 0.7 + ((i + phase) * 7919 % 13) / 60.0));
            int level = value - (h - 1 - k) * 4;
            cells_put(c, x + i, y + k, level <= 0 ? ' ' : level >= 4 ? 0x28ff : 0x28c0, STYLE_NOW);
        }
}

/* Six charts that scroll by a cell a second, and a column of numbers, on 160x50. */
static void draw_frame(struct cells *c, int second)
{
    cells_clear(c);
    for (int i = 0; i < 6; i++)
        draw_chart(c, i % 3 * 53, i / 3 * 9, 52, 8, second);
    for (int i = 0; i < 29; i++)
        cells_printf(c, 0, 20 + i, 160, i == 0 ? STYLE_HEAD : STYLE_PLAIN,
                     "service-%02d   %5d requests/s   ok   p95 %d ms", i, 1000 + (i * 13 + second) % 10, 40 + i);
}

static void a_frame_is_at_most_3_kb_and_an_equal_one_is_nothing(void **state)
{
    (void)state;
    struct pty p;
    struct cells c;
    open_pty(&p, 160, 50);
    struct terminal *t = open_term(&p, "xterm-256color", false);
    check_ok(cells_init(&c, 160, 50));
    draw_frame(&c, 0);
    term_draw(t, &c);
    assert_true(drain(&p, NULL, 0) > 3000);
    term_draw(t, &c);
    assert_int_equal(drain(&p, NULL, 0), 0);
    cells_printf(&c, 10, 30, 20, STYLE_PLAIN, "%d", 4711);
    term_draw(t, &c);
    size_t one_number = drain(&p, NULL, 0);
    if (one_number == 0 || one_number > 64)
        check_failed("one number cost %zu bytes", one_number);
    for (int s = 1; s <= 5; s++) {
        draw_frame(&c, s);
        term_draw(t, &c);
        size_t bytes = drain(&p, NULL, 0);
        if (bytes > 3072)
            check_failed("frame %d cost %zu bytes", s, bytes);
    }
    cells_done(&c);
    term_close(t);
    close_pty(&p);
}

static void colours_follow_type_and_wish(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool no_color;
        enum term_colors expected;
    } CASES[] = {{"xterm-256color", false, TERM_256},
                 {"xterm", false, TERM_16},
                 {"linux", false, TERM_16},
                 {"vt100", false, TERM_MONO},
                 {"xterm-256color", true, TERM_MONO}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct pty p;
        struct cells c;
        char text[20000];
        open_pty(&p, 40, 5);
        struct terminal *t = open_term(&p, CASES[i].type, CASES[i].no_color);
        assert_int_equal(term_colors(t), CASES[i].expected);
        check_ok(cells_init(&c, 40, 5));
        cells_text(&c, 0, 0, 40, STYLE_PAGE, "PAGE shop");
        drain(&p, NULL, 0);
        term_draw(t, &c);
        drain(&p, text, sizeof text);
        check_contains(text, "PAGE shop");
        bool coloured = strstr(text, "48;5;160") || strstr(text, "[41m") || strstr(text, ";41m");
        assert_int_equal(coloured, CASES[i].expected != TERM_MONO);
        cells_done(&c);
        term_close(t);
        close_pty(&p);
    }
}

static void NO_COLOR_is_obeyed(void **state)
{
    (void)state;
    struct pty p;
    setenv("NO_COLOR", "1", 1);
    open_pty(&p, 40, 5);
    struct terminal *t = open_term(&p, "xterm-256color", false);
    unsetenv("NO_COLOR");
    assert_int_equal(term_colors(t), TERM_MONO);
    term_close(t);
    close_pty(&p);
}

static void type(struct pty *p, const char *bytes)
{
    assert_int_equal(write(p->master, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    sleep(0);
    struct pollfd f = {.fd = fileno(p->in), .events = POLLIN};
    assert_int_equal(poll(&f, 1, 2000), 1);
}

static void keys_mouse_and_paste_are_told_apart(void **state)
{
    (void)state;
    struct pty p;
    struct term_event e;
    open_pty(&p, 80, 24);
    struct terminal *t = open_term(&p, "xterm-256color", false);
    assert_int_equal(term_read(t, &e), 0);
    static const struct {
        const char *bytes;
        int key;
    } KEYS[] = {{"j", 'j'},
                {"\033OA", TERM_KEY_UP},
                {"\033OP", TERM_KEY_F1},
                {"\r", TERM_KEY_ENTER},
                {"\x7f", TERM_KEY_BACKSPACE},
                {"\x03", 3},
                {"é", 0xe9},
                {"\033", TERM_KEY_ESCAPE}};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        type(&p, KEYS[i].bytes);
        assert_int_equal(term_read(t, &e), 1);
        assert_int_equal(e.type, TERM_EVENT_KEY);
        assert_int_equal(e.key, KEYS[i].key);
    }
    type(&p, "\033[200~q;rm\r\033[201~");
    assert_int_equal(term_read(t, &e), 1);
    assert_int_equal(e.type, TERM_EVENT_PASTE);
    assert_string_equal(e.paste, "q;rm\r");
    type(&p, "\033[<0;11;4M");
    assert_int_equal(term_read(t, &e), 1);
    assert_int_equal(e.type, TERM_EVENT_CLICK);
    assert_int_equal(e.x, 10);
    assert_int_equal(e.y, 3);
    type(&p, "\033[<64;11;4M");
    assert_int_equal(term_read(t, &e), 1);
    assert_int_equal(e.type, TERM_EVENT_WHEEL);
    assert_int_equal(e.up, 1);
    term_close(t);
    close_pty(&p);
}

static void a_terminal_that_cannot_place_its_cursor_is_refused_with_words(void **state)
{
    (void)state;
    static const char *const TYPES[] = {"dumb", "no-such-terminal", ""};
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
        struct pty p;
        struct terminal *t;
        const char *why = "";
        open_pty(&p, 80, 24);
        check_errno(term_open(&(struct term_options){.in = p.in, .out = p.out, .type = TYPES[i]}, &t, &why), -ENOTSUP);
        check_contains(why, "TERM");
        close_pty(&p);
    }
    assert_int_equal(term_glyphs_of("dumb"), TERM_ASCII);
    assert_int_equal(term_glyphs_of("linux"), TERM_BLOCK);
    assert_int_equal(term_glyphs_of("tmux-256color"), TERM_BRAILLE);
}

static void stop_signals_are_noted_and_do_not_kill(void **state)
{
    (void)state;
    struct pty p;
    open_pty(&p, 80, 24);
    struct terminal *t = open_term(&p, "xterm-256color", false);
    assert_int_equal(term_stop_signal(), 0);
    raise(SIGTERM);
    assert_int_equal(term_stop_signal(), SIGTERM);
    term_close(t);
    close_pty(&p);
}

/* In a child, because it dies: the parent looks at what is left of the terminal. */
static void a_crash_leaves_the_terminal_as_it_was(void **state)
{
    (void)state;
    static const int SIGNALS[] = {SIGSEGV, SIGABRT, SIGFPE};
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        struct pty p;
        char text[65536];
        open_pty(&p, 80, 24);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGNALS[i], SIG_DFL); /* cmocka has a handler of its own */
            alarm(10);
            struct terminal *t = open_term(&p, "xterm-256color", false);
            (void)t;
            raise(SIGNALS[i]);
            _exit(99);
        }
        size_t seen = 0;
        int status = 0;
        while (waitpid(child, &status, WNOHANG) == 0)
            seen += drain(&p, text + seen, sizeof text - seen);
        seen += drain(&p, text + seen, sizeof text - seen);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGNALS[i]);
        check_contains(text, "\033[?1049h");
        check_contains(strstr(text, "\033[?1049h"), "\033[?2004l");
        check_contains(strstr(text, "\033[?1049h"), "\033[?1049l");
        struct termios now;
        assert_int_equal(tcgetattr(fileno(p.in), &now), 0);
        assert_int_equal(now.c_lflag, p.before.c_lflag);
        assert_int_equal(now.c_iflag, p.before.c_iflag);
        close_pty(&p);
    }
}

static void closing_leaves_the_terminal_as_it_was(void **state)
{
    (void)state;
    struct pty p;
    char text[65536];
    open_pty(&p, 80, 24);
    term_close(open_term(&p, "xterm-256color", false));
    drain(&p, text, sizeof text);
    check_contains(text, "\033[?1049l");
    struct termios now;
    assert_int_equal(tcgetattr(fileno(p.in), &now), 0);
    assert_int_equal(now.c_lflag, p.before.c_lflag);
    close_pty(&p);
    term_close(NULL);
}

static void key_names_read_back(void **state)
{
    (void)state;
    char text[16];
    static const int KEYS[] = {TERM_KEY_UP, TERM_KEY_F1, TERM_KEY_F1 + 11, TERM_KEY_ENTER, 'j', ' ', 0xe9, 12};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        assert_int_equal(term_key_of(span_str(term_key_name(KEYS[i], text))), KEYS[i]);
    assert_int_equal(term_key_of(SPAN("NoSuchKey")), 0);
    assert_int_equal(term_key_of(SPAN("")), 0);
}

int main(void)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("NO_COLOR");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_at_most_3_kb_and_an_equal_one_is_nothing),
        cmocka_unit_test(colours_follow_type_and_wish),
        cmocka_unit_test(NO_COLOR_is_obeyed),
        cmocka_unit_test(keys_mouse_and_paste_are_told_apart),
        cmocka_unit_test(a_terminal_that_cannot_place_its_cursor_is_refused_with_words),
        cmocka_unit_test(stop_signals_are_noted_and_do_not_kill),
        cmocka_unit_test(a_crash_leaves_the_terminal_as_it_was),
        cmocka_unit_test(closing_leaves_the_terminal_as_it_was),
        cmocka_unit_test(key_names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
