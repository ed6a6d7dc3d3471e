/* The N-th write, sync or allocation of a run (store_story.h) fails, for every N: errors are told, nothing acknowledged is lost, and the
 * store goes on when the fault is over. CREST_TORTURE=1 takes every N (make torture), else some by chance; CREST_SEED repeats. */
#include "tests/unit/collector/store/store_story.h"

/* ---- allocations ---- */
static struct {
    atomic_bool counts;
    _Atomic uint64_t n, fails_at;
    atomic_bool failed;
} memory;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

static _Thread_local bool is_test; /* the test's own memory is there */

static bool is_refused(void)
{
    if (is_test || !atomic_load(&memory.counts) || db_test_vfs_is_noting() ||
        atomic_fetch_add(&memory.n, 1) != atomic_load(&memory.fails_at))
        return false;
    atomic_store(&memory.failed, true);
    return true;
}

void *__wrap_malloc(size_t n)
{
    return is_refused() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t bytes)
{
    return is_refused() ? NULL : __real_calloc(n, bytes);
}
void *__wrap_realloc(void *p, size_t n)
{
    return is_refused() ? NULL : __real_realloc(p, n);
}
int __wrap_fsync(int fd)
{
    return db_test_vfs_fsync(fd);
}
int __wrap_unlink(const char *path)
{
    return db_test_vfs_unlink(path, __real_unlink);
}

static void in_store(bool in)
{
    is_test = !in;
}

/* ---- planted bugs ---- */
static enum plant { PLANT_NONE, PLANT_COMMIT_ERROR_IGNORED, PLANT_MEMORY_ERROR_IGNORED } plant;

int __real_db_commit(struct db *db);
int __wrap_db_commit(struct db *db);
int __real_head_append(struct head *h, uint32_t id, const struct sample *sample, uint32_t seq);
int __wrap_head_append(struct head *h, uint32_t id, const struct sample *sample, uint32_t seq);

int __wrap_db_commit(struct db *db)
{
    int r = __real_db_commit(db);
    return plant == PLANT_COMMIT_ERROR_IGNORED ? 0 : r;
}
int __wrap_head_append(struct head *h, uint32_t id, const struct sample *sample, uint32_t seq)
{
    int r = __real_head_append(h, id, sample, seq);
    return plant == PLANT_MEMORY_ERROR_IGNORED ? 0 : r;
}

/* ---- a run with one fault ---- */
struct fault {
    uint64_t at, count; /* writes; count 0: the at-th allocation */
    int error;
};
static const struct fault *fault; /* of the run that goes on; NULL: none */

static bool is_over(void)
{
    return fault->count ? db_test_vfs_attempts() >= fault->at + fault->count : atomic_load(&memory.failed);
}

static void arm(const struct fault *f)
{
    fault = f;
    db_test_vfs_fail(f->at, f->count, f->error);
    atomic_store(&memory.n, 0);
    atomic_store(&memory.failed, false);
    atomic_store(&memory.fails_at, f->count ? UINT64_MAX : f->at);
    atomic_store(&memory.counts, true);
}

static void disarm(void)
{
    atomic_store(&memory.counts, false);
    db_test_vfs_fail(0, 0, EIO);
}

struct run {
    char *folder, *image;
    struct story story;
    void (*tell)(struct story *y);
    uint64_t writes, allocations, errors; /* of the last run; errors of all */
};

static bool holds_after_power_cut(struct run *run, struct db_test_log *log, char why[256])
{
    struct store_config config = run->story.config;
    uint64_t n = db_test_log_count(log);
    struct store *s;
    char error[512];
    config.path = run->image;
    check_ok(dir_remove(run->image));
    check_ok(dir_make(run->image));
    check_ok(db_test_log_image(log, n, DB_TEST_SYNCED, 0, run->image));
    int r = store_open(&config, &s, error, sizeof error);
    if (r < 0) {
        (void)snprintf(why, 256, "it does not open: %d %.200s", r, error);
        return false;
    }
    bool ok = story_holds(&run->story, s, n, n, why);
    store_close(s);
    return ok;
}

/* With the fault, then without it: what is served, what a power cut would leave, and what a restart finds. */
static bool holds(struct run *run, const struct fault *f, char why[256])
{
    struct story *y = &run->story;
    check_ok(dir_remove(run->folder));
    check_ok(dir_make(run->folder));
    story_init(y, STORE_FULL, run->folder);
    y->fault_is_over = is_over;
    y->in_store = in_store;
    check_ok(db_test_vfs_record(run->folder));
    arm(f);
    story_open(y);
    run->tell(y);
    run->writes = db_test_vfs_attempts();
    run->allocations = atomic_load(&memory.n);
    run->errors += y->errors;
    disarm();
    plant = PLANT_NONE;
    bool ok = story_holds(y, y->s, UINT64_MAX, UINT64_MAX - 1, why);
    struct db_test_log *log = db_test_vfs_record_end();
    assert_non_null(log);
    ok = ok && holds_after_power_cut(run, log, why);
    db_test_log_free(log);
    y->in_store = NULL;
    story_close(y);
    y->fault_is_over = NULL;
    story_open(y);
    ok = ok && story_holds(y, y->s, UINT64_MAX, UINT64_MAX - 1, why);
    story_close(y);
    return ok;
}

static void must_hold(struct run *run, const struct fault *f)
{
    char why[256] = "";
    if (!holds(run, f, why))
        check_failed("%s %llu to %llu failed with %s: %s", f->count ? "write" : "allocation", (unsigned long long)f->at,
                     (unsigned long long)(f->at + f->count), f->count ? strerror(f->error) : "no memory", why);
}

static bool is_torture(void)
{
    const char *text = getenv("CREST_TORTURE");
    return text && *text == '1';
}

static int start(void **state)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    is_test = true;
    check_ok(dir_make_temp("crest-fault", &run->folder));
    check_ok(dir_make_temp("crest-fault", &run->image));
    plant = PLANT_NONE;
    run->tell = story_tell;
    *state = run;
    return 0;
}

static int end(void **state)
{
    struct run *run = *state;
    check_ok(dir_remove(run->folder));
    check_ok(dir_remove(run->image));
    free(run->folder);
    free(run->image);
    free(run);
    return 0;
}

/* `some` of the n places of a run, or all of them. */
static void fail_at_places(struct run *run, struct fault f, uint64_t n, uint64_t some, struct check_random *r)
{
    uint64_t step = is_torture() || n < some ? 1 : n / some;
    for (f.at = check_random_below(r, step); f.at < n; f.at += step)
        must_hold(run, &f);
}

static void writes_that_fail_lose_nothing_acknowledged(void **state)
{
    struct run *run = *state;
    struct check_random r = check_random_new("writes_that_fail_lose_nothing_acknowledged");
    must_hold(run, &(struct fault){.at = UINT64_MAX / 2, .count = 1, .error = EIO});
    assert_int_equal(run->errors, 0);
    uint64_t n = run->writes, some = check_slowness() > 1 ? 8 : 25;
    fail_at_places(run, (struct fault){.count = 1, .error = ENOSPC}, n, some, &r);
    fail_at_places(run, (struct fault){.count = 1, .error = EIO}, n, some, &r);
    fail_at_places(run, (struct fault){.count = 30, .error = ENOSPC}, n, some, &r);
    print_message("%llu places, %llu errors were told\n", (unsigned long long)n, (unsigned long long)run->errors);
    assert_true(run->errors > some);
}

static void allocations_that_fail_lose_nothing_acknowledged(void **state)
{
    struct run *run = *state;
    struct check_random r = check_random_new("allocations_that_fail_lose_nothing_acknowledged");
    must_hold(run, &(struct fault){.at = UINT64_MAX / 2});
    assert_int_equal(run->errors, 0);
    uint64_t n = run->allocations;
    fail_at_places(run, (struct fault){0}, n, check_slowness() > 1 ? 20 : 80, &r);
    print_message("%llu places, %llu errors were told\n", (unsigned long long)n, (unsigned long long)run->errors);
    assert_true(run->errors > 0);
}

/* What is derived does not wait for the disk; what comes next does, whichever way the one before has failed. */
static void tell_what_follows_a_rule(struct story *y)
{
    int64_t t = STORY_MIDNIGHT;
    story_clock(y, t);
    story_send(y, 0, 2, t, 1);
    for (unsigned i = 0; i < 3; i++) {
        story_derive(y, 160, 2, t + i);
        story_send(y, 10 * i, 2, t + STORY_STEP_MS * (i + 1), 1);
    }
}

static void a_derived_commit_without_memory_leaves_the_next_one_safe(void **state)
{
    struct run *run = *state;
    run->tell = tell_what_follows_a_rule;
    must_hold(run, &(struct fault){.at = UINT64_MAX / 2});
    uint64_t n = run->allocations;
    for (uint64_t at = n > 60 ? n - 60 : 0; at < n; at++) /* the last two of the three */
        must_hold(run, &(struct fault){.at = at});
    assert_true(run->errors > 0);
}

/* New series, whose first samples need memory, and then the end. */
static void tell_a_little(struct story *y)
{
    int64_t t = STORY_MIDNIGHT;
    story_clock(y, t);
    for (unsigned i = 0; i < 4; i++)
        story_send(y, 40 * i, 40, t + STORY_STEP_MS * i, 1);
}

/* A stop that writes head.db anew: extents in the file, others held, some alone, a deletion's and a file's rows; and the next start. */
static void tell_a_stop(struct story *y)
{
    int64_t t = STORY_MIDNIGHT;
    story_clock(y, t);
    story_describe(y);
    for (unsigned i = 0; i < 6; i++)
        story_send(y, 0, 160, t + (2 * i + 1) * STORY_STEP_MS, 2);
    story_seal(y);
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < 8; i++)
            story_send(y, 0, k ? 160 : 40, t + (100 * k + 2 * i + 100) * STORY_STEP_MS, 2);
        story_seal_held(y);
    }
    story_close(y);
    story_open(y);
    story_send(y, 0, 4, t + 400 * STORY_STEP_MS, 1);
}

static void a_stop_that_fails_at_any_place_loses_nothing(void **state)
{
    struct run *run = *state;
    struct check_random r = check_random_new("a_stop_that_fails_at_any_place_loses_nothing");
    run->tell = tell_a_stop;
    must_hold(run, &(struct fault){.at = UINT64_MAX / 2, .count = 1, .error = EIO});
    assert_int_equal(run->errors, 0);
    uint64_t writes = run->writes, allocations = run->allocations, some = check_slowness() > 1 ? 6 : 20;
    fail_at_places(run, (struct fault){.count = 1, .error = ENOSPC}, writes, some, &r);
    fail_at_places(run, (struct fault){.count = 150, .error = ENOSPC}, writes, some, &r);
    fail_at_places(run, (struct fault){0}, allocations, some, &r);
}

/* From the last place of a short run on backwards: what is lost near the end no seal has put right. */
static void each_planted_bug_is_found(void **state)
{
    struct run *run = *state;
    run->tell = tell_a_little;
    static const struct {
        enum plant plant;
        struct fault fault;
        const char *name;
    } BUGS[] = {
        {PLANT_COMMIT_ERROR_IGNORED, {.count = 1, .error = EIO}, "a failed commit is acknowledged"},
        {PLANT_MEMORY_ERROR_IGNORED, {0}, "a sample without memory is acknowledged"},
    };
    for (size_t i = 0; i < ARRAY_LEN(BUGS); i++) {
        struct fault f = BUGS[i].fault;
        char why[256] = "";
        f.at = UINT64_MAX / 2;
        must_hold(run, &f); /* without the fault the bug does no harm */
        f.at = f.count ? run->writes : run->allocations;
        bool found = false;
        while (!found && f.at > 0) {
            f.at--;
            plant = BUGS[i].plant;
            found = !holds(run, &f, why);
        }
        if (!found)
            check_failed("the bug was not found: %s", BUGS[i].name);
        print_message("%s: found at place %llu: %s\n", BUGS[i].name, (unsigned long long)f.at, why);
    }
}

int main(void)
{
    static const struct db_test_memory MEMORY = {__wrap_malloc, __wrap_realloc, free};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_that_fail_lose_nothing_acknowledged, start, end),
        cmocka_unit_test_setup_teardown(allocations_that_fail_lose_nothing_acknowledged, start, end),
        cmocka_unit_test_setup_teardown(a_derived_commit_without_memory_leaves_the_next_one_safe, start, end),
        cmocka_unit_test_setup_teardown(a_stop_that_fails_at_any_place_loses_nothing, start, end),
        cmocka_unit_test_setup_teardown(each_planted_bug_is_found, start, end),
    };
    check_ok(db_test_memory_install(&MEMORY));
    check_ok(db_test_vfs_install());
    return cmocka_run_group_tests_name("collector/store faults", tests, NULL, NULL);
}
