/* number.h - the only place where text becomes numbers and numbers become text.
 *
 *   uint64_t port;
 *   if (parse_u64("9480", 65535, &port) < 0) ...
 *   char text[NUMBER_TEXT_MAX];
 *   format_f64(text, 0.1);                     // "0.1"
 *
 * parse_*: the whole text must be the number; no blanks, no trailing bytes. They set *ret only on success.
 * Errors: -EINVAL not such a number (or empty), -ERANGE outside the range. Locale is never looked at. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#define NUMBER_TEXT_MAX 40 /* enough for every format_* below, NUL included */

MUST_USE int parse_u64(const char *text, uint64_t max, uint64_t *ret);
MUST_USE int parse_u64_span(struct span text, uint64_t max, uint64_t *ret);
MUST_USE int parse_i64_span(struct span text, int64_t min, int64_t max, int64_t *ret);
/* A double as Prometheus's text format reads it: Go's ParseFloat without hex floats and underscores; NaN, Inf,
 * +Inf, -Inf, Infinity in any case (NaN is the quiet 0x7ff8000000000001, Prometheus's normal NaN). Correctly rounded.
 * Overflow is -ERANGE and, the one exception to "sets *ret only on success", sets *ret to +-Inf as Go's value is. */
MUST_USE int parse_f64_span(struct span text, double *ret);
/* A Prometheus duration: 1y2w3d4h5m6s7ms, units in that order, each at most once, or "0". Milliseconds. */
MUST_USE int parse_duration_ms(struct span text, int64_t *ret_ms);
/* Bytes: 10, 10B, 512KB, 1MiB, 2GB (powers of 1024, as Prometheus does). */
MUST_USE int parse_bytes(struct span text, uint64_t *ret_bytes);
/* RFC 3339 ("2026-11-27T00:00:00Z", fraction and numeric offset allowed) -> ms since the epoch. */
MUST_USE int parse_rfc3339_ms(struct span text, int64_t *ret_ms);
/* "true"/"false" and nothing else. */
MUST_USE int parse_bool(struct span text, bool *ret);

/* Shortest text that reads back to the same bits; layout of Go's FormatFloat(v,'f',-1,64), but 'e' form (1e-07,
 * 1e+21) when |v| < 1e-6 or >= 1e21 (Prometheus's JSON); "NaN", "+Inf", "-Inf". Returns the length. */
size_t format_f64(char text[NUMBER_TEXT_MAX], double v);
/* Go's %v ('g' with shortest digits: 'e' form when the exponent is < -4 or >= 6, so 1e+06): labels and {{ $value }}. */
size_t format_f64_g(char text[NUMBER_TEXT_MAX], double v);
/* Shortest digits, as OpenMetrics and le/quantile labels want them: always with ".0" or an exponent ("1.0"). */
size_t format_f64_le(char text[NUMBER_TEXT_MAX], double v);
/* Milliseconds as Prometheus prints durations: "1h30m", "0s", "250ms". */
size_t format_duration_ms(char text[NUMBER_TEXT_MAX], int64_t ms);
/* Seconds with up to three decimals, trailing zeros cut, as the query API's time stamps: 1435781451.781 */
size_t format_seconds_ms(char text[NUMBER_TEXT_MAX], int64_t ms);
/* RFC 3339 in UTC with milliseconds: 2026-11-27T00:00:00.000Z */
size_t format_rfc3339_ms(char text[NUMBER_TEXT_MAX], int64_t ms);

/* Growth of a counter from `before` to `after`: the difference, or `after` when it was reset. */
static inline double counter_delta(double before, double after)
{
    return after >= before ? after - before : after;
}
/* a * b and a + b for sizes; -EOVERFLOW. */
MUST_USE int size_mul(size_t a, size_t b, size_t *ret);
MUST_USE int size_add(size_t a, size_t b, size_t *ret);
