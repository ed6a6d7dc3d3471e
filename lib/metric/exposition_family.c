#include "lib/metric/exposition_family.h"

const struct family_suffixes *family_suffixes(enum metric_type type)
{
    static const struct family_suffixes table[] = {
        [METRIC_TYPE_UNKNOWN] = {{SPAN_INIT("")}, 1},
        [METRIC_TYPE_GAUGE] = {{SPAN_INIT("")}, 1},
        [METRIC_TYPE_STATESET] = {{SPAN_INIT("")}, 1},
        [METRIC_TYPE_INFO] = {{SPAN_INIT("_info"), SPAN_INIT("")}, 2},
        [METRIC_TYPE_COUNTER] = {{SPAN_INIT("_total"), SPAN_INIT("_created"), SPAN_INIT("")}, 3, .starts = true},
        [METRIC_TYPE_SUMMARY] = {{SPAN_INIT(""), SPAN_INIT("_sum"), SPAN_INIT("_count"), SPAN_INIT("_created")},
                                 4,
                                 SPAN_INIT("quantile"),
                                 true},
        [METRIC_TYPE_HISTOGRAM] = {{SPAN_INIT("_bucket"), SPAN_INIT("_sum"), SPAN_INIT("_count"), SPAN_INIT("_created"),
                                    SPAN_INIT("")},
                                   5,
                                   SPAN_INIT("le"),
                                   true},
        [METRIC_TYPE_GAUGE_HISTOGRAM] =
            {{SPAN_INIT("_bucket"), SPAN_INIT("_gsum"), SPAN_INIT("_gcount"), SPAN_INIT("")}, 4, SPAN_INIT("le")},
    };
    return &table[type];
}

bool family_has(struct span family, enum metric_type type, struct span name, struct span *ret_suffix)
{
    if (family.len == 0 || !span_starts(name, family))
        return false;
    struct span suffix = span_from(name, family.len);
    const struct family_suffixes *known = family_suffixes(type);
    for (size_t i = 0; i < known->n; i++) {
        if (span_equal(suffix, known->list[i])) {
            *ret_suffix = known->list[i];
            return true;
        }
    }
    return false;
}
