/* series_text.h - the series of rule tests: their labels, and their points in promtool's short form.
 *
 *   r = series_text_labels(SPAN("up{job=\"shop\"}"), &arena, &labels, &error);
 *   r = series_text_points(SPAN("1 2 3x4 0+10x5 _x3 stale {{schema:0 count:1 sum:2 buckets:[1]}}"), &arena, &points, &n, &error);
 *
 * A point per interval: a number; a-b or a+bxN for N more that each grow by b; axN for N more; _ and _xN for none; stale. A histogram
 * stands in {{ }} and may repeat and grow likewise. Source: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/problem.h"
#include "lib/metric/sample.h"

#define SERIES_POINTS_MAX 1000000u /* of one series: a month of 2.6 s */

struct series_point {
    bool present, hint_written; /* the histogram's counter_reset_hint stands in the text */
    double value;
    const struct native_histogram *histogram; /* NULL: the value counts */
};
/* -EINVAL with the place in the text; -ENOMEM. */
MUST_USE int series_text_labels(struct span text, struct arena *arena, struct labels *ret,
                                struct parse_error *ret_error);
MUST_USE int series_text_points(struct span text, struct arena *arena, struct series_point **ret, size_t *ret_n,
                                struct parse_error *ret_error);
