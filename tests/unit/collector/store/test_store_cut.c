/* The power is cut at every write of a run (store_story.h): with durability full what was acknowledged is there, with normal what was
 * synced since, and with both nothing that was not sent, no request in part, and no damage. Bugs are planted, by wrapping calls
 * between objects when this program is linked, to see that they are found.
 *
 * CREST_TORTURE=1 takes every cut (make torture); CREST_SEED repeats what was by chance. */
#include "tests/unit/collector/store/store_story.h"

#include "collector/store/headlog.h"
#include "lib/db/db.h"

/* ---- planted bugs ---- */
enum plant {
    PLANT_NONE,
    PLANT_SYNC_SKIPPED,
    PLANT_FILE_SYNC_SKIPPED,
    PLANT_ACKNOWLEDGED_BEFORE_COMMIT,
    PLANT_GROUP_DROPPED,
    PLANT_LATE_ROW_LOST,
    PLANT_HISTOGRAMS_NOT_LOGGED,
    PLANT_EXEMPLARS_NOT_SAVED,
    PLANT_REMOVED_TOO_EARLY,
};
static struct {
    enum plant plant;
    bool log_written;               /* in the transaction that is open */
    struct db *_Atomic uncommitted; /* acknowledged, and not committed yet; looked at on all threads */
    uint64_t merged;
    int64_t newest_ms;
} plants;

int __real_store_save_histograms(struct store *s);
int __wrap_store_save_histograms(struct store *s);
int __real_store_save_exemplars(struct store *s);
int __wrap_store_save_exemplars(struct store *s);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_db_exec(struct db *db, const char *sql);
int __wrap_db_exec(struct db *db, const char *sql);
int __real_db_begin(struct db *db);
int __wrap_db_begin(struct db *db);
int __real_db_commit(struct db *db);
int __wrap_db_commit(struct db *db);
int __real_db_sync_log(struct db *db);
int __wrap_db_sync_log(struct db *db);
void __real_db_close(struct db *db);
int __wrap_db_sync_log(struct db *db)
{
    return plants.plant == PLANT_REMOVED_TOO_EARLY ? 0 : __real_db_sync_log(db);
}

void __wrap_db_close(struct db *db);
int __real_store_put_extent(struct store *s, const struct extent_ref *ref);
int __wrap_store_put_extent(struct store *s, const struct extent_ref *ref);
void __real_headlog_add(struct headlog_writer *w, struct headlog_bases *b, uint32_t id, const struct sample *s);
void __wrap_headlog_add(struct headlog_writer *w, struct headlog_bases *b, uint32_t id, const struct sample *s);

int __wrap_fsync(int fd)
{
    return plants.plant == PLANT_FILE_SYNC_SKIPPED ? 0 : db_test_vfs_fsync(fd);
}

int __wrap_unlink(const char *path)
{
    return db_test_vfs_unlink(path, __real_unlink);
}

static void commit_at_last(struct db *db)
{
    if (!db || atomic_load(&plants.uncommitted) != db)
        return;
    atomic_store(&plants.uncommitted, NULL);
    check_ok(__real_db_commit(db));
}

int __wrap_db_exec(struct db *db, const char *sql)
{
    commit_at_last(db);
    bool skip = plants.plant == PLANT_SYNC_SKIPPED && strcmp(sql, "PRAGMA synchronous = 2") == 0;
    return __real_db_exec(db, skip ? "PRAGMA synchronous = 1" : sql);
}

int __wrap_db_begin(struct db *db)
{
    commit_at_last(db);
    return __real_db_begin(db);
}

int __wrap_db_commit(struct db *db)
{
    if (plants.plant != PLANT_ACKNOWLEDGED_BEFORE_COMMIT || !plants.log_written)
        return __real_db_commit(db);
    plants.log_written = false;
    atomic_store(&plants.uncommitted, db);
    return 0;
}

void __wrap_db_close(struct db *db)
{
    commit_at_last(db);
    __real_db_close(db);
}

/* Called from seal.c's neighbours only: seals themselves are not wrapped. */
int __wrap_store_put_extent(struct store *s, const struct extent_ref *ref)
{
    bool drop = plants.plant == PLANT_GROUP_DROPPED && ++plants.merged == 2;
    return drop ? 0 : __real_store_put_extent(s, ref);
}

void __wrap_headlog_add(struct headlog_writer *w, struct headlog_bases *b, uint32_t id, const struct sample *s)
{
    plants.log_written = true;
    plants.newest_ms = s->t_ms > plants.newest_ms ? s->t_ms : plants.newest_ms;
    if (plants.plant != PLANT_LATE_ROW_LOST || s->t_ms > plants.newest_ms - 60000)
        __real_headlog_add(w, b, id, s);
}

int __wrap_store_save_histograms(struct store *s)
{
    return plants.plant == PLANT_HISTOGRAMS_NOT_LOGGED ? 0 : __real_store_save_histograms(s);
}

int __wrap_store_save_exemplars(struct store *s)
{
    return plants.plant == PLANT_EXEMPLARS_NOT_SAVED ? 0 : __real_store_save_exemplars(s);
}

/* ---- a run, and what the disk has after a cut ---- */
static struct db_test_log *record(struct story *y, enum store_durability durability, const char *folder)
{
    story_init(y, durability, folder);
    check_ok(db_test_vfs_record(folder));
    story_open(y);
    story_tell(y);
    story_close(y);
    struct db_test_log *log = db_test_vfs_record_end();
    assert_non_null(log);
    return log;
}

struct cut {
    const struct story *story;
    struct db_test_log *log;
    uint64_t at, seed;
    enum db_test_image image;
    char *folder; /* of the image */
    _Atomic int64_t now_ms;
};

static int64_t cut_now(void *ctx)
{
    return atomic_load(&((struct cut *)ctx)->now_ms);
}

/* The store as the power cut left it, twice: closing it must not lose anything either. */
static bool survives(struct cut *c, char why[256])
{
    struct store_config config = c->story->config;
    char error[512];
    uint64_t safe = c->at;
    bool ok = true;
    if (config.durability == STORE_NORMAL)
        safe = db_test_log_synced(c->log, "head.db-wal", c->at);
    safe = safe == UINT64_MAX ? 0 : safe;
    atomic_store(&c->now_ms, story_clock_at(c->story, c->at));
    config.path = c->folder;
    config.now_ms = cut_now;
    config.now_ctx = c;
    check_ok(dir_remove(c->folder));
    check_ok(dir_make(c->folder));
    check_ok(db_test_log_image(c->log, c->at, c->image, c->seed, c->folder));
    for (int i = 0; ok && i < 2; i++) {
        struct store *s;
        int r = store_open(&config, &s, error, sizeof error);
        if (r < 0) {
            (void)snprintf(why, 256, "it does not open: %d %.200s", r, error);
            return false;
        }
        ok = story_holds(c->story, s, c->at, safe, why);
        store_close(s);
    }
    return ok;
}

static void must_survive(struct cut *c)
{
    char why[256] = "";
    if (!survives(c, why))
        check_failed("cut before operation %llu of %llu, image %d: %s", (unsigned long long)c->at,
                     (unsigned long long)db_test_log_count(c->log), (int)c->image, why);
}

/* The next cut at which a disk with nothing but what was synced differs from what it was after cut `at`. */
static uint64_t next_settled(const struct db_test_log *log, uint64_t at)
{
    uint64_t n = db_test_log_count(log);
    if (at < n)
        at++;
    while (at < n && !db_test_log_settles(log, at, at + 1))
        at++;
    return at;
}

static bool all_cuts(void)
{
    const char *all = getenv("CREST_TORTURE");
    return all && *all == '1';
}

struct folders {
    char *run, *image;
};

static int make_folders(void **state)
{
    struct folders *f = calloc(1, sizeof *f);
    assert_non_null(f);
    check_ok(dir_make_temp("crest-cut", &f->run));
    check_ok(dir_make_temp("crest-cut", &f->image));
    memset(&plants, 0, sizeof plants);
    *state = f;
    return 0;
}

static int remove_folders(void **state)
{
    struct folders *f = *state;
    check_ok(dir_remove(f->run));
    check_ok(dir_remove(f->image));
    free(f->run);
    free(f->image);
    free(f);
    return 0;
}

static void cut_everywhere(struct folders *f, enum store_durability durability, const char *test)
{
    static struct story y;
    struct check_random r = check_random_new(test);
    struct cut c = {.story = &y, .folder = f->image};
    c.log = record(&y, durability, f->run);
    uint64_t n = db_test_log_count(c.log), settled = 0, mixed = 0;
    assert_true(y.moved >= 2 && y.weeks >= 2 && y.merged > 0 && y.retired > 0 &&
                y.purged > 0); /* else the run lacks what is to be cut */

    /* Between two syncs the disk stays as it is: the last moment asks for most. */
    bool all = all_cuts();
    unsigned stride = all ? 1 : check_slowness() > 1 ? 6 : 2;
    for (int names = 0; names < 2; names++) {
        c.image = names ? DB_TEST_NAMES : DB_TEST_SYNCED;
        uint64_t skip = check_random_below(&r, stride);
        for (uint64_t at = next_settled(c.log, 0);; at = next_settled(c.log, at)) {
            c.at = at;
            if (at == n || settled++ % stride == skip)
                must_survive(&c);
            if (at == n)
                break;
        }
    }
    /* What was not synced may have come through or not, sector by sector. */
    c.image = DB_TEST_MIXED;
    uint64_t step = all ? 1 : n / (check_slowness() > 1 ? 25 : 60) + 1;
    for (int pass = 0; pass < (all ? 25 : 1); pass++)
        for (uint64_t at = check_random_below(&r, step); at <= n; at += step, mixed++) {
            c.at = at;
            c.seed = check_random_u64(&r);
            must_survive(&c);
        }
    print_message(
        "%llu operations, %zu requests: cut %llu times with what was synced, %llu times with some of the rest\n",
        (unsigned long long)n, y.n, (unsigned long long)settled / stride, (unsigned long long)mixed);
    db_test_log_free(c.log);
}

static void full_keeps_what_was_acknowledged_wherever_the_power_is_cut(void **state)
{
    cut_everywhere(*state, STORE_FULL, "full_keeps_what_was_acknowledged_wherever_the_power_is_cut");
}

static void normal_keeps_what_was_synced_wherever_the_power_is_cut(void **state)
{
    cut_everywhere(*state, STORE_NORMAL, "normal_keeps_what_was_synced_wherever_the_power_is_cut");
}

static void normal_is_safe_too_a_moment_later(void **state)
{
    static struct story y;
    struct folders *f = *state;
    story_init(&y, STORE_NORMAL, f->run);
    check_ok(db_test_vfs_record(f->run));
    story_open(&y);
    story_clock(&y, STORY_MIDNIGHT);
    story_send(&y, 0, 3, STORY_MIDNIGHT, 1);
    uint64_t acked_at = y.requests[0].acked_at;
    for (unsigned i = 0; i < 10000 * check_patience() && db_test_vfs_at() == acked_at; i++)
        sleep_us(1000); /* nobody sends */
    struct db_test_log *log = db_test_vfs_record_end();
    assert_non_null(log);
    uint64_t synced = db_test_log_synced(log, "head.db-wal", UINT64_MAX);
    assert_in_range(synced, acked_at, UINT64_MAX - 1);
    db_test_log_free(log);
    story_close(&y);
}

static void each_planted_bug_is_found(void **state)
{
    static const struct {
        enum plant plant;
        const char *name;
        enum store_durability durability;
        enum db_test_image image;
    } BUGS[] = {
        {PLANT_SYNC_SKIPPED, "commits are not synced"},
        {PLANT_FILE_SYNC_SKIPPED, "a day's file is not synced"},
        {PLANT_ACKNOWLEDGED_BEFORE_COMMIT, "acknowledged before the commit"},
        {PLANT_GROUP_DROPPED, "a group is dropped on compaction"},
        {PLANT_LATE_ROW_LOST, "a late row is not logged"},
        {PLANT_HISTOGRAMS_NOT_LOGGED, "native histograms are not logged"},
        {PLANT_EXEMPLARS_NOT_SAVED, "exemplars are not saved"},
        {PLANT_REMOVED_TOO_EARLY, "a day's file goes before the row that names it", STORE_NORMAL, DB_TEST_NAMES},
    };
    static struct story y;
    struct folders *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(BUGS); i++) {
        struct cut c = {.story = &y, .image = BUGS[i].image, .folder = f->image};
        char why[256] = "";
        check_ok(dir_remove(f->run));
        check_ok(dir_make(f->run));
        memset(&plants, 0, sizeof plants);
        plants.plant = BUGS[i].plant;
        c.log = record(&y, BUGS[i].durability, f->run);
        plants.plant = PLANT_NONE;
        bool found = false;
        while (!found && c.at < db_test_log_count(c.log)) {
            c.at = next_settled(c.log, c.at);
            found = !survives(&c, why);
        }
        if (!found)
            check_failed("the bug was not found: %s", BUGS[i].name);
        print_message("%s: found before operation %llu: %s\n", BUGS[i].name, (unsigned long long)c.at, why);
        db_test_log_free(c.log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_keeps_what_was_acknowledged_wherever_the_power_is_cut, make_folders,
                                        remove_folders),
        cmocka_unit_test_setup_teardown(normal_keeps_what_was_synced_wherever_the_power_is_cut, make_folders,
                                        remove_folders),
        cmocka_unit_test_setup_teardown(normal_is_safe_too_a_moment_later, make_folders, remove_folders),
        cmocka_unit_test_setup_teardown(each_planted_bug_is_found, make_folders, remove_folders),
    };
    check_ok(db_test_vfs_install());
    return cmocka_run_group_tests_name("collector/store power cuts", tests, NULL, NULL);
}
