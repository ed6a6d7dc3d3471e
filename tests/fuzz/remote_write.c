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

/* A receiver that knows every second series by its key, and expects them in their order. */
struct receiver {
    const struct write_request *plain;
    uint32_t next;
};

static bool has_key(const struct write_series *s, struct span key)
{
    struct buf right;
    buf_init(&right, BODY_BYTES_MAX);
    series_key_build(&right, &s->labels);
    bool same = span_equal(buf_view(&right), key) && span_equal(s->key, key);
    buf_done(&right);
    return same;
}

static bool find_known(void *ctx, struct span key, uint32_t *ret_id)
{
    struct receiver *r = ctx;
    for (uint32_t i = 0; i < r->plain->n_series; i += 2)
        if (has_key(&r->plain->series[i], key)) {
            *ret_id = i;
            r->next = i + 2;
            return true;
        }
    return false;
}

static bool next_known(void *ctx, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id)
{
    struct receiver *r = ctx;
    const struct write_series *s = r->next < r->plain->n_series ? &r->plain->series[r->next] : NULL;
    if (!s || s->key.len == 0 || s->key.len > bytes.len || !has_key(s, span_of(bytes.ptr, s->key.len)))
        return false;
    *ret_key_bytes = s->key.len;
    *ret_id = r->next;
    r->next += 2;
    return true;
}

static void check_run(const struct write_series *run, const struct write_request *plain, size_t *at)
{
    for (size_t i = 0; i < run->n_samples; i++, ++*at) {
        const struct write_series *s = &plain->series[*at];
        if (*at >= plain->n_series || !labels_equal(&plain->series[run->run[i]].labels, &s->labels) ||
            s->n_samples != 1 || s->n_histograms + s->n_exemplars ||
            memcmp(s->samples, &run->samples[i], sizeof *s->samples) != 0)
            abort();
    }
}

static void check_same(const struct write_request *w, const struct write_request *plain)
{
    size_t at = 0;
    for (size_t i = 0; i < w->n_series; i++) {
        const struct write_series *a = &w->series[i], *b = &plain->series[at];
        if (a->run) {
            check_run(a, plain, &at);
            continue;
        }
        if (at++ >= plain->n_series)
            abort();
        const struct labels *labels = a->known ? &plain->series[a->known - 1].labels : &a->labels;
        if (!labels_equal(labels, &b->labels) || (a->known && a->labels.n) || !span_equal(a->key, b->key))
            abort();
        if (a->n_samples != b->n_samples || a->n_histograms != b->n_histograms || a->n_exemplars != b->n_exemplars ||
            (a->n_samples && memcmp(a->samples, b->samples, a->n_samples * sizeof *a->samples) != 0))
            abort();
    }
    if (at != plain->n_series || w->n_metadata != plain->n_metadata)
        abort();
}

static void check_known(struct span body, const struct write_request *plain, const struct remote_write_report *report)
{
    struct write_request *w = NULL;
    struct remote_write_report again;
    struct receiver receiver = {plain, 0};
    const struct remote_write_known known = {find_known, next_known, &receiver};
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
