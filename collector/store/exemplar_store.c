/* Exemplars in the store's ways. They belong to no view: a reader sees those that are committed when it asks, without what is over by
 * the retention of their series; the writer removes those a little later. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"

#define ROW_COST_BYTES 256  /* of the WAL, roughly */
#define RETIRE_AT_ONCE 1024 /* rows per transaction: a millisecond or two, so that commits do not wait long */

static int put_row(void *ctx, int64_t row, struct span bytes)
{
    struct store *s = ctx;
    db_bind_i64(s->db, SQL_EXEMPLAR_PUT, 1, row);
    db_bind_blob(s->db, SQL_EXEMPLAR_PUT, 2, bytes.ptr, bytes.len);
    s->wal_bytes += ROW_COST_BYTES;
    return db_run(s->db, SQL_EXEMPLAR_PUT);
}

static int drop_row(void *ctx, int64_t row)
{
    struct store *s = ctx;
    db_bind_i64(s->db, SQL_EXEMPLAR_DELETE, 1, row);
    s->wal_bytes += ROW_COST_BYTES;
    return db_run(s->db, SQL_EXEMPLAR_DELETE);
}

int store_save_exemplars(struct store *s)
{
    return exemplars_save(s->exemplars, &(struct exemplar_sink){s, put_row, drop_row});
}

int store_delete_exemplars(struct store *s, const struct tombstone *dead, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++)
            if (dead[i].ords[ord / 64] >> ord % 64 & 1)
                exemplars_forget(s->exemplars, extent_series_of(dead[i].group) + ord, dead[i].min_ms, dead[i].max_ms);
    return s->db ? store_save_exemplars(s) : 0;
}

/* Those of series that are gone stay until their turn comes, so their numbers must stay taken. */
int store_load_exemplars(struct store *s)
{
    int r;
    while ((r = db_step(s->db, SQL_EXEMPLAR_ALL)) > 0) {
        uint32_t series = 0;
        r = exemplars_load(s->exemplars, db_i64(s->db, SQL_EXEMPLAR_ALL, 0), db_blob(s->db, SQL_EXEMPLAR_ALL, 1),
                           &series);
        if (r == 0 && series >= s->view.n_series)
            s->view.n_series = series + 1;
        if (r == -EBADMSG) {
            store_count(s, COUNT_BAD_EXEMPLARS, 1);
        } else if (r < 0) {
            db_reset(s->db, SQL_EXEMPLAR_ALL);
            return r;
        }
    }
    return r;
}

/* ---- retention ---- */
struct clock_and_keep {
    const struct store *store;
    const struct retention *keep;
    int64_t now_ms;
};
static bool is_over(void *ctx, uint32_t series, int64_t t_ms)
{
    const struct clock_and_keep *by = ctx;
    const struct series_index *ix = &by->store->index;
    int64_t keep_ms = retention_of(by->keep, ix, series, NULL);
    return t_ms < retention_cutoff_ms(by->now_ms, keep_ms) && !by->keep->waits &&
           !retention_pins(by->keep, ix, series, t_ms, t_ms);
}

int store_retire_exemplars(struct store *s)
{
    struct clock_and_keep by = {s, s->view.keep, store_now_ms(s)};
    size_t n = exemplars_forget_over(s->exemplars, is_over, &by, RETIRE_AT_ONCE);
    int r = n && s->db ? db_begin(s->db) : 0;
    if (n && s->db) {
        if (r == 0)
            r = store_save_exemplars(s);
        if (r == 0)
            r = db_commit(s->db);
        else
            db_rollback(s->db);
    }
    if (r < 0)
        exemplars_undo(s->exemplars);
    else
        exemplars_keep(s->exemplars);
    return r < 0 ? r : n == RETIRE_AT_ONCE;
}

static size_t leave_out_over(struct store_reader *rd, uint32_t id, struct exemplar *list, size_t n)
{
    struct clock_and_keep by = {rd->store, rd->view.keep, rd->now_ms};
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_over(&by, id, list[i].t_ms))
            list[kept++] = list[i];
    return kept;
}

int store_exemplars(struct store_reader *rd, const struct store_selection *selection, struct arena *arena,
                    struct store_exemplars **ret, size_t *ret_n)
{
    struct store_selection all = *selection; /* an exemplar may be older than the samples that are left */
    struct store_series *series = NULL;
    size_t n_series = 0, n = 0;
    all.min_ms = INT64_MIN;
    all.max_ms = INT64_MAX;
    all.limit = 0;
    int r = store_select(rd, &all, arena, &series, &n_series);
    if (r < 0)
        return r;
    struct store_exemplars *list = arena_array(arena, n_series, sizeof *list);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < n_series; i++) {
        struct store_exemplars found = {.series = series[i].labels};
        r = exemplars_list(rd->store->exemplars, series[i].id, selection->min_ms, selection->max_ms, arena,
                           &found.exemplars, &found.n);
        if (r < 0)
            return r;
        found.n = leave_out_over(rd, series[i].id, found.exemplars, found.n);
        if (found.n)
            list[n++] = found;
    }
    *ret = list;
    *ret_n = n;
    return 0;
}
