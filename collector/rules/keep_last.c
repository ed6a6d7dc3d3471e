/* keep_last.c - "# crest: keep_last_state": an alert whose data is missing is neither over nor older. Data is missing where not
 * even rule_def.presence, the expression with its filters opened (promql.h), gives the alert's labels. */
#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/limits.h"

/* What tells one alert of the rule from another: its labels without those that the rule sets. */
MUST_USE static int source_labels(struct evaluation *e, const struct rule_def *def, const struct labels *labels,
                                  struct label_box **ret)
{
    struct label_builder b;
    struct labels left;
    label_builder_init(&b, &e->scratch);
    label_builder_from(&b, labels);
    label_builder_remove(&b, SPAN("__name__"));
    label_builder_remove(&b, SPAN("alertname"));
    for (size_t i = 0; i < def->labels.n; i++)
        label_builder_remove(&b, def->labels.pairs[i].name);
    int r = label_builder_finish(&b, &left);
    return r < 0 ? r : label_box_new(&left, ret);
}

/* Has the answer the alert's labels? Without memory: no, so that the alert stays. */
static bool is_present(struct evaluation *e, const struct rule *r, const struct strmap *present,
                       const struct active_alert *a)
{
    struct label_box *box = NULL;
    if (source_labels(e, r->def, &a->labels->labels, &box) < 0)
        return false;
    bool is = strmap_has(present, box->packed);
    free(box);
    return is;
}

MUST_USE static int note_present(struct evaluation *e, const struct rule *r, const struct promql_result *result,
                                 struct strmap *present)
{
    for (size_t i = 0; i < result->n_series; i++) {
        struct label_box *box = NULL;
        if (!result->series[i].present[0])
            continue;
        int error = source_labels(e, r->def, &result->series[i].labels, &box);
        if (error == 0)
            error = strmap_put(present, box->packed, NULL);
        free(box);
        if (error < 0)
            return error;
    }
    return 0;
}

void keep_last_mark(struct evaluation *e, struct rule *r)
{
    size_t at = 0, asked = 0;
    struct span key;
    void *value;
    while (strmap_next(&r->active, &at, &key, &value)) {
        struct active_alert *a = value;
        a->held = false;
        asked += !a->seen && a->phase != ALERT_INACTIVE;
    }
    if (!r->def->presence.len || asked == 0)
        return;
    struct query_request request = {.text = r->def->presence,
                                    .start_ms = e->sample_ms,
                                    .end_ms = e->sample_ms,
                                    .timeout_ms = evaluation_timeout_ms(e),
                                    .origin = SPAN("rules")};
    struct promql_result *result = NULL;
    struct promql_error error = {0};
    struct strmap present;
    strmap_init(&present, RULE_SERIES_MAX + 1);
    bool known = query_run(e->rules->config.query, &request, &result, &error) == 0 &&
                 note_present(e, r, result, &present) == 0; /* else nobody knows whether there is data */
    at = 0;
    while (strmap_next(&r->active, &at, &key, &value)) {
        struct active_alert *a = value;
        if (!a->seen && a->phase != ALERT_INACTIVE)
            a->held = !known || !is_present(e, r, &present, a);
    }
    strmap_done(&present);
    promql_result_free(result);
}
