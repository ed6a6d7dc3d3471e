#include "lib/metric/sample.h"

#include <stdlib.h>

static const char *const TYPE_NAMES[] = {
    [METRIC_TYPE_UNKNOWN] = "unknown", [METRIC_TYPE_COUNTER] = "counter",
    [METRIC_TYPE_GAUGE] = "gauge",     [METRIC_TYPE_HISTOGRAM] = "histogram",
    [METRIC_TYPE_SUMMARY] = "summary", [METRIC_TYPE_GAUGE_HISTOGRAM] = "gaugehistogram",
    [METRIC_TYPE_INFO] = "info",       [METRIC_TYPE_STATESET] = "stateset",
};

const char *metric_type_name(enum metric_type t)
{
    size_t i = (size_t)t;
    return i < ARRAY_LEN(TYPE_NAMES) ? TYPE_NAMES[i] : TYPE_NAMES[METRIC_TYPE_UNKNOWN];
}

bool metric_type_parse(struct span text, enum metric_type *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(TYPE_NAMES); i++) {
        if (span_equal(text, span_str(TYPE_NAMES[i]))) {
            *ret = (enum metric_type)i;
            return true;
        }
    }
    if (!span_equal(text, SPAN("untyped")))
        return false;
    *ret = METRIC_TYPE_UNKNOWN;
    return true;
}

struct write_request *write_request_new(size_t arena_bytes_max)
{
    struct write_request *w = calloc(1, sizeof *w);
    if (w)
        arena_init(&w->arena, arena_bytes_max);
    return w;
}

void write_request_free(struct write_request *w)
{
    if (!w)
        return;
    arena_done(&w->arena);
    free(w);
}
