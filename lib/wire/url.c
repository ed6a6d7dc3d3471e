#include "lib/wire/url.h"

#include <errno.h>

#include "lib/base/character.h"
#include "lib/base/number.h"

/* RFC 3986 appendix A, as bits per byte. */
enum {
    UNRESERVED = 1, /* ALPHA / DIGIT / - . _ ~ */
    SUB_DELIM = 2,  /* ! $ & ' ( ) * + , ; = */
};

static unsigned char_class(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
        c == '_' || c == '~')
        return UNRESERVED;
    return c && strchr("!$&'()*+,;=", c) ? SUB_DELIM : 0;
}

/* Blanks and control characters would split a request line; everything else a browser takes, we take. */
static bool has_forbidden_byte(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

static bool is_ipv6_text(struct span host)
{
    if (host.len < 2 || host.len > 64)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (hex_digit_value(c) < 0 && c != ':' && c != '.')
            return false;
    }
    return span_find(host, ':') < host.len;
}

static bool is_host_text(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c == '%') {
            if (host.len - i < 3 || hex_digit_value(host.ptr[i + 1]) < 0 || hex_digit_value(host.ptr[i + 2]) < 0)
                return false;
        } else if (!char_class(c)) {
            return false;
        }
    }
    return true;
}

/* The pieces of a reference that may lack each of them (RFC 3986 appendix B); a piece that is absent has ptr
 * NULL. */
struct reference {
    struct span scheme, authority, path, query, fragment;
};

/* Bytes of text before the first of `stops`. */
static struct span until(struct span text, const char *stops)
{
    size_t n = 0;
    while (n < text.len && (!text.ptr[n] || !strchr(stops, text.ptr[n])))
        n++;
    return span_of(text.ptr, n);
}

static struct span after(struct span text, size_t n)
{
    return span_of(text.ptr + n, text.len - n);
}

static void split(struct span text, struct reference *r)
{
    *r = (struct reference){0};
    struct span rest = text.ptr ? text : span_of("", 0);
    struct span head = until(rest, ":/?#");
    if (head.len > 0 && head.len < rest.len && rest.ptr[head.len] == ':') {
        r->scheme = head;
        rest = after(rest, head.len + 1);
    }
    if (rest.len >= 2 && rest.ptr[0] == '/' && rest.ptr[1] == '/') {
        r->authority = until(after(rest, 2), "/?#");
        rest = after(rest, 2 + r->authority.len);
    }
    r->path = until(rest, "?#");
    rest = after(rest, r->path.len);
    if (rest.len > 0 && rest.ptr[0] == '?') {
        r->query = until(after(rest, 1), "#");
        rest = after(rest, 1 + r->query.len);
    }
    if (rest.len > 0)
        r->fragment = after(rest, 1);
}

static bool is_http(struct span scheme)
{
    return span_equal_nocase(scheme, SPAN("http")) || span_equal_nocase(scheme, SPAN("https"));
}

static const char *parse_authority(struct url *u, struct span authority)
{
    size_t at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@')
        at--;
    if (at > 0) {
        struct span userinfo = span_of(authority.ptr, at - 1);
        size_t colon = span_find(userinfo, ':');
        u->user = span_of(userinfo.ptr, colon);
        if (colon < userinfo.len)
            u->password = after(userinfo, colon + 1);
        authority = after(authority, at);
    }
    struct span port = {0};
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t close = span_find(authority, ']');
        if (close == authority.len)
            return "the URL's IPv6 address has no closing ]";
        u->host = span_of(authority.ptr + 1, close - 1);
        if (!is_ipv6_text(u->host))
            return "the URL's IPv6 address is malformed";
        struct span rest = after(authority, close + 1);
        if (rest.len > 0 && rest.ptr[0] != ':')
            return "the URL has text after its IPv6 address";
        if (rest.len > 0)
            port = after(rest, 1);
    } else {
        size_t colon = span_find(authority, ':');
        u->host = span_of(authority.ptr, colon);
        if (colon < authority.len)
            port = after(authority, colon + 1);
        if (u->host.len > 0 && !is_host_text(u->host))
            return "the URL's host has characters that no host name has";
    }
    if (u->host.len == 0)
        return "the URL has no host";
    u->port = span_equal_nocase(u->scheme, SPAN("https")) ? 443 : 80;
    if (port.len > 0) { /* "http://host:/" is legal and means the default */
        uint64_t n;
        if (parse_u64_span(port, 65535, &n) < 0 || n == 0)
            return "the URL's port is not a number from 1 to 65535";
        u->port = (uint16_t)n;
        u->port_given = true;
    }
    return NULL;
}

static const char *parse(struct url *u, struct span text)
{
    if (text.len == 0)
        return "the URL is empty";
    if (has_forbidden_byte(text))
        return "the URL has blanks or control characters";
    struct reference r;
    split(text, &r);
    if (!r.scheme.ptr || !is_http(r.scheme))
        return "the URL does not start with http:// or https://";
    if (!r.authority.ptr)
        return "the URL has no // after its scheme";
    u->scheme = r.scheme;
    u->path = r.path;
    u->query = r.query;
    u->fragment = r.fragment;
    return parse_authority(u, r.authority);
}

int url_parse(struct url *u, struct span text, const char **ret_why)
{
    struct url parsed = {0};
    const char *why = parse(&parsed, text);
    if (why) {
        if (ret_why)
            *ret_why = why;
        return -EINVAL;
    }
    *u = parsed;
    return 0;
}

void url_encode(struct buf *out, struct span text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (char_class(c) == UNRESERVED) {
            buf_char(out, (char)c);
            continue;
        }
        char escape[3] = {'%', DIGITS[c >> 4], DIGITS[c & 15]};
        buf_bytes(out, escape, sizeof escape);
    }
}

void url_decode(struct buf *out, struct span text, bool plus_is_space)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int high = -1, low = -1;
        if (c == '%' && text.len - i >= 3) {
            high = hex_digit_value(text.ptr[i + 1]);
            low = hex_digit_value(text.ptr[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            buf_char(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_char(out, c == '+' && plus_is_space ? ' ' : c);
        }
    }
}

/* Drop the last segment and its slash from what was written since `start`. */
static void drop_segment(struct buf *out, size_t start)
{
    size_t n = out->len;
    while (n > start && out->data[n - 1] != '/')
        n--;
    if (n > start)
        n--;
    if (!out->error && out->data) {
        out->len = n;
        out->data[n] = '\0';
    }
}

/* RFC 3986 5.2.4, for paths that start with "/" (a base with an authority makes all merged paths so). */
void url_squeeze_dots(struct buf *out, struct span path)
{
    size_t start = out->len;
    while (path.len > 0) {
        size_t end = 1;
        while (end < path.len && path.ptr[end] != '/')
            end++;
        struct span segment = span_of(path.ptr, end); /* "/name" */
        bool last = end == path.len;
        path = after(path, end);
        if (span_equal(segment, SPAN("/."))) {
            if (last)
                buf_char(out, '/');
        } else if (span_equal(segment, SPAN("/.."))) {
            drop_segment(out, start);
            if (last)
                buf_char(out, '/');
        } else {
            buf_span(out, segment);
        }
    }
}

static void append_part(struct buf *out, char mark, struct span part)
{
    if (!part.ptr)
        return;
    buf_char(out, mark);
    buf_span(out, part);
}

static void append_base_authority(struct buf *out, const struct url *base)
{
    buf_str(out, "//");
    if (base->user.ptr) {
        buf_span(out, base->user);
        append_part(out, ':', base->password);
        buf_char(out, '@');
    }
    bool v6 = span_find(base->host, ':') < base->host.len;
    if (v6)
        buf_char(out, '[');
    buf_span(out, base->host);
    if (v6)
        buf_char(out, ']');
    if (base->port_given) {
        buf_char(out, ':');
        buf_u64(out, base->port);
    }
}

int url_resolve(struct buf *out, const struct url *base, struct span reference)
{
    if (has_forbidden_byte(reference))
        return -EINVAL;
    struct reference r;
    split(reference, &r);
    if (r.scheme.ptr && (!is_http(r.scheme) || !r.authority.ptr))
        return -EINVAL;
    if (r.authority.ptr) { /* a scheme or authority of its own: it must be a whole URL */
        struct url check = {.scheme = r.scheme.ptr ? r.scheme : base->scheme};
        if (parse_authority(&check, r.authority))
            return -EINVAL;
    }
    buf_span(out, r.scheme.ptr ? r.scheme : base->scheme);
    buf_char(out, ':');
    if (r.authority.ptr) {
        buf_str(out, "//");
        buf_span(out, r.authority);
        url_squeeze_dots(out, r.path);
        append_part(out, '?', r.query);
    } else {
        append_base_authority(out, base);
        if (r.path.len == 0) {
            buf_span(out, base->path);
            append_part(out, '?', r.query.ptr ? r.query : base->query);
        } else {
            if (r.path.ptr[0] == '/') {
                url_squeeze_dots(out, r.path);
            } else {
                size_t dir = base->path.len;
                while (dir > 0 && base->path.ptr[dir - 1] != '/')
                    dir--;
                struct buf merged;
                buf_init(&merged, base->path.len + r.path.len + 2);
                if (dir == 0)
                    buf_char(&merged, '/');
                buf_span(&merged, span_of(base->path.ptr, dir));
                buf_span(&merged, r.path);
                if (buf_error(&merged)) {
                    int error = buf_error(&merged);
                    buf_done(&merged);
                    return error;
                }
                url_squeeze_dots(out, buf_view(&merged));
                buf_done(&merged);
            }
            append_part(out, '?', r.query);
        }
    }
    append_part(out, '#', r.fragment);
    return buf_error(out);
}

bool url_host_is_loopback(struct span host)
{
    if (host.len > 0 && host.ptr[host.len - 1] == '.') /* a rooted name */
        host.len--;
    static const struct span LOCAL = SPAN_INIT("localhost");
    if (span_equal_nocase(host, LOCAL))
        return true;
    if (host.len > LOCAL.len && host.ptr[host.len - LOCAL.len - 1] == '.' &&
        span_equal_nocase(after(host, host.len - LOCAL.len), LOCAL))
        return true;
    if (span_equal(host, SPAN("::1")) || span_equal(host, SPAN("[::1]")))
        return true;
    /* 127.a.b.c in full decimal form only: "127.1" and octal spellings mean different things to different
     * resolvers */
    unsigned parts = 0;
    uint64_t first = 0;
    struct span rest = host, part;
    while (span_cut(&rest, '.', &part)) {
        uint64_t n;
        if (part.len == 0 || part.len > 3 || (part.len > 1 && part.ptr[0] == '0') || parse_u64_span(part, 255, &n) < 0)
            return false;
        if (parts++ == 0)
            first = n;
    }
    return parts == 4 && first == 127;
}
