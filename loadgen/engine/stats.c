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

int stats_new(size_t n_steps, struct run_stats **ret)
{
    struct run_stats *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->n_steps = n_steps;
    s->steps = calloc(n_steps ? n_steps : 1, sizeof *s->steps);
    if (!s->steps || hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &s->lag) < 0) {
        stats_free(s);
        return -ENOMEM;
    }
    *ret = s;
    return 0;
}

void stats_free(struct run_stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->steps && i < s->n_steps; i++) {
        hdr_free(s->steps[i].response);
        hdr_free(s->steps[i].service);
    }
    free(s->steps);
    hdr_free(s->lag);
    free(s);
}

void stats_reset(struct run_stats *s)
{
    for (size_t i = 0; i < s->n_steps; i++) {
        struct step_stats *step = &s->steps[i];
        struct hdr *response = step->response, *service = step->service;
        if (response && hdr_count(response))
            hdr_reset(response);
        if (service && hdr_count(service))
            hdr_reset(service);
        *step = (struct step_stats){.response = response, .service = service};
    }
    struct run_stats empty = {.n_steps = s->n_steps, .steps = s->steps, .lag = s->lag};
    hdr_reset(s->lag);
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

int stats_merge(struct run_stats *into, const struct run_stats *from)
{
    int r = 0;
    for (size_t i = 0; i < into->n_steps; i++) {
        struct step_stats *to = &into->steps[i];
        const struct step_stats *s = &from->steps[i];
        if (merge_hdr(&to->response, s->response) < 0 || merge_hdr(&to->service, s->service) < 0)
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
    }
    if (hdr_merge(into->lag, from->lag) < 0)
        r = -ENOMEM;
#define ADD(field) into->field += from->field
    ADD(sessions.planned);
    ADD(sessions.started);
    ADD(sessions.dropped);
    ADD(sessions.completed);
    ADD(sessions.failed);
    ADD(sessions.unfinished);
    ADD(sessions.capped);
    ADD(requests.started);
    ADD(requests.dropped);
    ADD(requests.completed);
    ADD(requests.failed);
    ADD(received_bytes);
    ADD(fresh_connections);
#undef ADD
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
