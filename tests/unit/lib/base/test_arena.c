#include "tests/support/check.h"

#include <string.h>

#include "lib/base/arena.h"

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1u << 20);
    struct check_random r = check_random_new("arena");
    for (int round = 0; round < 3; round++) {
        struct {
            unsigned char *p;
            size_t n;
        } got[200];
        for (size_t i = 0; i < ARRAY_LEN(got); i++) {
            got[i].n = check_random_below(&r, i % 10 == 0 ? 20000 : 200);
            got[i].p = arena_alloc(&a, got[i].n);
            assert_non_null(got[i].p);
            assert_int_equal((uintptr_t)got[i].p % 16, 0);
            for (size_t k = 0; k < got[i].n; k++)
                assert_int_equal(got[i].p[k], 0);
            memset(got[i].p, (int)i, got[i].n);
        }
        for (size_t i = 0; i < ARRAY_LEN(got); i++)
            for (size_t k = 0; k < got[i].n; k++)
                assert_int_equal(got[i].p[k], (unsigned char)i);
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    arena_done(&a);
}

static void arena_refuses_what_is_over_its_limit_and_works_again_after_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1024);
    assert_non_null(arena_alloc(&a, 1000));
    assert_null(arena_alloc(&a, 32));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_alloc(&a, 0));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 1024));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    arena_done(&a);
}

static void arena_copies_texts_and_reports_a_full_one(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    bool ok = true;
    assert_string_equal(arena_dup(&a, SPAN("abc")), "abc");
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    assert_string_equal(arena_dup(&a, SPAN("")), "");
    check_span(arena_span(&a, SPAN("shop"), &ok), "shop");
    assert_true(ok);
    struct span empty = arena_span(&a, SPAN(""), &ok);
    assert_true(ok && empty.len == 0);
    arena_span(&a, SPAN("more"), &ok);
    assert_false(ok);
    assert_null(arena_dup(&a, SPAN("x")));
    assert_null(arena_printf(&a, "x"));
    arena_done(&a);
}

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
static void arena_poisons_what_a_reset_took_back(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    char *p = arena_alloc(&a, 10);
    assert_false(__asan_address_is_poisoned(p + 9));
    assert_true(__asan_address_is_poisoned(p + 10));
    arena_reset(&a);
    assert_true(__asan_address_is_poisoned(p));
    arena_done(&a);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(arena_refuses_what_is_over_its_limit_and_works_again_after_reset),
        cmocka_unit_test(arena_copies_texts_and_reports_a_full_one),
#if defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(arena_poisons_what_a_reset_took_back),
#endif
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
