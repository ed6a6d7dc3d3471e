/* One request into the head and the log record: finds or makes its series, refuses what must be refused. */
#include <errno.h>

#include "collector/store/histogram_pack.h"
#include "collector/store/series_key.h"
#include "collector/store/store_inside.h"
#include "lib/base/buf.h"
#include "lib/metric/native_histogram.h"

static const char *const REFUSAL_TEXT[STORE_REFUSED_REASONS] = {
    [STORE_REFUSED_LABELS] = "invalid labels",
    [STORE_REFUSED_SERIES_CAP] = "the series limit is reached",
    [STORE_REFUSED_FUTURE] = "too far in the future",
    [STORE_REFUSED_DUPLICATE] = "duplicate timestamp, different value",
    [STORE_REFUSED_HISTOGRAM] = "invalid native histogram",
    [STORE_REFUSED_EXEMPLAR] = "exemplar not kept",
};

void store_refuse(const struct store *s, struct job *job, const struct write_series *ws, enum store_refusal reason,
                  uint64_t n, const char *detail)
{
    struct store_written *w = &job->written;
    w->refused[reason] += n;
    if (w->why[0] || n == 0)
        return;
    struct buf text;
    buf_init(&text, 4096); /* a long label set does not fit, which is fine: the start of it is told then */
    struct label pairs[LABELS_MAX];
    struct labels labels = ws->labels;
    if (ws->known)
        labels = series_labels(&s->index, series_index_at(&s->index, ws->known - 1), pairs);
    labels_format(&text, &labels);
    (void)snprintf(w->why, sizeof w->why, "%s%s%s: %s", REFUSAL_TEXT[reason], detail ? ": " : "", detail ? detail : "",
                   text.data ? text.data : "");
    buf_done(&text);
}

/* Tighter limits than labels.h's, when the configuration has some. */
static const char *over_limits(const struct store_config *c, const struct labels *labels)
{
    if (labels->n > c->labels_max)
        return "more labels than storage.limits allows";
    for (size_t i = 0; i < labels->n; i++) {
        if (labels->pairs[i].name.len > c->label_name_bytes_max)
            return "a label name is longer than storage.limits allows";
        if (labels->pairs[i].value.len > c->label_value_bytes_max)
            return "a label value is longer than storage.limits allows";
    }
    return NULL;
}

/* 0 and the id, or a refusal (positive, enum + 1), or -ENOMEM. known: only a series that is there already. */
static int resolve(struct store *s, const struct write_series *ws, bool known, uint32_t *ret_id,
                   const char **ret_detail)
{
    struct series_index *ix = &s->index;
    uint64_t hash = 0;
    if (LIKELY(ws->known)) {
        *ret_id = ws->known - 1;
        return 0;
    }
    if (ws->key.len && series_index_find_next(ix, &s->walk, ws->key, &hash, ret_id))
        return 0;
    buf_clear(&s->key);
    series_key_build(&s->key, &ws->labels);
    struct span key = buf_view(&s->key);
    if (buf_error(&s->key) == -ENOMEM)
        return -ENOMEM;
    const char *why = buf_error(&s->key) ? "label set too large" : ws->labels.n == 0 ? "empty label set" : NULL;
    if (why || labels_check(&ws->labels, &why) < 0) {
        *ret_detail = why;
        return STORE_REFUSED_LABELS + 1;
    }
    if (!span_equal(
            key, ws->key)) { /* it came without a key, or its labels were not in order: then known by the right one */
        hash = series_index_hash(ix, key);
        if (series_index_find(ix, key, hash, ret_id))
            return 0;
    }
    if (known) {
        *ret_detail = "its series has no samples";
        return STORE_REFUSED_EXEMPLAR + 1;
    }
    why = over_limits(&s->config, &ws->labels);
    if (why) {
        *ret_detail = why;
        return STORE_REFUSED_LABELS + 1;
    }
    int r = series_index_add(ix, &ws->labels, key, hash, ret_id);
    if (r == 0 && s->n_watched)
        store_watch_series(s, series_index_at(ix, *ret_id));
    return r == -ENOSPC ? STORE_REFUSED_SERIES_CAP + 1 : r;
}

bool store_find_float(struct store *s, uint32_t id, int64_t t_ms, uint64_t *ret_bits)
{
    if (head_find(s->view.active, id, t_ms, ret_bits))
        return true;
    if (s->view.frozen && head_find(s->view.frozen, id, t_ms, ret_bits))
        return true;
    return store_sealed_value(s, id, t_ms, ret_bits) == 0;
}

static void note_accepted(struct store *s, const struct job *job, struct series *series, int64_t t_ms)
{
    if (t_ms > series->max_ms)
        series->max_ms = t_ms;
    if (t_ms > s->commit_newest_ms)
        s->commit_newest_ms = t_ms;
    if (t_ms < s->commit_oldest_ms)
        s->commit_oldest_ms = t_ms;
    if (!job->request->derived && t_ms > s->commit_scraped_newest_ms)
        s->commit_scraped_newest_ms = t_ms;
    if (UNLIKELY(series->watch) && !job->request->derived && t_ms > s->watched_ms[series->watch - 1])
        s->watched_ms[series->watch - 1] = t_ms;
    s->commit_samples++;
}

/* 1: known already, and refused when it is another one; 0: it is not known. */
static int is_known(struct store *s, struct job *job, const struct write_series *ws, uint32_t id,
                    const struct sample *sample)
{
    uint64_t bits;
    if (store_find_float(s, id, sample->t_ms, &bits)) {
        if (bits == f64_bits(sample->value)) {
            job->written.samples++;
            store_count(s, COUNT_DUPLICATES, 1);
            return 1;
        }
    } else if (store_find_histogram(s, id, sample->t_ms, SPAN("")) == 0) {
        return 0;
    }
    store_refuse(s, job, ws, STORE_REFUSED_DUPLICATE, 1, NULL);
    return 1;
}

static int accept(struct store *s, struct job *job, const struct write_series *ws, uint32_t id, struct series *series,
                  const struct sample *sample)
{
    if (UNLIKELY(sample->t_ms <= series->max_ms) && is_known(s, job, ws, id, sample))
        return 0;
    int r = head_append(s->view.active, id, sample, s->seq);
    if (r < 0)
        return r;
    if (s->db)
        headlog_add(&s->log, &s->log_bases, id, sample);
    note_accepted(s, job, series, sample->t_ms);
    job->written.samples++;
    return 0;
}

static int accept_histogram(struct store *s, struct job *job, const struct write_series *ws, uint32_t id,
                            struct series *series, const struct histogram_sample *sample)
{
    const char *why = NULL;
    if (native_histogram_check(sample->histogram, &why) < 0 || histogram_pack_check(sample->histogram, &why) < 0) {
        store_refuse(s, job, ws, STORE_REFUSED_HISTOGRAM, 1, why);
        return 0;
    }
    if (!s->packed && !(s->packed = malloc(HISTOGRAM_PACK_BYTES_MAX)))
        return -ENOMEM;
    struct histogram_item item = {.t_ms = sample->t_ms, .start_ms = sample->start_ms, .bytes = s->packed};
    item.n_bytes = (size_t)(histogram_pack(s->packed, sample->histogram) - s->packed);
    uint64_t bits;
    int known = 0;
    if (sample->t_ms <= series->max_ms) {
        known = store_find_histogram(s, id, sample->t_ms, span_of((const char *)item.bytes, item.n_bytes));
        if (known == 0 && store_find_float(s, id, sample->t_ms, &bits))
            known = 1;
    }
    if (known == 1)
        store_refuse(s, job, ws, STORE_REFUSED_DUPLICATE, 1, NULL);
    if (known == 2) {
        job->written.histograms++;
        store_count(s, COUNT_DUPLICATES, 1);
    }
    if (known)
        return 0;
    int r = head_append_histogram(s->view.active, id, &item, s->seq);
    if (r < 0)
        return r;
    if (s->db)
        histogram_log_add(&s->histlog, id, &item);
    note_accepted(s, job, series, sample->t_ms);
    job->written.histograms++;
    return 0;
}

/* 1: *ret_series is set; 0: it was refused, with all that is left of its samples; -ENOMEM. */
static int need_series(struct store *s, struct job *job, const struct write_series *ws, size_t left, uint32_t *ret_id,
                       struct series **ret_series)
{
    const char *detail = NULL;
    if (*ret_series)
        return 1;
    int r = resolve(s, ws, false, ret_id, &detail);
    if (r > 0)
        store_refuse(s, job, ws, (enum store_refusal)(r - 1), left, detail);
    if (r == 0)
        *ret_series = series_index_at(&s->index, *ret_id);
    return r < 0 ? r : r == 0;
}

/* An exemplar without a time is about the sample that it came with. */
static int64_t exemplar_time(const struct write_series *ws, const struct exemplar *x)
{
    return x->has_time        ? x->t_ms
           : ws->n_histograms ? ws->histograms[ws->n_histograms - 1].t_ms
           : ws->n_samples    ? ws->samples[ws->n_samples - 1].t_ms
                              : x->t_ms;
}

static int ingest_exemplars(struct store *s, struct job *job, const struct write_series *ws, int64_t latest_ms)
{
    static const char *const WHY[] = {
        [EXEMPLAR_OUT_OF_ORDER] = "out of order", [EXEMPLAR_TOO_LONG] = "its labels have more than 128 characters"};
    uint32_t id = 0;
    const char *detail = NULL;
    int r = resolve(s, ws, true, &id, &detail);
    if (r > 0)
        store_refuse(s, job, ws, STORE_REFUSED_EXEMPLAR, ws->n_exemplars, detail);
    for (size_t i = 0; r == 0 && i < ws->n_exemplars; i++) {
        const struct exemplar *x = &ws->exemplars[i];
        int64_t t_ms = exemplar_time(ws, x);
        int answer = t_ms > latest_ms ? 0 : exemplars_append(s->exemplars, id, x, t_ms);
        if (answer < 0)
            return answer;
        if (t_ms > latest_ms || answer >= EXEMPLAR_OUT_OF_ORDER)
            store_refuse(s, job, ws, STORE_REFUSED_EXEMPLAR, 1,
                         t_ms > latest_ms ? "too far in the future" : WHY[answer]);
        else
            job->written.exemplars++;
    }
    return r < 0 ? r : 0;
}

static int ingest_series(struct store *s, struct job *job, const struct write_series *ws, int64_t latest_ms)
{
    struct series *series = NULL; /* one without an acceptable sample is not made */
    uint32_t id = 0;
    int r = 1;
    for (size_t i = 0; r > 0 && i < ws->n_samples; i++) {
        if (ws->samples[i].t_ms > latest_ms) {
            store_refuse(s, job, ws, STORE_REFUSED_FUTURE, 1, NULL);
            continue;
        }
        r = need_series(s, job, ws, ws->n_samples - i + ws->n_histograms, &id, &series);
        if (r > 0 && accept(s, job, ws, id, series, &ws->samples[i]) < 0)
            r = -ENOMEM;
    }
    for (size_t i = 0; r > 0 && i < ws->n_histograms; i++) {
        if (ws->histograms[i].t_ms > latest_ms) {
            store_refuse(s, job, ws, STORE_REFUSED_FUTURE, 1, NULL);
            continue;
        }
        r = need_series(s, job, ws, ws->n_histograms - i, &id, &series);
        if (r > 0 && accept_histogram(s, job, ws, id, series, &ws->histograms[i]) < 0)
            r = -ENOMEM;
    }
    if (r >= 0 && ws->n_exemplars)
        r = ingest_exemplars(s, job, ws, latest_ms);
    return r < 0 ? r : 0;
}

/* Samples of a run lie far apart in the head, in memory that no cache has any more: it is asked for while those before are dealt with. */
#define AHEAD_BLOCK 16u
#define AHEAD_END 8u
static int ingest_run(struct store *s, struct job *job, const struct write_series *ws, int64_t latest_ms)
{
    struct write_series one = {.n_samples = 1};
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < ws->n_samples; i++) {
        uint32_t id = ws->run[i], left = ws->n_samples - i;
        if (left > AHEAD_BLOCK)
            head_expect(s->view.active, ws->run[i + AHEAD_BLOCK]);
        if (left > AHEAD_END)
            head_expect_end(s->view.active, ws->run[i + AHEAD_END]);
        one.known = id + 1;
        if (UNLIKELY(ws->samples[i].t_ms > latest_ms))
            store_refuse(s, job, &one, STORE_REFUSED_FUTURE, 1, NULL);
        else
            r = accept(s, job, &one, id, series_index_at(&s->index, id), &ws->samples[i]);
    }
    return r;
}

int store_ingest(struct store *s, struct job *job)
{
    const struct write_request *request = job->request;
    int64_t ahead_ms = s->config.future_ms_max, latest_ms = INT64_MAX;
    if (ahead_ms >= 0 && __builtin_add_overflow(store_now_ms(s), ahead_ms, &latest_ms))
        latest_ms = INT64_MAX;
    for (size_t i = 0; i < request->n_series; i++) {
        const struct write_series *ws = &request->series[i];
        int r = ws->run ? ingest_run(s, job, ws, latest_ms) : ingest_series(s, job, ws, latest_ms);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < request->n_metadata; i++) {
        int r = families_put(&s->families, &request->metadata[i], s->db == NULL);
        if (r < 0)
            return r;
    }
    return 0;
}
