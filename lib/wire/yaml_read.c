#include <errno.h>
#include <stdarg.h>

#include "lib/base/number.h"
#include "lib/wire/yaml.h"

#define FIELDS_MAX 128u /* of one table, for suggestions */

/* A value in a message, shortened. */
#define SHOWN_BYTES_MAX 60

void yaml_problem(const struct yaml *doc, const struct yaml_node *at, struct problems *problems, const char *format,
                  ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problem_add(problems, PROBLEM_ERROR, yaml_file(doc), at ? at->line : 0, at ? at->column : 0, "%s", text);
}

struct reader {
    const struct yaml *doc;
    struct problems *problems;
    bool bad;
};

/* "'KEY' must be WHAT, not VALUE" at the value's place. */
static void wrong(struct reader *r, const struct yaml_node *node, const char *what)
{
    r->bad = true;
    if (node->kind != YAML_SCALAR)
        yaml_problem(r->doc, node, r->problems, "'%s' must be %s, not %s", node->key.ptr, what, yaml_kind_name(node));
    else
        yaml_problem(r->doc, node, r->problems, "'%s' must be %s, not %s%.*s%s%s", node->key.ptr, what,
                     node->quoted ? "the text \"" : "'",
                     (int)(node->text.len < SHOWN_BYTES_MAX ? node->text.len : SHOWN_BYTES_MAX), node->text.ptr,
                     node->text.len > SHOWN_BYTES_MAX ? "…" : "", node->quoted ? "\"" : "'");
}

static void out_of_range(struct reader *r, const struct yaml_node *node, const struct yaml_field *f)
{
    char low[NUMBER_TEXT_MAX], high[NUMBER_TEXT_MAX];
    if (f->type == YAML_FIELD_DURATION) {
        format_duration_ms(low, (int64_t)f->min);
        format_duration_ms(high, (int64_t)f->max);
    } else {
        snprintf(low, sizeof low, "%llu", (unsigned long long)f->min);
        snprintf(high, sizeof high, "%llu", (unsigned long long)f->max);
    }
    r->bad = true;
    if (f->max)
        yaml_problem(r->doc, node, r->problems, "'%s' must be from %s to %s, not " SPAN_FMT, node->key.ptr, low, high,
                     SPAN_ARG(node->text));
    else
        yaml_problem(r->doc, node, r->problems, "'%s' must be at least %s, not " SPAN_FMT, node->key.ptr, low,
                     SPAN_ARG(node->text));
}

static bool in_range(const struct yaml_field *f, uint64_t v)
{
    return v >= f->min && (f->max == 0 || v <= f->max);
}

static void read_text(struct reader *r, const struct yaml_node *node, void *to)
{
    if (node->kind != YAML_SCALAR) {
        wrong(r, node, "text");
    } else if (memchr(node->text.ptr, '\0', node->text.len)) {
        r->bad = true;
        yaml_problem(r->doc, node, r->problems, "'%s' has a zero byte in it", node->key.ptr);
    } else {
        const char *text = node->text.ptr;
        memcpy(to, &text, sizeof text);
    }
}

static void read_bool(struct reader *r, const struct yaml_node *node, void *to)
{
    bool v;
    if (yaml_as_bool(node, &v) < 0)
        wrong(r, node, "true or false");
    else
        memcpy(to, &v, sizeof v);
}

static void read_u64(struct reader *r, const struct yaml_node *node, const struct yaml_field *f, void *to)
{
    uint64_t v = 0;
    int error = yaml_as_u64(node, &v);
    if (error == -EINVAL)
        wrong(r, node, "a whole number");
    else if (error < 0 || !in_range(f, v))
        out_of_range(r, node, f);
    else
        memcpy(to, &v, sizeof v);
}

static void read_f64(struct reader *r, const struct yaml_node *node, void *to)
{
    double v;
    if (yaml_as_f64(node, &v) < 0)
        wrong(r, node, "a number");
    else
        memcpy(to, &v, sizeof v);
}

static void read_duration(struct reader *r, const struct yaml_node *node, const struct yaml_field *f, void *to)
{
    int64_t ms = 0;
    if (node->kind != YAML_SCALAR || parse_duration_ms(node->text, &ms) < 0)
        wrong(r, node, "a duration like 15s or 1h30m");
    else if (!in_range(f, (uint64_t)ms))
        out_of_range(r, node, f);
    else
        memcpy(to, &ms, sizeof ms);
}

static void read_bytes(struct reader *r, const struct yaml_node *node, const struct yaml_field *f, void *to)
{
    uint64_t v = 0;
    if (node->kind != YAML_SCALAR || parse_bytes(node->text, &v) < 0)
        wrong(r, node, "a size like 512KB or 10MB");
    else if (!in_range(f, v))
        out_of_range(r, node, f);
    else
        memcpy(to, &v, sizeof v);
}

static void read_field(struct reader *r, const struct yaml_node *node, const struct yaml_field *f, void *into)
{
    void *to = (char *)into + f->offset;
    if (f->type == YAML_FIELD_IGNORED) {
        problem_add(r->problems, PROBLEM_NOTICE, yaml_file(r->doc), node->key_line, node->key_column,
                    "'%s' is not used: %s", node->key.ptr, f->help ? f->help : "it has no meaning here");
        return;
    }
    if (f->type == YAML_FIELD_REFUSED) {
        r->bad = true;
        problem_add(r->problems, PROBLEM_ERROR, yaml_file(r->doc), node->key_line, node->key_column,
                    "'%s' is not supported: %s", node->key.ptr, f->help ? f->help : "leave it out");
        return;
    }
    if (f->type == YAML_FIELD_NODE) {
        memcpy(to, &node, sizeof node);
        return;
    }
    if (node->kind == YAML_NULL) {
        if (f->required) {
            r->bad = true;
            yaml_problem(r->doc, node, r->problems, "'%s' needs a value", node->key.ptr);
        }
        return;
    }
    switch (f->type) {
    case YAML_FIELD_TEXT:
        read_text(r, node, to);
        break;
    case YAML_FIELD_BOOL:
        read_bool(r, node, to);
        break;
    case YAML_FIELD_U64:
        read_u64(r, node, f, to);
        break;
    case YAML_FIELD_F64:
        read_f64(r, node, to);
        break;
    case YAML_FIELD_DURATION:
        read_duration(r, node, f, to);
        break;
    case YAML_FIELD_BYTES:
        read_bytes(r, node, f, to);
        break;
    case YAML_FIELD_NODE:
    case YAML_FIELD_IGNORED:
    case YAML_FIELD_REFUSED:
        break; /* done above */
    }
}

static void unknown_key(struct reader *r, const struct yaml_node *node, const struct yaml_field *fields)
{
    const char *names[FIELDS_MAX];
    size_t n = 0;
    for (const struct yaml_field *f = fields; f->key && n < FIELDS_MAX; f++)
        names[n++] = f->key;
    const char *near = suggest(node->key.ptr, names, n);
    r->bad = true;
    problem_add(r->problems, PROBLEM_ERROR, yaml_file(r->doc), node->key_line, node->key_column,
                "unknown key '%.*s'%s%s%s", SHOWN_BYTES_MAX, node->key.ptr, near ? " (did you mean '" : "",
                near ? near : "", near ? "'?)" : "");
}

int yaml_read(const struct yaml *doc, const struct yaml_node *map, const struct yaml_field *fields, void *into,
              struct problems *problems)
{
    struct reader r = {doc, problems, false};
    if (map && map->kind != YAML_MAP && map->kind != YAML_NULL) {
        if (map->key.len > 0)
            wrong(&r, map, "a map");
        else
            yaml_problem(doc, map, problems, "expected a map, not %s", yaml_kind_name(map));
        return -EINVAL;
    }
    YAML_EACH(map, child)
    {
        const struct yaml_field *f = fields;
        while (f->key && !span_equal(child->key, span_str(f->key)))
            f++;
        if (f->key)
            read_field(&r, child, f, into);
        else
            unknown_key(&r, child, fields);
    }
    for (const struct yaml_field *f = fields; f->key; f++)
        if (f->required && !yaml_get(map, f->key)) {
            r.bad = true;
            yaml_problem(doc, map, problems, "missing key '%s'", f->key);
        }
    return r.bad ? -EINVAL : 0;
}
