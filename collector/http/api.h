/* api.h - what the route handlers of this room share: parameters with Prometheus's error texts, and answers. Private to the room. */
#pragma once

#include "collector/http/http.h"
#include "lib/wire/json.h"

/* Each parses a parameter, or answers 400 bad_data itself and returns false. An absent one gives the fallback. */
bool api_time(struct httpd_request *r, const char *name, int64_t fallback_ms, int64_t *ret_ms);
bool api_duration(struct httpd_request *r, const char *name, int64_t fallback_ms, int64_t *ret_ms);
bool api_limit(struct httpd_request *r, size_t *ret_limit); /* 0: none */
/* A whole number of any sign; absent: -1. */
bool api_number(struct httpd_request *r, const char *name, int64_t *ret);

/* {"status":"success","data": … : the caller writes the value, then api_success_end. */
void api_success_begin(struct json_writer *j, struct buf *out);
/* warnings and infos are ended by NULL and may be NULL. Sends 200. */
void api_success_end(struct httpd_request *r, struct json_writer *j, const char *const *warnings,
                     const char *const *infos);
/* The error with its Prometheus type and status code. */
void api_query_error(struct httpd_request *r, const struct promql_error *error);
void api_labels(struct json_writer *j, const struct labels *labels);
/* The answer to a query, which takes the result: sent at once, or as the client takes it when it is long (answer.h). limit: series at
 * most, 0: all. */
void api_answer_result(struct httpd_request *r, struct http_room *room, struct promql_result *result, bool instant,
                       size_t limit, bool with_stats);
/* The same member that results have for a native histogram: count, sum and its buckets. */
void api_histogram(struct json_writer *j, const struct native_histogram *h);
/* [TIME, "VALUE"] and TIME alone, in seconds. */
void api_point(struct json_writer *j, int64_t t_ms, double v);
void api_stamp(struct json_writer *j, int64_t t_ms);
extern const char *const API_CUT[]; /* the warning of an answer that limit= made shorter */
void api_texts(struct json_writer *j, const char *key, const char *const *list); /* none: nothing */
/* Where a reading of the store failed: its status and words. */
void api_read_error(struct httpd_request *r, int error);

/* Run fn on a query worker with the request deferred; 503 when the queue is full. */
void api_work(struct httpd_request *r, struct http_room *room,
              void (*fn)(struct httpd_request *r, struct http_room *room));

/* Selections from the match[] parameters, start and end, in the arena (not the request's: that ends with the answer); false: answered.
 * One that every series passes is refused unless may_be_all. */
struct api_selections {
    struct store_selection *list;
    size_t n;
    struct store_selection everything; /* of n_everything 1: no match[], but times */
    size_t n_everything;
    bool nowhere; /* end before start: nothing is there, and no error in Prometheus either */
};
bool api_selections(struct httpd_request *r, bool may_be_all, struct arena *arena, struct api_selections *ret);
void api_selections_done(struct api_selections *s);
/* The union of the selections, sorted by labels, each series once; in the arena. Errors as store_select's. */
MUST_USE int api_select_all(struct store_reader *rd, const struct api_selections *sel, struct arena *arena,
                            struct store_series **ret, size_t *ret_n);

void on_write(struct httpd_request *r, void *ctx);
void on_query(struct httpd_request *r, void *ctx);
void on_query_range(struct httpd_request *r, void *ctx);
void on_format_query(struct httpd_request *r, void *ctx);
void on_parse_query(struct httpd_request *r, void *ctx);
void on_query_exemplars(struct httpd_request *r, void *ctx);
void on_federate(struct httpd_request *r, void *ctx);
void on_series(struct httpd_request *r, void *ctx);
void on_labels(struct httpd_request *r, void *ctx);
void on_label_values(struct httpd_request *r, void *ctx);
void on_metadata(struct httpd_request *r, void *ctx);
void on_rules(struct httpd_request *r, void *ctx);
void on_alerts(struct httpd_request *r, void *ctx);
void on_delete_series(struct httpd_request *r, void *ctx);
void on_clean_tombstones(struct httpd_request *r, void *ctx);
void on_targets(struct httpd_request *r, void *ctx);
void on_buildinfo(struct httpd_request *r, void *ctx);
void on_runtimeinfo(struct httpd_request *r, void *ctx);
void on_tsdb(struct httpd_request *r, void *ctx);
void on_config(struct httpd_request *r, void *ctx);
void on_flags(struct httpd_request *r, void *ctx);
void http_metrics(void *ctx, struct httpd *server, struct metric_writer *w); /* of struct httpd_daemon */
void on_annotate(struct httpd_request *r, void *ctx);
void on_annotations(struct httpd_request *r, void *ctx);
void on_event_import(struct httpd_request *r, void *ctx);
void on_events(struct httpd_request *r, void *ctx);
void on_event(struct httpd_request *r, void *ctx);
void on_report(struct httpd_request *r, void *ctx);
void on_event_remove(struct httpd_request *r, void *ctx);
void on_stream(struct httpd_request *r, void *ctx);
void on_state(struct httpd_request *r, void *ctx);
void on_page(struct httpd_request *r, void *ctx);
void on_graph(struct httpd_request *r, void *ctx);
void on_asset(struct httpd_request *r, void *ctx);
