/* Answers that come later, from other threads; streams; and stopping while some are open. */
#include "tests/unit/lib/httpd/raw_client.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/log.h"
#include "lib/base/thread.h"
#include "lib/httpd/httpd.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* ---- a program with a worker thread, a hall of streams, and requests that are held back ---- */
#define STREAMS_MAX 64

struct viewer {
    struct program *p;
    struct httpd_stream *stream;
    struct buf pending; /* under p->lock */
    bool over;          /* read answers -1 */
    size_t at;
};
struct program {
    struct httpd *server;
    uint16_t port;
    struct queue *work;
    struct thread *workers[2];
    struct queue *held;
    pthread_mutex_t lock;
    struct viewer *viewers[STREAMS_MAX];
    atomic_int done_count, deferred_count, gone_seen;
};

static void worker_main(void *arg)
{
    struct program *p = arg;
    void *items[8];
    size_t n;
    while ((n = queue_pop_all(p->work, items, ARRAY_LEN(items), -1)) > 0) {
        for (size_t i = 0; i < n; i++) {
            struct httpd_request *r = items[i];
            struct span id = httpd_param(r, "id");
            httpd_reply_header(r, "X-Worker", "yes");
            if (id.len)
                httpd_reply_text(r, 200, "later " SPAN_FMT " " SPAN_FMT, SPAN_ARG(id),
                                 SPAN_ARG(httpd_header(r, "Host")));
            else
                httpd_reply_empty(r, 204);
        }
    }
}

static void on_later(struct httpd_request *r, void *ctx)
{
    struct program *p = ctx;
    httpd_defer(r);
    assert_int_equal(queue_push(p->work, r), 0); /* it may be answered before this returns */
}

static void on_hold(struct httpd_request *r, void *ctx)
{
    struct program *p = ctx;
    httpd_defer(r);
    atomic_fetch_add(&p->deferred_count, 1);
    assert_int_equal(queue_push(p->held, r), 0);
}

static void on_hello(struct httpd_request *r, void *ctx)
{
    (void)ctx;
    httpd_reply_text(r, 200, "hello");
}

static ssize_t viewer_read(void *ctx, char *at, size_t max)
{
    struct viewer *v = ctx;
    pthread_mutex_lock(&v->p->lock);
    size_t n = v->pending.len < max ? v->pending.len : max;
    if (n)
        memcpy(at, v->pending.data, n);
    buf_consume(&v->pending, n);
    ssize_t r = n ? (ssize_t)n : v->over ? -1 : 0;
    pthread_mutex_unlock(&v->p->lock);
    return r;
}

static void viewer_done(void *ctx)
{
    struct viewer *v = ctx;
    struct program *p = v->p;
    pthread_mutex_lock(&p->lock);
    p->viewers[v->at] = NULL;
    pthread_mutex_unlock(&p->lock);
    buf_done(&v->pending);
    free(v);
    atomic_fetch_add(&p->done_count, 1);
}

static void on_stream(struct httpd_request *r, void *ctx)
{
    struct program *p = ctx;
    static const struct httpd_stream_ops OPS = {viewer_read, viewer_done};
    struct viewer *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->p = p;
    buf_init(&v->pending, 1 << 20);
    buf_str(&v->pending, "first\n");
    bool bad = httpd_param(r, "bad").ptr != NULL;
    if (bad)
        httpd_reply_header(r, "X-Bad", "a\nb");
    httpd_reply_header(r, "Cache-Control", "no-store");
    struct httpd_stream *s;
    httpd_reply_stream(r, 200, "text/event-stream", &OPS, v, &s);
    assert_true(bad == (s == NULL));
    if (!s)
        return;
    pthread_mutex_lock(&p->lock);
    v->stream = s;
    while (p->viewers[v->at])
        v->at++;
    p->viewers[v->at] = v;
    pthread_mutex_unlock(&p->lock);
}

static void publish(struct program *p, const char *text, bool over)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        struct viewer *v = p->viewers[i];
        if (!v)
            continue;
        buf_str(&v->pending, text);
        v->over = over;
        httpd_stream_wake(v->stream);
    }
    pthread_mutex_unlock(&p->lock);
}

static size_t viewers(struct program *p)
{
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        n += p->viewers[i] != NULL;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static const struct httpd_route ROUTES[] = {{"GET|POST", "/later", 0, on_later, NULL},
                                            {"GET", "/hold", 0, on_hold, NULL},
                                            {"GET", "/hello", 0, on_hello, NULL},
                                            {"GET", "/stream", 0, on_stream, NULL},
                                            {0}};

static int start(void **state)
{
    char why[256];
    struct program *p = calloc(1, sizeof *p);
    assert_non_null(p);
    pthread_mutex_init(&p->lock, NULL);
    assert_int_equal(queue_new(10000, &p->work), 0);
    assert_int_equal(queue_new(10000, &p->held), 0);
    for (size_t i = 0; i < ARRAY_LEN(p->workers); i++)
        assert_int_equal(thread_start("worker", worker_main, p, &p->workers[i]), 0);
    struct httpd_config config = {.listen = "127.0.0.1:0", .routes = ROUTES, .ctx = p};
    if (httpd_start(&config, &p->server, why, sizeof why) < 0)
        fail_msg("%s", why);
    p->port = httpd_port(p->server);
    *state = p;
    return 0;
}

static int stop(void **state)
{
    struct program *p = *state;
    httpd_stop(p->server, 1000);
    queue_close(p->work);
    for (size_t i = 0; i < ARRAY_LEN(p->workers); i++)
        thread_join(p->workers[i]);
    queue_free(p->work);
    queue_free(p->held);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return 0;
}

static bool wait_until(atomic_int *n, int want)
{
    for (int i = 0; i < 500 && atomic_load(n) < want; i++)
        sleep_us(10000);
    return atomic_load(n) >= want;
}

static struct httpd_request *take_held(struct program *p)
{
    void *item = NULL;
    assert_int_equal(queue_pop_all(p->held, &item, 1, 5000000), 1);
    return item;
}

/* ---- deferred answers ---- */
static void httpd_sends_answers_made_by_another_thread(void **state)
{
    struct program *p = *state;
    int fd = raw_connect(p->port);
    for (int i = 0; i < 300; i++) {
        char request[128], want[64];
        (void)snprintf(request, sizeof request, GET("/later?id=%d"), i);
        (void)snprintf(want, sizeof want, "later %d localhost", i);
        raw_send(fd, request);
        struct raw_reply reply = raw_read(fd);
        assert_int_equal(reply.status, 200);
        assert_true(raw_body_is(&reply, want));
        assert_true(span_equal(raw_header(&reply, "X-Worker"), SPAN("yes")));
        raw_done(&reply);
    }
    close(fd);
    raw_expect(p->port,
               "POST /later HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
               "application/x-www-form-urlencoded\r\nContent-Length: 6\r\n\r\nid=%37",
               200, "later 7 localhost");
}

static void httpd_sends_pipelined_deferred_answers_in_order(void **state)
{
    struct program *p = *state;
    int fd = raw_connect(p->port);
    raw_send(fd, GET("/later?id=1") GET("/hello") GET("/later") GET("/later?id=2"));
    static const char *const WANT[] = {"later 1 localhost", "hello", "", "later 2 localhost"};
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
        struct raw_reply reply = raw_read(fd);
        assert_true(reply.status != 0);
        assert_true(raw_body_is(&reply, WANT[i]));
        raw_done(&reply);
    }
    close(fd);
}

static void httpd_serves_others_while_answers_are_held_back(void **state)
{
    struct program *p = *state;
    int fds[50];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(p->port);
        raw_send(fds[i], GET("/hold"));
    }
    assert_true(wait_until(&p->deferred_count, ARRAY_LEN(fds)));
    raw_expect(p->port, GET("/hello"), 200, "hello");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        httpd_reply_text(take_held(p), 200, "released");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct raw_reply reply = raw_read(fds[i]);
        assert_true(raw_body_is(&reply, "released"));
        raw_done(&reply);
        close(fds[i]);
    }
}

static void httpd_knows_when_the_client_of_a_deferred_request_has_gone(void **state)
{
    struct program *p = *state;
    int staying = raw_connect(p->port), leaving = raw_connect(p->port);
    raw_send(staying, GET("/hold") GET("/hello")); /* bytes of the next request are no sign of leaving */
    struct httpd_request *r1 = take_held(p);
    raw_send(leaving, GET("/hold") GET("/hello"));
    struct httpd_request *r2 = take_held(p);
    assert_false(httpd_is_gone(r1));
    assert_false(httpd_is_gone(r2));
    close(leaving);
    for (int i = 0; i < 3000 && !httpd_is_gone(r2); i++)
        sleep_us(10000);
    assert_true(httpd_is_gone(r2));
    assert_false(httpd_is_gone(r1));
    assert_string_equal(httpd_peer(r2), "127.0.0.1");
    httpd_reply_text(r2, 200, "too late"); /* and the answer is freed, not sent */
    httpd_reply_text(r1, 200, "in time");
    struct raw_reply reply = raw_read(staying);
    assert_true(raw_body_is(&reply, "in time"));
    raw_done(&reply);
    reply = raw_read(staying);
    assert_true(raw_body_is(&reply, "hello"));
    raw_done(&reply);
    close(staying);
}

struct sender {
    struct program *p;
    unsigned seed;
    atomic_int answered;
};

static void sender_main(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < 60; i++) {
        s->seed = s->seed * 1103515245u + 12345u;
        int fd = raw_connect(s->p->port);
        raw_send(fd, GET("/later?id=1") GET("/later?id=2") GET("/hello"));
        if ((s->seed >> 16) % 3) { /* the others leave at once */
            struct raw_reply reply = raw_read(fd);
            atomic_fetch_add(&s->answered, reply.status == 200);
            raw_done(&reply);
        } else {
            atomic_fetch_add(&s->answered, 1);
        }
        close(fd);
    }
}

static void httpd_stays_sound_when_clients_leave_at_any_moment(void **state)
{
    struct program *p = *state;
    struct sender senders[4];
    struct thread *threads[4];
    for (unsigned i = 0; i < ARRAY_LEN(senders); i++) {
        senders[i] = (struct sender){.p = p, .seed = i};
        assert_int_equal(thread_start("sender", sender_main, &senders[i], &threads[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
        thread_join(threads[i]);
        assert_int_equal(atomic_load(&senders[i].answered), 60);
    }
    raw_expect(p->port, GET("/hello"), 200, "hello");
}

/* ---- streams ---- */
static void httpd_streams_what_is_published_and_ends_when_told(void **state)
{
    struct program *p = *state;
    int fd = raw_connect(p->port);
    raw_send(fd, GET("/stream"));
    struct raw_reply reply = raw_read_head(fd);
    assert_int_equal(reply.status, 200);
    assert_true(span_equal(raw_header(&reply, "Content-Type"), SPAN("text/event-stream")));
    assert_true(span_equal(raw_header(&reply, "Cache-Control"), SPAN("no-store")));
    assert_int_equal(raw_chunk(fd, &reply.body), 6);
    for (int i = 0; i < 100; i++) {
        buf_clear(&reply.body);
        publish(p, "x=1\n", false);
        assert_int_equal(raw_chunk(fd, &reply.body), 4); /* each leaves at once, not with the next */
        assert_true(raw_body_is(&reply, "x=1\n"));
    }
    buf_clear(&reply.body);
    publish(p, "last", true);
    assert_int_equal(raw_chunk(fd, &reply.body), 4);
    assert_int_equal(raw_chunk(fd, &reply.body), 0);
    assert_true(wait_until(&p->done_count, 1));
    raw_done(&reply);
    raw_send(fd, GET("/hello")); /* the connection lives on */
    reply = raw_read(fd);
    assert_true(raw_body_is(&reply, "hello"));
    raw_done(&reply);
    close(fd);
}

static void httpd_ends_a_stream_whose_client_has_left_at_the_next_sends(void **state)
{
    struct program *p = *state;
    int fds[20];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(p->port);
        raw_send(fds[i], GET("/stream"));
        struct raw_reply reply = raw_read_head(fds[i]);
        assert_int_equal(reply.status, 200);
        raw_done(&reply);
    }
    assert_int_equal(viewers(p), ARRAY_LEN(fds));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    for (int i = 0; i < 200 && atomic_load(&p->done_count) < (int)ARRAY_LEN(fds); i++) {
        publish(p, ": hb\n\n", false);
        sleep_us(10000);
    }
    assert_int_equal(atomic_load(&p->done_count), ARRAY_LEN(fds));
    assert_int_equal(viewers(p), 0);
}

static void httpd_runs_done_also_for_a_stream_that_never_began(void **state)
{
    struct program *p = *state;
    raw_expect(p->port, GET("/stream?bad=1"), 500, NULL);
    assert_int_equal(atomic_load(&p->done_count), 1);
    struct raw_reply reply = raw_ask(p->port, "HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(reply.status, 200);
    raw_done(&reply);
    assert_true(wait_until(&p->done_count, 2));
}

static void publisher_main(void *arg)
{
    struct program *p = arg;
    for (int i = 0; i < 400; i++) {
        publish(p, "tick\n", false);
        sleep_us(500);
    }
}

static void httpd_loses_no_wake_between_reader_and_publisher(void **state)
{
    struct program *p = *state;
    int fds[8];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(p->port);
        raw_send(fds[i], GET("/stream"));
        struct raw_reply reply = raw_read_head(fds[i]);
        raw_done(&reply);
    }
    struct thread *publisher;
    assert_int_equal(thread_start("publisher", publisher_main, p, &publisher), 0);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct buf all;
        buf_init(&all, 1 << 20);
        while (all.len < 6 + 400 * 5) /* nothing further is published: a lost wake would stay lost */
            assert_true(raw_chunk(fds[i], &all) > 0);
        buf_done(&all);
        close(fds[i]);
    }
    thread_join(publisher);
}

/* ---- stopping ---- */
struct stopper {
    struct httpd *h;
    int64_t grace_ms, took_ms;
};

static void stopper_main(void *arg)
{
    struct stopper *s = arg;
    int64_t begun = mono_us();
    httpd_stop(s->h, s->grace_ms);
    s->took_ms = (mono_us() - begun) / 1000;
}

static void httpd_stop_waits_for_deferred_answers_and_refuses_new_requests(void **state)
{
    struct program *p = *state;
    int waiting = raw_connect(p->port), kept = raw_connect(p->port);
    raw_send(waiting, GET("/hold"));
    struct httpd_request *r = take_held(p);
    struct stopper s = {.h = p->server, .grace_ms = 20000};
    struct thread *t;
    assert_int_equal(thread_start("stopper", stopper_main, &s, &t), 0);
    struct raw_reply reply = {0};
    for (int i = 0; i < 500 && reply.status != 503; i++) { /* until stop has begun */
        raw_done(&reply);
        reply = raw_ask(p->port, GET("/hello"));
    }
    assert_int_equal(reply.status, 503);
    assert_true(span_equal(raw_header(&reply, "Retry-After"), SPAN("1")));
    raw_done(&reply);
    raw_send(kept, GET("/hello"));
    reply = raw_read(kept);
    assert_int_equal(reply.status, 503);
    raw_done(&reply);
    httpd_reply_text(r, 200, "in time");
    reply = raw_read(waiting);
    assert_int_equal(reply.status, 200);
    assert_true(raw_body_is(&reply, "in time"));
    raw_done(&reply);
    thread_join(t);
    assert_true(s.took_ms < 10000);
    p->server = NULL;
    close(waiting);
    close(kept);
}

static void httpd_stop_gives_up_on_deferred_answers_after_the_grace(void **state)
{
    struct program *p = *state;
    int fds[3];
    struct httpd_request *held[3];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(p->port);
        raw_send(fds[i], GET("/hold?id=1"));
        held[i] = take_held(p);
    }
    int64_t begun = mono_us();
    httpd_stop(p->server, 200);
    p->server = NULL;
    int64_t ms = (mono_us() - begun) / 1000;
    assert_true(ms >= 200 && ms < 5000);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct raw_reply reply = raw_read(fds[i]);
        assert_int_equal(reply.status, 503);
        raw_done(&reply);
        close(fds[i]);
    }
    /* the owners still hold valid requests, and answer into the void */
    assert_true(httpd_is_gone(held[0]));
    assert_true(span_equal(httpd_header(held[0], "host"), SPAN("localhost")));
    assert_true(span_equal(httpd_param(held[0], "id"), SPAN("1")));
    httpd_reply_text(held[0], 200, "void");
    httpd_reply_error(held[1], 400, "bad_data", "void");
    static const struct httpd_stream_ops OPS = {viewer_read, viewer_done};
    struct viewer *v = calloc(1, sizeof *v);
    assert_non_null(v);
    v->p = p;
    struct httpd_stream *s;
    httpd_reply_stream(held[2], 200, "text/plain", &OPS, v, &s);
    assert_null(s);
    assert_int_equal(atomic_load(&p->done_count), 1);
}

static void httpd_stop_ends_streams_properly(void **state)
{
    struct program *p = *state;
    int fds[5];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(p->port);
        raw_send(fds[i], GET("/stream"));
        struct raw_reply reply = raw_read_head(fds[i]);
        assert_int_equal(raw_chunk(fds[i], &reply.body), 6);
        raw_done(&reply);
    }
    int64_t begun = mono_us();
    httpd_stop(p->server, 5000);
    p->server = NULL;
    assert_true(mono_us() - begun < 3000000);
    assert_int_equal(atomic_load(&p->done_count), ARRAY_LEN(fds));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        struct buf rest;
        buf_init(&rest, 100);
        assert_int_equal(raw_chunk(fds[i], &rest), 0); /* the last chunk, not a cut connection */
        assert_int_equal(raw_byte(fds[i]), -1);
        buf_done(&rest);
        close(fds[i]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    log_init("test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(httpd_sends_answers_made_by_another_thread),
        TEST(httpd_sends_pipelined_deferred_answers_in_order),
        TEST(httpd_serves_others_while_answers_are_held_back),
        TEST(httpd_knows_when_the_client_of_a_deferred_request_has_gone),
        TEST(httpd_stays_sound_when_clients_leave_at_any_moment),
        TEST(httpd_streams_what_is_published_and_ends_when_told),
        TEST(httpd_ends_a_stream_whose_client_has_left_at_the_next_sends),
        TEST(httpd_runs_done_also_for_a_stream_that_never_began),
        TEST(httpd_loses_no_wake_between_reader_and_publisher),
        TEST(httpd_stop_waits_for_deferred_answers_and_refuses_new_requests),
        TEST(httpd_stop_gives_up_on_deferred_answers_after_the_grace),
        TEST(httpd_stop_ends_streams_properly),
    };
    return cmocka_run_group_tests_name("lib/httpd later", tests, NULL, NULL);
}
