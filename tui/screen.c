#include "tui/screen.h"

#include "lib/term/term.h"
#include "tui/keys.h"
#include "tui/plan.h"
#include "tui/view/views.h"

#define PAGES_SHOWN_MAX 3

void screen_hot(struct app *app, struct box box, int key, int row)
{
    if (app->n_hot < HOT_MAX)
        app->hot[app->n_hot++] = (struct hot){.box = box, .key = key, .row = row};
}

struct box screen_section(struct cells *c, struct box box, const char *title, const char *note)
{
    cells_fill(c, (struct box){box.x, box.y, box.w, 1}, 0x2500, STYLE_LINE);
    int x = box.x + cells_text(c, box.x, box.y, box.w - 2, STYLE_TITLE, title);
    cells_put(c, x, box.y, ' ', STYLE_PLAIN);
    if (note)
        cells_printf(c, box.x + box.w - cells_text_width(note) - 3, box.y, cells_text_width(note) + 2, STYLE_DIM,
                     " %s ", note);
    return (struct box){box.x, box.y + 1, box.w, box.h - 1};
}

static const struct state_look LOOKS[] = {
    {"ok", "\xe2\x97\x8f", STYLE_OK},
    {"warn", "\xe2\x96\xb2", STYLE_WARN},
    {"crit", "\xe2\x96\xa0", STYLE_CRIT},
    {"unknown", "\xe2\x97\x8b", STYLE_UNKNOWN},
};

const struct state_look *screen_state(const char *state)
{
    for (size_t i = 0; i < ARRAY_LEN(LOOKS); i++)
        if (strcmp(LOOKS[i].state, state) == 0)
            return &LOOKS[i];
    return &LOOKS[3]; /* a state that we do not know is unknown, not well */
}

const struct state_look *screen_state_now(const struct app *app, const char *state)
{
    static const struct state_look WAS[ARRAY_LEN(LOOKS)] = {
        {"was ok", "\xe2\x97\x8b", STYLE_UNKNOWN},
        {"was warn", "\xe2\x97\x8b", STYLE_UNKNOWN},
        {"was crit", "\xe2\x97\x8b", STYLE_UNKNOWN},
        {"unknown", "\xe2\x97\x8b", STYLE_UNKNOWN},
    };
    const struct state_look *look = screen_state(state);
    return app_is_old(app) ? &WAS[look - LOOKS] : look;
}

void screen_alert_words(const json_t *alert, char *text, size_t n)
{
    const char *summary = row_text(alert, "summary"), *service = row_text(alert, "service"),
               *name = row_text(alert, "name");
    const char *words = summary[0] ? summary : name;
    if (service[0] == '\0' || strncmp(words, service, strlen(service)) == 0)
        snprintf(text, n, "%s", words);
    else
        snprintf(text, n, "%s: %s", service, words);
}

/* ---- the page on top -------------------------------------------------------------------------------------- */

static bool is_page(const struct app *app, const char *key, const json_t *row)
{
    (void)app;
    (void)key;
    return strcmp(row_text(row, "state"), "firing") == 0 && strcmp(row_text(row, "severity"), "page") == 0;
}

/* What fires now, whatever moment is shown: nobody looks at the past while the house burns unseen. Oldest first. */
static size_t pages_of(struct app *app, struct row **ret)
{
    json_t *alerts = model_section(&app->live, "alerts"), *alert;
    struct row *pages = arena_array(&app->frame, json_object_size(alerts) + 1, sizeof *pages);
    const char *key;
    size_t n = 0;
    *ret = pages;
    json_object_foreach(alerts, key, alert)
    {
        if (!pages || !is_page(app, key, alert))
            continue;
        double rank = rank_alert(key, alert);
        size_t at = n++;
        for (; at > 0 && pages[at - 1].rank < rank; at--)
            pages[at] = pages[at - 1];
        pages[at] = (struct row){key, alert, rank};
    }
    return n;
}

static void page_text(const struct app *app, const json_t *alert, char *text, size_t n)
{
    char words[512], age[WORDS_MAX];
    screen_alert_words(alert, words, sizeof words);
    int64_t since = row_time(alert, "since");
    snprintf(text, n, "PAGE %s%s%s", words, since ? " \xc2\xb7 " : "",
             since ? words_age(age, app_now_ms(app) - since) : "");
}

/* Returns the lines that it takes. */
static int draw_pages(struct app *app, struct cells *c)
{
    struct row *pages;
    size_t n = pages_of(app, &pages);
    if (n == 0)
        return 0;
    int shown = (int)(n < PAGES_SHOWN_MAX ? n : PAGES_SHOWN_MAX), pad = c->h >= 24 ? 1 : 0;
    bool describe = c->h >= 36 && row_text(pages[0].row, "description")[0] != '\0';
    if (c->h < 18)
        shown = 1;
    int lines = shown + 2 * pad + (describe ? 1 : 0) + (n > (size_t)shown ? 1 : 0), y = pad;
    cells_fill(c, (struct box){0, 0, c->w, lines}, ' ', STYLE_PAGE);
    for (int i = 0; i < shown; i++) {
        char text[640];
        page_text(app, pages[i].row, text, sizeof text);
        cells_printf(c, 2, y++, c->w - 3, STYLE_PAGE, "\xe2\x96\xa0 %s", text);
        if (i == 0 && describe)
            cells_text(c, 4, y++, c->w - 6, STYLE_PAGE, row_text(pages[0].row, "description"));
    }
    if (n > (size_t)shown)
        cells_printf(c, 4, y, c->w - 6, STYLE_PAGE, "and %zu more pages", n - (size_t)shown);
    screen_hot(app, (struct box){0, 0, c->w, lines}, '4', 0);
    return lines;
}

/* ---- title, tabs, what is wrong with the stream ------------------------------------------------------------- */

void screen_event_words(const struct app *app, char *text, size_t n)
{
    char left[WORDS_MAX];
    const json_t *row = plan_event(app);
    const char *title = row_text(row, "title"), *phase = row_text(row, "phase");
    int64_t now = app_shown_ms(app), starts = row_time(row, "starts"), ends = row_time(row, "ends");
    text[0] = '\0';
    if (!row)
        return;
    size_t used = (size_t)snprintf(text, n, "%s: ", title[0] ? title : row_text(row, "name"));
    if (used >= n)
        return;
    if (now < starts)
        snprintf(text + used, n - used, "%s%sdoors open in %s", phase, phase[0] ? ", " : "",
                 words_age(left, starts - now));
    else if (now < ends)
        snprintf(text + used, n - used, "%s%sends in %s", phase, phase[0] ? ", " : "", words_age(left, ends - now));
    else
        snprintf(text + used, n - used, "over for %s", words_age(left, now - ends));
}

static void draw_title(struct app *app, struct cells *c, int y)
{
    char clock[WORDS_MAX], right[160], event[160];
    cells_fill(c, (struct box){0, y, c->w, 1}, ' ', STYLE_BAR);
    int x = 1 + cells_text(c, 1, y, 8, STYLE_BAR, "crest") + 2;
    x += cells_text(c, x, y, c->w / 3, STYLE_BAR, app->address) + 2;
    screen_event_words(app, event, sizeof event);
    const char *state = app->live.t_ms == 0 ? "no data yet"
                        : app_stale_s(app)  ? "STALE"
                        : app->shown_ms     ? "past"
                        : app->connected    ? "live"
                                            : "NOT CONNECTED";
    snprintf(right, sizeof right, "%s %s UTC ", state,
             app->live.t_ms ? words_clock(clock, app_shown_ms(app)) : "--:--:--");
    int w = cells_text_width(right);
    if (app->view != VIEW_EVENT) /* which says it itself */
        cells_text(c, x, y, c->w - x - w - 2, STYLE_BAR, event);
    cells_text_right(c, 0, y, c->w, STYLE_BAR, right);
}

static void draw_tabs(struct app *app, struct cells *c, int y)
{
    cells_fill(c, (struct box){0, y, c->w, 1}, ' ', STYLE_TAB);
    int x = 1;
    for (int v = 0; v < VIEWS_IN_TABS; v++) {
        char text[64];
        size_t alerts = json_object_size(model_section(&app->live, "alerts"));
        if (v == VIEW_ALERTS && alerts > 0)
            snprintf(text, sizeof text, " %d %s %zu ", v + 1, VIEW_DEFS[v].name, alerts);
        else
            snprintf(text, sizeof text, " %d %s ", v + 1, VIEW_DEFS[v].name);
        int w = cells_text(c, x, y, c->w - x, v == (int)app->view ? STYLE_TAB_ON : STYLE_TAB, text);
        screen_hot(app, (struct box){x, y, w, 1}, '1' + v, 0);
        x += w;
    }
    if (app->view >= VIEWS_IN_TABS)
        cells_printf(c, x, y, c->w - x, STYLE_TAB_ON, " %s ",
                     app->view == VIEW_SERVICE || app->view == VIEW_BLIND ? app->service : VIEW_DEFS[app->view].name);
}

/* Lines that say what is not as usual: stale, not connected, another moment than now. */
static int draw_notices(struct app *app, struct cells *c, int y)
{
    char age[WORDS_MAX], clock[WORDS_MAX];
    int lines = 0;
    int64_t stale_s = app_stale_s(app);
    if (!app->connected && app->wire.send) {
        cells_fill(c, (struct box){0, y + lines, c->w, 1}, ' ', STYLE_NOTICE);
        if (app->live.t_ms)
            cells_printf(c, 1, y + lines++, c->w - 2, STYLE_NOTICE, "STALE: no frame for %s; %s",
                         words_age(age, app->mono_ms - app->frame_mono_ms), app->link_words);
        else
            cells_printf(c, 1, y + lines++, c->w - 2, STYLE_NOTICE, "not connected: %s", app->link_words);
    } else if (stale_s > 0) {
        cells_fill(c, (struct box){0, y + lines, c->w, 1}, ' ', STYLE_NOTICE);
        cells_printf(c, 1, y + lines++, c->w - 2, STYLE_NOTICE, "STALE: no frame for %s, what you see is old",
                     words_age(age, stale_s * 1000));
    }
    if (app->shown_ms) {
        cells_fill(c, (struct box){0, y + lines, c->w, 1}, ' ', STYLE_NOTICE);
        cells_printf(c, 1, y + lines++, c->w - 2, STYLE_NOTICE, "PAUSED at %s UTC, %s ago \xc2\xb7 %s",
                     words_clock(clock, app->shown_ms), words_age(age, app_now_ms(app) - app->shown_ms),
                     app->past_waiting > 0 ? "asking the collector what was then"
                                           : "h l H L move \xc2\xb7 0 returns to now");
    }
    return lines;
}

/* ---- the bottom ------------------------------------------------------------------------------------------- */

static void draw_input(const struct app *app, struct cells *c, int y)
{
    static const char *const PROMPTS[] = {"", ":", "/", "note: ", "query: "};
    cells_fill(c, (struct box){0, y, c->w, 1}, ' ', STYLE_INPUT);
    int x = cells_text(c, 0, y, c->w, STYLE_INPUT, PROMPTS[app->input]);
    /* the cursor stays in view: what is left of it is cut when the line is longer than the screen */
    char left[sizeof app->line];
    snprintf(left, sizeof left, "%.*s", (int)app->cursor, app->line);
    const char *from = left;
    while (cells_text_width(from) > c->w - x - 2 && *from)
        cells_next(&from);
    x += cells_text(c, x, y, c->w - x, STYLE_INPUT, from);
    const char *right = app->line + app->cursor;
    cells_text(c, x, y, c->w - x, STYLE_INPUT, right[0] ? right : " ");
    cells_reverse(c, (struct box){x, y, 1, 1});
}

static void draw_message(const struct app *app, struct cells *c, int y)
{
    const struct filter *f = &app->filters[app->view];
    if (app->input != INPUT_NONE) {
        draw_input(app, c, y);
        if (app->message_until_ms > app->mono_ms && cells_text_width(app->message) < c->w / 2)
            cells_text_right(c, 0, y, c->w - 1, STYLE_INPUT, app->message);
        return;
    }
    if (app->message_until_ms > app->mono_ms)
        cells_text(c, 1, y, c->w - 2, app->message_is_bad ? STYLE_WARN : STYLE_PLAIN, app->message);
    else if (f->text[0] != '\0')
        cells_printf(c, 1, y, c->w - 2, STYLE_DIM, "filter /%s \xc2\xb7 Esc shows all", f->text);
}

static int key_label_width(const struct key_def *def)
{
    char name[16];
    return cells_text_width(term_key_name(def->keys[0], name)) + cells_text_width(def->label) + 1;
}

static void draw_key(struct app *app, struct cells *c, int x, int y, const struct key_def *def)
{
    char name[16];
    int from = x;
    x += cells_text(c, x, y, c->w - x, STYLE_KEY, term_key_name(def->keys[0], name));
    x += cells_printf(c, x, y, c->w - x, STYLE_BAR, " %s", def->label);
    screen_hot(app, (struct box){from, y, x - from, 1}, def->keys[0], 0);
}

/* As many as there is room for, and always the last one, which is the way out. */
static void draw_keys(struct app *app, struct cells *c, int y)
{
    const struct key_def *last = &KEYS[KEYS_N - 1];
    cells_fill(c, (struct box){0, y, c->w, 1}, ' ', STYLE_BAR);
    int x = 0, room = c->w - key_label_width(last) - 2;
    for (size_t i = 0; i + 1 < KEYS_N; i++) {
        if (!KEYS[i].label)
            continue;
        int w = key_label_width(&KEYS[i]);
        if (x + w > room)
            break;
        draw_key(app, c, x, y, &KEYS[i]);
        x += w + 2;
    }
    draw_key(app, c, x, y, last);
}

static void draw_too_small(struct app *app, struct cells *c, int y)
{
    cells_printf(c, 0, y, c->w, STYLE_BOLD, "this terminal is %dx%d", c->w, c->h);
    cells_printf(c, 0, y + 1, c->w, STYLE_PLAIN, "crest-tui needs %dx%d", SCREEN_WIDTH_MIN, SCREEN_HEIGHT_MIN);
    cells_text(c, 0, y + 2, c->w, STYLE_DIM, "q quits");
    (void)app;
}

void screen_draw(struct app *app, struct cells *c)
{
    cells_clear(c);
    arena_reset(&app->frame);
    json_array_clear(app->made);
    app->n_hot = 0;
    int y = draw_pages(app, c);
    if (c->w < SCREEN_WIDTH_MIN || c->h < SCREEN_HEIGHT_MIN) {
        draw_too_small(app, c, y);
        return;
    }
    draw_title(app, c, y++);
    draw_tabs(app, c, y++);
    y += draw_notices(app, c, y);
    struct box box = {1, y + (c->h >= 24 ? 1 : 0), c->w - 2, 0};
    box.h = c->h - 2 - story_draw(app->story, c, c->h - 2) - box.y;
    if (box.h > 0)
        VIEW_DEFS[app->view].draw(app, c, box);
    draw_message(app, c, c->h - 2);
    draw_keys(app, c, c->h - 1);
}
