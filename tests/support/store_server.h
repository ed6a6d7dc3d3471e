/* store_server.h - a server that takes remote write, started empty for a measurement, and what it cost until it had ended.
 *
 *   struct store_server *s = store_server_start(STORE_CREST, 1);      // ready when it returns
 *   ... write_client_new(store_server_port(s)) ...
 *   struct store_cost c = store_server_stop(s);                        // SIGTERM; looks once more between its end and its burial
 *   store_server_remove(s);                                            // its folder; frees s
 *
 * Whatever goes wrong ends the program with the end of the server's log (check_failed). Folders are below $TMPDIR. */
#pragma once

#include "lib/base/process.h"
#include "tests/support/e2e.h"

enum store_kind { STORE_CREST, STORE_PROMETHEUS, STORE_VICTORIA, STORE_KINDS };
extern const char *const STORE_NAMES[STORE_KINDS]; /* as in tables */
bool store_server_have(enum store_kind kind);
/* Of the installed package, from dpkg; "" when it does not say. Ours: crest_version(). Valid until the next call. */
const char *store_server_version(enum store_kind kind);

struct store_server;
struct store_server *store_server_start(enum store_kind kind, unsigned number); /* number: for its folder's name */
/* With the same folder, after store_server_kill or store_server_stop; returns the milliseconds from before fork to a 200 of /-/ready. */
double store_server_restart(struct store_server *s);
/* Read all of its files once, so that they are in the page cache. */
void store_server_cache_files(const struct store_server *s);
uint16_t store_server_port(const struct store_server *s);
struct process_usage store_server_usage(const struct store_server *s);
/* A gauge or counter without labels of ours, from /metrics; NaN when it is not there. */
double store_server_metric(const struct store_server *s, const char *name);

struct store_cost {
    double cpu_seconds, stop_seconds;
    uint64_t peak_rss_bytes, written_bytes, disk_bytes; /* disk: blocks of all files in its folder, as du counts them */
};
/* SIGTERM and wait, a minute for peers; CPU and bytes are those of its whole life. */
struct store_cost store_server_stop(struct store_server *s);
void store_server_kill(struct store_server *s); /* kill -9 */
void store_server_remove(struct store_server *s);
