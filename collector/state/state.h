/* state.h - DIR/state.db: everything operational (alert state, deliveries, later silences, events, users, audit), one writer thread, a
 * message per change. A 2xx on any of it means committed (synchronous=FULL).
 *
 *   r = state_open("crest-data", ROOMS, n, &st, why, sizeof why);
 *   r = state_submit(st, change_fn, arg, done_fn);       // change_fn(db, arg) runs in a transaction on the writer thread;
 *                                                         // done_fn(arg, result) after the commit (or its failure)
 *   r = state_run(st, change_fn, arg);                    // the same and wait
 *   state_close(st);
 *
 * Rooms own their tables and SQL: each gives its statement table and its migrations; all tables are joined into the one of the
 * connection, and state_base() says where a room's begins. Changes queued together are committed together, in order; one that
 * fails rolls back alone (savepoint). A change that only reads costs no sync. Never wait for the state writer on its own thread:
 * neither a change nor a done function may call state_submit or state_run. */
#pragma once

#include <stdint.h>

#include "lib/base/metric_writer.h"
#include "lib/db/db.h"

struct state;
struct state_room {
    const char *name;       /* "rules", "notify": key of its row in schema_version(room, version) */
    const char *const *sql; /* its statements: numbered from the base that state_base gives */
    size_t sql_count;
    const char *const *migrations; /* ended by NULL */
};
/* dir NULL: in memory. Rooms are migrated in order. -EUCLEAN, -EOVERFLOW (a newer program's), -errno: why has a sentence. */
MUST_USE int state_open(const char *dir, const struct state_room *const *rooms, size_t n, struct state **ret, char *why,
                        size_t why_bytes);
void state_close(struct state *st); /* drains */
/* First statement number of a room: db_run(db, base + SQL_X). */
int state_base(const struct state *st, const struct state_room *room);
typedef int (*state_change)(struct db *db, void *arg); /* 0 or negative errno: rolled back */
typedef void (*state_done)(void *arg, int result);
/* Waits while the queue is full (STATE_QUEUE_MAX): state must not be lost. -ESHUTDOWN. done may be NULL. */
MUST_USE int state_submit(struct state *st, state_change change, void *arg, state_done done);
MUST_USE int state_run(struct state *st, state_change change, void *arg);
void state_stats(const struct state *st, struct metric_writer *w);

/* Is the file whole: SQLite's structure of every table and index, what columns must hold, and the rooms' versions? Read only, also while
 * a collector has it open. -EUCLEAN, or an errno of opening: why has a sentence. -ENOMEM. */
MUST_USE int state_check(const char *path, char *why, size_t why_bytes);
