#include "loadgen/import/log_sessions.h"

#include <assert.h>
#include <errno.h>

static_assert(LOG_ROUTES_MAX <= 512, "a route takes nine bits of a packed request");

#define HOUR_US 3600000000
#define THINK_MAX_US (24 * (int64_t)HOUR_US)

struct open_session {
    enum log_class class;
    size_t route; /* the last one */
    int64_t arrival_us, end_us;
    uint64_t length;
};

int log_sessions_new(int64_t gap_us, struct log_sessions **ret)
{
    struct log_sessions *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->gap_us = gap_us;
    rng_seed(&s->rng, 1);
    s->zero_us = INT64_MIN;
    strmap_init(&s->open, LOG_CLIENTS_MAX);
    s->of = calloc(LOG_CLASSES, sizeof *s->of);
    int r = s->of ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < LOG_CLASSES; i++) {
        r = hdr_new(HOUR_US, 3, &s->of[i].thinks);
        if (r == 0)
            r = hdr_new(1000000, 3, &s->of[i].lengths);
    }
    if (r < 0)
        log_sessions_free(s);
    else
        *ret = s;
    return r;
}

void log_sessions_free(struct log_sessions *s)
{
    if (!s)
        return;
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&s->open, &at, &key, &value))
        free(value);
    strmap_done(&s->open);
    for (size_t i = 0; s->of && i < LOG_CLASSES; i++) {
        hdr_free(s->of[i].thinks);
        hdr_free(s->of[i].lengths);
        free(s->of[i].starts.at);
        free(s->of[i].requests.at);
    }
    free(s->of);
    free(s);
}

int log_times_add(struct log_times *t, int64_t value)
{
    if (t->n >= LOG_ARRIVALS_MAX) {
        t->left_out++;
        return 0;
    }
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 1024;
        int64_t *bigger = realloc(t->at, cap * sizeof *bigger);
        if (!bigger)
            return -ENOMEM;
        t->at = bigger;
        t->cap = cap;
    }
    t->at[t->n++] = value;
    return 0;
}

static void end_session(struct log_sessions *s, const struct open_session *o)
{
    struct log_group *g = &s->of[o->class];
    g->next[o->route + 1][0]++;
    hdr_record(g->lengths, (int64_t)o->length);
}

/* Visitors who have not been there for longer than the gap. */
static void sweep(struct log_sessions *s, int64_t now_us)
{
    size_t at = 0, n = 0;
    struct span key, *keys = malloc((s->open.used + 1) * sizeof *keys);
    void *value;
    s->swept_us = now_us;
    if (!keys)
        return; /* later, then */
    while (strmap_next(&s->open, &at, &key, &value))
        if (now_us - ((struct open_session *)value)->end_us > s->gap_us)
            keys[n++] = key;
    for (size_t i = 0; i < n; i++) {
        char *copy = span_dup(keys[i]); /* removing frees the key */
        struct open_session *o = copy ? strmap_remove(&s->open, span_of(copy, keys[i].len)) : NULL;
        if (o)
            end_session(s, o);
        free(o);
        free(copy);
    }
    free(keys);
}

static void count_think(struct log_group *g, struct rng *rng, size_t route, int64_t think_us)
{
    struct log_think *t = &g->think[route];
    uint64_t us = think_us > 0 ? (uint64_t)think_us : 0;
    uint64_t at = t->n++;
    if (at >= LOG_THINKS_KEPT)
        at = rng_next(rng) % t->n; /* the n-th takes a place with probability kept/n */
    if (at < LOG_THINKS_KEPT)
        t->us[at] = (int64_t)us;
    hdr_record(g->thinks, (int64_t)us);
}

int log_sessions_add(struct log_sessions *s, struct span client, enum log_class class, size_t route, int64_t arrival_us,
                     int64_t duration_us)
{
    struct log_group *g = &s->of[class];
    int64_t end_us = arrival_us + (duration_us > 0 ? duration_us : 0);
    if (s->zero_us == INT64_MIN)
        s->zero_us = arrival_us - THINK_MAX_US; /* lines may be late, not by a day */
    int64_t since = arrival_us > s->zero_us ? arrival_us - s->zero_us : 0;
    int r = log_times_add(&g->requests, log_request_pack(since, route));
    if (r < 0)
        return r;
    if (arrival_us - s->swept_us > s->gap_us)
        sweep(s, arrival_us);
    struct open_session *o = client.len ? strmap_get(&s->open, client) : NULL;
    if (o && arrival_us - o->end_us <= s->gap_us && o->class == class) {
        g->next[o->route + 1][route + 1]++;
        count_think(g, &s->rng, route, arrival_us - o->end_us);
        o->route = route;
        o->arrival_us = arrival_us;
        o->end_us = end_us > o->end_us ? end_us : o->end_us;
        o->length++;
        return 0;
    }
    struct open_session fresh = {class, route, arrival_us, end_us, 1};
    g->next[0][route + 1]++;
    g->sessions++;
    r = log_times_add(&g->starts, arrival_us);
    if (r < 0)
        return r;
    if (o) {
        end_session(s, o);
        *o = fresh;
        return 0;
    }
    o = client.len ? malloc(sizeof *o) : NULL;
    if (client.len && !o)
        return -ENOMEM;
    r = o ? strmap_put(&s->open, client, o) : -ENOSPC;
    if (r == 0) {
        *o = fresh;
        return 0;
    }
    free(o);
    s->crowded += client.len > 0;
    end_session(s, &fresh);
    return r == -ENOSPC ? 0 : r;
}

void log_sessions_end(struct log_sessions *s)
{
    sweep(s, INT64_MAX);
}
