/* first_page.h - reads a head.db whose first page is lost: SQLite's header and the schema.
 *
 *   r = first_page_replace("head.db", "head.db.copy");       // then open the copy, read only
 *
 * That page says the same in every head.db but for the pages where its tables begin, and there are two ways: as the migrations made them, or
 * as VACUUM laid them out anew (STORE_MIGRATIONS; the type of page 8 tells which). So a copy gets the first page of a new, empty one. */
#pragma once

#include "lib/base/macros.h"

/* What stands in the write-ahead log is not in the copy. -EUCLEAN: there is nothing behind the first page; else a negative errno, and no copy. */
MUST_USE int first_page_replace(const char *damaged, const char *copy);
