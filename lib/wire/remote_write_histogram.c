#include "lib/wire/remote_write_decode.h"

#include <errno.h>

#include "lib/metric/native_histogram.h"

/* Histogram { oneof count { uint64 count_int = 1; double count_float = 2; } double sum = 3; sint32 schema = 4;
 *   double zero_threshold = 5; oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
 *   repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
 *   repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
 *   ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17; } */
enum {
    COUNT_INT = 1,
    COUNT_FLOAT,
    SUM,
    SCHEMA,
    ZERO_THRESHOLD,
    ZERO_INT,
    ZERO_FLOAT,
    NEGATIVE_SPANS,
    NEGATIVE_DELTAS,
    NEGATIVE_COUNTS,
    POSITIVE_SPANS,
    POSITIVE_DELTAS,
    POSITIVE_COUNTS,
    RESET_HINT,
    TIMESTAMP,
    CUSTOM_VALUES,
    START_TIMESTAMP
};

/* One side: deltas of an integer histogram, or absolute counts of a float one. */
struct side {
    size_t n_spans, n_deltas, n_counts;
    struct histogram_span *spans;
    double *counts;
    size_t at_span, at_count;
    int64_t running; /* sum of the deltas so far */
    bool overflow;
};
struct parts {
    struct native_histogram h;
    int64_t t_ms, start_ms;
    struct side negative, positive;
    size_t n_bounds, at_bound;
    bool has_float_count, has_int_count;
};

/* How many numbers a field holds: packed (type 2) or one. */
MUST_USE static bool count_numbers(struct pb *in, uint32_t type, bool is_double, size_t *n)
{
    uint64_t v;
    if (type != PB_BYTES) {
        ++*n;
        return type == (is_double ? PB_FIXED64 : PB_VARINT) && pb_skip(in, type);
    }
    struct pb packed;
    if (!pb_bytes(in, &packed))
        return false;
    if (is_double) {
        *n += pb_left(&packed) / sizeof(double);
        return pb_left(&packed) % sizeof(double) == 0;
    }
    while (pb_more(&packed)) {
        if (!pb_varint(&packed, &v))
            return false;
        ++*n;
    }
    return true;
}

static void take_delta(struct side *s, uint64_t zigzag)
{
    if (__builtin_add_overflow(s->running, pb_unzigzag(zigzag), &s->running))
        s->overflow = true;
    s->counts[s->at_count++] = (double)s->running;
}

static bool take_deltas(struct pb *in, uint32_t type, struct side *s)
{
    uint64_t v;
    if (type == PB_VARINT) {
        if (!pb_varint(in, &v))
            return false;
        take_delta(s, v);
        return true;
    }
    struct pb packed;
    if (!pb_bytes(in, &packed))
        return false;
    while (pb_more(&packed)) {
        if (!pb_varint(&packed, &v))
            return false;
        take_delta(s, v);
    }
    return true;
}

static bool take_doubles(struct pb *in, uint32_t type, double *to, size_t *at)
{
    if (type == PB_FIXED64)
        return pb_double(in, &to[(*at)++]);
    struct pb packed;
    if (!pb_bytes(in, &packed))
        return false;
    while (pb_more(&packed))
        if (!pb_double(&packed, &to[(*at)++]))
            return false;
    return true;
}

/* BucketSpan { sint32 offset = 1; uint32 length = 2; } */
MUST_USE static bool take_span(struct pb *in, struct histogram_span *to)
{
    struct pb m;
    uint32_t field, type;
    uint64_t v;
    if (!pb_bytes(in, &m))
        return false;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return false;
        if (field > 2) {
            if (!pb_skip(&m, type))
                return false;
            continue;
        }
        if (type != PB_VARINT || !pb_varint(&m, &v))
            return false;
        if (field == 1)
            to->offset = (int32_t)pb_unzigzag(v & UINT32_MAX);
        else
            to->length = (uint32_t)v;
    }
    return true;
}

/* First walk: scalars, and how long the lists are. */
MUST_USE static bool read_scalars(struct pb in, struct parts *p)
{
    uint32_t field, type;
    uint64_t v = 0;
    while (pb_more(&in)) {
        if (!pb_tag(&in, &field, &type))
            return false;
        bool ok = true, is_varint = type == PB_VARINT, is_double = type == PB_FIXED64;
        switch (field) {
        case COUNT_INT:
            ok = is_varint && pb_varint(&in, &v);
            p->h.count = (double)v;
            p->has_int_count = true;
            break;
        case COUNT_FLOAT:
            ok = is_double && pb_double(&in, &p->h.count);
            p->has_float_count = true;
            break;
        case SUM:
            ok = is_double && pb_double(&in, &p->h.sum);
            break;
        case SCHEMA:
            ok = is_varint && pb_varint(&in, &v);
            p->h.schema = (int32_t)pb_unzigzag(v & UINT32_MAX);
            break;
        case ZERO_THRESHOLD:
            ok = is_double && pb_double(&in, &p->h.zero_threshold);
            break;
        case ZERO_INT:
            ok = is_varint && pb_varint(&in, &v);
            p->h.zero_count = (double)v;
            break;
        case ZERO_FLOAT:
            ok = is_double && pb_double(&in, &p->h.zero_count);
            break;
        case NEGATIVE_SPANS:
            ok = type == PB_BYTES && pb_skip(&in, type);
            p->negative.n_spans++;
            break;
        case POSITIVE_SPANS:
            ok = type == PB_BYTES && pb_skip(&in, type);
            p->positive.n_spans++;
            break;
        case NEGATIVE_DELTAS:
            ok = count_numbers(&in, type, false, &p->negative.n_deltas);
            break;
        case POSITIVE_DELTAS:
            ok = count_numbers(&in, type, false, &p->positive.n_deltas);
            break;
        case NEGATIVE_COUNTS:
            ok = count_numbers(&in, type, true, &p->negative.n_counts);
            break;
        case POSITIVE_COUNTS:
            ok = count_numbers(&in, type, true, &p->positive.n_counts);
            break;
        case RESET_HINT:
            ok = is_varint && pb_varint(&in, &v);
            p->h.hint = v <= HISTOGRAM_GAUGE ? (enum histogram_reset_hint)v : HISTOGRAM_RESET_UNKNOWN;
            break;
        case TIMESTAMP:
            ok = is_varint && pb_int64(&in, &p->t_ms);
            break;
        case CUSTOM_VALUES:
            ok = count_numbers(&in, type, true, &p->n_bounds);
            break;
        case START_TIMESTAMP:
            ok = is_varint && pb_int64(&in, &p->start_ms);
            break;
        default:
            ok = pb_skip(&in, type);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* Second walk: the lists, into arrays of the right size. The first walk has checked the framing. */
MUST_USE static bool read_lists(struct pb in, struct parts *p)
{
    uint32_t field, type;
    while (pb_more(&in)) {
        if (!pb_tag(&in, &field, &type))
            return false;
        bool ok = true;
        switch (field) {
        case NEGATIVE_SPANS:
            ok = take_span(&in, &p->negative.spans[p->negative.at_span++]);
            break;
        case POSITIVE_SPANS:
            ok = take_span(&in, &p->positive.spans[p->positive.at_span++]);
            break;
        case NEGATIVE_DELTAS:
            ok = take_deltas(&in, type, &p->negative);
            break;
        case POSITIVE_DELTAS:
            ok = take_deltas(&in, type, &p->positive);
            break;
        case NEGATIVE_COUNTS:
            ok = take_doubles(&in, type, p->negative.counts, &p->negative.at_count);
            break;
        case POSITIVE_COUNTS:
            ok = take_doubles(&in, type, p->positive.counts, &p->positive.at_count);
            break;
        case CUSTOM_VALUES:
            ok = take_doubles(&in, type, p->h.bounds, &p->at_bound);
            break;
        default:
            ok = pb_skip(&in, type);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* What only the bytes can break; the rest is native_histogram_check()'s. */
static const char *check_side(const struct side *s, bool is_float)
{
    if (is_float ? s->n_deltas > 0 : s->n_counts > 0)
        return "a histogram mixes integer and float buckets";
    return s->overflow ? "a histogram's bucket counts overflow" : NULL;
}

static const char *check_histogram(const struct parts *p)
{
    const char *why = NULL;
    if (p->has_int_count && p->has_float_count)
        return "a histogram has an integer and a float count";
    why = check_side(&p->negative, p->h.is_float);
    if (!why)
        why = check_side(&p->positive, p->h.is_float);
    return why || native_histogram_check(&p->h, &why) < 0 ? why : NULL;
}

static void fill(struct parts *p)
{
    struct native_histogram *h = &p->h;
    h->negative_spans = p->negative.spans;
    h->positive_spans = p->positive.spans;
    h->n_negative_spans = p->negative.n_spans;
    h->n_positive_spans = p->positive.n_spans;
    h->negative = p->negative.counts;
    h->positive = p->positive.counts;
    h->n_negative = p->negative.at_count;
    h->n_positive = p->positive.at_count;
    h->n_bounds = p->n_bounds;
}

MUST_USE static int alloc_side(struct decoder *d, struct side *s)
{
    int r = 0;
    s->spans = decoder_alloc(d, s->n_spans, sizeof *s->spans, &r);
    s->counts = decoder_alloc(d, s->n_deltas + s->n_counts, sizeof *s->counts, &r);
    return r;
}

int decode_histogram(struct decoder *d, struct pb message, struct histogram_sample *ret, const char **ret_why)
{
    struct parts p = {0};
    if (!read_scalars(message, &p))
        return -EBADMSG;
    p.h.is_float = p.has_float_count;
    int r = alloc_side(d, &p.negative);
    if (r == 0)
        r = alloc_side(d, &p.positive);
    p.h.bounds = decoder_alloc(d, p.n_bounds, sizeof *p.h.bounds, &r);
    struct native_histogram *h = decoder_alloc(d, 1, sizeof *h, &r);
    if (r < 0)
        return r;
    if (!read_lists(message, &p))
        return -EBADMSG;
    fill(&p);
    *ret_why = check_histogram(&p);
    if (*ret_why)
        return -EINVAL;
    *h = p.h;
    *ret = (struct histogram_sample){p.t_ms, p.start_ms, h};
    return 0;
}
