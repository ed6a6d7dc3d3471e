/* /federate: the newest sample of each matching series as a page to scrape, with time stamps. What is stale, or older than the
 * lookback, is gone. Native histograms go to those who read protobuf. */
#include <errno.h>

#include "collector/http/answer.h"
#include "collector/http/api.h"
#include "collector/http/federate_page.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"

struct federation {
    struct store_reader *reader;
    struct arena arena;
    struct store_series *series;
    size_t n, next;
    struct sample_columns columns;
    int64_t min_ms, max_ms;
    struct federate_page page;
};

static void federation_free(void *ctx)
{
    struct federation *f = ctx;
    sample_columns_done(&f->columns);
    federate_page_done(&f->page);
    store_reader_close(f->reader);
    arena_done(&f->arena);
    free(f);
}

static bool next_sample(void *ctx, struct buf *out)
{
    struct federation *f = ctx;
    size_t before = out->len;
    while (f->next < f->n && out->len == before) {
        const struct store_series *s = &f->series[f->next++];
        if (labels_get(&s->labels, SPAN("__name__")).len == 0)
            continue;
        if (store_read(f->reader, s->id, f->min_ms, f->max_ms, &f->columns) < 0) {
            out->error = -EIO;
            return false;
        }
        const struct sample_columns *c = &f->columns;
        if (c->n == 0 || is_stale(c->value[c->n - 1]))
            continue;
        federate_page_add(&f->page, out,
                          &(struct federate_sample){.labels = &s->labels,
                                                    .t_ms = c->t_ms[c->n - 1],
                                                    .value = c->value[c->n - 1],
                                                    .histogram = c->histograms ? c->histograms[c->n - 1] : NULL});
    }
    if (f->next < f->n)
        return true;
    federate_page_end(&f->page, out);
    return false;
}

static int by_name_and_labels(const void *left, const void *right)
{
    const struct labels *a = &((const struct store_series *)left)->labels,
                        *b = &((const struct store_series *)right)->labels;
    int c = span_compare(labels_get(a, SPAN("__name__")), labels_get(b, SPAN("__name__")));
    return c ? c : labels_compare(a, b);
}

static void work_federate(struct httpd_request *r, struct http_room *room)
{
    struct api_selections sel;
    struct federation *f = calloc(1, sizeof *f);
    if (!f) {
        httpd_reply_error(r, 500, "internal", "out of memory");
        return;
    }
    f->max_ms = unix_ms();
    f->min_ms = f->max_ms - query_lookback_ms(room->query) + 1;
    arena_init(&f->arena, QUERY_BYTES_MAX);
    sample_columns_init(&f->columns);
    const char *type = federate_page_init(&f->page, httpd_header(r, "Accept"));
    if (!api_selections(r, true, &f->arena, &sel)) {
        federation_free(f);
        return;
    }
    for (size_t i = 0; i < sel.n; i++) {
        sel.list[i].min_ms = f->min_ms;
        sel.list[i].max_ms = f->max_ms;
    }
    int e = store_reader_open(room->store, &f->reader);
    if (e == 0 && sel.n)
        e = api_select_all(f->reader, &sel, &f->arena, &f->series, &f->n);
    api_selections_done(&sel);
    if (e < 0) {
        api_read_error(r, e);
        federation_free(f);
        return;
    }
    if (f->n)
        qsort(f->series, f->n, sizeof *f->series, by_name_and_labels);
    httpd_reply_header(r, "Vary", "Accept");
    answer_send(
        r, room, type,
        &(struct answer_source){.next = next_sample, .done = federation_free, .held_bytes = f->arena.used_bytes}, f);
}

void on_federate(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_federate);
}
