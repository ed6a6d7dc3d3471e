/* Collects a report's figures: totals, peak, checkout, alerts, annotations, errors, gaps. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "collector/event/report_data.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

#define LONG_MS (30 * 60000ll) /* from here on charts go by the minute, below by ten seconds */
#define GAP_MS_MIN 5000        /* a scrape that is late is no gap */
#define GAP_FACTOR 3.5
#define PIECE_MS (30 * 60000ll)

static bool make_room(void **list, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 32;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *cap = more;
    return true;
}

size_t report_query(struct report *r, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        text = NULL;
        return 0;
    }
    for (size_t i = 0; i < r->n_queries; i++)
        if (strcmp(r->queries[i], text) == 0)
            return i + 1;
    if (!make_room((void **)&r->queries, r->n_queries, &r->cap_queries, sizeof *r->queries))
        return 0;
    r->queries[r->n_queries++] = text;
    text = NULL;
    return r->n_queries;
}

void report_selector(const struct report *r, const char *metric, const char *more, struct buf *out)
{
    buf_printf(out, "%s{source=\"\"", metric);
    if (r->e->service) {
        buf_str(out, ",service=");
        quote_go(out, span_str(r->e->service));
    }
    buf_printf(out, "%s%s}", *more ? "," : "", more);
}

/* ---- money and orders ---- */

static void find_peak(const struct report *r, size_t market, struct report_totals *t)
{
    size_t per_minute = (size_t)(MINUTE_MS / r->cell_ms), cells = event_actual_cells(r->actual);
    size_t until = (size_t)((r->at_ms - r->e->starts_ms) / r->cell_ms);
    cells = until < cells ? until : cells;
    t->peak = NAN;
    for (size_t i = 0; i + per_minute <= cells; i++) {
        double sum = 0;
        for (size_t k = 0; k < per_minute; k++)
            sum += event_actual_cell(r->actual, market, CURVE_ORDERS, i + k);
        if (!isnan(sum) && (isnan(t->peak) || sum > t->peak + 1e-9)) {
            t->peak = sum;
            t->peak_ms = r->e->starts_ms + (int64_t)i * r->cell_ms;
        }
    }
}

MUST_USE static int gather_totals(struct report *r, struct promql_error *error)
{
    struct event *e = r->e;
    int64_t whole = e->ends_ms - e->starts_ms, until = r->begun ? r->at_ms - e->starts_ms : whole;
    int x = event_actual_new(r->from->query, e, r->cell_ms, &r->actual);
    if (x == 0 && r->begun)
        x = event_actual_advance(r->actual, r->at_ms, 0, error);
    if (x == 0)
        x = event_beside_new(r->from->query, r->from->events, e, &r->beside);
    if (x == 0)
        x = event_beside_advance(r->beside, 0, error);
    r->totals = calloc(e->n_markets, sizeof *r->totals);
    if (x < 0 || !r->totals)
        return x < 0 ? x : -ENOMEM;
    for (size_t m = 0; m < e->n_markets; m++) {
        for (enum curve_value v = CURVE_ORDERS; v < CURVE_VALUES; v++) {
            r->totals[m].now[v] = event_actual_total(r->actual, m, v);
            r->totals[m].plan[v] = curve_sum(event_beside_plan(r->beside, m), v, 0, until);
            r->totals[m].plan_whole[v] = curve_sum(event_beside_plan(r->beside, m), v, 0, whole);
            r->totals[m].last[v] = curve_sum(event_beside_last(r->beside, m), v, 0, until);
        }
        find_peak(r, m, &r->totals[m]);
    }
    return 0;
}

/* ---- checkout ---- */

MUST_USE static int count(struct report *r, const char *metric, const char *more, const char *const *by, size_t n_by,
                          struct tally **ret, struct promql_error *error)
{
    struct buf text;
    buf_init(&text, 4096);
    report_selector(r, metric, more, &text);
    struct tally_config config = {.query = r->from->query,
                                  .selector = text.data,
                                  .by = by,
                                  .n_by = n_by,
                                  .start_ms = r->e->starts_ms,
                                  .end_ms = r->at_ms};
    int x = buf_error(&text) ? buf_error(&text) : tally_new(&config, ret);
    if (x == 0)
        x = tally_advance(*ret, r->at_ms, 0, error);
    if (x == 0)
        tally_sort(*ret);
    buf_done(&text);
    return x;
}

struct bucket {
    double le, count;
};
static int by_le(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;
    return (x->le > y->le) - (x->le < y->le);
}

double report_quantile(const struct tally *t, const char *const *values, size_t n, double q)
{
    AUTO_FREE struct bucket *list = calloc(tally_n(t) + 1, sizeof *list);
    size_t used = 0;
    for (size_t i = 0; list && i < tally_n(t); i++) {
        const struct tally_group *g = tally_group(t, i);
        size_t k = 0;
        while (k < n && strcmp(g->values[k], values[k]) == 0)
            k++;
        if (k == n && parse_f64_span(span_str(g->values[n]), &list[used].le) == 0)
            list[used++].count = g->total;
    }
    if (!list || used < 2)
        return NAN;
    qsort(list, used, sizeof *list, by_le);
    double all = list[used - 1].count, rank = q * all;
    if (!isinf(list[used - 1].le) || !(all > 0))
        return NAN;
    size_t i = 0;
    while (i < used - 1 && list[i].count < rank)
        i++;
    if (i == used - 1) /* beyond the last bound: that bound, as histogram_quantile() has it */
        return list[used - 2].le;
    double low = i ? list[i - 1].le : 0, below = i ? list[i - 1].count : 0;
    return low + (list[i].le - low) * (rank - below) / (list[i].count - below);
}

#define CHECKOUT_STEPS "operation=~\"cart|address|shipping|payment|order\""

static bool is_technical(const char *outcome)
{
    static const char *const TECHNICAL[] = {"error", "timeout", "throttled"};
    for (size_t i = 0; i < ARRAY_LEN(TECHNICAL); i++)
        if (strcmp(outcome, TECHNICAL[i]) == 0)
            return true;
    return false;
}

MUST_USE static int gather_checkout(struct report *r, struct promql_error *error)
{
    static const char *const OPERATION[] = {"service", "operation", "outcome"}, *const BUCKETS[] = {"operation", "le"},
                             *const ALL[] = {"le"};
    int x = count(r, "commerce_operations_total", "", OPERATION, 3, &r->operations, error);
    if (x == 0)
        x = count(r, "commerce_operation_duration_seconds_bucket", CHECKOUT_STEPS, BUCKETS, 2, &r->operation_buckets,
                  error);
    if (x == 0)
        x = count(r, "commerce_checkout_duration_seconds_bucket", "", ALL, 1, &r->checkout_buckets, error);
    if (x < 0)
        return x;
    static const char *const STEPS[] = {"cart", "address", "shipping", "payment", "order"};
    r->steps = calloc(ARRAY_LEN(STEPS), sizeof *r->steps);
    if (!r->steps)
        return -ENOMEM;
    for (size_t k = 0; k < ARRAY_LEN(STEPS); k++) {
        struct report_step s = {.operation = STEPS[k]};
        for (size_t i = 0; i < tally_n(r->operations); i++) {
            const struct tally_group *g = tally_group(r->operations, i);
            if (strcmp(g->values[1], STEPS[k]) != 0)
                continue;
            s.all += g->total;
            if (strcmp(g->values[2], "ok") == 0)
                s.ok += g->total;
            else if (is_technical(g->values[2]))
                s.technical += g->total;
            else
                s.business += g->total;
        }
        s.p95_s = report_quantile(r->operation_buckets, &STEPS[k], 1, 0.95);
        if (s.all > 0)
            r->steps[r->n_steps++] = s;
        r->operations_all += s.all;
        r->operations_failed += s.technical;
    }
    r->availability = r->operations_all > 0 ? 1 - r->operations_failed / r->operations_all : NAN;
    r->checkout_p95_s = report_quantile(r->checkout_buckets, NULL, 0, 0.95);
    return 0;
}

/* ---- errors ---- */

MUST_USE static int add_error(struct report *r, const char *service, const char *what, const char *outcome, double n,
                              double all)
{
    if (!(n > 0))
        return 0;
    if (!make_room((void **)&r->errors, r->n_errors, &r->cap_errors, sizeof *r->errors))
        return -ENOMEM;
    struct report_error e = {strdup(service), strdup(what), strdup(outcome), n, all > 0 ? n / all : NAN};
    r->errors[r->n_errors++] = e;
    return e.service && e.what && e.outcome ? 0 : -ENOMEM;
}

static int by_count(const void *a, const void *b)
{
    const struct report_error *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    int c = strcmp(x->service, y->service);
    c = c ? c : strcmp(x->what, y->what);
    return c ? c : strcmp(x->outcome, y->outcome);
}

MUST_USE static int gather_errors(struct report *r, struct promql_error *error)
{
    static const char *const HTTP[] = {"service", "http_route", "http_response_status_code"};
    int x = count(r, "http_server_request_duration_seconds_count", "", HTTP, 3, &r->http_all, error);
    for (size_t i = 0; x == 0 && i < tally_n(r->operations); i++) {
        const struct tally_group *g = tally_group(r->operations, i);
        double all = 0;
        for (size_t k = 0; k < tally_n(r->operations); k++) {
            const struct tally_group *h = tally_group(r->operations, k);
            all += strcmp(g->values[0], h->values[0]) == 0 && strcmp(g->values[1], h->values[1]) == 0 ? h->total : 0;
        }
        if (strcmp(g->values[2], "ok") != 0)
            x = add_error(r, g->values[0], g->values[1], g->values[2], g->total, all);
    }
    for (size_t i = 0; x == 0 && i < tally_n(r->http_all); i++) {
        const struct tally_group *g = tally_group(r->http_all, i);
        char status[64];
        double all = 0;
        if (g->values[2][0] != '5')
            continue;
        for (size_t k = 0; k < tally_n(r->http_all); k++) {
            const struct tally_group *h = tally_group(r->http_all, k);
            all += strcmp(g->values[0], h->values[0]) == 0 && strcmp(g->values[1], h->values[1]) == 0 ? h->total : 0;
        }
        snprintf(status, sizeof status, "HTTP %.20s", g->values[2]);
        x = add_error(r, g->values[0], g->values[1], status, g->total, all);
    }
    if (r->n_errors)
        qsort(r->errors, r->n_errors, sizeof *r->errors, by_count);
    return x;
}

/* ---- alerts and annotations ---- */

static char *label_text(const struct labels *l, const char *name)
{
    return span_dup(labels_get(l, span_str(name)));
}

/* ALERTS has the alert's labels and two more. */
MUST_USE static int alert_words(const struct report *r, const struct labels *l, int64_t until_ms, char **ret)
{
    AUTO_FREE struct label *pairs = calloc(l->n + 1, sizeof *pairs);
    struct labels own = {pairs, 0};
    if (!pairs)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        if (!span_equal(l->pairs[i].name, SPAN("__name__")) && !span_equal(l->pairs[i].name, SPAN("alertstate")))
            pairs[own.n++] = l->pairs[i];
    return firings_words(r->from->firings, &own, until_ms, ret);
}

MUST_USE static int add_alert(struct report *r, const struct labels *l, int64_t start_ms, int64_t end_ms, bool still)
{
    if (!make_room((void **)&r->alerts, r->n_alerts, &r->cap_alerts, sizeof *r->alerts))
        return -ENOMEM;
    struct report_alert a = {
        label_text(l, "alertname"), label_text(l, "severity"), label_text(l, "service"), NULL, start_ms, end_ms, still};
    int x = alert_words(r, l, end_ms, &a.words);
    r->alerts[r->n_alerts++] = a;
    return x < 0 ? x : a.name && a.severity && a.service ? 0 : -ENOMEM;
}

static int alerts_by_time(const void *a, const void *b)
{
    const struct report_alert *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    int c = strcmp(x->name, y->name);
    return c ? c : strcmp(x->service, y->service);
}

MUST_USE static int gather_alerts(struct report *r, struct promql_error *error)
{
    struct promql_result *result = NULL;
    int64_t step = (r->at_ms - r->e->starts_ms) / 10000;
    step = step < 1000 ? 1000 : (step + 999) / 1000 * 1000;
    r->alert_step_ms = step;
    /* Steps end with the figures: what began to fire last is there, too. */
    int64_t first_ms = r->at_ms - (r->at_ms - r->e->starts_ms) / step * step;
    struct query_request q = {
        .text = SPAN("ALERTS{alertstate=\"firing\"}"), .start_ms = first_ms, .end_ms = r->at_ms, .step_ms = step};
    int x = query_run(r->from->query, &q, &result, error);
    for (size_t i = 0; x == 0 && i < result->n_series; i++) {
        const struct promql_series *s = &result->series[i];
        for (size_t k = 0; x == 0 && k < result->n_steps;) {
            size_t from = k;
            while (k < result->n_steps && s->present[k])
                k++;
            if (k > from)
                x = add_alert(r, &s->labels, first_ms + (int64_t)from * step,
                              k == result->n_steps ? r->at_ms : first_ms + (int64_t)k * step, k == result->n_steps);
            else
                k++;
        }
    }
    promql_result_free(result);
    if (r->n_alerts)
        qsort(r->alerts, r->n_alerts, sizeof *r->alerts, alerts_by_time);
    return x;
}

static void take_pause(void *ctx, int64_t from_ms, int64_t to_ms)
{
    struct report *r = ctx;
    if (make_room((void **)&r->pauses, r->n_pauses, &r->cap_pauses, sizeof *r->pauses))
        r->pauses[r->n_pauses++] = (struct report_pause){from_ms, to_ms};
}

static void take_note(void *ctx, const struct annotation *n)
{
    struct report *r = ctx;
    if (!make_room((void **)&r->notes, r->n_notes, &r->cap_notes, sizeof *r->notes))
        return;
    r->notes[r->n_notes++] = (struct report_note){n->t_ms, span_dup(n->kind), span_dup(n->text), span_dup(n->service)};
}

/* ---- gaps: where nothing is known ---- */

MUST_USE static int add_gap(struct report *r, const char *target, int64_t start_ms, int64_t end_ms, bool down)
{
    if (!make_room((void **)&r->gaps, r->n_gaps, &r->cap_gaps, sizeof *r->gaps))
        return -ENOMEM;
    struct report_gap g = {strdup(target), start_ms, end_ms, down};
    if (!g.target)
        return -ENOMEM;
    r->gaps[r->n_gaps++] = g;
    return 0;
}

static int gaps_by_time(const void *a, const void *b)
{
    const struct report_gap *x = a, *y = b;
    if (x->start_ms != y->start_ms)
        return x->start_ms < y->start_ms ? -1 : 1;
    return strcmp(x->target, y->target);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The distance that half of the scrapes keep. */
static int64_t usual_distance(const struct promql_matrix_series *s)
{
    AUTO_FREE int64_t *d = calloc(s->n + 1, sizeof *d);
    if (!d || s->n < 3)
        return 0;
    for (size_t i = 1; i < s->n; i++)
        d[i - 1] = s->t_ms[i] - s->t_ms[i - 1];
    qsort(d, s->n - 1, sizeof *d, by_time);
    return d[(s->n - 1) / 2];
}

/* A target's scrapes as they are read on, piece by piece. */
struct scrapes {
    char *target;
    int64_t before_ms, down_ms, limit_ms; /* last sample; down since, or 0; a longer distance is a gap */
};

MUST_USE static int find_scrapes(struct report *r, struct scrapes **list, size_t *n, size_t *cap,
                                 const struct labels *l, struct scrapes **ret)
{
    AUTO_FREE char *target = NULL;
    if (asprintf(&target, SPAN_FMT " " SPAN_FMT, SPAN_ARG(labels_get(l, SPAN("job"))),
                 SPAN_ARG(labels_get(l, SPAN("instance")))) < 0) {
        target = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i].target, target) == 0) {
            *ret = &(*list)[i];
            return 0;
        }
    if (!make_room((void **)list, *n, cap, sizeof **list))
        return -ENOMEM;
    *ret = &(*list)[(*n)++];
    **ret = (struct scrapes){.target = target, .before_ms = r->e->starts_ms};
    target = NULL;
    return 0;
}

/* A sample at t_ms, or the end of the report. */
MUST_USE static int scraped(struct report *r, struct scrapes *s, int64_t t_ms, bool down)
{
    bool silent = t_ms - s->before_ms > s->limit_ms;
    int x = 0;
    if (s->down_ms && (!down || silent)) {
        x = add_gap(r, s->target, s->down_ms, silent ? s->before_ms : t_ms, true);
        s->down_ms = 0;
    }
    if (x == 0 && silent)
        x = add_gap(r, s->target, s->before_ms, t_ms, false);
    if (down && !s->down_ms)
        s->down_ms = t_ms;
    s->before_ms = t_ms;
    return x;
}

MUST_USE static int read_scrapes(struct report *r, struct scrapes *s, const struct promql_matrix_series *m)
{
    int64_t limit_ms = (int64_t)(GAP_FACTOR * (double)usual_distance(m));
    int x = 0;
    if (limit_ms > GAP_MS_MIN || !s->limit_ms)
        s->limit_ms = limit_ms > GAP_MS_MIN ? limit_ms : GAP_MS_MIN;
    for (size_t i = 0; x == 0 && i < m->n; i++)
        x = scraped(r, s, m->t_ms[i], m->values[i] == 0);
    return x;
}

MUST_USE static int gather_gaps(struct report *r, struct promql_error *error)
{
    struct scrapes *list = NULL, *s = NULL;
    size_t n = 0, cap = 0;
    int x = 0;
    for (int64_t from = r->e->starts_ms; x == 0 && from < r->at_ms; from += PIECE_MS) {
        char text[64];
        struct promql_result *result = NULL;
        int64_t to = r->at_ms - from < PIECE_MS ? r->at_ms : from + PIECE_MS;
        snprintf(text, sizeof text, "up[%" PRId64 "ms]", to - from);
        struct query_request q = {.text = span_str(text), .start_ms = to, .end_ms = to};
        x = query_run(r->from->query, &q, &result, error);
        for (size_t i = 0; x == 0 && i < result->n_matrix; i++)
            if ((x = find_scrapes(r, &list, &n, &cap, &result->matrix[i].labels, &s)) == 0)
                x = read_scrapes(r, s, &result->matrix[i]);
        promql_result_free(result);
    }
    for (size_t i = 0; x == 0 && i < n; i++)
        x = scraped(r, &list[i], r->at_ms, false);
    r->has_targets = n > 0;
    for (size_t i = 0; i < n; i++)
        free(list[i].target);
    free(list);
    if (r->n_gaps)
        qsort(r->gaps, r->n_gaps, sizeof *r->gaps, gaps_by_time);
    return x;
}

int report_gather(struct report *r, struct promql_error *error)
{
    struct store *store = query_store(r->from->query);
    int64_t newest = store ? store_newest_ms(store) : r->e->ends_ms;
    r->at_ms = newest < r->e->ends_ms ? newest : r->e->ends_ms;
    r->begun = r->at_ms > r->e->starts_ms;
    if (!r->begun)
        r->at_ms = r->e->starts_ms;
    r->cell_ms = r->e->ends_ms - r->e->starts_ms < LONG_MS ? 10000 : MINUTE_MS;
    int x = gather_totals(r, error);
    r->availability = r->checkout_p95_s = NAN;
    if (x < 0 || !r->begun)
        return x;
    if (x == 0)
        x = gather_checkout(r, error);
    if (x == 0)
        x = gather_errors(r, error);
    if (x == 0)
        x = gather_alerts(r, error);
    if (x == 0)
        x = gather_gaps(r, error);
    if (x == 0)
        x = firings_pauses(r->from->firings, r->e->starts_ms, r->at_ms, take_pause, r);
    return x < 0 ? x : annotations_each(r->from->annotations, r->e->starts_ms, r->at_ms, 0, take_note, r);
}

void report_done(struct report *r)
{
    event_actual_free(r->actual);
    event_beside_free(r->beside);
    struct tally *tallies[] = {r->operations, r->operation_buckets, r->checkout_buckets, r->http_all};
    for (size_t i = 0; i < ARRAY_LEN(tallies); i++)
        tally_free(tallies[i]);
    for (size_t i = 0; i < r->n_alerts; i++) {
        free(r->alerts[i].name);
        free(r->alerts[i].severity);
        free(r->alerts[i].service);
        free(r->alerts[i].words);
    }
    for (size_t i = 0; i < r->n_notes; i++) {
        free(r->notes[i].kind);
        free(r->notes[i].text);
        free(r->notes[i].service);
    }
    for (size_t i = 0; i < r->n_errors; i++) {
        free(r->errors[i].service);
        free(r->errors[i].what);
        free(r->errors[i].outcome);
    }
    for (size_t i = 0; i < r->n_gaps; i++)
        free(r->gaps[i].target);
    for (size_t i = 0; i < r->n_queries; i++)
        free(r->queries[i]);
    void *lists[] = {r->totals, r->steps, r->alerts, r->notes, r->pauses, r->errors, r->gaps, r->queries};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        free(lists[i]);
}
