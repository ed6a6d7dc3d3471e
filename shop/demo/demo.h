/* demo.h - crest-demo: a sale from warm-up to summary, with the real programs, faults on a time-line, and the books compared at the end.
 *
 * main.c runs the time-line; stage.c starts and stops the programs and asks them; pager.c is the webhook's other end; history.c writes an hour of the
 * past; books.c compares PromQL with the shop's ledger. Everything lives in a run folder that is removed at the end. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/process.h"
#include "lib/wire/json.h"

enum program { GATEWAY, SHOP, COLLECTOR, AGENT, CUSTOMERS, PROGRAMS_RUN };

struct stage {
    char *dir;                /* run folder */
    const char *bin, *source; /* folder of the programs; folder of the demo's files */
    struct process *programs[PROGRAMS_RUN];
    char address[PROGRAMS_RUN][64]; /* HOST:PORT */
    bool fixed_ports;               /* the documented ports, when they are free */
};
/* Start gateway, shop, collector, agent, each ready before the next. Says what failed on stderr. */
MUST_USE int stage_open(struct stage *s, const char *webhook_url);
void stage_close(struct stage *s);
MUST_USE int stage_start_collector(struct stage *s, const char *webhook_url);
/* `stages` is the loadgen's list of DURATION:RATE; its JSON summary goes to DIR/customers.json. */
MUST_USE int stage_start_customers(struct stage *s, const char *stages);
/* PUT /control of the shop; the time (unix ms) of its answer. */
MUST_USE int stage_control(struct stage *s, const char *json, int64_t *ret_ms);
/* GET (or PUT/POST with a body) and parse the JSON answer; NULL after saying why. */
json_t *stage_json(struct stage *s, enum program who, const char *method, const char *path, const char *body);
/* An instant query; the vector's first value, or NAN. at_ms 0: now. */
double stage_query(struct stage *s, const char *query, int64_t at_ms);
json_t *stage_query_json(struct stage *s, const char *query, int64_t at_ms);

/* ---- the pager ---- */
struct pager;
struct page {
    int64_t starts_ms, received_ms, resolved_received_ms; /* 0: not yet */
};
MUST_USE int pager_open(struct pager **ret, char *url, size_t url_bytes);
void pager_close(struct pager *p);
/* The first page of that alert since `since_ms`; false: none. */
bool pager_find(struct pager *p, const char *alert, int64_t since_ms, struct page *ret);
/* Pages of alerts that none of the names expects (ended by NULL). */
size_t pager_unexpected(struct pager *p, const char *const *expected);

/* ---- history and books ---- */
MUST_USE int history_write(struct stage *s, int64_t until_ms, size_t *ret_samples);
/* Print each figure as PromQL answer and ledger; the number of differences. */
int books_compare(struct stage *s, int64_t start_ms, int64_t end_ms);
void books_load(struct stage *s, int64_t start_ms, int64_t end_ms);

/* A line of the story: seconds since the start, words. */
void story(const char *format, ...) PRINTF_LIKE(1, 2);
