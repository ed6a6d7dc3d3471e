#include "tests/support/query.h"

#include <math.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/number.h"
#include "lib/wire/url.h"

json_t *get_json(const struct e2e_program *p, const char *path, int expected_status)
{
    json_error_t error;
    char *body = e2e_get(p, path, expected_status);
    json_t *root = json_loads(body, 0, &error);
    if (!root)
        check_failed("%s: %s\n%.500s", path, error.text, body);
    free(body);
    return root;
}

json_t *query_at(const struct e2e_program *collector, const char *expression, int64_t time_ms)
{
    struct buf path;
    buf_init(&path, 1 << 16);
    buf_str(&path, "/api/v1/query?query=");
    url_encode(&path, span_str(expression));
    buf_printf(&path, "&time=%lld.%03lld", (long long)(time_ms / 1000), (long long)(time_ms % 1000));
    json_t *root = get_json(collector, path.data, 200);
    json_t *result = json_incref(json_object_get(json_object_get(root, "data"), "result"));
    if (!result)
        check_failed("%s: no result", expression);
    json_decref(root);
    buf_done(&path);
    return result;
}

json_t *query(const struct e2e_program *collector, const char *expression)
{
    return query_at(collector, expression, unix_ms());
}

static double number(const char *text)
{
    double v = NAN;
    if (!text || parse_f64_span(span_str(text), &v) < 0)
        check_failed("'%s' is no value", text ? text : "(null)");
    return v;
}

double query_value(const struct e2e_program *collector, const char *expression)
{
    double v = NAN;
    json_t *result = query(collector, expression), *first = json_array_get(result, 0);
    if (json_is_number(first)) /* a scalar: [time, "value"] */
        v = number(json_string_value(json_array_get(result, 1)));
    else if (json_array_size(result) > 1)
        check_failed("%s has %zu series", expression, json_array_size(result));
    else if (first)
        v = number(json_string_value(json_array_get(json_object_get(first, "value"), 1)));
    json_decref(result);
    return v;
}

size_t query_count(const struct e2e_program *collector, const char *expression, const char *value)
{
    size_t n = 0;
    json_t *result = query(collector, expression);
    for (size_t i = 0; i < json_array_size(result); i++) {
        json_t *values = json_object_get(json_array_get(result, i), "values");
        for (size_t k = 0; k < json_array_size(values); k++)
            n += strcmp(json_string_value(json_array_get(json_array_get(values, k), 1)), value) == 0;
    }
    json_decref(result);
    return n;
}

const char *query_label(const struct e2e_program *collector, const char *expression, const char *label, char *text,
                        size_t bytes)
{
    json_t *result = query(collector, expression);
    if (json_array_size(result) > 1)
        check_failed("%s has %zu series", expression, json_array_size(result));
    const char *value = json_string_value(json_object_get(json_object_get(json_array_get(result, 0), "metric"), label));
    snprintf(text, bytes, "%s", value ? value : "");
    json_decref(result);
    return text;
}

struct wait {
    const struct e2e_program *collector;
    const char *expression;
};

static bool holds(void *ctx)
{
    const struct wait *w = ctx;
    json_t *result = query(w->collector, w->expression);
    bool yes = json_array_size(result) > 0;
    json_decref(result);
    return yes;
}

int64_t query_wait_at(const struct e2e_program *collector, const char *expression, int64_t timeout_ms, const char *file,
                      int line)
{
    return e2e_wait_at(timeout_ms, holds, &(struct wait){collector, expression}, expression, file, line);
}

double page_value(const char *page, const char *series)
{
    size_t n = strlen(series);
    for (const char *at = page; (at = strstr(at, series)); at += n)
        if ((at == page || at[-1] == '\n') && at[n] == ' ') {
            double v;
            if (parse_f64_span(span_of(at + n + 1, strcspn(at + n + 1, " \n")), &v) == 0)
                return v;
        }
    return NAN;
}

/* ---- lines ---- */

static void add_line(struct sample_lines *lines, const struct labels *labels, struct span value, int64_t t_ms)
{
    struct buf text;
    if (lines->n == lines->cap) {
        lines->cap = lines->cap ? 2 * lines->cap : 1024;
        lines->list = realloc(lines->list, lines->cap * sizeof *lines->list);
        if (!lines->list)
            check_failed("out of memory");
    }
    buf_init(&text, 1 << 20);
    labels_format(&text, labels);
    buf_char(&text, ' ');
    buf_span(&text, value);
    lines->list[lines->n++] = (struct sample_line){buf_take(&text, NULL), t_ms};
}

struct page_ctx {
    struct sample_lines *lines;
    struct arena arena;
    const char *job, *instance;
};

static void add_target_label(struct label_builder *b, const char *name, const char *value)
{
    struct span theirs = label_builder_get(b, span_str(name));
    if (theirs.len) {
        char exported[64];
        snprintf(exported, sizeof exported, "exported_%s", name);
        label_builder_set(b, span_str(exported), theirs);
    }
    label_builder_set(b, span_str(name), span_str(value));
}

static int on_page_sample(void *ctx, const struct exposition_sample *s)
{
    struct page_ctx *p = ctx;
    struct label_builder b;
    struct labels labels;
    char value[NUMBER_TEXT_MAX];
    arena_reset(&p->arena);
    label_builder_init(&b, &p->arena);
    label_builder_from(&b, &s->labels);
    add_target_label(&b, "instance", p->instance);
    add_target_label(&b, "job", p->job);
    check_ok(label_builder_finish(&b, &labels));
    size_t n = format_f64(value, s->value);
    add_line(p->lines, &labels, span_of(value, n), s->has_time ? s->t_ms : -1);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct sample_line *)a)->text, ((const struct sample_line *)b)->text);
}

void sample_lines_from_page(struct sample_lines *lines, enum exposition_format format, struct span page,
                            const char *job, const char *instance)
{
    struct page_ctx p = {.lines = lines, .job = job, .instance = instance};
    struct exposition_events events = {.ctx = &p, .sample = on_page_sample};
    struct parse_error error = {0};
    arena_init(&p.arena, 1 << 20);
    if (exposition_parse(format, page, &events, &error) < 0)
        check_failed("the page of %s: %u:%u: %s", job, error.line, error.column, error.text);
    arena_done(&p.arena);
}

static bool is_the_agents(const char *name)
{
    static const char *const NAMES[] = {"up",
                                        "scrape_duration_seconds",
                                        "scrape_samples_scraped",
                                        "scrape_samples_post_metric_relabeling",
                                        "scrape_series_added",
                                        "crest_agent_target_info"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcmp(NAMES[i], name) == 0)
            return true;
    return false;
}

static void add_point(struct sample_lines *lines, const struct labels *labels, const json_t *point, int64_t min_ms,
                      int64_t max_ms)
{
    int64_t t_ms = (int64_t)(json_number_value(json_array_get(point, 0)) * 1000 + 0.5);
    if (t_ms >= min_ms && t_ms <= max_ms)
        add_line(lines, labels, span_str(json_string_value(json_array_get(point, 1))), t_ms);
}

void sample_lines_from_result(struct sample_lines *lines, const json_t *result, int64_t min_ms, int64_t max_ms)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < json_array_size(result); i++) {
        const json_t *series = json_array_get(result, i), *metric = json_object_get(series, "metric"),
                     *values = json_object_get(series, "values");
        const char *name = json_string_value(json_object_get(metric, "__name__"));
        struct label_builder b;
        struct labels labels;
        const char *key;
        json_t *value;
        if (name && is_the_agents(name))
            continue;
        arena_reset(&arena);
        label_builder_init(&b, &arena);
        json_object_foreach((json_t *)metric, key, value)
            label_builder_set(&b, span_str(key), span_str(json_string_value(value)));
        check_ok(label_builder_finish(&b, &labels));
        if (!values)
            add_point(lines, &labels, json_object_get(series, "value"), min_ms, max_ms);
        for (size_t k = 0; k < json_array_size(values); k++)
            add_point(lines, &labels, json_array_get(values, k), min_ms, max_ms);
    }
    arena_done(&arena);
}

void sample_lines_check_equal(struct sample_lines *expected, struct sample_lines *got, const char *what)
{
    qsort(expected->list, expected->n, sizeof *expected->list, by_text);
    qsort(got->list, got->n, sizeof *got->list, by_text);
    for (size_t i = 0; i < expected->n || i < got->n; i++) {
        const char *e = i < expected->n ? expected->list[i].text : NULL, *g = i < got->n ? got->list[i].text : NULL;
        if (!e || !g || strcmp(e, g) != 0)
            check_failed("%s: %zu samples expected, %zu told; the first that differs:\n  expected %s\n  told     %s",
                         what, expected->n, got->n, e ? e : "(none)", g ? g : "(none)");
    }
}

void sample_lines_done(struct sample_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->list[i].text);
    free(lines->list);
    *lines = (struct sample_lines){0};
}
