#include "collector/store/column.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "collector/store/residual.h"
#include "collector/store/varint.h"

enum { MODE_INTEGER, MODE_BITS, MODE_DELTA, MODE_DELTA2, MODE_XOR, MODE_PLAIN };

#define EXPONENT_MAX 15
#define DECIMAL_LIMIT 0x1p53
static const double POW10[EXPONENT_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

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

/* r[i] of v[i], from i on: differences, and differences of differences. Returns the differences or-ed. */
static uint64_t deltas(const uint64_t *v, size_t n, uint64_t *r)
{
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++)
        any |= r[i] = v[i] - v[i - 1];
    return any;
}
static void second_deltas(const uint64_t *v, size_t n, uint64_t *r)
{
    for (size_t i = 2; i < n; i++)
        r[i] = v[i] - v[i - 1] - (v[i - 1] - v[i - 2]);
}

/* ---- times and start times ---- */
uint8_t *column_put_times(uint8_t *p, const int64_t *t_ms, size_t n)
{
    const uint64_t *t = (const uint64_t *)t_ms;
    p = varint_put(p, zigzag(t[0]));
    if (n > 1)
        p = varint_put(p, zigzag(t[1] - t[0]));
    if (n < 3)
        return p;
    uint64_t r[COLUMN_SAMPLES_MAX];
    second_deltas(t, n, r);
    return residuals_put(p, residual_layout_of(r + 2, n - 2).kind, r + 2, n - 2);
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
    int r = residuals_get(at, end, n - 2, t + 2);
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
    uint64_t r[COLUMN_SAMPLES_MAX];
    deltas(s, n, r);
    return residuals_put(varint_put(p, zigzag(s[0])), residual_layout_of(r + 1, n - 1).kind, r + 1, n - 1);
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
    int r = residuals_get(at, end, n - 1, s + 1);
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

/* Nearly all columns: integers without an exception. */
static bool to_integers(const uint64_t *bits, size_t n, uint64_t *m)
{
    for (size_t i = 0; i < n; i++)
        if (!decimal_of(bits[i], 0, &m[i]))
            return false;
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

/* One way to see a column: its mode and what is left to write. */
struct candidate {
    unsigned mode;
    size_t first; /* residuals begin here */
    struct residual_layout layout;
    const uint64_t *r;
};

static void consider(struct candidate *best, unsigned mode, const uint64_t *r, size_t first, size_t n)
{
    struct residual_layout layout = residual_layout_of(r + first, n - first);
    if (!best->r || layout.bytes < best->layout.bytes)
        *best = (struct candidate){mode, first, layout, r};
}

/* Beyond this a column of decimals is no better than noise, and the bits may have more in common. */
#define POOR_BYTES(n) (5 * (size_t)(n))

static uint8_t *put_values(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch, bool quick)
{
    if (all_equal(bits, n))
        return put_constant(p, bits[0]);
    uint64_t *m = scratch, *exceptions = scratch + n, delta[COLUMN_SAMPLES_MAX], delta2[COLUMN_SAMPLES_MAX];
    unsigned e = 0;
    size_t n_exceptions = 0;
    struct candidate best = {0};
    if (to_integers(bits, n, m) ||
        (find_exponent(bits, n, &e) && to_decimals(bits, n, e, m, exceptions, &n_exceptions))) {
        bool falls = deltas(m, n, delta) >> 63;
        consider(&best, MODE_DELTA, delta, 1, n);
        for (size_t i = n - 1; i >= 2 && !quick; i--)
            delta2[i] = delta[i] - delta[i - 1];
        if (n > 2 && !quick)
            consider(&best, MODE_DELTA2, delta2, 2, n);
        if (falls && !quick) /* what only rises spans as much as its largest step at least */
            consider(&best, MODE_PLAIN, m, 0, n);
    }
    uint64_t xored[COLUMN_SAMPLES_MAX];
    if (!best.r || best.layout.bytes + 10 * n_exceptions > POOR_BYTES(n)) {
        for (size_t i = 1; i < n; i++)
            xored[i] = bits[i] ^ bits[i - 1];
        best.layout.bytes += 10 * n_exceptions;
        consider(&best, MODE_XOR, xored, 1, n);
    }
    *p++ = (uint8_t)best.mode;
    if (best.mode == MODE_XOR) {
        p = put64(p, bits[0]);
    } else {
        p = put_exceptions(p, bits, exceptions, n_exceptions);
        *p++ = (uint8_t)e;
        if (best.mode != MODE_PLAIN)
            p = varint_put(p, zigzag(m[0]));
        if (best.mode == MODE_DELTA2)
            p = varint_put(p, zigzag(m[1] - m[0]));
    }
    return residuals_put(p, best.layout.kind, best.r + best.first, n - best.first);
}

uint8_t *column_put_values(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch)
{
    return put_values(p, bits, n, scratch, false);
}

uint8_t *column_put_values_quickly(uint8_t *p, const uint64_t *bits, size_t n, uint64_t *scratch)
{
    return put_values(p, bits, n, scratch, true);
}

/* undo_delta and the integers' doubles in one pass. */
static void integers_of_deltas(uint64_t *v, size_t n)
{
    uint64_t m = 0;
    for (size_t i = 0; i < n; i++) {
        m += v[i];
        v[i] = bits_of((double)(int64_t)m);
    }
}

static int get_decimals(const uint8_t **at, const uint8_t *end, unsigned mode, size_t n, uint64_t *v)
{
    if (*at == end)
        return -EBADMSG;
    unsigned e = *(*at)++;
    uint64_t z;
    if (e > EXPONENT_MAX)
        return -EBADMSG;
    size_t first = 0;
    if (mode != MODE_PLAIN) {
        if (!varint_get(at, end, &z))
            return -EBADMSG;
        v[0] = unzigzag(z);
        first = 1;
    }
    if (mode == MODE_DELTA2) {
        if (n < 2 || !varint_get(at, end, &z))
            return -EBADMSG;
        v[1] = v[0] + unzigzag(z);
        first = 2;
    }
    int r = residuals_get(at, end, n - first, v + first);
    if (r < 0)
        return r;
    if (mode == MODE_DELTA && e == 0) { /* counters: most of what there is */
        integers_of_deltas(v, n);
        return 0;
    }
    if (mode == MODE_DELTA)
        undo_delta(v, n);
    else if (mode == MODE_DELTA2)
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
    int r = residuals_get(at, end, n - 1, v + 1);
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
    case MODE_PLAIN:
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
