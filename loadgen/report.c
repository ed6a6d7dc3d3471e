#include "loadgen/report.h"

#include <errno.h>
#include <math.h>

#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/wire/json.h"

#define SAMPLE_LINES_MAX 20u /* texts of errors in the summary; the JSON has them all */

/* ---- times and sums ---- */

/* 870us, 12.3ms, 1.25s */
static const char *time_text(char to[24], int64_t us)
{
    if (us < 1000)
        snprintf(to, 24, "%lldus", (long long)us);
    else if (us < 1000000)
        snprintf(to, 24, "%.*fms", us < 10000 ? 2 : us < 100000 ? 1 : 0, (double)us / 1000);
    else
        snprintf(to, 24, "%.*fs", us < 10000000 ? 2 : 1, (double)us / 1e6);
    return to;
}

static uint64_t sum_outcome(const struct run_stats *s, enum step_outcome o)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_steps; i++)
        n += s->steps[i].outcomes[o];
    return n;
}

static uint64_t sum_steps(const struct run_stats *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_steps; i++)
        n += stats_step_total(&s->steps[i]);
    return n;
}

/* ---- the live line ---- */

void report_live(FILE *to, const struct run_tick *t, bool terminal)
{
    struct hdr *h = stats_all(t->interval, false);
    char p50[24] = "-", p95[24] = "-", p99[24] = "-", lag[24];
    if (h) {
        time_text(p50, hdr_percentile(h, 50));
        time_text(p95, hdr_percentile(h, 95));
        time_text(p99, hdr_percentile(h, 99));
    }
    hdr_free(h);
    uint64_t steps = sum_steps(t->interval), good = sum_outcome(t->interval, OUTCOME_OK);
    double wall = t->interval_s > 0 ? t->interval_s : 1;
    fprintf(to, "%s%5.0fs  sessions %.1f/s", terminal ? "\r\x1b[K" : "", t->second,
            (double)t->interval->sessions.started / wall);
    if (t->planned_rate > 0)
        fprintf(to, " of %.1f", t->planned_rate);
    fprintf(to, "  open %u  requests %.0f/s  response p50 %s p95 %s p99 %s", t->open,
            (double)t->interval->requests.started / wall, p50, p95, p99);
    fprintf(to, "  failed %llu", (unsigned long long)(steps - good));
    if (t->interval->sessions.dropped)
        fprintf(to, "  dropped %llu", (unsigned long long)t->interval->sessions.dropped);
    fprintf(to, "  lag p99 %s%s", time_text(lag, hdr_percentile(t->interval->lag, 99)),
            terminal && !t->last ? "" : "\n");
    fflush(to);
}

/* ---- the summary ---- */

static void print_step(FILE *to, const char *name, const struct step_stats *s)
{
    char text[6][24];
    uint64_t total = stats_step_total(s);
    if (!s->response || hdr_count(s->response) == 0) {
        fprintf(to, "  %-32s %8llu  %8llu  not sent\n", name, (unsigned long long)total,
                (unsigned long long)(total - s->outcomes[OUTCOME_OK]));
        return;
    }
    fprintf(to, "  %-32s %8llu  %8llu  %8s %8s %8s %8s  %8s %8s\n", name, (unsigned long long)total,
            (unsigned long long)(total - s->outcomes[OUTCOME_OK]), time_text(text[0], hdr_percentile(s->response, 50)),
            time_text(text[1], hdr_percentile(s->response, 95)), time_text(text[2], hdr_percentile(s->response, 99)),
            time_text(text[3], hdr_max(s->response)), time_text(text[4], hdr_percentile(s->service, 50)),
            time_text(text[5], hdr_percentile(s->service, 99)));
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
        char value[24] = "no data";
        if (!isnan(t->value) && t->slo->metric == HURL_SLO_ERRORS)
            snprintf(value, sizeof value, "%.2f%%", t->value * 100);
        else if (!isnan(t->value))
            time_text(value, (int64_t)t->value);
        fprintf(to, "  %-8s %s/" SPAN_FMT " " SPAN_FMT " (%s)\n", t->met ? "met" : "NOT MET", t->step->journey,
                SPAN_ARG(t->step->name), SPAN_ARG(t->slo->text), value);
    }
}

void report_text(FILE *to, const struct run_config *c, const struct run_result *r)
{
    const struct run_stats *t = r->total;
    char lag[24], lag_max[24];
    fprintf(to, "run %s: %s\n", c->run_id, run_verdict_name(r->verdict));
    for (size_t i = 0; i < r->n_reasons; i++)
        fprintf(to, "  %s\n", r->reasons[i]);
    fprintf(to, "%.1f s, %u thread%s, own CPU %.0f %% of %u core%s, lag p99 %s max %s\n", r->duration_s, c->threads,
            c->threads == 1 ? "" : "s", r->cpu_ratio * 100, r->cores, r->cores == 1 ? "" : "s",
            time_text(lag, hdr_percentile(t->lag, 99)), time_text(lag_max, hdr_max(t->lag)));
    fprintf(to, "sessions  planned %llu = started %llu + dropped %llu; completed %llu, failed %llu, unfinished %llu",
            (unsigned long long)t->sessions.planned, (unsigned long long)t->sessions.started,
            (unsigned long long)t->sessions.dropped, (unsigned long long)t->sessions.completed,
            (unsigned long long)t->sessions.failed, (unsigned long long)t->sessions.unfinished);
    if (t->sessions.capped)
        fprintf(to, ", ended by the money cap %llu", (unsigned long long)t->sessions.capped);
    fprintf(to,
            "\nrequests  planned %llu = started %llu + dropped %llu; completed %llu, failed %llu; %llu connections, "
            "%.1f MB received\n",
            (unsigned long long)(t->requests.started + t->requests.dropped), (unsigned long long)t->requests.started,
            (unsigned long long)t->requests.dropped, (unsigned long long)t->requests.completed,
            (unsigned long long)t->requests.failed, (unsigned long long)t->fresh_connections,
            (double)t->received_bytes / 1e6);
    fprintf(to, "  %-32s %8s  %8s  %8s %8s %8s %8s  %8s %8s\n", "step", "count", "failed", "resp p50", "p95", "p99",
            "max", "serv p50", "p99");
    for (size_t i = 0; i < t->n_steps; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s/" SPAN_FMT, c->journeys->steps[i].journey,
                 SPAN_ARG(c->journeys->steps[i].name));
        print_step(to, name, &t->steps[i]);
    }
    if (sum_steps(t) > sum_outcome(t, OUTCOME_OK)) {
        fprintf(to, "errors\n");
        print_errors(to, c, r);
    }
    if (r->n_thresholds) {
        fprintf(to, "thresholds\n");
        print_thresholds(to, r);
    }
    fflush(to);
}

/* ---- JSON ---- */

static void json_times(struct json_writer *j, const char *key, const struct hdr *h)
{
    jw_key(j, key);
    if (!h || hdr_count(h) == 0) {
        jw_null(j);
        return;
    }
    static const struct {
        const char *name;
        double percentile;
    } POINTS[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p999", 99.9}};
    jw_object(j);
    for (size_t i = 0; i < ARRAY_LEN(POINTS); i++) {
        jw_key(j, POINTS[i].name);
        jw_i64(j, hdr_percentile(h, POINTS[i].percentile));
    }
    jw_key(j, "max");
    jw_i64(j, hdr_max(h));
    jw_key(j, "min");
    jw_i64(j, hdr_min(h));
    jw_key(j, "mean");
    jw_f64(j, hdr_mean(h));
    jw_key(j, "count");
    jw_u64(j, hdr_count(h));
    jw_end(j);
}

static void json_step(struct json_writer *j, const struct journey_step *step, const struct step_stats *s)
{
    jw_object(j);
    jw_key(j, "name");
    jw_text(j, step->name);
    jw_key(j, "journey");
    jw_str(j, step->journey);
    jw_key(j, "count");
    jw_u64(j, stats_step_total(s));
    jw_key(j, "outcomes");
    jw_object(j);
    for (size_t i = 0; i < OUTCOMES; i++) {
        jw_key(j, step_outcome_name((enum step_outcome)i));
        jw_u64(j, s->outcomes[i]);
    }
    jw_end(j);
    json_times(j, "response_us", s->response);
    json_times(j, "service_us", s->service);
    jw_key(j, "errors");
    jw_object(j);
    for (size_t i = 1; i < ERRORS; i++)
        if (s->errors[i]) {
            jw_key(j, step_error_name((enum step_error)i));
            jw_u64(j, s->errors[i]);
        }
    jw_end(j);
    jw_key(j, "samples");
    jw_object(j);
    for (size_t i = 1; i < ERRORS; i++)
        if (s->samples[i][0]) {
            jw_key(j, step_error_name((enum step_error)i));
            jw_str(j, s->samples[i]);
        }
    jw_end(j);
    jw_end(j);
}

static void json_thresholds(struct json_writer *j, const struct run_result *r)
{
    jw_key(j, "thresholds");
    jw_array(j);
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        jw_object(j);
        jw_key(j, "journey");
        jw_str(j, t->step->journey);
        jw_key(j, "step");
        jw_text(j, t->step->name);
        jw_key(j, "threshold");
        jw_text(j, t->slo->text);
        jw_key(j, t->slo->metric == HURL_SLO_ERRORS ? "value_ratio" : "value_us");
        jw_f64(j, t->value);
        jw_key(j, "met");
        jw_bool(j, t->met);
        jw_end(j);
    }
    jw_end(j);
}

static void json_u64(struct json_writer *j, const char *key, uint64_t v)
{
    jw_key(j, key);
    jw_u64(j, v);
}

static void json_counts(struct json_writer *j, const struct run_stats *t)
{
    jw_key(j, "requests");
    jw_object(j);
    json_u64(j, "planned", t->requests.started + t->requests.dropped);
    json_u64(j, "started", t->requests.started);
    json_u64(j, "dropped", t->requests.dropped);
    json_u64(j, "completed", t->requests.completed);
    json_u64(j, "failed", t->requests.failed);
    jw_end(j);
    jw_key(j, "sessions");
    jw_object(j);
    json_u64(j, "planned", t->sessions.planned);
    json_u64(j, "started", t->sessions.started);
    json_u64(j, "dropped", t->sessions.dropped);
    json_u64(j, "completed", t->sessions.completed);
    json_u64(j, "failed", t->sessions.failed);
    json_u64(j, "unfinished", t->sessions.unfinished);
    json_u64(j, "capped", t->sessions.capped);
    jw_end(j);
    json_u64(j, "connections", t->fresh_connections);
    json_u64(j, "received_bytes", t->received_bytes);
}

static void json_generator(struct json_writer *j, const struct run_config *c, const struct run_result *r)
{
    jw_key(j, "generator");
    jw_object(j);
    json_u64(j, "threads", c->threads);
    json_u64(j, "cores", r->cores);
    jw_key(j, "cpu_ratio");
    jw_f64(j, r->cpu_ratio);
    json_u64(j, "seconds", r->seconds);
    json_u64(j, "busy_seconds", r->busy_seconds);
    json_times(j, "lag_us", r->total->lag);
    jw_end(j);
}

void report_json(struct buf *out, const struct run_config *c, const struct run_result *r)
{
    struct json_writer j;
    char started[NUMBER_TEXT_MAX];
    size_t n = format_rfc3339_ms(started, r->started_ms);
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "run");
    jw_str(&j, c->run_id);
    jw_key(&j, "version");
    jw_str(&j, crest_version());
    jw_key(&j, "started");
    jw_text(&j, span_of(started, n));
    jw_key(&j, "duration_s");
    jw_f64(&j, r->duration_s);
    jw_key(&j, "verdict");
    jw_str(&j, run_verdict_name(r->verdict));
    jw_key(&j, "reasons");
    jw_array(&j);
    for (size_t i = 0; i < r->n_reasons; i++)
        jw_str(&j, r->reasons[i]);
    jw_end(&j);
    jw_key(&j, "seed");
    jw_u64(&j, c->seed);
    jw_key(&j, "journeys");
    jw_array(&j);
    for (size_t i = 0; i < c->journeys->n; i++) {
        jw_object(&j);
        jw_key(&j, "name");
        jw_str(&j, c->journeys->list[i].name);
        jw_key(&j, "weight");
        jw_f64(&j, c->journeys->list[i].weight);
        jw_end(&j);
    }
    jw_end(&j);
    json_counts(&j, r->total);
    json_generator(&j, c, r);
    struct hdr *response = stats_all(r->total, false), *service = stats_all(r->total, true);
    json_times(&j, "response_us", response);
    json_times(&j, "service_us", service);
    hdr_free(response);
    hdr_free(service);
    jw_key(&j, "steps");
    jw_array(&j);
    for (size_t i = 0; i < r->total->n_steps; i++)
        json_step(&j, &c->journeys->steps[i], &r->total->steps[i]);
    jw_end(&j);
    json_thresholds(&j, r);
    jw_end(&j);
    buf_char(out, '\n');
}
