#include "tui/history.h"

#include <math.h>

struct track {
    int64_t newest_s;
    float ring[HISTORY_SECONDS];
};

void history_init(struct history *h)
{
    strmap_init(&h->tracks, HISTORY_TRACKS_MAX);
}

void history_done(struct history *h)
{
    size_t at = 0;
    struct span key;
    void *track;
    while (strmap_next(&h->tracks, &at, &key, &track))
        free(track);
    strmap_done(&h->tracks);
}

void history_clear(struct history *h)
{
    history_done(h);
    history_init(h);
}

static struct track *track_for_writing(struct history *h, const char *key, int64_t s)
{
    struct track *t = strmap_get(&h->tracks, span_str(key));
    if (t)
        return t;
    t = malloc(sizeof *t);
    if (!t)
        return NULL;
    t->newest_s = s;
    for (size_t i = 0; i < HISTORY_SECONDS; i++)
        t->ring[i] = NAN;
    if (strmap_put(&h->tracks, span_str(key), t) < 0) { /* full: this line has no graph */
        free(t);
        return NULL;
    }
    return t;
}

void history_note(struct history *h, const char *key, int64_t t_ms, double value)
{
    int64_t s = t_ms / 1000;
    if (!isfinite(value) || s < 0)
        return;
    struct track *t = track_for_writing(h, key, s);
    if (!t || s <= t->newest_s - (int64_t)HISTORY_SECONDS)
        return;
    if (s - t->newest_s >= (int64_t)HISTORY_SECONDS)
        t->newest_s = s - (int64_t)HISTORY_SECONDS;
    while (t->newest_s < s)
        t->ring[(uint64_t)++t->newest_s % HISTORY_SECONDS] = NAN;
    t->ring[(uint64_t)s % HISTORY_SECONDS] = (float)value;
}

static double value_at(const struct track *t, int64_t s)
{
    if (s < 0 || s > t->newest_s || s <= t->newest_s - (int64_t)HISTORY_SECONDS)
        return NAN;
    return (double)t->ring[(uint64_t)s % HISTORY_SECONDS];
}

/* Floor of a quotient. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t width_of(unsigned seconds, size_t columns)
{
    int64_t width_ms = columns ? (int64_t)seconds * 1000 / (int64_t)columns : 1000;
    return width_ms > 0 ? width_ms : 1;
}

int64_t history_end_ms(int64_t to_ms, unsigned seconds, size_t columns)
{
    int64_t width_ms = width_of(seconds, columns);
    return (floor_div(floor_div(to_ms, 1000) * 1000, width_ms) + 1) * width_ms;
}

static void add_window(const struct track *t, int64_t to_ms, unsigned seconds, size_t columns, double *out)
{
    int64_t width_ms = width_of(seconds, columns),
            start_ms = history_end_ms(to_ms, seconds, columns) - width_ms * (int64_t)columns, to_s = to_ms / 1000;
    for (size_t c = 0; c < columns; c++) {
        int64_t column_ms = start_ms + (int64_t)c * width_ms;
        int64_t from = floor_div(column_ms + 999, 1000), end = floor_div(column_ms + width_ms + 999, 1000);
        if (end <= from) /* narrower than a second: the one that it lies in */
            end = (from = floor_div(column_ms, 1000)) + 1;
        double sum = 0;
        unsigned n = 0;
        for (int64_t s = from; s < end && s <= to_s; s++) {
            double v = value_at(t, s);
            if (isnan(v))
                v = value_at(t, s - 1);
            if (!isnan(v)) {
                sum += v;
                n++;
            }
        }
        if (n > 0)
            out[c] = (isnan(out[c]) ? 0 : out[c]) + sum / n;
    }
}

static size_t known(const double *out, size_t columns)
{
    size_t n = 0;
    for (size_t c = 0; c < columns; c++)
        n += isnan(out[c]) ? 0 : 1;
    return n;
}

size_t history_window(const struct history *h, const char *key, int64_t to_ms, unsigned seconds, size_t columns,
                      double *out)
{
    for (size_t c = 0; c < columns; c++)
        out[c] = NAN;
    const struct track *t = strmap_get(&h->tracks, span_str(key));
    if (t)
        add_window(t, to_ms, seconds, columns, out);
    return known(out, columns);
}

size_t history_window_sum(const struct history *h, const char *prefix, const char *suffix, int64_t to_ms,
                          unsigned seconds, size_t columns, double *out)
{
    for (size_t c = 0; c < columns; c++)
        out[c] = NAN;
    size_t at = 0;
    struct span key;
    void *track;
    while (strmap_next(&h->tracks, &at, &key, &track))
        if (span_starts(key, span_str(prefix)) && key.len >= strlen(suffix) &&
            span_equal(span_from(key, key.len - strlen(suffix)), span_str(suffix)))
            add_window(track, to_ms, seconds, columns, out);
    return known(out, columns);
}
