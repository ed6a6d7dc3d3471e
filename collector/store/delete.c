/* Deleting: a tombstone per group of series, in head.db and in every view from then on; what it hides is removed when the
 * compactor rewrites the extents (compact.c, part.c), and then it goes itself. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

#define FORGET_AT_ONCE 4096u /* rows per transaction: commits of samples wait for it */
#define CLEAN_MS 5000        /* as long a cleaning waits for readers that need what was deleted */

/* ---- at start ---- */
int store_load_tombstones(struct store *s)
{
    int r;
    struct tombstone *list = NULL;
    size_t n = 0, cap = 0;
    while ((r = db_step(s->db, SQL_TOMB_ALL)) > 0) {
        struct tombstone t = {.row = db_i64(s->db, SQL_TOMB_ALL, 0),
                              .min_ms = db_i64(s->db, SQL_TOMB_ALL, 4),
                              .max_ms = db_i64(s->db, SQL_TOMB_ALL, 5)};
        int64_t group = db_i64(s->db, SQL_TOMB_ALL, 1), last_id = db_i64(s->db, SQL_TOMB_ALL, 2);
        struct span ords = db_blob(s->db, SQL_TOMB_ALL, 3);
        if (!extent_group_exists(group, SERIES_LIMIT) || last_id < 0 || last_id >= UINT32_MAX ||
            ords.len != sizeof t.ords)
            continue; /* no row of ours */
        t.group = (uint32_t)group;
        t.last_id = (uint32_t)last_id;
        memcpy(t.ords, ords.ptr, sizeof t.ords);
        if (n == cap) {
            cap = cap ? cap * 2 : 64;
            struct tombstone *more = realloc(list, cap * sizeof *list);
            if (!more) {
                db_reset(s->db, SQL_TOMB_ALL);
                free(list);
                return -ENOMEM;
            }
            list = more;
        }
        list[n++] = t;
        if (t.last_id >= s->next_extent) /* numbers that it hides must not come again */
            s->next_extent = t.last_id + 1;
    }
    if (r == 0 && n)
        r = tombstones_with(NULL, list, n, &s->view.dead);
    free(list);
    return r;
}

/* ---- a deletion ---- */
struct deletion {
    struct tombstone *list; /* by group */
    size_t n, cap;
    uint64_t series;
    int error;
};

static int add_tombstone(struct deletion *d, const struct tombstone *t)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 64;
        struct tombstone *list = realloc(d->list, cap * sizeof *list);
        if (!list)
            return -ENOMEM;
        d->list = list;
        d->cap = cap;
    }
    d->list[d->n++] = *t;
    return 0;
}

/* `ids` ascend. */
static int add_ids(struct deletion *d, const struct store_selection *sel, const struct store_series *series, size_t n)
{
    size_t from = d->n;
    for (size_t i = 0; i < n; i++) {
        uint32_t group = series[i].id / EXTENT_SERIES_MAX;
        unsigned ord = series[i].id % EXTENT_SERIES_MAX;
        if (d->n == from || d->list[d->n - 1].group != group) {
            int r = add_tombstone(d, &(struct tombstone){.group = group, .min_ms = sel->min_ms, .max_ms = sel->max_ms});
            if (r < 0)
                return r;
        }
        d->list[d->n - 1].ords[ord / 64] |= UINT64_C(1) << ord % 64;
    }
    d->series += n;
    return 0;
}

static int select_dead(struct store *s, const struct store_selection *selections, size_t n, struct deletion *d)
{
    struct store_reader *rd = NULL;
    int r = store_reader_open(s, &rd);
    if (r == 0)
        store_reader_see_gone(rd); /* series of which only rollups are left, too */
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct arena arena;
        struct store_selection all = selections[i];
        struct store_series *series = NULL;
        size_t n_series = 0;
        all.limit = 0;
        arena_init(&arena, QUERY_BYTES_MAX);
        r = store_select(rd, &all, &arena, &series, &n_series);
        if (r == 0)
            r = add_ids(d, &all, series, n_series);
        arena_done(&arena);
    }
    store_reader_close(rd);
    return r;
}

static int put_tombstone(struct store *s, struct tombstone *t)
{
    db_bind_i64(s->db, SQL_TOMB_PUT, 1, t->group);
    db_bind_i64(s->db, SQL_TOMB_PUT, 2, t->last_id);
    db_bind_blob(s->db, SQL_TOMB_PUT, 3, t->ords, sizeof t->ords);
    db_bind_i64(s->db, SQL_TOMB_PUT, 4, t->min_ms);
    db_bind_i64(s->db, SQL_TOMB_PUT, 5, t->max_ms);
    int r = db_run(s->db, SQL_TOMB_PUT);
    if (r == 0)
        t->row = db_last_id(s->db);
    store_wrote(s, 64);
    return r;
}

static void set_view(struct store *s, struct tombstones *dead, bool more)
{
    pthread_mutex_lock(&s->view_lock);
    struct tombstones *old = s->view.dead;
    s->view.dead = dead;
    s->view.dead_generation += more;
    pthread_mutex_unlock(&s->view_lock);
    tombstones_release(old);
    atomic_store_explicit(&s->tombstones, dead ? dead->n : 0, memory_order_relaxed);
}

/* Native histograms and rollups lie in extents of their own, of groups of their own. */
static int add_kinds(struct store *s, struct deletion *d)
{
    static const uint32_t KINDS[] = {EXTENT_HISTOGRAMS, EXTENT_ROLLUPS_1H, EXTENT_ROLLUPS_5M};
    int r = 0;
    for (size_t k = 0, n = d->n; k < ARRAY_LEN(KINDS); k++)
        for (size_t i = 0; r == 0 && i < n; i++) {
            struct tombstone t = d->list[i];
            t.last_id = s->next_extent - 1;
            t.group |= KINDS[k];
            if (extent_dir_hides(&s->extents, &t))
                r = add_tombstone(d, &t);
        }
    return r;
}

int store_bury(struct store *s, struct tombstone *list, size_t n)
{
    struct tombstones *dead = NULL;
    size_t known = s->view.dead ? s->view.dead->n : 0;
    if (known + n > STORE_TOMBSTONES_MAX)
        return -E2BIG;
    int r = s->db ? db_begin(s->db) : 0;
    for (size_t i = 0; r == 0 && s->db && i < n; i++)
        r = put_tombstone(s, &list[i]);
    if (r == 0)
        r = tombstones_with(s->view.dead, list, n, &dead);
    if (r == 0)
        r = store_delete_exemplars(s, list, n);
    if (r == 0 && s->db)
        r = db_commit(s->db);
    else if (s->db)
        db_rollback(s->db);
    if (r < 0) {
        exemplars_undo(s->exemplars);
        tombstones_release(dead);
        return r;
    }
    exemplars_keep(s->exemplars);
    set_view(s, dead, true);
    s->unsynced_us = s->unsynced_us ? s->unsynced_us : mono_us();
    return 0;
}

/* On the writer's thread: everything that may be meant is sealed, so one number tells it from what comes later. */
static void bury(struct store *s, void *ctx)
{
    struct deletion *d = ctx;
    size_t known = s->view.dead ? s->view.dead->n : 0;
    d->error = known + d->n > STORE_TOMBSTONES_MAX ? -E2BIG : store_seal_all(s);
    if (d->error == 0)
        d->error = add_kinds(s, d);
    for (size_t i = 0; i < d->n; i++)
        d->list[i].last_id = s->next_extent - 1;
    if (d->error == 0)
        d->error = store_bury(s, d->list, d->n);
    if (d->error == 0)
        store_count(s, COUNT_DELETED_SERIES, d->series);
}

int store_delete(struct store *s, const struct store_selection *selections, size_t n, uint64_t *ret_series)
{
    struct deletion d = {0};
    int r = select_dead(s, selections, n, &d);
    if (r == 0 && d.n) {
        r = store_call(s, bury, &d);
        r = r < 0 ? r : d.error;
    }
    free(d.list);
    if (r == 0)
        *ret_series = d.series;
    return r;
}

/* ---- and its end ---- */
/* May extents that it hides come back at the next start: a file that could not be read, or rows that only the list has dropped? */
static bool may_come_back(const struct store *s, const struct tombstone *t)
{
    for (size_t i = 0; i < s->n_parts; i++) {
        const struct part *part = &s->parts[i];
        int64_t end_ms;
        if (__builtin_add_overflow(part->from_ms, (int64_t)part->days * 86400000 - 1, &end_ms))
            end_ms = INT64_MAX;
        if ((part->damaged || part->retired) && t->min_ms <= end_ms && t->max_ms >= part->from_ms)
            return true;
    }
    return false;
}

static int forget_rows(struct store *s, const struct tombstones *dead, const bool *gone)
{
    int r = db_begin(s->db);
    for (size_t i = 0; r == 0 && i < dead->n; i++) {
        if (!gone[i])
            continue;
        db_bind_i64(s->db, SQL_TOMB_DELETE, 1, dead->list[i].row);
        r = db_run(s->db, SQL_TOMB_DELETE);
        store_wrote(s, 8);
    }
    if (r == 0)
        return db_commit(s->db);
    db_rollback(s->db);
    return r;
}

int store_forget_some_tombstones(struct store *s)
{
    struct tombstones *dead = s->view.dead, *left = NULL;
    if (!dead)
        return 0;
    AUTO_FREE bool *gone = calloc(dead->n, sizeof *gone);
    int r = gone ? 0 : -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; r == 0 && i < dead->n && n < FORGET_AT_ONCE; i++) {
        const struct tombstone *t = &dead->list[i];
        gone[i] = !extent_dir_hides(&s->extents, t) && !may_come_back(s, t);
        n += gone[i];
    }
    if (r == 0 && n == 0)
        return 0;
    if (r == 0)
        r = tombstones_without(dead, gone, &left);
    if (r == 0 && s->db && (r = forget_rows(s, dead, gone)) < 0)
        tombstones_release(left);
    if (r < 0)
        return r;
    set_view(s, left, false);
    return n == FORGET_AT_ONCE;
}

static void forget_some(struct store *s, void *ctx)
{
    *(int *)ctx = store_forget_some_tombstones(s);
}

int store_forget_tombstones(struct store *s)
{
    int more = 1, r = 0;
    while (r == 0 && more > 0)
        r = store_call(s, forget_some, &more);
    return r < 0 ? r : more;
}

int store_clean(struct store *s)
{
    int64_t until_us = mono_us() + CLEAN_MS * 1000;
    int r = store_compact(s);
    while (r == 0 && s->db && atomic_load_explicit(&s->tombstones, memory_order_relaxed) && mono_us() < until_us) {
        sleep_us(50000); /* readers that see what was deleted still need it; queries are short */
        r = store_compact(s);
    }
    return r;
}
