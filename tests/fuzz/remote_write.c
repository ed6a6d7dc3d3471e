/* remote_write.c - any bytes as a write request, or as an answer of remote read: refused or whole. The first byte picks which and whether
 * the rest is the protobuf itself (then compressed here) or a snappy body. Input of libFuzzer; kept crashes are files. */
#include <errno.h>
#include <snappy-c.h>

#include "collector/store/series_key.h"
#include "lib/base/limits.h"
#include "lib/wire/remote_read.h"

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

/* A receiver that knows every second series by its key. */
static bool find_known(void *ctx, struct span key, uint32_t *ret_id)
{
    const struct write_request *w = ctx;
    for (uint32_t i = 0; i < w->n_series; i += 2) {
        struct buf right;
        buf_init(&right, BODY_BYTES_MAX);
        series_key_build(&right, &w->series[i].labels);
        bool same = span_equal(buf_view(&right), key) && span_equal(w->series[i].key, key);
        buf_done(&right);
        if (same) {
            *ret_id = i;
            return true;
        }
    }
    return false;
}

static void check_same(const struct write_request *w, const struct write_request *plain)
{
    if (w->n_series != plain->n_series || w->n_metadata != plain->n_metadata)
        abort();
    for (size_t i = 0; i < w->n_series; i++) {
        const struct write_series *a = &w->series[i], *b = &plain->series[i];
        const struct labels *labels = a->known ? &plain->series[a->known - 1].labels : &a->labels;
        if (!labels_equal(labels, &b->labels) || (a->known && a->labels.n) || !span_equal(a->key, b->key))
            abort();
        if (a->n_samples != b->n_samples || a->n_histograms != b->n_histograms || a->n_exemplars != b->n_exemplars ||
            (a->n_samples && memcmp(a->samples, b->samples, a->n_samples * sizeof *a->samples) != 0))
            abort();
    }
}

static void check_known(struct span body, const struct write_request *plain, const struct remote_write_report *report)
{
    struct write_request *w = NULL;
    struct remote_write_report again;
    const struct remote_write_known known = {find_known, (void *)(uintptr_t)plain};
    if (plain->n_series > 64) /* finding is linear here */
        return;
    int r = remote_write_decode_known(REMOTE_WRITE_1, body, &known, &w, &again);
    if (r == -ENOMEM)
        return;
    if (r < 0 || again.rejected_series != report->rejected_series ||
        again.rejected_samples != report->rejected_samples || again.rejected_exemplars != report->rejected_exemplars ||
        strcmp(again.why, report->why) != 0)
        abort();
    check_same(w, plain);
    write_request_free(w);
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
    int r = data[0] & 4 ? remote_read_decode(body, &w, &report) : remote_write_decode(protocol, body, &w, &report);
    if (r == 0) {
        check_whole(w);
        if (protocol == REMOTE_WRITE_1 && !(data[0] & 4))
            check_known(body, w, &report);
        write_request_free(w);
    } else if (r != -EBADMSG && r != -EFBIG && r != -ENOMEM) {
        abort();
    }
    return 0;
}
