/* The report's figures are the shop's ledger to the cent, whatever happened in between; and it stays honest with little to tell. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "tests/support/buyer.h"
#include "tests/support/query.h"
#include "tests/support/sale.h"
#include "tests/support/samples.h"

struct stand {
    struct e2e_program *gateway, *shop, *collector, *agent;
    uint16_t shop_port, collector_port;
    int64_t settled_after_ms;
};

static struct e2e_program *start_shop(const struct stand *s)
{
    return e2e_start_at("crest-shop",
                        E2E_ARGS("--gateway", e2e_url(s->gateway), "--data", e2e_path("shop"), "--seed", "1"),
                        s->shop_port);
}

static struct e2e_program *start_collector(const struct stand *s)
{
    return e2e_start_at("crest-collector", E2E_ARGS("--data", e2e_path("collector")), s->collector_port);
}

static void open_stand(struct stand *s)
{
    char config[1024];
    *s = (struct stand){.gateway = e2e_start("crest-shop", E2E_ARGS("gateway", "--decline", "0.1"))};
    s->shop = start_shop(s);
    s->collector = start_collector(s);
    s->shop_port = e2e_port(s->shop);
    s->collector_port = e2e_port(s->collector);
    snprintf(config, sizeof config,
             "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
             "scrape_configs:\n"
             "  - {job_name: shop, static_configs: [{targets: ['127.0.0.1:%u'], labels: {service: shop}}]}\n"
             "remote_write: [{url: '%s/api/v1/write'}]\n",
             s->shop_port, e2e_url(s->collector));
    s->agent = e2e_start("crest-agent",
                         E2E_ARGS("--config", e2e_write("prometheus.yml", config), "--data", e2e_path("agent")));
}

/* A scrape from after that time is stored, and nothing waits in the spool. */
static bool is_settled(void *ctx)
{
    const struct stand *s = ctx;
    double t = query_value(s->collector, "timestamp(up{job=\"shop\"}) and on () (up{job=\"shop\"} == 1)");
    char *page = e2e_get(s->agent, "/metrics", 200);
    const char *at = strstr(page, "\ncrest_agent_spool_records{"), *value = at ? strstr(at, "} ") : NULL;
    bool empty = value && strncmp(value, "} 0\n", 4) == 0;
    free(page);
    return t * 1000 > (double)s->settled_after_ms && empty;
}
static void settle(struct stand *s)
{
    s->settled_after_ms = unix_ms() + 100;
    e2e_wait(30000, is_settled, s);
}

/* Customers of both markets for a while, and one load test that is no sale. */
struct bought {
    struct customers *c;
    uint64_t approved;
};
static bool has_bought(void *ctx)
{
    struct bought *b = ctx;
    return customers_count(b->c).approved >= b->approved;
}
static void buy(struct stand *s, uint64_t approved)
{
    struct bought b = {customers_start(s->shop, 12, 0), approved};
    e2e_wait(30000, has_bought, &b);
    customers_stop(b.c);
    struct buyer tester = {.url = e2e_url(s->shop), .run = "load/1"};
    assert_int_equal(buyer_buy(&tester, "SKU-0001", 1, BUYER_CARD).status, 200);
}

static int64_t ledger(const struct stand *s, const char *market, const char *figure)
{
    json_t *root = get_json(s->shop, "/ledger", 200), *row;
    int64_t sum = 0;
    size_t i;
    json_array_foreach(json_object_get(root, "rows"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "source")), "") == 0 &&
            strcmp(json_string_value(json_object_get(row, "market")), market) == 0)
            sum += json_integer_value(json_object_get(row, figure));
    }
    json_decref(root);
    return sum;
}

static char *write_event(int64_t starts_ms, const char *length, const char *more)
{
    char text[1000], starts[NUMBER_TEXT_MAX];
    format_rfc3339_ms(starts, starts_ms);
    snprintf(text, sizeof text,
             "name: sale\ntitle: The Sale\nwindow: {zone: UTC, starts: \"%s\", length: %s}\n"
             "markets: {de: EUR, jp: JPY}\n%s",
             starts, length, more);
    return strdup(e2e_write("event.yml", text));
}

static char *report_of(const struct e2e_program *collector, const char *event)
{
    free(e2e_run("crest-collector", E2E_ARGS("event", "import", event, "--url", e2e_url(collector)), 0));
    return e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", "-", "--url", e2e_url(collector)), 0);
}

/* "1,234,567" */
static void group(char text[64], int64_t v)
{
    char digits[32];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRId64, v), k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            text[k++] = ',';
        text[k++] = digits[i];
    }
    text[k] = '\0';
}

/* The table's rows of a market hold exactly these figures. */
static void check_market(const char *html, const char *market, const char *currency, int64_t orders, int64_t minor)
{
    char wanted[200], digits[64], cents[8] = "";
    snprintf(wanted, sizeof wanted, "rowspan=\"2\">%s</th>", market);
    const char *at = strstr(html, wanted), *end = at ? strstr(at, "</tbody>") : NULL;
    if (!end)
        check_failed("no rows of %s in %s", market, html);
    group(digits, orders);
    snprintf(wanted, sizeof wanted, "<td class=\"what\">orders</td><td class=\"main\">%s<", digits);
    if (!memmem(at, (size_t)(end - at), wanted, strlen(wanted)))
        check_failed("%s, not %s orders: %.*s", market, digits, (int)(end - at), at);
    bool has_cents = strcmp(currency, "JPY") != 0;
    group(digits, has_cents ? minor / 100 : minor);
    if (has_cents)
        snprintf(cents, sizeof cents, ".%02d", (int)(minor % 100));
    snprintf(wanted, sizeof wanted, "<td class=\"what\">%s</td><td class=\"main\">%s%s<", currency, digits, cents);
    if (!memmem(at, (size_t)(end - at), wanted, strlen(wanted)))
        check_failed("%s, not %s %s: %.*s", market, digits, currency, (int)(end - at), at);
}

static void its_figures_are_the_ledger_s_to_the_cent_over_a_kill_and_a_restart(void **state UNUSED)
{
    struct stand s;
    open_stand(&s);
    settle(&s); /* the counters are known at 0 before doors open */
    int64_t starts_ms = unix_ms();
    buy(&s, 12);
    e2e_kill(s.collector);
    buy(&s, 12); /* the agent keeps what it sees */
    s.collector = start_collector(&s);
    settle(&s);
    e2e_stop(s.shop); /* its counters begin anew, its ledger goes on */
    s.shop = start_shop(&s);
    buy(&s, 12);
    settle(&s);
    AUTO_FREE char *event = write_event(starts_ms, "1h", "");
    char *html = report_of(s.collector, event);
    int64_t orders = ledger(&s, "de", "orders"), jp_orders = ledger(&s, "jp", "orders");
    assert_true(orders > 0 && jp_orders > 0 && orders + jp_orders >= 36);
    check_market(html, "de", "EUR", orders, ledger(&s, "de", "revenue_minor"));
    check_market(html, "jp", "JPY", jp_orders, ledger(&s, "jp", "revenue_minor"));
    check_contains(html, "as they do when a process restarts");
    assert_null(strstr(html, "fell 0 times"));
    free(html);
    /* the books of a collector that is stopped say the same */
    AUTO_FREE char *data = strdup(e2e_path("collector"));
    e2e_stop(s.agent);
    e2e_stop(s.collector);
    html = e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", "-", "--data", data), 0);
    check_market(html, "de", "EUR", orders, ledger(&s, "de", "revenue_minor"));
    check_market(html, "jp", "JPY", jp_orders, ledger(&s, "jp", "revenue_minor"));
    free(html);
    e2e_stop(s.shop);
    e2e_stop(s.gateway);
}

static void with_little_to_tell_it_says_just_that(void **state UNUSED)
{
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", e2e_path("data")));
    int64_t starts_ms = (unix_ms() - 600000) / 1000 * 1000;
    AUTO_FREE char *event = write_event(starts_ms, "20m", "plan: plan.csv\n");
    e2e_write("plan.csv", "minute,market,orders\n+0,de,8\n+1,de,8\n+6,de,100\n");

    char *html = report_of(c, event); /* nothing at all */
    check_contains(html,
                   "<p class=\"verdict\">Nothing is known of The Sale yet: there is no sample from after its doors");
    check_contains(html, "planned in all: 116 orders");
    assert_null(strstr(html, "no target was missing"));
    free(html);

    struct sample_batch *b = sample_batch_new(); /* samples, none of them of a sale, and no `up` */
    sample_batch_add(b, "something|job=shop", starts_ms + 60000, 1);
    sample_batch_send(b, c);
    html = report_of(c, event);
    check_contains(html, "What The Sale brought in is not known: there is no sample of orders or revenue");
    check_contains(html, "Gaps may be there and cannot be told");
    assert_null(strstr(html, "<strong>Data</strong>: complete"));
    free(html);

    b = sample_batch_new(); /* five minutes of it: 8 of the 16 orders that were planned by then */
    for (int64_t t = -10; t <= 300; t += 5) {
        sample_batch_add(b, "up|instance=a:1|job=shop", starts_ms + t * 1000, 1);
        sample_batch_add(b, "commerce_orders_total|currency=EUR|instance=a:1|job=shop|market=de", starts_ms + t * 1000,
                         t < 0     ? 0
                         : t < 200 ? (double)(t / 25)
                                   : 8);
    }
    sample_batch_send(b, c);
    html = report_of(c, event);
    check_contains(html,
                   "25\xc2\xa0% through, The Sale is below its plan: 50\xc2\xa0% of the planned orders in de.</p>");
    check_contains(html, "all figures are until");
    check_contains(html, "<strong>jp</strong>: nothing is known");
    check_contains(html, "<strong>Data</strong>: complete");
    check_contains(html, "Nothing is known about it: there are no <code>commerce_operations_total</code>");
    free(html);

    AUTO_FREE char *lost = write_event(starts_ms, "5m", "last: never-imported\n");
    html = report_of(c, lost);
    check_contains(html, "The Sale had no plan and no last event to be measured by.</p>");
    check_contains(html, "never-imported, is not known to this collector");
    free(html);
    e2e_stop(c);
}

static bool is_recorded(void *ctx)
{
    return query_value(ctx, "count(seen) or vector(0)") == 1;
}
static bool is_firing(void *ctx)
{
    return query_value(ctx, "count(ALERTS{alertstate=\"firing\"}) or vector(0)") == 1;
}
static bool is_long_after(void *ctx)
{
    return unix_ms() > *(const int64_t *)ctx;
}
static void say(const struct e2e_program *c, const char *series, double value)
{
    struct sample_batch *b = sample_batch_new();
    sample_batch_add(b, series, unix_ms(), value);
    sample_batch_send(b, c);
}

static void alerts_are_told_in_words_and_so_is_the_time_in_which_none_could_fire(void **state UNUSED)
{
    AUTO_FREE char *rules =
        strdup(e2e_write("rules.yml", "groups:\n"
                                      "- name: r\n"
                                      "  interval: 1s\n"
                                      "  rules:\n"
                                      "  - {record: seen, expr: waiting}\n"
                                      "  - alert: Stuck\n"
                                      "    expr: waiting > 1\n"
                                      "    labels: {severity: page, service: shop}\n"
                                      "    annotations: {summary: 'the gateway <x> takes {{ $value }} s'}\n"));
    AUTO_FREE char *data = strdup(e2e_path("data"));
    struct e2e_program *c = e2e_start("crest-collector", E2E_ARGS("--data", data, "--rule-file", rules));
    int64_t starts_ms = (unix_ms() - 60000) / 1000 * 1000;
    say(c, "waiting", 7);
    e2e_wait(30000, is_recorded, c);
    e2e_wait(30000, is_firing, c);
    AUTO_FREE char *event = write_event(starts_ms, "10m", "plan: plan.csv\n");
    e2e_write("plan.csv", "minute,market,orders\n+0,de,8\n");
    char *html = report_of(c, event);
    check_contains(html, "<strong>Stuck</strong> the gateway &lt;x&gt; takes 7 s</td>");
    check_contains(html, ": Stuck of shop (the gateway &lt;x&gt; takes 7 s), from ");
    check_contains(html, "<td class=\"what\">the gateway &lt;x&gt; takes 7 s</td>"); /* the chart's table */
    check_contains(html, ">the gateway &lt;x&gt; takes 7 s</text>");                 /* the chart's mark */
    assert_null(strstr(html, "Rules were not evaluated"));
    free(html);

    e2e_kill(c);
    int64_t later_ms = unix_ms() + FIRINGS_PAUSE_MS + 1000;
    e2e_wait(60000, is_long_after, &later_ms);
    c = e2e_start("crest-collector", E2E_ARGS("--data", data, "--rule-file", rules));
    say(c, "waiting", 7);
    e2e_wait(30000, is_firing, c);
    html = report_of(c, event);
    check_contains(html, "Rules were not evaluated from ");
    check_contains(html, "<strong>Stuck</strong> the gateway &lt;x&gt; takes 7 s</td>");
    free(html);
    e2e_stop(c);
    html = e2e_run("crest-collector", E2E_ARGS("report", "sale", "-o", "-", "--data", data), 0);
    check_contains(html, "Rules were not evaluated from ");
    check_contains(html, "the gateway &lt;x&gt; takes 7 s</td>");
    free(html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(its_figures_are_the_ledger_s_to_the_cent_over_a_kill_and_a_restart, e2e_teardown),
        cmocka_unit_test_teardown(with_little_to_tell_it_says_just_that, e2e_teardown),
        cmocka_unit_test_teardown(alerts_are_told_in_words_and_so_is_the_time_in_which_none_could_fire, e2e_teardown),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
