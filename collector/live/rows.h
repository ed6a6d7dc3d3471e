/* rows.h - the rows of one section as bytes: collected from a source, compared with the ones before, cut to fit a frame.
 *
 *   rows_begin(rows, now_ms, clients);
 *   r = source->render(ctx, rows);
 *   r = rows_end(rows);                    // sorted by key, each key once
 *   rows_choose(rows, before, rows_max, bytes_max);
 *   rows_write_changes(rows, before, out); // "key":{…},… of what is new or different in frames
 *
 * A row is kept as the JSON text of its place in a frame: "key":value. Private to the room. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/wire/json.h"

struct row {
    size_t at;        /* of "key":value in bytes */
    uint32_t key_len; /* quotes included */
    uint32_t len;     /* of all of it */
    double rank;
    bool shown; /* in frames */
    bool was_shown;
};
struct frame_rows {
    struct buf bytes;
    struct buf nowhere; /* takes what is over the limit */
    struct row *rows;
    size_t n, cap, over; /* over: rows that the limit left out */
    size_t shown, shown_bytes;
    struct json_writer writer;
    bool open; /* the last row's value is being written */
    int64_t now_ms;
    unsigned clients;
    int error;
};
void rows_init(struct frame_rows *rows);
void rows_done(struct frame_rows *rows);
void rows_begin(struct frame_rows *rows, int64_t now_ms, unsigned clients);
/* -ENOMEM; -ENOSPC: over LIVE_SECTION_BYTES_MAX. */
MUST_USE int rows_end(struct frame_rows *rows);
/* Bytes in a frame of the first rows_max rows by rank (0: all). */
size_t rows_wanted_bytes(struct frame_rows *rows, const struct frame_rows *before, size_t rows_max);
/* Decide which rows are in frames: by rank, at most rows_max (0: all) and bytes_max. Of equal rank those that were. */
void rows_choose(struct frame_rows *rows, const struct frame_rows *before, size_t rows_max, size_t bytes_max);
/* How many rows frames do not have. */
size_t rows_more(const struct frame_rows *rows);
/* Each writes members, comma-separated, and returns how many. */
size_t rows_write_changes(const struct frame_rows *rows, const struct frame_rows *before, struct buf *out);
size_t rows_write_removed(const struct frame_rows *rows, const struct frame_rows *before, struct buf *out); /* keys */
size_t rows_write_all(const struct frame_rows *rows, bool shown_only, struct buf *out);
