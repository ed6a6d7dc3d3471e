#include "collector/rules/rule_set.h"

#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"

#define SET_BYTES_MAX (1ul << 30) /* 100,000 rules of some KB each */
#define GROUPS_MAX 100000u

static void free_templates(struct template **list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        template_free(list[i]);
}

static void free_rules(struct group_def *groups, size_t n)
{
    for (size_t g = 0; g < n; g++)
        for (size_t i = 0; i < groups[g].n_rules; i++) {
            struct rule_def *def = &groups[g].rules[i];
            free_templates(def->label_templates, def->labels.n);
            free_templates(def->annotation_templates, def->annotations.n);
        }
}

void rule_set_free(struct rule_set *set)
{
    if (!set)
        return;
    free_rules(set->groups, set->n_groups);
    arena_done(&set->arena);
    free(set);
}

/* ---- files ---- */
struct paths {
    struct strmap seen;
    char **list;
    size_t n;
};

MUST_USE static int add_path(struct paths *p, const char *path)
{
    if (strmap_has(&p->seen, span_str(path)))
        return 0;
    char **more = reallocarray(p->list, p->n + 1, sizeof *more);
    if (!more)
        return -ENOMEM;
    p->list = more;
    if (!(p->list[p->n] = strdup(path)))
        return -ENOMEM;
    p->n++;
    return strmap_put(&p->seen, span_str(path), NULL);
}

MUST_USE static int add_pattern(struct paths *p, const char *pattern, struct problems *problems)
{
    struct file_list found;
    int r = file_glob(pattern, &found);
    if (r < 0)
        return r;
    for (size_t i = 0; i < found.n && r == 0; i++)
        r = add_path(p, found.paths[i]);
    if (r == 0 && found.n == 0) {
        if (strpbrk(pattern, "*?["))
            problem_add(problems, PROBLEM_WARNING, pattern, 0, 0, "no rule file matches this pattern");
        else
            r = add_path(p, pattern); /* reading it tells why it cannot be */
    }
    file_list_done(&found);
    return r;
}

static void paths_done(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->list[i]);
    free(p->list);
    strmap_done(&p->seen);
}

/* ---- keys ---- */
static void write_key(struct buf *out, const struct group_def *g, const struct rule_def *def)
{
    buf_span(out, g->file);
    buf_char(out, ';');
    buf_span(out, g->name);
    buf_str(out, def->kind == RULE_ALERT ? ";alert;" : ";record;");
    buf_span(out, def->name);
    labels_format(out, &def->labels);
}

/* Equal rules of one group get #1, #2, … behind, in their order. */
MUST_USE static int set_keys(struct rule_set *set, const struct group_def *g, struct strmap *seen)
{
    struct buf key;
    buf_init(&key, 1 << 20);
    int r = 0;
    for (size_t i = 0; i < g->n_rules && r == 0; i++) {
        buf_clear(&key);
        write_key(&key, g, &g->rules[i]);
        if (buf_error(&key) < 0) {
            r = buf_error(&key);
            break;
        }
        uintptr_t before = (uintptr_t)strmap_get(seen, buf_view(&key));
        r = strmap_put(seen, buf_view(&key), (void *)(before + 1));
        if (before)
            buf_printf(&key, "#%zu", (size_t)before);
        bool ok = true;
        g->rules[i].key = arena_span(&set->arena, buf_view(&key), &ok);
        if (r == 0 && (!ok || buf_error(&key) < 0))
            r = -ENOMEM;
    }
    buf_done(&key);
    return r;
}

MUST_USE static int append_groups(struct rule_set *set, struct group_def **groups, size_t *cap,
                                  const struct group_def *more, size_t n)
{
    if (set->n_groups + n > GROUPS_MAX)
        return -E2BIG;
    if (set->n_groups + n > *cap) {
        size_t want = 2 * (set->n_groups + n);
        struct group_def *grown = reallocarray(*groups, want, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        *groups = grown;
        *cap = want;
    }
    for (size_t i = 0; i < n; i++) {
        (*groups)[set->n_groups++] = more[i];
        set->n_rules += more[i].n_rules;
    }
    return 0;
}

MUST_USE static int read_all(struct rule_set *set, const struct paths *paths, int64_t interval_ms,
                             struct problems *problems)
{
    struct group_def *all = NULL;
    size_t cap = 0;
    int r = 0;
    for (size_t i = 0; i < paths->n; i++) {
        struct group_def *groups = NULL;
        size_t n = 0;
        int one = rule_file_read(paths->list[i], interval_ms, &set->arena, &groups, &n, problems);
        if (one == -EINVAL || one == 0) {
            int appended = append_groups(set, &all, &cap, groups, n);
            if (appended < 0) {
                free_rules(groups, n);
                one = appended;
            }
        } else {
            free_rules(groups, n);
        }
        if (one < 0)
            r = r == 0 || one != -EINVAL ? one : r;
        if (r < 0 && r != -EINVAL)
            break;
    }
    set->groups = arena_array(&set->arena, set->n_groups ? set->n_groups : 1, sizeof *set->groups);
    if (set->groups && set->n_groups)
        memcpy(set->groups, all, set->n_groups * sizeof *set->groups);
    else if (!set->groups) {
        free_rules(all, set->n_groups);
        set->n_groups = 0;
        r = -ENOMEM;
    }
    free(all);
    return r;
}

int rule_set_load(const char *const *paths, size_t n, int64_t interval_ms, struct rule_set **ret,
                  struct problems *problems)
{
    struct rule_set *set = calloc(1, sizeof *set);
    if (!set)
        return -ENOMEM;
    set->refs = 1;
    arena_init(&set->arena, SET_BYTES_MAX);
    struct paths files = {0};
    strmap_init(&files.seen, GROUPS_MAX);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_pattern(&files, paths[i], problems);
    if (r == 0)
        r = read_all(set, &files, interval_ms, problems);
    struct strmap seen;
    strmap_init(&seen, set->n_rules + 1);
    for (size_t g = 0; g < set->n_groups && r == 0; g++)
        r = set_keys(set, &set->groups[g], &seen);
    strmap_done(&seen);
    if (r == 0)
        r = rule_set_find_inputs(set);
    paths_done(&files);
    if (r < 0) {
        rule_set_free(set);
        return r;
    }
    *ret = set;
    return 0;
}
