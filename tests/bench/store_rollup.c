/* bench-store_rollup: what rollups cost on disk, and what they save a query over whole hours.
 *
 * 1,000 series of workload A's kinds (tests/support/store_load.h) every 10 s for BENCH_DAYS (30), of which a tenth, the memory gauges,
 * have rollups of five minutes too; all in files of days and weeks. Then max_over_time over an hour, every hour of all days, with
 * and without. Some three minutes of CPU. BENCH_FAST=1: two days. */
#include <errno.h>
#include <stdlib.h>

#include "collector/promql/promql.h"
#include "collector/store/store_inside.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/number.h"
#include "lib/wire/remote_write.h"
#include "tests/support/bench.h"
#include "tests/support/store_load.h"

enum { SERIES = 1000, PER_REQUEST = 2000, STEP_MS = 10000, TIMES = 3 };
#define START_MS 1699833600000 /* a Monday */
#define DAY_MS INT64_C(86400000)

NORETURN static void stop(const char *what, int r)
{
    fprintf(stderr, "bench-store_rollup: %s: %s\n", what, strerror(-r));
    exit(1);
}
static void need(const char *what, int r)
{
    if (r < 0)
        stop(what, r);
}

static int64_t now_ms(void *ctx)
{
    return *(int64_t *)ctx;
}

static void take(void *ctx, struct buf *body, unsigned samples)
{
    struct write_request *w;
    struct remote_write_report report;
    struct store_written written;
    need("decode", remote_write_decode(REMOTE_WRITE_1, buf_view(body), &w, &report));
    need("write", store_write(ctx, w, &written));
    if (written.samples != samples)
        stop(written.why, -EIO);
    buf_done(body);
}

static void fill(struct store *s, int64_t days, int64_t *now)
{
    struct store_load *l = store_load_new(0, SERIES, SERIES, PER_REQUEST);
    for (int64_t day = 0; day < days; day++) {
        for (int64_t t_ms = START_MS + day * DAY_MS; t_ms < START_MS + (day + 1) * DAY_MS; t_ms += STEP_MS)
            store_load_round(l, t_ms, take, s);
        store_load_flush(l, take, s);
        *now = START_MS + (day + 1) * DAY_MS + 2 * DAY_OVER_MS;
        need("seal", store_seal(s));
        need("compact", store_compact(s)); /* the day becomes a file */
    }
    store_load_free(l);
}

static double ask(struct store *s, int64_t days, enum promql_rollups rollups)
{
    const struct promql_params p = {.start_ms = START_MS + 3600000,
                                    .end_ms = START_MS + days * DAY_MS,
                                    .step_ms = 3600000,
                                    .samples_max = UINT64_MAX,
                                    .rollups = rollups};
    struct promql_expr *e;
    struct parse_error why;
    struct promql_error error;
    struct promql_result *res;
    struct arena a;
    arena_init(&a, 1 << 20);
    need("parse", promql_parse(SPAN("sum(max_over_time({__name__=~\".+\"}[1h]))"), &a, &e, &why));
    int64_t cpu = cpu_thread_us();
    if (promql_eval(s, e, &p, &res, &error) < 0)
        stop(error.text, -EIO);
    double ms = (double)(cpu_thread_us() - cpu) / 1000;
    promql_result_free(res);
    promql_expr_done(e);
    arena_done(&a);
    return ms;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *wanted = getenv(name);
    if (wanted && *wanted)
        need(name, parse_u64(wanted, 1000, &otherwise));
    return otherwise;
}

#define WITHOUT_FINE "the same without rollups of 5 minutes: bytes per sample"
int main(void)
{
    int64_t days = (int64_t)setting("BENCH_DAYS", setting("BENCH_FAST", 0) ? 2 : 30), now = START_MS;
    AUTO_FREE char *folder = NULL;
    char why[256] = "";
    struct matcher memory;
    struct parse_error error;
    struct store *s;
    struct bench *b = bench_new("store_rollup", "Rollups: what they cost, and what they save");
    need("folder", dir_make_temp("crest-bench-rollup", &folder));
    need("matcher",
         matcher_init(&memory, MATCH_EQUAL, SPAN("__name__"), SPAN("process_resident_memory_bytes"), &error));
    const struct store_retention fine = {.matchers = &memory, .n_matchers = 1};
    const struct store_config config = {.path = folder,
                                        .durability = STORE_NORMAL,
                                        .future_ms_max = -1,
                                        .now_ms = now_ms,
                                        .now_ctx = &now,
                                        .fine_rollups = &fine,
                                        .n_fine_rollups = 1};
    int r = store_open(&config, &s, why, sizeof why);
    if (r < 0)
        stop(why, r);
    fill(s, days, &now);
    double samples = (double)days * SERIES * (double)(DAY_MS / STEP_MS);
    uint64_t hours = 0, minutes = 0;
    struct extent_ref *refs;
    size_t n;
    need("extents", extent_dir_of_days(&s->extents, START_MS, (unsigned)days, &refs, &n));
    for (size_t i = 0; i < n; i++) {
        hours += refs[i].group & EXTENT_ROLLUPS_1H ? refs[i].n_bytes : 0;
        minutes += refs[i].group & EXTENT_ROLLUPS_5M ? refs[i].n_bytes : 0;
    }
    free(refs);
    const struct extent_totals all = extent_dir_totals(&s->extents);
    bench_add(b, "samples: bytes per sample", "B", (double)(all.bytes - all.rollup_bytes) / samples);
    bench_add(b, "rollups of an hour: bytes per sample", "B", (double)hours / samples);
    bench_add(b, "rollups of 5 minutes: bytes per sample of the tenth that has them", "B",
              (double)minutes / (samples / 10));
    bench_add(b, "files of days and weeks with all of it: bytes per sample", "B",
              (double)store_parts_bytes(s) / samples);
    bench_add(b, WITHOUT_FINE, "B", (double)(store_parts_bytes(s) - minutes) / samples);
    for (int i = 0; i < TIMES; i++) {
        bench_add(b, "max_over_time over 1 h every hour, 1,000 series, without rollups", "ms",
                  ask(s, days, PROMQL_ROLLUPS_OFF));
        bench_add(b, "the same with rollups", "ms", ask(s, days, PROMQL_ROLLUPS_SAME));
    }
    bench_note(b, "%lld days of %d series of workload A's kinds every %d s; CPU of one core.", (long long)days, SERIES,
               STEP_MS / 1000);
    bench_must(b, WITHOUT_FINE, BENCH_AT_MOST,
               0.65); /* what workload A may take; the others are asked for by selectors */
    store_close(s);
    matcher_done(&memory);
    need("remove", dir_remove(folder));
    return bench_finish(b);
}
