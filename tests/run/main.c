/* run: the one test runner. Unit and fuzz-corpus programs run a few at a time, then everything else likewise, then what judges a pace: most of them
 * wait most of the time, so more are started while the processors are idle. Each has a time-out and a folder of its own in TMPDIR, and must leave no
 * process behind. With --second-chances some end-to-end programs that failed run again, alone, and are named as unsteady when they pass then. The last
 * line of its output is
 *
 *     N passed, N failed, N skipped
 *
 * A skip counts as failed unless ALLOWED_SKIPS lists the test; see that file. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/base/clock.h"
#include "lib/base/daemon.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/base/process.h"
#include "lib/base/span.h"
#include "tests/run/idle.h"
#include "tests/run/results.h"

#define JOBS_MAX 16u              /* and as many more */
#define LOG_BYTES_MAX (16u << 20) /* kept of one program's output */
#define SHOWN_BYTES_MAX 16384u    /* of one failed test, its end */
#define ORPHAN_GRACE_MS 1000

static const struct option_def OPTIONS[] = {
    {.name = "jobs",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "3",
     .min = 1,
     .max = JOBS_MAX,
     .help = "programs at a time"},
    {.name = "more-jobs",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "5",
     .min = 0,
     .max = JOBS_MAX,
     .help = "programs more while the processors are idle"},
    {.name = "processor-times",
     .type = OPT_TEXT,
     .arg = "FILE",
     .fallback = "/proc/stat",
     .help = "where the kernel says whether they are"},
    {.name = "unit-timeout",
     .type = OPT_DURATION,
     .fallback = "4m",
     .min = 1,
     .max = 86.4e6, /* make differential and make quiet take their time */
     .help = "for each unit program"},
    {.name = "timeout",
     .type = OPT_DURATION,
     .fallback = "6m",
     .min = 1,
     .max = 86.4e6, /* make differential and make quiet take their time */
     .help = "for each other program"},
    {.name = "second-chances",
     .type = OPT_COUNT,
     .arg = "N",
     .fallback = "0",
     .min = 0,
     .max = 16,
     .help = "end-to-end programs that may fail once"},
    {.name = "bin",
     .type = OPT_TEXT,
     .arg = "DIR",
     .fallback = "build/release",
     .help = "where the crest programs are: CREST_BIN of the tests"},
    {.name = "skips",
     .type = OPT_TEXT,
     .arg = "FILE",
     .fallback = "tests/ALLOWED_SKIPS",
     .help = "tests that may be skipped"},
    {.name = "summary", .type = OPT_TEXT, .arg = "FILE", .help = "write the last line there too"},
    {.name = "verbose", .type = OPT_FLAG, .help = "name every test"},
    {0}};
static const struct command_def COMMANDS[] = {{.name = "",
                                               .operands = "PROGRAM...",
                                               .operands_min = 1,
                                               .operands_max = 4096,
                                               .help = "run test programs (.js by node)"},
                                              {0}};
static const struct program_def PROGRAM = {.name = "run",
                                           .summary = "runs test programs and sums their results",
                                           .examples = "  run build/release/tests/unit/lib/base/test_buf\n",
                                           .commands = COMMANDS,
                                           .options = OPTIONS};

struct skip_rule {
    struct span test, needs; /* needs: allowed only while this command is missing */
};

struct runner {
    const struct options *options;
    char *temp; /* our folder; each program gets one below */
    char *skip_text;
    struct skip_rule *skips;
    size_t skip_n;
    size_t passed, failed, skipped;
    struct buf failures, skip_list, unsteady; /* the lists at the end */
    const char *again[16];                    /* failed once */
    size_t again_n, chances;
    unsigned started;
    bool verbose;
};

struct queue {
    const char **programs;
    size_t n, next;
};

struct job {
    const char *program;
    struct process *process; /* NULL: free place */
    char folder[256], log[300], mark[300];
    int64_t started_us, deadline_us;
};

/* ---- skips ---- */

static bool command_exists(struct span name)
{
    struct span rest = span_str(getenv("PATH")), folder;
    char path[4096];
    while (span_cut(&rest, ':', &folder)) {
        snprintf(path, sizeof path, SPAN_FMT "/" SPAN_FMT, SPAN_ARG(folder), SPAN_ARG(name));
        if (access(path, X_OK) == 0)
            return true;
    }
    static const char *const MORE[] = {"/usr/sbin", "/sbin"}; /* Debian's daemons, not in a user's PATH */
    for (size_t i = 0; i < ARRAY_LEN(MORE); i++) {
        snprintf(path, sizeof path, "%s/" SPAN_FMT, MORE[i], SPAN_ARG(name));
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

static bool skip_allowed(const struct runner *r, struct span test)
{
    for (size_t i = 0; i < r->skip_n; i++)
        if (span_equal(r->skips[i].test, test) && (r->skips[i].needs.len == 0 || !command_exists(r->skips[i].needs)))
            return true;
    return false;
}

/* Lines "TEST [needs:COMMAND] reason"; '#' starts a comment. A line without reason is an error. */
static int read_skips(struct runner *r, const char *path)
{
    size_t n;
    int e = file_read(path, 1u << 20, &r->skip_text, &n);
    if (e == -ENOENT)
        return 0;
    if (e < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(-e));
        return e;
    }
    struct span rest = span_of(r->skip_text, n), line;
    for (unsigned number = 1; span_cut(&rest, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        struct span test = span_of(line.ptr, span_find(line, ' '));
        struct span reason = span_trim(span_from(line, test.len)), needs = {NULL, 0};
        if (span_starts(reason, SPAN("needs:"))) {
            needs = span_of(reason.ptr + 6, span_find(reason, ' ') - 6);
            reason = span_trim(span_from(reason, needs.len + 6));
        }
        if (reason.len == 0) {
            fprintf(stderr, "%s:%u: a skip needs a reason\n", path, number);
            return -EINVAL;
        }
        struct skip_rule *rules = realloc(r->skips, (r->skip_n + 1) * sizeof *rules);
        if (!rules)
            return -ENOMEM;
        r->skips = rules;
        r->skips[r->skip_n++] = (struct skip_rule){test, needs};
    }
    return 0;
}

/* ---- outcomes ---- */

struct report {
    struct runner *r;
    const char *program;
    size_t tests;
};

static void show_failure(const struct report *p, struct span name, struct span output, const char *why)
{
    if (output.len > SHOWN_BYTES_MAX)
        output = span_from(output, output.len - SHOWN_BYTES_MAX);
    printf("FAILED " SPAN_FMT " (%s)%s%s\n", SPAN_ARG(name), p->program, why ? ": " : "", why ? why : "");
    struct span line;
    output = span_trim(output);
    while (output.len && span_cut(&output, '\n', &line))
        printf("    " SPAN_FMT "\n", SPAN_ARG(line));
    buf_printf(&p->r->failures, "  " SPAN_FMT " (%s)%s%s\n", SPAN_ARG(name), p->program, why ? ": " : "",
               why ? why : "");
}

static void on_test(void *ctx, struct span name, enum outcome outcome, struct span output, const char *why)
{
    struct report *p = ctx;
    struct runner *r = p->r;
    p->tests++;
    if (outcome == OUTCOME_SKIPPED && !skip_allowed(r, name)) {
        outcome = OUTCOME_FAILED;
        why = "skipped, and tests/ALLOWED_SKIPS does not allow it here";
    }
    switch (outcome) {
    case OUTCOME_PASSED:
        r->passed++;
        if (r->verbose)
            printf("  passed " SPAN_FMT "\n", SPAN_ARG(name));
        break;
    case OUTCOME_SKIPPED:
        r->skipped++;
        buf_printf(&r->skip_list, "  " SPAN_FMT " (%s)\n", SPAN_ARG(name), p->program);
        break;
    case OUTCOME_FAILED:
        r->failed++;
        show_failure(p, name, output, why);
        break;
    }
}

/* ---- processes that outlive their test ---- */

/* We are their new parent (PR_SET_CHILD_SUBREAPER). Finds one whose environment carries the program's mark. */
static pid_t find_orphan(const char *mark)
{
    DIR *d = opendir("/proc");
    pid_t found = 0;
    struct dirent *e;
    while (d && found == 0 && (e = readdir(d))) {
        uint64_t pid;
        char path[300], *text = NULL;
        size_t n = 0;
        if (parse_u64(e->d_name, INT32_MAX, &pid) < 0 || (pid_t)pid == getpid())
            continue;
        snprintf(path, sizeof path, "/proc/%s/environ", e->d_name);
        if (file_read(path, 4u << 20, &text, &n) < 0)
            continue;
        if (memmem(text, n, mark, strlen(mark) + 1))
            found = (pid_t)pid;
        free(text);
    }
    if (d)
        closedir(d);
    return found;
}

static void collect_orphans(struct report *p, const struct job *j)
{
    int64_t until = mono_us() + ORPHAN_GRACE_MS * 1000;
    pid_t orphan;
    while ((orphan = find_orphan(j->mark)) != 0 && mono_us() < until)
        sleep_us(10000);
    for (int i = 0; orphan != 0 && i < 100; i++, orphan = find_orphan(j->mark)) {
        char path[64], *name = NULL, why[160];
        snprintf(path, sizeof path, "/proc/%d/cmdline", (int)orphan);
        int e = file_read(path, 4096, &name, NULL);
        snprintf(why, sizeof why, "left process %d (%.100s) behind", (int)orphan, e == 0 ? name : "?");
        on_test(p, span_str(j->program), OUTCOME_FAILED, (struct span){NULL, 0}, why);
        free(name);
        (void)kill(orphan, SIGKILL); /* ours: it carries this program's mark */
        sleep_us(20000);
    }
}

/* ---- one program ---- */

static bool is_unit(const char *program)
{
    return strstr(program, "tests/unit/") || strstr(program, "tests/fuzz/");
}

/* What judges how fast things are, even generously, is not run beside what computes; these two need a tenth of a processor each. */
static bool judges_a_pace(const char *program)
{
    static const char *const NAMES[] = {
        "test_demo",  /* pages have their seconds, and a load run on a busy machine is void */
        "test_quiet", /* no rule may fire, and a starved shop is slow */
    };
    const char *name = strrchr(program, '/');
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcmp(name ? name + 1 : program, NAMES[i]) == 0)
            return true;
    return false;
}

static bool is_script(const char *program)
{
    size_t n = strlen(program);
    return (n > 3 && strcmp(program + n - 3, ".js") == 0) || (n > 4 && strcmp(program + n - 4, ".mjs") == 0);
}

static int start(struct runner *r, struct job *j, const char *program, unsigned number)
{
    j->program = program;
    snprintf(j->folder, sizeof j->folder, "%s/%u", r->temp, number);
    snprintf(j->log, sizeof j->log, "%s.log", j->folder);
    snprintf(j->mark, sizeof j->mark, "CREST_TEST_RUN=%s", j->folder);
    int e = dir_make(j->folder);
    if (e < 0)
        return e;
    char temp[300], bin[4200];
    snprintf(temp, sizeof temp, "TMPDIR=%s", j->folder);
    snprintf(bin, sizeof bin, "CREST_BIN=%s", options_text(r->options, "bin"));
    const char *env[] = {
        temp, j->mark, bin, "CMOCKA_MESSAGE_OUTPUT=standard", "UBSAN_OPTIONS=print_stacktrace=1", "LC_ALL=C.UTF-8",
        NULL};
    const char *direct[] = {program, NULL}, *node[] = {"node", "--test-reporter=tap", program, NULL};
    j->started_us = mono_us();
    j->deadline_us =
        j->started_us + options_duration_ms(r->options, is_unit(program) ? "unit-timeout" : "timeout") * 1000;
    return process_start(is_script(program) ? node : direct,
                         &(struct process_options){.log_path = j->log, .stdout_path = j->log, .env = env}, &j->process);
}

/* What a program added to the sums, so that it can be taken back. */
struct tally {
    size_t passed, failed, skipped, failures_bytes, skip_list_bytes;
};
static struct tally tally(const struct runner *r)
{
    return (struct tally){r->passed, r->failed, r->skipped, r->failures.len, r->skip_list.len};
}

static void give_second_chance(struct runner *r, const struct job *j, const struct tally *before)
{
    buf_bytes(&r->unsteady, r->failures.data + before->failures_bytes, r->failures.len - before->failures_bytes);
    r->passed = before->passed;
    r->failed = before->failed;
    r->skipped = before->skipped;
    buf_truncate(&r->failures, before->failures_bytes);
    buf_truncate(&r->skip_list, before->skip_list_bytes);
    r->again[r->again_n++] = j->program;
}

static void finish(struct runner *r, struct job *j, bool timed_out)
{
    if (timed_out && strstr(j->program, "tests/unit/") == NULL)
        (void)process_stop(j->process, 3000, NULL); /* its daemons get a chance to say where they hang */
    struct report p = {r, j->program, 0};
    struct results_end end = {.timed_out = timed_out, .program = j->program};
    if (!timed_out)
        end.status = process_status(j->process);
    struct tally before = tally(r);
    process_free(j->process);
    j->process = NULL;
    char *log = NULL;
    size_t n = 0;
    int e = file_read(j->log, LOG_BYTES_MAX, &log, &n);
    if (e < 0)
        on_test(&p, span_str(j->program), OUTCOME_FAILED, (struct span){NULL, 0}, strerror(-e));
    else
        results_parse(is_script(j->program) ? RESULTS_TAP : RESULTS_CMOCKA, span_of(log, n), &end, on_test, &p);
    free(log);
    collect_orphans(&p, j);
    printf("%-6s %s (%zu tests, %.1f s)\n", r->failed == before.failed ? "ok" : "FAILED", j->program, p.tests,
           (double)(mono_us() - j->started_us) / 1e6);
    if (r->failed > before.failed && r->again_n < r->chances && !is_unit(j->program))
        give_second_chance(r, j, &before);
    e = dir_remove(j->folder);
    (void)e; /* our own folder goes as a whole at the end */
}

/* Orphans become our children: collect their ends without touching those that process.h owns. */
static void reap_strangers(const struct job *jobs, size_t n)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) {
        for (size_t i = 0; i < n; i++)
            if (jobs[i].process && process_pid(jobs[i].process) == info.si_pid)
                return; /* the main loop takes it; a stranger behind it waits for the next turn */
        (void)waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}

/* Is there time for one program more? */
static bool has_time(const struct runner *r, struct idle *idle)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int64_t now_us = mono_us();
    return idle_due(idle, now_us) && file_read(options_text(r->options, "processor-times"), 1u << 20, &text, &n) == 0 &&
           idle_look(idle, span_of(text, n), now_us);
}

static int start_next(struct runner *r, struct job *j, struct queue *q)
{
    const char *program = q->programs[q->next++];
    int e = start(r, j, program, r->started++);
    if (e < 0) {
        struct report p = {r, program, 0};
        on_test(&p, span_str(program), OUTCOME_FAILED, (struct span){NULL, 0}, strerror(-e));
    }
    return e;
}

/* `jobs` at a time whatever the machine does, and `more` while its processors are idle. */
static void run_programs(struct runner *r, struct queue q, size_t jobs, size_t more)
{
    struct job job[2 * JOBS_MAX] = {0};
    size_t running = 0;
    struct idle idle = {0};
    while ((q.next < q.n || running) && !daemon_stopping()) {
        for (size_t i = 0; i < jobs + more; i++) {
            struct job *j = &job[i];
            bool runs = j->process && process_running(j->process);
            if (j->process && (!runs || mono_us() > j->deadline_us)) {
                finish(r, j, runs);
                running--;
            }
            if (!j->process && q.next < q.n && (running < jobs || has_time(r, &idle)) && start_next(r, j, &q) == 0)
                running++;
        }
        reap_strangers(job, jobs + more);
        sleep_us(5000);
    }
    for (size_t i = 0; i < jobs + more; i++) { /* Ctrl-C: what still runs gets the chance to end its own children */
        if (job[i].process)
            (void)process_stop(job[i].process, 2000, NULL);
        process_free(job[i].process);
    }
}

static void run_all(struct runner *r)
{
    size_t n = options_operand_count(r->options);
    struct queue unit = {calloc(n, sizeof(char *)), 0, 0}, other = {calloc(n, sizeof(char *)), 0, 0},
                 paced = {calloc(n, sizeof(char *)), 0, 0}, again = {r->again, 0, 0};
    if (unit.programs && other.programs && paced.programs) {
        for (size_t i = 0; i < n; i++) {
            const char *p = options_operand(r->options, i);
            struct queue *q = is_unit(p) ? &unit : judges_a_pace(p) ? &paced : &other;
            q->programs[q->n++] = p;
        }
        size_t jobs = (size_t)options_count(r->options, "jobs"), more = (size_t)options_count(r->options, "more-jobs");
        run_programs(r, unit, jobs, more);
        run_programs(r, other, jobs, more);
        run_programs(r, paced, jobs, 0);
        again.n = r->again_n;
        r->chances = 0;
        run_programs(r, again, 1, 0);
    }
    free(unit.programs);
    free(other.programs);
    free(paced.programs);
}

static void print_summary(const struct runner *r)
{
    char last[128];
    int n = snprintf(last, sizeof last, "%zu passed, %zu failed, %zu skipped\n", r->passed, r->failed, r->skipped);
    if (r->skip_list.len)
        printf("skipped:\n%s", r->skip_list.data);
    if (r->failures.len)
        printf("failed:\n%s", r->failures.data);
    if (r->unsteady.len)
        printf("failed at first and had to run again:\n%s", r->unsteady.data);
    const char *path = options_text(r->options, "summary");
    if (path && file_write(path, last, (size_t)n) < 0)
        fprintf(stderr, "run: cannot write %s\n", path);
    fputs(last, stdout);
}

int main(int argc, char **argv)
{
    struct options *o;
    int code = options_parse(&PROGRAM, argc, argv, &o);
    if (code != OPTIONS_RUN)
        return code;
    daemon_init("run");
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct runner r = {
        .options = o, .verbose = options_flag(o, "verbose"), .chances = (size_t)options_count(o, "second-chances")};
    buf_init(&r.failures, 1u << 20);
    buf_init(&r.skip_list, 1u << 20);
    buf_init(&r.unsteady, 1u << 20);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    code = EXIT_FAILED;
    int e = dir_make_temp("crest", &r.temp);
    if (e < 0)
        fprintf(stderr, "run: no temporary folder: %s\n", strerror(-e));
    if (e == 0 && read_skips(&r, options_text(o, "skips")) == 0) {
        run_all(&r);
        if (daemon_stopping())
            code = EXIT_INTERRUPTED;
        else if (r.failed == 0 && r.passed > 0)
            code = EXIT_OK;
        print_summary(&r);
    }
    if (r.temp && dir_remove(r.temp) < 0)
        fprintf(stderr, "run: %s could not be removed\n", r.temp);
    buf_done(&r.failures);
    buf_done(&r.skip_list);
    buf_done(&r.unsteady);
    free(r.skips);
    free(r.skip_text);
    free(r.temp);
    options_free(o);
    return code;
}
