#include "loadgen/import/names.h"

#include <errno.h>

#include "lib/base/limits.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool luhn_holds(const char *digits, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digits[n - 1 - i] - '0');
        if (i % 2)
            d = d > 4 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    return sum % 10 == 0;
}

/* The digits at the start of s, one blank or dash between two of them allowed; *ret_len is what they take. */
static size_t take_digits(struct span s, char digits[20], size_t *ret_len)
{
    size_t n = 0, i = 0;
    while (i < s.len && n < 20) {
        if (is_digit(s.ptr[i]))
            digits[n++] = s.ptr[i++];
        else if (n && (s.ptr[i] == ' ' || s.ptr[i] == '-' || s.ptr[i] == '+') && i + 1 < s.len &&
                 is_digit(s.ptr[i + 1]))
            i++;
        else
            break;
        *ret_len = i;
    }
    return n;
}

static bool is_card(const char *digits, size_t n)
{
    return n >= 13 && n <= 19 && digits[0] >= '2' && digits[0] <= '6' && luhn_holds(digits, n);
}

bool is_card_number(struct span value)
{
    size_t start, len;
    value = span_trim(value);
    return find_card_number(value, &start, &len) && start == 0 && len == value.len;
}

bool find_card_number(struct span text, size_t *ret_start, size_t *ret_len)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            continue;
        char digits[20];
        size_t len = 0, n = take_digits(span_from(text, i), digits, &len);
        if (is_card(digits, n)) {
            *ret_start = i;
            *ret_len = len;
            return true;
        }
        while (i + 1 < text.len && is_digit(text.ptr[i + 1])) /* a run of digits counts as a whole */
            i++;
    }
    return false;
}

/* Does one of the words stand in the name, case ignored? Words in capitals must be a whole word of it. */
static bool has_word(struct span name, const char *const *words, size_t n)
{
    for (size_t w = 0; w < n; w++) {
        struct span word = span_str(words[w]);
        bool whole = word.ptr[0] >= 'A' && word.ptr[0] <= 'Z';
        for (size_t i = 0; i + word.len <= name.len; i++)
            if (span_equal_nocase(span_of(name.ptr + i, word.len), word) &&
                (!whole || ((i == 0 || !is_letter(name.ptr[i - 1])) &&
                            (i + word.len == name.len || !is_letter(name.ptr[i + word.len])))))
                return true;
    }
    return false;
}

bool is_secret_name(struct span name)
{
    static const char *const WORDS[] = {
        "passw", "pwd", "passphrase", "secret",  "PIN",     "CVV",      "CVV2",         "CVC",           "CVC2", "CSC",
        "OTP",   "TAN", "apikey",     "api_key", "api-key", "cardcode", "securitycode", "security_code", "IBAN"};
    return has_word(name, WORDS, ARRAY_LEN(WORDS));
}

bool is_card_name(struct span name)
{
    static const char *const WORDS[] = {"cardnumber", "card_number", "card-number", "ccnumber",
                                        "cc-number",  "cc_number",   "CARD",        "PAN"};
    return has_word(name, WORDS, ARRAY_LEN(WORDS));
}

bool is_id_name(struct span name)
{
    static const char *const WHOLE[] = {"id",   "key",     "code",  "number", "no",
                                        "slug", "version", "state", "etag",   "hash"};
    static const char *const PARTS[] = {"uuid", "guid", "token", "csrf", "xsrf", "nonce", "signature", "sku"};
    static const char *const ENDS[] = {"_id",  "-id", "Id",  "ID",      ".id",   "[id]",
                                       "_key", "Key", "_no", "_number", "Number"};
    for (size_t i = 0; i < ARRAY_LEN(WHOLE); i++)
        if (span_equal_nocase(name, span_str(WHOLE[i])))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        struct span end = span_str(ENDS[i]);
        if (name.len > end.len && span_equal(span_from(name, name.len - end.len), end))
            return true;
    }
    return has_word(name, PARTS, ARRAY_LEN(PARTS));
}

struct looks {
    size_t digits, letters, hex, other;
};

static struct looks look_at(struct span s)
{
    struct looks l = {0};
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        l.digits += is_digit(c);
        l.letters += is_letter(c);
        l.hex += is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
        l.other += !is_digit(c) && !is_letter(c);
    }
    return l;
}

static size_t length_of_extension(struct span piece)
{
    for (size_t i = piece.len; i > 0 && piece.len - i < 6; i--)
        if (piece.ptr[i - 1] == '.')
            return piece.len - i + 1;
    return 0;
}

bool looks_like_id(struct span piece)
{
    piece.len -= length_of_extension(piece);
    struct looks l = look_at(piece);
    if (l.digits == 0)
        return piece.len >= 24 && l.other == 0; /* a long word without a break: an opaque key */
    if (l.letters == 0)
        return true; /* 42, 2026-11-27 */
    if (piece.len >= 8 && l.hex + l.other >= piece.len && l.digits * 4 >= piece.len)
        return true; /* UUIDs, hashes */
    if (piece.len <= 3 && (piece.ptr[0] | 0x20) == 'v')
        return false; /* v1, v12: versions of an API */
    return l.digits * 3 >= piece.len || (piece.len >= 16 && l.digits * 6 >= piece.len) ||
           (l.digits >= 3 && is_digit(piece.ptr[piece.len - 1]));
}

bool is_distinctive(struct span value)
{
    struct looks l = look_at(value);
    if (value.len > IMPORT_VALUE_BYTES_MAX)
        return false;
    return (value.len >= 8 && l.digits > 0 && l.letters > 0) ||
           (value.len >= 20 && l.letters > 0 && span_find(value, ' ') == value.len) ||
           (l.letters == 0 && l.digits >= 5 && l.other == 0);
}

bool is_asset_path(struct span path)
{
    static const char *const ENDS[] = {".css", ".js",   ".mjs",  ".png",  ".jpg",        ".jpeg",  ".gif",
                                       ".svg", ".webp", ".avif", ".ico",  ".woff",       ".woff2", ".ttf",
                                       ".otf", ".map",  ".mp4",  ".webm", ".webmanifest"};
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        struct span end = span_str(ENDS[i]);
        if (path.len > end.len && span_equal_nocase(span_from(path, path.len - end.len), end))
            return true;
    }
    return false;
}

void variable_names_init(struct variable_names *names)
{
    strmap_init(&names->taken, HURL_VARIABLES_MAX);
}

void variable_names_done(struct variable_names *names)
{
    strmap_done(&names->taken);
}

void name_variable(struct variable_names *names, struct buf *out, struct span hint)
{
    char base[48];
    size_t n = 0;
    if (span_starts(hint, SPAN("X-")) || span_starts(hint, SPAN("x-")))
        hint = span_from(hint, 2);
    for (size_t i = 0; i < hint.len && n + 1 < sizeof base; i++) {
        char c = hint.ptr[i];
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        bool after_lower = i > 0 && hint.ptr[i - 1] >= 'a' && hint.ptr[i - 1] <= 'z';
        if (upper && after_lower && n + 2 < sizeof base)
            base[n++] = '_'; /* orderId: order_id */
        if (upper || lower || (is_digit(c) && n))
            base[n++] = (char)(upper ? c | 0x20 : c);
        else if (n && base[n - 1] != '_')
            base[n++] = '_';
    }
    while (n && base[n - 1] == '_')
        n--;
    if (n == 0) {
        memcpy(base, "value", 5);
        n = 5;
    }
    for (unsigned i = 1; i <= HURL_VARIABLES_MAX; i++) {
        char name[64];
        int len = snprintf(name, sizeof name, i == 1 ? "%.*s" : "%.*s_%u", (int)n, base, i);
        struct span s = span_of(name, (size_t)len);
        if (strmap_has(&names->taken, s))
            continue;
        int r = strmap_put(&names->taken, s, NULL);
        if (r < 0)
            break;
        buf_span(out, s);
        return;
    }
    if (!buf_error(out))
        out->error = -ENOSPC;
}
