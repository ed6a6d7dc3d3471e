#include "loadgen/import/json_get.h"

#include "loadgen/hurl/json_text.h"

struct span json_get(struct span object, const char *name)
{
    struct span key, value, found = {0};
    if (object.len == 0 || json_text_type(object) != JSON_TEXT_OBJECT)
        return found;
    struct json_text_walk w = json_text_walk(object);
    while (json_text_member(&w, &key, &value))
        if (json_text_string_is(key, span_str(name)))
            found = value; /* of two the last, as most readers do */
    return found;
}

int json_get_text(struct arena *a, struct span object, const char *name, struct span *ret)
{
    struct span value = json_get(object, name);
    *ret = (struct span){0};
    return value.len && json_text_type(value) == JSON_TEXT_STRING ? json_text_string(a, value, ret) : 0;
}
