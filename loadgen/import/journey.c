#include "loadgen/import/journey.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/import/names.h"

void journey_init(struct journey_draft *d)
{
    *d = (struct journey_draft){0};
    arena_init(&d->arena, IMPORT_DRAFT_BYTES_MAX);
}

void journey_done(struct journey_draft *d)
{
    arena_done(&d->arena);
}

struct draft_request *journey_add(struct journey_draft *d)
{
    struct draft_request *q = d->n < JOURNEY_STEPS_MAX ? arena_alloc(&d->arena, sizeof *q) : NULL;
    if (!q)
        return NULL;
    if (d->last)
        d->last->next = q;
    else
        d->first = q;
    d->last = q;
    d->n++;
    return q;
}

/* The length of the UTF-8 character at s, 0 when it is none. */
static size_t character(struct span s)
{
    size_t n = 1;
    unsigned char c = (unsigned char)s.ptr[0];
    if (c >= 0x80)
        n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return n <= s.len && span_is_utf8(span_of(s.ptr, n)) ? n : 0;
}

struct span draft_text(struct journey_draft *d, struct span foreign)
{
    if (span_is_utf8(foreign) && span_find(foreign, DRAFT_OPEN) == foreign.len &&
        span_find(foreign, DRAFT_CLOSE) == foreign.len) {
        bool ok = true;
        return arena_span(&d->arena, foreign, &ok);
    }
    char *text = arena_room(&d->arena, 3 * foreign.len);
    size_t n = 0;
    while (text && foreign.len) {
        size_t c = foreign.ptr[0] == DRAFT_OPEN || foreign.ptr[0] == DRAFT_CLOSE ? 0 : character(foreign);
        memcpy(text + n, c ? foreign.ptr : "\xef\xbf\xbd", c ? c : 3);
        n += c ? c : 3;
        foreign = span_from(foreign, c ? c : 1);
    }
    return span_of(text, text ? n : 0);
}

int draft_pair_add(struct journey_draft *d, struct draft_pairs *to, struct span name, struct span value)
{
    bool ok = true;
    struct draft_pair *pair = arena_alloc(&d->arena, sizeof *pair);
    if (!pair)
        return -ENOMEM;
    pair->name = arena_span(&d->arena, name, &ok);
    pair->value = arena_span(&d->arena, value, &ok);
    if (!ok)
        return -ENOMEM;
    if (to->last)
        to->last->next = pair;
    else
        to->first = pair;
    to->last = pair;
    to->n++;
    return 0;
}

const struct draft_pair *draft_pair_find(const struct draft_pairs *pairs, struct span name)
{
    for (const struct draft_pair *p = pairs->first; p; p = p->next)
        if (span_equal_nocase(p->name, name))
            return p;
    return NULL;
}

void draft_expression(struct buf *out, struct span expression)
{
    buf_char(out, DRAFT_OPEN);
    buf_span(out, expression);
    buf_char(out, DRAFT_CLOSE);
}

/* ---- texts of the language ---- */

enum flavour { QUOTED, VALUE, URL, KEY, ONELINE, JSON };

static bool is_plain_in_key(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80 ||
           (c && strchr("_-.[]@$", c));
}

static void put_escaped(struct buf *out, enum flavour f, struct span rest)
{
    unsigned char c = (unsigned char)rest.ptr[0];
    bool brace = c == '{' && rest.len > 1 && (rest.ptr[1] == '{' || rest.ptr[1] == DRAFT_OPEN);
    switch (f) {
    case JSON: /* it is JSON: only what the language would take for its own is written otherwise */
        buf_str(out, brace ? "\\u007b" : (char[]){(char)c, 0});
        return;
    case URL: /* percent signs stand for themselves: what is encoded stays so */
        if (c <= ' ' || c == 0x7f || c >= 0x80 || strchr("\"<>\\^`{|}#", c))
            buf_printf(out, "%%%02X", c);
        else
            buf_char(out, (char)c);
        return;
    case KEY:
        if (is_plain_in_key(c))
            buf_char(out, (char)c);
        else if (c == '#' || c == ':' || c == '\\' || c == '/')
            buf_printf(out, "\\%c", c);
        else
            buf_printf(out, "\\u{%x}", c);
        return;
    case QUOTED:
    case VALUE:
    case ONELINE:
        break;
    }
    const char *marks = f == QUOTED ? "\"\\" : f == VALUE ? "#\\" : "`#\\";
    if (c == '\n')
        buf_str(out, "\\n");
    else if (c == '\t')
        buf_str(out, "\\t");
    else if (c == '\r')
        buf_str(out, "\\r");
    else if (c < ' ' || c == 0x7f || brace)
        buf_printf(out, "\\u{%x}", c);
    else if (strchr(marks, c))
        buf_printf(out, "\\%c", c);
    else
        buf_char(out, (char)c);
}

static void put_text(struct buf *out, enum flavour f, struct span marked)
{
    bool expression = false;
    for (size_t i = 0; i < marked.len; i++) {
        char c = marked.ptr[i];
        bool edge = f == VALUE && c == ' ' && (i == 0 || i + 1 == marked.len);
        if (c == DRAFT_OPEN || c == DRAFT_CLOSE) {
            buf_str(out, c == DRAFT_OPEN ? "{{" : "}}");
            expression = c == DRAFT_OPEN;
        } else if (expression) {
            buf_char(out, c);
        } else if (edge) { /* blanks at a value's edges are layout */
            buf_str(out, "\\u{20}");
        } else {
            put_escaped(out, f, span_from(marked, i));
        }
    }
}

void draft_quoted(struct buf *out, struct span marked)
{
    buf_char(out, '"');
    put_text(out, QUOTED, marked);
    buf_char(out, '"');
}

/* ---- step names ---- */

void draft_step_name(struct buf *out, struct span method, struct span url)
{
    size_t start = out->len, scheme = span_search(url, SPAN("://"));
    if (scheme < url.len) {
        url = span_from(url, scheme + 3);
        url = span_from(url, span_find(url, '/'));
    }
    url.len = span_find(url, '?');
    if (!span_equal(method, SPAN("GET")) && method.len)
        for (size_t i = 0; i < method.len && out->len - start < STEP_NAME_BYTES; i++)
            buf_char(out, (char)(method.ptr[i] | 0x20));
    struct span piece;
    while (span_cut(&url, '/', &piece)) {
        if (piece.len == 0 || looks_like_id(piece) || piece.ptr[0] == '{' || span_find(piece, DRAFT_OPEN) < piece.len)
            continue;
        if (out->len + 1 + piece.len - start > STEP_NAME_BYTES)
            break;
        if (out->len > start)
            buf_char(out, '-');
        for (size_t i = 0; i < piece.len; i++) {
            unsigned char c = (unsigned char)piece.ptr[i];
            bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '.';
            buf_char(out, word ? (char)c : '-');
        }
    }
    if (out->len == start)
        buf_str(out, "home");
}

/* ---- the file ---- */

static void put_comment(struct buf *out, struct span lines)
{
    struct span line;
    while (span_cut(&lines, '\n', &line)) {
        buf_str(out, line.len ? "# " : "#");
        for (size_t i = 0; i < line.len; i++)
            buf_char(out, (unsigned char)line.ptr[i] < ' ' ? ' ' : line.ptr[i]);
        buf_char(out, '\n');
    }
}

static void put_pairs(struct buf *out, const char *section, const struct draft_pairs *pairs)
{
    if (pairs->n && section)
        buf_printf(out, "[%s]\n", section);
    for (const struct draft_pair *p = pairs->first; p; p = p->next) {
        put_text(out, KEY, p->name);
        buf_str(out, ": ");
        put_text(out, VALUE, p->value);
        if (out->len && out->data[out->len - 1] == ' ')
            buf_truncate(out, out->len - 1); /* "name:" of an empty value */
        buf_char(out, '\n');
    }
}

/* Names and values that are Hurl already. */
static void put_lines(struct buf *out, const char *section, const struct draft_pairs *pairs)
{
    if (pairs->n)
        buf_printf(out, "[%s]\n", section);
    for (const struct draft_pair *p = pairs->first; p; p = p->next)
        buf_printf(out, SPAN_FMT "%s" SPAN_FMT "\n", SPAN_ARG(p->name), p->value.len ? ": " : "", SPAN_ARG(p->value));
}

static const struct span FILE_MARK = SPAN_INIT("\x01"
                                               "file\x02");

/* What draft_file() made. */
static void put_file(struct buf *out, struct span file)
{
    buf_str(out, "file,");
    buf_span(out, span_from(file, FILE_MARK.len));
}

/* A field whose value is a file: "file,NAME; TYPE", written by the importer; a text that only looks so is escaped. */
static void put_multipart(struct buf *out, const struct draft_pairs *fields)
{
    buf_str(out, "[Multipart]\n");
    for (const struct draft_pair *p = fields->first; p; p = p->next) {
        put_text(out, KEY, p->name);
        buf_str(out, ": ");
        if (span_starts(p->value, FILE_MARK)) {
            put_file(out, p->value);
        } else if (span_starts(p->value, SPAN("file,"))) {
            buf_str(out, "\\u{66}");
            put_text(out, VALUE, span_from(p->value, 1));
        } else {
            put_text(out, VALUE, p->value);
        }
        buf_char(out, '\n');
    }
}

static void put_body(struct buf *out, const struct draft_request *q)
{
    switch (q->body_kind) {
    case DRAFT_FORM:
        put_pairs(out, "Form", &q->fields);
        break;
    case DRAFT_MULTIPART:
        put_multipart(out, &q->fields);
        break;
    case DRAFT_JSON:
        put_text(out, JSON, q->body);
        buf_char(out, '\n');
        break;
    case DRAFT_TEXT:
        buf_char(out, '`');
        put_text(out, ONELINE, q->body);
        buf_str(out, "`\n");
        break;
    case DRAFT_BYTES:
        buf_str(out, "base64,");
        base64_encode(out, q->body, false);
        buf_str(out, ";\n");
        break;
    case DRAFT_FILE:
        put_file(out, q->body);
        buf_char(out, '\n');
        break;
    case DRAFT_NO_BODY:
        break;
    }
}

static void put_settings(struct buf *out, const struct draft_request *q)
{
    if (q->remark.len)
        put_comment(out, q->remark);
    buf_str(out, "# @step ");
    if (q->step.len)
        buf_span(out, q->step);
    else
        draft_step_name(out, q->method, q->url);
    buf_char(out, '\n');
    if (q->think.len) {
        buf_printf(out, "# @think " SPAN_FMT "\n", SPAN_ARG(q->think));
    } else if (q->think_ms > 0) {
        char text[NUMBER_TEXT_MAX];
        format_duration_ms(text, q->think_ms);
        buf_printf(out, "# @think %s\n", text);
    }
    if (q->money)
        buf_str(out, "# @money\n");
    for (const struct draft_pair *g = q->gotos.first; g; g = g->next)
        buf_printf(out, "# @goto p=" SPAN_FMT " " SPAN_FMT "\n", SPAN_ARG(g->value), SPAN_ARG(g->name));
}

static void put_request(struct buf *out, const struct draft_request *q)
{
    put_settings(out, q);
    buf_span(out, q->method.len ? q->method : SPAN("GET"));
    bool colon = q->url.len && q->url.ptr[0] == ':'; /* "GET :x" would be a row of the section before it */
    buf_str(out, colon ? " %3A" : " ");
    put_text(out, URL, span_from(q->url, colon));
    buf_char(out, '\n');
    put_pairs(out, NULL, &q->headers);
    if (q->user.len) { /* the language has no credentials without a name */
        struct draft_pair pair = {q->user, q->password, NULL};
        struct draft_pairs one = {&pair, &pair, 1};
        put_pairs(out, "BasicAuth", &one);
    }
    put_pairs(out, "Cookies", &q->cookies);
    put_lines(out, "Options", &q->options);
    put_body(out, q);
    if (q->status == 0 && q->captures.n == 0 && q->asserts.n == 0)
        return;
    if (q->status > 0)
        buf_printf(out, "HTTP %d\n", q->status);
    else
        buf_str(out, "HTTP *\n");
    put_lines(out, "Captures", &q->captures);
    put_lines(out, "Asserts", &q->asserts);
}

int journey_print(const struct journey_draft *d, struct buf *out)
{
    if (d->n == 0)
        return -EINVAL;
    put_comment(out, d->title);
    if (d->weight > 0) {
        buf_str(out, "# @weight ");
        buf_f64(out, d->weight);
        buf_char(out, '\n');
    }
    if (d->feed.len)
        buf_printf(out, "# @feed " SPAN_FMT "\n", SPAN_ARG(d->feed));
    for (const struct draft_request *q = d->first; q; q = q->next) {
        if (out->len)
            buf_char(out, '\n');
        put_request(out, q);
    }
    return buf_error(out);
}
