/* /federate: the newest sample of each matching series as a page to scrape, in the text format with time stamps. What is stale,
 * or older than the lookback, is gone. Native histograms have no words in the text format and are left out. */
#include <errno.h>

#include "collector/http/answer.h"
#include "collector/http/api.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

struct federation {
    struct store_reader *reader;
    struct arena arena;
    struct store_series *series;
    size_t n, next;
    struct sample_columns columns;
    int64_t min_ms, max_ms;
    struct span name; /* of the family that was begun last */
};

static void federation_free(void *ctx)
{
    struct federation *f = ctx;
    sample_columns_done(&f->columns);
    store_reader_close(f->reader);
    arena_done(&f->arena);
    free(f);
}

static void label_text(struct buf *out, struct span v)
{
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_char(out, c);
    }
}

/* A name of more than letters stands in quotes between the braces. */
static void one_label(struct buf *out, struct span name, struct span value, bool *begun)
{
    buf_char(out, *begun ? ',' : '{');
    *begun = true;
    if (label_name_is_plain(name)) {
        buf_span(out, name);
    } else {
        buf_char(out, '"');
        label_text(out, name);
        buf_char(out, '"');
    }
    buf_str(out, "=\"");
    label_text(out, value);
    buf_char(out, '"');
}

static void write_sample(struct buf *out, const struct labels *labels, bool plain, double v, int64_t t_ms)
{
    char text[NUMBER_TEXT_MAX];
    struct span name = labels_get(labels, SPAN("__name__"));
    bool begun = false, has_instance = false;
    if (plain) {
        buf_span(out, name);
    } else {
        buf_str(out, "{\"");
        label_text(out, name);
        buf_char(out, '"');
        begun = true;
    }
    for (size_t i = 0; i < labels->n; i++) {
        const struct label *l = &labels->pairs[i];
        if (span_equal(l->name, SPAN("__name__")))
            continue;
        /* who scrapes this with honor_labels must not give it an instance of his own */
        if (!has_instance && span_compare(l->name, SPAN("instance")) > 0) {
            one_label(out, SPAN("instance"), SPAN(""), &begun);
            has_instance = true;
        }
        has_instance |= span_equal(l->name, SPAN("instance"));
        one_label(out, l->name, l->value, &begun);
    }
    if (!has_instance)
        one_label(out, SPAN("instance"), SPAN(""), &begun);
    buf_str(out, "} ");
    buf_bytes(out, text, format_f64_g(text, v));
    buf_printf(out, " %lld\n", (long long)t_ms);
}

static bool next_sample(void *ctx, struct buf *out)
{
    struct federation *f = ctx;
    size_t before = out->len;
    while (f->next < f->n && out->len == before) {
        const struct store_series *s = &f->series[f->next++];
        struct span name = labels_get(&s->labels, SPAN("__name__"));
        bool plain = metric_name_is_plain(name);
        if (name.len == 0)
            continue;
        if (store_read(f->reader, s->id, f->min_ms, f->max_ms, &f->columns) < 0) {
            out->error = -EIO;
            return false;
        }
        size_t n = f->columns.n;
        if (n == 0 || is_stale(f->columns.value[n - 1]) || (f->columns.histograms && f->columns.histograms[n - 1]))
            continue;
        if (!span_equal(name, f->name)) {
            f->name = name;
            buf_str(out, "# TYPE ");
            if (!plain)
                buf_char(out, '"');
            if (plain)
                buf_span(out, name);
            else
                label_text(out, name);
            buf_str(out, plain ? " untyped\n" : "\" untyped\n");
        }
        write_sample(out, &s->labels, plain, f->columns.value[n - 1], f->columns.t_ms[n - 1]);
    }
    return f->next < f->n;
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
    answer_send(
        r, room, "text/plain; version=0.0.4; charset=utf-8",
        &(struct answer_source){.next = next_sample, .done = federation_free, .held_bytes = f->arena.used_bytes}, f);
}

void on_federate(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_federate);
}
