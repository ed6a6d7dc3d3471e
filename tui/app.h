/* app.h - the state of the console, and what keys, frames and answers do to it. It knows neither terminal nor network:
 *
 *   r = app_new(&(struct app_config){...}, &app);
 *   app_frame(app, &event, mono_ms);                  // from the stream
 *   app_key(app, key, mono_ms);                       // from the terminal, or a script
 *   app_tick(app, mono_ms);                           // asks for what the shown view needs
 *   screen_draw(app, &cells);                         // screen.h
 *
 * What it wants from the collector it asks through app_wire; the answers come back by app_answer. Without a wire (a replay) it
 * says so. Time: `mono_ms` is given, never read, so that a script's clock is its own. */
#pragma once

#include "lib/base/arena.h"
#include "lib/term/cells.h"
#include "tui/filter.h"
#include "lib/term/graph.h"
#include "tui/history.h"
#include "tui/sse.h"
#include "tui/story.h"
#include "tui/timeline.h"
#include "lib/base/limits.h"

enum view_id {
    VIEW_EVENT,
    VIEW_SERVICES,
    VIEW_JOURNEYS,
    VIEW_ALERTS,
    VIEW_TARGETS,
    VIEW_EXPLORE,
    VIEW_SERVICE, /* one service, opened from a list */
    VIEW_BLIND,   /* its blind signals, opened from the coverage */
    VIEW_HELP,
    VIEWS
};
#define VIEWS_IN_TABS VIEW_SERVICE /* those with a digit */

enum app_input { INPUT_NONE, INPUT_COMMAND, INPUT_FILTER, INPUT_NOTE, INPUT_QUERY };

/* ---- the collector, as the app sees it ---- */
enum app_request {
    REQUEST_EXPLORE,
    REQUEST_HISTORY,
    REQUEST_PAST,
    REQUEST_PAST_ALERTS,
    REQUEST_PAST_HISTORY,
    REQUEST_EVENT,
    REQUEST_NOTE
};
struct app_wire {
    void *ctx;
    /* path with query; body NULL: GET, else POST of JSON. The answer comes with the same kind and tag. */
    int (*send)(void *ctx, enum app_request kind, uint64_t tag, const char *path, const char *body);
};

/* ---- lists ---- */
struct list {
    char key[256]; /* of the selected row; "": the one at `at` */
    int at, top;   /* selected row, first row shown */
    int rows, height;
};

/* ---- explore ---- */
struct explore_series {
    char *labels;
    double *values; /* EXPLORE's n_points, NAN where there is none */
    double last;
};
struct explore {
    char query[1024];
    char error[256];
    bool waiting;
    uint64_t tag;
    int64_t asked_mono_ms, from_ms, to_ms, step_ms;
    size_t n_points, n_series, hidden_series;
    struct explore_series series[EXPLORE_SERIES_MAX];
};

/* ---- the event's curves (plan.h) ---- */
struct curves {
    char event[256]; /* whose they are */
    int64_t starts_ms, ends_ms, asked_mono_ms;
    json_t *markets; /* NULL: not known */
};

/* ---- what a click does ---- */
struct hot {
    struct box box;
    int key;                  /* 0: a row, or a graph */
    int row;                  /* of the list */
    int64_t from_ms, span_ms; /* a graph shows this time (span_ms > 0): a click is a moment */
};
#define HOT_MAX 400

struct app {
    struct app_wire wire; /* send NULL: a replay */
    char address[128];
    struct model live, past;
    bool has_past;
    struct timeline *timeline;
    const struct story *story; /* NULL: none; the owner steps it */
    struct history history, past_history;
    int64_t mono_ms, frame_mono_ms;        /* now; when the newest frame came */
    int64_t shown_ms;                      /* the moment that is shown, 0: now */
    int64_t edge_ms;                       /* where graphs end while a moment is shown */
    int64_t past_from_ms, past_history_ms; /* of the answers on their way */
    unsigned past_waiting;                 /* answers about the shown moment that are on their way */
    uint64_t tag;
    bool connected, ever_connected;
    char link_words[200]; /* why not connected, and when it tries again */

    enum view_id view, back[8];
    size_t n_back;
    struct list lists[VIEWS];
    struct filter filters[VIEWS];
    char service[256]; /* of VIEW_SERVICE and VIEW_BLIND */
    enum graph_mode graphs;
    bool ascii;
    unsigned window_s;
    struct explore explore;
    struct curves curves;
    json_t *made; /* rows that views made up for one drawing */

    enum app_input input;
    char line[1024];
    size_t line_bytes, cursor;
    char history_lines[16][256];
    size_t n_history_lines, history_at;
    char message[256];
    bool message_is_bad;
    int64_t message_until_ms;

    struct hot hot[HOT_MAX];
    size_t n_hot;
    struct arena frame; /* of one drawing */
    bool quit, redraw, mouse, backfilled;
    bool answered; /* an answer came: draw */
    uint64_t bad_frames;
    char *save_path, *save_styles_path; /* asked for by a command: the owner of the cells writes them */
};

struct app_config {
    struct app_wire wire;
    const char *address;
    enum graph_mode graphs;
    bool ascii; /* the terminal shows nothing but ASCII: graphs stay so */
};
MUST_USE int app_new(const struct app_config *config, struct app **ret);
void app_free(struct app *app);

/* ---- what comes in ---- */
void app_frame(struct app *app, const struct sse_event *event, int64_t mono_ms);
void app_connected(struct app *app, int64_t mono_ms);
void app_disconnected(struct app *app, const char *words);
void app_answer(struct app *app, enum app_request kind, uint64_t tag, int status, struct span body, const char *error);
void app_key(struct app *app, int key, int64_t mono_ms);
void app_paste(struct app *app, const char *text);
void app_click(struct app *app, int x, int y);
void app_wheel(struct app *app, int up);
void app_tick(struct app *app, int64_t mono_ms);
/* A command line without its colon. */
void app_command(struct app *app, const char *text);

/* ---- what views read ---- */
const struct model *app_model(const struct app *app);     /* at the moment that is shown */
const struct history *app_history(const struct app *app); /* likewise */
int64_t app_now_ms(const struct app *app);                /* the collector's clock now */
int64_t app_shown_ms(const struct app *app);              /* the moment that is shown */
int64_t app_edge_ms(const struct app *app);               /* where graphs end: not before the shown moment */
/* Seconds without a frame when that is 3 or more, else 0. */
int64_t app_stale_s(const struct app *app);
/* What is shown is not what is: no frame comes, or the connection is lost. Never of a past moment, which is known. */
bool app_is_old(const struct app *app);
void app_say(struct app *app, bool bad, const char *format, ...) PRINTF_LIKE(3, 4);

/* ---- what actions use ---- */
void app_show(struct app *app, enum view_id view); /* remembers the way back */
void app_go_back(struct app *app);
void app_scrub(struct app *app, int64_t by_ms);
void app_scrub_to(struct app *app, int64_t t_ms);   /* 0: now */
void app_window(struct app *app, unsigned seconds); /* how long a time graphs show */
void app_open(struct app *app);
void app_move(struct app *app, int rows);
void app_input(struct app *app, enum app_input input, const char *text);
void app_query(struct app *app, const char *query);
void app_note(struct app *app, const char *text);
