/* odd_peer.h - an HTTP server that can misbehave, for tests of the client: the path says how (odd_peer.c).
 *
 *   cmocka_run_group_tests(tests, odd_peer_start, odd_peer_stop);    // *state is the struct odd_peer
 *   http_fetch(…odd_peer_url(*state, "/gzip")…); */
#pragma once

#include <stdatomic.h>

#include "lib/base/buf.h"
#include "lib/base/thread.h"

#define ODD_CONNECTIONS_MAX 512
struct odd_connection {
    int fd; /* -1: free */
    struct buf in;
};
struct odd_peer {
    int listen_fd, unix_fd, stop_fd;
    uint16_t port;
    char unix_path[108]; /* it listens there, too */
    char *folder;        /* a temporary one */
    struct thread *thread;
    atomic_int accepted;
    atomic_size_t sent_bytes;
    struct odd_connection connections[ODD_CONNECTIONS_MAX];
};
int odd_peer_start(void **state);
int odd_peer_stop(void **state);
/* One of four texts that take turns. */
const char *odd_peer_url(const struct odd_peer *p, const char *path);
/* Writes a file into the folder; its path, which the caller frees. */
char *odd_peer_file(const struct odd_peer *p, const char *name, const char *text);
