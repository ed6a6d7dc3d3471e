/* metric_writer.h - a program's own /metrics: each stage counts, X_stats() writes its part here.
 *
 *   struct metric_writer w;
 *   metric_writer_init(&w, &buf, METRIC_OPENMETRICS);
 *   metric_family(&w, "crest_scrapes_total", METRIC_COUNTER, "Scrapes done.");
 *   metric_value(&w, 42, "job", "shop", NULL);              // label pairs, ended by NULL
 *   metric_writer_end(&w);                                   // "# EOF" for OpenMetrics
 *
 * A counter family's name carries its _total; in OpenMetrics the TYPE line drops it, as the format demands. Samples of a
 * family follow it directly. Label values are escaped. */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"

enum metric_format { METRIC_TEXT, METRIC_OPENMETRICS };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

struct metric_writer {
    struct buf *out;
    enum metric_format format;
    const char *name;
    enum metric_kind kind;
};
#define METRIC_CONTENT_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define METRIC_CONTENT_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metric_writer_init(struct metric_writer *w, struct buf *out, enum metric_format format);
/* One entry of an Accept header: its type, its parameters and its weight (1 without one). */
struct accepted {
    struct span type, params;
    double q;
};
bool accepted_next(struct span *header, struct accepted *ret);          /* cuts it off the header; false: no more */
struct span accepted_param(const struct accepted *a, const char *name); /* empty when absent */
/* Which of the two an Accept header asks for (q-values honoured; text when it names neither). */
enum metric_format metric_format_accepted(struct span accept_header);
void metric_family(struct metric_writer *w, const char *name, enum metric_kind kind, const char *help);
void metric_value(struct metric_writer *w, double value, ...) __attribute__((sentinel));
/* A classic histogram: bounds[n] ascending without +Inf, counts[n+1] per bucket (not cumulative). */
void metric_histogram(struct metric_writer *w, const double *bounds, const uint64_t *counts, size_t n, double sum,
                      const char *const *label_pairs, size_t n_pairs);
/* The process's own standard metrics: process_cpu_seconds_total, process_resident_memory_bytes,
 * process_start_time_seconds, process_open_fds, and crest_build_info{program,version}. */
void metric_process(struct metric_writer *w, const char *program);
void metric_writer_end(struct metric_writer *w);
