#include "lib/base/clock.h"

#include <errno.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t); /* cannot fail for the clocks below */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t mono_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t mono_us(void)
{
    return mono_ns() / 1000;
}

int64_t unix_us(void)
{
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t unix_ms(void)
{
    return unix_us() / 1000;
}

int64_t cpu_process_us(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}

int64_t cpu_thread_us(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID) / 1000;
}

void sleep_us(int64_t us)
{
    if (us <= 0)
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + us % 1000000 * 1000;
    until.tv_sec += us / 1000000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}
