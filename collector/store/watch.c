/* Metric names that commits tell of: each series carries the number of its name, so that ingest needs no look-up. */
#include <errno.h>

#include "collector/store/store_inside.h"

void store_watch_series(struct store *s, struct series *series)
{
    struct label pairs[LABELS_MAX];
    struct labels labels = series_labels(&s->index, series, pairs);
    series->watch = (uint32_t)(uintptr_t)strmap_get(&s->watched, labels_get(&labels, SPAN("__name__")));
}

struct watch_call {
    const struct span *names;
    size_t n;
    uint32_t *numbers;
    int result;
};

/* The number + 1 of the name, which may be new; 0: there are too many. */
static uint32_t watch_name(struct store *s, struct span name, int *ret_error)
{
    uintptr_t known = (uintptr_t)strmap_get(&s->watched, name);
    if (known || s->n_watched == STORE_WATCH_MAX)
        return (uint32_t)known;
    int r = strmap_put(&s->watched, name, (void *)(uintptr_t)(s->n_watched + 1));
    if (r < 0) {
        *ret_error = r;
        return 0;
    }
    s->watched_ms[s->n_watched++] = INT64_MIN;
    return s->n_watched;
}

static void on_writer(struct store *s, void *ctx)
{
    struct watch_call *c = ctx;
    uint32_t before = s->n_watched;
    for (size_t i = 0; i < c->n; i++)
        c->numbers[i] = watch_name(s, c->names[i], &c->result) - 1; /* 0 becomes UINT32_MAX */
    for (uint32_t id = 0; s->n_watched > before && id < s->index.n; id++) {
        struct series *series = series_index_at(&s->index, id);
        if (series)
            store_watch_series(s, series);
    }
}

int store_watch(struct store *s, const struct span *names, size_t n, uint32_t *ret_numbers)
{
    struct watch_call c = {.names = names, .n = n, .numbers = ret_numbers};
    int r = store_call(s, on_writer, &c);
    return r < 0 ? r : c.result;
}
