#include "loadgen/hurl/date.h"

#include <errno.h>

#include "lib/base/civil.h"
#include "loadgen/hurl/date_specifier.h"

enum field {
    YEAR,
    CENTURY,
    YEAR_OF_CENTURY,
    MONTH,
    DAY,
    DAY_OF_YEAR,
    ISO_YEAR,
    ISO_WEEK,
    WEEKDAY, /* 0 is Sunday */
    HOUR,
    HOUR_12,
    HALF, /* 0: before noon */
    MINUTE,
    SECOND,
    MICROSECOND,
    OFFSET, /* seconds east of UTC */
    UNIX,
    NOWHERE, /* checked and left */
    FIELDS
};
struct parsing {
    struct span rest;
    int64_t value[FIELDS];
    uint32_t set; /* bit per field */
};

static bool is_set(const struct parsing *p, enum field f)
{
    return p->set >> f & 1;
}

/* A field that is said twice must say the same. */
MUST_USE static int set(struct parsing *p, enum field f, int64_t v)
{
    if (f != NOWHERE && is_set(p, f) && p->value[f] != v)
        return -EINVAL;
    p->value[f] = v;
    p->set |= 1u << f;
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct span *s)
{
    while (s->len && is_space(s->ptr[0]))
        *s = span_from(*s, 1);
}

/* At least `least` digits and at most `most`. */
MUST_USE static int take_digits(struct span *s, size_t least, size_t most, int64_t *ret)
{
    int64_t v = 0;
    size_t n = 0;
    while (n < s->len && n < most && is_digit(s->ptr[n]))
        v = v * 10 + (s->ptr[n++] - '0');
    if (n < least)
        return -EINVAL;
    *s = span_from(*s, n);
    *ret = v;
    return 0;
}

/* The index of the name that begins here; the long form too when `whole` says so. */
MUST_USE static int take_name(struct span *s, const char *const *names, size_t n, bool whole, int64_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        struct span name = span_str(names[i]), begin = span_of(name.ptr, SHORT_BYTES);
        if (whole && s->len >= name.len && span_equal_nocase(span_of(s->ptr, name.len), name))
            begin = name;
        if (s->len < begin.len || !span_equal_nocase(span_of(s->ptr, begin.len), begin))
            continue;
        *s = span_from(*s, begin.len);
        *ret = (int64_t)i;
        return 0;
    }
    return -EINVAL;
}

MUST_USE static int take_signed(struct parsing *p, enum field f, size_t digits, size_t digits_signed)
{
    bool negative = p->rest.len && p->rest.ptr[0] == '-';
    bool sign = negative || (p->rest.len && p->rest.ptr[0] == '+');
    int64_t v;
    if (sign)
        p->rest = span_from(p->rest, 1);
    int r = take_digits(&p->rest, 1, sign ? digits_signed : digits, &v);
    return r < 0 ? r : set(p, f, negative ? -v : v);
}

/* ".026": digits of a second, those beyond the sixth are left. */
MUST_USE static int take_fraction(struct parsing *p, const struct specifier *how)
{
    if (how->dot) {
        if (p->rest.len == 0 || p->rest.ptr[0] != '.')
            return how->digits ? -EINVAL : 0;
        p->rest = span_from(p->rest, 1);
    }
    if (!how->dot && how->digits == 0) { /* %f: nanoseconds, as a number */
        int64_t ns;
        int r = take_digits(&p->rest, 1, 9, &ns);
        return r < 0 ? r : set(p, MICROSECOND, ns / 1000);
    }
    size_t least = how->digits ? (size_t)how->digits : 1, n = 0;
    int64_t us = 0;
    for (; n < p->rest.len && is_digit(p->rest.ptr[n]) && (how->digits == 0 || n < least); n++)
        if (n < 6)
            us = us * 10 + (p->rest.ptr[n] - '0');
    if (n < least)
        return -EINVAL;
    p->rest = span_from(p->rest, n);
    for (; n < 6; n++)
        us *= 10;
    return set(p, MICROSECOND, us);
}

/* +hh:mm, +hhmm; Z and +hh where the specifier allows. */
MUST_USE static int take_zone(struct parsing *p, bool loose)
{
    int64_t hours, minutes = 0;
    skip_space(&p->rest);
    if (p->rest.len && (p->rest.ptr[0] == 'Z' || p->rest.ptr[0] == 'z')) {
        p->rest = span_from(p->rest, 1);
        return set(p, OFFSET, 0);
    }
    if (p->rest.len == 0 || (p->rest.ptr[0] != '+' && p->rest.ptr[0] != '-'))
        return -EINVAL;
    bool west = p->rest.ptr[0] == '-';
    p->rest = span_from(p->rest, 1);
    int r = take_digits(&p->rest, 2, 2, &hours);
    if (r < 0)
        return r;
    struct span after_hours = p->rest;
    if (p->rest.len && p->rest.ptr[0] == ':')
        p->rest = span_from(p->rest, 1);
    if (take_digits(&p->rest, 2, 2, &minutes) < 0) {
        if (!loose)
            return -EINVAL;
        p->rest = after_hours;
    }
    if (hours > 23 || minutes > 59)
        return -EINVAL;
    int64_t s = hours * 3600 + minutes * 60;
    return set(p, OFFSET, west ? -s : s);
}

MUST_USE static int parse_format(struct parsing *p, struct span format);

MUST_USE static int parse_specifier(struct parsing *p, const struct specifier *how)
{
    static const struct {
        char letter;
        enum field field;
        size_t digits;
    } NUMBERS[] = {
        {'C', CENTURY, 2},  {'y', YEAR_OF_CENTURY, 2}, {'q', NOWHERE, 1}, {'m', MONTH, 2},   {'d', DAY, 2},
        {'e', DAY, 2},      {'w', WEEKDAY, 1},         {'U', NOWHERE, 2}, {'W', NOWHERE, 2}, {'g', NOWHERE, 2},
        {'V', ISO_WEEK, 2}, {'j', DAY_OF_YEAR, 3},     {'H', HOUR, 2},    {'k', HOUR, 2},    {'I', HOUR_12, 2},
        {'l', HOUR_12, 2},  {'M', MINUTE, 2},          {'S', SECOND, 2},
    };
    const char *more = date_compound(how->letter);
    int64_t v;
    int r;
    if (how->letter == '+')
        more = "%Y-%m-%dT%H:%M:%S%.f%#z";
    if (more)
        return parse_format(p, span_str(more));
    if (((how->dot || how->digits) && how->letter != 'f') || ((how->colons || how->sharp) && how->letter != 'z'))
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
        if (NUMBERS[i].letter == how->letter) {
            skip_space(&p->rest);
            r = take_digits(&p->rest, 1, NUMBERS[i].digits, &v);
            return r < 0 ? r : set(p, NUMBERS[i].field, v);
        }
    }
    switch (how->letter) {
    case 'Y':
    case 'G':
        skip_space(&p->rest);
        return take_signed(p, how->letter == 'Y' ? YEAR : ISO_YEAR, 4, 6);
    case 's':
        skip_space(&p->rest);
        return take_signed(p, UNIX, 12, 12);
    case 'u':
        skip_space(&p->rest);
        r = take_digits(&p->rest, 1, 1, &v);
        return r < 0 ? r : v < 1 || v > 7 ? -EINVAL : set(p, WEEKDAY, v % 7);
    case 'B':
    case 'b':
        r = take_name(&p->rest, date_months, ARRAY_LEN(date_months), how->letter == 'B', &v);
        return r < 0 ? r : set(p, MONTH, v + 1);
    case 'A':
    case 'a':
        r = take_name(&p->rest, date_days, ARRAY_LEN(date_days), how->letter == 'A', &v);
        return r < 0 ? r : set(p, WEEKDAY, v);
    case 'p':
    case 'P':
        if (p->rest.len < 2 || (p->rest.ptr[1] | 0x20) != 'm' || !strchr("apAP", p->rest.ptr[0]))
            return -EINVAL;
        v = (p->rest.ptr[0] | 0x20) == 'p';
        p->rest = span_from(p->rest, 2);
        return set(p, HALF, v);
    case 'f':
        return take_fraction(p, how);
    case 'z':
        return take_zone(p, how->sharp || how->colons == 3);
    case 'Z': /* a name says nothing sure: stepped over, as chrono does */
        while (p->rest.len && !is_space(p->rest.ptr[0]))
            p->rest = span_from(p->rest, 1);
        return 0;
    case 't':
    case 'n':
        skip_space(&p->rest);
        return 0;
    case '%':
        if (!span_starts(p->rest, SPAN("%")))
            return -EINVAL;
        p->rest = span_from(p->rest, 1);
        return 0;
    default:
        return -EINVAL;
    }
}

static int parse_format(struct parsing *p, struct span format)
{
    while (format.len) {
        char c = format.ptr[0];
        format = span_from(format, 1);
        if (c == '%') {
            struct specifier how = date_take_specifier(&format);
            int r = parse_specifier(p, &how);
            if (r < 0)
                return r;
        } else if (is_space(c)) {
            skip_space(&p->rest);
        } else if (p->rest.len && p->rest.ptr[0] == c) {
            p->rest = span_from(p->rest, 1);
        } else {
            return -EINVAL;
        }
    }
    return 0;
}

MUST_USE static int year_of(const struct parsing *p, int64_t *ret)
{
    int64_t year;
    if (is_set(p, YEAR)) {
        year = p->value[YEAR];
    } else if (is_set(p, YEAR_OF_CENTURY)) { /* chrono: 70 to 99 are the last century's */
        int64_t y = p->value[YEAR_OF_CENTURY];
        year = is_set(p, CENTURY) ? p->value[CENTURY] * 100 + y : y + (y < 70 ? 2000 : 1900);
    } else {
        return -EINVAL;
    }
    if (year < -YEAR_MAX || year > YEAR_MAX)
        return -EINVAL;
    *ret = year;
    return 0;
}

/* Days since the epoch, from whichever fields say it; the weekday must agree. */
MUST_USE static int days_of(const struct parsing *p, int64_t *ret)
{
    int64_t year, days;
    if (is_set(p, ISO_YEAR) && is_set(p, ISO_WEEK) && is_set(p, WEEKDAY) && !is_set(p, MONTH)) {
        year = p->value[ISO_YEAR];
        if (year < -YEAR_MAX || year > YEAR_MAX)
            return -EINVAL;
        int64_t week = p->value[ISO_WEEK], fourth = civil_days(year, 1, 4); /* always in week 1 */
        days = fourth - (date_weekday(fourth) + 6) % 7 + (week - 1) * 7 + (p->value[WEEKDAY] + 6) % 7;
        if (week < 1 || week > 53)
            return -EINVAL;
    } else if (year_of(p, &year) < 0) {
        return -EINVAL;
    } else if (is_set(p, MONTH) && is_set(p, DAY)) {
        int64_t month = p->value[MONTH], day = p->value[DAY];
        if (month < 1 || month > 12 || day < 1 || day > civil_days_in_month(year, month))
            return -EINVAL;
        days = civil_days(year, month, day);
    } else if (is_set(p, DAY_OF_YEAR)) {
        int64_t day = p->value[DAY_OF_YEAR];
        if (day < 1 || day > 365 + civil_is_leap(year))
            return -EINVAL;
        days = civil_days(year, 1, 1) + day - 1;
    } else {
        return -EINVAL;
    }
    if (is_set(p, WEEKDAY) && ((days + 4) % 7 + 7) % 7 != p->value[WEEKDAY])
        return -EINVAL;
    *ret = days;
    return 0;
}

MUST_USE static int second_of(const struct parsing *p, int64_t *ret)
{
    int64_t hour = 0, minute = p->value[MINUTE], second = p->value[SECOND];
    if (is_set(p, HOUR)) {
        hour = p->value[HOUR];
    } else if (is_set(p, HOUR_12)) {
        if (!is_set(p, HALF) || p->value[HOUR_12] < 1 || p->value[HOUR_12] > 12)
            return -EINVAL;
        hour = p->value[HOUR_12] % 12 + (p->value[HALF] ? 12 : 0);
    } else if (is_set(p, MINUTE) || is_set(p, SECOND)) {
        return -EINVAL;
    }
    if (hour > 23 || minute > 59 || second > 60)
        return -EINVAL;
    *ret = hour * 3600 + minute * 60 + second;
    return 0;
}

int hurl_date_parse(struct span text, struct span format, int64_t *ret_us)
{
    struct parsing p = {.rest = text};
    int64_t days, second;
    int r = parse_format(&p, format);
    if (r < 0 || p.rest.len)
        return -EINVAL;
    if (is_set(&p, UNIX)) {
        *ret_us = p.value[UNIX] * US_PER_S + p.value[MICROSECOND];
        return 0;
    }
    if (days_of(&p, &days) < 0 || second_of(&p, &second) < 0)
        return -EINVAL;
    *ret_us = (days * DAY_S + second - p.value[OFFSET]) * US_PER_S + p.value[MICROSECOND];
    return 0;
}
