/* targets: as the agents report them (crest_agent_target_info, up, scrape_duration_seconds). */
#include <errno.h>

#include "collector/view/view_internal.h"

#define SILENT_MS_MIN 10000 /* an agent that sends nothing for this long, or 3 scrapes, says nothing of its targets */

static const char *health_of(const struct view *v, const struct target *t)
{
    const struct service *s = strmap_get(&v->services, t->service);
    int64_t silent_ms = s && 3 * s->interval_ms > SILENT_MS_MIN ? 3 * s->interval_ms : SILENT_MS_MIN;
    if (!t->has_up || t->scraped_ms == TIME_NONE || v->now_ms - t->scraped_ms > silent_ms)
        return "unknown";
    return t->up > 0 ? "up" : "down";
}

static void text_member(struct json_writer *j, const char *key, struct span value)
{
    if (!value.len)
        return;
    jw_key(j, key);
    jw_text(j, value);
}

static void write_target(struct frame_rows *rows, const struct view *v, const struct target *t, struct buf *key)
{
    const char *health = health_of(v, t);
    buf_clear(key);
    buf_printf(key, SPAN_FMT "/" SPAN_FMT, SPAN_ARG(t->job), SPAN_ARG(t->instance));
    struct json_writer *j = frame_row(rows, buf_view(key), health[0] == 'd' ? 2 : health[1] == 'n' ? 1 : 0);
    jw_object(j);
    jw_key(j, "job");
    jw_text(j, t->job);
    jw_key(j, "instance");
    jw_text(j, t->instance);
    text_member(j, "service", t->service);
    text_member(j, "url", t->url);
    jw_key(j, "health");
    jw_str(j, health);
    text_member(j, "error", t->error);
    if (t->scraped_ms != TIME_NONE) {
        jw_key(j, "last_scrape");
        jw_i64(j, t->scraped_ms);
    }
    if (t->has_took)
        write_number(j, "duration_seconds", (struct span){0}, t->took_s);
    jw_end(j);
}

int render_targets(void *ctx, struct frame_rows *rows)
{
    struct view *v = ctx;
    int r = view_refresh(v, frame_now_ms(rows));
    if (r < 0)
        return r;
    struct buf key;
    buf_init(&key, 1 << 18);
    for (size_t i = 0; i < v->n_targets; i++)
        write_target(rows, v, &v->targets[i], &key);
    r = buf_error(&key) == -ENOMEM ? -ENOMEM : 0;
    buf_done(&key);
    return r;
}
