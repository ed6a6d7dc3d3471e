/* The spool: order, restarts, torn and damaged records, the bound, a full disk. */
#include "agent/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"

static char *folder;

static int make_folder(void **state UNUSED)
{
    return dir_make_temp("spool", &folder);
}

static int remove_folder(void **state UNUSED)
{
    int r = dir_remove(folder);
    free(folder);
    return r;
}

static struct spool *open_spool(uint64_t max_bytes)
{
    struct spool *sp = NULL;
    check_ok(spool_open(folder, max_bytes, &sp));
    return sp;
}

static void append(struct spool *sp, const char *text, uint32_t samples)
{
    check_ok(spool_append(sp, span_str(text), samples));
}

static void expect(struct spool *sp, const char *text, uint32_t samples)
{
    struct buf body;
    uint32_t n = 0;
    buf_init(&body, BODY_BYTES_MAX);
    assert_int_equal(spool_peek(sp, &body, &n), 1);
    check_span(buf_view(&body), text);
    assert_int_equal(n, samples);
    spool_pop(sp);
    buf_done(&body);
}

static void expect_empty(struct spool *sp)
{
    struct buf body;
    struct spool_counts c;
    uint32_t n;
    buf_init(&body, BODY_BYTES_MAX);
    assert_int_equal(spool_peek(sp, &body, &n), 0);
    spool_count(sp, &c);
    assert_int_equal(c.records, 0);
    assert_int_equal(c.bytes, 0);
    buf_done(&body);
}

static struct spool_counts counts(struct spool *sp)
{
    struct spool_counts c;
    spool_count(sp, &c);
    return c;
}

/* The only segment's file. */
static char *segment_path(void)
{
    char pattern[4096];
    struct file_list files;
    snprintf(pattern, sizeof pattern, "%s/*.seg", folder);
    check_ok(file_glob(pattern, &files));
    assert_int_equal(files.n, 1);
    char *path = span_dup(span_str(files.paths[0]));
    file_list_done(&files);
    return path;
}

static void records_come_out_in_order_and_once(void **state UNUSED)
{
    struct spool *sp = open_spool(1 << 20);
    expect_empty(sp);
    append(sp, "one", 1);
    append(sp, "", 0);
    append(sp, "three", 3);
    assert_int_equal(counts(sp).records, 3);
    expect(sp, "one", 1);
    expect(sp, "", 0);
    append(sp, "four", 4);
    expect(sp, "three", 3);
    expect(sp, "four", 4);
    expect_empty(sp);
    append(sp, "five", 5);
    expect(sp, "five", 5);
    spool_close(sp);
}

static void a_peek_without_pop_gives_the_same_again(void **state UNUSED)
{
    struct spool *sp = open_spool(1 << 20);
    struct buf body;
    uint32_t n;
    buf_init(&body, BODY_BYTES_MAX);
    append(sp, "one", 1);
    assert_int_equal(spool_peek(sp, &body, &n), 1);
    append(sp, "two", 2);
    assert_int_equal(spool_peek(sp, &body, &n), 1);
    check_span(buf_view(&body), "one");
    expect(sp, "one", 1);
    spool_pop(sp); /* nothing was peeked: nothing goes */
    expect(sp, "two", 2);
    buf_done(&body);
    spool_close(sp);
}

static void a_restart_goes_on_where_it_stopped(void **state UNUSED)
{
    struct spool *sp = open_spool(1 << 20);
    append(sp, "one", 1);
    append(sp, "two", 2);
    append(sp, "three", 3);
    expect(sp, "one", 1);
    spool_close(sp);
    sp = open_spool(1 << 20);
    assert_int_equal(counts(sp).records, 2);
    expect(sp, "two", 2);
    spool_close(sp);
    sp = open_spool(1 << 20);
    append(sp, "four", 4);
    expect(sp, "three", 3);
    expect(sp, "four", 4);
    expect_empty(sp);
    spool_close(sp);
    sp = open_spool(1 << 20);
    expect_empty(sp);
    spool_close(sp);
}

/* kill -9 between the removal of the last segment and the new position file. */
static void a_position_of_a_segment_long_gone_skips_nothing(void **state UNUSED)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/position", folder);
    check_ok(file_write(path, "1 15\n", 5));
    struct spool *sp = open_spool(1 << 20);
    append(sp, "one", 1); /* a segment of the same number, a record of just that size */
    append(sp, "two", 2);
    spool_close(sp);
    sp = open_spool(1 << 20);
    expect(sp, "one", 1);
    expect(sp, "two", 2);
    spool_close(sp);
}

static void a_damaged_position_file_reads_from_the_start(void **state UNUSED)
{
    static const char *const TEXTS[] = {"", "x", "1", "1 x", "1 7", "1 99999999", "99999999999999999999999 1"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        char path[4096];
        struct spool *sp = open_spool(1 << 20);
        append(sp, "one", 1);
        append(sp, "two", 2);
        spool_close(sp);
        snprintf(path, sizeof path, "%s/position", folder);
        check_ok(file_write(path, TEXTS[i], strlen(TEXTS[i])));
        sp = open_spool(1 << 20);
        if (strcmp(TEXTS[i], "1 7") != 0) /* within a record: that one counts as read, the next is whole */
            expect(sp, "one", 1);
        expect(sp, "two", 2);
        expect_empty(sp);
        spool_close(sp);
    }
}

static void a_torn_last_record_is_cut_off(void **state UNUSED)
{
    for (off_t cut = 1; cut < 15; cut++) { /* the last record has 12 + 3 bytes */
        struct spool *sp = open_spool(1 << 20);
        append(sp, "one", 1);
        append(sp, "two", 2);
        spool_close(sp);
        char *path = segment_path();
        assert_int_equal(truncate(path, 30 - cut), 0);
        free(path);
        sp = open_spool(1 << 20);
        append(sp, "three", 3); /* stands where the torn one began */
        assert_int_equal(counts(sp).records, 2);
        expect(sp, "one", 1);
        expect(sp, "three", 3);
        expect_empty(sp);
        spool_close(sp);
    }
}

static void a_damaged_record_is_skipped_and_counted(void **state UNUSED)
{
    struct spool *sp = open_spool(1 << 20);
    append(sp, "one", 1);
    append(sp, "two", 2);
    append(sp, "three", 3);
    spool_close(sp);
    char *path = segment_path();
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 15 + 12), 1); /* a byte of "two" */
    free(path);
    sp = open_spool(1 << 20);
    expect(sp, "one", 1);
    expect(sp, "three", 3);
    assert_int_equal(counts(sp).damaged_records, 1);
    expect_empty(sp);
    spool_close(sp);
}

static void the_bound_drops_the_oldest_and_counts_its_samples(void **state UNUSED)
{
    enum { MAX = 64 << 10, RECORD = 1000, N = 300 };
    struct spool *sp = open_spool(MAX);
    struct buf body;
    char text[RECORD];
    uint32_t n = 0, first;
    uint64_t samples = 0;
    buf_init(&body, BODY_BYTES_MAX);
    for (uint32_t i = 0; i < N; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof text);
        check_ok(spool_append(sp, span_of(text, sizeof text), i));
        assert_true(counts(sp).bytes <= MAX);
        samples += i;
    }
    /* At most an eighth of the bound goes at once. */
    assert_true(counts(sp).bytes > MAX - MAX / 8 - 2 * RECORD);
    assert_int_equal(spool_peek(sp, &body, &first), 1);
    assert_true(first > N - MAX / RECORD - 1 && first < N);
    uint64_t left = 0;
    for (uint32_t i = first; spool_peek(sp, &body, &n) == 1; i++) { /* the newest are all there, in order */
        assert_int_equal(n, i);
        assert_int_equal(body.data[0], 'a' + (int)(i % 26));
        left += n;
        spool_pop(sp);
    }
    assert_int_equal(n, N - 1);
    assert_int_equal(counts(sp).dropped_samples, samples - left);
    static char large[MAX];
    check_errno(spool_append(sp, span_of(large, sizeof large), 1), -EFBIG);
    buf_done(&body);
    spool_close(sp);
}

/* The record in the sender's hands goes with its segment: the pop that follows must not take another one. */
static void a_drop_under_a_peeked_record_takes_nothing_else(void **state UNUSED)
{
    enum { MAX = 16 << 10, RECORD = 1000 };
    struct spool *sp = open_spool(MAX);
    struct buf body;
    char text[RECORD] = {0};
    uint32_t n, before;
    buf_init(&body, BODY_BYTES_MAX);
    for (uint32_t i = 0; i < 5; i++)
        check_ok(spool_append(sp, span_of(text, sizeof text), i));
    assert_int_equal(spool_peek(sp, &body, &n), 1);
    assert_int_equal(n, 0);
    for (uint32_t i = 5; i < 40; i++)
        check_ok(spool_append(sp, span_of(text, sizeof text), i));
    spool_pop(sp);
    assert_int_equal(spool_peek(sp, &body, &before), 1);
    uint64_t records = counts(sp).records;
    assert_int_equal(before, 40 - records);
    buf_done(&body);
    spool_close(sp);
}

static void many_segments_survive_a_restart_in_order(void **state UNUSED)
{
    enum { MAX = 256 << 10, RECORD = 3000, N = 60 };
    struct spool *sp = open_spool(MAX);
    struct buf body;
    char text[RECORD] = {0};
    uint32_t n;
    buf_init(&body, BODY_BYTES_MAX);
    for (uint32_t i = 0; i < N; i++)
        check_ok(spool_append(sp, span_of(text, sizeof text), i));
    for (uint32_t i = 0; i < N; i++) {
        if (i % 7 == 3) {
            spool_close(sp);
            sp = open_spool(MAX);
        }
        assert_int_equal(spool_peek(sp, &body, &n), 1);
        assert_int_equal(n, i);
        spool_pop(sp);
    }
    expect_empty(sp);
    buf_done(&body);
    spool_close(sp);
}

static void a_full_disk_keeps_nothing_of_the_record_and_recovers(void **state UNUSED)
{
    struct rlimit old, small;
    static char big[4096];
    struct spool *sp = open_spool(1 << 20);
    append(sp, "one", 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){1000, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = spool_append(sp, span_of(big, sizeof big), 7);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(r == -EFBIG || r == -ENOSPC);
    assert_int_equal(counts(sp).records, 1);
    append(sp, "two", 2);
    spool_close(sp);
    sp = open_spool(1 << 20);
    expect(sp, "one", 1);
    expect(sp, "two", 2);
    expect_empty(sp);
    spool_close(sp);
}

static void a_second_owner_is_refused(void **state UNUSED)
{
    struct spool *sp = open_spool(1 << 20), *second = NULL;
    check_errno(spool_open(folder, 1 << 20, &second), -EBUSY);
    assert_null(second);
    spool_close(sp);
    sp = open_spool(1 << 20);
    spool_close(sp);
}

static void foreign_files_in_the_folder_are_left_alone(void **state UNUSED)
{
    char path[4096];
    AUTO_FREE char *text = NULL;
    snprintf(path, sizeof path, "%s/notes.seg", folder);
    check_ok(file_write(path, "mine", 4));
    struct spool *sp = open_spool(1 << 20);
    append(sp, "one", 1);
    expect(sp, "one", 1);
    spool_close(sp);
    check_ok(file_read(path, 100, &text, NULL));
    assert_string_equal(text, "mine");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(records_come_out_in_order_and_once),
        TEST(a_peek_without_pop_gives_the_same_again),
        TEST(a_restart_goes_on_where_it_stopped),
        TEST(a_position_of_a_segment_long_gone_skips_nothing),
        TEST(a_damaged_position_file_reads_from_the_start),
        TEST(a_torn_last_record_is_cut_off),
        TEST(a_damaged_record_is_skipped_and_counted),
        TEST(the_bound_drops_the_oldest_and_counts_its_samples),
        TEST(a_drop_under_a_peeked_record_takes_nothing_else),
        TEST(many_segments_survive_a_restart_in_order),
        TEST(a_full_disk_keeps_nothing_of_the_record_and_recovers),
        TEST(a_second_owner_is_refused),
        TEST(foreign_files_in_the_folder_are_left_alone),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
