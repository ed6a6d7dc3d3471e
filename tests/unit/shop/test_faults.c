/* Faults are read as a whole or not at all; X-Crest-Run says whose traffic it is. */
#include "shop/faults.h"

#include <errno.h>

#include "tests/support/check.h"

static const struct read_case {
    const char *json;
    int result;
    const char *state; /* afterwards, or words of the refusal */
} READS[] = {
    {"{}", 0,
     "{\"latency_ms\":7,\"jitter_ms\":0,\"decline_ratio\":0,\"error_ratio\":0,\"hang_ratio\":0,\"rate_limit_rps\":0}"},
    {"{\"latency_ms\":3000,\"decline_ratio\":0.25,\"rate_limit_rps\":10}", 0,
     "{\"latency_ms\":3000,\"jitter_ms\":0,\"decline_ratio\":0.25,\"error_ratio\":0,\"hang_ratio\":0,\"rate_limit_"
     "rps\":10}"},
    {"{\"error_ratio\":1}", 0,
     "{\"latency_ms\":7,\"jitter_ms\":0,\"decline_ratio\":0,\"error_ratio\":1,\"hang_ratio\":0,\"rate_limit_rps\":0}"},
    {"{\"latency_ms\":1,\"error_ratio\":1.5}", -EINVAL, "'error_ratio' has a value out of range"},
    {"{\"latency_ms\":1,\"error_ratio\":-0.1}", -EINVAL, "error_ratio"},
    {"{\"latency_ms\":1.5}", -EINVAL, "latency_ms"},
    {"{\"latency_ms\":-1}", -EINVAL, "latency_ms"},
    {"{\"latency_ms\":600001}", -EINVAL, "latency_ms"},
    {"{\"latency_ms\":\"1\"}", -EINVAL, "latency_ms"},
    {"{\"latency_ms\":null}", -EINVAL, "latency_ms"},
    {"{\"latency_ms\":1,\"latenzy_ms\":1}", -EINVAL, "'latenzy_ms' is not a fault"},
    {"[]", -EINVAL, "an object is wanted"},
};

static void faults_are_read_as_a_whole_or_not_at_all(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(READS); i++) {
        struct gateway_faults faults = {0};
        struct json_writer j;
        struct buf out;
        char why[256] = "";
        json_t *object = json_loads(READS[i].json, 0, NULL);
        assert_non_null(object);
        atomic_store(&faults.latency_ms, 7);
        int r = faults_read(object, GATEWAY_FIELDS, &faults, why, sizeof why);
        if (r != READS[i].result)
            check_failed("%s: %d %s", READS[i].json, r, why);
        buf_init(&out, 4096);
        jw_init(&j, &out);
        faults_write(&j, GATEWAY_FIELDS, &faults);
        if (r == 0) {
            assert_string_equal(out.data, READS[i].state);
        } else {
            check_contains(why, READS[i].state);
            check_contains(out.data, "\"latency_ms\":7,"); /* nothing of it is in force */
        }
        buf_done(&out);
        json_decref(object);
    }
}

static void a_switch_is_true_or_false(void **state UNUSED)
{
    struct shop_faults faults = {0};
    char why[256];
    json_t *on = json_loads("{\"enabled\":true,\"ttl_ms\":5}", 0, NULL), *bad = json_loads("{\"enabled\":1}", 0, NULL);
    check_ok(faults_read(on, CACHE_FIELDS, &faults, why, sizeof why));
    assert_true(atomic_load(&faults.cache_enabled));
    assert_int_equal(atomic_load(&faults.cache_ttl_ms), 5);
    check_errno(faults_read(bad, CACHE_FIELDS, &faults, why, sizeof why), -EINVAL);
    json_decref(on);
    json_decref(bad);
}

static void ratios_are_spread_over_zero_to_one(void **state UNUSED)
{
    size_t tenths[10] = {0};
    for (int i = 0; i < 20000; i++) {
        double r = random_ratio();
        assert_true(r >= 0 && r < 1);
        tenths[(size_t)(r * 10)]++;
    }
    for (size_t i = 0; i < 10; i++)
        assert_in_range(tenths[i], 1700, 2300); /* 2,000 expected; 7 standard deviations */
}

static const struct source_case {
    const char *header;
    int result;
    enum source source;
} SOURCES_READ[] = {
    {"", 0, SOURCE_CUSTOMER},
    {"load/x", 0, SOURCE_LOAD},
    {"synthetic/check-1.2_A", 0, SOURCE_SYNTHETIC},
    {"load/0123456789012345678901234567890123456789012345678901234567890123", 0, SOURCE_LOAD},
    {"load/01234567890123456789012345678901234567890123456789012345678901234", -EINVAL, 0},
    {"load/", -EINVAL, 0},
    {"load", -EINVAL, 0},
    {"loads/x", -EINVAL, 0},
    {"Load/x", -EINVAL, 0},
    {"load/a b", -EINVAL, 0},
    {"load/a/b", -EINVAL, 0},
    {"load/\xc3\xa4", -EINVAL, 0},
    {"customer/x", -EINVAL, 0},
    {"/x", -EINVAL, 0},
};

static void x_crest_run_tells_whose_traffic_it_is(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(SOURCES_READ); i++) {
        enum source got = SOURCES;
        int r = source_parse(span_str(SOURCES_READ[i].header), &got);
        if (r != SOURCES_READ[i].result || got != (r == 0 ? SOURCES_READ[i].source : SOURCES))
            check_failed("'%s': %d, %d", SOURCES_READ[i].header, r, (int)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_read_as_a_whole_or_not_at_all),
        cmocka_unit_test(a_switch_is_true_or_false),
        cmocka_unit_test(ratios_are_spread_over_zero_to_one),
        cmocka_unit_test(x_crest_run_tells_whose_traffic_it_is),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
