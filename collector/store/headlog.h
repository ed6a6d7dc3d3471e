/* headlog.h - one record of the head's log: the samples of one commit, as one BLOB of the table headlog.
 *
 *   struct headlog_writer w;
 *   headlog_init(&w);
 *   headlog_begin(&w);
 *   headlog_add(&w, id, &sample);                       // accepted samples in order; errors stick
 *   r = headlog_end(&w, &bytes, &n);                     // valid until the next begin
 *
 *   r = headlog_open(&rd, bytes, n);                      // -EBADMSG: damaged
 *   while ((r = headlog_next(&rd, &id, &sample)) > 0) ...
 *
 * A record stands for itself (no state from earlier ones), so a damaged one costs its own samples only. Bytes
 * (little-endian, v = varint, z = zigzag varint):
 *
 *   0   u32 CRC-32C of all bytes from 4 on
 *   4   u8 1 (kind: float samples)
 *   5   v number of items, then each
 *         u8 control: bits 0-1 series: 0 the next id, 1 the same, 2 z id difference follows
 *                     bits 2-3 time:   0 the same, 1 z difference to the time before follows, 2 the last difference again
 *                     bits 4-5 value:  0 the same bits, 1 z integer follows, 2 8 bytes follow, 3 z integer difference follows
 *                     bit 6            z (time - start time) follows
 *   "Before" is the item before; the first one compares with id -1, time 0, difference 0, value 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/metric/sample.h"

struct headlog_state {
    uint32_t id;
    uint64_t t, step, bits;
    int64_t integer; /* of bits, when is_integer */
    bool is_integer;
};
struct headlog_writer {
    uint8_t *data;
    size_t n, cap;
    uint64_t count;
    struct headlog_state before;
    int error;
};
void headlog_init(struct headlog_writer *w);
void headlog_done(struct headlog_writer *w);
void headlog_begin(struct headlog_writer *w);
void headlog_add(struct headlog_writer *w, uint32_t id, const struct sample *s);
/* Bytes used so far, to end a record that grows large. */
size_t headlog_bytes(const struct headlog_writer *w);
/* -ENOMEM of any call since begin. */
MUST_USE int headlog_end(struct headlog_writer *w, const uint8_t **ret_bytes, size_t *ret_n);

struct headlog_reader {
    const uint8_t *at, *end;
    uint64_t left;
    struct headlog_state before;
};
MUST_USE int headlog_open(struct headlog_reader *rd, const uint8_t *bytes, size_t n);
/* 1 a sample, 0 the end, -EBADMSG. */
MUST_USE int headlog_next(struct headlog_reader *rd, uint32_t *ret_id, struct sample *ret);
