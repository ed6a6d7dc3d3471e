#include "lib/base/problem.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/span.h"

void problems_init(struct problems *ps)
{
    *ps = (struct problems){0};
}

void problems_done(struct problems *ps)
{
    for (size_t i = 0; i < ps->n; i++)
        free(ps->list[i].file);
    free(ps->list);
    problems_init(ps);
}

/* A free place at the end of the list, NULL when the list is full or there is no memory. */
static struct problem *next_place(struct problems *ps)
{
    if (ps->n >= PROBLEMS_MAX)
        return NULL;
    if (ps->n == ps->cap) {
        size_t cap = ps->cap ? ps->cap * 2 : 8;
        struct problem *list = realloc(ps->list, cap * sizeof *list);
        if (!list)
            return NULL;
        ps->list = list;
        ps->cap = cap;
    }
    return &ps->list[ps->n];
}

void problem_add(struct problems *ps, enum problem_level level, const char *file, uint32_t line, uint32_t column,
                 const char *format, ...)
{
    if (level == PROBLEM_ERROR)
        ps->errors++;
    else if (level == PROBLEM_WARNING)
        ps->warnings++;
    struct problem *p = next_place(ps);
    char *name = p ? span_dup(span_str(file)) : NULL;
    if (!name) {
        ps->hidden++;
        return;
    }
    *p = (struct problem){.level = level, .line = line, .column = column, .file = name};
    va_list args;
    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    ps->n++;
}

struct ordered {
    const struct problem *p;
    size_t file_at, at; /* where its file came first, where it was added */
};

static int by_place(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->file_at != y->file_at)
        return x->file_at < y->file_at ? -1 : 1;
    if (x->p->line != y->p->line)
        return x->p->line < y->p->line ? -1 : 1;
    if (x->p->column != y->p->column)
        return x->p->column < y->p->column ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void print_one(const struct problem *p, FILE *to)
{
    static const char *const WORDS[] = {
        [PROBLEM_ERROR] = "", [PROBLEM_WARNING] = "warning: ", [PROBLEM_NOTICE] = "notice: "};
    if (p->file[0])
        fprintf(to, "%s:", p->file);
    if (p->line)
        fprintf(to, "%u:", p->line);
    if (p->line && p->column)
        fprintf(to, "%u:", p->column);
    fprintf(to, "%s%s%s\n", p->file[0] || p->line ? " " : "", WORDS[p->level], p->text);
}

void problems_print(const struct problems *ps, FILE *to)
{
    AUTO_FREE struct ordered *order = calloc(ps->n ? ps->n : 1, sizeof *order);
    for (size_t i = 0; order && i < ps->n; i++) {
        size_t first = 0;
        while (strcmp(ps->list[first].file, ps->list[i].file) != 0)
            first++;
        order[i] = (struct ordered){&ps->list[i], first, i};
    }
    if (order)
        qsort(order, ps->n, sizeof *order, by_place);
    for (size_t i = 0; i < ps->n; i++)
        print_one(order ? order[i].p : &ps->list[i], to);
    if (ps->hidden)
        fprintf(to, "... and %zu more\n", ps->hidden);
}

void parse_error_set(struct parse_error *e, int code, const char *text, size_t start, size_t end, const char *format,
                     ...)
{
    e->code = code;
    e->start = start;
    e->end = end;
    e->line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < start; i++) {
        if (text[i] == '\n') {
            e->line++;
            line_start = i + 1;
        }
    }
    e->column = (uint32_t)(start - line_start + 1);
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
}

const char *suggest(const char *word, const char *const *candidates, size_t n)
{
    struct span w = span_str(word);
    size_t max = w.len / 3;
    max = max < 1 ? 1 : max > 3 ? 3 : max;
    size_t best = max + 1;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = span_distance(w, span_str(candidates[i]), max);
        if (d < best) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}
