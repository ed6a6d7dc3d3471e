#include "lib/term/cells.h"

#include <errno.h>

#define REPLACEMENT 0xfffdu
#define ELLIPSIS 0x2026u

int cells_resize(struct cells *c, int w, int h)
{
    if (w < 1 || h < 1 || w > CELLS_SIDE_MAX || h > CELLS_SIDE_MAX)
        return -EINVAL;
    struct cell *at = calloc((size_t)w * (size_t)h, sizeof *at);
    if (!at)
        return -ENOMEM;
    free(c->at);
    c->at = at;
    c->w = w;
    c->h = h;
    cells_clear(c);
    return 0;
}

int cells_init(struct cells *c, int w, int h)
{
    *c = (struct cells){0};
    return cells_resize(c, w, h);
}

void cells_done(struct cells *c)
{
    free(c->at);
    *c = (struct cells){0};
}

void cells_clear(struct cells *c)
{
    for (size_t i = 0; i < (size_t)c->w * (size_t)c->h; i++)
        c->at[i] = (struct cell){.ch = ' ', .style = STYLE_PLAIN};
}

const struct cell *cells_at(const struct cells *c, int x, int y)
{
    return x < 0 || y < 0 || x >= c->w || y >= c->h ? NULL : &c->at[(size_t)y * (size_t)c->w + (size_t)x];
}

static struct cell *cell_for_writing(struct cells *c, int x, int y)
{
    return x < 0 || y < 0 || x >= c->w || y >= c->h ? NULL : &c->at[(size_t)y * (size_t)c->w + (size_t)x];
}

/* ---- code points ------------------------------------------------------------------------------------------ */

/* Would change the direction of what stands around it, is invisible, or is no character. */
static bool is_harmful(uint32_t ch)
{
    return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0xad || ch == 0x61c || ch == 0x180e ||
           (ch >= 0x200b && ch <= 0x200f) || (ch >= 0x2028 && ch <= 0x202e) || (ch >= 0x2060 && ch <= 0x206f) ||
           (ch >= 0xd800 && ch <= 0xf8ff) || ch == 0xfeff || (ch >= 0xfff0 && ch <= 0xffff) || ch >= 0xe0000;
}

/* Strict UTF-8 (RFC 3629); one bad byte is one replacement. */
static uint32_t decode(const unsigned char *s, size_t *ret_bytes)
{
    *ret_bytes = 1;
    if (s[0] < 0x80)
        return s[0];
    size_t n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
    if (n == 0)
        return REPLACEMENT;
    uint32_t ch = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        ch = ch << 6 | (s[i] & 0x3f);
    }
    static const uint32_t SMALLEST[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (ch < SMALLEST[n] || ch > 0x10ffff)
        return REPLACEMENT;
    *ret_bytes = n;
    return ch;
}

uint32_t cells_next(const char **text)
{
    if (**text == '\0')
        return 0;
    size_t n;
    uint32_t ch = decode((const unsigned char *)*text, &n);
    *text += n;
    if (ch == '\t' || ch == '\n' || ch == '\r')
        return ' ';
    return ch != REPLACEMENT && is_harmful(ch) ? REPLACEMENT : ch;
}

void cells_utf8(struct buf *out, uint32_t ch)
{
    if (ch < 0x80) {
        buf_char(out, (char)ch);
        return;
    }
    int n = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
    static const unsigned char LEAD[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    buf_char(out, (char)(LEAD[n] | ch >> (6 * (n - 1))));
    for (int i = n - 2; i >= 0; i--)
        buf_char(out, (char)(0x80 | (ch >> (6 * i) & 0x3f)));
}

int cells_text_width(const char *text)
{
    int columns = 0;
    for (uint32_t ch; (ch = cells_next(&text)) != 0;)
        columns += cell_width(ch);
    return columns;
}

/* What our own drawings use, and what they are where only ASCII shows. */
uint32_t cell_ascii(uint32_t ch)
{
    static const struct {
        uint32_t ch;
        char ascii;
    } NEAREST[] = {
        {0xb7, '.'},   {0x2026, '~'}, {0x2013, '-'}, {0x2014, '-'},  {0x2500, '-'},  {0x2502, '|'},
        {0x25cf, 'o'}, {0x25cb, 'o'}, {0x25b2, '^'}, {0x25a0, '#'},  {0x2588, '#'},  {0x25b6, '>'},
        {0x2192, '>'}, {0x2190, '<'}, {0x2191, '^'}, {0x2193, 'v'},  {0x2713, '+'},  {0x2717, 'x'},
        {0xa0, ' '},   {0x20ac, 'E'}, {0xa3, 'L'},   {0x2018, '\''}, {0x2019, '\''}, {0x201c, '"'},
        {0x201d, '"'}, {0x2265, '>'}, {0x221e, '~'}, {0x2577, '|'},  {0x2551, '|'},  {0x25c6, '*'},
    };
    /* U+00C0 to U+017F: the letter without its mark. One for one, so that columns stay where they are. */
    static const char LETTERS[] = "AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTsaaaaaaaceeeeiiiidnooooo/ouuuuyty"
                                  "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlL"
                                  "lLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";
    if (ch < 0x80)
        return ch;
    if (ch >= 0xc0 && ch < 0xc0 + sizeof LETTERS - 1)
        return (uint32_t)LETTERS[ch - 0xc0];
    for (size_t i = 0; i < ARRAY_LEN(NEAREST); i++)
        if (NEAREST[i].ch == ch)
            return (uint32_t)NEAREST[i].ascii;
    return ch >= 0x2581 && ch <= 0x2588 ? '#' : '?';
}

/* ---- drawing ---------------------------------------------------------------------------------------------- */

/* Half of a wide character that loses its other half becomes a blank. */
static void unpair(struct cells *c, int x, int y)
{
    struct cell *cell = cell_for_writing(c, x, y), *left = cell_for_writing(c, x - 1, y),
                *right = cell_for_writing(c, x + 1, y);
    if (cell && cell->ch == 0 && left)
        left->ch = ' ';
    if (cell && cell->ch != 0 && right && right->ch == 0)
        right->ch = ' ';
}

static int put(struct cells *c, int x, int y, uint32_t ch, enum cell_style style)
{
    int width = cell_width(ch);
    if (c->ascii)
        ch = cell_ascii(ch);
    if (c->ascii && width == 2) { /* keeps the place, so that screens are the same but for the letters */
        put(c, x, y, '?', style);
        put(c, x + 1, y, '?', style);
        return 2;
    }
    struct cell *cell = cell_for_writing(c, x, y);
    if (!cell)
        return width;
    unpair(c, x, y);
    struct cell *right = width == 2 ? cell_for_writing(c, x + 1, y) : NULL;
    if (width == 2 && !right) { /* does not fit: half of it is nothing */
        *cell = (struct cell){.ch = ' ', .style = (uint8_t)style};
        return 2;
    }
    *cell = (struct cell){.ch = ch, .style = (uint8_t)style};
    if (right) {
        unpair(c, x + 1, y);
        *cell = (struct cell){.ch = ch, .style = (uint8_t)style};
        *right = (struct cell){.ch = 0, .style = (uint8_t)style};
    }
    return width;
}

void cells_put(struct cells *c, int x, int y, uint32_t ch, enum cell_style style)
{
    if (cell_width(ch) > 0)
        put(c, x, y, ch, style);
}

int cells_text(struct cells *c, int x, int y, int max_columns, enum cell_style style, const char *text)
{
    if (max_columns <= 0)
        return 0;
    bool cut = cells_text_width(text) > max_columns;
    int room = cut ? max_columns - 1 : max_columns, used = 0, base = -1;
    for (uint32_t ch; (ch = cells_next(&text)) != 0;) {
        int width = cell_width(ch);
        if (width == 0) {
            struct cell *cell = base >= 0 && !c->ascii ? cell_for_writing(c, x + base, y) : NULL;
            if (cell && cell->mark == 0)
                cell->mark = ch;
            continue;
        }
        if (used + width > room)
            break;
        put(c, x + used, y, ch, style);
        base = used;
        used += width;
    }
    if (cut)
        used += put(c, x + used, y, ELLIPSIS, style);
    return used;
}

int cells_printf(struct cells *c, int x, int y, int max_columns, enum cell_style style, const char *format, ...)
{
    char text[1024]; /* more than a line of any terminal; longer texts are cut anyway */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cells_text(c, x, y, max_columns, style, text);
}

void cells_text_right(struct cells *c, int x, int y, int columns, enum cell_style style, const char *text)
{
    int width = cells_text_width(text);
    cells_text(c, width < columns ? x + columns - width : x, y, columns, style, text);
}

void cells_fill(struct cells *c, struct box box, uint32_t ch, enum cell_style style)
{
    for (int y = box.y; y < box.y + box.h; y++)
        for (int x = box.x; x < box.x + box.w; x++)
            cells_put(c, x, y, ch, style);
}

void cells_reverse(struct cells *c, struct box box)
{
    for (int y = box.y; y < box.y + box.h; y++)
        for (int x = box.x; x < box.x + box.w; x++) {
            struct cell *cell = cell_for_writing(c, x, y);
            if (cell)
                cell->style |= STYLE_REVERSE;
        }
}

/* ---- as text ---------------------------------------------------------------------------------------------- */

void cells_save(const struct cells *c, struct buf *out)
{
    for (int y = 0; y < c->h; y++) {
        int end = c->w;
        while (end > 0 && cells_at(c, end - 1, y)->ch == ' ')
            end--;
        for (int x = 0; x < end; x++) {
            const struct cell *cell = cells_at(c, x, y);
            if (cell->ch == 0)
                continue;
            cells_utf8(out, cell->ch);
            if (cell->mark)
                cells_utf8(out, cell->mark);
        }
        buf_char(out, '\n');
    }
}

static const char *const STYLE_NAMES[STYLES] = {
    [STYLE_PLAIN] = "plain",     [STYLE_DIM] = "dim",   [STYLE_BOLD] = "bold",     [STYLE_TITLE] = "title",
    [STYLE_HEAD] = "head",       [STYLE_BAR] = "bar",   [STYLE_KEY] = "key",       [STYLE_TAB] = "tab",
    [STYLE_TAB_ON] = "tab-on",   [STYLE_OK] = "ok",     [STYLE_WARN] = "warn",     [STYLE_CRIT] = "crit",
    [STYLE_UNKNOWN] = "unknown", [STYLE_PAGE] = "page", [STYLE_NOTICE] = "notice", [STYLE_INPUT] = "input",
    [STYLE_NOW] = "now",         [STYLE_PLAN] = "plan", [STYLE_LAST] = "last",     [STYLE_LINE] = "line",
};

void cells_save_styles(const struct cells *c, struct buf *out)
{
    for (int y = 0; y < c->h; y++)
        for (int x = 0, n; x < c->w; x += n) {
            uint8_t style = cells_at(c, x, y)->style;
            for (n = 1; x + n < c->w && cells_at(c, x + n, y)->style == style; n++)
                ;
            if (style != STYLE_PLAIN)
                buf_printf(out, "%d: %d+%d %s%s\n", y, x, n, STYLE_NAMES[style & 0x7f],
                           style & STYLE_REVERSE ? " reverse" : "");
        }
}
