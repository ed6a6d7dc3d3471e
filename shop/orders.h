/* orders.h - carts, stock, orders and the ledger in SQLite: one connection writes, behind one lock.
 * Thread-safe.
 *
 * The ledger is counted inside the transactions that place orders, so it is the truth that metrics are
 * compared with. Stock is read (orders_stock) and written back (orders_place) by two transactions with the
 * payment between them: that gap is how shops oversell. */
#pragma once

#include "lib/wire/json.h"
#include "shop/catalogue.h"

struct orders;
struct cart_item {
    uint32_t product; /* index */
    uint32_t quantity;
    int64_t believed; /* stock as read before the payment */
};
struct cart {
    struct cart_item items[CART_ITEMS_MAX];
    size_t n;
};
struct sale {
    enum market market;
    enum channel channel;
    enum source source;
};
/* path NULL: in memory. initial_units are received of each article when the stock table is new. */
MUST_USE int orders_open(const char *path, uint32_t initial_units, struct orders **ret, char *why, size_t why_bytes);
void orders_close(struct orders *o);

MUST_USE int orders_cart_load(struct orders *o, struct span session, struct cart *ret);
/* Replaces the quantity of one article (0 removes). -E2BIG: CART_ITEMS_MAX. */
MUST_USE int orders_cart_put(struct orders *o, struct span session, uint32_t product, uint32_t quantity);
/* Fill items' believed units. */
MUST_USE int orders_stock(struct orders *o, struct cart *cart);
/* The order, the stock written back as believed - quantity, the ledger, the cart emptied: one transaction. */
MUST_USE int orders_place(struct orders *o, struct span session, const struct sale *sale, const struct cart *cart,
                          int64_t amount_minor, const char *payment_id, int64_t *ret_order);
enum ledger_note { LEDGER_DECLINE, LEDGER_PAYMENT_ERROR, LEDGER_PAYMENT_TIMEOUT, LEDGER_OUT_OF_STOCK, LEDGER_NOTES };
MUST_USE int orders_note(struct orders *o, const struct sale *sale, enum ledger_note note);
/* -ENOENT: no such order of that session. */
struct order_view {
    int64_t id, amount_minor, units;
    enum market market;
};
MUST_USE int orders_view(struct orders *o, struct span session, int64_t id, struct order_view *ret);
/* Set what is on the shelf; the difference to what is believed counts as received. */
MUST_USE int orders_set_stock(struct orders *o, uint32_t product, int64_t units);
struct stock_view {
    int64_t received, believed, sold[SOURCES];
};
/* A copy of all articles' stock, for metrics (kept beside the tables, exact after each commit). */
void orders_stock_view(struct orders *o, struct stock_view views[PRODUCTS]);
MUST_USE int orders_ledger(struct orders *o, const struct catalogue *c, struct json_writer *j);
