/* alert.h - an alert as it leaves the rules, and the sink it leaves through. Plain data, included by rules and notify; the wires are
 * drawn in main.c. */
#pragma once

#include "lib/db/db.h"
#include "lib/metric/labels.h"

struct alert {
    struct labels labels, annotations; /* alertname included */
    int64_t starts_ms;                 /* when it began to fire */
    int64_t ends_ms;                   /* resolved: when; firing: ts + 4 × max(interval, resend delay) */
    int64_t updated_ms;                /* evaluation time */
    bool resolved;
    double value;
    struct span generator_url;
};
/* accept() is called inside the state writer's transaction, with its connection, so that alert state and the delivery rows it
 * causes are one commit. After the commit, committed() is called once per transaction (wake the delivery loop). */
struct alert_sink {
    void *ctx;
    int (*accept)(void *ctx, struct db *db, const struct alert *alerts, size_t n);
    void (*committed)(void *ctx);
};
