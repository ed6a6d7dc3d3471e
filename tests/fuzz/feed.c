/* feed.c - any bytes as rows of data (CSV, JSON lines) and as recorded arrivals: refused with words, or rows that all have the header's columns, and times that
 * rise. What was read, written as CSV, is read the same. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "loadgen/engine/feed.h"
#include "loadgen/engine/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MODES = 5, KINDS = 3 };

static void put_quoted(struct buf *out, struct span field, bool last)
{
    buf_char(out, '"');
    for (size_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, field.ptr[i]);
    }
    buf_str(out, last ? "\"\n" : "\",");
}

static void put_row(struct buf *out, const struct span *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_quoted(out, fields[i], i + 1 == n);
}

static void write_csv(struct feed *f, struct buf *out)
{
    struct span fields[FEED_COLUMNS_MAX];
    struct rng rng;
    size_t columns = feed_columns(f);
    rng_seed(&rng, 1);
    if (columns == 0 || columns > FEED_COLUMNS_MAX || feed_rows(f) == 0)
        abort();
    for (size_t i = 0; i < columns; i++)
        fields[i] = feed_column(f, i);
    put_row(out, fields, columns);
    for (size_t row = 0; row < feed_rows(f); row++) {
        if (!feed_next(f, &rng, fields))
            abort();
        put_row(out, fields, columns);
    }
}

static struct feed *parse(const char *name, struct span text, enum hurl_feed_mode mode)
{
    struct problems ps;
    struct feed *f = NULL;
    problems_init(&ps);
    int r = feed_parse(name, text, mode, 1, 7, &f, &ps);
    if ((r == 0) != (problems_errors(&ps) == 0) && r != -ENOMEM)
        abort();
    problems_done(&ps);
    return f;
}

static void read_feed(const char *name, struct span text, enum hurl_feed_mode mode)
{
    struct feed *f = parse(name, text, mode), *in_order = parse(name, text, HURL_FEED_SEQUENTIAL), *again;
    struct buf once, twice;
    if (!f != !in_order)
        abort();
    if (!f)
        return;
    buf_init(&once, 1 << 24);
    buf_init(&twice, 1 << 24);
    write_csv(f, &twice); /* in an order of its own: for ASan */
    buf_clear(&twice);
    write_csv(in_order, &once);
    again = parse("again.csv", buf_view(&once), HURL_FEED_UNIQUE);
    if (!again)
        abort();
    write_csv(again, &twice);
    if (!span_equal(buf_view(&once), buf_view(&twice)))
        abort();
    buf_done(&once);
    buf_done(&twice);
    feed_free(f);
    feed_free(in_order);
    feed_free(again);
}

static void read_trace(struct span text, double speed)
{
    struct problems ps;
    struct trace t = {0};
    problems_init(&ps);
    int r = trace_parse("fuzz.csv", text, speed, &t, &ps);
    if (r == -EINVAL && problems_errors(&ps) == 0)
        abort();
    if (r == 0 && (t.n == 0 || t.at_us[0] < 0))
        abort();
    for (size_t i = 1; i < t.n; i++)
        if (t.at_us[i] < t.at_us[i - 1])
            abort();
    trace_done(&t);
    problems_done(&ps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const double SPEEDS[MODES] = {1, 2, 1e6, 0.001, 1e-300};
    if (n == 0)
        return 0;
    struct span text = span_of((const char *)data + 1, n - 1);
    unsigned kind = data[0] % KINDS, mode = data[0] / KINDS % MODES;
    if (kind == 2)
        read_trace(text, SPEEDS[mode]);
    else
        read_feed(kind ? "fuzz.jsonl" : "fuzz.csv", text, (enum hurl_feed_mode)mode);
    return 0;
}
