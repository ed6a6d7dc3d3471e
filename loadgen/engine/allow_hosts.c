#include "loadgen/engine/allow_hosts.h"

#include <errno.h>

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/url.h"

struct allowed {
    struct span host; /* without "*." */
    bool below;       /* *.host */
    uint16_t port;    /* 0: any */
};
struct allow_hosts {
    struct arena arena;
    struct allowed *list;
    size_t n;
};

static bool is_host(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], lower = (char)(c | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':' || c == '_'))
            return false;
    }
    return s.len > 0 && s.ptr[0] != '.';
}

/* HOST, HOST:PORT, [V6]:PORT, *.DOMAIN. */
MUST_USE static int read_line(struct span line, struct allowed *ret)
{
    struct span host = line, port = {0};
    if (line.ptr[0] == '[') {
        size_t close = span_find(line, ']');
        if (close == line.len)
            return -EINVAL;
        host = span_of(line.ptr + 1, close - 1);
        port = span_from(line, close + 1);
        if (port.len && port.ptr[0] != ':')
            return -EINVAL;
        port = span_from(port, 1);
    } else {
        size_t colon = span_find(line, ':');
        host.len = colon;
        port = span_from(line, colon + 1);
        if (colon + 1 == line.len)
            return -EINVAL;
    }
    if (span_starts(host, SPAN("*."))) {
        ret->below = true;
        host = span_from(host, 2);
    }
    uint64_t number = 0;
    if (!is_host(host) || (port.len && (parse_u64_span(port, 65535, &number) < 0 || number == 0)))
        return -EINVAL;
    ret->host = host;
    ret->port = (uint16_t)number;
    return 0;
}

int allow_hosts_parse(const char *name, struct span text, struct allow_hosts **ret, struct problems *problems)
{
    struct allow_hosts *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    arena_init(&a->arena, CONFIG_BYTES_MAX * 2);
    a->list = arena_array(&a->arena, ALLOW_HOSTS_MAX, sizeof *a->list);
    bool ok = a->list != NULL;
    struct span rest = text, line;
    uint32_t number = 0;
    size_t errors = problems_errors(problems);
    while (ok && span_cut(&rest, '\n', &line)) {
        number++;
        line.len = span_find(line, '#');
        line = span_trim(line);
        if (line.len == 0)
            continue;
        struct allowed one = {0};
        if (a->n == ALLOW_HOSTS_MAX) {
            problem_add(problems, PROBLEM_ERROR, name, number, 1, "more than %u hosts", ALLOW_HOSTS_MAX);
            break;
        }
        if (read_line(line, &one) < 0) {
            problem_add(problems, PROBLEM_ERROR, name, number, 1,
                        "'" SPAN_FMT "' is no host (HOST, HOST:PORT, [IPV6]:PORT or *.DOMAIN)", SPAN_ARG(line));
            continue;
        }
        one.host = arena_span(&a->arena, one.host, &ok);
        a->list[a->n++] = one;
    }
    int r = !ok ? -ENOMEM : problems_errors(problems) > errors ? -EINVAL : 0;
    if (r < 0)
        allow_hosts_free(a);
    else
        *ret = a;
    return r;
}

int allow_hosts_load(const char *path, struct allow_hosts **ret, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return r;
    }
    return allow_hosts_parse(path, span_of(text, n), ret, problems);
}

void allow_hosts_free(struct allow_hosts *a)
{
    if (!a)
        return;
    arena_done(&a->arena);
    free(a);
}

bool allow_hosts_permits(const struct allow_hosts *a, struct span host, uint16_t port)
{
    if (url_host_is_loopback(host))
        return true;
    for (size_t i = 0; a && i < a->n; i++) {
        const struct allowed *one = &a->list[i];
        if (one->port && one->port != port)
            continue;
        if (!one->below && span_equal_nocase(host, one->host))
            return true;
        if (one->below && host.len > one->host.len + 1 && host.ptr[host.len - one->host.len - 1] == '.' &&
            span_equal_nocase(span_from(host, host.len - one->host.len), one->host))
            return true;
    }
    return false;
}
