/* json_text.h - JSON without a tree: a value is a piece of a checked text.
 *
 *   struct span root;
 *   r = json_text_check(body, &root, why, sizeof why);       // once per body; everything below wants checked
 * text struct json_text_walk w = json_text_walk(root); struct span key, value; while (json_text_member(&w,
 * &key, &value)) ...            // object: key with its quotes while (json_text_item(&w, &value)) ... //
 * array
 *
 * A journey asks a body for one or two values: walking the bytes costs less than building what nobody looks
 * at. Duplicate keys are kept; readers take the last, as most JSON readers do. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"

enum json_text_type {
    JSON_TEXT_NULL,
    JSON_TEXT_BOOL,
    JSON_TEXT_NUMBER,
    JSON_TEXT_STRING,
    JSON_TEXT_ARRAY,
    JSON_TEXT_OBJECT
};

/* One value, blanks around it, at most JSON_DEPTH_MAX deep, strings in UTF-8. -EINVAL with the reason and
 * byte in why. */
MUST_USE int json_text_check(struct span text, struct span *ret_root, char *why, size_t why_bytes);
enum json_text_type json_text_type(struct span value);

struct json_text_walk {
    struct span rest;
};
/* Of an array or object; of anything else it ends at once. */
struct json_text_walk json_text_walk(struct span value);
bool json_text_item(struct json_text_walk *w, struct span *ret_value);
bool json_text_member(struct json_text_walk *w, struct span *ret_key, struct span *ret_value);
size_t json_text_count(struct span value); /* items or members; 0 for scalars */

/* The text of a string value (with its quotes); a span into it when nothing is escaped, else in the arena.
 * -ENOMEM. */
MUST_USE int json_text_string(struct arena *a, struct span value, struct span *ret);
/* Is the string (with its quotes) this text? */
bool json_text_string_is(struct span value, struct span text);
/* Whole numbers within int64 give true and set both; others only the double. */
bool json_text_number(struct span value, int64_t *ret_integer, double *ret_number);
/* The same value: members in any order, numbers by value. */
bool json_text_equal(struct span a, struct span b);
/* text as the inside of a JSON string. */
void json_text_escape(struct buf *out, struct span text);
