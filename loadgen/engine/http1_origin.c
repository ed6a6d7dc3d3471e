#include "loadgen/engine/http1_origin.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/engine/content_decode.h"
#include "loadgen/hurl/base64.h"

#define ORIGIN_BYTES_MAX (256u << 10)
#define ORIGINS_KEPT_MAX 64u    /* beyond, those that nobody holds go: a crawl visits any number of hosts */
#define SMALL_BODY_BYTES 16384u /* rather copied than sent by a call of its own */

/* ---- what tells origins apart ---- */

/* "http://host:port" of a URL: where its path begins. */
static size_t prefix_bytes(const char *url)
{
    const char *slashes = strstr(url, "://");
    size_t scheme = slashes ? (size_t)(slashes - url) + 3 : 0;
    return scheme + strcspn(url + scheme, "/?#");
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

static bool same_route(const struct conn_route *a, const struct conn_route *b)
{
    static const struct conn_route STRAIGHT = {0};
    if (a == b)
        return true;
    a = a ? a : &STRAIGHT;
    b = b ? b : &STRAIGHT;
    return same_text(a->proxy, b->proxy) && same_text(a->no_proxy, b->no_proxy) &&
           same_text(a->unix_socket, b->unix_socket) && same_text(a->ca_file, b->ca_file) &&
           same_text(a->cert_file, b->cert_file) && same_text(a->key_file, b->key_file) &&
           same_text(a->key_password, b->key_password) && same_text(a->pinned_key, b->pinned_key) &&
           same_texts(a->resolve, a->n_resolve, b->resolve, b->n_resolve) &&
           same_texts(a->connect_to, a->n_connect_to, b->connect_to, b->n_connect_to);
}

bool http1_origin_serves(const struct http1_origin *o, const struct conn_request *q)
{
    if (strncmp(q->url, o->way.url, o->prefix_len) != 0)
        return false;
    char after = q->url[o->prefix_len];
    return (after == '/' || after == '\0' || after == '?' || after == '#') && o->way.insecure == q->insecure &&
           o->way.family == q->family && same_route(o->way.route, q->route);
}

/* ---- the table ---- */

static void origin_free(struct http1_origin *o)
{
    arena_done(&o->arena);
    free(o);
}

static const char *keep_text(struct arena *a, const char *text, bool *ok)
{
    const char *kept = text ? arena_dup(a, span_str(text)) : NULL;
    *ok &= !text || kept;
    return kept;
}

static const char *const *keep_texts(struct arena *a, const char *const *texts, size_t n, bool *ok)
{
    const char **kept = arena_array(a, n, sizeof *kept);
    *ok &= kept != NULL;
    for (size_t i = 0; *ok && i < n; i++)
        kept[i] = keep_text(a, texts[i], ok);
    return kept;
}

MUST_USE static int keep_way(struct http1_origin *o, const struct conn_request *q)
{
    struct arena *a = &o->arena;
    bool ok = true;
    o->prefix_len = prefix_bytes(q->url);
    o->way = (struct conn_request){
        .url = arena_dup(a, span_of(q->url, o->prefix_len)), .family = q->family, .insecure = q->insecure};
    ok &= o->way.url != NULL;
    if (q->route) {
        const struct conn_route *w = q->route;
        o->route = (struct conn_route){
            .proxy = keep_text(a, w->proxy, &ok),
            .no_proxy = keep_text(a, w->no_proxy, &ok),
            .resolve = keep_texts(a, w->resolve, w->n_resolve, &ok),
            .n_resolve = w->n_resolve,
            .connect_to = keep_texts(a, w->connect_to, w->n_connect_to, &ok),
            .n_connect_to = w->n_connect_to,
            .unix_socket = keep_text(a, w->unix_socket, &ok),
            .ca_file = keep_text(a, w->ca_file, &ok),
            .cert_file = keep_text(a, w->cert_file, &ok),
            .key_file = keep_text(a, w->key_file, &ok),
            .key_password = keep_text(a, w->key_password, &ok),
            .pinned_key = keep_text(a, w->pinned_key, &ok),
        };
        o->way.route = &o->route;
    }
    return ok ? 0 : -ENOMEM;
}

MUST_USE static int write_constants(struct http1_origin *o, const struct url *u)
{
    bool ok = true, v6 = span_find(u->host, ':') < u->host.len;
    struct buf b, plain;
    buf_init(&b, ORIGIN_BYTES_MAX);
    buf_init(&plain, ORIGIN_BYTES_MAX);
    buf_printf(&b, "Host: %s" SPAN_FMT "%s", v6 ? "[" : "", SPAN_ARG(u->host), v6 ? "]" : "");
    if (u->port != (o->secure ? 443 : 80))
        buf_printf(&b, ":%u", (unsigned)u->port);
    buf_str(&b, "\r\n");
    size_t host_line = b.len;
    buf_printf(&b, "User-Agent: %s\r\nAccept: */*\r\n", o->user_agent);
    o->fixed = arena_span(&o->arena, buf_view(&b), &ok);
    o->host_line = span_of(o->fixed.ptr, host_line);
    buf_clear(&b);
    if (u->user.ptr) {
        url_decode(&plain, u->user, false);
        buf_char(&plain, ':');
        url_decode(&plain, u->password, false);
        buf_str(&b, "Authorization: Basic ");
        base64_encode(&b, buf_view(&plain), false);
        buf_str(&b, "\r\n");
        o->authorization = arena_span(&o->arena, buf_view(&b), &ok);
    }
    ok &= !buf_error(&b) && !buf_error(&plain);
    buf_done(&b);
    buf_done(&plain);
    return ok ? 0 : -ENOMEM;
}

int http1_origin_get(struct http1_origins *table, const struct conn_request *q, const char *user_agent,
                     struct http1_origin **ret, const char **ret_why)
{
    struct url u;
    for (struct http1_origin *o = table->first; o; o = o->next)
        if (http1_origin_serves(o, q)) {
            o->holders++;
            *ret = o;
            return 0;
        }
    if (url_parse(&u, span_str(q->url), ret_why) < 0)
        return -EINVAL;
    struct http1_origin *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    arena_init(&o->arena, ORIGIN_BYTES_MAX);
    o->secure = span_equal_nocase(u.scheme, SPAN("https"));
    o->user_agent = user_agent;
    int r = keep_way(o, q);
    if (r == 0)
        r = write_constants(o, &u);
    if (r < 0) {
        origin_free(o);
        return r;
    }
    o->holders = 1;
    o->next = table->first;
    table->first = o;
    table->n++;
    *ret = o;
    return 0;
}

void http1_origin_drop(struct http1_origins *table, struct http1_origin *o)
{
    if (!o || --o->holders > 0 || table->n <= ORIGINS_KEPT_MAX)
        return;
    struct http1_origin **at = &table->first;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    table->n--;
    origin_free(o);
}

void http1_origins_free(struct http1_origins *table)
{
    while (table->first) {
        struct http1_origin *o = table->first;
        table->first = o->next;
        origin_free(o);
    }
    table->n = 0;
}

/* ---- a request ---- */

struct written { /* headers that the request brings itself */
    bool host, user_agent, accept, accept_encoding, content_length, authorization, chunked;
};

static void note_header(struct written *w, struct span name, struct span value)
{
    static const struct {
        struct span name;
        size_t flag;
    } KNOWN[] = {
        {SPAN_INIT("host"), offsetof(struct written, host)},
        {SPAN_INIT("accept"), offsetof(struct written, accept)},
        {SPAN_INIT("user-agent"), offsetof(struct written, user_agent)},
        {SPAN_INIT("authorization"), offsetof(struct written, authorization)},
        {SPAN_INIT("content-length"), offsetof(struct written, content_length)},
        {SPAN_INIT("accept-encoding"), offsetof(struct written, accept_encoding)},
        {SPAN_INIT("transfer-encoding"), offsetof(struct written, chunked)},
    };
    for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
        if (name.len == KNOWN[i].name.len && span_equal_nocase(name, KNOWN[i].name))
            *(bool *)((char *)w + KNOWN[i].flag) = true;
    if (w->chunked && name.len == 17 && !span_equal_nocase(span_trim(value), SPAN("chunked")))
        w->chunked = false;
}

static void write_target(const struct http1_origin *o, const struct conn_request *q, struct buf *out)
{
    struct span rest = span_str(q->url + o->prefix_len);
    rest.len = span_find(rest, '#');
    size_t path = span_find(rest, '?');
    if (path == 0)
        buf_char(out, '/');
    else if (q->path_as_is || !memchr(rest.ptr, '.', path) || span_search(span_of(rest.ptr, path), SPAN("/.")) == path)
        buf_span(out, span_of(rest.ptr, path));
    else
        url_squeeze_dots(out, span_of(rest.ptr, path));
    buf_span(out, span_from(rest, path));
}

MUST_USE static int write_headers(const struct conn_request *q, struct buf *out, struct written *ret)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        struct span line = span_str(q->headers[i]);
        size_t colon = span_find(line, ':');
        if (colon == line.len)
            return -EINVAL;
        note_header(ret, span_of(line.ptr, colon), span_from(line, colon + 1));
        while (line.ptr[line.len - 1] == ' ')
            line.len--;
        buf_span(out, line);
        buf_str(out, "\r\n");
    }
    return 0;
}

static bool wants_length(const char *method)
{
    return method[0] == 'P' &&
           (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0);
}

int http1_write_request(const struct http1_origin *o, const struct conn_request *q, struct buf *out,
                        struct span *ret_body)
{
    struct written own = {0};
    buf_str(out, q->method);
    buf_char(out, ' ');
    write_target(o, q, out);
    if (q->http == CONN_HTTP_10)
        buf_str(out, " HTTP/1.0\r\n");
    else
        buf_str(out, " HTTP/1.1\r\n");
    size_t before = out->len;
    buf_span(out, o->fixed);
    int r = write_headers(q, out, &own);
    if (r < 0)
        return r;
    if (own.host || own.user_agent || own.accept) { /* rare: written anew without what the request brings */
        out->len = before;
        if (!own.host)
            buf_span(out, o->host_line);
        if (!own.user_agent)
            buf_printf(out, "User-Agent: %s\r\n", o->user_agent);
        if (!own.accept)
            buf_str(out, "Accept: */*\r\n");
        r = write_headers(q, out, &own);
        if (r < 0)
            return r;
    }
    if (o->authorization.len && !own.authorization)
        buf_span(out, o->authorization);
    if (q->compressed && !own.accept_encoding)
        buf_str(out, "Accept-Encoding: " CONTENT_ACCEPTED "\r\n");
    if (!own.content_length && !own.chunked && (q->has_body || wants_length(q->method))) {
        buf_str(out, "Content-Length: ");
        buf_u64(out, q->body.len);
        buf_str(out, "\r\n");
    }
    buf_str(out, "\r\n");
    *ret_body = (struct span){0};
    if (own.chunked && q->has_body) {
        if (q->body.len)
            buf_printf(out, "%zx\r\n", q->body.len);
        buf_span(out, q->body);
        buf_str(out, q->body.len ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
    } else if (q->body.len <= SMALL_BODY_BYTES) {
        buf_span(out, q->body);
    } else {
        *ret_body = q->body;
    }
    return buf_error(out);
}
