/* text_in.h - OpenMetrics text with time stamps into the store.
 *
 *   struct text_import i = {.store = s, .text = page};
 *   r = store_import(&i, &error);          // -EINVAL: error has line and column, and nothing was stored
 *
 * The text is read twice: first to its end for mistakes, then in batches. Memory is a batch, however long the text. What is stored
 * already with the same value counts as stored, so a second import of the same text changes nothing. */
#pragma once

#include "collector/store/store.h"
#include "lib/base/problem.h"

struct text_import {
    struct store *store;
    struct span text;
    uint64_t samples, refused; /* stored; refused by the store (limits, another value at the same time) */
    uint64_t exemplars, exemplars_refused;
    char why[256]; /* the first refusal, or why it failed */
};
/* -EINVAL; -EIO, -ENOSPC: the store could not write, what came before stays; -ENOMEM. */
MUST_USE int store_import(struct text_import *i, struct parse_error *ret_error);
