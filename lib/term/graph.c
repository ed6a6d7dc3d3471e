#include "lib/term/graph.h"

#include <math.h>

const char *const GRAPH_MODE_NAMES[GRAPH_MODES] = {"ascii", "block", "braille"};

#define BRAILLE 0x2800u
/* Bits of a braille cell: column 0 and 1, from the bottom dot up. */
static const uint32_t DOTS[2][4] = {{0x40, 0x04, 0x02, 0x01}, {0x80, 0x20, 0x10, 0x08}};

size_t graph_columns(enum graph_mode mode, int cells_wide)
{
    return (size_t)(cells_wide > 0 ? cells_wide : 0) * (mode == GRAPH_BRAILLE ? 2 : 1);
}

double graph_top(const double *values, size_t n, double least)
{
    double top = least;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]) && values[i] > top)
            top = values[i];
    if (top <= 0)
        return 1;
    double unit = pow(10, floor(log10(top)));
    static const double STEPS[] = {1, 1.5, 2, 3, 4, 5, 6, 8, 10};
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        if (top <= unit * STEPS[i] * 1.0000001)
            return unit * STEPS[i];
    return unit * 10;
}

/* How many of `levels` a value fills: a value that is there fills at least one, so that 0 is not a gap. */
static int level_of(double v, double low, double high, int levels)
{
    if (isnan(v))
        return 0;
    double share = (v - low) / (high - low);
    if (!(share > 0))
        return 1;
    int level = share >= 1 ? levels : (int)ceil(share * levels);
    return level < 1 ? 1 : level;
}

void graph_area(struct cells *c, struct box box, const double *values, size_t n, double low, double high,
                enum graph_mode mode, enum cell_style style)
{
    int per_cell = mode == GRAPH_BRAILLE ? 4 : mode == GRAPH_BLOCK ? 8 : 1;
    for (int x = 0; x < box.w; x++)
        for (int y = 0; y < box.h; y++) { /* y counts from the bottom */
            uint32_t ch = 0;
            if (mode == GRAPH_BRAILLE) {
                for (size_t half = 0; half < 2; half++) {
                    size_t i = (size_t)x * 2 + half;
                    int level = i < n ? level_of(values[i], low, high, box.h * 4) - y * per_cell : 0;
                    for (int dot = 0; dot < 4 && dot < level; dot++)
                        ch |= DOTS[half][dot];
                }
                ch = ch ? BRAILLE + ch : 0;
            } else if ((size_t)x < n) {
                int level = level_of(values[x], low, high, box.h * per_cell) - y * per_cell;
                if (level > 0)
                    ch = mode == GRAPH_ASCII ? (level > 1 ? '|' : '#') : 0x2580u + (uint32_t)(level > 8 ? 8 : level);
            }
            if (ch)
                cells_put(c, box.x + x, box.y + box.h - 1 - y, ch, style);
        }
}

void graph_line(struct cells *c, struct box box, const double *values, size_t n, double low, double high,
                enum graph_mode mode, enum cell_style style, int every)
{
    static const uint32_t CHARS[GRAPH_MODES] = {[GRAPH_ASCII] = '-', [GRAPH_BLOCK] = 0x2500};
    for (int x = 0; x < box.w; x += every) {
        size_t i = mode == GRAPH_BRAILLE ? (size_t)x * 2 : (size_t)x;
        if (i >= n || isnan(values[i]))
            continue;
        int levels = mode == GRAPH_BRAILLE ? box.h * 4 : box.h;
        int level = level_of(values[i], low, high, levels) - 1;
        int y = box.y + box.h - 1 - (mode == GRAPH_BRAILLE ? level / 4 : level);
        const struct cell *cell = cells_at(c, box.x + x, y), *above = cells_at(c, box.x + x, y - 1);
        if (!cell)
            continue;
        bool edge = cell->ch != ' ' && (y == box.y || !above || above->ch == ' ');
        if (edge)
            continue; /* the value's own end is what must be seen */
        cells_put(c, box.x + x, y,
                  mode == GRAPH_BRAILLE ? BRAILLE + (DOTS[0][level % 4] | DOTS[1][level % 4]) : CHARS[mode], style);
    }
}
