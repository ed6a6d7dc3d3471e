/* template.h - Go-style templates in alert labels and annotations.
 *
 *   struct template *t;
 *   r = template_parse(SPAN("{{ $labels.service }} at {{ $value | humanizePercentage }}"), &t, &err);
 *   template_expand(t, &data, &buf);          // a failure gives its error as text, as Prometheus does; the alert still fires
 *   template_free(t);
 *
 * Includes no room: queries come in through data.query. Unknown functions are parse errors with their place. */
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
MUST_USE int template_parse(struct span text, struct template **ret, struct parse_error *ret_error);
void template_free(struct template *t);
/* 0, or -EINVAL when execution failed: out then has "<error expanding template: …>". */
int template_expand(const struct template *t, const struct template_data *data, struct buf *out);
