/* Copies of what evaluations know, for readers that must not make them wait: the API's JSON and /metrics. */
#include <errno.h>

#include "collector/rules/rules_view.h"

#define VIEW_BYTES_MAX (1ul << 30)

/* ---- sharing ---- */
static void set_unref_locked(struct rule_set *set)
{
    if (set && --set->refs == 0)
        rule_set_free(set);
}

void rule_set_unref(struct rules *ru, struct rule_set *set)
{
    pthread_mutex_lock(&ru->view_lock);
    set_unref_locked(set);
    pthread_mutex_unlock(&ru->view_lock);
}

static void view_unref_locked(struct group_view *v)
{
    if (!v || --v->refs > 0)
        return;
    set_unref_locked(v->set);
    arena_done(&v->arena);
    free(v);
}

void rules_views_unref(struct rules *ru, struct group_view **list, size_t n)
{
    pthread_mutex_lock(&ru->view_lock);
    for (size_t i = 0; i < n; i++)
        view_unref_locked(list[i]);
    pthread_mutex_unlock(&ru->view_lock);
    free(list);
}

/* The views as they are now, each with a reference. NULL with *ret_n = 0 without memory. */
struct group_view **rules_views_get(const struct rules *ru, size_t *ret_n)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&ru->view_lock;
    pthread_mutex_lock(lock);
    struct group_view **list = malloc((ru->n_published ? ru->n_published : 1) * sizeof *list);
    *ret_n = list ? ru->n_published : 0;
    for (size_t i = 0; i < *ret_n; i++) {
        list[i] = ru->published[i];
        list[i]->refs++;
    }
    pthread_mutex_unlock(lock);
    return list;
}

/* ---- copying ---- */
static int by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct alert_view *)a)->labels, &((const struct alert_view *)b)->labels);
}

MUST_USE static int copy_alerts(struct arena *arena, const struct rule *r, struct rule_view *v)
{
    v->alerts = arena_array(arena, r->active.used, sizeof *v->alerts);
    if (!v->alerts)
        return -ENOMEM;
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&r->active, &at, &key, &value)) {
        const struct active_alert *a = value;
        if (a->phase == ALERT_INACTIVE)
            continue;
        struct alert_view *to = &v->alerts[v->n_alerts++];
        to->phase = a->phase;
        to->value = a->value;
        to->active_ms = a->active_ms;
        to->fired_ms = a->fired_ms;
        to->keep_firing_since_ms = a->keep_firing_since_ms;
        v->n_firing += a->phase == ALERT_FIRING;
        int e = labels_copy(arena, &a->labels->labels, &to->labels);
        if (e == 0)
            e = labels_copy(arena, &a->annotations->labels, &to->annotations);
        if (e < 0)
            return e;
    }
    qsort(v->alerts, v->n_alerts, sizeof *v->alerts, by_labels);
    return 0;
}

MUST_USE static int copy_rules(struct group_view *v, const struct group *g)
{
    v->rules = arena_array(&v->arena, g->def->n_rules, sizeof *v->rules);
    if (!v->rules)
        return -ENOMEM;
    for (size_t i = 0; i < g->def->n_rules; i++) {
        const struct rule *r = &g->rules[i];
        struct rule_view *to = &v->rules[i];
        bool ok = true;
        *to = (struct rule_view){.health = r->health,
                                 .last_error = arena_span(&v->arena, span_str(r->last_error), &ok),
                                 .evaluation_us = r->evaluation_us,
                                 .evaluated_ms = r->evaluated_ms};
        int e = ok ? copy_alerts(&v->arena, r, to) : -ENOMEM;
        if (e < 0)
            return e;
    }
    return 0;
}

static struct group_view *view_new(struct rules *ru, const struct group *g)
{
    struct group_view *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->refs = 1;
    v->def = g->def;
    v->iterations = g->iterations;
    v->missed = g->missed;
    v->evaluations = g->evaluations;
    v->failures = g->failures;
    v->samples = g->samples;
    v->evaluated_ms = g->evaluated_ms;
    v->duration_us = g->duration_us;
    arena_init(&v->arena, VIEW_BYTES_MAX);
    if (copy_rules(v, g) < 0) {
        arena_done(&v->arena);
        free(v);
        return NULL;
    }
    pthread_mutex_lock(&ru->view_lock);
    v->set = ru->set;
    v->set->refs++;
    pthread_mutex_unlock(&ru->view_lock);
    return v;
}

void group_publish(struct rules *ru, const struct group *g)
{
    struct group_view *v = view_new(ru, g);
    if (!v)
        return;
    pthread_mutex_lock(&ru->view_lock);
    size_t at = (size_t)(g - ru->groups);
    struct group_view *before = v;
    if (at < ru->n_published) { /* else: unpublished for want of memory */
        before = ru->published[at];
        ru->published[at] = v;
    }
    view_unref_locked(before);
    pthread_mutex_unlock(&ru->view_lock);
}

int groups_publish(struct rules *ru)
{
    struct group_view **list = calloc(ru->n_groups ? ru->n_groups : 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < ru->n_groups; i++) {
        list[i] = view_new(ru, &ru->groups[i]);
        if (!list[i]) {
            rules_views_unref(ru, list, i);
            return -ENOMEM;
        }
    }
    pthread_mutex_lock(&ru->view_lock);
    struct group_view **before = ru->published;
    size_t n = ru->n_published;
    ru->published = list;
    ru->n_published = ru->n_groups;
    pthread_mutex_unlock(&ru->view_lock);
    rules_views_unref(ru, before, n);
    return 0;
}

void rules_unpublish(struct rules *ru)
{
    rules_views_unref(ru, ru->published, ru->n_published);
    ru->published = NULL;
    ru->n_published = 0;
}

void rules_each_alert(const struct rules *ru, void (*fn)(void *ctx, const struct rules_alert *alert), void *ctx)
{
    size_t n;
    struct group_view **views = rules_views_get(ru, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < views[i]->def->n_rules; k++)
            for (size_t m = 0; m < views[i]->rules[k].n_alerts; m++) {
                const struct alert_view *a = &views[i]->rules[k].alerts[m];
                fn(ctx, &(struct rules_alert){.labels = &a->labels,
                                              .annotations = &a->annotations,
                                              .expr = views[i]->def->rules[k].query,
                                              .firing = a->phase == ALERT_FIRING,
                                              .value = a->value,
                                              .active_ms = a->active_ms,
                                              .fired_ms = a->fired_ms});
            }
    rules_views_unref((struct rules *)(uintptr_t)ru, views, n);
}

/* ---- /metrics ---- */
static double iterations(const struct group_view *v)
{
    return (double)v->iterations;
}
static double missed(const struct group_view *v)
{
    return (double)v->missed;
}
static double evaluations(const struct group_view *v)
{
    return (double)v->evaluations;
}
static double failures(const struct group_view *v)
{
    return (double)v->failures;
}
static double duration(const struct group_view *v)
{
    return (double)v->duration_us / 1e6;
}
static double last_evaluation(const struct group_view *v)
{
    return v->evaluated_ms == TIME_NONE ? 0 : (double)v->evaluated_ms / 1000;
}
static double last_samples(const struct group_view *v)
{
    return (double)v->samples;
}
static double interval(const struct group_view *v)
{
    return (double)v->def->interval_ms / 1000;
}
static double n_rules(const struct group_view *v)
{
    return (double)v->def->n_rules;
}

static const struct {
    const char *name;
    enum metric_kind kind;
    const char *help;
    double (*value)(const struct group_view *v);
} GROUP_FAMILIES[] = {
    {"crest_rule_group_iterations_total", METRIC_COUNTER, "Evaluations of the group.", iterations},
    {"crest_rule_group_iterations_missed_total", METRIC_COUNTER,
     "Evaluations skipped because one before took too long.", missed},
    {"crest_rule_evaluations_total", METRIC_COUNTER, "Evaluations of the group's rules.", evaluations},
    {"crest_rule_evaluation_failures_total", METRIC_COUNTER, "Evaluations of the group's rules that failed.", failures},
    {"crest_rule_group_last_duration_seconds", METRIC_GAUGE, "How long the last evaluation took.", duration},
    {"crest_rule_group_last_evaluation_timestamp_seconds", METRIC_GAUGE, "Time stamp of the last evaluation.",
     last_evaluation},
    {"crest_rule_group_last_evaluation_samples", METRIC_GAUGE, "Samples that the last evaluation gave.", last_samples},
    {"crest_rule_group_interval_seconds", METRIC_GAUGE, "Interval of the group.", interval},
    {"crest_rule_group_rules", METRIC_GAUGE, "Rules in the group.", n_rules},
};

static void write_group_families(struct group_view *const *views, size_t n, struct metric_writer *w)
{
    struct buf name;
    buf_init(&name, 1 << 20);
    for (size_t f = 0; f < ARRAY_LEN(GROUP_FAMILIES); f++) {
        metric_family(w, GROUP_FAMILIES[f].name, GROUP_FAMILIES[f].kind, GROUP_FAMILIES[f].help);
        for (size_t i = 0; i < n; i++) {
            buf_clear(&name);
            buf_span(&name, views[i]->def->file);
            buf_char(&name, ';');
            buf_span(&name, views[i]->def->name);
            metric_value(w, GROUP_FAMILIES[f].value(views[i]), "rule_group", name.data ? name.data : "", NULL);
        }
    }
    buf_done(&name);
}

static void write_alert_counts(struct group_view *const *views, size_t n, struct metric_writer *w)
{
    size_t pending = 0, firing = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < views[i]->def->n_rules; k++) {
            firing += views[i]->rules[k].n_firing;
            pending += views[i]->rules[k].n_alerts - views[i]->rules[k].n_firing;
        }
    metric_family(w, "crest_rule_alerts", METRIC_GAUGE, "Alerts by state.");
    metric_value(w, (double)pending, "state", "pending", NULL);
    metric_value(w, (double)firing, "state", "firing", NULL);
}

static void write_count(struct metric_writer *w, const char *name, const char *help,
                        const atomic_uint_least64_t *counter)
{
    metric_family(w, name, METRIC_COUNTER, help);
    metric_value(w, (double)atomic_load_explicit(counter, memory_order_relaxed), NULL);
}

void rules_stats(const struct rules *ru, struct metric_writer *w)
{
    size_t n;
    struct group_view **views = rules_views_get(ru, &n);
    write_group_families(views, n, w);
    write_alert_counts(views, n, w);
    rules_views_unref((struct rules *)(uintptr_t)ru, views, n);
    write_count(w, "crest_rule_template_failures_total", "Labels and annotations whose template failed.",
                &ru->template_failures);
    write_count(w, "crest_rule_state_failures_total", "Changes of alert state that could not be committed.",
                &ru->state_failures);
    write_count(w, "crest_rule_write_failures_total", "Writes of groups' samples that failed or were refused in part.",
                &ru->write_failures);
    write_count(w, "crest_rule_clock_steps_total", "Times the clock was found stepped back.", &ru->clock_steps);
    metric_family(w, "crest_rules_last_load_successful", METRIC_GAUGE,
                  "Were the rule files good when they were last read?");
    metric_value(w, atomic_load(&ru->load_ok), NULL);
    metric_family(w, "crest_rules_last_load_success_timestamp_seconds", METRIC_GAUGE,
                  "When rule files were last read well.");
    metric_value(w, (double)atomic_load(&ru->loaded_ms) / 1000, NULL);
}
