/* plain.h - the same facts as lines: for pipes, braille displays, and terminals that cannot place a cursor. */
#pragma once

#include "tui/app.h"

/* All of it, once: pages first, then alerts, services, markets, steps, targets that are down. UTF-8. */
void plain_state(const struct app *app, struct buf *out);
/* What has changed since `before` (a model that the caller keeps): alerts that began and ended, services whose state is
 * another, each a line with its time. Nothing when nothing did. */
void plain_changes(const struct app *app, const struct model *before, struct buf *out);
/* {"id","t","sections"}: the rows as they came, with ascii as \u escapes beyond ASCII. */
void plain_json(const struct app *app, const char *id, bool ascii, struct buf *out);
