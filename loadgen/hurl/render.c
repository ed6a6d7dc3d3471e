#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/generate.h"
#include "loadgen/hurl/json_text.h"

int eval_fail(struct hurl_failure *why, enum hurl_failure_kind kind, struct hurl_place at, const char *format, ...)
{
    why->kind = kind;
    why->at = at;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return -EINVAL;
}

int eval_keep_buf(struct hurl_scope *s, struct buf *b, struct span *ret)
{
    bool ok = true;
    int r = buf_error(b);
    if (r == 0) {
        *ret = arena_span(s->scratch, buf_view(b), &ok);
        r = ok ? 0 : -ENOMEM;
    }
    buf_done(b);
    return r;
}

MUST_USE static int get_env(const struct hurl_expr *e, struct hurl_value *ret, struct hurl_failure *why)
{
    const char *text = getenv(e->name.ptr); /* kept spans are NUL-terminated */
    if (!text)
        return eval_fail(why, HURL_FAILED_RUN, e->at, "the environment has no '" SPAN_FMT "'", SPAN_ARG(e->name));
    *ret = hurl_value_text(span_str(text));
    return 0;
}

int eval_expr(struct hurl_scope *s, const struct hurl_expr *e, struct hurl_value *ret, struct hurl_failure *why)
{
    struct hurl_value v = {0};
    switch (e->function) {
    case HURL_NO_FUNCTION:
        v = s->values[e->slot];
        if (v.kind == HURL_VALUE_NONE)
            return eval_fail(why, HURL_FAILED_RUN, e->at, "the variable '" SPAN_FMT "' is not set", SPAN_ARG(e->name));
        break;
    case HURL_GET_ENV:
        EVAL_TRY(get_env(e, &v, why));
        break;
    default:
        EVAL_TRY(hurl_generate(e->function, e->low, e->high, s->rng, s->scratch, &v));
    }
    EVAL_TRY(eval_filters(s, e->filters, e->n_filters, &v, why));
    *ret = v;
    return 0;
}

MUST_USE static int render_part(struct hurl_scope *s, const struct hurl_part *part, struct buf *out,
                                struct hurl_failure *why)
{
    struct hurl_value v;
    EVAL_TRY(eval_expr(s, part->expr, &v, why));
    if (part->kind == HURL_PART_EXPR_IN_JSON && v.kind == HURL_VALUE_TEXT) {
        json_text_escape(out, v.text);
        return 0;
    }
    if (hurl_value_print(&v, out) < 0) {
        struct buf what;
        buf_init(&what, HURL_FAILURE_TEXT_MAX);
        hurl_value_describe(&v, &what);
        int r =
            eval_fail(why, HURL_FAILED_RUN, part->expr->at, "%s has no text to put here", what.data ? what.data : "");
        buf_done(&what);
        return r;
    }
    return 0;
}

int hurl_render(struct hurl_scope *s, const struct hurl_template *t, struct buf *out, struct hurl_failure *why)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->parts[i].kind == HURL_PART_TEXT)
            buf_span(out, t->parts[i].text);
        else
            EVAL_TRY(render_part(s, &t->parts[i], out, why));
    }
    return buf_error(out);
}

int eval_text(struct hurl_scope *s, const struct hurl_template *t, struct span *ret, struct hurl_failure *why)
{
    if (hurl_template_static(t, ret))
        return 0;
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    int r = hurl_render(s, t, &out, why);
    if (r < 0) {
        buf_done(&out);
        return r;
    }
    return eval_keep_buf(s, &out, ret);
}

int hurl_text(struct hurl_scope *s, const struct hurl_template *t, struct span *ret, struct hurl_failure *why)
{
    return eval_text(s, t, ret, why);
}

int hurl_start_session(struct hurl_scope *s)
{
    for (size_t i = 0; i < s->file->n_generated; i++) {
        const struct hurl_generated *g = &s->file->generated[i];
        int r = hurl_generate(g->function, g->low, g->high, s->rng, s->keep, &s->values[g->slot]);
        if (r < 0)
            return r;
    }
    return 0;
}

int hurl_operand_value(struct hurl_scope *s, const struct hurl_operand *o, struct hurl_value *ret,
                       struct hurl_failure *why)
{
    struct hurl_value v = {0};
    switch (o->kind) {
    case HURL_OPERAND_NULL:
        v.kind = HURL_VALUE_NULL;
        break;
    case HURL_OPERAND_BOOL:
        v = hurl_value_bool(o->boolean);
        break;
    case HURL_OPERAND_INT:
        v = hurl_value_int(o->integer);
        break;
    case HURL_OPERAND_FLOAT:
        v = hurl_value_float(o->number);
        break;
    case HURL_OPERAND_TEXT:
        v.kind = HURL_VALUE_TEXT;
        EVAL_TRY(eval_text(s, &o->text, &v.text, why));
        break;
    case HURL_OPERAND_EXPR:
        return eval_expr(s, o->expr, ret, why);
    case HURL_OPERAND_PATTERN:
        v = hurl_value_text(o->bytes);
        break;
    case HURL_OPERAND_BYTES:
        v.kind = HURL_VALUE_BYTES;
        v.text = o->bytes;
        break;
    case HURL_OPERAND_FILE:
        v.kind = HURL_VALUE_BYTES;
        EVAL_TRY(hurl_file_bytes(s, &o->text, o->at, &v.text, why));
        break;
    case HURL_OPERAND_NONE:
        return eval_fail(why, HURL_FAILED_RUN, o->at, "this value cannot be used here");
    }
    *ret = v;
    return 0;
}
