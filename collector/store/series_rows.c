#include "collector/store/series_rows.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "collector/store/crc32c.h"
#include "collector/store/series_key.h"
#include "collector/store/varint.h"
#include "lib/base/limits.h"

#define LEVEL 3
#define ROW_PLAIN_TARGET (1u << 20) /* a row ends here: label sets may be large */
#define ROW_PLAIN_MAX (64u << 20)   /* the target and one label set as large as they get */

int series_rows_init(struct series_rows *sr)
{
    *sr = (struct series_rows){.compressor = ZSTD_createCCtx(), .decompressor = ZSTD_createDCtx()};
    buf_init(&sr->plain, ROW_PLAIN_MAX);
    buf_init(&sr->row, ROW_PLAIN_MAX);
    if (sr->compressor && sr->decompressor)
        return 0;
    series_rows_done(sr);
    return -ENOMEM;
}

void series_rows_done(struct series_rows *sr)
{
    ZSTD_freeCCtx(sr->compressor);
    ZSTD_freeDCtx(sr->decompressor);
    buf_done(&sr->plain);
    buf_done(&sr->row);
    sr->compressor = NULL;
    sr->decompressor = NULL;
}

static void put_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    buf_bytes(b, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static int compress(struct series_rows *sr)
{
    uint32_t crc = 0;
    buf_clear(&sr->row);
    buf_bytes(&sr->row, &crc, sizeof crc);
    put_varint(&sr->row, sr->plain.len);
    size_t bound = ZSTD_compressBound(sr->plain.len);
    char *at = buf_reserve(&sr->row, bound);
    if (!at)
        return -ENOMEM;
    size_t n = ZSTD_compressCCtx(sr->compressor, at, bound, sr->plain.data, sr->plain.len, LEVEL);
    if (ZSTD_isError(n))
        return -ENOMEM; /* the room is enough, so nothing else can be */
    buf_grew(&sr->row, n);
    crc = crc32c(0, sr->row.data + sizeof crc, sr->row.len - sizeof crc);
    memcpy(sr->row.data, &crc, sizeof crc);
    return 0;
}

int series_rows_make(struct series_rows *sr, const struct series_index *ix, uint32_t from, uint32_t to,
                     struct span *ret_row, uint32_t *ret_id, uint32_t *ret_next)
{
    struct label pairs[LABELS_MAX];
    uint32_t first = UINT32_MAX, id = from;
    buf_clear(&sr->plain);
    for (; id < to && sr->plain.len < ROW_PLAIN_TARGET; id++) {
        const struct series *series = series_index_at(ix, id);
        if (!series)
            continue;
        if (first == UINT32_MAX)
            first = id;
        struct labels labels = series_labels(ix, series, pairs);
        buf_clear(&sr->row); /* its key, before the row is made */
        series_key_build(&sr->row, &labels);
        put_varint(&sr->plain, id - first);
        put_varint(&sr->plain, sr->row.len);
        buf_bytes(&sr->plain, sr->row.data, sr->row.len);
        if (buf_error(&sr->row) || buf_error(&sr->plain))
            return -ENOMEM;
    }
    *ret_next = id;
    *ret_row = SPAN("");
    if (first == UINT32_MAX)
        return 0;
    int r = compress(sr);
    if (r < 0)
        return r;
    *ret_id = first;
    *ret_row = buf_view(&sr->row);
    return 0;
}

static int decompress(struct series_rows *sr, struct span row)
{
    uint32_t crc;
    uint64_t plain;
    const uint8_t *at = (const uint8_t *)row.ptr + sizeof crc, *end = (const uint8_t *)row.ptr + row.len;
    if (row.len < sizeof crc)
        return -EBADMSG;
    memcpy(&crc, row.ptr, sizeof crc);
    if (crc != crc32c(0, at, row.len - sizeof crc) || !varint_get(&at, end, &plain) || plain > ROW_PLAIN_MAX)
        return -EBADMSG;
    buf_clear(&sr->plain);
    char *to = buf_reserve(&sr->plain, plain);
    if (!to)
        return -ENOMEM;
    size_t n = ZSTD_decompressDCtx(sr->decompressor, to, plain, at, (size_t)(end - at));
    if (ZSTD_isError(n) || n != plain)
        return -EBADMSG;
    buf_grew(&sr->plain, n);
    return 0;
}

int series_rows_read(struct series_rows *sr, uint32_t row_id, struct span row, series_sink sink, void *ctx)
{
    int r = decompress(sr, row);
    if (r < 0)
        return r;
    const uint8_t *at = (const uint8_t *)sr->plain.data, *end = at + sr->plain.len;
    while (at < end) {
        uint64_t step, n;
        if (!varint_get(&at, end, &step) || !varint_get(&at, end, &n) || n > (size_t)(end - at) ||
            step >= SERIES_ROW_IDS)
            return -EBADMSG;
        r = sink(ctx, row_id + (uint32_t)step, (struct span){(const char *)at, n});
        if (r < 0)
            return r;
        at += n;
    }
    return 0;
}
