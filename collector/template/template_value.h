/* template_value.h - what flows through a template's pipelines. Plain data; text and labels belong to somebody else. */
#pragma once

#include <stdint.h>

#include "collector/template/template.h"

struct template_value;
struct template_list {
    const struct template_sample *const *items;
    size_t n;
};
struct template_args { /* of args: arg0, arg1, … */
    const struct template_value *items;
    size_t n;
};

enum template_kind {
    TEMPLATE_NIL,
    TEMPLATE_BOOL,
    TEMPLATE_INT,
    TEMPLATE_FLOAT,
    TEMPLATE_TEXT,
    TEMPLATE_LABELS,   /* map[string]string: a missing key is "" */
    TEMPLATE_SAMPLE,   /* .Labels .Value */
    TEMPLATE_LIST,     /* of samples */
    TEMPLATE_ARGS,     /* map[string]interface {}: a missing key is nil */
    TEMPLATE_TIME,     /* milliseconds since the epoch, UTC */
    TEMPLATE_DURATION, /* nanoseconds */
    TEMPLATE_ROOT      /* the dot of the whole template: .Labels .ExternalLabels .ExternalURL .Value */
};
struct template_value {
    enum template_kind kind;
    union {
        bool boolean;
        int64_t integer; /* and of times and durations */
        double number;
        struct span text;
        const struct labels *labels;
        const struct template_sample *sample;
        struct template_list list;
        struct template_args args;
    };
};

static inline struct template_value template_bool(bool v)
{
    return (struct template_value){.kind = TEMPLATE_BOOL, .boolean = v};
}
static inline struct template_value template_int(int64_t v)
{
    return (struct template_value){.kind = TEMPLATE_INT, .integer = v};
}
static inline struct template_value template_float(double v)
{
    return (struct template_value){.kind = TEMPLATE_FLOAT, .number = v};
}
static inline struct template_value template_text(struct span v)
{
    return (struct template_value){.kind = TEMPLATE_TEXT, .text = v};
}
/* Go's truth: not false, zero, nil or empty. */
bool template_truth(const struct template_value *v);
