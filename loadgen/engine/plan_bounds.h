/* plan_bounds.h - the thresholds of a plan file.
 *
 *   struct plan_bounds bounds = {0};
 *   r = plan_bounds_read(doc, node, &arena, &bounds, &problems);        // [{step: pay, slo: "p95<800ms err<1%"}]
 *   r = plan_bounds_check(doc, &bounds, &names, &problems);             // once the journeys are loaded
 *
 * A misspelt name would be a bound that is never broken: it is an error, with the nearest that there is. */
#pragma once

#include "lib/wire/yaml.h"
#include "loadgen/engine/config.h"

struct plan_bounds {
    struct threshold *list;
    const struct yaml_node **nodes; /* where each stands */
    size_t n;
};
struct plan_names {
    const struct journeys *journeys;
    const struct traffic_class *classes;
    size_t n_classes;
    const struct plan_phase *phases;
    size_t n_phases;
};
/* list NULL: none. What it holds lives in the arena and the document. -EINVAL: problems were added; -ENOMEM. */
MUST_USE int plan_bounds_read(const struct yaml *doc, const struct yaml_node *list, struct arena *arena,
                              struct plan_bounds *ret, struct problems *problems);
MUST_USE int plan_bounds_check(const struct yaml *doc, const struct plan_bounds *bounds, const struct plan_names *known,
                               struct problems *problems);
