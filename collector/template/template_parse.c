/* Reads Go's text/template language: text, actions with trim markers, comments, and the nodes that actions make. Source:
 * pkg.go.dev/text/template. */
#include <errno.h>

#include "collector/template/template_parser.h"
#include "lib/base/limits.h"

#define TREE_BYTES_PER_BYTE 64 /* "$a" becomes nodes of some hundred bytes; a text of only such actions stays below */
#define TREE_BYTES_MIN 65536

struct list {
    struct template_node *first, **last;
};
static const char *const WORDS[] = {[NODE_IF] = "if", [NODE_WITH] = "with", [NODE_RANGE] = "range"};
enum ended_by { ENDED_TEXT, ENDED_END, ENDED_ELSE };

/* ---- nodes ---- */
MUST_USE static int add_node(struct parser *p, struct list *to, enum node_kind kind, struct template_node **ret)
{
    int r = 0;
    struct template_node *n = lex_alloc(&p->lex, sizeof *n, &r);
    if (!n)
        return r;
    n->kind = kind;
    n->at = p->lex.token.start;
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

/* {{if pipeline}}, {{with pipeline}} or {{range pipeline}} with what belongs to it; the keyword is the token. Leaves p behind its {{end}}, which an
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
        r = parse_action_pipeline(p, kind == NODE_RANGE ? 2 : 1, &n->pipeline);
    if (r < 0)
        return r;
    p->lex.at = body;
    struct list then = {.last = &n->then}, otherwise = {.last = &n->otherwise};
    size_t inner = p->n_names;
    enum ended_by by;
    p->ranges += kind == NODE_RANGE;
    r = parse_list(p, &then, &by);
    p->ranges -= kind == NODE_RANGE;
    p->n_names = inner;
    if (r == 0 && by == ENDED_ELSE) {
        struct span rest = lex_text(&p->lex);
        bool chained = p->lex.token.kind == TOKEN_WORD && kind != NODE_RANGE;
        if (chained && span_equal(rest, span_str(WORDS[kind]))) {
            bool trims;
            size_t end = find_action_end(p, p->lex.at, &trims);
            size_t behind = skip_text_trim(p, end + (trims ? 4 : 2), trims);
            r = parse_branch(p, kind, &otherwise, behind, p->lex.token.start);
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
                        "unexpected end of the template: this {{%s}} has no {{end}}", WORDS[kind]);
    p->n_names = scope;
    p->depth--;
    return r;
}

MUST_USE static int parse_jump(struct parser *p, struct list *to, enum node_kind kind, size_t behind)
{
    const char *word = kind == NODE_BREAK ? "break" : "continue";
    struct template_node *n = NULL;
    if (p->ranges == 0)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "{{%s}} outside {{range}}", word);
    int r = add_node(p, to, kind, &n);
    if (r == 0)
        r = expect_bare(p, word);
    p->lex.at = behind;
    return r;
}

/* Its name, a string, is the next token. */
MUST_USE static int parse_name(struct parser *p, struct span *ret)
{
    int r = lex_next(&p->lex);
    if (r < 0)
        return r;
    if (p->lex.token.kind != TOKEN_STRING && p->lex.token.kind != TOKEN_RAW)
        return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                        "expected the template's name in quotes");
    r = lex_unquote(&p->lex, ret);
    return r < 0 ? r : lex_next(&p->lex);
}

/* The body of a define or block up to its {{end}}: outside of it no variable is seen but $. */
MUST_USE static int parse_body(struct parser *p, struct span name, size_t opened, size_t body)
{
    struct parser outer = *p;
    int r = 0;
    if (p->depth + 1 > TEMPLATE_DEPTH_MAX)
        return lex_fail(&p->lex, -EINVAL, opened, opened + 2, "nested too deeply");
    struct template_define *d = lex_alloc(&p->lex, sizeof *d, &r);
    if (!d)
        return r;
    *d = (struct template_define){.name = name, .next = p->t->defines};
    struct list list = {.last = &d->first};
    enum ended_by by = ENDED_TEXT;
    p->n_names = 1;
    p->ranges = 0;
    p->depth++;
    p->lex.at = body;
    r = parse_list(p, &list, &by);
    if (r == 0 && by != ENDED_END)
        return by == ENDED_TEXT ? lex_fail(&p->lex, -EINVAL, opened, opened + 2,
                                           "unexpected end of the template: this definition has no {{end}}")
                                : lex_fail(&p->lex, -EINVAL, p->closer.start, p->closer.end, "unexpected {{else}}");
    size_t behind = p->lex.at;
    memcpy(p->names, outer.names, sizeof p->names);
    memcpy(p->slots, outer.slots, sizeof p->slots);
    p->n_names = outer.n_names;
    p->ranges = outer.ranges;
    p->depth--;
    p->lex.at = behind;
    if (r == 0)
        p->t->defines = d; /* the newest of a name comes first */
    return r;
}

MUST_USE static int parse_define(struct parser *p, size_t opened, size_t behind)
{
    struct span name;
    int r = parse_name(p, &name);
    if (r == 0 && p->lex.token.kind != TOKEN_END)
        r = lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end, "unexpected \"" SPAN_FMT "\" in define",
                     SPAN_ARG(lex_text(&p->lex)));
    return r < 0 ? r : parse_body(p, name, opened, behind);
}

/* {{template "name" pipeline}}, or {{block "name" pipeline}} with its body. */
MUST_USE static int parse_template(struct parser *p, struct list *to, size_t opened, size_t behind, bool block)
{
    struct template_node *n = NULL;
    size_t scope = p->n_names;
    int r = add_node(p, to, NODE_TEMPLATE, &n);
    if (r == 0)
        r = parse_name(p, &n->text);
    if (r == 0 && (block || p->lex.token.kind != TOKEN_END))
        r = parse_action_pipeline(p, 1, &n->pipeline);
    p->n_names = scope;
    p->lex.at = behind;
    return r < 0 || !block ? r : parse_body(p, n->text, opened, behind);
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
    for (size_t i = NODE_IF; i <= NODE_RANGE; i++)
        if (span_equal(word, span_str(WORDS[i])))
            return parse_branch(p, (enum node_kind)i, to, behind, opened);
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
    if (span_equal(word, SPAN("break")) || span_equal(word, SPAN("continue")))
        return parse_jump(p, to, *word.ptr == 'b' ? NODE_BREAK : NODE_CONTINUE, behind);
    if (span_equal(word, SPAN("template")) || span_equal(word, SPAN("block")))
        return parse_template(p, to, opened, behind, *word.ptr == 'b');
    if (span_equal(word, SPAN("define"))) {
        if (p->depth)
            return lex_fail(&p->lex, -EINVAL, p->lex.token.start, p->lex.token.end,
                            "{{define}} stands inside another action");
        return parse_define(p, opened, behind);
    }
    struct template_node *n = NULL;
    r = add_node(p, to, NODE_PRINT, &n);
    if (r == 0)
        r = parse_action_pipeline(p, 1, &n->pipeline);
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
