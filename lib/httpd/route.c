/* The route table: which entry answers a path, and what its {names} stand for. */
#include <errno.h>

#include "lib/base/character.h"
#include "lib/httpd/httpd_internal.h"
#include "lib/wire/url.h"

/* ---- the table ---- */
/* A path without names wins over one with names, which wins over one that ends in "*"; among those the longer
 * prefix. */
size_t route_rank(const char *path)
{
    size_t len = strlen(path);
    bool star = len && path[len - 1] == '*';
    return star ? len : strchr(path, '{') ? 1u << 20 : 2u << 20;
}

int routes_check(const struct httpd_route *routes, size_t *ret_n, char *why, size_t why_bytes)
{
    size_t n = 0;
    for (; routes[n].path; n++) {
        const struct httpd_route *route = &routes[n];
        size_t names = 0;
        for (const char *p = route->path; *p; p++)
            names += *p == '{' || *p == '*';
        if (route->path[0] != '/' || !route->method || !route->handler || names > HTTP_SEGMENTS_MAX) {
            (void)snprintf(why, why_bytes, "route '%s' is not usable", route->path);
            return -EINVAL;
        }
    }
    *ret_n = n;
    return 0;
}

/* ---- matching ---- */
/* The next byte of a raw path, escapes decoded; an encoded '/' is no separator and matches no literal. */
static int next_byte(struct span raw, size_t *at)
{
    char c = raw.ptr[(*at)++];
    if (c == '%' && *at + 2 <= raw.len && hex_digit_value(raw.ptr[*at]) >= 0 &&
        hex_digit_value(raw.ptr[*at + 1]) >= 0) {
        int v = hex_digit_value(raw.ptr[*at]) * 16 + hex_digit_value(raw.ptr[*at + 1]);
        *at += 2;
        return v == '/' ? -1 : v;
    }
    return (unsigned char)c;
}

/* Does the pattern match? The raw values of its names go to found[], which has room for them all. */
static bool match(const char *pattern, struct span raw, struct pair *found, size_t *found_n)
{
    size_t at = 0;
    *found_n = 0;
    for (const char *p = pattern; *p;) {
        if (*p == '*' && p[1] == '\0') {
            found[(*found_n)++] = (struct pair){span_of(p, 1), span_of(raw.ptr + at, raw.len - at)};
            return true;
        }
        if (*p == '{') {
            size_t name = strcspn(p, "}");
            struct span value = span_of(raw.ptr + at, raw.len - at);
            value.len = span_find(value, '/');
            if (value.len == 0)
                return false;
            found[(*found_n)++] = (struct pair){span_of(p + 1, name - 1), value};
            at += value.len;
            p += p[name] ? name + 1 : name;
            continue;
        }
        if (at >= raw.len || next_byte(raw, &at) != (unsigned char)*p)
            return false;
        p++;
    }
    return at == raw.len;
}

static bool method_in(const char *list, struct span method)
{
    struct span rest = span_str(list), one;
    while (span_cut(&rest, '|', &one))
        if (span_equal(one, method) || (span_equal(one, SPAN("GET")) && span_equal(method, SPAN("HEAD"))))
            return true;
    return false;
}

static void add_allow(struct buf *allow, struct span method)
{
    struct span rest = buf_view(allow), one;
    while (span_cut(&rest, ',', &one))
        if (span_equal(span_trim(one), method))
            return;
    buf_str(allow, allow->len ? ", " : "");
    buf_span(allow, method);
    if (span_equal(method, SPAN("GET")))
        buf_str(allow, ", HEAD");
}

static void answer_405(struct httpd_request *r, struct span raw_path, size_t rank)
{
    struct buf allow;
    buf_init(&allow, 256);
    for (const struct httpd_route *route = r->h->config.routes; route->path; route++) {
        struct pair found[HTTP_SEGMENTS_MAX];
        size_t n;
        if (r->h->routes[route - r->h->config.routes].rank != rank || !match(route->path, raw_path, found, &n))
            continue;
        struct span rest = span_str(route->method), one;
        while (span_cut(&rest, '|', &one))
            add_allow(&allow, one);
    }
    if (!buf_error(&allow) && allow.data)
        httpd_reply_header(r, "Allow", allow.data);
    httpd_reply_text(r, 405, SPAN_FMT " is not for " SPAN_FMT ", only for %s\n", SPAN_ARG(r->method), SPAN_ARG(r->path),
                     allow.data ? allow.data : "others");
    buf_done(&allow);
}

static bool decode_segments(struct httpd_request *r, const struct pair *found, size_t n)
{
    bool ok = true;
    struct buf decoded;
    buf_init(&decoded, HTTP_MEMORY_PER_CONNECTION);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&decoded);
        url_decode(&decoded, found[i].value, false);
        ok = ok && !buf_error(&decoded);
        r->segments[i] = (struct pair){found[i].name, arena_span(&r->arena, buf_view(&decoded), &ok)};
    }
    r->segments_n = n;
    buf_done(&decoded);
    return ok;
}

bool route_find(struct httpd_request *r)
{
    struct span raw_path = span_of(r->target.ptr, span_find(r->target, '?'));
    const struct httpd_route *routes = r->h->config.routes, *best = NULL;
    size_t best_rank = 0;
    struct pair best_found[HTTP_SEGMENTS_MAX];
    size_t best_n = 0;
    bool method_fits = false;
    for (const struct httpd_route *route = routes; route->path; route++) {
        struct pair found[HTTP_SEGMENTS_MAX];
        size_t n, rank = r->h->routes[route - routes].rank;
        if (rank < best_rank || !match(route->path, raw_path, found, &n))
            continue;
        bool fits = method_in(route->method, r->method);
        if (rank == best_rank && (method_fits || !fits))
            continue;
        best = route;
        best_rank = rank;
        method_fits = fits;
        best_n = n;
        memcpy(best_found, found, sizeof found[0] * n);
    }
    if (!best) {
        httpd_reply_text(r, 404, "no such path: " SPAN_FMT "\n", SPAN_ARG(r->path));
        return false;
    }
    if (!method_fits) {
        answer_405(r, raw_path, best_rank);
        return false;
    }
    if (!decode_segments(r, best_found, best_n)) {
        httpd_reply_text(r, 500, "out of memory\n");
        return false;
    }
    r->route = best;
    r->stats_at = r->h->routes[best - routes].stats_at;
    r->body_bytes_max = best->body_bytes_max;
    if (r->body_bytes_max == 0 && request_is_form(r))
        r->body_bytes_max = API_BODY_BYTES_MAX;
    return true;
}
