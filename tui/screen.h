/* screen.h - one drawing: the page that fires on top, title and tabs, the shown view, the bottom lines. */
#pragma once

#include "tui/app.h"

#define SCREEN_WIDTH_MIN 60
#define SCREEN_HEIGHT_MIN 12

void screen_draw(struct app *app, struct cells *c);

/* ---- for views ---- */
/* A click on the box is this key; with key 0 it selects the row, a second one opens it. */
void screen_hot(struct app *app, struct box box, int key, int row);
/* A titled piece of a view: draws the title line (`title ─────`) and returns what is below it. */
struct box screen_section(struct cells *c, struct box box, const char *title, const char *note);
/* "shop: payment-gateway does not answer": an alert in words. */
void screen_alert_words(const json_t *alert, char *text, size_t n);
/* "Cyber Monday: rush, ends in 7 min 55 s" at the shown moment; "" without an event. */
void screen_event_words(const struct app *app, char *text, size_t n);
/* ok, warn, crit: shape and word beside the colour. */
struct state_look {
    const char *state, *shape;
    enum cell_style style;
};
const struct state_look *screen_state(const char *state);
/* As it may be drawn now: what is only known of an earlier moment is unknown, "was ok", and never green. */
const struct state_look *screen_state_now(const struct app *app, const char *state);
