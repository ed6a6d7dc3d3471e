#include "loadgen/engine/http1_link.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct link *link_find(struct link_owner *c, const struct conn_request *q)
{
    for (struct link **at = &c->links; *at; at = &(*at)->next) {
        struct link *l = *at;
        if (!http1_origin_serves(l->origin, q))
            continue;
        *at = l->next;
        l->next = c->links;
        c->links = l;
        return l;
    }
    return NULL;
}

struct link *link_new(struct link_owner *c, struct http1_origin *o)
{
    struct link *oldest = c->links;
    while (oldest && oldest->next)
        oldest = oldest->next;
    if (oldest && c->n >= LINKS_PER_USER_MAX)
        link_close(oldest);
    struct link *l = calloc(1, sizeof *l);
    if (!l) {
        http1_origin_drop(&c->room->origins, o);
        return NULL;
    }
    *l = (struct link){.owner = c, .origin = o, .fd = -1, .state = LINK_CONNECTING, .next = c->links};
    c->links = l;
    c->n++;
    return l;
}

void link_close(struct link *l)
{
    struct link_owner *c = l->owner;
    if (l->state == LINK_DEAD)
        return;
    attempt_free(l->attempt);
    if (l->fd >= 0 && !l->easy)
        close(l->fd);
    l->attempt = NULL;
    l->easy = NULL;
    l->fd = -1;
    l->state = LINK_DEAD;
    http1_origin_drop(&c->room->origins, l->origin);
    l->origin = NULL;
    struct link **at = &c->links;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    c->n--;
    l->next = c->room->dead;
    c->room->dead = l;
}

void links_bury(struct link_room *room)
{
    while (room->dead) {
        struct link *l = room->dead;
        room->dead = l->next;
        free(l);
    }
}

/* TLS has bytes that its socket no longer has, and is not always read to its end: it is told as long as there is something. */
static uint32_t events_of(const struct link *l)
{
    return l->easy ? EPOLLIN : EPOLLIN | EPOLLRDHUP | EPOLLET;
}

int link_poll(struct link *l)
{
    struct epoll_event event = {.events = events_of(l), .data.ptr = l};
    int r = epoll_ctl(l->owner->room->epoll, EPOLL_CTL_ADD, l->fd, &event);
    if (r < 0 && errno == EEXIST)
        r = epoll_ctl(l->owner->room->epoll, EPOLL_CTL_MOD, l->fd, &event);
    return r < 0 ? -errno : 0;
}

int link_poll_write(struct link *l, bool write)
{
    if (l->polls_write == write)
        return 0;
    struct epoll_event event = {.events = events_of(l) | (write ? EPOLLOUT : 0u), .data.ptr = l};
    l->polls_write = write;
    return epoll_ctl(l->owner->room->epoll, EPOLL_CTL_MOD, l->fd, &event) < 0 ? -errno : 0;
}

/* glibc's send and recv can be cancelled, which costs a program with threads four locked instructions a request. */
ssize_t link_send(struct link *l, const char *bytes, size_t n)
{
    if (!l->easy) {
        ssize_t sent = syscall(SYS_sendto, l->fd, bytes, n, MSG_NOSIGNAL, NULL, 0);
        return sent < 0 ? -errno : sent;
    }
    size_t sent = 0;
    CURLcode code = curl_easy_send(l->easy, bytes, n, &sent);
    return code == CURLE_OK ? (ssize_t)sent : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}

bool link_has_more(const struct link *l)
{
    char next;
    return recv(l->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

ssize_t link_recv(struct link *l, char *to, size_t n)
{
    if (!l->easy) {
        ssize_t got = syscall(SYS_recvfrom, l->fd, to, n, 0, NULL, NULL);
        return got < 0 ? -errno : got;
    }
    size_t got = 0;
    CURLcode code = curl_easy_recv(l->easy, to, n, &got);
    return code == CURLE_OK ? (ssize_t)got : code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}
