#include "tui/model.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"

int model_init(struct model *m)
{
    *m = (struct model){.sections = json_object(), .more = json_object()};
    if (m->sections && m->more)
        return 0;
    model_done(m);
    return -ENOMEM;
}

void model_done(struct model *m)
{
    json_decref(m->sections);
    json_decref(m->more);
    *m = (struct model){0};
}

int model_copy(const struct model *from, struct model *ret)
{
    struct model m = *from;
    m.sections = json_object();
    m.more = json_copy(from->more);
    const char *name;
    json_t *rows;
    bool ok = m.sections && m.more;
    json_object_foreach(from->sections, name, rows)
    {
        ok = ok && json_object_set_new(m.sections, name, json_copy(rows)) == 0;
    }
    if (!ok) {
        model_done(&m);
        return -ENOMEM;
    }
    *ret = m;
    return 0;
}

/* The section's own object, made when it is new. NULL: too many sections, or no memory. */
static json_t *section_for_writing(struct model *m, const char *name)
{
    json_t *rows = json_object_get(m->sections, name);
    if (rows)
        return rows;
    if (json_object_size(m->sections) >= MODEL_SECTIONS_MAX)
        return NULL;
    return json_object_set_new(m->sections, name, json_object()) == 0 ? json_object_get(m->sections, name) : NULL;
}

/* Are all members of `sections` objects, or (removed) arrays of texts? */
static bool has_shape(const json_t *sections, bool arrays)
{
    const char *name;
    json_t *rows, *key;
    size_t i;
    if (!sections)
        return true;
    if (!json_is_object(sections))
        return false;
    json_object_foreach((json_t *)(uintptr_t)sections, name, rows)
    {
        if (arrays ? !json_is_array(rows) : !json_is_object(rows))
            return false;
        if (arrays)
            json_array_foreach(rows, i, key)
            {
                if (!json_is_string(key))
                    return false;
            }
    }
    return true;
}

static int set_rows(struct model *m, json_t *sections)
{
    const char *name, *key;
    json_t *rows, *row;
    json_object_foreach(sections, name, rows)
    {
        json_t *into = section_for_writing(m, name);
        if (!into)
            continue;
        json_object_foreach(rows, key, row)
        {
            if (json_object_size(into) >= MODEL_ROWS_MAX && !json_object_get(into, key)) {
                m->refused_rows++;
                continue;
            }
            if (json_object_set(into, key, row) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static void remove_rows(struct model *m, json_t *removed)
{
    const char *name;
    json_t *keys, *key;
    size_t i;
    json_object_foreach(removed, name, keys)
    {
        json_t *rows = json_object_get(m->sections, name);
        json_array_foreach(keys, i, key)
        {
            if (rows)
                (void)json_object_del(rows, json_string_value(key)); /* gone already: fine */
        }
    }
}

static int refuse(struct parse_error *e, const char *why)
{
    *e = (struct parse_error){.code = -EINVAL};
    snprintf(e->text, sizeof e->text, "%s", why);
    return -EINVAL;
}

int model_apply(struct model *m, const char *event, struct span data, struct parse_error *ret_error)
{
    bool snapshot = strcmp(event, "snapshot") == 0;
    if (!snapshot && strcmp(event, "delta") != 0 && strcmp(event, "alert") != 0 && strcmp(event, "hb") != 0)
        return 0;
    json_t *frame = json_read(data, ret_error);
    if (!frame)
        return -EINVAL;
    json_t *t = json_object_get(frame, "t"), *sections = json_object_get(frame, "sections"),
           *removed = json_object_get(frame, "removed"), *more = json_object_get(frame, "more");
    int r = 0;
    if (!json_is_number(t))
        r = refuse(ret_error, "the frame has no time");
    else if (!has_shape(sections, false) || !has_shape(removed, true))
        r = refuse(ret_error, "the frame's sections are not objects of rows");
    if (r == 0 && snapshot)
        json_object_clear(m->sections);
    if (r == 0 && strcmp(event, "hb") != 0) {
        remove_rows(m, removed);
        r = set_rows(m, sections);
    }
    if (r == 0 && strcmp(event, "alert") != 0 && strcmp(event, "hb") != 0) {
        json_object_clear(m->more);
        if (json_is_object(more) && json_object_update(m->more, more) < 0)
            r = -ENOMEM;
    }
    if (r == 0) {
        m->t_ms = (int64_t)json_number_value(t);
        m->frames++;
    }
    json_decref(frame);
    return r;
}

json_t *model_section(const struct model *m, const char *section)
{
    return json_object_get(m->sections, section); /* jansson takes NULL as an empty object everywhere */
}

json_t *model_row(const struct model *m, const char *section, const char *key)
{
    return json_object_get(model_section(m, section), key);
}

uint64_t model_more(const struct model *m, const char *section)
{
    double n = row_number(m->more, section);
    return n > 0 && n < 1e15 ? (uint64_t)n : 0;
}

const char *row_text(const json_t *row, const char *member)
{
    const char *text = json_string_value(json_object_get(row, member));
    return text ? text : "";
}

double row_number(const json_t *row, const char *member)
{
    const json_t *v = json_object_get(row, member);
    double number;
    if (json_is_number(v))
        return json_number_value(v);
    if (json_is_string(v) && parse_f64_span(span_str(json_string_value(v)), &number) == 0)
        return number;
    return NAN;
}

double row_in(const json_t *row, const char *object, const char *member)
{
    return row_number(json_object_get(row, object), member);
}

int64_t row_time(const json_t *row, const char *member)
{
    double v = row_number(row, member);
    return v > -9e15 && v < 9e15 ? (int64_t)v : 0;
}
