#include <errno.h>
#include <stdarg.h>

#include "collector/template/go_format.h"
#include "collector/template/template_functions.h"
#include "lib/base/limits.h"

#define RUN_BYTES_MAX (16u << 20) /* texts and answers made on the way */
#define RUN_STEPS_MAX 1000000u    /* nodes and commands: a range in a range in a range ends */
#define RUN_DEPTH_MAX 100u        /* templates that call each other */
#define ARGS_MAX 32

bool template_fail(struct template_run *run, const char *format, ...)
{
    if (!run->error[0]) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(run->error, sizeof run->error, format, args);
        va_end(args);
    }
    return false;
}

bool template_take_text(struct template_run *run, struct buf *text, struct template_value *ret)
{
    bool ok = buf_error(text) == 0;
    *ret = template_text(arena_span(&run->arena, buf_view(text), &ok));
    buf_done(text);
    return ok || template_fail(run, "the text grows over %u bytes", TEMPLATE_BYTES_MAX);
}

/* ---- values ---- */
static struct template_value labels_value(const struct labels *labels)
{
    static const struct labels NONE = {NULL, 0};
    return (struct template_value){.kind = TEMPLATE_LABELS, .labels = labels ? labels : &NONE};
}

static bool root_field(struct template_run *run, struct span name, struct template_value *ret)
{
    if (span_equal(name, SPAN("Labels")))
        *ret = run->variables[VARIABLE_LABELS];
    else if (span_equal(name, SPAN("ExternalLabels")))
        *ret = run->variables[VARIABLE_EXTERNAL_LABELS];
    else if (span_equal(name, SPAN("ExternalURL")))
        *ret = run->variables[VARIABLE_EXTERNAL_URL];
    else if (span_equal(name, SPAN("Value")))
        *ret = run->variables[VARIABLE_VALUE];
    else
        return template_fail(
            run, "can't evaluate field " SPAN_FMT " in the data: it has Labels, ExternalLabels, ExternalURL, Value",
            SPAN_ARG(name));
    return true;
}

static bool sample_field(struct template_run *run, struct span name, struct template_value *v)
{
    const struct template_sample *s = v->sample;
    if (span_equal(name, SPAN("Labels")))
        *v = labels_value(&s->labels);
    else if (span_equal(name, SPAN("Value")))
        *v = template_float(s->value);
    else
        return template_fail(run, "can't evaluate field " SPAN_FMT " in type %s", SPAN_ARG(name), go_type(v));
    return true;
}

/* ".a.b" from a value on; what calls the last of them gives its arguments. */
static bool walk_fields(struct template_run *run, struct span fields, const struct template_value *args, size_t n_args,
                        struct template_value *v)
{
    while (fields.len) {
        fields = span_from(fields, 1);
        size_t n = span_find(fields, '.');
        struct span name = span_of(fields.ptr, n);
        fields = span_from(fields, n);
        if (v->kind == TEMPLATE_ROOT) {
            if (!root_field(run, name, v))
                return false;
        } else if (v->kind == TEMPLATE_LABELS) {
            *v = template_text(labels_get(v->labels, name));
        } else if (v->kind == TEMPLATE_SAMPLE) {
            if (!sample_field(run, name, v))
                return false;
        } else if (v->kind == TEMPLATE_ARGS) {
            *v = template_arg(&v->args, name);
        } else if (v->kind == TEMPLATE_TIME || v->kind == TEMPLATE_DURATION) {
            struct template_value self = *v;
            bool last = fields.len == 0;
            if (!template_method(run, &self, name, last ? args : NULL, last ? n_args : 0, v))
                return false;
            if (last)
                return true;
        } else {
            return template_fail(run, "can't evaluate field " SPAN_FMT " in type %s", SPAN_ARG(name), go_type(v));
        }
    }
    return n_args == 0 || template_fail(run, "can't give argument to non-function");
}

/* ---- pipelines ---- */
static bool run_pipeline(struct template_run *run, const struct template_pipeline *p, struct template_value *ret);

static bool step(struct template_run *run)
{
    return ++run->steps <= RUN_STEPS_MAX || template_fail(run, "more than %u steps", RUN_STEPS_MAX);
}

static bool call(struct template_run *run, const struct template_operand *o, const struct template_value *args,
                 size_t n, struct template_value *ret)
{
    const struct template_function *f = o->function;
    run->at = o->at;
    if (n < f->args_min || (f->args_max != UINT8_MAX && n > f->args_max))
        return template_fail(run, "wrong number of args for %s: want %s%u got %zu", f->name,
                             f->args_max == f->args_min ? "" : "at least ", f->args_min, n);
    return f->call(run, args, n, ret);
}

/* With the arguments of the command that it begins. */
static bool run_operand(struct template_run *run, const struct template_operand *o, const struct template_value *args,
                        size_t n, struct template_value *ret)
{
    run->at = o->at;
    switch (o->kind) {
    case OPERAND_CONSTANT:
        *ret = o->constant;
        return n == 0 || template_fail(run, "can't give argument to non-function");
    case OPERAND_DOT:
        *ret = run->dot;
        break;
    case OPERAND_VARIABLE:
        *ret = run->variables[o->variable];
        break;
    case OPERAND_FUNCTION:
        return call(run, o, args, n, ret);
    case OPERAND_PIPELINE:
        if (!run_pipeline(run, o->pipeline, ret))
            return false;
        run->at = o->at;
        break;
    }
    return walk_fields(run, o->fields, args, n, ret);
}

/* and, or: what decides ends it; the arguments behind are not evaluated. */
static bool run_logic(struct template_run *run, const struct template_command *c, bool until,
                      const struct template_value *piped, struct template_value *ret)
{
    for (const struct template_operand *a = c->first->next; a; a = a->next) {
        if (!run_operand(run, a, NULL, 0, ret))
            return false;
        if (template_truth(ret) == until)
            return true;
    }
    if (piped)
        *ret = *piped;
    return true;
}

/* `piped` is the value of the command before, or NULL: it becomes the last argument. */
static bool run_command(struct template_run *run, const struct template_command *c, const struct template_value *piped,
                        struct template_value *ret)
{
    const struct template_operand *o = c->first;
    struct template_value args[ARGS_MAX];
    size_t n = 0;
    if (!step(run))
        return false;
    if (o->kind == OPERAND_FUNCTION && (o->next || piped)) {
        bool is_and = strcmp(o->function->name, "and") == 0;
        if (is_and || strcmp(o->function->name, "or") == 0)
            return run_logic(run, c, !is_and, piped, ret);
    }
    for (const struct template_operand *a = o->next; a; a = a->next) {
        if (n == ARGS_MAX - 1)
            return template_fail(run, "more than %d arguments", ARGS_MAX - 1);
        if (!run_operand(run, a, NULL, 0, &args[n++]))
            return false;
    }
    if (piped)
        args[n++] = *piped;
    return run_operand(run, o, args, n, ret);
}

static bool run_pipeline(struct template_run *run, const struct template_pipeline *p, struct template_value *ret)
{
    struct template_value v = {0}, before;
    bool first = true;
    for (const struct template_command *c = p->first; c; c = c->next, first = false) {
        before = v;
        if (!run_command(run, c, first ? NULL : &before, &v))
            return false;
    }
    if (p->n_variables == 1)
        run->variables[p->variables[0]] = v; /* those of a range take each item */
    *ret = v;
    return true;
}

/* ---- nodes ---- */
enum flow { FLOW_FAILED, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };
static enum flow run_nodes(struct template_run *run, const struct template_node *n, struct buf *out);

/* Item i of what a range goes over, and its key. false: past the last. */
static bool item(const struct template_value *v, size_t i, struct template_value *ret_key, struct template_value *ret)
{
    if (v->kind == TEMPLATE_LABELS && i < v->labels->n) {
        *ret_key = template_text(v->labels->pairs[i].name);
        *ret = template_text(v->labels->pairs[i].value);
    } else if (v->kind == TEMPLATE_LIST && i < v->list.n) {
        *ret_key = template_int((int64_t)i);
        *ret = (struct template_value){.kind = TEMPLATE_SAMPLE, .sample = v->list.items[i]};
    } else if (v->kind == TEMPLATE_INT && v->integer > 0 && i < (uint64_t)v->integer) {
        *ret_key = *ret = template_int((int64_t)i);
    } else {
        return false;
    }
    return true;
}

/* Of args' map, in the order of its keys as texts. */
static bool args_item(struct template_run *run, const struct template_args *args, size_t i,
                      struct template_value *ret_key, struct template_value *ret)
{
    char *best = NULL;
    for (size_t k = 0; k < args->n; k++) {
        char *key = arena_printf(&run->arena, "arg%zu", k);
        size_t before = 0;
        for (size_t m = 0; key && m < args->n; m++) {
            char other[24];
            snprintf(other, sizeof other, "arg%zu", m);
            before += strcmp(other, key) < 0;
        }
        if (key && before == i) {
            best = key;
            *ret = args->items[k];
        }
    }
    *ret_key = template_text(span_str(best));
    return best != NULL;
}

static enum flow run_range(struct template_run *run, const struct template_node *n, struct buf *out)
{
    struct template_value v, key, one, dot = run->dot;
    const struct template_pipeline *p = n->pipeline;
    if (!run_pipeline(run, p, &v))
        return FLOW_FAILED;
    if (v.kind != TEMPLATE_LABELS && v.kind != TEMPLATE_LIST && v.kind != TEMPLATE_INT && v.kind != TEMPLATE_ARGS &&
        v.kind != TEMPLATE_NIL) {
        (void)template_fail(run, "range can't iterate over a value of type %s", go_type(&v));
        return FLOW_FAILED;
    }
    enum flow flow = FLOW_ON;
    size_t i = 0;
    for (; flow == FLOW_ON || flow == FLOW_CONTINUE; i++) {
        if (v.kind == TEMPLATE_ARGS ? !args_item(run, &v.args, i, &key, &one) : !item(&v, i, &key, &one))
            break;
        if (!step(run))
            flow = FLOW_FAILED;
        if (p->n_variables == 1)
            run->variables[p->variables[0]] = one;
        if (p->n_variables == 2) {
            run->variables[p->variables[0]] = key;
            run->variables[p->variables[1]] = one;
        }
        run->dot = one;
        if (flow != FLOW_FAILED)
            flow = run_nodes(run, n->then, out);
    }
    run->dot = dot;
    if (i == 0)
        return run_nodes(run, n->otherwise, out);
    return flow == FLOW_FAILED ? FLOW_FAILED : FLOW_ON;
}

static enum flow run_choice(struct template_run *run, const struct template_node *n, struct buf *out)
{
    struct template_value v, dot = run->dot;
    if (!run_pipeline(run, n->pipeline, &v))
        return FLOW_FAILED;
    bool yes = template_truth(&v);
    if (yes && n->kind == NODE_WITH)
        run->dot = v;
    enum flow flow = run_nodes(run, yes ? n->then : n->otherwise, out);
    run->dot = dot;
    return flow;
}

bool template_run_named(struct template_run *run, struct span name, const struct template_value *dot, struct buf *out)
{
    const struct template_define *d = run->of->defines;
    while (d && (!span_equal(d->name, name) || (!d->first && d->next)))
        d = d->next; /* an empty definition does not replace one that has a body */
    if (!d)
        return template_fail(run, "template \"" SPAN_FMT "\" not defined", SPAN_ARG(name));
    if (run->depth == RUN_DEPTH_MAX)
        return template_fail(run, "exceeded maximum template depth (%u)", RUN_DEPTH_MAX);
    struct template_value own[VARIABLES_MAX], *variables = run->variables, outer = run->dot;
    memset(own, 0, sizeof own);
    own[VARIABLE_ROOT] = run->dot = *dot;
    run->variables = own;
    run->depth++;
    enum flow flow = run_nodes(run, d->first, out);
    run->depth--;
    run->variables = variables;
    run->dot = outer;
    return flow != FLOW_FAILED;
}

static enum flow run_node(struct template_run *run, const struct template_node *n, struct buf *out)
{
    struct template_value v = {0};
    run->at = n->at;
    if (!step(run))
        return FLOW_FAILED;
    switch (n->kind) {
    case NODE_TEXT:
        buf_span(out, n->text);
        return FLOW_ON;
    case NODE_PRINT:
        if (!run_pipeline(run, n->pipeline, &v))
            return FLOW_FAILED;
        if (!n->pipeline->declares)
            go_value(out, &v);
        return FLOW_ON;
    case NODE_TEMPLATE:
        if (n->pipeline && !run_pipeline(run, n->pipeline, &v))
            return FLOW_FAILED;
        run->at = n->at;
        return template_run_named(run, n->text, &v, out) ? FLOW_ON : FLOW_FAILED;
    case NODE_RANGE:
        return run_range(run, n, out);
    case NODE_BREAK:
        return FLOW_BREAK;
    case NODE_CONTINUE:
        return FLOW_CONTINUE;
    case NODE_IF:
    case NODE_WITH:
        break;
    }
    return run_choice(run, n, out);
}

static enum flow run_nodes(struct template_run *run, const struct template_node *n, struct buf *out)
{
    for (; n; n = n->next) {
        enum flow flow = run_node(run, n, out);
        if (flow != FLOW_ON)
            return flow;
        if (buf_error(out)) {
            (void)template_fail(run, "the text grows over %u bytes", TEMPLATE_BYTES_MAX);
            return FLOW_FAILED;
        }
    }
    return FLOW_ON;
}

static void place(const struct template *t, size_t at, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < t->text.len; i++) {
        (*column)++;
        if (t->text.ptr[i] == '\n') {
            (*line)++;
            *column = 1;
        }
    }
}

bool template_is_constant(const struct template *t)
{
    return !t->first || (t->first->kind == NODE_TEXT && !t->first->next);
}

int template_expand(const struct template *t, const struct template_data *data, struct buf *out)
{
    if (template_is_constant(t)) {
        if (t->first)
            buf_span(out, t->first->text);
        return buf_error(out);
    }
    struct template_value variables[VARIABLES_MAX];
    struct template_run run = {.of = t, .data = data, .variables = variables};
    memset(variables, 0, sizeof variables);
    arena_init(&run.arena, RUN_BYTES_MAX);
    run.dot.kind = TEMPLATE_ROOT;
    run.variables[VARIABLE_ROOT] = run.dot;
    run.variables[VARIABLE_LABELS] = labels_value(data->labels);
    run.variables[VARIABLE_EXTERNAL_LABELS] = labels_value(data->external_labels);
    run.variables[VARIABLE_EXTERNAL_URL] = template_text(span_str(data->external_url));
    run.variables[VARIABLE_VALUE] = template_float(data->value);
    struct buf text;
    buf_init(&text, TEMPLATE_BYTES_MAX);
    int r = 0;
    if (run_nodes(&run, t->first, &text) == FLOW_FAILED) {
        unsigned line, column;
        place(t, run.at, &line, &column);
        buf_printf(out, "<error expanding template: %u:%u: %s>", line, column, run.error);
        r = -EINVAL;
    } else {
        buf_span(out, buf_view(&text));
    }
    buf_done(&text);
    arena_done(&run.arena);
    return buf_error(out) < 0 ? buf_error(out) : r;
}
