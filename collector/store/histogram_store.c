/* What is different of native histograms on the store's ways: the log's record, start, sealing, merging, and whether one is known. Head,
 * log and extents of theirs stand beside those of floats, so who sends none pays for none. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"

/* ---- is it known? ---- */
struct wanted {
    struct span packed;
    uint8_t *scratch;
    bool same;
};

/* Into `to` (HISTOGRAM_PACK_BYTES_MAX); 0: it cannot be ours. */
static size_t pack_row(const struct histogram_row *row, uint8_t *to)
{
    if (HISTOGRAM_PACK_BOUND(row->layout) > HISTOGRAM_PACK_BYTES_MAX)
        return 0;
    return (size_t)(histogram_pack_columns(to, row->is_float, row->hint, row->layout, row->bits) - to);
}

static int compare_row(void *ctx, const struct histogram_row *row)
{
    struct wanted *w = ctx;
    size_t n = pack_row(row, w->scratch);
    w->same = n == w->packed.len && memcmp(w->scratch, w->packed.ptr, n) == 0;
    return 0;
}

static size_t index_of(const int64_t *t, size_t n, int64_t t_ms)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t[mid] < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && t[low] == t_ms ? low : n;
}

/* 0, 1, 2 as store_find_histogram(), or an error. */
static int find_in_extent(struct store *s, const struct extent_ref *ref, unsigned ord, int64_t t_ms, struct span packed)
{
    struct histogram_series at;
    int64_t t[EXTENT_SAMPLES_MAX];
    size_t n_dead;
    int r = 0;
    if (!s->late_histograms.bytes || s->late_histograms_id != ref->id) {
        loaded_extent_free(&s->late_histograms);
        r = store_load_extent(&s->late_source, ref, &s->late_histograms);
        if (r < 0)
            return r;
        s->late_histograms_id = ref->id;
    }
    const struct extent *x = &s->late_histograms.extent;
    if (!x->histograms || !histogram_extent_find(x, ord, &at))
        return 0;
    r = histogram_extent_times(x, &at, t);
    if (r < 0)
        return r;
    size_t i = index_of(t, at.samples, t_ms);
    const struct tombstone *dead = tombstones_of(s->view.dead, ref->group, &n_dead);
    if (i == at.samples || tombstones_hide(dead, n_dead, ref->id, ord, t_ms))
        return 0;
    if (packed.len == 0)
        return 1;
    struct wanted w = {packed, malloc(HISTOGRAM_PACK_BYTES_MAX), false};
    if (!w.scratch)
        return -ENOMEM;
    r = histogram_extent_read(x, &at, i, i + 1, compare_row, &w);
    free(w.scratch);
    return r < 0 ? r : w.same ? 2 : 1;
}

int store_find_histogram(struct store *s, uint32_t id, int64_t t_ms, struct span packed)
{
    enum { OVERLAPS_MAX = 64 }; /* as of floats */
    struct extent_ref refs[OVERLAPS_MAX];
    struct histogram_item item;
    if (head_find_histogram(s->view.active, id, t_ms, &item) ||
        (s->view.frozen && head_find_histogram(s->view.frozen, id, t_ms, &item)))
        return item.n_bytes == packed.len && memcmp(item.bytes, packed.ptr, packed.len) == 0 ? 2 : 1;
    size_t n = extent_dir_at(&s->extents, id / EXTENT_SERIES_MAX | EXTENT_HISTOGRAMS, t_ms, refs, OVERLAPS_MAX);
    for (size_t i = 0; i < n && i < OVERLAPS_MAX; i++) {
        int r = find_in_extent(s, &refs[i], id % EXTENT_SERIES_MAX, t_ms, packed);
        if (r > 0)
            return r;
    }
    return 0;
}

/* ---- the log ---- */
int store_save_histograms(struct store *s)
{
    const uint8_t *record = NULL;
    size_t n = 0;
    int r = histogram_log_end(&s->histlog, &record, &n);
    if (r < 0 || n == 0)
        return r;
    db_bind_i64(s->db, SQL_HISTLOG_PUT, 1, s->log_seq + 1);
    db_bind_blob(s->db, SQL_HISTLOG_PUT, 2, record, n);
    store_wrote(s, n);
    store_count(s, COUNT_LOG_BYTES, n);
    return db_run(s->db, SQL_HISTLOG_PUT);
}

static int replay(struct store *s, struct histogram_log_reader *rd, struct span record)
{
    uint32_t id;
    struct histogram_item item;
    int r = histogram_log_open(rd, (const uint8_t *)record.ptr, record.len);
    while (r == 0 && (r = histogram_log_next(rd, &id, &item)) > 0) {
        if (id >= s->view.n_series)
            s->view.n_series = id + 1;
        r = head_append_histogram(s->view.active, id, &item, s->seq);
        head_keep(s->view.active);
    }
    return r;
}

int store_load_histograms(struct store *s)
{
    struct histogram_log_reader rd;
    int r = 0;
    histogram_log_reader_init(&rd);
    while (r == 0 && (r = db_step(s->db, SQL_HISTLOG_ALL)) > 0) {
        int64_t seq = db_i64(s->db, SQL_HISTLOG_ALL, 0);
        s->log_seq = seq > s->log_seq ? seq : s->log_seq;
        r = replay(s, &rd, db_blob(s->db, SQL_HISTLOG_ALL, 1));
        if (r == -EBADMSG) { /* what came before the damage is good, its bytes have a CRC */
            store_count(s, COUNT_BAD_LOG_RECORDS, 1);
            r = 0;
        }
    }
    if (r < 0)
        db_reset(s->db, SQL_HISTLOG_ALL);
    histogram_log_reader_done(&rd);
    return r;
}

/* ---- sealing and merging ---- */
static int take_item(void *ctx, const struct histogram_item *item)
{
    return gathered_add_histogram(ctx, item); /* its bytes live as long as the frozen head */
}

int store_gather_head_histograms(struct store *s, uint32_t group, struct gathered *g)
{
    int r = 0;
    gathered_clear(g);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        uint32_t id = group * EXTENT_SERIES_MAX + ord;
        if (!head_has_histograms(s->view.frozen, id))
            continue;
        gathered_begin(g, ord);
        r = head_read_histograms(s->view.frozen, id, s->view.seq, INT64_MIN, INT64_MAX, take_item, g);
        if (r == 0)
            r = gathered_end(g);
    }
    return r;
}

struct merging {
    struct gathered *g;
    const struct extent_ref *ref;
    unsigned ord;
    const struct tombstone *dead; /* n_dead 0: none concerns it */
    size_t n_dead, *dropped;
    uint8_t *scratch;
};

static int merge_row(void *ctx, const struct histogram_row *row)
{
    struct merging *m = ctx;
    if (m->n_dead && tombstones_hide(m->dead, m->n_dead, m->ref->id, m->ord, row->t_ms)) {
        ++*m->dropped;
        return 0;
    }
    size_t n = pack_row(row, m->scratch);
    uint8_t *copy = n ? gathered_packed_room(m->g, n) : NULL;
    if (!copy)
        return n ? -ENOMEM : -EBADMSG;
    memcpy(copy, m->scratch, n);
    const struct histogram_item item = {row->t_ms, row->start_ms, copy, n};
    return gathered_add_histogram(m->g, &item);
}

int store_gather_histograms(struct gathered *g, const struct loaded_extent *part, const struct extent_ref *ref,
                            unsigned ord, const struct tombstone *dead, size_t n_dead, size_t *dropped)
{
    struct histogram_series at;
    if (!histogram_extent_find(&part->extent, ord, &at))
        return 0;
    AUTO_FREE uint8_t *scratch = malloc(HISTOGRAM_PACK_BYTES_MAX);
    if (!scratch)
        return -ENOMEM;
    bool concerned = tombstones_concern(dead, n_dead, ref, ord);
    struct merging m = {g, ref, ord, dead, concerned ? n_dead : 0, dropped, scratch};
    return histogram_extent_read(&part->extent, &at, 0, at.samples, merge_row, &m);
}
