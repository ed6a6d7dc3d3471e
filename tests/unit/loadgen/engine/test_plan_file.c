/* Plan files: what they say becomes a configuration, what is wrong with them is told at its place, and the ready mixes are what they say. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "lib/base/file.h"
#include "loadgen/engine/plan_file.h"
#include "loadgen/engine/think.h"
#include "loadgen/engine/trace.h"

/* ---- files in a folder of their own ---- */

static char *folder;

static int setup(void **state)
{
    (void)state;
    return dir_make_temp("plan", &folder);
}

static int teardown(void **state)
{
    (void)state;
    check_ok(dir_remove(folder));
    free(folder);
    return 0;
}

static const char *written(const char *name, const char *text)
{
    static char path[4][300];
    static unsigned next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", folder, name);
    check_ok(file_write(to, text, strlen(text)));
    return to;
}

/* All problems, a line each, without the folder. */
static struct plan_file *load(const char *text, char told[4000])
{
    struct problems ps;
    struct plan_file *pf = NULL;
    problems_init(&ps);
    written("browse.hurl", "# @weight 3\nGET {{host}}/\nHTTP 200\n# @step look\nGET {{host}}/p/{{sku}}\n");
    written("buy.hurl", "# @step pay\n# @slo err<2%\nPOST {{host}}/pay\nHTTP 200\n");
    int r = plan_file_load(written("plan.yml", text), &pf, &ps);
    size_t n = 0;
    told[0] = '\0';
    for (size_t i = 0; i < ps.n && n < 3900; i++) {
        const char *slash = strrchr(ps.list[i].file, '/');
        n += (size_t)snprintf(told + n, 4000 - n, "%s:%u:%u: %s\n", slash ? slash + 1 : ps.list[i].file,
                              ps.list[i].line, ps.list[i].column, ps.list[i].text);
    }
    problems_done(&ps);
    assert_true((r == 0) == (pf != NULL) && (r == 0 || r == -EINVAL));
    return pf;
}

static const char EVERYTHING[] =
    "name: black friday\n"
    "target: http://127.0.0.1:9483\n"
    "variables: {host: \"http://h\", n: 7}\n"
    "seed: 42\n"
    "threads: 2\n"
    "think_scale: 0.5\n"
    "grace: 5s\n"
    "max_lag: 20ms\n"
    "connect_timeout: 2s\n"
    "max_time: 9s\n"
    "abort_on_threshold: 15s\n"
    "caps: {open: 500, sessions: 9000, money_rate: 3.5}\n"
    "feeds:\n"
    "  - {file: sku.csv, mode: zipf, exponent: 1.1}\n"
    "phases:\n"
    "  - {name: warm, duration: 10s, rate: 5, warmup: true}\n"
    "  - {duration: 10s, rate: 5-15, arrivals: poisson}\n"
    "  - {name: peak, duration: 1m, stairs: {from: 10, to: 40, steps: 4}, arrivals: exact}\n"
    "  - {name: spike, duration: 1m, spike: {base: 5, peak: 100, rise: 2s, hold: 10s, decay: 20s}}\n"
    "  - {name: day, duration: 2m, sine: {low: 5, high: 15, period: 30s}}\n"
    "  - {name: again, trace: {file: arrivals.csv, speed: 2}}\n"
    "journeys:\n"
    "  - {file: browse.hurl, weight: 70}\n"
    "  - buy.hurl\n"
    "traffic:\n"
    "  - {name: bots, journeys: [browse.hurl], rate: 10, think_scale: 0, user_agent: bot/1}\n"
    "  - {name: kiosks, journeys: [buy.hurl], phases: [{duration: 1m, users: 2-10}]}\n"
    "thresholds:\n"
    "  - p95<800ms err<1%\n"
    "  - {step: pay, journey: buy, traffic: customers, phase: peak, slo: p99<=2s}\n";

static void a_plan_becomes_a_configuration(void **state)
{
    (void)state;
    char told[4000];
    written("sku.csv", "sku\nA\nB\n");
    written("arrivals.csv", "time,path\n0.5,/a\n4,/b\n2,/c\n");
    struct plan_file *pf = load(EVERYTHING, told);
    if (!pf)
        check_failed("%s", told);
    struct run_config c = {.think_scale = 1, .threads = 1};
    plan_file_apply(pf, &c);
    assert_string_equal(plan_file_name(pf), "black friday");
    assert_string_equal(plan_file_target(pf), "http://127.0.0.1:9483");
    assert_true(c.seed == 42 && c.threads == 2 && c.think_scale == 0.5 && c.grace_ms == 5000 && c.max_lag_ms == 20);
    assert_true(c.connect_timeout_ms == 2000 && c.max_time_ms == 9000 && c.abort_on_threshold && c.settle_ms == 15000);
    assert_true(c.open_max == 500 && c.sessions_max == 9000 && c.money_rate == 3.5);

    assert_int_equal(c.n_phases, 6);
    assert_string_equal(c.phases[1].name, "phase 2");
    assert_true(c.phases[0].warmup && !c.phases[1].warmup && c.phases[2].start_s == 20 && c.phases[2].end_s == 80);
    assert_true(fabs(c.phases[5].end_s - 262) < 0.001);

    assert_int_equal(c.n_traffic, 3);
    const struct plan *plan = c.traffic[0].plan;
    assert_string_equal(c.traffic[0].name, "customers");
    /* 50, 100, 15·(10+20+30+40), the spike's integral, 1200, 3 */
    double spike = 2 * 52.5 + 10 * 100 + 48 * 5 + 95 * 20 * (1 - exp(-48 / 20.0));
    assert_true(fabs(plan->arrivals - (50 + 100 + 1500 + spike + 1200 + 3)) < 1e-6);
    assert_int_equal(plan->stages[1].spacing, PLAN_POISSON);
    assert_int_equal(plan->stages[2].spacing, PLAN_EXACT);
    assert_int_equal(plan->stages[plan->n - 1].trace_us[1], 1000000); /* in order, twice as fast */
    assert_int_equal(c.traffic[0].n_journeys, 2);
    assert_true(c.journeys->list[0].weight == 70 && c.journeys->list[1].weight == 1);
    assert_true(isnan(c.traffic[0].think_scale));
    assert_string_equal(c.traffic[1].user_agent, "bot/1");
    assert_true(c.traffic[1].think_scale == 0 && fabs(c.traffic[1].plan->arrivals - 2620) < 0.1);
    assert_true(c.traffic[2].plan->closed && plan_rate(c.traffic[2].plan, 30) == 6);
    assert_string_equal(c.journeys->list[c.traffic[1].first_journey].name, "browse-2");
    assert_true(c.journeys->list[2].weight == 3); /* as the file says */

    assert_int_equal(c.journeys->list[0].n_feeds, 1);
    assert_int_equal(c.journeys->list[1].n_feeds, 0); /* it uses none of its columns */
    assert_ptr_equal(c.journeys->list[0].feeds[0].feed, c.journeys->list[2].feeds[0].feed);
    assert_int_equal(c.n_thresholds, 3);
    assert_true(c.thresholds[1].slo.metric == HURL_SLO_ERRORS && !c.thresholds[1].step);
    assert_string_equal(c.thresholds[2].phase, "peak");
    assert_true(c.thresholds[2].slo.inclusive);

    plan_file_scale(pf, 2, 4);
    plan_file_apply(pf, &c);
    assert_true(c.phases[2].start_s == 5 && fabs(c.traffic[1].plan->arrivals - 1310) < 0.1);
    assert_int_equal(c.traffic[0].plan->stages[plan->n - 1].trace_us[1], 250000);
    plan_file_free(pf);
}

static void what_is_wrong_with_a_plan_is_told_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"nme: x\njourneys: [buy.hurl]\nrate: 5\nduration: 1s\n",
         "plan.yml:1:1: unknown key 'nme' (did you mean 'name'?)"},
        {"rate: 5\nduration: 1s\n", "plan.yml:1:1: missing key 'journeys'"},
        {"journeys: [buy.hurl]\n", "say how much: 'phases', 'rate' or 'users'"},
        {"journeys: [none.hurl]\nusers: 2\nduration: 1s\n", "cannot be read"},
        {"journeys: [buy.hurl]\nrate: 5\n", "plan.yml:2:7: a 'rate' needs to know for how long"},
        {"journeys: [buy.hurl]\nrate: 5\nphases: [{duration: 1s, rate: 1}]\n",
         "plan.yml:2:7: 'rate' and 'phases' both"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s}]\n", "plan.yml:2:10: a phase has one of rate, stairs"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, rate: 1, users: 3}]\n", "a phase has one of rate, stairs"},
        {"journeys: [buy.hurl]\nphases: [{rate: 1}]\n", "plan.yml:2:10: missing key 'duration'"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, rate: -1}]\n", "plan.yml:2:31: 'rate' is sessions per second"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, rate: 1, arrivals: odd}]\n",
         "plan.yml:2:44: 'arrivals' must be even, poisson or exact"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, rate: 1}, {duration: 1s, users: 3}]\n", "do not mix"},
        {"journeys: [buy.hurl]\nphases: [{name: a, duration: 1s, rate: 1}, {name: a, duration: 1s, rate: 1}]\n",
         "plan.yml:2:51: another phase has this name"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, spike: {base: 1, peak: 2, rise: 2s}}]\n",
         "rise and hold are longer than the phase"},
        {"journeys: [buy.hurl]\nphases: [{duration: 1s, trace: {file: late.csv}}]\n",
         "the recording is longer than the phase"},
        {"journeys: [buy.hurl]\nphases: [{trace: {file: bad.csv}}]\n",
         "bad.csv:2:1: expected seconds (12.5) or a time"},
        {"journeys: [{file: buy.hurl, weight: -1}]\nusers: 2\nduration: 1s\n", "plan.yml:1:37: 'weight'"},
        {"journeys: [{file: buy.hurl, weight: 0}]\nusers: 2\nduration: 1s\n",
         "every journey of a class has the weight 0"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\ntraffic: [{name: bots, journeys: [browse.hurl]}]\n",
         "plan.yml:4:11: say how much"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\ntraffic: [{name: customers, rate: 1, journeys: [buy.hurl]}]\n",
         "another class has this name"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\nthresholds: [p9]\n",
         "plan.yml:4:14: a threshold is as p95<800ms"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\nthresholds: [{step: pai, slo: err<1%}]\n",
         "plan.yml:4:21: no step is called 'pai' (did you mean 'pay'?)"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\nthresholds: [{phase: peak, slo: err<1%}]\n",
         "no phase is called 'peak'"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\nfeeds: [{file: a.csv, mode: any}]\n",
         "plan.yml:4:29: 'mode' is sequential"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\nthink_scale: -.inf\n", "plan.yml:4:14: 'think_scale' is from 0"},
        {"journeys: [buy.hurl]\nrate: 1\nduration: 1s\ncaps: {money_rate: .nan}\n",
         "plan.yml:4:20: 'money_rate' is from 0"},
        {"journeys: [buy.hurl]\nphases: [{trace: {file: late.csv, speed: 1e-300}}]\n",
         "the recording takes longer than three years"},
        {"- 1\n", "expected a map"},
        {"", "missing key 'journeys'"},
    };
    written("late.csv", "0\n90\n");
    written("bad.csv", "0\nsoon\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char told[4000];
        struct plan_file *pf = load(cases[i].text, told);
        if (pf || !strstr(told, cases[i].want))
            check_failed("%s\nwanted: %s\ntold:\n%s", cases[i].text, cases[i].want, told);
    }
    char told[4000]; /* all at once */
    assert_null(load("nme: x\ntraffic: 3\nthresholds: [p9]\nphases: [{rate: 5}]\njourneys: [buy.hurl]\n", told));
    check_contains(told, "nme");
    check_contains(told, "'traffic' is a list");
    check_contains(told, "missing key 'duration'");
    check_contains(told, "a threshold is as");
}

/* Every prefix of a good plan ends in a plan or in words, never in a crash. */
static void every_prefix_of_a_plan_ends_well(void **state)
{
    (void)state;
    char text[sizeof EVERYTHING], told[4000];
    written("sku.csv", "sku\nA\n");
    written("arrivals.csv", "0\n1\n");
    for (size_t n = 0; n < sizeof EVERYTHING; n += 7) {
        memcpy(text, EVERYTHING, n);
        text[n] = '\0';
        struct plan_file *pf = load(text, told);
        assert_true(pf || told[0]);
        plan_file_free(pf);
    }
}

static void recorded_arrivals_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double speed;
        size_t n;
        int64_t first_us, last_us;
    } cases[] = {
        {"0.5\n0.25\n", 1, 2, 250000, 500000},
        {"# a comment\n\n10\n", 2, 1, 5000000, 5000000},
        {"1795397949.5,GET\n1795397948,GET\n", 1, 2, 0, 1500000},
        {"time\n2026-11-27T00:00:00Z\n2026-11-27T01:00:10+01:00\n", 10, 2, 0, 1000000},
    };
    struct problems ps;
    problems_init(&ps);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct trace t = {0};
        check_ok(trace_parse("a.csv", span_str(cases[i].text), cases[i].speed, &t, &ps));
        assert_int_equal(t.n, cases[i].n);
        assert_int_equal(t.at_us[0], cases[i].first_us);
        assert_int_equal(t.at_us[t.n - 1], cases[i].last_us);
        trace_done(&t);
    }
    struct trace t = {0};
    check_errno(trace_parse("a.csv", SPAN("1\n2026-11-27T00:00:00Z\n"), 1, &t, &ps), -EINVAL);
    check_errno(trace_parse("a.csv", SPAN("time\n"), 1, &t, &ps), -EINVAL);
    check_errno(trace_parse("a.csv", SPAN("-1\n-2\n"), 1, &t, &ps), -EINVAL);
    problems_done(&ps);
}

/* ---- think times ---- */

static void thinking_follows_its_distribution(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 5);
    enum { N = 20000 };
    struct hurl_think cut = {.kind = HURL_THINK_EXP, .a_us = 7000000, .b_us = 10000000};
    double below = 0, near = 0, sum = 0;
    for (int i = 0; i < N; i++) {
        int64_t us = think_draw(&cut, &rng);
        assert_true(us >= 0 && us <= 10000000);
        below += us < 3000000;
        near += us > 9990000;
        sum += (double)us;
    }
    double whole = 1 - exp(-10 / 7.0), want = (1 - exp(-3 / 7.0)) / whole;
    assert_true(fabs(below / N - want) < 4 * sqrt(want * (1 - want) / N));
    assert_true(near / N < 0.002); /* clamping would leave 24 % of them there */
    double mean = 7 - 10 * exp(-10 / 7.0) / whole;
    assert_true(fabs(sum / N / 1e6 - mean) < 4 * 2.9 / sqrt(N));

    int64_t seen[] = {1000000, 2000000, 2000000, 9000000};
    struct hurl_think recorded = {.kind = HURL_THINK_RECORDED, .times_us = seen, .n_times = ARRAY_LEN(seen)};
    double twos = 0;
    for (int i = 0; i < N; i++) {
        int64_t us = think_draw(&recorded, &rng);
        assert_true(us == 1000000 || us == 2000000 || us == 9000000);
        twos += us == 2000000;
    }
    assert_true(fabs(twos / N - 0.5) < 4 * 0.5 / sqrt(N));
}

static void recorded_think_times_are_read_with_the_journey(void **state)
{
    (void)state;
    written("think.csv", "# of last year\n2.5\n\n1s500ms\n");
    const char *path =
        written("t.hurl", "# @think recorded think.csv\nGET http://x\n# @think recorded 1s,2s\nGET http://x\n");
    struct problems ps;
    problems_init(&ps);
    struct journeys *js = NULL;
    check_ok(journeys_load(&path, 1, &js, &ps));
    const struct hurl_think *t = &js->list[0].file->entries[0].think;
    assert_int_equal(t->n_times, 2);
    assert_int_equal(t->times_us[0], 2500000);
    assert_int_equal(t->times_us[1], 1500000);
    assert_int_equal(js->list[0].file->entries[1].think.times_us[1], 2000000);
    journeys_free(js);
    path = written("t.hurl", "# @think recorded none.csv\nGET http://x\n");
    check_errno(journeys_load(&path, 1, &js, &ps), -EINVAL);
    check_contains(ps.list[0].text, "none.csv cannot be read");
    problems_done(&ps);
}

/* ---- the ready mixes ---- */

static struct plan_file *mix(const char *name)
{
    char path[100];
    struct problems ps;
    struct plan_file *pf = NULL;
    problems_init(&ps);
    snprintf(path, sizeof path, "loadgen/mix/%s/plan.yml", name);
    if (plan_file_load(path, &pf, &ps) < 0) {
        problems_print(&ps, stderr);
        check_failed("%s does not load", path);
    }
    problems_done(&ps);
    return pf;
}

/* Within four standard deviations of what is to be. */
static void check_share(const char *what, double got, double total, double want)
{
    double deviation = sqrt(total * want * (1 - want));
    if (fabs(got - total * want) > 4 * deviation)
        check_failed("%s: %g of %g, wanted %g", what, got, total, want * total);
}

enum { SESSIONS = 200000 };

/* How many of SESSIONS sessions run the journey, by name. */
static double sessions_of(struct plan_file *pf, const char *journey)
{
    struct run_config c = {0};
    struct rng rng;
    double n = 0;
    plan_file_apply(pf, &c);
    rng_seed(&rng, 9);
    for (int i = 0; i < SESSIONS; i++)
        n += strcmp(journeys_pick(c.journeys, c.traffic[0].first_journey, c.traffic[0].n_journeys, &rng)->name,
                    journey) == 0;
    return n;
}

static void the_ready_mixes_have_the_shares_of_their_sources(void **state)
{
    (void)state;
    struct plan_file *pf = mix("retail");
    double buy = sessions_of(pf, "buy"), left = sessions_of(pf, "checkout-left"), cart = sessions_of(pf, "cart");
    check_share("visits with a cart", buy + left + cart, SESSIONS, 0.046);
    check_share("visits that buy", buy, SESSIONS, 0.014);
    check_share("abandoned carts", left + cart, buy + left + cart, 0.70);
    plan_file_free(pf);

    static const struct {
        const char *journey;
        double share;
    } MAGENTO[] = {{"browse", 0.30},          {"search-quick", 0.18},   {"search-filtered", 0.09},
                   {"search-advanced", 0.03}, {"abandon", 0.28},        {"wishlist", 0.02},
                   {"compare", 0.02},         {"checkout-guest", 0.04}, {"checkout-customer", 0.04}};
    pf = mix("magento");
    for (size_t i = 0; i < ARRAY_LEN(MAGENTO); i++)
        check_share(MAGENTO[i].journey, sessions_of(pf, MAGENTO[i].journey), SESSIONS, MAGENTO[i].share);
    plan_file_free(pf);
}

/* The same walk that a user takes, without a network. */
static double walk(const struct hurl_file *f, struct rng *rng, double *visits)
{
    size_t at = 0, pages = 0;
    while (at < f->n_entries) {
        const struct hurl_entry *e = &f->entries[at];
        visits[at]++;
        pages++;
        double u = rng_unit(rng);
        at++;
        for (size_t i = 0; i < e->n_gotos; i++) {
            if (u < e->gotos[i].probability) {
                at = e->gotos[i].entry;
                break;
            }
            u -= e->gotos[i].probability;
        }
    }
    return (double)pages;
}

static void tpc_w_walks_visit_each_page_as_often_as_the_benchmark(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double home, detail, cart, registration, request, confirm; /* percent of all pages */
    } MIXES[] = {{"tpcw-browsing", 29.00, 21.01, 2.00, 0.82, 0.75, 0.69},
                 {"tpcw-shopping", 16.20, 17.14, 11.15, 2.88, 2.50, 1.15},
                 {"tpcw-ordering", 9.12, 12.35, 13.53, 12.86, 12.73, 10.18}};
    for (size_t i = 0; i < ARRAY_LEN(MIXES); i++) {
        struct plan_file *pf = mix(MIXES[i].name);
        const struct hurl_file *f = plan_file_journeys(pf)->list[0].file;
        double visits[64] = {0}, pages = 0, sessions = 4000;
        struct rng rng;
        rng_seed(&rng, 3);
        for (int k = 0; k < (int)sessions; k++)
            pages += walk(f, &rng, visits);
        assert_true(fabs(pages / sessions - 128) < 4 * 128 / sqrt(sessions)); /* fifteen minutes of seven seconds */
        const struct {
            const char *step;
            double percent;
        } wanted[] = {{"home", MIXES[i].home},           {"product-detail", MIXES[i].detail},
                      {"shopping-cart", MIXES[i].cart},  {"customer-registration", MIXES[i].registration},
                      {"buy-request", MIXES[i].request}, {"buy-confirm", MIXES[i].confirm}};
        for (size_t k = 0; k < ARRAY_LEN(wanted); k++) {
            double got = 0;
            for (size_t e = 0; e < f->n_entries; e++)
                if (span_equal(f->entries[e].step, span_str(wanted[k].step)) ||
                    (k == 0 && span_equal(f->entries[e].step, SPAN("leave"))))
                    got += visits[e];
            if (fabs(got / pages * 100 - wanted[k].percent) > 0.4 + wanted[k].percent * 0.03)
                check_failed("%s: %s is %.2f %%, the benchmark's %.2f %%", MIXES[i].name, wanted[k].step,
                             got / pages * 100, wanted[k].percent);
        }
        plan_file_free(pf);
    }
}

/* Within seconds to twenty times, and to one page. */
static void a_flash_sale_comes_at_once_and_fades(void **state)
{
    (void)state;
    struct plan_file *pf = mix("flash-sale");
    struct run_config c = {0};
    plan_file_apply(pf, &c);
    const struct plan *p = c.traffic[0].plan;
    double start = c.phases[1].start_s;
    assert_true(plan_rate(p, start - 1) == 2 && plan_rate(p, start + 5) >= 20 && plan_rate(p, start + 60) > 10);
    assert_true(plan_rate(p, c.phases[1].end_s - 1) < 5);
    const struct journey_feed *f = &c.journeys->list[0].feeds[0];
    struct rng rng;
    struct span row[FEED_COLUMNS_MAX];
    double hot = 0, second = 0;
    rng_seed(&rng, 4);
    for (int i = 0; i < SESSIONS; i++) {
        assert_true(feed_next(f->feed, &rng, row));
        hot += span_equal(row[0], SPAN("SKU-0001"));
        second += span_equal(row[0], SPAN("SKU-0002"));
    }
    double sum = 0;
    for (int k = 1; k <= 50; k++)
        sum += 1.0 / (k * k);
    check_share("the hottest", hot, SESSIONS, 1 / sum);
    check_share("the second", second, SESSIONS, 0.25 / sum);
    assert_string_equal(c.traffic[1].name, "bots");
    plan_file_free(pf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_becomes_a_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_a_plan_is_told_at_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(every_prefix_of_a_plan_ends_well, setup, teardown),
        cmocka_unit_test(recorded_arrivals_are_read_as_they_are_written),
        cmocka_unit_test(thinking_follows_its_distribution),
        cmocka_unit_test_setup_teardown(recorded_think_times_are_read_with_the_journey, setup, teardown),
        cmocka_unit_test(the_ready_mixes_have_the_shares_of_their_sources),
        cmocka_unit_test(tpc_w_walks_visit_each_page_as_often_as_the_benchmark),
        cmocka_unit_test(a_flash_sale_comes_at_once_and_fades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
