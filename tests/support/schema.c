#include "tests/support/schema.h"

#include <regex.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/wire/json.h"
#include "tests/support/check.h"

#define DOCS_MAX 16

static struct {
    char path[256];
    json_t *doc;
} docs[DOCS_MAX]; /* schemas that were read; kept until the program ends */

static json_t *load(const char *path)
{
    for (size_t i = 0; i < DOCS_MAX; i++) {
        if (docs[i].doc && strcmp(docs[i].path, path) == 0)
            return docs[i].doc;
        if (docs[i].doc)
            continue;
        AUTO_FREE char *text = NULL;
        size_t len;
        struct parse_error error = {0};
        check_ok(file_read(path, 1u << 20, &text, &len));
        docs[i].doc = json_read(span_of(text, len), &error);
        if (!docs[i].doc)
            check_failed("%s:%u:%u: %s", path, error.line, error.column, error.text);
        snprintf(docs[i].path, sizeof docs[i].path, "%s", path);
        return docs[i].doc;
    }
    check_failed("more than %d schemas", DOCS_MAX);
}

struct place {
    const char *file; /* of the schema */
    struct buf *path; /* in the document */
    struct buf *why;
};
static bool check(struct place p, json_t *schema, json_t *v);

static bool wrong(struct place p, const char *what, json_t *v)
{
    AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!p.why->len)
        buf_printf(p.why, "%s: %s: %.200s", p.path->len ? p.path->data : "/", what, text ? text : "?");
    return false;
}

static bool is_type(const char *name, json_t *v)
{
    return strcmp(name, "object") == 0    ? json_is_object(v)
           : strcmp(name, "array") == 0   ? json_is_array(v)
           : strcmp(name, "string") == 0  ? json_is_string(v)
           : strcmp(name, "boolean") == 0 ? json_is_boolean(v)
           : strcmp(name, "integer") == 0 ? json_is_integer(v)
           : strcmp(name, "number") == 0  ? json_is_number(v)
                                          : false;
}

static bool down(struct place p, const char *key, json_t *schema, json_t *v)
{
    size_t len = p.path->len;
    buf_printf(p.path, "/%s", key);
    bool ok = check(p, schema, v);
    if (ok) /* else the path stays for the words */
        p.path->data[p.path->len = len] = '\0';
    return ok;
}

static bool check_object(struct place p, json_t *schema, json_t *v)
{
    json_t *properties = json_object_get(schema, "properties"),
           *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        json_t *its = json_object_get(properties, key);
        if (!its && others && json_is_false(others))
            return wrong(p, key, v);
        if (!its && json_is_object(others))
            its = others;
        if (its && !down(p, key, its, member))
            return false;
    }
    size_t i;
    json_array_foreach(
        json_object_get(schema, "required"), i,
        member) if (!json_object_get(v, json_string_value(member))) return wrong(p, json_string_value(member), v);
    return true;
}

static bool check_ref(struct place p, const char *ref, json_t *v)
{
    char file[256];
    const char *hash = strchr(ref, '#'), *slash = strrchr(p.file, '/');
    assert_non_null(hash);
    if (hash == ref)
        snprintf(file, sizeof file, "%s", p.file);
    else
        snprintf(file, sizeof file, "%.*s/%.*s", (int)(slash - p.file), p.file, (int)(hash - ref), ref);
    assert_int_equal(strncmp(hash, "#/$defs/", 8), 0);
    json_t *to = json_object_get(json_object_get(load(file), "$defs"), hash + 8);
    if (!to)
        check_failed("%s: no %s", p.file, ref);
    return check((struct place){file, p.path, p.why}, to, v);
}

static bool matches(const char *pattern, const char *text)
{
    regex_t re;
    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool yes = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return yes;
}

static bool check_any(struct place p, json_t *list, json_t *v)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        struct buf path, why;
        buf_init(&path, 4096);
        buf_init(&why, 4096);
        bool ok = check((struct place){p.file, &path, &why}, one, v);
        buf_done(&path);
        buf_done(&why);
        if (ok)
            return true;
    }
    return wrong(p, "is none of anyOf", v);
}

static bool check_enum(struct place p, json_t *list, json_t *v)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) if (json_equal(one, v)) return true;
    return wrong(p, "is not in enum", v);
}

static bool keyword(struct place p, const char *key, json_t *arg, json_t *v)
{
    static const char *const NOTES[] = {"$schema", "$id", "$defs", "title", "description"};
    static const char *const WITH_OBJECT[] = {"properties", "required", "additionalProperties"};
    for (size_t i = 0; i < ARRAY_LEN(NOTES); i++)
        if (strcmp(key, NOTES[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(WITH_OBJECT); i++)
        if (strcmp(key, WITH_OBJECT[i]) == 0)
            return true; /* all three at once, see check() */
    if (strcmp(key, "type") == 0)
        return is_type(json_string_value(arg), v) || wrong(p, json_string_value(arg), v);
    if (strcmp(key, "$ref") == 0)
        return check_ref(p, json_string_value(arg), v);
    if (strcmp(key, "const") == 0)
        return json_equal(arg, v) || wrong(p, "is another constant", v);
    if (strcmp(key, "enum") == 0)
        return check_enum(p, arg, v);
    if (strcmp(key, "anyOf") == 0)
        return check_any(p, arg, v);
    if (strcmp(key, "pattern") == 0)
        return !json_is_string(v) || matches(json_string_value(arg), json_string_value(v)) || wrong(p, "pattern", v);
    if (strcmp(key, "minimum") == 0)
        return !json_is_number(v) || json_number_value(v) >= json_number_value(arg) || wrong(p, "minimum", v);
    if (strcmp(key, "maximum") == 0)
        return !json_is_number(v) || json_number_value(v) <= json_number_value(arg) || wrong(p, "maximum", v);
    if (strcmp(key, "items") == 0) {
        size_t i;
        json_t *item;
        json_array_foreach(v, i, item) if (!down(p, "[]", arg, item)) return false;
        return true;
    }
    check_failed("%s: keyword %s is not checked", p.file, key);
}

static bool check(struct place p, json_t *schema, json_t *v)
{
    const char *key;
    json_t *arg;
    if (json_is_object(v) && !check_object(p, schema, v))
        return false;
    json_object_foreach(schema, key, arg) if (!keyword(p, key, arg, v)) return false;
    return true;
}

char *schema_problem(const char *path, json_t *doc)
{
    struct buf where, why;
    buf_init(&where, 65536);
    buf_init(&why, 65536);
    bool ok = check((struct place){path, &where, &why}, load(path), doc);
    char *text = ok ? NULL : buf_take(&why, NULL);
    buf_done(&where);
    buf_done(&why);
    return text;
}

void schema_check(const char *path, json_t *doc, const char *what)
{
    AUTO_FREE char *why = schema_problem(path, doc);
    if (why)
        check_failed("%s is not what %s says: %s", what, path, why);
}
