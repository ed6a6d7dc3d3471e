/* template_functions.h - how a function of templates is written: a FUNCTION() and a row in one of the tables. */
#pragma once

#include "collector/template/template_tree.h"

/* Arguments are counted before the call; false: template_fail() was called. */
#define FUNCTION(name)                                                                                                 \
    static bool name(UNUSED struct template_run *run, UNUSED const struct template_value *args, UNUSED size_t n,       \
                     UNUSED struct template_value *ret)

/* Ended by {0}. */
extern const struct template_function TEMPLATE_NUMBER_FUNCTIONS[], TEMPLATE_TEXT_FUNCTIONS[], TEMPLATE_GO_FUNCTIONS[],
    TEMPLATE_QUERY_FUNCTIONS[];

/* Prometheus's convertToFloat: numbers, and texts that are one. */
bool template_to_float(struct template_run *run, const struct template_value *v, double *ret);
bool template_to_text(struct template_run *run, const struct template_value *v, struct span *ret);
/* Of args' map: nil for a key that it has not. */
struct template_value template_arg(const struct template_args *args, struct span key);
/* A method of a time or duration. */
bool template_method(struct template_run *run, const struct template_value *self, struct span name,
                     const struct template_value *args, size_t n, struct template_value *ret);
