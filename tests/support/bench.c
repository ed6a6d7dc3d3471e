#include "tests/support/bench.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/base/options.h"
#include "lib/base/thread.h"

#define ROWS_MAX 128u
#define RESULTS_BYTES_MAX (4u << 20)

struct limit {
    bool set;
    enum bench_bound bound;
    double value;
};
struct row {
    char name[128], unit[16];
    double *values;
    size_t n;
    struct limit must, goal;
};
struct bench {
    char name[64], title[200];
    struct row rows[ROWS_MAX];
    size_t n;
    struct buf notes;
};

NORETURN static void out_of_memory(void)
{
    fputs("bench: out of memory\n", stderr);
    exit(1);
}

struct bench *bench_new(const char *name, const char *title)
{
    struct bench *b = calloc(1, sizeof *b);
    if (!b)
        out_of_memory();
    snprintf(b->name, sizeof b->name, "%s", name);
    snprintf(b->title, sizeof b->title, "%s", title);
    buf_init(&b->notes, 1u << 20);
    return b;
}

void bench_note(struct bench *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(&b->notes, format, args);
    va_end(args);
    buf_char(&b->notes, '\n');
}

static struct row *find_row(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->rows[i].name, name) == 0)
            return (struct row *)(uintptr_t)&b->rows[i];
    return NULL;
}

static struct row *row_of(struct bench *b, const char *name)
{
    struct row *row = find_row(b, name);
    if (row)
        return row;
    if (b->n == ROWS_MAX)
        out_of_memory();
    row = &b->rows[b->n++];
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

void bench_add(struct bench *b, const char *name, const char *unit, double value)
{
    struct row *row = row_of(b, name);
    double *values = realloc(row->values, (row->n + 1) * sizeof *values);
    if (!values)
        out_of_memory();
    row->values = values;
    row->values[row->n++] = value;
    snprintf(row->unit, sizeof row->unit, "%s", unit);
}

void bench_must(struct bench *b, const char *row, enum bench_bound bound, double limit)
{
    row_of(b, row)->must = (struct limit){true, bound, limit};
}

void bench_goal(struct bench *b, const char *row, enum bench_bound bound, double limit)
{
    row_of(b, row)->goal = (struct limit){true, bound, limit};
}

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(struct row *row)
{
    if (row->n == 0)
        return NAN;
    qsort(row->values, row->n, sizeof *row->values, by_value);
    double upper = row->values[row->n / 2];
    return row->n % 2 ? upper : (row->values[row->n / 2 - 1] + upper) / 2;
}

double bench_median(const struct bench *b, const char *name)
{
    struct row *row = find_row(b, name);
    return row ? median(row) : NAN;
}

/* ---- the table ---- */

static bool met(const struct limit *l, double value)
{
    return l->bound == BENCH_AT_MOST ? value <= l->value : value >= l->value; /* NaN meets nothing */
}

static void put_limit(struct buf *out, const struct limit *l, double value)
{
    if (!l->set) {
        buf_str(out, " |");
        return;
    }
    buf_printf(out, " %s %.6g %s |", l->bound == BENCH_AT_MOST ? "≤" : "≥", l->value,
               met(l, value) ? "✓" : "**missed**");
}

static bool write_section(struct bench *b, struct buf *out)
{
    struct utsname system = {0};
    char date[NUMBER_TEXT_MAX];
    bool all_met = true;
    (void)uname(&system);
    format_rfc3339_ms(date, unix_ms());
    buf_printf(out, "## bench-%s\n\n%s. Crest %s, %.10s, %d CPUs, %s %s.\n\n", b->name, b->title, crest_version(), date,
               thread_cpu_count(), system.sysname, system.release);
    buf_str(out, "| what | unit | runs | median | least | most | must | goal |\n|---|---|--:|--:|--:|--:|---|---|\n");
    for (size_t i = 0; i < b->n; i++) {
        struct row *row = &b->rows[i];
        double m = median(row);
        buf_printf(out, "| %s | %s | %zu | %.4g | %.4g | %.4g |", row->name, row->unit, row->n, m,
                   row->n ? row->values[0] : NAN, row->n ? row->values[row->n - 1] : NAN);
        put_limit(out, &row->must, m);
        put_limit(out, &row->goal, m);
        buf_char(out, '\n');
        if (row->must.set && !met(&row->must, m))
            all_met = false;
    }
    if (b->notes.len) {
        buf_char(out, '\n');
        buf_span(out, buf_view(&b->notes));
    }
    return all_met;
}

/* The file with our section in its old place, or at the end. */
static int replace_section(const struct bench *b, struct span section)
{
    const char *path = getenv("CREST_RESULTS");
    if (!path || !*path)
        path = "docs/RESULTS.md";
    char *old = NULL, heading[128];
    size_t n = 0;
    int r = file_read(path, RESULTS_BYTES_MAX, &old, &n);
    if (r < 0 && r != -ENOENT)
        return r;
    snprintf(heading, sizeof heading, "## bench-%s\n", b->name);
    struct span text = old ? span_of(old, n)
                           : SPAN("# Results\n\nWritten by `make bench-NAME`; each section is one bench's last run.\n");
    size_t start = span_search(text, span_str(heading));
    struct span before = span_of(text.ptr, start), after = span_from(text, start + strlen(heading));
    size_t next = span_search(after, SPAN("\n## "));
    after = next < after.len ? span_from(after, next + 1) : (struct span){NULL, 0};
    struct buf out;
    buf_init(&out, RESULTS_BYTES_MAX);
    buf_span(&out, span_trim(before));
    buf_str(&out, "\n\n");
    buf_span(&out, section);
    if (after.len) {
        buf_char(&out, '\n');
        buf_span(&out, after);
    }
    r = buf_error(&out);
    if (r == 0)
        r = file_write(path, out.data, out.len);
    buf_done(&out);
    free(old);
    return r;
}

int bench_finish(struct bench *b)
{
    struct buf section;
    buf_init(&section, RESULTS_BYTES_MAX);
    bool all_met = write_section(b, &section);
    int r = buf_error(&section);
    if (r == 0) {
        fwrite(section.data, 1, section.len, stdout);
        r = replace_section(b, buf_view(&section));
    }
    if (r < 0)
        fprintf(stderr, "bench-%s: cannot write the results: %s\n", b->name, strerror(-r));
    if (!all_met)
        fprintf(stderr, "bench-%s: a must is missed\n", b->name);
    buf_done(&section);
    buf_done(&b->notes);
    for (size_t i = 0; i < b->n; i++)
        free(b->rows[i].values);
    free(b);
    return r < 0 || !all_met;
}
