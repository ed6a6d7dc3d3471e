/* Where extents' bytes come from: the file through read-only connections (the writer through its own), or the memory of a store
 * without files. Each fetch is a transaction of its own that ends when the bytes are copied. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"

#define READ_CACHE_KIB 512 /* pages of a connection; extents are copied out, so only inner pages are worth keeping */

int store_connection_get(struct store *s, struct db **ret)
{
    *ret = NULL;
    if (!s->file)
        return 0;
    pthread_mutex_lock(&s->pool_lock);
    if (s->n_pool)
        *ret = s->pool[--s->n_pool];
    pthread_mutex_unlock(&s->pool_lock);
    if (*ret)
        return 0;
    const struct db_options options = {
        .read_only = true, .sql = STORE_SQL, .sql_count = STORE_STATEMENTS, .cache_kib = READ_CACHE_KIB};
    return db_open(s->file, &options, ret, NULL, 0);
}

void store_connection_put(struct store *s, struct db *db)
{
    if (!db)
        return;
    pthread_mutex_lock(&s->pool_lock);
    if (s->n_pool < READ_CONNECTIONS_IDLE_MAX) {
        s->pool[s->n_pool++] = db;
        db = NULL;
    }
    pthread_mutex_unlock(&s->pool_lock);
    db_close(db);
}

void store_connections_close(struct store *s)
{
    while (s->n_pool)
        db_close(s->pool[--s->n_pool]);
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

int store_load_extent(struct store *s, struct db *db, uint32_t group, uint32_t id, struct loaded_extent *ret)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r;
    if (!s->file) {
        r = extent_dir_copy(&s->extents, group, id, &bytes, &n);
    } else if (db == s->db) { /* the writer's gate is its own business */
        r = fetch(db, id, &bytes, &n);
    } else {
        pthread_rwlock_rdlock(&s->read_gate);
        r = fetch(db, id, &bytes, &n);
        pthread_rwlock_unlock(&s->read_gate);
    }
    struct extent x;
    if (r == 0 && (extent_open(&x, bytes, n) < 0 || x.group != group))
        r = -EBADMSG;
    if (r == -EUCLEAN || r == -EFBIG) /* a damaged page of the file */
        r = -EBADMSG;
    if (r == -EBADMSG)
        extent_dir_mark_bad(&s->extents, group, id);
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
static int value_in(struct store *s, uint32_t group, uint32_t extent_id, unsigned ord, int64_t t_ms, uint64_t *ret_bits)
{
    int r = 0;
    if (!s->late.bytes || s->late_id != extent_id) {
        loaded_extent_free(&s->late);
        r = store_load_extent(s, s->db, group, extent_id, &s->late);
        if (r < 0)
            return r;
        s->late_id = extent_id;
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
    uint32_t ids[OVERLAPS_MAX], group = id / EXTENT_SERIES_MAX;
    size_t n = extent_dir_at(&s->extents, group, t_ms, ids, OVERLAPS_MAX);
    int worst = -ENOENT;
    for (size_t i = 0; i < n && i < OVERLAPS_MAX; i++) {
        int r = value_in(s, group, ids[i], id % EXTENT_SERIES_MAX, t_ms, ret_bits);
        if (r == 0)
            return 0;
        if (r != -ENOENT)
            worst = r;
    }
    return worst;
}
