/* headlog.h - one record of the head's log: the samples of one commit, as one BLOB of the table headlog.
 *
 *   struct headlog_writer w;                              struct headlog_bases bases;
 *   r = headlog_init(&w);                                 headlog_bases_init(&bases);
 *   headlog_begin(&w, &bases);
 *   headlog_add(&w, &bases, id, &sample);               // accepted samples in order; errors stick
 *   r = headlog_end(&w, &bytes, &n);                     // valid until the next begin
 *
 *   r = headlog_reader_init(&rd);
 *   r = headlog_open(&rd, &bases, bytes, n);              // -EBADMSG: damaged, then headlog_bases_lose()
 *   while ((r = headlog_next(&rd, &bases, &id, &sample)) > 0) …
 *
 * Bases are the last values of the series in the log. The first value of a series is whole and tells its width too: how many bits
 * a usual difference of it has; the next ones are told by their difference. What comes behind a damaged record so loses its bases,
 * and cannot be read at all when that record told widths: records have a check of all that were told before. Therefore bases and
 * widths are forgotten, and told anew, after HEADLOG_STEPS differences a series (as a mean of all), and by whoever drops records (the
 * log is trimmed, a commit failed). Bytes (little-endian, v = varint, z = zigzag varint):
 *
 *   0   u32 CRC-32C of all bytes from 4 on
 *   4   u8 kind: 1 controls, extras; 2 a zstd frame of them
 *   5   u32 check of the widths told before; 0: none, and bases and widths begin anew with this record
 *   9   v number of items, v bytes of extras, v bytes of bits
 *   ..  bits
 *   ..  controls (a byte per item) and extras, plain or compressed
 *
 *   control  bits 0-1 series: 0 the next id, 1 the same, 2 extras: z id difference
 *            bits 2-3 time:   0 the same, 1 extras: z difference to the time before, 2 the last difference again
 *            bits 4-6 value:  0 the base; 1 above it, 2 below it, bits: difference; 3 extras: z integer difference to the base;
 *                             4 extras: z integer, u8 width; 5 extras: 8 bytes, u8 width; 6 extras: 8 bytes
 *            bit 7            extras: z (time - start time)
 *   Extras of an item stand in this order. "Before" is the item before; the first one compares with id -1, time 0, difference 0.
 *   difference  of width w: (difference - 1) >> w ones, a zero, the w low bits of (difference - 1); least significant bit first. A
 *               width of 63 is unknown: differences of that series are extras.
 *   check       32 bits of ((check ^ id << 6 ^ width) * 0x9e3779b1) | 1 for each width told, in order */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/metric/sample.h"

#define HEADLOG_STEPS 127u

struct headlog_bases {
    uint64_t *bits;
    uint32_t *marks; /* age << 12 | width to be told next << 6 | width; of another age: there is no base */
    uint32_t cap, age;
    uint32_t told;          /* check of the widths */
    uint64_t series, items; /* told since they were forgotten; the writer's */
};
void headlog_bases_init(struct headlog_bases *b);
void headlog_bases_done(struct headlog_bases *b);
void headlog_bases_forget(struct headlog_bases *b);
/* The reader's: a record could not be read. The widths stand until a record's check says otherwise. */
void headlog_bases_lose(struct headlog_bases *b);

struct headlog_stream {
    uint8_t *data;
    size_t n, cap;
};
struct headlog_writer {
    struct headlog_stream controls, extras, bits;
    uint64_t pending; /* bits that are no whole byte yet */
    unsigned n_pending;
    uint32_t id, told;
    uint64_t t, step; /* of the item before */
    struct ZSTD_CCtx_s *compressor;
    struct buf record;
    int error;
};
MUST_USE int headlog_init(struct headlog_writer *w); /* -ENOMEM */
void headlog_done(struct headlog_writer *w);
void headlog_begin(struct headlog_writer *w, struct headlog_bases *bases);
void headlog_add(struct headlog_writer *w, struct headlog_bases *bases, uint32_t id, const struct sample *s);
size_t headlog_count(const struct headlog_writer *w);
/* Bytes used so far, to end a record that grows large. */
size_t headlog_bytes(const struct headlog_writer *w);
/* -ENOMEM of any call since begin. */
MUST_USE int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n);

struct headlog_reader {
    const uint8_t *control, *controls_end, *extra, *extras_end;
    const uint8_t *bits;
    size_t bit, n_bits; /* from `bits` on */
    uint32_t id;
    uint64_t t, step;
    uint64_t unreadable; /* samples of the record that were told by a lost record's widths */
    struct ZSTD_DCtx_s *decompressor;
    struct buf plain;
};
MUST_USE int headlog_reader_init(struct headlog_reader *rd); /* -ENOMEM */
void headlog_reader_done(struct headlog_reader *rd);
/* The bytes must stay until the record is read. */
MUST_USE int headlog_open(struct headlog_reader *rd, struct headlog_bases *bases, const uint8_t *bytes, size_t n);
/* 1 a sample, 2 one that is lost with its base (*ret_id is UINT32_MAX when not even its series is known), 0 the end, -EBADMSG, -ENOMEM. */
MUST_USE int headlog_next(struct headlog_reader *rd, struct headlog_bases *bases, uint32_t *ret_id, struct sample *ret);
