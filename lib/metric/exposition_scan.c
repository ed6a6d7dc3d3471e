#include "lib/metric/exposition_scan.h"

#include <errno.h>

#include "lib/base/number.h"
#include "lib/metric/exposition_native.h"

#define EXEMPLAR_CHARACTERS_MAX 128u /* OpenMetrics: names and values of an exemplar's labels together */

static bool is_name_char(char c, bool first, bool colon)
{
    return (unsigned)((c | 0x20) - 'a') < 26u || c == '_' || (!first && (unsigned)(c - '0') < 10u) ||
           (colon && c == ':');
}

int page_expected(struct page *p, const char *what)
{
    if (!page_more(p))
        return PAGE_FAIL(p, p->at, p->at, "%s expected, found the end of the page", what);
    unsigned char c = (unsigned char)p->text[p->at];
    if (c == '\n')
        return PAGE_FAIL(p, p->at, p->at, "%s expected, found the end of the line", what);
    if (c == '\r')
        return PAGE_FAIL(p, p->at, p->at + 1, "%s expected, found a carriage return (lines end with \\n alone)", what);
    if (c < 0x20 || c >= 0x7f)
        return PAGE_FAIL(p, p->at, p->at + 1, "%s expected, found byte 0x%02x", what, c);
    return PAGE_FAIL(p, p->at, p->at + 1, "%s expected, found '%c'", what, c);
}

static int out_of_memory(struct page *p)
{
    parse_error_set(p->error, -ENOMEM, p->text, p->at, p->at, "out of memory");
    return -ENOMEM;
}

int page_unescape(struct page *p, struct span raw, bool quote, struct span *ret)
{
    if (span_find(raw, '\\') == raw.len) {
        *ret = raw;
        return 0;
    }
    char *plain = arena_alloc(&p->scratch, raw.len);
    if (!plain)
        return out_of_memory(p);
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i], next = i + 1 < raw.len ? raw.ptr[i + 1] : '\0';
        if (c == '\\' && (next == '\\' || next == 'n' || (quote && next == '"'))) {
            c = next == 'n' ? '\n' : next;
            i++;
        } /* any other escape stands as it is */
        plain[n++] = c;
    }
    *ret = span_of(plain, n);
    return 0;
}

/* "...": at is on the opening quote. */
MUST_USE static int scan_string(struct page *p, const char *what, struct span *ret)
{
    size_t open = p->at, i = open + 1;
    bool escaped = false;
    for (; i < p->len && p->text[i] != '"'; i++) {
        if (p->text[i] == '\\') {
            escaped = true;
            i++;
        } else if (p->text[i] == '\n' && (p->openmetrics || p->strict)) {
            break;
        }
    }
    if (i >= p->len || p->text[i] != '"')
        return PAGE_FAIL(p, open, i < p->len ? i : p->len, "%s has no closing quote", what);
    struct span raw = span_of(p->text + open + 1, i - open - 1);
    p->at = i + 1;
    if (!span_is_utf8(raw))
        return PAGE_FAIL(p, open, p->at, "%s is not valid UTF-8", what);
    *ret = raw;
    return escaped ? page_unescape(p, raw, true, ret) : 0;
}

int page_name(struct page *p, bool colon, const char *what, struct span *ret)
{
    size_t start = p->at;
    if (page_char(p) == '"') {
        int r = scan_string(p, what, ret);
        if (r == 0 && ret->len == 0)
            return PAGE_FAIL(p, start, p->at, "%s is empty", what);
        return r;
    }
    if (!is_name_char(page_char(p), true, colon))
        return page_expected(p, what);
    size_t i = start + 1;
    while (i < p->len && is_name_char(p->text[i], false, colon))
        i++;
    p->at = i;
    *ret = span_of(p->text + start, i - start);
    return 0;
}

/* Between tokens text allows blanks, OpenMetrics nothing. */
static void gap(struct page *p)
{
    if (!p->openmetrics)
        page_skip_blanks(p);
}

MUST_USE static int add_label(struct page *p, size_t start, struct label_list *list, struct label label)
{
    if (label.name.len > LABEL_NAME_BYTES_MAX)
        return PAGE_FAIL(p, start, p->at, "label name is longer than %u bytes", LABEL_NAME_BYTES_MAX);
    if (label.value.len > LABEL_VALUE_BYTES_MAX)
        return PAGE_FAIL(p, start, p->at, "label value is longer than %u bytes", LABEL_VALUE_BYTES_MAX);
    if (label.value.len == 0)
        return 0; /* as good as absent */
    if (list->n >= ARRAY_LEN(list->pairs))
        return PAGE_FAIL(p, start, p->at, "more than %u labels", LABELS_MAX);
    list->pairs[list->n++] = label;
    return 0;
}

/* {...}: at is on the brace. metric gets a metric name that stands inside; NULL: an exemplar, which has none. */
MUST_USE static int scan_labels(struct page *p, struct label_list *list, struct span *metric)
{
    p->at++;
    for (;;) {
        gap(p);
        size_t start = p->at;
        if (page_char(p) == '}') {
            p->at++;
            return 0;
        }
        bool quoted = page_char(p) == '"';
        struct label label;
        int r = page_name(p, false, quoted ? "name" : "label name or }", &label.name);
        if (r < 0)
            return r;
        gap(p);
        if (quoted && metric && (page_char(p) == ',' || page_char(p) == '}')) {
            if (metric->len > 0)
                return PAGE_FAIL(p, start, p->at, "second metric name \"" SPAN_FMT "\"", SPAN_ARG(label.name));
            *metric = label.name;
            p->at += page_char(p) == ',';
            continue;
        }
        if (page_char(p) != '=')
            return page_expected(p, "= after the label name");
        p->at++;
        gap(p);
        if (page_char(p) != '"')
            return page_expected(p, "label value in quotes");
        r = scan_string(p, "label value", &label.value);
        if (r == 0)
            r = add_label(p, start, list, label);
        if (r < 0)
            return r;
        gap(p);
        if (page_char(p) == ',')
            p->at++;
        else if (page_char(p) != '}' && (p->openmetrics || p->strict))
            return page_expected(p, ", or }");
    }
}

/* By name; nearly always sorted or nearly so already. */
MUST_USE static int sort_labels(struct page *p, size_t start, struct label_list *list)
{
    for (size_t i = 1; i < list->n; i++) {
        struct label moved = list->pairs[i];
        size_t to = i;
        int order = 1;
        while (to > 0 && (order = span_compare(list->pairs[to - 1].name, moved.name)) > 0) {
            list->pairs[to] = list->pairs[to - 1];
            to--;
        }
        if (to > 0 && order == 0)
            return PAGE_FAIL(p, start, p->at, "label \"" SPAN_FMT "\" twice", SPAN_ARG(moved.name));
        list->pairs[to] = moved;
    }
    return 0;
}

/* The bytes up to the next blank or line end. */
static struct span scan_token(struct page *p)
{
    size_t start = p->at;
    while (p->at < p->len) {
        char c = p->text[p->at];
        if (c == ' ' || c == '\n' || c == '\r' || (!p->openmetrics && (c == '\t' || c == '{')))
            break;
        p->at++;
    }
    return span_of(p->text + start, p->at - start);
}

MUST_USE static int scan_number(struct page *p, const char *what, double *ret)
{
    size_t start = p->at;
    struct span token = scan_token(p);
    if (token.len == 0)
        return page_expected(p, what);
    int r = parse_f64_span(token, ret);
    if (r == 0)
        return 0;
    if (r == -ENOMEM)
        return out_of_memory(p);
    if (r == -ERANGE)
        return PAGE_FAIL(p, start, p->at, "%s is out of range", what);
    if (token.ptr[0] == '{')
        return PAGE_FAIL(p, start, p->at, "composite values are OpenMetrics 2.0, which is not supported");
    int shown = token.len > 40 ? 40 : (int)token.len;
    return PAGE_FAIL(p, start, p->at, "%s is not a number: %.*s", what, shown, token.ptr);
}

/* OpenMetrics separates by exactly one space. */
MUST_USE static int one_space(struct page *p, const char *before)
{
    if (page_char(p) != ' ')
        return page_expected(p, before);
    p->at++;
    return 0;
}

int page_seconds_ms(double seconds, int64_t *ret_ms)
{
    /* A double near now is exact to 0.2 us, one of the year 2500 to 4 us: what lies that near to a millisecond is meant to be it. */
    double ms = seconds * 1000, nearest = nearbyint(ms), exact_to = fmax(1e-3, fabs(ms) * 0x1p-52);
    double begun = fabs(ms - nearest) <= exact_to ? nearest : floor(ms);
    if (!(begun > -9.2e18 && begun < 9.2e18))
        return -ERANGE;
    *ret_ms = (int64_t)begun;
    return 0;
}

MUST_USE static int scan_seconds(struct page *p, const char *what, int64_t *ret_ms)
{
    size_t start = p->at;
    double seconds;
    int r = scan_number(p, what, &seconds);
    if (r < 0)
        return r;
    if (page_seconds_ms(seconds, ret_ms) < 0)
        return PAGE_FAIL(p, start, p->at, "%s is out of range", what);
    return 0;
}

static size_t characters(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* # {trace_id="x"} 0.5 123.4: at is on the '#'. */
MUST_USE static int scan_exemplar(struct page *p, struct sample_line *line)
{
    size_t start = p->at++;
    line->exemplar = (struct exemplar){0};
    line->exemplar_labels.n = 0;
    int r = one_space(p, "' ' and { of an exemplar");
    if (r == 0 && page_char(p) != '{')
        r = page_expected(p, "{ of an exemplar");
    if (r == 0)
        r = scan_labels(p, &line->exemplar_labels, NULL);
    if (r == 0)
        r = sort_labels(p, start, &line->exemplar_labels);
    if (r == 0)
        r = one_space(p, "' ' and the exemplar's value");
    if (r == 0)
        r = scan_number(p, "exemplar's value", &line->exemplar.value);
    if (r == 0 && page_char(p) == ' ') {
        p->at++;
        line->exemplar.has_time = true;
        r = scan_seconds(p, "exemplar's timestamp", &line->exemplar.t_ms);
    }
    if (r < 0)
        return r;
    size_t total = 0;
    for (size_t i = 0; i < line->exemplar_labels.n; i++)
        total += characters(line->exemplar_labels.pairs[i].name) + characters(line->exemplar_labels.pairs[i].value);
    if (total > EXEMPLAR_CHARACTERS_MAX && p->strict)
        return PAGE_FAIL(p, start, p->at, "exemplar's labels have %zu characters, %u are allowed", total,
                         EXEMPLAR_CHARACTERS_MAX);
    line->exemplar.labels = (struct labels){line->exemplar_labels.pairs, line->exemplar_labels.n};
    line->has_exemplar = total <= EXEMPLAR_CHARACTERS_MAX;
    return 0;
}

/* ' ' value [' ' seconds] [" # " exemplar] '\n' */
MUST_USE static int openmetrics_rest(struct page *p, struct sample_line *line)
{
    int r = one_space(p, "' ' and the value");
    if (r == 0)
        r = p->native && page_char(p) == '{' ? page_histogram(p, &line->histogram)
                                             : scan_number(p, "value", &line->value);
    for (int part = 0; r == 0 && part < 2 && page_char(p) == ' '; part++) {
        p->at++;
        if (page_char(p) == '#') {
            r = scan_exemplar(p, line);
            break;
        }
        if (part == 1)
            return page_expected(p, "exemplar or end of line");
        line->has_time = true;
        r = scan_seconds(p, "timestamp", &line->t_ms);
    }
    if (r < 0)
        return r;
    if (!page_more(p))
        return PAGE_FAIL(p, p->at, p->at, "the page does not end with # EOF");
    if (page_char(p) != '\n')
        return page_expected(p, "end of line");
    p->at++;
    return 0;
}

/* value [ms] */
MUST_USE static int text_rest(struct page *p, struct sample_line *line)
{
    page_skip_blanks(p);
    int r = scan_number(p, "value", &line->value);
    if (r < 0)
        return r;
    page_skip_blanks(p);
    if (page_char(p) == '#')
        return PAGE_FAIL(p, p->at, p->at + 1, "exemplars exist in OpenMetrics only");
    if (page_char(p) != '\n') {
        size_t start = p->at;
        struct span token = scan_token(p);
        if (token.len == 0)
            return page_expected(p, "timestamp or end of line");
        line->has_time = true;
        r = parse_i64_span(token, INT64_MIN, INT64_MAX, &line->t_ms);
        if (r < 0)
            return PAGE_FAIL(p, start, p->at, "timestamp is %s", r == -ERANGE ? "out of range" : "no integer");
        page_skip_blanks(p);
    }
    if (page_char(p) != '\n')
        return page_expected(p, "end of line");
    if (!page_more(p) && p->strict)
        return PAGE_FAIL(p, p->at, p->at, "the last line does not end with a newline");
    p->at += page_more(p);
    return 0;
}

int page_sample(struct page *p, struct sample_line *line)
{
    size_t start = p->at;
    struct span name = {NULL, 0};
    int r = 0;
    line->has_time = line->has_exemplar = false;
    line->histogram = NULL;
    line->labels.pairs[0] = (struct label){SPAN("__name__"), SPAN("")}; /* nearly always the first in order */
    line->labels.n = 1;
    if (page_char(p) != '{')
        r = page_char(p) == '"' ? page_expected(p, "metric name or {")
                                : page_name(p, true, "metric name, { or #", &name);
    if (r < 0)
        return r;
    size_t end = p->at;
    gap(p);
    if (page_char(p) == '{') {
        r = scan_labels(p, &line->labels, &name);
        end = p->at;
    } else if (p->at == end && !p->openmetrics && page_more(p) && page_char(p) != '\n') {
        r = page_expected(p, "blank or { after the metric name");
    }
    if (r < 0)
        return r;
    if (name.len == 0)
        return PAGE_FAIL(p, start, end, "the metric has no name");
    if (name.len > LABEL_VALUE_BYTES_MAX)
        return PAGE_FAIL(p, start, end, "metric name is longer than %u bytes", LABEL_VALUE_BYTES_MAX);
    line->name = line->labels.pairs[0].value = name;
    line->series = span_of(p->text + start, end - start);
    r = sort_labels(p, start, &line->labels);
    if (r < 0)
        return r;
    return p->openmetrics ? openmetrics_rest(p, line) : text_rest(p, line);
}
