/* event_files.h - the event files that crest.yml names: read and judged together, then imported.
 *
 *   struct event_files files = {0};
 *   r = event_files_read(paths, n, &files, &problems);      // patterns are fine; -EINVAL: problems knows, nothing has changed
 *   r = event_files_import(&files, events, &problems);
 *   event_files_done(&files);                               // also after a failure
 *
 * Two files for one event are refused. An event that a file no longer names stays: removing one is a command. */
#pragma once

#include "collector/event/events.h"

struct event_files {
    struct event_source *list;
    size_t n;
};
MUST_USE int event_files_read(const char *const *paths, size_t n, struct event_files *ret, struct problems *problems);
/* Blocking, as events_put. What is stored already just so is left alone. */
MUST_USE int event_files_import(const struct event_files *f, struct events *ev, struct problems *problems);
void event_files_done(struct event_files *f);
