#include "collector/event/firings.h"

#include <errno.h>

#include "collector/event/firings_sql.h"
#include "collector/state/label_box.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

const struct state_room FIRINGS_STATE_ROOM = {"firings", FIRINGS_SQL, FIRINGS_SQL_COUNT, FIRINGS_MIGRATIONS};

#define PAUSE_FACTOR 4 /* of the distance that rounds had */

struct firings {
    struct state *state;
    int base;
    struct alert_sink next;
    int64_t round_ms, usual_ms; /* last round; how far the two before it were apart. The rules' thread alone */
};

int firings_open(struct state *state, struct firings **ret)
{
    struct firings *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->state = state;
    f->base = state_base(state, &FIRINGS_STATE_ROOM);
    *ret = f;
    return 0;
}

void firings_free(struct firings *f)
{
    free(f);
}

/* ---- words ---- */
static struct span words_of(const struct alert *a)
{
    struct span words = span_trim(labels_get(&a->annotations, SPAN("summary")));
    if (words.len == 0)
        words = span_trim(labels_get(&a->annotations, SPAN("description")));
    if (words.len > FIRING_WORDS_MAX) {
        words.len = FIRING_WORDS_MAX;
        while (words.len && ((unsigned char)words.ptr[words.len] & 0xc0) == 0x80) /* letters stay whole */
            words.len--;
    }
    return words;
}

MUST_USE static int keep(struct firings *f, struct db *db, const struct alert *a)
{
    struct label_box *labels = NULL;
    struct span words = words_of(a);
    if (words.len == 0)
        return 0;
    int r = label_box_new(&a->labels, &labels);
    if (r < 0)
        return r;
    int add = f->base + FIRINGS_SQL_ADD, trim = f->base + FIRINGS_SQL_TRIM;
    db_bind_blob(db, add, 1, labels->packed.ptr, labels->packed.len);
    db_bind_i64(db, add, 2, a->starts_ms);
    db_bind_text(db, add, 3, words);
    r = db_run(db, add);
    if (r == 0 && db_changes(db) > 0) {
        db_bind_i64(db, trim, 1, FIRINGS_MAX);
        r = db_run(db, trim);
    }
    free(labels);
    return r;
}

static int accept_alerts(void *ctx, struct db *db, const struct alert *alerts, size_t n)
{
    struct firings *f = ctx;
    for (size_t i = 0; i < n; i++) {
        int r = alerts[i].resolved ? 0 : keep(f, db, &alerts[i]);
        if (r < 0)
            return r;
    }
    return f->next.accept ? f->next.accept(f->next.ctx, db, alerts, n) : 0;
}

static void alerts_committed(void *ctx)
{
    struct firings *f = ctx;
    if (f->next.committed)
        f->next.committed(f->next.ctx);
}

struct alert_sink firings_sink(struct firings *f, struct alert_sink next)
{
    f->next = next;
    return (struct alert_sink){.ctx = f, .accept = accept_alerts, .committed = alerts_committed};
}

struct asked_words {
    struct firings *f;
    struct span packed;
    int64_t until_ms;
    char *words;
};
static int read_words(struct db *db, void *arg)
{
    struct asked_words *w = arg;
    int sql = w->f->base + FIRINGS_SQL_WORDS;
    db_bind_blob(db, sql, 1, w->packed.ptr, w->packed.len);
    db_bind_i64(db, sql, 2, w->until_ms);
    int r = db_step(db, sql);
    w->words = r < 0 ? NULL : span_dup(r > 0 ? db_text(db, sql, 0) : SPAN(""));
    db_reset(db, sql);
    return r < 0 ? r : w->words ? 0 : -ENOMEM;
}

int firings_words(struct firings *f, const struct labels *labels, int64_t until_ms, char **ret)
{
    struct label_box *box = NULL;
    int r = label_box_new(labels, &box);
    if (r < 0)
        return r;
    struct asked_words w = {f, box->packed, until_ms, NULL};
    r = state_run(f->state, read_words, &w);
    free(box);
    if (r == 0)
        *ret = w.words;
    else
        free(w.words);
    return r;
}

/* ---- pauses ---- */
struct pause {
    struct firings *f;
    int64_t from_ms, to_ms;
};
static int add_pause(struct db *db, void *arg)
{
    struct pause *p = arg;
    int add = p->f->base + FIRINGS_SQL_PAUSE_ADD, trim = p->f->base + FIRINGS_SQL_PAUSE_TRIM;
    db_bind_i64(db, add, 1, p->from_ms);
    db_bind_i64(db, add, 2, p->to_ms);
    int r = db_run(db, add);
    if (r < 0)
        return r;
    db_bind_i64(db, trim, 1, PAUSES_MAX);
    return db_run(db, trim);
}

static void pause_done(void *arg, int result)
{
    if (result < 0)
        log_warn("a pause of the rules could not be kept", "error", "%s", strerror(-result));
    free(arg);
}

static void paused(struct firings *f, int64_t from_ms, int64_t to_ms)
{
    struct pause *p = malloc(sizeof *p);
    int r = p ? 0 : -ENOMEM;
    if (p) {
        *p = (struct pause){f, from_ms, to_ms};
        r = state_submit(f->state, add_pause, p, pause_done);
    }
    if (r < 0) {
        log_warn("a pause of the rules could not be kept", "error", "%s", strerror(-r));
        free(p);
    }
}

void firings_began(struct firings *f, int64_t since_ms, int64_t now_ms)
{
    if (since_ms > 0 && now_ms - since_ms > FIRINGS_PAUSE_MS)
        paused(f, since_ms, now_ms);
}

void firings_round(struct firings *f, int64_t now_ms)
{
    int64_t apart = f->round_ms ? now_ms - f->round_ms : 0;
    if (apart > FIRINGS_PAUSE_MS && apart > PAUSE_FACTOR * f->usual_ms)
        paused(f, f->round_ms, now_ms);
    if (apart > 0)
        f->usual_ms = apart;
    f->round_ms = now_ms;
}

struct asked_pauses {
    struct firings *f;
    int64_t start_ms, end_ms;
    void (*fn)(void *ctx, int64_t from_ms, int64_t to_ms);
    void *ctx;
};
static int read_pauses(struct db *db, void *arg)
{
    struct asked_pauses *w = arg;
    int sql = w->f->base + FIRINGS_SQL_PAUSES, r;
    db_bind_i64(db, sql, 1, w->start_ms);
    db_bind_i64(db, sql, 2, w->end_ms);
    while ((r = db_step(db, sql)) > 0) {
        int64_t from_ms = db_i64(db, sql, 0), to_ms = db_i64(db, sql, 1);
        w->fn(w->ctx, from_ms > w->start_ms ? from_ms : w->start_ms, to_ms < w->end_ms ? to_ms : w->end_ms);
    }
    return r;
}

int firings_pauses(struct firings *f, int64_t start_ms, int64_t end_ms,
                   void (*fn)(void *ctx, int64_t from_ms, int64_t to_ms), void *ctx)
{
    struct asked_pauses w = {f, start_ms, end_ms, fn, ctx};
    return state_run(f->state, read_pauses, &w);
}
