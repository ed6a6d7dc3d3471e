/* db_test_log.h - what db_test_vfs.c notes and db_test_log.c turns into images. */
#pragma once

#include "lib/db/db_test_vfs.h"

enum db_test_kind { DB_TEST_MAKE, DB_TEST_WRITE, DB_TEST_LENGTH, DB_TEST_SYNC, DB_TEST_REMOVE, DB_TEST_SYNC_FOLDER };
/* A note. NULL log and memory that is not there are kept for db_test_vfs_record_end() to tell. name is within the folder; the file
 * is the one that has the name now. */
void db_test_log_note(struct db_test_log *log, enum db_test_kind kind, const char *name, int64_t offset,
                      const void *bytes, size_t n);
bool db_test_log_has(const struct db_test_log *log, const char *name); /* now */
struct db_test_log *db_test_log_new(void);
bool db_test_log_failed(const struct db_test_log *log);
