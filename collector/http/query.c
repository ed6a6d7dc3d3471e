/* query, query_range, format_query, parse_query: answered from a query worker. */
#include "collector/http/api.h"

#include "lib/base/clock.h"
#include "lib/base/limits.h"

struct pending_query {
    struct httpd_request *request;
    struct http_room *room;
    bool instant, with_stats;
    size_t limit; /* of series; 0: none */
};

static void on_result(void *ctx, struct promql_result *result, const struct promql_error *error)
{
    AUTO_FREE struct pending_query *p = ctx;
    if (result)
        api_answer_result(p->request, p->room, result, p->instant, p->limit, p->with_stats);
    else
        api_query_error(p->request, error);
}

static bool client_is_gone(void *ctx)
{
    const struct pending_query *p = ctx;
    return httpd_is_gone(p->request);
}

/* false: answered. */
static bool read_rollup(struct httpd_request *r, enum promql_rollups *ret)
{
    static const struct {
        const char *name;
        enum promql_rollups rollups;
    } NAMES[] = {{"", PROMQL_ROLLUPS_SAME},
                 {"auto", PROMQL_ROLLUPS_SAME},
                 {"off", PROMQL_ROLLUPS_OFF},
                 {"5m", PROMQL_ROLLUPS_5M},
                 {"1h", PROMQL_ROLLUPS_1H}};
    struct span text = httpd_param(r, "rollup");
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (span_equal(text, span_str(NAMES[i].name))) {
            *ret = NAMES[i].rollups;
            return true;
        }
    httpd_reply_error(r, 400, "bad_data", "invalid parameter \"rollup\": it is auto, off, 5m or 1h");
    return false;
}

static void submit(struct httpd_request *r, struct http_room *room, struct query_request *q, bool instant)
{
    q->text = httpd_param(r, "query");
    q->origin = span_str(httpd_peer(r));
    q->is_gone = client_is_gone;
    if (q->text.len > QUERY_TEXT_BYTES_MAX) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"query\": longer than %u bytes",
                          QUERY_TEXT_BYTES_MAX);
        return;
    }
    size_t limit;
    if (!api_limit(r, &limit) || !api_duration(r, "timeout", 0, &q->timeout_ms) ||
        !api_duration(r, "lookback_delta", 0, &q->lookback_ms) || !read_rollup(r, &q->rollups))
        return;
    if (q->lookback_ms < 0)
        q->lookback_ms = 0; /* the engine's, as in Prometheus */
    if (q->timeout_ms <= 0 && httpd_param(r, "timeout").len) {
        httpd_reply_error(r, 503, "timeout", "query timed out in query queue (the request's timeout is over)");
        return;
    }
    struct pending_query *p = malloc(sizeof *p);
    if (!p) {
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    *p = (struct pending_query){
        .request = r, .room = room, .instant = instant, .with_stats = httpd_param(r, "stats").len > 0, .limit = limit};
    httpd_defer(r);
    if (query_submit(room->query, q, on_result, p) < 0) {
        free(p);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_error(r, 503, "unavailable", "too many queries are waiting");
    }
}

void on_query(struct httpd_request *r, void *ctx)
{
    struct query_request q = {0};
    if (!api_time(r, "time", unix_ms(), &q.start_ms))
        return;
    q.end_ms = q.start_ms;
    submit(r, ctx, &q, true);
}

void on_query_range(struct httpd_request *r, void *ctx)
{
    struct query_request q = {0};
    static const char *const NEEDED[] = {"start", "end", "step"};
    for (size_t i = 0; i < ARRAY_LEN(NEEDED); i++)
        if (httpd_param(r, NEEDED[i]).len == 0) {
            httpd_reply_error(r, 400, "bad_data", "invalid parameter \"%s\": cannot parse \"\" to a valid %s",
                              NEEDED[i], i < 2 ? "timestamp" : "duration");
            return;
        }
    if (!api_time(r, "start", 0, &q.start_ms) || !api_time(r, "end", 0, &q.end_ms) ||
        !api_duration(r, "step", 0, &q.step_ms))
        return;
    if (q.end_ms < q.start_ms) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"end\": end timestamp must not be before start time");
        return;
    }
    if (q.step_ms <= 0) {
        httpd_reply_error(r, 400, "bad_data",
                          "invalid parameter \"step\": zero or negative query resolution step widths are not "
                          "accepted. Try a positive "
                          "integer");
        return;
    }
    if ((q.end_ms - q.start_ms) / q.step_ms > QUERY_POINTS_MAX) {
        httpd_reply_error(r, 400, "bad_data",
                          "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
                          "query resolution "
                          "(?step=XX)");
        return;
    }
    submit(r, ctx, &q, false);
}

/* What becomes of an expression that is not evaluated. */
static void answer_parsed(struct httpd_request *r, void (*write)(const struct promql_expr *e, struct json_writer *j))
{
    struct promql_expr *e = NULL;
    struct parse_error error = {0};
    struct arena arena;
    arena_init(&arena, QUERY_BYTES_MAX);
    if (promql_parse(httpd_param(r, "query"), &arena, &e, &error) < 0) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"query\": %u:%u: parse error: %s", error.line,
                          error.column, error.text);
    } else {
        struct json_writer j;
        struct buf out;
        api_success_begin(&j, &out);
        write(e, &j);
        if (buf_error(&out)) {
            httpd_reply_error(r, 422, "execution", "the expression is nested too deeply to be shown");
            buf_done(&out);
        } else {
            api_success_end(r, &j, NULL, NULL);
        }
    }
    promql_expr_done(e);
    arena_done(&arena);
}

static void write_formatted(const struct promql_expr *e, struct json_writer *j)
{
    struct buf text;
    buf_init(&text, QUERY_TEXT_BYTES_MAX * 8ul);
    promql_format_pretty(e, &text);
    if (buf_error(&text))
        j->out->error = buf_error(&text);
    else
        jw_text(j, buf_view(&text));
    buf_done(&text);
}

static void work_format_query(struct httpd_request *r, struct http_room *room UNUSED)
{
    answer_parsed(r, write_formatted);
}

static void work_parse_query(struct httpd_request *r, struct http_room *room UNUSED)
{
    answer_parsed(r, promql_write_tree);
}

/* On a worker: a megabyte of expression takes a while. */
void on_format_query(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_format_query);
}

void on_parse_query(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_parse_query);
}
