#include "loadgen/import/har_capture.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"
#include "loadgen/hurl/run.h"

void har_sources_init(struct har_sources *s, struct journey_draft *d, struct variable_names *names)
{
    *s = (struct har_sources){.draft = d, .names = names};
    arena_init(&s->arena, IMPORT_DRAFT_BYTES_MAX);
    strmap_init(&s->by_value, HAR_SOURCES_MAX);
    strmap_init(&s->by_name, HAR_SOURCES_MAX);
}

void har_sources_done(struct har_sources *s)
{
    strmap_done(&s->by_value);
    strmap_done(&s->by_name);
    arena_done(&s->arena);
}

/* X-CSRF-Token, csrf_token and csrfToken are one name. */
static void put_name_key(struct buf *out, struct span name, struct span value)
{
    if (span_starts(name, SPAN("X-")) || span_starts(name, SPAN("x-")))
        name = span_from(name, 2);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_' || c == '-' || c == '.' || c == ' ')
            continue;
        buf_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    buf_char(out, '\n');
    buf_span(out, value);
}

/* The first place within a response stays, the last response wins. */
MUST_USE static int put_source(struct strmap *map, struct span key, struct har_source *source)
{
    const struct har_source *known = strmap_get(map, key);
    if (known && known->exchange == source->exchange)
        return 0;
    int r = strmap_put(map, key, source);
    return r == -ENOSPC ? 0 : r; /* what is not remembered stays a constant */
}

int har_remember(struct har_sources *s, const struct har_exchange *x, struct draft_request *request,
                 enum har_where where, struct span name, struct span hint, struct span value, struct span query)
{
    bool distinctive = is_distinctive(value), ok = true;
    if (value.len == 0 || value.len > IMPORT_VALUE_BYTES_MAX || query.len > IMPORT_VALUE_BYTES_MAX ||
        name.len > IMPORT_VALUE_BYTES_MAX || (!distinctive && where != HAR_NAMED) || s->n >= HAR_SOURCES_MAX)
        return 0;
    struct har_source *source = arena_alloc(&s->arena, sizeof *source);
    if (!source)
        return 0; /* full: later values stay constants */
    *source = (struct har_source){.exchange = x,
                                  .request = request,
                                  .query = arena_span(&s->arena, query, &ok),
                                  .hint = arena_span(&s->arena, hint, &ok),
                                  .value = arena_span(&s->arena, value, &ok)};
    if (!ok)
        return 0;
    s->n++;
    int r = distinctive ? put_source(&s->by_value, value, source) : 0;
    if (r == 0 && where == HAR_NAMED) {
        struct buf key;
        buf_init(&key, 2 * IMPORT_VALUE_BYTES_MAX + 2);
        put_name_key(&key, name, value);
        r = buf_error(&key) ? 0 : put_source(&s->by_name, buf_view(&key), source);
        buf_done(&key);
    }
    return r;
}

/* ---- does a query find what it should? ---- */

static void put_header_lines(struct buf *out, const struct har_exchange *x)
{
    bool typed = false;
    for (size_t i = 0; i < x->n_answer_headers; i++) {
        struct span rest = x->answer_headers[i].value, line;
        typed = typed || span_equal_nocase(x->answer_headers[i].name, SPAN("Content-Type"));
        while (span_cut(&rest, '\n', &line)) { /* some recorders join cookies with newlines */
            buf_span(out, x->answer_headers[i].name);
            buf_str(out, ": ");
            buf_span(out, span_trim(line));
            buf_str(out, "\r\n");
        }
    }
    if (!typed && x->type.len)
        buf_printf(out, "Content-Type: " SPAN_FMT "\r\n", SPAN_ARG(x->type));
}

/* The file has one entry with one capture. */
static bool capture_is(struct hurl_file *f, const struct har_exchange *x, struct span headers, struct span value)
{
    struct arena keep, scratch;
    struct rng rng;
    struct hurl_value values[2] = {0};
    struct hurl_failure why = {0};
    bool same = false;
    if (f->n_variables > ARRAY_LEN(values))
        return false;
    rng_seed(&rng, 1);
    arena_init(&keep, STEP_BYTES_MAX);
    arena_init(&scratch, STEP_BYTES_MAX);
    struct hurl_scope scope = {.file = f, .values = values, .keep = &keep, .scratch = &scratch, .rng = &rng};
    struct hurl_exchange exchange = {
        .status = x->status, .version = 11, .url = x->url, .headers = headers, .body = x->body};
    if (hurl_verify(&scope, &f->entries[0], &exchange, &why) == 0) {
        struct buf text;
        buf_init(&text, 2 * IMPORT_VALUE_BYTES_MAX);
        same = hurl_value_print(&values[0], &text) == 0 && span_equal(buf_view(&text), value);
        buf_done(&text);
    }
    hurl_exchange_done(&exchange);
    arena_done(&keep);
    arena_done(&scratch);
    return same;
}

bool har_query_finds(const struct har_exchange *x, struct span query, struct span value)
{
    struct problems ps;
    struct hurl_file *f = NULL;
    struct buf text, headers;
    problems_init(&ps);
    buf_init(&text, 4 * IMPORT_VALUE_BYTES_MAX);
    buf_init(&headers, IMPORT_FILE_BYTES_MAX);
    buf_printf(&text, "GET http://x/\nHTTP *\n[Captures]\nv: " SPAN_FMT "\n", SPAN_ARG(query));
    put_header_lines(&headers, x);
    bool found = !buf_error(&text) && !buf_error(&headers) && hurl_parse("query", buf_view(&text), &f, &ps) == 0 &&
                 hurl_check(f, &ps) == 0 && capture_is(f, x, buf_view(&headers), value);
    hurl_file_free(f);
    buf_done(&headers);
    buf_done(&text);
    problems_done(&ps);
    return found;
}

/* ---- values without a place of their own: by what stands before them ---- */

void put_regex_literal(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", text.ptr[i]) && text.ptr[i])
            buf_char(out, '\\');
        buf_char(out, text.ptr[i]);
    }
}

#define CONTEXT_BYTES 24 /* what stands before a value in a script or text, to find it again */

static bool is_word_byte(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c == '-';
}

/* The text before position `at`, on its line, cut where a character begins. */
static struct span context_before(struct span body, size_t at, size_t bytes)
{
    size_t start = at > bytes ? at - bytes : 0;
    for (size_t i = start; i < at; i++)
        if (body.ptr[i] == '\n' || body.ptr[i] == '\r')
            start = i + 1;
    while (start < at && ((unsigned char)body.ptr[start] & 0xc0) == 0x80)
        start++;
    size_t word = start; /* not from the middle of a word on, unless there is nothing else */
    while (word && word < at && is_word_byte(body.ptr[word - 1]) && is_word_byte(body.ptr[word]))
        word++;
    start = word < at ? word : start;
    return span_of(body.ptr + start, at - start);
}

/* window.csrfToken = "abc…": the last word before the value is its name. */
static struct span word_before(struct span context)
{
    size_t end = context.len;
    while (end && !is_word_byte(context.ptr[end - 1]))
        end--;
    size_t start = end;
    while (start && is_word_byte(context.ptr[start - 1]))
        start--;
    return span_of(context.ptr + start, end - start);
}

MUST_USE static int search_text(struct har_sources *s, const struct har_text *t, struct span value,
                                struct har_source **ret)
{
    struct span body = t->exchange->body;
    size_t at = span_search(body, value);
    if (at == body.len || body.len > HAR_BODY_BYTES_MAX)
        return 0;
    for (size_t bytes = CONTEXT_BYTES; bytes <= 4 * CONTEXT_BYTES; bytes *= 2) {
        struct span context = context_before(body, at, bytes);
        struct buf pattern, query;
        buf_init(&pattern, IMPORT_VALUE_BYTES_MAX);
        buf_init(&query, IMPORT_VALUE_BYTES_MAX);
        put_regex_literal(&pattern, context);
        buf_str(&pattern, "([^\"'<>&\\s\\\\;,]+)");
        buf_str(&query, "regex ");
        draft_quoted(&query, buf_view(&pattern));
        bool good = !buf_error(&pattern) && !buf_error(&query) && span_is_utf8(context) && context.len &&
                    span_find(context, DRAFT_OPEN) == context.len && span_find(context, DRAFT_CLOSE) == context.len &&
                    har_query_finds(t->exchange, buf_view(&query), value);
        int r = good ? har_remember(s, t->exchange, t->request, HAR_ANY, (struct span){0}, word_before(context), value,
                                    buf_view(&query))
                     : 0;
        buf_done(&pattern);
        buf_done(&query);
        if (r < 0)
            return r;
        if (good) {
            struct har_source *found = strmap_get(&s->by_value, value);
            if (found && !found->useless)
                *ret = found;
            return 0;
        }
    }
    return 0;
}

/* ---- the question ---- */

static struct har_source *known_source(struct har_sources *s, struct span name, struct span value)
{
    struct har_source *by_value = is_distinctive(value) ? strmap_get(&s->by_value, value) : NULL, *by_name = NULL;
    struct buf key;
    buf_init(&key, 2 * IMPORT_VALUE_BYTES_MAX + 2);
    put_name_key(&key, name, value);
    if (!buf_error(&key))
        by_name = strmap_get(&s->by_name, buf_view(&key));
    buf_done(&key);
    struct har_source *best = by_name && (!by_value || by_name->exchange >= by_value->exchange) ? by_name : by_value;
    if (best && !best->useless && !best->variable.len && !har_query_finds(best->exchange, best->query, best->value))
        best->useless = true;
    return best && !best->useless ? best : NULL;
}

int har_sources_find(struct har_sources *s, struct span name, struct span value, struct span *ret_variable)
{
    *ret_variable = (struct span){0};
    if (value.len == 0 || value.len > IMPORT_VALUE_BYTES_MAX)
        return 0;
    struct har_source *source = known_source(s, name, value);
    for (size_t i = s->n_texts; !source && i > 0 && is_distinctive(value); i--) {
        int r = search_text(s, &s->texts[i - 1], value, &source);
        if (r < 0)
            return r;
    }
    if (!source)
        return 0;
    if (source->variable.len == 0) {
        struct buf text;
        bool ok = true;
        buf_init(&text, IMPORT_VALUE_BYTES_MAX);
        name_variable(s->names, &text, source->hint);
        source->variable = arena_span(&s->arena, buf_view(&text), &ok);
        int r = !ok || buf_error(&text) == -ENOMEM ? -ENOMEM : 0;
        bool full = buf_error(&text);
        buf_done(&text);
        if (r < 0 || full)
            return r; /* no name left: it stays a constant */
        r = draft_pair_add(s->draft, &source->request->captures, source->variable, source->query);
        if (r < 0)
            return r;
        s->captures++;
    }
    *ret_variable = source->variable;
    return 0;
}
