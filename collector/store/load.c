/* From the files into memory when the store opens: extents' list, log, series, metadata. */
#include <errno.h>
#include <stdlib.h>

#include "collector/store/series_key.h"
#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/limits.h"

static int check_format(struct store *s, char *why, size_t why_bytes)
{
    int r = db_step(s->db, SQL_FORMAT);
    if (r < 0)
        return r;
    int64_t format = r > 0 ? db_i64(s->db, SQL_FORMAT, 0) : 0;
    db_reset(s->db, SQL_FORMAT);
    if (format == STORE_FORMAT)
        return 0;
    (void)snprintf(
        why, why_bytes,
        "%s: store format %lld, this program reads and writes format %d only: use the program that made it, or "
        "another data folder",
        s->path, (long long)format, STORE_FORMAT);
    return -EUCLEAN;
}

/* Rows of head.db that a day's file has: the last move was cut short. */
struct moved_rows {
    int64_t *ids;
    size_t n, cap;
};

static int note_moved(struct moved_rows *rows, int64_t id)
{
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 256;
        int64_t *ids = realloc(rows->ids, cap * sizeof *ids);
        if (!ids)
            return -ENOMEM;
        rows->ids = ids;
        rows->cap = cap;
    }
    rows->ids[rows->n++] = id;
    return 0;
}

static int drop_moved(struct store *s, const struct moved_rows *rows)
{
    int r = rows->n ? db_begin(s->db) : 0;
    for (size_t i = 0; r == 0 && i < rows->n; i++) {
        db_bind_i64(s->db, SQL_EXT_DELETE, 1, rows->ids[i]);
        r = db_run(s->db, SQL_EXT_DELETE);
    }
    if (rows->n && r == 0)
        r = db_commit(s->db);
    else if (rows->n)
        db_rollback(s->db);
    return r;
}

static int load_extents(struct store *s)
{
    struct moved_rows moved = {0};
    int r = store_parts_load(s);
    if (r < 0)
        return r;
    while ((r = db_step(s->db, SQL_EXT_LIST)) > 0) {
        int64_t id = db_i64(s->db, SQL_EXT_LIST, 0), group = db_i64(s->db, SQL_EXT_LIST, 1);
        struct extent_ref ref = {.min_ms = db_i64(s->db, SQL_EXT_LIST, 2),
                                 .max_ms = db_i64(s->db, SQL_EXT_LIST, 3),
                                 .n_bytes = (uint32_t)db_i64(s->db, SQL_EXT_LIST, 4),
                                 .level = (uint8_t)db_i64(s->db, SQL_EXT_LIST, 5)};
        if (id < 1 || id >= UINT32_MAX || !extent_group_exists(group, SERIES_LIMIT) || (group & EXTENT_ROLLUPS))
            continue; /* no row of ours */
        ref.id = ref.since = (uint32_t)id;
        ref.group = (uint32_t)group;
        if (extent_dir_has(&s->extents, ref.group, &ref.id, 1))
            r = note_moved(&moved, id);
        else
            r = extent_dir_add(&s->extents, &ref);
        if (r < 0) {
            db_reset(s->db, SQL_EXT_LIST);
            break;
        }
        if (ref.id >= s->next_extent)
            s->next_extent = ref.id + 1;
    }
    if (r == 0)
        r = store_load_tombstones(s);
    if (r == 0)
        (void)!drop_moved(s, &moved); /* a full disk must not keep the store shut: they go next time */
    free(moved.ids);
    return r;
}

static int replay(struct store *s, struct headlog_reader *rd, struct span record)
{
    uint32_t id;
    struct sample sample;
    int r = headlog_open(rd, &s->log_bases, (const uint8_t *)record.ptr, record.len);
    while (r == 0 && (r = headlog_next(rd, &s->log_bases, &id, &sample)) > 0) {
        if (id != UINT32_MAX && id >= s->view.n_series)
            s->view.n_series = id + 1;
        if (r == 2) {
            store_count(s, COUNT_BAD_LOG_SAMPLES, 1);
            r = 0;
            continue;
        }
        r = head_append(s->view.active, id, &sample, s->seq);
        head_keep(s->view.active);
    }
    return r;
}

struct log_replay {
    struct store *store;
    struct headlog_reader rd;
};

static int take_record(void *ctx, int64_t seq, struct span record, bool damaged)
{
    struct log_replay *x = ctx;
    struct store *s = x->store;
    s->log_seq = seq > s->log_seq ? seq : s->log_seq;
    int r = damaged ? -EBADMSG : replay(s, &x->rd, record);
    if (r != -EBADMSG)
        return r;
    store_count(s, COUNT_BAD_LOG_RECORDS, 1); /* its samples are lost, the others are not */
    headlog_bases_lose(&s->log_bases);
    return 0;
}

static int load_log(struct store *s)
{
    struct log_replay x = {.store = s};
    int r = headlog_reader_init(&x.rd);
    if (r == 0)
        r = db_step(s->db, SQL_LOG_TRIMMED);
    s->log_seq = r > 0 ? db_i64(s->db, SQL_LOG_TRIMMED, 0) : 0;
    db_reset(s->db, SQL_LOG_TRIMMED);
    if (r >= 0)
        r = log_slots_load(&s->slots, s->db, s->log_seq, take_record, &x);
    headlog_reader_done(&x.rd);
    headlog_bases_forget(&s->log_bases);
    if (r == 0)
        r = store_load_histograms(s);
    s->view.active->last_seq = (uint64_t)s->log_seq;
    return r;
}

/* Does anything of the 128 series around it exist still? If not, retention took it all and the rows can go. */
static bool group_lives(struct store *s, uint32_t group)
{
    if (extent_dir_has_group(&s->extents, group))
        return true;
    for (uint32_t ord = 0; ord < EXTENT_SERIES_MAX; ord++)
        if (head_has(s->view.active, group * EXTENT_SERIES_MAX + ord))
            return true;
    return false;
}

/* One row's series. The row may be damaged further on; what came before is good, its bytes have a CRC. */
static int add_series(void *ctx, uint32_t id, struct span key)
{
    struct store *s = ctx;
    struct label pairs[LABELS_MAX];
    struct labels labels = {.pairs = pairs};
    uint32_t same_id;
    const char *why;
    if (id < s->index.n || series_key_parse(key, pairs, LABELS_MAX, &labels.n) < 0 || labels_check(&labels, &why) < 0)
        return -EBADMSG;
    uint64_t hash = series_index_hash(&s->index, key);
    if (series_index_find(&s->index, key, hash, &same_id))
        return -EBADMSG;
    int r = series_index_skip_to(&s->index, id);
    if (r == 0)
        r = series_index_add(&s->index, &labels, key, hash, &same_id);
    if (r < 0)
        return r;
    struct series *series = series_index_at(&s->index, id);
    int64_t head_ms = head_newest_ms(s->view.active, id),
            sealed_ms = extent_dir_newest_ms(&s->extents, id / EXTENT_SERIES_MAX);
    series->max_ms = head_ms > sealed_ms ? head_ms : sealed_ms; /* the group's: a late sample looks it up exactly */
    return 0;
}

struct dead_range {
    uint32_t from, to;
};
#define DEAD_RANGES_MAX 1024 /* forgotten per start; the rest at the next */

/* Does anything of a row's block of series exist still? If not, retention took it all and the row can go. */
static bool block_lives(struct store *s, uint32_t id)
{
    uint32_t start = series_block_start(id);
    for (uint32_t i = 0; i < SERIES_ROW_IDS / EXTENT_SERIES_MAX; i++)
        if (group_lives(s, start / EXTENT_SERIES_MAX + i))
            return true;
    return false;
}

static int load_series(struct store *s, struct dead_range *dead, size_t *ret_dead)
{
    uint32_t block = UINT32_MAX;
    bool lives = false;
    size_t n_dead = 0;
    int r;
    while ((r = db_step(s->db, SQL_SERIES_ALL)) > 0) {
        int64_t row_id = db_i64(s->db, SQL_SERIES_ALL, 0);
        if (row_id < 0 || row_id >= SERIES_LIMIT)
            continue;
        uint32_t id = (uint32_t)row_id;
        if (series_block_start(id) == block) {
            if (lives && s->fold_from > block)
                s->fold_from = block;
        } else {
            block = series_block_start(id);
            lives = block_lives(s, id) || n_dead == DEAD_RANGES_MAX;
            if (!lives)
                dead[n_dead++] = (struct dead_range){block, block + SERIES_ROW_IDS - 1};
        }
        if (!lives)
            continue;
        r = series_rows_read(&s->series_rows, id, db_blob(s->db, SQL_SERIES_ALL, 1), add_series, s);
        if (r == -EBADMSG) {
            store_count(s, COUNT_BAD_SERIES_ROWS, 1);
            s->series_damaged = true;
            s->view.n_series = block + SERIES_ROW_IDS > s->view.n_series
                                   ? block + SERIES_ROW_IDS
                                   : s->view.n_series; /* samples may carry its ids */
        } else if (r < 0) {
            db_reset(s->db, SQL_SERIES_ALL);
            return r;
        }
    }
    if (s->series_damaged)
        s->fold_from = UINT32_MAX;
    *ret_dead = n_dead;
    return r;
}

static int load_families(struct store *s)
{
    int r;
    while ((r = db_step(s->db, SQL_FAMILY_ALL)) > 0) {
        int64_t type = db_i64(s->db, SQL_FAMILY_ALL, 1);
        struct metadata m = {.name = db_text(s->db, SQL_FAMILY_ALL, 0),
                             .type = type >= 0 && type <= METRIC_TYPE_STATESET ? (enum metric_type)type
                                                                               : METRIC_TYPE_UNKNOWN,
                             .unit = db_text(s->db, SQL_FAMILY_ALL, 2),
                             .help = db_text(s->db, SQL_FAMILY_ALL, 3)};
        r = families_put(&s->families, &m, true);
        if (r < 0) {
            db_reset(s->db, SQL_FAMILY_ALL);
            return r;
        }
    }
    return r;
}

static int forget_series(struct store *s, const struct dead_range *dead, size_t n)
{
    int r = n ? db_begin(s->db) : 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        db_bind_i64(s->db, SQL_SERIES_FORGET, 1, dead[i].from);
        db_bind_i64(s->db, SQL_SERIES_FORGET, 2, dead[i].to);
        r = db_run(s->db, SQL_SERIES_FORGET);
    }
    if (n && r == 0)
        r = db_commit(s->db);
    else if (n)
        db_rollback(s->db);
    return r;
}

/* No new series may get an id that samples somewhere still carry (its row was damaged, or lost with the file). */
static int close_gaps(struct store *s)
{
    int r = db_step(s->db, SQL_SERIES_LOST);
    db_reset(s->db, SQL_SERIES_LOST);
    uint32_t end = r > 0 ? extent_dir_end(&s->extents) * EXTENT_SERIES_MAX : 0;
    if (r < 0)
        return r;
    if (end > s->view.n_series)
        s->view.n_series = end;
    r = s->view.n_series > s->index.n ? series_index_skip_to(&s->index, s->view.n_series) : 0;
    s->view.n_series = s->saved_series = s->index.n;
    return r;
}

int store_load(struct store *s, char *why, size_t why_bytes)
{
    struct dead_range dead[DEAD_RANGES_MAX];
    size_t n_dead = 0;
    const char *what = "its format";
    int r = check_format(s, why, why_bytes);
    if (why[0])
        return r;
    if (r == 0) {
        what = "extents";
        r = load_extents(s);
    }
    if (r == 0) {
        what = "the log";
        r = load_log(s);
    }
    if (r == 0) {
        what = "series";
        r = load_series(s, dead, &n_dead);
    }
    if (r == 0) {
        what = "exemplars";
        r = store_load_exemplars(s);
    }
    if (r == 0) {
        what = "metadata";
        r = load_families(s);
    }
    if (r == 0)
        r = close_gaps(s);
    if (r < 0) {
        (void)snprintf(why, why_bytes, "%s: cannot read %s: %s", s->file, what,
                       r == -ENOMEM ? "out of memory" : db_why(s->db));
        return r;
    }
    s->view.last_extent = s->next_extent - 1;
    (void)!forget_series(s, dead, n_dead); /* a full disk must not keep the store shut: they go next time */
    return 0;
}
