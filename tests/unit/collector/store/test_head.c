/* The head by itself: blocks, commits far apart, undoing. */
#include "tests/support/check.h"

#include "collector/store/head.h"

static int count_run(void *ctx, const struct head_run *run)
{
    *(size_t *)ctx += run->n;
    return 0;
}

static size_t count_at(const struct head *h, uint32_t id, uint32_t seq)
{
    size_t n = 0;
    check_ok(head_read(h, id, seq, INT64_MIN, INT64_MAX, count_run, &n));
    return n;
}

static void append(struct head *h, uint32_t id, int64_t t_ms, uint32_t seq)
{
    const struct sample s = {.t_ms = t_ms, .value = (double)t_ms};
    check_ok(head_append(h, id, &s, seq));
}

static void a_view_sees_its_commits_however_far_apart_they_are(void **state)
{
    (void)state;
    static const uint32_t APART[] = {0, 1, 65535, 65536, 65537, 1, 1, 1000000, 70000, 2, 3};
    struct head *h;
    check_ok(head_new(&h));
    for (unsigned late = 0; late < 2; late++) {             /* the second time all of them are late */
        uint32_t seq = UINT32_MAX - 70000 + late * 2000000; /* numbers wrap */
        size_t before = late * ARRAY_LEN(APART);
        for (size_t i = 0; i < ARRAY_LEN(APART); i++) {
            seq += APART[i];
            append(h, 7, (int64_t)i * 1000 + 500 * !late, seq);
            assert_int_equal(count_at(h, 7, seq - 1), before + i);
            assert_int_equal(count_at(h, 7, seq), before + i + 1);
            head_keep(h);
        }
        seq = UINT32_MAX - 70000 + late * 2000000;
        for (size_t i = 0; i < ARRAY_LEN(APART); i++) {
            seq += APART[i];
            assert_int_equal(count_at(h, 7, seq), before + i + 1);
        }
    }
    uint64_t bits;
    for (size_t i = 0; i < ARRAY_LEN(APART); i++) {
        assert_true(head_find(h, 7, (int64_t)i * 1000 + 500, &bits));
        assert_int_equal(bits, f64_bits((double)(i * 1000 + 500)));
        assert_true(head_find(h, 7, (int64_t)i * 1000, &bits));
        assert_false(head_find(h, 7, (int64_t)i * 1000 + 250, &bits));
    }
    assert_int_equal(head_newest_ms(h, 7), (int64_t)(ARRAY_LEN(APART) - 1) * 1000 + 500);
    head_release(h);
}

static void what_a_failed_commit_brought_is_taken_back(void **state)
{
    (void)state;
    struct head *h;
    check_ok(head_new(&h));
    for (unsigned before = 0; before < 40; before++) {
        for (unsigned id = 0; id < 3; id++)
            append(h, id, before * 1000, before);
        head_keep(h);
        for (unsigned i = 1; i <= before; i++) {
            append(h, 1, before * 1000 + i, 100000 + before);
            append(h, 2, (int64_t)before * 1000 - i, 100000 + before); /* late */
            append(h, 3, i, 100000 + before);
        }
        head_undo(h);
        for (unsigned id = 0; id < 3; id++) {
            assert_int_equal(count_at(h, id, 200000), before + 1);
            assert_int_equal(head_newest_ms(h, id), before * 1000);
        }
        assert_false(head_has(h, 3));
        assert_int_equal(h->samples, 3 * (before + 1));
    }
    head_release(h);
}

/* What a series costs in workload A and B of the benches, and with commits so far apart that no two samples share a block. */
static void blocks_waste_little(void **state)
{
    (void)state;
    static const struct {
        unsigned samples, apart;
        size_t bytes; /* a sample at most, of 14 at least */
    } CASES[] = {{52, 5, 18}, {24, 1000, 18}, {500, 5, 16}, {2000, 1, 16}, {20, 70000, 75}};
    for (size_t c = 0; c < ARRAY_LEN(CASES); c++) {
        struct head *h;
        check_ok(head_new(&h));
        for (unsigned i = 0; i < CASES[c].samples; i++)
            for (unsigned id = 0; id < HEAD_SEGMENT; id++)
                append(h, id, i * 1000, i * CASES[c].apart);
        size_t bytes = h->bytes - HEAD_SEGMENT * sizeof(struct head_chain);
        assert_in_range(bytes, 14 * h->samples, CASES[c].bytes * h->samples + (1 << 20));
        head_release(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_sees_its_commits_however_far_apart_they_are),
        cmocka_unit_test(what_a_failed_commit_brought_is_taken_back),
        cmocka_unit_test(blocks_waste_little),
    };
    return cmocka_run_group_tests_name("collector/store head", tests, NULL, NULL);
}
