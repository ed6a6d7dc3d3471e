/* Remote write that is wrong: one bad series leaves its request alone, a broken request is refused, and neither does harm. */
#include "tests/unit/lib/wire/remote_write_test.h"

#include <errno.h>

/* ---- rules that a series or a histogram breaks ---- */

/* One bad series among good ones, told apart by its number of samples. */
static void expect_rejected(struct buf *bad, const char *words)
{
    struct buf raw = new_buf(), good = new_buf();
    put_label(&good, 1, "__name__", "up");
    put_sample(&good, 2, 1, 1000);
    put_span(&raw, 1, buf_view(&good));
    put_sample(bad, 2, 1, 1000);
    put_sample(bad, 2, 1, 2000);
    put_message(&raw, 1, bad);
    put_message(&raw, 1, &good);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 2);
    assert_int_equal(report.rejected_series, 1);
    assert_int_equal(report.rejected_samples, 2);
    assert_int_equal(report.rejected_histograms, 0);
    check_contains(report.why, "series 2");
    check_contains(report.why, words);
    for (size_t i = 0; i < w->n_series; i++) {
        check_span(labels_get(&w->series[i].labels, SPAN("__name__")), "up");
        assert_int_equal(w->series[i].n_samples, 1);
    }
    write_request_free(w);
}

static void series_that_break_the_rules_are_left_out_alone(void **state)
{
    (void)state;
    struct buf s = new_buf();
    expect_rejected(&s, "no labels");
    put_label(&s, 1, "a", "1");
    put_label(&s, 1, "a", "2");
    expect_rejected(&s, "duplicate");
    put_label(&s, 1, "b", "1");
    put_label(&s, 1, "a", "2");
    put_label(&s, 1, "b", "1");
    expect_rejected(&s, "duplicate");
    put_label(&s, 1, "", "x");
    expect_rejected(&s, "empty label name");
    put_label(&s, 1, "__name__", "latin\xe9");
    expect_rejected(&s, "UTF-8");
    put_label(&s, 1, "__name__", "x");
    put_label(&s, 1, "bad\xff", "v");
    expect_rejected(&s, "(x)");
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%03d", i);
        put_label(&s, 1, name, "v");
    }
    expect_rejected(&s, "too many labels");
    AUTO_FREE char *text = malloc(LABEL_VALUE_BYTES_MAX + 2);
    memset(text, 'x', LABEL_VALUE_BYTES_MAX + 1);
    text[LABEL_VALUE_BYTES_MAX + 1] = '\0';
    put_label(&s, 1, "a", text);
    expect_rejected(&s, "too long");
    text[LABEL_NAME_BYTES_MAX + 1] = '\0';
    put_label(&s, 1, text, "v");
    expect_rejected(&s, "too long");
}

static void limits_themselves_are_allowed(void **state)
{
    (void)state;
    struct buf raw = new_buf(), s = new_buf();
    AUTO_FREE char *text = malloc(LABEL_VALUE_BYTES_MAX + 1);
    memset(text, 'x', LABEL_VALUE_BYTES_MAX);
    text[LABEL_VALUE_BYTES_MAX] = '\0';
    put_label(&s, 1, "a", text);
    for (unsigned i = 1; i < LABELS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%03u", i);
        put_label(&s, 1, name, "v");
    }
    put_sample(&s, 2, 1, 1);
    put_span(&raw, 1, buf_view(&s));
    put_span(&raw, 1, buf_view(&s));
    put_message(&raw, 1, &s);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(w->series[i].labels.n, LABELS_MAX);
    check_span(w->series[2].labels.pairs[LABELS_MAX - 1].name, "l127");
    write_request_free(w);
}

static void histograms_that_break_their_rules_are_left_out(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"spans name another number",
                                        "negative",
                                        "overlap",
                                        "schema",
                                        "mixes",
                                        "do not rise",
                                        "overflow",
                                        "beyond",
                                        "add up"};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        struct buf h = i == 5 || i == 7 ? custom_histogram() : integer_histogram();
        if (i == 0)
            put_bucket_span(&h, 11, 1, 1);
        else if (i == 1 || i == 6) {
            put_bucket_span(&h, 11, 1, i == 1 ? 1 : 2);
            put_zigzag(&h, 12, i == 1 ? -100 : INT64_MAX);
            if (i == 6)
                put_zigzag(&h, 12, INT64_MAX);
        } else if (i == 2)
            put_bucket_span(&h, 11, -1, 0);
        else if (i == 3)
            put_zigzag(&h, 4, 9);
        else if (i == 4)
            put_double(&h, 13, 1);
        else if (i == 5)
            put_double(&h, 16, 2.5);
        else if (i == 8)
            put_int(&h, 1, 22);
        else {
            put_bucket_span(&h, 11, 0, 1);
            put_double(&h, 13, 1);
        }
        struct buf raw = series_with(4, &h);
        struct remote_write_report report;
        struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
        assert_int_equal(w->n_series, 0);
        assert_int_equal(report.rejected_samples, 1);
        assert_int_equal(report.rejected_histograms, 1);
        check_contains(report.why, "series 1 (h)");
        check_contains(report.why, WORDS[i]);
        write_request_free(w);
    }
}

static void protocol_2_refuses_references_to_nowhere(void **state)
{
    (void)state;
    static const struct span REFS[] = {SPAN_INIT("\x01\x05"), SPAN_INIT("\x01"), SPAN_INIT("\x01\xff\xff\xff\xff\x0f")};
    for (size_t i = 0; i <= ARRAY_LEN(REFS); i++) {
        struct buf raw = new_buf(), s = new_buf();
        put_span(&raw, 4, i < ARRAY_LEN(REFS) ? SPAN("") : SPAN("not empty"));
        put_span(&raw, 4, SPAN("a"));
        put_span(&s, 1, i < ARRAY_LEN(REFS) ? REFS[i] : SPAN("\x01\x01"));
        put_message(&raw, 5, &s);
        struct write_request *w;
        struct remote_write_report report;
        check_errno(decode_as(REMOTE_WRITE_2, &raw, &w, &report), -EBADMSG);
        buf_done(&raw);
    }
}

/* ---- broken bytes ---- */

static struct buf rich_request(void)
{
    struct buf raw = new_buf(), s = new_buf(), m = new_buf();
    put_label(&s, 1, "__name__", "up");
    put_label(&s, 1, "job", "a longer value with \xe2\x82\xac");
    put_sample(&s, 2, 1, 1700000000000);
    put_sample(&s, 2, 2, -5);
    put_label(&m, 1, "trace_id", "abc");
    put_double(&m, 2, 1);
    put_message(&s, 3, &m);
    m = integer_histogram();
    put_message(&s, 4, &m);
    m = custom_histogram();
    put_message(&s, 4, &m);
    put_message(&raw, 1, &s);
    put_int(&m, 1, 1);
    put_span(&m, 2, SPAN("up"));
    put_span(&m, 4, SPAN("Help"));
    put_message(&raw, 3, &m);
    put_int(&raw, 9, 5); /* unknown fields of each type */
    put_double(&raw, 10, 5);
    put_span(&raw, 11, SPAN("?"));
    put_varint(&raw, 12 << 3 | 5);
    buf_bytes(&raw, "1234", 4);
    return raw;
}

/* Whatever came out must be whole: touch all of it, so that the sanitizers see it. */
static uint64_t touch(const struct write_request *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->n_series; i++) {
        const struct write_series *s = &w->series[i];
        const char *why;
        check_ok(labels_check(&s->labels, &why));
        sum += labels_hash(&s->labels);
        for (size_t k = 0; k < s->key.len; k++)
            sum += (unsigned char)s->key.ptr[k];
        for (size_t k = 0; k < s->n_samples; k++)
            sum += f64_bits(s->samples[k].value) + (uint64_t)s->samples[k].t_ms;
        for (size_t k = 0; k < s->n_exemplars; k++)
            sum += labels_hash(&s->exemplars[k].labels);
        for (size_t k = 0; k < s->n_histograms; k++) {
            const struct native_histogram *h = s->histograms[k].histogram;
            for (size_t b = 0; b < h->n_positive; b++)
                sum += f64_bits(h->positive[b]);
            for (size_t b = 0; b < h->n_negative; b++)
                sum += f64_bits(h->negative[b]);
            for (size_t b = 0; b < h->n_bounds; b++)
                sum += f64_bits(h->bounds[b]);
        }
    }
    for (size_t i = 0; i < w->n_metadata; i++)
        sum += w->metadata[i].name.len + w->metadata[i].help.len;
    return sum;
}

static int decode_bytes(enum remote_write_protocol protocol, const char *bytes, size_t n, bool compress)
{
    /* from an exact-size heap block: reading one byte too far is found */
    struct write_request *w = NULL;
    struct remote_write_report report;
    size_t size = compress ? snappy_max_compressed_length(n) : n;
    char *copy = malloc(size ? size : 1);
    if (compress)
        assert_int_equal(snappy_compress(bytes, n, copy, &size), SNAPPY_OK);
    else if (n)
        memcpy(copy, bytes, n);
    copy = realloc(copy, size ? size : 1);
    int r = remote_write_decode(protocol, span_of(copy, size), &w, &report);
    free(copy);
    if (r == 0) {
        touch(w);
        write_request_free(w);
    } else {
        check_errno(r, -EBADMSG);
    }
    return r;
}

static void a_request_cut_at_any_byte_is_refused_or_whole(void **state)
{
    (void)state;
    struct buf raw[2] = {rich_request(), request_2()};
    for (int p = 0; p < 2; p++) {
        size_t fine = 0;
        for (size_t n = 0; n <= raw[p].len; n++)
            fine += decode_bytes((enum remote_write_protocol)p, raw[p].data, n, true) == 0;
        /* only cuts between top-level fields are whole requests */
        assert_int_equal(fine, p == 0 ? 7 : 13);
        struct buf body = compressed(&raw[p]);
        for (size_t n = 0; n < body.len; n++)
            check_errno(decode_bytes((enum remote_write_protocol)p, body.data, n, false), -EBADMSG);
        buf_done(&body);
        buf_done(&raw[p]);
    }
}

static void flipped_bits_never_do_harm(void **state)
{
    (void)state;
    struct buf raw[2] = {rich_request(), request_2()};
    for (int p = 0; p < 2; p++) {
        struct buf body = compressed(&raw[p]);
        size_t refused = 0;
        for (size_t bit = 0; bit < raw[p].len * 8; bit++) {
            raw[p].data[bit / 8] = (char)(raw[p].data[bit / 8] ^ (1 << bit % 8));
            refused += decode_bytes((enum remote_write_protocol)p, raw[p].data, raw[p].len, true) < 0;
            raw[p].data[bit / 8] = (char)(raw[p].data[bit / 8] ^ (1 << bit % 8));
        }
        assert_true(refused > 100);
        for (size_t bit = 0; bit < body.len * 8; bit++) {
            struct write_request *w;
            struct remote_write_report report;
            body.data[bit / 8] = (char)(body.data[bit / 8] ^ (1 << bit % 8));
            int r = remote_write_decode((enum remote_write_protocol)p, buf_view(&body), &w, &report);
            body.data[bit / 8] = (char)(body.data[bit / 8] ^ (1 << bit % 8));
            if (r == 0) {
                touch(w);
                write_request_free(w);
            } else if (r != -EFBIG) { /* the length may have become a giant's */
                check_errno(r, -EBADMSG);
            }
        }
        buf_done(&body);
        buf_done(&raw[p]);
    }
}

static void malformed_protobuf_is_refused(void **state)
{
    (void)state;
    static const struct span CASES[] = {
        SPAN_INIT("\x0b"),                                             /* a group */
        SPAN_INIT("\x00\x01"),                                         /* field 0 */
        SPAN_INIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),     /* a length beyond everything */
        SPAN_INIT("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* 65 bits */
        SPAN_INIT("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* 11 bytes */
        SPAN_INIT("\x08\x01"),                                         /* timeseries as a number */
        SPAN_INIT("\x0a\x02\x08\x01"),                                 /* labels as a number */
        SPAN_INIT("\x0a\x04\x12\x02\x08\x01"),                         /* a value as a number */
        SPAN_INIT("\x0a\x03\x12\x01\x09"),                             /* a cut double */
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        check_errno(decode_bytes(REMOTE_WRITE_1, CASES[i].ptr, CASES[i].len, true), -EBADMSG);
    assert_int_equal(decode_bytes(REMOTE_WRITE_1, "", 0, true), 0); /* an empty request is one */
    check_errno(decode_bytes(REMOTE_WRITE_1, "", 0, false), -EBADMSG);
    check_errno(decode_bytes(REMOTE_WRITE_1, "hello, world", 12, false), -EBADMSG);
}

static void sizes_that_lie_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    struct write_request *w;
    struct remote_write_report report;
    /* snappy's length: 64 MB, then 31 MB, of nothing */
    check_errno(remote_write_decode(REMOTE_WRITE_1, SPAN("\x80\x80\x80\x20\x00"), &w, &report), -EFBIG);
    check_errno(remote_write_decode(REMOTE_WRITE_1, SPAN("\x80\x80\xc0\x0f\x00"), &w, &report), -EBADMSG);
    /* 4 M empty series in 8 MB would take 320 MB */
    struct buf raw = new_buf();
    for (int i = 0; i < 4 << 20; i++)
        buf_bytes(&raw, "\x0a\x00", 2);
    check_errno(decode_as(REMOTE_WRITE_1, &raw, &w, &report), -EFBIG);
    buf_done(&raw);
}

/* ---- headers ---- */

static void the_protocol_comes_from_the_headers(void **state)
{
    (void)state;
    static const struct {
        const char *type, *encoding;
        int result;
        enum remote_write_protocol protocol;
    } CASES[] = {
        {"application/x-protobuf", "snappy", 0, REMOTE_WRITE_1},
        {"Application/X-Protobuf ; charset=utf-8", "Snappy", 0, REMOTE_WRITE_1},
        {"application/x-protobuf;proto=prometheus.WriteRequest", "snappy", 0, REMOTE_WRITE_1},
        {"application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", 0, REMOTE_WRITE_2},
        {"application/x-protobuf; Proto=\"io.prometheus.write.v2.Request\"", "snappy", 0, REMOTE_WRITE_2},
        {"application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy", -EPROTONOSUPPORT, 0},
        {"application/x-protobuf;proto", "snappy", -EPROTONOSUPPORT, 0},
        {"application/json", "snappy", -EPROTONOSUPPORT, 0},
        {"application/x-protobufs", "snappy", -EPROTONOSUPPORT, 0},
        {"application/x-protobuf", "gzip", -EPROTONOSUPPORT, 0},
        {"application/x-protobuf", "", -EPROTONOSUPPORT, 0},
        {"", "snappy", -EPROTONOSUPPORT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        enum remote_write_protocol got = (enum remote_write_protocol)77;
        int r = remote_write_protocol_of(span_str(CASES[i].type), span_str(CASES[i].encoding), &got);
        check_errno(r, CASES[i].result);
        assert_int_equal(got, r == 0 ? CASES[i].protocol : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_that_break_the_rules_are_left_out_alone),
        cmocka_unit_test(limits_themselves_are_allowed),
        cmocka_unit_test(histograms_that_break_their_rules_are_left_out),
        cmocka_unit_test(protocol_2_refuses_references_to_nowhere),
        cmocka_unit_test(a_request_cut_at_any_byte_is_refused_or_whole),
        cmocka_unit_test(flipped_bits_never_do_harm),
        cmocka_unit_test(malformed_protobuf_is_refused),
        cmocka_unit_test(sizes_that_lie_are_refused_before_memory_is_taken),
        cmocka_unit_test(the_protocol_comes_from_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
