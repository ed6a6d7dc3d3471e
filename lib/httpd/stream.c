/* Streams: a body that is read piece by piece, its connection suspended while there is nothing to send. */
#include <assert.h>

#include "lib/httpd/httpd_internal.h"

#define STREAM_BLOCK_BYTES 16384 /* for HTTP/1.0 clients; chunks use the connection's own buffer */

static ssize_t stream_read(void *ctx, uint64_t position, char *at, size_t max)
{
    (void)position;
    struct httpd_stream *s = ctx;
    for (;;) {
        pthread_mutex_lock(&s->mutex);
        bool closing = s->closing;
        s->wake_pending = false;
        pthread_mutex_unlock(&s->mutex);
        if (closing)
            return MHD_CONTENT_READER_END_OF_STREAM;
        ssize_t n = s->ops.read(s->ctx, at, max);
        if (n > 0)
            return n;
        if (n == -1)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (n < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        pthread_mutex_lock(&s->mutex);
        bool sleep = !s->wake_pending && !s->closing; /* a wake between read and here must not be lost */
        if (sleep) {
            s->suspended = true;
            MHD_suspend_connection(s->mhd);
        }
        pthread_mutex_unlock(&s->mutex);
        if (sleep)
            return 0;
    }
}

static void wake_locked(struct httpd_stream *s)
{
    s->wake_pending = true;
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->mhd);
    }
}

void httpd_stream_wake(struct httpd_stream *s)
{
    pthread_mutex_lock(&s->mutex);
    wake_locked(s);
    pthread_mutex_unlock(&s->mutex);
}

static void stream_end(void *ctx)
{
    struct httpd_stream *s = ctx;
    struct httpd *h = s->h;
    if (h) {
        pthread_mutex_lock(&h->lock);
        if (s->prev)
            s->prev->next = s->next;
        else
            h->streams = s->next;
        if (s->next)
            s->next->prev = s->prev;
        h->streams_n--;
        pthread_mutex_unlock(&h->lock);
    }
    s->ops.done(s->ctx);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void stream_link(struct httpd *h, struct httpd_stream *s)
{
    pthread_mutex_lock(&h->lock);
    s->h = h;
    s->next = h->streams;
    if (s->next)
        s->next->prev = s;
    h->streams = s;
    h->streams_n++;
    s->closing = h->streams_closing;
    pthread_mutex_unlock(&h->lock);
}

void httpd_reply_stream(struct httpd_request *r, int status, const char *content_type,
                        const struct httpd_stream_ops *ops, void *ctx, struct httpd_stream **ret_stream)
{
    *ret_stream = NULL;
    struct httpd_stream *s = calloc(1, sizeof *s);
    struct MHD_Response *response = NULL;
    if (s) {
        pthread_mutex_init(&s->mutex, NULL);
        s->mhd = r->mhd;
        s->ops = *ops;
        s->ctx = ctx;
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, s, stream_end);
    }
    if (!response) {
        if (s)
            pthread_mutex_destroy(&s->mutex);
        free(s);
        ops->done(ctx);
        httpd_reply_text(r, 503, "out of memory\n");
        return;
    }
    if (!reply_headers_add(r, response, content_type)) {
        MHD_destroy_response(response); /* runs done */
        httpd_reply_text(r, 500, "the reply could not be built\n");
        return;
    }
    r->stream = s;
    *ret_stream = s; /* before the answer: it may be read and over before request_answer returns */
    if (!request_answer(r, response, status))
        *ret_stream = NULL;
}

void streams_close(struct httpd *h)
{
    pthread_mutex_lock(&h->lock);
    h->streams_closing = true;
    for (struct httpd_stream *s = h->streams; s; s = s->next) {
        pthread_mutex_lock(&s->mutex);
        s->closing = true;
        wake_locked(s);
        pthread_mutex_unlock(&s->mutex);
    }
    pthread_mutex_unlock(&h->lock);
}
