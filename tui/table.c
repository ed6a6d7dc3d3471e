#include "tui/table.h"

#include "tui/screen.h"

#define FLEX_MIN 24
#define COLUMNS_MAX 16
#define WORDS_LEFT_MAX 32

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return strcmp(x->key, y->key);
}

/* All texts of a row, so that a filter finds what is seen. */
static bool is_shown(const struct filter *f, const char *key, const json_t *row)
{
    if (f->text[0] == '\0')
        return true;
    struct buf b;
    buf_init(&b, 16384);
    buf_str(&b, key);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        if (json_is_string(value))
            buf_printf(&b, " %s", json_string_value(value));
    }
    bool shown = filter_shows(f, b.data ? b.data : key);
    buf_done(&b);
    return shown;
}

size_t table_rows(struct app *app, enum view_id view, const char *section,
                  double (*rank)(const char *key, const json_t *row),
                  bool (*keep)(const struct app *app, const char *key, const json_t *row), struct row **ret)
{
    json_t *rows = model_section(app_model(app), section), *row;
    struct row *out = arena_array(&app->frame, json_object_size(rows) + 1, sizeof *out);
    const char *key;
    size_t n = 0;
    *ret = out;
    if (!out)
        return 0;
    json_object_foreach(rows, key, row)
    {
        if ((keep && !keep(app, key, row)) || (view < VIEWS && !is_shown(&app->filters[view], key, row)))
            continue;
        double r = rank ? rank(key, row) : 0;
        out[n++] = (struct row){key, row, r == r ? r : 0};
    }
    qsort(out, n, sizeof *out, compare_rows);
    return n;
}

/* The width of each column, 0 for those that do not fit. */
static void fit(const struct column *columns, size_t n, int width, int *widths)
{
    bool gone[COLUMNS_MAX] = {false};
    for (;;) {
        int fixed = 0;
        size_t worst = n, flex = n;
        for (size_t i = 0; i < n; i++) {
            if (gone[i])
                continue;
            fixed += (columns[i].width ? columns[i].width : FLEX_MIN) + 1;
            if (!columns[i].width)
                flex = i;
            if (columns[i].drop && (worst == n || columns[i].drop > columns[worst].drop))
                worst = i;
        }
        if (fixed - 1 > width && worst < n) {
            gone[worst] = true;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            widths[i] = gone[i] ? 0 : columns[i].width;
        if (flex < n)
            widths[flex] = width - (fixed - 1) + FLEX_MIN > 0 ? width - (fixed - 1) + FLEX_MIN : 1;
        return;
    }
}

static void find_selected(struct list *l, const struct row *rows, size_t n)
{
    for (size_t i = 0; l->key[0] != '\0' && i < n; i++)
        if (strcmp(rows[i].key, l->key) == 0)
            l->at = (int)i;
    if (l->at >= (int)n)
        l->at = n > 0 ? (int)n - 1 : 0;
    snprintf(l->key, sizeof l->key, "%s", n > 0 ? rows[l->at].key : "");
    l->rows = (int)n;
    if (l->top > l->at)
        l->top = l->at;
    if (l->at >= l->top + l->height)
        l->top = l->at - l->height + 1;
    if (l->top > l->rows - l->height)
        l->top = l->rows > l->height ? l->rows - l->height : 0;
}

int table_draw(struct app *app, struct cells *c, struct box box, enum view_id view, const struct column *columns,
               size_t n_columns, const struct row *rows, size_t n)
{
    int widths[COLUMNS_MAX] = {0};
    struct list none = {0}, *l = view < VIEWS ? &app->lists[view] : &none;
    l->height = box.h > 1 ? box.h - 1 : 1;
    if (view < VIEWS)
        find_selected(l, rows, n);
    fit(columns, n_columns < COLUMNS_MAX ? n_columns : COLUMNS_MAX, box.w, widths);
    cells_fill(c, (struct box){box.x, box.y, box.w, 1}, ' ', STYLE_HEAD);
    for (size_t i = 0, x = 0; i < n_columns; i++) {
        if (!widths[i])
            continue;
        int at = box.x + (int)x;
        if (columns[i].right)
            cells_text_right(c, at, box.y, widths[i], STYLE_HEAD, columns[i].title);
        else
            cells_text(c, at, box.y, widths[i], STYLE_HEAD, columns[i].title);
        x += (size_t)widths[i] + 1;
    }
    int y = 1;
    for (; y < box.h && l->top + y - 1 < (int)n; y++) {
        const struct row *row = &rows[l->top + y - 1];
        int x = box.x;
        for (size_t i = 0; i < n_columns; i++) {
            if (!widths[i])
                continue;
            columns[i].draw(app, c, (struct box){x, box.y + y, widths[i], 1}, row);
            x += widths[i] + 1;
        }
        struct box line = {box.x, box.y + y, box.w, 1};
        if (view < VIEWS) {
            screen_hot(app, line, 0, l->top + y - 1);
            if (l->top + y - 1 == l->at)
                cells_reverse(c, line);
        }
    }
    int left = (int)n - l->top - (y - 1);
    if (left > 0 && box.w > 20) {
        char more[WORDS_LEFT_MAX];
        snprintf(more, sizeof more, " +%d more ", left);
        cells_text_right(c, box.x, box.y, box.w, STYLE_HEAD, more);
    }
    return y;
}
