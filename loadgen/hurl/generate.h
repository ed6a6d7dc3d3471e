/* generate.h - made-up values: hurl's random functions, and what `# @generate` gives a session.
 *
 *   r = hurl_generate(HURL_RANDOM_INT, 10, 99, rng, arena, &value);
 *
 * From the session's random numbers: a run with the same --seed makes the same values. Not for secrets. */
#pragma once

#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"
#include "loadgen/hurl/value.h"

#define RANDOM_STRING_MAX 65536                  /* characters of randomString */
#define RANDOM_INT_MAX INT64_C(9007199254740991) /* what JSON readers agree on */

/* Texts live in the arena. -EINVAL: the function makes nothing up (a variable, getEnv); -ENOMEM. */
MUST_USE int hurl_generate(enum hurl_function function, int64_t low, int64_t high, struct rng *rng, struct arena *a,
                           struct hurl_value *ret);
