#include "shop/server.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "lib/httpd/httpd_daemon.h"
#include "lib/wire/http_client.h"
#include "shop/visit.h"

#define JSON_TYPE "application/json"

static void on_step(struct httpd_request *r, void *ctx);
static void on_blocking(struct httpd_request *r, void *ctx);

/* The first STEP_ROUTES routes are steps; STEP_OF says which, and which status codes exist from the start. */
static const struct httpd_route ROUTES[] = {
    {"GET", "/", 0, on_step, .help = "home"},
    {"GET", "/search", 0, on_step, .help = "search"},
    {"GET", "/product/{sku}", 0, on_step, .help = "product"},
    {"GET", "/cart", 0, on_step, .help = "cart"},
    {"POST", "/cart", SHOP_FORM_BYTES_MAX, on_step, .help = "add to cart"},
    {"GET", "/checkout/address", 0, on_step, .help = "address form"},
    {"POST", "/checkout/address", SHOP_FORM_BYTES_MAX, on_step, .help = "address"},
    {"GET", "/checkout/shipping", 0, on_step, .help = "shipping form"},
    {"POST", "/checkout/shipping", SHOP_FORM_BYTES_MAX, on_step, .help = "shipping"},
    {"GET", "/checkout/payment", 0, on_step, .help = "payment form"},
    {"POST", "/checkout/payment", SHOP_FORM_BYTES_MAX, on_step, .help = "payment"},
    {"GET", "/order/{id}", 0, on_step, .help = "order"},
    {"GET", "/api/home", 0, on_step, .help = "home"},
    {"GET", "/api/search", 0, on_step, .help = "search"},
    {"GET", "/api/product/{sku}", 0, on_step, .help = "product"},
    {"GET", "/api/cart", 0, on_step, .help = "cart"},
    {"POST", "/api/cart", SHOP_FORM_BYTES_MAX, on_step, .help = "add to cart"},
    {"POST", "/api/checkout/address", SHOP_FORM_BYTES_MAX, on_step, .help = "address"},
    {"POST", "/api/checkout/shipping", SHOP_FORM_BYTES_MAX, on_step, .help = "shipping"},
    {"POST", "/api/checkout/payment", SHOP_FORM_BYTES_MAX, on_step, .help = "payment"},
    {"GET", "/api/order/{id}", 0, on_step, .help = "order"},
    {"GET", "/wishlist", 0, on_step, .help = "articles for later"},
    {"POST", "/wishlist", SHOP_FORM_BYTES_MAX, on_step, .help = "remember one"},
    {"GET", "/compare", 0, on_step, .help = "articles side by side"},
    {"POST", "/compare", SHOP_FORM_BYTES_MAX, on_step, .help = "put one beside them"},
    {"GET", "/api/wishlist", 0, on_step, .help = "articles for later"},
    {"POST", "/api/wishlist", SHOP_FORM_BYTES_MAX, on_step, .help = "remember one"},
    {"GET", "/api/compare", 0, on_step, .help = "articles side by side"},
    {"POST", "/api/compare", SHOP_FORM_BYTES_MAX, on_step, .help = "put one beside them"},
    {"GET|PUT", "/control", SHOP_FORM_BYTES_MAX, on_blocking, .help = "faults"},
    {"GET", "/ledger", 0, on_blocking, .help = "the independent truth"},
    {0},
};
static const enum step STEP_OF[] = {
    STEP_HOME,     STEP_SEARCH,   STEP_PRODUCT,  STEP_CART,    STEP_CART,   STEP_ADDRESS,  STEP_ADDRESS,  STEP_SHIPPING,
    STEP_SHIPPING, STEP_PAYMENT,  STEP_PAYMENT,  STEP_ORDER,   STEP_HOME,   STEP_SEARCH,   STEP_PRODUCT,  STEP_CART,
    STEP_CART,     STEP_ADDRESS,  STEP_SHIPPING, STEP_PAYMENT, STEP_ORDER,  STEP_WISHLIST, STEP_WISHLIST, STEP_COMPARE,
    STEP_COMPARE,  STEP_WISHLIST, STEP_WISHLIST, STEP_COMPARE, STEP_COMPARE};
#define STEP_ROUTES ARRAY_LEN(STEP_OF)

struct server {
    struct shop shop;
    struct httpd_daemon daemon;
    struct queue *queue; /* of struct httpd_request * */
    struct thread *workers[WORKERS];
};

static void on_queue(struct httpd_request *r, struct server *s)
{
    httpd_defer(r);
    if (queue_push(s->queue, r) < 0) {
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_text(r, 503, "the shop is full\n");
    }
}

static void on_step(struct httpd_request *r, void *ctx)
{
    struct server *s = ctx;
    atomic_fetch_add(&s->shop.metrics->routes[httpd_route_index(r)].active, 1);
    on_queue(r, s);
}

static void on_blocking(struct httpd_request *r, void *ctx)
{
    on_queue(r, ctx);
}

static void write_metrics(void *ctx, struct httpd *server UNUSED, struct metric_writer *w)
{
    struct shop *shop = &((struct server *)ctx)->shop;
    shop_metrics_write(shop->metrics, shop->pool, shop->orders, shop->catalogue, w);
}

struct span visit_field(struct visit *v, const char *name)
{
    struct parse_error error = {0};
    struct arena *arena = httpd_arena(v->request);
    bool ok = true;
    if (v->html)
        return httpd_param(v->request, name);
    json_t *body = json_read(httpd_body(v->request), &error);
    json_t *member = json_object_get(body, name);
    struct span text = {0};
    if (json_is_string(member))
        text = arena_span(arena, span_str(json_string_value(member)), &ok);
    else if (json_is_integer(member))
        text = span_str(arena_printf(arena, "%lld", (long long)json_integer_value(member)));
    else if (member)
        visit_fail(v, 400, OUTCOME_INVALID, "bad_type", "A member of the body is neither a text nor a whole number.");
    json_decref(body);
    return text;
}

/* The visitor: by cookie, or new with the market and channel asked for. false: the answer is a failure. */
static bool find_session(struct visit *v)
{
    int64_t now = unix_ms();
    struct span market = httpd_param(v->request, "market"), channel = httpd_param(v->request, "channel");
    if (sessions_find(v->shop->sessions, httpd_cookie(v->request, "sid"), now, &v->session) == 0)
        return true;
    int r = sessions_create(v->shop->sessions, span_equal(market, SPAN("jp")) ? MARKET_JP : MARKET_DE,
                            span_equal(channel, SPAN("app")) ? CHANNEL_APP : CHANNEL_WEB, now, &v->session);
    if (r < 0)
        visit_fail(v, 503, OUTCOME_ERROR, "too_many_visitors", "The shop is full, please try again.");
    v->new_session = r == 0;
    return r == 0;
}

static bool csrf_ok(struct visit *v)
{
    bool strict = v->shop->require_token;
    if (!v->posted || (!v->html && !strict))
        return true;
    struct span token = v->html ? httpd_param(v->request, "csrf") : httpd_header(v->request, "X-CSRF-Token");
    if (!span_equal(token, span_str(v->session.csrf))) {
        visit_fail(v, 403, OUTCOME_INVALID, "bad_csrf", "The form is not ours or too old.");
        return false;
    }
    if (strict && sessions_renew_token(v->shop->sessions, &v->session) < 0) {
        visit_fail(v, 500, OUTCOME_ERROR, "internal", "Something went wrong on our side.");
        return false;
    }
    return true;
}

static void run_step(struct visit *v)
{
    struct shop_faults *f = &v->shop->faults;
    sleep_us(atomic_load(&f->shop_latency_ms) * 1000);
    if (random_ratio() < atomic_load(&f->shop_error_ratio))
        visit_fail(v, 500, OUTCOME_ERROR, "internal", "Something went wrong on our side.");
    else if (find_session(v) && csrf_ok(v))
        STEP_FUNCTIONS[v->step](v);
}

static void send_answer(struct visit *v)
{
    if (v->new_session) {
        char cookie[128];
        snprintf(cookie, sizeof cookie, "sid=%s; Path=/; HttpOnly; SameSite=Lax", v->session.id);
        httpd_reply_header(v->request, "Set-Cookie", cookie);
    }
    httpd_reply_header(v->request, "Cache-Control", "no-store");
    if (v->status == 503)
        httpd_reply_header(v->request, "Retry-After", "1");
    if (v->location[0]) {
        httpd_reply_header(v->request, "Location", v->location);
        httpd_reply_empty(v->request, 303);
    } else {
        httpd_reply(v->request, v->status, v->html ? "text/html; charset=utf-8" : JSON_TYPE, &v->body);
    }
}

static void finish_body(struct visit *v)
{
    if (v->html) {
        if (v->error_type)
            page_error(v);
        return;
    }
    if (v->error_type) {
        buf_clear(&v->body);
        jw_init(&v->json, &v->body);
        jw_object(&v->json);
        jw_key(&v->json, "ok");
        jw_bool(&v->json, false);
        jw_key(&v->json, "error");
        jw_object(&v->json);
        jw_key(&v->json, "type");
        jw_str(&v->json, v->error_type);
        jw_key(&v->json, "message");
        jw_str(&v->json, v->error_message);
        jw_end(&v->json);
    } else if (v->shop->require_token) {
        jw_key(&v->json, "token");
        jw_str(&v->json, v->session.csrf);
    }
    jw_end(&v->json);
}

static void visit(struct shop *shop, struct httpd_request *r, size_t route)
{
    struct visit v = {.shop = shop, .request = r, .step = STEP_OF[route], .status = 200, .outcome = OUTCOME_OK};
    struct span path = httpd_path(r);
    struct shop_metrics *m = shop->metrics;
    int64_t start = mono_us();
    v.html = !span_starts(path, SPAN("/api/"));
    v.posted = span_equal(httpd_method(r), SPAN("POST"));
    buf_init(&v.body, BODY_BYTES_MAX);
    if (!v.html) {
        jw_init(&v.json, &v.body);
        jw_object(&v.json);
        jw_key(&v.json, "ok");
        jw_bool(&v.json, true);
    }
    int slot = -1;
    if (source_parse(httpd_header(r, "X-Crest-Run"), &v.source) < 0) {
        visit_fail(&v, 400, OUTCOME_INVALID, "bad_run", "X-Crest-Run is load/ID or synthetic/ID.");
    } else {
        slot = inflight_begin(m, (int)v.step, v.source, start);
        run_step(&v);
    }
    finish_body(&v);
    if (v.location[0])
        v.status = 303;
    inflight_end(m, slot);
    int64_t took = mono_us() - start;
    count_add(&m->operations[v.step][v.outcome][v.source], 1);
    duration_record(&m->operation_seconds[v.step][v.source], took);
    shop_metrics_request(m, route, v.status, v.source, mono_us() - httpd_started_us(r));
    atomic_fetch_sub(&m->routes[route].active, 1);
    if (shop->access_log) {
        char target[1024];
        struct span query = httpd_param(r, "q");
        snprintf(target, sizeof target, SPAN_FMT "%s" SPAN_FMT, SPAN_ARG(path), query.ptr ? "?q=" : "",
                 SPAN_ARG(query));
        access_log_write(shop->access_log, &v, target, v.body.len, took);
    }
    send_answer(&v);
    buf_done(&v.body);
}

/* ---- control and ledger ---- */

/* Pass the gateway's part on; -EINVAL with its words when it refuses. *ret_state (malloc) is its whole state.
 */
MUST_USE static int gateway_control(struct shop *shop, const json_t *part, char **ret_state, char *why,
                                    size_t why_bytes)
{
    char url[512];
    AUTO_FREE char *body = part ? json_dumps(part, JSON_COMPACT) : NULL;
    snprintf(url, sizeof url, "%s/control", shop->gateway_url);
    struct http_request request = {.method = part ? "PUT" : "GET",
                                   .url = url,
                                   .body = span_str(body),
                                   .timeout_ms = 3000,
                                   .body_bytes_max = SHOP_FORM_BYTES_MAX};
    struct http_response response = {0};
    int r = http_fetch(&request, &response);
    if (r < 0)
        snprintf(why, why_bytes, "the gateway does not answer: %s", response.error_text);
    else if (response.status != 200) {
        snprintf(why, why_bytes, "gateway: " SPAN_FMT, SPAN_ARG(span_trim(buf_view(&response.body))));
        r = -EINVAL;
    } else {
        *ret_state = buf_take(&response.body, NULL);
    }
    http_response_done(&response);
    return r;
}

/* The index of a stock item's product and its units; -EINVAL. */
MUST_USE static int read_stock(const struct shop *shop, const json_t *item, int64_t *ret_units)
{
    const char *sku = json_string_value(json_object_get(item, "sku"));
    json_t *units = json_object_get(item, "units");
    int product = catalogue_find(shop->catalogue, span_str(sku));
    if (product < 0 || !json_is_integer(units) || json_integer_value(units) < 0 || json_integer_value(units) > 1000000)
        return -EINVAL;
    *ret_units = json_integer_value(units);
    return product;
}

MUST_USE static int set_stock(struct shop *shop, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        int64_t units = 0;
        int product = read_stock(shop, item, &units);
        int r = product < 0 ? product : orders_set_stock(shop->orders, (uint32_t)product, units);
        if (r < 0)
            return r;
    }
    return 0;
}

static const struct control_part {
    const char *name;
    const struct fault_field *fields; /* NULL: not ours */
} PARTS[] = {
    {"gateway", NULL}, {"cache", CACHE_FIELDS}, {"db", DB_FIELDS}, {"shop", SHOP_FIELDS}, {"stock", NULL},
};

/* Is all of it right? {"flush": true} and {"sessions": N} act at once and are not faults that stay: they are taken out. */
MUST_USE static int check_control(struct shop *shop, json_t *body, bool *ret_flush, unsigned *ret_sessions, char *why,
                                  size_t why_bytes)
{
    struct shop_faults trial = {0};
    json_t *cache = json_object_get(body, "cache"), *db = json_object_get(body, "db"),
           *stock = json_object_get(body, "stock"), *flush = json_object_get(cache, "flush"),
           *sessions = json_object_get(db, "sessions"), *v;
    json_int_t n = json_integer_value(sessions);
    const char *name;
    size_t i;
    json_object_foreach(body, name, v)
    {
        size_t k = 0;
        while (k < ARRAY_LEN(PARTS) && strcmp(PARTS[k].name, name) != 0)
            k++;
        if (k == ARRAY_LEN(PARTS)) {
            snprintf(why, why_bytes, "'%s' is none of gateway, cache, db, shop, stock", name);
            return -EINVAL;
        }
    }
    if (flush && !json_is_boolean(flush)) {
        snprintf(why, why_bytes, "cache.flush is true or false");
        return -EINVAL;
    }
    if (sessions && (n < 1 || n > DB_SESSIONS_MAX)) {
        snprintf(why, why_bytes, "db.sessions is 1 to %d", DB_SESSIONS_MAX);
        return -EINVAL;
    }
    *ret_flush = json_is_true(flush);
    *ret_sessions = (unsigned)n;
    json_object_del(cache, "flush");
    json_object_del(db, "sessions");
    for (i = 0; i < ARRAY_LEN(PARTS); i++) {
        const json_t *part = PARTS[i].fields ? json_object_get(body, PARTS[i].name) : NULL;
        if (part && faults_read(part, PARTS[i].fields, &trial, why, why_bytes) < 0)
            return -EINVAL;
    }
    int64_t units;
    bool bad = stock && !json_is_array(stock);
    json_array_foreach(stock, i, v) bad = bad || read_stock(shop, v, &units) < 0;
    if (bad)
        snprintf(why, why_bytes, "stock is a list of {\"sku\", \"units\"}");
    return bad ? -EINVAL : 0;
}

/* Refused as a whole, or in force as a whole: the gateway's part first, as only that can still be refused. */
MUST_USE static int apply_control(struct shop *shop, json_t *body, char **ret_gateway, char *why, size_t why_bytes)
{
    bool flush = false;
    unsigned sessions = 0;
    int r = check_control(shop, body, &flush, &sessions, why, why_bytes);
    if (r == 0)
        r = gateway_control(shop, json_object_get(body, "gateway"), ret_gateway, why, why_bytes);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(PARTS); i++) {
        const json_t *part = PARTS[i].fields ? json_object_get(body, PARTS[i].name) : NULL;
        r = part ? faults_read(part, PARTS[i].fields, &shop->faults, why, why_bytes) : 0;
    }
    if (r == 0 && set_stock(shop, json_object_get(body, "stock")) < 0) {
        snprintf(why, why_bytes, "the stock cannot be written");
        r = -EIO;
    }
    if (r == 0 && flush)
        catalogue_flush(shop->catalogue);
    if (r == 0 && sessions)
        pool_resize(shop->pool, sessions);
    return r;
}

static void reply_control(struct httpd_request *r, struct shop *shop, const char *gateway)
{
    struct buf out;
    struct json_writer j;
    struct pool_counts pool;
    pool_count(shop->pool, &pool);
    buf_init(&out, SHOP_FORM_BYTES_MAX);
    jw_init(&j, &out);
    jw_object(&j);
    jw_key(&j, "gateway");
    jw_raw(&j, span_str(gateway));
    jw_key(&j, "cache");
    faults_write(&j, CACHE_FIELDS, &shop->faults);
    jw_key(&j, "db");
    jw_object(&j);
    jw_key(&j, "sessions");
    jw_u64(&j, pool.max);
    jw_key(&j, "latency_ms");
    jw_i64(&j, atomic_load(&shop->faults.db_latency_ms));
    jw_end(&j);
    jw_key(&j, "shop");
    faults_write(&j, SHOP_FIELDS, &shop->faults);
    jw_end(&j);
    httpd_reply(r, 200, JSON_TYPE, &out);
    buf_done(&out);
}

static void control(struct shop *shop, struct httpd_request *r)
{
    char why[1024] = "";
    AUTO_FREE char *gateway = NULL;
    int e;
    if (span_equal(httpd_method(r), SPAN("PUT"))) {
        struct parse_error error = {0};
        json_t *body = json_read(httpd_body(r), &error);
        if (json_is_object(body)) {
            e = apply_control(shop, body, &gateway, why, sizeof why);
        } else {
            e = -EINVAL;
            snprintf(why, sizeof why, "a JSON object is wanted: %s", error.text);
        }
        json_decref(body);
    } else {
        e = gateway_control(shop, NULL, &gateway, why, sizeof why);
    }
    if (e < 0 || !gateway)
        httpd_reply_text(r, e == -EINVAL ? 400 : 502, "%s\n", why);
    else
        reply_control(r, shop, gateway);
}

static void ledger(struct shop *shop, struct httpd_request *r)
{
    struct buf out;
    struct json_writer j;
    buf_init(&out, BODY_BYTES_MAX);
    jw_init(&j, &out);
    if (orders_ledger(shop->orders, shop->catalogue, &j) < 0)
        httpd_reply_text(r, 500, "the ledger cannot be read\n");
    else
        httpd_reply(r, 200, JSON_TYPE, &out);
    buf_done(&out);
}

static void worker_main(void *arg)
{
    struct server *s = arg;
    void *item;
    for (;;) {
        if (queue_pop_all(s->queue, &item, 1, -1) == 0)
            return; /* closed and drained */
        struct httpd_request *r = item;
        size_t route = httpd_route_index(r);
        if (route < STEP_ROUTES)
            visit(&s->shop, r, route);
        else if (span_equal(httpd_path(r), SPAN("/ledger")))
            ledger(&s->shop, r);
        else
            control(&s->shop, r);
    }
}

/* ---- life ---- */

static void declare_routes(struct shop_metrics *m)
{
    static const int READ[] = {200, 500, 503, 0}, FORM[] = {200, 303, 500, 503, 0},
                     PAY[] = {200, 303, 500, 502, 503, 504, 0};
    for (size_t i = 0; i < STEP_ROUTES; i++)
        shop_metrics_route(m, i, ROUTES[i].method, ROUTES[i].path,
                           strcmp(ROUTES[i].method, "POST") != 0 ? READ
                           : STEP_OF[i] == STEP_PAYMENT          ? PAY
                                                                 : FORM);
}

MUST_USE static int open_parts(struct server *s, const struct options *o, char *why, size_t why_bytes)
{
    struct shop *shop = &s->shop;
    const char *dir = options_text(o, "data");
    AUTO_FREE char *path = NULL;
    snprintf(why, why_bytes, "out of memory");
    atomic_store(&shop->faults.cache_enabled, true);
    atomic_store(&shop->faults.cache_ttl_ms, 30000);
    atomic_store(&shop->faults.cache_origin_ms, 20);
    shop->gateway_url = options_text(o, "gateway");
    shop->require_token = options_flag(o, "require-token");
    shop->gateway_timeout_ms = options_duration_ms(o, "gateway-timeout");
    if (dir) {
        int r = dir_make(dir);
        if (r < 0) {
            snprintf(why, why_bytes, "cannot make %s: %s", dir, strerror(-r));
            return r;
        }
        if (asprintf(&path, "%s/shop.db", dir) < 0)
            return -ENOMEM;
    }
    int r = catalogue_new(options_count(o, "seed"), &shop->catalogue);
    if (r == 0)
        r = shop_metrics_new(ARRAY_LEN(ROUTES) - 1, &shop->metrics);
    if (r == 0)
        r = pool_new((unsigned)options_count(o, "sessions"), &shop->pool);
    if (r == 0)
        r = sessions_new(&shop->sessions);
    if (r == 0)
        r = orders_open(path, (uint32_t)options_count(o, "stock"), &shop->orders, why, why_bytes);
    if (r == 0 && (options_text(o, "access-log") || options_text(o, "access-log-json"))) {
        r = access_log_open(options_text(o, "access-log"), options_text(o, "access-log-json"), &shop->access_log);
        if (r < 0)
            snprintf(why, why_bytes, "cannot open the access log: %s", strerror(-r));
    }
    if (r == 0)
        declare_routes(shop->metrics);
    return r;
}

MUST_USE static int start_workers(struct server *s)
{
    int r = queue_new(SHOP_WORK_QUEUE_MAX, &s->queue);
    for (size_t i = 0; r == 0 && i < WORKERS; i++)
        r = thread_start("shop-worker", worker_main, s, &s->workers[i]);
    return r;
}

static void close_parts(struct server *s)
{
    struct shop *shop = &s->shop;
    httpd_stop(shop->httpd, 8000);
    if (s->queue)
        queue_close(s->queue);
    for (size_t i = 0; i < WORKERS; i++)
        thread_join(s->workers[i]);
    queue_free(s->queue);
    access_log_close(shop->access_log);
    orders_close(shop->orders);
    sessions_free(shop->sessions);
    pool_free(shop->pool);
    shop_metrics_free(shop->metrics);
    catalogue_free(shop->catalogue);
}

int shop_main(const struct options *o)
{
    struct server *s = calloc(1, sizeof *s);
    char why[1024] = "";
    if (!s)
        return EXIT_FAILED;
    s->daemon = (struct httpd_daemon){.program = "crest-shop", .metrics = write_metrics};
    struct httpd_config config = {.listen = options_text(o, "listen"),
                                  .routes = ROUTES,
                                  .ctx = s,
                                  .daemon = &s->daemon,
                                  .server_name = "crest-shop"};
    int r = open_parts(s, o, why, sizeof why);
    if (r == 0)
        r = start_workers(s);
    if (r == 0)
        r = httpd_start(&config, &s->shop.httpd, why, sizeof why);
    if (r < 0) {
        log_error("cannot start", "error", "%s", why);
    } else {
        atomic_store(&s->daemon.ready, true);
        daemon_print_listening(httpd_address(s->shop.httpd), httpd_port(s->shop.httpd));
        daemon_notify("READY=1");
        while (!daemon_stopping())
            daemon_wait(60000);
        daemon_notify("STOPPING=1");
    }
    close_parts(s);
    free(s);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
