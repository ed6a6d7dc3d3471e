#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/metric/sample.h"

static void type_names_read_back(void **state)
{
    (void)state;
    for (int t = METRIC_TYPE_UNKNOWN; t <= METRIC_TYPE_STATESET; t++) {
        enum metric_type back = METRIC_TYPE_STATESET;
        assert_true(metric_type_parse(span_str(metric_type_name((enum metric_type)t)), &back));
        assert_int_equal(back, t);
    }
    enum metric_type back = METRIC_TYPE_COUNTER;
    assert_true(metric_type_parse(SPAN("untyped"), &back));
    assert_int_equal(back, METRIC_TYPE_UNKNOWN);
}

static void other_words_are_no_type(void **state)
{
    (void)state;
    static const char *const words[] = {"", "Counter", "counter ", "histo", "gaugehistograms"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        enum metric_type t = METRIC_TYPE_INFO;
        assert_false(metric_type_parse(span_str(words[i]), &t));
        assert_int_equal(t, METRIC_TYPE_INFO);
    }
    assert_string_equal(metric_type_name((enum metric_type)99), "unknown");
}

static void stale_marker_is_a_nan_of_its_own(void **state)
{
    (void)state;
    assert_true(isnan(stale_marker()));
    assert_true(is_stale(stale_marker()));
    assert_false(is_stale(f64_from_bits(NAN_BITS)));
    assert_false(is_stale(0));
    assert_true(f64_bits(stale_marker()) == STALE_BITS);
}

static void write_request_owns_its_arena(void **state)
{
    (void)state;
    struct write_request *w = write_request_new(4096);
    assert_non_null(w);
    assert_int_equal(w->n_series, 0);
    assert_int_equal(w->n_metadata, 0);
    assert_non_null(arena_alloc(&w->arena, 1024));
    assert_null(arena_alloc(&w->arena, 8192));
    write_request_free(w);
    write_request_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_names_read_back),
        cmocka_unit_test(other_words_are_no_type),
        cmocka_unit_test(stale_marker_is_a_nan_of_its_own),
        cmocka_unit_test(write_request_owns_its_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
