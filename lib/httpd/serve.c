/* A request's way through the server: what libmicrohttpd calls for each. */
#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd_internal.h"

static enum MHD_Result queue_reply(struct httpd_request *r, struct MHD_Response *response, int status)
{
    r->sent_status = status;
    connection_phase(r->connection, r->stream && response == r->response ? PHASE_STREAM : PHASE_REPLY);
    return MHD_queue_response(r->mhd, (unsigned)status, response);
}

static enum MHD_Result queue_answer(struct httpd_request *r)
{
    if (!r->response) {
        if (atomic_load(&r->state) != REQUEST_RUNNING)
            return MHD_NO; /* no memory for an answer */
        httpd_reply_text(r, 500, "no answer\n");
        if (!r->response)
            return MHD_NO;
    }
    enum MHD_Result done = queue_reply(r, r->response, r->status);
    MHD_destroy_response(r->response); /* libmicrohttpd has its own reference */
    r->response = NULL;
    return done;
}

static enum MHD_Result queue_stopped(struct httpd_request *r)
{
    static char TEXT[] = "stopping\n";
    struct MHD_Response *response = MHD_create_response_from_buffer(sizeof TEXT - 1, TEXT, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, "Connection", "close");
    (void)MHD_add_response_header(response, "Retry-After", "1");
    enum MHD_Result done = queue_reply(r, response, 503);
    MHD_destroy_response(response);
    return done;
}

static void refuse_stopping(struct httpd_request *r)
{
    stats_refused(r->h, REFUSED_STOPPING, r->peer);
    r->close_after = true;
    httpd_reply_header(r, "Retry-After", "1");
    httpd_reply_text(r, 503, "stopping\n");
}

static void refuse_body(struct httpd_request *r)
{
    stats_refused(r->h, REFUSED_BODY_SIZE, r->peer);
    if (r->body_bytes_max)
        httpd_reply_text(r, 413, "the body is larger than %zu bytes\n", r->body_bytes_max);
    else
        httpd_reply_text(r, 413, SPAN_FMT " takes no body\n", SPAN_ARG(r->path));
}

/* What the headers say of the body: 0 none, its bytes, or UINT64_MAX for chunked. */
static uint64_t body_announced(const struct httpd_request *r)
{
    uint64_t n = 0;
    struct span length = httpd_header(r, "Content-Length");
    if (httpd_header(r, "Transfer-Encoding").ptr)
        return UINT64_MAX;
    if (length.ptr && parse_u64_span(span_trim(length), UINT64_MAX - 1, &n) < 0)
        return UINT64_MAX; /* libmicrohttpd refuses it */
    return n;
}

/* Everything that can be said before the body; answers the request when it is refused. The second half of the headers'
 * call: credentials may have been checked by another thread in between. */
static enum MHD_Result on_admission(struct httpd_request *r)
{
    uint64_t announced = body_announced(r);
    r->judged = true;
    if (r->response)
        ; /* refused already */
    else if (atomic_load(&r->h->stopping))
        refuse_stopping(r);
    else if (!guard_credentials(r) && route_find(r) && announced != UINT64_MAX && announced > r->body_bytes_max)
        refuse_body(r);
    if (r->response) {
        /* A small body is read, and thrown away, so that its sender gets the answer and may go on. Without a body the
         * answer waits for the next call too: after one at this point libmicrohttpd 0.9.75 forgets what is pipelined. */
        bool waits = httpd_header(r, "Expect").ptr != NULL;
        if (announced > HTTP_DRAIN_BYTES_MAX || waits) {
            (void)MHD_add_response_header(r->response, "Connection", "close");
            r->linger = true;
            return queue_answer(r);
        }
        r->drain = true;
    } else if (announced != UINT64_MAX && announced > 0) {
        r->body.max = r->body_bytes_max;
        (void)buf_reserve(&r->body, announced < 65536 ? (size_t)announced : 65536); /* an announcement costs nothing */
    }
    if (announced)
        connection_phase(r->connection, PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result on_headers(struct httpd_request *r, struct MHD_Connection *mhd, const char *method)
{
    r->mhd = mhd;
    int error = request_headers(r, mhd, method);
    connection_phase(r->connection, PHASE_HANDLER);
    if (error == -ENOMEM)
        httpd_reply_text(r, 500, "out of memory\n");
    else if (error < 0)
        httpd_reply_text(r, 400, "the path is not usable\n");
    else if (atomic_load(&r->h->stopping))
        refuse_stopping(r);
    else if (!guard_host(r) && !guard_origin(r) && !guard_certificate(r) && guard_wants_credentials(r) && auth_check(r))
        return MHD_YES; /* suspended; r is the auth thread's until serve_access is called again */
    return on_admission(r);
}

static enum MHD_Result on_body(struct httpd_request *r, const char *data, size_t n)
{
    atomic_fetch_add_explicit(&r->connection->body_bytes, n, memory_order_relaxed);
    if (!r->drain && r->body.len + n > r->body_bytes_max) { /* chunked, or a GET that said nothing of it */
        refuse_body(r);
        r->drain = true;
    } else if (!r->drain) {
        buf_bytes(&r->body, data, n);
        if (buf_error(&r->body)) {
            httpd_reply_text(r, 503, "out of memory\n");
            r->drain = true;
        }
    }
    if (r->drain) {
        buf_done(&r->body);
        r->drained_bytes += n;
        if (r->drained_bytes > HTTP_DRAIN_BYTES_MAX)
            return MHD_NO;
    }
    return MHD_YES;
}

static void run_handler(struct httpd_request *r)
{
    struct httpd *h = r->h;
    r->handled = true;
    connection_phase(r->connection, PHASE_HANDLER);
    int error = request_params(r);
    if (error < 0) {
        httpd_reply_text(r, error == -ENOMEM ? 500 : 400,
                         error == -ENOMEM ? "out of memory\n" : "more than %u parameters\n", HTTP_PARAMS_MAX);
        return;
    }
    /* httpd_stop sets stopping, then waits for this number: no handler defers after that. */
    atomic_fetch_add(&h->handlers_running, 1);
    if (atomic_load(&h->stopping))
        refuse_stopping(r);
    else
        r->route->handler(r, h->config.ctx);
    atomic_fetch_sub(&h->handlers_running, 1);
}

enum MHD_Result serve_access(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *data, size_t *data_len, void **request)
{
    (void)ctx, (void)url, (void)version;
    struct httpd_request *r = *request;
    if (!r)
        return MHD_NO; /* no memory when it began */
    if (!r->mhd)
        return on_headers(r, mhd, method);
    if (!r->judged)
        return on_admission(r);
    if (*data_len) {
        size_t n = *data_len;
        *data_len = 0;
        return on_body(r, data, n);
    }
    if (atomic_load(&r->state) == REQUEST_RUNNING && !r->response && !r->handled)
        run_handler(r);
    switch ((enum request_state)atomic_load(&r->state)) {
    case REQUEST_DEFERRED:
        return MHD_YES; /* suspended */
    case REQUEST_ABANDONED:
        return queue_stopped(r);
    case REQUEST_RUNNING:
    case REQUEST_ANSWERED:
        break;
    }
    return queue_answer(r);
}

void *serve_first_line(void *ctx, const char *target, struct MHD_Connection *mhd)
{
    struct httpd *h = ctx;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info ? info->socket_context : NULL;
    struct httpd_request *r = c ? request_new(h, c, target) : NULL;
    if (!r)
        return NULL;
    if (atomic_load_explicit(&c->phase, memory_order_relaxed) != PHASE_HEADERS)
        connection_phase(c, PHASE_HEADERS); /* else it counts from the accept */
    atomic_fetch_add(&h->in_flight, 1);
    return r;
}

void serve_completed(void *ctx, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode how)
{
    (void)mhd;
    struct httpd *h = ctx;
    struct httpd_request *r = *request;
    *request = NULL;
    if (!r)
        return;
    struct connection *c = r->connection;
    if (r->sent_status)
        stats_answered(h, r->stats_at, r->sent_status, r->stream ? -1 : mono_us() - r->started_us);
    else if (!atomic_load(&c->cut)) /* else the sweeper has counted it */
        stats_refused(h, !r->mhd && how == MHD_REQUEST_TERMINATED_COMPLETED_OK ? REFUSED_MALFORMED : REFUSED_ABORTED,
                      r->peer);
    if (r->linger && r->sent_status && !atomic_load(&c->cut))
        linger_add(h, c->fd);
    atomic_fetch_add_explicit(&c->turn, 1, memory_order_relaxed);
    connection_phase(c, PHASE_IDLE);
    request_unref(r);
    atomic_fetch_sub(&h->in_flight, 1);
}
