/* exposition_scan.h - from bytes to one sample line's parts; exposition.c puts families, metadata and events on top. Not
 * for others.
 *
 *   struct page p = {.text = ..., .len = ..., .openmetrics = ...};
 *   struct sample_line line;
 *   r = page_sample(&p, &line);       // at is behind the line's newline
 *
 * What needs other bytes than the page's (escapes) goes to p->scratch, which the caller resets per line. */
#pragma once

#include "lib/base/limits.h"
#include "lib/base/problem.h"
#include "lib/metric/sample.h"

struct page {
    const char *text;
    size_t len, at;
    bool openmetrics, strict, native; /* native: histograms may be values (exposition_native.h) */
    struct arena scratch;
    struct parse_error *error;
};

struct label_list {
    struct label pairs[LABELS_MAX]; /* the name too */
    size_t n;
};

struct sample_line {
    struct span name, series;
    struct label_list labels; /* sorted, unique, the name among them */
    double value;
    const struct native_histogram *histogram; /* NULL: a float; in the scratch */
    bool has_time, has_exemplar;
    int64_t t_ms;
    struct label_list exemplar_labels;
    struct exemplar exemplar;
};

#define PAGE_FAIL(p, start, end, ...)                                                                                  \
    (parse_error_set((p)->error, -EINVAL, (p)->text, (start), (end), __VA_ARGS__), -EINVAL)

static inline bool page_more(const struct page *p)
{
    return p->at < p->len;
}
/* The byte here, '\n' at the end of the page. */
static inline char page_char(const struct page *p)
{
    return p->at < p->len ? p->text[p->at] : '\n';
}
static inline void page_skip_blanks(struct page *p)
{
    while (p->at < p->len && (p->text[p->at] == ' ' || p->text[p->at] == '\t'))
        p->at++;
}
/* "what wanted, found ..." at the place where we are. */
int page_expected(struct page *p, const char *what);
/* A name in quotes or plain. */
MUST_USE int page_name(struct page *p, bool colon, const char *what, struct span *ret);
/* \\ and \n, and with quote \" too; in the scratch when there are any. -ENOMEM (said in the error). */
MUST_USE int page_unescape(struct page *p, struct span raw, bool quote, struct span *ret);
MUST_USE int page_sample(struct page *p, struct sample_line *ret);
/* Seconds as a float to ms: the millisecond that has begun; -ERANGE: NaN or out of range. */
MUST_USE int page_seconds_ms(double seconds, int64_t *ret_ms);
