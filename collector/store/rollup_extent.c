#include "collector/store/rollup_extent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/column.h"
#include "collector/store/crc32c.h"
#include "collector/store/little_endian.h"
#include "lib/base/buf.h"

#define HEADER_BYTES 34u
#define ENTRY_BYTES 4u
enum { LAST_IS_FIRST = 1, MIN_IS_FIRST = 2, MAX_IS_LAST = 4, NOTHING_LOST = 8, INTEGERS = 16, BEYOND = 32 };

static_assert(4 * COLUMN_BYTES(ROLLUPS_MAX) <= UINT16_MAX, "a clock's size must fit 16 bits");
static_assert(1 + ROLLUP_FIELDS * COLUMN_BYTES(ROLLUPS_MAX) <= UINT16_MAX, "a series' size must fit 16 bits");

/* ---- writing ---- */
struct rollup_writer {
    uint32_t group;
    size_t extents, n_series, n_clocks, last_clock_at;
    int64_t min_ms, max_ms, length_ms;
    uint8_t clock_entries[EXTENT_SERIES_MAX][ENTRY_BYTES], entries[EXTENT_SERIES_MAX][ENTRY_BYTES];
    struct buf clocks, values;
    uint8_t column[4 * COLUMN_BYTES(ROLLUPS_MAX)];
    int64_t times[ROLLUPS_MAX];
    uint64_t bits[ROLLUP_FIELDS][ROLLUPS_MAX], scratch[2 * ROLLUPS_MAX];
};

int rollup_writer_new(struct rollup_writer **ret)
{
    struct rollup_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    buf_init(&w->clocks, EXTENT_BYTES_MAX);
    buf_init(&w->values, EXTENT_BYTES_MAX);
    *ret = w;
    return 0;
}

void rollup_writer_free(struct rollup_writer *w)
{
    if (!w)
        return;
    buf_done(&w->clocks);
    buf_done(&w->values);
    free(w);
}

void rollup_writer_begin(struct rollup_writer *w, uint32_t group, size_t extents)
{
    w->group = group;
    w->extents = extents < UINT16_MAX ? extents : 0; /* with so many small ones the samples are read */
    w->n_series = w->n_clocks = 0;
    w->min_ms = INT64_MAX;
    w->max_ms = INT64_MIN;
    buf_clear(&w->clocks);
    buf_clear(&w->values);
}

/* The list's clock in w->column: its bytes. */
static size_t put_clock(struct rollup_writer *w, const struct rollup_list *l)
{
    uint8_t *p = w->column;
    for (size_t i = 0; i < l->n; i++)
        w->times[i] = l->rollups[i].end_ms;
    p = column_put_times(p, w->times, l->n);
    for (size_t i = 0; i < l->n; i++)
        w->times[i] = l->rollups[i].first_ms;
    p = column_put_times(p, w->times, l->n);
    for (size_t i = 0; i < l->n; i++)
        w->times[i] = l->rollups[i].last_ms;
    p = column_put_times(p, w->times, l->n);
    for (size_t i = 0; i < l->n; i++)
        w->times[i] = l->rollups[i].count;
    return (size_t)(column_put_starts(p, w->times, l->n) - w->column);
}

/* The clock's number: that of the series before, when it is the same. */
static unsigned clock_of(struct rollup_writer *w, const struct rollup_list *l)
{
    size_t n = put_clock(w, l);
    if (w->n_clocks > 0 && get_le(w->clock_entries[w->n_clocks - 1], 2) == l->n &&
        w->clocks.len - w->last_clock_at == n && memcmp(w->clocks.data + w->last_clock_at, w->column, n) == 0)
        return (unsigned)w->n_clocks - 1;
    w->last_clock_at = w->clocks.len;
    buf_bytes(&w->clocks, w->column, n);
    put_le(w->clock_entries[w->n_clocks], l->n, 2);
    put_le(w->clock_entries[w->n_clocks] + 2, n, 2);
    return (unsigned)w->n_clocks++;
}

static bool same(const struct rollup_writer *w, enum rollup_field a, enum rollup_field b, size_t n)
{
    return memcmp(w->bits[a], w->bits[b], n * sizeof w->bits[a][0]) == 0;
}

static void put_column(struct rollup_writer *w, enum rollup_field field, size_t n)
{
    buf_bytes(&w->values, w->column, (size_t)(column_put_values(w->column, w->bits[field], n, w->scratch) - w->column));
}

/* All values as bits, by field. */
static void spread(struct rollup_writer *w, const struct rollup_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct rollup *b = &l->rollups[i];
        const double values[ROLLUP_FIELDS] = {
            [ROLLUP_FIRST] = b->first, [ROLLUP_LAST] = b->last, [ROLLUP_MIN] = b->min,
            [ROLLUP_MAX] = b->max,     [ROLLUP_SUM] = b->sum,   [ROLLUP_LOST] = b->lost};
        for (size_t f = 0; f < ROLLUP_FIELDS; f++)
            memcpy(&w->bits[f][i], &values[f], sizeof values[f]);
    }
}

int rollup_writer_add(struct rollup_writer *w, unsigned ord, const struct rollup_list *l, bool beyond)
{
    size_t n = l->n, at = w->values.len;
    unsigned flags = (l->integers ? INTEGERS : 0) | (beyond ? BEYOND : 0);
    bool lost = false;
    assert(n >= 1 && n <= ROLLUPS_MAX && ord < EXTENT_SERIES_MAX && w->n_series < EXTENT_SERIES_MAX);
    assert(w->n_series == 0 || w->entries[w->n_series - 1][0] < ord);
    unsigned clock = clock_of(w, l);
    spread(w, l);
    for (size_t i = 0; i < n; i++)
        lost = lost || w->bits[ROLLUP_LOST][i];
    flags |= same(w, ROLLUP_LAST, ROLLUP_FIRST, n) ? LAST_IS_FIRST : 0;
    flags |= same(w, ROLLUP_MIN, ROLLUP_FIRST, n) ? MIN_IS_FIRST : 0;
    flags |= same(w, ROLLUP_MAX, ROLLUP_LAST, n) ? MAX_IS_LAST : 0;
    flags |= lost ? 0 : NOTHING_LOST;
    const uint8_t byte = (uint8_t)flags;
    buf_bytes(&w->values, &byte, 1);
    put_column(w, ROLLUP_FIRST, n);
    if (!(flags & LAST_IS_FIRST))
        put_column(w, ROLLUP_LAST, n);
    if (!(flags & MIN_IS_FIRST))
        put_column(w, ROLLUP_MIN, n);
    if (!(flags & MAX_IS_LAST))
        put_column(w, ROLLUP_MAX, n);
    put_column(w, ROLLUP_SUM, n);
    if (lost)
        put_column(w, ROLLUP_LOST, n);
    if (buf_error(&w->values) || buf_error(&w->clocks))
        return -ENOMEM;
    uint8_t *entry = w->entries[w->n_series++];
    entry[0] = (uint8_t)ord;
    entry[1] = (uint8_t)clock;
    put_le(entry + 2, w->values.len - at, 2);
    w->min_ms = l->rollups[0].first_ms < w->min_ms ? l->rollups[0].first_ms : w->min_ms;
    w->max_ms = l->rollups[n - 1].last_ms > w->max_ms ? l->rollups[n - 1].last_ms : w->max_ms;
    return 0;
}

int rollup_writer_end(struct rollup_writer *w, uint8_t **ret_bytes, size_t *ret_n, int64_t *ret_min_ms,
                      int64_t *ret_max_ms)
{
    assert(w->n_series > 0);
    size_t n = HEADER_BYTES + (w->n_clocks + w->n_series) * ENTRY_BYTES + w->clocks.len + w->values.len;
    uint8_t *bytes = malloc(n);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, EXTENT_MAGIC_ROLLUPS, 4);
    put_le(bytes + 8, w->group, 4);
    put_le(bytes + 12, w->n_series, 2);
    put_le(bytes + 14, w->n_clocks, 2);
    put_le(bytes + 16, (uint64_t)w->min_ms, 8);
    put_le(bytes + 24, (uint64_t)w->max_ms, 8);
    put_le(bytes + 32, w->extents, 2);
    uint8_t *p = bytes + HEADER_BYTES;
    memcpy(p, w->clock_entries, w->n_clocks * ENTRY_BYTES);
    p += w->n_clocks * ENTRY_BYTES;
    memcpy(p, w->entries, w->n_series * ENTRY_BYTES);
    p += w->n_series * ENTRY_BYTES;
    memcpy(p, w->clocks.data, w->clocks.len);
    memcpy(p + w->clocks.len, w->values.data, w->values.len);
    put_le(bytes + 4, crc32c(0, bytes + 8, n - 8), 4);
    *ret_bytes = bytes;
    *ret_n = n;
    *ret_min_ms = w->min_ms;
    *ret_max_ms = w->max_ms;
    return 0;
}

/* ---- reading ---- */
static const uint8_t *clock_entry(const struct extent *x, size_t i)
{
    return x->bytes + HEADER_BYTES + i * ENTRY_BYTES;
}
static const uint8_t *series_entry(const struct extent *x, size_t i)
{
    return clock_entry(x, x->n_times + i);
}

bool rollup_extent_holds(const struct extent *x)
{
    uint32_t kind = x->group & EXTENT_KINDS;
    if ((kind != EXTENT_ROLLUPS_1H && kind != EXTENT_ROLLUPS_5M) || x->n_series < 1 ||
        x->n_series > EXTENT_SERIES_MAX || x->n_times < 1 || x->n_times > x->n_series)
        return false;
    size_t total = HEADER_BYTES + (size_t)(x->n_times + x->n_series) * ENTRY_BYTES;
    if (x->n_bytes < total)
        return false;
    for (size_t i = 0; i < x->n_times; i++) {
        uint64_t buckets = get_le(clock_entry(x, i), 2);
        if (buckets < 1 || buckets > ROLLUPS_MAX)
            return false;
        total += get_le(clock_entry(x, i) + 2, 2);
    }
    for (size_t i = 0; i < x->n_series; i++) {
        const uint8_t *e = series_entry(x, i);
        if (e[0] >= EXTENT_SERIES_MAX || e[1] >= x->n_times || get_le(e + 2, 2) < 1)
            return false;
        if (i && e[0] <= series_entry(x, i - 1)[0])
            return false;
        total += get_le(e + 2, 2);
    }
    return total == x->n_bytes;
}

unsigned rollup_extents(const struct extent *x)
{
    return (unsigned)get_le(x->bytes + 32, 2);
}

bool rollup_find(const struct extent *x, unsigned ord, struct rollup_series *ret)
{
    size_t i = 0, at = HEADER_BYTES + (size_t)(x->n_times + x->n_series) * ENTRY_BYTES;
    struct rollup_series found = {.ord = ord};
    while (i < x->n_series && series_entry(x, i)[0] < ord)
        i++;
    if (!x->rollups || i == x->n_series || series_entry(x, i)[0] != ord)
        return false;
    found.clock = series_entry(x, i)[1];
    for (size_t c = 0; c < x->n_times; c++) {
        if (c == found.clock) {
            found.clock_at = at;
            found.buckets = get_le(clock_entry(x, c), 2);
            found.clock_bytes = get_le(clock_entry(x, c) + 2, 2);
        }
        at += get_le(clock_entry(x, c) + 2, 2);
    }
    for (size_t s = 0; s < i; s++)
        at += get_le(series_entry(x, s) + 2, 2);
    found.at = at;
    found.bytes = get_le(series_entry(x, i) + 2, 2);
    found.integers = x->bytes[at] & INTEGERS;
    found.beyond = x->bytes[at] & BEYOND;
    *ret = found;
    return true;
}

static bool clock_is_sane(const struct extent *x, const struct rollup_clock *c, size_t n)
{
    int64_t length_ms = rollup_length_ms(x->group), open_ms;
    for (size_t i = 0; i < n; i++)
        if (c->ends_ms[i] % length_ms || __builtin_sub_overflow(c->ends_ms[i], length_ms, &open_ms) ||
            c->firsts_ms[i] <= open_ms || c->firsts_ms[i] > c->lasts_ms[i] || c->lasts_ms[i] > c->ends_ms[i] ||
            c->firsts_ms[i] < x->min_ms || c->lasts_ms[i] > x->max_ms || c->counts[i] < 1 || c->counts[i] > UINT32_MAX)
            return false;
    return true;
}

int rollup_clock(const struct extent *x, const struct rollup_series *at, struct rollup_clock *ret)
{
    const uint8_t *p = x->bytes + at->clock_at, *end = p + at->clock_bytes;
    int r = column_get_times(&p, end, at->buckets, ret->ends_ms);
    if (r == 0)
        r = column_get_times(&p, end, at->buckets, ret->firsts_ms);
    if (r == 0)
        r = column_get_times(&p, end, at->buckets, ret->lasts_ms);
    if (r == 0)
        r = column_get_starts(&p, end, at->buckets, ret->counts);
    if (r == 0 && (p != end || !clock_is_sane(x, ret, at->buckets)))
        r = -EBADMSG;
    return r;
}

int rollup_values(const struct extent *x, const struct rollup_series *at, unsigned wanted,
                  double ret[ROLLUP_FIELDS][ROLLUPS_MAX])
{
    static const struct {
        unsigned unless; /* this flag is set: it is the same as `as` */
        enum rollup_field as;
    } FIELDS[ROLLUP_FIELDS] = {[ROLLUP_LAST] = {LAST_IS_FIRST, ROLLUP_FIRST},
                               [ROLLUP_MIN] = {MIN_IS_FIRST, ROLLUP_FIRST},
                               [ROLLUP_MAX] = {MAX_IS_LAST, ROLLUP_LAST},
                               [ROLLUP_LOST] = {NOTHING_LOST, ROLLUP_LOST}};
    const uint8_t *p = x->bytes + at->at, *end = p + at->bytes;
    unsigned flags = *p++;
    uint64_t bits[ROLLUPS_MAX];
    for (unsigned f = 0; f < ROLLUP_FIELDS && wanted >> f; f++) {
        size_t bytes = at->buckets * sizeof ret[f][0];
        if (!(flags & FIELDS[f].unless)) {
            int r = column_get_values(&p, end, at->buckets, bits);
            if (r < 0)
                return r;
            memcpy(ret[f], bits, bytes);
        } else if (f == ROLLUP_LOST) {
            memset(ret[f], 0, bytes);
        } else {
            memcpy(ret[f], ret[FIELDS[f].as], bytes);
        }
    }
    return 0;
}

int rollup_read(const struct extent *x, const struct rollup_series *at, struct rollup_list *ret)
{
    struct rollup_clock clock;
    double values[ROLLUP_FIELDS][ROLLUPS_MAX];
    int r = rollup_clock(x, at, &clock);
    if (r == 0)
        r = rollup_values(x, at, (1u << ROLLUP_FIELDS) - 1, values);
    rollup_list_clear(ret);
    ret->integers = at->integers;
    for (size_t i = 0; r == 0 && i < at->buckets; i++)
        r = rollup_list_take(ret, &(struct rollup){.end_ms = clock.ends_ms[i],
                                                   .first_ms = clock.firsts_ms[i],
                                                   .last_ms = clock.lasts_ms[i],
                                                   .count = (uint32_t)clock.counts[i],
                                                   .first = values[ROLLUP_FIRST][i],
                                                   .last = values[ROLLUP_LAST][i],
                                                   .min = values[ROLLUP_MIN][i],
                                                   .max = values[ROLLUP_MAX][i],
                                                   .sum = values[ROLLUP_SUM][i],
                                                   .lost = values[ROLLUP_LOST][i]});
    return r;
}
