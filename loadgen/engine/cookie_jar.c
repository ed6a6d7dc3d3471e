#include "loadgen/engine/cookie_jar.h"

#include <arpa/inet.h>
#include <errno.h>

#include "lib/base/number.h"
#include "loadgen/hurl/set_cookie.h"

#define NEVER INT64_MAX

struct cookie {
    struct span name, value, domain, path; /* in text[] */
    int64_t expires_ms;
    bool host_only, secure;
    char text[];
};

void cookie_jar_init(struct cookie_jar *j)
{
    *j = (struct cookie_jar){0};
}

void cookie_jar_clear(struct cookie_jar *j)
{
    for (size_t i = 0; i < j->n; i++)
        free(j->list[i]);
    j->n = 0;
}

void cookie_jar_done(struct cookie_jar *j)
{
    cookie_jar_clear(j);
    free(j->list);
    cookie_jar_init(j);
}

size_t cookie_jar_count(const struct cookie_jar *j)
{
    return j->n;
}

/* ---- rules ---- */

static bool is_address(struct span host)
{
    char text[64];
    unsigned char bytes[16];
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* RFC 6265 5.1.3: the host is the domain or below it. */
static bool domain_matches(struct span host, struct span domain)
{
    if (span_equal_nocase(host, domain))
        return true;
    return host.len > domain.len + 1 && host.ptr[host.len - domain.len - 1] == '.' && !is_address(host) &&
           span_equal_nocase(span_from(host, host.len - domain.len), domain);
}

/* RFC 6265 5.1.4 */
static bool path_matches(struct span request, struct span cookie)
{
    if (request.len == 0)
        request = SPAN("/");
    if (!span_starts(request, cookie))
        return false;
    return request.len == cookie.len || cookie.ptr[cookie.len - 1] == '/' || request.ptr[cookie.len] == '/';
}

/* The folder of the request's path. */
static struct span default_path(struct span path)
{
    if (path.len == 0 || path.ptr[0] != '/')
        return SPAN("/");
    size_t last = path.len;
    while (last > 0 && path.ptr[last - 1] != '/')
        last--;
    return last <= 1 ? SPAN("/") : span_of(path.ptr, last - 1);
}

static bool is_secure(const struct url *url)
{
    return span_equal_nocase(url->scheme, SPAN("https")) || url_host_is_loopback(url->host);
}

/* The cookie's domain, or empty for host-only. false: the host must not set it. */
static bool accept_domain(const struct set_cookie *c, const struct url *url, struct span *ret)
{
    *ret = (struct span){0};
    struct span domain = c->domain;
    if (domain.len && domain.ptr[0] == '.')
        domain = span_from(domain, 1);
    if (domain.len == 0)
        return true;
    if (span_equal_nocase(domain, url->host)) {
        if (!is_address(url->host) && span_find(domain, '.') < domain.len)
            *ret = domain;
        return true;
    }
    if (span_find(domain, '.') == domain.len || !domain_matches(url->host, domain))
        return false;
    *ret = domain;
    return true;
}

static bool accept_prefix(const struct set_cookie *c, const struct url *url)
{
    bool secure = span_equal_nocase(url->scheme, SPAN("https")) || url_host_is_loopback(url->host);
    static const struct span SECURE = SPAN_INIT("__Secure-"), HOST = SPAN_INIT("__Host-");
    if (c->name.len >= SECURE.len && span_equal_nocase(span_of(c->name.ptr, SECURE.len), SECURE))
        return c->secure && secure;
    if (c->name.len >= HOST.len && span_equal_nocase(span_of(c->name.ptr, HOST.len), HOST))
        return c->secure && secure && c->domain.len == 0 && span_equal(c->path, SPAN("/"));
    return true;
}

static int64_t expiry(const struct set_cookie *c, int64_t now_ms)
{
    if (c->has_max_age)
        return c->max_age_s <= 0 ? 0 : now_ms + c->max_age_s * 1000;
    return c->has_expires_time ? c->expires_s * 1000 : NEVER;
}

/* ---- keeping ---- */

static char *put(char *at, struct span from, struct span *to)
{
    if (from.len)
        memcpy(at, from.ptr, from.len);
    *to = span_of(at, from.len);
    return at + from.len;
}

static struct cookie *cookie_new(const struct set_cookie *c, struct span domain, struct span path)
{
    struct cookie *k = calloc(1, sizeof *k + c->name.len + c->value.len + domain.len + path.len + 1);
    if (!k)
        return NULL;
    char *at = put(k->text, c->name, &k->name);
    at = put(at, c->value, &k->value);
    at = put(at, domain, &k->domain);
    put(at, path, &k->path);
    return k;
}

static void drop(struct cookie_jar *j, size_t i)
{
    free(j->list[i]);
    memmove(&j->list[i], &j->list[i + 1], (j->n - i - 1) * sizeof *j->list);
    j->n--;
}

static void drop_expired(struct cookie_jar *j, int64_t now_ms)
{
    for (size_t i = j->n; i-- > 0;)
        if (j->list[i]->expires_ms <= now_ms)
            drop(j, i);
}

MUST_USE static int append(struct cookie_jar *j, struct cookie *k, int64_t now_ms)
{
    if (j->n >= COOKIES_MAX)
        drop_expired(j, now_ms);
    if (j->n >= COOKIES_MAX)
        drop(j, 0);
    if (j->n == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 8;
        struct cookie **list = realloc(j->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        j->list = list;
        j->cap = cap;
    }
    j->list[j->n++] = k;
    return 0;
}

/* Replaces the one of the same name, domain and path; one that has expired only removes it. Takes k. */
MUST_USE static int keep(struct cookie_jar *j, struct cookie *k, int64_t now_ms)
{
    for (size_t i = 0; i < j->n; i++) {
        struct cookie *old = j->list[i];
        if (!span_equal(old->name, k->name) || !span_equal(old->path, k->path) ||
            !span_equal_nocase(old->domain, k->domain))
            continue;
        if (k->expires_ms <= now_ms) { /* how servers remove one */
            drop(j, i);
            free(k);
        } else { /* keeps its place: the creation time is the old one's */
            free(old);
            j->list[i] = k;
        }
        return 0;
    }
    if (k->expires_ms <= now_ms) {
        free(k);
        return 0;
    }
    int r = append(j, k, now_ms);
    if (r < 0)
        free(k);
    return r;
}

int cookie_jar_store(struct cookie_jar *j, const struct url *url, struct span header, int64_t now_ms)
{
    struct set_cookie c;
    struct span domain;
    int r = set_cookie_parse(header, &c);
    if (r < 0)
        return r;
    if (!accept_domain(&c, url, &domain) || !accept_prefix(&c, url) || (c.secure && !is_secure(url)))
        return -EPERM;
    struct span path = c.path.len && c.path.ptr[0] == '/' ? c.path : default_path(url->path);
    struct cookie *k = cookie_new(&c, domain.len ? domain : url->host, path);
    if (!k)
        return -ENOMEM;
    k->host_only = domain.len == 0;
    k->secure = c.secure;
    k->expires_ms = expiry(&c, now_ms);
    return keep(j, k, now_ms);
}
static bool goes_to(const struct cookie *k, const struct url *url, int64_t now_ms)
{
    bool host = k->host_only ? span_equal_nocase(url->host, k->domain) : domain_matches(url->host, k->domain);
    return host && k->expires_ms > now_ms && path_matches(url->path, k->path) && (!k->secure || is_secure(url));
}

size_t cookie_jar_header(struct cookie_jar *j, const struct url *url, int64_t now_ms, struct buf *out)
{
    const struct cookie *chosen[COOKIES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < j->n; i++) {
        if (!goes_to(j->list[i], url, now_ms))
            continue;
        size_t at = n++; /* insertion keeps creation order among equal path lengths */
        for (; at > 0 && chosen[at - 1]->path.len < j->list[i]->path.len; at--)
            chosen[at] = chosen[at - 1];
        chosen[at] = j->list[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(out, "; ");
        if (chosen[i]->name.len) {
            buf_span(out, chosen[i]->name);
            buf_char(out, '=');
        }
        buf_span(out, chosen[i]->value);
    }
    return n;
}

/* ---- as a file ---- */

#define FILE_FIELDS 7u

/* domain, subdomains too, path, secure, expiry, name, value */
MUST_USE static int read_fields(struct cookie_jar *j, const struct span *field, size_t n, int64_t now_ms)
{
    int64_t expires_s;
    for (size_t i = 0; i < n; i++)
        if (cookie_has_control(field[i]))
            return 0;
    if (n < 6 || field[0].len == 0 || field[0].ptr[0] == '#' ||
        parse_i64_span(field[4], 0, INT64_MAX / 1000, &expires_s) < 0)
        return 0;
    struct span domain = field[0], path = field[2].len && field[2].ptr[0] == '/' ? field[2] : SPAN("/");
    while (domain.len && domain.ptr[0] == '.')
        domain = span_from(domain, 1);
    struct set_cookie c = {.name = field[5], .value = n > 6 ? field[6] : (struct span){0}};
    if (domain.len == 0 || c.name.len + c.value.len == 0 || c.name.len + c.value.len > COOKIE_BYTES_MAX)
        return 0;
    struct cookie *k = cookie_new(&c, domain, path);
    if (!k)
        return -ENOMEM;
    k->host_only = !span_equal_nocase(field[1], SPAN("TRUE"));
    k->secure = span_equal_nocase(field[3], SPAN("TRUE"));
    k->expires_ms = expires_s ? expires_s * 1000 : NEVER;
    return keep(j, k, now_ms);
}

MUST_USE static int read_line(struct cookie_jar *j, struct span line, int64_t now_ms)
{
    static const struct span HTTP_ONLY = SPAN_INIT("#HttpOnly_");
    struct span field[FILE_FIELDS];
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (span_starts(line, HTTP_ONLY))
        line = span_from(line, HTTP_ONLY.len);
    size_t n = 0;
    while (n < FILE_FIELDS && span_cut(&line, '\t', &field[n]))
        n++;
    return read_fields(j, field, n, now_ms);
}

int cookie_jar_add(struct cookie_jar *j, struct span line, int64_t now_ms)
{
    struct span field[FILE_FIELDS];
    size_t n = 0;
    for (line = span_trim(line); n < FILE_FIELDS && line.len; line = span_trim(line)) {
        size_t end = 0;
        while (end < line.len && line.ptr[end] != ' ' && line.ptr[end] != '\t')
            end++;
        field[n++] = span_of(line.ptr, end);
        line = span_from(line, end);
    }
    return read_fields(j, field, n, now_ms);
}

int cookie_jar_read(struct cookie_jar *j, struct span text, int64_t now_ms)
{
    struct span line;
    int r = 0;
    while (r == 0 && span_cut(&text, '\n', &line))
        r = read_line(j, line, now_ms);
    return r;
}

void cookie_jar_write(const struct cookie_jar *j, struct buf *out)
{
    buf_str(out, "# Netscape HTTP Cookie File\n");
    for (size_t i = 0; i < j->n; i++) {
        const struct cookie *k = j->list[i];
        buf_printf(out, "%s" SPAN_FMT "\t%s\t" SPAN_FMT "\t%s\t%lld\t" SPAN_FMT "\t" SPAN_FMT "\n",
                   k->host_only ? "" : ".", SPAN_ARG(k->domain), k->host_only ? "FALSE" : "TRUE", SPAN_ARG(k->path),
                   k->secure ? "TRUE" : "FALSE", k->expires_ms == NEVER ? 0LL : (long long)(k->expires_ms / 1000),
                   SPAN_ARG(k->name), SPAN_ARG(k->value));
    }
}
