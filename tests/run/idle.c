#include "tests/run/idle.h"

#include "lib/base/number.h"

enum { USER, NICE, SYSTEM, IDLE, IO_WAIT, INTERRUPTS, SOFT_INTERRUPTS, STOLEN, TIMES_N };

bool idle_due(const struct idle *i, int64_t now_us)
{
    return i->looked_us == 0 || now_us - i->looked_us >= IDLE_EVERY_US;
}

/* "cpu  10132153 290696 3084719 46828483 16683 0 25195 0 ..." in ticks: what follows is within the others. */
static bool read_times(struct span stat, uint64_t *ret_idle, uint64_t *ret_all)
{
    uint64_t times[TIMES_N], all = 0;
    struct span line, word;
    if (!span_cut(&stat, '\n', &line) || !span_starts(line, SPAN("cpu ")))
        return false;
    line = span_trim(span_from(line, 4));
    for (size_t i = 0; i < TIMES_N; i++) {
        if (!span_cut(&line, ' ', &word) || parse_u64_span(word, UINT64_MAX / TIMES_N, &times[i]) < 0)
            return false;
        all += times[i];
    }
    *ret_idle = times[IDLE]; /* who waits for the disk would wait longer with one more */
    *ret_all = all;
    return true;
}

bool idle_look(struct idle *i, struct span stat, int64_t now_us)
{
    struct idle before = *i;
    *i = (struct idle){.looked_us = now_us};
    return read_times(stat, &i->idle, &i->all) && before.all > 0 && i->idle >= before.idle && i->all > before.all &&
           i->idle - before.idle > (i->all - before.all) / 3;
}
