#include "tests/support/store_server.h"

#include <errno.h>
#include <fts.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/options.h"

#define READY_MS 60000
#define STOP_MS 60000
#define LOOK_US 5000

const char *const STORE_NAMES[STORE_KINDS] = {"crest", "prometheus", "victoria-metrics"};

struct store_server {
    enum store_kind kind;
    struct e2e_program *program; /* NULL: not running */
    char folder[1024];
    uint16_t port;
};

bool store_server_have(enum store_kind kind)
{
    return kind == STORE_CREST || e2e_have(STORE_NAMES[kind]);
}

const char *store_server_version(enum store_kind kind)
{
    static char version[64];
    char *output = NULL;
    int status = -1;
    if (kind == STORE_CREST)
        return crest_version();
    const char *argv[] = {"dpkg-query", "-W", "-f", "${Version}", STORE_NAMES[kind], NULL};
    int r = process_run(argv, NULL, 10000, sizeof version - 1, &output, &status);
    snprintf(version, sizeof version, "%s", r == 0 && status == 0 ? output : "");
    free(output);
    return version;
}

static void launch(struct store_server *s)
{
    char data[1100], listen[64], config[1100];
    if (s->kind == STORE_CREST) {
        s->program = e2e_start("crest-collector", E2E_ARGS("--data", s->folder, "--log-level", "warn"));
        s->port = e2e_port(s->program);
        return;
    }
    s->port = e2e_free_port();
    if (s->kind == STORE_PROMETHEUS) {
        snprintf(config, sizeof config, "--config.file=%s", e2e_write("prometheus.yml", "global: {}\n"));
        snprintf(data, sizeof data, "--storage.tsdb.path=%s", s->folder);
        snprintf(listen, sizeof listen, "--web.listen-address=127.0.0.1:%u", s->port);
        s->program = e2e_start_other((const char *const[]){"prometheus", config, data, listen, "--log.level=error",
                                                           "--web.enable-remote-write-receiver", NULL});
    } else {
        snprintf(data, sizeof data, "-storageDataPath=%s", s->folder);
        snprintf(listen, sizeof listen, "-httpListenAddr=127.0.0.1:%u", s->port);
        s->program = e2e_start_other(
            (const char *const[]){"victoria-metrics", data, listen, "-retentionPeriod=1y", "-loggerLevel=ERROR", NULL});
    }
}

static void wait_ready(struct store_server *s)
{
    char url[80];
    int64_t end_us = mono_us() + READY_MS * 1000;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", s->port, s->kind == STORE_VICTORIA ? "health" : "-/ready");
    while (e2e_try("GET", url, NULL, (struct span){NULL, 0}, NULL) != 200) {
        if (!e2e_running(s->program) || mono_us() > end_us)
            check_failed("%s does not become ready:\n%s", STORE_NAMES[s->kind], e2e_log(s->program));
        sleep_us(1000);
    }
}

struct store_server *store_server_start(enum store_kind kind, unsigned number)
{
    struct store_server *s = calloc(1, sizeof *s);
    char name[64];
    if (!s)
        check_failed("out of memory");
    s->kind = kind;
    snprintf(name, sizeof name, "%s-%u", STORE_NAMES[kind], number);
    snprintf(s->folder, sizeof s->folder, "%s", e2e_path(name));
    launch(s);
    wait_ready(s);
    return s;
}

double store_server_restart(struct store_server *s)
{
    int64_t start_us = mono_us();
    launch(s);
    wait_ready(s);
    return (double)(mono_us() - start_us) / 1e3;
}

uint16_t store_server_port(const struct store_server *s)
{
    return s->port;
}

struct process_usage store_server_usage(const struct store_server *s)
{
    struct process_usage u;
    check_ok(process_usage(e2e_pid(s->program), &u));
    return u;
}

double store_server_metric(const struct store_server *s, const char *name)
{
    char wanted[128];
    AUTO_FREE char *page = e2e_get(s->program, "/metrics", 200);
    struct span rest = span_str(page), line;
    snprintf(wanted, sizeof wanted, "%s ", name);
    double v = NAN;
    while (span_cut(&rest, '\n', &line))
        if (span_starts(line, span_str(wanted)) && parse_f64_span(span_from(line, strlen(wanted)), &v) < 0)
            v = NAN;
    return v;
}

static uint64_t disk_bytes(const char *folder)
{
    char *paths[] = {(char *)(uintptr_t)folder, NULL};
    uint64_t bytes = 0;
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        check_failed("%s: %s", folder, strerror(errno));
    for (FTSENT *e = fts_read(walk); e; e = fts_read(walk))
        if (e->fts_info == FTS_F)
            bytes += (uint64_t)e->fts_statp->st_blocks * 512;
    fts_close(walk);
    return bytes;
}

void store_server_cache_files(const struct store_server *s)
{
    static char room[1 << 16];
    char *paths[] = {(char *)(uintptr_t)s->folder, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        check_failed("%s: %s", s->folder, strerror(errno));
    for (FTSENT *e = fts_read(walk); e; e = fts_read(walk)) {
        FILE *f = e->fts_info == FTS_F ? fopen(e->fts_path, "re") : NULL; /* gone meanwhile: no harm */
        while (f && fread(room, 1, sizeof room, f) > 0)
            ;
        if (f)
            fclose(f);
    }
    fts_close(walk);
}

/* A process that has ended keeps its CPU and io counts until somebody waits for it; its memory is gone by then. */
struct store_cost store_server_stop(struct store_server *s)
{
    struct store_cost c = {0};
    pid_t pid = e2e_pid(s->program);
    int64_t start_us = mono_us(), end_us = start_us + STOP_MS * 1000;
    bool ended = false;
    e2e_signal(s->program, SIGTERM);
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
            check_failed("waitid: %s", strerror(errno));
        ended = info.si_pid == pid;
        struct process_usage u = store_server_usage(s);
        c.cpu_seconds = u.cpu_seconds;
        c.written_bytes = u.written_bytes > c.written_bytes ? u.written_bytes : c.written_bytes;
        c.peak_rss_bytes = u.peak_rss_bytes > c.peak_rss_bytes ? u.peak_rss_bytes : c.peak_rss_bytes;
        if (ended)
            break;
        if (mono_us() > end_us)
            check_failed("%s does not end", STORE_NAMES[s->kind]);
        sleep_us(LOOK_US);
    }
    c.stop_seconds = (double)(mono_us() - start_us) / 1e6;
    e2e_stop(s->program);
    s->program = NULL;
    c.disk_bytes = disk_bytes(s->folder);
    return c;
}

void store_server_kill(struct store_server *s)
{
    e2e_kill(s->program);
    s->program = NULL;
}

void store_server_remove(struct store_server *s)
{
    int r = dir_remove(s->folder);
    if (r < 0)
        check_failed("%s: %s", s->folder, strerror(-r));
    free(s);
}
