/* keys.h - the one table of keys: what they do, what the bottom line and `?` say about them. */
#pragma once

#include "tui/app.h"

enum action {
    ACT_NONE,
    ACT_VIEW, /* argument: the view */
    ACT_NEXT_VIEW,
    ACT_PREVIOUS_VIEW,
    ACT_MOVE,      /* argument: rows */
    ACT_MOVE_PAGE, /* argument: pages */
    ACT_TOP,
    ACT_BOTTOM,
    ACT_OPEN,
    ACT_BACK,
    ACT_COMMAND,
    ACT_FILTER,
    ACT_NOTE,
    ACT_QUERY,
    ACT_PAUSE,
    ACT_SCRUB, /* argument: seconds */
    ACT_NOW,
    ACT_ZOOM, /* argument: -1 shorter, 1 longer */
    ACT_GRAPHS,
    ACT_MOUSE,
    ACT_REDRAW,
    ACT_QUIT
};
struct key_def {
    int keys[4]; /* the first stands in the bottom line */
    enum action action;
    int argument;
    const char *label; /* in the bottom line; NULL: not there */
    const char *help;
};
extern const struct key_def KEYS[];
extern const size_t KEYS_N;
const struct key_def *key_find(int key);
/* "j Down": all keys of an entry. */
void key_names(const struct key_def *def, char *text, size_t n);
void key_act(struct app *app, const struct key_def *def);
