/* Dates as hurl's formats write and read them. */
#include "tests/support/check.h"

#include <errno.h>

#include "loadgen/hurl/date.h"

#define NIGHT 994552440026490 /* 2001-07-08 00:34:00.026490 UTC, a Sunday */

static void every_specifier_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *format, *wanted;
        int64_t us;
    } CASES[] = {
        {"%Y %C %y %G %g", "2001 20 01 2001 01", NIGHT},
        {"%m|%b|%B|%h|%q", "07|Jul|July|Jul|3", NIGHT},
        {"%d|%e|%-d|%_d|%0e", "08| 8|8| 8|08", NIGHT},
        {"%a %A %w %u", "Sun Sunday 0 7", NIGHT},
        {"%U %W %V %j", "27 27 27 189", NIGHT},
        {"%D %x %F %v", "07/08/01 07/08/01 2001-07-08  8-Jul-2001", NIGHT},
        {"%H|%k|%I|%l|%p|%P", "00| 0|12|12|AM|am", NIGHT},
        {"%H|%k|%I|%l|%p|%P", "13|13|01| 1|PM|pm", 13 * INT64_C(3600000000)},
        {"%M %S %f %.f %.3f %.6f %.9f", "34 00 026490000 .026490 .026 .026490 .026490000", NIGHT},
        {"%3f %6f %9f", "026 026490 026490000", NIGHT},
        {"%S%.f", "00", 0},
        {"%.f", ".500", 500000},
        {"%R %T %X %r", "00:34 00:34:00 00:34:00 12:34:00 AM", NIGHT},
        {"%z %:z %::z %:::z %Z", "+0000 +00:00 +00:00:00 +00 UTC", NIGHT},
        {"%c", "Sun Jul  8 00:34:00 2001", NIGHT},
        {"%+", "2001-07-08T00:34:00.026490+00:00", NIGHT},
        {"%s|%%|%t|%n", "994552440|%|\t|\n", NIGHT},
        {"%F %T %s", "1969-12-31 23:59:59 -1", -1},
        {"%G-W%V-%u", "2004-W53-6", 1104537600000000}, /* 2005-01-01 */
        {"%G-W%V-%u", "2009-W01-1", 1230508800000000}, /* 2008-12-29 */
        {"%U %W", "00 00", 1104537600000000},
        {"plain", "plain", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf out;
        buf_init(&out, 1000);
        check_ok(hurl_date_format(span_str(CASES[i].format), CASES[i].us, &out));
        if (!span_equal(buf_view(&out), span_str(CASES[i].wanted)))
            check_failed("%s: '%s', wanted '%s'", CASES[i].format, out.data ? out.data : "", CASES[i].wanted);
        buf_done(&out);
    }
}

static void unknown_specifiers_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"%", "%Q", "%:H", "%#H", "%.Y", "%3Y", "%E"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf out;
        int64_t us;
        buf_init(&out, 1000);
        check_errno(hurl_date_format(span_str(BAD[i]), 0, &out), -EINVAL);
        check_errno(hurl_date_parse(SPAN("2001"), span_str(BAD[i]), &us), -EINVAL);
        buf_done(&out);
    }
}

static void what_is_written_can_be_read(void **state)
{
    (void)state;
    static const char *const FORMATS[] = {
        "%+",          "%F %T%.f",           "%s%.6f",         "%c %.f", "%G-W%V-%u %T.%6f",
        "%Y-%j %r%.f", "%d %B %y %R:%S%.6f", "%A %v %X%.f %:z"};
    struct check_random r = check_random_new("dates");
    for (int round = 0; round < 2000; round++) {
        int64_t us = (int64_t)check_random_below(&r, 3000000000) * 1000000 + (int64_t)check_random_below(&r, 1000000);
        us -= us > 2145916800000000 ? 2145916800000000 : 0; /* %y names 1970 to 2037 here */
        for (size_t i = 0; i < ARRAY_LEN(FORMATS); i++) {
            struct buf out;
            int64_t back;
            buf_init(&out, 1000);
            check_ok(hurl_date_format(span_str(FORMATS[i]), us, &out));
            if (hurl_date_parse(buf_view(&out), span_str(FORMATS[i]), &back) < 0 || back != us)
                check_failed("%s: '%s'", FORMATS[i], out.data);
            buf_done(&out);
        }
    }
}

static void texts_are_read_as_their_format_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *format;
        int64_t wanted; /* INT64_MIN: refused */
    } CASES[] = {
        {"2024-12-31", "%Y-%m-%d", 1735603200000000},
        {"2024-12-31 01:00:00 +0200", "%Y-%m-%d %H:%M:%S %z", 1735599600000000},
        {"2024-12-31 01:00:00 -02:30", "%F %T %:z", 1735615800000000},
        {"2024-12-31T01:00:00Z", "%+", 1735606800000000},
        {"2024-12-31T01:00:00.25+01", "%FT%T%.f%#z", 1735603200250000},
        {"Tue, 31 Dec 2024 01:00:00 GMT", "%a, %d %b %Y %H:%M:%S GMT", 1735606800000000},
        {"Tuesday, 31 december 2024 1:00 PM", "%A, %d %B %Y %I:%M %p", 1735650000000000},
        {"Wed, 31 Dec 2024", "%a, %d %b %Y", INT64_MIN}, /* it was a Tuesday */
        {"1735606800", "%s", 1735606800000000},
        {"-1", "%s", -1000000},
        {"31/12/69", "%d/%m/%y", 3155673600000000},
        {"01/01/70", "%d/%m/%y", 0},
        {"2024 366", "%Y %j", 1735603200000000},
        {"2023 366", "%Y %j", INT64_MIN},
        {"2023-02-29", "%F", INT64_MIN},
        {"2024-12-31x", "%F", INT64_MIN},
        {"2024-12", "%Y-%m", INT64_MIN},
        {"2024-12-31 24:00", "%F %H:%M", INT64_MIN},
        {"2024-12-31 11", "%F %I", INT64_MIN},
        {"2024-12-31 2025", "%F %Y", INT64_MIN},
        {"  2024-12-31", "%F", 1735603200000000},
        {"", "%F", INT64_MIN},
        {"2024-12-31 +2400", "%F %z", INT64_MIN},
        {"999999-W01-1", "%G-W%V-%u", INT64_MIN},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int64_t us = INT64_MIN;
        int r = hurl_date_parse(span_str(CASES[i].text), span_str(CASES[i].format), &us);
        if (r != (CASES[i].wanted == INT64_MIN ? -EINVAL : 0) || us != CASES[i].wanted)
            check_failed("'%s' as '%s': %d, %lld", CASES[i].text, CASES[i].format, r, (long long)us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_specifier_is_written),
        cmocka_unit_test(unknown_specifiers_are_refused),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(texts_are_read_as_their_format_says),
    };
    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
