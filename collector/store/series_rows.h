/* series_rows.h - the rows of the table series: neighbouring series, compressed together, because their labels repeat.
 *
 *   struct series_rows sr;
 *   r = series_rows_init(&sr);
 *   r = series_rows_make(&sr, &index, from, to, &row, &next);     // series from..to-1 as one row, as many as it takes
 *   r = series_rows_read(&sr, row_id, row, sink, ctx);             // -EBADMSG: damaged
 *
 * A row holds series of one block of SERIES_ROW_IDS ids only, and its id is that of its first series. Bytes (little-endian,
 * v = varint):
 *
 *   0   u32 CRC-32C of all bytes from 4 on
 *   4   v plain bytes, then one zstd frame of them: per series v id - row's id, v length, key (series_key.h) */
#pragma once

#include "collector/store/series_index.h"
#include "lib/base/buf.h"

#define SERIES_ROW_IDS 512u /* what one damaged row can cost; twice as many would save 1 byte of 17 per series */

struct series_rows {
    struct ZSTD_CCtx_s *compressor;
    struct ZSTD_DCtx_s *decompressor;
    struct buf plain, row;
};
MUST_USE int series_rows_init(struct series_rows *sr);
void series_rows_done(struct series_rows *sr);
/* Series there are in [from, to), which lies in one block; *ret_row is empty when there is none, else valid until the next call.
 * *ret_id is the row's id, *ret_next where the next row goes on. -ENOMEM. */
MUST_USE int series_rows_make(struct series_rows *sr, const struct series_index *ix, uint32_t from, uint32_t to,
                              struct span *ret_row, uint32_t *ret_id, uint32_t *ret_next);
/* Calls the sink for each series, in ascending order; stops at its first negative result and returns that. */
typedef int (*series_sink)(void *ctx, uint32_t id, struct span key);
MUST_USE int series_rows_read(struct series_rows *sr, uint32_t row_id, struct span row, series_sink sink, void *ctx);

static inline uint32_t series_block_start(uint32_t id)
{
    return id - id % SERIES_ROW_IDS;
}
