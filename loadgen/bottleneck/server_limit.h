/* server_limit.h - the server's first limit: of all signals that the collector has of the time of the load, the one that left its relation to the
 * load first, with what it was before and at which rate it bent.
 *
 *   struct load_span spans[] = {{.start_ms = s, .end_ms = e, .load = 12.5, .rate = 12.5, .is_base = true}, ...};
 *   struct server_limit limit;
 *   server_limit_find(&(struct limit_question){.collector = url, .spans = spans, .n = n}, &limit);
 *   server_limit_text(stdout, &limit);
 *
 * Spans stand in the order in which the load grew: the seconds of a run, or the probes of a search by their rate. */
#pragma once

#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/wire/json.h"
#include "loadgen/engine/run.h"
#include "loadgen/bottleneck/signals.h"

struct load_span {
    int64_t start_ms, end_ms; /* unix, end exclusive */
    int64_t told_from_ms;     /* seconds are told from here: the start of the run, or of the probe */
    double load;              /* per second, what the signals are held against: what was answered */
    double rate;              /* per second, what is told */
    bool is_base;             /* the server was well: this is what is normal. These come first */
};
struct limit_question {
    const char *collector, *auth_file; /* of the collector's credentials; may be NULL */
    const struct load_span *spans;     /* n >= 1 */
    size_t n;
    bool in_probes; /* each span is a probe, and rates are of sessions */
};
struct server_bend {
    const struct server_signal *signal;
    char service[100], where[160];
    bool symptom;
    size_t span;         /* in which of the spans */
    int64_t t_ms;        /* unix */
    int64_t interval_ms; /* between its samples */
    double second, rate; /* as they are told */
    struct bend bend;    /* .at says nothing here */
};
enum server_limit_state {
    SERVER_LIMIT_NOT_ASKED,
    SERVER_LIMIT_UNREACHABLE, /* why */
    SERVER_LIMIT_NO_SIGNALS,  /* the collector has none of these times */
    SERVER_LIMIT_TOO_LITTLE,  /* there are, but too few samples of each to call anything normal */
    SERVER_LIMIT_NONE,        /* no signal bent */
    SERVER_LIMIT_FOUND
};
struct server_limit {
    enum server_limit_state state;
    char collector[512], why[300];
    size_t series, judged, left_out; /* series that the collector had; that had enough samples; over the limit */
    struct server_bend bends[SERVER_BENDS_MAX]; /* FOUND: in the order in which they bent */
    size_t n, at_once;                          /* the first at_once of them within what the samples can tell apart */
    size_t more;                                /* over SERVER_BENDS_MAX */
    bool in_probes;                             /* the question's */
};
/* Asks the collector for the signals of the spans' time and looks which bent. What cannot be asked is a finding, too. */
void server_limit_find(const struct limit_question *q, struct server_limit *ret);
/* The same for signals that are there already: all but collector and why is set. */
void server_limit_judge(const struct signal_set *signals, const struct limit_question *q, struct server_limit *ret);

/* ---- spans ---- */

/* Of a run: its series' points outside of warm-ups, of requests answered (means of three points). What is normal: the first quarter of them, and no more than the
 * first half of what was before gave_way_s (since the run's start; INFINITY: nothing gave way). From malloc, NULL: there are none, or
 * no memory. */
struct load_span *load_spans_of_run(const struct run_config *config, const struct run_result *result, double gave_way_s,
                                    size_t *ret_n);

/* ---- what is said ---- */

/* One sentence: which signal, of what, when and at which rate, from what to what; or why there is none. */
void server_limit_sentence(struct buf *out, const struct server_limit *l);
/* Lines of the summary: the sentence, and what bent then. Nothing when nobody asked. */
void server_limit_text(FILE *to, const struct server_limit *l);
/* A section of a page. Nothing when nobody asked. */
void server_limit_html(struct buf *out, const struct server_limit *l);
/* The value of a JSON member: an object, or null when nobody asked. */
void server_limit_json(struct json_writer *j, const struct server_limit *l);
