/* input.c - keys, the line at the bottom, clicks. */
#include "lib/term/term.h"
#include "tui/command.h"
#include "tui/keys.h"

#define CTRL(letter) ((letter) - 'A' + 1)

void app_input(struct app *app, enum app_input input, const char *text)
{
    app->input = input;
    snprintf(app->line, sizeof app->line, "%s", text);
    app->line_bytes = app->cursor = strlen(app->line);
    app->history_at = app->n_history_lines;
}

static void insert(struct app *app, const char *bytes, size_t n)
{
    if (app->line_bytes + n >= sizeof app->line) {
        app_say(app, true, "the line is full");
        return;
    }
    memmove(app->line + app->cursor + n, app->line + app->cursor, app->line_bytes - app->cursor + 1);
    memcpy(app->line + app->cursor, bytes, n);
    app->line_bytes += n;
    app->cursor += n;
}

static size_t before(const struct app *app, size_t at)
{
    while (at > 0 && ((unsigned char)app->line[--at] & 0xc0) == 0x80)
        ;
    return at;
}

static size_t after(const struct app *app, size_t at)
{
    if (at < app->line_bytes)
        at++;
    while (at < app->line_bytes && ((unsigned char)app->line[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static void cut(struct app *app, size_t from, size_t to)
{
    memmove(app->line + from, app->line + to, app->line_bytes - to + 1);
    app->line_bytes -= to - from;
    app->cursor = from;
}

static void remember(struct app *app)
{
    size_t max = ARRAY_LEN(app->history_lines);
    if (app->line[0] == '\0' || app->line_bytes >= sizeof app->history_lines[0])
        return;
    if (app->n_history_lines == max) {
        memmove(app->history_lines, app->history_lines + 1, (max - 1) * sizeof app->history_lines[0]);
        app->n_history_lines--;
    }
    snprintf(app->history_lines[app->n_history_lines++], sizeof app->history_lines[0], "%s", app->line);
}

static void recall(struct app *app, int step)
{
    size_t n = app->n_history_lines;
    if (app->input != INPUT_COMMAND || (step < 0 && app->history_at == 0) || (step > 0 && app->history_at >= n))
        return;
    size_t at = step < 0 ? app->history_at - 1 : app->history_at + 1;
    app_input(app, INPUT_COMMAND, at < n ? app->history_lines[at] : "");
    app->history_at = at;
}

static void apply_filter(struct app *app, bool say)
{
    struct parse_error error;
    if (filter_set(&app->filters[app->view], app->line, &error) < 0 && say)
        app_say(app, true, "filter: %s", error.text);
}

static void finish(struct app *app)
{
    enum app_input input = app->input;
    app->input = INPUT_NONE;
    if (input == INPUT_COMMAND) {
        remember(app);
        app_command(app, app->line);
    } else if (input == INPUT_FILTER) {
        apply_filter(app, true);
    } else if (input == INPUT_NOTE && app->line[0] != '\0') {
        app_note(app, app->line);
    } else if (input == INPUT_QUERY) {
        app_query(app, app->line);
    }
}

static void complete(struct app *app)
{
    char choices[512];
    if (app->input != INPUT_COMMAND || app->cursor != app->line_bytes)
        return;
    command_complete(app, app->line, sizeof app->line, choices, sizeof choices);
    app->line_bytes = app->cursor = strlen(app->line);
    if (choices[0] != '\0')
        app_say(app, false, "%s", choices);
}

static void key_in_line(struct app *app, int key)
{
    switch (key) {
    case TERM_KEY_ENTER:
        finish(app);
        return;
    case TERM_KEY_ESCAPE:
    case CTRL('C'):
        app->input = INPUT_NONE;
        return;
    case TERM_KEY_BACKSPACE:
        if (app->line_bytes == 0)
            app->input = INPUT_NONE;
        else
            cut(app, before(app, app->cursor), app->cursor);
        break;
    case TERM_KEY_DELETE:
        cut(app, app->cursor, after(app, app->cursor));
        break;
    case CTRL('U'):
        cut(app, 0, app->cursor);
        break;
    case CTRL('W'): {
        size_t from = app->cursor;
        while (from > 0 && app->line[from - 1] == ' ')
            from--;
        while (from > 0 && app->line[from - 1] != ' ')
            from--;
        cut(app, from, app->cursor);
        break;
    }
    case CTRL('A'):
    case TERM_KEY_HOME:
        app->cursor = 0;
        break;
    case CTRL('E'):
    case TERM_KEY_END:
        app->cursor = app->line_bytes;
        break;
    case TERM_KEY_LEFT:
        app->cursor = before(app, app->cursor);
        break;
    case TERM_KEY_RIGHT:
        app->cursor = after(app, app->cursor);
        break;
    case TERM_KEY_UP:
        recall(app, -1);
        break;
    case TERM_KEY_DOWN:
        recall(app, 1);
        break;
    case '\t':
        complete(app);
        break;
    default:
        if (key >= ' ' && key < TERM_KEY_UP && key != 127) {
            struct buf b;
            buf_init(&b, 16);
            cells_utf8(&b, (uint32_t)key);
            if (!buf_error(&b))
                insert(app, b.data, b.len);
            buf_done(&b);
        }
    }
    if (app->input == INPUT_FILTER)
        apply_filter(app, false); /* rows follow while it is typed; half an expression is no complaint */
}

void app_key(struct app *app, int key, int64_t mono_ms)
{
    app->mono_ms = mono_ms;
    if (app->input != INPUT_NONE) {
        key_in_line(app, key);
        return;
    }
    const struct key_def *def = key_find(key);
    if (def)
        key_act(app, def);
}

/* Pasted text is text: outside of a line it does nothing, whatever keys it spells. */
void app_paste(struct app *app, const char *text)
{
    if (app->input == INPUT_NONE) {
        app_say(app, true, "pasted text is not taken as keys: press : / e or n first");
        return;
    }
    for (uint32_t ch; (ch = cells_next(&text)) != 0;)
        if (ch != 0xfffd)
            key_in_line(app, (int)ch);
}

void app_click(struct app *app, int x, int y)
{
    for (size_t i = app->n_hot; i-- > 0;) { /* what was drawn last lies on top */
        const struct hot *h = &app->hot[i];
        if (x < h->box.x || y < h->box.y || x >= h->box.x + h->box.w || y >= h->box.y + h->box.h)
            continue;
        struct list *l = &app->lists[app->view];
        if (h->span_ms > 0) { /* the middle of the clicked column, as a whole second */
            int64_t t = h->from_ms + (2 * (x - h->box.x) + 1) * h->span_ms / (2 * h->box.w);
            app_scrub_to(app, t / 1000 * 1000);
        } else if (h->key) {
            app_key(app, h->key, app->mono_ms);
        } else if (h->row == l->at) {
            app_open(app);
        } else {
            l->at = h->row;
            l->key[0] = '\0';
        }
        return;
    }
}

void app_wheel(struct app *app, int up)
{
    app_move(app, up > 0 ? -3 : 3);
}
