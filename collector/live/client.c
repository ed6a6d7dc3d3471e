/* Clients: who listens, and what each gets next. A client takes frames at its own pace from what all share. */
#include <errno.h>

#include "collector/live/live_internal.h"
#include "lib/base/log.h"
#include "lib/base/number.h"

void frame_unref_locked(struct frame *f)
{
    if (f && --f->refs == 0)
        free(f);
}

static struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

/* ---- joining and leaving ---- */
static uintptr_t address_count(const struct live *l, const char *address)
{
    return (uintptr_t)strmap_get(&l->per_address, span_str(address));
}

/* What the client has seen, from EPOCH-SEQ; false: nothing that helps. */
static bool known_seq(const struct live *l, struct span last_id, uint64_t *ret_seq)
{
    size_t n = strlen(l->epoch);
    uint64_t seq;
    if (!span_starts(last_id, span_str(l->epoch)) || last_id.len <= n || last_id.ptr[n] != '-' ||
        parse_u64_span(span_from(last_id, n + 1), UINT64_MAX, &seq) < 0)
        return false;
    if (seq > l->head || l->head - seq > LIVE_RING)
        return false;
    *ret_seq = seq;
    return true;
}

MUST_USE static int admit_locked(struct live *l, const char *address)
{
    uintptr_t n = address_count(l, address);
    if (l->n_clients >= l->config.clients_max) {
        atomic_fetch_add_explicit(&l->refused_full, 1, memory_order_relaxed);
        return LIVE_REFUSED_FULL;
    }
    if (n >= l->config.clients_per_address_max) {
        atomic_fetch_add_explicit(&l->refused_address, 1, memory_order_relaxed);
        return LIVE_REFUSED_ADDRESS;
    }
    return strmap_put(&l->per_address, span_str(address), (void *)(n + 1));
}

static void link_locked(struct live *l, struct live_client *c)
{
    c->next = l->clients;
    if (c->next)
        c->next->prev = c;
    l->clients = c;
    l->n_clients++;
    atomic_store_explicit(&l->clients_now, l->n_clients, memory_order_relaxed);
    l->woken = true; /* rendering goes on, if it was idle */
    pthread_cond_signal(&l->wake);
}

int live_join(struct live *l, const char *address, struct span last_id, struct live_client **ret)
{
    struct live_client *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->live = l;
    snprintf(c->address, sizeof c->address, "%s", address);
    pthread_mutex_lock(&l->lock);
    int r = admit_locked(l, c->address);
    if (r == 0) {
        c->needs_snapshot = !known_seq(l, last_id, &c->seq);
        c->beat = l->n_beats;
        c->frame = frame_ref(l->hello);
        link_locked(l, c);
    }
    pthread_mutex_unlock(&l->lock);
    if (r != 0) {
        free(c);
        return r;
    }
    *ret = c;
    return 0;
}

void live_on_wake(struct live_client *c, void (*wake)(void *ctx), void *ctx)
{
    struct live *l = c->live;
    pthread_mutex_lock(&l->lock);
    c->wake = wake;
    c->wake_ctx = ctx;
    pthread_mutex_unlock(&l->lock);
}

void live_leave(struct live_client *c)
{
    struct live *l = c->live;
    pthread_mutex_lock(&l->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        l->clients = c->next;
    if (c->next)
        c->next->prev = c->prev;
    l->n_clients--;
    atomic_store_explicit(&l->clients_now, l->n_clients, memory_order_relaxed);
    uintptr_t n = address_count(l, c->address) - 1;
    if (n == 0)
        (void)strmap_remove(&l->per_address, span_str(c->address));
    else if (strmap_put(&l->per_address, span_str(c->address), (void *)n) < 0)
        log_warn("a stream client stays counted", "peer", "%s", c->address); /* never: replacing needs no memory */
    frame_unref_locked(c->frame);
    pthread_mutex_unlock(&l->lock);
    free(c);
}

void clients_wake_locked(struct live *l)
{
    for (struct live_client *c = l->clients; c; c = c->next)
        if (c->wake)
            c->wake(c->wake_ctx);
}

/* ---- reading ---- */

/* A snapshot that the deltas of the ring continue; else one is asked for, and comes with a wake. */
static struct frame *snapshot_locked(struct live *l, struct live_client *c)
{
    struct frame *s = l->snapshot;
    if (!s || l->head - s->seq > LIVE_RING) {
        l->snapshot_asked = l->woken = true;
        pthread_cond_signal(&l->wake);
        return NULL;
    }
    c->needs_snapshot = false;
    c->seq = s->seq;
    return frame_ref(s);
}

static struct frame *next_locked(struct live *l, struct live_client *c)
{
    if (!c->needs_snapshot && l->head - c->seq > LIVE_RING) {
        c->needs_snapshot = true;
        atomic_fetch_add_explicit(&l->slow, 1, memory_order_relaxed);
    }
    struct frame *f = NULL;
    if (c->needs_snapshot) {
        f = snapshot_locked(l, c);
    } else if (c->seq < l->head) {
        c->seq++;
        f = frame_ref(l->ring[c->seq % LIVE_RING]);
    } else if (c->beat < l->n_beats) {
        f = frame_ref(l->beat);
    }
    if (f)
        c->beat = l->n_beats;
    return f;
}

ssize_t live_read(struct live_client *c, char *at, size_t max)
{
    struct live *l = c->live;
    size_t n = 0;
    while (n < max) {
        if (!c->frame || c->at == c->frame->len) {
            pthread_mutex_lock(&l->lock);
            frame_unref_locked(c->frame);
            c->frame = next_locked(l, c);
            pthread_mutex_unlock(&l->lock);
            c->at = 0;
            if (!c->frame)
                break;
        }
        size_t left = c->frame->len - c->at, piece = left < max - n ? left : max - n;
        memcpy(at + n, c->frame->bytes + c->at, piece);
        c->at += piece;
        n += piece;
    }
    atomic_fetch_add_explicit(&l->sent_bytes, n, memory_order_relaxed);
    return (ssize_t)n;
}
