/* cut.h - samples of a group of series -> extents: none crosses midnight UTC, none has too many samples of a series.
 *
 *   struct gathered g = {0};
 *   gathered_clear(&g);
 *   gathered_begin(&g, ord);                                   // series in ascending order of ord
 *   r = gathered_reserve(&g, n);  gathered_add(&g, t_ms, start_ms, bits) …       // in any order of time
 *   r = gathered_end(&g);
 *   r = cutter_cut(&c, group, level, &g);                       // appends to c.extents; on an error nothing was appended
 *   … c.extents[0..c.n) …  cutter_keep(&c, 0);  cutter_done(&c);  gathered_done(&g); */
#pragma once

#include "collector/store/extent.h"
#include "collector/store/extent_dir.h"
#include "collector/store/histogram_head.h"
#include "lib/base/arena.h"

struct gathered_series {
    unsigned ord;
    size_t from, to;
    bool has_starts;
};
struct
    gathered { /* of floats, or of histograms, whose bits are addresses of packed ones: the columns of all series of a group, one after the other */
    int64_t *t_ms, *start_ms;
    uint64_t *bits;
    size_t n, cap;
    struct gathered_series series[EXTENT_SERIES_MAX];
    size_t n_series;
    bool has_starts, ascending; /* of the series being gathered */
    struct arena packed;        /* of gathered_keep() */
};
void gathered_clear(struct gathered *g);
void gathered_done(struct gathered *g); /* frees; empty again */
void gathered_begin(struct gathered *g, unsigned ord);
MUST_USE int gathered_reserve(struct gathered *g, size_t n); /* -ENOMEM */
static inline void gathered_add(struct gathered *g, int64_t t_ms, int64_t start_ms, uint64_t bits)
{
    size_t from = g->series[g->n_series].from;
    g->ascending = g->ascending && (g->n == from || t_ms > g->t_ms[g->n - 1]);
    g->t_ms[g->n] = t_ms;
    g->start_ms[g->n] = start_ms;
    g->has_starts = g->has_starts || start_ms != 0;
    g->bits[g->n++] = bits;
}
/* A histogram whose bytes stay where they are until the group is cut. Room is made. -ENOMEM. */
MUST_USE int gathered_add_histogram(struct gathered *g, const struct histogram_item *item);
/* Room for a packed histogram until gathered_clear(). NULL: -ENOMEM. */
uint8_t *gathered_packed_room(struct gathered *g, size_t n_bytes);
/* Brings the series into order; of two samples at one time the one that was added first stays. A series without any is left
 * out. -ENOMEM. */
MUST_USE int gathered_end(struct gathered *g);

struct cutter {
    struct extent_writer *writer;
    struct histogram_extent_writer *histograms;
    struct extent_ref *extents; /* made: no ids yet, bytes are ours */
    size_t n, cap;
    bool quick; /* the caller's: what is not full will be merged soon (column_put_values_quickly) */
};
/* Extents that are as long as they may get have EXTENT_LEVEL_FULL, others the level. -ENOMEM. */
/* A group with EXTENT_HISTOGRAMS: g has histograms. */
MUST_USE int cutter_cut(struct cutter *c, uint32_t group, unsigned level, const struct gathered *g);
/* Forget all but the first n. */
void cutter_keep(struct cutter *c, size_t n);
void cutter_done(struct cutter *c);
/* Midnight UTC at or before. */
int64_t day_start_ms(int64_t t_ms);
