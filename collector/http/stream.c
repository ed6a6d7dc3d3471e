/* The live stream and the whole state (docs/stream.md): this file only carries bytes; live/ makes them. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/clock.h"

/* Nothing here is locked: a handler's stream is neither read nor over before the handler returns. */
static ssize_t stream_read(void *ctx, char *at, size_t max)
{
    return live_read(ctx, at, max);
}

static void stream_done(void *ctx)
{
    live_leave(ctx);
}

static void stream_wake(void *ctx)
{
    httpd_stream_wake(ctx);
}

static void refuse(struct httpd_request *r, int reason)
{
    httpd_reply_header(r, "Retry-After", "5");
    if (reason == LIVE_REFUSED_ADDRESS)
        httpd_reply_error(r, 503, "unavailable",
                          "too many streams from %s: close some, or raise --stream-clients-per-address", httpd_peer(r));
    else if (reason == LIVE_REFUSED_FULL)
        httpd_reply_error(r, 503, "unavailable", "too many streams: try again later, or raise --stream-clients");
    else
        httpd_reply_error(r, 503, "unavailable", "out of memory");
}

void on_stream(struct httpd_request *r, void *ctx)
{
    static const struct httpd_stream_ops OPS = {stream_read, stream_done};
    struct http_room *room = ctx;
    if (span_equal(httpd_method(r), SPAN("HEAD"))) {
        httpd_reply_header(r, "Cache-Control", "no-store");
        struct buf none;
        buf_init(&none, 0);
        httpd_reply(r, 200, "text/event-stream", &none);
        return;
    }
    struct span last = httpd_header(r, "Last-Event-ID");
    if (!last.len)
        last = httpd_param(r, "last");
    struct live_client *client;
    int refused = live_join(room->live, httpd_peer(r), last, &client);
    if (refused != 0) {
        refuse(r, refused);
        return;
    }
    httpd_reply_header(r, "Cache-Control", "no-store");
    httpd_reply_header(r, "X-Accel-Buffering", "no"); /* proxies pass each frame on at once */
    struct httpd_stream *stream;
    httpd_reply_stream(r, 200, "text/event-stream", &OPS, client, &stream);
    if (stream)
        live_on_wake(client, stream_wake, stream);
}

static void answer_state(void *ctx, struct span json, int error)
{
    struct httpd_request *r = ctx;
    if (error < 0) {
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_error(r, 503, "unavailable", "%s",
                          error == -ESHUTDOWN ? "the collector is stopping"
                          : error == -EAGAIN  ? "too many requests wait for the state"
                                              : "the state is too large to be sent");
        return;
    }
    struct buf out;
    buf_init(&out, json.len);
    buf_span(&out, json);
    httpd_reply_header(r, "Cache-Control", "no-store");
    httpd_reply(r, 200, "application/json", &out);
    buf_done(&out);
}

void on_state(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    httpd_defer(r);
    live_state(room->live, answer_state, r);
}
