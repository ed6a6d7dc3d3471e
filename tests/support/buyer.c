#include "tests/support/buyer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/http_client.h"

/* The parsed answer (the caller json_decref()s, may be NULL) and the status, negative without one. */
static int request(struct buyer *b, const char *path, const char *body, json_t **ret)
{
    char url[512], cookie[160], run[160];
    const char *headers[4] = {"Content-Type: application/json"};
    size_t n = 1;
    struct http_response response = {0};
    snprintf(url, sizeof url, "%s%s%s%s", b->url, path, b->query && !b->cookie[0] ? "?" : "",
             b->query && !b->cookie[0] ? b->query : "");
    snprintf(cookie, sizeof cookie, "Cookie: %s", b->cookie);
    snprintf(run, sizeof run, "X-Crest-Run: %s", b->run ? b->run : "");
    if (b->cookie[0])
        headers[n++] = cookie;
    if (b->run)
        headers[n++] = run;
    headers[n] = NULL;
    struct http_request r = {
        .method = "POST", .url = url, .headers = headers, .body = span_str(body), .timeout_ms = 60000};
    int status = http_fetch(&r, &response);
    if (status == 0) {
        struct span set = http_response_header(&response, "set-cookie");
        if (set.len)
            snprintf(b->cookie, sizeof b->cookie, SPAN_FMT, SPAN_ARG(span_of(set.ptr, span_find(set, ';'))));
        *ret = json_loadb(response.body.data ? response.body.data : "", response.body.len, 0, NULL);
        status = response.status;
    } else {
        snprintf(b->failure, sizeof b->failure, "%s: %s", path, response.error_text);
    }
    http_response_done(&response);
    return status;
}

static int must(struct buyer *b, const char *path, const char *body)
{
    json_t *answer = NULL;
    int status = request(b, path, body, &answer);
    bool ok = status == 200 && json_is_true(json_object_get(answer, "ok"));
    if (!ok && status >= 0)
        snprintf(b->failure, sizeof b->failure, "%s: %d", path, status);
    json_decref(answer);
    return ok ? 0 : -1;
}

int buyer_add(struct buyer *b, const char *sku, unsigned quantity)
{
    char body[128];
    snprintf(body, sizeof body, "{\"sku\":\"%s\",\"quantity\":%u}", sku, quantity);
    return must(b, "/api/cart", body);
}

int buyer_check_out(struct buyer *b)
{
    int r = must(b, "/api/checkout/address",
                 "{\"name\":\"Ada\",\"street\":\"Main St 1\",\"city\":\"Bonn\",\"postcode\":\"53111\"}");
    return r < 0 ? r : must(b, "/api/checkout/shipping", "{\"method\":\"standard\"}");
}

struct paid buyer_pay(struct buyer *b, const char *card)
{
    struct paid paid = {0};
    json_t *answer = NULL;
    char body[64];
    snprintf(body, sizeof body, "{\"card\":\"%s\"}", card);
    paid.status = request(b, "/api/checkout/payment", body, &answer);
    const char *type = json_string_value(json_object_get(json_object_get(answer, "error"), "type"));
    json_t *order = json_object_get(answer, "order");
    snprintf(paid.error, sizeof paid.error, "%s", type ? type : "");
    paid.order = json_integer_value(json_object_get(order, "id"));
    paid.amount = json_integer_value(json_object_get(order, "amount"));
    json_decref(answer);
    return paid;
}

struct paid buyer_buy(struct buyer *b, const char *sku, unsigned quantity, const char *card)
{
    if (buyer_add(b, sku, quantity) < 0 || buyer_check_out(b) < 0)
        return (struct paid){.status = -1};
    return buyer_pay(b, card);
}
