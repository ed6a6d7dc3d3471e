/* tally.h - how much counters rose over a window: differences of stored samples, aware of resets, never extrapolated.
 *
 *   struct tally_config config = {.query = q, .selector = "commerce_orders_total{source=\"\"}", .by = BY, .n_by = 2,
 *                                 .start_ms = s, .end_ms = e, .cell_ms = 60000};
 *   r = tally_new(&config, &t);
 *   r = tally_advance(t, to_ms, budget_us);          // 1: there is more to read, call again
 *   for (i = 0; i < tally_n(t); i++) { const struct tally_group *g = tally_group(t, i); … }
 *   tally_free(t);
 *
 * A rise counts where its later sample is, and evenly over the time between when that is longer than TALLY_SPREAD_MS. A series
 * that appears inside the window counts from 0 when its target was scraped before or its process began inside; otherwise from
 * its first value, and `unknown_births` says so. Samples that come late are seen by their effect on the next value. */
#pragma once

#include "collector/query/query.h"

#define TALLY_SPREAD_MS 15000

struct tally_config {
    struct query_engine *query;
    const char *selector;  /* of counters; copied */
    const char *const *by; /* label names; must live as long as the tally */
    size_t n_by;
    int64_t start_ms, end_ms, cell_ms; /* cell_ms 0: totals only */
};
struct tally_group {
    char **values; /* n_by */
    double total;
    double *cells; /* rise per cell; NULL without cells */
};
struct tally;
MUST_USE int tally_new(const struct tally_config *config, struct tally **ret);
void tally_free(struct tally *t); /* NULL is fine */
/* Read on up to to_ms (at most end_ms), in pieces, until budget_us have passed (0: without end). 0: done, 1: there is more. */
MUST_USE int tally_advance(struct tally *t, int64_t to_ms, int64_t budget_us, struct promql_error *ret_error);
size_t tally_n(const struct tally *t);
const struct tally_group *tally_group(const struct tally *t, size_t i); /* sorted by values once read to the end */
size_t tally_cells(const struct tally *t);
unsigned tally_resets(const struct tally *t);
unsigned tally_unknown_births(const struct tally *t);
unsigned tally_series(const struct tally *t);
void tally_sort(struct tally *t);
