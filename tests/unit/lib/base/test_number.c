#include "tests/support/check.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/base/number.h"

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Does another text with `digits` significant digits read back to v? The nearest one and its neighbours are
 * tried: at powers of two the interval is lopsided, and the nearest may be outside while a neighbour is
 * inside. */
static bool reads_back_with(double v, int digits)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", digits - 1, v);
    if (strtod(text, NULL) == v)
        return true;
    long long mantissa = 0;
    int exponent = 0;
    for (const char *p = text; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            mantissa = mantissa * 10 + (*p - '0');
    exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10) - (digits - 1);
    for (int step = -1; step <= 1; step += 2) {
        snprintf(text, sizeof text, "%llde%d", mantissa + step, exponent);
        if (strtod(text, NULL) == v)
            return true;
    }
    return false;
}

static int significant_digits(const char *text)
{
    int n = 0, zeros = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9')
            continue;
        if (*p == '0' && n == 0)
            continue;
        if (*p == '0')
            zeros++;
        else {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

static void check_shortest(double v)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = format_f64(text, v);
    assert_int_equal(n, strlen(text));
    assert_true(n < NUMBER_TEXT_MAX);
    check_double_bits(strtod(text, NULL), v);
    double back = 42;
    check_ok(parse_f64_span(span_of(text, n), &back));
    check_double_bits(back, v);
    char exact[40];
    back = 42;
    check_ok(parse_f64_span(span_of(exact, (size_t)snprintf(exact, sizeof exact, "%.17g", v)), &back));
    check_double_bits(back, v);
    int digits = significant_digits(text);
    assert_true(digits <= 17);
    if (digits > 1 && reads_back_with(fabs(v), digits - 1))
        check_failed("%s: %d digits would do for %.17g", text, digits - 1, v);
    /* Of the texts of this length it is the nearest: the correctly rounded one, when that reads back. */
    char nearest[64];
    snprintf(nearest, sizeof nearest, "%.*e", digits > 1 ? digits - 1 : 0, v);
    if (strtod(nearest, NULL) == v) {
        char ours[NUMBER_TEXT_MAX], theirs[64];
        snprintf(ours, sizeof ours, "%.20Le", strtold(text, NULL));
        snprintf(theirs, sizeof theirs, "%.20Le", strtold(nearest, NULL));
        if (strncmp(ours, theirs, 18) != 0)
            check_failed("%s is not the nearest: %s", text, nearest);
    }
}

/* NUMBER_ROUNDS, for the long run (make numbers); else what make test has time for. */
static uint64_t rounds(uint64_t otherwise)
{
    const char *text = getenv("NUMBER_ROUNDS");
    uint64_t n = otherwise / check_slowness();
    if (text)
        check_ok(parse_u64(text, UINT64_MAX, &n));
    return n;
}

static void format_prints_the_shortest_text_that_reads_back_to_random_bits(void **state)
{
    (void)state;
    struct check_random r = check_random_new("shortest");
    for (uint64_t i = 0, n = rounds(300000); i < n; i++) {
        double v = from_bits(check_random_u64(&r));
        if (isfinite(v) && v != 0)
            check_shortest(v);
    }
}

static void format_is_shortest_for_denormals_powers_of_two_and_ten_and_their_neighbours(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double v = ldexp(1, e);
        check_shortest(v);
        check_shortest(nextafter(v, INFINITY));
        if (e > -1074)
            check_shortest(nextafter(v, 0));
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        double v = strtod(text, NULL);
        check_shortest(v);
        check_shortest(-nextafter(v, INFINITY));
        if (e > -323)
            check_shortest(nextafter(v, 0));
    }
    struct check_random r = check_random_new("denormals");
    for (unsigned i = 0; i < 50000 / check_slowness(); i++)
        check_shortest(from_bits(1 + (check_random_u64(&r) >> (12 + check_random_below(&r, 50)))));
    check_shortest(DBL_MAX);
}

static void format_is_shortest_for_decimals_as_services_report_them(void **state)
{
    (void)state;
    struct check_random r = check_random_new("decimals");
    for (unsigned i = 0; i < 200000 / check_slowness(); i++) {
        double scale = pow(10, (double)check_random_below(&r, 12));
        double v = (double)check_random_below(&r, UINT64_C(1) << (1 + check_random_below(&r, 53))) / scale;
        if (v != 0)
            check_shortest(v);
    }
}

struct layout {
    double v;
    const char *f, *g, *le;
};

static void format_lays_numbers_out_as_go_does(void **state)
{
    (void)state;
    static const struct layout CASES[] = {
        {0, "0", "0", "0.0"},
        {-0.0, "-0", "-0", "-0.0"},
        {1, "1", "1", "1.0"},
        {-1.5, "-1.5", "-1.5", "-1.5"},
        {0.1, "0.1", "0.1", "0.1"},
        {0.30000000000000004, "0.30000000000000004", "0.30000000000000004", "0.30000000000000004"},
        {100000, "100000", "100000", "100000.0"},
        {1000000, "1000000", "1e+06", "1e+06"},
        {1234567, "1234567", "1.234567e+06", "1.234567e+06"},
        {999999.5, "999999.5", "999999.5", "999999.5"},
        {0.0001, "0.0001", "0.0001", "0.0001"},
        {0.00001, "0.00001", "1e-05", "1e-05"},
        {0.000001, "0.000001", "1e-06", "1e-06"},
        {0.0000009, "9e-07", "9e-07", "9e-07"},
        {1e20, "100000000000000000000", "1e+20", "1e+20"},
        {123456789012345680.0, "123456789012345680", "1.2345678901234568e+17", "1.2345678901234568e+17"},
        {999999999999999900000.0, "999999999999999900000", "9.999999999999999e+20", "9.999999999999999e+20"},
        {1e21, "1e+21", "1e+21", "1e+21"},
        {1e100, "1e+100", "1e+100", "1e+100"},
        {5e-324, "5e-324", "5e-324", "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308", "1.7976931348623157e+308", "1.7976931348623157e+308"},
        {9007199254740992.0, "9007199254740992", "9.007199254740992e+15", "9.007199254740992e+15"},
        {INFINITY, "+Inf", "+Inf", "+Inf"},
        {-INFINITY, "-Inf", "-Inf", "-Inf"},
        {NAN, "NaN", "NaN", "NaN"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[NUMBER_TEXT_MAX];
        size_t n = format_f64(text, CASES[i].v);
        assert_string_equal(text, CASES[i].f);
        assert_int_equal(n, strlen(text));
        n = format_f64_g(text, CASES[i].v);
        assert_string_equal(text, CASES[i].g);
        assert_int_equal(n, strlen(text));
        n = format_f64_le(text, CASES[i].v);
        assert_string_equal(text, CASES[i].le);
        assert_int_equal(n, strlen(text));
    }
}

static void parse_f64_rounds_as_strtod_for_random_texts(void **state)
{
    (void)state;
    struct check_random r = check_random_new("parse");
    for (uint64_t i = 0, n_texts = rounds(200000); i < n_texts; i++) {
        char text[80];
        size_t n = 0, digits = 1 + check_random_below(&r, 40), point = check_random_below(&r, digits + 1);
        for (size_t d = 0; d < digits; d++) {
            if (d == point)
                text[n++] = '.';
            text[n++] = (char)('0' + check_random_below(&r, 10));
        }
        if (check_random_below(&r, 2))
            n += (size_t)snprintf(text + n, sizeof text - n, "e%d", (int)check_random_below(&r, 700) - 350);
        text[n] = '\0';
        double expected = strtod(text, NULL), actual = 42;
        int e = parse_f64_span(span_of(text, n), &actual);
        check_errno(e, isinf(expected) ? -ERANGE : 0);
        check_double_bits(actual, expected);
    }
}

static void parse_f64_rounds_correctly_half_way_between_two_doubles(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double v;
    } CASES[] = {
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000000001", 9007199254740994.0},
        {"2.4703282292062327208e-324", 0},
        {"2.4703282292062328e-324", 5e-324},
        {"1.00000000000000011102230246251565404236316680908203125", 1},
        {"1.00000000000000011102230246251565404236316680908203126", 1.0000000000000002},
        {"0.000000000000000000000000000000000000000000000000000000000000000000000000000000001e81", 1},
        {"123e-400000000000000000000", 0},
        {"0e400000000000000000000", 0},
        {"17976931348623157e292", DBL_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        double v = 42;
        check_ok(parse_f64_span(span_str(CASES[i].text), &v));
        check_double_bits(v, CASES[i].v);
    }
}

static void parse_f64_reads_texts_longer_than_any_buffer_exactly(void **state)
{
    (void)state;
    /* 1 + 2^-53 written out, followed by 2,000 zeros and a one: just above half way, so it rounds up. */
    static const char HALF[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[3000];
    size_t n = sizeof HALF - 1;
    memcpy(text, HALF, n);
    memset(text + n, '0', 2000);
    n += 2000;
    double v = 42;
    check_ok(parse_f64_span(span_of(text, n), &v));
    check_double_bits(v, 1);
    text[n++] = '1';
    check_ok(parse_f64_span(span_of(text, n), &v));
    check_double_bits(v, 1.0000000000000002);
    memset(text, '9', 309);
    check_errno(parse_f64_span(span_of(text, 309), &v), -ERANGE);
    check_double_bits(v, INFINITY);
}

static void parse_f64_accepts_what_go_accepts_and_nothing_else(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"0",    "1.",    ".5",  "+1",   "-1",      "1e5",      "1E+5",
                                       "1e-5", "00012", "inf", "+Inf", "-INF",    "Infinity", "-infinity",
                                       "nan",  "NaN",   "NAN", "-0",   "1.5e0005"};
    static const char *const BAD[] = {"",     ".",     "+",     "-",    "e5",   ".e5",    "1e",
                                      "1e+",  "1e5.",  "1.2.3", " 1",   "1 ",   "1\n",    "0x1p3",
                                      "0x10", "1_000", "+nan",  "-nan", "infi", "in",     "nano",
                                      "1,5",  "--1",   "+-1",   "1d",   "1f",   "nan(1)", "infinityx"};
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        double v = 42;
        if (parse_f64_span(span_str(GOOD[i]), &v) != 0)
            check_failed("'%s' is refused", GOOD[i]);
        double expected = strtod(GOOD[i], NULL);
        if (!isnan(expected))
            check_double_bits(v, expected);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        double v = 42;
        if (parse_f64_span(span_str(BAD[i]), &v) != -EINVAL)
            check_failed("'%s' is accepted", BAD[i]);
        check_double_bits(v, 42);
    }
    double v = 42, nul = 42;
    check_ok(parse_f64_span(SPAN("NaN"), &v));
    check_double_bits(v, from_bits(0x7ff8000000000001));
    check_errno(parse_f64_span(span_of("1\0002", 3), &nul), -EINVAL);
    check_errno(parse_f64_span(SPAN("-1e999"), &v), -ERANGE);
    check_double_bits(v, -INFINITY);
}

static void parse_integers_keep_to_their_range(void **state)
{
    (void)state;
    uint64_t u = 42;
    int64_t i = 42;
    check_errno(parse_u64("", 9, &u), -EINVAL);
    check_errno(parse_u64("-1", 9, &u), -EINVAL);
    check_errno(parse_u64("+1", 9, &u), -EINVAL);
    check_errno(parse_u64(" 1", 9, &u), -EINVAL);
    check_errno(parse_u64("1x", 9, &u), -EINVAL);
    check_errno(parse_u64("99999999999999999999999x", UINT64_MAX, &u), -EINVAL);
    check_errno(parse_u64("10", 9, &u), -ERANGE);
    check_errno(parse_u64("18446744073709551616", UINT64_MAX, &u), -ERANGE);
    assert_true(u == 42);
    check_ok(parse_u64("18446744073709551615", UINT64_MAX, &u));
    assert_true(u == UINT64_MAX);
    check_ok(parse_u64("0007", 9, &u));
    assert_true(u == 7);

    check_errno(parse_i64_span(SPAN("9223372036854775808"), INT64_MIN, INT64_MAX, &i), -ERANGE);
    check_errno(parse_i64_span(SPAN("-9223372036854775809"), INT64_MIN, INT64_MAX, &i), -ERANGE);
    check_errno(parse_i64_span(SPAN("-"), INT64_MIN, INT64_MAX, &i), -EINVAL);
    check_errno(parse_i64_span(SPAN("-5"), -4, 4, &i), -ERANGE);
    assert_true(i == 42);
    check_ok(parse_i64_span(SPAN("-9223372036854775808"), INT64_MIN, INT64_MAX, &i));
    assert_true(i == INT64_MIN);
    check_ok(parse_i64_span(SPAN("+12"), INT64_MIN, INT64_MAX, &i));
    assert_true(i == 12);
}

static void durations_are_read_and_printed_as_prometheus_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *printed;
    } CASES[] = {{"0", 0, "0s"},
                 {"0s", 0, "0s"},
                 {"1s", 1000, "1s"},
                 {"324ms", 324, "324ms"},
                 {"3s", 3000, "3s"},
                 {"5m", 300000, "5m"},
                 {"90m", 5400000, "1h30m"},
                 {"1h", 3600000, "1h"},
                 {"4d", 345600000, "4d"},
                 {"4d1h", 349200000, "4d1h"},
                 {"14d", 1209600000, "2w"},
                 {"8d", 691200000, "8d"},
                 {"3w2d1h", 3 * 604800000LL + 2 * 86400000 + 3600000, "23d1h"},
                 {"10y", 315360000000, "10y"},
                 {"1y2w3d4h5m6s7ms", 31536000000 + 2 * 604800000LL + 3 * 86400000 + 4 * 3600000 + 5 * 60000 + 6007,
                  "382d4h5m6s7ms"}};
    static const char *const BAD[] = {"",    "1",  "-1s", "1.5h", "1s1m", "1m1m", "s",
                                      "1 s", "1S", "1sm", "01",   "1h ",  "ms"};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t ms = -1;
        check_ok(parse_duration_ms(span_str(CASES[i].text), &ms));
        assert_int_equal(ms, CASES[i].ms);
        char text[NUMBER_TEXT_MAX];
        assert_int_equal(format_duration_ms(text, ms), strlen(CASES[i].printed));
        assert_string_equal(text, CASES[i].printed);
    }
    int64_t ms = 42;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        if (parse_duration_ms(span_str(BAD[i]), &ms) != -EINVAL)
            check_failed("'%s' is accepted", BAD[i]);
    check_errno(parse_duration_ms(SPAN("9999999999y"), &ms), -ERANGE);
    check_errno(parse_duration_ms(SPAN("292277024y292277024w"), &ms), -ERANGE);
    assert_int_equal(ms, 42);
    char text[NUMBER_TEXT_MAX];
    size_t n = format_duration_ms(text, INT64_MIN);
    assert_int_equal(n, strlen(text));
    assert_true(strlen(text) < NUMBER_TEXT_MAX);
    format_duration_ms(text, -1500);
    assert_string_equal(text, "-1s500ms");
}

static void sizes_are_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } CASES[] = {{"10", 10},           {"10B", 10},          {"512KB", 512 << 10},  {"1MiB", 1 << 20},
                 {"2GB", 2147483648u}, {"1TiB", 1ull << 40}, {"15EB", 15ull << 60}, {"0", 0}};
    static const char *const BAD[] = {"", "KB", "1K", "1kb", "1 KB", "-1", "1KiBs", "1iB", "1.5GB", "1KBB"};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        uint64_t v = 42;
        check_ok(parse_bytes(span_str(CASES[i].text), &v));
        assert_true(v == CASES[i].bytes);
    }
    uint64_t v = 42;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        if (parse_bytes(span_str(BAD[i]), &v) != -EINVAL)
            check_failed("'%s' is accepted", BAD[i]);
    check_errno(parse_bytes(SPAN("16EB"), &v), -ERANGE);
    check_errno(parse_bytes(SPAN("18446744073709551616"), &v), -ERANGE);
    assert_true(v == 42);
}

static void rfc3339_is_read_and_printed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } CASES[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2015-07-01T20:10:51.781Z", 1435781451781},
                 {"2026-11-27T00:00:00+01:00", 1795734000000},
                 {"2026-11-26T18:30:00-04:30", 1795734000000},
                 {"2024-02-29T23:59:59.9999Z", 1709251199999},
                 {"1969-12-31T23:59:59.999z", -1},
                 {"2016-12-31t23:59:60Z", 1483228800000},
                 {"0000-03-01T00:00:00Z", -62162035200000}};
    static const char *const BAD[] = {"",
                                      "2026-11-27",
                                      "2026-11-27T00:00:00",
                                      "2026-11-27 00:00:00Z",
                                      "2026-11-27T00:00Z",
                                      "26-11-27T00:00:00Z",
                                      "2026-11-27T00:00:00.Z",
                                      "2026-11-27T00:00:00+0100",
                                      "2026-11-27T00:00:00Zx"};
    static const char *const OFF[] = {"2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-00T00:00:00Z",
                                      "2026-11-31T00:00:00Z", "2026-11-27T24:00:00Z", "2026-11-27T00:60:00Z",
                                      "2026-11-27T00:00:61Z", "1900-02-29T00:00:00Z", "2026-11-27T00:00:00+24:00"};
    int64_t ms = 42;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        check_ok(parse_rfc3339_ms(span_str(CASES[i].text), &ms));
        assert_int_equal(ms, CASES[i].ms);
    }
    ms = 42;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        if (parse_rfc3339_ms(span_str(BAD[i]), &ms) != -EINVAL)
            check_failed("'%s' is accepted", BAD[i]);
    for (size_t i = 0; i < ARRAY_LEN(OFF); i++)
        if (parse_rfc3339_ms(span_str(OFF[i]), &ms) != -ERANGE)
            check_failed("'%s' is accepted", OFF[i]);
    assert_int_equal(ms, 42);
    char text[NUMBER_TEXT_MAX];
    assert_int_equal(format_rfc3339_ms(text, 1435781451781), 24);
    assert_string_equal(text, "2015-07-01T20:10:51.781Z");
    format_rfc3339_ms(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    size_t n = format_rfc3339_ms(text, INT64_MAX);
    assert_int_equal(n, strlen(text));
    n = format_rfc3339_ms(text, INT64_MIN);
    assert_int_equal(n, strlen(text));
}

static void rfc3339_round_trips_random_instants(void **state)
{
    (void)state;
    struct check_random r = check_random_new("rfc3339");
    for (int i = 0; i < 20000; i++) {
        int64_t ms = (int64_t)check_random_below(&r, 253402300800000 + 62167219200000) - 62167219200000, back;
        char text[NUMBER_TEXT_MAX];
        size_t n = format_rfc3339_ms(text, ms);
        check_ok(parse_rfc3339_ms(span_of(text, n), &back));
        assert_int_equal(back, ms);
    }
}

static void seconds_drop_trailing_zeros(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } CASES[] = {{1435781451781, "1435781451.781"},
                 {1435781451780, "1435781451.78"},
                 {1435781451000, "1435781451"},
                 {5, "0.005"},
                 {0, "0"},
                 {-5, "-0.005"},
                 {-1500, "-1.5"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char text[NUMBER_TEXT_MAX];
        assert_int_equal(format_seconds_ms(text, CASES[i].ms), strlen(CASES[i].text));
        assert_string_equal(text, CASES[i].text);
    }
}

static void counters_and_sizes_know_resets_and_overflow(void **state)
{
    (void)state;
    check_double_bits(counter_delta(5, 7), 2);
    check_double_bits(counter_delta(7, 3), 3);
    size_t n = 42;
    check_errno(size_mul(SIZE_MAX, 2, &n), -EOVERFLOW);
    check_errno(size_add(SIZE_MAX, 1, &n), -EOVERFLOW);
    assert_int_equal(n, 42);
    check_ok(size_mul(6, 7, &n));
    check_ok(size_add(n, 1, &n));
    assert_int_equal(n, 43);
    bool b = true;
    check_errno(parse_bool(SPAN("True"), &b), -EINVAL);
    check_ok(parse_bool(SPAN("false"), &b));
    assert_false(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_prints_the_shortest_text_that_reads_back_to_random_bits),
        cmocka_unit_test(format_is_shortest_for_denormals_powers_of_two_and_ten_and_their_neighbours),
        cmocka_unit_test(format_is_shortest_for_decimals_as_services_report_them),
        cmocka_unit_test(format_lays_numbers_out_as_go_does),
        cmocka_unit_test(parse_f64_rounds_as_strtod_for_random_texts),
        cmocka_unit_test(parse_f64_rounds_correctly_half_way_between_two_doubles),
        cmocka_unit_test(parse_f64_reads_texts_longer_than_any_buffer_exactly),
        cmocka_unit_test(parse_f64_accepts_what_go_accepts_and_nothing_else),
        cmocka_unit_test(parse_integers_keep_to_their_range),
        cmocka_unit_test(durations_are_read_and_printed_as_prometheus_does),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(rfc3339_is_read_and_printed),
        cmocka_unit_test(rfc3339_round_trips_random_instants),
        cmocka_unit_test(seconds_drop_trailing_zeros),
        cmocka_unit_test(counters_and_sizes_know_resets_and_overflow),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
