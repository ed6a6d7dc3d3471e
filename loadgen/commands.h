/* commands.h - crest-loadgen's commands. Each returns the program's exit code and has said what it had to say. */
#pragma once

#include "lib/base/options.h"
#include "loadgen/engine/journeys.h"

int command_run(const struct options *o);
int command_test(const struct options *o);
int command_check(const struct options *o);
int command_init(const struct options *o);
int command_find_limit(const struct options *o);
int command_worker(const struct options *o);
int command_synthetic(const struct options *o);
int command_import(const struct options *o);

/* ---- what run and test share ---- */
/* Journeys of the operands with the variables of --variable, --variables-file, HURL_… and the secrets set, and nothing unset. Problems are printed. NULL: code
 * in *ret_code (EXIT_USAGE or EXIT_FAILED). */
struct journeys *load_journeys(const struct options *o, int *ret_code);
/* The same for `run`, where one operand may be a plan file (.yml, .yaml): *ret_plan is then set, owns the journeys, and the caller frees it
 * instead of them. */
struct plan_file;
struct journeys *load_run(const struct options *o, struct plan_file **ret_plan, int *ret_code);
bool is_plan_path(const char *path);
/* Variables of the environment, --variables-file and --variable; with `warn` those that no journey uses are named. Problems say what is wrong with
 * them, each line of the file; -EINVAL: a problem behind which nothing was looked at; -ENOMEM. */
MUST_USE int set_variables(struct journeys *js, const struct options *o, bool warn, struct problems *ps);
/* Those of HURL_SECRET_…, --secrets-file and --secret, kept to be hidden. As set_variables; -E2BIG. */
MUST_USE int set_secrets(struct journeys *js, const struct options *o, struct problems *ps);
/* --run-id, or one made of the time and the seed; false after saying what is wrong with it. */
bool make_run_id(const struct options *o, uint64_t seed, char *id, size_t id_bytes);
/* Let this process have as many descriptors as it may. */
void raise_descriptor_limit(void);
