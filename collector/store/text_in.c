#include "collector/store/text_in.h"

#include <errno.h>

#include "lib/base/limits.h"
#include "lib/metric/exposition.h"
#include "lib/metric/native.h"

#define BATCH_SAMPLES 20000
#define BATCH_BYTES_MAX (64u << 20)

struct importing {
    struct text_import *i;
    struct parse_error *error;
    struct write_request *request;
    size_t samples, samples_cap, histograms_cap, exemplars_cap; /* of the request; room of its last series */
    struct span last;                                           /* the text that names its last series */
    int64_t last_start_ms;
    size_t series_cap, metadata_cap;
};

static int check_sample(void *ctx, const struct exposition_sample *s)
{
    struct importing *x = ctx;
    size_t at = (size_t)(s->series.ptr - x->i->text.ptr);
    const char *why;
    int r = labels_check(&s->labels, &why);
    if (r == 0 && !s->has_time) {
        why = "the sample has no time stamp: it cannot be known when it was";
        r = -EINVAL;
    }
    if (r < 0)
        parse_error_set(x->error, r, x->i->text.ptr, at, at + s->series.len, "%s", why);
    return r;
}

static int send_batch(struct importing *x)
{
    struct store_written written = {0};
    struct write_request *request = x->request;
    if (!request)
        return 0;
    x->request = NULL;
    x->last = SPAN("");
    int r = store_write(x->i->store, request, &written);
    if (r < 0) {
        write_request_free(request);
        return r;
    }
    x->i->samples += written.samples + written.histograms;
    x->i->exemplars += written.exemplars;
    x->i->exemplars_refused += written.refused[STORE_REFUSED_EXEMPLAR];
    for (size_t k = 0; k < STORE_REFUSED_REASONS; k++)
        x->i->refused += k == STORE_REFUSED_EXEMPLAR ? 0 : written.refused[k];
    if ((written.error || (x->i->refused && x->i->why[0] == '\0')) && written.why[0])
        (void)snprintf(x->i->why, sizeof x->i->why, "%s", written.why);
    return written.error;
}

static int need_request(struct importing *x)
{
    if (x->request)
        return 0;
    x->request = write_request_new(4 * (size_t)BATCH_BYTES_MAX);
    x->samples = x->series_cap = x->metadata_cap = 0;
    return x->request ? 0 : -ENOMEM;
}

/* Room for one more in an array of the request's arena. */
static void *grown(struct write_request *w, void *list, size_t n, size_t *cap, size_t size)
{
    if (list && n < *cap)
        return list;
    size_t more = n ? n * 2 : 8;
    void *bigger = arena_array(&w->arena, more, size);
    if (bigger && n)
        memcpy(bigger, list, n * size);
    if (bigger)
        *cap = more;
    return bigger;
}

static int new_series(struct importing *x, const struct exposition_sample *s)
{
    struct write_request *w = x->request;
    struct write_series *list = grown(w, w->series, w->n_series, &x->series_cap, sizeof *list);
    if (!list)
        return -ENOMEM;
    w->series = list;
    struct write_series *ws = &list[w->n_series];
    *ws = (struct write_series){0};
    int r = labels_copy(&w->arena, &s->labels, &ws->labels);
    if (r < 0)
        return r;
    w->n_series++;
    x->last = s->series;
    x->samples_cap = x->histograms_cap = x->exemplars_cap = 0;
    return 0;
}

static int add_histogram(struct importing *x, struct write_series *ws, const struct exposition_sample *s)
{
    struct native_histogram *copy;
    struct histogram_sample *histograms =
        grown(x->request, ws->histograms, ws->n_histograms, &x->histograms_cap, sizeof *histograms);
    if (!histograms || native_copy(&x->request->arena, s->histogram, &copy) < 0)
        return -ENOMEM;
    ws->histograms = histograms;
    ws->histograms[ws->n_histograms++] = (struct histogram_sample){s->t_ms, s->start_ms, copy};
    return 0;
}

static int add_float(struct importing *x, struct write_series *ws, const struct exposition_sample *s)
{
    struct sample *samples = grown(x->request, ws->samples, ws->n_samples, &x->samples_cap, sizeof *samples);
    if (!samples)
        return -ENOMEM;
    ws->samples = samples;
    ws->samples[ws->n_samples++] = (struct sample){s->t_ms, s->start_ms, s->value};
    return 0;
}

static int add_exemplar(struct importing *x, struct write_series *ws, const struct exemplar *from)
{
    struct exemplar *exemplars =
        grown(x->request, ws->exemplars, ws->n_exemplars, &x->exemplars_cap, sizeof *exemplars);
    if (!exemplars)
        return -ENOMEM;
    ws->exemplars = exemplars;
    struct exemplar *to = &exemplars[ws->n_exemplars];
    *to = (struct exemplar){.t_ms = from->t_ms, .value = from->value, .has_time = from->has_time};
    int r = labels_copy(&x->request->arena, &from->labels, &to->labels);
    if (r == 0)
        ws->n_exemplars++;
    return r;
}

static int take_sample(void *ctx, const struct exposition_sample *s)
{
    struct importing *x = ctx;
    int r = need_request(x);
    if (r == 0 && !span_equal(x->last, s->series))
        r = new_series(x, s);
    if (r < 0)
        return r;
    struct write_series *ws = &x->request->series[x->request->n_series - 1];
    r = s->histogram ? add_histogram(x, ws, s) : add_float(x, ws, s);
    if (r == 0 && s->exemplar)
        r = add_exemplar(x, ws, s->exemplar);
    if (r < 0)
        return r;
    if (++x->samples >= BATCH_SAMPLES || x->request->arena.used_bytes >= BATCH_BYTES_MAX)
        r = send_batch(x);
    return r;
}

static int take_metadata(void *ctx, const struct metadata *m)
{
    struct importing *x = ctx;
    int r = need_request(x);
    struct metadata *list =
        r == 0 ? grown(x->request, x->request->metadata, x->request->n_metadata, &x->metadata_cap, sizeof *list) : NULL;
    bool ok = list != NULL;
    if (!ok)
        return -ENOMEM;
    x->request->metadata = list;
    struct metadata copy = {.type = m->type, .name = arena_span(&x->request->arena, m->name, &ok)};
    if (ok)
        copy.unit = arena_span(&x->request->arena, m->unit, &ok);
    if (ok)
        copy.help = arena_span(&x->request->arena, m->help, &ok);
    if (!ok)
        return -ENOMEM;
    list[x->request->n_metadata++] = copy;
    return x->request->arena.used_bytes >= BATCH_BYTES_MAX ? send_batch(x) : 0;
}

int store_import(struct text_import *i, struct parse_error *ret_error)
{
    struct importing x = {.i = i, .error = ret_error};
    const struct exposition_events looks = {.ctx = &x, .sample = check_sample, .native_histograms = true};
    const struct exposition_events takes = {
        .ctx = &x, .sample = take_sample, .metadata = take_metadata, .native_histograms = true};
    i->why[0] = '\0';
    int r = exposition_parse(EXPOSITION_OPENMETRICS, i->text, &looks, ret_error);
    if (r == 0)
        r = exposition_parse(EXPOSITION_OPENMETRICS, i->text, &takes, ret_error);
    if (r == 0)
        r = send_batch(&x);
    write_request_free(x.request);
    if (r < 0 && !i->why[0])
        (void)snprintf(i->why, sizeof i->why, "%s", strerror(-r));
    return r;
}
