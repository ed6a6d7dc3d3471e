/* The display list as SVG, the numbers as a table, and text that is safe in both. */
#include <math.h>

#include "lib/base/number.h"
#include "lib/chart/chart.h"

void html_text(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        struct span piece = span_of(text.ptr + i, n <= text.len - i ? n : 1);
        if (c == '&')
            buf_str(out, "&amp;");
        else if (c == '<')
            buf_str(out, "&lt;");
        else if (c == '>')
            buf_str(out, "&gt;");
        else if (c == '"')
            buf_str(out, "&quot;");
        else if (c == '\'')
            buf_str(out, "&#39;");
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || !span_is_utf8(piece)) {
            buf_str(out, "\xef\xbf\xbd");
            piece.len = 1;
        } else
            buf_span(out, piece);
        i += piece.len;
    }
}

/* A tenth of a point is finer than any screen. */
static void coordinate(struct buf *out, double v)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%.1f", v);
    if (n > 2 && text[n - 1] == '0')
        n -= 2;
    buf_span(out, span_of(text, (size_t)n));
}

static void path_svg(struct buf *out, const struct chart_shape *s)
{
    buf_printf(out, "<polyline class=\"%s\" points=\"", chart_class_names[s->look]);
    for (size_t i = 0; i < s->n; i++) {
        buf_str(out, i ? " " : "");
        coordinate(out, s->points[i][0]);
        buf_char(out, ',');
        coordinate(out, s->points[i][1]);
    }
    buf_str(out, "\"/>\n");
}

static void bar_svg(struct buf *out, const struct chart_shape *s)
{
    buf_printf(out, "<rect class=\"%s-bar\" x=\"", chart_class_names[s->look]);
    coordinate(out, s->points[0][0]);
    buf_str(out, "\" y=\"");
    coordinate(out, s->points[0][1]);
    buf_str(out, "\" width=\"");
    coordinate(out, s->points[1][0] - s->points[0][0]);
    buf_str(out, "\" height=\"");
    coordinate(out, s->points[1][1] - s->points[0][1]);
    buf_str(out, "\"/>\n");
}

static void dot_svg(struct buf *out, const struct chart_shape *s)
{
    buf_printf(out, "<circle class=\"%s-dot\" r=\"2.5\" cx=\"", chart_class_names[s->look]);
    coordinate(out, s->points[0][0]);
    buf_str(out, "\" cy=\"");
    coordinate(out, s->points[0][1]);
    buf_str(out, "\"/>\n");
}

static void words_svg(struct buf *out, const struct chart_shape *s)
{
    static const char *const ANCHORS[] = {"start", "middle", "end"};
    buf_printf(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"", chart_class_names[s->look], ANCHORS[s->anchor + 1]);
    coordinate(out, s->points[0][0]);
    buf_str(out, "\" y=\"");
    coordinate(out, s->points[0][1]);
    buf_str(out, "\">");
    html_text(out, span_str(s->words));
    buf_str(out, "</text>\n");
}

void chart_svg(const struct chart *c, struct buf *out)
{
    buf_str(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ");
    coordinate(out, c->width);
    buf_char(out, ' ');
    coordinate(out, c->height);
    buf_str(out, "\">\n<title>");
    html_text(out, span_str(c->title));
    buf_str(out, "</title>\n");
    static void (*const WRITE[])(struct buf *, const struct chart_shape *) = {
        [CHART_PATH] = path_svg, [CHART_BAR] = bar_svg, [CHART_DOT] = dot_svg, [CHART_WORDS] = words_svg};
    for (size_t i = 0; i < c->n; i++)
        WRITE[c->shapes[i].kind](out, &c->shapes[i]);
    buf_str(out, "</svg>\n");
}

static void cell(struct buf *out, double v)
{
    buf_printf(out, "<td>%.*f</td>", fabs(v) >= 100 ? 0 : fabs(v) >= 1 ? 1 : 3, v);
}

static double mean(const struct chart_line *l, int64_t from_ms, int64_t to_ms)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        int64_t t = l->start_ms + (int64_t)i * l->step_ms;
        if (t >= from_ms && t < to_ms && !isnan(l->values[i])) {
            sum += l->values[i];
            n++;
        }
    }
    return n ? sum / (double)n : NAN;
}

static void mark_words(const struct chart_spec *spec, int64_t from_ms, int64_t to_ms, struct buf *out)
{
    bool any = false;
    buf_str(out, "<td class=\"what\">");
    for (size_t i = 0; i < spec->n_marks; i++) {
        const struct chart_mark *m = &spec->marks[i];
        bool begins = m->start_ms >= from_ms && m->start_ms < to_ms;
        bool earlier = from_ms == spec->start_ms && m->start_ms < from_ms && m->end_ms >= from_ms;
        if (!begins && !earlier)
            continue;
        buf_str(out, any ? "; " : "");
        html_text(out, span_str(m->words ? m->words : m->label));
        any = true;
    }
    buf_str(out, "</td>");
}

void chart_table(const struct chart_spec *spec, size_t rows_max, struct buf *out)
{
    int64_t every = chart_time_step_ms(spec->end_ms - spec->start_ms, (unsigned)(rows_max ? rows_max : 1));
    for (size_t i = 0; i < spec->n_lines; i++)
        if (every < spec->lines[i].step_ms)
            every = spec->lines[i].step_ms;
    buf_str(out, "<table class=\"twin\"><caption>");
    html_text(out, span_str(spec->title));
    buf_str(out, "</caption>\n<thead><tr><th scope=\"col\">from</th>");
    for (size_t i = 0; i < spec->n_lines; i++) {
        buf_str(out, "<th scope=\"col\">");
        html_text(out, span_str(spec->lines[i].name));
        buf_str(out, "</th>");
    }
    buf_str(out, spec->n_marks ? "<th scope=\"col\">marks</th>" : "");
    buf_str(out, "</tr></thead>\n<tbody>\n");
    for (int64_t t = spec->start_ms; t < spec->end_ms; t += every) {
        char clock[TZ_TEXT_MAX];
        tz_format_clock(clock, spec->tz, t, every < 60000);
        buf_printf(out, "<tr><th scope=\"row\">%s</th>", clock);
        for (size_t i = 0; i < spec->n_lines; i++) {
            double v = mean(&spec->lines[i], t, t + every);
            if (isnan(v))
                buf_str(out, "<td>–</td>");
            else
                cell(out, v);
        }
        if (spec->n_marks)
            mark_words(spec, t, t + every, out);
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</tbody></table>\n");
}

void chart_xy_table(const struct chart_xy_spec *spec, size_t rows_max, struct buf *out)
{
    buf_str(out, "<table class=\"twin\"><caption>");
    html_text(out, span_str(spec->title));
    buf_str(out, "</caption>\n<thead><tr><th scope=\"col\">what</th><th scope=\"col\">");
    html_text(out, span_str(spec->x_name));
    buf_str(out, "</th><th scope=\"col\">");
    html_text(out, span_str(spec->unit ? spec->unit : "value"));
    buf_str(out, "</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < spec->n_dots; i++) {
        const struct chart_dots *d = &spec->dots[i];
        size_t rows = d->n < rows_max ? d->n : rows_max;
        for (size_t k = 0; k < rows; k++) {
            const double *p = d->points[rows > 1 ? k * (d->n - 1) / (rows - 1) : 0];
            if (!isfinite(p[0]) || !isfinite(p[1]))
                continue;
            buf_str(out, "<tr><th scope=\"row\">");
            html_text(out, span_str(d->name));
            buf_str(out, "</th>");
            cell(out, p[0]);
            cell(out, p[1]);
            buf_str(out, "</tr>\n");
        }
    }
    buf_str(out, "</tbody></table>\n");
}
