/* filter.h - `/`: which rows a list shows. "text" is looked for without case, "~expression" is a regular expression that
 * may match anywhere, "!" before either shows the rows that do not match. */
#pragma once

#include <stdbool.h>

#include "lib/match/regex.h"

#define FILTER_BYTES_MAX 256
struct filter {
    char text[FILTER_BYTES_MAX]; /* as typed; "" shows everything */
    bool inverse;
    struct regex *regex; /* NULL: plain text */
};
/* The filter stays as it was on failure: -EINVAL with the reason (a bad expression), -E2BIG (too long), -ENOMEM. */
MUST_USE int filter_set(struct filter *f, const char *text, struct parse_error *ret_error);
void filter_done(struct filter *f);
bool filter_shows(const struct filter *f, const char *row_text);
