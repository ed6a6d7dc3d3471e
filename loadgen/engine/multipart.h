/* multipart.h - the body of a [Multipart] section: multipart/form-data (RFC 7578).
 *
 *   r = multipart_build(scope, fields, n, &body, type, sizeof type, &why);      // type: "multipart/form-data; boundary=…" */
#pragma once

#include "loadgen/hurl/run.h"

/* Appends to out. -EINVAL: *why is set (a file, a template); -ENOMEM; -ENOSPC of the buffer. */
MUST_USE int multipart_build(struct hurl_scope *s, const struct hurl_part_field *fields, size_t n, struct buf *out,
                             char *type, size_t type_bytes, struct hurl_failure *why);
