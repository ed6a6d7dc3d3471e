#include "loadgen/import/log_report.h"

#include "lib/base/number.h"
#include "lib/wire/json.h"
#include "loadgen/import/log_write.h"

#define ROUTES_PRINTED 15u
#define LONG_SESSION 100.0 /* requests on average: nobody shops like that */

static const double QUANTILES[] = {10, 50, 90, 99};
static const struct {
    const char *name, *words;
    size_t at; /* of the pair in struct log_fidelity */
    bool seconds;
} PAIRS[] = {
    {"request_gaps", "gaps between requests", offsetof(struct log_fidelity, gaps), true},
    {"session_starts", "gaps between sessions", offsetof(struct log_fidelity, starts), true},
    {"think_times", "pauses in a session", offsetof(struct log_fidelity, thinks), true},
    {"session_lengths", "requests per session", offsetof(struct log_fidelity, lengths), false},
};

static const struct log_pair *pair_of(const struct log_fidelity *f, size_t i)
{
    return (const struct log_pair *)(const void *)((const char *)f + PAIRS[i].at);
}

/* ---- for people ---- */

static void print_value(FILE *to, double value, bool seconds)
{
    char text[32];
    if (!seconds)
        snprintf(text, sizeof text, "%.0f", value);
    else if (value < 1e6)
        snprintf(text, sizeof text, "%.1fms", value / 1e3);
    else
        snprintf(text, sizeof text, "%.2fs", value / 1e6);
    fprintf(to, " %9s", text);
}

static void print_pair(const struct log_pair *p, const char *words, bool seconds, FILE *to)
{
    for (int planned = 0; planned < 2; planned++) {
        const struct hdr *h = planned ? p->planned : p->actual;
        fprintf(to, "  %-22s %-7s", planned ? "" : words, planned ? "planned" : "actual");
        for (size_t i = 0; i < ARRAY_LEN(QUANTILES); i++)
            print_value(to, (double)hdr_percentile(h, QUANTILES[i]), seconds);
        print_value(to, hdr_mean(h), seconds);
        if (planned)
            fprintf(to, "   KS %.3f", p->ks);
        fputc('\n', to);
    }
}

static void print_class(const struct log_report_class *c, FILE *to)
{
    const struct log_fidelity *f = c->fidelity;
    fprintf(to, "\n%s: %llu sessions, %llu requests (planned %llu), %zu steps\n", c->name,
            (unsigned long long)f->sessions, (unsigned long long)f->actual_requests,
            (unsigned long long)f->planned_requests, c->chain->n);
    if (hdr_mean(f->lengths.actual) > LONG_SESSION)
        fputs("  sessions are very long: is the address a proxy's? --session FIELD or a shorter --gap tells visitors "
              "apart\n",
              to);
    fprintf(to, "  %-30s %9s %9s %9s %9s %9s\n", "", "p10", "p50", "p90", "p99", "mean");
    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++)
        print_pair(pair_of(f, i), PAIRS[i].words, PAIRS[i].seconds, to);
    fprintf(to, "  %-46s %9s %9s\n", "share of requests", "actual", "planned");
    for (size_t i = 0; i < c->chain->n && i < ROUTES_PRINTED; i++) {
        struct buf name;
        buf_init(&name, 1024);
        log_step_name(c->routes, c->chain->route[i], &name);
        fprintf(to, "  %-46.46s %8.2f%% %8.2f%%\n", name.data ? name.data : "", 100 * f->actual_share[i],
                100 * f->planned_share[i]);
        buf_done(&name);
    }
    if (c->chain->n > ROUTES_PRINTED)
        fprintf(to, "  and %zu more steps; the largest difference is %.2f points\n", c->chain->n - ROUTES_PRINTED,
                100 * f->share_error);
    if (c->chain->routes_left_out)
        fprintf(to, "  %zu rarer routes with %llu requests are bridged\n", c->chain->routes_left_out,
                (unsigned long long)c->chain->left_out);
}

void log_report_print(const struct log_report *r, FILE *to)
{
    fprintf(to, "%llu lines, %llu requests in the plan over %.0f s\n", (unsigned long long)r->lines,
            (unsigned long long)r->requests, (double)(r->last_us - r->first_us) / 1e6);
    const struct {
        uint64_t n;
        const char *words;
    } LEFT[] = {
        {r->bad, "lines that cannot be read"},
        {r->assets, "style sheets, scripts and pictures (--assets keeps them)"},
        {r->bodies, "requests with a body, which logs do not have (--keep-posts keeps them, to be written)"},
        {r->refused, "requests that were answered with 4xx"},
        {r->other, "requests of routes beyond the first 500"},
        {r->crowded, "visitors beyond a million at once: each request counts as a session"},
        {r->times_left_out, "times beyond ten million: gaps and arrivals are those before"},
    };
    for (size_t i = 0; i < ARRAY_LEN(LEFT); i++)
        if (LEFT[i].n)
            fprintf(to, "  left out: %llu %s\n", (unsigned long long)LEFT[i].n, LEFT[i].words);
    if (r->whole_seconds)
        fputs("  stamps are whole seconds: requests of one second are spread over it, in their order\n", to);
    if (!r->has_clients)
        fputs("  the lines name no visitor: each request is a session of its own (--session FIELD names one)\n", to);
    if (!r->has_durations)
        fputs("  the lines have no duration: requests count as arrived when they were over, pauses hold the answer's "
              "time\n",
              to);
    for (size_t i = 0; i < r->n_classes; i++)
        print_class(&r->classes[i], to);
}

/* ---- for programs ---- */

static void json_side(struct json_writer *j, const char *key, const struct hdr *h, bool seconds)
{
    double unit = seconds ? 1e6 : 1;
    jw_key(j, key);
    jw_object(j);
    for (size_t i = 0; i < ARRAY_LEN(QUANTILES); i++) {
        char name[16];
        snprintf(name, sizeof name, "p%.0f", QUANTILES[i]);
        jw_key(j, name);
        jw_f64(j, (double)hdr_percentile(h, QUANTILES[i]) / unit);
    }
    jw_key(j, "mean");
    jw_f64(j, hdr_mean(h) / unit);
    jw_key(j, "count");
    jw_u64(j, hdr_count(h));
    jw_end(j);
}

static void json_class(const struct log_report_class *c, struct json_writer *j)
{
    const struct log_fidelity *f = c->fidelity;
    jw_object(j);
    jw_key(j, "name");
    jw_str(j, c->name);
    jw_key(j, "sessions");
    jw_u64(j, f->sessions);
    jw_key(j, "requests");
    jw_object(j);
    jw_key(j, "actual");
    jw_u64(j, f->actual_requests);
    jw_key(j, "planned");
    jw_u64(j, f->planned_requests);
    jw_end(j);
    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        const struct log_pair *p = pair_of(f, i);
        jw_key(j, PAIRS[i].name);
        jw_object(j);
        json_side(j, "actual", p->actual, PAIRS[i].seconds);
        json_side(j, "planned", p->planned, PAIRS[i].seconds);
        jw_key(j, "ks");
        jw_f64(j, p->ks);
        jw_end(j);
    }
    jw_key(j, "share_error");
    jw_f64(j, f->share_error);
    jw_key(j, "routes");
    jw_array(j);
    for (size_t i = 0; i < c->chain->n; i++) {
        struct buf name;
        buf_init(&name, 1024);
        log_step_name(c->routes, c->chain->route[i], &name);
        jw_object(j);
        jw_key(j, "step");
        jw_text(j, buf_view(&name));
        jw_key(j, "actual");
        jw_f64(j, f->actual_share[i]);
        jw_key(j, "planned");
        jw_f64(j, f->planned_share[i]);
        jw_end(j);
        buf_done(&name);
    }
    jw_end(j);
    jw_end(j);
}

void log_report_json(const struct log_report *r, struct buf *out)
{
    const struct {
        const char *key;
        uint64_t n;
    } COUNTS[] = {{"lines", r->lines},      {"bad_lines", r->bad},   {"requests", r->requests}, {"assets", r->assets},
                  {"with_body", r->bodies}, {"refused", r->refused}, {"other_routes", r->other}};
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++) {
        jw_key(&j, COUNTS[i].key);
        jw_u64(&j, COUNTS[i].n);
    }
    jw_key(&j, "seconds");
    jw_f64(&j, (double)(r->last_us - r->first_us) / 1e6);
    jw_key(&j, "whole_second_stamps");
    jw_bool(&j, r->whole_seconds);
    jw_key(&j, "classes");
    jw_array(&j);
    for (size_t i = 0; i < r->n_classes; i++)
        json_class(&r->classes[i], &j);
    jw_end(&j);
    jw_end(&j);
    buf_char(out, '\n');
}
