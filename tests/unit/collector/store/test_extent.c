/* What the sealed format promises: every bit comes back, nothing damaged passes, columns stay small. */
#include "tests/support/check.h"

#include <errno.h>
#include <float.h>
#include <math.h>

#include "collector/store/column.h"
#include "collector/store/crc32c.h"
#include "collector/store/extent.h"
#include "lib/metric/sample.h"

#define N_MAX EXTENT_SAMPLES_MAX

static size_t round_trip_values(const uint64_t *bits, size_t n)
{
    static uint8_t bytes[COLUMN_BYTES(N_MAX)];
    static uint64_t scratch[2 * N_MAX], back[N_MAX];
    uint8_t *end = column_put_values(bytes, bits, n, scratch);
    assert_true((size_t)(end - bytes) <= COLUMN_BYTES(n));
    const uint8_t *at = bytes;
    check_ok(column_get_values(&at, end, n, back));
    assert_ptr_equal(at, end);
    assert_memory_equal(back, bits, n * sizeof *bits);
    for (const uint8_t *cut = bytes; cut < end;
         cut++) { /* every shortened column is refused or ends early, never overruns */
        at = bytes;
        int r = column_get_values(&at, cut, n, back);
        assert_true(r == -EBADMSG || at <= cut);
    }
    return (size_t)(end - bytes);
}

static size_t round_trip_times(const int64_t *t_ms, size_t n)
{
    static uint8_t bytes[COLUMN_BYTES(N_MAX)];
    static int64_t back[N_MAX];
    uint8_t *end = column_put_times(bytes, t_ms, n);
    assert_true((size_t)(end - bytes) <= COLUMN_BYTES(n));
    const uint8_t *at = bytes;
    check_ok(column_get_times(&at, end, n, back));
    assert_ptr_equal(at, end);
    assert_memory_equal(back, t_ms, n * sizeof *t_ms);
    return (size_t)(end - bytes);
}

static void crc_has_the_published_check_values(void **state)
{
    (void)state;
    unsigned char ascending[32], zeros[32] = {0};
    for (unsigned i = 0; i < 32; i++)
        ascending[i] = (unsigned char)i;
    /* RFC 3720 B.4, and the "check" value of the CRC catalogue */
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aau);
    assert_int_equal(crc32c(0, ascending, 32), 0x46dd794eu);
    for (size_t n = 0; n <= 32; n++) {
        assert_int_equal(crc32c(0, ascending, n), crc32c_portable(0, ascending, n));
        assert_int_equal(crc32c(crc32c(0, ascending, n), ascending + n, 32 - n), 0x46dd794eu);
    }
}

static void every_kind_of_value_comes_back_bit_for_bit(void **state)
{
    (void)state;
    const double odd[] = {0.0,           -0.0,   1.0,      -1.0,      0.1,    1e300,      -1e300,
                          DBL_MIN,       5e-324, INFINITY, -INFINITY, 0x1p53, 0x1p53 + 2, 9007199254740991.0,
                          123456.789012, 1e15,   0x1p63,   -0x1p63,   1e-15,  0.3,        2.5e-7};
    uint64_t bits[N_MAX];
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        for (size_t n = 1; n <= 70; n++) { /* constant, alone and around an ordinary counter */
            for (size_t k = 0; k < n; k++)
                bits[k] = f64_bits(odd[i]);
            round_trip_values(bits, n);
            for (size_t k = 0; k < n; k++)
                bits[k] = f64_bits(k == n / 2 ? odd[i] : (double)(1000 + k * 7));
            round_trip_values(bits, n);
        }
    }
    const uint64_t nans[] = {STALE_BITS, NAN_BITS, 0xfff8000000000000u, 0x7ff0000000000001u, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(nans); i++) {
        for (size_t k = 0; k < 100; k++)
            bits[k] = k % 33 == 0 ? nans[i] : f64_bits((double)k / 8);
        round_trip_values(bits, 100);
        for (size_t k = 0; k < 100; k++)
            bits[k] = nans[i];
        round_trip_values(bits, 100);
    }
}

static uint64_t random_bits(struct check_random *r, unsigned kind, uint64_t before)
{
    double v = f64_from_bits(before);
    switch (kind) {
    case 0: /* a counter, sometimes reset */
        return f64_bits(check_random_below(r, 50) ? v + (double)check_random_below(r, 100) : 0);
    case 1: /* a gauge in 4 KiB steps */
        return f64_bits(floor(v / 4096) * 4096 + 4096.0 * (double)check_random_below(r, 9) - 16384);
    case 2: /* two decimals */
        return f64_bits((double)(int64_t)check_random_below(r, 20000) / 100 - 100);
    case 3: /* a true float */
        return f64_bits(v * 0.999 + 0.37);
    case 4:
        return check_random_u64(r);
    default: /* a counter with stale markers */
        return check_random_below(r, 20) ? f64_bits((double)check_random_below(r, 1000)) : STALE_BITS;
    }
}

static void random_columns_come_back(void **state)
{
    (void)state;
    struct check_random r = check_random_new("random_columns_come_back");
    for (unsigned round = 0; round < 3000 / check_slowness(); round++) {
        static uint64_t bits[N_MAX];
        static int64_t t[N_MAX];
        size_t n = 1 + check_random_below(&r, check_random_below(&r, 20) ? 100 : N_MAX);
        unsigned kind = (unsigned)check_random_below(&r, 6);
        uint64_t v = f64_bits(1000);
        int64_t now = (int64_t)check_random_u64(&r) >> check_random_below(&r, 60);
        now = now > INT64_MAX / 2 ? INT64_MAX / 2 : now;
        for (size_t i = 0; i < n; i++) {
            bits[i] = v = random_bits(&r, kind, v);
            t[i] = now;
            now += kind == 4 ? 1 + (int64_t)(check_random_u64(&r) >> 20) : 1000 + (int64_t)check_random_below(&r, 3);
        }
        round_trip_values(bits, n);
        round_trip_times(t, n);
    }
    const int64_t edges[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    round_trip_times(edges, ARRAY_LEN(edges));
}

static void ordinary_columns_are_small(void **state)
{
    (void)state;
    uint64_t bits[600];
    int64_t t[600];
    for (size_t i = 0; i < 600; i++) {
        t[i] = 1700000000000 + (int64_t)i * 1000;
        bits[i] = f64_bits(1);
    }
    assert_in_range(round_trip_times(t, 600), 1, 40);    /* a byte per 32 */
    assert_in_range(round_trip_values(bits, 600), 1, 3); /* up */
    double counter = 12345, memory = 1e9;
    struct check_random r = {42};
    uint64_t gauge[600];
    for (size_t i = 0; i < 600; i++) {
        bits[i] = f64_bits(counter += (double)(4 + check_random_below(&r, 4)));
        gauge[i] =
            f64_bits(memory += check_random_below(&r, 10) < 7 ? 4096.0 * ((double)check_random_below(&r, 5) - 2) : 0);
    }
    assert_in_range(round_trip_values(bits, 600), 100, 600);  /* at most 8 bits each */
    assert_in_range(round_trip_values(gauge, 600), 100, 350); /* 3-4 bits each: the 12 low bits are shifted away */
}

/* ---- whole extents ---- */
struct made {
    uint8_t *bytes;
    size_t n;
};

static struct made make_extent(void)
{
    struct extent_writer *w;
    struct made m;
    check_ok(extent_writer_new(&w));
    extent_begin(w, 7, false);
    int64_t t[300], other[300], starts[300];
    uint64_t bits[300];
    for (size_t i = 0; i < 300; i++) {
        t[i] = 1000 * (int64_t)i;
        other[i] = 1000 * (int64_t)i + 500;
        starts[i] = i < 150 ? -5 : 7;
    }
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord += 3) {
        for (size_t i = 0; i < 300; i++)
            bits[i] = f64_bits((double)(ord * i));
        check_ok(extent_add(w, ord, ord % 2 ? other : t, ord == 33 ? starts : NULL, bits, ord == 66 ? 1 : 300));
    }
    check_ok(extent_end(w, &m.bytes, &m.n));
    extent_writer_free(w);
    return m;
}

static void an_extent_gives_back_its_series(void **state)
{
    (void)state;
    struct made m = make_extent();
    struct extent x;
    check_ok(extent_open(&x, m.bytes, m.n));
    assert_int_equal(x.group, 7);
    assert_int_equal(x.n_times, 3); /* shared by all series but the one with a single sample */
    assert_int_equal(x.min_ms, 0);
    assert_int_equal(x.max_ms, 299500);
    int64_t t[N_MAX], starts[N_MAX];
    uint64_t bits[N_MAX];
    struct extent_series at;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        assert_int_equal(extent_find(&x, ord, &at), ord % 3 == 0);
        if (ord % 3)
            continue;
        assert_int_equal(at.samples, ord == 66 ? 1 : 300);
        check_ok(extent_times(&x, &at, t));
        check_ok(extent_values(&x, &at, bits, starts));
        for (size_t i = 0; i < at.samples; i++) {
            assert_int_equal(t[i], 1000 * (int64_t)i + (ord % 2 ? 500 : 0));
            assert_int_equal(bits[i], f64_bits((double)(ord * i)));
            assert_int_equal(starts[i], ord != 33 ? 0 : i < 150 ? -5 : 7);
        }
    }
    free(m.bytes);
}

static void a_damaged_extent_is_refused_whichever_byte_it_is(void **state)
{
    (void)state;
    struct made m = make_extent();
    struct extent x;
    for (size_t i = 0; i < m.n; i++) {
        m.bytes[i] ^= 0x10;
        check_errno(extent_open(&x, m.bytes, m.n), -EBADMSG);
        m.bytes[i] ^= 0x10;
        check_errno(extent_open(&x, m.bytes, i), -EBADMSG);
    }
    check_ok(extent_open(&x, m.bytes, m.n));
    free(m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_has_the_published_check_values),
        cmocka_unit_test(every_kind_of_value_comes_back_bit_for_bit),
        cmocka_unit_test(random_columns_come_back),
        cmocka_unit_test(ordinary_columns_are_small),
        cmocka_unit_test(an_extent_gives_back_its_series),
        cmocka_unit_test(a_damaged_extent_is_refused_whichever_byte_it_is),
    };
    return cmocka_run_group_tests_name("collector/store/extent", tests, NULL, NULL);
}
