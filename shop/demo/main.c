/* crest-demo: warm-up, doors open, gateway slow and declining, recovery, cache lost, flash sale, collector killed; then the books. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"
#include "shop/demo/demo.h"

#define FLASH_BUYERS 20
#define FLASH_UNITS 5
#define FLASH_SKU "SKU-0007"

static const struct option_def OPTIONS[] = {
    {.name = "seconds",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "120",
     .env = "DEMO_SECONDS",
     .min = 80,
     .max = 86400,
     .help = "how long the sale lasts, summary included"},
    {.name = "bin",
     .type = OPT_TEXT,
     .arg = "DIR",
     .fallback = "build",
     .env = "CREST_BIN",
     .help = "folder of the programs"},
    {.name = "source",
     .type = OPT_TEXT,
     .arg = "DIR",
     .fallback = "shop/demo",
     .help = "folder of the demo's configuration and journeys"},
    {.name = "free-ports", .type = OPT_FLAG, .help = "listen on free ports instead of the documented ones"},
    {.name = "keep", .type = OPT_FLAG, .help = "keep the run folder (logs, data)"},
    {0},
};
static const struct program_def PROGRAM = {
    .name = "crest-demo",
    .summary = "a sale from warm-up to summary, with the real programs",
    .examples = "  crest-demo                       # what `make demo` runs\n  DEMO_SECONDS=90 crest-demo\n",
    .options = OPTIONS,
};

static int64_t started_us;

void story(const char *format, ...)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&lock);
    printf("%6.1f s  ", (double)(mono_us() - started_us) / 1e6);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    pthread_mutex_unlock(&lock);
    va_end(args);
}

struct demo {
    struct stage stage;
    struct pager *pager;
    char webhook[128];
    int64_t seconds, start_ms, end_ms; /* of the compared window */
    int failures;
};

/* Until `share` of the sale has passed, or a stop was asked for. */
static void until(const struct demo *d, double share)
{
    int64_t due = started_us + (int64_t)(share * (double)d->seconds * 1e6);
    while (!daemon_stopping() && mono_us() < due)
        daemon_wait((due - mono_us()) / 1000 + 1);
}

static int64_t control(struct demo *d, const char *json)
{
    int64_t at = 0;
    if (!daemon_stopping() && stage_control(&d->stage, json, &at) < 0)
        d->failures++;
    return at;
}

/* ---- the flash sale: 20 buyers for 5 units ---- */

struct buyer {
    struct thread *thread;
    struct stage *stage;
    pthread_barrier_t *together;
    bool bought;
};

/* One request with the visitor's cookie; the parsed answer or NULL. */
static json_t *visit(struct stage *s, char cookie[128], const char *path, const char *body)
{
    char url[256], header[160];
    struct parse_error error = {0};
    snprintf(url, sizeof url, "http://%s%s", s->address[SHOP], path);
    snprintf(header, sizeof header, "Cookie: %s", cookie);
    const char *headers[] = {"Content-Type: application/json", cookie[0] ? header : NULL, NULL};
    struct http_request request = {.url = url, .headers = headers, .body = span_str(body), .timeout_ms = 20000};
    struct http_response response = {0};
    json_t *answer = http_fetch(&request, &response) == 0 ? json_read(buf_view(&response.body), &error) : NULL;
    struct span set = http_response_header(&response, "set-cookie");
    if (set.len && !cookie[0])
        snprintf(cookie, 128, SPAN_FMT, SPAN_ARG(span_of(set.ptr, span_find(set, ';'))));
    http_response_done(&response);
    return answer;
}

static void buy(void *arg)
{
    static const char *const STEPS[][2] = {
        {"/api/product/" FLASH_SKU, NULL},
        {"/api/cart", "{\"sku\":\"" FLASH_SKU "\",\"quantity\":1}"},
        {"/api/checkout/address", "{\"name\":\"A\",\"street\":\"B 1\",\"city\":\"C\",\"postcode\":\"1\"}"},
        {"/api/checkout/shipping", "{\"method\":\"express\"}"},
    };
    struct buyer *b = arg;
    char cookie[128] = "";
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
        json_decref(visit(b->stage, cookie, STEPS[i][0], STEPS[i][1]));
    pthread_barrier_wait(b->together);
    json_t *answer = visit(b->stage, cookie, "/api/checkout/payment", "{\"card\":\"4242424242424242\"}");
    b->bought = json_is_true(json_object_get(answer, "ok"));
    json_decref(answer);
}

static void flash_sale(struct demo *d)
{
    struct buyer buyers[FLASH_BUYERS] = {0};
    pthread_barrier_t together;
    size_t bought = 0;
    pthread_barrier_init(&together, NULL, FLASH_BUYERS);
    for (size_t i = 0; i < FLASH_BUYERS; i++) {
        buyers[i].stage = &d->stage;
        buyers[i].together = &together;
        if (thread_start("buyer", buy, &buyers[i], &buyers[i].thread) < 0) {
            fprintf(stderr, "demo: cannot start the buyers\n");
            exit(EXIT_FAILED); /* the barrier would never open */
        }
    }
    for (size_t i = 0; i < FLASH_BUYERS; i++) {
        thread_join(buyers[i].thread);
        bought += buyers[i].bought;
    }
    pthread_barrier_destroy(&together);
    story("          %zu of %d buyers got one of the %d units", bought, FLASH_BUYERS, FLASH_UNITS);
}

/* ---- what each fault's alert did ---- */

struct fault {
    const char *name, *alert;
    int64_t cause_ms, cure_ms;
};

static void print_faults(struct demo *d, const struct fault *faults, size_t n)
{
    printf("\nFaults: seconds from cause to firing to webhook, and from the cure to the resolved webhook\n");
    for (size_t i = 0; i < n; i++) {
        struct page page;
        if (!pager_find(d->pager, faults[i].alert, faults[i].cause_ms, &page)) {
            printf("  %-28s %-18s NO PAGE\n", faults[i].name, faults[i].alert);
            d->failures++;
            continue;
        }
        printf("  %-28s %-18s firing %5.2f  webhook %5.2f  ", faults[i].name, faults[i].alert,
               (double)(page.starts_ms - faults[i].cause_ms) / 1000,
               (double)(page.received_ms - faults[i].cause_ms) / 1000);
        if (page.resolved_received_ms) {
            printf("resolved %5.2f\n", (double)(page.resolved_received_ms - faults[i].cure_ms) / 1000);
        } else {
            printf("NOT RESOLVED\n");
            d->failures++;
        }
    }
}

/* ---- the collector dies and comes back ---- */

static void kill_collector(struct demo *d)
{
    process_signal(d->stage.programs[COLLECTOR], 9);
    sleep_us(2000000);
    if (stage_start_collector(&d->stage, d->webhook) < 0)
        d->failures++;
}

/* One scrape of the shop per second, also through the kill: the spool fills the gap. */
static void check_gap(struct demo *d)
{
    char query[128];
    int64_t ms = d->end_ms - d->start_ms;
    double got = NAN, want = (double)(ms / 1000);
    snprintf(query, sizeof query, "count_over_time(up{job=\"shop\"}[%lldms])", (long long)ms);
    for (int i = 0; i < 100 && !(got >= want - 1) && !daemon_stopping(); i++) {
        got = stage_query(&d->stage, query, d->end_ms);
        sleep_us(100000);
    }
    bool ok = got >= want - 1;
    printf("\nThe gap: %.0f of %.0f scrapes of the shop are there although the collector was killed: %s\n      %s\n",
           got, want, ok ? "filled" : "NOT FILLED", query);
    d->failures += !ok;
}

/* ---- the sale ---- */

static int open_doors(struct demo *d)
{
    size_t samples = 0;
    char stages[128];
    int r = stage_open(&d->stage, d->webhook);
    if (r < 0)
        return r;
    story("shop http://%s  collector http://%s  agent http://%s", d->stage.address[SHOP], d->stage.address[COLLECTOR],
          d->stage.address[AGENT]);
    story("watch it: http://%s/ in a browser (from afar: ssh -L 9480:%s HOST), or build/crest-tui http://%s in a "
          "terminal",
          d->stage.address[COLLECTOR], d->stage.address[COLLECTOR], d->stage.address[COLLECTOR]);
    r = history_write(&d->stage, unix_ms() - 15000, &samples);
    if (r < 0)
        return r;
    story("an hour of history written (%zu samples, in time order)", samples);
    /* the first scrape marks where the books begin */
    for (int i = 0; i < 100 && isnan(stage_query(&d->stage, "sum(commerce_orders_total)", 0)) && !daemon_stopping();
         i++)
        sleep_us(100000);
    d->start_ms = unix_ms();
    int64_t warm = (int64_t)(0.10 * (double)d->seconds) + 1, open = (int64_t)(0.72 * (double)d->seconds);
    snprintf(stages, sizeof stages, "%llds:3,%llds:24", (long long)warm, (long long)open);
    r = stage_start_customers(&d->stage, stages);
    if (r == 0)
        story("warm-up: 3 visitors/s");
    return r;
}

enum { FAULT_SLOW, FAULT_DECLINES, FAULT_CACHE, FAULT_FLASH, FAULTS };

static void run_sale(struct demo *d, struct fault *f)
{
    until(d, 0.14);
    story("doors open: 24 visitors/s (8x)");
    until(d, 0.20);
    story("the gateway slows to 3 s and declines 20 %% (with HTTP 200)");
    f[FAULT_SLOW].cause_ms = f[FAULT_DECLINES].cause_ms =
        control(d, "{\"gateway\":{\"latency_ms\":3000,\"decline_ratio\":0.2}}");
    until(d, 0.43);
    f[FAULT_SLOW].cure_ms = f[FAULT_DECLINES].cure_ms =
        control(d, "{\"gateway\":{\"latency_ms\":80,\"decline_ratio\":0.02}}");
    story("recovery: the gateway is well again");
    until(d, 0.52);
    story("the catalogue cache is lost");
    f[FAULT_CACHE].cause_ms = control(d, "{\"cache\":{\"enabled\":false,\"flush\":true}}");
    until(d, 0.64);
    f[FAULT_CACHE].cure_ms = control(d, "{\"cache\":{\"enabled\":true}}");
    story("the cache is back");
    until(d, 0.66);
    story("flash sale: %d buyers for %d units of %s", FLASH_BUYERS, FLASH_UNITS, FLASH_SKU);
    (void)control(d, "{\"stock\":[{\"sku\":\"" FLASH_SKU "\",\"units\":5}]}");
    f[FAULT_FLASH].cause_ms = unix_ms();
    if (!daemon_stopping())
        flash_sale(d);
    until(d, 0.71);
    f[FAULT_FLASH].cure_ms = control(d, "{\"stock\":[{\"sku\":\"" FLASH_SKU "\",\"units\":1000}]}");
    story("a delivery of %s came in", FLASH_SKU);
    until(d, 0.78);
    story("the collector is killed (kill -9) and starts again after 2 s");
    if (!daemon_stopping())
        kill_collector(d);
    until(d, 0.86);
}

/* The load generator ends by itself; then a scrape must see the last order. */
static void settle(struct demo *d)
{
    int status = 0;
    int64_t deadline = mono_us() + 30000000;
    while (!daemon_stopping() && mono_us() < deadline && process_running(d->stage.programs[CUSTOMERS]))
        daemon_wait(100);
    if (process_running(d->stage.programs[CUSTOMERS]) && !daemon_stopping()) {
        fprintf(stderr, "demo: the load generator does not end\n");
        d->failures++;
    }
    status = process_status(d->stage.programs[CUSTOMERS]);
    if (status != 0 && !daemon_stopping())
        story("the load generator ended with status %d", status);
    d->end_ms = unix_ms() + 2500;
    while (!daemon_stopping() && unix_ms() < d->end_ms + 500)
        daemon_wait(d->end_ms + 500 - unix_ms());
}

static int run(const struct options *o)
{
    static const char *const EXPECTED[] = {
        "PaymentStuck", "PaymentDeclines", "CheckoutStuck", "PaymentGatewayErrors", "CacheLost", "Oversold", NULL};
    struct fault faults[FAULTS] = {{"gateway slow (3 s)", "PaymentStuck", 0, 0},
                                   {"gateway declines 20 %", "PaymentDeclines", 0, 0},
                                   {"cache lost", "CacheLost", 0, 0},
                                   {"flash sale oversold", "Oversold", 0, 0}};
    struct demo d = {.seconds = (int64_t)options_count(o, "seconds"),
                     .stage = {.bin = options_text(o, "bin"),
                               .source = options_text(o, "source"),
                               .fixed_ports = !options_flag(o, "free-ports")}};
    int r = dir_make_temp("crest-demo-", &d.stage.dir);
    if (r == 0)
        r = pager_open(&d.pager, d.webhook, sizeof d.webhook);
    if (r == 0)
        r = open_doors(&d);
    if (r == 0 && !daemon_stopping()) {
        run_sale(&d, faults);
        settle(&d);
    }
    if (r == 0 && !daemon_stopping()) {
        check_gap(&d);
        d.failures += books_compare(&d.stage, d.start_ms, d.end_ms);
        books_load(&d.stage, d.start_ms, d.end_ms);
        print_faults(&d, faults, FAULTS);
        size_t odd = pager_unexpected(d.pager, EXPECTED);
        printf("\n%s\n", d.failures == 0 && odd == 0 ? "The sale is over; every figure agrees."
                                                     : "The sale is over; SOMETHING DID NOT AGREE, see above.");
        d.failures += odd > 0;
    }
    stage_close(&d.stage);
    pager_close(d.pager);
    if (options_flag(o, "keep"))
        printf("logs and data: %s\n", d.stage.dir);
    else if (d.stage.dir && dir_remove(d.stage.dir) < 0)
        fprintf(stderr, "demo: %s could not be removed\n", d.stage.dir);
    free(d.stage.dir);
    return daemon_stopping() ? EXIT_INTERRUPTED : r < 0 || d.failures ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
    struct options *options = NULL;
    int code = options_parse(&PROGRAM, argc, argv, &options);
    if (code != OPTIONS_RUN)
        return code;
    log_init("crest-demo", LOG_LEVEL_WARN);
    daemon_init("crest-demo");
    started_us = mono_us();
    code = run(options);
    options_free(options);
    return code;
}
