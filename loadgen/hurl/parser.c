#include "loadgen/hurl/parser.h"

#include <errno.h>
#include <stdarg.h>

#include "loadgen/hurl/parse.h"
#include "lib/base/limits.h"

#define FOUND_BYTES_MAX 24u /* quoted in messages */

bool looking_at(const struct hurl_parser *p, const char *word)
{
    return span_starts(rest_of(p), span_str(word));
}

void skip_blanks(struct hurl_parser *p)
{
    while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\r')
        advance(p, 1);
}

void skip_line(struct hurl_parser *p)
{
    while (!at_end(p) && peek(p) != '\n')
        advance(p, 1);
    advance(p, 1);
}

struct span peek_word(const struct hurl_parser *p)
{
    size_t n = 0;
    for (;; n++) {
        char c = peek_at(p, n), lower = (char)(c | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (n > 0 && ((c >= '0' && c <= '9') || c == '_' || c == '-'))))
            break;
    }
    return n ? span_of(p->text.ptr + p->c.at, n) : (struct span){NULL, 0};
}

struct span found_here(const struct hurl_parser *p)
{
    struct span s = rest_of(p);
    size_t n = 0;
    while (n < s.len && n < FOUND_BYTES_MAX && s.ptr[n] != '\n' && s.ptr[n] != '\r')
        n++;
    while (n > 0 && n < s.len && ((unsigned char)s.ptr[n] & 0xc0) == 0x80)
        n--; /* no half characters */
    if (n == 0)
        return s.len ? SPAN("end of line") : SPAN("end of file");
    return span_of(s.ptr, n);
}

int parse_fail(struct hurl_parser *p, struct hurl_place at, const char *format, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problem_add(p->problems, PROBLEM_ERROR, p->file->name, at.line, at.column, "%s", text);
    return -EINVAL;
}

void *list_push(struct arena *a, void *list, size_t *n, size_t item_bytes)
{
    char *items;
    memcpy(&items, list, sizeof items);
    if (*n == 0 || (*n >= 4 && (*n & (*n - 1)) == 0)) { /* full: room for 4, then twice as much */
        char *more = arena_array(a, *n < 4 ? 4 : *n * 2, item_bytes);
        if (!more)
            return NULL;
        if (*n)
            memcpy(more, items, *n * item_bytes);
        items = more;
        memcpy(list, &items, sizeof items);
    }
    return items + (*n)++ * item_bytes;
}

int keep_span(struct hurl_parser *p, struct span s, struct span *ret)
{
    char *text = arena_dup(&p->file->arena, s);
    if (!text)
        return -ENOMEM;
    *ret = span_of(text, s.len);
    return 0;
}

int hurl_slot_of(const struct hurl_file *f, struct span name)
{
    for (size_t i = 0; i < f->n_variables; i++)
        if (span_equal(f->variables[i], name))
            return (int)i;
    return -1;
}

int slot_for(struct hurl_parser *p, struct span name, uint32_t *ret)
{
    struct hurl_file *f = p->file;
    int known = hurl_slot_of(f, name);
    if (known >= 0) {
        *ret = (uint32_t)known;
        return 0;
    }
    if (f->n_variables >= HURL_VARIABLES_MAX)
        return parse_fail(p, place_of(p), "more than %u variables in one file", HURL_VARIABLES_MAX);
    struct span kept;
    PARSE_TRY(keep_span(p, name, &kept));
    struct span *slot = list_push(&f->arena, &f->variables, &f->n_variables, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    *slot = kept;
    *ret = (uint32_t)(f->n_variables - 1);
    return 0;
}
