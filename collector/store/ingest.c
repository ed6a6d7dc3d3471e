/* One request into the head and the log record: finds or makes its series, refuses what must be refused. */
#include <errno.h>

#include "collector/store/series_key.h"
#include "collector/store/store_inside.h"
#include "lib/base/buf.h"

static const char *const REFUSAL_TEXT[STORE_REFUSED_REASONS] = {
    [STORE_REFUSED_LABELS] = "invalid labels",
    [STORE_REFUSED_SERIES_CAP] = "the series limit is reached",
    [STORE_REFUSED_FUTURE] = "too far in the future",
    [STORE_REFUSED_DUPLICATE] = "duplicate timestamp, different value",
    [STORE_REFUSED_UNSUPPORTED] = "native histograms and exemplars are not stored yet",
};

static void refuse(const struct store *s, struct job *job, const struct write_series *ws, enum store_refusal reason,
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

/* 0 and the id, or a refusal (positive, enum + 1), or -ENOMEM. */
static int resolve(struct store *s, const struct write_series *ws, uint32_t *ret_id, const char **ret_detail)
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
    why = over_limits(&s->config, &ws->labels);
    if (why) {
        *ret_detail = why;
        return STORE_REFUSED_LABELS + 1;
    }
    int r = series_index_add(ix, &ws->labels, hash, ret_id);
    if (r == 0 && s->n_watched)
        store_watch_series(s, series_index_at(ix, *ret_id));
    return r == -ENOSPC ? STORE_REFUSED_SERIES_CAP + 1 : r;
}

/* Is there a sample at that time already, in the heads or sealed? 1, 0. Damaged or unreadable extents cannot tell and count as
 * "no": the reader merges what is doubled. */
static int find_sample(struct store *s, uint32_t id, int64_t t_ms, uint64_t *ret_bits)
{
    if (head_find(s->view.active, id, t_ms, ret_bits))
        return 1;
    if (s->view.frozen && head_find(s->view.frozen, id, t_ms, ret_bits))
        return 1;
    return store_sealed_value(s, id, t_ms, ret_bits) == 0;
}

static int accept(struct store *s, struct job *job, const struct write_series *ws, uint32_t id, struct series *series,
                  const struct sample *sample)
{
    uint64_t bits;
    if (UNLIKELY(sample->t_ms <= series->max_ms) && find_sample(s, id, sample->t_ms, &bits)) {
        if (bits == f64_bits(sample->value)) {
            job->written.samples++;
            store_count(s, COUNT_DUPLICATES, 1);
        } else {
            refuse(s, job, ws, STORE_REFUSED_DUPLICATE, 1, NULL);
        }
        return 0;
    }
    int r = head_append(s->view.active, id, sample, s->seq);
    if (r < 0)
        return r;
    if (s->db)
        headlog_add(&s->log, &s->log_bases, id, sample);
    if (sample->t_ms > series->max_ms)
        series->max_ms = sample->t_ms;
    if (sample->t_ms > s->commit_newest_ms)
        s->commit_newest_ms = sample->t_ms;
    if (sample->t_ms < s->commit_oldest_ms)
        s->commit_oldest_ms = sample->t_ms;
    if (!job->request->derived && sample->t_ms > s->commit_scraped_newest_ms)
        s->commit_scraped_newest_ms = sample->t_ms;
    if (UNLIKELY(series->watch) && !job->request->derived && sample->t_ms > s->watched_ms[series->watch - 1])
        s->watched_ms[series->watch - 1] = sample->t_ms;
    s->commit_samples++;
    job->written.samples++;
    return 0;
}

static int ingest_series(struct store *s, struct job *job, const struct write_series *ws, int64_t latest_ms)
{
    refuse(s, job, ws, STORE_REFUSED_UNSUPPORTED, ws->n_histograms + ws->n_exemplars, NULL);
    struct series *series = NULL;
    uint32_t id = 0;
    for (size_t i = 0; i < ws->n_samples; i++) {
        if (ws->samples[i].t_ms > latest_ms) {
            refuse(s, job, ws, STORE_REFUSED_FUTURE, 1, NULL);
            continue;
        }
        if (!series) { /* only now: a series without an acceptable sample is not made */
            const char *detail = NULL;
            int r = resolve(s, ws, &id, &detail);
            if (r > 0)
                refuse(s, job, ws, (enum store_refusal)(r - 1), ws->n_samples - i, detail);
            if (r != 0)
                return r < 0 ? r : 0;
            series = series_index_at(&s->index, id);
        }
        int r = accept(s, job, ws, id, series, &ws->samples[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int store_ingest(struct store *s, struct job *job)
{
    const struct write_request *request = job->request;
    int64_t ahead_ms = s->config.future_ms_max, latest_ms = INT64_MAX;
    if (ahead_ms >= 0 && __builtin_add_overflow(store_now_ms(s), ahead_ms, &latest_ms))
        latest_ms = INT64_MAX;
    for (size_t i = 0; i < request->n_series; i++) {
        int r = ingest_series(s, job, &request->series[i], latest_ms);
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
