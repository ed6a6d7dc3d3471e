/* template.h - Go-style templates in alert labels and annotations.
 *
 *   struct template *t;
 *   r = template_parse(SPAN("{{ $labels.service }} at {{ $value | humanizePercentage }}"), &t, &err);
 *   template_expand(t, &data, &buf);          // a failure gives its error as text, as Prometheus does; the alert still fires
 *   template_free(t);
 *
 * Includes no room. The language of Go's text/template in full, with its functions (but for values that are functions) and
 * Prometheus's; unknown names are parse errors at their place. What runs is bounded: 64 KB of text, a million steps, 16 MB on
 * the way, a hundred templates deep. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "lib/metric/labels.h"

struct template;
struct template_sample { /* a series of query's answer */
    struct labels labels;
    double value;
};
struct template_data {
    const struct labels *labels;
    double value;
    const struct labels *external_labels;
    const char *external_url;
    int64_t now_ms;
    /* The function query: the answer's series in its order, in the arena. Negative errno with words. NULL: it fails. */
    int (*query)(void *ctx, struct span expr, struct arena *arena, const struct template_sample **ret, size_t *ret_n,
                 char *why, size_t why_bytes);
    void *query_ctx;
};
/* -EINVAL: syntax; -ENOMEM. The text is copied. */
MUST_USE int template_parse(struct span text, struct template **ret, struct parse_error *ret_error);
void template_free(struct template *t);
/* Is it plain text, the same for every alert? */
bool template_is_constant(const struct template *t);
/* Append. 0; -EINVAL when execution failed or gave more than TEMPLATE_BYTES_MAX: out has "<error expanding template: …>" instead; or
 * out's own error. Any thread. */
int template_expand(const struct template *t, const struct template_data *data, struct buf *out);
