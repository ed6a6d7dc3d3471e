/* One endpoint, driven by a fake clock against a receiver that accepts, refuses, is busy, silent or away. */
#include "agent/sender.h"

#include <errno.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "tests/support/check.h"
#include "tests/support/write_receiver.h"

#define SECOND 1000000
#define MAX 1000

struct fixture {
    char *folder, spool[4096];
    struct write_receiver *receiver;
    struct http_client *http;
    struct remote_endpoint endpoint;
    struct sender *sender;
    int64_t now_us; /* the fake clock */
    unsigned added;
};
static struct fixture f;
static const char *no_headers[] = {NULL};

static void open_sender(void)
{
    check_ok(sender_new(&f.endpoint, f.http, f.folder ? f.spool : NULL, 1 << 20, &f.sender));
}

static int setup(void **state UNUSED)
{
    f = (struct fixture){.now_us = SECOND};
    check_ok(dir_make_temp("sender", &f.folder));
    snprintf(f.spool, sizeof f.spool, "%s/spool", f.folder);
    check_ok(write_receiver_start(&f.receiver));
    check_ok(http_client_new(&f.http));
    f.endpoint = (struct remote_endpoint){
        .url = write_receiver_url(f.receiver), .timeout_ms = 5000, .headers = no_headers, .send_metadata = true};
    return 0;
}

static int teardown(void **state UNUSED)
{
    sender_free(f.sender);
    http_client_free(f.http);
    write_receiver_stop(f.receiver);
    int r = f.folder ? dir_remove(f.folder) : 0;
    free(f.folder);
    return r;
}

/* One sample of "m"; its value is its number. */
static void add(void)
{
    struct label pairs[] = {{SPAN("__name__"), SPAN("m")}};
    struct sample s = {1000 + f.added, 0, f.added};
    f.added++;
    sender_add(f.sender, &(struct labels){pairs, 1}, &s, f.now_us);
}

/* Turns at the present fake time until `requests` have been answered in all (real time passes, the fake clock stands). */
static void run_until(size_t requests)
{
    int64_t until = mono_us() + 5 * SECOND * (int64_t)check_patience();
    for (;;) {
        http_client_step(f.http);
        (void)sender_step(f.sender, f.now_us, 0);
        if (write_receiver_requests(f.receiver) >= requests && http_client_pending(f.http) == 0)
            return;
        if (mono_us() > until)
            check_failed("%zu requests, %zu wanted", write_receiver_requests(f.receiver), requests);
        struct pollfd fd = {.fd = http_client_fd(f.http), .events = POLLIN};
        (void)poll(&fd, 1, 5);
    }
}

/* Turns at the present fake time without anything to wait for: nothing may be sent. */
static void expect_silence(void)
{
    size_t before = write_receiver_requests(f.receiver);
    for (int i = 0; i < 20; i++) {
        http_client_step(f.http);
        (void)sender_step(f.sender, f.now_us, 0);
        sleep_us(1000);
    }
    assert_int_equal(write_receiver_requests(f.receiver), before);
}

static void expect_received(unsigned n)
{
    static struct received_sample samples[MAX];
    bool seen[MAX] = {0};
    unsigned different = 0;
    size_t k = write_receiver_samples(f.receiver, "m", samples, MAX);
    for (size_t i = 0; i < k; i++) {
        unsigned number = (unsigned)samples[i].value;
        assert_true(number < MAX);
        different += !seen[number];
        seen[number] = true;
    }
    assert_int_equal(different, n);
}

static void answer(int status, const char *headers)
{
    write_receiver_answer(f.receiver, &(struct stub_page){.status = status, .headers = headers, .body = "why"});
}

static void a_batch_leaves_at_once_and_is_counted(void **state UNUSED)
{
    open_sender();
    add();
    add();
    assert_false(sender_idle(f.sender));
    run_until(1);
    expect_received(2);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->samples), 2);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->sent_samples), 2);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records), 0);
    assert_true(sender_idle(f.sender));
    expect_silence();
    assert_true(sender_step(f.sender, f.now_us, 0) == INT64_MAX);
}

static void headers_and_credentials_go_with_each_request(void **state UNUSED)
{
    static const char *headers[] = {"X-Scope-OrgID: tenant", NULL};
    char head[4096];
    f.endpoint.headers = headers;
    f.endpoint.credentials = (struct http_credentials){.bearer = "abc"};
    open_sender();
    add();
    run_until(1);
    write_receiver_last_head(f.receiver, head, sizeof head);
    check_span(stub_header(span_str(head), "x-scope-orgid"), "tenant");
    check_span(stub_header(span_str(head), "authorization"), "Bearer abc");
    check_span(stub_header(span_str(head), "content-encoding"), "snappy");
    check_span(stub_header(span_str(head), "content-type"), "application/x-protobuf");
    check_span(stub_header(span_str(head), "x-prometheus-remote-write-version"), "0.1.0");
}

static void a_refused_batch_is_dropped_counted_and_not_repeated(void **state UNUSED)
{
    open_sender();
    answer(400, NULL);
    add();
    run_until(1);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 1);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->failed_requests), 1);
    f.now_us += 100ll * SECOND;
    expect_silence();
    answer(204, NULL);
    add(); /* the endpoint is as healthy as before */
    run_until(2);
    expect_received(1);
}

static void of_a_batch_refused_in_part_the_rest_counts_as_sent(void **state UNUSED)
{
    open_sender();
    answer(400, "X-Prometheus-Remote-Write-Samples-Written: 2\r\n");
    for (int i = 0; i < 3; i++)
        add();
    run_until(1);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->sent_samples), 2);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 1);
}

static const int BUSY[] = {500, 503, 429};

static void a_busy_endpoint_gets_the_batch_again_from_the_spool(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(BUSY); i++) {
        size_t before = write_receiver_requests(f.receiver);
        open_sender();
        answer(BUSY[i], NULL);
        add();
        run_until(before + 1);
        assert_false(atomic_load(&sender_counts(f.sender)->healthy));
        assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records), 1);
        expect_silence(); /* backs off */
        add();            /* waits half a second for an answer, then goes to the spool */
        f.now_us += SECOND / 2;
        answer(204, NULL);
        run_until(before + 3);
        assert_true(atomic_load(&sender_counts(f.sender)->healthy));
        assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records), 0);
        assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 0);
        expect_received(f.added);
        sender_free(f.sender);
        f.sender = NULL;
    }
}

static void retry_after_is_honoured_up_to_a_minute(void **state UNUSED)
{
    open_sender();
    answer(503, "Retry-After: 7\r\n");
    add();
    run_until(1);
    f.now_us += 6900000;
    expect_silence();
    answer(503, "Retry-After: 86400\r\n");
    f.now_us += 200000;
    run_until(2);
    f.now_us += 59 * SECOND;
    expect_silence();
    answer(204, NULL);
    f.now_us += 2 * SECOND;
    run_until(3);
    expect_received(1);
}

static void backoff_grows_to_a_second(void **state UNUSED)
{
    open_sender();
    answer(503, NULL);
    add();
    run_until(1);
    size_t probes = 0, before = 1;
    for (int i = 0; i < 100; i++) { /* ten seconds in tenths */
        f.now_us += SECOND / 10;
        http_client_step(f.http);
        (void)sender_step(f.sender, f.now_us, 0);
        if (http_client_pending(f.http)) {
            run_until(++before);
            probes++;
        }
    }
    assert_in_range(probes, 9, 14);
}

static void without_a_spool_what_cannot_be_sent_is_dropped_and_counted(void **state UNUSED)
{
    check_ok(dir_remove(f.folder));
    free(f.folder);
    f.folder = NULL;
    open_sender();
    answer(503, NULL);
    add();
    run_until(1);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 1);
    answer(204, NULL);
    f.now_us += 2 * SECOND;
    add();
    run_until(2); /* nothing to probe with: the next batch is the probe */
    expect_received(1);
}

static void a_request_without_an_answer_is_spooled_after_half_a_second(void **state UNUSED)
{
    open_sender();
    answer(-2, NULL);
    add();
    int64_t next = sender_step(f.sender, f.now_us, 0);
    assert_true(next <= f.now_us + SECOND / 2);
    assert_int_equal(http_client_pending(f.http), 1);
    f.now_us += SECOND / 4;
    add(); /* in the next batch, which waits for the one on its way */
    (void)sender_step(f.sender, f.now_us, 0);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records), 0);
    f.now_us += SECOND / 4;
    (void)sender_step(f.sender, f.now_us, 0);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records),
                     1); /* kill -9 now loses only the second sample */
    f.now_us += SECOND / 4;
    (void)sender_step(f.sender, f.now_us, 0);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records),
                     2); /* a sample is never older than a second */
}

static void what_was_not_acknowledged_is_there_for_the_next_sender(void **state UNUSED)
{
    open_sender();
    answer(-2, NULL);
    add();
    (void)sender_step(f.sender, f.now_us, 0); /* on its way */
    http_client_step(f.http);
    add(); /* still gathered */
    sender_free(f.sender);
    f.sender = NULL;
    answer(204, NULL);
    open_sender();
    assert_int_equal(atomic_load(&sender_counts(f.sender)->spool_records), 2);
    size_t before = write_receiver_requests(f.receiver);
    run_until(before + 2);
    expect_received(2);
}

static void an_endpoint_nobody_listens_at_fills_the_spool(void **state UNUSED)
{
    f.endpoint.url = "http://127.0.0.1:1/api/v1/write";
    open_sender();
    for (int i = 0; i < 20; i++) {
        add();
        f.now_us += SECOND / 5;
        for (int k = 0; k < 5; k++) {
            http_client_step(f.http);
            (void)sender_step(f.sender, f.now_us, 0);
            sleep_us(1000);
        }
    }
    f.now_us += SECOND;
    (void)sender_step(f.sender, f.now_us, 0);
    assert_true(atomic_load(&sender_counts(f.sender)->spool_records) >= 4);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 0);
    assert_true(sender_idle(f.sender) || http_client_pending(f.http));
}

static void write_relabel_configs_drop_samples(void **state UNUSED)
{
    struct yaml *doc = NULL;
    struct problems problems;
    problems_init(&problems);
    check_ok(yaml_parse("r", SPAN("[{action: drop, source_labels: [n], regex: a}, {target_label: x, replacement: y}]"),
                        &doc, &problems));
    check_ok(relabel_read(doc, yaml_root(doc), &f.endpoint.relabel, &problems));
    open_sender();
    struct label a[] = {{SPAN("__name__"), SPAN("m")}, {SPAN("n"), SPAN("a")}};
    struct sample s = {1000, 0, 1};
    sender_add(f.sender, &(struct labels){a, 2}, &s, f.now_us);
    assert_true(sender_idle(f.sender));
    add();
    run_until(1);
    struct received_sample got[4];
    assert_int_equal(write_receiver_samples(f.receiver, "m", got, 4), 1);
    assert_string_equal(got[0].labels, "m{x=\"y\"}");
    relabel_done(&f.endpoint.relabel);
    yaml_free(doc);
    problems_done(&problems);
}

static void metadata_is_sent_unless_switched_off(void **state UNUSED)
{
    struct metadata m = {SPAN("m"), METRIC_TYPE_COUNTER, SPAN(""), SPAN("what it is")};
    open_sender();
    sender_metadata(f.sender, &m);
    add();
    run_until(1);
    assert_int_equal(write_receiver_metadata(f.receiver), 1);
    sender_free(f.sender);
    f.endpoint.send_metadata = false;
    open_sender();
    sender_metadata(f.sender, &m);
    add();
    run_until(2);
    assert_int_equal(write_receiver_metadata(f.receiver), 1);
}

static void more_at_once_than_a_request_holds_is_split(void **state UNUSED)
{
    open_sender();
    static char text[1000];
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 10000; i++) { /* 10 MB of labels, 4 MB a request */
        char number[16];
        snprintf(number, sizeof number, "%u", i);
        struct label pairs[] = {
            {SPAN("__name__"), SPAN("big")}, {SPAN("n"), span_str(number)}, {SPAN("x"), span_of(text, sizeof text)}};
        struct sample s = {1000, 0, i};
        sender_add(f.sender, &(struct labels){pairs, 3}, &s, f.now_us);
    }
    run_until(3);
    static struct received_sample got[11000];
    assert_int_equal(write_receiver_samples(f.receiver, "big", got, 11000), 10000);
    assert_int_equal(atomic_load(&sender_counts(f.sender)->dropped_samples), 0);
}

static void a_batch_is_held_for_its_moment_but_not_for_ever(void **state UNUSED)
{
    open_sender();
    add();
    int64_t next = sender_step(f.sender, f.now_us, f.now_us + 60000);
    assert_int_equal(next, f.now_us + 60000);
    assert_int_equal(http_client_pending(f.http), 0);
    f.now_us += 60000;
    add();
    run_until(1);
    expect_received(2);
    add();
    for (int i = 0; i < 9; i++) { /* held again and again */
        (void)sender_step(f.sender, f.now_us, f.now_us + 90000);
        f.now_us += 10000;
        assert_int_equal(http_client_pending(f.http), 0);
    }
    f.now_us += 10000;
    (void)sender_step(f.sender, f.now_us, f.now_us + 90000);
    assert_int_equal(http_client_pending(f.http), 1);
    run_until(2);
    expect_received(3);
}

static void a_password_in_the_url_is_not_shown(void **state UNUSED)
{
    f.endpoint.url = "http://ada:s3cret@127.0.0.1:1/write?x=1";
    open_sender();
    assert_string_equal(sender_url(f.sender), "http://ada:xxxxx@127.0.0.1:1/write?x=1");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_leaves_at_once_and_is_counted),
        TEST(headers_and_credentials_go_with_each_request),
        TEST(a_refused_batch_is_dropped_counted_and_not_repeated),
        TEST(of_a_batch_refused_in_part_the_rest_counts_as_sent),
        TEST(a_busy_endpoint_gets_the_batch_again_from_the_spool),
        TEST(retry_after_is_honoured_up_to_a_minute),
        TEST(backoff_grows_to_a_second),
        TEST(without_a_spool_what_cannot_be_sent_is_dropped_and_counted),
        TEST(a_request_without_an_answer_is_spooled_after_half_a_second),
        TEST(what_was_not_acknowledged_is_there_for_the_next_sender),
        TEST(an_endpoint_nobody_listens_at_fills_the_spool),
        TEST(write_relabel_configs_drop_samples),
        TEST(metadata_is_sent_unless_switched_off),
        TEST(more_at_once_than_a_request_holds_is_split),
        TEST(a_batch_is_held_for_its_moment_but_not_for_ever),
        TEST(a_password_in_the_url_is_not_shown),
    };
    return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
