#include <errno.h>
#include <stdarg.h>

#include "collector/template/go_format.h"
#include "collector/template/template_tree.h"
#include "lib/base/limits.h"

#define RUN_BYTES_MAX                                                                                                  \
    (4 * TEMPLATE_BYTES_MAX) /* texts made on the way; each of a few pipelines may reach the output's limit */
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

/* ".a.b" from a value on. */
static bool walk_fields(struct template_run *run, struct span fields, struct template_value *v)
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
        } else {
            return template_fail(run, "can't evaluate field " SPAN_FMT " in type %s", SPAN_ARG(name), go_type(v));
        }
    }
    return true;
}

/* ---- pipelines ---- */
static bool run_pipeline(struct template_run *run, const struct template_pipeline *p, struct template_value *ret);

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

static bool run_operand(struct template_run *run, const struct template_operand *o, struct template_value *ret)
{
    run->at = o->at;
    switch (o->kind) {
    case OPERAND_CONSTANT:
        *ret = o->constant;
        return true;
    case OPERAND_DOT:
        *ret = run->dot;
        break;
    case OPERAND_VARIABLE:
        *ret = run->variables[o->variable];
        break;
    case OPERAND_FUNCTION:
        return call(run, o, NULL, 0, ret);
    case OPERAND_PIPELINE:
        if (!run_pipeline(run, o->pipeline, ret))
            return false;
        break;
    }
    return walk_fields(run, o->fields, ret);
}

/* `piped` is the value of the command before, or NULL: it becomes the last argument. */
static bool run_command(struct template_run *run, const struct template_command *c, const struct template_value *piped,
                        struct template_value *ret)
{
    const struct template_operand *o = c->first;
    if (o->kind != OPERAND_FUNCTION)
        return run_operand(run, o, ret);
    struct template_value args[ARGS_MAX];
    size_t n = 0;
    for (const struct template_operand *a = o->next; a; a = a->next) {
        if (n == ARGS_MAX - 1)
            return template_fail(run, "more than %d arguments", ARGS_MAX - 1);
        if (!run_operand(run, a, &args[n++]))
            return false;
    }
    if (piped)
        args[n++] = *piped;
    return call(run, o, args, n, ret);
}

static bool run_pipeline(struct template_run *run, const struct template_pipeline *p, struct template_value *ret)
{
    struct template_value v, before;
    bool first = true;
    for (const struct template_command *c = p->first; c; c = c->next, first = false) {
        before = first ? (struct template_value){0} : v;
        if (!run_command(run, c, first ? NULL : &before, &v))
            return false;
    }
    if (p->declares)
        run->variables[p->variable] = v;
    *ret = v;
    return true;
}

/* ---- nodes ---- */
static bool run_nodes(struct template_run *run, const struct template_node *n, struct buf *out)
{
    for (; n; n = n->next) {
        if (n->kind == NODE_TEXT) {
            buf_span(out, n->text);
            continue;
        }
        struct template_value v;
        if (!run_pipeline(run, n->pipeline, &v))
            return false;
        if (n->kind == NODE_PRINT) {
            if (!n->pipeline->declares)
                go_value(out, &v);
            continue;
        }
        bool yes = template_truth(&v);
        struct template_value dot = run->dot;
        if (yes && n->kind == NODE_WITH)
            run->dot = v;
        bool ok = run_nodes(run, yes ? n->then : n->otherwise, out);
        run->dot = dot;
        if (!ok)
            return false;
    }
    return true;
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
    struct template_run run = {.of = t, .data = data};
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
    if (run_nodes(&run, t->first, &text) && buf_error(&text) < 0)
        (void)template_fail(&run, "the text grows over %u bytes", TEMPLATE_BYTES_MAX);
    if (run.error[0]) {
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
