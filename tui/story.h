/* story.h - a line of somebody else's below the views: what the demo (or a script that runs a rehearsal) says about what comes.
 *
 *   r = story_new("story.txt", &story);
 *   if (story_step(story, mono_ms)) …                 // the file changed: draw again
 *   const char *newest = story_line(story, 0);        // "" before the first
 *   int lines = story_draw(story, cells, below);      // takes the lines above `below`
 *   story_free(story);
 *
 * The file grows by whole lines and is somebody else's: it may be missing, shrink, or hold anything. Only its end is read. */
#pragma once

#include "lib/term/cells.h"

#define STORY_LINES 3
#define STORY_EVERY_MS 100

struct story;
/* The file need not exist yet. -ENOMEM. */
MUST_USE int story_new(const char *path, struct story **ret);
void story_free(struct story *s); /* NULL is fine */
/* Looks at most once in STORY_EVERY_MS; true when other lines are shown than before. */
bool story_step(struct story *s, int64_t mono_ms);
/* The n-th line from the end, without its newline; "" when there is none. */
const char *story_line(const struct story *s, size_t n);
/* Draws the newest lines, the newest last, so that they end above row `below`. Returns how many rows they take; 0 for NULL. */
int story_draw(const struct story *s, struct cells *c, int below);
