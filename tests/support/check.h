/* check.h - what cmocka 1.1.5 lacks: doubles compared by bits or by units in the last place, text with its
 * reason, errno results by name, and random numbers whose seed is printed.
 *
 *   check_double_bits(format_and_parse(v), v);       // NaN payloads and the sign of zero count
 *   check_double_ulps(sum, 0.3, 1);                  // at most 1 representable number apart
 *   check_ok(file_read(...)); check_errno(parse_u64("x", 9, &v), -EINVAL);
 *
 * Include this instead of cmocka.h: it brings the headers that cmocka needs before it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#define check_double_bits(actual, expected) check_double_bits_at(actual, expected, __FILE__, __LINE__)
#define check_double_ulps(actual, expected, ulps) check_double_ulps_at(actual, expected, ulps, __FILE__, __LINE__)
#define check_span(actual, expected_text) check_span_at(actual, expected_text, __FILE__, __LINE__)
#define check_contains(hay, needle) check_contains_at(hay, needle, __FILE__, __LINE__)
#define check_errno(actual, expected) check_errno_at(actual, expected, #actual, __FILE__, __LINE__)
#define check_ok(actual) check_errno(actual, 0)

void check_double_bits_at(double actual, double expected, const char *file, int line);
void check_double_ulps_at(double actual, double expected, uint64_t ulps, const char *file, int line);
void check_span_at(struct span actual, const char *expected, const char *file, int line);
void check_contains_at(const char *hay, const char *needle, const char *file, int line);
void check_errno_at(int actual, int expected, const char *what, const char *file, int line);

/* Fail the test with words of its own. */
NORETURN void check_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
#define check_failed(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Random operations. The seed is 1, so that a test says the same of the same code each time; CREST_SEED=random takes another one (the long
 * targets do), CREST_SEED=N repeats a run with the seed that it printed. */
struct check_random {
    uint64_t state;
};
struct check_random check_random_new(const char *test);
uint64_t check_random_u64(struct check_random *r);
uint64_t check_random_below(struct check_random *r, uint64_t n); /* n > 0 */

/* What is written to a descriptor (1 or 2) between the two calls, NUL-terminated from malloc. One at a time per
 * descriptor. */
void check_capture_start(int fd);
char *check_capture_end(int fd);

/* Sanitized builds are slower: loops are divided by this (1 in release builds). */
unsigned check_slowness(void);
/* So many times what it takes on an idle machine may a wait for a condition last: the machine of a test is never idle.
 * Waits that hold are no longer for it. */
unsigned check_patience(void);

/* Path of a file handed out with the project: $CREST_SHARED (default ../shared) / name. NULL when it is not
 * there (the test then calls skip()). Valid until the next call. */
const char *check_shared_path(const char *name);
