#include "loadgen/engine/journeys.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"

#define FEED_SEED 1 /* a shuffled feed has one order, run after run */

struct journey_shared_feed {
    struct journey_shared_feed *next;
    const char *path;
    enum hurl_feed_mode mode;
    double exponent;
    struct feed *feed;
};

MUST_USE static int load_file(const char *path, bool as_hurl, struct hurl_file **ret, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    bool stdin_read = as_hurl && strcmp(path, "-") == 0;
    int r = file_read(stdin_read ? "/dev/stdin" : path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return -EINVAL;
    }
    struct hurl_file *f = NULL;
    r = hurl_parse(path, span_of(text, n), &f, problems);
    if (r < 0)
        return r;
    bool ok = true;
    if (as_hurl)
        f->source = arena_span(&f->arena, span_of(text, n), &ok);
    r = !ok ? -ENOMEM : as_hurl ? hurl_check_as_hurl(f, problems) : hurl_check(f, problems);
    if (r < 0)
        hurl_file_free(f);
    else
        *ret = f;
    return r;
}

static bool name_taken(const struct journeys *js, const char *name)
{
    for (size_t i = 0; i < js->n; i++)
        if (strcmp(js->list[i].name, name) == 0)
            return true;
    return false;
}

/* The step of that name in this journey, made when new. */
MUST_USE static int step_for(struct journeys *js, size_t first, const struct journey *j, const struct hurl_entry *e,
                             size_t *ret)
{
    for (size_t i = first; i < js->n_steps; i++)
        if (span_equal(js->steps[i].name, e->step)) {
            *ret = i;
            if (!js->steps[i].n_slos && e->n_slos) {
                js->steps[i].slos = e->slos;
                js->steps[i].n_slos = e->n_slos;
            }
            return 0;
        }
    if (js->n_steps >= JOURNEY_STEPS_MAX)
        return -E2BIG;
    js->steps[js->n_steps] = (struct journey_step){j->name, (size_t)(j - js->list), e->step, e->slos, e->n_slos};
    *ret = js->n_steps++;
    return 0;
}

/* ---- feeds ---- */

MUST_USE static int shared_feed(struct journeys *js, const struct plan_feed *wanted, struct feed **ret,
                                struct problems *problems)
{
    for (struct journey_shared_feed *f = js->feeds; f; f = f->next)
        if (strcmp(f->path, wanted->path) == 0 && f->mode == wanted->mode &&
            (f->mode != HURL_FEED_ZIPF || f->exponent == wanted->exponent)) {
            *ret = f->feed;
            return 0;
        }
    struct journey_shared_feed *f = arena_alloc(&js->arena, sizeof *f);
    if (!f)
        return -ENOMEM;
    *f = (struct journey_shared_feed){.next = js->feeds,
                                      .path = arena_dup(&js->arena, span_str(wanted->path)),
                                      .mode = wanted->mode,
                                      .exponent = wanted->exponent};
    if (!f->path)
        return -ENOMEM;
    int r = feed_load(f->path, f->mode, f->exponent, FEED_SEED, &f->feed, problems);
    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    js->feeds = f;
    *ret = f->feed;
    return 0;
}

/* `always`: also when the file uses none of its columns. */
MUST_USE static int attach_feed(struct journeys *js, struct journey *j, struct feed *feed, bool always)
{
    struct journey_feed *kept = &j->feeds[j->n_feeds];
    uint32_t *slots = arena_array(&js->arena, feed_columns(feed), sizeof *slots);
    if (!slots)
        return -ENOMEM;
    bool used = always;
    for (size_t i = 0; i < feed_columns(feed); i++) {
        slots[i] = (uint32_t)hurl_slot_of(j->file, feed_column(feed, i));
        used |= slots[i] != UINT32_MAX;
    }
    if (used) {
        *kept = (struct journey_feed){feed, slots};
        j->n_feeds++;
    }
    return 0;
}

MUST_USE static int load_feeds(struct journeys *js, struct journey *j, const struct plan_feed *plans, size_t n_plans,
                               struct problems *problems)
{
    const struct hurl_file *f = j->file;
    struct feed *feed;
    j->feeds = arena_array(&js->arena, f->n_feeds + n_plans, sizeof *j->feeds);
    if (!j->feeds)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < n_plans && r == 0; i++) {
        r = shared_feed(js, &plans[i], &feed, problems);
        if (r == 0)
            r = attach_feed(js, j, feed, false);
    }
    for (size_t i = 0; i < f->n_feeds && r == 0; i++) {
        AUTO_FREE char *path = path_beside(f->name, f->feeds[i].file.ptr);
        if (!path)
            return -ENOMEM;
        r = shared_feed(js, &(struct plan_feed){path, f->feeds[i].mode, f->feeds[i].exponent}, &feed, problems);
        if (r == 0)
            r = attach_feed(js, j, feed, true);
    }
    return r;
}

/* ---- recorded think times: one a line, in seconds (2.5) or as a duration (2s500ms) ---- */

MUST_USE static int read_time(struct span text, int64_t *ret_us)
{
    double seconds;
    int64_t ms;
    if (parse_f64_span(text, &seconds) == 0 && seconds >= 0 && seconds <= 86400) {
        *ret_us = (int64_t)(seconds * 1e6);
        return 0;
    }
    if (parse_duration_ms(text, &ms) < 0 || ms < 0 || ms > 86400000)
        return -EINVAL;
    *ret_us = ms * 1000;
    return 0;
}

MUST_USE static int read_times(struct hurl_file *f, struct hurl_think *t, const char *path, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, f->name, t->at.line, t->at.column, "%s cannot be read: %s", path,
                    strerror(-r));
        return -EINVAL;
    }
    struct span rest = span_of(text, n), line;
    size_t lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    t->times_us = arena_array(&f->arena, lines, sizeof *t->times_us);
    if (!t->times_us)
        return -ENOMEM;
    for (uint32_t number = 1; span_cut(&rest, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (read_time(line, &t->times_us[t->n_times]) < 0) {
            problem_add(problems, PROBLEM_ERROR, path, number, 1, "expected seconds (2.5) or a duration (2s500ms)");
            return -EINVAL;
        }
        t->n_times++;
    }
    if (t->n_times)
        return 0;
    problem_add(problems, PROBLEM_ERROR, path, 0, 0, "no think time stands in it");
    return -EINVAL;
}

MUST_USE static int load_think_times(struct hurl_file *f, struct problems *problems)
{
    for (size_t i = 0; i < f->n_entries; i++) {
        struct hurl_think *t = &f->entries[i].think;
        if (t->kind != HURL_THINK_RECORDED || t->n_times)
            continue;
        AUTO_FREE char *path = path_beside(f->name, t->file.ptr);
        if (!path)
            return -ENOMEM;
        int r = read_times(f, t, path, problems);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- journeys ---- */

MUST_USE static int add_journey(struct journeys *js, struct hurl_file *f, double weight, const struct plan_feed *feeds,
                                size_t n_feeds, struct problems *problems)
{
    struct journey *j = &js->list[js->n];
    *j = (struct journey){.file = f,
                          .name = f->journey,
                          .weight = weight < 0 ? f->weight : weight,
                          .weighed = weight >= 0 || f->weight_at.line > 0};
    for (unsigned i = 2; name_taken(js, j->name); i++) {
        j->name = arena_printf(&js->arena, "%s-%u", f->journey, i);
        if (!j->name) {
            hurl_file_free(f);
            return -ENOMEM;
        }
    }
    js->n++; /* from here on journeys_free frees it */
    j->step_of = arena_array(&js->arena, f->n_entries, sizeof *j->step_of);
    j->values = arena_array(&js->arena, f->n_variables + 1, sizeof *j->values);
    if (!j->step_of || !j->values)
        return -ENOMEM;
    size_t first = js->n_steps;
    for (size_t i = 0; i < f->n_entries; i++) {
        int r = step_for(js, first, j, &f->entries[i], &j->step_of[i]);
        if (r == -E2BIG) {
            struct hurl_place at = f->entries[i].request.at;
            problem_add(problems, PROBLEM_ERROR, f->name, at.line, at.column,
                        "more than %u steps in all journeys together", JOURNEY_STEPS_MAX);
            return -EINVAL;
        }
    }
    int r = load_think_times(f, problems);
    return r < 0 ? r : load_feeds(js, j, feeds, n_feeds, problems);
}

int journeys_load(const char *const *paths, size_t n, struct journeys **ret, struct problems *problems)
{
    AUTO_FREE struct journey_spec *specs = calloc(n ? n : 1, sizeof *specs);
    if (!specs)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        specs[i] = (struct journey_spec){paths[i], -1};
    return journeys_load_specs(specs, n, NULL, 0, ret, problems);
}

int journeys_load_specs(const struct journey_spec *specs, size_t n, const struct plan_feed *feeds, size_t n_feeds,
                        struct journeys **ret, struct problems *problems)
{
    if (n == 0 || n > JOURNEYS_MAX) {
        problem_add(problems, PROBLEM_ERROR, "", 0, 0, "1 to %u journeys make a run", JOURNEYS_MAX);
        return -EINVAL;
    }
    struct journeys *js = calloc(1, sizeof *js);
    if (!js)
        return -ENOMEM;
    arena_init(&js->arena, 256u << 20);
    js->list = arena_array(&js->arena, n, sizeof *js->list);
    js->steps = arena_array(&js->arena, JOURNEY_STEPS_MAX, sizeof *js->steps);
    int result = js->list && js->steps ? 0 : -ENOMEM;
    for (size_t i = 0; i < n && result != -ENOMEM; i++) {
        struct hurl_file *f = NULL;
        int r = load_file(specs[i].path, specs[i].as_hurl, &f, problems);
        if (r == 0)
            r = add_journey(js, f, specs[i].weight, feeds, n_feeds, problems);
        if (r < 0)
            result = r;
    }
    if (result < 0)
        journeys_free(js);
    else
        *ret = js;
    return result;
}

void journeys_free(struct journeys *js)
{
    if (!js)
        return;
    for (size_t i = 0; i < js->n; i++) {
        hurl_file_free(js->list[i].file);
    }
    for (struct journey_shared_feed *f = js->feeds; f; f = f->next)
        feed_free(f->feed);
    secrets_done(&js->secrets);
    arena_done(&js->arena);
    free(js);
}

int journeys_set(struct journeys *js, struct span name, struct hurl_value value)
{
    int used = 0;
    for (size_t i = 0; i < js->n; i++) {
        int slot = hurl_slot_of(js->list[i].file, name);
        if (slot < 0)
            continue;
        if (hurl_value_keep(&js->arena, &value, &js->list[i].values[slot]) < 0)
            return -ENOMEM;
        used = 1;
    }
    return used;
}

int journeys_set_secret(struct journeys *js, struct span name, struct span value)
{
    int r = secrets_add(&js->secrets, value);
    return r < 0 ? r : journeys_set(js, name, hurl_value_text(value));
}

int journeys_note_given(struct journeys *js, struct span text, bool secret)
{
    struct journey_given **last = &js->given, *g = arena_alloc(&js->arena, sizeof *g);
    const char *kept = arena_dup(&js->arena, text);
    if (!g || !kept)
        return -ENOMEM;
    while (*last)
        last = &(*last)->next;
    *g = (struct journey_given){.text = span_of(kept, text.len), .secret = secret};
    *last = g;
    return 0;
}

const char *journeys_feed_path(const struct journeys *js, size_t i)
{
    const struct journey_shared_feed *f = js->feeds;
    while (f && i--)
        f = f->next;
    return f ? f->path : NULL;
}

int journeys_complete(struct journeys *js, struct problems *problems)
{
    int result = 0;
    double weight_sum = 0;
    for (size_t i = 0; i < js->n; i++) {
        struct journey *j = &js->list[i];
        weight_sum += j->weight;
        bool *known = calloc(j->file->n_variables + 1, sizeof *known);
        if (!known)
            return -ENOMEM;
        for (size_t k = 0; k < j->file->n_variables; k++)
            known[k] = j->values[k].kind != HURL_VALUE_NONE;
        for (size_t k = 0; k < j->n_feeds; k++)
            for (size_t c = 0; c < feed_columns(j->feeds[k].feed); c++)
                if (j->feeds[k].slots[c] != UINT32_MAX)
                    known[j->feeds[k].slots[c]] = true;
        if (hurl_check_variables(j->file, known, problems))
            result = -EINVAL;
        free(known);
    }
    if (!(weight_sum > 0)) {
        problem_add(problems, PROBLEM_ERROR, js->list[0].file->name, js->list[0].file->weight_at.line,
                    js->list[0].file->weight_at.column, "every journey has @weight 0: nothing would run");
        result = -EINVAL;
    }
    return result;
}

void journeys_segment(struct journeys *js, unsigned segment, unsigned segments)
{
    for (struct journey_shared_feed *f = js->feeds; f; f = f->next)
        feed_segment(f->feed, segment, segments);
}

const struct journey *journeys_pick(const struct journeys *js, size_t first, size_t n, struct rng *rng)
{
    if (n == 1)
        return &js->list[first];
    double sum = 0;
    for (size_t i = first; i < first + n; i++)
        sum += js->list[i].weight;
    double at = rng_unit(rng) * sum;
    const struct journey *last = &js->list[first];
    for (size_t i = first; i < first + n; i++) {
        double weight = js->list[i].weight;
        if (weight > 0)
            last = &js->list[i];
        if (weight > 0 && at < weight)
            break;
        at -= weight;
    }
    return last;
}
