/* The server's life: start and stop. */
#include "lib/httpd/httpd_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/httpd/httpd_daemon.h"

/* libmicrohttpd's own words, one line per kind and minute; at the start they are the reason of a failure. Most tell of
 * clients that left, which is ordinary. */
static void on_words(void *ctx, const char *format, va_list args)
{
    struct httpd *h = ctx;
    char words[256];
    (void)vsnprintf(words, sizeof words, format, args);
    size_t n = strlen(words);
    while (n && (words[n - 1] == '\n' || words[n - 1] == ' '))
        words[--n] = '\0';
    if (!atomic_load(&h->started)) {
        memcpy(h->mhd_words, words, sizeof words);
        return;
    }
    static const char *const SERIOUS[] = {"limit", "accept", "memory", "epoll"};
    enum log_level level = LOG_LEVEL_DEBUG;
    for (size_t i = 0; i < ARRAY_LEN(SERIOUS); i++)
        if (strstr(format, SERIOUS[i]))
            level = LOG_LEVEL_WARN;
    unsigned long hidden = 0;
    if (log_allow(format, 60000, &hidden))
        log_write(level, "libmicrohttpd", "server", "%s", h->config.server_name, "words", "%s", words, "repeated",
                  "%lu", hidden, (const char *)0);
}

/* ---- start ---- */
#define OWN_DESCRIPTORS 256u /* files, databases, clients, threads' epolls */

/* Shells give 1024 descriptors. Too few would end in accept() failing for everybody; a limit of ours refuses politely. */
static void fit_descriptors(struct httpd *h)
{
    struct rlimit limit;
    rlim_t wanted = h->config.connections_max + (rlim_t)OWN_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_cur >= wanted)
        return;
    h->config.connections_max = limit.rlim_cur > OWN_DESCRIPTORS + 16 ? (unsigned)limit.rlim_cur - OWN_DESCRIPTORS : 16;
    log_warn("fewer connections than wanted: descriptors are short", "server", "%s", h->config.server_name,
             "connections", "%u", h->config.connections_max, "descriptors", "%lu", (unsigned long)limit.rlim_cur);
}

static int start_daemon(struct httpd *h, int fd, char *why, size_t why_bytes)
{
    const struct httpd_config *config = &h->config;
    struct web_config *wc = config->web_config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO;
    if (h->address.addr.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    struct MHD_OptionItem tls[8];
    size_t n = 0;
    if (wc && web_config_has_tls(wc)) {
        flags |= MHD_USE_TLS;
        const struct {
            enum MHD_OPTION option;
            const char *text;
        } texts[] = {{MHD_OPTION_HTTPS_MEM_KEY, web_config_key(wc)},
                     {MHD_OPTION_HTTPS_MEM_CERT, web_config_certificate(wc)},
                     {MHD_OPTION_HTTPS_MEM_TRUST, web_config_client_ca(wc)},
                     {MHD_OPTION_HTTPS_PRIORITIES, web_config_priorities(wc)}};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            if (texts[i].text)
                tls[n++] = (struct MHD_OptionItem){texts[i].option, 0, (void *)(uintptr_t)texts[i].text};
    }
    if (config->threads > 1)
        tls[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)config->threads, NULL};
    tls[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};

    /* The pool's threads inherit the mask: signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* Its connection limit is divided among threads that get uneven shares, so ours (connection_admit) is the
     * one that counts. */
    h->daemon = MHD_start_daemon(
        flags, 0, connection_admit, h, serve_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_words, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, h, MHD_OPTION_NOTIFY_COMPLETED,
        serve_completed, h, MHD_OPTION_URI_LOG_CALLBACK, serve_first_line, h, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MEMORY_PER_CONNECTION, MHD_OPTION_CONNECTION_LIMIT,
        (config->connections_max + 16) * config->threads, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_STREAM_IDLE_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (h->daemon) {
        atomic_store(&h->started, true);
        return 0;
    }
    (void)snprintf(why, why_bytes, "the HTTP server does not start: %s",
                   h->mhd_words[0] ? h->mhd_words : "no reason given");
    if (fcntl(fd, F_GETFD) >= 0)
        close(fd);
    return -EIO;
}

struct web_config *httpd_web_config(struct httpd *h)
{
    if (!h->config.web_config) /* then there never is one */
        return NULL;
    pthread_mutex_lock(&h->web_lock);
    struct web_config *wc = web_config_ref(h->web);
    pthread_mutex_unlock(&h->web_lock);
    return wc;
}

static int check_exposure(const struct httpd *h, const struct web_config *wc, char *why, size_t why_bytes)
{
    if (h->address.loopback || (wc && (web_config_wants_auth(wc) || web_config_requires_client_certificate(wc))))
        return 0;
    (void)snprintf(why, why_bytes,
                   "refusing to listen on %s without credentials: whoever reaches this address could read "
                   "and change everything. Listen on "
                   "127.0.0.1, or name a web config file with basic_auth_users or bearer_token_files",
                   h->config.listen);
    return -EPERM;
}

static int prepare_routes(struct httpd *h, char *why, size_t why_bytes)
{
    size_t own = 0, more = 0;
    while (h->config.routes[own].path)
        own++;
    while (h->config.daemon && HTTPD_DAEMON_ROUTES[more].path)
        more++;
    more -= more && !h->config.daemon->reloads;
    struct httpd_route *routes = h->table = calloc(own + more + 1, sizeof *routes);
    if (!routes)
        return -ENOMEM;
    memcpy(routes, h->config.routes, own * sizeof *routes);
    memcpy(routes + own, HTTPD_DAEMON_ROUTES, more * sizeof *routes);
    h->config.routes = routes;
    int r = routes_check(routes, &h->routes_n, why, why_bytes);
    if (r < 0)
        return r;
    h->routes = calloc(h->routes_n + 1, sizeof *h->routes);
    h->stats = calloc(h->routes_n + 1, sizeof *h->stats);
    if (!h->routes || !h->stats)
        return -ENOMEM;
    for (size_t i = 0; i < h->routes_n; i++) {
        size_t first = 0;
        while (strcmp(routes[first].path, routes[i].path) != 0)
            first++;
        h->routes[i] = (struct route_facts){.rank = route_rank(routes[i].path), .stats_at = first};
    }
    return 0;
}

static void httpd_free(struct httpd *h)
{
    pthread_cond_destroy(&h->deferred_changed);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->web_lock);
    web_config_free(h->web);
    free(h->table);
    free(h->routes);
    free(h->stats);
    free(h);
}

static struct httpd *httpd_alloc(const struct httpd_config *config)
{
    struct httpd *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->config = *config;
    struct httpd_config *c = &h->config;
    c->threads = c->threads ? c->threads : 2;
    c->connections_max = c->connections_max ? c->connections_max : HTTP_CONNECTIONS_MAX;
    c->connections_per_address_max =
        c->connections_per_address_max ? c->connections_per_address_max : HTTP_CONNECTIONS_PER_ADDRESS_MAX;
    c->header_deadline_ms = c->header_deadline_ms ? c->header_deadline_ms : HTTP_HEADER_DEADLINE_MS;
    c->body_deadline_ms = c->body_deadline_ms ? c->body_deadline_ms : HTTP_BODY_DEADLINE_MS;
    c->reply_deadline_ms = c->reply_deadline_ms ? c->reply_deadline_ms : HTTP_REPLY_DEADLINE_MS;
    c->idle_deadline_ms = c->idle_deadline_ms ? c->idle_deadline_ms : HTTP_IDLE_DEADLINE_MS;
    c->server_name = c->server_name ? c->server_name : "http";
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->web_lock, NULL);
    h->web = web_config_ref(config->web_config);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->deferred_changed, &attr);
    pthread_condattr_destroy(&attr);
    return h;
}

int httpd_start(const struct httpd_config *config, struct httpd **ret, char *why, size_t why_bytes)
{
    char nowhere[8];
    if (!why || !why_bytes) {
        why = nowhere;
        why_bytes = sizeof nowhere;
    }
    why[0] = '\0';
    int fd = -1;
    bool swept = false;
    struct httpd *h = httpd_alloc(config);
    int r = h ? listen_parse(config->listen, &h->address, why, why_bytes) : -ENOMEM;
    if (r == 0)
        r = check_exposure(h, h->web, why, why_bytes);
    if (r == 0)
        r = prepare_routes(h, why, why_bytes);
    if (r == 0)
        fit_descriptors(h);
    if (r == 0)
        r = listen_open(&h->address, &fd, &h->port, why, why_bytes);
    if (r == 0) {
        r = connections_init(h);
        swept = true;
        if (r < 0)
            close(fd);
    }
    if (r == 0) {
        r = auth_init(h);
        if (r == 0)
            r = linger_init(h);
        if (r < 0)
            close(fd);
    }
    if (r == 0)
        r = start_daemon(h, fd, why, why_bytes);
    if (r == 0) {
        *ret = h;
        return 0;
    }
    if (!why[0])
        (void)snprintf(why, why_bytes, "%s", strerror(-r));
    if (swept) {
        connections_done(h);
        auth_done(h);
        linger_done(h);
    }
    if (h)
        httpd_free(h);
    return r;
}

/* ---- stop ---- */
/* Requests that nobody has answered get a 503; their owners keep them until they answer into the void. */
static void abandon_deferred(struct httpd *h)
{
    struct httpd_request *left = NULL;
    pthread_mutex_lock(&h->lock);
    for (struct httpd_request *r = h->deferred, *next; r; r = next) {
        next = r->next;
        int deferred = REQUEST_DEFERRED;
        if (!atomic_compare_exchange_strong(&r->state, &deferred, REQUEST_ABANDONED))
            continue; /* its owner is just answering */
        if (r->prev)
            r->prev->next = r->next;
        else
            h->deferred = r->next;
        if (r->next)
            r->next->prev = r->prev;
        r->next = left;
        left = r;
        h->deferred_n--;
    }
    pthread_mutex_unlock(&h->lock);
    while (left) {
        struct httpd_request *next = left->next;
        stats_refused(h, REFUSED_STOPPING, left->peer);
        MHD_resume_connection(left->mhd);
        left = next;
    }
}

static void wait_deferred(struct httpd *h, int64_t ms) /* < 0: as long as it takes */
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&h->lock);
    int r = 0;
    while (h->deferred_n && r != ETIMEDOUT)
        r = ms < 0 ? pthread_cond_wait(&h->deferred_changed, &h->lock)
                   : pthread_cond_timedwait(&h->deferred_changed, &h->lock, &until);
    pthread_mutex_unlock(&h->lock);
}

void httpd_stop(struct httpd *h, int64_t grace_ms)
{
    if (!h)
        return;
    atomic_store(&h->stopping, true);
    while (atomic_load(&h->handlers_running))
        sleep_us(200); /* handlers do not block */
    wait_deferred(h, grace_ms > 0 ? grace_ms : 0);
    abandon_deferred(h);
    wait_deferred(h, -1); /* answers that are on their way through request_answer */
    auth_stop(h);
    streams_close(h);
    int64_t until = mono_us() + (int64_t)HTTP_STOP_FLUSH_MS * 1000;
    while (atomic_load(&h->in_flight) && mono_us() < until)
        sleep_us(2000);
    MHD_stop_daemon(h->daemon);
    connections_done(h);
    auth_done(h);
    linger_done(h);
    httpd_free(h);
}

int httpd_set_web_config(struct httpd *h, struct web_config *wc, char *why, size_t why_bytes)
{
    if (!h->config.web_config || !wc || web_config_has_tls(h->config.web_config) != web_config_has_tls(wc)) {
        (void)snprintf(why, why_bytes, "TLS, or a web config as such, goes on or off at a restart only");
        return -EOPNOTSUPP;
    }
    int r = check_exposure(h, wc, why, why_bytes);
    if (r < 0)
        return r;
    pthread_mutex_lock(&h->web_lock);
    struct web_config *old = h->web;
    h->web = web_config_ref(wc);
    pthread_mutex_unlock(&h->web_lock);
    auth_forget(h);
    web_config_free(old);
    return 0;
}

uint16_t httpd_port(const struct httpd *h)
{
    return h->port;
}

const char *httpd_address(const struct httpd *h)
{
    return h->address.host;
}
