#include "tui/command.h"

#include <errno.h>

#include "lib/base/number.h"

static void run_event(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_EVENT);
}
static void run_services(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_SERVICES);
}
static void run_journeys(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_JOURNEYS);
}
static void run_alerts(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_ALERTS);
}
static void run_targets(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_TARGETS);
}
static void run_help(struct app *app, const char *argument)
{
    (void)argument;
    app_show(app, VIEW_HELP);
}
static void run_quit(struct app *app, const char *argument)
{
    (void)argument;
    app->quit = true;
}
static void run_now(struct app *app, const char *argument)
{
    (void)argument;
    app_scrub_to(app, 0);
}

static void run_query(struct app *app, const char *argument)
{
    app_show(app, VIEW_EXPLORE);
    if (argument[0] != '\0')
        app_query(app, argument);
}

static void run_service(struct app *app, const char *argument)
{
    if (!model_row(app_model(app), "services", argument)) {
        app_say(app, true, "no service '%s'", argument);
        return;
    }
    snprintf(app->service, sizeof app->service, "%s", argument);
    app_show(app, VIEW_SERVICE);
}

static void run_filter(struct app *app, const char *argument)
{
    struct parse_error error;
    if (filter_set(&app->filters[app->view], argument, &error) < 0)
        app_say(app, true, "filter: %s", error.text);
}

static void run_note(struct app *app, const char *argument)
{
    app_note(app, argument);
}

/* ":back 5m" */
static void run_back(struct app *app, const char *argument)
{
    int64_t ms;
    if (parse_duration_ms(span_str(argument), &ms) < 0) {
        app_say(app, true, "'%s' is no duration such as 90s or 5m", argument);
        return;
    }
    app_scrub(app, -ms);
}

/* ":at 18:04:30", the last time that the clock showed this, in UTC; or RFC 3339. */
static void run_at(struct app *app, const char *argument)
{
    int64_t t;
    char day[NUMBER_TEXT_MAX], text[64];
    format_rfc3339_ms(day, app_now_ms(app));
    snprintf(text, sizeof text, "%.10sT%s%sZ", day, argument, strlen(argument) == 5 ? ":00" : "");
    if (parse_rfc3339_ms(span_str(argument), &t) < 0 && parse_rfc3339_ms(span_str(text), &t) < 0) {
        app_say(app, true, "'%s' is no time such as 18:04, 18:04:30 or 2026-11-27T18:04:30Z", argument);
        return;
    }
    if (t > app_now_ms(app))
        t -= 86400000;
    app_scrub_to(app, t);
}

static void run_window(struct app *app, const char *argument)
{
    int64_t ms;
    if (parse_duration_ms(span_str(argument), &ms) < 0 || ms < 10000 || ms > 7 * 86400000ll) {
        app_say(app, true, "'%s' is no window from 10s to 7d", argument);
        return;
    }
    app_window(app, (unsigned)(ms / 1000));
}

static void run_graphs(struct app *app, const char *argument)
{
    for (int i = 0; i < GRAPH_MODES; i++)
        if (strcmp(argument, GRAPH_MODE_NAMES[i]) == 0) {
            if (app->ascii && i != GRAPH_ASCII)
                app_say(app, true, "this locale is not UTF-8: graphs are ASCII");
            else
                app->graphs = (enum graph_mode)i;
            return;
        }
    app_say(app, true, "graphs are braille, block or ascii");
}

static void run_save_display(struct app *app, const char *argument)
{
    free(app->save_path);
    app->save_path = strdup(argument);
}
static void run_save_styles(struct app *app, const char *argument)
{
    free(app->save_styles_path);
    app->save_styles_path = strdup(argument);
}

const struct command COMMANDS[] = {
    {"event", "e", NULL, "the Event view", run_event},
    {"services", "s", NULL, "the Services view", run_services},
    {"journeys", "j", NULL, "the Journeys view", run_journeys},
    {"alerts", "a", NULL, "the Alerts view", run_alerts},
    {"targets", "t", NULL, "the Targets and coverage view", run_targets},
    {"query", "explore", "EXPRESSION", "PromQL in the Explore view", run_query},
    {"service", NULL, "NAME", "open a service", run_service},
    {"filter", NULL, "TEXT", "as /; without text all rows are shown", run_filter},
    {"note", "n", "TEXT", "write an annotation", run_note},
    {"back", NULL, "DURATION", "go back in time", run_back},
    {"at", NULL, "TIME", "show this moment (UTC)", run_at},
    {"now", NULL, NULL, "return to now", run_now},
    {"window", NULL, "DURATION", "how long a time graphs show", run_window},
    {"graphs", NULL, "MODE", "braille, block or ascii", run_graphs},
    {"save-display", NULL, "FILE", "write the screen as text", run_save_display},
    {"save-styles", NULL, "FILE", "write the screen's colours as text", run_save_styles},
    {"help", "h", NULL, "keys and commands", run_help},
    {"quit", "q", NULL, "leave", run_quit},
};
const size_t COMMANDS_N = ARRAY_LEN(COMMANDS);

void app_command(struct app *app, const char *text)
{
    struct span rest = span_trim(span_str(text)), name = {0};
    if (rest.len == 0)
        return;
    name = span_of(rest.ptr, span_find(rest, ' '));
    AUTO_FREE char *argument = span_dup(span_trim(span_from(rest, name.len)));
    if (!argument) {
        app_say(app, true, "out of memory");
        return;
    }
    const char *names[ARRAY_LEN(COMMANDS)];
    for (size_t i = 0; i < COMMANDS_N; i++) {
        const struct command *c = &COMMANDS[i];
        names[i] = c->name;
        if (!span_equal(name, span_str(c->name)) && !(c->alias && span_equal(name, span_str(c->alias))))
            continue;
        bool may_be_empty = c->run == run_query || c->run == run_filter;
        if (!c->argument && argument[0] != '\0')
            app_say(app, true, ":%s takes nothing behind it", c->name);
        else if (c->argument && argument[0] == '\0' && !may_be_empty)
            app_say(app, true, ":%s needs a %s", c->name, c->argument);
        else
            c->run(app, argument);
        return;
    }
    AUTO_FREE char *word = span_dup(name);
    const char *near = word ? suggest(word, names, COMMANDS_N) : NULL;
    app_say(app, true, near ? "no command ':%s' (did you mean :%s?)" : "no command ':%s'; ? lists them",
            word ? word : "", near);
}

/* One more candidate: `common` becomes what all have in common. */
static void offer(const char *candidate, const char *typed, char *common, size_t n_common, size_t *n, char *choices,
                  size_t n_choices)
{
    if (strncmp(candidate, typed, strlen(typed)) != 0)
        return;
    if ((*n)++ == 0) {
        snprintf(common, n_common, "%s", candidate);
    } else {
        size_t same = 0;
        while (common[same] && common[same] == candidate[same])
            same++;
        common[same] = '\0';
    }
    size_t used = strlen(choices);
    snprintf(choices + used, n_choices - used, "%s%s", used ? " " : "", candidate);
}

void command_complete(const struct app *app, char *line, size_t n, char *choices, size_t n_choices)
{
    char *space = strchr(line, ' ');
    const char *typed = space ? space + 1 : line;
    char common[256] = "";
    size_t found = 0;
    choices[0] = '\0';
    if (!space) {
        for (size_t i = 0; i < COMMANDS_N; i++)
            offer(COMMANDS[i].name, typed, common, sizeof common, &found, choices, n_choices);
    } else if (strncmp(line, "service ", 8) == 0) {
        const char *key;
        json_t *row;
        json_object_foreach(model_section(app_model(app), "services"), key, row)
        {
            offer(key, typed, common, sizeof common, &found, choices, n_choices);
        }
    } else if (strncmp(line, "graphs ", 7) == 0) {
        for (int i = 0; i < GRAPH_MODES; i++)
            offer(GRAPH_MODE_NAMES[i], typed, common, sizeof common, &found, choices, n_choices);
    }
    size_t before = (size_t)(typed - line);
    if (found > 0 && before + strlen(common) + 2 < n)
        snprintf(line + before, n - before, "%s%s", common, found == 1 && !space ? " " : "");
    if (found < 2)
        choices[0] = '\0';
}
