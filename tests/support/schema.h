/* schema.h - is a JSON document what its schema says? As much of JSON Schema (2020-12) as docs/schemas/ uses: type, const, enum,
 * pattern, minimum, maximum, required, properties, additionalProperties, items, anyOf, $ref (to #/$defs/… of the same or of a
 * neighbouring file). An unknown keyword fails the test: a schema must not promise what is not checked.
 *
 *   schema_check("docs/schemas/delta.json", doc, "the second frame");    // fails the test with the place that is wrong */
#pragma once

#include <jansson.h>

void schema_check(const char *path, json_t *doc, const char *what);
/* The same without failing: NULL, or where and why, from malloc. */
char *schema_problem(const char *path, json_t *doc);
