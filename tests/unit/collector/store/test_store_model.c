/* Random operations on the store and on a naive twin (store_twin.h): they must agree. Float samples and native histograms in and out of
 * order, duplicates, exemplars, seals, compactions, deletions, retentions, pins, rollups, readers that stay open, restarts, starts from a
 * backup, which replay the log. After each operation the series that it touched are compared, some at random with readers old and
 * new, and at intervals all of them.
 *
 * CREST_SEED repeats a run, CREST_MODEL_OPS=1000000 makes it long (make model). */
#include "tests/unit/collector/store/store_model.h"

#include "collector/store/backup.h"
#include "lib/base/clock.h"
#include "lib/base/number.h"

enum { TELL_EVERY = 50000 };
#define STEP_MS 1000

/* ---- writing ---- */
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
    int64_t span = m->view.now_ms - m->cutoff_ms;
    switch (check_random_below(r, 20)) {
    case 0: /* anywhere that retention spares */
        return m->cutoff_ms + (int64_t)check_random_below(r, (uint64_t)span + 1);
    case 1: /* collides with a grid time now and then */
    case 2:
    case 3: {
        int64_t t = m->view.now_ms - STEP_MS * (int64_t)check_random_below(r, 2000);
        return t < m->cutoff_ms ? m->cutoff_ms : t;
    }
    default:
        return m->view.now_ms;
    }
}

static void pass_time(struct model *m, int64_t ms)
{
    m->view.now_ms += ms;
    atomic_store(&m->clock_ms, m->view.now_ms); /* the retention may run at any time */
    m->cutoff_ms = m->view.now_ms - RETENTION_MS;
}

struct answers {
    uint64_t kept, kept_histograms, refused, exemplars, refused_exemplars;
};

static void add_sample(struct model *m, struct write_request *w, struct write_series *ws, unsigned i, int64_t t_ms,
                       struct answers *want)
{
    struct check_random *r = &m->r;
    struct twin_sample s = {.t_ms = t_ms, .value = random_value(r)};
    const struct native_histogram *h = NULL;
    if (check_random_below(r, i % 5 ? 40 : 2) == 0) /* some series have many, most have a few */
        s.seed = m->histograms[1 + check_random_below(r, SEEDS)];
    s.start_ms = check_random_below(r, 30) ? 0 : (int64_t)check_random_below(r, 1000) - 500;
    const struct twin_sample *known = twin_find(&m->twin[i], t_ms);
    if (known && check_random_below(r, 2))
        s = (struct twin_sample){t_ms, s.start_ms, known->value, known->seed, 0, 0}; /* a retry */
    if (s.seed)
        h = histogram_of(&w->arena, s.seed);
    if (h) {
        s.value = h->sum;
        ws->histograms[ws->n_histograms++] = (struct histogram_sample){t_ms, s.start_ms, h};
    } else {
        ws->samples[ws->n_samples++] = (struct sample){t_ms, s.start_ms, s.value};
    }
    int kept = twin_put(&m->twin[i], &s, m->view.op);
    want->kept += kept != 0;
    want->refused += kept == 0;
    want->kept_histograms += kept && h;
}

static void add_exemplar(struct model *m, struct write_request *w, struct write_series *ws, unsigned i, int64_t t_ms,
                         struct answers *want)
{
    struct check_random *r = &m->r;
    struct twin_exemplar x = {.t_ms = t_ms - (int64_t)check_random_below(r, 4) * STEP_MS,
                              .value = (double)check_random_below(r, 3),
                              .trace = (unsigned)check_random_below(r, 3)};
    if (x.t_ms < gone_before(&m->view, i))
        return;
    ws->exemplars = arena_alloc(&w->arena, sizeof *ws->exemplars);
    ws->exemplars[ws->n_exemplars++] = (struct exemplar){
        .t_ms = x.t_ms,
        .has_time = true,
        .value = x.value,
        .labels = labels_of(&w->arena, arena_printf(&w->arena, "trace_id=%u", x.trace)),
    };
    int kept = twin_put_exemplar(&m->twin[i], &x);
    want->exemplars += kept != 0;
    want->refused_exemplars += kept == 0;
}

static void append(struct model *m)
{
    struct check_random *r = &m->r;
    struct write_request *w = request_new();
    struct answers want = {0};
    pass_time(m, STEP_MS);
    bool scrape = check_random_below(r, 3) == 0;
    unsigned first = (unsigned)check_random_below(r, SERIES);
    unsigned n = 1 + (unsigned)check_random_below(r, scrape ? SCRAPE : 6);
    w->series = arena_array(&w->arena, n, sizeof *w->series);
    for (unsigned k = 0; k < n; k++) {
        unsigned i = scrape ? (first + k) % SERIES : (unsigned)check_random_below(r, SERIES);
        size_t run = scrape || check_random_below(r, 10) ? 1 : 1 + check_random_below(r, 400);
        struct write_series *ws = &w->series[w->n_series++];
        ws->labels = m->known[i].labels;
        ws->samples = arena_array(&w->arena, run, sizeof *ws->samples);
        ws->histograms = arena_array(&w->arena, run, sizeof *ws->histograms);
        if (check_random_below(r, 10))
            ws->key = m->known[i].key;
        int64_t t = scrape ? m->view.now_ms : random_time(m);
        t = t < gone_before(&m->view, i) ? gone_before(&m->view, i) : t;
        m->touched[m->n_touched].series = i;
        m->touched[m->n_touched].min_ms = t;
        for (size_t j = 0; j < run && t <= m->view.now_ms; j++, t += STEP_MS)
            add_sample(m, w, ws, i, t, &want);
        if (check_random_below(r, 10) == 0)
            add_exemplar(m, w, ws, i, t - STEP_MS, &want);
        m->touched[m->n_touched++].max_ms = t;
    }
    struct store_written got = write_now(m->f->s, w);
    if (got.error || got.samples + got.histograms != want.kept || got.exemplars != want.exemplars ||
        got.refused[STORE_REFUSED_DUPLICATE] != want.refused ||
        got.refused[STORE_REFUSED_EXEMPLAR] != want.refused_exemplars)
        check_failed("op %llu: kept %llu of %llu and %llu of %llu, refused %llu of %llu and %llu of %llu, error %d %s",
                     (unsigned long long)m->view.op, (unsigned long long)(got.samples + got.histograms),
                     (unsigned long long)want.kept, (unsigned long long)got.exemplars,
                     (unsigned long long)want.exemplars, (unsigned long long)got.refused[STORE_REFUSED_DUPLICATE],
                     (unsigned long long)want.refused, (unsigned long long)got.refused[STORE_REFUSED_EXEMPLAR],
                     (unsigned long long)want.refused_exemplars, got.error, got.why);
    m->kept += want.kept;
    m->kept_histograms += want.kept_histograms;
    m->refused += want.refused;
    m->exemplars += want.exemplars;
}

/* ---- readers ---- */
static void close_snapshots(struct model *m)
{
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        store_reader_close(m->snapshots[i].rd);
        m->snapshots[i].rd = NULL;
    }
}

/* A series of the same group, whose extents the reader has already: what the others have is asked of other readers. */
static unsigned neighbour(struct model *m, unsigned i)
{
    for (int tries = 0; tries < 10; tries++) {
        unsigned other = (unsigned)check_random_below(&m->r, SERIES);
        if (m->known[other].id / EXTENT_SERIES_MAX == m->known[i].id / EXTENT_SERIES_MAX)
            return other;
    }
    return i;
}

static void use_snapshot(struct model *m)
{
    struct snapshot *sn = &m->snapshots[check_random_below(&m->r, SNAPSHOTS)];
    if (!sn->rd) {
        check_ok(store_reader_open(m->f->s, &sn->rd));
        sn->view = m->view;
        return;
    }
    unsigned i = (unsigned)check_random_below(&m->r, SERIES);
    for (int k = 0; k < 3; k++)
        compare(m, &sn->view, sn->rd, k ? neighbour(m, i) : i, INT64_MIN, INT64_MAX, "snapshot");
    compare_rolled(m, &sn->view, sn->rd, i);
    if (check_random_below(&m->r, 3) == 0) {
        store_reader_close(sn->rd);
        sn->rd = NULL;
    }
}

static void look(struct model *m)
{
    struct store_reader *rd;
    check_ok(store_reader_open(m->f->s, &rd));
    unsigned first = (unsigned)check_random_below(&m->r, SERIES);
    for (int k = 0; k < 3; k++) {
        unsigned i = k ? neighbour(m, first) : first;
        int64_t from = random_time(m), to = from + (int64_t)check_random_below(&m->r, 3600000);
        compare(m, &m->view, rd, i, from, to, "range");
        if (k == 0) {
            compare(m, &m->view, rd, i, INT64_MIN, INT64_MAX, "whole series");
            compare_rolled(m, &m->view, rd, i);
            uint32_t id = id_of(rd, m->known[i].text); /* through the index, which has others' ids, too */
            if (id != UINT32_MAX && id != id_in(m, rd, i))
                check_failed("op %llu: %s is %u and %u", (unsigned long long)m->view.op, m->known[i].text, id,
                             m->known[i].id);
            compare_exemplars(m, rd, i);
        }
    }
    store_reader_close(rd);
}

/* ---- deleting, pins ---- */
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
    for (unsigned i = 0; i < SERIES; i++)
        if (many ? i % 2 == which : i == which)
            m->deleted += twin_delete(&m->twin[i], min_ms, max_ms, m->view.op);
    struct store_reader *rd;
    check_ok(store_reader_open(m->f->s, &rd));
    for (unsigned k = 0; k < (many ? 3 : 1); k++) {
        unsigned i = many ? which + 2 * (unsigned)check_random_below(r, SERIES / 2) : which;
        compare(m, &m->view, rd, i, INT64_MIN, INT64_MAX, "deleted");
        compare_rolled(m, &m->view, rd, i);
        compare_exemplars(m, rd, i);
    }
    store_reader_close(rd);
}

/* A window of an event: what it takes in is there when it is pinned. */
static void pin_some(struct model *m)
{
    struct check_random *r = &m->r;
    struct view *v = &m->view;
    size_t k = check_random_below(r, PINS);
    if (v->n_pins == PINS && check_random_below(r, 2))
        v->pins[k] = v->pins[--v->n_pins];
    else if (v->n_pins == PINS || check_random_below(r, 3) == 0)
        v->n_pins = 0;
    if (v->n_pins < PINS) {
        int64_t start_ms = v->now_ms - (int64_t)check_random_below(r, DAY_MS);
        v->pins[v->n_pins++] =
            (struct store_pin){start_ms, start_ms + (int64_t)check_random_below(r, 2 * DAY_MS), PINNED};
        m->pinned++;
    }
    check_ok(store_set_pins(m->f->s, v->pins, v->n_pins));
}

/* ---- time, starts ---- */
static void retire_all(struct store *s, void *ctx)
{
    (void)ctx;
    int r;
    while ((r = store_retire(s)) > 0)
        ;
    check_ok(r);
}

/* Extents go as a whole, at the end of the longest retention beside them; those of a pinned day stay. */
static bool is_over(const void *ctx, int64_t t_ms)
{
    const struct model *m = ctx;
    for (size_t k = 0; k < m->view.n_pins; k++)
        if (t_ms >= m->view.pins[k].start_ms - DAY_MS && t_ms <= m->view.pins[k].end_ms + DAY_MS)
            return false;
    return t_ms < m->view.now_ms - own_ms[2] - DAY_MS;
}

static void forget_exemplars(struct model *m, unsigned i)
{
    struct twin_series *ts = &m->twin[i];
    size_t kept = 0;
    for (size_t k = 0; k < ts->n_exemplars; k++)
        if (is_spared(m, i, ts->exemplars[k].t_ms))
            ts->exemplars[kept++] = ts->exemplars[k];
    ts->n_exemplars = kept;
}

/* What can be in no extent any more leaves the twin. No snapshot is open, and nothing waits for its rollups. */
static void forget(struct model *m)
{
    check_ok(store_seal(m->f->s));
    check_ok(store_compact(m->f->s));
    check_ok(store_call(m->f->s, retire_all, NULL));
    for (unsigned i = 0; i < SERIES; i++) {
        twin_forget(&m->twin[i], m->view.op, is_over, m);
        forget_exemplars(m, i);
    }
}

static void note_counters(struct model *m)
{
    const atomic_uint_fast64_t *counters = m->f->s->counters;
    m->merged = m->merged || counters[COUNT_MERGED_EXTENTS] > 0;
    m->moved = m->moved || counters[COUNT_MOVED_DAYS] > 0;
    m->weeks = m->weeks || counters[COUNT_MOVED_WEEKS] > 0;
    m->purged = m->purged || counters[COUNT_PURGED_EXTENTS] > 0;
}

/* All that a selector finds, at once. */
static void learn_ids(struct model *m)
{
    struct store_reader *rd;
    struct store_series *series;
    size_t n;
    for (unsigned i = 0; i < SERIES; i++)
        m->known[i].id = UINT32_MAX;
    check_ok(store_reader_open(m->f->s, &rd));
    check_ok(select_text(rd, "series=~.+", 0, &m->arena, &series, &n));
    for (size_t k = 0; k < n; k++) {
        uint64_t i;
        check_ok(parse_u64_span(labels_get(&series[k].labels, SPAN("series")), SERIES - 1, &i));
        if (m->known[i].id != UINT32_MAX || !labels_equal(&series[k].labels, &m->known[i].labels))
            check_failed("op %llu: series %llu is there twice, or has other labels", (unsigned long long)m->view.op,
                         (unsigned long long)i);
        m->known[i].id = series[k].id;
    }
    store_reader_close(rd);
    arena_reset(&m->arena);
}

/* Rollups outlive their samples, or not, from one start to the next. Nothing leaves before the pins are known. */
static void start(struct model *m)
{
    struct store_fixture *f = m->f;
    f->config.rollup_retention_ms = check_random_below(&m->r, 2) ? 0 : own_ms[2] + 10 * DAY_MS;
    f->config.n_fine_rollups = check_random_below(&m->r, 3) == 0;
    open_again(f);
    f->s->part_bytes_min = 1; /* days move into files of their own however small they are */
    check_ok(store_set_pins(f->s, m->view.pins, m->view.n_pins));
    check_ok(store_call(f->s, retire_all,
                        NULL)); /* a file still has what was over before; the writer would do it in a moment */
    learn_ids(m);
}

static void stop(struct model *m)
{
    close_snapshots(m);
    note_counters(m);
    shut(m->f);
}

static char *folder_of(struct model *m)
{
    return arena_printf(&m->names, "%s/%u", m->f->folder, m->folder);
}

/* The store goes on from a copy of what it had on disk while it was open, as after a kill: the log has what was not sealed. */
static void start_from_backup(struct model *m)
{
    struct store_backup b;
    char why[512];
    const char *from = m->f->config.path;
    m->folder++;
    char *to = folder_of(m);
    if (store_backup(from, to, &b, why, sizeof why) < 0)
        check_failed("op %llu: backup: %s", (unsigned long long)m->view.op, why);
    assert_int_equal(b.missing, 0);
    stop(m);
    check_ok(dir_remove(from));
    m->f->config.path = to;
    start(m);
    m->restored++;
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

/* What costs most: some ten milliseconds and more each. */
static void rare_step(struct model *m, uint64_t pick)
{
    if (pick < 1) {
        pin_some(m);
    } else if (pick < 4) {
        check_ok(store_compact(m->f->s));
    } else if (pick < 5 || m->in_memory) { /* in memory a restart would end it */
        look_at_all(m);
    } else if (pick < 8) {
        stop(m);
        start(m);
        look(m);
    } else {
        start_from_backup(m);
        look_at_all(m);
    }
}

static void step(struct model *m)
{
    uint64_t pick = check_random_below(&m->r, 1000);
    if (pick < 700) {
        append(m);
    } else if (pick < 705) {
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
    } else if (pick < 988) {
        rare_step(m, pick - 978);
    } else if (pick < 993) { /* days pass: retention takes what is old when the store opens */
        if (m->in_memory) {
            close_snapshots(m);
            pass_time(m, (int64_t)check_random_below(&m->r, 4) * 43200000);
        } else {
            stop(m);
            pass_time(m, (int64_t)check_random_below(&m->r, 4) * 43200000);
            start(m);
        }
        forget(m);
        look(m);
    }
    look_at_touched(m);
}

/* ---- runs ---- */
static void know_histograms(struct model *m)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct native_histogram *h = histogram_of(&m->arena, seed);
        m->histograms[seed] = seed;
        for (uint64_t k = 1; k < seed && m->histograms[seed] == seed; k++)
            if (m->histograms[k] == k && is_stale(h->sum) && histogram_equal(h, histogram_of(&m->arena, k)))
                m->histograms[seed] = k;
        arena_reset(&m->arena);
    }
}

static void know_series(struct model *m)
{
    for (unsigned i = 0; i < SERIES; i++) {
        struct known *k = &m->known[i];
        struct buf key;
        bool ok = true;
        name_of(i, k->text);
        k->labels = labels_of(&m->names, k->text);
        buf_init(&key, 1 << 20);
        series_key_build(&key, &k->labels);
        k->key = arena_span(&m->names, buf_view(&key), &ok);
        assert_true(ok);
        buf_done(&key);
    }
}

static void run(struct store_fixture *f, const char *name, bool in_memory)
{
    static struct model model;
    struct model *m = &model;
    *m = (struct model){.f = f, .r = check_random_new(name), .in_memory = in_memory};
    arena_init(&m->arena, 64 << 20);
    arena_init(&m->names, 64 << 20);
    sample_columns_init(&m->columns);
    know_series(m);
    know_histograms(m);
    shut(f);
    pass_time(m, 1700000000000);
    own_ms[2] = (in_memory ? 8 : 20) * DAY_MS; /* in memory nothing is merged: reading would be slow */
    struct matcher matchers[2];
    struct parse_error error;
    check_ok(matcher_init(&matchers[0], MATCH_EQUAL, SPAN("third"), SPAN("1"), &error));
    check_ok(matcher_init(&matchers[1], MATCH_REGEX, SPAN("third"), SPAN("2|3"), &error));
    const struct store_retention rules[] = {{&matchers[0], 1, own_ms[1]}, {&matchers[1], 1, own_ms[2]}};
    f->config.path = in_memory ? NULL : folder_of(m);
    f->config.retention_ms = RETENTION_MS;
    f->config.retentions = rules;
    f->config.n_retentions = ARRAY_LEN(rules);
    f->config.fine_rollups = &rules[1];
    f->config.retention_waits = true;
    f->config.now_ms = model_now;
    f->config.now_ctx = m;
    start(m);
    uint64_t ops = 4000 / check_slowness();
    const char *wanted = getenv("CREST_MODEL_OPS");
    if (wanted)
        check_ok(parse_u64(wanted, UINT64_MAX, &ops));
    int64_t started_us = cpu_process_us();
    for (m->view.op = 0; m->view.op < ops; m->view.op++) {
        if (m->view.op && m->view.op % TELL_EVERY == 0) {
            print_message("%llu operations, %.0f s of CPU\n", (unsigned long long)m->view.op,
                          (double)(cpu_process_us() - started_us) / 1e6);
            (void)fflush(stdout);
        }
        step(m);
    }
    look_at_all(m);
    note_counters(m);
    assert_true(m->kept > ops);
    assert_true(m->kept_histograms > ops / 10);
    assert_true(m->refused > 0 && m->exemplars > 0);
    assert_true(m->deleted > 0 || ops < 1000); /* one step in two hundred */
    assert_true((m->merged && m->moved && m->weeks && m->purged && m->rolled && m->restored && m->gone) || in_memory ||
                ops < 6000);
    print_message(
        "%llu operations, %llu samples, %llu histograms among them, %llu exemplars, %llu deleted, %llu pins; %llu "
        "series read with rollups, %llu pinned samples read that were over, %llu starts from a backup; %.0f s of CPU\n",
        (unsigned long long)ops, (unsigned long long)m->kept, (unsigned long long)m->kept_histograms,
        (unsigned long long)m->exemplars, (unsigned long long)m->deleted, (unsigned long long)m->pinned,
        (unsigned long long)m->rolled, (unsigned long long)m->gone, (unsigned long long)m->restored,
        (double)(cpu_process_us() - started_us) / 1e6);
    close_snapshots(m);
    for (unsigned i = 0; i < SERIES; i++)
        twin_done(&m->twin[i]);
    sample_columns_done(&m->columns);
    shut(f);
    arena_done(&m->arena);
    arena_done(&m->names);
    f->config.n_retentions = f->config.n_fine_rollups = 0;
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
