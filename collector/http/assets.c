/* The web app: the page under every view's address, its files under /web/VERSION/. */
#include "collector/http/assets.h"

#include <errno.h>
#include <string.h>

#define ZLIB_CONST /* our input is constant */
#include <zlib.h>

#include "collector/http/api.h"
#include "lib/base/limits.h"
#include "lib/wire/url.h"

#define ASSET_BYTES_MAX ((size_t)1 << 20) /* the largest file is uPlot with 50 KB */

/* Nothing from elsewhere, no inline code or style, no HTML made from text. data: is the empty icon. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "              \
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types "  \
    "'none'"

static const struct asset *asset_named(struct span name)
{
    for (const struct asset *a = ASSETS; a->name; a++)
        if (span_equal(name, span_str(a->name)))
            return a;
    return NULL;
}

MUST_USE static int append_plain(struct buf *body, const struct asset *a)
{
    z_stream z = {0};
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return -ENOMEM;
    unsigned char part[8192];
    int r;
    z.next_in = a->gzip;
    z.avail_in = (uInt)a->gzip_bytes;
    do {
        z.next_out = part;
        z.avail_out = sizeof part;
        r = inflate(&z, Z_NO_FLUSH);
        buf_bytes(body, (const char *)part, sizeof part - z.avail_out);
    } while (r == Z_OK);
    inflateEnd(&z);
    return r == Z_STREAM_END ? 0 : -EBADMSG;
}

/* Does If-None-Match name this tag? Weak and strong are the same question for a GET (RFC 9110, 13.1.2). */
static bool is_known(struct httpd_request *r, const char *etag)
{
    struct span list = httpd_header(r, "If-None-Match"), one;
    while (span_cut(&list, ',', &one)) {
        one = span_trim(one);
        if (span_starts(one, SPAN("W/")))
            one = span_from(one, 2);
        if (span_equal(one, span_str(etag)) || span_equal(one, SPAN("*")))
            return true;
    }
    return false;
}

static void send_asset(struct httpd_request *r, const struct asset *a, const char *cache)
{
    httpd_reply_header(r, "Cache-Control", cache);
    httpd_reply_header(r, "ETag", a->etag);
    httpd_reply_header(r, "Content-Security-Policy", POLICY);
    httpd_reply_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    httpd_reply_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    if (is_known(r, a->etag)) {
        httpd_reply_header(r, "Vary", "Accept-Encoding");
        httpd_reply_empty(r, 304);
        return;
    }
    struct buf body;
    buf_init(&body, ASSET_BYTES_MAX);
    if (httpd_accepts_gzip(r)) {
        httpd_reply_header(r, "Vary", "Accept-Encoding");
        httpd_reply_header(r, "Content-Encoding", "gzip");
        buf_bytes(&body, (const char *)a->gzip, a->gzip_bytes);
    } else if (append_plain(&body, a) < 0) {
        buf_done(&body);
        httpd_reply_text(r, 500, "%s could not be unpacked\n", a->name);
        return;
    }
    httpd_reply(r, 200, a->content_type, &body);
}

void on_page(struct httpd_request *r, void *ctx UNUSED)
{
    send_asset(r, asset_named(SPAN("index.html")), "no-cache");
}

void on_asset(struct httpd_request *r, void *ctx UNUSED)
{
    const struct asset *a = asset_named(httpd_segment(r, "*"));
    /* Another version's file would not fit to the page that asks: it reads the 404 as "load me anew". */
    if (!a || !span_equal(httpd_segment(r, "version"), span_str(ASSETS_VERSION)) ||
        strcmp(a->name, "index.html") == 0) {
        httpd_reply_text(r, 404, "no such file in this version of the page\n");
        return;
    }
    send_asset(r, a, "public, max-age=31536000, immutable");
}

/* Links in alerts are Prometheus's, because their readers expect those: /graph?g0.expr=…&g0.tab=1. */
void on_graph(struct httpd_request *r, void *ctx UNUSED)
{
    struct span query = httpd_param(r, "g0.expr");
    struct buf location;
    buf_init(&location, 3 * (size_t)QUERY_TEXT_BYTES_MAX + 64);
    buf_str(&location, "/explore");
    if (query.len) {
        buf_str(&location, "?q=");
        url_encode(&location, query);
    }
    char *text = buf_error(&location) ? NULL : buf_take(&location, NULL);
    buf_done(&location);
    if (!text) {
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    httpd_reply_header(r, "Location", text);
    httpd_reply_empty(r, 302);
    free(text);
}
