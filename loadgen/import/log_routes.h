/* log_routes.h - the routes of an access log: requests that differ only in ids, names of things and values of parameters are one.
 *
 *   struct log_routes *r;
 *   e = log_routes_new(&r);
 *   e = log_routes_add(r, &line, &route);          // from 0; LOG_NO_ROUTE: there are LOG_ROUTES_MAX others already
 *   log_routes_settle(r, order);                   // at the end: which routes are one after all (order[i] is i's route)
 *   log_route_template(r, i, NULL, &out);          // /product/{}?tab={}
 *   log_routes_free(r);
 *
 * A piece of a path is a variable when it looks like an id, or when its place held more different pieces than a menu has
 * (LOG_MENU_MAX; at the root of the path LOG_ROOT_MAX). */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/limits.h"
#include "loadgen/import/log_format.h"

#define LOG_NO_ROUTE SIZE_MAX
#define LOG_MENU_MAX 12u
#define LOG_ROOT_MAX 60u
#define LOG_SLOTS_MAX 16u /* variables of one route */

struct log_sample { /* a request as it stood in the log */
    struct span target;
    uint64_t count;
};
struct log_route {
    struct span method, operation;
    uint32_t node;          /* where its path ends */
    struct span parameters; /* "q&page": names of the query, what is always the same with its value */
    struct log_sample *samples;
    size_t n_samples, cap_samples;
    uint64_t count, errors; /* requests; those with a status of 500 or more */
    uint64_t duration_us, timed;
    uint64_t by_status[6]; /* 200, 2xx, 3xx, 304, 5xx, others */
};
struct log_slots { /* the variables of a route: the values of one request */
    struct span names[LOG_SLOTS_MAX], values[LOG_SLOTS_MAX];
    size_t n;
};
struct log_routes;
MUST_USE int log_routes_new(struct log_routes **ret);
void log_routes_free(struct log_routes *r);
/* -ENOMEM. */
MUST_USE int log_routes_add(struct log_routes *r, const struct log_line *line, size_t *ret_route);
size_t log_routes_count(const struct log_routes *r);
const struct log_route *log_routes_at(const struct log_routes *r, size_t i);
/* Merges what turned out to be one route into the first of them. -ENOMEM. */
MUST_USE int log_routes_settle(struct log_routes *r, size_t order[LOG_ROUTES_MAX]);
/* Path and query; where a variable stands, the next of the names as an expression (journey.h), or {} without names. */
void log_route_template(const struct log_routes *r, size_t i, const struct span *names, struct buf *out);
/* The variables of one of its samples: values are pieces of target, names what they might be called. */
void log_route_slots(const struct log_routes *r, size_t i, struct span target, struct log_slots *ret);
