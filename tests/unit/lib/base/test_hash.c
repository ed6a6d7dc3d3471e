#include "tests/support/check.h"

#include <errno.h>
#include <string.h>

#include "lib/base/hash.h"

#define KEYS 300

static void strmap_agrees_with_an_array_under_random_operations(void **state)
{
    (void)state;
    struct check_random r = check_random_new("strmap");
    static int numbers[KEYS];
    bool present[KEYS] = {false};
    int *value[KEYS] = {NULL};
    size_t count = 0;
    struct strmap m;
    strmap_init(&m, KEYS);
    for (unsigned i = 0; i < 200000 / check_slowness(); i++) {
        size_t k = check_random_below(&r, KEYS);
        char key[16];
        struct span s = span_of(key, (size_t)snprintf(key, sizeof key, "k%zu", k));
        int *v = &numbers[check_random_below(&r, KEYS)];
        switch (check_random_below(&r, 3)) {
        case 0:
            check_ok(strmap_put(&m, s, v));
            count += !present[k];
            present[k] = true;
            value[k] = v;
            break;
        case 1:
            assert_ptr_equal(strmap_remove(&m, s), present[k] ? value[k] : NULL);
            count -= present[k];
            present[k] = false;
            break;
        default:
            assert_int_equal(strmap_has(&m, s), present[k]);
            assert_ptr_equal(strmap_get(&m, s), present[k] ? value[k] : NULL);
        }
        assert_int_equal(m.used, count);
    }
    size_t at = 0, seen = 0;
    struct span key;
    void *v;
    while (strmap_next(&m, &at, &key, &v)) {
        char text[16];
        snprintf(text, sizeof text, SPAN_FMT, SPAN_ARG(key));
        size_t k = (size_t)strtoul(text + 1, NULL, 10);
        assert_true(present[k]);
        assert_ptr_equal(v, value[k]);
        present[k] = false; /* seen once */
        seen++;
    }
    assert_int_equal(seen, count);
    strmap_done(&m);
}

static void strmap_refuses_new_keys_over_its_limit_but_replaces_known_ones(void **state)
{
    (void)state;
    struct strmap m;
    strmap_init(&m, 2);
    int x = 0, y = 0;
    assert_null(strmap_get(&m, SPAN("a")));
    assert_null(strmap_remove(&m, SPAN("a")));
    check_ok(strmap_put(&m, SPAN("a"), &x));
    check_ok(strmap_put(&m, SPAN(""), NULL)); /* the empty key is a key, NULL a value */
    assert_true(strmap_has(&m, SPAN("")));
    check_errno(strmap_put(&m, SPAN("b"), &x), -ENOSPC);
    check_ok(strmap_put(&m, SPAN("a"), &y));
    assert_ptr_equal(strmap_get(&m, SPAN("a")), &y);
    assert_false(strmap_has(&m, SPAN("b")));
    assert_ptr_equal(strmap_remove(&m, SPAN("a")), &y);
    check_ok(strmap_put(&m, SPAN("b"), &x));
    strmap_done(&m);
}

static void hash_depends_on_every_byte_the_length_and_the_seed(void **state)
{
    (void)state;
    unsigned char bytes[70] = {0};
    for (size_t n = 0; n <= 64; n++) {
        uint64_t h = hash_bytes(bytes, n, 1);
        assert_true(h != hash_bytes(bytes, n + 1, 1));
        assert_true(h != hash_bytes(bytes, n, 2));
        for (size_t i = 0; i < n; i++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes[i] ^= (unsigned char)(1 << bit);
                if (hash_bytes(bytes, n, 1) == h)
                    check_failed("byte %zu of %zu, bit %d does not count", i, n, bit);
                bytes[i] ^= (unsigned char)(1 << bit);
            }
        }
    }
    assert_true(hash_seed() == hash_seed());
}

static void hash_spreads_names_evenly_in_low_and_high_bits(void **state)
{
    (void)state;
    /* 4096 names in 64 buckets: the chi-square of 63 degrees stays below 140 but once in a billion draws. */
    struct check_random r = check_random_new("spread");
    uint64_t seed = check_random_u64(&r);
    for (unsigned shift = 0; shift <= 58; shift += 29) {
        unsigned buckets[64] = {0};
        for (unsigned i = 0; i < 4096; i++) {
            char name[64];
            size_t n = (size_t)snprintf(name, sizeof name, "http_server_request_duration_seconds_bucket_%u", i);
            buckets[hash_bytes(name, n, seed) >> shift & 63]++;
        }
        double chi = 0;
        for (unsigned i = 0; i < 64; i++)
            chi += ((double)buckets[i] - 64) * ((double)buckets[i] - 64) / 64;
        if (chi > 140)
            check_failed("chi-square %g at bit %u", chi, shift);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strmap_agrees_with_an_array_under_random_operations),
        cmocka_unit_test(strmap_refuses_new_keys_over_its_limit_but_replaces_known_ones),
        cmocka_unit_test(hash_depends_on_every_byte_the_length_and_the_seed),
        cmocka_unit_test(hash_spreads_names_evenly_in_low_and_high_bits),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
