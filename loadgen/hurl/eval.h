/* eval.h - what the files that run the language share. Private to this room. */
#pragma once

#include <stdatomic.h>

#include "loadgen/hurl/run.h"

#define EVAL_TRY(call)                                                                                                 \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

/* Fill *why; gives -EINVAL. */
int eval_fail(struct hurl_failure *why, enum hurl_failure_kind kind, struct hurl_place at, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* The variable or function of an expression, filtered. */
MUST_USE int eval_expr(struct hurl_scope *s, const struct hurl_expr *e, struct hurl_value *ret,
                       struct hurl_failure *why);
/* A template into the scratch arena. */
MUST_USE int eval_text(struct hurl_scope *s, const struct hurl_template *t, struct span *ret, struct hurl_failure *why);
/* What was built in a buffer, as a span of the scratch arena; the buffer is freed. */
MUST_USE int eval_keep_buf(struct hurl_scope *s, struct buf *b, struct span *ret);
/* query.c: HURL_VALUE_NONE when there is nothing. Filters included. */
MUST_USE int eval_query(struct hurl_scope *s, const struct hurl_query *q, struct hurl_exchange *x,
                        struct hurl_value *ret, struct hurl_failure *why);
/* filter.c */
MUST_USE int eval_filters(struct hurl_scope *s, const struct hurl_filter *filters, size_t n, struct hurl_value *value,
                          struct hurl_failure *why);
/* predicate.c: *ret_holds, and when it does not, what was and what was wanted in *why. */
MUST_USE int eval_predicate(struct hurl_scope *s, const struct hurl_predicate *p, const struct hurl_value *actual,
                            bool *ret_holds, struct hurl_failure *why);
/* Pieces that queries and filters share. */
MUST_USE int eval_jsonpath(struct hurl_scope *s, const struct hurl_operand *path, struct span root,
                           struct hurl_value *ret, struct hurl_failure *why);
MUST_USE int eval_regex(struct hurl_scope *s, const struct hurl_operand *pattern, struct span text,
                        struct hurl_value *ret, struct hurl_failure *why);
/* The operand's regular expression: the one compiled at check, or one made now (*ret_owned: free it). */
MUST_USE int eval_pattern(struct hurl_scope *s, const struct hurl_operand *pattern, struct regex **ret, bool *ret_owned,
                          struct hurl_failure *why);
/* body.c: the body's bytes, its text, the JSON that it is; HURL_FAILED_QUERY when it is none. */
MUST_USE int eval_body_bytes(const struct hurl_exchange *x, struct hurl_place at, struct span *ret,
                             struct hurl_failure *why);
MUST_USE int eval_body_text(struct hurl_scope *s, struct hurl_exchange *x, struct hurl_place at, struct span *ret,
                            struct hurl_failure *why);
MUST_USE int eval_body_json(struct hurl_scope *s, struct hurl_exchange *x, struct hurl_place at, struct span *ret,
                            struct hurl_failure *why);
MUST_USE int eval_body_xpath(struct hurl_scope *s, const struct hurl_query *q, struct hurl_exchange *x,
                             struct hurl_value *ret, struct hurl_failure *why);
/* xpath.c: over HTML or XML text; *document is made at first and freed by xpath_document_free. */
MUST_USE int eval_xpath(struct hurl_scope *s, const struct hurl_operand *expression, struct span text, bool html,
                        void **document, struct hurl_value *ret, struct hurl_failure *why);
/* NULL: the text is not that. */
void *xpath_document_new(struct span text, bool html);
void xpath_document_free(void *document);
/* libxml2's own globals, before threads use them. */
void xpath_init(void);
/* An expression compiled once, for all threads. */
struct xpath_slot {
    _Atomic(void *) idle; /* xmlXPathCompExpr; NULL while somebody has it */
};
/* -EINVAL: it is none; -ENOMEM. */
MUST_USE int xpath_slot_new(struct arena *a, struct span expression, struct xpath_slot **ret);
void xpath_slot_done(struct xpath_slot *slot);
/* The regular expression of a pattern as Hurl means it: a dot does not match a newline. Flags are lib/match's. */
struct parse_error;
MUST_USE int hurl_regex_compile(struct span pattern, int flags, struct regex **ret, struct parse_error *error);
