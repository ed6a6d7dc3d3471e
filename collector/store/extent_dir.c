#include "collector/store/extent_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/store/cut.h"
#include "collector/store/tombstone.h"

struct extent_group {
    struct extent_ref *refs; /* by min_ms, then id */
    size_t n, cap;
    int64_t gap_from, gap_to; /* the writer's: no extent touches [gap_from, gap_to]; empty when from > to */
};

void extent_dir_init(struct extent_dir *dir)
{
    *dir = (struct extent_dir){0};
    pthread_rwlockattr_t prefer_writer;
    pthread_rwlockattr_init(&prefer_writer);
    pthread_rwlockattr_setkind_np(&prefer_writer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&dir->lock, &prefer_writer);
    pthread_rwlockattr_destroy(&prefer_writer);
}

void extent_dir_done(struct extent_dir *dir)
{
    for (uint32_t g = 0; g < dir->n_groups; g++) {
        struct extent_group *group = dir->groups[g];
        for (size_t i = 0; group && i < group->n; i++)
            free(group->refs[i].bytes);
        if (group)
            free(group->refs);
        free(group);
    }
    free(dir->groups);
    pthread_rwlock_destroy(&dir->lock);
}

/* Floats, native histograms and rollups of the same series lie side by side. */
#define KINDS 4u
static bool is_rollup_slot(uint32_t slot)
{
    return slot % KINDS >= 2;
}
static uint32_t slot_of(uint32_t group)
{
    uint32_t kind = group & EXTENT_HISTOGRAMS ? 1 : group & EXTENT_ROLLUPS_1H ? 2 : group & EXTENT_ROLLUPS_5M ? 3 : 0;
    return extent_floats_of(group) * KINDS + kind;
}

static struct extent_group *group_at(const struct extent_dir *dir, uint32_t group)
{
    return slot_of(group) < dir->n_groups ? dir->groups[slot_of(group)] : NULL;
}

static int make_group(struct extent_dir *dir, uint32_t group, struct extent_group **ret)
{
    uint32_t slot = slot_of(group);
    if (slot >= dir->n_groups) {
        uint32_t n = slot + slot / 2 + 16;
        struct extent_group **groups = realloc(dir->groups, n * sizeof(*groups));
        if (!groups)
            return -ENOMEM;
        memset(groups + dir->n_groups, 0, (n - dir->n_groups) * sizeof(*groups));
        dir->groups = groups;
        dir->n_groups = n;
    }
    if (!dir->groups[slot]) {
        struct extent_group *g = calloc(1, sizeof *g);
        if (!g)
            return -ENOMEM;
        g->gap_from = 1; /* empty */
        dir->groups[slot] = g;
    }
    *ret = dir->groups[slot];
    return 0;
}

static bool before(const struct extent_ref *a, const struct extent_ref *b)
{
    return a->min_ms != b->min_ms ? a->min_ms < b->min_ms : a->id < b->id;
}

static int reserve_locked(struct extent_dir *dir, uint32_t group, size_t n)
{
    struct extent_group *g;
    int r = make_group(dir, group, &g);
    if (r < 0 || g->cap - g->n >= n)
        return r;
    size_t cap = g->cap ? g->cap : 4;
    while (cap - g->n < n)
        cap *= 2;
    struct extent_ref *refs = realloc(g->refs, cap * sizeof *refs);
    if (!refs)
        return -ENOMEM;
    g->refs = refs;
    g->cap = cap;
    return 0;
}

/* There is room for it. */
static void add_locked(struct extent_dir *dir, const struct extent_ref *ref)
{
    struct extent_group *g = group_at(dir, ref->group);
    size_t at = g->n;
    while (at > 0 && before(ref, &g->refs[at - 1])) /* nearly always the newest */
        at--;
    memmove(g->refs + at + 1, g->refs + at, (g->n - at) * sizeof *g->refs);
    g->refs[at] = *ref;
    g->n++;
    g->gap_from = 1;
    g->gap_to = 0;
    dir->n++;
    dir->n_bytes += ref->n_bytes;
    dir->n_rollup_bytes += ref->group & EXTENT_ROLLUPS ? ref->n_bytes : 0;
}

int extent_dir_add(struct extent_dir *dir, const struct extent_ref *ref)
{
    pthread_rwlock_wrlock(&dir->lock);
    int r = reserve_locked(dir, ref->group, 1);
    if (r == 0)
        add_locked(dir, ref);
    pthread_rwlock_unlock(&dir->lock);
    return r;
}

int extent_dir_list(struct extent_dir *dir, uint32_t group, uint32_t last_id, struct extent_ref **ret, size_t *ret_n)
{
    struct extent_ref *refs = NULL;
    size_t n = 0;
    int r = 0;
    pthread_rwlock_rdlock(&dir->lock);
    const struct extent_group *g = group_at(dir, group);
    if (g && g->n) {
        refs = malloc(g->n * sizeof *refs);
        r = refs ? 0 : -ENOMEM;
    }
    for (size_t i = 0; refs && i < g->n; i++) {
        if (g->refs[i].since > last_id)
            continue;
        refs[n] = g->refs[i];
        refs[n++].bytes = NULL; /* not the caller's to touch */
    }
    pthread_rwlock_unlock(&dir->lock);
    if (r < 0)
        return r;
    *ret = refs;
    *ret_n = n;
    return 0;
}

bool extent_dir_overlaps(struct extent_dir *dir, uint32_t group, uint32_t last_id, int64_t min_ms, int64_t max_ms,
                         bool rollups)
{
    bool found = false;
    pthread_rwlock_rdlock(&dir->lock);
    const struct extent_group *kinds[KINDS] = {group_at(dir, group), group_at(dir, group | EXTENT_HISTOGRAMS),
                                               rollups ? group_at(dir, group | EXTENT_ROLLUPS_1H) : NULL,
                                               rollups ? group_at(dir, group | EXTENT_ROLLUPS_5M) : NULL};
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = kinds[k] ? kinds[k]->n : 0; !found && i-- > 0;) { /* queries ask for what is new */
            const struct extent_ref *ref = &kinds[k]->refs[i];
            found = ref->since <= last_id && ref->min_ms <= max_ms && ref->max_ms >= min_ms;
        }
    pthread_rwlock_unlock(&dir->lock);
    return found;
}

bool extent_dir_has_group(struct extent_dir *dir, uint32_t group)
{
    bool found = false;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t slot = slot_of(extent_floats_of(group)), end = slot + KINDS; slot < end && slot < dir->n_groups;
         slot++)
        found = found || (dir->groups[slot] && dir->groups[slot]->n > 0);
    pthread_rwlock_unlock(&dir->lock);
    return found;
}

uint32_t extent_dir_end(struct extent_dir *dir)
{
    uint32_t end = 0;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t slot = 0; slot < dir->n_groups; slot++)
        if (dir->groups[slot] && dir->groups[slot]->n > 0)
            end = slot / KINDS + 1;
    pthread_rwlock_unlock(&dir->lock);
    return end;
}

int64_t extent_dir_newest_ms(struct extent_dir *dir, uint32_t group)
{
    int64_t newest = INT64_MIN;
    pthread_rwlock_rdlock(&dir->lock);
    const struct extent_group *both[] = {group_at(dir, group), group_at(dir, group | EXTENT_HISTOGRAMS)};
    for (size_t k = 0; k < ARRAY_LEN(both); k++)
        for (size_t i = 0; both[k] && i < both[k]->n; i++)
            if (both[k]->refs[i].max_ms > newest)
                newest = both[k]->refs[i].max_ms;
    pthread_rwlock_unlock(&dir->lock);
    return newest;
}

size_t extent_dir_at(struct extent_dir *dir, uint32_t group, int64_t t_ms, struct extent_ref *refs, size_t max)
{
    struct extent_group *g = group_at(dir, group); /* the writer reads without the lock: it alone changes things */
    if (!g || (t_ms >= g->gap_from && t_ms <= g->gap_to))
        return 0;
    size_t n = 0;
    int64_t from = INT64_MIN, to = INT64_MAX;
    for (size_t i = 0; i < g->n; i++) {
        const struct extent_ref *ref = &g->refs[i];
        if (ref->max_ms < t_ms) {
            from = ref->max_ms >= from ? ref->max_ms + 1 : from;
        } else if (ref->min_ms > t_ms) {
            to = ref->min_ms - 1;
            break; /* those behind start later still */
        } else {
            if (n < max)
                refs[n] = *ref;
            n++;
        }
    }
    if (n == 0) {
        g->gap_from = from;
        g->gap_to = to;
    }
    return n;
}

static struct extent_ref *find(const struct extent_dir *dir, uint32_t group, uint32_t id)
{
    const struct extent_group *g = group_at(dir, group);
    for (size_t i = g ? g->n : 0; i-- > 0;)
        if (g->refs[i].id == id)
            return &g->refs[i];
    return NULL;
}

int extent_dir_copy(struct extent_dir *dir, uint32_t group, uint32_t id, uint8_t **ret, size_t *ret_n)
{
    int r = -ENOENT;
    pthread_rwlock_rdlock(&dir->lock);
    const struct extent_ref *ref = find(dir, group, id);
    if (ref && ref->bytes) {
        uint8_t *copy = malloc(ref->n_bytes);
        r = copy ? 0 : -ENOMEM;
        if (copy) {
            memcpy(copy, ref->bytes, ref->n_bytes);
            *ret = copy;
            *ret_n = ref->n_bytes;
        }
    }
    pthread_rwlock_unlock(&dir->lock);
    return r;
}

void extent_dir_mark_bad(struct extent_dir *dir, uint32_t group, uint32_t id)
{
    pthread_rwlock_wrlock(&dir->lock);
    struct extent_ref *ref = find(dir, group, id);
    if (ref && !ref->bad) {
        ref->bad = true;
        dir->n_bad++;
    }
    pthread_rwlock_unlock(&dir->lock);
}

size_t extent_dir_ended(struct extent_dir *dir, int64_t cutoff_ms,
                        bool (*spared)(void *ctx, const struct extent_ref *ref), void *ctx, struct extent_ref *refs,
                        size_t max)
{
    size_t n = 0;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t at = 0; at < dir->n_groups && n < max; at++) {
        const struct extent_group *g = dir->groups[at];
        for (size_t i = 0; g && i < g->n && n < max; i++) {
            if (g->refs[i].min_ms >= cutoff_ms)
                break;
            if (g->refs[i].max_ms < cutoff_ms && !g->refs[i].held && !(spared && spared(ctx, &g->refs[i])))
                refs[n++] = g->refs[i];
        }
    }
    pthread_rwlock_unlock(&dir->lock);
    return n;
}

int64_t extent_dir_first_end(struct extent_dir *dir, bool (*spared)(void *ctx, const struct extent_ref *ref), void *ctx)
{
    int64_t first = INT64_MAX;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t at = 0; at < dir->n_groups; at++) {
        const struct extent_group *g = dir->groups[at];
        for (size_t i = 0; g && i < g->n && g->refs[i].min_ms < first; i++)
            if (g->refs[i].max_ms < first && !g->refs[i].held && !spared(ctx, &g->refs[i]))
                first = g->refs[i].max_ms;
    }
    pthread_rwlock_unlock(&dir->lock);
    return first;
}

static void remove_locked(struct extent_dir *dir, uint32_t group, uint32_t id)
{
    struct extent_ref *ref = find(dir, group, id);
    if (!ref)
        return;
    struct extent_group *g = group_at(dir, group);
    dir->n--;
    dir->n_bytes -= ref->n_bytes;
    dir->n_rollup_bytes -= ref->group & EXTENT_ROLLUPS ? ref->n_bytes : 0;
    dir->n_bad -= ref->bad;
    free(ref->bytes);
    size_t at = (size_t)(ref - g->refs);
    memmove(ref, ref + 1, (g->n - at - 1) * sizeof *ref);
    g->n--;
}

void extent_dir_remove(struct extent_dir *dir, uint32_t group, uint32_t id)
{
    pthread_rwlock_wrlock(&dir->lock);
    remove_locked(dir, group, id);
    pthread_rwlock_unlock(&dir->lock);
}

bool extent_dir_hides(struct extent_dir *dir, const struct tombstone *t)
{
    bool found = false;
    pthread_rwlock_rdlock(&dir->lock);
    const struct extent_group *g = group_at(dir, t->group);
    for (size_t i = 0; !found && g && i < g->n; i++)
        found = tombstone_touches(t, &g->refs[i]);
    pthread_rwlock_unlock(&dir->lock);
    return found;
}

/* ---- held ---- */
size_t extent_dir_held(struct extent_dir *dir, uint32_t group, const struct extent_ref **ret)
{
    const struct extent_group *g = group_at(dir, group);
    size_t n = 0;
    for (size_t i = 0; g && i < g->n; i++)
        n += g->refs[i].held;
    *ret = g ? g->refs : NULL;
    return n;
}

void extent_dir_written(struct extent_dir *dir, uint32_t group)
{
    pthread_rwlock_wrlock(&dir->lock);
    struct extent_group *g = group_at(dir, group);
    for (size_t i = 0; g && i < g->n; i++) {
        if (!g->refs[i].held)
            continue;
        free(g->refs[i].bytes);
        g->refs[i].bytes = NULL;
        g->refs[i].held = false;
    }
    pthread_rwlock_unlock(&dir->lock);
}

/* ---- merging ---- */
static size_t alike_in(const struct extent_group *g, const struct extent_wanted *wanted, struct extent_ref *refs)
{
    for (size_t first = 0; first < g->n; first++) {
        const struct extent_ref *like = &g->refs[first];
        size_t n = 0;
        if (like->level == EXTENT_LEVEL_FULL || like->part || (like->held && !wanted->held))
            continue;
        int64_t day_ms = day_start_ms(like->min_ms);
        bool over = day_ms < day_start_ms(wanted->over_before_ms);
        for (size_t i = first; i < g->n && n < EXTENT_ALIKE_MAX && day_start_ms(g->refs[i].min_ms) == day_ms; i++) {
            const struct extent_ref *ref = &g->refs[i];
            if (ref->level != EXTENT_LEVEL_FULL && (over || ref->level == like->level) && !ref->bad && ref->part == 0 &&
                (!ref->held || wanted->held) && ref->id <= wanted->last_id)
                refs[n++] = *ref;
        }
        if (n >= (over ? 2 : wanted->least))
            return n;
    }
    return 0;
}

size_t extent_dir_alike(struct extent_dir *dir, uint32_t *at, const struct extent_wanted *wanted,
                        struct extent_ref *refs)
{
    size_t n = 0;
    pthread_rwlock_rdlock(&dir->lock);
    for (; *at < dir->n_groups; ++*at) {
        const struct extent_group *g = dir->groups[*at];
        n = g && g->n >= 2 ? alike_in(g, wanted, refs) : 0;
        if (n)
            break;
    }
    pthread_rwlock_unlock(&dir->lock);
    return n;
}

/* ---- days ---- */
int extent_dir_of_days(struct extent_dir *dir, int64_t from_ms, unsigned days, struct extent_ref **ret, size_t *ret_n)
{
    int64_t to_ms;
    if (__builtin_add_overflow(from_ms, (int64_t)days * 86400000, &to_ms))
        to_ms = INT64_MAX;
    struct extent_ref *refs = NULL;
    size_t n = 0, cap = 0;
    int r = 0;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t at = 0; r == 0 && at < dir->n_groups; at++) {
        const struct extent_group *g = dir->groups[at];
        for (size_t i = 0; r == 0 && g && i < g->n; i++) {
            if (g->refs[i].bad || g->refs[i].held || g->refs[i].min_ms < from_ms || g->refs[i].min_ms >= to_ms)
                continue;
            if (n == cap) {
                cap = cap ? cap * 2 : 256;
                struct extent_ref *more = realloc(refs, cap * sizeof *refs);
                r = more ? 0 : -ENOMEM;
                refs = more ? more : refs;
            }
            if (r == 0)
                refs[n++] = g->refs[i];
        }
    }
    pthread_rwlock_unlock(&dir->lock);
    if (r < 0) {
        free(refs);
        return r;
    }
    *ret = refs;
    *ret_n = n;
    return 0;
}

static struct extent_day *day_of(struct extent_day *days, size_t *n, size_t max, int64_t day_ms)
{
    for (size_t i = *n; i-- > 0;) /* neighbours are of one day, mostly the last */
        if (days[i].day_ms == day_ms)
            return &days[i];
    if (*n == max)
        return NULL;
    days[*n] = (struct extent_day){.day_ms = day_ms};
    return &days[(*n)++];
}

static void add_part(struct extent_day *day, uint32_t part)
{
    for (size_t i = 0; i < day->n_parts; i++)
        if (day->parts[i] == part)
            return;
    if (day->n_parts < DAY_PARTS_MAX)
        day->parts[day->n_parts++] = part;
}

size_t extent_dir_days(struct extent_dir *dir, int64_t before_ms, struct extent_day *days, size_t max)
{
    size_t n = 0;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t at = 0; at < dir->n_groups; at++) {
        const struct extent_group *g = dir->groups[at];
        for (size_t i = 0; g && i < g->n && g->refs[i].min_ms < before_ms; i++) {
            const struct extent_ref *ref = &g->refs[i];
            struct extent_day *day = ref->bad || ref->held ? NULL : day_of(days, &n, max, day_start_ms(ref->min_ms));
            if (!day)
                continue;
            if (ref->part) {
                day->part_bytes += ref->group & EXTENT_ROLLUPS ? 0 : ref->n_bytes;
                add_part(day, ref->part);
            } else {
                day->hot_bytes += ref->n_bytes;
            }
        }
    }
    pthread_rwlock_unlock(&dir->lock);
    return n;
}

void extent_dir_lacks(struct extent_dir *dir, uint32_t group, uint32_t id, uint32_t lacks)
{
    pthread_rwlock_wrlock(&dir->lock);
    struct extent_ref *ref = find(dir, group, id);
    if (ref)
        ref->lacks = lacks;
    pthread_rwlock_unlock(&dir->lock);
}

void extent_dir_moved(struct extent_dir *dir, uint32_t group, uint32_t id, uint32_t part)
{
    pthread_rwlock_wrlock(&dir->lock);
    struct extent_ref *ref = find(dir, group, id);
    if (ref)
        ref->part = part;
    pthread_rwlock_unlock(&dir->lock);
}

int extent_dir_reserve(struct extent_dir *dir, uint32_t group, size_t n)
{
    pthread_rwlock_wrlock(&dir->lock);
    int r = reserve_locked(dir, group, n);
    pthread_rwlock_unlock(&dir->lock);
    return r;
}

bool extent_dir_has(struct extent_dir *dir, uint32_t group, const uint32_t *ids, size_t n)
{
    bool all = true;
    pthread_rwlock_rdlock(&dir->lock);
    for (size_t i = 0; i < n; i++)
        all = all && find(dir, group, ids[i]);
    pthread_rwlock_unlock(&dir->lock);
    return all;
}

void extent_dir_replace(struct extent_dir *dir, uint32_t group, const uint32_t *ids, size_t n,
                        const struct extent_ref *refs, size_t n_refs)
{
    pthread_rwlock_wrlock(&dir->lock);
    for (size_t i = 0; i < n; i++)
        remove_locked(dir, group, ids[i]);
    for (size_t i = 0; i < n_refs; i++)
        add_locked(dir, &refs[i]);
    pthread_rwlock_unlock(&dir->lock);
}

void extent_dir_span(struct extent_dir *dir, int64_t *ret_min_ms, int64_t *ret_max_ms)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    pthread_rwlock_rdlock(&dir->lock);
    for (uint32_t at = 0; at < dir->n_groups; at++) {
        const struct extent_group *g = is_rollup_slot(at) ? NULL : dir->groups[at];
        for (size_t i = 0; g && i < g->n; i++) {
            min = g->refs[i].min_ms < min ? g->refs[i].min_ms : min;
            max = g->refs[i].max_ms > max ? g->refs[i].max_ms : max;
        }
    }
    pthread_rwlock_unlock(&dir->lock);
    *ret_min_ms = min;
    *ret_max_ms = max;
}

struct extent_totals extent_dir_totals(struct extent_dir *dir)
{
    pthread_rwlock_rdlock(&dir->lock);
    struct extent_totals totals = {dir->n, dir->n_bytes, dir->n_rollup_bytes, dir->n_bad};
    pthread_rwlock_unlock(&dir->lock);
    return totals;
}
