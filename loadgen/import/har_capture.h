/* har_capture.h - where a value of a response stood, as a query of the language, and proof that the query finds it there.
 *
 *   struct har_sources s;
 *   har_sources_init(&s);
 *   r = har_sources_add(&s, &exchange, request);           // after the exchange's own request was written
 *   if (har_sources_find(&s, SPAN("csrf"), value, &source) == 0) use(source->variable);
 *
 * The last response that held a value is its source: tokens that are renewed are taken from where they were renewed. Values
 * that could stand in two places by chance (1, "true") are found only under the same name, and only under names that mean
 * something (hidden fields, ids, tokens). */
#pragma once

#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "loadgen/import/har_read.h"
#include "loadgen/import/journey.h"
#include "loadgen/import/names.h"

struct har_source {
    const struct har_exchange *exchange;
    struct draft_request *request; /* captures go here */
    struct span query;             /* cookie "XSRF-TOKEN" urlDecode */
    struct span hint;              /* for the variable's name */
    struct span value;
    struct span variable; /* empty until used */
    bool useless;         /* the query does not find the value */
};
struct har_text { /* a response in which a value may be searched for */
    const struct har_exchange *exchange;
    struct draft_request *request;
};
struct har_sources {
    struct arena arena;
    struct strmap by_value, by_name; /* value; "name\nvalue" -> struct har_source * */
    struct har_text texts[HAR_SEARCH_BODIES];
    size_t n_texts, n;
    struct journey_draft *draft;
    struct variable_names *names;
    size_t captures;
};

void har_sources_init(struct har_sources *s, struct journey_draft *d, struct variable_names *names);
void har_sources_done(struct har_sources *s);
/* -ENOMEM; values beyond HAR_SOURCES_MAX are not remembered. */
MUST_USE int har_sources_add(struct har_sources *s, const struct har_exchange *x, struct draft_request *request);
/* The variable that holds the value, captured where it came from; empty: it came from nowhere. -ENOMEM. */
MUST_USE int har_sources_find(struct har_sources *s, struct span name, struct span value, struct span *ret_variable);

/* ---- what fills them (har_sources.c, har_html.c) ---- */
enum har_where { HAR_ANY, HAR_NAMED }; /* NAMED: also found under its name when the value is not distinctive */
/* Remember a value under a name; the query is a printf text of the language. Private to the three files. */
MUST_USE int har_remember(struct har_sources *s, const struct har_exchange *x, struct draft_request *request,
                          enum har_where where, struct span name, struct span hint, struct span value,
                          struct span query);
MUST_USE int har_html_values(struct har_sources *s, const struct har_exchange *x, struct draft_request *request);
/* Does the query, asked of the exchange's response, give the value? */
bool har_query_finds(const struct har_exchange *x, struct span query, struct span value);
/* An expression of RE2 that means the text itself. */
void put_regex_literal(struct buf *out, struct span text);
