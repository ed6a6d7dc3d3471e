/* Asking another Prometheus: one request at a time over one connection, and what its refusals mean. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "collector/store/history_inside.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"
#include "lib/wire/remote_read.h"
#include "lib/wire/url.h"

#define READ_BYTES_MAX (4u << 20)   /* compressed; some 600,000 samples */
#define MATRIX_BYTES_MAX (8u << 20) /* JSON: 25 bytes a sample there, 200 here */
#define NAMES_BYTES_MAX (64u << 20) /* a million names */
#define QUERY_BYTES_ALL (4u << 20)  /* form with selectors */
#define WAIT_FIRST_MS 250
#define WAIT_MAX_MS 10000
#define WAIT_ASKED_MAX_MS 60000 /* Retry-After */
#define REASON_BYTES_MAX 200

/* What an answer means for the next try. */
enum meaning { MEANS_OK, MEANS_TOO_LARGE, MEANS_LATER, MEANS_NO };

int history_server_init(struct history_server *s, struct history *h, char *why, size_t why_bytes)
{
    struct span base = span_str(h->url);
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    *s = (struct history_server){.h = h, .why = why, .why_bytes = why_bytes};
    s->base = span_dup(base);
    return s->base ? http_client_new(&s->client) : -ENOMEM;
}

void history_server_done(struct history_server *s)
{
    http_client_free(s->client);
    free(s->base);
}

/* ---- one request ---- */
struct fetched {
    struct http_response *into;
    bool done;
};

static void on_response(void *ctx, struct http_response *response)
{
    struct fetched *f = ctx;
    *f->into = *response;
    response->headers = response->body = (struct buf){0};
    f->done = true;
}

static int fetch(struct history_server *s, struct http_request *request, struct http_response *response)
{
    struct fetched f = {.into = response};
    *response = (struct http_response){0};
    request->credentials = s->h->credentials;
    request->timeout_ms = s->h->timeout_ms;
    s->h->requests++;
    int r = http_send(s->client, request, on_response, &f, NULL);
    while (r == 0 && !f.done) {
        struct pollfd p = {.fd = http_client_fd(s->client), .events = POLLIN};
        int64_t wait_ms = http_client_timeout_ms(s->client);
        (void)poll(&p, 1, wait_ms < 0 || wait_ms > 1000 ? 1000 : (int)wait_ms);
        http_client_step(s->client);
    }
    return r;
}

/* The server's words, as far as a terminal should see them. */
static void say(struct history_server *s, const struct http_response *response, const char *otherwise)
{
    char words[REASON_BYTES_MAX + 1];
    size_t n = 0;
    struct parse_error error = {0};
    struct span body = buf_view(&response->body);
    json_t *answer = body.len && body.len < 65536 && body.ptr[0] == '{' ? json_read(body, &error) : NULL;
    const char *told = json_string_value(json_object_get(answer, "error"));
    struct span text = told ? span_str(told) : span_of(body.ptr, span_find(body, '\n'));
    if (!told && text.len && text.ptr[0] == '<')
        text.len = 0;
    for (size_t i = 0; i < text.len && n < REASON_BYTES_MAX; i++)
        words[n++] = (unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f ? '?' : text.ptr[i];
    words[n] = '\0';
    json_decref(answer);
    if (response->status && response->error == 0)
        (void)snprintf(s->why, s->why_bytes, "%s: HTTP %d: %s", s->base, response->status, n ? words : otherwise);
    else
        (void)snprintf(s->why, s->why_bytes, "%s: %s", s->base,
                       response->error_text[0] ? response->error_text : strerror(-response->error));
}

/* What was wrong with an answer is said with where it came from. */
static void say_where(struct history_server *s)
{
    char what[256];
    (void)snprintf(what, sizeof what, "%.250s", s->why);
    (void)snprintf(s->why, s->why_bytes, "%s: %s", s->base, what);
}

static enum meaning meaning_of(struct history_server *s, const struct http_response *response)
{
    int status = response->status;
    if (response->error == -EFBIG)
        return MEANS_TOO_LARGE;
    if (response->error < 0) { /* a name or a port that is mistyped is not worth waiting for */
        bool passes = response->error == -ETIMEDOUT || response->error == -ECONNREFUSED ||
                      response->error == -ECONNRESET || response->error == -EHOSTUNREACH || response->error == -EPROTO;
        return s->answered && passes ? MEANS_LATER : MEANS_NO;
    }
    if (status == 429 || status / 100 == 5)
        return MEANS_LATER;
    s->answered = s->answered || status / 100 == 2;
    return status / 100 == 2 ? MEANS_OK : status == 413 || status == 422 ? MEANS_TOO_LARGE : MEANS_NO;
}

static int final_error(const struct http_response *response)
{
    if (response->error < 0)
        return response->error;
    return response->status == 401 || response->status == 403 ? -EACCES : -EINVAL;
}

static int64_t wait_of(const struct http_response *response, int attempt)
{
    int64_t asked_ms = response->status ? http_retry_after_ms(response) : -1;
    int64_t wait_ms = attempt > 5 ? WAIT_MAX_MS : (int64_t)WAIT_FIRST_MS << attempt;
    wait_ms = wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms;
    return asked_ms > wait_ms ? asked_ms < WAIT_ASKED_MAX_MS ? asked_ms : WAIT_ASKED_MAX_MS : wait_ms;
}

/* A GET whose answer cannot be made smaller, repeated while that may help. Its 2xx body in response. */
static int get(struct history_server *s, const char *path, struct http_response *response)
{
    AUTO_FREE char *url = NULL;
    int64_t since_us = mono_us();
    if (asprintf(&url, "%s%s", s->base, path) < 0) {
        url = NULL;
        return -ENOMEM;
    }
    struct http_request request = {.url = url, .body_bytes_max = NAMES_BYTES_MAX, .accept_encoding = true};
    for (int attempt = 0;; attempt++) {
        int r = fetch(s, &request, response);
        if (r < 0)
            return r;
        enum meaning meaning = meaning_of(s, response);
        if (meaning == MEANS_OK)
            return 0;
        say(s, response, "it does not say why");
        r = meaning == MEANS_TOO_LARGE ? -EFBIG : final_error(response);
        int64_t wait_ms = wait_of(response, attempt);
        http_response_done(response);
        if (meaning != MEANS_LATER || mono_us() - since_us > s->h->retry_ms * 1000)
            return r;
        sleep_us(wait_ms * 1000);
        s->why[0] = '\0';
    }
}

/* ---- remote read ---- */
static int read_request(struct history_server *s, const struct history_window *w, struct buf *body)
{
    struct remote_read_matcher matchers[64];
    size_t n = 1;
    matchers[0] = (struct remote_read_matcher){REMOTE_READ_EQUAL, SPAN("__name__"), w->name};
    for (size_t i = 0; w->selection && i < w->selection->n_matchers; i++) {
        const struct matcher *m = &w->selection->matchers[i];
        if (n == ARRAY_LEN(matchers)) {
            (void)snprintf(s->why, s->why_bytes, "a selector of more than %zu matchers", ARRAY_LEN(matchers) - 1);
            return -E2BIG;
        }
        matchers[n].type = m->type == MATCH_EQUAL       ? REMOTE_READ_EQUAL
                           : m->type == MATCH_NOT_EQUAL ? REMOTE_READ_NOT_EQUAL
                           : m->type == MATCH_REGEX     ? REMOTE_READ_REGEX
                                                        : REMOTE_READ_NOT_REGEX;
        matchers[n].name = m->name;
        matchers[n++].value = m->value;
    }
    const struct remote_read_query query = {w->from_ms, w->to_ms, matchers, n};
    return remote_read_encode(&query, body);
}

static int post_read(struct history_server *s, const struct history_window *w, struct http_response *response)
{
    static const char *const HEADERS[] = {REMOTE_READ_HEADERS, NULL};
    AUTO_FREE char *url = NULL;
    struct buf body;
    buf_init(&body, QUERY_BYTES_ALL);
    int r = asprintf(&url, "%s/api/v1/read", s->base) < 0 ? -ENOMEM : read_request(s, w, &body);
    if (r == -E2BIG)
        r = -EINVAL; /* no shorter window helps */
    struct http_request request = {
        .method = "POST", .url = url, .headers = HEADERS, .body = buf_view(&body), .body_bytes_max = READ_BYTES_MAX};
    if (r == 0)
        r = fetch(s, &request, response);
    buf_done(&body);
    return r;
}

/* 0, or as remote_read_decode: is it an answer of remote read, and what is in it? */
static int take_read(struct history_server *s, const struct http_response *response, struct history_answer *ret)
{
    struct remote_write_report report;
    struct write_request *w;
    enum remote_write_protocol protocol;
    int r = remote_write_protocol_of(http_response_header(response, "content-type"),
                                     http_response_header(response, "content-encoding"), &protocol);
    if (r == 0)
        r = remote_read_decode(buf_view(&response->body), &w, &report);
    if (r < 0) {
        (void)snprintf(s->why, s->why_bytes, "%s",
                       r == -EFBIG ? "an answer of remote read is too large" : "this is no answer of remote read");
        return r;
    }
    *ret = (struct history_answer){.request = w, .refused = report.rejected_samples};
    for (size_t i = 0; i < w->n_series; i++) {
        ret->samples += w->series[i].n_samples;
        ret->histograms += w->series[i].n_histograms;
    }
    (void)snprintf(ret->refusal, sizeof ret->refusal, "%s", report.why);
    return 0;
}

int history_probe(struct history_server *s)
{
    const struct history_window nothing = {NULL, SPAN("crest_asks_for_remote_read"), s->h->from_ms, s->h->from_ms};
    int64_t since_us = mono_us();
    for (int attempt = 0;; attempt++) {
        struct http_response response = {0};
        struct history_answer a = {0};
        int r = post_read(s, &nothing, &response);
        if (r < 0)
            return r;
        enum meaning meaning = meaning_of(s, &response);
        bool refused = response.status == 401 || response.status == 403 || response.error < 0;
        if (meaning == MEANS_OK) {
            s->h->by_remote_read = take_read(s, &response, &a) == 0;
            write_request_free(a.request);
        } else {
            say(s, &response, "it does not say why");
        }
        r = final_error(&response);
        int64_t wait_ms = wait_of(&response, attempt);
        bool none = response.status == 501;
        http_response_done(&response);
        if (meaning == MEANS_NO && refused)
            return r;
        if (meaning != MEANS_LATER || none) { /* it knows no such path: range selectors */
            s->why[0] = '\0';
            return 0;
        }
        if (mono_us() - since_us > s->h->retry_ms * 1000)
            return r;
        sleep_us(wait_ms * 1000);
    }
}

/* ---- range selectors ---- */
static int post_query(struct history_server *s, const struct history_window *w, struct http_response *response)
{
    static const char *const HEADERS[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    AUTO_FREE char *url = NULL;
    char time[NUMBER_TEXT_MAX];
    struct buf selector, body;
    buf_init(&selector, QUERY_BYTES_ALL);
    buf_init(&body, QUERY_BYTES_ALL);
    history_selector(&selector, w->selection, w->name);
    buf_printf(&selector, "[%lldms]", (long long)(w->to_ms - w->from_ms + 1)); /* closed or open on its left side */
    (void)format_seconds_ms(time, w->to_ms);
    buf_printf(&body, "time=%s&query=", time);
    if (!buf_error(&selector))
        url_encode(&body, buf_view(&selector));
    int r = buf_error(&selector) ? -EINVAL : buf_error(&body) ? -EINVAL : 0;
    if (r == 0 && asprintf(&url, "%s/api/v1/query", s->base) < 0)
        r = -ENOMEM;
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = HEADERS,
                                   .body = buf_view(&body),
                                   .body_bytes_max = MATRIX_BYTES_MAX,
                                   .accept_encoding = true};
    if (r == 0)
        r = fetch(s, &request, response);
    buf_done(&selector);
    buf_done(&body);
    return r;
}

int history_ask_window(struct history_server *s, const struct history_window *w, int attempt,
                       struct history_answer *ret, int64_t *ret_wait_ms)
{
    struct http_response response = {0};
    bool read = s->h->by_remote_read;
    int r = read ? post_read(s, w, &response) : post_query(s, w, &response);
    if (r < 0)
        return r;
    enum meaning meaning = meaning_of(s, &response);
    if (read && response.status == 400) /* "exceeded sample limit" */
        meaning = MEANS_TOO_LARGE;
    if (meaning == MEANS_OK) {
        r = read ? take_read(s, &response, ret)
                 : history_read_matrix(buf_view(&response.body), w, ret, s->why, s->why_bytes);
        if (r < 0)
            say_where(s);
        if (r == -EFBIG)
            meaning = MEANS_TOO_LARGE;
        else if (r == -EBADMSG || r == -EPROTONOSUPPORT) /* cut off, or a page of something before it */
            meaning = MEANS_LATER;
    } else {
        say(s, &response, "it does not say why");
        r = final_error(&response);
    }
    *ret_wait_ms = meaning == MEANS_LATER ? wait_of(&response, attempt) : 0;
    http_response_done(&response);
    return meaning == MEANS_TOO_LARGE || meaning == MEANS_LATER ? -E2BIG : r;
}

/* ---- names and metadata ---- */
int history_ask_names(struct history_server *s, const struct store_selection *selection, struct history_names *ret)
{
    struct http_response response = {0};
    struct buf selector, path;
    char from[NUMBER_TEXT_MAX], to[NUMBER_TEXT_MAX];
    (void)format_seconds_ms(from, s->h->from_ms);
    (void)format_seconds_ms(to, s->h->to_ms);
    buf_init(&selector, QUERY_BYTES_ALL);
    buf_init(&path, QUERY_BYTES_ALL);
    buf_printf(&path, "/api/v1/label/__name__/values?start=%s&end=%s", from, to);
    if (selection) {
        history_selector(&selector, selection, SPAN(""));
        buf_str(&path, "&match%5B%5D=");
        url_encode(&path, buf_view(&selector));
    }
    int r = buf_error(&selector) || buf_error(&path) ? -EINVAL : get(s, path.data, &response);
    if (r == 0 && (r = history_read_names(buf_view(&response.body), ret, s->why, s->why_bytes)) < 0)
        say_where(s);
    http_response_done(&response);
    buf_done(&selector);
    buf_done(&path);
    return r;
}

int history_ask_metadata(struct history_server *s, const struct history_names *names, struct write_request **ret)
{
    struct http_response response = {0};
    int r = get(s, "/api/v1/metadata", &response);
    if (r == 0)
        r = history_read_metadata(buf_view(&response.body), names, ret, s->why, s->why_bytes);
    http_response_done(&response);
    if (r == -ENOMEM)
        return r;
    if (r < 0) { /* samples do without */
        *ret = NULL;
        s->why[0] = '\0';
    }
    return 0;
}
