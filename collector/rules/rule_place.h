/* rule_place.h - where in a file a byte of a YAML scalar's value stands: "line 12, column 31" for an error deep in an expression.
 *
 * A scalar's value is not its source: quotes, escapes, indentation and folded lines lie between. The value is walked along the
 * source; blanks between words are skipped on both sides, so every style (plain, quoted, literal, folded) is met alike. */
#pragma once

#include "lib/base/span.h"
#include "lib/wire/yaml.h"

/* Place of byte `offset` of node->text. Falls back to the node's own place when source and value do not meet. */
void rule_place(struct span source, const struct yaml_node *node, size_t offset, uint32_t *ret_line,
                uint32_t *ret_column);
