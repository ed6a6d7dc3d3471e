/* set_aside.h - a head.db that cannot be read goes aside with what depends on it, so that a collector starts and the rest serves.
 *
 *   r = store_open_once(…);
 *   if (r == -EUCLEAN && store_set_aside(dir) > 0)
 *       r = store_open_once(…);
 *
 * It goes into DIR/damaged-TIME/ with its write-ahead log, nothing is thrown away; what can be read of it stands in a new one: rows are
 * copied table by table, a page that cannot be read costs the rows on it. Where the series' names are lost altogether (or its format: a file
 * that says nothing at all), the files of days and weeks go aside, too: without their names nobody can read them, and new series would get
 * their numbers. The log says what was lost. */
#pragma once

#include "lib/base/macros.h"

/* Takes the folder's lock meanwhile. 1: done, open again. 0: nothing is wrong with it that would help against: another program's or
 * version's, none there, locked. A negative errno (a full disk): it stands as it was. */
MUST_USE int store_set_aside(const char *dir);
/* There is no head.db, or an empty one, but files of days and weeks are there: they go aside before a new one takes their names and
 * numbers. The caller has the folder's lock. 1, 0, or a negative errno. */
MUST_USE int store_set_aside_orphans(const char *dir);
