/* exposition_family.h - which sample names a metric family has. */
#pragma once

#include "lib/metric/sample.h"

struct family_suffixes {
    struct span list[5]; /* the empty suffix is one; unused slots have ptr NULL */
    size_t n;
    struct span bound; /* the label that tells the samples of one metric apart: le, quantile, or none */
    bool starts;       /* OpenMetrics gives it a _created */
};

/* What Prometheus's own parser takes for the type: wider than the specification, which wants foo_total of a counter foo. */
const struct family_suffixes *family_suffixes(enum metric_type type);
/* Is `name` the family's name and one of its suffixes? */
bool family_has(struct span family, enum metric_type type, struct span name, struct span *ret_suffix);
