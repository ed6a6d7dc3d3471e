/* native_work.c - sums and differences of native histograms: sorted lists of buckets that are merged. */
#include <errno.h>
#include <math.h>

#include "lib/metric/native.h"

static inline void number_add(double *value, double *lost, double x)
{
    double t = *value + x;
    if (isinf(t))
        *lost = 0;
    else
        *lost += fabs(*value) >= fabs(x) ? (*value - t) + x : (x - t) + *value;
    *value = t;
}

/* ---- lists ---- */

MUST_USE static int list_room(struct arena *a, size_t n, struct native_list *ret)
{
    ret->index = arena_array(a, n, sizeof *ret->index);
    ret->count = arena_array(a, n, sizeof *ret->count);
    ret->lost = arena_array(a, n, sizeof *ret->lost);
    ret->n = 0;
    return ret->index && ret->count && ret->lost ? 0 : -ENOMEM;
}

static void list_put(struct native_list *l, int32_t index, double count, double lost)
{
    l->index[l->n] = index;
    l->count[l->n] = count;
    l->lost[l->n++] = lost;
}

MUST_USE static int list_of(struct arena *a, const struct histogram_span *spans, size_t n_spans, const double *counts,
                            size_t n, struct native_list *ret)
{
    int r = list_room(a, n, ret);
    int64_t index = 0;
    for (size_t i = 0; r == 0 && i < n_spans; i++) {
        index += spans[i].offset;
        for (uint32_t k = 0; k < spans[i].length && ret->n < n; k++)
            list_put(ret, (int32_t)index++, counts[ret->n], 0);
    }
    return r;
}

MUST_USE static int list_copy(struct arena *a, const struct native_list *l, struct native_list *ret)
{
    int r = list_room(a, l->n, ret);
    for (size_t i = 0; r == 0 && i < l->n; i++)
        list_put(ret, l->index[i], l->count[i], l->lost[i]);
    return r;
}

/* Buckets of `b` with a sign into those of *a. */
MUST_USE static int list_merge(struct arena *arena, struct native_list *a, const struct native_list *b, int sign)
{
    size_t more = 0, i = 0;
    for (size_t k = 0; k < b->n; k++) {
        while (i < a->n && a->index[i] < b->index[k])
            i++;
        more += i >= a->n || a->index[i] != b->index[k];
    }
    struct native_list out = *a;
    if (more) {
        int r = list_room(arena, a->n + more, &out);
        if (r < 0)
            return r;
    }
    size_t at = 0; /* of *a; without new buckets the result is made in place */
    for (size_t k = 0; more && (k < b->n || at < a->n);) {
        bool from_a = at < a->n && (k >= b->n || a->index[at] <= b->index[k]);
        bool both = from_a && k < b->n && a->index[at] == b->index[k];
        if (from_a) {
            list_put(&out, a->index[at], a->count[at], a->lost[at]);
            at++;
        } else {
            list_put(&out, b->index[k], sign * b->count[k], sign * b->lost[k]);
        }
        if (both) {
            number_add(&out.count[out.n - 1], &out.lost[out.n - 1], sign * b->count[k]);
            if (b->lost[k] != 0)
                number_add(&out.count[out.n - 1], &out.lost[out.n - 1], sign * b->lost[k]);
        }
        k += both || !from_a;
    }
    for (size_t k = 0; !more && k < b->n; k++) {
        while (out.index[at] < b->index[k])
            at++;
        number_add(&out.count[at], &out.lost[at], sign * b->count[k]);
        if (b->lost[k] != 0)
            number_add(&out.count[at], &out.lost[at], sign * b->lost[k]);
    }
    *a = out;
    return 0;
}

/* The same counts in buckets that are 2^steps times as wide. In place: the list only gets shorter. */
static void list_coarsen(struct native_list *l, int steps)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        int32_t index = (int32_t)((((int64_t)l->index[i] - 1) >> steps) + 1);
        if (n && l->index[n - 1] == index) {
            number_add(&l->count[n - 1], &l->lost[n - 1], l->count[i]);
            number_add(&l->count[n - 1], &l->lost[n - 1], l->lost[i]);
        } else {
            l->index[n] = index;
            l->count[n] = l->count[i];
            l->lost[n++] = l->lost[i];
        }
    }
    l->n = n;
}

/* ---- the whole ---- */

int native_work_init(struct native_work *w, struct arena *a, const struct native_histogram *h)
{
    *w = (struct native_work){.arena = a,
                              .schema = h->schema,
                              .hint = h->hint,
                              .zero_threshold = isnan(h->zero_threshold) ? 0 : h->zero_threshold,
                              .zero.value = h->zero_count,
                              .count.value = h->count,
                              .sum.value = h->sum,
                              .bounds = h->bounds,
                              .n_bounds = h->n_bounds};
    int r = list_of(a, h->positive_spans, h->n_positive_spans, h->positive, h->n_positive, &w->positive);
    if (r == 0)
        r = list_of(a, h->negative_spans, h->n_negative_spans, h->negative, h->n_negative, &w->negative);
    return r;
}

int native_work_copy(const struct native_work *w, struct arena *a, struct native_work *ret)
{
    struct native_work c = *w;
    c.arena = a;
    int r = list_copy(a, &w->positive, &c.positive);
    if (r == 0)
        r = list_copy(a, &w->negative, &c.negative);
    if (r == 0)
        *ret = c;
    return r;
}

int native_work_coarsen(struct native_work *w, int32_t schema)
{
    if (schema >= w->schema || w->schema == HISTOGRAM_CUSTOM_SCHEMA || schema == HISTOGRAM_CUSTOM_SCHEMA)
        return 0;
    list_coarsen(&w->positive, w->schema - schema);
    list_coarsen(&w->negative, w->schema - schema);
    w->schema = schema;
    return 0;
}

static double bound_of(const struct native_work *w, int64_t index)
{
    return native_bound(&(struct native_histogram){.schema = w->schema}, index);
}

/* What the zero bucket would hold if it were as wide as *threshold, which is moved on to the end of a bucket that it would
 * cut. The buckets themselves stay. */
static struct native_number wider_zero(const struct native_work *w, double *threshold)
{
    const struct native_list *sides[2] = {&w->positive, &w->negative};
    for (;;) {
        struct native_number zero = w->zero;
        double before = *threshold;
        for (size_t side = 0; side < 2; side++)
            for (size_t i = 0; i < sides[side]->n; i++) {
                const struct native_list *l = sides[side];
                if (bound_of(w, (int64_t)l->index[i] - 1) >= *threshold)
                    break;
                number_add(&zero.value, &zero.lost, l->count[i]);
                number_add(&zero.value, &zero.lost, l->lost[i]);
                if (bound_of(w, l->index[i]) > *threshold) {
                    if (l->count[i] != 0)
                        *threshold = bound_of(w, l->index[i]);
                    break;
                }
            }
        if (*threshold == before) /* else the other side may have more to give */
            return zero;
    }
}

/* Take the buckets away that lie in the zero bucket. */
static void drop_inside_zero(struct native_work *w, struct native_list *l)
{
    size_t first = 0;
    while (first < l->n && bound_of(w, (int64_t)l->index[first] - 1) < w->zero_threshold)
        first++;
    l->index += first;
    l->count += first;
    l->lost += first;
    l->n -= first;
}

static void widen_zero(struct native_work *w, double threshold)
{
    w->zero = wider_zero(w, &threshold);
    w->zero_threshold = threshold;
    drop_inside_zero(w, &w->positive);
    drop_inside_zero(w, &w->negative);
}

/* ---- custom bounds ---- */

static bool same_bounds(const double *a, size_t n_a, const double *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* The bounds that both have. */
MUST_USE static int common_bounds(struct arena *a, const struct native_work *x, const struct native_work *y,
                                  const double **ret, size_t *ret_n)
{
    double *out = arena_array(a, x->n_bounds < y->n_bounds ? x->n_bounds : y->n_bounds, sizeof *out);
    size_t n = 0;
    if (!out)
        return -ENOMEM;
    for (size_t i = 0, k = 0; i < x->n_bounds && k < y->n_bounds;) {
        if (x->bounds[i] == y->bounds[k]) {
            out[n++] = x->bounds[i++];
            k++;
        } else if (x->bounds[i] < y->bounds[k]) {
            i++;
        } else {
            k++;
        }
    }
    *ret = out;
    *ret_n = n;
    return 0;
}

/* Put the buckets between the new bounds, a subset of the old ones. In place. */
static void rebound(struct native_work *w, const double *bounds, size_t n_bounds)
{
    struct native_list *l = &w->positive;
    size_t n = 0, to = 0;
    for (size_t i = 0; i < l->n; i++) {
        bool last = l->index[i] < 0 || (size_t)l->index[i] >= w->n_bounds;
        while (to < n_bounds && (last || bounds[to] < w->bounds[l->index[i]]))
            to++;
        if (n && l->index[n - 1] == (int32_t)to) {
            number_add(&l->count[n - 1], &l->lost[n - 1], l->count[i]);
            number_add(&l->count[n - 1], &l->lost[n - 1], l->lost[i]);
        } else {
            l->index[n] = (int32_t)to;
            l->count[n] = l->count[i];
            l->lost[n++] = l->lost[i];
        }
    }
    l->n = n;
    w->bounds = bounds;
    w->n_bounds = n_bounds;
}

/* ---- adding ---- */

/* true: the two hints contradict each other. A gauge stays one, what is not known stays not known. */
static bool join_hints(enum histogram_reset_hint *hint, enum histogram_reset_hint other)
{
    if (other == *hint || *hint == HISTOGRAM_GAUGE)
        return false;
    if (other == HISTOGRAM_GAUGE) {
        *hint = HISTOGRAM_GAUGE;
        return false;
    }
    bool contradiction = *hint != HISTOGRAM_RESET_UNKNOWN && other != HISTOGRAM_RESET_UNKNOWN;
    *hint = HISTOGRAM_RESET_UNKNOWN;
    return contradiction;
}

int native_work_add(struct native_work *w, const struct native_histogram *other, int sign, struct native_notes *notes)
{
    bool custom = native_is_custom(other);
    if ((w->schema == HISTOGRAM_CUSTOM_SCHEMA) != custom)
        return -EINVAL;
    struct native_work o;
    int r = native_work_init(&o, w->scratch ? w->scratch : w->arena, other);
    if (r < 0)
        return r;
    if (custom && !same_bounds(w->bounds, w->n_bounds, o.bounds, o.n_bounds)) {
        const double *bounds;
        size_t n;
        if ((r = common_bounds(w->arena, w, &o, &bounds, &n)) < 0)
            return r;
        rebound(w, bounds, n);
        rebound(&o, bounds, n);
        notes->reconciled = true;
    }
    while (!custom && w->zero_threshold != o.zero_threshold) {
        if (w->zero_threshold > o.zero_threshold)
            widen_zero(&o, w->zero_threshold);
        else
            widen_zero(w, o.zero_threshold);
    }
    if ((r = native_work_coarsen(&o, w->schema)) < 0 || (r = native_work_coarsen(w, o.schema)) < 0 ||
        (r = list_merge(w->arena, &w->positive, &o.positive, sign)) < 0 ||
        (r = list_merge(w->arena, &w->negative, &o.negative, sign)) < 0)
        return r;
    notes->collision |= join_hints(&w->hint, o.hint);
    if (!custom) {
        number_add(&w->zero.value, &w->zero.lost, sign * o.zero.value);
        number_add(&w->zero.value, &w->zero.lost, sign * o.zero.lost);
    }
    number_add(&w->count.value, &w->count.lost, sign * o.count.value);
    number_add(&w->sum.value, &w->sum.lost, sign * o.sum.value);
    return 0;
}

static void multiply(struct native_work *w, double factor, bool divide)
{
    struct native_number *numbers[3] = {&w->zero, &w->count, &w->sum};
    struct native_list *sides[2] = {&w->positive, &w->negative};
    for (size_t i = 0; i < 3; i++) {
        numbers[i]->value = divide ? numbers[i]->value / factor : numbers[i]->value * factor;
        numbers[i]->lost = divide ? numbers[i]->lost / factor : numbers[i]->lost * factor;
    }
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < sides[side]->n; i++) {
            double *count = &sides[side]->count[i], *lost = &sides[side]->lost[i];
            *count = divide ? *count / factor : *count * factor;
            *lost = divide ? *lost / factor : *lost * factor;
        }
    if (factor < 0)
        w->hint = HISTOGRAM_GAUGE;
}

void native_work_scale(struct native_work *w, double factor)
{
    multiply(w, factor, false);
}

void native_work_divide(struct native_work *w, double divisor)
{
    if (divisor == 0) {
        w->positive.n = w->negative.n = 0;
        w->zero.lost = w->count.lost = w->sum.lost = 0;
    }
    multiply(w, divisor, true);
    if (divisor == 0)
        w->zero.lost = w->count.lost = w->sum.lost = 0;
}

bool native_work_reaches(const struct native_work *w, double limit)
{
    const struct native_list *sides[2] = {&w->positive, &w->negative};
    bool any = fabs(w->zero.value) >= limit || fabs(w->count.value) >= limit || fabs(w->sum.value) >= limit;
    for (size_t side = 0; !any && side < 2; side++)
        for (size_t i = 0; !any && i < sides[side]->n; i++)
            any = fabs(sides[side]->count[i]) >= limit;
    return any;
}

/* ---- the result ---- */

static double finished(double value, double lost, unsigned finish)
{
    return finish & NATIVE_EXACT && !isinf(value) ? value + lost : value;
}

MUST_USE static int give_side(struct arena *a, const struct native_list *l, unsigned finish,
                              struct histogram_span **ret_spans, size_t *ret_n_spans, double **ret_counts,
                              size_t *ret_n)
{
    struct histogram_span *spans = arena_array(a, l->n, sizeof *spans);
    double *counts = arena_array(a, l->n, sizeof *counts);
    size_t n_spans = 0, n = 0;
    int64_t behind = 0; /* the index after the last bucket */
    if (!spans || !counts)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        double count = finished(l->count[i], l->lost[i], finish);
        if (finish & NATIVE_COMPACT && count == 0)
            continue;
        if (n == 0 || l->index[i] != behind)
            spans[n_spans++] = (struct histogram_span){(int32_t)(l->index[i] - (n ? behind : 0)), 0};
        spans[n_spans - 1].length++;
        counts[n++] = count;
        behind = (int64_t)l->index[i] + 1;
    }
    *ret_spans = spans;
    *ret_n_spans = n_spans;
    *ret_counts = counts;
    *ret_n = n;
    return 0;
}

int native_work_give(const struct native_work *w, unsigned finish, const struct native_histogram **ret)
{
    struct native_histogram *h = arena_alloc(w->arena, sizeof *h);
    double *bounds = arena_array(w->arena, w->n_bounds, sizeof *bounds);
    if (!h || !bounds)
        return -ENOMEM;
    *h = (struct native_histogram){.schema = w->schema,
                                   .is_float = true,
                                   .hint = w->hint,
                                   .zero_threshold = w->zero_threshold,
                                   .zero_count = finished(w->zero.value, w->zero.lost, finish),
                                   .count = finished(w->count.value, w->count.lost, finish),
                                   .sum = finished(w->sum.value, w->sum.lost, finish),
                                   .bounds = bounds,
                                   .n_bounds = w->n_bounds};
    if (w->n_bounds)
        memcpy(bounds, w->bounds, w->n_bounds * sizeof *bounds);
    int r = give_side(w->arena, &w->positive, finish, &h->positive_spans, &h->n_positive_spans, &h->positive,
                      &h->n_positive);
    if (r == 0)
        r = give_side(w->arena, &w->negative, finish, &h->negative_spans, &h->n_negative_spans, &h->negative,
                      &h->n_negative);
    if (r == 0)
        *ret = h;
    return r;
}

/* ---- resets ---- */

/* Has a bucket of `before` more than the same bucket of `now`? Both lists have the same layout. */
static bool some_fell(const struct native_list *now, const struct native_list *before)
{
    size_t at = 0;
    for (size_t i = 0; i < before->n; i++) {
        while (at < now->n && now->index[at] < before->index[i])
            at++;
        bool missing = at >= now->n || now->index[at] != before->index[i];
        if (missing ? before->count[i] != 0 : now->count[at] < before->count[i])
            return true;
    }
    return false;
}

int native_detect_reset(struct arena *a, const struct native_histogram *now, const struct native_histogram *before,
                        bool *ret)
{
    *ret = true;
    if (now->hint == HISTOGRAM_RESET_YES)
        return 0;
    *ret = false;
    if (now->hint == HISTOGRAM_RESET_NO)
        return 0;
    *ret = true;
    if (now->count < before->count)
        return 0;
    bool custom = native_is_custom(now);
    if (custom && !native_is_custom(before))
        return 0;
    if (!custom && (now->schema > before->schema || now->zero_threshold < before->zero_threshold))
        return 0; /* also where `before` has custom buckets: its schema is below all others */
    struct native_work x, y;
    int r = native_work_init(&x, a, now);
    if (r < 0 || (r = native_work_init(&y, a, before)) < 0)
        return r;
    if (custom) {
        if (!same_bounds(x.bounds, x.n_bounds, y.bounds, y.n_bounds)) {
            const double *bounds;
            size_t n;
            if ((r = common_bounds(a, &x, &y, &bounds, &n)) < 0)
                return r;
            rebound(&x, bounds, n);
            rebound(&y, bounds, n);
        }
        *ret = some_fell(&x.positive, &y.positive);
        return 0;
    }
    if (y.zero_threshold < x.zero_threshold)
        widen_zero(&y, x.zero_threshold);
    if (y.zero_threshold != x.zero_threshold || x.zero.value < y.zero.value)
        return 0;
    if ((r = native_work_coarsen(&y, x.schema)) < 0)
        return r;
    *ret = some_fell(&x.positive, &y.positive) || some_fell(&x.negative, &y.negative);
    return 0;
}
