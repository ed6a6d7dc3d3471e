/* postman.h - a Postman collection (format v2.1) as a journey: folders in their order, variables, inherited credentials, and
 * what simple test scripts ask and keep.
 *
 *   r = import_postman(text, "shop.postman_collection.json", env_text, "env.json", &draft, &problems);
 *
 * {{name}} is Hurl's {{name}}. Values of the collection's variables and of the environment are set on the first request, but
 * for secrets, which are to be set from outside. Lines of scripts that are not understood are warnings with their request. */
#pragma once

#include "lib/base/problem.h"
#include "loadgen/import/journey.h"

/* environment may be empty. -EINVAL: no such file format (a problem was added); -ENOMEM. */
MUST_USE int import_postman(struct span text, const char *name, struct span environment, const char *environment_name,
                            struct journey_draft *d, struct problems *ps);
