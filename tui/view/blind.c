/* blind.c - what each signal that a service is blind to needs: the whole cure, however long, to be copied. */
#include "tui/view/views.h"

#define INDENT 2

/* Draws from line `skip` of it all; returns how many lines there are. */
int view_cures(const struct app *app, struct cells *c, struct box box, int skip, const char *service)
{
    int lines = 0;
    const char *name;
    json_t *signal;
    json_object_foreach(json_object_get(model_row(app_model(app), "coverage", service), "signals"), name, signal)
    {
        if (json_is_true(json_object_get(signal, "present")) || json_is_true(json_object_get(signal, "not_applicable")))
            continue;
        int y = lines++ - skip;
        if (y >= 0 && y < box.h)
            cells_printf(c, box.x, box.y + y, box.w, STYLE_WARN, "\xe2\x97\x8b %s is blind to %s", service, name);
        y = lines - skip;
        struct box at = {box.x + INDENT, box.y + (y > 0 ? y : 0), box.w - INDENT, box.h - (y > 0 ? y : 0)};
        lines += view_wrapped(c, at, y < 0 ? -y : 0, STYLE_PLAIN, row_text(signal, "cure"));
    }
    return lines;
}

void view_blind(struct app *app, struct cells *c, struct box box)
{
    struct list *l = &app->lists[VIEW_BLIND];
    char title[sizeof app->service + 32];
    snprintf(title, sizeof title, "%s: blind signals and their cures", app->service);
    struct box at = screen_section(c, box, title, "Enter: the service");
    int lines = view_cures(app, c, (struct box){at.x, at.y, at.w, 0}, 0, app->service);
    l->height = at.h;
    l->rows = lines > at.h ? lines - at.h + 1 : 1; /* each step down moves it all by a line */
    l->at = l->at < l->rows ? l->at : l->rows - 1;
    l->top = l->at;
    view_cures(app, c, at, l->at, app->service);
    if (l->at + 1 < l->rows)
        cells_text_right(c, at.x, at.y + at.h - 1, at.w, STYLE_DIM, " \xe2\x86\x93 more: j ");
    if (lines == 0)
        cells_text(c, at.x, at.y, at.w, STYLE_PLAIN, "no signal is blind");
}
