#include "collector/store/headlog.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "collector/store/crc32c.h"
#include "collector/store/series_index.h"
#include "collector/store/varint.h"
#include "lib/base/limits.h"

enum { KIND_PLAIN = 1, KIND_ZSTD = 2 };
#define LEVEL 1
#define SMALL_BYTES 256                   /* not worth compressing */
#define HEADER_BYTES 9                    /* before the varints */
#define EXTRAS_MAX (4 * VARINT_BYTES_MAX) /* of one item */
#define BITS_ROOM 16                      /* what one item adds, written eight bytes at a time */

enum { SERIES_NEXT, SERIES_SAME, SERIES_STEP };
enum { TIME_SAME, TIME_STEP, TIME_AGAIN };
enum { VALUE_SAME, VALUE_UP, VALUE_DOWN, VALUE_STEP, VALUE_INTEGER, VALUE_BITS, VALUE_BITS_AGAIN };
#define TIME_SHIFT 2
#define VALUE_SHIFT 4
#define VALUE_MASK 7u
#define START_FLAG 0x80u

#define SIX_BITS 63u
#define NEXT_SHIFT 6
#define AGE_SHIFT 12
#define WIDTH_NONE 63u
#define WIDTH_MAX 40u
#define ONES_MAX 11u            /* longer ones are extras: what an item adds to the bits fits 56 */
#define LOST (1u << NEXT_SHIFT) /* the reader's marks have this in place of the width to be told next */
static_assert(WIDTH_MAX + ONES_MAX + 1 <= 56, "a difference must fit");

/* ---- bases ---- */
void headlog_bases_init(struct headlog_bases *b)
{
    *b = (struct headlog_bases){.age = 1};
}

void headlog_bases_done(struct headlog_bases *b)
{
    free(b->bits);
    free(b->marks);
    headlog_bases_init(b);
}

void headlog_bases_forget(struct headlog_bases *b)
{
    b->told = 0;
    b->series = b->items = 0;
    if (++b->age >> (32 - AGE_SHIFT) == 0)
        return;
    b->age = 1; /* once in 2^20 times */
    if (b->cap)
        memset(b->marks, 0, b->cap * sizeof *b->marks);
}

void headlog_bases_lose(struct headlog_bases *b)
{
    for (uint32_t i = 0; i < b->cap; i++)
        b->marks[i] |= LOST;
}

static bool bases_reserve(struct headlog_bases *b, uint32_t id)
{
    if (LIKELY(id < b->cap))
        return true;
    uint32_t cap = id < UINT32_MAX / 2 ? id + id / 2 + 1024 : UINT32_MAX;
    uint64_t *bits = realloc(b->bits, cap * sizeof *bits);
    if (!bits)
        return false;
    b->bits = bits;
    uint32_t *marks = realloc(b->marks, cap * sizeof *marks);
    if (!marks)
        return false;
    memset(marks + b->cap, 0, (cap - b->cap) * sizeof *marks); /* no age is 0 */
    b->marks = marks;
    b->cap = cap;
    return true;
}

static void tell_width(struct headlog_bases *b, uint32_t id, unsigned width)
{
    b->told = ((b->told ^ id << NEXT_SHIFT ^ width) * 0x9e3779b1u) | 1;
}

static bool integer_of(double v, int64_t *ret)
{
    if (!(v > -0x1p53 && v < 0x1p53))
        return false;
    int64_t i = (int64_t)v;
    if (f64_bits((double)i) != f64_bits(v)) /* a fraction, or -0 */
        return false;
    *ret = i;
    return true;
}

static unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

/* The width that would have suited a difference, from the one that is taken for usual. */
static unsigned adapt(unsigned width, uint64_t less_one)
{
    if (width == WIDTH_NONE)
        width = less_one ? bit_length(less_one) - 1 : 0;
    else if (less_one >> width >= 2)
        width += bit_length(less_one >> width) - 1;
    else if (width > 0 && less_one >> (width - 1) == 0)
        width--;
    return width > WIDTH_MAX ? WIDTH_MAX : width;
}

/* ---- writing ---- */
int headlog_init(struct headlog_writer *w)
{
    *w = (struct headlog_writer){.compressor = ZSTD_createCCtx()};
    buf_init(&w->record, STORE_RECORD_BYTES_MAX);
    return w->compressor ? 0 : -ENOMEM;
}

void headlog_done(struct headlog_writer *w)
{
    free(w->controls.data);
    free(w->extras.data);
    free(w->bits.data);
    buf_done(&w->record);
    ZSTD_freeCCtx(w->compressor);
    *w = (struct headlog_writer){0};
}

void headlog_begin(struct headlog_writer *w, struct headlog_bases *bases)
{
    if (bases->items > HEADLOG_STEPS * bases->series)
        headlog_bases_forget(bases);
    w->controls.n = w->extras.n = w->bits.n = 0;
    w->pending = w->n_pending = 0;
    w->id = UINT32_MAX;
    w->t = w->step = 0;
    w->told = bases->told;
    w->error = 0;
}

size_t headlog_count(const struct headlog_writer *w)
{
    return w->controls.n;
}

size_t headlog_bytes(const struct headlog_writer *w)
{
    return w->controls.n + w->extras.n + w->bits.n;
}

static bool room(struct headlog_stream *s, size_t n)
{
    if (LIKELY(s->cap - s->n >= n))
        return true;
    size_t cap = s->cap ? s->cap : 4096;
    while (cap - s->n < n)
        cap *= 2;
    uint8_t *data = realloc(s->data, cap);
    if (!data)
        return false;
    s->data = data;
    s->cap = cap;
    return true;
}

/* n <= 56 */
static void put_bits(struct headlog_writer *w, uint64_t v, unsigned n)
{
    w->pending |= v << w->n_pending;
    w->n_pending += n;
    memcpy(w->bits.data + w->bits.n, &w->pending,
           8); /* the format is little-endian, as is every machine we build for */
    w->bits.n += w->n_pending / 8;
    w->pending >>= w->n_pending & 56;
    w->n_pending &= 7;
}

static uint8_t *put_whole(uint8_t *p, double value, unsigned width, unsigned *ret_how)
{
    int64_t integer;
    uint64_t bits = f64_bits(value);
    if (integer_of(value, &integer)) {
        p = varint_put(p, zigzag((uint64_t)integer));
        *ret_how = VALUE_INTEGER;
    } else {
        memcpy(p, &bits, 8);
        p += 8;
        *ret_how = VALUE_BITS;
    }
    *p++ = (uint8_t)width;
    return p;
}

/* Returns how it is told. */
static unsigned put_value(struct headlog_writer *w, struct headlog_bases *b, uint32_t id, double value, uint8_t **p)
{
    uint64_t bits = f64_bits(value);
    uint32_t mark = b->marks[id];
    unsigned next = mark >> NEXT_SHIFT & SIX_BITS, width = mark & SIX_BITS;
    bool seen = mark >> AGE_SHIFT != 0, whole = mark >> AGE_SHIFT != b->age;
    unsigned how = VALUE_SAME;
    int64_t from, to;
    if (!seen) {
        next = WIDTH_NONE;
    } else if (bits != b->bits[id] && integer_of(value, &to) && integer_of(f64_from_bits(b->bits[id]), &from)) {
        uint64_t less_one = (uint64_t)(to > from ? to - from : from - to) - 1; /* each below 2^53 */
        next = adapt(next, less_one);
        whole = whole || width == WIDTH_NONE;
        if (!whole && less_one >> width <= ONES_MAX) {
            unsigned ones = (unsigned)(less_one >> width);
            uint64_t low = less_one & ((UINT64_C(1) << width) - 1);
            put_bits(w, ((UINT64_C(1) << ones) - 1) | low << (ones + 1), ones + 1 + width);
            how = to > from ? VALUE_UP : VALUE_DOWN;
        } else if (!whole) {
            *p = varint_put(*p, zigzag((uint64_t)to - (uint64_t)from));
            how = VALUE_STEP;
        }
    } else if (bits != b->bits[id] && !whole) {
        memcpy(*p, &bits, 8);
        *p += 8;
        how = VALUE_BITS_AGAIN;
    }
    if (whole) {
        *p = put_whole(*p, value, width = next, &how);
        tell_width(b, id, width);
    }
    b->bits[id] = bits;
    b->series += mark >> AGE_SHIFT != b->age;
    b->items++;
    b->marks[id] = b->age << AGE_SHIFT | next << NEXT_SHIFT | width;
    return how;
}

void headlog_add(struct headlog_writer *w, struct headlog_bases *bases, uint32_t id, const struct sample *s)
{
    if (!room(&w->controls, 1) || !room(&w->extras, EXTRAS_MAX) || !room(&w->bits, BITS_ROOM) ||
        !bases_reserve(bases, id)) {
        w->error = -ENOMEM;
        return;
    }
    unsigned control = 0;
    uint8_t *p = w->extras.data + w->extras.n;
    if (id == w->id) {
        control = SERIES_SAME;
    } else if (id != w->id + 1) {
        control = SERIES_STEP;
        p = varint_put(p, zigzag((uint64_t)id - w->id));
    }
    w->id = id;
    uint64_t t = (uint64_t)s->t_ms;
    if (t != w->t) {
        uint64_t step = t - w->t;
        control |= (unsigned)(step == w->step ? TIME_AGAIN : TIME_STEP) << TIME_SHIFT;
        if (step != w->step)
            p = varint_put(p, zigzag(step));
        w->t = t;
        w->step = step;
    }
    control |= put_value(w, bases, id, s->value, &p) << VALUE_SHIFT;
    if (s->start_ms) {
        control |= START_FLAG;
        p = varint_put(p, zigzag(t - (uint64_t)s->start_ms));
    }
    w->controls.data[w->controls.n++] = (uint8_t)control;
    w->extras.n = (size_t)(p - w->extras.data);
}

/* Controls and extras, which stand behind each other; compressed when that makes them smaller. */
static int put_items(struct headlog_writer *w, const uint8_t *plain, size_t n)
{
    struct buf *b = &w->record;
    size_t bound = ZSTD_compressBound(n);
    bool packs = n >= SMALL_BYTES;
    char *at = packs ? buf_reserve(b, bound) : NULL;
    size_t compressed = at ? ZSTD_compressCCtx(w->compressor, at, bound, plain, n, LEVEL) : 0;
    if (packs && (!at || ZSTD_isError(compressed)))
        return -ENOMEM;
    packs = packs && compressed < n;
    b->data[4] = packs ? KIND_ZSTD : KIND_PLAIN;
    if (packs)
        buf_grew(b, compressed);
    else
        buf_bytes(b, plain, n);
    return buf_error(b) ? -ENOMEM : 0;
}

int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n)
{
    struct buf *b = &w->record;
    uint8_t header[HEADER_BYTES + 3 * VARINT_BYTES_MAX] = {0}, *p = header + HEADER_BYTES;
    size_t items = w->controls.n, extras = w->extras.n, n_bits = w->bits.n + (w->n_pending > 0);
    if (!room(&w->bits, BITS_ROOM) || !room(&w->controls, extras + 1))
        w->error = -ENOMEM;
    if (w->error < 0)
        return w->error;
    w->bits.data[w->bits.n] = (uint8_t)w->pending;
    if (extras)
        memcpy(w->controls.data + items, w->extras.data, extras);
    memcpy(header + 5, &w->told, 4);
    p = varint_put(varint_put(varint_put(p, items), extras), n_bits);
    buf_clear(b);
    buf_bytes(b, header, (size_t)(p - header));
    buf_bytes(b, w->bits.data, n_bits);
    int r = buf_error(b) ? -ENOMEM : put_items(w, w->controls.data, items + extras);
    if (r < 0)
        return r;
    uint32_t crc = crc32c(0, b->data + sizeof crc, b->len - sizeof crc);
    memcpy(b->data, &crc, sizeof crc);
    *ret_bytes = (const uint8_t *)b->data;
    *ret_n = b->len;
    return 0;
}

/* ---- reading ---- */
int headlog_reader_init(struct headlog_reader *rd)
{
    *rd = (struct headlog_reader){.decompressor = ZSTD_createDCtx()};
    buf_init(&rd->plain, STORE_RECORD_BYTES_MAX);
    return rd->decompressor ? 0 : -ENOMEM;
}

void headlog_reader_done(struct headlog_reader *rd)
{
    ZSTD_freeDCtx(rd->decompressor);
    buf_done(&rd->plain);
    *rd = (struct headlog_reader){0};
}

static int decompress(struct headlog_reader *rd, const uint8_t **at, const uint8_t *end, size_t plain)
{
    buf_clear(&rd->plain);
    char *to = buf_reserve(&rd->plain, plain + 1);
    if (!to)
        return -ENOMEM;
    size_t n = ZSTD_decompressDCtx(rd->decompressor, to, plain, *at, (size_t)(end - *at));
    if (ZSTD_isError(n) || n != plain)
        return -EBADMSG;
    *at = (const uint8_t *)to;
    return 0;
}

static int open_streams(struct headlog_reader *rd, const uint8_t *at, const uint8_t *end, bool packed)
{
    uint64_t items, extras, bits;
    if (!varint_get(&at, end, &items) || !varint_get(&at, end, &extras) || !varint_get(&at, end, &bits) ||
        items >= STORE_RECORD_BYTES_MAX || extras >= STORE_RECORD_BYTES_MAX - items || bits > (uint64_t)(end - at))
        return -EBADMSG;
    rd->bits = at;
    rd->n_bits = bits * 8;
    at += bits;
    if (!packed && items + extras != (uint64_t)(end - at))
        return -EBADMSG;
    int r = packed ? decompress(rd, &at, end, items + extras) : 0;
    if (r < 0)
        return r;
    rd->control = at;
    rd->controls_end = rd->extra = at + items;
    rd->extras_end = rd->extra + extras;
    return 0;
}

int headlog_open(struct headlog_reader *rd, struct headlog_bases *bases, const uint8_t *bytes, size_t n)
{
    uint32_t crc, told;
    rd->control = rd->controls_end = rd->extra = rd->extras_end = rd->bits = bytes;
    rd->bit = rd->n_bits = 0;
    rd->unreadable = 0;
    rd->id = UINT32_MAX;
    rd->t = rd->step = 0;
    if (n < HEADER_BYTES)
        return -EBADMSG;
    memcpy(&crc, bytes, sizeof crc);
    memcpy(&told, bytes + 5, sizeof told);
    if (crc != crc32c(0, bytes + 4, n - 4) || (bytes[4] != KIND_PLAIN && bytes[4] != KIND_ZSTD))
        return -EBADMSG;
    int r = open_streams(rd, bytes + HEADER_BYTES, bytes + n, bytes[4] == KIND_ZSTD);
    if (r < 0)
        return r;
    if (told == 0)
        headlog_bases_forget(bases);
    if (told != bases->told) {
        rd->unreadable = (uint64_t)(rd->controls_end - rd->control);
        rd->control = rd->controls_end;
        rd->extra = rd->extras_end;
        rd->n_bits = 0;
        headlog_bases_lose(bases); /* it had newer values of some */
    }
    return 0;
}

static bool get_series(struct headlog_reader *rd, unsigned control)
{
    uint64_t z;
    switch (control & 3) {
    case SERIES_NEXT:
        rd->id += 1;
        return true;
    case SERIES_SAME:
        return true;
    case SERIES_STEP:
        if (!varint_get(&rd->extra, rd->extras_end, &z))
            return false;
        rd->id += (uint32_t)unzigzag(z);
        return true;
    default:
        return false;
    }
}

static bool get_time(struct headlog_reader *rd, unsigned control)
{
    uint64_t z;
    switch (control >> TIME_SHIFT & 3) {
    case TIME_SAME:
        return true;
    case TIME_STEP:
        if (!varint_get(&rd->extra, rd->extras_end, &z))
            return false;
        rd->step = unzigzag(z);
        rd->t += rd->step;
        return true;
    case TIME_AGAIN:
        rd->t += rd->step;
        return true;
    default:
        return false;
    }
}

/* The bits from rd->bit on, 57 of them at least; zeros behind the end. */
static uint64_t peek_bits(const struct headlog_reader *rd)
{
    uint64_t v = 0;
    size_t at = rd->bit / 8, n = rd->n_bits / 8 - at;
    if (LIKELY(n >= 8))
        memcpy(&v, rd->bits + at, 8);
    else
        memcpy(&v, rd->bits + at, n);
    return v >> rd->bit % 8;
}

static bool get_difference(struct headlog_reader *rd, unsigned width, uint64_t *ret)
{
    uint64_t v = peek_bits(rd);
    unsigned ones = (unsigned)__builtin_ctzll(~v | UINT64_C(1) << 63);
    if (width > WIDTH_MAX || ones > ONES_MAX || ones + 1 + width > rd->n_bits - rd->bit)
        return false;
    rd->bit += ones + 1 + width;
    *ret = ((uint64_t)ones << width | (v >> (ones + 1) & ((UINT64_C(1) << width) - 1))) + 1;
    return true;
}

static bool get_whole(struct headlog_reader *rd, unsigned how, uint64_t *ret_bits, unsigned *width)
{
    uint64_t z;
    if (how == VALUE_INTEGER) {
        if (!varint_get(&rd->extra, rd->extras_end, &z))
            return false;
        *ret_bits = f64_bits((double)(int64_t)unzigzag(z));
    } else {
        if (rd->extras_end - rd->extra < 8)
            return false;
        memcpy(ret_bits, rd->extra, 8);
        rd->extra += 8;
    }
    if (how == VALUE_BITS_AGAIN)
        return true;
    if (rd->extra == rd->extras_end || *rd->extra > SIX_BITS)
        return false;
    *width = *rd->extra++;
    return true;
}

/* 1, 2: lost with its base, -EBADMSG. */
static int get_value(struct headlog_reader *rd, struct headlog_bases *b, unsigned how, uint64_t *ret_bits)
{
    uint32_t mark = b->marks[rd->id];
    bool known = mark >> AGE_SHIFT == b->age, lost = !known || (mark & LOST);
    unsigned width = mark & SIX_BITS;
    uint64_t bits = b->bits[rd->id], difference = 0;
    int64_t from = 0;
    if (how > VALUE_BITS_AGAIN || (!known && how != VALUE_INTEGER && how != VALUE_BITS))
        return -EBADMSG; /* the widths are all there, so the base's record was too */
    if (how >= VALUE_INTEGER) {
        if (!get_whole(rd, how, &bits, &width))
            return -EBADMSG;
        if (how != VALUE_BITS_AGAIN)
            tell_width(b, rd->id, width);
        lost = false;
    } else if (how != VALUE_SAME) {
        if (how == VALUE_STEP ? !varint_get(&rd->extra, rd->extras_end, &difference)
                              : !get_difference(rd, width, &difference))
            return -EBADMSG;
        if (!lost && !integer_of(f64_from_bits(bits), &from))
            return -EBADMSG;
        difference = how == VALUE_STEP ? unzigzag(difference) : how == VALUE_DOWN ? 0 - difference : difference;
        bits = f64_bits((double)(int64_t)((uint64_t)from + difference));
    }
    b->bits[rd->id] = bits;
    b->marks[rd->id] = b->age << AGE_SHIFT | width | (lost ? LOST : 0);
    *ret_bits = bits;
    return lost ? 2 : 1;
}

static int end_of_record(const struct headlog_reader *rd)
{
    bool padded = rd->n_bits - rd->bit < 8 && (rd->bit == rd->n_bits || peek_bits(rd) == 0);
    return rd->extra == rd->extras_end && padded ? 0 : -EBADMSG;
}

int headlog_next(struct headlog_reader *rd, struct headlog_bases *bases, uint32_t *ret_id, struct sample *ret)
{
    *ret_id = UINT32_MAX;
    if (rd->unreadable) {
        rd->unreadable--;
        return 2;
    }
    if (rd->control == rd->controls_end)
        return end_of_record(rd);
    unsigned control = *rd->control++;
    if (!get_series(rd, control) || !get_time(rd, control) || rd->id >= SERIES_LIMIT)
        return -EBADMSG;
    if (!bases_reserve(bases, rd->id))
        return -ENOMEM;
    struct sample s = {.t_ms = (int64_t)rd->t};
    uint64_t bits, z;
    int r = get_value(rd, bases, control >> VALUE_SHIFT & VALUE_MASK, &bits);
    if (r < 0)
        return r;
    s.value = f64_from_bits(bits);
    if (control & START_FLAG) {
        if (!varint_get(&rd->extra, rd->extras_end, &z))
            return -EBADMSG;
        s.start_ms = (int64_t)(rd->t - unzigzag(z));
    }
    *ret_id = rd->id;
    *ret = s;
    return r;
}
