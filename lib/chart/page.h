/* page.h - the page that reports stand on: one file, no script, no outside request; screens light and dark, and A4.
 *
 *   page_begin(&out, SPAN("Checkout rehearsal"));      // … <body><main>
 *   ... sections: .verdict .short .wide .words .soft .note are its classes, beside those of chart_class_names
 *   page_end(&out);
 */
#pragma once

#include "lib/base/buf.h"

void page_begin(struct buf *out, struct span title);
void page_end(struct buf *out);
