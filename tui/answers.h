/* answers.h - what the app asks the collector's query API for, and what it makes of the answers: graphs' past, the state before
 * the first frame that was seen, the Explore view. */
#pragma once

#include "tui/app.h"

/* The lines that graphs show: each is a member of a section's rows, and a series that the collector keeps. */
struct tracked {
    const char *track; /* the history's key is TRACK|ROW KEY */
    const char *section, *object, *member;
    const char *metric; /* NULL: has no series, only what the stream brought */
};
extern const struct tracked TRACKED[];
extern const size_t TRACKED_N;

/* Note what a frame brought. */
void answers_track(struct app *app);
void answers_ask_history(struct app *app, enum app_request kind, int64_t to_ms);
void answers_ask_past(struct app *app, int64_t t_ms);
void answers_ask_explore(struct app *app);
void explore_clear(struct explore *e);
