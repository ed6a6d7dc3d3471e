/* event.h - a sale as its owners describe it: event.yml, the plan and the last event as CSV (docs/event.md).
 *
 *   struct event_source source;
 *   r = event_source_load("event.yml", NULL, NULL, &source, &problems);   // and the files that it names
 *   r = event_read(&source, &event, &problems);                             // -EINVAL: problems has file:line:col
 *   double plan = curve_at(event_plan(event, market), CURVE_ORDERS, minute);
 *   event_free(event); event_source_done(&source);
 *
 * Minutes count from doors open (window.starts) and may be negative. Money is in major units of the market's currency;
 * nothing ever adds up two currencies. What is not known is NAN, never 0. */
#pragma once

#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/problem.h"
#include "lib/base/tz.h"

#define MINUTE_MS 60000ll
#define EVENT_NAME_MAX 64u

/* The texts an event is read from; kept with it, so that it is read again after a restart. */
struct event_source {
    char *file, *text;           /* event.yml: its name for messages, its bytes */
    char *plan_file, *plan_text; /* NULL: none */
    char *last_file, *last_text;
    char *starts, *length; /* instead of the window's: a rehearsal; NULL: as the file says */
};
/* Read event.yml and the files it names. -EINVAL and others: problems knows. On failure *ret is not touched. */
MUST_USE int event_source_load(const char *path, const char *starts, const char *length, struct event_source *ret,
                               struct problems *problems);
void event_source_done(struct event_source *s);

enum curve_value { CURVE_SESSIONS, CURVE_ORDERS, CURVE_REVENUE, CURVE_VALUES };
/* One market's numbers by the minute. */
struct curve {
    int32_t first; /* minute of values[..][0] */
    size_t n;
    double *values[CURVE_VALUES]; /* NAN: not known */
};
/* NAN outside and for a NULL curve. */
double curve_at(const struct curve *c, enum curve_value value, int64_t minute);
/* What came in from from_ms to to_ms after doors open, parts of minutes in proportion; minutes that are not known count
 * nothing. NAN when nothing is known there. */
double curve_sum(const struct curve *c, enum curve_value value, int64_t from_ms, int64_t to_ms);
bool curve_knows(const struct curve *c, enum curve_value value);

struct event_market {
    const char *name;
    char currency[4];
    double money_per_order; /* NAN: not given */
};
struct event_phase {
    const char *name;
    int64_t starts_ms;
};
struct event_row {
    int32_t minute;
    uint16_t market, channel;
    uint32_t line; /* of the file, for messages */
    double values[CURVE_VALUES];
};
struct event_rows { /* by minute, market, channel */
    struct event_row *list;
    size_t n;
    struct curve *curves; /* one per market, channels added up; NULL without rows */
};
struct event {
    uint64_t texts;      /* a hash of what it was read from: the same texts are the same event */
    atomic_uint readers; /* beside the one who read it: event_keep, event_free */
    struct arena arena;  /* owns everything below */
    const char *name, *title, *service, *zone;
    struct tz *tz;
    int64_t starts_ms, ends_ms; /* the window, ends exclusive */
    struct event_market *markets;
    size_t n_markets;
    const char **channels; /* [0] is "", rows without a channel */
    size_t n_channels;
    struct event_phase *phases; /* by time */
    size_t n_phases;
    double growth; /* NAN: not given */
    struct event_rows plan, last;
    struct curve *grown;    /* last x growth by market, when there is no plan; or NULL */
    const char *last_event; /* last: names another event; or NULL */
};
MUST_USE int event_read(const struct event_source *source, struct event **ret, struct problems *problems);
/* One more who frees it: an event never changes, so threads share it. */
struct event *event_keep(struct event *e);
void event_free(struct event *e); /* NULL is fine */

bool event_is_name(struct span name);
/* The market of that name, or -1. */
int event_market(const struct event *e, struct span name);
/* The plan, or what stands for it: last x growth. NULL: there is none. */
const struct curve *event_plan(const struct event *e, size_t market);
const struct curve *event_last(const struct event *e, size_t market);
/* "before doors open", the phase's name, or "over". */
const char *event_phase_at(const struct event *e, int64_t t_ms);
static inline int64_t event_minutes(const struct event *e)
{
    return (e->ends_ms - e->starts_ms + MINUTE_MS - 1) / MINUTE_MS;
}

/* ---- the CSV reader's side, used by event_read ---- */
/* Fills rows (in e's arena) from minute,market,channel,sessions,orders,revenue. starts_ms: doors open of what the file speaks
 * about, for minutes written as wall-clock times; minutes beyond last_minute are refused. With EVENT_STARTS_UNKNOWN or
 * an event without markets (event.yml has mistakes, too) the rest is looked at all the same, and -EINVAL returned. */
#define EVENT_STARTS_UNKNOWN INT64_MIN
MUST_USE int event_read_rows(struct event *e, const char *file, struct span text, int64_t starts_ms,
                             int64_t last_minute, struct event_rows *rows, struct problems *problems);
/* A wall-clock time YYYY-MM-DDTHH:MM[:SS] in the event's zone, or RFC 3339 with its offset. Says on failure what is wrong. */
MUST_USE int event_read_time(const struct tz *tz, struct span text, int64_t *ret_ms, const char **ret_wrong);
