/* record_json.h - the pieces of hurl's JSON report. Each appends one value; texts come with the secrets hidden. */
#pragma once

#include "loadgen/trial/trial.h"

/* body: the name of the file that has the answer's body; NULL: none. */
void record_json_call(struct buf *out, const struct secrets *s, const struct trial_call *call, const char *body);
void record_json_result(struct buf *out, const struct secrets *s, struct hurl_place at, const struct hurl_failure *why);
void record_json_capture(struct buf *out, const struct secrets *s, struct span name, const struct hurl_value *v);
/* A curl command that sends the same. */
void record_curl(struct buf *out, const struct secrets *s, const struct trial_call *call,
                 const struct entry_options *o);
/* A JSON string with its quotes. */
void record_json_text(struct buf *out, const struct secrets *s, struct span text);
