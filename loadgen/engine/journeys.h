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
#include "loadgen/engine/secrets.h"
#include "loadgen/hurl/random.h"
#include "loadgen/hurl/tree.h"
#include "loadgen/hurl/value.h"
#include "lib/base/limits.h"

struct journey_feed {
    struct feed *feed; /* of the journeys */
    uint32_t *slots;   /* column -> slot; UINT32_MAX: the file does not use it */
};
struct journey {
    struct hurl_file *file;
    const char *name; /* the file's base name; made unique when two files share it */
    double weight;
    bool weighed;              /* the plan or @weight says it */
    size_t *step_of;           /* entry -> index into journeys.steps */
    struct hurl_value *values; /* slot -> what a session starts with */
    struct journey_feed *feeds;
    size_t n_feeds;
};
struct journey_step {
    const char *journey;
    size_t journey_index; /* in journeys.list */
    struct span name;
    const struct hurl_slo *slos;
    size_t n_slos;
};
/* A variable of the command line, as it was written: workers elsewhere are told the same. */
struct journey_given {
    struct journey_given *next;
    struct span text; /* NAME=VALUE, also NUL-terminated */
    bool secret;
};
struct journeys {
    struct arena arena;
    struct journey *list;
    size_t n;
    struct journey_step *steps;
    size_t n_steps;
    struct secrets secrets;            /* values of variables that are shown nowhere */
    struct journey_given *given;       /* in their order */
    struct journey_shared_feed *feeds; /* by file and mode: journeys that name the same one share its rows */
};
/* What a plan says of a journey. */
struct journey_spec {
    const char *path;
    double weight; /* < 0: as the file says */
    bool
        as_hurl; /* a test: what hurl would find only when it runs is no error here, and the file's text is kept for messages */
};
struct plan_feed { /* for every journey that uses one of its columns */
    const char *path;
    enum hurl_feed_mode mode;
    double exponent;
};
MUST_USE int journeys_load(const char *const *paths, size_t n, struct journeys **ret, struct problems *problems);
MUST_USE int journeys_load_specs(const struct journey_spec *specs, size_t n, const struct plan_feed *feeds,
                                 size_t n_feeds, struct journeys **ret, struct problems *problems);
void journeys_free(struct journeys *js);
/* Set a variable in every journey that has it. 1: some use it; 0: none does; -ENOMEM. */
MUST_USE int journeys_set(struct journeys *js, struct span name, struct hurl_value value);
/* The same with a text that is shown nowhere from then on. -E2BIG: more than SECRETS_MAX. */
MUST_USE int journeys_set_secret(struct journeys *js, struct span name, struct span value);
/* Remember NAME=VALUE in `given`. */
MUST_USE int journeys_note_given(struct journeys *js, struct span text, bool secret);
/* The i-th of the files that rows are read from; NULL past the last. */
const char *journeys_feed_path(const struct journeys *js, size_t i);
/* -EINVAL: a template reads what nothing sets, or all weights are 0; problems were added. */
MUST_USE int journeys_complete(struct journeys *js, struct problems *problems);
/* This machine's rows of a run on several (feed.h). */
void journeys_segment(struct journeys *js, unsigned segment, unsigned segments);
/* By weight, one of the n from `first` on. */
const struct journey *journeys_pick(const struct journeys *js, size_t first, size_t n, struct rng *rng);
