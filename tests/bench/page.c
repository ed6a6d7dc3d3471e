/* What the page costs: bytes and requests of its first view, the processor of 50 charts, the memory of an hour. The
 * measuring is tests/browser/bench.mjs, in Debian's Chromium; this judges it and writes it down.
 * PAGE_SECONDS (60), PAGE_FRAMES (3600) and PAGE_REAL=1 (the hour takes an hour) are read there. */
#include <stdlib.h>

#include "lib/base/number.h"
#include "lib/base/process.h"
#include "lib/base/span.h"
#include "tests/support/bench.h"

#define OUTPUT_BYTES_MAX 65536
#define TIMEOUT_MS (3 * 3600000ll) /* PAGE_REAL=1 takes an hour */

/* ROW<TAB>UNIT<TAB>VALUE */
static bool add_row(struct bench *b, struct span rest)
{
    struct span name, unit;
    double value;
    char row[128], what[16];
    if (!span_cut(&rest, '\t', &name) || !span_cut(&rest, '\t', &unit) || parse_f64_span(rest, &value) < 0)
        return false;
    snprintf(row, sizeof row, SPAN_FMT, SPAN_ARG(name));
    snprintf(what, sizeof what, SPAN_FMT, SPAN_ARG(unit));
    bench_add(b, row, what, value);
    return true;
}

int main(void)
{
    static const char *const ARGV[] = {"node", "tests/browser/bench.mjs", NULL};
    struct bench *b = bench_new("page", "The web page in Chromium, against a stand-in for the collector");
    char *output = NULL;
    int status = -1;
    int r = process_run(ARGV, &(struct process_options){0}, TIMEOUT_MS, OUTPUT_BYTES_MAX, &output, &status);
    bool good = r == 0 && status == 0;
    if (!good)
        fputs(
            "bench-page: the measuring failed (it needs node 20, playwright-core from make test-deps, and chromium)\n",
            stderr);
    struct span lines = span_str(output ? output : ""), line;
    while (span_cut(&lines, '\n', &line)) {
        if (line.len > 0 && !add_row(b, line)) {
            fprintf(stderr, "bench-page: no row: " SPAN_FMT "\n", SPAN_ARG(line));
            good = false;
        }
    }
    free(output);
    bench_must(b, "first view, requests", BENCH_AT_MOST, 8);
    bench_must(b, "first view, files compressed", BENCH_AT_MOST, 100);
    bench_must(b, "50 charts at 1 Hz on a screen of 1920 × 1080", BENCH_AT_MOST, 15);
    bench_must(b, "50 charts at 1 Hz all in sight", BENCH_AT_MOST, 15);
    bench_must(b, "an hour adds", BENCH_AT_MOST, 256);
    bench_note(b,
               "First view: an event with a plan. Charts: a board of 50 expressions, 600 points each, a new one every "
               "second; all of Chromium's processes. Hour: 3,600 frames on the Event view, as fast as it draws them, "
               "after its window was full; collected before reading. Flat is 256 KB.");
    r = bench_finish(b);
    return good ? r : 1;
}
