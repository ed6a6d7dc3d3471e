#include "collector/live/rows.h"

#include <assert.h>
#include <errno.h>

#include "collector/live/live.h"
#include "lib/base/limits.h"

void rows_init(struct frame_rows *rows)
{
    *rows = (struct frame_rows){0};
    buf_init(&rows->bytes, LIVE_SECTION_BYTES_MAX);
    buf_init(&rows->nowhere, 0);
}

void rows_done(struct frame_rows *rows)
{
    buf_done(&rows->bytes);
    buf_done(&rows->nowhere);
    free(rows->rows);
}

/* ---- collecting ---- */
void rows_begin(struct frame_rows *rows, int64_t now_ms, unsigned clients)
{
    buf_clear(&rows->bytes);
    rows->n = rows->over = rows->shown = rows->shown_bytes = 0;
    rows->open = false;
    rows->error = 0;
    rows->now_ms = now_ms;
    rows->clients = clients;
}

static struct span text_of(const struct frame_rows *rows, const struct row *r)
{
    return span_of(rows->bytes.data + r->at, r->len);
}

static struct span key_of(const struct frame_rows *rows, const struct row *r)
{
    return span_of(rows->bytes.data + r->at, r->key_len);
}

static void close_row(struct frame_rows *rows)
{
    if (!rows->open)
        return;
    rows->open = false;
    struct row *r = &rows->rows[rows->n - 1];
    assert(rows->writer.depth == 0);
    r->len = (uint32_t)(rows->bytes.len - r->at);
    if (r->len == r->key_len + 1) { /* a key without a value: no row */
        rows->bytes.len = r->at;
        rows->n--;
    }
}

MUST_USE static bool room_for_one(struct frame_rows *rows)
{
    if (rows->n < rows->cap)
        return true;
    size_t cap = rows->cap ? 2 * rows->cap : 64;
    struct row *more = realloc(rows->rows, cap * sizeof *more);
    if (!more) {
        rows->error = -ENOMEM;
        return false;
    }
    rows->rows = more;
    rows->cap = cap;
    return true;
}

struct json_writer *frame_row(struct frame_rows *rows, struct span key, double rank)
{
    close_row(rows);
    if (rows->n >= LIVE_ROWS_MAX)
        rows->over++;
    if (rows->n >= LIVE_ROWS_MAX || !room_for_one(rows)) {
        buf_clear(&rows->nowhere);
        jw_init(&rows->writer, &rows->nowhere);
        return &rows->writer;
    }
    struct row *r = &rows->rows[rows->n++];
    *r = (struct row){.at = rows->bytes.len, .rank = rank};
    jw_init(&rows->writer, &rows->bytes);
    jw_text(&rows->writer, key);
    r->key_len = (uint32_t)(rows->bytes.len - r->at);
    buf_char(&rows->bytes, ':');
    jw_init(&rows->writer, &rows->bytes);
    rows->open = true;
    return &rows->writer;
}

int64_t frame_now_ms(const struct frame_rows *rows)
{
    return rows->now_ms;
}

unsigned frame_clients(const struct frame_rows *rows)
{
    return rows->clients;
}

static int by_key(const void *a, const void *b, void *arg)
{
    const struct row *x = a, *y = b;
    int c = span_compare(key_of(arg, x), key_of(arg, y));
    return c ? c : (x->at > y->at) - (x->at < y->at); /* of two equal keys the first stays */
}

int rows_end(struct frame_rows *rows)
{
    close_row(rows);
    if (rows->error < 0 || buf_error(&rows->bytes) < 0)
        return rows->error < 0 ? rows->error : buf_error(&rows->bytes);
    if (rows->n)
        qsort_r(rows->rows, rows->n, sizeof *rows->rows, by_key, rows);
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++)
        if (kept == 0 || !span_equal(key_of(rows, &rows->rows[kept - 1]), key_of(rows, &rows->rows[i])))
            rows->rows[kept++] = rows->rows[i];
    rows->n = kept;
    return 0;
}

/* ---- walking two sorted sets side by side ---- */
struct pair {
    struct row *now;
    const struct row *before; /* either may be NULL */
};

static bool next_pair(const struct frame_rows *rows, const struct frame_rows *before, size_t *i, size_t *k,
                      struct pair *ret)
{
    bool left = *i < rows->n, right = *k < before->n;
    if (!left && !right)
        return false;
    int c = !left ? 1 : !right ? -1 : span_compare(key_of(rows, &rows->rows[*i]), key_of(before, &before->rows[*k]));
    ret->now = c <= 0 ? &rows->rows[(*i)++] : NULL;
    ret->before = c >= 0 ? &before->rows[(*k)++] : NULL;
    return true;
}

/* ---- what fits ---- */
static void note_shown_before(struct frame_rows *rows, const struct frame_rows *before)
{
    struct pair p;
    for (size_t i = 0, k = 0; next_pair(rows, before, &i, &k, &p);)
        if (p.now)
            p.now->was_shown = p.before && p.before->shown;
}

static int by_rank(const void *a, const void *b, void *arg)
{
    const struct frame_rows *rows = arg;
    const struct row *x = &rows->rows[*(const uint32_t *)a], *y = &rows->rows[*(const uint32_t *)b];
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    if (x->was_shown != y->was_shown)
        return x->was_shown ? -1 : 1;
    return x < y ? -1 : 1;
}

/* Indices of the rows by rank, from malloc; NULL without memory. */
static uint32_t *ranking(struct frame_rows *rows, const struct frame_rows *before)
{
    uint32_t *order = malloc(rows->n * sizeof *order);
    if (!order)
        return NULL;
    note_shown_before(rows, before);
    for (size_t i = 0; i < rows->n; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, rows->n, sizeof *order, by_rank, rows);
    return order;
}

size_t rows_wanted_bytes(struct frame_rows *rows, const struct frame_rows *before, size_t rows_max)
{
    size_t bytes = 0, n = rows_max && rows_max < rows->n ? rows_max : rows->n;
    AUTO_FREE uint32_t *order = n < rows->n ? ranking(rows, before) : NULL;
    for (size_t i = 0; i < n; i++)
        bytes += rows->rows[order ? order[i] : i].len + 1;
    return bytes;
}

void rows_choose(struct frame_rows *rows, const struct frame_rows *before, size_t rows_max, size_t bytes_max)
{
    size_t n = rows_max && rows_max < rows->n ? rows_max : rows->n, bytes = 0;
    for (size_t i = 0; i < rows->n; i++) {
        rows->rows[i].shown = false;
        bytes += rows->rows[i].len + 1;
    }
    bool all = n == rows->n && bytes <= bytes_max;
    AUTO_FREE uint32_t *order = all ? NULL : ranking(rows, before);
    rows->shown = rows->shown_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct row *r = &rows->rows[order ? order[i] : i];
        if (rows->shown_bytes + r->len + 1 > bytes_max)
            break;
        r->shown = true;
        rows->shown++;
        rows->shown_bytes += r->len + 1;
    }
}

size_t rows_more(const struct frame_rows *rows)
{
    return rows->n + rows->over - rows->shown;
}

/* ---- writing ---- */
static void comma(struct buf *out, size_t n)
{
    if (n)
        buf_char(out, ',');
}

size_t rows_write_changes(const struct frame_rows *rows, const struct frame_rows *before, struct buf *out)
{
    struct pair p;
    size_t n = 0;
    for (size_t i = 0, k = 0; next_pair(rows, before, &i, &k, &p);) {
        if (!p.now || !p.now->shown ||
            (p.before && p.before->shown && span_equal(text_of(rows, p.now), text_of(before, p.before))))
            continue;
        comma(out, n++);
        buf_span(out, text_of(rows, p.now));
    }
    return n;
}

size_t rows_write_removed(const struct frame_rows *rows, const struct frame_rows *before, struct buf *out)
{
    struct pair p;
    size_t n = 0;
    for (size_t i = 0, k = 0; next_pair(rows, before, &i, &k, &p);) {
        if (!p.before || !p.before->shown || (p.now && p.now->shown))
            continue;
        comma(out, n++);
        buf_span(out, key_of(before, p.before));
    }
    return n;
}

size_t rows_write_all(const struct frame_rows *rows, bool shown_only, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (shown_only && !rows->rows[i].shown)
            continue;
        comma(out, n++);
        buf_span(out, text_of(rows, &rows->rows[i]));
    }
    return n;
}
