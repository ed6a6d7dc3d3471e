/* The steps of a visit, from home to order. Each fills the answer as JSON members or as a page. */
#include "shop/visit.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"

#define LISTED 12 /* products on a page */

void visit_fail(struct visit *v, int status, enum outcome outcome, const char *type, const char *message)
{
    v->status = status;
    v->outcome = outcome;
    v->error_type = type;
    v->error_message = message;
}

static void fail_internal(struct visit *v)
{
    visit_fail(v, 500, OUTCOME_ERROR, "internal", "Something went wrong on our side.");
}

bool visit_take_session(struct visit *v)
{
    int64_t waited_us;
    int r = pool_take(v->shop->pool, POOL_WAIT_MS, &waited_us);
    duration_record(&v->shop->metrics->pool_wait, waited_us);
    if (r < 0)
        visit_fail(v, 503, OUTCOME_TIMEOUT, "pool_timeout", "The shop is busy, please try again.");
    else
        sleep_us(atomic_load(&v->shop->faults.db_latency_ms) * 1000);
    return r == 0;
}

void visit_give_session(struct visit *v)
{
    pool_give(v->shop->pool);
}

/* Work of `us` in the database, counted as a call to it. The session is held by the caller. */
static void database_call(struct visit *v, int64_t us)
{
    struct shop_metrics *m = v->shop->metrics;
    int64_t start = mono_us();
    int slot = inflight_begin(m, STEPS + DEPENDENCY_DATABASE, v->source, start);
    sleep_us(us);
    inflight_end(m, slot);
    duration_record(&m->dependency_seconds[DEPENDENCY_DATABASE][CALL_OK][v->source], mono_us() - start);
}

/* Have these products in hand: from the cache, or read from the origin under one database session. */
static bool read_products(struct visit *v, const size_t *indexes, size_t n)
{
    struct shop *shop = v->shop;
    int64_t now = unix_ms(), ttl = atomic_load(&shop->faults.cache_ttl_ms);
    bool enabled = atomic_load(&shop->faults.cache_enabled);
    size_t missed = 0;
    for (size_t i = 0; i < n; i++)
        missed += !enabled || !catalogue_cached(shop->catalogue, indexes[i], now, ttl);
    count_add(&shop->metrics->cache_hits, n - missed);
    count_add(&shop->metrics->cache_misses, missed);
    if (missed == 0)
        return true;
    if (!visit_take_session(v))
        return false;
    database_call(v, atomic_load(&shop->faults.cache_origin_ms) * 1000);
    visit_give_session(v);
    for (size_t i = 0; enabled && i < n; i++)
        catalogue_filled(shop->catalogue, indexes[i], now);
    return true;
}

static void write_product(struct visit *v, size_t index)
{
    const struct product *p = catalogue_product(v->shop->catalogue, index);
    int64_t price = p->price_minor[v->session.market];
    if (v->html) {
        page_printf(v, "<li><a href=\"/product/%s\">%s</a> <span class=\"price\">", p->sku, p->name);
        page_price(v, price);
        page_raw(v, "</span></li>\n");
        return;
    }
    jw_object(&v->json);
    jw_key(&v->json, "sku");
    jw_str(&v->json, p->sku);
    jw_key(&v->json, "name");
    jw_str(&v->json, p->name);
    jw_key(&v->json, "price");
    jw_object(&v->json);
    jw_key(&v->json, "amount");
    jw_i64(&v->json, price);
    jw_key(&v->json, "currency");
    jw_str(&v->json, CURRENCIES[v->session.market]);
    jw_end(&v->json);
    jw_end(&v->json);
}

static void list_products(struct visit *v, const char *title, const size_t *indexes, size_t n)
{
    if (v->html) {
        page_begin(v, title);
        page_raw(v, "<form action=\"/search\"><input name=\"q\" "
                    "aria-label=\"search\"><button>Search</button></form>\n<ul>\n");
    } else {
        jw_key(&v->json, "products");
        jw_array(&v->json);
    }
    for (size_t i = 0; i < n; i++)
        write_product(v, indexes[i]);
    if (v->html) {
        page_raw(v, "</ul>\n");
        page_end(v);
    } else {
        jw_end(&v->json);
    }
}

static void step_home(struct visit *v)
{
    size_t indexes[LISTED];
    size_t n = catalogue_search(v->shop->catalogue, SPAN(""), indexes, LISTED);
    if (read_products(v, indexes, n))
        list_products(v, "Welcome", indexes, n);
}

static void step_search(struct visit *v)
{
    size_t indexes[LISTED];
    size_t n = catalogue_search(v->shop->catalogue, httpd_param(v->request, "q"), indexes, LISTED);
    if (read_products(v, indexes, n))
        list_products(v, "Search", indexes, n);
}

static void step_product(struct visit *v)
{
    static const struct {
        const char *path, *button;
    } NOTED[] = {{"/wishlist", "Remember"}, {"/compare", "Compare"}};
    int found = catalogue_find(v->shop->catalogue, httpd_segment(v->request, "sku"));
    size_t index = (size_t)found;
    if (found < 0) {
        visit_fail(v, 404, OUTCOME_INVALID, "no_such_product", "There is no such product.");
        return;
    }
    if (!read_products(v, &index, 1))
        return;
    if (!v->html) {
        jw_key(&v->json, "product");
        write_product(v, index);
        return;
    }
    const struct product *p = catalogue_product(v->shop->catalogue, index);
    page_begin(v, p->name);
    page_raw(v, "<p class=\"price\">");
    page_price(v, p->price_minor[v->session.market]);
    page_raw(v, "</p>\n");
    page_form(v, "/cart");
    page_printf(v,
                "<input type=\"hidden\" name=\"sku\" value=\"%s\">\n<label>Quantity <input name=\"quantity\" "
                "value=\"1\"></label>\n"
                "<button>Add to cart</button></form>\n",
                p->sku);
    if (v->shop->require_token)
        page_quick_add(v, p->sku);
    for (size_t i = 0; i < ARRAY_LEN(NOTED); i++) {
        page_form(v, NOTED[i].path);
        page_printf(v, "<input type=\"hidden\" name=\"sku\" value=\"%s\"><button>%s</button></form>\n", p->sku,
                    NOTED[i].button);
    }
    page_end(v);
}

static int64_t cart_amount(const struct visit *v, const struct cart *cart, uint64_t *ret_units)
{
    int64_t amount = 0;
    *ret_units = 0;
    for (size_t i = 0; i < cart->n; i++) {
        amount += catalogue_product(v->shop->catalogue, cart->items[i].product)->price_minor[v->session.market] *
                  cart->items[i].quantity;
        *ret_units += cart->items[i].quantity;
    }
    return amount;
}

static void write_cart(struct visit *v, const struct cart *cart)
{
    uint64_t units;
    int64_t amount = cart_amount(v, cart, &units);
    if (!v->html) {
        jw_key(&v->json, "items");
        jw_array(&v->json);
        for (size_t i = 0; i < cart->n; i++) {
            jw_object(&v->json);
            jw_key(&v->json, "sku");
            jw_str(&v->json, catalogue_product(v->shop->catalogue, cart->items[i].product)->sku);
            jw_key(&v->json, "quantity");
            jw_u64(&v->json, cart->items[i].quantity);
            jw_end(&v->json);
        }
        jw_end(&v->json);
        jw_key(&v->json, "units");
        jw_u64(&v->json, units);
        jw_key(&v->json, "amount");
        jw_i64(&v->json, amount);
        jw_key(&v->json, "currency");
        jw_str(&v->json, CURRENCIES[v->session.market]);
        return;
    }
    page_begin(v, "Cart");
    page_raw(v, "<ul>\n");
    for (size_t i = 0; i < cart->n; i++)
        page_printf(v, "<li>%u &times; %s</li>\n", cart->items[i].quantity,
                    catalogue_product(v->shop->catalogue, cart->items[i].product)->name);
    page_raw(v, "</ul>\n<p class=\"total\">");
    page_price(v, amount);
    page_raw(v, "</p>\n<p><a href=\"/checkout/address\">Check out</a></p>\n");
    page_end(v);
}

static bool put_in_cart(struct visit *v)
{
    uint64_t quantity = 1;
    struct span sku = visit_field(v, "sku"), text = visit_field(v, "quantity");
    if (v->outcome != OUTCOME_OK)
        return false;
    int product = catalogue_find(v->shop->catalogue, sku);
    if (product < 0 || (text.len && parse_u64_span(text, QUANTITY_MAX, &quantity) < 0)) {
        visit_fail(v, 400, OUTCOME_INVALID, "bad_item", "A known sku and a quantity from 0 to 99 are needed.");
        return false;
    }
    int r = orders_cart_put(v->shop->orders, span_str(v->session.id), (uint32_t)product, (uint32_t)quantity);
    if (r == -E2BIG)
        visit_fail(v, 400, OUTCOME_INVALID, "cart_full", "The cart holds 20 different articles at most.");
    else if (r < 0)
        fail_internal(v);
    return r == 0;
}

static void step_cart(struct visit *v)
{
    struct cart cart;
    if (!visit_take_session(v))
        return;
    if ((!v->posted || put_in_cart(v)) && v->outcome == OUTCOME_OK) {
        if (v->html && v->posted)
            snprintf(v->location, sizeof v->location, "/cart");
        else if (orders_cart_load(v->shop->orders, span_str(v->session.id), &cart) < 0)
            fail_internal(v);
        else
            write_cart(v, &cart);
    }
    visit_give_session(v);
}

static void page_with_form(struct visit *v, const char *title, const char *action, const char *fields)
{
    page_begin(v, title);
    page_form(v, action);
    page_raw(v, fields);
    page_raw(v, "<button>Continue</button></form>\n");
    page_end(v);
}

static void step_address(struct visit *v)
{
    static const char *const NEEDED[] = {"name", "street", "city", "postcode"};
    if (!v->posted) {
        page_with_form(
            v, "Address", "/checkout/address",
            "<label>Name <input name=\"name\"></label>\n<label>Street <input name=\"street\"></label>\n"
            "<label>City <input name=\"city\"></label>\n<label>Postcode <input name=\"postcode\"></label>\n");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(NEEDED); i++) {
        struct span text = visit_field(v, NEEDED[i]);
        if (text.len == 0 || text.len > 200) {
            visit_fail(v, 400, OUTCOME_INVALID, "bad_address",
                       "Name, street, city and postcode are needed, up to 200 bytes each.");
            return;
        }
    }
    if (!v->session.has_address) {
        v->session.checkout_started_us = mono_us();
        count_add(&v->shop->metrics->checkouts_started[v->session.market][v->session.channel][v->source], 1);
    }
    v->session.has_address = true;
    sessions_put(v->shop->sessions, &v->session);
    if (v->html)
        snprintf(v->location, sizeof v->location, "/checkout/shipping");
}

static void step_shipping(struct visit *v)
{
    if (!v->posted) {
        page_with_form(v, "Shipping", "/checkout/shipping",
                       "<label>Method <select "
                       "name=\"method\"><option>standard</option><option>express</option></select></label>\n");
        return;
    }
    struct span method = visit_field(v, "method");
    if (!v->session.has_address) {
        visit_fail(v, 400, OUTCOME_INVALID, "checkout_incomplete", "The address comes first.");
    } else if (!span_equal(method, SPAN("standard")) && !span_equal(method, SPAN("express"))) {
        visit_fail(v, 400, OUTCOME_INVALID, "bad_method", "The method is standard or express.");
    } else {
        v->session.has_shipping = true;
        sessions_put(v->shop->sessions, &v->session);
        if (v->html)
            snprintf(v->location, sizeof v->location, "/checkout/payment");
    }
}

static void order_placed(struct visit *v, int64_t order, const struct cart *cart, int64_t amount)
{
    struct shop_metrics *m = v->shop->metrics;
    enum market market = v->session.market;
    enum channel channel = v->session.channel;
    uint64_t units;
    (void)cart_amount(v, cart, &units);
    count_add(&m->orders[market][channel][v->source], 1);
    count_add(&m->units[market][channel][v->source], units);
    count_add(&m->revenue_minor[market][channel][v->source], (unsigned long)amount);
    if (v->session.checkout_started_us)
        duration_record(&m->checkout_seconds[market][channel][v->source], mono_us() - v->session.checkout_started_us);
    v->session.has_address = v->session.has_shipping = false;
    v->session.checkout_started_us = 0;
    sessions_put(v->shop->sessions, &v->session);
    if (v->html) {
        snprintf(v->location, sizeof v->location, "/order/%lld", (long long)order);
        return;
    }
    jw_key(&v->json, "order");
    jw_object(&v->json);
    jw_key(&v->json, "id");
    jw_i64(&v->json, order);
    jw_key(&v->json, "amount");
    jw_i64(&v->json, amount);
    jw_key(&v->json, "currency");
    jw_str(&v->json, CURRENCIES[market]);
    jw_end(&v->json);
}

static void payment_failed(struct visit *v, const struct sale *sale, enum payment outcome)
{
    static const struct {
        int status;
        enum outcome outcome;
        enum ledger_note note;
        const char *type, *message;
    } FAILURES[PAYMENTS] = {
        [PAYMENT_DECLINED] = {200, OUTCOME_DECLINED, LEDGER_DECLINE, "payment_declined", "The card was declined."},
        [PAYMENT_ERROR] = {502, OUTCOME_ERROR, LEDGER_PAYMENT_ERROR, "gateway_error", "The payment could not be made."},
        [PAYMENT_TIMEOUT] = {504, OUTCOME_TIMEOUT, LEDGER_PAYMENT_TIMEOUT, "gateway_timeout",
                             "The payment took too long."},
        [PAYMENT_RATE_LIMITED] = {200, OUTCOME_THROTTLED, LEDGER_PAYMENT_ERROR, "throttled",
                                  "Too many payments at once, please try again."},
    };
    visit_fail(v, FAILURES[outcome].status, FAILURES[outcome].outcome, FAILURES[outcome].type,
               FAILURES[outcome].message);
    if (orders_note(v->shop->orders, sale, FAILURES[outcome].note) < 0)
        fail_internal(v);
}

/* With the database session held: stock, gateway, order. */
static void pay(struct visit *v, struct span card)
{
    struct shop *shop = v->shop;
    const struct sale sale = {v->session.market, v->session.channel, v->source};
    struct cart cart;
    uint64_t units;
    if (orders_cart_load(shop->orders, span_str(v->session.id), &cart) < 0 || orders_stock(shop->orders, &cart) < 0) {
        fail_internal(v);
        return;
    }
    if (cart.n == 0) {
        visit_fail(v, 400, OUTCOME_INVALID, "cart_empty", "The cart is empty.");
        return;
    }
    for (size_t i = 0; i < cart.n; i++)
        if (cart.items[i].believed < cart.items[i].quantity) {
            visit_fail(v, 200, OUTCOME_OUT_OF_STOCK, "out_of_stock", "An article is out of stock.");
            if (orders_note(shop->orders, &sale, LEDGER_OUT_OF_STOCK) < 0)
                fail_internal(v);
            return;
        }
    int64_t amount = cart_amount(v, &cart, &units), order = 0;
    struct payment_result paid = {0};
    pool_idle_in_transaction(shop->pool, 1);
    payment_call(v, amount, card, &paid);
    pool_idle_in_transaction(shop->pool, -1);
    if (paid.outcome != PAYMENT_APPROVED)
        payment_failed(v, &sale, paid.outcome);
    else if (orders_place(shop->orders, span_str(v->session.id), &sale, &cart, amount, paid.id, &order) < 0)
        fail_internal(v);
    else
        order_placed(v, order, &cart, amount);
}

static void step_payment(struct visit *v)
{
    if (!v->posted) {
        page_with_form(v, "Payment", "/checkout/payment",
                       "<label>Card <input name=\"card\" autocomplete=\"cc-number\"></label>\n");
        return;
    }
    struct span card = visit_field(v, "card");
    if (card.len < 12 || card.len > 19) {
        visit_fail(v, 400, OUTCOME_INVALID, "bad_card", "A card number has 12 to 19 digits.");
        return;
    }
    if (!v->session.has_address || !v->session.has_shipping) {
        visit_fail(v, 400, OUTCOME_INVALID, "checkout_incomplete", "Address and shipping come first.");
        return;
    }
    if (!visit_take_session(v))
        return;
    pay(v, card);
    visit_give_session(v);
}

static void step_order(struct visit *v)
{
    struct order_view order;
    int64_t id;
    if (parse_i64_span(httpd_segment(v->request, "id"), 1, INT64_MAX, &id) < 0) {
        visit_fail(v, 404, OUTCOME_INVALID, "no_such_order", "There is no such order.");
        return;
    }
    if (!visit_take_session(v))
        return;
    int r = orders_view(v->shop->orders, span_str(v->session.id), id, &order);
    visit_give_session(v);
    if (r == -ENOENT) {
        visit_fail(v, 404, OUTCOME_INVALID, "no_such_order", "There is no such order.");
    } else if (r < 0) {
        fail_internal(v);
    } else if (v->html) {
        page_begin(v, "Thank you");
        page_printf(v, "<p>Order <strong id=\"order\">%lld</strong>, <span class=\"price\">", (long long)order.id);
        page_price(v, order.amount_minor);
        page_raw(v, "</span></p>\n");
        page_end(v);
    } else {
        jw_key(&v->json, "order");
        jw_object(&v->json);
        jw_key(&v->json, "id");
        jw_i64(&v->json, order.id);
        jw_key(&v->json, "units");
        jw_i64(&v->json, order.units);
        jw_key(&v->json, "amount");
        jw_i64(&v->json, order.amount_minor);
        jw_key(&v->json, "currency");
        jw_str(&v->json, CURRENCIES[order.market]);
        jw_end(&v->json);
    }
}

/* ---- noted for later, or to stand side by side ---- */

static bool note_product(struct visit *v, struct noted *list)
{
    int product = catalogue_find(v->shop->catalogue, visit_field(v, "sku"));
    if (v->outcome != OUTCOME_OK)
        return false;
    for (unsigned i = 0; i < list->n; i++)
        if (list->products[i] == product)
            return true;
    if (product < 0 || list->n == NOTED_MAX) {
        visit_fail(v, 400, OUTCOME_INVALID, product < 0 ? "bad_item" : "list_full",
                   product < 0 ? "A known sku is needed." : "The list holds 12 articles at most.");
        return false;
    }
    list->products[list->n++] = (uint16_t)product;
    sessions_put(v->shop->sessions, &v->session);
    return true;
}

static void show_noted(struct visit *v, struct noted *list, const char *title, const char *path)
{
    size_t indexes[NOTED_MAX];
    if (v->posted && !note_product(v, list))
        return;
    if (v->posted && v->html) {
        snprintf(v->location, sizeof v->location, "%s", path);
        return;
    }
    for (unsigned i = 0; i < list->n; i++)
        indexes[i] = list->products[i];
    if (read_products(v, indexes, list->n))
        list_products(v, title, indexes, list->n);
}

static void step_wishlist(struct visit *v)
{
    show_noted(v, &v->session.wishlist, "Wish list", "/wishlist");
}

static void step_compare(struct visit *v)
{
    show_noted(v, &v->session.compared, "Compare", "/compare");
}

const step_function STEP_FUNCTIONS[STEPS] = {step_home,     step_search,  step_product, step_cart,     step_address,
                                             step_shipping, step_payment, step_order,   step_wishlist, step_compare};
