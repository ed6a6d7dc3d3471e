#include "loadgen/engine/curl_setup.h"

#include <errno.h>
#include <string.h>

#include "lib/base/buf.h"

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define ROUTE_TEXT_BYTES_MAX 4096u

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        CURLcode set_code = curl_easy_setopt(easy, option, value);                                                     \
        if (set_code != CURLE_OK)                                                                                      \
            return set_code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;                                                \
    } while (0)

/* libcurl's GnuTLS side reads the trusted certificates anew for every connection, even when it does not check, and Debian's default
 * is a folder of some 150 files: 60 ms of our own CPU each. One file is a tenth of that, a --ca-file of one certificate nothing. */
MUST_USE static int set_trust(CURL *easy, const struct conn_request *q, const char *ca_file)
{
    const char *file = q->route && q->route->ca_file ? q->route->ca_file : ca_file;
    if (!file && access(CA_BUNDLE, R_OK) == 0)
        file = CA_BUNDLE;
    if (q->insecure || file) {
        SET(CURLOPT_CAINFO, q->insecure ? NULL : file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_SSL_VERIFYPEER, q->insecure ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, q->insecure ? 0L : 2L);
    SET(CURLOPT_SSLCERT, q->route ? q->route->cert_file : NULL);
    SET(CURLOPT_SSLKEY, q->route ? q->route->key_file : NULL);
    SET(CURLOPT_KEYPASSWD, q->route ? q->route->key_password : NULL);
    SET(CURLOPT_PINNEDPUBLICKEY, q->route ? q->route->pinned_key : NULL);
    return 0;
}

MUST_USE static int append(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    if (!more)
        return -ENOMEM;
    *list = more;
    return 0;
}

/* "host:port:address" as connect-to: libcurl's own resolve list would stay in the cache that all requests share. Of several addresses the first. */
MUST_USE static int append_resolve(struct curl_slist **list, const char *text)
{
    struct span rest = span_str(text), host, port, address;
    if (span_starts(rest, SPAN("+")))
        rest = span_from(rest, 1); /* "for a while only": the difference is the cache's */
    if (span_starts(rest, SPAN("["))) {
        size_t end = span_find(rest, ']');
        host = span_of(rest.ptr, end < rest.len ? end + 1 : end);
        rest = span_from(rest, end + 2);
    } else if (!span_cut(&rest, ':', &host)) {
        return -EINVAL;
    }
    if (!span_cut(&rest, ':', &port) || !span_cut(&rest, ',', &address) || port.len == 0 || address.len == 0)
        return -EINVAL;
    if (span_equal(host, SPAN("*")))
        host = SPAN(""); /* connect-to's word for any */
    bool v6 = span_find(address, ':') < address.len && address.ptr[0] != '[';
    char line[ROUTE_TEXT_BYTES_MAX];
    int n = snprintf(line, sizeof line, SPAN_FMT ":" SPAN_FMT ":%s" SPAN_FMT "%s:" SPAN_FMT, SPAN_ARG(host),
                     SPAN_ARG(port), v6 ? "[" : "", SPAN_ARG(address), v6 ? "]" : "", SPAN_ARG(port));
    return n < 0 || (size_t)n >= sizeof line ? -EINVAL : append(list, line);
}

MUST_USE static int set_route(CURL *easy, const struct conn_route *route, struct curl_lists *lists)
{
    static const struct conn_route STRAIGHT = {0};
    const struct conn_route *w = route ? route : &STRAIGHT;
    for (size_t i = 0; i < w->n_connect_to; i++)
        if (append(&lists->connect_to, w->connect_to[i]) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < w->n_resolve; i++) {
        int r = append_resolve(&lists->connect_to, w->resolve[i]);
        if (r < 0)
            return r;
    }
    SET(CURLOPT_PROXY, w->proxy ? w->proxy : ""); /* the environment's proxy would be measured instead */
    SET(CURLOPT_NOPROXY, w->no_proxy ? w->no_proxy : "");
    SET(CURLOPT_CONNECT_TO, lists->connect_to);
    SET(CURLOPT_UNIX_SOCKET_PATH, w->unix_socket);
    return 0;
}

int curl_set_way(CURL *easy, const struct conn_request *q, const char *ca_file, struct curl_lists *ret)
{
    static const long FAMILY[] = {
        [CONN_FAMILY_ANY] = CURL_IPRESOLVE_WHATEVER,
        [CONN_FAMILY_4] = CURL_IPRESOLVE_V4,
        [CONN_FAMILY_6] = CURL_IPRESOLVE_V6,
    };
    *ret = (struct curl_lists){0};
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)q->connect_timeout_ms);
    SET(CURLOPT_IPRESOLVE, FAMILY[q->family]);
    int r = set_trust(easy, q, ca_file);
    if (r == 0)
        r = set_route(easy, q->route, ret);
    if (r < 0) {
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
        curl_lists_done(ret);
    }
    return r;
}

void curl_lists_done(struct curl_lists *l)
{
    curl_slist_free_all(l->connect_to);
    l->connect_to = NULL;
}

enum conn_error curl_error_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return CONN_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CONN_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return CONN_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return CONN_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_USE_SSL_FAILED:
        return CONN_TLS;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return CONN_RESET;
    default:
        return CONN_PROTOCOL;
    }
}
