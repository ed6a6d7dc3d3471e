/* Texts, addresses, credentials and bodies of a collection's requests. */
#include "loadgen/import/postman_parts.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/import/bodies.h"
#include "loadgen/import/json_get.h"
#include "loadgen/import/postman_script.h"

/* ---- texts with {{variables}} ---- */

#define NAME_BYTES_MAX 100u /* between the braces: what is longer is text */

/* Postman's own variables that the language has, too. */
static const struct {
    const char *postman, *hurl;
} DYNAMIC[] = {{"$guid", "newUuid"},
               {"$randomUUID", "newUuid"},
               {"$timestamp", "newDate format \"%s\""},
               {"$isoTimestamp", "newDate"},
               {"$randomFirstName", "randomFirstName"},
               {"$randomLastName", "randomLastName"},
               {"$randomFullName", "randomFullName"},
               {"$randomEmail", "randomEmail"},
               {"$randomWord", "randomWord"},
               {"$randomBoolean", "randomBool"}};

MUST_USE static int put_variable(struct postman *im, struct buf *out, struct span name)
{
    name = span_trim(name);
    for (size_t i = 0; i < ARRAY_LEN(DYNAMIC); i++)
        if (span_equal(name, span_str(DYNAMIC[i].postman))) {
            draft_expression(out, span_str(DYNAMIC[i].hurl));
            return 0;
        }
    struct buf variable;
    buf_init(&variable, 256);
    put_variable_name(&variable, name);
    int r = buf_error(&variable);
    if (r == 0)
        r = strmap_put(&im->used, buf_view(&variable), NULL);
    draft_expression(out, buf_view(&variable));
    buf_done(&variable);
    return r;
}

/* Foreign text as marked text: {{name}} is an expression, all else is as it stands. */
int postman_template(struct postman *im, struct span text, struct span *ret)
{
    struct buf out;
    bool ok = true;
    int r = 0;
    buf_init(&out, CONFIG_BYTES_MAX);
    text = draft_text(im->d, text);
    while (r == 0 && text.len) {
        size_t open = span_search(text, SPAN("{{"));
        struct span inner = span_from(text, open + 2); /* as far as a name may go: a text of braces is read once */
        inner.len = inner.len < NAME_BYTES_MAX + 2 ? inner.len : NAME_BYTES_MAX + 2;
        size_t close = span_search(inner, SPAN("}}"));
        struct span name = span_of(inner.ptr, close);
        bool named = close < inner.len && span_trim(name).len && span_find(name, '\n') == name.len &&
                     span_find(name, '"') == name.len && span_find(name, '{') == name.len;
        if (!named) {
            size_t n = open < text.len ? open + 1 : text.len;
            buf_span(&out, span_of(text.ptr, n));
            text = span_from(text, n);
            continue;
        }
        buf_span(&out, span_of(text.ptr, open));
        r = put_variable(im, &out, name);
        text = span_from(text, open + 2 + close + 2);
    }
    *ret = arena_span(&im->d->arena, buf_view(&out), &ok);
    if (r == 0 && (!ok || buf_error(&out)))
        r = -ENOMEM;
    buf_done(&out);
    return r;
}

/* A member's text as marked text. */
int postman_template_of(struct postman *im, struct span object, const char *name, struct span *ret)
{
    struct span text;
    int r = json_get_text(&im->d->arena, object, name, &text);
    return r < 0 ? r : postman_template(im, text, ret);
}

bool postman_is_list(struct span value)
{
    return value.len && json_text_type(value) == JSON_TEXT_ARRAY;
}

bool postman_is_disabled(struct span object)
{
    return span_equal(json_get(object, "disabled"), SPAN("true")) ||
           span_equal(json_get(object, "enabled"), SPAN("false"));
}

void postman_complain(struct postman *im, struct span where, const char *words, struct span what)
{
    what.len = what.len > 120 ? 120 : what.len;
    problem_add(im->ps, PROBLEM_WARNING, im->name, 0, 0, "%.*s%s%s: " SPAN_FMT, (int)(where.len < 80 ? where.len : 80),
                where.ptr ? where.ptr : "", where.len ? ": " : "", words, SPAN_ARG(what));
}

/* ---- requests ---- */

int postman_add_pairs(struct postman *im, struct span list, struct draft_pairs *to)
{
    if (!postman_is_list(list))
        return 0;
    struct json_text_walk w = json_text_walk(list);
    struct span item, key, value;
    int r = 0;
    while (r == 0 && json_text_item(&w, &item)) {
        if (postman_is_disabled(item))
            continue;
        r = postman_template_of(im, item, "key", &key);
        if (r == 0)
            r = postman_template_of(im, item, "value", &value);
        if (r == 0 && key.len)
            r = draft_pair_add(im->d, to, key, value);
    }
    return r;
}

/* "a/b" of ["a", {"value": "b"}] or a text. */
MUST_USE static int join(struct postman *im, struct span list, char between, struct buf *out)
{
    struct json_text_walk w = json_text_walk(list);
    struct span item, text;
    int r = 0;
    bool first = true;
    if (list.len && json_text_type(list) == JSON_TEXT_STRING) {
        r = json_text_string(&im->d->arena, list, &text);
        buf_span(out, text);
        return r;
    }
    while (r == 0 && postman_is_list(list) && json_text_item(&w, &item)) {
        text = SPAN("");
        r = json_text_type(item) == JSON_TEXT_STRING ? json_text_string(&im->d->arena, item, &text)
                                                     : json_get_text(&im->d->arena, item, "value", &text);
        if (!first)
            buf_char(out, between);
        first = false;
        buf_span(out, text);
    }
    return r;
}

/* /orders/:id with {"key": "id", "value": "{{order}}"} */
MUST_USE static int put_path_variables(struct postman *im, struct span url, struct span list, struct buf *out)
{
    size_t scheme = span_search(url, SPAN("://")), from = scheme < url.len ? scheme + 3 : 0;
    int r = 0;
    buf_span(out, span_of(url.ptr, from));
    for (size_t i = from; r == 0 && i < url.len;) {
        size_t n = 1;
        if (url.ptr[i] == ':' && i && url.ptr[i - 1] == '/')
            while (i + n < url.len && !strchr("/?#&", url.ptr[i + n]))
                n++;
        struct span name = span_of(url.ptr + i + 1, n - 1), item, key, value = {0};
        struct json_text_walk w = json_text_walk(list);
        while (r == 0 && n > 1 && postman_is_list(list) && json_text_item(&w, &item)) {
            r = json_get_text(&im->d->arena, item, "key", &key);
            if (r == 0 && span_equal(key, name))
                r = json_get_text(&im->d->arena, item, "value", &value);
        }
        if (n > 1 && value.len)
            buf_span(out, value);
        else if (n > 1)
            buf_printf(out, "{{" SPAN_FMT "}}", SPAN_ARG(name));
        else
            buf_char(out, url.ptr[i]);
        i += n;
    }
    return r;
}

int postman_read_url(struct postman *im, struct span url, struct span *ret)
{
    struct buf raw, out;
    int r = 0;
    buf_init(&raw, IMPORT_COMMAND_BYTES_MAX);
    buf_init(&out, IMPORT_COMMAND_BYTES_MAX);
    struct span text = {0};
    if (url.len && json_text_type(url) == JSON_TEXT_STRING)
        r = json_text_string(&im->d->arena, url, &text);
    else
        r = json_get_text(&im->d->arena, url, "raw", &text);
    buf_span(&raw, text);
    if (r == 0 && text.len == 0 && url.len) { /* without raw: from its pieces */
        r = join(im, json_get(url, "host"), '.', &raw);
        buf_char(&raw, '/');
        if (r == 0)
            r = join(im, json_get(url, "path"), '/', &raw);
    }
    struct span whole = span_trim(buf_view(&raw));
    whole.len = span_find(whole, '#');
    if (whole.len && span_search(whole, SPAN("://")) == whole.len && !span_starts(whole, SPAN("{{")))
        buf_str(&out, "http://");
    if (r == 0)
        r = put_path_variables(im, whole, json_get(url, "variable"), &out);
    if (r == 0)
        r = buf_error(&raw) || buf_error(&out) ? -ENOMEM : postman_template(im, buf_view(&out), ret);
    buf_done(&raw);
    buf_done(&out);
    return r;
}

/* ---- credentials ---- */

/* {"basic": [{"key": "username", "value": "ann"}]}, or an object in older files. */
MUST_USE static int auth_value(struct postman *im, struct span auth, struct span kind, const char *name,
                               struct span *ret)
{
    char key[32];
    snprintf(key, sizeof key, SPAN_FMT, SPAN_ARG(kind));
    struct span values = json_get(auth, key), item, text;
    *ret = (struct span){0};
    if (!postman_is_list(values))
        return postman_template_of(im, values, name, ret);
    struct json_text_walk w = json_text_walk(values);
    int r = 0;
    while (r == 0 && json_text_item(&w, &item)) {
        r = json_get_text(&im->d->arena, item, "key", &text);
        if (r == 0 && span_equal(text, span_str(name)))
            r = postman_template_of(im, item, "value", ret);
    }
    return r;
}

MUST_USE static int add_header_of(struct postman *im, struct draft_request *q, struct span name, const char *prefix,
                                  struct span value)
{
    struct buf text;
    buf_init(&text, CONFIG_BYTES_MAX);
    buf_str(&text, prefix);
    buf_span(&text, value);
    int r = buf_error(&text) ? -ENOMEM : draft_pair_add(im->d, &q->headers, name, buf_view(&text));
    buf_done(&text);
    return r;
}

MUST_USE static int add_api_key(struct postman *im, struct draft_request *q, struct span auth)
{
    struct span key, value, in;
    int r = auth_value(im, auth, SPAN("apikey"), "key", &key);
    if (r == 0)
        r = auth_value(im, auth, SPAN("apikey"), "value", &value);
    if (r == 0)
        r = auth_value(im, auth, SPAN("apikey"), "in", &in);
    if (r < 0 || key.len == 0)
        return r;
    if (!span_equal(in, SPAN("query")))
        return add_header_of(im, q, key, "", value);
    struct buf url;
    bool ok = true;
    buf_init(&url, IMPORT_COMMAND_BYTES_MAX);
    buf_printf(&url, SPAN_FMT "%c" SPAN_FMT "=" SPAN_FMT, SPAN_ARG(q->url),
               span_find(q->url, '?') < q->url.len ? '&' : '?', SPAN_ARG(key), SPAN_ARG(value));
    q->url = arena_span(&im->d->arena, buf_view(&url), &ok);
    r = buf_error(&url) || !ok ? -ENOMEM : 0;
    buf_done(&url);
    return r;
}

int postman_add_auth(struct postman *im, struct draft_request *q, struct span own, const struct postman_folder *folder,
                     struct span name)
{
    struct span auth = own, kind, token;
    for (; auth.len == 0 && folder; folder = folder->parent)
        auth = folder->auth;
    int r = json_get_text(&im->d->arena, auth, "type", &kind);
    if (r < 0 || kind.len == 0 || span_equal(kind, SPAN("noauth")))
        return r;
    if (span_equal(kind, SPAN("basic"))) {
        r = auth_value(im, auth, kind, "username", &q->user);
        return r < 0 ? r : auth_value(im, auth, kind, "password", &q->password);
    }
    if (span_equal(kind, SPAN("bearer"))) {
        r = auth_value(im, auth, kind, "token", &token);
        return r < 0 ? r : add_header_of(im, q, SPAN("Authorization"), "Bearer ", token);
    }
    if (span_equal(kind, SPAN("apikey")))
        return add_api_key(im, q, auth);
    postman_complain(im, name, "this kind of credentials is not known here", kind);
    return 0;
}

/* ---- bodies ---- */

/* Is the marked text a JSON body of the language? Asked of its parser. */
static bool is_json_template(struct postman *im, struct span marked)
{
    struct journey_draft trial;
    struct buf text;
    struct problems ps;
    struct hurl_file *f = NULL;
    (void)im;
    if (marked.len == 0 || (marked.ptr[0] != '{' && marked.ptr[0] != '['))
        return false;
    problems_init(&ps);
    journey_init(&trial);
    buf_init(&text, CONFIG_BYTES_MAX);
    struct draft_request *q = journey_add(&trial);
    bool good = false;
    if (q) {
        q->url = SPAN("http://x/");
        q->body_kind = DRAFT_JSON;
        q->body = marked;
        good = journey_print(&trial, &text) == 0 && hurl_parse("body", buf_view(&text), &f, &ps) == 0;
    }
    hurl_file_free(f);
    buf_done(&text);
    journey_done(&trial);
    problems_done(&ps);
    return good;
}

MUST_USE static int raw_body(struct postman *im, struct draft_request *q, struct span body)
{
    static const struct {
        const char *language, *type;
    } TYPES[] = {{"json", "application/json"},
                 {"xml", "application/xml"},
                 {"html", "text/html"},
                 {"text", "text/plain"},
                 {"javascript", "application/javascript"}};
    struct span language, text;
    int r = json_get_text(&im->d->arena, json_get(json_get(body, "options"), "raw"), "language", &language);
    if (r == 0)
        r = postman_template_of(im, body, "raw", &text);
    text = span_trim(text);
    if (r < 0 || text.len == 0)
        return r;
    const struct draft_pair *given = draft_pair_find(&q->headers, SPAN("Content-Type"));
    bool json = span_equal(language, SPAN("json")) || (given && is_json_type(given->value));
    q->body_kind = json && is_json_template(im, text) ? DRAFT_JSON : DRAFT_TEXT;
    q->body = text;
    if (given || q->body_kind == DRAFT_JSON)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (span_equal(language, span_str(TYPES[i].language)))
            return draft_pair_add(im->d, &q->headers, SPAN("Content-Type"), span_str(TYPES[i].type));
    return draft_pair_add(im->d, &q->headers, SPAN("Content-Type"), SPAN("text/plain"));
}

MUST_USE static int form_data(struct postman *im, struct draft_request *q, struct span list)
{
    struct json_text_walk w = json_text_walk(list);
    struct span item, key, value, type;
    int r = 0;
    while (r == 0 && postman_is_list(list) && json_text_item(&w, &item)) {
        if (postman_is_disabled(item))
            continue;
        r = postman_template_of(im, item, "key", &key);
        if (r == 0)
            r = json_get_text(&im->d->arena, item, "type", &type);
        if (r == 0 && span_equal(type, SPAN("file"))) {
            struct span src = json_get(item, "src"), first;
            struct json_text_walk files = json_text_walk(src);
            if (postman_is_list(src) && json_text_item(&files, &first))
                src = first;
            value = SPAN("");
            if (src.len && json_text_type(src) == JSON_TEXT_STRING)
                r = json_text_string(&im->d->arena, src, &value);
            value = draft_file(im->d, draft_text(im->d, value.len ? value : SPAN("missing-file")), (struct span){0});
        } else if (r == 0) {
            r = postman_template_of(im, item, "value", &value);
        }
        if (r == 0 && key.len)
            r = draft_pair_add(im->d, &q->fields, key, value);
    }
    q->body_kind = q->fields.n ? DRAFT_MULTIPART : DRAFT_NO_BODY;
    return r;
}

/* Marked text inside a JSON string: what is not an expression gets its escapes. */
static void put_json_text(struct buf *out, struct span marked)
{
    while (marked.len) {
        size_t open = span_find(marked, DRAFT_OPEN);
        json_text_escape(out, span_of(marked.ptr, open));
        size_t close = span_find(span_from(marked, open), DRAFT_CLOSE);
        size_t end = open + close + 1 < marked.len ? open + close + 1 : marked.len;
        if (open < marked.len)
            buf_span(out, span_of(marked.ptr + open, end - open));
        marked = span_from(marked, end);
    }
}

MUST_USE static int graphql_body(struct postman *im, struct draft_request *q, struct span body)
{
    struct span query, variables;
    int r = postman_template_of(im, body, "query", &query);
    if (r == 0)
        r = postman_template_of(im, body, "variables", &variables);
    struct buf out;
    bool ok = true;
    variables = span_trim(variables);
    buf_init(&out, CONFIG_BYTES_MAX);
    buf_str(&out, "{\"query\": \"");
    put_json_text(&out, query);
    buf_str(&out, "\", \"variables\": ");
    buf_span(&out, variables.len && is_json_template(im, variables) ? variables : SPAN("{}"));
    buf_char(&out, '}');
    q->body_kind = DRAFT_JSON;
    q->body = arena_span(&im->d->arena, buf_view(&out), &ok);
    if (r == 0 && (buf_error(&out) || !ok))
        r = -ENOMEM;
    buf_done(&out);
    return r;
}

int postman_read_body(struct postman *im, struct draft_request *q, struct span body, struct span name)
{
    struct span mode, src;
    int r = json_get_text(&im->d->arena, body, "mode", &mode);
    if (r < 0 || mode.len == 0 || postman_is_disabled(body))
        return r;
    if (span_equal(mode, SPAN("raw")))
        return raw_body(im, q, body);
    if (span_equal(mode, SPAN("urlencoded"))) {
        r = postman_add_pairs(im, json_get(body, "urlencoded"), &q->fields);
        q->body_kind = q->fields.n ? DRAFT_FORM : DRAFT_NO_BODY;
        return r;
    }
    if (span_equal(mode, SPAN("formdata")))
        return form_data(im, q, json_get(body, "formdata"));
    if (span_equal(mode, SPAN("graphql")))
        return graphql_body(im, q, json_get(body, "graphql"));
    if (span_equal(mode, SPAN("file"))) {
        r = json_get_text(&im->d->arena, json_get(body, "file"), "src", &src);
        q->body_kind = src.len ? DRAFT_FILE : DRAFT_NO_BODY;
        q->body = draft_file(im->d, draft_text(im->d, src), (struct span){0});
        return r;
    }
    postman_complain(im, name, "this kind of body is not known here", mode);
    return 0;
}
