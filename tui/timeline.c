#include "tui/timeline.h"

#include <errno.h>

struct frame {
    int64_t t_ms;
    char event[12];
    size_t n;
    char *data;
};
struct timeline {
    struct model base; /* the state before frames[first] */
    struct frame *frames;
    size_t first, n, cap, bytes; /* a ring of cap frames */
};

int timeline_new(struct timeline **ret)
{
    struct timeline *tl = calloc(1, sizeof *tl);
    if (!tl)
        return -ENOMEM;
    int r = model_init(&tl->base);
    if (r < 0) {
        free(tl);
        return r;
    }
    *ret = tl;
    return 0;
}

static struct frame *frame_at(const struct timeline *tl, size_t i)
{
    return &tl->frames[(tl->first + i) % tl->cap];
}

static void drop_first(struct timeline *tl)
{
    struct frame *f = frame_at(tl, 0);
    struct parse_error error;
    if (model_apply(&tl->base, f->event, span_of(f->data, f->n), &error) < 0)
        tl->base.t_ms = f->t_ms; /* it was applied once before: only memory can be missing */
    tl->bytes -= f->n;
    free(f->data);
    tl->first = (tl->first + 1) % tl->cap;
    tl->n--;
}

void timeline_free(struct timeline *tl)
{
    if (!tl)
        return;
    for (size_t i = 0; i < tl->n; i++)
        free(frame_at(tl, i)->data);
    free(tl->frames);
    model_done(&tl->base);
    free(tl);
}

MUST_USE static int grow(struct timeline *tl)
{
    if (tl->n < tl->cap)
        return 0;
    size_t cap = tl->cap ? tl->cap * 2 : 256;
    struct frame *frames = calloc(cap, sizeof *frames);
    if (!frames)
        return -ENOMEM;
    for (size_t i = 0; i < tl->n; i++)
        frames[i] = *frame_at(tl, i);
    free(tl->frames);
    tl->frames = frames;
    tl->cap = cap;
    tl->first = 0;
    return 0;
}

void timeline_add(struct timeline *tl, const char *event, int64_t t_ms, struct span data)
{
    while (tl->n > 0 && (tl->n >= TIMELINE_FRAMES_MAX || tl->bytes + data.len > TIMELINE_BYTES_MAX))
        drop_first(tl);
    char *copy = malloc(data.len + 1);
    if (!copy || grow(tl) < 0) {
        free(copy);
        while (tl->n > 0)
            drop_first(tl);
        return;
    }
    memcpy(copy, data.ptr, data.len);
    struct frame *f = &tl->frames[(tl->first + tl->n) % tl->cap];
    *f = (struct frame){.t_ms = t_ms, .n = data.len, .data = copy};
    snprintf(f->event, sizeof f->event, "%s", event);
    tl->n++;
    tl->bytes += data.len;
}

int64_t timeline_start_ms(const struct timeline *tl)
{
    return tl->base.t_ms ? tl->base.t_ms : tl->n > 0 ? frame_at(tl, 0)->t_ms : 0;
}

int timeline_at(const struct timeline *tl, int64_t t_ms, struct model *ret)
{
    int64_t start = timeline_start_ms(tl);
    if (start == 0 || t_ms < start)
        return -ENOENT;
    struct model m;
    int r = model_copy(&tl->base, &m);
    size_t from = 0, end = 0;
    for (size_t i = 0; i < tl->n && frame_at(tl, i)->t_ms <= t_ms; i++) {
        end = i + 1;
        if (strcmp(frame_at(tl, i)->event, "snapshot") == 0)
            from = i; /* it replaces everything before */
    }
    for (size_t i = from; r == 0 && i < end; i++) {
        const struct frame *f = frame_at(tl, i);
        struct parse_error error;
        r = model_apply(&m, f->event, span_of(f->data, f->n), &error);
        if (r < 0)
            model_done(&m);
    }
    if (r == 0)
        *ret = m;
    return r;
}
