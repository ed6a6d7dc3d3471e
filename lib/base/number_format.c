/* Shortest decimal of a double: R. Giulietti, "The Schubfach way to render doubles" (2020), whose names are
 * kept here. Its table of 126-bit powers of ten is computed at first use instead of being written down. */
#include "lib/base/number.h"

#include "lib/base/civil.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/civil.h"

__extension__ typedef unsigned __int128 u128;

/* ---- powers of ten ---- */

#define K_MIN (-293)
#define K_MAX 325
/* 32-bit words of the big number: 10^325 has 1080 bits; 2^WIDE_BITS / 10^293 keeps more than 126. */
#define WORDS 44
#define WIDE_BITS (WORDS * 32 - 4)

/* g[k - K_MIN] = floor(10^k * 2^-r) + 1 with r such that 2^125 <= 10^k * 2^-r < 2^126, as two 63-bit halves.
 */
static struct {
    uint64_t high, low;
} g[K_MAX - K_MIN + 1];
static pthread_once_t g_once = PTHREAD_ONCE_INIT;

/* The top 126 bits of the little-endian number, rounded down, plus one. */
static void store_top_bits(int k, const uint32_t *words)
{
    int top = WORDS - 1;
    while (words[top] == 0)
        top--;
    u128 bits = 0;
    int have = 32 - __builtin_clz(words[top]);
    bits = words[top];
    while (have < 126) {
        top--;
        uint32_t w = top >= 0 ? words[top] : 0;
        int take = 126 - have < 32 ? 126 - have : 32;
        bits = bits << take | w >> (32 - take);
        have += take;
    }
    bits++;
    g[k - K_MIN].high = (uint64_t)(bits >> 63);
    g[k - K_MIN].low = (uint64_t)bits & (UINT64_MAX >> 1);
}

static void compute_powers(void)
{
    uint32_t words[WORDS] = {1};
    for (int k = 0; k <= K_MAX; k++) {
        store_top_bits(k, words);
        uint64_t carry = 0;
        for (int i = 0; i < WORDS; i++) {
            carry += (uint64_t)words[i] * 10;
            words[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    memset(words, 0, sizeof words);
    words[WIDE_BITS / 32] = 1u << WIDE_BITS % 32;
    for (int k = -1; k >= K_MIN; k--) { /* floor(floor(x / 10) / 10) = floor(x / 100): no error adds up */
        uint64_t rest = 0;
        for (int i = WORDS - 1; i >= 0; i--) {
            rest = rest << 32 | words[i];
            words[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        store_top_bits(k, words);
    }
}

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)), floor(log2(10^e)) for every exponent that occurs. */
static int floor_log10_pow2(int e)
{
    return (int)((e * 661971961083) >> 41);
}
static int floor_log10_three_quarters_pow2(int e)
{
    return (int)((e * 661971961083 - 274743187321) >> 41);
}
static int floor_log2_pow10(int e)
{
    return (int)((e * 913124641741) >> 38);
}

/* g * cp / 2^127, rounded to odd: an inexact result has its lowest bit set. */
static uint64_t round_to_odd(uint64_t g1, uint64_t g0, uint64_t cp)
{
    uint64_t x1 = (uint64_t)((u128)g0 * cp >> 64);
    u128 y = (u128)g1 * cp;
    uint64_t z = ((uint64_t)y >> 1) + x1;
    uint64_t w = (uint64_t)(y >> 64) + (z >> 63);
    return w | ((z & (UINT64_MAX >> 1)) != 0);
}

/* ---- shortest digits ---- */

struct decimal {
    char digits[18]; /* no trailing zeros, "0" for zero */
    int n;           /* digits */
    int point;       /* value = 0.DIGITS * 10^point */
};

static void decimal_set(struct decimal *d, uint64_t digits, int exponent)
{
    char text[20];
    int at = (int)sizeof text;
    do {
        text[--at] = (char)('0' + digits % 10);
        digits /= 10;
    } while (digits);
    int n = (int)sizeof text - at;
    d->point = n + exponent;
    while (n > 1 && text[at + n - 1] == '0')
        n--;
    assert(n <= (int)sizeof d->digits);
    memcpy(d->digits, text + at, (size_t)n);
    d->n = n;
}

/* v is finite and positive. */
static void shortest(double v, struct decimal *d)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    int biased = (int)(bits >> 52);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;

    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0) { /* an integer below 2^53: its digits are short */
        decimal_set(d, c >> -q, 0);
        return;
    }
    pthread_once(&g_once, compute_powers);

    uint64_t odd = c & 1; /* an odd c does not own the ends of its rounding interval */
    bool irregular = fraction == 0 && biased > 1;
    uint64_t cb = 4 * c, cbr = cb + 2, cbl = irregular ? cb - 1 : cb - 2;
    int k = irregular ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int h = q + floor_log2_pow10(-k) + 2;
    uint64_t g1 = g[-k - K_MIN].high, g0 = g[-k - K_MIN].low;
    uint64_t vb = round_to_odd(g1, g0, cb << h);
    uint64_t vbl = round_to_odd(g1, g0, cbl << h);
    uint64_t vbr = round_to_odd(g1, g0, cbr << h);

    uint64_t s = vb >> 2;
    if (s >= 10) { /* one digit less? */
        uint64_t down = s / 10 * 10, up = down + 10;
        bool down_in = vbl + odd <= down << 2, up_in = (up << 2) + odd <= vbr;
        if (down_in != up_in) {
            decimal_set(d, down_in ? down : up, k);
            return;
        }
    }
    bool s_in = vbl + odd <= s << 2, t_in = ((s + 1) << 2) + odd <= vbr;
    if (s_in != t_in) {
        decimal_set(d, s_in ? s : s + 1, k);
        return;
    }
    uint64_t middle = (2 * s + 1) << 1; /* both read back: the nearer one, the even one on a tie */
    bool down = vb < middle || (vb == middle && (s & 1) == 0);
    decimal_set(d, down ? s : s + 1, k);
}

/* ---- layouts ---- */

static size_t put_plain(char *to, const struct decimal *d)
{
    char *at = to;
    if (d->point <= 0) {
        *at++ = '0';
        *at++ = '.';
        memset(at, '0', (size_t)-d->point);
        at += -d->point;
        memcpy(at, d->digits, (size_t)d->n);
        return (size_t)(at + d->n - to);
    }
    int whole = d->n < d->point ? d->n : d->point;
    memcpy(at, d->digits, (size_t)whole);
    at += whole;
    memset(at, '0', (size_t)(d->point - whole));
    at += d->point - whole;
    if (d->n > whole) {
        *at++ = '.';
        memcpy(at, d->digits + whole, (size_t)(d->n - whole));
        at += d->n - whole;
    }
    return (size_t)(at - to);
}

static size_t put_exponent(char *to, const struct decimal *d)
{
    char *at = to;
    *at++ = d->digits[0];
    if (d->n > 1) {
        *at++ = '.';
        memcpy(at, d->digits + 1, (size_t)d->n - 1);
        at += d->n - 1;
    }
    int e = d->point - 1;
    *at++ = 'e';
    *at++ = e < 0 ? '-' : '+';
    if (e < 0)
        e = -e;
    if (e >= 100)
        *at++ = (char)('0' + e / 100);
    *at++ = (char)('0' + e / 10 % 10);
    *at++ = (char)('0' + e % 10);
    return (size_t)(at - to);
}

static size_t put_word(char *text, const char *word)
{
    size_t n = strlen(word);
    memcpy(text, word, n + 1);
    return n;
}

/* Plain layout while low <= exponent < high. */
static size_t format_double(char *text, double v, int low, int high)
{
    if (isnan(v))
        return put_word(text, "NaN");
    if (isinf(v))
        return put_word(text, v > 0 ? "+Inf" : "-Inf");
    char *at = text;
    if (signbit(v))
        *at++ = '-';
    v = fabs(v);
    if (v == 0) {
        *at++ = '0';
    } else {
        struct decimal d;
        shortest(v, &d);
        at += d.point - 1 >= low && d.point - 1 < high ? put_plain(at, &d) : put_exponent(at, &d);
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t format_f64(char text[NUMBER_TEXT_MAX], double v)
{
    return format_double(text, v, -6, 21);
}

size_t format_f64_g(char text[NUMBER_TEXT_MAX], double v)
{
    return format_double(text, v, -4, 6);
}

size_t format_f64_le(char text[NUMBER_TEXT_MAX], double v)
{
    size_t n = format_f64_g(text, v);
    if (isfinite(v) && !memchr(text, '.', n) && !memchr(text, 'e', n)) {
        memcpy(text + n, ".0", 3);
        n += 2;
    }
    return n;
}

/* ---- times ---- */

static size_t put_u64(char *to, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    memcpy(to, text + at, sizeof text - at);
    return sizeof text - at;
}

static char *put_digits(char *at, uint64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return at + width;
}

size_t format_duration_ms(char text[NUMBER_TEXT_MAX], int64_t ms)
{
    /* Years, weeks and days only where nothing smaller is left: Prometheus prints 90m as 1h30m but 8d as 8d,
     * not 1w1d (common/model/time.go). */
    static const struct {
        const char *unit;
        uint64_t ms;
        bool exact;
    } UNITS[] = {{"y", 31536000000, true}, {"w", 604800000, true}, {"d", 86400000, false}, {"h", 3600000, false},
                 {"m", 60000, false},      {"s", 1000, false},     {"ms", 1, false}};
    char *at = text;
    uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (left == 0)
        return put_word(text, "0s");
    if (ms < 0)
        *at++ = '-';
    for (size_t i = 0; i < ARRAY_LEN(UNITS) && left; i++) {
        if (left < UNITS[i].ms || (UNITS[i].exact && left % UNITS[i].ms))
            continue;
        at += put_u64(at, left / UNITS[i].ms);
        left %= UNITS[i].ms;
        at += put_word(at, UNITS[i].unit);
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t format_seconds_ms(char text[NUMBER_TEXT_MAX], int64_t ms)
{
    char *at = text;
    uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        *at++ = '-';
    at += put_u64(at, left / 1000);
    if (left % 1000) {
        *at++ = '.';
        at = put_digits(at, left % 1000, 3);
        while (at[-1] == '0')
            at--;
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t format_rfc3339_ms(char text[NUMBER_TEXT_MAX], int64_t ms)
{
    int64_t days = ms / 86400000, in_day = ms % 86400000;
    if (in_day < 0) {
        in_day += 86400000;
        days--;
    }
    int64_t year;
    unsigned month, day;
    civil_date(days, &year, &month, &day);
    char *at = text;
    if (year < 0) {
        *at++ = '-';
        year = -year;
    }
    if (year > 9999)
        at += put_u64(at, (uint64_t)year); /* beyond RFC 3339, but no number is lost */
    else
        at = put_digits(at, (uint64_t)year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, (uint64_t)in_day / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, (uint64_t)in_day / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, (uint64_t)in_day / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, (uint64_t)in_day % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - text);
}
