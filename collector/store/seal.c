/* Sealing: the frozen head becomes extents, group by group between commits; then one transaction writes them and trims the log.
 * And its opposite, retention. */
#include <errno.h>
#include <limits.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

#define DAY_MS                                                                                                         \
    (24 * INT64_C(3600000)) /* no extent crosses a day, so that retention and, later, day files cut between them */
#define RETIRE_AT_ONCE 64   /* rows per transaction: some megabytes, so that commits do not wait long */
#define SEAL_RETRY_US 5000000

/* ---- gathering one group's samples ---- */
struct gathered { /* the columns of all series of a group, one after the other */
    int64_t *t_ms, *start_ms;
    uint64_t *bits;
    size_t n, cap;
    bool has_starts, ascending; /* of the series being gathered */
    int64_t last_ms;
};
struct gathered_series {
    unsigned ord;
    size_t from, to;
    bool has_starts;
};

static int reserve(struct gathered *g, size_t n)
{
    if (g->cap - g->n >= n)
        return 0;
    size_t cap = g->cap ? g->cap : 8192;
    while (cap - g->n < n)
        cap *= 2;
    int64_t *t = realloc(g->t_ms, cap * sizeof *t);
    if (t)
        g->t_ms = t;
    int64_t *starts = t ? realloc(g->start_ms, cap * sizeof *starts) : NULL;
    if (starts)
        g->start_ms = starts;
    uint64_t *bits = starts ? realloc(g->bits, cap * sizeof *bits) : NULL;
    if (!bits)
        return -ENOMEM;
    g->bits = bits;
    g->cap = cap;
    return 0;
}

static int gather_run(void *ctx, const struct head_run *run)
{
    struct gathered *g = ctx;
    int r = reserve(g, run->n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < run->n; i++) {
        int64_t t = head_run_ms(run, i), start = run->starts ? run->starts[i] : 0;
        g->ascending = g->ascending && (t > g->last_ms || g->last_ms == INT64_MIN);
        g->last_ms = t;
        g->t_ms[g->n] = t;
        g->start_ms[g->n] = start;
        g->has_starts = g->has_starts || start != 0;
        g->bits[g->n++] = run->bits[i];
    }
    return 0;
}

struct row {
    int64_t t_ms, start_ms;
    uint64_t bits;
};
static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct row *)a)->t_ms, y = ((const struct row *)b)->t_ms;
    return (x > y) - (x < y);
}

/* Late samples stand behind: bring the series' part into order. A head has no time twice; if it had, the extent would be
 * unreadable, so the second one is dropped all the same. */
static int sort_from(struct gathered *g, size_t from)
{
    size_t n = g->n - from;
    struct row *rows = malloc(n * sizeof *rows);
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){g->t_ms[from + i], g->start_ms[from + i], g->bits[from + i]};
    qsort(rows, n, sizeof *rows, by_time);
    g->n = from;
    for (size_t i = 0; i < n; i++) {
        if (i && rows[i].t_ms == rows[i - 1].t_ms)
            continue;
        g->t_ms[g->n] = rows[i].t_ms;
        g->start_ms[g->n] = rows[i].start_ms;
        g->bits[g->n++] = rows[i].bits;
    }
    free(rows);
    return 0;
}

static int gather_group(struct store *s, uint32_t group, struct gathered *g, struct gathered_series *series,
                        size_t *ret_n)
{
    size_t n = 0;
    g->n = 0;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        uint32_t id = group * EXTENT_SERIES_MAX + ord;
        if (!head_has(s->view.frozen, id))
            continue;
        size_t from = g->n;
        g->has_starts = false;
        g->ascending = true;
        g->last_ms = INT64_MIN;
        int r = head_read(s->view.frozen, id, s->view.seq, INT64_MIN, INT64_MAX, gather_run, g);
        if (r == 0 && !g->ascending)
            r = sort_from(g, from);
        if (r < 0)
            return r;
        if (g->n > from)
            series[n++] = (struct gathered_series){ord, from, g->n, g->has_starts};
    }
    *ret_n = n;
    return 0;
}

/* ---- cutting it into extents ---- */
static size_t first_at(const struct gathered *g, size_t from, size_t to, int64_t t_ms)
{
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (g->t_ms[mid] < t_ms)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int keep_extent(struct store *s, uint32_t group, int64_t min_ms, int64_t max_ms)
{
    struct seal *seal = &s->seal;
    if (seal->n == seal->cap) {
        size_t cap = seal->cap ? seal->cap * 2 : 64;
        struct extent_ref *extents = realloc(seal->extents, cap * sizeof *extents);
        if (!extents)
            return -ENOMEM;
        seal->extents = extents;
        seal->cap = cap;
    }
    uint8_t *bytes;
    size_t n;
    int r = extent_end(seal->writer, &bytes, &n);
    if (r < 0)
        return r;
    seal->extents[seal->n++] =
        (struct extent_ref){.group = group, .n_bytes = (uint32_t)n, .min_ms = min_ms, .max_ms = max_ms, .bytes = bytes};
    return 0;
}

/* One extent of what lies in [from_ms, to_ms], or two of its halves when a series has too many samples there. */
static int cut(struct store *s, uint32_t group, const struct gathered *g, const struct gathered_series *series,
               size_t n, int64_t from_ms, int64_t to_ms)
{
    struct part {
        size_t from, to;
    } parts[EXTENT_SERIES_MAX];
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        parts[i].from = first_at(g, series[i].from, series[i].to, from_ms);
        parts[i].to = to_ms == INT64_MAX ? series[i].to : first_at(g, parts[i].from, series[i].to, to_ms + 1);
        if (parts[i].to - parts[i].from > longest)
            longest = parts[i].to - parts[i].from;
    }
    if (longest > EXTENT_SAMPLES_MAX) { /* times of a series differ, so a stretch of one millisecond holds one sample */
        int64_t middle = from_ms + (int64_t)(((uint64_t)to_ms - (uint64_t)from_ms) / 2);
        int r = cut(s, group, g, series, n, from_ms, middle);
        return r < 0 ? r : cut(s, group, g, series, n, middle + 1, to_ms);
    }
    if (longest == 0)
        return 0;
    int64_t min_ms = INT64_MAX, max_ms = INT64_MIN;
    extent_begin(s->seal.writer, group);
    for (size_t i = 0; i < n; i++) {
        size_t from = parts[i].from, count = parts[i].to - from;
        if (count == 0)
            continue;
        int r = extent_add(s->seal.writer, series[i].ord, g->t_ms + from,
                           series[i].has_starts ? g->start_ms + from : NULL, g->bits + from, count);
        if (r < 0)
            return r;
        min_ms = g->t_ms[from] < min_ms ? g->t_ms[from] : min_ms;
        max_ms = g->t_ms[from + count - 1] > max_ms ? g->t_ms[from + count - 1] : max_ms;
    }
    return keep_extent(s, group, min_ms, max_ms);
}

static int64_t day_start(int64_t t_ms)
{
    int64_t into = t_ms % DAY_MS;
    into += into < 0 ? DAY_MS : 0;
    return t_ms < INT64_MIN + into ? INT64_MIN : t_ms - into;
}

static int seal_group(struct store *s, uint32_t group)
{
    struct gathered g = {0};
    struct gathered_series series[EXTENT_SERIES_MAX];
    size_t n = 0, kept_before = s->seal.n;
    int r = gather_group(s, group, &g, series, &n);
    int64_t next_ms = INT64_MIN;
    for (bool more = r == 0 && n > 0; more && r == 0;) {
        int64_t first_ms = INT64_MAX; /* the earliest sample not cut yet; days without any are passed over */
        more = false;
        for (size_t i = 0; i < n; i++) {
            size_t at = first_at(&g, series[i].from, series[i].to, next_ms);
            if (at < series[i].to && (!more || g.t_ms[at] < first_ms)) {
                first_ms = g.t_ms[at];
                more = true;
            }
        }
        if (!more)
            break;
        int64_t from_ms = day_start(first_ms), to_ms;
        if (__builtin_add_overflow(from_ms, DAY_MS - 1, &to_ms))
            to_ms = INT64_MAX;
        r = cut(s, group, &g, series, n, from_ms, to_ms);
        more = to_ms < INT64_MAX;
        next_ms = more ? to_ms + 1 : to_ms;
    }
    free(g.t_ms);
    free(g.start_ms);
    free(g.bits);
    while (r < 0 && s->seal.n > kept_before) /* the group is done again from the start */
        free(s->seal.extents[--s->seal.n].bytes);
    return r;
}

/* ---- the seal ---- */
int store_seal_start(struct store *s)
{
    if (s->view.frozen || s->view.active->samples == 0)
        return 0;
    struct head *fresh;
    if (!s->seal.writer) {
        int r = extent_writer_new(&s->seal.writer);
        if (r < 0)
            return r;
    }
    int r = head_new(&fresh);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = s->view.active;
    s->view.active = fresh;
    pthread_mutex_unlock(&s->view_lock);
    s->seal.running = true;
    s->seal.next_group = 0;
    s->seal.n_groups = (s->index.n + EXTENT_SERIES_MAX - 1) / EXTENT_SERIES_MAX;
    s->head_since_us = 0;
    return 0;
}

static int write_extents(struct store *s, int64_t last_log_seq)
{
    size_t bytes = 0;
    int r = db_begin(s->db);
    for (size_t i = 0; r == 0 && i < s->seal.n; i++) {
        struct extent_ref *ref = &s->seal.extents[i];
        db_bind_i64(s->db, SQL_EXT_PUT, 1, ref->id);
        db_bind_i64(s->db, SQL_EXT_PUT, 2, ref->group);
        db_bind_i64(s->db, SQL_EXT_PUT, 3, ref->min_ms);
        db_bind_i64(s->db, SQL_EXT_PUT, 4, ref->max_ms);
        db_bind_i64(s->db, SQL_EXT_PUT, 5, ref->n_bytes);
        db_bind_blob(s->db, SQL_EXT_PUT, 6, ref->bytes, ref->n_bytes);
        r = db_run(s->db, SQL_EXT_PUT);
        bytes += ref->n_bytes;
    }
    if (r == 0) {
        db_bind_i64(s->db, SQL_LOG_TRIM, 1, last_log_seq);
        r = db_run(s->db, SQL_LOG_TRIM);
    }
    if (r == 0)
        r = store_fold_series(s, false);
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    if (r == 0 && s->fold_from < series_block_start(s->saved_series))
        s->fold_from = s->saved_series % SERIES_ROW_IDS ? series_block_start(s->saved_series) : UINT32_MAX;
    store_wrote(s, bytes);
    return r;
}

static int seal_finish(struct store *s)
{
    struct seal *seal = &s->seal;
    struct head *frozen = s->view.frozen;
    uint32_t first = s->next_extent;
    for (size_t i = 0; i < seal->n; i++)
        seal->extents[i].id = first + (uint32_t)i;
    int r = s->db ? write_extents(s, (int64_t)frozen->last_seq) : 0;
    if (r < 0)
        return r;
    /* From here on the file has them: what is left cannot be taken back, so a missing list entry would hide data. */
    for (size_t i = 0; i < seal->n; i++) {
        struct extent_ref ref = seal->extents[i];
        if (s->db) {
            free(ref.bytes);
            ref.bytes = NULL;
        }
        while (extent_dir_add(&s->extents, &ref) < 0)
            sleep_us(10000); /* no memory for 40 bytes: nothing else goes on either */
    }
    s->next_extent = first + (uint32_t)seal->n;
    seal->n = 0;
    seal->running = false;
    pthread_mutex_lock(&s->view_lock);
    s->view.frozen = NULL;
    s->view.last_extent = s->next_extent - 1;
    pthread_mutex_unlock(&s->view_lock);
    head_release(frozen);
    store_count(s, COUNT_SEALS, 1);
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

int store_seal_all(struct store *s)
{
    int r;
    do
        r = store_seal_step(s); /* one that is under way already */
    while (r > 0);
    if (r == 0)
        r = store_seal_start(s);
    while (r == 0 && s->seal.running) {
        r = store_seal_step(s);
        r = r > 0 ? 0 : r;
    }
    return r;
}

/* ---- retention ---- */
static bool has_pinned_name(const struct store *s, uint32_t group, const struct store_pin *pin)
{
    struct label pairs[LABELS_MAX];
    for (uint32_t ord = 0; ord < EXTENT_SERIES_MAX && group * EXTENT_SERIES_MAX + ord < s->index.n; ord++) {
        const struct series *series = series_index_at(&s->index, group * EXTENT_SERIES_MAX + ord);
        if (!series)
            continue;
        struct labels labels = series_labels(&s->index, series, pairs);
        struct span name = labels_get(&labels, SPAN("__name__"));
        for (const char *const *prefix = pin->name_prefixes; *prefix; prefix++)
            if (span_starts(name, span_str(*prefix)))
                return true;
    }
    return false;
}

static bool is_pinned(void *ctx, const struct extent_ref *ref)
{
    const struct store *s = ctx;
    for (size_t i = 0; i < s->n_pins; i++)
        if (s->pins[i].start_ms <= ref->max_ms && s->pins[i].end_ms >= ref->min_ms &&
            has_pinned_name(s, ref->group, &s->pins[i]))
            return true;
    return false;
}

struct new_pins {
    struct store_pin *list;
    size_t n;
};

static void take_pins(struct store *s, void *ctx)
{
    struct new_pins *pins = ctx;
    free(s->pins);
    s->pins = pins->list;
    s->n_pins = pins->n;
    s->config.retention_waits = false;
    s->retention_due_us = mono_us(); /* what is not pinned any more goes now */
}

int store_set_pins(struct store *s, const struct store_pin *pins, size_t n)
{
    struct new_pins taken = {calloc(n ? n : 1, sizeof *taken.list), n};
    if (!taken.list)
        return -ENOMEM;
    if (n)
        memcpy(taken.list, pins, n * sizeof *pins);
    int r = store_call(s, take_pins, &taken);
    if (r < 0)
        free(taken.list);
    return r;
}

int store_retire(struct store *s)
{
    if (s->config.retention_ms <= 0 || s->config.retention_waits)
        return 0;
    int64_t cutoff_ms;
    if (__builtin_sub_overflow(store_now_ms(s), s->config.retention_ms, &cutoff_ms))
        return 0;
    struct extent_ref refs[RETIRE_AT_ONCE];
    size_t n = extent_dir_ended(&s->extents, cutoff_ms, is_pinned, s, refs, RETIRE_AT_ONCE);
    int r = n && s->db ? db_begin(s->db) : 0;
    for (size_t i = 0; r == 0 && s->db && i < n; i++) {
        db_bind_i64(s->db, SQL_EXT_DELETE, 1, refs[i].id);
        r = db_run(s->db, SQL_EXT_DELETE);
    }
    if (n && s->db) {
        if (r == 0)
            r = db_commit(s->db);
        else
            db_rollback(s->db);
        store_wrote(s, n * 8192);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        extent_dir_remove(&s->extents, refs[i].group, refs[i].id);
    store_count(s, COUNT_RETIRED_EXTENTS, n);
    if (n)
        store_publish_span(s);
    return n == RETIRE_AT_ONCE;
}
