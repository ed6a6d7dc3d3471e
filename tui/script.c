#include "tui/script.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/term/term.h"
#include "tui/screen.h"

#define AWAIT_MS 60000
#define AWAIT_STEP_MS 50

struct script {
    struct app *app;
    struct cells cells;
    const struct script_source *source;
    struct problems *problems;
    const char *path;
    uint32_t line;
};

static void wrong(struct script *s, const char *what, struct span text)
{
    problem_add(s->problems, PROBLEM_ERROR, s->path, s->line, 1, "%s: '" SPAN_FMT "'", what, SPAN_ARG(text));
}

/* Draw as after each key of a terminal, and write the screens that were asked for. */
static void show(struct script *s)
{
    struct app *app = s->app;
    app_tick(app, app->mono_ms);
    screen_draw(app, &s->cells);
    struct {
        char **path;
        void (*save)(const struct cells *c, struct buf *out);
    } wanted[] = {{&app->save_path, cells_save}, {&app->save_styles_path, cells_save_styles}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (!*wanted[i].path)
            continue;
        struct buf b;
        buf_init(&b, BODY_BYTES_MAX);
        wanted[i].save(&s->cells, &b);
        int r = buf_error(&b) ? buf_error(&b) : file_write(*wanted[i].path, b.data ? b.data : "", b.len);
        if (r < 0)
            wrong(s, strerror(-r), span_str(*wanted[i].path));
        buf_done(&b);
        free(*wanted[i].path);
        *wanted[i].path = NULL;
    }
}

static void set_size(struct script *s, struct span text)
{
    uint64_t w, h;
    size_t x = span_find(text, 'x');
    if (parse_u64_span(span_of(text.ptr, x), CELLS_SIDE_MAX, &w) < 0 ||
        parse_u64_span(span_from(text, x + 1), CELLS_SIDE_MAX, &h) < 0 || cells_resize(&s->cells, (int)w, (int)h) < 0)
        wrong(s, "not a size such as 120x40", text);
}

static void click(struct script *s, struct span text)
{
    uint64_t x, y;
    size_t blank = span_find(text, ' ');
    if (parse_u64_span(span_of(text.ptr, blank), CELLS_SIDE_MAX, &x) < 0 ||
        parse_u64_span(span_from(text, blank + 1), CELLS_SIDE_MAX, &y) < 0)
        wrong(s, "not a place such as 10 3", text);
    else
        app_click(s->app, (int)x, (int)y);
}

/* Draws until the screen says it; with a collector for up to AWAIT_MS. */
static void await(struct script *s, struct span text)
{
    bool seen = false;
    for (int64_t waited = 0; !seen && waited <= AWAIT_MS; waited += AWAIT_STEP_MS) {
        struct buf b;
        buf_init(&b, BODY_BYTES_MAX);
        show(s);
        cells_save(&s->cells, &b);
        seen = span_search(buf_view(&b), text) < b.len;
        buf_done(&b);
        if (!seen && s->source->frames) /* a replay's frames come by command only */
            break;
        if (!seen)
            s->app->mono_ms = s->source->elapse(s->source->ctx, AWAIT_STEP_MS);
    }
    if (!seen)
        wrong(s, "the screen does not say", text);
}

static void run_command(struct script *s, struct span line)
{
    struct span rest = line, name = span_of(line.ptr, span_find(line, ' '));
    rest = span_trim(span_from(line, name.len));
    uint64_t n = SIZE_MAX;
    int64_t ms;
    AUTO_FREE char *text = span_dup(span_equal(name, SPAN("paste")) ? rest : line);
    if (!text)
        return;
    if (span_equal(name, SPAN("size"))) {
        set_size(s, rest);
    } else if (span_equal(name, SPAN("frames"))) {
        if (!span_equal(rest, SPAN("all")) && parse_u64_span(rest, 1000000, &n) < 0)
            wrong(s, "not a count of frames, nor all", rest);
        else if (!s->source->frames || !s->source->frames(s->source->ctx, (size_t)n))
            wrong(s, "there are no more frames", rest);
    } else if (span_equal(name, SPAN("elapse"))) {
        if (parse_duration_ms(rest, &ms) < 0)
            wrong(s, "not a duration such as 3s", rest);
        else
            s->app->mono_ms = s->source->elapse(s->source->ctx, ms);
    } else if (span_equal(name, SPAN("await"))) {
        await(s, rest);
    } else if (span_equal(name, SPAN("paste"))) {
        app_paste(s->app, text);
    } else if (span_equal(name, SPAN("click"))) {
        click(s, rest);
    } else if (span_equal(name, SPAN("wheel"))) {
        app_wheel(s->app, span_equal(rest, SPAN("up")) ? 1 : -1);
    } else {
        struct app *app = s->app;
        char before[sizeof app->message];
        bool was_bad = app->message_is_bad;
        memcpy(before, app->message, sizeof before);
        app->message_is_bad = false;
        app->message[0] = '\0';
        app_command(app, text);
        if (app->message_is_bad)
            wrong(s, app->message, line);
        if (app->message[0] == '\0') { /* it said nothing: what stood there stays */
            memcpy(app->message, before, sizeof before);
            app->message_is_bad = was_bad;
        }
    }
}

static void run_keys(struct script *s, struct span line)
{
    while (line.len > 0) {
        size_t used = 1;
        int key = 0;
        size_t close = span_find(line, '>');
        if (line.ptr[0] == '<' && close > 1 && close < line.len) {
            key = term_key_of(span_of(line.ptr + 1, close - 1));
            used = close + 1;
        } else {
            while (used < line.len && ((unsigned char)line.ptr[used] & 0xc0) == 0x80)
                used++;
            key = term_key_of(span_of(line.ptr, used));
        }
        if (key)
            app_key(s->app, key, s->app->mono_ms);
        else
            wrong(s, "no such key", span_of(line.ptr, used));
        show(s);
        line = span_from(line, used);
    }
}

int script_run(struct app *app, const char *path, const struct script_source *source, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0)
        return r;
    struct script s = {.app = app, .source = source, .problems = problems, .path = path};
    r = cells_init(&s.cells, 80, 24);
    if (r < 0)
        return r;
    s.cells.ascii = !term_locale_is_utf8();
    show(&s);
    struct span rest = span_of(text, n), line;
    while (!app->quit && span_cut(&rest, '\n', &line)) {
        s.line++;
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (line.ptr[0] == ':' && line.len > 1 && app->input == INPUT_NONE)
            run_command(&s, span_from(line, 1));
        else
            run_keys(&s, line);
        show(&s);
    }
    cells_done(&s.cells);
    return 0;
}
