/* store_model.h - the model test's state, and how a reader of the store is compared with the twin: what must be there, what may be gone by
 * the retentions, what must be hidden. test_store_model.c has the operations.
 *
 *   compare(m, &m->view, rd, i, INT64_MIN, INT64_MAX, "all");         // samples of series i; fails the test when they differ
 *   compare_rolled(m, &snapshot->view, snapshot->rd, i);              // with rollups in their place
 *   compare_exemplars(m, rd, i); */
#pragma once

#include "tests/unit/collector/store/histogram_test.h"
#include "tests/unit/collector/store/store_twin.h"

#include <stdatomic.h>

#include "collector/store/store_inside.h"

enum { SEEDS = 1000 };                                        /* of native histograms */
enum { SERIES = 300, SNAPSHOTS = 3, PINS = 2, SCRAPE = 120 }; /* three groups of ids */
#define DAY_MS INT64_C(86400000)
#define RETENTION_MS (5 * DAY_MS)

/* What a reader goes by. */
struct view {
    uint64_t op;
    int64_t now_ms;
    struct store_pin pins[PINS];
    size_t n_pins;
};
struct snapshot {
    struct store_reader *rd;
    struct view view;
};
struct known { /* of a series: what requests bring, made once */
    struct labels labels;
    struct span key;
    char text[64];
    uint32_t id; /* UINT32_MAX: not known of this store that is open */
};
struct model {
    struct store_fixture *f;
    struct check_random r;
    struct twin_series twin[SERIES];
    struct known known[SERIES];
    uint64_t histograms[SEEDS + 1]; /* per seed the first that makes the same: stale ones are alike */
    struct view view;
    int64_t cutoff_ms;        /* nothing is written below */
    _Atomic int64_t clock_ms; /* view.now_ms for the store's threads */
    struct snapshot snapshots[SNAPSHOTS];
    struct {
        unsigned series;
        int64_t min_ms, max_ms;
    } touched[SCRAPE]; /* by the operation */
    size_t n_touched;
    struct sample_columns columns;
    struct arena arena, names; /* of one comparison; of the run */
    unsigned folder;           /* its number: each backup that is started from has its own */
    uint64_t kept, kept_histograms, refused, deleted, exemplars, restored, pinned;
    uint64_t rolled,
        gone; /* series read with rollups in the place of samples; pinned samples that the retention would have taken */
    bool merged, moved, weeks, purged, in_memory;
};

static inline int64_t model_now(void *ctx)
{
    return atomic_load(&((struct model *)ctx)->clock_ms);
}

/* ---- what is kept how long ---- */
/* A third of the series is kept shorter than the rest, a third longer; they stand side by side. */
static int64_t own_ms[3] = {0, 2 * DAY_MS, 0};
static const char *const PINNED[] = {"pin:", NULL};

static inline bool is_pinned(const struct view *v, unsigned i, int64_t t_ms)
{
    for (size_t k = 0; i % 7 == 0 && k < v->n_pins; k++)
        if (t_ms >= v->pins[k].start_ms && t_ms <= v->pins[k].end_ms)
            return true;
    return false;
}

/* The view's readers leave it out. */
static inline bool is_hidden(const struct view *v, unsigned i, int64_t t_ms)
{
    return own_ms[i % 3] && t_ms < v->now_ms - own_ms[i % 3] && !is_pinned(v, i, t_ms);
}

static inline int64_t gone_before(const struct view *v, unsigned i)
{
    return v->now_ms - (own_ms[i % 3] ? own_ms[i % 3] : RETENTION_MS);
}

/* The retention must have spared it. */
static inline bool is_spared(const struct model *m, unsigned i, int64_t t_ms)
{
    return t_ms >= gone_before(&m->view, i) || is_pinned(&m->view, i, t_ms);
}

static inline void name_of(unsigned i, char text[64])
{
    (void)snprintf(text, 64, "%s|series=%u|parity=%u|third=%u", i % 7 ? "m" : "pin:m", i, i % 2, i % 3);
}

/* ---- comparing ---- */
static inline bool same_kind(struct model *m, const struct sample_columns *c, size_t k, uint64_t seed)
{
    const struct native_histogram *got = c->histograms ? c->histograms[k] : NULL;
    if (seed == 0 || !got)
        return seed == 0 && !got;
    bool same = histogram_equal(got, histogram_of(&m->arena, seed));
    arena_reset(&m->arena);
    return same;
}

/* Ids stay while the store is open; the reader may be older than the series. */
static inline uint32_t id_in(struct model *m, struct store_reader *rd, unsigned i)
{
    if (m->known[i].id == UINT32_MAX)
        m->known[i].id = id_of(rd, m->known[i].text);
    return m->known[i].id;
}

static inline void compare(struct model *m, const struct view *v, struct store_reader *rd, unsigned i, int64_t min_ms,
                           int64_t max_ms, const char *what)
{
    const struct twin_series *ts = &m->twin[i];
    struct sample_columns *c = &m->columns;
    uint32_t id = id_in(m, rd, i);
    const char *text = m->known[i].text;
    size_t at = twin_place(ts, min_ms), k = 0;
    c->n = 0;
    if (id != UINT32_MAX)
        check_ok(store_read(rd, id, min_ms, max_ms, c));
    for (; at < ts->n && ts->samples[at].t_ms <= max_ms; at++) {
        const struct twin_sample *want = &ts->samples[at];
        if (!twin_sees(want, v->op) || is_hidden(v, i, want->t_ms))
            continue;
        if (k < c->n && c->t_ms[k] < want->t_ms)
            break; /* one too many */
        if (k < c->n && c->t_ms[k] == want->t_ms) {
            if (f64_bits(c->value[k]) != f64_bits(want->value) || !same_kind(m, c, k, want->seed) ||
                (c->start_ms ? c->start_ms[k] : 0) != want->start_ms)
                check_failed("op %llu: %s: %s at %lld has another value or start", (unsigned long long)m->view.op, what,
                             text, (long long)want->t_ms);
            m->gone += want->t_ms < gone_before(v, i) && is_pinned(v, i, want->t_ms);
            k++;
        } else if (is_spared(m, i, want->t_ms)) {
            check_failed("op %llu: %s: %s lacks its sample at %lld", (unsigned long long)m->view.op, what, text,
                         (long long)want->t_ms);
        }
    }
    if (k != c->n)
        check_failed("op %llu: %s: %s has a sample at %lld that was never written, twice, or is over",
                     (unsigned long long)m->view.op, what, text, (long long)c->t_ms[k]);
}

/* Between edges rollups stand for as many samples as the twin has, and the last one of them is the twin's. */
static inline void compare_rolled(struct model *m, const struct view *v, struct store_reader *rd, unsigned i)
{
    enum { EDGES = 6 };
    const struct twin_series *ts = &m->twin[i];
    int64_t edges[EDGES], from_ms = gone_before(&m->view, i) + 1;
    struct store_rolling how = {.as = STORE_ROLLED_LAST, .edges_ms = edges, .n_edges = EDGES};
    struct sample_columns *c = &m->columns;
    uint32_t id = id_in(m, rd, i);
    if (id == UINT32_MAX || from_ms >= v->now_ms)
        return;
    edges[0] = from_ms;
    for (size_t e = 1; e < EDGES; e++)
        edges[e] = edges[e - 1] + (int64_t)check_random_below(&m->r, (uint64_t)(v->now_ms - edges[e - 1]) / 3 + 1);
    edges[EDGES - 1] = v->now_ms;
    check_ok(store_read_rolled(rd, id, from_ms + 1, v->now_ms, &how, c));
    m->rolled += c->count && !c->histograms;
    for (size_t e = 1, k = 0; e < EDGES; e++) {
        double got = 0, want = 0;
        uint64_t got_last = 0, want_last = 0;
        for (; k < c->n && c->t_ms[k] <= edges[e]; k++) {
            if ((c->histograms && c->histograms[k]) || is_stale(c->value[k]))
                continue;
            got += c->count ? c->count[k] : 1;
            got_last = f64_bits(c->value[k]);
        }
        for (size_t at = twin_place(ts, edges[e - 1] + 1); at < ts->n && ts->samples[at].t_ms <= edges[e]; at++) {
            const struct twin_sample *s = &ts->samples[at];
            if (s->seed || is_stale(s->value) || !twin_sees(s, v->op))
                continue;
            want++;
            want_last = f64_bits(s->value);
        }
        if (got != want || got_last != want_last)
            check_failed("op %llu: %s from %lld to %lld: rollups and samples stand for %g, there are %g",
                         (unsigned long long)m->view.op, m->known[i].text, (long long)edges[e - 1], (long long)edges[e],
                         got, want);
    }
}

/* Of a series that has a sample, which a matcher finds: without one nobody sees them. */
static inline void compare_exemplars(struct model *m, struct store_reader *rd, unsigned i)
{
    const struct twin_series *ts = &m->twin[i];
    struct matcher matcher;
    struct parse_error error;
    struct store_exemplars *list;
    char text[16];
    size_t n, k = 0;
    bool listed = false;
    for (size_t at = ts->n; !listed && at > 0; at--)
        listed = ts->samples[at - 1].died == TWIN_ALIVE && ts->samples[at - 1].t_ms >= gone_before(&m->view, i);
    if (!listed)
        return;
    (void)snprintf(text, sizeof text, "%u", i);
    check_ok(matcher_init(&matcher, MATCH_EQUAL, SPAN("series"), span_str(text), &error));
    const struct store_selection selection = {.matchers = &matcher, .n_matchers = 1, ALL_TIME};
    check_ok(store_exemplars(rd, &selection, &m->arena, &list, &n));
    matcher_done(&matcher);
    size_t n_found = n ? list[0].n : 0;
    for (size_t at = 0; at < ts->n_exemplars; at++) {
        const struct twin_exemplar *want = &ts->exemplars[at];
        const struct exemplar *got = k < n_found ? &list[0].exemplars[k] : NULL;
        bool is = got && got->t_ms == want->t_ms && f64_bits(got->value) == f64_bits(want->value) &&
                  labels_get(&got->labels, SPAN("trace_id")).ptr[0] == (char)('0' + want->trace);
        bool over = want->t_ms < gone_before(&m->view, i);
        if (over && is && !is_pinned(&m->view, i, want->t_ms))
            check_failed("op %llu: %s has an exemplar of %lld that is over", (unsigned long long)m->view.op,
                         m->known[i].text, (long long)want->t_ms);
        if (!over && !is)
            check_failed("op %llu: %s lacks its exemplar of %lld, or has another one", (unsigned long long)m->view.op,
                         m->known[i].text, (long long)want->t_ms);
        k += is;
    }
    if (n > 1 || k != n_found)
        check_failed("op %llu: %s has exemplars that were never written, or twice", (unsigned long long)m->view.op,
                     m->known[i].text);
    arena_reset(&m->arena);
}

static inline void look_at_all(struct model *m)
{
    struct store_reader *rd;
    check_ok(store_reader_open(m->f->s, &rd));
    for (unsigned i = 0; i < SERIES; i++) {
        compare(m, &m->view, rd, i, INT64_MIN, INT64_MAX, "all");
        compare_exemplars(m, rd, i);
    }
    store_reader_close(rd);
}

/* What the operation wrote to, and what lies between. */
static inline void look_at_touched(struct model *m)
{
    struct store_reader *rd;
    if (m->n_touched == 0)
        return;
    check_ok(store_reader_open(m->f->s, &rd));
    for (size_t k = 0; k < m->n_touched; k++)
        compare(m, &m->view, rd, m->touched[k].series, m->touched[k].min_ms, m->touched[k].max_ms, "touched");
    store_reader_close(rd);
    m->n_touched = 0;
}
