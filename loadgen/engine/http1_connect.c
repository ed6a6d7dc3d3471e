#include "loadgen/engine/http1_connect.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "loadgen/engine/curl_setup.h"

#define CONNECTIONS_MAX 1000000L /* never the reason for closing one */
#define IDLE_ATTEMPTS_MAX 64u    /* handles kept for the next connections: some 6 KB each */
#define RECEIVE_BYTES 1024L      /* libcurl's own buffer, which nothing is read into */

struct attempt {
    struct attempt *next; /* in the idle list */
    struct connector *connector;
    CURL *easy;
    CURLSH *share; /* TLS only */
    void *link;
    struct curl_lists lists;
    bool running; /* in the multi */
    const struct conn_certificate *certificate;
    int taken; /* the descriptor that libcurl must not close; -1: none */
    char error[CURL_ERROR_SIZE];
};
struct connector {
    CURLM *multi;
    int epoll;
    int64_t due_us; /* when libcurl wants its timer; -1: not */
    const char *ca_file;
    on_connected_fn on_connected;
    struct attempt *idle;
    size_t n_idle;
    bool touched; /* something may have come of it */
    struct certificate_list *certificates;
};

/* ---- callbacks of libcurl ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *connector, void *known)
{
    (void)easy;
    struct connector *k = connector;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(k->epoll, EPOLL_CTL_DEL, fd, NULL); /* may be closed already */
        return 0;
    }
    struct epoll_event event = {.data.u64 = CONNECTOR_MARK(fd)};
    if (what & CURL_POLL_IN)
        event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        event.events |= EPOLLOUT;
    int r = epoll_ctl(k->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (r < 0 && errno == ENOENT)
        r = epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &event);
    else if (r < 0 && errno == EEXIST)
        r = epoll_ctl(k->epoll, EPOLL_CTL_MOD, fd, &event);
    if (!known)
        curl_multi_assign(k->multi, fd, k);
    return r < 0 ? -1 : 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *connector)
{
    (void)multi;
    struct connector *k = connector;
    k->due_us = timeout_ms < 0 ? -1 : mono_us() + timeout_ms * 1000;
    return 0;
}

static int on_close(void *attempt, curl_socket_t fd)
{
    struct attempt *a = attempt;
    if (fd == a->taken)
        return 0;
    return close(fd);
}

/* The TLS session can be asked only while libcurl is at it. */
static int on_ready(void *attempt, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip;
    (void)own_ip;
    (void)port;
    (void)own_port;
    struct attempt *a = attempt;
    if (a->share)
        a->certificate = certificate_of(&a->connector->certificates, a->easy);
    return CURL_PREREQFUNC_OK;
}

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * n; /* a proxy's answer to CONNECT */
}

/* ---- attempts ---- */

#define SET(option, value)                                                                                             \
    do {                                                                                                               \
        if (curl_easy_setopt(easy, option, value) != CURLE_OK)                                                         \
            return -ENOMEM;                                                                                            \
    } while (0)

/* What stays the same for every connection of this handle. */
MUST_USE static int set_constants(struct attempt *a)
{
    CURL *easy = a->easy;
    SET(CURLOPT_PRIVATE, a);
    SET(CURLOPT_ERRORBUFFER, a->error);
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1); /* else ALPN gives HTTP/2 */
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(CURLOPT_CLOSESOCKETDATA, a);
    SET(CURLOPT_PREREQFUNCTION, on_ready);
    SET(CURLOPT_PREREQDATA, a);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_HEADERFUNCTION, on_data);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    return 0;
}

static void attempt_destroy(struct attempt *a)
{
    curl_easy_cleanup(a->easy);
    curl_share_cleanup(a->share);
    curl_lists_done(&a->lists);
    free(a);
}

MUST_USE static int attempt_take(struct connector *k, bool secure, struct attempt **ret)
{
    struct attempt *a = k->idle;
    if (a && !secure) {
        k->idle = a->next;
        k->n_idle--;
        *ret = a;
        return 0;
    }
    a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->connector = k;
    a->taken = -1;
    a->easy = curl_easy_init();
    int r = a->easy ? set_constants(a) : -ENOMEM;
    if (r == 0 && secure) {
        a->share = curl_share_init();
        if (!a->share || curl_share_setopt(a->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK ||
            curl_easy_setopt(a->easy, CURLOPT_SHARE, a->share) != CURLE_OK)
            r = -ENOMEM;
    }
    if (r < 0) {
        attempt_destroy(a);
        return r;
    }
    *ret = a;
    return 0;
}

void attempt_free(struct attempt *a)
{
    if (!a)
        return;
    struct connector *k = a->connector;
    if (a->running)
        curl_multi_remove_handle(k->multi, a->easy); /* closes the connection, unless it was taken */
    a->running = false;
    if (a->share || k->n_idle >= IDLE_ATTEMPTS_MAX) {
        attempt_destroy(a);
        return;
    }
    curl_easy_setopt(a->easy, CURLOPT_CONNECT_TO, NULL);
    curl_lists_done(&a->lists);
    a->taken = -1;
    a->link = NULL;
    a->next = k->idle;
    k->idle = a;
    k->n_idle++;
}

int connector_start(struct connector *k, const struct conn_request *q, bool secure, void *link, struct attempt **ret)
{
    struct attempt *a;
    int r = attempt_take(k, secure, &a);
    if (r < 0)
        return r;
    a->error[0] = '\0';
    a->link = link;
    if (curl_easy_setopt(a->easy, CURLOPT_URL, q->url) != CURLE_OK)
        r = -ENOMEM;
    if (r == 0)
        r = curl_set_way(a->easy, q, k->ca_file, &a->lists);
    if (r == 0 && curl_multi_add_handle(k->multi, a->easy) != CURLM_OK)
        r = -ENOMEM;
    if (r < 0) {
        attempt_free(a);
        return r;
    }
    a->running = true;
    k->touched = true;
    *ret = a;
    return 0;
}

/* ---- what came of it ---- */

static void read_phases(CURL *easy, struct connected *c)
{
    curl_off_t dns = 0, connect = 0, tls = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
    curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    c->dns_us = dns;
    c->connect_us = connect > dns ? connect - dns : 0;
    c->tls_us = tls > connect ? tls - connect : 0;
}

static void finish(struct connector *k, struct attempt *a, CURLcode code)
{
    struct connected c = {.error = curl_error_of(code), .fd = -1};
    curl_socket_t fd = CURL_SOCKET_BAD;
    const char *ip = NULL;
    c.error_text = c.error == CONN_OK ? "" : a->error[0] ? a->error : curl_easy_strerror(code);
    read_phases(a->easy, &c);
    if (curl_easy_getinfo(a->easy, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK && ip)
        snprintf(c.ip, sizeof c.ip, "%s", ip);
    if (c.error == CONN_OK && (curl_easy_getinfo(a->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0)) {
        c.error = CONN_CONNECT;
        c.error_text = "the connection was lost at once";
    }
    if (c.error == CONN_OK) {
        c.fd = fd;
        if (a->share) {
            c.easy = a->easy;
            c.certificate = a->certificate;
        } else {
            a->taken = fd;
        }
    }
    k->on_connected(a->link, &c); /* frees the attempt before it polls a descriptor, or keeps it for TLS */
}

int connector_timers(struct connector *k, int64_t now_us)
{
    int running;
    if (k->due_us >= 0 && k->due_us <= now_us) {
        k->due_us = -1;
        k->touched = true;
        if (curl_multi_socket_action(k->multi, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK)
            return -EIO;
    }
    if (!k->touched)
        return 0;
    k->touched = false;
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(k->multi, &left))) {
        struct attempt *a = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&a);
        finish(k, a, code);
    }
    return 0;
}

int connector_work(struct connector *k, int fd, uint32_t events)
{
    int running, mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    k->touched = true;
    return curl_multi_socket_action(k->multi, fd, mask, &running) == CURLM_OK ? 0 : -EIO;
}

int64_t connector_due_us(const struct connector *k)
{
    return k->touched ? 0 : k->due_us;
}

/* ---- life ---- */

int connector_new(int epoll, const char *ca_file, on_connected_fn on_connected, struct connector **ret)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    struct connector *k = calloc(1, sizeof *k);
    if (!k) {
        curl_global_cleanup();
        return -ENOMEM;
    }
    k->multi = curl_multi_init();
    if (!k->multi) {
        connector_free(k);
        return -ENOMEM;
    }
    k->epoll = epoll;
    k->ca_file = ca_file;
    k->due_us = -1;
    k->on_connected = on_connected;
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    *ret = k;
    return 0;
}

void connector_free(struct connector *k)
{
    if (!k)
        return;
    while (k->idle) {
        struct attempt *a = k->idle;
        k->idle = a->next;
        attempt_destroy(a);
    }
    if (k->multi)
        curl_multi_cleanup(k->multi);
    certificate_list_free(k->certificates);
    free(k);
    curl_global_cleanup();
}
