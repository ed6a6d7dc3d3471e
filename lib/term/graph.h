/* graph.h - one line of values as an area of cells, in braille, blocks or ASCII.
 *
 *   size_t n = graph_columns(GRAPH_BRAILLE, box.w);      // values that fit: 2 a cell in braille, else 1
 *   graph_area(&cells, box, values, n, 0, top, GRAPH_BRAILLE, STYLE_NOW);
 *   graph_line(&cells, box, plan, n, 0, top, GRAPH_BRAILLE, STYLE_PLAN, 1);  // over it
 *
 * A cell has one colour, so another line takes whole cells: above the area, or as a cut through it, but never those where
 * the area ends. NAN is a gap. */
#pragma once

#include "lib/term/cells.h"

enum graph_mode { GRAPH_ASCII, GRAPH_BLOCK, GRAPH_BRAILLE, GRAPH_MODES };
extern const char *const GRAPH_MODE_NAMES[GRAPH_MODES];

size_t graph_columns(enum graph_mode mode, int cells_wide);
/* A round number at or above the largest value, at least `least`. */
double graph_top(const double *values, size_t n, double least);
void graph_area(struct cells *c, struct box box, const double *values, size_t n, double low, double high,
                enum graph_mode mode, enum cell_style style);
/* every: 1 for a line, 2 for every other cell, a dotted one. */
void graph_line(struct cells *c, struct box box, const double *values, size_t n, double low, double high,
                enum graph_mode mode, enum cell_style style, int every);
