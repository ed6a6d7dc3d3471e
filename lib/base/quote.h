/* quote.h - text between double quotes as Go's strconv.Quote writes it: what Prometheus's own printers (label
 * sets, matchers, expressions, error messages) show.
 *
 *   quote_go(&out, SPAN("a\tb"));      // "a\tb" with the quotes, the tab as \t
 *
 * Valid UTF-8 from U+00A0 on stands as it is (Go also escapes what Unicode calls unprintable there); a byte
 * that is no UTF-8 becomes \xNN. */
#pragma once

#include "lib/base/buf.h"

void quote_go(struct buf *out, struct span text);
