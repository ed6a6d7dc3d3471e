#include "loadgen/hurl/date.h"

#include <errno.h>

#include "lib/base/civil.h"
#include "loadgen/hurl/date_specifier.h"

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
    m.weekday = date_weekday(m.days);
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
    const char *more = date_compound(p->letter);
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
        buf_str(out, date_months[m->month - 1]);
        return 0;
    case 'b':
        buf_bytes(out, date_months[m->month - 1], SHORT_BYTES);
        return 0;
    case 'A':
        buf_str(out, date_days[m->weekday]);
        return 0;
    case 'a':
        buf_bytes(out, date_days[m->weekday], SHORT_BYTES);
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
        struct specifier p = date_take_specifier(&format);
        int r = put_specifier(out, &p, &m);
        if (r < 0)
            return r;
    }
    return 0;
}
