/* ask_rooms.h - the rooms of a stopped collector's data folder, opened for a command.
 *
 *   struct ask_rooms rooms;
 *   r = ask_rooms_open(dir, &rooms);          // says on stderr what is wrong
 *   ask_rooms_close(&rooms);                  // also after a failure */
#pragma once

#include "collector/event/annotations.h"
#include "collector/event/events.h"
#include "collector/event/firings.h"
#include "collector/query/query.h"

struct ask_rooms {
    struct store *store;
    struct state *state;
    struct query_engine *query;
    struct annotations *annotations;
    struct firings *firings;
    struct events *events;
};
MUST_USE int ask_rooms_open(const char *dir, struct ask_rooms *rooms);
void ask_rooms_close(struct ask_rooms *rooms);
