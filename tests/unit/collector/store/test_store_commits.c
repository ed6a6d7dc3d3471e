/* What store.h promises of commits, one promise per test: who is told, what the folder holds, what goes again, what a full disk refuses. */
#include "tests/unit/collector/store/store_test.h"

#include <stdatomic.h>
#include <sys/stat.h>

#include "collector/store/store_inside.h"
#include "lib/base/clock.h"

/* ---- commits ---- */
struct commits {
    int64_t newest_ms[16];
    uint64_t samples[16];
    size_t n;
    struct store *s;
};

static void committed(void *ctx, const struct commit_info *info)
{
    struct commits *c = ctx;
    assert_in_range(c->n, 0, 15);
    c->newest_ms[c->n] = info->newest_ms;
    c->samples[c->n++] = info->samples;
    assert_true(info->mono_us > 0);
    assert_int_equal(count_samples(c->s, "m") > 0, true); /* visible already */
}

static void the_hook_tells_each_commit_and_leaves_derived_samples_out(void **state)
{
    struct store_fixture *f = *state;
    struct commits c = {.s = f->s};
    store_set_commit_hook(f->s, (struct commit_hook){&c, committed});
    put(f->s, "m", 2000, 1);
    put(f->s, "m", 1000, 1); /* newest of the commit, not of the store */
    put(f->s, "m", 1000, 1); /* nothing new: no commit */
    struct write_request *w = request_new();
    w->derived = true;
    request_add(w, "rule:m", 9000, 1);
    write_now(f->s, w);
    assert_int_equal(c.n, 3);
    assert_int_equal(c.newest_ms[0], 2000);
    assert_int_equal(c.newest_ms[1], 1000);
    assert_int_equal(c.newest_ms[2], INT64_MIN);
    assert_int_equal(c.samples[2], 1);
    assert_int_equal(store_newest_ms(f->s), 9000);
}

struct watched {
    int64_t newest_ms[3];
    uint32_t n;
};

static void note_watched(void *ctx, const struct commit_info *info)
{
    struct watched *w = ctx;
    w->n = info->n_watched;
    for (uint32_t i = 0; i < info->n_watched && i < ARRAY_LEN(w->newest_ms); i++)
        w->newest_ms[i] = info->watched_ms[i];
}

static void commits_tell_of_watched_names(void **state)
{
    struct store_fixture *f = *state;
    struct watched w = {0};
    uint32_t numbers[3];
    const struct span names[] = {SPAN("before"), SPAN("after"), SPAN("before")};
    store_set_commit_hook(f->s, (struct commit_hook){&w, note_watched});
    put(f->s, "before", 1000, 1);
    assert_int_equal(w.n, 0);
    check_ok(store_watch(f->s, names, ARRAY_LEN(names), numbers));
    assert_int_equal(numbers[0], 0);
    assert_int_equal(numbers[1], 1);
    assert_int_equal(numbers[2], 0);
    put(f->s, "before", 2000, 1); /* known before it was watched */
    assert_int_equal(w.newest_ms[0], 2000);
    assert_int_equal(w.newest_ms[1], INT64_MIN);
    put(f->s, "after|i=1", 3000, 1); /* new since */
    assert_int_equal(w.newest_ms[0], INT64_MIN);
    assert_int_equal(w.newest_ms[1], 3000);
    put(f->s, "another", 4000, 1);
    assert_int_equal(w.newest_ms[0], INT64_MIN);
    assert_int_equal(w.newest_ms[1], INT64_MIN);
    struct write_request *derived = request_new();
    derived->derived = true;
    request_add(derived, "before", 5000, 1);
    write_now(f->s, derived);
    assert_int_equal(w.newest_ms[0], INT64_MIN);
    check_ok(store_watch(f->s, &names[1], 1, numbers)); /* keeps its number */
    assert_int_equal(numbers[0], 1);

    char text[STORE_WATCH_MAX][16];
    struct span many[STORE_WATCH_MAX];
    uint32_t all[STORE_WATCH_MAX];
    for (unsigned i = 0; i < STORE_WATCH_MAX; i++) {
        (void)snprintf(text[i], sizeof text[i], "n%u", i);
        many[i] = span_str(text[i]);
    }
    check_ok(store_watch(f->s, many, STORE_WATCH_MAX, all));
    assert_int_equal(all[0], 2);
    assert_int_equal(all[STORE_WATCH_MAX - 3], STORE_WATCH_MAX - 1);
    assert_int_equal(all[STORE_WATCH_MAX - 2], UINT32_MAX); /* too many */
    put(f->s, "n5", 6000, 1);
    assert_int_equal(w.n, STORE_WATCH_MAX);
}

static void count_answer(void *ctx, const struct store_written *written)
{
    assert_int_equal(written->error, 0);
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void hold_writer(struct store *s, void *ctx)
{
    (void)s;
    while (!atomic_load((atomic_bool *)ctx))
        sleep_us(1000);
}

static void hold(void *ctx)
{
    void **both = ctx;
    check_ok(store_call(both[0], hold_writer, both[1]));
}

static void a_full_queue_says_so_and_the_request_stays_the_callers(void **state)
{
    struct store_fixture *f = *state;
    atomic_bool go = false;
    atomic_int answered = 0;
    void *both[] = {f->s, &go};
    struct thread *holder;
    check_ok(thread_start("holder", hold, both, &holder));
    int r = 0, sent = 0;
    struct write_request *w = NULL;
    for (int i = 0; r == 0 && i < 10000; i++) {
        w = request_new();
        request_add(w, "m", i, i);
        r = store_submit(f->s, w, count_answer, &answered);
        sent += r == 0;
    }
    check_errno(r, -EAGAIN);
    write_request_free(w);
    atomic_store(&go, true);
    thread_join(holder);
    check_ok(store_seal(f->s)); /* behind all of them */
    assert_int_equal(atomic_load(&answered), sent);
    assert_int_equal(count_samples(f->s, "m"), (size_t)sent);
    assert_in_range(stat_of(f->s, "crest_store_commits_total"), 1, 2 + sent / 64 + 64); /* many requests per commit */
    assert_int_equal(stat_of(f->s, "crest_store_queue_full_total"), 1);
    assert_int_equal(stat_of(f->s, "crest_store_queue_bytes"), 0);
}

/* ---- files ---- */
static void a_folder_is_open_once(void **state)
{
    struct store_fixture *f = *state;
    struct store *second;
    char why[256];
    check_errno(store_open(&f->config, &second, why, sizeof why), -EWOULDBLOCK);
    check_contains(why, "another process has this data folder open");
}

static void other_folders_are_refused_with_the_reason(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "m", 1, 1);
    shut(f);
    char file[512], why[512];
    struct db *db;
    struct store *s;
    (void)snprintf(file, sizeof file, "%s/head.db", f->folder);
    static const struct {
        const char *sql, *why;
    } CASES[] = {
        {"UPDATE meta SET value = 0 WHERE key = 'format'",
         "store format 0, this program reads and writes format 6 only"},
        {"UPDATE meta SET value = 4 WHERE key = 'format'", "store format 4"},
        {"PRAGMA user_version = 9", "newer"},
        {"PRAGMA application_id = 5", "another program"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        check_ok(db_open(file, &(struct db_options){.sync = DB_SYNC_NORMAL}, &db, why, sizeof why));
        check_ok(db_exec(db, CASES[i].sql));
        db_close(db);
        check_errno(store_open(&f->config, &s, why, sizeof why), -EUCLEAN);
        check_contains(why, CASES[i].why);
        check_ok(db_open(file, &(struct db_options){.sync = DB_SYNC_NORMAL}, &db, why, sizeof why));
        check_ok(db_exec(db, "UPDATE meta SET value = 6 WHERE key = 'format'; PRAGMA user_version = 2; PRAGMA "
                             "application_id = 1131565940"));
        db_close(db);
    }
    open_again(f);
}

static void sealing_trims_the_log_and_a_stop_leaves_no_wal(void **state)
{
    struct store_fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        struct write_request *w = request_new();
        for (int k = 0; k < 50; k++) {
            char text[64];
            (void)snprintf(text, sizeof text, "m|k=%d", k);
            request_add(w, text, i * 1000, i + 0.1 * k);
        }
        assert_int_equal(write_now(f->s, w).samples, 50);
    }
    shut(f);
    char file[512], wal[512], why[512];
    struct stat st;
    (void)snprintf(file, sizeof file, "%s/head.db", f->folder);
    (void)snprintf(wal, sizeof wal, "%s/head.db-wal", f->folder);
    assert_true(stat(wal, &st) < 0 || st.st_size == 0);
    assert_int_equal(stat(file, &st), 0);
    assert_in_range(st.st_size, 4096, 65536); /* 10,000 samples */
    static const char *const COUNT[] = {"SELECT count(*) FROM headlog"};
    struct db *db;
    check_ok(
        db_open(file, &(struct db_options){.read_only = true, .sql = COUNT, .sql_count = 1}, &db, why, sizeof why));
    assert_int_equal(db_step(db, 0), 1);
    assert_int_equal(db_i64(db, 0, 0), 0);
    db_close(db);
    open_again(f);
    assert_int_equal(count_samples(f->s, "m|k=49"), 200);
}

static int64_t settable(void *ctx)
{
    return atomic_load((_Atomic int64_t *)ctx);
}

static void retention_drops_what_is_over_and_forgets_its_series(void **state)
{
    struct store_fixture *f = *state;
    static _Atomic int64_t now;
    const int64_t day = 86400000;
    shut(f);
    atomic_store(&now, 10 * day);
    f->config.now_ms = settable;
    f->config.now_ctx = &now;
    f->config.retention_ms = 3 * day;
    open_again(f);
    put(f->s, "old", 8 * day, 1);
    check_ok(store_seal(f->s));
    for (int i = 0; i < 200; i++) { /* into the next group of series */
        char text[32];
        (void)snprintf(text, sizeof text, "new|i=%d", i);
        put(f->s, text, 10 * day, i);
    }
    restart(f); /* retention runs when the writer starts */
    check_ok(store_seal(f->s));
    assert_int_equal(count_samples(f->s, "old"), 1);
    check_ok(store_seal(f->s)); /* the writer is past the upkeep of its start, which must not see the new time */
    atomic_store(&now, 12 * day);
    restart(f);
    for (int i = 0; i < 2000 && store_oldest_ms(f->s) < 10 * day; i++)
        sleep_us(1000);
    assert_int_equal(store_oldest_ms(f->s), 10 * day);
    assert_int_equal(count_samples(f->s, "old"), 0);
    assert_int_equal(count_samples(f->s, "new|i=199"), 1);
    assert_int_equal(stat_of(f->s, "crest_store_retired_extents_total"), 1);
    atomic_store(&now, 20 * day);
    restart(f);
    for (int i = 0; i < 2000 && store_oldest_ms(f->s) != INT64_MAX; i++)
        sleep_us(1000);
    restart(f);
    assert_int_equal(store_series_count(f->s), 0);
    put(f->s, "again", 20 * day, 1);
    assert_int_equal(count_samples(f->s, "again"), 1);
}

static void retention_spares_what_is_pinned_and_waits_for_the_pins(void **state)
{
    struct store_fixture *f = *state;
    static _Atomic int64_t now;
    static const char *const NAMES[] = {"commerce:", NULL};
    const int64_t day = 86400000;
    shut(f);
    atomic_store(&now, 10 * day);
    f->config.now_ms = settable;
    f->config.now_ctx = &now;
    f->config.retention_ms = 3 * day;
    f->config.retention_waits = true;
    open_again(f);
    put(f->s, "commerce:orders", 8 * day, 1);
    check_ok(store_seal(f->s));
    put(f->s, "commerce:orders", 9 * day, 2); /* its own extent, outside of the window */
    check_ok(store_seal(f->s));
    for (int i = 0; i < 200; i++) { /* into the next group of series */
        char text[32];
        (void)snprintf(text, sizeof text, "other|i=%d", i);
        put(f->s, text, 8 * day, i);
    }
    check_ok(store_seal(f->s));
    atomic_store(&now, 20 * day);
    restart(f);
    sleep_us(50000);
    check_ok(store_seal(f->s)); /* the writer has been around: upkeep comes before work */
    assert_int_equal(stat_of(f->s, "crest_store_retired_extents_total"), 0);
    struct store_pin pin = {8 * day - 1000, 8 * day + 1000, NAMES};
    check_ok(store_set_pins(f->s, &pin, 1));
    for (int i = 0; i < 4000 && stat_of(f->s, "crest_store_retired_extents_total") < 2; i++)
        sleep_us(1000);
    assert_int_equal(count_samples(f->s, "commerce:orders"), 1);
    assert_int_equal(count_samples(f->s, "other|i=199"), 0);
    check_ok(store_set_pins(f->s, NULL, 0));
    for (int i = 0; i < 4000 && store_oldest_ms(f->s) != INT64_MAX; i++)
        sleep_us(1000);
    assert_int_equal(count_samples(f->s, "commerce:orders"), 0);
}

/* ---- what rules record ---- */
static void write_derived(struct store *s, const char *series, int64_t t_ms, double value)
{
    struct write_request *w = request_new();
    struct write_series *ws = request_series(w, series, 1);
    ws->samples[ws->n_samples++] = (struct sample){.t_ms = t_ms, .value = value};
    struct store_written written = {0};
    check_ok(store_write_derived(s, w, &written));
    assert_int_equal(written.error, 0);
    assert_int_equal(written.samples, 1);
}

static void is_lazy(struct store *s, void *ctx)
{
    *(bool *)ctx = s->lazy;
}

static void what_is_derived_is_kept_and_the_next_commit_waits_for_the_disk_again(void **state)
{
    struct store_fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        bool lazy = true;
        put(f->s, "m", i * 1000, i);
        write_derived(f->s, "commerce:m", i * 1000, i);
        check_ok(store_call(f->s, is_lazy, &lazy));
        assert_false(lazy);
    }
    assert_int_equal(count_samples(f->s, "commerce:m"), 50); /* seen at once */
    restart(f);
    assert_int_equal(count_samples(f->s, "m"), 50);
    assert_int_equal(count_samples(f->s, "commerce:m"), 50);
}

/* ---- a full disk ---- */
static void limit_pages(struct store *s, void *ctx)
{
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d", *(int *)ctx);
    *(int *)ctx = db_exec(s->db, sql);
}

static void a_full_disk_refuses_writes_serves_reads_and_heals(void **state)
{
    struct store_fixture *f = *state;
    put(f->s, "m", 0, 0);
    int pages = 1; /* SQLite takes the present size at least */
    check_ok(store_call(f->s, limit_pages, &pages));
    check_ok(pages);
    int64_t kept = 1;
    struct store_written written = {0};
    while (kept < 1000 && written.error == 0) {
        struct write_request *w = request_new();
        struct write_series *ws = request_series(w, "m", 1000);
        for (int k = 0; k < 1000; k++)
            ws->samples[ws->n_samples++] = (struct sample){.t_ms = kept * 1000 + k, .value = 0.1 * k};
        written = write_now(f->s, w);
        kept += written.error == 0;
    }
    assert_int_equal(written.error, -ENOSPC);
    assert_int_equal(written.samples, 0);
    check_contains(written.why, "full");
    assert_true(store_is_read_only(f->s));
    size_t before = count_samples(f->s, "m");
    assert_int_equal(before, 1 + (size_t)(kept - 1) * 1000); /* nothing of what was refused */
    struct write_request *w = request_new();
    request_add(w, "other", 5, 5);
    write_now(f->s, w);
    assert_int_equal(count_samples(f->s, "m"), before);
    pages = 1 << 20;
    check_ok(store_call(f->s, limit_pages, &pages));
    for (int i = 0; i < 5000 && store_is_read_only(f->s); i++) /* by itself */
        sleep_us(1000);
    assert_false(store_is_read_only(f->s));
    w = request_new();
    struct write_series *ws = request_series(w, "m", 1000);
    for (int k = 0; k < 1000; k++)
        ws->samples[ws->n_samples++] = (struct sample){.t_ms = kept * 1000 + k, .value = 0.1 * k};
    assert_int_equal(write_now(f->s, w).samples, 1000);
    assert_int_equal(count_samples(f->s, "m"), before + 1000);
    restart(f);
    assert_int_equal(count_samples(f->s, "m"), before + 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_hook_tells_each_commit_and_leaves_derived_samples_out),
        TEST(commits_tell_of_watched_names),
        TEST(a_full_queue_says_so_and_the_request_stays_the_callers),
        TEST(a_folder_is_open_once),
        TEST(other_folders_are_refused_with_the_reason),
        TEST(sealing_trims_the_log_and_a_stop_leaves_no_wal),
        TEST(retention_drops_what_is_over_and_forgets_its_series),
        TEST(retention_spares_what_is_pinned_and_waits_for_the_pins),
        TEST(what_is_derived_is_kept_and_the_next_commit_waits_for_the_disk_again),
        TEST(a_full_disk_refuses_writes_serves_reads_and_heals),
    };
    return cmocka_run_group_tests_name("collector/store commits", tests, NULL, NULL);
}
