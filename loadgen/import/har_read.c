#include "loadgen/import/har_read.h"

#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/json_text.h"
#include "loadgen/import/json_get.h"

struct span har_header(const struct har_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (span_equal_nocase(headers[i].name, span_str(name)))
            return headers[i].value;
    return (struct span){0};
}

MUST_USE static int read_headers(struct arena *a, struct span list, struct har_header **ret, size_t *ret_n)
{
    if (list.len == 0 || json_text_type(list) != JSON_TEXT_ARRAY)
        return 0;
    struct har_header *headers = arena_array(a, json_text_count(list), sizeof *headers);
    if (!headers)
        return -ENOMEM;
    struct json_text_walk w = json_text_walk(list);
    struct span item;
    size_t n = 0;
    while (json_text_item(&w, &item)) {
        int r = json_get_text(a, item, "name", &headers[n].name);
        if (r == 0)
            r = json_get_text(a, item, "value", &headers[n].value);
        if (r < 0)
            return r;
        n += headers[n].name.len > 0;
    }
    *ret = headers;
    *ret_n = n;
    return 0;
}

/* "params" of a posted form, where the recorder left the text out. */
MUST_USE static int text_of_params(struct arena *a, struct span params, struct span *ret)
{
    struct buf out;
    buf_init(&out, IMPORT_FILE_BYTES_MAX);
    struct json_text_walk w = json_text_walk(params);
    struct span item, name, value;
    int r = 0;
    while (r == 0 && json_text_item(&w, &item)) {
        r = json_get_text(a, item, "name", &name);
        if (r == 0)
            r = json_get_text(a, item, "value", &value);
        if (r < 0 || name.len == 0)
            continue;
        if (out.len)
            buf_char(&out, '&');
        buf_span(&out, name);
        buf_char(&out, '=');
        buf_span(&out, value); /* encoded already, as the recorders write them */
    }
    bool ok = true;
    *ret = arena_span(a, buf_view(&out), &ok);
    if (buf_error(&out) || !ok)
        r = -ENOMEM;
    buf_done(&out);
    return r;
}

MUST_USE static int read_request(struct arena *a, struct span request, struct har_exchange *x)
{
    int r = json_get_text(a, request, "method", &x->method);
    if (r == 0)
        r = json_get_text(a, request, "url", &x->url);
    if (r == 0)
        r = read_headers(a, json_get(request, "headers"), &x->headers, &x->n_headers);
    struct span post = json_get(request, "postData"), params = json_get(post, "params");
    if (r == 0)
        r = json_get_text(a, post, "mimeType", &x->post_type);
    if (r == 0)
        r = json_get_text(a, post, "text", &x->post);
    if (r == 0 && x->post.len == 0 && params.len && json_text_type(params) == JSON_TEXT_ARRAY &&
        span_search(x->post_type, SPAN("multipart")) == x->post_type.len)
        r = text_of_params(a, params, &x->post);
    return r;
}

MUST_USE static int read_content(struct arena *a, struct span content, struct har_exchange *x)
{
    struct span encoding;
    int r = json_get_text(a, content, "mimeType", &x->type);
    if (r == 0)
        r = json_get_text(a, content, "encoding", &encoding);
    struct span text = json_get(content, "text");
    if (r < 0 || text.len > 2 * HAR_BODY_BYTES_MAX)
        return r; /* not looked into */
    r = json_get_text(a, content, "text", &x->body);
    if (r < 0 || !span_equal_nocase(encoding, SPAN("base64")))
        return r;
    struct buf bytes;
    bool ok = true;
    buf_init(&bytes, 2 * HAR_BODY_BYTES_MAX);
    if (base64_decode(&bytes, x->body, false) == 0 && !buf_error(&bytes))
        x->body = arena_span(a, buf_view(&bytes), &ok);
    else
        x->body = (struct span){0};
    buf_done(&bytes);
    return ok ? 0 : -ENOMEM;
}

MUST_USE static int read_answer(struct arena *a, struct span answer, struct har_exchange *x)
{
    int64_t status;
    double number;
    struct span value = json_get(answer, "status");
    if (value.len && json_text_type(value) == JSON_TEXT_NUMBER && json_text_number(value, &status, &number) &&
        status >= 100 && status <= 999)
        x->status = (int)status;
    int r = read_headers(a, json_get(answer, "headers"), &x->answer_headers, &x->n_answer_headers);
    if (r == 0)
        r = read_content(a, json_get(answer, "content"), x);
    if (r == 0 && x->type.len == 0)
        x->type = har_header(x->answer_headers, x->n_answer_headers, "Content-Type");
    return r;
}

/* *ret_usable is false for an entry that says too little. */
MUST_USE static int read_entry(struct arena *a, struct span entry, struct har_exchange *x, bool *ret_usable)
{
    struct span started, time = json_get(entry, "time"), cached = json_get(entry, "_fromCache");
    int64_t start_ms = 0, whole;
    double took_ms = 0;
    int r = json_get_text(a, entry, "startedDateTime", &started);
    if (r == 0)
        r = read_request(a, json_get(entry, "request"), x);
    if (r == 0)
        r = read_answer(a, json_get(entry, "response"), x);
    if (r < 0)
        return r;
    *ret_usable = x->url.len && parse_rfc3339_ms(started, &start_ms) == 0;
    if (time.len && json_text_type(time) == JSON_TEXT_NUMBER)
        json_text_number(time, &whole, &took_ms);
    if (!(took_ms >= 0 && took_ms < 86400000))
        took_ms = 0;
    x->start_us = start_ms * 1000;
    x->end_us = x->start_us + (int64_t)(took_ms * 1000);
    x->from_cache = cached.len > 0;
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct har_exchange *x = a, *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return x->end_us < y->end_us ? -1 : x->end_us > y->end_us; /* a redirect is over before what it led to */
}

/* qsort() may swap equals: the place in the file decides. */
struct ordered {
    struct har_exchange x;
    size_t at;
};
static int by_start_and_place(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int c = by_start(&x->x, &y->x);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

MUST_USE static int sort(struct har_file *f)
{
    struct ordered *all = calloc(f->n ? f->n : 1, sizeof *all);
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < f->n; i++)
        all[i] = (struct ordered){f->exchanges[i], i};
    qsort(all, f->n, sizeof *all, by_start_and_place);
    for (size_t i = 0; i < f->n; i++)
        f->exchanges[i] = all[i].x;
    free(all);
    return 0;
}

int har_read(struct arena *a, struct span text, const char *name, struct har_file *ret, struct problems *ps)
{
    struct span root;
    char why[160];
    if (span_starts(text, SPAN("\xef\xbb\xbf")))
        text = span_from(text, 3);
    int r = json_text_check(text, &root, why, sizeof why);
    if (r < 0) {
        problem_add(ps, PROBLEM_ERROR, name, 0, 0, "this is no JSON: %s", why);
        return -EINVAL;
    }
    struct span entries = json_get(json_get(root, "log"), "entries");
    if (entries.len == 0 || json_text_type(entries) != JSON_TEXT_ARRAY) {
        problem_add(ps, PROBLEM_ERROR, name, 1, 1, "this is no HAR: it has no log.entries");
        return -EINVAL;
    }
    struct har_file f = {0};
    size_t count = json_text_count(entries);
    f.exchanges = arena_array(a, count < HAR_ENTRIES_MAX ? count : HAR_ENTRIES_MAX, sizeof *f.exchanges);
    if (!f.exchanges)
        return -ENOMEM;
    struct json_text_walk w = json_text_walk(entries);
    struct span entry;
    while (json_text_item(&w, &entry)) {
        bool usable = false;
        if (f.n == HAR_ENTRIES_MAX) {
            f.unusable++;
            continue;
        }
        f.exchanges[f.n] = (struct har_exchange){0};
        r = read_entry(a, entry, &f.exchanges[f.n], &usable);
        if (r < 0)
            return r;
        f.n += usable;
        f.unusable += !usable;
    }
    r = sort(&f);
    if (r == 0)
        *ret = f;
    return r;
}
