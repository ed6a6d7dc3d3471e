#include "tests/support/disk_probe.h"

#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

#define SYNCS_MAX 200000 /* at 50 ms: over two hours; what comes after them is not counted */

struct disk_probe {
    struct thread *thread;
    int fd;
    int64_t interval_us;
    atomic_bool stopping;
    size_t n;
    double took_ms[SYNCS_MAX];
    atomic_size_t n_stalls;
    struct disk_stall stalls[DISK_STALLS_MAX];
};

static void note_stall(struct disk_probe *p, int64_t from_us, int64_t to_us)
{
    size_t n = atomic_load_explicit(&p->n_stalls, memory_order_relaxed);
    if (to_us - from_us < DISK_STALL_MS * 1000 || n == DISK_STALLS_MAX)
        return;
    p->stalls[n] = (struct disk_stall){from_us, to_us};
    atomic_store_explicit(&p->n_stalls, n + 1, memory_order_release);
}

static void probe_main(void *arg)
{
    static const char PAGES[8192];
    struct disk_probe *p = arg;
    while (!atomic_load(&p->stopping) && p->n < SYNCS_MAX) {
        int64_t start_us = mono_us();
        if (pwrite(p->fd, PAGES, sizeof PAGES, 0) != (ssize_t)sizeof PAGES || fdatasync(p->fd) < 0)
            check_failed("the disk's probe cannot write");
        int64_t end_us = mono_us();
        p->took_ms[p->n++] = (double)(end_us - start_us) / 1e3;
        note_stall(p, start_us, end_us);
        sleep_us(p->interval_us);
    }
}

struct disk_probe *disk_probe_start(const char *path, int64_t interval_us)
{
    struct disk_probe *p = calloc(1, sizeof *p);
    if (!p)
        check_failed("out of memory");
    p->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->fd < 0)
        check_failed("cannot open %s", path);
    p->interval_us = interval_us;
    check_ok(thread_start("disk-probe", probe_main, p, &p->thread));
    return p;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t disk_probe_stalls(struct disk_probe *p, const struct disk_stall **ret)
{
    *ret = p->stalls;
    return atomic_load_explicit(&p->n_stalls, memory_order_acquire);
}

struct disk_syncs disk_probe_stop(struct disk_probe *p)
{
    atomic_store(&p->stopping, true);
    thread_join(p->thread);
    qsort(p->took_ms, p->n, sizeof *p->took_ms, by_time);
    struct disk_syncs syncs = {p->n, NAN, NAN, NAN};
    if (p->n)
        syncs =
            (struct disk_syncs){p->n, p->took_ms[p->n / 2], p->took_ms[(p->n - 1) * 99 / 100], p->took_ms[p->n - 1]};
    close(p->fd);
    free(p);
    return syncs;
}
