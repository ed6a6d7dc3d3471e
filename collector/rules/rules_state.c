#include <errno.h>

#include "collector/rules/rules_internal.h"
#include "collector/rules/rules_sql.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/metric/sample.h"

/* Prometheus's for-outage-tolerance: who waited to fire before a longer outage begins anew. */
#define OUTAGE_MS_MAX (3600 * 1000)

const struct state_room RULES_STATE_ROOM = {"rules", RULES_SQL, RULES_SQL_COUNT, RULES_MIGRATIONS};

/* ---- one rule's change ---- */
static void bind_time(struct db *db, int sql, int at, int64_t t_ms)
{
    if (t_ms == TIME_NONE)
        db_bind_null(db, sql, at);
    else
        db_bind_i64(db, sql, at, t_ms);
}

MUST_USE static int put_row(struct db *db, int base, struct span rule, const struct active_alert *a)
{
    int sql = base + RULES_SQL_PUT;
    db_bind_text(db, sql, 1, rule);
    db_bind_blob(db, sql, 2, a->labels->packed.ptr, a->labels->packed.len);
    db_bind_blob(db, sql, 3, a->annotations->packed.ptr, a->annotations->packed.len);
    db_bind_i64(db, sql, 4, a->phase);
    db_bind_i64(db, sql, 5, (int64_t)f64_bits(a->value));
    db_bind_i64(db, sql, 6, a->active_ms);
    bind_time(db, sql, 7, a->fired_ms);
    bind_time(db, sql, 8, a->resolved_ms);
    bind_time(db, sql, 9, a->last_sent_ms);
    bind_time(db, sql, 10, a->valid_until_ms);
    bind_time(db, sql, 11, a->keep_firing_since_ms);
    return db_run(db, sql);
}

MUST_USE static int delete_rows(struct db *db, int base, struct span rule)
{
    db_bind_text(db, base + RULES_SQL_DELETE_RULE, 1, rule);
    return db_run(db, base + RULES_SQL_DELETE_RULE);
}

MUST_USE static int tell_sink(const struct alert_change *c, struct db *db)
{
    const struct alert_sink *sink = &c->evaluation->rules->config.sink;
    return c->n_alerts && sink->accept ? sink->accept(sink->ctx, db, c->alerts, c->n_alerts) : 0;
}

static int change_rows(struct db *db, void *arg)
{
    struct alert_change *c = arg;
    int base = c->evaluation->rules->state_base, r = 0;
    struct span rule = c->rule->def->key;
    if (c->all)
        r = delete_rows(db, base, rule);
    for (size_t i = 0; i < c->n_deletes && r == 0 && !c->all; i++) {
        db_bind_text(db, base + RULES_SQL_DELETE, 1, rule);
        db_bind_blob(db, base + RULES_SQL_DELETE, 2, c->deletes[i].ptr, c->deletes[i].len);
        r = db_run(db, base + RULES_SQL_DELETE);
    }
    for (size_t i = 0; i < c->n_puts && r == 0; i++)
        r = put_row(db, base, rule, c->puts[i]);
    return r < 0 ? r : tell_sink(c, db);
}

static void changed(void *arg, int result)
{
    struct alert_change *c = arg;
    struct evaluation *e = c->evaluation;
    const struct alert_sink *sink = &e->rules->config.sink;
    if (result == 0 && c->n_alerts && sink->committed)
        sink->committed(sink->ctx);
    c->result = result;
    pthread_mutex_lock(&e->lock);
    if (--e->outstanding == 0)
        pthread_cond_signal(&e->idle); /* under the lock: the evaluation ends once it has it */
    pthread_mutex_unlock(&e->lock);
}

void alert_change_submit(struct alert_change *c)
{
    struct evaluation *e = c->evaluation;
    c->next = e->changes;
    e->changes = c;
    pthread_mutex_lock(&e->lock);
    e->outstanding++;
    pthread_mutex_unlock(&e->lock);
    int r;
    if (!e->rules->config.state) {
        changed(c, tell_sink(c, NULL));
        return;
    }
    r = state_submit(e->rules->config.state, change_rows, c, changed);
    if (r < 0)
        changed(c, r);
}

/* ---- after a restart ---- */
struct restore {
    struct rules *rules;
    const struct strmap *by_key;
    int64_t now_ms;
    bool long_outage;
    struct strmap unknown; /* keys of rules that are gone */
    size_t restored, dropped;
};

static int64_t read_time(struct db *db, int sql, int column)
{
    return db_is_null(db, sql, column) ? TIME_NONE : db_i64(db, sql, column);
}

MUST_USE static int read_alert(struct db *db, int sql, struct active_alert **ret)
{
    struct active_alert *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    int r = label_box_unpack(db_blob(db, sql, 1), &a->labels);
    if (r == 0)
        r = label_box_unpack(db_blob(db, sql, 2), &a->annotations);
    int64_t phase = db_i64(db, sql, 3);
    if (r == 0 && (phase < ALERT_PENDING || phase > ALERT_INACTIVE))
        r = -EBADMSG;
    if (r < 0) {
        active_alert_free(a);
        return r;
    }
    a->phase = (enum alert_phase)phase;
    a->value = f64_from_bits((uint64_t)db_i64(db, sql, 4));
    a->active_ms = db_i64(db, sql, 5);
    a->fired_ms = read_time(db, sql, 6);
    a->resolved_ms = read_time(db, sql, 7);
    a->last_sent_ms = read_time(db, sql, 8);
    a->valid_until_ms = read_time(db, sql, 9);
    a->keep_firing_since_ms = read_time(db, sql, 10);
    a->restored = true;
    *ret = a;
    return 0;
}

/* ALERTS and ALERTS_FOR_STATE that the last process wrote: stale markers follow when the alert is gone. */
MUST_USE static int note_state_series(struct rule *r, const struct active_alert *a)
{
    const struct {
        const char *name, *state;
    } SERIES[] = {{"ALERTS", a->phase == ALERT_FIRING ? "firing" : "pending"}, {"ALERTS_FOR_STATE", NULL}};
    struct arena arena;
    arena_init(&arena, 64u << 20);
    struct buf key;
    buf_init(&key, 64u << 20);
    int e = 0;
    for (size_t i = 0; i < ARRAY_LEN(SERIES) && e == 0; i++) {
        struct label_builder b;
        struct labels labels;
        label_builder_init(&b, &arena);
        label_builder_from(&b, &a->labels->labels);
        label_builder_set(&b, SPAN("__name__"), span_str(SERIES[i].name));
        label_builder_set(&b, SPAN("alertstate"), span_str(SERIES[i].state));
        e = label_builder_finish(&b, &labels);
        buf_clear(&key);
        if (e == 0)
            labels_pack(&key, &labels);
        if (e == 0)
            e = buf_error(&key) < 0 ? buf_error(&key) : strmap_put(&r->series, buf_view(&key), NULL);
    }
    buf_done(&key);
    arena_done(&arena);
    return e;
}

MUST_USE static int restore_row(struct restore *re, struct db *db, int sql)
{
    struct span key = db_text(db, sql, 0);
    struct rule *r = strmap_get(re->by_key, key);
    if (!r)
        return strmap_put(&re->unknown, key, NULL);
    struct active_alert *a;
    int e = read_alert(db, sql, &a);
    if (e == -EBADMSG || (e == 0 && re->long_outage && a->phase == ALERT_PENDING)) {
        if (e == 0)
            active_alert_free(a);
        r->resync = true; /* the row goes with the next change */
        re->dropped++;
        return 0;
    }
    if (e < 0)
        return e;
    e = strmap_put(&r->active, a->labels->packed, a);
    if (e < 0) {
        active_alert_free(a);
        return e;
    }
    re->restored++;
    return a->phase == ALERT_INACTIVE ? 0 : note_state_series(r, a);
}

static int restore_change(struct db *db, void *arg)
{
    struct restore *re = arg;
    int base = re->rules->state_base, sql = base + RULES_SQL_ALL, r;
    while ((r = db_step(db, sql)) > 0) {
        r = restore_row(re, db, sql);
        if (r < 0) {
            db_reset(db, sql);
            return r;
        }
    }
    size_t at = 0;
    struct span key;
    void *value;
    while (r == 0 && strmap_next(&re->unknown, &at, &key, &value))
        r = delete_rows(db, base, key);
    return r;
}

int rules_state_restore(struct rules *ru, const struct strmap *rules_by_key, int64_t now_ms)
{
    if (!ru->config.state)
        return 0;
    int64_t alive_ms = ru->config.store ? store_newest_ms(ru->config.store) : TIME_NONE;
    struct restore re = {.rules = ru,
                         .by_key = rules_by_key,
                         .now_ms = now_ms,
                         .long_outage = alive_ms != TIME_NONE && now_ms - alive_ms > OUTAGE_MS_MAX};
    strmap_init(&re.unknown, RULES_PER_FILE_MAX * 10);
    int r = state_run(ru->config.state, restore_change, &re);
    size_t unknown = re.unknown.used;
    strmap_done(&re.unknown);
    if (r == 0 && (re.restored || re.dropped || unknown))
        log_info("alert states read", "alerts", "%zu", re.restored, "dropped", "%zu", re.dropped, "rules_gone", "%zu",
                 unknown);
    return r;
}

struct deletion {
    int base;
    const struct span *keys;
    size_t n;
};
static int delete_change(struct db *db, void *arg)
{
    struct deletion *d = arg;
    int r = 0;
    for (size_t i = 0; i < d->n && r == 0; i++)
        r = delete_rows(db, d->base, d->keys[i]);
    return r;
}

int rules_state_delete(struct rules *ru, const struct span *keys, size_t n)
{
    if (!ru->config.state || n == 0)
        return 0;
    return state_run(ru->config.state, delete_change, &(struct deletion){ru->state_base, keys, n});
}
