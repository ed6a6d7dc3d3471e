#include "tests/support/write_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/number.h"
#include "lib/wire/remote_write.h"

#define WAIT_S 60

struct write_client {
    int fd; /* -1: not connected */
    uint16_t port;
    char answer[16384]; /* head and body */
};

struct write_client *write_client_new(uint16_t port)
{
    struct write_client *c = calloc(1, sizeof *c);
    if (!c) {
        fputs("write_client: out of memory\n", stderr);
        exit(1);
    }
    c->fd = -1;
    c->port = port;
    return c;
}

static void disconnect(struct write_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

void write_client_free(struct write_client *c)
{
    disconnect(c);
    free(c);
}

MUST_USE static int connect_client(struct write_client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(c->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval wait = {.tv_sec = WAIT_S};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0)
        return -errno;
    return 0;
}

MUST_USE static int send_all(int fd, struct span head, struct span body)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head.ptr, head.len}, {(void *)(uintptr_t)body.ptr, body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    while (parts[0].iov_len + parts[1].iov_len) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        for (size_t i = 0, left = (size_t)n; i < 2; i++) {
            size_t taken = left < parts[i].iov_len ? left : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + taken;
            parts[i].iov_len -= taken;
            left -= taken;
        }
    }
    return 0;
}

/* Bytes of the body, by the head's Content-Length; 0 without one. */
static size_t length_of(struct span head)
{
    struct span line, name;
    uint64_t n = 0;
    while (span_cut(&head, '\n', &line))
        if (span_cut(&line, ':', &name) && span_equal_nocase(name, SPAN("Content-Length")) &&
            parse_u64_span(span_trim(line), 1u << 20, &n) < 0)
            return 0;
    return (size_t)n;
}

/* A bound on what may come is the buffer: the answers of write endpoints are a line. */
MUST_USE static int receive(struct write_client *c, char *why, size_t why_bytes)
{
    size_t have = 0, head = 0, body = 0;
    while (!head || have < head + body) {
        if (have == sizeof c->answer)
            return -EMSGSIZE;
        ssize_t n = recv(c->fd, c->answer + have, sizeof c->answer - have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return -ECONNRESET;
        have += (size_t)n;
        size_t end = head ? head : span_search(span_of(c->answer, have), SPAN("\r\n\r\n"));
        if (!head && end < have) {
            head = end + 4;
            body = length_of(span_of(c->answer, end));
        }
    }
    uint64_t status = 0;
    if (have < 12 || parse_u64_span(span_of(c->answer + 9, 3), 999, &status) < 0) /* HTTP/1.1 204 */
        return -EBADMSG;
    if (status / 100 != 2)
        snprintf(why, why_bytes, SPAN_FMT, SPAN_ARG(span_trim(span_of(c->answer + head, body))));
    return (int)status;
}

int write_client_send(struct write_client *c, struct span body, char *why, size_t why_bytes)
{
    char head[320];
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: " REMOTE_WRITE_CONTENT_TYPE
                     "\r\nContent-Encoding: snappy\r\n" REMOTE_WRITE_VERSION_HEADER "\r\nContent-Length: %zu\r\n\r\n",
                     (unsigned)c->port, body.len);
    int r = c->fd < 0 ? connect_client(c) : 0;
    if (r == 0)
        r = send_all(c->fd, span_of(head, (size_t)n), body);
    if (r == 0)
        r = receive(c, why, why_bytes);
    if (r < 0) {
        snprintf(why, why_bytes, "%s", strerror(-r));
        disconnect(c);
    }
    return r;
}
