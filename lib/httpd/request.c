/* A request: its memory, headers, parameters, and what handlers ask of it. */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/httpd/httpd_internal.h"
#include "lib/wire/url.h"

/* ---- life ---- */
struct httpd_request *request_new(struct httpd *h, struct connection *c, const char *target)
{
    struct httpd_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->h = h;
    r->connection = c;
    r->fd = c->fd;
    memcpy(r->peer, c->peer, sizeof r->peer);
    r->web = httpd_web_config(h);
    r->started_us = mono_us();
    r->stats_at = h->routes_n;
    atomic_init(&r->state, REQUEST_RUNNING);
    atomic_init(&r->refs, 1);
    arena_init(&r->arena, BODY_BYTES_MAX);
    buf_init(&r->body, BODY_BYTES_MAX);
    r->reply_headers_end = &r->reply_headers;
    bool ok = true;
    r->target = arena_span(&r->arena, span_str(target), &ok); /* libmicrohttpd's own copy gets decoded in place */
    if (!ok) {
        request_unref(r);
        return NULL;
    }
    return r;
}

void request_unref(struct httpd_request *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    if (r->response)
        MHD_destroy_response(r->response);
    buf_done(&r->body);
    arena_done(&r->arena);
    web_config_free(r->web);
    free(r);
}

/* ---- headers ---- */
struct header_walk {
    struct httpd_request *r;
    size_t room;
    bool ok;
};

static enum MHD_Result copy_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    (void)kind;
    struct header_walk *walk = ctx;
    struct httpd_request *r = walk->r;
    if (r->headers_n == walk->room)
        return MHD_NO;
    struct pair *p = &r->headers[r->headers_n++];
    p->name = arena_span(&r->arena, span_of(name, name_len), &walk->ok);
    p->value = arena_span(&r->arena, span_of(value ? value : "", value ? value_len : 0), &walk->ok);
    if (!p->value.ptr)
        p->value = SPAN(""); /* there, but empty */
    return MHD_YES;
}

/* Copies: a deferred request may outlive its connection. */
int request_headers(struct httpd_request *r, struct MHD_Connection *mhd, const char *method)
{
    struct header_walk walk = {.r = r, .ok = true};
    int n = MHD_get_connection_values(mhd, MHD_HEADER_KIND, NULL, NULL);
    walk.room = n > 0 ? (size_t)n : 0;
    r->headers = arena_array(&r->arena, walk.room, sizeof *r->headers);
    r->method = arena_span(&r->arena, span_str(method), &walk.ok);
    if (!r->headers)
        return -ENOMEM;
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, copy_header, &walk);
    struct span rest = r->target;
    size_t mark = span_find(rest, '?');
    r->query = span_from(rest, mark + 1);
    struct span raw_path = span_of(rest.ptr, mark);
    if (raw_path.len == 0 || raw_path.ptr[0] != '/')
        return -EINVAL;
    struct buf decoded;
    buf_init(&decoded, HTTP_MEMORY_PER_CONNECTION);
    url_decode(&decoded, raw_path, false);
    walk.ok = walk.ok && !buf_error(&decoded);
    r->path = arena_span(&r->arena, buf_view(&decoded), &walk.ok);
    buf_done(&decoded);
    if (!walk.ok)
        return -ENOMEM;
    return memchr(r->path.ptr, '\0', r->path.len) ? -EINVAL : 0;
}

struct span httpd_header(const struct httpd_request *r, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < r->headers_n; i++)
        if (span_equal_nocase(r->headers[i].name, wanted))
            return r->headers[i].value;
    return span_of(NULL, 0);
}

struct span httpd_cookie(const struct httpd_request *r, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < r->headers_n; i++) {
        if (!span_equal_nocase(r->headers[i].name, SPAN("Cookie")))
            continue;
        struct span rest = r->headers[i].value, one;
        while (span_cut(&rest, ';', &one)) {
            size_t equals = span_find(one, '=');
            if (equals == one.len || !span_equal(span_trim(span_of(one.ptr, equals)), wanted))
                continue;
            struct span value = span_trim(span_from(one, equals + 1));
            if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
                value = span_of(value.ptr + 1, value.len - 2);
            return value.ptr ? value : SPAN("");
        }
    }
    return span_of(NULL, 0);
}

/* ---- parameters ---- */
bool request_is_form(const struct httpd_request *r)
{
    struct span type = httpd_header(r, "Content-Type");
    type.len = span_find(type, ';');
    return span_equal(r->method, SPAN("POST")) &&
           span_equal_nocase(span_trim(type), SPAN("application/x-www-form-urlencoded"));
}

static size_t count_params(struct span text)
{
    size_t n = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '&';
    return n;
}

static struct span decode(struct httpd_request *r, struct span raw, struct buf *scratch, bool *ok)
{
    if (raw.len == 0)
        return SPAN("");
    if (span_find(raw, '%') == raw.len && span_find(raw, '+') == raw.len)
        return raw;
    buf_clear(scratch);
    url_decode(scratch, raw, true);
    *ok = *ok && !buf_error(scratch);
    return arena_span(&r->arena, buf_view(scratch), ok);
}

int request_params(struct httpd_request *r)
{
    struct span texts[2] = {span_of(NULL, 0), r->query};
    r->form = request_is_form(r);
    if (r->form)
        texts[0] = buf_view(&r->body);
    size_t n = count_params(texts[0]) + count_params(texts[1]);
    if (n > HTTP_PARAMS_MAX)
        return -EINVAL;
    r->params = arena_array(&r->arena, n, sizeof *r->params);
    if (!r->params)
        return -ENOMEM;
    bool ok = true;
    struct buf scratch;
    buf_init(&scratch, BODY_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct span one;
        while (ok && span_cut(&texts[i], '&', &one)) {
            if (one.len == 0)
                continue;
            size_t equals = span_find(one, '=');
            r->params[r->params_n++] = (struct pair){decode(r, span_of(one.ptr, equals), &scratch, &ok),
                                                     decode(r, span_from(one, equals + 1), &scratch, &ok)};
        }
    }
    buf_done(&scratch);
    return ok ? 0 : -ENOMEM;
}

bool httpd_param_index(const struct httpd_request *r, size_t i, struct span *ret_name, struct span *ret_value)
{
    if (i >= r->params_n)
        return false;
    *ret_name = r->params[i].name;
    *ret_value = r->params[i].value;
    return true;
}

bool httpd_param_at(const struct httpd_request *r, const char *name, size_t i, struct span *ret)
{
    struct span wanted = span_str(name);
    for (size_t k = 0; k < r->params_n; k++) {
        if (!span_equal(r->params[k].name, wanted))
            continue;
        if (i-- == 0) {
            *ret = r->params[k].value;
            return true;
        }
    }
    return false;
}

struct span httpd_param(const struct httpd_request *r, const char *name)
{
    struct span value = {NULL, 0};
    (void)httpd_param_at(r, name, 0, &value);
    return value;
}

/* ---- the rest ---- */
struct span httpd_method(const struct httpd_request *r)
{
    return r->method;
}

struct span httpd_path(const struct httpd_request *r)
{
    return r->path;
}

size_t httpd_route_index(const struct httpd_request *r)
{
    return (size_t)(r->route - r->h->table);
}

struct span httpd_segment(const struct httpd_request *r, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < r->segments_n; i++)
        if (span_equal(r->segments[i].name, wanted))
            return r->segments[i].value;
    return span_of(NULL, 0);
}

struct span httpd_body(const struct httpd_request *r)
{
    return buf_view(&r->body);
}

char *httpd_body_take(struct httpd_request *r, size_t *ret_len)
{
    if (!r->form)
        return buf_take(&r->body, ret_len);
    if (ret_len) /* the parameters stay readable */
        *ret_len = r->body.len;
    return span_dup(buf_view(&r->body));
}

const char *httpd_peer(const struct httpd_request *r)
{
    return r->peer;
}

const char *httpd_user(const struct httpd_request *r)
{
    return r->user;
}

int64_t httpd_started_us(const struct httpd_request *r)
{
    return r->started_us;
}

struct arena *httpd_arena(struct httpd_request *r)
{
    return &r->arena;
}

/* ---- later ---- */
void httpd_defer(struct httpd_request *r)
{
    struct httpd *h = r->h;
    assert(atomic_load(&r->state) == REQUEST_RUNNING && !r->response);
    atomic_store(&r->refs, 2);
    pthread_mutex_lock(&h->lock);
    r->prev = NULL;
    r->next = h->deferred;
    if (r->next)
        r->next->prev = r;
    h->deferred = r;
    h->deferred_n++;
    pthread_mutex_unlock(&h->lock);
    MHD_suspend_connection(r->mhd); /* before anybody can answer, so that the answer's resume finds it */
    atomic_store(&r->state, REQUEST_DEFERRED);
}

bool httpd_is_gone(struct httpd_request *r)
{
    if (atomic_load(&r->state) != REQUEST_DEFERRED)
        return true;
    /* Not a peek: bytes of a next request, or TLS's own goodbye, may stand before the end. */
    struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}
