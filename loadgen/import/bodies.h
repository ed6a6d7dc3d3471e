/* bodies.h - the body of a request from its bytes and what they are called: a form, JSON, text, or bytes.
 *
 *   r = draft_set_body(d, q, SPAN("application/json"), bytes);
 *
 * The content type becomes a header only where the form of the body does not say it by itself. */
#pragma once

#include "loadgen/import/journey.h"

/* content_type may be empty (curl's -d without a header: say what it would send). -ENOMEM. */
MUST_USE int draft_set_body(struct journey_draft *d, struct draft_request *q, struct span content_type,
                            struct span bytes);
/* A body or part that is a file beside the journey: "file,NAME;", marked for a multipart field. Names with odd characters are
 * escaped. */
struct span draft_file(struct journey_draft *d, struct span name, struct span content_type);
/* "a=1&b=%20" as decoded pairs of foreign text. -EINVAL: a piece has no '=', an empty name or is no text. */
MUST_USE int draft_form_pairs(struct journey_draft *d, struct span text, struct draft_pairs *ret);
/* Is it (application/…+)json? */
bool is_json_type(struct span content_type);
/* "text/html; charset=utf-8" -> text/html, as it is written. */
struct span media_type(struct span content_type);
