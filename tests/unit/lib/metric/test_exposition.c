#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/metric/exposition.h"

/* Everything a page gives, as one text: what the tests compare. */
struct heard {
    struct buf out;
    size_t samples, metadata;
    int answer; /* what the callbacks return */
};

static int hear_sample(void *ctx, const struct exposition_sample *s)
{
    struct heard *h = ctx;
    const char *why = NULL;
    if (labels_check(&s->labels, &why) < 0)
        fail_msg("labels of sample %zu: %s", h->samples, why);
    h->samples++;
    buf_str(&h->out, metric_type_name(s->type));
    buf_printf(&h->out, "(" SPAN_FMT ") ", SPAN_ARG(s->family));
    labels_format(&h->out, &s->labels);
    buf_char(&h->out, ' ');
    buf_f64(&h->out, s->value);
    if (isnan(s->value))
        assert_true(f64_bits(s->value) == NAN_BITS);
    if (s->has_time)
        buf_printf(&h->out, " @%lld", (long long)s->t_ms);
    if (s->start_ms)
        buf_printf(&h->out, " st@%lld", (long long)s->start_ms);
    if (s->exemplar) {
        buf_str(&h->out, " # ");
        labels_format(&h->out, &s->exemplar->labels);
        buf_char(&h->out, ' ');
        buf_f64(&h->out, s->exemplar->value);
        if (s->exemplar->has_time)
            buf_printf(&h->out, " @%lld", (long long)s->exemplar->t_ms);
    }
    buf_char(&h->out, '\n');
    return h->answer;
}

static int hear_metadata(void *ctx, const struct metadata *m)
{
    struct heard *h = ctx;
    h->metadata++;
    buf_printf(&h->out, "M " SPAN_FMT " %s [" SPAN_FMT "] [" SPAN_FMT "]\n", SPAN_ARG(m->name),
               metric_type_name(m->type), SPAN_ARG(m->unit), SPAN_ARG(m->help));
    return h->answer;
}

static int listen_to(enum exposition_format format, bool strict, struct span page, struct heard *h,
                     struct parse_error *err)
{
    *h = (struct heard){0};
    buf_init(&h->out, 1 << 20);
    buf_str(&h->out, "");
    *err = (struct parse_error){0};
    struct exposition_events ev = {h, hear_sample, hear_metadata, strict};
    return exposition_parse(format, page, &ev, err);
}

struct page_case {
    struct span page;
    const char *want;
};

static void assert_pages(enum exposition_format format, const struct page_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct heard h;
        struct parse_error err;
        int r = listen_to(format, false, cases[i].page, &h, &err);
        if (r != 0 || strcmp(h.out.data, cases[i].want) != 0)
            fail_msg("\n" SPAN_FMT "\ngave %d (%u:%u: %s)\n%s\nwant\n%s", SPAN_ARG(cases[i].page), r, err.line,
                     err.column, err.text, h.out.data, cases[i].want);
        buf_done(&h.out);
    }
}

static void text_pages_give_their_samples(void **state)
{
    (void)state;
    static const struct page_case cases[] = {
        {SPAN_INIT(""), ""},
        {SPAN_INIT("\n \n\t\n"), ""},
        {SPAN_INIT("up 1\n"), "unknown(up) up 1\n"},
        {SPAN_INIT("up 1"), "unknown(up) up 1\n"},
        {SPAN_INIT("a:b_C9 1\n"), "unknown(a:b_C9) a:b_C9 1\n"},
        {SPAN_INIT("up{} 1\n"), "unknown(up) up 1\n"},
        {SPAN_INIT("up{b=\"2\",a=\"1\"} 1\n"), "unknown(up) up{a=\"1\", b=\"2\"} 1\n"},
        {SPAN_INIT("up{A=\"1\",a=\"2\"} 1\n"), "unknown(up) up{A=\"1\", a=\"2\"} 1\n"},
        {SPAN_INIT("up{a=\"1\",} 1\n"), "unknown(up) up{a=\"1\"} 1\n"},
        {SPAN_INIT("up{a=\"1\" b=\"2\"} 1\n"), "unknown(up) up{a=\"1\", b=\"2\"} 1\n"},
        {SPAN_INIT("\t up \t{ a = \"1\" ,\tb=\"2\" , } \t 1 \t 5 \n"), "unknown(up) up{a=\"1\", b=\"2\"} 1 @5\n"},
        {SPAN_INIT("up{a=\"1\"}1\n"), "unknown(up) up{a=\"1\"} 1\n"},
        {SPAN_INIT("up{a=\"\",b=\"x\"} 1\n"), "unknown(up) up{b=\"x\"} 1\n"},
        {SPAN_INIT("up{a=\"}# \\\"\\\\\\n\\t\"} 1\n"), "unknown(up) up{a=\"}# \\\"\\\\\\n\\\\t\"} 1\n"},
        {SPAN_INIT("up{a=\"x\ny\"} 1\n"), "unknown(up) up{a=\"x\\ny\"} 1\n"},
        {SPAN_INIT("up{a=\"x\0y\"} 1\n"), "unknown(up) up{a=\"x\\x00y\"} 1\n"},
        {SPAN_INIT("{\"my.metric\",a=\"1\"} 1\n"), "unknown(my.metric) {\"my.metric\", a=\"1\"} 1\n"},
        {SPAN_INIT("{a=\"1\",\"my.metric\"} 1\n"), "unknown(my.metric) {\"my.metric\", a=\"1\"} 1\n"},
        {SPAN_INIT("{\"up\"} 1\n"), "unknown(up) up 1\n"},
        {SPAN_INIT("{ \"up\" , } 1\n"), "unknown(up) up 1\n"},
        {SPAN_INIT("up{\"my.label\"=\"1\"} 1\n"), "unknown(up) up{\"my.label\"=\"1\"} 1\n"},
        {SPAN_INIT("{\"q\\\"\\\\\xc3\xa9\",\"l\\n\"=\"v\"} 1\n"),
         "unknown(q\"\\\xc3\xa9) {\"q\\\"\\\\\xc3\xa9\", \"l\\n\"=\"v\"} 1\n"},
        /* values and times */
        {SPAN_INIT("a 1e3\na -0.5\na +2\na NaN\na +Inf\na -inf\na Infinity\na .5\na 5.\n"),
         "unknown(a) a 1000\nunknown(a) a -0.5\nunknown(a) a 2\nunknown(a) a NaN\nunknown(a) a +Inf\n"
         "unknown(a) a -Inf\nunknown(a) a +Inf\nunknown(a) a 0.5\nunknown(a) a 5\n"},
        {SPAN_INIT("a 1 1395066363000\na 1 -62135596800000\na 1 0\n"),
         "unknown(a) a 1 @1395066363000\nunknown(a) a 1 @-62135596800000\nunknown(a) a 1 @0\n"},
        /* comments */
        {SPAN_INIT("# EOF\nup 1\n#\n#x\n# TYPEx\n# TYPE\n# HELP\n# UNIT a b\n#TYPE up gauge\n# anything \xff\n"),
         "unknown(up) up 1\n"},
        /* metadata */
        {SPAN_INIT("# HELP up is it \\n \\\\ \\\" there\n# TYPE up gauge\nup 1\n"),
         "M up unknown [] [is it \n \\ \\\" there]\nM up gauge [] [is it \n \\ \\\" there]\ngauge(up) up 1\n"},
        {SPAN_INIT("# HELP up\n# HELP up \nup 1\n"), "M up unknown [] []\nM up unknown [] []\nunknown(up) up 1\n"},
        {SPAN_INIT("#  \t TYPE \t up \t counter \t\nup 1\n"), "M up counter [] []\ncounter(up) up 1\n"},
        {SPAN_INIT("# TYPE up untyped\nup 1\n# TYPE up gauge\nup 2\n"),
         "M up unknown [] []\nunknown(up) up 1\nM up gauge [] []\ngauge(up) up 2\n"},
        {SPAN_INIT("# TYPE \"my.metric\" gauge\n{\"my.metric\"} 1\n"),
         "M my.metric gauge [] []\ngauge(my.metric) {\"my.metric\"} 1\n"},
        {SPAN_INIT("# HELP a of a\n# TYPE b gauge\nb 1\na 1\n"),
         "M a unknown [] [of a]\nM b gauge [] []\ngauge(b) b 1\nunknown(a) a 1\n"},
        {SPAN_INIT("# TYPE a gauge\na 1\nab 1\na_total 1\n"),
         "M a gauge [] []\ngauge(a) a 1\nunknown(ab) ab 1\nunknown(a_total) a_total 1\n"},
        /* histograms and summaries: the bounds in one spelling */
        {SPAN_INIT(
             "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.50\"} 1\nh_bucket{le=\"1e6\"} 1\n"
             "h_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"inf\"} 2\nh_bucket{le=\"x\"} 2\nh_sum 3\nh_count{le=\"5\"} 2\n"
             "h_max{le=\"5\"} 2\nh_bucket{le=\"0.0001\"} 0\nh_bucket{le=\"0.00001\"} 0\nh_bucket{le=\"0.0\"} 0\n"
             "h_bucket{le=\"-1\"} 0\nh_bucket{le=\"0.25\"} 0\nh_bucket{le=\"00.5\"} 0\n"
             "h_bucket{le=\"1000000.5\"} 0\nh_bucket{le=\"100000.5\"} 0\nh_bucket{quantile=\"1\"} 0\n"),
         "M h histogram [] []\nhistogram(h) h_bucket{le=\"1.0\"} 1\nhistogram(h) h_bucket{le=\"0.5\"} 1\n"
         "histogram(h) h_bucket{le=\"1e+06\"} 1\nhistogram(h) h_bucket{le=\"+Inf\"} 2\n"
         "histogram(h) h_bucket{le=\"+Inf\"} 2\nhistogram(h) h_bucket{le=\"x\"} 2\nhistogram(h) h_sum 3\n"
         "histogram(h) h_count{le=\"5.0\"} 2\nunknown(h_max) h_max{le=\"5\"} 2\n"
         "histogram(h) h_bucket{le=\"0.0001\"} 0\nhistogram(h) h_bucket{le=\"1e-05\"} 0\n"
         "histogram(h) h_bucket{le=\"0.0\"} 0\nhistogram(h) h_bucket{le=\"-1.0\"} 0\n"
         "histogram(h) h_bucket{le=\"0.25\"} 0\nhistogram(h) h_bucket{le=\"0.5\"} 0\n"
         "histogram(h) h_bucket{le=\"1.0000005e+06\"} 0\nhistogram(h) h_bucket{le=\"100000.5\"} 0\n"
         "histogram(h) h_bucket{quantile=\"1\"} 0\n"},
        {SPAN_INIT("# TYPE s summary\ns{quantile=\"0\"} 1\ns{quantile=\"0.99\"} 2\ns_sum 1\ns_count 1\n"
                   "# TYPE g gauge\ng{le=\"1\",quantile=\"1\"} 1\n"),
         "M s summary [] []\nsummary(s) s{quantile=\"0.0\"} 1\nsummary(s) s{quantile=\"0.99\"} 2\nsummary(s) s_sum 1\n"
         "summary(s) s_count 1\nM g gauge [] []\ngauge(g) g{le=\"1\", quantile=\"1\"} 1\n"},
        /* no start times in text */
        {SPAN_INIT("# TYPE c counter\nc 1\nc_created 1.5\n"),
         "M c counter [] []\ncounter(c) c 1\ncounter(c) c_created 1.5\n"},
    };
    assert_pages(EXPOSITION_TEXT, cases, ARRAY_LEN(cases));
}

static void openmetrics_pages_give_their_samples(void **state)
{
    (void)state;
    static const struct page_case cases[] = {
        {SPAN_INIT("# EOF\n"), ""},
        {SPAN_INIT("# EOF"), ""},
        {SPAN_INIT("up{a=\"1\",b=\"2\"} 1 123.456\n# EOF\n"), "unknown(up) up{a=\"1\", b=\"2\"} 1 @123456\n"},
        {SPAN_INIT("a 1 1395066363.001\na 1 -1.5\na 1 1e3\na 1 0.0005\na 1 1795354463.5052059\n# EOF\n"),
         "unknown(a) a 1 @1395066363001\nunknown(a) a 1 @-1500\nunknown(a) a 1 @1000000\nunknown(a) a 1 @0\n"
         "unknown(a) a 1 @1795354463505\n"},
        {SPAN_INIT("a{x=\"1\",} 1\n# EOF\n"), "unknown(a) a{x=\"1\"} 1\n"},
        {SPAN_INIT("{\"my.metric\",\"l.x\"=\"1\"} 1\n# EOF\n"),
         "unknown(my.metric) {\"my.metric\", \"l.x\"=\"1\"} 1\n"},
        {SPAN_INIT(
             "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds \\\"x\\\\\\n\na_seconds 1\n# EOF\n"),
         "M a_seconds gauge [] []\nM a_seconds gauge [seconds] []\nM a_seconds gauge [seconds] [\"x\\\n]\n"
         "gauge(a_seconds) a_seconds 1\n"},
        {SPAN_INIT("# UNIT a \n# HELP a \n# EOF\n"), "M a unknown [] []\nM a unknown [] []\n"},
        {SPAN_INIT("# TYPE a info\na_info{v=\"1\"} 1\n# TYPE b stateset\nb{b=\"x\"} 0\n# TYPE c unknown\nc 1\n# EOF\n"),
         "M a info [] []\ninfo(a) a_info{v=\"1\"} 1\nM b stateset [] []\nstateset(b) b{b=\"x\"} 0\nM c unknown [] []\n"
         "unknown(c) c 1\n"},
        {SPAN_INIT("# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_gsum 1\ng_gcount 1\n# EOF\n"),
         "M g gaugehistogram [] []\ngaugehistogram(g) g_bucket{le=\"1\"} 1\ngaugehistogram(g) g_gsum 1\n"
         "gaugehistogram(g) g_gcount 1\n"},
        /* exemplars */
        {SPAN_INIT("# TYPE c counter\nc_total 1 # {id=\"x\"} 0.5\nc_total 2 10 # {} 1 11.5\n"
                   "c_total 3 # {b=\"2\",a=\"1\"} NaN -1\n# EOF\n"),
         "M c counter [] []\ncounter(c) c_total 1 # {id=\"x\"} 0.5\ncounter(c) c_total 2 @10000 # {} 1 @11500\n"
         "counter(c) c_total 3 # {a=\"1\", b=\"2\"} NaN @-1000\n"},
        /* start times, wherever the _created stands within its family */
        {SPAN_INIT("# TYPE c counter\nc_total{a=\"1\"} 1\nc_created{a=\"1\"} 100.25\nc_total{a=\"2\"} 2\nc_total 3\n"
                   "c_created 7\n# TYPE d counter\nd_total{a=\"1\"} 1\n# EOF\n"),
         "M c counter [] []\ncounter(c) c_total{a=\"1\"} 1 st@100250\ncounter(c) c_created{a=\"1\"} 100.25\n"
         "counter(c) c_total{a=\"2\"} 2\ncounter(c) c_total 3 st@7000\ncounter(c) c_created 7\nM d counter [] []\n"
         "counter(d) d_total{a=\"1\"} 1\n"},
        {SPAN_INIT(
             "# TYPE h histogram\nh_created{z=\"1\"} 5\nh_bucket{le=\"1\",z=\"1\"} 1\nh_bucket{z=\"1\",le=\"+Inf\"} 1\n"
             "h_sum{z=\"1\"} 1\nh_count{z=\"1\"} 1\nh_count{z=\"2\"} 1\n# TYPE s summary\ns{quantile=\"1\"} 1\n"
             "s_sum 1\ns_created 6\n# EOF\n"),
         "M h histogram [] []\nhistogram(h) h_created{z=\"1\"} 5\nhistogram(h) h_bucket{le=\"1.0\", z=\"1\"} 1 "
         "st@5000\n"
         "histogram(h) h_bucket{le=\"+Inf\", z=\"1\"} 1 st@5000\nhistogram(h) h_sum{z=\"1\"} 1 st@5000\n"
         "histogram(h) h_count{z=\"1\"} 1 st@5000\nhistogram(h) h_count{z=\"2\"} 1\nM s summary [] []\n"
         "summary(s) s{quantile=\"1.0\"} 1 st@6000\nsummary(s) s_sum 1 st@6000\nsummary(s) s_created 6\n"},
        {SPAN_INIT("# TYPE \"my.c\" counter\n{\"my.c_total\",a=\"\\\\\"} 1\n{\"my.c_created\",a=\"\\\\\"} 3\n# EOF\n"),
         "M my.c counter [] []\ncounter(my.c) {\"my.c_total\", a=\"\\\\\"} 1 st@3000\n"
         "counter(my.c) {\"my.c_created\", a=\"\\\\\"} 3\n"},
        {SPAN_INIT("# TYPE g gauge\ng 1\ng_created 3\n# EOF\n"),
         "M g gauge [] []\ngauge(g) g 1\nunknown(g_created) g_created 3\n"},
        {SPAN_INIT("# TYPE c counter\nc_total 1\nc_created NaN\n# EOF\n"),
         "M c counter [] []\ncounter(c) c_total 1\ncounter(c) c_created NaN\n"},
        /* a NUL is a character like others */
        {SPAN_INIT("a{x=\"\0\"} 1\n# EOF\n"), "unknown(a) a{x=\"\\x00\"} 1\n"},
    };
    assert_pages(EXPOSITION_OPENMETRICS, cases, ARRAY_LEN(cases));
}

static void exemplars_with_too_many_characters_are_dropped(void **state)
{
    (void)state;
    char page[600];
    for (int n = 126; n <= 127; n++) { /* with the two of "id" 128 and 129, each of two bytes */
        struct buf b;
        buf_init(&b, 1000);
        buf_str(&b, "a_total 1 # {id=\"");
        for (int i = 0; i < n; i++)
            buf_str(&b, "\xc3\xa9");
        buf_str(&b, "\"} 1\n# EOF\n");
        assert_true(b.len < sizeof page);
        struct heard h;
        struct parse_error err;
        assert_int_equal(listen_to(EXPOSITION_OPENMETRICS, false, buf_view(&b), &h, &err), 0);
        assert_int_equal(h.samples, 1);
        assert_int_equal(strstr(h.out.data, "id=") != NULL, n == 126);
        buf_done(&h.out);
        buf_done(&b);
    }
}

struct bad_page {
    struct span page;
    unsigned line, column;
    const char *words;
};

static void assert_refused(enum exposition_format format, bool strict, const struct bad_page *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct heard h;
        struct parse_error err;
        int r = listen_to(format, strict, cases[i].page, &h, &err);
        if (r != -EINVAL || err.code != -EINVAL || err.line != cases[i].line || err.column != cases[i].column ||
            !strstr(err.text, cases[i].words))
            fail_msg("\n" SPAN_FMT "\ngave %d %u:%u: %s\nwant %u:%u: %s", SPAN_ARG(cases[i].page), r, err.line,
                     err.column, err.text, cases[i].line, cases[i].column, cases[i].words);
        buf_done(&h.out);
    }
}

static void malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct bad_page cases[] = {
        {SPAN_INIT("up 1\n9a 1\n"), 2, 1, "metric name, { or # expected, found '9'"},
        {SPAN_INIT("up\n"), 1, 3, "value expected, found the end of the line"},
        {SPAN_INIT("up"), 1, 3, "value expected, found the end of the page"},
        {SPAN_INIT("up "), 1, 4, "value expected"},
        {SPAN_INIT("up-x 1\n"), 1, 3, "blank or { after the metric name expected, found '-'"},
        {SPAN_INIT("up x\n"), 1, 4, "value is not a number: x"},
        {SPAN_INIT("up 0x10\n"), 1, 4, "value is not a number"},
        {SPAN_INIT("up 1_000\n"), 1, 4, "value is not a number"},
        {SPAN_INIT("up 0x1p-2\n"), 1, 4, "value is not a number"},
        {SPAN_INIT("up 1e999\n"), 1, 4, "value is out of range"},
        {SPAN_INIT("up 1,5\n"), 1, 4, "value is not a number"},
        {SPAN_INIT("up 1 x\n"), 1, 6, "timestamp is no integer"},
        {SPAN_INIT("up 1 1.5\n"), 1, 6, "timestamp is no integer"},
        {SPAN_INIT("up 1 9223372036854775808\n"), 1, 6, "timestamp is out of range"},
        {SPAN_INIT("up 1 2 3\n"), 1, 8, "end of line expected, found '3'"},
        {SPAN_INIT("up 1 # {a=\"b\"} 1\n"), 1, 6, "OpenMetrics only"},
        {SPAN_INIT("up 1\r\n"), 1, 5, "carriage return"},
        {SPAN_INIT("up 1 2\r\n"), 1, 7, "carriage return"},
        {SPAN_INIT("up{a=\"1\" 1\n"), 1, 10, "label name or } expected, found '1'"},
        {SPAN_INIT("up{a=\"1\"\n"), 1, 9, "label name or } expected, found the end of the line"},
        {SPAN_INIT("up{a=\"1} 1\nup 1\n"), 1, 6, "label value has no closing quote"},
        {SPAN_INIT("up{a=\"1\\"), 1, 6, "label value has no closing quote"},
        {SPAN_INIT("up{a=\"1\\\""), 1, 6, "label value has no closing quote"},
        {SPAN_INIT("up{a=1} 1\n"), 1, 6, "label value in quotes expected"},
        {SPAN_INIT("up{a} 1\n"), 1, 5, "= after the label name expected, found '}'"},
        {SPAN_INIT("up{a:b=\"1\"} 1\n"), 1, 5, "= after the label name expected, found ':'"},
        {SPAN_INIT("up{=\"1\"} 1\n"), 1, 4, "label name or } expected"},
        {SPAN_INIT("up{,} 1\n"), 1, 4, "label name or } expected"},
        {SPAN_INIT("up{a=\"1\",,} 1\n"), 1, 10, "label name or } expected"},
        {SPAN_INIT("up{a=\"1\",b=\"2\",a=\"3\"} 1\n"), 1, 1, "label \"a\" twice"},
        {SPAN_INIT("up{__name__=\"x\"} 1\n"), 1, 1, "label \"__name__\" twice"},
        {SPAN_INIT("up{a=\"\xff\"} 1\n"), 1, 6, "label value is not valid UTF-8"},
        {SPAN_INIT("up{\"\xff\"=\"1\"} 1\n"), 1, 4, "name is not valid UTF-8"},
        {SPAN_INIT("{\"a\xc0\x80\"} 1\n"), 1, 2, "name is not valid UTF-8"},
        {SPAN_INIT("{\"\"} 1\n"), 1, 2, "name is empty"},
        {SPAN_INIT("{a=\"1\"} 1\n"), 1, 1, "the metric has no name"},
        {SPAN_INIT("{} 1\n"), 1, 1, "the metric has no name"},
        {SPAN_INIT("{\"a\",\"b\"} 1\n"), 1, 6, "second metric name \"b\""},
        {SPAN_INIT("up{\"b\"} 1\n"), 1, 4, "second metric name \"b\""},
        {SPAN_INIT("\"up\" 1\n"), 1, 1, "metric name or { expected"},
        {SPAN_INIT("# TYPE up\n"), 1, 10, "unknown metric type ''"},
        {SPAN_INIT("# TYPE up histo\n"), 1, 11, "unknown metric type 'histo'"},
        {SPAN_INIT("# TYPE up counter gauge\n"), 1, 11, "unknown metric type 'counter gauge'"},
        {SPAN_INIT("# TYPE 9 counter\n"), 1, 8, "metric name expected, found '9'"},
        {SPAN_INIT("# HELP \n"), 1, 8, "metric name expected, found the end of the line"},
        {SPAN_INIT("# HELP up a\xff\n"), 1, 11, "HELP is not valid UTF-8"},
        {SPAN_INIT("# HELP \"up\n"), 1, 8, "metric name has no closing quote"},
        {SPAN_INIT("ok 1\n\n  up{a=\"1\"} z\n"), 3, 13, "value is not a number: z"},
        {SPAN_INIT("<html>\n"), 1, 1, "metric name, { or # expected, found '<'"},
        {SPAN_INIT("\0"), 1, 1, "found byte 0x00"},
        {SPAN_INIT("\x1f\x8b\x08"), 1, 1, "found byte 0x1f"},
    };
    assert_refused(EXPOSITION_TEXT, false, cases, ARRAY_LEN(cases));
}

static void malformed_openmetrics_is_refused_with_its_place(void **state)
{
    (void)state;
    static const struct bad_page cases[] = {
        {SPAN_INIT(""), 1, 1, "does not end with # EOF"},
        {SPAN_INIT("up 1\n"), 2, 1, "does not end with # EOF"},
        {SPAN_INIT("up 1"), 1, 5, "does not end with # EOF"},
        {SPAN_INIT("# TYPE a gauge"), 1, 15, "does not end with # EOF"},
        {SPAN_INIT("# EOF\n\n"), 2, 1, "data after # EOF"},
        {SPAN_INIT("# EOF\nup 1\n"), 2, 1, "data after # EOF"},
        {SPAN_INIT("# EOF \n"), 1, 6, "end of line after # EOF expected"},
        {SPAN_INIT("#EOF\n"), 1, 1, "no comments"},
        {SPAN_INIT("# hello\n# EOF\n"), 1, 1, "no comments"},
        {SPAN_INIT("\n# EOF\n"), 1, 1, "empty line"},
        {SPAN_INIT(" up 1\n# EOF\n"), 1, 1, "found ' '"},
        {SPAN_INIT("up  1\n# EOF\n"), 1, 4, "value expected, found ' '"},
        {SPAN_INIT("up\t1\n# EOF\n"), 1, 3, "' ' and the value expected, found byte 0x09"},
        {SPAN_INIT("up 1 \n# EOF\n"), 1, 6, "timestamp expected"},
        {SPAN_INIT("up 1\r\n# EOF\n"), 1, 5, "carriage return"},
        {SPAN_INIT("up {a=\"1\"} 1\n# EOF\n"), 1, 4, "composite values are OpenMetrics 2.0"},
        {SPAN_INIT("up {count:1,sum:2}\n# EOF\n"), 1, 4, "composite values are OpenMetrics 2.0"},
        {SPAN_INIT("up{a=\"1\", b=\"2\"} 1\n# EOF\n"), 1, 10, "label name or } expected, found ' '"},
        {SPAN_INIT("up{a=\"1\"b=\"2\"} 1\n# EOF\n"), 1, 9, ", or } expected"},
        {SPAN_INIT("up{a=\"x\ny\"} 1\n# EOF\n"), 1, 6, "no closing quote"},
        {SPAN_INIT("up 1 NaN\n# EOF\n"), 1, 6, "timestamp is out of range"},
        {SPAN_INIT("up 1 +Inf\n# EOF\n"), 1, 6, "timestamp is out of range"},
        {SPAN_INIT("up 1 1e30\n# EOF\n"), 1, 6, "timestamp is out of range"},
        {SPAN_INIT("up 1 x\n# EOF\n"), 1, 6, "timestamp is not a number: x"},
        {SPAN_INIT("up 1 2 3\n# EOF\n"), 1, 8, "exemplar or end of line expected"},
        {SPAN_INIT("# TYPE up untyped\n# EOF\n"), 1, 11, "unknown metric type 'untyped'"},
        {SPAN_INIT("# TYPE up counter \n# EOF\n"), 1, 11, "unknown metric type 'counter '"},
        {SPAN_INIT("# TYPE  up counter\n# EOF\n"), 1, 8, "metric name expected, found ' '"},
        {SPAN_INIT("# HELP up\n# EOF\n"), 1, 10, "' ' after the metric name expected"},
        {SPAN_INIT("# UNIT a_seconds bytes\n# EOF\n"), 1, 18, "unit 'bytes' is not the suffix"},
        {SPAN_INIT("# UNIT seconds seconds\n# EOF\n"), 1, 16, "is not the suffix"},
        {SPAN_INIT("# UNIT aseconds seconds\n# EOF\n"), 1, 17, "is not the suffix"},
        {SPAN_INIT("a 1 #\n# EOF\n"), 1, 6, "' ' and { of an exemplar expected"},
        {SPAN_INIT("a 1 # 5\n# EOF\n"), 1, 7, "{ of an exemplar expected"},
        {SPAN_INIT("a 1 # {a=\"1\"}\n# EOF\n"), 1, 14, "' ' and the exemplar's value expected"},
        {SPAN_INIT("a 1 # {a=\"1\"} x\n# EOF\n"), 1, 15, "exemplar's value is not a number: x"},
        {SPAN_INIT("a 1 # {a=\"1\"} 1 x\n# EOF\n"), 1, 17, "exemplar's timestamp is not a number"},
        {SPAN_INIT("a 1 # {a=\"1\"} 1 NaN\n# EOF\n"), 1, 17, "exemplar's timestamp is out of range"},
        {SPAN_INIT("a 1 # {a=\"1\"} 1 1 1\n# EOF\n"), 1, 18, "end of line expected"},
        {SPAN_INIT("a 1 # {\"a\"} 1\n# EOF\n"), 1, 11, "= after the label name expected"},
        {SPAN_INIT("a 1 # {a=\"1\",a=\"2\"} 1\n# EOF\n"), 1, 5, "label \"a\" twice"},
        {SPAN_INIT("a 1 # {a=\"1\"} 1"), 1, 16, "does not end with # EOF"},
    };
    assert_refused(EXPOSITION_OPENMETRICS, false, cases, ARRAY_LEN(cases));
}

static void strict_text_refuses_what_prometheus_takes(void **state)
{
    (void)state;
    static const struct bad_page cases[] = {
        {SPAN_INIT("a 1\n# TYPE a gauge\n"), 2, 1, "TYPE of a behind its samples"},
        {SPAN_INIT("# TYPE a gauge\n# TYPE a gauge\n"), 2, 1, "second TYPE of a"},
        {SPAN_INIT("# HELP a x\n# HELP a x\n"), 2, 1, "second HELP of a"},
        {SPAN_INIT("a 1\nb 1\na{x=\"1\"} 1\n"), 3, 1, "family a comes in pieces"},
        {SPAN_INIT("# TYPE a gauge\n# TYPE b gauge\na 1\n"), 3, 1, "family a comes in pieces"},
        {SPAN_INIT("# TYPE h histogram\nh 1\n"), 2, 1, "h is no sample of the histogram h"},
        {SPAN_INIT("# TYPE h histogram\n# TYPE h_count gauge\n"), 2, 1, "h_count is a name of family h already"},
        {SPAN_INIT("# TYPE h_count gauge\n# TYPE h histogram\n"), 2, 1, "is a name of family h_count and of family h"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"1\"} 1\na 1\n"), 3, 1, "no +Inf bucket"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"), 3, 1, "no +Inf bucket"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"1\",a=\"1\"} 1\nh_bucket{le=\"+Inf\",a=\"2\"} 1\n"), 3, 1,
         "no +Inf bucket"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket 1\n"), 2, 1, "without a number as le"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n"), 3, 1, "do not rise"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\n"), 3, 1, "cumulative"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"1\"} NaN\n"), 2, 1, "cumulative"},
        {SPAN_INIT("# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 3\n"), 4, 1, "_count differs"},
        {SPAN_INIT("# TYPE c counter\nc -1\n"), 2, 1, "negative or NaN"},
        {SPAN_INIT("# TYPE c counter\nc NaN\n"), 2, 1, "negative or NaN"},
        {SPAN_INIT("# TYPE s summary\ns 1\n"), 2, 1, "label quantile"},
        {SPAN_INIT("# TYPE s summary\ns{quantile=\"2\"} 1\n"), 2, 1, "between 0 and 1"},
        {SPAN_INIT("# TYPE s summary\ns_count -1\n"), 2, 1, "negative"},
        {SPAN_INIT("a 1"), 1, 4, "does not end with a newline"},
        {SPAN_INIT("a{x=\"1\" y=\"2\"} 1\n"), 1, 9, ", or } expected"},
        {SPAN_INIT("a{x=\"\n\"} 1\n"), 1, 5, "no closing quote"},
    };
    assert_refused(EXPOSITION_TEXT, true, cases, ARRAY_LEN(cases));
}

static void strict_openmetrics_refuses_what_prometheus_takes(void **state)
{
    (void)state;
    static const struct bad_page cases[] = {
        {SPAN_INIT("# TYPE c counter\nc 1\n# EOF\n"), 2, 1, "c is no sample of the counter c"},
        {SPAN_INIT("# TYPE c counter\n# TYPE c_created gauge\n# EOF\n"), 2, 1,
         "c_created is a name of family c already"},
        {SPAN_INIT("# TYPE i info\ni_info 2\n# EOF\n"), 2, 1, "an info is 1"},
        {SPAN_INIT("# TYPE i info\ni 1\n# EOF\n"), 2, 1, "no sample of the info"},
        {SPAN_INIT("# TYPE s stateset\ns{s=\"a\"} 2\n# EOF\n"), 2, 1, "0 or 1"},
        {SPAN_INIT("# TYPE s stateset\ns{a=\"a\"} 1\n# EOF\n"), 2, 1, "needs the label s"},
        {SPAN_INIT("# TYPE i_x info\n# UNIT i_x x\n# EOF\n"), 2, 1, "has a unit"},
        {SPAN_INIT("# TYPE g gauge\ng 1 # {a=\"1\"} 1\n# EOF\n"), 2, 1, "exemplars belong to"},
        {SPAN_INIT("# TYPE g gaugehistogram\ng_bucket{le=\"+Inf\"} 2\ng_gcount 3\n# EOF\n"), 3, 1, "differs"},
    };
    assert_refused(EXPOSITION_OPENMETRICS, true, cases, ARRAY_LEN(cases));
}

static void strict_takes_what_the_specification_shows(void **state)
{
    (void)state;
    /* in the manner of the specification's overall example: every type, units, exemplars, start times */
    static const char page[] =
        "# TYPE acme_http_router_request_seconds summary\n# UNIT acme_http_router_request_seconds seconds\n"
        "# HELP acme_http_router_request_seconds Latency though all of ACME's HTTP request router.\n"
        "acme_http_router_request_seconds_sum{path=\"/api/v1\",method=\"GET\"} 9036.32\n"
        "acme_http_router_request_seconds_count{path=\"/api/v1\",method=\"GET\"} 807283.0\n"
        "acme_http_router_request_seconds_created{path=\"/api/v1\",method=\"GET\"} 1605281325.0\n"
        "# TYPE go_goroutines gauge\n# HELP go_goroutines Number of goroutines that currently exist.\ngo_goroutines "
        "69\n"
        "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n"
        "process_cpu_seconds_total 4.20072246e+06 # {id=\"x\"} 1\nprocess_cpu_seconds_created 1\n"
        "# TYPE foo histogram\nfoo_bucket{le=\"0.1\"} 8 # {} 0.054\nfoo_bucket{le=\"1\"} 8\nfoo_bucket{le=\"+Inf\"} "
        "17\n"
        "foo_count 17\nfoo_sum 324789.3\n# TYPE bar gaugehistogram\nbar_bucket{le=\"+Inf\"} 2\nbar_gcount 2\nbar_gsum "
        "-1\n"
        "# TYPE version info\nversion_info{v=\"1\"} 1\n# TYPE feature stateset\nfeature{feature=\"a\"} 1\n"
        "feature{feature=\"b\"} 0\nfree 1\n# EOF\n";
    struct heard h;
    struct parse_error err;
    int r = listen_to(EXPOSITION_OPENMETRICS, true, span_str(page), &h, &err);
    if (r != 0)
        fail_msg("%u:%u: %s", err.line, err.column, err.text);
    assert_int_equal(h.samples, 18);
    buf_done(&h.out);
}

static void limits_on_labels_are_errors(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned n = LABELS_MAX - 1; n <= LABELS_MAX; n++) { /* and the metric name */
        buf_clear(&b);
        buf_str(&b, "up{");
        for (unsigned i = 0; i < n; i++)
            buf_printf(&b, "l%u=\"x\",", i);
        buf_str(&b, "} 1\n");
        struct heard h;
        struct parse_error err;
        int r = listen_to(EXPOSITION_TEXT, false, buf_view(&b), &h, &err);
        assert_int_equal(r, n < LABELS_MAX ? 0 : -EINVAL);
        if (r < 0)
            assert_non_null(strstr(err.text, "more than 128 labels"));
        buf_done(&h.out);
    }
    static const struct {
        const char *before, *after, *words;
        size_t most;
    } longs[] = {{"up{", "=\"1\"} 1\n", "label name is longer", LABEL_NAME_BYTES_MAX},
                 {"up{a=\"", "\"} 1\n", "label value is longer", LABEL_VALUE_BYTES_MAX},
                 {"", " 1\n", "metric name is longer", LABEL_VALUE_BYTES_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
        for (size_t n = longs[i].most; n <= longs[i].most + 1; n++) {
            buf_clear(&b);
            buf_str(&b, longs[i].before);
            for (size_t k = 0; k < n; k++)
                buf_char(&b, 'a');
            buf_str(&b, longs[i].after);
            struct heard h;
            struct parse_error err;
            int r = listen_to(EXPOSITION_TEXT, false, buf_view(&b), &h, &err);
            assert_int_equal(r, n == longs[i].most ? 0 : -EINVAL);
            if (r < 0)
                assert_non_null(strstr(err.text, longs[i].words));
            buf_done(&h.out);
        }
    }
    buf_done(&b);
}

static void a_callback_can_stop_the_parse(void **state)
{
    (void)state;
    static const struct {
        int answer, want;
        size_t samples, metadata;
    } cases[] = {{-ENOSPC, -ENOSPC, 1, 0}, {0, 0, 3, 1}, {7, 0, 3, 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct heard h = {.answer = cases[i].answer};
        buf_init(&h.out, 1 << 16);
        struct parse_error err = {0};
        struct exposition_events ev = {&h, hear_sample, hear_metadata, false};
        int r = exposition_parse(EXPOSITION_TEXT, SPAN("a 1\n# TYPE b gauge\nb 1\nb{x=\"1\"} 1\n"), &ev, &err);
        assert_int_equal(r, cases[i].want);
        assert_int_equal(h.samples, cases[i].samples);
        assert_int_equal(h.metadata, cases[i].metadata);
        assert_int_equal(err.code, 0);
        buf_done(&h.out);
    }
    /* no interest in metadata */
    struct heard h = {0};
    buf_init(&h.out, 1 << 16);
    struct parse_error err = {0};
    struct exposition_events ev = {&h, hear_sample, NULL, false};
    assert_int_equal(exposition_parse(EXPOSITION_TEXT, SPAN("# TYPE b gauge\nb 1\n"), &ev, &err), 0);
    assert_int_equal(h.samples, 1);
    buf_done(&h.out);
}

static int keep_series(void *ctx, const struct exposition_sample *s)
{
    struct buf *b = ctx;
    buf_span(b, s->series);
    buf_char(b, '|');
    return 0;
}

static void series_are_the_pages_own_bytes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    struct parse_error err = {0};
    struct exposition_events ev = {&b, keep_series, NULL, false};
    assert_int_equal(
        exposition_parse(EXPOSITION_TEXT, SPAN("up 1\n up { b = \"2\" } 1 5\n{\"x\"}2\nup{} 3"), &ev, &err), 0);
    assert_string_equal(b.data, "up|up { b = \"2\" }|{\"x\"}|up{}|");
    buf_done(&b);
}

static void content_types_name_their_format(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int r;
        enum exposition_format format;
    } cases[] = {
        {"text/plain", 0, EXPOSITION_TEXT},
        {"text/plain; version=0.0.4; charset=utf-8", 0, EXPOSITION_TEXT},
        {" Text/Plain ;charset=utf-8", 0, EXPOSITION_TEXT},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", 0, EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text", 0, EXPOSITION_OPENMETRICS},
        {"", -EINVAL, 0},
        {"text/html", -EINVAL, 0},
        {"application/json", -EINVAL, 0},
        {"text/plainer", -EINVAL, 0},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum exposition_format format = EXPOSITION_TEXT;
        assert_int_equal(exposition_format_of(span_str(cases[i].type), &format), cases[i].r);
        if (cases[i].r == 0)
            assert_int_equal(format, cases[i].format);
    }
    enum exposition_format format;
    assert_int_equal(exposition_format_of((struct span){NULL, 0}, &format), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_pages_give_their_samples),
        cmocka_unit_test(openmetrics_pages_give_their_samples),
        cmocka_unit_test(exemplars_with_too_many_characters_are_dropped),
        cmocka_unit_test(malformed_text_is_refused_with_its_place),
        cmocka_unit_test(malformed_openmetrics_is_refused_with_its_place),
        cmocka_unit_test(strict_text_refuses_what_prometheus_takes),
        cmocka_unit_test(strict_openmetrics_refuses_what_prometheus_takes),
        cmocka_unit_test(strict_takes_what_the_specification_shows),
        cmocka_unit_test(limits_on_labels_are_errors),
        cmocka_unit_test(a_callback_can_stop_the_parse),
        cmocka_unit_test(series_are_the_pages_own_bytes),
        cmocka_unit_test(content_types_name_their_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
