#include "collector/event/event_actual.h"

#include <errno.h>
#include <math.h>

#include "collector/event/currency.h"
#include "lib/base/quote.h"

struct event_actual {
    struct event *e;
    struct tally *tallies[CURVE_VALUES]; /* [CURVE_SESSIONS] is NULL */
    char *selectors[CURVE_VALUES];
    int64_t cell_ms;
};
static const char *const METRICS[CURVE_VALUES] = {NULL, "commerce_orders_total", "commerce_revenue_minor_units_total"};
enum { BY_MARKET, BY_CURRENCY, BY_N };
static const char *const BY[BY_N] = {"market", "currency"};

int event_actual_new(struct query_engine *query, struct event *e, int64_t cell_ms, struct event_actual **ret)
{
    struct event_actual *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->e = event_keep(e);
    a->cell_ms = cell_ms;
    int r = 0;
    for (size_t v = CURVE_ORDERS; r == 0 && v < CURVE_VALUES; v++) {
        struct buf text;
        buf_init(&text, 4096);
        buf_printf(&text, "%s{source=\"\"", METRICS[v]);
        if (e->service) {
            buf_str(&text, ",service=");
            quote_go(&text, span_str(e->service));
        }
        buf_char(&text, '}');
        a->selectors[v] = buf_take(&text, NULL);
        struct tally_config config = {.query = query,
                                      .selector = a->selectors[v],
                                      .by = BY,
                                      .n_by = BY_N,
                                      .start_ms = e->starts_ms,
                                      .end_ms = e->ends_ms,
                                      .cell_ms = cell_ms};
        r = a->selectors[v] ? tally_new(&config, &a->tallies[v]) : -ENOMEM;
    }
    if (r < 0) {
        event_actual_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void event_actual_free(struct event_actual *a)
{
    if (!a)
        return;
    for (size_t v = 0; v < CURVE_VALUES; v++) {
        tally_free(a->tallies[v]);
        free(a->selectors[v]);
    }
    event_free(a->e);
    free(a);
}

int event_actual_advance(struct event_actual *a, int64_t to_ms, int64_t budget_us, struct promql_error *ret_error)
{
    int more = 0;
    for (size_t v = CURVE_ORDERS; v < CURVE_VALUES; v++) {
        int r = tally_advance(a->tallies[v], to_ms, budget_us, ret_error);
        if (r < 0)
            return r;
        more |= r;
    }
    return more;
}

/* Is the group one of the market's? Orders have whatever currency they like. */
static bool belongs(const struct event_actual *a, const struct tally_group *g, size_t market, enum curve_value value)
{
    const struct event_market *m = &a->e->markets[market];
    return strcmp(g->values[BY_MARKET], m->name) == 0 &&
           (value == CURVE_ORDERS || strcmp(g->values[BY_CURRENCY], m->currency) == 0);
}

static double sum(const struct event_actual *a, size_t market, enum curve_value value, size_t cell)
{
    const struct tally *t = a->tallies[value];
    double v = NAN;
    for (size_t i = 0; t && i < tally_n(t); i++) {
        const struct tally_group *g = tally_group(t, i);
        if (belongs(a, g, market, value))
            v = (isnan(v) ? 0 : v) + (cell == SIZE_MAX ? g->total : g->cells[cell]);
    }
    return value == CURVE_REVENUE ? v / currency_scale(span_str(a->e->markets[market].currency)) : v;
}

double event_actual_total(const struct event_actual *a, size_t market, enum curve_value value)
{
    return sum(a, market, value, SIZE_MAX);
}

double event_actual_cell(const struct event_actual *a, size_t market, enum curve_value value, size_t cell)
{
    return cell < event_actual_cells(a) ? sum(a, market, value, cell) : NAN;
}

size_t event_actual_cells(const struct event_actual *a)
{
    return tally_cells(a->tallies[CURVE_ORDERS]);
}

const struct tally *event_actual_tally(const struct event_actual *a, enum curve_value value)
{
    return a->tallies[value];
}

bool event_actual_has_strangers(const struct event_actual *a)
{
    const struct tally *t = a->tallies[CURVE_REVENUE];
    for (size_t i = 0; i < tally_n(t); i++) {
        bool known = tally_group(t, i)->total == 0;
        for (size_t m = 0; m < a->e->n_markets && !known; m++)
            known = belongs(a, tally_group(t, i), m, CURVE_REVENUE);
        if (!known)
            return true;
    }
    return false;
}
