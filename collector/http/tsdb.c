/* /api/v1/status/tsdb: how many series carry which label, as Prometheus tells it. chunkCount counts our extents. */
#include "collector/http/api.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"

#define LIMIT_FALLBACK 10
#define LIMIT_MAX 10000 /* Prometheus's */

static void write_counts(struct json_writer *j, const char *key, const struct store_counts *counts, bool with_name)
{
    jw_key(j, key);
    jw_array(j);
    for (size_t i = 0; i < counts->n; i++) {
        const struct store_count *c = &counts->list[i];
        struct buf name;
        buf_init(&name, 2 * LABEL_VALUE_BYTES_MAX);
        if (with_name || !c->value.len)
            buf_span(&name, c->name);
        if (with_name)
            buf_char(&name, '=');
        buf_span(&name, c->value);
        jw_object(j);
        jw_key(j, "name");
        jw_text(j, buf_view(&name));
        jw_key(j, "value");
        jw_u64(j, c->count);
        jw_end(j);
        buf_done(&name);
    }
    jw_end(j);
}

static void work_tsdb(struct httpd_request *r, struct http_room *room)
{
    struct span text = httpd_param(r, "limit");
    uint64_t limit = LIMIT_FALLBACK;
    struct store_cardinality found;
    struct arena arena;
    if (text.len && (parse_u64_span(text, UINT64_MAX, &limit) < 0 || limit == 0)) {
        httpd_reply_error(r, 400, "bad_data", "limit must be a positive number");
        return;
    }
    if (limit > LIMIT_MAX) {
        httpd_reply_error(r, 400, "bad_data", "limit must not exceed %d", LIMIT_MAX);
        return;
    }
    arena_init(&arena, QUERY_BYTES_MAX);
    int e = store_cardinality(room->store, limit, &arena, &found);
    if (e < 0) {
        httpd_reply_error(r, 500, "internal", "counting series failed: %s", strerror(-e));
    } else {
        struct json_writer j;
        struct buf out;
        api_success_begin(&j, &out);
        jw_object(&j);
        jw_key(&j, "headStats");
        jw_object(&j);
        jw_key(&j, "numSeries");
        jw_u64(&j, store_series_count(room->store));
        jw_key(&j, "numLabelPairs");
        jw_u64(&j, found.label_pairs);
        jw_key(&j, "chunkCount");
        jw_u64(&j, found.extents);
        jw_key(&j, "minTime");
        jw_i64(&j, store_oldest_ms(room->store));
        jw_key(&j, "maxTime");
        jw_i64(&j, store_newest_ms(room->store));
        jw_end(&j);
        write_counts(&j, "seriesCountByMetricName", &found.series_by_metric, false);
        write_counts(&j, "labelValueCountByLabelName", &found.values_by_label, false);
        write_counts(&j, "memoryInBytesByLabelName", &found.bytes_by_label, false);
        write_counts(&j, "seriesCountByLabelValuePair", &found.series_by_pair, true);
        jw_end(&j);
        api_success_end(r, &j, NULL, NULL);
    }
    arena_done(&arena);
}

void on_tsdb(struct httpd_request *r, void *ctx)
{
    api_work(r, ctx, work_tsdb);
}
