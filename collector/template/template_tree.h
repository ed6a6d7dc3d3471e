/* template_tree.h - a parsed template. Made by template_parse.c and template_pipeline.c, walked by template_exec.c; lives in the template's arena. */
#pragma once

#include "collector/template/template.h"
#include "collector/template/template_value.h"
#include "lib/base/arena.h"

/* $ and the variables that Prometheus declares in front of every template. */
enum {
    VARIABLE_ROOT,
    VARIABLE_LABELS,
    VARIABLE_EXTERNAL_LABELS,
    VARIABLE_EXTERNAL_URL,
    VARIABLE_VALUE,
    VARIABLE_FIRST_OWN
};
#define VARIABLES_MAX 64

struct template_run;
struct template_function {
    const char *name;
    uint8_t args_min, args_max; /* UINT8_MAX: any number */
    bool (*call)(struct template_run *run, const struct template_value *args, size_t n, struct template_value *ret);
};
/* NULL: there is none of that name. */
const struct template_function *template_function_find(struct span name);

struct template_pipeline;
enum operand_kind { OPERAND_CONSTANT, OPERAND_DOT, OPERAND_VARIABLE, OPERAND_FUNCTION, OPERAND_PIPELINE };
struct template_operand {
    enum operand_kind kind;
    size_t at; /* byte in the template's text */
    struct template_value constant;
    size_t variable;
    const struct template_function *function;
    struct template_pipeline *pipeline;
    struct span fields; /* ".a.b" behind a dot, variable or parenthesis; empty: none */
    struct template_operand *next;
};
struct template_command {
    struct template_operand *first;
    size_t n;
    struct template_command *next;
};
struct template_pipeline {
    bool declares;      /* $x := or $x = */
    size_t n_variables; /* 2: those of {{range $i, $x := …}} */
    size_t variables[2];
    struct template_command *first;
};
enum node_kind { NODE_TEXT, NODE_PRINT, NODE_IF, NODE_WITH, NODE_RANGE, NODE_TEMPLATE, NODE_BREAK, NODE_CONTINUE };
struct template_node {
    enum node_kind kind;
    size_t at;
    struct span text;                   /* NODE_TEXT; the name of NODE_TEMPLATE */
    struct template_pipeline *pipeline; /* NULL: {{template "x"}} without one */
    struct template_node *then, *otherwise, *next;
};
struct template_define { /* {{define "name"}} or {{block "name" …}} */
    struct span name;
    struct template_node *first;
    struct template_define *next;
};
struct template
{
    struct arena arena;
    struct span text;
    struct template_node *first;
    struct template_define *defines;
    size_t n_variables;
};

/* For functions while a template runs. */
struct template_run {
    const struct template *of;
    const struct template_data *data;
    struct arena arena; /* texts and answers made on the way */
    struct template_value dot;
    struct template_value *variables; /* VARIABLES_MAX, of the template that runs now */
    unsigned depth;                   /* of templates in templates */
    uint64_t steps;                   /* nodes and commands so far */
    size_t at;                        /* place of what runs now */
    char error[256];
};
/* The output of a {{define}}d template with its own dot. */
bool template_run_named(struct template_run *run, struct span name, const struct template_value *dot, struct buf *out);
/* Keep the first error; returns false. */
bool template_fail(struct template_run *run, const char *format, ...) PRINTF_LIKE(2, 3);
/* Text in the run's arena as a value; takes the buf's bytes and ends it. false: too long or no memory. */
bool template_take_text(struct template_run *run, struct buf *text, struct template_value *ret);
