/* help.c - made from the tables of keys and commands, so it cannot say what is not so. `/` searches in it. */
#include "tui/command.h"
#include "tui/keys.h"
#include "tui/view/views.h"

void view_help(struct app *app, struct cells *c, struct box box)
{
    struct list *l = &app->lists[VIEW_HELP];
    const struct filter *f = &app->filters[VIEW_HELP];
    int line = 0;
    l->height = box.h;
    if (l->top > l->at)
        l->top = l->at;
    if (l->at >= l->top + l->height)
        l->top = l->at - l->height + 1;
    for (size_t i = 0; i < KEYS_N + COMMANDS_N; i++) {
        char name[96], text[256];
        if (i < KEYS_N) {
            key_names(&KEYS[i], name, sizeof name);
        } else {
            const struct command *d = &COMMANDS[i - KEYS_N];
            snprintf(name, sizeof name, ":%s%s%s", d->name, d->argument ? " " : "", d->argument ? d->argument : "");
        }
        const char *help = i < KEYS_N ? KEYS[i].help : COMMANDS[i - KEYS_N].help;
        snprintf(text, sizeof text, "%s %s", name, help);
        if (!filter_shows(f, text))
            continue;
        int y = box.y + line - l->top;
        if (y >= box.y && y < box.y + box.h) {
            cells_text(c, box.x, y, 24, STYLE_TITLE, name);
            cells_text(c, box.x + 26, y, box.w - 26, STYLE_PLAIN, help);
            if (i < KEYS_N)
                screen_hot(app, (struct box){box.x, y, box.w, 1}, KEYS[i].keys[0], 0);
            if (line == l->at)
                cells_reverse(c, (struct box){box.x, y, box.w, 1});
        }
        line++;
    }
    l->rows = line;
    if (line == 0)
        cells_text(c, box.x, box.y, box.w, STYLE_PLAIN, "nothing in the help has this text");
}
