/* The counts are one array. With half = 2^m, the smallest power of two >= 10^digits:
 *
 *   index:   0 .......... half | half ...... 2 half | 2 half .... 3 half | ...
 *   value:   0 .......... half | half ...... 2 half | 2 half .... 4 half | 4 half .... 8 half ...
 *   width:         1           |         1          |         2          |         4
 *
 * so every value keeps its first `digits` digits: a bucket is never wider than value / half. */
#include "lib/metric/hdr.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

struct hdr {
    int64_t highest, min, max;
    int digits;
    unsigned half_bits; /* m above */
    uint64_t total, clamped;
    double sum;
    size_t n;
    uint64_t counts[];
};

static size_t index_of(unsigned half_bits, int64_t value)
{
    uint64_t v = (uint64_t)value;
    unsigned bits = v ? 64u - (unsigned)__builtin_clzll(v) : 0;
    unsigned shift = bits > half_bits + 1 ? bits - half_bits - 1 : 0; /* width of the bucket: 2^shift */
    return ((size_t)shift << half_bits) + (size_t)(v >> shift);
}

/* The highest value that the bucket holds. */
static int64_t highest_of(const struct hdr *h, size_t index)
{
    unsigned shift = index >> (h->half_bits + 1) ? (unsigned)(index >> h->half_bits) - 1 : 0;
    uint64_t first = (uint64_t)(index - ((size_t)shift << h->half_bits)) << shift;
    uint64_t last = first + (((uint64_t)1 << shift) - 1);
    return last > (uint64_t)h->max ? h->max : (int64_t)last;
}

int hdr_new(int64_t highest, int digits, struct hdr **ret)
{
    if (digits < 1 || digits > 5 || highest < 2)
        return -EINVAL;
    uint64_t needed = 1;
    for (int i = 0; i < digits; i++)
        needed *= 10;
    unsigned half_bits = 0;
    while (((uint64_t)1 << half_bits) < needed)
        half_bits++;
    size_t n = index_of(half_bits, highest) + 1, bytes;
    if (size_mul(n, sizeof(uint64_t), &bytes) < 0 || size_add(bytes, sizeof(struct hdr), &bytes) < 0)
        return -ENOMEM;
    struct hdr *h = calloc(1, bytes);
    if (!h)
        return -ENOMEM;
    h->highest = highest;
    h->digits = digits;
    h->half_bits = half_bits;
    h->n = n;
    *ret = h;
    return 0;
}

void hdr_free(struct hdr *h)
{
    free(h);
}

void hdr_reset(struct hdr *h)
{
    if (h->total) { /* only what was written: the pages of the rest are not even there */
        size_t first = index_of(h->half_bits, h->min), last = index_of(h->half_bits, h->max);
        memset(h->counts + first, 0, (last - first + 1) * sizeof h->counts[0]);
    }
    h->total = h->clamped = 0;
    h->min = h->max = 0;
    h->sum = 0;
}

void hdr_record(struct hdr *h, int64_t value)
{
    hdr_record_n(h, value, 1);
}

void hdr_record_n(struct hdr *h, int64_t value, uint64_t count)
{
    if (count == 0)
        return;
    if (value > h->highest) {
        value = h->highest;
        h->clamped += count;
    }
    if (value < 0)
        value = 0;
    if (h->total == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->total += count;
    h->sum += (double)value * (double)count;
    size_t index = index_of(h->half_bits, value);
    assert(index < h->n);
    h->counts[index] += count;
}

int hdr_merge(struct hdr *into, const struct hdr *from)
{
    if (into->highest != from->highest || into->digits != from->digits)
        return -EINVAL;
    if (from->total == 0)
        return 0;
    if (into->total == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->total += from->total;
    into->clamped += from->clamped;
    into->sum += from->sum;
    size_t last = index_of(from->half_bits, from->max);
    for (size_t i = index_of(from->half_bits, from->min); i <= last; i++)
        into->counts[i] += from->counts[i];
    return 0;
}

uint64_t hdr_count(const struct hdr *h)
{
    return h->total;
}

uint64_t hdr_clamped(const struct hdr *h)
{
    return h->clamped;
}

int64_t hdr_min(const struct hdr *h)
{
    return h->min;
}

int64_t hdr_max(const struct hdr *h)
{
    return h->max;
}

double hdr_mean(const struct hdr *h)
{
    return h->total ? h->sum / (double)h->total : 0;
}

int64_t hdr_percentile(const struct hdr *h, double percentile)
{
    /* The next smaller double first: 99.9 % of 1000 is rank 999, though 99.9 / 100 * 1000 comes out above it. */
    double exact = nextafter(percentile, -1) / 100 * (double)h->total;
    double rank = ceil(exact);
    uint64_t wanted = !(rank >= 1) ? 1 : rank >= (double)h->total ? h->total : (uint64_t)rank;
    uint64_t seen = 0;
    for (size_t i = 0; i < h->n && h->total > 0; i++) {
        seen += h->counts[i];
        if (seen >= wanted)
            return highest_of(h, i);
    }
    return 0;
}

uint64_t hdr_count_at_or_below(const struct hdr *h, int64_t value)
{
    if (value < 0)
        return 0;
    if (value >= h->highest)
        return h->total;
    uint64_t n = 0;
    size_t last = index_of(h->half_bits, value);
    for (size_t i = 0; i <= last; i++)
        n += h->counts[i];
    return n;
}

size_t hdr_memory_bytes(const struct hdr *h)
{
    return sizeof *h + h->n * sizeof h->counts[0];
}

bool hdr_next(const struct hdr *h, size_t *at, int64_t *ret_value, uint64_t *ret_count)
{
    for (size_t i = *at; i < h->n; i++) {
        if (h->counts[i] == 0)
            continue;
        *at = i + 1;
        *ret_value = highest_of(h, i);
        *ret_count = h->counts[i];
        return true;
    }
    *at = h->n;
    return false;
}

int64_t hdr_highest(const struct hdr *h)
{
    return h->highest;
}

int hdr_digits(const struct hdr *h)
{
    return h->digits;
}

size_t hdr_buckets_used(const struct hdr *h)
{
    return h->total ? index_of(h->half_bits, h->max) + 1 : 0;
}

uint64_t hdr_bucket(const struct hdr *h, size_t index)
{
    return index < h->n ? h->counts[index] : 0;
}

int hdr_bucket_add(struct hdr *h, size_t index, uint64_t count)
{
    if (index >= h->n)
        return -EINVAL;
    unsigned shift = index >> (h->half_bits + 1) ? (unsigned)(index >> h->half_bits) - 1 : 0;
    uint64_t first = (uint64_t)(index - ((size_t)shift << h->half_bits)) << shift;
    uint64_t middle = first + (((uint64_t)1 << shift) >> 1); /* the fairest of its values for sums */
    hdr_record_n(h, (int64_t)(middle > (uint64_t)h->highest ? (uint64_t)h->highest : middle), count);
    return 0;
}
