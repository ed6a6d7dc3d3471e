/* Answers: building them, compressing them, and bringing them to the thread that sends. */
#include <assert.h>
#include <stdarg.h>
#include <zlib.h>

#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd_internal.h"
#include "lib/wire/json.h"

#define ERROR_TEXT_BYTES_MAX 65536u

/* ---- headers ---- */
void httpd_reply_header(struct httpd_request *r, const char *name, const char *value)
{
    struct reply_header *header = arena_alloc(&r->arena, sizeof *header);
    if (!header)
        return; /* without memory the reply itself fails too */
    header->name = arena_dup(&r->arena, span_str(name));
    header->value = arena_dup(&r->arena, span_str(value));
    if (!header->name || !header->value)
        return;
    *r->reply_headers_end = header;
    r->reply_headers_end = &header->next;
}

static bool header_given(const struct httpd_request *r, const char *name)
{
    for (const struct reply_header *header = r->reply_headers; header; header = header->next)
        if (span_equal_nocase(span_str(header->name), span_str(name)))
            return true;
    return false;
}

static bool add_default(struct httpd_request *r, struct MHD_Response *response, const char *name, const char *value)
{
    return header_given(r, name) || MHD_add_response_header(response, name, value) == MHD_YES;
}

bool reply_headers_add(struct httpd_request *r, struct MHD_Response *response, const char *content_type)
{
    bool ok = true;
    for (const struct reply_header *header = r->reply_headers; ok && header; header = header->next)
        ok = MHD_add_response_header(response, header->name, header->value) == MHD_YES; /* refuses line breaks */
    if (content_type) {
        ok = ok && add_default(r, response, "Content-Type", content_type);
        if (strncmp(content_type, "text/html", 9) == 0)
            /* not no-referrer: with it browsers send "Origin: null" from our own forms, and guard_origin
             * refuses them */
            ok = ok && add_default(r, response, "Referrer-Policy", "same-origin") &&
                 add_default(r, response, "X-Frame-Options", "DENY");
    }
    ok = ok && add_default(r, response, "X-Content-Type-Options", "nosniff");
    if (r->close_after)
        ok = ok && add_default(r, response, "Connection", "close");
    return ok;
}

/* ---- gzip ---- */
/* Accept-Encoding: is gzip (or "*") named with a weight above 0? An own entry counts before "*". */
static bool accepts_gzip(struct span header)
{
    bool any = false;
    struct span one;
    while (span_cut(&header, ',', &one)) {
        struct span params = one, name;
        (void)span_cut(&params, ';', &name);
        double weight = 1;
        struct span param;
        while (span_cut(&params, ';', &param)) {
            param = span_trim(param);
            if (param.len > 2 && (param.ptr[0] == 'q' || param.ptr[0] == 'Q') && param.ptr[1] == '=' &&
                parse_f64_span(span_from(param, 2), &weight) < 0)
                weight = 0;
        }
        name = span_trim(name);
        if (span_equal_nocase(name, SPAN("gzip")) || span_equal_nocase(name, SPAN("x-gzip")))
            return weight > 0;
        if (span_equal(name, SPAN("*")))
            any = weight > 0;
    }
    return any;
}

bool httpd_accepts_gzip(const struct httpd_request *r)
{
    return accepts_gzip(httpd_header(r, "Accept-Encoding"));
}

static bool compressible(const char *content_type)
{
    static const char *const TYPES[] = {"text/",
                                        "application/json",
                                        "application/javascript",
                                        "application/openmetrics-text",
                                        "application/yaml",
                                        "application/xml",
                                        "application/x-ndjson",
                                        "image/svg+xml"};
    for (size_t i = 0; content_type && i < ARRAY_LEN(TYPES); i++)
        if (strncmp(content_type, TYPES[i], strlen(TYPES[i])) == 0)
            return true;
    return false;
}

/* The compressed bytes from malloc, or NULL when there is no gain (or no memory: then it goes out as it is).
 */
static char *gzip(const char *data, size_t len, size_t *ret_len)
{
    z_stream z = {0};
    if (len > UINT32_MAX / 2 || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    size_t room = len - len / 16; /* less than that is no gain */
    char *out = malloc(room);
    if (out) {
        z.next_in = (Bytef *)(uintptr_t)data; /* zlib does not write to it */
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)out;
        z.avail_out = (uInt)room;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            *ret_len = room - z.avail_out;
        } else {
            free(out);
            out = NULL;
        }
    }
    (void)deflateEnd(&z);
    return out;
}

/* ---- replies ---- */
static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* A response of `len` bytes at data (from malloc, taken). NULL without memory or with a header that cannot be
 * sent. */
static struct MHD_Response *make_response(struct httpd_request *r, const char *content_type, char *data, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, data, data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response) {
        free(data);
        return NULL;
    }
    if (!reply_headers_add(r, response, content_type)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

static struct MHD_Response *make_failure(struct httpd_request *r)
{
    unsigned long hidden;
    if (log_allow("http reply could not be built", 60000, &hidden))
        log_error("http reply could not be built", "path", SPAN_FMT, SPAN_ARG(r->path), "repeated", "%lu", hidden);
    static char TEXT[] = "the reply could not be built\n";
    return MHD_create_response_from_buffer(sizeof TEXT - 1, TEXT, MHD_RESPMEM_PERSISTENT);
}

void httpd_reply(struct httpd_request *r, int status, const char *content_type, struct buf *body)
{
    int failed = body->error;
    size_t len = 0, small_len = 0;
    bool keep = !failed && has_body(status) && body->len > 0;
    char *data = keep ? buf_take(body, &len) : NULL;
    buf_done(body);
    buf_clear(body);
    struct MHD_Response *response = NULL;
    if (!failed && (!keep || data)) {
        if (len >= HTTP_GZIP_BYTES_MIN && compressible(content_type) && !header_given(r, "Content-Encoding")) {
            httpd_reply_header(r, "Vary", "Accept-Encoding");
            char *small = httpd_accepts_gzip(r) ? gzip(data, len, &small_len) : NULL;
            if (small) {
                free(data);
                data = small;
                len = small_len;
                httpd_reply_header(r, "Content-Encoding", "gzip");
            }
        }
        response = make_response(r, content_type, data, len);
    }
    if (!response) {
        status = 500;
        response = make_failure(r);
    }
    (void)request_answer(r, response, status);
}

static void reply_text(struct httpd_request *r, int status, const char *format, va_list args)
{
    struct buf body;
    buf_init(&body, ERROR_TEXT_BYTES_MAX);
    buf_vprintf(&body, format, args);
    httpd_reply(r, status, "text/plain; charset=utf-8", &body);
    buf_done(&body);
}

void httpd_reply_text(struct httpd_request *r, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_text(r, status, format, args);
    va_end(args);
}

void httpd_reply_empty(struct httpd_request *r, int status)
{
    struct buf body;
    buf_init(&body, 1);
    httpd_reply(r, status, NULL, &body);
}

void httpd_reply_error(struct httpd_request *r, int status, const char *error_type, const char *format, ...)
{
    struct buf words, body;
    buf_init(&words, ERROR_TEXT_BYTES_MAX);
    buf_init(&body, ERROR_TEXT_BYTES_MAX * 8);
    va_list args;
    va_start(args, format);
    buf_vprintf(&words, format, args);
    va_end(args);
    struct json_writer j;
    jw_init(&j, &body);
    jw_object(&j);
    jw_key(&j, "status");
    jw_str(&j, "error");
    jw_key(&j, "errorType");
    jw_str(&j, error_type);
    jw_key(&j, "error");
    jw_text(&j, buf_view(&words));
    jw_end(&j);
    buf_done(&words);
    httpd_reply(r, status, "application/json", &body);
    buf_done(&body);
}

/* ---- the hand-over ---- */
bool request_answer(struct httpd_request *r, struct MHD_Response *response, int status)
{
    struct httpd *h = r->h;
    bool running = atomic_load(&r->state) == REQUEST_RUNNING; /* the pool thread's own: it queues what it finds */
    assert(!running || !r->response);                         /* a second answer */
    if (!running || !r->response) {
        r->response = response;
        r->status = status;
    } else if (response) {
        MHD_destroy_response(response);
        return false;
    }
    if (running) {
        if (r->stream)
            stream_link(h, r->stream);
        return true;
    }
    int deferred = REQUEST_DEFERRED;
    if (!atomic_compare_exchange_strong(&r->state, &deferred, REQUEST_ANSWERED)) {
        assert(deferred == REQUEST_ABANDONED); /* the server has stopped meanwhile: h may be gone */
        r->response = NULL;
        if (response)
            MHD_destroy_response(response);
        request_unref(r);
        return false;
    }
    if (r->stream)
        stream_link(h, r->stream);
    pthread_mutex_lock(&h->lock);
    if (r->prev)
        r->prev->next = r->next;
    else
        h->deferred = r->next;
    if (r->next)
        r->next->prev = r->prev;
    pthread_mutex_unlock(&h->lock);
    MHD_resume_connection(r->mhd);
    pthread_mutex_lock(&h->lock); /* httpd_stop waits for this: until here h and its daemon are in use */
    h->deferred_n--;
    pthread_cond_broadcast(&h->deferred_changed);
    pthread_mutex_unlock(&h->lock);
    request_unref(r);
    return true;
}
