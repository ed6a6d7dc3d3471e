#include "lib/base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/civil.h"

int parse_u64_span(struct span text, uint64_t max, uint64_t *ret)
{
    if (text.len == 0)
        return -EINVAL;
    uint64_t v = 0;
    bool over = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9)
            return -EINVAL;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            over = true; /* go on: a stray byte behind it is -EINVAL */
    }
    if (over || v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

int parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
    return parse_u64_span(span_str(text), max, ret);
}

int parse_i64_span(struct span text, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = text.len && text.ptr[0] == '-';
    if (text.len && (negative || text.ptr[0] == '+'))
        text = span_from(text, 1);
    uint64_t u;
    int r = parse_u64_span(text, negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, &u);
    if (r < 0)
        return r;
    int64_t v = negative ? (u > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)u) : (int64_t)u;
    if (v < min || v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

/* ---- doubles ---- */

#define DIGITS_MAX 800 /* 767 significant digits decide any rounding; one more non-zero digit stands for the rest */

struct scanned {
    bool negative, sticky;       /* sticky: a dropped digit was not zero */
    char digits[DIGITS_MAX + 1]; /* significant ones: no leading zeros */
    size_t n;
    uint64_t mantissa; /* of the first 19 digits */
    int64_t exponent;  /* value = DIGITS * 10^exponent */
};

static int scan_decimal(struct span s, struct scanned *d)
{
    size_t i = 0;
    d->n = 0;
    d->sticky = false;
    d->mantissa = 0;
    d->exponent = 0;
    bool any = false, point = false;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.') {
            if (point)
                return -EINVAL;
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        if (point)
            d->exponent--;
        if (d->n == 0 && c == '0')
            continue;
        if (d->n < DIGITS_MAX) {
            if (d->n < 19)
                d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
            d->digits[d->n++] = c;
        } else {
            d->exponent++;
            d->sticky |= c != '0';
        }
    }
    if (!any)
        return -EINVAL;
    if (i == s.len)
        return 0;
    if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
        return -EINVAL;
    i++;
    bool minus = i < s.len && s.ptr[i] == '-';
    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
        i++;
    if (i == s.len)
        return -EINVAL;
    int64_t e = 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return -EINVAL;
        if (e < INT64_MAX / 100)
            e = e * 10 + (s.ptr[i] - '0');
    }
    d->exponent += minus ? -e : e;
    return 0;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static double exact_power(int e)
{
    static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return POWERS[e];
}

static int scanned_value(struct scanned *d, double *ret)
{
    if (d->n == 0) {
        *ret = 0;
        return 0;
    }
    /* Both parts exact in a double, so one operation rounds once (Clinger's fast path): nearly every sample.
     */
    if (d->n <= 19 && d->mantissa <= UINT64_C(1) << 53 && d->exponent >= -22 && d->exponent <= 22) {
        double m = (double)d->mantissa;
        *ret = d->exponent < 0 ? m / exact_power((int)-d->exponent) : m * exact_power((int)d->exponent);
        return 0;
    }
    /* Our own exact copy without locale or length: DIGITSeEXPONENT. Beyond +-20000 all is zero or infinity.
     */
    pthread_once(&c_locale_once, make_c_locale);
    if (!c_locale)
        return -ENOMEM;
    int64_t exponent = d->exponent;
    size_t n = d->n;
    char text[DIGITS_MAX + 24];
    memcpy(text, d->digits, n);
    if (d->sticky) {
        text[n++] = '1';
        exponent--;
    }
    exponent = exponent > 20000 ? 20000 : exponent < -20000 ? -20000 : exponent;
    text[n++] = 'e';
    text[n++] = exponent < 0 ? '-' : '+';
    unsigned e = (unsigned)(exponent < 0 ? -exponent : exponent);
    for (unsigned scale = 10000; scale; scale /= 10)
        text[n++] = (char)('0' + e / scale % 10);
    text[n] = '\0';
    *ret = strtod_l(text, NULL, c_locale);
    return isinf(*ret) ? -ERANGE : 0;
}

static bool parse_special(struct span s, bool has_sign, bool negative, double *ret)
{
    if (span_equal_nocase(s, SPAN("inf")) || span_equal_nocase(s, SPAN("infinity"))) {
        *ret = negative ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    if (!has_sign && span_equal_nocase(s, SPAN("nan"))) {
        uint64_t bits = UINT64_C(0x7ff8000000000001);
        memcpy(ret, &bits, sizeof bits);
        return true;
    }
    return false;
}

int parse_f64_span(struct span text, double *ret)
{
    bool negative = text.len && text.ptr[0] == '-';
    bool has_sign = text.len && (negative || text.ptr[0] == '+');
    struct span s = has_sign ? span_from(text, 1) : text;
    if (s.len && (s.ptr[0] | 0x20) >= 'a')
        return parse_special(s, has_sign, negative, ret) ? 0 : -EINVAL;
    struct scanned d;
    int r = scan_decimal(s, &d);
    if (r < 0)
        return r;
    double v;
    r = scanned_value(&d, &v);
    if (r == 0 || r == -ERANGE)
        *ret = negative ? -v : v;
    return r;
}

/* ---- durations, bytes, times ---- */

int parse_duration_ms(struct span text, int64_t *ret_ms)
{
    static const struct {
        struct span unit;
        int64_t ms;
    } UNITS[] = {{SPAN_INIT("y"), 31536000000}, {SPAN_INIT("w"), 604800000}, {SPAN_INIT("d"), 86400000},
                 {SPAN_INIT("h"), 3600000},     {SPAN_INIT("m"), 60000},     {SPAN_INIT("s"), 1000},
                 {SPAN_INIT("ms"), 1}};
    if (text.len == 0)
        return -EINVAL;
    if (span_equal(text, SPAN("0"))) {
        *ret_ms = 0;
        return 0;
    }
    int64_t total = 0;
    size_t next = 0;
    bool over = false;
    while (text.len) {
        size_t digits = 0, letters = 0;
        while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
            digits++;
        while (digits + letters < text.len && (text.ptr[digits + letters] < '0' || text.ptr[digits + letters] > '9'))
            letters++;
        struct span unit = span_of(text.ptr + digits, letters);
        while (next < ARRAY_LEN(UNITS) && !span_equal(unit, UNITS[next].unit))
            next++;
        if (digits == 0 || next == ARRAY_LEN(UNITS))
            return -EINVAL;
        uint64_t count;
        int64_t part;
        int r = parse_u64_span(span_of(text.ptr, digits), (uint64_t)INT64_MAX, &count);
        if (r < 0 || __builtin_mul_overflow((int64_t)count, UNITS[next].ms, &part) ||
            __builtin_add_overflow(total, part, &total))
            over = true;
        next++;
        text = span_from(text, digits + letters);
    }
    if (over)
        return -ERANGE;
    *ret_ms = total;
    return 0;
}

int parse_bytes(struct span text, uint64_t *ret_bytes)
{
    static const char PREFIXES[] = "KMGTPE";
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    struct span unit = span_from(text, digits);
    uint64_t v;
    int r = parse_u64_span(span_of(text.ptr, digits), UINT64_MAX, &v);
    if (r < 0)
        return r;
    unsigned shift = 0;
    if (unit.len > 1) {
        const char *at = memchr(PREFIXES, unit.ptr[0], sizeof PREFIXES - 1);
        struct span rest = span_from(unit, 1);
        if (!at || !(span_equal(rest, SPAN("B")) || span_equal(rest, SPAN("iB"))))
            return -EINVAL;
        shift = 10 * (unsigned)(at - PREFIXES + 1);
    } else if (unit.len == 1 && unit.ptr[0] != 'B') {
        return -EINVAL;
    }
    if (v > UINT64_MAX >> shift)
        return -ERANGE;
    *ret_bytes = v << shift;
    return 0;
}

/* Exactly n digits at *at, moved on. */
static bool take_digits(struct span *s, size_t n, int64_t *ret)
{
    uint64_t v;
    if (s->len < n || parse_u64_span(span_of(s->ptr, n), UINT64_MAX, &v) < 0)
        return false;
    *s = span_of(s->ptr + n, s->len - n);
    *ret = (int64_t)v;
    return true;
}

static bool take_char(struct span *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = span_of(s->ptr + 1, s->len - 1);
    return true;
}

int parse_rfc3339_ms(struct span text, int64_t *ret_ms)
{
    struct span s = text;
    int64_t year, month, day, hour, minute, second, ms = 0, offset_minutes = 0;
    if (!take_digits(&s, 4, &year) || !take_char(&s, '-') || !take_digits(&s, 2, &month) || !take_char(&s, '-') ||
        !take_digits(&s, 2, &day) || !(take_char(&s, 'T') || take_char(&s, 't')) || !take_digits(&s, 2, &hour) ||
        !take_char(&s, ':') || !take_digits(&s, 2, &minute) || !take_char(&s, ':') || !take_digits(&s, 2, &second))
        return -EINVAL;
    if (take_char(&s, '.')) { /* finer than a millisecond is cut */
        int64_t scale = 100, digit;
        if (!s.len || s.ptr[0] < '0' || s.ptr[0] > '9')
            return -EINVAL;
        while (take_digits(&s, 1, &digit)) {
            ms += digit * scale;
            scale /= 10;
        }
    }
    if (!take_char(&s, 'Z') && !take_char(&s, 'z')) {
        bool west = take_char(&s, '-');
        int64_t hours, minutes;
        if ((!west && !take_char(&s, '+')) || !take_digits(&s, 2, &hours) || !take_char(&s, ':') ||
            !take_digits(&s, 2, &minutes))
            return -EINVAL;
        if (hours > 23 || minutes > 59)
            return -ERANGE;
        offset_minutes = (west ? -1 : 1) * (hours * 60 + minutes);
    }
    if (s.len)
        return -EINVAL;
    if (month < 1 || month > 12 || day < 1 || day > civil_days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 60) /* 60: a leap second, the same instant as the next minute's 0 */
        return -ERANGE;
    int64_t minutes = (civil_days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    *ret_ms = (minutes * 60 + second) * 1000 + ms;
    return 0;
}

int parse_bool(struct span text, bool *ret)
{
    if (!span_equal(text, SPAN("true")) && !span_equal(text, SPAN("false")))
        return -EINVAL;
    *ret = text.ptr[0] == 't';
    return 0;
}

int size_mul(size_t a, size_t b, size_t *ret)
{
    size_t v;
    if (__builtin_mul_overflow(a, b, &v))
        return -EOVERFLOW;
    *ret = v;
    return 0;
}

int size_add(size_t a, size_t b, size_t *ret)
{
    size_t v;
    if (__builtin_add_overflow(a, b, &v))
        return -EOVERFLOW;
    *ret = v;
    return 0;
}
