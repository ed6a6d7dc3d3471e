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

/* ---- comparison: the kinds must be the same, ints and floats are two ---- */
static bool comparable(struct template_run *run, const struct template_value *a, const struct template_value *b)
{
    if (a->kind == TEMPLATE_LABELS || a->kind == TEMPLATE_ROOT || b->kind == TEMPLATE_LABELS ||
        b->kind == TEMPLATE_ROOT)
        return template_fail(run, "non-comparable type %s",
                             go_type(a->kind == TEMPLATE_LABELS || a->kind == TEMPLATE_ROOT ? a : b));
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
    {"eq", 2, UINT8_MAX, eq},
    {"ne", 2, 2, ne},
    {"lt", 2, 2, lt},
    {"le", 2, 2, le},
    {"gt", 2, 2, gt},
    {"ge", 2, 2, ge},
    {0},
};
static const char *const NOT_YET[] = {"query",    "first",  "label",      "value", "sortByLabel",
                                      "strvalue", "toTime", "toDuration", "args",  "tmpl",
                                      "html",     "js",     "urlquery",   "call",  "slice"};

static const struct template_function *const TABLES[] = {TEMPLATE_NUMBER_FUNCTIONS, TEMPLATE_TEXT_FUNCTIONS,
                                                         TEMPLATE_GO_FUNCTIONS};

bool template_function_find(struct span name, const struct template_function **ret)
{
    *ret = NULL;
    for (size_t t = 0; t < ARRAY_LEN(TABLES); t++)
        for (const struct template_function *f = TABLES[t]; f->name; f++)
            if (span_equal(name, span_str(f->name))) {
                *ret = f;
                return true;
            }
    for (size_t i = 0; i < ARRAY_LEN(NOT_YET); i++)
        if (span_equal(name, span_str(NOT_YET[i])))
            return true;
    return false;
}
