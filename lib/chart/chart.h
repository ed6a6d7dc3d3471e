/* chart.h - charts, over time and of one number against another: geometry -> display list -> inline SVG, and the same numbers as a table.
 *
 *   struct chart_spec spec = {.title = "Orders per minute", .lines = lines, .n_lines = 3, .start_ms = s, .end_ms = e, .tz = tz};
 *   struct chart *c;
 *   r = chart_draw(&spec, &c);                // shapes in points of a drawing board of width x height
 *   chart_svg(c, &out);                        // <svg …>…</svg>, for inlining in HTML
 *   chart_table(&spec, 24, &out);              // what the chart shows, for who cannot see it
 *   chart_free(c);
 *
 * A line's NAN is a gap, never joined over. Lines differ by dashes as well as by colour; colours are the page's: shapes carry the
 * classes of chart_class_names. Equal input gives equal bytes. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/tz.h"

enum chart_class {
    CHART_ACTUAL, /* solid, wide */
    CHART_PLAN,   /* long dashes */
    CHART_LAST,   /* dots */
    CHART_GRID,
    CHART_AXIS,
    CHART_TEXT,
    CHART_MARK,
    CHART_ALERT,
    CHART_CLASSES
};
extern const char *const chart_class_names[CHART_CLASSES];

struct chart_line {
    const char *name;
    enum chart_class look; /* CHART_ACTUAL, CHART_PLAN or CHART_LAST */
    const double *values;  /* NAN: none; values[i] is at start_ms + i * step_ms */
    size_t n;
    int64_t start_ms, step_ms;
};
struct chart_mark {           /* a vertical line with a short label on top, or a bar when it lasts */
    int64_t start_ms, end_ms; /* equal: a moment */
    const char *label;        /* short: it stands over the line where there is room */
    const char *words;        /* the table has them; NULL: the label */
    bool alert;
};
struct chart_spec {
    const char *title, *unit;
    double width, height; /* 0: 720 x 240 */
    int64_t start_ms, end_ms;
    const struct tz *tz;
    const struct chart_line *lines;
    size_t n_lines;
    const struct chart_mark *marks;
    size_t n_marks;
};

/* ---- the display list: what any drawing back end needs ---- */
enum chart_shape_kind { CHART_PATH, CHART_BAR, CHART_DOT, CHART_WORDS };
struct chart_shape {
    enum chart_shape_kind kind;
    enum chart_class look;
    double (*points)[2]; /* CHART_PATH: n of them; CHART_BAR: two corners; CHART_DOT, CHART_WORDS: where */
    size_t n;
    char *words;
    int anchor; /* -1: begins there, 0: centred, 1: ends there */
};
struct chart {
    double width, height;
    char *title;
    struct chart_shape *shapes;
    size_t n, cap;
};
MUST_USE int chart_draw(const struct chart_spec *spec, struct chart **ret);
void chart_free(struct chart *c); /* NULL is fine */
void chart_svg(const struct chart *c, struct buf *out);
/* <table> with at most rows_max rows: the lines' means over equal parts of the time, and the words of the marks that begin in
 * each. */
void chart_table(const struct chart_spec *spec, size_t rows_max, struct buf *out);

/* ---- one number against another ---- */

struct chart_dots {
    const char *name;
    enum chart_class look;     /* CHART_ACTUAL, CHART_PLAN, CHART_LAST or CHART_ALERT */
    const double (*points)[2]; /* x, y; what is not finite, or below 0, is left out */
    size_t n;
    bool joined; /* a line through them in their order, else a dot each */
};
struct chart_xy_spec {
    const char *title, *x_name, *unit; /* unit: of y */
    double width, height;              /* 0: 720 x 240 */
    const struct chart_dots *dots;
    size_t n_dots;
};
/* chart_svg and chart_free as above. -ENOMEM. */
MUST_USE int chart_xy_draw(const struct chart_xy_spec *spec, struct chart **ret);
/* <table> of every point, at most rows_max of each set: evenly chosen, the first and the last among them. */
void chart_xy_table(const struct chart_xy_spec *spec, size_t rows_max, struct buf *out);

/* 1, 2 or 5 times a power of ten: the distance of at most `ticks` ticks over `range`. */
double chart_step(double range, unsigned ticks);
/* 1 s to weeks, such as clocks are read: 1, 2, 5, 10, 15, 30 seconds … */
int64_t chart_time_step_ms(int64_t range_ms, unsigned ticks);
/* Text for HTML: & < > " ' escaped, what HTML must not hold replaced by U+FFFD. */
void html_text(struct buf *out, struct span text);
