/* remote_write_decode.h - what the pieces of the remote-write decoder share. Internal to lib/wire. */
#pragma once

#include "lib/wire/protobuf.h"
#include "lib/wire/remote_write.h"

/* Items of one kind that grow by chunks in the request's arena: the list that is being filled stands at `items` and is
 * moved to a larger chunk when it needs one; pool_keep() leaves it there for good. */
struct pool {
    char *items;
    size_t left, chunk; /* items */
    size_t item_bytes;
};

struct decoder {
    struct write_request *w;
    const struct remote_write_known *known; /* 1.0; NULL: nobody knows any */
    struct remote_write_report *report;
    struct pool labels, samples, histograms, exemplars, ids;
    size_t n_run;               /* samples and ids that are not in a series' entry yet: of known series, one each */
    const struct span *symbols; /* 2.0 */
    size_t n_symbols;
    uint64_t series_seen;
    size_t cap_series, cap_metadata;
};

/* With an empty request, which is the caller's to free. -ENOMEM. */
MUST_USE int decoder_begin(struct decoder *d, struct remote_write_report *report);
/* A snappy block into the request's arena. -EBADMSG, -EFBIG, -ENOMEM. */
MUST_USE int decoder_decompress(struct decoder *d, struct span body, struct pb *ret);
/* WriteRequest of 1.0, and QueryResult of remote read: into d->w. */
MUST_USE int decode_request_1(struct decoder *d, struct pb in);
/* n zeroed items, NULL sets *ret_error: -EFBIG over the arena's limit, -ENOMEM. */
void *decoder_alloc(struct decoder *d, size_t n, size_t item_bytes, int *ret_error);
/* The same, not zeroed: for what is written as a whole. */
void *decoder_room(struct decoder *d, size_t n, size_t item_bytes, int *ret_error);
/* Room for `room` more behind the n that stand there. 0, -EFBIG, -ENOMEM. */
MUST_USE int pool_more(struct decoder *d, struct pool *p, size_t n, size_t room);

/* The field numbers of TimeSeries in both protocols, and its own in the request. */
struct series_fields {
    uint32_t number, labels, samples, exemplars, histograms, metadata, created;
};
extern const struct series_fields SERIES_FIELDS_1, SERIES_FIELDS_2;
/* The next TimeSeries of the request, appended to w->series or to the run unless it is rejected or empty. */
MUST_USE int decode_series(struct decoder *d, const struct series_fields *f, struct pb *in);
/* The run becomes an entry of w->series: before another one, and at the end. 0, -EFBIG, -ENOMEM. */
MUST_USE int decoder_end_run(struct decoder *d);
/* Room in w->series for a run and another entry; made at once for all that the fields of that number in `rest` may become. -EBADMSG: they
 * are broken; -EFBIG, -ENOMEM. */
MUST_USE int decoder_series_room(struct decoder *d, uint32_t field, struct pb rest);

/* 1.0: the next MetricMetadata, appended to w->metadata. */
MUST_USE int decode_metadata(struct decoder *d, struct pb *in);
/* 2.0: the metadata inside of a series: read, and kept once its labels are known. */
struct series_metadata {
    bool present;
    uint64_t type, help, unit;
};
MUST_USE bool decode_series_metadata(struct pb *in, struct series_metadata *ret);
MUST_USE int keep_series_metadata(struct decoder *d, const struct series_metadata *m, const struct labels *labels);

/* prometheus.Histogram and its twin of 2.0 (field 17 is start_timestamp there). -EBADMSG broken, -EINVAL: *ret_why says
 * which rule of native histograms it breaks; -EFBIG, -ENOMEM. */
MUST_USE int decode_histogram(struct decoder *d, struct pb message, struct histogram_sample *ret, const char **ret_why);
