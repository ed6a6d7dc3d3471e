#include "loadgen/engine/journeys.h"

#include <errno.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "loadgen/hurl/check.h"
#include "loadgen/hurl/parse.h"

#define FEED_SEED 1 /* a shuffled feed has one order, run after run */

MUST_USE static int load_file(const char *path, struct hurl_file **ret, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, CONFIG_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return -EINVAL;
    }
    struct hurl_file *f = NULL;
    r = hurl_parse(path, span_of(text, n), &f, problems);
    if (r < 0)
        return r;
    r = hurl_check(f, problems);
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
    js->steps[js->n_steps] = (struct journey_step){j->name, e->step, e->slos, e->n_slos};
    *ret = js->n_steps++;
    return 0;
}

MUST_USE static int load_feed(struct journeys *js, struct journey *j, struct problems *problems)
{
    const struct hurl_feed *feed = &j->file->feed;
    if (feed->file.len == 0)
        return 0;
    AUTO_FREE char *path = path_beside(j->file->name, feed->file.ptr);
    if (!path)
        return -ENOMEM;
    int r = feed_load(path, feed->mode, FEED_SEED, &j->feed, problems);
    if (r < 0)
        return r;
    j->feed_slots = arena_array(&js->arena, feed_columns(j->feed), sizeof *j->feed_slots);
    if (!j->feed_slots)
        return -ENOMEM;
    for (size_t i = 0; i < feed_columns(j->feed); i++)
        j->feed_slots[i] = (uint32_t)hurl_slot_of(j->file, feed_column(j->feed, i));
    return 0;
}

MUST_USE static int add_journey(struct journeys *js, struct hurl_file *f, struct problems *problems)
{
    struct journey *j = &js->list[js->n];
    *j = (struct journey){.file = f, .name = f->journey};
    for (unsigned i = 2; name_taken(js, j->name); i++) {
        j->name = arena_printf(&js->arena, "%s-%u", f->journey, i);
        if (!j->name) {
            hurl_file_free(f);
            return -ENOMEM;
        }
    }
    js->n++; /* from here on journeys_free frees it */
    js->weight_sum += f->weight;
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
    return load_feed(js, j, problems);
}

int journeys_load(const char *const *paths, size_t n, struct journeys **ret, struct problems *problems)
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
        int r = load_file(paths[i], &f, problems);
        if (r == 0)
            r = add_journey(js, f, problems);
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
        feed_free(js->list[i].feed);
    }
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

int journeys_complete(struct journeys *js, struct problems *problems)
{
    int result = 0;
    for (size_t i = 0; i < js->n; i++) {
        struct journey *j = &js->list[i];
        bool *known = calloc(j->file->n_variables + 1, sizeof *known);
        if (!known)
            return -ENOMEM;
        for (size_t k = 0; k < j->file->n_variables; k++)
            known[k] = j->values[k].kind != HURL_VALUE_NONE;
        for (size_t k = 0; j->feed && k < feed_columns(j->feed); k++)
            if (j->feed_slots[k] != UINT32_MAX)
                known[j->feed_slots[k]] = true;
        if (hurl_check_variables(j->file, known, problems))
            result = -EINVAL;
        free(known);
    }
    if (!(js->weight_sum > 0)) {
        problem_add(problems, PROBLEM_ERROR, js->list[0].file->name, js->list[0].file->weight_at.line,
                    js->list[0].file->weight_at.column, "every journey has @weight 0: nothing would run");
        result = -EINVAL;
    }
    return result;
}

const struct journey *journeys_pick(const struct journeys *js, struct rng *rng)
{
    if (js->n == 1)
        return &js->list[0];
    double at = rng_unit(rng) * js->weight_sum;
    const struct journey *last = NULL;
    for (size_t i = 0; i < js->n; i++) {
        double weight = js->list[i].file->weight;
        if (weight > 0)
            last = &js->list[i];
        if (weight > 0 && at < weight)
            break;
        at -= weight;
    }
    return last;
}
