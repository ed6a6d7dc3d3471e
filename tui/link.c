#include "tui/link.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/wire/http_client.h"
#include "lib/wire/url.h"
#include "tui/words.h"
#include "lib/base/limits.h"

#define WAIT_MIN_MS 500
#define WAIT_MAX_MS 10000
#define SILENCE_MS 15000
#define REQUEST_TIMEOUT_MS 10000
#define CONNECT_TIMEOUT_MS 5000
#define URL_BYTES_MAX 2048

struct asked { /* a request on its way */
    struct link *link;
    enum app_request kind;
    uint64_t tag;
};
struct link {
    char url[URL_BYTES_MAX], *ca_file, *auth_file;
    struct http_client *client;
    struct app *app;
    struct sse sse;
    void (*on_event)(void *ctx, const struct sse_event *event);
    void *ctx;
    uint64_t stream_id;
    bool streaming, connected, silent, broken;
    int64_t mono_ms, retry_at_ms, wait_ms, heard_ms;
    unsigned failures;
    char why[160], words[256];
};

int link_new(const struct link_config *config, struct link **ret, const char **ret_why)
{
    struct url u;
    int r = url_parse(&u, span_str(config->url), ret_why);
    if (r < 0)
        return r;
    *ret_why = "out of memory";
    size_t n = strlen(config->url);
    while (n > 0 && config->url[n - 1] == '/')
        n--;
    if (n >= URL_BYTES_MAX / 2) {
        *ret_why = "the URL is too long";
        return -EINVAL;
    }
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    snprintf(l->url, sizeof l->url, "%.*s", (int)n, config->url);
    sse_init(&l->sse);
    l->on_event = config->on_event;
    l->ctx = config->ctx;
    l->wait_ms = WAIT_MIN_MS;
    if (config->ca_file && !(l->ca_file = strdup(config->ca_file)))
        r = -ENOMEM;
    if (config->auth_file && !(l->auth_file = strdup(config->auth_file)))
        r = -ENOMEM;
    if (r == 0)
        r = http_client_new(&l->client);
    if (r < 0) {
        link_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

void link_attach(struct link *l, struct app *app)
{
    l->app = app;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    l->app = NULL; /* callbacks of what is cancelled must not reach it */
    http_client_free(l->client);
    sse_done(&l->sse);
    free(l->ca_file);
    free(l->auth_file);
    free(l);
}

int link_fd(const struct link *l)
{
    return http_client_fd(l->client);
}

const char *link_words(const struct link *l)
{
    return l->words;
}

const char *link_why(const struct link *l)
{
    return l->why;
}

unsigned link_failures(const struct link *l)
{
    return l->failures;
}

/* ---- the stream ------------------------------------------------------------------------------------------- */

static bool is_ours(const char *event)
{
    static const char *const OURS[] = {"snapshot", "delta", "alert", "hb"};
    for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
        if (strcmp(OURS[i], event) == 0)
            return true;
    return false;
}

static void on_event(void *ctx, const struct sse_event *event)
{
    struct link *l = ctx;
    if (!l->connected &&
        is_ours(event->name)) { /* some other server's 200 is no connection: it is not asked again at once */
        l->connected = true;
        l->failures = 0;
        l->wait_ms = WAIT_MIN_MS;
        if (l->app)
            app_connected(l->app, l->mono_ms);
    }
    if (l->app)
        app_frame(l->app, event, l->mono_ms);
    if (l->on_event)
        l->on_event(l->ctx, event);
}

static bool on_data(void *ctx, struct span piece)
{
    struct link *l = ctx;
    l->heard_ms = l->mono_ms;
    if (sse_feed(&l->sse, piece, on_event, l))
        return true;
    l->broken = true;
    return false;
}

static void say_waiting(struct link *l)
{
    char wait[WORDS_MAX];
    int64_t left = l->retry_at_ms - l->mono_ms;
    if (l->streaming)
        snprintf(l->words, sizeof l->words, "connecting (%s)", l->why);
    else
        snprintf(l->words, sizeof l->words, "%s; trying again in %s", l->why,
                 words_seconds(wait, (double)((left + 999) / 1000)));
    if (l->app && !l->connected)
        app_disconnected(l->app, l->words);
}

static void on_stream_end(void *ctx, struct http_response *response)
{
    struct link *l = ctx;
    int64_t asked_ms = http_retry_after_ms(response);
    bool was_ours = l->connected;
    if (l->broken)
        snprintf(l->why, sizeof l->why, "what comes is not a stream of ours");
    else if (l->silent)
        snprintf(l->why, sizeof l->why, "the collector was silent for %d s", SILENCE_MS / 1000);
    else if (response->error)
        snprintf(l->why, sizeof l->why, "%s", response->error_text);
    else if (response->status == 404)
        snprintf(l->why, sizeof l->why, "this collector has no stream (HTTP 404): is it old?");
    else if (response->status == 401)
        snprintf(l->why, sizeof l->why, "the collector wants %s (HTTP 401)",
                 l->auth_file ? "other credentials than --auth-file has" : "credentials: --auth-file FILE");
    else if (response->status == 403)
        snprintf(l->why, sizeof l->why, "the collector refuses (HTTP 403): not for this name or these credentials");
    else if (response->status / 100 != 2)
        snprintf(l->why, sizeof l->why, "the collector answers HTTP %d", response->status);
    else if (!was_ours)
        snprintf(l->why, sizeof l->why, "what answers is no collector: its stream had no frame");
    else
        snprintf(l->why, sizeof l->why, "the collector ended the stream");
    l->streaming = l->connected = l->silent = l->broken = false;
    int64_t wait = l->wait_ms + (int64_t)((uint64_t)mono_ns() % (uint64_t)(l->wait_ms / 5 + 1));
    if (asked_ms > wait)
        wait = asked_ms < 60000 ? asked_ms : 60000;
    l->retry_at_ms = l->mono_ms + wait;
    l->wait_ms = l->wait_ms * 2 < WAIT_MAX_MS ? l->wait_ms * 2 : WAIT_MAX_MS;
    l->failures++;
    say_waiting(l);
}

static void start_stream(struct link *l)
{
    char url[URL_BYTES_MAX + 64], last[SSE_ID_BYTES_MAX + 32];
    snprintf(url, sizeof url, "%s/api/crest/v1/stream", l->url);
    snprintf(last, sizeof last, "Last-Event-ID: %s", l->sse.id);
    const char *headers[] = {"Accept: text/event-stream", l->sse.id[0] ? last : NULL, NULL};
    struct http_credentials credentials = {.ca_file = l->ca_file, .bearer_file = l->auth_file};
    sse_reset(&l->sse);
    l->silent = l->broken = false;
    l->heard_ms = l->mono_ms;
    int r = http_send(l->client,
                      &(struct http_request){.url = url,
                                             .headers = headers,
                                             .credentials = &credentials,
                                             .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                             .no_reuse = true,
                                             .body_bytes_max = 65536,
                                             .on_data = on_data,
                                             .on_data_ctx = l},
                      on_stream_end, l, &l->stream_id);
    l->streaming = r == 0;
    if (r < 0) {
        snprintf(l->why, sizeof l->why, "%s", strerror(-r));
        l->retry_at_ms = l->mono_ms + WAIT_MAX_MS;
    }
}

int64_t link_timeout_ms(const struct link *l, int64_t mono_ms)
{
    int64_t wait = http_client_timeout_ms(l->client), mine = l->streaming ? SILENCE_MS : l->retry_at_ms - mono_ms;
    if (mine < 0)
        mine = 0;
    return wait < 0 || mine < wait ? mine : wait;
}

void link_step(struct link *l, int64_t mono_ms)
{
    l->mono_ms = mono_ms;
    if (!l->streaming && mono_ms >= l->retry_at_ms)
        start_stream(l);
    if (l->streaming && mono_ms - l->heard_ms >= SILENCE_MS) {
        l->silent = true;
        http_cancel(l->client, l->stream_id);
    }
    http_client_step(l->client);
    if (!l->connected && l->failures > 0)
        say_waiting(l);
}

/* ---- single requests -------------------------------------------------------------------------------------- */

static void on_answer(void *ctx, struct http_response *response)
{
    struct asked *a = ctx;
    if (a->link->app)
        app_answer(a->link->app, a->kind, a->tag, response->error ? 0 : response->status, buf_view(&response->body),
                   response->error_text);
    free(a);
}

static int send_request(void *ctx, enum app_request kind, uint64_t tag, const char *path, const char *body)
{
    struct link *l = ctx;
    struct asked *a = malloc(sizeof *a);
    char *url = NULL;
    if (!a || asprintf(&url, "%s%s", l->url, path) < 0) {
        free(a);
        return -ENOMEM;
    }
    *a = (struct asked){l, kind, tag};
    static const char *const JSON[] = {"Content-Type: application/json", NULL};
    struct http_credentials credentials = {.ca_file = l->ca_file, .bearer_file = l->auth_file};
    int r = http_send(l->client,
                      &(struct http_request){.url = url,
                                             .headers = body ? JSON : NULL,
                                             .body = span_str(body),
                                             .credentials = &credentials,
                                             .timeout_ms = REQUEST_TIMEOUT_MS,
                                             .body_bytes_max = CONSOLE_ANSWER_BYTES_MAX},
                      on_answer, a, NULL);
    free(url);
    if (r < 0)
        free(a);
    return r;
}

struct app_wire link_wire(struct link *l)
{
    return (struct app_wire){l, send_request};
}
