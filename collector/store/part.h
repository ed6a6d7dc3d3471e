/* part.h - the list of the files of days and weeks; between part.c, which keeps it, and part_move.c, which makes the files.
 *
 * The writer changes the list, others look under parts_lock. */
#pragma once

#include "collector/store/store_inside.h"

#define PART_DAY_PREFIX "day-"
#define PART_WEEK_PREFIX "week-"
#define PART_RETIRED_SHARE 4 /* a file is written anew when a fourth of it is not in use any more */

MUST_USE int part_path_of(const struct store *s, const char *name, char path[PART_PATH_MAX]); /* -ENAMETOOLONG */
struct part *part_find(struct store *s, uint32_t id);
/* Takes the name, but not on an error. -ENOMEM. */
MUST_USE int part_add(struct store *s, uint32_t id, int64_t from_ms, unsigned days, char *name);
void part_forget(struct store *s, uint32_t id);
/* The writer's, when head.db does not name it any more: forget it and remove the file. */
void part_drop(struct store *s, uint32_t id);
/* Has the retention taken so much of it that it should be written anew? Takes the lock. */
bool part_has_lost_much(struct store *s, uint32_t id);
/* How many days it is for, 0: there is no such part. Takes the lock. */
unsigned part_days(struct store *s, uint32_t id);
