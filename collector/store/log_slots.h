/* log_slots.h - where the head's log stands in the file: rows of the table headlog that are written over again and again.
 *
 *   log_slots_init(&ls);
 *   r = log_slots_load(&ls, db, trimmed, take, ctx);     // at start: gives the records that are not sealed yet, in order
 *   r = log_slots_put(&ls, db, seq, record, n);          // within a transaction; then
 *   log_slots_keep(&ls);                                 // it is committed, or log_slots_undo(&ls)
 *   r = log_slots_trim(&ls, db, seq);                    // within a transaction: records up to seq are sealed; then
 *   log_slots_trimmed(&ls, seq);                         // it is committed
 *
 * A row has one of a few fixed sizes, so that SQLite overwrites its pages in place: a commit writes the pages that its record takes and
 * no others, while new rows would cost the page above, the free list's and the first. A slot (little-endian):
 *
 *   slot   := frames, then zeros to its end
 *   frame  := u64 seq, u32 bytes of the record, u32 CRC-32C of these 12 bytes, record (headlog.h)
 *
 * The column seq is the first frame's. Slots whose seq is not above meta's `log_trimmed` are free. Small records share a slot as long as
 * there is room; none of those before a trim does with one behind it. */
#pragma once

#include <stdint.h>

#include "lib/base/span.h"
#include "lib/db/db.h"

#define LOG_SLOT_CLASSES 40u

struct log_slot;
struct log_slots {
    struct log_slot *first, *last;           /* in use, in order of their records */
    struct log_slot *free[LOG_SLOT_CLASSES]; /* by size */
    int64_t next_id;
    uint8_t *bytes; /* of the last one, while there may be room in it */
    size_t cap, used;
    bool open; /* the next record may go into the last slot */
    struct log_slot *fresh;
    bool pending, was_open; /* put and not kept yet */
    size_t was_used;
    int64_t was_seq;
};
void log_slots_init(struct log_slots *ls);
void log_slots_done(struct log_slots *ls);
/* damaged: a record, or several of a slot, cannot be read (record is empty then); the others go on. The bytes are the callback's
 * until it returns. Its negative result ends the loading. */
typedef int (*log_slots_take)(void *ctx, int64_t seq, struct span record, bool damaged);
MUST_USE int log_slots_load(struct log_slots *ls, struct db *db, int64_t trimmed, log_slots_take take, void *ctx);
/* -ENOMEM, or the file's error. *ret_bytes: what it adds to the log of the file, roughly. */
MUST_USE int log_slots_put(struct log_slots *ls, struct db *db, int64_t seq, const uint8_t *record, size_t n,
                           size_t *ret_bytes);
void log_slots_keep(struct log_slots *ls);
void log_slots_undo(struct log_slots *ls);
/* The next record begins a slot of its own: those so far can be trimmed without it. */
void log_slots_close(struct log_slots *ls);
/* Deletes free slots beyond as many as were in use. */
MUST_USE int log_slots_trim(struct log_slots *ls, struct db *db, int64_t seq);
void log_slots_trimmed(struct log_slots *ls, int64_t seq);
size_t log_slots_pages(const struct log_slots *ls); /* of all, free ones too */
/* At the end: all of them, when none is in use. */
MUST_USE int log_slots_drop(struct log_slots *ls, struct db *db);

/* Cut the next frame off a slot's bytes; 1, 0: no more, -EBADMSG: what stands there is damaged, the next call goes on behind it. The record
 * is not checked. */
MUST_USE int log_frame_next(struct span *slot, int64_t *ret_seq, struct span *ret_record);
