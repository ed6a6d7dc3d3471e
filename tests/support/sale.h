/* sale.h - a small sale for tests and benches: gateway, shop, collector and agent wired together, and customers who pay.
 *
 *   struct sale *s = sale_open();                            // the shipped rules, scrapes once a second
 *   struct customers *c = customers_start(s->shop, 6, 0);    // six checkouts a second
 *   sale_control(s, "{\"gateway\":{\"error_ratio\":1}}");
 *   assert_true(sale_wait_alert(s, "firing PaymentGatewayErrors", 0, 5000, &at_us));
 *   customers_stop(c);
 *   sale_close(s);
 *
 * Built on e2e.h: what goes wrong fails the test, and e2e_teardown ends what is left. */
#pragma once

#include "tests/support/e2e.h"
#include "tests/support/webhook_server.h"

struct sale {
    struct e2e_program *gateway, *shop, *collector, *agent;
    struct webhook_server *pager;
};
struct sale *sale_open(void);
/* Ends everything; each program must end by itself with 0. */
void sale_close(struct sale *s);
/* PUT /control of the shop; returns mono_us() at its answer. */
int64_t sale_control(struct sale *s, const char *json);
/* Wait for an alert whose "status alertname" is `what` in a request at or after the `from`-th. *ret_at_us: when that request came.
 * False: not within timeout_ms. ret_at_us may be NULL. */
bool sale_wait_alert(struct sale *s, const char *what, size_t from, int64_t timeout_ms, int64_t *ret_at_us);
/* The value of an instant query's first series at this moment; NAN: no series. */
double sale_query(struct sale *s, const char *query);

/* ---- customers ---- */
struct customers;
struct customer_counts {
    uint64_t visits, payments, approved, declined,
        errors;    /* errors: anything else than an answer with ok or a decline */
    uint64_t late; /* visits that began more than a second after their time */
};
/* `checkouts_per_s` visitors put an article into the cart and pay; `browsers_per_s` look at pages only. Evenly spaced, from as many
 * threads as that needs while an answer takes less than a second. */
struct customers *customers_start(const struct e2e_program *shop, double checkouts_per_s, double browsers_per_s);
/* New rates from now on, each at most what was given at the start. */
void customers_pace(struct customers *c, double checkouts_per_s, double browsers_per_s);
struct customer_counts customers_count(struct customers *c);
/* mono_us() of the n-th payment error (from 0) since the start; 0: not so many yet, or longer ago than the last 1024. */
int64_t customers_error_us(struct customers *c, uint64_t n);
void customers_stop(struct customers *c);
