/* process.h - run other programs: the demo, e2e tests and the bench start and end daemons by their process id.
 *
 *   struct process *p;
 *   const char *argv[] = {"build/crest-shop", "--listen", "127.0.0.1:0", NULL};
 *   r = process_start(argv, &(struct process_options){.log_path = "shop.log"}, &p);
 *   r = process_wait_line(p, "listening ", 5000, line, sizeof line);   // reads its stdout
 *   process_stop(p, 10000, &status);                                    // SIGTERM, then SIGKILL; reaped
 *   process_free(p);
 *
 * Children get PR_SET_PDEATHSIG(SIGKILL) unless `detached`, so nothing outlives us; the kernel ties that to the thread
 * that started them, so start them from one that lasts. Each gets a process group of its own: the terminal's Ctrl-C
 * reaches us only, and we end them in our order. stdin is /dev/null, our signal mask and descriptors are not passed on.
 * Only processes started here are ever signalled. Not thread-safe for one process; different ones are independent. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/macros.h"

struct process;
struct process_options {
    const char *log_path;    /* stderr goes here (appended); NULL: inherited */
    const char *stdout_path; /* stdout goes here; NULL: a pipe that process_wait_line reads (the last 1 MiB) */
    const char *directory;   /* working directory; NULL: ours */
    const char *const *env;  /* extra "NAME=value", ended by NULL */
    bool quiet;              /* stdout and stderr to /dev/null where no path is given */
    bool detached;
    bool terminal; /* has our stdin and stdout, our process group and its Ctrl-C: a full-screen program; when we die
                      it gets SIGTERM, so that it can leave the terminal clean */
};
/* -ENOENT and others when the program cannot be executed (reported by the child before exec). */
MUST_USE int process_start(const char *const *argv, const struct process_options *options, struct process **ret);
pid_t process_pid(const struct process *p);
/* Still running? Reaps; afterwards process_status is set. */
bool process_running(struct process *p);
/* Exit code, or 128 + signal; -1 while it runs. */
int process_status(struct process *p);
int process_signal(struct process *p, int signal_number); /* -ESRCH once it ended */
/* Wait for a line of stdout that contains `text` ("" takes any); the lines before it are dropped. -ETIMEDOUT, -EPIPE
 * (ended or closed without it). The line without newline, cut at line_bytes - 1. */
MUST_USE int process_wait_line(struct process *p, const char *text, int64_t timeout_ms, char *line, size_t line_bytes);
/* Wait for its end; -ETIMEDOUT. */
MUST_USE int process_wait(struct process *p, int64_t timeout_ms, int *ret_status);
/* SIGTERM, up to grace_ms, then SIGKILL; returns 0 when it ended by itself, -ETIMEDOUT when it had to be killed. */
int process_stop(struct process *p, int64_t grace_ms, int *ret_status);
/* Kills (SIGKILL) and reaps what still runs. NULL is fine. */
void process_free(struct process *p);
/* Run to the end and collect the first max_bytes of stdout (malloc, NUL-terminated, the caller frees; may be NULL) and
 * the exit status. -ETIMEDOUT: it was killed. */
MUST_USE int process_run(const char *const *argv, const struct process_options *options, int64_t timeout_ms,
                         size_t max_bytes, char **ret_output, int *ret_status);
/* Resources of any process from /proc; -ESRCH. */
struct process_usage {
    double cpu_seconds;
    uint64_t rss_bytes, rss_anon_bytes, peak_rss_bytes, written_bytes;
};
MUST_USE int process_usage(pid_t pid, struct process_usage *ret);
