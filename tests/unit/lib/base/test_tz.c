/* Time zones: known changes of the clock, the rule behind the last change, wall clocks that are never or twice there, broken
 * files, and every zone of the system against libc. */
#include "tests/support/check.h"

#include <errno.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/base/tz.h"

static int64_t wall(const char *text)
{
    char stamp[64];
    int64_t ms = 0;
    snprintf(stamp, sizeof stamp, "%s:00Z", text);
    check_ok(parse_rfc3339_ms(span_str(stamp), &ms));
    return ms;
}

static void wall_clocks_become_the_times_that_they_show(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *wall, *utc;
        enum tz_fit fit;
    } CASES[] = {
        {"UTC", "2026-11-27T20:00", "2026-11-27T20:00", TZ_ONCE},
        {"Europe/Berlin", "2026-11-27T20:00", "2026-11-27T19:00", TZ_ONCE},
        {"Europe/Berlin", "2026-07-01T20:00", "2026-07-01T18:00", TZ_ONCE},
        {"Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30", TZ_NEVER}, /* 03:30 CEST */
        {"Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30", TZ_TWICE},
        {"Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00", TZ_ONCE},
        {"Europe/Berlin", "2065-10-25T02:30", "2065-10-25T00:30", TZ_TWICE}, /* by the rule: beyond every file */
        {"Asia/Tokyo", "2026-11-27T20:00", "2026-11-27T11:00", TZ_ONCE},
        {"America/New_York", "2026-11-27T00:00", "2026-11-27T05:00", TZ_ONCE},
        {"America/New_York", "2026-11-01T01:30", "2026-11-01T05:30", TZ_TWICE},
        {"Asia/Kolkata", "2026-11-27T20:00", "2026-11-27T14:30", TZ_ONCE},
        {"Australia/Sydney", "2027-01-01T00:00", "2026-12-31T13:00", TZ_ONCE}, /* summer over the turn of the year */
        {"Europe/Dublin", "2050-07-01T12:00", "2050-07-01T11:00", TZ_ONCE}, /* its rule has winter as the exception */
        {"Asia/Tehran", "2020-09-21T12:00", "2020-09-21T08:30", TZ_ONCE},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct tz *tz = NULL;
        int64_t got = 0;
        check_ok(tz_load(CASES[i].zone, &tz));
        enum tz_fit fit = tz_to_unix(tz, wall(CASES[i].wall), &got);
        if (got != wall(CASES[i].utc) || fit != CASES[i].fit)
            check_failed("%s %s: off by %lld s, fit %d", CASES[i].zone, CASES[i].wall,
                         (long long)(got - wall(CASES[i].utc)) / 1000, fit);
        tz_free(tz);
    }
}

static void texts_carry_the_abbreviation(void **state)
{
    (void)state;
    struct tz *tz = NULL;
    char text[TZ_TEXT_MAX];
    check_ok(tz_load("Europe/Berlin", &tz));
    tz_format(text, tz, wall("2026-11-27T19:00"), false);
    assert_string_equal(text, "2026-11-27 20:00 CET");
    tz_format(text, tz, wall("2026-07-01T18:00") + 5000, true);
    assert_string_equal(text, "2026-07-01 20:00:05 CEST");
    tz_format_clock(text, tz, wall("2026-07-01T18:00"), false);
    assert_string_equal(text, "20:00");
    tz_free(tz);
}

static void names_that_are_no_zone_are_refused(void **state)
{
    (void)state;
    struct tz *tz = NULL;
    check_errno(tz_load("Europe/Atlantis", &tz), -ENOENT);
    check_errno(tz_load("Europe", &tz), -ENOENT);
    check_errno(tz_load("../../etc/passwd", &tz), -EINVAL);
    check_errno(tz_load("/etc/localtime", &tz), -EINVAL);
    check_errno(tz_load("", &tz), -EINVAL);
    check_errno(tz_load("posixrules\n", &tz), -EINVAL);
    check_errno(tz_load("zone.tab/x", &tz), -EINVAL);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    char data[65536];
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
    assert_non_null(f);
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    struct tz *tz = NULL;
    for (size_t cut = 0; cut < n - 1; cut++) {
        char *copy = malloc(cut + 1); /* exactly as long, so that a sanitizer sees one byte too far */
        memcpy(copy, data, cut);
        int r = tz_read("x", span_of(copy, cut), &tz);
        if (r == 0) { /* the rule's text may end early and still be a rule */
            assert_true(cut > n - 30);
            tz_free(tz);
        } else {
            check_errno(r, -EBADMSG);
        }
        free(copy);
    }
    struct check_random random = check_random_new("tz");
    for (int i = 0; i < 2000; i++) {
        char *copy = malloc(n);
        memcpy(copy, data, n);
        for (int k = 0; k < 4; k++)
            copy[check_random_below(&random, n)] = (char)check_random_u64(&random);
        if (tz_read("x", span_of(copy, n), &tz) == 0) {
            (void)tz_offset_ms(tz, (int64_t)check_random_below(&random, 1ull << 42), NULL);
            tz_free(tz);
        }
        free(copy);
    }
}

/* libc reads the same files with other code. */
static void offsets_are_those_of_libc(void **state)
{
    (void)state;
    static const char *const ZONES[] = {"Europe/Berlin",       "America/New_York", "Asia/Tokyo",
                                        "Australia/Lord_Howe", "Europe/Dublin",    "Africa/Casablanca",
                                        "America/Sao_Paulo",   "Asia/Kathmandu",   "Pacific/Chatham",
                                        "Pacific/Apia",        "America/St_Johns", "Asia/Gaza"};
    struct check_random random = check_random_new("tz-libc");
    for (size_t i = 0; i < ARRAY_LEN(ZONES); i++) {
        struct tz *tz = NULL;
        check_ok(tz_load(ZONES[i], &tz));
        setenv("TZ", ZONES[i], 1);
        tzset();
        for (int k = 0; k < 3000; k++) {
            time_t t = (time_t)check_random_below(&random, 4102444800ull * 3 / 2); /* 1970 to 2165 */
            struct tm tm;
            const char *name;
            localtime_r(&t, &tm);
            int64_t offset = tz_offset_ms(tz, (int64_t)t * 1000, &name);
            if (offset != tm.tm_gmtoff * 1000 || strcmp(name, tm.tm_zone) != 0)
                check_failed("%s at %lld: %lld s %s, libc %ld s %s", ZONES[i], (long long)t, (long long)offset / 1000,
                             name, tm.tm_gmtoff, tm.tm_zone);
        }
        tz_free(tz);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clocks_become_the_times_that_they_show),
        cmocka_unit_test(texts_carry_the_abbreviation),
        cmocka_unit_test(names_that_are_no_zone_are_refused),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(offsets_are_those_of_libc),
    };
    return cmocka_run_group_tests_name("tz", tests, NULL, NULL);
}
