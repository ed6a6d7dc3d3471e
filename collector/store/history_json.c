/* The JSON of Prometheus's HTTP API: names, metadata, and the matrix of a range selector. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/store/history_inside.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

#define NAMES_ARENA_BYTES (256u << 20)

void history_selector(struct buf *out, const struct store_selection *selection, struct span name)
{
    struct matcher by_name = {.type = MATCH_EQUAL, .name = SPAN("__name__"), .value = name};
    buf_char(out, '{');
    if (name.len)
        matcher_format(out, &by_name);
    for (size_t i = 0; selection && i < selection->n_matchers; i++) {
        if (i || name.len)
            buf_char(out, ',');
        matcher_format(out, &selection->matchers[i]);
    }
    buf_char(out, '}');
}

/* The answer's "data"; the caller json_decref()s *ret_root. */
static int read_data(struct span body, json_t **ret_root, json_t **ret_data, char *why, size_t why_bytes)
{
    struct parse_error error = {0};
    json_t *root = json_read(body, &error);
    const char *status = json_string_value(json_object_get(root, "status"));
    if (root && status && strcmp(status, "success") == 0 && (*ret_data = json_object_get(root, "data"))) {
        *ret_root = root;
        return 0;
    }
    (void)snprintf(why, why_bytes, "the answer is not of Prometheus's API: %s", root ? "no data" : error.text);
    json_decref(root);
    return -EBADMSG;
}

static struct span text_of(const json_t *v)
{
    return span_of(json_string_value(v), json_string_length(v));
}

/* ---- names ---- */
static int by_text(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

int history_read_names(struct span body, struct history_names *ret, char *why, size_t why_bytes)
{
    json_t *root, *data, *name;
    size_t i;
    bool ok = true;
    int r = read_data(body, &root, &data, why, why_bytes);
    if (r < 0)
        return r;
    struct history_names names = {0};
    arena_init(&names.arena, NAMES_ARENA_BYTES);
    names.list = arena_array(&names.arena, json_array_size(data), sizeof *names.list);
    ok = names.list != NULL;
    json_array_foreach(data, i, name)
    {
        struct span text = text_of(name);
        if (ok && text.len && text.len <= LABEL_VALUE_BYTES_MAX)
            names.list[names.n++] = arena_span(&names.arena, text, &ok);
    }
    if (!json_is_array(data)) {
        (void)snprintf(why, why_bytes, "the answer is not of Prometheus's API: no list of names");
        r = -EBADMSG;
    } else if (!ok) {
        r = -ENOMEM;
    }
    json_decref(root);
    if (r < 0) {
        history_names_done(&names);
        return r;
    }
    if (names.n)
        qsort(names.list, names.n, sizeof *names.list, by_text);
    *ret = names;
    return 0;
}

void history_names_done(struct history_names *names)
{
    arena_done(&names->arena);
    names->list = NULL;
    names->n = 0;
}

/* ---- metadata ---- */
static bool has_name(const struct history_names *names, struct span family)
{
    static const char *const SUFFIXES[] = {"", "_total", "_bucket", "_count", "_sum", "_info", "_created"};
    char text[LABEL_NAME_BYTES_MAX];
    for (size_t i = 0; names->n && i < ARRAY_LEN(SUFFIXES); i++) {
        int n = snprintf(text, sizeof text, SPAN_FMT "%s", SPAN_ARG(family), SUFFIXES[i]);
        struct span wanted = span_of(text, (size_t)n);
        if (n > 0 && (size_t)n < sizeof text && bsearch(&wanted, names->list, names->n, sizeof wanted, by_text))
            return true;
    }
    return false;
}

int history_read_metadata(struct span body, const struct history_names *names, struct write_request **ret, char *why,
                          size_t why_bytes)
{
    json_t *root, *data, *list;
    const char *family;
    bool ok = true;
    int r = read_data(body, &root, &data, why, why_bytes);
    if (r < 0)
        return r;
    struct write_request *w = write_request_new(WRITE_REQUEST_BYTES_MAX);
    if (w)
        w->metadata = arena_array(&w->arena, json_object_size(data), sizeof *w->metadata);
    ok = w && w->metadata;
    json_object_foreach(data, family, list)
    {
        json_t *first = json_array_get(list, 0);
        struct metadata m = {.name = span_str(family)};
        if (!ok || !first || !has_name(names, m.name) || w->n_metadata == FAMILIES_MAX)
            continue;
        if (!metric_type_parse(text_of(json_object_get(first, "type")), &m.type))
            m.type = METRIC_TYPE_UNKNOWN;
        m.name = arena_span(&w->arena, m.name, &ok);
        m.unit = arena_span(&w->arena, text_of(json_object_get(first, "unit")), &ok);
        m.help = arena_span(&w->arena, text_of(json_object_get(first, "help")), &ok);
        if (ok)
            w->metadata[w->n_metadata++] = m;
    }
    json_decref(root);
    if (!ok) {
        write_request_free(w);
        return -ENOMEM;
    }
    *ret = w;
    return 0;
}

/* ---- a matrix ---- */
static int read_labels(struct write_request *w, json_t *metric, struct labels *ret)
{
    const char *name;
    json_t *value;
    struct label_builder b;
    label_builder_init(&b, &w->arena);
    json_object_foreach(metric, name, value) label_builder_set(&b, span_str(name), text_of(value));
    return label_builder_finish(&b, ret);
}

/* [1732233600.123, "1.5"] */
static bool read_pair(const json_t *pair, struct sample *ret)
{
    const json_t *t = json_array_get(pair, 0);
    double ms = json_is_number(t) ? json_number_value(t) * 1000 : NAN;
    if (!(fabs(ms) < 9e15))
        return false;
    ret->t_ms = (int64_t)llround(ms);
    int r = parse_f64_span(text_of(json_array_get(pair, 1)), &ret->value);
    return r == 0;
}

static int read_series(struct history_answer *a, json_t *series, const struct history_window *w)
{
    struct write_request *request = a->request;
    struct write_series *s = &request->series[request->n_series];
    json_t *values = json_object_get(series, "values"), *pair;
    size_t i;
    const char *why;
    *s = (struct write_series){0};
    int r = read_labels(request, json_object_get(series, "metric"), &s->labels);
    if (r < 0)
        return r;
    s->samples = arena_array(&request->arena, json_array_size(values), sizeof *s->samples);
    if (!s->samples)
        return -EFBIG;
    json_array_foreach(values, i, pair)
    {
        struct sample sample = {0};
        if (!read_pair(pair, &sample))
            return -EBADMSG;
        if (sample.t_ms >= w->from_ms && sample.t_ms <= w->to_ms)
            s->samples[s->n_samples++] = sample;
    }
    size_t n;
    json_array_foreach(json_object_get(series, "histograms"), n, pair)
    {
        double ms = json_number_value(json_array_get(pair, 0)) * 1000;
        a->skipped_histograms += ms >= (double)w->from_ms && ms <= (double)w->to_ms;
    }
    if (labels_check(&s->labels, &why) < 0) {
        a->refused += s->n_samples;
        if (!a->refusal[0])
            (void)snprintf(a->refusal, sizeof a->refusal, "%s", why);
        return 0;
    }
    a->samples += s->n_samples;
    request->n_series += s->n_samples > 0;
    return 0;
}

int history_read_matrix(struct span body, const struct history_window *w, struct history_answer *ret, char *why,
                        size_t why_bytes)
{
    json_t *root, *data, *result, *series;
    struct history_answer a = {0};
    size_t i;
    int r = read_data(body, &root, &data, why, why_bytes);
    if (r < 0)
        return r;
    const char *type = json_string_value(json_object_get(data, "resultType"));
    result = json_object_get(data, "result");
    if (!type || strcmp(type, "matrix") != 0 || !json_is_array(result))
        r = -EBADMSG;
    else if (!(a.request = write_request_new(WRITE_REQUEST_BYTES_MAX)))
        r = -ENOMEM;
    else if (!(a.request->series = arena_array(&a.request->arena, json_array_size(result), sizeof *a.request->series)))
        r = -EFBIG;
    json_array_foreach(result, i, series)
    {
        if (r == 0)
            r = read_series(&a, series, w);
    }
    json_decref(root);
    if (r < 0) {
        (void)snprintf(why, why_bytes, r == -EBADMSG ? "the answer is no matrix of samples" : "an answer is too large");
        write_request_free(a.request);
        return r == -E2BIG ? -EBADMSG : r;
    }
    *ret = a;
    return 0;
}
