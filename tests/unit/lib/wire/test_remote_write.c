/* Remote write that is right: what is encoded, and what a request decodes to. */
#include "tests/unit/lib/wire/remote_write_test.h"

#include <errno.h>

static struct buf uncompressed(const struct buf *body)
{
    struct buf b = new_buf();
    size_t n = 0;
    assert_int_equal(snappy_uncompressed_length(body->data, body->len, &n), SNAPPY_OK);
    char *to = buf_reserve(&b, n);
    assert_int_equal(snappy_uncompress(body->data, body->len, to, &n), SNAPPY_OK);
    buf_grew(&b, n);
    return b;
}

static const struct label PAIRS[] = {{SPAN_INIT("__name__"), SPAN_INIT("up")}, {SPAN_INIT("job"), SPAN_INIT("shop")}};
static const struct labels UP = {(struct label *)PAIRS, 2};

/* ---- encoder ---------------------------------------------------------------------------------------------- */

static void the_encoder_writes_the_bytes_of_the_specification(void **state)
{
    (void)state;
    static const unsigned char WANT[] = {
        0x0a, 0x38, /* timeseries, 56 bytes */
        0x0a, 0x0e, 0x0a, 8,    '_',  '_',  'n',  'a',  'm',  'e',  '_',  '_',  0x12, 2,   'u',  'p', /* label */
        0x0a, 0x0b, 0x0a, 3,    'j',  'o',  'b',  0x12, 4,    's',  'h',  'o',  'p',                  /* label */
        0x12, 0x0c, 0x09, 0,    0,    0,    0,    0,    0,    0xf0, 0x3f, 0x10, 0xe8, 7,              /* 1 @ 1000 */
        0x12, 0x0b, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,                    /* 0 @ -1 */
        0x1a, 0x10, 0x08, 1,    0x12, 2,    'u',  'p',  0x22, 4,    'H',  'e',  'l',  'p', 0x2a, 2,   'm', 's',
    };
    struct remote_write_encoder *e;
    check_ok(remote_write_encoder_new(&e));
    const struct sample samples[] = {{.t_ms = 1000, .value = 1}, {.t_ms = -1, .value = 0}};
    check_ok(remote_write_add(e, &UP, samples, 2));
    check_ok(remote_write_add(e, &UP, samples, 0));
    check_ok(remote_write_metadata(e, &(struct metadata){SPAN("up"), METRIC_TYPE_COUNTER, SPAN("ms"), SPAN("Help")}));
    assert_int_equal(remote_write_samples(e), 2);
    assert_int_equal(remote_write_bytes(e), sizeof WANT);
    struct buf body = new_buf();
    check_ok(remote_write_finish(e, &body));
    struct buf raw = uncompressed(&body);
    assert_int_equal(raw.len, sizeof WANT);
    assert_memory_equal(raw.data, WANT, sizeof WANT);
    assert_int_equal(remote_write_samples(e), 0);
    assert_int_equal(remote_write_bytes(e), 0);
    buf_done(&raw);
    buf_done(&body);
    remote_write_encoder_free(e);
    remote_write_encoder_free(NULL);
}

static void the_encoder_asks_to_send_first_and_adds_nothing(void **state)
{
    (void)state;
    struct remote_write_encoder *e;
    check_ok(remote_write_encoder_new(&e));
    struct sample samples[1000];
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        samples[i] = (struct sample){.t_ms = 1700000000000 + (int64_t)i, .value = (double)i + 0.5};
    int r = 0;
    size_t added = 0;
    while ((r = remote_write_add(e, &UP, samples, ARRAY_LEN(samples))) == 0)
        added += ARRAY_LEN(samples);
    check_errno(r, -E2BIG);
    assert_int_equal(remote_write_samples(e), added);
    size_t bytes = remote_write_bytes(e);
    assert_true(bytes > (3900u << 10) && bytes <= (4u << 20));
    check_errno(remote_write_add(e, &UP, samples, ARRAY_LEN(samples)), -E2BIG);
    assert_int_equal(remote_write_bytes(e), bytes);
    struct buf body = new_buf();
    check_ok(remote_write_finish(e, &body));
    struct write_request *w;
    struct remote_write_report report;
    check_ok(remote_write_decode(REMOTE_WRITE_1, buf_view(&body), &w, &report));
    size_t got = 0;
    for (size_t i = 0; i < w->n_series; i++)
        got += w->series[i].n_samples;
    assert_int_equal(got, added);
    write_request_free(w);
    buf_done(&body);

    /* one series alone may pass the goal, but not the receiver's limit */
    size_t n = 300000;
    AUTO_FREE struct sample *many = calloc(n, sizeof *many);
    for (size_t i = 0; i < n; i++)
        many[i] = samples[i % ARRAY_LEN(samples)];
    check_ok(remote_write_add(e, &UP, many, n));
    check_errno(remote_write_add(e, &UP, many, 1), -E2BIG);
    check_ok(remote_write_finish(e, &body));
    buf_done(&body);
    AUTO_FREE char *text = calloc(1, BODY_BYTES_MAX);
    struct label huge = {SPAN("a"), span_of(text, BODY_BYTES_MAX)};
    check_errno(remote_write_add(e, &(struct labels){&huge, 1}, many, 1), -EMSGSIZE);
    check_errno(remote_write_metadata(e, &(struct metadata){.name = huge.value}), -EMSGSIZE);
    assert_int_equal(remote_write_samples(e), 0);
    remote_write_encoder_free(e);
}

/* ---- 1.0 -------------------------------------------------------------------------------------------------- */

static void what_is_encoded_decodes_to_the_same(void **state)
{
    (void)state;
    struct check_random rnd = check_random_new("remote write round trip");
    static const uint64_t BITS[] = {0, 1ull << 63, STALE_BITS, NAN_BITS, 0xfff8000000000001, 1, 0x7ff0000000000000};
    for (unsigned round = 0; round < 200 / check_slowness(); round++) {
        struct remote_write_encoder *e;
        check_ok(remote_write_encoder_new(&e));
        enum { SERIES = 40, LABELS = 12 };
        static char names[SERIES][LABELS][32], values[SERIES][LABELS][32];
        static struct label pairs[SERIES][LABELS];
        static struct sample samples[SERIES][300];
        size_t n_labels[SERIES], n_samples[SERIES], n = 1 + check_random_below(&rnd, SERIES);
        for (size_t i = 0; i < n; i++) {
            n_labels[i] = 1 + check_random_below(&rnd, LABELS);
            n_samples[i] = 1 + check_random_below(&rnd, check_random_below(&rnd, 10) ? 3 : 300);
            for (size_t l = 0; l < n_labels[i]; l++) {
                snprintf(names[i][l], sizeof names[i][l], "l%02zu%s", l, check_random_below(&rnd, 9) ? "" : "\xc3\xa9");
                snprintf(values[i][l], sizeof values[i][l], "v%u", (unsigned)check_random_below(&rnd, 1000000));
                pairs[i][l] = (struct label){span_str(names[i][l]), span_str(values[i][l])};
            }
            for (size_t k = 0; k < n_samples[i]; k++) {
                bool odd = check_random_below(&rnd, 4) == 0;
                uint64_t bits = odd ? BITS[check_random_below(&rnd, ARRAY_LEN(BITS))] : check_random_u64(&rnd);
                samples[i][k] = (struct sample){.value = f64_from_bits(bits)};
                samples[i][k].t_ms = (int64_t)(check_random_u64(&rnd) >> check_random_below(&rnd, 64));
            }
            check_ok(remote_write_add(e, &(struct labels){pairs[i], n_labels[i]}, samples[i], n_samples[i]));
        }
        struct buf body = new_buf();
        check_ok(remote_write_finish(e, &body));
        remote_write_encoder_free(e);
        struct write_request *w;
        struct remote_write_report report;
        check_ok(remote_write_decode(REMOTE_WRITE_1, buf_view(&body), &w, &report));
        buf_done(&body); /* nothing may point into the compressed bytes */
        assert_int_equal(report.rejected_series, 0);
        assert_int_equal(w->n_series, n);
        for (size_t i = 0; i < n; i++) {
            const struct write_series *s = &w->series[i];
            assert_true(labels_equal(&s->labels, &(struct labels){pairs[i], n_labels[i]}));
            assert_int_equal(s->n_samples, n_samples[i]);
            for (size_t k = 0; k < s->n_samples; k++) {
                assert_true(s->samples[k].t_ms == samples[i][k].t_ms && s->samples[k].start_ms == 0);
                check_double_bits(s->samples[k].value, samples[i][k].value);
            }
        }
        write_request_free(w);
    }
}

static void the_key_is_the_raw_bytes_of_the_labels(void **state)
{
    (void)state;
    struct buf raw = new_buf(), series = new_buf(), labels = new_buf();
    put_label(&labels, 1, "__name__", "up");
    put_label(&labels, 1, "job", "shop");
    buf_span(&series, buf_view(&labels));
    put_sample(&series, 2, 1, 1000);
    put_message(&raw, 1, &series);
    put_sample(&series, 2, 1, 1000); /* labels behind the samples are as good */
    buf_span(&series, buf_view(&labels));
    put_message(&raw, 1, &series);
    put_label(&series, 1, "__name__", "up"); /* a sample between them: no key, the same labels */
    put_sample(&series, 2, 1, 1000);
    put_label(&series, 1, "job", "shop");
    put_message(&raw, 1, &series);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 3);
    assert_true(span_equal(w->series[0].key, buf_view(&labels)));
    assert_true(span_equal(w->series[1].key, buf_view(&labels)));
    assert_int_equal(w->series[2].key.len, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(labels_equal(&w->series[i].labels, &UP));
        assert_int_equal(w->series[i].n_samples, 1);
    }
    write_request_free(w);
    buf_done(&labels);
}

struct one_known {
    struct span key;
    unsigned asked;
};

static bool find_one(void *ctx, struct span key, uint32_t *ret_id)
{
    struct one_known *k = ctx;
    k->asked++;
    *ret_id = 41;
    return span_equal(key, k->key);
}

static bool guess_nothing(void *ctx, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id)
{
    (void)ctx, (void)bytes, (void)ret_key_bytes, (void)ret_id;
    return false;
}

static void labels_of_known_series_are_left_as_they_came(void **state)
{
    (void)state;
    struct buf raw = new_buf(), series = new_buf(), labels = new_buf(), other = new_buf();
    put_label(&labels, 1, "__name__", "up");
    put_label(&labels, 1, "job", "shop");
    put_label(&other, 1, "__name__", "down");
    for (unsigned i = 0; i < 2; i++) {
        buf_span(&series, i ? buf_view(&other) : buf_view(&labels));
        put_sample(&series, 2, 1 + i, 1000);
        put_sample(&series, 2, 3, 2000);
        put_message(&raw, 1, &series);
    }
    put_sample(&series, 2, 1, 1000); /* behind the samples: found by its labels */
    buf_span(&series, buf_view(&labels));
    put_message(&raw, 1, &series);
    put_label(&series, 1, "__name__", "up"); /* apart */
    put_sample(&series, 2, 1, 1000);
    put_label(&series, 1, "job", "shop");
    put_message(&raw, 1, &series);
    buf_span(&series, buf_view(&labels)); /* without a sample */
    put_message(&raw, 1, &series);
    buf_span(&series, buf_view(&labels)); /* a bad histogram still has its series' name */
    put_span(&series, 4, SPAN("\x20\x7f"));
    put_message(&raw, 1, &series);
    size_t size = snappy_max_compressed_length(raw.len);
    AUTO_FREE char *body = malloc(size);
    assert_int_equal(snappy_compress(raw.data, raw.len, body, &size), SNAPPY_OK);
    struct one_known k = {.key = buf_view(&labels)};
    struct remote_write_report report;
    struct write_request *w;
    const struct remote_write_known known = {find_one, guess_nothing, &k};
    check_ok(remote_write_decode_known(REMOTE_WRITE_1, span_of(body, size), &known, &w, &report));
    assert_int_equal(k.asked, 4);
    assert_int_equal(w->n_series, 4);
    assert_int_equal(w->series[0].known, 42);
    assert_int_equal(w->series[0].labels.n, 0);
    assert_int_equal(w->series[0].n_samples, 2);
    check_double_bits(w->series[0].samples[1].value, 3);
    assert_true(span_equal(w->series[0].key, buf_view(&labels)));
    assert_int_equal(w->series[1].known, 0);
    assert_int_equal(w->series[1].labels.n, 1);
    for (size_t i = 2; i < 4; i++) {
        assert_int_equal(w->series[i].known, 0);
        assert_true(labels_equal(&w->series[i].labels, &UP));
    }
    assert_int_equal(report.rejected_samples, 1);
    assert_non_null(strstr(report.why, "(up)"));
    write_request_free(w);
    buf_done(&raw);
    buf_done(&series);
    buf_done(&labels);
    buf_done(&other);
}

/* Three series: "a" and "ab", of which the key of one is not the beginning of the other's, and "a" with one label more, of which it is. */
struct three_known {
    struct span key[2];
    uint32_t next;
    unsigned guessed, found;
};

static bool find_of_three(void *ctx, struct span key, uint32_t *ret_id)
{
    struct three_known *k = ctx;
    for (uint32_t i = 0; i < 2; i++)
        if (span_equal(key, k->key[i])) {
            *ret_id = i;
            k->next = i + 1;
            k->found++;
            return true;
        }
    return false;
}

static bool next_of_three(void *ctx, struct span bytes, size_t *ret_key_bytes, uint32_t *ret_id)
{
    struct three_known *k = ctx;
    struct span key = k->key[k->next % 2];
    if (key.len > bytes.len || memcmp(key.ptr, bytes.ptr, key.len) != 0)
        return false;
    *ret_key_bytes = key.len;
    *ret_id = k->next++ % 2;
    k->guessed++;
    return true;
}

static void known_series_of_one_sample_come_as_runs_in_their_order(void **state)
{
    (void)state;
    struct buf raw = new_buf(), series = new_buf(), key[2] = {new_buf(), new_buf()};
    put_label(&key[0], 1, "__name__", "a");
    put_label(&key[1], 1, "__name__", "ab");
    static const int ORDER[] = {0, 1, 0, 2, 1, 1, 3, 0}; /* 2: "a" with another label; 3: "ab" with two samples */
    for (size_t i = 0; i < ARRAY_LEN(ORDER); i++) {
        buf_span(&series, buf_view(&key[ORDER[i] % 2]));
        if (ORDER[i] == 2)
            put_label(&series, 1, "job", "shop");
        put_sample(&series, 2, (double)i, 1000);
        if (ORDER[i] == 3)
            put_sample(&series, 2, (double)i, 2000);
        put_message(&raw, 1, &series);
    }
    size_t size = snappy_max_compressed_length(raw.len);
    AUTO_FREE char *body = malloc(size);
    assert_int_equal(snappy_compress(raw.data, raw.len, body, &size), SNAPPY_OK);
    struct three_known k = {.key = {buf_view(&key[0]), buf_view(&key[1])}};
    const struct remote_write_known known = {find_of_three, next_of_three, &k};
    struct remote_write_report report;
    struct write_request *w;
    check_ok(remote_write_decode_known(REMOTE_WRITE_1, span_of(body, size), &known, &w, &report));
    static const struct {
        unsigned n;
        uint32_t first, last; /* ids */
        double value;         /* the first */
    } EXPECTED[] = {{3, 0, 0, 0}, {1, UINT32_MAX, 0, 3}, {2, 1, 1, 4}, {2, UINT32_MAX, 0, 6}, {1, 0, 0, 7}};
    assert_int_equal(w->n_series, ARRAY_LEN(EXPECTED));
    for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++) {
        const struct write_series *s = &w->series[i];
        assert_int_equal(s->n_samples, EXPECTED[i].n);
        check_double_bits(s->samples[0].value, EXPECTED[i].value);
        assert_int_equal(s->run != NULL, EXPECTED[i].first != UINT32_MAX);
        if (s->run) {
            assert_int_equal(s->run[0], EXPECTED[i].first);
            assert_int_equal(s->run[s->n_samples - 1], EXPECTED[i].last);
        }
    }
    assert_int_equal(w->series[1].labels.n, 2);
    assert_int_equal(w->series[3].known, 2);
    assert_true(k.guessed >= 3);
    assert_true(k.found >= 2);
    write_request_free(w);
    buf_done(&raw);
    buf_done(&series);
    buf_done(&key[0]);
    buf_done(&key[1]);
}

static void labels_out_of_order_are_sorted_and_empty_values_dropped(void **state)
{
    (void)state;
    struct buf raw = new_buf(), series = new_buf();
    put_label(&series, 1, "job", "shop");
    put_label(&series, 1, "instance", "");
    put_label(&series, 1, "__name__", "up");
    put_sample(&series, 2, 1, 1000);
    put_message(&raw, 1, &series);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 1);
    assert_true(labels_equal(&w->series[0].labels, &UP));
    assert_int_equal(report.rejected_series, 0);
    write_request_free(w);
}

static void metadata_of_all_types_is_read(void **state)
{
    (void)state;
    static const enum metric_type TYPES[] = {
        METRIC_TYPE_UNKNOWN,   METRIC_TYPE_COUNTER,         METRIC_TYPE_GAUGE,
        METRIC_TYPE_HISTOGRAM, METRIC_TYPE_GAUGE_HISTOGRAM, METRIC_TYPE_SUMMARY,
        METRIC_TYPE_INFO,      METRIC_TYPE_STATESET,        METRIC_TYPE_UNKNOWN,
    };
    struct buf raw = new_buf();
    for (unsigned i = 0; i < ARRAY_LEN(TYPES); i++) {
        struct buf m = new_buf();
        put_int(&m, 1, i);
        put_span(&m, 2, SPAN("x_seconds"));
        put_span(&m, 4, SPAN("Help \xe2\x82\xac"));
        put_span(&m, 5, SPAN("seconds"));
        put_message(&raw, 3, &m);
    }
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_metadata, ARRAY_LEN(TYPES));
    for (size_t i = 0; i < w->n_metadata; i++) {
        assert_int_equal(w->metadata[i].type, TYPES[i]);
        check_span(w->metadata[i].name, "x_seconds");
        check_span(w->metadata[i].help, "Help \xe2\x82\xac");
        check_span(w->metadata[i].unit, "seconds");
    }
    write_request_free(w);
}

/* ---- histograms and exemplars ----------------------------------------------------------------------------- */

static void integer_histograms_become_absolute_counts(void **state)
{
    (void)state;
    struct buf h = integer_histogram();
    struct buf raw = series_with(4, &h);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 1);
    assert_int_equal(w->series[0].n_histograms, 1);
    assert_true(w->series[0].histograms[0].t_ms == 123456);
    const struct native_histogram *got = w->series[0].histograms[0].histogram;
    assert_int_equal(got->schema, -1);
    assert_false(got->is_float);
    assert_int_equal(got->hint, HISTOGRAM_RESET_NO);
    check_double_bits(got->count, 21);
    check_double_bits(got->sum, 18.5);
    check_double_bits(got->zero_threshold, 1e-128);
    check_double_bits(got->zero_count, 2);
    assert_int_equal(got->n_negative_spans, 1);
    assert_int_equal(got->negative_spans[0].offset, -3);
    assert_int_equal(got->n_positive_spans, 2);
    assert_int_equal(got->positive_spans[1].offset, 3);
    assert_int_equal(got->positive_spans[1].length, 2);
    const double positive[] = {1, 3, 2, 9};
    assert_int_equal(got->n_negative, 1);
    check_double_bits(got->negative[0], 4);
    assert_int_equal(got->n_positive, ARRAY_LEN(positive));
    for (size_t i = 0; i < ARRAY_LEN(positive); i++)
        check_double_bits(got->positive[i], positive[i]);
    write_request_free(w);
}

static void custom_bucket_histograms_keep_their_bounds(void **state)
{
    (void)state;
    struct buf h = custom_histogram();
    struct buf raw = series_with(4, &h);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    const struct native_histogram *got = w->series[0].histograms[0].histogram;
    assert_true(got->is_float);
    assert_int_equal(got->schema, HISTOGRAM_CUSTOM_SCHEMA);
    assert_int_equal(got->hint, HISTOGRAM_GAUGE);
    assert_int_equal(got->n_bounds, 3);
    check_double_bits(got->bounds[2], 2.5);
    assert_int_equal(got->n_positive, 3);
    check_double_bits(got->positive[0], 1.5);
    check_double_bits(got->count, 6.5);
    write_request_free(w);
}

static void exemplars_come_with_their_labels(void **state)
{
    (void)state;
    struct buf raw = new_buf(), s = new_buf(), x = new_buf();
    put_label(&x, 1, "trace_id", "abc");
    put_label(&x, 1, "span_id", "1");
    put_double(&x, 2, 0.25);
    put_int(&x, 3, 1234);
    put_label(&s, 1, "__name__", "h_bucket");
    put_message(&s, 3, &x);
    put_double(&x, 2, 7); /* no labels, no time */
    put_message(&s, 3, &x);
    put_label(&x, 1, "bad", "\xff");
    put_message(&s, 3, &x);
    put_message(&raw, 1, &s);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_1, &raw, &report);
    assert_int_equal(w->n_series, 1);
    assert_int_equal(w->series[0].n_exemplars, 2);
    assert_int_equal(report.rejected_exemplars, 1);
    assert_int_equal(report.rejected_series, 0);
    const struct exemplar *got = w->series[0].exemplars;
    check_span(labels_get(&got[0].labels, SPAN("trace_id")), "abc");
    check_span(got[0].labels.pairs[0].name, "span_id");
    assert_true(got[0].t_ms == 1234 && got[0].has_time);
    check_double_bits(got[0].value, 0.25);
    assert_int_equal(got[1].labels.n, 0);
    assert_false(got[1].has_time);
    check_span(labels_get(&w->series[0].labels, SPAN("__name__")), "h_bucket");
    write_request_free(w);
}

/* ---- 2.0 -------------------------------------------------------------------------------------------------- */

static void start_times_of_a_series_are_those_of_its_samples_without(void **state)
{
    (void)state;
    struct buf raw = new_buf(), s = new_buf(), m = new_buf();
    put_span(&raw, 4, SPAN(""));
    put_span(&raw, 4, SPAN("__name__"));
    put_span(&raw, 4, SPAN("up"));
    put_int(&s, 1, 1);
    put_int(&s, 1, 2);
    put_int(&s, 6, 700); /* created_timestamp */
    put_int(&m, 2, 1000);
    put_message(&s, 2, &m);
    put_int(&m, 2, 2000);
    put_int(&m, 3, 900); /* one of its own */
    put_message(&s, 2, &m);
    struct buf h = integer_histogram();
    put_message(&s, 3, &h);
    put_message(&raw, 5, &s);
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_2, &raw, &report);
    assert_int_equal(w->series[0].n_samples, 2);
    assert_true(w->series[0].samples[0].start_ms == 700 && w->series[0].samples[1].start_ms == 900);
    assert_true(w->series[0].histograms[0].start_ms == 700);
    write_request_free(w);
}

static void protocol_2_resolves_its_symbols(void **state)
{
    (void)state;
    struct buf raw = request_2();
    struct remote_write_report report;
    struct write_request *w = must_decode(REMOTE_WRITE_2, &raw, &report);
    assert_int_equal(w->n_series, 2);
    const struct write_series *s = &w->series[0];
    check_span(labels_get(&s->labels, SPAN("__name__")), "http_seconds_bucket");
    check_span(labels_get(&s->labels, SPAN("job")), "shop");
    assert_int_equal(s->key.len, 0);
    assert_int_equal(s->n_samples, 1);
    assert_true(s->samples[0].t_ms == 1000 && s->samples[0].start_ms == 900 && s->samples[0].value == 5);
    assert_int_equal(s->n_exemplars, 1);
    check_span(labels_get(&s->exemplars[0].labels, SPAN("trace_id")), "t1");
    check_span(labels_get(&w->series[1].labels, SPAN("__name__")), "up");
    assert_int_equal(w->series[1].n_histograms, 1);
    assert_true(w->series[1].histograms[0].start_ms == 42);
    assert_int_equal(w->n_metadata, 1);
    check_span(w->metadata[0].name, "http_seconds");
    check_span(w->metadata[0].help, "Help");
    check_span(w->metadata[0].unit, "seconds");
    assert_int_equal(w->metadata[0].type, METRIC_TYPE_HISTOGRAM);
    write_request_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoder_writes_the_bytes_of_the_specification),
        cmocka_unit_test(the_encoder_asks_to_send_first_and_adds_nothing),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(the_key_is_the_raw_bytes_of_the_labels),
        cmocka_unit_test(labels_of_known_series_are_left_as_they_came),
        cmocka_unit_test(known_series_of_one_sample_come_as_runs_in_their_order),
        cmocka_unit_test(labels_out_of_order_are_sorted_and_empty_values_dropped),
        cmocka_unit_test(metadata_of_all_types_is_read),
        cmocka_unit_test(integer_histograms_become_absolute_counts),
        cmocka_unit_test(custom_bucket_histograms_keep_their_bounds),
        cmocka_unit_test(exemplars_come_with_their_labels),
        cmocka_unit_test(protocol_2_resolves_its_symbols),
        cmocka_unit_test(start_times_of_a_series_are_those_of_its_samples_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
