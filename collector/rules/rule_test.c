#include "collector/rules/rule_test.h"

#include <errno.h>

#include "collector/rules/rule_test_check.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/match/regex.h"

#define FAILURE_BYTES_MAX (16u << 20) /* words of one test */
#define STEPS_MAX 10000000

/* ---- one test: a store, an engine and rules of its own ---- */
static int64_t test_now(void *ctx)
{
    return ((struct test_bench *)ctx)->now_ms;
}

MUST_USE static int bench_open(struct test_bench *b, const char *const *paths, size_t n)
{
    char why[256] = "";
    struct problems problems;
    int r = store_open(&(struct store_config){.future_ms_max = -1, .now_ms = test_now, .now_ctx = b}, &b->store, why,
                       sizeof why);
    if (r == 0)
        r = query_local_new(b->store,
                            &(struct query_limits){.workers = 1, .subquery_step_ms = b->file->evaluation_interval_ms},
                            &b->query);
    if (r == 0)
        r = rules_new(&(struct rules_config){.query = b->query,
                                             .store = b->store,
                                             .interval_ms = b->group->interval_ms,
                                             .external_url = b->group->external_url,
                                             .external_labels = b->group->external_labels,
                                             .now_ms = test_now,
                                             .now_ctx = b},
                      &b->rules);
    if (r < 0)
        return r;
    problems_init(&problems);
    r = rules_load(b->rules, paths, n, &problems);
    for (size_t i = 0; r < 0 && i < problems.n; i++) {
        const struct problem *p = &problems.list[i];
        if (p->level == PROBLEM_ERROR)
            buf_printf(&b->failures, "    %s:%u:%u: %s\n", p->file, p->line, p->column, p->text);
    }
    problems_done(&problems);
    return r == -EINVAL ? 1 : r;
}

static void bench_close(struct test_bench *b)
{
    rules_free(b->rules);
    query_free(b->query);
    store_close(b->store);
}

/* As in promtool, a series that is written twice is what was written last. */
static void drop_repeated(struct test_group *g)
{
    for (size_t i = 0; i < g->n_series; i++)
        for (size_t k = i + 1; k < g->n_series && g->series[i].n; k++)
            if (labels_equal(&g->series[i].labels, &g->series[k].labels))
                g->series[i].n = 0;
}

static bool has_due(const struct test_bench *b, const struct test_series *s, int64_t t_ms)
{
    return s->loaded < s->n && b->group->start_ms + (int64_t)s->loaded * b->group->interval_ms <= t_ms;
}

MUST_USE static int fill(const struct test_bench *b, struct test_series *s, int64_t t_ms, struct write_request *w)
{
    struct write_series *to = &w->series[w->n_series];
    size_t n = 0;
    while (s->loaded + n < s->n && b->group->start_ms + (int64_t)(s->loaded + n) * b->group->interval_ms <= t_ms)
        n++;
    to->samples = arena_array(&w->arena, n, sizeof *to->samples);
    to->histograms = arena_array(&w->arena, n, sizeof *to->histograms);
    if (!to->samples || !to->histograms || labels_copy(&w->arena, &s->labels, &to->labels) < 0)
        return -ENOMEM;
    for (; n; n--, s->loaded++) {
        const struct series_point *p = &s->points[s->loaded];
        int64_t at_ms = b->group->start_ms + (int64_t)s->loaded * b->group->interval_ms;
        if (p->histogram)
            to->histograms[to->n_histograms++] = (struct histogram_sample){.t_ms = at_ms, .histogram = p->histogram};
        else if (p->present)
            to->samples[to->n_samples++] = (struct sample){.t_ms = at_ms, .value = p->value};
    }
    if (to->n_samples || to->n_histograms)
        w->n_series++;
    return 0;
}

/* The points up to t_ms: what is later is not known yet. */
MUST_USE static int load_until(struct test_bench *b, int64_t t_ms)
{
    struct test_group *g = b->group;
    size_t due = 0;
    for (size_t i = 0; i < g->n_series; i++)
        due += has_due(b, &g->series[i], t_ms);
    if (due == 0)
        return 0;
    struct write_request *w = write_request_new(1ul << 30);
    int r = w ? 0 : -ENOMEM;
    if (r == 0 && !(w->series = arena_array(&w->arena, due, sizeof *w->series)))
        r = -ENOMEM;
    for (size_t i = 0; i < g->n_series && r == 0; i++)
        if (has_due(b, &g->series[i], t_ms))
            r = fill(b, &g->series[i], t_ms, w);
    struct store_written written = {0};
    if (r == 0)
        r = store_write(b->store, w, &written);
    else
        write_request_free(w);
    if (r == 0 && written.why[0]) {
        buf_printf(&b->failures, "    input_series: %s\n", written.why);
        r = 1;
    }
    return r;
}

/* Every group once, in order. 1: a rule failed, and its words are noted. */
static int evaluate_groups(struct test_bench *b, const size_t *order)
{
    char at[NUMBER_TEXT_MAX];
    int failed = 0;
    format_duration_ms(at, b->now_ms - b->group->start_ms);
    for (size_t i = 0; i < b->rules->n_groups; i++) {
        struct group *g = &b->rules->groups[order[i]];
        group_evaluate(b->rules, g, b->now_ms);
        for (size_t k = 0; k < g->def->n_rules; k++)
            if (g->rules[k].health == RULE_BAD) {
                buf_printf(&b->failures, "    rule: " SPAN_FMT ", time: %s, err: %s\n", SPAN_ARG(g->def->rules[k].name),
                           at, g->rules[k].last_error);
                failed = 1;
            }
    }
    return failed;
}

static size_t place_in_order(const struct test_file *f, struct span name)
{
    for (size_t i = 0; i < f->n_order; i++)
        if (span_equal(name, span_str(f->order[i])))
            return i;
    return 0; /* promtool's: groups that are not named come with the first */
}

/* group_eval_order first, else as the files have them. */
MUST_USE static int order_groups(struct test_bench *b, size_t **ret)
{
    size_t n = b->rules->n_groups, *order = arena_array(&b->arena, n, sizeof *order);
    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t place = place_in_order(b->file, b->rules->groups[i].def->name), k = i;
        for (; k > 0 && place_in_order(b->file, b->rules->groups[order[k - 1]].def->name) > place; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    *ret = order;
    return 0;
}

static int64_t last_eval_ms(const struct test_group *g)
{
    int64_t last = 0;
    for (size_t i = 0; i < g->n_alerts; i++)
        last = g->alerts[i].eval_ms > last ? g->alerts[i].eval_ms : last;
    for (size_t i = 0; i < g->n_exprs; i++)
        last = g->exprs[i].eval_ms > last ? g->exprs[i].eval_ms : last;
    return last;
}

MUST_USE static int run_steps(struct test_bench *b)
{
    struct test_group *g = b->group;
    int64_t interval_ms = b->file->evaluation_interval_ms, last = last_eval_ms(g);
    size_t *order;
    int r = order_groups(b, &order);
    if (r == 0 && last / interval_ms > STEPS_MAX) {
        buf_printf(&b->failures, "    more than %d evaluations until the last eval_time\n", STEPS_MAX);
        return 1;
    }
    for (int64_t at = 0; at <= last && r == 0; at += interval_ms) {
        b->now_ms = g->start_ms + at;
        r = load_until(b, b->now_ms);
        if (r == 0)
            r = evaluate_groups(b, order);
        for (size_t i = 0; i < g->n_alerts && r == 0; i++)
            if (at <= g->alerts[i].eval_ms && g->alerts[i].eval_ms < at + interval_ms)
                r = test_check_alerts(b, &g->alerts[i]);
    }
    for (size_t i = 0; i < g->n_exprs && r == 0; i++)
        r = test_check_expr(b, &g->exprs[i]);
    return r;
}

/* Negative: no memory. What is wrong is in the failures. */
MUST_USE static int run_test(struct test_bench *b, const char *const *paths, size_t n)
{
    struct test_group *g = b->group;
    if (g->wrong) {
        buf_printf(&b->failures, "    %s\n", g->wrong);
        return 0;
    }
    for (size_t i = 0; i < g->n_alerts; i++)
        if (!g->alerts[i].alertname || !*g->alerts[i].alertname) {
            buf_str(&b->failures, "    an item under alert_rule_test misses required attribute alertname\n");
            return 0;
        }
    drop_repeated(g);
    int r = bench_open(b, paths, n);
    if (r == 0)
        r = run_steps(b);
    bench_close(b);
    return r < 0 ? r : 0;
}

/* ---- a file ---- */
struct path_list {
    char **list;
    size_t n;
};

static void paths_done(struct path_list *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->list[i]);
    free(p->list);
}

/* Every file of the patterns; one without a file is said and left out, as promtool does. */
MUST_USE static int find_rule_files(const struct test_file *f, FILE *progress, struct path_list *ret)
{
    int r = 0;
    for (size_t i = 0; i < f->n_rule_files && r == 0; i++) {
        struct file_list found;
        r = file_glob(f->rule_files[i], &found);
        if (r < 0)
            return r;
        if (found.n == 0)
            fprintf(progress, "  WARNING: no file match pattern %s\n", f->rule_files[i]);
        char **more = realloc(ret->list, (ret->n + found.n + 1) * sizeof *more);
        if (more)
            ret->list = more;
        for (size_t k = 0; k < found.n && more && r == 0; k++) {
            more[ret->n] = strdup(found.paths[k]);
            r = more[ret->n] ? 0 : -ENOMEM;
            ret->n += r == 0;
        }
        file_list_done(&found);
        r = more ? r : -ENOMEM;
    }
    return r;
}

MUST_USE static int run_case(const struct test_file *f, size_t i, const struct path_list *paths,
                             struct rule_test_case *ret)
{
    int64_t began_us = mono_us();
    struct test_bench b = {.file = f, .group = &f->groups[i], .now_ms = f->groups[i].start_ms};
    if (b.group->interval_ms <= 0)
        b.group->interval_ms = f->evaluation_interval_ms; /* without series it stands for nothing */
    buf_init(&b.failures, FAILURE_BYTES_MAX);
    arena_init(&b.arena, QUERY_BYTES_MAX);
    int r = run_test(&b, (const char *const *)paths->list, paths->n);
    ret->seconds = (double)(mono_us() - began_us) / 1e6;
    if (r == 0 && b.failures.len && !(ret->failures = buf_take(&b.failures, NULL)))
        r = -ENOMEM;
    buf_done(&b.failures);
    arena_done(&b.arena);
    return r;
}

MUST_USE static int name_case(const struct test_file *f, size_t i, char **ret)
{
    if (f->groups[i].name)
        *ret = strdup(f->groups[i].name);
    else if (asprintf(ret, "unnamed#%zu", i) < 0)
        *ret = NULL;
    return *ret ? 0 : -ENOMEM;
}

MUST_USE static int run_cases(const struct test_file *f, const struct regex *run, FILE *progress,
                              struct rule_test_file *ret)
{
    struct path_list paths = {0};
    int r = find_rule_files(f, progress, &paths);
    ret->cases = calloc(f->n ? f->n : 1, sizeof *ret->cases);
    if (!ret->cases)
        r = -ENOMEM;
    for (size_t i = 0; i < f->n && r == 0; i++) {
        struct rule_test_case *c = &ret->cases[ret->n];
        r = name_case(f, i, &c->name);
        if (r < 0)
            break;
        ret->n++;
        if (run && regex_match(run, span_str(c->name)) <= 0) {
            free(c->name);
            *c = (struct rule_test_case){0};
            ret->n--;
            continue;
        }
        r = run_case(f, i, &paths, c);
    }
    paths_done(&paths);
    return r;
}

/* 1: it has failed. */
MUST_USE static int run_file(const struct rule_test_config *config, const struct regex *run, FILE *progress,
                             struct rule_test_file *ret)
{
    struct test_file f;
    struct problems problems;
    int failed = 0;
    problems_init(&problems);
    fprintf(progress, "Unit Testing:  %s\n", ret->path);
    int r = test_file_read(ret->path, config->ignore_unknown_fields, &f, &problems);
    if (r == -EINVAL) {
        struct buf words;
        buf_init(&words, FAILURE_BYTES_MAX);
        for (size_t i = 0; i < problems.n; i++)
            if (problems.list[i].level == PROBLEM_ERROR)
                buf_printf(&words, "    %s:%u:%u: %s\n", problems.list[i].file, problems.list[i].line,
                           problems.list[i].column, problems.list[i].text);
        ret->error = buf_take(&words, NULL);
        r = ret->error ? 0 : -ENOMEM;
    } else if (r == 0) {
        r = run_cases(&f, run, progress, ret);
    }
    test_file_done(&f);
    problems_done(&problems);
    for (size_t i = 0; i < ret->n; i++)
        failed |= ret->cases[i].failures != NULL;
    failed |= ret->error != NULL;
    fputs(failed ? "  FAILED:\n" : r == 0 ? "  SUCCESS\n" : "", progress);
    if (ret->error)
        fputs(ret->error, progress);
    for (size_t i = 0; i < ret->n; i++)
        if (ret->cases[i].failures)
            fprintf(progress, "  test: %s\n%s\n", ret->cases[i].name, ret->cases[i].failures);
    fputc('\n', progress);
    return r < 0 ? r : failed;
}

int rule_test_run(const struct rule_test_config *config, const char *const *paths, size_t n, FILE *progress,
                  struct rule_test_report *ret)
{
    struct regex *run = NULL;
    struct parse_error error;
    int r = 0, failed = 0;
    *ret = (struct rule_test_report){.files = calloc(n ? n : 1, sizeof *ret->files)};
    if (!ret->files)
        return -ENOMEM;
    if (config->run && regex_compile(span_str(config->run), 0, &run, &error) < 0) {
        fprintf(progress, "--run: %s\n", error.text);
        return 1;
    }
    for (size_t i = 0; i < n && r >= 0; i++) {
        ret->files[ret->n++].path = paths[i];
        r = run_file(config, run, progress, &ret->files[i]);
        failed |= r == 1;
    }
    regex_free(run);
    if (r < 0)
        rule_test_done(ret);
    return r < 0 ? r : failed;
}

/* ---- JUnit ---- */
static void xml_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '<')
            buf_str(out, "&lt;");
        else if (c == '>')
            buf_str(out, "&gt;");
        else if (c == '&')
            buf_str(out, "&amp;");
        else if (c == '"')
            buf_str(out, "&#34;");
        else if (c >= ' ' || c == '\n' || c == '\t')
            buf_char(out, (char)c);
        else
            buf_char(out, '?'); /* XML has no word for it */
    }
}

static void junit_failure(struct buf *out, const char *kind, const char *text)
{
    buf_printf(out, "      <%s message=\"", kind);
    struct span rest = span_str(text), line = {NULL, 0};
    (void)span_cut(&rest, '\n', &line);
    AUTO_FREE char *first = strndup(line.ptr ? line.ptr : "", line.len);
    xml_text(out, first ? first : "");
    buf_str(out, "\">");
    xml_text(out, text);
    buf_printf(out, "</%s>\n", kind);
}

void rule_test_junit(const struct rule_test_report *report, struct buf *out)
{
    buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (size_t i = 0; i < report->n; i++) {
        const struct rule_test_file *f = &report->files[i];
        size_t failures = 0;
        double seconds = 0;
        for (size_t k = 0; k < f->n; k++) {
            failures += f->cases[k].failures != NULL;
            seconds += f->cases[k].seconds;
        }
        buf_str(out, "  <testsuite name=\"");
        xml_text(out, f->path);
        buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%d\" time=\"%.3f\">\n", f->n + (f->error ? 1 : 0),
                   failures, f->error ? 1 : 0, seconds);
        if (f->error) {
            buf_str(out, "    <testcase name=\"load\">\n");
            junit_failure(out, "error", f->error);
            buf_str(out, "    </testcase>\n");
        }
        for (size_t k = 0; k < f->n; k++) {
            buf_str(out, "    <testcase name=\"");
            xml_text(out, f->cases[k].name);
            buf_printf(out, "\" time=\"%.3f\"%s>\n", f->cases[k].seconds, f->cases[k].failures ? "" : "/");
            if (f->cases[k].failures) {
                junit_failure(out, "failure", f->cases[k].failures);
                buf_str(out, "    </testcase>\n");
            }
        }
        buf_str(out, "  </testsuite>\n");
    }
    buf_str(out, "</testsuites>\n");
}

void rule_test_done(struct rule_test_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        struct rule_test_file *f = &report->files[i];
        for (size_t k = 0; k < f->n; k++) {
            free(f->cases[k].name);
            free(f->cases[k].failures);
        }
        free(f->cases);
        free(f->error);
    }
    free(report->files);
    *report = (struct rule_test_report){0};
}
