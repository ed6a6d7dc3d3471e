/* cells.h - a screen as a grid of cells: what views draw into. It knows no terminal.
 *
 *   struct cells c;
 *   r = cells_init(&c, 80, 24);
 *   cells_text(&c, 2, 0, 30, STYLE_TITLE, name);       // at most 30 columns; cut with an ellipsis
 *   term_draw(term, &c);                                // or cells_save(&c, &buf) for tests
 *   cells_done(&c);
 *
 * Everything is clipped: drawing outside the grid does nothing. Text from elsewhere is harmless here: control characters,
 * bytes that are no UTF-8 and marks that change the direction of writing become U+FFFD, one combining mark per cell is kept.
 * With ascii set, what is not ASCII becomes the nearest ASCII character. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define CELLS_SIDE_MAX 1000 /* columns and lines: 12 MB of cells, and no real terminal is larger */

/* What a cell means; lib/term/palette.c says how it looks. */
enum cell_style {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_TITLE,
    STYLE_HEAD,
    STYLE_BAR, /* the line of keys */
    STYLE_KEY,
    STYLE_TAB,
    STYLE_TAB_ON,
    STYLE_OK,
    STYLE_WARN,
    STYLE_CRIT,
    STYLE_UNKNOWN,
    STYLE_PAGE, /* a page fires: nothing on the screen is redder */
    STYLE_NOTICE,
    STYLE_INPUT,
    STYLE_NOW,
    STYLE_PLAN,
    STYLE_LAST,
    STYLE_LINE,
    STYLES
};
#define STYLE_REVERSE 0x80 /* or'ed to a style: the selected row */

struct cell {
    uint32_t ch;   /* 0: the right half of a wide character */
    uint32_t mark; /* one combining mark, or 0 */
    uint8_t style; /* enum cell_style, perhaps | STYLE_REVERSE */
};
struct cells {
    int w, h;
    struct cell *at; /* w * h, line by line */
    bool ascii;
};
struct box {
    int x, y, w, h;
};

/* -EINVAL: a side is below 1 or above CELLS_SIDE_MAX; -ENOMEM. Blank and plain afterwards. */
MUST_USE int cells_init(struct cells *c, int w, int h);
/* The same for a grid in use: its content is gone; on failure it stays as it was. */
MUST_USE int cells_resize(struct cells *c, int w, int h);
void cells_done(struct cells *c);
void cells_clear(struct cells *c);
void cells_put(struct cells *c, int x, int y, uint32_t ch, enum cell_style style);
/* Up to max_columns of UTF-8; text that is longer ends in an ellipsis. Returns the columns used. */
int cells_text(struct cells *c, int x, int y, int max_columns, enum cell_style style, const char *text);
int cells_printf(struct cells *c, int x, int y, int max_columns, enum cell_style style, const char *format, ...)
    PRINTF_LIKE(6, 7);
/* Right-aligned in `columns`. */
void cells_text_right(struct cells *c, int x, int y, int columns, enum cell_style style, const char *text);
void cells_fill(struct cells *c, struct box box, uint32_t ch, enum cell_style style);
/* Let the cells of a box stand in reverse. */
void cells_reverse(struct cells *c, struct box box);
/* The cell, or NULL outside. */
const struct cell *cells_at(const struct cells *c, int x, int y);

/* Columns of one code point: 0, 1 or 2; and of a text as cells_text would draw it. */
int cell_width(uint32_t ch);
int cells_text_width(const char *text);
/* The nearest ASCII character: letters without their marks, our own drawings in shape, else '?'. */
uint32_t cell_ascii(uint32_t ch);
/* Cut the next code point off; what must not reach a terminal comes as U+FFFD, blanks as a space. 0: the end. */
uint32_t cells_next(const char **text);
void cells_utf8(struct buf *out, uint32_t ch);
/* The screen as lines of text without blanks at their ends. */
void cells_save(const struct cells *c, struct buf *out);
/* "LINE: COLUMN+COLUMNS STYLE" for all that is not plain; lines and columns count from 0. */
void cells_save_styles(const struct cells *c, struct buf *out);
