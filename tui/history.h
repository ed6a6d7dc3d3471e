/* history.h - a value a second for each line that a graph may show, for the last HISTORY_SECONDS.
 *
 *   history_note(h, "orders|shop/de/web/EUR", t_ms, 31.2);
 *   history_window(h, key, to_ms, seconds, columns, out);      // NAN where nothing is known
 *
 * A ring per key, addressed by the second itself: values may come in any order (live ones, and older ones from queries). */
#pragma once

#include <stdint.h>

#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define HISTORY_SECONDS 900u

struct history {
    struct strmap tracks;
};
void history_init(struct history *h);
void history_done(struct history *h);
void history_clear(struct history *h);
/* Values that are not finite, or older than the ring holds, are dropped. */
void history_note(struct history *h, const char *key, int64_t t_ms, double value);
/* Columns begin at whole multiples of their width, so that a graph stands still until it moves by a column; the last one holds what
 * there is of it up to to_ms. When it will end: */
int64_t history_end_ms(int64_t to_ms, unsigned seconds, size_t columns);
/* The mean per column of the `seconds` up to to_ms, oldest first. A second without a value is taken over from the one before
 * when it is alone (scrapes are a second apart, more or less). Returns how many columns have a value. */
size_t history_window(const struct history *h, const char *key, int64_t to_ms, unsigned seconds, size_t columns,
                      double *out);
/* The sum of all keys that start with `prefix` and end in `suffix`, likewise. */
size_t history_window_sum(const struct history *h, const char *prefix, const char *suffix, int64_t to_ms,
                          unsigned seconds, size_t columns, double *out);
