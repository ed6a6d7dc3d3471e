/* Events: import, list, one with its minutes, removal. All of it waits for the state writer, so on a query worker. */
#include "collector/http/api.h"

#include <errno.h>

#include "collector/event/event_beside.h"
#include "collector/event/report.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

/* 400 with the first problem as its error and all of them beside it. */
static void answer_problems(struct httpd_request *r, const struct problems *ps)
{
    struct json_writer j;
    struct buf out;
    buf_init(&out, 1u << 20);
    jw_init(&j, &out);
    jw_object(&j);
    jw_key(&j, "status");
    jw_str(&j, "error");
    jw_key(&j, "errorType");
    jw_str(&j, "bad_data");
    jw_key(&j, "error");
    char words[PROBLEM_TEXT_MAX * 2];
    const struct problem *first = &ps->list[0];
    snprintf(words, sizeof words, "%s:%u:%u: %s", first->file, first->line, first->column, first->text);
    jw_str(&j, words);
    jw_key(&j, "problems");
    jw_array(&j);
    for (size_t i = 0; i < ps->n; i++) {
        jw_object(&j);
        jw_key(&j, "file");
        jw_str(&j, ps->list[i].file);
        jw_key(&j, "line");
        jw_u64(&j, ps->list[i].line);
        jw_key(&j, "column");
        jw_u64(&j, ps->list[i].column);
        jw_key(&j, "text");
        jw_str(&j, ps->list[i].text);
        jw_end(&j);
    }
    jw_end(&j);
    jw_end(&j);
    httpd_reply(r, 400, "application/json", &out);
    buf_done(&out);
}

static void answer_event(struct httpd_request *r, const struct event *e, const struct event_beside *minutes)
{
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    event_json(e, unix_ms(), minutes, &j);
    api_success_end(r, &j, NULL, NULL);
}

static void work_import(struct httpd_request *r, struct http_room *room)
{
    struct parse_error error = {0};
    struct event_source source = {0};
    struct problems problems;
    struct event *e = NULL;
    const char *wrong = NULL;
    json_t *body = json_read(httpd_body(r), &error);
    problems_init(&problems);
    if (!body) {
        httpd_reply_error(r, 400, "bad_data", "the body is no JSON: %u:%u: %s", error.line, error.column, error.text);
    } else if (event_source_from_json(body, &source, &wrong) < 0) {
        httpd_reply_error(r, 400, "bad_data", "%s", wrong);
    } else {
        int e2 = events_put(room->events, &source, span_str(httpd_user(r)), unix_ms(), &problems, &e);
        if (e2 == 0)
            answer_event(r, e, NULL);
        else if (problems.n)
            answer_problems(r, &problems);
        else if (e2 == -ENOSPC)
            httpd_reply_error(r, 400, "bad_data", "too many events: remove one first");
        else
            httpd_reply_error(r, 503, "unavailable", "the event could not be stored: %s", strerror(-e2));
    }
    event_free(e);
    event_source_done(&source);
    problems_done(&problems);
    json_decref(body);
}

void on_event_import(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_import);
}

void on_events(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct json_writer j;
    struct buf out;
    struct event *e;
    api_success_begin(&j, &out);
    jw_array(&j);
    for (size_t i = 0; (e = events_at(room->events, i)); i++) {
        event_json(e, unix_ms(), NULL, &j);
        event_free(e);
    }
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

static void work_event(struct httpd_request *r, struct http_room *room)
{
    struct span name = httpd_segment(r, "name");
    struct event *e = events_get(room->events, name);
    struct event_beside *minutes = NULL;
    struct promql_error error = {0};
    int x = e ? event_beside_new(room->query, room->events, e, &minutes) : -ENOENT;
    if (x == 0)
        x = event_beside_advance(minutes, 0, &error);
    if (x == 0)
        answer_event(r, e, minutes);
    else if (!e)
        httpd_reply_error(r, 404, "not_found", "no event is called '" SPAN_FMT "'", SPAN_ARG(name));
    else if (error.kind != PROMQL_OK)
        api_query_error(r, &error);
    else
        httpd_reply_error(r, 500, "internal", "the event's minutes could not be read: %s", strerror(-x));
    event_beside_free(minutes);
    event_free(e);
}

void on_event(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_event);
}

static void work_remove(struct httpd_request *r, struct http_room *room)
{
    struct span name = httpd_segment(r, "name");
    int e = events_remove(room->events, name);
    if (e == -ENOENT)
        httpd_reply_error(r, 404, "not_found", "no event is called '" SPAN_FMT "'", SPAN_ARG(name));
    else if (e < 0)
        httpd_reply_error(r, 503, "unavailable", "the event could not be removed: %s", strerror(-e));
    else
        httpd_reply_empty(r, 204);
}

void on_event_remove(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_remove);
}

static void work_report(struct httpd_request *r, struct http_room *room)
{
    struct span name = httpd_segment(r, "name");
    struct event *e = events_get(room->events, name);
    struct report_sources from = {room->query, room->events, room->annotations, room->firings};
    struct promql_error error = {0};
    struct buf html;
    buf_init(&html, REPORT_BYTES_MAX);
    int x = e ? report_write(&from, e, &html, &error) : -ENOENT;
    if (x == 0) {
        /* It is a document of its own: no script, nothing from elsewhere. */
        httpd_reply_header(r, "Content-Security-Policy",
                           "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'");
        httpd_reply(r, 200, "text/html; charset=utf-8", &html);
    } else if (x == -ENOENT) {
        httpd_reply_error(r, 404, "not_found", "no event is called '" SPAN_FMT "'", SPAN_ARG(name));
    } else if (error.kind != PROMQL_OK) {
        api_query_error(r, &error);
    } else {
        httpd_reply_error(r, 500, "internal", "the report could not be written: %s", strerror(-x));
    }
    buf_done(&html);
    event_free(e);
}

void on_report(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_report);
}
