/* Where extents' bytes come from: the files through read-only connections (the writer through its own), or the memory of a store
 * without files or of what is held. Each fetch is a transaction of its own that ends when the bytes are copied. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"

#define READ_CACHE_KIB 512 /* pages of a connection; extents are copied out, so only inner pages are worth keeping */

int store_connection_get(struct store *s, uint32_t part, struct db **ret)
{
    char path[PART_PATH_MAX];
    pthread_mutex_lock(&s->pool_lock);
    for (size_t i = s->n_pool; i-- > 0;) {
        if (s->pool[i].part != part)
            continue;
        *ret = s->pool[i].db;
        s->pool[i] = s->pool[--s->n_pool];
        pthread_mutex_unlock(&s->pool_lock);
        return 0;
    }
    pthread_mutex_unlock(&s->pool_lock);
    int r = part == 0 ? 0 : store_part_path(s, part, path);
    if (r < 0)
        return r;
    const struct db_options options = {
        .read_only = true, .sql = STORE_SQL, .sql_count = STORE_STATEMENTS, .cache_kib = READ_CACHE_KIB};
    return db_open(part == 0 ? s->file : path, &options, ret, NULL, 0);
}

void store_connection_put(struct store *s, uint32_t part, struct db *db)
{
    if (!db)
        return;
    struct db *oldest = NULL;
    pthread_mutex_lock(&s->pool_lock);
    if (s->n_pool == READ_CONNECTIONS_IDLE_MAX) {
        oldest = s->pool[0].db;
        memmove(s->pool, s->pool + 1, --s->n_pool * sizeof *s->pool);
    }
    s->pool[s->n_pool++] = (struct idle_connection){db, part};
    pthread_mutex_unlock(&s->pool_lock);
    db_close(oldest);
}

void store_connections_close(struct store *s)
{
    while (s->n_pool)
        db_close(s->pool[--s->n_pool].db);
}

void store_connections_forget(struct store *s, uint32_t part)
{
    struct db *gone[READ_CONNECTIONS_IDLE_MAX];
    size_t n_gone = 0, kept = 0;
    pthread_mutex_lock(&s->pool_lock);
    for (size_t i = 0; i < s->n_pool; i++) {
        if (s->pool[i].part == part)
            gone[n_gone++] = s->pool[i].db;
        else
            s->pool[kept++] = s->pool[i];
    }
    s->n_pool = kept;
    pthread_mutex_unlock(&s->pool_lock);
    while (n_gone)
        db_close(gone[--n_gone]);
}

void extent_source_init(struct extent_source *src, struct store *s, bool writer)
{
    *src = (struct extent_source){.store = s, .writer = writer};
}

void extent_source_done(struct extent_source *src)
{
    if (src->store) {
        store_connection_put(src->store, 0, src->hot);
        store_connection_put(src->store, src->part, src->part_db);
    }
    src->hot = src->part_db = NULL;
}

/* The connection to the file that has the part's rows. */
static int connect(struct extent_source *src, uint32_t part, struct db **ret)
{
    int r = 0;
    if (part == 0 && src->writer) {
        *ret = src->store->db;
    } else if (part == 0) {
        r = src->hot ? 0 : store_connection_get(src->store, 0, &src->hot);
        *ret = src->hot;
    } else {
        if (src->part_db && src->part != part) {
            store_connection_put(src->store, src->part, src->part_db);
            src->part_db = NULL;
        }
        r = src->part_db ? 0 : store_connection_get(src->store, part, &src->part_db);
        src->part = part;
        *ret = src->part_db;
    }
    return r;
}

static int fetch(struct db *db, uint32_t id, uint8_t **ret, size_t *ret_n)
{
    db_bind_i64(db, SQL_EXT_GET, 1, id);
    int r = db_step(db, SQL_EXT_GET);
    if (r <= 0)
        return r == 0 ? -ENOENT : r;
    struct span blob = db_blob(db, SQL_EXT_GET, 0);
    uint8_t *copy = malloc(blob.len ? blob.len : 1);
    if (copy && blob.len)
        memcpy(copy, blob.ptr, blob.len);
    *ret_n = blob.len;
    db_reset(db, SQL_EXT_GET);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

int extent_source_bytes(struct extent_source *src, const struct extent_ref *ref, uint8_t **ret, size_t *ret_n)
{
    struct store *s = src->store;
    if (!s->file)
        return extent_dir_copy(&s->extents, ref->group, ref->id, ret, ret_n);
    struct db *db = NULL;
    int r = ref->held ? extent_dir_copy(&s->extents, ref->group, ref->id, ret, ret_n) : -ENOENT;
    if (r != -ENOENT)
        return r;
    r = connect(src, ref->part, &db);           /* not held any more */
    bool gate = ref->part == 0 && !src->writer; /* the writer's gate is its own business */
    if (r < 0)
        return r;
    if (gate)
        pthread_rwlock_rdlock(&s->read_gate);
    r = fetch(db, ref->id, ret, ret_n);
    if (gate)
        pthread_rwlock_unlock(&s->read_gate);
    return r;
}

int store_load_extent(struct extent_source *src, const struct extent_ref *ref, struct loaded_extent *ret)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = extent_source_bytes(src, ref, &bytes, &n);
    struct extent x;
    if (r == 0 && (extent_open(&x, bytes, n) < 0 || x.group != ref->group))
        r = -EBADMSG;
    if (r == -EUCLEAN || r == -EFBIG) /* a damaged page of the file */
        r = -EBADMSG;
    if (r == -EBADMSG)
        extent_dir_mark_bad(&src->store->extents, ref->group, ref->id);
    if (r < 0) {
        free(bytes);
        return r;
    }
    *ret = (struct loaded_extent){.extent = x, .bytes = bytes, .times_column = EXTENT_SERIES_MAX};
    return 0;
}

void loaded_extent_free(struct loaded_extent *x)
{
    free(x->bytes);
    free(x->times);
    *x = (struct loaded_extent){0};
}

int loaded_extent_times(struct loaded_extent *x, const struct extent_series *at, const int64_t **ret)
{
    if (x->times_column != at->times) {
        if (!x->times) {
            x->times = malloc(EXTENT_SAMPLES_MAX * sizeof *x->times);
            if (!x->times)
                return -ENOMEM;
        }
        x->times_column = EXTENT_SERIES_MAX;
        int r = extent_times(&x->extent, at, x->times);
        if (r < 0)
            return r;
        x->times_column = at->times;
    }
    *ret = x->times;
    return 0;
}

/* ---- late samples ---- */
static int value_in(struct store *s, const struct extent_ref *ref, unsigned ord, int64_t t_ms, uint64_t *ret_bits)
{
    int r = 0;
    if (!s->late.bytes || s->late_id != ref->id) {
        loaded_extent_free(&s->late);
        r = store_load_extent(&s->late_source, ref, &s->late);
        if (r < 0)
            return r;
        s->late_id = ref->id;
    }
    struct extent_series at;
    if (!extent_find(&s->late.extent, ord, &at))
        return -ENOENT;
    const int64_t *times;
    r = loaded_extent_times(&s->late, &at, &times);
    if (r < 0)
        return r;
    size_t low = 0, high = at.samples;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (times[mid] < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == at.samples || times[low] != t_ms)
        return -ENOENT;
    size_t n_dead;
    const struct tombstone *dead =
        tombstones_of(s->view.dead, ref->group, &n_dead); /* the writer's: nobody replaces it */
    if (tombstones_hide(dead, n_dead, ref->id, ord, t_ms))
        return -ENOENT;
    uint64_t bits[EXTENT_SAMPLES_MAX];
    r = extent_values(&s->late.extent, &at, bits, NULL);
    if (r == 0)
        *ret_bits = bits[low];
    return r;
}

int store_sealed_value(struct store *s, uint32_t id, int64_t t_ms, uint64_t *ret_bits)
{
    enum {
        OVERLAPS_MAX = 64
    }; /* extents over one instant; more means a storm of late data, whose rest is merged on read */
    struct extent_ref refs[OVERLAPS_MAX];
    size_t n = extent_dir_at(&s->extents, id / EXTENT_SERIES_MAX, t_ms, refs, OVERLAPS_MAX);
    int worst = -ENOENT;
    for (size_t i = 0; i < n && i < OVERLAPS_MAX; i++) {
        int r = value_in(s, &refs[i], id % EXTENT_SERIES_MAX, t_ms, ret_bits);
        if (r == 0)
            return 0;
        if (r != -ENOENT)
            worst = r;
    }
    return worst;
}
