/* HdrHistogram's V2 bytes: our reader against our writer, and both against a walk of the format as its description says it. */
#include "tests/support/check.h"

#include <errno.h>

#include "lib/metric/hdr_codec.h"

#define HIGHEST 3600000000

static struct hdr *some(uint64_t seed, size_t n)
{
    struct hdr *h;
    check_ok(hdr_new(HIGHEST, 3, &h));
    struct check_random r = check_random_new("hdr codec");
    r.state += seed;
    for (size_t i = 0; i < n; i++)
        hdr_record_n(h, (int64_t)(check_random_u64(&r) >> (20 + check_random_below(&r, 44))),
                     1 + check_random_below(&r, 1000000));
    return h;
}

/* As HdrHistogram's own readers do it, sharing nothing with ours: value = index << (bucket), 2048 and 1024 sub-buckets. */
static uint64_t walk(struct span b, uint64_t (*at)(uint64_t index, uint64_t count, void *ctx), void *ctx)
{
    const unsigned char *p = (const unsigned char *)b.ptr;
    uint64_t index = 0, sum = 0;
    for (size_t i = 40; i < b.len;) {
        uint64_t z = 0;
        unsigned shift = 0;
        for (;; shift += 7) {
            unsigned char byte = p[i++];
            if (shift == 56) {
                z |= (uint64_t)byte << 56;
                break;
            }
            z |= (uint64_t)(byte & 0x7f) << shift;
            if (!(byte & 0x80))
                break;
        }
        int64_t v = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
        if (v < 0) {
            index += (uint64_t)-v;
            continue;
        }
        sum += at(index++, (uint64_t)v, ctx);
    }
    return sum;
}

/* Checks that the histogram has that count at the values of that index. */
static uint64_t same_count(uint64_t index, uint64_t count, void *ctx)
{
    const struct hdr *h = ctx;
    uint64_t bucket = index < 2048 ? 0 : index / 1024 - 1;
    uint64_t low = index < 2048 ? index : (index - bucket * 1024) << bucket;
    uint64_t upto = hdr_count_at_or_below(h, (int64_t)low),
             before = low ? hdr_count_at_or_below(h, (int64_t)low - 1) : 0;
    if (upto - before != count)
        check_failed("index %lu (from %lu): %lu, the histogram has %lu", (unsigned long)index, (unsigned long)low,
                     (unsigned long)count, (unsigned long)(upto - before));
    return count;
}

static void the_bytes_are_hdrhistograms_v2(void **state)
{
    (void)state;
    struct hdr *h;
    check_ok(hdr_new(HIGHEST, 3, &h));
    hdr_record(h, 3);
    hdr_record_n(h, 2048, 200);
    struct buf b;
    buf_init(&b, 1 << 20);
    hdr_encode(h, &b);
    /* cookie, 7 bytes of counts, offset, digits, lowest, highest, ratio 1.0; 3 empty (-3 = 5), 1 (2), 2044 empty (-2044 = 4087), 200 (400) */
    static const unsigned char WANT[] = {0x1c, 0x84, 0x93, 0x13, 0,    0,    0,    6,    0,    0,    0, 0,
                                         0,    0,    0,    3,    0,    0,    0,    0,    0,    0,    0, 1,
                                         0,    0,    0,    0,    0xd6, 0x93, 0xa4, 0x00, 0x3f, 0xf0, 0, 0,
                                         0,    0,    0,    0,    0x05, 0x02, 0xf7, 0x1f, 0x90, 0x03};
    assert_int_equal(b.len, sizeof WANT);
    assert_memory_equal(b.data, WANT, sizeof WANT);
    buf_done(&b);
    hdr_free(h);
}

static void what_is_written_is_read_back_and_adds_up(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct hdr *h = some(seed, seed * 40), *back;
        check_ok(hdr_new(HIGHEST, 3, &back));
        struct buf b;
        buf_init(&b, 1 << 20);
        hdr_encode(h, &b);
        check_ok(buf_error(&b));
        assert_int_equal(walk(buf_view(&b), same_count, h), hdr_count(h));
        check_ok(hdr_decode_add(buf_view(&b), back));
        check_ok(hdr_decode_add(buf_view(&b), back));
        assert_int_equal(hdr_count(back), 2 * hdr_count(h));
        for (double p = 0; p <= 100; p += 0.5) {
            int64_t want = hdr_percentile(h, p), got = hdr_percentile(back, p);
            if (llabs(got - want) * 1000 > want) /* the highest of a bucket is not known behind the bytes */
                check_failed("p%g: %lld, was %lld", p, (long long)got, (long long)want);
        }
        buf_done(&b);
        hdr_free(h);
        hdr_free(back);
    }
}

static void bytes_that_are_no_histogram_are_refused(void **state)
{
    (void)state;
    struct hdr *h = some(1, 30), *into, *other;
    check_ok(hdr_new(HIGHEST, 3, &into));
    check_ok(hdr_new(HIGHEST, 2, &other));
    struct buf b;
    buf_init(&b, 1 << 20);
    hdr_encode(h, &b);
    check_errno(hdr_decode_add(buf_view(&b), other), -EINVAL);
    for (size_t n = 0; n < b.len; n++)
        check_errno(hdr_decode_add(span_of(b.data, n), into), -EINVAL);
    static const char HUGE_GAP[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff"; /* then a count far outside */
    buf_truncate(&b, 40);
    b.data[7] = 10;
    b.data[6] = b.data[5] = b.data[4] = 0;
    buf_bytes(&b, HUGE_GAP, 9);
    buf_char(&b, 2);
    check_errno(hdr_decode_add(buf_view(&b), into), -EINVAL);
    buf_done(&b);
    hdr_free(h);
    hdr_free(into);
    hdr_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_hdrhistograms_v2),
        cmocka_unit_test(what_is_written_is_read_back_and_adds_up),
        cmocka_unit_test(bytes_that_are_no_histogram_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
