/* template.h - Go-style templates in alert labels and annotations.
 *
 *   struct template *t;
 *   r = template_parse(SPAN("{{ $labels.service }} at {{ $value | humanizePercentage }}"), &t, &err);
 *   template_expand(t, &data, &buf);          // a failure gives its error as text, as Prometheus does; the alert still fires
 *   template_free(t);
 *
 * Includes no room. Here now: text, trim markers, comments, pipelines, variables, if/else, with, field access, constants, printf and
 * Go's comparison functions, and the tables of template_functions.h. What else the language or Prometheus's
 * list has (range, define, query, …) is the parse error "not yet: NAME" at its place; unknown names are parse errors too. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "lib/metric/labels.h"

struct template;
struct template_data {
    const struct labels *labels;
    double value;
    const struct labels *external_labels;
    const char *external_url;
    int64_t now_ms;
};
/* -EINVAL: syntax; -EOPNOTSUPP: "not yet: NAME"; -ENOMEM. The text is copied. */
MUST_USE int template_parse(struct span text, struct template **ret, struct parse_error *ret_error);
void template_free(struct template *t);
/* Is it plain text, the same for every alert? */
bool template_is_constant(const struct template *t);
/* Append. 0; -EINVAL when execution failed or gave more than TEMPLATE_BYTES_MAX: out has "<error expanding template: …>" instead; or
 * out's own error. Any thread. */
int template_expand(const struct template *t, const struct template_data *data, struct buf *out);
