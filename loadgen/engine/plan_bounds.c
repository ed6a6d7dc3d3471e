#include "loadgen/engine/plan_bounds.h"

#include <errno.h>

#include "loadgen/hurl/slo.h"

struct bounds_reader {
    const struct yaml *doc;
    struct plan_bounds *bounds;
    struct problems *problems;
};

MUST_USE static int refuse(struct bounds_reader *rd, const struct yaml_node *at, const char *why)
{
    yaml_problem(rd->doc, at, rd->problems, "%s", why);
    return -EINVAL;
}

struct threshold_keys {
    const char *slo, *traffic, *journey, *step, *phase;
};

MUST_USE static int read_threshold(struct bounds_reader *rd, const struct yaml_node *node)
{
    static const struct yaml_field FIELDS[] = {
        {"slo", YAML_FIELD_TEXT, offsetof(struct threshold_keys, slo), .required = true},
        {"traffic", YAML_FIELD_TEXT, offsetof(struct threshold_keys, traffic)},
        {"journey", YAML_FIELD_TEXT, offsetof(struct threshold_keys, journey)},
        {"step", YAML_FIELD_TEXT, offsetof(struct threshold_keys, step)},
        {"phase", YAML_FIELD_TEXT, offsetof(struct threshold_keys, phase)},
        {0}};
    struct threshold_keys k = {0};
    const struct yaml_node *at = node;
    if (node->kind == YAML_SCALAR)
        k.slo = node->text.ptr;
    else if (yaml_read(rd->doc, node, FIELDS, &k, rd->problems) < 0)
        return -EINVAL;
    else
        at = yaml_get(node, "slo");
    struct span rest = span_trim(span_str(k.slo)), word;
    if (rest.len == 0)
        return refuse(rd, at, "a threshold is as " HURL_SLO_SYNTAX);
    while (span_cut(&rest, ' ', &word)) {
        struct threshold t = {.traffic = k.traffic, .journey = k.journey, .step = k.step, .phase = k.phase};
        if (word.len == 0)
            continue;
        if (hurl_slo_parse(word, &t.slo) < 0)
            return refuse(rd, at, "a threshold is as " HURL_SLO_SYNTAX);
        if (rd->bounds->n == THRESHOLDS_MAX)
            return refuse(rd, at, "more thresholds than a plan may have (1000)");
        t.slo.at = (struct hurl_place){at->line, at->column};
        rd->bounds->nodes[rd->bounds->n] = node;
        rd->bounds->list[rd->bounds->n++] = t;
    }
    return 0;
}

int plan_bounds_read(const struct yaml *doc, const struct yaml_node *list, struct arena *arena, struct plan_bounds *ret,
                     struct problems *problems)
{
    struct bounds_reader reader = {doc, ret, problems}, *rd = &reader;
    if (!list)
        return 0;
    ret->list = arena_array(arena, THRESHOLDS_MAX, sizeof *ret->list);
    ret->nodes = arena_array(arena, THRESHOLDS_MAX, sizeof *ret->nodes);
    if (!ret->list || !ret->nodes)
        return -ENOMEM;
    if (list->kind == YAML_SCALAR)
        return read_threshold(rd, list);
    if (list->kind != YAML_LIST)
        return refuse(rd, list, "'thresholds' is a list, as [{step: pay, slo: \"p95<800ms err<1%\"}]");
    int result = 0;
    YAML_EACH(list, node)
    {
        int r = read_threshold(rd, node);
        if (r < 0)
            result = r;
    }
    return result;
}

/* Is the word one of the names? Else the problem, with the nearest. */
static bool is_named(struct bounds_reader *rd, const struct yaml_node *node, const char *key, const char *word,
                     const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], word) == 0)
            return true;
    const char *near = suggest(word, names, n);
    yaml_problem(rd->doc, yaml_get(node, key), rd->problems, "no %s is called '%s'%s%s%s", key, word,
                 near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    return false;
}

int plan_bounds_check(const struct yaml *doc, const struct plan_bounds *bounds, const struct plan_names *known,
                      struct problems *problems)
{
    struct bounds_reader reader = {doc, NULL, problems}, *rd = &reader;
    const struct journeys *js = known->journeys;
    AUTO_FREE const char **names = calloc(js->n_steps + js->n + known->n_classes + known->n_phases, sizeof *names);
    if (!names)
        return -ENOMEM;
    bool good = true;
    for (size_t i = 0; i < bounds->n; i++) {
        const struct threshold *t = &bounds->list[i];
        const struct yaml_node *node = bounds->nodes[i];
        if (i > 0 && node == bounds->nodes[i - 1])
            continue; /* further bounds of one entry */
        for (size_t k = 0; k < js->n_steps; k++)
            names[k] = js->steps[k].name.ptr;
        if (t->step)
            good &= is_named(rd, node, "step", t->step, names, js->n_steps);
        for (size_t k = 0; k < js->n; k++)
            names[k] = js->list[k].name;
        if (t->journey)
            good &= is_named(rd, node, "journey", t->journey, names, js->n);
        for (size_t k = 0; k < known->n_classes; k++)
            names[k] = known->classes[k].name;
        if (t->traffic)
            good &= is_named(rd, node, "traffic", t->traffic, names, known->n_classes);
        for (size_t k = 0; k < known->n_phases; k++)
            names[k] = known->phases[k].name;
        if (t->phase)
            good &= is_named(rd, node, "phase", t->phase, names, known->n_phases);
    }
    return good ? 0 : -EINVAL;
}
