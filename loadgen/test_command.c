/* crest-loadgen test: journeys as functional tests, with hurl's rules, reports and exit codes. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/thread.h"
#include "loadgen/commands.h"
#include "loadgen/test_setup.h"
#include "loadgen/trial/report_files.h"
#include "loadgen/trial/report_html.h"

enum hurl_exit { HURL_OK = 0, HURL_USAGE = 1, HURL_PARSE = 2, HURL_RUNTIME = 3, HURL_ASSERT = 4 };

/* Files are taken one after the other by --jobs threads; what they said is printed in the files' order. */
struct testing {
    const struct options *o;
    struct test_setup setup;
    struct record_config record;
    struct trial_config trial;
    struct record **records; /* of all runs; those of a file follow each other only when --repeat is 1 */
    struct secrets *secrets; /* of each run: the given ones, and what its captures add */
    struct buf *cookies;     /* of each run, for --cookie-jar */
    bool *done;
    size_t n, next, printed;
    pthread_mutex_t mutex;
    int64_t started_us;
};

static bool is_stopping(void *ctx)
{
    (void)ctx;
    return daemon_stopping();
}

/* ---- words ---- */

static void print(FILE *to, struct span text)
{
    if (text.len)
        (void)!fwrite(text.ptr, 1, text.len, to); /* a closed pipe ends the program by itself */
}

static void print_record(struct testing *t, struct record *r)
{
    const char *color = r->c->color ? "\033[1m" : "", *plain = r->c->color ? "\033[0m" : "";
    print(stderr, buf_view(&r->log));
    if (r->error < 0)
        fprintf(stderr, "%s: cannot be run: %s\n", r->show.file, strerror(-r->error));
    fprintf(stderr, "%s%s%s: %s (%llu request%s in %lld ms)\n", color, r->show.file, plain,
            record_outcome(r) == TRIAL_OK ? "Success" : "Failure", (unsigned long long)r->result.requests,
            r->result.requests == 1 ? "" : "s", (long long)(r->result.duration_us / 1000));
    if (!r->c->output || strcmp(r->c->output, "-") == 0)
        print(stdout, buf_view(&r->output));
    if (options_flag(t->o, "json")) {
        struct buf line;
        buf_init(&line, RECORD_BYTES_MAX);
        report_json_record(&line, r);
        buf_char(&line, '\n');
        print(stdout, buf_view(&line));
        buf_done(&line);
    }
    fflush(stdout);
}

static void print_summary(const struct testing *t)
{
    size_t failed = 0;
    uint64_t requests = 0;
    int64_t us = mono_us() - t->started_us;
    for (size_t i = 0; i < t->printed; i++) {
        failed += record_outcome(t->records[i]) != TRIAL_OK;
        requests += t->records[i]->result.requests;
    }
    size_t good = t->printed - failed;
    double all = t->printed ? (double)t->printed : 1;
    fprintf(stderr,
            "--------------------------------------------------------------------------------\n"
            "Executed files:    %zu\nExecuted requests: %llu (%.1f/s)\nSucceeded files:   %zu (%.1f%%)\n"
            "Failed files:      %zu (%.1f%%)\nDuration:          %lld ms\n\n",
            t->printed, (unsigned long long)requests, us ? (double)requests * 1e6 / (double)us : 0, good,
            100 * (double)good / all, failed, 100 * (double)failed / all, (long long)(us / 1000));
}

/* ---- running ---- */

static void run_one(struct testing *t, size_t i)
{
    struct record *r = t->records[i];
    struct trial_config config = t->trial;
    config.listener = &r->listener;
    config.secrets = &t->secrets[i];
    config.cookies_out = options_text(t->o, "cookie-jar") ? &t->cookies[i] : NULL;
    r->n_secrets = r->secrets->n;
    r->error = trial_run(r->journey, &config, &r->result);
    record_finish(r);
}

static void take_runs(void *arg)
{
    struct testing *t = arg;
    pthread_mutex_lock(&t->mutex);
    while (t->next < t->n && !daemon_stopping()) {
        size_t i = t->next++;
        pthread_mutex_unlock(&t->mutex);
        run_one(t, i);
        pthread_mutex_lock(&t->mutex);
        t->done[i] = true;
        while (t->printed < t->n && t->done[t->printed])
            print_record(t, t->records[t->printed++]);
    }
    pthread_mutex_unlock(&t->mutex);
}

static unsigned jobs_of(const struct testing *t)
{
    size_t jobs = options_given(t->o, "jobs") ? (size_t)options_count(t->o, "jobs") : (size_t)thread_cpu_count();
    return (unsigned)(jobs < t->n ? jobs : t->n);
}

/* This thread is one of them, so that no more than the files need are started. */
static void run_all(struct testing *t)
{
    struct thread *threads[256] = {0};
    unsigned jobs = jobs_of(t);
    for (unsigned i = 1; i < jobs && i < ARRAY_LEN(threads); i++)
        if (thread_start("test", take_runs, t, &threads[i]) < 0)
            break; /* then fewer files run at once */
    take_runs(t);
    for (unsigned i = 1; i < ARRAY_LEN(threads); i++)
        thread_join(threads[i]);
}

MUST_USE static int make_records(struct testing *t)
{
    const struct journeys *js = t->setup.journeys;
    size_t repeat = options_given(t->o, "repeat") ? (size_t)options_count(t->o, "repeat") : 1;
    t->n = js ? js->n * repeat : 0;
    t->records = calloc(t->n + 1, sizeof *t->records);
    t->secrets = calloc(t->n + 1, sizeof *t->secrets);
    t->cookies = calloc(t->n + 1, sizeof *t->cookies);
    t->done = calloc(t->n + 1, sizeof *t->done);
    if (!t->records || !t->secrets || !t->cookies || !t->done)
        return -ENOMEM;
    for (size_t i = 0; i < t->n; i++) {
        const struct journey *j = &js->list[i % js->n];
        buf_init(&t->cookies[i], 1u << 24);
        if (secrets_copy(&t->secrets[i], &js->secrets) < 0)
            return -ENOMEM;
        t->records[i] = malloc(sizeof *t->records[i]);
        if (!t->records[i])
            return -ENOMEM;
        record_init(t->records[i], &t->record, j, j->file->source, (unsigned)i + 1);
        t->records[i]->show.secrets = t->records[i]->secrets = &t->secrets[i];
    }
    return 0;
}

static void free_records(struct testing *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->records && t->records[i])
            record_done(t->records[i]);
        if (t->records)
            free(t->records[i]);
        if (t->secrets)
            secrets_done(&t->secrets[i]);
        if (t->cookies)
            buf_done(&t->cookies[i]);
    }
    free(t->records);
    free(t->secrets);
    free(t->cookies);
    free(t->done);
}

/* ---- what is written at the end ---- */

static bool report_failed(const char *path, int r)
{
    if (r < 0)
        fprintf(stderr, "crest-loadgen: %s cannot be written: %s\n", path, strerror(-r));
    return r < 0;
}

static bool write_files(const struct testing *t)
{
    const char *junit = options_text(t->o, "report-junit"), *tap = options_text(t->o, "report-tap");
    const char *json = options_text(t->o, "report-json"), *jar = options_text(t->o, "cookie-jar");
    const char *output = options_text(t->o, "output"), *html = options_text(t->o, "report-html");
    const char *curl = options_text(t->o, "curl");
    bool bad = false;
    if (junit)
        bad |= report_failed(junit, report_junit(junit, t->records, t->printed));
    if (tap)
        bad |= report_failed(tap, report_tap(tap, t->records, t->printed));
    if (json)
        bad |= report_failed(json, report_json_folder(json, t->records, t->printed));
    if (html)
        bad |= report_failed(html, report_html_folder(html, t->records, t->printed));
    if (curl)
        bad |= report_failed(curl, report_curl(curl, t->records, t->printed));
    if (t->printed == 0)
        return !bad;
    if (jar) {
        const struct buf *last = &t->cookies[t->printed - 1];
        bad |= report_failed(jar, file_write(jar, last->len ? last->data : "", last->len));
    }
    if (output && strcmp(output, "-") != 0) {
        const struct buf *last = &t->records[t->printed - 1]->output;
        bad |= report_failed(output, file_write(output, last->len ? last->data : "", last->len));
    }
    return !bad;
}

static int exit_code_of(const struct testing *t)
{
    static const int CODES[] = {[TRIAL_OK] = HURL_OK, [TRIAL_ASSERT] = HURL_ASSERT, [TRIAL_RUNTIME] = HURL_RUNTIME};
    enum trial_outcome worst = TRIAL_OK;
    for (size_t i = 0; i < t->printed; i++) {
        enum trial_outcome outcome = record_outcome(t->records[i]);
        worst = outcome > worst ? outcome : worst;
    }
    return CODES[worst];
}

static bool wants_color(const struct options *o)
{
    const char *none = getenv("NO_COLOR");
    if (options_flag(o, "color") || options_flag(o, "no-color"))
        return !options_flag(o, "no-color");
    return isatty(STDERR_FILENO) && !(none && *none);
}

/* The folder below a report's; false: it cannot be made. */
static bool make_store(const char *folder)
{
    struct buf store;
    if (!folder)
        return true;
    buf_init(&store, 1u << 20);
    buf_printf(&store, "%s/store", folder);
    bool bad = report_failed(folder, buf_error(&store) ? -ENOMEM : dir_make(store.data));
    buf_done(&store);
    return !bad;
}

int command_test(const struct options *o)
{
    struct testing t = {.o = o, .mutex = PTHREAD_MUTEX_INITIALIZER, .started_us = mono_us()};
    int code = test_setup_read(o, &t.setup);
    const char *folder = options_text(o, "report-json"), *html = options_text(o, "report-html");
    if (code == EXIT_OK && !(make_store(folder) && make_store(html)))
        code = HURL_RUNTIME;
    t.record = (struct record_config){.stopped = is_stopping,
                                      .store = folder,
                                      .file_root = options_text(o, "file-root"),
                                      .output = options_text(o, "output"),
                                      .include = options_flag(o, "include"),
                                      .color = wants_color(o),
                                      .error_long = strcmp(options_text(o, "error-format"), "long") == 0,
                                      .json = folder || options_flag(o, "json"),
                                      .timeline = html != NULL,
                                      .curl = options_text(o, "curl") != NULL};
    t.trial = (struct trial_config){
        .run = &t.setup.config,
        .file_root = options_text(o, "file-root"),
        .cookies = t.setup.cookies,
        .body_bytes_max = options_given(o, "max-filesize") ? (size_t)options_count(o, "max-filesize") : 0,
        .from_entry = options_given(o, "from-entry") ? (size_t)options_count(o, "from-entry") : 0,
        .to_entry = options_given(o, "to-entry") ? (size_t)options_count(o, "to-entry") : 0,
        .continue_on_error = options_flag(o, "continue-on-error") || options_flag(o, "fail-at-end"),
        .no_assert = options_flag(o, "no-assert") || options_flag(o, "ignore-asserts"),
        .no_cookie_store = options_flag(o, "no-cookie-store"),
    };
    if (code == EXIT_OK && make_records(&t) < 0) {
        fprintf(stderr, "crest-loadgen: %s\n", strerror(ENOMEM));
        code = HURL_RUNTIME;
    }
    if (code == EXIT_OK) {
        daemon_init("crest-loadgen");
        run_all(&t);
        print_summary(&t);
        code = exit_code_of(&t);
        if (!write_files(&t) && code == HURL_OK)
            code = HURL_RUNTIME;
        if (daemon_stopping())
            code = EXIT_INTERRUPTED;
    }
    free_records(&t);
    test_setup_done(&t.setup);
    return code;
}
