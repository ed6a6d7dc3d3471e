/* template_pipeline.c - operands, commands and pipelines: what stands between "{{" and "}}". */
#include <errno.h>

#include "collector/template/template_parser.h"
#include "lib/base/limits.h"

static int parse_pipeline(struct parser *p, enum token_kind end, size_t variables_max, struct template_pipeline **ret);

/* ".a.b" directly behind an operand. */
MUST_USE static int parse_fields(struct parser *p, struct template_operand *o)
{
    size_t start = p->lex.token.start, end = start;
    while (p->lex.token.kind == TOKEN_FIELD && !(end > start && p->lex.token.spaced)) {
        if (p->lex.token.end == p->lex.token.start + 1)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                            "unexpected \".\" behind an operand");
        end = p->lex.token.end;
        int r = lex_next(&p->lex);
        if (r < 0)
            return r;
    }
    o->fields = lex_piece(&p->lex, start, end);
    return 0;
}

MUST_USE static int read_word(struct parser *p, struct template_operand *o)
{
    struct span word = lex_text(&p->lex);
    if (span_equal(word, SPAN("true")) || span_equal(word, SPAN("false"))) {
        o->constant = template_bool(*word.ptr == 't');
        return 0;
    }
    if (span_equal(word, SPAN("nil")))
        return 0;
    o->kind = OPERAND_FUNCTION;
    o->function = template_function_find(word);
    if (!o->function)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "function \"" SPAN_FMT "\" not defined",
                        SPAN_ARG(word));
    return 0;
}

MUST_USE static int find_variable(struct parser *p, size_t *ret)
{
    struct span name = lex_text(&p->lex);
    for (size_t i = p->n_names; i-- > 0;)
        if (span_equal(p->names[i], name)) {
            *ret = p->slots[i];
            return 0;
        }
    return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "undefined variable \"" SPAN_FMT "\"",
                    SPAN_ARG(name));
}

MUST_USE static int parse_parenthesis(struct parser *p, struct template_operand *o)
{
    size_t start = p->lex.token.start;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return lex_fail(&p->lex, -EINVAL, start, start + 1, "nested too deeply");
    o->kind = OPERAND_PIPELINE;
    int r = lex_next(&p->lex);
    if (r == 0)
        r = parse_pipeline(p, TOKEN_CLOSE, 1, &o->pipeline);
    p->depth--;
    return r;
}

MUST_USE static int parse_operand(struct parser *p, struct template_operand *o)
{
    o->at = p->lex.token.start;
    o->kind = OPERAND_CONSTANT;
    int r = 0;
    bool fields_follow = false;
    switch (p->lex.token.kind) {
    case TOKEN_NUMBER:
        r = lex_number(&p->lex, &o->constant);
        break;
    case TOKEN_CHAR:
        r = lex_char(&p->lex, &o->constant);
        break;
    case TOKEN_STRING:
    case TOKEN_RAW:
        o->constant.kind = TEMPLATE_TEXT;
        r = lex_unquote(&p->lex, &o->constant.text);
        break;
    case TOKEN_WORD:
        r = read_word(p, o);
        break;
    case TOKEN_VARIABLE:
        o->kind = OPERAND_VARIABLE;
        r = find_variable(p, &o->variable);
        fields_follow = true;
        break;
    case TOKEN_FIELD:
        o->kind = OPERAND_DOT;
        if (p->lex.token.end > p->lex.token.start + 1)
            return parse_fields(p, o);
        break;
    case TOKEN_OPEN:
        r = parse_parenthesis(p, o);
        fields_follow = true;
        break;
    default:
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                        "unexpected \"" SPAN_FMT "\" in operand", SPAN_ARG(lex_text(&p->lex)));
    }
    if (r == 0)
        r = lex_next(&p->lex);
    if (r == 0 && fields_follow && p->lex.token.kind == TOKEN_FIELD && !p->lex.token.spaced)
        r = parse_fields(p, o);
    return r;
}

MUST_USE static int parse_command(struct parser *p, enum token_kind end, struct template_command *c)
{
    struct template_operand **last = &c->first;
    while (p->lex.token.kind != TOKEN_PIPE && p->lex.token.kind != end) {
        if (p->lex.token.kind == TOKEN_END)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "unclosed left parenthesis");
        if (c->n && !p->lex.token.spaced)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                            "unexpected \"" SPAN_FMT "\" in operand", SPAN_ARG(lex_text(&p->lex)));
        int r = 0;
        struct template_operand *o = lex_alloc(&p->lex, sizeof *o, &r);
        if (o)
            r = parse_operand(p, o);
        if (r < 0)
            return r;
        *last = o;
        last = &o->next;
        c->n++;
    }
    if (c->n == 0)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "missing value for command");
    return 0;
}

/* The variable that is the token: known, or a new one that is in scope behind the pipeline only. */
MUST_USE static int take_variable(struct parser *p, enum token_kind sign, struct template_pipeline *pipe,
                                  struct span *ret_new)
{
    size_t at = pipe->n_variables;
    if (sign == TOKEN_ASSIGN) {
        int r = find_variable(p, &pipe->variables[at]);
        pipe->n_variables += r == 0;
        return r;
    }
    if (p->t->n_variables == VARIABLES_MAX)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "more than %d variables",
                        VARIABLES_MAX - VARIABLE_FIRST_OWN);
    ret_new[at] = lex_text(&p->lex);
    pipe->variables[at] = p->t->n_variables++;
    pipe->n_variables++;
    return 0;
}

/* "$x :=", "$x =" or a range's "$i, $x :=" in front of a pipeline, when it is there. */
MUST_USE static int parse_declaration(struct parser *p, size_t variables_max, struct template_pipeline *pipe,
                                      struct span *ret_new)
{
    struct token names[2] = {p->lex.token};
    size_t back = p->lex.at, n = 1;
    if (p->lex.token.kind != TOKEN_VARIABLE)
        return 0;
    int r = lex_next(&p->lex);
    if (r == 0 && p->lex.token.kind == TOKEN_COMMA) {
        if (variables_max < 2)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "too many declarations");
        r = lex_next(&p->lex);
        if (r == 0 && p->lex.token.kind != TOKEN_VARIABLE)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                            "range can only initialize variables");
        names[n++] = p->lex.token;
        if (r == 0)
            r = lex_next(&p->lex);
    }
    if (r < 0)
        return r;
    struct token sign = p->lex.token;
    size_t behind = p->lex.at;
    if (sign.kind != TOKEN_DECLARE && sign.kind != TOKEN_ASSIGN) {
        if (n > 1)
            return lex_fail(&p->lex, -EINVAL, sign.start, sign.end, "expected := behind the variables of range");
        p->lex.token = names[0];
        p->lex.at = back;
        return 0;
    }
    pipe->declares = true;
    for (size_t i = 0; i < n && r == 0; i++) {
        p->lex.token = names[i];
        r = take_variable(p, sign.kind, pipe, ret_new);
    }
    p->lex.token = sign;
    p->lex.at = behind;
    return r < 0 ? r : lex_next(&p->lex);
}

/* From the token that is read to `end`, which is left as the token. */
MUST_USE static int parse_pipeline(struct parser *p, enum token_kind end, size_t variables_max,
                                   struct template_pipeline **ret)
{
    int r = 0;
    struct template_pipeline *pipe = lex_alloc(&p->lex, sizeof *pipe, &r);
    if (!pipe)
        return r;
    struct span new_names[2] = {{NULL, 0}, {NULL, 0}};
    r = parse_declaration(p, variables_max, pipe, new_names);
    struct template_command **last = &pipe->first;
    for (bool more = true; r == 0 && more;) {
        struct template_command *c = lex_alloc(&p->lex, sizeof *c, &r);
        if (c)
            r = parse_command(p, end, c);
        if (r < 0)
            return r;
        if (last != &pipe->first &&
            (c->first->kind == OPERAND_CONSTANT || (c->first->kind == OPERAND_DOT && !c->first->fields.len)))
            return lex_fail(&p->lex, -EINVAL, c->first->at, p->lex.token.start, "non executable command in a pipeline");
        *last = c;
        last = &c->next;
        more = p->lex.token.kind == TOKEN_PIPE;
        if (more)
            r = lex_next(&p->lex);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < 2; i++)
        if (new_names[i].len) {
            p->names[p->n_names] = new_names[i];
            p->slots[p->n_names++] = pipe->variables[i];
        }
    *ret = pipe;
    return 0;
}

int parse_action_pipeline(struct parser *p, size_t variables_max, struct template_pipeline **ret)
{
    return parse_pipeline(p, TOKEN_END, variables_max, ret);
}
