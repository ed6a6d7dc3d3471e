#include "collector/store/rollup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/metric/sample.h"

void rollup_list_clear(struct rollup_list *l)
{
    l->n = 0;
    l->integers = true;
}

void rollup_list_done(struct rollup_list *l)
{
    free(l->rollups);
    *l = (struct rollup_list){0};
}

int rollup_end_of(int64_t t_ms, int64_t length_ms, int64_t *ret_end_ms)
{
    int64_t into = t_ms % length_ms, end_ms;
    into += into < 0 ? length_ms : 0;
    if (__builtin_add_overflow(t_ms, into ? length_ms - into : 0, &end_ms) || end_ms < INT64_MIN + length_ms)
        return -ERANGE;
    *ret_end_ms = end_ms;
    return 0;
}

bool rollup_is_integer(double value)
{
    return fabs(value) <= ROLLUP_EXACT_MAX && value == trunc(value) && !(value == 0 && signbit(value));
}

double rollup_bound(uint32_t count, double min, double max)
{
    double low = fabs(min), high = fabs(max);
    return (double)count * (low > high ? low : high);
}

static int make_room(struct rollup_list *l)
{
    if (l->n < l->cap)
        return 0;
    size_t cap = l->cap ? l->cap * 2 : 32;
    struct rollup *rollups = realloc(l->rollups, cap * sizeof *rollups);
    if (!rollups)
        return -ENOMEM;
    l->rollups = rollups;
    l->cap = cap;
    return 0;
}

int rollup_list_take(struct rollup_list *l, const struct rollup *rollup)
{
    int r = make_room(l);
    if (r == 0)
        l->rollups[l->n++] = *rollup;
    return r;
}

/* NaN gives way to any number; of two NaN the last stands, as of equal numbers. */
static bool is_better(double than, double value, bool max)
{
    if (isnan(value) || isnan(than))
        return isnan(than);
    return max ? than <= value : than >= value;
}

static void add_to(struct rollup_list *l, struct rollup *b, int64_t t_ms, double value)
{
    if (value < b->last)
        b->lost += b->last;
    if (is_better(b->min, value, false))
        b->min = value;
    if (is_better(b->max, value, true))
        b->max = value;
    kahan_add(&l->sum, value);
    b->sum = kahan_value(&l->sum);
    b->last = value;
    b->last_ms = t_ms;
    b->count++;
    l->integers = l->integers && rollup_is_integer(value) && rollup_bound(b->count, b->min, b->max) <= ROLLUP_EXACT_MAX;
}

int rollup_list_add(struct rollup_list *l, int64_t length_ms, int64_t t_ms, double value)
{
    int64_t end_ms;
    if (is_stale(value))
        return 0;
    int r = rollup_end_of(t_ms, length_ms, &end_ms);
    if (r < 0)
        return r;
    if (l->n == 0 || l->rollups[l->n - 1].end_ms != end_ms) {
        r = rollup_list_take(
            l, &(struct rollup){
                   .end_ms = end_ms, .first_ms = t_ms, .first = value, .last = value, .min = value, .max = value});
        if (r < 0)
            return r;
        l->sum = (struct kahan){0};
    }
    add_to(l, &l->rollups[l->n - 1], t_ms, value);
    return 0;
}
