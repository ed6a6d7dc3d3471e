#include "loadgen/trial/record_json.h"

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"
#include "loadgen/engine/entry_options.h"
#include "loadgen/hurl/set_cookie.h"
#include "loadgen/trial/show.h"

static void put_hidden(struct json_writer *j, const struct secrets *s, struct span text)
{
    struct buf hidden;
    buf_init(&hidden, BODY_BYTES_MAX);
    secrets_hide(&hidden, s, text);
    jw_text(j, buf_view(&hidden));
    buf_done(&hidden);
}

void record_json_text(struct buf *out, const struct secrets *s, struct span text)
{
    struct json_writer j;
    jw_init(&j, out);
    put_hidden(&j, s, text);
}

static void put_pair(struct json_writer *j, const struct secrets *s, struct span name, struct span value)
{
    jw_object(j);
    jw_key(j, "name");
    put_hidden(j, s, name);
    jw_key(j, "value");
    put_hidden(j, s, value);
    jw_end(j);
}

static void put_header(struct json_writer *j, const struct secrets *s, struct span line)
{
    struct buf shown;
    buf_init(&shown, BODY_BYTES_MAX);
    show_header(&shown, s, line);
    struct span text = buf_view(&shown);
    size_t colon = span_find(text, ':');
    put_pair(j, s, span_trim(span_of(text.ptr, colon)), span_trim(span_from(text, colon + 1)));
    buf_done(&shown);
}

/* a=1; b=2 */
static void put_request_cookies(struct json_writer *j, const struct secrets *s, const struct conn_request *q)
{
    static const struct span NAME = SPAN_INIT("cookie:");
    jw_array(j);
    for (size_t i = 0; i < q->n_headers; i++) {
        struct span line = span_str(q->headers[i]), pair;
        if (line.len < NAME.len || !span_equal_nocase(span_of(line.ptr, NAME.len), NAME))
            continue;
        line = span_from(line, NAME.len);
        while (span_cut(&line, ';', &pair)) {
            pair = span_trim(pair);
            size_t equals = span_find(pair, '=');
            put_pair(j, s, span_of(pair.ptr, equals), span_from(pair, equals + 1));
        }
    }
    jw_end(j);
}

static void put_query(struct json_writer *j, const struct secrets *s, struct span url)
{
    struct url u;
    const char *why;
    jw_array(j);
    if (url_parse(&u, url, &why) == 0 && u.query.len) {
        struct span rest = u.query, pair;
        while (span_cut(&rest, '&', &pair)) {
            size_t equals = span_find(pair, '=');
            struct buf name, value;
            buf_init(&name, BODY_BYTES_MAX);
            buf_init(&value, BODY_BYTES_MAX);
            url_decode(&name, span_of(pair.ptr, equals), true);
            url_decode(&value, span_from(pair, equals + 1), true);
            put_pair(j, s, buf_view(&name), buf_view(&value));
            buf_done(&name);
            buf_done(&value);
        }
    }
    jw_end(j);
}

static void put_request(struct json_writer *j, const struct secrets *s, const struct trial_call *call)
{
    const struct conn_request *q = call->request;
    jw_object(j);
    jw_key(j, "cookies");
    put_request_cookies(j, s, q);
    jw_key(j, "headers");
    jw_array(j);
    for (size_t i = 0; i < q->n_headers; i++)
        put_header(j, s, span_str(q->headers[i]));
    jw_end(j);
    jw_key(j, "method");
    jw_str(j, q->method);
    jw_key(j, "query_string");
    put_query(j, s, call->url);
    jw_key(j, "url");
    put_hidden(j, s, call->url);
    jw_end(j);
}

static void put_attribute(struct json_writer *j, const struct secrets *s, const char *name, struct span value)
{
    if (!value.ptr)
        return;
    jw_key(j, name);
    put_hidden(j, s, value);
}

static void put_response_cookies(struct json_writer *j, const struct secrets *s, struct span headers)
{
    struct span value;
    struct set_cookie c;
    jw_array(j);
    for (size_t i = 0; hurl_header(headers, SPAN("set-cookie"), i, &value); i++) {
        if (set_cookie_parse(value, &c) < 0)
            continue;
        jw_object(j);
        put_attribute(j, s, "domain", c.domain);
        put_attribute(j, s, "expires", c.expires);
        jw_key(j, "httponly");
        jw_bool(j, c.http_only);
        if (c.has_max_age) {
            jw_key(j, "max_age");
            jw_i64(j, c.max_age_s);
        }
        put_attribute(j, s, "name", c.name);
        put_attribute(j, s, "path", c.path);
        put_attribute(j, s, "same_site", c.same_site);
        jw_key(j, "secure");
        jw_bool(j, c.secure);
        put_attribute(j, s, "value", c.value);
        jw_end(j);
    }
    jw_end(j);
}

static void put_response(struct json_writer *j, const struct secrets *s, const struct conn_response *r,
                         const char *body)
{
    jw_object(j);
    if (body) {
        jw_key(j, "body");
        jw_str(j, body);
    }
    jw_key(j, "cookies");
    put_response_cookies(j, s, r->headers);
    jw_key(j, "headers");
    jw_array(j);
    struct span rest = r->headers, line;
    while (span_cut(&rest, '\n', &line))
        if (span_trim(line).len)
            put_header(j, s, span_trim(line));
    jw_end(j);
    jw_key(j, "http_version");
    jw_str(j, r->version == 10 ? "HTTP/1.0" : r->version == 20 ? "HTTP/2" : "HTTP/1.1");
    jw_key(j, "status");
    jw_i64(j, r->status);
    jw_end(j);
}

/* From the start, in microseconds, as libcurl counts. */
static void put_timings(struct json_writer *j, const struct trial_call *call)
{
    const struct conn_response *r = call->response;
    int64_t total = r->done_us - r->sent_us, ready = r->dns_us + r->connect_us + r->tls_us;
    char when[NUMBER_TEXT_MAX];
    jw_object(j);
    jw_key(j, "begin_call");
    jw_text(j, span_of(when, format_rfc3339_ms(when, call->sent_ms)));
    jw_key(j, "end_call");
    jw_text(j, span_of(when, format_rfc3339_ms(when, call->sent_ms + total / 1000)));
    const struct {
        const char *name;
        int64_t us;
    } TIMES[] = {{"name_lookup", r->dns_us},
                 {"connect", r->connect_us ? r->dns_us + r->connect_us : 0},
                 {"app_connect", r->tls_us ? ready : 0},
                 {"pre_transfer", ready},
                 {"start_transfer", ready + r->first_byte_us},
                 {"total", total}};
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        jw_key(j, TIMES[i].name);
        jw_i64(j, TIMES[i].us);
    }
    jw_end(j);
}

void record_json_call(struct buf *out, const struct secrets *s, const struct trial_call *call, const char *body)
{
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "request");
    put_request(&j, s, call);
    jw_key(&j, "response");
    put_response(&j, s, call->response, body);
    jw_key(&j, "timings");
    put_timings(&j, call);
    jw_end(&j);
}

void record_json_result(struct buf *out, const struct secrets *s, struct hurl_place at, const struct hurl_failure *why)
{
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "line");
    jw_u64(&j, at.line);
    if (why) {
        jw_key(&j, "message");
        put_hidden(&j, s, span_str(why->text));
    }
    jw_key(&j, "success");
    jw_bool(&j, !why);
    jw_end(&j);
}

void record_json_capture(struct buf *out, const struct secrets *s, struct span name, const struct hurl_value *v)
{
    struct json_writer j;
    struct buf text, hidden;
    buf_init(&text, BODY_BYTES_MAX);
    buf_init(&hidden, BODY_BYTES_MAX);
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "name");
    put_hidden(&j, s, name);
    jw_key(&j, "value");
    if (v->kind == HURL_VALUE_TEXT) {
        put_hidden(&j, s, v->text);
    } else if (hurl_value_to_json(v, &text) ==
               0) { /* bytes have no JSON: as base64 they would show what is hidden in them */
        secrets_hide(&hidden, s, buf_view(&text));
        jw_raw(&j, buf_view(&hidden));
    } else {
        jw_null(&j);
    }
    jw_end(&j);
    buf_done(&text);
    buf_done(&hidden);
}

/* 'text' for a shell. */
static void put_quoted(struct buf *out, struct span text)
{
    struct span part;
    buf_char(out, '\'');
    for (bool more = false; span_cut(&text, '\'', &part); more = true) {
        if (more)
            buf_str(out, "'\\''");
        buf_span(out, part);
    }
    buf_char(out, '\'');
}

void record_curl(struct buf *out, const struct secrets *s, const struct trial_call *call, const struct entry_options *o)
{
    const struct conn_request *q = call->request;
    struct buf text;
    buf_init(&text, BODY_BYTES_MAX);
    buf_printf(out, "curl");
    if (strcmp(q->method, "GET") != 0 || q->has_body)
        buf_printf(out, " --request %s", q->method);
    for (size_t i = 0; i < q->n_headers; i++) {
        buf_clear(&text);
        show_header(&text, s, span_str(q->headers[i]));
        buf_str(out, " --header ");
        put_quoted(out, buf_view(&text));
    }
    if (q->has_body && span_is_utf8(q->body)) {
        buf_clear(&text);
        secrets_hide(&text, s, q->body);
        buf_str(out, " --data-binary ");
        put_quoted(out, buf_view(&text));
    }
    static const char *const HTTP[] = {"", " --http1.0", " --http1.1", " --http2"};
    buf_printf(out, "%s%s%s%s ", HTTP[q->http], q->insecure ? " --insecure" : "", q->compressed ? " --compressed" : "",
               o->location ? " --location" : "");
    buf_clear(&text);
    secrets_hide(&text, s, call->url);
    put_quoted(out, buf_view(&text));
    buf_done(&text);
}
