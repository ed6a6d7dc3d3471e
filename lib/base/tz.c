#include "lib/base/tz.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/base/civil.h"
#include "lib/base/file.h"
#include "lib/base/number.h"

#define TZ_FILE_BYTES_MAX (1u << 20) /* the largest of the 2024 files has 4 KB */
#define ABBREVIATION_MAX 8
#define DAY_S 86400

/* When a POSIX rule changes the clock: a day of the year and a wall-clock time. */
struct rule_date {
    enum { JULIAN, DAY_OF_YEAR, MONTH_WEEK } kind;
    int month, week, day;
    int64_t time_s;
};
struct rule {
    bool given, has_dst;
    int64_t std_s, dst_s; /* ahead of UTC */
    char std_name[ABBREVIATION_MAX], dst_name[ABBREVIATION_MAX];
    struct rule_date begin, end;
};
struct kind {
    int64_t offset_s;
    bool dst;
    const char *name;
};
struct tz {
    char *name;
    int64_t *at_s; /* ascending: from then on kinds[to[i]] */
    uint8_t *to;
    size_t n;
    struct kind *kinds;
    size_t n_kinds;
    char *names;
    struct rule rule;
};

/* ---- the POSIX rule behind the last transition: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool take(struct span *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

static bool take_number(struct span *s, int64_t max, int64_t *ret)
{
    size_t n = 0;
    uint64_t v;
    while (n < s->len && n < 4 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    if (n == 0 || parse_u64_span(span_of(s->ptr, n), (uint64_t)max, &v) < 0)
        return false;
    *ret = (int64_t)v;
    *s = span_from(*s, n);
    return true;
}

static bool take_name(struct span *s, char name[ABBREVIATION_MAX])
{
    bool quoted = take(s, '<');
    size_t n = 0;
    while (n < s->len && (quoted ? s->ptr[n] != '>'
                                 : (s->ptr[n] >= 'A' && s->ptr[n] <= 'Z') || (s->ptr[n] >= 'a' && s->ptr[n] <= 'z')))
        n++;
    if (n < 3 || n >= ABBREVIATION_MAX)
        return false;
    memcpy(name, s->ptr, n);
    name[n] = '\0';
    *s = span_from(*s, n);
    return !quoted || take(s, '>');
}

/* [+-]hh[:mm[:ss]] in seconds; hours up to 167 (RFC 8536). */
static bool take_hms(struct span *s, int64_t *ret_s)
{
    bool negative = take(s, '-');
    int64_t hours, minutes = 0, seconds = 0;
    if (!negative)
        (void)take(s, '+');
    if (!take_number(s, 167, &hours) || (take(s, ':') && !take_number(s, 59, &minutes)) ||
        (take(s, ':') && !take_number(s, 59, &seconds)))
        return false;
    int64_t v = (hours * 60 + minutes) * 60 + seconds;
    *ret_s = negative ? -v : v;
    return true;
}

static bool take_date(struct span *s, struct rule_date *d)
{
    int64_t a = 0, b = 0, c = 0;
    if (take(s, 'M')) {
        d->kind = MONTH_WEEK;
        if (!take_number(s, 12, &a) || a < 1 || !take(s, '.') || !take_number(s, 5, &b) || b < 1 || !take(s, '.') ||
            !take_number(s, 6, &c))
            return false;
        d->month = (int)a;
        d->week = (int)b;
        d->day = (int)c;
    } else {
        d->kind = take(s, 'J') ? JULIAN : DAY_OF_YEAR;
        if (!take_number(s, 365, &a) || (d->kind == JULIAN && a < 1))
            return false;
        d->day = (int)a;
    }
    d->time_s = 7200;
    return !take(s, '/') || take_hms(s, &d->time_s);
}

static bool read_rule(struct span s, struct rule *r)
{
    int64_t west;
    if (s.len == 0)
        return true; /* no rule: the last kind goes on */
    if (!take_name(&s, r->std_name) || !take_hms(&s, &west))
        return false;
    r->given = true;
    r->std_s = -west;
    if (s.len == 0)
        return true;
    r->has_dst = true;
    r->dst_s = r->std_s + 3600;
    if (!take_name(&s, r->dst_name))
        return false;
    if (s.len && s.ptr[0] != ',') {
        if (!take_hms(&s, &west))
            return false;
        r->dst_s = -west;
    }
    return take(&s, ',') && take_date(&s, &r->begin) && take(&s, ',') && take_date(&s, &r->end) && s.len == 0;
}

/* The rule's date in a year as a wall clock in seconds. */
static int64_t date_in(const struct rule_date *d, int64_t year)
{
    int64_t days;
    if (d->kind == MONTH_WEEK) {
        int64_t first = civil_days(year, d->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        int64_t day = 1 + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
        while (day > civil_days_in_month(year, d->month))
            day -= 7;
        days = first + day - 1;
    } else {
        days = civil_days(year, 1, 1) + d->day;
        if (d->kind == JULIAN) /* counts from 1 and never the leap day */
            days += civil_is_leap(year) && d->day >= 60 ? 0 : -1;
    }
    return days * DAY_S + d->time_s;
}

static int64_t rule_offset(const struct rule *r, int64_t t_s, const char **ret_name)
{
    bool dst = false;
    if (r->has_dst) {
        int64_t local = t_s + r->std_s, year;
        unsigned month, day;
        civil_date((local >= 0 ? local : local - DAY_S + 1) / DAY_S, &year, &month, &day);
        int64_t begin = date_in(&r->begin, year) - r->std_s, end = date_in(&r->end, year) - r->dst_s;
        dst = begin < end ? t_s >= begin && t_s < end : !(t_s >= end && t_s < begin);
    }
    *ret_name = dst ? r->dst_name : r->std_name;
    return dst ? r->dst_s : r->std_s;
}

/* ---- the file ----
 *
 *   "TZif" version 15×0 | isut isstd leap time type char (u32 each) | the 32-bit block
 *   the same header again | times (i64) | kinds (u8) | types (i32 offset, u8 dst, u8 name) | names | leap | isstd | isut
 *   "\n" POSIX rule "\n" */

#define HEADER_BYTES 44

struct counts {
    uint32_t isut, isstd, leap, time, type, text;
};

static uint32_t be32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const char *at)
{
    return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

/* The header at the front of *s, which is moved behind it. */
static bool take_header(struct span *s, struct counts *c)
{
    if (s->len < HEADER_BYTES || memcmp(s->ptr, "TZif", 4) != 0 || s->ptr[4] < '2')
        return false;
    uint32_t *fields[] = {&c->isut, &c->isstd, &c->leap, &c->time, &c->type, &c->text};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = be32(s->ptr + 20 + 4 * i);
        if (*fields[i] > TZ_FILE_BYTES_MAX)
            return false;
    }
    *s = span_from(*s, HEADER_BYTES);
    return c->type > 0 && c->type <= 256 && c->text > 0;
}

static size_t block_bytes(const struct counts *c, size_t stamp)
{
    return c->time * (stamp + 1) + c->type * 6ul + c->text + c->leap * (stamp + 4) + c->isstd + c->isut;
}

MUST_USE static int read_block(struct tz *tz, struct span s, const struct counts *c)
{
    tz->at_s = calloc(c->time + 1ul, sizeof *tz->at_s);
    tz->to = calloc(c->time + 1ul, 1);
    tz->kinds = calloc(c->type, sizeof *tz->kinds);
    tz->names = calloc(c->text + 1ul, 1);
    if (!tz->at_s || !tz->to || !tz->kinds || !tz->names)
        return -ENOMEM;
    const char *types = s.ptr + c->time * 9ul;
    tz->n = c->time;
    tz->n_kinds = c->type;
    memcpy(tz->names, types + c->type * 6ul, c->text);
    for (size_t i = 0; i < tz->n; i++) {
        tz->at_s[i] = be64(s.ptr + 8 * i);
        tz->to[i] = (uint8_t)s.ptr[8 * tz->n + i];
        if (tz->to[i] >= tz->n_kinds || (i && tz->at_s[i] <= tz->at_s[i - 1]))
            return -EBADMSG;
    }
    for (size_t i = 0; i < tz->n_kinds; i++) {
        const char *type = types + 6 * i;
        uint8_t name = (uint8_t)type[5];
        tz->kinds[i] = (struct kind){(int32_t)be32(type), type[4] != 0, tz->names + name};
        if (name >= c->text || tz->kinds[i].offset_s < -DAY_S || tz->kinds[i].offset_s > 2 * DAY_S)
            return -EBADMSG;
    }
    return 0;
}

int tz_read(const char *name, struct span file, struct tz **ret)
{
    struct counts old, c;
    if (!take_header(&file, &old) || block_bytes(&old, 4) > file.len)
        return -EBADMSG;
    file = span_from(file, block_bytes(&old, 4));
    if (!take_header(&file, &c) || block_bytes(&c, 8) > file.len)
        return -EBADMSG;
    struct tz *tz = calloc(1, sizeof *tz);
    if (!tz)
        return -ENOMEM;
    tz->name = span_dup(span_str(name));
    int r = tz->name ? read_block(tz, file, &c) : -ENOMEM;
    struct span rule = span_from(file, block_bytes(&c, 8)), line = {0};
    if (r == 0 && (!take(&rule, '\n') || !span_cut(&rule, '\n', &line) || !read_rule(line, &tz->rule)))
        r = -EBADMSG;
    if (r < 0) {
        tz_free(tz);
        return r;
    }
    *ret = tz;
    return 0;
}

void tz_free(struct tz *tz)
{
    if (!tz)
        return;
    free(tz->name);
    free(tz->at_s);
    free(tz->to);
    free(tz->kinds);
    free(tz->names);
    free(tz);
}

static bool is_zone_name(const char *name)
{
    if (!*name || *name == '/' || strlen(name) > 100 || strstr(name, ".."))
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("/_-+", *c)))
            return false;
    return true;
}

MUST_USE static int load_utc(struct tz **ret)
{
    static const char UTC[] =
        "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\0\0UTC\0"
        "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\0\0UTC\0"
        "\nUTC0\n";
    return tz_read("UTC", span_of(UTC, sizeof UTC - 1), ret);
}

int tz_load(const char *name, struct tz **ret)
{
    if (!is_zone_name(name))
        return -EINVAL;
    if (strcmp(name, "UTC") == 0)
        return load_utc(ret);
    const char *folders[] = {getenv("TZDIR"), "/usr/share/zoneinfo"};
    int r = -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(folders) && r == -ENOENT; i++) {
        AUTO_FREE char *path = NULL, *data = NULL;
        size_t n = 0;
        if (!folders[i] || !*folders[i])
            continue;
        if (asprintf(&path, "%s/%s", folders[i], name) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        r = file_read(path, TZ_FILE_BYTES_MAX, &data, &n);
        if (r == 0)
            r = tz_read(name, span_of(data, n), ret);
        else if (r == -EISDIR || r == -ENOTDIR)
            r = -ENOENT;
    }
    return r;
}

/* ---- asking ---- */

int64_t tz_offset_ms(const struct tz *tz, int64_t unix_ms, const char **ret_abbreviation)
{
    int64_t t_s = (unix_ms >= 0 ? unix_ms : unix_ms - 999) / 1000, offset_s;
    const char *name;
    size_t low = 0, high = tz->n; /* the number of transitions at or before t */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tz->at_s[middle] <= t_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tz->n && tz->rule.given) {
        offset_s = rule_offset(&tz->rule, t_s, &name);
    } else {
        const struct kind *k = low ? &tz->kinds[tz->to[low - 1]] : &tz->kinds[0];
        offset_s = k->offset_s;
        name = k->name;
    }
    if (ret_abbreviation)
        *ret_abbreviation = name;
    return offset_s * 1000;
}

enum tz_fit tz_to_unix(const struct tz *tz, int64_t local_ms, int64_t *ret_unix_ms)
{
    /* The clock changes at most once within these two days. */
    int64_t before = tz_offset_ms(tz, local_ms - DAY_S * 1000ll, NULL),
            after = tz_offset_ms(tz, local_ms + DAY_S * 1000ll, NULL);
    int64_t early = local_ms - before, late = local_ms - after;
    bool early_is = tz_offset_ms(tz, early, NULL) == before, late_is = tz_offset_ms(tz, late, NULL) == after;
    if (early_is && late_is && early != late) {
        *ret_unix_ms = early < late ? early : late;
        return TZ_TWICE;
    }
    *ret_unix_ms = early_is ? early : late_is ? late : early;
    return early_is || late_is ? TZ_ONCE : TZ_NEVER;
}

size_t tz_format(char text[TZ_TEXT_MAX], const struct tz *tz, int64_t unix_ms, bool with_seconds)
{
    const char *name;
    char stamp[NUMBER_TEXT_MAX];
    format_rfc3339_ms(stamp, unix_ms + tz_offset_ms(tz, unix_ms, &name)); /* 2026-11-27T20:00:00.000Z */
    int n = snprintf(text, TZ_TEXT_MAX, "%.10s %.*s %s", stamp, with_seconds ? 8 : 5, stamp + 11, name);
    return n < 0 ? 0 : (size_t)n;
}

size_t tz_format_clock(char text[TZ_TEXT_MAX], const struct tz *tz, int64_t unix_ms, bool with_seconds)
{
    char stamp[NUMBER_TEXT_MAX];
    format_rfc3339_ms(stamp, unix_ms + tz_offset_ms(tz, unix_ms, NULL));
    int n = snprintf(text, TZ_TEXT_MAX, "%.*s", with_seconds ? 8 : 5, stamp + 11);
    return n < 0 ? 0 : (size_t)n;
}
