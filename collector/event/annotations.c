#include "collector/event/annotations.h"

#include <errno.h>
#include <pthread.h>

#include "collector/event/annotations_sql.h"
#include "lib/base/limits.h"

const struct state_room ANNOTATIONS_STATE_ROOM = {"annotations", ANNOTATIONS_SQL, ANNOTATIONS_SQL_COUNT,
                                                  ANNOTATIONS_MIGRATIONS};

struct annotations {
    struct state *state;
    int base;
    pthread_mutex_t lock;                        /* over what follows */
    struct annotation *shown[ANNOTATIONS_SHOWN]; /* by time, oldest first; each one allocation */
    size_t n_shown;
};

static bool is_kind(struct span kind)
{
    if (kind.len == 0 || kind.len > ANNOTATION_KIND_MAX || kind.ptr[0] < 'a' || kind.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < kind.len; i++) {
        char c = kind.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

const char *annotation_wrong(const struct annotation *n)
{
    if (!is_kind(n->kind))
        return "kind must be a word such as note, deploy or phase: a-z, 0-9, - and _, at most 32";
    if (span_trim(n->text).len == 0)
        return "text is empty";
    if (n->text.len > ANNOTATION_TEXT_MAX)
        return "text is longer than 2000 bytes";
    if (n->service.len > ANNOTATION_SERVICE_MAX)
        return "service is longer than 256 bytes";
    if (!span_is_utf8(n->text) || !span_is_utf8(n->service))
        return "text and service must be UTF-8";
    if (n->t_ms < 0)
        return "t is before 1970";
    return NULL;
}

/* One allocation, texts behind the struct. */
static struct annotation *copy_of(const struct annotation *n)
{
    size_t bytes = sizeof *n + n->kind.len + n->text.len + n->service.len + n->user.len;
    struct annotation *c = malloc(bytes);
    if (!c)
        return NULL;
    *c = *n;
    char *at = (char *)(c + 1);
    struct span *texts[] = {&c->kind, &c->text, &c->service, &c->user};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i]->len)
            memcpy(at, texts[i]->ptr, texts[i]->len);
        texts[i]->ptr = at;
        at += texts[i]->len;
    }
    return c;
}

/* Takes it. The place is by time: what is said late about the past does not push out the present. */
static void show(struct annotations *a, struct annotation *n)
{
    pthread_mutex_lock(&a->lock);
    size_t at = a->n_shown;
    while (at > 0 && a->shown[at - 1]->t_ms > n->t_ms)
        at--;
    if (a->n_shown == ANNOTATIONS_SHOWN && at == 0) {
        free(n);
    } else {
        if (a->n_shown == ANNOTATIONS_SHOWN) {
            free(a->shown[0]);
            memmove(&a->shown[0], &a->shown[1], --at * sizeof a->shown[0]);
        } else {
            memmove(&a->shown[at + 1], &a->shown[at], (a->n_shown - at) * sizeof a->shown[0]);
            a->n_shown++;
        }
        a->shown[at] = n;
    }
    pthread_mutex_unlock(&a->lock);
}

static void show_copy(void *ctx, const struct annotation *n)
{
    struct annotation *c = copy_of(n);
    if (c) /* without memory it is in the table all the same */
        show(ctx, c);
}

int annotations_open(struct state *state, struct annotations **ret)
{
    struct annotations *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->state = state;
    a->base = state_base(state, &ANNOTATIONS_STATE_ROOM);
    pthread_mutex_init(&a->lock, NULL);
    int r = annotations_each(a, INT64_MIN, INT64_MAX, ANNOTATIONS_SHOWN, show_copy, a);
    if (r < 0) {
        annotations_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void annotations_free(struct annotations *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_shown; i++)
        free(a->shown[i]);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

/* ---- adding ---- */
struct adding {
    struct annotations *a;
    struct annotation *n;
    void (*done)(void *ctx, int result, int64_t id);
    void *ctx;
};

static int add_change(struct db *db, void *arg)
{
    struct adding *w = arg;
    int add = w->a->base + ANNOTATIONS_SQL_ADD, trim = w->a->base + ANNOTATIONS_SQL_TRIM;
    db_bind_i64(db, add, 1, w->n->t_ms);
    db_bind_text(db, add, 2, w->n->kind);
    db_bind_text(db, add, 3, w->n->text);
    db_bind_text(db, add, 4, w->n->service);
    db_bind_text(db, add, 5, w->n->user);
    int r = db_run(db, add);
    if (r < 0)
        return r;
    w->n->id = db_last_id(db);
    db_bind_i64(db, trim, 1, ANNOTATIONS_MAX);
    return db_run(db, trim);
}

static void add_done(void *arg, int result)
{
    struct adding *w = arg;
    int64_t id = w->n->id;
    if (result == 0)
        show(w->a, w->n);
    else
        free(w->n);
    w->done(w->ctx, result, id);
    free(w);
}

int annotations_add(struct annotations *a, const struct annotation *n, void (*done)(void *ctx, int result, int64_t id),
                    void *ctx)
{
    if (annotation_wrong(n))
        return -EINVAL;
    struct adding *w = malloc(sizeof *w);
    struct annotation *c = copy_of(n);
    if (!w || !c) {
        free(w);
        free(c);
        return -ENOMEM;
    }
    *w = (struct adding){a, c, done, ctx};
    int r = state_submit(a->state, add_change, w, add_done);
    if (r < 0) {
        free(c);
        free(w);
    }
    return r;
}

/* ---- reading ---- */
struct reading {
    struct annotations *a;
    int64_t start_ms, end_ms;
    size_t limit;
    void (*fn)(void *ctx, const struct annotation *n);
    void *ctx;
};

static int read_change(struct db *db, void *arg)
{
    struct reading *w = arg;
    int sql = w->a->base + ANNOTATIONS_SQL_BETWEEN, r;
    db_bind_i64(db, sql, 1, w->start_ms);
    db_bind_i64(db, sql, 2, w->end_ms);
    db_bind_i64(db, sql, 3, (int64_t)w->limit);
    while ((r = db_step(db, sql)) > 0) {
        struct annotation n = {db_i64(db, sql, 0),  db_i64(db, sql, 1),  db_text(db, sql, 2),
                               db_text(db, sql, 3), db_text(db, sql, 4), db_text(db, sql, 5)};
        w->fn(w->ctx, &n);
    }
    return r;
}

int annotations_each(struct annotations *a, int64_t start_ms, int64_t end_ms, size_t limit,
                     void (*fn)(void *ctx, const struct annotation *n), void *ctx)
{
    struct reading w = {a, start_ms, end_ms, limit && limit < ANNOTATIONS_MAX ? limit : ANNOTATIONS_MAX, fn, ctx};
    return state_run(a->state, read_change, &w);
}

/* ---- showing ---- */
void annotation_json(const struct annotation *n, struct json_writer *j)
{
    jw_object(j);
    if (n->id) {
        jw_key(j, "id");
        jw_i64(j, n->id);
    }
    jw_key(j, "t");
    jw_i64(j, n->t_ms);
    jw_key(j, "kind");
    jw_text(j, n->kind);
    jw_key(j, "text");
    jw_text(j, n->text);
    if (n->service.len) {
        jw_key(j, "service");
        jw_text(j, n->service);
    }
    if (n->user.len) {
        jw_key(j, "user");
        jw_text(j, n->user);
    }
    jw_end(j);
}

static int render(void *ctx, struct frame_rows *rows)
{
    struct annotations *a = ctx;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->n_shown; i++) {
        char key[24];
        int len = snprintf(key, sizeof key, "%lld", (long long)a->shown[i]->id);
        annotation_json(a->shown[i], frame_row(rows, span_of(key, (size_t)len), (double)a->shown[i]->t_ms));
    }
    pthread_mutex_unlock(&a->lock);
    return 0;
}

struct frame_source annotations_source(struct annotations *a)
{
    return (struct frame_source){
        .name = "annotations", .ctx = a, .render = render, .rows_max = ANNOTATIONS_SHOWN, .at_once = false};
}
