#include "collector/query/fair_queue.h"

#include <assert.h>
#include <errno.h>

struct fair_origin {
    struct fair_entry *first, *last;
    struct fair_origin *before, *behind; /* the ring of turns */
    size_t key_bytes;
    char key[];
};

void fair_queue_init(struct fair_queue *q, size_t max)
{
    *q = (struct fair_queue){.max = max};
    strmap_init(&q->origins, max);
}

void fair_queue_done(struct fair_queue *q)
{
    assert(q->n == 0);
    strmap_done(&q->origins);
}

/* A new origin takes its place at the end of the round: right before whose turn it is. */
MUST_USE static int origin_new(struct fair_queue *q, struct span key, struct fair_origin **ret)
{
    struct fair_origin *o = malloc(sizeof *o + key.len + 1);
    if (!o)
        return -ENOMEM;
    *o = (struct fair_origin){.key_bytes = key.len};
    if (key.len)
        memcpy(o->key, key.ptr, key.len);
    int r = strmap_put(&q->origins, key, o);
    if (r < 0) {
        free(o);
        return r == -ENOSPC ? -EAGAIN : r;
    }
    if (q->turn) {
        o->behind = q->turn;
        o->before = q->turn->before;
        o->before->behind = o;
        o->behind->before = o;
    } else {
        q->turn = o->before = o->behind = o;
    }
    *ret = o;
    return 0;
}

static void origin_free(struct fair_queue *q, struct fair_origin *o)
{
    if (q->turn == o)
        q->turn = o->behind == o ? NULL : o->behind;
    o->before->behind = o->behind;
    o->behind->before = o->before;
    strmap_remove(&q->origins, span_of(o->key, o->key_bytes));
    free(o);
}

int fair_queue_push(struct fair_queue *q, struct span origin, struct fair_entry *e)
{
    if (q->n >= q->max)
        return -EAGAIN;
    struct fair_origin *o = strmap_get(&q->origins, origin);
    int r = o ? 0 : origin_new(q, origin, &o);
    if (r < 0)
        return r;
    *e = (struct fair_entry){.origin = o, .before = o->last};
    if (o->last)
        o->last->behind = e;
    else
        o->first = e;
    o->last = e;
    q->n++;
    return 0;
}

void fair_queue_remove(struct fair_queue *q, struct fair_entry *e)
{
    struct fair_origin *o = e->origin;
    if (!o)
        return;
    if (e->before)
        e->before->behind = e->behind;
    else
        o->first = e->behind;
    if (e->behind)
        e->behind->before = e->before;
    else
        o->last = e->before;
    *e = (struct fair_entry){0};
    q->n--;
    if (!o->first)
        origin_free(q, o);
}

struct fair_entry *fair_queue_pop(struct fair_queue *q)
{
    struct fair_origin *o = q->turn;
    if (!o)
        return NULL;
    struct fair_entry *e = o->first;
    q->turn = o->behind;
    fair_queue_remove(q, e);
    return e;
}
