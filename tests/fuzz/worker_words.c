/* worker_words.c - any bytes as what a coordinator and its workers tell each other: an order (the first byte is 'o'), a second, an end. Orders write below their folder alone;
 * counters that were understood say the same once they are told on. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/file.h"
#include "loadgen/workers/order.h"
#include "loadgen/workers/results.h"
#include "loadgen/workers/stats_codec.h"

#define FOLDER "/order/"
#define SECRET_PREFIX "HURL_SECRET_"
#define JOURNEYS 1u
#define STEPS 2u
#define PHASES 1u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int __wrap_file_write(const char *path, const void *data, size_t n);
int __wrap_dir_make(const char *path);

static void check_inside(const char *path)
{
    if (!span_starts(span_str(path), SPAN(FOLDER)) || strstr(path, "/../") || strstr(path, "//"))
        abort();
}

int __wrap_file_write(const char *path, const void *data, size_t n)
{
    check_inside(path);
    return n && !data ? -EINVAL : 0;
}

int __wrap_dir_make(const char *path)
{
    check_inside(path);
    return 0;
}

/* --name=value, or a flag. */
static void tell_option(struct buf *out, char *arg)
{
    char *value = strchr(arg, '=');
    if (!value) {
        order_option(out, arg + 2, NULL);
        return;
    }
    *value = '\0';
    order_option(out, arg + 2, value + 1);
    *value = '=';
}

static void check_order(struct span text)
{
    struct order o = {0}, again = {0};
    struct buf out;
    char why[256] = "";
    int r = order_take(text, "/order", &o, why, sizeof why);
    if (r < 0) {
        if (!why[0])
            abort();
        return;
    }
    if (o.segments == 0 || o.segment >= o.segments || o.n_args == 0 || o.start_ms < 0)
        abort();
    buf_init(&out, 1 << 24);
    order_begin(&out, o.segment, o.segments, o.start_ms);
    for (size_t i = 0; i < o.n_args; i++) {
        if (o.args[i][0] == '-')
            tell_option(&out, o.args[i]);
        else
            order_operand(&out, span_str(o.args[i]));
    }
    for (size_t i = 0; i < o.n_env; i++)
        order_secret(&out, span_str(o.env[i] + strlen(SECRET_PREFIX)));
    if (order_take(buf_view(&out), "/order", &again, why, sizeof why) < 0 || again.n_args != o.n_args ||
        again.n_env != o.n_env)
        abort();
    for (size_t i = 0; i < o.n_args; i++)
        if (strcmp(o.args[i], again.args[i]) != 0)
            abort();
    for (size_t i = 0; i < o.n_env; i++)
        if (strcmp(o.env[i], again.env[i]) != 0)
            abort();
    buf_done(&out);
    order_done(&o);
    order_done(&again);
}

static struct run_stats *fresh(void)
{
    struct run_stats *s = NULL;
    if (stats_new(JOURNEYS, STEPS, &s) < 0)
        abort();
    return s;
}

static void check_stats(const struct run_stats *s)
{
    struct run_stats *again = fresh();
    struct buf once, twice;
    buf_init(&once, 1 << 24);
    buf_init(&twice, 1 << 24);
    stats_encode(s, &once);
    struct span rest = buf_view(&once);
    if (buf_error(&once) || stats_decode_add(&rest, again) < 0)
        abort();
    stats_encode(again, &twice);
    if (!span_equal(buf_view(&once), buf_view(&twice)))
        abort();
    buf_done(&once);
    buf_done(&twice);
    stats_free(again);
}

static void check_second(struct span rest)
{
    struct results_second second = {.stats = fresh()};
    int r = results_read_tick(rest, &second);
    if (r == 0)
        check_stats(second.stats);
    else if (r != -EINVAL && r != -ENOMEM && r != -ENOSPC)
        abort();
    stats_free(second.stats);
}

static void check_end(struct span rest)
{
    struct run_phase phase = {.stats = fresh()};
    struct run_result into = {.total = fresh(), .phases = &phase, .n_phases = PHASES};
    enum run_verdict verdict;
    char reasons[RUN_REASONS_MAX][200];
    size_t n_reasons = 0;
    int r = results_read_end(rest, &into, &verdict, reasons, &n_reasons);
    if (r == 0) {
        if (verdict > RUN_INTERRUPTED || n_reasons > RUN_REASONS_MAX)
            abort();
        for (size_t i = 0; i < n_reasons; i++)
            if (strlen(reasons[i]) >= sizeof reasons[i])
                abort();
        check_stats(into.total);
    }
    stats_free(into.total);
    stats_free(phase.stats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span text = span_of((const char *)data, n);
    if (n == 0)
        return 0;
    if (data[0] == 'o')
        check_order(span_from(text, 1));
    else if (span_starts(text, SPAN("tick ")))
        check_second(span_from(text, 5));
    else if (span_starts(text, SPAN("end ")))
        check_end(span_from(text, 4));
    return 0;
}
