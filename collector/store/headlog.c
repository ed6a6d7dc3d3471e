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
#define SMALL_BYTES 256 /* not worth compressing */
#define HEADER_ROOM 16  /* CRC, kind and the count, which is known at the end and moved up to the items */
#define ITEM_BYTES_MAX (1 + 4 * VARINT_BYTES_MAX)

enum { SERIES_NEXT, SERIES_SAME, SERIES_STEP };
enum { TIME_SAME, TIME_STEP, TIME_AGAIN };
enum { VALUE_SAME, VALUE_INTEGER, VALUE_BITS, VALUE_STEP };
#define TIME_SHIFT 2
#define VALUE_SHIFT 4
#define START_FLAG 0x40
#define BASE_FLAG 0x80
#define STEPS_BITS 6
#define STEPS_MASK ((1u << STEPS_BITS) - 1)
static_assert(HEADLOG_STEPS <= STEPS_MASK, "the count must fit its bits");

static const struct headlog_state FIRST = {.id = UINT32_MAX, .is_integer = true};

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
    if (++b->age >> (32 - STEPS_BITS) == 0)
        return;
    b->age = 1; /* once in 2^26 times */
    memset(b->marks, 0, b->cap * sizeof *b->marks);
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
    memset(marks + b->cap, 0, (cap - b->cap) * sizeof *marks);
    b->marks = marks;
    b->cap = cap;
    return true;
}

static inline bool base_of(const struct headlog_bases *b, uint32_t id, uint64_t *ret)
{
    if (id >= b->cap || b->marks[id] >> STEPS_BITS != b->age)
        return false;
    *ret = b->bits[id];
    return true;
}

/* ---- writing ---- */
int headlog_init(struct headlog_writer *w)
{
    *w = (struct headlog_writer){.compressor = ZSTD_createCCtx()};
    buf_init(&w->compressed, STORE_RECORD_BYTES_MAX);
    return w->compressor ? 0 : -ENOMEM;
}

void headlog_done(struct headlog_writer *w)
{
    free(w->data);
    buf_done(&w->compressed);
    ZSTD_freeCCtx(w->compressor);
    *w = (struct headlog_writer){0};
}

void headlog_begin(struct headlog_writer *w)
{
    w->n = HEADER_ROOM;
    w->count = 0;
    w->before = FIRST;
    w->error = 0;
}

size_t headlog_bytes(const struct headlog_writer *w)
{
    return w->n;
}

static uint8_t *room(struct headlog_writer *w)
{
    if (w->cap - w->n < ITEM_BYTES_MAX || w->cap == 0) {
        size_t cap = w->cap ? w->cap * 2 : 16384;
        uint8_t *data = realloc(w->data, cap);
        if (!data) {
            w->error = -ENOMEM;
            return NULL;
        }
        w->data = data;
        w->cap = cap;
    }
    return w->data + w->n;
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

static uint64_t step_between(const uint64_t *from_bits, int64_t to)
{
    int64_t from;
    return integer_of(f64_from_bits(*from_bits), &from) ? zigzag((uint64_t)to - (uint64_t)from) : UINT64_MAX;
}

/* base NULL: there is none. Returns BASE_FLAG when it was used, and how the value is told; *at becomes the state of the item. Fields are
 * set one by one: copied as a whole right after, the processor would wait for each. */
static unsigned put_value(uint8_t **p, struct headlog_state *at, double value, const uint64_t *base)
{
    uint64_t bits = f64_bits(value);
    int64_t integer = at->integer, before = at->integer;
    bool was_integer = at->is_integer;
    if (bits == at->bits)
        return 0;
    at->bits = bits;
    at->is_integer = integer_of(value, &integer);
    at->integer = integer;
    if (base && *base == bits)
        return BASE_FLAG;
    if (!at->is_integer) {
        memcpy(*p, &bits, sizeof bits); /* the file format is little-endian, as is every machine we build for */
        *p += sizeof bits;
        return (unsigned)VALUE_BITS << VALUE_SHIFT;
    }
    uint64_t plain = zigzag((uint64_t)integer);
    uint64_t step = was_integer ? zigzag((uint64_t)integer - (uint64_t)before) : UINT64_MAX;
    uint64_t base_step = base ? step_between(base, integer) : UINT64_MAX;
    if (base_step < step && base_step < plain) {
        *p = varint_put(*p, base_step);
        return BASE_FLAG | (unsigned)VALUE_STEP << VALUE_SHIFT;
    }
    *p = varint_put(*p, step < plain ? step : plain);
    return (unsigned)(step < plain ? VALUE_STEP : VALUE_INTEGER) << VALUE_SHIFT;
}

void headlog_add(struct headlog_writer *w, struct headlog_bases *bases, uint32_t id, const struct sample *s)
{
    uint8_t *start = room(w);
    if (!start)
        return;
    if (!bases_reserve(bases, id)) {
        w->error = -ENOMEM;
        return;
    }
    uint64_t base = 0;
    bool has_base = base_of(bases, id, &base);
    unsigned steps = has_base ? bases->marks[id] & STEPS_MASK : HEADLOG_STEPS;
    struct headlog_state *at = &w->before;
    unsigned control = 0;
    uint8_t *p = start + 1;
    if (id == at->id) {
        control |= SERIES_SAME;
    } else if (id != at->id + 1) {
        control |= SERIES_STEP;
        p = varint_put(p, zigzag((uint64_t)id - at->id));
    }
    at->id = id;
    uint64_t t = (uint64_t)s->t_ms;
    if (t != at->t) {
        uint64_t step = t - at->t;
        control |= (unsigned)(step == at->step ? TIME_AGAIN : TIME_STEP) << TIME_SHIFT;
        if (step != at->step)
            p = varint_put(p, zigzag(step));
        at->t = t;
        at->step = step;
    }
    control |= put_value(&p, at, s->value, steps < HEADLOG_STEPS ? &base : NULL);
    bases->bits[id] = at->bits;
    bases->marks[id] = bases->age << STEPS_BITS | (steps < HEADLOG_STEPS ? steps + 1 : 0);
    if (s->start_ms) {
        control |= START_FLAG;
        p = varint_put(p, zigzag(t - (uint64_t)s->start_ms));
    }
    *start = (uint8_t)control;
    w->n += (size_t)(p - start);
    w->count++;
}

/* The record of what stands from `plain` on: compressed when that makes it smaller. */
static int finish(struct headlog_writer *w, const uint8_t *plain, size_t n, unsigned kind)
{
    uint32_t crc = 0;
    struct buf *b = &w->compressed;
    buf_clear(b);
    buf_bytes(b, &crc, sizeof crc);
    buf_char(b, (char)kind);
    if (kind == KIND_PLAIN) {
        buf_bytes(b, plain, n);
    } else {
        uint8_t count[VARINT_BYTES_MAX];
        buf_bytes(b, count, (size_t)(varint_put(count, n) - count));
        size_t bound = ZSTD_compressBound(n);
        char *at = buf_reserve(b, bound);
        size_t compressed = at ? ZSTD_compressCCtx(w->compressor, at, bound, plain, n, LEVEL) : 0;
        if (!at || ZSTD_isError(compressed))
            return -ENOMEM;
        buf_grew(b, compressed);
    }
    if (buf_error(b))
        return -ENOMEM;
    crc = crc32c(0, b->data + sizeof crc, b->len - sizeof crc);
    memcpy(b->data, &crc, sizeof crc);
    return 0;
}

int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n)
{
    if (w->error == 0)
        (void)room(w);
    if (w->error < 0)
        return w->error;
    uint8_t count[VARINT_BYTES_MAX];
    size_t count_bytes = (size_t)(varint_put(count, w->count) - count);
    uint8_t *plain = w->data + HEADER_ROOM - count_bytes;
    memcpy(plain, count, count_bytes);
    size_t n = w->n - (size_t)(plain - w->data);
    int r = finish(w, plain, n, n < SMALL_BYTES ? KIND_PLAIN : KIND_ZSTD);
    if (r == 0 && w->compressed.len > n + 5)
        r = finish(w, plain, n, KIND_PLAIN);
    if (r < 0)
        return r;
    *ret_bytes = (const uint8_t *)w->compressed.data;
    *ret_n = w->compressed.len;
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

static int decompress(struct headlog_reader *rd)
{
    uint64_t plain;
    if (!varint_get(&rd->at, rd->end, &plain) || plain > STORE_RECORD_BYTES_MAX)
        return -EBADMSG;
    buf_clear(&rd->plain);
    char *to = buf_reserve(&rd->plain, plain);
    if (!to)
        return -ENOMEM;
    size_t n = ZSTD_decompressDCtx(rd->decompressor, to, plain, rd->at, (size_t)(rd->end - rd->at));
    if (ZSTD_isError(n) || n != plain)
        return -EBADMSG;
    rd->at = (const uint8_t *)to;
    rd->end = rd->at + n;
    return 0;
}

int headlog_open(struct headlog_reader *rd, const uint8_t *bytes, size_t n)
{
    uint32_t crc;
    rd->left = 0;
    rd->at = rd->end = bytes;
    if (n < 6)
        return -EBADMSG;
    memcpy(&crc, bytes, sizeof crc);
    if (crc != crc32c(0, bytes + 4, n - 4) || (bytes[4] != KIND_PLAIN && bytes[4] != KIND_ZSTD))
        return -EBADMSG;
    rd->at = bytes + 5;
    rd->end = bytes + n;
    rd->before = FIRST;
    int r = bytes[4] == KIND_ZSTD ? decompress(rd) : 0;
    if (r == 0 && !varint_get(&rd->at, rd->end, &rd->left))
        r = -EBADMSG;
    if (r < 0)
        rd->at = rd->end = bytes;
    return r;
}

static bool get_series(struct headlog_reader *rd, unsigned control, uint32_t *id)
{
    uint64_t z;
    switch (control & 3) {
    case SERIES_NEXT:
        *id += 1;
        return true;
    case SERIES_SAME:
        return true;
    case SERIES_STEP:
        if (!varint_get(&rd->at, rd->end, &z))
            return false;
        *id += (uint32_t)unzigzag(z);
        return true;
    default:
        return false;
    }
}

static bool get_time(struct headlog_reader *rd, unsigned control, struct headlog_state *now)
{
    uint64_t z;
    switch (control >> TIME_SHIFT & 3) {
    case TIME_SAME:
        return true;
    case TIME_STEP:
        if (!varint_get(&rd->at, rd->end, &z))
            return false;
        now->step = unzigzag(z);
        now->t += now->step;
        return true;
    case TIME_AGAIN:
        now->t += now->step;
        return true;
    default:
        return false;
    }
}

static bool get_value(struct headlog_reader *rd, const struct headlog_bases *bases, unsigned control,
                      struct headlog_state *now)
{
    uint64_t z = 0;
    unsigned how = control >> VALUE_SHIFT & 3;
    bool relative = how == VALUE_SAME || how == VALUE_STEP;
    if ((control & BASE_FLAG) && !relative)
        return false;
    if (how == VALUE_BITS) {
        if (rd->end - rd->at < 8)
            return false;
        memcpy(&now->bits, rd->at, sizeof now->bits);
        rd->at += sizeof now->bits;
        now->is_integer = now->lost = false;
        return true;
    }
    if (how != VALUE_SAME && !varint_get(&rd->at, rd->end, &z))
        return false;
    if (control & BASE_FLAG) {
        now->lost = !base_of(bases, now->id, &now->bits);
        now->is_integer = !now->lost && integer_of(f64_from_bits(now->bits), &now->integer);
    }
    now->lost = relative && now->lost;
    if (how == VALUE_SAME || now->lost)
        return true;
    if (how == VALUE_STEP && !now->is_integer)
        return false;
    uint64_t from = how == VALUE_STEP ? (uint64_t)now->integer : 0;
    now->integer = (int64_t)(from + unzigzag(z));
    now->is_integer = true;
    now->bits = f64_bits((double)now->integer);
    return true;
}

int headlog_next(struct headlog_reader *rd, struct headlog_bases *bases, uint32_t *ret_id, struct sample *ret)
{
    if (rd->left == 0)
        return rd->at == rd->end ? 0 : -EBADMSG;
    if (rd->at == rd->end)
        return -EBADMSG;
    unsigned control = *rd->at++;
    struct headlog_state now = rd->before;
    if (!get_series(rd, control, &now.id) || !get_time(rd, control, &now) || now.id >= SERIES_LIMIT ||
        !get_value(rd, bases, control, &now))
        return -EBADMSG;
    struct sample s = {.t_ms = (int64_t)now.t, .value = f64_from_bits(now.bits)};
    uint64_t z;
    if (control & START_FLAG) {
        if (!varint_get(&rd->at, rd->end, &z))
            return -EBADMSG;
        s.start_ms = (int64_t)(now.t - unzigzag(z));
    }
    if (!bases_reserve(bases, now.id))
        return -ENOMEM;
    bases->bits[now.id] = now.bits;
    bases->marks[now.id] = now.lost ? 0 : bases->age << STEPS_BITS;
    rd->before = now;
    rd->left--;
    *ret_id = now.id;
    *ret = s;
    return now.lost ? 2 : 1;
}
