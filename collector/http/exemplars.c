/* query_exemplars: the exemplars of every series that an expression selects. */
#include <errno.h>

#include "collector/http/api.h"
#include "lib/base/limits.h"

#define SELECTORS_MAX 1000u

struct exemplar_query {
    struct store_reader *reader;
    struct arena arena;
    int64_t min_ms, max_ms;
    struct store_exemplars *found;
    size_t n, cap;
    unsigned selectors;
    int error;
};

static void select_one(void *ctx, const struct matcher *matchers, size_t n)
{
    struct exemplar_query *q = ctx;
    struct store_exemplars *some;
    size_t n_some = 0;
    if (q->error)
        return;
    if (++q->selectors > SELECTORS_MAX) {
        q->error = -ENOMEM;
        return;
    }
    int r = store_exemplars(
        q->reader,
        &(struct store_selection){.matchers = matchers, .n_matchers = n, .min_ms = q->min_ms, .max_ms = q->max_ms},
        &q->arena, &some, &n_some);
    if (r < 0 && r != -EOPNOTSUPP) {
        q->error = r;
        return;
    }
    if (r == 0 && n_some > q->cap - q->n) {
        size_t cap = 2 * (q->n + n_some);
        struct store_exemplars *more = arena_array(&q->arena, cap, sizeof *more);
        if (!more) {
            q->error = -ENOMEM;
            return;
        }
        if (q->n)
            memcpy(more, q->found, q->n * sizeof *more);
        q->found = more;
        q->cap = cap;
    }
    if (r == 0 && n_some)
        memcpy(q->found + q->n, some, n_some * sizeof *some);
    if (r == 0)
        q->n += n_some;
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct store_exemplars *)a)->series, &((const struct store_exemplars *)b)->series);
}

static void write_exemplars(struct httpd_request *r, const struct exemplar_query *q)
{
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_array(&j);
    for (size_t i = 0; i < q->n; i++) {
        const struct store_exemplars *s = &q->found[i];
        if (s->n == 0 ||
            (i && labels_equal(&s->series, &q->found[i - 1].series))) /* two selectors may meet in a series */
            continue;
        jw_object(&j);
        jw_key(&j, "seriesLabels");
        api_labels(&j, &s->series);
        jw_key(&j, "exemplars");
        jw_array(&j);
        for (size_t k = 0; k < s->n; k++) {
            jw_object(&j);
            jw_key(&j, "labels");
            api_labels(&j, &s->exemplars[k].labels);
            jw_key(&j, "value");
            jw_f64_quoted(&j, s->exemplars[k].value);
            jw_key(&j, "timestamp");
            api_stamp(&j, s->exemplars[k].t_ms);
            jw_end(&j);
        }
        jw_end(&j);
        jw_end(&j);
    }
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

static void work_query_exemplars(struct httpd_request *r, struct http_room *room)
{
    struct exemplar_query q = {0};
    struct promql_expr *e = NULL;
    struct parse_error why = {0};
    if (!api_time(r, "start", INT64_MIN, &q.min_ms) || !api_time(r, "end", INT64_MAX, &q.max_ms))
        return;
    if (q.min_ms > q.max_ms) {
        httpd_reply_error(r, 400, "bad_data", "end timestamp must not be before start timestamp");
        return;
    }
    arena_init(&q.arena, QUERY_BYTES_MAX);
    if (promql_parse(httpd_param(r, "query"), &q.arena, &e, &why) < 0) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"query\": %u:%u: parse error: %s", why.line,
                          why.column, why.text);
        arena_done(&q.arena);
        return;
    }
    q.error = store_reader_open(room->store, &q.reader);
    promql_each_selector(e, select_one, &q);
    if (q.n)
        qsort(q.found, q.n, sizeof *q.found, by_labels);
    if (q.error)
        api_read_error(r, q.error);
    else
        write_exemplars(r, &q);
    store_reader_close(q.reader);
    promql_expr_done(e);
    arena_done(&q.arena);
}

void on_query_exemplars(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_query_exemplars);
}
