/* journeys.h - the journeys of one run: parsed files, their steps in one list, their preset variables, their shares.
 *
 *   struct journeys *js;
 *   r = journeys_load(paths, n, &js, &problems);             // parse and check; every problem of every file
 *   r = journeys_set(js, SPAN("base"), value);                // --variable; true when a file uses it
 *   r = journeys_complete(js, &problems);                     // nothing unset is read
 *   const struct journey *j = journeys_pick(js, &rng);
 *
 * Immutable once complete: workers share it. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/engine/feed.h"
#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"
#include "loadgen/hurl/value.h"
#include "lib/base/limits.h"

struct journey {
    struct hurl_file *file;
    const char *name;          /* the file's base name; made unique when two files share it */
    size_t *step_of;           /* entry -> index into journeys.steps */
    struct hurl_value *values; /* slot -> what a session starts with */
    struct feed *feed;         /* NULL: none */
    uint32_t *feed_slots;      /* column -> slot; UINT32_MAX: the file does not use it */
};
struct journey_step {
    const char *journey;
    struct span name;
    const struct hurl_slo *slos;
    size_t n_slos;
};
struct journeys {
    struct arena arena;
    struct journey *list;
    size_t n;
    struct journey_step *steps;
    size_t n_steps;
    double weight_sum;
};
MUST_USE int journeys_load(const char *const *paths, size_t n, struct journeys **ret, struct problems *problems);
void journeys_free(struct journeys *js);
/* Set a variable in every journey that has it. 1: some use it; 0: none does; -ENOMEM. */
MUST_USE int journeys_set(struct journeys *js, struct span name, struct hurl_value value);
/* -EINVAL: a template reads what nothing sets, or all weights are 0; problems were added. */
MUST_USE int journeys_complete(struct journeys *js, struct problems *problems);
const struct journey *journeys_pick(const struct journeys *js, struct rng *rng);
