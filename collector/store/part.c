/* Days that are over move into files of their own. Extents go as they are, under the same ids, so nobody's view changes: the
 * directory learns where the row is now. Steps, each of them safe to be cut off:
 *
 *   1  the file is written and synced       cut: head.db does not know it, the next start removes it
 *   2  head.db's table part names it        cut: rows are in both files; the next start takes the file's and drops head.db's
 *   3  the directory points to it; head.db's rows go, some at a time
 *
 * A file with what was deleted is written anew without it: the extents that had some get new numbers, for which readers that
 * were opened before the deletion must be gone.
 *
 * A day that gets a tenth more afterwards is written anew, with the old file's rows; so is one that lost a fourth to the
 * retention. The retention drops a file when it has dropped its last extent. */
#include <assert.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#define DAYS_MAX 4096   /* looked at in one round */
#define LATE_SHARE 10   /* a day's file is written anew when a tenth more has come */
#define RETIRED_SHARE 4 /* and when a fourth of it is not in use any more */
#define PAGE_BYTES 8192
#define DELETE_AT_ONCE 32 /* rows per transaction: commits of samples wait for it */
#define PREFIX "day-"

static int path_of(const struct store *s, const char *name, char path[PART_PATH_MAX])
{
    return snprintf(path, PART_PATH_MAX, "%s/%s", s->path, name) < PART_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static struct part *find_part(struct store *s, uint32_t id)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].id == id)
            return &s->parts[i];
    return NULL;
}

int store_part_path(struct store *s, uint32_t id, char path[PART_PATH_MAX])
{
    pthread_mutex_lock(&s->parts_lock);
    const struct part *part = find_part(s, id);
    int r = part ? path_of(s, part->name, path) : -ENOENT;
    pthread_mutex_unlock(&s->parts_lock);
    return r;
}

static uint64_t bytes_of(const struct store *s, const char *name)
{
    char path[PART_PATH_MAX];
    struct stat st;
    return path_of(s, name, path) == 0 && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t store_parts_bytes(const struct store *s)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        bytes += s->parts[i].bytes;
    return bytes;
}

/* Takes the name. */
static int add_part(struct store *s, uint32_t id, int64_t day_ms, char *name)
{
    pthread_mutex_lock(&s->parts_lock);
    struct part *parts = realloc(s->parts, (s->n_parts + 1) * sizeof *parts);
    if (parts) {
        s->parts = parts;
        parts[s->n_parts++] = (struct part){.id = id, .day_ms = day_ms, .name = name, .bytes = bytes_of(s, name)};
    }
    pthread_mutex_unlock(&s->parts_lock);
    return parts ? 0 : -ENOMEM;
}

static void forget_part(struct store *s, uint32_t id)
{
    pthread_mutex_lock(&s->parts_lock);
    struct part *part = find_part(s, id);
    if (part) {
        free(part->name);
        *part = s->parts[--s->n_parts];
    }
    pthread_mutex_unlock(&s->parts_lock);
}

void store_parts_free(struct store *s)
{
    for (size_t i = 0; i < s->n_parts; i++)
        free(s->parts[i].name);
    free(s->parts);
    s->parts = NULL;
    s->n_parts = 0;
}

/* ---- start ---- */
static int list_extents(struct store *s, struct part *part, struct db *db)
{
    int r;
    while ((r = db_step(db, SQL_EXT_LIST)) > 0) {
        int64_t id = db_i64(db, SQL_EXT_LIST, 0), group = db_i64(db, SQL_EXT_LIST, 1);
        struct extent_ref ref = {.min_ms = db_i64(db, SQL_EXT_LIST, 2),
                                 .max_ms = db_i64(db, SQL_EXT_LIST, 3),
                                 .n_bytes = (uint32_t)db_i64(db, SQL_EXT_LIST, 4),
                                 .level = (uint8_t)db_i64(db, SQL_EXT_LIST, 5),
                                 .part = part->id};
        if (id < 1 || id >= UINT32_MAX || !extent_group_exists(group, SERIES_LIMIT))
            continue; /* no row of ours */
        ref.id = ref.since = (uint32_t)id;
        ref.group = (uint32_t)group;
        r = extent_dir_add(&s->extents, &ref);
        if (r < 0) {
            db_reset(db, SQL_EXT_LIST);
            return r;
        }
        part->extents++;
        if (ref.id >= s->next_extent)
            s->next_extent = ref.id + 1;
    }
    return r;
}

static int load_part(struct store *s, struct part *part)
{
    char path[PART_PATH_MAX], why[256] = "";
    struct db *db = NULL;
    const struct db_options options = {.read_only = true,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = PART_MIGRATIONS,
                                       .application_id = PART_APPLICATION_ID};
    int r = path_of(s, part->name, path);
    if (r == 0)
        r = db_open(path, &options, &db, why, sizeof why);
    if (r == 0)
        r = list_extents(s, part, db);
    if (r < 0 && r != -ENOMEM)
        log_error("a day's file cannot be read: its samples are left out", "file", "%s", path, "error", "%s",
                  db ? db_why(db) : why);
    db_close(db);
    return r;
}

static bool is_listed(const struct store *s, const char *name)
{
    for (size_t i = 0; i < s->n_parts; i++)
        if (strcmp(s->parts[i].name, name) == 0)
            return true;
    return false;
}

/* Files that no manifest names: a move that was cut off, or a file that was dropped and not removed. */
static void remove_strangers(struct store *s)
{
    char pattern[PART_PATH_MAX];
    struct file_list files;
    if (path_of(s, PREFIX "*.db*", pattern) < 0 || file_glob(pattern, &files) < 0)
        return;
    for (size_t i = 0; i < files.n; i++) {
        const char *name = strrchr(files.paths[i], '/');
        if (name && !is_listed(s, name + 1))
            (void)unlink(files.paths[i]);
    }
    file_list_done(&files);
}

int store_parts_load(struct store *s)
{
    int r;
    s->next_extent = 1;
    while ((r = db_step(s->db, SQL_PART_ALL)) > 0) {
        int64_t id = db_i64(s->db, SQL_PART_ALL, 0), day_ms = db_i64(s->db, SQL_PART_ALL, 2);
        char *name = span_dup(db_text(s->db, SQL_PART_ALL, 1));
        if (name && (id < 1 || id >= UINT32_MAX || strchr(name, '/'))) {
            free(name);
            continue;
        }
        r = name ? add_part(s, (uint32_t)id, day_ms, name) : -ENOMEM; /* one left out would be removed as a stranger */
        if (r < 0) {
            free(name);
            db_reset(s->db, SQL_PART_ALL);
            return r;
        }
        s->next_part = (uint32_t)id >= s->next_part ? (uint32_t)id + 1 : s->next_part;
    }
    if (r < 0)
        return r;
    remove_strangers(s);
    for (size_t i = 0; r == 0 && i < s->n_parts; i++) {
        r = load_part(s, &s->parts[i]);
        if (r < 0 && r != -ENOMEM) { /* it stays where it is, for whoever repairs it */
            s->parts[i].damaged = true;
            store_count(s, COUNT_BAD_PARTS, 1);
            r = 0;
        }
    }
    return r;
}

/* ---- moving ---- */
struct purged { /* an extent of the old file and the one that takes its place */
    struct extent_ref was, is;
    bool empty; /* nothing does */
};
struct move {
    struct extent_ref *refs;
    size_t n;
    struct part part;      /* the new file */
    uint32_t old;          /* the file it replaces, 0: none */
    struct purged *purged; /* those of refs that are rewritten, in their order */
    size_t n_purged;
    struct tombstones *dead;
    uint64_t dead_generation;
    uint32_t next_id; /* for them */
    size_t rows;      /* in the new file */
    size_t from, to;  /* of refs: the rows to drop next */
    int error;
};

static char *name_of(int64_t day_ms, uint32_t id)
{
    char text[96];
    int64_t days = day_ms / 86400000;
    struct tm tm;
    time_t seconds = (time_t)(days * 86400);
    if (days >= 0 && days < 2932897 && gmtime_r(&seconds, &tm)) /* up to the year 9999 */
        (void)snprintf(text, sizeof text, PREFIX "%04d-%02d-%02d-%u.db", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                       id);
    else
        (void)snprintf(text, sizeof text, PREFIX "%lld-%u.db", (long long)days, id);
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

/* Step 1. What is damaged or gone meanwhile is left out, where it is. */
static int write_file(struct store *s, struct move *m, const char *path)
{
    struct extent_source src;
    struct purge purge = {0};
    struct db *db = NULL;
    const struct db_options options = {.bulk = true,
                                       .sync = DB_SYNC_FULL,
                                       .page_bytes = PAGE_BYTES,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = PART_MIGRATIONS,
                                       .application_id = PART_APPLICATION_ID};
    extent_source_init(&src, s, false);
    int r = db_open(path, &options, &db, NULL, 0);
    if (r == 0)
        r = db_begin(db);
    size_t kept = 0;
    for (size_t i = 0; r == 0 && i < m->n && mono_us() < atomic_load(&s->compactor.until_us); i++) {
        r = put_extent(&src, m, i, &kept, &purge, db);
        if (r == 0 && i + 1 == m->n)
            r = db_commit(db);
    }
    m->n = kept;
    if (r == 0 && db_in_transaction(db))
        r = -EINTR; /* the store closes */
    db_close(db);
    extent_source_done(&src);
    gathered_done(&purge.gathered);
    cutter_done(&purge.cutter);
    return r == 0 ? db_sync_file(path) : r;
}

/* The writer's, when head.db does not name it any more. */
static void drop_file(struct store *s, uint32_t id)
{
    char path[PART_PATH_MAX];
    if (store_part_path(s, id, path) < 0)
        return;
    forget_part(s, id);
    store_connections_forget(s, id);
    if ((s->config.durability == STORE_NORMAL || s->lazy) && db_sync_log(s->db) < 0)
        return;         /* a power cut could bring back the row that names it: the next start removes it */
    (void)unlink(path); /* if it fails, the next start does it */
}

/* Numbers for what is rewritten. A deletion that comes after this hides them too. */
static void reserve_ids(struct store *s, void *ctx)
{
    struct move *m = ctx;
    m->next_id = s->next_extent;
    s->next_extent += (uint32_t)m->n_purged;
}

/* The list's part of a move; nothing of it can fail. */
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
    struct part *part = m->rows ? find_part(s, m->part.id) : NULL;
    if (part) {
        part->extents = extents;
        part->retired = extents < m->rows;
    }
}

/* Steps 2 and 3, on the writer's thread. */
static void adopt(struct store *s, void *ctx)
{
    struct move *m = ctx;
    m->error = m->n_purged && store_oldest_view(s).dead_generation < m->dead_generation ? -EAGAIN : db_begin(s->db);
    if (m->error < 0)
        return;
    int r = 0;
    if (m->rows) { /* else all that it had was deleted */
        db_bind_i64(s->db, SQL_PART_PUT, 1, m->part.id);
        db_bind_text(s->db, SQL_PART_PUT, 2, span_str(m->part.name));
        db_bind_i64(s->db, SQL_PART_PUT, 3, m->part.day_ms);
        r = db_run(s->db, SQL_PART_PUT);
    }
    if (r == 0 && m->old) {
        db_bind_i64(s->db, SQL_PART_DELETE, 1, m->old);
        r = db_run(s->db, SQL_PART_DELETE);
    }
    if (r == 0 && m->rows)
        r = add_part(s, m->part.id, m->part.day_ms, m->part.name);
    if (r == 0 && (r = db_commit(s->db)) < 0 && m->rows) {
        m->part.name = span_dup(span_str(m->part.name)); /* the list's goes */
        forget_part(s, m->part.id);
    }
    db_rollback(s->db);
    store_wrote(s, 0);
    m->error = r;
    if (r < 0)
        return;
    point_to_file(s, m);
    store_count(s, COUNT_PURGED_EXTENTS, m->n_purged);
    if (m->old)
        drop_file(s, m->old);
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
    m->part.name = name_of(m->part.day_ms, m->part.id);
    int r = m->part.name ? path_of(s, m->part.name, path) : -ENOMEM;
    if (r < 0)
        return r;
    r = write_file(s, m, path);
    if (r == 0 && (m->rows || m->n_purged)) {
        r = store_call(s, adopt, m);
        r = r < 0 ? r : m->error;
    }
    if (r < 0 || m->rows == 0)
        (void)unlink(path);
    return r;
}

static int move_day(struct store *s, const struct extent_day *day, bool due)
{
    struct move m = {.part = {.id = s->next_part, .day_ms = day->day_ms}, .old = day->part};
    int r = extent_dir_of_day(&s->extents, day->day_ms, &m.refs, &m.n);
    if (r < 0)
        return r;
    m.dead = store_hold_tombstones(s, &m.dead_generation);
    m.n_purged = count_dead(m.dead, m.refs, m.n);
    bool purge = m.n_purged > 0;
    if (purge && store_oldest_view(s).dead_generation < m.dead_generation)
        r = -EAGAIN;
    else if (purge)
        r = store_call(s, reserve_ids, &m);
    if (r == 0 && m.n && (due || purge)) {
        m.purged = calloc(m.n_purged + 1, sizeof *m.purged);
        m.n_purged = 0;
        r = m.purged ? make_file(s, &m) : -ENOMEM;
        if (r == 0 && m.rows) {
            s->next_part++;
            store_count(s, COUNT_MOVED_DAYS, 1);
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
    free(m.refs);
    return r;
}

static bool has_lost_much(struct store *s, uint32_t id)
{
    pthread_mutex_lock(&s->parts_lock);
    const struct part *part = id ? find_part(s, id) : NULL;
    bool much = part && atomic_load_explicit(&part->retired_bytes, memory_order_relaxed) > part->bytes / RETIRED_SHARE;
    pthread_mutex_unlock(&s->parts_lock);
    return much;
}

int store_move_days(struct store *s)
{
    int64_t before_ms;
    if (__builtin_sub_overflow(store_now_ms(s), DAY_OVER_MS, &before_ms))
        return 0;
    AUTO_FREE struct extent_day *days = calloc(DAYS_MAX, sizeof *days);
    if (!days)
        return -ENOMEM;
    size_t n = extent_dir_days(&s->extents, day_start_ms(before_ms), days, DAYS_MAX);
    bool later = false;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n && mono_us() < atomic_load(&s->compactor.until_us); i++) {
        uint64_t least = days[i].part ? days[i].part_bytes / LATE_SHARE : s->part_bytes_min;
        bool due = (days[i].hot_bytes > 0 && days[i].hot_bytes >= least) || has_lost_much(s, days[i].part);
        bool deletions = days[i].part && atomic_load_explicit(&s->tombstones, memory_order_relaxed);
        if (due || deletions)
            r = move_day(s, &days[i], due);
        later = later || r == -EAGAIN;
        r = r == -EAGAIN ? 0 : r;
    }
    if (r < 0 && r != -EINTR && r != -ESHUTDOWN) {
        store_count(s, COUNT_MOVE_FAILURES, 1);
        log_warn("a day could not move into a file of its own: it stays where it is", "error", "%s", strerror(-r));
    }
    return r == 0 && later ? -EAGAIN : r;
}

void store_part_extents_gone(struct store *s, const struct extent_ref *refs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct part *part = refs[i].part ? find_part(s, refs[i].part) : NULL;
        if (!part || part->extents == 0)
            continue;
        part->retired = true;
        atomic_fetch_add_explicit(&part->retired_bytes, refs[i].n_bytes, memory_order_relaxed);
        if (--part->extents > 0)
            continue;
        db_bind_i64(s->db, SQL_PART_DELETE, 1, part->id);
        if (db_run(s->db, SQL_PART_DELETE) == 0) /* else the next start finds it and the retention comes again */
            drop_file(s, part->id);
    }
}
