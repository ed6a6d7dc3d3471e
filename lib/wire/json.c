#include "lib/wire/json.h"

#include <errno.h>
#include <math.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

#define DEPTH_MAX (64 * (uint32_t)ARRAY_LEN(((struct json_writer *)0)->has_items))

void jw_init(struct json_writer *j, struct buf *out)
{
    *j = (struct json_writer){.out = out};
}

/* Before each value: the comma between items, none after a key. */
static void begin_value(struct json_writer *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    uint64_t bit = 1ull << (j->depth % 64), *has = &j->has_items[j->depth / 64];
    if (j->depth > 0 && *has & bit)
        buf_char(j->out, ',');
    *has |= bit;
}

static void open_level(struct json_writer *j, bool is_object)
{
    begin_value(j);
    if (j->depth + 1 >= DEPTH_MAX) {
        if (!j->out->error)
            j->out->error = -EOVERFLOW;
        return;
    }
    j->depth++;
    uint64_t bit = 1ull << (j->depth % 64);
    j->has_items[j->depth / 64] &= ~bit;
    if (is_object)
        j->is_object[j->depth / 64] |= bit;
    else
        j->is_object[j->depth / 64] &= ~bit;
    buf_char(j->out, is_object ? '{' : '[');
}

void jw_object(struct json_writer *j)
{
    open_level(j, true);
}

void jw_array(struct json_writer *j)
{
    open_level(j, false);
}

void jw_end(struct json_writer *j)
{
    if (j->depth == 0) {
        if (!j->out->error)
            j->out->error = -EINVAL;
        return;
    }
    bool is_object = j->is_object[j->depth / 64] >> (j->depth % 64) & 1;
    j->depth--;
    buf_char(j->out, is_object ? '}' : ']');
}

/* Length of the valid UTF-8 sequence (RFC 3629) at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void escape_ascii(struct buf *out, unsigned char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    char short_form = c == '"' ? '"' : c == '\\' ? '\\' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '\0';
    if (short_form) {
        char text[2] = {'\\', short_form};
        buf_bytes(out, text, sizeof text);
        return;
    }
    char text[6] = {'\\', 'u', '0', '0', DIGITS[c >> 4], DIGITS[c & 15]};
    buf_bytes(out, text, sizeof text);
}

static void quoted(struct buf *out, struct span text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    buf_char(out, '"');
    for (size_t at = 0; at < text.len;) {
        size_t run = at;
        while (run < text.len && is_plain(p[run]))
            run++;
        if (run > at) {
            buf_bytes(out, p + at, run - at);
            at = run;
            continue;
        }
        if (p[at] < 0x80) {
            escape_ascii(out, p[at++]);
            continue;
        }
        size_t n = utf8_length(p + at, text.len - at);
        if (n == 0) {
            buf_str(out, "\xef\xbf\xbd"); /* one U+FFFD per bad byte, as Go does */
            at++;
        } else if (n == 3 && p[at] == 0xe2 && p[at + 1] == 0x80 && (p[at + 2] & 0xfe) == 0xa8) {
            buf_str(out, p[at + 2] & 1 ? "\\u2029" : "\\u2028"); /* line ends to JavaScript */
            at += 3;
        } else {
            buf_bytes(out, p + at, n);
            at += n;
        }
    }
    buf_char(out, '"');
}

void jw_key_span(struct json_writer *j, struct span key)
{
    begin_value(j);
    quoted(j->out, key);
    buf_char(j->out, ':');
    j->after_key = true;
}

void jw_key(struct json_writer *j, const char *key)
{
    jw_key_span(j, span_str(key));
}

void jw_text(struct json_writer *j, struct span text)
{
    begin_value(j);
    quoted(j->out, text);
}

void jw_str(struct json_writer *j, const char *text)
{
    if (text)
        jw_text(j, span_str(text));
    else
        jw_null(j);
}

void jw_u64(struct json_writer *j, uint64_t v)
{
    begin_value(j);
    buf_u64(j->out, v);
}

void jw_i64(struct json_writer *j, int64_t v)
{
    begin_value(j);
    buf_i64(j->out, v);
}

void jw_f64(struct json_writer *j, double v)
{
    begin_value(j);
    if (isfinite(v))
        buf_f64(j->out, v);
    else
        buf_str(j->out, "null");
}

void jw_f64_quoted(struct json_writer *j, double v)
{
    begin_value(j);
    buf_char(j->out, '"');
    buf_f64(j->out, v);
    buf_char(j->out, '"');
}

void jw_bool(struct json_writer *j, bool v)
{
    begin_value(j);
    buf_str(j->out, v ? "true" : "false");
}

void jw_null(struct json_writer *j)
{
    begin_value(j);
    buf_str(j->out, "null");
}

void jw_member_text(struct json_writer *j, const char *key, struct span text)
{
    jw_key(j, key);
    jw_text(j, text);
}

void jw_member_str(struct json_writer *j, const char *key, const char *text)
{
    jw_key(j, key);
    jw_str(j, text);
}

void jw_member_u64(struct json_writer *j, const char *key, uint64_t v)
{
    jw_key(j, key);
    jw_u64(j, v);
}

void jw_member_i64(struct json_writer *j, const char *key, int64_t v)
{
    jw_key(j, key);
    jw_i64(j, v);
}

void jw_member_f64(struct json_writer *j, const char *key, double v)
{
    jw_key(j, key);
    jw_f64(j, v);
}

void jw_member_bool(struct json_writer *j, const char *key, bool v)
{
    jw_key(j, key);
    jw_bool(j, v);
}

void jw_raw(struct json_writer *j, struct span json_text_bytes)
{
    begin_value(j);
    buf_span(j->out, json_text_bytes);
}

/* jansson recurses up to 2,048 levels; ours is lower, so it is counted before. Offset of the bracket that
 * goes too deep, or text.len. */
static size_t too_deep_at(struct span text)
{
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return text.len;
}

json_t *json_read(struct span text, struct parse_error *ret_error)
{
    const char *bytes = text.ptr ? text.ptr : "";
    if (text.len > BODY_BYTES_MAX) {
        parse_error_set(ret_error, -EFBIG, "", 0, 0, "JSON of more than %u bytes", BODY_BYTES_MAX);
        return NULL;
    }
    size_t deep = too_deep_at(text);
    if (deep < text.len) {
        parse_error_set(ret_error, -EINVAL, bytes, deep, deep + 1, "JSON nested deeper than %u levels", JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t why;
    json_t *root = json_loadb(bytes, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!root) {
        size_t at = why.position > 0 ? (size_t)why.position : 0;
        if (at > text.len)
            at = text.len;
        int code = json_error_code(&why) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
        parse_error_set(ret_error, code, bytes, at, at, "JSON: %s", why.text);
    }
    return root;
}
