#include "collector/event/events.h"

#include <errno.h>
#include <pthread.h>

#include "collector/event/events_sql.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define OVER_SHOWN_MS (24 * 3600000ll)

const struct state_room EVENTS_STATE_ROOM = {"events", EVENTS_SQL, EVENTS_SQL_N, EVENTS_MIGRATIONS};

struct events {
    struct state *state;
    struct store *store;
    int base;
    pthread_mutex_t lock; /* over what follows */
    struct event *list[EVENTS_MAX];
    size_t n;
    uint64_t version;
};

static const char *const PINNED[] = {"commerce:", "commerce_", "ALERTS", "up", NULL};

/* ---- in memory ---- */

MUST_USE static int pin(struct events *ev)
{
    if (!ev->store)
        return 0;
    pthread_mutex_lock(&ev->lock);
    struct store_pin *pins = calloc(ev->n + 1, sizeof *pins);
    size_t n = ev->n;
    for (size_t i = 0; pins && i < n; i++) /* a day before doors open: warm-up, and what counters began with */
        pins[i] = (struct store_pin){ev->list[i]->starts_ms - 24 * 3600000ll, ev->list[i]->ends_ms, PINNED};
    pthread_mutex_unlock(&ev->lock);
    int r = pins ? store_set_pins(ev->store, pins, n) : -ENOMEM;
    free(pins);
    return r;
}

static size_t find(const struct events *ev, struct span name)
{
    size_t i = 0;
    while (i < ev->n && !span_equal(name, span_str(ev->list[i]->name)))
        i++;
    return i;
}

static void take_out(struct events *ev, size_t at)
{
    if (at == ev->n)
        return;
    event_free(ev->list[at]);
    memmove(&ev->list[at], &ev->list[at + 1], (ev->n - at - 1) * sizeof ev->list[0]);
    ev->n--;
}

/* Takes e, by doors open and name. Room was checked. */
static void put_in(struct events *ev, struct event *e)
{
    pthread_mutex_lock(&ev->lock);
    take_out(ev, find(ev, span_str(e->name)));
    size_t at = ev->n++;
    while (at > 0 && (ev->list[at - 1]->starts_ms > e->starts_ms ||
                      (ev->list[at - 1]->starts_ms == e->starts_ms && strcmp(ev->list[at - 1]->name, e->name) > 0))) {
        ev->list[at] = ev->list[at - 1];
        at--;
    }
    ev->list[at] = e;
    ev->version++;
    pthread_mutex_unlock(&ev->lock);
}

/* ---- the table ---- */

static char *text_of(struct db *db, int sql, int column, bool *ok)
{
    if (db_is_null(db, sql, column))
        return NULL;
    char *copy = span_dup(db_text(db, sql, column));
    *ok = *ok && copy;
    return copy;
}

static int load_change(struct db *db, void *arg)
{
    struct events *ev = arg;
    int sql = ev->base + EVENTS_SQL_ALL, r;
    while ((r = db_step(db, sql)) > 0) {
        bool ok = true;
        struct event_source s = {.file = text_of(db, sql, 3, &ok),
                                 .text = text_of(db, sql, 4, &ok),
                                 .plan_file = text_of(db, sql, 5, &ok),
                                 .plan_text = text_of(db, sql, 6, &ok),
                                 .last_file = text_of(db, sql, 7, &ok),
                                 .last_text = text_of(db, sql, 8, &ok),
                                 .starts = text_of(db, sql, 9, &ok),
                                 .length = text_of(db, sql, 10, &ok)};
        struct problems problems;
        struct event *e = NULL;
        problems_init(&problems);
        int failed = ok ? event_read(&s, &e, &problems) : -ENOMEM;
        if (failed == 0 && ev->n < EVENTS_MAX)
            put_in(ev, e);
        else
            log_error("a stored event cannot be read and is left out", "event", SPAN_FMT, SPAN_ARG(db_text(db, sql, 0)),
                      "error", "%s", problems.n ? problems.list[0].text : strerror(-failed));
        problems_done(&problems);
        event_source_done(&s);
    }
    return r;
}

int events_open(struct state *state, struct store *store, struct events **ret)
{
    struct events *ev = calloc(1, sizeof *ev);
    if (!ev)
        return -ENOMEM;
    ev->state = state;
    ev->store = store;
    ev->base = state_base(state, &EVENTS_STATE_ROOM);
    pthread_mutex_init(&ev->lock, NULL);
    int r = state_run(state, load_change, ev);
    if (r == 0)
        r = pin(ev);
    if (r < 0) {
        events_free(ev);
        return r;
    }
    *ret = ev;
    return 0;
}

void events_free(struct events *ev)
{
    if (!ev)
        return;
    while (ev->n)
        take_out(ev, ev->n - 1);
    pthread_mutex_destroy(&ev->lock);
    free(ev);
}

struct putting {
    struct events *ev;
    const struct event_source *source;
    const char *name;
    struct span user;
    int64_t now_ms;
};

static int put_change(struct db *db, void *arg)
{
    const struct putting *w = arg;
    const struct event_source *s = w->source;
    int sql = w->ev->base + EVENTS_SQL_PUT;
    const char *texts[] = {s->file,      s->text,      s->plan_file, s->plan_text,
                           s->last_file, s->last_text, s->starts,    s->length};
    db_bind_text(db, sql, 1, span_str(w->name));
    db_bind_i64(db, sql, 2, w->now_ms);
    db_bind_text(db, sql, 3, w->user.ptr ? w->user : SPAN(""));
    for (int i = 0; i < (int)ARRAY_LEN(texts); i++)
        db_bind_text(db, sql, 4 + i, span_str(texts[i]));
    return db_run(db, sql);
}

int events_put(struct events *ev, const struct event_source *source, struct span user, int64_t now_ms,
               struct problems *problems, struct event **ret)
{
    struct event *e = NULL;
    int r = event_read(source, &e, problems);
    if (r < 0)
        return r;
    pthread_mutex_lock(&ev->lock);
    size_t at = find(ev, span_str(e->name));
    bool full = ev->n == EVENTS_MAX && at == ev->n, known = at < ev->n && ev->list[at]->texts == e->texts;
    pthread_mutex_unlock(&ev->lock);
    if (known) { /* what was counted for it stays counted */
        if (ret)
            *ret = event_keep(e);
        event_free(e);
        return 0;
    }
    struct putting w = {ev, source, e->name, user, now_ms};
    r = full ? -ENOSPC : state_run(ev->state, put_change, &w);
    if (r < 0) {
        event_free(e);
        return r;
    }
    if (ret)
        *ret = event_keep(e);
    put_in(ev, e);
    r = pin(ev);
    if (r < 0)
        log_error("the event is stored, its window is not pinned before the next start", "error", "%s", strerror(-r));
    return 0;
}

struct removing {
    struct events *ev;
    struct span name;
};

static int remove_change(struct db *db, void *arg)
{
    const struct removing *w = arg;
    int sql = w->ev->base + EVENTS_SQL_DELETE;
    db_bind_text(db, sql, 1, w->name);
    int r = db_run(db, sql);
    return r == 0 && db_changes(db) == 0 ? -ENOENT : r;
}

int events_remove(struct events *ev, struct span name)
{
    struct removing w = {ev, name};
    int r = state_run(ev->state, remove_change, &w);
    if (r < 0)
        return r;
    pthread_mutex_lock(&ev->lock);
    take_out(ev, find(ev, name));
    ev->version++;
    pthread_mutex_unlock(&ev->lock);
    return pin(ev);
}

/* ---- asking ---- */

struct event *events_get(struct events *ev, struct span name)
{
    pthread_mutex_lock(&ev->lock);
    size_t at = find(ev, name);
    struct event *e = at < ev->n ? event_keep(ev->list[at]) : NULL;
    pthread_mutex_unlock(&ev->lock);
    return e;
}

struct event *events_at(struct events *ev, size_t i)
{
    pthread_mutex_lock(&ev->lock);
    struct event *e = i < ev->n ? event_keep(ev->list[i]) : NULL;
    pthread_mutex_unlock(&ev->lock);
    return e;
}

uint64_t events_version(struct events *ev)
{
    pthread_mutex_lock(&ev->lock);
    uint64_t version = ev->version;
    pthread_mutex_unlock(&ev->lock);
    return version;
}

struct event *events_current(struct events *ev, int64_t now_ms)
{
    struct event *running = NULL, *next = NULL, *over = NULL;
    pthread_mutex_lock(&ev->lock);
    for (size_t i = 0; i < ev->n; i++) { /* by doors open */
        struct event *e = ev->list[i];
        if (e->starts_ms <= now_ms && now_ms < e->ends_ms)
            running = e;
        else if (e->starts_ms > now_ms && !next)
            next = e;
        else if (e->ends_ms <= now_ms && now_ms - e->ends_ms < OVER_SHOWN_MS && (!over || e->ends_ms > over->ends_ms))
            over = e;
    }
    struct event *e = running                                                    ? running
                      : over && next && next->starts_ms - now_ms > OVER_SHOWN_MS ? over
                      : next                                                     ? next
                                                                                 : over;
    e = e ? event_keep(e) : NULL;
    pthread_mutex_unlock(&ev->lock);
    return e;
}
