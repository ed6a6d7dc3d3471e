/* json.h - JSON that a program wrote, for tests that look into it.
 *
 *   json_t *root = check_json(text);                       // or check_json_file(path)
 *   assert_int_equal(json_number_at(root, "sessions", "completed"), 40);
 *   json_decref(root); */
#pragma once

#include <jansson.h>

/* Fails the test when it is none. */
json_t *check_json(const char *text);
json_t *check_json_file(const char *path);
/* Of a member's member; 0 when there is none. */
json_int_t json_number_at(const json_t *root, const char *object, const char *key);
