#include "loadgen/engine/trace.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

#define TRACE_SECONDS_MAX                                                                                              \
    94608000.0                /* three years, as replayed: a mistake beyond, and of a size that sums of phases hold */
#define EPOCH_SECONDS_MIN 1e8 /* 1973: nobody records a relative time of three years */

/* Microseconds; *ret_absolute: since 1970. */
MUST_USE static int read_time(struct span text, int64_t *ret_us, bool *ret_absolute)
{
    double seconds;
    int64_t ms;
    if (parse_f64_span(text, &seconds) == 0) {
        if (!(seconds >= 0 && seconds < 1e11))
            return -EINVAL;
        *ret_absolute = seconds >= EPOCH_SECONDS_MIN;
        *ret_us = (int64_t)(seconds * 1e6 + 0.5);
        return 0;
    }
    if (parse_rfc3339_ms(text, &ms) < 0)
        return -EINVAL;
    *ret_us = ms * 1000;
    *ret_absolute = true;
    return 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

MUST_USE static int add(struct trace *t, size_t *cap, int64_t us)
{
    if (t->n == *cap) {
        size_t more = *cap ? *cap * 2 : 1024;
        int64_t *at_us = realloc(t->at_us, more * sizeof *at_us);
        if (!at_us)
            return -ENOMEM;
        t->at_us = at_us;
        *cap = more;
    }
    t->at_us[t->n++] = us;
    return 0;
}

static int refuse(struct problems *ps, const char *name, uint32_t line, const char *why)
{
    problem_add(ps, PROBLEM_ERROR, name, line, line ? 1 : 0, "%s", why);
    return -EINVAL;
}

MUST_USE static int read_lines(const char *name, struct span text, struct trace *t, bool *ret_absolute,
                               struct problems *ps)
{
    struct span line;
    size_t cap = 0;
    bool header = true; /* one may still come */
    for (uint32_t number = 1; span_cut(&text, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        int64_t us;
        bool absolute, first = header;
        header = false;
        struct span field = span_trim(span_of(line.ptr, span_find(line, ',')));
        if (read_time(field, &us, &absolute) < 0) {
            if (first)
                continue;
            return refuse(ps, name, number, "expected seconds (12.5) or a time as 2026-11-27T00:00:00Z");
        }
        if (t->n && absolute != *ret_absolute)
            return refuse(ps, name, number, "times from the start and times of day in one file");
        if (t->n == PLAN_TRACE_MAX)
            return refuse(ps, name, number, "more arrivals than a trace may have");
        *ret_absolute = absolute;
        int r = add(t, &cap, us);
        if (r < 0)
            return r;
    }
    return t->n ? 0 : refuse(ps, name, 0, "no arrival stands in it");
}

int trace_parse(const char *name, struct span text, double speed, struct trace *ret, struct problems *problems)
{
    struct trace t = {0};
    bool absolute = false;
    int r = read_lines(name, text, &t, &absolute, problems);
    if (r < 0) {
        trace_done(&t);
        return r;
    }
    qsort(t.at_us, t.n, sizeof *t.at_us, by_time);
    int64_t origin_us = absolute ? t.at_us[0] : 0;
    if ((double)(t.at_us[t.n - 1] - origin_us) / speed > TRACE_SECONDS_MAX * 1e6) {
        trace_done(&t);
        return refuse(problems, name, 0, "the recording takes longer than three years: raise its 'speed'");
    }
    for (size_t i = 0; i < t.n; i++)
        t.at_us[i] = (int64_t)((double)(t.at_us[i] - origin_us) / speed);
    *ret = t;
    return 0;
}

int trace_load(const char *path, double speed, struct trace *ret, struct problems *problems)
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, PLAN_TRACE_BYTES_MAX, &text, &n);
    if (r < 0) {
        problem_add(problems, PROBLEM_ERROR, path, 0, 0, "cannot be read: %s", strerror(-r));
        return r == -ENOMEM ? r : -EINVAL;
    }
    struct trace t;
    r = trace_parse(path, span_of(text, n), speed, &t, problems);
    if (r < 0)
        return r;
    t.path = span_dup(span_str(path));
    if (!t.path) {
        trace_done(&t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

void trace_done(struct trace *t)
{
    free(t->at_us);
    free(t->path);
    *t = (struct trace){0};
}
