#include "shop/pool.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct pool_counts counts;
};

int pool_new(unsigned sessions, struct pool **ret)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    pthread_condattr_t attr;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->given, &attr);
    pthread_condattr_destroy(&attr);
    p->counts.max = sessions;
    *ret = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_cond_destroy(&p->given);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int pool_take(struct pool *p, int64_t timeout_ms, int64_t *ret_waited_us)
{
    int64_t start_us = mono_us(), until_us = start_us + timeout_ms * 1000;
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    int r = 0;
    pthread_mutex_lock(&p->lock);
    if (p->counts.used >= p->counts.max) {
        p->counts.waiting++;
        do
            r = pthread_cond_timedwait(&p->given, &p->lock, &until);
        while (p->counts.used >= p->counts.max && r != ETIMEDOUT);
        p->counts.waiting--;
        r = p->counts.used >= p->counts.max ? -ETIMEDOUT : 0;
    }
    if (r == 0)
        p->counts.used++;
    pthread_mutex_unlock(&p->lock);
    *ret_waited_us = mono_us() - start_us;
    return r;
}

void pool_give(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->counts.used--;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

void pool_idle_in_transaction(struct pool *p, int change)
{
    pthread_mutex_lock(&p->lock);
    p->counts.idle_in_transaction += (unsigned)change;
    pthread_mutex_unlock(&p->lock);
}

void pool_resize(struct pool *p, unsigned sessions)
{
    pthread_mutex_lock(&p->lock);
    p->counts.max = sessions;
    pthread_cond_broadcast(&p->given);
    pthread_mutex_unlock(&p->lock);
}

void pool_count(struct pool *p, struct pool_counts *ret)
{
    pthread_mutex_lock(&p->lock);
    *ret = p->counts;
    pthread_mutex_unlock(&p->lock);
}
