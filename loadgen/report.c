#include "loadgen/report.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"
#include "lib/base/options.h"
#include "loadgen/rehearsal/rehearsal.h"

#define SAMPLE_LINES_MAX 20u /* texts of errors in the summary; the JSON has them all */

/* ---- times and sums ---- */

const char *report_time(char to[REPORT_TIME_MAX], int64_t us)
{
    if (us < 1000)
        snprintf(to, REPORT_TIME_MAX, "%lldus", (long long)us);
    else if (us < 1000000)
        snprintf(to, REPORT_TIME_MAX, "%.*fms", us < 10000 ? 2 : us < 100000 ? 1 : 0, (double)us / 1000);
    else
        snprintf(to, REPORT_TIME_MAX, "%.*fs", us < 10000000 ? 2 : 1, (double)us / 1e6);
    return to;
}

/* ---- the live line ---- */

void report_live(FILE *to, const struct run_tick *t, bool terminal)
{
    struct hdr *h = stats_all(t->interval, false);
    char p50[REPORT_TIME_MAX] = "-", p95[REPORT_TIME_MAX] = "-", p99[REPORT_TIME_MAX] = "-", lag[REPORT_TIME_MAX];
    if (h) {
        report_time(p50, hdr_percentile(h, 50));
        report_time(p95, hdr_percentile(h, 95));
        report_time(p99, hdr_percentile(h, 99));
    }
    hdr_free(h);
    uint64_t steps = stats_outcomes(t->interval, OUTCOMES), good = stats_outcomes(t->interval, OUTCOME_OK);
    double wall = t->interval_s > 0 ? t->interval_s : 1;
    fprintf(to, "%s%5.0fs%s%s  sessions %.1f/s", terminal ? "\r\x1b[K" : "", t->second, t->phase ? "  " : "",
            t->phase ? t->phase->name : "", (double)t->interval->sessions.started / wall);
    if (t->planned_rate > 0)
        fprintf(to, " of %.1f", t->planned_rate);
    fprintf(to, "  open %u  requests %.0f/s  response p50 %s p95 %s p99 %s", t->open,
            (double)t->interval->requests.started / wall, p50, p95, p99);
    fprintf(to, "  failed %llu", (unsigned long long)(steps - good));
    if (t->interval->sessions.dropped)
        fprintf(to, "  dropped %llu", (unsigned long long)t->interval->sessions.dropped);
    fprintf(to, "  lag p99 %s%s", report_time(lag, hdr_percentile(t->interval->lag, 99)),
            terminal && !t->last ? "" : "\n");
    fflush(to);
}

/* ---- the summary ---- */

static void print_step(FILE *to, const char *name, const struct step_stats *s)
{
    char text[6][REPORT_TIME_MAX];
    uint64_t total = stats_step_total(s);
    if (!s->response || hdr_count(s->response) == 0) {
        fprintf(to, "  %-32s %8llu  %8llu  not sent\n", name, (unsigned long long)total,
                (unsigned long long)(total - s->outcomes[OUTCOME_OK]));
        return;
    }
    fprintf(to, "  %-32s %8llu  %8llu  %8s %8s %8s %8s  %8s %8s\n", name, (unsigned long long)total,
            (unsigned long long)(total - s->outcomes[OUTCOME_OK]),
            report_time(text[0], hdr_percentile(s->response, 50)),
            report_time(text[1], hdr_percentile(s->response, 95)),
            report_time(text[2], hdr_percentile(s->response, 99)), report_time(text[3], hdr_max(s->response)),
            report_time(text[4], hdr_percentile(s->service, 50)), report_time(text[5], hdr_percentile(s->service, 99)));
}

static void print_errors(FILE *to, const struct run_config *c, const struct run_result *r)
{
    unsigned lines = 0;
    for (size_t i = 0; i < r->total->n_steps; i++) {
        const struct step_stats *s = &r->total->steps[i];
        for (size_t k = 0; k < ERRORS; k++) {
            if (s->errors[k] == 0)
                continue;
            if (lines++ == SAMPLE_LINES_MAX) {
                fprintf(to, "  … more in the JSON\n");
                return;
            }
            fprintf(to, "  %s/" SPAN_FMT ": %s %llu, the first: %s\n", c->journeys->steps[i].journey,
                    SPAN_ARG(c->journeys->steps[i].name), step_error_name((enum step_error)k),
                    (unsigned long long)s->errors[k], s->samples[k]);
        }
    }
}

static void print_thresholds(FILE *to, const struct run_result *r)
{
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        char value[REPORT_TIME_MAX] = "no data";
        if (!isnan(t->value) && hurl_slo_is_ratio(t->slo->metric))
            snprintf(value, sizeof value, "%.2f%%", t->value * 100);
        else if (!isnan(t->value))
            report_time(value, (int64_t)t->value);
        fprintf(to, "  %-8s %s " SPAN_FMT " (%s)\n", t->met ? "met" : "NOT MET", t->scope, SPAN_ARG(t->slo->text),
                value);
    }
}

static void print_sessions(FILE *to, const struct session_counts *n)
{
    fprintf(to, "planned %llu = started %llu + dropped %llu; completed %llu, failed %llu, unfinished %llu",
            (unsigned long long)n->planned, (unsigned long long)n->started, (unsigned long long)n->dropped,
            (unsigned long long)n->completed, (unsigned long long)n->failed, (unsigned long long)n->unfinished);
    if (n->capped)
        fprintf(to, ", ended by the money cap %llu", (unsigned long long)n->capped);
    fputc('\n', to);
}

static void print_requests(FILE *to, const struct request_counts *n)
{
    fprintf(to, "planned %llu = started %llu + dropped %llu; completed %llu, failed %llu",
            (unsigned long long)(n->started + n->dropped), (unsigned long long)n->started,
            (unsigned long long)n->dropped, (unsigned long long)n->completed, (unsigned long long)n->failed);
}

/* Classes of traffic side by side, when there are several. */
static void print_traffic(FILE *to, const struct run_config *c, const struct run_stats *s)
{
    for (size_t i = 0; c->n_traffic > 1 && i < c->n_traffic; i++) {
        struct session_counts n = {0};
        for (size_t k = 0; k < c->traffic[i].n_journeys; k++)
            stats_add_sessions(&n, &s->journeys[c->traffic[i].first_journey + k].sessions);
        fprintf(to, "  %-16s", c->traffic[i].name);
        print_sessions(to, &n);
    }
}

static void print_phases(FILE *to, const struct run_result *r)
{
    char text[3][REPORT_TIME_MAX];
    for (size_t i = 0; i < r->n_phases; i++) {
        const struct run_stats *s = r->phases[i].stats;
        struct hdr *h = stats_all(s, false);
        fprintf(to, "  %-16s%s sessions %llu, steps %llu, failed %llu", r->phases[i].of->name,
                r->phases[i].of->warmup ? " (warm-up, in no figure below)" : "",
                (unsigned long long)s->sessions.started, (unsigned long long)stats_outcomes(s, OUTCOMES),
                (unsigned long long)(stats_outcomes(s, OUTCOMES) - stats_outcomes(s, OUTCOME_OK)));
        if (h)
            fprintf(to, "; response p50 %s p99 %s max %s", report_time(text[0], hdr_percentile(h, 50)),
                    report_time(text[1], hdr_percentile(h, 99)), report_time(text[2], hdr_max(h)));
        fputc('\n', to);
        hdr_free(h);
    }
}

/* What the service time of all steps together went to. */
static void print_parts(FILE *to, const struct run_stats *s)
{
    bool any = false;
    for (size_t p = 0; p < PARTS; p++) {
        struct hdr *h = stats_all_parts(s, (enum step_part)p);
        if (!h)
            continue;
        char text[2][REPORT_TIME_MAX];
        fprintf(to, "%s%s p50 %s p99 %s (%llu)", any ? ", " : "time went to  ", step_part_name((enum step_part)p),
                report_time(text[0], hdr_percentile(h, 50)), report_time(text[1], hdr_percentile(h, 99)),
                (unsigned long long)hdr_count(h));
        any = true;
        hdr_free(h);
    }
    if (any)
        fputc('\n', to);
}

void report_text(FILE *to, const struct run_config *c, const struct run_result *r)
{
    const struct run_stats *t = r->total;
    char lag[REPORT_TIME_MAX], lag_max[REPORT_TIME_MAX], stall[REPORT_TIME_MAX];
    fprintf(to, "run %s: %s\n", c->run_id, run_verdict_name(r->verdict));
    for (size_t i = 0; i < r->n_reasons; i++)
        fprintf(to, "  %s\n", r->reasons[i]);
    if (c->rehearsal)
        rehearsal_text(to, c->rehearsal);
    fprintf(to, "%.1f s, %u thread%s, own CPU %.0f %% of %u core%s, lag p99 %s max %s", r->duration_s, c->threads,
            c->threads == 1 ? "" : "s", r->cpu_ratio * 100, r->cores, r->cores == 1 ? "" : "s",
            report_time(lag, hdr_percentile(t->lag, 99)), report_time(lag_max, hdr_max(t->lag)));
    if (r->hiccup)
        fprintf(to, ", the machine's stalls p99 %s", report_time(stall, hdr_percentile(r->hiccup, 99)));
    fprintf(to, "\nsessions  ");
    print_sessions(to, &t->sessions);
    print_traffic(to, c, t);
    fprintf(to, "requests  ");
    print_requests(to, &t->requests);
    fprintf(to, "; %llu connections, %.1f MB received\n", (unsigned long long)t->fresh_connections,
            (double)t->received_bytes / 1e6);
    print_parts(to, t);
    if (r->n_phases)
        fprintf(to, "phases\n");
    print_phases(to, r);
    fprintf(to, "  %-32s %8s  %8s  %8s %8s %8s %8s  %8s %8s\n", "step", "count", "failed", "resp p50", "p95", "p99",
            "max", "serv p50", "p99");
    for (size_t i = 0; i < t->n_steps; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s/" SPAN_FMT, c->journeys->steps[i].journey,
                 SPAN_ARG(c->journeys->steps[i].name));
        print_step(to, name, &t->steps[i]);
    }
    if (stats_outcomes(t, OUTCOMES) > stats_outcomes(t, OUTCOME_OK)) {
        fprintf(to, "errors\n");
        print_errors(to, c, r);
    }
    if (r->n_thresholds) {
        fprintf(to, "thresholds\n");
        print_thresholds(to, r);
    }
    fflush(to);
}
