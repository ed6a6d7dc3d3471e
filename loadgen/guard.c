#include "loadgen/guard.h"

#include <errno.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/wire/http_client.h"
#include "lib/wire/json.h"

#define PATH "/api/v1/alerts"

struct guard {
    char url[2048];
    struct http_credentials credentials;
    struct http_client *client;
    bool asking;
    int64_t asked_us, answered_us, blind_us;
    char reason[400], error[300];
};

int guard_new(const char *url, const char *auth_file, int64_t blind_ms, struct guard **ret)
{
    struct guard *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    size_t n = strlen(url);
    snprintf(g->url, sizeof g->url, "%.*s" PATH, (int)(n && url[n - 1] == '/' ? n - 1 : n), url);
    g->credentials.auth_file = auth_file;
    g->answered_us = mono_us();
    g->blind_us = blind_ms * 1000;
    int r = http_client_new(&g->client);
    if (r < 0) {
        guard_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    http_client_free(g->client);
    free(g);
}

const char *guard_reason(const struct guard *g)
{
    return g->reason[0] ? g->reason : NULL;
}

const char *guard_error(const struct guard *g)
{
    return g->error;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_page_about_customers(const json_t *alert)
{
    const json_t *labels = json_object_get(alert, "labels");
    return strcmp(text_of(alert, "state"), "firing") == 0 && strcmp(text_of(labels, "severity"), "page") == 0 &&
           text_of(labels, "source")[0] == 0;
}

/* What the person at the load generator must know, and no more than fits. */
static void blame(struct guard *g, const json_t *alert)
{
    const json_t *labels = json_object_get(alert, "labels"), *words = json_object_get(alert, "annotations");
    const char *service = text_of(labels, "service"), *summary = text_of(words, "summary");
    snprintf(g->reason, sizeof g->reason, "the guard ended it: %.100s fires%s%.80s with severity=\"page\"%s%.180s",
             text_of(labels, "alertname"), service[0] ? " for " : "", service, summary[0] ? ": " : "", summary);
}

MUST_USE static int read_alerts(struct guard *g, struct span body)
{
    struct parse_error error;
    json_t *root = json_read(body, &error);
    const json_t *alerts = json_object_get(json_object_get(root, "data"), "alerts");
    bool good = json_is_array(alerts);
    for (size_t i = 0; i < json_array_size(alerts) && !g->reason[0]; i++)
        if (is_page_about_customers(json_array_get(alerts, i)))
            blame(g, json_array_get(alerts, i));
    json_decref(root);
    return good ? 0 : -EBADMSG;
}

/* 0 or -errno; g->error says what it was. */
static int take(struct guard *g, struct http_response *response, int error)
{
    g->error[0] = 0;
    if (error < 0)
        snprintf(g->error, sizeof g->error, "%s: %s", g->url, response->error_text);
    else if (response->status != 200) {
        snprintf(g->error, sizeof g->error, "%s: status %d", g->url, response->status);
        error = -EPROTO;
    } else {
        error = read_alerts(g, buf_view(&response->body));
        if (error < 0)
            snprintf(g->error, sizeof g->error, "%s: its answer is no list of alerts", g->url);
    }
    if (error == 0)
        g->answered_us = mono_us();
    return error;
}

static void on_done(void *ctx, struct http_response *response)
{
    struct guard *g = ctx;
    g->asking = false;
    int r = take(g, response, response->error);
    (void)r; /* being blind for long is what counts: guard_step looks at it */
}

static struct http_request request_of(const struct guard *g)
{
    return (struct http_request){.url = g->url, .credentials = &g->credentials, .timeout_ms = GUARD_TIMEOUT_MS};
}

int guard_look(struct guard *g)
{
    struct http_request request = request_of(g);
    struct http_response response;
    int r = http_fetch(&request, &response);
    r = take(g, &response, r);
    http_response_done(&response);
    return r;
}

void guard_step(struct guard *g)
{
    int64_t now_us = mono_us();
    if (!g->asking && now_us - g->asked_us >= GUARD_EVERY_MS * 1000) {
        struct http_request request = request_of(g);
        g->asked_us = now_us;
        g->asking = http_send(g->client, &request, on_done, g, NULL) == 0;
    }
    http_client_step(g->client);
    if (!g->reason[0] && now_us - g->answered_us > g->blind_us)
        snprintf(g->reason, sizeof g->reason, "the guard ended it: it could not see for %g s (%.280s)",
                 (double)g->blind_us / 1e6, g->error[0] ? g->error : "no answer yet");
}
