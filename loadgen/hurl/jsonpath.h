/* jsonpath.h - JSONPath (RFC 9535) over JSON text.
 *
 *   const struct jsonpath *path;
 *   r = jsonpath_compile(&arena, SPAN("$.items[?(@.price < 10)].id"), &path, why, sizeof why);
 *   struct jsonpath_result found;
 *   r = jsonpath_eval(path, root, &scratch, &found);            // spans of root, in document order
 *
 * All selectors, filters with && || ! ( ) and the six comparisons, and the functions length(), count(), value(), match() and search(); a pattern
 * that is no regular expression matches nothing. Member names behind a dot may hold '-' and start with a
 * digit, as users write them. Compiled paths are immutable: threads share them. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/macros.h"
#include "lib/base/limits.h"

struct jsonpath;
struct jsonpath_result {
    struct span *values;
    size_t n;
};

/* -EINVAL with a sentence in why; -ENOMEM. */
MUST_USE int jsonpath_compile(struct arena *a, struct span text, const struct jsonpath **ret, char *why,
                              size_t why_bytes);
/* Can it name at most one value (only names and indexes)? */
bool jsonpath_is_singular(const struct jsonpath *path);
/* -E2BIG: more than JSONPATH_NODES_MAX nodes, or a pattern that takes too long; -ENOMEM. */
MUST_USE int jsonpath_eval(const struct jsonpath *path, struct span root, struct arena *scratch,
                           struct jsonpath_result *ret);
