/* The client in somebody's loop: one descriptor, many requests, cancelling, streams. */
#include "lib/wire/http_client.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"
#include "tests/support/odd_peer.h"

struct seen {
    int done, ok;
    int last_error;
    struct http_client *again; /* send another one from the callback */
    const char *again_url;
};

static void on_done(void *ctx, struct http_response *response)
{
    struct seen *s = ctx;
    s->done++;
    s->ok += response->error == 0 && response->status == 200;
    s->last_error = response->error;
    if (s->again) {
        struct http_client *c = s->again;
        s->again = NULL;
        check_ok(http_send(c, &(struct http_request){.url = s->again_url}, on_done, s, NULL));
    }
}

/* The owner polls the one descriptor and nothing else. */
static void run(struct http_client *c, const struct seen *s, int until_done)
{
    int64_t end_us = mono_us() + 20000000;
    while (s->done < until_done) {
        struct pollfd p = {.fd = http_client_fd(c), .events = POLLIN};
        if (poll(&p, 1, 10000) != 1 || mono_us() > end_us)
            check_failed("the descriptor never woke us: %d of %d done", s->done, until_done);
        http_client_step(c);
    }
}

static void one_descriptor_wakes_the_owner_for_everything(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    assert_true(http_client_timeout_ms(c) == -1);
    struct seen s = {0};
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/ok")}, on_done, &s, NULL));
    assert_int_equal(s.done, 0); /* never from http_send */
    assert_int_equal(http_client_pending(c), 1);
    run(c, &s, 1);
    assert_int_equal(s.ok, 1);
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/hang"), .timeout_ms = 50}, on_done, &s,
                       NULL));
    run(c, &s, 2);
    assert_int_equal(s.last_error, -ETIMEDOUT);
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, NULL));
    assert_int_equal(s.done, 2);
    assert_true(http_client_timeout_ms(c) == 0);
    run(c, &s, 3);
    assert_int_equal(s.last_error, -EINVAL);
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/drip")}, on_done, &s, NULL));
    run(c, &s, 4);
    assert_int_equal(s.ok, 2);
    assert_int_equal(http_client_pending(c), 0);
    http_client_free(c);
}

static void the_timeout_alone_is_enough_too(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/hang"), .timeout_ms = 100}, on_done, &s,
                       NULL));
    int64_t end_us = mono_us() + 5000000 * (int64_t)check_patience();
    while (s.done == 0 && mono_us() < end_us) {
        int64_t ms = http_client_timeout_ms(c);
        assert_true(ms >= 0 && ms <= 1000);
        sleep_us(ms * 1000);
        http_client_step(c);
    }
    assert_int_equal(s.last_error, -ETIMEDOUT);
    http_client_free(c);
}

static void connections_are_reused_unless_a_fresh_one_is_asked_for(void **state)
{
    struct odd_peer *p = *state;
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    int before = p->accepted;
    for (int i = 0; i < 5; i++) {
        check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(p, "/ok")}, on_done, &s, NULL));
        run(c, &s, i + 1);
    }
    assert_int_equal(p->accepted - before, 1);
    for (int i = 0; i < 3; i++) {
        check_ok(
            http_send(c, &(struct http_request){.url = odd_peer_url(p, "/ok"), .no_reuse = true}, on_done, &s, NULL));
        run(c, &s, i + 6);
    }
    assert_int_equal(p->accepted - before, 4);
    assert_int_equal(s.ok, 8);
    http_client_free(c);
}

static void a_kept_connection_that_the_peer_closed_is_replaced(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    for (int i = 0; i < 10; i++) {
        check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/ok-then-close"), .body = SPAN("x")},
                           on_done, &s, NULL));
        run(c, &s, i + 1);
        if (i % 2)
            sleep_us(2000); /* once the close has come, once not */
    }
    assert_int_equal(s.ok, 10);
    http_client_free(c);
}

static void many_requests_at_once_each_end_once(void **state)
{
    enum { N = 200 };
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen each[N] = {0};
    struct seen all = {0};
    for (int i = 0; i < N; i++) {
        const char *path = i % 4 == 3 ? "/close" : i % 4 == 2 ? "/gzip" : "/ok";
        check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, path)}, on_done, &each[i], NULL));
    }
    assert_int_equal(http_client_pending(c), N);
    int64_t end_us = mono_us() + 20000000;
    while (http_client_pending(c) > 0 && mono_us() < end_us) {
        struct pollfd p = {.fd = http_client_fd(c), .events = POLLIN};
        poll(&p, 1, 1000);
        http_client_step(c);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(each[i].done, 1);
        all.ok += each[i].ok;
    }
    assert_int_equal(all.ok, N * 3 / 4);
    http_client_free(c);
}

static void callbacks_may_send_again(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {.again = c, .again_url = odd_peer_url(*state, "/ok")};
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, NULL));
    run(c, &s, 2);
    assert_int_equal(s.ok, 1);
    http_client_free(c);
}

static void cancel_ends_a_request_at_once_and_ignores_unknown_ids(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {0};
    uint64_t id = 0, bad = 0;
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/hang")}, on_done, &s, &id));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, &bad));
    http_client_step(c);
    assert_int_equal(s.done, 1); /* the bad one */
    http_cancel(c, bad);
    http_cancel(c, id + (1ull << 40));
    assert_int_equal(s.done, 1);
    http_cancel(c, id);
    assert_int_equal(s.done, 2);
    assert_int_equal(s.last_error, -ECANCELED);
    http_cancel(c, id);
    assert_int_equal(s.done, 2);
    /* one that failed before it started, cancelled before it was told */
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, on_done, &s, &bad));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense too"}, on_done, &s, NULL));
    http_cancel(c, bad);
    assert_int_equal(s.last_error, -ECANCELED);
    run(c, &s, 4);
    assert_int_equal(s.last_error, -EINVAL);
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/ok")}, on_done, &s, NULL));
    run(c, &s, 5);
    assert_int_equal(s.ok, 1);
    http_client_free(c);
}

static void resend(void *ctx, struct http_response *response)
{
    struct seen *s = ctx;
    s->done++;
    s->last_error = response->error;
    check_errno(http_send(s->again, &(struct http_request){.url = s->again_url}, resend, s, NULL), -ESHUTDOWN);
}

static void free_cancels_what_is_pending(void **state)
{
    struct http_client *c;
    check_ok(http_client_new(&c));
    struct seen s = {.again = c, .again_url = odd_peer_url(*state, "/ok")};
    check_ok(http_send(c, &(struct http_request){.url = odd_peer_url(*state, "/hang")}, resend, &s, NULL));
    check_ok(http_send(c, &(struct http_request){.url = "nonsense"}, resend, &s, NULL));
    http_client_free(c);
    assert_int_equal(s.done, 2);
    assert_int_equal(s.last_error, -ECANCELED);
    http_client_free(NULL);
}

struct pieces {
    size_t bytes, stop_after, calls;
    char first[17];
};

static bool on_piece(void *ctx, struct span piece)
{
    struct pieces *p = ctx;
    assert_true(piece.len > 0 && piece.len <= 16384);
    if (p->bytes == 0)
        snprintf(p->first, sizeof p->first, SPAN_FMT, SPAN_ARG(piece));
    p->bytes += piece.len;
    p->calls++;
    return p->bytes < p->stop_after;
}

static void a_streamed_body_comes_in_pieces_and_is_not_kept(void **state)
{
    struct http_response response;
    struct pieces p = {.stop_after = SIZE_MAX};
    check_ok(http_fetch(
        &(struct http_request){
            .url = odd_peer_url(*state, "/big"), .on_data = on_piece, .on_data_ctx = &p, .body_bytes_max = 100},
        &response));
    assert_int_equal(p.bytes, 10000);
    assert_int_equal(response.body.len, 0);
    http_response_done(&response);
    p = (struct pieces){.stop_after = SIZE_MAX};
    check_errno(
        http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/cut"), .on_data = on_piece, .on_data_ctx = &p},
                   &response),
        -ECONNRESET);
    assert_string_equal(p.first, "half");
    http_response_done(&response);
    p = (struct pieces){.stop_after = SIZE_MAX}; /* an error's body is for people, and kept */
    check_ok(
        http_fetch(&(struct http_request){.url = odd_peer_url(*state, "/503"), .on_data = on_piece, .on_data_ctx = &p},
                   &response));
    assert_int_equal(p.calls, 0);
    check_span(buf_view(&response.body), "busy");
    http_response_done(&response);
}

static void the_receiver_of_a_stream_can_end_it(void **state)
{
    struct http_response response;
    struct pieces p = {.stop_after = 100};
    check_errno(
        http_fetch(
            &(struct http_request){.url = odd_peer_url(*state, "/endless"), .on_data = on_piece, .on_data_ctx = &p},
            &response),
        -ECANCELED);
    assert_true(p.bytes >= 100 && p.bytes < 17000);
    assert_string_equal(response.error_text, "ended by the receiver");
    http_response_done(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_descriptor_wakes_the_owner_for_everything),
        cmocka_unit_test(the_timeout_alone_is_enough_too),
        cmocka_unit_test(connections_are_reused_unless_a_fresh_one_is_asked_for),
        cmocka_unit_test(a_kept_connection_that_the_peer_closed_is_replaced),
        cmocka_unit_test(many_requests_at_once_each_end_once),
        cmocka_unit_test(callbacks_may_send_again),
        cmocka_unit_test(cancel_ends_a_request_at_once_and_ignores_unknown_ids),
        cmocka_unit_test(free_cancels_what_is_pending),
        cmocka_unit_test(a_streamed_body_comes_in_pieces_and_is_not_kept),
        cmocka_unit_test(the_receiver_of_a_stream_can_end_it),
    };
    return cmocka_run_group_tests(tests, odd_peer_start, odd_peer_stop);
}
