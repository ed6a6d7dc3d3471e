/* store_story.h - a run of everything the store writes, and what of it must be there afterwards: appends alone and together, late
 * samples, new series, metadata, what rules record, seals, compactions, checkpoints, a day that moves into its file, is written anew
 * and is dropped by the retention, series kept shorter and longer than the rest, days that become a week's file, a restart.
 *
 *   story_init(&y, STORE_FULL, folder);
 *   story_open(&y); story_tell(&y); story_close(&y);
 *   if (!story_holds(&y, s, cut, why)) …            // s: a store opened from what a disk has after `cut` operations
 *
 * Every sample's value follows from its series and time, and no two requests have the same sample. Some series are native histograms,
 * whose sum is that value; each request has an exemplar of its first series. */
#pragma once

#include "tests/unit/collector/store/histogram_test.h"

#include <stdatomic.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/db/db_test_vfs.h"

#define STORY_DAY_MS INT64_C(86400000)
#define STORY_MIDNIGHT INT64_C(1700006400000)
#define STORY_STEP_MS 10000
enum { STORY_SERIES = 200, STORY_REQUESTS = 160, STORY_CLOCKS = 16, STORY_FAMILIES = 4, STORY_TRIES = 400 };

struct story_request {
    struct story *story;
    unsigned first, n_series, n_times;
    int64_t t_ms;
    bool derived;
    uint64_t sent_at;
    _Atomic uint64_t acked_at; /* operations that the disk had seen; UINT64_MAX: it was not acknowledged */
    int error;
    bool exemplar; /* its exemplar was kept */
    atomic_bool answered;
};
struct story {
    const char *folder;
    struct store_config config;
    struct store *s;
    _Atomic int64_t now_ms;
    struct story_request requests[STORY_REQUESTS];
    size_t n;
    struct {
        uint64_t at;
        int64_t now_ms;
    } clocks[STORY_CLOCKS];
    size_t n_clocks;
    uint64_t families[STORY_FAMILIES]; /* when they were acknowledged */
    size_t n_families;
    bool (*fault_is_over)(void); /* NULL: there is none, every error is the store's fault */
    void (*in_store)(bool in);   /* NULL, or called around calls of the store on the test's own thread */
    uint64_t errors;             /* that were told */
    uint64_t moved, weeks, merged, retired, purged; /* what the store says it has done */
};

/* What rules record is kept for an hour only, by a selector: the first day is rewritten without it. */
#define STORY_SHORT_FROM 160u
#define STORY_SHORT_TO 170u
#define STORY_SHORT_MS 3600000
/* And some for a hundred days: their days become a week's file. */
#define STORY_LONG_FROM 180u
#define STORY_LONG_TO 190u
#define STORY_LONG_MS (100 * STORY_DAY_MS)

static inline int64_t story_now(void *ctx)
{
    return atomic_load(&((struct story *)ctx)->now_ms);
}

static inline double story_value(unsigned series, int64_t t_ms)
{
    return (double)(t_ms / 1000 % 100000 + series * 7) / 4;
}

static inline bool story_is_histogram(unsigned series)
{
    return series % 5 == 3;
}

/* Of the layout that the series has at that time. */
static inline struct native_histogram *story_histogram(struct arena *a, unsigned series, int64_t t_ms)
{
    struct native_histogram *h = arena_alloc(a, sizeof *h);
    struct histogram_span *span = arena_alloc(a, sizeof *span);
    h->n_positive = 3 + (size_t)(t_ms / 60000 % 4);
    h->positive = arena_array(a, h->n_positive, sizeof *h->positive);
    *span = (struct histogram_span){(int32_t)(series % 7) - 3, (uint32_t)h->n_positive};
    h->positive_spans = span;
    h->n_positive_spans = 1;
    for (size_t i = 0; i < h->n_positive; i++)
        h->count += h->positive[i] = (double)(t_ms / 1000 % 1000 + (int64_t)(i * series));
    h->sum = story_value(series, t_ms);
    return h;
}

static inline void story_init(struct story *y, enum store_durability durability, const char *folder)
{
    static struct matcher matchers[2]; /* live as long as the program */
    static const struct store_retention OWN[] = {{&matchers[0], 1, STORY_SHORT_MS}, {&matchers[1], 1, STORY_LONG_MS}};
    struct parse_error error;
    if (!matchers[1].regex) {
        check_ok(matcher_init(&matchers[0], MATCH_REGEX, SPAN("series"), SPAN("16[0-9]"), &error));
        check_ok(matcher_init(&matchers[1], MATCH_REGEX, SPAN("series"), SPAN("18[0-9]"), &error));
    }
    memset(y, 0, sizeof *y);
    y->folder = folder;
    y->config = (struct store_config){.path = folder,
                                      .durability = durability,
                                      .future_ms_max = -1,
                                      .retention_ms = 2 * STORY_DAY_MS,
                                      .rollup_retention_ms = 50 * STORY_DAY_MS,
                                      .retentions = OWN,
                                      .n_retentions = ARRAY_LEN(OWN),
                                      .now_ms = story_now,
                                      .now_ctx = y};
}

/* An error that was told: right while there is a fault. */
static inline void story_error(struct story *y, int r, bool fault_was_over, const char *what)
{
    if (r == 0)
        return;
    if (!y->fault_is_over || fault_was_over)
        check_failed("%s: %d %s", what, r, strerror(-r));
    y->errors++;
}

static inline bool story_fault_is_over(const struct story *y)
{
    return y->fault_is_over && y->fault_is_over();
}

static inline void story_enter(const struct story *y, bool in)
{
    if (y->in_store)
        y->in_store(in);
}

static inline void story_open(struct story *y)
{
    char why[512];
    for (int i = 0; i < STORY_TRIES; i++) {
        bool over = story_fault_is_over(y);
        story_enter(y, true);
        int r = store_open(&y->config, &y->s, why, sizeof why);
        story_enter(y, false);
        story_error(y, r, over, why);
        if (r == 0) {
            y->s->part_bytes_min = 1; /* days move however small they are */
            return;
        }
    }
    check_failed("the store cannot be opened: %s", why);
}

static inline void story_close(struct story *y)
{
    y->moved += y->s->counters[COUNT_MOVED_DAYS];
    y->weeks += y->s->counters[COUNT_MOVED_WEEKS];
    y->merged += y->s->counters[COUNT_MERGED_EXTENTS];
    y->retired += y->s->counters[COUNT_RETIRED_EXTENTS];
    y->purged += y->s->counters[COUNT_PURGED_EXTENTS];
    story_enter(y, true);
    store_close(y->s);
    story_enter(y, false);
    y->s = NULL;
}

static inline void story_clock(struct story *y, int64_t now_ms)
{
    assert_true(y->n_clocks < STORY_CLOCKS);
    y->clocks[y->n_clocks].at = db_test_vfs_at();
    y->clocks[y->n_clocks++].now_ms = now_ms;
    atomic_store(&y->now_ms, now_ms);
}

static inline void story_answered(void *ctx, const struct store_written *written)
{
    struct story_request *q = ctx;
    q->error = written->error;
    q->exemplar = written->error == 0 && written->exemplars == 1;
    if (written->error == 0)
        atomic_store(&q->acked_at, db_test_vfs_at());
    if (written->error == 0 && written->samples + written->histograms != (uint64_t)q->n_series * q->n_times)
        q->error = -EBADMSG; /* looked at by who waits */
    atomic_store(&q->answered, true);
}

static inline struct write_request *story_request(const struct story_request *q)
{
    struct write_request *w = request_new();
    for (unsigned i = q->first; i < q->first + q->n_series; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "story|series=%u", i);
        struct write_series *ws = request_series(w, text, q->n_times);
        ws->histograms = arena_array(&w->arena, q->n_times, sizeof *ws->histograms);
        for (unsigned k = 0; k < q->n_times; k++) {
            int64_t t = q->t_ms + (int64_t)k * STORY_STEP_MS;
            if (story_is_histogram(i))
                ws->histograms[ws->n_histograms++] =
                    (struct histogram_sample){.t_ms = t, .histogram = story_histogram(&w->arena, i, t)};
            else
                ws->samples[ws->n_samples++] = (struct sample){.t_ms = t, .value = story_value(i, t)};
        }
        if (i == q->first) {
            ws->exemplars = arena_alloc(&w->arena, sizeof *ws->exemplars);
            ws->exemplars[ws->n_exemplars++] = (struct exemplar){.t_ms = q->t_ms,
                                                                 .has_time = true,
                                                                 .value = story_value(i, q->t_ms),
                                                                 .labels = labels_of(&w->arena, "trace_id=abc")};
        }
    }
    return w;
}

static inline struct story_request *story_new_request(struct story *y, unsigned first, unsigned n_series, int64_t t_ms,
                                                      unsigned n_times)
{
    assert_true(y->n < STORY_REQUESTS && first + n_series <= STORY_SERIES);
    struct story_request *q = &y->requests[y->n++];
    *q = (struct story_request){.story = y, .first = first, .n_series = n_series, .t_ms = t_ms, .n_times = n_times};
    q->sent_at = db_test_vfs_at();
    atomic_store(&q->acked_at, UINT64_MAX);
    return q;
}

/* Those from `first` on, together; what fails is sent again. */
static inline void story_send_all(struct story *y, size_t first)
{
    for (int tries = 0; tries < STORY_TRIES; tries++) {
        bool over = story_fault_is_over(y), again = false;
        for (size_t i = first; i < y->n; i++) {
            struct story_request *q = &y->requests[i];
            if (atomic_load(&q->acked_at) != UINT64_MAX)
                continue;
            struct write_request *w = story_request(q);
            atomic_store(&q->answered, false);
            story_enter(y, true);
            int r = store_submit(y->s, w, story_answered, q);
            story_enter(y, false);
            if (r < 0) { /* -EAGAIN: no memory for the job */
                write_request_free(w);
                q->error = r;
                atomic_store(&q->answered, true);
            }
        }
        for (size_t i = first; i < y->n; i++) {
            struct story_request *q = &y->requests[i];
            while (!atomic_load(&q->answered))
                sleep_us(20);
            story_error(y, q->error, over, "a request");
            again = again || q->error;
        }
        if (!again)
            return;
    }
    check_failed("the store does not go on after the fault");
}

static inline void story_send(struct story *y, unsigned first, unsigned n_series, int64_t t_ms, unsigned n_times)
{
    (void)story_new_request(y, first, n_series, t_ms, n_times);
    story_send_all(y, y->n - 1);
}

/* What a rule would record. Not sent again: it may be lost. */
static inline void story_derive(struct story *y, unsigned first, unsigned n_series, int64_t t_ms)
{
    struct story_request *q = story_new_request(y, first, n_series, t_ms, 1);
    struct store_written written = {0};
    bool over = story_fault_is_over(y);
    struct write_request *w = story_request(q);
    q->derived = true;
    story_enter(y, true);
    int r = store_write_derived(y->s, w, &written);
    story_enter(y, false);
    if (r < 0)
        write_request_free(w);
    story_error(y, r < 0 ? r : written.error, over, "what rules record");
    if (r == 0 && written.error == 0)
        atomic_store(&q->acked_at, db_test_vfs_at());
}

static inline void story_describe(struct story *y)
{
    char name[32];
    (void)snprintf(name, sizeof name, "story_%zu", y->n_families);
    assert_true(y->n_families < STORY_FAMILIES);
    for (int i = 0; i < STORY_TRIES; i++) {
        struct metadata m = {.name = span_str(name), .type = METRIC_TYPE_COUNTER, .help = SPAN("what it is")};
        struct write_request *w = request_new();
        struct store_written written = {0};
        bool over = story_fault_is_over(y);
        w->metadata = &m;
        w->n_metadata = 1;
        story_enter(y, true);
        int r = store_write(y->s, w, &written);
        story_enter(y, false);
        if (r < 0)
            write_request_free(w);
        story_error(y, r < 0 ? r : written.error, over, "metadata");
        if (r == 0 && written.error == 0) {
            y->families[y->n_families++] = db_test_vfs_at();
            return;
        }
    }
    check_failed("the store does not go on after the fault");
}

static inline void story_seal(struct story *y)
{
    for (int i = 0; i < STORY_TRIES; i++) {
        bool over = story_fault_is_over(y);
        story_enter(y, true);
        int r = store_seal(y->s);
        story_enter(y, false);
        story_error(y, r, over, "seal");
        if (r == 0)
            return;
    }
    check_failed("the store does not go on after the fault");
}

static inline void story_seal_held_now(struct store *s, void *ctx)
{
    *(int *)ctx = store_seal_held(s);
}
/* What is sealed stays in memory and in the log; the fifth time in a row it is merged and written. */
static inline void story_seal_held(struct story *y)
{
    for (int i = 0; i < STORY_TRIES; i++) {
        bool over = story_fault_is_over(y);
        int sealed = 0;
        story_enter(y, true);
        int r = store_call(y->s, story_seal_held_now, &sealed);
        story_enter(y, false);
        r = r < 0 ? r : sealed;
        story_error(y, r, over, "seal");
        if (r == 0)
            return;
    }
    check_failed("the store does not go on after the fault");
}

static inline void story_compact(struct story *y)
{
    for (int i = 0; i < STORY_TRIES; i++) {
        bool over = story_fault_is_over(y);
        story_enter(y, true);
        int r = store_compact(y->s);
        story_enter(y, false);
        story_error(y, r, over, "compact");
        if (r == 0)
            return;
    }
    check_failed("the store does not go on after the fault");
}

static inline void story_wal_is_long(struct store *s, void *ctx)
{
    (void)ctx;
    s->wal_bytes = STORE_WAL_BYTES; /* a checkpoint follows */
}
static inline void story_nothing(struct store *s, void *ctx)
{
    (void)s;
    (void)ctx;
}
/* The writer keeps house after each call: when the second begins the house is kept. */
static inline void story_call(struct story *y, void (*call)(struct store *s, void *ctx))
{
    for (int i = 0; i < 2; i++, call = story_nothing) {
        bool over = story_fault_is_over(y);
        story_enter(y, true);
        int r = store_call(y->s, call, NULL);
        story_enter(y, false);
        story_error(y, r, over, "a call");
    }
}

static inline void story_retire(struct story *y)
{
    bool over = story_fault_is_over(y);
    story_enter(y, true);
    int r = store_set_pins(y->s, NULL, 0);
    story_enter(y, false);
    story_error(y, r, over, "pins");
    story_call(y, story_nothing);
}

static inline void story_tell(struct story *y)
{
    int64_t t = STORY_MIDNIGHT + 36000000;
    story_clock(y, t);
    story_describe(y);
    for (int k = 0; k < 5; k++)
        story_send(y, 0, 6, t += STORY_STEP_MS, 1);
    for (unsigned k = 0; k < 4; k++)
        (void)story_new_request(y, k * 3, 3, t + STORY_STEP_MS, 1);
    story_send_all(y, y->n - 4);
    story_send(y, 20, 130, t += 2 * STORY_STEP_MS, 2);           /* two groups of ids */
    story_send(y, 180, 5, STORY_MIDNIGHT - 6 * STORY_DAY_MS, 4); /* of last week */
    story_send(y, 181, 5, STORY_MIDNIGHT - 4 * STORY_DAY_MS, 3);
    story_seal(y);
    t += 10 * STORY_STEP_MS;
    for (unsigned round = 0; round < 7; round++) {
        story_send(y, 0, 8, t += STORY_STEP_MS, 1);
        story_send(y, 18, 120, t += STORY_STEP_MS, 1);
        story_derive(y, 160, 3, t);
        story_send(y, 2, 3, t - 20000000 - round * 1000, 1); /* late */
        story_seal_held(y);
        if (round == 1)
            story_call(y, story_wal_is_long);
    }
    story_compact(y);
    story_send(y, 5, 4, t += STORY_STEP_MS, 2);
    story_derive(y, 160, 4, t);

    /* The next day: the first one moves into a file, twice. */
    story_clock(y, t = STORY_MIDNIGHT + STORY_DAY_MS + 7200000);
    story_send(y, 0, 8, t, 3);
    story_describe(y);
    story_seal(y);
    story_compact(y);
    story_send(y, 0, 40, STORY_MIDNIGHT + 3600000, 20);
    story_seal(y);
    story_send(y, 0, 8, t += 5 * STORY_STEP_MS, 1);
    story_compact(y);
    story_call(y, story_wal_is_long);
    story_send(y, 170, 3, t += STORY_STEP_MS, 1);

    story_close(y);
    story_open(y);
    story_send(y, 0, 8, t += STORY_STEP_MS, 1);
    story_send(y, 180, 5, t, 1);
    story_derive(y, 160, 4, t);
    story_send(y, 2, 3, t - 1000, 1); /* late */
    story_seal(y);
    story_compact(y);

    /* The first day ends. */
    story_clock(y, t = STORY_MIDNIGHT + 3 * STORY_DAY_MS + 7200000);
    story_retire(y);
    story_send(y, 0, 8, t, 2);
    story_compact(y);
    story_describe(y);
    story_seal(y);
    story_send(y, 0, 8, t + 5 * STORY_STEP_MS, 1);
    story_derive(y, 160, 4, t);
    story_send(y, 190, 2, t, 1);

    /* The last week is over since a week: its two days' files become one. */
    story_clock(y, t = STORY_MIDNIGHT + 6 * STORY_DAY_MS + 7200000);
    story_send(y, 0, 8, t, 2);
    story_compact(y);
    story_send(y, 182, 3, STORY_MIDNIGHT - 6 * STORY_DAY_MS + 5000, 30);
    story_seal(y);
    story_compact(y); /* written anew with what came late */
    story_send(y, 0, 8, t + 5 * STORY_STEP_MS, 1);
}

/* ---- what must be there ---- */
static inline int64_t story_clock_at(const struct story *y, uint64_t cut)
{
    int64_t now_ms = STORY_MIDNIGHT;
    for (size_t i = 0; i < y->n_clocks && y->clocks[i].at <= cut; i++)
        now_ms = y->clocks[i].now_ms;
    return now_ms;
}

/* Acknowledged operations up to `safe` were promised. What is derived comes along with the next that is promised. */
static inline bool story_promised(const struct story *y, size_t i, uint64_t safe)
{
    if (atomic_load(&y->requests[i].acked_at) > safe)
        return false;
    while (i < y->n && y->requests[i].derived)
        i++;
    return i < y->n && atomic_load(&y->requests[i].acked_at) <= safe;
}

static inline size_t story_find(const struct sample_columns *c, int64_t t_ms)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->t_ms[mid] < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->n && c->t_ms[low] == t_ms ? low : SIZE_MAX;
}

static inline bool story_histogram_holds(unsigned series, const struct sample_columns *c, size_t at)
{
    const struct native_histogram *got = c->histograms ? c->histograms[at] : NULL;
    if (!story_is_histogram(series) || !got)
        return !story_is_histogram(series) && !got;
    struct arena a;
    arena_init(&a, 1 << 20);
    bool same = histogram_equal(got, story_histogram(&a, series, c->t_ms[at]));
    arena_done(&a);
    return same;
}

/* Those of series 0: each that was promised and is not over is there, none that was not sent. */
static inline bool story_exemplars_hold(const struct story *y, struct store_reader *rd, struct arena *a, uint64_t cut,
                                        uint64_t safe, char why[256])
{
    struct matcher m;
    struct parse_error error;
    struct store_exemplars *list;
    size_t n, known = 0;
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("series"), SPAN("0"), &error));
    const struct store_selection selection = {.matchers = &m, .n_matchers = 1, ALL_TIME};
    int r = store_exemplars(rd, &selection, a, &list, &n);
    matcher_done(&m);
    struct store_series *series;
    size_t n_series;
    static const struct store_exemplars NONE;
    int64_t cutoff_ms = story_clock_at(y, cut) - y->config.retention_ms;
    check_ok(r);
    check_ok(select_text(rd, "series=0", 0, a, &series, &n_series));
    if (n_series == 0)
        return true; /* it has no samples (any more) */
    list = n ? list : (struct store_exemplars *)&NONE;
    for (size_t i = 0; i < y->n; i++) {
        const struct story_request *q = &y->requests[i];
        bool there = false;
        for (size_t k = 0; q->first == 0 && k < list->n; k++)
            there = there || (list->exemplars[k].t_ms == q->t_ms &&
                              f64_bits(list->exemplars[k].value) == f64_bits(story_value(0, q->t_ms)));
        known += there;
        if (q->first == 0 && !there && q->t_ms < cutoff_ms)
            continue;
        if (q->first == 0 && ((there && q->sent_at > cut) || (!there && q->exemplar && story_promised(y, i, safe)))) {
            (void)snprintf(why, 256, "request %zu: its exemplar is %s", i, there ? "there too early" : "gone");
            return false;
        }
    }
    if (known != list->n)
        (void)snprintf(why, 256, "%zu exemplars, of which %zu were sent", list->n, known);
    return known == list->n;
}

/* Do rollups stand for the very samples that the columns have, between any two hours? */
static inline bool story_rollups_hold(struct store_reader *rd, uint32_t id, const struct sample_columns *c,
                                      char why[256])
{
    struct sample_columns rolled;
    int64_t edges[3] = {STORY_MIDNIGHT - 6 * STORY_DAY_MS + 3600000, STORY_MIDNIGHT + 39600000,
                        STORY_MIDNIGHT + STORY_DAY_MS};
    const struct store_rolling how = {.as = STORE_ROLLED_SUM, .edges_ms = edges, .n_edges = ARRAY_LEN(edges)};
    double got[4] = {0}, want[4] = {0}, got_sum[4] = {0}, want_sum[4] = {0};
    sample_columns_init(&rolled);
    int r = store_read_rolled(rd, id, INT64_MIN, INT64_MAX, &how, &rolled);
    for (size_t i = 0, e = 0; i < rolled.n; i++) {
        while (e < ARRAY_LEN(edges) && rolled.t_ms[i] > edges[e])
            e++;
        got[e] += rolled.count ? rolled.count[i] : 1;
        got_sum[e] += rolled.value[i];
    }
    for (size_t i = 0, e = 0; i < c->n; i++) {
        while (e < ARRAY_LEN(edges) && c->t_ms[i] > edges[e])
            e++;
        want[e]++;
        want_sum[e] += c->value[i];
    }
    sample_columns_done(&rolled);
    if (r < 0 || memcmp(got, want, sizeof got) != 0 || memcmp(got_sum, want_sum, sizeof got_sum) != 0)
        (void)snprintf(why, 256, "series %u: its rollups are not of its samples (%d)", id, r);
    return r == 0 && memcmp(got, want, sizeof got) == 0 && memcmp(got_sum, want_sum, sizeof got_sum) == 0;
}

/* found[i]: how many samples of request i the series has. */
static inline bool story_look_at(const struct story *y, unsigned series, const struct sample_columns *c, uint64_t cut,
                                 size_t found[STORY_REQUESTS], char why[256])
{
    size_t known = 0;
    for (size_t i = 0; i < y->n; i++) {
        const struct story_request *q = &y->requests[i];
        if (series < q->first || series >= q->first + q->n_series || q->sent_at > cut)
            continue;
        for (unsigned k = 0; k < q->n_times; k++) {
            int64_t t = q->t_ms + (int64_t)k * STORY_STEP_MS;
            size_t at = story_find(c, t);
            if (at == SIZE_MAX)
                continue;
            if (f64_bits(c->value[at]) != f64_bits(story_value(series, t))) {
                (void)snprintf(why, 256, "series %u has another value at %lld", series, (long long)t);
                return false;
            }
            if (!story_histogram_holds(series, c, at)) {
                (void)snprintf(why, 256, "series %u is another histogram, or none, at %lld", series, (long long)t);
                return false;
            }
            known++;
            found[i]++;
        }
    }
    if (known != c->n)
        (void)snprintf(why, 256, "series %u has %zu samples, of which %zu were sent", series, c->n, known);
    return known == c->n;
}

static inline bool story_requests_hold(const struct story *y, uint64_t cut, uint64_t safe,
                                       const size_t found[STORY_REQUESTS], char why[256])
{
    for (size_t i = 0; i < y->n; i++) {
        const struct story_request *q = &y->requests[i];
        int64_t keep_ms = y->config.retention_ms;
        if (q->first >= STORY_SHORT_FROM && q->first < STORY_SHORT_TO)
            keep_ms = STORY_SHORT_MS;
        else if (q->first >= STORY_LONG_FROM && q->first < STORY_LONG_TO)
            keep_ms = STORY_LONG_MS;
        int64_t cutoff_ms = story_clock_at(y, cut) - keep_ms;
        size_t all = (size_t)q->n_series * q->n_times;
        if (q->t_ms < cutoff_ms || found[i] == all)
            continue; /* the retention may have taken of it */
        if (found[i] > 0 || story_promised(y, i, safe)) {
            (void)snprintf(why, 256, "request %zu (%u series from %u at %lld)%s: %zu of %zu samples are there", i,
                           q->n_series, q->first, (long long)q->t_ms,
                           atomic_load(&q->acked_at) <= safe ? ", acknowledged" : "", found[i], all);
            return false;
        }
    }
    return true;
}

static inline bool story_families_hold(const struct story *y, struct store_reader *rd, struct arena *a, uint64_t safe,
                                       char why[256])
{
    for (size_t i = 0; i < y->n_families; i++) {
        char name[32];
        struct metadata *m;
        size_t n;
        (void)snprintf(name, sizeof name, "story_%zu", i);
        check_ok(store_metadata(rd, span_str(name), a, &m, &n));
        if (n == 0 && y->families[i] <= safe) {
            (void)snprintf(why, 256, "the metadata of %s is gone", name);
            return false;
        }
    }
    return true;
}

struct story_quick_check {
    int r;
    char why[256];
};
static inline void story_quick_check(struct store *s, void *ctx)
{
    struct story_quick_check *c = ctx;
    c->r = db_quick_check(s->db);
    (void)snprintf(c->why, sizeof c->why, "%s", c->r < 0 ? db_why(s->db) : "");
}

/* Has s what was promised when the disk had seen `safe` operations, and nothing that was not sent when it had seen `cut`? */
static inline bool story_holds(const struct story *y, struct store *s, uint64_t cut, uint64_t safe, char why[256])
{
    size_t found[STORY_REQUESTS] = {0}, n;
    struct store_reader *rd;
    struct store_series *series;
    struct sample_columns c;
    struct arena a;
    bool ok = true;
    struct story_quick_check quick = {0};
    check_ok(store_call(s, story_quick_check, &quick));
    if (quick.r < 0) {
        (void)snprintf(why, 256, "head.db: %.200s", quick.why);
        return false;
    }
    arena_init(&a, 64u << 20);
    sample_columns_init(&c);
    check_ok(store_reader_open(s, &rd));
    check_ok(select_text(rd, "__name__=~.+", 0, &a, &series, &n));
    for (size_t i = 0; ok && i < n; i++) {
        uint64_t number = UINT64_MAX;
        if (parse_u64_span(labels_get(&series[i].labels, SPAN("series")), STORY_SERIES - 1, &number) < 0) {
            (void)snprintf(why, 256, "a series that was never sent");
            ok = false;
            break;
        }
        int r = store_read(rd, series[i].id, INT64_MIN, INT64_MAX, &c);
        if (r < 0)
            (void)snprintf(why, 256, "series %llu cannot be read: %s", (unsigned long long)number, strerror(-r));
        ok = r == 0 && story_look_at(y, (unsigned)number, &c, cut, found, why) &&
             story_rollups_hold(rd, series[i].id, &c, why);
    }
    ok = ok && story_requests_hold(y, cut, safe, found, why) && story_families_hold(y, rd, &a, safe, why) &&
         story_exemplars_hold(y, rd, &a, cut, safe, why);
    store_reader_close(rd);
    static const enum store_counter DAMAGE[] = {COUNT_BAD_LOG_RECORDS, COUNT_BAD_LOG_SAMPLES, COUNT_BAD_SERIES_ROWS,
                                                COUNT_BAD_PARTS};
    for (size_t i = 0; ok && i < ARRAY_LEN(DAMAGE); i++)
        if (s->counters[DAMAGE[i]]) {
            (void)snprintf(why, 256, "the store counts damage (%d)", (int)DAMAGE[i]);
            ok = false;
        }
    if (ok && extent_dir_totals(&s->extents).bad) {
        (void)snprintf(why, 256, "the store has damaged extents");
        ok = false;
    }
    sample_columns_done(&c);
    arena_done(&a);
    return ok;
}
