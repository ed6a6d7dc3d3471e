/* visit.h - one request on its way through the shop: who, where, what came of it. The server makes it, a step
 * fills its answer, the page or JSON writer prints it. Private to shop/. */
#pragma once

#include "lib/base/buf.h"
#include "lib/httpd/httpd.h"
#include "shop/faults.h"
#include "shop/metrics.h"
#include "shop/sessions.h"

struct shop {
    struct shop_faults faults;
    struct shop_metrics *metrics;
    struct pool *pool;
    struct orders *orders;
    struct catalogue *catalogue;
    struct sessions *sessions;
    struct httpd *httpd;
    struct access_log *access_log;
    const char *gateway_url; /* without a trailing slash */
    int64_t gateway_timeout_ms;
    bool require_token; /* JSON needs the CSRF token, too, and each POST renews it */
};

struct visit {
    struct shop *shop;
    struct httpd_request *request;
    enum step step;
    bool html, posted;
    enum source source;
    struct session session;
    bool new_session;
    /* the answer */
    int status;
    enum outcome outcome;
    const char *error_type, *error_message; /* constants */
    char location[64];                      /* 303 to here when not empty */
    struct buf body;
    struct json_writer json; /* members after "ok":true; for pages the HTML is appended to body */
};

/* Fill the answer. Runs on a worker and may block. */
typedef void (*step_function)(struct visit *v);
extern const step_function STEP_FUNCTIONS[STEPS];

/* The answer is a failure: business ones are HTTP 200 with a type. */
void visit_fail(struct visit *v, int status, enum outcome outcome, const char *type, const char *message);
/* A form field or JSON member as text (numbers too), in the request's arena; empty when absent. A member of another type: empty, and
 * the answer is 400. */
struct span visit_field(struct visit *v, const char *name);
/* Hold a database session: waits, counts. false: the answer is 503 pool_timeout. */
bool visit_take_session(struct visit *v);
void visit_give_session(struct visit *v);

/* ---- pages ---- */
void page_begin(struct visit *v, const char *title);
void page_text(struct visit *v, struct span text); /* escaped */
void page_raw(struct visit *v, const char *html);
void page_printf(struct visit *v, const char *format, ...) PRINTF_LIKE(2, 3); /* no user text */
void page_price(struct visit *v, int64_t amount_minor);
void page_form(struct visit *v, const char *action);   /* opens a form with the CSRF token */
void page_quick_add(struct visit *v, const char *sku); /* a button whose script adds one by JSON, with the token */
void page_end(struct visit *v);
void page_error(struct visit *v);

/* ---- payment (payment.c) ---- */
struct payment_result {
    enum payment outcome;
    char id[48];
};
void payment_call(struct visit *v, int64_t amount_minor, struct span card, struct payment_result *ret);

/* ---- access log ---- */
struct access_log;
/* Either path may be NULL. -errno of open. */
MUST_USE int access_log_open(const char *combined_path, const char *json_path, struct access_log **ret);
void access_log_write(struct access_log *l, struct visit *v, const char *target, size_t body_bytes, int64_t took_us);
void access_log_close(struct access_log *l);
