/* Days that are over move into files of their own; when a week is over since a week, its days' files become one. Extents go as
 * they are, under the same ids, so nobody's view changes: the directory learns where the row is now. Steps, each of them safe to
 * be cut off:
 *
 *   1  the file is written and synced       cut: head.db does not know it, the next start removes it
 *   2  head.db's table part names it, and   cut: rows are in both files; the next start takes the file's and drops head.db's,
 *      the files it replaces no more             and removes the replaced ones
 *   3  the directory points to it; the replaced files and head.db's rows go, some at a time
 *
 * A file with what was deleted is written anew without it: the extents that had some get new numbers, for which readers that
 * were opened before the deletion must be gone.
 *
 * Rollups of its days (rollup_make.h) are made with the file and stand in it, so they are as whole as it is.
 *
 * A file whose time gets a tenth more afterwards is written anew, with the old one's rows; so is one that lost a fourth to the
 * retention. The retention drops a file when it has dropped its last extent. */
#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "collector/store/part.h"
#include "collector/store/rollup_make.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define DAY_MS INT64_C(86400000)
#define DAYS_MAX 4096 /* looked at in one round */
#define LATE_SHARE 10 /* a file is written anew when a tenth more has come */
#define PAGE_BYTES 8192
#define DELETE_AT_ONCE 32                            /* rows per transaction: commits of samples wait for it */
#define WINDOW_PARTS_MAX (WEEK_DAYS * DAY_PARTS_MAX) /* a week's days, should the clock have gone to and fro */

struct window { /* of time, in whole days: what becomes one file */
    int64_t from_ms;
    unsigned days; /* 1, or a week */
    uint64_t hot_bytes, part_bytes;
    uint32_t parts[WINDOW_PARTS_MAX]; /* that have some of it */
    size_t n_parts;
};
struct purged { /* an extent of the old file and the one that takes its place */
    struct extent_ref was, is;
    bool empty; /* nothing does */
};
struct move {
    struct extent_ref *refs;
    size_t n;
    struct part part;            /* the new file */
    const struct window *window; /* with the files that it replaces */
    struct purged *purged;       /* those of refs that are rewritten, in their order */
    size_t n_purged;
    struct extent_ref *rollups, *old_rollups; /* of the new file; of those that it replaces */
    size_t n_rollups, n_old_rollups, rollups_max;
    struct tombstones *dead;
    uint64_t dead_generation;
    uint32_t next_id; /* for them */
    size_t rows;      /* in the new file */
    size_t from, to;  /* of refs: the rows to drop next */
    int error;
};

static char *name_of(const struct part *part)
{
    char text[96];
    const char *prefix = part->days > 1 ? PART_WEEK_PREFIX : PART_DAY_PREFIX;
    int64_t days = part->from_ms / DAY_MS;
    struct tm tm;
    time_t seconds = (time_t)(days * 86400);
    if (days >= 0 && days < 2932897 && gmtime_r(&seconds, &tm)) /* up to the year 9999 */
        (void)snprintf(text, sizeof text, "%s%04d-%02d-%02d-%u.db", prefix, tm.tm_year + 1900, tm.tm_mon + 1,
                       tm.tm_mday, part->id);
    else
        (void)snprintf(text, sizeof text, "%s%lld-%u.db", prefix, (long long)days, part->id);
    return span_dup(span_str(text));
}

static int put_row(struct db *to, const struct extent_ref *ref, const uint8_t *bytes, size_t n)
{
    db_bind_i64(to, SQL_EXT_PUT, 1, ref->id);
    db_bind_i64(to, SQL_EXT_PUT, 2, ref->group);
    db_bind_i64(to, SQL_EXT_PUT, 3, ref->min_ms);
    db_bind_i64(to, SQL_EXT_PUT, 4, ref->max_ms);
    db_bind_i64(to, SQL_EXT_PUT, 5, (int64_t)n);
    db_bind_i64(to, SQL_EXT_PUT, 6, ref->level);
    db_bind_blob(to, SQL_EXT_PUT, 7, bytes, n);
    return db_run(to, SQL_EXT_PUT);
}

static int copy_extent(struct extent_source *src, const struct extent_ref *ref, struct db *to)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    struct extent x;
    int r = extent_source_bytes(src, ref, &bytes, &n);
    if (r < 0)
        return r;
    if (extent_open(&x, bytes, n) < 0 || x.group != ref->group) {
        free(bytes);
        return -EBADMSG;
    }
    r = put_row(to, ref, bytes, n);
    free(bytes);
    return r;
}

/* What purging needs from extent to extent. */
struct purge {
    struct gathered gathered;
    struct cutter cutter;
};

/* The extent without what was deleted, under the next number. */
static int purge_extent(struct extent_source *src, struct move *m, const struct extent_ref *ref, struct purge *p,
                        struct db *to)
{
    struct loaded_extent loaded;
    struct purged *purged = &m->purged[m->n_purged];
    size_t dropped;
    int r = store_gather(src, ref, 1, m->dead, &loaded, &p->gathered, &dropped);
    loaded_extent_free(&loaded);
    cutter_keep(&p->cutter, 0);
    if (r == 0)
        r = cutter_cut(&p->cutter, ref->group, ref->level, &p->gathered);
    if (r < 0)
        return r;
    *purged = (struct purged){.was = *ref, .empty = p->cutter.n == 0};
    assert(p->cutter.n <= 1); /* it was one, of one day and not too long, and has less now */
    if (!purged->empty) {
        purged->is = p->cutter.extents[0];
        purged->is.id = m->next_id++;
        purged->is.since = ref->since;
        purged->is.part = m->part.id;
        r = put_row(to, &purged->is, purged->is.bytes, purged->is.n_bytes);
        purged->is.bytes = NULL; /* the cutter's */
        m->rows += r == 0;
    }
    m->n_purged += r == 0;
    return r;
}

static int put_extent(struct extent_source *src, struct move *m, size_t i, size_t *kept, struct purge *p, struct db *db)
{
    const struct extent_ref *ref = &m->refs[i];
    bool dead = tombstones_touch(m->dead, ref);
    int r = 0;
    if (dead && ref->part == 0) /* it stays in head.db, to be rewritten there */
        return 0;
    if (dead) {
        r = purge_extent(src, m, ref, p, db);
    } else {
        r = copy_extent(src, ref, db);
        m->rows += r == 0;
        if (r == 0)
            m->refs[(*kept)++] = m->refs[i];
    }
    return r == -EBADMSG || r == -EUCLEAN || r == -ENOENT ? 0 : r;
}

/* ---- rollups ---- */
struct new_file {
    struct move *move;
    struct db *db;
    struct extent_source source;
    struct purge purge;
    struct rollup_maker maker;
    size_t kept;
};

static int put_rollups(void *ctx, const struct extent_ref *ref)
{
    struct new_file *f = ctx;
    struct move *m = f->move;
    struct extent_ref *row = &m->rollups[m->n_rollups];
    assert(m->n_rollups < m->rollups_max);
    *row = *ref;
    row->id = m->next_id++;
    row->part = m->part.id;
    row->bytes = NULL;
    int r = put_row(f->db, row, ref->bytes, ref->n_bytes);
    m->n_rollups += r == 0;
    m->rows += r == 0;
    return r;
}

/* Extent i goes into the file; behind the last one of its series come their rollups. */
static int put_next(struct new_file *f, size_t i)
{
    struct move *m = f->move;
    struct extent_ref ref = m->refs[i];
    bool last = i + 1 == m->n || extent_floats_of(m->refs[i + 1].group) != extent_floats_of(ref.group);
    size_t rows = m->rows;
    int r = 0;
    if (ref.group & EXTENT_ROLLUPS)
        m->old_rollups[m->n_old_rollups++] = ref;
    else
        r = put_extent(&f->source, m, i, &f->kept, &f->purge, f->db);
    if (r == 0 && (ref.group & EXTENT_ROLLUPS || (m->rows > rows && !(ref.group & EXTENT_HISTOGRAMS))))
        r = rollup_maker_add(&f->maker, &ref);
    return r == 0 && last ? rollup_maker_group(&f->maker, put_rollups, f) : r;
}

/* Step 1. What is damaged or gone meanwhile is left out, where it is. */
static int write_file(struct store *s, struct move *m, const char *path)
{
    struct new_file f = {.move = m};
    const struct db_options options = {.bulk = true,
                                       .sync = DB_SYNC_FULL,
                                       .page_bytes = PAGE_BYTES,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = PART_MIGRATIONS,
                                       .application_id = PART_APPLICATION_ID};
    extent_source_init(&f.source, s, false);
    rollup_maker_init(&f.maker, s, &f.source, m->dead);
    int r = db_open(path, &options, &f.db, NULL, 0);
    if (r == 0)
        r = db_begin(f.db);
    for (size_t i = 0; r == 0 && i < m->n && mono_us() < atomic_load(&s->compactor.until_us); i++) {
        r = put_next(&f, i);
        if (r == 0 && i + 1 == m->n)
            r = db_commit(f.db);
    }
    m->n = f.kept;
    if (r == 0 && db_in_transaction(f.db))
        r = -EINTR; /* the store closes */
    db_close(f.db);
    rollup_maker_done(&f.maker);
    extent_source_done(&f.source);
    gathered_done(&f.purge.gathered);
    cutter_done(&f.purge.cutter);
    return r == 0 ? db_sync_file(path) : r;
}

/* Numbers for what is rewritten, and for rollups. A deletion that comes after this hides them too. */
static void reserve_ids(struct store *s, void *ctx)
{
    struct move *m = ctx;
    m->next_id = s->next_extent;
    s->next_extent += (uint32_t)(m->n_purged + m->rollups_max);
}

/* The list's part of a move; it does not fail. */
static void point_to_file(struct store *s, struct move *m)
{
    uint32_t extents = 0;
    for (size_t i = 0; i < m->n; i++) {
        extents += extent_dir_has(&s->extents, m->refs[i].group, &m->refs[i].id, 1); /* not retired meanwhile */
        extent_dir_moved(&s->extents, m->refs[i].group, m->refs[i].id, m->part.id);
    }
    for (size_t i = 0; i < m->n_purged; i++) {
        const struct purged *p = &m->purged[i];
        if (!extent_dir_has(&s->extents, p->was.group, &p->was.id, 1))
            continue;
        extent_dir_replace(&s->extents, p->was.group, &p->was.id, 1, &p->is, !p->empty); /* into the old one's room */
        extents += !p->empty;
    }
    for (size_t i = 0; i < m->n_old_rollups; i++)
        extent_dir_remove(&s->extents, m->old_rollups[i].group, m->old_rollups[i].id);
    for (size_t i = 0; i < m->n_rollups; i++) /* without memory for it the next start finds it */
        extents += extent_dir_add(&s->extents, &m->rollups[i]) == 0;
    struct part *part = m->rows ? part_find(s, m->part.id) : NULL;
    if (part) {
        part->extents = extents;
        part->retired = extents < m->rows;
    }
}

/* Steps 2 and 3, on the writer's thread. */
static void adopt(struct store *s, void *ctx)
{
    struct move *m = ctx;
    bool early = m->n_purged && store_oldest_view(s).dead_generation < m->dead_generation;
    bool late =
        m->n_rollups && s->view.dead_generation != m->dead_generation; /* they have what was deleted meanwhile */
    m->error = early || late ? -EAGAIN : db_begin(s->db);
    if (m->error < 0)
        return;
    int r = 0;
    if (m->rows) { /* else all that it had was deleted */
        db_bind_i64(s->db, SQL_PART_PUT, 1, m->part.id);
        db_bind_text(s->db, SQL_PART_PUT, 2, span_str(m->part.name));
        db_bind_i64(s->db, SQL_PART_PUT, 3, m->part.from_ms);
        db_bind_i64(s->db, SQL_PART_PUT, 4, m->part.days);
        r = db_run(s->db, SQL_PART_PUT);
    }
    for (size_t i = 0; r == 0 && i < m->window->n_parts; i++) {
        db_bind_i64(s->db, SQL_PART_DELETE, 1, m->window->parts[i]);
        r = db_run(s->db, SQL_PART_DELETE);
    }
    if (r == 0 && m->rows)
        r = part_add(s, m->part.id, m->part.from_ms, m->part.days, m->part.name);
    if (r == 0 && (r = db_commit(s->db)) < 0 && m->rows) {
        m->part.name = span_dup(span_str(m->part.name)); /* the list's goes */
        part_forget(s, m->part.id);
    }
    db_rollback(s->db);
    store_wrote(s, 0);
    m->error = r;
    if (r < 0)
        return;
    point_to_file(s, m);
    store_count(s, COUNT_PURGED_EXTENTS, m->n_purged);
    for (size_t i = 0; i < m->window->n_parts; i++)
        part_drop(s, m->window->parts[i]);
}

static void drop_rows(struct store *s, void *ctx)
{
    struct move *m = ctx;
    int r = db_begin(s->db);
    for (size_t i = m->from; r == 0 && i < m->to; i++) {
        if (m->refs[i].part)
            continue;
        db_bind_i64(s->db, SQL_EXT_DELETE, 1, m->refs[i].id);
        r = db_run(s->db, SQL_EXT_DELETE);
    }
    if (r == 0)
        r = db_commit(s->db);
    db_rollback(s->db);
    store_wrote(s, DELETE_AT_ONCE * 4096);
    m->error = r;
}

static size_t count_dead(const struct tombstones *dead, const struct extent_ref *refs, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; dead && i < n; i++)
        found += refs[i].part && tombstones_touch(dead, &refs[i]);
    return found;
}

static int make_file(struct store *s, struct move *m)
{
    char path[PART_PATH_MAX];
    m->part.name = name_of(&m->part);
    int r = m->part.name ? part_path_of(s, m->part.name, path) : -ENOMEM;
    if (r < 0)
        return r;
    r = write_file(s, m, path);
    if (r == 0 && (m->rows || m->n_purged || m->n_old_rollups)) {
        r = store_call(s, adopt, m);
        r = r < 0 ? r : m->error;
    }
    if (r < 0 || m->rows == 0)
        (void)unlink(path);
    return r;
}

/* Are the files that it replaces all that have its extents, and is nothing else in them? Always, unless the clock went to and fro. */
static bool is_whole(struct store *s, const struct move *m)
{
    const struct window *w = m->window;
    for (size_t i = 0; i < w->n_parts; i++)
        if (part_days(s, w->parts[i]) > w->days)
            return false;
    for (size_t i = 0; i < m->n; i++) {
        bool known = m->refs[i].part == 0;
        for (size_t k = 0; !known && k < w->n_parts; k++)
            known = m->refs[i].part == w->parts[k];
        if (!known)
            return false;
    }
    return true;
}

static int move_window(struct store *s, const struct window *window, bool due)
{
    struct move m = {.part = {.id = s->next_part, .from_ms = window->from_ms, .days = window->days}, .window = window};
    int r = extent_dir_of_days(&s->extents, window->from_ms, window->days, &m.refs, &m.n);
    if (r < 0)
        return r;
    if (!is_whole(s, &m)) {
        free(m.refs);
        return 0;
    }
    m.dead = store_hold_tombstones(s, &m.dead_generation);
    m.n_purged = count_dead(m.dead, m.refs, m.n);
    bool purge = m.n_purged > 0;
    if (purge && store_oldest_view(s).dead_generation < m.dead_generation)
        r = -EAGAIN;
    m.rollups_max = rollup_rows_max(m.refs, m.n);
    if (r == 0 && m.n && (due || purge))
        r = store_call(s, reserve_ids, &m);
    if (r == 0 && m.n && (due || purge)) {
        m.purged = calloc(m.n_purged + 1, sizeof *m.purged);
        m.rollups = calloc(m.rollups_max + 1, sizeof *m.rollups);
        m.old_rollups = calloc(m.n + 1, sizeof *m.old_rollups);
        m.n_purged = 0;
        r = m.purged && m.rollups && m.old_rollups ? make_file(s, &m) : -ENOMEM;
        if (r == 0 && m.rows) {
            s->next_part++;
            store_count(s, window->days > 1 ? COUNT_MOVED_WEEKS : COUNT_MOVED_DAYS, 1);
        } else {
            free(m.part.name);
        }
        for (m.from = 0; r == 0 && m.from < m.n; m.from = m.to) { /* what stays is dropped by the next start */
            m.to = m.from + DELETE_AT_ONCE < m.n ? m.from + DELETE_AT_ONCE : m.n;
            r = store_call(s, drop_rows, &m);
            r = r < 0 ? r : m.error;
        }
    }
    tombstones_release(m.dead);
    free(m.purged);
    free(m.rollups);
    free(m.old_rollups);
    free(m.refs);
    return r;
}

/* ---- what is due ---- */
static int64_t week_start_ms(int64_t t_ms)
{
    int64_t day_ms = day_start_ms(t_ms), weekday = (day_ms / DAY_MS + 3) % WEEK_DAYS; /* 1970 began on a Thursday */
    weekday += weekday < 0 ? WEEK_DAYS : 0;
    int64_t week_ms;
    return __builtin_sub_overflow(day_ms, weekday * DAY_MS, &week_ms) ? day_ms : week_ms;
}

static bool add_day(struct window *w, const struct extent_day *day)
{
    if (w->n_parts + day->n_parts > WINDOW_PARTS_MAX)
        return false;
    for (size_t i = 0; i < day->n_parts; i++) {
        bool known = false;
        for (size_t k = 0; k < w->n_parts; k++)
            known = known || w->parts[k] == day->parts[i];
        if (!known)
            w->parts[w->n_parts++] = day->parts[i];
    }
    w->hot_bytes += day->hot_bytes;
    w->part_bytes += day->part_bytes;
    return true;
}

static int by_day(const void *a, const void *b)
{
    const struct extent_day *x = a, *y = b;
    return (x->day_ms > y->day_ms) - (x->day_ms < y->day_ms);
}

/* A day by itself, or all that there is of a week that is over since a week, or that has a file already (the clock was put
 * back). Returns the days taken. */
static size_t take_window(struct store *s, const struct extent_day *days, size_t n, int64_t weeks_before_ms,
                          struct window *ret)
{
    int64_t week_ms = week_start_ms(days[0].day_ms), week_end_ms;
    bool week = !__builtin_add_overflow(week_ms, WEEK_DAYS * DAY_MS, &week_end_ms) && week_end_ms <= weeks_before_ms;
    for (size_t i = 0; i < days[0].n_parts; i++)
        week = week || part_days(s, days[0].parts[i]) > 1;
    *ret = (struct window){.from_ms = week ? week_ms : days[0].day_ms, .days = week ? WEEK_DAYS : 1};
    size_t taken = 0;
    while (taken < n && days[taken].day_ms >= ret->from_ms &&
           (taken == 0 || (week && days[taken].day_ms < week_end_ms)) && add_day(ret, &days[taken]))
        taken++;
    return taken ? taken : 1;
}

static bool is_due(struct store *s, const struct window *w, bool rollups_outlive)
{
    uint64_t least = w->part_bytes     ? w->part_bytes / LATE_SHARE
                     : rollups_outlive ? 1 /* of a small day, too: only files have rollups */
                                       : s->part_bytes_min;
    bool due = w->n_parts > 1 || (w->hot_bytes > 0 && w->hot_bytes >= least);
    for (size_t i = 0; !due && i < w->n_parts; i++)
        due = part_has_lost_much(s, w->parts[i]);
    return due;
}

int store_move_days(struct store *s, uint32_t last_id)
{
    int64_t before_ms, weeks_before_ms;
    if (__builtin_sub_overflow(store_now_ms(s), DAY_OVER_MS, &before_ms) ||
        __builtin_sub_overflow(before_ms, WEEK_DAYS * DAY_MS, &weeks_before_ms))
        return 0;
    AUTO_FREE struct extent_day *days = calloc(DAYS_MAX, sizeof *days);
    if (!days)
        return -ENOMEM;
    size_t n = extent_dir_days(&s->extents, day_start_ms(before_ms), days, DAYS_MAX);
    qsort(days, n, sizeof *days, by_day);
    struct retention *keep = store_hold_retention(s);
    bool later = false, rollups_outlive = retention_outlives(keep);
    int r = 0;
    size_t i = 0;
    retention_release(keep);
    while (r == 0 && i < n && mono_us() < atomic_load(&s->compactor.until_us)) {
        struct window window;
        i += take_window(s, &days[i], n - i, weeks_before_ms, &window);
        bool due = is_due(s, &window, rollups_outlive);
        if (due || (window.n_parts && atomic_load_explicit(&s->tombstones, memory_order_relaxed)))
            r = move_window(s, &window, due);
        later = later || r == -EAGAIN;
        r = r == -EAGAIN ? 0 : r;
    }
    if (r == 0 && !later && i == n && n < DAYS_MAX) {
        atomic_store(&s->rolled_before_ms, day_start_ms(before_ms));
        atomic_store(&s->rolled_id, last_id);
    }
    if (r < 0 && r != -EINTR && r != -ESHUTDOWN) {
        store_count(s, COUNT_MOVE_FAILURES, 1);
        log_warn("a day could not move into a file of its own: it stays where it is", "error", "%s", strerror(-r));
    }
    return r == 0 && later ? -EAGAIN : r;
}
