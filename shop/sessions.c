#include "shop/sessions.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "lib/base/hash.h"

#define SWEEP_PERIOD_MS 1000 /* walking over all of them takes some ms */

struct sessions {
    pthread_mutex_t lock;
    struct strmap map; /* id -> struct session, malloc'd */
    int64_t swept_ms;
};

int sessions_new(struct sessions **ret)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    strmap_init(&s->map, SHOP_SESSIONS_MAX);
    *ret = s;
    return 0;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&s->map, &at, &key, &value))
        free(value);
    strmap_done(&s->map);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

MUST_USE static int random_hex(char text[SESSION_ID_BYTES])
{
    static const char DIGITS[] = "0123456789abcdef";
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = DIGITS[bytes[i] >> 4];
        text[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    text[32] = 0;
    return 0;
}

int sessions_find(struct sessions *s, struct span id, int64_t now_ms, struct session *ret)
{
    if (id.len != SESSION_ID_BYTES - 1)
        return -ENOENT;
    int r = -ENOENT;
    pthread_mutex_lock(&s->lock);
    struct session *known = strmap_get(&s->map, id);
    if (known && now_ms - known->seen_ms <= SESSION_IDLE_MS) {
        known->seen_ms = now_ms;
        *ret = *known;
        r = 0;
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* Forget idle visitors; keys are collected first because the map must not change while it is walked. */
static void sweep(struct sessions *s, int64_t now_ms)
{
    size_t at = 0, n = 0;
    struct span key;
    void *value;
    if (now_ms - s->swept_ms < SWEEP_PERIOD_MS && now_ms >= s->swept_ms)
        return; /* full of people who are really there */
    s->swept_ms = now_ms;
    struct session **idle = malloc((s->map.used + 1) * sizeof *idle);
    if (!idle)
        return;
    while (strmap_next(&s->map, &at, &key, &value))
        if (now_ms - ((struct session *)value)->seen_ms > SESSION_IDLE_MS)
            idle[n++] = value;
    for (size_t i = 0; i < n; i++) {
        strmap_remove(&s->map, span_str(idle[i]->id));
        free(idle[i]);
    }
    free(idle);
}

int sessions_create(struct sessions *s, enum market market, enum channel channel, int64_t now_ms, struct session *ret)
{
    struct session *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return -ENOMEM;
    fresh->market = market;
    fresh->channel = channel;
    fresh->seen_ms = now_ms;
    int r = random_hex(fresh->id);
    if (r == 0)
        r = random_hex(fresh->csrf);
    pthread_mutex_lock(&s->lock);
    if (r == 0 && s->map.used >= SHOP_SESSIONS_MAX)
        sweep(s, now_ms);
    if (r == 0)
        r = strmap_put(&s->map, span_str(fresh->id), fresh);
    if (r == 0)
        *ret = *fresh;
    pthread_mutex_unlock(&s->lock);
    if (r < 0)
        free(fresh);
    return r;
}

int sessions_renew_token(struct sessions *s, struct session *session)
{
    int r = random_hex(session->csrf);
    if (r == 0)
        sessions_put(s, session);
    return r;
}

void sessions_put(struct sessions *s, const struct session *session)
{
    pthread_mutex_lock(&s->lock);
    struct session *known = strmap_get(&s->map, span_str(session->id));
    if (known)
        *known = *session;
    pthread_mutex_unlock(&s->lock);
}
