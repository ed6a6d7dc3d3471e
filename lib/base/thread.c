#include "lib/base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

struct thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg;
    char name[16]; /* the kernel's limit, NUL included */
};

static void *run(void *arg)
{
    struct thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

int thread_start(const char *name, void (*fn)(void *arg), void *arg, struct thread **ret)
{
    struct thread *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->fn = fn;
    t->arg = arg;
    snprintf(t->name, sizeof t->name, "%s", name);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the new thread */
    int r = pthread_create(&t->id, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r) {
        free(t);
        return -r;
    }
    *ret = t;
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t)
        return;
    pthread_join(t->id, NULL);
    free(t);
}

void thread_nice(int increment)
{
    /* On Linux a nice value belongs to the thread; PRIO_PROCESS with its id sets only that. */
    id_t id = (id_t)syscall(SYS_gettid);
    errno = 0;
    int now = getpriority(PRIO_PROCESS, id);
    if (errno == 0)
        (void)setpriority(PRIO_PROCESS, id, now + increment);
}

int thread_cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n;
}

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t first, n, max;
    bool closed;
    void *items[];
};

int queue_new(size_t max_items, struct queue **ret)
{
    if (max_items == 0 || max_items > (SIZE_MAX - sizeof(struct queue)) / sizeof(void *))
        return -EINVAL;
    struct queue *q = calloc(1, sizeof *q + max_items * sizeof(void *));
    if (!q)
        return -ENOMEM;
    q->max = max_items;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_empty, &monotonic);
    pthread_cond_init(&q->not_full, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret = q;
    return 0;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static int push(struct queue *q, void *item, bool wait)
{
    int r = 0;
    pthread_mutex_lock(&q->lock);
    while (wait && !q->closed && q->n == q->max)
        pthread_cond_wait(&q->not_full, &q->lock);
    if (q->closed) {
        r = -ESHUTDOWN;
    } else if (q->n == q->max) {
        r = -EAGAIN;
    } else {
        q->items[(q->first + q->n++) % q->max] = item;
        pthread_cond_signal(&q->not_empty);
    }
    pthread_mutex_unlock(&q->lock);
    return r;
}

int queue_push(struct queue *q, void *item)
{
    return push(q, item, false);
}

int queue_push_wait(struct queue *q, void *item)
{
    return push(q, item, true);
}

static struct timespec deadline_after(int64_t us)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + us % 1000000 * 1000;
    t.tv_sec += us / 1000000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

size_t queue_pop_all(struct queue *q, void **items, size_t max, int64_t timeout_us)
{
    pthread_mutex_lock(&q->lock);
    if (q->n == 0 && !q->closed && timeout_us != 0) {
        struct timespec until = deadline_after(timeout_us < 0 ? 0 : timeout_us);
        int r = 0;
        while (q->n == 0 && !q->closed && r == 0)
            r = timeout_us < 0 ? pthread_cond_wait(&q->not_empty, &q->lock)
                               : pthread_cond_timedwait(&q->not_empty, &q->lock, &until);
    }
    size_t n = q->n < max ? q->n : max;
    for (size_t i = 0; i < n; i++) {
        items[i] = q->items[q->first];
        q->first = (q->first + 1) % q->max;
    }
    q->n -= n;
    if (n == 1)
        pthread_cond_signal(&q->not_full);
    else if (n)
        pthread_cond_broadcast(&q->not_full);
    if (q->n) /* a signal for these may have woken us only */
        pthread_cond_signal(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

bool queue_is_closed(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool closed = q->closed;
    pthread_mutex_unlock(&q->lock);
    return closed;
}

size_t queue_depth(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}
