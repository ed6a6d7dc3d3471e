#include "loadgen/import/har_write.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/import/bodies.h"
#include "loadgen/import/json_get.h"
#include "loadgen/import/multipart_text.h"
#include "loadgen/import/url_pieces.h"

void har_writer_init(struct har_writer *w, struct journey_draft *d, const char *const *keep_headers, size_t n)
{
    *w = (struct har_writer){.draft = d, .keep_headers = keep_headers, .n_keep_headers = n};
    variable_names_init(&w->names);
    har_sources_init(&w->sources, d, &w->names);
    strmap_init(&w->secrets, HURL_VARIABLES_MAX);
    buf_init(&w->secret_list, CONFIG_BYTES_MAX);
}

void har_writer_done(struct har_writer *w)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&w->secrets, &at, &key, &value))
        free(value);
    strmap_done(&w->secrets);
    har_sources_done(&w->sources);
    variable_names_done(&w->names);
    buf_done(&w->secret_list);
}

/* ---- values ---- */

/* The variable of a secret, the same for the same value. */
MUST_USE static int put_secret(struct har_writer *w, struct buf *out, struct span hint, struct span value,
                               const char *filter)
{
    char *name = strmap_get(&w->secrets, value);
    if (!name) {
        struct buf text;
        buf_init(&text, 128);
        name_variable(&w->names, &text, hint);
        int r = buf_error(&text);
        if (r == 0)
            name = buf_take(&text, NULL);
        buf_done(&text);
        if (r < 0)
            return r;
        if (!name)
            return -ENOMEM;
        r = strmap_put(&w->secrets, value, name);
        if (r < 0) {
            free(name);
            return r;
        }
        buf_printf(&w->secret_list, "%s%s", w->n_secrets++ ? " " : "", name);
    }
    w->card_used = w->card_used || span_equal(hint, SPAN("card"));
    buf_char(out, DRAFT_OPEN);
    buf_str(out, name);
    buf_str(out, filter);
    buf_char(out, DRAFT_CLOSE);
    return 0;
}

/* What stands for itself: in a URL as it was sent, in JSON with its escapes, else as it is. */
enum place { IN_TEXT, IN_URL, IN_JSON };

static void put_plain(struct har_writer *w, struct buf *out, enum place place, struct span text)
{
    if (place == IN_JSON)
        json_text_escape(out, text);
    else
        buf_span(out, draft_text(w->draft, text));
}

/* A constant, card numbers in it taken out. */
MUST_USE static int put_constant(struct har_writer *w, struct buf *out, enum place place, struct span text)
{
    size_t start, len;
    int r = 0;
    while (r == 0 && find_card_number(text, &start, &len)) {
        put_plain(w, out, place, span_of(text.ptr, start));
        r = put_secret(w, out, SPAN("card"), span_of(text.ptr + start, len), place == IN_URL ? " urlEncode" : "");
        text = span_from(text, start + len);
    }
    put_plain(w, out, place, text);
    return r;
}

static bool needs_encoding(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr("-._~", c)))
            return true;
    }
    return false;
}

/* The variable of a value under one of the names; false: it is a constant. */
MUST_USE static int put_variable(struct har_writer *w, struct buf *out, enum place place, const struct span *names,
                                 size_t n, struct span value, bool *ret_put)
{
    struct span variable = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < n && variable.len == 0; i++)
        r = har_sources_find(&w->sources, names[i], value, &variable);
    *ret_put = variable.len > 0;
    if (r < 0 || variable.len == 0)
        return r;
    buf_char(out, DRAFT_OPEN);
    buf_span(out, variable);
    if (place == IN_URL && needs_encoding(value))
        buf_str(out, " urlEncode");
    buf_char(out, DRAFT_CLOSE);
    return 0;
}

static size_t digits_of(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] >= '0' && s.ptr[i] <= '9';
    return n;
}

/* A named value as a whole; `raw` is how it stands where it is a constant. */
MUST_USE static int put_value(struct har_writer *w, struct buf *out, enum place place, struct span name,
                              struct span value, struct span raw)
{
    bool put = false;
    if (is_card_number(value) || (is_card_name(name) && digits_of(value) >= 12))
        return put_secret(w, out, SPAN("card"), value, place == IN_URL ? " urlEncode" : "");
    int r = put_variable(w, out, place, &name, 1, value, &put);
    if (r < 0 || put)
        return r;
    if (is_secret_name(name) && value.len)
        return put_secret(w, out, name, value, place == IN_URL && needs_encoding(value) ? " urlEncode" : "");
    return put_constant(w, out, place, raw);
}

/* A text in which tokens stand: "Bearer TOKEN", a script's own format. *ret_put: a variable was put in. */
MUST_USE static int put_words(struct har_writer *w, struct buf *out, struct span name, struct span text, bool *ret_put)
{
    int r = put_variable(w, out, IN_TEXT, &name, 1, text, ret_put);
    if (r < 0 || *ret_put || text.len == 0)
        return r;
    size_t start = 0;
    for (size_t i = 0; r == 0 && i <= text.len; i++) {
        if (i < text.len && !strchr(" ;,=\"'&<>(){}[]|\t\r\n", text.ptr[i]))
            continue;
        struct span word = span_of(text.ptr + start, i - start);
        bool put = false;
        if (is_distinctive(word) && !is_card_number(word))
            r = put_variable(w, out, IN_TEXT, &name, 1, word, &put);
        if (r == 0 && !put)
            r = put_constant(w, out, IN_TEXT, word);
        *ret_put = *ret_put || put;
        if (i < text.len)
            put_plain(w, out, IN_TEXT, span_of(text.ptr + i, 1));
        start = i + 1;
    }
    return r;
}

/* ---- the URL ---- */

struct url_writing {
    struct har_writer *w;
    struct buf *out;
    const char *copied; /* up to here the URL is written */
    int r;
};

static void on_piece(void *ctx, const struct url_piece *p)
{
    struct url_writing *u = ctx;
    bool put = false;
    if (u->r < 0)
        return;
    buf_span(u->out, span_of(u->copied, (size_t)(p->raw.ptr - u->copied)));
    u->copied = p->raw.ptr + p->raw.len;
    if (p->in_query) {
        u->r = put_value(u->w, u->out, IN_URL, p->name, p->value, p->raw);
        return;
    }
    struct span names[] = {SPAN(URL_PIECE_NAME), SPAN("id"), p->name};
    if (p->is_id || is_distinctive(p->value))
        u->r = put_variable(u->w, u->out, IN_URL, names, ARRAY_LEN(names), p->value, &put);
    if (u->r == 0 && !put)
        u->r = put_constant(u->w, u->out, IN_URL, p->raw);
}

MUST_USE static int write_url(struct har_writer *w, struct span url, struct span *ret)
{
    struct buf out;
    bool ok = true;
    buf_init(&out, CONFIG_BYTES_MAX);
    url.len = span_find(url, '#');
    url = draft_text(w->draft, url);
    struct url_writing u = {w, &out, url.ptr, 0};
    int r = url_pieces(url, on_piece, &u);
    if (r == 0)
        r = u.r;
    buf_span(&out, span_of(u.copied, (size_t)(url.ptr + url.len - u.copied)));
    *ret = arena_span(&w->draft->arena, buf_view(&out), &ok);
    if (r == 0 && (!ok || buf_error(&out)))
        r = -ENOMEM;
    buf_done(&out);
    return r;
}

/* ---- headers ---- */

/* What belongs to the browser, the connection, the cookie jar or the cache, and what names the page that asked. */
static bool is_noise(struct span name)
{
    static const char *const NAMES[] = {"Host",
                                        "Connection",
                                        "Content-Length",
                                        "Accept-Encoding",
                                        "Cookie",
                                        "User-Agent",
                                        "Origin",
                                        "Referer",
                                        "Upgrade-Insecure-Requests",
                                        "Cache-Control",
                                        "Pragma",
                                        "If-None-Match",
                                        "If-Modified-Since",
                                        "If-Range",
                                        "DNT",
                                        "Priority",
                                        "TE",
                                        "Keep-Alive",
                                        "Transfer-Encoding",
                                        "Purpose",
                                        "Save-Data",
                                        "X-Client-Data",
                                        "X-Crest-Run",
                                        "Traceparent",
                                        "Tracestate",
                                        "Baggage",
                                        "Expect",
                                        "Upgrade",
                                        "Proxy-Connection",
                                        "Device-Memory",
                                        "Downlink",
                                        "ECT",
                                        "RTT",
                                        "Viewport-Width",
                                        "DPR",
                                        "HTTP2-Settings"};
    if (name.len == 0 || name.ptr[0] == ':' || (name.len > 4 && span_equal_nocase(span_of(name.ptr, 4), SPAN("Sec-"))))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (span_equal_nocase(name, span_str(NAMES[i])))
            return true;
    return false;
}

static bool is_kept(const struct har_writer *w, struct span name)
{
    for (size_t i = 0; i < w->n_keep_headers; i++)
        if (span_equal_nocase(name, span_str(w->keep_headers[i])))
            return true;
    return !is_noise(name) && !(span_equal_nocase(name, SPAN("Content-Type")));
}

/* Authorization: "Bearer" stays, what proves something does not. */
MUST_USE static int put_credentials(struct har_writer *w, struct buf *out, struct span name, struct span value)
{
    size_t blank = span_find(value, ' ');
    struct span scheme = blank < value.len ? span_of(value.ptr, blank + 1) : SPAN("");
    buf_clear(out);
    put_plain(w, out, IN_TEXT, scheme);
    return put_secret(w, out, name, span_from(value, scheme.len), "");
}

MUST_USE static int write_headers(struct har_writer *w, const struct har_exchange *x, struct draft_request *q)
{
    struct buf out;
    int r = 0;
    buf_init(&out, CONFIG_BYTES_MAX);
    for (size_t i = 0; r == 0 && i < x->n_headers; i++) {
        const struct har_header *h = &x->headers[i];
        if (!is_kept(w, h->name))
            continue;
        bool put = false;
        buf_clear(&out);
        r = put_words(w, &out, h->name, h->value, &put);
        if (r == 0 && !put && h->value.len &&
            (is_secret_name(h->name) || span_search(h->name, SPAN("uthorization")) < h->name.len))
            r = put_credentials(w, &out, h->name, h->value);
        if (r == 0)
            r = buf_error(&out) ? -ENOMEM
                                : draft_pair_add(w->draft, &q->headers, draft_text(w->draft, h->name), buf_view(&out));
    }
    buf_done(&out);
    return r;
}

/* ---- bodies ---- */

MUST_USE static int write_fields(struct har_writer *w, struct draft_request *q)
{
    struct buf out;
    int r = 0;
    buf_init(&out, CONFIG_BYTES_MAX);
    for (struct draft_pair *p = q->fields.first; r == 0 && p; p = p->next) {
        bool ok = true;
        buf_clear(&out);
        r = put_value(w, &out, IN_TEXT, p->name, p->value, p->value);
        p->value = arena_span(&w->draft->arena, buf_view(&out), &ok);
        if (r == 0 && (!ok || buf_error(&out)))
            r = -ENOMEM;
    }
    buf_done(&out);
    return r;
}

MUST_USE static int put_json(struct har_writer *w, struct buf *out, struct span name, struct span value)
{
    struct json_text_walk walk = json_text_walk(value);
    enum json_text_type type = json_text_type(value);
    struct span key, item, text = value;
    int r = 0;
    bool first = true;
    if (type == JSON_TEXT_OBJECT || type == JSON_TEXT_ARRAY) {
        buf_char(out, type == JSON_TEXT_OBJECT ? '{' : '[');
        while (r == 0 &&
               (type == JSON_TEXT_OBJECT ? json_text_member(&walk, &key, &item) : json_text_item(&walk, &item))) {
            if (!first)
                buf_str(out, ", ");
            first = false;
            if (type == JSON_TEXT_OBJECT) {
                buf_span(out, key);
                buf_str(out, ": ");
                r = json_text_string(&w->draft->arena, key, &name);
            }
            if (r == 0)
                r = put_json(w, out, name, item);
        }
        buf_char(out, type == JSON_TEXT_OBJECT ? '}' : ']');
        return r;
    }
    if (type == JSON_TEXT_STRING) {
        r = json_text_string(&w->draft->arena, value, &text);
        buf_char(out, '"');
        if (r == 0)
            r = put_value(w, out, IN_JSON, name, text, text);
        buf_char(out, '"');
        return r;
    }
    if (type == JSON_TEXT_NUMBER)
        return put_value(w, out, IN_TEXT, name, value, value);
    buf_span(out, value);
    return 0;
}

MUST_USE static int write_body(struct har_writer *w, const struct har_exchange *x, struct draft_request *q)
{
    struct span type = x->post_type;
    if (type.len == 0)
        type = har_header(x->headers, x->n_headers, "Content-Type");
    if (x->post.len == 0)
        return 0;
    int r = draft_multipart_text(w->draft, q, type, x->post);
    if (r == -EINVAL)
        r = draft_set_body(w->draft, q, type, x->post);
    if (r < 0)
        return r;
    if (q->body_kind == DRAFT_FORM || q->body_kind == DRAFT_MULTIPART)
        return write_fields(w, q);
    struct buf out;
    bool put = false, ok = true;
    buf_init(&out, CONFIG_BYTES_MAX);
    if (q->body_kind == DRAFT_JSON) {
        struct span root;
        char why[96];
        r = json_text_check(q->body, &root, why, sizeof why);
        if (r == 0)
            r = put_json(w, &out, (struct span){0}, root);
    } else if (q->body_kind == DRAFT_TEXT) {
        r = put_words(w, &out, SPAN("body"), q->body, &put);
    }
    if (q->body_kind != DRAFT_BYTES)
        q->body = arena_span(&w->draft->arena, buf_view(&out), &ok);
    if (r == 0 && (!ok || buf_error(&out)))
        r = -ENOMEM;
    buf_done(&out);
    return r;
}

/* ---- what the answer must be ---- */

static bool is_word(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] | 0x20) >= 'a' && (s.ptr[i] | 0x20) <= 'z') && !(s.ptr[i] >= '0' && s.ptr[i] <= '9') &&
            s.ptr[i] != '_')
            return false;
    return s.len > 0 && s.len <= STEP_NAME_BYTES;
}

/* The operation of a GraphQL request: its name, or the first one in the text. Empty: it is none. */
MUST_USE static int graphql_name(struct har_writer *w, struct span post, struct span *ret)
{
    struct span root, name, query;
    char why[96];
    *ret = (struct span){0};
    if (json_text_check(post, &root, why, sizeof why) < 0)
        return 0;
    int r = json_get_text(&w->draft->arena, root, "operationName", &name);
    if (r == 0)
        r = json_get_text(&w->draft->arena, root, "query", &query);
    if (r < 0 || query.len == 0)
        return r;
    query = span_trim(query);
    if (!span_starts(query, SPAN("query")) && !span_starts(query, SPAN("mutation")) && !span_starts(query, SPAN("{")))
        return 0;
    if (name.len == 0) {
        size_t blank = span_find(query, ' ');
        name = span_trim(span_from(query, blank));
        size_t end = 0;
        while (end < name.len && is_word(span_of(name.ptr + end, 1)))
            end++;
        name.len = end;
    }
    *ret = is_word(name) ? name : SPAN("graphql");
    return 0;
}

/* HTTP 200 is not success: what JSON answers say of it, where they said it was one. */
MUST_USE static int add_asserts(struct har_writer *w, const struct har_exchange *x, struct draft_request *q,
                                bool graphql)
{
    static const char *const FLAGS[] = {"ok", "success"};
    struct span root;
    char why[96];
    if (!is_json_type(x->type) || x->body.len > HAR_BODY_BYTES_MAX ||
        json_text_check(x->body, &root, why, sizeof why) < 0)
        return 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(FLAGS); i++)
        if (span_equal(json_get(root, FLAGS[i]), SPAN("true"))) {
            char line[64];
            snprintf(line, sizeof line, "jsonpath \"$.%s\" == true", FLAGS[i]);
            r = draft_pair_add(w->draft, &q->asserts, span_str(line), (struct span){0});
        }
    if (r == 0 && graphql && json_get(root, "data").len && json_get(root, "errors").len == 0)
        r = draft_pair_add(w->draft, &q->asserts, SPAN("jsonpath \"$.errors\" not exists"), (struct span){0});
    return r;
}

int har_write(struct har_writer *w, const struct har_exchange *x, struct draft_request **ret)
{
    struct draft_request *q = journey_add(w->draft);
    if (!q)
        return w->draft->n >= JOURNEY_STEPS_MAX ? -E2BIG : -ENOMEM;
    bool ok = true;
    q->method = arena_span(&w->draft->arena, x->method, &ok);
    q->status = x->status == 304 ? 200 : x->status; /* what made it conditional is left out */
    int r = ok ? write_url(w, x->url, &q->url) : -ENOMEM;
    if (r == 0)
        r = write_headers(w, x, q);
    w->card_used = false;
    if (r == 0)
        r = write_body(w, x, q);
    q->money = w->card_used;
    struct span name = {0};
    if (r == 0 && q->body_kind == DRAFT_JSON)
        r = graphql_name(w, x->post, &name);
    q->step = name;
    if (r == 0)
        r = add_asserts(w, x, q, name.len > 0);
    if (r == 0)
        *ret = q;
    return r;
}
