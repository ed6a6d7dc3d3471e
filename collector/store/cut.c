#include "collector/store/cut.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/histogram_extent.h"

#define DAY_MS (24 * INT64_C(3600000))        /* retention and day files cut between extents */
#define FULL_SAMPLES (EXTENT_SAMPLES_MAX / 2) /* what is longer would be halved when merged with its like */

#define HISTOGRAM_BYTES_MAX (2u << 20) /* packed, of one extent: what is merged at once stays bounded */
#define GATHERED_BYTES_MAX (2 * EXTENT_ALIKE_MAX * HISTOGRAM_BYTES_MAX) /* and what rounding adds */

/* ---- gathering ---- */
void gathered_clear(struct gathered *g)
{
    if (g->packed.max_bytes)
        arena_reset(&g->packed);
    g->n = g->n_series = 0;
}

void gathered_done(struct gathered *g)
{
    free(g->t_ms);
    free(g->start_ms);
    free(g->bits);
    if (g->packed.max_bytes)
        arena_done(&g->packed);
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

int gathered_add_histogram(struct gathered *g, const struct histogram_item *item)
{
    int r = gathered_reserve(g, 1);
    if (r == 0)
        gathered_add(g, item->t_ms, item->start_ms, (uint64_t)(uintptr_t)item->bytes);
    return r;
}

uint8_t *gathered_packed_room(struct gathered *g, size_t n_bytes)
{
    if (!g->packed.max_bytes)
        arena_init(&g->packed, GATHERED_BYTES_MAX);
    return arena_alloc(&g->packed, n_bytes);
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

static int keep_bytes(struct cutter *c, uint32_t group, unsigned level, int64_t min_ms, int64_t max_ms, uint8_t *bytes,
                      size_t n)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct extent_ref *extents = realloc(c->extents, cap * sizeof *extents);
        if (!extents) {
            free(bytes);
            return -ENOMEM;
        }
        c->extents = extents;
        c->cap = cap;
    }
    c->extents[c->n++] = (struct extent_ref){.group = group,
                                             .level = (uint8_t)level,
                                             .n_bytes = (uint32_t)n,
                                             .min_ms = min_ms,
                                             .max_ms = max_ms,
                                             .bytes = bytes};
    return 0;
}

static int keep_extent(struct cutter *c, uint32_t group, unsigned level, int64_t min_ms, int64_t max_ms)
{
    uint8_t *bytes;
    size_t n;
    int r = extent_end(c->writer, &bytes, &n);
    return r < 0 ? r : keep_bytes(c, group, level, min_ms, max_ms, bytes, n);
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
    extent_begin(c->writer, group, c->quick && longest < FULL_SAMPLES);
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

/* ---- histograms ---- */
struct histogram_cut { /* the extent that is being filled */
    size_t series, bytes, longest;
    int64_t min_ms, max_ms;
};

static size_t packed_bytes(uint64_t address)
{
    const uint8_t *p = (const uint8_t *)(uintptr_t)address;
    struct packed_histogram packed;
    int r = histogram_open(&p, p + HISTOGRAM_PACK_BYTES_MAX, &packed);
    assert(r == 0);
    return r == 0 ? packed.n_bytes : 0;
}

/* full: what did not fit goes into the next one, so it is never merged again. */
static int end_histograms(struct cutter *c, uint32_t group, unsigned level, struct histogram_cut *now, bool full)
{
    uint8_t *bytes;
    size_t n;
    if (now->series == 0)
        return 0;
    full = full || now->bytes >= HISTOGRAM_BYTES_MAX / 2 || now->longest >= FULL_SAMPLES;
    int r = histogram_extent_end(c->histograms, &bytes, &n);
    if (r == 0)
        r = keep_bytes(c, group, full ? EXTENT_LEVEL_FULL : level, now->min_ms, now->max_ms, bytes, n);
    *now = (struct histogram_cut){0};
    return r;
}

static int add_histograms(struct cutter *c, uint32_t group, const struct gathered *g,
                          const struct gathered_series *series, size_t from, size_t n, struct histogram_cut *now)
{
    if (now->series == 0) {
        *now = (struct histogram_cut){.bytes = now->bytes, .min_ms = INT64_MAX, .max_ms = INT64_MIN};
        histogram_extent_begin(c->histograms, group);
    }
    now->series++;
    now->longest = n > now->longest ? n : now->longest;
    now->min_ms = g->t_ms[from] < now->min_ms ? g->t_ms[from] : now->min_ms;
    now->max_ms = g->t_ms[from + n - 1] > now->max_ms ? g->t_ms[from + n - 1] : now->max_ms;
    return histogram_extent_add(c->histograms, series->ord, g->t_ms + from,
                                series->has_starts ? g->start_ms + from : NULL, g->bits + from, n);
}

/* Extents of what lies in [from_ms, to_ms], series after series: many samples of a few of them compress better than few of many. */
static int cut_histograms(struct cutter *c, uint32_t group, unsigned level, const struct gathered *g, int64_t from_ms,
                          int64_t to_ms)
{
    struct histogram_cut now = {0};
    int r = c->histograms ? 0 : histogram_extent_writer_new(&c->histograms);
    for (size_t i = 0; r == 0 && i < g->n_series; i++) {
        const struct gathered_series *series = &g->series[i];
        size_t at = first_at(g, series->from, series->to, from_ms);
        size_t to = to_ms == INT64_MAX ? series->to : first_at(g, at, series->to, to_ms + 1);
        while (r == 0 && at < to) {
            size_t n = 0;
            for (size_t more; at + n < to && n < EXTENT_SAMPLES_MAX; n++, now.bytes += more)
                if (now.bytes + (more = packed_bytes(g->bits[at + n])) > HISTOGRAM_BYTES_MAX)
                    break;
            if (n)
                r = add_histograms(c, group, g, series, at, n, &now);
            at += n;
            if (r == 0 && at < to)
                r = end_histograms(c, group, level, &now, true);
        }
    }
    return r < 0 ? r : end_histograms(c, group, level, &now, false);
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
    bool histograms = group & EXTENT_HISTOGRAMS;
    int r = c->writer || histograms ? 0 : extent_writer_new(&c->writer);
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
        r = (histograms ? cut_histograms : cut)(c, group, level, g, from_ms, to_ms);
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
    histogram_extent_writer_free(c->histograms);
    *c = (struct cutter){0};
}
