/* Who may ask: Host (DNS rebinding), Origin (a page elsewhere), credentials. */
#include <arpa/inet.h>
#include <gnutls/gnutls.h>

#include "lib/httpd/httpd_internal.h"
#include "lib/wire/url.h"

/* The host of "host", "host:port", "[v6]:port"; a rooted name loses its dot. */
static struct span host_of(struct span authority)
{
    struct span host = authority;
    if (host.len && host.ptr[0] == '[') {
        size_t close = span_find(host, ']');
        return span_of(host.ptr + 1, close > 0 ? close - 1 : 0);
    }
    host.len = span_find(host, ':');
    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    return host;
}

static bool host_is_listed(const struct httpd *h, struct span host)
{
    for (const char *const *name = h->config.allowed_hosts; name && *name; name++)
        if (span_equal_nocase(host, host_of(span_str(*name))))
            return true;
    return false;
}

/* The address at which this client reached us, for a server that listens on all of them. */
static bool host_is_local_address(const struct httpd_request *r, struct span host)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    char text[INET6_ADDRSTRLEN];
    if (getsockname(r->fd, (struct sockaddr *)&local, &len) < 0)
        return false;
    address_text((const struct sockaddr *)&local, text, sizeof text);
    return span_equal_nocase(host, span_str(text));
}

bool guard_host(struct httpd_request *r)
{
    const struct httpd *h = r->h;
    size_t seen = 0;
    for (size_t i = 0; i < r->headers_n; i++)
        seen += span_equal_nocase(r->headers[i].name, SPAN("Host"));
    if (seen == 0) /* HTTP/1.0; libmicrohttpd refuses it in HTTP/1.1. Browsers always send it. */
        return false;
    struct span host = host_of(httpd_header(r, "Host"));
    if (seen == 1) {
        if (url_host_is_loopback(host) || host_is_listed(h, host))
            return false;
        if (h->address.wildcard ? host_is_local_address(r, host) : span_equal_nocase(host, span_str(h->address.host)))
            return false;
    }
    stats_refused(r->h, REFUSED_HOST, r->peer);
    httpd_reply_text(r, 403,
                     "Host '" SPAN_FMT
                     "' is not one of this server's names: use the address it listens on, or list the "
                     "name in its configuration (external_url)\n",
                     SPAN_ARG(host));
    return true;
}

bool guard_origin(struct httpd_request *r)
{
    if (span_equal(r->method, SPAN("GET")) || span_equal(r->method, SPAN("HEAD")))
        return false;
    struct span origin = httpd_header(r, "Origin");
    if (!origin.ptr)
        return false;
    size_t slashes = span_search(origin, SPAN("://"));
    if (slashes < origin.len) {
        struct span authority = span_from(origin, slashes + 3);
        /* Browsers leave the default port out of both, so the texts can be compared. */
        if (span_equal_nocase(authority, httpd_header(r, "Host")) || host_is_listed(r->h, host_of(authority)))
            return false;
    }
    stats_refused(r->h, REFUSED_ORIGIN, r->peer);
    httpd_reply_text(r, 403, "a page of '" SPAN_FMT "' may not change anything here\n", SPAN_ARG(origin));
    return true;
}

static bool certificate_is_valid(struct httpd_request *r)
{
    struct connection *c = r->connection;
    if (!c->certificate_checked) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        unsigned problems = 1;
        c->certificate_checked =
            info && gnutls_certificate_verify_peers2(info->tls_session, &problems) == GNUTLS_E_SUCCESS && problems == 0;
    }
    return c->certificate_checked;
}

/* Liveness is told to everybody: a probe has no password. */
static bool is_open(const struct httpd_request *r)
{
    return !r->web || span_equal(r->path, SPAN("/-/healthy"));
}

bool guard_certificate(struct httpd_request *r)
{
    if (is_open(r) || !web_config_requires_client_certificate(r->web) || certificate_is_valid(r))
        return false;
    stats_refused(r->h, REFUSED_CREDENTIALS, r->peer);
    httpd_reply_text(r, 403, "a client certificate of this server's authority is needed\n");
    return true;
}

bool guard_wants_credentials(const struct httpd_request *r)
{
    return web_config_wants_auth(r->web) && !is_open(r);
}

bool guard_credentials(struct httpd_request *r)
{
    if (r->auth == AUTH_RIGHT || !guard_wants_credentials(r))
        return false;
    if (r->auth == AUTH_BUSY) {
        stats_refused(r->h, REFUSED_AUTH_BUSY, r->peer);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_text(r, 503, "too many credentials wait to be checked\n");
        return true;
    }
    stats_refused(r->h, REFUSED_CREDENTIALS, r->peer);
    httpd_reply_header(r, "WWW-Authenticate", "Basic realm=\"crest\", charset=\"UTF-8\"");
    httpd_reply_header(r, "WWW-Authenticate", "Bearer");
    httpd_reply_text(r, 401, "credentials are needed\n");
    return true;
}
