/* multipart_text.h - a multipart/form-data body as it was sent, taken apart into fields.
 *
 *   r = draft_multipart_text(&draft, q, SPAN("multipart/form-data; boundary=x"), bytes);
 */
#pragma once

#include "loadgen/import/journey.h"

/* Sets q's fields and body kind. -EINVAL: it is none, or a part of it is a file or no text (then it can only be sent as it
 * is); -ENOMEM. */
MUST_USE int draft_multipart_text(struct journey_draft *d, struct draft_request *q, struct span content_type,
                                  struct span body);
