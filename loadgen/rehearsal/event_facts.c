#include "loadgen/rehearsal/event_facts.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/quote.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- the event ---- */

/* A market's curve, added to the others'. */
MUST_USE static int add_curve(const json_t *curve, struct minutes *to)
{
    static const struct {
        const char *key;
        enum minute_value value;
    } MEMBERS[] = {{"sessions", MINUTE_SESSIONS}, {"orders", MINUTE_ORDERS}};
    int64_t first = json_integer_value(json_object_get(curve, "first_minute"));
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(MEMBERS) && r == 0; i++) {
        const json_t *list = json_object_get(curve, MEMBERS[i].key);
        size_t n = json_array_size(list);
        r = minutes_reach(to, MEMBERS[i].value, first, n);
        for (size_t k = 0; r == 0 && k < n; k++) {
            const json_t *v = json_array_get(list, k);
            minutes_add(to, MEMBERS[i].value, first + (int64_t)k, json_is_number(v) ? json_number_value(v) : NAN);
        }
    }
    return r;
}

MUST_USE static int read_markets(const json_t *data, struct event_facts *e)
{
    const char *name;
    json_t *market;
    int r = 0;
    json_object_foreach(json_object_get(data, "markets"), name, market)
    {
        if (r == 0)
            r = add_curve(json_object_get(market, "plan"), &e->plan);
        if (r == 0)
            r = add_curve(json_object_get(market, "last"), &e->last);
    }
    return r;
}

int event_facts_read(json_t *data, struct event_facts *ret, char *why, size_t why_bytes)
{
    const json_t *growth = json_object_get(data, "growth");
    const char *from = text_of(data, "plan_from");
    struct event_facts e = {.data = json_incref(data),
                            .name = text_of(data, "name"),
                            .title = text_of(data, "title"),
                            .zone = text_of(data, "zone"),
                            .service = text_of(data, "service"),
                            .last_event = text_of(data, "last_event"),
                            .starts_ms = json_integer_value(json_object_get(data, "starts")),
                            .ends_ms = json_integer_value(json_object_get(data, "ends")),
                            .plan_is_growth = from && strcmp(from, "last") == 0,
                            .growth = json_is_number(growth) ? json_number_value(growth) : NAN};
    bool good = e.name && json_is_object(json_object_get(data, "markets")) && e.ends_ms > e.starts_ms;
    int r = good ? read_markets(data, &e) : -EINVAL;
    if (r == -E2BIG)
        snprintf(why, why_bytes, "it has more minutes than an event can have");
    else if (r < 0)
        snprintf(why, why_bytes, r == -EINVAL ? "that is no event" : "out of memory");
    if (r < 0)
        event_facts_done(&e);
    else
        *ret = e;
    return r == -E2BIG ? -EINVAL : r;
}

void event_facts_done(struct event_facts *e)
{
    minutes_done(&e->plan);
    minutes_done(&e->last);
    json_decref(e->data);
    *e = (struct event_facts){0};
}

/* ---- what came in ---- */

/* A text as the regular expression that matches it alone. */
static void add_literal(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x80 && !isalnum((unsigned char)*text) && *text != '_')
            buf_char(out, '\\');
        buf_char(out, *text);
    }
}

/* ,service="…" and, where the metric has it, ,market=~"…" */
static void add_matchers(const struct event_facts *e, bool by_market, struct buf *out)
{
    buf_str(out, "{source=\"\"");
    if (e->service) {
        buf_str(out, ",service=");
        quote_go(out, span_str(e->service));
    }
    if (by_market) {
        struct buf names;
        const char *name;
        json_t *market;
        buf_init(&names, REHEARSAL_QUERY_BYTES_MAX);
        json_object_foreach(json_object_get(e->data, "markets"), name, market)
        {
            buf_str(&names, names.len ? "|" : "");
            add_literal(&names, name);
        }
        buf_str(out, ",market=~");
        quote_go(out, buf_view(&names));
        buf_done(&names);
    }
    buf_char(out, '}');
}

static void add_rise(const struct event_facts *e, const char *metric, bool by_market, struct buf *out)
{
    buf_printf(out, "sum(increase(%s", metric);
    add_matchers(e, by_market, out);
    buf_str(out, "[1m] anchored))");
}

void event_facts_query(const struct event_facts *e, enum minute_value value, struct buf *out)
{
    if (value == MINUTE_ORDERS) {
        add_rise(e, "commerce_orders_total", true, out);
        return;
    }
    /* An operation is what a step of a journey asks for; a shop that counts none has its HTTP requests. */
    add_rise(e, "commerce_operations_total", false, out);
    buf_str(out, " or ");
    add_rise(e, "http_server_request_duration_seconds_count", false, out);
}

/* A sample stands at the end of its minute. */
static int64_t minute_of(const json_t *sample, int64_t starts_ms)
{
    double ms = json_number_value(json_array_get(sample, 0)) * 1000 - (double)starts_ms;
    return fabs(ms) < 1e15 ? llround(ms / (double)MINUTE_MS) - 1 : INT64_MAX;
}

int event_facts_samples(const json_t *result, int64_t starts_ms, enum minute_value value, struct minutes *to)
{
    if (!json_is_array(result) || json_array_size(result) > 1)
        return -EINVAL;
    const json_t *list = json_object_get(json_array_get(result, 0), "values");
    size_t n = json_array_size(list);
    if (n == 0)
        return 0;
    int64_t first = minute_of(json_array_get(list, 0), starts_ms);
    int64_t last = minute_of(json_array_get(list, n - 1), starts_ms);
    if (first == INT64_MAX || last == INT64_MAX || last < first)
        return -EINVAL;
    int r = minutes_reach(to, value, first, (size_t)(last - first) + 1);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const json_t *sample = json_array_get(list, i), *text = json_array_get(sample, 1);
        int64_t minute = minute_of(sample, starts_ms);
        double v;
        if (!json_is_string(text) || parse_f64_span(span_str(json_string_value(text)), &v) < 0 || minute < first ||
            minute > last)
            return -EINVAL;
        minutes_add(to, value, minute, v);
    }
    return r;
}
