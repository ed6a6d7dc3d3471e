/* exposition_strict.h - what the specifications forbid and Prometheus takes. For linting a page, not for scraping: it
 * remembers every family of the page.
 *
 *   r = strict_new(openmetrics, &st);
 *   why = strict_metadata(st, &meta, kind);     // NULL: fine; else what is wrong with the line just read
 *   why = strict_sample(st, &sample);
 *   why = strict_end(st);
 *   strict_free(st);
 *
 * Texts live in the checker until its next call. */
#pragma once

#include "lib/metric/exposition.h"

enum metadata_kind { METADATA_TYPE, METADATA_HELP, METADATA_UNIT };

struct strict;
/* -ENOMEM. */
MUST_USE int strict_new(bool openmetrics, struct strict **ret);
void strict_free(struct strict *st);
const char *strict_metadata(struct strict *st, const struct metadata *m, enum metadata_kind kind);
const char *strict_sample(struct strict *st, const struct exposition_sample *s);
const char *strict_end(struct strict *st);
