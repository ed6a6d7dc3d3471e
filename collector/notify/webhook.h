/* webhook.h - the body of a webhook delivery: Alertmanager's JSON version 4
 * (prometheus.io/docs/alerting/latest/configuration/#webhook_config).
 *
 *   webhook_group_key(&key, alertname);                       // {}:{alertname="Slow"}
 *   webhook_body(&body, alerts, n, external_url);             // all of one alertname */
#pragma once

#include "collector/alert.h"
#include "lib/base/buf.h"

#define WEBHOOK_RECEIVER "webhook"

void webhook_group_key(struct buf *out, struct span alertname);
/* The alerts (n > 0) are written in the order given. Errors stick in out. */
void webhook_body(struct buf *out, const struct alert *const *alerts, size_t n, const char *external_url);
