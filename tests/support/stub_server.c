#include "tests/support/stub_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/wire/json.h"

#define PATHS_MAX 64u
#define CONNECTIONS_MAX 512u
#define HEAD_BYTES_MAX 8192u

struct path {
    char *name, *body;
    struct stub_page page;
    bool has_page;
    size_t requests;
    char head[HEAD_BYTES_MAX];
};
struct connection {
    struct stub_server *server;
    int fd;
    struct thread *thread;
};
struct stub_server {
    int listen_fd;
    uint16_t port;
    char url[64];
    stub_handler handler;
    void *ctx;
    atomic_bool stopping;
    struct thread *thread;
    pthread_mutex_t lock;
    struct path *paths[PATHS_MAX];
    size_t n_paths;
    struct connection connections[CONNECTIONS_MAX];
    size_t n_connections;
};

struct span stub_header(struct span head, const char *name)
{
    struct span line, key;
    while (span_cut(&head, '\n', &line))
        if (span_cut(&line, ':', &key) && span_equal_nocase(key, span_str(name)))
            return span_trim(line);
    return (struct span){NULL, 0};
}

/* A whole request at the start of `in`; *ret_bytes: how much of it to consume. False at the end of the connection. */
static bool read_request(struct connection *c, struct buf *in, struct stub_request *ret, size_t *ret_bytes)
{
    for (;;) {
        struct span all = buf_view(in), line;
        size_t head = span_search(all, SPAN("\r\n\r\n"));
        if (head < all.len) {
            uint64_t length = 0;
            struct span rest = span_of(all.ptr, head + 2);
            if (!span_cut(&rest, '\n', &line) || !span_cut(&line, ' ', &ret->method) ||
                !span_cut(&line, ' ', &ret->path))
                return false;
            ret->head = rest;
            struct span given = stub_header(rest, "content-length");
            if (given.len && parse_u64_span(given, 1 << 28, &length) < 0)
                return false;
            if (all.len >= head + 4 + length) {
                ret->body = span_of(all.ptr + head + 4, length);
                *ret_bytes = head + 4 + length;
                return true;
            }
        }
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        if (poll(&fd, 1, 100) < 0 || atomic_load(&c->server->stopping))
            return false;
        if (!fd.revents)
            continue;
        char *to = buf_reserve(in, 65536);
        ssize_t n = to ? read(c->fd, to, 65536) : -1;
        if (n <= 0)
            return false;
        buf_grew(in, (size_t)n);
    }
}

static struct path *path_of(struct stub_server *s, struct span name)
{
    for (size_t i = 0; i < s->n_paths; i++)
        if (span_equal(span_str(s->paths[i]->name), name))
            return s->paths[i];
    struct path *p = s->n_paths < PATHS_MAX ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    p->name = span_dup(name);
    s->paths[s->n_paths++] = p;
    return p;
}

static char *copy(const void *bytes, size_t n)
{
    char *to = malloc(n + 1);
    if (to) {
        if (n)
            memcpy(to, bytes, n);
        to[n] = 0;
    }
    return to;
}

/* What the request gets; texts are copied, since a test may replace the page meanwhile. */
static void look_up(struct stub_server *s, const struct stub_request *r, struct stub_page *page)
{
    pthread_mutex_lock(&s->lock);
    struct path *p = path_of(s, r->path);
    bool known = p && p->has_page;
    *page = (struct stub_page){.status = 404};
    if (p) {
        p->requests++;
        snprintf(p->head, sizeof p->head, SPAN_FMT, SPAN_ARG(r->head));
    }
    if (known) {
        *page = p->page;
        page->owned = copy(p->body, p->page.body_bytes);
        page->body = page->owned;
    }
    pthread_mutex_unlock(&s->lock);
    if (!known && s->handler) {
        *page = (struct stub_page){0};
        s->handler(s->ctx, r, page);
        if (page->owned)
            page->body = page->owned;
    }
    if (!page->status)
        page->status = 200;
    if (page->body && !page->body_bytes && !known)
        page->body_bytes = strlen(page->body);
}

static bool write_all(struct connection *c, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t w = send(c->fd, bytes, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

static bool pause_ms(struct connection *c, int64_t ms)
{
    for (int64_t end = mono_us() + ms * 1000; mono_us() < end && !atomic_load(&c->server->stopping);)
        sleep_us(2000);
    return !atomic_load(&c->server->stopping);
}

/* False: the connection is over. */
static bool answer(struct connection *c, const struct stub_page *page)
{
    if (page->status == -2)
        while (pause_ms(c, 50)) {
            char byte;
            if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
                return false; /* the client has given up */
        }
    if (page->status < 0 || (page->delay_ms && !pause_ms(c, page->delay_ms)))
        return false;
    struct buf head;
    buf_init(&head, 65536);
    size_t n = page->status == 204 || page->status == 304 ? 0 : page->body_bytes; /* these have none */
    buf_printf(&head, "HTTP/1.1 %d X\r\n", page->status);
    if (!page->open_ended)
        buf_printf(&head, "Content-Length: %zu\r\n", n);
    if (page->content_type)
        buf_printf(&head, "Content-Type: %s\r\n", page->content_type);
    buf_printf(&head, "%s\r\n", page->headers ? page->headers : "");
    bool ok = write_all(c, head.data, head.len);
    buf_done(&head);
    size_t piece = page->drip_bytes ? page->drip_bytes : n;
    for (size_t at = 0; ok && at < n; at += piece) {
        size_t left = n - at;
        ok = write_all(c, page->body + at, left < piece ? left : piece);
        if (ok && page->drip_bytes)
            ok = pause_ms(c, 50);
    }
    for (char byte; page->open_ended && ok;)
        ok = pause_ms(c, 20) && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
    return ok;
}

static void connection_main(void *arg)
{
    struct connection *c = arg;
    struct stub_request request;
    struct buf in;
    size_t bytes;
    bool open = true;
    buf_init(&in, 64 << 20);
    while (open && read_request(c, &in, &request, &bytes)) {
        struct stub_page page;
        look_up(c->server, &request, &page);
        open = answer(c, &page);
        free(page.owned);
        buf_consume(&in, bytes);
    }
    buf_done(&in);
    shutdown(c->fd, SHUT_RDWR);
}

static void accept_main(void *arg)
{
    struct stub_server *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd fd = {.fd = s->listen_fd, .events = POLLIN};
        if (poll(&fd, 1, 50) <= 0)
            continue;
        int client = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        (void)!setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* head and body are two writes */
        struct connection *c = &s->connections[s->n_connections];
        if (s->n_connections < CONNECTIONS_MAX) {
            *c = (struct connection){.server = s, .fd = client};
            if (thread_start("stub", connection_main, c, &c->thread) == 0) {
                s->n_connections++;
                continue;
            }
        }
        close(client);
    }
}

int stub_server_start(uint16_t port, stub_handler handler, void *ctx, struct stub_server **ret)
{
    struct stub_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->handler = handler;
    s->ctx = ctx;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int r = 0;
    if (s->listen_fd < 0 || setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(s->listen_fd, 128) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&address, &bytes) < 0)
        r = -errno;
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", (unsigned)s->port);
    if (r == 0)
        r = thread_start("stub-accept", accept_main, s, &s->thread);
    if (r < 0)
        stub_server_stop(s);
    else
        *ret = s;
    return r;
}

void stub_server_stop(struct stub_server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    thread_join(s->thread);
    for (size_t i = 0; i < s->n_connections; i++) {
        shutdown(s->connections[i].fd, SHUT_RDWR); /* wakes a writer whose client does not read */
        thread_join(s->connections[i].thread);
        close(s->connections[i].fd);
    }
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    for (size_t i = 0; i < s->n_paths; i++) {
        free(s->paths[i]->name);
        free(s->paths[i]->body);
        free(s->paths[i]);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint16_t stub_server_port(const struct stub_server *s)
{
    return s->port;
}

const char *stub_server_url(const struct stub_server *s)
{
    return s->url;
}

const char *stub_server_address(const struct stub_server *s)
{
    return s->url + strlen("http://");
}

void stub_server_page(struct stub_server *s, const char *path, const struct stub_page *page)
{
    pthread_mutex_lock(&s->lock);
    struct path *p = path_of(s, span_str(path));
    if (p) {
        size_t n = page->body_bytes ? page->body_bytes : page->body ? strlen(page->body) : 0;
        free(p->body);
        p->body = copy(page->body, n);
        p->page = *page;
        p->page.body_bytes = n;
        p->has_page = true;
    }
    pthread_mutex_unlock(&s->lock);
}

size_t stub_server_requests(struct stub_server *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    struct path *p = path_of(s, span_str(path));
    size_t n = p ? p->requests : 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void stub_server_last_head(struct stub_server *s, const char *path, char *text, size_t bytes)
{
    pthread_mutex_lock(&s->lock);
    struct path *p = path_of(s, span_str(path));
    snprintf(text, bytes, "%s", p ? p->head : "");
    pthread_mutex_unlock(&s->lock);
}

char *stub_echo(const struct stub_request *request)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, 1u << 24);
    jw_init(&j, &out);
    jw_object(&j);
    jw_member_text(&j, "method", request->method);
    jw_member_text(&j, "path", request->path);
    jw_member_text(&j, "type", stub_header(request->head, "Content-Type"));
    jw_member_text(&j, "head", request->head);
    jw_member_text(&j, "body", request->body);
    jw_end(&j);
    return buf_take(&out, NULL);
}
