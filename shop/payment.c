/* The call to the payment gateway, made while the database session is held. */
#include "shop/visit.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/http_client.h"

static void read_quota(struct shop_metrics *m, const struct http_response *response)
{
    uint64_t limit, left;
    if (parse_u64_span(http_response_header(response, "ratelimit-limit"), 1u << 30, &limit) < 0 ||
        parse_u64_span(http_response_header(response, "ratelimit-remaining"), limit, &left) < 0)
        return;
    atomic_store(&m->quota_limit, (long)limit);
    atomic_store(&m->quota_used, (long)(limit - left));
}

static enum payment outcome_of(const struct http_response *response, int e, char *id, size_t id_bytes)
{
    struct parse_error error = {0};
    if (e == -ETIMEDOUT)
        return PAYMENT_TIMEOUT;
    if (e < 0)
        return PAYMENT_ERROR;
    if (response->status == 429)
        return PAYMENT_RATE_LIMITED;
    if (response->status == 504)
        return PAYMENT_TIMEOUT;
    if (response->status != 200)
        return PAYMENT_ERROR;
    json_t *body = json_read(buf_view(&response->body), &error);
    const char *status = json_string_value(json_object_get(body, "status")),
               *text = json_string_value(json_object_get(body, "id"));
    enum payment p = PAYMENT_ERROR;
    if (status && text && strcmp(status, "approved") == 0)
        p = PAYMENT_APPROVED;
    else if (status && strcmp(status, "declined") == 0)
        p = PAYMENT_DECLINED;
    snprintf(id, id_bytes, "%s", text ? text : "");
    json_decref(body);
    return p;
}

void payment_call(struct visit *v, int64_t amount_minor, struct span card, struct payment_result *ret)
{
    static const enum call_outcome CALLS[PAYMENTS] = {
        [PAYMENT_ERROR] = CALL_ERROR, [PAYMENT_TIMEOUT] = CALL_TIMEOUT, [PAYMENT_RATE_LIMITED] = CALL_RATE_LIMITED};
    struct shop *shop = v->shop;
    struct buf body;
    struct json_writer j;
    char url[512], run[128];
    struct span run_header = httpd_header(v->request, "X-Crest-Run");
    snprintf(url, sizeof url, "%s/v1/payments", shop->gateway_url);
    snprintf(run, sizeof run, "X-Crest-Run: " SPAN_FMT, SPAN_ARG(run_header));
    buf_init(&body, 4096);
    jw_init(&j, &body);
    jw_object(&j);
    jw_key(&j, "amount");
    jw_i64(&j, amount_minor);
    jw_key(&j, "currency");
    jw_str(&j, CURRENCIES[v->session.market]);
    jw_key(&j, "card");
    jw_text(&j, card);
    jw_key(&j, "reference");
    jw_str(&j, v->session.id);
    jw_end(&j);
    const char *headers[] = {"Content-Type: application/json", run_header.len ? run : NULL, NULL};
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .body = buf_view(&body),
                                   .timeout_ms = shop->gateway_timeout_ms,
                                   .body_bytes_max = 65536};
    struct http_response response = {0};
    int64_t start = mono_us();
    int slot = inflight_begin(shop->metrics, STEPS + DEPENDENCY_GATEWAY, v->source, start);
    int e = http_fetch(&request, &response);
    inflight_end(shop->metrics, slot);
    if (e == 0)
        read_quota(shop->metrics, &response);
    ret->outcome = outcome_of(&response, e, ret->id, sizeof ret->id);
    duration_record(&shop->metrics->dependency_seconds[DEPENDENCY_GATEWAY][CALLS[ret->outcome]][v->source],
                    mono_us() - start);
    count_add(&shop->metrics->payments[ret->outcome][v->session.market][v->session.channel][v->source], 1);
    http_response_done(&response);
    buf_done(&body);
}
