/* native_trim.c - what is left of a native histogram below or above a limit (the operators </ and >/).
 *
 * A bucket that the limit cuts keeps its share: linear with custom bounds and in the zero bucket, else exponential. Of a
 * bucket that reaches to infinity nothing is known; it is kept or goes as a whole. */
#include <errno.h>
#include <math.h>

#include "lib/metric/native.h"

struct kept { /* of one bucket */
    double count, middle;
};

/* The value that stands for all between the two. */
static double middle_of(double lower, double upper, bool custom)
{
    if (isinf(lower) && isinf(upper))
        return 0;
    if (isinf(lower))
        return upper > 0 ? upper / 2 : upper;
    if (isinf(upper))
        return lower;
    if (custom)
        return (lower + upper) / 2;
    double middle = sqrt(fabs(lower * upper));
    return upper > 0 ? middle : -middle;
}

static struct kept cut_infinite(const struct native_bucket *b, double limit, bool keep_below)
{
    if (b->upper < INFINITY && b->lower == -INFINITY) { /* an upper bound above 0 lets it start at 0 */
        if (b->upper > 0 && (keep_below ? limit > 0 : limit >= 0)) {
            double below = b->count * limit / b->upper;
            return keep_below ? (struct kept){below, limit / 2}
                              : (struct kept){b->count - below, (limit + b->upper) / 2};
        }
        return (struct kept){keep_below && b->upper <= 0 ? b->count : 0, limit};
    }
    bool stays = !keep_below && b->lower > -INFINITY && limit >= b->lower;
    return (struct kept){stays ? b->count : 0, limit};
}

/* The limit lies inside the bucket. */
static struct kept cut(const struct native_bucket *b, double limit, bool keep_below, bool custom)
{
    if (isinf(b->lower) || isinf(b->upper))
        return cut_infinite(b, limit, keep_below);
    double part; /* below the limit */
    if (custom) {
        part = (limit - b->lower) / (b->upper - b->lower);
    } else {
        double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(limit));
        part = b->upper > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
    }
    double below = b->count * part;
    return keep_below ? (struct kept){below, middle_of(b->lower, limit, custom)}
                      : (struct kept){b->count - below, middle_of(limit, b->upper, custom)};
}

static struct kept keep_of(const struct native_bucket *b, double limit, bool keep_below, bool custom)
{
    if (keep_below ? b->upper <= limit : b->lower >= limit)
        return (struct kept){b->count, middle_of(b->lower, b->upper, custom)};
    if (keep_below ? b->lower < limit : b->upper > limit)
        return cut(b, limit, keep_below, custom);
    return (struct kept){0, 0};
}

static struct kept keep_of_zero(const struct native_bucket *b, double limit, bool keep_below, bool any_negative,
                                bool any_positive)
{
    double lower = any_positive && !any_negative ? 0 : b->lower, upper = any_negative && !any_positive ? 0 : b->upper;
    if (keep_below && limit <= lower)
        return (struct kept){0, 0};
    if (keep_below ? limit >= upper : limit <= lower)
        return (struct kept){b->count, (lower + upper) / 2};
    if (!keep_below && limit >= upper)
        return (struct kept){0, 0};
    double part = (keep_below ? limit - lower : upper - limit) / (upper - lower);
    return (struct kept){b->count * part, ((keep_below ? lower : upper) + limit) / 2};
}

int native_trim(struct arena *a, const struct native_histogram *h, double limit, bool keep_below,
                const struct native_histogram **ret)
{
    struct native_work w;
    bool custom = native_is_custom(h), any[2] = {false, false}, changed = false;
    double count = 0, sum = 0;
    int r = native_work_init(&w, a, h);
    if (r < 0)
        return r;
    for (size_t side = 0; side < 2; side++) {
        struct native_list *l = side == 0 ? &w.positive : &w.negative;
        for (size_t i = 0; i < l->n; i++) {
            if (l->count[i] == 0)
                continue;
            any[side] = true;
            double far = native_bound(h, l->index[i]), near = native_bound(h, (int64_t)l->index[i] - 1);
            struct native_bucket b = {
                .lower = side == 0 ? near : -far, .upper = side == 0 ? far : -near, .count = l->count[i]};
            struct kept k = keep_of(&b, limit, keep_below, custom);
            changed |= k.count != b.count;
            l->count[i] = k.count;
            count += k.count;
            sum += k.count == 0 ? 0 : k.middle * k.count;
        }
    }
    if (h->zero_count > 0) {
        struct native_bucket zero = {.lower = -h->zero_threshold, .upper = h->zero_threshold, .count = h->zero_count};
        struct kept k = keep_of_zero(&zero, limit, keep_below, any[1], any[0]);
        changed |= k.count != h->zero_count;
        w.zero.value = k.count;
        count += k.count;
        sum += k.count == 0 ? 0 : k.middle * k.count;
    }
    if (changed) {
        w.count.value = count;
        w.sum.value = sum;
    }
    return native_work_give(&w, changed ? NATIVE_COMPACT : NATIVE_PLAIN, ret);
}
