/* Values of a page: fields of its forms, meta tags, data attributes, the ids in its links. A tokenizer, no parser: what it
 * takes for the third link of its kind is asked of libxml2 before it is used (har_query_finds). */
#include <errno.h>

#include "lib/base/limits.h"
#include "loadgen/hurl/html.h"
#include "loadgen/import/har_capture.h"
#include "loadgen/import/url_pieces.h"

#define ATTRIBUTES_MAX 32u     /* of one element; later ones are not looked at */
#define HTML_KINDS_MAX 100000u /* kinds of elements counted on one page */

struct attribute {
    struct span name, value;
};
struct element {
    struct span name;
    struct attribute attributes[ATTRIBUTES_MAX];
    size_t n;
};
struct html_scan {
    struct har_sources *s;
    const struct har_exchange *x;
    struct draft_request *request;
    struct arena scratch;
    struct strmap counts; /* "a\nhref\n/product/" -> how many so far */
    struct buf query, key;
    const struct element *e; /* the one that on_link is about */
    struct span attribute;
    int r;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_name_byte(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':';
}

static struct span lower(struct html_scan *h, struct span s)
{
    bool ok = true;
    struct span copy = arena_span(&h->scratch, s, &ok);
    for (size_t i = 0; i < copy.len; i++)
        if (copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z')
            ((char *)copy.ptr)[i] |= 0x20; /* our own copy */
    return copy;
}

static struct span unescaped(struct html_scan *h, struct span s)
{
    if (span_find(s, '&') == s.len)
        return s;
    struct buf out;
    bool ok = true;
    buf_init(&out, HAR_BODY_BYTES_MAX);
    html_unescape(&out, s);
    struct span text = arena_span(&h->scratch, buf_view(&out), &ok);
    buf_done(&out);
    return text;
}

/* At '<' of a start tag; the bytes it takes. */
static size_t read_element(struct html_scan *h, struct span s, struct element *e)
{
    size_t i = 1;
    while (i < s.len && is_name_byte(s.ptr[i]))
        i++;
    e->name = lower(h, span_of(s.ptr + 1, i - 1));
    e->n = 0;
    while (i < s.len && s.ptr[i] != '>') {
        if (is_blank(s.ptr[i]) || s.ptr[i] == '/') {
            i++;
            continue;
        }
        size_t start = i;
        while (i < s.len && !is_blank(s.ptr[i]) && s.ptr[i] != '=' && s.ptr[i] != '>' && s.ptr[i] != '/')
            i++;
        struct attribute a = {.name = span_of(s.ptr + start, i - start)};
        while (i < s.len && is_blank(s.ptr[i]))
            i++;
        if (i < s.len && s.ptr[i] == '=') {
            for (i++; i < s.len && is_blank(s.ptr[i]); i++)
                ;
            char quote = i < s.len && (s.ptr[i] == '"' || s.ptr[i] == '\'') ? s.ptr[i] : '\0';
            start = i += quote != 0;
            while (i < s.len && (quote ? s.ptr[i] != quote : !is_blank(s.ptr[i]) && s.ptr[i] != '>'))
                i++;
            a.value = unescaped(h, span_of(s.ptr + start, i - start));
            i += quote && i < s.len;
        } else if (i == start) {
            i++; /* a stray '=' */
        }
        a.name = lower(h, a.name);
        if (e->n < ATTRIBUTES_MAX)
            e->attributes[e->n++] = a;
    }
    return i < s.len ? i + 1 : s.len;
}

static struct span attribute(const struct element *e, const char *name)
{
    for (size_t i = 0; i < e->n; i++)
        if (span_equal(e->attributes[i].name, span_str(name)))
            return e->attributes[i].value;
    return (struct span){0};
}

/* The number of this element among those of its kind, from 1; 0: too many kinds. */
static size_t count_kind(struct html_scan *h, struct span element, struct span name, struct span what)
{
    buf_clear(&h->key);
    buf_printf(&h->key, SPAN_FMT "\n" SPAN_FMT "\n" SPAN_FMT, SPAN_ARG(element), SPAN_ARG(name), SPAN_ARG(what));
    if (buf_error(&h->key))
        return 0;
    size_t n = (size_t)(uintptr_t)strmap_get(&h->counts, buf_view(&h->key)) + 1;
    return strmap_put(&h->counts, buf_view(&h->key), (void *)(uintptr_t)n) < 0 ? 0 : n;
}

/* XPath has no escapes: a text with both quotes cannot be written. */
static bool has_xpath_literal(struct span s)
{
    return span_find(s, '\'') == s.len && span_find(s, '\\') == s.len;
}

/* xpath "string((//ELEMENT[TEST])[N]/@ATTRIBUTE)" */
static void put_xpath(struct html_scan *h, struct span test, struct span name, size_t n)
{
    struct buf path;
    buf_init(&path, IMPORT_VALUE_BYTES_MAX);
    buf_str(&path, n > 1 ? "string((//" : "string(//");
    buf_span(&path, h->e->name);
    buf_char(&path, '[');
    buf_span(&path, test);
    if (n > 1)
        buf_printf(&path, "])[%zu]/@", n);
    else
        buf_str(&path, "]/@");
    buf_span(&path, name);
    buf_char(&path, ')');
    buf_clear(&h->query);
    buf_str(&h->query, "xpath ");
    draft_quoted(&h->query, buf_view(&path));
    if (buf_error(&path) && !buf_error(&h->query))
        h->query.error = -ENOSPC;
    buf_done(&path);
}

/* A field or meta tag that is known by its name. */
static void add_named(struct html_scan *h, const char *name_attribute, const char *value_attribute, bool meant)
{
    struct span name = attribute(h->e, name_attribute), value = attribute(h->e, value_attribute);
    if (name.len == 0 || name.len > 200 || !has_xpath_literal(name))
        return;
    size_t n = count_kind(h, h->e->name, span_str(name_attribute), name);
    char test[512];
    snprintf(test, sizeof test, "@%s='" SPAN_FMT "'", name_attribute, SPAN_ARG(name));
    put_xpath(h, span_str(test), span_str(value_attribute), n);
    if (n && !buf_error(&h->query))
        h->r =
            har_remember(h->s, h->x, h->request, meant ? HAR_NAMED : HAR_ANY, name, name, value, buf_view(&h->query));
}

static bool has_digit(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    return false;
}

static void on_link(void *ctx, const struct url_piece *p)
{
    struct html_scan *h = ctx;
    if (h->r < 0 || (!p->is_id && !is_distinctive(p->value)) || p->prefix.len > 200 || !has_xpath_literal(p->prefix))
        return;
    size_t n = count_kind(h, h->e->name, h->attribute, p->prefix);
    char test[512];
    snprintf(test, sizeof test, "contains(@" SPAN_FMT ",'" SPAN_FMT "')", SPAN_ARG(h->attribute), SPAN_ARG(p->prefix));
    put_xpath(h, span_str(test), h->attribute, n);
    buf_str(&h->query, " regex ");
    draft_quoted(&h->query, p->pattern);
    if (p->encoded)
        buf_str(&h->query, " urlDecode");
    if (n && !buf_error(&h->query))
        h->r = har_remember(h->s, h->x, h->request, HAR_NAMED, SPAN(URL_PIECE_NAME), p->name, p->value,
                            buf_view(&h->query));
}

static void add_data_attributes(struct html_scan *h)
{
    for (size_t i = 0; i < h->e->n && h->r == 0; i++) {
        struct span name = h->e->attributes[i].name, value = h->e->attributes[i].value;
        if (!span_starts(name, SPAN("data-")) || name.len > 100)
            continue;
        bool plain = true;
        for (size_t k = 0; k < name.len; k++)
            plain = plain && is_name_byte(name.ptr[k]) && name.ptr[k] != ':';
        size_t n = plain ? count_kind(h, h->e->name, name, (struct span){0}) : 0;
        char test[128];
        snprintf(test, sizeof test, "@" SPAN_FMT, SPAN_ARG(name));
        put_xpath(h, span_str(test), name, n);
        struct span words = span_from(name, 5);
        if (n && !buf_error(&h->query))
            h->r = har_remember(h->s, h->x, h->request, is_id_name(words) ? HAR_NAMED : HAR_ANY, words, words, value,
                                buf_view(&h->query));
    }
}

static void add_element(struct html_scan *h, const struct element *e)
{
    h->e = e;
    if (span_equal(e->name, SPAN("input")) || span_equal(e->name, SPAN("button"))) {
        struct span name = attribute(e, "name"), value = attribute(e, "value");
        bool hidden = span_equal_nocase(attribute(e, "type"), SPAN("hidden"));
        add_named(h, "name", "value", hidden && (has_digit(value) || is_id_name(name)));
    } else if (span_equal(e->name, SPAN("meta"))) {
        struct span name = attribute(e, "name");
        add_named(h, name.len ? "name" : "property", "content", is_id_name(name));
    } else if (span_equal(e->name, SPAN("option"))) {
        h->attribute = SPAN("value");
        struct span value = attribute(e, "value");
        size_t n = value.len ? count_kind(h, e->name, h->attribute, (struct span){0}) : 0;
        put_xpath(h, SPAN("@value"), h->attribute, n);
        if (n && !buf_error(&h->query))
            h->r = har_remember(h->s, h->x, h->request, HAR_ANY, SPAN("option"), SPAN("option"), value,
                                buf_view(&h->query));
    } else if (span_equal(e->name, SPAN("a")) || span_equal(e->name, SPAN("form"))) {
        h->attribute = span_equal(e->name, SPAN("a")) ? SPAN("href") : SPAN("action");
        int r = url_pieces(attribute(e, h->attribute.ptr), on_link, h);
        h->r = h->r < 0 ? h->r : r;
    }
    if (h->r == 0)
        add_data_attributes(h);
}

/* Behind an element whose content is no markup, or a comment: the bytes up to its end. */
static size_t skip_raw(struct span s, const struct element *e)
{
    const char *end = span_equal(e->name, SPAN("script"))  ? "</script"
                      : span_equal(e->name, SPAN("style")) ? "</style"
                                                           : NULL;
    for (size_t i = 0; end && i < s.len; i++)
        if (s.ptr[i] == '<' && s.len - i >= strlen(end) &&
            span_equal_nocase(span_of(s.ptr + i, strlen(end)), span_str(end)))
            return i;
    return end ? s.len : 0;
}

int har_html_values(struct har_sources *s, const struct har_exchange *x, struct draft_request *request)
{
    struct html_scan h = {.s = s, .x = x, .request = request};
    arena_init(&h.scratch, HAR_BODY_BYTES_MAX);
    strmap_init(&h.counts, HTML_KINDS_MAX);
    buf_init(&h.query, 2 * IMPORT_VALUE_BYTES_MAX);
    buf_init(&h.key, IMPORT_VALUE_BYTES_MAX);
    struct span rest = x->body;
    struct element e;
    for (size_t at; h.r == 0 && (at = span_find(rest, '<')) < rest.len;) {
        rest = span_from(rest, at);
        if (span_starts(rest, SPAN("<!--"))) {
            size_t end = span_search(rest, SPAN("-->"));
            rest = span_from(rest, end + 3);
        } else if (rest.len > 1 && (rest.ptr[1] | 0x20) >= 'a' && (rest.ptr[1] | 0x20) <= 'z') {
            rest = span_from(rest, read_element(&h, rest, &e));
            add_element(&h, &e);
            rest = span_from(rest, skip_raw(rest, &e));
        } else {
            rest = span_from(rest, 1);
        }
    }
    buf_done(&h.query);
    buf_done(&h.key);
    strmap_done(&h.counts);
    arena_done(&h.scratch);
    return h.r;
}
