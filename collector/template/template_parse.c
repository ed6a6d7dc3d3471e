/* Reads Go's text/template language as far as rule files use it: text, actions with trim markers, comments, pipelines, variables,
 * if and with. What else the language has is refused by name (template.h). Source: pkg.go.dev/text/template. */
#include <errno.h>

#include "collector/template/template_lex.h"
#include "collector/template/template_tree.h"
#include "lib/base/limits.h"

#define TREE_BYTES_PER_BYTE 64 /* "$a" becomes nodes of some hundred bytes; a text of only such actions stays below */
#define TREE_BYTES_MIN 65536

struct parser {
    struct lexer lex;
    struct template *t;
    struct span names[VARIABLES_MAX]; /* of the variables in scope */
    size_t slots[VARIABLES_MAX];
    size_t n_names;
    unsigned depth;
    struct token closer; /* the last {{end}} or {{else}} */
};
struct list {
    struct template_node *first, **last;
};
enum ended_by { ENDED_TEXT, ENDED_END, ENDED_ELSE };

/* ---- operands, commands, pipelines ---- */
static int parse_pipeline(struct parser *p, enum token_kind end, struct template_pipeline **ret);

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

static bool known_keyword(struct span word)
{
    static const char *const WORDS[] = {"range", "define", "template", "block", "break", "continue"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_equal(word, span_str(WORDS[i])))
            return true;
    return false;
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
    if (!template_function_find(word, &o->function))
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "function \"" SPAN_FMT "\" not defined",
                        SPAN_ARG(word));
    if (!o->function)
        return lex_fail(&p->lex, -EOPNOTSUPP, p->lex.token.start, p->lex.token.end, "not yet: " SPAN_FMT,
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
        r = parse_pipeline(p, TOKEN_CLOSE, &o->pipeline);
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
    if (c->first->kind != OPERAND_FUNCTION && c->n > 1)
        return lex_fail(&p->lex, -EINVAL, c->first->next->at, p->lex.token.start,
                        "can't give argument to non-function \"" SPAN_FMT "\"",
                        SPAN_ARG(span_trim(lex_piece(&p->lex, c->first->at, c->first->next->at))));
    return 0;
}

/* "$x :=" or "$x =" in front of a pipeline, when it is there. The new name is in scope behind the pipeline only. */
MUST_USE static int parse_declaration(struct parser *p, struct template_pipeline *pipe, struct span *ret_new)
{
    if (p->lex.token.kind != TOKEN_VARIABLE)
        return 0;
    struct token variable = p->lex.token;
    size_t back = p->lex.at;
    int r = lex_next(&p->lex);
    if (r < 0)
        return r;
    enum token_kind kind = p->lex.token.kind;
    if (kind != TOKEN_DECLARE && kind != TOKEN_ASSIGN) {
        p->lex.token = variable;
        p->lex.at = back;
        return 0;
    }
    struct token sign = p->lex.token;
    size_t behind = p->lex.at;
    pipe->declares = true;
    p->lex.token = variable;
    if (kind == TOKEN_ASSIGN)
        r = find_variable(p, &pipe->variable);
    else if (p->t->n_variables == VARIABLES_MAX)
        r = lex_fail(&p->lex, -EINVAL, variable.start, variable.end, "more than %d variables",
                     VARIABLES_MAX - VARIABLE_FIRST_OWN);
    else {
        *ret_new = lex_text(&p->lex);
        pipe->variable = p->t->n_variables++;
    }
    p->lex.token = sign;
    p->lex.at = behind;
    return r < 0 ? r : lex_next(&p->lex);
}

/* From the token that is read to `end`, which is left as the token. */
MUST_USE static int parse_pipeline(struct parser *p, enum token_kind end, struct template_pipeline **ret)
{
    int r = 0;
    struct template_pipeline *pipe = lex_alloc(&p->lex, sizeof *pipe, &r);
    if (!pipe)
        return r;
    struct span new_name = {NULL, 0};
    if (end == TOKEN_END)
        r = parse_declaration(p, pipe, &new_name);
    struct template_command **last = &pipe->first;
    for (bool more = true; r == 0 && more;) {
        struct template_command *c = lex_alloc(&p->lex, sizeof *c, &r);
        if (c)
            r = parse_command(p, end, c);
        if (r < 0)
            return r;
        if (last != &pipe->first && c->first->kind != OPERAND_FUNCTION)
            return lex_fail(&p->lex, -EINVAL, c->first->at, p->lex.token.start, "non executable command in a pipeline");
        *last = c;
        last = &c->next;
        more = p->lex.token.kind == TOKEN_PIPE;
        if (more)
            r = lex_next(&p->lex);
    }
    if (r < 0)
        return r;
    if (new_name.len) {
        p->names[p->n_names] = new_name;
        p->slots[p->n_names++] = pipe->variable;
    }
    *ret = pipe;
    return 0;
}

/* ---- nodes ---- */
MUST_USE static int add_node(struct parser *p, struct list *to, enum node_kind kind, struct template_node **ret)
{
    int r = 0;
    struct template_node *n = lex_alloc(&p->lex, sizeof *n, &r);
    if (!n)
        return r;
    n->kind = kind;
    *to->last = n;
    to->last = &n->next;
    *ret = n;
    return 0;
}

/* Where the action's "}}" begins, strings skipped; sets whether it trims. The text length: there is none. */
static size_t find_action_end(const struct parser *p, size_t at, bool *ret_trims)
{
    struct span t = p->lex.text;
    for (; at + 1 < t.len; at++) {
        if (t.ptr[at] == '}' && t.ptr[at + 1] == '}') {
            *ret_trims = false;
            return at;
        }
        if (lex_is_blank(t.ptr[at]) && at + 3 < t.len && memcmp(t.ptr + at + 1, "-}}", 3) == 0) {
            *ret_trims = true;
            return at;
        }
        if (t.ptr[at] == '"' || t.ptr[at] == '`' || t.ptr[at] == '\'') {
            size_t end = lex_quoted_end(&p->lex, at, t.len);
            if (end == 0)
                return t.len + 1 + at; /* the quote that is never closed */
            at = end - 1;
        }
    }
    return t.len;
}

static int parse_list(struct parser *p, struct list *to, enum ended_by *ret);

MUST_USE static int expect_bare(struct parser *p, const char *word)
{
    int r = lex_next(&p->lex);
    if (r < 0)
        return r;
    if (p->lex.token.kind != TOKEN_END)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "unexpected \"" SPAN_FMT "\" in %s",
                        SPAN_ARG(lex_text(&p->lex)), word);
    return 0;
}

static size_t skip_text_trim(const struct parser *p, size_t at, bool trims)
{
    while (trims && at < p->lex.text.len && lex_is_blank(p->lex.text.ptr[at]))
        at++;
    return at;
}

/* {{if pipeline}} or {{with pipeline}} with what belongs to it; the keyword is the token. Leaves p behind its {{end}}, which an
 * {{else if}} shares with the first. */
MUST_USE static int parse_branch(struct parser *p, enum node_kind kind, struct list *to, size_t body, size_t opened)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return lex_fail(&p->lex, -EINVAL, opened, opened + 2, "nested too deeply");
    size_t scope = p->n_names;
    struct template_node *n = NULL;
    int r = add_node(p, to, kind, &n);
    if (r == 0)
        r = lex_next(&p->lex);
    if (r == 0)
        r = parse_pipeline(p, TOKEN_END, &n->pipeline);
    if (r < 0)
        return r;
    p->lex.at = body;
    struct list then = {.last = &n->then}, otherwise = {.last = &n->otherwise};
    size_t inner = p->n_names;
    enum ended_by by;
    r = parse_list(p, &then, &by);
    p->n_names = inner;
    if (r == 0 && by == ENDED_ELSE) {
        struct span rest = lex_text(&p->lex);
        bool chained = p->lex.token.kind == TOKEN_WORD;
        if (chained && (span_equal(rest, SPAN("if")) || span_equal(rest, SPAN("with")))) {
            bool trims;
            size_t end = find_action_end(p, p->lex.at, &trims);
            size_t behind = skip_text_trim(p, end + (trims ? 4 : 2), trims);
            r = parse_branch(p, *rest.ptr == 'i' ? NODE_IF : NODE_WITH, &otherwise, behind, p->lex.token.start);
            by = ENDED_END;
        } else if (p->lex.token.kind != TOKEN_END) {
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                            "unexpected \"" SPAN_FMT "\" in else", SPAN_ARG(rest));
        } else {
            bool trims;
            size_t end = find_action_end(p, p->lex.at, &trims);
            p->lex.at = skip_text_trim(p, end + (trims ? 4 : 2), trims);
            r = parse_list(p, &otherwise, &by);
            if (r == 0 && by == ENDED_ELSE)
                return lex_fail(&p->lex, -EINVAL, p->closer.start, p->closer.end, "expected end; found {{else}}");
        }
    }
    if (r == 0 && by == ENDED_TEXT)
        return lex_fail(&p->lex, -EINVAL, opened, opened + 2,
                        "unexpected end of the template: this {{%s}} has no {{end}}", kind == NODE_IF ? "if" : "with");
    p->n_names = scope;
    p->depth--;
    return r;
}

/* One action; p->lex.at is behind "{{" and its trim marker, `behind` is where the text goes on. */
MUST_USE static int parse_action(struct parser *p, struct list *to, size_t opened, size_t behind, enum ended_by *ret)
{
    struct span inside = span_trim(lex_piece(&p->lex, p->lex.at, p->lex.action_end));
    if (span_starts(inside, SPAN("/*"))) {
        if (inside.len < 4 || memcmp(inside.ptr + inside.len - 2, "*/", 2) != 0)
            return lex_fail(&p->lex, -EINVAL, opened, behind, "unclosed comment");
        p->lex.at = behind;
        return 0;
    }
    int r = lex_next(&p->lex);
    if (r < 0)
        return r;
    struct span word = p->lex.token.kind == TOKEN_WORD ? lex_text(&p->lex) : (struct span){NULL, 0};
    if (span_equal(word, SPAN("if")) || span_equal(word, SPAN("with")))
        return parse_branch(p, *word.ptr == 'i' ? NODE_IF : NODE_WITH, to, behind, opened);
    if (span_equal(word, SPAN("end"))) {
        *ret = ENDED_END;
        p->closer = p->lex.token;
        r = expect_bare(p, "end");
        p->lex.at = behind;
        return r;
    }
    if (span_equal(word, SPAN("else"))) {
        *ret = ENDED_ELSE;
        p->closer = p->lex.token;
        return lex_next(&p->lex); /* the branch reads on */
    }
    if (known_keyword(word))
        return lex_fail(&p->lex, -EOPNOTSUPP, p->lex.token.start, p->lex.token.end, "not yet: " SPAN_FMT,
                        SPAN_ARG(word));
    struct template_node *n = NULL;
    r = add_node(p, to, NODE_PRINT, &n);
    if (r == 0)
        r = parse_pipeline(p, TOKEN_END, &n->pipeline);
    p->lex.at = behind;
    return r;
}

MUST_USE static int add_text(struct parser *p, struct list *to, size_t start, size_t end, bool trim_right)
{
    while (trim_right && end > start && lex_is_blank(p->lex.text.ptr[end - 1]))
        end--;
    if (start == end)
        return 0;
    struct template_node *n = NULL;
    int r = add_node(p, to, NODE_TEXT, &n);
    if (r == 0)
        n->text = lex_piece(&p->lex, start, end);
    return r;
}

MUST_USE static int find_action(struct parser *p, size_t opened, size_t inner, size_t *ret_behind)
{
    struct span t = p->lex.text;
    bool trims = false;
    size_t end;
    struct span inside = span_from(t, inner);
    if (span_starts(inside, SPAN("/*"))) { /* quotes inside a comment are just text */
        size_t close = span_search(inside, SPAN("*/"));
        if (close == inside.len)
            return lex_fail(&p->lex, -EINVAL, opened, t.len, "unclosed comment");
        end = find_action_end(p, inner + close + 2, &trims);
    } else {
        end = find_action_end(p, inner, &trims);
    }
    if (end > t.len)
        return lex_fail(&p->lex, -EINVAL, end - t.len - 1, t.len, "unterminated quoted string");
    if (end == t.len)
        return lex_fail(&p->lex, -EINVAL, opened, t.len, "unclosed action");
    p->lex.action_end = end;
    p->lex.at = inner;
    *ret_behind = skip_text_trim(p, end + (trims ? 4 : 2), trims);
    return 0;
}

/* Nodes up to the end of the text or an {{end}} or {{else}} that belongs to somebody above. */
MUST_USE static int parse_list(struct parser *p, struct list *to, enum ended_by *ret)
{
    struct span t = p->lex.text;
    for (;;) {
        size_t start = p->lex.at, opened = start + span_search(span_from(t, start), SPAN("{{"));
        if (start >= t.len)
            opened = t.len;
        bool trim_left = opened + 3 < t.len && t.ptr[opened + 2] == '-' && lex_is_blank(t.ptr[opened + 3]);
        int r = add_text(p, to, start, opened, trim_left);
        if (r < 0 || opened == t.len) {
            *ret = ENDED_TEXT;
            return r;
        }
        size_t inner = opened + (trim_left ? 4 : 2), behind = opened;
        r = find_action(p, opened, inner, &behind);
        enum ended_by by = ENDED_TEXT;
        if (r == 0)
            r = parse_action(p, to, opened, behind, &by);
        if (r < 0)
            return r;
        if (by != ENDED_TEXT) {
            *ret = by;
            return 0;
        }
    }
}

static void declare(struct parser *p, struct span name, size_t slot)
{
    p->names[p->n_names] = name;
    p->slots[p->n_names++] = slot;
}

int template_parse(struct span text, struct template **ret, struct parse_error *ret_error)
{
    *ret_error = (struct parse_error){0};
    struct template *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    arena_init(&t->arena, text.len * TREE_BYTES_PER_BYTE + TREE_BYTES_MIN);
    bool ok = true;
    t->text = span_of(arena_dup(&t->arena, text), text.len);
    ok = t->text.ptr != NULL;
    t->n_variables = VARIABLE_FIRST_OWN;
    struct parser p = {.lex = {.text = t->text, .arena = &t->arena, .error = ret_error}, .t = t};
    declare(&p, SPAN("$"), VARIABLE_ROOT);
    declare(&p, SPAN("$labels"), VARIABLE_LABELS);
    declare(&p, SPAN("$externalLabels"), VARIABLE_EXTERNAL_LABELS);
    declare(&p, SPAN("$externalURL"), VARIABLE_EXTERNAL_URL);
    declare(&p, SPAN("$value"), VARIABLE_VALUE);
    struct list all = {.last = &t->first};
    enum ended_by by = ENDED_TEXT;
    int r = ok ? parse_list(&p, &all, &by) : -ENOMEM;
    if (r == 0 && by != ENDED_TEXT)
        r = lex_fail(&p.lex, -EINVAL, p.closer.start, p.closer.end, "unexpected {{%s}}",
                     by == ENDED_END ? "end" : "else");
    if (r < 0) {
        template_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

void template_free(struct template *t)
{
    if (!t)
        return;
    arena_done(&t->arena);
    free(t);
}
