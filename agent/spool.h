/* spool.h - remote-write bodies that wait on disk while the collector is away: bounded, oldest dropped first.
 *
 *   r = spool_open("agent-data/spool-0", SPOOL_BYTES_MAX, &sp);
 *   r = spool_append(sp, body, n_samples);
 *   while (spool_peek(sp, &buf, &n_samples) > 0) { send; spool_pop(sp); }
 *   spool_close(sp);
 *
 * Segment files of up to 4 MiB (an eighth of the bound when that is less), named by number; a record is
 *     u32 body bytes | u32 samples | u32 crc32 of the body | body          (little endian)
 * A record is on its way to disk when spool_append returns (write, no fsync: survives kill -9, not a power cut). A torn last record is cut off
 * at open. The read position is kept in the file "position"; after a crash some records may be read twice, which a
 * receiver takes silently (equal duplicates). One thread. */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"

struct spool;
struct spool_counts {
    uint64_t bytes, records, dropped_samples, damaged_records;
};
/* -EBUSY: another process has it open. */
MUST_USE int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret);
void spool_close(struct spool *sp);
/* -ENOSPC, -EFBIG, -EIO: nothing was kept. Drops the oldest segment when over the bound (counted). */
MUST_USE int spool_append(struct spool *sp, struct span body, uint32_t samples);
/* 1 and the oldest record (replaces the buffer's content), 0 when empty. Damaged records are skipped and counted. */
MUST_USE int spool_peek(struct spool *sp, struct buf *body, uint32_t *ret_samples);
void spool_pop(struct spool *sp);
void spool_count(const struct spool *sp, struct spool_counts *ret);
