#include "collector/event/event_live.h"

#include <errno.h>
#include <math.h>

#include "collector/event/event_actual.h"
#include "collector/event/event_beside.h"
#include "collector/event/pace.h"
#include "lib/base/quote.h"

#define PIECE_BUDGET_US 30000 /* of reading back, per frame */
#define CELL_MS 10000
#define LONG_EVENT_MS (24 * 3600000ll)
#define AGAIN_MS (10 * 60000ll) /* count all anew: what came late is where it belongs then */
#define SETTLE_MS 5000          /* a cell is complete when scrapes had time to arrive */

enum { RATE_ORDERS, RATE_REVENUE, RATES };

struct event_live {
    struct query_engine *query;
    struct events *events;
    struct event *e;
    uint64_t version;
    int64_t cell_ms;
    struct event_actual *actual, *again; /* shown; being counted anew */
    int64_t again_due_ms;
    bool counted;                /* actual has been read up to the present once */
    struct event_beside *beside; /* plan and last event */
    struct promql_result *rates[RATES];
};

int event_live_new(struct query_engine *query, struct events *events, struct event_live **ret)
{
    struct event_live *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->query = query;
    v->events = events;
    *ret = v;
    return 0;
}

static void forget(struct event_live *v)
{
    event_free(v->e);
    event_actual_free(v->actual);
    event_actual_free(v->again);
    event_beside_free(v->beside);
    v->e = NULL;
    v->actual = v->again = NULL;
    v->beside = NULL;
    v->counted = false;
}

static void forget_rates(struct event_live *v)
{
    for (size_t i = 0; i < RATES; i++) {
        promql_result_free(v->rates[i]);
        v->rates[i] = NULL;
    }
}

void event_live_free(struct event_live *v)
{
    if (!v)
        return;
    forget(v);
    forget_rates(v);
    free(v);
}

/* The event of the moment; what was counted for another one is thrown away. Takes e. */
MUST_USE static int turn_to(struct event_live *v, struct event *e, uint64_t version, int64_t now_ms)
{
    if (e && v->e == e && v->version == version) {
        event_free(e);
        return 0;
    }
    forget(v);
    v->e = e;
    v->version = version;
    if (!e)
        return 0;
    v->cell_ms = e->ends_ms - e->starts_ms <= LONG_EVENT_MS ? CELL_MS : MINUTE_MS;
    v->again_due_ms = now_ms + AGAIN_MS;
    int r = event_actual_new(v->query, e, v->cell_ms, &v->actual);
    return r == 0 ? event_beside_new(v->query, v->events, e, &v->beside) : r;
}

/* Read on. What fails is tried again in the next frame; the engine counts it. */
static void count(struct event_live *v, int64_t now_ms)
{
    struct promql_error error;
    if (now_ms >= v->e->starts_ms && event_actual_advance(v->actual, now_ms, PIECE_BUDGET_US, &error) == 0)
        v->counted = true;
    (void)!event_beside_advance(v->beside, PIECE_BUDGET_US, &error);
    if (v->counted && !v->again && now_ms >= v->again_due_ms && now_ms < v->e->ends_ms + AGAIN_MS)
        (void)!event_actual_new(v->query, v->e, v->cell_ms, &v->again);
    if (v->again && event_actual_advance(v->again, now_ms, PIECE_BUDGET_US, &error) == 0) {
        event_actual_free(v->actual);
        v->actual = v->again;
        v->again = NULL;
        v->again_due_ms = now_ms + AGAIN_MS;
    }
}

static void ask_rates(struct event_live *v, int64_t now_ms)
{
    static const char *const NAMES[RATES] = {"commerce:orders_per_minute", "commerce:revenue_per_minute"};
    forget_rates(v);
    for (size_t i = 0; i < RATES; i++) {
        struct buf text;
        struct promql_error error;
        buf_init(&text, 4096);
        buf_printf(&text, "sum by (market, currency) (%s", NAMES[i]);
        if (v->e->service) {
            buf_str(&text, "{service=");
            quote_go(&text, span_str(v->e->service));
            buf_char(&text, '}');
        }
        buf_char(&text, ')');
        struct query_request q = {.text = buf_view(&text), .start_ms = now_ms, .end_ms = now_ms};
        if (buf_error(&text) || query_run(v->query, &q, &v->rates[i], &error) < 0)
            v->rates[i] = NULL;
        buf_done(&text);
    }
}

static double rate_of(const struct event_live *v, size_t which, const struct event_market *m)
{
    const struct promql_result *r = v->rates[which];
    double sum = NAN;
    for (size_t i = 0; r && i < r->n_series; i++)
        if (r->series[i].present[0] &&
            span_equal(labels_get(&r->series[i].labels, SPAN("market")), span_str(m->name)) &&
            (which == RATE_ORDERS ||
             span_equal(labels_get(&r->series[i].labels, SPAN("currency")), span_str(m->currency))))
            sum = (isnan(sum) ? 0 : sum) + r->series[i].values[0];
    return sum;
}

/* ---- the row ---- */

static void number(struct json_writer *j, const char *key, double v)
{
    if (!isfinite(v))
        return;
    jw_key(j, key);
    jw_f64(j, v);
}

static void trio(struct json_writer *j, const char *key, double now, double plan, double last)
{
    jw_key(j, key);
    jw_object(j);
    number(j, "now", now);
    number(j, "plan", plan);
    number(j, "last", last);
    jw_end(j);
}

static void pace_json(const struct event_live *v, struct json_writer *j, size_t market, enum curve_value value,
                      int64_t now_ms)
{
    const struct curve *plan = event_beside_plan(v->beside, market);
    int64_t since = now_ms - v->e->starts_ms, whole = v->e->ends_ms - v->e->starts_ms;
    size_t n = since > SETTLE_MS ? (size_t)((since - SETTLE_MS) / v->cell_ms) : 0;
    n = n < event_actual_cells(v->actual) ? n : event_actual_cells(v->actual);
    AUTO_FREE double *cells = calloc(2 * n + 1, sizeof *cells);
    struct pace p;
    if (!plan || !cells)
        return;
    for (size_t i = 0; i < n; i++) {
        int64_t from = (int64_t)i * v->cell_ms;
        double x = event_actual_cell(v->actual, market, value, i);
        cells[i] = isnan(x) ? 0 : x;
        cells[n + i] = curve_sum(plan, value, from, from + v->cell_ms);
    }
    double remaining = since < whole ? curve_sum(plan, value, since, whole) : 0;
    if (!pace_forecast(cells, cells + n, n, isnan(remaining) ? 0 : remaining,
                       event_actual_total(v->actual, market, value), &p))
        return;
    jw_key(j, value == CURVE_ORDERS ? "orders" : "revenue");
    jw_object(j);
    number(j, "at", p.at);
    number(j, "low", p.low);
    number(j, "high", p.high);
    number(j, "plan", curve_sum(plan, value, 0, whole));
    number(j, "pace", p.pace);
    jw_end(j);
}

static void market_json(const struct event_live *v, struct json_writer *j, size_t market, int64_t now_ms)
{
    const struct event *e = v->e;
    const struct event_market *m = &e->markets[market];
    const struct curve *plan = event_beside_plan(v->beside, market), *last = event_beside_last(v->beside, market);
    int64_t since = now_ms - e->starts_ms, whole = e->ends_ms - e->starts_ms, until = since < whole ? since : whole;
    int64_t minute = since >= 0 ? since / MINUTE_MS : (since - MINUTE_MS + 1) / MINUTE_MS;
    bool over = since >= whole;
    jw_key(j, m->name);
    jw_object(j);
    jw_key(j, "currency");
    jw_str(j, m->currency);
    trio(j, "orders", rate_of(v, RATE_ORDERS, m), over ? NAN : curve_at(plan, CURVE_ORDERS, minute),
         over ? NAN : curve_at(last, CURVE_ORDERS, minute));
    trio(j, "revenue", rate_of(v, RATE_REVENUE, m), over ? NAN : curve_at(plan, CURVE_REVENUE, minute),
         over ? NAN : curve_at(last, CURVE_REVENUE, minute));
    if (since > 0) {
        jw_key(j, "total");
        jw_object(j);
        for (enum curve_value value = CURVE_ORDERS; value < CURVE_VALUES; value++)
            trio(j, value == CURVE_ORDERS ? "orders" : "revenue",
                 v->counted ? event_actual_total(v->actual, market, value) : NAN, curve_sum(plan, value, 0, until),
                 curve_sum(last, value, 0, until));
        jw_end(j);
    }
    if (since > 0 && v->counted && !over) { /* then the totals are what it came to */
        jw_key(j, "on_pace_for");
        jw_object(j);
        pace_json(v, j, market, CURVE_ORDERS, now_ms);
        pace_json(v, j, market, CURVE_REVENUE, now_ms);
        jw_end(j);
    }
    jw_end(j);
}

static int render(void *ctx, struct frame_rows *rows)
{
    struct event_live *v = ctx;
    int64_t now_ms = frame_now_ms(rows);
    uint64_t version = events_version(v->events);
    int r = turn_to(v, events_current(v->events, now_ms), version, now_ms);
    if (r < 0)
        forget(v);
    if (r < 0 || !v->e)
        return r;
    const struct event *e = v->e;
    count(v, now_ms);
    ask_rates(v, now_ms);
    struct json_writer *j = frame_row(rows, span_str(e->name), 0);
    jw_object(j);
    jw_key(j, "name");
    jw_str(j, e->name);
    jw_key(j, "title");
    jw_str(j, e->title);
    jw_key(j, "phase");
    jw_str(j, event_phase_at(e, now_ms));
    jw_key(j, "starts");
    jw_i64(j, e->starts_ms);
    jw_key(j, "ends");
    jw_i64(j, e->ends_ms);
    jw_key(j, "zone");
    jw_str(j, e->zone);
    jw_key(j, "countdown_ms"); /* to doors open, then to the end */
    jw_i64(j, now_ms < e->starts_ms ? e->starts_ms - now_ms : now_ms < e->ends_ms ? e->ends_ms - now_ms : 0);
    jw_key(j, "markets");
    jw_object(j);
    for (size_t m = 0; m < e->n_markets; m++)
        market_json(v, j, m, now_ms);
    jw_end(j);
    jw_end(j);
    return 0;
}

struct frame_source event_live_source(struct event_live *v)
{
    return (struct frame_source){.name = "event", .ctx = v, .render = render, .rows_max = 1, .at_once = false};
}
