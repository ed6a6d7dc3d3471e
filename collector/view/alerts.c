/* alerts: from the rules' copy, so that a frame can leave as soon as one changes. */
#include "collector/view/view_internal.h"

static void text_member(struct json_writer *j, const char *key, struct span value)
{
    if (!value.len)
        return;
    jw_key(j, key);
    jw_text(j, value);
}

static void write_alert(void *ctx, const struct rules_alert *a)
{
    bool page = alert_is_page(a->labels);
    char key[24];
    int n = snprintf(key, sizeof key, "%016llx", (unsigned long long)labels_fingerprint(a->labels));
    struct json_writer *j =
        frame_row(ctx, span_of(key, (size_t)n), (a->firing ? 2 : 0) + (page ? 1 : 0)); /* pages that fire first */
    jw_object(j);
    text_member(j, "name", labels_get(a->labels, SPAN("alertname")));
    jw_key(j, "state");
    jw_str(j, a->firing ? "firing" : "pending");
    text_member(j, "severity", labels_get(a->labels, SPAN("severity")));
    text_member(j, "service", service_label(a->labels));
    jw_key(j, "since");
    jw_i64(j, a->firing && a->fired_ms != TIME_NONE ? a->fired_ms : a->active_ms);
    write_number(j, "value", (struct span){0}, a->value);
    text_member(j, "summary", labels_get(a->annotations, SPAN("summary")));
    text_member(j, "description", labels_get(a->annotations, SPAN("description")));
    text_member(j, "runbook", labels_get(a->annotations, SPAN("runbook_url")));
    jw_key(j, "labels");
    jw_object(j);
    for (size_t i = 0; i < a->labels->n; i++) {
        jw_key_span(j, a->labels->pairs[i].name);
        jw_text(j, a->labels->pairs[i].value);
    }
    jw_end(j);
    text_member(j, "expr", a->expr);
    jw_end(j);
}

int render_alerts(void *ctx, struct frame_rows *rows)
{
    struct view *v = ctx;
    rules_each_alert(v->config.rules, write_alert, rows);
    return 0;
}
