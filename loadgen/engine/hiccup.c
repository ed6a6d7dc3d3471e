#include "loadgen/engine/hiccup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "loadgen/engine/stats.h"

#define PERIOD_US 1000

struct hiccup {
    struct thread *thread;
    pthread_mutex_t lock; /* of the histogram: taken a thousand times a second */
    struct hdr *seen;
    _Atomic bool stop;
};

static void hiccup_main(void *arg)
{
    struct hiccup *h = arg;
    prctl(PR_SET_TIMERSLACK, 1UL);
    int64_t before_us = mono_us();
    while (!atomic_load_explicit(&h->stop, memory_order_relaxed)) {
        sleep_us(PERIOD_US);
        int64_t now_us = mono_us(), late_us = now_us - before_us - PERIOD_US;
        before_us = now_us;
        pthread_mutex_lock(&h->lock);
        hdr_record(h->seen, late_us);
        for (late_us -= PERIOD_US; late_us >= PERIOD_US; late_us -= PERIOD_US)
            hdr_record(h->seen, late_us);
        pthread_mutex_unlock(&h->lock);
    }
}

int hiccup_start(struct hiccup **ret)
{
    struct hiccup *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    int r = hdr_new(STATS_HIGHEST_US, STATS_DIGITS, &h->seen);
    if (r == 0)
        r = thread_start("hiccup", hiccup_main, h, &h->thread);
    if (r < 0)
        hiccup_stop(h);
    else
        *ret = h;
    return r;
}

void hiccup_stop(struct hiccup *h)
{
    if (!h)
        return;
    atomic_store(&h->stop, true);
    thread_join(h->thread);
    pthread_mutex_destroy(&h->lock);
    hdr_free(h->seen);
    free(h);
}

int hiccup_take(struct hiccup *h, struct hdr *into)
{
    pthread_mutex_lock(&h->lock);
    int r = hdr_merge(into, h->seen);
    hdr_reset(h->seen);
    pthread_mutex_unlock(&h->lock);
    return r;
}
