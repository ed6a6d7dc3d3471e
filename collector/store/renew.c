/* At the end, when the log and what is free were much of head.db, it is written anew: beside it, in memory or a temporary file, extents that
 * belong together are merged, the others and all other tables come along, and the log does not; then that takes head.db's place in one
 * transaction. So the file is as large as what it has, each page of it goes through the WAL once, and what was held is
 * written for the first time here.
 *
 * Cut off or without room for it, head.db is what it was and the log still has all that was held. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "collector/store/u32map.h"
#include "lib/base/clock.h"

#define BYTES_MAX (256 << 20)  /* beyond that it would take longer than a stop may */
#define MEMORY_KIB (16u << 10) /* which the heads have left */
#define FREE_SHARE 8           /* an eighth of the file is free: less is used when it is opened again */

static int64_t number_of(struct store *s, int statement)
{
    int64_t n = db_step(s->db, statement) > 0 ? db_i64(s->db, statement, 0) : 0;
    db_reset(s->db, statement);
    return n;
}

bool store_renew_is_due(struct store *s)
{
    int64_t pages = number_of(s, SQL_PAGES);
    int64_t unused = number_of(s, SQL_FREE_PAGES) + (int64_t)log_slots_pages(&s->slots);
    return unused > pages / FREE_SHARE && (pages - unused) * STORE_PAGE_BYTES <= BYTES_MAX;
}

struct renewal {
    struct store *store; /* its db is the new one */
    struct db *old;
    struct extent_source source; /* of the old one's extents */
    struct gathered gathered;
    struct cutter cutter;
    struct u32map gone; /* merged: not to be copied */
};

static bool is_wanted(void *ctx, int64_t id)
{
    const struct renewal *a = ctx;
    uint32_t found;
    return id < 0 || id >= UINT32_MAX || !u32map_get(&a->gone, (uint32_t)id, &found);
}

/* Within the new file's transaction. */
static int put_merged(struct renewal *a, const struct extent_ref *refs, size_t n)
{
    struct store *s = a->store;
    uint32_t ids[EXTENT_ALIKE_MAX], group = refs[0].group;
    int r = extent_dir_reserve(&s->extents, group, a->cutter.n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        ids[i] = refs[i].id;
        r = u32map_put(&a->gone, ids[i], 1);
    }
    for (size_t i = 0; r == 0 && i < a->cutter.n; i++) {
        struct extent_ref *ref = &a->cutter.extents[i];
        ref->id = ref->since = s->next_extent++;
        r = store_put_extent(s, ref);
        free(ref->bytes);
        ref->bytes = NULL;
    }
    if (r == 0)
        extent_dir_replace(&s->extents, group, ids, n, a->cutter.extents, a->cutter.n);
    return r;
}

/* What there is of a group and day becomes one: it is written in any case. */
static int merge_all(struct renewal *a, int64_t until_us)
{
    struct store *s = a->store;
    const struct extent_wanted wanted = {
        .last_id = s->next_extent - 1, .least = 2, .over_before_ms = INT64_MAX, .held = true};
    struct extent_ref refs[EXTENT_ALIKE_MAX];
    size_t n, dropped;
    int r = 0;
    for (uint32_t at = 0;
         r == 0 && mono_us() < until_us && (n = extent_dir_alike(&s->extents, &at, &wanted, refs)) > 0;) {
        r = store_merge(&a->source, refs, n, s->view.dead, &a->gathered, &a->cutter, &dropped);
        if (r == 0)
            r = put_merged(a, refs, n);
        cutter_keep(&a->cutter, 0);
        if (r == -EBADMSG || r == -ENOENT) { /* damaged, or its row is gone: they stay as they are */
            r = 0;
            at++;
        }
    }
    return r;
}

static int copy_all(struct renewal *a, int64_t merge_until_us)
{
    static const char *const TABLES[] = {"meta", "series", "family", "exemplar", "tombstone", "part"};
    struct store *s = a->store;
    size_t bytes = 0;
    int r = db_begin(s->db);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(TABLES); i++)
        r = db_copy_rows(a->old, s->db, TABLES[i], NULL, NULL);
    if (r == 0)
        r = merge_all(a, merge_until_us);
    if (r == 0)
        r = store_put_held(s, &bytes);
    if (r == 0)
        r = db_copy_rows(a->old, s->db, "ext", is_wanted, a);
    if (r == 0) {
        db_bind_i64(s->db, SQL_LOG_TRIM, 1, s->log_seq);
        r = db_run(s->db, SQL_LOG_TRIM);
    }
    return r == 0 ? db_commit(s->db) : r;
}

int store_renew(struct store *s, int64_t merge_until_us)
{
    struct renewal a = {.store = s, .old = s->db};
    struct db *fresh = NULL;
    const struct db_options options = {.bulk = true,
                                       .page_bytes = STORE_PAGE_BYTES,
                                       .cache_kib = MEMORY_KIB,
                                       .sql = STORE_SQL,
                                       .sql_count = STORE_STATEMENTS,
                                       .migrations = STORE_MIGRATIONS,
                                       .application_id = STORE_APPLICATION_ID};
    if (s->view.frozen || s->view.active->samples)
        return -EBUSY; /* the log has what the new file would not */
    int r = db_open("", &options, &fresh, NULL, 0);
    if (r < 0)
        return r;
    extent_source_init(&a.source, s, false);
    s->db = fresh;
    r = copy_all(&a, merge_until_us);
    s->db = a.old;
    extent_source_done(&a.source);
    store_connections_close(s);
    gathered_done(&a.gathered);
    cutter_done(&a.cutter);
    u32map_done(&a.gone);
    if (r == 0)
        r = db_replace(s->db, fresh);
    db_close(fresh);
    return r;
}
