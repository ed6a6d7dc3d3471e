/* feed.h - rows of data for sessions: a CSV file whose columns become variables (`# @feed users.csv shuffle`).
 *
 *   struct feed *f;
 *   r = feed_load("users.csv", HURL_FEED_SHUFFLE, seed, &f, &problems);
 *   struct span fields[FEED_COLUMNS_MAX];
 *   if (feed_next(f, &rng, fields)) ...                    // false: `unique` rows are used up
 *
 * RFC 4180: a header line with the column names, fields quoted with "" for a quote, line ends LF or CRLF. A name ending in .jsonl or .ndjson
 * is an object a line; the first one's keys are the columns. Modes: sequential (from the top, again and again), shuffle (one fixed random
 * order, again and again), random (any row each time), zipf (the k-th row in proportion to 1 / k^exponent), unique (each row once; then
 * sessions are dropped). feed_next may be called by all workers at once. */
#pragma once

#include "lib/base/problem.h"
#include "lib/base/span.h"
#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"
#include "lib/base/limits.h"

struct feed;
/* `exponent` is for HURL_FEED_ZIPF alone. */
MUST_USE int feed_load(const char *path, enum hurl_feed_mode mode, double exponent, uint64_t seed, struct feed **ret,
                       struct problems *problems);
/* From text, for tests. */
MUST_USE int feed_parse(const char *name, struct span text, enum hurl_feed_mode mode, double exponent, uint64_t seed,
                        struct feed **ret, struct problems *problems);
/* This machine's part of a run on several: every segments-th row from `segment` on (sequential, shuffle, unique). Before the first
 * feed_next. */
void feed_segment(struct feed *f, unsigned segment, unsigned segments);
void feed_free(struct feed *f);
size_t feed_columns(const struct feed *f);
struct span feed_column(const struct feed *f, size_t i);
size_t feed_rows(const struct feed *f);
bool feed_next(struct feed *f, struct rng *rng, struct span fields[FEED_COLUMNS_MAX]);
