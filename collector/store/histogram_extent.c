#include "collector/store/histogram_extent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/column.h"
#include "collector/store/crc32c.h"
#include "collector/store/little_endian.h"
#include "collector/store/varint.h"
#include "lib/base/buf.h"

#define HEADER_BYTES 32u
#define ENTRY_BYTES 8u
enum { BUNDLE_PACKED, BUNDLE_COLUMNS };

/* ---- writing ---- */
struct histogram_extent_writer {
    uint32_t group;
    size_t n_series;
    int64_t min_ms, max_ms;
    uint8_t entries[EXTENT_SERIES_MAX][ENTRY_BYTES];
    struct buf bytes, bundle;
    uint64_t *values; /* of a bundle, sample by sample */
    size_t values_cap;
    uint64_t column[EXTENT_SAMPLES_MAX], scratch[2 * EXTENT_SAMPLES_MAX];
};

int histogram_extent_writer_new(struct histogram_extent_writer **ret)
{
    struct histogram_extent_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    buf_init(&w->bytes, EXTENT_BYTES_MAX);
    buf_init(&w->bundle, EXTENT_BYTES_MAX);
    *ret = w;
    return 0;
}

void histogram_extent_writer_free(struct histogram_extent_writer *w)
{
    if (!w)
        return;
    buf_done(&w->bytes);
    buf_done(&w->bundle);
    free(w->values);
    free(w);
}

void histogram_extent_begin(struct histogram_extent_writer *w, uint32_t group)
{
    w->group = group;
    w->n_series = 0;
    w->min_ms = INT64_MAX;
    w->max_ms = INT64_MIN;
    buf_clear(&w->bytes);
}

static void put_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    buf_bytes(b, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static void put_numbers(struct buf *b, uint8_t *(*put)(uint8_t *p, const int64_t *v, size_t n), const int64_t *v,
                        size_t n)
{
    uint8_t *p = (uint8_t *)buf_reserve(b, COLUMN_BYTES(n));
    if (p)
        buf_grew(b, (size_t)(put(p, v, n) - p));
}

static void put_bits(struct histogram_extent_writer *w, const uint64_t *bits, size_t n)
{
    uint8_t *p = (uint8_t *)buf_reserve(&w->bundle, COLUMN_BYTES(n));
    if (p)
        buf_grew(&w->bundle, (size_t)(column_put_values(p, bits, n, w->scratch) - p));
}

static void open_packed(uint64_t address, struct packed_histogram *ret)
{
    const uint8_t *p = (const uint8_t *)(uintptr_t)address;
    int r = histogram_open(&p, p + HISTOGRAM_PACK_BYTES_MAX, ret); /* the caller's word: it is whole */
    assert(r == 0);
    (void)r;
}

static bool same_layout(const struct packed_histogram *a, const struct packed_histogram *b)
{
    return a->is_float == b->is_float && a->layout.n_bytes == b->layout.n_bytes &&
           memcmp(a->layout.bytes, b->layout.bytes, a->layout.n_bytes) == 0;
}

/* As columns, into w->bundle: n samples of one layout. */
static int put_columns(struct histogram_extent_writer *w, const uint64_t *packed, size_t n,
                       const struct packed_histogram *first)
{
    size_t columns = histogram_layout_columns(&first->layout);
    int64_t hints[EXTENT_SAMPLES_MAX];
    if (w->values_cap < n * columns) {
        uint64_t *values = realloc(w->values, n * columns * sizeof *values);
        if (!values)
            return -ENOMEM;
        w->values = values;
        w->values_cap = n * columns;
    }
    for (size_t i = 0; i < n; i++) {
        struct packed_histogram x;
        open_packed(packed[i], &x);
        hints[i] = x.hint;
        histogram_columns(&x, w->values + i * columns);
    }
    buf_clear(&w->bundle);
    buf_char(&w->bundle, BUNDLE_COLUMNS);
    buf_char(&w->bundle, first->is_float);
    put_numbers(&w->bundle, column_put_starts, hints, n);
    buf_bytes(&w->bundle, first->layout.bytes, first->layout.n_bytes);
    for (size_t c = 0; c < columns; c++) {
        for (size_t i = 0; i < n; i++)
            w->column[i] = w->values[i * columns + c];
        put_bits(w, w->column, n);
    }
    return buf_error(&w->bundle); /* -ENOSPC: larger than it is packed, in any case */
}

static int put_packed(struct histogram_extent_writer *w, const uint64_t *packed, size_t n)
{
    buf_clear(&w->bundle);
    buf_char(&w->bundle, BUNDLE_PACKED);
    for (size_t i = 0; i < n; i++) {
        struct packed_histogram x;
        open_packed(packed[i], &x);
        buf_bytes(&w->bundle, x.bytes, x.n_bytes);
    }
    return buf_error(&w->bundle) ? -ENOMEM : 0;
}

/* The next bundle: how many samples it took, or an error. */
static int put_bundle(struct histogram_extent_writer *w, const uint64_t *packed, size_t n)
{
    struct packed_histogram first, x;
    size_t count = 1, packed_bytes;
    open_packed(packed[0], &first);
    packed_bytes = first.n_bytes;
    for (; count < n && (count + 1) * histogram_layout_columns(&first.layout) <= HISTOGRAM_BUNDLE_VALUES_MAX; count++) {
        open_packed(packed[count], &x);
        if (!same_layout(&first, &x))
            break;
        packed_bytes += x.n_bytes;
    }
    int r = put_columns(w, packed, count, &first);
    if (r == -ENOSPC || (r == 0 && w->bundle.len > packed_bytes)) /* a few samples: columns cost more than they save */
        r = put_packed(w, packed, count);
    if (r < 0)
        return r;
    put_varint(&w->bytes, count);
    put_varint(&w->bytes, w->bundle.len);
    buf_span(&w->bytes, buf_view(&w->bundle));
    return (int)count;
}

int histogram_extent_add(struct histogram_extent_writer *w, unsigned ord, const int64_t *t_ms, const int64_t *start_ms,
                         const uint64_t *packed, size_t n)
{
    assert(n >= 1 && n <= EXTENT_SAMPLES_MAX && ord < EXTENT_SERIES_MAX && w->n_series < EXTENT_SERIES_MAX);
    assert(w->n_series == 0 || w->entries[w->n_series - 1][0] < ord);
    size_t before = w->bytes.len;
    put_numbers(&w->bytes, column_put_times, t_ms, n);
    if (start_ms)
        put_numbers(&w->bytes, column_put_starts, start_ms, n);
    for (size_t done = 0; done < n;) {
        int r = put_bundle(w, packed + done, n - done);
        if (r < 0)
            return r;
        done += (size_t)r;
    }
    if (buf_error(&w->bytes))
        return -ENOMEM;
    uint8_t *entry = w->entries[w->n_series++];
    entry[0] = (uint8_t)ord;
    entry[1] = start_ms != NULL;
    put_le(entry + 2, n, 2);
    put_le(entry + 4, w->bytes.len - before, 4);
    w->min_ms = t_ms[0] < w->min_ms ? t_ms[0] : w->min_ms;
    w->max_ms = t_ms[n - 1] > w->max_ms ? t_ms[n - 1] : w->max_ms;
    return 0;
}

int histogram_extent_end(struct histogram_extent_writer *w, uint8_t **ret_bytes, size_t *ret_n)
{
    assert(w->n_series > 0);
    size_t entries = w->n_series * ENTRY_BYTES, n = HEADER_BYTES + entries + w->bytes.len;
    uint8_t *bytes = malloc(n);
    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, EXTENT_MAGIC_HISTOGRAMS, 4);
    put_le(bytes + 8, w->group, 4);
    put_le(bytes + 12, w->n_series, 2);
    put_le(bytes + 14, 0, 2);
    put_le(bytes + 16, (uint64_t)w->min_ms, 8);
    put_le(bytes + 24, (uint64_t)w->max_ms, 8);
    memcpy(bytes + HEADER_BYTES, w->entries, entries);
    memcpy(bytes + HEADER_BYTES + entries, w->bytes.data, w->bytes.len);
    put_le(bytes + 4, crc32c(0, bytes + 8, n - 8), 4);
    *ret_bytes = bytes;
    *ret_n = n;
    return 0;
}

/* ---- reading ---- */
static const uint8_t *entry_at(const struct extent *x, size_t i)
{
    return x->bytes + HEADER_BYTES + i * ENTRY_BYTES;
}

bool histogram_extent_holds(const struct extent *x)
{
    if (x->n_series < 1 || x->n_series > EXTENT_SERIES_MAX || x->n_times != 0 || (x->group & EXTENT_HISTOGRAMS) == 0)
        return false;
    size_t total = HEADER_BYTES + (size_t)x->n_series * ENTRY_BYTES;
    if (x->n_bytes < total)
        return false;
    for (size_t i = 0; i < x->n_series; i++) {
        const uint8_t *e = entry_at(x, i);
        uint64_t samples = get_le(e + 2, 2), bytes = get_le(e + 4, 4);
        if (e[0] >= EXTENT_SERIES_MAX || e[1] > 1 || samples < 1 || samples > EXTENT_SAMPLES_MAX ||
            bytes > EXTENT_BYTES_MAX || (i && e[0] <= entry_at(x, i - 1)[0]))
            return false;
        total += bytes;
    }
    return total == x->n_bytes;
}

bool histogram_extent_find(const struct extent *x, unsigned ord, struct histogram_series *ret)
{
    size_t at = HEADER_BYTES + (size_t)x->n_series * ENTRY_BYTES;
    for (size_t i = 0; i < x->n_series; i++) {
        const uint8_t *e = entry_at(x, i);
        if (e[0] == ord) {
            *ret = (struct histogram_series){ord, e[1] != 0, get_le(e + 2, 2), at, get_le(e + 4, 4)};
            return true;
        }
        at += get_le(e + 4, 4);
    }
    return false;
}

int histogram_extent_times(const struct extent *x, const struct histogram_series *at, int64_t *t_ms)
{
    const uint8_t *p = x->bytes + at->at;
    return column_get_times(&p, p + at->bytes, at->samples, t_ms);
}

struct reading {
    const uint8_t *p, *end; /* of the bundle */
    size_t first, n;        /* its samples */
    size_t from, to;        /* of the series, that are wanted */
    const int64_t *t_ms, *starts;
    histogram_row_sink sink;
    void *ctx;
};

static int give(const struct reading *in, struct histogram_row *row)
{
    row->t_ms = in->t_ms[row->index];
    row->start_ms = in->starts ? in->starts[row->index] : 0;
    return in->sink(in->ctx, row);
}

static int read_packed(struct reading *in)
{
    uint64_t bits[HISTOGRAM_COLUMNS + HISTOGRAM_BUCKETS_MAX];
    int r = 0;
    for (size_t i = in->first; r == 0 && i < in->first + in->n; i++) {
        struct packed_histogram x;
        r = histogram_open(&in->p, in->end, &x);
        if (r < 0 || i < in->from || i >= in->to)
            continue;
        histogram_columns(&x, bits);
        struct histogram_row row = {
            .index = i, .is_float = x.is_float, .new_layout = true, .hint = x.hint, .layout = &x.layout, .bits = bits};
        r = give(in, &row);
    }
    return r < 0 ? r : in->p == in->end ? 0 : -EBADMSG;
}

static int get_columns(struct reading *in, size_t columns, uint64_t *values)
{
    uint64_t column[EXTENT_SAMPLES_MAX];
    int r = 0;
    for (size_t c = 0; r == 0 && c < columns; c++) {
        r = column_get_values(&in->p, in->end, in->n, column);
        for (size_t i = 0; r == 0 && i < in->n; i++)
            values[i * columns + c] = column[i];
    }
    return r < 0 ? r : in->p == in->end ? 0 : -EBADMSG;
}

static int read_columns(struct reading *in)
{
    int64_t hints[EXTENT_SAMPLES_MAX];
    struct histogram_layout layout;
    if (in->p == in->end || *in->p > 1)
        return -EBADMSG;
    bool is_float = *in->p++;
    int r = column_get_starts(&in->p, in->end, in->n, hints);
    if (r == 0)
        r = histogram_layout_open(&in->p, in->end, &layout);
    if (r < 0)
        return r;
    size_t columns = histogram_layout_columns(&layout);
    if (in->n > 1 && in->n * columns > HISTOGRAM_BUNDLE_VALUES_MAX)
        return -EBADMSG;
    uint64_t *values = malloc(in->n * columns * sizeof *values);
    if (!values)
        return -ENOMEM;
    r = get_columns(in, columns, values);
    bool fresh = true;
    for (size_t i = in->first < in->from ? in->from : in->first; r == 0 && i < in->first + in->n && i < in->to; i++) {
        int64_t hint = hints[i - in->first];
        struct histogram_row row = {.index = i,
                                    .is_float = is_float,
                                    .new_layout = fresh,
                                    .hint = (enum histogram_reset_hint)hint,
                                    .layout = &layout,
                                    .bits = values + (i - in->first) * columns};
        r = hint >= 0 && hint <= HISTOGRAM_GAUGE ? give(in, &row) : -EBADMSG;
        fresh = false;
    }
    free(values);
    return r;
}

static int read_bundles(struct reading *in, const uint8_t *p, const uint8_t *end, size_t samples)
{
    int r = 0;
    while (r == 0 && in->first < samples && in->first < in->to) {
        uint64_t n, bytes;
        if (!varint_get(&p, end, &n) || !varint_get(&p, end, &bytes) || n < 1 || n > samples - in->first || bytes < 1 ||
            bytes > (uint64_t)(end - p))
            return -EBADMSG;
        in->n = (size_t)n;
        in->p = p + 1;
        in->end = p + bytes;
        if (*p > BUNDLE_COLUMNS)
            return -EBADMSG;
        if (in->first + in->n > in->from)
            r = *p == BUNDLE_PACKED ? read_packed(in) : read_columns(in);
        p = in->end;
        in->first += in->n;
    }
    return r == 0 && in->first == samples && p != end ? -EBADMSG : r;
}

int histogram_extent_read(const struct extent *x, const struct histogram_series *at, size_t from, size_t to,
                          histogram_row_sink sink, void *ctx)
{
    int64_t t_ms[EXTENT_SAMPLES_MAX], starts[EXTENT_SAMPLES_MAX];
    const uint8_t *p = x->bytes + at->at, *end = p + at->bytes;
    int r = column_get_times(&p, end, at->samples, t_ms);
    if (r == 0 && at->has_starts)
        r = column_get_starts(&p, end, at->samples, starts);
    struct reading in = {
        .from = from, .to = to, .t_ms = t_ms, .starts = at->has_starts ? starts : NULL, .sink = sink, .ctx = ctx};
    return r < 0 ? r : read_bundles(&in, p, end, at->samples);
}
