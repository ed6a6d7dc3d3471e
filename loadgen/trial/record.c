#include "loadgen/trial/record.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/engine/entry_options.h"
#include "loadgen/trial/record_json.h"

#define FAILURES_MAX 10000u

static void note_failure(struct record *r, const struct hurl_failure *why)
{
    struct buf text;
    if (r->n_failures == FAILURES_MAX)
        return;
    struct record_failure *more = realloc(r->failures, (r->n_failures + 1) * sizeof *more);
    if (!more)
        return;
    r->failures = more;
    buf_init(&text, BODY_BYTES_MAX);
    buf_printf(&text, "%s:%u:%u: %s: ", r->show.file, (unsigned)why->at.line, (unsigned)why->at.column,
               show_title(why));
    secrets_hide(&text, r->secrets, span_str(why->text));
    char *kept = buf_error(&text) ? NULL : span_dup(buf_view(&text));
    buf_done(&text);
    bool asserted =
        why->kind == HURL_FAILED_STATUS || why->kind == HURL_FAILED_ASSERT || why->kind == HURL_FAILED_PROTOCOL;
    if (kept)
        r->failures[r->n_failures++] = (struct record_failure){kept, !asserted, (unsigned)why->at.line};
}

static void comma(struct buf *list)
{
    if (list->len)
        buf_char(list, ',');
}

/* ---- bodies ---- */

static const char *extension_of(struct span headers)
{
    struct span type = {0};
    if (!hurl_header(headers, SPAN("content-type"), 0, &type))
        return "bin";
    static const struct {
        const char *word, *extension;
    } TYPES[] = {{"json", "json"}, {"html", "html"}, {"xml", "xml"}, {"text/", "txt"}};
    for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
        if (span_search(type, span_str(TYPES[i].word)) < type.len)
            return TYPES[i].extension;
    return "bin";
}

/* The answer's body into a file of the store; its name relative to the report, or NULL. */
static const char *store_body(struct record *r, const struct conn_response *response, char *name, size_t name_bytes)
{
    if (!r->c->store || response->body.len == 0)
        return NULL;
    snprintf(name, name_bytes, "store/%u-%zu-%zu_response.%s", r->number, r->entry + 1, r->n_calls,
             extension_of(response->headers));
    struct buf path, hidden;
    buf_init(&path, 1u << 20);
    buf_init(&hidden, 4 * (size_t)BODY_BYTES_MAX);
    buf_printf(&path, "%s/%s", r->c->store, name);
    secrets_hide(&hidden, r->secrets, response->body);
    int code = buf_error(&path) || buf_error(&hidden) ? -ENOMEM : file_write(path.data, hidden.data, hidden.len);
    char **stored = code < 0 ? NULL : realloc(r->stored, (r->n_stored + 1) * sizeof *stored);
    if (stored) {
        r->stored = stored;
        stored[r->n_stored] = span_dup(buf_view(&path));
        r->n_stored += stored[r->n_stored] != NULL;
    }
    if (code < 0)
        buf_printf(&r->log, "warning: the body cannot be kept as %s: %s\n", name, strerror(-code));
    buf_done(&path);
    buf_done(&hidden);
    return code < 0 ? NULL : name;
}

/* ---- events ---- */

static void on_begin(void *ctx, size_t index, const struct hurl_entry *e)
{
    struct record *r = ctx;
    r->entry = index;
    r->at = e;
    r->n_calls = 0;
    buf_clear(&r->asserts);
    buf_clear(&r->calls);
    buf_clear(&r->captures);
    buf_clear(&r->curl);
}

static void add_to_timeline(struct record *r, const struct trial_call *call)
{
    const struct conn_response *a = call->response;
    buf_printf(&r->timeline, "%zu\t%u\t%s\t", r->entry + 1, (unsigned)r->at->request.at.line, call->request->method);
    secrets_hide(&r->timeline, r->secrets, call->url);
    if (a->error == CONN_OK)
        buf_printf(&r->timeline, "\t%d", a->status);
    else
        buf_printf(&r->timeline, "\t%s", conn_error_name(a->error));
    buf_printf(&r->timeline, "\t%lld\n", (long long)((a->done_us - a->sent_us) / 1000));
}

static void on_call(void *ctx, const struct trial_call *call, int verbosity)
{
    struct record *r = ctx;
    char name[64];
    r->n_calls++;
    if (r->c->timeline)
        add_to_timeline(r, call);
    if (verbosity > 0)
        show_call(&r->log, &r->show, call, verbosity);
    if (!r->c->json || call->response->error != CONN_OK)
        return;
    comma(&r->calls);
    record_json_call(&r->calls, r->secrets, call, store_body(r, call->response, name, sizeof name));
}

static void on_result(void *ctx, const struct hurl_entry *e, struct hurl_place at, const struct hurl_failure *why)
{
    struct record *r = ctx;
    if (r->c->json && (!why || (why->kind != HURL_FAILED_RUN && why->kind != HURL_FAILED_CAPTURE))) {
        comma(&r->asserts);
        record_json_result(&r->asserts, r->secrets, at, why);
    }
    if (!why)
        return;
    show_failure(&r->log, &r->show, e, why);
    note_failure(r, why);
}

static void on_captured(void *ctx, struct span name, const struct hurl_value *v)
{
    struct record *r = ctx;
    if (!r->c->json)
        return;
    comma(&r->captures);
    record_json_capture(&r->captures, r->secrets, name, v);
}

/* The option `output`: a file beside the journey or under the file root, never above. */
static void write_output(struct record *r, const struct trial_entry *e)
{
    const char *name = e->options->output;
    struct span body = e->last->response->body;
    if (strcmp(name, "-") == 0) {
        buf_span(&r->output, body);
        return;
    }
    AUTO_FREE char *path = NULL;
    int code = hurl_file_path(r->journey->file->name, r->c->file_root, span_str(name), &path);
    if (code == 0)
        code = file_write(path, body.ptr, body.len);
    if (code == 0)
        return;
    struct hurl_failure why = {.kind = HURL_FAILED_RUN, .at = e->entry->request.at};
    snprintf(why.text, sizeof why.text, "the body cannot be written to '%.100s': %s", name,
             code == -EPERM ? "it is not beside the journey" : strerror(-code));
    show_failure(&r->log, &r->show, e->entry, &why);
    note_failure(r, &why);
}

static void on_end(void *ctx, const struct trial_entry *e)
{
    struct record *r = ctx;
    bool answered = e->last && e->last->response->error == CONN_OK;
    if (answered && e->options->output && e->good)
        write_output(r, e);
    if (answered && r->c->output) { /* of the last entry: each replaces the one before */
        buf_clear(&r->output);
        if (r->c->include)
            show_head(&r->output, &r->show, e->last->response);
        buf_span(&r->output, e->last->response->body);
    }
    if (!e->good && r->c->error_long && answered)
        show_call(&r->log, &r->show, e->last, 2);
    if (e->last && (r->c->json || r->c->curl))
        record_curl(&r->curl, r->secrets, e->last, e->options);
    if (e->last && r->c->curl) {
        buf_span(&r->commands, buf_view(&r->curl));
        buf_char(&r->commands, '\n');
    }
    if (!r->c->json)
        return;
    comma(&r->json);
    buf_str(&r->json, "{\"asserts\":[");
    buf_span(&r->json, buf_view(&r->asserts));
    buf_str(&r->json, "],\"calls\":[");
    buf_span(&r->json, buf_view(&r->calls));
    buf_str(&r->json, "],\"captures\":[");
    buf_span(&r->json, buf_view(&r->captures));
    buf_str(&r->json, "],\"curl_cmd\":");
    record_json_text(&r->json, r->secrets, buf_view(&r->curl));
    buf_printf(&r->json, ",\"index\":%zu,\"line\":%u,\"time\":%lld}", e->index + 1, (unsigned)e->entry->request.at.line,
               (long long)(e->duration_us / 1000));
}

static bool on_stopped(void *ctx)
{
    struct record *r = ctx;
    return r->c->stopped && r->c->stopped(NULL);
}

void record_init(struct record *r, const struct record_config *c, const struct journey *j, struct span source,
                 unsigned number)
{
    *r = (struct record){.c = c, .journey = j, .number = number, .started_ms = unix_ms()};
    r->listener = (struct trial_listener){.ctx = r,
                                          .begin = on_begin,
                                          .call = on_call,
                                          .result = on_result,
                                          .captured = on_captured,
                                          .end = on_end,
                                          .stopped = on_stopped};
    r->show = (struct show){.source = source, .file = j->file->name, .color = c->color};
    struct buf *const bufs[] = {&r->log,     &r->json,  &r->timeline, &r->commands, &r->output,
                                &r->asserts, &r->calls, &r->captures, &r->curl};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_init(bufs[i], RECORD_BYTES_MAX);
}

static void hide_again(struct buf *text, const struct secrets *secrets)
{
    struct buf hidden;
    buf_init(&hidden, RECORD_BYTES_MAX);
    secrets_hide(&hidden, secrets, buf_view(text));
    buf_done(text);
    *text = hidden;
}

/* A body that cannot be written anew must not stay. */
static void hide_in_file(const char *path, const struct secrets *secrets)
{
    AUTO_FREE char *bytes = NULL;
    size_t n;
    struct buf hidden;
    buf_init(&hidden, 4 * (size_t)BODY_BYTES_MAX);
    int code = file_read(path, 4 * (size_t)BODY_BYTES_MAX, &bytes, &n);
    if (code == 0)
        secrets_hide(&hidden, secrets, span_of(bytes, n));
    if (code < 0 || buf_error(&hidden) || file_write(path, hidden.len ? hidden.data : "", hidden.len) < 0)
        (void)unlink(path);
    buf_done(&hidden);
}

void record_finish(struct record *r)
{
    if (r->secrets->n == r->n_secrets)
        return;
    hide_again(&r->log, r->secrets);
    hide_again(&r->json, r->secrets);
    hide_again(&r->timeline, r->secrets);
    hide_again(&r->commands, r->secrets);
    for (size_t i = 0; i < r->n_failures; i++) {
        struct buf hidden;
        buf_init(&hidden, BODY_BYTES_MAX);
        secrets_hide(&hidden, r->secrets, span_str(r->failures[i].text));
        free(r->failures[i].text);
        r->failures[i].text = buf_take(&hidden, NULL);
    }
    for (size_t i = 0; i < r->n_stored; i++)
        hide_in_file(r->stored[i], r->secrets);
}

void record_done(struct record *r)
{
    for (size_t i = 0; i < r->n_stored; i++)
        free(r->stored[i]);
    free(r->stored);
    struct buf *const bufs[] = {&r->log,     &r->json,  &r->timeline, &r->commands, &r->output,
                                &r->asserts, &r->calls, &r->captures, &r->curl};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_done(bufs[i]);
    for (size_t i = 0; i < r->n_failures; i++)
        free(r->failures[i].text);
    free(r->failures);
}
