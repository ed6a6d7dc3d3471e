/* line_reader.h - the lines of a file, plain, gzip or zstd: the bytes decide.
 *
 *   struct line_reader *r;
 *   e = line_reader_open("access.log.gz", &r);                 // "-" is stdin
 *   while ((e = line_reader_next(r, &line)) > 0) ...           // without its end; 0 at the end; negative errno
 *   line_reader_close(r);
 *
 * A line over LOG_LINE_BYTES_MAX comes as its beginning, with line_reader_cut() true. */
#pragma once

#include <stdbool.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct line_reader;
MUST_USE int line_reader_open(const char *path, struct line_reader **ret);
void line_reader_close(struct line_reader *r);
/* 1: *ret_line lives until the next call; 0: the end; -EBADMSG: the compressed bytes are broken; other negative errno. */
MUST_USE int line_reader_next(struct line_reader *r, struct span *ret_line);
bool line_reader_cut(const struct line_reader *r);
