/* tz.h - IANA time zones from the system's TZif files (RFC 8536), without setenv(TZ) and without global state.
 *
 *   struct tz *tz;
 *   r = tz_load("Europe/Berlin", &tz);                       // "UTC" needs no file
 *   enum tz_fit fit = tz_to_unix(tz, local_ms, &unix_ms);     // local_ms: the wall clock read as if it were UTC
 *   int64_t wall = unix_ms + tz_offset_ms(tz, unix_ms, &abbreviation);
 *   tz_free(tz);
 *
 * A wall clock is a count of milliseconds, too: parse_rfc3339_ms of "2026-11-27T20:00:00Z" is 20:00 on any wall. Files are
 * looked for in $TZDIR, then /usr/share/zoneinfo. Times behind a file's last change follow its POSIX rule. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

struct tz;
/* -ENOENT: no such zone; -EINVAL: no zone's name (not letters, digits, / _ - +, or with ..); -EBADMSG: no TZif file of version
 * 2 or later. */
MUST_USE int tz_load(const char *name, struct tz **ret);
/* The same from a file's bytes; for tests. */
MUST_USE int tz_read(const char *name, struct span file, struct tz **ret);
void tz_free(struct tz *tz); /* NULL is fine */
/* What the wall clock is ahead of UTC at that time; *ret_abbreviation (may be NULL) lives as long as the zone. */
int64_t tz_offset_ms(const struct tz *tz, int64_t unix_ms, const char **ret_abbreviation);

enum tz_fit {
    TZ_ONCE,
    TZ_TWICE, /* the clock was put back: the first of the two */
    TZ_NEVER  /* the clock was put forward over it: as far behind the change as it is behind the last time before */
};
enum tz_fit tz_to_unix(const struct tz *tz, int64_t local_ms, int64_t *ret_unix_ms);

#define TZ_TEXT_MAX 64
/* "2026-11-27 20:00 CET", with seconds when with_seconds; returns the length. */
size_t tz_format(char text[TZ_TEXT_MAX], const struct tz *tz, int64_t unix_ms, bool with_seconds);
/* "20:00" or "20:00:05", for axes. */
size_t tz_format_clock(char text[TZ_TEXT_MAX], const struct tz *tz, int64_t unix_ms, bool with_seconds);
