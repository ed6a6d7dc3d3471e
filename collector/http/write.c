/* Remote write: decode on the server's thread (bounded CPU, no wait), answer from the store's commit. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/remote_write.h"

struct pending_write {
    struct httpd_request *request;
    struct http_room *room;
    enum remote_write_protocol protocol;
    struct remote_write_report report;
};

static void written_header(struct httpd_request *r, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    httpd_reply_header(r, name, text);
}

/* On every answer: a sender that gets none of them takes the receiver for one of 1.0. */
static void written_headers(struct httpd_request *r, uint64_t samples, uint64_t histograms, uint64_t exemplars)
{
    written_header(r, "X-Prometheus-Remote-Write-Samples-Written", samples);
    written_header(r, "X-Prometheus-Remote-Write-Histograms-Written", histograms);
    written_header(r, "X-Prometheus-Remote-Write-Exemplars-Written", exemplars);
}

/* Exemplars that were left out fail a request of 2.0 only: senders of 1.0 know no such thing, and Prometheus tells them nothing. */
static uint64_t refused_of(const struct pending_write *p, const struct store_written *w)
{
    const struct remote_write_report *report = &p->report;
    uint64_t refused = report->rejected_samples ? report->rejected_samples : report->rejected_series;
    for (size_t i = 0; i < STORE_REFUSED_REASONS; i++)
        if (i != STORE_REFUSED_EXEMPLAR)
            refused += w->refused[i];
    if (p->protocol == REMOTE_WRITE_2)
        refused += p->report.rejected_exemplars + w->refused[STORE_REFUSED_EXEMPLAR];
    return refused;
}

/* What the decoder left out never comes to the store; it counts among its refusals all the same. Of series that were left out the decoder
 * counts all samples; without such, what it left out are histograms that break their rules. */
static void count_rejected(struct store *s, const struct remote_write_report *report)
{
    store_count_refused(s, STORE_REFUSED_LABELS, report->rejected_samples - report->rejected_histograms);
    store_count_refused(s, STORE_REFUSED_HISTOGRAM, report->rejected_histograms);
    store_count_refused(s, STORE_REFUSED_EXEMPLAR, report->rejected_exemplars);
}

static void on_written(void *ctx, const struct store_written *w)
{
    AUTO_FREE struct pending_write *p = ctx;
    struct httpd_request *r = p->request;
    uint64_t refused = refused_of(p, w);
    written_headers(r, w->samples, w->histograms, w->exemplars);
    if (w->error) {
        atomic_fetch_add_explicit(&p->room->writes_refused_failed, 1, memory_order_relaxed);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_text(r, 503, "nothing was stored: %s\n", w->why);
        return;
    }
    count_rejected(p->room->store, &p->report);
    if (refused) {
        const char *why = p->report.why[0] ? p->report.why : w->why;
        atomic_fetch_add_explicit(&p->room->writes_refused_bad, 1, memory_order_relaxed);
        httpd_reply_text(r, 400, "%llu refused, the rest was stored: %s\n", (unsigned long long)refused,
                         why[0] ? why : "an exemplar's labels break the rules");
    } else {
        httpd_reply_empty(r, 204);
    }
}

static void out_of_memory(struct httpd_request *r, struct http_room *room)
{
    atomic_fetch_add_explicit(&room->writes_refused_failed, 1, memory_order_relaxed);
    httpd_reply_header(r, "Retry-After", "1");
    httpd_reply_text(r, 503, "out of memory\n");
}

void on_write(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    enum remote_write_protocol protocol;
    struct write_request *request = NULL;
    if (remote_write_protocol_of(httpd_header(r, "Content-Type"), httpd_header(r, "Content-Encoding"), &protocol) < 0) {
        atomic_fetch_add_explicit(&room->writes_refused_bad, 1, memory_order_relaxed);
        written_headers(r, 0, 0, 0);
        httpd_reply_text(r, 415,
                         "remote write needs Content-Type: application/x-protobuf and Content-Encoding: snappy\n");
        return;
    }
    struct pending_write *p = calloc(1, sizeof *p);
    if (!p) {
        written_headers(r, 0, 0, 0);
        out_of_memory(r, room);
        return;
    }
    p->request = r;
    p->room = room;
    p->protocol = protocol;
    struct store_lookup lookup;
    store_lookup_begin(&lookup, room->store);
    const struct remote_write_known known = {store_lookup_find, store_lookup_next, &lookup};
    int e = remote_write_decode_known(protocol, httpd_body(r), &known, &request, &p->report);
    store_lookup_end(&lookup);
    if (e < 0) {
        if (e != -ENOMEM)
            atomic_fetch_add_explicit(&room->writes_refused_bad, 1, memory_order_relaxed);
        written_headers(r, 0, 0, 0);
        if (e == -EFBIG)
            httpd_reply_text(r, 413, "the decoded body is larger than %u bytes\n", BODY_BYTES_MAX);
        else if (e == -ENOMEM)
            out_of_memory(r, room);
        else
            httpd_reply_text(r, 400, "cannot decode the body: %s\n",
                             p->report.why[0] ? p->report.why : "broken snappy or protobuf");
        free(p);
        return;
    }
    atomic_fetch_add_explicit(&room->writes_decoded_bytes, httpd_body(r).len, memory_order_relaxed);
    httpd_defer(r);
    e = store_submit(room->store, request, on_written, p);
    if (e < 0) {
        atomic_fetch_add_explicit(&room->writes_refused_busy, 1, memory_order_relaxed);
        write_request_free(request);
        written_headers(r, 0, 0, 0);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_text(r, 503, e == -EAGAIN ? "the write queue is full, try again\n" : "the collector is stopping\n");
        free(p);
    }
}
