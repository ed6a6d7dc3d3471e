/* Rules, alerts, build information, health, reload, our own metrics. */
#include "collector/http/api.h"

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/base/options.h"

/* The Prometheus whose language and API we speak: clients such as Grafana switch features by it. */
#define PROMETHEUS_API_VERSION "3.5.0"

static bool flag_param(struct httpd_request *r, const char *name, bool *ret)
{
    struct span text = httpd_param(r, name);
    *ret = false;
    if (text.len == 0)
        return true;
    if (span_equal(text, SPAN("1")) || span_equal_nocase(text, SPAN("t")) || span_equal_nocase(text, SPAN("true")))
        *ret = true;
    else if (!span_equal(text, SPAN("0")) && !span_equal_nocase(text, SPAN("f")) &&
             !span_equal_nocase(text, SPAN("false"))) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"%s\": cannot parse \"" SPAN_FMT "\" to a bool", name,
                          SPAN_ARG(text));
        return false;
    }
    return true;
}

/* Every value of a parameter; false: answered. */
static bool list_param(struct httpd_request *r, const char *name, const struct span **ret, size_t *ret_n)
{
    struct span text;
    size_t n = 0;
    while (httpd_param_at(r, name, n, &text))
        n++;
    struct span *list = arena_array(httpd_arena(r), n, sizeof *list);
    for (size_t i = 0; i < n && list; i++)
        if (httpd_param_at(r, name, i, &text))
            list[i] = text;
    *ret = list;
    *ret_n = n;
    if (!list)
        httpd_reply_error(r, 500, "internal", "out of memory");
    return list != NULL;
}

static bool read_filter(struct httpd_request *r, struct rules_filter *f)
{
    uint64_t limit = 0;
    struct span text = httpd_param(r, "group_limit");
    f->type = httpd_param(r, "type");
    f->next_token = httpd_param(r, "group_next_token");
    if (f->type.len && !span_equal(f->type, SPAN("alert")) && !span_equal(f->type, SPAN("record"))) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"type\": not supported value \"" SPAN_FMT "\"",
                          SPAN_ARG(f->type));
        return false;
    }
    if ((text.len && parse_u64_span(text, SIZE_MAX, &limit) < 0) || (f->next_token.len && limit == 0)) {
        httpd_reply_error(r, 400, "bad_data", "invalid parameter \"group_limit\": \"" SPAN_FMT "\" is not a count%s",
                          SPAN_ARG(text), f->next_token.len ? ", and group_next_token needs one" : "");
        return false;
    }
    f->group_limit = (size_t)limit;
    return flag_param(r, "exclude_alerts", &f->exclude_alerts) &&
           list_param(r, "rule_name[]", &f->names, &f->n_names) &&
           list_param(r, "rule_group[]", &f->groups, &f->n_groups) && list_param(r, "file[]", &f->files, &f->n_files);
}

void on_rules(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct rules_filter f = {0};
    struct api_selections sel;
    struct arena arena;
    if (!read_filter(r, &f))
        return;
    arena_init(&arena, QUERY_BYTES_MAX);
    if (!api_selections(r, false, &arena, &sel)) {
        arena_done(&arena);
        return;
    }
    struct rules_selector *selectors = arena_array(&arena, sel.n, sizeof *selectors);
    for (size_t i = 0; i < sel.n && selectors; i++)
        selectors[i] = (struct rules_selector){sel.list[i].matchers, sel.list[i].n_matchers};
    f.selectors = selectors;
    f.n_selectors = selectors ? sel.n : 0;
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    if (rules_write_json(room->rules, &f, &j) < 0) {
        httpd_reply_error(r, 400, "bad_data", "invalid group_next_token '" SPAN_FMT "': were rule groups changed?",
                          SPAN_ARG(f.next_token));
        buf_done(&out);
    } else {
        api_success_end(r, &j, NULL, NULL);
    }
    api_selections_done(&sel);
    arena_done(&arena);
}

void on_alerts(struct httpd_request *r, void *ctx)
{
    struct http_room *room = ctx;
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    rules_alerts_json(room->rules, &j);
    api_success_end(r, &j, NULL, NULL);
}

void on_buildinfo(struct httpd_request *r, void *ctx UNUSED)
{
    struct json_writer j;
    struct buf out;
    api_success_begin(&j, &out);
    jw_object(&j);
    jw_key(&j, "version");
    jw_str(&j, PROMETHEUS_API_VERSION);
    jw_key(&j, "revision");
    jw_str(&j, crest_version());
    jw_key(&j, "branch");
    jw_str(&j, "crest");
    jw_key(&j, "buildUser");
    jw_str(&j, "");
    jw_key(&j, "buildDate");
    jw_str(&j, "");
    jw_key(&j, "goVersion");
    jw_str(&j, "");
    jw_end(&j);
    api_success_end(r, &j, NULL, NULL);
}

void http_metrics(void *ctx, struct httpd *server, struct metric_writer *w)
{
    struct http_room *room = ctx;
    metric_family(w, "crest_write_body_bytes_total", METRIC_COUNTER,
                  "Compressed bytes of remote-write bodies decoded.");
    metric_value(w, (double)atomic_load(&room->writes_decoded_bytes), NULL);
    metric_family(w, "crest_write_refused_total", METRIC_COUNTER,
                  "Remote-write requests answered with 4xx or 503, by reason.");
    metric_value(w, (double)atomic_load(&room->writes_refused_bad), "reason", "invalid", NULL);
    metric_value(w, (double)atomic_load(&room->writes_refused_busy), "reason", "queue_full", NULL);
    metric_value(w, (double)atomic_load(&room->writes_refused_failed), "reason", "not_stored", NULL);
    httpd_stats(server, w);
    store_stats(room->store, w);
    query_stats(room->query, w);
    rules_stats(room->rules, w);
    notify_stats(room->notify, w);
    state_stats(room->state, w);
    live_stats(room->live, w);
}
