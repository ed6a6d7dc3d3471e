/* json.h - a streaming JSON writer, and places for errors of jansson (which reads).
 *
 *   struct json_writer j;
 *   jw_init(&j, &buf);
 *   jw_object(&j);
 *   jw_key(&j, "status"); jw_text(&j, SPAN("success"));
 *   jw_end(&j);
 *
 * Commas and nesting are kept by the writer. Text is written as valid UTF-8 (bad bytes become U+FFFD), control characters and
 * < > & escaped (\u003c) so that the bytes are safe inside HTML. Errors stick in the buffer. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/problem.h"

struct json_writer {
    struct buf *out;
    uint32_t depth;
    bool after_key;
    uint64_t has_items[4], is_object[4]; /* a bit per depth */
};
void jw_init(struct json_writer *j, struct buf *out);
void jw_object(struct json_writer *j);
void jw_array(struct json_writer *j);
void jw_end(struct json_writer *j); /* closes the innermost object or array */
void jw_key(struct json_writer *j, const char *key);
void jw_key_span(struct json_writer *j, struct span key);
void jw_text(struct json_writer *j, struct span text);
void jw_str(struct json_writer *j, const char *text); /* NULL writes null */
void jw_u64(struct json_writer *j, uint64_t v);
void jw_i64(struct json_writer *j, int64_t v);
void jw_f64(struct json_writer *j, double v);        /* a JSON number; NaN and Inf become null */
void jw_f64_quoted(struct json_writer *j, double v); /* "NaN", "+Inf", … as Prometheus's samples */
void jw_bool(struct json_writer *j, bool v);
void jw_null(struct json_writer *j);
/* A member of the innermost object: key and value. */
void jw_member_text(struct json_writer *j, const char *key, struct span text);
void jw_member_str(struct json_writer *j, const char *key, const char *text);
void jw_member_u64(struct json_writer *j, const char *key, uint64_t v);
void jw_member_i64(struct json_writer *j, const char *key, int64_t v);
void jw_member_f64(struct json_writer *j, const char *key, double v);
void jw_member_bool(struct json_writer *j, const char *key, bool v);
/* Ready-made JSON, copied as it is. */
void jw_raw(struct json_writer *j, struct span json_text_bytes);

/* Parse with depth and size limits (JSON_DEPTH_MAX); duplicate keys refused. NULL: ret_error has line and column. The caller
 * json_decref()s. */
json_t *json_read(struct span text, struct parse_error *ret_error);
