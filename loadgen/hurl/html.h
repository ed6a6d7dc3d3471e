/* html.h - characters of HTML text as entities, and back.
 *
 *   html_escape(&out, SPAN("a<b"));            // a&lt;b
 *   html_unescape(&out, SPAN("&eacute;&#33;")); // é! ; what is no entity stays as it is */
#pragma once

#include "lib/base/buf.h"

void html_escape(struct buf *out, struct span text);
/* Entities of HTML 4 by name, any character by number (0x80 to 0x9f mean Windows-1252, as in browsers). */
void html_unescape(struct buf *out, struct span text);
