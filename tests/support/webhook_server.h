/* webhook_server.h - a receiver of webhooks for tests: keeps every body, answers as told.
 *
 *   struct webhook_server *s;
 *   check_ok(webhook_server_start(0, &s));
 *   webhook_server_answer(s, &(struct webhook_answer){.status = 503, .retry_after_s = 1});   // the next request; then 200
 *   ... webhook_server_url(s) ...
 *   assert_true(webhook_server_wait(s, 2, 5000));
 *   json_t *body = webhook_server_body(s, 0);       // borrowed
 *   webhook_server_stop(s);
 *
 * Listens on 127.0.0.1. Connections are kept alive, one thread each. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct webhook_server;
struct webhook_answer {
    int status;        /* 0: close the connection without an answer */
    int retry_after_s; /* header, when > 0 */
    int64_t delay_ms;  /* before the answer */
};
MUST_USE int webhook_server_start(uint16_t port, struct webhook_server **ret);
void webhook_server_stop(struct webhook_server *s);
uint16_t webhook_server_port(const struct webhook_server *s);
const char *webhook_server_url(const struct webhook_server *s);
/* Appended to what the coming requests get, in order; when the list is empty: 200. */
void webhook_server_answer(struct webhook_server *s, const struct webhook_answer *answer);
/* Wait until n requests have come; timeout_ms times check_patience(). */
bool webhook_server_wait(struct webhook_server *s, size_t n, int64_t timeout_ms);
size_t webhook_server_count(struct webhook_server *s);
/* The i-th body in order of arrival; NULL when it was no JSON. Status that it was answered with, and when it came. */
json_t *webhook_server_body(struct webhook_server *s, size_t i);
int webhook_server_status(struct webhook_server *s, size_t i);
int64_t webhook_server_at_us(struct webhook_server *s, size_t i);
/* "status alertname/label" of alert k of request i, for short comparisons; label may be NULL. */
const char *webhook_server_alert(struct webhook_server *s, size_t i, size_t k, const char *label, char *text,
                                 size_t bytes);
