/* store_test.h - what the store's tests share: requests in a line, reads in a line, a folder that goes away.
 *
 *   struct write_request *w = request_new();
 *   request_add(w, "up|job=shop|instance=a:1", 1000, 1.0);        // one sample; the metric name first
 *   check_ok(store_write(s, w, &written));
 *   read_series(s, "up|job=shop|instance=a:1", INT64_MIN, INT64_MAX, &columns); */
#pragma once

#include "tests/support/check.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/store/series_key.h"
#include "collector/store/store.h"
#include "lib/base/file.h"
#include "lib/db/db.h"

#define ALL_TIME .min_ms = INT64_MIN, .max_ms = INT64_MAX

struct store_fixture {
    char *folder;
    struct store_config config;
    struct store *s;
};

static inline void open_again(struct store_fixture *f)
{
    char why[512] = "";
    int r = store_open(&f->config, &f->s, why, sizeof why);
    if (r < 0)
        check_failed("store_open: %d %s", r, why);
}

static inline void shut(struct store_fixture *f)
{
    store_close(f->s);
    f->s = NULL;
}

static inline void restart(struct store_fixture *f)
{
    shut(f);
    open_again(f);
}

static inline int set_up(void **state)
{
    struct store_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    check_ok(dir_make_temp("crest-store", &f->folder));
    f->config = (struct store_config){.path = f->folder, .future_ms_max = -1, .durability = STORE_NORMAL};
    open_again(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct store_fixture *f = *state;
    store_close(f->s);
    check_ok(dir_remove(f->folder));
    free(f->folder);
    free(f);
    return 0;
}

static inline struct write_request *request_new(void)
{
    struct write_request *w = write_request_new(256u << 20);
    assert_non_null(w);
    return w;
}

/* "name|label=value|…" -> sorted labels in the arena. */
static inline struct labels labels_of(struct arena *a, const char *text)
{
    struct label_builder b;
    struct labels ls;
    struct span rest = span_str(text), piece;
    bool first = true;
    label_builder_init(&b, a);
    while (span_cut(&rest, '|', &piece)) {
        char *copy = arena_dup(a, piece);
        struct span at = span_str(copy);
        size_t equals = span_find(at, '=');
        if (first && equals == at.len)
            label_builder_set(&b, SPAN("__name__"), at);
        else
            label_builder_set(&b, span_of(at.ptr, equals), span_from(at, equals + 1));
        first = false;
    }
    check_ok(label_builder_finish(&b, &ls));
    return ls;
}

/* A series with n samples' room; with the key that remote write would bring. */
static inline struct write_series *request_series(struct write_request *w, const char *text, size_t n)
{
    struct write_series *all = arena_array(&w->arena, w->n_series + 1, sizeof *all);
    if (w->n_series)
        memcpy(all, w->series, w->n_series * sizeof *all);
    w->series = all;
    struct write_series *ws = &all[w->n_series++];
    ws->labels = labels_of(&w->arena, text);
    struct buf key;
    buf_init(&key, 1 << 20);
    series_key_build(&key, &ws->labels);
    bool ok = true;
    ws->key = arena_span(&w->arena, buf_view(&key), &ok);
    buf_done(&key);
    ws->samples = arena_array(&w->arena, n, sizeof *ws->samples);
    return ws;
}

static inline void request_add(struct write_request *w, const char *text, int64_t t_ms, double value)
{
    struct write_series *ws = request_series(w, text, 1);
    ws->samples[ws->n_samples++] = (struct sample){.t_ms = t_ms, .value = value};
}

static inline struct store_written write_now(struct store *s, struct write_request *w)
{
    struct store_written written;
    check_ok(store_write(s, w, &written));
    return written;
}

/* One sample that must be kept. */
static inline void put(struct store *s, const char *text, int64_t t_ms, double value)
{
    struct write_request *w = request_new();
    request_add(w, text, t_ms, value);
    struct store_written written = write_now(s, w);
    if (written.error || written.samples != 1)
        check_failed("put %s at %lld: %d %s", text, (long long)t_ms, written.error, written.why);
}

/* Select by "label=value" pieces, "label!=…", "label=~…", "label!~…" joined by '|'. Frees the matchers itself. */
static inline int select_text(struct store_reader *rd, const char *text, size_t limit, struct arena *a,
                              struct store_series **ret, size_t *ret_n)
{
    struct matcher matchers[8];
    size_t n = 0;
    struct span rest = span_str(text), piece;
    while (text[0] && span_cut(&rest, ';', &piece)) {
        static const struct {
            const char *op;
            enum match_type type;
        } OPS[] = {{"!~", MATCH_NOT_REGEX}, {"=~", MATCH_REGEX}, {"!=", MATCH_NOT_EQUAL}, {"=", MATCH_EQUAL}};
        for (size_t i = 0; i < ARRAY_LEN(OPS); i++) {
            size_t at = span_search(piece, span_str(OPS[i].op));
            if (at == piece.len)
                continue;
            struct parse_error err;
            check_ok(matcher_init(&matchers[n++], OPS[i].type, span_of(piece.ptr, at),
                                  span_from(piece, at + strlen(OPS[i].op)), &err));
            break;
        }
    }
    struct store_selection selection = {.matchers = matchers, .n_matchers = n, ALL_TIME, .limit = limit};
    int r = store_select(rd, &selection, a, ret, ret_n);
    for (size_t i = 0; i < n; i++)
        matcher_done(&matchers[i]);
    return r;
}

/* The series' id in the reader's view, UINT32_MAX: not there. */
static inline uint32_t id_of(struct store_reader *rd, const char *text)
{
    struct arena a;
    arena_init(&a, 16u << 20);
    struct labels want = labels_of(&a, text);
    struct store_series *series;
    size_t n;
    uint32_t id = UINT32_MAX;
    char equal[512];
    (void)snprintf(equal, sizeof equal, "__name__=%.*s", SPAN_ARG(labels_get(&want, SPAN("__name__"))));
    check_ok(select_text(rd, equal, 0, &a, &series, &n));
    for (size_t i = 0; i < n; i++)
        if (labels_equal(&series[i].labels, &want))
            id = series[i].id;
    arena_done(&a);
    return id;
}

static inline void read_in(struct store_reader *rd, const char *text, int64_t min_ms, int64_t max_ms,
                           struct sample_columns *columns)
{
    uint32_t id = id_of(rd, text);
    if (id == UINT32_MAX)
        columns->n = 0;
    else
        check_ok(store_read(rd, id, min_ms, max_ms, columns));
}

static inline void read_series(struct store *s, const char *text, int64_t min_ms, int64_t max_ms,
                               struct sample_columns *columns)
{
    struct store_reader *rd;
    check_ok(store_reader_open(s, &rd));
    read_in(rd, text, min_ms, max_ms, columns);
    store_reader_close(rd);
}

static inline size_t count_samples(struct store *s, const char *text)
{
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(s, text, INT64_MIN, INT64_MAX, &c);
    size_t n = c.n;
    sample_columns_done(&c);
    return n;
}

/* One number of the store's own metrics; -1: not there. */
static inline double stat_of(struct store *s, const char *line)
{
    struct buf text;
    struct metric_writer w;
    buf_init(&text, 1 << 20);
    metric_writer_init(&w, &text, METRIC_TEXT);
    store_stats(s, &w);
    double value = -1;
    size_t n = strlen(line);
    for (const char *at = text.data; at; at = strchr(at, '\n'), at += at != NULL)
        if (strncmp(at, line, n) == 0 && at[n] == ' ')
            value = strtod(at + n, NULL);
    buf_done(&text);
    return value;
}

static inline void check_samples(struct store *s, const char *text, const struct sample *want, size_t n)
{
    struct sample_columns c;
    sample_columns_init(&c);
    read_series(s, text, INT64_MIN, INT64_MAX, &c);
    assert_int_equal(c.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(c.t_ms[i], want[i].t_ms);
        check_double_bits(c.value[i], want[i].value);
        assert_int_equal(c.start_ms ? c.start_ms[i] : 0, want[i].start_ms);
    }
    sample_columns_done(&c);
}

static inline void edit_file(struct store_fixture *f, const char *sql)
{
    char file[512], why[512];
    struct db *db;
    shut(f);
    (void)snprintf(file, sizeof file, "%s/head.db", f->folder);
    check_ok(db_open(file, &(struct db_options){.sync = DB_SYNC_NORMAL}, &db, why, sizeof why));
    check_ok(db_exec(db, sql));
    db_close(db);
    open_again(f);
}

static inline int64_t number_in_file(struct store_fixture *f, const char *sql)
{
    char file[512], why[512];
    const char *const statements[] = {sql};
    struct db *db;
    (void)snprintf(file, sizeof file, "%s/head.db", f->folder);
    check_ok(db_open(file, &(struct db_options){.read_only = true, .sql = statements, .sql_count = 1}, &db, why,
                     sizeof why));
    assert_int_equal(db_step(db, 0), 1);
    int64_t n = db_i64(db, 0, 0);
    db_reset(db, 0);
    db_close(db);
    return n;
}
