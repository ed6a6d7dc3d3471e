#include "lib/metric/exposition_native.h"

#include <errno.h>

#include "lib/base/number.h"
#include "lib/metric/native_histogram.h"

/* ---- writing ---- */
static void put_number(struct buf *b, double v)
{
    char text[NUMBER_TEXT_MAX];
    buf_bytes(b, text, format_f64(text, v));
}

static void put_numbers(struct buf *b, const char *key, const double *v, size_t n)
{
    buf_printf(b, ",%s:[", key);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        put_number(b, v[i]);
    }
    buf_char(b, ']');
}

static void put_side(struct buf *b, const char *spans_key, const struct histogram_span *spans, size_t n_spans,
                     const char *buckets_key, const double *counts, size_t n)
{
    if (n_spans == 0)
        return;
    buf_printf(b, ",%s:[", spans_key);
    for (size_t i = 0; i < n_spans; i++)
        buf_printf(b, "%s%d:%u", i ? "," : "", spans[i].offset, spans[i].length);
    buf_char(b, ']');
    put_numbers(b, buckets_key, counts, n);
}

void exposition_put_histogram(struct buf *b, const struct native_histogram *h)
{
    buf_str(b, "{count:");
    put_number(b, h->count);
    buf_str(b, ",sum:");
    put_number(b, h->sum);
    buf_printf(b, ",schema:%d,zero_threshold:", h->schema);
    put_number(b, h->zero_threshold);
    buf_str(b, ",zero_count:");
    put_number(b, h->zero_count);
    put_side(b, "negative_spans", h->negative_spans, h->n_negative_spans, "negative_buckets", h->negative,
             h->n_negative);
    put_side(b, "positive_spans", h->positive_spans, h->n_positive_spans, "positive_buckets", h->positive,
             h->n_positive);
    if (h->n_bounds)
        put_numbers(b, "custom_values", h->bounds, h->n_bounds);
    if (h->is_float)
        buf_str(b, ",float:1");
    if (h->hint)
        buf_printf(b, ",hint:%d", (int)h->hint);
    buf_char(b, '}');
}

/* ---- reading ---- */
enum field {
    COUNT,
    SUM,
    SCHEMA,
    ZERO_THRESHOLD,
    ZERO_COUNT,
    NEGATIVE_SPANS,
    NEGATIVE_BUCKETS,
    POSITIVE_SPANS,
    POSITIVE_BUCKETS,
    CUSTOM_VALUES,
    FLOAT,
    HINT,
    FIELDS
};
static const char *const NAMES[FIELDS] = {
    [COUNT] = "count",
    [SUM] = "sum",
    [SCHEMA] = "schema",
    [ZERO_THRESHOLD] = "zero_threshold",
    [ZERO_COUNT] = "zero_count",
    [NEGATIVE_SPANS] = "negative_spans",
    [NEGATIVE_BUCKETS] = "negative_buckets",
    [POSITIVE_SPANS] = "positive_spans",
    [POSITIVE_BUCKETS] = "positive_buckets",
    [CUSTOM_VALUES] = "custom_values",
    [FLOAT] = "float",
    [HINT] = "hint",
};
#define NEEDED (1u << COUNT | 1u << SUM | 1u << SCHEMA | 1u << ZERO_THRESHOLD | 1u << ZERO_COUNT)

static struct span word(struct page *p)
{
    size_t start = p->at;
    while (p->at < p->len && !strchr(",:[]{} \n", p->text[p->at]))
        p->at++;
    return span_of(p->text + start, p->at - start);
}

MUST_USE static int expect(struct page *p, char c)
{
    char what[] = {'\'', c, '\'', 0};
    if (page_char(p) != c)
        return page_expected(p, what);
    p->at++;
    return 0;
}

MUST_USE static int number(struct page *p, double *ret)
{
    size_t start = p->at;
    struct span token = word(p);
    return token.len && parse_f64_span(token, ret) == 0 ? 0 : PAGE_FAIL(p, start, p->at, "not a number");
}

MUST_USE static int whole(struct page *p, int64_t min, int64_t max, int64_t *ret)
{
    size_t start = p->at;
    struct span token = word(p);
    return parse_i64_span(token, min, max, ret) == 0 ? 0 : PAGE_FAIL(p, start, p->at, "not a whole number in range");
}

/* How many items the list has that begins here: its text is looked at up to its end. */
static size_t list_length(const struct page *p)
{
    size_t n = 0, at = p->at + 1;
    for (; at < p->len && p->text[at] != ']' && p->text[at] != '\n'; at++)
        n += n == 0 || p->text[at] == ',';
    return n;
}

MUST_USE static int out_of_memory(struct page *p)
{
    parse_error_set(p->error, -ENOMEM, p->text, p->at, p->at, "out of memory, or the histogram is too large");
    return -ENOMEM;
}

MUST_USE static int numbers(struct page *p, double **ret, size_t *ret_n)
{
    size_t n = list_length(p);
    double *list = arena_array(&p->scratch, n, sizeof *list);
    if (!list)
        return out_of_memory(p);
    int r = expect(p, '[');
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = i ? expect(p, ',') : 0;
        if (r == 0)
            r = number(p, &list[i]);
    }
    *ret = list;
    *ret_n = n;
    return r < 0 ? r : expect(p, ']');
}

MUST_USE static int spans(struct page *p, struct histogram_span **ret, size_t *ret_n)
{
    size_t n = list_length(p);
    struct histogram_span *list = arena_array(&p->scratch, n, sizeof *list);
    if (!list)
        return out_of_memory(p);
    int r = expect(p, '[');
    for (size_t i = 0; r == 0 && i < n; i++) {
        int64_t offset = 0, length = 0;
        r = i ? expect(p, ',') : 0;
        if (r == 0)
            r = whole(p, INT32_MIN, INT32_MAX, &offset);
        if (r == 0)
            r = expect(p, ':');
        if (r == 0)
            r = whole(p, 0, UINT32_MAX, &length);
        list[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    *ret = list;
    *ret_n = n;
    return r < 0 ? r : expect(p, ']');
}

MUST_USE static int value_of(struct page *p, enum field field, struct native_histogram *h)
{
    int64_t i = 0;
    int r;
    switch (field) {
    case COUNT:
        return number(p, &h->count);
    case SUM:
        return number(p, &h->sum);
    case ZERO_THRESHOLD:
        return number(p, &h->zero_threshold);
    case ZERO_COUNT:
        return number(p, &h->zero_count);
    case NEGATIVE_SPANS:
        return spans(p, &h->negative_spans, &h->n_negative_spans);
    case POSITIVE_SPANS:
        return spans(p, &h->positive_spans, &h->n_positive_spans);
    case NEGATIVE_BUCKETS:
        return numbers(p, &h->negative, &h->n_negative);
    case POSITIVE_BUCKETS:
        return numbers(p, &h->positive, &h->n_positive);
    case CUSTOM_VALUES:
        return numbers(p, &h->bounds, &h->n_bounds);
    case SCHEMA:
        r = whole(p, HISTOGRAM_CUSTOM_SCHEMA, HISTOGRAM_SCHEMA_MAX, &i);
        h->schema = (int32_t)i;
        return r;
    case FLOAT:
        r = whole(p, 0, 1, &i);
        h->is_float = i != 0;
        return r;
    default:
        r = whole(p, 0, HISTOGRAM_GAUGE, &i);
        h->hint = (enum histogram_reset_hint)i;
        return r;
    }
}

MUST_USE static int one_field(struct page *p, struct native_histogram *h, unsigned *seen)
{
    size_t start = p->at;
    struct span name = word(p);
    enum field field = COUNT;
    while (field < FIELDS && !span_equal(name, span_str(NAMES[field])))
        field++;
    if (field == FIELDS)
        return PAGE_FAIL(p, start, p->at, "a native histogram has no such field");
    if (*seen >> field & 1)
        return PAGE_FAIL(p, start, p->at, "the field stands twice");
    *seen |= 1u << field;
    int r = expect(p, ':');
    return r < 0 ? r : value_of(p, field, h);
}

int page_histogram(struct page *p, const struct native_histogram **ret)
{
    size_t start = p->at;
    unsigned seen = 0;
    const char *why;
    struct native_histogram *h = arena_alloc(&p->scratch, sizeof *h);
    if (!h)
        return out_of_memory(p);
    int r = expect(p, '{');
    if (r == 0)
        r = one_field(p, h, &seen);
    while (r == 0 && page_char(p) == ',') {
        p->at++;
        r = one_field(p, h, &seen);
    }
    if (r == 0)
        r = expect(p, '}');
    if (r < 0)
        return r;
    if ((seen & NEEDED) != NEEDED)
        return PAGE_FAIL(p, start, p->at, "a native histogram needs count, sum, schema, zero_threshold and zero_count");
    if (native_histogram_check(h, &why) < 0)
        return PAGE_FAIL(p, start, p->at, "%s", why);
    *ret = h;
    return 0;
}
