#include "loadgen/hurl/set_cookie.h"

#include <errno.h>

#include "lib/base/number.h"

/* ---- dates: RFC 6265 5.1.1 ---- */

static bool is_date_delimiter(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x09 || (u >= 0x20 && u <= 0x2f) || (u >= 0x3b && u <= 0x40) || (u >= 0x5b && u <= 0x60) ||
           (u >= 0x7b && u <= 0x7e);
}

/* Leading digits of a token, min..max of them, anything but a digit behind. -1: no. */
static int leading_digits(struct span token, size_t min, size_t max)
{
    int v = 0;
    size_t n = 0;
    while (n < token.len && token.ptr[n] >= '0' && token.ptr[n] <= '9') {
        if (n == max)
            return -1;
        v = v * 10 + (token.ptr[n++] - '0');
    }
    return n >= min ? v : -1;
}

/* hh:mm:ss */
static bool read_time(struct span token, int *h, int *m, int *s)
{
    int *to[3] = {h, m, s};
    for (int i = 0; i < 3; i++) {
        size_t n = i < 2 ? span_find(token, ':') : token.len;
        if (i < 2 && (n == token.len || n == 0 || n > 2))
            return false;
        int v = leading_digits(i < 2 ? span_of(token.ptr, n) : token, 1, 2);
        if (v < 0)
            return false;
        *to[i] = v;
        token = span_from(token, n + 1);
    }
    return true;
}

static int month_of(struct span token)
{
    static const char MONTHS[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (token.len < 3)
        return -1;
    for (int i = 0; i < 12; i++)
        if (span_equal_nocase(span_of(token.ptr, 3), span_of(MONTHS + 3 * i, 3)))
            return i + 1;
    return -1;
}

/* Days from the epoch to a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int cookie_date_parse(struct span text, int64_t *ret_s)
{
    int h = -1, m = 0, s = 0, day = -1, month = -1, year = -1;
    for (size_t i = 0; i < text.len;) {
        if (is_date_delimiter(text.ptr[i])) {
            i++;
            continue;
        }
        size_t start = i;
        while (i < text.len && !is_date_delimiter(text.ptr[i]))
            i++;
        struct span token = span_of(text.ptr + start, i - start);
        int v;
        if (h < 0 && read_time(token, &h, &m, &s))
            continue;
        if (day < 0 && (v = leading_digits(token, 1, 2)) >= 0)
            day = v;
        else if (month < 0 && (v = month_of(token)) > 0)
            month = v;
        else if (year < 0 && (v = leading_digits(token, 2, 4)) >= 0)
            year = v;
    }
    if (year >= 70 && year <= 99)
        year += 1900;
    else if (year >= 0 && year <= 69)
        year += 2000;
    if (h < 0 || h > 23 || m > 59 || s > 59 || day < 1 || day > 31 || month < 1 || year < 1601)
        return -EINVAL;
    *ret_s = days_of(year, month, day) * 86400 + h * 3600 + m * 60 + s;
    return 0;
}

/* ---- the header ---- */

bool cookie_has_control(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] < 0x20 && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
            return true;
    return false;
}

static void read_max_age(struct set_cookie *c, struct span value)
{
    struct span digits = value;
    bool negative = digits.len && digits.ptr[0] == '-';
    if (negative)
        digits = span_from(digits, 1);
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return;
    if (digits.len == 0)
        return;
    c->has_max_age = true;
    if (negative || parse_i64_span(digits, 0, 34560000, &c->max_age_s) < 0) /* rfc6265bis: 400 days at most */
        c->max_age_s = negative ? 0 : 34560000;
}

static void read_attribute(struct set_cookie *c, struct span name, struct span value)
{
    if (!value.ptr)
        value = (struct span){"", 0};
    if (span_equal_nocase(name, SPAN("expires"))) {
        int64_t s;
        c->expires = value;
        if (cookie_date_parse(value, &s) == 0) {
            c->has_expires_time = true;
            c->expires_s = s;
        }
    } else if (span_equal_nocase(name, SPAN("max-age"))) {
        read_max_age(c, value);
    } else if (span_equal_nocase(name, SPAN("domain"))) {
        c->domain = value;
    } else if (span_equal_nocase(name, SPAN("path"))) {
        c->path = value;
    } else if (span_equal_nocase(name, SPAN("samesite"))) {
        c->same_site = value;
    } else if (span_equal_nocase(name, SPAN("secure"))) {
        c->secure = true;
    } else if (span_equal_nocase(name, SPAN("httponly"))) {
        c->http_only = true;
    }
}

int set_cookie_parse(struct span text, struct set_cookie *ret)
{
    struct set_cookie c = {0};
    struct span rest = text, pair, attribute;
    if (cookie_has_control(text) || !span_cut(&rest, ';', &pair))
        return -EINVAL;
    size_t equals = span_find(pair, '=');
    if (equals < pair.len) {
        c.name = span_trim(span_of(pair.ptr, equals));
        c.value = span_trim(span_from(pair, equals + 1));
    } else {
        c.value = span_trim(pair); /* a cookie without a name */
    }
    if ((c.name.len == 0 && c.value.len == 0) || c.name.len + c.value.len > COOKIE_BYTES_MAX)
        return -EINVAL;
    while (span_cut(&rest, ';', &attribute)) {
        equals = span_find(attribute, '=');
        read_attribute(&c, span_trim(span_of(attribute.ptr, equals)), span_trim(span_from(attribute, equals + 1)));
    }
    *ret = c;
    return 0;
}
