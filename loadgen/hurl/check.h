/* check.h - the second look at a parsed file: compiles what is constant, resolves names, refuses what is not
 * executed.
 *
 *   r = hurl_check(f, &problems);      // -EINVAL: problems were added; the file must not be run
 *
 * What hurl has and we do not run is "supported by hurl, not by crest: NAME" at its place. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/hurl/tree.h"

MUST_USE int hurl_check(struct hurl_file *f, struct problems *problems);
/* The same with hurl's own patience, for `test`: a quoted expression that is none fails when it is asked, a file without requests is a good file,
 * our settings are the comments that they are to hurl. */
MUST_USE int hurl_check_as_hurl(struct hurl_file *f, struct problems *problems);
/* Variables that templates read and that neither an earlier capture or `variable` option nor `known` (slots
 * set from outside) provides: one error each, at its first use. The number of them. */
size_t hurl_check_variables(const struct hurl_file *f, const bool *known, struct problems *problems);
