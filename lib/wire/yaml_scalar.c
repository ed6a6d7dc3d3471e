/* Scalars as Go's yaml.v2 reads them into typed fields: its resolve.go and decode.go are the reference. */
#include <errno.h>

#include "lib/base/number.h"
#include "lib/wire/yaml.h"

#define NUMBER_BYTES_MAX 128u /* longer ones are not numbers anybody means */

const char *yaml_kind_name(const struct yaml_node *node)
{
    static const char *const NAMES[] = {
        [YAML_NULL] = "nothing", [YAML_SCALAR] = "text", [YAML_LIST] = "a list", [YAML_MAP] = "a map"};
    return node ? NAMES[node->kind] : NAMES[YAML_NULL];
}

static bool is_plain(const struct yaml_node *node)
{
    return node && node->kind == YAML_SCALAR && !node->quoted;
}

int yaml_as_bool(const struct yaml_node *node, bool *ret)
{
    static const struct {
        const char *text;
        bool value;
    } WORDS[] = {
        {"true", true},   {"True", true},   {"TRUE", true}, {"yes", true}, {"Yes", true}, {"YES", true},
        {"on", true},     {"On", true},     {"ON", true},   {"y", true},   {"Y", true},   {"false", false},
        {"False", false}, {"FALSE", false}, {"no", false},  {"No", false}, {"NO", false}, {"off", false},
        {"Off", false},   {"OFF", false},   {"n", false},   {"N", false},
    };
    if (!is_plain(node))
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_equal(node->text, span_str(WORDS[i].text))) {
            *ret = WORDS[i].value;
            return 0;
        }
    return -EINVAL;
}

/* The text without underscores; digits only begin behind the sign. */
MUST_USE static int without_underscores(struct span text, char out[NUMBER_BYTES_MAX + 1], size_t *ret_len)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '_')
            continue;
        if (n == NUMBER_BYTES_MAX || text.ptr[i] == '\0')
            return -EINVAL;
        out[n++] = text.ptr[i];
    }
    out[n] = '\0';
    *ret_len = n;
    return 0;
}

MUST_USE static int parse_digits(struct span digits, unsigned base, uint64_t *ret)
{
    uint64_t v = 0;
    bool overflow = false;
    if (digits.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 99;
        if (d >= base)
            return -EINVAL;
        overflow = overflow || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v);
    }
    if (overflow)
        return -ERANGE;
    *ret = v;
    return 0;
}

/* [-+]?(0x… | 0o… | 0b… | 0… octal | decimal) */
MUST_USE static int parse_integer(struct span text, bool *ret_negative, uint64_t *ret)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = span_from(text, 1);
    unsigned base = 10;
    if (text.len > 1 && text.ptr[0] == '0') {
        char mark = text.ptr[1];
        base = mark == 'x' || mark == 'X' ? 16 : mark == 'b' || mark == 'B' ? 2 : 8;
        text = span_from(text, mark >= '0' && mark <= '9' ? 1 : base == 8 && mark != 'o' && mark != 'O' ? 0 : 2);
    }
    int r = parse_digits(text, base, ret);
    if (r == 0)
        *ret_negative = negative;
    return r;
}

/* [-+]?(.d+|d+(.d*)?)([eE][-+]?d+)? as resolve.go has it: what parse_f64_span takes beyond that (inf, nan) is text here. */
static bool is_float_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.ptr[i]))
            return false;
    return text.len > 0;
}

MUST_USE static int parse_float(struct span text, double *ret)
{
    int r = parse_f64_span(text, ret);
    return r == -ERANGE ? 0 : r;
}

/* As an integer, or as a float that is whole. */
MUST_USE static int read_integer(const struct yaml_node *node, bool *ret_negative, uint64_t *ret)
{
    char copy[NUMBER_BYTES_MAX + 1];
    size_t n = 0;
    if (!is_plain(node) || without_underscores(node->text, copy, &n) < 0)
        return -EINVAL;
    struct span text = span_of(copy, n);
    int r = parse_integer(text, ret_negative, ret);
    double v;
    if (r != -EINVAL || !is_float_text(node->text) || parse_f64_span(node->text, &v) < 0 || v != v)
        return r;
    double whole = v < 0 ? -v : v;
    if (whole >= 0x1p64)
        return -ERANGE;
    uint64_t integer = (uint64_t)whole;
    if ((double)integer != whole)
        return -EINVAL;
    *ret_negative = v < 0;
    *ret = integer;
    return 0;
}

int yaml_as_u64(const struct yaml_node *node, uint64_t *ret)
{
    bool negative = false;
    uint64_t v = 0;
    int r = read_integer(node, &negative, &v);
    if (r < 0)
        return r;
    if (negative && v > 0)
        return -ERANGE;
    *ret = v;
    return 0;
}

int yaml_as_i64(const struct yaml_node *node, int64_t *ret)
{
    bool negative = false;
    uint64_t v = 0;
    int r = read_integer(node, &negative, &v);
    if (r < 0)
        return r;
    if (v > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

int yaml_as_f64(const struct yaml_node *node, double *ret)
{
    static const struct {
        const char *text;
        double value;
    } WORDS[] = {
        {".inf", __builtin_inf()},   {".Inf", __builtin_inf()},   {".INF", __builtin_inf()},
        {"+.inf", __builtin_inf()},  {"+.Inf", __builtin_inf()},  {"+.INF", __builtin_inf()},
        {"-.inf", -__builtin_inf()}, {"-.Inf", -__builtin_inf()}, {"-.INF", -__builtin_inf()},
        {".nan", __builtin_nan("")}, {".NaN", __builtin_nan("")}, {".NAN", __builtin_nan("")},
    };
    if (!is_plain(node))
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_equal(node->text, span_str(WORDS[i].text))) {
            *ret = WORDS[i].value;
            return 0;
        }
    char copy[NUMBER_BYTES_MAX + 1];
    size_t n = 0;
    bool negative = false;
    uint64_t v = 0;
    if (without_underscores(node->text, copy, &n) < 0)
        return -EINVAL;
    if (parse_integer(span_of(copy, n), &negative, &v) == 0) {
        *ret = negative ? -(double)v : (double)v;
        return 0;
    }
    return is_float_text(node->text) ? parse_float(node->text, ret) : -EINVAL;
}
