#include "collector/store/extent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/column.h"
#include "collector/store/crc32c.h"
#include "collector/store/histogram_extent.h"
#include "collector/store/rollup_extent.h"
#include "lib/base/hash.h"

#define HEADER_BYTES 32u
#define ENTRY_BYTES 4u
#define STARTS_FLAG 0x80u
static const uint8_t MAGIC[4] = {'C', 'r', 'X', '1'};

static_assert(COLUMN_BYTES(EXTENT_SAMPLES_MAX) * 2 <= UINT16_MAX, "a series' columns must fit its 16-bit size");
static_assert(EXTENT_SERIES_MAX * 3 * COLUMN_BYTES(EXTENT_SAMPLES_MAX) < EXTENT_BYTES_MAX, "an extent must fit");

static unsigned get16(const uint8_t *p)
{
    return (unsigned)(p[0] | p[1] << 8);
}
static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}
static int64_t get64(const uint8_t *p)
{
    return (int64_t)(get32(p) | (uint64_t)get32(p + 4) << 32);
}
static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}
static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

/* ---- writing ---- */
struct bytes {
    uint8_t *data;
    size_t n, cap;
};
struct time_column {
    uint64_t hash;
    size_t samples, bytes;
    size_t kept_at; /* into kept[]: the plain times, to compare the next series' with */
};
struct extent_writer {
    uint32_t group;
    bool quick;
    size_t n_series, n_times, n_kept, kept_cap;
    int64_t min_ms, max_ms;
    int64_t *kept;
    struct time_column times[EXTENT_SERIES_MAX];
    uint8_t entries[EXTENT_SERIES_MAX][ENTRY_BYTES];
    struct bytes time_bytes, value_bytes;
    uint64_t scratch[2 * EXTENT_SAMPLES_MAX];
};

int extent_writer_new(struct extent_writer **ret)
{
    struct extent_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    *ret = w;
    return 0;
}

void extent_writer_free(struct extent_writer *w)
{
    if (!w)
        return;
    free(w->kept);
    free(w->time_bytes.data);
    free(w->value_bytes.data);
    free(w);
}

void extent_begin(struct extent_writer *w, uint32_t group, bool quick)
{
    w->group = group;
    w->quick = quick;
    w->n_series = w->n_times = w->n_kept = 0;
    w->time_bytes.n = w->value_bytes.n = 0;
    w->min_ms = INT64_MAX;
    w->max_ms = INT64_MIN;
}

/* Room for n more bytes; NULL without memory. The sizes are bounded by EXTENT_BYTES_MAX. */
static uint8_t *room(struct bytes *b, size_t n)
{
    if (b->cap - b->n < n) {
        size_t cap = b->cap ? b->cap : 4096;
        while (cap - b->n < n)
            cap *= 2;
        uint8_t *data = realloc(b->data, cap);
        if (!data)
            return NULL;
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->n;
}

static bool same_times(const struct extent_writer *w, const struct time_column *c, uint64_t hash, const int64_t *t_ms,
                       size_t n)
{
    return c->hash == hash && c->samples == n && memcmp(w->kept + c->kept_at, t_ms, n * sizeof *t_ms) == 0;
}

static int time_column_of(struct extent_writer *w, const int64_t *t_ms, size_t n, size_t *ret)
{
    uint64_t hash = hash_bytes(t_ms, n * sizeof *t_ms, 0);
    for (size_t i = w->n_times; i-- > 0;) { /* neighbours come from one scrape: the last is the likeliest */
        if (same_times(w, &w->times[i], hash, t_ms, n)) {
            *ret = i;
            return 0;
        }
    }
    if (w->kept_cap - w->n_kept < n) {
        size_t cap = w->kept_cap ? w->kept_cap * 2 : 2 * EXTENT_SAMPLES_MAX;
        int64_t *kept = realloc(w->kept, cap * sizeof *kept);
        if (!kept)
            return -ENOMEM;
        w->kept = kept;
        w->kept_cap = cap;
    }
    uint8_t *p = room(&w->time_bytes, COLUMN_BYTES(n));
    if (!p)
        return -ENOMEM;
    size_t bytes = (size_t)(column_put_times(p, t_ms, n) - p);
    w->time_bytes.n += bytes;
    memcpy(w->kept + w->n_kept, t_ms, n * sizeof *t_ms);
    w->times[w->n_times] = (struct time_column){hash, n, bytes, w->n_kept};
    w->n_kept += n;
    *ret = w->n_times++;
    return 0;
}

int extent_add(struct extent_writer *w, unsigned ord, const int64_t *t_ms, const int64_t *start_ms,
               const uint64_t *bits, size_t n)
{
    assert(n >= 1 && n <= EXTENT_SAMPLES_MAX && ord < EXTENT_SERIES_MAX && w->n_series < EXTENT_SERIES_MAX);
    assert(w->n_series == 0 || w->entries[w->n_series - 1][0] < ord);
    size_t times;
    int r = time_column_of(w, t_ms, n, &times);
    if (r < 0)
        return r;
    uint8_t *p = room(&w->value_bytes, 2 * COLUMN_BYTES(n));
    if (!p)
        return -ENOMEM;
    uint8_t *end = (w->quick ? column_put_values_quickly : column_put_values)(p, bits, n, w->scratch);
    if (start_ms)
        end = column_put_starts(end, start_ms, n);
    uint8_t *entry = w->entries[w->n_series++];
    entry[0] = (uint8_t)ord;
    entry[1] = (uint8_t)(times | (start_ms ? STARTS_FLAG : 0));
    put16(entry + 2, (size_t)(end - p));
    w->value_bytes.n += (size_t)(end - p);
    if (t_ms[0] < w->min_ms)
        w->min_ms = t_ms[0];
    if (t_ms[n - 1] > w->max_ms)
        w->max_ms = t_ms[n - 1];
    return 0;
}

int extent_end(struct extent_writer *w, uint8_t **ret_bytes, size_t *ret_n)
{
    assert(w->n_series > 0);
    size_t n = HEADER_BYTES + (w->n_times + w->n_series) * ENTRY_BYTES + w->time_bytes.n + w->value_bytes.n;
    uint8_t *bytes = malloc(n);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, MAGIC, sizeof MAGIC);
    put32(bytes + 8, w->group);
    put16(bytes + 12, w->n_series);
    put16(bytes + 14, w->n_times);
    put64(bytes + 16, (uint64_t)w->min_ms);
    put64(bytes + 24, (uint64_t)w->max_ms);
    uint8_t *p = bytes + HEADER_BYTES;
    for (size_t i = 0; i < w->n_times; i++, p += ENTRY_BYTES) {
        put16(p, w->times[i].samples);
        put16(p + 2, w->times[i].bytes);
    }
    memcpy(p, w->entries, w->n_series * ENTRY_BYTES);
    p += w->n_series * ENTRY_BYTES;
    memcpy(p, w->time_bytes.data, w->time_bytes.n);
    memcpy(p + w->time_bytes.n, w->value_bytes.data, w->value_bytes.n);
    put32(bytes + 4, crc32c(0, bytes + 8, n - 8));
    *ret_bytes = bytes;
    *ret_n = n;
    return 0;
}

/* ---- reading ---- */
static const uint8_t *time_entry(const struct extent *x, size_t i)
{
    return x->bytes + HEADER_BYTES + i * ENTRY_BYTES;
}
static const uint8_t *series_entry(const struct extent *x, size_t i)
{
    return time_entry(x, x->n_times + i);
}

/* Do the directory's sizes add up to the whole, and its numbers stay in their ranges? */
static bool directory_holds(const struct extent *x)
{
    if (x->n_series < 1 || x->n_series > EXTENT_SERIES_MAX || x->n_times < 1 || x->n_times > x->n_series)
        return false;
    size_t total = HEADER_BYTES + (size_t)(x->n_times + x->n_series) * ENTRY_BYTES;
    if (x->n_bytes < total)
        return false;
    for (size_t i = 0; i < x->n_times; i++) {
        unsigned samples = get16(time_entry(x, i));
        if (samples < 1 || samples > EXTENT_SAMPLES_MAX)
            return false;
        total += get16(time_entry(x, i) + 2);
    }
    for (size_t i = 0; i < x->n_series; i++) {
        const uint8_t *e = series_entry(x, i);
        if (e[0] >= EXTENT_SERIES_MAX || (e[1] & ~STARTS_FLAG) >= x->n_times)
            return false;
        if (i && e[0] <= series_entry(x, i - 1)[0])
            return false;
        total += get16(e + 2);
    }
    return total == x->n_bytes;
}

int extent_open(struct extent *x, const uint8_t *bytes, size_t n_bytes)
{
    if (n_bytes < HEADER_BYTES)
        return -EBADMSG;
    bool histograms = memcmp(bytes, EXTENT_MAGIC_HISTOGRAMS, sizeof MAGIC) == 0;
    bool rollups = memcmp(bytes, EXTENT_MAGIC_ROLLUPS, sizeof MAGIC) == 0;
    if (!histograms && !rollups && memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return -EBADMSG;
    if (get32(bytes + 4) != crc32c(0, bytes + 8, n_bytes - 8))
        return -EBADMSG;
    struct extent opened = {.bytes = bytes,
                            .n_bytes = n_bytes,
                            .group = get32(bytes + 8),
                            .n_series = get16(bytes + 12),
                            .n_times = get16(bytes + 14),
                            .min_ms = get64(bytes + 16),
                            .max_ms = get64(bytes + 24),
                            .histograms = histograms,
                            .rollups = rollups};
    if (histograms ? !histogram_extent_holds(&opened)
        : rollups  ? !rollup_extent_holds(&opened)
                   : !directory_holds(&opened))
        return -EBADMSG;
    *x = opened;
    return 0;
}

bool extent_find(const struct extent *x, unsigned ord, struct extent_series *ret)
{
    size_t i = 0, at = HEADER_BYTES + (size_t)(x->n_times + x->n_series) * ENTRY_BYTES;
    struct extent_series found = {.ord = ord};
    if (x->histograms || x->rollups)
        return false;
    while (i < x->n_series && series_entry(x, i)[0] < ord)
        i++;
    if (i == x->n_series || series_entry(x, i)[0] != ord)
        return false;
    const uint8_t *e = series_entry(x, i);
    found.times = e[1] & ~STARTS_FLAG;
    found.has_starts = (e[1] & STARTS_FLAG) != 0;
    for (size_t t = 0; t < x->n_times; t++) {
        if (t == found.times) {
            found.times_at = at;
            found.samples = get16(time_entry(x, t));
            found.times_bytes = get16(time_entry(x, t) + 2);
        }
        at += get16(time_entry(x, t) + 2);
    }
    for (size_t s = 0; s < i; s++)
        at += get16(series_entry(x, s) + 2);
    found.values_at = at;
    found.values_bytes = get16(e + 2);
    *ret = found;
    return true;
}

int extent_times(const struct extent *x, const struct extent_series *at, int64_t *t_ms)
{
    const uint8_t *p = x->bytes + at->times_at, *end = p + at->times_bytes;
    int r = column_get_times(&p, end, at->samples, t_ms);
    return r < 0 ? r : p == end ? 0 : -EBADMSG;
}

int extent_values(const struct extent *x, const struct extent_series *at, uint64_t *bits, int64_t *start_ms)
{
    const uint8_t *p = x->bytes + at->values_at, *end = p + at->values_bytes;
    int r = column_get_values(&p, end, at->samples, bits);
    if (r == 0 && start_ms) {
        if (at->has_starts)
            r = column_get_starts(&p, end, at->samples, start_ms);
        else
            memset(start_ms, 0, at->samples * sizeof *start_ms);
    }
    return r;
}
