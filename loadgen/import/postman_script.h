/* postman_script.h - what a test script of Postman says, as far as it says one of the usual sentences.
 *
 *   script_line(&s, SPAN("pm.environment.set(\"token\", pm.response.json().token);"));
 *
 * Understood: status (to.have.status, expect(pm.response.code)), values of the JSON body and of headers that are kept
 * (pm.environment.set and its kin) or compared (expect(…).to.eql, .to.exist), names given to the body (const j = pm.response.json()). */
#pragma once

#include "loadgen/import/journey.h"

#define SCRIPT_NAMES_MAX 16u
struct script {
    struct journey_draft *draft;
    struct draft_request *request;
    struct span body_names[SCRIPT_NAMES_MAX]; /* variables that hold the JSON body, or a part of it … */
    struct span body_paths[SCRIPT_NAMES_MAX]; /* … at this path */
    size_t n_names;
};
/* *ret_understood is false for a line that does something else. -ENOMEM. */
MUST_USE int script_line(struct script *s, struct span line, bool *ret_understood);
/* A name that Postman allows, as one of a Hurl variable, appended. */
void put_variable_name(struct buf *out, struct span name);
