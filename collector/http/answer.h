/* answer.h - answers of any length with little memory: written piece by piece while the client takes them.
 *
 *   struct answer_source s = {.next = next_series, .done = free_it};
 *   answer_send(r, "application/json", &s, ctx);
 *
 * What ends within ANSWER_WHOLE_BYTES is sent at once, with its length and the ordinary compression. More is streamed: the
 * first pieces are written on the caller's thread, the others on the server's when there is room for them. What a source
 * holds meanwhile is counted against ANSWERS_BYTES_MAX. Private to the room. */
#pragma once

#include "collector/http/http.h"

struct answer_source {
    /* Append a piece (some KB); false: that was the last one, or out has an error, which cuts the answer. */
    bool (*next)(void *ctx, struct buf *out);
    void (*done)(void *ctx); /* exactly once; the request may be gone */
    size_t held_bytes;       /* about; while the answer is under way */
};
/* Sends 200. 503 when too much is held by answers that are under way, 422 when a piece cannot be written. */
void answer_send(struct httpd_request *r, struct http_room *room, const char *content_type,
                 const struct answer_source *source, void *ctx);
