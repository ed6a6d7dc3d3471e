/* What store.h promises to those who write and read, one promise per test: what was written is found, by whatever selects it. */
#include "tests/unit/collector/store/store_test.h"

static void samples_are_there_from_head_from_extents_and_after_a_restart(void **state)
{
    struct store_fixture *f = *state;
    const struct sample want[] = {
        {.t_ms = INT64_MIN, .value = -0.0},
        {.t_ms = -5000, .value = 1},
        {.t_ms = 0, .value = f64_from_bits(NAN_BITS)},
        {.t_ms = 1, .value = stale_marker(), .start_ms = -7},
        {.t_ms = 1700000000000, .value = INFINITY},
        {.t_ms = INT64_MAX, .value = 5e-324},
    };
    struct write_request *w = request_new();
    struct write_series *ws = request_series(w, "odd|job=x", ARRAY_LEN(want));
    for (size_t i = ARRAY_LEN(want); i-- > 0;) /* newest first: all but one are late */
        ws->samples[ws->n_samples++] = want[i];
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.samples, ARRAY_LEN(want));
    check_samples(f->s, "odd|job=x", want, ARRAY_LEN(want));
    assert_int_equal(store_newest_ms(f->s), INT64_MAX);
    assert_int_equal(store_oldest_ms(f->s), INT64_MIN);
    check_ok(store_seal(f->s));
    check_samples(f->s, "odd|job=x", want, ARRAY_LEN(want));
    restart(f);
    check_samples(f->s, "odd|job=x", want, ARRAY_LEN(want));
    assert_int_equal(store_newest_ms(f->s), INT64_MAX);
    assert_int_equal(store_oldest_ms(f->s), INT64_MIN);
    assert_int_equal(store_series_count(f->s), 1);
}

static void an_empty_store_says_so(void **state)
{
    struct store_fixture *f = *state;
    assert_int_equal(store_newest_ms(f->s), INT64_MIN);
    assert_int_equal(store_oldest_ms(f->s), INT64_MAX);
    assert_int_equal(store_series_count(f->s), 0);
    assert_false(store_is_read_only(f->s));
    struct store_reader *rd;
    struct arena a;
    struct span *texts;
    struct store_series *series;
    size_t n;
    arena_init(&a, 1 << 20);
    check_ok(store_reader_open(f->s, &rd));
    check_ok(select_text(rd, "", 0, &a, &series, &n));
    assert_int_equal(n, 0);
    check_ok(store_label_names(rd, NULL, 0, &a, &texts, &n));
    assert_int_equal(n, 0);
    check_ok(store_label_values(rd, SPAN("job"), NULL, 0, &a, &texts, &n));
    assert_int_equal(n, 0);
    struct store_exemplars *exemplars;
    check_ok(store_exemplars(rd, &(struct store_selection){ALL_TIME}, &a, &exemplars, &n));
    assert_int_equal(n, 0);
    store_reader_close(rd);
    arena_done(&a);
    check_ok(store_seal(f->s));
}

static void late_samples_join_sealed_ones_in_order(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "m", 1000, 1);
    put(f->s, "m", 3000, 3);
    check_ok(store_seal(f->s));
    put(f->s, "m", 2000, 2);
    put(f->s, "m", 500, 0.5);
    const struct sample want[] = {{500, 0, 0.5}, {1000, 0, 1}, {2000, 0, 2}, {3000, 0, 3}};
    check_samples(f->s, "m", want, 4);
    check_ok(store_seal(f->s));
    check_samples(f->s, "m", want, 4);
    restart(f);
    check_samples(f->s, "m", want, 4);
}

static void equal_duplicates_are_silent_and_others_are_refused_wherever_the_first_is(void **state)
{
    struct store_fixture *f = *state;
    for (int where = 0; where < 3; where++) { /* head, extents, after a restart */
        if (where == 0) {
            put(f->s, "m", 1000, 1);
            put(f->s, "m", 2000, 2);
            put(f->s, "nan", 1000, stale_marker());
        } else if (where == 1) {
            check_ok(store_seal(f->s));
        } else {
            restart(f);
        }
        struct write_request *w = request_new();
        request_add(w, "m", 1000, 7);
        request_add(w, "m", 2000, 8);
        request_add(w, "nan", 1000, f64_from_bits(NAN_BITS));
        request_add(w, "m", 1500 + where, 1.5);
        struct store_written written = write_now(f->s, w);
        assert_int_equal(written.samples, 1);
        assert_int_equal(written.refused[STORE_REFUSED_DUPLICATE], 3);
        check_contains(written.why, "duplicate timestamp, different value");
        check_contains(written.why, "m");
        put(f->s, "m", 1000, 1);
        put(f->s, "m", 2000, 2);
        put(f->s, "nan", 1000, stale_marker());
        assert_int_equal(count_samples(f->s, "m"), (size_t)3 + (size_t)where);
        assert_int_equal(count_samples(f->s, "nan"), 1);
    }
}

/* The writer remembers stretches of time without extents; sealing late samples ends such a stretch. */
static void a_gap_is_no_gap_any_more_once_something_is_sealed_in_it(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "m", 1000, 1);
    check_ok(store_seal(f->s));
    put(f->s, "m", 9000, 9);
    check_ok(store_seal(f->s));
    put(f->s, "m", 5000, 5); /* between the two extents */
    check_ok(store_seal(f->s));
    struct write_request *w = request_new();
    request_add(w, "m", 5000, 6);
    assert_int_equal(write_now(f->s, w).refused[STORE_REFUSED_DUPLICATE], 1);
}

static int64_t noon(void *ctx)
{
    (void)ctx;
    return 43200000;
}

static void what_breaks_the_rules_is_refused_and_counted_and_the_rest_is_kept(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    f->config.future_ms_max = 0; /* 10 minutes */
    f->config.now_ms = noon;
    f->config.series_max = 3;
    open_again(f);
    struct native_histogram h = {.schema = 9};
    struct write_request *w = request_new();
    request_add(w, "a", 43200000 + 600000, 1);
    request_add(w, "b", 43200000 + 600001, 1);
    struct write_series *with_histogram = request_series(w, "c", 1);
    with_histogram->histograms = arena_alloc(&w->arena, sizeof *with_histogram->histograms);
    with_histogram->histograms[with_histogram->n_histograms++] = (struct histogram_sample){.t_ms = 1, .histogram = &h};
    with_histogram->samples[with_histogram->n_samples++] = (struct sample){.t_ms = 1, .value = 2};
    struct label twice[] = {{SPAN("a"), SPAN("1")}, {SPAN("a"), SPAN("2")}};
    struct write_series *bad = request_series(w, "bad", 1);
    bad->labels = (struct labels){twice, 2};
    bad->key = (struct span){NULL, 0};
    bad->n_samples = 1;
    struct write_series *nameless = request_series(w, "bad", 1);
    nameless->labels.n = 0;
    nameless->key = (struct span){NULL, 0};
    nameless->n_samples = 1;
    request_add(w, "d", 1, 1);
    request_add(w, "e", 1, 1); /* the fourth series */
    request_add(w, "a", 5, 1); /* a known one goes on */
    struct store_written written = write_now(f->s, w);
    assert_int_equal(written.error, 0);
    assert_int_equal(written.samples, 4);
    assert_int_equal(written.histograms, 0);
    assert_int_equal(written.refused[STORE_REFUSED_FUTURE], 1);
    assert_int_equal(written.refused[STORE_REFUSED_HISTOGRAM], 1);
    assert_int_equal(written.refused[STORE_REFUSED_LABELS], 2);
    assert_int_equal(written.refused[STORE_REFUSED_SERIES_CAP], 1);
    check_contains(written.why, "too far in the future: b");
    assert_int_equal(store_series_count(f->s), 3);
    assert_int_equal(stat_of(f->s, "crest_store_refused_samples_total{reason=\"labels\"}"), 2);
    assert_int_equal(stat_of(f->s, "crest_store_refused_samples_total{reason=\"series_cap\"}"), 1);
    assert_int_equal(count_samples(f->s, "b"), 0);
}

static void label_sets_are_one_series_with_and_without_a_key(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "m|b=2|a=1", 1, 1);
    struct write_request *w = request_new();
    struct write_series *plain = request_series(w, "m|a=1|b=2", 1);
    plain->key = (struct span){NULL, 0};
    plain->samples[plain->n_samples++] = (struct sample){.t_ms = 2, .value = 2};
    /* a sender that does not sort: its bytes differ, its labels (decoded and sorted) do not */
    struct write_series *unsorted = request_series(w, "m|a=1|b=2", 1);
    struct label turned[3] = {unsorted->labels.pairs[2], unsorted->labels.pairs[1], unsorted->labels.pairs[0]};
    struct buf key;
    buf_init(&key, 1000);
    series_key_build(&key, &(struct labels){turned, 3});
    bool ok = true;
    unsorted->key = arena_span(&w->arena, buf_view(&key), &ok);
    buf_done(&key);
    unsorted->samples[unsorted->n_samples++] = (struct sample){.t_ms = 3, .value = 3};
    assert_int_equal(write_now(f->s, w).samples, 2);
    assert_int_equal(store_series_count(f->s), 1);
    assert_int_equal(count_samples(f->s, "m|a=1|b=2"), 3);
}

static void a_reader_sees_what_it_saw_when_it_was_opened(void **state)
{
    struct store_fixture *f = *state;
    struct sample_columns c;
    struct store_reader *rd;
    sample_columns_init(&c);
    put(f->s, "m", 1000, 1);
    put(f->s, "m", 3000, 3);
    check_ok(store_reader_open(f->s, &rd));
    uint32_t id = id_of(rd, "m");
    for (int step = 0; step < 6; step++) {
        switch (step) {
        case 0:
            put(f->s, "m", 4000, 4);
            break;
        case 1:
            put(f->s, "m", 2000, 2);
            break;
        case 2:
            put(f->s, "new", 1000, 1);
            break;
        case 3:
        case 5:
            check_ok(store_seal(f->s));
            break;
        default:
            put(f->s, "m", 5000, 5);
            break;
        }
        check_ok(store_read(rd, id, INT64_MIN, INT64_MAX, &c));
        assert_int_equal(c.n, 2);
        assert_int_equal(c.t_ms[0], 1000);
        assert_int_equal(c.t_ms[1], 3000);
        assert_int_equal(id_of(rd, "new"), UINT32_MAX);
    }
    store_reader_close(rd);
    assert_int_equal(count_samples(f->s, "m"), 5);
    assert_int_equal(count_samples(f->s, "new"), 1);
    check_ok(store_reader_open(f->s, &rd)); /* ranges are inclusive */
    check_ok(store_read(rd, id, 2000, 4000, &c));
    assert_int_equal(c.n, 3);
    check_ok(store_read(rd, id, 2001, 2999, &c));
    assert_int_equal(c.n, 0);
    store_reader_close(rd);
    sample_columns_done(&c);
}

/* ---- selecting ---- */
static void select_all_ways(struct store *s)
{
    static const struct {
        const char *matchers, *want; /* values of the label "id" of what is selected, in order */
    } CASES[] = {
        {"__name__=http", "1 2 3 4"},
        {"__name__=http;code=500", "2"},
        {"__name__=http;code!=500", "1 3 4"}, /* 4 has no code */
        {"__name__=http;code=", "4"},
        {"__name__=http;code!=", "1 2 3"},
        {"__name__=http;code=~5..", "2 3"},
        {"__name__=http;code=~500|503", "2 3"},
        {"__name__=http;code!~5..", "1 4"},
        {"__name__=http;code=~", "4"},
        {"__name__=http;code=~.*", "1 2 3 4"},
        {"__name__=http;code=~|200", "1 4"},
        {"__name__=http;code!~|200", "2 3"},
        {"__name__=http;code=~.+", "1 2 3"},
        {"code=~.+", "1 2 3"},
        {"code=~5..", "2 3"},
        {"code!~.*", ""},
        {"code=", "4 5 6"},
        {"code!=500;code!=200", "3 4 5 6"},
        {"job=~shop|api", "1 2 3 4 5"},
        {"job=~shop|nowhere", "1 2 5"},
        {"job=~s.*;code=~2..", "1"},
        {"__name__=~ht+p;job=api", "3 4"},
        {"__name__=http;nolabel=", "1 2 3 4"},
        {"__name__=http;nolabel=x", ""},
        {"__name__=http;nolabel!=x", "1 2 3 4"},
        {"__name__=http;nolabel=~x.+", ""},
        {"__name__=http;job=nowhere", ""},
        {"__name__=nowhere", ""},
        {"job!=shop", "3 4 6"},
        {"", "1 2 3 4 5 6"},
    };
    struct store_reader *rd;
    check_ok(store_reader_open(s, &rd));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct arena a;
        struct store_series *series;
        size_t n;
        char got[256] = "";
        arena_init(&a, 1 << 20);
        check_ok(select_text(rd, CASES[i].matchers, 0, &a, &series, &n));
        for (size_t k = 0; k < n; k++) {
            size_t at = strlen(got);
            (void)snprintf(got + at, sizeof got - at, "%s" SPAN_FMT, k ? " " : "",
                           SPAN_ARG(labels_get(&series[k].labels, SPAN("id"))));
            assert_true(k == 0 || series[k].id > series[k - 1].id);
        }
        if (strcmp(got, CASES[i].want) != 0)
            check_failed("%s selects \"%s\", not \"%s\"", CASES[i].matchers, got, CASES[i].want);
        arena_done(&a);
    }
    store_reader_close(rd);
}

static void put_six(struct store *s)
{
    put(s, "http|id=1|job=shop|code=200", 1, 1);
    put(s, "http|id=2|job=shop|code=500", 1, 1);
    put(s, "http|id=3|job=api|code=503", 1, 1);
    put(s, "http|id=4|job=api", 1, 1);
    put(s, "up|id=5|job=shop", 1, 1);
    put(s, "up|id=6", 1, 1);
}

static void matchers_select_as_prometheus_does(void **state)
{
    struct store_fixture *f = *state;
    put_six(f->s);
    select_all_ways(f->s);
    check_ok(store_seal(f->s));
    select_all_ways(f->s);
    restart(f);
    select_all_ways(f->s);
}

/* Few of many are listed without a look at the others: in order, and once where a value is named twice. */
static void a_few_of_many_series_are_selected_in_order(void **state)
{
    struct store_fixture *f = *state;
    for (unsigned i = 0; i < 3000; i += 100) {
        struct write_request *w = request_new();
        for (unsigned k = i; k < i + 100; k++) {
            char text[64];
            (void)snprintf(text, sizeof text, "m|id=%u|half=%u", k, k / 1500);
            request_add(w, text, 1, 1);
        }
        assert_int_equal(write_now(f->s, w).samples, 100);
    }
    static const struct {
        const char *matchers;
        unsigned want[4];
        size_t n, first;
    } CASES[] = {{"id=1700", {1700}, 1, 0},
                 {"id=~1700|3|3|900|nowhere", {3, 900, 1700}, 3, 0},
                 {"id=~nowhere|elsewhere", {0}, 0, 0},
                 {"id=~1700|3;half=1", {1700}, 1, 0},
                 {"half=1", {1500, 1501}, 1500, 2},
                 {"half=~1|0", {0, 1}, 3000, 2}};
    struct store_reader *rd;
    check_ok(store_reader_open(f->s, &rd));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct arena a;
        struct store_series *series;
        size_t n;
        char id[16];
        arena_init(&a, 8u << 20);
        check_ok(select_text(rd, CASES[i].matchers, 0, &a, &series, &n));
        assert_int_equal(n, CASES[i].n);
        for (size_t k = 0; k < (CASES[i].first ? CASES[i].first : n); k++) {
            (void)snprintf(id, sizeof id, "%u", CASES[i].want[k]);
            check_span(labels_get(&series[k].labels, SPAN("id")), id);
        }
        arena_done(&a);
    }
    store_reader_close(rd);
}

static void a_selection_is_cut_one_behind_its_limit(void **state)
{
    struct store_fixture *f = *state;
    put_six(f->s);
    struct store_reader *rd;
    struct arena a;
    struct store_series *series;
    size_t n;
    arena_init(&a, 1 << 20);
    check_ok(store_reader_open(f->s, &rd));
    check_ok(select_text(rd, "", 3, &a, &series, &n));
    assert_int_equal(n, 4);
    check_ok(select_text(rd, "", 6, &a, &series, &n));
    assert_int_equal(n, 6);
    struct arena small;
    arena_init(&small, 64);
    check_errno(select_text(rd, "", 0, &small, &series, &n), -ENOMEM);
    arena_done(&small);
    store_reader_close(rd);
    arena_done(&a);
}

static size_t count_in(struct store_reader *rd, const struct matcher *m, int64_t min_ms, int64_t max_ms)
{
    struct arena a;
    struct store_series *series;
    size_t n;
    arena_init(&a, 1 << 20);
    check_ok(store_select(rd, &(struct store_selection){m, 1, min_ms, max_ms, 0}, &a, &series, &n));
    arena_done(&a);
    return n;
}

static void series_of_other_times_are_left_out_once_sealed(void **state)
{
    struct store_fixture *f = *state;
    struct store_reader *rd;
    struct matcher m;
    struct parse_error err;
    put(f->s, "m|i=1", 1000, 1);
    put(f->s, "m|i=2", 2000, 1);
    check_ok(store_seal(f->s));
    check_ok(matcher_init(&m, MATCH_EQUAL, SPAN("__name__"), SPAN("m"), &err));
    check_ok(store_reader_open(f->s, &rd));
    assert_int_equal(count_in(rd, &m, 0, 999), 0);
    assert_int_equal(count_in(rd, &m, 2000, 9000), 2); /* neighbours share an extent: one too many is no harm */
    assert_int_equal(count_in(rd, &m, 2001, INT64_MAX), 0);
    assert_int_equal(count_in(rd, &m, INT64_MIN, 1000), 2);
    store_reader_close(rd);
    matcher_done(&m);
}

static void check_texts(const struct span *texts, size_t n, const char *want)
{
    char got[256] = "";
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(got);
        (void)snprintf(got + at, sizeof got - at, "%s" SPAN_FMT, i ? " " : "", SPAN_ARG(texts[i]));
    }
    assert_string_equal(got, want);
}

static void label_names_and_values_follow_the_selections(void **state)
{
    struct store_fixture *f = *state;
    put_six(f->s);
    struct store_reader *rd;
    struct arena a;
    struct span *texts;
    size_t n;
    struct matcher up, api;
    struct parse_error err;
    arena_init(&a, 1 << 20);
    check_ok(matcher_init(&up, MATCH_EQUAL, SPAN("__name__"), SPAN("up"), &err));
    check_ok(matcher_init(&api, MATCH_EQUAL, SPAN("job"), SPAN("api"), &err));
    check_ok(store_reader_open(f->s, &rd));
    put(f->s, "later|extra=1|job=later", 1, 1); /* not in this view */
    struct store_selection both[] = {{.matchers = &up, .n_matchers = 1, ALL_TIME},
                                     {.matchers = &api, .n_matchers = 1, ALL_TIME}};
    check_ok(store_label_names(rd, NULL, 0, &a, &texts, &n));
    check_texts(texts, n, "__name__ code id job");
    check_ok(store_label_names(rd, both, 1, &a, &texts, &n));
    check_texts(texts, n, "__name__ id job");
    check_ok(store_label_values(rd, SPAN("job"), NULL, 0, &a, &texts, &n));
    check_texts(texts, n, "api shop");
    check_ok(store_label_values(rd, SPAN("id"), both, 2, &a, &texts, &n));
    check_texts(texts, n, "3 4 5 6");
    check_ok(store_label_values(rd, SPAN("code"), both, 2, &a, &texts, &n));
    check_texts(texts, n, "503");
    check_ok(store_label_values(rd, SPAN("nowhere"), both, 2, &a, &texts, &n));
    check_texts(texts, n, "");
    store_reader_close(rd);
    matcher_done(&up);
    matcher_done(&api);
    arena_done(&a);
}

static void metadata_is_kept(void **state)
{
    struct store_fixture *f = *state;
    struct metadata in[] = {
        {SPAN("http_total"), METRIC_TYPE_COUNTER, SPAN("requests"), SPAN("Requests.\nAll.")},
        {SPAN("up"), METRIC_TYPE_GAUGE, {NULL, 0}, {NULL, 0}},
    };
    struct write_request *w = request_new();
    w->metadata = in;
    w->n_metadata = 2;
    assert_int_equal(write_now(f->s, w).error, 0);
    struct metadata changed = {SPAN("up"), METRIC_TYPE_GAUGE, {NULL, 0}, SPAN("Is it?")};
    w = request_new();
    w->metadata = &changed;
    w->n_metadata = 1;
    assert_int_equal(write_now(f->s, w).error, 0);
    for (int round = 0; round < 2; round++, restart(f)) {
        struct store_reader *rd;
        struct arena a;
        struct metadata *m;
        size_t n;
        arena_init(&a, 1 << 20);
        check_ok(store_reader_open(f->s, &rd));
        check_ok(store_metadata(rd, (struct span){NULL, 0}, &a, &m, &n));
        assert_int_equal(n, 2);
        check_span(m[0].name, "http_total");
        assert_int_equal(m[0].type, METRIC_TYPE_COUNTER);
        check_span(m[0].unit, "requests");
        check_span(m[0].help, "Requests.\nAll.");
        check_span(m[1].help, "Is it?");
        check_ok(store_metadata(rd, SPAN("up"), &a, &m, &n));
        assert_int_equal(n, 1);
        check_ok(store_metadata(rd, SPAN("down"), &a, &m, &n));
        assert_int_equal(n, 0);
        store_reader_close(rd);
        arena_done(&a);
    }
}

static void a_store_without_a_path_keeps_everything_in_memory(void **state)
{
    struct store_fixture *f = *state;
    shut(f);
    f->config.path = NULL;
    open_again(f);
    put_six(f->s);
    put(f->s, "m", 1000, 1);
    check_ok(store_seal(f->s));
    put(f->s, "m", 500, 2);
    put(f->s, "m", 1000, 1);
    const struct sample want[] = {{500, 0, 2}, {1000, 0, 1}};
    check_samples(f->s, "m", want, 2);
    assert_int_equal(store_series_count(f->s), 7);
}

/* Blocks of the head grow; a long series crosses many, and extents cut it. */
static void a_long_series_is_whole(void **state)
{
    struct store_fixture *f = *state;
    enum { N = 20000 };
    struct write_request *w = request_new();
    struct write_series *ws = request_series(w, "long", 2 * N);
    for (int64_t i = 0; i < N; i++)
        ws->samples[ws->n_samples++] = (struct sample){.t_ms = i * 60000, .value = (double)i};
    for (int64_t i = 0; i < N; i++) /* late, all of them */
        ws->samples[ws->n_samples++] = (struct sample){.t_ms = i * 60000 - 30000, .value = (double)i + 0.5};
    assert_int_equal(write_now(f->s, w).samples, 2 * N);
    for (int round = 0; round < 2; round++) {
        struct sample_columns c;
        sample_columns_init(&c);
        read_series(f->s, "long", INT64_MIN, INT64_MAX, &c);
        assert_int_equal(c.n, 2 * N);
        for (size_t i = 0; i < c.n; i++) {
            assert_int_equal(c.t_ms[i], (int64_t)i * 30000 - 30000);
            check_double_bits(c.value[i], (double)(i / 2) + (i % 2 ? 0 : 0.5));
        }
        read_series(f->s, "long", 30000 * 5000, 30000 * 5009, &c);
        assert_int_equal(c.n, 10);
        sample_columns_done(&c);
        check_ok(store_seal(f->s));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_store_says_so),
        TEST(samples_are_there_from_head_from_extents_and_after_a_restart),
        TEST(late_samples_join_sealed_ones_in_order),
        TEST(equal_duplicates_are_silent_and_others_are_refused_wherever_the_first_is),
        TEST(a_gap_is_no_gap_any_more_once_something_is_sealed_in_it),
        TEST(what_breaks_the_rules_is_refused_and_counted_and_the_rest_is_kept),
        TEST(label_sets_are_one_series_with_and_without_a_key),
        TEST(a_reader_sees_what_it_saw_when_it_was_opened),
        TEST(matchers_select_as_prometheus_does),
        TEST(a_few_of_many_series_are_selected_in_order),
        TEST(a_selection_is_cut_one_behind_its_limit),
        TEST(series_of_other_times_are_left_out_once_sealed),
        TEST(label_names_and_values_follow_the_selections),
        TEST(metadata_is_kept),
        TEST(a_store_without_a_path_keeps_everything_in_memory),
        TEST(a_long_series_is_whole),
    };
    return cmocka_run_group_tests_name("collector/store", tests, NULL, NULL);
}
