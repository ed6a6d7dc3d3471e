/* histogram_log.h - the native histograms of one commit, as one BLOB of the table histlog; beside the commit's record of floats.
 *
 *   struct histogram_log log;
 *   histogram_log_init(&log);
 *   histogram_log_begin(&log);
 *   histogram_log_add(&log, id, &item);                          // errors stick
 *   r = histogram_log_end(&log, &bytes, &n);                      // n 0: there are none; valid until the next begin
 *
 *   struct histogram_log_reader rd;
 *   histogram_log_reader_init(&rd);
 *   r = histogram_log_open(&rd, bytes, n);                         // -EBADMSG: damaged
 *   while ((r = histogram_log_next(&rd, &id, &item)) > 0) …        // item.bytes live until the next open
 *
 * Every record stands by itself. Bytes (little-endian, v = varint, z = zigzag varint):
 *
 *   0   u32 CRC-32C of all bytes from 4 on
 *   4   u8 kind: 1 items, 2 v bytes of items, then a zstd frame of them
 *   ..  items, each: z series - the item before's, z time - the item before's, u8 0, or 1 and z time - start time, then the packed
 *       histogram (histogram_pack.h)
 *   The first item compares with series 0, time 0. */
#pragma once

#include "collector/store/histogram_head.h"
#include "lib/base/buf.h"

struct histogram_log {
    struct buf items, record;
    uint32_t id;
    int64_t t_ms;
    struct ZSTD_CCtx_s *compressor; /* made with the first record */
};
void histogram_log_init(struct histogram_log *log);
void histogram_log_done(struct histogram_log *log);
void histogram_log_begin(struct histogram_log *log);
void histogram_log_add(struct histogram_log *log, uint32_t id, const struct histogram_item *item);
static inline size_t histogram_log_bytes(const struct histogram_log *log)
{
    return log->items.len;
}
/* -ENOMEM of any call since begin. */
MUST_USE int histogram_log_end(struct histogram_log *log, const uint8_t **ret_bytes, size_t *ret_n);

struct histogram_log_reader {
    const uint8_t *at, *end;
    uint32_t id;
    int64_t t_ms;
    struct buf plain;
};
void histogram_log_reader_init(struct histogram_log_reader *rd);
void histogram_log_reader_done(struct histogram_log_reader *rd);
/* The bytes must stay until the record is read. -EBADMSG, -ENOMEM. */
MUST_USE int histogram_log_open(struct histogram_log_reader *rd, const uint8_t *bytes, size_t n);
/* 1 an item, 0 the end, -EBADMSG. */
MUST_USE int histogram_log_next(struct histogram_log_reader *rd, uint32_t *ret_id, struct histogram_item *ret);
