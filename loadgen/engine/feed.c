#include "loadgen/engine/feed.h"

#include <errno.h>
#include <stdatomic.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/hurl/zipf.h"

struct feed {
    struct arena arena;
    struct span *fields; /* rows x columns, the header first */
    size_t columns, rows, cap;
    uint32_t *order;    /* HURL_FEED_SHUFFLE */
    double *cumulative; /* HURL_FEED_ZIPF */
    unsigned segment, segments;
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

/* ---- JSON lines ---- */

struct json_lines {
    const char *name;
    uint32_t line;
    struct arena scratch; /* of a line */
    struct problems *problems;
};

MUST_USE static int wrong_line(struct json_lines *j, const char *why)
{
    problem_add(j->problems, PROBLEM_ERROR, j->name, j->line, 0, "%s", why);
    return -EINVAL;
}

/* Texts without their quotes, null as nothing, all else as it is written. */
MUST_USE static int json_field(struct json_lines *j, struct span value, struct span *ret)
{
    enum json_text_type type = json_text_type(value);
    if (type == JSON_TEXT_STRING)
        return json_text_string(&j->scratch, value, ret);
    *ret = type == JSON_TEXT_NULL ? span_of("", 0) : value;
    return 0;
}

/* The first line's keys become the header. */
MUST_USE static int json_header(struct feed *f, struct json_lines *j, struct span root, size_t *n)
{
    struct json_text_walk walk = json_text_walk(root);
    struct span key, value;
    while (json_text_member(&walk, &key, &value)) {
        if (*n == FEED_COLUMNS_MAX)
            return wrong_line(j, "more keys than a feed has columns");
        int r = json_text_string(&j->scratch, key, &key);
        if (r == 0)
            r = add_field(f, key, n);
        if (r < 0)
            return r;
    }
    f->columns = *n;
    return *n ? 0 : wrong_line(j, "an object without a key sets no variable");
}

MUST_USE static int json_row(struct feed *f, struct json_lines *j, struct span root, size_t *n)
{
    size_t row = *n;
    for (size_t i = 0; i < f->columns; i++) {
        int r = add_field(f, span_of("", 0), n);
        if (r < 0)
            return r;
    }
    struct json_text_walk walk = json_text_walk(root);
    struct span key, value;
    while (json_text_member(&walk, &key, &value)) {
        size_t i = 0;
        while (i < f->columns && !json_text_string_is(key, f->fields[i]))
            i++;
        if (i == f->columns)
            return wrong_line(j, "a key that the first line does not have");
        bool ok = true;
        int r = json_field(j, value, &value);
        if (r < 0)
            return r;
        f->fields[row + i] = arena_span(&f->arena, value, &ok);
        if (!ok)
            return -ENOMEM;
    }
    return 0;
}

MUST_USE static int read_json_lines(struct feed *f, struct json_lines *j, struct span text)
{
    struct span line, root;
    size_t n = 0;
    char why[120], words[160];
    while (span_cut(&text, '\n', &line)) {
        j->line++;
        line = span_trim(line);
        if (line.len == 0)
            continue;
        arena_reset(&j->scratch);
        if (json_text_check(line, &root, why, sizeof why) < 0) {
            snprintf(words, sizeof words, "no JSON object: %s", why);
            return wrong_line(j, words);
        }
        if (json_text_type(root) != JSON_TEXT_OBJECT)
            return wrong_line(j, "expected a JSON object, as {\"user\": \"ann\"}");
        int r = n ? 0 : json_header(f, j, root, &n);
        if (r == 0)
            r = json_row(f, j, root, &n);
        if (r < 0)
            return r;
        if (++f->rows > FEED_ROWS_MAX)
            return wrong_line(j, "more rows than a feed may have");
    }
    j->line = 0;
    return f->rows ? 0 : wrong_line(j, "a feed needs at least one row");
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n > e && strcmp(name + n - e, end) == 0;
}

MUST_USE static int read_text(struct feed *f, const char *name, struct span text, struct problems *problems)
{
    size_t mark = span_starts(text, SPAN("\xef\xbb\xbf")) ? 3 : 0;
    int r;
    if (ends_with(name, ".jsonl") || ends_with(name, ".ndjson")) {
        struct json_lines j = {.name = name, .problems = problems};
        arena_init(&j.scratch, FEED_BYTES_MAX);
        r = read_json_lines(f, &j, span_from(text, mark));
        arena_done(&j.scratch);
        return r;
    }
    struct csv c = {.name = name, .text = text, .at = mark, .line = 1, .problems = problems};
    buf_init(&c.field, FEED_BYTES_MAX);
    r = read_rows(f, &c);
    buf_done(&c.field);
    return r;
}

/* ---- the order of rows ---- */

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

MUST_USE static int skew(struct feed *f, double exponent)
{
    f->cumulative = malloc(f->rows * sizeof *f->cumulative);
    if (!f->cumulative)
        return -ENOMEM;
    zipf_fill(f->cumulative, f->rows, exponent);
    return 0;
}

int feed_parse(const char *name, struct span text, enum hurl_feed_mode mode, double exponent, uint64_t seed,
               struct feed **ret, struct problems *problems)
{
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    arena_init(&f->arena, FEED_BYTES_MAX * 2ul);
    f->mode = mode;
    f->segments = 1;
    int r = read_text(f, name, text, problems);
    if (r == 0 && mode == HURL_FEED_SHUFFLE)
        r = shuffle(f, seed);
    if (r == 0 && mode == HURL_FEED_ZIPF)
        r = skew(f, exponent);
    if (r < 0)
        feed_free(f);
    else
        *ret = f;
    return r;
}

int feed_load(const char *path, enum hurl_feed_mode mode, double exponent, uint64_t seed, struct feed **ret,
              struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, FEED_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return r;
    }
    return feed_parse(path, span_of(text, n), mode, exponent, seed, ret, problems);
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f->fields);
    free(f->order);
    free(f->cumulative);
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

void feed_segment(struct feed *f, unsigned segment, unsigned segments)
{
    f->segment = segment;
    f->segments = segments;
}

bool feed_next(struct feed *f, struct rng *rng, struct span fields[FEED_COLUMNS_MAX])
{
    uint64_t row;
    if (f->mode == HURL_FEED_RANDOM) {
        row = rng_below(rng, f->rows);
    } else if (f->mode == HURL_FEED_ZIPF) {
        row = zipf_pick(f->cumulative, f->rows, rng);
    } else {
        row = atomic_fetch_add_explicit(&f->next, 1, memory_order_relaxed) * f->segments + f->segment;
        if (f->mode == HURL_FEED_UNIQUE && row >= f->rows)
            return false;
        row %= f->rows;
        if (f->order)
            row = f->order[row];
    }
    memcpy(fields, f->fields + (row + 1) * f->columns, f->columns * sizeof *fields);
    return true;
}
