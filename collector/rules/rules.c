#include "collector/rules/rules.h"

#include <errno.h>
#include <time.h>

#include "collector/rules/rules_internal.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define DEFAULT_INTERVAL_MS 60000
#define DEFAULT_RESEND_MS 60000
#define IDLE_WAIT_MS 60000 /* a lane without groups */

static int64_t wall_clock(void *ctx)
{
    (void)ctx;
    return unix_ms();
}

/* ---- groups of a set ---- */
static void rule_init(struct rule *r, const struct rule_def *def)
{
    r->def = def;
    r->evaluated_ms = TIME_NONE;
    strmap_init(&r->active, RULE_SERIES_MAX * 2); /* what fires beside what resolved lately */
    strmap_init(&r->series, RULE_SERIES_MAX * 8); /* two series per alert, this evaluation's and the last one's */
}

static void rule_done(struct rule *r)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (strmap_next(&r->active, &at, &key, &value))
        active_alert_free(value);
    strmap_done(&r->active);
    strmap_done(&r->series);
}

static void groups_free(struct group *groups, size_t n)
{
    for (size_t g = 0; groups && g < n; g++) {
        for (size_t i = 0; groups[g].rules && i < groups[g].def->n_rules; i++)
            rule_done(&groups[g].rules[i]);
        free(groups[g].rules);
    }
    free(groups);
}

MUST_USE static int groups_new(const struct rule_set *set, int64_t now_ms, struct group **ret)
{
    struct group *groups = calloc(set->n_groups ? set->n_groups : 1, sizeof *groups);
    if (!groups)
        return -ENOMEM;
    for (size_t g = 0; g < set->n_groups; g++) {
        groups[g].def = &set->groups[g];
        groups[g].grace_until_ms = groups[g].evaluated_ms = TIME_NONE;
        schedule_init(&groups[g].schedule, set->groups[g].interval_ms, set->groups[g].hash, now_ms);
        groups[g].rules = calloc(set->groups[g].n_rules ? set->groups[g].n_rules : 1, sizeof *groups[g].rules);
        if (!groups[g].rules) {
            groups_free(groups, g);
            return -ENOMEM;
        }
        for (size_t i = 0; i < set->groups[g].n_rules; i++)
            rule_init(&groups[g].rules[i], &set->groups[g].rules[i]);
    }
    *ret = groups;
    return 0;
}

/* ---- reload: equal rules and groups go on as they are ---- */
static void carry_rule(struct rule *to, struct rule *from)
{
    const struct rule_def *def = to->def;
    struct strmap active = to->active, series = to->series;
    *to = *from;
    to->def = def;
    from->active = active; /* empty ones, to be freed with the old set */
    from->series = series;
}

static void carry_group(struct group *to, const struct group *from)
{
    const struct group_def *def = to->def;
    struct rule *rules = to->rules;
    struct schedule fresh = to->schedule;
    *to = *from;
    to->def = def;
    to->rules = rules;
    if (from->schedule.interval_ms != fresh.interval_ms) {
        to->schedule = fresh;
        schedule_resume(&to->schedule, from->schedule.last_eval_ms);
    }
}

MUST_USE static int map_rules(struct group *groups, size_t n_groups, size_t n_rules, struct strmap *map)
{
    strmap_init(map, n_rules + 1);
    for (size_t g = 0; g < n_groups; g++)
        for (size_t i = 0; i < groups[g].def->n_rules; i++) {
            int r = strmap_put(map, groups[g].def->rules[i].key, &groups[g].rules[i]);
            if (r < 0)
                return r;
        }
    return 0;
}

static struct group *same_group(const struct rules *ru, const struct group_def *def)
{
    for (size_t g = 0; g < ru->n_groups; g++)
        if (ru->groups[g].def->hash == def->hash && span_equal(ru->groups[g].def->name, def->name) &&
            span_equal(ru->groups[g].def->file, def->file))
            return &ru->groups[g];
    return NULL;
}

/* What the rules that are gone wrote becomes stale when it is clear that no other rule writes it. */
MUST_USE static int make_orphans(const struct rule *r, int64_t due_ms, struct orphans **list)
{
    if (r->series.used == 0)
        return 0;
    struct orphans *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->series = calloc(r->series.used, sizeof *o->series);
    o->next = *list;
    o->due_ms = due_ms;
    *list = o;
    size_t at = 0;
    struct span key;
    void *generation;
    while (o->series && strmap_next(&r->series, &at, &key, &generation)) {
        int e = label_box_unpack(key, &o->series[o->n]);
        if (e < 0)
            return e;
        o->n++;
    }
    return o->series ? 0 : -ENOMEM;
}

static void orphans_free(struct orphans *o)
{
    while (o) {
        struct orphans *next = o->next;
        for (size_t i = 0; i < o->n; i++)
            free(o->series[i]);
        free(o->series);
        free(o);
        o = next;
    }
}

/* The keys of alerting rules that are not in the new set, and their series as orphans. */
MUST_USE static int find_gone(const struct rules *ru, const struct strmap *new_rules, int64_t now_ms,
                              struct orphans **orphans, struct span *keys, size_t *ret_n)
{
    for (size_t g = 0; g < ru->n_groups; g++)
        for (size_t i = 0; i < ru->groups[g].def->n_rules; i++) {
            const struct rule *r = &ru->groups[g].rules[i];
            if (strmap_has(new_rules, r->def->key))
                continue;
            int e = make_orphans(r, now_ms + 2 * ru->groups[g].def->interval_ms, orphans);
            if (e < 0)
                return e;
            if (r->def->kind == RULE_ALERT)
                keys[(*ret_n)++] = r->def->key;
        }
    return 0;
}

static void carry_all(const struct rules *ru, struct group *groups, size_t n, const struct strmap *new_rules)
{
    for (size_t g = 0; g < n; g++) {
        const struct group *before = same_group(ru, groups[g].def);
        if (before)
            carry_group(&groups[g], before);
    }
    for (size_t g = 0; g < ru->n_groups; g++)
        for (size_t i = 0; i < ru->groups[g].def->n_rules; i++) {
            struct rule *to = strmap_get(new_rules, ru->groups[g].def->rules[i].key);
            if (to)
                carry_rule(to, &ru->groups[g].rules[i]);
        }
}

/* The first load: alerts from state.db, time stamps above those of the last process. */
MUST_USE static int resume(struct rules *ru, struct group *groups, size_t n, const struct strmap *rules_by_key,
                           int64_t now_ms)
{
    int64_t newest_ms = ru->config.store ? store_newest_ms(ru->config.store) : TIME_NONE;
    for (size_t g = 0; g < n; g++)
        if (schedule_is_fast(&groups[g].schedule) && newest_ms != TIME_NONE && newest_ms <= now_ms + RULES_NEAR_NOW_MS)
            schedule_resume(&groups[g].schedule, newest_ms);
    return rules_state_restore(ru, rules_by_key, now_ms);
}

/* Under set_lock for writing. Nothing has changed when it fails. */
MUST_USE static int swap_set(struct rules *ru, struct rule_set *set)
{
    int64_t now_ms = rules_now_ms(ru);
    struct group *groups = NULL;
    struct orphans *orphans = NULL;
    struct strmap by_key;
    struct span *gone = calloc((ru->set ? ru->set->n_rules : 0) + 1, sizeof *gone);
    size_t n_gone = 0;
    int r = groups_new(set, now_ms, &groups);
    if (r < 0 || !gone) {
        groups_free(groups, r < 0 ? 0 : set->n_groups);
        free(gone);
        return -ENOMEM;
    }
    r = map_rules(groups, set->n_groups, set->n_rules, &by_key);
    if (r == 0)
        r = ru->set ? find_gone(ru, &by_key, now_ms, &orphans, gone, &n_gone)
                    : resume(ru, groups, set->n_groups, &by_key, now_ms);
    if (r == 0)
        r = rules_state_delete(ru, gone, n_gone);
    free(gone);
    if (r < 0) {
        strmap_done(&by_key);
        orphans_free(orphans);
        groups_free(groups, set->n_groups);
        return r;
    }
    carry_all(ru, groups, set->n_groups, &by_key);
    strmap_done(&by_key);
    groups_free(ru->groups, ru->n_groups);
    struct rule_set *before = ru->set;
    ru->set = set;
    ru->groups = groups;
    ru->n_groups = set->n_groups;
    while (orphans) {
        struct orphans *next = orphans->next;
        orphans->next = ru->orphans;
        ru->orphans = orphans;
        orphans = next;
    }
    if (groups_publish(ru) < 0) { /* readers see no rules rather than freed ones */
        rules_unpublish(ru);
        log_error("out of memory: the API shows no rules until the next reload");
    }
    rule_set_unref(ru, before);
    return 0;
}

static void wake_lane(struct lane *l)
{
    pthread_mutex_lock(&l->lock);
    l->woken = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

int rules_load(struct rules *ru, const char *const *paths, size_t n, struct problems *problems)
{
    struct rule_set *set;
    int r = rule_set_load(paths, n, ru->config.interval_ms, &set, problems);
    if (r == 0) {
        r = rules_watch_inputs(ru, set);
        if (r == 0) {
            pthread_rwlock_wrlock(&ru->set_lock);
            r = swap_set(ru, set);
            pthread_rwlock_unlock(&ru->set_lock);
        }
        if (r < 0) {
            rule_set_free(set);
            problem_add(problems, PROBLEM_ERROR, "rules", 0, 0, "cannot take the rules over: %s", strerror(-r));
        }
    }
    atomic_store(&ru->load_ok, r == 0);
    if (r == 0)
        atomic_store(&ru->loaded_ms, rules_now_ms(ru));
    for (size_t i = 0; i < ARRAY_LEN(ru->lanes); i++)
        wake_lane(&ru->lanes[i]);
    return r;
}

int rules_check(const char *const *paths, size_t n, struct problems *problems)
{
    struct rule_set *set;
    int r = rule_set_load(paths, n, DEFAULT_INTERVAL_MS, &set, problems);
    if (r == 0)
        rule_set_free(set);
    return r;
}

int rules_check_doubts(const char *const *paths, size_t n, struct problems *problems)
{
    struct rule_set *set;
    int r = rule_set_load(paths, n, DEFAULT_INTERVAL_MS, &set, problems);
    if (r == 0) {
        r = rule_set_doubts(set, problems);
        rule_set_free(set);
    }
    return r;
}

/* ---- turns ---- */

static bool records(const struct group_def *def)
{
    for (size_t i = 0; i < def->n_rules; i++)
        if (def->rules[i].kind == RULE_RECORD)
            return true;
    return false;
}

/* Run the group when it is due, and say whether it recorded; ms until it wants to be looked at again. */
static int64_t turn_group(struct rules *ru, struct group *g, int64_t now_ms, bool *recorded)
{
    struct schedule_turn t = schedule_turn(&g->schedule, now_ms, rules_newest_input_ms(ru, g->def));
    if (t.stepped_back) {
        atomic_fetch_add(&ru->clock_steps, 1);
        log_warn("the clock was stepped back, rule groups start anew", "group", SPAN_FMT, SPAN_ARG(g->def->name));
    }
    if (t.due) {
        g->missed += (uint64_t)t.missed;
        group_evaluate(ru, g, t.eval_ms);
        *recorded = *recorded || records(g->def);
    }
    return t.wait_ms;
}

static bool somebody_writes(const struct rules *ru, struct span packed)
{
    for (size_t g = 0; g < ru->n_groups; g++)
        for (size_t i = 0; i < ru->groups[g].def->n_rules; i++)
            if (strmap_has(&ru->groups[g].rules[i].series, packed))
                return true;
    return false;
}

/* Under set_lock for writing. */
static void bury_orphans(struct rules *ru, int64_t now_ms)
{
    struct output out = {0};
    int r = 0;
    for (struct orphans **at = &ru->orphans; *at;) {
        struct orphans *o = *at;
        if (o->due_ms > now_ms) {
            at = &o->next;
            continue;
        }
        for (size_t i = 0; i < o->n && r == 0; i++)
            if (!somebody_writes(ru, o->series[i]->packed))
                r = output_stale(&out, &o->series[i]->labels, now_ms);
        *at = o->next;
        o->next = NULL;
        orphans_free(o);
    }
    char why[256] = "";
    if (r == 0)
        r = output_flush(&out, ru->config.store, why, sizeof why);
    output_done(&out);
    if (r < 0)
        log_warn("series of removed rules could not be marked stale", "error", "%s", why[0] ? why : strerror(-r));
}

/* The lock is taken anew for every group, so that a reload waits for one evaluation only. */
static int64_t turn_lane(struct rules *ru, bool fast, int64_t now_ms)
{
    int64_t wait_ms = IDLE_WAIT_MS;
    bool orphans_due = false, recorded = false;
    for (size_t i = 0;; i++) {
        pthread_rwlock_rdlock(&ru->set_lock);
        bool end = i >= ru->n_groups || atomic_load(&ru->stopping);
        if (!end && schedule_is_fast(&ru->groups[i].schedule) == fast) {
            int64_t group_ms = turn_group(ru, &ru->groups[i], now_ms, &recorded);
            wait_ms = group_ms < wait_ms ? group_ms : wait_ms;
        }
        for (const struct orphans *o = end && !fast ? ru->orphans : NULL; o; o = o->next) {
            orphans_due = orphans_due || o->due_ms <= now_ms;
            if (o->due_ms > now_ms && o->due_ms - now_ms < wait_ms)
                wait_ms = o->due_ms - now_ms;
        }
        pthread_rwlock_unlock(&ru->set_lock);
        if (end)
            break;
    }
    if (fast && recorded && ru->config.watch.round)
        ru->config.watch.round(ru->config.watch.ctx);
    if (orphans_due) {
        pthread_rwlock_wrlock(&ru->set_lock);
        bury_orphans(ru, now_ms);
        pthread_rwlock_unlock(&ru->set_lock);
    }
    return wait_ms;
}

int64_t rules_step(struct rules *ru, int64_t now_ms)
{
    int64_t fast_ms = turn_lane(ru, true, now_ms), slow_ms = turn_lane(ru, false, now_ms);
    return fast_ms < slow_ms ? fast_ms : slow_ms;
}

/* ---- lanes ---- */
static void lane_wait(struct lane *l, int64_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&l->lock);
    int r = 0;
    while (!l->woken && r == 0)
        r = pthread_cond_timedwait(&l->wake, &l->lock, &until);
    l->woken = false;
    pthread_mutex_unlock(&l->lock);
}

static void lane_main(void *arg)
{
    struct lane *l = arg;
    struct rules *ru = l->rules;
    while (!atomic_load(&ru->stopping)) {
        int64_t start_ms = rules_now_ms(ru);
        int64_t wait_ms = turn_lane(ru, l->fast, start_ms) - (rules_now_ms(ru) - start_ms);
        lane_wait(l, wait_ms < 1 ? 1 : wait_ms > IDLE_WAIT_MS ? IDLE_WAIT_MS : wait_ms);
    }
}

/* On the store's writer thread, after every commit: as little as possible. */
static void on_commit(void *ctx, const struct commit_info *info)
{
    struct rules *ru = ctx;
    if (rules_take_commit(ru, info, rules_now_ms(ru)))
        wake_lane(&ru->lanes[1]);
}

struct commit_hook rules_commit_hook(struct rules *ru)
{
    return (struct commit_hook){.ctx = ru, .committed = on_commit};
}

/* ---- life ---- */
int rules_set_external_url(struct rules *ru, const char *external_url)
{
    struct span url = span_str(external_url);
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    char *copy = span_dup(url);
    if (!copy)
        return -ENOMEM;
    free(ru->external_url);
    ru->external_url = copy;
    return 0;
}

MUST_USE static int copy_config(struct rules *ru, const struct rules_config *config)
{
    ru->config = *config;
    ru->config.interval_ms = config->interval_ms ? config->interval_ms : DEFAULT_INTERVAL_MS;
    ru->config.resend_ms = config->resend_ms ? config->resend_ms : DEFAULT_RESEND_MS;
    if (!config->now_ms)
        ru->config.now_ms = wall_clock;
    ru->state_base = config->state ? state_base(config->state, &RULES_STATE_ROOM) : 0;
    int r = rules_set_external_url(ru, config->external_url);
    return r < 0 ? r : label_box_new(&config->external_labels, &ru->external_labels);
}

static void lane_init(struct rules *ru, bool fast)
{
    struct lane *l = &ru->lanes[fast];
    l->rules = ru;
    l->fast = fast;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
}

int rules_new(const struct rules_config *config, struct rules **ret)
{
    struct rules *ru = calloc(1, sizeof *ru);
    if (!ru)
        return -ENOMEM;
    atomic_init(&ru->newest_ms, TIME_NONE);
    for (size_t i = 0; i < ARRAY_LEN(ru->input_ms); i++)
        atomic_init(&ru->input_ms[i], TIME_NONE);
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP); /* a reload must get its turn */
    pthread_rwlock_init(&ru->set_lock, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&ru->view_lock, NULL);
    lane_init(ru, false);
    lane_init(ru, true);
    int r = copy_config(ru, config);
    if (r < 0) {
        rules_free(ru);
        return r;
    }
    *ret = ru;
    return 0;
}

int rules_start(struct rules *ru)
{
    int r = thread_start("rules-fast", lane_main, &ru->lanes[1], &ru->lanes[1].thread);
    return r < 0 ? r : thread_start("rules", lane_main, &ru->lanes[0], &ru->lanes[0].thread);
}

void rules_stop(struct rules *ru)
{
    if (!ru)
        return;
    atomic_store(&ru->stopping, true);
    for (size_t i = 0; i < ARRAY_LEN(ru->lanes); i++) {
        wake_lane(&ru->lanes[i]);
        thread_join(ru->lanes[i].thread);
        ru->lanes[i].thread = NULL;
    }
}

void rules_free(struct rules *ru)
{
    if (!ru)
        return;
    rules_stop(ru);
    rules_unpublish(ru);
    groups_free(ru->groups, ru->n_groups);
    orphans_free(ru->orphans);
    rule_set_unref(ru, ru->set);
    for (size_t i = 0; i < ARRAY_LEN(ru->lanes); i++) {
        pthread_cond_destroy(&ru->lanes[i].wake);
        pthread_mutex_destroy(&ru->lanes[i].lock);
    }
    pthread_mutex_destroy(&ru->view_lock);
    pthread_rwlock_destroy(&ru->set_lock);
    free(ru->external_url);
    free(ru->external_labels);
    free(ru);
}
