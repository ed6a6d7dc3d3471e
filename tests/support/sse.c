#include "tests/support/sse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/wire/remote_write.h"

/* ---- the stream ---- */
static bool read_more(struct sse *s, int64_t until_us)
{
    int64_t left_ms = (until_us - mono_us()) / 1000;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    if (s->ended || left_ms < 0 || poll(&p, 1, (int)left_ms) <= 0)
        return false;
    char *at = buf_reserve(&s->raw, 65536);
    assert_non_null(at);
    ssize_t n = recv(s->fd, at, 65536, 0);
    if (n <= 0) {
        s->ended = true;
        return false;
    }
    buf_grew(&s->raw, (size_t)n);
    return true;
}

/* Whole chunks of raw become text. */
static void unchunk(struct sse *s)
{
    while (s->raw.len) {
        const char *line = memmem(s->raw.data, s->raw.len, "\r\n", 2);
        if (!line)
            return;
        size_t n = 0, head = (size_t)(line - s->raw.data) + 2;
        for (const char *p = s->raw.data; p < line; p++)
            n = n * 16 + (size_t)(*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
        if (s->raw.len < head + n + 2)
            return;
        if (n == 0)
            s->ended = true;
        buf_bytes(&s->text, s->raw.data + head, n);
        buf_consume(&s->raw, head + n + 2);
    }
}

struct sse *sse_open(uint16_t port, const char *last_id, int expected_status)
{
    struct sse *s = calloc(1, sizeof *s);
    assert_non_null(s);
    buf_init(&s->raw, 4u << 20);
    buf_init(&s->text, 4u << 20);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&in, sizeof in), 0);
    char request[512];
    int n = snprintf(request, sizeof request, "GET /api/crest/v1/stream HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
                     last_id ? "Last-Event-ID: " : "", last_id ? last_id : "", last_id ? "\r\n" : "");
    assert_int_equal(send(s->fd, request, (size_t)n, MSG_NOSIGNAL), n);
    int64_t until_us = mono_us() + 10000000;
    const char *end;
    while (!s->raw.len || !(end = memmem(s->raw.data, s->raw.len, "\r\n\r\n", 4)))
        if (!read_more(s, until_us))
            check_failed("no answer from the stream: %s", s->raw.data ? s->raw.data : "");
    char status[16];
    snprintf(status, sizeof status, "HTTP/1.1 %d ", expected_status);
    if (strncmp(s->raw.data, status, strlen(status)) != 0)
        check_failed("instead of %d: %.300s", expected_status, s->raw.data);
    if (expected_status != 200) {
        check_contains(s->raw.data, "Retry-After: ");
        sse_close(s);
        return NULL;
    }
    check_contains(s->raw.data, "text/event-stream");
    check_contains(s->raw.data, "no-store");
    buf_consume(&s->raw, (size_t)(end - s->raw.data) + 4);
    return s;
}

static void keep_field(const char *text, const char *end, const char *name, char *to, size_t size)
{
    to[0] = '\0';
    for (const char *p = text; p < end; p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1)
        if (strncmp(p, name, strlen(name)) == 0)
            snprintf(to, size, "%.*s", (int)strcspn(p + strlen(name), "\n"), p + strlen(name));
}

bool sse_next(struct sse *s, int64_t timeout_ms, struct sse_event *ret)
{
    int64_t until_us = mono_us() + timeout_ms * 1000 * check_patience();
    buf_consume(&s->text, s->used);
    s->used = 0;
    for (;;) {
        unchunk(s);
        const char *end = s->text.len ? memmem(s->text.data, s->text.len, "\n\n", 2) : NULL;
        if (!end) {
            if (!read_more(s, until_us))
                return false;
            continue;
        }
        const char *start = s->text.data, *data = memmem(start, (size_t)(end + 2 - start), "data: ", 6);
        size_t len = (size_t)(end - start) + 2;
        if (!data) { /* retry: */
            buf_consume(&s->text, len);
            continue;
        }
        keep_field(start, end + 1, "event: ", s->event, sizeof s->event);
        keep_field(start, end + 1, "id: ", s->id, sizeof s->id);
        s->used = len;
        *ret = (struct sse_event){s->event, s->id, span_of(data + 6, (size_t)(end - data - 6))};
        return true;
    }
}

void sse_close(struct sse *s)
{
    close(s->fd);
    buf_done(&s->raw);
    buf_done(&s->text);
    free(s);
}

/* ---- samples ---- */
struct feed {
    struct remote_write_encoder *encoder;
    struct arena arena;
};

struct feed *feed_new(void)
{
    struct feed *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 64u << 20);
    check_ok(remote_write_encoder_new(&f->encoder));
    return f;
}

void feed_add(struct feed *f, double value, int64_t t_ms, ...)
{
    struct label_builder b;
    struct labels labels;
    label_builder_init(&b, &f->arena);
    va_list args;
    va_start(args, t_ms);
    for (const char *name; (name = va_arg(args, const char *));)
        label_builder_set(&b, span_str(name), span_str(va_arg(args, const char *)));
    va_end(args);
    check_ok(label_builder_finish(&b, &labels));
    check_ok(remote_write_add(f->encoder, &labels, &(struct sample){.t_ms = t_ms, .value = value}, 1));
}

void feed_send(struct feed *f, const struct e2e_program *collector)
{
    static const char *const HEADERS[] = {"Content-Type: " REMOTE_WRITE_CONTENT_TYPE, "Content-Encoding: snappy",
                                          REMOTE_WRITE_VERSION_HEADER, NULL};
    struct buf body;
    char url[256], *answer = NULL;
    buf_init(&body, 4u << 20);
    check_ok(remote_write_finish(f->encoder, &body));
    snprintf(url, sizeof url, "%s/api/v1/write", e2e_url(collector));
    int status = e2e_try("POST", url, HEADERS, buf_view(&body), &answer);
    if (status / 100 != 2)
        check_failed("remote write: %d %s", status, answer ? answer : "");
    free(answer);
    buf_done(&body);
    remote_write_encoder_free(f->encoder);
    arena_done(&f->arena);
    free(f);
}
