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
/* A table in a box of its own, which scrolls where the screen is narrower: with the keyboard, too. The caller writes <thead> and opens <tbody>; the
 * end closes it. label: HTML. */
void page_table(struct buf *out, const char *label);
void page_table_end(struct buf *out);
/* A <figure> with a chart under its title, which is freed; then <details> for its numbers. Ended by page_figure_end. -ENOMEM, -ENOSPC. */
struct chart;
MUST_USE int page_figure(struct buf *out, const char *title, struct chart *drawn);
void page_figure_end(struct buf *out);
