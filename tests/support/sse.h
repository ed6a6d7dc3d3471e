/* sse.h - a client of the live stream over a plain socket, and samples to feed a collector with.
 *
 *   struct sse *s = sse_open(e2e_port(collector), NULL, 200);    // or a Last-Event-ID
 *   struct sse_event e;
 *   while (sse_next(s, 2000, &e)) ...                            // e.event, e.id, e.data: until the next call
 *   sse_close(s);
 *
 *   struct feed *f = feed_new();
 *   feed_add(f, 1, now_ms, "__name__", "up", "job", "shop", NULL);
 *   feed_send(f, collector);                                     // remote write; acknowledged when it returns; frees f */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"
#include "tests/support/e2e.h"

struct sse {
    int fd;
    bool ended;
    struct buf raw, text; /* chunks as they come; the body so far */
    size_t used;          /* of text, by the event that sse_next gave last */
    char event[32], id[64];
};
struct sse_event {
    const char *event, *id; /* "" when there is none */
    struct span data;
};
/* NULL when the status is another than 200 and expected_status says so. Fails the test otherwise. */
struct sse *sse_open(uint16_t port, const char *last_id, int expected_status);
/* false: none within timeout_ms times check_patience(), or the stream has ended. */
bool sse_next(struct sse *s, int64_t timeout_ms, struct sse_event *ret);
void sse_close(struct sse *s);

struct feed;
struct feed *feed_new(void);
void feed_add(struct feed *f, double value, int64_t t_ms, ...) __attribute__((sentinel)); /* label names and values */
void feed_send(struct feed *f, const struct e2e_program *collector);
