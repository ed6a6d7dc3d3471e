/* The body as queries see it: text by its character set, JSON, a document. Each is made at the first query that asks for it. */
#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/charset.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/json_text.h"

void hurl_exchange_done(struct hurl_exchange *x)
{
    xpath_document_free(x->document);
    x->document = NULL;
    x->text_state = x->json_state = 0;
}

int eval_body_bytes(const struct hurl_exchange *x, struct hurl_place at, struct span *ret, struct hurl_failure *why)
{
    if (x->body_error)
        return eval_fail(why, HURL_FAILED_QUERY, at, "the body cannot be decoded: %s", x->body_error);
    *ret = x->body;
    return 0;
}

/* charset="utf-8" of a Content-Type; empty when it has none. */
static struct span charset_of(struct span type)
{
    struct span part;
    while (span_cut(&type, ';', &part)) {
        part = span_trim(part);
        size_t equals = span_find(part, '=');
        if (equals == part.len || !span_equal_nocase(span_trim(span_of(part.ptr, equals)), SPAN("charset")))
            continue;
        struct span name = span_trim(span_from(part, equals + 1));
        if (name.len >= 2 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"')
            name = span_of(name.ptr + 1, name.len - 2);
        return name;
    }
    return (struct span){0};
}

MUST_USE static int decode_text(struct hurl_scope *s, struct hurl_exchange *x, struct span charset)
{
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    int r = charset_decode(charset, x->body, &out);
    if (r == 0)
        return eval_keep_buf(s, &out, &x->text);
    buf_done(&out);
    return r;
}

int eval_body_text(struct hurl_scope *s, struct hurl_exchange *x, struct hurl_place at, struct span *ret,
                   struct hurl_failure *why)
{
    struct span bytes, type = {0};
    EVAL_TRY(eval_body_bytes(x, at, &bytes, why));
    if (x->text_state == 0) {
        hurl_header(x->headers, SPAN("content-type"), 0, &type);
        struct span charset = charset_of(type);
        if (charset.len == 0 || span_equal_nocase(charset, SPAN("utf-8"))) {
            x->text = bytes;
            x->text_state = span_is_utf8(bytes) ? 1 : -1;
            if (x->text_state < 0)
                snprintf(x->text_why, sizeof x->text_why, "the body is not UTF-8 text");
        } else {
            int r = decode_text(s, x, charset);
            if (r < 0 && r != -ENOENT && r != -EILSEQ)
                return r;
            x->text_state = r < 0 ? -1 : 1;
            snprintf(x->text_why, sizeof x->text_why,
                     r == -ENOENT ? "no character set is called '%.*s'" : "the body is not %.*s",
                     (int)(charset.len > 40 ? 40 : charset.len), charset.ptr);
        }
    }
    if (x->text_state < 0)
        return eval_fail(why, HURL_FAILED_QUERY, at, "%s", x->text_why);
    *ret = x->text;
    return 0;
}

int eval_body_json(struct hurl_scope *s, struct hurl_exchange *x, struct hurl_place at, struct span *ret,
                   struct hurl_failure *why)
{
    struct span text;
    EVAL_TRY(eval_body_text(s, x, at, &text, why));
    if (x->json_state == 0)
        x->json_state = json_text_check(text, &x->json_root, x->json_why, sizeof x->json_why) < 0 ? -1 : 1;
    if (x->json_state < 0)
        return eval_fail(why, HURL_FAILED_QUERY, at, "the body is not JSON: %s", x->json_why);
    *ret = x->json_root;
    return 0;
}

/* hurl reads text/html as HTML and all else as XML. A page without a type is HTML here when it is no XML. */
int eval_body_xpath(struct hurl_scope *s, const struct hurl_query *q, struct hurl_exchange *x, struct hurl_value *ret,
                    struct hurl_failure *why)
{
    struct span text, type = {0};
    EVAL_TRY(eval_body_text(s, x, q->at, &text, why));
    bool typed = hurl_header(x->headers, SPAN("content-type"), 0, &type);
    static const struct span HTML = SPAN_INIT("text/html");
    bool html = type.len >= HTML.len && span_equal_nocase(span_of(type.ptr, HTML.len), HTML);
    if (!x->document && !typed)
        html = !(x->document = xpath_document_new(text, false));
    return eval_xpath(s, &q->arg, text, html, &x->document, ret, why);
}
