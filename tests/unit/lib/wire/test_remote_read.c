#include "lib/wire/remote_read.h"

#include <errno.h>
#include <snappy-c.h>

#include "tests/support/check.h"

static struct buf compressed(const unsigned char *raw, size_t n)
{
    struct buf b;
    size_t size = snappy_max_compressed_length(n);
    buf_init(&b, 1u << 20);
    char *to = buf_reserve(&b, size);
    assert_int_equal(snappy_compress((const char *)raw, n, to, &size), SNAPPY_OK);
    buf_grew(&b, size);
    return b;
}

static void a_question_has_the_bytes_of_the_specification(void **state)
{
    (void)state;
    static const struct remote_read_matcher MATCHERS[] = {
        {REMOTE_READ_EQUAL, SPAN_INIT("__name__"), SPAN_INIT("up")},
        {REMOTE_READ_NOT_EQUAL, SPAN_INIT("job"), SPAN_INIT("")},
        {REMOTE_READ_NOT_REGEX, SPAN_INIT("a"), SPAN_INIT("x")},
    };
    static const unsigned char BYTES[] = {
        0x0a, 0x33, 0x08, 0xe8, 7,    0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        1,    0x1a, 0x10, 0x08, 0,    0x12, 8,    '_',  '_',  'n',  'a',  'm',  'e',  '_',  '_',
        0x1a, 2,    'u',  'p',  0x1a, 0x07, 0x08, 1,    0x12, 3,    'j',  'o',  'b', /* the empty value is left out */
        0x1a, 0x08, 0x08, 3,    0x12, 1,    'a',  0x1a, 1,    'x',  0x10, 0,
    };
    const struct remote_read_query query = {1000, -1, MATCHERS, ARRAY_LEN(MATCHERS)};
    struct buf body;
    char raw[256];
    size_t n = sizeof raw;
    buf_init(&body, 1024);
    check_ok(remote_read_encode(&query, &body));
    assert_int_equal(snappy_uncompress(body.data, body.len, raw, &n), SNAPPY_OK);
    assert_int_equal(n, sizeof BYTES);
    assert_memory_equal(raw, BYTES, n);
    buf_done(&body);
}

static void an_answer_is_a_write_request_of_its_samples(void **state)
{
    (void)state;
    /* one result: up{a="b"} with 1 at 1000 and a stale marker at -1 */
    static const unsigned char GOOD[] = {
        0x0a, 0x3e, 0x0a, 0x3c, 0x0a, 0x0e, 0x0a, 8,    '_',  '_',  'n',  'a',  'm',  'e',  '_',  '_',
        0x12, 2,    'u',  'p',  0x0a, 0x06, 0x0a, 1,    'a',  0x12, 1,    'b',  0x12, 0x0c, 0x09, 0,
        0,    0,    0,    0,    0,    0xf0, 0x3f, 0x10, 0xe8, 7,    0x12, 0x14, 0x09, 2,    0,    0,
        0,    0,    0,    0xf0, 0x7f, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
    };
    struct buf body = compressed(GOOD, sizeof GOOD);
    struct write_request *w;
    struct remote_write_report report;
    check_ok(remote_read_decode(buf_view(&body), &w, &report));
    assert_int_equal(w->n_series, 1);
    check_span(labels_get(&w->series[0].labels, SPAN("a")), "b");
    assert_int_equal(w->series[0].n_samples, 2);
    assert_int_equal(w->series[0].samples[0].t_ms, 1000);
    assert_int_equal(w->series[0].samples[1].t_ms, -1);
    assert_true(is_stale(w->series[0].samples[1].value));
    write_request_free(w);
    buf_done(&body);
    for (size_t n = 1; n < sizeof GOOD; n++) { /* cut off anywhere */
        body = compressed(GOOD, n);
        check_errno(remote_read_decode(buf_view(&body), &w, &report), -EBADMSG);
        buf_done(&body);
    }
}

static void an_answer_without_series_is_empty_and_one_of_two_queries_is_refused(void **state)
{
    (void)state;
    static const unsigned char TWO[] = {0x0a, 0, 0x0a, 0};
    struct write_request *w;
    struct remote_write_report report;
    for (size_t n = 0; n <= 2; n += 2) { /* no result, an empty one */
        struct buf body = compressed(TWO, n);
        check_ok(remote_read_decode(buf_view(&body), &w, &report));
        assert_int_equal(w->n_series, 0);
        write_request_free(w);
        buf_done(&body);
    }
    struct buf body = compressed(TWO, 4);
    check_errno(remote_read_decode(buf_view(&body), &w, &report), -EBADMSG);
    buf_done(&body);
    check_errno(remote_read_decode(SPAN("<html>"), &w, &report), -EBADMSG);
    check_errno(remote_read_decode(SPAN(""), &w, &report), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_has_the_bytes_of_the_specification),
        cmocka_unit_test(an_answer_is_a_write_request_of_its_samples),
        cmocka_unit_test(an_answer_without_series_is_empty_and_one_of_two_queries_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
