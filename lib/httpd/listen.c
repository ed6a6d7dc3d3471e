/* The address a server listens on: parsing, the loopback rule's facts, the socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/httpd/httpd_internal.h"

void address_text(const struct sockaddr *addr, char *text, size_t text_bytes)
{
    text[0] = '\0';
    if (addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, addr, sizeof in);
        (void)inet_ntop(AF_INET, &in.sin_addr, text, (socklen_t)text_bytes);
    } else if (addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, addr, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
            (void)inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, (socklen_t)text_bytes);
        else
            (void)inet_ntop(AF_INET6, &in6.sin6_addr, text, (socklen_t)text_bytes);
    }
}

static bool set_ipv4(struct listen_address *a, const char *host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
        return false;
    a->loopback = (ntohl(in.sin_addr.s_addr) >> 24) == 127;
    a->wildcard = in.sin_addr.s_addr == htonl(INADDR_ANY);
    memcpy(&a->addr, &in, sizeof in);
    a->addr_len = sizeof in;
    return true;
}

static bool set_ipv6(struct listen_address *a, const char *host, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
        return false;
    const uint8_t *v4 = &in6.sin6_addr.s6_addr[12];
    a->loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) || (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && v4[0] == 127);
    a->wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
    memcpy(&a->addr, &in6, sizeof in6);
    a->addr_len = sizeof in6;
    return true;
}

int listen_parse(const char *text, struct listen_address *ret, char *why, size_t why_bytes)
{
    struct listen_address a = {0};
    struct span whole = span_str(text), host, port_text;
    size_t colon = whole.len;
    while (colon > 0 && whole.ptr[colon - 1] != ':')
        colon--;
    uint64_t port = 0;
    bool ok = colon > 0;
    if (ok) {
        host = span_of(whole.ptr, colon - 1);
        port_text = span_from(whole, colon);
        ok = parse_u64_span(port_text, UINT16_MAX, &port) == 0;
        bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
        if (bracketed)
            host = span_of(host.ptr + 1, host.len - 2);
        if (host.len == 0)
            host = SPAN("0.0.0.0"); /* ":9480" as Prometheus has it */
        if (span_equal_nocase(host, SPAN("localhost")))
            host = SPAN("127.0.0.1");
        ok = ok && host.len < sizeof a.host;
        if (ok) {
            memcpy(a.host, host.ptr, host.len);
            ok = bracketed ? set_ipv6(&a, a.host, (uint16_t)port) : set_ipv4(&a, a.host, (uint16_t)port);
        }
    }
    if (!ok) {
        (void)snprintf(why, why_bytes,
                       "'%s' is not an address to listen on: write IP:PORT, such as 127.0.0.1:9480, "
                       "[::1]:9480, or port 0 for any free "
                       "one",
                       text);
        return -EINVAL;
    }
    *ret = a;
    return 0;
}

static void explain(const struct listen_address *a, int error, char *why, size_t why_bytes)
{
    uint16_t port = 0;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (a->addr.ss_family == AF_INET) {
        memcpy(&in, &a->addr, sizeof in);
        port = ntohs(in.sin_port);
    } else {
        memcpy(&in6, &a->addr, sizeof in6);
        port = ntohs(in6.sin6_port);
    }
    const char *open = a->addr.ss_family == AF_INET6 ? "[" : "", *close = *open ? "]" : "";
    const char *words = strerror(error);
    if (error == EADDRINUSE)
        words = "another program is listening there; stop it or choose another port";
    else if (error == EADDRNOTAVAIL)
        words = "this machine has no such address";
    else if (error == EACCES)
        words = "ports below 1024 need root or CAP_NET_BIND_SERVICE";
    (void)snprintf(why, why_bytes, "cannot listen on %s%s%s:%u: %s", open, a->host, close, (unsigned)port, words);
}

int listen_open(const struct listen_address *a, int *ret_fd, uint16_t *ret_port, char *why, size_t why_bytes)
{
    static const int ON = 1, OFF = 0;
    static const unsigned UNTAKEN_MS = HTTP_UNTAKEN_MS;
    int r = 0;
    struct sockaddr_storage got;
    socklen_t got_len = sizeof got;
    int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        goto fail;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &ON, sizeof ON) < 0)
        goto fail;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof ON) < 0) /* accepted sockets inherit it */
        goto fail;
    if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &UNTAKEN_MS, sizeof UNTAKEN_MS) < 0) /* as they do this */
        goto fail;
    if (a->addr.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &OFF, sizeof OFF) < 0)
        goto fail;
    if (bind(fd, (const struct sockaddr *)&a->addr, a->addr_len) < 0 || listen(fd, SOMAXCONN) < 0)
        goto fail;
    if (getsockname(fd, (struct sockaddr *)&got, &got_len) < 0)
        goto fail;
    if (got.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &got, sizeof in);
        *ret_port = ntohs(in.sin_port);
    } else {
        struct sockaddr_in6 in6;
        memcpy(&in6, &got, sizeof in6);
        *ret_port = ntohs(in6.sin6_port);
    }
    *ret_fd = fd;
    return 0;
fail:
    r = -errno;
    explain(a, -r, why, why_bytes);
    if (fd >= 0)
        close(fd);
    return r;
}
