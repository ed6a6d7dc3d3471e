/* db_test_vfs.h - a disk whose power can be cut and whose writes can fail: an SQLite VFS for tests. No program registers it.
 *
 *   check_ok(db_test_vfs_install());               // every db_open() from now on
 *   check_ok(db_test_vfs_record(folder));          // what lies there counts as safe
 *   …use the store; db_test_vfs_at() tells the number of the next operation…
 *   log = db_test_vfs_record_end();
 *   for (n = 0; n <= db_test_log_count(log); n++)
 *       check_ok(db_test_log_image(log, n, DB_TEST_SYNCED, 0, other_folder));   // ascending n are cheap
 *   db_test_log_free(log);
 *
 * Files are real ones, locks and shared memory too; nothing is ever synced, which makes tests quick. While it records, every write,
 * truncation, sync, making and removing of a file below the folder is noted, in order; from the notes it tells what a disk may
 * hold when the power goes before operation n:
 *
 *   DB_TEST_SYNCED  bytes up to the file's last sync; a name made or removed counts from the next sync of the folder
 *   DB_TEST_NAMES   the same, but names are made and removed at once, as file systems with a journal of their own do
 *   DB_TEST_MIXED   of what is not synced, each sector of 512 bytes, each change of length and each run of names by chance
 *
 * Syncs of the folder are those that SQLite's own VFS makes (with the first sync of a new journal or WAL, with a removal that asks for
 * it) and fsync() of its descriptor. The shared memory is no file of an image, but garbage is put in its place.
 *
 * What does not go through SQLite comes through db_test_vfs_fsync() and _unlink(): link with --wrap=fsync,--wrap=unlink. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

MUST_USE int db_test_vfs_install(void); /* once, before any database is open. -ENOMEM, -EIO */

/* -EBUSY: it records already; -ENOMEM; -errno of reading the folder. */
MUST_USE int db_test_vfs_record(const char *folder);
uint64_t db_test_vfs_at(void); /* operations noted so far */
struct db_test_log;
struct db_test_log *db_test_vfs_record_end(void); /* NULL: out of memory while it recorded */

/* The `count` operations from number `at` on (0: the next) that write, lengthen or sync fail with ENOSPC or EIO, half of a write
 * done. count 0: none, also those asked for before. They are counted whether or not it records. */
void db_test_vfs_fail(uint64_t at, uint64_t count, int error);
uint64_t db_test_vfs_failed(void);   /* how many did, since db_test_vfs_fail() */
uint64_t db_test_vfs_attempts(void); /* how many could have, since then */

int db_test_vfs_fsync(int fd); /* as the calls, errno too */
int db_test_vfs_unlink(const char *path, int (*real)(const char *path));

/* Does the calling thread take a note now? What it allocates is the test's then. */
bool db_test_vfs_is_noting(void);

/* SQLite's memory comes from malloc and realloc as they are called here; before db_test_vfs_install(). */
struct db_test_memory {
    void *(*malloc)(size_t n);
    void *(*realloc)(void *p, size_t n);
    void (*free)(void *p);
};
MUST_USE int db_test_memory_install(const struct db_test_memory *memory);

enum db_test_image { DB_TEST_SYNCED, DB_TEST_NAMES, DB_TEST_MIXED };
uint64_t db_test_log_count(const struct db_test_log *log);
/* Is there anything on disk that the operations from..to-1 change for good? (A sync, or a name.) */
bool db_test_log_settles(const struct db_test_log *log, uint64_t from, uint64_t to);
/* The number of the last sync before n of the file whose name ends so; UINT64_MAX: none. */
uint64_t db_test_log_synced(const struct db_test_log *log, const char *name_end, uint64_t n);
/* Write the files into a folder that is there and empty. */
MUST_USE int db_test_log_image(struct db_test_log *log, uint64_t n, enum db_test_image kind, uint64_t seed,
                               const char *folder);
void db_test_log_free(struct db_test_log *log);
