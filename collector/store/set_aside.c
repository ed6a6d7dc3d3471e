#include "collector/store/set_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/store/first_page.h"
#include "collector/store/log_slots.h"
#include "collector/store/part.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/number.h"

#define NEW_FILE "head.db.new"
#define COPY_FILE "head.db.copy"
#define HOLE_BYTES 32 /* no frame of the log: what is read there is a damaged record */

/* Tables whose rows have a number, which is the first column. Of `kinds` each letter is a column: i a number, b bytes, t a text. */
enum {
    READ_FIRST,
    READ_SERIES = READ_FIRST,
    READ_LOG,
    READ_HISTLOG,
    READ_EXT,
    READ_EXEMPLARS,
    READ_PARTS,
    READ_TOMBSTONES,
    READ_TABLES,
    PUT_FIRST = READ_TABLES,
    PUT_FAMILY = PUT_FIRST + READ_TABLES,
    PUT_META,
    READ_META,
    READ_VERSION,
    READ_PROGRAM,
    READ_FAMILIES,
    READ_LOG_ORDER,
    READ_LOG_END,
    STATEMENTS
};
static const struct {
    const char *name, *kinds;
} TABLES[READ_TABLES] = {
    [READ_SERIES] = {"series", "ib"},
    [READ_LOG] = {"headlog", "iib"},
    [READ_HISTLOG] = {"histlog", "ib"},
    [READ_EXT] = {"ext", "iiiiiib"},
    [READ_EXEMPLARS] = {"exemplar", "ib"},
    [READ_PARTS] = {"part", "itii"},
    [READ_TOMBSTONES] = {"tombstone", "iiibii"},
};
static const char *const SQL[STATEMENTS] = {
    [READ_SERIES] = "SELECT id, labels FROM series WHERE id >= ?1 ORDER BY id",
    [READ_LOG] = "SELECT slot, seq, data FROM headlog WHERE slot >= ?1 ORDER BY slot",
    [READ_HISTLOG] = "SELECT seq, data FROM histlog WHERE seq >= ?1 ORDER BY seq",
    [READ_EXT] = "SELECT id, grp, min_ms, max_ms, bytes, level, data FROM ext WHERE id >= ?1 ORDER BY id",
    [READ_EXEMPLARS] = "SELECT id, data FROM exemplar WHERE id >= ?1 ORDER BY id",
    [READ_PARTS] = "SELECT id, file, day_ms, days FROM part WHERE id >= ?1 ORDER BY id",
    [READ_TOMBSTONES] = "SELECT id, grp, last_ext, ords, min_ms, max_ms FROM tombstone WHERE id >= ?1 ORDER BY id",
    [PUT_FIRST + READ_SERIES] = "INSERT INTO series(id, labels) VALUES(?1, ?2)",
    [PUT_FIRST + READ_LOG] = "INSERT INTO headlog(slot, seq, data) VALUES(?1, ?2, ?3)",
    [PUT_FIRST + READ_HISTLOG] = "INSERT INTO histlog(seq, data) VALUES(?1, ?2)",
    [PUT_FIRST + READ_EXT] =
        "INSERT INTO ext(id, grp, min_ms, max_ms, bytes, level, data) VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [PUT_FIRST + READ_EXEMPLARS] = "INSERT INTO exemplar(id, data) VALUES(?1, ?2)",
    [PUT_FIRST + READ_PARTS] = "INSERT INTO part(id, file, day_ms, days) VALUES(?1, ?2, ?3, ?4)",
    [PUT_FIRST + READ_TOMBSTONES] =
        "INSERT INTO tombstone(id, grp, last_ext, ords, min_ms, max_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [PUT_FAMILY] = "INSERT INTO family(name, type, unit, help) VALUES(?1, ?2, ?3, ?4)",
    [PUT_META] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
    [READ_META] = "SELECT value FROM meta WHERE key = ?1",
    [READ_VERSION] = "PRAGMA user_version",
    [READ_PROGRAM] = "PRAGMA application_id",
    [READ_FAMILIES] = "SELECT name, type, unit, help FROM family",
    [READ_LOG_ORDER] = "SELECT seq, data FROM headlog WHERE slot > 0 AND seq > ?1 ORDER BY seq",
    [READ_LOG_END] = "SELECT max(slot) FROM headlog",
};

/* ---- reading what can be read ---- */
struct rescue {
    struct db *from, *to;
    bool lost[READ_TABLES];
    uint64_t rows[READ_TABLES];
    int64_t log_trimmed;
    bool log_unknown; /* nobody knows what of it is sealed already */
};

static int put_row(struct rescue *x, int table)
{
    const char *kinds = TABLES[table].kinds;
    int put = PUT_FIRST + table;
    for (int i = 0; kinds[i]; i++) {
        if (db_is_null(x->from, table, i)) { /* a damaged cell */
            x->lost[table] = true;
            db_reset(x->to, put);
            return 0;
        }
        struct span bytes = kinds[i] == 'i' ? SPAN("") : db_blob(x->from, table, i);
        if (kinds[i] == 'i')
            db_bind_i64(x->to, put, i + 1, db_i64(x->from, table, i));
        else if (kinds[i] == 't')
            db_bind_text(x->to, put, i + 1, db_text(x->from, table, i));
        else
            db_bind_blob(x->to, put, i + 1, bytes.len ? bytes.ptr : "", bytes.len);
    }
    int r = db_run(x->to, put);
    x->rows[table] += r == 0;
    if (r != -EEXIST)
        return r;
    x->lost[table] = true; /* a page that shows rows of another again */
    return 0;
}

/* Is what stands from the row on readable, be it the end? */
static int can_read(struct rescue *x, int table, int64_t id)
{
    db_bind_i64(x->from, table, 1, id);
    int r = db_step(x->from, table);
    db_reset(x->from, table);
    return r >= 0 ? 1 : r == -EUCLEAN ? 0 : r;
}

/* The first row behind a stretch that cannot be read: `bad` is in it. */
static int skip(struct rescue *x, int table, int64_t bad, int64_t *ret)
{
    int64_t good = bad, step = 1;
    int r = 0;
    while (r == 0) {
        bad = good;
        if (__builtin_add_overflow(good, step, &good))
            return -ENODATA;
        step = step < INT64_MAX / 2 ? step * 2 : step;
        r = can_read(x, table, good);
    }
    while (r >= 0 && good - bad > 1) {
        int64_t middle = bad + (good - bad) / 2;
        r = can_read(x, table, middle);
        if (r > 0)
            good = middle;
        else
            bad = middle;
    }
    if (r >= 0)
        *ret = good;
    return r < 0 ? r : 0;
}

static int copy_table(struct rescue *x, int table)
{
    int64_t next = 0;
    for (;;) {
        int r = 0, put = 0;
        db_bind_i64(x->from, table, 1, next);
        while (put == 0 && (r = db_step(x->from, table)) > 0) {
            int64_t id = db_i64(x->from, table, 0);
            if (id < next || id == INT64_MAX) { /* a damaged page's own idea of order */
                x->lost[table] = true;
                continue;
            }
            next = id + 1;
            put = put_row(x, table);
        }
        if (put < 0)
            db_reset(x->from, table);
        if (put < 0 || r != -EUCLEAN)
            return put < 0 ? put : r;
        x->lost[table] = true;
        r = skip(x, table, next, &next);
        if (r < 0)
            return r == -ENODATA ? 0 : r;
    }
}

static int copy_families(struct rescue *x)
{
    int r, put = 0;
    while (put == 0 && (r = db_step(x->from, READ_FAMILIES)) > 0) {
        db_bind_text(x->to, PUT_FAMILY, 1, db_text(x->from, READ_FAMILIES, 0));
        db_bind_i64(x->to, PUT_FAMILY, 2, db_i64(x->from, READ_FAMILIES, 1));
        db_bind_text(x->to, PUT_FAMILY, 3, db_text(x->from, READ_FAMILIES, 2));
        db_bind_text(x->to, PUT_FAMILY, 4, db_text(x->from, READ_FAMILIES, 3));
        put = db_run(x->to, PUT_FAMILY);
        put = put == -EEXIST ? 0 : put;
    }
    if (put < 0)
        db_reset(x->from, READ_FAMILIES);
    return put < 0 ? put : r == -EUCLEAN ? 0 : r; /* senders tell them again */
}

static int put_hole(struct rescue *x, int64_t slot, int64_t seq)
{
    char bytes[HOLE_BYTES];
    memset(bytes, 0xff, sizeof bytes);
    db_bind_i64(x->to, PUT_FIRST + READ_LOG, 1, slot);
    db_bind_i64(x->to, PUT_FIRST + READ_LOG, 2, seq);
    db_bind_blob(x->to, PUT_FIRST + READ_LOG, 3, bytes, sizeof bytes);
    return db_run(x->to, PUT_FIRST + READ_LOG);
}

/* Records tell values by their difference to those before: where some are missing a damaged one must stand in their place. */
static int mark_holes(struct rescue *x)
{
    int64_t expected = x->log_trimmed + 1, slot = 0;
    int64_t *holes = NULL;
    size_t n = 0, cap = 0;
    int r = db_step(x->to, READ_LOG_END);
    if (r > 0)
        slot = db_i64(x->to, READ_LOG_END, 0);
    db_reset(x->to, READ_LOG_END);
    db_bind_i64(x->to, READ_LOG_ORDER, 1, x->log_trimmed);
    while (r >= 0 && (r = db_step(x->to, READ_LOG_ORDER)) > 0) {
        struct span bytes = db_blob(x->to, READ_LOG_ORDER, 1), record;
        int64_t seq = db_i64(x->to, READ_LOG_ORDER, 0);
        int found;
        if (seq > expected && n == cap) {
            cap = cap ? 2 * cap : 64;
            int64_t *more = realloc(holes, cap * sizeof *holes);
            if (!more) {
                r = -ENOMEM;
                break;
            }
            holes = more;
        }
        if (seq > expected)
            holes[n++] = expected;
        expected = seq + 1;
        while ((found = log_frame_next(&bytes, &seq, &record)) != 0)
            if (found > 0 && seq >= expected)
                expected = seq + 1;
    }
    db_reset(x->to, READ_LOG_ORDER);
    for (size_t i = 0; r == 0 && i < n && slot < INT64_MAX - 1; i++)
        r = put_hole(x, ++slot, holes[i]);
    free(holes);
    return r;
}

static int put_meta(struct rescue *x, const char *key, int64_t value)
{
    db_bind_text(x->to, PUT_META, 1, span_str(key));
    db_bind_i64(x->to, PUT_META, 2, value);
    return db_run(x->to, PUT_META);
}

static int copy_all(struct rescue *x)
{
    int r = db_begin(x->to);
    for (int t = READ_FIRST; r == 0 && t < READ_TABLES; t++) {
        if (x->log_unknown && (t == READ_LOG || t == READ_HISTLOG))
            x->lost[t] = true;
        else
            r = copy_table(x, t);
    }
    if (r == 0)
        r = copy_families(x);
    if (r == 0 && x->lost[READ_LOG] && !x->log_unknown)
        r = mark_holes(x);
    if (r == 0)
        r = put_meta(x, "log_trimmed", x->log_trimmed);
    if (r == 0 && x->lost[READ_SERIES])
        r = put_meta(x, STORE_META_LOST_SERIES, 1);
    return r == 0 ? db_commit(x->to) : r;
}

/* 1 and the number; 0: there is none; -EUCLEAN: it cannot be read. */
static int number_of(struct db *db, int statement, const char *key, int64_t *ret)
{
    if (key)
        db_bind_text(db, statement, 1, span_str(key));
    int r = db_step(db, statement);
    if (r > 0)
        *ret = db_i64(db, statement, 0);
    db_reset(db, statement);
    return r;
}

/* 1: it is damaged and rows of it may be read; 0: it is not ours to touch; -EUCLEAN: damaged, and nothing of it can be read. */
static int look_at(struct rescue *x)
{
    int64_t program = 0, version = 0, format = 0, known = 0;
    while (STORE_MIGRATIONS[known])
        known++;
    int r = number_of(x->from, READ_PROGRAM, NULL, &program);
    if (r > 0)
        r = number_of(x->from, READ_VERSION, NULL, &version);
    if (r <= 0)
        return r;
    if (program != STORE_APPLICATION_ID || version != known)
        return 0;
    r = number_of(x->from, READ_META, "format", &format);
    if (r > 0 && format != STORE_FORMAT)
        return 0;
    if (r > 0)
        r = number_of(x->from, READ_META, "log_trimmed", &x->log_trimmed);
    x->log_unknown = r == 0 || r == -EUCLEAN; /* every head.db has both rows */
    return x->log_unknown ? 1 : r;
}

/* ---- files ---- */
static int path_of(const char *dir, const char *name, char path[PART_PATH_MAX])
{
    return snprintf(path, PART_PATH_MAX, "%s/%s", dir, name) < PART_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_place(const char *dir, char place[PART_PATH_MAX])
{
    char time[NUMBER_TEXT_MAX], name[NUMBER_TEXT_MAX + 16];
    size_t n = format_rfc3339_ms(time, unix_ms());
    for (size_t i = 0; i < n; i++)
        time[i] = time[i] == ':' ? '-' : time[i];
    (void)snprintf(name, sizeof name, "damaged-%s", time);
    int r = path_of(dir, name, place);
    return r < 0 ? r : dir_make(place);
}

static int move(const char *dir, const char *name, const char *place)
{
    char from[PART_PATH_MAX], to[PART_PATH_MAX];
    int r = path_of(dir, name, from);
    if (r == 0)
        r = path_of(place, name, to);
    return r < 0 ? r : rename(from, to) < 0 && errno != ENOENT ? -errno : 0;
}

static bool is_named(struct db *db, const char *name)
{
    bool yes = false;
    int r;
    db_bind_i64(db, READ_PARTS, 1, 0);
    while ((r = db_step(db, READ_PARTS)) > 0)
        yes = yes || span_equal(db_text(db, READ_PARTS, 1), span_str(name));
    return yes || r < 0;
}

/* Files of days and weeks that head.db does not name; NULL: all of them. Into place, or without one they are only counted. */
static int move_parts(const char *dir, struct db *head, const char *place, size_t *ret_n)
{
    static const char *const NAMES[] = {PART_DAY_PREFIX "*.db*", PART_WEEK_PREFIX "*.db*"};
    int r = 0;
    *ret_n = 0;
    for (size_t k = 0; r == 0 && k < ARRAY_LEN(NAMES); k++) {
        char pattern[PART_PATH_MAX];
        struct file_list files;
        if ((r = path_of(dir, NAMES[k], pattern)) < 0 || (r = file_glob(pattern, &files)) < 0)
            return r;
        for (size_t i = 0; r == 0 && i < files.n; i++) {
            const char *name = strrchr(files.paths[i], '/') + 1;
            if (head && is_named(head, name))
                continue;
            r = place ? move(dir, name, place) : 0;
            ++*ret_n;
        }
        file_list_done(&files);
    }
    return r;
}

int store_set_aside_orphans(const char *dir)
{
    char path[PART_PATH_MAX], place[PART_PATH_MAX];
    struct stat st, wal;
    size_t n;
    int r = path_of(dir, STORE_FILE "-wal", path);
    if (r == 0 && stat(path, &wal) < 0)
        wal.st_size = 0;
    if (r == 0)
        r = path_of(dir, STORE_FILE, path);
    if (r < 0)
        return r;
    if (stat(path, &st) == 0 && (st.st_size > 0 || wal.st_size > 0))
        return 0;
    r = move_parts(dir, NULL, NULL, &n);
    if (r < 0 || n == 0)
        return r;
    r = make_place(dir, place);
    if (r == 0)
        r = move_parts(dir, NULL, place, &n);
    if (r < 0)
        return r;
    log_error("head.db is missing: the files of days and weeks beside it have no names of series without it; they were "
              "set aside",
              "folder", "%s", place, "files", "%zu", n);
    return 1;
}

static void tell(const struct rescue *x, bool saved, const char *place, size_t parts)
{
    char lost[128] = "";
    size_t n = 0;
    uint64_t rows = 0;
    for (int t = READ_FIRST; t < READ_TABLES; t++) {
        rows += x->rows[t];
        if (x->lost[t])
            n += (size_t)snprintf(lost + n, sizeof lost - n, "%s%s", n ? "," : "", TABLES[t].name);
    }
    if (saved)
        log_error("head.db is damaged: it was set aside, what can be read of it stands in a new one", "folder", "%s",
                  place, "rows", "%llu", (unsigned long long)rows, "lost_rows_of", "%s", n ? lost : "none",
                  "files_of_days_aside", "%zu", parts);
    else
        log_error("head.db is damaged, no series can be read: it was set aside, the store begins anew", "folder", "%s",
                  place, "files_of_days_aside", "%zu", parts);
}

/* The damaged one goes, with its log first: beside a new head.db that would be taken for the new one's. */
static int change_places(const char *dir, const char *place, const char *made)
{
    char path[PART_PATH_MAX];
    int r = move(dir, STORE_FILE "-wal", place);
    if (r == 0 && (r = path_of(dir, STORE_FILE "-shm", path)) == 0)
        (void)unlink(path);
    if (r == 0)
        r = move(dir, STORE_FILE, place);
    if (r == 0 && made && (r = path_of(dir, STORE_FILE, path)) == 0)
        r = rename(made, path) < 0 ? -errno : db_sync_file(path);
    return r;
}

static int rescue_into(const char *made, struct rescue *x)
{
    const struct db_options options = {.bulk = true,
                                       .page_bytes = STORE_PAGE_BYTES,
                                       .sql = SQL,
                                       .sql_count = STATEMENTS,
                                       .migrations = STORE_MIGRATIONS,
                                       .application_id = STORE_APPLICATION_ID};
    char why[256] = "";
    (void)unlink(made);
    int r = db_open(made, &options, &x->to, why, sizeof why);
    if (r == 0)
        r = copy_all(x);
    if (r < 0)
        log_error("head.db is damaged and stays: what can be read of it cannot be written to a new one", "error", "%s",
                  x->to ? db_why(x->to) : why);
    return r;
}

/* The new file is complete: it takes the other's place. */
static int exchange(const char *dir, const char *made, struct rescue *x, bool saved)
{
    char place[PART_PATH_MAX];
    size_t parts = 0;
    int r = make_place(dir, place);
    if (r == 0)
        r = move_parts(dir, saved ? x->to : NULL, place, &parts);
    db_close(x->to);
    db_close(x->from);
    x->to = x->from = NULL;
    if (r == 0 && saved)
        r = db_sync_file(made);
    if (r == 0)
        r = change_places(dir, place, saved ? made : NULL);
    if (r == 0)
        tell(x, saved, place, parts);
    return r < 0 ? r : 1;
}

static int open_damaged(const char *path, struct rescue *x)
{
    const struct db_options options = {.read_only = true, .sql = SQL, .sql_count = STATEMENTS};
    int r = db_open(path, &options, &x->from, NULL, 0);
    return r == 0 ? look_at(x) : r;
}

static int set_aside(const char *dir)
{
    char head[PART_PATH_MAX], made[PART_PATH_MAX], copy[PART_PATH_MAX];
    struct rescue x = {0};
    int r = path_of(dir, STORE_FILE, head);
    if (r == 0)
        r = path_of(dir, NEW_FILE, made);
    if (r == 0)
        r = path_of(dir, COPY_FILE, copy);
    if (r < 0)
        return r;
    r = open_damaged(head, &x);
    if (r == -EUCLEAN) { /* not even its first page can be read */
        db_close(x.from);
        x = (struct rescue){0};
        r = first_page_replace(head, copy);
        if (r == 0 && (r = open_damaged(copy, &x)) == 0)
            r = -EUCLEAN;
    }
    bool damaged = r > 0 || r == -EUCLEAN;
    if (r > 0)
        r = rescue_into(made, &x);
    bool saved = r == 0 && damaged && x.rows[READ_SERIES] > 0; /* without the names nothing else means anything */
    if (damaged && (r == 0 || r == -EUCLEAN))
        r = exchange(dir, made, &x, saved);
    db_close(x.to);
    db_close(x.from);
    if (!saved || r < 0)
        (void)unlink(made);
    (void)unlink(copy);
    return r;
}

int store_set_aside(const char *dir)
{
    char path[PART_PATH_MAX];
    int r = path_of(dir, STORE_LOCK_FILE, path);
    int fd = r < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return 0;
    r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? 0 : set_aside(dir);
    close(fd);
    return r;
}
