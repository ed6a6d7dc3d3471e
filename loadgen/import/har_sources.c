/* Values of a response: its JSON, its headers and cookies; pages are in har_html.c. */
#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/set_cookie.h"
#include "loadgen/import/bodies.h"
#include "loadgen/import/har_capture.h"
#include "loadgen/import/url_pieces.h"

struct place {
    struct har_sources *s;
    const struct har_exchange *x;
    struct draft_request *request;
};

/* ---- JSON ---- */

#define JSON_VALUES_MAX 20000u /* of one response */

struct json_scan {
    struct place at;
    struct buf path, query;
    size_t values;
    struct arena scratch;
};

static bool is_identifier(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

static void put_member(struct buf *path, struct span key)
{
    if (is_identifier(key)) {
        buf_char(path, '.');
        buf_span(path, key);
        return;
    }
    buf_str(path, "['");
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '\'' || key.ptr[i] == '\\')
            buf_char(path, '\\');
        buf_char(path, key.ptr[i]);
    }
    buf_str(path, "']");
}

static bool is_vague(struct span name)
{
    static const char *const WORDS[] = {"id", "token", "key", "code", "value", "number", "no", "hash"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_equal_nocase(name, span_str(WORDS[i])))
            return true;
    return false;
}

MUST_USE static int json_leaf(struct json_scan *j, struct span value, struct span name, struct span parent)
{
    struct span text = value;
    int r = json_text_type(value) == JSON_TEXT_STRING ? json_text_string(&j->scratch, value, &text) : 0;
    if (r < 0)
        return 0; /* too long for a value that is followed */
    char hint[128];
    snprintf(hint, sizeof hint, "%.*s%s%.*s", is_vague(name) ? (int)(parent.len < 60 ? parent.len : 60) : 0,
             parent.ptr ? parent.ptr : "", is_vague(name) && parent.len ? "_" : "",
             (int)(name.len < 60 ? name.len : 60), name.ptr ? name.ptr : "");
    buf_clear(&j->query);
    buf_str(&j->query, "jsonpath ");
    draft_quoted(&j->query, buf_view(&j->path));
    j->values++;
    if (buf_error(&j->query) || buf_error(&j->path))
        return 0;
    return har_remember(j->at.s, j->at.x, j->at.request, is_id_name(name) ? HAR_NAMED : HAR_ANY, name, span_str(hint),
                        text, buf_view(&j->query));
}

MUST_USE static int json_values(struct json_scan *j, struct span value, struct span name, struct span parent)
{
    struct json_text_walk w = json_text_walk(value);
    struct span key, item, text;
    size_t length = j->path.len, i = 0;
    int r = 0;
    switch (json_text_type(value)) {
    case JSON_TEXT_OBJECT:
        while (r == 0 && j->values < JSON_VALUES_MAX && json_text_member(&w, &key, &item)) {
            if (json_text_string(&j->scratch, key, &text) < 0)
                break;
            put_member(&j->path, text);
            r = json_values(j, item, text, name.len ? name : parent);
            buf_truncate(&j->path, length);
        }
        return r;
    case JSON_TEXT_ARRAY:
        while (r == 0 && j->values < JSON_VALUES_MAX && json_text_item(&w, &item)) {
            buf_printf(&j->path, "[%zu]", i++);
            r = json_values(j, item, name, parent);
            buf_truncate(&j->path, length);
        }
        return r;
    case JSON_TEXT_STRING:
    case JSON_TEXT_NUMBER:
        return json_leaf(j, value, name, parent);
    case JSON_TEXT_NULL:
    case JSON_TEXT_BOOL:
        break;
    }
    return 0;
}

MUST_USE static int add_json(const struct place *at)
{
    struct json_scan j = {.at = *at};
    struct span root;
    char why[96];
    if (json_text_check(at->x->body, &root, why, sizeof why) < 0)
        return 0;
    arena_init(&j.scratch, HAR_BODY_BYTES_MAX);
    buf_init(&j.path, IMPORT_VALUE_BYTES_MAX);
    buf_init(&j.query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_char(&j.path, '$');
    int r = json_values(&j, root, (struct span){0}, (struct span){0});
    buf_done(&j.path);
    buf_done(&j.query);
    arena_done(&j.scratch);
    return r;
}

/* ---- headers ---- */

/* cookie "NAME": as it is, and decoded (frameworks' scripts put the decoded one into a header). */
MUST_USE static int add_cookie(const struct place *at, struct span line)
{
    struct set_cookie cookie;
    if (set_cookie_parse(line, &cookie) < 0 || cookie.value.len == 0)
        return 0;
    struct buf query, decoded;
    buf_init(&query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_init(&decoded, IMPORT_VALUE_BYTES_MAX);
    buf_str(&query, "cookie ");
    draft_quoted(&query, cookie.name);
    int r = buf_error(&query) ? 0
                              : har_remember(at->s, at->x, at->request, HAR_ANY, cookie.name, cookie.name, cookie.value,
                                             buf_view(&query));
    url_decode(&decoded, cookie.value, false);
    buf_str(&query, " urlDecode");
    if (r == 0 && !buf_error(&query) && !buf_error(&decoded) && span_is_utf8(buf_view(&decoded)) &&
        !span_equal(buf_view(&decoded), cookie.value))
        r = har_remember(at->s, at->x, at->request, HAR_ANY, cookie.name, cookie.name, buf_view(&decoded),
                         buf_view(&query));
    buf_done(&query);
    buf_done(&decoded);
    return r;
}

struct location_scan {
    const struct place *at;
    int r;
};

static void on_piece(void *ctx, const struct url_piece *p)
{
    struct location_scan *l = ctx;
    if (l->r < 0 || (!p->is_id && !is_distinctive(p->value)))
        return;
    struct buf query;
    buf_init(&query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_str(&query, "header \"Location\" regex ");
    draft_quoted(&query, p->pattern);
    if (p->encoded)
        buf_str(&query, " urlDecode");
    if (!buf_error(&query))
        l->r = har_remember(l->at->s, l->at->x, l->at->request, HAR_NAMED, SPAN(URL_PIECE_NAME), p->name, p->value,
                            buf_view(&query));
    buf_done(&query);
}

MUST_USE static int add_header(const struct place *at, const struct har_header *h)
{
    static const char *const NOISE[] = {"Date",
                                        "Content-Length",
                                        "Content-Type",
                                        "Server",
                                        "Expires",
                                        "Last-Modified",
                                        "Age",
                                        "Via",
                                        "Cache-Control",
                                        "Connection",
                                        "Vary",
                                        "Keep-Alive",
                                        "Strict-Transport-Security",
                                        "Content-Security-Policy"};
    for (size_t i = 0; i < ARRAY_LEN(NOISE); i++)
        if (span_equal_nocase(h->name, span_str(NOISE[i])))
            return 0;
    if (span_equal_nocase(h->name, SPAN("Location"))) {
        struct location_scan l = {at, 0};
        int r = url_pieces(h->value, on_piece, &l);
        return r < 0 ? r : l.r;
    }
    int r = 0;
    if (span_equal_nocase(h->name, SPAN("Set-Cookie"))) {
        struct span rest = h->value, line;
        while (r == 0 && span_cut(&rest, '\n', &line))
            r = add_cookie(at, line);
        return r;
    }
    struct buf query;
    buf_init(&query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_str(&query, "header ");
    draft_quoted(&query, h->name);
    if (!buf_error(&query))
        r = har_remember(at->s, at->x, at->request, is_id_name(h->name) ? HAR_NAMED : HAR_ANY, h->name, h->name,
                         h->value, buf_view(&query));
    buf_done(&query);
    return r;
}

int har_sources_add(struct har_sources *s, const struct har_exchange *x, struct draft_request *request)
{
    struct place at = {s, x, request};
    int r = 0;
    for (size_t i = 0; r == 0 && i < x->n_answer_headers; i++)
        r = add_header(&at, &x->answer_headers[i]);
    if (r < 0 || x->body.len == 0 || x->body.len > HAR_BODY_BYTES_MAX)
        return r;
    struct span type = media_type(x->type);
    bool html = span_equal_nocase(type, SPAN("text/html")) || span_equal_nocase(type, SPAN("application/xhtml+xml"));
    if (is_json_type(type))
        r = add_json(&at);
    else if (html)
        r = har_html_values(s, x, request);
    else if (!span_starts(type, SPAN("text/")) && span_search(type, SPAN("javascript")) == type.len)
        return 0;
    if (s->n_texts == HAR_SEARCH_BODIES)
        memmove(s->texts, s->texts + 1, --s->n_texts * sizeof *s->texts);
    s->texts[s->n_texts++] = (struct har_text){x, request};
    return r;
}
