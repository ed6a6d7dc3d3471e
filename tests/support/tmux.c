#include "tests/support/tmux.h"

#include <errno.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/process.h"

#define WORDS_MAX 32u
#define SOCKET_BYTES_MAX 100 /* sun_path has 108 */

struct tmux {
    struct e2e_program *server;
    char socket[512], pid_file[600];
    unsigned runs;
};

static int run(struct tmux *t, const char *const *words, char **ret_output)
{
    const char *argv[WORDS_MAX] = {"/usr/bin/env", "tmux", "-u", "-S", t->socket};
    size_t n = 5;
    int status = -1;
    while (*words && n + 1 < WORDS_MAX)
        argv[n++] = *words++;
    argv[n] = NULL;
    check_ok(process_run(argv, &(struct process_options){.log_path = e2e_path("tmux.log")}, TMUX_WAIT_MS,
                         BODY_BYTES_MAX, ret_output, &status));
    return status;
}

char *tmux_command_at(struct tmux *t, const char *const *words)
{
    char *output = NULL;
    int status = run(t, words, &output);
    if (status != 0)
        check_failed("tmux %s: status %d %s", words[0], status, output ? output : "");
    return output;
}

static bool answers(void *ctx)
{
    struct tmux *t = ctx;
    char *output = NULL;
    int status = access(t->socket, R_OK) == 0 ? run(t, E2E_ARGS("display-message", "-p", "x"), &output) : -1;
    free(output);
    return status == 0;
}

struct tmux *tmux_start(const char *name, int w, int h)
{
    struct tmux *t = calloc(1, sizeof *t);
    char width[16], height[16], config[600];
    assert_non_null(t);
    snprintf(t->socket, sizeof t->socket, "%s", e2e_path(name));
    if (strlen(t->socket) > SOCKET_BYTES_MAX)
        check_failed("%s is too long for a socket: set TMPDIR to a shorter folder", t->socket);
    /* the server's one session comes with it; it stays in the foreground, so that it is a child of ours */
    snprintf(width, sizeof width, "%d", w);
    snprintf(height, sizeof height, "%d", h);
    snprintf(config, sizeof config, "%s.conf", name);
    AUTO_FREE char *conf =
        strdup(e2e_write(config, "set -g status off\nset -g default-terminal tmux-256color\nset -g mouse on\n"
                                 "set -g remain-on-exit on\nset -g escape-time 10\n"
                                 "set -s exit-empty off\nset -g default-command 'PS1=\"ready \" exec sh'\n"));
    t->server = e2e_start_other((const char *const[]){"tmux", "-D", "-u", "-f", conf, "-S", t->socket, NULL});
    for (int64_t end = mono_us() + TMUX_WAIT_MS * 1000ll; access(t->socket, R_OK) < 0;) {
        if (mono_us() > end)
            check_failed("tmux made no socket");
        sleep_us(10000);
    }
    free(tmux_command(t, "new-session", "-d", "-x", width, "-y", height));
    (void)e2e_wait(TMUX_WAIT_MS, answers, t);
    tmux_line(t, "ulimit -c 0; unset NO_COLOR");
    return t;
}

static bool server_ended(void *ctx)
{
    return !e2e_running(ctx);
}

void tmux_stop(struct tmux *t)
{
    char *output = NULL;
    (void)run(t, E2E_ARGS("kill-server"), &output);
    free(output);
    (void)e2e_wait(TMUX_WAIT_MS, server_ended, t->server);
    e2e_stop(t->server);
    free(t);
}

void tmux_keys(struct tmux *t, const char *key)
{
    free(tmux_command(t, "send-keys", key));
}

void tmux_bytes(struct tmux *t, const char *bytes)
{
    free(tmux_command(t, "send-keys", "-l", bytes));
}

void tmux_line(struct tmux *t, const char *line)
{
    free(tmux_command(t, "send-keys", "-l", line));
    tmux_keys(t, "Enter");
}

void tmux_run_tui(struct tmux *t, const char *environment, const char *arguments)
{
    char line[4096], name[32];
    const char *bin = getenv("CREST_BIN");
    snprintf(name, sizeof name, "tui-%u.pid", t->runs++);
    snprintf(t->pid_file, sizeof t->pid_file, "%s", e2e_path(name));
    /* in a file, so that what the test looks for does not stand on the screen as it was typed */
    snprintf(line, sizeof line,
             "sh -c 'echo $$ >%s.new; mv %s.new %s; exec env %s %s/crest-tui %s'\necho \"ended with $?.\"\n",
             t->pid_file, t->pid_file, t->pid_file, environment, bin && *bin ? bin : "build/release", arguments);
    snprintf(name, sizeof name, "tui-%u.sh", t->runs);
    const char *script = e2e_write(name, line);
    tmux_line(t, "clear");
    tmux_see_no(t, "ended with"); /* of the run before */
    snprintf(line, sizeof line, ". %s", script);
    tmux_line(t, line);
    (void)tmux_tui_pid(t);
}

static bool pid_is_written(void *ctx)
{
    const struct tmux *t = ctx;
    return access(t->pid_file, R_OK) == 0;
}

pid_t tmux_tui_pid(struct tmux *t)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    uint64_t pid;
    (void)e2e_wait(TMUX_WAIT_MS, pid_is_written, t);
    check_ok(file_read(t->pid_file, 64, &text, &n));
    check_ok(parse_u64_span(span_trim(span_of(text, n)), INT32_MAX, &pid));
    return (pid_t)pid;
}

void tmux_resize(struct tmux *t, int w, int h)
{
    char width[16], height[16];
    snprintf(width, sizeof width, "%d", w);
    snprintf(height, sizeof height, "%d", h);
    free(tmux_command(t, "resize-window", "-x", width, "-y", height));
}

char *tmux_screen(struct tmux *t)
{
    return tmux_command(t, "capture-pane", "-p");
}

char *tmux_screen_styled(struct tmux *t)
{
    return tmux_command(t, "capture-pane", "-p", "-e");
}

char *tmux_format(struct tmux *t, const char *format)
{
    char *text = tmux_command(t, "display-message", "-p", format);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

void tmux_see_at(struct tmux *t, const char *text, bool there, const char *file, int line)
{
    int64_t end = mono_us() + TMUX_WAIT_MS * 1000ll;
    for (;;) {
        AUTO_FREE char *screen = tmux_screen(t);
        if ((strstr(screen, text) != NULL) == there)
            return;
        if (mono_us() > end)
            check_fail(file, line, "the screen %s '%s':\n%s", there ? "does not say" : "still says", text, screen);
        sleep_us(30000);
    }
}
