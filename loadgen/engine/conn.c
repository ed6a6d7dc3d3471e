#include "loadgen/engine/conn_driver.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

int conn_engine_new(const struct conn_driver *driver, const struct conn_config *config, struct conn_engine **ret)
{
    struct conn_engine *e = NULL;
    int r = driver->engine_new(config, &e);
    if (r < 0)
        return r;
    e->driver = driver;
    *ret = e;
    return 0;
}

void conn_engine_free(struct conn_engine *e)
{
    if (e)
        e->driver->engine_free(e);
}

int conn_engine_wait(struct conn_engine *e, int64_t timeout_us)
{
    return e->driver->engine_wait(e, timeout_us);
}

int conn_open(struct conn_engine *e, void *user, struct conn **ret)
{
    struct conn *c = NULL;
    int r = e->driver->open(e, user, &c);
    if (r < 0)
        return r;
    c->driver = e->driver;
    *ret = c;
    return 0;
}

int conn_send(struct conn *c, const struct conn_request *request)
{
    return c->driver->send(c, request);
}

void conn_close(struct conn *c)
{
    if (c)
        c->driver->close(c);
}

const char *conn_error_name(enum conn_error error)
{
    static const char *const NAMES[] = {"ok", "dns", "connect", "tls", "timeout", "reset", "too_large", "protocol"};
    return NAMES[error];
}

int conn_driver_poll(int epoll, bool *no_pwait2, struct epoll_event *events, int n, int64_t timeout_us)
{
    if (timeout_us < 0)
        timeout_us = 0;
    if (!*no_pwait2) { /* kernel 5.11 */
        struct timespec t = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
        int r = epoll_pwait2(epoll, events, n, &t, NULL);
        if (r >= 0 || errno != ENOSYS)
            return r;
        *no_pwait2 = true;
    }
    return epoll_wait(epoll, events, n, (int)((timeout_us + 999) / 1000));
}
