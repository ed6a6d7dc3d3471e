#include "loadgen/hurl/date.h"

#include <errno.h>

#include "lib/base/civil.h"
#include "lib/base/macros.h"

#define US_PER_S 1000000
#define DAY_S 86400
#define YEAR_MAX 200000 /* as far as microseconds in 64 bits go, a third less */

static const char *const MONTHS[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const DAYS[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
#define SHORT_BYTES 3u /* of a name */

/* Specifiers that stand for others. */
static const struct {
    char letter;
    const char *format;
} COMPOUNDS[] = {
    {'D', "%m/%d/%y"},
    {'x', "%m/%d/%y"},
    {'F', "%Y-%m-%d"},
    {'v', "%e-%b-%Y"},
    {'R', "%H:%M"},
    {'T', "%H:%M:%S"},
    {'X', "%H:%M:%S"},
    {'r', "%I:%M:%S %p"},
    {'c', "%a %b %e %H:%M:%S %Y"},
    {'h', "%b"},
    {'+', "%Y-%m-%dT%H:%M:%S%.f%:z"},
};

static const char *compound(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(COMPOUNDS); i++)
        if (COMPOUNDS[i].letter == letter)
            return COMPOUNDS[i].format;
    return NULL;
}

/* One specifier: %[-_0][.][369][:::|#]letter */
struct specifier {
    char pad;    /* '-', '_', '0', or 0: the letter's own */
    bool dot;    /* %.f */
    int digits;  /* of %3f; 0: none said */
    int colons;  /* of %:z */
    bool sharp;  /* %#z */
    char letter; /* 0: the format ends */
};

static struct specifier take_specifier(struct span *rest)
{
    struct specifier p = {0};
    size_t i = 0, n = rest->len;
    const char *s = rest->ptr;
    if (i < n && (s[i] == '-' || s[i] == '_' || s[i] == '0'))
        p.pad = s[i++];
    if (i < n && s[i] == '.') {
        p.dot = true;
        i++;
    }
    if (i < n && (s[i] == '3' || s[i] == '6' || s[i] == '9'))
        p.digits = s[i++] - '0';
    while (i < n && s[i] == ':' && p.colons < 3) {
        p.colons++;
        i++;
    }
    if (i < n && s[i] == '#') {
        p.sharp = true;
        i++;
    }
    if (i < n)
        p.letter = s[i++];
    *rest = span_from(*rest, i);
    return p;
}

/* ---- writing ---- */
struct moment {
    int64_t year, day_of_year, days; /* day_of_year from 0; days since the epoch */
    unsigned month, day, weekday;    /* weekday: 0 is Sunday */
    int64_t second, us;              /* of the day; of the second */
    int64_t unix_s;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct moment moment_of(int64_t us)
{
    struct moment m = {.unix_s = floor_div(us, US_PER_S)};
    m.us = us - m.unix_s * US_PER_S;
    m.days = floor_div(m.unix_s, DAY_S);
    m.second = m.unix_s - m.days * DAY_S;
    civil_date(m.days, &m.year, &m.month, &m.day);
    m.day_of_year = m.days - civil_days(m.year, 1, 1);
    m.weekday = (unsigned)(((m.days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    return m;
}

/* Weeks begin on `first` (0 Sunday, 1 Monday); days before the first one are week 0. */
static int64_t week_of(const struct moment *m, unsigned first)
{
    return (m->day_of_year + 7 - (m->weekday + 7 - first) % 7) / 7;
}

/* ISO 8601: the week of a day belongs to the year of its Thursday. */
static void iso_week(const struct moment *m, int64_t *ret_year, int64_t *ret_week)
{
    unsigned month, day;
    int64_t thursday = m->days + 3 - (m->weekday + 6) % 7;
    civil_date(thursday, ret_year, &month, &day);
    *ret_week = (thursday - civil_days(*ret_year, 1, 1)) / 7 + 1;
}

static void put_number(struct buf *out, char pad, char own_pad, int width, int64_t v)
{
    char how = pad ? pad : own_pad;
    if (how == '-')
        buf_i64(out, v);
    else if (how == '_')
        buf_printf(out, "%*lld", width, (long long)v);
    else
        buf_printf(out, "%0*lld", width, (long long)v);
}

static void put_year(struct buf *out, char pad, int64_t year)
{
    if (year > 9999)
        buf_char(out, '+'); /* as RFC 3339's extension has it */
    put_number(out, pad, '0', year < 0 ? 5 : 4, year);
}

static void put_fraction(struct buf *out, const struct specifier *p, int64_t us)
{
    int digits = p->digits;
    if (p->dot && digits == 0) { /* as many as it takes */
        if (us == 0)
            return;
        digits = us % 1000 ? 6 : 3;
    }
    if (p->dot)
        buf_char(out, '.');
    if (digits == 3)
        buf_printf(out, "%03lld", (long long)(us / 1000));
    else if (digits == 6)
        buf_printf(out, "%06lld", (long long)us);
    else
        buf_printf(out, "%06lld000", (long long)us);
}

static void put_zone(struct buf *out, const struct specifier *p)
{
    static const char *const UTC[] = {"+0000", "+00:00", "+00:00:00", "+00"};
    buf_str(out, UTC[p->colons]);
}

MUST_USE static int put_specifier(struct buf *out, const struct specifier *p, const struct moment *m)
{
    int64_t year, week, hour = m->second / 3600, hour12 = (hour + 11) % 12 + 1;
    const char *more = compound(p->letter);
    if (more)
        return hurl_date_format(span_str(more), m->unix_s * US_PER_S + m->us, out);
    if (((p->dot || p->digits) && p->letter != 'f') || ((p->colons || p->sharp) && p->letter != 'z'))
        return -EINVAL;
    iso_week(m, &year, &week);
    const struct {
        char letter, pad;
        int width;
        int64_t value;
    } NUMBERS[] = {
        {'C', '0', 2, floor_div(m->year, 100)},
        {'y', '0', 2, m->year - floor_div(m->year, 100) * 100},
        {'q', '-', 1, (m->month - 1) / 3 + 1},
        {'m', '0', 2, m->month},
        {'d', '0', 2, m->day},
        {'e', '_', 2, m->day},
        {'w', '-', 1, m->weekday},
        {'u', '-', 1, (m->weekday + 6) % 7 + 1},
        {'U', '0', 2, week_of(m, 0)},
        {'W', '0', 2, week_of(m, 1)},
        {'g', '0', 2, year - floor_div(year, 100) * 100},
        {'V', '0', 2, week},
        {'j', '0', 3, m->day_of_year + 1},
        {'H', '0', 2, hour},
        {'k', '_', 2, hour},
        {'I', '0', 2, hour12},
        {'l', '_', 2, hour12},
        {'M', '0', 2, m->second / 60 % 60},
        {'S', '0', 2, m->second % 60},
        {'s', '-', 1, m->unix_s},
    };
    for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
        if (NUMBERS[i].letter == p->letter) {
            put_number(out, p->pad, NUMBERS[i].pad, NUMBERS[i].width, NUMBERS[i].value);
            return 0;
        }
    }
    switch (p->letter) {
    case 'Y':
        put_year(out, p->pad, m->year);
        return 0;
    case 'G':
        put_year(out, p->pad, year);
        return 0;
    case 'B':
        buf_str(out, MONTHS[m->month - 1]);
        return 0;
    case 'b':
        buf_bytes(out, MONTHS[m->month - 1], SHORT_BYTES);
        return 0;
    case 'A':
        buf_str(out, DAYS[m->weekday]);
        return 0;
    case 'a':
        buf_bytes(out, DAYS[m->weekday], SHORT_BYTES);
        return 0;
    case 'p':
        buf_str(out, hour < 12 ? "AM" : "PM");
        return 0;
    case 'P':
        buf_str(out, hour < 12 ? "am" : "pm");
        return 0;
    case 'f':
        put_fraction(out, p, m->us);
        return 0;
    case 'Z':
        buf_str(out, "UTC");
        return 0;
    case 'z':
        put_zone(out, p);
        return 0;
    case 't':
        buf_char(out, '\t');
        return 0;
    case 'n':
        buf_char(out, '\n');
        return 0;
    case '%':
        buf_char(out, '%');
        return 0;
    default:
        return -EINVAL;
    }
}

int hurl_date_format(struct span format, int64_t us, struct buf *out)
{
    struct moment m = moment_of(us);
    while (format.len) {
        size_t n = span_find(format, '%');
        buf_span(out, span_of(format.ptr, n));
        if (n == format.len)
            break;
        format = span_from(format, n + 1);
        struct specifier p = take_specifier(&format);
        int r = put_specifier(out, &p, &m);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- reading ---- */
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
    const char *more = compound(how->letter);
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
        r = take_name(&p->rest, MONTHS, ARRAY_LEN(MONTHS), how->letter == 'B', &v);
        return r < 0 ? r : set(p, MONTH, v + 1);
    case 'A':
    case 'a':
        r = take_name(&p->rest, DAYS, ARRAY_LEN(DAYS), how->letter == 'A', &v);
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
            struct specifier how = take_specifier(&format);
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
        struct moment m = moment_of(fourth * DAY_S * US_PER_S);
        days = fourth - (m.weekday + 6) % 7 + (week - 1) * 7 + (p->value[WEEKDAY] + 6) % 7;
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
