/* plan_file.h - a plan as YAML: journeys and their mix, when they arrive, what is demanded of them (docs/loadgen-plans.md has every key).
 *
 *   struct plan_file *pf;
 *   r = plan_file_load("peak.yml", &pf, &problems);          // reads it and the journeys, feeds and traces that it names
 *   plan_file_apply(pf, &config);                             // what it says, into a configuration that then points into it
 *   plan_file_free(pf);
 *
 *   name: black friday
 *   target: http://127.0.0.1:9483
 *   variables: {host: "http://127.0.0.1:9483"}
 *   phases:
 *     - {name: warm-up, duration: 30s, rate: 5, warmup: true}
 *     - {name: ramp, duration: 1m, rate: 5-40}
 *     - {name: peak, duration: 10m, rate: 40, arrivals: poisson}
 *   journeys:
 *     - {file: browse.hurl, weight: 72}
 *     - {file: checkout.hurl, weight: 28}
 *   traffic:
 *     - {name: bots, journeys: [bot.hurl], rate: 10, think_scale: 0, user_agent: crest-bot}
 *   thresholds:
 *     - {step: pay, slo: "p95<800ms err<1%"}
 *
 * The variables of the command line are set between load and apply: journeys_set on plan_file_journeys(), then journeys_complete. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/engine/run.h"

#define PLAN_CUSTOMERS "customers" /* the class of the top-level journeys */

struct plan_file;
/* -EINVAL: problems were added; -ENOMEM. */
MUST_USE int plan_file_load(const char *path, struct plan_file **ret, struct problems *problems);
void plan_file_free(struct plan_file *pf);
struct journeys *plan_file_journeys(struct plan_file *pf);
const char *plan_file_name(const struct plan_file *pf);   /* "name:", or the file's base name */
const char *plan_file_target(const struct plan_file *pf); /* NULL: it names none */
/* Everything that the file says; what it does not say stays as it is. What the command line says besides is to be set again behind this. */
/* Multiply every rate and number of users (recorded arrivals stay as they are), and shorten every time: a plan of an hour at a speed of
 * 60 takes a minute at the same rates. Once, before plan_file_apply. */
void plan_file_scale(struct plan_file *pf, double rates, double speed);
void plan_file_apply(const struct plan_file *pf, struct run_config *config);
/* The i-th of the files that arrivals were read from; NULL past the last. */
const char *plan_file_trace_path(const struct plan_file *pf, size_t i);
/* How long sessions start; 0: until the cap of sessions. */
double plan_file_seconds(const struct plan_file *pf);
