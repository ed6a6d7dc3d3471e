/* Runs the field's own PromQL test scripts (conformance/promql, see its README) against the engine over an in-memory store.
 *
 * Every evaluation is right, wrong, or refused: it needs what the engine says is "not yet", or selects series with native
 * histograms, which the store does not keep yet. None may be wrong, and `right` may never fall below what
 * tests/conformance.count says. As upstream does, each instant evaluation is run a second time as the middle of a range of
 * three steps. CONFORMANCE_SHOW=N shows the first N that are refused. */
#include "tests/support/check.h"

#include <errno.h>
#include <math.h>

#include "collector/promql/promql.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/match/regex.h"

#define SERIES_MAX 4096
#define POINTS_MAX 20000

/* ---- values as the scripts write them ---- */

struct point {
    bool present, histogram;
    double value;
};
struct line { /* labels and points of a load or of an expectation */
    struct labels labels;
    struct point *points;
    size_t n;
    bool start_stamps, has_histograms;
};
struct script {
    struct span *lines; /* trimmed, comments emptied */
    size_t n;
    const char *file;
};
struct segment { /* between two `clear`s */
    struct store *store;
    struct arena arena;
    struct labels *histograms; /* series that hold what the store refuses */
    size_t n_histograms;
};
struct totals {
    unsigned right, wrong, refused, shown, show;
};

static bool parse_seconds(struct span s, double *ret)
{
    bool negative = s.len && s.ptr[0] == '-';
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = span_from(s, 1);
    int64_t ms;
    double v;
    if (parse_f64_span(s, &v) == 0)
        ;
    else if (parse_duration_ms(s, &ms) == 0)
        v = (double)ms / 1000.0;
    else
        return false;
    *ret = negative ? -v : v;
    return true;
}

static int64_t time_ms(struct span s)
{
    double v;
    if (!parse_seconds(s, &v))
        check_failed("not a time: " SPAN_FMT, SPAN_ARG(s));
    return (int64_t)llround(v * 1000);
}

/* The next blank-separated piece; {{...}} is one with what follows it. */
static struct span next_token(struct span *rest)
{
    *rest = span_trim(*rest);
    size_t n = 0;
    unsigned braces = 0;
    while (n < rest->len && (braces || (rest->ptr[n] != ' ' && rest->ptr[n] != '\t'))) {
        if (rest->ptr[n] == '{')
            braces++;
        else if (rest->ptr[n] == '}' && braces)
            braces--;
        n++;
    }
    struct span token = span_of(rest->ptr, n);
    *rest = span_from(*rest, n);
    return token;
}

/* Where the number at the start of s ends: [+-](digits . digits e digits | Inf | NaN | duration units). */
static size_t number_end(struct span s, bool stamps)
{
    size_t n = s.len && (s.ptr[0] == '+' || s.ptr[0] == '-') ? 1 : 0;
    struct span word = span_from(s, n);
    if (word.len >= 3 &&
        (span_equal_nocase(span_of(word.ptr, 3), SPAN("inf")) || span_equal_nocase(span_of(word.ptr, 3), SPAN("nan"))))
        return n + 3;
    for (; n < s.len; n++) {
        char c = s.ptr[n];
        bool exponent = (c == 'e' || c == 'E') && !stamps;
        if ((c >= '0' && c <= '9') || c == '.' || (stamps && strchr("msh", c)))
            continue;
        if (!exponent)
            break;
        if (n + 1 < s.len && (s.ptr[n + 1] == '+' || s.ptr[n + 1] == '-'))
            n++;
    }
    return n;
}

static void add_point(struct line *l, struct point p)
{
    if (l->n >= POINTS_MAX)
        check_failed("too many points");
    l->points[l->n++] = p;
}

static void add_points(struct line *l, struct span token)
{
    if (span_starts(token, SPAN("{{"))) {
        size_t times = 1;
        for (size_t i = token.len; i-- > 0 && token.ptr[i] != '}';)
            if (token.ptr[i] == 'x') {
                uint64_t n;
                check_ok(parse_u64_span(span_from(token, i + 1), POINTS_MAX, &n));
                times = (size_t)n + 1;
            }
        l->has_histograms = true;
        for (size_t i = 0; i < times; i++)
            add_point(l, (struct point){.present = true, .histogram = true});
        return;
    }
    uint64_t times = 0;
    if (token.ptr[0] == '_') {
        if (token.len > 1)
            check_ok(parse_u64_span(span_from(token, 2), POINTS_MAX, &times));
        for (uint64_t i = 0; i < (times ? times : 1); i++)
            add_point(l, (struct point){0});
        return;
    }
    if (span_equal(token, SPAN("stale"))) {
        add_point(l, (struct point){.present = true, .value = stale_marker()});
        return;
    }
    size_t n = number_end(token, l->start_stamps);
    double first, growth = 0;
    if (!parse_seconds(span_of(token.ptr, n), &first))
        check_failed("not a value: " SPAN_FMT, SPAN_ARG(token));
    struct span rest = span_from(token, n);
    if (rest.len && rest.ptr[0] != 'x') {
        n = number_end(rest, l->start_stamps);
        if (!parse_seconds(span_of(rest.ptr, n), &growth))
            check_failed("not a value: " SPAN_FMT, SPAN_ARG(token));
        rest = span_from(rest, n);
    }
    if (rest.len)
        check_ok(parse_u64_span(span_from(rest, 1), POINTS_MAX, &times));
    for (uint64_t i = 0; i <= times; i++) {
        add_point(l, (struct point){.present = true, .value = first});
        first += growth;
    }
}

/* name{a="b"} or {a="b"}: its end in s. */
static size_t metric_end(struct span s)
{
    char quote = 0;
    bool braces = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '{') {
            if (!braces && i + 1 < s.len && s.ptr[i + 1] == '{')
                return i;
            braces = true;
        } else if (c == '}') {
            return i + 1;
        } else if (!braces && (c == ' ' || c == '\t' || c == '@')) {
            return i;
        }
    }
    return s.len;
}

static void parse_line(struct arena *a, struct span text, struct line *ret)
{
    static struct point points[POINTS_MAX];
    size_t end = metric_end(text);
    struct matcher *ms;
    size_t n;
    struct parse_error error;
    if (promql_parse_selector(span_of(text.ptr, end), a, &ms, &n, &error) < 0)
        check_failed("not a series: " SPAN_FMT ": %s", SPAN_ARG(text), error.text);
    struct label_builder b;
    label_builder_init(&b, a);
    for (size_t i = 0; i < n; i++) {
        label_builder_set(&b, ms[i].name, ms[i].value);
        matcher_done(&ms[i]);
    }
    *ret = (struct line){.points = points};
    check_ok(label_builder_finish(&b, &ret->labels));
    struct span rest = span_from(text, end);
    if (span_starts(rest, SPAN("@st"))) {
        ret->start_stamps = true;
        rest = span_from(rest, 3);
    }
    for (rest = span_trim(rest); rest.len; rest = span_trim(rest))
        add_points(ret, next_token(&rest));
    ret->points = arena_array(a, ret->n, sizeof *points);
    assert_non_null(ret->points);
    memcpy(ret->points, points, ret->n * sizeof *points);
}

/* ---- loading ---- */

static void segment_start(struct segment *g)
{
    char why[256] = "";
    *g = (struct segment){0};
    if (store_open(&(struct store_config){.future_ms_max = -1}, &g->store, why, sizeof why) < 0)
        check_failed("no store: %s", why);
    arena_init(&g->arena, 512u << 20);
    g->histograms = arena_array(&g->arena, SERIES_MAX, sizeof *g->histograms);
}

static void segment_end(struct segment *g)
{
    store_close(g->store);
    arena_done(&g->arena);
}

static void note_histogram(struct segment *g, const struct labels *ls)
{
    if (g->n_histograms >= SERIES_MAX)
        check_failed("too many histograms");
    g->histograms[g->n_histograms++] = *ls;
}

/* The histogram with custom buckets that load_with_nhcb makes of a classic one. */
static void note_converted(struct segment *g, const struct labels *ls)
{
    static const struct span ENDS[] = {SPAN_INIT("_bucket"), SPAN_INIT("_count"), SPAN_INIT("_sum")};
    struct span name = labels_get(ls, SPAN("__name__"));
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        if (name.len <= ENDS[i].len || memcmp(name.ptr + name.len - ENDS[i].len, ENDS[i].ptr, ENDS[i].len) != 0)
            continue;
        struct label_builder b;
        struct labels base;
        label_builder_init(&b, &g->arena);
        label_builder_from(&b, ls);
        label_builder_remove(&b, SPAN("le"));
        label_builder_set(&b, SPAN("__name__"), span_of(name.ptr, name.len - ENDS[i].len));
        check_ok(label_builder_finish(&b, &base));
        note_histogram(g, &base);
    }
}

/* The request's series with these labels: a later line of a load replaces an earlier one. */
static struct write_series *series_for(struct write_request *w, const struct labels *ls)
{
    for (size_t i = 0; i < w->n_series; i++)
        if (labels_equal(&w->series[i].labels, ls))
            return &w->series[i];
    return &w->series[w->n_series++];
}

static void fill_samples(struct write_request *w, struct write_series *ws, const struct line *l, int64_t step_ms,
                         const struct line *stamps)
{
    *ws = (struct write_series){0};
    ws->samples = arena_array(&w->arena, l->n, sizeof *ws->samples);
    assert_int_equal(labels_copy(&w->arena, &l->labels, &ws->labels), 0);
    for (size_t i = 0; i < l->n; i++) {
        if (!l->points[i].present || l->points[i].histogram)
            continue;
        struct sample s = {.t_ms = (int64_t)i * step_ms, .value = l->points[i].value};
        if (stamps && i < stamps->n && stamps->points[i].present)
            s.start_ms = s.t_ms + (int64_t)llround(stamps->points[i].value * 1000);
        ws->samples[ws->n_samples++] = s;
    }
}

/* Consumes the block at *at. */
static void load(struct segment *g, const struct script *sc, size_t *at)
{
    struct span rest = sc->lines[*at];
    bool nhcb = span_equal(next_token(&rest), SPAN("load_with_nhcb"));
    int64_t step_ms = time_ms(next_token(&rest));
    size_t n = 0;
    for (++*at; *at + n < sc->n && sc->lines[*at + n].len; n++)
        ;
    struct write_request *w = write_request_new(512u << 20);
    assert_non_null(w);
    w->series = arena_array(&w->arena, n, sizeof *w->series);
    struct line stamps = {0};
    for (size_t i = 0; i < n; i++) {
        struct line l;
        parse_line(&g->arena, sc->lines[*at + i], &l);
        if (l.start_stamps) {
            stamps = l;
            continue;
        }
        bool stamped = stamps.points && labels_equal(&stamps.labels, &l.labels);
        fill_samples(w, series_for(w, &l.labels), &l, step_ms, stamped ? &stamps : NULL);
        stamps = (struct line){0};
        if (l.has_histograms)
            note_histogram(g, &l.labels);
        if (nhcb)
            note_converted(g, &l.labels);
    }
    *at += n;
    struct store_written written;
    check_ok(store_write(g->store, w, &written));
    check_ok(written.error);
}

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

static const char *compare_matrix(const struct promql_result *res, const struct wanted *w)
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
            if (at >= s->n || s->t_ms[at] != w->from_ms + (int64_t)k * w->step_ms ||
                !same(s->values[at], l->points[k].value))
                return say("%s sample %g: not %g", &s->labels, (double)k, l->points[k].value);
            at++;
        }
        if (at != s->n)
            return say("%s has %g samples, not %g", &s->labels, (double)s->n, (double)at);
    }
    return NULL;
}

static const char *compare(const struct promql_result *res, const struct wanted *w)
{
    if (res->type == PROMQL_STRING)
        return span_equal(res->string, w->string) ? NULL : "another string";
    if (res->type == PROMQL_MATRIX)
        return compare_matrix(res, w);
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
            if (present && (l->points[k].histogram || !same(s->values[k], l->points[k].value)))
                return say("%s is %.17g, not %.17g", &s->labels, s->values[k], l->points[k].value);
        }
    }
    return NULL;
}

struct touch {
    const struct segment *segment;
    bool histograms;
};

static void touches(void *ctx, const struct matcher *ms, size_t n)
{
    struct touch *t = ctx;
    for (size_t i = 0; i < t->segment->n_histograms; i++) {
        bool all = true;
        for (size_t k = 0; k < n; k++)
            all = all && matcher_matches(&ms[k], labels_get(&t->segment->histograms[i], ms[k].name)) > 0;
        t->histograms |= all;
    }
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
static const char *compare_as_range(struct store *s, const struct promql_expr *e, const struct promql_params *instant,
                                    const struct promql_result *want)
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
            if (labels_equal(&res->series[k].labels, &w->labels) && res->series[k].present[1] &&
                !same(res->series[k].values[1], w->values[0]))
                why = say("as a range: %s is %.17g, not %.17g", &w->labels, res->series[k].values[1], w->values[0]);
    }
    promql_result_free(res);
    return why;
}

enum verdict { RIGHT, WRONG, REFUSED };

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
    if (r == -EOPNOTSUPP) {
        snprintf(problem, sizeof problem, "%s", perror.text);
        *ret_why = problem;
        v = REFUSED;
        goto done;
    }
    struct touch touch = {.segment = g};
    if (r == 0) {
        promql_each_selector(e, touches, &touch);
        r = promql_eval(g->store, e, p, &res, &error);
    } else {
        snprintf(error.text, sizeof error.text, "%s", perror.text);
    }
    if (r < 0) {
        snprintf(problem, sizeof problem, "%s", error.text);
        *ret_why = problem;
        v = w->fail && text_fits(w->fail_text, error.text) ? RIGHT : WRONG;
    } else if (w->fail) {
        *ret_why = "succeeds";
    } else {
        *ret_why = compare(res, w);
        if (!*ret_why)
            *ret_why = check_notes(res->warnings, w->warn, w->no_warn, w->warn_text);
        if (!*ret_why)
            *ret_why = check_notes(res->infos, w->info, w->no_info, w->info_text);
        if (!*ret_why && p->step_ms == 0 && (res->type == PROMQL_VECTOR || res->type == PROMQL_SCALAR) &&
            !asks_for_the_range(query))
            *ret_why = compare_as_range(g->store, e, p, res);
        v = *ret_why ? WRONG : RIGHT;
    }
    if (v == WRONG && touch.histograms)
        v = REFUSED;
    promql_result_free(res);
done:
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
    t->refused += v == REFUSED;
    if ((v == WRONG && t->shown < 20) || (v == REFUSED && t->shown < t->show)) {
        t->shown++;
        print_message("%s:%zu: " SPAN_FMT "\n    %s: %s\n", sc->file, line + 1, SPAN_ARG(sc->lines[line]),
                      v == WRONG ? "wrong" : "refused", why ? why : "");
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
    struct span s = span_trim(span_of(text, len));
    assert_true(span_starts(s, SPAN("promql right ")));
    check_ok(parse_u64_span(span_from(s, 13), 100000, &n));
    free(text);
    return (unsigned)n;
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
    const char *show = getenv("CONFORMANCE_SHOW");
    uint64_t n_show = 0;
    if (show)
        check_ok(parse_u64(show, 1000, &n_show));
    all.show = (unsigned)n_show;
    for (size_t i = 0; i < files.n; i++) {
        struct totals before = all;
        run_script(files.paths[i], &all);
        print_message("%-60s right %4u wrong %4u refused %4u\n", files.paths[i], all.right - before.right,
                      all.wrong - before.wrong, all.refused - before.refused);
    }
    file_list_done(&files);
    unsigned recorded = recorded_count();
    print_message("promql right %u, wrong %u, refused %u (recorded: right %u)\n", all.right, all.wrong, all.refused,
                  recorded);
    if (all.wrong > 0)
        check_failed("%u evaluations are wrong", all.wrong);
    if (all.right < recorded)
        check_failed("only %u right, it were %u: tests/conformance.count", all.right, recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(promql_conformance_scripts_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
