#include "tests/support/e2e.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/wire/http_client.h"

#define PROGRAMS_MAX 64u
#define ARGS_MAX 64u
#define LOG_BYTES_MAX (8u << 20)
#define LOG_SHOWN_BYTES 6000u
#define STOP_MS 10000 /* the contract of every daemon (DESIGN, 4) */

struct e2e_program {
    struct process *process;
    char name[64], url[64], log[512];
    uint16_t port;
};

static struct e2e_program *programs[PROGRAMS_MAX]; /* what e2e_teardown has to end */
static char *folder;
static unsigned started;

/* ---- folder ---- */

const char *e2e_folder(void)
{
    if (!folder)
        check_ok(dir_make_temp("e2e", &folder));
    return folder;
}

const char *e2e_path(const char *name)
{
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", e2e_folder(), name);
    return path;
}

const char *e2e_write(const char *name, const char *text)
{
    const char *path = e2e_path(name);
    check_ok(file_write(path, text, strlen(text)));
    return path;
}

/* ---- programs ---- */

static const char *bin_folder(void)
{
    const char *bin = getenv("CREST_BIN");
    return bin && *bin ? bin : "build/release";
}

static void find_command(const char *command, char *path, size_t n)
{
    struct span rest = span_str(getenv("PATH")), at;
    path[0] = '\0';
    while (span_cut(&rest, ':', &at)) {
        snprintf(path, n, SPAN_FMT "/%s", SPAN_ARG(at), command);
        if (access(path, X_OK) == 0)
            return;
    }
    snprintf(path, n, "/usr/sbin/%s", command);
    if (access(path, X_OK) < 0)
        path[0] = '\0';
}

bool e2e_have(const char *command)
{
    char path[4096];
    find_command(command, path, sizeof path);
    return path[0] != '\0';
}

static struct e2e_program *new_program(const char *name)
{
    struct e2e_program *p = calloc(1, sizeof *p);
    if (!p)
        check_failed("out of memory");
    snprintf(p->name, sizeof p->name, "%s", name);
    char log[128];
    snprintf(log, sizeof log, "%s.%u.log", name, started++);
    snprintf(p->log, sizeof p->log, "%s", e2e_path(log));
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        if (!programs[i]) {
            programs[i] = p;
            return p;
        }
    }
    free(p);
    check_failed("more than %u programs at a time", PROGRAMS_MAX);
}

static void free_program(struct e2e_program *p)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (programs[i] == p)
            programs[i] = NULL;
    process_free(p->process);
    free(p);
}

NORETURN static void fail_with_log(const struct e2e_program *p, const char *what)
{
    char *log = e2e_log(p);
    size_t n = strlen(log);
    print_error("%s: %s\n---- end of its log ----\n%s\n----\n", p->name, what,
                log + (n > LOG_SHOWN_BYTES ? n - LOG_SHOWN_BYTES : 0));
    free(log);
    check_failed("%s: %s", p->name, what);
}

struct e2e_program *e2e_start(const char *name, const char *const *args)
{
    return e2e_start_at(name, args, 0);
}

struct e2e_program *e2e_start_at(const char *name, const char *const *args, uint16_t port)
{
    struct e2e_program *p = new_program(name);
    char path[4096], listen[32], line[256];
    const char *argv[ARGS_MAX + 4] = {path};
    size_t n = 1;
    snprintf(path, sizeof path, "%s/%s", bin_folder(), name);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)port);
    while (args && *args && n < ARGS_MAX)
        argv[n++] = *args++;
    argv[n++] = "--listen";
    argv[n++] = listen;
    int r = process_start(argv, &(struct process_options){.log_path = p->log}, &p->process);
    if (r < 0)
        check_failed("%s does not start: %s", path, strerror(-r));
    r = process_wait_line(p->process, "listening ", E2E_START_MS, line, sizeof line);
    if (r < 0)
        fail_with_log(p, r == -EPIPE ? "ended before it listened" : "does not say where it listens");
    const char *colon = strrchr(line, ':');
    uint64_t number;
    if (!colon || parse_u64(colon + 1, 65535, &number) < 0)
        fail_with_log(p, line);
    p->port = (uint16_t)number;
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u", (unsigned)p->port);
    return p;
}

struct e2e_program *e2e_start_other(const char *const *argv)
{
    char path[4096];
    const char *words[ARGS_MAX + 1] = {path};
    const char *slash = strrchr(argv[0], '/');
    struct e2e_program *p = new_program(slash ? slash + 1 : argv[0]);
    if (slash)
        snprintf(path, sizeof path, "%s", argv[0]);
    else
        find_command(argv[0], path, sizeof path);
    for (size_t i = 1; i < ARGS_MAX && argv[i]; i++)
        words[i] = argv[i];
    int r = process_start(words, &(struct process_options){.log_path = p->log, .stdout_path = p->log}, &p->process);
    if (r < 0)
        check_failed("%s does not start: %s", argv[0], strerror(-r));
    return p;
}

uint16_t e2e_port(const struct e2e_program *p)
{
    return p->port;
}

const char *e2e_url(const struct e2e_program *p)
{
    return p->url;
}

pid_t e2e_pid(const struct e2e_program *p)
{
    return process_pid(p->process);
}

bool e2e_running(struct e2e_program *p)
{
    return process_running(p->process);
}

char *e2e_log(const struct e2e_program *p)
{
    char *text = NULL;
    if (file_read(p->log, LOG_BYTES_MAX, &text, NULL) < 0)
        text = calloc(1, 1);
    if (!text)
        check_failed("out of memory");
    return text;
}

uint16_t e2e_free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) < 0 || getsockname(fd, (struct sockaddr *)&at, &n) < 0)
        check_failed("no free port: %s", strerror(errno));
    return ntohs(at.sin_port);
}

void e2e_stop(struct e2e_program *p)
{
    e2e_stop_expecting(p, 0);
}

void e2e_stop_expecting(struct e2e_program *p, int status)
{
    int got = -1;
    char why[128];
    if (process_stop(p->process, STOP_MS * (check_slowness() > 1 ? 3 : 1), &got) == -ETIMEDOUT)
        fail_with_log(p, "did not end within 10 s of SIGTERM");
    if (got != status) {
        snprintf(why, sizeof why, "ended with status %d instead of %d", got, status);
        fail_with_log(p, why);
    }
    free_program(p);
}

void e2e_kill(struct e2e_program *p)
{
    free_program(p); /* process_free kills and reaps */
}

void e2e_signal(struct e2e_program *p, int signal_number)
{
    if (process_signal(p->process, signal_number) < 0)
        fail_with_log(p, "has ended");
}

char *e2e_run(const char *name, const char *const *args, int expected_status)
{
    char path[4096], *out = NULL, *log = NULL;
    const char *argv[ARGS_MAX + 1] = {path};
    size_t n = 1;
    int status = -1;
    snprintf(path, sizeof path, "%s/%s", bin_folder(), name);
    while (args && *args && n < ARGS_MAX)
        argv[n++] = *args++;
    const char *log_path = e2e_path("run.log");
    (void)unlink(log_path);
    check_ok(process_run(argv, &(struct process_options){.log_path = log_path}, 60000 * check_patience(),
                         BODY_BYTES_MAX, &out, &status));
    if (status != expected_status) {
        int r = file_read(log_path, LOG_BYTES_MAX, &log, NULL);
        check_failed("%s: status %d instead of %d\n%s\n%s", name, status, expected_status, out, r == 0 ? log : "");
    }
    return out;
}

int e2e_teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (programs[i])
            free_program(programs[i]);
    if (folder) {
        int r = dir_remove(folder);
        free(folder);
        folder = NULL;
        return r;
    }
    return 0;
}

/* ---- requests ---- */

int e2e_try(const char *method, const char *url, const char *const *headers, struct span body, char **ret_body)
{
    struct http_request request = {.method = method, .url = url, .headers = headers, .body = body, .timeout_ms = 30000};
    struct http_response response;
    int r = http_fetch(&request, &response);
    if (r == 0)
        r = response.status;
    if (ret_body)
        *ret_body = r > 0 ? buf_take(&response.body, NULL) : NULL;
    http_response_done(&response);
    return r;
}

char *e2e_send(const struct e2e_program *p, const char *method, const char *path, const char *content_type,
               const char *body, int expected_status)
{
    char url[4096], type[256], *answer = NULL;
    snprintf(url, sizeof url, "%s%s", p->url, path);
    snprintf(type, sizeof type, "Content-Type: %s", content_type ? content_type : "application/octet-stream");
    const char *headers[] = {type, NULL};
    int status = e2e_try(method, url, content_type ? headers : NULL, span_str(body), &answer);
    if (status < 0) {
        char why[160];
        snprintf(why, sizeof why, "%s %.80s: %s", method, path, strerror(-status));
        fail_with_log(p, why);
    }
    if (expected_status ? status != expected_status : status / 100 != 2)
        check_failed("%s %s answered %d instead of %d:\n%.2000s", method, url, status, expected_status,
                     answer ? answer : "");
    return answer;
}

char *e2e_get(const struct e2e_program *p, const char *path, int expected_status)
{
    return e2e_send(p, "GET", path, NULL, NULL, expected_status);
}

int64_t e2e_wait_at(int64_t timeout_ms, bool (*holds)(void *ctx), void *ctx, const char *what, const char *file,
                    int line)
{
    int64_t start = mono_us();
    timeout_ms *= check_patience();
    while (!holds(ctx)) {
        if (mono_us() - start > timeout_ms * 1000) {
            for (size_t i = 0; i < PROGRAMS_MAX; i++) {
                char *log = programs[i] ? e2e_log(programs[i]) : NULL;
                size_t n = log ? strlen(log) : 0;
                if (n)
                    print_error("---- end of the log of %s ----\n%s\n", programs[i]->name,
                                log + (n > 2000 ? n - 2000 : 0));
                free(log);
            }
            check_fail(file, line, "%s does not hold after %lld ms", what, (long long)timeout_ms);
        }
        sleep_us(10000);
    }
    return (mono_us() - start) / 1000;
}
