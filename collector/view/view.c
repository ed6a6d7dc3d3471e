#include "collector/view/view.h"

#include <errno.h>
#include <math.h>

#include "collector/view/view_internal.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/options.h"

int view_new(const struct view_config *config, struct view **ret)
{
    struct view *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->config = *config;
    v->started_ms = v->committed_ms = unix_ms();
    v->now_ms = v->families_ms = TIME_NONE;
    arena_init(&v->arena, VIEW_LOOK_BYTES_MAX);
    strmap_init(&v->services, LIVE_ROWS_MAX);
    *ret = v;
    return 0;
}

void view_free(struct view *v)
{
    if (!v)
        return;
    view_look_free(v);
    view_services_free(v);
    arena_done(&v->arena);
    free(v);
}

void view_committed(struct view *v, const struct commit_info *info)
{
    atomic_fetch_add_explicit(&v->committed, info->samples, memory_order_relaxed);
}

void write_number(struct json_writer *j, const char *key, struct span name, double value)
{
    if (isnan(value))
        return;
    if (key)
        jw_key(j, key);
    else
        jw_key_span(j, name);
    if (isinf(value)) {
        jw_str(j, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[40];
    bool money = span_starts(key ? span_str(key) : name, SPAN("revenue"));
    int n = snprintf(text, sizeof text, "%.*g", money ? 12 : 6, value == 0 ? 0.0 : value);
    jw_raw(j, span_of(text, (size_t)n));
}

static void count_samples(struct view *v, int64_t now_ms)
{
    uint64_t n = atomic_load_explicit(&v->committed, memory_order_relaxed);
    int64_t took_ms = now_ms - v->committed_ms;
    if (took_ms < 500 && took_ms >= 0)
        return;
    v->samples_per_second = took_ms > 0 ? (double)(n - v->committed_before) * 1000 / (double)took_ms : 0;
    v->committed_before = n;
    v->committed_ms = now_ms;
}

static int render_status(void *ctx, struct frame_rows *rows)
{
    struct view *v = ctx;
    int64_t now_ms = frame_now_ms(rows);
    count_samples(v, now_ms);
    struct json_writer *j = frame_row(rows, SPAN("collector"), 0);
    jw_object(j);
    jw_key(j, "version");
    jw_str(j, crest_version());
    jw_key(j, "started");
    jw_i64(j, v->started_ms);
    int64_t newest_ms = v->config.store ? store_newest_ms(v->config.store) : TIME_NONE;
    if (newest_ms != TIME_NONE) {
        jw_key(j, "newest");
        jw_i64(j, newest_ms);
    }
    if (v->config.store) {
        jw_key(j, "series");
        jw_u64(j, store_series_count(v->config.store));
    }
    write_number(j, "samples_per_second", (struct span){0}, v->samples_per_second);
    jw_key(j, "stream_clients");
    jw_u64(j, frame_clients(rows));
    jw_end(j);
    return 0;
}

int view_add_sources(struct view *v, struct live *l)
{
    const struct frame_source SOURCES[] = {
        {.name = "services", .ctx = v, .render = render_services, .rows_max = 200},
        {.name = "markets", .ctx = v, .render = render_markets, .rows_max = 200},
        {.name = "steps", .ctx = v, .render = render_steps, .rows_max = 200},
        {.name = "dependencies", .ctx = v, .render = render_dependencies, .rows_max = 200},
        {.name = "alerts", .ctx = v, .render = render_alerts, .rows_max = 200, .at_once = true},
        {.name = "targets", .ctx = v, .render = render_targets, .rows_max = 200},
        {.name = "coverage", .ctx = v, .render = render_coverage, .rows_max = 200},
        {.name = "status", .ctx = v, .render = render_status},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(SOURCES) && r == 0; i++)
        r = live_add_source(l, &SOURCES[i]);
    return r;
}
