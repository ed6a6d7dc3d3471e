/* rules.h - Prometheus rule files: groups of recording and alerting rules, evaluated on time, state kept in state.db.
 *
 *   struct rules *ru;
 *   r = rules_new(&(struct rules_config){.query = q, .store = s, .state = st, .sink = sink, …}, &ru);
 *   r = rules_load(ru, paths, n, &problems);       // also for reload: a bad file keeps the old set; state of equal rules goes on
 *   r = rules_start(ru);                            // its own threads: one for fast groups, one for the others
 *   rules_commit_hook(ru) → store_set_commit_hook   // groups with interval <= 2 s run at the first commit with a new scrape
 *   rules_stop(ru); … store_close(store); rules_free(ru);      // the hook may be called until the store is closed
 *
 * Semantics: Prometheus's, docs/rules.md. Groups with interval <= 2 s run exactly once per interval, at the first
 * commit with a newer sample of what they read (through other rules, too), at the latest on the tick; evaluation time is that
 * newest sample's (else the tick), strictly rising. Samples far from now (history, a sender whose clock is wrong) and
 * the rules' own do not count. Slower groups keep Prometheus's grid. Missed evaluations are skipped and counted.
 *
 * After a restart alerts are what they were. One that was pending or firing and is missing from the first results
 * stays for a minute (or two intervals), as short windows are empty until the senders are back. After more than an
 * hour without samples what was pending begins anew. */
#pragma once

#include "collector/alert.h"
#include "collector/query/query.h"
#include "collector/state/state.h"

struct rules;
/* Who watches evaluations (the live stream): called on an evaluation's thread, must be cheap and never wait. Members may be NULL. */
struct rules_watch {
    void *ctx;
    void (*round)(void *ctx); /* groups that record every second or two have run: their samples are in the store */
    void (*alerts_changed)(void *ctx); /* an alert began to pend or fire, or ended; rules_each_alert has it already */
};
struct rules_config {
    struct query_engine *query;
    struct store *store;
    struct state *state; /* NULL: nothing survives (test rules) */
    struct rules_watch watch;
    struct alert_sink sink;        /* accept NULL: alerts go nowhere */
    int64_t interval_ms;           /* default of groups; 0: 1 m */
    int64_t resend_ms;             /* 0: 1 m */
    const char *external_url;      /* for generator URLs and templates; may be NULL */
    struct labels external_labels; /* borrowed; added to alerts as they leave, never to series */
    int64_t (*now_ms)(void *ctx);  /* the clock that tells live samples from old ones; NULL: unix_ms; for tests */
    void *now_ctx;
};
extern const struct state_room RULES_STATE_ROOM;
MUST_USE int rules_new(const struct rules_config *config, struct rules **ret);
/* Paths may hold shell patterns. -EINVAL with problems: nothing changed. Waits for the evaluation that runs. */
MUST_USE int rules_load(struct rules *ru, const char *const *paths, size_t n, struct problems *problems);
/* Validate files only (crest-collector check rules). */
/* The same with warnings about what can hardly be meant (check rules). */
MUST_USE int rules_check_doubts(const char *const *paths, size_t n, struct problems *problems);
MUST_USE int rules_check(const char *const *paths, size_t n, struct problems *problems);
/* Before rules_start: where the port was not known when the room was made. */
MUST_USE int rules_set_external_url(struct rules *ru, const char *external_url);
MUST_USE int rules_start(struct rules *ru);
void rules_stop(struct rules *ru); /* ends the threads after the evaluation that runs */
void rules_free(struct rules *ru); /* stops, too; NULL is fine */
struct commit_hook rules_commit_hook(struct rules *ru);
/* One turn with a given clock, for tests and `test rules`: runs what is due, returns ms until the next deadline. Not
 * beside rules_start. */
int64_t rules_step(struct rules *ru, int64_t now_ms);
/* The API's answers (Prometheus's JSON "data" of /api/v1/rules and /api/v1/alerts), from a copy that evaluation never waits
 * for. */
struct json_writer;
struct rules_selector { /* all must match the rule's labels */
    const struct matcher *matchers;
    size_t n;
};
struct rules_filter {                          /* zeroed: everything */
    struct span type;                          /* "", "alert" or "record" */
    const struct span *names, *groups, *files; /* one of each, none: any */
    size_t n_names, n_groups, n_files;
    const struct rules_selector *selectors; /* one of them, none: any */
    size_t n_selectors;
    bool exclude_alerts;
    size_t group_limit;     /* 0: none; groups that follow are named by "groupNextToken" */
    struct span next_token; /* of the answer before; empty: from the first */
};
/* -ENOENT: there is no group with that token (any more). */
MUST_USE int rules_write_json(const struct rules *ru, const struct rules_filter *filter, struct json_writer *j);
void rules_alerts_json(const struct rules *ru, struct json_writer *j);
/* Every pending or firing alert, from the same copy: fn is called outside of any lock; its texts live during the call. */
struct rules_alert {
    const struct labels *labels, *annotations; /* alertname included */
    struct span expr;                          /* as the formatter prints it */
    bool firing;
    double value;
    int64_t active_ms, fired_ms; /* fired_ms is INT64_MIN while pending */
};
void rules_each_alert(const struct rules *ru, void (*fn)(void *ctx, const struct rules_alert *alert), void *ctx);
void rules_stats(const struct rules *ru, struct metric_writer *w);
