/* file.h - whole files and folders, with limits and durable writes. Paths are NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/macros.h"

/* The file's bytes from malloc (NUL-terminated beyond the length). -EFBIG over max_bytes, -errno of open/read. */
MUST_USE int file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len);
/* Replace atomically: write PATH.tmp, fsync, rename, fsync the folder. */
MUST_USE int file_write(const char *path, const void *data, size_t n);
/* mkdir -p with mode 0750. */
MUST_USE int dir_make(const char *path);
/* Remove a folder and what is in it (does not follow links). For tests and caches only. */
MUST_USE int dir_remove(const char *path);
/* A new private folder below $TMPDIR or /tmp, path from malloc. */
MUST_USE int dir_make_temp(const char *prefix, char **ret_path);
/* Paths matching a shell pattern, sorted; free with file_list_done. No match gives n = 0. */
struct file_list {
    char **paths;
    size_t n;
};
MUST_USE int file_glob(const char *pattern, struct file_list *ret);
void file_list_done(struct file_list *l);
/* `path` relative to the folder of `base_file` (config files name others so); absolute paths stay. malloc. */
char *path_beside(const char *base_file, const char *path);
/* Free bytes for us on the file system of path. */
MUST_USE int disk_free_bytes(const char *path, uint64_t *ret);
