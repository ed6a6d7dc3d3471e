/* Templates as rule files use them. Expected texts are what Go 1.2x and Prometheus 3 give (pkg.go.dev/text/template, pkg.go.dev/fmt,
 * Prometheus's template reference); the error places are ours. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "collector/template/go_format.h"
#include "collector/template/template.h"
#include "lib/base/limits.h"

static struct label LABELS[] = {{SPAN_INIT("__name__"), SPAN_INIT("up")},
                                {SPAN_INIT("instance"), SPAN_INIT("shop.example.org:9483")},
                                {SPAN_INIT("job"), SPAN_INIT("shop")}};
static const struct labels SET = {LABELS, 3};
static struct label EXTERNAL[] = {{SPAN_INIT("region"), SPAN_INIT("eu")}};
static const struct labels EXTERNAL_SET = {EXTERNAL, 1};

static struct label SHOP[] = {{SPAN_INIT("__value__"), SPAN_INIT("7")}, {SPAN_INIT("job"), SPAN_INIT("shop")}},
                    PAY[] = {{SPAN_INIT("job"), SPAN_INIT("pay")}};
static const struct template_sample ANSWER[] = {{{SHOP, 2}, 7}, {{PAY, 1}, 2.5}};

/* "two" has two series, "none" has none, the rest is a mistake. */
static int answer(void *ctx, struct span expr, struct arena *arena, const struct template_sample **ret, size_t *ret_n,
                  char *why, size_t why_bytes)
{
    assert_ptr_equal(ctx, ANSWER);
    assert_non_null(arena);
    *ret = ANSWER;
    *ret_n = span_equal(expr, SPAN("two")) ? 2 : 0;
    if (*ret_n == 2 || span_equal(expr, SPAN("none")))
        return 0;
    snprintf(why, why_bytes, "1:5: parse error: unexpected end of input");
    return -EINVAL;
}

static int expand(const char *text, double value, struct buf *out)
{
    struct template *t = NULL;
    struct parse_error e;
    int r = template_parse(span_str(text), &t, &e);
    if (r < 0)
        check_failed("%s: %u:%u: %s", text, e.line, e.column, e.text);
    struct template_data data = {.labels = &SET,
                                 .value = value,
                                 .external_labels = &EXTERNAL_SET,
                                 .external_url = "http://crest:9480/x",
                                 .now_ms = 1500000000500,
                                 .query = answer,
                                 .query_ctx = (void *)(uintptr_t)ANSWER};
    r = template_expand(t, &data, out);
    template_free(t);
    return r;
}

struct expansion {
    const char *text;
    double value;
    const char *expected;
};
static void check_expansions(const struct expansion *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        check_ok(expand(cases[i].text, cases[i].value, &out));
        if (!span_equal(buf_view(&out), span_str(cases[i].expected)))
            check_failed("%s of %.17g\n  gave     " SPAN_FMT "\n  expected %s", cases[i].text, cases[i].value,
                         SPAN_ARG(buf_view(&out)), cases[i].expected);
        buf_done(&out);
    }
}

static void templates_expand_the_shapes_that_rule_files_use(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"plain text, 100% {sure}", 0, "plain text, 100% {sure}"},
        {"", 0, ""},
        {"{{ $labels.job }} on {{$labels.instance}}", 0, "shop on shop.example.org:9483"},
        {"{{ $labels }}", 0, "map[__name__:up instance:shop.example.org:9483 job:shop]"},
        {"{{ $labels.none }}|", 0, "|"},
        {"VALUE = {{ $value }}", 1e6, "VALUE = 1e+06"},
        {"{{ $value }}", 0.5, "0.5"},
        {"{{ $value }}", 123456, "123456"},
        {"{{ $value }}", 123456789, "1.23456789e+08"},
        {"{{ $value }}", INFINITY, "+Inf"},
        {"{{ $value }}", NAN, "NaN"},
        {"{{ $value | humanize }}", 1234567, "1.235M"},
        {"{{ $value | humanizePercentage }}", 0.1234567, "12.35%"},
        {"{{ printf \"%.2f\" $value }}%", 12.345678, "12.35%"},
        {"{{ $value | printf \"%.1f\" }}", 2.25, "2.2"},
        {"{{ $externalLabels.region }} {{ $externalURL }}", 0, "eu http://crest:9480/x"},
        {"{{ .Labels.job }} {{ .Value }} {{ .ExternalLabels.region }} {{ .ExternalURL }}", 3,
         "shop 3 eu http://crest:9480/x"},
        {"{{ $.Labels.job }}", 0, "shop"},
        {"a {{- \" b \" -}} c", 0, "a b c"},
        {"x \n\t{{- $value -}}\n y", 1, "x1y"},
        {"{{/* a \" comment */}}x{{- /* trimmed */ -}} y", 0, "xy"},
        {"{{ with $labels.job }}<{{ . }}>{{ end }}{{ with $labels.none }}no{{ else }}none{{ end }}", 0, "<shop>none"},
        {"{{ $x := $value | humanize }}{{ $x }}/{{ $x }}", 1500, "1.5k/1.5k"},
        {"{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", 0, "32"},
        {"{{ ($labels).job }} {{ len $labels }} {{ index $labels \"job\" }}", 0, "shop 3 shop"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void templates_choose_by_comparison(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ if gt $value 10.0 }}high{{ else if gt $value 5.0 }}middle{{ else }}low{{ end }}", 11, "high"},
        {"{{ if gt $value 10.0 }}high{{ else if gt $value 5.0 }}middle{{ else }}low{{ end }}", 6, "middle"},
        {"{{ if gt $value 10.0 }}high{{ else if gt $value 5.0 }}middle{{ else }}low{{ end }}", 1, "low"},
        {"{{ if eq $labels.job \"web\" \"shop\" }}yes{{ end }}", 0, "yes"},
        {"{{ if and (ge $value 1.0) (lt $value 2.0) }}in{{ end }}", 1.5, "in"},
        {"{{ if or $labels.none $labels.job }}some{{ end }}", 0, "some"},
        {"{{ if not $labels.none }}none{{ end }}", 0, "none"},
        {"{{ ne 1 2 }} {{ le 2 2 }} {{ lt \"a\" \"b\" }} {{ eq true true }} {{ eq nil nil }}", 0,
         "true true true true true"},
        {"{{ if $value }}x{{ else }}zero{{ end }}", 0, "zero"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void templates_ask_and_walk_over_answers(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ query \"two\" | first | value }}", 0, "7"},
        {"{{ with query \"two\" }}{{ . | first | label \"job\" }}{{ end }}", 0, "shop"},
        {"{{ with query \"none\" }}some{{ else }}nothing{{ end }}", 0, "nothing"},
        {"{{ range query \"two\" }}{{ .Labels.job }}={{ .Value }} {{ end }}", 0, "shop=7 pay=2.5 "},
        {"{{ range $i, $s := sortByLabel \"job\" (query \"two\") }}{{ $i }}{{ $s.Labels.job }}{{ $s | value }};{{ end "
         "}}",
         0, "0pay2.5;1shop7;"},
        {"{{ query \"two\" | first | strvalue }}|{{ index (query \"two\") 1 | strvalue }}|", 0, "7||"},
        {"{{ query \"two\" }} {{ query \"two\" | first }} {{ len (query \"two\") }}", 0,
         "[{map[__value__:7 job:shop] 7} {map[job:pay] 2.5}] {map[__value__:7 job:shop] 7} 2"},
        {"{{ range slice (query \"two\") 1 }}{{ .Value }}{{ end }}", 0, "2.5"},
        {"{{ range query \"none\" }}x{{ else }}empty{{ end }}", 0, "empty"},
        {"{{ if and (query \"none\") (first (query \"none\")) }}x{{ else }}short{{ end }}", 0, "short"},
        {"{{ or 1 (first (query \"none\")) }}", 0, "1"},
        {"{{ range $k, $v := $labels }}{{ $k }}:{{ $v }};{{ end }}", 0,
         "__name__:up;instance:shop.example.org:9483;job:shop;"},
        {"{{ range $labels }}{{ . }} {{ end }}", 0, "up shop.example.org:9483 shop "},
        {"{{ range $i := 5 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ $i }}{{ end "
         "}}",
         0, "02"},
        {"{{ $n := 0 }}{{ range $labels }}{{ $n = len . }}{{ end }}{{ $n }}", 0, "4"},
        {"{{ range $i, $v = 2 }}{{ end }}", 0, ""},
    };
    check_expansions(CASES, ARRAY_LEN(CASES) - 1);
    struct template *t = NULL;
    struct parse_error e;
    check_errno(template_parse(span_str(CASES[ARRAY_LEN(CASES) - 1].text), &t, &e), -EINVAL);
    check_contains(e.text, "undefined variable \"$i\"");
}

static void templates_call_templates(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ define \"who\" }}<{{ .job }}>{{ end }}a{{ template \"who\" $labels }}b", 0, "a<shop>b"},
        {"{{ template \"later\" }}{{ define \"later\" }}{{ . }}{{ end }}", 0, "<no value>"},
        {"{{ block \"b\" .Labels.job }}[{{ . }}]{{ end }}{{ template \"b\" 3 }}", 0, "[shop][3]"},
        {"{{ define \"m\" }}{{ .arg0 }}-{{ .arg1 }}-{{ .arg2 }}{{ end }}{{ template \"m\" args 1 \"x\" }}", 0,
         "1-x-<no value>"},
        {"{{ define \"m\" }}{{ $x := . }}{{ $x }}{{ end }}{{ $x := 1 }}{{ tmpl \"m\" 2 | printf \"%s!\" }}{{ $x }}", 0,
         "2!1"},
        {"{{ args 1 \"a\" }}{{ range $k, $v := args \"x\" }}{{ $k }}{{ $v }}{{ end }}", 0, "map[arg0:1 arg1:a]arg0x"},
        {"{{ define \"d\" }}one{{ end }}{{ define \"d\" }}two{{ end }}{{ template \"d\" }}", 0, "two"},
        {"{{ html \"<a&'\" }} {{ js \"it's\" }} {{ urlquery \"a b&\" }} {{ slice \"abcd\" 1 3 }}", 0,
         "&lt;a&amp;&#39; it\\'s a+b%26 bc"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void templates_tell_the_time(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ $value | toTime }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"},
        {"{{ ($value | toTime).Format \"Mon, 02 Jan 2006 15:04:05 MST\" }}", 1435065584.128,
         "Tue, 23 Jun 2015 13:19:44 UTC"},
        {"{{ (toTime $value).Format \"3:04PM _2.1.06 Monday January 002 .000 Z07:00 -07:00\" }}", 1435065584.128,
         "1:19PM 23.6.15 Tuesday June 174 .128 Z +00:00"},
        {"{{ with toTime $value }}{{ .Year }}-{{ .Month }}-{{ .Day }} {{ .Hour }}:{{ .Minute }}:{{ .Second }} {{ "
         ".Weekday }} "
         "{{ .Unix }}{{ end }}",
         -1, "1969-December-31 23:59:59 Wednesday -1"},
        {"{{ (toTime 0).Add (toDuration 90) }}", 0, "1970-01-01 00:01:30 +0000 UTC"},
        {"{{ toDuration $value }} {{ (toDuration $value).Minutes }}", 5400.5, "1h30m0.5s 90.00833333333334"},
        {"{{ toDuration $value }} {{ toDuration 0 }} {{ toDuration -61 }} {{ toDuration 0.000000001 }}", 0.0015,
         "1.5ms 0s -1m1s 1ns"},
        {"{{ toDuration 90 | humanizeDuration }} {{ now | toTime }}", 0, "1m 30s 2017-07-14 02:40:00.5 +0000 UTC"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void templates_print_numbers_for_people_as_prometheus_does(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ humanize $value }}", 0, "0"},
        {"{{ humanize $value }}", 999.96, "1000"},
        {"{{ humanize $value }}", -1234567, "-1.235M"},
        {"{{ humanize $value }}", 0.000123456, "123.5u"},
        {"{{ humanize $value }}", INFINITY, "+Inf"},
        {"{{ humanize $value }}", 1e30, "1e+06Y"},
        {"{{ \"1.5e3\" | humanize }}", 0, "1.5k"},
        {"{{ humanize1024 $value }}", 1, "1"},
        {"{{ humanize1024 $value }}", 1048576, "1Mi"},
        {"{{ humanize1024 $value }}", 0.25, "0.25"},
        {"{{ humanizeDuration $value }}", 0, "0s"},
        {"{{ humanizeDuration $value }}", 59.56789, "59.57s"},
        {"{{ humanizeDuration $value }}", 60, "1m 0s"},
        {"{{ humanizeDuration $value }}", 3600, "1h 0m 0s"},
        {"{{ humanizeDuration $value }}", 86400 + 3661, "1d 1h 1m 1s"},
        {"{{ humanizeDuration $value }}", -61.9, "-1m 1s"},
        {"{{ humanizeDuration $value }}", 0.0000001, "100ns"},
        {"{{ humanizeDuration $value }}", NAN, "NaN"},
        {"{{ humanizePercentage $value }}", -1, "-100%"},
        {"{{ humanizePercentage $value }}", 0.00001234, "0.001234%"},
        {"{{ humanizeTimestamp $value }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC"},
        {"{{ humanizeTimestamp $value }}", 0, "1970-01-01 00:00:00 +0000 UTC"},
        {"{{ humanizeTimestamp $value }}", INFINITY, "+Inf"},
        {"{{ parseDuration \"1h30m\" }} {{ now | printf \"%.1f\" }}", 0, "5400 1500000000.5"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void templates_change_texts(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ title \"a big sale_day, öfter\" }}", 0, "A Big Sale_day, Öfter"},
        {"{{ toUpper \"straße é д\" }} {{ toLower \"ÀÉ ÐД ABC\" }}", 0, "STRAßE É Д àé ðд abc"},
        {"{{ stripPort $labels.instance }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }} {{ stripPort \"plain\" "
         "}}",
         0, "shop.example.org ::1 ::1 plain"},
        {"{{ stripDomain $labels.instance }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripDomain \"a.b\" }}", 0,
         "shop:9483 10.0.0.1:80 a"},
        {"{{ match \"^sh\" $labels.job }} {{ match \"x$\" $labels.job }}", 0, "true false"},
        {"{{ reReplaceAll \"(.*):.*\" \"$1\" $labels.instance }}", 0, "shop.example.org"},
        {"{{ reReplaceAll \"a*\" \"-\" \"baac\" }}", 0, "-b-c-"},
        {"{{ reReplaceAll \"(.*)\" \"<$1>\" $labels.none }}", 0, "<>"},
        {"{{ urlQueryEscape \"a b&c=d\" }}", 0, "a+b%26c%3Dd"},
        {"{{ tableLink \"up == 0\" }}", 0, "/graph?g0.expr=up+%3D%3D+0&g0.tab=1"},
        {"{{ pathPrefix }} {{ externalURL }}", 0, "/x http://crest:9480/x"},
        {"{{ \"tab\\t\\\"q\\\" \\u00e9 \\x41\" }} {{ `raw\\n` }} {{ 'a' }}", 0, "tab\t\"q\" é A raw\\n 97"},
        {"{{ print \"a\" 1 2 \"b\" true }} {{ println 1 \"x\" }}", 0, "a1 2btrue 1 x\n"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void printf_follows_go(void **unused)
{
    (void)unused;
    static const struct expansion CASES[] = {
        {"{{ printf \"%v %v %v %v\" 1 1.0 \"x\" true }}", 0, "1 1 x true"},
        {"{{ printf \"%5.1f|%-6.1f|%06.1f|%+.0f\" $value $value $value $value }}", 2.5, "  2.5|2.5   |0002.5|+2"},
        {"{{ printf \"%e %g %.3g\" $value $value $value }}", 1234567, "1.234567e+06 1.234567e+06 1.23e+06"},
        {"{{ printf \"%f\" $value }}", INFINITY, "+Inf"},
        {"{{ printf \"%06.1f\" $value }}", -INFINITY, "  -Inf"},
        {"{{ printf \"%d %5d|%-5d|%05d %x\" 7 7 7 -7 255 }}", 0, "7     7|7    |-0007 ff"},
        {"{{ printf \"%s %q %10s|%-5s|%.2s %x\" \"a\" \"b\\n\" \"c\" \"d\" \"éfg\" \"hi\" }}", 0,
         "a \"b\\n\"          c|d    |éf 6869"},
        {"{{ printf \"%d\" $value }}", 1.5, "%!d(float64=1.5)"},
        {"{{ printf \"%s\" $value }}", 1.5, "%!s(float64=1.5)"},
        {"{{ printf \"%f\" \"x\" }}", 0, "%!f(string=x)"},
        {"{{ printf \"%s\" $labels }}", 0, "map[__name__:up instance:shop.example.org:9483 job:shop]"},
        {"{{ printf \"%d %d\" 1 }}", 0, "1 %!d(MISSING)"},
        {"{{ printf \"x\" 1 \"b\" }}", 0, "x%!(EXTRA int=1, string=b)"},
        {"{{ printf \"100%%\" }} {{ printf \"%\" }}", 0, "100% %!(NOVERB)"},
        {"{{ printf \"%T %T %t\" 1 $value false }}", 0, "int float64 false"},
    };
    check_expansions(CASES, ARRAY_LEN(CASES));
}

static void go_float_lays_out_every_verb(void **unused)
{
    (void)unused;
    static const struct {
        double v;
        char verb;
        const char *expected;
    } CASES[] = {
        {1, 'e', "1e+00"},
        {0, 'e', "0e+00"},
        {-0.0, 'e', "-0e+00"},
        {0.0012, 'e', "1.2e-03"},
        {12345.678, 'e', "1.2345678e+04"},
        {1e21, 'e', "1e+21"},
        {5e-324, 'e', "5e-324"},
        {1e-7, 'f', "0.0000001"},
        {1.5e22, 'f', "15000000000000000000000"},
        {-1e-7, 'f', "-0.0000001"},
        {100, 'e', "1e+02"},
        {1e-5, 'g', "1e-05"},
        {1.7976931348623157e308, 'e', "1.7976931348623157e+308"},
        {999999, 'g', "999999"},
        {1e6, 'g', "1e+06"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf out;
        buf_init(&out, 1024);
        go_float(&out, CASES[i].v, CASES[i].verb, -1);
        check_span(buf_view(&out), CASES[i].expected);
        buf_done(&out);
    }
}

static void templates_that_fail_say_so_in_the_text(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *says;
    } CASES[] = {
        {"a {{ humanize \"x\" }} b",
         "<error expanding template: 1:6: strconv.ParseFloat: parsing \"x\": invalid syntax>"},
        {"{{ $value.x }}", "<error expanding template: 1:4: can't evaluate field x in type float64>"},
        {"{{ .Nope }}", "can't evaluate field Nope"},
        {"x\n{{ if eq $value 1 }}{{ end }}", "2:7: incompatible types for comparison>"},
        {"{{ humanize 1 2 }}", "wrong number of args for humanize: want 1 got 2"},
        {"{{ toUpper 1 }}", "expected string; got int"},
        {"{{ eq $labels $labels }}", "non-comparable type map[string]string"},
        {"{{ match \"(\" \"x\" }}", "error parsing regexp"},
        {"{{ humanizeTimestamp 1e30 }}", "overflows int64"},
        {"{{ lt true false }}", "invalid type for comparison"},
        {"{{ $value 3 }}", "can't give argument to non-function"},
        {"{{ query \"none\" | first | value }}", "first() called on vector with no elements"},
        {"{{ query \"bad(\" }}", "error calling query: 1:5: parse error"},
        {"{{ template \"x\" }}", "template \"x\" not defined"},
        {"{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}", "maximum template depth"},
        {"{{ range 2000000 }}{{ end }}", "more than 1000000 steps"},
        {"{{ range $value }}{{ end }}", "range can't iterate over a value of type float64"},
        {"{{ toTime \"x\" }}", "strconv.ParseFloat"},
        {"{{ (toTime 1).Nope }}", "can't evaluate field Nope in type *time.Time"},
        {"{{ call $value }}", "non-function of type float64"},
        {"{{ slice \"abc\" 2 1 }}", "invalid slice index: 2 > 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct buf out;
        buf_init(&out, 1 << 16);
        check_errno(expand(CASES[i].text, 1, &out), -EINVAL);
        assert_true(span_starts(buf_view(&out), SPAN("<error expanding template: ")));
        check_contains(out.data, CASES[i].says);
        buf_done(&out);
    }
}

static void templates_are_refused_with_their_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        int code;
        unsigned line, column;
        const char *says;
    } CASES[] = {
        {"a\nb {{ define \"x\" }}", -EINVAL, 2, 3, "has no {{end}}"},
        {"{{ define x }}{{ end }}", -EINVAL, 1, 11, "expected the template's name in quotes"},
        {"{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}", -EINVAL, 1, 17, "{{define}} stands inside"},
        {"{{ define \"x\" }}{{ $labels.job }}{{ end }}", -EINVAL, 1, 20, "undefined variable \"$labels\""},
        {"{{ template }}", -EINVAL, 1, 13, "expected the template's name in quotes"},
        {"{{ block \"x\" }}{{ end }}", -EINVAL, 1, 0, "missing value for command"},
        {"{{ break }}", -EINVAL, 1, 4, "{{break}} outside {{range}}"},
        {"{{ range $labels }}{{ continue 3 }}{{ end }}", -EINVAL, 1, 32, "unexpected \"3\" in continue"},
        {"{{ range $labels }}", -EINVAL, 1, 1, "this {{range}} has no {{end}}"},
        {"{{ range $a, $b }}{{ end }}", -EINVAL, 1, 0, "expected :="},
        {"{{ $a, $b := 1 }}", -EINVAL, 1, 6, "too many declarations"},
        {"{{ range $labels }}{{ else if true }}{{ end }}", -EINVAL, 1, 28, "unexpected \"if\" in else"},
        {"{{ humanise $value }}", -EINVAL, 1, 4, "function \"humanise\" not defined"},
        {"{{ $lables.x }}", -EINVAL, 1, 4, "undefined variable \"$lables\""},
        {"{{ $labels.x ", -EINVAL, 1, 1, "unclosed action"},
        {"{{ \"x }}", -EINVAL, 1, 4, "unterminated quoted string"},
        {"{{ if $value }}x", -EINVAL, 1, 1, "has no {{end}}"},
        {"{{ end }}", -EINVAL, 1, 4, "unexpected {{end}}"},
        {"{{ else }}", -EINVAL, 1, 4, "unexpected {{else}}"},
        {"{{ if true }}{{ else }}{{ else }}{{ end }}", -EINVAL, 1, 27, "expected end"},
        {"{{ }}", -EINVAL, 1, 0, "missing value for command"},
        {"{{ $value | }}", -EINVAL, 1, 0, "missing value for command"},
        {"{{ $value | 3 }}", -EINVAL, 1, 13, "non executable command"},
        {"{{ ($value }}", -EINVAL, 1, 0, "unclosed left parenthesis"},
        {"{{ $value ) }}", -EINVAL, 1, 11, "unexpected \")\""},
        {"{{ printf(\"x\") }}", -EINVAL, 1, 10, "unexpected \"(\""},
        {"{{ 1.2.3 }}", -EINVAL, 1, 4, "bad number syntax"},
        {"{{ \"\\q\" }}", -EINVAL, 1, 5, "unknown escape"},
        {"{{ ! }}", -EINVAL, 1, 4, "unexpected \"!\""},
        {"{{ if true }}{{ $y := 1 }}{{ end }}{{ $y }}", -EINVAL, 1, 39, "undefined variable \"$y\""},
        {"{{/* open", -EINVAL, 1, 1, "unclosed comment"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct template *t = NULL;
        struct parse_error e;
        int r = template_parse(span_str(CASES[i].text), &t, &e);
        if (r != CASES[i].code)
            check_failed("%s gave %d (%s)", CASES[i].text, r, e.text);
        check_contains(e.text, CASES[i].says);
        assert_int_equal(e.line, CASES[i].line);
        if (CASES[i].column && e.column != CASES[i].column)
            check_failed("%s at column %u, expected %u: %s", CASES[i].text, e.column, CASES[i].column, e.text);
        assert_null(t);
    }
}

static void templates_are_bounded(void **unused)
{
    (void)unused;
    struct buf text, out;
    buf_init(&text, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 100; i++)
        buf_str(&text, "{{if true}}");
    struct template *t = NULL;
    struct parse_error e;
    check_errno(template_parse(buf_view(&text), &t, &e), -EINVAL);
    check_contains(e.text, "nested too deeply");

    buf_clear(&text);
    for (int i = 0; i < 70000; i++)
        buf_str(&text, "{{$value}}");
    check_ok(template_parse(buf_view(&text), &t, &e));
    struct template_data data = {.labels = &SET, .value = 1};
    check_errno(template_expand(t, &data, &out), -EINVAL);
    check_contains(out.data, "grows over 65536 bytes");
    template_free(t);
    buf_done(&text);
    buf_done(&out);
}

/* Pieces of the language at random: whatever they make is parsed or refused, and expands without harm (run under ASan). */
static void templates_survive_random_texts(void **unused)
{
    (void)unused;
    static const char *const PIECES[] = {
        "{{",       "}}", "{{-",   " -}}",  " ",     "$labels",  "$value", ".job",  ".",        "|",     "(",
        ")",        "if", "else",  "end",   "with",  "printf",   "\"%d\"", "\"",    "`",        "'",     "1",
        "-1.5e3",   ":=", "=",     "$x",    "eq",    "humanize", "/*",     "*/",    "\n",       "text",  "\\",
        "0x",       "é",  "range", "index", "and",   "%",        "define", "\"t\"", "template", "block", "break",
        "continue", ",",  "$y",    "args",  "query", "first",    "or"};
    struct check_random random = check_random_new("templates_survive_random_texts");
    unsigned parsed = 0;
    for (unsigned i = 0; i < 40000 / check_slowness(); i++) {
        struct buf text, out;
        buf_init(&text, 1 << 16);
        buf_init(&out, 1 << 20);
        bool valid = i % 2;
        for (uint64_t n = check_random_below(&random, 12); n; n--) {
            if (valid)
                buf_str(&text, "{{");
            for (uint64_t k = check_random_below(&random, 6); k; k--) {
                buf_str(&text, PIECES[check_random_below(&random, ARRAY_LEN(PIECES))]);
                if (valid)
                    buf_char(&text, ' ');
            }
            if (valid)
                buf_str(&text, "}}");
        }
        struct template *t = NULL;
        struct parse_error e;
        if (template_parse(buf_view(&text), &t, &e) == 0) {
            parsed++;
            struct template_data data = {.labels = &SET, .value = 1.5};
            (void)template_expand(t, &data, &out);
            template_free(t);
        } else {
            assert_true(e.code < 0 && e.text[0]);
            assert_true(e.start <= text.len && e.end <= text.len);
        }
        buf_done(&text);
        buf_done(&out);
    }
    assert_true(parsed > 500 / check_slowness());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_expand_the_shapes_that_rule_files_use),
        cmocka_unit_test(templates_choose_by_comparison),
        cmocka_unit_test(templates_ask_and_walk_over_answers),
        cmocka_unit_test(templates_call_templates),
        cmocka_unit_test(templates_tell_the_time),
        cmocka_unit_test(templates_print_numbers_for_people_as_prometheus_does),
        cmocka_unit_test(templates_change_texts),
        cmocka_unit_test(printf_follows_go),
        cmocka_unit_test(go_float_lays_out_every_verb),
        cmocka_unit_test(templates_that_fail_say_so_in_the_text),
        cmocka_unit_test(templates_are_refused_with_their_place),
        cmocka_unit_test(templates_are_bounded),
        cmocka_unit_test(templates_survive_random_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
