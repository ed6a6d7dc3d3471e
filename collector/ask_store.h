/* ask_store.h - `store …`: care for the data folder, each way one function with the operands behind its name.
 *
 * They return the exit code and have said on stderr what went wrong. */
#pragma once

#include "collector/ask.h"
#include "collector/store/store.h"

int ask_store_check(const struct options *o);  /* check DIR */
int ask_store_stat(const struct options *o);   /* stat DIR --top --json */
int ask_store_export(const struct options *o); /* export DIR --match --from --to */
int ask_store_import(const struct options *o); /* import DIR FILE, or -, or as below */
int ask_store_backup(const struct options *o); /* backup DIR TO */
/* import DIR prometheus URL --from --to --match */
int ask_store_history(const struct options *o, const char *dir, const char *from);

/* The selectors of --match; done is for success only. false: told. */
struct ask_matches {
    struct arena arena;
    struct store_selection *list;
    size_t n;
};
bool ask_store_matches(const struct options *o, struct ask_matches *ret);
void ask_store_matches_done(struct ask_matches *m);

/* For imports, "before an agent is installed": there may be no folder yet. Says on stderr that it is new, or what is wrong. */
MUST_USE int ask_store_make_folder(const char *dir);
/* A stopped collector's store: no retention. may_be_new: an empty folder becomes one. Says on stderr what is wrong. */
MUST_USE int ask_store_open(const char *dir, bool may_be_new, struct store **ret);
/* --from and --to as RFC 3339 or seconds since the epoch; not given: all time. false: told. */
bool ask_store_times(const struct options *o, int64_t *ret_from_ms, int64_t *ret_to_ms);
