#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "loadgen/workers/stats_codec.h"

static struct run_stats *some(unsigned factor)
{
    struct run_stats *s = NULL;
    check_ok(stats_new(2, 3, &s));
    for (unsigned i = 0; i < 100 * factor; i++) {
        stats_step(s, i % 3, OUTCOME_OK, ERROR_NONE, 1000 + i * 37, 900 + i * 31, NULL);
        hdr_record(s->lag, i);
    }
    stats_step(s, 1, OUTCOME_STATUS, ERROR_STATUS, 5000, 4000, "pay.hurl:3:1: status 500 \"ä\"");
    stats_session_times(s, 1, 100, 90, 100000);
    s->sessions = (struct session_counts){10 * factor, 9, 1, 8, 1, 0, 0};
    s->journeys[1].sessions.planned = 10 * factor;
    s->requests.completed = 100 * factor;
    s->received_bytes = UINT64_C(1) << 40;
    return s;
}

static void what_is_sent_is_what_is_added(void **state)
{
    (void)state;
    struct run_stats *a = some(1), *b = some(3), *merged = NULL, *decoded = NULL;
    check_ok(stats_new(2, 3, &merged));
    check_ok(stats_new(2, 3, &decoded));
    check_ok(stats_merge(merged, a));
    check_ok(stats_merge(merged, b));
    struct buf out;
    buf_init(&out, 1 << 20);
    stats_encode(a, &out);
    stats_encode(b, &out);
    assert_int_equal(buf_error(&out), 0);
    assert_true(span_find(buf_view(&out), '\n') == out.len);
    struct span rest = buf_view(&out);
    check_ok(stats_decode_add(&rest, decoded));
    check_ok(stats_decode_add(&rest, decoded));
    assert_int_equal(span_trim(rest).len, 0);
    assert_memory_equal(&decoded->sessions, &merged->sessions, sizeof merged->sessions);
    assert_memory_equal(&decoded->requests, &merged->requests, sizeof merged->requests);
    assert_int_equal(decoded->received_bytes, merged->received_bytes);
    assert_int_equal(decoded->journeys[1].sessions.planned, 40);
    for (size_t i = 0; i < 3; i++) {
        const struct step_stats *x = &decoded->steps[i], *y = &merged->steps[i];
        assert_memory_equal(x->outcomes, y->outcomes, sizeof y->outcomes);
        assert_memory_equal(x->errors, y->errors, sizeof y->errors);
        assert_string_equal(x->samples[ERROR_STATUS], y->samples[ERROR_STATUS]);
        assert_int_equal(hdr_count(x->response), hdr_count(y->response));
        for (double p = 1; p < 100; p += 7) /* merged: quantiles of the sum, to the histogram's digits */
            assert_true(llabs(hdr_percentile(x->response, p) - hdr_percentile(y->response, p)) * 1000 <=
                        hdr_percentile(y->response, p));
    }
    assert_int_equal(hdr_count(decoded->lag), 400);
    buf_done(&out);
    stats_free(a);
    stats_free(b);
    stats_free(merged);
    stats_free(decoded);
}

static void other_words_are_refused(void **state)
{
    (void)state;
    struct run_stats *a = some(1), *into = NULL, *other = NULL;
    check_ok(stats_new(2, 3, &into));
    check_ok(stats_new(2, 4, &other));
    struct buf out;
    buf_init(&out, 1 << 20);
    stats_encode(a, &out);
    struct span rest = buf_view(&out);
    check_errno(stats_decode_add(&rest, other), -EINVAL);        /* of other journeys */
    for (size_t n = 0; n + 2 < out.len; n += 1 + out.len / 50) { /* cut anywhere */
        rest = span_of(out.data, n);
        assert_true(stats_decode_add(&rest, into) < 0);
    }
    static const char *const BAD[] = {
        "", "x", "3", "3 2 -1", "3 2 99999999999999999999999", "3 2 1 1 1 1 1 1 1 1 1 1 1 1 1 !!!"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        rest = span_str(BAD[i]);
        assert_true(stats_decode_add(&rest, into) < 0);
    }
    buf_done(&out);
    stats_free(a);
    stats_free(into);
    stats_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_what_is_added),
        cmocka_unit_test(other_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
