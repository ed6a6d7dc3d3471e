/* The books: each figure as a PromQL answer (a difference of counter values, never increase(), which extrapolates) beside the ledger. */
#include "shop/demo/demo.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

struct figure {
    const char *name, *metric, *selector, *ledger, *currency; /* currency NULL: all */
};
static const struct figure FIGURES[] = {
    {"orders", "commerce_orders_total", "source=\"\"", "orders", NULL},
    {"units", "commerce_order_units_total", "source=\"\"", "units", NULL},
    {"revenue EUR (cents)", "commerce_revenue_minor_units_total", "source=\"\",currency=\"EUR\"", "revenue_minor",
     "EUR"},
    {"revenue JPY (yen)", "commerce_revenue_minor_units_total", "source=\"\",currency=\"JPY\"", "revenue_minor", "JPY"},
    {"declines", "commerce_payments_total", "source=\"\",outcome=\"declined\"", "declines", NULL},
};

static int64_t ledger_sum(const json_t *ledger, const struct figure *f)
{
    int64_t sum = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(ledger, "rows"), i, row)
    {
        const char *source = json_string_value(json_object_get(row, "source")),
                   *currency = json_string_value(json_object_get(row, "currency"));
        if (source && !source[0] && (!f->currency || (currency && strcmp(currency, f->currency) == 0)))
            sum += json_integer_value(json_object_get(row, f->ledger));
    }
    return sum;
}

int books_compare(struct stage *s, int64_t start_ms, int64_t end_ms)
{
    json_t *ledger = stage_json(s, SHOP, "GET", "/ledger", NULL);
    int differences = ledger ? 0 : 1;
    printf("\nThe books: PromQL against the shop's ledger\n");
    for (size_t i = 0; ledger && i < ARRAY_LEN(FIGURES); i++) {
        const struct figure *f = &FIGURES[i];
        char query[512];
        snprintf(query, sizeof query, "sum(%s{%s}) - sum(%s{%s} offset %" PRId64 "ms)", f->metric, f->selector,
                 f->metric, f->selector, end_ms - start_ms);
        double answer = stage_query(s, query, end_ms);
        int64_t truth = ledger_sum(ledger, f);
        bool equal = answer == (double)truth;
        differences += !equal;
        printf("  %-20s %12.0f  ledger %12" PRId64 "  %s\n      %s\n", f->name, answer, truth,
               equal ? "equal" : "DIFFERENT", query);
    }
    json_decref(ledger);
    return differences;
}

static json_t *load_step(json_t *steps, const char *name)
{
    size_t i;
    json_t *step;
    json_array_foreach(steps, i, step)
    {
        const char *text = json_string_value(json_object_get(step, "name"));
        if (text && strcmp(text, name) == 0)
            return step;
    }
    return NULL;
}

/* Of an instant query's answer, the series with that label; NAN: there is none. */
static double value_of(const json_t *answer, const char *label, const char *value)
{
    size_t i;
    json_t *one;
    double v = NAN;
    json_array_foreach(json_object_get(json_object_get(answer, "data"), "result"), i, one)
    {
        const char *name = json_string_value(json_object_get(json_object_get(one, "metric"), label));
        const char *text = json_string_value(json_array_get(json_object_get(one, "value"), 1));
        if (name && text && strcmp(name, value) == 0 && parse_f64_span(span_str(text), &v) < 0)
            v = NAN;
    }
    return v;
}

/* Peak rate and p95 per step from the store, beside what the load generator saw from outside. */
void books_load(struct stage *s, int64_t start_ms, int64_t end_ms)
{
    static const char *const STEPS[] = {"home", "search", "product", "cart", "address", "shipping", "payment", "order"};
    char path[4096], query[1024];
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    struct parse_error error = {0};
    snprintf(path, sizeof path, "%s/customers.json", s->dir);
    json_t *load = file_read(path, 16u << 20, &text, &len) == 0 ? json_read(span_of(text, len), &error) : NULL;
    json_t *requests = json_object_get(load, "requests"), *steps = json_object_get(load, "steps");
    printf("\nThe load: server's view (PromQL) beside the load generator's\n");
    snprintf(query, sizeof query,
             "max_over_time(sum(rate(http_server_request_duration_seconds_count{source=\"\"}[5s]))[%" PRId64 "ms:1s])",
             end_ms - start_ms);
    printf("  peak requests/s      %8.1f\n      %s\n", stage_query(s, query, end_ms), query);
    const char *b = "commerce_operation_duration_seconds_bucket{source=\"\"}"; /* one answer has all steps */
    snprintf(query, sizeof query, "histogram_quantile(0.95, sum by (operation, le) (%s - %s offset %" PRId64 "ms))", b,
             b, end_ms - start_ms);
    json_t *p95 = stage_query_json(s, query, end_ms);
    printf("  p95 of each step\n      %s\n", query);
    for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
        json_t *step = load_step(steps, STEPS[i]);
        double own = json_number_value(json_object_get(json_object_get(step, "service_us"), "p95"));
        double response = json_number_value(json_object_get(json_object_get(step, "response_us"), "p95"));
        printf("  p95 %-16s %8.0f ms   load generator: service %6.0f ms, response %6.0f ms\n", STEPS[i],
               1000 * value_of(p95, "operation", STEPS[i]), own / 1000, response / 1000);
    }
    json_decref(p95);
    const char *verdict = json_string_value(json_object_get(load, "verdict"));
    printf("  requests: planned %" PRId64 ", completed %" PRId64 ", failed %" PRId64 ", dropped %" PRId64
           "; load run verdict: %s\n",
           (int64_t)json_integer_value(json_object_get(requests, "planned")),
           (int64_t)json_integer_value(json_object_get(requests, "completed")),
           (int64_t)json_integer_value(json_object_get(requests, "failed")),
           (int64_t)json_integer_value(json_object_get(requests, "dropped")),
           verdict ? verdict : "none (no summary was written)");
    json_decref(load);
}
