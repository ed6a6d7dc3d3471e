/* Queries with rollups and without: the same bits, whatever was written late, deleted, taken by the retention. CREST_SEED repeats a run,
 * CREST_ROLLUP_OPS makes it long. */
#include "tests/unit/collector/store/histogram_test.h"

#include <math.h>
#include <stdatomic.h>

#include "collector/promql/promql.h"
#include "collector/store/store_inside.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"

#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define MIDNIGHT INT64_C(1700006400000)
enum { SERIES = 140, OPS = 40, STEPS_MAX = 60 }; /* two groups of ids */

struct trial {
    struct store_fixture *f;
    struct check_random r;
    _Atomic int64_t now_ms;
    int64_t written_ms; /* up to here all series have samples */
    double counters[SERIES];
    uint64_t op, read_rolled, read_raw;
};

static int64_t trial_now(void *ctx)
{
    return atomic_load(&((struct trial *)ctx)->now_ms);
}

static void name_of(unsigned i, char text[64])
{
    (void)snprintf(text, 64, "m|series=%u|kind=%u%s", i, i % 7, i % 3 ? "" : "|fine=1");
}

/* Of seven kinds: counters that are reset, gauges of integers and of fractions, what is no number, minutes sharp, one that is
 * stale now and then, and one that is a native histogram on some days. */
static double value_of(struct trial *t, unsigned i)
{
    struct check_random *r = &t->r;
    switch (i % 7) {
    case 0:
        t->counters[i] = check_random_below(r, 200) ? t->counters[i] + (double)check_random_below(r, 50) : 0;
        return t->counters[i];
    case 1:
        return (double)check_random_below(r, 1000) - 500;
    case 2:
        return (double)check_random_below(r, 100000) / 1000 - 50;
    case 3:
        switch (check_random_below(r, 6)) {
        case 0:
            return -0.0;
        case 1:
            return 0;
        case 2:
            return f64_from_bits(UINT64_C(0x7ff8000000000000) | check_random_below(r, 9));
        case 3:
            return check_random_below(r, 40) ? 7 : (double)INFINITY;
        default:
            return (double)check_random_below(r, 3) * 1e15;
        }
    default:
        return check_random_below(r, 30) ? (double)check_random_below(r, 90) : i % 7 == 5 ? stale_marker() : 1;
    }
}

static void add_sample(struct trial *t, struct write_request *w, struct write_series *ws, unsigned i, int64_t t_ms)
{
    if (i % 7 == 6 && t_ms / DAY_MS % 2 == 0 && t_ms % 5 == 0)
        ws->histograms[ws->n_histograms++] =
            (struct histogram_sample){t_ms, 0, histogram_of(&w->arena, 1 + check_random_below(&t->r, 1000))};
    else
        ws->samples[ws->n_samples++] = (struct sample){.t_ms = t_ms, .value = value_of(t, i)};
}

static void send(struct trial *t, struct write_request *w)
{
    struct store_written written = write_now(t->f->s, w);
    check_ok(written.error);
}

/* Some hours of all series, one every few minutes. */
static void write_on(struct trial *t)
{
    struct write_request *w = request_new();
    int64_t from_ms = t->written_ms, to_ms = from_ms + (1 + (int64_t)check_random_below(&t->r, 9)) * HOUR_MS;
    for (unsigned i = 0; i < SERIES; i++) {
        char text[64];
        name_of(i, text);
        size_t n = (size_t)((to_ms - from_ms) / 60000) + 1;
        struct write_series *ws = request_series(w, text, n);
        ws->histograms = arena_array(&w->arena, n, sizeof *ws->histograms);
        int64_t step_ms = i % 7 == 4 ? 300000 : 250000, at_ms = i % 7 == 4 ? 0 : 1 + i / 20 * 37;
        if (i % 50 == 49 && check_random_below(&t->r, 2))
            continue; /* it comes and goes */
        for (int64_t k = (from_ms - at_ms) / step_ms + 1; k * step_ms + at_ms <= to_ms; k++)
            add_sample(t, w, ws, i, k * step_ms + at_ms);
    }
    send(t, w);
    t->written_ms = to_ms;
    atomic_store(&t->now_ms, to_ms);
    if (check_random_below(&t->r, 3))
        check_ok(store_seal(t->f->s));
}

static int64_t some_time(struct trial *t)
{
    int64_t span_ms = t->written_ms - MIDNIGHT;
    int64_t t_ms = MIDNIGHT + (int64_t)check_random_below(&t->r, (uint64_t)span_ms + 1);
    switch (check_random_below(&t->r, 4)) {
    case 0:
        return t_ms;
    case 1:
        return t_ms / 300000 * 300000;
    case 2:
        return t_ms / DAY_MS * DAY_MS;
    default:
        return t_ms / HOUR_MS * HOUR_MS;
    }
}

static void write_late(struct trial *t)
{
    struct write_request *w = request_new();
    unsigned first = (unsigned)check_random_below(&t->r, SERIES), n = check_random_below(&t->r, 3) ? 2 : 60;
    int64_t t_ms = some_time(t);
    for (unsigned i = first; i < first + n && i < SERIES; i++) {
        char text[64];
        name_of(i, text);
        struct write_series *ws = request_series(w, text, 40);
        ws->histograms = arena_array(&w->arena, 40, sizeof *ws->histograms);
        for (int64_t k = 0; k < 40; k++) /* some at times that are there: refused, or equal */
            add_sample(t, w, ws, i, t_ms + k * (check_random_below(&t->r, 2) ? 10 : 300000));
    }
    send(t, w);
    if (check_random_below(&t->r, 2))
        check_ok(store_seal(t->f->s));
}

static void delete_some(struct trial *t)
{
    struct matcher m;
    struct parse_error error;
    uint64_t n;
    char text[16];
    bool kind = check_random_below(&t->r, 2);
    (void)snprintf(text, sizeof text, "%u", (unsigned)check_random_below(&t->r, kind ? 7 : SERIES));
    check_ok(matcher_init(&m, MATCH_EQUAL, kind ? SPAN("kind") : SPAN("series"), span_str(text), &error));
    struct store_selection selection = {.matchers = &m, .n_matchers = 1, .min_ms = some_time(t)};
    selection.max_ms = selection.min_ms + (int64_t)check_random_below(&t->r, DAY_MS / 4);
    check_ok(store_delete(t->f->s, &selection, 1, &n));
    matcher_done(&m);
}

/* ---- queries ---- */
static struct promql_result *answer(struct trial *t, const char *text, struct promql_params p)
{
    struct promql_result *res;
    struct promql_error error;
    struct parse_error why;
    struct promql_expr *e;
    struct arena a;
    arena_init(&a, 1 << 20);
    if (promql_parse(span_str(text), &a, &e, &why) < 0)
        check_failed("%s: %s", text, why.text);
    if (promql_eval(t->f->s, e, &p, &res, &error) < 0)
        check_failed("op %llu: %s: %s", (unsigned long long)t->op, text, error.text);
    promql_expr_done(e);
    arena_done(&a);
    return res;
}

static void compare(struct trial *t, const char *text, const struct promql_result *got,
                    const struct promql_result *want)
{
    if (got->n_series != want->n_series)
        check_failed("op %llu: %s: %zu series with rollups, %zu without", (unsigned long long)t->op, text,
                     got->n_series, want->n_series);
    for (size_t i = 0; got->warnings[i] || want->warnings[i]; i++)
        assert_string_equal(got->warnings[i], want->warnings[i]);
    for (size_t i = 0; i < got->n_series; i++) {
        const struct promql_series *a = &got->series[i], *b = &want->series[i];
        assert_true(labels_equal(&a->labels, &b->labels));
        for (size_t s = 0; s < want->n_steps; s++) {
            const struct native_histogram *x = a->histograms ? a->histograms[s] : NULL,
                                          *y = b->histograms ? b->histograms[s] : NULL;
            bool same = a->present[s] == b->present[s] && !x == !y && (!x || histogram_equal(x, y));
            if (same && b->present[s] && !x)
                same = f64_bits(a->values[s]) == f64_bits(b->values[s]);
            if (!same)
                check_failed("op %llu: %s at %lld of series " SPAN_FMT
                             ": %d %.17g (%llx) with rollups, %d %.17g (%llx) "
                             "without",
                             (unsigned long long)t->op, text, (long long)(want->start_ms + (int64_t)s * want->step_ms),
                             SPAN_ARG(labels_get(&a->labels, SPAN("series"))), a->present[s], a->values[s],
                             (unsigned long long)f64_bits(a->values[s]), b->present[s], b->values[s],
                             (unsigned long long)f64_bits(b->values[s]));
        }
    }
}

static void ask(struct trial *t)
{
    static const char *const FUNCTIONS[] = {"min", "max", "count",      "present", "first",    "last",
                                            "sum", "avg", "ts_of_last", "absent",  "quantile", "mad"};
    static const char *const RANGES[] = {"5m", "10m", "7m", "1h", "1h", "90m", "6h", "1d", "1d", "2d", "3d"};
    static const int64_t STEPS_MS[] = {300000, HOUR_MS, HOUR_MS, 2 * HOUR_MS, 7 * HOUR_MS, DAY_MS, 13 * 60000 + 1};
    struct check_random *r = &t->r;
    const char *function = FUNCTIONS[check_random_below(r, ARRAY_LEN(FUNCTIONS))];
    char select[64] = "", text[256];
    if (check_random_below(r, 2))
        (void)snprintf(select, sizeof select, "{kind=\"%u\"}", (unsigned)check_random_below(r, 7));
    (void)snprintf(text, sizeof text, "%s_over_time(%sm%s[%s]%s)", function,
                   strcmp(function, "quantile") == 0 ? "0.5, " : "", select,
                   RANGES[check_random_below(r, ARRAY_LEN(RANGES))], check_random_below(r, 5) ? "" : " offset 1h");
    struct promql_params p = {.start_ms = some_time(t)};
    p.end_ms = p.start_ms;
    if (check_random_below(r, 3)) {
        p.step_ms = STEPS_MS[check_random_below(r, ARRAY_LEN(STEPS_MS))];
        p.end_ms += p.step_ms * (int64_t)check_random_below(r, STEPS_MAX);
    }
    p.rollups = PROMQL_ROLLUPS_OFF;
    struct promql_result *want = answer(t, text, p);
    p.rollups = PROMQL_ROLLUPS_SAME;
    struct promql_result *got = answer(t, text, p);
    t->read_raw += want->samples_read;
    t->read_rolled += got->samples_read;
    compare(t, text, got, want);
    promql_result_free(got);
    promql_result_free(want);
}

static void reopen(struct trial *t)
{
    restart(t->f);
    t->f->s->part_bytes_min = 1;
}

static void step(struct trial *t)
{
    uint64_t pick = check_random_below(&t->r, 100);
    if (pick < 45) {
        write_on(t);
    } else if (pick < 60) {
        write_late(t);
    } else if (pick < 68) {
        delete_some(t);
    } else if (pick < 72) {
        reopen(t);
    } else {
        check_ok(store_seal(t->f->s));
        check_ok(store_compact(t->f->s));
    }
    for (int i = 0; i < 5; i++)
        ask(t);
}

static void answers_with_rollups_are_those_of_the_samples_bit_by_bit(void **state)
{
    static struct trial trial;
    struct trial *t = &trial;
    struct matcher fine, third[2];
    struct parse_error error;
    const char *ops = getenv("CREST_ROLLUP_OPS");
    uint64_t n = OPS;
    *t = (struct trial){.f = *state, .r = check_random_new("rollups"), .written_ms = MIDNIGHT + DAY_MS / 3};
    atomic_store(&t->now_ms, t->written_ms);
    check_ok(ops ? parse_u64(ops, 1000000, &n) : 0);
    check_ok(matcher_init(&fine, MATCH_EQUAL, SPAN("fine"), SPAN("1"), &error));
    check_ok(matcher_init(&third[0], MATCH_EQUAL, SPAN("kind"), SPAN("2"), &error));
    check_ok(matcher_init(&third[1], MATCH_EQUAL, SPAN("kind"), SPAN("4"), &error));
    const struct store_retention own[] = {{&third[0], 1, 2 * DAY_MS}, {&third[1], 1, 20 * DAY_MS}},
                                 minutes = {&fine, 1, 0};
    shut(t->f);
    t->f->config.now_ms = trial_now;
    t->f->config.now_ctx = t;
    t->f->config.retention_ms = 5 * DAY_MS;
    t->f->config.retentions = own;
    t->f->config.n_retentions = 2;
    t->f->config.rollup_retention_ms = 9 * DAY_MS;
    t->f->config.fine_rollups = &minutes;
    t->f->config.n_fine_rollups = 1;
    open_again(t->f);
    reopen(t);
    for (int i = 0; i < 12; i++)
        write_on(t);
    check_ok(store_compact(t->f->s));
    for (; t->op < n; t->op++)
        step(t);
    print_message("%llu samples read without rollups, %llu with\n", (unsigned long long)t->read_raw,
                  (unsigned long long)t->read_rolled);
    assert_true(t->read_rolled < t->read_raw / 4 * 3); /* they are used */
    matcher_done(&fine);
    matcher_done(&third[0]);
    matcher_done(&third[1]);
}

/* ---- what the retention took ---- */
/* A counter with resets and a gauge, every 20 s, so that a day is three extents; from MIDNIGHT on. */
static void write_days(struct trial *t, int days)
{
    for (int64_t day = 0; day < days; day++) {
        struct write_request *w = request_new();
        (void)request_series(w, "c_total", 4320);
        struct write_series *gauge = request_series(w, "g", 4320), *counter = gauge - 1;
        for (int64_t k = 0; k < 4320; k++) {
            int64_t t_ms = MIDNIGHT + day * DAY_MS + k * 20000 + 7;
            t->counters[0] =
                check_random_below(&t->r, 2000) ? t->counters[0] + (double)check_random_below(&t->r, 9) : 2;
            counter->samples[counter->n_samples++] = (struct sample){.t_ms = t_ms, .value = t->counters[0]};
            gauge->samples[gauge->n_samples++] =
                (struct sample){.t_ms = t_ms, .value = (double)check_random_below(&t->r, 100000) / 100};
        }
        send(t, w);
        check_ok(store_seal(t->f->s));
    }
}

static void pass_to(struct trial *t, int64_t now_ms)
{
    atomic_store(&t->now_ms, now_ms);
    check_ok(store_set_pins(t->f->s, NULL, 0)); /* the retention runs now */
    check_ok(store_compact(t->f->s));
    check_ok(store_set_pins(t->f->s, NULL, 0));
}

static void begin(struct trial *t, void **state, int64_t retention_ms, int64_t rollup_retention_ms)
{
    *t = (struct trial){.f = *state, .r = check_random_new("gone")};
    atomic_store(&t->now_ms, MIDNIGHT + 4 * DAY_MS);
    shut(t->f);
    t->f->config.now_ms = trial_now;
    t->f->config.now_ctx = t;
    t->f->config.retention_ms = retention_ms;
    t->f->config.rollup_retention_ms = rollup_retention_ms;
    open_again(t->f);
    t->f->s->part_bytes_min = 1;
}

static struct promql_result *hours(struct trial *t, const char *text, enum promql_rollups rollups)
{
    return answer(t, text,
                  (struct promql_params){.start_ms = MIDNIGHT + HOUR_MS,
                                         .end_ms = MIDNIGHT + 3 * DAY_MS - HOUR_MS,
                                         .step_ms = HOUR_MS,
                                         .rollups = rollups});
}

static size_t count_points(const struct promql_result *res)
{
    size_t n = 0;
    for (size_t i = 0; i < res->n_series; i++)
        for (size_t s = 0; s < res->n_steps; s++)
            n += res->series[i].present[s];
    return n;
}

static const char *const WHOLE_HOURS[] = {
    "max_over_time(g[1h])",       "min_over_time(g[2h])",       "count_over_time(g[1h])", "last_over_time(g[1h])",
    "sum_over_time(c_total[3h])", "avg_over_time(c_total[1h])", "first_over_time(g[1h])", "present_over_time(g[1d])"};

static void rollups_outlive_their_samples_and_answer_who_asks_with_a_warning(void **state)
{
    static struct trial t;
    struct promql_result *before[ARRAY_LEN(WHOLE_HOURS)], *increase, *got;
    begin(&t, state, 40 * DAY_MS, 100 * DAY_MS);
    write_days(&t, 3);
    check_ok(store_compact(t.f->s));
    for (size_t i = 0; i < ARRAY_LEN(WHOLE_HOURS); i++)
        before[i] = hours(&t, WHOLE_HOURS[i], PROMQL_ROLLUPS_OFF);
    increase = hours(&t, "increase(c_total[2h])", PROMQL_ROLLUPS_OFF);
    assert_true(count_points(before[0]) == 71);
    uint64_t whole = store_parts_bytes(t.f->s);
    pass_to(&t, MIDNIGHT + 60 * DAY_MS);
    for (int i = 0; i < 60000 && store_oldest_ms(t.f->s) != INT64_MAX; i++)
        sleep_us(1000);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(count_samples(t.f->s, "g"), 0);
        for (size_t i = 0; i < ARRAY_LEN(WHOLE_HOURS); i++) {
            got = hours(&t, WHOLE_HOURS[i], PROMQL_ROLLUPS_SAME);
            assert_int_equal(got->n_series, 0); /* nobody is given them unasked */
            promql_result_free(got);
            got = hours(&t, WHOLE_HOURS[i], i % 2 ? PROMQL_ROLLUPS_1H : PROMQL_ROLLUPS_5M);
            assert_non_null(got->warnings[0]);
            check_contains(got->warnings[0], "rollups stand for samples that are gone");
            got->warnings = before[i]->warnings;
            compare(&t, WHOLE_HOURS[i], got, before[i]);
            promql_result_free(got);
        }
        got = hours(&t, "increase(c_total[2h])", PROMQL_ROLLUPS_1H);
        assert_int_equal(count_points(got), count_points(increase));
        for (size_t s = 0; s < got->n_steps;
             s++) /* what it rose by is known, how it is stretched to the edges is not */
            assert_true(fabs(got->series[0].values[s] / increase->series[0].values[s] - 1) < 0.02);
        promql_result_free(got);
        got = hours(&t, "g", PROMQL_ROLLUPS_1H); /* the last of each bucket */
        assert_int_equal(count_points(got), 71);
        promql_result_free(got);
        if (round == 0)
            pass_to(&t, MIDNIGHT + 60 * DAY_MS + HOUR_MS); /* the file is written anew without what is gone */
        assert_true(round == 0 || store_parts_bytes(t.f->s) < whole);
        restart(t.f);
    }
    pass_to(&t, MIDNIGHT + 110 * DAY_MS);
    for (int i = 0; i < 60000 && store_parts_bytes(t.f->s) > 0; i++)
        sleep_us(1000);
    got = hours(&t, "max_over_time(g[1h])", PROMQL_ROLLUPS_1H);
    assert_int_equal(got->n_series, 0);
    promql_result_free(got);
    promql_result_free(increase);
    for (size_t i = 0; i < ARRAY_LEN(WHOLE_HOURS); i++)
        promql_result_free(before[i]);
}

/* An import, or a retention that is made shorter: rollups come before the samples go. */
static void samples_that_are_over_when_they_come_have_rollups_before_they_go(void **state)
{
    static struct trial t;
    struct promql_result *before, *got;
    begin(&t, state, 0, 100 * DAY_MS);
    write_days(&t, 3);
    before = hours(&t, "max_over_time(g[1h])", PROMQL_ROLLUPS_OFF);
    assert_int_equal(count_points(before), 71);
    t.f->config.retention_ms = 40 * DAY_MS;
    atomic_store(&t.now_ms, MIDNIGHT + 60 * DAY_MS);
    restart(t.f);
    for (int i = 0; i < 3; i++) /* the retention has run when the second one is there */
        put(t.f->s, "other", MIDNIGHT + 60 * DAY_MS + i, 1);
    pass_to(&t, MIDNIGHT + 60 * DAY_MS);
    for (int i = 0; i < 60000 && store_oldest_ms(t.f->s) < MIDNIGHT + 60 * DAY_MS; i++)
        sleep_us(1000);
    assert_int_equal(count_samples(t.f->s, "g"), 0);
    got = hours(&t, "max_over_time(g[1h])", PROMQL_ROLLUPS_1H);
    assert_non_null(got->warnings[0]);
    got->warnings = before->warnings;
    compare(&t, "max_over_time(g[1h])", got, before);
    promql_result_free(got);
    promql_result_free(before);
}

static void a_day_that_is_partly_gone_is_never_told_by_its_rollups_unasked(void **state)
{
    static struct trial t;
    begin(&t, state, 0, 100 * DAY_MS);
    write_days(&t, 3);
    check_ok(store_compact(t.f->s));
    assert_true(extent_dir_totals(&t.f->s->extents).extents >= 3 * 3 + 3); /* each day has three of samples at least */
    assert_int_equal(t.f->s->counters[COUNT_MOVED_DAYS], 3);
    check_ok(store_set_retention(t.f->s, 10 * DAY_MS, NULL, 0));
    for (int k = 0; k < 12; k++) { /* the days' extents leave one by one */
        int64_t now_ms = MIDNIGHT + 10 * DAY_MS + k * 5 * HOUR_MS;
        atomic_store(&t.now_ms, now_ms);
        for (int i = 0; i < 2; i++)
            check_ok(store_set_pins(t.f->s, NULL, 0));
        for (size_t i = 0; i < ARRAY_LEN(WHOLE_HOURS); i++) {
            struct promql_result *want = hours(&t, WHOLE_HOURS[i], PROMQL_ROLLUPS_OFF),
                                 *got = hours(&t, WHOLE_HOURS[i], PROMQL_ROLLUPS_SAME);
            compare(&t, WHOLE_HOURS[i], got, want);
            promql_result_free(want);
            promql_result_free(got);
            got = hours(&t, WHOLE_HOURS[i], PROMQL_ROLLUPS_1H);
            assert_true(count_points(got) >= 69);
            promql_result_free(got);
        }
    }
    assert_true(store_oldest_ms(t.f->s) > MIDNIGHT + DAY_MS);
}

static void what_is_deleted_is_not_told_by_rollups_either(void **state)
{
    static struct trial t;
    struct matcher m;
    struct parse_error error;
    uint64_t n;
    begin(&t, state, 20 * DAY_MS, -1);
    write_days(&t, 3);
    check_ok(store_compact(t.f->s));
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), SPAN("g"), &error));
    struct store_selection day = {
        .matchers = &m, .n_matchers = 1, .min_ms = MIDNIGHT + DAY_MS + 1, .max_ms = MIDNIGHT + 2 * DAY_MS};
    check_ok(store_delete(t.f->s, &day, 1, &n));
    assert_int_equal(n, 1);
    for (int round = 0; round < 4; round++) { /* hidden, removed, of samples that are gone, and after a start */
        struct promql_result *g = hours(&t, "count_over_time(g[1h])", PROMQL_ROLLUPS_1H),
                             *c = hours(&t, "count_over_time(c_total[1h])", PROMQL_ROLLUPS_1H);
        assert_int_equal(count_points(c), 71);
        assert_int_equal(count_points(g), 71 - 24);
        promql_result_free(g);
        promql_result_free(c);
        if (round == 0)
            check_ok(store_clean(t.f->s));
        else if (round == 1)
            pass_to(&t, MIDNIGHT + 1000 * DAY_MS);
        else
            restart(t.f);
    }
    matcher_done(&m);
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), SPAN("c_total"), &error));
    struct store_selection all = {.matchers = &m, .n_matchers = 1, ALL_TIME};
    check_ok(store_delete(t.f->s, &all, 1, &n)); /* only rollups are left of it */
    assert_int_equal(n, 1);
    for (int round = 0; round < 2; round++) {
        struct promql_result *c = hours(&t, "count_over_time(c_total[1h])", PROMQL_ROLLUPS_1H);
        assert_int_equal(count_points(c), 0);
        promql_result_free(c);
        check_ok(store_clean(t.f->s));
    }
    matcher_done(&m);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_with_rollups_are_those_of_the_samples_bit_by_bit),
        TEST(rollups_outlive_their_samples_and_answer_who_asks_with_a_warning),
        TEST(samples_that_are_over_when_they_come_have_rollups_before_they_go),
        TEST(a_day_that_is_partly_gone_is_never_told_by_its_rollups_unasked),
        TEST(what_is_deleted_is_not_told_by_rollups_either),
    };
    return cmocka_run_group_tests_name("collector/promql/rollups", tests, NULL, NULL);
}
