#include "collector/rules/series_text.h"

#include <errno.h>

#include "collector/promql/lex.h"
#include "collector/promql/promql.h"
#include "lib/base/number.h"
#include "lib/metric/native.h"

int series_text_labels(struct span text, struct arena *arena, struct labels *ret, struct parse_error *ret_error)
{
    struct matcher *matchers = NULL;
    size_t n = 0;
    struct label_builder b;
    label_builder_init(&b, arena);
    int r = span_trim(text).len ? promql_parse_selector(text, arena, &matchers, &n, ret_error) : 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        if (matchers[i].type == MATCH_EQUAL) {
            bool ok = true; /* the matcher's texts end with it */
            label_builder_set(&b, arena_span(arena, matchers[i].name, &ok), arena_span(arena, matchers[i].value, &ok));
            r = ok ? 0 : -ENOMEM;
        } else {
            parse_error_set(ret_error, -EINVAL, text.ptr, 0, text.len, "a series has labels, not matchers such as %s",
                            match_type_text(matchers[i].type));
            r = -EINVAL;
        }
    }
    for (size_t i = 0; i < n; i++)
        matcher_done(&matchers[i]);
    return r < 0 ? r : label_builder_finish(&b, ret);
}

/* ---- points ---- */
struct points {
    struct span text, rest;
    struct arena *arena;
    struct parse_error *error;
    struct series_point *list;
    size_t n, cap;
};

static int wrong(struct points *p, struct span at, const char *why)
{
    size_t start = at.ptr ? (size_t)(at.ptr - p->text.ptr) : p->text.len;
    parse_error_set(p->error, -EINVAL, p->text.ptr, start, start + at.len, "%s", why);
    return -EINVAL;
}

MUST_USE static int add_point(struct points *p, struct series_point point)
{
    if (p->n == SERIES_POINTS_MAX)
        return wrong(p, p->rest, "more than 1000000 points in one series");
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64;
        struct series_point *more = arena_array(p->arena, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        if (p->n)
            memcpy(more, p->list, p->n * sizeof *more);
        p->list = more;
        p->cap = cap;
    }
    p->list[p->n++] = point;
    return 0;
}

/* Blanks end it; histograms have blanks inside. */
static struct span next_token(struct points *p)
{
    p->rest = span_trim(p->rest);
    size_t n = 0, open = 0;
    for (; n < p->rest.len; n++) {
        char c = p->rest.ptr[n];
        open += c == '{';
        open -= c == '}' && open;
        if (!open && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            break;
    }
    struct span token = span_of(p->rest.ptr, n);
    p->rest = span_from(p->rest, n);
    return token;
}

/* "x5" at the end, or nothing. */
MUST_USE static int read_times(struct points *p, struct span text, uint64_t *ret)
{
    *ret = 0;
    if (text.len == 0)
        return 0;
    if (*text.ptr != 'x' || parse_u64_span(span_from(text, 1), SERIES_POINTS_MAX, ret) < 0)
        return wrong(p, text, "expected xN, the times it repeats");
    return 0;
}

/* The bytes of a number: its sign, and what follows up to an x or a sign that is not its exponent's. No hexadecimal: 0x5 is 0, six
 * times. */
static size_t number_end(struct span s)
{
    size_t i = s.len && (*s.ptr == '+' || *s.ptr == '-');
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        bool exponent = i > 1 && (s.ptr[i - 1] | 32) == 'e' && s.ptr[i - 2] >= '.' && s.ptr[i - 2] <= '9';
        if (c == 'x' || ((c == '+' || c == '-') && !exponent))
            break;
    }
    return i;
}

MUST_USE static int read_number(struct points *p, struct span text, double *ret)
{
    bool negative = text.len && *text.ptr == '-', sign = negative || (text.len && *text.ptr == '+');
    if (number_parse(span_from(text, sign ? 1 : 0), ret) < 0)
        return wrong(p, text, "not a number");
    if (negative)
        *ret = -*ret;
    return 0;
}

MUST_USE static int add_numbers(struct points *p, struct span token)
{
    double v = 0, growth = 0;
    uint64_t times = 0;
    size_t n = number_end(token);
    int r = read_number(p, span_of(token.ptr, n), &v);
    struct span rest = span_from(token, n);
    if (r == 0 && rest.len && *rest.ptr != 'x') {
        n = number_end(rest);
        r = read_number(p, span_of(rest.ptr, n), &growth);
        rest = span_from(rest, n);
        if (r == 0 && rest.len == 0)
            r = wrong(p, token, "expected xN behind a+b");
    }
    if (r == 0)
        r = read_times(p, rest, &times);
    for (uint64_t i = 0; i <= times && r == 0; i++, v += growth)
        r = add_point(p, (struct series_point){.present = true, .value = v});
    return r;
}

/* ---- histograms: {{schema:0 sum:5 count:4 buckets:[1 2 1]}} ---- */
static struct span next_word(struct span *s, char end)
{
    size_t n = 0;
    *s = span_trim(*s);
    while (n < s->len && s->ptr[n] != ' ' && s->ptr[n] != '\t' && s->ptr[n] != end)
        n++;
    struct span word = span_of(s->ptr, n);
    *s = span_from(*s, n);
    return word;
}

MUST_USE static int read_list(struct points *p, struct span *rest, double **ret, size_t *ret_n)
{
    if (rest->len == 0 || *rest->ptr != '[' || span_find(*rest, ']') == rest->len)
        return wrong(p, *rest, "expected a list: [1 2 3]");
    size_t end = span_find(*rest, ']'), n = 0;
    struct span inside = span_trim(span_of(rest->ptr + 1, end - 1));
    double *list = arena_array(p->arena, inside.len + 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    while (inside.len) {
        int r = read_number(p, next_word(&inside, ']'), &list[n++]);
        if (r < 0)
            return r;
        inside = span_trim(inside);
    }
    *rest = span_from(*rest, end + 1);
    *ret = list;
    *ret_n = n;
    return 0;
}

MUST_USE static int make_span(struct points *p, double offset, size_t n, struct histogram_span **ret, size_t *ret_n)
{
    *ret = arena_array(p->arena, 1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    **ret = (struct histogram_span){(int32_t)offset, (uint32_t)n};
    *ret_n = n > 0;
    return 0;
}

struct histogram_text {
    struct native_histogram *h;
    double schema, offset, n_offset;
    bool hint_written;
};

MUST_USE static int read_part(struct points *p, struct span name, struct span *rest, struct histogram_text *t)
{
    static const char *const HINTS[] = {"unknown", "reset", "not_reset", "gauge"};
    const struct {
        struct span name;
        double *to;
    } NUMBERS[] = {{SPAN("schema"), &t->schema},    {SPAN("sum"), &t->h->sum},
                   {SPAN("count"), &t->h->count},   {SPAN("z_bucket"), &t->h->zero_count},
                   {SPAN("offset"), &t->offset},    {SPAN("z_bucket_w"), &t->h->zero_threshold},
                   {SPAN("n_offset"), &t->n_offset}};
    if (span_equal(name, SPAN("buckets")))
        return read_list(p, rest, &t->h->positive, &t->h->n_positive);
    if (span_equal(name, SPAN("n_buckets")))
        return read_list(p, rest, &t->h->negative, &t->h->n_negative);
    if (span_equal(name, SPAN("custom_values")))
        return read_list(p, rest, &t->h->bounds, &t->h->n_bounds);
    struct span word = next_word(rest, '}');
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++)
        if (span_equal(name, NUMBERS[i].name))
            return read_number(p, word, NUMBERS[i].to);
    if (!span_equal(name, SPAN("counter_reset_hint")))
        return wrong(p, name, "a histogram has no such part");
    t->hint_written = true;
    for (size_t i = 0; i < ARRAY_LEN(HINTS); i++)
        if (span_equal(word, span_str(HINTS[i]))) {
            t->h->hint = (enum histogram_reset_hint)i;
            return 0;
        }
    return wrong(p, word, "expected unknown, reset, not_reset or gauge");
}

/* What stands in {{ }} at the text's begin; *text goes on behind it. */
MUST_USE static int read_histogram(struct points *p, struct span *text, const struct native_histogram **ret,
                                   bool *ret_hint_written)
{
    size_t end = span_search(*text, SPAN("}}"));
    if (!span_starts(*text, SPAN("{{")) || end == text->len)
        return wrong(p, *text, "expected a histogram: {{…}}");
    struct span inside = span_trim(span_of(text->ptr + 2, end - 2));
    struct histogram_text t = {.h = arena_alloc(p->arena, sizeof *t.h)};
    int r = t.h ? 0 : -ENOMEM;
    if (r == 0)
        t.h->is_float = true;
    while (inside.len && r == 0) {
        size_t colon = span_find(inside, ':');
        if (colon == inside.len)
            return wrong(p, inside, "expected name:value");
        struct span name = span_of(inside.ptr, colon);
        inside = span_from(inside, colon + 1);
        r = read_part(p, name, &inside, &t);
        inside = span_trim(inside);
    }
    const struct {
        double v;
        bool schema;
    } WHOLE[] = {{t.schema, true}, {t.offset, false}, {t.n_offset, false}};
    for (size_t i = 0; i < ARRAY_LEN(WHOLE) && r == 0; i++)
        if (!(WHOLE[i].v >= -100000000 && WHOLE[i].v <= 100000000) || (double)(int32_t)WHOLE[i].v != WHOLE[i].v ||
            (WHOLE[i].schema && WHOLE[i].v != HISTOGRAM_CUSTOM_SCHEMA && (WHOLE[i].v < -4 || WHOLE[i].v > 8)))
            r = wrong(p, *text, WHOLE[i].schema ? "schema must be -4 to 8, or -53" : "an offset is a whole number");
    if (r == 0) {
        t.h->schema = (int32_t)t.schema;
        r = make_span(p, t.offset, t.h->n_positive, &t.h->positive_spans, &t.h->n_positive_spans);
    }
    if (r == 0)
        r = make_span(p, t.n_offset, t.h->n_negative, &t.h->negative_spans, &t.h->n_negative_spans);
    *text = span_from(*text, end + 2);
    *ret = t.h;
    *ret_hint_written = t.hint_written;
    return r;
}

MUST_USE static int grow(struct points *p, const struct native_histogram **h, const struct native_histogram *more,
                         int sign)
{
    struct native_notes notes = {false, false};
    struct native_work w;
    int r = native_work_init(&w, p->arena, *h);
    if (r == 0)
        r = native_work_add(&w, more, sign, &notes);
    if (r == 0)
        r = native_work_give(&w, NATIVE_PLAIN, h);
    return r == -EINVAL ? wrong(p, p->rest, "histograms with exponential and with custom buckets do not add up") : r;
}

MUST_USE static int add_histograms(struct points *p, struct span token)
{
    const struct native_histogram *h, *more = NULL;
    bool hint_written, ignored;
    uint64_t times = 0;
    int sign = 0;
    int r = read_histogram(p, &token, &h, &hint_written);
    if (r == 0 && token.len && (*token.ptr == '+' || *token.ptr == '-')) {
        sign = *token.ptr == '+' ? 1 : -1;
        token = span_from(token, 1);
        r = read_histogram(p, &token, &more, &ignored);
    }
    if (r == 0)
        r = read_times(p, token, &times);
    for (uint64_t i = 0; i <= times && r == 0; i++) {
        r = add_point(p, (struct series_point){.present = true, .hint_written = hint_written, .histogram = h});
        if (r == 0 && more && i < times)
            r = grow(p, &h, more, sign);
    }
    return r;
}

int series_text_points(struct span text, struct arena *arena, struct series_point **ret, size_t *ret_n,
                       struct parse_error *ret_error)
{
    struct points p = {.text = text, .rest = text, .arena = arena, .error = ret_error};
    int r = 0;
    for (struct span token = next_token(&p); token.len && r == 0; token = r == 0 ? next_token(&p) : token) {
        uint64_t times = 0;
        if (*token.ptr == '_') {
            r = read_times(&p, span_from(token, 1), &times);
            for (uint64_t i = 0; i < (token.len == 1 ? 1 : times) && r == 0; i++)
                r = add_point(&p, (struct series_point){0});
        } else if (span_equal(token, SPAN("stale"))) {
            r = add_point(&p, (struct series_point){.present = true, .value = stale_marker()});
        } else if (*token.ptr == '{') {
            r = add_histograms(&p, token);
        } else {
            r = add_numbers(&p, token);
        }
    }
    if (r < 0)
        return r;
    *ret = p.list;
    *ret_n = p.n;
    return 0;
}
