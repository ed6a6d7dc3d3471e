#include "tests/support/check.h"

#include <errno.h>

#include "collector/promql/functions.h"
#include "collector/promql/promql.h"
#include "lib/base/limits.h"

/* What the text prints as, or its error; in `room`. */
static int print_parsed(const char *text, char *room, size_t room_bytes, struct parse_error *ret_error)
{
    struct arena a;
    struct promql_expr *e = NULL;
    struct buf out;
    arena_init(&a, 64u << 20);
    buf_init(&out, room_bytes - 1);
    int r = promql_parse(span_str(text), &a, &e, ret_error);
    if (r == 0) {
        promql_format(e, &out);
        assert_int_equal(buf_error(&out), 0);
        snprintf(room, room_bytes, "%s", out.data ? out.data : "");
    }
    buf_done(&out);
    promql_expr_done(e);
    arena_done(&a);
    return r;
}

static void assert_prints(const char *text, const char *want)
{
    char printed[4096], again[4096];
    struct parse_error error;
    if (print_parsed(text, printed, sizeof printed, &error) < 0)
        check_failed("%s: %u:%u: %s", text, error.line, error.column, error.text);
    assert_string_equal(printed, want);
    if (print_parsed(printed, again, sizeof again, &error) < 0)
        check_failed("what %s prints is not read back: %s: %s", text, printed, error.text);
    assert_string_equal(again, printed);
}

static void assert_refused(const char *text, int code, uint32_t line, uint32_t column, const char *message)
{
    char printed[4096];
    struct parse_error error = {0};
    check_errno(print_parsed(text, printed, sizeof printed, &error), code);
    assert_string_equal(error.text, message);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
}

static void expressions_print_as_prometheus_prints_them(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1", "1"},
        {"+1", "1"},
        {"- 1", "-1"},
        {"0x1F", "31"},
        {"017", "15"},
        {"1_000.5", "1000.5"},
        {"1e3", "1000"},
        {".5", "0.5"},
        {"5.", "5"},
        {"INF", "+Inf"},
        {"-inF", "-Inf"},
        {"nan", "NaN"},
        {"5m", "5m"},
        {"1h30m", "1h30m"},
        {"'a\\'b\"'", "\"a'b\\\"\""},
        {"`a\\n`", "\"a\\\\n\""},
        {"\"\\u00e9\\x41\\101\\U0001F600\"", "\"\xc3\xa9"
                                             "AA\xf0\x9f\x98\x80\""},
        {"up", "up"},
        {"a:b:c", "a:b:c"},
        {"up{}", "up"},
        {"up{job='x' , instance!=\"y\",z=~`a|b`,w!~'c.*',}", "up{job=\"x\",instance!=\"y\",z=~\"a|b\",w!~\"c.*\"}"},
        {"{__name__=~'a.*'}", "{__name__=~\"a.*\"}"},
        {"{\"my.metric\", \"l.x\"=\"y\"}", "{\"my.metric\",\"l.x\"=\"y\"}"},
        {"up{by='1',on='2',sum='3',offset='4'}", "up{by=\"1\",on=\"2\",sum=\"3\",offset=\"4\"}"},
        {"up offset 5m", "up offset 5m"},
        {"up offset -1h", "up offset -1h"},
        {"up @ 1603774568", "up @ 1603774568.000"},
        {"up @ -1.5", "up @ -1.500"},
        {"up @ start() offset 1m", "up @ start() offset 1m"},
        {"up offset 1m @ end()", "up @ end() offset 1m"},
        {"rate(x[5m])", "rate(x[5m])"},
        {"rate(x[300] offset 60)", "rate(x[5m] offset 1m)"},
        {"rate(x[1h:])", "rate(x[1h:])"},
        {"rate(x[1h:5m] @ 10 offset 2m)", "rate(x[1h:5m] @ 10.000 offset 2m)"},
        {"rate(x[2m*(10+5)])", "rate(x[2m * (10s + 5s)])"},
        {"rate(x[step()+1ms])", "rate(x[step() + 1ms])"},
        {"rate(x[max_of(step(),1m):min_of(range(), 5)])", "rate(x[max_of(step(), 1m):min_of(range(), 5s)])"},
        {"x offset (step()*2)", "x offset (step() * 2s)"},
        {"x offset -step()", "x offset -step()"},
        {"x offset -2 ^ 2", "x offset -2s ^ 2"},
        {"-x", "-x"},
        {"--x", "--x"},
        {"-1^2", "-1 ^ 2"},
        {"1 + 2 * 3 ^ 2 ^ 2 - 4", "1 + 2 * 3 ^ 2 ^ 2 - 4"},
        {"a and b or c unless d", "a and b or c unless d"},
        {"a > bool 1", "a > bool 1"},
        {"a ATAN2 b", "a atan2 b"},
        {"a * ON(x, \"y.z\") GROUP_LEFT(w) b", "a * on (x, \"y.z\") group_left (w) b"},
        {"a * ignoring(x) group_right b", "a * ignoring (x) group_right () b"},
        {"a + on() b", "a + on () b"},
        {"a + fill(0) b", "a + fill (0) b"},
        {"a == bool fill_left(1) fill_right(-2) b", "a == bool fill_left (1) fill_right (-2) b"},
        {"fill + fill_left", "fill + fill_left"},
        {"sum(x)", "sum(x)"},
        {"SUM BY (a, by) (x)", "sum by (a, by) (x)"},
        {"sum(x) without (a,)", "sum without (a) (x)"},
        {"sum by () (x)", "sum(x)"},
        {"topk(5, x)", "topk(5, x)"},
        {"count_values without (b) ('v', x)", "count_values without (b) (\"v\", x)"},
        {"sum + count", "sum + count"},
        {"start + end()", "start + end()"},
        {"step{a='1'}", "step{a=\"1\"}"},
        {"((1))", "((1))"},
        {"sum # comment\n (x) # another", "sum(x)"},
        {"label_replace(x, 'a', '$1', 'b', '(.*)')", "label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\")"},
        {"time()", "time()"},
        {"minute()", "minute()"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_prints(cases[i][0], cases[i][1]);
}

static void errors_name_their_place_in_prometheus_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        {"", 1, 1, "no expression found in input"},
        {"  # nothing", 1, 12, "no expression found in input"},
        {"1 +", 1, 4, "unexpected end of input"},
        {"1 2", 1, 3, "unexpected number \"2\""},
        {"foo bar", 1, 5, "unexpected identifier \"bar\""},
        {"sum(\n x by)", 2, 4, "unexpected <by>"},
        {"(1", 1, 3, "unclosed left parenthesis"},
        {"1)", 1, 2, "unexpected right parenthesis ')'"},
        {"x[5m", 1, 5, "unclosed left bracket"},
        {"x{a=", 1, 5, "unexpected end of input inside braces"},
        {"x{a=1}", 1, 5, "unexpected character inside braces: '1'"},
        {"x{a}", 1, 4, "unexpected \"}\" in label matching, expected label matching operator"},
        {"x{a=\"b\" c=\"d\"}", 1, 9, "unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
        {"x{=\"b\"}", 1, 3, "unexpected \"=\" in label matching, expected identifier or \"}\""},
        {"\"abc", 1, 1, "unterminated quoted string"},
        {"`abc", 1, 1, "unterminated raw string"},
        {"'\\q'", 1, 1, "error unquoting string: unknown escape sequence"},
        {"1ab", 1, 1, "bad number or duration syntax: \"1a\""},
        {"1__0", 1, 1, "bad number or duration syntax: \"1_\""},
        {"$", 1, 1, "unexpected character: '$'"},
        {"a =~ b", 1, 3, "unexpected character after '=': '~'"},
        {"x[0]", 1, 3, "duration must be greater than 0"},
        {"x[-5m]", 1, 3, "duration must be greater than 0"},
        {"x[5m/0]", 1, 3, "division by zero"},
        {"x[5m:1m", 1, 8, "unclosed left bracket"},
        {"x[]", 1, 3, "unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()"},
        {"(x)[5m]", 1, 4, "ranges only allowed for vector selectors"},
        {"x offset 1m[5m]", 1, 12, "no offset modifiers allowed before range"},
        {"x @ 1 [5m]", 1, 7, "no @ modifiers allowed before range"},
        {"x offset 1m offset 2m", 1, 1, "offset may not be set multiple times"},
        {"x @ 1 @ 2", 1, 1, "@ <timestamp> may not be set multiple times"},
        {"x offset", 1, 9, "unexpected end of input in offset, expected number, duration, step(), or range()"},
        {"x @ y", 1, 5, "unexpected identifier \"y\" in @, expected timestamp"},
        {"1 offset 5m", 1, 1,
         "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"},
        {"unknown(x)", 1, 1, "unknown function with name \"unknown\""},
        {"rate(x[5m],)", 1, 11, "trailing commas not allowed in function call args"},
        {"rate(x)", 1, 6, "expected type range vector in call to function \"rate\", got instant vector"},
        {"abs(x, y)", 1, 1, "expected 1 argument(s) in call to \"abs\", got 2"},
        {"label_join(x, 'a')", 1, 1, "expected at least 3 argument(s) in call to \"label_join\", got 2"},
        {"round(x, 1, 2)", 1, 1, "expected at most 2 argument(s) in call to \"round\", got 3"},
        {"sum()", 1, 1, "no arguments for aggregate expression provided"},
        {"topk(x)", 1, 1, "wrong number of arguments for aggregate expression provided, expected 2, got 1"},
        {"topk(x, y)", 1, 6, "expected type scalar in aggregation parameter, got instant vector"},
        {"sum(1)", 1, 5, "expected type instant vector in aggregation expression, got scalar"},
        {"sum by a (x)", 1, 8, "unexpected identifier \"a\" in grouping opts, expected \"(\""},
        {"sum by (1) (x)", 1, 9, "unexpected number \"1\" in grouping opts, expected label"},
        {"sum by (a b) (x)", 1, 11, "unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
        {"1 == 1", 1, 3, "comparisons between scalars must use BOOL modifier"},
        {"x + bool y", 1, 3, "bool modifier can only be used on comparison operators"},
        {"1 and x", 1, 1, "set operator \"and\" not allowed in binary scalar expression"},
        {"x and on(a) group_left y", 1, 1, "no grouping allowed for \"and\" operation"},
        {"x and fill(1) y", 1, 1, "filling in missing series not allowed for set operators"},
        {"x + fill(1) 2", 1, 1, "filling in missing series only allowed between instant vectors"},
        {"x + on(a) 1", 1, 1, "vector matching only allowed between instant vectors"},
        {"x * on(a) group_left(a) y", 1, 3, "label \"a\" must not occur in ON and GROUP clause at once"},
        {"'a' + 1", 1, 1, "binary expression must contain only scalar and instant vector types"},
        {"-'a'", 1, 1, "unary expression only allowed on expressions of type scalar or instant vector, got \"string\""},
        {"{}", 1, 1, "vector selector must contain at least one non-empty matcher"},
        {"{a=~'.*'}", 1, 1, "vector selector must contain at least one non-empty matcher"},
        {"a{__name__='b'}", 1, 1, "metric name must not be set twice: \"a\" or \"b\""},
        {"1[5m:1m]", 1, 1, "subquery is only allowed on instant vector, got scalar instead"},
        {"x[5m:] anchored", 1, 1, "anchored modifier is not supported for subqueries"},
        {"x anchored smoothed", 1, 1, "anchored and smoothed modifiers cannot be used together"},
        {"deriv(x[3m] anchored)", 1, 1,
         "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with deriv"},
        {"info(x, y)", 1, 9, "expected label selectors only, got vector selector instead"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refused(cases[i].text, -EINVAL, cases[i].line, cases[i].column, cases[i].message);
}

static void a_bad_regex_is_told_with_its_reason(void **state)
{
    (void)state;
    char printed[100];
    struct parse_error error;
    check_errno(print_parsed("up{a=~\"(\"}", printed, sizeof printed, &error), -EINVAL);
    assert_int_equal(error.column, 4);
    assert_true(error.text[0] != '\0');
    check_errno(print_parsed("up{a=~\"(?=x)\"}", printed, sizeof printed, &error), -EINVAL);
}

static char *repeated(const char *before, const char *piece, size_t n, const char *behind)
{
    size_t len = strlen(piece);
    char *text = malloc(strlen(before) + n * len + strlen(behind) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, piece);
    stpcpy(at, behind);
    return text;
}

static void assert_too_deep(const char *before, const char *piece, size_t n, const char *behind)
{
    AUTO_FREE char *text = repeated(before, piece, n, behind);
    struct parse_error error;
    char printed[1];
    check_errno(print_parsed(text, printed, sizeof printed, &error), -EINVAL);
    if (!strstr(error.text, "too deeply") && !strstr(error.text, "too many") && !strstr(error.text, "too long"))
        check_failed("%s...: %s", piece, error.text);
}

static void deep_nesting_is_refused_and_long_sums_are_not(void **state)
{
    (void)state;
    assert_too_deep("", "(", 100000, "1");
    assert_too_deep("", "-", 100000, "x");
    assert_too_deep("", "abs(", 100000, "x");
    assert_too_deep("", "1^", 100000, "1");
    assert_too_deep("1", "+1", 100000, "");
    assert_too_deep("x[", "(", 100000, "1");
    assert_too_deep("x[1", "+1", 100000, "]");
    assert_too_deep("x[", "-", 100000, "1]");
    assert_too_deep("", "sum by (a) (", 300, "x");
    AUTO_FREE char *long_sum = repeated("a", " or a", 1500, "");
    struct parse_error error;
    struct arena a;
    struct promql_expr *e = NULL;
    arena_init(&a, 64u << 20);
    check_ok(promql_parse(span_str(long_sum), &a, &e, &error));
    promql_expr_done(e);
    arena_done(&a);
    AUTO_FREE char *too_long = repeated("a{b=\"", "x", QUERY_TEXT_BYTES_MAX, "\"}");
    arena_init(&a, 64u << 20);
    check_errno(promql_parse(span_str(too_long), &a, &e, &error), -EINVAL);
    arena_done(&a);
}

static void a_parse_stays_within_its_arena(void **state)
{
    (void)state;
    for (size_t max = 0; max < 20000; max += 64) {
        struct arena a;
        struct promql_expr *e = NULL;
        struct parse_error error;
        arena_init(&a, max);
        int r =
            promql_parse(SPAN("sum by (a, b) (rate(x{c=~\"d.*\",e=\"f\"}[5m:1m] offset 1h)) / on (g) group_left (h) "
                              "(y{i!~\"j|k\"} + 1)"),
                         &a, &e, &error);
        if (r != 0)
            check_errno(r, -ENOMEM);
        if (r == 0)
            promql_expr_done(e);
        arena_done(&a);
    }
}

struct seen {
    unsigned n, regexes;
};

static void see(void *ctx, const struct matcher *ms, size_t n)
{
    struct seen *s = ctx;
    s->n++;
    for (size_t i = 0; i < n; i++)
        s->regexes += ms[i].type == MATCH_REGEX;
}

static void each_selector_of_an_expression_is_shown(void **state)
{
    (void)state;
    struct arena a;
    struct promql_expr *e;
    struct parse_error error;
    struct seen s = {0};
    arena_init(&a, 1u << 20);
    check_ok(promql_parse(SPAN("sum(rate(a[5m])) / (b{c=~\"d\"} or max_over_time(e[1h:]))"), &a, &e, &error));
    assert_int_equal(promql_expr_type(e), PROMQL_VECTOR);
    promql_each_selector(e, see, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.regexes, 1);
    promql_expr_done(e);
    arena_done(&a);
}

static void a_selector_alone_gives_its_matchers(void **state)
{
    (void)state;
    struct arena a;
    struct matcher *ms;
    size_t n;
    struct parse_error error;
    arena_init(&a, 1u << 20);
    check_ok(promql_parse_selector(SPAN("up{job=~\"a|b\"}"), &a, &ms, &n, &error));
    assert_int_equal(n, 2);
    check_span(ms[0].name, "job");
    check_span(ms[1].value, "up");
    for (size_t i = 0; i < n; i++)
        matcher_done(&ms[i]);
    check_errno(promql_parse_selector(SPAN("up{job=~\"a|b\"} offset 5m"), &a, &ms, &n, &error), -EINVAL);
    check_errno(promql_parse_selector(SPAN("sum(x)"), &a, &ms, &n, &error), -EINVAL);
    check_errno(promql_parse_selector(SPAN("1"), &a, &ms, &n, &error), -EINVAL);
    arena_done(&a);
}

static void the_table_has_every_function_once(void **state)
{
    (void)state;
    assert_int_equal(PROMQL_FUNCTIONS_COUNT, 90);
    for (size_t i = 0; i < PROMQL_FUNCTIONS_COUNT; i++) {
        assert_ptr_equal(promql_function_find(span_str(PROMQL_FUNCTIONS[i].name)), &PROMQL_FUNCTIONS[i]);
        assert_true(PROMQL_FUNCTIONS[i].call != NULL);
    }
    assert_null(promql_function_find(SPAN("holt_winters")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_print_as_prometheus_prints_them),
        cmocka_unit_test(errors_name_their_place_in_prometheus_words),
        cmocka_unit_test(a_bad_regex_is_told_with_its_reason),
        cmocka_unit_test(deep_nesting_is_refused_and_long_sums_are_not),
        cmocka_unit_test(a_parse_stays_within_its_arena),
        cmocka_unit_test(each_selector_of_an_expression_is_shown),
        cmocka_unit_test(a_selector_alone_gives_its_matchers),
        cmocka_unit_test(the_table_has_every_function_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
