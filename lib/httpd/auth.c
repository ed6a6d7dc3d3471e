/* Credentials, off the pool: one bcrypt check takes tens of milliseconds, and whoever guesses passwords must not hold
 * the threads that serve everybody else. What was checked once is remembered by a keyed digest; the rest waits,
 * suspended, for the one thread that checks. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/httpd/httpd_internal.h"

#define DIGEST_BYTES 32

struct known {
    bool used;
    uint8_t digest[DIGEST_BYTES];
    const char *user;
};
struct auth {
    struct httpd *h;
    struct queue *queue;
    struct thread *thread;
    uint8_t key[DIGEST_BYTES];
    pthread_mutex_t lock;
    struct web_config *web; /* what good and bad were checked against; only compared, and the server holds it */
    struct known good[HTTP_AUTH_GOOD_MAX], bad[HTTP_AUTH_BAD_MAX];
    size_t good_next, bad_next;
};

static bool digest_of(const struct auth *a, struct span authorization, uint8_t digest[DIGEST_BYTES])
{
    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, a->key, sizeof a->key, authorization.ptr, authorization.len, digest) ==
           0;
}

static const struct known *find(const struct known *list, size_t n, const uint8_t digest[DIGEST_BYTES])
{
    for (size_t i = 0; i < n; i++)
        if (list[i].used && memcmp(list[i].digest, digest, DIGEST_BYTES) == 0)
            return &list[i];
    return NULL;
}

static void remember(struct auth *a, const struct web_config *web, struct span authorization, int result,
                     const char *user)
{
    struct known k = {.used = true, .user = user};
    if (!digest_of(a, authorization, k.digest))
        return;
    pthread_mutex_lock(&a->lock);
    if (a->web != web)
        ; /* it has been replaced meanwhile */
    else if (result == 0)
        a->good[a->good_next++ % HTTP_AUTH_GOOD_MAX] = k;
    else
        a->bad[a->bad_next++ % HTTP_AUTH_BAD_MAX] = k;
    pthread_mutex_unlock(&a->lock);
}

static void auth_main(void *arg)
{
    struct auth *a = arg;
    void *item;
    while (queue_pop_all(a->queue, &item, 1, -1) == 1) {
        struct httpd_request *r = item;
        if (!atomic_load(&a->h->stopping)) { /* else what still waits is let go unchecked, with 503 */
            struct span authorization = httpd_header(r, "Authorization");
            const char *user = NULL;
            int result = web_config_check(r->web, authorization, &user);
            remember(a, r->web, authorization, result, user);
            r->auth = result == 0 ? AUTH_RIGHT : AUTH_WRONG;
            r->user = result == 0 ? user : NULL;
        }
        MHD_resume_connection(r->mhd); /* it is the pool thread's again */
    }
}

int auth_init(struct httpd *h)
{
    if (!h->web) /* one without users may get some at a reload */
        return 0;
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->h = h;
    a->web = h->web;
    pthread_mutex_init(&a->lock, NULL);
    h->auth = a;
    int r = gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof a->key) == 0 ? 0 : -EIO;
    if (r == 0)
        r = queue_new(HTTP_AUTH_QUEUE_MAX, &a->queue);
    if (r == 0)
        r = thread_start("http-auth", auth_main, a, &a->thread);
    if (r < 0)
        auth_done(h);
    return r;
}

void auth_stop(struct httpd *h)
{
    struct auth *a = h->auth;
    if (!a)
        return;
    if (a->queue)
        queue_close(a->queue);
    thread_join(a->thread);
    a->thread = NULL;
}

void auth_done(struct httpd *h)
{
    struct auth *a = h->auth;
    if (!a)
        return;
    auth_stop(h);
    if (a->queue)
        queue_free(a->queue);
    pthread_mutex_destroy(&a->lock);
    gnutls_memset(a->key, 0, sizeof a->key);
    free(a);
    h->auth = NULL;
}

void auth_forget(struct httpd *h)
{
    struct auth *a = h->auth;
    pthread_mutex_lock(&a->lock);
    memset(a->good, 0, sizeof a->good);
    memset(a->bad, 0, sizeof a->bad);
    a->web = h->web;
    pthread_mutex_unlock(&a->lock);
}

bool auth_check(struct httpd_request *r)
{
    struct auth *a = r->h->auth;
    struct span authorization = httpd_header(r, "Authorization");
    uint8_t digest[DIGEST_BYTES];
    r->auth = AUTH_WRONG;
    if (authorization.len == 0)
        return false;
    r->auth = AUTH_BUSY;
    if (!digest_of(a, authorization, digest))
        return false;
    pthread_mutex_lock(&a->lock);
    bool same = a->web == r->web;
    const struct known *good = same ? find(a->good, HTTP_AUTH_GOOD_MAX, digest) : NULL;
    const struct known *bad = same && !good ? find(a->bad, HTTP_AUTH_BAD_MAX, digest) : NULL;
    r->user = good ? good->user : NULL;
    pthread_mutex_unlock(&a->lock);
    r->auth = good ? AUTH_RIGHT : bad ? AUTH_WRONG : AUTH_BUSY;
    if (good || bad)
        return false;
    MHD_suspend_connection(r->mhd);
    if (queue_push(a->queue, r) < 0) /* full, or closed for the stop: busy it stays */
        MHD_resume_connection(r->mhd);
    return true;
}
