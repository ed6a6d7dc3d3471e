#include "loadgen/hurl/value.h"

#include <errno.h>

#include "lib/base/number.h"
#include "loadgen/hurl/date.h"
#include "loadgen/hurl/json_text.h"

#define DESCRIBE_BYTES_MAX 80u

/* -12345678901234567890: only digits, too many for int64. */
static bool is_big(struct span number)
{
    for (size_t i = number.len && number.ptr[0] == '-'; i < number.len; i++)
        if (number.ptr[i] < '0' || number.ptr[i] > '9')
            return false;
    return number.len > 0;
}

int hurl_value_from_json(struct arena *a, struct span json, struct hurl_value *ret)
{
    struct hurl_value v = {0};
    switch (json_text_type(json)) {
    case JSON_TEXT_NULL:
        v.kind = HURL_VALUE_NULL;
        break;
    case JSON_TEXT_BOOL:
        v = hurl_value_bool(json.ptr[0] == 't');
        break;
    case JSON_TEXT_NUMBER:
        v.kind = json_text_number(json, &v.integer, &v.number) ? HURL_VALUE_INT
                 : is_big(json)                                ? HURL_VALUE_BIG
                                                               : HURL_VALUE_FLOAT;
        v.text = v.kind == HURL_VALUE_BIG ? json : (struct span){0};
        break;
    case JSON_TEXT_STRING:
        v.kind = HURL_VALUE_TEXT;
        if (json_text_string(a, json, &v.text) < 0)
            return -ENOMEM;
        break;
    case JSON_TEXT_ARRAY:
        v.kind = HURL_VALUE_LIST;
        v.text = json;
        break;
    case JSON_TEXT_OBJECT:
        v.kind = HURL_VALUE_OBJECT;
        v.text = json;
        break;
    }
    *ret = v;
    return 0;
}

int hurl_value_to_json(const struct hurl_value *v, struct buf *out)
{
    switch (v->kind) {
    case HURL_VALUE_NONE:
    case HURL_VALUE_BYTES:
        return -EINVAL;
    case HURL_VALUE_TEXT:
        buf_char(out, '"');
        json_text_escape(out, v->text);
        buf_char(out, '"');
        return 0;
    case HURL_VALUE_DATE:
        buf_char(out, '"');
        int r = hurl_value_print(v, out);
        buf_char(out, '"');
        return r;
    case HURL_VALUE_LIST:
    case HURL_VALUE_OBJECT:
    case HURL_VALUE_NODES:
        buf_span(out, v->text);
        return 0;
    default:
        return hurl_value_print(v, out);
    }
}

struct hurl_value hurl_value_guess(struct span text)
{
    struct hurl_value v = {0};
    bool b;
    if (parse_i64_span(text, INT64_MIN, INT64_MAX, &v.integer) == 0)
        return hurl_value_int(v.integer);
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return hurl_value_text(span_of(text.ptr + 1, text.len - 2));
    bool digits = text.len && (text.ptr[0] == '-' || (text.ptr[0] >= '0' && text.ptr[0] <= '9'));
    if (digits && parse_f64_span(text, &v.number) == 0)
        return is_big(text) ? (struct hurl_value){.kind = HURL_VALUE_BIG, .number = v.number, .text = text}
                            : hurl_value_float(v.number);
    if (parse_bool(text, &b) == 0)
        return hurl_value_bool(b);
    if (span_equal(text, SPAN("null")))
        return (struct hurl_value){.kind = HURL_VALUE_NULL};
    return hurl_value_text(text);
}

int hurl_value_print(const struct hurl_value *v, struct buf *out)
{
    char number[NUMBER_TEXT_MAX];
    switch (v->kind) {
    case HURL_VALUE_NULL:
        buf_str(out, "null");
        return 0;
    case HURL_VALUE_BOOL:
        buf_str(out, v->boolean ? "true" : "false");
        return 0;
    case HURL_VALUE_INT:
        buf_i64(out, v->integer);
        return 0;
    case HURL_VALUE_FLOAT:
        buf_bytes(out, number, format_f64_le(number, v->number));
        return 0;
    case HURL_VALUE_TEXT:
    case HURL_VALUE_BIG:
        buf_span(out, v->text);
        return 0;
    case HURL_VALUE_DATE:
        return hurl_date_format(SPAN("%Y-%m-%dT%H:%M:%S%.6fZ"), v->integer, out);
    default:
        return -EINVAL;
    }
}

int hurl_value_keep(struct arena *a, const struct hurl_value *v, struct hurl_value *ret)
{
    bool ok = true;
    struct hurl_value kept = *v;
    kept.lone = false; /* a variable is its value */
    kept.text = arena_span(a, v->text, &ok);
    if (!ok)
        return -ENOMEM;
    *ret = kept;
    return 0;
}

void hurl_value_describe(const struct hurl_value *v, struct buf *out)
{
    static const char *const NAMES[] = {
        [HURL_VALUE_NONE] = "nothing",           [HURL_VALUE_NULL] = "null",    [HURL_VALUE_BOOL] = "boolean ",
        [HURL_VALUE_INT] = "integer ",           [HURL_VALUE_FLOAT] = "float ", [HURL_VALUE_TEXT] = "text ",
        [HURL_VALUE_BYTES] = "bytes of length ", [HURL_VALUE_LIST] = "list ",   [HURL_VALUE_OBJECT] = "object ",
        [HURL_VALUE_NODES] = "nodes ",           [HURL_VALUE_DATE] = "date ",   [HURL_VALUE_BIG] = "integer ",
    };
    buf_str(out, NAMES[v->kind]);
    struct span text = v->text;
    bool cut = text.len > DESCRIBE_BYTES_MAX;
    if (cut) {
        text.len = DESCRIBE_BYTES_MAX;
        while (text.len > 0 && ((unsigned char)v->text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    switch (v->kind) {
    case HURL_VALUE_BOOL:
    case HURL_VALUE_INT:
    case HURL_VALUE_FLOAT:
    case HURL_VALUE_DATE:
        if (hurl_value_print(v, out) < 0)
            buf_char(out, '?');
        break;
    case HURL_VALUE_TEXT:
        buf_char(out, '"');
        json_text_escape(out, text);
        buf_str(out, cut ? "…\"" : "\"");
        break;
    case HURL_VALUE_BYTES:
        buf_u64(out, v->text.len);
        break;
    case HURL_VALUE_BIG:
    case HURL_VALUE_LIST:
    case HURL_VALUE_OBJECT:
    case HURL_VALUE_NODES:
        buf_span(out, text);
        if (cut)
            buf_str(out, "…");
        break;
    default:
        break;
    }
}
