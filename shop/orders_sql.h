/* orders_sql.h - all SQL of the shop. */
#pragma once

enum {
    SQL_CART_LOAD,
    SQL_CART_PUT,
    SQL_CART_REMOVE,
    SQL_CART_CLEAR,
    SQL_CART_COUNT,
    SQL_STOCK_READ,
    SQL_STOCK_WRITE,
    SQL_STOCK_SET,
    SQL_STOCK_INSERT,
    SQL_STOCK_ALL,
    SQL_SOLD_ADD,
    SQL_SOLD_ALL,
    SQL_ORDER_INSERT,
    SQL_ORDER_ITEM,
    SQL_ORDER_VIEW,
    SQL_LEDGER_ADD,
    SQL_LEDGER_ALL,
    SQL_COUNT
};
static const char *const ORDERS_SQL[SQL_COUNT] = {
    [SQL_CART_LOAD] = "SELECT product, quantity FROM cart WHERE session = ?1 ORDER BY product",
    [SQL_CART_PUT] = "INSERT INTO cart(session, product, quantity) VALUES(?1, ?2, ?3)"
                     " ON CONFLICT(session, product) DO UPDATE SET quantity = excluded.quantity",
    [SQL_CART_REMOVE] = "DELETE FROM cart WHERE session = ?1 AND product = ?2",
    [SQL_CART_CLEAR] = "DELETE FROM cart WHERE session = ?1",
    [SQL_CART_COUNT] = "SELECT count(*) FROM cart WHERE session = ?1 AND product <> ?2",
    [SQL_STOCK_READ] = "SELECT units FROM stock WHERE product = ?1",
    [SQL_STOCK_WRITE] = "UPDATE stock SET units = ?2 WHERE product = ?1",
    [SQL_STOCK_SET] = "UPDATE stock SET received = received + ?2 - units, units = ?2 WHERE product = ?1",
    [SQL_STOCK_INSERT] = "INSERT INTO stock(product, received, units) VALUES(?1, ?2, ?2)",
    [SQL_STOCK_ALL] = "SELECT product, received, units FROM stock",
    [SQL_SOLD_ADD] = "INSERT INTO sold(product, source, units) VALUES(?1, ?2, ?3)"
                     " ON CONFLICT(product, source) DO UPDATE SET units = units + excluded.units",
    [SQL_SOLD_ALL] = "SELECT product, source, units FROM sold",
    [SQL_ORDER_INSERT] = "INSERT INTO orders(session, market, channel, source, units, amount_minor, payment, placed_ms)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SQL_ORDER_ITEM] = "INSERT INTO order_item(order_id, product, quantity) VALUES(?1, ?2, ?3)",
    [SQL_ORDER_VIEW] = "SELECT amount_minor, units, market FROM orders WHERE id = ?1 AND session = ?2",
    [SQL_LEDGER_ADD] =
        "INSERT INTO ledger(market, channel, source, orders, units, revenue_minor, declines, payment_errors,"
        " payment_timeouts, out_of_stock) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT(market, channel, source) DO UPDATE SET orders = orders + excluded.orders,"
        " units = units + excluded.units, revenue_minor = revenue_minor + excluded.revenue_minor,"
        " declines = declines + excluded.declines, payment_errors = payment_errors + excluded.payment_errors,"
        " payment_timeouts = payment_timeouts + excluded.payment_timeouts,"
        " out_of_stock = out_of_stock + excluded.out_of_stock",
    [SQL_LEDGER_ALL] = "SELECT market, channel, source, orders, units, revenue_minor, declines, "
                       "payment_errors, payment_timeouts,"
                       " out_of_stock FROM ledger ORDER BY market, channel, source",
};
static const char *const ORDERS_MIGRATIONS[] = {
    "CREATE TABLE cart(session TEXT NOT NULL, product INTEGER NOT NULL, quantity INTEGER NOT NULL, PRIMARY "
    "KEY(session, product)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE stock(product INTEGER PRIMARY KEY, received INTEGER NOT NULL, units INTEGER NOT NULL) "
    "STRICT;"
    "CREATE TABLE sold(product INTEGER NOT NULL, source INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY "
    "KEY(product, source)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE orders(id INTEGER PRIMARY KEY, session TEXT NOT NULL, market INTEGER NOT NULL, channel "
    "INTEGER NOT NULL,"
    " source INTEGER NOT NULL, units INTEGER NOT NULL, amount_minor INTEGER NOT NULL, payment TEXT NOT NULL,"
    " placed_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE order_item(order_id INTEGER NOT NULL REFERENCES orders(id), product INTEGER NOT NULL, "
    "quantity INTEGER NOT NULL,"
    " PRIMARY KEY(order_id, product)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE ledger(market INTEGER NOT NULL, channel INTEGER NOT NULL, source INTEGER NOT NULL, orders "
    "INTEGER NOT NULL,"
    " units INTEGER NOT NULL, revenue_minor INTEGER NOT NULL, declines INTEGER NOT NULL, payment_errors "
    "INTEGER NOT NULL,"
    " payment_timeouts INTEGER NOT NULL, out_of_stock INTEGER NOT NULL, PRIMARY KEY(market, channel, "
    "source)) STRICT, WITHOUT ROWID;",
    0,
};
