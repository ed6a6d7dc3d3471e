#include "loadgen/compare/saved_run.h"

#include <errno.h>
#include <math.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/wire/json.h"

static const char *const QUANTILES[SAVED_QUANTILES] = {"p50", "p95", "p99"};

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static double number_or_0(const json_t *object, const char *key)
{
    double v = number(object, key);
    return isfinite(v) && v > 0 ? v : 0;
}

MUST_USE static int text(const json_t *object, const char *key, char **ret)
{
    const json_t *v = json_object_get(object, key);
    *ret = strdup(json_is_string(v) ? json_string_value(v) : "");
    return *ret ? 0 : -ENOMEM;
}

/* Does the point belong to a warm-up? Its figures are in no other one. */
static bool is_warmup(const json_t *phases, double second)
{
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *p = json_array_get(phases, i);
        if (json_is_true(json_object_get(p, "warmup")) && second >= number(p, "start_s") && second < number(p, "end_s"))
            return true;
    }
    return false;
}

MUST_USE static int read_points(const json_t *root, const json_t *step, struct saved_step *to)
{
    const json_t *series = json_object_get(root, "series"), *phases = json_object_get(root, "phases"),
                 *points = json_object_get(step, "points_us");
    size_t n = json_array_size(series);
    for (size_t q = 0; q < SAVED_QUANTILES; q++) {
        to->points[q] = calloc(n ? n : 1, sizeof *to->points[q]);
        if (!to->points[q])
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        double at[SAVED_QUANTILES];
        bool whole = !is_warmup(phases, number(json_array_get(series, i), "second"));
        for (size_t q = 0; q < SAVED_QUANTILES; q++) {
            const json_t *v = json_array_get(json_object_get(points, QUANTILES[q]), i);
            at[q] = json_is_number(v) ? json_number_value(v) : NAN;
            whole &= isfinite(at[q]);
        }
        for (size_t q = 0; q < SAVED_QUANTILES && whole; q++)
            to->points[q][to->n_points] = at[q];
        to->n_points += whole;
    }
    return 0;
}

MUST_USE static int read_step(const json_t *root, const json_t *step, struct saved_step *to)
{
    int r = text(step, "journey", &to->journey);
    if (r == 0)
        r = text(step, "name", &to->name);
    to->count = number_or_0(step, "count");
    to->failed = to->count - number_or_0(json_object_get(step, "outcomes"), "ok");
    for (size_t q = 0; q < SAVED_QUANTILES; q++)
        to->response_us[q] = number(json_object_get(step, "response_us"), QUANTILES[q]);
    return r == 0 ? read_points(root, step, to) : r;
}

/* Names are a step's identity; a run has each once. */
static bool has_step_twice(const struct saved_run *run)
{
    for (size_t i = 0; i < run->n_steps; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(run->steps[i].name, run->steps[k].name) == 0 &&
                strcmp(run->steps[i].journey, run->steps[k].journey) == 0)
                return true;
    return false;
}

MUST_USE static int read_run(const json_t *root, struct saved_run *run)
{
    const json_t *steps = json_object_get(root, "steps"), *requests = json_object_get(root, "requests");
    int r = text(root, "run", &run->run);
    if (r == 0)
        r = text(root, "started", &run->started);
    if (r == 0)
        r = text(root, "verdict", &run->verdict);
    run->duration_s = number_or_0(root, "duration_s");
    run->sessions_planned = number_or_0(json_object_get(root, "sessions"), "planned");
    if (run->duration_s > 0)
        run->requests_per_s = number_or_0(requests, "started") / run->duration_s;
    size_t n = json_array_size(steps);
    run->steps = calloc(n ? n : 1, sizeof *run->steps);
    if (!run->steps)
        return -ENOMEM;
    for (; run->n_steps < n && r == 0; run->n_steps++)
        r = read_step(root, json_array_get(steps, run->n_steps), &run->steps[run->n_steps]);
    return r;
}

int saved_run_read(struct span json, struct saved_run **ret, char *why, size_t why_bytes)
{
    struct parse_error error;
    json_t *root = json_read(json, &error);
    if (!root) {
        snprintf(why, why_bytes, "%u:%u: %s", error.line, error.column, error.text);
        return -EINVAL;
    }
    if (json_array_size(json_object_get(root, "steps")) > JOURNEY_STEPS_MAX ||
        json_array_size(json_object_get(root, "series")) > 2 * RUN_SERIES_POINTS_MAX) {
        snprintf(why, why_bytes, "it has more steps or seconds than a run");
        json_decref(root);
        return -EINVAL;
    }
    if (!json_is_string(json_object_get(root, "verdict")) || !json_is_array(json_object_get(root, "steps"))) {
        snprintf(why, why_bytes, "it has no verdict and no steps: is it what run --json wrote?");
        json_decref(root);
        return -EINVAL;
    }
    struct saved_run *run = calloc(1, sizeof *run);
    int r = run ? read_run(root, run) : -ENOMEM;
    json_decref(root);
    const char *wrong = r < 0 ? strerror(-r) : has_step_twice(run) ? "a step of a journey stands in it twice" : NULL;
    if (wrong) {
        saved_run_free(run);
        snprintf(why, why_bytes, "%s", wrong);
        return r < 0 ? r : -EINVAL;
    }
    *ret = run;
    return 0;
}

int saved_run_load(const char *path, struct saved_run **ret, char *why, size_t why_bytes)
{
    char *data = NULL;
    size_t n = 0;
    int r = file_read(path, RESULT_BYTES_MAX, &data, &n);
    if (r < 0)
        snprintf(why, why_bytes, "%s", strerror(-r));
    else
        r = saved_run_read(span_of(data, n), ret, why, why_bytes);
    free(data);
    return r;
}

void saved_run_free(struct saved_run *run)
{
    if (!run)
        return;
    for (size_t i = 0; i < run->n_steps; i++) {
        free(run->steps[i].journey);
        free(run->steps[i].name);
        for (size_t q = 0; q < SAVED_QUANTILES; q++)
            free(run->steps[i].points[q]);
    }
    free(run->steps);
    free(run->run);
    free(run->started);
    free(run->verdict);
    free(run);
}
