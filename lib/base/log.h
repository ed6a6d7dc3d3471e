/* log.h - logfmt on stderr; one failure, one line, by the caller who knows what it was doing.
 *
 *   log_warn("scrape failed", "job", "%s", job, "error", "%s", why);
 *   -> ts=2026-11-27T00:00:00.000Z level=warn program=crest-agent msg="scrape failed" job=shop error="timed out"
 *
 * After the message come triples key, format, value (one conversion each), ended by the macro. Values are quoted
 * when needed; control characters are escaped. The library returns errors, programs log. Thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_init(const char *program, enum log_level min);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *ret);
void log_write(enum log_level level, const char *message, ...);
/* Lines written so far per level (for /metrics). */
unsigned long log_count(enum log_level level);

#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__, (const char *)0)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__, (const char *)0)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__, (const char *)0)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__, (const char *)0)

/* At most one line per `period_ms` per call site and key; the count of the hidden ones is added as repeated=N.
 * Use for causes that a peer can repeat at will. */
bool log_allow(const char *cause, int64_t period_ms, unsigned long *ret_hidden);
