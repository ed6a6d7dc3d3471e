/* The hour that the demo writes before it begins. */
#include "tests/support/check.h"

#include <string.h>

#include "shop/demo/demo.h"
#include "tests/support/write_receiver.h"

#define UNTIL_MS INT64_C(1700000000000)
#define SAMPLES_MAX 40000u

static void an_hour_of_history_is_written_in_time_order(void **state UNUSED)
{
    static struct received_sample samples[SAMPLES_MAX];
    static const char *const NAMES[] = {"commerce:throughput_rps", "commerce:orders_per_minute",
                                        "commerce:cache_hit_ratio"};
    struct write_receiver *w = NULL;
    struct stage stage = {0};
    size_t written = 0, request = 0;
    check_ok(write_receiver_start(&w));
    const char *url = write_receiver_url(w), *slashes = strstr(url, "://");
    assert_non_null(slashes);
    snprintf(stage.address[COLLECTOR], sizeof stage.address[COLLECTOR], "%.*s", (int)strcspn(slashes + 3, "/"),
             slashes + 3);
    check_ok(history_write(&stage, UNTIL_MS, &written));
    assert_true(write_receiver_requests(w) > 10 && written > 1800);
    int64_t newest[SAMPLES_MAX / 500] = {0}, oldest[SAMPLES_MAX / 500] = {0}; /* by request */
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        size_t n = write_receiver_samples(w, NAMES[i], samples, SAMPLES_MAX);
        assert_in_range(n, 1800, SAMPLES_MAX - 1);
        assert_int_equal(samples[0].t_ms, UNTIL_MS - 3600000);
        assert_true(samples[n - 1].t_ms < UNTIL_MS && samples[n - 1].t_ms >= UNTIL_MS - 5000);
        for (size_t k = 0; k < n; k++) {
            request = samples[k].request;
            assert_in_range(request, 0, ARRAY_LEN(newest) - 1);
            if (k && (samples[k].t_ms < samples[k - 1].t_ms || samples[k].request < samples[k - 1].request))
                check_failed("%s: %lld ms comes before %lld ms", NAMES[i], (long long)samples[k - 1].t_ms,
                             (long long)samples[k].t_ms);
            newest[request] = samples[k].t_ms > newest[request] ? samples[k].t_ms : newest[request];
            if (!oldest[request] || samples[k].t_ms < oldest[request])
                oldest[request] = samples[k].t_ms;
        }
    }
    for (size_t i = 1; i <= request; i++)
        assert_true(oldest[i] > newest[i - 1]);
    write_receiver_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_hour_of_history_is_written_in_time_order)};
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
