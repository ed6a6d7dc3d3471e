#include "tests/support/json.h"

#include "tests/support/check.h"

json_t *check_json(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);
    if (!root)
        check_failed("%s: %s", error.text, text);
    return root;
}

json_t *check_json_file(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root)
        check_failed("%s: %s at line %d", path, error.text, error.line);
    return root;
}

json_int_t json_number_at(const json_t *root, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(root, object), key));
}
