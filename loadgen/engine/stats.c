#include "loadgen/engine/stats.h"

#include <errno.h>
#include <string.h>

const char *step_outcome_name(enum step_outcome o)
{
    static const char *const NAMES[OUTCOMES] = {"ok", "business", "assert", "status", "transport"};
    return NAMES[o];
}

const char *step_error_name(enum step_error e)
{
    static const char *const NAMES[ERRORS] = {"none",    "dns",       "connect", "tls",      "timeout",
                                              "reset",   "protocol",  "status",  "business", "assert",
                                              "capture", "redirects", "refused", "journey"};
    return NAMES[e];
}

const char *step_part_name(enum step_part p)
{
    static const char *const NAMES[PARTS] = {"dns", "connect", "tls", "first_byte", "transfer"};
    return NAMES[p];
}

int stats_new(size_t n_journeys, size_t n_steps, struct run_stats **ret)
{
    struct run_stats *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->n_steps = n_steps;
    s->n_journeys = n_journeys;
    s->steps = calloc(n_steps ? n_steps : 1, sizeof *s->steps);
    s->journeys = calloc(n_journeys ? n_journeys : 1, sizeof *s->journeys);
    if (!s->steps || !s->journeys || hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &s->lag) < 0) {
        stats_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

/* The histograms of a step and of a journey, for all that is done to each of them. */
#define STEP_HISTOGRAMS (2 + PARTS)
#define JOURNEY_HISTOGRAMS 3
static struct hdr **step_histogram(struct step_stats *s, size_t i)
{
    return i == 0 ? &s->response : i == 1 ? &s->service : &s->parts[i - 2];
}
static struct hdr **journey_histogram(struct journey_stats *j, size_t i)
{
    return i == 0 ? &j->response : i == 1 ? &j->service : &j->duration;
}

void stats_free(struct run_stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->steps && i < s->n_steps; i++)
        for (size_t k = 0; k < STEP_HISTOGRAMS; k++)
            hdr_free(*step_histogram(&s->steps[i], k));
    for (size_t i = 0; s->journeys && i < s->n_journeys; i++)
        for (size_t k = 0; k < JOURNEY_HISTOGRAMS; k++)
            hdr_free(*journey_histogram(&s->journeys[i], k));
    free(s->steps);
    free(s->journeys);
    hdr_free(s->lag);
    free(s);
}

/* Empty, or given back when nothing was recorded for long. */
static void reset_histogram(struct hdr **h, bool idle)
{
    if (!*h)
        return;
    if (hdr_count(*h)) {
        hdr_reset(*h);
    } else if (idle) {
        hdr_free(*h);
        *h = NULL;
    }
}

static void reset_step(struct step_stats *s)
{
    struct step_stats empty = {.idle = stats_step_total(s) ? 0 : s->idle + 1};
    for (size_t k = 0; k < STEP_HISTOGRAMS; k++) {
        struct hdr **h = step_histogram(s, k);
        reset_histogram(h, empty.idle > STATS_IDLE_RESETS);
        *step_histogram(&empty, k) = *h;
    }
    *s = empty;
}

static void reset_journey(struct journey_stats *j)
{
    struct journey_stats empty = {.idle = j->sessions.completed ? 0 : j->idle + 1};
    for (size_t k = 0; k < JOURNEY_HISTOGRAMS; k++) {
        struct hdr **h = journey_histogram(j, k);
        reset_histogram(h, empty.idle > STATS_IDLE_RESETS);
        *journey_histogram(&empty, k) = *h;
    }
    *j = empty;
}

void stats_reset(struct run_stats *s)
{
    for (size_t i = 0; i < s->n_steps; i++)
        if (s->steps[i].idle == 0 || s->steps[i].response || stats_step_total(&s->steps[i]))
            reset_step(&s->steps[i]);
    for (size_t i = 0; i < s->n_journeys; i++)
        reset_journey(&s->journeys[i]);
    hdr_reset(s->lag);
    struct run_stats empty = {
        .n_steps = s->n_steps, .n_journeys = s->n_journeys, .steps = s->steps, .journeys = s->journeys, .lag = s->lag};
    *s = empty;
}

/* The histogram at *h, made when it is needed. NULL without memory. */
static struct hdr *made(struct hdr **h)
{
    if (!*h && hdr_new(STATS_HIGHEST_US, STATS_DIGITS, h) < 0)
        *h = NULL;
    return *h;
}

MUST_USE static int merge_hdr(struct hdr **into, const struct hdr *from)
{
    if (!from || hdr_count(from) == 0)
        return 0;
    return made(into) ? hdr_merge(*into, from) : -ENOMEM;
}

void stats_add_sessions(struct session_counts *into, const struct session_counts *from)
{
    into->planned += from->planned;
    into->started += from->started;
    into->dropped += from->dropped;
    into->completed += from->completed;
    into->failed += from->failed;
    into->unfinished += from->unfinished;
    into->capped += from->capped;
}

void stats_add_requests(struct request_counts *into, const struct request_counts *from)
{
    into->started += from->started;
    into->dropped += from->dropped;
    into->completed += from->completed;
    into->failed += from->failed;
}

MUST_USE static int merge_step(struct step_stats *to, struct step_stats *s)
{
    int r = 0;
    for (size_t k = 0; k < STEP_HISTOGRAMS; k++)
        if (merge_hdr(step_histogram(to, k), *step_histogram(s, k)) < 0)
            r = -ENOMEM;
    for (size_t k = 0; k < OUTCOMES; k++)
        to->outcomes[k] += s->outcomes[k];
    for (size_t k = 0; k < ERRORS; k++) {
        to->errors[k] += s->errors[k];
        if (!to->samples[k][0])
            memcpy(to->samples[k], s->samples[k], sizeof s->samples[k]);
    }
    to->response_sum_us += s->response_sum_us;
    to->service_sum_us += s->service_sum_us;
    return r;
}

int stats_merge(struct run_stats *into, const struct run_stats *from)
{
    int r = 0;
    for (size_t i = 0; i < into->n_steps; i++)
        if (stats_step_total(&from->steps[i]) && merge_step(&into->steps[i], &from->steps[i]) < 0)
            r = -ENOMEM;
    for (size_t i = 0; i < into->n_journeys; i++) {
        struct journey_stats *to = &into->journeys[i], *j = &from->journeys[i];
        stats_add_sessions(&to->sessions, &j->sessions);
        stats_add_requests(&to->requests, &j->requests);
        for (size_t k = 0; k < JOURNEY_HISTOGRAMS; k++)
            if (merge_hdr(journey_histogram(to, k), *journey_histogram(j, k)) < 0)
                r = -ENOMEM;
    }
    if (hdr_merge(into->lag, from->lag) < 0)
        r = -ENOMEM;
    stats_add_sessions(&into->sessions, &from->sessions);
    stats_add_requests(&into->requests, &from->requests);
    into->received_bytes += from->received_bytes;
    into->fresh_connections += from->fresh_connections;
    return r;
}

void stats_step(struct run_stats *s, size_t step, enum step_outcome outcome, enum step_error error, int64_t response_us,
                int64_t service_us, const char *text)
{
    struct step_stats *to = &s->steps[step];
    to->outcomes[outcome]++;
    to->errors[error] += error != ERROR_NONE;
    if (error != ERROR_NONE && text && !to->samples[error][0])
        snprintf(to->samples[error], sizeof to->samples[error], "%s", text);
    if (response_us < 0 || service_us < 0)
        return;
    if (made(&to->response) && made(&to->service)) {
        hdr_record(to->response, response_us);
        hdr_record(to->service, service_us);
    }
    to->response_sum_us += (double)response_us;
    to->service_sum_us += (double)service_us;
}

uint64_t stats_step_total(const struct step_stats *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < OUTCOMES; i++)
        n += s->outcomes[i];
    return n;
}

uint64_t stats_outcomes(const struct run_stats *s, enum step_outcome o)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_steps; i++)
        n += o == OUTCOMES ? stats_step_total(&s->steps[i]) : s->steps[i].outcomes[o];
    return n;
}

void stats_parts(struct run_stats *s, size_t step, const int64_t parts_us[PARTS])
{
    for (size_t i = 0; i < PARTS; i++)
        if (parts_us[i] >= 0 && made(&s->steps[step].parts[i]))
            hdr_record(s->steps[step].parts[i], parts_us[i]);
}

void stats_session_times(struct run_stats *s, size_t journey, int64_t response_us, int64_t service_us,
                         int64_t duration_us)
{
    struct journey_stats *j = &s->journeys[journey];
    if (!made(&j->response) || !made(&j->service) || !made(&j->duration))
        return;
    hdr_record(j->response, response_us);
    hdr_record(j->service, service_us);
    hdr_record(j->duration, duration_us);
}

struct hdr *stats_all(const struct run_stats *s, bool service)
{
    struct hdr *all = NULL;
    for (size_t i = 0; i < s->n_steps; i++)
        if (merge_hdr(&all, service ? s->steps[i].service : s->steps[i].response) < 0) {
            hdr_free(all);
            return NULL;
        }
    return all;
}

struct hdr *stats_all_parts(const struct run_stats *s, enum step_part part)
{
    struct hdr *all = NULL;
    for (size_t i = 0; i < s->n_steps; i++)
        if (merge_hdr(&all, s->steps[i].parts[part]) < 0) {
            hdr_free(all);
            return NULL;
        }
    return all;
}

/* ---- one per phase ---- */

int stats_set_new(size_t n, size_t n_journeys, size_t n_steps, struct stats_set **ret)
{
    struct stats_set *set = calloc(1, sizeof *set + n * sizeof set->of[0]);
    if (!set)
        return -ENOMEM;
    set->n = n;
    for (size_t i = 0; i < n; i++)
        if (stats_new(n_journeys, n_steps, &set->of[i]) < 0) {
            stats_set_free(set);
            return -ENOMEM;
        }
    *ret = set;
    return 0;
}

void stats_set_free(struct stats_set *set)
{
    for (size_t i = 0; set && i < set->n; i++)
        stats_free(set->of[i]);
    free(set);
}

void stats_set_reset(struct stats_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        stats_reset(set->of[i]);
}

int stats_set_merge(struct stats_set *into, const struct stats_set *from)
{
    int r = 0;
    for (size_t i = 0; i < into->n; i++)
        if (stats_merge(into->of[i], from->of[i]) < 0)
            r = -ENOMEM;
    return r;
}
