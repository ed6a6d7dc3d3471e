/* hdr_log.h - a run's histograms as an HdrHistogram log (version 1.3), a line per second and histogram: HistogramLogAnalyzer, hdrplot and
 * the libraries of every language read it.
 *
 *   struct hdr_log *log;
 *   r = hdr_log_open("run.hlog", unix_ms(), &log);
 *   r = hdr_log_tick(log, &tick, config.journeys);       // Tag=response, Tag=service, Tag=response:JOURNEY/STEP
 *   r = hdr_log_close(log);                              // the first error of all writing
 *
 *   Tag=NAME,start s,length s,max ms,base64(cookie 0x1c849314 | bytes | zlib(lib/metric/hdr_codec.h))
 *
 * Values are microseconds. */
#pragma once

#include "loadgen/engine/run.h"

struct hdr_log;
MUST_USE int hdr_log_open(const char *path, int64_t start_ms, struct hdr_log **ret);
MUST_USE int hdr_log_tick(struct hdr_log *log, const struct run_tick *tick, const struct journeys *js);
int hdr_log_close(struct hdr_log *log); /* NULL is fine */
