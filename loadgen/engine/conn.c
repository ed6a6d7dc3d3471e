#include "loadgen/engine/conn_driver.h"

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
