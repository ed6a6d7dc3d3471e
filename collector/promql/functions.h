/* functions.h - the table of PromQL's functions: name, argument types, how it is evaluated.
 *
 *   const struct promql_function *f = promql_function_find(SPAN("rate"));   // NULL: no such function
 *
 * All 90 functions of Prometheus 3 stand here. */
#pragma once

#include "collector/promql/promql.h"

struct eval;
struct grid;
struct value;
struct promql_function {
    const char *name;
    enum promql_type returns;
    enum promql_type args[5];
    int n_args;   /* declared */
    int variadic; /* 0: exactly n_args; > 0: n_args - 1 and up to that many more; -1: any number from n_args - 1 on */
    bool needs_time; /* the result depends on the step even when the arguments do not */
    int (*call)(struct eval *ev, const struct promql_expr *call, const struct grid *grid, struct value *ret);
    const void *detail; /* what `call` needs: a struct map_detail, range_detail or native_detail */
};
const struct promql_function *promql_function_find(struct span name);
/* The table, for tests and documentation. */
extern const struct promql_function PROMQL_FUNCTIONS[];
extern const size_t PROMQL_FUNCTIONS_COUNT;
