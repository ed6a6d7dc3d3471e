/* user.h - one virtual user: runs a journey's steps one after the other, with think time, cookies, redirects and retries.
 *
 *   user_start(u, journey, intended_us, ready_us);         // a session; from here on the user drives itself through
 *   user_timer(u);                               // the worker calls back when user.due_us has come,
 *   user_response(u, &response);                 // and when the answer is there; both may end in worker_session_over
 *
 * Time: intended(first step) = the session's arrival + think; intended(step k) = done(k-1) + think + delay. Response time counts from
 * there, service time from the send. */
#pragma once

#include "loadgen/engine/config.h"
#include "loadgen/engine/cookie_jar.h"
#include "loadgen/engine/request.h"
#include "loadgen/engine/stats.h"
#include "lib/base/limits.h"

struct worker;
struct worker_traffic;
enum user_state { USER_IDLE, USER_WAITING, USER_IN_FLIGHT };

struct user {
    struct worker *worker;
    struct worker_traffic *traffic; /* its class */
    struct user *next;              /* in the worker's free list */
    struct user *newer, *older;     /* in the worker's list of all */
    size_t heap_at;                 /* place among the waiting ones */
    int64_t due_us;
    enum user_state state;
    struct conn *conn;
    const struct journey *journey;
    struct hurl_scope scope;
    size_t values_cap;
    struct arena keep;
    struct cookie_jar jar;
    struct request request;
    struct buf redirects; /* of the step: the list of URLs that they led to, not yet closed */
    size_t entry;
    bool failed;   /* only @always steps are left */
    bool retrying; /* the timer is for another try of the step */
    unsigned hops, tries, repeats, steps;
    int64_t intended_us, first_sent_us;
    size_t phase, session_phase; /* of the run: when the step and when the session was meant to start */
    int64_t parts_us[PARTS];     /* of the step so far; negative: did not happen */
    int64_t arrived_us, done_us, response_sum_us, service_sum_us; /* of the session */
    const struct conn_response *answer;                           /* while it is looked at */
    int64_t ready_us; /* waiting before it was for a free user, not for the generator */
};
MUST_USE int user_new(struct worker *w, struct worker_traffic *traffic, struct user **ret);
void user_free(struct user *u);
/* A session that was meant to begin at intended_us and could at ready_us (later when it had to wait for a free user). -ENODATA: the journey's feed has no row left (nothing was started). -ENOMEM. */
MUST_USE int user_start(struct user *u, const struct journey *j, int64_t intended_us, int64_t ready_us);
void user_timer(struct user *u);
void user_response(struct user *u, const struct conn_response *response);
/* The request in flight gets no answer any more: count it. */
void user_cut(struct user *u);
