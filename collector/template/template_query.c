/* Prometheus's template functions that ask and that handle what came: query, first, label, value, …; args and tmpl; times. */
#include <errno.h>
#include <math.h>

#include "collector/template/go_format.h"
#include "collector/template/template_functions.h"
#include "lib/base/civil.h"
#include "lib/base/limits.h"

/* ---- answers ---- */
static bool list_of(struct template_run *run, const struct template_value *v, struct template_list *ret)
{
    *ret = (struct template_list){NULL, 0};
    if (v->kind != TEMPLATE_LIST)
        return template_fail(run, "wrong type for value; expected template.queryResult; got %s", go_type(v));
    *ret = v->list;
    return true;
}

static bool sample_of(struct template_run *run, const struct template_value *v, const struct template_sample **ret)
{
    *ret = NULL;
    if (v->kind != TEMPLATE_SAMPLE)
        return template_fail(run, "wrong type for value; expected *template.sample; got %s", go_type(v));
    *ret = v->sample;
    return true;
}

FUNCTION(query)
{
    struct span text;
    const struct template_sample *list;
    size_t n_list = 0;
    char why[200] = "queries are not possible here";
    if (!template_to_text(run, &args[0], &text))
        return false;
    if (!run->data->query ||
        run->data->query(run->data->query_ctx, text, &run->arena, &list, &n_list, why, sizeof why) < 0)
        return template_fail(run, "error calling query: %s", why);
    const struct template_sample **items = arena_array(&run->arena, n_list, sizeof *items);
    if (!items)
        return template_fail(run, "error calling query: the answer needs too much memory");
    for (size_t i = 0; i < n_list; i++)
        items[i] = &list[i];
    *ret = (struct template_value){.kind = TEMPLATE_LIST, .list = {items, n_list}};
    return true;
}
FUNCTION(first)
{
    struct template_list list;
    if (!list_of(run, &args[0], &list))
        return false;
    if (list.n == 0)
        return template_fail(run, "error calling first: first() called on vector with no elements");
    *ret = (struct template_value){.kind = TEMPLATE_SAMPLE, .sample = list.items[0]};
    return true;
}
FUNCTION(label)
{
    struct span name;
    const struct template_sample *s;
    if (!template_to_text(run, &args[0], &name) || !sample_of(run, &args[1], &s))
        return false;
    *ret = template_text(labels_get(&s->labels, name));
    return true;
}
FUNCTION(value)
{
    const struct template_sample *s;
    if (!sample_of(run, &args[0], &s))
        return false;
    *ret = template_float(s->value);
    return true;
}
FUNCTION(strvalue)
{
    const struct template_sample *s;
    if (!sample_of(run, &args[0], &s))
        return false;
    *ret = template_text(labels_get(&s->labels, SPAN("__value__")));
    return true;
}

struct keyed {
    const struct template_sample *sample;
    struct span key;
    size_t at;
};
static int by_key(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    int c = span_compare(a->key, b->key);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}
FUNCTION(sort_by_label)
{
    struct span name;
    struct template_list list;
    if (!template_to_text(run, &args[0], &name) || !list_of(run, &args[1], &list))
        return false;
    struct keyed *keyed = arena_array(&run->arena, list.n, sizeof *keyed);
    const struct template_sample **items = arena_array(&run->arena, list.n, sizeof *items);
    if (!keyed || !items)
        return template_fail(run, "sorting needs too much memory");
    for (size_t i = 0; i < list.n; i++)
        keyed[i] = (struct keyed){list.items[i], labels_get(&list.items[i]->labels, name), i};
    if (list.n)
        qsort(keyed, list.n, sizeof *keyed, by_key);
    for (size_t i = 0; i < list.n; i++)
        items[i] = keyed[i].sample;
    *ret = (struct template_value){.kind = TEMPLATE_LIST, .list = {items, list.n}};
    return true;
}

/* ---- args, tmpl ---- */
FUNCTION(args_)
{
    struct template_value *items = arena_array(&run->arena, n, sizeof *items);
    if (!items)
        return template_fail(run, "too much memory");
    if (n)
        memcpy(items, args, n * sizeof *items);
    *ret = (struct template_value){.kind = TEMPLATE_ARGS, .args = {items, n}};
    return true;
}

struct template_value template_arg(const struct template_args *args, struct span key)
{
    char name[24];
    for (size_t i = 0; i < args->n; i++) {
        snprintf(name, sizeof name, "arg%zu", i);
        if (span_equal(key, span_str(name)))
            return args->items[i];
    }
    return (struct template_value){.kind = TEMPLATE_NIL};
}

FUNCTION(tmpl)
{
    struct span name;
    struct buf out;
    if (!template_to_text(run, &args[0], &name))
        return false;
    buf_init(&out, TEMPLATE_BYTES_MAX);
    if (!template_run_named(run, name, &args[1], &out)) {
        buf_done(&out);
        return false;
    }
    return template_take_text(run, &out, ret);
}

/* ---- times ---- */
FUNCTION(to_time)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    if (!isfinite(v))
        return template_fail(run, "error calling toTime: value is NaN or Inf");
    if (fabs(v * 1e9) > 0x1p63)
        return template_fail(run,
                             "error calling toTime: the value cannot be represented as a nanoseconds timestamp since "
                             "it overflows int64");
    *ret = (struct template_value){.kind = TEMPLATE_TIME, .integer = (int64_t)(v * 1e9) / 1000000};
    return true;
}
FUNCTION(to_duration)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    if (!(fabs(v * 1e9) < 0x1p63))
        return template_fail(run, "error calling toDuration: the value does not fit into a duration");
    *ret = (struct template_value){.kind = TEMPLATE_DURATION, .integer = (int64_t)(v * 1e9)};
    return true;
}

static bool time_number(const struct template_value *t, struct span name, struct template_value *ret)
{
    int64_t ms = t->integer, days = ms / 86400000 - (ms % 86400000 < 0), left = ms - days * 86400000, year;
    unsigned month, day;
    civil_date(days, &year, &month, &day);
    const struct {
        struct span name;
        int64_t v;
    } NUMBERS[] = {
        {SPAN("Year"), year},
        {SPAN("Day"), day},
        {SPAN("YearDay"), days - civil_days(year, 1, 1) + 1},
        {SPAN("Hour"), left / 3600000},
        {SPAN("Minute"), left / 60000 % 60},
        {SPAN("Second"), left / 1000 % 60},
        {SPAN("Nanosecond"), left % 1000 * 1000000},
        {SPAN("Unix"), ms / 1000 - (ms % 1000 < 0)},
        {SPAN("UnixMilli"), ms},
    };
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++)
        if (span_equal(name, NUMBERS[i].name)) {
            *ret = template_int(NUMBERS[i].v);
            return true;
        }
    return false;
}

static bool time_method(struct template_run *run, const struct template_value *t, struct span name,
                        const struct template_value *args, size_t n, struct template_value *ret)
{
    struct span layout;
    bool format = span_equal(name, SPAN("Format")), add = span_equal(name, SPAN("Add"));
    if (n != (format || add ? 1u : 0u))
        return template_fail(run, "wrong number of args for " SPAN_FMT, SPAN_ARG(name));
    if (time_number(t, name, ret))
        return true;
    if (span_equal(name, SPAN("UTC"))) {
        *ret = *t;
        return true;
    }
    if (add) {
        if (args[0].kind != TEMPLATE_DURATION)
            return template_fail(run, "wrong type for value; expected time.Duration; got %s", go_type(&args[0]));
        *ret = (struct template_value){.kind = TEMPLATE_TIME, .integer = t->integer + args[0].integer / 1000000};
        return true;
    }
    layout = span_equal(name, SPAN("Month"))     ? SPAN("January")
             : span_equal(name, SPAN("Weekday")) ? SPAN("Monday")
             : span_equal(name, SPAN("String"))  ? SPAN("2006-01-02 15:04:05.999999999 -0700 MST")
                                                 : SPAN("");
    if (format && !template_to_text(run, &args[0], &layout))
        return false;
    if (!format && !layout.len)
        return template_fail(run, "can't evaluate field " SPAN_FMT " in type %s", SPAN_ARG(name), go_type(t));
    struct buf out;
    buf_init(&out, TEMPLATE_BYTES_MAX);
    go_time(&out, t->integer, layout);
    return template_take_text(run, &out, ret);
}

/* As Go's Duration: whole units and the rest are divided apart. */
static struct template_value in_units(int64_t ns, int64_t unit_ns)
{
    return template_float((double)(ns / unit_ns) + (double)(ns % unit_ns) / (double)unit_ns);
}

bool template_method(struct template_run *run, const struct template_value *self, struct span name,
                     const struct template_value *args, size_t n, struct template_value *ret)
{
    if (self->kind == TEMPLATE_TIME)
        return time_method(run, self, name, args, n, ret);
    if (n)
        return template_fail(run, "wrong number of args for " SPAN_FMT, SPAN_ARG(name));
    if (span_equal(name, SPAN("Hours")))
        *ret = in_units(self->integer, 3600000000000);
    else if (span_equal(name, SPAN("Minutes")))
        *ret = in_units(self->integer, 60000000000);
    else if (span_equal(name, SPAN("Seconds")))
        *ret = in_units(self->integer, 1000000000);
    else if (span_equal(name, SPAN("Milliseconds")))
        *ret = template_int(self->integer / 1000000);
    else if (span_equal(name, SPAN("Microseconds")))
        *ret = template_int(self->integer / 1000);
    else if (span_equal(name, SPAN("Nanoseconds")))
        *ret = template_int(self->integer);
    else if (span_equal(name, SPAN("String"))) {
        struct buf out;
        buf_init(&out, 64);
        go_duration(&out, self->integer);
        return template_take_text(run, &out, ret);
    } else
        return template_fail(run, "can't evaluate field " SPAN_FMT " in type %s", SPAN_ARG(name), go_type(self));
    return true;
}

const struct template_function TEMPLATE_QUERY_FUNCTIONS[] = {
    {"query", 1, 1, query},
    {"first", 1, 1, first},
    {"label", 2, 2, label},
    {"value", 1, 1, value},
    {"strvalue", 1, 1, strvalue},
    {"sortByLabel", 2, 2, sort_by_label},
    {"args", 0, UINT8_MAX, args_},
    {"tmpl", 2, 2, tmpl},
    {"toTime", 1, 1, to_time},
    {"toDuration", 1, 1, to_duration},
    {0},
};
