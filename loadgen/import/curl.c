#include "loadgen/import/curl.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/words.h"
#include "loadgen/import/bodies.h"
#include "loadgen/import/shell_words.h"

struct command {
    struct journey_draft *d;
    struct problems *ps;
    const char *file;
    const struct shell_word *at; /* the option, for messages */
    struct span urls[64];
    size_t n_urls;
    struct draft_request q;
    struct buf data, query; /* of -d and its kin; of --url-query */
    bool has_data, get, head, data_is_file, json;
    struct span data_file;
    struct span method, user, bearer;
};

static void warn(struct command *c, const char *words, struct span what)
{
    problem_add(c->ps, PROBLEM_WARNING, c->file, c->at->line, c->at->column, "%s '" SPAN_FMT "'", words,
                SPAN_ARG(what));
}

/* ---- options: what each does with its value ---- */

typedef int (*option_function)(struct command *c, struct span value);

MUST_USE static int add_header(struct command *c, struct span value)
{
    size_t colon = span_find(value, ':');
    if (span_starts(value, SPAN("@"))) {
        warn(c, "headers of a file are not read:", value);
        return 0;
    }
    struct span name = span_trim(span_of(value.ptr, colon));
    bool empty = false;
    if (colon == value.len && value.len && value.ptr[value.len - 1] == ';') { /* "Name;" is a header without a value */
        name = span_trim(span_of(value.ptr, value.len - 1));
        empty = true;
    }
    struct span text = empty ? SPAN("") : span_trim(span_from(value, colon + 1));
    if (name.len == 0 || (colon == value.len && !empty)) {
        warn(c, "this is no header:", value);
        return 0;
    }
    if (text.len == 0 && !empty)
        return 0; /* "Name:" takes a header away that curl would send by itself */
    if (span_equal_nocase(name, SPAN("Content-Length")) || span_equal_nocase(name, SPAN("Host")) ||
        span_equal_nocase(name, SPAN("Accept-Encoding")) || span_equal_nocase(name, SPAN("Connection")))
        return 0; /* the engine's own business */
    return draft_pair_add(c->d, &c->q.headers, draft_text(c->d, name), draft_text(c->d, text));
}

MUST_USE static int named_header(struct command *c, struct span name, struct span value)
{
    return draft_pair_add(c->d, &c->q.headers, name, draft_text(c->d, value));
}

static int opt_user_agent(struct command *c, struct span value)
{
    return named_header(c, SPAN("User-Agent"), value);
}
static int opt_referer(struct command *c, struct span value)
{
    size_t part = span_search(value, SPAN(";auto"));
    return named_header(c, SPAN("Referer"), span_of(value.ptr, part));
}
static int opt_range(struct command *c, struct span value)
{
    struct buf text;
    buf_init(&text, value.len + 8);
    buf_str(&text, "bytes=");
    buf_span(&text, value);
    int r = named_header(c, SPAN("Range"), buf_view(&text));
    buf_done(&text);
    return r;
}
static int opt_method(struct command *c, struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 'A' || value.ptr[i] > 'Z') {
            warn(c, "a journey's methods are written in capitals, not", value);
            return 0;
        }
    c->method = value;
    return 0;
}
static int opt_url(struct command *c, struct span value)
{
    if (c->n_urls < ARRAY_LEN(c->urls))
        c->urls[c->n_urls++] = value;
    else
        warn(c, "more URLs than one command may have:", value);
    return 0;
}

static void join_data(struct command *c)
{
    if (c->has_data)
        buf_char(&c->data, '&');
    c->has_data = true;
}
static int data_of_file(struct command *c, struct span name)
{
    if (c->has_data || span_equal(name, SPAN("-")))
        warn(c, "a body is one file or texts, left out:", name);
    else
        c->data_file = name;
    c->data_is_file = c->data_is_file || c->data_file.len;
    return 0;
}
static int opt_data_raw(struct command *c, struct span value)
{
    join_data(c);
    buf_span(&c->data, value);
    return 0;
}
static int opt_data(struct command *c, struct span value)
{
    return span_starts(value, SPAN("@")) ? data_of_file(c, span_from(value, 1)) : opt_data_raw(c, value);
}
static int opt_json(struct command *c, struct span value)
{
    c->json = true;
    if (span_starts(value, SPAN("@")))
        return data_of_file(c, span_from(value, 1));
    c->has_data = true; /* several are joined without a mark */
    buf_span(&c->data, value);
    return 0;
}
/* content, =content, name=content; @file and name@file are not read. */
static void put_urlencoded(struct command *c, struct buf *out, struct span value)
{
    size_t equals = span_find(value, '='), at = span_find(value, '@');
    if (at < equals) {
        warn(c, "a file's text cannot be encoded into a journey:", value);
        return;
    }
    if (equals < value.len) {
        if (equals) {
            buf_span(out, span_of(value.ptr, equals));
            buf_char(out, '=');
        }
        value = span_from(value, equals + 1);
    }
    url_encode(out, value);
}
static int opt_data_urlencode(struct command *c, struct span value)
{
    join_data(c);
    put_urlencoded(c, &c->data, value);
    return 0;
}
static int opt_url_query(struct command *c, struct span value)
{
    if (c->query.len)
        buf_char(&c->query, '&');
    if (span_starts(value, SPAN("+")))
        buf_span(&c->query, span_from(value, 1));
    else
        put_urlencoded(c, &c->query, value);
    return 0;
}

/* name=value, name=@file;type=…, name=<file */
static int form_field(struct command *c, struct span value, bool plain)
{
    size_t equals = span_find(value, '=');
    if (equals == value.len || equals == 0) {
        warn(c, "this is no form field:", value);
        return 0;
    }
    struct span name = draft_text(c->d, span_of(value.ptr, equals)), text = span_from(value, equals + 1), type = {0};
    c->q.body_kind = DRAFT_MULTIPART;
    if (plain || text.len == 0 || (text.ptr[0] != '@' && text.ptr[0] != '<')) {
        size_t end = plain ? text.len : span_search(text, SPAN(";type="));
        if (text.len > 1 && text.ptr[0] == '"' && text.ptr[end - 1] == '"' && !plain && end > 1)
            return draft_pair_add(c->d, &c->q.fields, name, draft_text(c->d, span_of(text.ptr + 1, end - 2)));
        return draft_pair_add(c->d, &c->q.fields, name, draft_text(c->d, span_of(text.ptr, end)));
    }
    if (text.ptr[0] == '<')
        warn(c, "sent as a file, not as text:", text);
    text = span_from(text, 1);
    size_t end = span_find(text, ';'), type_at = span_search(text, SPAN(";type="));
    if (type_at < text.len) {
        type = span_from(text, type_at + 6);
        type.len = span_find(type, ';');
    }
    return draft_pair_add(c->d, &c->q.fields, name, draft_file(c->d, span_of(text.ptr, end), type));
}
static int opt_form(struct command *c, struct span value)
{
    return form_field(c, value, false);
}
static int opt_form_string(struct command *c, struct span value)
{
    return form_field(c, value, true);
}
static int opt_user(struct command *c, struct span value)
{
    c->user = value;
    return 0;
}
static int opt_bearer(struct command *c, struct span value)
{
    c->bearer = value;
    return 0;
}
static int opt_cookie(struct command *c, struct span value)
{
    struct span piece;
    if (span_find(value, '=') == value.len) {
        warn(c, "cookies of a file are not read:", value);
        return 0;
    }
    while (span_cut(&value, ';', &piece)) {
        piece = span_trim(piece);
        size_t equals = span_find(piece, '=');
        if (equals == piece.len || equals == 0)
            continue;
        int r = draft_pair_add(c->d, &c->q.cookies, draft_text(c->d, span_of(piece.ptr, equals)),
                               draft_text(c->d, span_from(piece, equals + 1)));
        if (r < 0)
            return r;
    }
    return 0;
}
static int opt_get(struct command *c, struct span value)
{
    (void)value;
    c->get = true;
    return 0;
}
static int opt_head(struct command *c, struct span value)
{
    (void)value;
    c->head = true;
    return 0;
}
static int opt_upload(struct command *c, struct span value)
{
    c->method = c->method.len ? c->method : SPAN("PUT");
    return data_of_file(c, value);
}

enum value { NO, YES };
static const struct curl_option {
    const char *name;
    char letter;
    enum value value;
    option_function take; /* or … */
    const char *hurl;     /* … the option of the language; NULL and no function: changes nothing in the request */
    bool unit_s;          /* of curl's seconds */
} OPTIONS[] = {
    {"request", 'X', YES, opt_method, NULL, false},
    {"header", 'H', YES, add_header, NULL, false},
    {"data", 'd', YES, opt_data, NULL, false},
    {"data-ascii", 0, YES, opt_data, NULL, false},
    {"data-raw", 0, YES, opt_data_raw, NULL, false},
    {"data-binary", 0, YES, opt_data, NULL, false},
    {"data-urlencode", 0, YES, opt_data_urlencode, NULL, false},
    {"json", 0, YES, opt_json, NULL, false},
    {"form", 'F', YES, opt_form, NULL, false},
    {"form-string", 0, YES, opt_form_string, NULL, false},
    {"user", 'u', YES, opt_user, NULL, false},
    {"oauth2-bearer", 0, YES, opt_bearer, NULL, false},
    {"cookie", 'b', YES, opt_cookie, NULL, false},
    {"user-agent", 'A', YES, opt_user_agent, NULL, false},
    {"referer", 'e', YES, opt_referer, NULL, false},
    {"range", 'r', YES, opt_range, NULL, false},
    {"get", 'G', NO, opt_get, NULL, false},
    {"head", 'I', NO, opt_head, NULL, false},
    {"upload-file", 'T', YES, opt_upload, NULL, false},
    {"url", 0, YES, opt_url, NULL, false},
    {"url-query", 0, YES, opt_url_query, NULL, false},
    {"insecure", 'k', NO, NULL, "insecure", false},
    {"location", 'L', NO, NULL, "location", false},
    {"location-trusted", 0, NO, NULL, "location-trusted", false},
    {"max-redirs", 0, YES, NULL, "max-redirs", false},
    {"compressed", 0, NO, NULL, "compressed", false},
    {"max-time", 'm', YES, NULL, "max-time", true},
    {"connect-timeout", 0, YES, NULL, "connect-timeout", true},
    {"retry", 0, YES, NULL, "retry", false},
    {"http1.0", '0', NO, NULL, "http1.0", false},
    {"http1.1", 0, NO, NULL, "http1.1", false},
    {"http2", 0, NO, NULL, "http2", false},
    {"http3", 0, NO, NULL, "http3", false},
    {"ipv4", '4', NO, NULL, "ipv4", false},
    {"ipv6", '6', NO, NULL, "ipv6", false},
    {"path-as-is", 0, NO, NULL, "path-as-is", false},
    {"proxy", 'x', YES, NULL, "proxy", false},
    {"resolve", 0, YES, NULL, "resolve", false},
    {"connect-to", 0, YES, NULL, "connect-to", false},
    {"cacert", 0, YES, NULL, "cacert", false},
    {"cert", 'E', YES, NULL, "cert", false},
    {"key", 0, YES, NULL, "key", false},
    {"unix-socket", 0, YES, NULL, "unix-socket", false},
    {"limit-rate", 0, YES, NULL, "limit-rate", false},
    {"netrc", 'n', NO, NULL, "netrc", false},
    {"netrc-file", 0, YES, NULL, "netrc-file", false},
    {"netrc-optional", 0, NO, NULL, "netrc-optional", false},
    {"digest", 0, NO, NULL, "digest", false},
    {"ntlm", 0, NO, NULL, "ntlm", false},
    {"negotiate", 0, NO, NULL, "negotiate", false},
    {"aws-sigv4", 0, YES, NULL, "aws-sigv4", false},
    {"basic", 0, NO, NULL, NULL, false},
    {"silent", 's', NO, NULL, NULL, false},
    {"show-error", 'S', NO, NULL, NULL, false},
    {"verbose", 'v', NO, NULL, NULL, false},
    {"include", 'i', NO, NULL, NULL, false},
    {"fail", 'f', NO, NULL, NULL, false},
    {"fail-with-body", 0, NO, NULL, NULL, false},
    {"globoff", 'g', NO, NULL, NULL, false},
    {"progress-bar", '#', NO, NULL, NULL, false},
    {"no-progress-meter", 0, NO, NULL, NULL, false},
    {"no-buffer", 'N', NO, NULL, NULL, false},
    {"remote-name", 'O', NO, NULL, NULL, false},
    {"output", 'o', YES, NULL, NULL, false},
    {"write-out", 'w', YES, NULL, NULL, false},
    {"dump-header", 'D', YES, NULL, NULL, false},
    {"cookie-jar", 'c', YES, NULL, NULL, false},
    {"trace", 0, YES, NULL, NULL, false},
    {"trace-ascii", 0, YES, NULL, NULL, false},
    {"tlsv1.2", 0, NO, NULL, NULL, false},
    {"tlsv1.3", 0, NO, NULL, NULL, false},
    {"tcp-nodelay", 0, NO, NULL, NULL, false},
};

MUST_USE static int add_option(struct command *c, const struct curl_option *o, struct span value)
{
    if (o->take)
        return o->take(c, value);
    if (!o->hurl)
        return 0;
    const struct hurl_option_def *def = hurl_option_find(span_str(o->hurl));
    if (!def || !def->executed) {
        warn(c, "journeys do not have the option", span_str(o->name));
        return 0;
    }
    struct span text = o->value == YES ? draft_text(c->d, value) : SPAN("true");
    uint64_t whole;
    if ((def->type == HURL_OPTION_COUNT || def->type == HURL_OPTION_TIME) &&
        parse_u64_span(span_of(text.ptr, span_find(text, '.')), 1000000, &whole) < 0) {
        warn(c, "this is no number and left out:", value);
        return 0;
    }
    struct buf line;
    buf_init(&line, IMPORT_COMMAND_BYTES_MAX);
    for (size_t i = 0; i < text.len; i++) { /* one line; a comment or an expression of the language it is not */
        if (text.ptr[i] == '#' || text.ptr[i] == '\\')
            buf_char(&line, '\\');
        buf_char(&line, (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == '{' ? '_' : text.ptr[i]);
    }
    if (o->unit_s && span_find(text, '.') < text.len)
        warn(c, "whole seconds are kept of", text);
    if (o->unit_s)
        buf_truncate(&line, span_find(buf_view(&line), '.'));
    if (o->unit_s)
        buf_char(&line, 's');
    int r = buf_error(&line) ? -ENOMEM : draft_pair_add(c->d, &c->q.options, span_str(o->hurl), buf_view(&line));
    buf_done(&line);
    return r;
}

static const struct curl_option *find_option(struct span name, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++)
        if (letter ? OPTIONS[i].letter == letter : span_equal(span_str(OPTIONS[i].name), name))
            return &OPTIONS[i];
    return NULL;
}

MUST_USE static int value_missing(struct command *c, const char *option)
{
    problem_add(c->ps, PROBLEM_ERROR, c->file, c->at->line, c->at->column, "--%s needs a value", option);
    return -EINVAL;
}

/* -sSL, -XPOST: letters until one takes the rest, or the next word, as its value. */
MUST_USE static int letters(struct command *c, const struct shell_word *words, size_t n, size_t *i)
{
    struct span rest = span_from(words[*i].text, 1);
    while (rest.len) {
        const struct curl_option *o = find_option((struct span){0}, rest.ptr[0]);
        struct span letter = span_of(rest.ptr, 1);
        rest = span_from(rest, 1);
        if (!o) {
            warn(c, "this option of curl is not known here, the word is passed over: -", letter);
            return 0;
        }
        struct span value = {0};
        if (o->value == YES) {
            if (rest.len)
                value = rest;
            else if (*i + 1 < n)
                value = words[++*i].text;
            else
                return value_missing(c, o->name);
            rest = (struct span){0};
        }
        int r = add_option(c, o, value);
        if (r < 0)
            return r;
    }
    return 0;
}

MUST_USE static int long_option(struct command *c, const struct shell_word *words, size_t n, size_t *i)
{
    struct span name = span_from(words[*i].text, 2);
    const struct curl_option *o = find_option(name, 0);
    if (!o && span_starts(name, SPAN("no-")))
        return 0; /* --no-keepalive and its like say what is not to be done */
    if (!o) {
        warn(c, "this option of curl is not known here and left out: --", name);
        return 0;
    }
    struct span value = {0};
    if (o->value == YES) {
        if (*i + 1 >= n)
            return value_missing(c, o->name);
        value = words[++*i].text;
    }
    return add_option(c, o, value);
}

/* ---- the request ---- */

MUST_USE static int finish_body(struct command *c)
{
    struct draft_request *q = &c->q;
    const struct draft_pair *type = draft_pair_find(&q->headers, SPAN("Content-Type"));
    struct span content_type = type      ? type->value
                               : c->json ? SPAN("application/json")
                               : c->method.len && span_equal(c->method, SPAN("PUT")) && c->data_is_file && !c->has_data
                                   ? SPAN("")
                                   : SPAN("application/x-www-form-urlencoded");
    int r = 0;
    if (c->data_is_file && !c->has_data) {
        q->body_kind = DRAFT_FILE;
        q->body = draft_file(c->d, c->data_file, (struct span){0});
        if (!type && content_type.len)
            r = draft_pair_add(c->d, &q->headers, SPAN("Content-Type"), content_type);
    } else if (c->has_data && !c->get) {
        r = draft_set_body(c->d, q, content_type, buf_view(&c->data));
        if (r == 0 && q->body_kind == DRAFT_FORM && type) { /* the form says so itself */
            struct draft_pairs kept = {0};
            for (const struct draft_pair *p = q->headers.first; r == 0 && p; p = p->next)
                if (!span_equal_nocase(p->name, SPAN("Content-Type")))
                    r = draft_pair_add(c->d, &kept, p->name, p->value);
            q->headers = kept;
        }
    }
    if (r == 0 && c->json && !draft_pair_find(&q->headers, SPAN("Accept")))
        r = draft_pair_add(c->d, &q->headers, SPAN("Accept"), SPAN("application/json"));
    return r;
}

MUST_USE static int finish_credentials(struct command *c)
{
    if (c->bearer.len) {
        struct buf text;
        buf_init(&text, IMPORT_COMMAND_BYTES_MAX);
        buf_str(&text, "Bearer ");
        buf_span(&text, c->bearer);
        int r = named_header(c, SPAN("Authorization"), buf_view(&text));
        buf_done(&text);
        if (r < 0)
            return r;
    }
    size_t colon = span_find(c->user, ':');
    if (colon == 0 && c->user.len) { /* a token without a name: as a header */
        struct buf text;
        buf_init(&text, IMPORT_COMMAND_BYTES_MAX);
        buf_str(&text, "Basic ");
        base64_encode(&text, c->user, false);
        int r = named_header(c, SPAN("Authorization"), buf_view(&text));
        buf_done(&text);
        return r;
    }
    c->q.user = draft_text(c->d, span_of(c->user.ptr, colon));
    c->q.password = draft_text(c->d, span_from(c->user, colon + 1));
    return 0;
}

/* http:// in front where no scheme is, the query of -G behind, no fragment. */
static struct span whole_url(struct command *c, struct span url)
{
    struct buf out;
    buf_init(&out, IMPORT_COMMAND_BYTES_MAX);
    url = span_trim(url);
    url.len = span_find(url, '#');
    if (span_search(url, SPAN("://")) == url.len)
        buf_str(&out, "http://");
    if (span_find(url, '{') < url.len || span_find(url, '[') < url.len)
        warn(c, "sets of URLs are not expanded:", url);
    buf_span(&out, url);
    struct span extra[] = {buf_view(&c->query), c->get ? buf_view(&c->data) : SPAN("")};
    for (size_t i = 0; i < ARRAY_LEN(extra); i++)
        if (extra[i].len) {
            buf_char(&out, span_find(buf_view(&out), '?') < out.len ? '&' : '?');
            buf_span(&out, extra[i]);
        }
    struct span text = draft_text(c->d, buf_view(&out));
    buf_done(&out);
    return text;
}

MUST_USE static int finish(struct command *c)
{
    int r = finish_body(c);
    if (r == 0)
        r = finish_credentials(c);
    if (r == 0 && (buf_error(&c->data) || buf_error(&c->query)))
        r = -ENOMEM;
    if (r == 0 && c->n_urls == 0) {
        problem_add(c->ps, PROBLEM_ERROR, c->file, c->at->line, c->at->column, "this command has no URL");
        r = -EINVAL;
    }
    bool body = c->q.body_kind != DRAFT_NO_BODY;
    c->q.method = draft_text(c->d, c->method.len ? c->method
                                   : c->head     ? SPAN("HEAD")
                                   : body        ? SPAN("POST")
                                                 : SPAN("GET"));
    for (size_t i = 0; r == 0 && i < c->n_urls; i++) {
        struct draft_request *q = journey_add(c->d);
        if (!q && c->d->n < JOURNEY_STEPS_MAX)
            return -ENOMEM;
        if (!q) {
            problem_add(c->ps, PROBLEM_ERROR, c->file, c->at->line, c->at->column, "more than %u requests",
                        JOURNEY_STEPS_MAX);
            return -EINVAL;
        }
        struct span url = whole_url(c, c->urls[i]);
        c->q.url = url;
        *q = c->q;
    }
    return r;
}

/* The words of one command, "curl" first. */
MUST_USE static int one_command(struct journey_draft *d, struct problems *ps, const char *file,
                                const struct shell_word *words, size_t n)
{
    struct command c = {.d = d, .ps = ps, .file = file, .at = words};
    buf_init(&c.data, IMPORT_COMMAND_BYTES_MAX);
    buf_init(&c.query, IMPORT_COMMAND_BYTES_MAX);
    int r = 0;
    bool options = true;
    for (size_t i = 1; r == 0 && i < n; i++) {
        struct span text = words[i].text;
        c.at = &words[i];
        if (options && span_equal(text, SPAN("--")))
            options = false;
        else if (options && span_starts(text, SPAN("--")))
            r = long_option(&c, words, n, &i);
        else if (options && text.len > 1 && text.ptr[0] == '-')
            r = letters(&c, words, n, &i);
        else if (text.len)
            r = opt_url(&c, text);
    }
    c.at = words;
    if (r == 0)
        r = finish(&c);
    buf_done(&c.data);
    buf_done(&c.query);
    return r;
}

/* curl, /usr/bin/curl, curl.exe */
static bool is_curl(struct span word)
{
    for (size_t i = word.len; i > 0; i--)
        if (word.ptr[i - 1] == '/' || word.ptr[i - 1] == '\\') {
            word = span_from(word, i);
            break;
        }
    return span_equal(word, SPAN("curl")) || span_equal(word, SPAN("curl.exe"));
}

int import_curl(struct span text, const char *file, struct journey_draft *d, struct problems *ps)
{
    struct shell_word *words = NULL;
    size_t n = 0;
    if (span_search(text, SPAN("^\"")) < text.len)
        problem_add(ps, PROBLEM_WARNING, file, 1, 1,
                    "this looks like a command for Windows' cmd: copy it as cURL (bash) instead");
    int r = shell_words(&d->arena, text, file, &words, &n, ps);
    for (size_t i = 0, end; r == 0 && i < n; i = end) {
        end = i + 1;
        while (end < n && !words[end - 1].ends_command)
            end++;
        if (is_curl(words[i].text)) {
            r = one_command(d, ps, file, words + i, end - i);
        } else {
            problem_add(ps, PROBLEM_ERROR, file, words[i].line, words[i].column,
                        "expected a curl command, found '" SPAN_FMT "'",
                        SPAN_ARG(span_of(words[i].text.ptr, words[i].text.len < 60 ? words[i].text.len : 60)));
            r = -EINVAL;
        }
    }
    if (r == 0 && d->n == 0) {
        problem_add(ps, PROBLEM_ERROR, file, 0, 0, "no curl command stands here");
        r = -EINVAL;
    }
    return r;
}
