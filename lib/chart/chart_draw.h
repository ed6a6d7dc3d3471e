/* chart_draw.h - the strokes that every chart is made of. Private to lib/chart. */
#pragma once

#include "lib/chart/chart.h"

struct board {
    struct chart *c;
    double x0, x1, y0, y1; /* the plot's corners */
    int error;             /* the first; then nothing more is drawn */
};
/* A chart of that size (0: 720 x 240) without a shape. */
MUST_USE int board_init(struct board *b, const char *title, double width, double height);
/* The chart, or why there is none. */
MUST_USE int board_take(struct board *b, struct chart **ret);
/* NULL when there is no memory. */
struct chart_shape *board_shape(struct board *b, enum chart_shape_kind kind, enum chart_class look, size_t n);
void board_path(struct board *b, enum chart_class look, double xa, double ya, double xb, double yb);
void board_words(struct board *b, enum chart_class look, double x, double y, int anchor, const char *text);
/* Samples of the lines in the first row, and the unit at its end; NULL: none. */
double board_legend(struct board *b, double x, enum chart_class look, const char *name);
void board_unit(struct board *b, const char *unit);
/* A round number at or above v; 1 when nothing is above 0. */
double board_top(double v);
/* Horizontal lines with their numbers, from 0 to top. */
void board_scale_y(struct board *b, double top);
void board_tick(char text[32], double v, double step);
