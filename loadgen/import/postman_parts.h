/* postman_parts.h - what the files that read a collection share. Private to them. */
#pragma once

#include "lib/base/hash.h"
#include "lib/base/problem.h"
#include "loadgen/import/journey.h"

struct postman {
    struct journey_draft *d;
    struct problems *ps;
    const char *name;
    struct strmap values;         /* of variables, by their Hurl names -> struct draft_pair * */
    struct draft_pairs known;     /* the same in their order */
    struct strmap used, captured; /* names that requests read; that scripts keep */
};
struct postman_folder { /* what items inherit, from the inside out */
    const struct postman_folder *parent;
    struct span name, auth, events;
};

bool postman_is_list(struct span value);
/* "disabled": true, or "enabled": false. */
bool postman_is_disabled(struct span object);
/* A warning with the request's name, words, and what it is about. */
void postman_complain(struct postman *im, struct span where, const char *words, struct span what);
/* Foreign text as marked text, {{name}} as an expression; names that are read are noted. All give -ENOMEM at most. */
MUST_USE int postman_template(struct postman *im, struct span text, struct span *ret);
/* The same of an object's member; empty when it is no text. */
MUST_USE int postman_template_of(struct postman *im, struct span object, const char *name, struct span *ret);
/* A list of {key, value}, the disabled ones left out. */
MUST_USE int postman_add_pairs(struct postman *im, struct span list, struct draft_pairs *to);
MUST_USE int postman_read_url(struct postman *im, struct span url, struct span *ret);
/* The request's own credentials, else those of the nearest folder that has some. */
MUST_USE int postman_add_auth(struct postman *im, struct draft_request *q, struct span own,
                              const struct postman_folder *folder, struct span name);
MUST_USE int postman_read_body(struct postman *im, struct draft_request *q, struct span body, struct span name);
