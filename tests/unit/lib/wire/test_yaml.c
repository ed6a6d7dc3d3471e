#include "lib/wire/yaml.h"

#include <errno.h>
#include <math.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "tests/support/check.h"

static struct yaml *must_parse(const char *text)
{
    struct problems ps;
    struct yaml *doc = NULL;
    problems_init(&ps);
    if (yaml_parse("x.yml", span_str(text), &doc, &ps) != 0) {
        problems_print(&ps, stderr);
        check_failed("did not parse: %s", text);
    }
    assert_int_equal(ps.n, 0);
    problems_done(&ps);
    return doc;
}

/* The tree as JSON-like text: null, plain, "quoted", [..], {..}. */
static void show(struct buf *out, const struct yaml_node *n)
{
    const char *comma = "";
    if (n->kind == YAML_NULL) {
        buf_str(out, "null");
    } else if (n->kind == YAML_SCALAR) {
        buf_printf(out, n->quoted ? "\"" SPAN_FMT "\"" : SPAN_FMT, SPAN_ARG(n->text));
        assert_true(n->text.ptr[n->text.len] == '\0');
    } else {
        size_t count = 0;
        buf_char(out, n->kind == YAML_LIST ? '[' : '{');
        YAML_EACH(n, child)
        {
            buf_str(out, comma);
            if (n->kind == YAML_MAP)
                buf_printf(out, SPAN_FMT ":", SPAN_ARG(child->key));
            show(out, child);
            comma = ",";
            count++;
        }
        buf_char(out, n->kind == YAML_LIST ? ']' : '}');
        assert_int_equal(count, n->n);
    }
}

static void expect_tree(const char *text, const char *want)
{
    struct yaml *doc = must_parse(text);
    struct buf b;
    buf_init(&b, 1u << 20);
    show(&b, yaml_root(doc));
    if (strcmp(b.data, want) != 0)
        check_failed("%s\ngives %s\n  not %s", text, b.data, want);
    buf_done(&b);
    yaml_free(doc);
}

static void documents_become_trees(void **state)
{
    (void)state;
    expect_tree("", "null");
    expect_tree("# only a comment\n", "null");
    expect_tree("---\n", "null");
    expect_tree("--- text\n...\n", "text");
    expect_tree("\xef\xbb\xbf"
                "a: b\n",
                "{a:b}");
    expect_tree("a: 1\nb: [x, 'y', \"z\"]\nc:\n- d: e\n  f: g\n- ~\n", "{a:1,b:[x,\"y\",\"z\"],c:[{d:e,f:g},null]}");
    expect_tree("{\"a\": [1, {\"b\": null}], \"c\": \"\"}", "{a:[1,{b:null}],c:\"\"}");
    expect_tree("a: |\n  one\n  two\nb: >-\n  x\n  y\n", "{a:\"one\ntwo\n\",b:\"x y\"}");
    expect_tree("a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: 'null'\ng: nUll\n",
                "{a:null,b:null,c:null,d:null,e:null,f:\"null\",g:nUll}");
    expect_tree("a: yes\nb: No\nc: true\nd: 010\n", "{a:yes,b:No,c:true,d:010}");
    expect_tree("a: !!str 12\nb: !!int '12'\nc: ! 12\n", "{a:\"12\",b:12,c:\"12\"}");
    expect_tree("%YAML 1.1\n---\na: b\n", "{a:b}");
    expect_tree("? a\n: b\n", "{a:b}");
    expect_tree("1: x\ntrue: y\n", "{1:x,true:y}");
}

static void aliases_and_merge_keys_are_resolved(void **state)
{
    (void)state;
    expect_tree("a: &x {k: 1, l: [2]}\nb: *x\nc: [*x, *x]\n",
                "{a:{k:1,l:[2]},b:{k:1,l:[2]},c:[{k:1,l:[2]},{k:1,l:[2]}]}");
    expect_tree("- &t text\n- *t\n", "[text,text]");
    expect_tree("- &a 1\n- &a 2\n- *a\n", "[1,2,2]");
    expect_tree("- &k key\n- *k : v\n", "[key,{key:v}]");
    /* own keys win over merged ones wherever they stand; of several merged maps the first wins */
    expect_tree("- &x {a: 1, b: 2}\n- {<<: *x, b: 3}\n- {b: 4, <<: *x}\n", "[{a:1,b:2},{b:3,a:1},{b:4,a:1}]");
    expect_tree("- &x {a: 1}\n- &y {a: 2, b: 2}\n- {<<: [*x, *y], c: 3}\n", "[{a:1},{a:2,b:2},{c:3,a:1,b:2}]");
    expect_tree("- &x {a: 1}\n- &y {<<: *x, b: 2}\n- {<<: *y}\n", "[{a:1},{b:2,a:1},{b:2,a:1}]");
    expect_tree("<<: {a: 1}\n", "{a:1}");
    expect_tree("'<<': {a: 1}\n", "{<<:{a:1}}");
    expect_tree("- &x {a: 1}\n- {<<: *x}\n- {<<: *x, z: 1}\n- *x\n", "[{a:1},{a:1},{z:1,a:1},{a:1}]");
}

static void each_node_knows_its_place(void **state)
{
    (void)state;
    struct yaml *doc = must_parse("# \xc3\xa9\n"
                                  "caf\xc3\xa9: {x: 1}\n"
                                  "list:\r\n"
                                  "  - 'a'\n"
                                  "  - \xe2\x82\xac: \xf0\x9f\x98\x80!\n"
                                  "ls: \"\xe2\x80\xa8\"\n"
                                  "end: z\n");
    const struct yaml_node *root = yaml_root(doc);
    assert_string_equal(yaml_file(doc), "x.yml");
    const struct yaml_node *x = yaml_get(yaml_get(root, "caf\xc3\xa9"), "x");
    assert_int_equal(x->line, 2);
    assert_int_equal(x->column, 12); /* bytes: é is two */
    assert_int_equal(x->key_line, 2);
    assert_int_equal(x->key_column, 9);
    const struct yaml_node *list = yaml_get(root, "list");
    assert_int_equal(list->first->line, 4);
    assert_int_equal(list->first->column, 5);
    const struct yaml_node *euro = yaml_get(list->first->next, "\xe2\x82\xac");
    assert_int_equal(euro->line, 5);
    assert_int_equal(euro->column, 10);
    const struct yaml_node *end = yaml_get(root, "end"); /* U+2028 is a line to libyaml, not to an editor */
    assert_int_equal(end->line, 7);
    assert_int_equal(end->column, 6);
    assert_null(yaml_get(root, "absent"));
    assert_null(yaml_get(NULL, "x"));
    assert_null(yaml_get(list, "x"));
    yaml_free(doc);
    yaml_free(NULL);
}

struct expected {
    const char *text;
    uint32_t line, column;
    const char *words;
};

static void expect_problem(const struct expected *e, size_t len)
{
    struct problems ps;
    struct yaml *doc = (struct yaml *)&ps; /* must stay as it is */
    problems_init(&ps);
    int r = yaml_parse("x.yml", span_of(e->text, len), &doc, &ps);
    if (r != -EINVAL || ps.n < 1 || ps.list[0].line != e->line || ps.list[0].column != e->column ||
        !strstr(ps.list[0].text, e->words)) {
        problems_print(&ps, stderr);
        check_failed("%s: result %d, wanted %u:%u %s", e->text, r, e->line, e->column, e->words);
    }
    assert_ptr_equal(doc, &ps);
    problems_done(&ps);
}

static void errors_stand_at_their_place(void **state)
{
    (void)state;
    static const struct expected CASES[] = {
        {"a: b: c\n", 1, 5, "mapping values are not allowed"},
        {"a: [1, 2\nb: 3\n", 2, 2, "expected ',' or ']'"},
        {"a: 'open\n", 2, 1, "quoted scalar"},
        {"a:\n\tb: c\n", 2, 1, "a tab: YAML indents with spaces"},
        {"a: 1\nb: 2\na: 3\n", 3, 1, "key 'a' stands here a second time (first on line 1)"},
        {"x: {k: 1, k: 2}\n", 1, 11, "second time"},
        {"a: *nobody\n", 1, 4, "no anchor '&nobody'"},
        {"a: &x [1, *x]\n", 1, 11, "inside of what it names"},
        {"a: 1\n---\nb: 2\n", 2, 1, "second document"},
        {"a: !mine b\n", 1, 4, "tag '!mine'"},
        {"a: !!binary aGk=\n", 1, 4, "tag '!!binary'"},
        {"a: !!set {b}\n", 1, 4, "tag '!!set'"},
        {"[a]: b\n", 1, 1, "a key must be text, not a list"},
        {"~: b\n", 1, 1, "a key must be text, not nothing"},
        {"<<: 5\n", 1, 5, "merge key"},
        {"<<: [{a: 1}, x]\n", 1, 14, "merge key"},
        {"a: b\nc: \xff\n", 2, 4, "UTF-8"},
        {"a: \x01\n", 1, 4, "control characters"},
        {"a: \"\\q\"\n", 1, 5, "unknown escape"},
        {"%YAML 2.0\n---\na\n", 1, 1, "incompatible YAML document"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        expect_problem(&CASES[i], strlen(CASES[i].text));
    static const struct expected ZERO = {"a: b\0c\n", 1, 5, ""};
    expect_problem(&ZERO, 7);
}

static void all_problems_come_at_once(void **state)
{
    (void)state;
    struct problems ps;
    struct yaml *doc;
    problems_init(&ps);
    check_errno(yaml_parse("x.yml", SPAN("a: 1\na: 2\nb: !x y\nc: *z\nd: {e: 1, e: 2, e: 3}\n"), &doc, &ps), -EINVAL);
    assert_int_equal(problems_errors(&ps), 5);
    problems_done(&ps);
}

static void a_billion_laughs_are_refused_quickly(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 16);
    buf_str(&b, "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&b, "%s*a%d", k ? "," : "", i - 1);
        buf_str(&b, "]\n");
    }
    struct problems ps;
    struct yaml *doc;
    problems_init(&ps);
    int64_t start_us = mono_us();
    check_errno(yaml_parse("x.yml", buf_view(&b), &doc, &ps), -EINVAL);
    assert_true(mono_us() - start_us < 1000000 * (int64_t)check_patience());
    check_contains(ps.list[0].text, "more than 1000000 values");
    problems_done(&ps);
    /* the same through merge keys */
    buf_clear(&b);
    buf_str(&b, "a0: &a0 {");
    for (int k = 0; k < 500; k++)
        buf_printf(&b, "k%d: v,", k);
    buf_str(&b, "}\n");
    for (int i = 1; i < 5000; i++)
        buf_printf(&b, "b%d: {<<: *a0}\n", i);
    problems_init(&ps);
    check_errno(yaml_parse("x.yml", buf_view(&b), &doc, &ps), -EINVAL);
    check_contains(ps.list[0].text, "more than 1000000 values");
    problems_done(&ps);
    buf_done(&b);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEEP = 200000 };
    static const struct {
        char open;
        bool spaced;
    } CASES[] = {{'[', false}, {'{', false}, {'-', true}, {'?', true}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_FREE char *text = malloc(DEEP);
        for (size_t k = 0; k < DEEP; k++)
            text[k] = CASES[i].spaced && k % 2 ? ' ' : CASES[i].open;
        struct problems ps;
        struct yaml *doc;
        problems_init(&ps);
        int64_t start_us = mono_us();
        check_errno(yaml_parse("x.yml", span_of(text, DEEP), &doc, &ps), -EINVAL);
        assert_true(mono_us() - start_us < 2000000 * (int64_t)check_patience());
        check_contains(ps.list[0].text, "nested deeper than 100");
        problems_done(&ps);
    }
    char text[2 * YAML_DEPTH_MAX + 1];
    memset(text, '[', YAML_DEPTH_MAX);
    memset(text + YAML_DEPTH_MAX, ']', YAML_DEPTH_MAX);
    text[2 * YAML_DEPTH_MAX] = '\0';
    yaml_free(must_parse(text));
}

static void large_files_take_linear_time(void **state)
{
    (void)state;
    /* one line of flow style, and a map of many keys: places and duplicates must not be quadratic */
    struct buf b;
    buf_init(&b, CONFIG_BYTES_MAX);
    buf_char(&b, '{');
    for (unsigned i = 0; i < 100000 / check_slowness(); i++)
        buf_printf(&b, "key\xc3\xa9%u: v, ", i);
    buf_char(&b, '}');
    int64_t start_us = mono_us();
    struct yaml *doc = must_parse(b.data);
    assert_true(mono_us() - start_us < 3000000 * (int64_t)check_patience());
    assert_int_equal(yaml_root(doc)->n, 100000 / check_slowness());
    yaml_free(doc);
    buf_done(&b);
    struct problems ps;
    problems_init(&ps);
    AUTO_FREE char *spaces = malloc(CONFIG_BYTES_MAX + 1);
    memset(spaces, ' ', CONFIG_BYTES_MAX + 1);
    check_errno(yaml_parse("x.yml", span_of(spaces, CONFIG_BYTES_MAX + 1), &doc, &ps), -EINVAL);
    problems_done(&ps);
}

/* ---- scalars ---------------------------------------------------------------------------------------------- */

static void scalars_are_read_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int u64_result;
        uint64_t u64;
        int f64_result;
        double f64;
    } CASES[] = {
        {"0", 0, 0, 0, 0},
        {"42", 0, 42, 0, 42},
        {"+7", 0, 7, 0, 7},
        {"-7", -ERANGE, 0, 0, -7},
        {"1_000", 0, 1000, 0, 1000},
        {"0x1F", 0, 31, 0, 31},
        {"0o17", 0, 15, 0, 15},
        {"017", 0, 15, 0, 15},
        {"0b101", 0, 5, 0, 5},
        {"1e3", 0, 1000, 0, 1000},
        {"2.0", 0, 2, 0, 2},
        {"2.5", -EINVAL, 0, 0, 2.5},
        {".5", -EINVAL, 0, 0, 0.5},
        {"18446744073709551615", 0, UINT64_MAX, 0, 18446744073709551615.0},
        {"18446744073709551616", -ERANGE, 0, 0, 18446744073709551616.0},
        {".inf", -EINVAL, 0, 0, INFINITY},
        {"-.Inf", -EINVAL, 0, 0, -INFINITY},
        {"inf", -EINVAL, 0, -EINVAL, 0},
        {"NaN", -EINVAL, 0, -EINVAL, 0},
        {"'5'", -EINVAL, 0, -EINVAL, 0},
        {"5s", -EINVAL, 0, -EINVAL, 0},
        {"0x", -EINVAL, 0, -EINVAL, 0},
        {"0xg", -EINVAL, 0, -EINVAL, 0},
        {"true", -EINVAL, 0, -EINVAL, 0},
        {"[1]", -EINVAL, 0, -EINVAL, 0},
        {"", -EINVAL, 0, -EINVAL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct yaml *doc = must_parse(CASES[i].text);
        uint64_t u = 77;
        double f = 77;
        int ru = yaml_as_u64(yaml_root(doc), &u), rf = yaml_as_f64(yaml_root(doc), &f);
        if (ru != CASES[i].u64_result || rf != CASES[i].f64_result)
            check_failed("'%s': u64 %d, f64 %d", CASES[i].text, ru, rf);
        assert_true(u == (ru == 0 ? CASES[i].u64 : 77));
        check_double_bits(f, rf == 0 ? CASES[i].f64 : 77);
        yaml_free(doc);
    }
    struct yaml *doc = must_parse("[-9223372036854775808, -9223372036854775809, 9223372036854775808, .nan, -0x10]");
    const struct yaml_node *n = yaml_root(doc)->first;
    int64_t v = 0;
    check_ok(yaml_as_i64(n, &v));
    assert_true(v == INT64_MIN);
    n = n->next;
    check_errno(yaml_as_i64(n, &v), -ERANGE);
    n = n->next;
    check_errno(yaml_as_i64(n, &v), -ERANGE);
    n = n->next;
    double f;
    check_ok(yaml_as_f64(n, &f));
    assert_true(isnan(f));
    n = n->next;
    check_ok(yaml_as_i64(n, &v));
    assert_true(v == -16);
    check_errno(yaml_as_i64(NULL, &v), -EINVAL);
    yaml_free(doc);
}

static void booleans_take_yes_and_no(void **state)
{
    (void)state;
    struct yaml *doc = must_parse("[true, yes, On, y, TRUE, false, no, OFF, n, False]");
    size_t i = 0;
    YAML_EACH(yaml_root(doc), n)
    {
        bool v = i >= 5;
        check_ok(yaml_as_bool(n, &v));
        assert_int_equal(v, i++ < 5);
    }
    yaml_free(doc);
    doc = must_parse("['true', 1, tRue, ~, [true]]");
    YAML_EACH(yaml_root(doc), n)
    {
        bool v;
        check_errno(yaml_as_bool(n, &v), -EINVAL);
    }
    yaml_free(doc);
}

/* ---- tables ----------------------------------------------------------------------------------------------- */

struct job {
    const char *name, *path;
    bool honor;
    uint64_t limit, body_bytes;
    double ratio;
    int64_t interval_ms;
    const struct yaml_node *targets;
};
static const struct yaml_field FIELDS[] = {
    {.key = "job_name", .type = YAML_FIELD_TEXT, .offset = offsetof(struct job, name), .required = true},
    {.key = "metrics_path", .type = YAML_FIELD_TEXT, .offset = offsetof(struct job, path)},
    {.key = "honor_labels", .type = YAML_FIELD_BOOL, .offset = offsetof(struct job, honor)},
    {.key = "sample_limit", .type = YAML_FIELD_U64, .offset = offsetof(struct job, limit), .min = 1, .max = 1000},
    {.key = "body_size_limit", .type = YAML_FIELD_BYTES, .offset = offsetof(struct job, body_bytes)},
    {.key = "ratio", .type = YAML_FIELD_F64, .offset = offsetof(struct job, ratio)},
    {.key = "scrape_interval",
     .type = YAML_FIELD_DURATION,
     .offset = offsetof(struct job, interval_ms),
     .min = 1000,
     .max = 3600000},
    {.key = "static_configs", .type = YAML_FIELD_NODE, .offset = offsetof(struct job, targets)},
    {.key = "old_key", .type = YAML_FIELD_IGNORED, .help = "it was for version 1"},
    {.key = "consul_sd", .type = YAML_FIELD_REFUSED, .help = "use file_sd_configs"},
    {0},
};

static void tables_fill_structs(void **state)
{
    (void)state;
    struct yaml *doc =
        must_parse("job_name: 007\nmetrics_path: ~\nhonor_labels: yes\nsample_limit: 10\nbody_size_limit: 10MB\n"
                   "ratio: 1\nscrape_interval: 1m30s\nstatic_configs: [x]\nold_key: 1\n");
    struct job j = {.path = "/metrics"};
    struct problems ps;
    problems_init(&ps);
    check_ok(yaml_read(doc, yaml_root(doc), FIELDS, &j, &ps));
    assert_string_equal(j.name, "007"); /* text keeps its spelling */
    assert_string_equal(j.path, "/metrics");
    assert_true(j.honor);
    assert_true(j.limit == 10 && j.body_bytes == 10u << 20 && j.interval_ms == 90000);
    check_double_bits(j.ratio, 1);
    assert_int_equal(j.targets->n, 1);
    assert_int_equal(ps.n, 1);
    assert_int_equal(ps.list[0].level, PROBLEM_NOTICE);
    check_contains(ps.list[0].text, "it was for version 1");
    problems_done(&ps);
    yaml_free(doc);
}

static void tables_report_every_problem_with_a_suggestion(void **state)
{
    (void)state;
    struct yaml *doc = must_parse("metric_path: /x\n"
                                  "wholly_unknown: 1\n"
                                  "honor_labels: 'true'\n"
                                  "sample_limit: 1001\n"
                                  "body_size_limit: lots\n"
                                  "ratio: [1]\n"
                                  "scrape_interval: 10ms\n"
                                  "consul_sd: x\n"
                                  "metrics_path: \"a\\0b\"\n");
    struct job j = {.path = "/metrics", .limit = 5};
    struct problems ps;
    problems_init(&ps);
    check_errno(yaml_read(doc, yaml_root(doc), FIELDS, &j, &ps), -EINVAL);
    static const struct {
        uint32_t line, column;
        const char *words;
    } WANT[] = {
        {1, 1, "unknown key 'metric_path' (did you mean 'metrics_path'?)"},
        {2, 1, "unknown key 'wholly_unknown'"},
        {3, 15, "'honor_labels' must be true or false, not the text \"true\""},
        {4, 15, "'sample_limit' must be from 1 to 1000, not 1001"},
        {5, 18, "'body_size_limit' must be a size like 512KB or 10MB, not 'lots'"},
        {6, 8, "'ratio' must be a number, not a list"},
        {7, 18, "'scrape_interval' must be from 1s to 1h, not 10ms"},
        {8, 1, "'consul_sd' is not supported: use file_sd_configs"},
        {9, 15, "'metrics_path' has a zero byte"},
        {1, 1, "missing key 'job_name'"},
    };
    assert_int_equal(ps.n, ARRAY_LEN(WANT));
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
        check_contains(ps.list[i].text, WANT[i].words);
        assert_int_equal(ps.list[i].line, WANT[i].line);
        assert_int_equal(ps.list[i].column, WANT[i].column);
    }
    assert_null(strstr(ps.list[1].text, "did you mean"));
    assert_true(j.limit == 5 && j.interval_ms == 0 && strcmp(j.path, "/metrics") == 0);
    problems_done(&ps);
    yaml_free(doc);
}

static void tables_want_maps(void **state)
{
    (void)state;
    struct yaml *doc = must_parse("a: [1]\nb:\nc: {job_name: }\nd: {job_name: []}\n");
    struct job j = {0};
    struct problems ps;
    problems_init(&ps);
    check_errno(yaml_read(doc, yaml_get(yaml_root(doc), "a"), FIELDS, &j, &ps), -EINVAL);
    check_contains(ps.list[0].text, "'a' must be a map, not a list");
    check_errno(yaml_read(doc, yaml_get(yaml_root(doc), "b"), FIELDS, &j, &ps), -EINVAL);
    check_contains(ps.list[1].text, "missing key 'job_name'");
    assert_int_equal(ps.list[1].line, 2);
    check_errno(yaml_read(doc, NULL, FIELDS, &j, &ps), -EINVAL);
    assert_int_equal(ps.list[2].line, 0);
    check_errno(yaml_read(doc, yaml_get(yaml_root(doc), "c"), FIELDS, &j, &ps), -EINVAL);
    check_contains(ps.list[3].text, "'job_name' needs a value");
    check_errno(yaml_read(doc, yaml_get(yaml_root(doc), "d"), FIELDS, &j, &ps), -EINVAL);
    check_contains(ps.list[4].text, "'job_name' must be text, not a list");
    assert_int_equal(ps.n, 5);
    check_ok(yaml_read(doc, NULL, FIELDS + 1, &j, &ps)); /* nothing required */
    problems_done(&ps);
    yaml_free(doc);
}

static void cut_and_flipped_files_do_no_harm(void **state)
{
    (void)state;
    static const char TEXT[] = "# c\nglobal: &g {scrape_interval: 15s, labels: {a: \"b\\n\", 'c': d}}\n"
                               "jobs:\n- <<: *g\n  job_name: x\n  script: |\n    one\n    two\n- ? y\n  : !!str 5\n";
    for (size_t n = 0; n < sizeof TEXT; n++) {
        for (int bit = -1; bit < 8; bit++) {
            AUTO_FREE char *copy = malloc(sizeof TEXT); /* an exact block for the cut ones */
            memcpy(copy, TEXT, sizeof TEXT);
            size_t len = bit < 0 ? n : sizeof TEXT - 1;
            if (bit >= 0)
                copy[n] = (char)(copy[n] ^ (1 << bit));
            copy = realloc(copy, len + 1);
            struct problems ps;
            struct yaml *doc = NULL;
            problems_init(&ps);
            int r = yaml_parse("x.yml", span_of(copy, len), &doc, &ps);
            assert_true(r == 0 || r == -EINVAL);
            assert_int_equal(r != 0, problems_errors(&ps) > 0);
            if (r == 0) {
                struct buf b;
                buf_init(&b, 1u << 20);
                show(&b, yaml_root(doc));
                buf_done(&b);
                yaml_free(doc);
            }
            problems_done(&ps);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_trees),
        cmocka_unit_test(aliases_and_merge_keys_are_resolved),
        cmocka_unit_test(each_node_knows_its_place),
        cmocka_unit_test(errors_stand_at_their_place),
        cmocka_unit_test(all_problems_come_at_once),
        cmocka_unit_test(a_billion_laughs_are_refused_quickly),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(large_files_take_linear_time),
        cmocka_unit_test(scalars_are_read_as_go_reads_them),
        cmocka_unit_test(booleans_take_yes_and_no),
        cmocka_unit_test(tables_fill_structs),
        cmocka_unit_test(tables_report_every_problem_with_a_suggestion),
        cmocka_unit_test(tables_want_maps),
        cmocka_unit_test(cut_and_flipped_files_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
