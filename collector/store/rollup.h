/* rollup.h - what the float samples of a series come to in each bucket of five minutes or an hour: minimum, maximum, sum, count,
 * first, last, and what resets took away.
 *
 *   struct rollup_list list = {0};
 *   rollup_list_clear(&list);
 *   r = rollup_list_add(&list, ROLLUP_1H_MS, t_ms, value);           // ascending times; stale markers are passed over
 *   … list.rollups[0..list.n) …
 *   rollup_list_done(&list);
 *
 * A bucket is (end - length, end], like a range of PromQL; ends are multiples of the length since 1970. Buckets without samples
 * are left out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/kahan.h"
#include "lib/base/macros.h"

#define ROLLUP_5M_MS INT64_C(300000)
#define ROLLUP_1H_MS INT64_C(3600000)
#define ROLLUPS_MAX 289u /* of a day: its five minutes, and midnight itself, which ends the bucket before */
#define ROLLUP_EXACT_MAX 9007199254740992.0 /* 2^53: sums of integers below it are exact in any order */

struct rollup {
    int64_t end_ms, first_ms, last_ms; /* of the bucket; of its first and last sample */
    uint32_t count;
    /* min and max as PromQL has them: NaN when there is nothing else, of equal ones (0 and -0) the last. */
    double first, last, min, max, sum;
    double lost; /* the values before each fall within the bucket, added: growth = last - first + lost */
};
struct rollup_list {
    struct rollup *rollups; /* ascending */
    size_t n, cap;
    bool
        integers; /* sums are exact, in any order: integers, none -0, and count * the largest is at most 2^53 in each bucket */
    struct kahan sum;
};
void rollup_list_clear(struct rollup_list *l);
void rollup_list_done(struct rollup_list *l);
/* -ENOMEM. -ERANGE: there is no such bucket, at the ends of time. */
MUST_USE int rollup_list_add(struct rollup_list *l, int64_t length_ms, int64_t t_ms, double value);
/* A whole bucket behind the list's last. -ENOMEM. */
MUST_USE int rollup_list_take(struct rollup_list *l, const struct rollup *rollup);
/* Is it an integer whose sums with others can be exact? Not -0: a sum would lose the sign. */
bool rollup_is_integer(double value);
/* At least the sum of the bucket's absolute values. */
double rollup_bound(uint32_t count, double min, double max);
/* The end of the bucket that the time is in. -ERANGE. */
MUST_USE int rollup_end_of(int64_t t_ms, int64_t length_ms, int64_t *ret_end_ms);
