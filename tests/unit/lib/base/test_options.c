#include "tests/support/check.h"

#include <string.h>

#include "lib/base/options.h"

static const struct option_def OPTIONS[] = {
    {.name = "listen",
     .type = OPT_TEXT,
     .arg = "ADDR:PORT",
     .fallback = "127.0.0.1:9480",
     .env = "CREST_TEST_LISTEN",
     .help = "address to listen on"},
    {.name = "users",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "1",
     .min = 1,
     .max = 100,
     .help = "virtual users",
     .commands = "run"},
    {.name = "rate",
     .type = OPT_NUMBER,
     .arg = "R",
     .min = 0.5,
     .max = 10,
     .help = "sessions per second",
     .commands = "run|check"},
    {.name = "duration",
     .type = OPT_DURATION,
     .fallback = "1m30s",
     .min = 1000,
     .max = 3600000,
     .help = "how long",
     .env = "CREST_TEST_DURATION"},
    {.name = "durability", .type = OPT_CHOICE, .choices = "full|normal", .fallback = "normal", .help = "fsync or not"},
    {.name = "label", .type = OPT_LIST, .arg = "NAME=VALUE", .help = "extra label"},
    {.name = "verbose", .type = OPT_FLAG, .env = "CREST_TEST_VERBOSE", .help = "say more"},
    {.name = "data", .type = OPT_TEXT, .help = "where to serve from", .commands = ""},
    {.name = "json", .letter = 'j', .type = OPT_TEXT, .arg = "FILE", .help = "write JSON there", .commands = "run"},
    {.name = "json", .letter = 'j', .type = OPT_FLAG, .help = "write JSON", .commands = "check"},
    {0}};
static const struct command_def COMMANDS[] = {
    {.name = "", .help = "serve"},
    {.name = "run", .operands = "FILE...", .operands_min = 1, .operands_max = 3, .help = "run journeys"},
    {.name = "check", .operands = "[FILE]", .operands_max = 1, .help = "check files"},
    {0}};
static const struct program_def PROGRAM = {.name = "crest-test",
                                           .summary = "tests options",
                                           .examples = "  crest-test run a.hurl   # run it\n",
                                           .commands = COMMANDS,
                                           .options = OPTIONS};

struct outcome {
    int code;
    struct options *o;
    char *out, *err;
};

/* Words separated by blanks; the vector lives until the next call. */
static struct outcome parse(const char *line)
{
    static char words[512];
    static char *argv[32];
    static char name[] = "crest-test";
    int argc = 0;
    argv[argc++] = name;
    snprintf(words, sizeof words, "%s", line);
    for (char *at = words; *at;) {
        argv[argc++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
    }
    argv[argc] = NULL;
    struct outcome r;
    check_capture_start(1);
    check_capture_start(2);
    r.code = options_parse(&PROGRAM, argc, argv, &r.o);
    r.err = check_capture_end(2);
    r.out = check_capture_end(1);
    assert_int_equal(r.o != NULL, r.code == OPTIONS_RUN);
    return r;
}

static void done(struct outcome *r)
{
    options_free(r->o);
    free(r->out);
    free(r->err);
}

static void options_give_defaults_when_nothing_is_given(void **state)
{
    (void)state;
    struct outcome r = parse("");
    assert_int_equal(r.code, OPTIONS_RUN);
    assert_string_equal(options_command(r.o), "");
    assert_string_equal(options_text(r.o, "listen"), "127.0.0.1:9480");
    assert_int_equal(options_count(r.o, "users"), 1);
    assert_int_equal(options_duration_ms(r.o, "duration"), 90000);
    assert_string_equal(options_text(r.o, "durability"), "normal");
    assert_false(options_flag(r.o, "verbose"));
    assert_false(options_given(r.o, "listen"));
    assert_null(options_text(r.o, "rate"));
    assert_int_equal(options_list_count(r.o, "label"), 0);
    done(&r);
}

static void options_take_flags_before_and_behind_operands(void **state)
{
    (void)state;
    struct outcome r =
        parse("--verbose run a.hurl --users 7 --rate=2.5 b.hurl --label a=1 --label=b=2 --duration 5m -- --x");
    assert_int_equal(r.code, OPTIONS_RUN);
    assert_string_equal(options_command(r.o), "run");
    assert_int_equal(options_operand_count(r.o), 3);
    assert_string_equal(options_operand(r.o, 0), "a.hurl");
    assert_string_equal(options_operand(r.o, 1), "b.hurl");
    assert_string_equal(options_operand(r.o, 2), "--x");
    assert_true(options_flag(r.o, "verbose"));
    assert_int_equal(options_count(r.o, "users"), 7);
    check_double_bits(options_number(r.o, "rate"), 2.5);
    assert_int_equal(options_duration_ms(r.o, "duration"), 300000);
    assert_int_equal(options_list_count(r.o, "label"), 2);
    assert_string_equal(options_list(r.o, "label", 0), "a=1");
    assert_string_equal(options_list(r.o, "label", 1), "b=2");
    done(&r);
}

static void commands_may_have_options_of_one_name_that_differ(void **state)
{
    (void)state;
    static const char *const LINES[][2] = {{"run a.hurl --json out", "check --json a.hurl"},
                                           {"run -j out a.hurl", "check a.hurl -j"}};
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct outcome run = parse(LINES[i][0]);
        assert_int_equal(run.code, OPTIONS_RUN);
        assert_string_equal(options_text(run.o, "json"), "out");
        assert_int_equal(options_operand_count(run.o), 1);
        done(&run);
        struct outcome check = parse(LINES[i][1]);
        assert_int_equal(check.code, OPTIONS_RUN);
        assert_true(options_flag(check.o, "json"));
        assert_string_equal(options_operand(check.o, 0), "a.hurl");
        done(&check);
    }
}

static void flags_win_over_environment_and_that_over_defaults(void **state)
{
    (void)state;
    setenv("CREST_TEST_LISTEN", "127.0.0.1:1", 1);
    setenv("CREST_TEST_VERBOSE", "true", 1);
    struct outcome r = parse("");
    assert_string_equal(options_text(r.o, "listen"), "127.0.0.1:1");
    assert_true(options_given(r.o, "listen"));
    assert_true(options_flag(r.o, "verbose"));
    done(&r);
    r = parse("--listen 127.0.0.1:2");
    assert_string_equal(options_text(r.o, "listen"), "127.0.0.1:2");
    done(&r);
    setenv("CREST_TEST_DURATION", "soon", 1);
    r = parse("");
    assert_int_equal(r.code, EXIT_USAGE);
    check_contains(r.err, "CREST_TEST_DURATION soon: not a duration");
    done(&r);
    unsetenv("CREST_TEST_LISTEN");
    unsetenv("CREST_TEST_VERBOSE");
    unsetenv("CREST_TEST_DURATION");
}

static void wrong_usage_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reason;
    } CASES[] = {
        {"--lissten x", "unknown option --lissten: did you mean --listen?"},
        {"--zzzzzz", "unknown option --zzzzzz ("},
        {"-v", "unknown option -v: options start with two dashes"},
        {"--listen", "--listen needs a value: ADDR:PORT"},
        {"--verbose=yes", "--verbose takes no value"},
        {"run x --users 0", "--users 0: outside the range: 1 to 100"},
        {"run x --users 101", "outside the range"},
        {"run x --users -1", "not a whole number"},
        {"run x --rate nan", "not a number"},
        {"run x --rate 0.1", "outside the range: 0.5 to 10"},
        {"--duration 100ms", "outside the range: 1s to 1h"},
        {"--durability fast", "not one of the choices: full or normal"},
        {"run", "run: FILE... is missing"},
        {"run a b c d", "run: unexpected operand 'd'"},
        {"rnu a", "unknown command 'rnu': did you mean 'run'?"},
        {"--users 3", "--users goes only with run"},
        {"run x --data d", "--data goes only without a command"},
        {"check --users 3", "--users goes only with run"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct outcome r = parse(CASES[i].line);
        if (r.code != EXIT_USAGE)
            check_failed("'%s' gives %d", CASES[i].line, r.code);
        check_contains(r.err, CASES[i].reason);
        check_contains(r.err, "crest-test --help");
        assert_string_equal(r.out, "");
        done(&r);
    }
}

static void help_opens_with_examples_and_names_everything_in_the_table(void **state)
{
    (void)state;
    struct outcome r = parse("run --help");
    assert_int_equal(r.code, EXIT_OK);
    assert_string_equal(r.err, "");
    assert_true(strstr(r.out, "crest-test run a.hurl   # run it") < strstr(r.out, "Commands:"));
    assert_true(strstr(r.out, "Commands:") < strstr(r.out, "Options:"));
    for (const struct option_def *d = OPTIONS; d->name; d++) {
        char flag[64];
        char letter[8] = "";
        if (d->letter)
            snprintf(letter, sizeof letter, "-%c, ", d->letter);
        snprintf(flag, sizeof flag, "  %s--%s", letter, d->name);
        check_contains(r.out, flag);
        check_contains(r.out, d->help);
    }
    check_contains(r.out, "[1 to 100; default 1; only with run]");
    check_contains(r.out, "[0.5 to 10; only with run or check]");
    check_contains(r.out, "[only without a command]");
    check_contains(r.out, "[full or normal; default normal]");
    check_contains(r.out, "$CREST_TEST_LISTEN");
    done(&r);
    r = parse("--version");
    assert_int_equal(r.code, EXIT_OK);
    assert_true(strncmp(r.out, "crest-test 0.", 13) == 0);
    check_contains(r.out, crest_version());
    done(&r);
    r = parse("--help-man");
    assert_int_equal(r.code, EXIT_OK);
    check_contains(r.out, ".TH crest-test 1");
    check_contains(r.out, "\\-\\-durability");
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_give_defaults_when_nothing_is_given),
        cmocka_unit_test(options_take_flags_before_and_behind_operands),
        cmocka_unit_test(commands_may_have_options_of_one_name_that_differ),
        cmocka_unit_test(flags_win_over_environment_and_that_over_defaults),
        cmocka_unit_test(wrong_usage_is_refused_with_its_reason),
        cmocka_unit_test(help_opens_with_examples_and_names_everything_in_the_table),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
