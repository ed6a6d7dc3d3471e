#include "loadgen/import/multipart_text.h"

#include <errno.h>

#include "loadgen/import/bodies.h"

/* The value of name="…" or name=… in a header; empty: not there. */
static struct span parameter(struct span header, struct span name)
{
    for (struct span rest = header; rest.len;) {
        size_t at = span_search(rest, name);
        if (at == rest.len)
            break;
        bool begins = at == 0 || rest.ptr[at - 1] == ' ' || rest.ptr[at - 1] == ';';
        rest = span_from(rest, at + name.len);
        if (!begins || rest.len == 0 || rest.ptr[0] != '=')
            continue;
        rest = span_from(rest, 1);
        if (rest.len && rest.ptr[0] == '"') {
            rest = span_from(rest, 1);
            return span_of(rest.ptr, span_find(rest, '"'));
        }
        return span_trim(span_of(rest.ptr, span_find(rest, ';')));
    }
    return (struct span){0};
}

/* Between two boundaries: header lines, an empty line, the value and its line end. */
MUST_USE static int add_part(struct journey_draft *d, struct draft_pairs *fields, struct span part)
{
    size_t gap = span_search(part, SPAN("\r\n\r\n"));
    struct span headers = span_of(part.ptr, gap), value = span_from(part, gap + 4);
    struct span name = parameter(headers, SPAN("name"));
    if (gap == part.len || name.len == 0 || span_search(headers, SPAN("filename")) < headers.len || value.len < 2 ||
        !span_equal(span_from(value, value.len - 2), SPAN("\r\n")))
        return -EINVAL;
    value.len -= 2;
    if (!span_is_utf8(value) || !span_is_utf8(name))
        return -EINVAL;
    return draft_pair_add(d, fields, draft_text(d, name), draft_text(d, value));
}

int draft_multipart_text(struct journey_draft *d, struct draft_request *q, struct span content_type, struct span body)
{
    struct span boundary = parameter(content_type, SPAN("boundary"));
    if (!span_equal_nocase(media_type(content_type), SPAN("multipart/form-data")) || boundary.len == 0 ||
        boundary.len > 70)
        return -EINVAL;
    char mark[80];
    snprintf(mark, sizeof mark, "--" SPAN_FMT, SPAN_ARG(boundary));
    struct span line = span_str(mark);
    struct draft_pairs fields = {0};
    if (!span_starts(body, line))
        return -EINVAL;
    body = span_from(body, line.len);
    while (!span_starts(body, SPAN("--"))) {
        size_t end = span_search(body, line);
        if (end == body.len)
            return -EINVAL;
        int r = add_part(d, &fields, span_of(body.ptr, end));
        if (r < 0)
            return r;
        body = span_from(body, end + line.len);
    }
    if (fields.n == 0)
        return -EINVAL;
    q->fields = fields;
    q->body_kind = DRAFT_MULTIPART;
    return 0;
}
