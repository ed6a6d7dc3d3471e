#include "collector/store/residual.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "collector/store/column.h"
#include "collector/store/varint.h"

enum { LAYOUT_WHOLE, LAYOUT_BLOCKS, LAYOUT_SPARSE };
#define SHIFT_FLAG 0x80

/* ---- writing ---- */
static size_t varint_bytes(uint64_t v)
{
    return (size_t)(70 - __builtin_clzll(v | 1)) / 7;
}

/* What a stretch of residuals has in common. */
struct range {
    int64_t min, max;
    uint64_t any; /* all of them or-ed: its low zeros are everyone's */
};

static inline struct range range_of(const uint64_t *r, size_t n)
{
    struct range all = {INT64_MAX, INT64_MIN, 0};
    for (size_t i = 0; i < n; i++) {
        int64_t v = (int64_t)r[i];
        all.min = v < all.min ? v : all.min;
        all.max = v > all.max ? v : all.max;
        all.any |= r[i];
    }
    return all;
}

struct block {
    unsigned shift, width;
    int64_t base;
};

static inline struct block block_of(const struct range *range)
{
    if (range->min == range->max)
        return (struct block){.base = range->min};
    unsigned shift = (unsigned)__builtin_ctzll(range->any);
    int64_t base = range->min >> shift;
    uint64_t span = (uint64_t)(range->max >> shift) - (uint64_t)base;
    return (struct block){shift, 64 - (unsigned)__builtin_clzll(span), base};
}

static inline size_t block_bytes(const struct block *b, size_t n)
{
    return (b->shift ? 2 : 1) + varint_bytes(zigzag((uint64_t)b->base)) + (n * b->width + 7) / 8;
}

struct residual_layout residual_layout_of(const uint64_t *r, size_t n)
{
    if (n == 0)
        return (struct residual_layout){LAYOUT_WHOLE, 0};
    struct range whole = {INT64_MAX, INT64_MIN, 0};
    size_t in_blocks = 1;
    for (size_t at = 0; at < n; at += COLUMN_BLOCK) {
        size_t count = n - at < COLUMN_BLOCK ? n - at : COLUMN_BLOCK;
        struct range range = range_of(r + at, count);
        struct block b = block_of(&range);
        in_blocks += block_bytes(&b, count);
        whole.min = range.min < whole.min ? range.min : whole.min;
        whole.max = range.max > whole.max ? range.max : whole.max;
        whole.any |= range.any;
    }
    struct block b = block_of(&whole);
    struct residual_layout best = {LAYOUT_WHOLE, 1 + block_bytes(&b, n)};
    if (in_blocks < best.bytes)
        best = (struct residual_layout){LAYOUT_BLOCKS, in_blocks};
    size_t sparse = 2, at = 0;
    for (size_t i = 0; i < n && sparse < best.bytes; i++) {
        if (r[i] == 0)
            continue;
        sparse += varint_bytes(i - at) + varint_bytes(zigzag(r[i]));
        at = i;
    }
    if (sparse + 1 < best.bytes) /* its count may take a second byte */
        best = (struct residual_layout){LAYOUT_SPARSE, sparse + 1};
    return best;
}

static uint8_t *put_block(uint8_t *p, const uint64_t *r, size_t n)
{
    struct range range = range_of(r, n);
    struct block b = block_of(&range);
    *p++ = (uint8_t)(b.width | (b.shift ? SHIFT_FLAG : 0));
    if (b.shift)
        *p++ = (uint8_t)b.shift;
    p = varint_put(p, zigzag((uint64_t)b.base));
    uint64_t word = 0;
    unsigned fill = 0;
    for (size_t i = 0; b.width && i < n; i++) {
        uint64_t v = (uint64_t)((int64_t)r[i] >> b.shift) - (uint64_t)b.base;
        word |= v << fill;
        if (fill + b.width < 64) {
            fill += b.width;
            continue;
        }
        p = put64(p, word);
        word = fill ? v >> (64 - fill) : 0;
        fill = fill + b.width - 64;
    }
    for (; fill > 0; fill = fill > 8 ? fill - 8 : 0) {
        *p++ = (uint8_t)word;
        word >>= 8;
    }
    return p;
}

static uint8_t *put_sparse(uint8_t *p, const uint64_t *r, size_t n)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        count += r[i] != 0;
    p = varint_put(p, count);
    for (size_t i = 0; i < n; i++) {
        if (r[i] == 0)
            continue;
        p = varint_put(varint_put(p, i - at), zigzag(r[i]));
        at = i;
    }
    return p;
}

uint8_t *residuals_put(uint8_t *p, unsigned layout, const uint64_t *r, size_t n)
{
    if (n == 0)
        return p;
    *p++ = (uint8_t)layout;
    if (layout == LAYOUT_SPARSE)
        return put_sparse(p, r, n);
    size_t each = layout == LAYOUT_WHOLE ? n : COLUMN_BLOCK;
    for (size_t at = 0; at < n; at += each)
        p = put_block(p, r + at, n - at < each ? n - at : each);
    return p;
}

/* ---- reading ---- */
static void unpack(const uint8_t *p, size_t available, size_t count, const struct block *b, uint64_t *r)
{
    unsigned width = b->width;
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1, base = (uint64_t)b->base;
    size_t i = 0, bit = 0,
           whole = 0; /* as many values begin where 8 bytes may be read, and 56 bits from any bit on lie in 8 bytes */
    if (width <= 56 && available >= 8)
        whole = (available - 8) * 8 / width + 1;
    if (whole > count)
        whole = count;
    if (width <= 28) /* two at a time: a third less time */
        for (; i + 2 <= whole; i += 2, bit += 2 * (size_t)width) {
            uint64_t two = load64(p + bit / 8) >> bit % 8;
            r[i] = ((two & mask) + base) << b->shift;
            r[i + 1] = ((two >> width & mask) + base) << b->shift;
        }
    for (; i < whole; i++, bit += width)
        r[i] = ((load64(p + bit / 8) >> bit % 8 & mask) + base) << b->shift;
    for (; i < count; i++, bit += width) {
        uint8_t padded[16] = {0};
        size_t at = bit / 8, left = available - at;
        memcpy(padded, p + at, left < sizeof padded ? left : sizeof padded);
        unsigned low = bit % 8;
        uint64_t v = load64(padded) >> low;
        if (low + width > 64)
            v |= (uint64_t)padded[8] << (64 - low);
        r[i] = ((v & mask) + base) << b->shift;
    }
}

static int get_block(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *r)
{
    const uint8_t *p = *at;
    struct block b = {0};
    uint64_t z;
    if (p == end)
        return -EBADMSG;
    bool has_shift = *p & SHIFT_FLAG;
    b.width = *p++ & (SHIFT_FLAG - 1);
    if (b.width > 64 || (has_shift && p == end))
        return -EBADMSG;
    if (has_shift)
        b.shift = *p++;
    if (b.shift > 63 || !varint_get(&p, end, &z))
        return -EBADMSG;
    b.base = (int64_t)unzigzag(z);
    size_t bytes = (n * b.width + 7) / 8, left = (size_t)(end - p);
    if (bytes > left)
        return -EBADMSG;
    if (b.width)
        unpack(p, left, n, &b, r);
    else
        for (size_t i = 0; i < n; i++)
            r[i] = (uint64_t)b.base << b.shift;
    *at = p + bytes;
    return 0;
}

static int get_sparse(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *r)
{
    uint64_t count, step, z, index = 0;
    if (!varint_get(at, end, &count) || count > n)
        return -EBADMSG;
    memset(r, 0, n * sizeof *r);
    for (uint64_t i = 0; i < count; i++) {
        if (!varint_get(at, end, &step) || step >= n || (index += step) >= n || !varint_get(at, end, &z))
            return -EBADMSG;
        r[index] = unzigzag(z);
    }
    return 0;
}

int residuals_get(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *r)
{
    if (n == 0)
        return 0;
    if (*at == end)
        return -EBADMSG;
    unsigned layout = *(*at)++;
    if (layout == LAYOUT_SPARSE)
        return get_sparse(at, end, n, r);
    if (layout > LAYOUT_BLOCKS)
        return -EBADMSG;
    size_t each = layout == LAYOUT_WHOLE ? n : COLUMN_BLOCK;
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i += each)
        result = get_block(at, end, n - i < each ? n - i : each, r + i);
    return result;
}
