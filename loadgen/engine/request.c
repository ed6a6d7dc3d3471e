#include "loadgen/engine/request.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/engine/credentials.h"
#include "loadgen/engine/digest.h"
#include "loadgen/engine/multipart.h"
#include "loadgen/engine/route.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/json_text.h"

#define URL_BYTES_MAX (64u << 10) /* servers refuse at 8 to 32 KB */
#define HEADERS_BYTES_MAX (256u << 10)

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_r = (call);                                                                                            \
        if (try_r < 0)                                                                                                 \
            return try_r;                                                                                              \
    } while (0)

void request_init(struct request *rq)
{
    *rq = (struct request){0};
    buf_init(&rq->url, URL_BYTES_MAX);
    buf_init(&rq->origin, URL_BYTES_MAX);
    buf_init(&rq->known, URL_BYTES_MAX);
    buf_init(&rq->challenge, HEADERS_BYTES_MAX);
    buf_init(&rq->body, BODY_BYTES_MAX);
    buf_init(&rq->headers, HEADERS_BYTES_MAX);
    entry_options_init(&rq->options);
}

void request_done(struct request *rq)
{
    buf_done(&rq->url);
    buf_done(&rq->origin);
    buf_done(&rq->known);
    buf_done(&rq->challenge);
    buf_done(&rq->body);
    buf_done(&rq->headers);
    entry_options_done(&rq->options);
    free(rq->lines);
    rq->lines = NULL;
}

PRINTF_LIKE(3, 4)
static int fail(struct hurl_failure *why, struct hurl_place at, const char *format, ...)
{
    why->kind = HURL_FAILED_RUN;
    why->at = at;
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return -EINVAL;
}

/* ---- URL ---- */

static bool is_letter(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

/* May it not stand in a URL? */
static bool is_foreign(char c)
{
    if (is_letter(c)) /* most are */
        return false;
    return (unsigned char)c <= 0x20 || (unsigned char)c >= 0x7f || c == '"' || c == '<' || c == '>';
}

/* Can the URL go as it is? The origin that was asked last could. */
static bool is_sendable(const struct request *rq)
{
    struct span url = buf_view(&rq->url), known = buf_view(&rq->known);
    for (size_t i = span_starts(url, known) ? known.len : 0; i < url.len; i++)
        if (is_foreign(url.ptr[i]) || url.ptr[i] == '#')
            return false;
    return true;
}

/* What no URL may hold, from rendered values, percent-encoded; a fragment stays at home. */
static void append_url(struct buf *out, struct span text)
{
    text.len = span_find(text, '#');
    for (size_t i = 0, good; i < text.len; i++) {
        for (good = i; i < text.len && !is_foreign(text.ptr[i]);)
            i++;
        buf_span(out, span_of(text.ptr + good, i - good));
        if (i < text.len)
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
    }
}

static void append_origin(struct buf *out, const struct url *u)
{
    bool v6 = span_find(u->host, ':') < u->host.len;
    buf_printf(out, SPAN_FMT "://%s" SPAN_FMT "%s:%u", SPAN_ARG(u->scheme), v6 ? "[" : "", SPAN_ARG(u->host),
               v6 ? "]" : "", (unsigned)u->port);
}

/* The URL begins with the origin that was asked last: what is left are path and query. append_url has let nothing into them that a URL may not
 * hold. */
static bool aim_as_before(struct request *rq)
{
    struct span rest = buf_view(&rq->url);
    if (rq->known.len == 0 || !span_starts(rest, buf_view(&rq->known)))
        return false;
    rest = span_of(rest.ptr + rq->known.len, rest.len - rq->known.len);
    if (rest.len && rest.ptr[0] != '/' && rest.ptr[0] != '?')
        return false;
    size_t path = span_find(rest, '?');
    rq->at = rq->known_url;
    rq->at.path = span_of(rest.ptr, path);
    if (path < rest.len)
        rq->at.query = span_of(rest.ptr + path + 1, rest.len - path - 1);
    rq->out.url = rq->url.data;
    return true;
}

/* The next URL will likely have the same origin. */
static void remember_origin(struct request *rq)
{
    const char *why;
    buf_clear(&rq->known);
    if (rq->at.path.len == 0)
        return;
    buf_span(&rq->known, span_of(rq->url.data, (size_t)(rq->at.path.ptr - rq->url.data)));
    if (buf_error(&rq->known) || url_parse(&rq->known_url, buf_view(&rq->known), &why) < 0)
        buf_clear(&rq->known);
}

MUST_USE static int permit(const struct run_config *c, struct span host, uint16_t port, struct hurl_place at,
                           struct hurl_failure *why)
{
    if (allow_hosts_permits(c->allow, host, port))
        return 0;
    fail(why, at, "no load to '" SPAN_FMT ":%u': it is not loopback; name it in a file given with --allow-hosts FILE",
         SPAN_ARG(host), (unsigned)port);
    return -EPERM;
}

/* rq->url is complete as the journey means it: send it to the target instead, and see whether load may go there. `from` is the origin that
 * counts as the journey's own; NULL: this URL's. */
MUST_USE static int aim(struct request *rq, const struct run_config *c, bool first, struct hurl_place at,
                        struct hurl_failure *why)
{
    struct url u;
    const char *reason;
    if (buf_error(&rq->url))
        return buf_error(&rq->url) == -ENOSPC ? fail(why, at, "the URL is longer than %u bytes", URL_BYTES_MAX)
                                              : -ENOMEM;
    if (!c->target && !rq->out.route && aim_as_before(rq))
        return 0;
    if (url_parse(&u, buf_view(&rq->url), &reason) < 0)
        return fail(why, at, "the URL '%.100s' cannot be asked: %s", rq->url.data, reason);
    if (c->target) {
        struct buf mine, aimed;
        buf_init(&mine, URL_BYTES_MAX);
        buf_init(&aimed, URL_BYTES_MAX);
        append_origin(&mine, &u);
        if (first) {
            buf_clear(&rq->origin);
            buf_span(&rq->origin, buf_view(&mine));
        }
        if (first || span_equal_nocase(buf_view(&mine), buf_view(&rq->origin))) {
            append_origin(&aimed, c->target);
            buf_span(&aimed, u.path);
            if (u.query.ptr) {
                buf_char(&aimed, '?');
                buf_span(&aimed, u.query);
            }
            buf_clear(&rq->url);
            buf_span(&rq->url, buf_view(&aimed));
        }
        buf_done(&mine);
        buf_done(&aimed);
        if (buf_error(&rq->url) || url_parse(&u, buf_view(&rq->url), &reason) < 0)
            return -ENOMEM;
    }
    struct span host = u.host;
    uint16_t port = u.port;
    if (route_target(rq->out.route, &host, &port))
        TRY(permit(c, host, port, at, why));
    if (route_proxy(rq->out.route, &host, &port))
        TRY(permit(c, host, port, at, why));
    rq->out.url = rq->url.data;
    rq->at = u;
    if (!rq->out.route) /* with one the URL may name a host that only the route permits */
        remember_origin(rq);
    return 0;
}

MUST_USE static int append_pairs(struct buf *out, struct hurl_scope *s, const struct hurl_pair *pairs, size_t n,
                                 bool more, struct hurl_failure *why)
{
    struct buf text;
    buf_init(&text, URL_BYTES_MAX * 16);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        if (more || i)
            buf_char(out, '&');
        buf_clear(&text);
        r = hurl_render(s, &pairs[i].key, &text, why);
        url_encode(out, buf_view(&text));
        buf_char(out, '=');
        buf_clear(&text);
        if (r == 0)
            r = hurl_render(s, &pairs[i].value, &text, why);
        url_encode(out, buf_view(&text));
    }
    buf_done(&text);
    return r;
}

MUST_USE static int build_url(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                              struct hurl_failure *why)
{
    buf_clear(&rq->url);
    int r = hurl_render(s, &q->url, &rq->url, why);
    if (r == 0 && !is_sendable(rq)) {
        size_t n;
        AUTO_FREE char *text = buf_take(&rq->url, &n);
        if (!text)
            return -ENOMEM;
        append_url(&rq->url, span_of(text, n));
    }
    if (buf_error(&rq->url))
        return 0; /* aim() says so */
    if (r == 0 && q->n_query) {
        bool asks = span_find(buf_view(&rq->url), '?') < rq->url.len;
        if (!asks)
            buf_char(&rq->url, '?');
        r = append_pairs(&rq->url, s, q->query, q->n_query, asks, why);
    }
    return r;
}

/* ---- body ---- */

MUST_USE static int build_graphql(struct request *rq, struct hurl_scope *s, const struct hurl_body *b,
                                  struct hurl_failure *why)
{
    struct buf text;
    buf_init(&text, BODY_BYTES_MAX);
    int r = hurl_render(s, &b->text, &text, why);
    buf_str(&rq->body, "{\"query\":\"");
    json_text_escape(&rq->body, buf_view(&text));
    buf_char(&rq->body, '"');
    buf_done(&text);
    if (r == 0 && b->has_variables) {
        buf_str(&rq->body, ",\"variables\":");
        r = hurl_render(s, &b->variables, &rq->body, why);
    }
    buf_char(&rq->body, '}');
    return r;
}

/* Sets out.body and type. */
MUST_USE static int build_body(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                               struct hurl_failure *why)
{
    static const char *const TYPES[] = {
        [HURL_BODY_JSON] = "application/json",
        [HURL_BODY_XML] = "application/xml",
        [HURL_BODY_GRAPHQL] = "application/json",
        [HURL_BODY_FILE] = NULL,
    };
    int r = 0;
    struct span bytes;
    rq->type[0] = '\0';
    buf_clear(&rq->body);
    rq->out.has_body = true;
    if (q->body.kind == HURL_BODY_NONE && q->n_form) {
        snprintf(rq->type, sizeof rq->type, "application/x-www-form-urlencoded");
        r = append_pairs(&rq->body, s, q->form, q->n_form, false, why);
    } else if (q->body.kind == HURL_BODY_NONE && q->n_multipart) {
        r = multipart_build(s, q->multipart, q->n_multipart, &rq->body, rq->type, sizeof rq->type, why);
    } else if (q->body.kind == HURL_BODY_NONE) {
        rq->out.has_body = false;
    } else {
        snprintf(rq->type, sizeof rq->type, "%s", TYPES[q->body.kind] ? TYPES[q->body.kind] : "");
        if (q->body.kind == HURL_BODY_BYTES) {
            buf_span(&rq->body, q->body.bytes);
        } else if (q->body.kind == HURL_BODY_FILE) {
            r = hurl_file_bytes(s, &q->body.text, q->body.at, &bytes, why);
            if (r == 0)
                buf_span(&rq->body, bytes);
        } else if (q->body.kind == HURL_BODY_GRAPHQL)
            r = build_graphql(rq, s, &q->body, why);
        else
            r = hurl_render(s, &q->body.text, &rq->body, why);
    }
    if (r == 0)
        r = buf_error(&rq->body);
    if (r == -ENOSPC)
        r = fail(why, q->at, "the body is over %u bytes", BODY_BYTES_MAX);
    rq->out.body = buf_view(&rq->body);
    return r;
}

/* ---- headers ---- */

static void end_header(struct request *rq)
{
    buf_bytes(&rq->headers, "", 1); /* the NUL between lines */
    rq->out.n_headers++;
}

static void add_header(struct request *rq, const char *name, struct span value)
{
    size_t n = strlen(name);
    char *at = buf_reserve(&rq->headers, n + 2 + value.len + 1);
    if (!at)
        return; /* the error stays in the buffer */
    memcpy(at, name, n);
    memcpy(at + n, ": ", 2);
    if (value.len)
        memcpy(at + n + 2, value.ptr, value.len);
    at[n + 2 + value.len] = '\0';
    buf_grew(&rq->headers, n + 2 + value.len + 1);
    rq->out.n_headers++;
}

/* "user:password" -> Authorization */
static void add_basic(struct request *rq, struct span credentials)
{
    buf_str(&rq->headers, "Authorization: Basic ");
    base64_encode(&rq->headers, credentials, false);
    end_header(rq);
}

/* Line ends in a header would be two headers. */
MUST_USE static int check_header(const struct request *rq, size_t from, struct hurl_place at, struct hurl_failure *why)
{
    for (size_t i = from; i < rq->headers.len; i++)
        if (rq->headers.data[i] == '\n' || rq->headers.data[i] == '\r' || rq->headers.data[i] == '\0')
            return fail(why, at, "a header cannot hold a line end");
    return 0;
}

struct known_headers {
    bool content_type, authorization, user_agent;
};

MUST_USE static int add_written_headers(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                                        struct buf *cookies, struct known_headers *known, struct hurl_failure *why)
{
    for (size_t i = 0; i < q->n_headers; i++) {
        struct span key;
        TRY(hurl_text(s, &q->headers[i].key, &key, why));
        if (span_equal_nocase(key, SPAN("cookie"))) { /* goes with those of the jar */
            if (rq->drop_credentials)
                continue;
            if (cookies->len)
                buf_str(cookies, "; ");
            TRY(hurl_render(s, &q->headers[i].value, cookies, why));
            continue;
        }
        known->content_type |= span_equal_nocase(key, SPAN("content-type"));
        known->user_agent |= span_equal_nocase(key, SPAN("user-agent"));
        bool authorization = span_equal_nocase(key, SPAN("authorization"));
        known->authorization |= authorization;
        if (authorization && rq->drop_credentials)
            continue;
        size_t from = rq->headers.len;
        buf_span(&rq->headers, key);
        buf_str(&rq->headers, ": ");
        TRY(hurl_render(s, &q->headers[i].value, &rq->headers, why));
        TRY(check_header(rq, from, q->headers[i].at, why));
        end_header(rq);
    }
    return 0;
}

/* `header` of [Options] and of the command line. */
MUST_USE static int add_option_headers(struct request *rq, struct hurl_scope *s, const struct hurl_option *options,
                                       size_t n, struct known_headers *known, struct hurl_failure *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct hurl_option *o = &options[i];
        struct span text;
        if (o->def->kind != HURL_OPTION_HEADER)
            continue;
        TRY(hurl_text(s, &o->text, &text, why));
        size_t from = rq->headers.len, colon = span_find(text, ':');
        if (colon == text.len)
            return fail(why, o->at, "header needs 'Name: value'");
        struct span name = span_trim(span_of(text.ptr, colon));
        known->content_type |= span_equal_nocase(name, SPAN("content-type"));
        known->authorization |= span_equal_nocase(name, SPAN("authorization"));
        buf_span(&rq->headers, name);
        buf_str(&rq->headers, ": ");
        buf_span(&rq->headers, span_trim(span_from(text, colon + 1)));
        TRY(check_header(rq, from, o->at, why));
        end_header(rq);
    }
    return 0;
}

/* Of path and query, as the request line has them. */
static struct span target_of(struct span url)
{
    struct span rest = span_from(url, span_search(url, SPAN("://")) + 3);
    size_t slash = span_find(rest, '/'), asks = span_find(rest, '?');
    return span_from(rest, slash < asks ? slash : asks);
}

MUST_USE static int add_digest(struct request *rq, struct hurl_scope *s, struct span credentials)
{
    struct digest_challenge challenge;
    char cnonce[17];
    if (digest_challenge_read(buf_view(&rq->challenge), &challenge) < 0)
        return 0;
    snprintf(cnonce, sizeof cnonce, "%016llx", (unsigned long long)rng_next(s->rng));
    size_t colon = span_find(credentials, ':');
    struct span target = target_of(buf_view(&rq->url));
    struct digest_request q = {.method = span_str(rq->out.method),
                               .uri = target.len ? target : SPAN("/"),
                               .user = span_of(credentials.ptr, colon),
                               .password = span_from(credentials, colon + 1),
                               .cnonce = span_str(cnonce)};
    buf_str(&rq->headers, "Authorization: ");
    TRY(digest_answer(&rq->headers, &challenge, &q));
    end_header(rq);
    return 0;
}

MUST_USE static int add_authorization(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                                      struct hurl_failure *why)
{
    const struct entry_options *o = &rq->options;
    if (!q->n_basic_auth && !o->user && !rq->at.user.ptr && !o->netrc && !o->netrc_optional && !o->netrc_file)
        return 0;
    struct buf credentials;
    buf_init(&credentials, HEADERS_BYTES_MAX);
    int r = credentials_find(&credentials, s, q, &rq->options, &rq->at, why);
    if (r == 0 && credentials.len && rq->options.digest)
        r = add_digest(rq, s, buf_view(&credentials));
    else if (r == 0 && credentials.len)
        add_basic(rq, buf_view(&credentials));
    buf_done(&credentials);
    return r;
}

/* Those that the journey writes (some stand in `written` already), then the jar's. */
MUST_USE static int add_cookies(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                                struct cookie_jar *jar, struct buf *written, struct hurl_failure *why)
{
    struct buf *out = &rq->headers;
    if (!written->len && !q->n_cookies && !cookie_jar_count(jar))
        return 0;
    for (size_t i = 0; i < q->n_cookies && !rq->drop_credentials; i++) {
        if (written->len)
            buf_str(written, "; ");
        TRY(hurl_render(s, &q->cookies[i].key, written, why));
        buf_char(written, '=');
        TRY(hurl_render(s, &q->cookies[i].value, written, why));
    }
    size_t from = out->len;
    buf_str(out, "Cookie: ");
    size_t first = out->len;
    buf_span(out, buf_view(written));
    if (cookie_jar_count(jar)) {
        size_t before = out->len;
        if (before > first)
            buf_str(out, "; ");
        if (cookie_jar_header(jar, &rq->at, unix_ms(), out) == 0)
            buf_truncate(out, before);
    }
    if (out->len == first) {
        buf_truncate(out, from);
        return 0;
    }
    TRY(check_header(rq, from, q->at, why));
    end_header(rq);
    return 0;
}

MUST_USE static int list_headers(struct request *rq)
{
    if (buf_error(&rq->headers))
        return -ENOMEM;
    if (rq->out.n_headers > rq->lines_cap) {
        const char **lines = realloc(rq->lines, (rq->out.n_headers + 8) * sizeof *lines);
        if (!lines)
            return -ENOMEM;
        rq->lines = lines;
        rq->lines_cap = rq->out.n_headers + 8;
    }
    const char *at = rq->headers.data;
    for (size_t i = 0; i < rq->out.n_headers; i++) {
        rq->lines[i] = at;
        at += strlen(at) + 1;
    }
    rq->out.headers = rq->lines;
    return 0;
}

MUST_USE static int build_headers(struct request *rq, struct hurl_scope *s, const struct hurl_request *q,
                                  struct cookie_jar *jar, const struct run_config *c, struct hurl_failure *why)
{
    struct known_headers known = {0};
    struct buf cookies;
    buf_init(&cookies, HEADERS_BYTES_MAX);
    buf_clear(&rq->headers);
    rq->out.n_headers = 0;
    int r = add_written_headers(rq, s, q, &cookies, &known, why);
    if (r == 0)
        r = add_option_headers(rq, s, c->options, c->n_options, &known, why);
    if (r == 0)
        r = add_option_headers(rq, s, q->options, q->n_options, &known, why);
    if (r == 0 && !known.authorization && !rq->drop_credentials)
        r = add_authorization(rq, s, q, why);
    if (r == 0)
        r = add_cookies(rq, s, q, jar, &cookies, why);
    buf_done(&cookies);
    if (r < 0)
        return r;
    if (rq->out.has_body && rq->type[0] && !known.content_type)
        add_header(rq, "Content-Type", span_str(rq->type));
    if (rq->user_agent && !known.user_agent)
        add_header(rq, "User-Agent", span_str(rq->user_agent));
    if (c->run_header)
        add_header(rq, "X-Crest-Run", span_str(c->run_header));
    return list_headers(rq);
}

int request_build(struct request *rq, struct hurl_scope *s, const struct hurl_entry *e, struct cookie_jar *jar,
                  const struct run_config *c, struct hurl_failure *why)
{
    const struct hurl_request *q = &e->request;
    if (e->clears_jar)
        cookie_jar_clear(jar);
    for (size_t i = 0; i < e->n_jar_cookies; i++)
        TRY(cookie_jar_add(jar, e->jar_cookies[i], unix_ms()));
    rq->entry = e;
    rq->drop_credentials = false;
    buf_clear(&rq->challenge);
    rq->out.method = q->method.ptr;
    TRY(build_url(rq, s, q, why));
    TRY(aim(rq, c, true, q->url.at, why));
    TRY(build_body(rq, s, q, why));
    return build_headers(rq, s, q, jar, c, why);
}

/* ---- answers that ask for another request ---- */

int request_answer_challenge(struct request *rq, struct hurl_scope *s, struct span headers, struct cookie_jar *jar,
                             const struct run_config *c, struct hurl_failure *why)
{
    struct digest_challenge challenge;
    struct span value;
    if (!rq->options.digest || rq->challenge.len)
        return 0;
    for (size_t i = 0; hurl_header(headers, SPAN("www-authenticate"), i, &value); i++) {
        if (digest_challenge_read(value, &challenge) < 0)
            continue;
        buf_span(&rq->challenge, value);
        int r = buf_error(&rq->challenge);
        if (r == 0)
            r = build_headers(rq, s, &rq->entry->request, jar, c, why);
        return r < 0 ? r : 1;
    }
    return 0;
}

bool request_redirects(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool same_host(const struct url *a, const struct url *b)
{
    return span_equal_nocase(a->host, b->host) && a->port == b->port && span_equal_nocase(a->scheme, b->scheme);
}

int request_follow(struct request *rq, struct hurl_scope *s, struct span location, int status, struct cookie_jar *jar,
                   const struct run_config *c, struct hurl_failure *why)
{
    const struct hurl_request *q = &rq->entry->request;
    const char *reason;
    AUTO_FREE char *from = span_dup(buf_view(&rq->url));
    struct url before;
    if (!from || url_parse(&before, span_str(from), &reason) < 0)
        return -ENOMEM;
    struct buf next;
    buf_init(&next, URL_BYTES_MAX);
    int r = url_resolve(&next, &before, location);
    buf_clear(&rq->url);
    append_url(&rq->url, buf_view(&next));
    buf_done(&next);
    if (r < 0)
        return fail(why, q->at, "the redirect to '" SPAN_FMT "' cannot be followed",
                    SPAN_ARG(span_of(location.ptr, location.len > 100 ? 100 : location.len)));
    TRY(aim(rq, c, false, q->at, why));
    if (!same_host(&before, &rq->at) && !rq->options.location_trusted)
        rq->drop_credentials = true;
    /* as hurl: 301 to 303 make a GET of everything but HEAD */
    if (status <= 303 && strcmp(rq->out.method, "HEAD") != 0) {
        rq->out.method = "GET";
        rq->out.has_body = false;
        rq->out.body = (struct span){0};
    }
    return build_headers(rq, s, q, jar, c, why);
}
