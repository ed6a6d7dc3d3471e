/* json_get.h - members of checked JSON text by name (see hurl/json_text.h).
 *
 *   struct span log = json_get(root, "log");                 // empty: it has none, or root is no object
 *   r = json_get_text(&arena, log, "version", &text);        // empty when it is no string
 */
#pragma once

#include "lib/base/arena.h"

struct span json_get(struct span object, const char *name);
/* *ret is set to the string's text, or empty. -ENOMEM. */
MUST_USE int json_get_text(struct arena *a, struct span object, const char *name, struct span *ret);
