/* crest-agent: scrapes services, sends what it finds by remote write. */
#include <errno.h>
#include <poll.h>

#include "agent/agent.h"
#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/log.h"
#include "lib/base/options.h"
#include "lib/httpd/httpd_daemon.h"

#define DRAIN_US 5000000 /* at a stop: so long for what is in memory, then it goes to the spool */

static const struct command_def COMMANDS[] = {
    {"", NULL, 0, 0, "run the agent"},
    {"check", "[config] FILE…", 1, 10000, "validate configuration files; errors as file:line:col"},
    {0},
};
static const struct option_def OPTIONS[] = {
    {.name = "config",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_CONFIG",
     .help = "prometheus.yml; without it nothing is scraped",
     .commands = ""},
    {.name = "listen",
     .type = OPT_TEXT,
     .arg = "ADDR:PORT",
     .fallback = "127.0.0.1:9481",
     .env = "CREST_LISTEN",
     .help = "address of /metrics and health; port 0 picks one and prints it",
     .commands = ""},
    {.name = "data",
     .type = OPT_TEXT,
     .arg = "DIR",
     .fallback = "crest-agent-data",
     .env = "CREST_DATA",
     .help = "folder of the spool",
     .commands = ""},
    {.name = "spool-size",
     .type = OPT_COUNT,
     .arg = "BYTES",
     .fallback = "536870912",
     .min = 1048576,
     .max = 1e15,
     .help = "bytes that may wait on disk per endpoint; the oldest are dropped",
     .commands = ""},
    {.name = "web-config",
     .type = OPT_TEXT,
     .arg = "FILE",
     .env = "CREST_WEB_CONFIG",
     .help = "credentials and TLS, Prometheus's web-config file",
     .commands = ""},
    {.name = "log-level",
     .type = OPT_CHOICE,
     .arg = "LEVEL",
     .choices = "debug|info|warn|error",
     .fallback = "info",
     .env = "CREST_LOG_LEVEL",
     .help = "least level that is logged"},
    {0},
};
static const struct program_def PROGRAM = {
    .name = "crest-agent",
    .summary = "scrapes services and sends what it finds by remote write",
    .examples = "  crest-agent --config prometheus.yml            # your Prometheus's file, unchanged\n"
                "  crest-agent check prometheus.yml\n",
    .commands = COMMANDS,
    .options = OPTIONS,
};

static void write_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    agent_write_metrics(ctx, w);
    httpd_stats(server, w);
}

/* Both clocks at one moment: when the machine was busy between the readings they are read again. */
struct now {
    int64_t mono_us, unix_ms;
};
static struct now read_clocks(void)
{
    struct now now = {0};
    for (int tries = 0; tries < 8; tries++) {
        now.mono_us = mono_us();
        now.unix_ms = unix_ms();
        if (mono_us() - now.mono_us < 500)
            break;
    }
    return now;
}

static int64_t turn(struct agent *a)
{
    struct now now = read_clocks();
    return agent_step(a, now.mono_us, now.unix_ms);
}

static int report(struct problems *problems, int r)
{
    problems_print(problems, stderr);
    problems_done(problems);
    return r;
}

/* Each part for itself: a job that is bad must not keep a password in force that was taken back. */
static void reload(struct agent *a, struct httpd *httpd, const char *web_path, struct httpd_daemon *daemon)
{
    struct problems problems;
    problems_init(&problems);
    int r = httpd_daemon_reload_web(httpd, web_path, &problems);
    struct now now = read_clocks();
    int r2 = agent_reload(a, now.mono_us, now.unix_ms, &problems);
    r = report(&problems, r < 0 ? r : r2);
    httpd_daemon_loaded(daemon, r == 0);
    if (r < 0)
        log_error("reload refused, the old configuration stays", "error", "%s", strerror(-r));
    else
        log_info("configuration reloaded");
}

/* Until the next deadline, an HTTP event, or a signal. */
static void wait_until(const struct agent *a, int64_t due_us)
{
    struct pollfd fds[] = {{.fd = agent_fd(a), .events = POLLIN}, {.fd = daemon_wake_fd(), .events = POLLIN}};
    int64_t us = due_us == INT64_MAX ? 60000000 : due_us - mono_us();
    struct timespec t = {.tv_sec = us > 0 ? us / 1000000 : 0, .tv_nsec = us > 0 ? us % 1000000 * 1000 : 0};
    if (ppoll(fds, ARRAY_LEN(fds), &t, NULL) < 0 && errno != EINTR)
        sleep_us(1000);
}

/* Let what is in memory leave; agent_free puts the rest into the spool. */
static void drain(struct agent *a)
{
    int64_t until = mono_us() + DRAIN_US;
    while (!agent_idle(a) && mono_us() < until) {
        int64_t due = turn(a);
        int64_t soon = mono_us() + 10000;
        wait_until(a, due < soon ? due : soon);
    }
}

static int run(const struct options *o)
{
    struct agent *a = NULL;
    struct httpd *httpd = NULL;
    struct httpd_daemon daemon = {.program = "crest-agent", .metrics = write_metrics, .reloads = true};
    static const struct httpd_route NONE[] = {{0}};
    struct web_config *web = NULL;
    struct problems problems;
    char why[512] = "";
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(options_text(o, "log-level"), &level);
    log_init("crest-agent", level);
    daemon_init("crest-agent");
    problems_init(&problems);
    struct agent_settings settings = {options_text(o, "config"), options_text(o, "data"),
                                      options_count(o, "spool-size")};
    const char *web_path = options_text(o, "web-config");
    int r = web_path ? web_config_load(web_path, &web, &problems) : 0;
    struct now now = read_clocks();
    if (r == 0)
        r = agent_new(&settings, now.mono_us, now.unix_ms, &problems, &a);
    r = report(&problems, r);
    int code = r == -EINVAL || r == -ENOENT ? EXIT_USAGE : r < 0 ? EXIT_FAILED : EXIT_OK;
    if (r == 0) {
        struct httpd_config config = {.listen = options_text(o, "listen"),
                                      .routes = NONE,
                                      .ctx = a,
                                      .daemon = &daemon,
                                      .web_config = web,
                                      .server_name = "crest-agent",
                                      .threads = 1};
        r = httpd_start(&config, &httpd, why, sizeof why);
        if (r < 0) {
            log_error("cannot listen", "address", "%s", config.listen, "error", "%s", why);
            code = EXIT_FAILED;
        }
    }
    if (r == 0) {
        httpd_daemon_loaded(&daemon, true);
        atomic_store(&daemon.ready, true);
        daemon_print_listening(httpd_address(httpd), httpd_port(httpd));
        daemon_notify("READY=1");
    }
    while (r == 0 && !daemon_stopping()) {
        wait_until(a, turn(a));
        if (daemon_take_reload())
            reload(a, httpd, web_path, &daemon);
    }
    if (r == 0) {
        daemon_notify("STOPPING=1");
        drain(a);
    }
    httpd_stop(httpd, 1000);
    agent_free(a);
    web_config_free(web);
    return code;
}

static int check(const struct options *o)
{
    struct problems problems;
    problems_init(&problems);
    size_t first = strcmp(options_operand(o, 0), "config") == 0, n = options_operand_count(o);
    if (first == n) {
        fprintf(stderr, "crest-agent check: name the files\n");
        return EXIT_USAGE;
    }
    for (size_t i = first; i < n; i++) {
        struct agent_config *c = NULL;
        if (agent_config_load(options_operand(o, i), &c, &problems) == 0)
            printf("%s: ok (%zu jobs)\n", options_operand(o, i), c->n_jobs);
        agent_config_free(c);
    }
    int code = problems_errors(&problems) ? EXIT_USAGE : EXIT_OK;
    return report(&problems, code);
}

int main(int argc, char **argv)
{
    struct options *options = NULL;
    int code = options_parse(&PROGRAM, argc, argv, &options);
    if (code != OPTIONS_RUN)
        return code;
    code = strcmp(options_command(options), "check") == 0 ? check(options) : run(options);
    options_free(options);
    return code;
}
