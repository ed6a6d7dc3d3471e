/* conn_curl.c - conn.h on curl_multi with socket_action and an epoll descriptor.
 *
 * libcurl 7.88.1's ways that this file works around (reference: its lib/url.c, multi.c, http.c):
 *  - looking for a connection to reuse walks all connections to that host: each user has a CURLSH of its own that holds only its
 *    connections, so the walk is over one or two, and no user takes another's;
 *  - curl_multi_perform touches every handle: only socket_action is used;
 *  - MAXCONNECTS counts handles and closes the oldest: set far above;
 *  - sigaction per call: NOSIGNAL; upload buffer of 64 KB per request: the smallest allowed;
 *  - its own waiting list for connection limits is slow: none is set, the scheduler has the cap. */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/conn_driver.h"
#include "loadgen/engine/content_decode.h"
#include "loadgen/engine/curl_setup.h"

#define EPOLL_EVENTS_MAX 256
#define HEADERS_BYTES_MAX (256u << 10) /* of one response; browsers give up at about as much */
#define CONNECTIONS_MAX 1000000L       /* never the reason for closing one */
#define UPLOAD_BYTES 16384L
#define RECEIVE_BYTES 16384L

struct curl_engine;
struct curl_conn;
struct transfer {
    struct transfer *next; /* in the idle list */
    CURL *easy;
    struct curl_conn *conn;
    struct curl_slist *headers;
    struct curl_lists lists;
    struct buf head, body, decoded;
    const struct conn_certificate *certificate;
    char error[CURL_ERROR_SIZE];
    int64_t sent_us;
    bool too_large, sets_cookies;
};
struct curl_conn {
    struct conn base;
    struct curl_engine *engine;
    void *user;
    CURLSH *share;
    struct transfer *transfer; /* in flight */
};
struct curl_engine {
    struct conn_engine base;
    struct conn_config config;
    CURLM *multi;
    int epoll;
    int64_t due_us; /* when libcurl wants its timer; -1: not */
    struct transfer *idle;
    size_t n_idle;
    struct certificate_list *certificates;
    bool no_pwait2; /* kernel older than 5.11 */
};

/* ---- callbacks of libcurl ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *engine, void *known)
{
    (void)easy;
    struct curl_engine *e = engine;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL); /* may be closed already */
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    int r = epoll_ctl(e->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (r < 0 && errno == ENOENT)
        r = epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &event);
    else if (r < 0 && errno == EEXIST)
        r = epoll_ctl(e->epoll, EPOLL_CTL_MOD, fd, &event);
    if (!known)
        curl_multi_assign(e->multi, fd, e);
    return r < 0 ? -1 : 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *engine)
{
    (void)multi;
    struct curl_engine *e = engine;
    e->due_us = timeout_ms < 0 ? -1 : mono_us() + timeout_ms * 1000;
    return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    struct span line = span_of(data, size * n);
    if (span_starts(line, SPAN("HTTP/"))) { /* of several responses (100, 103) the last counts */
        buf_clear(&t->head);
        t->certificate = certificate_of(&t->conn->engine->certificates, t->easy); /* it has its connection only now */
        return line.len;
    }
    if (span_trim(line).len == 0)
        return line.len;
    t->sets_cookies |= span_equal_nocase(span_of(line.ptr, span_find(line, ':')), SPAN("set-cookie"));
    buf_span(&t->head, line);
    if (buf_error(&t->head))
        t->too_large = true;
    return t->too_large ? 0 : line.len;
}

static size_t on_body(char *data, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    buf_bytes(&t->body, data, size * n);
    if (buf_error(&t->body))
        t->too_large = true;
    return t->too_large ? 0 : size * n;
}

/* ---- transfers ---- */

static void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    buf_done(&t->head);
    buf_done(&t->body);
    buf_done(&t->decoded);
    curl_lists_done(&t->lists);
    free(t);
}

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (curl_easy_setopt(easy, option, value) != CURLE_OK)                                                         \
            return -ENOMEM;                                                                                            \
    } while (0)

/* What stays the same for every request of this handle. */
MUST_USE static int set_constants(struct curl_engine *e, struct transfer *t)
{
    CURL *easy = t->easy;
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_USERAGENT, e->config.user_agent ? e->config.user_agent : "crest-loadgen");
    return 0;
}

MUST_USE static int transfer_take(struct curl_engine *e, struct transfer **ret)
{
    struct transfer *t = e->idle;
    if (t) {
        e->idle = t->next;
        e->n_idle--;
        *ret = t;
        return 0;
    }
    t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    buf_init(&t->head, HEADERS_BYTES_MAX);
    buf_init(&t->body, BODY_BYTES_MAX);
    buf_init(&t->decoded, BODY_BYTES_MAX);
    t->easy = curl_easy_init();
    int r = t->easy ? set_constants(e, t) : -ENOMEM;
    if (r < 0) {
        transfer_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

/* Out of the multi, off its user; kept for the next request. */
static void transfer_give_back(struct curl_engine *e, struct transfer *t)
{
    curl_multi_remove_handle(e->multi, t->easy);
    curl_easy_setopt(t->easy, CURLOPT_SHARE, NULL);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, NULL);
    curl_slist_free_all(t->headers);
    curl_lists_done(&t->lists);
    t->headers = NULL;
    t->conn = NULL;
    if (e->n_idle >= IDLE_TRANSFERS_MAX) {
        transfer_free(t);
        return;
    }
    buf_clear(&t->head);
    if (t->body.cap > RECEIVE_BYTES * 4)
        buf_done(&t->body); /* one large page must not stay in every handle */
    else
        buf_clear(&t->body);
    buf_done(&t->decoded);
    t->next = e->idle;
    e->idle = t;
    e->n_idle++;
}

MUST_USE static int add_header(struct transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (!more)
        return -ENOMEM;
    t->headers = more;
    return 0;
}

static bool has_header(const struct conn_request *q, struct span name)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        struct span line = span_str(q->headers[i]);
        if (span_equal_nocase(span_of(line.ptr, span_find(line, ':')), name))
            return true;
    }
    return false;
}

MUST_USE static int set_headers(struct transfer *t, const struct conn_request *q, bool sends_body)
{
    CURL *easy = t->easy;
    for (size_t i = 0; i < q->n_headers; i++) {
        struct span line = span_str(q->headers[i]);
        size_t colon = span_find(line, ':');
        if (span_trim(span_from(line, colon + 1)).len > 0) {
            if (add_header(t, q->headers[i]) < 0)
                return -ENOMEM;
            continue;
        }
        AUTO_FREE char *empty = span_dup(line); /* libcurl's way to send a header without value: "Name;" */
        if (!empty || colon == line.len)
            return -ENOMEM;
        empty[colon] = ';';
        empty[colon + 1] = '\0';
        if (add_header(t, empty) < 0)
            return -ENOMEM;
    }
    if (add_header(t, "Expect:") < 0)
        return -ENOMEM;
    if (sends_body && !has_header(q, SPAN("content-type")) && add_header(t, "Content-Type:") < 0)
        return -ENOMEM; /* libcurl would say it is a form */
    if (q->compressed && !has_header(q, SPAN("accept-encoding")) &&
        add_header(t, "Accept-Encoding: " CONTENT_ACCEPTED) < 0)
        return -ENOMEM;
    SET(CURLOPT_HTTPHEADER, t->headers);
    return 0;
}

MUST_USE static int set_method(struct transfer *t, const struct conn_request *q, bool *ret_sends_body)
{
    CURL *easy = t->easy;
    bool wants_length =
        strcmp(q->method, "POST") == 0 || strcmp(q->method, "PUT") == 0 || strcmp(q->method, "PATCH") == 0;
    *ret_sends_body = q->has_body || wants_length;
    SET(CURLOPT_HTTPGET, 1L); /* forgets the method before */
    if (*ret_sends_body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.len);
        SET(CURLOPT_POSTFIELDS, q->body.len ? q->body.ptr : "");
    } else if (strcmp(q->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    }
    SET(CURLOPT_CUSTOMREQUEST, q->method);
    return 0;
}

MUST_USE static int set_request(struct curl_conn *c, struct transfer *t, const struct conn_request *q)
{
    static const long HTTP[] = {
        [CONN_HTTP_ANY] = CURL_HTTP_VERSION_2TLS,
        [CONN_HTTP_10] = CURL_HTTP_VERSION_1_0,
        [CONN_HTTP_11] = CURL_HTTP_VERSION_1_1,
        [CONN_HTTP_2] = CURL_HTTP_VERSION_2_0,
    };
    CURL *easy = t->easy;
    bool sends_body;
    SET(CURLOPT_URL, q->url);
    if (set_method(t, q, &sends_body) < 0 || set_headers(t, q, sends_body) < 0)
        return -ENOMEM;
    SET(CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
    SET(CURLOPT_HTTP_VERSION, HTTP[q->http]);
    SET(CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)q->limit_rate);
    SET(CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)q->limit_rate);
    int r = curl_set_way(easy, q, c->engine->config.ca_file, &t->lists);
    if (r < 0)
        return r;
    SET(CURLOPT_PATH_AS_IS, q->path_as_is ? 1L : 0L);
    SET(CURLOPT_SHARE, c->share);
    return 0;
}

/* ---- what came of it ---- */

static int version_of(CURL *easy)
{
    long version = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    switch (version) {
    case CURL_HTTP_VERSION_1_0:
        return 10;
    case CURL_HTTP_VERSION_2_0:
        return 20;
    case CURL_HTTP_VERSION_3:
        return 30;
    default:
        return 11;
    }
}

static void read_phases(CURL *easy, struct conn_response *r)
{
    curl_off_t dns = 0, connect = 0, tls = 0, ready = 0, first = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
    if (r->fresh) {
        r->dns_us = dns;
        r->connect_us = connect > dns ? connect - dns : 0;
        r->tls_us = tls > connect ? tls - connect : 0;
    }
    r->first_byte_us = first > ready ? first - ready : 0;
}

static void finish(struct curl_engine *e, struct transfer *t, CURLcode code)
{
    struct curl_conn *c = t->conn;
    long status = 0, connects = 0;
    const char *ip = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &ip);
    char address[64] = "";
    if (ip)
        snprintf(address, sizeof address, "%s", ip); /* the handle's text goes with the handle */
    struct conn_response response = {
        .error = t->too_large ? CONN_TOO_LARGE : curl_error_of(code),
        .status = (int)status,
        .version = version_of(t->easy),
        .headers = buf_view(&t->head),
        .ip = address,
        .sent_us = t->sent_us,
        .done_us = mono_us(),
        .fresh = connects > 0,
        .sets_cookies = t->sets_cookies,
        .certificate = t->certificate,
    };
    read_phases(t->easy, &response);
    response.error_text = response.error == CONN_OK ? "" : t->error[0] ? t->error : curl_easy_strerror(code);
    if (response.error == CONN_TOO_LARGE)
        response.error_text = "the response is over the limit";
    response.raw = response.body = buf_view(&t->body);
    int r = response.error == CONN_OK ? content_of(response.headers, response.raw, &t->decoded, &response.body) : 0;
    response.undecoded = r > 0;
    if (r < 0) {
        response.error = r == -ENOSPC ? CONN_TOO_LARGE : CONN_PROTOCOL;
        response.error_text = CONTENT_BROKEN;
        response.raw = response.body = (struct span){0};
    }
    if (response.error != CONN_OK)
        response.status = 0;
    void *user = c->user;
    c->transfer = NULL; /* the callback may send again, or close */
    curl_multi_remove_handle(e->multi, t->easy);
    curl_easy_setopt(t->easy, CURLOPT_SHARE, NULL); /* a share that is held cannot be closed */
    e->config.on_response(user, &response);
    transfer_give_back(e, t);
}

/* ---- the driver ---- */

static void curl_engine_free(struct conn_engine *base)
{
    struct curl_engine *e = (struct curl_engine *)base;
    while (e->idle) {
        struct transfer *t = e->idle;
        e->idle = t->next;
        transfer_free(t);
    }
    if (e->multi)
        curl_multi_cleanup(e->multi);
    if (e->epoll >= 0)
        close(e->epoll);
    certificate_list_free(e->certificates);
    curl_global_cleanup();
    free(e);
}

static int curl_engine_new(const struct conn_config *config, struct conn_engine **ret)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    struct curl_engine *e = calloc(1, sizeof *e);
    if (!e) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    e->config = *config;
    e->due_us = -1;
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->multi = curl_multi_init();
    int r = e->epoll < 0 ? -errno : e->multi ? 0 : -ENOMEM;
    if (r < 0) {
        curl_engine_free(&e->base);
        return r;
    }
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
    curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    *ret = &e->base;
    return 0;
}

static int curl_engine_wait(struct conn_engine *base, int64_t timeout_us)
{
    struct curl_engine *e = (struct curl_engine *)base;
    struct epoll_event events[EPOLL_EVENTS_MAX];
    int running;
    if (e->due_us >= 0) {
        int64_t left = e->due_us - mono_us();
        timeout_us = left < timeout_us ? left : timeout_us;
    }
    int n = conn_driver_poll(e->epoll, &e->no_pwait2, events, EPOLL_EVENTS_MAX, timeout_us);
    if (n < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; i < n; i++) {
        int mask = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        if (curl_multi_socket_action(e->multi, events[i].data.fd, mask, &running) != CURLM_OK)
            return -EIO;
    }
    if (e->due_us >= 0 && e->due_us <= mono_us()) {
        e->due_us = -1;
        if (curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK)
            return -EIO;
    }
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(e->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(e, t, code);
    }
    return 0;
}

static int curl_conn_open(struct conn_engine *base, void *user, struct conn **ret)
{
    struct curl_conn *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->engine = (struct curl_engine *)base;
    c->user = user;
    c->share = curl_share_init();
    if (!c->share || curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK) {
        curl_share_cleanup(c->share);
        free(c);
        return -ENOMEM;
    }
    *ret = &c->base;
    return 0;
}

static int curl_conn_send(struct conn *base, const struct conn_request *request)
{
    struct curl_conn *c = (struct curl_conn *)base;
    struct curl_engine *e = c->engine;
    if (c->transfer)
        return -EBUSY;
    struct transfer *t;
    int r = transfer_take(e, &t);
    if (r < 0)
        return r;
    t->conn = c;
    t->error[0] = '\0';
    t->certificate = NULL;
    t->sets_cookies = false;
    t->too_large = false;
    r = set_request(c, t, request);
    t->sent_us = mono_us();
    if (r == 0 && curl_multi_add_handle(e->multi, t->easy) != CURLM_OK)
        r = -ENOMEM;
    if (r < 0) {
        transfer_give_back(e, t);
        return r;
    }
    c->transfer = t;
    return 0;
}

static void curl_conn_close(struct conn *base)
{
    struct curl_conn *c = (struct curl_conn *)base;
    if (c->transfer)
        transfer_give_back(c->engine, c->transfer);
    curl_share_cleanup(c->share); /* closes its connections */
    free(c);
}

static int curl_poll_fd(const struct conn_engine *e)
{
    return ((const struct curl_engine *)e)->epoll;
}

static int64_t curl_due_us(const struct conn_engine *e)
{
    return ((const struct curl_engine *)e)->due_us;
}

const struct conn_driver CONN_CURL = {
    .engine_new = curl_engine_new,
    .engine_free = curl_engine_free,
    .engine_wait = curl_engine_wait,
    .open = curl_conn_open,
    .send = curl_conn_send,
    .close = curl_conn_close,
    .poll_fd = curl_poll_fd,
    .due_us = curl_due_us,
};
