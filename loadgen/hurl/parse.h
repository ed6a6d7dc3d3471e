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
/* A time as an option writes it: 500ms, 10s, 1m, 2h; a bare number has the option's own unit. -EINVAL. */
MUST_USE int hurl_option_time(const struct hurl_option_def *def, struct span word, int64_t *ret_ms);
/* One option as its line in [Options] says it, without a file: `name: value` of the command line. The tree's texts live in the file's arena.
 * -EINVAL with problems; -ENOMEM. */
MUST_USE int hurl_parse_option(struct hurl_file *f, struct span line, struct hurl_option *ret,
                               struct problems *problems);
/* The slot of a variable, or -1. */
int hurl_slot_of(const struct hurl_file *f, struct span name);
