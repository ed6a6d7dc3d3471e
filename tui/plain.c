#include "tui/plain.h"

#include <math.h>

#include "lib/base/number.h"
#include "tui/plan.h"
#include "tui/screen.h"
#include "tui/table.h"
#include "tui/view/views.h"

/* Text of others, without what a terminal would take for orders. */
static void add_clean(struct buf *out, const char *text)
{
    for (uint32_t ch; (ch = cells_next(&text)) != 0;)
        cells_utf8(out, ch);
}

static void add_alert(const struct app *app, struct buf *out, const json_t *alert)
{
    char words[512], age[WORDS_MAX];
    bool firing = strcmp(row_text(alert, "state"), "firing") == 0,
         page = strcmp(row_text(alert, "severity"), "page") == 0;
    screen_alert_words(alert, words, sizeof words);
    buf_str(out, !firing ? "pending: " : page ? "PAGE " : "alert: ");
    add_clean(out, words);
    int64_t since = row_time(alert, "since");
    if (since)
        buf_printf(out, ", for %s", words_age(age, app_now_ms(app) - since));
    buf_printf(out, " (");
    add_clean(out, row_text(alert, "name"));
    buf_str(out, ")\n");
}

static void add_service(struct buf *out, const char *key, const json_t *row)
{
    char rps[WORDS_MAX], errors[WORDS_MAX], p95[WORDS_MAX];
    add_clean(out, key);
    buf_printf(out, ": %s", screen_state(row_text(row, "state"))->state);
    if (row_text(row, "why")[0] != '\0') {
        buf_str(out, ", ");
        add_clean(out, row_text(row, "why"));
    }
    buf_printf(out, "; %s requests/s, errors %s, p95 %s\n", words_count(rps, row_in(row, "signals", "throughput_rps")),
               words_ratio(errors, row_in(row, "signals", "error_ratio")),
               words_seconds(p95, row_in(row, "signals", "response_seconds:p95")));
}

static void add_event(const struct app *app, struct buf *out)
{
    char words[256], now[WORDS_MAX], plan[WORDS_MAX], pace[WORDS_MAX];
    screen_event_words(app, words, sizeof words);
    if (words[0] == '\0')
        return;
    buf_str(out, "event ");
    add_clean(out, words);
    double so_far = plan_sum(app, "total", "now"), at = plan_sum(app, "on_pace_for", "at");
    if (!isnan(so_far))
        buf_printf(out, plan_is_over(app) ? "; %s orders in all, plan %s" : "; %s orders so far, plan %s",
                   words_count(now, round(so_far)), words_count(plan, round(plan_sum(app, "total", "plan"))));
    if (!isnan(so_far) && !isnan(at) && !plan_is_over(app))
        buf_printf(out, ", on pace for %s", words_count(pace, round(at)));
    buf_char(out, '\n');
}

/* The rows in the order of the screen. */
static size_t sorted(const struct app *app, const char *section, double (*rank)(const char *key, const json_t *row),
                     struct row **ret)
{
    struct app *writable = (struct app *)(uintptr_t)app; /* only its drawing arena is used */
    return table_rows(writable, VIEWS, section, rank, NULL, ret);
}

void plain_state(const struct app *app, struct buf *out)
{
    struct row *rows;
    char a[WORDS_MAX], b[WORDS_MAX], c[WORDS_MAX], t[NUMBER_TEXT_MAX];
    if (app->live.t_ms == 0) {
        buf_str(out, "no data yet\n");
        return;
    }
    format_rfc3339_ms(t, app->live.t_ms);
    buf_printf(out, "state at %s\n", t);
    add_event(app, out);
    size_t n = sorted(app, "alerts", rank_alert, &rows);
    for (size_t i = 0; i < n; i++)
        add_alert(app, out, rows[i].row);
    if (n == 0)
        buf_str(out, "no alert fires\n");
    n = sorted(app, "services", rank_trouble, &rows);
    for (size_t i = 0; i < n; i++)
        add_service(out, rows[i].key, rows[i].row);
    n = sorted(app, "markets", NULL, &rows);
    for (size_t i = 0; i < n; i++) {
        buf_str(out, "market ");
        add_clean(out, rows[i].key);
        buf_printf(out, ": %s orders/min, %s ", words_count(a, row_number(rows[i].row, "orders_per_minute")),
                   words_count(b, row_number(rows[i].row, "revenue_per_minute")));
        add_clean(out, row_text(rows[i].row, "currency"));
        buf_str(out, "/min\n");
    }
    n = sorted(app, "steps", NULL, &rows);
    for (size_t i = 0; i < n; i++) {
        buf_str(out, "step ");
        add_clean(out, rows[i].key);
        buf_printf(out, ": %s/s, p95 %s, failures %s\n", words_count(a, row_number(rows[i].row, "rps")),
                   words_seconds(b, row_number(rows[i].row, "response_seconds:p95")),
                   words_ratio(c, row_number(rows[i].row, "failure_ratio")));
    }
    n = sorted(app, "targets", NULL, &rows);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(row_text(rows[i].row, "health"), "down") != 0)
            continue;
        buf_str(out, "target ");
        add_clean(out, rows[i].key);
        buf_str(out, " is down: ");
        add_clean(out, row_text(rows[i].row, "error"));
        buf_char(out, '\n');
    }
}

void plain_changes(const struct app *app, const struct model *before, struct buf *out)
{
    const char *key;
    json_t *row;
    char clock[WORDS_MAX];
    words_clock(clock, app->live.t_ms);
    json_object_foreach(model_section(&app->live, "alerts"), key, row)
    {
        const json_t *was = model_row(before, "alerts", key);
        if (was && strcmp(row_text(was, "state"), row_text(row, "state")) == 0)
            continue;
        buf_printf(out, "%s ", clock);
        add_alert(app, out, row);
    }
    json_object_foreach(model_section(before, "alerts"), key, row)
    {
        if (model_row(&app->live, "alerts", key))
            continue;
        char words[512];
        screen_alert_words(row, words, sizeof words);
        buf_printf(out, "%s over: ", clock);
        add_clean(out, words);
        buf_char(out, '\n');
    }
    json_object_foreach(model_section(&app->live, "services"), key, row)
    {
        const json_t *was = model_row(before, "services", key);
        if (was && strcmp(row_text(was, "state"), row_text(row, "state")) == 0)
            continue;
        buf_printf(out, "%s ", clock);
        add_service(out, key, row);
    }
}

void plain_json(const struct app *app, const char *id, bool ascii, struct buf *out)
{
    struct json_writer j;
    jw_init(&j, out);
    jw_object(&j);
    jw_key(&j, "id");
    jw_str(&j, id);
    jw_key(&j, "t");
    jw_i64(&j, app->live.t_ms);
    jw_key(&j, "sections");
    /* escaped where the locale could not write it, and so that no control character of a name reaches a terminal */
    char *text = json_dumps(app->live.sections, JSON_COMPACT | (ascii ? JSON_ENSURE_ASCII : 0));
    if (text)
        jw_raw(&j, span_str(text));
    else
        jw_null(&j);
    free(text);
    jw_end(&j);
    buf_char(out, '\n');
}
