#include "lib/wire/http_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/wire/http_transfer.h"

#define POOL_MAX 64u /* idle easy handles kept: about 6 KB each */
#define EVENTS_PER_STEP 256

/* The owner polls epoll_fd alone: the sockets of libcurl and timer_fd are in it. slots[] finds a request by
 * its id (generation << 32 | slot). */
struct http_client {
    CURLM *multi;
    int epoll_fd, timer_fd;
    int64_t deadline_us; /* when libcurl wants to be called; -1: no need */
    int64_t armed_us;    /* what timer_fd is set to */
    struct transfer **slots;
    size_t n_slots, cap_slots, pending;
    uint32_t *free_slots;
    size_t n_free_slots;
    uint32_t generation;
    struct transfer *pool;
    size_t n_pool;
    bool closing;
    struct transfer *failed, **failed_end; /* refused before they started: told at the next step */
    struct pem_files pems;
};

/* ---- libcurl's callbacks ----------------------------------------------------------------------------------
 */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    (void)easy;
    struct http_client *c = ctx;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* fails when libcurl closed it: then it is gone anyway */
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0u) | (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0u);
    int r = epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (r < 0 && (errno == ENOENT || errno == EEXIST)) /* the number was reused */
        r = epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    if (r < 0)
        return -1; /* fails the transfer */
    return curl_multi_assign(c->multi, fd, c) == CURLM_OK ? 0 : -1;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    (void)multi;
    struct http_client *c = ctx;
    if (timeout_ms < 0)
        c->deadline_us = -1;
    else if (timeout_ms == 0)
        c->deadline_us = mono_us();
    else
        c->deadline_us = mono_us() + (int64_t)timeout_ms * 1000 + 999; /* never early: libcurl would not ask again */
    return 0;
}

/* One system call per step or send, however often libcurl changed its mind. */
static void arm_timer(struct http_client *c)
{
    int64_t at_us = c->failed ? 0 : c->deadline_us;
    if (at_us == c->armed_us)
        return;
    struct itimerspec when = {0};
    if (at_us >= 0) {
        when.it_value.tv_sec = at_us / 1000000;
        when.it_value.tv_nsec = at_us % 1000000 * 1000;
        if (at_us == 0)
            when.it_value.tv_nsec = 1; /* zero would disarm */
    }
    if (timerfd_settime(c->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        c->armed_us = at_us;
}

/* ---- life -------------------------------------------------------------------------------------------------
 */

static int global_error;
static void init_libcurl(void)
{
    global_error = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOMEM;
}

MUST_USE static int start_multi(struct http_client *c)
{
    c->multi = curl_multi_init();
    if (!c->multi)
        return -ENOMEM;
    if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
        curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
        curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
        /* the default, 4 per running handle, closes connections whenever few run */
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_IDLE_CONNECTIONS_MAX) != CURLM_OK)
        return -EIO;
    return 0;
}

int http_client_new(struct http_client **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libcurl);
    if (global_error)
        return global_error;
    struct http_client *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->deadline_us = c->armed_us = -1;
    c->failed_end = &c->failed;
    c->timer_fd = -1;
    int r = 0;
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll_fd < 0) {
        r = -errno;
        goto fail;
    }
    c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = c->timer_fd};
    if (c->timer_fd < 0 || epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &event) < 0) {
        r = -errno;
        goto fail;
    }
    r = start_multi(c);
    if (r < 0)
        goto fail;
    *ret = c;
    return 0;
fail:
    http_client_free(c);
    return r;
}

static void recycle(struct http_client *c, struct transfer *t)
{
    if (c->n_pool == POOL_MAX) {
        transfer_free(t);
        return;
    }
    transfer_clear(t);
    t->next = c->pool;
    c->pool = t;
    c->n_pool++;
}

/* Take it out of the tables, tell its owner, put it into the pool. The owner may send and cancel from the
 * callback. */
static void deliver(struct http_client *c, struct transfer *t)
{
    if (t->in_multi) {
        CURLMcode rc = curl_multi_remove_handle(c->multi, t->easy);
        (void)rc; /* it is in there: nothing to fail */
        t->in_multi = false;
    }
    c->slots[t->slot] = NULL;
    c->free_slots[c->n_free_slots++] = t->slot;
    c->pending--;
    t->done(t->ctx, &t->response);
    recycle(c, t);
}

static void unlink_failed(struct http_client *c, struct transfer *t)
{
    for (struct transfer **at = &c->failed; *at; at = &(*at)->next) {
        if (*at != t)
            continue;
        *at = t->next;
        if (c->failed_end == &t->next)
            c->failed_end = at;
        return;
    }
}

static void cancel(struct http_client *c, struct transfer *t)
{
    unlink_failed(c, t);
    transfer_fail(t, -ECANCELED, "cancelled");
    deliver(c, t);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    c->closing = true;
    for (size_t i = 0; i < c->n_slots; i++)
        if (c->slots[i])
            cancel(c, c->slots[i]);
    while (c->pool) {
        struct transfer *t = c->pool;
        c->pool = t->next;
        transfer_free(t);
    }
    if (c->multi)
        curl_multi_cleanup(c->multi);
    pem_files_done(&c->pems);
    if (c->timer_fd >= 0)
        close(c->timer_fd);
    if (c->epoll_fd >= 0)
        close(c->epoll_fd);
    free(c->slots);
    free(c->free_slots);
    free(c);
}

int http_client_fd(const struct http_client *c)
{
    return c->epoll_fd;
}

size_t http_client_pending(const struct http_client *c)
{
    return c->pending;
}

int64_t http_client_timeout_ms(const struct http_client *c)
{
    if (c->failed)
        return 0;
    if (c->deadline_us < 0)
        return -1;
    int64_t left_us = c->deadline_us - mono_us();
    return left_us <= 0 ? 0 : (left_us + 999) / 1000;
}

/* ---- requests ---------------------------------------------------------------------------------------------
 */

MUST_USE static int take_slot(struct http_client *c, uint32_t *ret)
{
    if (c->n_free_slots > 0) {
        *ret = c->free_slots[--c->n_free_slots];
        return 0;
    }
    if (c->n_slots == HTTP_REQUESTS_MAX)
        return -EAGAIN;
    if (c->n_slots == c->cap_slots) {
        size_t cap = c->cap_slots ? c->cap_slots * 2 : 16;
        struct transfer **slots = reallocarray(c->slots, cap, sizeof *slots);
        if (!slots)
            return -ENOMEM;
        c->slots = slots;
        uint32_t *free_slots = reallocarray(c->free_slots, cap, sizeof *free_slots);
        if (!free_slots)
            return -ENOMEM;
        c->free_slots = free_slots;
        c->cap_slots = cap;
    }
    c->slots[c->n_slots] = NULL;
    *ret = (uint32_t)c->n_slots++;
    return 0;
}

MUST_USE static int take_transfer(struct http_client *c, struct transfer **ret)
{
    if (!c->pool)
        return transfer_new(ret);
    struct transfer *t = c->pool;
    c->pool = t->next;
    c->n_pool--;
    t->next = NULL;
    *ret = t;
    return 0;
}

int http_send(struct http_client *c, const struct http_request *request, http_done done, void *ctx, uint64_t *ret_id)
{
    if (c->closing)
        return -ESHUTDOWN;
    struct transfer *t = NULL;
    uint32_t slot = 0;
    int r = take_transfer(c, &t);
    if (r < 0)
        return r;
    r = take_slot(c, &slot);
    if (r < 0) {
        recycle(c, t);
        return r;
    }
    int prepared = transfer_prepare(t, request, &c->pems);
    if (prepared == 0) {
        if (curl_multi_add_handle(c->multi, t->easy) == CURLM_OK)
            t->in_multi = true;
        else
            prepared = -ENOMEM;
    }
    if (prepared == -ENOMEM) {
        c->free_slots[c->n_free_slots++] = slot;
        recycle(c, t);
        return -ENOMEM;
    }
    if (prepared < 0) {
        *c->failed_end = t;
        c->failed_end = &t->next;
    }
    if (++c->generation == 0)
        c->generation = 1;
    t->id = (uint64_t)c->generation << 32 | slot;
    t->slot = slot;
    t->done = done;
    t->ctx = ctx;
    c->slots[slot] = t;
    c->pending++;
    arm_timer(c);
    if (ret_id)
        *ret_id = t->id;
    return 0;
}

void http_cancel(struct http_client *c, uint64_t id)
{
    uint32_t slot = (uint32_t)id;
    if (slot >= c->n_slots || !c->slots[slot] || c->slots[slot]->id != id)
        return;
    cancel(c, c->slots[slot]);
    arm_timer(c);
}

/* ---- the turn ---------------------------------------------------------------------------------------------
 */

static void deliver_failed(struct http_client *c)
{
    struct transfer *last =
        NULL; /* what callbacks add is for the next step: a retry in the callback must not spin here */
    for (struct transfer *t = c->failed; t; t = t->next)
        last = t;
    bool more = last != NULL;
    while (more && c->failed) {
        struct transfer *t = c->failed;
        more = t != last;
        unlink_failed(c, t);
        deliver(c, t);
    }
}

static void deliver_finished(struct http_client *c)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        struct transfer *t = NULL;
        if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK || !t)
            continue;
        transfer_finish(t, code);
        deliver(c, t);
    }
}

static void drive(struct http_client *c, curl_socket_t fd, int mask)
{
    int running;
    CURLMcode rc = curl_multi_socket_action(c->multi, fd, mask, &running);
    (void)rc; /* errors of single transfers come as messages; the others mean a wrong handle */
}

static void on_time(struct http_client *c)
{
    c->deadline_us = -1;
    drive(c, CURL_SOCKET_TIMEOUT, 0);
    long left_ms = -1;
    if (c->deadline_us < 0 && curl_multi_timeout(c->multi, &left_ms) == CURLM_OK && left_ms >= 0)
        on_timer(c->multi, left_ms, c); /* it was not told again because its own time did not change */
}

void http_client_step(struct http_client *c)
{
    deliver_failed(c);
    struct epoll_event events[EVENTS_PER_STEP];
    int n = epoll_wait(c->epoll_fd, events, EVENTS_PER_STEP, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == c->timer_fd) {
            uint64_t times;
            if (read(c->timer_fd, &times, sizeof times) > 0)
                c->armed_us = -1;
            continue;
        }
        uint32_t e = events[i].events;
        int mask = (e & EPOLLIN ? CURL_CSELECT_IN : 0) | (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (e & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        drive(c, events[i].data.fd, mask);
    }
    if (c->deadline_us >= 0 && mono_us() >= c->deadline_us)
        on_time(c);
    deliver_finished(c);
    arm_timer(c);
}

/* ---- blocking ---------------------------------------------------------------------------------------------
 */

struct fetched {
    struct http_response *into;
    bool done;
};

static void on_fetched(void *ctx, struct http_response *response)
{
    struct fetched *f = ctx;
    *f->into = *response; /* its buffers move over */
    size_t header_max = response->headers.max, body_max = response->body.max;
    buf_init(&response->headers, header_max);
    buf_init(&response->body, body_max);
    f->done = true;
}

int http_fetch(const struct http_request *request, struct http_response *response)
{
    *response = (struct http_response){0};
    struct http_client *c = NULL;
    struct fetched f = {.into = response};
    int r = http_client_new(&c);
    if (r == 0)
        r = http_send(c, request, on_fetched, &f, NULL);
    if (r < 0) {
        http_client_free(c);
        response->error = r;
        snprintf(response->error_text, sizeof response->error_text, "cannot send: %s", strerror(-r));
        return r;
    }
    while (!f.done) {
        struct pollfd p = {.fd = http_client_fd(c), .events = POLLIN};
        int64_t wait_ms = http_client_timeout_ms(c);
        poll(&p, 1, wait_ms < 0 || wait_ms > 1000 ? 1000 : (int)wait_ms);
        http_client_step(c);
    }
    http_client_free(c);
    return response->error;
}
