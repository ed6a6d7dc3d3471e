/* demo.h - crest-demo: a sale from warm-up to report, with the real programs, faults on a time-line, and the books compared at the end.
 *
 * main.c opens and closes; sale.c runs the time-line; show.c tells the story, on a terminal below crest-tui; stage.c starts and stops the programs
 * and asks them; event.c names the sale to the collector, marks its time-line and fetches its report; pager.c is the webhook's other end; history.c
 * writes an hour of the past; books.c compares PromQL with the shop's ledger. Everything lives in a run folder that is removed at the end, but the
 * report. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/process.h"
#include "lib/wire/json.h"

/* ---- the show: the story in lines, and on a terminal crest-tui above it ---- */
struct show;
/* The story goes to DIR/story.txt, and to stdout while no console has the screen. */
MUST_USE int show_open(const char *dir, struct show **ret);
/* Gives the screen back first. NULL is fine. */
void show_close(struct show *w);
/* Second 0 of the story is now. */
void show_start_clock(struct show *w);
int64_t show_clock_ms(const struct show *w); /* since then */
/* A line of the story: seconds since the start, words. From any thread. */
void show_say(struct show *w, const char *format, ...) PRINTF_LIKE(2, 3);
/* Where to watch: the page, how to reach it from afar, the terminal. */
void show_addresses(struct show *w, const char *bin, const char *collector, bool terminal);
/* crest-tui takes the screen, stderr goes to DIR/demo.log until it is given back. */
MUST_USE int show_take_screen(struct show *w, const char *bin, const char *collector);
/* Ends crest-tui when it runs, and prints what was told meanwhile. */
void show_give_screen_back(struct show *w);
/* Wait up to ms, until a stop is asked for. Asks for it when the viewer leaves crest-tui, or the terminal goes. */
void show_wait(struct show *w, int64_t ms);
/* The viewer has left by q or Ctrl-C in crest-tui: no failure. */
bool show_was_left(const struct show *w);

/* ---- the programs ---- */
enum program { GATEWAY, SHOP, COLLECTOR, AGENT, VISITORS, CUSTOMERS, PROGRAMS_RUN };

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
/* `stages` is the loadgen's list of DURATION:RATE. VISITORS only look around; CUSTOMERS buy, too, and what they met is written to
 * DIR/customers.json. */
MUST_USE int stage_start_load(struct stage *s, enum program who, const char *stages);
/* PUT /control of the shop; the time (unix ms) of its answer. */
MUST_USE int stage_control(struct stage *s, const char *json, int64_t *ret_ms);
/* GET (or PUT/POST with a body) and parse the JSON answer; NULL after saying why. */
json_t *stage_json(struct stage *s, enum program who, const char *method, const char *path, const char *body);
/* An instant query; the vector's first value, or NAN. at_ms 0: now. */
double stage_query(struct stage *s, const char *query, int64_t at_ms);
json_t *stage_query_json(struct stage *s, const char *query, int64_t at_ms);

/* ---- the sale as the collector knows it ---- */
#define EVENT_NAME "demo-sale"
/* event.yml with plan and last event, its doors opening at doors_ms. An import replaces the one before. */
MUST_USE int event_import(struct stage *s, int64_t doors_ms, int64_t closes_ms);
/* An annotation; a failure is said, and no more. */
void event_mark(struct stage *s, const char *kind, const char *service, const char *text);
MUST_USE int event_report(struct stage *s, const char *path);

/* ---- faults, and the pager ---- */
struct fault {
    const char *name, *alert;
    atomic_llong cause_ms, cure_ms; /* 0: not yet */
};
struct pager;
struct page {
    int64_t starts_ms, received_ms, resolved_received_ms; /* 0: not yet */
};
/* Says each page, with the seconds since the cause when one of the faults explains it. */
MUST_USE int pager_open(struct show *w, const struct fault *faults, size_t n, struct pager **ret, char *url,
                        size_t url_bytes);
void pager_close(struct pager *p);
/* The first page of that alert since `since_ms`; false: none. */
bool pager_find(struct pager *p, const char *alert, int64_t since_ms, struct page *ret);
/* Pages of alerts that none of the names expects (ended by NULL). */
size_t pager_unexpected(struct pager *p, const char *const *expected);

/* ---- the time-line ---- */
#define FAULTS 4
struct demo {
    struct stage stage;
    struct show *show;
    struct pager *pager;
    char webhook[128];
    struct fault faults[FAULTS];
    int64_t seconds;
    int64_t doors_ms, closes_ms; /* the event's window, and that of the books */
    int64_t killed_ms;           /* when the collector was; 0: not yet */
    int failures;
};
#define DOORS_AT_MS 10000
#define CLOSING_MS 8000 /* before the end of the demo: summary and report come then */
/* From doors open until the last order is stored; stops early when a stop was asked for. */
void sale_run(struct demo *d);

/* ---- history and books ---- */
MUST_USE int history_write(struct stage *s, int64_t until_ms, size_t *ret_samples);
/* Print each figure as PromQL answer and ledger; the number of differences. */
int books_compare(struct stage *s, int64_t start_ms, int64_t end_ms);
void books_load(struct stage *s, int64_t start_ms, int64_t end_ms);
