/* Go's own template functions (pkg.go.dev/text/template#hdr-Functions), and the look-up of all. */
#include <errno.h>

#include "collector/template/template_functions.h"
#include "collector/template/go_format.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

bool template_to_float(struct template_run *run, const struct template_value *v, double *ret)
{
    if (v->kind == TEMPLATE_FLOAT)
        *ret = v->number;
    else if (v->kind == TEMPLATE_INT)
        *ret = (double)v->integer;
    else if (v->kind == TEMPLATE_DURATION)
        *ret = (double)v->integer / 1e9;
    else if (v->kind == TEMPLATE_TEXT) {
        double f;
        int r = parse_f64_span(v->text, &f);
        if (r < 0)
            return template_fail(run, "strconv.ParseFloat: parsing \"" SPAN_FMT "\": %s", SPAN_ARG(v->text),
                                 r == -ERANGE ? "value out of range" : "invalid syntax");
        *ret = f;
    } else
        return template_fail(run, "can't convert %s to float", go_type(v));
    return true;
}

bool template_to_text(struct template_run *run, const struct template_value *v, struct span *ret)
{
    if (v->kind != TEMPLATE_TEXT)
        return template_fail(run, "wrong type for value; expected string; got %s", go_type(v));
    *ret = v->text;
    return true;
}

static bool print_with(struct template_run *run,
                       void (*print_values)(struct buf *, const struct template_value *, size_t),
                       const struct template_value *args, size_t n, struct template_value *ret)
{
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    print_values(&b, args, n);
    return template_take_text(run, &b, ret);
}
FUNCTION(print)
{
    return print_with(run, go_print, args, n, ret);
}
FUNCTION(println)
{
    return print_with(run, go_println, args, n, ret);
}
FUNCTION(printf_)
{
    struct span format;
    if (!template_to_text(run, &args[0], &format))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    go_printf(&b, format, args + 1, n - 1);
    return template_take_text(run, &b, ret);
}

FUNCTION(and_)
{
    size_t i = 0;
    while (i < n - 1 && template_truth(&args[i]))
        i++;
    *ret = args[i];
    return true;
}
FUNCTION(or_)
{
    size_t i = 0;
    while (i < n - 1 && !template_truth(&args[i]))
        i++;
    *ret = args[i];
    return true;
}
FUNCTION(not_)
{
    *ret = template_bool(!template_truth(&args[0]));
    return true;
}

FUNCTION(len)
{
    if (args[0].kind == TEMPLATE_TEXT)
        *ret = template_int((int64_t)args[0].text.len);
    else if (args[0].kind == TEMPLATE_LABELS)
        *ret = template_int((int64_t)args[0].labels->n);
    else if (args[0].kind == TEMPLATE_LIST)
        *ret = template_int((int64_t)args[0].list.n);
    else if (args[0].kind == TEMPLATE_ARGS)
        *ret = template_int((int64_t)args[0].args.n);
    else
        return template_fail(run, "len of type %s", go_type(&args[0]));
    return true;
}

FUNCTION(index_)
{
    *ret = args[0];
    for (size_t i = 1; i < n; i++) {
        if (ret->kind == TEMPLATE_LABELS && args[i].kind == TEMPLATE_TEXT) {
            *ret = template_text(labels_get(ret->labels, args[i].text));
        } else if (ret->kind == TEMPLATE_ARGS && args[i].kind == TEMPLATE_TEXT) {
            *ret = template_arg(&ret->args, args[i].text);
        } else if (ret->kind == TEMPLATE_LIST && args[i].kind == TEMPLATE_INT) {
            int64_t at = args[i].integer;
            if (at < 0 || (uint64_t)at >= ret->list.n)
                return template_fail(run, "index out of range: %lld", (long long)at);
            *ret = (struct template_value){.kind = TEMPLATE_SAMPLE, .sample = ret->list.items[at]};
        } else if (ret->kind == TEMPLATE_TEXT && args[i].kind == TEMPLATE_INT) {
            int64_t at = args[i].integer;
            if (at < 0 || (uint64_t)at >= ret->text.len)
                return template_fail(run, "index out of range: %lld", (long long)at);
            *ret = template_int((unsigned char)ret->text.ptr[at]);
        } else {
            return template_fail(run, "can't index item of type %s with %s", go_type(ret), go_type(&args[i]));
        }
    }
    return true;
}

/* slice x 1 2: x[1:2] of a text or a list. */
FUNCTION(slice_)
{
    if (args[0].kind != TEMPLATE_TEXT && args[0].kind != TEMPLATE_LIST)
        return template_fail(run, "can't slice item of type %s", go_type(&args[0]));
    size_t len = args[0].kind == TEMPLATE_TEXT ? args[0].text.len : args[0].list.n;
    int64_t at[3] = {0, (int64_t)len, (int64_t)len};
    for (size_t i = 1; i < n; i++) {
        if (args[i].kind != TEMPLATE_INT)
            return template_fail(run, "cannot index slice/array with type %s", go_type(&args[i]));
        if (args[i].integer < 0 || args[i].integer > (int64_t)len)
            return template_fail(run, "index out of range: %lld", (long long)args[i].integer);
        at[i - 1] = args[i].integer;
    }
    if (n == 4 && args[0].kind == TEMPLATE_TEXT)
        return template_fail(run, "cannot 3-index slice a string");
    if (at[0] > at[1] || at[1] > at[2])
        return template_fail(run, "invalid slice index: %lld > %lld", (long long)at[0], (long long)at[1]);
    *ret = args[0];
    if (ret->kind == TEMPLATE_TEXT)
        ret->text = span_of(ret->text.ptr + at[0], (size_t)(at[1] - at[0]));
    else
        ret->list = (struct template_list){ret->list.items + at[0], (size_t)(at[1] - at[0])};
    return true;
}

/* What html, js and urlquery escape: the arguments printed. */
static bool printed(struct template_run *run, const struct template_value *args, size_t n, struct span *ret)
{
    struct template_value v;
    if (n == 1 && args[0].kind == TEMPLATE_TEXT) {
        *ret = args[0].text;
        return true;
    }
    if (!print(run, args, n, &v))
        return false;
    *ret = v.text;
    return true;
}
FUNCTION(html)
{
    struct span s;
    struct buf b;
    if (!printed(run, args, n, &s))
        return false;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        const char *as = c == '"'    ? "&#34;"
                         : c == '\'' ? "&#39;"
                         : c == '&'  ? "&amp;"
                         : c == '<'  ? "&lt;"
                         : c == '>'  ? "&gt;"
                         : c == '\0' ? "\xef\xbf\xbd"
                                     : NULL;
        if (as)
            buf_str(&b, as);
        else
            buf_char(&b, c);
    }
    return template_take_text(run, &b, ret);
}
FUNCTION(js)
{
    struct span s;
    struct buf b;
    if (!printed(run, args, n, &s))
        return false;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '\\' || c == '\'' || c == '"')
            buf_printf(&b, "\\%c", c);
        else if (c < ' ' || c == '<' || c == '>' || c == '&' || c == '=')
            buf_printf(&b, "\\u%04X", c);
        else
            buf_char(&b, (char)c);
    }
    return template_take_text(run, &b, ret);
}
FUNCTION(urlquery)
{
    struct template_value v;
    if (!printed(run, args, n, &v.text))
        return false;
    v.kind = TEMPLATE_TEXT;
    return template_function_find(SPAN("urlQueryEscape"))->call(run, &v, 1, ret);
}
FUNCTION(call_)
{
    return template_fail(run, "non-function of type %s", go_type(&args[0]));
}

/* ---- comparison: the kinds must be the same, ints and floats are two ---- */
static bool comparable(struct template_run *run, const struct template_value *a, const struct template_value *b)
{
    if (a->kind >= TEMPLATE_LABELS || b->kind >= TEMPLATE_LABELS)
        return template_fail(run, "non-comparable type %s", go_type(a->kind >= TEMPLATE_LABELS ? a : b));
    if (a->kind != b->kind)
        return template_fail(run, "incompatible types for comparison");
    return true;
}
static bool equal(const struct template_value *a, const struct template_value *b)
{
    switch (a->kind) {
    case TEMPLATE_BOOL:
        return a->boolean == b->boolean;
    case TEMPLATE_INT:
        return a->integer == b->integer;
    case TEMPLATE_FLOAT:
        return a->number == b->number;
    case TEMPLATE_TEXT:
        return span_equal(a->text, b->text);
    default:
        return true; /* nil */
    }
}
FUNCTION(eq)
{
    bool any = false;
    for (size_t i = 1; i < n && !any; i++) {
        if (!comparable(run, &args[0], &args[i]))
            return false;
        any = equal(&args[0], &args[i]);
    }
    *ret = template_bool(any);
    return true;
}
FUNCTION(ne)
{
    if (!eq(run, args, n, ret))
        return false;
    ret->boolean = !ret->boolean;
    return true;
}

/* a < b. A NaN is not less than anything. */
static bool less(struct template_run *run, const struct template_value *a, const struct template_value *b, bool *ret)
{
    if (!comparable(run, a, b))
        return false;
    if (a->kind == TEMPLATE_INT)
        *ret = a->integer < b->integer;
    else if (a->kind == TEMPLATE_FLOAT)
        *ret = a->number < b->number;
    else if (a->kind == TEMPLATE_TEXT)
        *ret = span_compare(a->text, b->text) < 0;
    else
        return template_fail(run, "invalid type for comparison");
    return true;
}
FUNCTION(lt)
{
    bool yes;
    if (!less(run, &args[0], &args[1], &yes))
        return false;
    *ret = template_bool(yes);
    return true;
}
FUNCTION(le)
{
    bool yes;
    if (!less(run, &args[0], &args[1], &yes))
        return false;
    *ret = template_bool(yes || equal(&args[0], &args[1]));
    return true;
}
/* Go defines these two as not le and not lt: so "NaN > 1" is true there. Kept. */
FUNCTION(gt)
{
    if (!le(run, args, n, ret))
        return false;
    ret->boolean = !ret->boolean;
    return true;
}
FUNCTION(ge)
{
    if (!lt(run, args, n, ret))
        return false;
    ret->boolean = !ret->boolean;
    return true;
}

const struct template_function TEMPLATE_GO_FUNCTIONS[] = {
    {"print", 0, UINT8_MAX, print},
    {"println", 0, UINT8_MAX, println},
    {"printf", 1, UINT8_MAX, printf_},
    {"and", 1, UINT8_MAX, and_},
    {"or", 1, UINT8_MAX, or_},
    {"not", 1, 1, not_},
    {"len", 1, 1, len},
    {"index", 1, UINT8_MAX, index_},
    {"slice", 1, 4, slice_},
    {"html", 0, UINT8_MAX, html},
    {"js", 0, UINT8_MAX, js},
    {"urlquery", 0, UINT8_MAX, urlquery},
    {"call", 1, UINT8_MAX, call_},
    {"eq", 2, UINT8_MAX, eq},
    {"ne", 2, 2, ne},
    {"lt", 2, 2, lt},
    {"le", 2, 2, le},
    {"gt", 2, 2, gt},
    {"ge", 2, 2, ge},
    {0},
};
static const struct template_function *const TABLES[] = {TEMPLATE_NUMBER_FUNCTIONS, TEMPLATE_TEXT_FUNCTIONS,
                                                         TEMPLATE_GO_FUNCTIONS, TEMPLATE_QUERY_FUNCTIONS};

const struct template_function *template_function_find(struct span name)
{
    for (size_t t = 0; t < ARRAY_LEN(TABLES); t++)
        for (const struct template_function *f = TABLES[t]; f->name; f++)
            if (span_equal(name, span_str(f->name)))
                return f;
    return NULL;
}
