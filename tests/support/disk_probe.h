/* disk_probe.h - how long the disk takes to sync 8 KB of somebody else's, at the same time: what a commit with durability full cannot be
 * faster than, and what tells a store's stall from the disk's.
 *
 *   struct disk_probe *p = disk_probe_start(e2e_path("sync"), 50000);
 *   ...
 *   struct disk_syncs syncs = disk_probe_stop(p);
 *
 * A thread writes the file's same 8 KB again, syncs it, and sleeps for the interval. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct disk_probe;
struct disk_syncs {
    size_t n;
    double p50_ms, p99_ms, max_ms; /* NaN without any */
};

#define DISK_STALL_MS 20
#define DISK_STALLS_MAX 4096 /* what comes after them is not noted */
struct disk_stall {          /* a sync that took longer, by mono_us() */
    int64_t from_us, to_us;
};

struct disk_probe *disk_probe_start(const char *path, int64_t interval_us); /* ends the program when it cannot */
/* Those that are over, in order; the list is the probe's. */
size_t disk_probe_stalls(struct disk_probe *p, const struct disk_stall **ret);
struct disk_syncs disk_probe_stop(struct disk_probe *p); /* frees it; the file stays */
