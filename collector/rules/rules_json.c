/* rules_json.c - groups, rules and alerts as the API shows them: prometheus.io/docs/prometheus/latest/querying/api/#rules */
#include <errno.h>

#include "collector/rules/rules_view.h"
#include "collector/template/go_format.h"
#include "lib/base/number.h"
#include "lib/wire/json.h"

#define NO_TIME "0001-01-01T00:00:00Z" /* Go's zero time */
#define GROUP_TOKEN_BYTES 33

static void write_labels(struct json_writer *j, const char *key, const struct labels *labels)
{
    jw_key(j, key);
    jw_object(j);
    for (size_t i = 0; i < labels->n; i++) {
        jw_key_span(j, labels->pairs[i].name);
        jw_text(j, labels->pairs[i].value);
    }
    jw_end(j);
}

static void write_time(struct json_writer *j, const char *key, int64_t t_ms)
{
    char text[NUMBER_TEXT_MAX];
    jw_key(j, key);
    if (t_ms == TIME_NONE)
        jw_str(j, NO_TIME);
    else
        jw_text(j, span_of(text, format_rfc3339_ms(text, t_ms)));
}

static void write_seconds(struct json_writer *j, const char *key, double seconds)
{
    jw_key(j, key);
    jw_f64(j, seconds);
}

static const char *phase_name(enum alert_phase p)
{
    return p == ALERT_FIRING ? "firing" : p == ALERT_PENDING ? "pending" : "inactive";
}

static void write_alert(struct json_writer *j, const struct alert_view *a)
{
    struct buf value;
    buf_init(&value, 64);
    go_float(&value, a->value, 'e', -1);
    jw_object(j);
    write_labels(j, "labels", &a->labels);
    write_labels(j, "annotations", &a->annotations);
    jw_key(j, "state");
    jw_str(j, phase_name(a->phase));
    write_time(j, "activeAt", a->active_ms);
    if (a->keep_firing_since_ms != TIME_NONE)
        write_time(j, "keepFiringSince", a->keep_firing_since_ms);
    jw_key(j, "value");
    jw_text(j, buf_view(&value));
    jw_end(j);
    buf_done(&value);
}

static void write_alerts(struct json_writer *j, const struct rule_view *v)
{
    for (size_t i = 0; i < v->n_alerts; i++)
        write_alert(j, &v->alerts[i]);
}

static void write_rule(struct json_writer *j, const struct rule_def *def, const struct rule_view *v,
                       bool exclude_alerts)
{
    static const char *const HEALTH[] = {[RULE_UNKNOWN] = "unknown", [RULE_OK] = "ok", [RULE_BAD] = "err"};
    bool alert = def->kind == RULE_ALERT;
    jw_object(j);
    if (alert) {
        jw_key(j, "state");
        jw_str(j, phase_name(v->n_firing ? ALERT_FIRING : v->n_alerts ? ALERT_PENDING : ALERT_INACTIVE));
    }
    jw_key(j, "name");
    jw_text(j, def->name);
    jw_key(j, "query");
    jw_text(j, def->query);
    if (alert) {
        write_seconds(j, "duration", (double)def->for_ms / 1000);
        write_seconds(j, "keepFiringFor", (double)def->keep_firing_ms / 1000);
    }
    if (alert || def->labels.n)
        write_labels(j, "labels", &def->labels);
    if (alert) {
        write_labels(j, "annotations", &def->annotations);
        jw_key(j, "alerts");
        jw_array(j);
        if (!exclude_alerts)
            write_alerts(j, v);
        jw_end(j);
    }
    jw_key(j, "health");
    jw_str(j, HEALTH[v->health]);
    if (v->last_error.len) {
        jw_key(j, "lastError");
        jw_text(j, v->last_error);
    }
    write_seconds(j, "evaluationTime", (double)v->evaluation_us / 1e6);
    write_time(j, "lastEvaluation", v->evaluated_ms);
    jw_key(j, "type");
    jw_str(j, alert ? "alerting" : "recording");
    jw_end(j);
}

static bool one_of(const struct span *list, size_t n, struct span text)
{
    bool found = n == 0;
    for (size_t i = 0; i < n && !found; i++)
        found = span_equal(list[i], text);
    return found;
}

static bool labels_match(const struct labels *labels, const struct rules_selector *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (matcher_matches(&s->matchers[i], labels_get(labels, s->matchers[i].name)) <= 0)
            return false;
    return true;
}

static bool rule_asked_for(const struct rule_def *def, const struct rules_filter *f)
{
    if (f->type.len && !span_equal(f->type, def->kind == RULE_ALERT ? SPAN("alert") : SPAN("record")))
        return false;
    if (!one_of(f->names, f->n_names, def->name))
        return false;
    bool found = f->n_selectors == 0;
    for (size_t i = 0; i < f->n_selectors && !found; i++)
        found = labels_match(&def->labels, &f->selectors[i]);
    return found;
}

static bool group_asked_for(const struct group_def *def, const struct rules_filter *f)
{
    if (!one_of(f->groups, f->n_groups, def->name) || !one_of(f->files, f->n_files, def->file))
        return false;
    for (size_t i = 0; i < def->n_rules; i++)
        if (rule_asked_for(&def->rules[i], f))
            return true;
    return false;
}

static void write_group(struct json_writer *j, const struct group_view *v, const struct rules_filter *f)
{
    const struct group_def *def = v->def;
    jw_object(j);
    jw_key(j, "name");
    jw_text(j, def->name);
    jw_key(j, "file");
    jw_text(j, def->file);
    jw_key(j, "rules");
    jw_array(j);
    for (size_t i = 0; i < def->n_rules; i++)
        if (rule_asked_for(&def->rules[i], f))
            write_rule(j, &def->rules[i], &v->rules[i], f->exclude_alerts);
    jw_end(j);
    write_seconds(j, "interval", (double)def->interval_ms / 1000);
    jw_key(j, "limit");
    jw_u64(j, def->limit);
    write_seconds(j, "evaluationTime", (double)v->duration_us / 1e6);
    write_time(j, "lastEvaluation", v->evaluated_ms);
    jw_end(j);
}

/* What names a group in group_next_token: the same in every process, as clients keep it. */
static void group_token(const struct group_def *def, char text[GROUP_TOKEN_BYTES])
{
    uint64_t file = hash_bytes(def->file.ptr, def->file.len, 1);
    snprintf(text, GROUP_TOKEN_BYTES, "%016llx%016llx", (unsigned long long)file,
             (unsigned long long)hash_bytes(def->name.ptr, def->name.len, file));
}

int rules_write_json(const struct rules *ru, const struct rules_filter *filter, struct json_writer *j)
{
    size_t n, given = 0;
    struct group_view **views = rules_views_get(ru, &n);
    char token[GROUP_TOKEN_BYTES] = "";
    bool begun = filter->next_token.len == 0, more = false;
    jw_object(j);
    jw_key(j, "groups");
    jw_array(j);
    for (size_t i = 0; i < n; i++) {
        group_token(views[i]->def, token);
        begun = begun || span_equal(filter->next_token, span_str(token));
        if (!begun || !group_asked_for(views[i]->def, filter))
            continue;
        if (filter->group_limit && given == filter->group_limit) {
            more = true;
            break;
        }
        write_group(j, views[i], filter);
        given++;
    }
    jw_end(j);
    if (more) {
        jw_key(j, "groupNextToken");
        jw_str(j, token);
    }
    jw_end(j);
    rules_views_unref((struct rules *)(uintptr_t)ru, views, n);
    return begun ? 0 : -ENOENT;
}

void rules_alerts_json(const struct rules *ru, struct json_writer *j)
{
    size_t n;
    struct group_view **views = rules_views_get(ru, &n);
    jw_object(j);
    jw_key(j, "alerts");
    jw_array(j);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < views[i]->def->n_rules; k++)
            write_alerts(j, &views[i]->rules[k]);
    jw_end(j);
    jw_end(j);
    rules_views_unref((struct rules *)(uintptr_t)ru, views, n);
}
