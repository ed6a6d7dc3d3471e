#include "loadgen/engine/route.h"

#include "lib/base/number.h"

/* "host:" or "[::1]:" off the front; an empty host is one too. */
static bool take_host(struct span *rest, struct span *ret)
{
    if (rest->len && rest->ptr[0] == '[') {
        size_t close = span_find(*rest, ']');
        if (close + 1 >= rest->len || rest->ptr[close + 1] != ':')
            return false;
        *ret = span_of(rest->ptr + 1, close - 1);
        *rest = span_from(*rest, close + 2);
        return true;
    }
    size_t colon = span_find(*rest, ':');
    if (colon == rest->len)
        return false;
    *ret = span_of(rest->ptr, colon);
    *rest = span_from(*rest, colon + 1);
    return true;
}

/* Does the line's "host:port:" speak of this host and port? An empty one is any where `any_empty`, * is any in resolve. */
static bool takes(struct span *rest, struct span host, uint16_t port, bool any_empty)
{
    struct span name, number;
    uint64_t wanted = 0;
    if (!take_host(rest, &name) || !take_host(rest, &number))
        return false;
    bool any_host = (any_empty && name.len == 0) || (!any_empty && span_equal(name, SPAN("*")));
    bool any_port = any_empty && number.len == 0;
    return (any_host || span_equal_nocase(name, host)) &&
           (any_port || (parse_u64_span(number, 65535, &wanted) == 0 && wanted == port));
}

static struct span without_brackets(struct span host)
{
    return host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']' ? span_of(host.ptr + 1, host.len - 2)
                                                                                : host;
}

/* HOST1:PORT1:HOST2:PORT2 */
static void connect_to(struct span line, struct span *host, uint16_t *port)
{
    struct span to;
    uint64_t number;
    if (!takes(&line, *host, *port, true) || !take_host(&line, &to))
        return;
    if (to.len)
        *host = to;
    if (parse_u64_span(line, 65535, &number) == 0)
        *port = (uint16_t)number;
}

bool route_target(const struct conn_route *route, struct span *host, uint16_t *port)
{
    if (!route)
        return true;
    if (route->unix_socket)
        return false;
    for (size_t i = 0; i < route->n_connect_to; i++) { /* the first that fits, as in curl */
        struct span before = *host;
        uint16_t port_before = *port;
        connect_to(span_str(route->connect_to[i]), host, port);
        if (before.ptr != host->ptr || port_before != *port)
            break;
    }
    for (size_t i = 0; i < route->n_resolve; i++) {
        struct span line = span_str(route->resolve[i]), address;
        if (line.len && line.ptr[0] == '+')
            line = span_from(line, 1);
        if (!takes(&line, *host, *port, false))
            continue;
        address = without_brackets(span_of(line.ptr, span_find(line, ','))); /* of several the first is taken */
        if (address.len)
            *host = address;
    }
    return true;
}

bool route_proxy(const struct conn_route *route, struct span *ret_host, uint16_t *ret_port)
{
    if (!route || !route->proxy)
        return false;
    struct span rest = span_str(route->proxy);
    size_t scheme = span_search(rest, SPAN("://")), at;
    if (scheme < rest.len)
        rest = span_from(rest, scheme + 3);
    rest.len = span_find(rest, '/');
    at = span_find(rest, '@');
    if (at < rest.len)
        rest = span_from(rest, at + 1);
    struct span whole = rest;
    uint64_t port = 1080; /* libcurl's */
    if (!take_host(&rest, ret_host))
        *ret_host = without_brackets(whole);
    else if (parse_u64_span(rest, 65535, &port) < 0)
        port = 1080;
    *ret_port = (uint16_t)port;
    return true;
}
