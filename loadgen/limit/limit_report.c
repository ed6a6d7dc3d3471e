#include "loadgen/limit/limit_report.h"

#include <math.h>

#include "lib/base/options.h"
#include "loadgen/report.h"

#define BAR_WIDTH 40
#define SIGNAL_WINDOW_S 10.0 /* of the packs' rates: so long a probe's signals remember the one before */

void limit_result_fit(struct limit_result *r)
{
    struct usl_point points[LIMIT_PROBES_MAX] = {0};
    size_t n = 0;
    double requests = 0, sessions = 0;
    for (size_t i = 0; i < r->search.n; i++) {
        const struct limit_probe *p = &r->probes[i];
        if (p->answer == LIMIT_VOID || !(p->concurrency > 0))
            continue;
        points[n++] = (struct usl_point){p->concurrency, p->throughput};
        if (p->answer == LIMIT_MET) {
            requests += p->throughput;
            sessions += p->served_rate;
        }
    }
    r->usl_state = usl_fit(points, n, &r->usl);
    r->requests_per_session = sessions > 0 ? requests / sessions : NAN;
}

static int by_rate(const void *a, const void *b)
{
    const struct limit_probe *const *x = a, *const *y = b;
    return ((*x)->rate > (*y)->rate) - ((*x)->rate < (*y)->rate);
}

size_t limit_probes_by_rate(const struct limit_result *r, const struct limit_probe *sorted[LIMIT_PROBES_MAX])
{
    for (size_t i = 0; i < r->search.n; i++)
        sorted[i] = &r->probes[i];
    qsort(sorted, r->search.n, sizeof sorted[0], by_rate);
    return r->search.n;
}

size_t limit_result_spans(const struct limit_result *r, struct load_span spans[LIMIT_PROBES_MAX])
{
    const struct limit_probe *sorted[LIMIT_PROBES_MAX], *broken = limit_first_broken(r);
    size_t n = 0, probes = limit_probes_by_rate(r, sorted);
    for (size_t i = 0; i < probes; i++) {
        const struct limit_probe *p = sorted[i];
        if (p->answer == LIMIT_VOID || (broken && p->rate > broken->rate))
            continue;
        bool whole = p == broken;
        double unsettled_s = fmin(fmax(p->settle_s, SIGNAL_WINDOW_S), p->settle_s + p->measured_s / 2);
        int64_t start_ms = p->started_ms + (whole ? 0 : llround(unsettled_s * 1000));
        spans[n] =
            (struct load_span){.start_ms = start_ms,
                               .end_ms = p->started_ms + llround((p->settle_s + p->measured_s) * 1000),
                               .told_from_ms = p->started_ms,
                               .load = p->throughput,
                               .rate = p->rate,
                               .is_base = p->answer == LIMIT_MET && (n == 0 || !broken || p->rate <= broken->rate / 2)};
        n++;
    }
    return n;
}

const struct limit_probe *limit_first_broken(const struct limit_result *r)
{
    const struct limit_probe *first = NULL;
    for (size_t i = 0; i < r->search.n; i++)
        if (r->probes[i].answer == LIMIT_BROKEN && (!first || r->probes[i].rate < first->rate))
            first = &r->probes[i];
    return first;
}

int limit_exit_code(const struct limit_result *r)
{
    static const int CODES[] = {
        [LIMIT_SEARCHING] = EXIT_FAILED,     [LIMIT_FOUND] = EXIT_OK,        [LIMIT_UNSURE] = EXIT_FAILED,
        [LIMIT_ABOVE] = EXIT_FAILED,         [LIMIT_BELOW] = EXIT_THRESHOLD, [LIMIT_VOIDED] = EXIT_VOID,
        [LIMIT_UNRECOVERED] = EXIT_THRESHOLD};
    return r->interrupted ? EXIT_INTERRUPTED : CODES[r->search.end];
}

/* ---- words ---- */

void limit_report_probe(FILE *to, const struct limit_probe *p, size_t number)
{
    char p95[REPORT_TIME_MAX];
    fprintf(to, "probe %zu: %.4g sessions/s: %s, %.1f requests/s, p95 %s, errors %.2f %%%s%s\n", number, p->rate,
            limit_answer_name(p->answer), p->throughput, report_time(p95, p->p95_us),
            isnan(p->error_ratio) ? 0 : p->error_ratio * 100, p->why[0] ? ": " : "", p->why);
    fflush(to);
}

void limit_say_end(struct buf *out, const struct limit_result *r)
{
    const struct limit_search *s = &r->search;
    switch (s->end) {
    case LIMIT_FOUND:
        buf_printf(out, "the limit is %.4g sessions/s: the SLO was kept there and not at %.4g (%.1f %% more)", s->sure,
                   s->high, (s->high / s->sure - 1) * 100);
        return;
    case LIMIT_ABOVE:
        buf_printf(out,
                   "no limit was reached: the SLO was kept up to %.4g sessions/s (start higher, with --rate, or allow "
                   "more, with --max-rate and --probes)",
                   s->low);
        return;
    case LIMIT_BELOW:
        buf_printf(out, "the SLO was kept at no rate, down to %.4g sessions/s", s->high);
        return;
    case LIMIT_VOIDED:
        buf_printf(out,
                   "void: the generator was the bottleneck, twice at the same rate; that is not the server's limit");
        break;
    case LIMIT_UNRECOVERED:
        buf_printf(out, "after a breach the server did not come back at a low rate");
        break;
    case LIMIT_SEARCHING:
    case LIMIT_UNSURE:
        buf_str(out, s->end == LIMIT_UNSURE ? "the probes are used up" : "the search was ended early");
        break;
    }
    if (s->low > 0)
        buf_printf(out, "; kept at %.4g sessions/s", s->low);
    if (s->high > 0)
        buf_printf(out, "; broken at %.4g", s->high);
}

void limit_say_usl(struct buf *out, const struct limit_result *r)
{
    const struct usl_fit *f = &r->usl;
    if (r->usl_state != USL_FITTED) {
        buf_printf(out, "%s", usl_state_text(r->usl_state));
        return;
    }
    buf_printf(out,
               "%zu probes: lambda %.4g requests/s, sigma %.4f, kappa %.6f; R2 %.3f, the worst point "
               "is %.0f %% off",
               f->n, f->lambda, f->sigma, f->kappa, f->r_squared, f->worst_ratio * 100);
    buf_printf(out, "; at most %.4g requests/s", f->peak_throughput);
    if (!isnan(r->requests_per_session))
        buf_printf(out, " (%.4g sessions/s)", f->peak_throughput / r->requests_per_session);
    if (isfinite(f->peak_concurrency))
        buf_printf(out, ", with %.1f requests at once; with more it gets less", f->peak_concurrency);
    else
        buf_printf(out, ", however many at once");
}

bool limit_say_gave_way(struct buf *out, const struct limit_result *r)
{
    const struct limit_probe *broken = limit_first_broken(r);
    if (!broken)
        return false;
    if (broken->gave_way[0])
        buf_printf(out, "%s (at %.4g sessions/s, after %.0f s: %s)", broken->gave_way, broken->rate, broken->gave_way_s,
                   broken->why);
    else
        buf_printf(out, "no step by itself (at %.4g sessions/s: %s)", broken->rate, broken->why);
    return true;
}

/* The probes by rate, with a bar of their p95. */
static void print_curve(FILE *to, const struct limit_result *r)
{
    const struct limit_probe *sorted[LIMIT_PROBES_MAX];
    int64_t most_us = 1;
    limit_probes_by_rate(r, sorted);
    for (size_t i = 0; i < r->search.n; i++)
        most_us = r->probes[i].p95_us > most_us ? r->probes[i].p95_us : most_us;
    fprintf(to, "%12s %12s %10s  %-6s  response p95\n", "sessions/s", "requests/s", "at once", "");
    for (size_t i = 0; i < r->search.n; i++) {
        const struct limit_probe *p = sorted[i];
        char bar[BAR_WIDTH + 1], text[REPORT_TIME_MAX];
        int width = (int)((double)p->p95_us * BAR_WIDTH / (double)most_us + 0.5);
        memset(bar, '#', sizeof bar);
        bar[width] = '\0';
        fprintf(to, "%12.4g %12.1f %10.1f  %-6s  %s %s\n", p->rate, p->throughput, p->concurrency,
                limit_answer_name(p->answer), bar, report_time(text, p->p95_us));
    }
}

void limit_report_text(FILE *to, const struct limit_result *r, const char *run_id)
{
    struct buf words;
    buf_init(&words, 65536);
    buf_printf(&words, "find-limit %s: %s, %zu probes, %.0f s\n", run_id, limit_end_name(r->search.end), r->search.n,
               r->seconds);
    limit_say_end(&words, r);
    size_t before = words.len;
    buf_str(&words, "\ngave way first: ");
    if (!limit_say_gave_way(&words, r))
        buf_truncate(&words, before);
    fprintf(to, SPAN_FMT "\n", SPAN_ARG(buf_view(&words)));
    server_limit_text(to, &r->server);
    print_curve(to, r);
    buf_clear(&words);
    limit_say_usl(&words, r);
    fprintf(to, "scalability: " SPAN_FMT "\n", SPAN_ARG(buf_view(&words)));
    buf_done(&words);
    fflush(to);
}

/* ---- JSON ---- */

static void json_rate(struct json_writer *j, const char *key, double v)
{
    jw_member_f64(j, key, v > 0 ? v : NAN); /* null: none */
}

static void json_probe(struct json_writer *j, const struct limit_probe *p)
{
    jw_object(j);
    jw_member_f64(j, "rate", p->rate);
    jw_member_str(j, "answer", limit_answer_name(p->answer));
    jw_member_f64(j, "strain", p->strain);
    jw_member_f64(j, "served_rate", p->served_rate);
    jw_member_f64(j, "throughput_rps", p->throughput);
    jw_member_f64(j, "concurrency", p->concurrency);
    jw_key(j, "response_us");
    jw_object(j);
    jw_member_i64(j, "p50", p->p50_us);
    jw_member_i64(j, "p95", p->p95_us);
    jw_member_i64(j, "p99", p->p99_us);
    jw_end(j);
    jw_member_f64(j, "error_ratio", p->error_ratio);
    jw_member_str(j, "why", p->why[0] ? p->why : NULL);
    jw_member_str(j, "gave_way", p->gave_way[0] ? p->gave_way : NULL);
    jw_member_f64(j, "recovery_s", p->recovery_s);
    jw_end(j);
}

static void json_usl(struct json_writer *j, const struct limit_result *r)
{
    jw_key(j, "usl");
    jw_object(j);
    jw_member_str(j, "state", r->usl_state == USL_FITTED ? "fitted" : usl_state_text(r->usl_state));
    if (r->usl_state == USL_FITTED) {
        const struct usl_fit *f = &r->usl;
        jw_member_f64(j, "lambda", f->lambda);
        jw_member_f64(j, "sigma", f->sigma);
        jw_member_f64(j, "kappa", f->kappa);
        jw_member_f64(j, "peak_throughput_rps", f->peak_throughput);
        jw_member_f64(j, "peak_concurrency", f->peak_concurrency);
        jw_member_f64(j, "r_squared", f->r_squared);
        jw_member_f64(j, "worst_ratio", f->worst_ratio);
        jw_member_u64(j, "points", f->n);
    }
    jw_end(j);
}

void limit_report_json(struct buf *out, const struct limit_result *r, const struct run_config *config)
{
    struct json_writer j;
    const struct limit_probe *broken = limit_first_broken(r);
    jw_init(&j, out);
    jw_object(&j);
    report_json_head(&j, config->run_id, r->started_ms, r->seconds);
    jw_member_str(&j, "outcome", r->interrupted ? "interrupted" : limit_end_name(r->search.end));
    json_rate(&j, "limit_rate", r->search.end == LIMIT_FOUND ? r->search.sure : 0);
    json_rate(&j, "kept_rate", r->search.low);
    json_rate(&j, "broken_rate", r->search.high);
    jw_member_str(&j, "gave_way", broken && broken->gave_way[0] ? broken->gave_way : NULL);
    jw_member_f64(&j, "requests_per_session", r->requests_per_session);
    jw_key(&j, "probes");
    jw_array(&j);
    for (size_t i = 0; i < r->search.n; i++)
        json_probe(&j, &r->probes[i]);
    jw_end(&j);
    json_usl(&j, r);
    jw_key(&j, "server_limit");
    server_limit_json(&j, &r->server);
    jw_end(&j);
    buf_char(out, '\n');
}
