/* target.h - one scrape target: its labels, its schedule, what its last scrape brought.
 *
 *   r = target_new(job, &group_labels, address, &external, pairs, &t);   // relabelled; *ret NULL: dropped
 *   target_take_page(t, response, took_us, sink);     // parse, relabel, stale markers, up and scrape_*
 *   target_gone(t, time_ms, sink);                     // stale markers for everything
 *   target_free(t);
 *
 * A scrape is all or nothing: a page with an error, over a limit, or not in time gives up = 0 and stale markers. Time stamps are on the
 * schedule (within min(interval/100, 2 ms), as Prometheus does: columns compress better). */
#pragma once

#include "agent/config.h"
#include "agent/series_cache.h"
#include "lib/metric/exposition.h"

enum report { REPORT_UP, REPORT_DURATION, REPORT_SCRAPED, REPORT_KEPT, REPORT_ADDED, REPORTS };

/* Where samples go: all senders. */
struct sample_sink {
    void *ctx;
    void (*sample)(void *ctx, const struct labels *labels, const struct sample *sample);
    void (*metadata)(void *ctx, const struct metadata *m);
};
struct target {
    const struct scrape_job *job;
    char *key, *url, *instance; /* key: job, labels and URL; equal keys are the same target over a reload */
    struct labels labels;       /* target labels without the __ ones; in arena */
    struct pair_list external;  /* added where absent */
    struct arena arena;         /* labels, report series */
    struct labels reports[REPORTS];
    int64_t interval_ms, timeout_ms;
    int64_t due_us;  /* monotonic: next scrape */
    int64_t grid_ms; /* unix time that belongs to due_us */
    int64_t
        phase_ms; /* where in the interval it stood at first: no step of the clock leaves it a millisecond beside that */
    int64_t time_ms; /* time stamp of the scrape in flight */
    int64_t started_us;
    uint64_t request_id; /* 0: none in flight */
    void *flight;        /* the agent's, while a request is in flight */
    struct series_cache cache;
    char error[201]; /* last failure, empty when well */
    bool reported, wanted;
    struct labels info;
    struct arena info_arena;
    struct scraped *page; /* samples of the page in hand */
    size_t n_page, cap_page;
    uint64_t scrapes, failures, duplicates; /* duplicates: samples whose series had one in that page already */
};
MUST_USE int target_new(const struct scrape_job *job, const struct pair_list *group, struct span address,
                        const struct pair_list *external, struct pair_table *pairs, struct target **ret);
void target_free(struct target *t);
/* `fresh` is the same target (equal keys) under a new configuration: it takes over cache and schedule of t, which is left to be freed. Series that the
 * new configuration calls otherwise end with a stale marker. A request in flight goes on for `fresh`. */
void target_adopt(struct target *t, struct target *fresh, int64_t time_ms, const struct sample_sink *sink);
/* The answer of a scrape. took_us: from its start. */
void target_take_page(struct target *t, const struct http_response *response, int64_t took_us,
                      const struct sample_sink *sink);
void target_gone(struct target *t, int64_t time_ms, const struct sample_sink *sink);
