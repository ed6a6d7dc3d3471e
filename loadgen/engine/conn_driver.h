/* conn_driver.h - what a driver of conn.h provides. Private to the drivers and conn.c. */
#pragma once

#include "loadgen/engine/conn.h"

struct conn_driver {
    int (*engine_new)(const struct conn_config *config, struct conn_engine **ret);
    void (*engine_free)(struct conn_engine *e);
    int (*engine_wait)(struct conn_engine *e, int64_t timeout_us);
    int (*open)(struct conn_engine *e, void *user, struct conn **ret);
    int (*send)(struct conn *c, const struct conn_request *request);
    void (*close)(struct conn *c);
    /* For an engine within an engine: readable when there is I/O, and the time at which it wants to be waited for all the same (-1: none). */
    int (*poll_fd)(const struct conn_engine *e);
    int64_t (*due_us)(const struct conn_engine *e);
};
/* The first members of a driver's own structs. */
struct conn_engine {
    const struct conn_driver *driver;
};
struct conn {
    const struct conn_driver *driver;
};
struct epoll_event;
/* epoll_wait with a time-out in microseconds (below 0: none, only look), where the kernel can; *no_pwait2 remembers that it cannot. */
int conn_driver_poll(int epoll, bool *no_pwait2, struct epoll_event *events, int n, int64_t timeout_us);
