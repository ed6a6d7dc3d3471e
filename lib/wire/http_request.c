/* The first half of http_transfer.h: a request becomes options of libcurl. */
#include <errno.h>
#include <sys/mman.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/wire/http_transfer.h"
#include "lib/wire/url.h"

#define DEFAULT_TIMEOUT_MS 30000
#define CREDENTIAL_BYTES_MAX (64u << 10) /* a password or token file; tokens of clouds reach 10 KB */
#define PEM_BYTES_MAX (1u << 20)

/* ---- certificates -----------------------------------------------------------------------------------------
 */

void pem_files_done(struct pem_files *pems)
{
    for (size_t i = 0; i < pems->n; i++) {
        close(pems->files[i].fd);
        explicit_bzero(pems->files[i].text, strlen(pems->files[i].text));
        free(pems->files[i].text);
    }
    pems->n = 0;
}

MUST_USE static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -errno;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

MUST_USE static int pem_path(struct pem_files *pems, const char *text, char *path, size_t path_bytes)
{
    size_t at = 0;
    while (at < pems->n && strcmp(pems->files[at].text, text) != 0)
        at++;
    if (at == pems->n) {
        size_t len = strlen(text);
        if (at == PEM_FILES_MAX || len > PEM_BYTES_MAX)
            return -ENOSPC;
        AUTO_CLOSE int fd = memfd_create("crest-pem", MFD_CLOEXEC);
        if (fd < 0)
            return -errno;
        int r = write_all(fd, text, len);
        if (r < 0)
            return r;
        char *copy = strdup(text);
        if (!copy)
            return -ENOMEM;
        pems->files[at] = (struct pem_file){copy, fd};
        pems->n++;
        fd = -1; /* the list's now */
    }
    snprintf(path, path_bytes, "/proc/self/fd/%d", pems->files[at].fd);
    return 0;
}

/* ---- headers and credentials
 * ----------------------------------------------------------------------------------------
 */

MUST_USE static int add_header(struct transfer *t, const char *line)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (!list)
        return -ENOMEM;
    t->headers = list;
    return 0;
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c))
            return false;
    }
    return text.len > 0;
}

MUST_USE static int add_headers(struct transfer *t, const struct http_request *q, bool has_body)
{
    bool has_content_type = false;
    for (size_t i = 0; q->headers && q->headers[i]; i++) {
        struct span line = span_str(q->headers[i]);
        size_t colon = span_find(line, ':');
        struct span name = span_of(line.ptr, colon);
        if (colon == line.len || !is_token(name) || strpbrk(line.ptr, "\r\n"))
            return transfer_fail(t, -EINVAL, "request header %zu is malformed", i + 1);
        has_content_type = has_content_type || span_equal_nocase(name, SPAN("content-type"));
        AUTO_FREE char *empty = NULL;
        if (span_trim(span_from(line, colon + 1)).len == 0) { /* "Name:" would mean "do not send" to libcurl */
            if (asprintf(&empty, SPAN_FMT ";", SPAN_ARG(name)) < 0) {
                empty = NULL;
                return -ENOMEM;
            }
        }
        int r = add_header(t, empty ? empty : line.ptr);
        if (r < 0)
            return r;
    }
    if (!has_body)
        return 0;
    int r = add_header(t, "Expect:"); /* never wait for 100 Continue */
    if (r == 0 && !has_content_type)
        r = add_header(t, "Content-Type:"); /* libcurl would claim a form */
    return r;
}

/* The file's text without surrounding blanks. */
MUST_USE static int read_secret(struct transfer *t, const char *what, const char *path, char **ret)
{
    char *text = NULL;
    size_t n = 0;
    int r = file_read(path, CREDENTIAL_BYTES_MAX, &text, &n);
    if (r < 0)
        return r == -ENOMEM ? r : transfer_fail(t, r, "cannot read %s file %s: %s", what, path, strerror(-r));
    struct span s = span_trim(span_of(text, n));
    if (memchr(text, '\0', n)) {
        explicit_bzero(text, n);
        free(text);
        return transfer_fail(t, -EINVAL, "%s file %s is not text", what, path);
    }
    memmove(text, s.ptr ? s.ptr : "", s.len);
    text[s.len] = '\0';
    *ret = text;
    return 0;
}

static void wipe_text(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
}
#define AUTO_WIPE __attribute__((cleanup(wipe_text)))

MUST_USE static int set_basic(struct transfer *t, const char *user, const char *password)
{
    return curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
                   curl_easy_setopt(t->easy, CURLOPT_USERNAME, user) == CURLE_OK &&
                   curl_easy_setopt(t->easy, CURLOPT_PASSWORD, password) == CURLE_OK
               ? 0
               : -ENOMEM;
}

MUST_USE static int add_token(struct transfer *t, const char *type, const char *token)
{
    if (token[0] == '\0' || strpbrk(token, "\r\n") || !is_token(span_str(type)))
        return transfer_fail(t, -EINVAL, "the token for the Authorization header is empty or not one line");
    AUTO_WIPE char *line = NULL;
    if (asprintf(&line, "Authorization: %s %s", type, token) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    return add_header(t, line);
}

/* A token has no colon (RFC 6750), so one line says which of the two it is. */
MUST_USE static int add_from_file(struct transfer *t, const char *path)
{
    AUTO_WIPE char *text = NULL;
    int r = read_secret(t, "credentials", path, &text);
    if (r < 0)
        return r;
    char *colon = strchr(text, ':');
    if (!colon || strpbrk(text, "\r\n"))
        return add_token(t, "Bearer", text);
    *colon = '\0';
    return set_basic(t, text, colon + 1);
}

MUST_USE static int add_authorization(struct transfer *t, const struct http_credentials *c)
{
    AUTO_WIPE char *from_file = NULL;
    if (c->auth_file)
        return add_from_file(t, c->auth_file);
    if (c->user || c->password || c->password_file) {
        AUTO_WIPE char *password = NULL;
        int r = c->password_file ? read_secret(t, "password", c->password_file, &password) : 0;
        if (r == 0)
            r = set_basic(t, c->user ? c->user : "", password ? password : c->password ? c->password : "");
        if (r < 0)
            return r;
    }
    if (!c->bearer && !c->bearer_file)
        return 0;
    int r = c->bearer_file ? read_secret(t, "token", c->bearer_file, &from_file) : 0;
    return r < 0 ? r
                 : add_token(t, c->authorization_type ? c->authorization_type : "Bearer",
                             from_file ? from_file : c->bearer);
}

/* One of a file's path or a PEM text to the option. */
MUST_USE static int set_pem(struct transfer *t, struct pem_files *pems, CURLoption option, const char *file,
                            const char *text)
{
    char path[64];
    if (!file && !text)
        return 0;
    if (text) {
        int r = pem_path(pems, text, path, sizeof path);
        if (r < 0)
            return r == -ENOMEM ? r : transfer_fail(t, r, "cannot keep a certificate in memory: %s", strerror(-r));
        file = path;
    }
    return curl_easy_setopt(t->easy, option, file) == CURLE_OK ? 0 : -ENOMEM;
}

MUST_USE static int set_tls(struct transfer *t, const struct http_credentials *c, struct pem_files *pems)
{
    CURLcode rc = curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* Debian's libcurl would also trust every CA below /etc/ssl/certs, whatever ca_file says */
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL);
    if (rc == CURLE_OK && c && c->insecure_skip_verify) {
        rc = curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 0L);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (rc != CURLE_OK)
        return -ENOMEM;
    int r = 0;
    if (c && (c->ca_file || c->ca_pem))
        r = set_pem(t, pems, CURLOPT_CAINFO, c->ca_file, c->ca_pem);
    else if (curl_easy_setopt(t->easy, CURLOPT_CAINFO, "/etc/ssl/certs/ca-certificates.crt") != CURLE_OK)
        r = -ENOMEM;
    if (r == 0 && c)
        r = set_pem(t, pems, CURLOPT_SSLCERT, c->cert_file, c->cert_pem);
    if (r == 0 && c)
        r = set_pem(t, pems, CURLOPT_SSLKEY, c->key_file, c->key_pem);
    return r;
}

/* libcurl takes the name for SNI and verification from the URL: so the URL gets server_name, CONNECT_TO leads
 * to the real host, and the Host header keeps it. */
MUST_USE static int set_server_name(struct transfer *t, const struct http_request *q, const struct url *u,
                                    char **ret_url)
{
    const char *name = q->credentials->server_name;
    struct url probe;
    AUTO_FREE char *text = NULL, *connect_to = NULL, *host = NULL;
    bool v6 = span_find(u->host, ':') < u->host.len;
    struct span rest = span_from(span_str(q->url), (size_t)(u->host.ptr + u->host.len - q->url));
    if (v6)
        rest = span_from(rest, 1);
    if (u->port_given) { /* behind the host comes ":port" */
        size_t at = 1;
        while (at < rest.len && rest.ptr[at] >= '0' && rest.ptr[at] <= '9')
            at++;
        rest = span_from(rest, at);
    }
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    const char *authority = strstr(q->url, "//") + 2;
    struct span userinfo = span_of(authority, (size_t)(u->host.ptr - authority) - v6); /* with its @ */
    if (asprintf(&text, "https://" SPAN_FMT "%s:%u" SPAN_FMT, SPAN_ARG(userinfo), name, u->port, SPAN_ARG(rest)) < 0)
        text = NULL;
    if (asprintf(&connect_to, "%s:%u:%s" SPAN_FMT "%s:%u", name, u->port, open, SPAN_ARG(u->host), close, u->port) < 0)
        connect_to = NULL;
    if (asprintf(&host, "Host: %s" SPAN_FMT "%s:%u", open, SPAN_ARG(u->host), close, u->port) < 0)
        host = NULL;
    if (!text || !connect_to || !host)
        return -ENOMEM;
    if (url_parse(&probe, span_str(text), NULL) < 0 || !span_equal(probe.host, span_str(name)))
        return transfer_fail(t, -EINVAL, "server_name is not a host name");
    if (!u->port_given)
        *strrchr(host, ':') = '\0';
    t->connect_to = curl_slist_append(NULL, connect_to);
    if (!t->connect_to || curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to) != CURLE_OK)
        return -ENOMEM;
    int r = add_header(t, host);
    if (r < 0)
        return r;
    *ret_url = text;
    text = NULL;
    return 0;
}

MUST_USE static int set_url(struct transfer *t, const struct http_request *q)
{
    struct url u;
    const char *why = NULL;
    if (url_parse(&u, span_str(q->url), &why) < 0)
        return transfer_fail(t, -EINVAL, "%s", why);
    bool v6 = span_find(u.host, ':') < u.host.len;
    snprintf(t->host_port, sizeof t->host_port, "%s" SPAN_FMT "%s:%u", v6 ? "[" : "",
             (int)(u.host.len < 100 ? u.host.len : 100), u.host.ptr, v6 ? "]" : "", u.port);
    t->is_https = span_equal_nocase(u.scheme, SPAN("https"));
    AUTO_FREE char *renamed = NULL;
    if (t->is_https && q->credentials && q->credentials->server_name && q->credentials->server_name[0] != '\0') {
        int r = set_server_name(t, q, &u, &renamed);
        if (r < 0)
            return r;
    }
    return curl_easy_setopt(t->easy, CURLOPT_URL, renamed ? renamed : q->url) == CURLE_OK ? 0 : -ENOMEM;
}

MUST_USE static int set_method(struct transfer *t, const struct http_request *q, bool *ret_has_body)
{
    const char *method = q->method ? q->method : q->body.len ? "POST" : "GET";
    if (!is_token(span_str(method)))
        return transfer_fail(t, -EINVAL, "the method is not a word");
    bool is_get = strcmp(method, "GET") == 0, is_post = strcmp(method, "POST") == 0;
    bool has_body = q->body.len > 0 || is_post || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    CURLcode rc = CURLE_OK;
    if (has_body) {
        t->body = malloc(q->body.len + 1);
        if (!t->body)
            return -ENOMEM;
        if (q->body.len)
            memcpy(t->body, q->body.ptr, q->body.len);
        rc = curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body);
        if (rc == CURLE_OK && !is_post)
            rc = curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "HEAD") == 0) {
        rc = curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    } else if (!is_get) {
        rc = curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
    }
    *ret_has_body = has_body;
    return rc == CURLE_OK ? 0 : -ENOMEM;
}

MUST_USE static int set_behaviour(struct transfer *t, const struct http_request *q)
{
    CURL *e = t->easy;
    t->on_data = q->on_data;
    t->on_data_ctx = q->on_data_ctx;
    t->timeout_ms = q->timeout_ms > 0 ? q->timeout_ms : DEFAULT_TIMEOUT_MS;
    t->connect_timeout_ms =
        q->connect_timeout_ms > 0 && q->connect_timeout_ms < t->timeout_ms ? q->connect_timeout_ms : t->timeout_ms;
    if (q->on_data && q->timeout_ms <= 0)
        t->timeout_ms = 0; /* libcurl: no end */
    t->through_proxy = q->proxy && q->proxy[0] != '\0';
    t->body_bytes_max = q->body_bytes_max ? q->body_bytes_max : BODY_BYTES_MAX;
    buf_init(&t->response.body, t->body_bytes_max);
    buf_init(&t->response.headers, HTTP_RESPONSE_HEADER_BYTES_MAX);
    CURLcode rc = CURLE_OK;
#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (rc == CURLE_OK)                                                                                            \
            rc = curl_easy_setopt(e, option, value);                                                                   \
    } while (0)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else giving up on a slow name server waits for its answer */
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_ERRORBUFFER, t->curl_error);
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_USERAGENT, "Crest");
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_WRITEFUNCTION, transfer_on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, transfer_on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_timeout_ms);
    SET(CURLOPT_PROXY, q->proxy ? q->proxy : ""); /* "" also turns the environment's proxies off */
    SET(CURLOPT_NOPROXY, "");
    if (q->unix_socket)
        SET(CURLOPT_UNIX_SOCKET_PATH, q->unix_socket);
    if (q->accept_encoding)
        SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    if (q->follow_redirects) {
        SET(CURLOPT_FOLLOWLOCATION, 1L);
        SET(CURLOPT_MAXREDIRS, (long)TRANSFER_REDIRECTS_MAX);
    }
    if (q->no_reuse) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
#undef SET
    return rc == CURLE_OK ? 0 : -ENOMEM;
}

int transfer_prepare(struct transfer *t, const struct http_request *request, struct pem_files *pems)
{
    bool has_body = false;
    int r = set_url(t, request);
    if (r == 0)
        r = set_method(t, request, &has_body);
    if (r == 0)
        r = add_headers(t, request, has_body);
    if (r == 0 && request->credentials)
        r = add_authorization(t, request->credentials);
    if (r == 0)
        r = set_tls(t, request->credentials, pems);
    if (r == 0)
        r = set_behaviour(t, request);
    return r;
}
