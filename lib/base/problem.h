/* problem.h - where a file is wrong: file, line, column, words; all of them at once.
 *
 *   struct problems ps;
 *   problems_init(&ps);
 *   problem_add(&ps, PROBLEM_ERROR, "prometheus.yml", 12, 5, "unknown key '%s' (did you mean '%s'?)", ...);
 *   problems_print(&ps, stderr);           // file:line:col: message
 *   exit code: problems_errors(&ps) ? 2 : 0
 *   problems_done(&ps);
 *
 * Lines and columns count from 1; 0 means "the file as a whole" and is left out. Columns count bytes. At most
 * PROBLEMS_MAX are kept; the rest is counted. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "lib/base/macros.h"

#define PROBLEM_TEXT_MAX 512

enum problem_level { PROBLEM_ERROR, PROBLEM_WARNING, PROBLEM_NOTICE };

struct problem {
    enum problem_level level;
    uint32_t line, column;
    char *file; /* owned by the list; may be "" */
    char text[PROBLEM_TEXT_MAX];
};
struct problems {
    struct problem *list;
    size_t n, cap, hidden, errors, warnings;
};
void problems_init(struct problems *ps);
void problems_done(struct problems *ps);
void problem_add(struct problems *ps, enum problem_level level, const char *file, uint32_t line, uint32_t column,
                 const char *format, ...) PRINTF_LIKE(6, 7);
static inline size_t problems_errors(const struct problems *ps)
{
    return ps->errors;
}
/* One per line in file order; warnings and notices say so behind the place. */
void problems_print(const struct problems *ps, FILE *to);

/* The place of one parse error, for parsers of one text (a query, a template). Offsets are turned into places by
 * parse_error_set. */
struct parse_error {
    int code; /* 0: none; else a negative errno */
    uint32_t line, column;
    size_t start, end; /* bytes in the text; end > start when the piece is known */
    char text[PROBLEM_TEXT_MAX];
};
void parse_error_set(struct parse_error *e, int code, const char *text, size_t start, size_t end, const char *format,
                     ...) PRINTF_LIKE(6, 7);
/* The candidate nearest to word (edit distance <= 1/3 of its length, at least 1 and at most 3), or NULL. */
const char *suggest(const char *word, const char *const *candidates, size_t n);
