/* The catalogue: the same 500 products for a seed, found by SKU and by name, and the cache in front of them. */
#include "shop/catalogue.h"

#include <errno.h>

#include "tests/support/check.h"

static void a_seed_gives_the_same_500_products(void **state UNUSED)
{
    struct catalogue *a = NULL, *b = NULL, *other = NULL;
    size_t different = 0;
    check_ok(catalogue_new(1, &a));
    check_ok(catalogue_new(1, &b));
    check_ok(catalogue_new(2, &other));
    for (size_t i = 0; i < PRODUCTS; i++) {
        const struct product *p = catalogue_product(a, i), *q = catalogue_product(b, i);
        char sku[12];
        snprintf(sku, sizeof sku, "SKU-%04zu", i + 1);
        assert_string_equal(p->sku, sku);
        assert_memory_equal(p, q, sizeof *p);
        for (int m = 0; m < MARKETS; m++)
            assert_in_range(p->price_minor[m], 1, 100000);
        different += p->price_minor[MARKET_DE] != catalogue_product(other, i)->price_minor[MARKET_DE];
    }
    assert_true(different > PRODUCTS / 2);
    catalogue_free(a);
    catalogue_free(b);
    catalogue_free(other);
}

static void a_product_is_found_by_its_sku_and_by_nothing_else(void **state UNUSED)
{
    static const char *const BAD[] = {"",         "SKU-",      "SKU-0000", "SKU-0501", "SKU-1",
                                      "sku-0001", "SKU-00001", "SKU-+001", "SKU- 001"};
    struct catalogue *c = NULL;
    check_ok(catalogue_new(1, &c));
    assert_int_equal(catalogue_find(c, SPAN("SKU-0001")), 0);
    assert_int_equal(catalogue_find(c, SPAN("SKU-0500")), 499);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        if (catalogue_find(c, span_str(BAD[i])) != -ENOENT)
            check_failed("'%s' is found", BAD[i]);
    catalogue_free(c);
}

static void search_looks_for_a_piece_of_the_name_in_any_case(void **state UNUSED)
{
    struct catalogue *c = NULL;
    size_t found[PRODUCTS];
    check_ok(catalogue_new(1, &c));
    assert_int_equal(catalogue_search(c, SPAN(""), found, PRODUCTS), PRODUCTS);
    assert_int_equal(catalogue_search(c, SPAN(""), found, 7), 7);
    size_t n = catalogue_search(c, SPAN("wOOL"), found, PRODUCTS);
    assert_int_equal(n, PRODUCTS / 10);
    for (size_t i = 0; i < n; i++)
        assert_non_null(strstr(catalogue_product(c, found[i])->name, "Wool"));
    assert_int_equal(catalogue_search(c, SPAN("no such thing"), found, PRODUCTS), 0);
    assert_int_equal(catalogue_search(c, SPAN("Shirt and something longer than any name in it"), found, PRODUCTS), 0);
    catalogue_free(c);
}

static void the_cache_forgets_after_its_time_and_when_flushed(void **state UNUSED)
{
    struct catalogue *c = NULL;
    check_ok(catalogue_new(1, &c));
    assert_false(catalogue_cached(c, 3, 1000, 500));
    catalogue_filled(c, 3, 1000);
    assert_true(catalogue_cached(c, 3, 1000, 500));
    assert_true(catalogue_cached(c, 3, 1499, 500));
    assert_false(catalogue_cached(c, 3, 1500, 500));
    assert_false(catalogue_cached(c, 4, 1000, 500));
    catalogue_filled(c, 3, 1500);
    assert_true(catalogue_cached(c, 3, 1501, 500));
    catalogue_flush(c);
    assert_false(catalogue_cached(c, 3, 1501, 500));
    catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_500_products),
        cmocka_unit_test(a_product_is_found_by_its_sku_and_by_nothing_else),
        cmocka_unit_test(search_looks_for_a_piece_of_the_name_in_any_case),
        cmocka_unit_test(the_cache_forgets_after_its_time_and_when_flushed),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
