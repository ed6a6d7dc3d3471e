/* ask_store.h - `store …`: care for the data folder, each way one function with the operands behind its name.
 *
 * They return the exit code and have said on stderr what went wrong. */
#pragma once

#include "collector/ask.h"
#include "collector/store/store.h"

int ask_store_check(const struct options *o); /* check DIR */
int ask_store_stat(const struct options *o);  /* stat DIR --top --json */

/* A stopped collector's store: no retention. Says on stderr what is wrong. */
MUST_USE int ask_store_open(const char *dir, struct store **ret);
/* --from and --to as RFC 3339 or seconds since the epoch; not given: all time. false: told. */
bool ask_store_times(const struct options *o, int64_t *ret_from_ms, int64_t *ret_to_ms);
