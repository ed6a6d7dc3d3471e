#include "tests/support/odd_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <zlib.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"

static void say(struct odd_peer *p, int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t w = send(fd, at, n, MSG_NOSIGNAL);
        if (w <= 0)
            return;
        p->sent_bytes += (size_t)w;
        at += w;
        n -= (size_t)w;
    }
}

static void say_text(struct odd_peer *p, int fd, const char *text)
{
    say(p, fd, text, strlen(text));
}

static void say_body(struct odd_peer *p, int fd, const char *headers, const void *body, size_t n)
{
    char head[512];
    int len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", headers, n);
    say(p, fd, head, (size_t)len);
    say(p, fd, body, n);
}

static void say_zipped(struct odd_peer *p, int fd, size_t body_bytes, bool broken)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    AUTO_FREE char *body = calloc(1, body_bytes);
    size_t cap = body_bytes / 500 + 1024;
    AUTO_FREE char *zipped = malloc(cap);
    memset(body, 'x', body_bytes);
    z.next_in = (unsigned char *)body;
    z.avail_in = (unsigned)body_bytes;
    z.next_out = (unsigned char *)zipped;
    z.avail_out = (unsigned)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    if (broken)
        zipped[z.total_out / 2] = (char)(zipped[z.total_out / 2] ^ 0x55);
    say_body(p, fd, "Content-Encoding: gzip\r\n", zipped, z.total_out);
    deflateEnd(&z);
}

/* false: close the connection. */
static bool answer(struct odd_peer *p, int fd, const char *request, size_t bytes)
{
    char path[128] = "";
    const char *at = strchr(request, ' ');
    if (at)
        snprintf(path, sizeof path, "%.*s", (int)strcspn(at + 1, " ?"), at + 1);
    if (strcmp(path, "/ok") == 0) {
        say_body(p, fd, "Content-Type: text/plain\r\nX-Mixed-Case:  Value \r\n", "hello", 5);
    } else if (strcmp(path, "/echo") == 0) {
        say_body(p, fd, "", request, bytes);
    } else if (strcmp(path, "/ok-then-close") == 0) {
        say_body(p, fd, "", "bye", 3);
        return false;
    } else if (strcmp(path, "/continue") == 0) {
        say_text(p, fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
        say_body(p, fd, "", "x", 1);
    } else if (strcmp(path, "/folded") == 0) {
        say_body(p, fd, "X-Long: one\r\n  two\r\n", "", 0);
    } else if (strcmp(path, "/503") == 0) {
        say_text(p, fd, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
    } else if (strcmp(path, "/hang") == 0) {
        return true;
    } else if (strcmp(path, "/hang-in-body") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    } else if (strcmp(path, "/drip") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for (int i = 0; i < 5; i++) {
            sleep_us(10000);
            say_text(p, fd, "d");
        }
    } else if (strcmp(path, "/close") == 0) {
        return false;
    } else if (strcmp(path, "/cut") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    } else if (strcmp(path, "/garbage") == 0) {
        say_text(p, fd, "\x16\x03\x01 what is this?\r\n\r\n");
        return false;
    } else if (strcmp(path, "/bad-length") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n");
        return false;
    } else if (strcmp(path, "/headers") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 100; i++) {
            char line[8192];
            memset(line, 'h', sizeof line);
            memcpy(line, "X: ", 3);
            memcpy(line + sizeof line - 3, "\r\n", 3);
            say_text(p, fd, line);
        }
        say_text(p, fd, "Content-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/big") == 0) {
        char body[10000];
        memset(body, 'b', sizeof body);
        say_body(p, fd, "", body, sizeof body);
    } else if (strcmp(path, "/endless") == 0) {
        say_text(p, fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 1000; i++)
            say_text(p, fd, "10\r\n0123456789abcdef\r\n");
        return false;
    } else if (strcmp(path, "/gzip") == 0) {
        say_zipped(p, fd, 10000, false);
    } else if (strcmp(path, "/bad-gzip") == 0) {
        say_zipped(p, fd, 10000, true);
    } else if (strcmp(path, "/bomb") == 0) {
        say_zipped(p, fd, 64u << 20, false);
    } else if (strcmp(path, "/redirect") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nX-First: 1\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/redirect-away") == 0) {
        char text[256];
        snprintf(text, sizeof text,
                 "HTTP/1.1 302 Found\r\nLocation: http://localhost:%u/echo\r\nContent-Length: 0\r\n\r\n", p->port);
        say_text(p, fd, text);
    } else if (strcmp(path, "/redirect-ftp") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(path, "/loop") == 0) {
        say_text(p, fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    } else {
        say_text(p, fd, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    }
    return true;
}

static size_t request_bytes(const struct buf *in)
{
    const char *end = in->data ? strstr(in->data, "\r\n\r\n") : NULL;
    if (!end)
        return 0;
    size_t head = (size_t)(end - in->data) + 4, body = 0;
    const char *length = strcasestr(in->data, "\r\nContent-Length:");
    if (length && length < end)
        body = strtoul(length + 17, NULL, 10);
    return in->len >= head + body ? head + body : 0;
}

static void drop(struct odd_connection *c)
{
    close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

static void serve(struct odd_peer *p, struct odd_connection *c)
{
    char *room = buf_reserve(&c->in, 65536);
    ssize_t n = room ? recv(c->fd, room, 65536, 0) : 0;
    if (n <= 0) {
        drop(c);
        return;
    }
    buf_grew(&c->in, (size_t)n);
    size_t bytes;
    while ((bytes = request_bytes(&c->in)) > 0) {
        if (!answer(p, c->fd, c->in.data, bytes)) {
            drop(c);
            return;
        }
        buf_consume(&c->in, bytes);
    }
}

static void accept_one(struct odd_peer *p, int listen_fd)
{
    int fd = accept(listen_fd, NULL, NULL);
    size_t at = 0;
    while (at < ODD_CONNECTIONS_MAX && p->connections[at].fd >= 0)
        at++;
    if (fd < 0 || at == ODD_CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    p->accepted++;
    p->connections[at].fd = fd;
    buf_init(&p->connections[at].in, 1u << 20);
}

static void peer_main(void *arg)
{
    struct odd_peer *p = arg;
    for (;;) {
        struct pollfd fds[ODD_CONNECTIONS_MAX + 3];
        struct odd_connection *who[ODD_CONNECTIONS_MAX + 3] = {0};
        nfds_t n = 0;
        fds[n++] = (struct pollfd){.fd = p->stop_fd, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = p->listen_fd, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = p->unix_fd, .events = POLLIN};
        for (size_t i = 0; i < ODD_CONNECTIONS_MAX; i++)
            if (p->connections[i].fd >= 0) {
                who[n] = &p->connections[i];
                fds[n++] = (struct pollfd){.fd = p->connections[i].fd, .events = POLLIN};
            }
        poll(fds, n, -1);
        if (fds[0].revents)
            return;
        for (nfds_t i = 3; i < n; i++)
            if (fds[i].revents)
                serve(p, who[i]);
        for (nfds_t i = 1; i < 3; i++)
            if (fds[i].revents)
                accept_one(p, fds[i].fd);
    }
}

int odd_peer_start(void **state)
{
    struct odd_peer *p = calloc(1, sizeof *p);
    for (size_t i = 0; i < ODD_CONNECTIONS_MAX; i++)
        p->connections[i].fd = -1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(p->listen_fd, (struct sockaddr *)&a, sizeof a));
    check_ok(listen(p->listen_fd, 1024));
    check_ok(getsockname(p->listen_fd, (struct sockaddr *)&a, &n));
    p->port = ntohs(a.sin_port);
    check_ok(dir_make_temp("crest-http", &p->folder));
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    snprintf(p->unix_path, sizeof p->unix_path, "%s/s", p->folder);
    memcpy(u.sun_path, p->unix_path, sizeof u.sun_path);
    p->unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_ok(bind(p->unix_fd, (struct sockaddr *)&u, sizeof u));
    check_ok(listen(p->unix_fd, 16));
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    check_ok(thread_start("peer", peer_main, p, &p->thread));
    *state = p;
    return 0;
}

int odd_peer_stop(void **state)
{
    struct odd_peer *p = *state;
    check_ok(eventfd_write(p->stop_fd, 1));
    thread_join(p->thread);
    for (size_t i = 0; i < ODD_CONNECTIONS_MAX; i++)
        if (p->connections[i].fd >= 0)
            drop(&p->connections[i]);
    close(p->listen_fd);
    close(p->unix_fd);
    close(p->stop_fd);
    check_ok(dir_remove(p->folder));
    free(p->folder);
    free(p);
    return 0;
}

const char *odd_peer_url(const struct odd_peer *p, const char *path)
{
    static char url[4][256];
    static unsigned turn;
    char *to = url[turn++ % 4];
    snprintf(to, sizeof url[0], "http://127.0.0.1:%u%s", p->port, path);
    return to;
}

char *odd_peer_file(const struct odd_peer *p, const char *name, const char *text)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", p->folder, name) > 0);
    check_ok(file_write(path, text, strlen(text)));
    return path;
}
