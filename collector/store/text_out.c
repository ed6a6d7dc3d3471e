#include "collector/store/text_out.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/base/number.h"
#include "lib/metric/exposition_native.h"

#define FLUSH_BYTES (1u << 20)
#define OUT_BYTES_MAX (64u << 20) /* a line is a label set at most, and those have limits */

struct metric {
    struct span name, family;
    enum metric_type type;
    const struct metadata *metadata; /* NULL: none that fits */
};
struct exporting {
    struct text_export *e;
    struct store_reader *rd;
    struct arena names, series; /* of the whole run, of one metric */
    struct metadata *metadata;
    size_t n_metadata;
    struct metric *metrics;
    size_t n_metrics;
    struct sample_columns columns;
    struct store_exemplars *exemplars; /* of the metric, by labels; those of earlier series are done with */
    size_t n_exemplars;
    struct buf out, line;
};

/* ---- families ---- */
/* OpenMetrics' suffixes of each type; the text has no others. */
static bool has_suffix(enum metric_type type, struct span suffix)
{
    static const struct {
        enum metric_type type;
        const char *suffix;
    } TABLE[] = {
        {METRIC_TYPE_COUNTER, "_total"},
        {METRIC_TYPE_COUNTER, "_created"},
        {METRIC_TYPE_HISTOGRAM, "_bucket"},
        {METRIC_TYPE_HISTOGRAM, "_sum"},
        {METRIC_TYPE_HISTOGRAM, "_count"},
        {METRIC_TYPE_HISTOGRAM, "_created"},
        {METRIC_TYPE_GAUGE_HISTOGRAM, "_bucket"},
        {METRIC_TYPE_GAUGE_HISTOGRAM, "_gsum"},
        {METRIC_TYPE_GAUGE_HISTOGRAM, "_gcount"},
        {METRIC_TYPE_SUMMARY, ""},
        {METRIC_TYPE_SUMMARY, "_sum"},
        {METRIC_TYPE_SUMMARY, "_count"},
        {METRIC_TYPE_SUMMARY, "_created"},
        {METRIC_TYPE_INFO, "_info"},
        {METRIC_TYPE_GAUGE, ""},
        {METRIC_TYPE_STATESET, ""},
        {METRIC_TYPE_UNKNOWN, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++)
        if (TABLE[i].type == type && span_equal(suffix, span_str(TABLE[i].suffix)))
            return true;
    return false;
}

static const struct metadata *metadata_of(const struct exporting *x, struct span name)
{
    size_t from = 0, to = x->n_metadata;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int c = span_compare(x->metadata[middle].name, name);
        if (c == 0)
            return &x->metadata[middle];
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool ends_with(struct span name, const char *suffix, struct span *ret_stem)
{
    size_t n = strlen(suffix);
    if (name.len <= n || memcmp(name.ptr + name.len - n, suffix, n) != 0)
        return false;
    *ret_stem = span_of(name.ptr, name.len - n);
    return true;
}

static struct metric unknown_metric(struct span name)
{
    return (struct metric){.name = name, .family = name, .type = METRIC_TYPE_UNKNOWN};
}

static struct metric metric_of(const struct exporting *x, struct span name)
{
    static const char *const SUFFIXES[] = {"_total", "_created", "_bucket", "_sum",
                                           "_count", "_info",    "_gsum",   "_gcount"};
    struct span stem;
    for (size_t i = 0; i < ARRAY_LEN(SUFFIXES); i++) {
        const struct metadata *m = ends_with(name, SUFFIXES[i], &stem) ? metadata_of(x, stem) : NULL;
        if (m && has_suffix(m->type, span_str(SUFFIXES[i])))
            return (struct metric){name, stem, m->type, m};
    }
    const struct metadata *m = metadata_of(x, name);
    bool native =
        x->e->native_histograms && m && (m->type == METRIC_TYPE_HISTOGRAM || m->type == METRIC_TYPE_GAUGE_HISTOGRAM);
    if (m && (native || has_suffix(m->type, SPAN(""))))
        return (struct metric){name, name, m->type, m};
    /* the text format calls a counter's family by its sample's name, OpenMetrics does not */
    if (m && m->type == METRIC_TYPE_COUNTER && ends_with(name, "_total", &stem))
        return (struct metric){name, stem, m->type, m};
    if (m && m->type == METRIC_TYPE_INFO && ends_with(name, "_info", &stem))
        return (struct metric){name, stem, m->type, m};
    return unknown_metric(name);
}

static int by_family(const void *a, const void *b)
{
    const struct metric *x = a, *y = b;
    int c = span_compare(x->family, y->family);
    return c ? c : span_compare(x->name, y->name);
}

/* Would a reader of the text write a bound in another way, and so make another series? */
static int bounds_change(struct exporting *x, const struct metric *m)
{
    const char *label = m->type == METRIC_TYPE_HISTOGRAM ? "le" : m->type == METRIC_TYPE_SUMMARY ? "quantile" : NULL;
    if (!label)
        return 0;
    struct matcher name;
    struct parse_error error;
    struct span *values;
    size_t n;
    int r = matcher_init(&name, MATCH_EQUAL, SPAN("__name__"), m->name, &error);
    if (r < 0)
        return r;
    const struct store_selection selection = {&name, 1, INT64_MIN, INT64_MAX, 0};
    r = store_label_values(x->rd, span_str(label), &selection, 1, &x->series, &values, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        double number;
        char text[NUMBER_TEXT_MAX];
        if (parse_f64_span(values[i], &number) == 0 &&
            !span_equal(values[i], span_of(text, format_f64_le(text, number))))
            r = 1;
    }
    matcher_done(&name);
    arena_reset(&x->series);
    return r;
}

/* A family that is not one thing goes out as its metrics. */
static int split_families(struct exporting *x)
{
    for (size_t i = 0, end; i < x->n_metrics; i = end) {
        int mixed = 0;
        for (end = i; end < x->n_metrics && span_equal(x->metrics[end].family, x->metrics[i].family); end++) {
            int r = bounds_change(x, &x->metrics[end]);
            if (r < 0)
                return r;
            mixed |= r > 0 || x->metrics[end].type != x->metrics[i].type;
        }
        for (size_t k = i; mixed && k < end; k++)
            x->metrics[k] = unknown_metric(x->metrics[k].name);
    }
    if (x->n_metrics)
        qsort(x->metrics, x->n_metrics, sizeof *x->metrics, by_family);
    return 0;
}

static int list_metrics(struct exporting *x)
{
    struct span *names;
    int r = store_metadata(x->rd, SPAN(""), &x->names, &x->metadata, &x->n_metadata);
    if (r == 0)
        r = store_label_values(x->rd, SPAN("__name__"), x->e->selections, x->e->n_selections, &x->names, &names,
                               &x->n_metrics);
    if (r < 0)
        return r;
    x->metrics = arena_array(&x->names, x->n_metrics, sizeof *x->metrics);
    if (!x->metrics)
        return -ENOMEM;
    for (size_t i = 0; i < x->n_metrics; i++)
        x->metrics[i] = metric_of(x, names[i]);
    if (x->n_metrics)
        qsort(x->metrics, x->n_metrics, sizeof *x->metrics, by_family);
    for (int twice = 0; r == 0 && twice < 2; twice++) /* what was split may meet another's name */
        r = split_families(x);
    return r;
}

/* ---- lines ---- */
static int flush(struct exporting *x, size_t least)
{
    int r = buf_error(&x->out);
    if (r == 0 && x->out.len >= least && x->out.len) {
        r = x->e->write(x->e->ctx, x->out.data, x->out.len);
        buf_clear(&x->out);
    }
    return r;
}

static void put_name(struct buf *b, struct span name, bool plain)
{
    if (!plain)
        buf_char(b, '"');
    if (plain)
        buf_span(b, name);
    else
        label_value_escape(b, name);
    if (!plain)
        buf_char(b, '"');
}

static void put_head(struct exporting *x, const struct metric *m)
{
    struct buf *b = &x->out;
    bool plain = metric_name_is_plain(m->family);
    buf_str(b, "# TYPE ");
    put_name(b, m->family, plain);
    buf_printf(b, " %s\n", metric_type_name(m->type));
    if (!m->metadata)
        return;
    struct span stem, unit = m->metadata->unit;
    char ending[LABEL_NAME_BYTES_MAX + 2];
    (void)snprintf(ending, sizeof ending, "_" SPAN_FMT, SPAN_ARG(unit));
    if (unit.len && unit.len < LABEL_NAME_BYTES_MAX && ends_with(m->family, ending, &stem)) {
        buf_str(b, "# UNIT ");
        put_name(b, m->family, plain);
        buf_printf(b, " " SPAN_FMT "\n", SPAN_ARG(unit));
    }
    if (m->metadata->help.len) {
        buf_str(b, "# HELP ");
        put_name(b, m->family, plain);
        buf_char(b, ' ');
        label_value_escape(b, m->metadata->help);
        buf_char(b, '\n');
    }
}

static void put_label(struct buf *b, const struct label *l)
{
    put_name(b, l->name, label_name_is_plain(l->name));
    buf_str(b, "=\"");
    label_value_escape(b, l->value);
    buf_char(b, '"');
}

/* The series up to the blank before its value. */
static void put_series(struct buf *b, const struct labels *labels)
{
    struct span name = labels_get(labels, SPAN("__name__"));
    bool plain = metric_name_is_plain(name), open = false;
    buf_clear(b);
    if (plain) {
        buf_span(b, name);
    } else {
        buf_char(b, '{');
        put_name(b, name, false);
        open = true;
    }
    for (size_t i = 0; i < labels->n; i++) {
        if (span_equal(labels->pairs[i].name, SPAN("__name__")))
            continue;
        buf_char(b, open ? ',' : '{');
        open = true;
        put_label(b, &labels->pairs[i]);
    }
    if (open)
        buf_char(b, '}');
    buf_char(b, ' ');
}

/* ---- exemplars ---- */
static int by_series(const void *a, const void *b)
{
    return labels_compare(&((const struct store_exemplars *)a)->series, &((const struct store_exemplars *)b)->series);
}

static int list_exemplars(struct exporting *x, struct span name)
{
    struct matcher matcher;
    struct parse_error error;
    int r = matcher_init(&matcher, MATCH_EQUAL, SPAN("__name__"), name, &error);
    if (r < 0)
        return r;
    const struct store_selection selection = {&matcher, 1, x->e->min_ms, x->e->max_ms, 0};
    r = store_exemplars(x->rd, &selection, &x->series, &x->exemplars, &x->n_exemplars);
    matcher_done(&matcher);
    if (r == 0 && x->n_exemplars)
        qsort(x->exemplars, x->n_exemplars, sizeof *x->exemplars, by_series);
    return r;
}

/* Both lists are sorted: series without exemplars are passed over. */
static struct store_exemplars exemplars_of(struct exporting *x, const struct labels *labels)
{
    int c = -1;
    while (x->n_exemplars && (c = labels_compare(&x->exemplars[0].series, labels)) < 0) {
        x->exemplars++;
        x->n_exemplars--;
    }
    return x->n_exemplars && c == 0 ? x->exemplars[0] : (struct store_exemplars){0};
}

static void put_exemplar(struct buf *b, const struct exemplar *e)
{
    char text[NUMBER_TEXT_MAX];
    buf_str(b, " # {");
    for (size_t i = 0; i < e->labels.n; i++) {
        if (i)
            buf_char(b, ',');
        put_label(b, &e->labels.pairs[i]);
    }
    buf_str(b, "} ");
    buf_bytes(b, text, format_f64(text, e->value));
    buf_char(b, ' ');
    buf_bytes(b, text, format_seconds_ms(text, e->t_ms));
}

static bool has_exemplars(const struct metric *m)
{
    struct span stem;
    return m->type == METRIC_TYPE_COUNTER
               ? ends_with(m->name, "_total", &stem)
               : (m->type == METRIC_TYPE_HISTOGRAM || m->type == METRIC_TYPE_GAUGE_HISTOGRAM) &&
                     ends_with(m->name, "_bucket", &stem);
}

static int put_samples(struct exporting *x, const struct metric *m, const struct store_series *series)
{
    int r = store_read(x->rd, series->id, x->e->min_ms, x->e->max_ms, &x->columns);
    if (r < 0)
        return r;
    put_series(&x->line, &series->labels);
    uint64_t before = x->e->samples;
    struct store_exemplars exemplars = exemplars_of(x, &series->labels);
    size_t next = 0, last = x->columns.n; /* what is newer than all samples stands behind the last one */
    while (last && is_stale(x->columns.value[last - 1]))
        last--;
    for (size_t i = 0; r == 0 && i < x->columns.n; i++) {
        char text[NUMBER_TEXT_MAX];
        double value = x->columns.value[i];
        const struct native_histogram *h = x->columns.histograms ? x->columns.histograms[i] : NULL;
        if (is_stale(value)) {
            x->e->stale++;
            continue;
        }
        if (h && !x->e->native_histograms) {
            x->e->histograms++;
            continue;
        }
        x->e->nans += isnan(value) && f64_bits(value) != NAN_BITS;
        buf_span(&x->out, buf_view(&x->line));
        if (h)
            exposition_put_histogram(&x->out, h);
        else
            buf_bytes(&x->out, text, format_f64(text, value));
        buf_char(&x->out, ' ');
        buf_bytes(&x->out, text, format_seconds_ms(text, x->columns.t_ms[i]));
        if (!h && next < exemplars.n && has_exemplars(m) &&
            (exemplars.exemplars[next].t_ms <= x->columns.t_ms[i] || i + 1 == last))
            put_exemplar(&x->out, &exemplars.exemplars[next++]);
        buf_char(&x->out, '\n');
        x->e->samples++;
        r = flush(x, FLUSH_BYTES);
    }
    x->e->series += x->e->samples > before;
    x->e->exemplars += exemplars.n - next;
    return r < 0 ? r : buf_error(&x->line);
}

/* ---- series ---- */
static int by_labels(const void *a, const void *b)
{
    return labels_compare(&((const struct store_series *)a)->labels, &((const struct store_series *)b)->labels);
}

/* The metric's series that match any of the selections, sorted, each once. */
static int select_metric(struct exporting *x, struct span name, struct store_series **ret, size_t *ret_n)
{
    size_t n_selections = x->e->n_selections ? x->e->n_selections : 1, n = 0;
    struct store_series *all = NULL;
    for (size_t i = 0; i < n_selections; i++) {
        const struct store_selection *from = x->e->n_selections ? &x->e->selections[i] : NULL;
        size_t n_matchers = from ? from->n_matchers : 0, more;
        struct matcher *matchers = arena_array(&x->series, n_matchers + 1, sizeof *matchers);
        struct parse_error error;
        struct store_series *found;
        if (!matchers)
            return -ENOMEM;
        if (n_matchers)
            memcpy(matchers, from->matchers, n_matchers * sizeof *matchers);
        int r = matcher_init(&matchers[n_matchers], MATCH_EQUAL, SPAN("__name__"), name, &error);
        if (r < 0)
            return r;
        const struct store_selection selection = {matchers, n_matchers + 1, x->e->min_ms, x->e->max_ms, 0};
        r = store_select(x->rd, &selection, &x->series, &found, &more);
        matcher_done(&matchers[n_matchers]);
        struct store_series *both = r == 0 ? arena_array(&x->series, n + more, sizeof *both) : NULL;
        if (!both)
            return r < 0 ? r : -ENOMEM;
        if (n)
            memcpy(both, all, n * sizeof *both);
        if (more)
            memcpy(both + n, found, more * sizeof *both);
        all = both;
        n += more;
    }
    if (n)
        qsort(all, n, sizeof *all, by_labels);
    size_t unique = 0;
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || all[unique - 1].id != all[i].id)
            all[unique++] = all[i];
    *ret = all;
    *ret_n = unique;
    return 0;
}

static int put_metrics(struct exporting *x)
{
    const struct metric *head = NULL; /* of the family whose lines were written last */
    for (size_t i = 0; i < x->n_metrics; i++) {
        struct store_series *series;
        size_t n;
        int r = select_metric(x, x->metrics[i].name, &series, &n);
        if (r == 0 && n && (!head || !span_equal(head->family, x->metrics[i].family))) {
            head = &x->metrics[i];
            put_head(x, head);
        }
        if (r == 0 && n)
            r = list_exemplars(x, x->metrics[i].name);
        for (size_t k = 0; r == 0 && k < n; k++)
            r = put_samples(x, &x->metrics[i], &series[k]);
        if (r < 0)
            return r;
        arena_reset(&x->series);
    }
    return 0;
}

static int count_nameless(struct exporting *x)
{
    struct store_series *series;
    size_t n;
    int r = select_metric(x, SPAN(""), &series, &n);
    if (r == 0)
        x->e->nameless = n;
    arena_reset(&x->series);
    return r;
}

int store_export(struct text_export *e)
{
    struct exporting x = {.e = e};
    arena_init(&x.names, STORE_EXPORT_BYTES_MAX);
    arena_init(&x.series, STORE_EXPORT_BYTES_MAX);
    buf_init(&x.out, OUT_BYTES_MAX);
    buf_init(&x.line, OUT_BYTES_MAX);
    sample_columns_init(&x.columns);
    int r = store_reader_open(e->store, &x.rd);
    if (r == 0)
        r = list_metrics(&x);
    if (r == 0)
        r = put_metrics(&x);
    if (r == 0)
        r = count_nameless(&x);
    if (r == 0) {
        buf_str(&x.out, "# EOF\n");
        r = flush(&x, 0);
    }
    store_reader_close(x.rd);
    sample_columns_done(&x.columns);
    arena_done(&x.names);
    arena_done(&x.series);
    buf_done(&x.out);
    buf_done(&x.line);
    return r;
}
