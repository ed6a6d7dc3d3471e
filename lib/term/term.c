#include "lib/term/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <term.h>

#include "lib/term/palette.h"
#include "lib/term/term_signals.h"

/* define_key gives these to what bracketed paste puts around the text. */
#define KEY_PASTE_START (KEY_MAX + 1)
#define KEY_PASTE_END (KEY_MAX + 2)
#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define MOUSE_OFF "\033[?1000l\033[?1002l\033[?1003l\033[?1006l"
#define ESCAPE_DELAY_MS 25 /* a lone Escape answers at once; no real terminal splits a key by more */

struct terminal {
    SCREEN *screen;
    FILE *in, *out;
    struct termios before;
    enum term_colors colors;
    bool bracketed_paste;
    struct cells shown; /* what curses was given last */
    bool shown_valid;
    struct buf paste;
};

/* ---- what the environment promises ------------------------------------------------------------------------ */

bool term_locale_is_utf8(void)
{
    static int answer = -1;
    if (answer < 0) {
        setlocale(LC_CTYPE, "");
        answer = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    }
    return answer;
}

enum term_glyphs term_glyphs_of(const char *type)
{
    if (!type)
        type = getenv("TERM");
    if (!term_locale_is_utf8() || !type)
        return TERM_ASCII;
    if (strcmp(type, "dumb") == 0 || strncmp(type, "vt", 2) == 0)
        return TERM_ASCII;
    return strncmp(type, "linux", 5) == 0 ? TERM_BLOCK : TERM_BRAILLE; /* the console's font has blocks only */
}

static const char *type_problem(const char *type)
{
    if (!type || type[0] == '\0')
        return "TERM is not set";
    int status = 0;
    if (setupterm(type, STDOUT_FILENO, &status) != OK)
        return "the terminal's type is unknown (TERM)";
    const char *cup = tigetstr("cup");
    bool can = cup && cup != (char *)-1;
    del_curterm(cur_term);
    return can ? NULL : "the terminal cannot place its cursor (TERM)";
}

bool term_capable(const char **ret_why)
{
    const char *why = NULL;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        why = "not a terminal";
    else
        why = type_problem(getenv("TERM"));
    if (ret_why)
        *ret_why = why;
    return !why;
}

static enum term_colors colors_of(const struct term_options *o)
{
    const char *no_color = getenv("NO_COLOR");
    if (o->no_color || (no_color && no_color[0] != '\0') || !has_colors() ||
        start_color() != OK) /* COLORS is known only now */
        return TERM_MONO;
    return COLORS >= 256 ? TERM_256 : COLORS >= 8 ? TERM_16 : TERM_MONO;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static void write_now(struct terminal *t, const char *bytes)
{
    fflush(t->out);
    ssize_t w = write(fileno(t->out), bytes, strlen(bytes));
    (void)w; /* a terminal that is gone is found by term_read */
}

static void add_capability(struct buf *b, const char *name)
{
    const char *s = tigetstr(name);
    if (s && s != (char *)-1)
        buf_str(b, s);
}

/* What endwin() would write, as bytes that a crash handler can write. */
MUST_USE static int arm_signals(struct terminal *t, void (*on_stop)(int signal_number))
{
    struct buf b;
    buf_init(&b, RESTORE_BYTES_MAX);
    buf_str(&b, MOUSE_OFF PASTE_OFF);
    add_capability(&b, "sgr0");
    add_capability(&b, "op");
    add_capability(&b, "cnorm");
    add_capability(&b, "rmkx");
    add_capability(&b, "rmcup");
    buf_str(&b, "\r\n");
    int r = buf_error(&b) ? buf_error(&b) : term_signals_arm(fileno(t->out), buf_view(&b), &t->before, on_stop);
    buf_done(&b);
    return r;
}

static void init_pairs(const struct terminal *t)
{
    if (t->colors == TERM_MONO)
        return;
    short own_fg = -1, own_bg = -1;
    if (use_default_colors() != OK) {
        own_fg = COLOR_WHITE;
        own_bg = COLOR_BLACK;
    }
    for (int s = 0; s < STYLES; s++) {
        const struct palette_entry *e = palette_entry((enum cell_style)s);
        short fg = t->colors == TERM_256 ? e->fg256 : e->fg16, bg = t->colors == TERM_256 ? e->bg256 : e->bg16;
        init_pair((short)(s + 1), fg < 0 ? own_fg : fg, bg < 0 ? own_bg : bg);
    }
}

void term_mouse(struct terminal *t, bool on)
{
    (void)t;
    mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
    mouseinterval(0);
}

int term_open(const struct term_options *options, struct terminal **ret, const char **ret_why)
{
    const char *type = options->type ? options->type : getenv("TERM");
    *ret_why = type_problem(type);
    if (*ret_why)
        return -ENOTSUP;
    *ret_why = "out of memory";
    bool utf8 = term_locale_is_utf8();
    struct terminal *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->in = options->in ? options->in : stdin;
    t->out = options->out ? options->out : stdout;
    buf_init(&t->paste, TERM_PASTE_BYTES_MAX);
    if (tcgetattr(fileno(t->out), &t->before) < 0) {
        *ret_why = "not a terminal";
        free(t);
        return -ENOTSUP;
    }
    t->screen = newterm(type, t->out, t->in);
    if (!t->screen) {
        free(t);
        return -ENOTSUP;
    }
    set_term(t->screen);
    set_escdelay(ESCAPE_DELAY_MS);
    t->colors = colors_of(options);
    init_pairs(t);
    raw(); /* Ctrl-C is a key of ours, and so is Ctrl-S */
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    define_key("\033[200~", KEY_PASTE_START);
    define_key("\033[201~", KEY_PASTE_END);
    t->bracketed_paste = strncmp(type, "vt", 2) != 0 && strncmp(type, "linux", 5) != 0;
    int r = arm_signals(t, options->on_stop);
    if (r < 0) {
        *ret_why = "signals cannot be caught";
        term_close(t);
        return r;
    }
    term_mouse(t, !options->no_mouse);
    refresh();
    if (t->bracketed_paste)
        write_now(t, PASTE_ON);
    (void)utf8;
    *ret = t;
    return 0;
}

void term_close(struct terminal *t)
{
    if (!t)
        return;
    mousemask(0, NULL);
    if (t->bracketed_paste)
        write_now(t, PASTE_OFF);
    curs_set(1);
    endwin();
    tcsetattr(fileno(t->out), TCSADRAIN, &t->before);
    term_signals_disarm();
    delscreen(t->screen);
    cells_done(&t->shown);
    buf_done(&t->paste);
    free(t);
}

int term_width(const struct terminal *t)
{
    (void)t;
    return COLS < CELLS_SIDE_MAX ? COLS : CELLS_SIDE_MAX;
}

int term_height(const struct terminal *t)
{
    (void)t;
    return LINES < CELLS_SIDE_MAX ? LINES : CELLS_SIDE_MAX;
}

int term_fd(const struct terminal *t)
{
    return fileno(t->in);
}

enum term_colors term_colors(const struct terminal *t)
{
    return t->colors;
}

/* ---- output ----------------------------------------------------------------------------------------------- */

static attr_t attributes_of(const struct terminal *t, uint8_t style)
{
    const struct palette_entry *e = palette_entry((enum cell_style)(style & 0x7f));
    bool mono = t->colors == TERM_MONO, reverse = mono ? e->mono_reverse : e->reverse;
    if (style & STYLE_REVERSE)
        reverse = !reverse;
    attr_t a = A_NORMAL;
    if (mono ? e->mono_bold : e->bold)
        a |= A_BOLD;
    if (mono ? e->mono_dim : e->dim)
        a |= A_DIM;
    return reverse ? a | A_REVERSE : a;
}

static void show(struct terminal *t, int x, int y, const struct cell *cell)
{
    wchar_t text[3] = {(wchar_t)cell->ch, (wchar_t)cell->mark, 0};
    if (!term_locale_is_utf8() && cell->ch >= 0x80) {
        text[0] = L'?';
        text[1] = 0;
    } else if (wcwidth(text[0]) != cell_width(cell->ch)) { /* the C library is of another Unicode than our table */
        text[0] = L'?';
        text[1] = 0;
    }
    cchar_t out;
    short pair = t->colors == TERM_MONO ? 0 : (short)((cell->style & 0x7f) + 1);
    if (setcchar(&out, text, attributes_of(t, cell->style), pair, NULL) == OK)
        mvadd_wch(y, x, &out);
}

void term_redraw(struct terminal *t)
{
    t->shown_valid = false;
    clearok(curscr, TRUE);
}

void term_draw(struct terminal *t, const struct cells *c)
{
    int w = c->w < COLS ? c->w : COLS, h = c->h < LINES ? c->h : LINES;
    if (t->shown.w != c->w || t->shown.h != c->h) {
        t->shown_valid = false;
        if (cells_resize(&t->shown, c->w, c->h) < 0)
            return; /* shown again at the next turn */
    }
    if (!t->shown_valid)
        erase();
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t i = (size_t)y * (size_t)c->w + (size_t)x;
            const struct cell *now = &c->at[i];
            struct cell *then = &t->shown.at[i];
            if (t->shown_valid && now->ch == then->ch && now->mark == then->mark && now->style == then->style)
                continue;
            if (now->ch != 0)
                show(t, x, y, now);
            *then = *now;
        }
    t->shown_valid = true;
    refresh();
}

/* ---- input ------------------------------------------------------------------------------------------------ */

static int key_of_curses(wint_t key)
{
    static const struct {
        int curses, ours;
    } KEYS[] = {
        {KEY_UP, TERM_KEY_UP},         {KEY_DOWN, TERM_KEY_DOWN},       {KEY_LEFT, TERM_KEY_LEFT},
        {KEY_RIGHT, TERM_KEY_RIGHT},   {KEY_HOME, TERM_KEY_HOME},       {KEY_END, TERM_KEY_END},
        {KEY_PPAGE, TERM_KEY_PAGE_UP}, {KEY_NPAGE, TERM_KEY_PAGE_DOWN}, {KEY_BACKSPACE, TERM_KEY_BACKSPACE},
        {KEY_DC, TERM_KEY_DELETE},     {KEY_BTAB, TERM_KEY_BACKTAB},    {KEY_ENTER, TERM_KEY_ENTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (KEYS[i].curses == (int)key)
            return KEYS[i].ours;
    if (key >= KEY_F(1) && key <= KEY_F(12))
        return TERM_KEY_F1 + (int)key - KEY_F(1);
    return 0;
}

/* Until the end marker, or until nothing comes any more: a paste that was cut must not wait for ever. */
static void read_paste(struct terminal *t)
{
    buf_clear(&t->paste);
    timeout(200);
    for (;;) {
        wint_t ch;
        int r = get_wch(&ch);
        if (r == ERR || (r == KEY_CODE_YES && ch == KEY_PASTE_END))
            break;
        if (r == OK && ch < 0x110000 && t->paste.len + 4 < TERM_PASTE_BYTES_MAX)
            cells_utf8(&t->paste, ch);
    }
    nodelay(stdscr, TRUE);
}

static bool mouse_event(struct term_event *ret)
{
    MEVENT m;
    if (getmouse(&m) != OK)
        return false;
    *ret = (struct term_event){.type = TERM_EVENT_CLICK, .x = m.x, .y = m.y};
    if (m.bstate & (BUTTON4_PRESSED | BUTTON5_PRESSED)) {
        ret->type = TERM_EVENT_WHEEL;
        ret->up = m.bstate & BUTTON4_PRESSED ? 1 : -1;
    } else if (!(m.bstate & BUTTON1_PRESSED)) {
        return false;
    }
    return true;
}

int term_read(struct terminal *t, struct term_event *ret)
{
    for (;;) {
        wint_t ch;
        errno = 0;
        int r = get_wch(&ch);
        if (r == ERR) {
            /* curses does not tell "nothing" from "gone" */
            struct termios now;
            return tcgetattr(fileno(t->in), &now) < 0 && errno != EINTR ? -EPIPE : 0;
        }
        *ret = (struct term_event){.type = TERM_EVENT_KEY};
        if (r == OK) {
            ret->key = ch == '\n' ? TERM_KEY_ENTER : ch == 127 || ch == 8 ? TERM_KEY_BACKSPACE : (int)ch;
            return 1;
        }
        if (ch == KEY_RESIZE) {
            t->shown_valid = false;
            ret->type = TERM_EVENT_RESIZE;
            return 1;
        }
        if (ch == KEY_PASTE_START) {
            read_paste(t);
            ret->type = TERM_EVENT_PASTE;
            ret->paste = t->paste.data ? t->paste.data : "";
            return 1;
        }
        if (ch == KEY_MOUSE) {
            if (mouse_event(ret))
                return 1;
            continue;
        }
        ret->key = key_of_curses(ch);
        if (ret->key)
            return 1;
    }
}
