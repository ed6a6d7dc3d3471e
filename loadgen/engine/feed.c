#include "loadgen/engine/feed.h"

#include <errno.h>
#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

struct feed {
    struct arena arena;
    struct span *fields; /* rows x columns, the header first */
    size_t columns, rows, cap;
    uint32_t *order; /* HURL_FEED_SHUFFLE */
    enum hurl_feed_mode mode;
    _Atomic uint64_t next;
};

struct csv {
    const char *name;
    struct span text;
    size_t at;
    uint32_t line;
    struct buf field;
    struct problems *problems;
};

MUST_USE static int add_field(struct feed *f, struct span value, size_t *n)
{
    if (*n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 256;
        struct span *more = realloc(f->fields, cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        f->fields = more;
        f->cap = cap;
    }
    bool ok = true;
    f->fields[(*n)++] = arena_span(&f->arena, value, &ok);
    return ok ? 0 : -ENOMEM;
}

/* One field; *ret_end is what ended it: ',', '\n' or 0 for the end of the text. */
MUST_USE static int read_field(struct csv *c, char *ret_end)
{
    buf_clear(&c->field);
    uint32_t start = c->line;
    bool quoted = c->at < c->text.len && c->text.ptr[c->at] == '"';
    if (quoted) {
        for (c->at++;; c->at++) {
            if (c->at >= c->text.len) {
                problem_add(c->problems, PROBLEM_ERROR, c->name, start, 0, "a quoted field has no end");
                return -EINVAL;
            }
            char b = c->text.ptr[c->at];
            if (b == '"' && c->at + 1 < c->text.len && c->text.ptr[c->at + 1] == '"')
                c->at++;
            else if (b == '"')
                break;
            c->line += b == '\n';
            buf_char(&c->field, b);
        }
        c->at++;
    }
    while (c->at < c->text.len && c->text.ptr[c->at] != ',' && c->text.ptr[c->at] != '\n') {
        char b = c->text.ptr[c->at++];
        if (b == '\r' && (c->at == c->text.len || c->text.ptr[c->at] == '\n'))
            continue;
        if (quoted) {
            problem_add(c->problems, PROBLEM_ERROR, c->name, c->line, 0, "text behind a closing quote");
            return -EINVAL;
        }
        buf_char(&c->field, b);
    }
    *ret_end = c->at < c->text.len ? c->text.ptr[c->at++] : '\0';
    c->line += *ret_end == '\n';
    return buf_error(&c->field);
}

MUST_USE static int read_rows(struct feed *f, struct csv *c)
{
    size_t n = 0, lines = 0;
    while (c->at < c->text.len) {
        if (c->text.ptr[c->at] == '\n' ||
            (c->text.ptr[c->at] == '\r' && c->at + 1 < c->text.len && c->text.ptr[c->at + 1] == '\n')) {
            c->at += c->text.ptr[c->at] == '\r' ? 2 : 1; /* an empty line */
            c->line++;
            continue;
        }
        uint32_t line = c->line;
        size_t before = n;
        char end;
        do {
            int r = read_field(c, &end);
            if (r == 0)
                r = add_field(f, buf_view(&c->field), &n);
            if (r < 0)
                return r;
        } while (end == ',');
        if (lines == 0)
            f->columns = n;
        if (n - before != f->columns || f->columns > FEED_COLUMNS_MAX) {
            problem_add(c->problems, PROBLEM_ERROR, c->name, line, 0, "%zu fields, the header has %zu (at most %u)",
                        n - before, f->columns, FEED_COLUMNS_MAX);
            return -EINVAL;
        }
        if (++lines > FEED_ROWS_MAX) {
            problem_add(c->problems, PROBLEM_ERROR, c->name, line, 0, "more than %u rows", FEED_ROWS_MAX);
            return -EINVAL;
        }
    }
    if (lines < 2) {
        problem_add(c->problems, PROBLEM_ERROR, c->name, 0, 0, "a feed needs a header line and at least one row");
        return -EINVAL;
    }
    f->rows = lines - 1;
    return 0;
}

MUST_USE static int shuffle(struct feed *f, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    f->order = malloc(f->rows * sizeof *f->order);
    if (!f->order)
        return -ENOMEM;
    for (size_t i = 0; i < f->rows; i++) { /* Fisher and Yates, inside out */
        size_t k = rng_below(&rng, i + 1);
        f->order[i] = f->order[k];
        f->order[k] = (uint32_t)i;
    }
    return 0;
}

int feed_parse(const char *name, struct span text, enum hurl_feed_mode mode, uint64_t seed, struct feed **ret,
               struct problems *problems)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    arena_init(&f->arena, FEED_BYTES_MAX * 2ul);
    f->mode = mode;
    struct csv c = {.name = name, .text = text, .line = 1, .problems = problems};
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        c.at = 3;
    buf_init(&c.field, FEED_BYTES_MAX);
    int r = read_rows(f, &c);
    buf_done(&c.field);
    if (r == 0 && mode == HURL_FEED_SHUFFLE)
        r = shuffle(f, seed);
    if (r < 0)
        feed_free(f);
    else
        *ret = f;
    return r;
}

int feed_load(const char *path, enum hurl_feed_mode mode, uint64_t seed, struct feed **ret, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, FEED_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return r;
    }
    return feed_parse(path, span_of(text, n), mode, seed, ret, problems);
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f->fields);
    free(f->order);
    free(f);
}

size_t feed_columns(const struct feed *f)
{
    return f->columns;
}

struct span feed_column(const struct feed *f, size_t i)
{
    return f->fields[i];
}

size_t feed_rows(const struct feed *f)
{
    return f->rows;
}

bool feed_next(struct feed *f, struct rng *rng, struct span fields[FEED_COLUMNS_MAX])
{
    uint64_t row;
    if (f->mode == HURL_FEED_RANDOM) {
        row = rng_below(rng, f->rows);
    } else {
        row = atomic_fetch_add_explicit(&f->next, 1, memory_order_relaxed);
        if (f->mode == HURL_FEED_UNIQUE && row >= f->rows)
            return false;
        row %= f->rows;
        if (f->order)
            row = f->order[row];
    }
    memcpy(fields, f->fields + (row + 1) * f->columns, f->columns * sizeof *fields);
    return true;
}
