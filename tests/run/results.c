#include "tests/run/results.h"

#include <stdio.h>

struct parser {
    results_fn *fn;
    void *ctx;
    struct span test;  /* the running one, empty: none */
    const char *start; /* its output */
    bool in_group;     /* between "Running N test(s)" and "N test(s) run" */
    bool failed_tap;   /* "not ok" was read, its indented error block may follow */
    size_t groups, failed;
};

static void finish_test(struct parser *p, enum outcome outcome, const char *end, const char *why)
{
    p->failed += outcome == OUTCOME_FAILED;
    p->fn(p->ctx, p->test, outcome, span_of(p->start, (size_t)(end - p->start)), why);
    p->test = (struct span){NULL, 0};
}

static bool take(struct span line, struct span prefix, struct span *ret_rest)
{
    if (!span_starts(line, prefix))
        return false;
    *ret_rest = span_trim(span_from(line, prefix.len));
    return true;
}

static void cmocka_line(struct parser *p, struct span line, const char *next)
{
    static const struct {
        struct span mark;
        enum outcome outcome;
    } MARKS[] = {{SPAN_INIT("[       OK ] "), OUTCOME_PASSED},
                 {SPAN_INIT("[  FAILED  ] "), OUTCOME_FAILED},
                 {SPAN_INIT("[  SKIPPED ] "), OUTCOME_SKIPPED}};
    struct span rest;
    if (take(line, SPAN("[==========] "), &rest)) {
        p->in_group = span_starts(rest, SPAN("Running "));
        p->groups += p->in_group;
        return;
    }
    if (!p->in_group) /* the summary names failed tests a second time */
        return;
    if (take(line, SPAN("[ RUN      ] "), &rest)) {
        if (p->test.ptr)
            finish_test(p, OUTCOME_FAILED, line.ptr, "the test has no outcome (its set-up or tear-down failed?)");
        p->test = rest;
        p->start = next;
        return;
    }
    for (size_t i = 0; i < sizeof MARKS / sizeof MARKS[0]; i++) {
        if (!take(line, MARKS[i].mark, &rest))
            continue;
        if (p->test.ptr && span_equal(rest, p->test)) {
            finish_test(p, MARKS[i].outcome, line.ptr, NULL);
        } else if (!p->test.ptr && MARKS[i].outcome == OUTCOME_FAILED) { /* a group's fixture */
            p->test = rest;
            p->start = line.ptr;
            finish_test(p, OUTCOME_FAILED, next, NULL);
        }
    }
}

static void finish_failed_tap(struct parser *p, const char *end)
{
    if (p->failed_tap) {
        finish_test(p, OUTCOME_FAILED, end, NULL);
        p->start = end;
    }
    p->failed_tap = false;
}

/* "ok 1 - name # SKIP reason", "not ok 2 - name"; deeper levels are indented and belong to their parent. What went wrong follows a
 * "not ok" as an indented block. */
static void tap_line(struct parser *p, struct span line, const char *next)
{
    struct span rest;
    enum outcome outcome = OUTCOME_PASSED;
    if (span_starts(line, SPAN(" ")))
        return;
    finish_failed_tap(p, line.ptr);
    if (take(line, SPAN("1.."), &rest)) {
        p->groups++;
        return;
    }
    if (take(line, SPAN("not ok "), &rest))
        outcome = OUTCOME_FAILED;
    else if (!take(line, SPAN("ok "), &rest))
        return;
    size_t dash = span_search(rest, SPAN("- "));
    if (dash < rest.len)
        rest = span_from(rest, dash + 2);
    size_t hash = span_search(rest, SPAN(" # "));
    if (hash < rest.len &&
        span_equal_nocase(span_of(rest.ptr + hash, rest.len - hash < 7 ? rest.len - hash : 7), SPAN(" # SKIP")))
        outcome = OUTCOME_SKIPPED;
    p->test = span_of(rest.ptr, hash);
    p->failed_tap = outcome == OUTCOME_FAILED;
    if (p->failed_tap)
        return;
    finish_test(p, outcome, line.ptr, NULL);
    p->start = next;
}

void results_parse(enum results_format format, struct span log, const struct results_end *end, results_fn *fn,
                   void *ctx)
{
    struct parser p = {.fn = fn, .ctx = ctx, .start = log.ptr};
    struct span rest = log, line;
    while (span_cut(&rest, '\n', &line)) {
        const char *next = rest.ptr ? rest.ptr : line.ptr + line.len;
        if (format == RESULTS_CMOCKA)
            cmocka_line(&p, line, next);
        else
            tap_line(&p, line, next);
    }
    const char *log_end = log.ptr ? log.ptr + log.len : NULL;
    finish_failed_tap(&p, log_end);
    char why[128] = "the program left before its end";
    if (end->timed_out)
        snprintf(why, sizeof why, "timed out");
    else if (end->status > 128)
        snprintf(why, sizeof why, "ended by signal %d", end->status - 128);
    else if (end->status != 0)
        snprintf(why, sizeof why, "exit status %d", end->status);
    if (p.test.ptr) {
        finish_test(&p, OUTCOME_FAILED, log_end, why);
    } else if (p.groups == 0 || p.in_group || end->timed_out || (end->status != 0 && p.failed == 0)) {
        /* all tests passed, and yet: a leak, a crash at exit, a hang, or no tests at all */
        p.test = span_str(end->program);
        p.start = log.ptr;
        finish_test(&p, OUTCOME_FAILED, log_end, p.groups == 0 && end->status == 0 ? "the program ran no tests" : why);
    }
}
