/* trial.h - a journey once, entry by entry, as `hurl --test` runs it: what `crest-loadgen test` stands on.
 *
 *   struct trial_config c = {.run = &config, .listener = &listener, ...};
 *   struct trial_result result;
 *   r = trial_run(journey, &c, &result);       // 0 also when asserts failed: result.outcome says it
 *
 * The pieces are those of a load run (request.h, cookie_jar.h, hurl_verify), so a file means the same in both; here one thing follows the other,
 * every assert is evaluated, and everything is told. Threads run trials side by side: nothing is shared but what the config borrows. */
#pragma once

#include "loadgen/engine/config.h"
#include "loadgen/engine/cookie_jar.h"
#include "loadgen/engine/secrets.h"

enum trial_outcome { TRIAL_OK, TRIAL_ASSERT, TRIAL_RUNTIME }; /* the worst of a run counts */

/* One request and its answer: hops and tries each have theirs. Lives until the callback returns. */
struct trial_call {
    const struct conn_request *request;
    const struct conn_response *response; /* error: there is no answer */
    struct span url;
    int64_t sent_ms; /* unix */
};
struct trial_entry {
    size_t index; /* from 0 */
    const struct hurl_entry *entry;
    bool good;
    int64_t duration_us;           /* of its requests */
    const struct trial_call *last; /* NULL: nothing was sent */
    const struct entry_options *options;
};
/* Told in order, from the trial's thread; each may be NULL. */
struct trial_listener {
    void *ctx;
    void (*begin)(void *ctx, size_t index, const struct hurl_entry *e);
    void (*call)(void *ctx, const struct trial_call *call, int verbosity);
    void (*result)(void *ctx, const struct hurl_entry *e, struct hurl_place at,
                   const struct hurl_failure *why); /* NULL: it holds */
    void (*captured)(void *ctx, struct span name, const struct hurl_value *value);
    void (*end)(void *ctx, const struct trial_entry *entry);
    bool (*stopped)(void *ctx); /* asked often: true ends the trial */
};
struct trial_config {
    const struct run_config *run;
    const struct trial_listener *listener;
    struct secrets *secrets;     /* captures marked `redact` are added */
    const char *file_root;       /* NULL: beside the journey */
    const char *cookies;         /* text of a Netscape cookie file to start with; NULL: none */
    struct buf *cookies_out;     /* what the jar holds at the end, in that form; NULL: nobody asks */
    size_t body_bytes_max;       /* an answer with a larger body is an error; 0: only the engine's own limit counts */
    size_t from_entry, to_entry; /* from 1; 0: the first, the last */
    bool continue_on_error, no_assert, no_cookie_store;
};
struct trial_result {
    enum trial_outcome outcome;
    uint64_t requests;
    int64_t duration_us;
    bool stopped;
};
/* -errno when it could not be run at all. */
MUST_USE int trial_run(const struct journey *j, const struct trial_config *c, struct trial_result *ret);
