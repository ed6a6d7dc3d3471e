#include <errno.h>
#include <math.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/match/regex.h"
#include "lib/wire/url.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/hurl/charset.h"
#include "loadgen/hurl/date.h"
#include "loadgen/hurl/eval.h"
#include "loadgen/hurl/html.h"
#include "loadgen/hurl/json_text.h"

#define REGEX_GROUPS_MAX 16u

struct filtering {
    struct hurl_scope *s;
    const struct hurl_filter *f;
    struct hurl_value *v; /* in and out */
    struct hurl_failure *why;
};

MUST_USE static int wrong_kind(const struct filtering *x, const char *wanted)
{
    struct buf what;
    buf_init(&what, HURL_FAILURE_TEXT_MAX);
    hurl_value_describe(x->v, &what);
    int r = eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->at, "%s needs %s, got %s", x->f->def->name, wanted,
                      what.data ? what.data : "");
    buf_done(&what);
    return r;
}

MUST_USE static int give_text(struct filtering *x, struct buf *out)
{
    *x->v = hurl_value_text((struct span){0});
    return eval_keep_buf(x->s, out, &x->v->text);
}

static bool is_sequence(const struct hurl_value *v)
{
    return v->kind == HURL_VALUE_LIST || v->kind == HURL_VALUE_NODES;
}

/* ---- lists ---- */

MUST_USE static int filter_count(struct filtering *x)
{
    if (is_sequence(x->v) || x->v->kind == HURL_VALUE_OBJECT)
        *x->v = hurl_value_int((int64_t)json_text_count(x->v->text));
    else if (x->v->kind == HURL_VALUE_BYTES)
        *x->v = hurl_value_int((int64_t)x->v->text.len);
    else if (x->v->lone)
        *x->v = hurl_value_int(x->v->kind != HURL_VALUE_NONE);
    else
        return wrong_kind(x, "a list");
    return 0;
}

MUST_USE static int filter_nth(struct filtering *x)
{
    if (!is_sequence(x->v) && !x->v->lone)
        return wrong_kind(x, "a list");
    int64_t index = x->f->def->kind == HURL_FILTER_LAST ? -1 : 0;
    if (x->f->def->kind == HURL_FILTER_NTH) {
        struct hurl_value arg;
        EVAL_TRY(hurl_operand_value(x->s, &x->f->args[0], &arg, x->why));
        if (arg.kind != HURL_VALUE_INT)
            return eval_fail(x->why, HURL_FAILED_RUN, x->f->args[0].at, "nth needs a whole number");
        index = arg.integer;
    }
    if (!is_sequence(x->v)) { /* the list of one that it would be */
        *x->v = index == 0 || index == -1 ? *x->v : (struct hurl_value){0};
        return 0;
    }
    if (index < 0)
        index += (int64_t)json_text_count(x->v->text);
    struct json_text_walk w = json_text_walk(x->v->text);
    struct span item;
    *x->v = (struct hurl_value){0};
    for (; index >= 0 && json_text_item(&w, &item); index--)
        if (index == 0)
            return hurl_value_from_json(x->s->scratch, item, x->v);
    return 0;
}

MUST_USE static int filter_split(struct filtering *x)
{
    struct span separator, rest = x->v->text;
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &separator, x->why));
    if (separator.len == 0)
        return eval_fail(x->why, HURL_FAILED_RUN, x->f->args[0].at, "split needs a separator");
    struct buf list;
    buf_init(&list, BODY_BYTES_MAX);
    buf_char(&list, '[');
    for (;;) {
        size_t n = span_search(rest, separator);
        buf_char(&list, '"');
        json_text_escape(&list, span_of(rest.ptr, n));
        buf_char(&list, '"');
        if (n == rest.len)
            break;
        rest = span_from(rest, n + separator.len);
        buf_char(&list, ',');
    }
    buf_char(&list, ']');
    x->v->kind = HURL_VALUE_LIST;
    return eval_keep_buf(x->s, &list, &x->v->text);
}

/* ---- texts ---- */

MUST_USE static int replace_text(struct filtering *x, struct span from, struct span to)
{
    if (from.len == 0)
        return eval_fail(x->why, HURL_FAILED_RUN, x->f->args[0].at, "replace needs a text to look for");
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    struct span rest = x->v->text;
    for (;;) {
        size_t n = span_search(rest, from);
        buf_span(&out, span_of(rest.ptr, n));
        if (n == rest.len)
            break;
        buf_span(&out, to);
        rest = span_from(rest, n + from.len);
    }
    return give_text(x, &out);
}

MUST_USE static int replace_pattern(struct filtering *x, struct span to)
{
    struct regex *re;
    bool owned;
    EVAL_TRY(eval_pattern(x->s, &x->f->args[0], &re, &owned, x->why));
    struct span text = x->v->text.ptr ? x->v->text : SPAN(""),
                groups[REGEX_GROUPS_MAX]; /* matches have a place in it */
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    size_t at = 0, n = 0;
    int found = 0;
    while (at <= text.len && (found = regex_search(re, text, at, groups, ARRAY_LEN(groups), &n)) > 0) {
        size_t start = groups[0].ptr ? (size_t)(groups[0].ptr - text.ptr) : at;
        buf_span(&out, span_of(text.ptr + at, start - at));
        regex_expand(re, to, groups, n < ARRAY_LEN(groups) ? n : ARRAY_LEN(groups), &out);
        at = start + groups[0].len;
        if (groups[0].len == 0) { /* an empty match: go on behind the next byte */
            if (at < text.len)
                buf_char(&out, text.ptr[at]);
            at++;
        }
    }
    if (at < text.len)
        buf_span(&out, span_from(text, at));
    if (owned)
        regex_free(re);
    if (found < 0) {
        buf_done(&out);
        return eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->at, "the regular expression is too costly on this text");
    }
    return give_text(x, &out);
}

MUST_USE static int filter_replace(struct filtering *x)
{
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    struct span from, to;
    EVAL_TRY(eval_text(x->s, &x->f->args[1].text, &to, x->why));
    if (x->f->def->kind == HURL_FILTER_REPLACE_REGEX || x->f->args[0].kind == HURL_OPERAND_PATTERN)
        return replace_pattern(x, to);
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &from, x->why));
    return replace_text(x, from, to);
}

MUST_USE static int filter_query_param(struct filtering *x)
{
    struct span name, rest, pair;
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &name, x->why));
    rest = span_from(x->v->text, span_find(x->v->text, '?') + 1);
    rest.len = span_find(rest, '#');
    *x->v = (struct hurl_value){0};
    while (span_cut(&rest, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        struct buf out;
        buf_init(&out, BODY_BYTES_MAX);
        url_decode(&out, span_of(pair.ptr, equals), true);
        bool same = span_equal(buf_view(&out), name);
        buf_clear(&out);
        if (same) {
            url_decode(&out, span_from(pair, equals + 1), true);
            return give_text(x, &out);
        }
        buf_done(&out);
    }
    return 0;
}

/* As hurl's urlEncode: a slash stays. */
static void encode_but_slashes(struct buf *out, struct span text)
{
    struct span part;
    for (bool more = false; span_cut(&text, '/', &part); more = true) {
        if (more)
            buf_char(out, '/');
        url_encode(out, part);
    }
}

/* Text in, or bytes where their digits are written; text out. */
MUST_USE static int filter_recode(struct filtering *x)
{
    enum hurl_filter_kind kind = x->f->def->kind;
    bool to_bytes_form =
        kind == HURL_FILTER_TO_HEX || kind == HURL_FILTER_BASE64_ENCODE || kind == HURL_FILTER_BASE64_URL_ENCODE;
    if (x->v->kind != (to_bytes_form ? HURL_VALUE_BYTES : HURL_VALUE_TEXT))
        return wrong_kind(x, to_bytes_form ? "bytes" : "a text");
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    switch (kind) {
    case HURL_FILTER_URL_ENCODE:
        encode_but_slashes(&out, x->v->text);
        break;
    case HURL_FILTER_URL_DECODE:
        url_decode(&out, x->v->text, false);
        break;
    case HURL_FILTER_HTML_ESCAPE:
        html_escape(&out, x->v->text);
        break;
    case HURL_FILTER_HTML_UNESCAPE:
        html_unescape(&out, x->v->text);
        break;
    case HURL_FILTER_BASE64_ENCODE:
        base64_encode(&out, x->v->text, false);
        break;
    case HURL_FILTER_BASE64_URL_ENCODE:
        base64_encode(&out, x->v->text, true);
        break;
    default:
        for (size_t i = 0; i < x->v->text.len; i++)
            buf_printf(&out, "%02x", (unsigned)(unsigned char)x->v->text.ptr[i]);
    }
    return give_text(x, &out);
}

MUST_USE static int filter_base64_decode(struct filtering *x)
{
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    if (base64_decode(&out, x->v->text, x->f->def->kind == HURL_FILTER_BASE64_URL_DECODE) < 0) {
        buf_done(&out);
        return wrong_kind(x, "base64");
    }
    EVAL_TRY(give_text(x, &out));
    x->v->kind = HURL_VALUE_BYTES;
    return 0;
}

MUST_USE static int filter_utf8(struct filtering *x)
{
    bool encode = x->f->def->kind == HURL_FILTER_UTF8_ENCODE;
    if (x->v->kind != (encode ? HURL_VALUE_TEXT : HURL_VALUE_BYTES))
        return wrong_kind(x, encode ? "a text" : "bytes");
    if (!encode && !span_is_utf8(x->v->text))
        return eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->at, "these bytes are not UTF-8");
    x->v->kind = encode ? HURL_VALUE_BYTES : HURL_VALUE_TEXT;
    return 0;
}

MUST_USE static int filter_decode(struct filtering *x)
{
    struct span name;
    if (x->v->kind != HURL_VALUE_BYTES)
        return wrong_kind(x, "bytes");
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &name, x->why));
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    int r = charset_decode(name, x->v->text, &out);
    if (r == 0)
        return give_text(x, &out);
    buf_done(&out);
    if (r == -ENOENT)
        return eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->args[0].at, "no character set is called '" SPAN_FMT "'",
                         SPAN_ARG(name));
    return r == -EILSEQ
               ? eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->at, "these bytes are not " SPAN_FMT, SPAN_ARG(name))
               : r;
}

/* One of `redirects`: they are their targets' URLs already. */
MUST_USE static int filter_location(struct filtering *x)
{
    return x->v->kind == HURL_VALUE_TEXT ? 0 : wrong_kind(x, "a redirect");
}

/* ---- dates ---- */

MUST_USE static int filter_to_date(struct filtering *x)
{
    struct span format;
    int64_t us;
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &format, x->why));
    if (hurl_date_parse(x->v->text, format, &us) < 0)
        return wrong_kind(x, "a date of that format");
    *x->v = hurl_value_date(us);
    return 0;
}

MUST_USE static int filter_date_format(struct filtering *x)
{
    struct span format;
    if (x->v->kind != HURL_VALUE_DATE)
        return wrong_kind(x, "a date");
    EVAL_TRY(eval_text(x->s, &x->f->args[0].text, &format, x->why));
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    if (hurl_date_format(format, x->v->integer, &out) < 0) {
        buf_done(&out);
        return eval_fail(x->why, HURL_FAILED_RUN, x->f->args[0].at, "'" SPAN_FMT "' is no format of dates",
                         SPAN_ARG(format));
    }
    return give_text(x, &out);
}

MUST_USE static int filter_days(struct filtering *x)
{
    if (x->v->kind != HURL_VALUE_DATE)
        return wrong_kind(x, "a date");
    int64_t days = (x->v->integer / 1000 - unix_ms()) / 86400000;
    *x->v = hurl_value_int(x->f->def->kind == HURL_FILTER_DAYS_AFTER_NOW ? days : -days);
    return 0;
}

/* ---- numbers ---- */

MUST_USE static int filter_to_int(struct filtering *x)
{
    int64_t v;
    if (x->v->kind == HURL_VALUE_INT)
        return 0;
    if (x->v->kind == HURL_VALUE_FLOAT && fabs(x->v->number) < 9.2e18)
        v = (int64_t)x->v->number;
    else if (x->v->kind != HURL_VALUE_TEXT || parse_i64_span(x->v->text, INT64_MIN, INT64_MAX, &v) < 0)
        return wrong_kind(x, "a number");
    *x->v = hurl_value_int(v);
    return 0;
}

MUST_USE static int filter_to_float(struct filtering *x)
{
    double v = x->v->number;
    if (x->v->kind != HURL_VALUE_INT && x->v->kind != HURL_VALUE_FLOAT && x->v->kind != HURL_VALUE_BIG &&
        (x->v->kind != HURL_VALUE_TEXT || parse_f64_span(x->v->text, &v) < 0))
        return wrong_kind(x, "a number");
    *x->v = hurl_value_float(v);
    return 0;
}

MUST_USE static int filter_to_string(struct filtering *x)
{
    struct buf out;
    buf_init(&out, BODY_BYTES_MAX);
    int r = is_sequence(x->v) || x->v->kind == HURL_VALUE_OBJECT ? hurl_value_to_json(x->v, &out)
                                                                 : hurl_value_print(x->v, &out);
    if (r < 0) {
        buf_done(&out);
        return wrong_kind(x, "something with a text");
    }
    return give_text(x, &out);
}

/* ---- structure ---- */

MUST_USE static int filter_jsonpath(struct filtering *x)
{
    char words[96];
    struct span root = x->v->text;
    if (x->v->kind == HURL_VALUE_TEXT || x->v->kind == HURL_VALUE_BYTES) {
        if (json_text_check(x->v->text, &root, words, sizeof words) < 0)
            return eval_fail(x->why, HURL_FAILED_PROTOCOL, x->f->at, "jsonpath needs JSON: %s", words);
    } else if (!is_sequence(x->v) && x->v->kind != HURL_VALUE_OBJECT) {
        return wrong_kind(x, "JSON");
    }
    return eval_jsonpath(x->s, &x->f->args[0], root, x->v, x->why);
}

MUST_USE static int filter_xpath(struct filtering *x)
{
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    void *document = NULL;
    int r = eval_xpath(x->s, &x->f->args[0], x->v->text, true, &document, x->v, x->why);
    xpath_document_free(document);
    return r;
}

MUST_USE static int filter_regex(struct filtering *x)
{
    if (x->v->kind != HURL_VALUE_TEXT)
        return wrong_kind(x, "a text");
    return eval_regex(x->s, &x->f->args[0], x->v->text, x->v, x->why);
}

static int (*const FILTERS[])(struct filtering *) = {
    [HURL_FILTER_COUNT] = filter_count,
    [HURL_FILTER_FIRST] = filter_nth,
    [HURL_FILTER_LAST] = filter_nth,
    [HURL_FILTER_NTH] = filter_nth,
    [HURL_FILTER_SPLIT] = filter_split,
    [HURL_FILTER_REPLACE] = filter_replace,
    [HURL_FILTER_REPLACE_REGEX] = filter_replace,
    [HURL_FILTER_REGEX] = filter_regex,
    [HURL_FILTER_JSONPATH] = filter_jsonpath,
    [HURL_FILTER_XPATH] = filter_xpath,
    [HURL_FILTER_TO_INT] = filter_to_int,
    [HURL_FILTER_TO_FLOAT] = filter_to_float,
    [HURL_FILTER_TO_STRING] = filter_to_string,
    [HURL_FILTER_TO_HEX] = filter_recode,
    [HURL_FILTER_URL_ENCODE] = filter_recode,
    [HURL_FILTER_URL_DECODE] = filter_recode,
    [HURL_FILTER_URL_QUERY_PARAM] = filter_query_param,
    [HURL_FILTER_HTML_ESCAPE] = filter_recode,
    [HURL_FILTER_HTML_UNESCAPE] = filter_recode,
    [HURL_FILTER_TO_DATE] = filter_to_date,
    [HURL_FILTER_DATE_FORMAT] = filter_date_format,
    [HURL_FILTER_DAYS_AFTER_NOW] = filter_days,
    [HURL_FILTER_DAYS_BEFORE_NOW] = filter_days,
    [HURL_FILTER_DECODE] = filter_decode,
    [HURL_FILTER_BASE64_ENCODE] = filter_recode,
    [HURL_FILTER_BASE64_DECODE] = filter_base64_decode,
    [HURL_FILTER_BASE64_URL_ENCODE] = filter_recode,
    [HURL_FILTER_BASE64_URL_DECODE] = filter_base64_decode,
    [HURL_FILTER_UTF8_ENCODE] = filter_utf8,
    [HURL_FILTER_UTF8_DECODE] = filter_utf8,
    [HURL_FILTER_LOCATION] = filter_location,
};

int eval_filters(struct hurl_scope *s, const struct hurl_filter *filters, size_t n, struct hurl_value *value,
                 struct hurl_failure *why)
{
    for (size_t i = 0; i < n; i++) {
        struct filtering x = {s, &filters[i], value, why};
        if (!FILTERS[filters[i].def->kind])
            return eval_fail(why, HURL_FAILED_RUN, filters[i].at, "%s is not executed yet", filters[i].def->name);
        if (value->kind == HURL_VALUE_NONE && !value->lone)
            return eval_fail(why, HURL_FAILED_PROTOCOL, filters[i].at, "%s has no value to work on",
                             filters[i].def->name);
        EVAL_TRY(FILTERS[filters[i].def->kind](&x));
    }
    return 0;
}
