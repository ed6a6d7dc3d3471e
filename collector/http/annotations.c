/* Annotations: POST adds one and is answered after its commit, GET gives those of a time. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

static struct span member(const json_t *body, const char *name)
{
    const json_t *v = json_object_get(body, name);
    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v)) : (struct span){NULL, 0};
}

/* Milliseconds as everywhere in the stream, or RFC 3339. */
static bool time_of(const json_t *v, int64_t *ret_ms)
{
    if (!v || json_is_null(v))
        return true;
    if (json_is_string(v))
        return parse_rfc3339_ms(span_str(json_string_value(v)), ret_ms) == 0;
    if (!json_is_number(v) || !(json_number_value(v) >= 0 && json_number_value(v) < 9e15))
        return false;
    *ret_ms = (int64_t)json_number_value(v);
    return true;
}

static void answer_added(void *ctx, int result, int64_t id)
{
    struct httpd_request *r = ctx;
    if (result < 0) {
        httpd_reply_error(r, 503, "unavailable", "the annotation could not be stored: %s", strerror(-result));
        return;
    }
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    jw_key(&j, "id");
    jw_i64(&j, id);
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

static void work_add(struct httpd_request *r, struct http_room *room)
{
    struct parse_error error = {0};
    json_t *body = json_read(httpd_body(r), &error);
    struct annotation n = {.t_ms = unix_ms(),
                           .kind = member(body, "kind"),
                           .text = member(body, "text"),
                           .service = member(body, "service"),
                           .user = span_str(httpd_user(r))};
    const char *wrong = NULL;
    if (!body)
        httpd_reply_error(r, 400, "bad_data", "the body is no JSON: %u:%u: %s", error.line, error.column, error.text);
    else if (!json_is_object(body))
        httpd_reply_error(r, 400, "bad_data", "the body must be {\"kind\":…,\"text\":…}");
    else if (!time_of(json_object_get(body, "t"), &n.t_ms))
        httpd_reply_error(r, 400, "bad_data", "t is a time in milliseconds or RFC 3339");
    else if ((wrong = annotation_wrong(&n)))
        httpd_reply_error(r, 400, "bad_data", "%s", wrong);
    else {
        int e = annotations_add(room->annotations, &n, answer_added, r);
        if (e < 0)
            httpd_reply_error(r, 503, "unavailable", "the annotation could not be stored: %s", strerror(-e));
    }
    json_decref(body);
}

void on_annotate(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_add);
}

static void write_one(void *ctx, const struct annotation *n)
{
    annotation_json(n, ctx);
}

static void work_list(struct httpd_request *r, struct http_room *room)
{
    int64_t start_ms, end_ms;
    size_t limit;
    struct json_writer j;
    struct buf out;
    if (!api_time(r, "start", INT64_MIN, &start_ms) || !api_time(r, "end", INT64_MAX, &end_ms) || !api_limit(r, &limit))
        return;
    api_success_begin(&j, &out);
    jw_array(&j);
    int e = annotations_each(room->annotations, start_ms, end_ms, limit, write_one, &j);
    jw_end(&j);
    if (e < 0) {
        buf_done(&out);
        httpd_reply_error(r, 503, "unavailable", "the annotations cannot be read: %s", strerror(-e));
        return;
    }
    api_success_end(r, &j, NULL, NULL);
}

void on_annotations(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_list);
}
