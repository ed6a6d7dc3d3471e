#include "lib/metric/native.h"

#include <errno.h>
#include <float.h>
#include <math.h>

#include "lib/base/number.h"

double native_bound(const struct native_histogram *h, int64_t index)
{
    if (native_is_custom(h))
        return index < 0 ? -INFINITY : (size_t)index < h->n_bounds ? h->bounds[index] : INFINITY;
    /* 2^(index / 2^schema), exact where it is a power of two; the end of the floats is a bound, too */
    double exponent;
    double part = 0; /* of a power of two: 0 <= part < 1 */
    if (h->schema <= 0) {
        exponent = ldexp((double)index, -h->schema);
    } else {
        double place = ldexp((double)index, -h->schema);
        exponent = floor(place);
        part = place - exponent;
    }
    if (exponent == 1024 && part == 0)
        return DBL_MAX;
    if (exponent > 1100)
        return INFINITY;
    if (exponent < -1200)
        return 0;
    return ldexp(part == 0 ? 1 : exp2(part), (int)exponent);
}

static void *copy_array(struct arena *a, const void *from, size_t n, size_t size, bool *ok)
{
    void *to = arena_array(a, n, size);
    if (!to)
        *ok = false;
    else if (n)
        memcpy(to, from, n * size);
    return to;
}

int native_copy(struct arena *a, const struct native_histogram *h, struct native_histogram **ret)
{
    bool ok = true;
    struct native_histogram *c = arena_alloc(a, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = *h;
    c->positive_spans = copy_array(a, h->positive_spans, h->n_positive_spans, sizeof *h->positive_spans, &ok);
    c->negative_spans = copy_array(a, h->negative_spans, h->n_negative_spans, sizeof *h->negative_spans, &ok);
    c->positive = copy_array(a, h->positive, h->n_positive, sizeof *h->positive, &ok);
    c->negative = copy_array(a, h->negative, h->n_negative, sizeof *h->negative, &ok);
    c->bounds = copy_array(a, h->bounds, h->n_bounds, sizeof *h->bounds, &ok);
    if (!ok)
        return -ENOMEM;
    *ret = c;
    return 0;
}

/* ---- equality ---- */

struct cursor { /* walks the buckets that spans name */
    const struct histogram_span *spans;
    size_t n_spans, span;
    const double *counts;
    size_t n_counts, at;
    uint32_t in_span;
    int64_t index;
};

static struct cursor cursor_of(const struct native_histogram *h, bool positive)
{
    struct cursor c = {
        .spans = h->positive_spans, .n_spans = h->n_positive_spans, .counts = h->positive, .n_counts = h->n_positive};
    if (!positive)
        c = (struct cursor){.spans = h->negative_spans,
                            .n_spans = h->n_negative_spans,
                            .counts = h->negative,
                            .n_counts = h->n_negative};
    c.index = c.n_spans ? c.spans[0].offset : 0;
    return c;
}

/* false: no more. */
static bool cursor_next(struct cursor *c, int32_t *ret_index, double *ret_count)
{
    while (c->span < c->n_spans && c->in_span >= c->spans[c->span].length) {
        c->span++;
        c->in_span = 0;
        if (c->span < c->n_spans)
            c->index += c->spans[c->span].offset;
    }
    if (c->span >= c->n_spans || c->at >= c->n_counts)
        return false;
    *ret_index = (int32_t)c->index++;
    *ret_count = c->counts[c->at++];
    c->in_span++;
    return true;
}

static bool same_buckets(const struct native_histogram *a, const struct native_histogram *b, bool positive)
{
    struct cursor x = cursor_of(a, positive), y = cursor_of(b, positive);
    for (;;) {
        int32_t i, k;
        double v, w;
        bool more = cursor_next(&x, &i, &v);
        if (more != cursor_next(&y, &k, &w))
            return false;
        if (!more)
            return true;
        if (i != k || f64_bits(v) != f64_bits(w))
            return false;
    }
}

bool native_equal(const struct native_histogram *a, const struct native_histogram *b)
{
    if (a->schema != b->schema || f64_bits(a->count) != f64_bits(b->count) || f64_bits(a->sum) != f64_bits(b->sum))
        return false;
    if (native_is_custom(a)) {
        if (a->n_bounds != b->n_bounds)
            return false;
        for (size_t i = 0; i < a->n_bounds; i++)
            if (a->bounds[i] != b->bounds[i])
                return false;
    }
    return a->zero_threshold == b->zero_threshold && f64_bits(a->zero_count) == f64_bits(b->zero_count) &&
           same_buckets(a, b, true) && same_buckets(a, b, false);
}

/* ---- the axis ---- */

int native_buckets(struct arena *a, const struct native_histogram *h, struct native_bucket **ret, size_t *ret_n)
{
    size_t n = 0;
    struct native_bucket *list = arena_array(a, h->n_positive + h->n_negative + 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    int32_t index;
    double count;
    bool custom = native_is_custom(h);
    struct cursor c = cursor_of(h, false);
    while (cursor_next(&c, &index, &count))
        list[n++] =
            (struct native_bucket){-native_bound(h, index), -native_bound(h, (int64_t)index - 1), count, true, false};
    for (size_t i = 0; i < n / 2; i++) { /* the one furthest from zero comes first */
        struct native_bucket swap = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = swap;
    }
    if (h->zero_count > 0 && !custom)
        list[n++] = (struct native_bucket){-h->zero_threshold, h->zero_threshold, h->zero_count, true, true};
    c = cursor_of(h, true);
    while (cursor_next(&c, &index, &count))
        list[n++] = (struct native_bucket){native_bound(h, (int64_t)index - 1), native_bound(h, index), count,
                                           custom && index == 0, true};
    *ret = list;
    *ret_n = n;
    return 0;
}

int native_format(struct arena *a, const struct native_histogram *h, struct buf *out)
{
    struct native_bucket *list;
    size_t n;
    char text[3][NUMBER_TEXT_MAX];
    int r = native_buckets(a, h, &list, &n);
    if (r < 0)
        return r;
    format_f64_g(text[0], h->count);
    format_f64_g(text[1], h->sum);
    buf_printf(out, "{count:%s, sum:%s", text[0], text[1]);
    for (size_t i = 0; i < n; i++) {
        const struct native_bucket *b = &list[i];
        if (b->count == 0)
            continue;
        format_f64_g(text[0], b->lower);
        format_f64_g(text[1], b->upper);
        format_f64_g(text[2], b->count);
        buf_printf(out, ", %c%s,%s%c:%s", b->lower_inclusive ? '[' : '(', text[0], text[1],
                   b->upper_inclusive ? ']' : ')', text[2]);
    }
    buf_char(out, '}');
    return buf_error(out);
}
