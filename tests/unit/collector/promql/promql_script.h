/* promql_script.h - the language of the PromQL test scripts: lines of series with their points, floats and histograms.
 * What it says is in conformance/README.md. For tests: a line that it cannot read fails the test. */
#pragma once

#include "tests/support/check.h"

#include <math.h>

#include "collector/promql/promql.h"
#include "lib/base/number.h"
#include "lib/metric/native.h"

#define POINTS_MAX 20000

/* ---- values as the scripts write them ---- */

struct point {
    bool present, hint_written;
    double value;
    const struct native_histogram *histogram; /* NULL: the value counts */
};
struct line { /* labels and points of a load or of an expectation */
    struct labels labels;
    struct point *points;
    size_t n;
    bool start_stamps;
};
struct script {
    struct span *lines; /* trimmed, comments emptied */
    size_t n;
    const char *file;
};
static bool parse_seconds(struct span s, double *ret)
{
    bool negative = s.len && s.ptr[0] == '-';
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = span_from(s, 1);
    int64_t ms;
    double v;
    if (parse_f64_span(s, &v) == 0)
        ;
    else if (parse_duration_ms(s, &ms) == 0)
        v = (double)ms / 1000.0;
    else
        return false;
    *ret = negative ? -v : v;
    return true;
}

static int64_t time_ms(struct span s)
{
    double v;
    if (!parse_seconds(s, &v))
        check_failed("not a time: " SPAN_FMT, SPAN_ARG(s));
    return (int64_t)llround(v * 1000);
}

/* The next blank-separated piece; {{...}} is one with what follows it. */
static struct span next_token(struct span *rest)
{
    *rest = span_trim(*rest);
    size_t n = 0;
    unsigned braces = 0;
    while (n < rest->len && (braces || (rest->ptr[n] != ' ' && rest->ptr[n] != '\t'))) {
        if (rest->ptr[n] == '{')
            braces++;
        else if (rest->ptr[n] == '}' && braces)
            braces--;
        n++;
    }
    struct span token = span_of(rest->ptr, n);
    *rest = span_from(*rest, n);
    return token;
}

/* Where the number at the start of s ends: [+-](digits . digits e digits | Inf | NaN | duration units). */
static size_t number_end(struct span s, bool stamps)
{
    size_t n = s.len && (s.ptr[0] == '+' || s.ptr[0] == '-') ? 1 : 0;
    struct span word = span_from(s, n);
    if (word.len >= 3 &&
        (span_equal_nocase(span_of(word.ptr, 3), SPAN("inf")) || span_equal_nocase(span_of(word.ptr, 3), SPAN("nan"))))
        return n + 3;
    for (; n < s.len; n++) {
        char c = s.ptr[n];
        bool exponent = (c == 'e' || c == 'E') && !stamps;
        if ((c >= '0' && c <= '9') || c == '.' || (stamps && strchr("msh", c)))
            continue;
        if (!exponent)
            break;
        if (n + 1 < s.len && (s.ptr[n + 1] == '+' || s.ptr[n + 1] == '-'))
            n++;
    }
    return n;
}

static void add_point(struct line *l, struct point p)
{
    if (l->n >= POINTS_MAX)
        check_failed("too many points");
    l->points[l->n++] = p;
}

/* ---- histograms: {{schema:0 sum:5 count:4 buckets:[1 2 1]}} ---- */

static size_t parse_list(struct arena *a, struct span *rest, double **ret)
{
    struct span inside;
    *rest = span_from(*rest, 1);
    if (!span_cut(rest, ']', &inside))
        check_failed("a list without end");
    double *list = arena_array(a, inside.len + 1, sizeof *list);
    size_t n = 0;
    for (inside = span_trim(inside); inside.len; inside = span_trim(inside))
        if (!parse_seconds(next_token(&inside), &list[n++]))
            check_failed("not a number in a list");
    *ret = list;
    return n;
}

static void one_span(struct arena *a, double offset, size_t n, struct histogram_span **ret, size_t *ret_n)
{
    *ret = arena_array(a, 1, sizeof **ret);
    **ret = (struct histogram_span){(int32_t)offset, (uint32_t)n};
    *ret_n = n > 0;
}

/* The text between the double braces. */
static struct native_histogram *parse_histogram(struct arena *a, struct span text, bool *ret_hint_written)
{
    struct native_histogram *h = arena_alloc(a, sizeof *h);
    double offset = 0, n_offset = 0, schema = 0;
    struct {
        struct span name;
        double *number;
    } const numbers[] = {{SPAN("schema"), &schema},    {SPAN("sum"), &h->sum},
                         {SPAN("count"), &h->count},   {SPAN("z_bucket"), &h->zero_count},
                         {SPAN("offset"), &offset},    {SPAN("z_bucket_w"), &h->zero_threshold},
                         {SPAN("n_offset"), &n_offset}};
    static const char *const HINTS[] = {"unknown", "reset", "not_reset", "gauge"};
    *ret_hint_written = false;
    h->is_float = true;
    for (text = span_trim(text); text.len; text = span_trim(text)) {
        struct span name;
        if (!span_cut(&text, ':', &name))
            check_failed("not a histogram");
        if (span_equal(name, SPAN("buckets"))) {
            h->n_positive = parse_list(a, &text, &h->positive);
        } else if (span_equal(name, SPAN("n_buckets"))) {
            h->n_negative = parse_list(a, &text, &h->negative);
        } else if (span_equal(name, SPAN("custom_values"))) {
            h->n_bounds = parse_list(a, &text, &h->bounds);
        } else if (span_equal(name, SPAN("counter_reset_hint"))) {
            struct span hint = next_token(&text);
            for (size_t i = 0; i < ARRAY_LEN(HINTS); i++)
                if (span_equal(hint, span_str(HINTS[i])))
                    h->hint = (enum histogram_reset_hint)i;
            *ret_hint_written = true;
        } else {
            struct span number = next_token(&text);
            size_t i = 0;
            while (i < ARRAY_LEN(numbers) && !span_equal(numbers[i].name, name))
                i++;
            if (i == ARRAY_LEN(numbers) || !parse_seconds(number, numbers[i].number))
                check_failed("not a histogram's part: " SPAN_FMT, SPAN_ARG(name));
        }
    }
    h->schema = (int32_t)schema;
    one_span(a, offset, h->n_positive, &h->positive_spans, &h->n_positive_spans);
    one_span(a, n_offset, h->n_negative, &h->negative_spans, &h->n_negative_spans);
    return h;
}

/* {{...}}, {{...}}x5, {{...}}+{{...}}x5 */
static void add_histograms(struct arena *a, struct line *l, struct span token)
{
    static const struct span CLOSE = SPAN_INIT("}}");
    uint64_t times = 0;
    int sign = 0;
    bool hint_written, other_hint;
    size_t end = span_search(token, CLOSE);
    const struct native_histogram *h = parse_histogram(a, span_of(token.ptr + 2, end - 2), &hint_written), *more = NULL;
    struct span rest = span_from(token, end + 2);
    if (rest.len && (rest.ptr[0] == '+' || rest.ptr[0] == '-')) {
        sign = rest.ptr[0] == '+' ? 1 : -1;
        end = span_search(rest, CLOSE);
        more = parse_histogram(a, span_of(rest.ptr + 3, end - 3), &other_hint);
        rest = span_from(rest, end + 2);
    }
    if (rest.len)
        check_ok(parse_u64_span(span_from(rest, 1), POINTS_MAX, &times));
    for (uint64_t i = 0; i <= times; i++) {
        add_point(l, (struct point){.present = true, .hint_written = hint_written, .histogram = h});
        if (!more || i == times)
            continue;
        struct native_notes notes = {false, false};
        struct native_work w;
        check_ok(native_work_init(&w, a, h));
        check_ok(native_work_add(&w, more, sign, &notes));
        check_ok(native_work_give(&w, NATIVE_PLAIN, &h));
    }
}

static void add_points(struct arena *a, struct line *l, struct span token)
{
    if (span_starts(token, SPAN("{{"))) {
        add_histograms(a, l, token);
        return;
    }
    uint64_t times = 0;
    if (token.ptr[0] == '_') {
        if (token.len > 1)
            check_ok(parse_u64_span(span_from(token, 2), POINTS_MAX, &times));
        for (uint64_t i = 0; i < (times ? times : 1); i++)
            add_point(l, (struct point){0});
        return;
    }
    if (span_equal(token, SPAN("stale"))) {
        add_point(l, (struct point){.present = true, .value = stale_marker()});
        return;
    }
    size_t n = number_end(token, l->start_stamps);
    double first, growth = 0;
    if (!parse_seconds(span_of(token.ptr, n), &first))
        check_failed("not a value: " SPAN_FMT, SPAN_ARG(token));
    struct span rest = span_from(token, n);
    if (rest.len && rest.ptr[0] != 'x') {
        n = number_end(rest, l->start_stamps);
        if (!parse_seconds(span_of(rest.ptr, n), &growth))
            check_failed("not a value: " SPAN_FMT, SPAN_ARG(token));
        rest = span_from(rest, n);
    }
    if (rest.len)
        check_ok(parse_u64_span(span_from(rest, 1), POINTS_MAX, &times));
    for (uint64_t i = 0; i <= times; i++) {
        add_point(l, (struct point){.present = true, .value = first});
        first += growth;
    }
}

/* name{a="b"} or {a="b"}: its end in s. */
static size_t metric_end(struct span s)
{
    char quote = 0;
    bool braces = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '{') {
            if (!braces && i + 1 < s.len && s.ptr[i + 1] == '{')
                return i;
            braces = true;
        } else if (c == '}') {
            return i + 1;
        } else if (!braces && (c == ' ' || c == '\t' || c == '@')) {
            return i;
        }
    }
    return s.len;
}

static void parse_line(struct arena *a, struct span text, struct line *ret)
{
    static struct point points[POINTS_MAX];
    size_t end = metric_end(text);
    struct matcher *ms;
    size_t n;
    struct parse_error error;
    if (promql_parse_selector(span_of(text.ptr, end), a, &ms, &n, &error) < 0)
        check_failed("not a series: " SPAN_FMT ": %s", SPAN_ARG(text), error.text);
    struct label_builder b;
    label_builder_init(&b, a);
    for (size_t i = 0; i < n; i++) {
        label_builder_set(&b, ms[i].name, ms[i].value);
        matcher_done(&ms[i]);
    }
    *ret = (struct line){.points = points};
    check_ok(label_builder_finish(&b, &ret->labels));
    struct span rest = span_from(text, end);
    if (span_starts(rest, SPAN("@st"))) {
        ret->start_stamps = true;
        rest = span_from(rest, 3);
    }
    for (rest = span_trim(rest); rest.len; rest = span_trim(rest))
        add_points(a, ret, next_token(&rest));
    ret->points = arena_array(a, ret->n, sizeof *points);
    assert_non_null(ret->points);
    memcpy(ret->points, points, ret->n * sizeof *points);
}
