/* histogram.c - operators, sums and averages of native histograms, and what is told when they do not go together. */
#include <errno.h>
#include <math.h>

#include "collector/promql/eval.h"

int warn_mixed_floats(struct eval *ev, const struct promql_expr *place, const struct labels *ls)
{
    return eval_warn(ev, place, "encountered a mix of histograms and floats for metric name \"" SPAN_FMT "\"",
                     SPAN_ARG(labels_get(ls, SPAN("__name__"))));
}

int warn_mixed_schemas(struct eval *ev, const struct promql_expr *place, const struct labels *ls)
{
    return eval_warn(ev, place,
                     "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
                     "\"" SPAN_FMT "\"",
                     SPAN_ARG(labels_get(ls, SPAN("__name__"))));
}

int histogram_scaled(struct arena *a, const struct native_histogram *h, double factor,
                     const struct native_histogram **ret)
{
    struct native_work w;
    int r = native_work_init(&w, a, h);
    if (r < 0)
        return r;
    native_work_scale(&w, factor);
    return native_work_give(&w, NATIVE_COMPACT, ret);
}

/* ---- operators ---- */

MUST_USE static int add_or_subtract(struct eval *ev, const struct promql_expr *e, struct arena *a,
                                    const struct native_histogram *left, const struct native_histogram *right,
                                    bool *ret_keep, const struct native_histogram **ret)
{
    bool add = e->binary.op == TOKEN_ADD;
    struct native_notes notes = {false, false};
    struct native_work w;
    int r = native_work_init(&w, a, left);
    if (r < 0)
        return r;
    r = native_work_add(&w, right, add ? 1 : -1, &notes);
    if (r == -EINVAL) {
        *ret_keep = false;
        return eval_warn(ev, e, "incompatible bucket layout encountered for binary operator %s", add ? "+" : "-");
    }
    if (r == 0 && notes.reconciled)
        r = eval_info(ev, e, "mismatched custom buckets were reconciled during %s", add ? "addition" : "subtraction");
    if (r == 0 && notes.collision) {
        *ret_keep = false;
        return eval_warn(ev, e, "conflicting counter resets during histogram %s", add ? "addition" : "subtraction");
    }
    if (!add)
        w.hint = HISTOGRAM_GAUGE; /* a difference may fall */
    return r < 0 ? r : native_work_give(&w, NATIVE_COMPACT, ret);
}

int histogram_operate(struct eval *ev, const struct promql_expr *e, struct arena *a,
                      const struct native_histogram *left_h, double left, const struct native_histogram *right_h,
                      double right, bool *ret_keep, const struct native_histogram **ret)
{
    enum token_type op = e->binary.op;
    struct native_work w;
    int r;
    *ret_keep = true;
    *ret = NULL;
    if (left_h && right_h) {
        if (op == TOKEN_ADD || op == TOKEN_SUB)
            return add_or_subtract(ev, e, a, left_h, right_h, ret_keep, ret);
        if (op == TOKEN_EQLC || op == TOKEN_NEQ) {
            *ret = left_h;
            *ret_keep = native_equal(left_h, right_h) == (op == TOKEN_EQLC);
            return 0;
        }
    } else if (op == TOKEN_MUL) {
        return histogram_scaled(a, left_h ? left_h : right_h, left_h ? right : left, ret);
    } else if (left_h && op == TOKEN_DIV) {
        if ((r = native_work_init(&w, a, left_h)) < 0)
            return r;
        native_work_divide(&w, right);
        return native_work_give(&w, NATIVE_COMPACT, ret);
    } else if (left_h && (op == TOKEN_TRIM_UPPER || op == TOKEN_TRIM_LOWER)) {
        return native_trim(a, left_h, right, op == TOKEN_TRIM_UPPER, ret);
    }
    *ret_keep = false;
    const char *spelling = token_spelling(op);
    r = eval_info(ev, e, "incompatible sample types encountered for binary operator \"%s\": %s %s %s", spelling,
                  left_h ? "histogram" : "float", spelling, right_h ? "histogram" : "float");
    return r < 0 ? r : HISTOGRAM_INCOMPATIBLE;
}

int histogram_between(struct eval *ev, const struct promql_expr *place, struct arena *a,
                      const struct native_histogram *before, int64_t before_ms, const struct native_histogram *behind,
                      int64_t behind_ms, int64_t time_ms, bool is_counter, const struct native_histogram **ret)
{
    double part = (double)(time_ms - before_ms) / (double)(behind_ms - before_ms);
    struct native_notes down = {false, false}, up = {false, false};
    struct native_work w;
    struct native_histogram *copy;
    bool reset = false;
    int r;
    if (time_ms == before_ms || time_ms == behind_ms) {
        if ((r = native_copy(a, time_ms == before_ms ? before : behind, &copy)) == 0)
            *ret = copy;
        return r;
    }
    if ((is_counter && (r = native_detect_reset(a, behind, before, &reset)) < 0) ||
        (r = native_work_init(&w, a, behind)) < 0)
        return r;
    if (reset) {
        if (native_is_custom(before) != native_is_custom(behind))
            return -EINVAL;
        native_work_scale(&w, part);
        return native_work_give(&w, NATIVE_PLAIN, ret);
    }
    if ((r = native_work_add(&w, before, -1, &down)) < 0)
        return r;
    native_work_scale(&w, part);
    if ((r = native_work_add(&w, before, 1, &up)) < 0)
        return r;
    if (down.reconciled &&
        (r = eval_info(ev, place, "mismatched custom buckets were reconciled during subtraction")) < 0)
        return r;
    if (up.reconciled && (r = eval_info(ev, place, "mismatched custom buckets were reconciled during addition")) < 0)
        return r;
    return native_work_give(&w, NATIVE_PLAIN, ret);
}

/* ---- sums and averages ---- */

#define SAFE_TO_ADD 8e307 /* two such numbers are no infinity yet */

/* Add h / n to the mean of those before. */
MUST_USE static int add_to_mean(struct histogram_mean *m, struct arena *scratch, const struct native_histogram *h,
                                struct native_notes *notes)
{
    struct native_work part;
    const struct native_histogram *share;
    int r = native_work_init(&part, scratch, h);
    if (r < 0)
        return r;
    native_work_divide(&part, m->n);
    if ((r = native_work_give(&part, NATIVE_PLAIN, &share)) < 0)
        return r;
    enum histogram_reset_hint hint = m->work.hint;
    native_work_scale(&m->work, (m->n - 1) / m->n);
    m->work.hint = hint;
    return native_work_add(&m->work, share, 1, notes);
}

MUST_USE static int add_one(struct histogram_mean *m, struct arena *scratch, const struct native_histogram *h,
                            struct native_notes *notes)
{
    if (m->incremental)
        return add_to_mean(m, scratch, h, notes);
    struct native_work other, trial;
    int r = 0;
    if (m->averages && (r = native_work_init(&other, scratch, h)) < 0)
        return r;
    if (m->averages && (native_work_reaches(&m->work, SAFE_TO_ADD) || native_work_reaches(&other, SAFE_TO_ADD))) {
        if ((r = native_work_copy(&m->work, scratch, &trial)) < 0 || (r = native_work_add(&trial, h, 1, notes)) < 0)
            return r;
        if (native_work_reaches(&trial, INFINITY)) { /* from here on the mean is kept, as floats have it */
            native_work_divide(&m->work, m->n - 1);
            m->incremental = true;
            return add_to_mean(m, scratch, h, notes);
        }
    }
    return native_work_add(&m->work, h, 1, notes);
}

int histogram_mean_add(struct histogram_mean *m, struct arena *a, struct arena *scratch,
                       const struct native_histogram *h)
{
    struct native_notes notes = {false, false};
    m->n++;
    if (m->incompatible)
        return 0;
    m->reset_seen |= h->hint == HISTOGRAM_RESET_YES;
    m->no_reset_seen |= h->hint == HISTOGRAM_RESET_NO;
    int r;
    if (m->n == 1) {
        struct native_histogram *copy; /* its bounds stay in use */
        if ((r = native_copy(a, h, &copy)) < 0)
            return r;
        return native_work_init(&m->work, a, copy);
    }
    m->work.scratch = scratch;
    r = add_one(m, scratch, h, &notes);
    m->work.scratch = NULL;
    m->reconciled |= notes.reconciled;
    m->incompatible = r == -EINVAL;
    return m->incompatible ? 0 : r;
}

int histogram_mean_give(struct histogram_mean *m, const struct native_histogram **ret)
{
    *ret = NULL;
    if (m->incompatible)
        return 0;
    if (m->averages && !m->incremental && m->n > 1) {
        enum histogram_reset_hint hint = m->work.hint;
        native_work_divide(&m->work, m->n);
        m->work.hint = hint;
    }
    return native_work_give(&m->work, NATIVE_COMPACT | NATIVE_EXACT, ret);
}

int histogram_mean_notes(struct eval *ev, const struct histogram_mean *m, const struct promql_expr *place)
{
    int r = 0;
    if (m->reset_seen && m->no_reset_seen)
        r = eval_warn(ev, place, "conflicting counter resets during histogram aggregation");
    if (r == 0 && m->reconciled)
        r = eval_info(ev, place, "mismatched custom buckets were reconciled during aggregation");
    return r;
}
