#include "collector/store/headlog.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/store/crc32c.h"
#include "collector/store/varint.h"

#define KIND_FLOATS 1
#define HEADER_ROOM 16 /* CRC, kind and the count, which is known at the end and moved up to the items */
#define ITEM_BYTES_MAX (1 + 4 * VARINT_BYTES_MAX)

enum { SERIES_NEXT, SERIES_SAME, SERIES_STEP };
enum { TIME_SAME, TIME_STEP, TIME_AGAIN };
enum { VALUE_SAME, VALUE_INTEGER, VALUE_BITS, VALUE_STEP };
#define TIME_SHIFT 2
#define VALUE_SHIFT 4
#define START_FLAG 0x40

static const struct headlog_state FIRST = {.id = UINT32_MAX, .is_integer = true};

void headlog_init(struct headlog_writer *w)
{
    *w = (struct headlog_writer){0};
}

void headlog_done(struct headlog_writer *w)
{
    free(w->data);
    headlog_init(w);
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

static uint8_t *put_value(uint8_t *p, unsigned *control, struct headlog_state *now, const struct headlog_state *before,
                          double value)
{
    now->bits = f64_bits(value);
    if (now->bits == before->bits) {
        now->is_integer = before->is_integer;
        now->integer = before->integer;
        return p;
    }
    now->is_integer = integer_of(value, &now->integer);
    if (!now->is_integer) {
        *control |= (unsigned)VALUE_BITS << VALUE_SHIFT;
        memcpy(p, &now->bits,
               sizeof now->bits); /* the file format is little-endian, as is every machine we build for */
        return p + sizeof now->bits;
    }
    uint64_t plain = zigzag((uint64_t)now->integer);
    uint64_t step = before->is_integer ? zigzag((uint64_t)now->integer - (uint64_t)before->integer) : UINT64_MAX;
    *control |= (unsigned)(step < plain ? VALUE_STEP : VALUE_INTEGER) << VALUE_SHIFT;
    return varint_put(p, step < plain ? step : plain);
}

void headlog_add(struct headlog_writer *w, uint32_t id, const struct sample *s)
{
    uint8_t *start = room(w);
    if (!start)
        return;
    const struct headlog_state *before = &w->before;
    struct headlog_state now = {.id = id, .t = (uint64_t)s->t_ms, .step = before->step};
    unsigned control = 0;
    uint8_t *p = start + 1;
    if (id == before->id) {
        control |= SERIES_SAME;
    } else if (id != before->id + 1) {
        control |= SERIES_STEP;
        p = varint_put(p, zigzag((uint64_t)id - before->id));
    }
    if (now.t != before->t) {
        now.step = now.t - before->t;
        control |= (unsigned)(now.step == before->step ? TIME_AGAIN : TIME_STEP) << TIME_SHIFT;
        if (now.step != before->step)
            p = varint_put(p, zigzag(now.step));
    }
    p = put_value(p, &control, &now, before, s->value);
    if (s->start_ms) {
        control |= START_FLAG;
        p = varint_put(p, zigzag(now.t - (uint64_t)s->start_ms));
    }
    *start = (uint8_t)control;
    w->n += (size_t)(p - start);
    w->before = now;
    w->count++;
}

int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n)
{
    if (w->error == 0)
        (void)room(w);
    if (w->error < 0)
        return w->error;
    uint8_t count[VARINT_BYTES_MAX];
    size_t count_bytes = (size_t)(varint_put(count, w->count) - count);
    uint8_t *p = w->data + HEADER_ROOM - count_bytes;
    memcpy(p, count, count_bytes);
    *--p = KIND_FLOATS;
    uint8_t *start = p - 4;
    uint32_t crc = crc32c(0, p, w->n - (size_t)(p - w->data));
    memcpy(start, &crc, sizeof crc);
    *ret_bytes = start;
    *ret_n = w->n - (size_t)(start - w->data);
    return 0;
}

int headlog_open(struct headlog_reader *rd, const uint8_t *bytes, size_t n)
{
    uint32_t crc;
    if (n < 6)
        return -EBADMSG;
    memcpy(&crc, bytes, sizeof crc);
    if (crc != crc32c(0, bytes + 4, n - 4) || bytes[4] != KIND_FLOATS)
        return -EBADMSG;
    struct headlog_reader opened = {.at = bytes + 5, .end = bytes + n, .before = FIRST};
    if (!varint_get(&opened.at, opened.end, &opened.left))
        return -EBADMSG;
    *rd = opened;
    return 0;
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

static bool get_value(struct headlog_reader *rd, unsigned control, struct headlog_state *now)
{
    uint64_t z;
    unsigned how = control >> VALUE_SHIFT & 3;
    if (how == VALUE_SAME)
        return true;
    if (how == VALUE_BITS) {
        if (rd->end - rd->at < 8)
            return false;
        memcpy(&now->bits, rd->at, sizeof now->bits);
        rd->at += sizeof now->bits;
        now->is_integer = false;
        return true;
    }
    if (!varint_get(&rd->at, rd->end, &z))
        return false;
    uint64_t base = how == VALUE_STEP ? (uint64_t)now->integer : 0;
    now->integer = (int64_t)(base + unzigzag(z));
    now->is_integer = true;
    now->bits = f64_bits((double)now->integer);
    return true;
}

int headlog_next(struct headlog_reader *rd, uint32_t *ret_id, struct sample *ret)
{
    if (rd->left == 0)
        return rd->at == rd->end ? 0 : -EBADMSG;
    if (rd->at == rd->end)
        return -EBADMSG;
    unsigned control = *rd->at++;
    struct headlog_state now = rd->before;
    if (!get_series(rd, control, &now.id) || !get_time(rd, control, &now) || !get_value(rd, control, &now))
        return -EBADMSG;
    struct sample s = {.t_ms = (int64_t)now.t, .value = f64_from_bits(now.bits)};
    uint64_t z;
    if (control & START_FLAG) {
        if (!varint_get(&rd->at, rd->end, &z))
            return -EBADMSG;
        s.start_ms = (int64_t)(now.t - unzigzag(z));
    }
    rd->before = now;
    rd->left--;
    *ret_id = now.id;
    *ret = s;
    return 1;
}
