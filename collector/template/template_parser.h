/* template_parser.h - what the two files that read templates share: template_parse.c nodes, template_pipeline.c what stands in
 * an action. */
#pragma once

#include "collector/template/template_lex.h"
#include "collector/template/template_tree.h"

struct parser {
    struct lexer lex;
    struct template *t;
    struct span names[VARIABLES_MAX]; /* of the variables in scope */
    size_t slots[VARIABLES_MAX];
    size_t n_names;
    unsigned depth, ranges; /* nested actions; ranges around */
    struct token closer;    /* the last {{end}} or {{else}} */
};
/* From the token that is read to the action's end. variables_max: that may be declared in front, 2 in a range. */
MUST_USE int parse_action_pipeline(struct parser *p, size_t variables_max, struct template_pipeline **ret);
