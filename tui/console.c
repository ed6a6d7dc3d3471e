#include "tui/console.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/problem.h"
#include "lib/term/term.h"
#include "tui/link.h"
#include "tui/plain.h"
#include "tui/screen.h"
#include "tui/script.h"

#define TURN_MS 1000 /* ages and staleness move on without frames */
#define ONCE_WAIT_MS 10000
#define ONCE_STEP_MS 5
#define DRAW_EVERY_MS 50 /* frames that come faster are drawn together */

static const struct option_def OPTIONS[] = {
    {.name = "once", .type = OPT_FLAG, .help = "print the state as lines (with --json: as JSON) and end"},
    {.name = "json", .type = OPT_FLAG, .help = "print each state as a line of JSON"},
    {.name = "plain", .type = OPT_FLAG, .help = "print lines, one per change: for pipes and braille displays"},
    {.name = "no-color", .type = OPT_FLAG, .help = "no colours (as NO_COLOR in the environment)"},
    {.name = "no-mouse", .type = OPT_FLAG, .help = "leave the mouse to the terminal"},
    {.name = "graphs",
     .type = OPT_CHOICE,
     .choices = "auto|braille|block|ascii",
     .fallback = "auto",
     .help = "what graphs are drawn with; auto goes by locale and TERM"},
    {.name = "auth-file",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_AUTH_FILE",
     .help = "file with the bearer token for the collector; read anew at each request"},
    {.name = "ca-file",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_CA_FILE",
     .help = "certificates that the collector's own must be signed by"},
    {.name = "replay",
     .type = OPT_TEXT,
     .arg = "FILE",
     .help = "show a recorded stream (curl -N URL/api/crest/v1/stream >FILE) instead of a collector"},
    {.name = "story",
     .type = OPT_TEXT,
     .arg = "FILE",
     .help = "show the last lines of a file that grows below the views (the demo's story)"},
    {.name = "script",
     .type = OPT_TEXT,
     .arg = "FILE",
     .help = "take keys and :commands from a file, without a terminal"},
    {0}};
static const struct command_def COMMAND_TABLE[] = {
    {"", "[URL]", 0, 1, "watch the collector at URL (default http://127.0.0.1:9480)"}, {0}};

const struct program_def CONSOLE_PROGRAM = {
    .name = "crest-tui",
    .summary = "the sale in a terminal: event, services, journeys, alerts, targets, any query",
    .examples = "  crest-tui                                     # the collector on this machine\n"
                "  crest-tui http://collector.shop.example:9480  # another one\n"
                "  crest-tui --once                              # the state as lines, then end\n"
                "  crest-tui --json --once | jq .sections.alerts\n"
                "  crest-tui --replay sale.sse                   # a recorded stream; h and l move in time",
    .commands = COMMAND_TABLE,
    .options = OPTIONS,
};

struct console {
    const struct options *options;
    struct app *app;
    struct link *link;
    struct story *story;
    char *replay;
    struct span replay_rest;
    struct sse replay_sse;
    size_t replay_wanted;
    int64_t clock_ms; /* of a replay: its own */
    int64_t start_t_ms;
    char id[SSE_ID_BYTES_MAX];
    uint64_t events;
};

static int64_t mono_ms(void)
{
    return mono_us() / 1000;
}

/* ---- where frames come from ------------------------------------------------------------------------------- */

static void on_live_event(void *ctx, const struct sse_event *event)
{
    struct console *c = ctx;
    snprintf(c->id, sizeof c->id, "%s", event->id);
    c->events++;
}

/* A replayed frame: the clock goes as the frames' own does. */
static void on_replayed(void *ctx, const struct sse_event *event)
{
    struct console *c = ctx;
    int64_t before = c->app->live.t_ms;
    app_frame(c->app, event, c->clock_ms);
    int64_t t = c->app->live.t_ms;
    if (before && t > before) {
        c->clock_ms += t - before;
        c->app->mono_ms = c->app->frame_mono_ms = c->clock_ms;
    }
    on_live_event(c, event);
}

/* The next n frames of the replay. */
static bool replay_frames(void *ctx, size_t n)
{
    struct console *c = ctx;
    uint64_t end = n == SIZE_MAX ? UINT64_MAX : c->events + n;
    bool any = false;
    while (c->events < end && c->replay_rest.len > 0) {
        /* line by line, so that it stops behind the frame that was asked for */
        size_t line = span_find(c->replay_rest, '\n');
        line = line < c->replay_rest.len ? line + 1 : line;
        if (!sse_feed(&c->replay_sse, span_of(c->replay_rest.ptr, line), on_replayed, c))
            return false;
        c->replay_rest = span_from(c->replay_rest, line);
        any = true;
    }
    return any;
}

static int64_t replay_elapse(void *ctx, int64_t ms)
{
    struct console *c = ctx;
    c->clock_ms += ms;
    return c->clock_ms;
}

static int64_t live_elapse(void *ctx, int64_t ms)
{
    struct console *c = ctx;
    int64_t end = mono_ms() + ms, now;
    while ((now = mono_ms()) < end) {
        struct pollfd p = {.fd = link_fd(c->link), .events = POLLIN};
        int64_t wait = link_timeout_ms(c->link, now);
        poll(&p, 1, (int)(wait < end - now ? wait : end - now));
        link_step(c->link, mono_ms());
        app_tick(c->app, mono_ms());
    }
    return now;
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

/* Lines in a locale that is not UTF-8: what the screen would show there. */
static void to_ascii(struct buf *b)
{
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    const char *at = b->data ? b->data : "";
    while (*at != '\0') {
        if (*at == '\n') { /* cells_next takes it for a blank */
            buf_char(&out, *at++);
            continue;
        }
        uint32_t ch = cells_next(&at);
        for (int i = 0; i < cell_width(ch); i++)
            buf_char(&out, (char)(ch < 0x80 ? ch : cell_width(ch) == 2 ? '?' : cell_ascii(ch)));
    }
    buf_done(b);
    *b = out;
}

static bool print(struct buf *b)
{
    if (!term_locale_is_utf8() && buf_error(b) == 0)
        to_ascii(b);
    bool ok = buf_error(b) == 0 && (b->len == 0 || fwrite(b->data, 1, b->len, stdout) == b->len) && fflush(stdout) == 0;
    buf_clear(b);
    return ok;
}

static void render_state(struct console *c, struct buf *b)
{
    arena_reset(&c->app->frame);
    if (options_flag(c->options, "json"))
        plain_json(c->app, c->id, isatty(STDOUT_FILENO) || !term_locale_is_utf8(), b);
    else
        plain_state(c->app, b);
}

static int run_once(struct console *c)
{
    int64_t end = mono_ms() + ONCE_WAIT_MS;
    while (c->link && c->app->live.t_ms == 0 && link_failures(c->link) == 0 && mono_ms() < end)
        live_elapse(c, ONCE_STEP_MS);
    if (!c->link)
        replay_frames(c, SIZE_MAX);
    if (c->app->live.t_ms == 0) {
        if (!c->link)
            fprintf(stderr, "crest-tui: the replay has no frame\n");
        else if (link_failures(c->link) > 0)
            fprintf(stderr, "crest-tui: %s\n", link_why(c->link));
        else
            fprintf(stderr, "crest-tui: no state within %d s\n", ONCE_WAIT_MS / 1000);
        return EXIT_FAILED;
    }
    struct buf b;
    buf_init(&b, BODY_BYTES_MAX);
    render_state(c, &b);
    bool ok = print(&b);
    buf_done(&b);
    return ok ? EXIT_OK : EXIT_FAILED;
}

/* Of the stream itself: a line among lines, but JSON stays JSON. */
static void say_beside(bool json, struct buf *b, const char *words)
{
    if (json)
        fprintf(stderr, "crest-tui: %s\n", words);
    else
        buf_printf(b, "%s\n", words);
}

/* One line per change; a line also when the stream stops and when it is back. */
static int run_lines(struct console *c)
{
    struct model before;
    struct buf b;
    bool ok = model_init(&before) == 0, said_stale = false, first = true, json = options_flag(c->options, "json");
    buf_init(&b, BODY_BYTES_MAX);
    uint64_t seen = 0;
    while (ok) {
        bool more = true;
        if (c->link)
            live_elapse(c, 100);
        else
            more = replay_frames(c, 1);
        /* before the first frame it counts only when a try has failed */
        bool stale = app_stale_s(c->app) > 0 ||
                     (c->link && !c->app->connected && (c->app->live.t_ms || link_failures(c->link) > 0));
        if (!stale && said_stale) {
            say_beside(json, &b, "the stream is back");
            said_stale = false;
        }
        if (c->events != seen && c->app->live.t_ms) {
            seen = c->events;
            if (first || json)
                render_state(c, &b);
            else
                plain_changes(c->app, &before, &b);
            first = false;
            struct model now;
            if (model_copy(&c->app->live, &now) == 0) {
                model_done(&before);
                before = now;
            }
        }
        if (stale && !said_stale && c->link) {
            char words[300];
            snprintf(words, sizeof words, "STALE: no frame%s%s", c->app->connected ? "" : "; ",
                     c->app->connected ? "" : link_words(c->link));
            say_beside(json, &b, words);
            said_stale = true;
        }
        ok = print(&b) && more;
    }
    buf_done(&b);
    model_done(&before);
    return EXIT_OK; /* the reader of the pipe has had enough, or the replay is over */
}

/* ---- the terminal ----------------------------------------------------------------------------------------- */

static void take_event(struct console *c, const struct term_event *e)
{
    switch (e->type) {
    case TERM_EVENT_KEY:
        app_key(c->app, e->key, c->app->mono_ms);
        break;
    case TERM_EVENT_CLICK:
        app_click(c->app, e->x, e->y);
        break;
    case TERM_EVENT_WHEEL:
        app_wheel(c->app, e->up);
        break;
    case TERM_EVENT_PASTE:
        app_paste(c->app, e->paste);
        break;
    case TERM_EVENT_RESIZE:
        break;
    }
}

static void save_screens(struct console *c, const struct cells *cells)
{
    struct app *app = c->app;
    char **paths[] = {&app->save_path, &app->save_styles_path};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (!*paths[i])
            continue;
        struct buf b;
        buf_init(&b, BODY_BYTES_MAX);
        (i == 0 ? cells_save : cells_save_styles)(cells, &b);
        int r = buf_error(&b) ? buf_error(&b) : file_write(*paths[i], b.data ? b.data : "", b.len);
        if (r < 0)
            app_say(app, true, "%s: %s", *paths[i], strerror(-r));
        else
            app_say(app, false, "%s is written", *paths[i]);
        buf_done(&b);
        free(*paths[i]);
        *paths[i] = NULL;
    }
}

/* Frames of a replay come as they came: by their own times, from now on. */
static void replay_turn(struct console *c, int64_t now, int64_t *next_ms)
{
    while (c->replay_rest.len > 0 && now >= *next_ms) {
        int64_t before = c->app->live.t_ms;
        c->clock_ms = now;
        if (!replay_frames(c, 1))
            return;
        int64_t gap = before ? c->app->live.t_ms - before : 1000;
        *next_ms = now + (gap < 0 ? 0 : gap > 5000 ? 5000 : gap);
        c->app->mono_ms = c->app->frame_mono_ms = now;
    }
}

static int terminal_loop(struct console *c, struct terminal *t, struct cells *cells)
{
    struct app *app = c->app;
    int64_t next_replay_ms = 0, drawn_ms = 0;
    uint64_t seen = UINT64_MAX;
    bool mouse = app->mouse, dirty = true, drawn_data = false;
    while (!app->quit && !term_stop_signal()) {
        int64_t now = mono_ms();
        if (c->link)
            link_step(c->link, now);
        else
            replay_turn(c, now, &next_replay_ms);
        app_tick(app, now);
        dirty = (c->story && story_step(c->story, now)) || dirty;
        struct term_event e;
        int r;
        while ((r = term_read(t, &e)) == 1) {
            if (e.type == TERM_EVENT_RESIZE && cells_resize(cells, term_width(t), term_height(t)) < 0)
                return EXIT_FAILED;
            take_event(c, &e);
            dirty = true;
            if (e.type == TERM_EVENT_CLICK)
                screen_draw(app, cells); /* the next click is on what is shown then */
        }
        if (r < 0)
            return EXIT_FAILED;
        if (mouse != app->mouse)
            term_mouse(t, mouse = app->mouse);
        if (app->redraw) {
            term_redraw(t);
            app->redraw = false;
        }
        bool first = app->live.t_ms && !drawn_data; /* what was awaited is shown at once */
        bool came = seen != c->events || app->answered;
        dirty = dirty || first || (came && now - drawn_ms >= DRAW_EVERY_MS) || now - drawn_ms >= TURN_MS;
        if (dirty) {
            seen = c->events;
            drawn_ms = now;
            drawn_data = app->live.t_ms != 0;
            dirty = app->answered = came = false;
            screen_draw(app, cells);
            save_screens(c, cells);
            term_draw(t, cells);
        }
        int64_t wait = drawn_ms + TURN_MS - now,
                link_wait = c->link ? link_timeout_ms(c->link, now) : next_replay_ms - now;
        if (link_wait < wait && (c->link || c->replay_rest.len > 0))
            wait = link_wait;
        if (came && wait > DRAW_EVERY_MS)
            wait = DRAW_EVERY_MS;
        if (c->story && wait > STORY_EVERY_MS)
            wait = STORY_EVERY_MS;
        struct pollfd p[2] = {{.fd = term_fd(t), .events = POLLIN},
                              {.fd = c->link ? link_fd(c->link) : -1, .events = POLLIN}};
        if (!app->quit && poll(p, 2, wait > 0 ? (int)wait : 0) > 0 && (p[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
            return EXIT_FAILED; /* the terminal is gone */
    }
    return term_stop_signal() ? 128 + term_stop_signal() : EXIT_OK;
}

static int run_terminal(struct console *c)
{
    struct terminal *t;
    const char *why;
    struct cells cells;
    struct term_options how = {.no_color = options_flag(c->options, "no-color"),
                               .no_mouse = options_flag(c->options, "no-mouse")};
    int r = term_open(&how, &t, &why);
    if (r < 0) {
        fprintf(stderr, "crest-tui: %s (%s)\n", why, strerror(-r));
        return EXIT_FAILED;
    }
    c->app->mouse = !how.no_mouse;
    r = cells_init(&cells, term_width(t), term_height(t));
    cells.ascii = term_glyphs_of(NULL) == TERM_ASCII;
    int code = r == 0 ? terminal_loop(c, t, &cells) : EXIT_FAILED;
    term_close(t);
    cells_done(&cells);
    return code;
}

/* ---- start ------------------------------------------------------------------------------------------------ */

static int run_script(struct console *c)
{
    struct problems problems;
    struct script_source source = {
        .ctx = c, .frames = c->link ? NULL : replay_frames, .elapse = c->link ? live_elapse : replay_elapse};
    const char *path = options_text(c->options, "script");
    problems_init(&problems);
    c->app->mono_ms = c->link ? mono_ms() : c->clock_ms;
    int r = script_run(c->app, path, &source, &problems);
    if (r < 0)
        fprintf(stderr, "crest-tui: %s: %s\n", path, strerror(-r));
    problems_print(&problems, stderr);
    int code = r < 0 ? EXIT_FAILED : problems_errors(&problems) ? EXIT_USAGE : EXIT_OK;
    problems_done(&problems);
    return code;
}

static enum graph_mode graphs_of(const struct options *o)
{
    static const enum graph_mode BEST[] = {
        [TERM_ASCII] = GRAPH_ASCII, [TERM_BLOCK] = GRAPH_BLOCK, [TERM_BRAILLE] = GRAPH_BRAILLE};
    for (int i = 0; i < GRAPH_MODES; i++)
        if (strcmp(options_text(o, "graphs"), GRAPH_MODE_NAMES[i]) == 0)
            return (enum graph_mode)i;
    return BEST[term_glyphs_of(options_given(o, "script") ? "xterm" : NULL)];
}

/* Lines of somebody else's; a script looks at them once, so that its screens are the same each time. */
MUST_USE static int open_story(struct console *c, const char *path)
{
    int r = path ? story_new(path, &c->story) : 0;
    if (r == 0 && path)
        (void)story_step(c->story, mono_ms());
    c->app->story = c->story;
    return r;
}

/* The collector, or the recorded stream. */
MUST_USE static int open_source(struct console *c, const char *url)
{
    const char *why = NULL, *replay = options_text(c->options, "replay");
    size_t n = 0;
    int r;
    if (replay) {
        r = file_read(replay, REPLAY_BYTES_MAX, &c->replay, &n);
        c->replay_rest = span_of(c->replay, r == 0 ? n : 0);
        c->clock_ms = 1000;
        if (r < 0)
            fprintf(stderr, "crest-tui: %s: %s\n", replay, strerror(-r));
        return r;
    }
    r = link_new(&(struct link_config){.url = url,
                                       .auth_file = options_text(c->options, "auth-file"),
                                       .ca_file = options_text(c->options, "ca-file"),
                                       .on_event = on_live_event,
                                       .ctx = c},
                 &c->link, &why);
    if (r < 0)
        fprintf(stderr, "crest-tui: %s: %s\n", url, why ? why : strerror(-r));
    return r;
}

int console_run(const struct options *o)
{
    struct console c = {.options = o};
    char text[512];
    const char *url = options_operand_count(o) ? options_operand(o, 0) : "http://127.0.0.1:9480";
    if (!strstr(url, "://")) {
        snprintf(text, sizeof text, "http://%s", url);
        url = text;
    }
    bool utf8 = term_locale_is_utf8(); /* before the first character is measured */
    (void)utf8;
    sse_init(&c.replay_sse);
    if (open_source(&c, url) < 0)
        return options_text(o, "replay") ? EXIT_FAILED : EXIT_USAGE;
    const char *host = strstr(url, "://") + 3, *at = memrchr(host, '@', strcspn(host, "/"));
    host = at ? at + 1 : host; /* what stands before it may be a secret */
    struct app_config config = {
        .address = c.link ? host : "replay", .graphs = graphs_of(o), .ascii = !term_locale_is_utf8()};
    if (c.link)
        config.wire = link_wire(c.link);
    int code = EXIT_FAILED;
    if (app_new(&config, &c.app) < 0 || open_story(&c, options_text(o, "story")) < 0) {
        fprintf(stderr, "crest-tui: out of memory\n");
    } else {
        c.app->connected = !c.link;
        if (c.link)
            link_attach(c.link, c.app);
        if (options_text(o, "script"))
            code = run_script(&c);
        else if (options_flag(o, "once"))
            code = run_once(&c);
        else if (options_flag(o, "json") || options_flag(o, "plain") || !term_capable(NULL))
            code = run_lines(&c);
        else
            code = run_terminal(&c);
    }
    link_free(c.link);
    app_free(c.app);
    story_free(c.story);
    sse_done(&c.replay_sse);
    free(c.replay);
    return code;
}
