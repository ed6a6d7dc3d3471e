/* Random operations on the store and on a naive twin that keeps everything in sorted arrays: after each they must agree.
 * CREST_SEED repeats a run, CREST_MODEL_OPS=1000000 makes it long. */
#include "tests/unit/collector/store/histogram_test.h"

#include <stdatomic.h>

#include "collector/store/store_inside.h"
#include "lib/base/number.h"

enum { SERIES = 300, SNAPSHOTS = 3 }; /* three groups of ids */
#define STEP_MS 1000

struct twin_sample {
    int64_t t_ms, start_ms;
    double value;
    uint64_t seed; /* histogram_of() it, whose sum is the value; 0: a float */
};
struct twin_series {
    struct twin_sample *samples; /* ascending */
    size_t n, cap;
};
struct twin {
    struct twin_series series[SERIES];
    int64_t now_ms, cutoff_ms; /* below the cutoff samples may be gone */
};
struct snapshot {
    struct store_reader *rd;
    struct twin twin;
};
struct model {
    struct store_fixture *f;
    struct check_random r;
    struct twin twin;
    _Atomic int64_t clock_ms; /* the same for the store's writer */
    struct snapshot snapshots[SNAPSHOTS];
    uint64_t op, kept, kept_histograms, refused;
    struct arena arena; /* of one comparison */
    bool merged, moved, weeks, purged;
    uint64_t deleted, rolled; /* series read with rollups in the place of samples */
};

static int64_t model_now(void *ctx)
{
    return atomic_load(&((struct model *)ctx)->clock_ms);
}

static void name_of(unsigned i, char text[64])
{
    (void)snprintf(text, 64, "m|series=%u|parity=%u|third=%u", i, i % 2, i % 3);
}

/* A third of the series is kept shorter than the rest, a third longer; they stand side by side. */
#define RETENTION_MS (5 * INT64_C(86400000))
static int64_t own_ms[3] = {0, 2 * INT64_C(86400000), 0};

/* Below it the series' samples are hidden, INT64_MIN: none are. */
static int64_t hidden_before(const struct twin *twin, unsigned i)
{
    return own_ms[i % 3] ? twin->now_ms - own_ms[i % 3] : INT64_MIN;
}
static int64_t gone_before(const struct twin *twin, unsigned i)
{
    return twin->now_ms - (own_ms[i % 3] ? own_ms[i % 3] : RETENTION_MS);
}

static size_t place(const struct twin_series *ts, int64_t t_ms)
{
    size_t low = 0, high = ts->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ts->samples[mid].t_ms < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* 1 kept, 0 refused: the rule of store.h. */
static int twin_put(struct twin_series *ts, const struct twin_sample *s)
{
    size_t at = place(ts, s->t_ms);
    if (at < ts->n && ts->samples[at].t_ms == s->t_ms)
        return ts->samples[at].seed == s->seed && f64_bits(ts->samples[at].value) == f64_bits(s->value);
    if (ts->n == ts->cap) {
        ts->cap = ts->cap ? ts->cap * 2 : 16;
        ts->samples = realloc(ts->samples, ts->cap * sizeof *ts->samples);
        assert_non_null(ts->samples);
    }
    memmove(ts->samples + at + 1, ts->samples + at, (ts->n - at) * sizeof *ts->samples);
    ts->samples[at] = *s;
    ts->n++;
    return 1;
}

static void twin_copy(const struct twin *from, struct twin *to)
{
    *to = *from;
    for (unsigned i = 0; i < SERIES; i++) {
        struct twin_series *ts = &to->series[i];
        ts->cap = ts->n;
        ts->samples = malloc(ts->n * sizeof *ts->samples + 1);
        assert_non_null(ts->samples);
        if (ts->n)
            memcpy(ts->samples, from->series[i].samples, ts->n * sizeof *ts->samples);
    }
}

static void twin_done(struct twin *t)
{
    for (unsigned i = 0; i < SERIES; i++)
        free(t->series[i].samples);
    memset(t->series, 0, sizeof t->series);
}

static bool same_kind(struct model *m, const struct sample_columns *c, size_t k, uint64_t seed)
{
    const struct native_histogram *got = c->histograms ? c->histograms[k] : NULL;
    if (seed == 0 || !got)
        return seed == 0 && !got;
    bool same = histogram_equal(got, histogram_of(&m->arena, seed));
    arena_reset(&m->arena);
    return same;
}

static void compare(struct model *m, const struct twin *twin, struct store_reader *rd, unsigned i, int64_t min_ms,
                    int64_t max_ms, const char *what)
{
    const struct twin_series *ts = &twin->series[i];
    struct sample_columns c;
    char text[64];
    name_of(i, text);
    sample_columns_init(&c);
    read_in(rd, text, min_ms, max_ms, &c);
    size_t at = place(ts, min_ms), k = 0;
    for (; at < ts->n && ts->samples[at].t_ms <= max_ms; at++) {
        const struct twin_sample *want = &ts->samples[at];
        if (want->t_ms < hidden_before(twin, i))
            continue;
        if (k < c.n && c.t_ms[k] == want->t_ms) {
            if (f64_bits(c.value[k]) != f64_bits(want->value) || !same_kind(m, &c, k, want->seed) ||
                (c.start_ms ? c.start_ms[k] : 0) != want->start_ms)
                check_failed("op %llu: %s: %s at %lld has another value or start", (unsigned long long)m->op, what,
                             text, (long long)want->t_ms);
            k++;
        } else if (want->t_ms >= gone_before(&m->twin, i)) {
            check_failed("op %llu: %s: %s lacks its sample at %lld", (unsigned long long)m->op, what, text,
                         (long long)want->t_ms);
        }
    }
    if (k != c.n)
        check_failed("op %llu: %s: %s has a sample at %lld that was never written, twice, or over",
                     (unsigned long long)m->op, what, text, (long long)c.t_ms[k]);
    sample_columns_done(&c);
}

/* Between edges rollups stand for as many samples as the twin has, and the last one of them is the twin's. */
static void compare_rolled(struct model *m, const struct twin *twin, struct store_reader *rd, unsigned i)
{
    enum { EDGES = 6 };
    const struct twin_series *ts = &twin->series[i];
    int64_t edges[EDGES], from_ms = gone_before(&m->twin, i) + 1;
    struct store_rolling how = {.as = STORE_ROLLED_LAST, .edges_ms = edges, .n_edges = EDGES};
    struct sample_columns c;
    char text[64];
    name_of(i, text);
    uint32_t id = id_of(rd, text);
    if (id == UINT32_MAX || from_ms >= twin->now_ms)
        return;
    edges[0] = from_ms;
    for (size_t e = 1; e < EDGES; e++)
        edges[e] = edges[e - 1] + (int64_t)check_random_below(&m->r, (uint64_t)(twin->now_ms - edges[e - 1]) / 3 + 1);
    edges[EDGES - 1] = twin->now_ms;
    sample_columns_init(&c);
    check_ok(store_read_rolled(rd, id, from_ms + 1, twin->now_ms, &how, &c));
    m->rolled += c.count && !c.histograms;
    for (size_t e = 1, k = 0; e < EDGES; e++) {
        double got = 0, want = 0;
        uint64_t got_last = 0, want_last = 0;
        for (; k < c.n && c.t_ms[k] <= edges[e]; k++) {
            if ((c.histograms && c.histograms[k]) || is_stale(c.value[k]))
                continue;
            got += c.count ? c.count[k] : 1;
            got_last = f64_bits(c.value[k]);
        }
        for (size_t at = place(ts, edges[e - 1] + 1); at < ts->n && ts->samples[at].t_ms <= edges[e]; at++) {
            if (ts->samples[at].seed || is_stale(ts->samples[at].value))
                continue;
            want++;
            want_last = f64_bits(ts->samples[at].value);
        }
        if (got != want || got_last != want_last)
            check_failed("op %llu: %s from %lld to %lld: rollups and samples stand for %g, there are %g",
                         (unsigned long long)m->op, text, (long long)edges[e - 1], (long long)edges[e], got, want);
    }
    sample_columns_done(&c);
}

static double random_value(struct check_random *r)
{
    switch (check_random_below(r, 8)) {
    case 0:
        return stale_marker();
    case 1:
        return f64_from_bits(check_random_u64(r));
    case 2:
        return -0.0;
    case 3:
        return (double)(int64_t)check_random_below(r, 100000) / 1000;
    default:
        return (double)check_random_below(r, 1000);
    }
}

static int64_t random_time(struct model *m)
{
    struct check_random *r = &m->r;
    int64_t span = m->twin.now_ms - m->twin.cutoff_ms;
    switch (check_random_below(r, 20)) {
    case 0: /* anywhere that retention spares */
        return m->twin.cutoff_ms + (int64_t)check_random_below(r, (uint64_t)span + 1);
    case 1: /* collides with a grid time now and then */
    case 2:
    case 3: {
        int64_t t = m->twin.now_ms - STEP_MS * (int64_t)check_random_below(r, 2000);
        return t < m->twin.cutoff_ms ? m->twin.cutoff_ms : t;
    }
    default:
        return m->twin.now_ms;
    }
}

static void pass_time(struct model *m, int64_t ms)
{
    m->twin.now_ms += ms;
    atomic_store(&m->clock_ms, m->twin.now_ms); /* the retention may run at any time */
    m->twin.cutoff_ms = m->twin.now_ms - m->f->config.retention_ms;
}

static void append(struct model *m)
{
    struct check_random *r = &m->r;
    struct write_request *w = request_new();
    uint64_t kept = 0, refused = 0;
    pass_time(m, STEP_MS);
    bool scrape = check_random_below(r, 3) == 0;
    unsigned first = (unsigned)check_random_below(r, SERIES), n = 1 + (unsigned)check_random_below(r, scrape ? 120 : 6);
    for (unsigned k = 0; k < n; k++) {
        unsigned i = scrape ? (first + k) % SERIES : (unsigned)check_random_below(r, SERIES);
        size_t run = scrape || check_random_below(r, 10) ? 1 : 1 + check_random_below(r, 400);
        char text[64];
        name_of(i, text);
        struct write_series *ws = request_series(w, text, run);
        ws->histograms = arena_array(&w->arena, run, sizeof *ws->histograms);
        if (check_random_below(r, 10) == 0)
            ws->key = (struct span){NULL, 0};
        int64_t t = scrape ? m->twin.now_ms : random_time(m);
        t = t < gone_before(&m->twin, i) ? gone_before(&m->twin, i) : t;
        for (size_t j = 0; j < run && t <= m->twin.now_ms; j++, t += STEP_MS) {
            struct twin_sample s = {.t_ms = t, .value = random_value(r)};
            const struct native_histogram *h = NULL;
            if (check_random_below(r, i % 5 ? 40 : 2) == 0) /* some series have many, most have a few */
                s.seed = 1 + check_random_below(r, 1000);
            s.start_ms = check_random_below(r, 30) ? 0 : (int64_t)check_random_below(r, 1000) - 500;
            struct twin_series *ts = &m->twin.series[i];
            size_t at = place(ts, t);
            if (at < ts->n && ts->samples[at].t_ms == t && check_random_below(r, 2))
                s = (struct twin_sample){t, s.start_ms, ts->samples[at].value, ts->samples[at].seed}; /* a retry */
            if (s.seed)
                h = histogram_of(&w->arena, s.seed);
            if (h) {
                s.value = h->sum;
                ws->histograms[ws->n_histograms++] = (struct histogram_sample){t, s.start_ms, h};
            } else {
                ws->samples[ws->n_samples++] = (struct sample){t, s.start_ms, s.value};
            }
            if (twin_put(ts, &s)) {
                kept++;
                m->kept_histograms += h != NULL;
            } else {
                refused++;
            }
        }
    }
    struct store_written written = write_now(m->f->s, w);
    if (written.error || written.samples + written.histograms != kept ||
        written.refused[STORE_REFUSED_DUPLICATE] != refused)
        check_failed("op %llu: kept %llu of %llu, refused %llu of %llu, error %d", (unsigned long long)m->op,
                     (unsigned long long)(written.samples + written.histograms), (unsigned long long)kept,
                     (unsigned long long)written.refused[STORE_REFUSED_DUPLICATE], (unsigned long long)refused,
                     written.error);
    m->kept += kept;
    m->refused += refused;
}

static void close_snapshot(struct snapshot *sn)
{
    store_reader_close(sn->rd);
    twin_done(&sn->twin);
    sn->rd = NULL;
}

static void close_snapshots(struct model *m)
{
    for (size_t i = 0; i < SNAPSHOTS; i++)
        if (m->snapshots[i].rd)
            close_snapshot(&m->snapshots[i]);
}

static void use_snapshot(struct model *m)
{
    struct snapshot *sn = &m->snapshots[check_random_below(&m->r, SNAPSHOTS)];
    if (!sn->rd) {
        check_ok(store_reader_open(m->f->s, &sn->rd));
        twin_copy(&m->twin, &sn->twin);
        return;
    }
    for (int k = 0; k < 5; k++)
        compare(m, &sn->twin, sn->rd, (unsigned)check_random_below(&m->r, SERIES), INT64_MIN, INT64_MAX, "snapshot");
    compare_rolled(m, &sn->twin, sn->rd, (unsigned)check_random_below(&m->r, SERIES));
    if (check_random_below(&m->r, 3) == 0)
        close_snapshot(sn);
}

static void look(struct model *m)
{
    struct store_reader *rd;
    check_ok(store_reader_open(m->f->s, &rd));
    for (int k = 0; k < 3; k++) {
        unsigned i = (unsigned)check_random_below(&m->r, SERIES);
        int64_t from = random_time(m), to = from + (int64_t)check_random_below(&m->r, 3600000);
        compare(m, &m->twin, rd, i, from, to, "range");
        compare(m, &m->twin, rd, i, INT64_MIN, INT64_MAX, "whole series");
        compare_rolled(m, &m->twin, rd, i);
    }
    store_reader_close(rd);
}

static void look_at_all(struct model *m)
{
    struct store_reader *rd;
    check_ok(store_reader_open(m->f->s, &rd));
    for (unsigned i = 0; i < SERIES; i++)
        compare(m, &m->twin, rd, i, INT64_MIN, INT64_MAX, "all");
    store_reader_close(rd);
}

/* One series, or every other one; some stretch of time, or all. */
static void delete_some(struct model *m)
{
    struct check_random *r = &m->r;
    bool many = check_random_below(r, 4) == 0;
    unsigned which = (unsigned)check_random_below(r, many ? 2 : SERIES);
    int64_t min_ms = INT64_MIN, max_ms = INT64_MAX;
    if (check_random_below(r, 3)) {
        min_ms = random_time(m) - (int64_t)check_random_below(r, 2) * 3600000;
        max_ms = min_ms + (int64_t)check_random_below(r, many ? 60000 : 86400000);
    }
    char text[16];
    (void)snprintf(text, sizeof text, "%u", which);
    struct matcher matcher;
    struct parse_error error;
    uint64_t n;
    check_ok(matcher_init(&matcher, MATCH_EQUAL, many ? SPAN("parity") : SPAN("series"), span_str(text), &error));
    struct store_selection selection = {.matchers = &matcher, .n_matchers = 1, .min_ms = min_ms, .max_ms = max_ms};
    check_ok(store_delete(m->f->s, &selection, 1, &n));
    matcher_done(&matcher);
    for (unsigned i = 0; i < SERIES; i++) {
        struct twin_series *ts = &m->twin.series[i];
        if (many ? i % 2 != which : i != which)
            continue;
        size_t from = place(ts, min_ms), to = max_ms == INT64_MAX ? ts->n : place(ts, max_ms + 1);
        if (ts->n)
            memmove(ts->samples + from, ts->samples + to, (ts->n - to) * sizeof *ts->samples);
        ts->n -= to - from;
        m->deleted += to - from;
    }
}

static void seal_held(struct store *s, void *ctx)
{
    (void)ctx;
    check_ok(store_seal_held(s));
}

/* The seal stands still in the middle: one head is frozen, the other takes what comes. */
static void freeze(struct store *s, void *ctx)
{
    (void)ctx;
    check_ok(store_seal_start(s));
    s->seal.retry_us = INT64_MAX;
}

static void go_on(struct store *s, void *ctx)
{
    (void)ctx;
    s->seal.retry_us = 0;
}

static void step(struct model *m)
{
    uint64_t pick = check_random_below(&m->r, 1000);
    if (pick < 695) {
        append(m);
    } else if (pick < 700) {
        delete_some(m);
    } else if (pick < 850) {
        look(m);
    } else if (pick < 940) {
        use_snapshot(m);
    } else if (pick < 945) {
        check_ok(store_seal(m->f->s));
    } else if (pick < 960) {
        check_ok(store_call(m->f->s, seal_held, NULL));
    } else if (pick < 975) {
        check_ok(store_call(m->f->s, freeze, NULL));
    } else if (pick < 978) {
        check_ok(store_call(m->f->s, go_on, NULL));
    } else if (pick < 980) {
        check_ok(store_compact(m->f->s));
        m->merged = m->merged || m->f->s->counters[COUNT_MERGED_EXTENTS] > 0;
        m->moved = m->moved || m->f->s->counters[COUNT_MOVED_DAYS] > 0;
        m->weeks = m->weeks || m->f->s->counters[COUNT_MOVED_WEEKS] > 0;
        m->purged = m->purged || m->f->s->counters[COUNT_PURGED_EXTENTS] > 0;
    } else if (!m->f->config.path) { /* in memory: what follows ends it */
        look_at_all(m);
    } else if (pick < 990) {
        close_snapshots(m);
        restart(m->f);
        m->f->s->part_bytes_min = 1;
        look_at_all(m);
    } else if (pick < 993) { /* days pass: retention takes what is old when the store opens */
        close_snapshots(m);
        pass_time(m, (int64_t)check_random_below(&m->r, 4) * 43200000);
        restart(m->f);
        m->f->s->part_bytes_min = 1;
        look(m);
    }
}

static void run(struct store_fixture *f, const char *name, bool in_memory)
{
    static struct model model;
    struct model *m = &model;
    *m = (struct model){.f = f, .r = check_random_new(name)};
    arena_init(&m->arena, 1 << 20);
    shut(m->f);
    if (in_memory)
        m->f->config.path = NULL;
    m->twin.now_ms = 1700000000000;
    atomic_store(&m->clock_ms, m->twin.now_ms);
    m->f->config.retention_ms = RETENTION_MS;
    own_ms[2] = (in_memory ? 8 : 30) * INT64_C(86400000); /* in memory nothing is merged: reading would be slow */
    struct matcher matchers[2];
    struct parse_error error;
    check_ok(matcher_init(&matchers[0], MATCH_EQUAL, SPAN("third"), SPAN("1"), &error));
    check_ok(matcher_init(&matchers[1], MATCH_REGEX, SPAN("third"), SPAN("2|3"), &error));
    const struct store_retention rules[] = {{&matchers[0], 1, own_ms[1]}, {&matchers[1], 1, own_ms[2]}};
    m->f->config.retentions = rules;
    m->f->config.n_retentions = ARRAY_LEN(rules);
    m->twin.cutoff_ms = m->twin.now_ms - m->f->config.retention_ms;
    m->f->config.now_ms = model_now;
    m->f->config.now_ctx = m;
    open_again(m->f);
    m->f->s->part_bytes_min = 1; /* days move into files of their own however small they are */
    uint64_t ops = 4000 / check_slowness();
    const char *wanted = getenv("CREST_MODEL_OPS");
    if (wanted)
        check_ok(parse_u64(wanted, UINT64_MAX, &ops));
    for (m->op = 0; m->op < ops; m->op++)
        step(m);
    look_at_all(m);
    assert_true(m->kept > ops);
    assert_true(m->kept_histograms > ops / 10);
    assert_true(m->refused > 0);
    assert_true(m->deleted > 0 || ops < 1000); /* one step in seventy or so */
    assert_true((m->merged && m->moved && m->weeks && m->purged && m->rolled) || in_memory || ops < 6000);
    print_message("%llu series were read with rollups\n", (unsigned long long)m->rolled);
    close_snapshots(m);
    twin_done(&m->twin);
    arena_done(&m->arena);
    shut(m->f);
    m->f->config.n_retentions = 0;
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++)
        matcher_done(&matchers[i]);
}

static void the_store_agrees_with_its_twin(void **state)
{
    run(*state, "the_store_agrees_with_its_twin", false);
}

static void the_store_in_memory_agrees_too(void **state)
{
    run(*state, "the_store_in_memory_agrees_too", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_agrees_with_its_twin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_store_in_memory_agrees_too, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("collector/store model", tests, NULL, NULL);
}
