/* journey.h - a journey that an importer makes: requests as plain data, then the text of a Hurl file.
 *
 *   struct journey_draft d;
 *   journey_init(&d);
 *   struct draft_request *q = journey_add(&d);               // zeroed: a GET without anything
 *   q->url = draft_text(&d, SPAN("http://shop.example/cart"));
 *   r = draft_pair_add(&d, &q->headers, SPAN("Accept"), draft_text(&d, foreign));
 *   r = journey_print(&d, &out);                             // parses with hurl_parse, the same bytes every time
 *   journey_done(&d);
 *
 * Texts are *marked*: an expression ({{token}}) stands between the bytes DRAFT_OPEN and DRAFT_CLOSE, all else is meant as it
 * is, whatever it looks like. Foreign text comes in through draft_text(), which knows neither byte. Names and values are
 * escaped by the printer, so no recording can write a line of its own into the journey. All memory is the draft's arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define DRAFT_OPEN '\x01'
#define DRAFT_CLOSE '\x02'

struct draft_pair {
    struct span name, value; /* marked */
    struct draft_pair *next;
};
struct draft_pairs {
    struct draft_pair *first, *last;
    size_t n;
};
enum draft_body {
    DRAFT_NO_BODY,
    DRAFT_FORM,      /* fields */
    DRAFT_MULTIPART, /* fields; a value that is a file starts with "file," (draft_file) */
    DRAFT_JSON,      /* body: marked text of a JSON object or list */
    DRAFT_TEXT,      /* body: any marked text */
    DRAFT_BYTES,     /* body: not text; printed as base64 */
    DRAFT_FILE       /* body: draft_file() */
};
struct draft_request {
    struct span step;   /* empty: made of method and path */
    struct span remark; /* a comment line before it */
    int64_t think_ms;   /* 0: none */
    struct span think;  /* what stands behind @think, instead of think_ms */
    bool money;
    struct span method;                                   /* empty: GET */
    struct span url;                                      /* marked; what a URL must not hold is percent-encoded */
    struct draft_pairs headers, cookies, fields, options; /* options: name and value as Hurl has them */
    struct span user, password;                           /* marked; user not empty: [BasicAuth] */
    enum draft_body body_kind;
    struct span body;
    int status;                  /* 0: asserts nothing; DRAFT_ANY_STATUS: HTTP * */
    struct draft_pairs captures; /* name, query as Hurl writes it */
    struct draft_pairs asserts;  /* name is the whole line */
    struct draft_pairs gotos;    /* name of the step, probability */
    struct draft_request *next;
};
#define DRAFT_ANY_STATUS (-1)
struct journey_draft {
    struct arena arena;
    struct span title; /* a comment at the top; lines */
    struct span feed;  /* "products.csv random"; empty: none */
    double weight;     /* 0: not said */
    struct draft_request *first, *last;
    size_t n;
};

void journey_init(struct journey_draft *d);
void journey_done(struct journey_draft *d);
/* NULL: no memory, or JOURNEY_STEPS_MAX requests stand in it already. */
struct draft_request *journey_add(struct journey_draft *d);
/* A copy of foreign bytes as marked text: UTF-8 (bad bytes and the two marks become U+FFFD). Without memory it is empty and
 * the arena says so at the next journey_add or print. */
struct span draft_text(struct journey_draft *d, struct span foreign);
/* Copies name and value (both marked already). -ENOMEM. */
MUST_USE int draft_pair_add(struct journey_draft *d, struct draft_pairs *to, struct span name, struct span value);
/* The value of that name, case ignored; NULL. */
const struct draft_pair *draft_pair_find(const struct draft_pairs *pairs, struct span name);
/* Append {{expression}}. */
void draft_expression(struct buf *out, struct span expression);

/* "post-checkout-address" of a method and a URL: the words of its path; what looks like an id, or
 * is {a variable}, is left out. */
void draft_step_name(struct buf *out, struct span method, struct span url);
/* A text as a Hurl text in quotes, expressions kept: for queries and asserts. */
void draft_quoted(struct buf *out, struct span marked);

/* The file. Errors of the buffer; -ENOMEM when the draft had none left; -EINVAL: no request. */
MUST_USE int journey_print(const struct journey_draft *d, struct buf *out);
