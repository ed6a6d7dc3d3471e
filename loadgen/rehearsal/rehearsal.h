/* rehearsal.h - an event as load: how many sessions a second, and how many of them buy (docs/loadgen-rehearsal.md).
 *
 *   struct rehearsal_wish wish = {.at = 1.5, .journeys = list, .n = n};
 *   struct rehearsal_known known = {.event = event, .now_ms = now};
 *   struct rehearsal r;
 *   while ((e = rehearsal_derive(&wish, &known, &r)) == REHEARSAL_NEEDS_…) ... fetch what is missing into `known`
 *   if (e == 0) ... r.rate, r.weights ...            else r.why says why not
 *
 * Who comes to a step with # @money orders; the others look around. Pure: the same facts give the same
 * load. Where it comes from is kept beside each figure and told by rehearsal_text, _json and _html. */
#pragma once

#include <stdio.h>

#include "loadgen/rehearsal/event_facts.h"
#include "loadgen/rehearsal/walk.h"

#define REHEARSAL_AT_MAX 100.0 /* times the event: above, a percent sign or a digit is wrong */
#define REHEARSAL_NOTES_MAX 6

enum rehearsal_basis {
    REHEARSAL_ANY,     /* the first of these that there is */
    REHEARSAL_PLAN,    /* the event's plan, or last × growth, which stands for it */
    REHEARSAL_LAST,    /* its last event: file, other event, else the event that ended last */
    REHEARSAL_MEASURED /* what the event itself brought in */
};
enum rehearsal_shape {
    REHEARSAL_HOLD,    /* at the peak */
    REHEARSAL_CURVE,   /* minute by minute as the event */
    REHEARSAL_OF_PLAN, /* as the plan file, whose highest rate is made the event's */
};
enum rehearsal_mix {
    REHEARSAL_MIX_GIVEN,         /* @weight, the plan file, --weights */
    REHEARSAL_MIX_ONE_KIND,      /* all of them buy, or none */
    REHEARSAL_MIX_SESSIONS,      /* orders among the same source's sessions */
    REHEARSAL_MIX_REQUESTS,      /* requests that the orders' sessions do not make are those of the others */
    REHEARSAL_MIX_LAST_SESSIONS, /* as many sessions for an order as at the last event */
    REHEARSAL_MIX_LAST_REQUESTS  /* as many requests for an order as at the last event */
};

struct rehearsal_journey {
    const char *name;
    double weight;
    bool weighed; /* somebody said the weight */
    struct walk walk;
};
struct rehearsal_wish {
    double at; /* 1.5: 150 % */
    enum rehearsal_basis basis;
    enum rehearsal_shape shape;
    const struct rehearsal_journey *journeys; /* of customers */
    size_t n;
    double money_rate; /* the cap of @money steps per second; 0: none */
};
struct rehearsal_known {
    const struct event_facts *event;
    int64_t now_ms;
    bool has_measured, has_last; /* those below were asked for */
    struct minutes measured;     /* of the event itself */
    struct event_facts last;     /* the event before; name NULL: there is none */
    struct minutes last_measured;
};

struct rehearsal_peak {
    double per_minute; /* NAN: not known */
    int64_t minute;    /* from doors open */
};
struct rehearsal {
    /* what was taken from where; texts are the facts' */
    const char *event, *title, *of, *zone; /* of: the event whose minutes these are */
    const char *collector;                 /* the caller's */
    int64_t starts_ms;                     /* doors open of `of`; 0: not known */
    double at, growth;                     /* growth: NAN unless the plan is last × growth */
    enum rehearsal_basis basis;
    enum rehearsal_mix mix;
    enum rehearsal_shape shape;
    struct rehearsal_peak peaks[MINUTE_VALUES]; /* of 100 % */
    enum minute_value driver;                   /* whose minutes the curve follows */
    const struct minutes *curve;                /* the known's */
    /* the load */
    double rate;              /* sessions per second at the peak, `at` in it */
    double buying_ratio;      /* sessions that come to a @money step, of all */
    double orders_per_minute; /* rehearsed, at the peak */
    double payments;          /* @money steps per second at the peak */
    double *weights;          /* one per journey of the wish */
    const struct rehearsal_journey *journeys;
    size_t n;
    char notes[REHEARSAL_NOTES_MAX][320];
    size_t n_notes;
    char why[400]; /* when there is none */
};
#define REHEARSAL_NEEDS_MEASURED 1 /* known.measured, of the event */
#define REHEARSAL_NEEDS_LAST 2     /* known.last and known.last_measured */
/* 0; one of the above; or with r->why: -ENODATA (the event says nothing to go by), -EINVAL (what is asked does not go
 * together with it), -ERANGE (more than PLAN_RATE_MAX), -ENOMEM. On anything but 0 there is nothing to be freed. */
MUST_USE int rehearsal_derive(const struct rehearsal_wish *wish, const struct rehearsal_known *known,
                              struct rehearsal *r);
void rehearsal_done(struct rehearsal *r);
void rehearsal_known_done(struct rehearsal_known *known);
/* "150%" -> 1.5. -EINVAL: it is no percentage; -ERANGE: not above 0, or above REHEARSAL_AT_MAX. */
MUST_USE int rehearsal_at_parse(const char *text, double *ret);
/* A sentence for people beside the figures; what does not fit is cut, notes beyond the last are left out. */
void rehearsal_note(struct rehearsal *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* The curve as --stages: a constant a minute, together length_ms long and ending with the peak's minute, or from the event's
 * first minute on when less stands before it; length_ms 0: all of it. More minutes than stages: several become one, as high
 * as the highest. */
void rehearsal_stages(const struct rehearsal *r, int64_t length_ms, struct buf *out);

/* ---- in words (rehearsal_words.c) ---- */
void rehearsal_text(FILE *to, const struct rehearsal *r);
/* A value; null for NULL. */
void rehearsal_json(struct json_writer *j, const struct rehearsal *r);
/* A section; nothing for NULL. */
void rehearsal_html(struct buf *out, const struct rehearsal *r);
