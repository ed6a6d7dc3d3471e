/* services: one row each, its state in words, and every signal it has. */
#include <math.h>

#include "collector/view/view_internal.h"

#define STATE_UNKNOWN_SCRAPES 3
#define STATE_UNKNOWN_MS_MIN 3000
#define BLAME 10 /* the broken thing comes before those that suffer from it, a handful of pages each */

/* Beyond these a service deserves a look, not a page: whether customers suffer is the alerts' business. */
static const struct soft_bound {
    const char *signal;
    bool above;
    double bound, scale; /* scale: for the words, 100 with percent */
    const char *unit, *words;
} SOFT_BOUNDS[] = {
    {"oversold_units", true, 0, 1, "", "units sold that do not exist"},
    {"error_ratio", true, 0.02, 100, " %", "of requests end in an error"},
    {"operation_error_ratio", true, 0.1, 100, " %", "of operations do not succeed"},
    {"payment_failure_ratio", true, 0.05, 100, " %", "of payments fail"},
    {"payment_decline_ratio", true, 0.1, 100, " %", "of payments are declined"},
    {"api_failure_ratio", true, 0.05, 100, " %", "of calls to dependencies fail"},
    {"api_quota_used_ratio", true, 0.9, 100, " %", "of a dependency's quota is used"},
    {"db_connections_ratio", true, 0.9, 100, " %", "of database connections are in use"},
    {"oldest_inflight_seconds", true, 5, 1, " s", "is how long the oldest request waits"},
    {"response_seconds:p95", true, 1, 1, " s", "response time (p95)"},
    {"checkout_step_seconds:p95", true, 1.5, 1, " s", "for a checkout step (p95)"},
    {"cache_hit_ratio", false, 0.5, 100, " %", "of cache requests hit"},
};

enum service_state { STATE_OK, STATE_BLIND, STATE_WARN, STATE_UNKNOWN, STATE_CRIT };
static const char *const STATE_NAMES[] = {"ok", "unknown", "warn", "unknown", "crit"};

/* Of several (tier, stack) of one service the one with most signals speaks; the others fill what it lacks. */
static const struct signal *primary(const struct service *s)
{
    const struct signal *best = NULL;
    size_t most = 0;
    for (size_t i = 0, end; i < s->n_signals; i = end) {
        size_t plain = 0;
        for (end = i; end < s->n_signals && span_equal(s->signals[i].tier, s->signals[end].tier) &&
                      span_equal(s->signals[i].stack, s->signals[end].stack);
             end++)
            plain += s->signals[end].plain;
        if (plain > most || !best) {
            most = plain;
            best = &s->signals[i];
        }
    }
    return best;
}

static bool same_origin(const struct signal *a, const struct signal *b)
{
    return span_equal(a->tier, b->tier) && span_equal(a->stack, b->stack);
}

static const struct signal *find(const struct service *s, const struct signal *from, struct span name)
{
    const struct signal *other = NULL;
    for (size_t i = 0; i < s->n_signals; i++) {
        const struct signal *g = &s->signals[i];
        if (!g->plain || !span_equal(g->name, name))
            continue;
        if (same_origin(g, from))
            return g;
        other = other ? other : g;
    }
    return other;
}

static int64_t newest_ms(const struct view *v, const struct service *s)
{
    if (s->targets == 0 && s->n_signals) /* fed by others: the rules saw it now */
        return v->now_ms;
    return s->good_ms;
}

static bool is_unknown(const struct view *v, const struct service *s)
{
    int64_t t_ms = newest_ms(v, s), silent_ms = STATE_UNKNOWN_SCRAPES * s->interval_ms;
    return t_ms == TIME_NONE ||
           v->now_ms - t_ms > (silent_ms > STATE_UNKNOWN_MS_MIN ? silent_ms : STATE_UNKNOWN_MS_MIN);
}

static void alert_words(const struct service *s, struct buf *why)
{
    struct span words = s->worst.summary, name = span_str(s->name);
    if (span_starts(words, name) && span_starts(span_from(words, name.len), SPAN(": ")))
        words = span_from(words, name.len + 2);
    buf_span(why, s->worst.name);
    if (words.len) {
        buf_str(why, ": ");
        buf_span(why, words);
    }
    unsigned more = s->pages + s->tickets - 1;
    if (more)
        buf_printf(why, " (and %u more)", more);
}

static void unknown_words(const struct view *v, const struct service *s, struct buf *why)
{
    int64_t t_ms = newest_ms(v, s);
    if (t_ms == TIME_NONE)
        buf_str(why, s->targets ? "no scrape has worked" : "no samples");
    else
        buf_printf(why, "no sample for %lld s", (long long)((v->now_ms - t_ms) / 1000));
    if (s->error.len) {
        buf_str(why, ": ");
        buf_span(why, s->error);
    }
}

/* A process that answers its scrapes says nothing about its customers. */
static void blind_words(const struct service *s, struct buf *why)
{
    bool had = false;
    for (size_t i = 0; i < COVERED; i++)
        had = had || s->covered_ms[i] != TIME_NONE;
    buf_str(why, had ? "its scrapes work, but it has no signal now (no traffic?)"
                     : "its scrapes work, but no signal is recorded of it: Coverage has the cure");
}

static bool over_bound(const struct service *s, const struct signal *from, struct buf *why)
{
    for (size_t i = 0; from && i < ARRAY_LEN(SOFT_BOUNDS); i++) {
        const struct soft_bound *b = &SOFT_BOUNDS[i];
        const struct signal *g = find(s, from, span_str(b->signal));
        if (!g || !(b->above ? g->value > b->bound : g->value < b->bound))
            continue;
        buf_printf(why, "%.3g%s %s", g->value * b->scale, b->unit, b->words);
        return true;
    }
    return false;
}

static enum service_state judge(const struct view *v, const struct service *s, const struct signal *from,
                                struct buf *why)
{
    if (s->pages) {
        alert_words(s, why);
        return STATE_CRIT;
    }
    if (is_unknown(v, s)) {
        unknown_words(v, s, why);
        return STATE_UNKNOWN;
    }
    if (s->tickets) {
        alert_words(s, why);
        return STATE_WARN;
    }
    if (s->targets_down) {
        buf_printf(why, "%u of %u targets down", s->targets_down, s->targets);
        return STATE_WARN;
    }
    if (s->n_signals == 0) {
        blind_words(s, why);
        return STATE_BLIND;
    }
    return over_bound(s, from, why) ? STATE_WARN : STATE_OK;
}

/* Coarse, so that the order does not flicker: state first, then alerts, then traffic in powers of two. */
static double trouble_of(const struct service *s, enum service_state state, const struct signal *from)
{
    static const double BASE[] = {
        [STATE_OK] = 0, [STATE_BLIND] = 15, [STATE_WARN] = 30, [STATE_UNKNOWN] = 60, [STATE_CRIT] = 100};
    const struct signal *rps = from ? find(s, from, SPAN("throughput_rps")) : NULL;
    double traffic = rps && rps->value > 0 ? floor(log2(1 + rps->value)) / 10 : 0;
    double blame = s->is_blamed ? BLAME : 0;
    return BASE[state] + (s->pages < 20 ? s->pages : 20) + (traffic < 5 ? traffic : 5) + blame;
}

static void write_signals(struct json_writer *j, const struct service *s, const struct signal *from)
{
    double orders = NAN;
    jw_key(j, "signals");
    jw_object(j);
    for (size_t i = 0; i < s->n_signals; i++) {
        const struct signal *g = &s->signals[i];
        if (g->plain && (same_origin(g, from) || find(s, from, g->name) == g))
            write_number(j, NULL, g->name, g->value);
        else if (!g->plain && same_origin(g, from) && span_equal(g->name, SPAN("orders_per_minute")))
            orders = isnan(orders) ? g->value : orders + g->value; /* orders add up over markets, money does not */
    }
    if (!find(s, from, SPAN("orders_per_minute")))
        write_number(j, "orders_per_minute", (struct span){0}, orders);
    jw_end(j);
}

static void write_service(struct frame_rows *rows, const struct view *v, const struct service *s, struct buf *why)
{
    const struct signal *from = primary(s);
    buf_clear(why);
    enum service_state state = judge(v, s, from, why);
    double trouble = trouble_of(s, state, from);
    struct json_writer *j = frame_row(rows, span_str(s->name), trouble);
    jw_object(j);
    jw_key(j, "service");
    jw_str(j, s->name);
    if (from && from->tier.len) {
        jw_key(j, "tier");
        jw_text(j, from->tier);
    }
    if (from && from->stack.len) {
        jw_key(j, "stack");
        jw_text(j, from->stack);
    }
    jw_key(j, "state");
    jw_str(j, STATE_NAMES[state]);
    if (why->len) {
        jw_key(j, "why");
        jw_text(j, buf_view(why));
    }
    write_number(j, "trouble", (struct span){0}, trouble);
    if (newest_ms(v, s) != TIME_NONE) {
        jw_key(j, "t");
        jw_i64(j, newest_ms(v, s));
    }
    if (s->interval_ms) {
        jw_key(j, "interval_ms");
        jw_i64(j, s->interval_ms);
    }
    if (from) {
        write_signals(j, s, from);
    } else {
        jw_key(j, "signals");
        jw_object(j);
        jw_end(j);
    }
    jw_end(j);
}

int render_services(void *ctx, struct frame_rows *rows)
{
    struct view *v = ctx;
    int r = view_refresh(v, frame_now_ms(rows));
    if (r < 0)
        return r;
    struct buf why;
    buf_init(&why, 4096);
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&v->services, &at, &key, &value))
        write_service(rows, v, value, &why);
    buf_done(&why);
    return 0;
}
