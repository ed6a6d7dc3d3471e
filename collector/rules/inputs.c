/* What a fast group reads, followed through the rules that write it: a commit of something else is no reason to run it, and its one run in
 * the interval would be spent before its own samples are there. */
#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/limits.h"

struct follow {
    const struct rule_set *set;
    struct strmap recorded; /* metric name -> first of its rules, a struct recording */
    struct strmap seen;
    struct span *names; /* to look at, and those looked at before `done` */
    size_t n, cap, done;
    bool any;
};
struct recording {
    const struct rule_def *rule;
    struct recording *next; /* another rule of the same name */
};

MUST_USE static int add_names(struct follow *f, const struct rule_def *rule)
{
    f->any = f->any || rule->reads_any;
    for (size_t i = 0; i < rule->n_reads; i++) {
        if (strmap_has(&f->seen, rule->reads[i]))
            continue;
        if (f->n == f->cap) {
            size_t cap = f->cap ? f->cap * 2 : 64;
            struct span *names = reallocarray(f->names, cap, sizeof *names);
            if (!names)
                return -ENOMEM;
            f->names = names;
            f->cap = cap;
        }
        int r = strmap_put(&f->seen, rule->reads[i], NULL);
        if (r < 0)
            return r;
        f->names[f->n++] = rule->reads[i];
    }
    return 0;
}

MUST_USE static int find_inputs(struct follow *f, struct arena *arena, struct group_def *g)
{
    int r = 0;
    for (size_t i = 0; i < g->n_rules && r == 0; i++)
        r = add_names(f, &g->rules[i]);
    size_t kept = 0;
    for (; r == 0 && f->done < f->n && !f->any; f->done++) {
        struct span name = f->names[f->done];
        const struct recording *by = strmap_get(&f->recorded, name);
        if (!by && !span_equal(name, SPAN("ALERTS")) && !span_equal(name, SPAN("ALERTS_FOR_STATE")))
            f->names[kept++] = name;
        for (; by && r == 0; by = by->next)
            r = add_names(f, by->rule);
    }
    if (r < 0 || f->any || kept == 0)
        return r;
    g->inputs = arena_array(arena, kept, sizeof *g->inputs);
    if (!g->inputs)
        return -ENOMEM;
    memcpy(g->inputs, f->names, kept * sizeof *g->inputs);
    g->n_inputs = kept;
    return 0;
}

MUST_USE static int map_recordings(const struct rule_set *set, struct recording *list, struct strmap *map)
{
    size_t n = 0;
    for (size_t g = 0; g < set->n_groups; g++)
        for (size_t i = 0; i < set->groups[g].n_rules; i++) {
            const struct rule_def *rule = &set->groups[g].rules[i];
            if (rule->kind != RULE_RECORD)
                continue;
            list[n] = (struct recording){rule, strmap_get(map, rule->name)};
            int r = strmap_put(map, rule->name, &list[n++]);
            if (r < 0)
                return r;
        }
    return 0;
}

int rule_set_find_inputs(struct rule_set *set)
{
    struct recording *list = calloc(set->n_rules + 1, sizeof *list);
    struct strmap recorded;
    strmap_init(&recorded, set->n_rules + 1);
    int r = list ? map_recordings(set, list, &recorded) : -ENOMEM;
    for (size_t g = 0; g < set->n_groups && r == 0; g++) {
        if (set->groups[g].interval_ms > SCHEDULE_FAST_MS)
            continue;
        struct follow f = {.set = set, .recorded = recorded};
        strmap_init(&f.seen, RULE_INPUTS_MAX);
        r = find_inputs(&f, &set->arena, &set->groups[g]);
        if (r == -ENOSPC)
            r = 0; /* it reads so much that any commit will do */
        strmap_done(&f.seen);
        free(f.names);
    }
    strmap_done(&recorded);
    free(list);
    return r;
}

int rules_watch_inputs(struct rules *ru, struct rule_set *set)
{
    for (size_t g = 0; ru->config.store && g < set->n_groups; g++) {
        struct group_def *def = &set->groups[g];
        if (def->n_inputs == 0)
            continue;
        def->watched = arena_array(&set->arena, def->n_inputs, sizeof *def->watched);
        int r = def->watched ? store_watch(ru->config.store, def->inputs, def->n_inputs, def->watched) : -ENOMEM;
        if (r < 0)
            return r;
        for (size_t i = 0; i < def->n_inputs; i++)
            if (def->watched[i] == UINT32_MAX)
                def->n_inputs = 0;
    }
    return 0;
}

int64_t rules_newest_input_ms(const struct rules *ru, const struct group_def *def)
{
    int64_t newest_ms = TIME_NONE;
    if (def->n_inputs == 0 || !def->watched)
        return atomic_load(&ru->newest_ms);
    for (size_t i = 0; i < def->n_inputs; i++) {
        int64_t t_ms = atomic_load_explicit(&ru->input_ms[def->watched[i]], memory_order_relaxed);
        newest_ms = t_ms > newest_ms ? t_ms : newest_ms;
    }
    return newest_ms;
}

/* Samples far from now are history, a backlog or a wrong clock; older ones than known come late, unless the clock was stepped back since. */
static bool take(atomic_int_least64_t *at, int64_t t_ms, int64_t now_ms)
{
    int64_t before_ms = atomic_load_explicit(at, memory_order_relaxed);
    if (t_ms < now_ms - RULES_NEAR_NOW_MS || t_ms > now_ms + RULES_NEAR_NOW_MS)
        return false;
    if (t_ms <= before_ms && before_ms <= now_ms + RULES_NEAR_NOW_MS)
        return false;
    atomic_store_explicit(at, t_ms, memory_order_relaxed);
    return true;
}

bool rules_take_commit(struct rules *ru, const struct commit_info *info, int64_t now_ms)
{
    bool news = false;
    for (uint32_t i = 0; i < info->n_watched; i++)
        if (info->watched_ms[i] != INT64_MIN)
            news = take(&ru->input_ms[i], info->watched_ms[i], now_ms) || news;
    if (info->newest_ms == INT64_MIN)
        return news;
    return take(&ru->newest_ms, info->newest_ms, now_ms) || news;
}
