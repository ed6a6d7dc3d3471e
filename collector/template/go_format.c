#include "collector/template/go_format.h"

#include <math.h>
#include <string.h>

#include "lib/base/number.h"
#include "lib/base/quote.h"

#define WIDTH_MAX 1000 /* Go stops at a million; an annotation has no use for more */

/* ---- numbers ---- */

/* The digits of a shortest text, and the power of ten of the first: "0.0012" -> "12", -3. */
static int decimal_digits(const char *text, char digits[NUMBER_TEXT_MAX], int *ret_n)
{
    int n = 0, point = -1, at = 0, exponent = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '.')
            point = at;
        else {
            digits[n++] = *text;
            at++;
        }
    }
    if (point < 0)
        point = at;
    if (*text == 'e') {
        bool negative = text[1] == '-';
        for (text += 2; *text; text++)
            exponent = exponent * 10 + (*text - '0');
        exponent = negative ? -exponent : exponent;
    }
    int zeros = 0;
    while (zeros < n - 1 && digits[zeros] == '0')
        zeros++;
    memmove(digits, digits + zeros, (size_t)(n - zeros));
    n -= zeros;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    *ret_n = n;
    return digits[0] == '0' ? 0 : point - zeros - 1 + exponent;
}

static void shortest_e(struct buf *out, double v)
{
    char text[NUMBER_TEXT_MAX], digits[NUMBER_TEXT_MAX];
    format_f64(text, fabs(v));
    int n, exponent = decimal_digits(text, digits, &n);
    if (signbit(v))
        buf_char(out, '-');
    buf_char(out, digits[0]);
    if (n > 1) {
        buf_char(out, '.');
        buf_bytes(out, digits + 1, (size_t)(n - 1));
    }
    buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

static void shortest_f(struct buf *out, double v)
{
    char text[NUMBER_TEXT_MAX], digits[NUMBER_TEXT_MAX];
    size_t len = format_f64(text, v);
    if (!memchr(text, 'e', len)) {
        buf_bytes(out, text, len);
        return;
    }
    format_f64(text, fabs(v));
    int n, exponent = decimal_digits(text, digits, &n);
    if (signbit(v))
        buf_char(out, '-');
    if (exponent < 0)
        buf_str(out, "0.");
    for (int i = exponent + 1; i < 0; i++)
        buf_char(out, '0');
    buf_bytes(out, digits, (size_t)n); /* from 1e21 on there are fewer digits than places */
    for (int i = n; i <= exponent; i++)
        buf_char(out, '0');
}

void go_float(struct buf *out, double v, char verb, int precision)
{
    if (isnan(v) || isinf(v)) {
        buf_str(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    if (precision >= 0 && verb == 'e')
        buf_printf(out, "%.*e", precision, v);
    else if (precision >= 0 && verb == 'f')
        buf_printf(out, "%.*f", precision, v);
    else if (precision >= 0)
        buf_printf(out, "%.*g", precision, v);
    else if (verb == 'e')
        shortest_e(out, v);
    else if (verb == 'f')
        shortest_f(out, v);
    else
        buf_bytes(out, text, format_f64_g(text, v));
}

/* ---- %v and %T ---- */
bool template_truth(const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NIL:
        return false;
    case TEMPLATE_BOOL:
        return v->boolean;
    case TEMPLATE_INT:
        return v->integer != 0;
    case TEMPLATE_LIST:
        return v->list.n > 0;
    case TEMPLATE_ARGS:
        return v->args.n > 0;
    case TEMPLATE_FLOAT:
        return v->number != 0;
    case TEMPLATE_TEXT:
        return v->text.len > 0;
    case TEMPLATE_LABELS:
        return v->labels->n > 0;
    case TEMPLATE_SAMPLE:
    case TEMPLATE_TIME:
    case TEMPLATE_DURATION: /* pointers in Go */
    case TEMPLATE_ROOT:
        break;
    }
    return true;
}

const char *go_type(const struct template_value *v)
{
    static const char *const NAMES[] = {
        [TEMPLATE_NIL] = "<nil>",
        [TEMPLATE_BOOL] = "bool",
        [TEMPLATE_INT] = "int",
        [TEMPLATE_FLOAT] = "float64",
        [TEMPLATE_TEXT] = "string",
        [TEMPLATE_LABELS] = "map[string]string",
        [TEMPLATE_SAMPLE] = "*template.sample",
        [TEMPLATE_LIST] = "template.queryResult",
        [TEMPLATE_ARGS] = "map[string]interface {}",
        [TEMPLATE_TIME] = "*time.Time",
        [TEMPLATE_DURATION] = "*time.Duration",
        [TEMPLATE_ROOT] = "struct",
    };
    return NAMES[v->kind];
}

static void print_map(struct buf *out, const struct labels *labels)
{
    buf_str(out, "map[");
    for (size_t i = 0; i < labels->n; i++) { /* sorted already, as fmt prints maps */
        if (i)
            buf_char(out, ' ');
        buf_span(out, labels->pairs[i].name);
        buf_char(out, ':');
        buf_span(out, labels->pairs[i].value);
    }
    buf_char(out, ']');
}

static void print_sample(struct buf *out, const struct template_sample *s)
{
    buf_char(out, '{');
    print_map(out, &s->labels);
    buf_char(out, ' ');
    go_float(out, s->value, 'g', -1);
    buf_char(out, '}');
}

/* Go shows the addresses of a list's samples; they say nothing to anybody. */
static void print_list(struct buf *out, const struct template_list *list)
{
    buf_char(out, '[');
    for (size_t i = 0; i < list->n && !buf_error(out); i++) {
        if (i)
            buf_char(out, ' ');
        print_sample(out, list->items[i]);
    }
    buf_char(out, ']');
}

/* Sorted by their keys, as fmt prints maps: arg10 stands before arg2. */
static void print_args(struct buf *out, const struct template_args *args)
{
    char before[24] = "", key[24];
    buf_str(out, "map[");
    for (size_t i = 0; i < args->n; i++) {
        size_t next = 0;
        char best[24] = "";
        for (size_t k = 0; k < args->n; k++) {
            snprintf(key, sizeof key, "arg%zu", k);
            if (strcmp(key, before) > 0 && (!best[0] || strcmp(key, best) < 0)) {
                memcpy(best, key, sizeof best);
                next = k;
            }
        }
        memcpy(before, best, sizeof before);
        buf_printf(out, "%s%s:", i ? " " : "", best);
        if (args->items[next].kind == TEMPLATE_NIL)
            buf_str(out, "<nil>");
        else
            go_value(out, &args->items[next]);
    }
    buf_char(out, ']');
}

void go_value(struct buf *out, const struct template_value *v)
{
    switch (v->kind) {
    case TEMPLATE_NIL:
        buf_str(out, "<no value>");
        return;
    case TEMPLATE_BOOL:
        buf_str(out, v->boolean ? "true" : "false");
        return;
    case TEMPLATE_INT:
        buf_i64(out, v->integer);
        return;
    case TEMPLATE_FLOAT:
        go_float(out, v->number, 'g', -1);
        return;
    case TEMPLATE_TEXT:
        buf_span(out, v->text);
        return;
    case TEMPLATE_LABELS:
        print_map(out, v->labels);
        return;
    case TEMPLATE_SAMPLE:
        print_sample(out, v->sample);
        return;
    case TEMPLATE_LIST:
        print_list(out, &v->list);
        return;
    case TEMPLATE_ARGS:
        print_args(out, &v->args);
        return;
    case TEMPLATE_TIME:
        go_time(out, v->integer, SPAN("2006-01-02 15:04:05.999999999 -0700 MST"));
        return;
    case TEMPLATE_DURATION:
        go_duration(out, v->integer);
        return;
    case TEMPLATE_ROOT:
        buf_str(out, "{}");
        return;
    }
}

void go_print(struct buf *out, const struct template_value *args, size_t n)
{
    for (size_t i = 0; i < n; i++) { /* blanks only between two values that are no text */
        if (i && args[i].kind != TEMPLATE_TEXT && args[i - 1].kind != TEMPLATE_TEXT)
            buf_char(out, ' ');
        go_value(out, &args[i]);
    }
}

void go_println(struct buf *out, const struct template_value *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(out, ' ');
        go_value(out, &args[i]);
    }
    buf_char(out, '\n');
}

/* ---- printf ---- */
struct verb {
    bool minus, plus, sharp, space, zero, has_width, has_precision;
    int width, precision;
    char letter;
};

static size_t runes(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

static void pad(struct buf *out, const struct verb *f, struct span text, bool numeric)
{
    size_t have = runes(text), want = f->has_width ? (size_t)f->width : 0, fill = want > have ? want - have : 0;
    bool zeros = f->zero && !f->minus;
    if (zeros && numeric && text.len && (*text.ptr == '-' || *text.ptr == '+' || *text.ptr == ' ')) {
        buf_char(out, *text.ptr);
        text = span_from(text, 1);
    }
    for (size_t i = 0; !f->minus && i < fill; i++)
        buf_char(out, zeros ? '0' : ' ');
    buf_span(out, text);
    for (size_t i = 0; f->minus && i < fill; i++)
        buf_char(out, ' ');
}

/* %!d(float64=1.5) */
static void bad_verb(struct buf *out, char letter, const struct template_value *v)
{
    if (v->kind == TEMPLATE_NIL) {
        buf_printf(out, "%%!%c(<nil>)", letter);
        return;
    }
    buf_printf(out, "%%!%c(%s=", letter, go_type(v));
    go_value(out, v);
    buf_char(out, ')');
}

static void sign(struct buf *out, const struct verb *f, bool negative)
{
    if (!negative && f->plus)
        buf_char(out, '+');
    else if (!negative && f->space)
        buf_char(out, ' ');
}

static void printf_float(struct buf *out, const struct verb *f, double v)
{
    char letter = f->letter == 'v' ? 'g' : f->letter == 'F' ? 'f' : f->letter;
    bool upper = letter == 'E' || letter == 'G';
    letter = letter == 'E' ? 'e' : letter == 'G' ? 'g' : letter;
    int precision = f->has_precision ? f->precision : letter == 'g' ? -1 : 6;
    struct buf text;
    buf_init(&text, WIDTH_MAX + 400);
    bool finite = isfinite(v);
    if (finite || isnan(v)) /* +Inf brings its sign along */
        sign(&text, f, finite && signbit(v));
    go_float(&text, v, letter, precision);
    for (size_t i = 0; upper && finite && i < text.len; i++)
        if (text.data[i] == 'e')
            text.data[i] = 'E';
    struct verb plain = *f;
    plain.zero = f->zero && finite;
    pad(out, &plain, buf_view(&text), true);
    buf_done(&text);
}

static void printf_int(struct buf *out, const struct verb *f, int64_t v)
{
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    struct buf text;
    buf_init(&text, 128);
    if (v < 0)
        buf_char(&text, '-');
    sign(&text, f, v < 0);
    if (f->letter == 'x' || f->letter == 'X')
        buf_printf(&text, f->letter == 'x' ? "%s%llx" : "%s%llX", f->sharp ? "0x" : "", (unsigned long long)u);
    else if (f->letter == 'o')
        buf_printf(&text, "%s%llo", f->sharp ? "0" : "", (unsigned long long)u);
    else
        buf_u64(&text, u);
    pad(out, f, buf_view(&text), true);
    buf_done(&text);
}

static struct span cut_to_precision(const struct verb *f, struct span s)
{
    if (!f->has_precision)
        return s;
    size_t seen = 0, i = 0;
    for (; i < s.len; i++) {
        bool starts = ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
        if (starts && seen++ == (size_t)f->precision)
            break;
    }
    return span_of(s.ptr, i);
}

static void printf_text(struct buf *out, const struct verb *f, struct span s)
{
    s = cut_to_precision(f, s);
    struct buf text;
    buf_init(&text, 4 * s.len + 16);
    if (f->letter == 'q')
        quote_go(&text, s);
    else if (f->letter == 'x' || f->letter == 'X')
        for (size_t i = 0; i < s.len; i++)
            buf_printf(&text, f->letter == 'x' ? "%02x" : "%02X", (unsigned char)s.ptr[i]);
    else
        buf_span(&text, s);
    pad(out, f, buf_view(&text), false);
    buf_done(&text);
}

static bool verb_fits(const struct verb *f, const struct template_value *v)
{
    static const char *const LETTERS[] = {
        [TEMPLATE_NIL] = "v",      [TEMPLATE_BOOL] = "tv",   [TEMPLATE_INT] = "dxXov",   [TEMPLATE_FLOAT] = "eEfFgGv",
        [TEMPLATE_TEXT] = "sqxXv", [TEMPLATE_LABELS] = "sv", [TEMPLATE_SAMPLE] = "v",    [TEMPLATE_LIST] = "v",
        [TEMPLATE_ARGS] = "v",     [TEMPLATE_TIME] = "sv",   [TEMPLATE_DURATION] = "sv", [TEMPLATE_ROOT] = "v"};
    return strchr(LETTERS[v->kind], f->letter) != NULL;
}

static void printf_one(struct buf *out, const struct verb *f, const struct template_value *v)
{
    if (f->letter == 'T') {
        pad(out, f, span_str(go_type(v)), false);
        return;
    }
    if (!verb_fits(f, v)) {
        bad_verb(out, f->letter, v);
        return;
    }
    if (v->kind == TEMPLATE_FLOAT) {
        printf_float(out, f, v->number);
    } else if (v->kind == TEMPLATE_INT) {
        printf_int(out, f, v->integer);
    } else if (v->kind == TEMPLATE_TEXT) {
        printf_text(out, f, v->text);
    } else {
        struct buf text;
        buf_init(&text, out->max);
        if (v->kind == TEMPLATE_NIL)
            buf_str(&text, "<nil>");
        else
            go_value(&text, v);
        pad(out, f, buf_view(&text), false);
        buf_done(&text);
    }
}

static bool flag(struct verb *f, char c)
{
    bool *const at = c == '-'   ? &f->minus
                     : c == '+' ? &f->plus
                     : c == '#' ? &f->sharp
                     : c == ' ' ? &f->space
                     : c == '0' ? &f->zero
                                : NULL;
    if (at)
        *at = true;
    return at != NULL;
}

static struct span number(struct span s, bool *has, int *ret)
{
    int v = 0;
    for (; s.len && *s.ptr >= '0' && *s.ptr <= '9'; s = span_from(s, 1)) {
        *has = true;
        v = v * 10 + (*s.ptr - '0');
        v = v > WIDTH_MAX ? WIDTH_MAX : v;
    }
    *ret = v;
    return s;
}

static struct span parse_verb(struct span s, struct verb *f)
{
    *f = (struct verb){0};
    while (s.len && flag(f, *s.ptr))
        s = span_from(s, 1);
    s = number(s, &f->has_width, &f->width);
    if (s.len && *s.ptr == '.') {
        s = number(span_from(s, 1), &f->has_precision, &f->precision);
        f->has_precision = true; /* "%.f" is "%.0f" */
    }
    f->letter = s.len ? *s.ptr : '\0';
    return span_from(s, 1);
}

void go_printf(struct buf *out, struct span format, const struct template_value *args, size_t n)
{
    size_t used = 0;
    while (format.len) {
        size_t plain = span_find(format, '%');
        buf_bytes(out, format.ptr, plain);
        if (plain == format.len)
            break;
        struct verb f;
        format = parse_verb(span_from(format, plain + 1), &f);
        if (f.letter == '\0')
            buf_str(out, "%!(NOVERB)");
        else if (f.letter == '%')
            buf_char(out, '%');
        else if (used >= n)
            buf_printf(out, "%%!%c(MISSING)", f.letter);
        else
            printf_one(out, &f, &args[used++]);
    }
    if (used < n) {
        buf_str(out, "%!(EXTRA ");
        for (size_t i = used; i < n; i++) {
            if (i > used)
                buf_str(out, ", ");
            buf_printf(out, "%s=", go_type(&args[i]));
            go_value(out, &args[i]);
        }
        buf_char(out, ')');
    }
}
