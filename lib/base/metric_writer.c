#include "lib/base/metric_writer.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/base/process.h"

void metric_writer_init(struct metric_writer *w, struct buf *out, enum metric_format format)
{
    *w = (struct metric_writer){.out = out, .format = format};
}

void metric_writer_end(struct metric_writer *w)
{
    if (w->format == METRIC_OPENMETRICS)
        buf_str(w->out, "# EOF\n");
}

/* ---- content negotiation (RFC 9110, 12.5.1) ---- */

static struct span cut_parameter(struct span *rest)
{
    struct span p;
    return span_cut(rest, ';', &p) ? span_trim(p) : (struct span){NULL, 0};
}

bool accepted_next(struct span *header, struct accepted *ret)
{
    struct span item;
    if (!span_cut(header, ',', &item))
        return false;
    *ret = (struct accepted){.q = 1};
    ret->type = cut_parameter(&item);
    ret->params = item;
    struct span q = accepted_param(ret, "q");
    if (q.len && parse_f64_span(q, &ret->q) < 0)
        ret->q = 0;
    return true;
}

struct span accepted_param(const struct accepted *a, const char *name)
{
    struct span rest = a->params, wanted = span_str(name);
    while (rest.ptr) {
        struct span p = cut_parameter(&rest);
        if (span_starts(p, wanted) && p.len > wanted.len && p.ptr[wanted.len] == '=')
            return span_from(p, wanted.len + 1);
    }
    return span_of(NULL, 0);
}

static bool is_ours(const struct accepted *a, enum metric_format *ret)
{
    struct span version = accepted_param(a, "version");
    if (span_equal_nocase(a->type, SPAN("application/openmetrics-text"))) {
        *ret = METRIC_OPENMETRICS;
        return version.len == 0 || span_equal(version, SPAN("1.0.0")) || span_equal(version, SPAN("0.0.1"));
    }
    *ret = METRIC_TEXT;
    return span_equal_nocase(a->type, SPAN("text/plain")) || span_equal(a->type, SPAN("text/*")) ||
           span_equal(a->type, SPAN("*/*"));
}

enum metric_format metric_format_accepted(struct span accept_header)
{
    enum metric_format best = METRIC_TEXT, format;
    double best_q = 0;
    struct accepted a;
    while (accepted_next(&accept_header, &a))
        if (is_ours(&a, &format) && a.q > best_q) {
            best = format;
            best_q = a.q;
        }
    return best;
}

/* ---- families and samples ---- */

static struct span without_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return span_of(name, n > m && strcmp(name + n - m, suffix) == 0 ? n - m : n);
}

static void put_escaped(struct buf *b, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\\')
            buf_str(b, "\\\\");
        else if (*text == '\n')
            buf_str(b, "\\n");
        else if (*text == '"' && quotes)
            buf_str(b, "\\\"");
        else
            buf_char(b, *text);
    }
}

void metric_family(struct metric_writer *w, const char *name, enum metric_kind kind, const char *help)
{
    static const char *const TEXT[] = {"counter", "gauge", "histogram", "gauge"};
    static const char *const OPENMETRICS[] = {"counter", "gauge", "histogram", "info"};
    bool open = w->format == METRIC_OPENMETRICS;
    w->name = name;
    w->kind = kind;
    struct span family = span_str(name);
    if (open && kind == METRIC_COUNTER)
        family = without_suffix(name, "_total");
    if (open && kind == METRIC_INFO)
        family = without_suffix(name, "_info");
    buf_printf(w->out, "# HELP " SPAN_FMT " ", SPAN_ARG(family));
    put_escaped(w->out, help, open); /* only OpenMetrics escapes quotes in help */
    buf_printf(w->out, "\n# TYPE " SPAN_FMT " %s\n", SPAN_ARG(family), open ? OPENMETRICS[kind] : TEXT[kind]);
}

static void put_label(struct buf *b, const char *name, const char *value, char *separator)
{
    buf_char(b, *separator);
    *separator = ',';
    buf_str(b, name);
    buf_str(b, "=\"");
    put_escaped(b, value, true);
    buf_char(b, '"');
}

static void put_number(struct buf *b, double value)
{
    buf_char(b, ' ');
    buf_f64(b, value);
    buf_char(b, '\n');
}

void metric_value(struct metric_writer *w, double value, ...)
{
    char separator = '{';
    va_list args;
    buf_str(w->out, w->name);
    va_start(args, value);
    const char *name;
    while ((name = va_arg(args, const char *)) != NULL) {
        const char *text = va_arg(args, const char *);
        if (!text)
            break;
        put_label(w->out, name, text, &separator);
    }
    va_end(args);
    if (separator == ',')
        buf_char(w->out, '}');
    put_number(w->out, value);
}

static void put_part(struct metric_writer *w, const char *suffix, const char *const *pairs, size_t n_pairs,
                     const char *le, double value)
{
    char separator = '{';
    buf_str(w->out, w->name);
    buf_str(w->out, suffix);
    for (size_t i = 0; i < n_pairs; i++)
        put_label(w->out, pairs[2 * i], pairs[2 * i + 1], &separator);
    if (le)
        put_label(w->out, "le", le, &separator);
    if (separator == ',')
        buf_char(w->out, '}');
    put_number(w->out, value);
}

void metric_histogram(struct metric_writer *w, const double *bounds, const uint64_t *counts, size_t n, double sum,
                      const char *const *label_pairs, size_t n_pairs)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= n; i++) {
        char le[NUMBER_TEXT_MAX] = "+Inf";
        if (i < n)
            format_f64_le(le, bounds[i]); /* the same in both formats, so both give the same series */
        total += counts[i];
        put_part(w, "_bucket", label_pairs, n_pairs, le, (double)total);
    }
    put_part(w, "_sum", label_pairs, n_pairs, NULL, sum);
    put_part(w, "_count", label_pairs, n_pairs, NULL, (double)total);
}

/* ---- the process itself ---- */

static unsigned open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;
    if (!d)
        return 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder's own */
}

/* Field 22 of /proc/self/stat counts ticks since boot; btime is when that was. */
static double start_time_seconds(void)
{
    AUTO_FREE char *stat = NULL;
    AUTO_FREE char *system = NULL;
    size_t n, m;
    if (file_read("/proc/self/stat", 65536, &stat, &n) < 0 || file_read("/proc/stat", 4u << 20, &system, &m) < 0)
        return 0;
    const char *behind_name = strrchr(stat, ')'); /* the name may hold blanks */
    const char *btime = strstr(system, "\nbtime ");
    if (!behind_name || !btime)
        return 0;
    struct span rest = span_str(behind_name + 2), piece;
    for (int i = 3; i <= 22; i++)
        if (!span_cut(&rest, ' ', &piece))
            return 0;
    uint64_t ticks, boot;
    btime += 7;
    if (parse_u64_span(piece, UINT64_MAX, &ticks) < 0 ||
        parse_u64_span(span_of(btime, strcspn(btime, "\n")), UINT64_MAX, &boot) < 0)
        return 0;
    return (double)boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

void metric_process(struct metric_writer *w, const char *program)
{
    struct process_usage u;
    if (process_usage(getpid(), &u) == 0) {
        metric_family(w, "process_cpu_seconds_total", METRIC_COUNTER, "CPU time of this process, user and system.");
        metric_value(w, u.cpu_seconds, NULL);
        metric_family(w, "process_resident_memory_bytes", METRIC_GAUGE, "Resident memory.");
        metric_value(w, (double)u.rss_bytes, NULL);
    }
    metric_family(w, "process_start_time_seconds", METRIC_GAUGE, "Start of the process since the epoch.");
    metric_value(w, start_time_seconds(), NULL);
    metric_family(w, "process_open_fds", METRIC_GAUGE, "Open file descriptors.");
    metric_value(w, (double)open_descriptors(), NULL);
    metric_family(w, "crest_build_info", METRIC_INFO, "What this program is; always 1.");
    metric_value(w, 1, "program", program, "version", crest_version(), NULL);
}
