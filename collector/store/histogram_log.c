#include "collector/store/histogram_log.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "collector/store/crc32c.h"
#include "collector/store/histogram_pack.h"
#include "collector/store/series_index.h"
#include "collector/store/varint.h"
#include "lib/base/limits.h"

enum { KIND_PLAIN = 1, KIND_ZSTD = 2 };
#define LEVEL 1
#define SMALL_BYTES 256 /* not worth compressing */

/* ---- writing ---- */
void histogram_log_init(struct histogram_log *log)
{
    *log = (struct histogram_log){0};
    buf_init(&log->items, STORE_RECORD_BYTES_MAX);
    buf_init(&log->record, STORE_RECORD_BYTES_MAX);
}

void histogram_log_done(struct histogram_log *log)
{
    buf_done(&log->items);
    buf_done(&log->record);
    ZSTD_freeCCtx(log->compressor);
    log->compressor = NULL;
}

void histogram_log_begin(struct histogram_log *log)
{
    buf_clear(&log->items);
    log->id = 0;
    log->t_ms = 0;
}

void histogram_log_add(struct histogram_log *log, uint32_t id, const struct histogram_item *item)
{
    uint8_t head[3 * VARINT_BYTES_MAX], *p = head;
    uint64_t since_start = zigzag((uint64_t)item->t_ms - (uint64_t)item->start_ms);
    p = varint_put(p, zigzag((uint64_t)id - log->id));
    p = varint_put(p, zigzag((uint64_t)item->t_ms - (uint64_t)log->t_ms));
    *p++ = item->start_ms != 0;
    if (item->start_ms != 0)
        p = varint_put(p, since_start);
    buf_bytes(&log->items, head, (size_t)(p - head));
    buf_bytes(&log->items, item->bytes, item->n_bytes);
    log->id = id;
    log->t_ms = item->t_ms;
}

static int finish(struct histogram_log *log, unsigned kind)
{
    uint32_t crc = 0;
    struct buf *b = &log->record;
    size_t n = log->items.len;
    buf_clear(b);
    buf_bytes(b, &crc, sizeof crc);
    buf_char(b, (char)kind);
    if (kind == KIND_PLAIN) {
        buf_bytes(b, log->items.data, n);
    } else {
        uint8_t count[VARINT_BYTES_MAX];
        buf_bytes(b, count, (size_t)(varint_put(count, n) - count));
        size_t bound = ZSTD_compressBound(n);
        char *at = buf_reserve(b, bound);
        size_t compressed = at ? ZSTD_compressCCtx(log->compressor, at, bound, log->items.data, n, LEVEL) : 0;
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

int histogram_log_end(struct histogram_log *log, const uint8_t **ret_bytes, size_t *ret_n)
{
    size_t n = log->items.len;
    if (buf_error(&log->items))
        return -ENOMEM;
    if (n == 0) {
        *ret_n = 0;
        return 0;
    }
    if (n >= SMALL_BYTES && !log->compressor && !(log->compressor = ZSTD_createCCtx()))
        return -ENOMEM;
    int r = finish(log, n < SMALL_BYTES ? KIND_PLAIN : KIND_ZSTD);
    if (r == 0 && log->record.len > n + 5)
        r = finish(log, KIND_PLAIN);
    if (r < 0)
        return r;
    *ret_bytes = (const uint8_t *)log->record.data;
    *ret_n = log->record.len;
    return 0;
}

/* ---- reading ---- */
void histogram_log_reader_init(struct histogram_log_reader *rd)
{
    *rd = (struct histogram_log_reader){0};
    buf_init(&rd->plain, STORE_RECORD_BYTES_MAX);
}

void histogram_log_reader_done(struct histogram_log_reader *rd)
{
    buf_done(&rd->plain);
}

static int decompress(struct histogram_log_reader *rd)
{
    uint64_t plain;
    if (!varint_get(&rd->at, rd->end, &plain) || plain > STORE_RECORD_BYTES_MAX)
        return -EBADMSG;
    buf_clear(&rd->plain);
    char *to = buf_reserve(&rd->plain, plain);
    if (!to)
        return -ENOMEM;
    size_t n = ZSTD_decompress(to, plain, rd->at, (size_t)(rd->end - rd->at));
    if (ZSTD_isError(n) || n != plain)
        return -EBADMSG;
    rd->at = (const uint8_t *)to;
    rd->end = rd->at + n;
    return 0;
}

int histogram_log_open(struct histogram_log_reader *rd, const uint8_t *bytes, size_t n)
{
    uint32_t crc;
    rd->at = rd->end = bytes;
    rd->id = 0;
    rd->t_ms = 0;
    if (n < 6)
        return -EBADMSG;
    memcpy(&crc, bytes, sizeof crc);
    if (crc != crc32c(0, bytes + 4, n - 4) || (bytes[4] != KIND_PLAIN && bytes[4] != KIND_ZSTD))
        return -EBADMSG;
    rd->at = bytes + 5;
    rd->end = bytes + n;
    int r = bytes[4] == KIND_ZSTD ? decompress(rd) : 0;
    if (r < 0)
        rd->at = rd->end = bytes;
    return r;
}

int histogram_log_next(struct histogram_log_reader *rd, uint32_t *ret_id, struct histogram_item *ret)
{
    uint64_t id, t, start = 0;
    struct packed_histogram packed;
    if (rd->at == rd->end)
        return 0;
    if (!varint_get(&rd->at, rd->end, &id) || !varint_get(&rd->at, rd->end, &t) || rd->at == rd->end || *rd->at > 1)
        return -EBADMSG;
    bool has_start = *rd->at++;
    if (has_start && !varint_get(&rd->at, rd->end, &start))
        return -EBADMSG;
    rd->id += (uint32_t)unzigzag(id);
    rd->t_ms = (int64_t)((uint64_t)rd->t_ms + unzigzag(t));
    if (rd->id >= SERIES_LIMIT || histogram_open(&rd->at, rd->end, &packed) < 0 ||
        packed.n_bytes > HISTOGRAM_PACK_BYTES_MAX)
        return -EBADMSG;
    *ret_id = rd->id;
    *ret = (struct histogram_item){rd->t_ms, has_start ? (int64_t)((uint64_t)rd->t_ms - unzigzag(start)) : 0,
                                   packed.bytes, packed.n_bytes};
    return 1;
}
