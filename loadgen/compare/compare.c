#include "loadgen/compare/compare.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "loadgen/compare/rank_test.h"

static const struct saved_step *find(const struct saved_run *run, const struct saved_step *step)
{
    for (size_t i = 0; i < run->n_steps; i++)
        if (strcmp(run->steps[i].name, step->name) == 0 && strcmp(run->steps[i].journey, step->journey) == 0)
            return &run->steps[i];
    return NULL;
}

const char *change_name(enum change c)
{
    static const char *const NAMES[] = {"within noise", "better", "worse", "unknown"};
    return NAMES[c];
}

static struct compared_value compare_quantile(const struct saved_step *old, const struct saved_step *now,
                                              enum saved_quantile q)
{
    struct compared_value v = {old ? old->response_us[q] : NAN, now ? now->response_us[q] : NAN, NAN, CHANGE_UNKNOWN};
    if (old && now)
        v.p = rank_test(old->points[q], old->n_points, now->points[q], now->n_points);
    return v;
}

static struct compared_value compare_failures(const struct saved_step *old, const struct saved_step *now)
{
    struct compared_value v = {NAN, NAN, NAN, CHANGE_UNKNOWN};
    if (old && old->count > 0)
        v.old = old->failed / old->count;
    if (now && now->count > 0)
        v.now = now->failed / now->count;
    if (old && now)
        v.p = share_test(old->failed, old->count, now->failed, now->count);
    return v;
}

/* Both a test and a size: with enough points any difference is significant, and few are worth a look. */
static void decide(struct compared_value *v, double error, double size_min)
{
    if (isnan(v->p) || isnan(v->old) || isnan(v->now))
        return;
    bool changed = v->p < error && fabs(v->now - v->old) > size_min;
    v->change = !changed ? CHANGE_NONE : v->now < v->old ? CHANGE_BETTER : CHANGE_WORSE;
}

static void decide_all(struct comparison *c)
{
    size_t tests = 0;
    for (size_t i = 0; i < c->n; i++) {
        tests += isnan(c->steps[i].failures.p) ? 0 : 1;
        for (size_t q = 0; q < SAVED_QUANTILES; q++)
            tests += isnan(c->steps[i].quantiles[q].p) ? 0 : 1;
    }
    double error = COMPARE_ERROR / (double)(tests ? tests : 1);
    for (size_t i = 0; i < c->n && !c->is_void; i++) {
        decide(&c->steps[i].failures, error, COMPARE_SHARE_MIN);
        for (size_t q = 0; q < SAVED_QUANTILES; q++)
            decide(&c->steps[i].quantiles[q], error, COMPARE_TIME_MIN * c->steps[i].quantiles[q].old);
    }
}

static void add(struct comparison *c, const struct saved_step *old, const struct saved_step *now)
{
    struct compared *s = &c->steps[c->n++];
    *s = (struct compared){.old = old, .now = now, .failures = compare_failures(old, now)};
    for (size_t q = 0; q < SAVED_QUANTILES; q++)
        s->quantiles[q] = compare_quantile(old, now, (enum saved_quantile)q);
}

int compare_runs(const struct saved_run *old, const struct saved_run *now, struct comparison **ret)
{
    struct comparison *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->old = old;
    c->now = now;
    c->is_void = strcmp(old->verdict, "void") == 0 || strcmp(now->verdict, "void") == 0;
    c->other_load = fabs(now->requests_per_s - old->requests_per_s) > COMPARE_LOAD_MAX * old->requests_per_s;
    c->steps = calloc(old->n_steps + now->n_steps + 1, sizeof *c->steps);
    if (!c->steps) {
        free(c);
        return -ENOMEM;
    }
    for (size_t i = 0; i < now->n_steps; i++)
        add(c, find(old, &now->steps[i]), &now->steps[i]);
    for (size_t i = 0; i < old->n_steps; i++)
        if (!find(now, &old->steps[i]))
            add(c, &old->steps[i], NULL);
    decide_all(c);
    *ret = c;
    return 0;
}

void compare_free(struct comparison *c)
{
    if (!c)
        return;
    free(c->steps);
    free(c);
}

size_t compare_count(const struct comparison *c, enum change change)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        n += c->steps[i].failures.change == change;
        for (size_t q = 0; q < SAVED_QUANTILES; q++)
            n += c->steps[i].quantiles[q].change == change;
    }
    return n;
}
