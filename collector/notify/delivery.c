/* The loop that empties the delivery table. It keeps the rows' heads in memory, in order, and fetches a body when it is sent. A row
 * leaves the table after a 2xx was committed as a deletion; whatever stops us before that sends it again: at least once.
 *
 * Order: rows of one group go out one after the other, so a resolved never overtakes its firing. Other groups do not wait. When the
 * receiver as a whole fails (network, 429) nothing is sent until the pause is over, then one request at a time probes. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "collector/notify/notify_internal.h"
#include "collector/notify/notify_sql.h"
#include "lib/base/clock.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS 60000
#define RETRY_AFTER_MAX_MS (3600 * 1000) /* a receiver that asks for more is asked again after an hour */
#define SWEEP_MS 15000                   /* how late an alert may be timed out */
#define CLOCK_STEP_MS 5000
#define STOP_GRACE_MS 2000 /* for requests under way, so that they are not sent twice */
#define RELOAD_MS 1000     /* when state.db could not be read */
#define ERROR_BYTES 256

static void count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void state_failed(struct notify *n, const char *doing, int r)
{
    unsigned long hidden;
    count(&n->counters.state_errors);
    if (log_allow("notify state", 10000, &hidden))
        log_error("delivery state", "doing", "%s", doing, "error", "%s", strerror(-r), "repeated", "%lu", hidden);
}

/* ---- rows into memory ---- */
struct load {
    struct notify *notify;
    struct delivery_item *items;
    size_t n, cap;
    int64_t first_id; /* in the table; 0: it is empty */
};

MUST_USE static int load_row(struct load *l, struct db *db, int sql)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 16;
        struct delivery_item *more = reallocarray(l->items, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        l->items = more;
        l->cap = cap;
    }
    struct span group = db_text(db, sql, 1);
    l->items[l->n++] = (struct delivery_item){.id = db_i64(db, sql, 0),
                                              .group = hash_bytes(group.ptr, group.len, hash_seed()),
                                              .created_ms = db_i64(db, sql, 2),
                                              .next_ms = db_i64(db, sql, 3),
                                              .attempts = (uint32_t)db_i64(db, sql, 4)};
    return 0;
}

static int load_change(struct db *db, void *arg)
{
    struct load *l = arg;
    int sql = l->notify->base + NOTIFY_SQL_DELIVERY_AFTER, r;
    db_bind_i64(db, sql, 1, l->notify->last_id);
    while ((r = db_step(db, sql)) > 0) {
        r = load_row(l, db, sql);
        if (r < 0) {
            db_reset(db, sql);
            return r;
        }
    }
    if (r < 0)
        return r;
    sql = l->notify->base + NOTIFY_SQL_DELIVERY_FIRST;
    r = db_step(db, sql);
    l->first_id = r > 0 ? db_i64(db, sql, 0) : 0;
    db_reset(db, sql);
    return r < 0 ? r : 0;
}

static void item_end(struct notify *n, struct delivery_item *item)
{
    item->state = ITEM_GONE;
    n->n_gone++;
}

/* Forget what ended, once it is half of what we hold. */
static void compact(struct notify *n)
{
    if (n->n_gone * 2 <= n->n_items)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < n->n_items; i++)
        if (n->items[i].state != ITEM_GONE)
            n->items[kept++] = n->items[i];
    n->n_items = kept;
    n->n_gone = 0;
}

MUST_USE static int append(struct notify *n, const struct delivery_item *items, size_t count_new, int64_t now_ms)
{
    if (n->n_items + count_new > n->cap_items) {
        size_t cap = 2 * (n->n_items + count_new);
        struct delivery_item *more = reallocarray(n->items, cap, sizeof *more);
        if (!more)
            return -ENOMEM;
        n->items = more;
        n->cap_items = cap;
    }
    for (size_t i = 0; i < count_new; i++) {
        struct delivery_item *item = &n->items[n->n_items++];
        *item = items[i];
        if (item->next_ms > now_ms + RETRY_AFTER_MAX_MS) /* the clock was stepped back */
            item->next_ms = now_ms;
        n->last_id = item->id;
    }
    return 0;
}

/* Rows that came since the last time; those that were dropped as too many are forgotten. */
MUST_USE static int load_new(struct notify *n, int64_t now_ms)
{
    struct load l = {.notify = n};
    int r = state_run(n->state, load_change, &l);
    if (r == 0)
        r = append(n, l.items, l.n, now_ms);
    for (size_t i = 0; r == 0 && i < n->n_items; i++)
        if (n->items[i].state == ITEM_WAITING && l.first_id && n->items[i].id < l.first_id)
            item_end(n, &n->items[i]);
    free(l.items);
    return r;
}

/* ---- changes of a row, on their way while the loop goes on ---- */
struct row_change {
    struct notify *notify;
    int64_t id, next_ms;
    uint32_t attempts;
    bool delete_it;
    char error[ERROR_BYTES];
};

static int row_change(struct db *db, void *arg)
{
    struct row_change *c = arg;
    int sql = c->notify->base + (c->delete_it ? NOTIFY_SQL_DELIVERY_DELETE : NOTIFY_SQL_DELIVERY_RETRY);
    db_bind_i64(db, sql, 1, c->id);
    if (!c->delete_it) {
        db_bind_i64(db, sql, 2, c->attempts);
        db_bind_i64(db, sql, 3, c->next_ms);
        db_bind_text(db, sql, 4, span_str(c->error));
    }
    return db_run(db, sql);
}

static void row_changed(void *arg, int result)
{
    struct row_change *c = arg;
    struct notify *n = c->notify;
    if (result < 0) /* the row stays as it was: sent again after a restart */
        state_failed(n, c->delete_it ? "deleting a delivered row" : "noting a retry", result);
    free(c);
    pthread_mutex_lock(&n->lock);
    if (--n->outstanding == 0)
        pthread_cond_signal(&n->idle);
    pthread_mutex_unlock(&n->lock);
}

static void change_row(struct notify *n, const struct row_change *change)
{
    struct row_change *c = malloc(sizeof *c);
    if (!c) {
        state_failed(n, "changing a row", -ENOMEM);
        return;
    }
    *c = *change;
    c->notify = n;
    pthread_mutex_lock(&n->lock);
    n->outstanding++;
    pthread_mutex_unlock(&n->lock);
    int r = state_submit(n->state, row_change, c, row_changed);
    if (r < 0)
        row_changed(c, r);
}

static void delete_row(struct notify *n, struct delivery_item *item)
{
    change_row(n, &(struct row_change){.id = item->id, .delete_it = true});
    item_end(n, item);
}

/* ---- answers ---- */
struct sending {
    struct notify *notify;
    int64_t id;
};

static struct delivery_item *find_item(struct notify *n, int64_t id)
{
    size_t low = 0, high = n->n_items;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->n_items && n->items[low].id == id ? &n->items[low] : NULL;
}

static void observe_latency(struct notify_counters *c, int64_t ms)
{
    ms = ms < 0 ? 0 : ms;
    size_t i = 0;
    while (i < LATENCY_BUCKETS && (double)ms / 1000 > NOTIFY_LATENCY_BOUNDS[i])
        i++;
    count(&c->latency_counts[i]);
    atomic_fetch_add_explicit(&c->latency_sum_us, (uint_least64_t)ms * 1000, memory_order_relaxed);
}

/* Exponential, half of it random so that senders do not march in step (xorshift64). */
static int64_t backoff_ms(struct notify *n, unsigned failures)
{
    unsigned doublings = failures > 8 ? 8 : failures > 0 ? failures - 1 : 0;
    int64_t ms = (int64_t)BACKOFF_FIRST_MS << doublings;
    ms = ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return ms / 2 + (int64_t)(n->random % (uint64_t)(ms / 2 + 1));
}

static void describe(char text[ERROR_BYTES], const struct http_response *response)
{
    if (response->error)
        (void)snprintf(text, ERROR_BYTES, "%s", response->error_text);
    else
        (void)snprintf(text, ERROR_BYTES, "status %d: %.160s", response->status,
                       response->body.data ? response->body.data : "");
}

static void retry_later(struct notify *n, struct delivery_item *item, const struct http_response *response)
{
    int64_t asked_ms = response->error ? -1 : http_retry_after_ms(response);
    bool everybody = response->error != 0 || response->status == 429 || asked_ms >= 0;
    item->attempts++;
    n->failures++;
    int64_t wait_ms = backoff_ms(n, everybody ? n->failures : item->attempts);
    if (asked_ms > wait_ms)
        wait_ms = asked_ms < RETRY_AFTER_MAX_MS ? asked_ms : RETRY_AFTER_MAX_MS;
    if (everybody)
        n->pause_until_us = mono_us() + wait_ms * 1000;
    item->next_ms = unix_ms() + wait_ms;
    item->state = ITEM_WAITING;
    count(&n->counters.retries);
    struct row_change change = {.id = item->id, .next_ms = item->next_ms, .attempts = item->attempts};
    describe(change.error, response);
    unsigned long hidden;
    if (log_allow("notify retry", 10000, &hidden))
        log_warn("notification not accepted, will be sent again", "error", "%s", change.error, "attempt", "%u",
                 item->attempts, "in_ms", "%lld", (long long)wait_ms, "repeated", "%lu", hidden);
    change_row(n, &change);
}

static void refused(struct notify *n, struct delivery_item *item, const struct http_response *response)
{
    char why[ERROR_BYTES];
    describe(why, response);
    log_error("notification refused for good, dropped", "error", "%s", why);
    count(&n->counters.outcomes[NOTIFY_REFUSED]);
    n->failures = 0;
    delete_row(n, item);
}

static void answered(void *ctx, struct http_response *response)
{
    struct sending *s = ctx;
    struct notify *n = s->notify;
    struct delivery_item *item = find_item(n, s->id);
    free(s);
    atomic_fetch_sub_explicit(&n->counters.in_flight, 1, memory_order_relaxed);
    if (!item || response->error == -ECANCELED) /* we stop: the row stays */
        return;
    if (response->error || response->status == 429 || response->status >= 500) {
        retry_later(n, item, response);
    } else if (response->status >= 200 && response->status < 300) {
        n->failures = 0;
        count(&n->counters.outcomes[NOTIFY_DELIVERED]);
        observe_latency(&n->counters, unix_ms() - item->created_ms);
        delete_row(n, item);
    } else {
        refused(n, item, response);
    }
}

/* ---- sending ---- */
struct fetch {
    int sql;
    int64_t ids[DELIVERY_INFLIGHT_MAX];
    char *bodies[DELIVERY_INFLIGHT_MAX]; /* NULL: the row is not there any more */
    size_t lengths[DELIVERY_INFLIGHT_MAX], n;
};

static int fetch_change(struct db *db, void *arg)
{
    struct fetch *f = arg;
    for (size_t i = 0; i < f->n; i++) {
        db_bind_i64(db, f->sql, 1, f->ids[i]);
        int r = db_step(db, f->sql);
        if (r > 0) {
            struct span body = db_text(db, f->sql, 0);
            f->lengths[i] = body.len;
            f->bodies[i] = span_dup(body);
            db_reset(db, f->sql);
            if (!f->bodies[i])
                return -ENOMEM;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static void send_one(struct notify *n, struct delivery_item *item, struct span body)
{
    const char *const headers[] = {"Content-Type: application/json", n->user_agent, NULL};
    struct http_request request = {.method = "POST",
                                   .url = n->url,
                                   .headers = headers,
                                   .body = body,
                                   .timeout_ms = n->timeout_ms,
                                   .body_bytes_max = 65536};
    struct sending *s = malloc(sizeof *s);
    int r = s ? 0 : -ENOMEM;
    if (s) {
        *s = (struct sending){n, item->id};
        uint64_t id;
        r = http_send(n->client, &request, answered, s, &id);
    }
    if (r < 0) { /* out of memory or descriptors: later */
        free(s);
        item->next_ms = unix_ms() + BACKOFF_FIRST_MS;
        state_failed(n, "starting a request", r);
        return;
    }
    item->state = ITEM_SENDING;
    count(&n->counters.attempts);
    atomic_fetch_add_explicit(&n->counters.in_flight, 1, memory_order_relaxed);
}

MUST_USE static int send_batch(struct notify *n, struct fetch *f)
{
    f->sql = n->base + NOTIFY_SQL_DELIVERY_BODY;
    int r = state_run(n->state, fetch_change, f);
    for (size_t i = 0; i < f->n; i++) {
        struct delivery_item *item = find_item(n, f->ids[i]);
        if (r == 0 && f->bodies[i])
            send_one(n, item, span_of(f->bodies[i], f->lengths[i]));
        else if (r == 0)
            item_end(n, item); /* dropped as one too many */
        free(f->bodies[i]);
    }
    return r;
}

/* The groups that a scan has met: their later rows must wait. Open addressing; 0 stands for an empty slot. */
struct group_set {
    uint64_t *slots;
    size_t mask;
};
static bool group_add(struct group_set *set, uint64_t group)
{
    group = group ? group : 1;
    for (size_t at = group & set->mask;; at = (at + 1) & set->mask) {
        if (set->slots[at] == group)
            return false;
        if (set->slots[at] == 0) {
            set->slots[at] = group;
            return true;
        }
    }
}

static size_t allowed_in_flight(const struct notify *n, int64_t now_us)
{
    if (!n->url || now_us < n->pause_until_us)
        return 0;
    return n->failures ? 1 : DELIVERY_INFLIGHT_MAX;
}

/* Pick the first row of each group that is due. *ret_wait_ms: when the next one is, -1 for none. */
MUST_USE static int pick(struct notify *n, int64_t now_ms, size_t room, struct fetch *f, int64_t *ret_wait_ms)
{
    size_t cap = 16;
    while (cap < 2 * n->n_items)
        cap *= 2;
    AUTO_FREE uint64_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    struct group_set set = {slots, cap - 1};
    for (size_t i = 0; i < n->n_items && f->n < room; i++) {
        struct delivery_item *item = &n->items[i];
        if (item->state == ITEM_GONE)
            continue;
        if (item->state == ITEM_WAITING && item->created_ms + n->expire_ms <= now_ms) {
            count(&n->counters.outcomes[NOTIFY_EXPIRED]);
            log_error("notification given up, no receiver took it in time", "age_s", "%lld",
                      (long long)(now_ms - item->created_ms) / 1000, "attempts", "%u", item->attempts);
            delete_row(n, item);
            continue;
        }
        if (!group_add(&set, item->group) || item->state == ITEM_SENDING)
            continue;
        if (item->next_ms <= now_ms)
            f->ids[f->n++] = item->id;
        else if (*ret_wait_ms < 0 || item->next_ms - now_ms < *ret_wait_ms)
            *ret_wait_ms = item->next_ms - now_ms;
    }
    return 0;
}

/* Returns ms until there may be more to do, -1 for "when something happens". */
static int64_t send_due(struct notify *n, int64_t now_ms)
{
    int64_t now_us = mono_us(), wait_ms = -1;
    size_t busy = http_client_pending(n->client), allowed = allowed_in_flight(n, now_us);
    if (n->n_items == n->n_gone)
        return -1;
    if (allowed > busy) {
        struct fetch f = {0};
        int r = pick(n, now_ms, allowed - busy, &f, &wait_ms);
        if (r == 0 && f.n)
            r = send_batch(n, &f);
        if (r < 0) {
            state_failed(n, "sending", r);
            return RELOAD_MS;
        }
    } else if (now_us < n->pause_until_us) {
        wait_ms = (n->pause_until_us - now_us) / 1000 + 1;
    }
    return wait_ms;
}

/* ---- the loop ---- */

/* What the old receiver asked for or failed to do says nothing of the new one: rows that wait are due now. */
static void take_url(struct notify *n, int64_t now_ms)
{
    pthread_mutex_lock(&n->lock);
    bool changed = n->url_changed;
    if (changed) {
        free(n->url);
        n->url = n->new_url;
        n->new_url = NULL;
        n->url_changed = false;
    }
    pthread_mutex_unlock(&n->lock);
    if (!changed)
        return;
    n->pause_until_us = 0;
    n->failures = 0;
    for (size_t i = 0; i < n->n_items; i++)
        if (n->items[i].state == ITEM_WAITING && n->items[i].next_ms > now_ms)
            n->items[i].next_ms = now_ms;
}

/* Time out alerts of which the rules speak no more, unless it was the clock or the machine that slept. */
static void sweep(struct notify *n, int64_t now_ms, int64_t now_us)
{
    if (n->swept_mono_us && now_us - n->swept_mono_us < SWEEP_MS * 1000)
        return;
    int64_t step_ms = (now_ms - n->swept_wall_ms) - (now_us - n->swept_mono_us) / 1000;
    bool first = n->swept_mono_us == 0, stepped = step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS;
    size_t found = 0;
    int r;
    if (first || stepped) {
        r = notify_extend_all(n, now_ms);
    } else {
        do {
            r = notify_time_out(n, now_ms, &found);
            if (r == 0 && found)
                n->loaded = false; /* there are new rows */
        } while (r == 0 && found);
    }
    if (r < 0) {
        state_failed(n, "timing alerts out", r);
        return; /* again at the next turn */
    }
    n->swept_wall_ms = now_ms;
    n->swept_mono_us = now_us;
}

static void publish(struct notify *n)
{
    int64_t oldest_ms = 0;
    for (size_t i = 0; i < n->n_items && !oldest_ms; i++)
        if (n->items[i].state != ITEM_GONE)
            oldest_ms = n->items[i].created_ms;
    atomic_store_explicit(&n->counters.queued, n->n_items - n->n_gone, memory_order_relaxed);
    atomic_store_explicit(&n->counters.oldest_ms, oldest_ms, memory_order_relaxed);
}

/* Sleep until woken, an answer moves, or max_ms passed. */
static void wait_for_news(struct notify *n, int64_t max_ms)
{
    struct pollfd fds[] = {{.fd = n->wake_fd, .events = POLLIN}, {.fd = http_client_fd(n->client), .events = POLLIN}};
    int64_t http_ms = http_client_timeout_ms(n->client), ms = max_ms < SWEEP_MS ? max_ms : SWEEP_MS;
    if (http_ms >= 0 && http_ms < ms)
        ms = http_ms;
    if (poll(fds, ARRAY_LEN(fds), (int)ms) > 0 && fds[0].revents) {
        eventfd_t value;
        (void)eventfd_read(n->wake_fd, &value);
        n->loaded = false;
    }
    http_client_step(n->client);
}

static void finish_sending(struct notify *n)
{
    int64_t end_us = mono_us() + STOP_GRACE_MS * 1000;
    while (http_client_pending(n->client) && mono_us() < end_us)
        wait_for_news(n, 100);
}

void notify_loop(void *arg)
{
    struct notify *n = arg;
    while (!atomic_load(&n->stopping)) {
        int64_t now_ms = unix_ms(), wait_ms = SWEEP_MS;
        take_url(n, now_ms);
        sweep(n, now_ms, mono_us());
        if (!n->loaded) {
            int r = load_new(n, now_ms);
            n->loaded = r == 0;
            if (r < 0) {
                state_failed(n, "reading rows", r);
                wait_ms = RELOAD_MS;
            }
        }
        int64_t due_ms = send_due(n, now_ms);
        if (due_ms >= 0 && due_ms < wait_ms)
            wait_ms = due_ms;
        compact(n);
        publish(n);
        wait_for_news(n, wait_ms);
    }
    finish_sending(n);
}
