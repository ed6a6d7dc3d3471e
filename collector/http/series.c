/* series, labels, label values, metadata: blocking reads, on a query worker. */
#include "collector/http/answer.h"
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/character.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

void api_read_error(struct httpd_request *r, int e)
{
    if (e == -E2BIG)
        httpd_reply_error(r, 422, "execution", "a regular expression took too many steps to match");
    else if (e == -ENOMEM)
        httpd_reply_error(r, 422, "execution", "the answer needs more than %lu bytes of memory", QUERY_BYTES_MAX);
    else
        httpd_reply_error(r, 500, "internal", "reading the store failed: %s", strerror(-e));
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct store_series *)a)->labels, &((const struct store_series *)b)->labels);
}

int api_select_all(struct store_reader *rd, const struct api_selections *sel, struct arena *arena,
                   struct store_series **ret, size_t *ret_n)
{
    struct store_series **parts = arena_array(arena, sel->n, sizeof *parts);
    size_t *counts = arena_array(arena, sel->n, sizeof *counts), total = 0;
    if (!parts || !counts)
        return -ENOMEM;
    for (size_t i = 0; i < sel->n; i++) {
        int r = store_select(rd, &sel->list[i], arena, &parts[i], &counts[i]);
        if (r < 0)
            return r;
        total += counts[i];
    }
    struct store_series *all = arena_array(arena, total, sizeof *all);
    if (!all)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < sel->n; i++)
        for (size_t k = 0; k < counts[i]; k++)
            all[n++] = parts[i][k];
    if (n)
        qsort(all, n, sizeof *all, by_labels);
    size_t unique = 0;
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || all[unique - 1].id != all[i].id)
            all[unique++] = all[i];
    *ret = all;
    *ret_n = unique;
    return 0;
}

/* ---- lists of any length: a million series are some 300 MB of JSON ---- */
#define PIECE_BYTES (64u << 10)

struct list_answer {
    struct arena arena; /* of what is listed: */
    const struct store_series *series;
    const struct span *texts; /* when series is NULL */
    size_t n, next;
    bool begun, cut;
    struct json_writer j;
};

static bool next_of_list(void *ctx, struct buf *out)
{
    struct list_answer *l = ctx;
    struct json_writer *j = &l->j;
    size_t before = out->len;
    j->out = out;
    if (!l->begun) {
        jw_object(j);
        jw_key(j, "status");
        jw_str(j, "success");
        jw_key(j, "data");
        jw_array(j);
        l->begun = true;
    }
    for (; l->next < l->n && out->len - before < PIECE_BYTES; l->next++) {
        if (l->series)
            api_labels(j, &l->series[l->next].labels);
        else
            jw_text(j, l->texts[l->next]);
    }
    if (l->next < l->n)
        return true;
    jw_end(j);
    api_texts(j, "warnings", l->cut ? API_CUT : NULL);
    jw_end(j);
    return false;
}

static void list_free(void *ctx)
{
    struct list_answer *l = ctx;
    arena_done(&l->arena);
    free(l);
}

/* Takes l. */
static void send_list(struct httpd_request *r, struct http_room *room, struct list_answer *l, size_t n, size_t limit)
{
    l->cut = limit && n > limit;
    l->n = l->cut ? limit : n;
    jw_init(&l->j, NULL);
    answer_send(r, room, "application/json",
                &(struct answer_source){.next = next_of_list, .done = list_free, .held_bytes = l->arena.used_bytes}, l);
}

static struct list_answer *list_new(struct httpd_request *r)
{
    struct list_answer *l = calloc(1, sizeof *l);
    if (l)
        arena_init(&l->arena, QUERY_BYTES_MAX);
    else
        httpd_reply_error(r, 500, "internal", "out of memory");
    return l;
}

static void work_series(struct httpd_request *r, struct http_room *room)
{
    struct api_selections sel = {0};
    struct store_reader *rd = NULL;
    struct store_series *series = NULL;
    size_t limit, n = 0;
    struct list_answer *l = list_new(r);
    if (!l)
        return;
    bool good = api_limit(r, &limit) && api_selections(r, false, &l->arena, &sel);
    if (good && sel.n == 0) {
        httpd_reply_error(r, 400, "bad_data", "no match[] parameter provided");
        good = false;
    }
    int e = good ? store_reader_open(room->store, &rd) : 0;
    if (good && e == 0 && !sel.nowhere)
        e = api_select_all(rd, &sel, &l->arena, &series, &n);
    store_reader_close(rd);
    api_selections_done(&sel);
    if (e < 0)
        api_read_error(r, e);
    if (!good || e < 0) {
        list_free(l);
        return;
    }
    l->series = series;
    send_list(r, room, l, n, limit);
}

/* Prometheus's clients write what is no plain name as U__foo_2e_bar: _HEX_ is a code point, __ an underscore. */
static bool unescape_name(struct span text, struct buf *out)
{
    size_t i = 3;
    while (i < text.len) {
        char c = text.ptr[i++];
        if (c != '_') {
            buf_char(out, c);
        } else if (i < text.len && text.ptr[i] == '_') {
            buf_char(out, '_');
            i++;
        } else {
            uint32_t point = 0;
            size_t digits = 0;
            for (; i < text.len && text.ptr[i] != '_'; i++, digits++) {
                int value = hex_digit_value(text.ptr[i]);
                if (value < 0 || digits == 6)
                    return false;
                point = point * 16 + (uint32_t)value;
            }
            if (i == text.len || digits == 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
                return false;
            i++;
            char bytes[UTF8_BYTES_MAX];
            buf_bytes(out, bytes, utf8_put(bytes, point));
        }
    }
    return true;
}

/* Of the path; empty where the path has none. false: answered. */
static bool label_name(struct httpd_request *r, struct arena *arena, struct span *ret)
{
    struct span name = httpd_segment(r, "name");
    struct buf text;
    *ret = name;
    if (!span_is_utf8(name)) {
        httpd_reply_error(r, 400, "bad_data", "invalid label name: it is not UTF-8");
        return false;
    }
    if (name.len <= 3 || memcmp(name.ptr, "U__", 3) != 0)
        return true;
    buf_init(&text, LABEL_NAME_BYTES_MAX * 4);
    bool ok = true;
    if (unescape_name(name, &text) && !buf_error(&text))
        *ret = arena_span(arena, buf_view(&text), &ok); /* else it is taken as it stands */
    buf_done(&text);
    if (!ok)
        httpd_reply_error(r, 500, "internal", "out of memory");
    return ok;
}

static void work_names_or_values(struct httpd_request *r, struct http_room *room)
{
    struct api_selections sel = {0};
    struct span name, *texts = NULL;
    struct store_reader *rd = NULL;
    size_t limit, n = 0;
    struct list_answer *l = list_new(r);
    if (!l)
        return;
    bool good = label_name(r, &l->arena, &name) && api_limit(r, &limit) && api_selections(r, false, &l->arena, &sel);
    const struct store_selection *list = sel.n ? sel.list : &sel.everything;
    size_t n_list = sel.n ? sel.n : sel.n_everything;
    int e = good ? store_reader_open(room->store, &rd) : 0;
    if (good && e == 0 && !sel.nowhere)
        e = name.len ? store_label_values(rd, name, list, n_list, &l->arena, &texts, &n)
                     : store_label_names(rd, list, n_list, &l->arena, &texts, &n);
    store_reader_close(rd);
    api_selections_done(&sel);
    if (e < 0)
        api_read_error(r, e);
    if (!good || e < 0) {
        list_free(l);
        return;
    }
    l->texts = texts;
    send_list(r, room, l, n, limit);
}

static void work_metadata(struct httpd_request *r, struct http_room *room)
{
    struct arena arena;
    size_t n = 0;
    int64_t limit, per_metric; /* limit: below 0 all, 0 none; the store keeps one entry per metric */
    if (!api_number(r, "limit", &limit) || !api_number(r, "limit_per_metric", &per_metric))
        return;
    arena_init(&arena, QUERY_BYTES_MAX);
    struct store_reader *rd = NULL;
    struct metadata *list = NULL;
    int e = store_reader_open(room->store, &rd);
    if (e == 0)
        e = store_metadata(rd, httpd_param(r, "metric"), &arena, &list, &n);
    if (e < 0) {
        api_read_error(r, e);
    } else {
        struct json_writer j;
        struct buf out;
        api_success_begin(&j, &out);
        jw_object(&j);
        for (size_t i = 0; i < n && (limit < 0 || i < (size_t)limit); i++) {
            jw_key_span(&j, list[i].name);
            jw_array(&j);
            jw_object(&j);
            jw_key(&j, "type");
            jw_str(&j, metric_type_name(list[i].type));
            jw_key(&j, "help");
            jw_text(&j, list[i].help);
            jw_key(&j, "unit");
            jw_text(&j, list[i].unit);
            jw_end(&j);
            jw_end(&j);
        }
        jw_end(&j);
        api_success_end(r, &j, NULL, NULL);
    }
    store_reader_close(rd);
    arena_done(&arena);
}

void on_series(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_series);
}
void on_labels(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_names_or_values);
}
void on_label_values(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_names_or_values);
}
void on_metadata(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_metadata);
}
