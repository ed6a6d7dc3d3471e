/* What every program of ours promises, whatever it does: help, version, usage errors, and for the daemons a listening
 * line, health, metrics, a port in use that is said, and an end on SIGTERM. */
#include "tests/support/e2e.h"

#include <signal.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/process.h"

static const char *const PROGRAMS[] = {"crest-agent", "crest-collector", "crest-loadgen", "crest-shop"};

static const struct daemon_case {
    const char *name;
    const char *args[4];
    bool has_reload;
} DAEMONS[] = {
    {"crest-collector", {"--data", "@data"}, true},
    {"crest-agent", {"--data", "@data", "--config", "@agent.yml"}, true},
    {"crest-shop", {NULL}, false},
    {"crest-shop", {"gateway"}, false},
};

static const char *const *arguments(const struct daemon_case *c)
{
    static const char *args[8];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(c->args) && c->args[i]; i++)
        args[n++] = c->args[i][0] == '@' ? e2e_path(c->args[i] + 1) : c->args[i];
    args[n] = NULL;
    e2e_write("agent.yml", "scrape_configs:\n  - job_name: none\n    static_configs: []\n");
    return args;
}

static void every_program_helps_and_tells_its_version(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++) {
        char *help = e2e_run(PROGRAMS[i], E2E_ARGS("--help"), 0);
        assert_true(strncmp(help, PROGRAMS[i], strlen(PROGRAMS[i])) == 0);
        const char *examples = strstr(help, "\nExamples:\n"), *options = strstr(help, "\nOptions:\n");
        if (!examples || !options || examples > options)
            check_failed("%s --help does not open with examples:\n%s", PROGRAMS[i], help);
        char *version = e2e_run(PROGRAMS[i], E2E_ARGS("--version"), 0);
        check_contains(version, PROGRAMS[i]);
        free(version);
        free(help);
    }
}

static void every_program_refuses_an_unknown_option_with_code_2(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PROGRAMS); i++) {
        char *out = e2e_run(PROGRAMS[i], E2E_ARGS("--no-such-option"), 2);
        assert_string_equal(out, "");
        free(out);
    }
}

static void every_daemon_listens_reports_and_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DAEMONS); i++) {
        struct e2e_program *p = e2e_start(DAEMONS[i].name, arguments(&DAEMONS[i]));
        free(e2e_get(p, "/-/healthy", 200));
        free(e2e_get(p, "/-/ready", 200));
        char *metrics = e2e_get(p, "/metrics", 200);
        check_contains(metrics, "# TYPE ");
        check_contains(metrics, "\nprocess_cpu_seconds_total ");
        check_contains(metrics, "\ncrest_build_info{program=\"");
        free(metrics);
        if (DAEMONS[i].has_reload) {
            e2e_signal(p, SIGHUP);
            free(e2e_send(p, "POST", "/-/reload", NULL, "", 0));
            assert_true(e2e_running(p));
        }
        e2e_stop(p);
    }
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DAEMONS); i++) {
        struct e2e_program *first = e2e_start("crest-shop", E2E_ARGS("gateway"));
        char path[4096], listen[64], log_path[1024], *log = NULL;
        const char *argv[16] = {path};
        size_t n = 1;
        int status = 0;
        const char *bin = getenv("CREST_BIN");
        snprintf(path, sizeof path, "%s/%s", bin && *bin ? bin : "build/release", DAEMONS[i].name);
        for (const char *const *a = arguments(&DAEMONS[i]); *a; a++)
            argv[n++] = *a;
        snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)e2e_port(first));
        argv[n++] = "--listen";
        argv[n++] = listen;
        snprintf(log_path, sizeof log_path, "%s", e2e_path("in-use.log"));
        (void)unlink(log_path);
        check_ok(process_run(argv, &(struct process_options){.log_path = log_path}, 20000, 1u << 20, NULL, &status));
        check_ok(file_read(log_path, 1u << 20, &log, NULL));
        if (status != 1)
            check_failed("%s: status %d\n%s", DAEMONS[i].name, status, log);
        check_contains(log, listen);
        free(log);
        e2e_stop(first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_program_helps_and_tells_its_version, e2e_teardown),
        cmocka_unit_test_teardown(every_program_refuses_an_unknown_option_with_code_2, e2e_teardown),
        cmocka_unit_test_teardown(every_daemon_listens_reports_and_ends, e2e_teardown),
        cmocka_unit_test_teardown(a_port_in_use_is_named, e2e_teardown),
    };
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
