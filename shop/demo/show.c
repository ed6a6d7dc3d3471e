/* The show: what happens is told in lines; on a terminal crest-tui stands above the newest of them, and all are printed when it has ended. */
#include "shop/demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

#define LOOK_MS 100 /* how soon the viewer's leaving is noticed */
#define TUI_END_MS 5000

struct show {
    pthread_mutex_t lock;
    FILE *file; /* the story */
    char path[4096], log[4096], tui_log[4096];
    int64_t started_us;
    struct process *tui;
    int stderr_kept; /* while the tui has the screen; else -1 */
    long printed;    /* of the story's bytes */
    bool left;
};

int show_open(const char *dir, struct show **ret)
{
    struct show *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    pthread_mutex_init(&w->lock, NULL);
    w->stderr_kept = -1;
    w->started_us = mono_us();
    snprintf(w->path, sizeof w->path, "%s/story.txt", dir);
    snprintf(w->log, sizeof w->log, "%s/demo.log", dir);
    snprintf(w->tui_log, sizeof w->tui_log, "%s/crest-tui.log", dir);
    w->file = fopen(w->path, "we");
    if (!w->file) {
        int r = -errno;
        fprintf(stderr, "demo: %s: %s\n", w->path, strerror(-r));
        show_close(w);
        return r;
    }
    *ret = w;
    return 0;
}

void show_close(struct show *w)
{
    if (!w)
        return;
    show_give_screen_back(w);
    if (w->file)
        fclose(w->file);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* ---- the story ---- */

void show_start_clock(struct show *w)
{
    w->started_us = mono_us();
}

int64_t show_clock_ms(const struct show *w)
{
    return (mono_us() - w->started_us) / 1000;
}

void show_say(struct show *w, const char *format, ...)
{
    char words[1024], line[1100];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    for (char *c = words; *c; c++) /* an alert's words come from elsewhere: one line each */
        if ((unsigned char)*c < ' ')
            *c = ' ';
    pthread_mutex_lock(&w->lock);
    snprintf(line, sizeof line, "%6.1f s  %s\n", (double)show_clock_ms(w) / 1000, words);
    fputs(line, w->file);
    fflush(w->file);
    if (!w->tui) {
        fputs(line, stdout);
        fflush(stdout);
        w->printed = ftell(w->file);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Who to log in as, and where: the address that an SSH session has come by is the one that works. */
static void login_words(char *text, size_t n)
{
    char host[256] = "", address[128] = "";
    const char *session = getenv("SSH_CONNECTION"), *user = getenv("SUDO_USER");
    const struct passwd *me = getpwuid(geteuid());
    if (!user || !*user)
        user = me ? me->pw_name : "root";
    if (gethostname(host, sizeof host - 1) < 0 || !host[0])
        snprintf(host, sizeof host, "HOST");
    if (session) { /* client address, its port, our address, our port */
        struct span rest = span_str(session);
        for (int i = 0; i < 2; i++) {
            size_t space = span_find(rest, ' ');
            rest = span_from(rest, space < rest.len ? space + 1 : rest.len);
        }
        snprintf(address, sizeof address, SPAN_FMT, SPAN_ARG(span_of(rest.ptr, span_find(rest, ' '))));
    }
    snprintf(text, n, "%s@%s", user, address[0] ? address : host);
}

void show_addresses(struct show *w, const char *bin, const char *collector, bool terminal)
{
    char login[600];
    const char *colon = strrchr(collector, ':');
    login_words(login, sizeof login);
    show_say(w, "the page     http://%s/", collector);
    show_say(w, "from afar    ssh -L %s:%s %s   and then the same address there", colon ? colon + 1 : "9480", collector,
             login);
    if (terminal)
        show_say(w, "here         this terminal turns into crest-tui; q or Ctrl-C there ends the demo");
    else
        show_say(w, "a terminal   %s/crest-tui http://%s", bin, collector);
}

/* ---- the screen ---- */

int show_take_screen(struct show *w, const char *bin, const char *collector)
{
    char program[4096], url[128];
    snprintf(program, sizeof program, "%s/crest-tui", bin);
    snprintf(url, sizeof url, "http://%s", collector);
    const char *argv[] = {program, url, "--story", w->path, NULL};
    fflush(stderr);
    AUTO_CLOSE int log = open(w->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (log < 0 || kept < 0) {
        int r = -errno;
        auto_close_fd(&kept);
        return r;
    }
    pthread_mutex_lock(&w->lock); /* what is said from here on is on its screen, not beneath it */
    struct process *tui = NULL;
    int r = process_start(argv, &(struct process_options){.terminal = true, .log_path = w->tui_log}, &tui);
    if (r == 0) {
        w->tui = tui;
        w->stderr_kept = kept;
        (void)dup2(log, STDERR_FILENO);
    }
    pthread_mutex_unlock(&w->lock);
    if (r < 0) {
        auto_close_fd(&kept);
        fprintf(stderr, "demo: %s cannot run: %s\n", program, strerror(-r));
    }
    return r;
}

static void print_file(const char *path, long from, FILE *to)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (file_read(path, STORY_BYTES_MAX, &text, &n) == 0 && (size_t)from < n)
        fwrite(text + from, 1, n - (size_t)from, to);
    fflush(to);
}

void show_give_screen_back(struct show *w)
{
    int status = 0;
    if (!w->tui)
        return;
    if (process_running(w->tui))
        (void)process_stop(w->tui, TUI_END_MS, &status);
    pthread_mutex_lock(&w->lock);
    process_free(w->tui);
    w->tui = NULL;
    fflush(stderr);
    (void)dup2(w->stderr_kept, STDERR_FILENO);
    close(w->stderr_kept);
    w->stderr_kept = -1;
    print_file(w->path, w->printed, stdout);
    print_file(w->log, 0, stderr);
    pthread_mutex_unlock(&w->lock);
}

/* crest-tui has ended by itself: the viewer wants to leave, or it cannot go on, and then the story does. */
static void tui_ended(struct show *w)
{
    int status = process_status(w->tui);
    bool told = status == 128 + SIGTERM || status == 128 + SIGHUP || status == 128 + SIGINT || status == 128 + SIGQUIT;
    w->left = status == 0 && !daemon_stopping();
    if (status == 0 || told)
        daemon_stop();
    show_give_screen_back(w);
    if (w->left)
        return;
    print_file(w->tui_log, 0, stderr);
    if (!daemon_stopping())
        show_say(w, "crest-tui ended with status %d; the story goes on in lines", status);
}

void show_wait(struct show *w, int64_t ms)
{
    int64_t end_us = mono_us() + ms * 1000, left_us;
    while (!daemon_stopping() && (left_us = end_us - mono_us()) > 0) {
        daemon_wait(left_us > LOOK_MS * 1000 ? LOOK_MS : left_us / 1000 + 1);
        if (daemon_take_reload())
            daemon_stop(); /* SIGHUP: the terminal is gone */
        if (w->tui && !process_running(w->tui))
            tui_ended(w);
    }
}

bool show_was_left(const struct show *w)
{
    return w->left;
}
