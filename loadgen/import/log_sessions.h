/* log_sessions.h - who asked for what after what: sessions by visitor and a gap of 30 minutes, counted while the lines pass.
 *
 *   struct log_sessions *s;
 *   e = log_sessions_new(gap_us, &s);
 *   e = log_sessions_add(s, client, is_bot, route, arrival_us, duration_us);   // in the order of arrival, more or less
 *   log_sessions_end(s);                                                       // the open ones are over
 *   s->of[LOG_PEOPLE].next[i][j]                                               // how often route j-1 came after i-1; 0: begin, end
 */
#pragma once

#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "lib/metric/hdr.h"
#include "loadgen/hurl/random.h"

enum log_class { LOG_PEOPLE, LOG_BOTS, LOG_CLASSES };
#define LOG_TABLE (LOG_ROUTES_MAX + 1) /* 0 stands for before the first and behind the last request */

struct log_think { /* pauses before a route's requests, from the end of the one before: some of them, each as likely */
    uint64_t n;
    int64_t us[LOG_THINKS_KEPT];
};
struct log_times { /* a growing list, bounded by LOG_ARRIVALS_MAX */
    int64_t *at;
    size_t n, cap;
    uint64_t left_out;
};
struct log_group {
    uint32_t next[LOG_TABLE][LOG_TABLE];
    struct log_think think[LOG_ROUTES_MAX];
    struct hdr *thinks;        /* all of them, microseconds */
    struct hdr *lengths;       /* requests per session */
    struct log_times starts;   /* of sessions, microseconds since the epoch */
    struct log_times requests; /* arrival of each, with its route: log_request_pack() */
    uint64_t sessions;
};
/* Time and route of a request in one number that sorts by time. */
static inline int64_t log_request_pack(int64_t since_us, size_t route)
{
    return (int64_t)(((uint64_t)since_us << 9) | (route & 511));
}
static inline int64_t log_request_time(int64_t packed)
{
    return packed >> 9;
}
static inline size_t log_request_route(int64_t packed)
{
    return (size_t)(packed & 511);
}
struct log_sessions {
    int64_t gap_us, swept_us, zero_us; /* zero_us: what packed times count from */
    struct strmap open;                /* client -> struct open_session * */
    struct log_group *of;              /* LOG_CLASSES of them */
    struct rng rng;
    uint64_t crowded; /* requests of visitors beyond LOG_CLIENTS_MAX: each a session of its own */
};
MUST_USE int log_sessions_new(int64_t gap_us, struct log_sessions **ret);
void log_sessions_free(struct log_sessions *s);
/* client empty: the log does not tell visitors apart, the request is a session of its own. duration_us -1: not known. */
MUST_USE int log_sessions_add(struct log_sessions *s, struct span client, enum log_class class, size_t route,
                              int64_t arrival_us, int64_t duration_us);
void log_sessions_end(struct log_sessions *s);
/* -ENOMEM; beyond the limit values are counted and left out. */
MUST_USE int log_times_add(struct log_times *t, int64_t value);
