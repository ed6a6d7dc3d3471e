/* tree.h - a Hurl file as plain data: what the parser made, what the engine runs.
 *
 *   struct hurl_file *f;
 *   r = hurl_parse("cart.hurl", text, &f, &problems);     // parse.h
 *   for (size_t i = 0; i < f->n_entries; i++) run(&f->entries[i]);
 *
 * Everything lives in the file's arena and is immutable once parsed and checked: threads share it. The tree
 * holds the whole language; what is not executed yet stands in it with its place and is refused by check.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "loadgen/hurl/words.h"

struct regex;
struct jsonpath;
struct xpath_slot;

struct hurl_place {
    uint32_t line, column; /* from 1, bytes */
};

enum hurl_function {
    HURL_NO_FUNCTION,
    HURL_NEW_UUID,
    HURL_NEW_DATE,
    HURL_GET_ENV,
    HURL_RANDOM_BOOL,
    HURL_RANDOM_INT,    /* low..high */
    HURL_RANDOM_STRING, /* low letters and digits */
    HURL_RANDOM_WORD,
    HURL_RANDOM_FIRST_NAME,
    HURL_RANDOM_LAST_NAME,
    HURL_RANDOM_FULL_NAME,
    HURL_RANDOM_EMAIL,
    HURL_RANDOM_CARD /* the number of a test card: of @generate only, hurl has no such function */
};

/* {{name filter…}} or {{function filter…}} */
struct hurl_expr {
    struct hurl_place at;
    enum hurl_function function;
    struct span name;  /* of the variable, or getEnv's argument */
    uint32_t slot;     /* of the variable in hurl_file.variables */
    int64_t low, high; /* numbers that the function takes */
    struct hurl_filter *filters;
    size_t n_filters;
};

/* A text with expressions in it, split once: n parts. n = 0 is the empty text. */
enum hurl_part_kind {
    HURL_PART_TEXT,
    HURL_PART_EXPR,
    HURL_PART_EXPR_IN_JSON /* inside a JSON string: what it gives is escaped for that */
};
struct hurl_part {
    enum hurl_part_kind kind;
    struct span text;
    const struct hurl_expr *expr;
};
struct hurl_template {
    struct hurl_place at;
    struct hurl_part *parts;
    size_t n;
};

/* A value written in the file: argument of a query or filter, right side of a predicate. */
enum hurl_operand_kind {
    HURL_OPERAND_NONE,
    HURL_OPERAND_NULL,
    HURL_OPERAND_BOOL,
    HURL_OPERAND_INT,
    HURL_OPERAND_FLOAT,
    HURL_OPERAND_TEXT,    /* quoted, `one line` or ``` lines ``` */
    HURL_OPERAND_EXPR,    /* {{x}} alone: keeps the variable's type */
    HURL_OPERAND_PATTERN, /* /regex/ */
    HURL_OPERAND_BYTES,   /* base64,…; hex,…; */
    HURL_OPERAND_FILE     /* file,…; */
};
struct hurl_operand {
    enum hurl_operand_kind kind;
    struct hurl_place at;
    bool boolean;
    int64_t integer;
    double number;
    struct hurl_template text; /* also the file's name */
    struct span bytes;         /* also the pattern between slashes */
    const struct hurl_expr *expr;
    /* compiled by check.h where the text has no expressions */
    struct regex *regex;
    const struct jsonpath *path;
    struct xpath_slot *xpath;
};

struct hurl_filter {
    const struct hurl_filter_def *def;
    struct hurl_place at;
    struct hurl_operand args[HURL_FILTER_ARGS_MAX];
};
struct hurl_query {
    const struct hurl_query_def *def;
    struct hurl_place at;
    struct hurl_operand arg;
    struct hurl_filter *filters;
    size_t n_filters;
};
struct hurl_predicate {
    const struct hurl_predicate_def *def;
    struct hurl_place at;
    bool negated;
    struct hurl_operand operand;
};
#define HURL_NO_SLOT UINT32_MAX
struct hurl_capture {
    struct hurl_place at;
    struct span name;
    struct hurl_template dynamic_name; /* with expressions: then slot is HURL_NO_SLOT */
    uint32_t slot;
    struct hurl_query query;
    bool redact;
};
struct hurl_assert {
    struct hurl_place at;
    struct hurl_query query;
    struct hurl_predicate predicate;
};

struct hurl_pair { /* header, query or form parameter, cookie, user and password */
    struct hurl_place at;
    struct hurl_template key, value;
};
struct hurl_part_field { /* of [Multipart] */
    struct hurl_place at;
    struct hurl_template key, value; /* value: the file's name when is_file */
    bool is_file;
    struct hurl_template content_type; /* n = 0: not given */
};
struct hurl_option {
    const struct hurl_option_def *def;
    struct hurl_place at;
    bool boolean;
    int64_t integer;           /* HURL_OPTION_COUNT; HURL_OPTION_TIME in ms */
    struct hurl_template text; /* HURL_OPTION_TEXT; or a value that is {{x}}: then text.n > 0 */
    uint32_t slot;             /* HURL_OPTION_DEFINITION */
    struct hurl_operand value; /* HURL_OPTION_DEFINITION */
};

enum hurl_body_kind {
    HURL_BODY_NONE,
    HURL_BODY_JSON,
    HURL_BODY_XML,
    HURL_BODY_TEXT,    /* ``` lines ``` without a type, `one line` */
    HURL_BODY_GRAPHQL, /* text is the query, variables its JSON */
    HURL_BODY_BYTES,   /* base64, hex */
    HURL_BODY_FILE     /* text is the name */
};
struct hurl_body {
    enum hurl_body_kind kind;
    struct hurl_place at;
    struct hurl_template text;
    struct hurl_template variables;
    bool has_variables;
    struct span bytes;
};

/* ---- our settings: # @… ---- */
enum hurl_think_kind { HURL_THINK_NONE, HURL_THINK_FIXED, HURL_THINK_UNIFORM, HURL_THINK_EXP, HURL_THINK_RECORDED };
struct hurl_think {
    struct hurl_place at;
    enum hurl_think_kind kind;
    int64_t a_us, b_us; /* FIXED: a; UNIFORM: a..b; EXP: mean a cut at b (0: not cut) */
    struct span file;   /* RECORDED: where the times stand; empty: in the journey itself */
    int64_t *times_us;  /* RECORDED: as many as were seen; of a file: when the journey is loaded for a run */
    size_t n_times;
};
enum hurl_slo_metric {
    HURL_SLO_PERCENTILE,
    HURL_SLO_MAX,
    HURL_SLO_MEAN,
    HURL_SLO_ERRORS,  /* share of steps that are not ok */
    HURL_SLO_BUSINESS /* share that failed as business alone */
};
static inline bool hurl_slo_is_ratio(enum hurl_slo_metric m)
{
    return m == HURL_SLO_ERRORS || m == HURL_SLO_BUSINESS;
}
struct hurl_slo {
    struct hurl_place at;
    enum hurl_slo_metric metric;
    double percentile; /* 0..100 */
    double limit;      /* microseconds, or a ratio for errors */
    bool inclusive;    /* <= instead of < */
    struct span text;  /* as written */
};
struct hurl_goto {
    struct hurl_place at;
    double probability;
    struct span step;
    size_t entry; /* resolved by check.h */
};
enum hurl_feed_mode {
    HURL_FEED_SEQUENTIAL,
    HURL_FEED_SHUFFLE,
    HURL_FEED_RANDOM,
    HURL_FEED_UNIQUE,
    HURL_FEED_ZIPF /* the first row is the hottest */
};
/* A made-up value for a variable, anew for each session. */
struct hurl_generated {
    struct hurl_place at;
    uint32_t slot;
    enum hurl_function function;
    int64_t low, high;
};
struct hurl_feed {
    struct hurl_place at;
    struct span file;
    enum hurl_feed_mode mode;
    double exponent; /* HURL_FEED_ZIPF */
};

/* ---- the file ---- */
struct hurl_request {
    struct hurl_place at;
    struct span method;
    struct hurl_template url;
    struct hurl_pair *headers, *query, *form, *cookies, *basic_auth;
    struct hurl_part_field *multipart;
    struct hurl_option *options;
    size_t n_headers, n_query, n_form, n_cookies, n_basic_auth, n_multipart, n_options;
    struct hurl_body body;
};
#define HURL_ANY (-1)
struct hurl_response {
    struct hurl_place at, status_at;
    int version; /* 10, 11, 20, 30, or HURL_ANY */
    int status;  /* or HURL_ANY */
    struct hurl_pair *headers;
    struct hurl_capture *captures;
    struct hurl_assert *asserts;
    size_t n_headers, n_captures, n_asserts;
    struct hurl_body body;
};
struct hurl_entry {
    struct hurl_request request;
    struct hurl_response response;
    bool has_response;
    struct span step; /* @step, or "METHOD /path" */
    struct hurl_place step_at;
    struct hurl_think think;
    struct hurl_slo *slos;
    struct hurl_goto *gotos;
    size_t n_slos, n_gotos;
    struct span *jar_cookies; /* @cookie_storage_set: lines of a cookie file */
    size_t n_jar_cookies;
    bool money, always;
    bool clears_jar; /* @cookie_storage_clear */
};
struct hurl_file {
    struct arena arena;
    const char *name;    /* as given, for messages */
    const char *journey; /* base name without .hurl */
    struct span source;  /* the text, when whoever loaded it kept it; empty else */
    struct hurl_entry *entries;
    size_t n_entries;
    struct span *variables; /* slot -> name */
    size_t n_variables;
    struct hurl_feed *feeds;
    size_t n_feeds;
    struct hurl_generated *generated;
    size_t n_generated;
    double weight; /* 1 when not given */
    struct hurl_place weight_at;
    struct regex **regexes; /* compiled by check.h, freed with the file */
    size_t n_regexes;
    struct xpath_slot **xpaths; /* likewise */
    size_t n_xpaths;
};

/* The text when a template has no expressions; false when it has some. */
static inline bool hurl_template_static(const struct hurl_template *t, struct span *ret)
{
    if (t->n > 1 || (t->n == 1 && t->parts[0].kind != HURL_PART_TEXT))
        return false;
    *ret = t->n ? t->parts[0].text : (struct span){"", 0};
    return true;
}
