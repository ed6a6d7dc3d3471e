#include "collector/store/histogram_pack.h"

#include <errno.h>

#include "collector/store/residual.h"
#include "collector/store/varint.h"

enum { FLAG_FLOAT = 1, FLAG_HINT = 6, FLAG_DOUBLES = 8, FLAGS = 15 };
#define HINT_SHIFT 1
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

int histogram_pack_check(const struct native_histogram *h, const char **ret_why)
{
    const char *why = NULL;
    if (h->n_positive > HISTOGRAM_BUCKETS_MAX || h->n_negative > HISTOGRAM_BUCKETS_MAX - h->n_positive)
        why = "a histogram has more than 8192 buckets";
    else if (h->n_positive_spans > HISTOGRAM_SPANS_MAX ||
             h->n_negative_spans > HISTOGRAM_SPANS_MAX - h->n_positive_spans)
        why = "a histogram has more than 4096 spans";
    else if (h->n_bounds > HISTOGRAM_BUCKETS_MAX)
        why = "a histogram has more than 8192 custom bounds";
    if (!why)
        return 0;
    *ret_why = why;
    return -EINVAL;
}

size_t histogram_pack_bound(const struct native_histogram *h)
{
    return 64 + 15 * (h->n_positive_spans + h->n_negative_spans) + 8 * h->n_bounds +
           VARINT_BYTES_MAX * (HISTOGRAM_COLUMNS + h->n_positive + h->n_negative);
}

/* ---- writing ---- */
static bool is_whole(uint64_t bits)
{
    double v = f64_from_bits(bits);
    return v >= 0 && v <= EXACT_MAX && f64_bits((double)(uint64_t)v) == bits;
}

static uint8_t *put_spans(uint8_t *p, const struct histogram_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p = varint_put(varint_put(p, zigzag((uint64_t)(int64_t)spans[i].offset)), spans[i].length);
    return p;
}

static uint8_t *put_steps(uint8_t *p, const uint64_t *bits, size_t n)
{
    uint64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t count = (uint64_t)f64_from_bits(bits[i]);
        p = varint_put(p, zigzag(count - before));
        before = count;
    }
    return p;
}

static uint8_t *put_counts(uint8_t *p, uint8_t *flags, const uint64_t *bits, size_t n_positive, size_t n_negative)
{
    size_t n = HISTOGRAM_COLUMNS + n_positive + n_negative;
    bool whole = true;
    for (size_t i = 0; whole && i < n; i++)
        whole = i == 2 || is_whole(bits[i]);
    p = put64(p, bits[2]);
    if (whole) {
        p = varint_put(p, (uint64_t)f64_from_bits(bits[0]));
        p = varint_put(p, (uint64_t)f64_from_bits(bits[1]));
        p = put_steps(p, bits + HISTOGRAM_COLUMNS, n_positive);
        return put_steps(p, bits + HISTOGRAM_COLUMNS + n_positive, n_negative);
    }
    *flags |= FLAG_DOUBLES;
    p = put64(put64(p, bits[0]), bits[1]);
    for (size_t i = HISTOGRAM_COLUMNS; i < n; i++)
        p = put64(p, bits[i]);
    return p;
}

uint8_t *histogram_pack(uint8_t *p, const struct native_histogram *h)
{
    uint64_t bits[HISTOGRAM_COLUMNS + HISTOGRAM_BUCKETS_MAX];
    uint8_t *flags = p++;
    *flags = (uint8_t)((h->is_float ? FLAG_FLOAT : 0) | h->hint << HINT_SHIFT);
    p = put64(varint_put(p, zigzag((uint64_t)(int64_t)h->schema)), f64_bits(h->zero_threshold));
    p = varint_put(varint_put(p, h->n_positive_spans), h->n_negative_spans);
    p = varint_put(p, h->n_bounds);
    p = put_spans(p, h->positive_spans, h->n_positive_spans);
    p = put_spans(p, h->negative_spans, h->n_negative_spans);
    for (size_t i = 0; i < h->n_bounds; i++)
        p = put64(p, f64_bits(h->bounds[i]));
    bits[0] = f64_bits(h->count);
    bits[1] = f64_bits(h->zero_count);
    bits[2] = f64_bits(h->sum);
    for (size_t i = 0; i < h->n_positive; i++)
        bits[HISTOGRAM_COLUMNS + i] = f64_bits(h->positive[i]);
    for (size_t i = 0; i < h->n_negative; i++)
        bits[HISTOGRAM_COLUMNS + h->n_positive + i] = f64_bits(h->negative[i]);
    return put_counts(p, flags, bits, h->n_positive, h->n_negative);
}

uint8_t *histogram_pack_columns(uint8_t *p, bool is_float, enum histogram_reset_hint hint,
                                const struct histogram_layout *layout, const uint64_t *bits)
{
    uint8_t *flags = p++;
    *flags = (uint8_t)((is_float ? FLAG_FLOAT : 0) | hint << HINT_SHIFT);
    memcpy(p, layout->bytes, layout->n_bytes);
    return put_counts(p + layout->n_bytes, flags, bits, layout->n_positive, layout->n_negative);
}

/* ---- reading ---- */
static bool skip_spans(const uint8_t **at, const uint8_t *end, uint64_t n, size_t *ret_buckets)
{
    uint64_t offset, length, buckets = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!varint_get(at, end, &offset) || !varint_get(at, end, &length) || length > HISTOGRAM_BUCKETS_MAX)
            return false;
        int64_t value = (int64_t)unzigzag(offset);
        buckets += length;
        if (value < INT32_MIN || value > INT32_MAX || buckets > HISTOGRAM_BUCKETS_MAX)
            return false;
    }
    *ret_buckets = (size_t)buckets;
    return true;
}

int histogram_layout_open(const uint8_t **at, const uint8_t *end, struct histogram_layout *ret)
{
    const uint8_t *p = *at;
    uint64_t schema, n_positive, n_negative, n_bounds;
    struct histogram_layout l = {.bytes = p};
    if (!varint_get(&p, end, &schema) || end - p < 8)
        return -EBADMSG;
    int64_t value = (int64_t)unzigzag(schema);
    if (value < INT32_MIN || value > INT32_MAX)
        return -EBADMSG;
    l.schema = (int32_t)value;
    l.zero_threshold = f64_from_bits(load64(p));
    p += 8;
    if (!varint_get(&p, end, &n_positive) || !varint_get(&p, end, &n_negative) || !varint_get(&p, end, &n_bounds) ||
        n_positive > HISTOGRAM_SPANS_MAX || n_negative > HISTOGRAM_SPANS_MAX - n_positive ||
        n_bounds > HISTOGRAM_BUCKETS_MAX)
        return -EBADMSG;
    l.spans = p;
    if (!skip_spans(&p, end, n_positive, &l.n_positive) || !skip_spans(&p, end, n_negative, &l.n_negative) ||
        l.n_positive + l.n_negative > HISTOGRAM_BUCKETS_MAX || (size_t)(end - p) < 8 * n_bounds)
        return -EBADMSG;
    p += 8 * n_bounds;
    l.n_positive_spans = (size_t)n_positive;
    l.n_negative_spans = (size_t)n_negative;
    l.n_bounds = (size_t)n_bounds;
    l.n_bytes = (size_t)(p - l.bytes);
    *ret = l;
    *at = p;
    return 0;
}

int histogram_open(const uint8_t **at, const uint8_t *end, struct packed_histogram *ret)
{
    const uint8_t *p = *at;
    struct packed_histogram x = {.bytes = p};
    if (p == end || *p & ~FLAGS)
        return -EBADMSG;
    uint8_t flags = *p++;
    x.is_float = flags & FLAG_FLOAT;
    x.hint = (enum histogram_reset_hint)((flags & FLAG_HINT) >> HINT_SHIFT);
    int r = histogram_layout_open(&p, end, &x.layout);
    if (r < 0)
        return r;
    size_t columns = histogram_layout_columns(&x.layout), left = (size_t)(end - p);
    if (left < 8)
        return -EBADMSG;
    if (flags & FLAG_DOUBLES) {
        if (left < 8 * columns)
            return -EBADMSG;
        p += 8 * columns;
    } else {
        uint64_t v;
        p += 8;
        for (size_t i = 1; i < columns; i++)
            if (!varint_get(&p, end, &v))
                return -EBADMSG;
    }
    x.n_bytes = (size_t)(p - x.bytes);
    *ret = x;
    *at = p;
    return 0;
}

static void get_steps(const uint8_t **at, const uint8_t *end, uint64_t *bits, size_t n)
{
    uint64_t count = 0, step = 0;
    for (size_t i = 0; i < n; i++) {
        (void)varint_get(at, end, &step); /* histogram_open() has been through all of them */
        count += unzigzag(step);
        bits[i] = f64_bits((double)count);
    }
}

void histogram_columns(const struct packed_histogram *packed, uint64_t *bits)
{
    const struct histogram_layout *l = &packed->layout;
    const uint8_t *p = l->bytes + l->n_bytes, *end = packed->bytes + packed->n_bytes;
    uint64_t count = 0;
    bits[2] = load64(p);
    p += 8;
    if (*packed->bytes & FLAG_DOUBLES) {
        size_t n = histogram_layout_columns(l);
        bits[0] = load64(p);
        bits[1] = load64(p + 8);
        for (size_t i = HISTOGRAM_COLUMNS; i < n; i++)
            bits[i] = load64(p + 8 * (i - 1));
        return;
    }
    (void)varint_get(&p, end, &count);
    bits[0] = f64_bits((double)count);
    (void)varint_get(&p, end, &count);
    bits[1] = f64_bits((double)count);
    get_steps(&p, end, bits + HISTOGRAM_COLUMNS, l->n_positive);
    get_steps(&p, end, bits + HISTOGRAM_COLUMNS + l->n_positive, l->n_negative);
}

static void get_spans(const uint8_t **at, const uint8_t *end, struct histogram_span *spans, size_t n)
{
    uint64_t offset = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        (void)varint_get(at, end, &offset);
        (void)varint_get(at, end, &length);
        spans[i] = (struct histogram_span){(int32_t)(int64_t)unzigzag(offset), (uint32_t)length};
    }
}

int histogram_layout_unpack(const struct histogram_layout *l, struct arena *arena, struct native_histogram *ret)
{
    const uint8_t *p = l->spans, *end = l->bytes + l->n_bytes;
    struct histogram_span *spans = arena_array(arena, l->n_positive_spans + l->n_negative_spans, sizeof *spans);
    double *bounds = arena_array(arena, l->n_bounds, sizeof *bounds);
    if (!spans || !bounds)
        return -ENOMEM;
    get_spans(&p, end, spans, l->n_positive_spans + l->n_negative_spans);
    for (size_t i = 0; i < l->n_bounds; i++)
        bounds[i] = f64_from_bits(load64(p + 8 * i));
    *ret = (struct native_histogram){.schema = l->schema,
                                     .zero_threshold = l->zero_threshold,
                                     .positive_spans = spans,
                                     .negative_spans = spans + l->n_positive_spans,
                                     .n_positive_spans = l->n_positive_spans,
                                     .n_negative_spans = l->n_negative_spans,
                                     .bounds = bounds,
                                     .n_bounds = l->n_bounds};
    return 0;
}

int histogram_set_columns(struct native_histogram *h, const struct histogram_layout *layout, const uint64_t *bits,
                          struct arena *arena)
{
    size_t n = layout->n_positive + layout->n_negative;
    double *counts = arena_array(arena, n, sizeof *counts);
    if (!counts)
        return -ENOMEM;
    if (n)
        memcpy(counts, bits + HISTOGRAM_COLUMNS, n * sizeof *counts);
    h->count = f64_from_bits(bits[0]);
    h->zero_count = f64_from_bits(bits[1]);
    h->sum = f64_from_bits(bits[2]);
    h->positive = counts;
    h->negative = counts + layout->n_positive;
    h->n_positive = layout->n_positive;
    h->n_negative = layout->n_negative;
    return 0;
}

int histogram_unpack(const struct packed_histogram *packed, struct arena *arena, struct native_histogram *ret)
{
    uint64_t bits[HISTOGRAM_COLUMNS + HISTOGRAM_BUCKETS_MAX];
    struct native_histogram h;
    int r = histogram_layout_unpack(&packed->layout, arena, &h);
    if (r < 0)
        return r;
    histogram_columns(packed, bits);
    r = histogram_set_columns(&h, &packed->layout, bits, arena);
    if (r < 0)
        return r;
    h.is_float = packed->is_float;
    h.hint = packed->hint;
    *ret = h;
    return 0;
}
