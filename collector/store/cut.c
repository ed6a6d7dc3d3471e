#include "collector/store/cut.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * INT64_C(3600000))        /* retention and day files cut between extents */
#define FULL_SAMPLES (EXTENT_SAMPLES_MAX / 2) /* what is longer would be halved when merged with its like */

/* ---- gathering ---- */
void gathered_clear(struct gathered *g)
{
    g->n = g->n_series = 0;
}

void gathered_done(struct gathered *g)
{
    free(g->t_ms);
    free(g->start_ms);
    free(g->bits);
    *g = (struct gathered){0};
}

void gathered_begin(struct gathered *g, unsigned ord)
{
    g->series[g->n_series] = (struct gathered_series){.ord = ord, .from = g->n};
    g->has_starts = false;
    g->ascending = true;
}

int gathered_reserve(struct gathered *g, size_t n)
{
    if (g->cap - g->n >= n)
        return 0;
    size_t cap = g->cap ? g->cap : 8192;
    while (cap - g->n < n)
        cap *= 2;
    int64_t *t = realloc(g->t_ms, cap * sizeof *t);
    if (t)
        g->t_ms = t;
    int64_t *starts = t ? realloc(g->start_ms, cap * sizeof *starts) : NULL;
    if (starts)
        g->start_ms = starts;
    uint64_t *bits = starts ? realloc(g->bits, cap * sizeof *bits) : NULL;
    if (!bits)
        return -ENOMEM;
    g->bits = bits;
    g->cap = cap;
    return 0;
}

struct row {
    int64_t t_ms, start_ms;
    uint64_t bits;
    size_t order;
};
static int by_time_then_order(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->t_ms != y->t_ms)
        return x->t_ms < y->t_ms ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int sort_from(struct gathered *g, size_t from)
{
    size_t n = g->n - from;
    struct row *rows = malloc(n * sizeof *rows);
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){g->t_ms[from + i], g->start_ms[from + i], g->bits[from + i], i};
    qsort(rows, n, sizeof *rows, by_time_then_order);
    g->n = from;
    for (size_t i = 0; i < n; i++) {
        if (i && rows[i].t_ms == rows[i - 1].t_ms)
            continue;
        g->t_ms[g->n] = rows[i].t_ms;
        g->start_ms[g->n] = rows[i].start_ms;
        g->bits[g->n++] = rows[i].bits;
    }
    free(rows);
    return 0;
}

int gathered_end(struct gathered *g)
{
    struct gathered_series *series = &g->series[g->n_series];
    int r = g->ascending ? 0 : sort_from(g, series->from);
    if (r < 0 || g->n == series->from)
        return r;
    series->to = g->n;
    series->has_starts = g->has_starts;
    g->n_series++;
    return 0;
}

/* ---- cutting ---- */
static size_t first_at(const struct gathered *g, size_t from, size_t to, int64_t t_ms)
{
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (g->t_ms[mid] < t_ms)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int keep_extent(struct cutter *c, uint32_t group, unsigned level, int64_t min_ms, int64_t max_ms)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct extent_ref *extents = realloc(c->extents, cap * sizeof *extents);
        if (!extents)
            return -ENOMEM;
        c->extents = extents;
        c->cap = cap;
    }
    uint8_t *bytes;
    size_t n;
    int r = extent_end(c->writer, &bytes, &n);
    if (r < 0)
        return r;
    c->extents[c->n++] = (struct extent_ref){.group = group,
                                             .level = (uint8_t)level,
                                             .n_bytes = (uint32_t)n,
                                             .min_ms = min_ms,
                                             .max_ms = max_ms,
                                             .bytes = bytes};
    return 0;
}

/* One extent of what lies in [from_ms, to_ms], or two of its halves when a series has too many samples there. */
static int cut(struct cutter *c, uint32_t group, unsigned level, const struct gathered *g, int64_t from_ms,
               int64_t to_ms)
{
    const struct gathered_series *series = g->series;
    size_t n = g->n_series;
    struct part {
        size_t from, to;
    } parts[EXTENT_SERIES_MAX];
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        parts[i].from = first_at(g, series[i].from, series[i].to, from_ms);
        parts[i].to = to_ms == INT64_MAX ? series[i].to : first_at(g, parts[i].from, series[i].to, to_ms + 1);
        if (parts[i].to - parts[i].from > longest)
            longest = parts[i].to - parts[i].from;
    }
    if (longest > EXTENT_SAMPLES_MAX) { /* times of a series differ, so a stretch of one millisecond holds one sample */
        int64_t middle = from_ms + (int64_t)(((uint64_t)to_ms - (uint64_t)from_ms) / 2);
        int r = cut(c, group, level, g, from_ms, middle);
        return r < 0 ? r : cut(c, group, level, g, middle + 1, to_ms);
    }
    if (longest == 0)
        return 0;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    extent_begin(c->writer, group);
    for (size_t i = 0; i < n; i++) {
        size_t from = parts[i].from, count = parts[i].to - from;
        if (count == 0)
            continue;
        int r = extent_add(c->writer, series[i].ord, g->t_ms + from, series[i].has_starts ? g->start_ms + from : NULL,
                           g->bits + from, count);
        if (r < 0)
            return r;
        min_ms = g->t_ms[from] < min_ms ? g->t_ms[from] : min_ms;
        max_ms = g->t_ms[from + count - 1] > max_ms ? g->t_ms[from + count - 1] : max_ms;
    }
    return keep_extent(c, group, longest >= FULL_SAMPLES ? EXTENT_LEVEL_FULL : level, min_ms, max_ms);
}

int64_t day_start_ms(int64_t t_ms)
{
    int64_t into = t_ms % DAY_MS;
    into += into < 0 ? DAY_MS : 0;
    return t_ms < INT64_MIN + into ? INT64_MIN : t_ms - into;
}

int cutter_cut(struct cutter *c, uint32_t group, unsigned level, const struct gathered *g)
{
    size_t n_before = c->n;
    int r = c->writer ? 0 : extent_writer_new(&c->writer);
    int64_t next_ms = INT64_MIN;
    for (bool more = true; more && r == 0;) {
        int64_t first_ms = INT64_MAX; /* the earliest sample not cut yet; days without any are passed over */
        more = false;
        for (size_t i = 0; i < g->n_series; i++) {
            size_t at = first_at(g, g->series[i].from, g->series[i].to, next_ms);
            if (at < g->series[i].to && (!more || g->t_ms[at] < first_ms)) {
                first_ms = g->t_ms[at];
                more = true;
            }
        }
        if (!more)
            break;
        int64_t from_ms = day_start_ms(first_ms), to_ms;
        if (__builtin_add_overflow(from_ms, DAY_MS - 1, &to_ms))
            to_ms = INT64_MAX;
        r = cut(c, group, level, g, from_ms, to_ms);
        more = to_ms < INT64_MAX;
        next_ms = more ? to_ms + 1 : to_ms;
    }
    if (r < 0)
        cutter_keep(c, n_before);
    return r;
}

void cutter_keep(struct cutter *c, size_t n)
{
    while (c->n > n)
        free(c->extents[--c->n].bytes);
}

void cutter_done(struct cutter *c)
{
    cutter_keep(c, 0);
    free(c->extents);
    extent_writer_free(c->writer);
    *c = (struct cutter){0};
}
