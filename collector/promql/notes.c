/* notes.c - warnings and infos of a query: each text once, with the place that it is about. */
#include <errno.h>
#include <stdarg.h>
#include <time.h>

#include "collector/promql/eval.h"
#include "lib/base/number.h"

#define NOTES_MAX 200u /* of a query; a bigger number says nothing more */

static int add_note(struct eval *ev, struct note **list, const char *kind, const struct promql_expr *place,
                    const char *format, va_list args)
{
    char text[PROBLEM_TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    char *whole = arena_printf(&ev->arena, "%s: %s (%u:%u)", kind, text, place->line, place->column);
    if (!whole)
        return -ENOMEM;
    struct note **last = list;
    for (; *last; last = &(*last)->next)
        if (strcmp((*last)->text, whole) == 0)
            return 0;
    if (ev->n_notes >= NOTES_MAX)
        return 0;
    struct note *note = arena_alloc(&ev->arena, sizeof *note);
    if (!note)
        return -ENOMEM;
    note->text = whole;
    *last = note;
    ev->n_notes++;
    return 0;
}

int eval_warn(struct eval *ev, const struct promql_expr *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int r = add_note(ev, &ev->warnings, "PromQL warning", place, format, args);
    va_end(args);
    return r;
}

int eval_info(struct eval *ev, const struct promql_expr *place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int r = add_note(ev, &ev->infos, "PromQL info", place, format, args);
    va_end(args);
    return r;
}

/* ---- infos that sum up ---- */

struct lifted_note {
    const struct promql_expr *place;
    struct span metric;
    struct lifted all;
    uint64_t samples;
    int64_t first_ms, last_ms;
    struct lifted_note *next;
};

int eval_info_lifted(struct eval *ev, const struct promql_expr *place, struct span metric, int64_t time_ms,
                     const struct lifted *l)
{
    struct lifted_note **n = &ev->lifted;
    size_t count = 0;
    while (*n && !((*n)->place == place && span_equal((*n)->metric, metric))) {
        n = &(*n)->next;
        count++;
    }
    if (!*n) {
        if (count >= NOTES_MAX)
            return 0;
        *n = arena_alloc(&ev->arena, sizeof **n);
        if (!*n)
            return -ENOMEM;
        **n = (struct lifted_note){.place = place, .metric = metric, .first_ms = time_ms, .last_ms = time_ms};
    }
    lifted_add(&(*n)->all, l->min_bucket, l->max_difference);
    lifted_add(&(*n)->all, l->max_bucket, l->max_difference);
    (*n)->samples++;
    (*n)->first_ms = time_ms < (*n)->first_ms ? time_ms : (*n)->first_ms;
    (*n)->last_ms = time_ms > (*n)->last_ms ? time_ms : (*n)->last_ms;
    return 0;
}

static void format_second(char text[32], int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm t;
    if (!gmtime_r(&seconds, &t) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &t) == 0)
        snprintf(text, 32, "%lld", (long long)(time_ms / 1000));
}

int eval_close_notes(struct eval *ev)
{
    for (const struct lifted_note *n = ev->lifted; n; n = n->next) {
        char from[NUMBER_TEXT_MAX], to[NUMBER_TEXT_MAX], start[32], end[32], metric[256] = "";
        format_f64_g(from, n->all.min_bucket);
        format_f64_g(to, n->all.max_bucket);
        format_second(start, n->first_ms);
        format_second(end, n->last_ms);
        if (n->metric.len)
            snprintf(metric, sizeof metric, " for metric name \"" SPAN_FMT "\"", SPAN_ARG(n->metric));
        int r =
            eval_info(ev, n->place,
                      "input to histogram_quantile needed to be fixed for monotonicity (see "
                      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)%s, from "
                      "buckets %s to %s, with a max diff of %.2g, over %llu samples from %s to %s",
                      metric, from, to, n->all.max_difference, (unsigned long long)n->samples, start, end);
        if (r < 0)
            return r;
    }
    ev->lifted = NULL;
    return 0;
}
