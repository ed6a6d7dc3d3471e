/* aggregate.h - groups of an aggregation: which series go into which, and under what labels the group comes out. */
#pragma once

#include "collector/promql/eval.h"

struct grouping {
    bool without;
    struct span *names; /* sorted */
    size_t n;
    struct label_table table; /* group labels by group index */
    size_t *of;               /* per series: its group */
    bool *drop_name;          /* per group */
};
/* Group n series. */
MUST_USE int grouping_init(struct eval *ev, const struct promql_expr *e, const struct series *series, size_t n,
                           struct grouping *ret);
/* A vector with one series per group over columns (one per group; a group without values shows none). */
MUST_USE int grouping_vector(struct eval *ev, const struct grouping *gr, struct column *columns, const struct grid *g,
                             struct vector **ret);
/* topk, bottomk, quantile, count_values, limitk, limit_ratio: aggregations that see all series of a group at once. */
MUST_USE int eval_aggregate_whole(struct eval *ev, const struct promql_expr *e, const struct grid *g,
                                  struct vector *from, struct vector **ret);
