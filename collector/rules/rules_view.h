/* rules_view.h - copies of what evaluations know, for readers that must not make them wait. Private to the room. */
#pragma once

#include "collector/rules/rules_internal.h"

struct alert_view {
    struct labels labels, annotations;
    enum alert_phase phase;
    double value;
    int64_t active_ms, fired_ms, keep_firing_since_ms;
};
struct rule_view {
    enum rule_health health;
    struct span last_error;
    int64_t evaluation_us, evaluated_ms;
    struct alert_view *alerts; /* pending and firing, by labels */
    size_t n_alerts, n_firing;
};
struct group_view {
    unsigned refs;
    struct rule_set *set; /* keeps def alive */
    const struct group_def *def;
    struct arena arena;
    struct rule_view *rules;
    uint64_t iterations, missed, evaluations, failures, samples;
    int64_t evaluated_ms, duration_us;
};

/* The newest view of each group, for reading; give them back with rules_views_unref. NULL and 0 without memory. */
struct group_view **rules_views_get(const struct rules *ru, size_t *ret_n);
void rules_views_unref(struct rules *ru, struct group_view **list, size_t n);
