/* What is enforced.
 *
 * Both formats, as Prometheus 3 does when it scrapes: names and label values are UTF-8; a label stands once; HELP is UTF-8;
 * a TYPE names a known type; values are Go's floats without hex and underscores and within range; any NaN is the ordinary
 * NaN; le of histograms and quantile of summaries are normalised. Beyond Prometheus: the limits of limits.h on labels.
 *
 * Text 0.0.4, as lenient as Prometheus: blanks between tokens, empty lines, comments (UNIT and EOF are comments), a missing
 * comma between labels, raw newlines in label values, no newline at the end, TYPE after samples or twice, families in
 * pieces. Wider than Prometheus: TYPE takes blanks behind the type and OpenMetrics' type names.
 *
 * OpenMetrics 1.0, as strict as Prometheus: # EOF ends the page and nothing follows, no empty lines, no comments, single
 * spaces, UNIT is the name's suffix, exemplars as specified. An exemplar with more than 128 characters of labels is dropped,
 * the sample kept (Prometheus does so when it appends). Timestamps are rounded down to ms, where Prometheus may come out 1 ms
 * lower because it multiplies first.
 *
 * Only with .strict: see exposition_strict.c. */
#include "lib/metric/exposition.h"

#include <errno.h>

#include "lib/base/number.h"
#include "lib/metric/exposition_created.h"
#include "lib/metric/exposition_family.h"
#include "lib/metric/exposition_scan.h"
#include "lib/metric/exposition_strict.h"

/* Escaped names, values and HELP of one line; a line is at most LABELS_MAX labels, but HELP may be as long as it likes. */
#define SCRATCH_BYTES_MAX (16u << 20)

const char EXPOSITION_ACCEPT[] = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                                 "application/openmetrics-text;version=0.0.1;q=0.5,"
                                 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                                 "text/plain;version=0.0.4;q=0.3,*/*;q=0.1";

struct parser {
    struct page page;
    const struct exposition_events *events;
    struct strict *strict;
    /* the family of the last metadata lines */
    struct metadata family;
    struct arena family_texts;
    bool starts_known; /* its _created lines were looked up */
    struct created created;
    struct sample_line line, ahead;
    struct arena ahead_texts;
};

MUST_USE static int complain(struct parser *ps, size_t start, const char *why)
{
    if (!why)
        return 0;
    return PAGE_FAIL(&ps->page, start, ps->page.at, "%s", why);
}

/* ---- metadata lines ---- */

/* The family that metadata is for: the current one, or a new one that begins here. */
MUST_USE static int enter_family(struct parser *ps, struct span name)
{
    if (span_equal(ps->family.name, name))
        return 0;
    arena_reset(&ps->family_texts);
    bool ok = true;
    ps->family = (struct metadata){.name = arena_span(&ps->family_texts, name, &ok)};
    ps->starts_known = false;
    created_clear(&ps->created);
    return ok ? 0 : -ENOMEM;
}

MUST_USE static int read_type(struct parser *ps, size_t start, struct span text)
{
    struct page *p = &ps->page;
    text = p->openmetrics ? text : span_trim(text);
    bool untyped = p->openmetrics && span_equal(text, SPAN("untyped")); /* text format's word */
    if (untyped || !metric_type_parse(text, &ps->family.type)) {
        int shown = text.len > 40 ? 40 : (int)text.len;
        return PAGE_FAIL(p, start, p->at, "unknown metric type '%.*s'", shown, text.ptr ? text.ptr : "");
    }
    return 0;
}

MUST_USE static int read_unit(struct parser *ps, size_t start, struct span text)
{
    struct span name = ps->family.name;
    bool fits = text.len == 0 || (name.len > text.len && name.ptr[name.len - text.len - 1] == '_' &&
                                  span_equal(span_from(name, name.len - text.len), text));
    if (!fits) {
        int shown = text.len > 40 ? 40 : (int)text.len;
        return PAGE_FAIL(&ps->page, start, ps->page.at, "unit '%.*s' is not the suffix of the metric's name", shown,
                         text.ptr);
    }
    bool ok = true;
    ps->family.unit = arena_span(&ps->family_texts, text, &ok);
    return ok ? 0 : -ENOMEM;
}

MUST_USE static int read_help(struct parser *ps, size_t start, struct span text)
{
    struct page *p = &ps->page;
    if (!span_is_utf8(text))
        return PAGE_FAIL(p, start, p->at, "HELP is not valid UTF-8");
    struct span plain;
    int r = page_unescape(p, text, p->openmetrics, &plain);
    if (r < 0)
        return r;
    bool ok = true;
    ps->family.help = arena_span(&ps->family_texts, plain, &ok);
    return ok ? 0 : -ENOMEM;
}

/* name [blank text]: at is behind the keyword and its blanks. */
MUST_USE static int metadata_line(struct parser *ps, size_t line_start, enum metadata_kind kind)
{
    struct page *p = &ps->page;
    struct span name;
    int r = page_name(p, true, "metric name", &name);
    if (r < 0)
        return r;
    size_t start = p->at;
    struct span rest = span_of(p->text + start, p->len - start);
    struct span text = span_of(rest.ptr, span_find(rest, '\n'));
    if (p->openmetrics && page_char(p) != ' ')
        return page_expected(p, "' ' after the metric name");
    p->at += text.len;
    if (p->openmetrics && !page_more(p))
        return PAGE_FAIL(p, p->at, p->at, "the page does not end with # EOF");
    p->at += page_more(p);
    start += text.len > 0;
    text = span_from(text, 1); /* the blank; Prometheus drops whatever stands there */
    r = enter_family(ps, name);
    if (r == 0 && kind == METADATA_TYPE)
        r = read_type(ps, start, text);
    else if (r == 0 && kind == METADATA_UNIT)
        r = read_unit(ps, start, text);
    else if (r == 0)
        r = read_help(ps, start, text);
    if (r == -ENOMEM)
        parse_error_set(p->error, r, p->text, line_start, p->at, "metadata needs too much memory");
    if (r == 0 && ps->strict)
        r = complain(ps, line_start, strict_metadata(ps->strict, &ps->family, kind));
    if (r == 0 && ps->events->metadata)
        r = ps->events->metadata(ps->events->ctx, &ps->family);
    return r < 0 ? r : 0;
}

/* A keyword and the blanks behind it (one space in OpenMetrics); false when the line says something else. */
static bool take_keyword(struct page *p, const char *word)
{
    struct span rest = span_of(p->text + p->at, p->len - p->at);
    size_t n = strlen(word);
    if (!span_starts(rest, span_str(word)) || rest.len == n ||
        (rest.ptr[n] != ' ' && (p->openmetrics || rest.ptr[n] != '\t')))
        return false;
    p->at += n + 1;
    if (!p->openmetrics)
        page_skip_blanks(p);
    return true;
}

/* at is on the '#'. *ret_end: # EOF. */
MUST_USE static int hash_line(struct parser *ps, bool *ret_end)
{
    struct page *p = &ps->page;
    size_t start = p->at;
    static const struct {
        const char *word;
        enum metadata_kind kind;
        bool openmetrics;
    } keywords[] = {{"TYPE", METADATA_TYPE, false}, {"HELP", METADATA_HELP, false}, {"UNIT", METADATA_UNIT, true}};
    if (take_keyword(p, "#")) {
        for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
            if ((p->openmetrics || !keywords[i].openmetrics) && take_keyword(p, keywords[i].word))
                return metadata_line(ps, start, keywords[i].kind);
        if (p->openmetrics && span_starts(span_of(p->text + p->at, p->len - p->at), SPAN("EOF"))) {
            p->at += 3;
            if (page_char(p) != '\n')
                return page_expected(p, "end of line after # EOF");
            p->at += page_more(p);
            *ret_end = true;
            return 0;
        }
    }
    if (p->openmetrics) {
        p->at = start;
        return PAGE_FAIL(p, start, start + 1, "HELP, TYPE, UNIT or EOF expected after #: OpenMetrics has no comments");
    }
    struct span rest = span_of(p->text + start, p->len - start);
    p->at = start + span_find(rest, '\n');
    p->at += page_more(p);
    return 0;
}

/* ---- samples ---- */

/* Is the line here (at) one of the family's? An escaped name in braces is not looked into. */
static bool line_is_of(const struct page *p, struct span family)
{
    struct span rest = span_of(p->text + p->at, p->len - p->at);
    if (span_starts(rest, SPAN("{\"")))
        rest = span_from(rest, 2);
    return span_starts(rest, family);
}

/* Look the family's _created lines up, from the line at `from` as far as its lines go. What is malformed there is reported when its
 * turn comes. */
MUST_USE static int find_starts(struct parser *ps, size_t from)
{
    struct page *p = &ps->page;
    size_t here = p->at;
    struct parse_error *error = p->error, ignored;
    struct arena scratch = p->scratch; /* the line we come from still needs it */
    struct span bound = family_suffixes(ps->family.type)->bound, suffix;
    int r = 0;
    p->at = from;
    p->error = &ignored;
    p->scratch = ps->ahead_texts;
    while (r == 0 && line_is_of(p, ps->family.name)) {
        arena_reset(&p->scratch);
        struct span rest = span_of(p->text + p->at, p->len - p->at);
        size_t length = span_find(rest, '\n');
        struct span head = span_of(rest.ptr, length);
        size_t next = p->at + length + (length < rest.len);
        int64_t start_ms;
        if (span_search(head, SPAN("_created")) < head.len && page_sample(p, &ps->ahead) == 0 &&
            family_has(ps->family.name, ps->family.type, ps->ahead.name, &suffix) &&
            span_equal(suffix, SPAN("_created")) && page_seconds_ms(ps->ahead.value, &start_ms) == 0) {
            struct labels ls = {ps->ahead.labels.pairs, ps->ahead.labels.n};
            r = created_put(&ps->created, created_key(&ls, bound), start_ms);
        }
        p->at = next;
    }
    ps->ahead_texts = p->scratch;
    p->scratch = scratch;
    p->at = here;
    p->error = error;
    if (r < 0)
        parse_error_set(error, r, p->text, here, here, "out of memory");
    return r;
}

/* Is it what formatting would give? Then nothing needs formatting: digits, a point, digits, not more than 15 of them, no
 * zeros in front or behind, and not so small or large that an exponent is written. */
static bool is_canonical(struct span v)
{
    size_t point = span_find(v, '.');
    if (point == 0 || point > 6 || point + 1 >= v.len || v.len > 16)
        return v.len == 4 && memcmp(v.ptr, "+Inf", 4) == 0;
    for (size_t i = 0; i < v.len; i++)
        if (i != point && (v.ptr[i] < '0' || v.ptr[i] > '9'))
            return false;
    bool one_decimal = v.len == point + 2, zero = v.ptr[0] == '0';
    if (!one_decimal && v.ptr[v.len - 1] == '0')
        return false;
    if (!zero)
        return true;
    return point == 1 && (one_decimal || memcmp(v.ptr + 2, "000", v.len < 5 ? v.len - 2 : 3) != 0);
}

/* "1" and "1.0" and "1e0" are one bucket. */
MUST_USE static int normalise_bound(struct page *p, struct label_list *list, struct span name)
{
    for (size_t i = 0; i < list->n; i++) {
        struct span *value = &list->pairs[i].value;
        double number;
        char text[NUMBER_TEXT_MAX];
        if (!span_equal(list->pairs[i].name, name) || is_canonical(*value) || parse_f64_span(*value, &number) < 0)
            continue;
        bool ok = true;
        *value = arena_span(&p->scratch, span_of(text, format_f64_le(text, number)), &ok);
        if (!ok)
            return -ENOMEM;
    }
    return 0;
}

MUST_USE static int sample_line(struct parser *ps)
{
    struct page *p = &ps->page;
    size_t start = p->at;
    struct sample_line *line = &ps->line;
    int r = page_sample(p, line);
    if (r < 0)
        return r;
    struct exposition_sample s = {.family = line->name, .type = METRIC_TYPE_UNKNOWN, .series = line->series};
    struct span suffix;
    if (family_has(ps->family.name, ps->family.type, line->name, &suffix)) {
        const struct family_suffixes *known = family_suffixes(ps->family.type);
        s.family = ps->family.name;
        s.type = ps->family.type;
        if (p->openmetrics && known->starts && !ps->starts_known) {
            ps->starts_known = true;
            r = find_starts(ps, start);
        }
        if (r == 0 && (s.type == METRIC_TYPE_HISTOGRAM || s.type == METRIC_TYPE_SUMMARY))
            r = normalise_bound(p, &line->labels, known->bound);
        s.labels = (struct labels){line->labels.pairs, line->labels.n};
        if (ps->created.used > 0 && !span_equal(suffix, SPAN("_created")))
            s.start_ms = created_get(&ps->created, created_key(&s.labels, known->bound));
    }
    if (r < 0)
        return r;
    s.labels = (struct labels){line->labels.pairs, line->labels.n};
    s.value = line->value;
    s.histogram = line->histogram;
    s.has_time = line->has_time;
    s.t_ms = line->has_time ? line->t_ms : 0;
    s.exemplar = line->has_exemplar ? &line->exemplar : NULL;
    if (ps->strict)
        r = complain(ps, start, strict_sample(ps->strict, &s));
    if (r == 0)
        r = ps->events->sample(ps->events->ctx, &s);
    return r < 0 ? r : 0;
}

/* ---- the page ---- */

MUST_USE static int parse_lines(struct parser *ps)
{
    struct page *p = &ps->page;
    bool end = false;
    int r = 0;
    while (r == 0 && page_more(p) && !end) {
        if (p->scratch.used_bytes > 0)
            arena_reset(&p->scratch);
        if (!p->openmetrics)
            page_skip_blanks(p);
        char c = page_char(p);
        if (c == '\n' && p->openmetrics)
            r = PAGE_FAIL(p, p->at, p->at, "empty line");
        else if (c == '\n')
            p->at += page_more(p);
        else if (c == '#')
            r = hash_line(ps, &end);
        else
            r = sample_line(ps);
    }
    if (r == 0 && p->openmetrics && !end)
        r = PAGE_FAIL(p, p->at, p->at, "the page does not end with # EOF");
    if (r == 0 && page_more(p))
        r = PAGE_FAIL(p, p->at, p->at + 1, "data after # EOF");
    if (r == 0 && ps->strict)
        r = complain(ps, p->at, strict_end(ps->strict));
    return r;
}

int exposition_parse(enum exposition_format format, struct span page, const struct exposition_events *events,
                     struct parse_error *ret_error)
{
    struct parser ps;
    ps.page = (struct page){.text = page.ptr ? page.ptr : "",
                            .len = page.len,
                            .openmetrics = format == EXPOSITION_OPENMETRICS,
                            .strict = events->strict,
                            .native = events->native_histograms,
                            .error = ret_error};
    ps.events = events;
    ps.strict = NULL;
    ps.family = (struct metadata){0};
    ps.starts_known = false;
    ps.created = (struct created){0};
    arena_init(&ps.page.scratch, SCRATCH_BYTES_MAX);
    arena_init(&ps.family_texts, SCRATCH_BYTES_MAX);
    arena_init(&ps.ahead_texts, SCRATCH_BYTES_MAX);
    int r = events->strict ? strict_new(ps.page.openmetrics, &ps.strict) : 0;
    if (r < 0)
        parse_error_set(ret_error, r, ps.page.text, 0, 0, "out of memory");
    else
        r = parse_lines(&ps);
    strict_free(ps.strict);
    created_done(&ps.created);
    arena_done(&ps.page.scratch);
    arena_done(&ps.family_texts);
    arena_done(&ps.ahead_texts);
    return r;
}

int exposition_format_of(struct span content_type, enum exposition_format *ret)
{
    struct span type;
    if (!span_cut(&content_type, ';', &type))
        return -EINVAL;
    type = span_trim(type);
    if (span_equal_nocase(type, SPAN("text/plain")))
        *ret = EXPOSITION_TEXT;
    else if (span_equal_nocase(type, SPAN("application/openmetrics-text")))
        *ret = EXPOSITION_OPENMETRICS;
    else
        return -EINVAL;
    return 0;
}
