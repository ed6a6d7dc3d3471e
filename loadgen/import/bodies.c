#include "loadgen/import/bodies.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/json_text.h"

struct span media_type(struct span content_type)
{
    content_type.len = span_find(content_type, ';');
    return span_trim(content_type);
}

bool is_json_type(struct span content_type)
{
    struct span type = media_type(content_type), suffix = SPAN("+json");
    return span_equal_nocase(type, SPAN("application/json")) || span_equal_nocase(type, SPAN("text/json")) ||
           (type.len > suffix.len && span_equal_nocase(span_from(type, type.len - suffix.len), suffix));
}

int draft_form_pairs(struct journey_draft *d, struct span text, struct draft_pairs *ret)
{
    struct draft_pairs pairs = {0};
    struct buf name, value;
    buf_init(&name, text.len + 1);
    buf_init(&value, text.len + 1);
    struct span piece;
    int r = text.len ? 0 : -EINVAL;
    while (r == 0 && span_cut(&text, '&', &piece)) {
        size_t equals = span_find(piece, '=');
        buf_clear(&name);
        buf_clear(&value);
        url_decode(&name, span_of(piece.ptr, equals), true);
        url_decode(&value, span_from(piece, equals + 1), true);
        struct span n = buf_view(&name), v = buf_view(&value);
        if (equals == piece.len || n.len == 0 || !span_is_utf8(n) || !span_is_utf8(v))
            r = -EINVAL;
        else
            r = draft_pair_add(d, &pairs, draft_text(d, n), draft_text(d, v));
    }
    buf_done(&name);
    buf_done(&value);
    if (r == 0)
        *ret = pairs;
    return r;
}

struct span draft_file(struct journey_draft *d, struct span name, struct span content_type)
{
    struct buf out;
    buf_init(&out, IMPORT_COMMAND_BYTES_MAX);
    draft_expression(&out, SPAN("file"));
    name = span_trim(draft_text(d, name));
    name = name.len ? name : SPAN("missing-file");
    content_type = draft_text(d, content_type);
    for (size_t i = 0; i < name.len; i++) {
        if (strchr(";# \\{}", name.ptr[i]) && name.ptr[i])
            buf_char(&out, '\\');
        buf_char(&out, (unsigned char)name.ptr[i] < ' ' ? '_' : name.ptr[i]);
    }
    buf_char(&out, ';');
    if (content_type.len) {
        buf_char(&out, ' ');
        for (size_t i = 0; i < content_type.len; i++) /* one line, no comment */
            if ((unsigned char)content_type.ptr[i] > ' ' && content_type.ptr[i] != '#')
                buf_char(&out, content_type.ptr[i]);
    }
    bool ok = true;
    struct span s = arena_span(&d->arena, buf_view(&out), &ok);
    buf_done(&out);
    return s;
}

/* Text that may stand between backticks: no control characters but those with an escape. */
static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' && !strchr("\t\r\n", s.ptr[i]))
            return false;
    return span_is_utf8(s);
}

static bool is_json_container(struct span bytes)
{
    struct span root;
    char why[96];
    return json_text_check(bytes, &root, why, sizeof why) == 0 && json_text_type(root) >= JSON_TEXT_ARRAY;
}

int draft_set_body(struct journey_draft *d, struct draft_request *q, struct span content_type, struct span bytes)
{
    struct span type = media_type(content_type);
    bool implied = false, ok = true;
    if (bytes.len == 0) {
        q->body_kind = DRAFT_NO_BODY;
    } else if (span_equal_nocase(type, SPAN("application/x-www-form-urlencoded")) &&
               draft_form_pairs(d, bytes, &q->fields) == 0) {
        q->body_kind = DRAFT_FORM;
        implied = true;
    } else if ((is_json_type(type) || type.len == 0) && is_json_container(bytes)) {
        q->body_kind = DRAFT_JSON;
        q->body = arena_span(&d->arena, span_trim(bytes), &ok);
        implied = span_equal_nocase(span_trim(content_type), SPAN("application/json"));
    } else if (is_text(bytes)) {
        q->body_kind = DRAFT_TEXT;
        q->body = draft_text(d, bytes);
    } else {
        q->body_kind = DRAFT_BYTES;
        q->body = arena_span(&d->arena, bytes, &ok);
    }
    if (!ok)
        return -ENOMEM;
    if (implied || content_type.len == 0 || draft_pair_find(&q->headers, SPAN("Content-Type")))
        return 0;
    return draft_pair_add(d, &q->headers, SPAN("Content-Type"), draft_text(d, content_type));
}
