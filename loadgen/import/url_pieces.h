/* url_pieces.h - what a URL is made of: the segments of its path and the values of its query, decoded, each with a pattern that
 * finds it in another URL of the same kind.
 *
 *   r = url_pieces(SPAN("/user/17/order/42?tab=x"), on_piece, ctx);
 *   // 17: name "user", pattern /user/([^/?#]+); 42: name "order", pattern /user/[^/?#]+/order/([^/?#]+); x: name "tab"
 */
#pragma once

#include <stdbool.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#define URL_PIECE_NAME "\x03url" /* the name under which pieces of links and redirects are remembered */

struct url_piece {
    struct span raw, value; /* as it stands, a part of the URL; decoded */
    struct span name;       /* the segment before it, or the parameter's name */
    struct span pattern;    /* a regular expression with one group */
    struct span
        prefix; /* what stands before it as it is, back to the last segment that is an id (for XPath's contains) */
    bool in_query, is_id, encoded; /* is_id: of a path, and looks like one */
};
typedef void (*url_piece_function)(void *ctx, const struct url_piece *p);
/* Calls for each piece in order; its texts live during the call. -ENOMEM. */
MUST_USE int url_pieces(struct span url, url_piece_function each, void *ctx);
