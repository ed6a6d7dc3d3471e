/* rule_test_check.h - is what a test expects what came? For rule_test.c. */
#pragma once

#include "collector/rules/rule_test_file.h"
#include "collector/rules/rules_internal.h"

struct test_bench { /* one test on a store of its own */
    const struct test_file *file;
    struct test_group *group;
    struct store *store;
    struct query_engine *query;
    struct rules *rules;
    int64_t now_ms;
    struct arena arena;
    struct buf failures; /* a paragraph each, in promtool's words */
};
/* The alerts that fire now against those expected. Negative: no memory. */
MUST_USE int test_check_alerts(struct test_bench *b, const struct test_alert_case *c);
MUST_USE int test_check_expr(struct test_bench *b, const struct test_expr_case *c);
