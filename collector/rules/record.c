#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/limits.h"

/* The series' labels with the rule's name and labels over them. */
MUST_USE static int final_labels(struct evaluation *e, const struct rule_def *def, const struct labels *from,
                                 struct labels *ret)
{
    struct label_builder b;
    label_builder_init(&b, &e->scratch);
    label_builder_from(&b, from);
    label_builder_set(&b, SPAN("__name__"), def->name);
    for (size_t i = 0; i < def->labels.n; i++)
        label_builder_set(&b, def->labels.pairs[i].name, def->labels.pairs[i].value);
    return label_builder_finish(&b, ret);
}

/* Every series once, within the limits; nothing is written before that is known. */
MUST_USE static int check(struct evaluation *e, struct rule *r, const struct promql_result *result,
                          struct labels *labels, size_t *ret_n)
{
    struct strmap seen;
    strmap_init(&seen, result->n_series + 1);
    struct buf key;
    buf_init(&key, 64u << 20);
    int error = 0;
    size_t n = 0;
    for (size_t i = 0; i < result->n_series && error == 0; i++) {
        if (!result->series[i].present[0])
            continue;
        error = final_labels(e, r->def, &result->series[i].labels, &labels[i]);
        buf_clear(&key);
        if (error == 0)
            labels_pack(&key, &labels[i]);
        if (error < 0 || buf_error(&key) < 0)
            error = rule_fail(r, -ENOMEM, "labels of the result: %s", strerror(error ? -error : ENOMEM));
        else if (strmap_has(&seen, buf_view(&key)))
            error = rule_fail(r, -EINVAL, "vector contains metrics with the same labelset after applying rule labels");
        else if (strmap_put(&seen, buf_view(&key), NULL) < 0)
            error = rule_fail(r, -ENOMEM, "out of memory");
        n++;
    }
    strmap_done(&seen);
    buf_done(&key);
    *ret_n = n;
    return error;
}

int record_evaluate(struct evaluation *e, struct rule *r, const struct promql_result *result)
{
    struct labels *labels = arena_array(&e->scratch, result->n_series, sizeof *labels);
    if (!labels)
        return rule_fail(r, -ENOMEM, "out of memory");
    size_t n;
    int error = check(e, r, result, labels, &n);
    if (error < 0)
        return error;
    uint64_t limit = e->group->def->limit;
    if (limit > 0 && n > limit)
        return rule_fail(r, -E2BIG, "exceeded limit of %llu with %zu series", (unsigned long long)limit, n);
    r->generation++;
    for (size_t i = 0; i < result->n_series && error == 0; i++) {
        const struct promql_series *s = &result->series[i];
        if (s->present[0])
            error =
                output_add(&e->out, r, &labels[i], e->sample_ms, s->values[0], s->histograms ? s->histograms[0] : NULL);
    }
    if (error == 0)
        error = output_vanished(&e->out, r, e->sample_ms);
    e->group->samples += n;
    return error < 0 ? rule_fail(r, error, "cannot hold the result: %s", strerror(-error)) : 0;
}
