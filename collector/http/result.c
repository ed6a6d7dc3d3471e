/* result.c - what a query gave, as Prometheus writes it: {"status":…,"data":{"resultType":…,"result":[…]}}, some points at a
 * time. */
#include <math.h>

#include "collector/http/answer.h"
#include "collector/http/api.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define PIECE_BYTES (64u << 10) /* about; then the client takes it before there is more */

void api_stamp(struct json_writer *j, int64_t t_ms)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = format_seconds_ms(text, t_ms);
    jw_raw(j, span_of(text, n));
}

void api_point(struct json_writer *j, int64_t t_ms, double v)
{
    jw_array(j);
    api_stamp(j, t_ms);
    jw_f64_quoted(j, v);
    jw_end(j);
}

static void histogram_point(struct json_writer *j, int64_t t_ms, const struct native_histogram *h)
{
    jw_array(j);
    api_stamp(j, t_ms);
    api_histogram(j, h);
    jw_end(j);
}

/* Floats and histograms of a series stand in lists of their own, each left out when it is empty. */
struct points {
    const int64_t *t_ms; /* NULL: on the grid */
    int64_t start_ms, step_ms;
    const double *values;
    const bool *present; /* NULL: all */
    const struct native_histogram *const *histograms;
    size_t n;
};

enum point_list { FLOATS, HISTOGRAMS, LISTS };

struct long_result {
    struct promql_result *result;
    struct json_writer j;
    bool begun, instant, with_stats, cut;
    size_t next, given, limit; /* series looked at, written, at most */
    bool in_series;            /* of the series that was begun: */
    struct points points;
    enum point_list list;
    bool list_begun;
    size_t at; /* the next point */
};

static void key_labels(struct json_writer *j, const struct labels *labels)
{
    jw_key(j, "metric");
    api_labels(j, labels);
}

static bool has_point(const struct points *p, size_t i, enum point_list list)
{
    return (!p->present || p->present[i]) && (p->histograms && p->histograms[i]) == (list == HISTOGRAMS);
}

static void write_point(struct long_result *l)
{
    const struct points *p = &l->points;
    int64_t t = p->t_ms ? p->t_ms[l->at] : p->start_ms + (int64_t)l->at * p->step_ms;
    if (!l->list_begun) {
        jw_key(&l->j, l->list == HISTOGRAMS ? "histograms" : "values");
        jw_array(&l->j);
        l->list_begun = true;
    }
    if (l->list == HISTOGRAMS)
        histogram_point(&l->j, t, p->histograms[l->at]);
    else
        api_point(&l->j, t, p->values[l->at]);
}

/* Until the series ends or a piece is full: 11,000 histograms can be a hundred megabytes. */
static void write_points(struct long_result *l)
{
    size_t before = l->j.out->len;
    for (; l->list < LISTS; l->list++, l->at = 0) {
        for (; l->at < l->points.n; l->at++) {
            if (!has_point(&l->points, l->at, l->list))
                continue;
            if (l->j.out->len - before > PIECE_BYTES)
                return;
            write_point(l);
        }
        if (l->list_begun)
            jw_end(&l->j);
        l->list_begun = false;
    }
    jw_end(&l->j);
    l->in_series = false;
}

static void begin_series(struct long_result *l, const struct labels *labels, const struct points *points)
{
    jw_object(&l->j);
    key_labels(&l->j, labels);
    l->points = *points;
    l->list = FLOATS;
    l->at = 0;
    l->in_series = true;
    write_points(l);
}

/* Series i of the answer, or its begin. false: it has no point. */
static bool write_series(struct long_result *l, size_t i)
{
    const struct promql_result *res = l->result;
    struct json_writer *j = &l->j;
    if (l->instant && res->type == PROMQL_MATRIX) {
        const struct promql_matrix_series *m = &res->matrix[i];
        begin_series(l, &m->labels,
                     &(struct points){.t_ms = m->t_ms, .values = m->values, .histograms = m->histograms, .n = m->n});
        return true;
    }
    const struct promql_series *s = &res->series[i];
    size_t first = 0;
    while (first < res->n_steps && !s->present[first])
        first++;
    if (first == res->n_steps)
        return false;
    if (!l->instant) {
        begin_series(l, &s->labels,
                     &(struct points){.start_ms = res->start_ms,
                                      .step_ms = res->step_ms,
                                      .values = s->values,
                                      .present = s->present,
                                      .histograms = s->histograms,
                                      .n = res->n_steps});
        return true;
    }
    jw_object(j);
    key_labels(j, &s->labels);
    if (s->histograms && s->histograms[0]) {
        jw_key(j, "histogram");
        histogram_point(j, res->start_ms, s->histograms[0]);
    } else {
        jw_key(j, "value");
        api_point(j, res->start_ms, s->values[0]);
    }
    jw_end(j);
    return true;
}

static void seconds(struct json_writer *j, const char *key, int64_t us)
{
    jw_key(j, key);
    jw_f64(j, (double)us / 1e6);
}

static void write_stats(struct json_writer *j, const struct promql_result *res)
{
    jw_key(j, "stats");
    jw_object(j);
    jw_key(j, "timings");
    jw_object(j);
    seconds(j, "evalTotalTime", res->parse_us + res->eval_us);
    seconds(j, "resultSortTime", 0); /* part of the evaluation here */
    seconds(j, "queryPreparationTime", res->parse_us);
    seconds(j, "innerEvalTime", res->eval_us);
    seconds(j, "execQueueTime", res->queue_us);
    seconds(j, "execTotalTime", res->queue_us + res->parse_us + res->eval_us);
    jw_end(j);
    jw_key(j, "samples");
    jw_object(j);
    jw_key(j, "totalQueryableSamples");
    jw_u64(j, res->samples_read);
    jw_key(j, "peakSamples");
    jw_u64(j, res->samples_peak);
    jw_end(j);
    jw_end(j);
}

static void begin(struct long_result *l)
{
    static const char *const TYPES[] = {
        [PROMQL_SCALAR] = "scalar", [PROMQL_VECTOR] = "vector", [PROMQL_MATRIX] = "matrix", [PROMQL_STRING] = "string"};
    const struct promql_result *res = l->result;
    struct json_writer *j = &l->j;
    jw_object(j);
    jw_key(j, "status");
    jw_str(j, "success");
    jw_key(j, "data");
    jw_object(j);
    jw_key(j, "resultType");
    jw_str(j, l->instant ? TYPES[res->type] : "matrix");
    jw_key(j, "result");
    if (l->instant && res->type == PROMQL_SCALAR) {
        api_point(j, res->start_ms, res->series[0].values[0]);
        return;
    }
    jw_array(j);
    if (l->instant && res->type == PROMQL_STRING) {
        api_stamp(j, res->start_ms);
        jw_text(j, res->string);
        jw_end(j);
    }
}

static void write_warnings(struct json_writer *j, const char *const *warnings, bool cut)
{
    if (!cut) {
        api_texts(j, "warnings", warnings);
        return;
    }
    jw_key(j, "warnings");
    jw_array(j);
    for (; warnings && *warnings; warnings++)
        jw_str(j, *warnings);
    jw_str(j, API_CUT[0]);
    jw_end(j);
}

static void finish(struct long_result *l)
{
    struct json_writer *j = &l->j;
    if (!l->instant || l->result->type == PROMQL_VECTOR || l->result->type == PROMQL_MATRIX)
        jw_end(j); /* result */
    if (l->with_stats)
        write_stats(j, l->result);
    jw_end(j); /* data */
    write_warnings(j, l->result->warnings, l->cut);
    api_texts(j, "infos", l->result->infos);
    jw_end(j);
}

static size_t series_count(const struct long_result *l)
{
    if (!l->instant)
        return l->result->n_series;
    return l->result->type == PROMQL_VECTOR   ? l->result->n_series
           : l->result->type == PROMQL_MATRIX ? l->result->n_matrix
                                              : 0;
}

static bool next_piece(void *ctx, struct buf *out)
{
    struct long_result *l = ctx;
    size_t n = series_count(l);
    l->j.out = out;
    if (!l->begun) {
        l->begun = true;
        begin(l);
        return true;
    }
    if (l->in_series) {
        write_points(l);
        return true;
    }
    while (l->next < n && !(l->limit && l->given == l->limit))
        if (write_series(l, l->next++)) {
            l->given++;
            return true;
        }
    l->cut = l->next < n;
    finish(l);
    return false;
}

static void free_result(void *ctx)
{
    struct long_result *l = ctx;
    promql_result_free(l->result);
    free(l);
}

void api_answer_result(struct httpd_request *r, struct http_room *room, struct promql_result *result, bool instant,
                       size_t limit, bool with_stats)
{
    struct long_result *l = malloc(sizeof *l);
    if (!l) {
        promql_result_free(result);
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    *l = (struct long_result){.result = result, .instant = instant, .limit = limit, .with_stats = with_stats};
    jw_init(&l->j, NULL);
    answer_send(r, room, "application/json",
                &(struct answer_source){.next = next_piece, .done = free_result, .held_bytes = result->bytes}, l);
}
