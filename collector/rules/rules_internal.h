/* rules_internal.h - what the files of the rules room share.
 *
 *   rules.c        construction, reload, threads ("lanes"), the commit hook
 *   schedule.c     when a group runs
 *   inputs.c       which commits are news for a group
 *   evaluate.c     one evaluation of a group: query each rule, write, page
 *   keep_last.c    which alerts only lack data
 *   record.c       a recording rule's result -> samples
 *   alerts.c       an alerting rule's result -> states, samples, alerts to send
 *   output.c       samples on their way to the store, and which series went stale
 *   rules_state.c  alert states in state.db
 *   rules_view.c   copies for the API and for /metrics
 *
 * Two lanes run evaluations: fast groups must not wait for a slow group's query. A group belongs to one lane; its
 * fields are touched only by that lane under set_lock for reading, or by anybody under set_lock for writing
 * (reload). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "collector/rules/rule_set.h"
#include "collector/rules/rules.h"
#include "collector/rules/schedule.h"
#include "collector/state/label_box.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/thread.h"

#define TIME_NONE INT64_MIN
#define RULES_NEAR_NOW_MS                                                                                              \
    5000 /* samples older or further ahead are history, a backlog, or a wrong clock: they wake no rule */
#define RULES_RESOLVED_RETENTION_MS (15 * 60 * 1000)
/* After a restart short windows are empty for a while, as the senders come back and fill the gap: that is not the end
 * of an alert. */
#define RULES_RESTART_GRACE_MS 60000

enum alert_phase { ALERT_PENDING = 1, ALERT_FIRING, ALERT_INACTIVE };
struct active_alert {
    struct label_box *labels, *annotations; /* alertname included */
    enum alert_phase phase;
    double value;
    int64_t active_ms;
    int64_t fired_ms, resolved_ms, last_sent_ms, valid_until_ms, keep_firing_since_ms; /* TIME_NONE: not */
    bool seen;     /* in the result of this evaluation */
    bool held;     /* not in it for want of data, and the rule keeps its last state (keep_last.c) */
    bool restored; /* from state.db, and in no result since */
    bool dirty;    /* differs from its row */
};

enum rule_health { RULE_UNKNOWN, RULE_OK, RULE_BAD };
struct rule {
    const struct rule_def *def;
    struct strmap active; /* packed labels -> struct active_alert * */
    struct strmap
        series; /* packed labels of what is written and not marked stale -> the generation that wrote it last */
    uintptr_t generation;
    bool resync; /* the rows may differ from `active`: write all of them with the next change */
    enum rule_health health;
    char last_error[PROBLEM_TEXT_MAX];
    int64_t evaluation_us, evaluated_ms;
};

struct group_view;
struct group {
    const struct group_def *def;
    struct rule *rules;
    struct schedule schedule;
    int64_t grace_until_ms; /* TIME_NONE until the first evaluation */
    bool write_singly;      /* a common write was refused in part: find out whose samples they were */
    uint64_t iterations, missed, evaluations, failures;
    int64_t evaluated_ms, duration_us;
    uint64_t samples;    /* of the last evaluation */
    bool alerts_changed; /* in the last evaluation: an alert's phase is another */
};

struct lane {
    struct rules *rules;
    bool fast;
    struct thread *thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;
};

/* Series of rules that are gone: stale unless another rule writes them by then. */
struct orphans {
    struct orphans *next;
    int64_t due_ms;
    struct label_box **series;
    size_t n;
};

struct rules {
    struct rules_config config;
    char *external_url; /* without a slash at its end; "" when there is none */
    int state_base;
    struct label_box *external_labels;

    pthread_rwlock_t set_lock;
    struct rule_set *set; /* NULL before the first load */
    struct group *groups;
    size_t n_groups;
    struct orphans *orphans;

    pthread_mutex_t view_lock;     /* views and the refs of rule sets; held for pointer swaps only */
    struct group_view **published; /* one per group */
    size_t n_published;
    atomic_int_least64_t newest_ms;
    atomic_int_least64_t input_ms[STORE_WATCH_MAX]; /* the same per watched name */
    atomic_bool stopping;
    struct lane lanes[2]; /* slow, fast */
    atomic_uint_least64_t template_failures, state_failures, write_failures, clock_steps;
    atomic_bool load_ok;
    atomic_int_least64_t loaded_ms;
};

static inline int64_t rules_now_ms(const struct rules *ru)
{
    return ru->config.now_ms(ru->config.now_ctx);
}

/* ---- inputs.c ---- */
/* Have the store tell of the set's inputs. Waits for the store's writer: not under set_lock. */
MUST_USE int rules_watch_inputs(struct rules *ru, struct rule_set *set);
/* Newest live sample of what the group reads, TIME_NONE: none yet. */
int64_t rules_newest_input_ms(const struct rules *ru, const struct group_def *def);
/* Note a commit's times. Was there anything new? */
bool rules_take_commit(struct rules *ru, const struct commit_info *info, int64_t now_ms);

/* ---- output.c ---- */
struct output {
    struct write_request *request; /* NULL: nothing to write */
    struct write_series *series;
    size_t n, cap;
};
/* Note a sample of the rule's series (all of them before output_vanished). */
MUST_USE int output_add(struct output *out, struct rule *r, const struct labels *labels, int64_t t_ms, double value,
                        const struct native_histogram *histogram);
/* Series of the last evaluation that this one did not give: stale markers. */
MUST_USE int output_vanished(struct output *out, struct rule *r, int64_t t_ms);
MUST_USE int output_stale(struct output *out, const struct labels *labels, int64_t t_ms);
/* Write and wait for the commit. *ret_why has words when it fails or refuses: -EINVAL for refused samples. */
MUST_USE int output_flush(struct output *out, struct store *store, char *why, size_t why_bytes);
void output_done(struct output *out);
/* After a successful write: forget the vanished. */
MUST_USE int series_forget_vanished(struct rule *r);

/* ---- rules_state.c ---- */
struct evaluation;
struct alert_sent {
    struct active_alert *alert;
    int64_t before_ms; /* last_sent_ms to go back to when the commit fails */
};
struct alert_change { /* of one rule in one evaluation; all memory is the evaluation's */
    struct evaluation *evaluation;
    struct rule *rule;
    struct active_alert **puts;
    struct span *deletes; /* packed labels */
    struct alert *alerts; /* for the sink */
    struct alert_sent *sent;
    size_t n_puts, n_deletes, n_alerts;
    bool all; /* the rule's other rows go */
    int result;
    struct alert_change *next;
};
/* Hand it to the state writer; *done (under lock) is told. */
void alert_change_submit(struct alert_change *c);
/* Read rows into the rules they belong to; rows of unknown rules are deleted. */
MUST_USE int rules_state_restore(struct rules *ru, const struct strmap *rules_by_key, int64_t now_ms);
MUST_USE int rules_state_delete(struct rules *ru, const struct span *keys, size_t n);

/* ---- alerts.c, record.c ---- */
void active_alert_free(struct active_alert *a);
/* -errno with words in rule->last_error. */
MUST_USE int alerts_evaluate(struct evaluation *e, struct rule *r, const struct promql_result *result);
void alerts_hold(struct evaluation *e, struct rule *r);
/* keep_last.c: set `held` of the alerts that the evaluation did not see. */
void keep_last_mark(struct evaluation *e, struct rule *r);
MUST_USE int record_evaluate(struct evaluation *e, struct rule *r, const struct promql_result *result);

/* ---- evaluate.c ---- */
struct evaluation {
    struct rules *rules;
    struct group *group;
    int64_t t_ms;         /* evaluation time */
    int64_t sample_ms;    /* t_ms less the query offset: what is queried, and the stamp of what is written */
    struct arena scratch; /* one rule's; reset between rules */
    struct arena kept;    /* until every change is committed */
    struct output out;
    size_t written; /* rules before this one are in the store */
    size_t rule;    /* is evaluated now */
    struct alert_change *changes;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t outstanding;
};
void group_evaluate(struct rules *ru, struct group *g, int64_t t_ms);
/* Write what the rules before this one gave: the rule's templates ask for it. */
void evaluation_write(struct evaluation *e);
int64_t evaluation_timeout_ms(const struct evaluation *e); /* of a query; 0: the engine's */
PRINTF_LIKE(3, 4) int rule_fail(struct rule *r, int error, const char *format, ...);

/* ---- rules_view.c ---- */
/* Publish a copy of the group as it is now. Without memory the old copy stays. */
void group_publish(struct rules *ru, const struct group *g);
/* The same for all groups of a new set; the old set's views go with their last reader. -ENOMEM: nothing changed. */
MUST_USE int groups_publish(struct rules *ru);
void rules_unpublish(struct rules *ru);
void rule_set_unref(struct rules *ru, struct rule_set *set);
