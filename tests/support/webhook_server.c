#include "tests/support/webhook_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "tests/support/check.h"

#define REQUESTS_MAX 4096
#define CONNECTIONS_MAX 256

struct received {
    json_t *body;
    int status;
    int64_t at_us;
};
struct connection {
    struct webhook_server *server;
    int fd;
    struct thread *thread;
};
struct webhook_server {
    int listen_fd;
    uint16_t port;
    char url[64];
    atomic_bool stopping;
    struct thread *thread;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct webhook_answer answers[REQUESTS_MAX];
    size_t n_answers, answered;
    struct received received[REQUESTS_MAX];
    size_t n;
    struct connection connections[CONNECTIONS_MAX];
    size_t n_connections;
};

/* Read until `buf` holds a whole request; its body, or false at the end of the connection. */
static bool read_request(struct connection *c, struct buf *in, struct span *ret_body)
{
    for (;;) {
        size_t head = span_search(buf_view(in), SPAN("\r\n\r\n"));
        if (head < in->len) {
            const char *at = strcasestr(in->data, "\r\ncontent-length: ");
            uint64_t length = 0;
            if (at && at < in->data + head) {
                at += strlen("\r\ncontent-length: ");
                if (parse_u64_span(span_of(at, strcspn(at, "\r")), 1 << 28, &length) < 0)
                    return false;
            }
            if (in->len >= head + 4 + length) {
                *ret_body = span_of(in->data + head + 4, length);
                return true;
            }
        }
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        if (poll(&fd, 1, 100) < 0 || atomic_load(&c->server->stopping))
            return false;
        if (!fd.revents)
            continue;
        char *to = buf_reserve(in, 65536);
        ssize_t n = to ? read(c->fd, to, 65536) : -1;
        if (n <= 0)
            return false;
        buf_grew(in, (size_t)n);
    }
}

/* Note the request and what it gets. */
static struct webhook_answer note(struct webhook_server *s, struct span body)
{
    struct webhook_answer answer = {.status = 200};
    pthread_mutex_lock(&s->lock);
    if (s->answered < s->n_answers)
        answer = s->answers[s->answered++];
    if (s->n < REQUESTS_MAX)
        s->received[s->n++] = (struct received){json_loadb(body.ptr, body.len, 0, NULL), answer.status, mono_us()};
    pthread_cond_broadcast(&s->came);
    pthread_mutex_unlock(&s->lock);
    return answer;
}

static void connection_main(void *arg)
{
    struct connection *c = arg;
    struct buf in;
    buf_init(&in, 64 << 20);
    struct span body;
    while (read_request(c, &in, &body)) {
        struct webhook_answer answer = note(c->server, body);
        buf_consume(&in, (size_t)(body.ptr - in.data) + body.len);
        for (int64_t end = mono_us() + answer.delay_ms * 1000; mono_us() < end && !atomic_load(&c->server->stopping);)
            sleep_us(2000);
        if (answer.status == 0)
            break;
        char text[160], retry[40] = "";
        if (answer.retry_after_s)
            (void)snprintf(retry, sizeof retry, "Retry-After: %d\r\n", answer.retry_after_s);
        int n = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\n%sContent-Length: 2\r\n\r\nok", answer.status, retry);
        if (write(c->fd, text, (size_t)n) != n)
            break;
    }
    buf_done(&in);
    shutdown(c->fd, SHUT_RDWR);
}

static void accept_main(void *arg)
{
    struct webhook_server *s = arg;
    while (!atomic_load(&s->stopping)) {
        struct pollfd fd = {.fd = s->listen_fd, .events = POLLIN};
        if (poll(&fd, 1, 50) <= 0)
            continue;
        int client = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        if (s->n_connections == CONNECTIONS_MAX) {
            close(client);
            continue;
        }
        struct connection *c = &s->connections[s->n_connections];
        *c = (struct connection){.server = s, .fd = client};
        if (thread_start("webhook", connection_main, c, &c->thread) == 0)
            s->n_connections++;
        else
            close(client);
    }
}

int webhook_server_start(uint16_t port, struct webhook_server **ret)
{
    struct webhook_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->came, &monotonic);
    pthread_condattr_destroy(&monotonic);
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    if (s->listen_fd < 0 || setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(s->listen_fd, 64) < 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&address, &bytes) < 0) {
        int r = -errno;
        webhook_server_stop(s);
        return r;
    }
    s->port = ntohs(address.sin_port);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/hook", s->port);
    int r = thread_start("webhook-accept", accept_main, s, &s->thread);
    if (r < 0) {
        webhook_server_stop(s);
        return r;
    }
    *ret = s;
    return 0;
}

void webhook_server_stop(struct webhook_server *s)
{
    if (!s)
        return;
    atomic_store(&s->stopping, true);
    thread_join(s->thread);
    for (size_t i = 0; i < s->n_connections; i++) {
        thread_join(s->connections[i].thread);
        close(s->connections[i].fd);
    }
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    for (size_t i = 0; i < s->n; i++)
        json_decref(s->received[i].body);
    pthread_cond_destroy(&s->came);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

uint16_t webhook_server_port(const struct webhook_server *s)
{
    return s->port;
}
const char *webhook_server_url(const struct webhook_server *s)
{
    return s->url;
}

void webhook_server_answer(struct webhook_server *s, const struct webhook_answer *answer)
{
    pthread_mutex_lock(&s->lock);
    if (s->n_answers < REQUESTS_MAX)
        s->answers[s->n_answers++] = *answer;
    pthread_mutex_unlock(&s->lock);
}

bool webhook_server_wait(struct webhook_server *s, size_t n, int64_t timeout_ms)
{
    struct timespec end;
    timeout_ms *= check_patience();
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    int r = 0;
    while (s->n < n && r == 0)
        r = pthread_cond_timedwait(&s->came, &s->lock, &end);
    bool enough = s->n >= n;
    pthread_mutex_unlock(&s->lock);
    return enough;
}

size_t webhook_server_count(struct webhook_server *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static struct received get(struct webhook_server *s, size_t i)
{
    pthread_mutex_lock(&s->lock);
    struct received r = i < s->n ? s->received[i] : (struct received){.status = -1};
    pthread_mutex_unlock(&s->lock);
    return r;
}
json_t *webhook_server_body(struct webhook_server *s, size_t i)
{
    return get(s, i).body;
}
int webhook_server_status(struct webhook_server *s, size_t i)
{
    return get(s, i).status;
}
int64_t webhook_server_at_us(struct webhook_server *s, size_t i)
{
    return get(s, i).at_us;
}

const char *webhook_server_alert(struct webhook_server *s, size_t i, size_t k, const char *label, char *text,
                                 size_t bytes)
{
    json_t *alert = json_array_get(json_object_get(webhook_server_body(s, i), "alerts"), k);
    json_t *labels = json_object_get(alert, "labels");
    const char *status = json_string_value(json_object_get(alert, "status"));
    const char *name = json_string_value(json_object_get(labels, "alertname"));
    const char *value = label ? json_string_value(json_object_get(labels, label)) : NULL;
    (void)snprintf(text, bytes, "%s %s%s%s", status ? status : "-", name ? name : "-", value ? "/" : "",
                   value ? value : "");
    return text;
}
