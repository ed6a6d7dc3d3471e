/* Views and samples: what a reader saw when it was opened, until it is closed. */
#include <errno.h>

#include "collector/store/histogram_pack.h"
#include "collector/store/reader_inside.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

#define NO_GROUP UINT32_MAX
#define RELIST_MAX 1000

int store_reader_open(struct store *s, struct store_reader **ret)
{
    struct store_reader *rd = calloc(1, sizeof *rd);
    if (!rd)
        return -ENOMEM;
    rd->store = s;
    extent_source_init(&rd->source, s, false);
    rd->floats.group = rd->histograms.group = rd->hours.group = rd->minutes.group = rd->overlap.group = NO_GROUP;
    rd->now_ms = store_now_ms(s);
    pthread_mutex_lock(&s->view_lock);
    rd->view = s->view;
    head_hold(rd->view.active);
    if (rd->view.frozen)
        head_hold(rd->view.frozen);
    tombstones_hold(rd->view.dead);
    retention_hold(rd->view.keep);
    rd->next = s->readers;
    if (rd->next)
        rd->next->previous = rd;
    s->readers = rd;
    pthread_mutex_unlock(&s->view_lock);
    *ret = rd;
    return 0;
}

static size_t cost_of(const struct loaded_extent *x)
{
    return x->extent.n_bytes + EXTENT_SAMPLES_MAX * sizeof(int64_t);
}

static void unload(struct store_reader *rd, struct read_group *g)
{
    for (size_t i = 0; i < g->n_refs; i++) {
        if (g->loaded[i].bytes)
            rd->loaded_bytes -= cost_of(&g->loaded[i]);
        loaded_extent_free(&g->loaded[i]);
    }
}

void reader_leave_group(struct store_reader *rd, struct read_group *g)
{
    unload(rd, g);
    free(g->refs);
    free(g->loaded);
    *g = (struct read_group){.group = NO_GROUP};
}

void store_reader_close(struct store_reader *rd)
{
    if (!rd)
        return;
    struct store *s = rd->store;
    pthread_mutex_lock(&s->view_lock);
    if (rd->next)
        rd->next->previous = rd->previous;
    if (rd->previous)
        rd->previous->next = rd->next;
    else
        s->readers = rd->next;
    pthread_mutex_unlock(&s->view_lock);
    reader_leave_group(rd, &rd->floats);
    reader_leave_group(rd, &rd->histograms);
    reader_leave_group(rd, &rd->hours);
    reader_leave_group(rd, &rd->minutes);
    free(rd->covered.list);
    extent_source_done(&rd->source);
    head_release(rd->view.active);
    head_release(rd->view.frozen);
    tombstones_release(rd->view.dead);
    retention_release(rd->view.keep);
    free(rd);
}

int reader_enter_group(struct store_reader *rd, struct read_group *g, uint32_t group)
{
    if (g->group == group)
        return 0;
    reader_leave_group(rd, g);
    struct extent_ref *refs = NULL;
    size_t n = 0;
    int r = extent_dir_list(&rd->store->extents, group, rd->view.last_extent, &refs, &n);
    if (r < 0)
        return r;
    struct loaded_extent *loaded = calloc(n ? n : 1, sizeof *loaded);
    if (!loaded) {
        free(refs);
        return -ENOMEM;
    }
    *g = (struct read_group){.group = group, .refs = refs, .loaded = loaded, .n_refs = n};
    g->dead = tombstones_of(rd->view.dead, group, &g->n_dead);
    return 0;
}

/* Is there an extent in the range that may have samples of the series which are not deleted? */
static bool has_undeleted(struct store_reader *rd, struct read_group *g, uint32_t group, unsigned ord, int64_t min_ms,
                          int64_t max_ms)
{
    if (reader_enter_group(rd, g, group) < 0)
        return true;
    bool found = false;
    for (size_t i = 0; !found && i < g->n_refs && g->refs[i].min_ms <= max_ms; i++)
        found = g->refs[i].max_ms >= min_ms && !tombstones_hide_all(g->dead, g->n_dead, &g->refs[i], ord);
    return found;
}

/* Those that are pinned are not. What ends with the retention of all is there until its extents go. */
int64_t reader_cutoff_of(const struct store_reader *rd, uint32_t id)
{
    const struct retention *keep = rd->view.keep;
    bool own;
    if (!keep->rules)
        return INT64_MIN;
    int64_t keep_ms = retention_of(keep, &rd->store->index, id, &own);
    return own ? retention_cutoff_ms(rd->now_ms, keep_ms) : INT64_MIN;
}

bool store_may_have(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms, bool narrow)
{
    int64_t cutoff_ms = rd->gone ? INT64_MIN : reader_cutoff_of(rd, id);
    if (min_ms < cutoff_ms && !retention_pins(rd->view.keep, &rd->store->index, id, min_ms, cutoff_ms - 1))
        min_ms = cutoff_ms;
    if (min_ms > max_ms)
        return false;
    const struct head *const heads[] = {rd->view.active, rd->view.frozen};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (heads[i] && head_has(heads[i], id) &&
            (!narrow || reader_head_has(heads[i], id, rd->view.seq, min_ms, max_ms)))
            return true;
    struct reader_overlap *o = &rd->overlap; /* ids come in order: neighbours ask the same */
    uint32_t group = id / EXTENT_SERIES_MAX;
    if (o->group != group || o->min_ms != min_ms || o->max_ms != max_ms)
        *o = (struct reader_overlap){
            group, extent_dir_overlaps(&rd->store->extents, group, rd->view.last_extent, min_ms, max_ms, rd->gone),
            min_ms, max_ms};
    if (!o->overlaps || (narrow && !reader_sealed_has(rd, id, min_ms, max_ms)))
        return false;
    if (!rd->view.dead)
        return true;
    unsigned ord = id % EXTENT_SERIES_MAX;
    return has_undeleted(rd, &rd->floats, group, ord, min_ms, max_ms) ||
           has_undeleted(rd, &rd->histograms, group | EXTENT_HISTOGRAMS, ord, min_ms, max_ms) ||
           (rd->gone && (has_undeleted(rd, &rd->hours, group | EXTENT_ROLLUPS_1H, ord, min_ms, max_ms) ||
                         has_undeleted(rd, &rd->minutes, group | EXTENT_ROLLUPS_5M, ord, min_ms, max_ms)));
}

void store_reader_see_gone(struct store_reader *rd)
{
    rd->gone = true;
    rd->overlap.group = NO_GROUP;
}

/* ---- histograms ---- */
static int append_item(void *ctx, const struct histogram_item *item)
{
    struct reading *in = ctx;
    struct packed_histogram packed;
    const uint8_t *at = item->bytes;
    struct native_histogram *h = arena_alloc(&in->columns->memory, sizeof *h);
    int r = h ? histogram_open(&at, item->bytes + item->n_bytes, &packed) : -ENOMEM;
    if (r == 0)
        r = histogram_unpack(&packed, &in->columns->memory, h);
    return r < 0 ? r : reader_append_histogram(in, item->t_ms, item->start_ms, h);
}

/* The rows of an extent; those of one bundle share spans and bounds. */
struct reading_rows {
    struct reading *in;
    const struct read_group *group;
    const struct extent_ref *ref;
    unsigned ord;
    bool dead; /* some may be deleted */
    struct native_histogram layout;
};

static int append_row(void *ctx, const struct histogram_row *row)
{
    struct reading_rows *rows = ctx;
    struct arena *memory = &rows->in->columns->memory;
    int r = row->new_layout ? histogram_layout_unpack(row->layout, memory, &rows->layout) : 0;
    if (r < 0)
        return r;
    if (rows->dead && tombstones_hide(rows->group->dead, rows->group->n_dead, rows->ref->id, rows->ord, row->t_ms))
        return 0;
    struct native_histogram *h = arena_alloc(memory, sizeof *h);
    if (!h)
        return -ENOMEM;
    *h = rows->layout;
    h->is_float = row->is_float;
    h->hint = row->hint;
    r = histogram_set_columns(h, row->layout, row->bits, memory);
    return r < 0 ? r : reader_append_histogram(rows->in, row->t_ms, row->start_ms, h);
}

/* ---- sealed samples ---- */
int reader_load(struct store_reader *rd, struct read_group *g, size_t i)
{
    if (g->loaded[i].bytes)
        return 0;
    if (rd->loaded_bytes > STORE_READER_BYTES_MAX) {
        unload(rd, &rd->floats);
        unload(rd, &rd->histograms);
        unload(rd, &rd->hours);
        unload(rd, &rd->minutes);
    }
    int r = store_load_extent(&rd->source, &g->refs[i], &g->loaded[i]);
    if (r == 0)
        rd->loaded_bytes += cost_of(&g->loaded[i]);
    return r;
}

static size_t first_at(const int64_t *t, size_t n, int64_t t_ms)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (t[mid] < t_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int read_histograms(const struct read_group *g, size_t i, unsigned ord, struct reading *in)
{
    const struct extent *x = &g->loaded[i].extent;
    struct histogram_series at;
    int64_t t[EXTENT_SAMPLES_MAX];
    if (!histogram_extent_find(x, ord, &at))
        return 0;
    int r = histogram_extent_times(x, &at, t);
    if (r < 0)
        return r;
    size_t from = first_at(t, at.samples, in->min_ms);
    size_t to = in->max_ms == INT64_MAX ? at.samples : first_at(t, at.samples, in->max_ms + 1);
    struct reading_rows rows = {.in = in,
                                .group = g,
                                .ref = &g->refs[i],
                                .ord = ord,
                                .dead = tombstones_concern(g->dead, g->n_dead, &g->refs[i], ord)};
    return from < to ? histogram_extent_read(x, &at, from, to, append_row, &rows) : 0;
}

struct left_out { /* of an extent: samples of deleted times, and of those that the reading leaves out */
    const struct reading *in;
    const struct read_group *group;
    uint32_t extent;
    unsigned ord;
    bool dead;
};
/* Times ascend from call to call; *skip begins with 0. */
static bool is_left_out(const struct left_out *out, int64_t t_ms, size_t *skip)
{
    const struct reading *in = out->in;
    while (*skip < in->n_skip && in->skip[*skip].max_ms < t_ms)
        ++*skip;
    return (*skip < in->n_skip && in->skip[*skip].min_ms <= t_ms) ||
           (out->dead && tombstones_hide(out->group->dead, out->group->n_dead, out->extent, out->ord, t_ms));
}

/* Is all that lies in these times to be left out? */
static bool is_skipped(const struct reading *in, int64_t min_ms, int64_t max_ms)
{
    size_t low = 0, high = in->n_skip; /* the first that does not end before */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (in->skip[mid].max_ms < min_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low < in->n_skip && in->skip[low].min_ms <= min_ms && in->skip[low].max_ms >= max_ms;
}

static int read_extent(struct store_reader *rd, struct read_group *g, size_t i, unsigned ord, struct reading *in)
{
    int r = reader_load(rd, g, i);
    if (r < 0)
        return r;
    if (g->loaded[i].extent.histograms)
        return read_histograms(g, i, ord, in);
    struct loaded_extent *x = &g->loaded[i];
    struct extent_series at;
    if (!extent_find(&x->extent, ord, &at))
        return 0;
    const int64_t *t;
    r = loaded_extent_times(x, &at, &t);
    if (r < 0)
        return r;
    size_t from = first_at(t, at.samples, in->min_ms);
    size_t to = in->max_ms == INT64_MAX ? at.samples : first_at(t, at.samples, in->max_ms + 1);
    if (from == to)
        return 0;
    uint64_t bits[EXTENT_SAMPLES_MAX];
    int64_t starts[EXTENT_SAMPLES_MAX];
    r = extent_values(&x->extent, &at, bits, at.has_starts ? starts : NULL);
    if (r < 0)
        return r;
    bool dead = tombstones_concern(g->dead, g->n_dead, &g->refs[i], ord), all = !dead && in->n_skip == 0;
    const struct left_out out = {in, g, g->refs[i].id, ord, dead};
    size_t skip = 0;
    for (size_t k; r == 0 && from < to; from = k) { /* runs between what is deleted or left out; mostly one */
        while (!all && from < to && is_left_out(&out, t[from], &skip))
            from++;
        for (k = all ? to : from; k < to; k++)
            if (is_left_out(&out, t[k], &skip))
                break;
        r = reader_append(in, t + from, bits + from, at.has_starts ? starts + from : NULL, k - from);
    }
    return r;
}

/* -ESTALE: an extent is gone; merged into another one, which a new list has, or retired. */
static int read_listed(struct store_reader *rd, struct read_group *g, uint32_t group, unsigned ord, struct reading *in)
{
    int r = reader_enter_group(rd, g, group);
    for (size_t i = 0; r == 0 && i < g->n_refs; i++) {
        struct extent_ref *ref = &g->refs[i];
        if (ref->min_ms > in->max_ms)
            break; /* they are sorted by it */
        if (ref->max_ms < in->min_ms || ref->bad || is_skipped(in, ref->min_ms, ref->max_ms))
            continue;
        size_t n = in->columns->n;
        r = read_extent(rd, g, i, ord, in);
        if (r == -EBADMSG) {
            extent_dir_mark_bad(&rd->store->extents, group, ref->id);
            ref->bad = true;
            in->columns->n = n;
            r = 0;
        } else if (r == -ENOENT) {
            r = -ESTALE;
        }
    }
    return r;
}

static int read_sealed(struct store_reader *rd, struct read_group *g, uint32_t group, unsigned ord, struct reading *in)
{
    size_t n = in->columns->n;
    bool ascending = in->ascending;
    int r;
    for (int tries = 0; (r = read_listed(rd, g, group, ord, in)) == -ESTALE; tries++) {
        if (tries >= RELIST_MAX)
            return -EIO; /* the list has what the file has lost */
        if (tries)
            sleep_us(1000); /* the list follows right after the file */
        reader_leave_group(rd, g);
        in->columns->n = n;
        in->ascending = ascending;
    }
    return r;
}

/* Both are merged by time: a series may have turned from one into the other. */
static int read_all_histograms(struct store_reader *rd, uint32_t id, struct reading *in)
{
    const struct store_view *v = &rd->view;
    int r = read_sealed(rd, &rd->histograms, id / EXTENT_SERIES_MAX | EXTENT_HISTOGRAMS, id % EXTENT_SERIES_MAX, in);
    if (r == 0 && v->frozen)
        r = head_read_histograms(v->frozen, id, v->seq, in->min_ms, in->max_ms, append_item, in);
    return r == 0 ? head_read_histograms(v->active, id, v->seq, in->min_ms, in->max_ms, append_item, in) : r;
}

/* Leave out what is before the cutoff and not pinned. */
static void hide_expired(const struct store_reader *rd, uint32_t id, int64_t cutoff_ms, struct sample_columns *c)
{
    const struct retention *keep = rd->view.keep;
    size_t n = 0, end = first_at(c->t_ms, c->n, cutoff_ms);
    for (size_t i = 0; i < c->n; i++) {
        if (i < end && !retention_pins(keep, &rd->store->index, id, c->t_ms[i], c->t_ms[i]))
            continue;
        c->t_ms[n] = c->t_ms[i];
        if (c->start_ms)
            c->start_ms[n] = c->start_ms[i];
        if (c->histograms)
            c->histograms[n] = c->histograms[i];
        c->value[n++] = c->value[i];
    }
    c->n = n;
}

int reader_read_floats(struct store_reader *rd, uint32_t id, struct reading *in)
{
    const struct store_view *v = &rd->view;
    int r = read_sealed(rd, &rd->floats, id / EXTENT_SERIES_MAX, id % EXTENT_SERIES_MAX, in);
    if (r == 0 && v->frozen)
        r = head_read(v->frozen, id, v->seq, in->min_ms, in->max_ms, reader_append_run, in);
    return r == 0 ? head_read(v->active, id, v->seq, in->min_ms, in->max_ms, reader_append_run, in) : r;
}

int store_read(struct store_reader *rd, uint32_t id, int64_t min_ms, int64_t max_ms, struct sample_columns *columns)
{
    reader_clear_columns(columns);
    if (id >= rd->view.n_series || min_ms > max_ms)
        return 0;
    int64_t cutoff_ms = reader_cutoff_of(rd, id);
    bool pinned = min_ms < cutoff_ms && retention_pins(rd->view.keep, &rd->store->index, id, min_ms, cutoff_ms - 1);
    if (min_ms < cutoff_ms && !pinned)
        min_ms = cutoff_ms;
    if (min_ms > max_ms)
        return 0;
    struct reading in = {.columns = columns, .ascending = true, .min_ms = min_ms, .max_ms = max_ms};
    int r = reader_read_floats(rd, id, &in);
    if (r == 0)
        r = read_all_histograms(rd, id, &in);
    if (r == 0 && !in.ascending)
        r = reader_put_in_order(columns);
    if (r == 0 && pinned)
        hide_expired(rd, id, cutoff_ms, columns);
    if (r < 0)
        columns->n = 0;
    return r;
}

/* ---- metadata ---- */
int store_metadata(struct store_reader *rd, struct span name, struct arena *arena, struct metadata **ret, size_t *ret_n)
{
    return families_list(&rd->store->families, name, arena, ret, ret_n);
}
