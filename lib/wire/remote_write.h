/* remote_write.h - Prometheus remote write: the bytes of requests, both ways.
 *
 *   struct remote_write_encoder *e;                    // agent, loadgen, history import
 *   r = remote_write_encoder_new(&e);
 *   r = remote_write_add(e, &labels, samples, n);       // -E2BIG: encode and send what is there first
 *   r = remote_write_metadata(e, &metadata);
 *   r = remote_write_finish(e, &body);                  // snappy block into body; the encoder is empty again
 *
 *   struct write_request *w;                            // collector
 *   r = remote_write_decode(REMOTE_WRITE_1, body, &w, &report);   // spans point into the request's own arena
 *
 * 1.0: prometheus.WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; },
 * TimeSeries { repeated Label labels = 1 {name=1, value=2}; repeated Sample samples = 2 {value=1 double, timestamp=2 int64};
 * exemplars = 3; histograms = 4 }. 2.0: io.prometheus.write.v2.Request with a symbol table. Snappy block format. Sources:
 * prometheus.io/docs/specs/prw/remote_write_spec and remote_write_spec_2_0. */
#pragma once

#include "lib/base/problem.h"
#include "lib/metric/sample.h"

#define REMOTE_WRITE_CONTENT_TYPE "application/x-protobuf"
#define REMOTE_WRITE_VERSION_HEADER "X-Prometheus-Remote-Write-Version: 0.1.0"

struct remote_write_encoder;
MUST_USE int remote_write_encoder_new(struct remote_write_encoder **ret);
void remote_write_encoder_free(struct remote_write_encoder *e);
/* Samples of one series; start_ms is not sent (1.0 has no place for it), n = 0 adds nothing. -E2BIG when the body would pass
 * 4 MB before compression: finish and send it first (one series alone may pass it). Compressed as it grows: memory is what the body takes. -EMSGSIZE: it can never be sent, over
 * BODY_BYTES_MAX. -ENOMEM. Nothing was added then. */
MUST_USE int remote_write_add(struct remote_write_encoder *e, const struct labels *labels, const struct sample *samples,
                              size_t n);
MUST_USE int remote_write_metadata(struct remote_write_encoder *e, const struct metadata *m);
size_t remote_write_samples(const struct remote_write_encoder *e); /* added since the last finish */
size_t remote_write_bytes(const struct remote_write_encoder *e);   /* uncompressed */
/* Append the compressed body; the encoder is empty afterwards, also on failure. */
MUST_USE int remote_write_finish(struct remote_write_encoder *e, struct buf *body);

enum remote_write_protocol { REMOTE_WRITE_1, REMOTE_WRITE_2 };
/* From Content-Type and Content-Encoding. -EPROTONOSUPPORT (415): another type or encoding than snappy; a missing
 * Content-Encoding or Content-Type is refused too. */
MUST_USE int remote_write_protocol_of(struct span content_type, struct span content_encoding,
                                      enum remote_write_protocol *ret);
/* Decompress and decode. Labels out of order are sorted, those with an empty value dropped (they mean the same). Series that
 * break the rules of labels.h, and native histograms that break theirs, are left out and counted with the first reason; the
 * valid rest is kept (the caller answers 400 all the same). An exemplar with bad labels is only counted. A series without
 * samples, histograms and exemplars is left out silently. 1.0: `key` is the series' raw label bytes (empty when other
 * fields stand between the labels); equal keys mean equal labels. 2.0: `key` is empty, metadata of series is folded to families.
 * -EBADMSG: snappy or protobuf is broken, or a 2.0 symbol reference; -EFBIG: decoded body over BODY_BYTES_MAX, or more than
 * WRITE_REQUEST_BYTES_MAX of memory for it; -ENOMEM. */
struct remote_write_report {
    uint64_t rejected_series, rejected_samples, rejected_exemplars;
    uint64_t rejected_histograms; /* of the samples: for their own sake, not their series' */
    char why[PROBLEM_TEXT_MAX];
};
MUST_USE int remote_write_decode(enum remote_write_protocol protocol, struct span body, struct write_request **ret,
                                 struct remote_write_report *ret_report);
/* The same for a receiver that knows series by their keys: of those neither labels are decoded nor their rules checked, which is most of
 * the work. Both must be sure: true only for the exact bytes of a label set that is in order and keeps the rules. What is known and has
 * one sample comes in runs (write_series.run), in order with the rest. */
struct remote_write_known {
    bool (*find)(void *ctx, struct span key, uint32_t *ret_id); /* write_series.known is the id + 1 */
    /* Is the series that is expected next the one whose key these bytes begin with? Then how long that is. A guess: false is always right. */
    bool (*next)(void *ctx, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id);
    void *ctx;
};
MUST_USE int remote_write_decode_known(enum remote_write_protocol protocol, struct span body,
                                       const struct remote_write_known *known, struct write_request **ret,
                                       struct remote_write_report *ret_report);
