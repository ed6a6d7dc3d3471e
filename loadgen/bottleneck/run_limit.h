/* run_limit.h - what gave way in a run: the step, and the server's first limit beside it.
 *
 *   struct run_limit limit;
 *   run_limit_find(collector, auth_file, &config, &result, &limit);     // collector NULL: the step alone
 *   run_limit_text(stdout, &limit); */
#pragma once

#include "loadgen/bottleneck/gave_way.h"
#include "loadgen/bottleneck/server_limit.h"

struct run_limit {
    bool gave_way; /* a threshold was broken: */
    struct gave_way first;
    struct server_limit server;
};
void run_limit_find(const char *collector, const char *auth_file, const struct run_config *config,
                    const struct run_result *result, struct run_limit *ret);
/* Lines of the summary; none when nothing gave way and nobody was asked. */
void run_limit_text(FILE *to, const struct run_limit *l);
/* A section of the page; nothing as above. */
void run_limit_html(struct buf *out, const struct run_limit *l);
/* The members gave_way and server_limit of the run's JSON. l NULL: both are null. */
void run_limit_json(struct json_writer *j, const struct run_limit *l);
