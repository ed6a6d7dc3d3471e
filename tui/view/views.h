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
void view_blind(struct app *app, struct cells *c, struct box box);
void view_help(struct app *app, struct cells *c, struct box box);

/* Text over as many lines as it takes, broken at spaces; lines before `skip` and below the box are not drawn, the last one of
 * a box that is too small ends in an ellipsis. Returns the lines of the whole text, so a box without height measures it. */
int view_wrapped(struct cells *c, struct box box, int skip, enum cell_style style, const char *text);
/* The blind signals of a service with their cures; skip and what is returned are as those of view_wrapped. */
int view_cures(const struct app *app, struct cells *c, struct box box, int skip, const char *service);

/* A graph with its title, the values at the shown moment and the scale; all tracks that start with `track` and end in `suffix`
 * are summed, with suffix NULL it is that one track. While a moment is shown a line stands at it, and what came later is dim;
 * a click on the graph shows that moment. */
struct graph_of {
    const char *title, *track, *suffix;
    const char *signal;            /* how its numbers read (words_signal) */
    const char *figure, *currency; /* plan and last event beside it (plan.h); figure NULL: none */
    enum cell_style style;
};
void view_graph(struct app *app, struct cells *c, struct box box, const struct graph_of *g);
/* A graph one line high. */
void view_spark(const struct app *app, struct cells *c, struct box cell, const char *track);
/* Values (as many as graph_columns says) as an area for a time that ends before to_ms; and the line of the shown moment, which is
 * drawn last, over whatever stands there. */
void view_area(struct app *app, struct cells *c, struct box area, const double *v, size_t n, double low, double top,
               enum cell_style style, int64_t to_ms, int64_t span_ms);
void view_cursor(const struct app *app, struct cells *c, struct box area, int64_t to_ms, int64_t span_ms);
/* A member of the row as text, or as number. */
void cell_text(struct cells *c, struct box cell, const json_t *row, const char *member);
void cell_number(struct cells *c, struct box cell, const char *signal, double v, enum cell_style style);
double rank_trouble(const char *key, const json_t *row); /* crit, warn, unknown, ok; then by trouble */
double rank_alert(const char *key, const json_t *row);   /* pages, then tickets, then pending; oldest first */
/* Alerts of this view's list that keep lets through; returns how many there are. */
size_t view_alert_table(struct app *app, struct cells *c, struct box box, enum view_id view,
                        bool (*keep)(const struct app *app, const char *key, const json_t *row));
