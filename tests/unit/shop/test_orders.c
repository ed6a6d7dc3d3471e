/* Carts, stock, orders and the ledger: what is sold is counted once, by market, channel and source; two buyers of the last unit both
 * get it, and the ledger knows. */
#include "shop/orders.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"

static const struct sale CUSTOMER = {MARKET_DE, CHANNEL_WEB, SOURCE_CUSTOMER},
                         LOAD = {MARKET_JP, CHANNEL_APP, SOURCE_LOAD};

static struct orders *open_orders(const char *path, uint32_t units)
{
    struct orders *o = NULL;
    char why[256] = "";
    if (orders_open(path, units, &o, why, sizeof why) < 0)
        check_failed("%s", why);
    return o;
}

static struct cart cart_of(struct orders *o, const char *session)
{
    struct cart cart;
    check_ok(orders_cart_load(o, span_str(session), &cart));
    return cart;
}

static int64_t place(struct orders *o, const char *session, const struct sale *sale, const struct cart *cart,
                     int64_t amount)
{
    int64_t order = 0;
    check_ok(orders_place(o, span_str(session), sale, cart, amount, "pay-1", &order));
    return order;
}

static struct stock_view stock(struct orders *o, size_t product)
{
    static struct stock_view views[PRODUCTS];
    orders_stock_view(o, views);
    return views[product];
}

/* A figure of the ledger's row for a sale; -1 without such a row. */
static json_t *ledger(struct orders *o)
{
    struct catalogue *c = NULL;
    struct json_writer j;
    struct buf out;
    check_ok(catalogue_new(1, &c));
    buf_init(&out, BODY_BYTES_MAX);
    jw_init(&j, &out);
    check_ok(orders_ledger(o, c, &j));
    json_t *root = json_loads(out.data, 0, NULL);
    assert_non_null(root);
    buf_done(&out);
    catalogue_free(c);
    return root;
}

static int64_t figure(struct orders *o, const struct sale *sale, const char *name)
{
    json_t *root = ledger(o), *row;
    int64_t v = -1;
    size_t i;
    json_array_foreach(json_object_get(root, "rows"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "market")), MARKET_NAMES[sale->market]) == 0 &&
            strcmp(json_string_value(json_object_get(row, "channel")), CHANNEL_NAMES[sale->channel]) == 0 &&
            strcmp(json_string_value(json_object_get(row, "source")), SOURCE_NAMES[sale->source]) == 0)
            v = json_integer_value(json_object_get(row, name));
    }
    json_decref(root);
    return v;
}

static void a_cart_holds_what_was_put_in(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 10);
    check_ok(orders_cart_put(o, SPAN("s"), 7, 2));
    check_ok(orders_cart_put(o, SPAN("s"), 3, 1));
    check_ok(orders_cart_put(o, SPAN("s"), 7, 5)); /* replaces */
    check_ok(orders_cart_put(o, SPAN("other"), 7, 9));
    struct cart cart = cart_of(o, "s");
    assert_int_equal(cart.n, 2);
    assert_int_equal(cart.items[0].product, 3);
    assert_int_equal(cart.items[1].quantity, 5);
    check_ok(orders_cart_put(o, SPAN("s"), 3, 0)); /* removes */
    assert_int_equal(cart_of(o, "s").n, 1);
    assert_int_equal(cart_of(o, "nobody").n, 0);
    orders_close(o);
}

static void a_cart_has_a_limit_on_different_articles(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 10);
    for (uint32_t i = 0; i < CART_ITEMS_MAX; i++)
        check_ok(orders_cart_put(o, SPAN("s"), i, 1));
    check_errno(orders_cart_put(o, SPAN("s"), 100, 1), -E2BIG);
    check_ok(orders_cart_put(o, SPAN("s"), 3, 2)); /* one that is there may change */
    check_ok(orders_cart_put(o, SPAN("s"), 100, 0));
    assert_int_equal(cart_of(o, "s").n, CART_ITEMS_MAX);
    orders_close(o);
}

static void an_order_moves_stock_ledger_and_cart_together(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 10);
    struct order_view view;
    check_ok(orders_cart_put(o, SPAN("s"), 7, 2));
    check_ok(orders_cart_put(o, SPAN("s"), 8, 1));
    struct cart cart = cart_of(o, "s");
    check_ok(orders_stock(o, &cart));
    assert_int_equal(cart.items[0].believed, 10);
    int64_t order = place(o, "s", &CUSTOMER, &cart, 4990);
    assert_int_equal(cart_of(o, "s").n, 0);
    assert_int_equal(stock(o, 7).believed, 8);
    assert_int_equal(stock(o, 7).sold[SOURCE_CUSTOMER], 2);
    assert_int_equal(stock(o, 7).received, 10);
    assert_int_equal(figure(o, &CUSTOMER, "orders"), 1);
    assert_int_equal(figure(o, &CUSTOMER, "units"), 3);
    assert_int_equal(figure(o, &CUSTOMER, "revenue_minor"), 4990);
    check_ok(orders_view(o, SPAN("s"), order, &view));
    assert_int_equal(view.units, 3);
    assert_int_equal(view.amount_minor, 4990);
    assert_int_equal(view.market, MARKET_DE);
    check_errno(orders_view(o, SPAN("other"), order, &view), -ENOENT); /* another visitor's */
    check_errno(orders_view(o, SPAN("s"), order + 1, &view), -ENOENT);
    orders_close(o);
}

static void two_buyers_of_the_last_unit_both_get_it(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 1);
    check_ok(orders_cart_put(o, SPAN("a"), 7, 1));
    check_ok(orders_cart_put(o, SPAN("b"), 7, 1));
    struct cart a = cart_of(o, "a"), b = cart_of(o, "b");
    check_ok(orders_stock(o, &a));
    check_ok(orders_stock(o, &b)); /* before a has paid */
    assert_int_equal(b.items[0].believed, 1);
    (void)place(o, "a", &CUSTOMER, &a, 100);
    (void)place(o, "b", &CUSTOMER, &b, 100);
    assert_int_equal(stock(o, 7).believed, 0); /* looks fine */
    json_t *root = ledger(o), *row = json_array_get(json_object_get(root, "skus"), 7);
    assert_string_equal(json_string_value(json_object_get(row, "sku")), "SKU-0008");
    assert_int_equal(json_integer_value(json_object_get(row, "received")), 1);
    assert_int_equal(json_integer_value(json_object_get(row, "sold")), 2);
    assert_int_equal(json_integer_value(json_object_get(row, "oversold")), 1);
    json_decref(root);
    check_ok(orders_cart_put(o, SPAN("c"), 7, 1));
    struct cart c = cart_of(o, "c");
    check_ok(orders_stock(o, &c));
    assert_int_equal(c.items[0].believed, 0); /* who comes later is told */
    orders_close(o);
}

static void the_ledger_keeps_markets_channels_and_sources_apart(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 10);
    static const char *const NOTES[LEDGER_NOTES] = {"declines", "payment_errors", "payment_timeouts", "out_of_stock"};
    for (int i = 0; i < 2; i++) {
        const struct sale *sale = i ? &LOAD : &CUSTOMER;
        check_ok(orders_cart_put(o, SPAN("s"), 1, 3));
        struct cart cart = cart_of(o, "s");
        check_ok(orders_stock(o, &cart));
        (void)place(o, "s", sale, &cart, 100 + i);
    }
    for (enum ledger_note n = 0; n < LEDGER_NOTES; n++)
        for (unsigned k = 0; k <= (unsigned)n; k++)
            check_ok(orders_note(o, &LOAD, n));
    assert_int_equal(figure(o, &CUSTOMER, "revenue_minor"), 100);
    assert_int_equal(figure(o, &LOAD, "revenue_minor"), 101);
    for (int n = 0; n < LEDGER_NOTES; n++) {
        assert_int_equal(figure(o, &LOAD, NOTES[n]), n + 1);
        assert_int_equal(figure(o, &CUSTOMER, NOTES[n]), 0);
    }
    assert_int_equal(stock(o, 1).sold[SOURCE_LOAD], 3);
    assert_int_equal(stock(o, 1).sold[SOURCE_CUSTOMER], 3);
    orders_close(o);
}

static void stock_that_is_set_counts_as_received(void **state UNUSED)
{
    struct orders *o = open_orders(NULL, 10);
    check_ok(orders_cart_put(o, SPAN("s"), 1, 4));
    struct cart cart = cart_of(o, "s");
    check_ok(orders_stock(o, &cart));
    (void)place(o, "s", &CUSTOMER, &cart, 1);
    check_ok(orders_set_stock(o, 1, 50)); /* 6 were there, 44 come */
    assert_int_equal(stock(o, 1).believed, 50);
    assert_int_equal(stock(o, 1).received, 54);
    check_ok(orders_set_stock(o, 1, 0)); /* written off */
    assert_int_equal(stock(o, 1).received, 4);
    orders_close(o);
}

static void everything_is_there_after_a_restart(void **state UNUSED)
{
    char *folder = NULL, path[4096];
    check_ok(dir_make_temp("orders", &folder));
    snprintf(path, sizeof path, "%s/shop.db", folder);
    struct orders *o = open_orders(path, 10);
    check_ok(orders_cart_put(o, SPAN("s"), 7, 2));
    struct cart cart = cart_of(o, "s");
    check_ok(orders_stock(o, &cart));
    int64_t order = place(o, "s", &LOAD, &cart, 4990);
    check_ok(orders_cart_put(o, SPAN("s"), 9, 1));
    check_ok(orders_set_stock(o, 9, 77));
    orders_close(o);
    o = open_orders(path, 500); /* the first stock is for a new shop only */
    struct order_view view;
    assert_int_equal(cart_of(o, "s").n, 1);
    assert_int_equal(stock(o, 7).believed, 8);
    assert_int_equal(stock(o, 7).received, 10);
    assert_int_equal(stock(o, 7).sold[SOURCE_LOAD], 2);
    assert_int_equal(stock(o, 9).believed, 77);
    assert_int_equal(figure(o, &LOAD, "revenue_minor"), 4990);
    check_ok(orders_view(o, SPAN("s"), order, &view));
    assert_int_equal(view.market, MARKET_JP);
    orders_close(o);
    check_ok(dir_remove(folder));
    free(folder);
}

static void a_file_that_is_no_shop_is_refused_with_words(void **state UNUSED)
{
    char *folder = NULL, path[4096], why[256] = "";
    struct orders *o = NULL;
    static const char JUNK[] =
        "this is no database, but long enough to be looked at as one, so that it has to be refused............";
    check_ok(dir_make_temp("orders", &folder));
    snprintf(path, sizeof path, "%s/shop.db", folder);
    check_ok(file_write(path, JUNK, sizeof JUNK));
    assert_true(orders_open(path, 10, &o, why, sizeof why) < 0);
    assert_null(o);
    assert_true(why[0] != 0);
    check_ok(dir_remove(folder));
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cart_holds_what_was_put_in),
        cmocka_unit_test(a_cart_has_a_limit_on_different_articles),
        cmocka_unit_test(an_order_moves_stock_ledger_and_cart_together),
        cmocka_unit_test(two_buyers_of_the_last_unit_both_get_it),
        cmocka_unit_test(the_ledger_keeps_markets_channels_and_sources_apart),
        cmocka_unit_test(stock_that_is_set_counts_as_received),
        cmocka_unit_test(everything_is_there_after_a_restart),
        cmocka_unit_test(a_file_that_is_no_shop_is_refused_with_words),
    };
    return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
