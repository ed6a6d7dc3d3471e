#include "lib/wire/json.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/limits.h"

static void expect_text(struct buf *b, const char *want)
{
    assert_int_equal(buf_error(b), 0);
    assert_string_equal(b->data, want);
    buf_done(b);
}

static void writer_keeps_commas_and_nesting(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct json_writer j;
    jw_init(&j, &b);
    jw_object(&j);
    jw_key(&j, "a");
    jw_array(&j);
    jw_u64(&j, UINT64_MAX);
    jw_i64(&j, INT64_MIN);
    jw_object(&j);
    jw_end(&j);
    jw_array(&j);
    jw_end(&j);
    jw_end(&j);
    jw_key_span(&j, SPAN("b"));
    jw_str(&j, NULL);
    jw_key(&j, "c");
    jw_object(&j);
    jw_key(&j, "d");
    jw_bool(&j, true);
    jw_end(&j);
    jw_key(&j, "e");
    jw_raw(&j, SPAN("[1]"));
    jw_key(&j, "f");
    jw_bool(&j, false);
    jw_end(&j);
    expect_text(&b, "{\"a\":[18446744073709551615,-9223372036854775808,{},[]],\"b\":null,\"c\":{\"d\":true},"
                    "\"e\":[1],\"f\":false}");
}

static void writer_escapes_text_for_json_and_html(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        const char *out;
    } CASES[] = {
        {SPAN_INIT(""), "\"\""},
        {SPAN_INIT("plain"), "\"plain\""},
        {SPAN_INIT("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\""},
        {SPAN_INIT("</script>&"), "\"\\u003c/script\\u003e\\u0026\""},
        {SPAN_INIT("a\0b\x1f\x7f"), "\"a\\u0000b\\u001f\\u007f\""},
        {SPAN_INIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {SPAN_INIT("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\""},
        /* one replacement per bad byte: lone continuation, overlong, surrogate, beyond U+10FFFF, cut short */
        {SPAN_INIT("\x80"), "\"\xef\xbf\xbd\""},
        {SPAN_INIT("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {SPAN_INIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {SPAN_INIT("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {SPAN_INIT("x\xe2\x82"), "\"x\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf b;
        buf_init(&b, 4096);
        struct json_writer j;
        jw_init(&j, &b);
        jw_text(&j, CASES[i].in);
        expect_text(&b, CASES[i].out);
    }
}

static void writer_prints_numbers_as_prometheus_does(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct json_writer j;
    jw_init(&j, &b);
    jw_array(&j);
    jw_f64(&j, 0.1);
    jw_f64(&j, NAN);
    jw_f64(&j, INFINITY);
    jw_f64_quoted(&j, NAN);
    jw_f64_quoted(&j, -INFINITY);
    jw_f64_quoted(&j, 1e21);
    jw_end(&j);
    expect_text(&b, "[0.1,null,null,\"NaN\",\"-Inf\",\"1e+21\"]");
}

static void writer_reports_nesting_beyond_its_bits(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct json_writer j;
    jw_init(&j, &b);
    for (int i = 0; i < 255; i++)
        jw_array(&j);
    assert_int_equal(buf_error(&b), 0);
    for (int i = 0; i < 255; i++)
        jw_end(&j);
    assert_int_equal(buf_error(&b), 0);
    assert_int_equal(b.len, 510);
    for (int i = 0; i < 256; i++)
        jw_array(&j);
    assert_int_equal(buf_error(&b), -EOVERFLOW);
    buf_done(&b);

    buf_init(&b, 4096);
    jw_init(&j, &b);
    jw_end(&j);
    assert_int_equal(buf_error(&b), -EINVAL);
    buf_done(&b);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    struct json_writer j;
    jw_init(&j, &b);
    char all[127];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i + 1);
    jw_object(&j);
    jw_key(&j, "all");
    jw_text(&j, span_of(all, sizeof all));
    jw_end(&j);
    struct parse_error err = {0};
    json_t *root = json_read(buf_view(&b), &err);
    assert_non_null(root);
    json_t *text = json_object_get(root, "all");
    assert_int_equal(json_string_length(text), sizeof all);
    assert_memory_equal(json_string_value(text), all, sizeof all);
    json_decref(root);
    buf_done(&b);
}

static void reader_names_the_place_of_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line;
    } CASES[] = {
        {"", 1}, {"{\"a\":1,\n \"a\":2}", 2}, {"[1,\n2,\n}", 3}, {"{} x", 1}, {"\"\xff\"", 1}, {"[\"\\u0000\"]", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct parse_error err = {0};
        assert_null(json_read(span_str(CASES[i].text), &err));
        assert_int_equal(err.code, -EINVAL);
        assert_int_equal(err.line, CASES[i].line);
        assert_true(err.text[0] != '\0');
    }
}

static void reader_limits_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 2];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct parse_error err = {0};
        json_t *root = json_read(span_of(text, 2 * depth), &err);
        if (depth <= JSON_DEPTH_MAX) {
            assert_non_null(root);
            json_decref(root);
        } else {
            assert_null(root);
            assert_int_equal(err.column, JSON_DEPTH_MAX + 1);
        }
    }
    /* brackets inside text do not nest */
    char quoted[400];
    memset(quoted, '[', sizeof quoted);
    quoted[0] = quoted[sizeof quoted - 1] = '"';
    quoted[1] = '\\';
    quoted[2] = '"';
    struct parse_error err = {0};
    json_t *root = json_read(span_of(quoted, sizeof quoted), &err);
    assert_non_null(root);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_keeps_commas_and_nesting),
        cmocka_unit_test(writer_escapes_text_for_json_and_html),
        cmocka_unit_test(writer_prints_numbers_as_prometheus_does),
        cmocka_unit_test(writer_reports_nesting_beyond_its_bits),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(reader_names_the_place_of_an_error),
        cmocka_unit_test(reader_limits_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
