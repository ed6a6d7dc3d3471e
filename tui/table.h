/* table.h - a section's rows as a list: collected, filtered, sorted, and only those drawn that are seen.
 *
 *   size_t n = table_rows(app, VIEW_SERVICES, "services", rank_trouble, &rows);
 *   table_draw(app, c, box, VIEW_SERVICES, COLUMNS, ARRAY_LEN(COLUMNS), rows, n);
 */
#pragma once

#include "tui/app.h"

struct row {
    const char *key;
    json_t *row;
    double rank; /* largest first; equal ones by key */
};
struct column {
    const char *title;
    int width;  /* columns; 0: what is left, at least 24 (one per table) */
    bool right; /* align */
    int drop;   /* when the terminal is narrow those with the largest number go first; 0: never */
    void (*draw)(const struct app *app, struct cells *c, struct box cell, const struct row *row);
};
/* Rows of the drawing's arena, those that the filter of `view` shows (VIEWS: all). `rank` may be NULL. keep (may be NULL) leaves rows out. 0 rows without memory. */
size_t table_rows(struct app *app, enum view_id view, const char *section,
                  double (*rank)(const char *key, const json_t *row),
                  bool (*keep)(const struct app *app, const char *key, const json_t *row), struct row **ret);
/* Head line and rows; keeps the selected row where it is in the list of that view. The view whose list it is not has no
 * selection (VIEWS). Returns the lines used. */
int table_draw(struct app *app, struct cells *c, struct box box, enum view_id view, const struct column *columns,
               size_t n_columns, const struct row *rows, size_t n);
