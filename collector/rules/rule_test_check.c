#include "collector/rules/rule_test_check.h"

#include <errno.h>

#include "collector/template/go_format.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"
#include "lib/metric/native.h"

/* ---- alerts ---- */
static int by_alert(const void *left, const void *right)
{
    const struct test_alert *a = left, *b = right;
    int c = labels_compare(&a->labels, &b->labels);
    return c ? c : labels_compare(&a->annotations, &b->annotations);
}

MUST_USE static int firing(struct test_bench *b, struct span name, struct test_alert **ret, size_t *ret_n)
{
    size_t cap = 0, n = 0;
    struct rules *ru = b->rules;
    for (int pass = 0; pass < 2; pass++) {
        struct test_alert *list = pass ? arena_array(&b->arena, cap, sizeof *list) : NULL;
        if (pass && !list)
            return -ENOMEM;
        for (size_t g = 0; g < ru->n_groups; g++)
            for (size_t i = 0; i < ru->groups[g].def->n_rules; i++) {
                struct rule *r = &ru->groups[g].rules[i];
                size_t at = 0;
                struct span key;
                void *value;
                if (r->def->kind != RULE_ALERT || !span_equal(r->def->name, name))
                    continue;
                while (strmap_next(&r->active, &at, &key, &value)) {
                    const struct active_alert *a = value;
                    if (a->phase == ALERT_FIRING && pass)
                        list[n++] = (struct test_alert){a->labels->labels, a->annotations->labels};
                    cap += a->phase == ALERT_FIRING && !pass;
                }
            }
        *ret = list;
    }
    *ret_n = n;
    return 0;
}

static void write_alerts(struct buf *out, const struct test_alert *list, size_t n)
{
    buf_str(out, n ? "[" : "[]");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s\n            %zu:\n              Labels:", i ? "," : "", i);
        labels_format(out, &list[i].labels);
        buf_str(out, "\n              Annotations:");
        labels_format(out, &list[i].annotations);
    }
    if (n)
        buf_str(out, "\n            ]");
}

int test_check_alerts(struct test_bench *b, const struct test_alert_case *c)
{
    struct test_alert *got;
    size_t n = 0;
    int r = firing(b, span_str(c->alertname), &got, &n);
    if (r < 0)
        return r;
    if (n)
        qsort(got, n, sizeof *got, by_alert);
    if (c->n)
        qsort(c->expected, c->n, sizeof *c->expected, by_alert);
    bool same = n == c->n;
    for (size_t i = 0; i < n && same; i++)
        same = by_alert(&got[i], &c->expected[i]) == 0;
    if (same)
        return 0;
    char at[NUMBER_TEXT_MAX];
    format_duration_ms(at, c->eval_ms);
    buf_printf(&b->failures, "    alertname: %s, time: %s, \n        exp:", c->alertname, at);
    write_alerts(&b->failures, c->expected, c->n);
    buf_str(&b->failures, ", \n        got:");
    write_alerts(&b->failures, got, n);
    buf_char(&b->failures, '\n');
    return 0;
}

/* ---- expressions ---- */
struct got_sample {
    struct labels labels;
    double value;
    const struct native_histogram *histogram;
};

static int by_expected(const void *a, const void *b)
{
    return labels_compare(&((const struct test_sample *)a)->labels, &((const struct test_sample *)b)->labels);
}
static int by_got(const void *a, const void *b)
{
    return labels_compare(&((const struct got_sample *)a)->labels, &((const struct got_sample *)b)->labels);
}

/* fuzzy: the next double is as good. A NaN equals nothing, as in promtool. */
static bool same_value(double x, double y, bool fuzzy)
{
    return x == y || (fuzzy && (nextafter(x, -INFINITY) == y || nextafter(x, INFINITY) == y));
}

MUST_USE static int compact(struct arena *a, const struct native_histogram *h, const struct native_histogram **ret)
{
    struct native_work w;
    int r = native_work_init(&w, a, h);
    return r < 0 ? r : native_work_give(&w, NATIVE_COMPACT, ret);
}

/* 1, 0 or -ENOMEM. */
static int same_sample(struct test_bench *b, const struct test_sample *expected, const struct got_sample *got)
{
    if (!labels_equal(&expected->labels, &got->labels) || !expected->histogram != !got->histogram)
        return 0;
    if (!got->histogram)
        return same_value(expected->value, got->value, b->file->fuzzy);
    const struct native_histogram *x, *y;
    int r = compact(&b->arena, expected->histogram->histogram, &x);
    if (r == 0)
        r = compact(&b->arena, got->histogram, &y);
    if (r < 0)
        return r;
    bool hints = !expected->histogram->hint_written || expected->histogram->histogram->hint == got->histogram->hint;
    return hints && native_equal(x, y);
}

MUST_USE static int write_sample(struct test_bench *b, const struct labels *labels, double v,
                                 const struct native_histogram *h)
{
    struct buf number;
    labels_format(&b->failures, labels);
    buf_char(&b->failures, ' ');
    if (h)
        return native_format(&b->arena, h, &b->failures);
    buf_init(&number, 64);
    go_float(&number, v, 'e', -1);
    for (size_t i = 0; i < number.len; i++)
        buf_char(&b->failures, number.data[i] == 'e' ? 'E' : number.data[i]);
    buf_done(&number);
    return 0;
}

MUST_USE static int tell_difference(struct test_bench *b, const struct test_sample *expected, size_t n_expected,
                                    const struct got_sample *got, size_t n_got)
{
    int r = 0;
    buf_str(&b->failures, n_expected ? "\n        exp: " : "\n        exp: nil");
    for (size_t i = 0; i < n_expected && r == 0; i++) {
        buf_str(&b->failures, i ? ", " : "");
        r = write_sample(b, &expected[i].labels, expected[i].value,
                         expected[i].histogram ? expected[i].histogram->histogram : NULL);
    }
    buf_str(&b->failures, n_got ? "\n        got: " : "\n        got: nil");
    for (size_t i = 0; i < n_got && r == 0; i++) {
        buf_str(&b->failures, i ? ", " : "");
        r = write_sample(b, &got[i].labels, got[i].value, got[i].histogram);
    }
    buf_char(&b->failures, '\n');
    return r;
}

static void begin_failure(struct test_bench *b, const struct test_expr_case *c)
{
    char at[NUMBER_TEXT_MAX];
    format_duration_ms(at, c->eval_ms);
    buf_str(&b->failures, "    expr: ");
    quote_go(&b->failures, span_str(c->expr));
    buf_printf(&b->failures, ", time: %s,", at);
}

MUST_USE static int compare(struct test_bench *b, const struct test_expr_case *c, const struct promql_result *result)
{
    struct test_sample *expected;
    size_t n_expected = 0, n = 0;
    char *why = NULL;
    int r = test_samples_read(c->samples, &b->arena, &expected, &n_expected, &why);
    if (r == -EINVAL) {
        begin_failure(b, c);
        buf_printf(&b->failures, " err: %s\n", why);
        return 0;
    }
    struct got_sample *got = r < 0 ? NULL : arena_array(&b->arena, result->n_series, sizeof *got);
    if (!got)
        return -ENOMEM;
    for (size_t i = 0; i < result->n_series; i++)
        if (result->series[i].present[0])
            got[n++] = (struct got_sample){result->series[i].labels, result->series[i].values[0],
                                           result->series[i].histograms ? result->series[i].histograms[0] : NULL};
    if (n_expected)
        qsort(expected, n_expected, sizeof *expected, by_expected);
    if (n)
        qsort(got, n, sizeof *got, by_got);
    int same = n == n_expected;
    for (size_t i = 0; i < n && same > 0; i++)
        same = same_sample(b, &expected[i], &got[i]);
    if (same != 0)
        return same < 0 ? same : 0;
    begin_failure(b, c);
    return tell_difference(b, expected, n_expected, got, n);
}

int test_check_expr(struct test_bench *b, const struct test_expr_case *c)
{
    int64_t t_ms = b->group->start_ms + c->eval_ms;
    struct promql_result *result = NULL;
    struct promql_error error;
    int r = query_run(b->query, &(struct query_request){.text = span_str(c->expr), .start_ms = t_ms, .end_ms = t_ms},
                      &result, &error);
    if (r == 0 && result->type != PROMQL_VECTOR && result->type != PROMQL_SCALAR) {
        snprintf(error.text, sizeof error.text, "rule result is not a vector or scalar");
        promql_result_free(result);
        r = -EINVAL;
    }
    if (r < 0) {
        begin_failure(b, c);
        buf_printf(&b->failures, " err: %s\n", error.text);
        return 0;
    }
    r = compare(b, c, result);
    promql_result_free(result);
    return r;
}
