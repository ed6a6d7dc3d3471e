/* Events as JSON: the import's body, and what the API says about one. */
#include <errno.h>
#include <math.h>

#include "collector/event/event_beside.h"

void event_source_json(const struct event_source *s, struct json_writer *j)
{
    const struct {
        const char *key, *text;
    } members[] = {{"file", s->file},           {"text", s->text},           {"plan_file", s->plan_file},
                   {"plan_text", s->plan_text}, {"last_file", s->last_file}, {"last_text", s->last_text},
                   {"starts", s->starts},       {"length", s->length}};
    jw_object(j);
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (members[i].text) {
            jw_key(j, members[i].key);
            jw_str(j, members[i].text);
        }
    jw_end(j);
}

int event_source_from_json(const json_t *body, struct event_source *ret, const char **ret_wrong)
{
    struct event_source s = {0};
    const struct {
        const char *key;
        char **text;
    } members[] = {{"file", &s.file},           {"text", &s.text},           {"plan_file", &s.plan_file},
                   {"plan_text", &s.plan_text}, {"last_file", &s.last_file}, {"last_text", &s.last_text},
                   {"starts", &s.starts},       {"length", &s.length}};
    const char *key;
    json_t *value;
    *ret_wrong = NULL;
    if (!json_is_object(body))
        *ret_wrong = "the body must be {\"file\":…,\"text\":…}";
    json_object_foreach((json_t *)(uintptr_t)body, key, value)
    {
        size_t i = 0;
        while (i < ARRAY_LEN(members) && strcmp(key, members[i].key) != 0)
            i++;
        if (i == ARRAY_LEN(members) || !json_is_string(value) ||
            strlen(json_string_value(value)) != json_string_length(value))
            *ret_wrong = "members are file, text, plan_file, plan_text, last_file, last_text, starts, length: texts";
        else if (!(*members[i].text = strdup(json_string_value(value))))
            *ret_wrong = "out of memory";
    }
    if (!*ret_wrong && (!s.file || !s.text))
        *ret_wrong = "file and text are missing";
    if (!*ret_wrong && ((s.plan_text && !s.plan_file) || (s.last_text && !s.last_file)))
        *ret_wrong = "plan_text needs plan_file, last_text last_file: what should messages call it?";
    if (*ret_wrong) {
        event_source_done(&s);
        return -EINVAL;
    }
    *ret = s;
    return 0;
}

static void number(struct json_writer *j, const char *key, double v)
{
    if (isnan(v))
        return;
    jw_key(j, key);
    jw_f64(j, v);
}

static void text(struct json_writer *j, const char *key, const char *value)
{
    if (!value)
        return;
    jw_key(j, key);
    jw_str(j, value);
}

static void curve_json(struct json_writer *j, const char *key, const struct curve *c)
{
    static const char *const NAMES[CURVE_VALUES] = {"sessions", "orders", "revenue"};
    if (!c)
        return;
    jw_key(j, key);
    jw_object(j);
    jw_key(j, "first_minute");
    jw_i64(j, c->first);
    for (size_t v = 0; v < CURVE_VALUES; v++) {
        if (!curve_knows(c, (enum curve_value)v))
            continue;
        jw_key(j, NAMES[v]);
        jw_array(j);
        for (size_t i = 0; i < c->n; i++)
            jw_f64(j, c->values[v][i]); /* null: not known */
        jw_end(j);
    }
    jw_end(j);
}

void event_json(const struct event *e, int64_t now_ms, const struct event_beside *minutes, struct json_writer *j)
{
    jw_object(j);
    text(j, "name", e->name);
    text(j, "title", e->title);
    text(j, "service", e->service);
    text(j, "zone", e->zone);
    jw_key(j, "starts");
    jw_i64(j, e->starts_ms);
    jw_key(j, "ends");
    jw_i64(j, e->ends_ms);
    text(j, "phase", event_phase_at(e, now_ms));
    jw_key(j, "phases");
    jw_array(j);
    for (size_t i = 0; i < e->n_phases; i++) {
        jw_object(j);
        text(j, "name", e->phases[i].name);
        jw_key(j, "starts");
        jw_i64(j, e->phases[i].starts_ms);
        jw_end(j);
    }
    jw_end(j);
    text(j, "last_event", e->last_event);
    number(j, "growth", e->growth);
    text(j, "plan_from", e->plan.curves ? "plan" : isnan(e->growth) ? NULL : "last");
    jw_key(j, "markets");
    jw_object(j);
    for (size_t m = 0; m < e->n_markets; m++) {
        jw_key(j, e->markets[m].name);
        jw_object(j);
        text(j, "currency", e->markets[m].currency);
        number(j, "money_per_order", e->markets[m].money_per_order);
        if (minutes) {
            curve_json(j, "plan", event_beside_plan(minutes, m));
            curve_json(j, "last", event_beside_last(minutes, m));
        }
        jw_end(j);
    }
    jw_end(j);
    jw_end(j);
}
