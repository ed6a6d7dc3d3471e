#include "collector/http/api.h"

#include <errno.h>
#include <math.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define JSON_TYPE "application/json"
/* Far beyond every sample, and the engine's sums of times and durations stay in 64 bits. */
#define TIME_MS_MAX 9000000000000000000
#define TIME_MS_MIN (-TIME_MS_MAX)

/* Seconds since the epoch (a float) or RFC 3339, as Prometheus takes them. */
MUST_USE static int parse_time_ms(struct span text, int64_t *ret_ms)
{
    double seconds;
    /* how Prometheus and its clients write "from the beginning" and "to the end" */
    if (span_equal(text, SPAN("-292273086-05-16T16:47:06Z")) ||
        span_equal(text, SPAN("292277025-08-18T07:12:54.999999999Z"))) {
        *ret_ms = text.ptr[0] == '-' ? TIME_MS_MIN : TIME_MS_MAX;
        return 0;
    }
    if (parse_f64_span(text, &seconds) == 0) {
        if (isnan(seconds))
            return -ERANGE;
        if (fabs(seconds) > (double)TIME_MS_MAX / 1000) {
            *ret_ms = seconds < 0 ? TIME_MS_MIN : TIME_MS_MAX;
            return 0;
        }
        *ret_ms = (int64_t)(seconds * 1000.0 + (seconds < 0 ? -0.5 : 0.5));
        return 0;
    }
    return parse_rfc3339_ms(text, ret_ms);
}

bool api_time(struct httpd_request *r, const char *name, int64_t fallback_ms, int64_t *ret_ms)
{
    struct span text = httpd_param(r, name);
    if (text.len == 0) {
        *ret_ms = fallback_ms;
        return true;
    }
    if (parse_time_ms(text, ret_ms) == 0)
        return true;
    httpd_reply_error(r, 400, "bad_data",
                      "invalid parameter \"%s\": cannot parse \"" SPAN_FMT "\" to a valid timestamp", name,
                      SPAN_ARG(text));
    return false;
}

bool api_duration(struct httpd_request *r, const char *name, int64_t fallback_ms, int64_t *ret_ms)
{
    struct span text = httpd_param(r, name);
    double seconds;
    if (text.len == 0) {
        *ret_ms = fallback_ms;
        return true;
    }
    if (parse_f64_span(text, &seconds) == 0 && seconds >= -9.2e9 && seconds <= 9.2e9) {
        *ret_ms = (int64_t)(seconds * 1e9) / 1000000; /* nanoseconds first, as Go has them: 0.57 is 570 ms */
        return true;
    }
    if (parse_duration_ms(text, ret_ms) == 0)
        return true;
    httpd_reply_error(r, 400, "bad_data", "invalid parameter \"%s\": cannot parse \"" SPAN_FMT "\" to a valid duration",
                      name, SPAN_ARG(text));
    return false;
}

bool api_limit(struct httpd_request *r, size_t *ret_limit)
{
    struct span text = httpd_param(r, "limit");
    uint64_t n = 0;
    if (text.len > 0 && parse_u64_span(text, SIZE_MAX / 2, &n) < 0) {
        int64_t negative;
        if (parse_i64_span(text, INT64_MIN, -1, &negative) == 0)
            httpd_reply_error(r, 400, "bad_data", "invalid parameter \"limit\": limit must be non-negative");
        else
            httpd_reply_error(r, 400, "bad_data", "invalid parameter \"limit\": \"" SPAN_FMT "\" is not a count",
                              SPAN_ARG(text));
        return false;
    }
    *ret_limit = (size_t)n;
    return true;
}

bool api_number(struct httpd_request *r, const char *name, int64_t *ret)
{
    struct span text = httpd_param(r, name);
    *ret = -1;
    if (text.len == 0 || parse_i64_span(text, INT64_MIN, INT64_MAX, ret) == 0)
        return true;
    httpd_reply_error(r, 400, "bad_data", "%s must be a number", name);
    return false;
}

void api_success_begin(struct json_writer *j, struct buf *out)
{
    buf_init(out, BODY_BYTES_MAX * 8ul); /* an answer of 11,000 points for thousands of series */
    jw_init(j, out);
    jw_object(j);
    jw_key(j, "status");
    jw_str(j, "success");
    jw_key(j, "data");
}

const char *const API_CUT[] = {"results truncated due to limit", NULL};

void api_texts(struct json_writer *j, const char *key, const char *const *list)
{
    if (!list || !list[0])
        return;
    jw_key(j, key);
    jw_array(j);
    for (; *list; list++)
        jw_str(j, *list);
    jw_end(j);
}

void api_success_end(struct httpd_request *r, struct json_writer *j, const char *const *warnings,
                     const char *const *infos)
{
    api_texts(j, "warnings", warnings);
    api_texts(j, "infos", infos);
    jw_end(j);
    httpd_reply(r, 200, JSON_TYPE, j->out);
    buf_done(j->out);
}

void api_query_error(struct httpd_request *r, const struct promql_error *error)
{
    static const struct {
        int status;
        const char *type;
    } KINDS[] = {
        [PROMQL_OK] = {500, "internal"},         [PROMQL_BAD_DATA] = {400, "bad_data"},
        [PROMQL_EXECUTION] = {422, "execution"}, [PROMQL_TIMEOUT] = {503, "timeout"},
        [PROMQL_CANCELED] = {503, "canceled"},   [PROMQL_INTERNAL] = {500, "internal"},
    };
    if (error->kind == PROMQL_BAD_DATA) /* its text begins with the place */
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"query\": %s", error->text);
    else
        httpd_reply_error(r, KINDS[error->kind].status, KINDS[error->kind].type, "%s", error->text);
}

void api_labels(struct json_writer *j, const struct labels *labels)
{
    jw_object(j);
    for (size_t i = 0; i < labels->n; i++) {
        jw_key_span(j, labels->pairs[i].name);
        jw_text(j, labels->pairs[i].value);
    }
    jw_end(j);
}

struct work {
    struct httpd_request *request;
    struct http_room *room;
    void (*fn)(struct httpd_request *r, struct http_room *room);
};

static void run_work(void *ctx, bool cancelled)
{
    AUTO_FREE struct work *w = ctx;
    if (cancelled)
        httpd_reply_error(w->request, 503, "canceled", "the collector is stopping");
    else
        w->fn(w->request, w->room);
}

void api_work(struct httpd_request *r, struct http_room *room,
              void (*fn)(struct httpd_request *r, struct http_room *room))
{
    struct work *w = malloc(sizeof *w);
    if (!w) {
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    *w = (struct work){r, room, fn};
    httpd_defer(r);
    if (query_submit_work(room->query, span_str(httpd_peer(r)), run_work, w) < 0) {
        free(w);
        httpd_reply_header(r, "Retry-After", "1");
        httpd_reply_error(r, 503, "unavailable", "too many queries are waiting");
    }
}

bool api_selections(struct httpd_request *r, bool may_be_all, struct arena *arena, struct api_selections *ret)
{
    int64_t min_ms, max_ms;
    struct span text;
    size_t n = 0;
    *ret = (struct api_selections){0};
    if (!api_time(r, "start", INT64_MIN, &min_ms) || !api_time(r, "end", INT64_MAX, &max_ms))
        return false;
    ret->nowhere = min_ms > max_ms;
    bool narrow = min_ms > INT64_MIN || max_ms < INT64_MAX;
    while (httpd_param_at(r, "match[]", n, &text))
        n++;
    if (n == 0 && narrow) { /* of all, those in the times */
        ret->everything = (struct store_selection){.min_ms = min_ms, .max_ms = max_ms, .narrow = true};
        ret->n_everything = 1;
    }
    ret->list = n ? arena_array(arena, n, sizeof *ret->list) : NULL;
    for (size_t i = 0; i < n && ret->list; i++) {
        struct parse_error error = {0};
        struct matcher *matchers = NULL;
        size_t n_matchers = 0;
        if (!httpd_param_at(r, "match[]", i, &text))
            break;
        if (promql_parse_selector(text, arena, &matchers, &n_matchers, &error) < 0) {
            httpd_reply_error(r, 400, "bad_data", "invalid parameter \"match[]\": %u:%u: parse error: %s", error.line,
                              error.column, error.text);
            api_selections_done(ret);
            return false;
        }
        bool narrows = may_be_all;
        for (size_t k = 0; k < n_matchers; k++)
            narrows = narrows || !matcher_matches_empty(&matchers[k]);
        if (!narrows) {
            for (size_t k = 0; k < n_matchers; k++)
                matcher_done(&matchers[k]);
            httpd_reply_error(r, 400, "bad_data",
                              "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher");
            api_selections_done(ret);
            return false;
        }
        ret->list[i] = (struct store_selection){
            .matchers = matchers, .n_matchers = n_matchers, .min_ms = min_ms, .max_ms = max_ms, .narrow = narrow};
        ret->n++;
    }
    if (n && ret->n < n) {
        httpd_reply_error(r, 500, "internal", "out of memory");
        api_selections_done(ret);
        return false;
    }
    return true;
}

void api_selections_done(struct api_selections *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->list[i].n_matchers; k++)
            matcher_done((struct matcher *)&s->list[i].matchers[k]);
    *s = (struct api_selections){0};
}
