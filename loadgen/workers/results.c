#include "loadgen/workers/results.h"

#include <errno.h>

#include "lib/base/number.h"
#include "loadgen/hurl/base64.h"
#include "loadgen/workers/stats_codec.h"

static uint64_t ms_of(double seconds)
{
    return seconds > 0 ? (uint64_t)(seconds * 1000 + 0.5) : 0;
}

void results_tick(struct buf *out, const struct run_tick *t)
{
    bool warm = t->phase && t->phase->warmup;
    buf_printf(out, "tick %llu %llu %u %u %d ", (unsigned long long)ms_of(t->second),
               (unsigned long long)ms_of(t->interval_s), t->open, t->in_flight, warm);
    stats_encode(t->interval, out);
    buf_char(out, '\n');
}

void results_end(struct buf *out, const struct run_result *r)
{
    buf_printf(out, "end %d %llu %llu %u %u %u %zu ", (int)r->verdict, (unsigned long long)ms_of(r->duration_s),
               (unsigned long long)(r->cpu_ratio > 0 ? r->cpu_ratio * 1e6 : 0), r->cores, r->seconds, r->busy_seconds,
               r->n_reasons);
    for (size_t i = 0; i < r->n_reasons; i++) {
        buf_char(out, '.');
        base64_encode(out, span_str(r->reasons[i]), false);
        buf_char(out, ' ');
    }
    buf_printf(out, "%d %zu ", r->warmup != NULL, r->n_phases);
    stats_encode(r->total, out);
    if (r->warmup)
        stats_encode(r->warmup, out);
    for (size_t i = 0; i < r->n_phases; i++)
        stats_encode(r->phases[i].stats, out);
    buf_char(out, '\n');
}

static bool take_number(struct span *rest, uint64_t max, uint64_t *ret)
{
    struct span word;
    return take_word(rest, &word) && parse_u64_span(word, max, ret) == 0;
}

int results_read_tick(struct span rest, struct results_second *to)
{
    uint64_t second_ms, interval_ms, open, in_flight, warm;
    if (!take_number(&rest, UINT64_C(1) << 40, &second_ms) || !take_number(&rest, UINT64_C(1) << 40, &interval_ms) ||
        !take_number(&rest, UINT32_MAX, &open) || !take_number(&rest, UINT32_MAX, &in_flight) ||
        !take_number(&rest, 1, &warm))
        return -EINVAL;
    to->second = (double)second_ms / 1000;
    to->interval_s = (double)interval_ms / 1000;
    to->open = (unsigned)open;
    to->in_flight = (unsigned)in_flight;
    to->warm = warm;
    return stats_decode_add(&rest, to->stats);
}

int results_read_end(struct span rest, struct run_result *into, enum run_verdict *ret_verdict,
                     char reasons[RUN_REASONS_MAX][200], size_t *ret_reasons)
{
    uint64_t verdict, duration_ms, cpu, cores, seconds, busy, n, warm, phases;
    struct span word;
    if (!take_number(&rest, RUN_INTERRUPTED, &verdict) || !take_number(&rest, UINT64_C(1) << 40, &duration_ms) ||
        !take_number(&rest, UINT64_C(1) << 40, &cpu) || !take_number(&rest, 100000, &cores) ||
        !take_number(&rest, UINT32_MAX, &seconds) || !take_number(&rest, UINT32_MAX, &busy) ||
        !take_number(&rest, RUN_REASONS_MAX, &n))
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        struct buf text;
        buf_init(&text, sizeof reasons[i]);
        if (!take_word(&rest, &word) || base64_decode(&text, span_from(word, 1), false) < 0) {
            buf_done(&text);
            return -EINVAL;
        }
        snprintf(reasons[i], sizeof reasons[i], SPAN_FMT, SPAN_ARG(buf_view(&text)));
        buf_done(&text);
    }
    if (!take_number(&rest, 1, &warm) || !take_number(&rest, UINT32_MAX, &phases) || warm != (into->warmup != NULL) ||
        phases != into->n_phases)
        return -EINVAL;
    int r = stats_decode_add(&rest, into->total);
    if (r == 0 && warm)
        r = stats_decode_add(&rest, into->warmup);
    for (size_t i = 0; r == 0 && i < phases; i++)
        r = stats_decode_add(&rest, into->phases[i].stats);
    if (r < 0)
        return r;
    double duration_s = (double)duration_ms / 1000, cpu_ratio = (double)cpu / 1e6;
    into->duration_s = duration_s > into->duration_s ? duration_s : into->duration_s;
    into->cpu_ratio = cpu_ratio > into->cpu_ratio ? cpu_ratio : into->cpu_ratio; /* of the busiest */
    into->cores += (unsigned)cores;
    into->seconds += (unsigned)seconds;
    into->busy_seconds += (unsigned)busy;
    *ret_verdict = (enum run_verdict)verdict;
    *ret_reasons = n;
    return 0;
}
