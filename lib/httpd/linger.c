/* Refused bodies, read to their end: who only writes would otherwise meet a reset, and never read the answer that says why (RFC 9112,
 * 9.6). The socket is kept open beside libmicrohttpd, which closes its own descriptor; one thread throws away what still comes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "lib/base/clock.h"
#include "lib/httpd/httpd_internal.h"

struct lingering {
    int fd;
    int64_t until_us;
    size_t bytes;
};
struct lingerer {
    struct thread *thread;
    int wake_fd;
    pthread_mutex_t lock; /* over list, n, stop */
    struct lingering list[HTTP_LINGER_MAX];
    size_t n;
    bool stop;
};

/* False: the sender is done, gone, too slow, or sends without end. */
static bool throw_away(struct lingering *l)
{
    for (int turn = 0; turn < 64; turn++) {
        ssize_t n = recv(l->fd, NULL, 1u << 20, MSG_TRUNC | MSG_DONTWAIT); /* TCP: dropped without a copy */
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n < 0)
            break;
        l->bytes += (size_t)n;
        if (n == 0 || l->bytes > HTTP_LINGER_BYTES_MAX)
            return false;
    }
    return mono_us() < l->until_us;
}

static void linger_main(void *arg)
{
    struct lingerer *g = arg;
    struct pollfd fds[HTTP_LINGER_MAX + 1] = {{.fd = g->wake_fd, .events = POLLIN}};
    pthread_mutex_lock(&g->lock);
    while (!g->stop) {
        size_t n = g->n;
        for (size_t i = 0; i < n; i++)
            fds[i + 1] = (struct pollfd){.fd = g->list[i].fd, .events = POLLIN};
        pthread_mutex_unlock(&g->lock);
        (void)poll(fds, n + 1, n ? 250 : -1);
        uint64_t woken;
        if (fds[0].revents)
            (void)!read(g->wake_fd, &woken, sizeof woken);
        pthread_mutex_lock(&g->lock);
        for (size_t i = g->n; i-- > 0;) {
            if (throw_away(&g->list[i]))
                continue;
            close(g->list[i].fd);
            g->list[i] = g->list[--g->n];
        }
    }
    pthread_mutex_unlock(&g->lock);
}

int linger_init(struct httpd *h)
{
    struct lingerer *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    pthread_mutex_init(&g->lock, NULL);
    h->linger = g;
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = g->wake_fd < 0 ? -errno : thread_start("http-linger", linger_main, g, &g->thread);
    if (r < 0)
        linger_done(h);
    return r;
}

static void wake(struct lingerer *g)
{
    static const uint64_t ONE = 1;
    (void)!write(g->wake_fd, &ONE, sizeof ONE); /* full: it is awake */
}

void linger_done(struct httpd *h)
{
    struct lingerer *g = h->linger;
    if (!g)
        return;
    if (g->thread) {
        pthread_mutex_lock(&g->lock);
        g->stop = true;
        pthread_mutex_unlock(&g->lock);
        wake(g);
        thread_join(g->thread);
    }
    for (size_t i = 0; i < g->n; i++)
        close(g->list[i].fd);
    if (g->wake_fd >= 0)
        close(g->wake_fd);
    pthread_mutex_destroy(&g->lock);
    free(g);
    h->linger = NULL;
}

void linger_add(struct httpd *h, int fd)
{
    struct lingerer *g = h->linger;
    pthread_mutex_lock(&g->lock);
    int kept = g->n < HTTP_LINGER_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1; /* too many: these are reset */
    if (kept >= 0)
        g->list[g->n++] = (struct lingering){.fd = kept, .until_us = mono_us() + (int64_t)HTTP_LINGER_MS * 1000};
    pthread_mutex_unlock(&g->lock);
    wake(g);
}
