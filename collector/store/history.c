#include "collector/store/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/store/history_inside.h"
#include "lib/base/clock.h"

#define ANSWER_SAMPLES 200000u              /* what a window is aimed at: a few MB */
#define MATRIX_SAMPLES 100000u              /* the same as JSON, which is read into a tree */
#define WINDOW_FIRST_MS (2ll * 3600 * 1000) /* a block of Prometheus */
#define WINDOW_MAX_MS (31ll * 86400 * 1000)
#define CALM_ANSWERS 8u             /* after so many a longer window is dared than the one that failed */
#define SERIES_SEEN_MAX (64u << 20) /* of one name, for the count */

/* The series of the name at hand, by fingerprint. */
struct seen {
    uint64_t *slots;
    size_t n, cap;
};

struct importing {
    struct history *h;
    struct history_server server;
    struct history_mark mark;
    struct seen seen;
    int64_t window_ms;
    int64_t ceiling_ms; /* longer windows have failed lately; INT64_MAX: none has */
    unsigned calm;      /* answers since then */
    bool ceiling_stays; /* over the name: the server was late, which may not lie in it */
    char *why;
    size_t why_bytes;
};

static int failed(struct importing *x, int r, const char *what)
{
    if (!x->why[0])
        (void)snprintf(x->why, x->why_bytes, "%s: %s", what, strerror(-r));
    return r;
}

/* ---- counting series ---- */
static bool put_seen(uint64_t *slots, size_t cap, uint64_t fingerprint)
{
    size_t at = (size_t)fingerprint & (cap - 1);
    while (slots[at] && slots[at] != fingerprint)
        at = (at + 1) & (cap - 1);
    bool is_new = slots[at] == 0;
    slots[at] = fingerprint;
    return is_new;
}

static int see(struct importing *x, const struct labels *labels)
{
    struct seen *seen = &x->seen;
    uint64_t fingerprint = labels_fingerprint(labels) | 1; /* 0 is a free slot */
    if (2 * (seen->n + 1) > seen->cap && seen->cap < SERIES_SEEN_MAX) {
        size_t cap = seen->cap ? seen->cap * 2 : 1024;
        uint64_t *slots = calloc(cap, sizeof *slots);
        if (!slots)
            return -ENOMEM;
        for (size_t i = 0; i < seen->cap; i++)
            if (seen->slots[i])
                (void)put_seen(slots, cap, seen->slots[i]);
        free(seen->slots);
        seen->slots = slots;
        seen->cap = cap;
    }
    if (seen->n + 1 < seen->cap && put_seen(seen->slots, seen->cap, fingerprint)) {
        seen->n++;
        x->h->series++;
    }
    return 0;
}

/* ---- storing ---- */
static int store_answer(struct importing *x, struct history_answer *a)
{
    struct history *h = x->h;
    struct store_written written = {0};
    struct write_request *request = a->request;
    int r = 0;
    for (size_t i = 0; r == 0 && i < request->n_series; i++)
        r = see(x, &request->series[i].labels);
    a->request = NULL;
    if (r == 0 && request->n_series + request->n_metadata)
        r = store_write(h->store, request, &written);
    else
        write_request_free(request);
    if (r == 0)
        r = written.error;
    if (r < 0) {
        if (written.why[0] && !x->why[0])
            (void)snprintf(x->why, x->why_bytes, "%s", written.why);
        return failed(x, r, x->h->dir);
    }
    h->samples += written.samples;
    h->histograms += written.histograms;
    h->refused += a->refused;
    h->skipped_histograms += a->skipped_histograms;
    for (size_t k = 0; k < STORE_REFUSED_REASONS; k++)
        h->refused += written.refused[k];
    const char *refusal = a->refusal[0] ? a->refusal : written.why;
    if (!h->refusal[0] && refusal[0])
        (void)snprintf(h->refusal, sizeof h->refusal, "%s", refusal);
    return 0;
}

static void tell(const struct importing *x)
{
    if (x->h->tell)
        x->h->tell(x->h->ctx, x->h);
}

/* ---- one name ---- */
/* The answer to the window or to a shorter one that begins where it does: w->to_ms is moved. 1: not even one instant of it fits. */
static int ask_some(struct importing *x, struct history_window *w, struct history_answer *ret)
{
    int64_t since_us = mono_us(), wait_ms;
    for (int attempt = 0;; attempt++) {
        int r = history_ask_window(&x->server, w, attempt, ret, &wait_ms);
        if (r != -E2BIG)
            return r;
        bool late = mono_us() - since_us > x->h->retry_ms * 1000;
        if (wait_ms && late)
            return -ETIMEDOUT; /* server.why has its words */
        if (w->from_ms == w->to_ms && !wait_ms)
            return 1;
        sleep_us(wait_ms * 1000);
        w->to_ms = w->from_ms + (w->to_ms - w->from_ms) / 2;
        x->window_ms = x->ceiling_ms = w->to_ms - w->from_ms + 1;
        x->ceiling_stays = wait_ms > 0;
        x->calm = 0;
        x->why[0] = '\0';
    }
}

/* The next window: as many samples as are aimed at, going by this one's, at most four times as long. */
static void set_window(struct importing *x, int64_t window_ms, uint64_t samples)
{
    double times = (x->h->by_remote_read ? ANSWER_SAMPLES : MATRIX_SAMPLES) / ((double)samples + 1);
    times = times > 4 ? 4 : times < 0.1 ? 0.1 : times;
    double ms = (double)window_ms * times;
    x->window_ms = ms < 1 ? 1 : ms > (double)WINDOW_MAX_MS ? WINDOW_MAX_MS : (int64_t)ms;
    if (x->ceiling_ms < WINDOW_MAX_MS && ++x->calm % CALM_ANSWERS == 0)
        x->ceiling_ms *= 2;
    if (x->window_ms > x->ceiling_ms)
        x->window_ms = x->ceiling_ms;
}

static int import_name(struct importing *x, const struct store_selection *selection, size_t match, struct span name,
                       int64_t next_ms)
{
    struct history *h = x->h;
    x->seen.n = 0;
    if (x->seen.slots)
        memset(x->seen.slots, 0, x->seen.cap * sizeof *x->seen.slots);
    if (!x->ceiling_stays)
        x->ceiling_ms = INT64_MAX;
    next_ms = next_ms < h->from_ms ? h->from_ms : next_ms;
    while (next_ms <= h->to_ms) {
        struct history_answer a = {0};
        struct history_window w = {selection, name, next_ms, h->to_ms};
        if (h->to_ms - next_ms >= x->window_ms)
            w.to_ms = next_ms + x->window_ms - 1;
        int r = ask_some(x, &w, &a);
        if (r > 0) {
            if (h->skipped_names++ == 0)
                (void)snprintf(h->skip, sizeof h->skip, SPAN_FMT ": %s", SPAN_ARG(name), x->why);
            x->why[0] = '\0';
            x->window_ms = WINDOW_FIRST_MS;
            break;
        }
        if (r < 0)
            return failed(x, r, h->url);
        set_window(x, w.to_ms - w.from_ms + 1, a.samples + a.histograms);
        r = store_answer(x, &a);
        next_ms = w.to_ms + 1;
        if (r == 0 && next_ms <= h->to_ms && (r = history_mark_put(&x->mark, match, name, next_ms, false)) < 0)
            (void)failed(x, r, x->mark.path);
        if (r < 0)
            return r;
        h->reached_ms = w.to_ms;
        tell(x);
    }
    int r = history_mark_put(&x->mark, match, name, next_ms, true);
    return r < 0 ? failed(x, r, x->mark.path) : 0;
}

/* ---- all of them ---- */
static int import_metadata(struct importing *x, const struct history_names *names)
{
    struct history_answer a = {0};
    int r = history_ask_metadata(&x->server, names, &a.request);
    return r < 0 || !a.request ? r : store_answer(x, &a);
}

static int import_match(struct importing *x, size_t match, const struct store_selection *selection)
{
    struct history *h = x->h;
    struct history_names names = {0};
    int r = history_ask_names(&x->server, selection, &names);
    if (r < 0)
        return failed(x, r, h->url);
    h->names += names.n;
    tell(x);
    r = import_metadata(x, &names);
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        int64_t next_ms = h->from_ms;
        if (!history_mark_done(&x->mark, match, names.list[i], &next_ms))
            r = import_name(x, selection, match, names.list[i], next_ms);
        h->names_done += r == 0;
        if (r == 0)
            tell(x);
    }
    history_names_done(&names);
    return r;
}

int history_import(struct history *h, char *why, size_t why_bytes)
{
    struct importing x = {.h = h,
                          .why = why,
                          .why_bytes = why_bytes,
                          .window_ms = WINDOW_FIRST_MS,
                          .ceiling_ms = INT64_MAX,
                          .mark.fd = -1};
    why[0] = '\0';
    int r = history_server_init(&x.server, h, why, why_bytes);
    if (r == 0)
        r = history_probe(&x.server);
    if (r == 0) /* not before: what cannot be asked leaves no file */
        r = history_mark_open(&x.mark, h, why, why_bytes);
    if (r == 0 && h->n_selections == 0)
        r = import_match(&x, 0, NULL);
    for (size_t i = 0; r == 0 && i < h->n_selections; i++)
        r = import_match(&x, i, &h->selections[i]);
    if (r < 0)
        (void)failed(&x, r, h->url);
    history_mark_close(&x.mark, r == 0);
    history_server_done(&x.server);
    free(x.seen.slots);
    return r;
}
