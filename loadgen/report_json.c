/* A run as JSON and as CSV (docs/loadgen.md has the schema). */
#include <errno.h>
#include <math.h>

#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/wire/json.h"
#include "loadgen/rehearsal/rehearsal.h"
#include "loadgen/report.h"
#include "loadgen/bottleneck/run_limit.h"

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
    for (size_t i = 0; i < ARRAY_LEN(POINTS); i++)
        jw_member_i64(j, POINTS[i].name, hdr_percentile(h, POINTS[i].percentile));
    jw_member_i64(j, "max", hdr_max(h));
    jw_member_i64(j, "min", hdr_min(h));
    jw_member_f64(j, "mean", hdr_mean(h));
    jw_member_u64(j, "count", hdr_count(h));
    jw_end(j);
}

static void json_step(struct json_writer *j, const struct journey_step *step, const struct step_stats *s)
{
    jw_member_text(j, "name", step->name);
    jw_member_str(j, "journey", step->journey);
    jw_member_u64(j, "count", stats_step_total(s));
    jw_key(j, "outcomes");
    jw_object(j);
    for (size_t i = 0; i < OUTCOMES; i++)
        jw_member_u64(j, step_outcome_name((enum step_outcome)i), s->outcomes[i]);
    jw_end(j);
    json_times(j, "response_us", s->response);
    json_times(j, "service_us", s->service);
    jw_key(j, "parts_us");
    jw_object(j);
    for (size_t i = 0; i < PARTS; i++)
        json_times(j, step_part_name((enum step_part)i), s->parts[i]);
    jw_end(j);
    jw_key(j, "errors");
    jw_object(j);
    for (size_t i = 1; i < ERRORS; i++)
        if (s->errors[i])
            jw_member_u64(j, step_error_name((enum step_error)i), s->errors[i]);
    jw_end(j);
    jw_key(j, "samples");
    jw_object(j);
    for (size_t i = 1; i < ERRORS; i++)
        if (s->samples[i][0])
            jw_member_str(j, step_error_name((enum step_error)i), s->samples[i]);
    jw_end(j);
}

static void json_thresholds(struct json_writer *j, const struct run_result *r)
{
    jw_key(j, "thresholds");
    jw_array(j);
    for (size_t i = 0; i < r->n_thresholds; i++) {
        const struct run_threshold *t = &r->thresholds[i];
        jw_object(j);
        jw_member_str(j, "journey", t->step ? t->step->journey : t->of->journey);
        jw_key(j, "step");
        if (t->step)
            jw_text(j, t->step->name);
        else
            jw_str(j, t->of->step);
        jw_member_str(j, "traffic", t->of ? t->of->traffic : NULL);
        jw_member_str(j, "phase", t->of ? t->of->phase : NULL);
        jw_member_str(j, "scope", t->scope);
        jw_member_text(j, "threshold", t->slo->text);
        jw_member_f64(j, hurl_slo_is_ratio(t->slo->metric) ? "value_ratio" : "value_us", t->value);
        jw_member_bool(j, "met", t->met);
        jw_end(j);
    }
    jw_end(j);
}

static void json_requests(struct json_writer *j, const struct request_counts *n)
{
    jw_key(j, "requests");
    jw_object(j);
    jw_member_u64(j, "planned", n->started + n->dropped);
    jw_member_u64(j, "started", n->started);
    jw_member_u64(j, "dropped", n->dropped);
    jw_member_u64(j, "completed", n->completed);
    jw_member_u64(j, "failed", n->failed);
    jw_end(j);
}

static void json_sessions(struct json_writer *j, const struct session_counts *n)
{
    jw_key(j, "sessions");
    jw_object(j);
    jw_member_u64(j, "planned", n->planned);
    jw_member_u64(j, "started", n->started);
    jw_member_u64(j, "dropped", n->dropped);
    jw_member_u64(j, "completed", n->completed);
    jw_member_u64(j, "failed", n->failed);
    jw_member_u64(j, "unfinished", n->unfinished);
    jw_member_u64(j, "capped", n->capped);
    jw_end(j);
}

/* Of all steps together. */
static void json_all_steps(struct json_writer *j, const struct run_stats *s)
{
    struct hdr *response = stats_all(s, false), *service = stats_all(s, true);
    json_times(j, "response_us", response);
    json_times(j, "service_us", service);
    hdr_free(response);
    hdr_free(service);
}

static void json_generator(struct json_writer *j, const struct run_config *c, const struct run_result *r)
{
    jw_key(j, "generator");
    jw_object(j);
    jw_member_u64(j, "threads", c->threads);
    jw_member_u64(j, "cores", r->cores);
    jw_member_f64(j, "cpu_ratio", r->cpu_ratio);
    jw_member_u64(j, "seconds", r->seconds);
    jw_member_u64(j, "busy_seconds", r->busy_seconds);
    json_times(j, "lag_us", r->total->lag);
    json_times(j, "hiccup_us", r->hiccup);
    jw_end(j);
}

static const char *class_of(const struct run_config *c, size_t journey)
{
    for (size_t i = 0; i < c->n_traffic; i++)
        if (journey - c->traffic[i].first_journey < c->traffic[i].n_journeys)
            return c->traffic[i].name;
    return NULL;
}

static void json_journeys(struct json_writer *j, const struct run_config *c, const struct run_stats *s)
{
    jw_key(j, "journeys");
    jw_array(j);
    for (size_t i = 0; i < c->journeys->n && i < s->n_journeys; i++) {
        const struct journey_stats *of = &s->journeys[i];
        jw_object(j);
        jw_member_str(j, "name", c->journeys->list[i].name);
        jw_member_f64(j, "weight", c->journeys->list[i].weight);
        jw_member_str(j, "traffic", class_of(c, i));
        json_sessions(j, &of->sessions);
        json_requests(j, &of->requests);
        json_times(j, "response_us", of->response);
        json_times(j, "service_us", of->service);
        json_times(j, "duration_us", of->duration);
        jw_end(j);
    }
    jw_end(j);
}

/* Each class of traffic: its journeys' counts together. */
static void json_traffic(struct json_writer *j, const struct run_config *c, const struct run_stats *s)
{
    jw_key(j, "traffic");
    jw_array(j);
    for (size_t i = 0; i < c->n_traffic; i++) {
        struct session_counts sessions = {0};
        struct request_counts requests = {0};
        for (size_t k = 0; k < c->traffic[i].n_journeys; k++) {
            const struct journey_stats *of = &s->journeys[c->traffic[i].first_journey + k];
            stats_add_sessions(&sessions, &of->sessions);
            stats_add_requests(&requests, &of->requests);
        }
        jw_object(j);
        jw_member_str(j, "name", c->traffic[i].name);
        json_sessions(j, &sessions);
        json_requests(j, &requests);
        jw_end(j);
    }
    jw_end(j);
}

/* A step's response time at each point of the series; null where it did not run. */
static void json_points(struct json_writer *j, const struct run_series *s, size_t step)
{
    static const char *const NAMES[] = {"p50", "p95", "p99"};
    jw_key(j, "points_us");
    jw_object(j);
    for (size_t q = 0; q < ARRAY_LEN(NAMES); q++) {
        jw_key(j, NAMES[q]);
        jw_array(j);
        for (size_t i = 0; i < series_count(s); i++) {
            const struct series_times *t = &series_step(s, i, step)->response;
            const int64_t values[] = {t->p50_us, t->p95_us, t->p99_us};
            if (t->count)
                jw_i64(j, values[q]);
            else
                jw_null(j);
        }
        jw_end(j);
    }
    jw_end(j);
}

/* series: NULL in a phase, which has none of its own. */
static void json_steps(struct json_writer *j, const struct run_config *c, const struct run_stats *s,
                       const struct run_series *series)
{
    jw_key(j, "steps");
    jw_array(j);
    for (size_t i = 0; i < s->n_steps; i++) {
        jw_object(j);
        json_step(j, &c->journeys->steps[i], &s->steps[i]);
        if (series)
            json_points(j, series, i);
        jw_end(j);
    }
    jw_end(j);
}

static void json_phases(struct json_writer *j, const struct run_config *c, const struct run_result *r)
{
    jw_key(j, "phases");
    jw_array(j);
    for (size_t i = 0; i < r->n_phases; i++) {
        const struct plan_phase *p = r->phases[i].of;
        jw_object(j);
        jw_member_str(j, "name", p->name);
        jw_member_f64(j, "start_s", p->start_s);
        jw_member_f64(j, "end_s", p->end_s);
        jw_member_bool(j, "warmup", p->warmup);
        json_sessions(j, &r->phases[i].stats->sessions);
        json_requests(j, &r->phases[i].stats->requests);
        json_all_steps(j, r->phases[i].stats);
        json_steps(j, c, r->phases[i].stats, NULL);
        jw_end(j);
    }
    jw_end(j);
    jw_key(j, "warmup");
    if (!r->warmup) {
        jw_null(j);
        return;
    }
    jw_object(j);
    json_sessions(j, &r->warmup->sessions);
    json_requests(j, &r->warmup->requests);
    json_all_steps(j, r->warmup);
    jw_end(j);
}

static void json_point_times(struct json_writer *j, const char *key, const struct series_times *t)
{
    jw_key(j, key);
    if (t->count == 0) {
        jw_null(j);
        return;
    }
    jw_object(j);
    jw_member_i64(j, "p50", t->p50_us);
    jw_member_i64(j, "p95", t->p95_us);
    jw_member_i64(j, "p99", t->p99_us);
    jw_member_i64(j, "max", t->max_us);
    jw_member_u64(j, "count", t->count);
    jw_end(j);
}

static void json_series(struct json_writer *j, const struct run_series *s)
{
    jw_key(j, "series");
    jw_array(j);
    for (size_t i = 0; s && i < series_count(s); i++) {
        const struct series_point *p = series_at(s, i);
        jw_object(j);
        jw_member_f64(j, "second", p->second);
        jw_member_f64(j, "seconds", p->seconds);
        jw_member_f64(j, "planned", p->planned);
        json_sessions(j, &p->sessions);
        json_requests(j, &p->requests);
        jw_key(j, "outcomes");
        jw_object(j);
        for (size_t k = 0; k < OUTCOMES; k++)
            jw_member_u64(j, step_outcome_name((enum step_outcome)k), p->outcomes[k]);
        jw_end(j);
        jw_member_u64(j, "open", p->open);
        jw_member_u64(j, "in_flight", p->in_flight);
        jw_member_f64(j, "cpu_s", p->cpu_s);
        jw_member_u64(j, "lag_max_us", (uint64_t)p->lag_max_us);
        jw_member_u64(j, "hiccup_max_us", (uint64_t)p->hiccup_max_us);
        json_point_times(j, "response_us", &p->response);
        json_point_times(j, "service_us", &p->service);
        jw_end(j);
    }
    jw_end(j);
}

void report_json_head(struct json_writer *j, const char *run_id, int64_t started_ms, double seconds)
{
    char started[NUMBER_TEXT_MAX];
    size_t n = format_rfc3339_ms(started, started_ms);
    jw_member_str(j, "run", run_id);
    jw_member_str(j, "version", crest_version());
    jw_member_text(j, "started", span_of(started, n));
    jw_member_f64(j, "duration_s", seconds);
}

static void json_head(struct json_writer *j, const struct run_config *c, const struct run_result *r)
{
    report_json_head(j, c->run_id, r->started_ms, r->duration_s);
    jw_member_str(j, "verdict", run_verdict_name(r->verdict));
    jw_key(j, "reasons");
    jw_array(j);
    for (size_t i = 0; i < r->n_reasons; i++)
        jw_str(j, r->reasons[i]);
    jw_end(j);
    jw_member_u64(j, "seed", c->seed);
}

void report_json(struct buf *out, const struct run_config *c, const struct run_result *r, const struct run_limit *limit)
{
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    json_head(&j, c, r);
    jw_key(&j, "rehearsal");
    rehearsal_json(&j, c->rehearsal);
    json_journeys(&j, c, r->total);
    json_traffic(&j, c, r->total);
    json_requests(&j, &r->total->requests);
    json_sessions(&j, &r->total->sessions);
    jw_member_u64(&j, "connections", r->total->fresh_connections);
    jw_member_u64(&j, "received_bytes", r->total->received_bytes);
    json_generator(&j, c, r);
    json_all_steps(&j, r->total);
    json_steps(&j, c, r->total, r->series);
    json_thresholds(&j, r);
    run_limit_json(&j, limit);
    json_phases(&j, c, r);
    json_series(&j, r->series);
    jw_end(&j);
    buf_char(out, '\n');
}

/* ---- CSV ---- */

static void csv_text(struct buf *out, struct span text)
{
    bool quoted =
        span_find(text, ',') < text.len || span_find(text, '"') < text.len || span_find(text, '\n') < text.len;
    if (!quoted) {
        buf_span(out, text);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, text.ptr[i]);
    }
    buf_char(out, '"');
}

static void csv_times(struct buf *out, const struct series_times *t)
{
    if (t->count)
        buf_printf(out, ",%lld,%lld,%lld,%lld", (long long)t->p50_us, (long long)t->p95_us, (long long)t->p99_us,
                   (long long)t->max_us);
    else
        buf_str(out, ",,,,");
}

void report_csv(struct buf *out, const struct run_config *c, const struct run_result *r)
{
    buf_str(out,
            "second,seconds,journey,step,planned,started,dropped,count,failed,open,response_p50_us,response_p95_us,"
            "response_p99_us,response_max_us,service_p50_us,service_p95_us,service_p99_us,service_max_us,lag_max_us,"
            "hiccup_max_us,cpu_s\n");
    for (size_t i = 0; i < series_count(r->series); i++) {
        const struct series_point *p = series_at(r->series, i);
        uint64_t steps = 0;
        for (size_t k = 0; k < OUTCOMES; k++)
            steps += p->outcomes[k];
        buf_printf(out, "%.3f,%.3f,,,%.3f,%llu,%llu,%llu,%llu,%u", p->second, p->seconds, p->planned,
                   (unsigned long long)p->sessions.started, (unsigned long long)p->sessions.dropped,
                   (unsigned long long)steps, (unsigned long long)(steps - p->outcomes[OUTCOME_OK]), p->open);
        csv_times(out, &p->response);
        csv_times(out, &p->service);
        buf_printf(out, ",%lld,%lld,%.6f\n", (long long)p->lag_max_us, (long long)p->hiccup_max_us, p->cpu_s);
        for (size_t k = 0; k < c->journeys->n_steps; k++) {
            const struct series_step_point *s = series_step(r->series, i, k);
            if (s->count == 0)
                continue;
            buf_printf(out, "%.3f,%.3f,", p->second, p->seconds);
            csv_text(out, span_str(c->journeys->steps[k].journey));
            buf_char(out, ',');
            csv_text(out, c->journeys->steps[k].name);
            buf_printf(out, ",,,,%llu,%llu,", (unsigned long long)s->count, (unsigned long long)s->failed);
            csv_times(out, &s->response);
            buf_str(out, ",,,,,,,\n");
        }
    }
}
