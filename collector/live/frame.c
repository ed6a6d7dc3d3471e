/* Frames: what is rendered, and the text that leaves (docs/stream.md):
 *
 *   id: EPOCH-SEQ
 *   event: delta
 *   data: {"t":…,"sections":{…},"removed":{…},"more":{…}}
 */
#include <errno.h>

#include "collector/live/live_internal.h"
#include "lib/base/log.h"

#define ENVELOPE_BYTES 8192u /* of a frame, for all that is not rows */

const char *const LIVE_EVENT_NAMES[EVENTS] = {"snapshot", "delta", "alert", "hb"};

/* ---- rendering ---- */
static bool render_one(struct live *l, struct section *s, int64_t now_ms, unsigned clients)
{
    rows_begin(s->next, now_ms, clients);
    int r = s->source.render(s->source.ctx, s->next);
    int end = rows_end(s->next);
    r = r < 0 ? r : end;
    if (r < 0) {
        unsigned long hidden;
        atomic_fetch_add_explicit(&l->failures, 1, memory_order_relaxed);
        if (log_allow(s->source.name, 60000, &hidden))
            log_warn("a section of the stream could not be rendered, its last rows stay", "section", "%s",
                     s->source.name, "error", "%s", strerror(-r), "repeated", "%lu", hidden);
        return false;
    }
    struct frame_rows *oldest = s->before;
    s->before = s->now;
    s->now = s->next;
    s->next = oldest;
    return true;
}

static int by_size(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The most bytes that a section may have so that all of them fit: who needs less leaves the rest to the others. */
static size_t fair_share(const size_t *wanted, size_t n, size_t budget)
{
    size_t sorted[LIVE_SOURCES_MAX], left = budget;
    memcpy(sorted, wanted, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_size);
    for (size_t i = 0; i < n; i++) {
        size_t share = left / (n - i);
        if (sorted[i] > share)
            return share;
        left -= sorted[i];
    }
    return budget;
}

static void choose_shown(struct live *l)
{
    size_t wanted[LIVE_SOURCES_MAX], which[LIVE_SOURCES_MAX], n = 0, budget = LIVE_FRAME_BYTES_MAX - ENVELOPE_BYTES;
    for (size_t i = 0; i < l->n_sections; i++) {
        struct section *s = &l->sections[i];
        if (!s->rendered) {
            budget -= s->now->shown_bytes < budget ? s->now->shown_bytes : budget;
            continue;
        }
        which[n] = i;
        wanted[n++] = rows_wanted_bytes(s->now, s->before, s->source.rows_max);
    }
    size_t share = fair_share(wanted, n, budget);
    for (size_t k = 0; k < n; k++) {
        struct section *s = &l->sections[which[k]];
        rows_choose(s->now, s->before, s->source.rows_max, wanted[k] <= share ? wanted[k] : share);
    }
}

size_t sections_render(struct live *l, bool at_once, int64_t now_ms, unsigned clients)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_sections; i++) {
        struct section *s = &l->sections[i];
        s->rendered = (!at_once || s->source.at_once) && render_one(l, s, now_ms, clients);
        n += s->rendered;
    }
    if (n)
        choose_shown(l);
    return n;
}

/* ---- text ---- */
static void head(struct buf *out, const struct live *l, enum live_event event, uint64_t seq, int64_t now_ms)
{
    buf_printf(out, "id: %s-%llu\nevent: %s\ndata: {\"t\":%lld", l->epoch, (unsigned long long)seq,
               LIVE_EVENT_NAMES[event], (long long)now_ms);
}

/* ,"NAME":{ … }: the first section opens the object; an empty one is closed again. */
struct member {
    struct buf *out;
    size_t n;
};

/* "section":OPEN … CLOSE with what fn writes; nothing of it when fn writes nothing. */
static size_t section_member(struct member *m, const char *name, const char *brackets,
                             size_t (*fn)(const struct section *s, struct buf *out), const struct section *s)
{
    size_t start = m->out->len;
    if (m->n)
        buf_char(m->out, ',');
    buf_printf(m->out, "\"%s\":%c", name, brackets[0]);
    size_t rows = fn(s, m->out);
    if (rows == 0 && !buf_error(m->out)) {
        m->out->len = start;
        return 0;
    }
    buf_char(m->out, brackets[1]);
    m->n++;
    return rows;
}

static size_t changes(const struct section *s, struct buf *out)
{
    return s->rendered ? rows_write_changes(s->now, s->before, out) : 0;
}
static size_t removals(const struct section *s, struct buf *out)
{
    return s->rendered ? rows_write_removed(s->now, s->before, out) : 0;
}
static size_t shown_rows(const struct section *s, struct buf *out)
{
    return rows_write_all(s->now, true, out);
}
static size_t every_row(const struct section *s, struct buf *out)
{
    return rows_write_all(s->now, false, out);
}

static size_t sections(const struct live *l, struct buf *out, const char *name, const char *brackets,
                       size_t (*fn)(const struct section *s, struct buf *out))
{
    struct member m = {out, 0};
    size_t rows = 0;
    buf_printf(out, ",\"%s\":{", name);
    for (size_t i = 0; i < l->n_sections; i++)
        rows += section_member(&m, l->sections[i].source.name, brackets, fn, &l->sections[i]);
    buf_char(out, '}');
    return rows;
}

static void write_more(const struct live *l, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_sections; i++) {
        size_t more = rows_more(l->sections[i].now);
        if (more)
            buf_printf(out, "%s\"%s\":%zu", n++ ? "," : ",\"more\":{", l->sections[i].source.name, more);
    }
    if (n)
        buf_char(out, '}');
}

MUST_USE static int frame_of(struct buf *out, enum live_event event, uint64_t seq, struct frame **ret)
{
    int r = buf_error(out);
    struct frame *f = r < 0 ? NULL : malloc(sizeof *f + out->len);
    if (f) {
        *f = (struct frame){.refs = 1, .event = event, .seq = seq, .len = out->len};
        memcpy(f->bytes, out->data, out->len);
        *ret = f;
    }
    buf_done(out);
    return f ? 0 : r < 0 ? r : -ENOMEM;
}

int frame_changes(struct live *l, enum live_event event, uint64_t seq, int64_t now_ms, struct frame **ret)
{
    struct buf out;
    buf_init(&out, LIVE_FRAME_BYTES_MAX);
    head(&out, l, event, seq, now_ms);
    size_t rows = sections(l, &out, "sections", "{}", changes), before = out.len;
    size_t removed = sections(l, &out, "removed", "[]", removals);
    if (removed == 0 && !buf_error(&out))
        out.len = before;
    if (event == EVENT_ALERT && rows + removed == 0 && !buf_error(&out)) {
        buf_done(&out);
        *ret = NULL;
        return 0;
    }
    if (event == EVENT_DELTA)
        write_more(l, &out);
    buf_str(&out, "}\n\n");
    return frame_of(&out, event, seq, ret);
}

int frame_snapshot(struct live *l, uint64_t seq, int64_t now_ms, struct frame **ret)
{
    struct buf out;
    buf_init(&out, LIVE_FRAME_BYTES_MAX);
    head(&out, l, EVENT_SNAPSHOT, seq, now_ms);
    sections(l, &out, "sections", "{}", shown_rows);
    write_more(l, &out);
    buf_str(&out, "}\n\n");
    return frame_of(&out, EVENT_SNAPSHOT, seq, ret);
}

int frame_hb(int64_t now_ms, struct frame **ret)
{
    struct buf out;
    buf_init(&out, 128);
    buf_printf(&out, "event: hb\ndata: {\"t\":%lld}\n\n", (long long)now_ms);
    return frame_of(&out, EVENT_HB, 0, ret);
}

int frame_text(const char *text, struct frame **ret)
{
    struct buf out;
    buf_init(&out, 128);
    buf_str(&out, text);
    return frame_of(&out, EVENT_HB, 0, ret);
}

void write_state(struct live *l, uint64_t seq, int64_t now_ms, struct buf *out)
{
    buf_printf(out, "{\"id\":\"%s-%llu\",\"t\":%lld", l->epoch, (unsigned long long)seq, (long long)now_ms);
    sections(l, out, "sections", "{}", every_row);
    buf_str(out, "}\n");
}
