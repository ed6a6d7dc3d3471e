/* history.h - the past of another Prometheus into the store, through its HTTP API.
 *
 *   struct history h = {.store = s, .dir = dir, .url = "http://old:9090", .from_ms = …, .to_ms = …};
 *   r = history_import(&h, why, sizeof why);            // then h.samples, h.refused, …
 *
 * Names by /api/v1/label/__name__/values, then name by name in windows of time. By remote read (/api/v1/read) where the server
 * has it: exact, stale markers and native histograms included, and external labels, as the server itself would send them. Else by instant
 * queries of a range selector, which give the raw samples with their own times, but neither stale markers nor the spans of
 * native histograms: those are counted. Windows adapt: halved when an answer is refused as too large, over the limits here, or
 * late; grown again while they are small. Memory is one answer.
 *
 * What is stored is noted in DIR/import-HASH.progress, HASH over where from, which, and when: the same call after an
 * interruption goes on there. A window that was stored and not noted comes twice: equal samples are silent. */
#pragma once

#include "collector/store/store.h"

struct http_credentials;
struct history {
    struct store *store;
    const char *dir; /* for the progress file */
    const char *url; /* a path before /api/v1 is fine: http://mimir/prometheus */
    const struct http_credentials *credentials;
    const struct store_selection *selections; /* n of them: series that match any; 0: all */
    size_t n_selections;
    int64_t from_ms, to_ms; /* inclusive; 1970 or later */
    bool to_is_now;         /* to_ms is the clock's: an interrupted import keeps that of its beginning */
    int64_t timeout_ms;     /* of a request */
    int64_t retry_ms;       /* how long a request is repeated before giving up; not the first one's connection */
    void (*tell)(void *ctx, const struct history *h); /* after each answer; may be NULL */
    void *ctx;

    /* filled */
    bool by_remote_read, resumed;
    size_t names, names_done;     /* names_done: those of earlier calls included */
    uint64_t series, requests;    /* of this call */
    uint64_t samples, histograms; /* kept by the store, what it had included */
    uint64_t refused;             /* by the store: limits, another value at the same time */
    uint64_t skipped_histograms;  /* a range selector's */
    uint64_t skipped_names;       /* one instant of it is more than an answer may have */
    char refusal[256], skip[256]; /* the first of each */
    int64_t reached_ms;           /* of the name at hand */
};
/* -EACCES: 401 or 403; -EINVAL: it refuses a request, or is none of ours; else the errno of asking or storing. why says what; what is
 * stored stays, and is noted. */
MUST_USE int history_import(struct history *h, char *why, size_t why_bytes);
