/* Matchers -> series; label names and values. Under the index's lock only lists are copied; regular expressions run outside. */
#include <errno.h>

#include "collector/store/store_inside.h"

#define NO_SYMBOL UINT32_MAX

/* ---- one matcher against symbols ---- */
struct test {
    const struct matcher *matcher;
    uint32_t name, value;   /* symbols; value for the two plain types */
    bool empty;             /* does it match a series that lacks the label? */
    struct u32map verdicts; /* regex types: value -> does it match? */
};

static uint32_t symbol_of(const struct symbols *sy, struct span text)
{
    uint32_t id;
    return text.len && symbols_find(sy, text, &id) ? id : NO_SYMBOL;
}

static int test_regex(struct test *t, const struct symbols *sy, uint32_t value)
{
    uint32_t verdict;
    if (u32map_get(&t->verdicts, value, &verdict))
        return (int)verdict;
    int r = matcher_matches(t->matcher, symbols_text(sy, value));
    if (r < 0)
        return r;
    int put = u32map_put(&t->verdicts, value, (uint32_t)r);
    return put < 0 ? put : r;
}

/* Does a series with this value of the label (NO_SYMBOL: without it) pass? 1, 0 or an error. */
static int test_value(struct test *t, const struct symbols *sy, uint32_t value)
{
    if (value == NO_SYMBOL)
        return t->empty;
    switch (t->matcher->type) {
    case MATCH_EQUAL:
        return value == t->value;
    case MATCH_NOT_EQUAL:
        return value != t->value;
    default:
        return test_regex(t, sy, value);
    }
}

/* ---- where to start ---- */
struct id_list {
    uint32_t *ids;
    size_t n;
};

/* The texts of which any may be the label's value, when the matcher names them: "x", or a|b|c. */
static size_t literals_of(const struct matcher *m, const struct span **ret)
{
    if (m->type == MATCH_EQUAL) {
        *ret = &m->value;
        return 1;
    }
    return m->type == MATCH_REGEX ? regex_literals(m->regex, ret) : 0;
}

/* How many series the literals name. The lock is held. */
static size_t count_literals(const struct series_index *ix, const struct test *t)
{
    const struct span *literals;
    const struct label_values *lv = postings_of(&ix->postings, t->name);
    size_t n = 0;
    for (size_t i = literals_of(t->matcher, &literals); i-- > 0;) {
        const struct posting *po = label_values_find(lv, symbol_of(&ix->symbols, literals[i]));
        n += po ? po->n : 0;
    }
    return n;
}

/* The test with the fewest series behind it, of those that name their values; else one that needs the label; else NULL. */
static struct test *choose(const struct series_index *ix, struct test *tests, size_t n, bool *ret_named)
{
    struct test *best = NULL;
    size_t fewest = SIZE_MAX;
    *ret_named = false;
    for (size_t i = 0; i < n; i++) {
        const struct span *literals;
        if (tests[i].empty)
            continue;
        if (literals_of(tests[i].matcher, &literals) == 0) {
            best = best ? best : &tests[i];
            continue;
        }
        size_t count = count_literals(ix, &tests[i]);
        if (count < fewest) {
            fewest = count;
            best = &tests[i];
            *ret_named = true;
        }
    }
    return best;
}

static void mark(uint64_t *bits, const struct posting *po, uint32_t n_series)
{
    const uint32_t *ids = posting_ids(po);
    for (uint32_t i = 0; i < po->n && ids[i] < n_series; i++) /* ascending */
        bits[ids[i] / 64] |= UINT64_C(1) << ids[i] % 64;
}

static int list_marked(const uint64_t *bits, size_t words, struct id_list *ret)
{
    size_t n = 0;
    for (size_t w = 0; w < words; w++)
        n += (size_t)__builtin_popcountll(bits[w]);
    uint32_t *ids = malloc((n ? n : 1) * sizeof *ids);
    if (!ids)
        return -ENOMEM;
    n = 0;
    for (size_t w = 0; w < words; w++)
        for (uint64_t rest = bits[w]; rest; rest &= rest - 1)
            ids[n++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(rest));
    *ret = (struct id_list){ids, n};
    return 0;
}

static size_t words_of(uint32_t n_series)
{
    return ((size_t)n_series + 63) / 64;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The series of few postings, or of one; 0: too many for that. What an alert or a panel selects costs so what it selects, not what the store
 * holds. The lock is held. */
static int list_few(const struct store_reader *rd, const struct label_values *lv, const uint32_t *values, size_t n,
                    struct id_list *ret)
{
    size_t total = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct posting *po = label_values_find(lv, values[i]);
        total += po ? po->n : 0;
    }
    if (n > 1 && total > words_of(rd->view.n_series) / 8)
        return 0;
    uint32_t *ids = malloc((total ? total : 1) * sizeof *ids);
    if (!ids)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct posting *po = label_values_find(lv, values[i]);
        const uint32_t *from = po ? posting_ids(po) : NULL;
        for (uint32_t k = 0; po && k < po->n && from[k] < rd->view.n_series; k++) /* ascending */
            ids[kept++] = from[k];
    }
    size_t unique = n > 1 ? 0 : kept;
    if (n > 1 && kept) /* a value may be named twice */
        qsort(ids, kept, sizeof *ids, by_id);
    for (size_t i = 0; n > 1 && i < kept; i++)
        if (unique == 0 || ids[unique - 1] != ids[i])
            ids[unique++] = ids[i];
    *ret = (struct id_list){ids, unique};
    return 1;
}

/* Series whose value of the label is one of `values`. */
static int list_by_values(struct store_reader *rd, uint32_t name, const uint32_t *values, size_t n, struct id_list *ret)
{
    struct series_index *ix = &rd->store->index;
    pthread_rwlock_rdlock(&ix->lock);
    int r = list_few(rd, postings_of(&ix->postings, name), values, n, ret);
    pthread_rwlock_unlock(&ix->lock);
    if (r != 0)
        return r < 0 ? r : 0;
    size_t words = words_of(rd->view.n_series);
    uint64_t *bits = calloc(words ? words : 1, sizeof *bits);
    if (!bits)
        return -ENOMEM;
    pthread_rwlock_rdlock(&ix->lock);
    const struct label_values *lv = postings_of(&ix->postings, name);
    for (size_t i = 0; i < n; i++) {
        const struct posting *po = label_values_find(lv, values[i]);
        if (po)
            mark(bits, po, rd->view.n_series);
    }
    pthread_rwlock_unlock(&ix->lock);
    r = list_marked(bits, words, ret);
    free(bits);
    return r;
}

/* All values of the label that some series of the view has. malloc. */
static int values_of(struct store_reader *rd, uint32_t name, struct id_list *ret)
{
    struct series_index *ix = &rd->store->index;
    int r = 0;
    size_t n = 0, at = 0;
    pthread_rwlock_rdlock(&ix->lock);
    const struct label_values *lv = postings_of(&ix->postings, name);
    uint32_t *values = malloc((lv ? lv->used : 0) * sizeof *values + 1);
    if (!values)
        r = -ENOMEM;
    const struct posting *po;
    while (r == 0 && (po = label_values_next(lv, &at)) != NULL)
        if (posting_ids(po)[0] < rd->view.n_series)
            values[n++] = po->value;
    pthread_rwlock_unlock(&ix->lock);
    if (r == 0)
        *ret = (struct id_list){values, n};
    return r;
}

static int start_named(struct store_reader *rd, const struct test *t, struct id_list *ret)
{
    const struct span *literals;
    size_t n = literals_of(t->matcher, &literals);
    uint32_t *values = malloc(n * sizeof *values);
    if (!values)
        return -ENOMEM;
    pthread_rwlock_rdlock(&rd->store->index.lock);
    for (size_t i = 0; i < n; i++)
        values[i] = symbol_of(&rd->store->index.symbols, literals[i]);
    pthread_rwlock_unlock(&rd->store->index.lock);
    int r = list_by_values(rd, t->name, values, n, ret);
    free(values);
    return r;
}

static int start_tested(struct store_reader *rd, struct test *t, struct id_list *ret)
{
    struct id_list values;
    int r = values_of(rd, t->name, &values);
    if (r < 0)
        return r;
    size_t n = 0;
    for (size_t i = 0; r >= 0 && i < values.n; i++) {
        r = test_value(t, &rd->store->index.symbols, values.ids[i]);
        if (r > 0)
            values.ids[n++] = values.ids[i];
    }
    if (r >= 0)
        r = list_by_values(rd, t->name, values.ids, n, ret);
    free(values.ids);
    return r;
}

static int start_all(const struct store_reader *rd, struct id_list *ret)
{
    uint32_t n = rd->view.n_series, *ids = malloc((n ? n : 1) * sizeof *ids);
    if (!ids)
        return -ENOMEM;
    for (uint32_t id = 0; id < n; id++)
        ids[id] = id;
    *ret = (struct id_list){ids, n};
    return 0;
}

/* ---- a selection ---- */
static void prepare_test(const struct series_index *ix, const struct matcher *m, struct test *t)
{
    *t = (struct test){.matcher = m, .empty = matcher_matches_empty(m)};
    t->name = symbol_of(&ix->symbols, m->name);
    t->value = m->type == MATCH_EQUAL || m->type == MATCH_NOT_EQUAL ? symbol_of(&ix->symbols, m->value) : NO_SYMBOL;
}

static int passes(struct store_reader *rd, struct test *tests, size_t n, const struct series *series)
{
    int r = 1;
    for (size_t i = 0; r > 0 && i < n; i++) {
        uint32_t value = tests[i].name == NO_SYMBOL ? NO_SYMBOL : series_value(series, tests[i].name);
        r = test_value(&tests[i], &rd->store->index.symbols, value);
    }
    return r;
}

static int filter(struct store_reader *rd, const struct store_selection *selection, struct test *tests, size_t limit,
                  struct id_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n && (limit == 0 || kept <= limit); i++) {
        uint32_t id = list->ids[i];
        const struct series *series = series_index_at(&rd->store->index, id);
        int r = series ? passes(rd, tests, selection->n_matchers, series) : 0;
        if (r < 0)
            return r;
        if (r > 0 && store_may_have(rd, id, selection->min_ms, selection->max_ms, selection->narrow))
            list->ids[kept++] = id;
    }
    list->n = kept;
    return 0;
}

/* Ascending ids of the matching series, at most limit + 1 of them. The caller frees ids. */
static int select_ids(struct store_reader *rd, const struct store_selection *selection, size_t limit,
                      struct id_list *ret)
{
    struct series_index *ix = &rd->store->index;
    struct test *tests = calloc(selection->n_matchers ? selection->n_matchers : 1, sizeof *tests);
    if (!tests)
        return -ENOMEM;
    struct id_list list = {0};
    bool named = false;
    pthread_rwlock_rdlock(&ix->lock);
    for (size_t i = 0; i < selection->n_matchers; i++)
        prepare_test(ix, &selection->matchers[i], &tests[i]);
    struct test *first = choose(ix, tests, selection->n_matchers, &named);
    pthread_rwlock_unlock(&ix->lock);
    int r = !first ? start_all(rd, &list) : named ? start_named(rd, first, &list) : start_tested(rd, first, &list);
    if (r >= 0)
        r = filter(rd, selection, tests, limit, &list);
    for (size_t i = 0; i < selection->n_matchers; i++)
        u32map_done(&tests[i].verdicts);
    free(tests);
    if (r < 0) {
        free(list.ids);
        return r;
    }
    *ret = list;
    return 0;
}

/* ---- copies for the caller ---- */
/* Job, metric name and the like repeat from series to series: one copy of what was copied lately. */
struct copied {
    uint32_t symbol_plus_1;
    struct span text;
};
#define COPIED_MAX 256u

static struct span copy_text(const struct symbols *sy, uint32_t symbol, struct arena *arena, struct copied *copied,
                             bool *ok)
{
    struct copied *c = &copied[symbol % COPIED_MAX];
    if (c->symbol_plus_1 != symbol + 1) {
        struct span text = arena_span(arena, symbols_text(sy, symbol), ok);
        if (!*ok)
            return text;
        *c = (struct copied){symbol + 1, text};
    }
    return c->text;
}

static int copy_series(struct store_reader *rd, uint32_t id, struct arena *arena, struct copied *copied,
                       struct store_series *ret)
{
    const struct series_index *ix = &rd->store->index;
    const struct series *s = series_index_at(ix, id);
    struct label *pairs = arena_array(arena, s->n_pairs, sizeof *pairs);
    bool ok = pairs != NULL;
    for (uint32_t i = 0; ok && i < s->n_pairs; i++) {
        pairs[i].name = copy_text(&ix->symbols, s->pairs[2 * i], arena, copied, &ok);
        if (ok)
            pairs[i].value = copy_text(&ix->symbols, s->pairs[2 * i + 1], arena, copied, &ok);
    }
    if (!ok)
        return -ENOMEM;
    *ret = (struct store_series){id, {pairs, s->n_pairs}};
    return 0;
}

int store_select(struct store_reader *rd, const struct store_selection *selection, struct arena *arena,
                 struct store_series **ret, size_t *ret_n)
{
    struct id_list list;
    int r = select_ids(rd, selection, selection->limit, &list);
    if (r < 0)
        return r;
    struct copied copied[COPIED_MAX] = {0};
    struct store_series *series = arena_array(arena, list.n, sizeof *series);
    r = series ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < list.n; i++)
        r = copy_series(rd, list.ids[i], arena, copied, &series[i]);
    free(list.ids);
    if (r < 0)
        return r;
    *ret = series;
    *ret_n = list.n;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static int give_texts(struct store_reader *rd, const uint32_t *symbols, size_t n, struct arena *arena,
                      struct span **ret, size_t *ret_n)
{
    struct span *texts = arena_array(arena, n, sizeof *texts);
    bool ok = texts != NULL;
    for (size_t i = 0; ok && i < n; i++)
        texts[i] = arena_span(arena, symbols_text(&rd->store->index.symbols, symbols[i]), &ok);
    if (!ok)
        return -ENOMEM;
    qsort(texts, n, sizeof *texts, by_text);
    *ret = texts;
    *ret_n = n;
    return 0;
}

/* ---- names and values ---- */
/* Collect from the series of all selections: every name, or the values of one (`name`). */
static int collect(struct store_reader *rd, const struct store_selection *selections, size_t n, uint32_t name,
                   struct u32map *set)
{
    const struct series_index *ix = &rd->store->index;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct id_list list;
        r = select_ids(rd, &selections[i], 0, &list);
        if (r < 0)
            return r;
        for (size_t at = 0; r == 0 && at < list.n; at++) {
            const struct series *s = series_index_at(ix, list.ids[at]);
            uint32_t value = name == NO_SYMBOL ? NO_SYMBOL : series_value(s, name);
            if (value != NO_SYMBOL)
                r = u32map_put(set, value, 1);
            for (uint32_t p = 0; r == 0 && name == NO_SYMBOL && p < s->n_pairs; p++)
                r = u32map_put(set, s->pairs[2 * p], 1);
        }
        free(list.ids);
    }
    return r;
}

static int list_set(const struct u32map *set, struct id_list *ret)
{
    uint32_t *ids = malloc(set->used * sizeof *ids + 1);
    if (!ids)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < set->cap; i++)
        if (set->slots[i].key != UINT32_MAX)
            ids[n++] = set->slots[i].key;
    *ret = (struct id_list){ids, n};
    return 0;
}

static int names_of(struct store_reader *rd, struct id_list *ret)
{
    struct series_index *ix = &rd->store->index;
    pthread_rwlock_rdlock(&ix->lock);
    size_t n = 0, all = ix->postings.n;
    uint32_t *names = malloc(all * sizeof *names + 1);
    for (size_t i = 0; names && i < all; i++) {
        const struct label_values *lv = ix->postings.names[i];
        const struct posting *po;
        bool seen = false; /* by this view: a name may be newer */
        for (size_t at = 0; !seen && (po = label_values_next(lv, &at)) != NULL;)
            seen = posting_ids(po)[0] < rd->view.n_series;
        if (seen)
            names[n++] = lv->name;
    }
    pthread_rwlock_unlock(&ix->lock);
    if (!names)
        return -ENOMEM;
    *ret = (struct id_list){names, n};
    return 0;
}

int store_label_names(struct store_reader *rd, const struct store_selection *selections, size_t n, struct arena *arena,
                      struct span **ret, size_t *ret_n)
{
    struct id_list names = {0};
    struct u32map set = {0};
    int r = n ? collect(rd, selections, n, NO_SYMBOL, &set) : names_of(rd, &names);
    if (r == 0 && n)
        r = list_set(&set, &names);
    if (r == 0)
        r = give_texts(rd, names.ids, names.n, arena, ret, ret_n);
    u32map_done(&set);
    free(names.ids);
    return r;
}

int store_label_values(struct store_reader *rd, struct span name, const struct store_selection *selections, size_t n,
                       struct arena *arena, struct span **ret, size_t *ret_n)
{
    pthread_rwlock_rdlock(&rd->store->index.lock);
    uint32_t symbol = symbol_of(&rd->store->index.symbols, name);
    pthread_rwlock_unlock(&rd->store->index.lock);
    if (symbol == NO_SYMBOL)
        return give_texts(rd, NULL, 0, arena, ret, ret_n);
    struct id_list values = {0};
    struct u32map set = {0};
    int r = n ? collect(rd, selections, n, symbol, &set) : values_of(rd, symbol, &values);
    if (r == 0 && n)
        r = list_set(&set, &values);
    if (r == 0)
        r = give_texts(rd, values.ids, values.n, arena, ret, ret_n);
    u32map_done(&set);
    free(values.ids);
    return r;
}
