/* Prometheus's template functions over texts (prometheus.io/docs/prometheus/latest/configuration/template_reference). */
#include <arpa/inet.h>

#include "collector/template/template_functions.h"
#include "lib/base/limits.h"
#include "lib/match/regex.h"
#include "lib/wire/url.h"

/* Upper or lower case of one character: ASCII, Latin-1, Greek and Cyrillic letters; others have themselves. */
static uint32_t change_case(uint32_t c, bool upper)
{
    static const struct {
        uint32_t from, to; /* lower-case range */
        uint32_t gap;      /* to its upper case */
    } RANGES[] = {{'a', 'z', 32},     {0xe0, 0xf6, 32},   {0xf8, 0xfe, 32},  {0x3b1, 0x3c1, 32},
                  {0x3c3, 0x3c9, 32}, {0x430, 0x44f, 32}, {0x450, 0x45f, 80}};
    for (size_t i = 0; i < ARRAY_LEN(RANGES); i++) {
        uint32_t gap = RANGES[i].gap, low = upper ? c : c + gap;
        if (low >= RANGES[i].from && low <= RANGES[i].to)
            return upper ? c - gap : c + gap;
    }
    return c;
}

/* Two-byte UTF-8 holds all that change_case knows beyond ASCII. Returns the bytes read. */
static size_t put_changed(struct buf *out, struct span s, bool upper)
{
    unsigned char a = (unsigned char)s.ptr[0], b = s.len > 1 ? (unsigned char)s.ptr[1] : 0;
    if (a < 0x80) {
        buf_char(out, (char)change_case(a, upper));
        return 1;
    }
    if (a < 0xc3 || a >= 0xe0 || (b & 0xc0) != 0x80) {
        buf_char(out, (char)a);
        return 1;
    }
    uint32_t c = change_case((uint32_t)(a & 0x1f) << 6 | (b & 0x3f), upper);
    buf_char(out, (char)(0xc0 | c >> 6));
    buf_char(out, (char)(0x80 | (c & 0x3f)));
    return 2;
}

static bool letters_changed(struct template_run *run, const struct template_value *v, bool upper,
                            struct template_value *ret)
{
    struct span s;
    if (!template_to_text(run, v, &s))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    while (s.len)
        s = span_from(s, put_changed(&b, s, upper));
    return template_take_text(run, &b, ret);
}
FUNCTION(to_upper)
{
    return letters_changed(run, &args[0], true, ret);
}
FUNCTION(to_lower)
{
    return letters_changed(run, &args[0], false, ret);
}

static bool separates_words(char c)
{
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             (unsigned char)c >= 0x80);
}
/* strings.Title: the first letter of each word. */
FUNCTION(title)
{
    struct span s;
    if (!template_to_text(run, &args[0], &s))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    char before = ' ';
    while (s.len) {
        size_t used = 1;
        if (separates_words(before))
            used = put_changed(&b, s, true);
        else
            buf_char(&b, *s.ptr);
        before = s.ptr[used - 1];
        s = span_from(s, used);
    }
    return template_take_text(run, &b, ret);
}

/* net.SplitHostPort. false: not host:port. */
static bool split_host_port(struct span s, struct span *host, struct span *port)
{
    size_t colon = s.len;
    while (colon > 0 && s.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *port = span_from(s, colon);
    *host = span_of(s.ptr, colon - 1);
    if (host->len && *host->ptr == '[') {
        if (host->ptr[host->len - 1] != ']')
            return false;
        *host = span_of(host->ptr + 1, host->len - 2);
        return span_find(*host, '[') == host->len && span_find(*host, ']') == host->len;
    }
    return span_find(*host, ':') == host->len && span_find(s, '[') == s.len && span_find(s, ']') == s.len;
}

FUNCTION(strip_port)
{
    struct span s, host, port;
    if (!template_to_text(run, &args[0], &s))
        return false;
    *ret = template_text(split_host_port(s, &host, &port) ? host : s);
    return true;
}

static bool is_ip(struct span host)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char address[16];
    if (host.len >= sizeof text)
        return false;
    (void)snprintf(text, sizeof text, SPAN_FMT, SPAN_ARG(host));
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

FUNCTION(strip_domain)
{
    struct span s, host, port = {NULL, 0};
    if (!template_to_text(run, &args[0], &s))
        return false;
    if (!split_host_port(s, &host, &port))
        host = s, port = (struct span){NULL, 0};
    if (is_ip(host)) {
        *ret = template_text(s);
        return true;
    }
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    buf_bytes(&b, host.ptr, span_find(host, '.'));
    if (port.len) {
        buf_char(&b, ':');
        buf_span(&b, port);
    }
    return template_take_text(run, &b, ret);
}

FUNCTION(match)
{
    struct span pattern, text;
    struct regex *re;
    struct parse_error error;
    if (!template_to_text(run, &args[0], &pattern) || !template_to_text(run, &args[1], &text))
        return false;
    if (regex_compile(pattern, 0, &re, &error) < 0)
        return template_fail(run, "error parsing regexp: %s", error.text);
    int r = regex_match(re, text);
    regex_free(re);
    if (r < 0)
        return template_fail(run, "the pattern is too costly for this text");
    *ret = template_bool(r > 0);
    return true;
}

/* Regexp.ReplaceAllString: an empty match behind another match is no match. */
static int replace_all(const struct regex *re, struct span to, struct span text, struct buf *out)
{
    size_t from = 0, copied = 0;
    bool after_match = false;
    if (!text.ptr)
        text = SPAN(""); /* matches are told apart by their place */
    while (from <= text.len) {
        struct span groups[32] = {{NULL, 0}};
        size_t n;
        int r = regex_search(re, text, from, groups, ARRAY_LEN(groups), &n);
        if (r <= 0)
            break;
        size_t start = (size_t)(groups[0].ptr - text.ptr), end = start + groups[0].len;
        if (!(groups[0].len == 0 && after_match && start == copied)) {
            buf_bytes(out, text.ptr + copied, start - copied);
            regex_expand(re, to, groups, n < ARRAY_LEN(groups) ? n : ARRAY_LEN(groups), out);
            copied = end;
            after_match = true;
        }
        from = end;
        if (groups[0].len == 0)
            for (from++; from < text.len && ((unsigned char)text.ptr[from] & 0xc0) == 0x80;)
                from++;
        if (buf_error(out) < 0)
            break;
    }
    buf_span(out, span_from(text, copied));
    return 0;
}

FUNCTION(re_replace_all)
{
    struct span pattern, to, text;
    struct regex *re;
    struct parse_error error;
    if (!template_to_text(run, &args[0], &pattern) || !template_to_text(run, &args[1], &to) ||
        !template_to_text(run, &args[2], &text))
        return false;
    if (regex_compile(pattern, 0, &re, &error) < 0)
        return template_fail(run, "error parsing regexp: %s", error.text);
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    (void)replace_all(re, to, text, &b);
    regex_free(re);
    return template_take_text(run, &b, ret);
}

/* ---- links ---- */
FUNCTION(url_query_escape)
{
    struct span s;
    if (!template_to_text(run, &args[0], &s))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    for (size_t i = 0; i < s.len; i++) { /* url.QueryEscape: as url_encode, but a blank is '+' */
        if (s.ptr[i] == ' ')
            buf_char(&b, '+');
        else
            url_encode(&b, span_of(s.ptr + i, 1));
    }
    return template_take_text(run, &b, ret);
}

static bool link_to(struct template_run *run, const struct template_value *v, int tab, struct template_value *ret)
{
    struct template_value escaped;
    if (!url_query_escape(run, v, 1, &escaped))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    buf_printf(&b, "/graph?g0.expr=" SPAN_FMT "&g0.tab=%d", SPAN_ARG(escaped.text), tab);
    return template_take_text(run, &b, ret);
}
FUNCTION(graph_link)
{
    return link_to(run, &args[0], 0, ret);
}
FUNCTION(table_link)
{
    return link_to(run, &args[0], 1, ret);
}

FUNCTION(external_url)
{
    *ret = run->variables[VARIABLE_EXTERNAL_URL];
    return true;
}
FUNCTION(path_prefix)
{
    struct url u;
    const char *why;
    bool ok = url_parse(&u, run->variables[VARIABLE_EXTERNAL_URL].text, &why) == 0;
    *ret = template_text(ok ? u.path : (struct span){NULL, 0});
    return true;
}
FUNCTION(same) /* safeHtml: nothing here is HTML */
{
    struct span s;
    if (!template_to_text(run, &args[0], &s))
        return false;
    *ret = args[0];
    return true;
}

const struct template_function TEMPLATE_TEXT_FUNCTIONS[] = {
    {"title", 1, 1, title},
    {"toUpper", 1, 1, to_upper},
    {"toLower", 1, 1, to_lower},
    {"stripPort", 1, 1, strip_port},
    {"stripDomain", 1, 1, strip_domain},
    {"match", 2, 2, match},
    {"reReplaceAll", 3, 3, re_replace_all},
    {"urlQueryEscape", 1, 1, url_query_escape},
    {"graphLink", 1, 1, graph_link},
    {"tableLink", 1, 1, table_link},
    {"externalURL", 0, 0, external_url},
    {"pathPrefix", 0, 0, path_prefix},
    {"safeHtml", 1, 1, same},
    {0},
};
