/* view_internal.h - what the files of this room share.
 *
 *   view.c      life, sources, status
 *   refresh.c   one look at signals, targets and alerts per frame
 *   services.c  a service's state, in words, and its signals
 *   fold.c      markets, steps, dependencies: several signals of the same labels make a row
 *   alerts.c, targets.c, coverage.c */
#pragma once

#include <stdatomic.h>

#include "collector/view/view.h"
#include "lib/base/arena.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define TIME_NONE INT64_MIN

struct signal {       /* a commerce: series now */
    struct span name; /* without "commerce:" */
    struct span service, tier, stack;
    const struct labels *labels;
    double value;
    bool plain; /* no labels but service (or job), tier and stack */
};
struct target {
    struct span job, instance, service, tier, url, error;
    int64_t info_ms, scraped_ms; /* TIME_NONE: never */
    double up, took_s;
    bool has_up, has_took;
};
struct firing { /* a pending or firing alert, as services need it */
    struct span name, summary;
    int64_t since_ms;
    bool is_page;
};

/* ---- the eight signals of coverage ---- */
enum { COVERED = 8 };
bool coverage_applies(struct span tier, size_t signal); /* what a service of that tier can have at all */
struct covered_signal {
    const char *key;
    const char *signals[3]; /* any of them makes it present */
    const char *families[3];
    const char *needs; /* what the page of a target must have */
};
extern const struct covered_signal COVERED_SIGNALS[COVERED];

struct service {
    char *name;
    int64_t good_ms;             /* newest sample of a scrape that worked; TIME_NONE: never */
    int64_t interval_ms;         /* between such samples, learnt */
    int64_t seen_ms;             /* last frame with anything of it */
    int64_t covered_ms[COVERED]; /* last seen, TIME_NONE: never */
    bool has_family[COVERED];
    /* this frame's */
    const struct signal *signals;
    size_t n_signals;
    unsigned targets, targets_down, pages, tickets;
    bool is_blamed;        /* a page of another service names it as its dependency */
    struct firing worst;   /* of those that fire */
    struct span error;     /* of a target that is down */
    struct span job, tier; /* of a target, tier else of a signal; empty: none says it */
};
struct view {
    struct view_config config;
    int64_t started_ms;
    atomic_ullong committed;
    uint64_t committed_before;
    int64_t committed_ms;
    double samples_per_second;

    /* the look, valid for one frame */
    struct arena arena;
    int64_t now_ms;
    int error;
    struct promql_result *results[5];
    struct signal *signals;
    size_t n_signals;
    struct target *targets;
    size_t n_targets;
    struct strmap services; /* name -> struct service *, kept from frame to frame */
    int64_t families_ms;    /* when the families were looked for */
    bool history_read;
};

/* Look, unless this frame has. The same error for all its sections. */
MUST_USE int view_refresh(struct view *v, int64_t now_ms);
MUST_USE int view_query(struct view *v, const char *text, struct promql_result **ret);
MUST_USE int view_service(struct view *v, struct span name, struct service **ret); /* found or made */
struct span service_label(const struct labels *labels);                            /* service, else job */
void view_look_free(struct view *v);
void view_services_free(struct view *v);
bool alert_is_page(const struct labels *labels);
MUST_USE int coverage_refresh(struct view *v);
/* "key":value; 6 significant digits (money: 12); NaN writes nothing, infinity is a text. */
void write_number(struct json_writer *j, const char *key, struct span name, double value);

int render_services(void *ctx, struct frame_rows *rows);
int render_markets(void *ctx, struct frame_rows *rows);
int render_steps(void *ctx, struct frame_rows *rows);
int render_dependencies(void *ctx, struct frame_rows *rows);
int render_alerts(void *ctx, struct frame_rows *rows);
int render_targets(void *ctx, struct frame_rows *rows);
int render_coverage(void *ctx, struct frame_rows *rows);
