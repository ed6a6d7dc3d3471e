/* Holding: the extents of a few seals wait in memory, as the log has their samples still; then those of a group become one and only
 * that is written, in the transaction that trims the log. So short extents, which are the larger ones for what they have, mostly never
 * reach the disk.
 *
 * A merged extent takes its parts' place when every open reader's view has all of them. Until the next head is full readers are waited
 * for; after that the parts are written as they are, and the compactor merges them later. Nothing else touches what is held: not the
 * compactor, the retention or the files of days; a deletion writes it first. */
#include <errno.h>

#include "collector/store/store_inside.h"
#include "collector/store/store_sql.h"
#include "lib/base/clock.h"

#define RETRY_US 5000000

static size_t bytes_of(const struct cutter *c)
{
    size_t bytes = 0;
    for (size_t i = 0; i < c->n; i++)
        bytes += c->extents[i].n_bytes;
    return bytes;
}

bool store_may_hold(const struct store *s)
{
    const struct hold *h = &s->hold;
    uint64_t samples = s->view.frozen->samples,
             others = h->seals ? h->samples : samples; /* one alone is not worth it */
    return s->db && h->seals < STORE_HELD_SEALS && samples + others <= STORE_HELD_SAMPLES &&
           bytes_of(&s->seal.cutter) + h->bytes <= STORE_HELD_BYTES;
}

void store_hold(struct store *s, uint32_t last_id)
{
    struct hold *h = &s->hold;
    uint64_t samples = s->view.frozen->samples;
    size_t bytes = bytes_of(&s->seal.cutter);
    h->seals++;
    h->samples += samples;
    h->bytes += bytes;
    h->last_id = last_id;
    h->last_seq = s->view.frozen->last_seq;
    h->due = h->seals == STORE_HELD_SEALS || h->samples + samples > STORE_HELD_SAMPLES ||
             h->bytes + bytes > STORE_HELD_BYTES;
}

/* Of each group of series floats, then native histograms. */
static uint32_t groups_of(const struct store *s)
{
    return (s->index.n + EXTENT_SERIES_MAX - 1) / EXTENT_SERIES_MAX * 2;
}

static uint32_t group_at(uint32_t i)
{
    return i / 2 | (i % 2 ? EXTENT_HISTOGRAMS : 0);
}

/* ---- writing ---- */
int store_put_held(struct store *s, size_t *bytes)
{
    int r = 0;
    for (uint32_t at = 0; r == 0 && s->hold.seals && at < groups_of(s); at++) {
        const struct extent_ref *refs;
        size_t n = extent_dir_held(&s->extents, group_at(at), &refs);
        for (size_t i = 0; r == 0 && n; i++) {
            if (!refs[i].held)
                continue;
            r = store_put_extent(s, &refs[i]);
            *bytes += refs[i].n_bytes;
            n--;
        }
    }
    return r;
}

void store_held_written(struct store *s)
{
    for (uint32_t at = 0; s->hold.seals && at < groups_of(s); at++)
        extent_dir_written(&s->extents, group_at(at));
    s->hold = (struct hold){0};
}

/* ---- merging ---- */
/* The held extents of a group, when they can become one. */
static size_t parts_of(struct store *s, uint32_t group, struct extent_ref parts[EXTENT_ALIKE_MAX],
                       uint32_t ids[EXTENT_ALIKE_MAX])
{
    const struct extent_ref *refs;
    size_t n = extent_dir_held(&s->extents, group, &refs), at = 0;
    if (n < 2 || n > EXTENT_ALIKE_MAX)
        return 0;
    for (size_t i = 0; at < n; i++)
        if (refs[i].held) {
            parts[at] = refs[i];
            ids[at++] = refs[i].id;
        }
    return n;
}

static int merge_group(struct store *s, uint32_t group)
{
    struct extent_ref parts[EXTENT_ALIKE_MAX];
    uint32_t ids[EXTENT_ALIKE_MAX];
    struct loaded_extent loaded[EXTENT_ALIKE_MAX];
    struct gathered *g = &s->seal.gathered;
    size_t n = parts_of(s, group, parts, ids), dropped;
    if (n == 0)
        return 0;
    int r = store_gather(&s->late_source, parts, n, NULL, loaded, g, &dropped);
    for (size_t i = 0; i < n; i++)
        loaded_extent_free(&loaded[i]);
    s->seal.cutter.quick = false;
    if (r == 0)
        r = cutter_cut(&s->seal.cutter, group, 1, g);
    gathered_done(g);
    return r == -EBADMSG ? 0 : r; /* written as they are */
}

/* The transaction: what was merged, what was not, and the end of their log. */
static int write_all(struct store *s, uint32_t *next)
{
    struct cutter *c = &s->seal.cutter;
    size_t at = 0, bytes = 0;
    int r = db_begin(s->db);
    for (uint32_t k = 0; r == 0 && k < groups_of(s); k++) {
        const struct extent_ref *refs;
        uint32_t group = group_at(k);
        size_t first = at, n = extent_dir_held(&s->extents, group, &refs);
        uint32_t since = 0;
        while (at < c->n && c->extents[at].group == group)
            at++;
        for (size_t i = 0; r == 0 && n; i++) {
            if (!refs[i].held)
                continue;
            since = refs[i].id > since ? refs[i].id : since;
            if (at == first) {
                r = store_put_extent(s, &refs[i]);
                bytes += refs[i].n_bytes;
            }
            n--;
        }
        if (r == 0)
            r = extent_dir_reserve(&s->extents, group, at - first);
        for (size_t i = first; r == 0 && i < at; i++) {
            c->extents[i].id = (*next)++;
            c->extents[i].since = since;
            r = store_put_extent(s, &c->extents[i]);
            bytes += c->extents[i].n_bytes;
        }
    }
    if (r == 0)
        r = store_trim_log(s, (int64_t)s->hold.last_seq);
    if (r == 0)
        r = db_commit(s->db);
    else
        db_rollback(s->db);
    store_wrote(s, bytes);
    return r;
}

static int finish(struct store *s)
{
    struct cutter *c = &s->seal.cutter;
    uint32_t next = s->next_extent;
    int r = write_all(s, &next);
    if (r < 0)
        return r;
    store_log_trimmed(s, (int64_t)s->hold.last_seq);
    for (size_t at = 0, to; at < c->n; at = to) {
        struct extent_ref parts[EXTENT_ALIKE_MAX];
        uint32_t ids[EXTENT_ALIKE_MAX], group = c->extents[at].group;
        for (to = at; to < c->n && c->extents[to].group == group; to++) {
            free(c->extents[to].bytes); /* the file has them now */
            c->extents[to].bytes = NULL;
        }
        size_t n = parts_of(s, group, parts, ids);
        extent_dir_replace(&s->extents, group, ids, n, c->extents + at, to - at);
        store_count(s, COUNT_MERGED_EXTENTS, n);
    }
    c->n = 0;
    store_held_written(s);
    s->next_extent = next;
    pthread_mutex_lock(&s->view_lock);
    s->view.last_extent = next - 1;
    pthread_mutex_unlock(&s->view_lock);
    store_compactor_wake(s);
    return 0;
}

static bool begin(struct store *s, bool hurry)
{
    struct hold *h = &s->hold;
    h->merges = store_oldest_view(s).last_extent >= h->last_id;
    if (!h->merges && !hurry)
        return false;
    h->running = true;
    h->next_group = 0;
    h->n_groups = groups_of(s);
    return true;
}

int store_write_held_step(struct store *s, bool hurry)
{
    struct hold *h = &s->hold;
    if (!h->due || (!h->running && !begin(s, hurry)))
        return 0;
    int64_t started = mono_us();
    int r;
    if (h->merges && h->next_group < h->n_groups) {
        r = merge_group(s, group_at(h->next_group));
        h->next_group += r == 0;
    } else {
        r = finish(s);
    }
    store_count(s, COUNT_SEAL_US, (uint64_t)(mono_us() - started));
    if (r < 0) {
        store_count(s, COUNT_SEAL_FAILURES, 1);
        s->seal.retry_us = mono_us() + RETRY_US;
        return r;
    }
    return h->running;
}

int store_write_held(struct store *s)
{
    int r;
    do
        r = store_seal_step(s); /* one that is under way: it has the cutter */
    while (r > 0);
    if (r == 0)
        s->hold.due = s->hold.seals > 0;
    while (r == 0 && s->hold.due) {
        r = store_write_held_step(s, true);
        r = r > 0 ? 0 : r;
    }
    return r;
}
