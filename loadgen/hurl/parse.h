/* parse.h - Hurl text to tree: the whole grammar, every error with its place, all at once.
 *
 *   struct hurl_file *f = NULL;
 *   r = hurl_parse("cart.hurl", text, &f, &problems);       // -EINVAL: problems has the places
 *   r = hurl_check(f, &problems);                            // check.h: compile, and refuse what is not
 * executed hurl_file_free(f);
 *
 * Grammar: hurl.dev's docs/spec/grammar; beside it our `# @…` comment lines, which belong to the request that
 * follows. After an error the parser goes on with the next line, so one run shows them all. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/hurl/tree.h"

/* -EINVAL (a problem was added), -ENOMEM (file too large for its arena, or no memory). `name` is copied. */
MUST_USE int hurl_parse(const char *name, struct span text, struct hurl_file **ret, struct problems *problems);
/* NULL is fine. */
void hurl_file_free(struct hurl_file *f);
/* The slot of a variable, or -1. */
int hurl_slot_of(const struct hurl_file *f, struct span name);
