/* go_time.c - times and durations as Go's package time prints them (pkg.go.dev/time#pkg-constants). Times are UTC. */
#include "collector/template/go_format.h"
#include "lib/base/civil.h"

static const char *const MONTHS[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const DAYS[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct moment {
    int64_t year;
    unsigned month, day, hour, minute, second, ms, weekday, year_day;
};

static struct moment moment_of(int64_t t_ms)
{
    struct moment m;
    int64_t days = t_ms / 86400000 - (t_ms % 86400000 < 0), left = t_ms - days * 86400000;
    civil_date(days, &m.year, &m.month, &m.day);
    m.hour = (unsigned)(left / 3600000);
    m.minute = (unsigned)(left / 60000 % 60);
    m.second = (unsigned)(left / 1000 % 60);
    m.ms = (unsigned)(left % 1000);
    m.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
    m.year_day = (unsigned)(days - civil_days(m.year, 1, 1) + 1);
    return m;
}

enum piece {
    YEAR_4,
    YEAR_2,
    MONTH_LONG,
    MONTH_SHORT,
    MONTH_2,
    MONTH,
    DAY_LONG,
    DAY_SHORT,
    YEAR_DAY,
    DAY_2,
    DAY_BLANK,
    DAY,
    HOUR_24,
    HOUR_12_2,
    HOUR_12,
    MINUTE_2,
    MINUTE,
    SECOND_2,
    SECOND,
    PM_UPPER,
    PM_LOWER,
    ZONE_NAME,
    ZONE_UTC_Z,
    ZONE_COLON,
    ZONE,
    ZONE_HOUR
};
/* The longer ones that begin alike come first. */
static const struct {
    const char *text;
    enum piece piece;
} PIECES[] = {
    {"2006", YEAR_4},   {"January", MONTH_LONG}, {"Jan", MONTH_SHORT},   {"Monday", DAY_LONG},
    {"Mon", DAY_SHORT}, {"MST", ZONE_NAME},      {"002", YEAR_DAY},      {"01", MONTH_2},
    {"02", DAY_2},      {"03", HOUR_12_2},       {"04", MINUTE_2},       {"05", SECOND_2},
    {"06", YEAR_2},     {"15", HOUR_24},         {"1", MONTH},           {"_2", DAY_BLANK},
    {"2", DAY},         {"3", HOUR_12},          {"4", MINUTE},          {"5", SECOND},
    {"PM", PM_UPPER},   {"pm", PM_LOWER},        {"-07:00", ZONE_COLON}, {"-0700", ZONE},
    {"-07", ZONE_HOUR}, {"Z07:00", ZONE_UTC_Z},  {"Z0700", ZONE_UTC_Z},  {"Z07", ZONE_UTC_Z},
};

static void put_piece(struct buf *out, enum piece piece, const struct moment *m)
{
    unsigned half = m->hour % 12 ? m->hour % 12 : 12;
    const char *month = MONTHS[m->month - 1], *day = DAYS[m->weekday];
    switch (piece) {
    case YEAR_4:
        buf_printf(out, "%s%04lld", m->year < 0 ? "-" : "", (long long)(m->year < 0 ? -m->year : m->year));
        return;
    case YEAR_2:
        buf_printf(out, "%02u", (unsigned)((m->year % 100 + 100) % 100));
        return;
    case MONTH_LONG:
        buf_str(out, month);
        return;
    case MONTH_SHORT:
        buf_bytes(out, month, 3);
        return;
    case MONTH_2:
        buf_printf(out, "%02u", m->month);
        return;
    case MONTH:
        buf_u64(out, m->month);
        return;
    case DAY_LONG:
        buf_str(out, day);
        return;
    case DAY_SHORT:
        buf_bytes(out, day, 3);
        return;
    case YEAR_DAY:
        buf_printf(out, "%03u", m->year_day);
        return;
    case DAY_2:
        buf_printf(out, "%02u", m->day);
        return;
    case DAY_BLANK:
        buf_printf(out, "%2u", m->day);
        return;
    case DAY:
        buf_u64(out, m->day);
        return;
    case HOUR_24:
        buf_printf(out, "%02u", m->hour);
        return;
    case HOUR_12_2:
        buf_printf(out, "%02u", half);
        return;
    case HOUR_12:
        buf_u64(out, half);
        return;
    case MINUTE_2:
        buf_printf(out, "%02u", m->minute);
        return;
    case MINUTE:
        buf_u64(out, m->minute);
        return;
    case SECOND_2:
        buf_printf(out, "%02u", m->second);
        return;
    case SECOND:
        buf_u64(out, m->second);
        return;
    case PM_UPPER:
        buf_str(out, m->hour < 12 ? "AM" : "PM");
        return;
    case PM_LOWER:
        buf_str(out, m->hour < 12 ? "am" : "pm");
        return;
    case ZONE_NAME:
        buf_str(out, "UTC");
        return;
    case ZONE_UTC_Z:
        buf_char(out, 'Z');
        return;
    case ZONE_COLON:
        buf_str(out, "+00:00");
        return;
    case ZONE:
        buf_str(out, "+0000");
        return;
    case ZONE_HOUR:
        buf_str(out, "+00");
        return;
    }
}

/* ".000" or ".999" behind the seconds: as many digits, those of 9 without zeros at their end. Returns the bytes read. */
static size_t put_fraction(struct buf *out, struct span layout, const struct moment *m)
{
    char kind = layout.len > 1 ? layout.ptr[1] : '\0', digits[32];
    size_t n = 1;
    if ((*layout.ptr != '.' && *layout.ptr != ',') || (kind != '0' && kind != '9'))
        return 0;
    while (n < layout.len && n <= 9 && layout.ptr[n] == kind)
        n++;
    if (n < layout.len && layout.ptr[n] >= '0' && layout.ptr[n] <= '9')
        return 0;
    (void)snprintf(digits, sizeof digits, "%03u000000", m->ms);
    size_t shown = n - 1;
    while (kind == '9' && shown > 0 && digits[shown - 1] == '0')
        shown--;
    if (shown) {
        buf_char(out, *layout.ptr);
        buf_bytes(out, digits, shown);
    }
    return n;
}

void go_time(struct buf *out, int64_t t_ms, struct span layout)
{
    struct moment m = moment_of(t_ms);
    while (layout.len) {
        size_t used = put_fraction(out, layout, &m);
        for (size_t i = 0; i < ARRAY_LEN(PIECES) && !used; i++)
            if (span_starts(layout, span_str(PIECES[i].text))) {
                put_piece(out, PIECES[i].piece, &m);
                used = strlen(PIECES[i].text);
            }
        if (!used) {
            buf_char(out, *layout.ptr);
            used = 1;
        }
        layout = span_from(layout, used);
    }
}

/* A number of units with the digits below it, without zeros at their end. */
static void put_scaled(struct buf *out, uint64_t ns, uint64_t unit_ns, const char *unit)
{
    uint64_t below = ns % unit_ns;
    buf_u64(out, ns / unit_ns);
    if (below) {
        buf_char(out, '.');
        for (uint64_t digit = unit_ns / 10; below; digit /= 10) {
            buf_char(out, (char)('0' + below / digit));
            below %= digit;
        }
    }
    buf_str(out, unit);
}

void go_duration(struct buf *out, int64_t ns)
{
    uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, minute = 60000000000, hour = 60 * minute;
    if (ns < 0)
        buf_char(out, '-');
    if (u == 0)
        buf_str(out, "0s");
    else if (u < 1000)
        put_scaled(out, u, 1, "ns");
    else if (u < 1000000)
        put_scaled(out, u, 1000, "µs");
    else if (u < 1000000000)
        put_scaled(out, u, 1000000, "ms");
    else {
        if (u >= hour)
            buf_printf(out, "%lluh", (unsigned long long)(u / hour));
        if (u >= minute)
            buf_printf(out, "%llum", (unsigned long long)(u / minute % 60));
        put_scaled(out, u % minute, 1000000000, "s");
    }
}
