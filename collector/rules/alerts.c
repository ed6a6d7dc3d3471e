/* Alerting rules: from a query's result to states, as Prometheus's rules/alerting.go has it. */
#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/wire/url.h"

void active_alert_free(struct active_alert *a)
{
    if (!a)
        return;
    free(a->labels);
    free(a->annotations);
    free(a);
}

/* ---- the result with its final labels ---- */
struct candidate {
    struct label_box *labels, *annotations;
    double value;
};
struct candidates {
    struct candidate *list;
    size_t n;
};

static void candidates_done(struct candidates *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->list[i].labels);
        free(c->list[i].annotations);
    }
}

/* Expand into the scratch arena. A failing template gives its error as text. */
MUST_USE static int expand(struct evaluation *e, const struct template *t, const struct template_data *data,
                           struct span *ret)
{
    struct buf out;
    buf_init(&out, 2 * TEMPLATE_BYTES_MAX);
    int r = template_expand(t, data, &out);
    bool ok = buf_error(&out) == 0;
    *ret = arena_span(&e->scratch, buf_view(&out), &ok);
    if (r == -EINVAL) {
        unsigned long hidden;
        atomic_fetch_add_explicit(&e->rules->template_failures, 1, memory_order_relaxed);
        if (log_allow("alert template", 60000, &hidden))
            log_warn("expanding an alert's template failed", "result", SPAN_FMT, SPAN_ARG(buf_view(&out)), "repeated",
                     "%lu", hidden);
    }
    buf_done(&out);
    return ok ? 0 : -ENOMEM;
}

MUST_USE static int alert_labels(struct evaluation *e, const struct rule_def *def, const struct template_data *data,
                                 struct label_box **ret)
{
    struct label_builder b;
    struct labels labels;
    label_builder_init(&b, &e->scratch);
    label_builder_from(&b, data->labels);
    label_builder_remove(&b, SPAN("__name__"));
    for (size_t i = 0; i < def->labels.n; i++) {
        struct span value;
        int r = expand(e, def->label_templates[i], data, &value);
        if (r < 0)
            return r;
        label_builder_set(&b, def->labels.pairs[i].name, value);
    }
    label_builder_set(&b, SPAN("alertname"), def->name);
    int r = label_builder_finish(&b, &labels);
    return r < 0 ? r : label_box_new(&labels, ret);
}

MUST_USE static int alert_annotations(struct evaluation *e, const struct rule_def *def,
                                      const struct template_data *data, struct label_box **ret)
{
    struct labels set = {arena_array(&e->scratch, def->annotations.n, sizeof(struct label)), def->annotations.n};
    if (!set.pairs)
        return -ENOMEM;
    for (size_t i = 0; i < set.n; i++) {
        set.pairs[i].name = def->annotations.pairs[i].name;
        int r = expand(e, def->annotation_templates[i], data, &set.pairs[i].value);
        if (r < 0)
            return r;
    }
    return label_box_new(&set, ret);
}

/* The templates' function query: at the time of the evaluation, whose writes so far it sees. */
static int ask(void *ctx, struct span expr, struct arena *arena, const struct template_sample **ret, size_t *ret_n,
               char *why, size_t why_bytes)
{
    struct evaluation *e = ctx;
    struct promql_result *result = NULL;
    struct promql_error error;
    evaluation_write(e);
    int r = query_run(e->rules->config.query,
                      &(struct query_request){.text = expr,
                                              .start_ms = e->t_ms,
                                              .end_ms = e->t_ms,
                                              .timeout_ms = evaluation_timeout_ms(e),
                                              .origin = SPAN("rules")},
                      &result, &error);
    if (r < 0) {
        snprintf(why, why_bytes, "%s", error.text);
        return r;
    }
    size_t n = 0;
    bool vector = result->type == PROMQL_VECTOR || result->type == PROMQL_SCALAR;
    struct template_sample *list = arena_array(arena, vector ? result->n_series : 0, sizeof *list);
    r = !list ? -ENOMEM : vector ? 0 : -EINVAL;
    for (size_t i = 0; r == 0 && i < result->n_series; i++) {
        const struct promql_series *s = &result->series[i];
        if (!s->present[0])
            continue;
        list[n].value = s->values[0];
        r = labels_copy(arena, &s->labels, &list[n++].labels);
    }
    promql_result_free(result);
    if (r < 0)
        snprintf(why, why_bytes, "%s", r == -EINVAL ? "query result is not a vector or scalar" : strerror(-r));
    *ret = list;
    *ret_n = n;
    return r;
}

MUST_USE static int make_candidate(struct evaluation *e, const struct rule_def *def, const struct promql_series *s,
                                   struct candidate *c)
{
    struct template_data data = {.labels = &s->labels,
                                 .value = s->values[0],
                                 .external_labels = &e->rules->external_labels->labels,
                                 .external_url = e->rules->external_url,
                                 .now_ms = e->t_ms,
                                 .query = ask,
                                 .query_ctx = e};
    c->value = s->values[0];
    int r = alert_labels(e, def, &data, &c->labels);
    return r < 0 ? r : alert_annotations(e, def, &data, &c->annotations);
}

MUST_USE static int make_candidates(struct evaluation *e, struct rule *r, const struct promql_result *result,
                                    struct candidates *c)
{
    c->list = arena_array(&e->scratch, result->n_series, sizeof *c->list);
    if (!c->list)
        return rule_fail(r, -ENOMEM, "out of memory");
    struct strmap seen;
    strmap_init(&seen, result->n_series + 1);
    int error = 0;
    for (size_t i = 0; i < result->n_series && error == 0; i++) {
        if (!result->series[i].present[0])
            continue;
        struct candidate *one = &c->list[c->n++];
        error = make_candidate(e, r->def, &result->series[i], one);
        if (error < 0)
            error = rule_fail(r, error, "labels of the alert: %s", strerror(-error));
        else if (strmap_has(&seen, one->labels->packed))
            error = rule_fail(r, -EINVAL, "vector contains metrics with the same labelset after applying alert labels");
        else if (strmap_put(&seen, one->labels->packed, NULL) < 0)
            error = rule_fail(r, -ENOMEM, "out of memory");
    }
    strmap_done(&seen);
    return error;
}

/* ---- states ---- */
struct transition {
    struct evaluation *e;
    struct rule *rule;
    struct alert_change *change;
    struct active_alert **gone; /* to be freed once the change is made */
    size_t n_gone;
};

/* New alerts begin as pending; known ones take the new value and annotations. */
MUST_USE static int merge(struct evaluation *e, struct rule *r, struct candidates *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct candidate *one = &c->list[i];
        struct active_alert *a = strmap_get(&r->active, one->labels->packed);
        bool begins = !a || a->phase == ALERT_INACTIVE;
        if (!a) {
            a = calloc(1, sizeof *a);
            if (!a)
                return -ENOMEM;
            int error = strmap_put(&r->active, one->labels->packed, a);
            if (error < 0) {
                free(a);
                return error;
            }
            a->labels = one->labels;
            one->labels = NULL;
        }
        if (begins) {
            e->group->alerts_changed = true;
            a->phase = ALERT_PENDING;
            a->active_ms = e->t_ms;
            a->fired_ms = a->resolved_ms = a->last_sent_ms = a->valid_until_ms = a->keep_firing_since_ms = TIME_NONE;
            a->dirty = true;
        }
        free(a->annotations);
        a->annotations = one->annotations;
        one->annotations = NULL;
        a->value = one->value;
        a->seen = true;
        a->restored = false;
    }
    return 0;
}

static bool in_restart_grace(const struct evaluation *e, const struct active_alert *a)
{
    return a->restored && e->t_ms < e->group->grace_until_ms;
}

/* Not in the result. Returns whether it stays active. */
static bool missing(struct transition *t, struct active_alert *a)
{
    int64_t now_ms = t->e->t_ms;
    bool keeps = a->phase != ALERT_INACTIVE && (a->held || in_restart_grace(t->e, a));
    if (!keeps && a->phase == ALERT_FIRING && t->rule->def->keep_firing_ms > 0) {
        if (a->keep_firing_since_ms == TIME_NONE) {
            a->keep_firing_since_ms = now_ms;
            a->dirty = true;
        }
        keeps = now_ms - a->keep_firing_since_ms < t->rule->def->keep_firing_ms;
    }
    if (keeps)
        return true;
    bool forget = a->phase == ALERT_PENDING ||
                  (a->resolved_ms != TIME_NONE && now_ms - a->resolved_ms > RULES_RESOLVED_RETENTION_MS);
    if (forget) {
        t->e->group->alerts_changed |= a->phase == ALERT_PENDING;
        t->gone[t->n_gone++] = a;
    } else if (a->phase != ALERT_INACTIVE) {
        t->e->group->alerts_changed = true;
        a->phase = ALERT_INACTIVE;
        a->resolved_ms = now_ms;
        a->dirty = true;
    }
    return false;
}

/* In the result: does it fire? */
static void hold(const struct transition *t, struct active_alert *a)
{
    int64_t now_ms = t->e->t_ms, held_ms = now_ms - a->active_ms;
    if (held_ms < 0) { /* the clock was stepped back: hold from now on */
        a->active_ms = now_ms;
        held_ms = 0;
        a->dirty = true;
    }
    if (a->keep_firing_since_ms != TIME_NONE) {
        a->keep_firing_since_ms = TIME_NONE;
        a->dirty = true;
    }
    if (a->phase == ALERT_PENDING && held_ms >= t->rule->def->for_ms) {
        t->e->group->alerts_changed = true;
        a->phase = ALERT_FIRING;
        a->fired_ms = now_ms;
        a->dirty = true;
    } else if (a->phase == ALERT_FIRING && held_ms < t->rule->def->for_ms) { /* `for` was raised by a reload */
        t->e->group->alerts_changed = true;
        a->phase = ALERT_PENDING;
        a->fired_ms = TIME_NONE;
        a->dirty = true;
    }
}

/* ALERTS and ALERTS_FOR_STATE of an active alert. */
MUST_USE static int write_states(struct evaluation *e, struct rule *r, const struct active_alert *a)
{
    struct label_builder b;
    struct labels labels;
    label_builder_init(&b, &e->scratch);
    label_builder_from(&b, &a->labels->labels);
    label_builder_set(&b, SPAN("__name__"), SPAN("ALERTS"));
    label_builder_set(&b, SPAN("alertstate"), a->phase == ALERT_FIRING ? SPAN("firing") : SPAN("pending"));
    int error = label_builder_finish(&b, &labels);
    if (error == 0)
        error = output_add(&e->out, r, &labels, e->sample_ms, 1, NULL);
    if (error < 0)
        return error;
    label_builder_init(&b, &e->scratch);
    label_builder_from(&b, &a->labels->labels);
    label_builder_set(&b, SPAN("__name__"), SPAN("ALERTS_FOR_STATE"));
    error = label_builder_finish(&b, &labels);
    int64_t active_s = a->active_ms / 1000 - (a->active_ms % 1000 < 0); /* Go's Unix() rounds down */
    return error < 0 ? error : output_add(&e->out, r, &labels, e->sample_ms, (double)active_s, NULL);
}

/* ---- what is told ---- */
static bool needs_sending(const struct evaluation *e, const struct active_alert *a)
{
    if (a->phase == ALERT_PENDING)
        return false;
    if (a->last_sent_ms == TIME_NONE || (a->resolved_ms != TIME_NONE && a->resolved_ms > a->last_sent_ms))
        return true;
    return a->last_sent_ms + e->rules->config.resend_ms < e->t_ms;
}

/* The labels as they leave: with external labels where the alert has none of that name. */
MUST_USE static int outgoing_labels(struct evaluation *e, const struct active_alert *a, struct labels *ret)
{
    struct label_builder b;
    label_builder_init(&b, &e->kept);
    label_builder_from(&b, &e->rules->external_labels->labels);
    for (size_t i = 0; i < a->labels->labels.n; i++)
        label_builder_set(&b, a->labels->labels.pairs[i].name, a->labels->labels.pairs[i].value);
    return label_builder_finish(&b, ret);
}

static struct span generator_url(struct evaluation *e, const struct rule_def *def)
{
    struct buf url;
    buf_init(&url, 4 * QUERY_TEXT_BYTES_MAX);
    buf_str(&url, e->rules->external_url);
    buf_str(&url, "/graph?g0.expr=");
    url_encode(&url, def->query);
    buf_str(&url, "&g0.tab=1");
    bool ok = true;
    struct span s = arena_span(&e->kept, buf_view(&url), &ok); /* empty without memory: a link is not worth an alert */
    buf_done(&url);
    return s;
}

MUST_USE static int tell(struct transition *t, struct active_alert *a, struct span url)
{
    struct alert_change *c = t->change;
    int64_t resend_ms = t->e->rules->config.resend_ms, interval_ms = t->e->group->def->interval_ms;
    struct alert *out = &c->alerts[c->n_alerts];
    int error = outgoing_labels(t->e, a, &out->labels);
    if (error < 0)
        return error;
    c->sent[c->n_alerts++] = (struct alert_sent){a, a->last_sent_ms};
    a->last_sent_ms = t->e->t_ms;
    a->valid_until_ms = t->e->t_ms + 4 * (interval_ms > resend_ms ? interval_ms : resend_ms);
    a->dirty = true;
    out->annotations = a->annotations->labels;
    out->starts_ms = a->fired_ms;
    out->resolved = a->phase == ALERT_INACTIVE;
    out->ends_ms = out->resolved ? a->resolved_ms : a->valid_until_ms;
    out->updated_ms = t->e->t_ms;
    out->value = a->value;
    out->generator_url = url;
    return 0;
}

/* ---- one evaluation ---- */
MUST_USE static int make_change(struct evaluation *e, struct rule *r, struct transition *t)
{
    size_t n = r->active.used;
    struct alert_change *c = arena_alloc(&e->kept, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->evaluation = e;
    c->rule = r;
    c->puts = arena_array(&e->kept, n, sizeof *c->puts);
    c->deletes = arena_array(&e->kept, n, sizeof *c->deletes);
    c->alerts = arena_array(&e->kept, n, sizeof *c->alerts);
    c->sent = arena_array(&e->kept, n, sizeof *c->sent);
    t->gone = arena_array(&e->scratch, n, sizeof *t->gone);
    *t = (struct transition){e, r, c, t->gone, 0};
    return c->puts && c->deletes && c->alerts && c->sent && t->gone ? 0 : -ENOMEM;
}

/* Every alert one step on. Returns how many are pending or firing then. */
static size_t advance(struct transition *t)
{
    size_t at = 0, active = 0;
    struct span key;
    void *value;
    while (strmap_next(&t->rule->active, &at, &key, &value)) {
        struct active_alert *a = value;
        bool stays = a->seen || missing(t, a);
        if (a->seen)
            hold(t, a);
        active += stays;
    }
    return active;
}

MUST_USE static int drop_gone(struct transition *t)
{
    struct alert_change *c = t->change;
    for (size_t i = 0; i < t->n_gone; i++) {
        bool ok = true;
        c->deletes[c->n_deletes++] = arena_span(&t->e->kept, t->gone[i]->labels->packed, &ok);
        if (!ok)
            return -ENOMEM;
        (void)strmap_remove(&t->rule->active, t->gone[i]->labels->packed);
    }
    return 0;
}

/* Samples, news and rows of what is left. */
MUST_USE static int collect(struct transition *t)
{
    size_t at = 0;
    struct span key, url = {NULL, 0};
    void *value;
    struct alert_change *c = t->change;
    while (strmap_next(&t->rule->active, &at, &key, &value)) {
        struct active_alert *a = value;
        int error = a->phase == ALERT_INACTIVE ? 0 : write_states(t->e, t->rule, a);
        if (error == 0 && needs_sending(t->e, a)) {
            if (!url.len)
                url = generator_url(t->e, t->rule->def);
            error = tell(t, a, url);
        }
        if (error < 0)
            return error;
        if (a->dirty || t->rule->resync)
            c->puts[c->n_puts++] = a;
    }
    c->all = t->rule->resync;
    return 0;
}

/* Prometheus forgets every alert of a rule that passes its limit; the receiver's time-out ends what fired. */
static int over_limit(struct transition *t, uint64_t limit, size_t active)
{
    struct alert_change *c = t->change;
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&t->rule->active, &at, &key, &value))
        active_alert_free(value);
    strmap_done(&t->rule->active);
    strmap_init(&t->rule->active, RULE_SERIES_MAX * 2);
    c->all = true;
    t->e->group->alerts_changed = true;
    alert_change_submit(c);
    return rule_fail(t->rule, -E2BIG, "exceeded limit of %llu with %zu alerts", (unsigned long long)limit, active);
}

MUST_USE static int step(struct transition *t)
{
    struct evaluation *e = t->e;
    struct rule *r = t->rule;
    struct alert_change *c = t->change;
    uint64_t limit = e->group->def->limit;
    size_t active = advance(t);
    if (limit > 0 && active > limit)
        return over_limit(t, limit, active);
    r->generation++;
    int error = drop_gone(t);
    if (error == 0)
        error = collect(t);
    if (error == 0)
        error = output_vanished(&e->out, r, e->sample_ms);
    if (error < 0)
        return rule_fail(r, error, "cannot hold the alerts: %s", strerror(-error));
    e->group->samples += 2 * active;
    if (c->n_puts || c->n_deletes || c->n_alerts || c->all)
        alert_change_submit(c);
    for (size_t i = 0; i < t->n_gone; i++)
        active_alert_free(t->gone[i]);
    return 0;
}

int alerts_evaluate(struct evaluation *e, struct rule *r, const struct promql_result *result)
{
    struct candidates c = {0};
    int error = make_candidates(e, r, result, &c);
    if (error < 0) {
        candidates_done(&c);
        return error;
    }
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&r->active, &at, &key, &value))
        ((struct active_alert *)value)->seen = false;
    struct transition t = {0};
    error = merge(e, r, &c);
    keep_last_mark(e, r);
    if (error == 0)
        error = make_change(e, r, &t);
    candidates_done(&c);
    if (error < 0)
        return rule_fail(r, error, "cannot hold the alerts: %s", strerror(-error));
    return step(&t);
}

/* The rule could not be evaluated: what fires is unknown, not over, so the receiver is told in time that it holds. */
void alerts_hold(struct evaluation *e, struct rule *r)
{
    struct transition t = {0};
    if (make_change(e, r, &t) < 0)
        return; /* no memory: the next evaluation tries again */
    size_t at = 0;
    struct span key, url = generator_url(e, r->def);
    void *value;
    while (strmap_next(&r->active, &at, &key, &value)) {
        struct active_alert *a = value;
        if (a->phase == ALERT_FIRING && needs_sending(e, a) && tell(&t, a, url) == 0)
            t.change->puts[t.change->n_puts++] = a;
    }
    if (t.change->n_alerts)
        alert_change_submit(t.change);
}
