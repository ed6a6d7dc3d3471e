/* headlog.h - one record of the head's log: the samples of one commit, as one BLOB of the table headlog.
 *
 *   struct headlog_writer w;                              struct headlog_bases bases;
 *   r = headlog_init(&w);                                 headlog_bases_init(&bases);
 *   headlog_begin(&w);
 *   headlog_add(&w, &bases, id, &sample);               // accepted samples in order; errors stick
 *   r = headlog_end(&w, &bytes, &n);                     // valid until the next begin
 *
 *   r = headlog_reader_init(&rd);
 *   r = headlog_open(&rd, bytes, n);                      // -EBADMSG: damaged, then headlog_bases_forget()
 *   while ((r = headlog_next(&rd, &bases, &id, &sample)) > 0) …
 *
 * Bases are the last values of the series in the log. A value may be told by its difference to its series' base, up to
 * HEADLOG_STEPS times in a row; so a damaged record costs its own samples and, of each series, those up to its next whole value.
 * Whoever drops records (the log is trimmed, a commit failed) forgets the bases. Bytes (little-endian, v = varint, z = zigzag
 * varint):
 *
 *   0   u32 CRC-32C of all bytes from 4 on
 *   4   u8 kind: 1 items, 2 v bytes of items, then a zstd frame of them
 *   ..  items := v number of items, then each
 *         u8 control: bits 0-1 series: 0 the next id, 1 the same, 2 z id difference follows
 *                     bits 2-3 time:   0 the same, 1 z difference to the time before follows, 2 the last difference again
 *                     bits 4-5 value:  0 the same bits, 1 z integer follows, 2 8 bytes follow, 3 z integer difference follows
 *                     bit 6            z (time - start time) follows
 *                     bit 7            value 0 and 3 are about the series' base, not about the item before
 *   "Before" is the item before; the first one compares with id -1, time 0, difference 0, value 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/metric/sample.h"

#define HEADLOG_STEPS 63u

struct headlog_bases {
    uint64_t *bits;
    uint32_t *marks; /* age << 6 | differences in a row; another age: there is no base */
    uint32_t cap, age;
};
void headlog_bases_init(struct headlog_bases *b);
void headlog_bases_done(struct headlog_bases *b);
void headlog_bases_forget(struct headlog_bases *b);

struct headlog_state {
    uint32_t id;
    uint64_t t, step, bits;
    int64_t integer;       /* of bits, when is_integer */
    bool is_integer, lost; /* lost: its base was in a damaged record */
};
struct headlog_writer {
    uint8_t *data;
    size_t n, cap;
    uint64_t count;
    struct headlog_state before;
    struct ZSTD_CCtx_s *compressor;
    struct buf compressed;
    int error;
};
MUST_USE int headlog_init(struct headlog_writer *w); /* -ENOMEM */
void headlog_done(struct headlog_writer *w);
void headlog_begin(struct headlog_writer *w);
void headlog_add(struct headlog_writer *w, struct headlog_bases *bases, uint32_t id, const struct sample *s);
/* Bytes used so far, to end a record that grows large. */
size_t headlog_bytes(const struct headlog_writer *w);
/* -ENOMEM of any call since begin. */
MUST_USE int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n);

struct headlog_reader {
    const uint8_t *at, *end;
    uint64_t left;
    struct headlog_state before;
    struct ZSTD_DCtx_s *decompressor;
    struct buf plain;
};
MUST_USE int headlog_reader_init(struct headlog_reader *rd); /* -ENOMEM */
void headlog_reader_done(struct headlog_reader *rd);
/* The bytes must stay until the record is read. */
MUST_USE int headlog_open(struct headlog_reader *rd, const uint8_t *bytes, size_t n);
/* 1 a sample, 2 one whose value is lost with its base, 0 the end, -EBADMSG, -ENOMEM. */
MUST_USE int headlog_next(struct headlog_reader *rd, struct headlog_bases *bases, uint32_t *ret_id, struct sample *ret);
