#include "lib/wire/http_transfer.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

/* ---- life -------------------------------------------------------------------------------------------------
 */

int transfer_new(struct transfer **ret)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->easy = curl_easy_init();
    if (!t->easy) {
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

void transfer_clear(struct transfer *t)
{
    curl_easy_reset(t->easy); /* before what it points to goes */
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->connect_to);
    free(t->body);
    http_response_done(&t->response);
    CURL *easy = t->easy;
    *t = (struct transfer){.easy = easy};
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    transfer_clear(t);
    curl_easy_cleanup(t->easy);
    free(t);
}

int transfer_fail(struct transfer *t, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(t->response.error_text, sizeof t->response.error_text, format, args);
    va_end(args);
    t->response.error = error;
    return error;
}

/* ---- what comes back --------------------------------------------------------------------------------------
 */

size_t transfer_on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    long status = 0;
    if (t->on_data && size * n > 0 && curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status / 100 == 2) {
        t->refused = !t->on_data(t->on_data_ctx, span_of(data, size * n));
        return t->refused ? 0 : size * n;
    }
    buf_bytes(&t->response.body, data, size * n);
    return buf_error(&t->response.body) ? 0 : size * n; /* 0 of n > 0 ends the transfer */
}

/* One call per line. Lines of earlier responses (redirects, 100 Continue) are dropped at the next status
 * line. */
size_t transfer_on_header(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    struct buf *out = &t->response.headers;
    struct span line = span_of(data, size * n);
    if (span_starts(line, SPAN("HTTP/"))) {
        buf_clear(out);
        return line.len;
    }
    bool folded = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    size_t colon = span_find(line, ':');
    struct span value = span_trim(folded ? line : span_from(line, colon + 1));
    if (folded && out->len > 0 && value.len > 0) {
        out->data[out->len - 1] = ' '; /* obsolete line folding: the value goes on */
    } else if (!folded && colon > 0 && colon < line.len) {
        for (size_t i = 0; i < colon; i++) {
            char c = line.ptr[i];
            buf_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        }
        buf_str(out, ": ");
    } else {
        return line.len;
    }
    for (size_t i = 0; i < value.len; i++) /* our lines end at \n only */
        buf_char(out, value.ptr[i] == '\r' || value.ptr[i] == '\n' ? ' ' : value.ptr[i]);
    buf_char(out, '\n');
    return buf_error(out) ? 0 : line.len;
}

/* ---- the end ----------------------------------------------------------------------------------------------
 */

static int64_t info_us(CURL *e, CURLINFO what)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(e, what, &us) == CURLE_OK ? (int64_t)us : 0;
}

static int time_out(struct transfer *t)
{
    const struct http_response *p = &t->response;
    char limit[NUMBER_TEXT_MAX];
    bool sent =
        info_us(t->easy, CURLINFO_PRETRANSFER_TIME_T) > 0; /* a connection that is used again has no times of its own */
    bool connecting = !sent && (p->connect_us == 0 || (t->is_https && p->tls_us == 0));
    format_duration_ms(limit, connecting ? t->connect_timeout_ms : t->timeout_ms);
    if (connecting && p->dns_us == 0)
        return transfer_fail(t, -ETIMEDOUT, "the name of %s was not resolved within %s", t->host_port, limit);
    if (connecting && p->connect_us == 0)
        return transfer_fail(t, -ETIMEDOUT, "no connection to %s within %s", t->host_port, limit);
    if (connecting)
        return transfer_fail(t, -ETIMEDOUT, "no TLS handshake with %s within %s", t->host_port, limit);
    if (p->status == 0)
        return transfer_fail(t, -ETIMEDOUT, "no response from %s within %s", t->host_port, limit);
    return transfer_fail(t, -ETIMEDOUT, "the response from %s was not complete within %s (%zu bytes of body came)",
                         t->host_port, limit, p->body.len);
}

static int no_connection(struct transfer *t)
{
    long os_error = 0;
    if (curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error) != CURLE_OK)
        os_error = 0;
    int error = -ECONNREFUSED;
    if (os_error == ETIMEDOUT)
        error = -ETIMEDOUT;
    else if (os_error == EHOSTUNREACH || os_error == ENETUNREACH)
        error = -EHOSTUNREACH;
    return transfer_fail(t, error, "cannot connect to %s: %s", t->through_proxy ? "the proxy" : t->host_port,
                         os_error ? strerror((int)os_error) : "connection failed");
}

static int body_failed(struct transfer *t)
{
    if (t->refused)
        return transfer_fail(t, -ECANCELED, "ended by the receiver");
    if (buf_error(&t->response.body) == -ENOSPC)
        return transfer_fail(t, -EFBIG, "the response body is over the limit of %zu bytes", t->body_bytes_max);
    if (buf_error(&t->response.headers) == -ENOSPC)
        return transfer_fail(t, -EPROTO, "the response headers are over the limit of %u bytes",
                             HTTP_RESPONSE_HEADER_BYTES_MAX);
    return transfer_fail(t, -ENOMEM, "out of memory");
}

/* libcurl's own sentences may quote URLs and proxies with their passwords: only those about TLS are passed
 * on. */
static void explain(struct transfer *t, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        break;
    case CURLE_OPERATION_TIMEDOUT:
        time_out(t);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        transfer_fail(t, -EHOSTUNREACH, "cannot resolve the name of %s", t->host_port);
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        transfer_fail(t, -EHOSTUNREACH, "cannot resolve the name of the proxy");
        break;
    case CURLE_COULDNT_CONNECT:
        no_connection(t);
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        if (t->response.status == 0)
            transfer_fail(t, -ECONNRESET, "%s closed the connection before it responded", t->host_port);
        else
            transfer_fail(t, -ECONNRESET, "%s closed the connection inside the response (%zu bytes of body came)",
                          t->host_port, t->response.body.len);
        break;
    case CURLE_WRITE_ERROR:
        body_failed(t);
        break;
    case CURLE_OUT_OF_MEMORY:
        transfer_fail(t, -ENOMEM, "out of memory");
        break;
    case CURLE_URL_MALFORMAT:
        transfer_fail(t, -EINVAL, "the URL is malformed");
        break;
    case CURLE_TOO_MANY_REDIRECTS:
        transfer_fail(t, -EPROTO, "more than %d redirects", TRANSFER_REDIRECTS_MAX);
        break;
    case CURLE_BAD_CONTENT_ENCODING:
        transfer_fail(t, -EPROTO, "the response's content encoding is unknown or broken");
        break;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or a redirect to another scheme */
        transfer_fail(t, -EPROTO, "%s does not answer in HTTP", t->host_port);
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        transfer_fail(t, -EPROTO, "TLS with %s: %s", t->host_port,
                      t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
        break;
    default:
        transfer_fail(t, -EPROTO, "%s", curl_easy_strerror(code));
    }
}

void transfer_finish(struct transfer *t, CURLcode code)
{
    struct http_response *p = &t->response;
    long status = 0, port = 0;
    const char *address = NULL;
    if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        p->status = (int)status;
    p->dns_us = info_us(t->easy, CURLINFO_NAMELOOKUP_TIME_T);
    p->connect_us = info_us(t->easy, CURLINFO_CONNECT_TIME_T);
    p->tls_us = info_us(t->easy, CURLINFO_APPCONNECT_TIME_T);
    p->first_byte_us = info_us(t->easy, CURLINFO_STARTTRANSFER_TIME_T);
    p->total_us = info_us(t->easy, CURLINFO_TOTAL_TIME_T);
    if (curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK && address && address[0] != '\0' &&
        curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_PORT, &port) == CURLE_OK)
        snprintf(p->peer, sizeof p->peer, strchr(address, ':') ? "[%s]:%ld" : "%s:%ld", address, port);
    explain(t, code);
}
