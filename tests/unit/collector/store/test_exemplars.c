/* Exemplars: what is taken, in which order, how many, and that they survive. */
#include "collector/store/exemplars.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "tests/unit/collector/store/store_test.h"

static struct exemplar exemplar_of(struct arena *a, int64_t t_ms, double value, const char *labels)
{
    return (struct exemplar){.labels = labels_of(a, labels), .t_ms = t_ms, .value = value, .has_time = true};
}

static struct write_series *request_exemplar(struct write_request *w, const char *text, struct exemplar x)
{
    struct write_series *ws = request_series(w, text, 1);
    ws->exemplars = arena_array(&w->arena, 1, sizeof *ws->exemplars);
    ws->exemplars[ws->n_exemplars++] = x;
    return ws;
}

static struct store_written offer(struct store *s, const char *text, int64_t t_ms, double value, const char *labels)
{
    struct write_request *w = request_new();
    (void)request_exemplar(w, text, exemplar_of(&w->arena, t_ms, value, labels));
    return write_now(s, w);
}

struct found {
    struct arena arena;
    struct store_exemplars *list;
    size_t n;
};

static void find(struct store *s, const char *name, int64_t min_ms, int64_t max_ms, struct found *ret)
{
    struct matcher m;
    struct parse_error error;
    struct store_reader *rd;
    arena_init(&ret->arena, 64u << 20);
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), span_str(name), &error));
    const struct store_selection sel = {&m, 1, min_ms, max_ms, 0};
    check_ok(store_reader_open(s, &rd));
    check_ok(store_exemplars(rd, &sel, &ret->arena, &ret->list, &ret->n));
    store_reader_close(rd);
    matcher_done(&m);
}

static size_t count(struct store *s, const char *name)
{
    struct found f;
    size_t n = 0;
    find(s, name, INT64_MIN, INT64_MAX, &f);
    for (size_t i = 0; i < f.n; i++)
        n += f.list[i].n;
    arena_done(&f.arena);
    return n;
}

static void exemplars_are_kept_and_survive_a_restart(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "rpc|job=a", 1000, 1);
    put(f->s, "rpc|job=b", 1000, 1);
    struct write_request *w = request_new();
    struct write_series *ws = request_exemplar(w, "rpc|job=a", exemplar_of(&w->arena, 0, 0.25, "trace_id=abc|span=1"));
    ws->exemplars[0].has_time = false; /* the sample's */
    ws->samples[ws->n_samples++] = (struct sample){.t_ms = 2000, .value = 2};
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.exemplars, 1);
    assert_int_equal(written.samples, 1);
    assert_int_equal(offer(f->s, "rpc|job=a", 3000, f64_from_bits(0x7ff8000000000abcull), "").exemplars, 1);
    assert_int_equal(offer(f->s, "rpc|job=b", 1500, 7, "trace_id=x").exemplars, 1);
    for (int round = 0; round < 3; round++) {
        struct found found;
        find(f->s, "rpc", INT64_MIN, INT64_MAX, &found);
        assert_int_equal(found.n, 2);
        check_span(labels_get(&found.list[0].series, SPAN("job")), "a");
        assert_int_equal(found.list[0].n, 2);
        assert_int_equal(found.list[0].exemplars[0].t_ms, 2000);
        check_double_bits(found.list[0].exemplars[0].value, 0.25);
        check_span(labels_get(&found.list[0].exemplars[0].labels, SPAN("trace_id")), "abc");
        check_span(labels_get(&found.list[0].exemplars[0].labels, SPAN("span")), "1");
        assert_int_equal(found.list[0].exemplars[1].labels.n, 0);
        check_double_bits(found.list[0].exemplars[1].value, f64_from_bits(0x7ff8000000000abcull));
        arena_done(&found.arena);
        find(f->s, "rpc", 1400, 1600, &found); /* only what lies in the times */
        assert_int_equal(found.n, 1);
        check_span(labels_get(&found.list[0].series, SPAN("job")), "b");
        arena_done(&found.arena);
        if (round == 0)
            check_ok(store_seal(f->s));
        else if (round == 1)
            restart(f);
    }
    assert_true(stat_of(f->s, "crest_store_exemplars_held") == 3);
}

static void equal_ones_are_silent_and_older_ones_refused(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "rpc", 1000, 1);
    assert_int_equal(offer(f->s, "rpc", 1000, 2, "trace_id=b").exemplars, 1);
    assert_int_equal(offer(f->s, "rpc", 2000, 1, "trace_id=c").exemplars, 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(offer(f->s, "rpc", 1000, 2, "trace_id=b").exemplars, 1); /* comes again: not the newest */
        assert_int_equal(offer(f->s, "rpc", 2000, 1, "trace_id=c").exemplars, 1);
        assert_int_equal(offer(f->s, "rpc", 1000, 2, "trace_id=z").refused[STORE_REFUSED_EXEMPLAR], 1);
        assert_int_equal(offer(f->s, "rpc", 2000, 0.5, "trace_id=c").refused[STORE_REFUSED_EXEMPLAR], 1);
        assert_int_equal(offer(f->s, "rpc", 2000, 1, "trace_id=a").refused[STORE_REFUSED_EXEMPLAR], 1);
        assert_int_equal(count(f->s, "rpc"), 2);
        restart(f);
    }
    assert_int_equal(offer(f->s, "rpc", 2000, 1, "trace_id=d").exemplars, 1); /* the same moment, behind */
    struct store_written w = offer(f->s, "rpc", 1, 1, "");
    check_contains(w.why, "out of order");
    assert_int_equal(w.error, 0);
}

static void what_breaks_the_rules_is_refused(void **state)
{
    struct store_fixture *f = *state;
    char labels[400] = "trace_id=";
    struct store_written w = offer(f->s, "nobody", 1000, 1, "trace_id=a");
    assert_int_equal(w.refused[STORE_REFUSED_EXEMPLAR], 1);
    check_contains(w.why, "no samples");
    assert_int_equal(store_series_count(f->s), 0); /* none is made for it */
    put(f->s, "rpc", 1000, 1);
    for (size_t i = 0; i < 120; i++)
        memcpy(labels + 9 + 2 * i, "\xc3\xa9", 2); /* 8 + 120 characters, 248 bytes */
    assert_int_equal(offer(f->s, "rpc", 1000, 1, labels).exemplars, 1);
    labels[9 + 240] = 'e';
    w = offer(f->s, "rpc", 1001, 1, labels);
    assert_int_equal(w.refused[STORE_REFUSED_EXEMPLAR], 1);
    check_contains(w.why, "128 characters");
    assert_int_equal(count(f->s, "rpc"), 1);
}

static void a_series_keeps_its_newest(void **state)
{
    struct store_fixture *f = *state;
    enum { MANY = STORE_SERIES_EXEMPLARS_MAX + 40 };
    put(f->s, "quiet", 1000, 1);
    put(f->s, "chatty", 1000, 1);
    assert_int_equal(offer(f->s, "quiet", 1, 1, "trace_id=q").exemplars, 1);
    struct write_request *w = request_new(); /* more in one commit than a series may have */
    for (int i = 0; i < MANY; i++)
        (void)request_exemplar(w, "chatty", exemplar_of(&w->arena, i, i, "trace_id=c"));
    assert_int_equal(write_now(f->s, w).exemplars, MANY);
    for (int round = 0; round < 2; round++) {
        struct found found;
        find(f->s, "chatty", INT64_MIN, INT64_MAX, &found);
        assert_int_equal(found.list[0].n, STORE_SERIES_EXEMPLARS_MAX);
        for (size_t i = 0; i < found.list[0].n; i++)
            assert_int_equal(found.list[0].exemplars[i].t_ms, 40 + (int64_t)i + round);
        arena_done(&found.arena);
        assert_int_equal(count(f->s, "quiet"), 1);
        if (round == 0) {
            assert_int_equal(offer(f->s, "chatty", MANY, 1, "trace_id=c").exemplars, 1);
            restart(f);
        }
    }
    assert_int_equal(number_in_file(f, "SELECT count(*) FROM exemplar"), STORE_SERIES_EXEMPLARS_MAX + 1);
}

static void deleted_series_lose_theirs(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "rpc", 1000, 1);
    put(f->s, "other", 1000, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(offer(f->s, "rpc", i * 1000, 1, "trace_id=a").exemplars, 1);
        assert_int_equal(offer(f->s, "other", i * 1000, 1, "trace_id=a").exemplars, 1);
    }
    struct matcher m;
    struct parse_error error;
    uint64_t n;
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), SPAN("rpc"), &error));
    const struct store_selection sel = {&m, 1, 3000, 5999, 0};
    check_ok(store_delete(f->s, &sel, 1, &n));
    matcher_done(&m);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count(f->s, "rpc"), 7);
        assert_int_equal(count(f->s, "other"), 10);
        restart(f);
    }
}

static int64_t told_now(void *ctx)
{
    return atomic_load((_Atomic int64_t *)ctx);
}

/* The writer removes what is over when it keeps house: soon, but not before the call is back. */
static void wait_until_held(struct store *s, double n)
{
    for (unsigned i = 0; i < 10000 * check_patience() && stat_of(s, "crest_store_exemplars_held") != n; i++)
        sleep_us(1000);
    assert_true(stat_of(s, "crest_store_exemplars_held") == n);
}

static void wait_until_in_file(struct store_fixture *f, int64_t n)
{
    static const char COUNT[] = "SELECT count(*) FROM exemplar";
    for (unsigned i = 0; i < 10000 * check_patience() && number_in_file(f, COUNT) != n; i++)
        sleep_us(1000);
    assert_int_equal(number_in_file(f, COUNT), n);
}

static void what_is_over_by_the_retention_of_its_series_is_hidden_and_leaves(void **state)
{
    enum { DAY = 86400000, FROM = 4, NOW = 10, SERIES = 3 };
    static const char *const PINNED[] = {"pinned:", NULL};
    static const char *const NAMES[SERIES] = {"debug", "shop", "pinned:rpc"};
    static const char *const TEXTS[SERIES] = {"debug|job=debug", "shop|job=shop", "pinned:rpc|job=debug"};
    const struct store_pin pin = {FROM * (int64_t)DAY, FROM * (int64_t)DAY, PINNED};
    struct store_fixture *f = *state;
    _Atomic int64_t now;
    struct matcher debug;
    struct parse_error error;
    check_ok(matcher_init(&debug, MATCH_EQUAL, SPAN("job"), SPAN("debug"), &error));
    const struct store_retention two_days = {&debug, 1, 2 * DAY};
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        shut(f);
        atomic_store(&now, FROM * (int64_t)DAY);
        f->config = (struct store_config){.path = in_memory ? NULL : f->folder,
                                          .durability = STORE_NORMAL,
                                          .future_ms_max = -1,
                                          .retention_ms = 5 * DAY,
                                          .retentions = &two_days,
                                          .n_retentions = 1,
                                          .now_ms = told_now,
                                          .now_ctx = &now};
        open_again(f);
        for (int i = 0; i < SERIES; i++) {
            put(f->s, TEXTS[i], NOW * (int64_t)DAY, 1);
            for (int64_t day = FROM; day <= NOW; day++)
                assert_int_equal(offer(f->s, TEXTS[i], day * DAY, 1, "trace_id=a").exemplars, 1);
        }
        assert_true(stat_of(f->s, "crest_store_exemplars_held") == SERIES * (NOW - FROM + 1));
        atomic_store(&now, NOW * (int64_t)DAY);
        assert_int_equal(count(f->s, NAMES[0]), 3); /* the eighth day and later */
        assert_int_equal(count(f->s, NAMES[1]), 6); /* all are kept that long */
        assert_int_equal(count(f->s, NAMES[2]), 3);
        check_ok(store_set_pins(f->s, &pin, 1)); /* the retention runs now */
        assert_int_equal(count(f->s, NAMES[2]), 4);
        wait_until_held(f->s, 3 + 6 + 4);
        if (!in_memory) {
            restart(f);
            wait_until_held(f->s, 3 + 6 + 3); /* no pin any more */
            wait_until_in_file(f, 3 + 6 + 3); /* which is a commit later */
        }
        check_ok(store_set_retention(f->s, 0, NULL, 0)); /* what has left does not come back */
        assert_int_equal(count(f->s, NAMES[0]), 3);
        assert_int_equal(count(f->s, NAMES[1]), 6);
        atomic_store(&now, 20 * NOW * (int64_t)DAY);
        assert_int_equal(count(f->s, NAMES[1]), 6);
    }
    matcher_done(&debug);
}

static void a_damaged_row_is_left_out(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "rpc", 1000, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(offer(f->s, "rpc", i, 1, "trace_id=a").exemplars, 1);
    edit_file(f, "UPDATE exemplar SET data = zeroblob(length(data)) WHERE id = 2");
    assert_int_equal(count(f->s, "rpc"), 2);
    assert_true(stat_of(f->s, "crest_store_damaged_exemplars_total") == 1);
    assert_int_equal(offer(f->s, "rpc", 5, 1, "trace_id=a").exemplars, 1); /* its number is not given again */
    restart(f);
    assert_int_equal(count(f->s, "rpc"), 3);
}

/* ---- the list by itself ---- */
struct rows {
    int64_t rows[64];
    size_t n, dropped;
};
static int note_row(void *ctx, int64_t row, struct span bytes UNUSED)
{
    struct rows *r = ctx;
    r->rows[r->n++] = row;
    return 0;
}
static int note_drop(void *ctx, int64_t row UNUSED)
{
    ((struct rows *)ctx)->dropped++;
    return 0;
}

static void undone_commits_leave_nothing(void **state)
{
    (void)state;
    struct exemplars *e;
    struct exemplar x = {.value = 1}, *list;
    struct arena a;
    size_t n;
    struct rows rows = {0};
    const struct exemplar_sink sink = {&rows, note_row, note_drop};
    arena_init(&a, 1 << 20);
    check_ok(exemplars_new(6, 4, &e));
    for (int i = 0; i < 4; i++)
        assert_int_equal(exemplars_append(e, 1, &x, i), EXEMPLAR_TAKEN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(exemplars_append(e, 2, &x, i), EXEMPLAR_TAKEN);
    check_ok(exemplars_list(e, 1, INT64_MIN, INT64_MAX, &a, &list, &n));
    assert_int_equal(n, 0); /* not committed yet */
    exemplars_keep(e);
    assert_int_equal(exemplars_append(e, 1, &x, 4), EXEMPLAR_TAKEN); /* the series' fifth: its oldest goes ... */
    assert_int_equal(exemplars_append(e, 3, &x, 9), EXEMPLAR_TAKEN); /* the seventh of all */
    assert_true(exemplars_changed(e));
    exemplars_undo(e); /* ... but the commit failed */
    assert_false(exemplars_changed(e));
    check_ok(exemplars_list(e, 1, INT64_MIN, INT64_MAX, &a, &list, &n));
    assert_int_equal(n, 4);
    assert_int_equal(list[0].t_ms, 0);
    check_ok(exemplars_list(e, 3, INT64_MIN, INT64_MAX, &a, &list, &n));
    assert_int_equal(n, 0);
    assert_int_equal(exemplars_append(e, 1, &x, 4), EXEMPLAR_TAKEN);
    assert_int_equal(exemplars_append(e, 3, &x, 9), EXEMPLAR_TAKEN);
    assert_int_equal(exemplars_append(e, 3, &x, 9), EXEMPLAR_KNOWN);
    check_ok(exemplars_save(e, &sink));
    assert_int_equal(rows.n, 2);
    assert_int_equal(rows.dropped, 2);
    exemplars_keep(e);
    assert_int_equal(exemplars_count(e), 6);
    check_ok(exemplars_list(e, 1, INT64_MIN, INT64_MAX, &a, &list, &n));
    assert_int_equal(n, 3);           /* its fifth drove out one, the seventh of all the next */
    for (int i = 0; i < 20000; i++) { /* many series that come and go */
        assert_int_equal(exemplars_append(e, 10 + (uint32_t)i, &x, i), EXEMPLAR_TAKEN);
        exemplars_keep(e);
    }
    assert_int_equal(exemplars_count(e), 6);
    check_ok(exemplars_list(e, 10 + 19999, INT64_MIN, INT64_MAX, &a, &list, &n));
    assert_int_equal(n, 1);
    exemplars_free(e);
    arena_done(&a);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(exemplars_are_kept_and_survive_a_restart),
        STORE_TEST(equal_ones_are_silent_and_older_ones_refused),
        STORE_TEST(what_breaks_the_rules_is_refused),
        STORE_TEST(a_series_keeps_its_newest),
        STORE_TEST(deleted_series_lose_theirs),
        STORE_TEST(what_is_over_by_the_retention_of_its_series_is_hidden_and_leaves),
        STORE_TEST(a_damaged_row_is_left_out),
        cmocka_unit_test(undone_commits_leave_nothing),
    };
    return cmocka_run_group_tests_name("collector/store/exemplars", tests, NULL, NULL);
}
