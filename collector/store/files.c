#include "collector/store/files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "collector/store/exemplars.h"
#include "collector/store/extent_dir.h"
#include "collector/store/headlog.h"
#include "collector/store/log_slots.h"
#include "collector/store/series_key.h"
#include "collector/store/series_rows.h"
#include "collector/store/store_sql.h"
#include "lib/base/limits.h"
#include "lib/db/db.h"

#define PATH_BYTES 4096
#define NAME_BYTES_MAX (1u << 20)

enum {
    READ_FORMAT,
    READ_SERIES,
    READ_SOME_SERIES,
    READ_FAMILIES,
    READ_LOG,
    READ_LIST,
    READ_EXTENT,
    READ_PARTS,
    READ_HISTLOG,
    READ_PART_ROWS,
    READ_TOMBSTONES,
    READ_EXEMPLARS,
    READS
};
static const char *const READ_SQL[READS] = {
    [READ_FORMAT] = "SELECT value FROM meta WHERE key = 'format'",
    [READ_SERIES] = "SELECT id, labels FROM series ORDER BY id",
    [READ_SOME_SERIES] = "SELECT id, labels FROM series WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    [READ_FAMILIES] = "SELECT name, type, unit, help FROM family ORDER BY name",
    [READ_LOG] =
        "SELECT slot, data FROM headlog WHERE slot > 0 AND seq > (SELECT value FROM meta WHERE key = 'log_trimmed') "
        "ORDER BY seq",
    [READ_LIST] = "SELECT id, grp, min_ms, max_ms, bytes, level FROM ext INDEXED BY ext_time",
    [READ_EXTENT] = "SELECT data FROM ext WHERE id = ?1",
    [READ_PARTS] = "SELECT file FROM part ORDER BY file",
    [READ_HISTLOG] = "SELECT seq, data FROM histlog WHERE seq >= 0 ORDER BY seq",
    [READ_PART_ROWS] = "SELECT id, file, day_ms, days FROM part ORDER BY id",
    [READ_TOMBSTONES] = "SELECT id, grp, last_ext, ords, min_ms, max_ms FROM tombstone ORDER BY id",
    [READ_EXEMPLARS] = "SELECT id, data FROM exemplar ORDER BY id",
};

struct store_files {
    char *dir;
    struct db *head;
    struct series_rows rows;
    struct buf name, bytes, told; /* told: "/NAME/" of files that cannot be opened, which is said once */
    struct store_file *list;
    size_t n_list;
};

static int path_of(const struct store_files *f, const char *name, char path[PATH_BYTES])
{
    return snprintf(path, PATH_BYTES, "%s/%s", f->dir, name) < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int open_file(const struct store_files *f, const char *name, uint32_t application_id,
                     const char *const *migrations, struct db **ret, char *why, size_t why_bytes)
{
    char path[PATH_BYTES];
    const struct db_options options = {.read_only = true,
                                       .sql = READ_SQL,
                                       .sql_count = READS,
                                       .migrations = migrations,
                                       .application_id = application_id};
    int r = path_of(f, name, path);
    return r < 0 ? r : db_open(path, &options, ret, why, why_bytes);
}

static int check_format(struct store_files *f, char *why, size_t why_bytes)
{
    int r = db_step(f->head, READ_FORMAT);
    int64_t format = r > 0 ? db_i64(f->head, READ_FORMAT, 0) : 0;
    if (r < 0) {
        (void)snprintf(why, why_bytes, "%s/%s: %s", f->dir, STORE_FILE, db_why(f->head));
        return r;
    }
    db_reset(f->head, READ_FORMAT);
    if (format == STORE_FORMAT)
        return 0;
    (void)snprintf(why, why_bytes, "%s: store format %lld, this program reads format %d only", f->dir,
                   (long long)format, STORE_FORMAT);
    return -EUCLEAN;
}

int store_files_open(const char *dir, struct store_files **ret, char *why, size_t why_bytes)
{
    struct stat st;
    char path[PATH_BYTES];
    struct store_files *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    buf_init(&f->name, NAME_BYTES_MAX);
    buf_init(&f->bytes, EXTENT_BYTES_MAX);
    buf_init(&f->told, NAME_BYTES_MAX);
    f->dir = span_dup(span_str(dir));
    int r = f->dir ? series_rows_init(&f->rows) : -ENOMEM;
    if (r == 0)
        r = path_of(f, STORE_FILE, path);
    if (r == 0 && stat(path, &st) < 0) {
        r = -errno;
        (void)snprintf(why, why_bytes, "%s is no data folder: %s: %s", dir, STORE_FILE, strerror(-r));
    }
    if (r == 0)
        r = open_file(f, STORE_FILE, STORE_APPLICATION_ID, STORE_MIGRATIONS, &f->head, why, why_bytes);
    if (r == 0)
        r = check_format(f, why, why_bytes);
    if (r < 0) {
        store_files_close(f);
        return r == -EOVERFLOW ? -EUCLEAN : r;
    }
    *ret = f;
    return 0;
}

static void list_done(struct store_files *f)
{
    for (size_t i = 0; i < f->n_list; i++)
        free((char *)f->list[i].name);
    free(f->list);
    f->list = NULL;
    f->n_list = 0;
}

void store_files_close(struct store_files *f)
{
    if (!f)
        return;
    list_done(f);
    db_close(f->head);
    series_rows_done(&f->rows);
    buf_done(&f->name);
    buf_done(&f->bytes);
    buf_done(&f->told);
    free(f->dir);
    free(f);
}

static void fault_at(const struct store_walk *walk, const char *file, const char *table, int64_t row, const char *what)
{
    if (walk->fault)
        walk->fault(
            walk->ctx,
            &(struct store_fault){
                .file = file, .table = table, .row = row, .what = what, .series = "", .min_ms = 1, .max_ms = 0});
}

/* What a step gave: damage is told and the walk goes on elsewhere. */
static int step_failed(const struct store_walk *walk, const char *file, const char *table, struct db *db, int r)
{
    if (r == -ENOMEM)
        return r;
    fault_at(walk, file, table, 0, db_why(db));
    return 0;
}

/* ---- the files ---- */
static int add_file(struct store_files *f, struct span name)
{
    struct store_file *list = realloc(f->list, (f->n_list + 1) * sizeof *list);
    if (list)
        f->list = list;
    char *copy = list ? span_dup(name) : NULL;
    if (!copy)
        return -ENOMEM;
    char path[PATH_BYTES];
    struct stat st;
    int r = path_of(f, copy, path);
    bool found = r == 0 && stat(path, &st) == 0;
    f->list[f->n_list++] =
        (struct store_file){.name = copy, .bytes = found ? (uint64_t)st.st_size : 0, .missing = !found};
    return 0;
}

int store_files_list(struct store_files *f, struct store_file **ret, size_t *ret_n)
{
    list_done(f);
    int r = add_file(f, SPAN(STORE_FILE));
    if (r == 0)
        f->list[0].bytes += (uint64_t)db_wal_bytes(f->head);
    while (r == 0 && (r = db_step(f->head, READ_PARTS)) > 0) {
        struct span name = db_text(f->head, READ_PARTS, 0);
        r = span_find(name, '/') == name.len ? add_file(f, name) : 0;
        if (r < 0)
            db_reset(f->head, READ_PARTS);
    }
    if (r < 0)
        return r;
    *ret = f->list;
    *ret_n = f->n_list;
    return 0;
}

/* Is it named still? A file may be replaced or dropped while a collector runs. */
static bool is_named(struct store_files *f, const char *name)
{
    bool yes = false;
    while (db_step(f->head, READ_PARTS) > 0)
        yes = yes || span_equal(db_text(f->head, READ_PARTS, 0), span_str(name));
    return yes;
}

static void tell_file(struct store_files *f, const struct store_walk *walk, const char *name, const char *what)
{
    char key[PATH_BYTES];
    int n = snprintf(key, sizeof key, "/%s/", name);
    struct span wanted = span_of(key, n < PATH_BYTES ? (size_t)n : PATH_BYTES - 1);
    if (f->told.len && span_search(buf_view(&f->told), wanted) < f->told.len)
        return;
    buf_span(&f->told, wanted);
    fault_at(walk, name, NULL, 0, what);
}

/* 1: opened; 0: told, or gone rightly. */
static int open_part(struct store_files *f, const char *name, const struct store_walk *walk, struct db **ret)
{
    char why[512] = "";
    int r = open_file(f, name, PART_APPLICATION_ID, PART_MIGRATIONS, ret, why, sizeof why);
    if (r == 0)
        return 1;
    if (r == -ENOMEM)
        return r;
    if (is_named(f, name))
        tell_file(f, walk, name, why[0] ? why : strerror(-r));
    return 0;
}

int store_files_structure(struct store_files *f, const struct store_walk *walk)
{
    struct store_file *files;
    size_t n;
    int r = db_quick_check(f->head);
    if (r < 0)
        r = step_failed(walk, STORE_FILE, NULL, f->head, r);
    if (r == 0 && (r = store_files_list(f, &files, &n)) < 0)
        return step_failed(walk, STORE_FILE, "part", f->head, r);
    for (size_t i = 1; r >= 0 && i < n; i++) {
        struct db *db = NULL;
        r = open_part(f, files[i].name, walk, &db);
        if (r > 0 && (r = db_quick_check(db)) < 0)
            r = step_failed(walk, files[i].name, NULL, db, r);
        db_close(db);
    }
    return r < 0 ? r : 0;
}

/* ---- series ---- */
struct series_row {
    const struct store_walk *walk;
    uint32_t last_plus_1;
    bool wrong;
};

static int take_series(void *ctx, uint32_t id, struct span key)
{
    struct series_row *row = ctx;
    struct label pairs[LABELS_MAX];
    struct labels labels = {.pairs = pairs};
    const char *why;
    if (id < row->last_plus_1 || series_key_parse(key, pairs, LABELS_MAX, &labels.n) < 0 ||
        labels_check(&labels, &why) < 0) {
        row->wrong = true;
        return -EBADMSG;
    }
    row->last_plus_1 = id + 1;
    return row->walk->series ? row->walk->series(row->walk->ctx, id, &labels, key.len) : 0;
}

int store_files_series(struct store_files *f, const struct store_walk *walk)
{
    struct series_row row = {.walk = walk};
    int r;
    while ((r = db_step(f->head, READ_SERIES)) > 0) {
        int64_t id = db_i64(f->head, READ_SERIES, 0);
        char what[160];
        if (id < 0 || id >= SERIES_LIMIT) {
            fault_at(walk, STORE_FILE, "series", id, "no series has such a number");
            continue;
        }
        row.wrong = false;
        r = series_rows_read(&f->rows, (uint32_t)id, db_blob(f->head, READ_SERIES, 1), take_series, &row);
        if (r == -EBADMSG) {
            (void)snprintf(what, sizeof what,
                           row.wrong ? "a series in it cannot be: labels or number are wrong"
                                     : "its CRC or structure is wrong: up to %u series have lost their labels",
                           SERIES_ROW_IDS);
            fault_at(walk, STORE_FILE, "series", id, what);
        } else if (r < 0) {
            db_reset(f->head, READ_SERIES);
            return r;
        }
    }
    return r < 0 ? step_failed(walk, STORE_FILE, "series", f->head, r) : 0;
}

struct wanted_name {
    struct store_files *f;
    uint32_t id;
};

static int note_name(void *ctx, uint32_t id, struct span key)
{
    struct wanted_name *wanted = ctx;
    struct label pairs[LABELS_MAX];
    struct labels labels = {.pairs = pairs};
    if (id == wanted->id && series_key_parse(key, pairs, LABELS_MAX, &labels.n) == 0) {
        buf_clear(&wanted->f->name);
        labels_format(&wanted->f->name, &labels);
    }
    return 0;
}

const char *store_files_name(struct store_files *f, uint32_t id)
{
    struct wanted_name wanted = {f, id};
    uint32_t block = series_block_start(id);
    buf_clear(&f->name);
    db_bind_i64(f->head, READ_SOME_SERIES, 1, block);
    db_bind_i64(f->head, READ_SOME_SERIES, 2, block + SERIES_ROW_IDS - 1);
    while (db_step(f->head, READ_SOME_SERIES) > 0)
        (void)!series_rows_read(&f->rows, (uint32_t)db_i64(f->head, READ_SOME_SERIES, 0),
                                db_blob(f->head, READ_SOME_SERIES, 1), note_name, &wanted);
    return f->name.len ? f->name.data : "";
}

/* ---- metadata ---- */
int store_files_families(struct store_files *f, const struct store_walk *walk)
{
    int r;
    while ((r = db_step(f->head, READ_FAMILIES)) > 0) {
        int64_t type = db_i64(f->head, READ_FAMILIES, 1);
        bool known = type >= 0 && type <= METRIC_TYPE_STATESET;
        struct metadata m = {.name = db_text(f->head, READ_FAMILIES, 0),
                             .type = known ? (enum metric_type)type : METRIC_TYPE_UNKNOWN,
                             .unit = db_text(f->head, READ_FAMILIES, 2),
                             .help = db_text(f->head, READ_FAMILIES, 3)};
        if (!known)
            fault_at(walk, STORE_FILE, "family", 0, "a metric type that does not exist");
        r = walk->family ? walk->family(walk->ctx, &m) : 0;
        if (r < 0) {
            db_reset(f->head, READ_FAMILIES);
            return r;
        }
    }
    return r < 0 ? step_failed(walk, STORE_FILE, "family", f->head, r) : 0;
}

/* ---- the log ---- */
static int read_record(struct headlog_reader *rd, struct headlog_bases *bases, struct span data,
                       const struct store_walk *walk, uint64_t *lost)
{
    uint32_t id;
    struct sample sample;
    int r = headlog_open(rd, bases, (const uint8_t *)data.ptr, data.len);
    while (r == 0 && (r = headlog_next(rd, bases, &id, &sample)) > 0) {
        *lost += r == 2;
        r = r == 1 && walk->sample ? walk->sample(walk->ctx, id, &sample) : 0;
    }
    return r;
}

static int read_histograms(struct histogram_log_reader *rd, struct span data, const struct store_walk *walk)
{
    uint32_t id;
    struct histogram_item item;
    int r = histogram_log_open(rd, (const uint8_t *)data.ptr, data.len);
    while (r == 0 && (r = histogram_log_next(rd, &id, &item)) > 0)
        r = walk->histogram ? walk->histogram(walk->ctx, id, &item) : 0;
    return r;
}

static int walk_histograms(struct store_files *f, const struct store_walk *walk)
{
    struct histogram_log_reader rd;
    histogram_log_reader_init(&rd);
    int r = 0;
    while (r == 0 && (r = db_step(f->head, READ_HISTLOG)) > 0) {
        struct span data = db_blob(f->head, READ_HISTLOG, 1);
        struct store_row row = {.file = STORE_FILE, .id = db_i64(f->head, READ_HISTLOG, 0), .bytes = data.len};
        r = read_histograms(&rd, data, walk);
        if (r == -EBADMSG) {
            fault_at(walk, STORE_FILE, "histlog", row.id,
                     "its CRC or structure is wrong: a commit's histograms are lost");
            r = 0;
        }
        if (r == 0 && walk->record)
            r = walk->record(walk->ctx, &row);
        if (r < 0)
            db_reset(f->head, READ_HISTLOG);
        if (r < 0)
            goto done;
    }
    if (r < 0)
        r = step_failed(walk, STORE_FILE, "histlog", f->head, r);
done:
    histogram_log_reader_done(&rd);
    return r;
}

struct log_check {
    const struct store_walk *walk;
    struct headlog_reader rd;
    struct headlog_bases bases;
    struct store_row row;
};

static void damaged_record(struct log_check *c)
{
    fault_at(c->walk, STORE_FILE, "headlog", c->row.id, "its CRC or structure is wrong: a commit's samples are lost");
    headlog_bases_lose(&c->bases);
}

static int read_slot(struct log_check *c, struct span slot)
{
    struct span record;
    int64_t seq;
    bool any = false;
    int r = 0, found;
    while (r == 0 && (found = log_frame_next(&slot, &seq, &record)) != 0) {
        uint64_t lost = 0;
        char what[128];
        any = true;
        if (found < 0) {
            damaged_record(c);
            continue;
        }
        r = read_record(&c->rd, &c->bases, record, c->walk, &lost);
        if (r == -EBADMSG) {
            damaged_record(c);
            r = 0;
        } else if (r == 0 && lost) {
            (void)snprintf(what, sizeof what, "%llu samples in it are told by a damaged record's",
                           (unsigned long long)lost);
            fault_at(c->walk, STORE_FILE, "headlog", c->row.id, what);
        }
        c->row.bytes = record.len;
        if (r == 0 && c->walk->record)
            r = c->walk->record(c->walk->ctx, &c->row);
    }
    if (r == 0 && !any) /* a slot in use has a record at least */
        damaged_record(c);
    return r;
}

int store_files_log(struct store_files *f, const struct store_walk *walk)
{
    struct log_check c = {.walk = walk};
    headlog_bases_init(&c.bases);
    int r = headlog_reader_init(&c.rd);
    while (r == 0 && (r = db_step(f->head, READ_LOG)) > 0) {
        struct span data = db_blob(f->head, READ_LOG, 1);
        c.row = (struct store_row){.file = STORE_FILE, .id = db_i64(f->head, READ_LOG, 0)};
        r = read_slot(&c, data);
        if (r < 0)
            db_reset(f->head, READ_LOG);
        if (r < 0)
            goto done;
    }
    if (r < 0)
        r = step_failed(walk, STORE_FILE, "headlog", f->head, r);
done:
    headlog_bases_done(&c.bases);
    headlog_reader_done(&c.rd);
    return r < 0 ? r : walk_histograms(f, walk);
}

/* ---- days' files and deletions ---- */
static int walk_exemplars(struct store_files *f, const struct store_walk *walk, uint64_t *ret_exemplars)
{
    struct exemplars *e = NULL; /* keeps the last one: reading is what counts */
    uint32_t series;
    int r = exemplars_new(1, 1, &e);
    while (r == 0 && (r = db_step(f->head, READ_EXEMPLARS)) > 0) {
        int64_t row = db_i64(f->head, READ_EXEMPLARS, 0);
        r = exemplars_load(e, row, db_blob(f->head, READ_EXEMPLARS, 1), &series);
        if (r == -EBADMSG)
            fault_at(walk, STORE_FILE, "exemplar", row, "its CRC or structure is wrong: an exemplar is lost");
        r = r == -EBADMSG ? 0 : r;
        ++*ret_exemplars;
        if (r < 0) {
            db_reset(f->head, READ_EXEMPLARS);
            exemplars_free(e);
            return r;
        }
    }
    exemplars_free(e);
    return r < 0 ? step_failed(walk, STORE_FILE, "exemplar", f->head, r) : 0;
}

int store_files_lists(struct store_files *f, const struct store_walk *walk, struct store_lists *ret)
{
    int r;
    char path[PATH_BYTES];
    struct stat st;
    *ret = (struct store_lists){0};
    while ((r = db_step(f->head, READ_PART_ROWS)) > 0) {
        int64_t id = db_i64(f->head, READ_PART_ROWS, 0), day_ms = db_i64(f->head, READ_PART_ROWS, 2);
        AUTO_FREE char *name = span_dup(db_text(f->head, READ_PART_ROWS, 1));
        bool fits = name && strchr(name, '/') == NULL && path_of(f, name, path) == 0;
        if (!fits)
            fault_at(walk, STORE_FILE, "part", id, "no file of a day or week has such a name");
        else if (day_ms % (24 * 3600 * INT64_C(1000)) != 0)
            fault_at(walk, STORE_FILE, "part", id, "its day does not begin at midnight");
        else if (db_i64(f->head, READ_PART_ROWS, 3) != 1 && db_i64(f->head, READ_PART_ROWS, 3) != WEEK_DAYS)
            fault_at(walk, STORE_FILE, "part", id, "no file has so many days");
        else if (stat(path, &st) < 0 && errno == ENOENT && is_named(f, name))
            tell_file(f, walk, name, "the file is missing: its samples cannot be read");
    }
    if (r < 0)
        return step_failed(walk, STORE_FILE, "part", f->head, r);
    while ((r = db_step(f->head, READ_TOMBSTONES)) > 0) {
        int64_t last = db_i64(f->head, READ_TOMBSTONES, 2);
        bool good = extent_group_exists(db_i64(f->head, READ_TOMBSTONES, 1), SERIES_LIMIT) && last >= 0 &&
                    last < UINT32_MAX && db_blob(f->head, READ_TOMBSTONES, 3).len == EXTENT_SERIES_MAX / 8 &&
                    db_i64(f->head, READ_TOMBSTONES, 4) <= db_i64(f->head, READ_TOMBSTONES, 5);
        ret->deletions++;
        if (!good)
            fault_at(walk, STORE_FILE, "tombstone", db_i64(f->head, READ_TOMBSTONES, 0),
                     "no deletion can be like this: what it hid comes back");
    }
    if (r < 0)
        return step_failed(walk, STORE_FILE, "tombstone", f->head, r);
    return walk_exemplars(f, walk, &ret->exemplars);
}

/* ---- extents ---- */
struct listed {
    int64_t id, group, min_ms, max_ms, bytes;
    uint8_t level;
};

static int list_extents(struct db *db, struct listed **ret, size_t *ret_n)
{
    struct listed *all = NULL;
    size_t n = 0, cap = 0;
    int r;
    while ((r = db_step(db, READ_LIST)) > 0) {
        if (n == cap) {
            cap = cap ? cap * 2 : 1024;
            struct listed *more = realloc(all, cap * sizeof *all);
            if (!more) {
                db_reset(db, READ_LIST);
                r = -ENOMEM;
                break;
            }
            all = more;
        }
        all[n++] =
            (struct listed){db_i64(db, READ_LIST, 0), db_i64(db, READ_LIST, 1), db_i64(db, READ_LIST, 2),
                            db_i64(db, READ_LIST, 3), db_i64(db, READ_LIST, 4), (uint8_t)db_i64(db, READ_LIST, 5)};
    }
    if (r < 0) {
        free(all);
        return r;
    }
    *ret = all;
    *ret_n = n;
    return 0;
}

/* The first of the group's series that has a name. */
static const char *group_name(struct store_files *f, int64_t group)
{
    const char *name = "";
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX && !name[0]; ord++)
        name = extent_group_exists(group, SERIES_LIMIT) ? store_files_name(f, extent_series_of((uint32_t)group) + ord)
                                                        : "";
    return name;
}

static void extent_fault(struct store_files *f, const struct store_walk *walk, const char *file, const struct listed *e,
                         const char *reason)
{
    char what[512];
    if (!walk->fault)
        return;
    bool exists = extent_group_exists(e->group, SERIES_LIMIT);
    uint32_t first = exists ? extent_series_of((uint32_t)e->group) : 0;
    if (exists)
        (void)snprintf(what, sizeof what, "%.300s: up to %u series (numbers %u to %u) have lost a stretch of %s",
                       reason, EXTENT_SERIES_MAX, first, first + EXTENT_SERIES_MAX - 1,
                       e->group & EXTENT_HISTOGRAMS ? "native histograms"
                       : e->group & EXTENT_ROLLUPS  ? "rollups, not of samples"
                                                    : "samples");
    else
        (void)snprintf(what, sizeof what, "%.300s: no series has such a number", reason);
    walk->fault(walk->ctx, &(struct store_fault){.file = file,
                                                 .table = "ext",
                                                 .row = e->id,
                                                 .what = what,
                                                 .series = group_name(f, e->group),
                                                 .min_ms = e->min_ms,
                                                 .max_ms = e->max_ms});
}

static int take_extent(struct store_files *f, const struct store_walk *walk, const char *file, const struct listed *e)
{
    struct store_row row = {.file = file, .id = e->id, .level = e->level, .bytes = f->bytes.len};
    struct extent x;
    if (extent_open(&x, (const uint8_t *)f->bytes.data, f->bytes.len) < 0)
        extent_fault(f, walk, file, e, "its CRC or structure is wrong");
    else if (x.group != e->group || x.min_ms != e->min_ms || x.max_ms != e->max_ms || (int64_t)x.n_bytes != e->bytes)
        extent_fault(f, walk, file, e, "its row says another group, time or size");
    else if (walk->extent)
        return walk->extent(walk->ctx, &row, &x);
    return 0;
}

static int walk_extents(struct store_files *f, const struct store_walk *walk, const char *file, struct db *db)
{
    struct listed *all = NULL;
    size_t n = 0;
    int r = list_extents(db, &all, &n);
    if (r < 0)
        return step_failed(walk, file, "ext", db, r);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        db_bind_i64(db, READ_EXTENT, 1, all[i].id);
        r = db_step(db, READ_EXTENT);
        if (r < 0 && r != -ENOMEM) {
            extent_fault(f, walk, file, &all[i], db_why(db));
            r = 0;
        }
        if (r <= 0)
            continue; /* gone meanwhile */
        buf_clear(&f->bytes);
        buf_span(&f->bytes, db_blob(db, READ_EXTENT, 0));
        db_reset(db, READ_EXTENT);
        r = buf_error(&f->bytes);
        if (r == -ENOSPC) {
            extent_fault(f, walk, file, &all[i], "it is larger than an extent can be");
            r = 0;
        } else if (r == 0) {
            r = take_extent(f, walk, file, &all[i]);
        }
    }
    free(all);
    return r < 0 ? r : 0;
}

int store_files_extents(struct store_files *f, const struct store_walk *walk)
{
    struct store_file *files;
    size_t n;
    int r = walk_extents(f, walk, STORE_FILE, f->head);
    if (r == 0 && (r = store_files_list(f, &files, &n)) < 0)
        return step_failed(walk, STORE_FILE, "part", f->head, r);
    for (size_t i = 1; r >= 0 && i < n; i++) {
        struct db *db = NULL;
        r = open_part(f, files[i].name, walk, &db);
        if (r > 0)
            r = walk_extents(f, walk, files[i].name, db);
        db_close(db);
    }
    return r < 0 ? r : 0;
}
