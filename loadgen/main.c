/* crest-loadgen: journeys as load and as tests. */
#include <assert.h>
#include <string.h>

#include "lib/base/log.h"
#include "loadgen/commands.h"
#include "loadgen/option_tables.h"

#define OPTIONS_MAX 256u /* of all tables */

static const struct command_def COMMANDS[] = {
    {"run", "FILE…", 1, 1000, "run journeys as load and judge the outcome"},
    {"test", "FILE…", 0, 1000,
     "run each journey once; exit codes are hurl's: 0 ok, 1 usage, 2 file, 3 runtime, 4 assert"},
    {"worker", NULL, 0, 0, "make parts of runs that another machine plans with run --workers (a daemon)"},
    {"find-limit", "FILE…", 1, 1000, "search the highest arrival rate that keeps the SLO"},
    {"synthetic", "FILE…", 1, 1000, "run each journey on a schedule for ever and tell how it went (a daemon)"},
    {"init", "MIX [FOLDER]", 1, 2,
     "write a ready plan with its journeys: retail, magento, flash-sale, tpcw-browsing, tpcw-shopping, tpcw-ordering"},
    {"check", "[journey|plan|hosts|feed] FILE…", 1, 1001, "say what is wrong with files, without running them"},
    {"import", "har|log|curl|postman [FILE…|COMMAND]", 1, 1001, "make journeys of what others recorded or wrote down"},
    {0},
};
/* Its options are joined at the start. */
static const struct program_def PROGRAM = {
    .name = "crest-loadgen",
    .summary = "journeys (Hurl files) as load with honest latency, and as tests",
    .examples =
        "  crest-loadgen run cart.hurl --rate 20 --duration 1m          # 20 sessions a second, pass or fail by # "
        "@slo\n"
        "  crest-loadgen run *.hurl --stages 30s:5,10s:5-40,2m:40       # warm-up, ramp, peak; mix by # @weight\n"
        "  crest-loadgen run cart.hurl --users 50 --duration 1m         # 50 users that loop\n"
        "  crest-loadgen run *.hurl --event bf --at 150% --duration 10m # one and a half times Black Friday's planned "
        "peak\n"
        "  crest-loadgen test cart.hurl --variable base=http://127.0.0.1:9483\n"
        "  crest-loadgen find-limit cart.hurl --rate 20 --slo 'p95<800ms err<1%'\n"
        "  crest-loadgen synthetic *.hurl --every 30s --remote-write http://127.0.0.1:9480/api/v1/write\n"
        "  crest-loadgen check *.hurl\n",
    .commands = COMMANDS,
};

static const struct {
    const char *name;
    int (*run)(const struct options *o);
} FUNCTIONS[] = {{"run", command_run},
                 {"test", command_test},
                 {"worker", command_worker},
                 {"find-limit", command_find_limit},
                 {"synthetic", command_synthetic},
                 {"init", command_init},
                 {"check", command_check},
                 {"import", command_import}};

static void join_tables(struct option_def to[OPTIONS_MAX])
{
    static const struct option_def *const TABLES[] = {LOAD_OPTIONS, IMPORT_OPTIONS, TEST_OPTIONS};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++)
        for (const struct option_def *d = TABLES[i]; d->name; d++) {
            assert(n + 1 < OPTIONS_MAX);
            to[n++] = *d;
        }
    to[n] = (struct option_def){0};
}

int main(int argc, char **argv)
{
    struct option_def all[OPTIONS_MAX];
    struct program_def program = PROGRAM;
    struct options *o = NULL;
    join_tables(all);
    program.options = all;
    int code = options_parse(&program, argc, argv, &o);
    if (code == EXIT_USAGE && argc > 1 && strcmp(argv[1], "test") == 0)
        return 1; /* hurl's code for it */
    if (code != OPTIONS_RUN)
        return code;
    log_init(program.name, LOG_LEVEL_INFO);
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++)
        if (strcmp(options_command(o), FUNCTIONS[i].name) == 0)
            code = FUNCTIONS[i].run(o);
    options_free(o);
    return code;
}
