/* Runs the field's own PromQL test scripts (conformance/promql, see its README) against the engine over an in-memory store.
 *
 * None may be wrong, and `right` may never fall below what tests/conformance.count says. As upstream does, each instant evaluation
 * is run again as the middle of a range of three steps, and once more at another time with every selector pinned by @ to the time
 * of the first. CONFORMANCE_SHOW=N shows the first N that are wrong. */
#include "tests/support/check.h"

#include <errno.h>

#include "collector/promql/ast.h"
#include "collector/promql/functions.h"
#include "lib/base/file.h"
#include "lib/match/regex.h"
#include "tests/unit/collector/promql/promql_load.h"

struct totals {
    unsigned right, wrong, shown, show;
};

/* ---- evaluating ---- */

struct wanted {
    struct line *lines;
    size_t n;
    bool fail, ordered, any_range;
    bool warn, info, no_warn, no_info;
    struct span fail_text, warn_text, info_text; /* "msg: ..." or "regex: ..." */
    struct span string;
    int64_t from_ms, step_ms; /* range vector */
    bool has_scalar;
    double scalar;
};

static void parse_wanted(struct arena *a, struct span line, struct wanted *w)
{
    struct span rest = line;
    if (!span_equal(next_token(&rest), SPAN("expect"))) {
        double v;
        struct span whole = span_trim(line);
        if (whole.len && number_end(whole, false) == whole.len && parse_seconds(whole, &v)) {
            w->has_scalar = true;
            w->scalar = v;
            return;
        }
        parse_line(a, line, &w->lines[w->n++]);
        return;
    }
    struct span what = next_token(&rest);
    rest = span_trim(rest);
    if (span_equal(what, SPAN("fail"))) {
        w->fail = true;
        w->fail_text = rest;
    } else if (span_equal(what, SPAN("warn"))) {
        w->warn = true;
        w->warn_text = rest;
    } else if (span_equal(what, SPAN("info"))) {
        w->info = true;
        w->info_text = rest;
    } else if (span_equal(what, SPAN("no_warn"))) {
        w->no_warn = true;
    } else if (span_equal(what, SPAN("no_info"))) {
        w->no_info = true;
    } else if (span_equal(what, SPAN("ordered"))) {
        w->ordered = true;
    } else if (span_equal(what, SPAN("string"))) {
        w->string = span_of(rest.ptr + 1, rest.len - 2);
    } else if (span_equal(what, SPAN("range"))) { /* range vector from A to B step S */
        w->any_range = true;
        next_token(&rest);
        next_token(&rest);
        w->from_ms = time_ms(next_token(&rest));
        next_token(&rest);
        next_token(&rest);
        next_token(&rest);
        w->step_ms = time_ms(next_token(&rest));
    } else {
        check_failed("expect what? " SPAN_FMT, SPAN_ARG(line));
    }
}

static bool same(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (a == b)
        return true;
    return fabs(a - b) / (fabs(a) + fabs(b)) < 1e-6;
}

/* "msg: text" or "regex: pattern" against one text. */
static bool text_fits(struct span pattern, const char *text)
{
    if (span_starts(pattern, SPAN("msg:")))
        return span_equal(span_trim(span_from(pattern, 4)), span_str(text));
    if (!span_starts(pattern, SPAN("regex:")))
        return true;
    struct regex *re;
    struct parse_error error;
    struct span group;
    size_t n;
    check_ok(regex_compile(span_trim(span_from(pattern, 6)), 0, &re, &error));
    bool fits = regex_search(re, span_str(text), 0, &group, 1, &n) > 0;
    regex_free(re);
    return fits;
}

/* Bucket for bucket; the hint of resets only where the script writes it. */
static bool same_histogram(struct arena *a, const struct native_histogram *have, const struct point *want)
{
    struct native_work w[2];
    const struct native_histogram *h[2];
    if (!have || !want->histogram || (want->hint_written && have->hint != want->histogram->hint))
        return false;
    for (size_t i = 0; i < 2; i++) {
        check_ok(native_work_init(&w[i], a, i ? want->histogram : have));
        check_ok(native_work_give(&w[i], NATIVE_COMPACT, &h[i]));
    }
    bool fits = h[0]->schema == h[1]->schema && h[0]->zero_threshold == h[1]->zero_threshold &&
                same(h[0]->zero_count, h[1]->zero_count) && same(h[0]->count, h[1]->count) &&
                same(h[0]->sum, h[1]->sum) && h[0]->n_bounds == h[1]->n_bounds && w[0].positive.n >= h[0]->n_positive &&
                h[0]->n_positive == h[1]->n_positive && h[0]->n_negative == h[1]->n_negative;
    struct native_bucket *b[2];
    size_t n[2];
    for (size_t i = 0; i < 2; i++)
        check_ok(native_buckets(a, h[i], &b[i], &n[i]));
    fits &= n[0] == n[1];
    for (size_t i = 0; fits && i < n[0]; i++)
        fits = same(b[0][i].count, b[1][i].count) && b[0][i].lower == b[1][i].lower && b[0][i].upper == b[1][i].upper;
    for (size_t i = 0; fits && i < h[0]->n_bounds; i++)
        fits = h[0]->bounds[i] == h[1]->bounds[i];
    return fits;
}

static const char *check_notes(const char **notes, bool want, bool want_none, struct span pattern)
{
    if (want_none && notes[0])
        return notes[0];
    if (!want)
        return NULL;
    bool fits = false;
    for (size_t i = 0; notes[i]; i++)
        fits |= text_fits(pattern, notes[i]);
    return fits ? NULL : notes[0] ? notes[0] : "annotation is missing";
}

static char problem[600];

static const char *say(const char *format, const struct labels *ls, double a, double b) /* labels and two numbers */
{
    struct buf text;
    buf_init(&text, 400);
    labels_format(&text, ls);
    snprintf(problem, sizeof problem, format, text.data ? text.data : "?", a, b);
    buf_done(&text);
    return problem;
}

static const struct line *line_of(const struct wanted *w, const struct labels *ls)
{
    for (size_t i = 0; i < w->n; i++)
        if (labels_equal(&w->lines[i].labels, ls))
            return &w->lines[i];
    return NULL;
}

static size_t wanted_series(const struct wanted *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->lines[i].n; k++)
            if (w->lines[i].points[k].present) {
                n++;
                break;
            }
    return n;
}

static const char *say_histogram(struct arena *a, const struct labels *ls, size_t step,
                                 const struct native_histogram *have, const struct point *want)
{
    static const char *const HINTS[] = {"unknown", "reset", "not_reset", "gauge"};
    struct buf text;
    buf_init(&text, 4000);
    labels_format(&text, ls);
    buf_printf(&text, " at %zu is ", step);
    if (have)
        check_ok(native_format(a, have, &text));
    buf_printf(&text, " %s, not ", have ? HINTS[have->hint] : "a float");
    if (want->histogram)
        check_ok(native_format(a, want->histogram, &text));
    buf_printf(&text, " %s", want->histogram ? HINTS[want->histogram->hint] : "a float");
    snprintf(problem, sizeof problem, "%s", text.data ? text.data : "?");
    buf_done(&text);
    return problem;
}

/* One value against what is wanted; NULL: right. */
static const char *compare_value(struct arena *a, const struct labels *ls, size_t step, double value,
                                 const struct native_histogram *h, const struct point *want)
{
    if (h || want->histogram)
        return same_histogram(a, h, want) ? NULL : say_histogram(a, ls, step, h, want);
    return same(value, want->value) ? NULL : say("%s is %.17g, not %.17g", ls, value, want->value);
}

static const char *compare_matrix(struct arena *a, const struct promql_result *res, const struct wanted *w)
{
    if (res->n_matrix != wanted_series(w))
        return "another number of series";
    for (size_t i = 0; i < res->n_matrix; i++) {
        const struct promql_matrix_series *s = &res->matrix[i];
        const struct line *l = line_of(w, &s->labels);
        if (!l)
            return say("unexpected %s %g %g", &s->labels, 0, 0);
        size_t at = 0;
        for (size_t k = 0; k < l->n; k++) {
            if (!l->points[k].present)
                continue;
            if (at >= s->n || s->t_ms[at] != w->from_ms + (int64_t)k * w->step_ms)
                return say("%s sample %g: another time (%g)", &s->labels, (double)k, 0);
            const char *why =
                compare_value(a, &s->labels, k, s->values[at], s->histograms ? s->histograms[at] : NULL, &l->points[k]);
            if (why)
                return why;
            at++;
        }
        if (at != s->n)
            return say("%s has %g samples, not %g", &s->labels, (double)s->n, (double)at);
    }
    return NULL;
}

static const char *compare(struct arena *a, const struct promql_result *res, const struct wanted *w)
{
    if (res->type == PROMQL_STRING)
        return span_equal(res->string, w->string) ? NULL : "another string";
    if (res->type == PROMQL_MATRIX)
        return compare_matrix(a, res, w);
    if (w->has_scalar && res->type == PROMQL_SCALAR)
        return same(res->series[0].values[0], w->scalar)
                   ? NULL
                   : say("%s is %.17g, not %.17g", &res->series[0].labels, res->series[0].values[0], w->scalar);
    if (res->n_series != wanted_series(w)) {
        if (res->n_series)
            return say("%s ... are %g series, not %g", &res->series[0].labels, (double)res->n_series,
                       (double)wanted_series(w));
        return "no series";
    }
    for (size_t i = 0; i < res->n_series; i++) {
        const struct promql_series *s = &res->series[i];
        const struct line *l = w->ordered ? &w->lines[i] : line_of(w, &s->labels);
        if (!l || !labels_equal(&l->labels, &s->labels))
            return say("unexpected %s = %g %g", &s->labels, s->values[0], 0);
        for (size_t k = 0; k < res->n_steps; k++) {
            bool present = k < l->n && l->points[k].present;
            if (present != s->present[k])
                return say(present ? "%s at %g is missing (%g)" : "%s at %g is there (%g)", &s->labels, (double)k,
                           s->values[k]);
            const char *why = present ? compare_value(a, &s->labels, k, s->values[k],
                                                      s->histograms ? s->histograms[k] : NULL, &l->points[k])
                                      : NULL;
            if (why)
                return why;
        }
    }
    return NULL;
}

/* Does the text ask for the range of the query itself? Its answer then differs by design. */
static bool asks_for_the_range(struct span query)
{
    static const struct span WORDS[] = {SPAN_INIT("start()"), SPAN_INIT("end()"), SPAN_INIT("step()"),
                                        SPAN_INIT("range()"), SPAN_INIT("sort")};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_search(query, WORDS[i]) < query.len)
            return true;
    return false;
}

/* The instant evaluation again as the middle step of a range: the same series with the same values. */
static const char *compare_as_range(struct arena *a, struct store *s, const struct promql_expr *e,
                                    const struct promql_params *instant, const struct promql_result *want)
{
    struct promql_params p = {
        .start_ms = instant->start_ms - 60000, .end_ms = instant->end_ms + 60000, .step_ms = 60000};
    struct promql_result *res;
    struct promql_error error;
    const char *why = NULL;
    if (promql_eval(s, e, &p, &res, &error) < 0) {
        snprintf(problem, sizeof problem, "as a range: %s", error.text);
        return problem;
    }
    size_t present = 0;
    for (size_t i = 0; i < res->n_series; i++)
        present += res->series[i].present[1];
    if (present != want->n_series)
        why = "as a range: another number of series";
    for (size_t i = 0; !why && i < want->n_series; i++) {
        const struct promql_series *w = &want->series[i];
        for (size_t k = 0; k < res->n_series; k++)
            if (labels_equal(&res->series[k].labels, &w->labels) && res->series[k].present[1] && !why)
                why = compare_value(a, &w->labels, 1, res->series[k].values[1],
                                    res->series[k].histograms ? res->series[k].histograms[1] : NULL,
                                    &(struct point){.present = true,
                                                    .value = w->values[0],
                                                    .histogram = w->histograms ? w->histograms[0] : NULL});
    }
    promql_result_free(res);
    return why;
}

/* Does the text ask when it is evaluated? */
static bool asks_for_the_time(struct span query)
{
    static const struct span WORDS[] = {SPAN_INIT("time()"), SPAN_INIT("timestamp("), SPAN_INIT("minute("),
                                        SPAN_INIT("hour("),  SPAN_INIT("day"),        SPAN_INIT("month("),
                                        SPAN_INIT("year("),  SPAN_INIT("start()"),    SPAN_INIT("end()"),
                                        SPAN_INIT("step()"), SPAN_INIT("range()"),    SPAN_INIT("predict_linear(")};
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (span_search(query, WORDS[i]) < query.len)
            return true;
    return false;
}

/* Pin what looks at the evaluation's time to `at`; inside of a pinned subquery the steps are the subquery's. */
static void pin(struct promql_expr *e, int64_t at)
{
    struct timing *t = e->kind == NODE_SELECTOR   ? &e->selector.timing
                       : e->kind == NODE_SUBQUERY ? &e->subquery.timing
                                                  : NULL;
    if (t && t->at == AT_NONE) {
        t->at = AT_TIME;
        t->at_ms = at;
    }
    struct promql_expr *room[2], *const *parts;
    size_t n = e->kind == NODE_SUBQUERY ? 0 : expr_children(e, &parts, room);
    bool info = e->kind == NODE_CALL && strcmp(e->call.function->name, "info") == 0;
    for (size_t i = 0; i < (info ? 1 : n); i++)
        pin(parts[i], at);
}

/* The instant evaluation at another time, with all selectors pinned to the one wanted. */
static const char *compare_pinned(struct arena *a, struct store *s, struct span query, int64_t at,
                                  const struct wanted *w)
{
    struct promql_expr *e;
    struct parse_error perror;
    struct promql_error error;
    struct promql_result *res;
    const char *why;
    check_ok(promql_parse(query, a, &e, &perror));
    pin(e, at);
    struct promql_params p = {.start_ms = at + 3637000, .end_ms = at + 3637000};
    if (promql_eval(s, e, &p, &res, &error) < 0) {
        snprintf(problem, sizeof problem, "pinned: %s", error.text);
        why = problem;
    } else {
        why = compare(a, res, w);
        promql_result_free(res);
    }
    promql_expr_done(e);
    return why;
}

enum verdict { RIGHT, WRONG };

static enum verdict judge(const struct segment *g, struct span query, const struct promql_params *p,
                          const struct wanted *w, const char **ret_why)
{
    struct arena a;
    arena_init(&a, 64u << 20);
    struct promql_expr *e = NULL;
    struct parse_error perror;
    struct promql_error error;
    struct promql_result *res = NULL;
    enum verdict v = WRONG;
    int r = promql_parse(query, &a, &e, &perror);
    if (r == 0)
        r = promql_eval(g->store, e, p, &res, &error);
    else
        snprintf(error.text, sizeof error.text, "%s", perror.text);
    if (r < 0) {
        snprintf(problem, sizeof problem, "%s", error.text);
        *ret_why = problem;
        v = w->fail && text_fits(w->fail_text, error.text) ? RIGHT : WRONG;
    } else if (w->fail) {
        *ret_why = "succeeds";
    } else {
        *ret_why = compare(&a, res, w);
        if (!*ret_why)
            *ret_why = check_notes(res->warnings, w->warn, w->no_warn, w->warn_text);
        if (!*ret_why)
            *ret_why = check_notes(res->infos, w->info, w->no_info, w->info_text);
        if (!*ret_why && p->step_ms == 0 && (res->type == PROMQL_VECTOR || res->type == PROMQL_SCALAR) &&
            !asks_for_the_range(query))
            *ret_why = compare_as_range(&a, g->store, e, p, res);
        if (!*ret_why && p->step_ms == 0 && (res->type == PROMQL_VECTOR || res->type == PROMQL_SCALAR) &&
            !asks_for_the_time(query))
            *ret_why = compare_pinned(&a, g->store, query, p->start_ms, w);
        v = *ret_why ? WRONG : RIGHT;
    }
    promql_result_free(res);
    promql_expr_done(e);
    arena_done(&a);
    return v;
}

/* Consumes the evaluation at *at. */
static void evaluate(struct segment *g, const struct script *sc, size_t *at, struct totals *t)
{
    struct span rest = sc->lines[*at];
    size_t line = *at;
    struct wanted w = {0};
    struct arena a;
    arena_init(&a, 512u << 20);
    w.lines = arena_array(&a, 64, sizeof *w.lines);
    struct promql_params p = {0};
    struct span command = next_token(&rest);
    w.fail = span_equal(command, SPAN("eval_fail"));
    w.ordered = span_equal(command, SPAN("eval_ordered"));
    w.warn = span_equal(command, SPAN("eval_warn"));
    w.info = span_equal(command, SPAN("eval_info"));
    bool instant = span_equal(next_token(&rest), SPAN("instant"));
    next_token(&rest); /* at | from */
    p.start_ms = p.end_ms = time_ms(next_token(&rest));
    if (!instant) {
        next_token(&rest); /* to */
        p.end_ms = time_ms(next_token(&rest));
        next_token(&rest); /* step */
        p.step_ms = time_ms(next_token(&rest));
    }
    for (++*at; *at < sc->n && sc->lines[*at].len; ++*at)
        parse_wanted(&a, sc->lines[*at], &w);
    if (w.has_scalar && !instant)
        check_failed("a scalar for a range");
    const char *why = NULL;
    enum verdict v = judge(g, span_trim(rest), &p, &w, &why);
    t->right += v == RIGHT;
    t->wrong += v == WRONG;
    if (v == WRONG && t->shown < t->show) {
        t->shown++;
        print_message("%s:%zu: " SPAN_FMT "\n    wrong: %s\n", sc->file, line + 1, SPAN_ARG(sc->lines[line]),
                      why ? why : "");
    }
    arena_done(&a);
}

static void run_script(const char *path, struct totals *t)
{
    char *text;
    size_t len;
    check_ok(file_read(path, 16u << 20, &text, &len));
    const char *slash = strrchr(path, '/');
    struct script sc = {.file = slash ? slash + 1 : path};
    sc.lines = calloc(len + 1, sizeof *sc.lines);
    assert_non_null(sc.lines);
    struct span rest = span_of(text, len), line;
    while (span_cut(&rest, '\n', &line)) {
        line = span_trim(line);
        sc.lines[sc.n++] = span_starts(line, SPAN("#")) ? span_of(NULL, 0) : line;
    }
    struct segment g;
    segment_start(&g);
    for (size_t at = 0; at < sc.n;) {
        line = sc.lines[at];
        if (line.len == 0) {
            at++;
        } else if (span_equal(line, SPAN("clear"))) {
            segment_end(&g);
            segment_start(&g);
            at++;
        } else if (span_starts(line, SPAN("load"))) {
            load(&g, &sc, &at);
        } else if (span_starts(line, SPAN("eval"))) {
            evaluate(&g, &sc, &at, t);
        } else {
            check_failed("%s:%zu: not a command: " SPAN_FMT, path, at + 1, SPAN_ARG(line));
        }
    }
    segment_end(&g);
    free(sc.lines);
    free(text);
}

static unsigned recorded_count(void)
{
    char *text;
    size_t len;
    uint64_t n;
    check_ok(file_read("tests/conformance.count", 1000, &text, &len));
    struct span rest = span_of(text, len), line;
    assert_true(span_cut(&rest, '\n', &line) && span_starts(line, SPAN("promql right ")));
    check_ok(parse_u64_span(span_from(line, 13), 100000, &n));
    free(text);
    return (unsigned)n;
}

static void run_scripts(const struct file_list *files, struct totals *all)
{
    const char *show = getenv("CONFORMANCE_SHOW");
    uint64_t n_show = 20;
    if (show)
        check_ok(parse_u64(show, 1000, &n_show));
    all->show = (unsigned)n_show;
    for (size_t i = 0; i < files->n; i++) {
        struct totals before = *all;
        run_script(files->paths[i], all);
        print_message("%-60s right %4u wrong %4u\n", files->paths[i], all->right - before.right,
                      all->wrong - before.wrong);
    }
    if (all->wrong > 0)
        check_failed("%u evaluations are wrong", all->wrong);
}

/* What the field's scripts leave out or half of which we do not have: each sentence of the manual, in the same language. */
static void promql_does_what_the_manual_says(void **state)
{
    (void)state;
    struct file_list files = {0};
    struct totals all = {0};
    check_ok(file_glob("tests/promql/*.test", &files));
    assert_true(files.n > 0);
    run_scripts(&files, &all);
    assert_true(all.right > 0);
    file_list_done(&files);
}

static void promql_conformance_scripts_agree(void **state)
{
    (void)state;
    const char *folder = getenv("CREST_CONFORMANCE");
    if (!folder)
        folder = check_shared_path("conformance");
    char pattern[4096];
    struct file_list files = {0};
    snprintf(pattern, sizeof pattern, "%s/promql/*.test", folder ? folder : "");
    if (folder && access(folder, R_OK) == 0)
        check_ok(file_glob(pattern, &files));
    if (files.n == 0) {
        print_message("skipped, no conformance data\n");
        skip();
    }
    struct totals all = {0};
    run_scripts(&files, &all);
    file_list_done(&files);
    unsigned recorded = recorded_count();
    print_message("promql right %u, wrong %u, refused 0 (recorded: right %u)\n", all.right, all.wrong, recorded);
    if (all.right < recorded)
        check_failed("only %u right, it were %u: tests/conformance.count", all.right, recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(promql_does_what_the_manual_says),
                                       cmocka_unit_test(promql_conformance_scripts_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
