/* What crest-collector is told: its commands and options, and the command that needs no collector. */
#include "collector/command_line.h"

#include <errno.h>

#include "collector/ask.h"
#include "collector/config.h"
#include "collector/rules/rule_test.h"
#include "collector/rules/rules.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

static const struct command_def COMMANDS[] = {
    {"", NULL, 0, 0, "run the collector"},
    {"check", "[config|rules|event] FILE…", 1, 10000, "validate files and what they refer to; errors as file:line:col"},
    {"test", "rules FILE…", 1, 10000, "run promtool's unit tests of rules"},
    {"init", NULL, 0, 0, "print a commented crest.yml"},
    {"mark", "KIND SERVICE TEXT", 3, 3, "annotate the time-line: mark deploy checkout v42 (SERVICE - is none)"},
    {"event", "import FILE | list | check FILE… | remove NAME", 1, 1000, "the sale: its window, plan and last event"},
    {"report", "EVENT", 1, 1, "what an event came to, as one self-contained HTML file"},
    {"store", "check | stat | export | compact DIR, import DIR FILE | prometheus URL, backup DIR TO", 2, 4,
     "care for the data folder (docs/care.md)"},
    {0},
};
static const struct option_def OPTIONS[] = {
    {.name = "config",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_CONFIG",
     .help = "crest.yml; without it the defaults are useful",
     .commands = ""},
    {.name = "data",
     .type = OPT_TEXT,
     .arg = "DIR",
     .fallback = "crest-data",
     .env = "CREST_DATA",
     .help = "data folder; for commands: of a collector that is stopped, instead of --url",
     .commands = "|mark|event|report|store"},
    {.name = "listen",
     .type = OPT_TEXT,
     .arg = "ADDR:PORT",
     .fallback = "127.0.0.1:9480",
     .env = "CREST_LISTEN",
     .help = "address to listen on; port 0 picks one and prints it",
     .commands = ""},
    {.name = "retention",
     .type = OPT_DURATION,
     .arg = "30d|0",
     .fallback = "30d",
     .env = "CREST_RETENTION",
     .help = "how long samples are kept; 0 is for ever",
     .commands = ""},
    {.name = "retention-size",
     .type = OPT_TEXT,
     .arg = "50GB",
     .env = "CREST_RETENTION_SIZE",
     .help = "on disk; above it the oldest samples go first, also before --retention; 0: no bound",
     .commands = ""},
    {.name = "durability",
     .type = OPT_CHOICE,
     .arg = "full|normal",
     .choices = "full|normal",
     .fallback = "full",
     .env = "CREST_DURABILITY",
     .help = "what a 2xx survives: a power cut, or kill -9 only",
     .commands = ""},
    {.name = "enable-admin-api",
     .type = OPT_FLAG,
     .env = "CREST_ENABLE_ADMIN_API",
     .help = "open /api/v1/admin/tsdb/: deleting series",
     .commands = ""},
    {.name = "web-config",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_WEB_CONFIG",
     .help = "credentials and TLS, Prometheus's web-config file",
     .commands = ""},
    {.name = "webhook-url",
     .type = OPT_TEXT,
     .arg = "URL",
     .env = "CREST_WEBHOOK_URL",
     .help = "where alerts are sent",
     .commands = ""},
    {.name = "rule-file",
     .type = OPT_LIST,
     .arg = "FILE",
     .help = "Prometheus rule file; adds to the configuration's",
     .commands = ""},
    {.name = "query-timeout",
     .type = OPT_DURATION,
     .arg = "2m",
     .fallback = "2m",
     .min = 1,
     .max = 86400000,
     .env = "CREST_QUERY_TIMEOUT",
     .help = "a query that takes longer ends with 503",
     .commands = ""},
    {.name = "query-max-samples",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "50000000",
     .min = 1,
     .max = 1e12,
     .env = "CREST_QUERY_MAX_SAMPLES",
     .help = "a query that holds more ends with 422",
     .commands = ""},
    {.name = "query-max-memory",
     .type = OPT_TEXT,
     .arg = "512MB",
     .fallback = "512MB",
     .env = "CREST_QUERY_MAX_MEMORY",
     .help = "a query that needs more ends with 422",
     .commands = ""},
    {.name = "query-lookback",
     .type = OPT_DURATION,
     .arg = "5m",
     .fallback = "5m",
     .min = 1,
     .max = 86400000,
     .env = "CREST_QUERY_LOOKBACK",
     .help = "how old a sample may be to count as the present value",
     .commands = ""},
    {.name = "stream-clients",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "2048",
     .min = 1,
     .max = 100000,
     .env = "CREST_STREAM_CLIENTS",
     .help = "clients of the live stream; further ones get 503",
     .commands = ""},
    {.name = "stream-clients-per-address",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "64",
     .min = 1,
     .max = 100000,
     .env = "CREST_STREAM_CLIENTS_PER_ADDRESS",
     .help = "of them from one address; raise it behind a proxy",
     .commands = ""},
    {.name = "url",
     .type = OPT_TEXT,
     .arg = "URL",
     .fallback = ASK_URL,
     .env = "CREST_URL",
     .help = "the running collector that a command talks to",
     .commands = "mark|event|report"},
    {.name = "auth-file",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_AUTH_FILE",
     .help = "credentials for --url, or the Prometheus to import from: one line, USER:PASSWORD or a bearer token",
     .commands = "mark|event|report|store"},
    {.name = "ca-file",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_CA_FILE",
     .help = "certificates that --url, or the Prometheus to import from, may be signed with",
     .commands = "mark|event|report|store"},
    {.name = "at",
     .type = OPT_TEXT,
     .arg = "TIME",
     .help = "when it happened, RFC 3339; default now",
     .commands = "mark"},
    {.name = "starts",
     .type = OPT_TEXT,
     .arg = "TIME",
     .help = "doors open at another time than the file says, for a rehearsal: 2026-11-20T20:00",
     .commands = "event"},
    {.name = "length",
     .type = OPT_TEXT,
     .arg = "DURATION",
     .help = "the window's length instead of the file's",
     .commands = "event"},
    {.name = "run", .type = OPT_TEXT, .arg = "REGEX", .help = "only the tests whose name matches", .commands = "test"},
    {.name = "junit",
     .type = OPT_TEXT,
     .arg = "FILE",
     .help = "write the results as JUnit XML, too",
     .commands = "test"},
    {.name = "ignore-unknown-fields",
     .type = OPT_FLAG,
     .help = "unknown keys of test files are warnings",
     .commands = "test"},
    {.name = "output",
     .letter = 'o',
     .type = OPT_TEXT,
     .arg = "FILE",
     .fallback = "report.html",
     .help = "where the report goes; - is standard output",
     .commands = "report"},
    {.name = "top",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "10",
     .min = 1,
     .max = 10000000,
     .help = "stat: how many metrics, labels and label pairs",
     .commands = "store"},
    {.name = "json", .type = OPT_FLAG, .help = "stat: as JSON", .commands = "store"},
    {.name = "match",
     .type = OPT_LIST,
     .arg = "SELECTOR",
     .help = "export, import prometheus: series that match any of them; default all",
     .commands = "store"},
    {.name = "from",
     .type = OPT_TEXT,
     .arg = "TIME",
     .help = "export, import prometheus: samples from then on, RFC 3339 or seconds since 1970",
     .commands = "store"},
    {.name = "to",
     .type = OPT_TEXT,
     .arg = "TIME",
     .help = "export, import prometheus: samples until then",
     .commands = "store"},
    {.name = "native-histograms",
     .type = OPT_FLAG,
     .help = "export: native histograms too, in OpenMetrics 2.0's syntax, which import reads and promtool does not",
     .commands = "store"},
    {.name = "timeout",
     .type = OPT_DURATION,
     .arg = "DURATION",
     .fallback = "1m",
     .min = 100,
     .max = 3600e3,
     .help = "import prometheus: of one request; after it a shorter time is asked for",
     .commands = "store"},
    {.name = "retry",
     .type = OPT_DURATION,
     .arg = "DURATION",
     .fallback = "2m",
     .min = 0,
     .max = 86400e3,
     .help = "import prometheus: how long a failing server is asked again",
     .commands = "store"},
    {.name = "log-level",
     .type = OPT_CHOICE,
     .arg = "LEVEL",
     .choices = "debug|info|warn|error",
     .fallback = "info",
     .env = "CREST_LOG_LEVEL",
     .help = "least level that is logged"},
    {0},
};
const struct program_def COLLECTOR_PROGRAM = {
    .name = "crest-collector",
    .summary = "receives samples, answers PromQL, runs rules, pages",
    .examples = "  crest-collector                                 # 127.0.0.1:9480, data in ./crest-data\n"
                "  crest-collector --config crest.yml\n"
                "  crest-collector init > crest.yml                # a commented start\n"
                "  crest-collector check crest.yml                 # and every file it names\n"
                "  crest-collector event import sale.yml           # the sale, its plan and its last event\n"
                "  crest-collector mark deploy checkout v42        # on the time-line\n"
                "  crest-collector report sale -o report.html      # what it came to\n"
                "  crest-collector store import crest-data prometheus http://old:9090 --from 2025-11-20T00:00:00Z\n",
    .commands = COMMANDS,
    .options = OPTIONS,
};

/* The KIND word, or what the file's top-level keys say. */
int collector_check(const struct options *options)
{
    struct problems problems;
    problems_init(&problems);
    const char *kind = NULL;
    bool found = false;
    size_t first = 0, n = options_operand_count(options);
    static const char *const KINDS[] = {"config", "rules", "event"};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        if (strcmp(options_operand(options, 0), KINDS[i]) == 0) {
            kind = KINDS[i];
            first = 1;
        }
    if (first == n) {
        fprintf(stderr, "crest-collector check: name the files\n");
        return EXIT_USAGE;
    }
    for (size_t i = first; i < n; i++) {
        const char *path = options_operand(options, i);
        AUTO_FREE char *text = NULL;
        size_t len = 0, bad = problems_errors(&problems);
        bool readable = !kind && file_read(path, 64u << 20, &text, &len) == 0;
        bool is_rules = kind ? strcmp(kind, "rules") == 0 : readable && collector_is_rule_file(span_of(text, len));
        if (kind ? strcmp(kind, "event") == 0 : readable && ask_is_event_file(span_of(text, len))) {
            (void)!ask_event_check(path, NULL, &problems);
            continue;
        }
        size_t findings = problems.warnings;
        int r = is_rules ? rules_check_doubts(&path, 1, &problems) : collector_config_check(path, &problems);
        found = found || (is_rules && problems.warnings > findings);
        if (r == 0 && problems_errors(&problems) == bad)
            printf("%s: ok (%s)\n", path, is_rules ? "rules" : "config");
    }
    int code = problems_errors(&problems) ? EXIT_USAGE : found ? EXIT_LINT : EXIT_OK;
    problems_print(&problems, stderr);
    problems_done(&problems);
    return code;
}

/* Exit codes are promtool's: 0 all passed, 1 not so. */
int collector_test(const struct options *options)
{
    size_t n = options_operand_count(options);
    if (strcmp(options_operand(options, 0), "rules") != 0 || n < 2) {
        fprintf(stderr, "crest-collector test: say what and name the files: test rules FILE…\n");
        return EXIT_USAGE;
    }
    AUTO_FREE const char **paths = calloc(n, sizeof *paths);
    const char *junit = options_text(options, "junit");
    struct rule_test_config config = {.run = options_text(options, "run"),
                                      .ignore_unknown_fields = options_flag(options, "ignore-unknown-fields")};
    struct rule_test_report report;
    log_init("crest-collector", LOG_LEVEL_ERROR); /* what fails is told with its test */
    for (size_t i = 1; i < n && paths; i++)
        paths[i - 1] = options_operand(options, i);
    int r = paths ? rule_test_run(&config, paths, n - 1, stdout, &report) : -ENOMEM;
    if (r < 0) {
        fprintf(stderr, "crest-collector test: %s\n", strerror(-r));
        return EXIT_FAILED;
    }
    if (junit) {
        struct buf xml;
        buf_init(&xml, 1u << 30);
        rule_test_junit(&report, &xml);
        int written = buf_error(&xml) ? buf_error(&xml) : file_write(junit, xml.data, xml.len);
        buf_done(&xml);
        if (written < 0) {
            fprintf(stderr, "crest-collector test: cannot write %s: %s\n", junit, strerror(-written));
            r = 1;
        }
    }
    rule_test_done(&report);
    return r == 0 ? EXIT_OK : EXIT_FAILED;
}
