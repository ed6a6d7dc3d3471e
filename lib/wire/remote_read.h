/* remote_read.h - Prometheus remote read, the asking side: the samples of a selector as they are stored, bit for bit, stale
 * markers and native histograms included.
 *
 *   r = remote_read_encode(&query, &body);                    // POST it to /api/v1/read with REMOTE_READ_HEADERS
 *   r = remote_read_decode(answer, &w, &report);               // what came, as a write request
 *
 * ReadRequest { repeated Query queries = 1; repeated ResponseType accepted_response_types = 2 (0: SAMPLES); },
 * Query { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2; repeated LabelMatcher matchers = 3 }, LabelMatcher {
 * Type type = 1; string name = 2; string value = 3 }; ReadResponse { repeated QueryResult results = 1 }, QueryResult {
 * repeated TimeSeries timeseries = 1 }: the layout of a 1.0 write request. Snappy block format. Source:
 * prometheus.io/docs/prometheus/latest/querying/remote_read_api. A server adds its external labels, as it does when it writes. */
#pragma once

#include "lib/wire/remote_write.h"

#define REMOTE_READ_HEADERS                                                                                            \
    "Content-Type: application/x-protobuf", "Content-Encoding: snappy", "Accept-Encoding: snappy",                     \
        "X-Prometheus-Remote-Read-Version: 0.1.0"

struct remote_read_matcher {
    enum { REMOTE_READ_EQUAL, REMOTE_READ_NOT_EQUAL, REMOTE_READ_REGEX, REMOTE_READ_NOT_REGEX } type;
    struct span name, value;
};
struct remote_read_query {
    int64_t min_ms, max_ms; /* inclusive */
    const struct remote_read_matcher *matchers;
    size_t n_matchers;
};
/* Append the compressed request. The buffer's error, or -ENOMEM. */
MUST_USE int remote_read_encode(const struct remote_read_query *query, struct buf *body);
/* The answer to one query. What breaks the rules of labels or histograms is left out and counted, as remote_write_decode does,
 * with its errors. -EBADMSG also for more than one result. */
MUST_USE int remote_read_decode(struct span body, struct write_request **ret, struct remote_write_report *ret_report);
