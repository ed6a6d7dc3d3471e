/* call_info.c - info(v, {data labels}): joins the labels of info metrics to series with the same instance and job.
 *
 * Info metrics are those that the second argument's matchers of __name__ choose, target_info without such matchers; matchers that
 * only exclude leave all names that end in _info. They are read as of the time that the first selector of v looks at. Of
 * several series for one metric, instance and job the newest sample wins at each step.
 * Semantics: prometheus.io/docs/prometheus/latest/querying/functions/#info. */
#include <errno.h>

#include "collector/promql/calls.h"

static const struct span IDENTIFYING[2] = {SPAN_INIT("instance"), SPAN_INIT("job")};

struct info_series {
    struct labels labels;
    size_t group;
    const int64_t *sample_ms; /* per step: of the sample; INT64_MIN: none */
};
struct info_group { /* one metric for one instance and job */
    struct span metric;
    size_t *series, n; /* of the info series */
};
struct info_join {
    struct eval *ev;
    const struct promql_expr *call;
    struct grid grid;
    int64_t *times;
    const struct matcher *names, *data; /* what chooses metrics; what the second argument says of labels */
    size_t n_names, n_data;
    struct matrix base;
    bool *is_info; /* per base series: one of the info metrics itself */
    struct info_series *series;
    size_t n_series;
    struct label_table groups; /* by name, instance, job */
    struct info_group *group;
    size_t **chosen; /* per group and step: its series + 1; 0: none */
    struct gathered out;
};

/* ---- which metrics ---- */

static bool matches(const struct matcher *ms, size_t n, struct span value)
{
    for (size_t i = 0; i < n; i++)
        if (matcher_matches(&ms[i], value) <= 0)
            return false;
    return true;
}

static void free_matcher(void *arg)
{
    matcher_done(arg);
}

MUST_USE static int add_name_matcher(struct info_join *j, enum match_type type, struct span value, struct matcher *list)
{
    struct parse_error why;
    int r = matcher_init(&list[j->n_names], type, SPAN("__name__"), value, &why);
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(j->ev, PROMQL_INTERNAL, j->call, "%s", why.text);
    if ((r = eval_defer(j->ev, free_matcher, &list[j->n_names])) == 0)
        j->n_names++;
    return r;
}

MUST_USE static int split_matchers(struct info_join *j)
{
    const struct promql_expr *s = j->call->call.n > 1 ? unwrap_parens(j->call->call.args[1]) : NULL;
    size_t n = s ? s->selector.n : 0;
    struct matcher *names = arena_array(&j->ev->arena, n + 1, sizeof *names),
                   *data = arena_array(&j->ev->arena, n, sizeof *data);
    bool some_name = false, positive = false;
    if (!names || !data)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct matcher *m = &s->selector.matchers[i];
        if (!span_equal(m->name, SPAN("__name__"))) {
            data[j->n_data++] = *m;
            continue;
        }
        some_name = true;
        positive |= m->type == MATCH_EQUAL || m->type == MATCH_REGEX;
        names[j->n_names++] = *m;
    }
    j->names = names;
    j->data = data;
    if (!some_name)
        return add_name_matcher(j, MATCH_EQUAL, SPAN("target_info"), names);
    return positive ? 0 : add_name_matcher(j, MATCH_REGEX, SPAN(".+_info"), names);
}

/* Series that are chosen as info metrics are not joined with info; a second argument without a name chooses none. */
MUST_USE static int find_info_among_base(struct info_join *j)
{
    bool by_name = j->call->call.n < 2 || j->n_data < unwrap_parens(j->call->call.args[1])->selector.n;
    j->is_info = arena_array(&j->ev->arena, j->base.n, sizeof *j->is_info);
    if (!j->is_info)
        return -ENOMEM;
    for (size_t i = 0; i < j->base.n; i++)
        j->is_info[i] =
            by_name && matches(j->names, j->n_names, labels_get(&j->base.series[i].labels, SPAN("__name__")));
    return 0;
}

/* ---- as of when ---- */

/* The selector that is found first, and the times on the way to it: an @ sets them, an offset moves them. */
MUST_USE static int look_up_times(struct info_join *j, const struct promql_expr *e, bool *found)
{
    const struct timing *t = e->kind == NODE_SELECTOR   ? &e->selector.timing
                             : e->kind == NODE_SUBQUERY ? &e->subquery.timing
                                                        : NULL;
    int64_t offset_ms = 0, before_at = 0;
    int r = t && t->offset ? eval_duration(j->ev, e, t->offset, true, &offset_ms) : 0;
    if (r < 0)
        return r;
    int64_t *kept = arena_array(&j->ev->arena, j->grid.n, sizeof *kept);
    if (!kept)
        return -ENOMEM;
    memcpy(kept, j->times, j->grid.n * sizeof *kept);
    before_at = t && t->at == AT_TIME ? t->at_ms : t && t->at == AT_START ? j->ev->start_ms : j->ev->end_ms;
    for (size_t s = 0; t && s < j->grid.n; s++)
        if (__builtin_sub_overflow(t->at == AT_NONE ? j->times[s] : before_at, offset_ms, &j->times[s]))
            j->times[s] = offset_ms > 0 ? INT64_MIN : INT64_MAX;
    *found = e->kind == NODE_SELECTOR;
    struct promql_expr *room[2], *const *parts;
    size_t n = expr_children(e, &parts, room);
    for (size_t i = 0; i < n && !*found; i++)
        if ((r = look_up_times(j, parts[i], found)) < 0)
            return r;
    if (!*found)
        memcpy(j->times, kept, j->grid.n * sizeof *kept);
    return 0;
}

/* ---- the info series ---- */

/* Do series with info ask for this value of an identifying label? Where none has the label at all, any value will do. */
MUST_USE static int values_asked_for(struct info_join *j, struct span name, struct label_table *ret)
{
    label_table_init(ret, &j->ev->arena);
    for (size_t i = 0; i < j->base.n; i++) {
        struct label pair = {name, labels_get(&j->base.series[i].labels, name)};
        struct labels one = {&pair, 1};
        size_t at;
        bool is_new;
        int r = j->is_info[i] || pair.value.len == 0 ? 0 : label_table_intern(ret, &one, &at, &is_new);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_asked_for(const struct label_table *values, struct span name, struct span value)
{
    struct label pair = {name, value};
    struct labels one = {&pair, 1};
    size_t at;
    return values->n == 0 || label_table_find(values, &one, &at);
}

MUST_USE static int read_info(struct info_join *j, struct sample_columns *c, uint32_t id, struct info_series *s)
{
    struct eval *ev = j->ev;
    int64_t first = j->times[0], last = j->times[j->grid.n - 1], from;
    if (__builtin_sub_overflow(first, ev->lookback_ms - 1, &from))
        from = INT64_MIN;
    int64_t *sample_ms = arena_array(&ev->arena, j->grid.n, sizeof *sample_ms);
    int r = sample_ms ? store_read(ev->reader, id, from, last, c) : -ENOMEM;
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(ev, PROMQL_INTERNAL, j->call, "cannot read samples: %s", strerror(-r));
    ev->samples_read += c->n;
    size_t next = 0;
    for (size_t step = 0; step < j->grid.n; step++) {
        while (next < c->n && c->t_ms[next] <= j->times[step])
            next++;
        sample_ms[step] = INT64_MIN;
        if (next == 0 || j->times[step] - c->t_ms[next - 1] >= ev->lookback_ms)
            continue;
        if (c->histograms && c->histograms[next - 1]) {
            if (native_histogram_is_stale(c->histograms[next - 1]))
                continue;
            return eval_fail(ev, PROMQL_EXECUTION, j->call, "info sample should be float");
        }
        if (!is_stale(c->value[next - 1]))
            sample_ms[step] = c->t_ms[next - 1];
    }
    s->sample_ms = sample_ms;
    return 0;
}

/* name, instance and job */
static struct labels identity_of(const struct labels *ls, struct span metric, struct label room[3])
{
    struct labels out = {room, 0};
    room[out.n++] = (struct label){SPAN("__name__"), metric};
    for (size_t i = 0; i < 2; i++) {
        struct span value = labels_get(ls, IDENTIFYING[i]);
        if (value.len)
            room[out.n++] = (struct label){IDENTIFYING[i], value};
    }
    return out;
}

static void done_columns(void *arg)
{
    sample_columns_done(arg);
}

MUST_USE static int find_info(struct info_join *j)
{
    struct eval *ev = j->ev;
    struct label_table asked[2];
    struct store_series *found;
    size_t n;
    int r = values_asked_for(j, IDENTIFYING[0], &asked[0]);
    if (r < 0 || (r = values_asked_for(j, IDENTIFYING[1], &asked[1])) < 0)
        return r;
    label_table_init(&j->groups, &ev->arena);
    if (asked[0].n + asked[1].n == 0)
        return 0; /* nobody can be told apart */
    struct matcher *all = arena_array(&ev->arena, j->n_names + j->n_data, sizeof *all);
    struct sample_columns *columns = arena_alloc(&ev->arena, sizeof *columns);
    if (!all || !columns)
        return -ENOMEM;
    memcpy(all, j->names, j->n_names * sizeof *all);
    memcpy(all + j->n_names, j->data, j->n_data * sizeof *all);
    struct store_selection selection = {.matchers = all,
                                        .n_matchers = j->n_names + j->n_data,
                                        .min_ms = j->times[0] - ev->lookback_ms,
                                        .max_ms = j->times[j->grid.n - 1]};
    sample_columns_init(columns);
    if ((r = eval_defer(ev, done_columns, columns)) < 0)
        return r;
    r = store_select(ev->reader, &selection, &ev->arena, &found, &n);
    if (r == -E2BIG)
        return eval_fail(ev, PROMQL_EXECUTION, j->call, "regular expression exceeds its match limit");
    if (r < 0)
        return r == -ENOMEM ? r : eval_fail(ev, PROMQL_INTERNAL, j->call, "cannot select series: %s", strerror(-r));
    j->series = arena_array(&ev->arena, n, sizeof *j->series);
    if (!j->series)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct labels *ls = &found[i].labels;
        bool wanted = true, is_new;
        for (size_t k = 0; k < 2; k++)
            wanted &= is_asked_for(&asked[k], IDENTIFYING[k], labels_get(ls, IDENTIFYING[k]));
        if (!wanted)
            continue;
        struct label room[3];
        struct labels identity = identity_of(ls, labels_get(ls, SPAN("__name__")), room);
        struct info_series *s = &j->series[j->n_series++];
        s->labels = *ls;
        if ((r = eval_tick(ev)) < 0 || (r = label_table_intern(&j->groups, &identity, &s->group, &is_new)) < 0 ||
            (r = read_info(j, columns, found[i].id, s)) < 0 || (r = eval_hold(ev, j->grid.n)) < 0)
            return r;
    }
    return 0;
}

MUST_USE static int fail_duplicate(struct info_join *j, const struct info_series *a, const struct info_series *b,
                                   int64_t at_ms)
{
    struct buf text;
    buf_init(&text, 4 * PROBLEM_TEXT_MAX);
    buf_str(&text, "found duplicate series for info metric: existing ");
    labels_format(&text, &a->labels);
    buf_printf(&text, " @ %lld, new ", (long long)at_ms);
    labels_format(&text, &b->labels);
    buf_printf(&text, " @ %lld", (long long)at_ms);
    int r = eval_fail(j->ev, PROMQL_EXECUTION, j->call, "%s",
                      buf_error(&text) ? "found duplicate series for info metric" : text.data);
    buf_done(&text);
    return r;
}

/* For each group and step the series with the newest sample. `base_there`: steps where a base series has a value. */
MUST_USE static int choose_newest(struct info_join *j, const bool *base_there)
{
    j->chosen = arena_array(&j->ev->arena, j->groups.n, sizeof *j->chosen);
    for (size_t i = 0; j->chosen && i < j->groups.n; i++)
        if (!(j->chosen[i] = arena_array(&j->ev->arena, j->grid.n, sizeof **j->chosen)))
            return -ENOMEM;
    if (!j->chosen)
        return -ENOMEM;
    for (size_t i = 0; i < j->n_series; i++) {
        const struct info_series *s = &j->series[i];
        for (size_t step = 0; step < j->grid.n; step++) {
            size_t *seat = &j->chosen[s->group][step];
            if (s->sample_ms[step] == INT64_MIN || !base_there[step])
                continue;
            const struct info_series *other = *seat ? &j->series[*seat - 1] : NULL;
            if (other && other->sample_ms[step] == s->sample_ms[step])
                return fail_duplicate(j, other, s, s->sample_ms[step]);
            if (!other || other->sample_ms[step] < s->sample_ms[step])
                *seat = i + 1;
        }
    }
    return 0;
}

/* ---- joining ---- */

static bool is_data_label(const struct info_join *j, struct span name)
{
    if (span_equal(name, SPAN("__name__")))
        return false;
    for (size_t i = 0; i < j->n_data; i++)
        if (span_equal(j->data[i].name, name))
            return true;
    return j->n_data == 0;
}

/* Add one info series' labels to *ls, which started as the base series' own. */
MUST_USE static int add_labels(struct info_join *j, const struct labels *base, const struct labels *info,
                               struct labels *ls)
{
    for (size_t i = 0; i < info->n; i++) {
        struct span name = info->pairs[i].name, value = info->pairs[i].value;
        if (!is_data_label(j, name) || labels_get(base, name).len)
            continue;
        struct span before = labels_get(ls, name);
        if (before.len && !span_equal(before, value))
            return eval_fail(j->ev, PROMQL_EXECUTION, j->call, "conflicting label: " SPAN_FMT, SPAN_ARG(name));
        struct label *room = arena_array(&j->ev->arena, ls->n + 1, sizeof *room);
        if (!room)
            return -ENOMEM;
        *ls = labels_with(ls, name, value, room);
    }
    return 0;
}

/* The labels of a base series at a step. 0: it is left out. */
MUST_USE static int joined_labels(struct info_join *j, const struct labels *base, const size_t *groups, size_t n_groups,
                                  size_t step, struct labels *ret)
{
    bool any = false;
    *ret = *base;
    for (size_t i = 0; i < n_groups; i++) {
        size_t seat = j->chosen[groups[i]][step];
        if (!seat)
            continue;
        any = true;
        int r = add_labels(j, base, &j->series[seat - 1].labels, ret);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; !any && i < j->n_data; i++)
        if (!matcher_matches_empty(&j->data[i]))
            return 0;
    return 1;
}

/* The groups of base series i: one for each info metric at most. */
MUST_USE static int groups_of(struct info_join *j, const struct labels *base, size_t *list, size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < j->groups.n; i++) {
        struct label room[3];
        struct labels identity = identity_of(base, labels_get(&j->groups.sets[i], SPAN("__name__")), room);
        if (labels_equal(&identity, &j->groups.sets[i]))
            list[(*ret_n)++] = i;
    }
    return eval_tick(j->ev);
}

MUST_USE static int join_series(struct info_join *j, size_t i, size_t *list)
{
    const struct series *base = &j->base.series[i];
    const struct column *from = &j->base.columns[i];
    struct column *out = NULL;
    size_t n = 0, last_step = SIZE_MAX;
    bool left_out = false;
    int r = j->is_info[i] ? 0 : groups_of(j, &base->labels, list, &n);
    for (size_t s = 0; r >= 0 && s < j->grid.n; s++) {
        if (!from->present[s])
            continue;
        bool same = last_step != SIZE_MAX; /* as at the step before: nobody else is chosen */
        for (size_t k = 0; same && k < n; k++)
            same = j->chosen[list[k]][s] == j->chosen[list[k]][last_step];
        if (!same) {
            struct labels ls = base->labels;
            if (!j->is_info[i] && (r = joined_labels(j, &base->labels, list, n, s, &ls)) < 0)
                return r;
            left_out = !j->is_info[i] && r == 0;
            if (!left_out && (r = gathered_column(j->ev, &j->out, &ls, base->drop_name, j->grid.n, &out)) < 0)
                return r;
            last_step = s;
        }
        if (left_out)
            continue;
        if (out->present[s])
            return eval_fail(j->ev, PROMQL_EXECUTION, j->call, SAME_LABELSET);
        r = column_move(out, from, s, j->grid.n);
    }
    return r < 0 ? r : 0;
}

int call_info(struct eval *ev, const struct promql_expr *call, const struct grid *g, struct value *ret)
{
    struct info_join j = {.ev = ev, .call = call, .grid = *g};
    struct vector *from;
    bool found = false, *there = arena_array(&ev->arena, g->n, sizeof *there);
    j.times = arena_array(&ev->arena, g->n, sizeof *j.times);
    if (!there || !j.times)
        return -ENOMEM;
    for (size_t s = 0; s < g->n; s++)
        j.times[s] = grid_time(g, s);
    int r = eval_vector(ev, call->call.args[0], g, &from);
    if (r < 0 || (r = materialise(ev, from, &j.base)) < 0 || (r = split_matchers(&j)) < 0 ||
        (r = look_up_times(&j, call->call.args[0], &found)) < 0 || (r = find_info_among_base(&j)) < 0 ||
        (r = find_info(&j)) < 0)
        return r;
    for (size_t i = 0; i < j.base.n; i++)
        for (size_t s = 0; s < g->n; s++)
            there[s] |= j.base.columns[i].present[s];
    size_t *list = arena_array(&ev->arena, j.groups.n, sizeof *list);
    if (!list)
        return -ENOMEM;
    if ((r = choose_newest(&j, there)) < 0)
        return r;
    gathered_init(ev, &j.out);
    for (size_t i = 0; i < j.base.n; i++)
        if ((r = join_series(&j, i, list)) < 0)
            return r;
    return matrix_vector(ev, &j.out.out, g, &ret->vector);
}
