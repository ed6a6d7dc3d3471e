/* jsonpath_tree.h - a compiled JSONPath, shared by its parser and its evaluator. Private to this room. */
#pragma once

#include <stdint.h>

#include "loadgen/hurl/jsonpath.h"

struct jsonpath_filter;

enum jsonpath_selector_kind { SELECT_NAME, SELECT_WILDCARD, SELECT_INDEX, SELECT_SLICE, SELECT_FILTER };
struct jsonpath_selector {
    enum jsonpath_selector_kind kind;
    struct span name;
    int64_t index, start, end, step;
    bool has_start, has_end;
    const struct jsonpath_filter *filter;
};
struct jsonpath_segment {
    bool descendant;
    struct jsonpath_selector *selectors;
    size_t n;
};
struct jsonpath {
    struct jsonpath_segment *segments;
    size_t n;
    bool singular;
    bool relative; /* starts at @ */
};

/* MATCH and SEARCH are conditions by themselves; the others have a value. */
enum jsonpath_operand_kind {
    OPERAND_LITERAL,
    OPERAND_PATH,
    OPERAND_LENGTH,
    OPERAND_COUNT,
    OPERAND_VALUE,
    OPERAND_MATCH,
    OPERAND_SEARCH
};
struct jsonpath_operand {
    enum jsonpath_operand_kind kind;
    struct span literal;                            /* JSON text */
    const struct jsonpath *path;                    /* also of count() and value() */
    const struct jsonpath_operand *inner, *pattern; /* arguments of length(), match() and search() */
};
enum jsonpath_compare { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum jsonpath_filter_kind { FILTER_OR, FILTER_AND, FILTER_NOT, FILTER_EXISTS, FILTER_COMPARE, FILTER_REGEX };
struct jsonpath_filter {
    enum jsonpath_filter_kind kind;
    const struct jsonpath_filter *left, *right;
    struct jsonpath_operand a, b;
    enum jsonpath_compare compare;
};
