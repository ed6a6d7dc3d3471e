#include "loadgen/hurl/check.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/match/regex.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/jsonpath.h"
#include "loadgen/hurl/parser.h"

struct checking {
    struct hurl_file *file;
    struct problems *problems;
    bool as_hurl, out_of_memory;
};

PRINTF_LIKE(3, 4)
static void report(struct checking *c, struct hurl_place at, const char *format, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problem_add(c->problems, PROBLEM_ERROR, c->file->name, at.line, at.column, "%s", text);
}

static void refuse(struct checking *c, struct hurl_place at, const char *kind, const char *name)
{
    report(c, at, "supported by hurl, not by crest: %s %s", kind, name);
}

/* ---- compiling constants ---- */

static void compile_regex(struct checking *c, struct hurl_operand *o)
{
    struct span text = o->bytes;
    if (o->kind == HURL_OPERAND_TEXT && !hurl_template_static(&o->text, &text))
        return; /* compiled when its variables are known */
    struct parse_error error = {0};
    int r = hurl_regex_compile(text, 0, &o->regex, &error);
    if (r == -ENOMEM) {
        c->out_of_memory = true;
    } else if (r < 0) {
        if (!c->as_hurl || o->kind == HURL_OPERAND_PATTERN)
            report(c, o->at, "regular expression: %s", error.text);
    } else {
        struct regex **kept = list_push(&c->file->arena, &c->file->regexes, &c->file->n_regexes, sizeof *kept);
        if (kept) {
            *kept = o->regex;
        } else {
            regex_free(o->regex);
            c->out_of_memory = true;
        }
    }
}

static void compile_jsonpath(struct checking *c, struct hurl_operand *o)
{
    struct span text;
    char why[192];
    if (!hurl_template_static(&o->text, &text))
        return;
    int r = jsonpath_compile(&c->file->arena, text, &o->path, why, sizeof why);
    if (r == -ENOMEM)
        c->out_of_memory = true;
    else if (r < 0 && !c->as_hurl)
        report(c, o->at, "JSONPath: %s", why);
}

static void compile_xpath(struct checking *c, struct hurl_operand *o)
{
    struct span text;
    if (!hurl_template_static(&o->text, &text))
        return;
    int r = xpath_slot_new(&c->file->arena, text, &o->xpath);
    struct xpath_slot **kept =
        r == 0 ? list_push(&c->file->arena, &c->file->xpaths, &c->file->n_xpaths, sizeof *kept) : NULL;
    if (kept)
        *kept = o->xpath;
    else if (r == 0)
        xpath_slot_done(o->xpath);
    if (r == -ENOMEM || (r == 0 && !kept))
        c->out_of_memory = true;
    else if (r < 0 && !c->as_hurl)
        report(c, o->at, "this is no XPath expression");
}

/* ---- walking the tree ---- */

static void check_filters(struct checking *c, struct hurl_filter *filters, size_t n);

static void check_expr(struct checking *c, const struct hurl_expr *e)
{
    check_filters(c, e->filters, e->n_filters);
}

static void check_template(struct checking *c, const struct hurl_template *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->parts[i].kind != HURL_PART_TEXT)
            check_expr(c, t->parts[i].expr);
}

static void check_operand(struct checking *c, const struct hurl_operand *o)
{
    if (o->kind == HURL_OPERAND_TEXT || o->kind == HURL_OPERAND_FILE)
        check_template(c, &o->text);
    else if (o->kind == HURL_OPERAND_EXPR)
        check_expr(c, o->expr);
}

static void check_filters(struct checking *c, struct hurl_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct hurl_filter *f = &filters[i];
        if (!f->def->executed) {
            refuse(c, f->at, "filter", f->def->name);
            continue;
        }
        for (size_t k = 0; k < HURL_FILTER_ARGS_MAX; k++)
            check_operand(c, &f->args[k]);
        enum hurl_filter_kind kind = f->def->kind;
        if (kind == HURL_FILTER_REGEX || kind == HURL_FILTER_REPLACE_REGEX || f->args[0].kind == HURL_OPERAND_PATTERN)
            compile_regex(c, &f->args[0]);
        else if (kind == HURL_FILTER_JSONPATH)
            compile_jsonpath(c, &f->args[0]);
        else if (kind == HURL_FILTER_XPATH)
            compile_xpath(c, &f->args[0]);
    }
}

static void check_query(struct checking *c, struct hurl_query *q)
{
    if (!q->def->executed) {
        refuse(c, q->at, "query", q->def->name);
        return;
    }
    check_operand(c, &q->arg);
    if (q->def->kind == HURL_QUERY_REGEX)
        compile_regex(c, &q->arg);
    else if (q->def->kind == HURL_QUERY_JSONPATH)
        compile_jsonpath(c, &q->arg);
    else if (q->def->kind == HURL_QUERY_XPATH)
        compile_xpath(c, &q->arg);
    check_filters(c, q->filters, q->n_filters);
}

static void check_predicate(struct checking *c, struct hurl_predicate *p)
{
    if (!p->def->executed) {
        refuse(c, p->at, "predicate", p->def->name);
        return;
    }
    check_operand(c, &p->operand);
    if (p->def->kind == HURL_MATCHES)
        compile_regex(c, &p->operand);
}

static void check_pairs(struct checking *c, const struct hurl_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check_template(c, &pairs[i].key);
        check_template(c, &pairs[i].value);
    }
}

static void check_body(struct checking *c, const struct hurl_body *b)
{
    check_template(c, &b->text);
    check_template(c, &b->variables);
}

static void check_request(struct checking *c, struct hurl_request *q)
{
    check_template(c, &q->url);
    check_pairs(c, q->headers, q->n_headers);
    check_pairs(c, q->query, q->n_query);
    check_pairs(c, q->form, q->n_form);
    check_pairs(c, q->cookies, q->n_cookies);
    check_pairs(c, q->basic_auth, q->n_basic_auth);
    for (size_t i = 0; i < q->n_multipart; i++) {
        check_template(c, &q->multipart[i].key);
        check_template(c, &q->multipart[i].value);
        check_template(c, &q->multipart[i].content_type);
    }
    for (size_t i = 0; i < q->n_options; i++) {
        bool off =
            q->options[i].def->type == HURL_OPTION_BOOL && !q->options[i].boolean; /* or a template: then at run */
        if (!q->options[i].def->executed && !off)
            refuse(c, q->options[i].at, "option", q->options[i].def->name);
        check_template(c, &q->options[i].text);
        check_operand(c, &q->options[i].value);
    }
    check_body(c, &q->body);
}

static void check_response(struct checking *c, struct hurl_response *r)
{
    check_pairs(c, r->headers, r->n_headers);
    for (size_t i = 0; i < r->n_captures; i++) {
        check_template(c, &r->captures[i].dynamic_name);
        check_query(c, &r->captures[i].query);
    }
    for (size_t i = 0; i < r->n_asserts; i++) {
        check_query(c, &r->asserts[i].query);
        check_predicate(c, &r->asserts[i].predicate);
    }
    check_body(c, &r->body);
    if (r->body.kind == HURL_BODY_GRAPHQL)
        report(c, r->body.at, "graphql is for requests");
}

/* ---- our settings ---- */

static void resolve_gotos(struct checking *c, struct hurl_entry *e)
{
    double sum = 0;
    for (size_t i = 0; i < e->n_gotos; i++) {
        struct hurl_goto *g = &e->gotos[i];
        size_t k = 0;
        while (k < c->file->n_entries && !span_equal(c->file->entries[k].step, g->step))
            k++;
        if (k == c->file->n_entries && !span_equal(g->step, SPAN("end")))
            report(c, g->at, "@goto: no step is called '" SPAN_FMT "'", SPAN_ARG(g->step));
        g->entry = k;
        sum += g->probability;
    }
    if (sum > 1 + 1e-9)
        report(c, e->gotos[0].at, "@goto: the probabilities of one step add up to %g", sum);
}

MUST_USE static int check(struct hurl_file *f, struct problems *problems, bool as_hurl)
{
    struct checking c = {.file = f, .problems = problems, .as_hurl = as_hurl};
    size_t before = problems_errors(problems);
    xpath_init();
    if (f->n_entries == 0 && !as_hurl)
        report(&c, (struct hurl_place){0}, "the file has no request");
    for (size_t i = 0; i < f->n_entries; i++) {
        check_request(&c, &f->entries[i].request);
        check_response(&c, &f->entries[i].response);
        if (!as_hurl)
            resolve_gotos(&c, &f->entries[i]);
    }
    if (c.out_of_memory)
        return -ENOMEM;
    return problems_errors(problems) > before ? -EINVAL : 0;
}

int hurl_check(struct hurl_file *f, struct problems *problems)
{
    return check(f, problems, false);
}

int hurl_check_as_hurl(struct hurl_file *f, struct problems *problems)
{
    return check(f, problems, true);
}

/* ---- variables ---- */

struct using
{
    const struct hurl_file *file;
    struct problems *problems;
    bool *set; /* by slot */
    size_t missing;
};

static void use_filters(struct using *u, const struct hurl_filter *filters, size_t n);

static void use_expr(struct using *u, const struct hurl_expr *e)
{
    if (e->function == HURL_NO_FUNCTION && !u->set[e->slot]) {
        problem_add(u->problems, PROBLEM_ERROR, u->file->name, e->at.line, e->at.column,
                    "the variable '" SPAN_FMT "' is set nowhere before (give it with --variable " SPAN_FMT "=VALUE)",
                    SPAN_ARG(e->name), SPAN_ARG(e->name));
        u->set[e->slot] = true; /* once is enough */
        u->missing++;
    }
    use_filters(u, e->filters, e->n_filters);
}

static void use_template(struct using *u, const struct hurl_template *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->parts[i].kind != HURL_PART_TEXT)
            use_expr(u, t->parts[i].expr);
}

static void use_operand(struct using *u, const struct hurl_operand *o)
{
    if (o->kind == HURL_OPERAND_EXPR)
        use_expr(u, o->expr);
    use_template(u, &o->text);
}

static void use_filters(struct using *u, const struct hurl_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < HURL_FILTER_ARGS_MAX; k++)
            use_operand(u, &filters[i].args[k]);
}

static void use_pairs(struct using *u, const struct hurl_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        use_template(u, &pairs[i].key);
        use_template(u, &pairs[i].value);
    }
}

static void use_query(struct using *u, const struct hurl_query *q)
{
    use_operand(u, &q->arg);
    use_filters(u, q->filters, q->n_filters);
}

static void use_entry(struct using *u, const struct hurl_entry *e)
{
    const struct hurl_request *q = &e->request;
    for (size_t i = 0; i < q->n_options; i++) {
        use_template(u, &q->options[i].text);
        use_operand(u, &q->options[i].value);
        if (q->options[i].def->type == HURL_OPTION_DEFINITION)
            u->set[q->options[i].slot] = true;
    }
    use_template(u, &q->url);
    use_pairs(u, q->headers, q->n_headers);
    use_pairs(u, q->query, q->n_query);
    use_pairs(u, q->form, q->n_form);
    for (size_t i = 0; i < q->n_multipart; i++) {
        use_template(u, &q->multipart[i].key);
        use_template(u, &q->multipart[i].value);
        use_template(u, &q->multipart[i].content_type);
    }
    use_pairs(u, q->cookies, q->n_cookies);
    use_pairs(u, q->basic_auth, q->n_basic_auth);
    use_template(u, &q->body.text);
    use_template(u, &q->body.variables);
    const struct hurl_response *r = &e->response;
    for (size_t i = 0; i < r->n_captures; i++) {
        use_query(u, &r->captures[i].query);
        use_template(u, &r->captures[i].dynamic_name);
        if (r->captures[i].slot != HURL_NO_SLOT)
            u->set[r->captures[i].slot] = true;
    }
    use_pairs(u, r->headers, r->n_headers);
    for (size_t i = 0; i < r->n_asserts; i++) {
        use_query(u, &r->asserts[i].query);
        use_operand(u, &r->asserts[i].predicate.operand);
    }
    use_template(u, &r->body.text);
}

size_t hurl_check_variables(const struct hurl_file *f, const bool *known, struct problems *problems)
{
    struct using u = {.file = f, .problems = problems};
    u.set = calloc(f->n_variables + 1, sizeof *u.set);
    if (!u.set)
        return 0; /* running says it again, at the first use */
    for (size_t i = 0; i < f->n_variables; i++)
        u.set[i] = known && known[i];
    for (size_t i = 0; i < f->n_generated; i++)
        u.set[f->generated[i].slot] = true;
    for (size_t i = 0; i < f->n_entries; i++)
        use_entry(&u, &f->entries[i]);
    free(u.set);
    return u.missing;
}
