#include "tests/support/sale.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/thread.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"

#define THREADS_MAX 64u
#define ERRORS_KEPT 1024u

/* ---- the programs ---- */

struct sale *sale_open(void)
{
    struct sale *s = calloc(1, sizeof *s);
    if (!s)
        check_failed("out of memory");
    check_ok(webhook_server_start(0, &s->pager));
    s->gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--decline", "0.02"));
    s->shop =
        e2e_start("crest-shop", E2E_ARGS("--gateway", e2e_url(s->gateway), "--data", e2e_path("shop"), "--seed", "1"));
    s->collector = e2e_start("crest-collector",
                             E2E_ARGS("--data", e2e_path("collector"), "--webhook-url", webhook_server_url(s->pager),
                                      "--rule-file", "dashboards/signals/shop.rules.yml", "--rule-file",
                                      "dashboards/signals/shop.alerts.yml"));
    char config[2048];
    snprintf(config, sizeof config,
             "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
             "scrape_configs:\n"
             "  - job_name: shop\n"
             "    static_configs: [{targets: ['127.0.0.1:%u'], labels: {service: shop, tier: app}}]\n"
             "  - job_name: payment-gateway\n"
             "    static_configs: [{targets: ['127.0.0.1:%u'], labels: {service: payment-gateway, tier: dependency}}]\n"
             "  - job_name: crest\n"
             "    scrape_interval: 5s\n"
             "    static_configs: [{targets: ['127.0.0.1:%u'], labels: {service: crest, tier: app}}]\n"
             "remote_write: [{url: '%s/api/v1/write'}]\n",
             e2e_port(s->shop), e2e_port(s->gateway), e2e_port(s->collector), e2e_url(s->collector));
    s->agent = e2e_start("crest-agent",
                         E2E_ARGS("--config", e2e_write("prometheus.yml", config), "--data", e2e_path("agent")));
    return s;
}

void sale_close(struct sale *s)
{
    e2e_stop(s->agent);
    e2e_stop(s->collector);
    e2e_stop(s->shop);
    e2e_stop(s->gateway);
    webhook_server_stop(s->pager);
    free(s);
}

int64_t sale_control(struct sale *s, const char *json)
{
    char *answer = e2e_send(s->shop, "PUT", "/control", "application/json", json, 200);
    int64_t at_us = mono_us();
    free(answer);
    return at_us;
}

bool sale_wait_alert(struct sale *s, const char *what, size_t from, int64_t timeout_ms, int64_t *ret_at_us)
{
    int64_t until = mono_us() + timeout_ms * 1000;
    for (;;) {
        for (; from < webhook_server_count(s->pager); from++) {
            size_t n = json_array_size(json_object_get(webhook_server_body(s->pager, from), "alerts"));
            char text[256];
            for (size_t k = 0; k < n; k++) {
                if (strcmp(webhook_server_alert(s->pager, from, k, NULL, text, sizeof text), what) != 0)
                    continue;
                if (ret_at_us)
                    *ret_at_us = webhook_server_at_us(s->pager, from);
                return true;
            }
        }
        int64_t left_ms = (until - mono_us()) / 1000;
        if (left_ms <= 0 || !webhook_server_wait(s->pager, from + 1, left_ms))
            return false;
    }
}

double sale_query(struct sale *s, const char *query)
{
    struct buf path;
    struct parse_error error;
    double v = NAN;
    buf_init(&path, 16384);
    buf_str(&path, "/api/v1/query?query=");
    url_encode(&path, span_str(query));
    check_ok(buf_error(&path));
    char *body = e2e_get(s->collector, path.data, 200);
    json_t *answer = json_read(span_str(body), &error);
    json_t *first = json_array_get(json_object_get(json_object_get(answer, "data"), "result"), 0);
    const char *text = json_string_value(json_array_get(json_object_get(first, "value"), 1));
    if (text && parse_f64_span(span_str(text), &v) < 0)
        v = NAN;
    json_decref(answer);
    free(body);
    buf_done(&path);
    return v;
}

/* ---- customers ---- */

struct customer {
    struct customers *all;
    struct thread *thread;
    bool pays;
    unsigned index; /* among those who do the same */
};
struct customers {
    const char *shop_url;
    struct customer list[THREADS_MAX];
    size_t n;
    unsigned n_paying, n_browsing;
    atomic_llong paying_us, browsing_us; /* between two visits of one thread; 0: none */
    atomic_bool stopping;
    atomic_ullong visits, payments, approved, declined, late;
    pthread_mutex_t lock; /* errors and their times belong together */
    uint64_t errors;
    int64_t error_us[ERRORS_KEPT];
};

/* One request with the visitor's cookie; its status or a negative errno. *ret_answer (may be NULL) is the parsed JSON. */
static int visit(struct customers *c, char cookie[128], const char *path, const char *body, json_t **ret_answer)
{
    char url[256], header[160];
    struct parse_error error;
    snprintf(url, sizeof url, "%s%s", c->shop_url, path);
    snprintf(header, sizeof header, "Cookie: %s", cookie);
    const char *headers[] = {"Content-Type: application/json", cookie[0] ? header : NULL, NULL};
    struct http_request request = {.url = url, .headers = headers, .body = span_str(body), .timeout_ms = 20000};
    struct http_response response;
    int r = http_fetch(&request, &response);
    struct span set = http_response_header(&response, "set-cookie");
    if (set.len && !cookie[0])
        snprintf(cookie, 128, SPAN_FMT, SPAN_ARG(span_of(set.ptr, span_find(set, ';'))));
    if (ret_answer)
        *ret_answer = r == 0 ? json_read(buf_view(&response.body), &error) : NULL;
    if (r == 0)
        r = response.status;
    http_response_done(&response);
    return r;
}

static void count_payment(struct customers *c, int status, json_t *answer)
{
    const char *type = json_string_value(json_object_get(json_object_get(answer, "error"), "type"));
    atomic_fetch_add(&c->payments, 1);
    if (status == 200 && json_is_true(json_object_get(answer, "ok"))) {
        atomic_fetch_add(&c->approved, 1);
    } else if (status == 200 && type && strcmp(type, "payment_declined") == 0) {
        atomic_fetch_add(&c->declined, 1);
    } else {
        pthread_mutex_lock(&c->lock);
        c->error_us[c->errors++ % ERRORS_KEPT] = mono_us();
        pthread_mutex_unlock(&c->lock);
    }
}

static void check_out(struct customers *c, unsigned visitor)
{
    char cookie[128] = "", cart[96];
    json_t *answer = NULL;
    snprintf(cart, sizeof cart, "{\"sku\":\"SKU-%04u\",\"quantity\":1}", visitor % 500 + 1);
    const char *const steps[][2] = {
        {visitor % 4 ? "/api/cart?market=de&channel=web" : "/api/cart?market=jp&channel=app", cart},
        {"/api/checkout/address", "{\"name\":\"A\",\"street\":\"B 1\",\"city\":\"C\",\"postcode\":\"1\"}"},
        {"/api/checkout/shipping", "{\"method\":\"standard\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        (void)visit(c, cookie, steps[i][0], steps[i][1], NULL); /* what fails here shows at the payment */
    int status = visit(c, cookie, "/api/checkout/payment", "{\"card\":\"4242424242424242\"}", &answer);
    count_payment(c, status, answer);
    json_decref(answer);
}

static void browse(struct customers *c, unsigned visitor)
{
    char cookie[128] = "", product[64];
    snprintf(product, sizeof product, "/api/product/SKU-%04u", visitor % 500 + 1);
    (void)visit(c, cookie, "/api/home", NULL, NULL);
    (void)visit(c, cookie, "/api/search?q=a", NULL, NULL);
    (void)visit(c, cookie, product, NULL, NULL);
}

/* Visits on a grid of its own: thread i of n comes i/n of the period later, so that all together are evenly spaced. */
static void customer_main(void *arg)
{
    struct customer *me = arg;
    struct customers *c = me->all;
    atomic_llong *period = me->pays ? &c->paying_us : &c->browsing_us;
    unsigned n = me->pays ? c->n_paying : c->n_browsing, visitor = me->index;
    int64_t known = 0, due = 0;
    while (!atomic_load(&c->stopping)) {
        int64_t us = atomic_load(period), now = mono_us();
        if (us != known) {
            known = us;
            due = us ? now + us * me->index / n : 0;
        }
        if (us == 0 || now < due) {
            int64_t wait = us ? due - now : 10000;
            sleep_us(wait < 10000 ? wait : 10000);
            continue;
        }
        if (now - due > 1000000)
            atomic_fetch_add(&c->late, 1);
        atomic_fetch_add(&c->visits, 1);
        if (me->pays)
            check_out(c, visitor);
        else
            browse(c, visitor);
        visitor += n;
        due += us;
    }
}

static unsigned threads_for(double per_second)
{
    return per_second > 0 ? (unsigned)ceil(per_second) : 0; /* a visit a second each */
}

void customers_pace(struct customers *c, double checkouts_per_s, double browsers_per_s)
{
    atomic_store(&c->paying_us, checkouts_per_s > 0 ? (int64_t)(1e6 * c->n_paying / checkouts_per_s) : 0);
    atomic_store(&c->browsing_us, browsers_per_s > 0 ? (int64_t)(1e6 * c->n_browsing / browsers_per_s) : 0);
}

struct customers *customers_start(const struct e2e_program *shop, double checkouts_per_s, double browsers_per_s)
{
    struct customers *c = calloc(1, sizeof *c);
    if (!c)
        check_failed("out of memory");
    pthread_mutex_init(&c->lock, NULL);
    c->shop_url = e2e_url(shop);
    c->n_paying = threads_for(checkouts_per_s);
    c->n_browsing = threads_for(browsers_per_s);
    if (c->n_paying + c->n_browsing > THREADS_MAX)
        check_failed("more than %u customers a second", THREADS_MAX);
    customers_pace(c, checkouts_per_s, browsers_per_s);
    for (; c->n < c->n_paying + c->n_browsing; c->n++) {
        struct customer *me = &c->list[c->n];
        unsigned i = (unsigned)c->n;
        *me = (struct customer){.all = c, .pays = i < c->n_paying, .index = i < c->n_paying ? i : i - c->n_paying};
        check_ok(thread_start("customer", customer_main, me, &me->thread));
    }
    return c;
}

struct customer_counts customers_count(struct customers *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t errors = c->errors;
    pthread_mutex_unlock(&c->lock);
    return (struct customer_counts){.visits = atomic_load(&c->visits),
                                    .payments = atomic_load(&c->payments),
                                    .approved = atomic_load(&c->approved),
                                    .declined = atomic_load(&c->declined),
                                    .errors = errors,
                                    .late = atomic_load(&c->late)};
}

int64_t customers_error_us(struct customers *c, uint64_t n)
{
    pthread_mutex_lock(&c->lock);
    int64_t at = n < c->errors && c->errors - n <= ERRORS_KEPT ? c->error_us[n % ERRORS_KEPT] : 0;
    pthread_mutex_unlock(&c->lock);
    return at;
}

void customers_stop(struct customers *c)
{
    atomic_store(&c->stopping, true);
    for (size_t i = 0; i < c->n; i++)
        thread_join(c->list[i].thread);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
