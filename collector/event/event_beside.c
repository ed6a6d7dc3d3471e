#include "collector/event/event_beside.h"

#include <errno.h>
#include <math.h>

#include "collector/event/event_actual.h"

struct event_beside {
    struct event *e, *other; /* other: the event that `last` names; NULL: a file, or none, or it is not here */
    struct event_actual *actual;
    int64_t until_ms;           /* what the store has of it */
    struct curve *last, *grown; /* per market of e, when other was read */
};

int event_beside_new(struct query_engine *query, struct events *events, struct event *e, struct event_beside **ret)
{
    struct event_beside *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    b->e = event_keep(e);
    b->other = e->last_event ? events_get(events, span_str(e->last_event)) : NULL;
    struct store *store = query_store(query);
    if (b->other) {
        int64_t newest_ms = store ? store_newest_ms(store) : INT64_MAX;
        b->until_ms = newest_ms < b->other->ends_ms ? newest_ms : b->other->ends_ms;
    }
    int r = b->other ? event_actual_new(query, b->other, MINUTE_MS, &b->actual) : 0;
    if (r < 0) {
        event_beside_free(b);
        return r;
    }
    *ret = b;
    return 0;
}

static void curves_free(struct curve *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        for (size_t v = 0; v < CURVE_VALUES; v++)
            free(list[i].values[v]);
    free(list);
}

void event_beside_free(struct event_beside *b)
{
    if (!b)
        return;
    curves_free(b->last, b->e->n_markets);
    curves_free(b->grown, b->e->n_markets);
    event_actual_free(b->actual);
    event_free(b->other);
    event_free(b->e);
    free(b);
}

/* A market's minutes of the other event, times a factor. */
MUST_USE static int fill(const struct event_beside *b, size_t market, double factor, struct curve *c)
{
    const struct event_market *m = &b->e->markets[market];
    int at = event_market(b->other, span_str(m->name));
    if (at < 0)
        return 0;
    int64_t known_ms = b->until_ms - b->other->starts_ms; /* what comes later is not known, it is not 0 */
    size_t minutes = known_ms > 0 ? (size_t)((known_ms + MINUTE_MS - 1) / MINUTE_MS) : 0;
    c->n = minutes < event_actual_cells(b->actual) ? minutes : event_actual_cells(b->actual);
    for (size_t v = 0; v < CURVE_VALUES; v++) {
        bool known = v != CURVE_REVENUE || strcmp(b->other->markets[at].currency, m->currency) == 0;
        if (!(c->values[v] = calloc(c->n + 1, sizeof(double))))
            return -ENOMEM;
        for (size_t i = 0; i < c->n; i++)
            c->values[v][i] = known ? factor * event_actual_cell(b->actual, (size_t)at, (enum curve_value)v, i) : NAN;
    }
    return 0;
}

MUST_USE static int fill_all(const struct event_beside *b, double factor, struct curve **ret)
{
    struct curve *list = calloc(b->e->n_markets, sizeof *list);
    int r = list ? 0 : -ENOMEM;
    for (size_t m = 0; r == 0 && m < b->e->n_markets; m++)
        r = fill(b, m, factor, &list[m]);
    if (r < 0) {
        curves_free(list, b->e->n_markets);
        return r;
    }
    *ret = list;
    return 0;
}

int event_beside_advance(struct event_beside *b, int64_t budget_us, struct promql_error *ret_error)
{
    if (!b->actual || b->last)
        return 0;
    int r = event_actual_advance(b->actual, b->until_ms, budget_us, ret_error);
    if (r == 0 && !isnan(b->e->growth) && !b->e->plan.curves && !b->grown)
        r = fill_all(b, b->e->growth, &b->grown);
    return r == 0 ? fill_all(b, 1, &b->last) : r;
}

const struct curve *event_beside_plan(const struct event_beside *b, size_t market)
{
    return b->grown ? &b->grown[market] : event_plan(b->e, market);
}

const struct curve *event_beside_last(const struct event_beside *b, size_t market)
{
    return b->last ? &b->last[market] : event_last(b->e, market);
}

bool event_beside_misses_last(const struct event_beside *b)
{
    return b->e->last_event && !b->other;
}
