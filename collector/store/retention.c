#include "collector/store/retention.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/base/limits.h"

#define UNKNOWN 0u
#define NO_RULE 1u /* 2: the first rule … */
static_assert(STORE_RETENTIONS_MAX + 2 <= UINT8_MAX, "a series' rule is remembered in a byte");

struct rule {
    struct matcher *matchers;
    size_t n_matchers;
    int64_t keep_ms;
};
struct retention_rules {
    atomic_uint holders;
    int64_t longest_ms; /* of the rules, 0: for ever */
    struct rule *rules;
    size_t n;
    _Atomic(_Atomic uint8_t *) known[SERIES_SEGMENTS_MAX]; /* per series: UNKNOWN, NO_RULE or the rule's number + 2 */
};

/* ---- sets ---- */
static void rules_release(struct retention_rules *rules)
{
    if (!rules || atomic_fetch_sub_explicit(&rules->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < rules->n; i++) {
        for (size_t k = 0; k < rules->rules[i].n_matchers; k++)
            matcher_done(&rules->rules[i].matchers[k]);
        free(rules->rules[i].matchers);
    }
    for (size_t i = 0; i < SERIES_SEGMENTS_MAX; i++)
        free((void *)atomic_load_explicit(&rules->known[i], memory_order_relaxed));
    free(rules->rules);
    free(rules);
}

static int copy_rule(const struct store_retention *from, struct rule *to)
{
    struct parse_error ignored;
    int r = 0;
    *to = (struct rule){.keep_ms = from->keep_ms};
    to->matchers = calloc(from->n_matchers ? from->n_matchers : 1, sizeof *to->matchers);
    if (!to->matchers)
        return -ENOMEM;
    for (; r == 0 && to->n_matchers < from->n_matchers; to->n_matchers += r == 0) {
        const struct matcher *m = &from->matchers[to->n_matchers];
        r = matcher_init(&to->matchers[to->n_matchers], m->type, m->name, m->value, &ignored);
    }
    return r;
}

static int copy_rules(const struct store_retention *from, size_t n, struct retention_rules **ret)
{
    if (n == 0) {
        *ret = NULL;
        return 0;
    }
    if (n > STORE_RETENTIONS_MAX)
        return -E2BIG;
    struct retention_rules *rules = calloc(1, sizeof *rules);
    int r = rules ? 0 : -ENOMEM;
    if (r < 0)
        return r;
    atomic_init(&rules->holders, 1);
    rules->longest_ms = from[0].keep_ms;
    rules->rules = calloc(n, sizeof *rules->rules);
    r = rules->rules ? 0 : -ENOMEM;
    while (r == 0 && rules->n < n) {
        int64_t keep_ms = from[rules->n].keep_ms;
        if (rules->longest_ms)
            rules->longest_ms = keep_ms == 0 || keep_ms > rules->longest_ms ? keep_ms : rules->longest_ms;
        r = copy_rule(&from[rules->n], &rules->rules[rules->n]);
        rules->n++;
    }
    if (r < 0)
        rules_release(rules);
    else
        *ret = rules;
    return r;
}

static struct retention_rules *hold_rules(struct retention_rules *rules)
{
    if (rules)
        atomic_fetch_add_explicit(&rules->holders, 1, memory_order_relaxed);
    return rules;
}

/* A set with what `like` has, its rules as well: takes those. */
static int make(const struct retention *like, const struct store_pin *pins, size_t n, struct retention **ret)
{
    struct retention *k = malloc(sizeof *k + n * sizeof k->pins[0]);
    if (!k) {
        rules_release(like->rules);
        rules_release(like->fine);
        return -ENOMEM;
    }
    *k = (struct retention){.keep_ms = like->keep_ms > 0 ? like->keep_ms : 0,
                            .rollups_ms = like->rollups_ms,
                            .waits = like->waits,
                            .rules = like->rules,
                            .fine = like->fine,
                            .n_pins = n};
    atomic_init(&k->holders, 1);
    if (n)
        memcpy(k->pins, pins, n * sizeof *pins);
    *ret = k;
    return 0;
}

int retention_new(int64_t keep_ms, const struct store_retention *rules, size_t n, bool waits, struct retention **ret)
{
    struct retention_rules *copy;
    int r = copy_rules(rules, n, &copy);
    return r < 0 ? r : make(&(struct retention){.keep_ms = keep_ms, .waits = waits, .rules = copy}, NULL, 0, ret);
}

int retention_with_pins(const struct retention *k, const struct store_pin *pins, size_t n, struct retention **ret)
{
    return make(&(struct retention){.keep_ms = k->keep_ms,
                                    .rollups_ms = k->rollups_ms,
                                    .rules = hold_rules(k->rules),
                                    .fine = hold_rules(k->fine)},
                pins, n, ret);
}

int retention_with_rules(const struct retention *k, int64_t keep_ms, const struct store_retention *rules, size_t n,
                         struct retention **ret)
{
    struct retention_rules *copy;
    int r = copy_rules(rules, n, &copy);
    return r < 0 ? r
                 : make(&(struct retention){.keep_ms = keep_ms,
                                            .rollups_ms = k->rollups_ms,
                                            .waits = k->waits,
                                            .rules = copy,
                                            .fine = hold_rules(k->fine)},
                        k->pins, k->n_pins, ret);
}

int retention_with_rollups(const struct retention *k, int64_t rollups_ms, const struct store_retention *fine, size_t n,
                           struct retention **ret)
{
    struct retention_rules *copy;
    int r = copy_rules(fine, n, &copy);
    return r < 0 ? r
                 : make(&(struct retention){.keep_ms = k->keep_ms,
                                            .rollups_ms = rollups_ms,
                                            .waits = k->waits,
                                            .rules = hold_rules(k->rules),
                                            .fine = copy},
                        k->pins, k->n_pins, ret);
}

void retention_hold(struct retention *k)
{
    atomic_fetch_add_explicit(&k->holders, 1, memory_order_relaxed);
}

void retention_release(struct retention *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->holders, 1, memory_order_acq_rel) != 1)
        return;
    rules_release(k->rules);
    rules_release(k->fine);
    free(k);
}

/* ---- a series ---- */
/* 1, 0 or -E2BIG. */
static int rule_matches(const struct rule *rule, const struct labels *labels)
{
    int r = 1;
    for (size_t i = 0; r > 0 && i < rule->n_matchers; i++)
        r = matcher_matches(&rule->matchers[i], labels_get(labels, rule->matchers[i].name));
    return r;
}

static int find_rule(const struct retention_rules *rules, const struct series_index *ix, uint32_t id, uint8_t *ret)
{
    struct label pairs[LABELS_MAX];
    const struct series *series = series_index_at(ix, id);
    *ret = NO_RULE;
    if (!series)
        return 0;
    struct labels labels = series_labels(ix, series, pairs);
    for (size_t i = 0; i < rules->n; i++) {
        int r = rule_matches(&rules->rules[i], &labels);
        if (r != 0) {
            *ret = (uint8_t)(i + NO_RULE + 1);
            return r < 0 ? r : 0;
        }
    }
    return 0;
}

/* Where the series' rule is remembered. NULL: no memory. */
static _Atomic uint8_t *place_of(struct retention_rules *rules, uint32_t id)
{
    _Atomic(_Atomic uint8_t *) *segment = &rules->known[id / SERIES_SEGMENT];
    _Atomic uint8_t *bytes = atomic_load_explicit(segment, memory_order_acquire);
    if (!bytes) {
        _Atomic uint8_t *fresh = calloc(SERIES_SEGMENT, sizeof *fresh);
        if (!fresh)
            return NULL;
        if (atomic_compare_exchange_strong(segment, &bytes, fresh))
            bytes = fresh;
        else
            free((void *)fresh); /* another thread was first */
    }
    return &bytes[id % SERIES_SEGMENT];
}

/* NO_RULE, a rule's number + 2, or UNKNOWN when it cannot be told. */
static uint8_t rule_of(struct retention_rules *rules, const struct series_index *ix, uint32_t id)
{
    _Atomic uint8_t *place = place_of(rules, id);
    uint8_t known = place ? atomic_load_explicit(place, memory_order_relaxed) : UNKNOWN;
    if (known != UNKNOWN)
        return known;
    if (find_rule(rules, ix, id, &known) < 0)
        return UNKNOWN;
    if (place && series_index_at(ix, id)) /* a gap may be filled later */
        atomic_store_explicit(place, known, memory_order_relaxed);
    return known;
}

static int64_t longer(int64_t a, int64_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

int64_t retention_of(const struct retention *k, const struct series_index *ix, uint32_t id, bool *ret_own)
{
    uint8_t rule = k->rules ? rule_of(k->rules, ix, id) : NO_RULE;
    if (ret_own)
        *ret_own = rule != NO_RULE;
    if (rule == UNKNOWN)
        return longer(k->keep_ms, k->rules->longest_ms);
    return rule == NO_RULE ? k->keep_ms : k->rules->rules[rule - NO_RULE - 1].keep_ms;
}

int64_t retention_longest(const struct retention *k, const struct series_index *ix, uint32_t from, uint32_t to,
                          bool *ret_differ)
{
    int64_t longest = k->keep_ms;
    bool any = false;
    *ret_differ = false;
    for (uint32_t id = from; k->rules && id < to; id++) {
        if (!series_index_at(ix, id))
            continue;
        int64_t keep_ms = retention_of(k, ix, id, NULL);
        *ret_differ = *ret_differ || (any && keep_ms != longest);
        longest = any ? longer(longest, keep_ms) : keep_ms;
        any = true;
    }
    return longest;
}

/* Where samples are kept that long. */
static int64_t rollups_kept(const struct retention *k, int64_t keep_ms)
{
    return k->rollups_ms == 0 ? keep_ms : k->rollups_ms < 0 ? 0 : longer(keep_ms, k->rollups_ms);
}

int64_t retention_of_rollups(const struct retention *k, const struct series_index *ix, uint32_t id)
{
    return rollups_kept(k, retention_of(k, ix, id, NULL));
}

int64_t retention_longest_rollups(const struct retention *k, const struct series_index *ix, uint32_t from, uint32_t to)
{
    bool differ;
    int64_t keep_ms = retention_longest(k, ix, from, to, &differ);
    return rollups_kept(k, keep_ms);
}

bool retention_outlives(const struct retention *k)
{
    int64_t least_ms = retention_least(k);
    return least_ms > 0 && rollups_kept(k, least_ms) != least_ms;
}

bool retention_is_fine(const struct retention *k, const struct series_index *ix, uint32_t id)
{
    uint8_t rule = k->fine ? rule_of(k->fine, ix, id) : NO_RULE;
    return rule != NO_RULE; /* also when it cannot be told: then it has more than it needs */
}

int64_t retention_least(const struct retention *k)
{
    int64_t least = k->keep_ms;
    for (size_t i = 0; k->rules && i < k->rules->n; i++) {
        int64_t keep_ms = k->rules->rules[i].keep_ms;
        if (keep_ms && (least == 0 || keep_ms < least))
            least = keep_ms;
    }
    return least;
}

int64_t retention_cutoff_ms(int64_t now_ms, int64_t keep_ms)
{
    int64_t cutoff_ms;
    return keep_ms <= 0 || __builtin_sub_overflow(now_ms, keep_ms, &cutoff_ms) ? INT64_MIN : cutoff_ms;
}

bool retention_pins(const struct retention *k, const struct series_index *ix, uint32_t id, int64_t min_ms,
                    int64_t max_ms)
{
    struct label pairs[LABELS_MAX];
    struct span name = {NULL, 0};
    bool named = false;
    for (size_t i = 0; i < k->n_pins; i++) {
        const struct store_pin *pin = &k->pins[i];
        if (pin->start_ms > max_ms || pin->end_ms < min_ms)
            continue;
        if (!named) {
            const struct series *series = series_index_at(ix, id);
            if (!series)
                return false;
            struct labels labels = series_labels(ix, series, pairs);
            name = labels_get(&labels, SPAN("__name__"));
            named = true;
        }
        for (const char *const *prefix = pin->name_prefixes; *prefix; prefix++)
            if (span_starts(name, span_str(*prefix)))
                return true;
    }
    return false;
}
