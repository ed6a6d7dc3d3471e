#include "collector/store/column.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "collector/store/varint.h"

enum { MODE_INTEGER, MODE_BITS, MODE_DELTA, MODE_DELTA2, MODE_XOR };
enum residual { RESIDUAL_DELTA, RESIDUAL_DELTA2, RESIDUAL_XOR };

#define EXPONENT_MAX 15
#define DECIMAL_LIMIT 0x1p53
static const double POW10[EXPONENT_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Little-endian, whatever the machine; compilers turn these into one move. */
static uint64_t load64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}
static uint8_t *put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    return p + 8;
}
static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* ---- residuals ---- */
static inline uint64_t residual_at(enum residual kind, const uint64_t *v, size_t i)
{
    if (kind == RESIDUAL_XOR)
        return v[i] ^ v[i - 1];
    uint64_t step = v[i] - v[i - 1];
    return kind == RESIDUAL_DELTA ? step : step - (v[i - 1] - v[i - 2]);
}

/* Without its low zeros, differences with their sign in the low bit. The shift comes first: -4096 has low zeros, its zigzag has
 * none. */
static inline uint64_t shifted(enum residual kind, uint64_t residual, unsigned shift)
{
    return kind == RESIDUAL_XOR ? residual >> shift : zigzag((uint64_t)((int64_t)residual >> shift));
}

struct block {
    uint64_t r[COLUMN_BLOCK];
    size_t count;
    unsigned width, shift; /* width 0: all residuals are 0 */
};

static inline void fill_block(struct block *b, enum residual kind, const uint64_t *v, size_t at, size_t n)
{
    uint64_t any = 0, all = 0;
    b->count = n - at < COLUMN_BLOCK ? n - at : COLUMN_BLOCK;
    b->width = b->shift = 0;
    for (size_t i = 0; i < b->count; i++)
        any |= b->r[i] = residual_at(kind, v, at + i);
    if (any == 0)
        return;
    b->shift = (unsigned)__builtin_ctzll(any);
    for (size_t i = 0; i < b->count; i++)
        all |= b->r[i] = shifted(kind, b->r[i], b->shift);
    b->width = 64 - (unsigned)__builtin_clzll(all);
}

static inline size_t residual_bytes_of(enum residual kind, const uint64_t *v, size_t from, size_t n)
{
    size_t bytes = 0;
    struct block b;
    for (size_t at = from; at < n; at += b.count) {
        fill_block(&b, kind, v, at, n);
        bytes += b.width ? 2 + (b.count * b.width + 7) / 8 : 1;
    }
    return bytes;
}

static uint8_t *pack(uint8_t *p, const uint64_t *r, size_t count, unsigned width)
{
    uint64_t word = 0;
    unsigned fill = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t v = r[i];
        word |= v << fill;
        if (fill + width < 64) {
            fill += width;
            continue;
        }
        p = put64(p, word);
        word = fill ? v >> (64 - fill) : 0;
        fill = fill + width - 64;
    }
    for (; fill > 0; fill = fill > 8 ? fill - 8 : 0) {
        *p++ = (uint8_t)word;
        word >>= 8;
    }
    return p;
}

static inline uint8_t *put_residuals_of(uint8_t *p, enum residual kind, const uint64_t *v, size_t from, size_t n)
{
    struct block b;
    for (size_t at = from; at < n; at += b.count) {
        fill_block(&b, kind, v, at, n);
        *p++ = (uint8_t)b.width;
        if (b.width == 0)
            continue;
        *p++ = (uint8_t)b.shift;
        p = pack(p, b.r, b.count, b.width);
    }
    return p;
}

/* One copy of the loops per kind: the compiler drops the branches inside. */
static size_t residual_bytes(enum residual kind, const uint64_t *v, size_t from, size_t n)
{
    if (kind == RESIDUAL_DELTA)
        return residual_bytes_of(RESIDUAL_DELTA, v, from, n);
    if (kind == RESIDUAL_DELTA2)
        return residual_bytes_of(RESIDUAL_DELTA2, v, from, n);
    return residual_bytes_of(RESIDUAL_XOR, v, from, n);
}
static uint8_t *put_residuals(uint8_t *p, enum residual kind, const uint64_t *v, size_t from, size_t n)
{
    if (kind == RESIDUAL_DELTA)
        return put_residuals_of(p, RESIDUAL_DELTA, v, from, n);
    if (kind == RESIDUAL_DELTA2)
        return put_residuals_of(p, RESIDUAL_DELTA2, v, from, n);
    return put_residuals_of(p, RESIDUAL_XOR, v, from, n);
}

static void unpack(const uint8_t *p, size_t available, size_t count, unsigned width, uint64_t *r)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    size_t bytes = (count * width + 7) / 8;
    if (width <= 56 && available >= bytes + 8) { /* any value lies within 8 bytes that may be read */
        for (size_t i = 0, bit = 0; i < count; i++, bit += width)
            r[i] = load64(p + bit / 8) >> bit % 8 & mask;
        return;
    }
    uint8_t padded[COLUMN_BLOCK * 8 + 9] = {0};
    memcpy(padded, p, bytes);
    for (size_t i = 0, bit = 0; i < count; i++, bit += width) {
        const uint8_t *at = padded + bit / 8;
        unsigned low = bit % 8;
        uint64_t v = load64(at) >> low;
        if (low + width > 64)
            v |= (uint64_t)at[8] << (64 - low);
        r[i] = v & mask;
    }
}

static int get_residuals(const uint8_t **at, const uint8_t *end, bool with_sign, size_t count, uint64_t *r)
{
    const uint8_t *p = *at;
    for (size_t n; count > 0; count -= n, r += n) {
        n = count < COLUMN_BLOCK ? count : COLUMN_BLOCK;
        if (p == end)
            return -EBADMSG;
        unsigned width = *p++;
        if (width == 0) {
            memset(r, 0, n * sizeof *r);
            continue;
        }
        if (width > 64 || p == end)
            return -EBADMSG;
        unsigned shift = *p++;
        size_t bytes = (n * width + 7) / 8, left = (size_t)(end - p);
        if (shift > 63 || bytes > left)
            return -EBADMSG;
        unpack(p, left, n, width, r);
        for (size_t i = 0; with_sign && i < n; i++)
            r[i] = unzigzag(r[i]) << shift;
        for (size_t i = 0; !with_sign && i < n; i++)
            r[i] <<= shift;
        p += bytes;
    }
    *at = p;
    return 0;
}

/* ---- times and start times ---- */
uint8_t *column_put_times(uint8_t *p, const int64_t *t_ms, size_t n)
{
    const uint64_t *t = (const uint64_t *)t_ms;
    p = varint_put(p, zigzag(t[0]));
    if (n > 1)
        p = varint_put(p, zigzag(t[1] - t[0]));
    return put_residuals(p, RESIDUAL_DELTA2, t, 2, n);
}

static void undo_delta2(uint64_t *v, size_t n)
{
    uint64_t step = n > 1 ? v[1] - v[0] : 0;
    for (size_t i = 2; i < n; i++) {
        step += v[i];
        v[i] = v[i - 1] + step;
    }
}

int column_get_times(const uint8_t **at, const uint8_t *end, size_t n, int64_t *t_ms)
{
    uint64_t *t = (uint64_t *)t_ms, z;
    if (!varint_get(at, end, &z))
        return -EBADMSG;
    t[0] = unzigzag(z);
    if (n < 2)
        return 0;
    if (!varint_get(at, end, &z))
        return -EBADMSG;
    t[1] = t[0] + unzigzag(z);
    int r = get_residuals(at, end, true, n - 2, t + 2);
    if (r < 0)
        return r;
    undo_delta2(t, n);
    for (size_t i = 1; i < n; i++)
        if (t_ms[i] <= t_ms[i - 1])
            return -EBADMSG;
    return 0;
}

uint8_t *column_put_starts(uint8_t *p, const int64_t *start_ms, size_t n)
{
    const uint64_t *s = (const uint64_t *)start_ms;
    return put_residuals(varint_put(p, zigzag(s[0])), RESIDUAL_DELTA, s, 1, n);
}

static void undo_delta(uint64_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        v[i] = v[i - 1] + v[i];
}

int column_get_starts(const uint8_t **at, const uint8_t *end, size_t n, int64_t *start_ms)
{
    uint64_t *s = (uint64_t *)start_ms, z;
    if (!varint_get(at, end, &z))
        return -EBADMSG;
    s[0] = unzigzag(z);
    int r = get_residuals(at, end, true, n - 1, s + 1);
    if (r < 0)
        return r;
    undo_delta(s, n);
    return 0;
}

/* ---- values ---- */
static bool decimal_of(uint64_t bits, unsigned e, uint64_t *ret_m)
{
    double scaled = double_of(bits) * POW10[e];
    if (!(fabs(scaled) < DECIMAL_LIMIT)) /* NaN too */
        return false;
    int64_t m = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    double back = e ? (double)m / POW10[e] : (double)m;
    if (bits_of(back) != bits)
        return false;
    *ret_m = (uint64_t)m;
    return true;
}

static size_t exceptions_max(size_t n)
{
    return n / 16 + 1;
}

/* The smallest exponent that makes (nearly) every value a decimal; false: there is none. */
static bool find_exponent(const uint64_t *bits, size_t n, unsigned *ret_e)
{
    unsigned e = 0;
    size_t misses = 0;
    uint64_t m;
    for (size_t i = 0; i < n; i++) {
        if (decimal_of(bits[i], e, &m))
            continue;
        unsigned higher = e + 1;
        while (higher <= EXPONENT_MAX && !decimal_of(bits[i], higher, &m))
            higher++;
        if (higher <= EXPONENT_MAX)
            e = higher;
        else if (++misses > exceptions_max(n))
            return false;
    }
    *ret_e = e;
    return true;
}

/* Fill m[] and the indexes of the exceptions; false: too many of them. */
static bool to_decimals(const uint64_t *bits, size_t n, unsigned e, uint64_t *m, uint64_t *exceptions,
                        size_t *ret_exceptions)
{
    size_t count = 0, leading = 0;
    for (size_t i = 0; i < n; i++) {
        if (decimal_of(bits[i], e, &m[i]))
            continue;
        if (count == exceptions_max(n))
            return false;
        if (i == leading)
            leading++;
        else
            m[i] = m[i - 1];
        exceptions[count++] = i;
    }
    if (leading == n)
        return false;
    for (size_t i = 0; i < leading; i++)
        m[i] = m[leading];
    *ret_exceptions = count;
    return true;
}

static uint8_t *put_exceptions(uint8_t *p, const uint64_t *bits, const uint64_t *at, size_t count)
{
    p = varint_put(p, count);
    uint64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        p = varint_put(p, at[i] - previous);
        p = put64(p, bits[at[i]]);
        previous = at[i];
    }
    return p;
}

static bool all_equal(const uint64_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (v[i] != v[0])
            return false;
    return true;
}

static uint8_t *put_constant(uint8_t *p, uint64_t bits)
{
    uint64_t m;
    if (decimal_of(bits, 0, &m)) {
        *p++ = MODE_INTEGER;
        return varint_put(p, zigzag(m));
    }
    *p++ = MODE_BITS;
    return put64(p, bits);
}

uint8_t *column_put_values(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch)
{
    if (all_equal(bits, n))
        return put_constant(p, bits[0]);
    uint64_t *m = scratch, *exceptions = scratch + n;
    unsigned e = 0;
    size_t n_exceptions = 0;
    bool decimal = find_exponent(bits, n, &e) && to_decimals(bits, n, e, m, exceptions, &n_exceptions);
    size_t best = residual_bytes(RESIDUAL_XOR, bits, 1, n);
    unsigned mode = MODE_XOR;
    if (decimal) {
        size_t delta = residual_bytes(RESIDUAL_DELTA, m, 1, n) + 10 * n_exceptions;
        size_t delta2 = residual_bytes(RESIDUAL_DELTA2, m, 2, n) + 10 * n_exceptions;
        if (delta <= best) {
            best = delta;
            mode = MODE_DELTA;
        }
        if (delta2 < best)
            mode = MODE_DELTA2;
    }
    *p++ = (uint8_t)mode;
    if (mode == MODE_XOR)
        return put_residuals(put64(p, bits[0]), RESIDUAL_XOR, bits, 1, n);
    p = put_exceptions(p, bits, exceptions, n_exceptions);
    *p++ = (uint8_t)e;
    p = varint_put(p, zigzag(m[0]));
    if (mode == MODE_DELTA)
        return put_residuals(p, RESIDUAL_DELTA, m, 1, n);
    return put_residuals(varint_put(p, zigzag(m[1] - m[0])), RESIDUAL_DELTA2, m, 2, n);
}

static int get_decimals(const uint8_t **at, const uint8_t *end, unsigned mode, size_t n, uint64_t *v)
{
    if (*at == end)
        return -EBADMSG;
    unsigned e = *(*at)++;
    uint64_t z;
    if (e > EXPONENT_MAX || !varint_get(at, end, &z))
        return -EBADMSG;
    v[0] = unzigzag(z);
    size_t first = 1;
    if (mode == MODE_DELTA2) {
        if (n < 2 || !varint_get(at, end, &z))
            return -EBADMSG;
        v[1] = v[0] + unzigzag(z);
        first = 2;
    }
    int r = get_residuals(at, end, true, n - first, v + first);
    if (r < 0)
        return r;
    if (mode == MODE_DELTA)
        undo_delta(v, n);
    else
        undo_delta2(v, n);
    double scale = POW10[e];
    if (e == 0)
        for (size_t i = 0; i < n; i++)
            v[i] = bits_of((double)(int64_t)v[i]);
    else
        for (size_t i = 0; i < n; i++)
            v[i] = bits_of((double)(int64_t)v[i] / scale);
    return 0;
}

static int get_with_exceptions(const uint8_t **at, const uint8_t *end, unsigned mode, size_t n, uint64_t *v)
{
    uint64_t count, step;
    if (!varint_get(at, end, &count) || count > n)
        return -EBADMSG;
    const uint8_t *exceptions = *at;
    uint64_t index = 0;
    for (uint64_t i = 0; i < count; i++) { /* they stand before the column but are applied after it */
        if (!varint_get(at, end, &step) || end - *at < 8 || step >= n || (index += step) >= n)
            return -EBADMSG;
        *at += 8;
    }
    int r = get_decimals(at, end, mode, n, v);
    if (r < 0)
        return r;
    index = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (!varint_get(&exceptions, end, &step)) /* was checked above */
            return -EBADMSG;
        index += step;
        v[index] = load64(exceptions);
        exceptions += 8;
    }
    return 0;
}

static int get_xor(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *v)
{
    if (end - *at < 8)
        return -EBADMSG;
    v[0] = load64(*at);
    *at += 8;
    int r = get_residuals(at, end, false, n - 1, v + 1);
    if (r < 0)
        return r;
    for (size_t i = 1; i < n; i++)
        v[i] ^= v[i - 1];
    return 0;
}

int column_get_values(const uint8_t **at, const uint8_t *end, size_t n, uint64_t *bits)
{
    if (*at == end)
        return -EBADMSG;
    unsigned mode = *(*at)++;
    uint64_t constant;
    switch (mode) {
    case MODE_INTEGER:
        if (!varint_get(at, end, &constant))
            return -EBADMSG;
        constant = bits_of((double)(int64_t)unzigzag(constant));
        break;
    case MODE_BITS:
        if (end - *at < 8)
            return -EBADMSG;
        constant = load64(*at);
        *at += 8;
        break;
    case MODE_DELTA:
    case MODE_DELTA2:
        return get_with_exceptions(at, end, mode, n, bits);
    case MODE_XOR:
        return get_xor(at, end, n, bits);
    default:
        return -EBADMSG;
    }
    for (size_t i = 0; i < n; i++)
        bits[i] = constant;
    return 0;
}
