/* The sale: doors open, the gateway slow and then declining, recovery, the cache lost, a flash sale, the collector killed. Each fault is named
 * before it happens, with what will be seen of it. */
#include "shop/demo/demo.h"

#include <math.h>
#include <pthread.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"

#define FLASH_BUYERS 20
#define FLASH_UNITS 5
#define FLASH_SKU "SKU-0007"
#define AHEAD_MS 3000      /* how long before it happens a fault is named */
#define LAST_CALL_MS 6000  /* before closing nobody new comes: the last ones finish */
#define STORED_MS 2500     /* until the last order is scraped, sent and stored */
#define SCRAPED_MS 1500    /* until a scrape after the end is stored */
#define LOAD_ENDS_MS 30000 /* its last sessions, on a busy machine */

enum { FAULT_SLOW, FAULT_DECLINES, FAULT_CACHE, FAULT_FLASH };

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
    show_say(d->show, "     %zu of %d buyers got one of the %d units", bought, FLASH_BUYERS, FLASH_UNITS);
}

/* ---- what happens ---- */

static void slow(struct demo *d)
{
    d->faults[FAULT_SLOW].cause_ms = control(d, "{\"gateway\":{\"latency_ms\":3000}}");
}

static void decline(struct demo *d)
{
    d->faults[FAULT_DECLINES].cause_ms = control(d, "{\"gateway\":{\"latency_ms\":3000,\"decline_ratio\":0.2}}");
}

static void recover(struct demo *d)
{
    d->faults[FAULT_SLOW].cure_ms = d->faults[FAULT_DECLINES].cure_ms =
        control(d, "{\"gateway\":{\"latency_ms\":80,\"decline_ratio\":0.02}}");
}

static void lose_cache(struct demo *d)
{
    d->faults[FAULT_CACHE].cause_ms = control(d, "{\"cache\":{\"enabled\":false,\"flush\":true}}");
}

static void restore_cache(struct demo *d)
{
    d->faults[FAULT_CACHE].cure_ms = control(d, "{\"cache\":{\"enabled\":true}}");
}

static void oversell(struct demo *d)
{
    (void)control(d, "{\"stock\":[{\"sku\":\"" FLASH_SKU "\",\"units\":5}]}");
    d->faults[FAULT_FLASH].cause_ms = unix_ms();
    flash_sale(d);
}

static void deliver(struct demo *d)
{
    d->faults[FAULT_FLASH].cure_ms = control(d, "{\"stock\":[{\"sku\":\"" FLASH_SKU "\",\"units\":1000}]}");
}

static void kill_collector(struct demo *d)
{
    d->killed_ms = unix_ms();
    process_signal(d->stage.programs[COLLECTOR], 9);
    sleep_us(2000000);
    if (stage_start_collector(&d->stage, d->webhook) < 0)
        d->failures++;
    else
        show_say(d->show, "     the collector is back; the agent kept what it scraped and fills the gap");
}

/* What came in so far beside the plan, as the consoles show it. */
static void so_far(struct demo *d)
{
    struct buf words;
    json_t *state = stage_json(&d->stage, COLLECTOR, "GET", "/api/crest/v1/state", NULL), *market;
    json_t *event = json_object_get(json_object_get(json_object_get(state, "sections"), "event"), EVENT_NAME);
    const char *name;
    buf_init(&words, 1024);
    json_object_foreach(json_object_get(event, "markets"), name, market)
    {
        const json_t *orders = json_object_get(json_object_get(market, "total"), "orders"),
                     *pace = json_object_get(json_object_get(market, "on_pace_for"), "orders");
        if (!json_is_number(json_object_get(orders, "now")) || !json_is_number(json_object_get(orders, "plan")))
            continue;
        buf_printf(&words, "%s %s %.0f orders, plan %.0f", words.len ? "," : "", name,
                   json_number_value(json_object_get(orders, "now")),
                   json_number_value(json_object_get(orders, "plan")));
        if (pace && unix_ms() < d->closes_ms)
            buf_printf(&words, " (on pace for %.0f of %.0f)", json_number_value(json_object_get(pace, "at")),
                       json_number_value(json_object_get(pace, "plan")));
    }
    if (words.len && buf_error(&words) == 0)
        show_say(d->show, "so far%s", words.data);
    buf_done(&words);
    json_decref(state);
}

/* The shortest sale's faults need their time until they are found: rates over 20 s must see enough declines. A longer sale
 * stretches what is between them. */
#define SHORTEST_S 80
struct act {
    double at_s, share;              /* on the story's clock in the shortest sale; of what a longer one has more */
    const char *kind, *what, *watch; /* kind NULL: nothing happens to the shop, nothing is announced */
    void (*happen)(struct demo *d);
};
static const struct act ACTS[] = {
    {14.5, 0.08, "fault", "the payment gateway slows down to 3 s", "Services > shop: in-flight", slow},
    {18.5, 0.16, "fault", "the gateway declines 20 % of the cards, with HTTP 200", "Journeys > payment: declined",
     decline},
    {34.0, 0.20, NULL, NULL, NULL, so_far},
    {40.5, 0.25, "recovery", "the gateway is well again", "Alerts: they resolve", recover},
    {44.0, 0.42, "fault", "the catalogue cache is lost", "Services > shop: cache falls to 0 %", lose_cache},
    {55.0, 0.55, "recovery", "the cache is back", "Services > shop: cache fills again", restore_cache},
    {58.0, 0.67, "fault", "flash sale: 20 buyers at once for 5 units of " FLASH_SKU, "Alerts: oversold", oversell},
    {60.5, 0.75, "recovery", "a delivery of " FLASH_SKU " comes in", "Alerts: Oversold resolves", deliver},
    {63.5, 0.85, "fault", "the collector is killed (kill -9) and comes back after 2 s",
     "it say STALE, then fill the gap", kill_collector},
};

static void until_ms(struct demo *d, int64_t due_ms)
{
    show_wait(d->show, due_ms - show_clock_ms(d->show));
}

/* Named before, said and marked when it happens. */
static void play(struct demo *d, const struct act *a)
{
    int64_t due_ms = (int64_t)(1000 * (a->at_s + a->share * (double)(d->seconds - SHORTEST_S)));
    if (!a->kind) {
        until_ms(d, due_ms);
        if (!daemon_stopping())
            a->happen(d);
        return;
    }
    until_ms(d, due_ms - AHEAD_MS);
    if (daemon_stopping())
        return;
    double ahead = (double)(due_ms - show_clock_ms(d->show)) / 1000;
    show_say(d->show, "in %.0f s: %s. Watch %s", fmax(0, ahead), a->what, a->watch);
    until_ms(d, due_ms);
    if (daemon_stopping())
        return;
    event_mark(&d->stage, a->kind, "shop", a->what);
    show_say(d->show, "NOW  %s", a->what);
    a->happen(d);
}

/* ---- from doors open to closing ---- */

static void open_doors(struct demo *d)
{
    char stages[64];
    int64_t open_ms = d->closes_ms - LAST_CALL_MS - unix_ms();
    snprintf(stages, sizeof stages, "%lldms:24", (long long)open_ms);
    if (stage_start_load(&d->stage, CUSTOMERS, stages) < 0)
        d->failures++;
    event_mark(&d->stage, "doors", "", "doors open: 24 visitors/s");
    show_say(d->show, "NOW  doors open: 24 visitors/s, 8 times as many, and they buy");
}

/* The load generator ends by itself; then a scrape must see the last order. */
static void close_doors(struct demo *d)
{
    struct process *load = d->stage.programs[CUSTOMERS];
    int64_t deadline = mono_us() + LOAD_ENDS_MS * 1000ll;
    until_ms(d, DOORS_AT_MS + d->closes_ms - d->doors_ms - LAST_CALL_MS);
    if (!daemon_stopping())
        show_say(d->show, "doors close: the last ones pay");
    while (load && !daemon_stopping() && mono_us() < deadline && process_running(load))
        show_wait(d->show, 100);
    if (daemon_stopping() || !load)
        return;
    if (process_running(load)) {
        fprintf(stderr, "demo: the load generator does not end\n");
        d->failures++;
    } else if (process_status(load) != 0) {
        show_say(d->show, "the load generator ended with status %d%s", process_status(load),
                 process_status(load) == EXIT_VOID ? ": its run is void, this machine was too busy" : "");
    }
    if (unix_ms() + STORED_MS > d->closes_ms) { /* a slow machine: orders came later than planned, and they count */
        d->closes_ms = unix_ms() + STORED_MS;
        show_say(d->show, "the last order came late; the event ends later by that");
        if (event_import(&d->stage, d->doors_ms, d->closes_ms) < 0)
            d->failures++;
    }
    show_wait(d->show,
              d->closes_ms + SCRAPED_MS - unix_ms()); /* the report knows that the event has ended by a later sample */
    if (daemon_stopping())
        return;
    so_far(d);
    show_say(d->show, "the sale is over");
}

void sale_run(struct demo *d)
{
    until_ms(d, DOORS_AT_MS - AHEAD_MS);
    if (!daemon_stopping())
        show_say(d->show, "in 3 s: doors open. Watch Event: orders and revenue beside plan and last year");
    until_ms(d, DOORS_AT_MS);
    if (!daemon_stopping())
        open_doors(d);
    for (size_t i = 0; i < ARRAY_LEN(ACTS) && !daemon_stopping(); i++)
        play(d, &ACTS[i]);
    close_doors(d);
}
