/* Sealing: the frozen head becomes extents, group by group between commits; then one transaction writes them and trims the log, unless
 * they may wait in memory (hold.c). */
#include <errno.h>
#include <malloc.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"

#define SEAL_RETRY_US 5000000

/* ---- one group of the frozen head ---- */
static int take_run(void *ctx, const struct head_run *run)
{
    struct gathered *g = ctx;
    int r = gathered_reserve(g, run->n);
    for (size_t i = 0; r == 0 && i < run->n; i++)
        gathered_add(g, head_run_ms(run, i), run->starts ? run->starts[i] : 0, run->bits[i]);
    return r;
}

static int gather_group(struct store *s, uint32_t group, struct gathered *g)
{
    int r = 0;
    gathered_clear(g);
    for (unsigned ord = 0; r == 0 && ord < EXTENT_SERIES_MAX; ord++) {
        uint32_t id = group * EXTENT_SERIES_MAX + ord;
        if (!head_has(s->view.frozen, id))
            continue;
        gathered_begin(g, ord);
        r = head_read(s->view.frozen, id, s->view.seq, INT64_MIN, INT64_MAX, take_run, g);
        if (r == 0)
            r = gathered_end(g);
    }
    return r;
}

static int seal_group(struct store *s, uint32_t group)
{
    struct gathered *g = &s->seal.gathered;
    size_t cut = s->seal.cutter.n;
    s->seal.cutter.quick = true;
    int r = gather_group(s, group, g);
    if (r == 0 && g->n_series)
        r = cutter_cut(&s->seal.cutter, group, 0, g);
    if (r == 0)
        r = store_gather_head_histograms(s, group, g);
    if (r == 0 && g->n_series)
        r = cutter_cut(&s->seal.cutter, group | EXTENT_HISTOGRAMS, 0, g);
    if (r < 0)
        cutter_keep(&s->seal.cutter, cut); /* the group comes again as a whole */
    gathered_done(g);                      /* between seals a writer holds no memory for them */
    return r;
}

/* ---- the seal ---- */
/* Memory is at its highest from here until the frozen head goes. What the allocator kept of earlier requests, of each thread's, would be
 * on top of that; giving it back takes a millisecond. */
static void give_back_memory(void)
{
    (void)malloc_trim(0);
}

int store_seal_start(struct store *s)
{
    if (s->view.frozen || s->hold.due || s->view.active->samples == 0)
        return 0;
    struct head *fresh;
    int r = head_new(&fresh);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = s->view.active;
    s->view.active = fresh;
    pthread_mutex_unlock(&s->view_lock);
    log_slots_close(&s->slots);
    headlog_bases_forget(&s->log_bases); /* what is sealed is trimmed; the new head's records stand without it */
    s->seal.running = true;
    s->seal.next_group = 0;
    s->seal.n_groups = (s->index.n + EXTENT_SERIES_MAX - 1) / EXTENT_SERIES_MAX;
    s->head_since_us = 0;
    give_back_memory();
    return 0;
}

int store_put_extent(struct store *s, const struct extent_ref *ref)
{
    db_bind_i64(s->db, SQL_EXT_PUT, 1, ref->id);
    db_bind_i64(s->db, SQL_EXT_PUT, 2, ref->group);
    db_bind_i64(s->db, SQL_EXT_PUT, 3, ref->min_ms);
    db_bind_i64(s->db, SQL_EXT_PUT, 4, ref->max_ms);
    db_bind_i64(s->db, SQL_EXT_PUT, 5, ref->n_bytes);
    db_bind_i64(s->db, SQL_EXT_PUT, 6, ref->level);
    db_bind_blob(s->db, SQL_EXT_PUT, 7, ref->bytes, ref->n_bytes);
    return db_run(s->db, SQL_EXT_PUT);
}

int store_trim_log(struct store *s, int64_t seq)
{
    int r = log_slots_trim(&s->slots, s->db, seq);
    if (r == 0) {
        db_bind_i64(s->db, SQL_HISTLOG_TRIM, 1, seq);
        r = db_run(s->db, SQL_HISTLOG_TRIM);
    }
    return r < 0 ? r : store_fold_series(s, false);
}

void store_log_trimmed(struct store *s, int64_t seq)
{
    log_slots_trimmed(&s->slots, seq);
    if (s->fold_from < series_block_start(s->saved_series))
        s->fold_from = s->saved_series % SERIES_ROW_IDS ? series_block_start(s->saved_series) : UINT32_MAX;
}

static int write_extents(struct store *s, int64_t last_log_seq)
{
    size_t bytes = 0;
    int r = db_begin(s->db);
    if (r == 0)
        r = store_put_held(s, &bytes);
    for (size_t i = 0; r == 0 && i < s->seal.cutter.n; i++) {
        struct extent_ref *ref = &s->seal.cutter.extents[i];
        r = store_put_extent(s, ref);
        bytes += ref->n_bytes;
    }
    if (r == 0)
        r = store_trim_log(s, last_log_seq);
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    store_wrote(s, bytes);
    if (r < 0)
        return r;
    store_log_trimmed(s, last_log_seq);
    store_held_written(s);
    return 0;
}

static int seal_finish(struct store *s)
{
    struct seal *seal = &s->seal;
    struct head *frozen = s->view.frozen;
    uint32_t first = s->next_extent;
    for (size_t i = 0; i < seal->cutter.n; i++)
        seal->cutter.extents[i].id = seal->cutter.extents[i].since = first + (uint32_t)i;
    bool holds = store_may_hold(s);
    int r = s->db && !holds ? write_extents(s, (int64_t)frozen->last_seq) : 0;
    if (r < 0)
        return r;
    if (holds)
        store_hold(s, first + (uint32_t)seal->cutter.n - 1);
    /* From here on the file has them: what is left cannot be taken back, so a missing list entry would hide data. */
    for (size_t i = 0; i < seal->cutter.n; i++) {
        struct extent_ref ref = seal->cutter.extents[i];
        ref.held = holds;
        if (s->db && !holds) {
            free(ref.bytes);
            ref.bytes = NULL;
        }
        while (extent_dir_add(&s->extents, &ref) < 0)
            sleep_us(10000); /* no memory for 40 bytes: nothing else goes on either */
    }
    s->next_extent = first + (uint32_t)seal->cutter.n;
    seal->cutter.n = 0;
    seal->running = false;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = NULL;
    s->view.last_extent = s->next_extent - 1;
    pthread_mutex_unlock(&s->view_lock);
    head_release(frozen);
    store_count(s, COUNT_SEALS, 1);
    store_compactor_wake(s);
    return 0;
}

int store_seal_step(struct store *s)
{
    struct seal *seal = &s->seal;
    if (!seal->running)
        return 0;
    int64_t started = mono_us();
    int r = 0;
    if (seal->next_group < seal->n_groups) {
        r = seal_group(s, seal->next_group);
        if (r == 0)
            seal->next_group++;
    } else {
        r = seal_finish(s);
    }
    store_count(s, COUNT_SEAL_US, (uint64_t)(mono_us() - started));
    if (r < 0) {
        store_count(s, COUNT_SEAL_FAILURES, 1);
        seal->retry_us = mono_us() + SEAL_RETRY_US;
        return r;
    }
    return seal->running;
}

int store_seal_held(struct store *s)
{
    int r;
    do
        r = store_seal_step(s); /* one that is under way already */
    while (r > 0);
    if (r == 0 && s->hold.due)
        r = store_write_held(s); /* makes room for the next */
    if (r == 0)
        r = store_seal_start(s);
    while (r == 0 && s->seal.running) {
        r = store_seal_step(s);
        r = r > 0 ? 0 : r;
    }
    return r;
}

int store_seal_all(struct store *s)
{
    int r = store_seal_held(s);
    return r < 0 ? r : store_write_held(s);
}
