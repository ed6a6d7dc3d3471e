/* log_format.h - one line of an access log as plain data: combined, common, nginx's log_format syntax, or JSON.
 *
 *   struct log_format f;
 *   r = log_format_init(&f, NULL, fields, n, why, sizeof why);    // NULL: the first line decides between combined and JSON
 *   if (log_format_read(&f, line, &out) < 0) ...                   // -EINVAL: f.why says why; the line is counted and left
 *   log_format_done(&f);
 *
 * What a format lacks stays empty (client, agent, session, operation) or -1 (duration). Texts live until the next line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/macros.h"
#include "lib/base/span.h"

enum log_role {
    LOG_IGNORED,
    LOG_TIME,
    LOG_REQUEST, /* "GET /x HTTP/1.1" */
    LOG_METHOD,
    LOG_URI,
    LOG_ARGS, /* of a uri without them */
    LOG_STATUS,
    LOG_DURATION,
    LOG_CLIENT,
    LOG_AGENT,
    LOG_SESSION,
    LOG_OPERATION,
    LOG_ROLES
};
struct log_line {
    int64_t time_us;     /* as logged: when the request was over */
    bool whole_seconds;  /* the stamp has no fraction */
    int64_t duration_us; /* -1: not logged */
    struct span method, uri, client, agent, session, operation;
    int status; /* 0: not logged */
};
struct log_piece { /* of a format: a text, then a field up to the next piece's text */
    struct span text;
    enum log_role role;
    double unit_us; /* of a duration */
};
#define LOG_PIECES_MAX 64u
struct log_format {
    bool decided, json;
    struct arena keep, scratch;
    struct log_piece pieces[LOG_PIECES_MAX];
    size_t n;
    struct span names[LOG_ROLES]; /* JSON fields, "request.uri" reaches into an object; empty: not in these lines */
    double unit_us;               /* of the JSON duration */
    bool given[LOG_ROLES];        /* by the user */
    struct span session_name;     /* what --session names: "cookie_sid", a JSON field */
    char why[160];
};
/* format: NULL, "combined", "common", "json", or a log_format with $fields. fields: "time=ts", "duration=took_ms", … for JSON.
 * session: a field that names the visitor; NULL. -EINVAL with why. */
MUST_USE int log_format_init(struct log_format *f, const char *format, const char *const *fields, size_t n,
                             const char *session, char *why, size_t why_bytes);
void log_format_done(struct log_format *f);
MUST_USE int log_format_read(struct log_format *f, struct span line, struct log_line *ret);
