/* views.h - the views, each drawn into its box by one file; and the cells that several tables have. */
#pragma once

#include "tui/screen.h"
#include "tui/table.h"
#include "tui/words.h"

struct view_def {
    const char *name;
    void (*draw)(struct app *app, struct cells *c, struct box box);
};
extern const struct view_def VIEW_DEFS[VIEWS];

void view_event(struct app *app, struct cells *c, struct box box);
void view_services(struct app *app, struct cells *c, struct box box);
void view_service(struct app *app, struct cells *c, struct box box);
void view_journeys(struct app *app, struct cells *c, struct box box);
void view_alerts(struct app *app, struct cells *c, struct box box);
void view_targets(struct app *app, struct cells *c, struct box box);
void view_explore(struct app *app, struct cells *c, struct box box);
void view_help(struct app *app, struct cells *c, struct box box);

/* A graph with its title, newest value and scale; all tracks that start with `track` and end in `suffix` are summed, with suffix
 * NULL it is that one track. A second line
 * may be given as a constant (a plan), NAN: none. */
struct graph_of {
    const char *title, *track, *suffix;
    const char *signal; /* how its numbers read (words_signal) */
    double plan;
    enum cell_style style;
};
void view_graph(struct app *app, struct cells *c, struct box box, const struct graph_of *g);
/* A graph one line high. */
void view_spark(const struct app *app, struct cells *c, struct box cell, const char *track);
/* A member of the row as text, or as number. */
void cell_text(struct cells *c, struct box cell, const json_t *row, const char *member);
void cell_number(struct cells *c, struct box cell, const char *signal, double v, enum cell_style style);
double rank_trouble(const char *key, const json_t *row); /* crit, warn, unknown, ok; then by trouble */
double rank_alert(const char *key, const json_t *row);   /* pages, then tickets, then pending; oldest first */
/* Alerts of this view's list that keep lets through; returns how many there are. */
size_t view_alert_table(struct app *app, struct cells *c, struct box box, enum view_id view,
                        bool (*keep)(const struct app *app, const char *key, const json_t *row));
