/* crest-demo: a sale from warm-up to report, in lines or below crest-tui. */
#include <errno.h>
#include <math.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/options.h"
#include "lib/term/term.h"
#include "shop/demo/demo.h"

#define AROUND_KILL_S 8 /* one second before it, and until the collector has been back for some */
#define READ_MS 5000    /* of the ten seconds until doors open: the addresses are read before the screen turns */

static const struct option_def OPTIONS[] = {
    {.name = "seconds",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "120",
     .env = "DEMO_SECONDS",
     .min = 80,
     .max = 86400,
     .help = "how long the sale lasts, summary and report included"},
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
    {.name = "report",
     .type = OPT_TEXT,
     .arg = "FILE",
     .fallback = "build/demo-report.html",
     .help = "where the sale's report is written"},
    {.name = "plain", .type = OPT_FLAG, .help = "lines on a terminal, too, instead of crest-tui"},
    {.name = "free-ports", .type = OPT_FLAG, .help = "listen on free ports instead of the documented ones"},
    {.name = "keep", .type = OPT_FLAG, .help = "keep the run folder (logs, data)"},
    {0},
};
static const struct program_def PROGRAM = {
    .name = "crest-demo",
    .summary = "a sale from warm-up to report, with the real programs",
    .examples = "  crest-demo                       # what `make demo` runs\n  DEMO_SECONDS=90 crest-demo\n",
    .options = OPTIONS,
};

/* ---- the end ---- */

static void print_faults(struct demo *d)
{
    printf("\nFaults: seconds from cause to firing to webhook, and from the cure to the resolved webhook\n");
    for (size_t i = 0; i < FAULTS; i++) {
        const struct fault *f = &d->faults[i];
        struct page page;
        if (!f->cause_ms || !pager_find(d->pager, f->alert, f->cause_ms, &page)) {
            printf("  %-28s %-18s NO PAGE\n", f->name, f->alert);
            d->failures++;
            continue;
        }
        printf("  %-28s %-18s firing %5.2f  webhook %5.2f  ", f->name, f->alert,
               (double)(page.starts_ms - f->cause_ms) / 1000, (double)(page.received_ms - f->cause_ms) / 1000);
        if (page.resolved_received_ms) {
            printf("resolved %5.2f\n", (double)(page.resolved_received_ms - f->cure_ms) / 1000);
        } else {
            printf("NOT RESOLVED\n");
            d->failures++;
        }
    }
}

/* One scrape of the shop per second, also while the collector was away: the agent's spool fills the gap. One may be missing, of a busy machine;
 * the kill alone would cost two or three. */
static void check_gap(struct demo *d)
{
    char query[128];
    double got = NAN;
    if (!d->killed_ms)
        return;
    snprintf(query, sizeof query, "count_over_time(up{job=\"shop\"}[%ds])", AROUND_KILL_S);
    for (int i = 0; i < 100 && !(got >= AROUND_KILL_S - 1) && !daemon_stopping(); i++) {
        got = stage_query(&d->stage, query, d->killed_ms + (AROUND_KILL_S - 1) * 1000);
        sleep_us(100000);
    }
    bool ok = got >= AROUND_KILL_S - 1;
    printf("\nThe gap: %.0f of %d scrapes of the shop around the kill of the collector are there: %s\n      %s\n", got,
           AROUND_KILL_S, ok ? "filled" : "NOT FILLED", query);
    d->failures += !ok;
}

static void print_end(struct demo *d, const char *report)
{
    static const char *const EXPECTED[] = {
        "PaymentStuck", "PaymentDeclines", "CheckoutStuck", "PaymentGatewayErrors", "CacheLost", "Oversold", NULL};
    check_gap(d);
    d->failures += books_compare(&d->stage, d->doors_ms, d->closes_ms);
    books_load(&d->stage, d->doors_ms, d->closes_ms);
    print_faults(d);
    d->failures += pager_unexpected(d->pager, EXPECTED) > 0;
    fflush(stdout);
    int r = event_report(&d->stage, report);
    d->failures += r < 0;
    printf("\n%s\n", d->failures == 0 ? "The sale is over; every figure agrees."
                                      : "The sale is over; SOMETHING DID NOT AGREE, see above.");
    AUTO_FREE char *path = realpath(report, NULL);
    if (r == 0)
        printf("Its report: %s (one file: open it in any browser, or print it)\n", path ? path : report);
}

/* ---- the beginning ---- */

MUST_USE static int begin(struct demo *d, bool terminal)
{
    size_t samples = 0;
    int64_t began_ms = unix_ms();
    int r = stage_open(&d->stage, d->webhook);
    /* the first scrape marks where the books begin */
    for (int i = 0;
         r == 0 && i < 100 && isnan(stage_query(&d->stage, "sum(commerce_orders_total)", 0)) && !daemon_stopping(); i++)
        sleep_us(100000);
    show_start_clock(d->show);
    d->doors_ms = (unix_ms() + DOORS_AT_MS) / 1000 * 1000; /* a time that can be read */
    d->closes_ms = d->doors_ms + d->seconds * 1000 - DOORS_AT_MS - CLOSING_MS;
    if (r == 0)
        r = event_import(&d->stage, d->doors_ms, d->closes_ms);
    if (r < 0)
        return r;
    show_addresses(d->show, d->stage.bin, d->stage.address[COLLECTOR], terminal);
    show_say(d->show, "shop http://%s  agent http://%s", d->stage.address[SHOP], d->stage.address[AGENT]);
    r = history_write(&d->stage, began_ms - 1000, &samples);
    if (r == 0)
        r = stage_start_load(&d->stage, VISITORS, "9s:3");
    if (r == 0)
        show_say(d->show,
                 "warm-up: 3 visitors/s look around; plan, last year's curve and an hour of history are there (%zu "
                 "samples)",
                 samples);
    return r;
}

static int run(const struct options *o)
{
    const char *report = options_text(o, "report");
    bool terminal = !options_flag(o, "plain") && term_capable(NULL);
    struct demo d = {.seconds = (int64_t)options_count(o, "seconds"),
                     .faults = {{.name = "gateway slow (3 s)", .alert = "PaymentStuck"},
                                {.name = "gateway declines 20 %", .alert = "PaymentDeclines"},
                                {.name = "cache lost", .alert = "CacheLost"},
                                {.name = "flash sale oversold", .alert = "Oversold"}},
                     .stage = {.bin = options_text(o, "bin"),
                               .source = options_text(o, "source"),
                               .fixed_ports = !options_flag(o, "free-ports")}};
    int r = dir_make_temp("crest-demo-", &d.stage.dir);
    if (r == 0)
        r = show_open(d.stage.dir, &d.show);
    if (r == 0)
        r = pager_open(d.show, d.faults, FAULTS, &d.pager, d.webhook, sizeof d.webhook);
    if (r == 0)
        r = begin(&d, terminal);
    if (r == 0 && terminal) {
        show_wait(d.show, READ_MS - show_clock_ms(d.show));
        if (!daemon_stopping() && show_take_screen(d.show, d.stage.bin, d.stage.address[COLLECTOR]) < 0)
            d.failures++; /* in lines, then */
    }
    if (r == 0)
        sale_run(&d);
    if (d.show)
        show_give_screen_back(d.show);
    if (r == 0 && !daemon_stopping())
        print_end(&d, report);
    else if (d.show && show_was_left(d.show))
        printf("\nThe demo was left before its end.\n");
    stage_close(&d.stage);
    pager_close(d.pager);
    bool left = d.show && show_was_left(d.show);
    show_close(d.show);
    if (options_flag(o, "keep"))
        printf("logs and data: %s\n", d.stage.dir);
    else if (d.stage.dir && dir_remove(d.stage.dir) < 0)
        fprintf(stderr, "demo: %s could not be removed\n", d.stage.dir);
    free(d.stage.dir);
    return left ? EXIT_OK : daemon_stopping() ? EXIT_INTERRUPTED : r < 0 || d.failures ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
    struct options *options = NULL;
    int code = options_parse(&PROGRAM, argc, argv, &options);
    if (code != OPTIONS_RUN)
        return code;
    log_init("crest-demo", LOG_LEVEL_WARN);
    daemon_init("crest-demo");
    code = run(options);
    options_free(options);
    return code;
}
