/* order.h - what a coordinator tells a worker: which part of which run, with the files that it needs. Lines of words, free texts in base64.
 *
 *   segment 0 3                     the first of three parts
 *   start 1764201600000             second 0 of the plan, unix ms of the worker's own clock
 *   arg LS1yYXRlPTIw                an option of `run`, "--rate=20"
 *   operand Y2FydC5odXJs            a file of `run`, by its name below
 *   secret dG9rZW49YWJj             a variable that is shown nowhere, NAME=VALUE: it goes to the run by its environment, not by its arguments
 *   file Y2FydC5odXJs R0VUIC4uLg==  name and bytes
 *
 * Only options that say what load to make are taken (order_takes): where it may go, and what is written where, is the worker's own
 * business. Names of files stay below the worker's folder for the run. */
#pragma once

#include "lib/base/buf.h"

/* Is this option of `run`, without dashes, one that a worker takes? */
bool order_takes(const char *name);

struct order {
    unsigned segment, segments;
    int64_t start_ms;
    char **args; /* options, then operands; malloc */
    size_t n_args;
    char **env; /* HURL_SECRET_NAME=VALUE, ended by NULL; malloc; NULL: none */
    size_t n_env;
};
/* Reads it and writes its files below `folder`. -EINVAL with a sentence; -errno of writing. */
MUST_USE int order_take(struct span text, const char *folder, struct order *ret, char *why, size_t why_bytes);
void order_done(struct order *o);

/* ---- the other side ---- */
void order_begin(struct buf *out, unsigned segment, unsigned segments, int64_t start_ms);
/* value NULL: a flag. */
void order_option(struct buf *out, const char *name, const char *value);
void order_operand(struct buf *out, struct span name);
void order_secret(struct buf *out, struct span text);
void order_file(struct buf *out, struct span name, struct span bytes);
