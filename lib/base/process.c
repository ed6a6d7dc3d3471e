#include "lib/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"

#define OUTPUT_BYTES_MAX (1u << 20) /* of a child's stdout not yet asked for: the oldest half is dropped above */
#define POLL_MS 20                  /* how often a wait looks whether the child ended */

struct process {
    pid_t pid;
    int out; /* read end of its stdout, -1: none */
    bool reaped;
    int status;      /* exit code or 128 + signal once reaped */
    struct buf text; /* stdout read so far and not yet handed out */
};

/* ---- start ---- */

/* Our environment with `extra` on top; the strings stay theirs. */
static char **make_environment(const char *const *extra)
{
    size_t n = 0, m = 0;
    while (environ[n])
        n++;
    while (extra && extra[m])
        m++;
    char **env = calloc(n + m + 1, sizeof *env);
    if (!env)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t j = 0; j < m; j++) {
            size_t name = strcspn(extra[j], "=") + 1;
            replaced |= strncmp(environ[i], extra[j], name) == 0;
        }
        if (!replaced)
            env[used++] = environ[i];
    }
    for (size_t j = 0; j < m; j++)
        env[used++] = (char *)(uintptr_t)extra[j]; /* execve does not write, its type is older than const */
    return env;
}

static int redirect(const char *path, int flags, int to)
{
    int fd = open(path, flags | O_CLOEXEC, 0640);
    return fd < 0 || dup2(fd, to) < 0 ? -errno : 0;
}

/* stdin and stdout of a child that has not our terminal. */
static int redirect_stdin_stdout(const struct process_options *o, int out)
{
    int r = redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    if (r < 0)
        return r;
    if (out >= 0)
        return dup2(out, STDOUT_FILENO) < 0 ? -errno : 0;
    return o->stdout_path ? redirect(o->stdout_path, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO)
                          : redirect("/dev/null", O_WRONLY, STDOUT_FILENO);
}

/* Runs in the child between fork and exec: only calls that are safe there. */
static int become_child(const struct process_options *o, pid_t parent, int out)
{
    if (!o->terminal && (o->detached ? setsid() < 0 : setpgid(0, 0) < 0)) /* the terminal's Ctrl-C is ours to hand on */
        return -errno;
    if (!o->detached) {
        if (prctl(PR_SET_PDEATHSIG, o->terminal ? SIGTERM : SIGKILL) < 0)
            return -errno;
        if (getppid() != parent)
            _exit(127);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL); /* an ignored signal would stay ignored in the new program */
    int r = o->terminal ? 0 : redirect_stdin_stdout(o, out);
    if (r == 0 && o->log_path)
        r = redirect(o->log_path, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    else if (r == 0 && o->quiet)
        r = redirect("/dev/null", O_WRONLY, STDERR_FILENO);
    if (r == 0 && o->directory && chdir(o->directory) < 0)
        r = -errno;
    return r;
}

/* 0 when the pipe closed at exec, else the errno that the child sent. */
static int read_failure(int fd)
{
    int failure = 0;
    ssize_t n;
    do
        n = read(fd, &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof failure ? failure : 0;
}

static int spawn(const char *const *argv, const struct process_options *o, char **env, int out, pid_t *ret_pid)
{
    int failed[2];
    if (pipe2(failed, O_CLOEXEC) < 0)
        return -errno;
    AUTO_CLOSE int failed_read = failed[0];
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        int r = become_child(o, parent, out);
        if (r == 0) {
            close_range(3, ~0u, CLOSE_RANGE_CLOEXEC); /* a library's descriptors are none of its business */
            execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
            r = -errno;
        }
        ssize_t w = write(failed[1], &r, sizeof r);
        (void)w;
        _exit(127);
    }
    close(failed[1]);
    if (pid < 0)
        return -errno;
    int r = read_failure(failed_read);
    if (r < 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return r;
    }
    *ret_pid = pid;
    return 0;
}

int process_start(const char *const *argv, const struct process_options *options, struct process **ret)
{
    static const struct process_options NO_OPTIONS;
    const struct process_options *o = options ? options : &NO_OPTIONS;
    struct process *p = calloc(1, sizeof *p);
    AUTO_FREE char **env = make_environment(o->env);
    if (!p || !env) {
        free(p);
        return -ENOMEM;
    }
    p->out = -1;
    p->status = -1;
    buf_init(&p->text, OUTPUT_BYTES_MAX);
    AUTO_CLOSE int child_end = -1;
    if (!o->stdout_path && !o->quiet && !o->terminal) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            free(p);
            return -errno;
        }
        p->out = ends[0];
        child_end = ends[1];
        (void)fcntl(p->out, F_SETFL, O_NONBLOCK);
        (void)fcntl(p->out, F_SETPIPE_SZ, 1 << 20); /* room for what is printed while nobody reads */
    }
    int r = spawn(argv, o, env, child_end, &p->pid);
    if (r < 0) {
        auto_close_fd(&p->out);
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

/* ---- its state ---- */

pid_t process_pid(const struct process *p)
{
    return p->pid;
}

static void reap(struct process *p, int flags)
{
    int status;
    pid_t r;
    if (p->reaped)
        return;
    do
        r = waitpid(p->pid, &status, flags);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return;
    p->reaped = true;
    if (r < 0)
        p->status = 127; /* somebody else reaped it: its code is lost */
    else
        p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool process_running(struct process *p)
{
    reap(p, WNOHANG);
    return !p->reaped;
}

int process_status(struct process *p)
{
    reap(p, WNOHANG);
    return p->status;
}

int process_signal(struct process *p, int signal_number)
{
    if (!process_running(p))
        return -ESRCH;
    return kill(p->pid, signal_number) < 0 ? -errno : 0;
}

/* ---- its output ---- */

/* Read what is there. false: its end was reached (or it has no pipe). */
static bool read_output(struct process *p)
{
    while (p->out >= 0) {
        if (p->text.len > OUTPUT_BYTES_MAX / 2)
            buf_consume(&p->text, p->text.len / 2);
        char *to = buf_reserve(&p->text, 65536);
        if (!to)
            return false;
        ssize_t n = read(p->out, to, 65536);
        if (n > 0) {
            buf_grew(&p->text, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            return true;
        } else {
            auto_close_fd(&p->out);
            p->out = -1;
        }
    }
    return false;
}

static void wait_a_little(struct process *p, int64_t until_us)
{
    int64_t left_ms = (until_us - mono_us()) / 1000 + 1;
    int ms = left_ms < 0 ? 0 : left_ms < POLL_MS ? (int)left_ms : POLL_MS;
    struct pollfd f = {.fd = p->out, .events = POLLIN};
    (void)poll(&f, 1, ms); /* a negative descriptor just sleeps */
}

/* Cut lines off the text up to one that contains `wanted`. */
static bool take_line(struct process *p, struct span wanted, char *line, size_t line_bytes)
{
    struct span rest = buf_view(&p->text);
    size_t end;
    while ((end = span_find(rest, '\n')) < rest.len) {
        struct span s = span_of(rest.ptr, end);
        rest = span_of(rest.ptr + end + 1, rest.len - end - 1);
        if (span_search(s, wanted) == s.len && wanted.len)
            continue;
        snprintf(line, line_bytes, SPAN_FMT, SPAN_ARG(s));
        buf_consume(&p->text, p->text.len - rest.len);
        return true;
    }
    return false;
}

int process_wait_line(struct process *p, const char *text, int64_t timeout_ms, char *line, size_t line_bytes)
{
    int64_t until = mono_us() + timeout_ms * 1000;
    for (;;) {
        bool ended = !process_running(p); /* before reading: what it wrote last is then in the pipe */
        bool open = read_output(p);
        if (take_line(p, span_str(text), line, line_bytes))
            return 0;
        if (!open || ended)
            return -EPIPE;
        if (mono_us() >= until)
            return -ETIMEDOUT;
        wait_a_little(p, until);
    }
}

/* ---- its end ---- */

int process_wait(struct process *p, int64_t timeout_ms, int *ret_status)
{
    int64_t until = mono_us() + timeout_ms * 1000;
    while (process_running(p)) {
        if (mono_us() >= until)
            return -ETIMEDOUT;
        (void)read_output(p); /* or it would block on a full pipe */
        wait_a_little(p, until);
    }
    if (ret_status)
        *ret_status = p->status;
    return 0;
}

int process_stop(struct process *p, int64_t grace_ms, int *ret_status)
{
    (void)process_signal(p, SIGTERM);
    int r = process_wait(p, grace_ms, ret_status);
    if (r == -ETIMEDOUT) {
        (void)process_signal(p, SIGKILL);
        reap(p, 0);
        if (ret_status)
            *ret_status = p->status;
    }
    return r;
}

void process_free(struct process *p)
{
    if (!p)
        return;
    if (process_signal(p, SIGKILL) == 0)
        reap(p, 0);
    auto_close_fd(&p->out);
    buf_done(&p->text);
    free(p);
}

int process_run(const char *const *argv, const struct process_options *options, int64_t timeout_ms, size_t max_bytes,
                char **ret_output, int *ret_status)
{
    struct process *p;
    int r = process_start(argv, options, &p);
    if (r < 0)
        return r;
    struct buf out;
    buf_init(&out, max_bytes);
    int64_t until = mono_us() + timeout_ms * 1000;
    for (;;) {
        bool ended = !process_running(p);
        bool open = read_output(p);
        size_t room = out.max - out.len;
        buf_bytes(&out, p->text.data, p->text.len < room ? p->text.len : room);
        buf_clear(&p->text);
        if (ended) /* a grandchild may hold the pipe open: what the child wrote is read */
            break;
        if (mono_us() >= until) {
            r = -ETIMEDOUT;
            break;
        }
        if (open)
            wait_a_little(p, until);
        else
            sleep_us(1000);
    }
    if (r == 0)
        r = buf_error(&out);
    if (r == 0 && ret_output && !(*ret_output = buf_take(&out, NULL)))
        r = -ENOMEM;
    if (r == 0 && ret_status)
        *ret_status = p->status;
    buf_done(&out);
    process_free(p);
    return r;
}

/* ---- resources ---- */

/* The number behind "Name:" in a /proc file, 0 when it is not there. */
static uint64_t field(struct span text, const char *name)
{
    struct span line;
    while (span_cut(&text, '\n', &line)) {
        if (!span_starts(line, span_str(name)))
            continue;
        struct span s = span_trim(span_from(line, strlen(name)));
        size_t digits = 0;
        while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
            digits++;
        uint64_t v;
        return parse_u64_span(span_of(s.ptr, digits), UINT64_MAX, &v) < 0 ? 0 : v;
    }
    return 0;
}

int process_usage(pid_t pid, struct process_usage *ret)
{
    struct process_usage u = {0};
    clockid_t clock;
    struct timespec cpu;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &cpu) < 0)
        return -ESRCH;
    u.cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    char path[64];
    size_t n;
    AUTO_FREE char *status = NULL;
    AUTO_FREE char *io = NULL;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (file_read(path, 65536, &status, &n) < 0)
        return -ESRCH;
    struct span s = span_of(status, n);
    u.rss_bytes = field(s, "VmRSS:") * 1024;
    u.rss_anon_bytes = field(s, "RssAnon:") * 1024;
    u.peak_rss_bytes = field(s, "VmHWM:") * 1024;
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    if (file_read(path, 65536, &io, &n) == 0) /* not everywhere, and not for others' processes */
        u.written_bytes = field(span_of(io, n), "write_bytes:");
    *ret = u;
    return 0;
}
