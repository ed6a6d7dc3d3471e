#include "loadgen/engine/multipart.h"

#include <errno.h>

#include "lib/base/limits.h"

/* What a file is when the journey does not say, by its name: as hurl has it. */
static const struct {
    const char *ending, *type;
} TYPES[] = {
    {".gif", "image/gif"},       {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"}, {".png", "image/png"},
    {".svg", "image/svg+xml"},   {".txt", "text/plain"},      {".htm", "text/html"},   {".html", "text/html"},
    {".pdf", "application/pdf"}, {".xml", "application/xml"},
};

static struct span type_of(struct span file)
{
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
        struct span ending = span_str(TYPES[i].ending);
        if (file.len > ending.len && span_equal_nocase(span_from(file, file.len - ending.len), ending))
            return span_str(TYPES[i].type);
    }
    return SPAN("application/octet-stream");
}

/* Names in quotes as browsers send them: a quote or a line end would end them. */
static void put_quoted(struct buf *out, struct span name)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '"' || c == '\r' || c == '\n')
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
        else
            buf_char(out, c);
    }
    buf_char(out, '"');
}

MUST_USE static int put_field(struct hurl_scope *s, const struct hurl_part_field *f, struct buf *out,
                              struct hurl_failure *why)
{
    struct buf text;
    buf_init(&text, BODY_BYTES_MAX);
    int r = hurl_render(s, &f->key, &text, why);
    buf_str(out, "Content-Disposition: form-data; name=");
    put_quoted(out, buf_view(&text));
    buf_clear(&text);
    if (r == 0)
        r = hurl_render(s, &f->value, &text, why);
    struct span value = buf_view(&text), type = {0};
    if (r == 0)
        r = hurl_text(s, &f->content_type, &type, why);
    if (r == 0 && f->is_file) {
        buf_str(out, "; filename=");
        put_quoted(out, value);
        if (type.len == 0)
            type = type_of(value);
        r = hurl_file_bytes(s, &f->value, f->at, &value, why);
    }
    if (type.len) {
        buf_str(out, "\r\nContent-Type: ");
        buf_span(out, type);
    }
    buf_str(out, "\r\n\r\n");
    buf_span(out, value);
    buf_str(out, "\r\n");
    buf_done(&text);
    return r;
}

int multipart_build(struct hurl_scope *s, const struct hurl_part_field *fields, size_t n, struct buf *out, char *type,
                    size_t type_bytes, struct hurl_failure *why)
{
    char boundary[64];
    snprintf(boundary, sizeof boundary, "------------------------%016llx", (unsigned long long)rng_next(s->rng));
    snprintf(type, type_bytes, "multipart/form-data; boundary=%s", boundary);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "--%s\r\n", boundary);
        int r = put_field(s, &fields[i], out, why);
        if (r < 0)
            return r;
    }
    buf_printf(out, "--%s--\r\n", boundary);
    return buf_error(out);
}
