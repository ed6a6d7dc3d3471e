/* remote_write.c - any bytes as a write request: refused or whole. The first byte picks the protocol and whether the
 * rest is the protobuf itself (then compressed here) or a snappy body. Input of libFuzzer; kept crashes are files. */
#include <errno.h>
#include <snappy-c.h>

#include "lib/wire/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_whole(const struct write_request *w)
{
    for (size_t i = 0; i < w->n_series; i++) {
        const char *why;
        if (labels_check(&w->series[i].labels, &why) < 0)
            abort();
        for (size_t k = 0; k < w->series[i].n_histograms; k++) {
            const struct native_histogram *h = w->series[i].histograms[k].histogram;
            uint64_t named = 0;
            for (size_t s = 0; s < h->n_positive_spans; s++)
                named += h->positive_spans[s].length;
            if (named != h->n_positive)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    enum remote_write_protocol protocol = data[0] & 1 ? REMOTE_WRITE_2 : REMOTE_WRITE_1;
    struct span body = span_of((const char *)data + 1, n - 1);
    AUTO_FREE char *packed = NULL;
    if (data[0] & 2) {
        size_t size = snappy_max_compressed_length(body.len);
        packed = malloc(size);
        if (!packed || snappy_compress(body.ptr, body.len, packed, &size) != SNAPPY_OK)
            return 0;
        body = span_of(packed, size);
    }
    struct write_request *w = NULL;
    struct remote_write_report report;
    int r = remote_write_decode(protocol, body, &w, &report);
    if (r == 0) {
        check_whole(w);
        write_request_free(w);
    } else if (r != -EBADMSG && r != -EFBIG && r != -ENOMEM) {
        abort();
    }
    return 0;
}
