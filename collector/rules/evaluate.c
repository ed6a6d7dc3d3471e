/* One evaluation of a group: its rules in order, each seeing what the ones before it wrote.
 *
 * A write waits for the store's commit, so it is put off until a rule reads what is not written yet (rule_def.reads_from) or the
 * group ends: a group of independent rules costs one commit. Alerts do not wait for that: each rule's change of state goes to the
 * state writer at once, and the deliveries it causes leave from there; the group waits for all of them at its end. */
#include <errno.h>
#include <stdarg.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define SCRATCH_BYTES_MAX (512ul << 20)
#define FAST_QUERY_MS 5000 /* a query of a group that runs every second is of no use later */

int rule_fail(struct rule *r, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->last_error, sizeof r->last_error, format, args);
    va_end(args);
    r->health = RULE_BAD;
    return error;
}

/* ---- writing ---- */

/* The rules from e->written to (not including) end are in e->out. */
static void write_out(struct evaluation *e, size_t end)
{
    struct group *g = e->group;
    char why[PROBLEM_TEXT_MAX] = "";
    int r = output_flush(&e->out, e->rules->config.store, why, sizeof why);
    size_t rules = end - e->written;
    for (size_t i = e->written; i < end; i++) {
        if (r < 0 && r != -EINVAL && g->rules[i].health == RULE_OK)
            (void)rule_fail(&g->rules[i], r, "cannot write the result: %s", why);
        if (r == 0 || r == -EINVAL) {
            int forgot = series_forget_vanished(&g->rules[i]);
            if (forgot < 0) /* their markers will be written again: no harm */
                (void)rule_fail(&g->rules[i], forgot, "%s", strerror(-forgot));
        }
    }
    if (r == -EINVAL && rules == 1)
        (void)rule_fail(&g->rules[e->written], r, "samples were refused: %s", why);
    else if (r == -EINVAL)
        g->write_singly = true;
    if (r < 0) {
        unsigned long hidden;
        atomic_fetch_add_explicit(&e->rules->write_failures, 1, memory_order_relaxed);
        if (log_allow("rule write", 10000, &hidden))
            log_warn("writing a rule group's samples failed", "group", SPAN_FMT, SPAN_ARG(g->def->name), "error", "%s",
                     why, "repeated", "%lu", hidden);
    }
    e->written = end;
}

void evaluation_write(struct evaluation *e)
{
    if (e->rule > e->written)
        write_out(e, e->rule);
}

int64_t evaluation_timeout_ms(const struct evaluation *e)
{
    return schedule_is_fast(&e->group->schedule) ? FAST_QUERY_MS : 0;
}

/* ---- one rule ---- */
static void log_failure(const struct evaluation *e, const struct rule *r)
{
    unsigned long hidden;
    char cause[64];
    (void)snprintf(cause, sizeof cause, "rule %p", (const void *)r);
    if (log_allow(cause, 60000, &hidden))
        log_warn("evaluating a rule failed", "group", SPAN_FMT, SPAN_ARG(e->group->def->name), "rule", SPAN_FMT,
                 SPAN_ARG(r->def->name), "error", "%s", r->last_error, "repeated", "%lu", hidden);
}

MUST_USE static int run_query(struct evaluation *e, struct rule *r, struct promql_result **ret)
{
    struct query_request request = {.text = r->def->expr,
                                    .start_ms = e->sample_ms,
                                    .end_ms = e->sample_ms,
                                    .timeout_ms = evaluation_timeout_ms(e),
                                    .origin = SPAN("rules")};
    struct promql_error error = {0};
    int failed = query_run(e->rules->config.query, &request, ret, &error);
    if (failed < 0)
        return rule_fail(r, failed, "%s", error.text[0] ? error.text : strerror(-failed));
    if ((*ret)->type != PROMQL_VECTOR && (*ret)->type != PROMQL_SCALAR) {
        promql_result_free(*ret);
        return rule_fail(r, -EINVAL, "rule result is not a vector or scalar");
    }
    if ((*ret)->n_series > RULE_SERIES_MAX) {
        size_t n = (*ret)->n_series;
        promql_result_free(*ret);
        return rule_fail(r, -E2BIG, "%zu series in the result, the limit is %u", n, RULE_SERIES_MAX);
    }
    return 0;
}

static void evaluate_rule(struct evaluation *e, struct rule *r)
{
    int64_t start_us = mono_us();
    struct promql_result *result = NULL;
    int error = run_query(e, r, &result);
    if (error == 0) {
        r->health = RULE_OK;
        r->last_error[0] = '\0';
        error = r->def->kind == RULE_ALERT ? alerts_evaluate(e, r, result) : record_evaluate(e, r, result);
        promql_result_free(result);
    }
    r->evaluated_ms = e->t_ms;
    r->evaluation_us = mono_us() - start_us;
    e->group->evaluations++;
    if (error < 0) {
        e->group->failures++;
        log_failure(e, r);
        if (r->def->kind == RULE_ALERT)
            alerts_hold(e, r);
    }
    arena_reset(&e->scratch);
}

/* ---- the end of the group ---- */

/* What the state writer could not commit is tried again with the next evaluation, together with the news it would have caused. */
static void settle(struct evaluation *e, struct alert_change *c)
{
    if (c->result == 0) {
        for (size_t i = 0; i < c->n_puts; i++)
            c->puts[i]->dirty = false;
        if (c->all)
            c->rule->resync = false;
        return;
    }
    for (size_t i = 0; i < c->n_alerts; i++)
        c->sent[i].alert->last_sent_ms = c->sent[i].before_ms;
    c->rule->resync = true;
    (void)rule_fail(c->rule, c->result, "alert state could not be committed: %s", strerror(-c->result));
    unsigned long hidden;
    atomic_fetch_add_explicit(&e->rules->state_failures, 1, memory_order_relaxed);
    if (log_allow("rule state", 10000, &hidden))
        log_error("alert state could not be committed, will be tried again", "rule", SPAN_FMT,
                  SPAN_ARG(c->rule->def->name), "error", "%s", strerror(-c->result), "repeated", "%lu", hidden);
}

static void wait_for_changes(struct evaluation *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->outstanding)
        pthread_cond_wait(&e->idle, &e->lock);
    pthread_mutex_unlock(&e->lock);
    for (struct alert_change *c = e->changes; c; c = c->next)
        settle(e, c);
}

static void evaluate_rules(struct evaluation *e)
{
    struct group *g = e->group;
    bool singly = g->write_singly;
    g->write_singly = false;
    for (size_t i = 0; i < g->def->n_rules; i++) {
        if (g->rules[i].def->reads_from >= (int)e->written || (singly && i > 0))
            write_out(e, i);
        e->rule = i;
        evaluate_rule(e, &g->rules[i]);
    }
    write_out(e, g->def->n_rules);
    /* After refusals the next evaluations write singly too, until one of them has none. */
    for (size_t i = 0; singly && i < g->def->n_rules; i++)
        g->write_singly = g->write_singly || g->rules[i].health == RULE_BAD;
}

void group_evaluate(struct rules *ru, struct group *g, int64_t t_ms)
{
    int64_t start_us = mono_us();
    struct evaluation e = {.rules = ru,
                           .group = g,
                           .t_ms = t_ms,
                           .sample_ms = t_ms - g->def->query_offset_ms,
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .idle = PTHREAD_COND_INITIALIZER};
    arena_init(&e.scratch, SCRATCH_BYTES_MAX);
    arena_init(&e.kept, SCRATCH_BYTES_MAX);
    if (g->grace_until_ms == TIME_NONE) {
        int64_t twice_ms = 2 * g->def->interval_ms;
        g->grace_until_ms = t_ms + (twice_ms > RULES_RESTART_GRACE_MS ? twice_ms : RULES_RESTART_GRACE_MS);
    }
    g->samples = 0;
    g->alerts_changed = false;
    evaluate_rules(&e);
    wait_for_changes(&e);
    output_done(&e.out);
    arena_done(&e.scratch);
    arena_done(&e.kept);
    pthread_cond_destroy(&e.idle);
    pthread_mutex_destroy(&e.lock);
    g->iterations++;
    g->evaluated_ms = t_ms;
    g->duration_us = mono_us() - start_us;
    group_publish(ru, g);
    if (g->alerts_changed && ru->config.watch.alerts_changed)
        ru->config.watch.alerts_changed(ru->config.watch.ctx);
}
