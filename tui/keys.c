#include "tui/keys.h"

#include "lib/term/term.h"

#define CTRL(letter) ((letter) - 'A' + 1)

const struct key_def KEYS[] = {
    {{'?', TERM_KEY_F1}, ACT_VIEW, VIEW_HELP, "Help", "this help; / searches in it"},
    {{'1'}, ACT_VIEW, VIEW_EVENT, NULL, "Event: orders and revenue beside plan and last event, services, alerts"},
    {{'2'}, ACT_VIEW, VIEW_SERVICES, NULL, "Services: most trouble first"},
    {{'3'}, ACT_VIEW, VIEW_JOURNEYS, NULL, "Journeys: the steps of a sale as a funnel"},
    {{'4'}, ACT_VIEW, VIEW_ALERTS, NULL, "Alerts: what fires, since when"},
    {{'5'}, ACT_VIEW, VIEW_TARGETS, NULL, "Targets and coverage: what is scraped, which signals are blind"},
    {{'6'}, ACT_VIEW, VIEW_EXPLORE, NULL, "Explore: any PromQL as graph and table"},
    {{'\t'}, ACT_NEXT_VIEW, 0, NULL, "the next view"},
    {{TERM_KEY_BACKTAB}, ACT_PREVIOUS_VIEW, 0, NULL, "the view before"},
    {{'j', TERM_KEY_DOWN}, ACT_MOVE, 1, NULL, "one row down"},
    {{'k', TERM_KEY_UP}, ACT_MOVE, -1, NULL, "one row up"},
    {{CTRL('F'), TERM_KEY_PAGE_DOWN}, ACT_MOVE_PAGE, 1, NULL, "one page down"},
    {{CTRL('B'), TERM_KEY_PAGE_UP}, ACT_MOVE_PAGE, -1, NULL, "one page up"},
    {{'g', TERM_KEY_HOME}, ACT_TOP, 0, NULL, "to the first row"},
    {{'G', TERM_KEY_END}, ACT_BOTTOM, 0, NULL, "to the last row"},
    {{TERM_KEY_ENTER}, ACT_OPEN, 0, "Open", "open the selected row: a service, or its chart"},
    {{TERM_KEY_ESCAPE, TERM_KEY_BACKSPACE}, ACT_BACK, 0, "Back", "back: to now, without filter, to the view before"},
    {{'/', TERM_KEY_F1 + 2}, ACT_FILTER, 0, "Filter", "show rows with this text; ~expression, ! for those without"},
    {{':', TERM_KEY_F1 + 1}, ACT_COMMAND, 0, "Command", "type a command; Tab completes it"},
    {{'e', TERM_KEY_F1 + 3}, ACT_QUERY, 0, NULL, "type a PromQL expression for Explore"},
    {{'p', ' ', TERM_KEY_F1 + 4}, ACT_PAUSE, 0, "Pause", "hold the screen; frames still come in"},
    {{'h', TERM_KEY_LEFT}, ACT_SCRUB, -5, "Earlier", "5 seconds back in time"},
    {{'l', TERM_KEY_RIGHT}, ACT_SCRUB, 5, "Later", "5 seconds forward"},
    {{'H', '['}, ACT_SCRUB, -60, NULL, "a minute back in time"},
    {{'L', ']'}, ACT_SCRUB, 60, NULL, "a minute forward"},
    {{'0', TERM_KEY_F1 + 5}, ACT_NOW, 0, "Now", "return to now"},
    {{'-'}, ACT_ZOOM, 1, NULL, "graphs show a longer time"},
    {{'+', '='}, ACT_ZOOM, -1, NULL, "graphs show a shorter time"},
    {{'b', TERM_KEY_F1 + 6}, ACT_GRAPHS, 0, "Graphs", "draw graphs in braille, blocks or ASCII"},
    {{'n', TERM_KEY_F1 + 7}, ACT_NOTE, 0, "Note", "write an annotation at the moment that is shown"},
    {{'m'}, ACT_MOUSE, 0, NULL, "mouse on or off (off: the terminal selects text)"},
    {{CTRL('L')}, ACT_REDRAW, 0, NULL, "draw the screen anew"},
    {{'q', TERM_KEY_F1 + 9, CTRL('C')}, ACT_QUIT, 0, "Quit", "leave"},
};
const size_t KEYS_N = ARRAY_LEN(KEYS);

const struct key_def *key_find(int key)
{
    for (size_t i = 0; i < KEYS_N; i++)
        for (size_t k = 0; k < ARRAY_LEN(KEYS[i].keys) && KEYS[i].keys[k]; k++)
            if (KEYS[i].keys[k] == key)
                return &KEYS[i];
    return NULL;
}

void key_names(const struct key_def *def, char *text, size_t n)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t k = 0; k < ARRAY_LEN(def->keys) && def->keys[k] && used < n; k++) {
        char name[16];
        used += (size_t)snprintf(text + used, n - used, "%s%s", k ? " " : "", term_key_name(def->keys[k], name));
    }
}

static void zoom(struct app *app, int direction)
{
    static const unsigned WINDOWS_S[] = {60, 120, 300, 600, 900, 3600, 6 * 3600, 24 * 3600};
    size_t at = 0;
    while (at + 1 < ARRAY_LEN(WINDOWS_S) && WINDOWS_S[at] < app->window_s)
        at++;
    if (direction > 0 && at + 1 < ARRAY_LEN(WINDOWS_S))
        at++;
    if (direction < 0 && at > 0)
        at--;
    app_window(app, WINDOWS_S[at]);
    if (app->window_s > HISTORY_SECONDS)
        app_say(app, false, "longer than %u min: in Explore only", HISTORY_SECONDS / 60);
}

static void next_view(struct app *app, int step)
{
    int at = app->view < VIEWS_IN_TABS ? (int)app->view : 0;
    app_show(app, (enum view_id)((at + step + VIEWS_IN_TABS) % VIEWS_IN_TABS));
}

void key_act(struct app *app, const struct key_def *def)
{
    struct list *list = &app->lists[app->view];
    switch (def->action) {
    case ACT_NONE:
        break;
    case ACT_VIEW:
        app_show(app, (enum view_id)def->argument);
        break;
    case ACT_NEXT_VIEW:
        next_view(app, 1);
        break;
    case ACT_PREVIOUS_VIEW:
        next_view(app, -1);
        break;
    case ACT_MOVE:
        app_move(app, def->argument);
        break;
    case ACT_MOVE_PAGE:
        app_move(app, def->argument * (list->height > 1 ? list->height - 1 : 1));
        break;
    case ACT_TOP:
        app_move(app, -list->rows);
        break;
    case ACT_BOTTOM:
        app_move(app, list->rows);
        break;
    case ACT_OPEN:
        app_open(app);
        break;
    case ACT_BACK:
        app_go_back(app);
        break;
    case ACT_COMMAND:
        app_input(app, INPUT_COMMAND, "");
        break;
    case ACT_FILTER:
        app_input(app, INPUT_FILTER, app->filters[app->view].text);
        break;
    case ACT_NOTE:
        app_input(app, INPUT_NOTE, "");
        break;
    case ACT_QUERY:
        if (app->view != VIEW_EXPLORE)
            app_show(app, VIEW_EXPLORE);
        app_input(app, INPUT_QUERY, app->explore.query);
        break;
    case ACT_PAUSE:
        app_scrub_to(app, app->shown_ms ? 0 : app_now_ms(app));
        break;
    case ACT_SCRUB:
        app_scrub(app, (int64_t)def->argument * 1000);
        break;
    case ACT_NOW:
        app_scrub_to(app, 0);
        break;
    case ACT_ZOOM:
        zoom(app, def->argument);
        break;
    case ACT_GRAPHS:
        if (app->ascii) {
            app_say(app, true, "this locale is not UTF-8: graphs are ASCII");
            break;
        }
        app->graphs = (enum graph_mode)((app->graphs + GRAPH_MODES - 1) % GRAPH_MODES);
        app_say(app, false, "graphs in %s", GRAPH_MODE_NAMES[app->graphs]);
        break;
    case ACT_MOUSE:
        app->mouse = !app->mouse;
        app_say(app, false, "mouse %s", app->mouse ? "on" : "off: the terminal selects text");
        break;
    case ACT_REDRAW:
        app->redraw = true;
        break;
    case ACT_QUIT:
        app->quit = true;
        break;
    }
}
