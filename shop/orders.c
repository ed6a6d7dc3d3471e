#include "shop/orders.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/db/db.h"
#include "shop/orders_sql.h"

struct orders {
    pthread_mutex_t lock;
    struct db *db;
    struct stock_view views[PRODUCTS];
};

MUST_USE static int first_stock(struct orders *o, uint32_t units)
{
    int r = db_step(o->db, SQL_STOCK_ALL);
    db_reset(o->db, SQL_STOCK_ALL);
    if (r != 0)
        return r < 0 ? r : 0;
    r = db_begin(o->db);
    for (int i = 0; r == 0 && i < PRODUCTS; i++) {
        db_bind_i64(o->db, SQL_STOCK_INSERT, 1, i);
        db_bind_i64(o->db, SQL_STOCK_INSERT, 2, units);
        r = db_run(o->db, SQL_STOCK_INSERT);
    }
    if (r == 0)
        return db_commit(o->db);
    db_rollback(o->db);
    return r;
}

MUST_USE static int load_views(struct orders *o)
{
    int r;
    while ((r = db_step(o->db, SQL_STOCK_ALL)) > 0) {
        int64_t i = db_i64(o->db, SQL_STOCK_ALL, 0);
        if (i < 0 || i >= PRODUCTS)
            continue;
        o->views[i].received = db_i64(o->db, SQL_STOCK_ALL, 1);
        o->views[i].believed = db_i64(o->db, SQL_STOCK_ALL, 2);
    }
    while (r == 0 && (r = db_step(o->db, SQL_SOLD_ALL)) > 0) {
        int64_t i = db_i64(o->db, SQL_SOLD_ALL, 0), s = db_i64(o->db, SQL_SOLD_ALL, 1);
        if (i >= 0 && i < PRODUCTS && s >= 0 && s < SOURCES)
            o->views[i].sold[s] = db_i64(o->db, SQL_SOLD_ALL, 2);
        r = 0;
    }
    return r;
}

int orders_open(const char *path, uint32_t initial_units, struct orders **ret, char *why, size_t why_bytes)
{
    struct orders *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    pthread_mutex_init(&o->lock, NULL);
    struct db_options options = {
        .sync = DB_SYNC_NORMAL, .sql = ORDERS_SQL, .sql_count = SQL_COUNT, .migrations = ORDERS_MIGRATIONS};
    int r = db_open(path, &options, &o->db, why, why_bytes);
    if (r == 0)
        r = first_stock(o, initial_units);
    if (r == 0)
        r = load_views(o);
    if (r < 0) {
        orders_close(o);
        return r;
    }
    *ret = o;
    return 0;
}

void orders_close(struct orders *o)
{
    if (!o)
        return;
    db_close(o->db);
    pthread_mutex_destroy(&o->lock);
    free(o);
}

int orders_cart_load(struct orders *o, struct span session, struct cart *ret)
{
    int r;
    ret->n = 0;
    pthread_mutex_lock(&o->lock);
    db_bind_text(o->db, SQL_CART_LOAD, 1, session);
    while ((r = db_step(o->db, SQL_CART_LOAD)) > 0 && ret->n < CART_ITEMS_MAX)
        ret->items[ret->n++] =
            (struct cart_item){(uint32_t)db_i64(o->db, SQL_CART_LOAD, 0), (uint32_t)db_i64(o->db, SQL_CART_LOAD, 1), 0};
    db_reset(o->db, SQL_CART_LOAD);
    pthread_mutex_unlock(&o->lock);
    return r < 0 ? r : 0;
}

int orders_cart_put(struct orders *o, struct span session, uint32_t product, uint32_t quantity)
{
    pthread_mutex_lock(&o->lock);
    db_bind_text(o->db, SQL_CART_COUNT, 1, session);
    db_bind_i64(o->db, SQL_CART_COUNT, 2, product);
    int r = db_step(o->db, SQL_CART_COUNT);
    bool full = r > 0 && db_i64(o->db, SQL_CART_COUNT, 0) >= (int64_t)CART_ITEMS_MAX;
    db_reset(o->db, SQL_CART_COUNT);
    if (r > 0)
        r = full && quantity ? -E2BIG : 0;
    if (r == 0) {
        int sql = quantity ? SQL_CART_PUT : SQL_CART_REMOVE;
        db_bind_text(o->db, sql, 1, session);
        db_bind_i64(o->db, sql, 2, product);
        if (quantity)
            db_bind_i64(o->db, sql, 3, quantity);
        r = db_run(o->db, sql);
    }
    pthread_mutex_unlock(&o->lock);
    return r;
}

int orders_stock(struct orders *o, struct cart *cart)
{
    int r = 0;
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; r >= 0 && i < cart->n; i++) {
        db_bind_i64(o->db, SQL_STOCK_READ, 1, cart->items[i].product);
        r = db_step(o->db, SQL_STOCK_READ);
        cart->items[i].believed = r > 0 ? db_i64(o->db, SQL_STOCK_READ, 0) : 0;
        db_reset(o->db, SQL_STOCK_READ);
    }
    pthread_mutex_unlock(&o->lock);
    return r < 0 ? r : 0;
}

struct ledger_row {
    int64_t orders, units, revenue_minor, notes[LEDGER_NOTES];
};

MUST_USE static int ledger_add(struct orders *o, const struct sale *sale, const struct ledger_row *row)
{
    db_bind_i64(o->db, SQL_LEDGER_ADD, 1, sale->market);
    db_bind_i64(o->db, SQL_LEDGER_ADD, 2, sale->channel);
    db_bind_i64(o->db, SQL_LEDGER_ADD, 3, sale->source);
    db_bind_i64(o->db, SQL_LEDGER_ADD, 4, row->orders);
    db_bind_i64(o->db, SQL_LEDGER_ADD, 5, row->units);
    db_bind_i64(o->db, SQL_LEDGER_ADD, 6, row->revenue_minor);
    for (int i = 0; i < LEDGER_NOTES; i++)
        db_bind_i64(o->db, SQL_LEDGER_ADD, 7 + i, row->notes[i]);
    return db_run(o->db, SQL_LEDGER_ADD);
}

MUST_USE static int place_item(struct orders *o, int64_t order, const struct sale *sale, const struct cart_item *item)
{
    db_bind_i64(o->db, SQL_ORDER_ITEM, 1, order);
    db_bind_i64(o->db, SQL_ORDER_ITEM, 2, item->product);
    db_bind_i64(o->db, SQL_ORDER_ITEM, 3, item->quantity);
    int r = db_run(o->db, SQL_ORDER_ITEM);
    if (r < 0)
        return r;
    /* Written from what was read before the payment: the mistake that lets shops oversell. */
    db_bind_i64(o->db, SQL_STOCK_WRITE, 1, item->product);
    db_bind_i64(o->db, SQL_STOCK_WRITE, 2, item->believed - item->quantity);
    r = db_run(o->db, SQL_STOCK_WRITE);
    if (r < 0)
        return r;
    db_bind_i64(o->db, SQL_SOLD_ADD, 1, item->product);
    db_bind_i64(o->db, SQL_SOLD_ADD, 2, sale->source);
    db_bind_i64(o->db, SQL_SOLD_ADD, 3, item->quantity);
    return db_run(o->db, SQL_SOLD_ADD);
}

int orders_place(struct orders *o, struct span session, const struct sale *sale, const struct cart *cart,
                 int64_t amount_minor, const char *payment_id, int64_t *ret_order)
{
    struct ledger_row row = {.orders = 1, .revenue_minor = amount_minor};
    int64_t order = 0;
    for (size_t i = 0; i < cart->n; i++)
        row.units += cart->items[i].quantity;
    pthread_mutex_lock(&o->lock);
    int r = db_begin(o->db);
    if (r == 0) {
        const int64_t values[] = {sale->market, sale->channel, sale->source, row.units, amount_minor};
        db_bind_text(o->db, SQL_ORDER_INSERT, 1, session);
        for (int i = 0; i < 5; i++)
            db_bind_i64(o->db, SQL_ORDER_INSERT, 2 + i, values[i]);
        db_bind_text(o->db, SQL_ORDER_INSERT, 7, span_str(payment_id));
        db_bind_i64(o->db, SQL_ORDER_INSERT, 8, unix_ms());
        r = db_run(o->db, SQL_ORDER_INSERT);
        order = db_last_id(o->db);
        for (size_t i = 0; r == 0 && i < cart->n; i++)
            r = place_item(o, order, sale, &cart->items[i]);
        if (r == 0)
            r = ledger_add(o, sale, &row);
        if (r == 0) {
            db_bind_text(o->db, SQL_CART_CLEAR, 1, session);
            r = db_run(o->db, SQL_CART_CLEAR);
        }
        if (r == 0)
            r = db_commit(o->db);
        else
            db_rollback(o->db);
    }
    for (size_t i = 0; r == 0 && i < cart->n; i++) {
        const struct cart_item *item = &cart->items[i];
        o->views[item->product].believed = item->believed - item->quantity;
        o->views[item->product].sold[sale->source] += item->quantity;
    }
    pthread_mutex_unlock(&o->lock);
    if (r == 0)
        *ret_order = order;
    return r;
}

int orders_note(struct orders *o, const struct sale *sale, enum ledger_note note)
{
    struct ledger_row row = {0};
    row.notes[note] = 1;
    pthread_mutex_lock(&o->lock);
    int r = ledger_add(o, sale, &row);
    pthread_mutex_unlock(&o->lock);
    return r;
}

int orders_view(struct orders *o, struct span session, int64_t id, struct order_view *ret)
{
    pthread_mutex_lock(&o->lock);
    db_bind_i64(o->db, SQL_ORDER_VIEW, 1, id);
    db_bind_text(o->db, SQL_ORDER_VIEW, 2, session);
    int r = db_step(o->db, SQL_ORDER_VIEW);
    if (r > 0)
        *ret = (struct order_view){id, db_i64(o->db, SQL_ORDER_VIEW, 0), db_i64(o->db, SQL_ORDER_VIEW, 1),
                                   db_i64(o->db, SQL_ORDER_VIEW, 2) == MARKET_JP ? MARKET_JP : MARKET_DE};
    db_reset(o->db, SQL_ORDER_VIEW);
    pthread_mutex_unlock(&o->lock);
    return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int orders_set_stock(struct orders *o, uint32_t product, int64_t units)
{
    pthread_mutex_lock(&o->lock);
    db_bind_i64(o->db, SQL_STOCK_SET, 1, product);
    db_bind_i64(o->db, SQL_STOCK_SET, 2, units);
    int r = db_run(o->db, SQL_STOCK_SET);
    if (r == 0) {
        struct stock_view *v = &o->views[product];
        v->received += units - v->believed;
        v->believed = units;
    }
    pthread_mutex_unlock(&o->lock);
    return r;
}

void orders_stock_view(struct orders *o, struct stock_view views[PRODUCTS])
{
    pthread_mutex_lock(&o->lock);
    memcpy(views, o->views, sizeof o->views);
    pthread_mutex_unlock(&o->lock);
}

static const char *name_of(const char *const *names, int64_t i, int64_t n)
{
    return i >= 0 && i < n ? names[i] : "?";
}

int orders_ledger(struct orders *o, const struct catalogue *c, struct json_writer *j)
{
    static const char *const COLUMNS[] = {
        "orders", "units", "revenue_minor", "declines", "payment_errors", "payment_timeouts", "out_of_stock"};
    int r;
    struct stock_view *views = malloc(sizeof o->views);
    if (!views)
        return -ENOMEM;
    pthread_mutex_lock(&o->lock);
    jw_object(j);
    jw_key(j, "rows");
    jw_array(j);
    while ((r = db_step(o->db, SQL_LEDGER_ALL)) > 0) {
        int64_t market = db_i64(o->db, SQL_LEDGER_ALL, 0);
        jw_object(j);
        jw_key(j, "market");
        jw_str(j, name_of(MARKET_NAMES, market, MARKETS));
        jw_key(j, "currency");
        jw_str(j, name_of(CURRENCIES, market, MARKETS));
        jw_key(j, "channel");
        jw_str(j, name_of(CHANNEL_NAMES, db_i64(o->db, SQL_LEDGER_ALL, 1), CHANNELS));
        jw_key(j, "source");
        jw_str(j, name_of(SOURCE_NAMES, db_i64(o->db, SQL_LEDGER_ALL, 2), SOURCES));
        for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
            jw_key(j, COLUMNS[i]);
            jw_i64(j, db_i64(o->db, SQL_LEDGER_ALL, 3 + (int)i));
        }
        jw_end(j);
    }
    jw_end(j);
    memcpy(views, o->views, sizeof o->views);
    pthread_mutex_unlock(&o->lock);
    jw_key(j, "skus");
    jw_array(j);
    for (size_t i = 0; i < PRODUCTS; i++) {
        int64_t sold = views[i].sold[SOURCE_CUSTOMER] + views[i].sold[SOURCE_LOAD] + views[i].sold[SOURCE_SYNTHETIC];
        jw_object(j);
        jw_key(j, "sku");
        jw_str(j, catalogue_product(c, i)->sku);
        jw_key(j, "received");
        jw_i64(j, views[i].received);
        jw_key(j, "sold");
        jw_i64(j, sold);
        jw_key(j, "stock");
        jw_i64(j, views[i].believed);
        jw_key(j, "oversold");
        jw_i64(j, sold > views[i].received ? sold - views[i].received : 0);
        jw_end(j);
    }
    jw_end(j);
    jw_end(j);
    free(views);
    return r;
}
