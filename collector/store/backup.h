/* backup.h - a copy of a store's folder, made while a collector serves from it.
 *
 *   struct store_backup b;
 *   r = store_backup(dir, to, &b, why, sizeof why);       // then a collector with --data TO serves the copy
 *
 * head.db is copied in one read transaction: all that was acknowledged before the call is in it. The days' files that it names never change,
 * so they are copied as they are, before and after it; when one has been replaced or dropped meanwhile, head.db is copied again. It gets its
 * name last: until then the copy is none. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/macros.h"

struct store_backup {
    uint64_t files, bytes;
    uint64_t
        missing; /* files that head.db names and that are not there, in the folder neither: damage, see store check */
};
/* `to` is made, or is an empty folder. -ENOENT, -EUCLEAN: dir holds no store; -EEXIST: `to` is not empty; else the errno of
 * reading or writing. What a failed backup has written is removed. */
MUST_USE int store_backup(const char *dir, const char *to, struct store_backup *ret, char *why, size_t why_bytes);
