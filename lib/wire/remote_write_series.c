/* One TimeSeries of a write request: labels, samples, exemplars. */
#include "lib/wire/remote_write_decode.h"

#include <errno.h>

#include "lib/base/limits.h"

static void *pool_keep(struct pool *p, size_t n)
{
    void *items = p->items;
    if (n == 0) /* there may be no pool yet */
        return NULL;
    p->items += n * p->item_bytes;
    p->left -= n;
    return items;
}

/* ---- labels ----------------------------------------------------------------------------------------------- */

static void reject(struct decoder *d, const struct labels *labels, const char *why)
{
    if (d->report->why[0] != '\0')
        return;
    struct span name = labels_get(labels, SPAN("__name__"));
    if (name.len > 0 && name.len <= 200 && span_is_utf8(name))
        snprintf(d->report->why, sizeof d->report->why, "series %llu (" SPAN_FMT "): %s",
                 (unsigned long long)d->series_seen, SPAN_ARG(name), why);
    else
        snprintf(d->report->why, sizeof d->report->why, "series %llu: %s", (unsigned long long)d->series_seen, why);
}

/* Insertion: senders sort, so this is for the few that do not. */
static void sort_labels(struct label *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct label l = pairs[i];
        size_t at = i;
        for (; at > 0 && span_compare(pairs[at - 1].name, l.name) > 0; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = l;
    }
}

static bool is_ascii(const unsigned char *p, const unsigned char *end)
{
    uint64_t high = 0, word;
    for (; end - p >= 8; p += 8) {
        memcpy(&word, p, 8);
        high |= word;
    }
    for (; p < end; p++)
        high |= *p;
    return !(high & 0x8080808080808080u);
}

/* The common case in one look: sorted, within the limits, and all bytes known to be good UTF-8. */
static bool clearly_fine(const struct labels *ls)
{
    if (ls->n == 0 || ls->n > LABELS_MAX)
        return false;
    for (size_t i = 0; i < ls->n; i++) {
        const struct label *l = &ls->pairs[i];
        if (l->name.len == 0 || l->name.len > LABEL_NAME_BYTES_MAX || l->value.len > LABEL_VALUE_BYTES_MAX)
            return false;
        if (i && span_compare(ls->pairs[i - 1].name, l->name) >= 0)
            return false;
    }
    return true;
}

/* Sorted and valid after this, or the reason why not. utf8_known: the bytes were looked at already. */
MUST_USE static int settle_labels(struct labels *ls, bool utf8_known, const char **ret_why)
{
    if (LIKELY(utf8_known && clearly_fine(ls)))
        return 0;
    if (ls->n == 0) {
        *ret_why = "no labels";
        return -EINVAL;
    }
    sort_labels(ls->pairs, ls->n);
    return labels_check(ls, ret_why);
}

/* Label { string name = 1; string value = 2; } */
MUST_USE static bool decode_label(struct pb *in, struct label *ret)
{
    struct pb m;
    uint32_t field, type;
    struct label l = {{"", 0}, {"", 0}};
    if (!pb_bytes(in, &m))
        return false;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return false;
        bool ok = field == 1 && type == PB_BYTES   ? pb_span(&m, &l.name)
                  : field == 2 && type == PB_BYTES ? pb_span(&m, &l.value)
                  : field <= 2                     ? false
                                                   : pb_skip(&m, type);
        if (!ok)
            return false;
    }
    *ret = l;
    return true;
}

/* Append to pairs[*n]; beyond LABELS_MAX they are only counted. A label with an empty value is the same as none. */
static void keep_label(struct label *pairs, size_t *n, const struct label *l)
{
    if (l->value.len == 0 && l->name.len > 0)
        return;
    if (*n < LABELS_MAX)
        pairs[*n] = *l;
    ++*n;
}

/* repeated uint32 labels_refs = 1, packed or not: name and value in turn. */
struct references {
    struct label label;
    bool have_name;
};
MUST_USE static int take_reference(struct decoder *d, struct references *refs, uint64_t ref, struct label *pairs,
                                   size_t *n)
{
    if (ref >= d->n_symbols)
        return -EBADMSG;
    if (!refs->have_name) {
        refs->label.name = d->symbols[ref];
    } else {
        refs->label.value = d->symbols[ref];
        keep_label(pairs, n, &refs->label);
    }
    refs->have_name = !refs->have_name;
    return 0;
}

MUST_USE static int decode_references(struct decoder *d, struct pb *in, uint32_t type, struct references *refs,
                                      struct label *pairs, size_t *n)
{
    uint64_t ref;
    if (type == PB_VARINT)
        return pb_varint(in, &ref) ? take_reference(d, refs, ref, pairs, n) : -EBADMSG;
    struct pb packed;
    if (type != PB_BYTES || !pb_bytes(in, &packed))
        return -EBADMSG;
    while (pb_more(&packed)) {
        int r = pb_varint(&packed, &ref) ? take_reference(d, refs, ref, pairs, n) : -EBADMSG;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- samples, exemplars ----------------------------------------------------------------------------------- */

/* Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; } (3 in 2.0 only) */
MUST_USE static bool decode_sample(struct pb *in, struct sample *ret)
{
    struct pb m;
    uint32_t field, type;
    struct sample s = {0};
    if (!pb_bytes(in, &m))
        return false;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return false;
        bool ok = field == 1 && type == PB_FIXED64  ? pb_double(&m, &s.value)
                  : field == 2 && type == PB_VARINT ? pb_int64(&m, &s.t_ms)
                  : field == 3 && type == PB_VARINT ? pb_int64(&m, &s.start_ms)
                  : field <= 2                      ? false
                                                    : pb_skip(&m, type);
        if (!ok)
            return false;
    }
    *ret = s;
    return true;
}

/* Exemplar { repeated Label labels = 1 (2.0: labels_refs); double value = 2; int64 timestamp = 3; } -EINVAL: its labels
 * break the rules; it is left out alone. */
MUST_USE static int decode_exemplar(struct decoder *d, struct pb *in, struct exemplar *ret)
{
    struct pb m;
    uint32_t field, type;
    struct exemplar x = {0};
    struct label scratch[LABELS_MAX], label;
    struct references refs = {0};
    size_t n = 0;
    if (!pb_bytes(in, &m))
        return -EBADMSG;
    while (pb_more(&m)) {
        if (!pb_tag(&m, &field, &type))
            return -EBADMSG;
        bool ok = true;
        if (field == 1 && d->symbols) {
            int r = decode_references(d, &m, type, &refs, scratch, &n);
            if (r < 0)
                return r;
        } else if (field == 1) {
            ok = type == PB_BYTES && decode_label(&m, &label);
            if (ok)
                keep_label(scratch, &n, &label);
        } else if (field == 2) {
            ok = type == PB_FIXED64 && pb_double(&m, &x.value);
        } else if (field == 3) {
            ok = type == PB_VARINT && pb_int64(&m, &x.t_ms);
        } else {
            ok = pb_skip(&m, type);
        }
        if (!ok)
            return -EBADMSG;
    }
    if (refs.have_name)
        return -EBADMSG;
    const char *why;
    struct labels ls = {scratch, n};
    if (n > LABELS_MAX || (n > 0 && settle_labels(&ls, false, &why) < 0))
        return -EINVAL;
    int error = 0;
    x.labels.pairs = decoder_alloc(d, n, sizeof *scratch, &error);
    if (!x.labels.pairs)
        return error;
    if (n)
        memcpy(x.labels.pairs, scratch, n * sizeof *scratch);
    x.labels.n = n;
    x.has_time = x.t_ms != 0;
    *ret = x;
    return 0;
}

/* ---- series ----------------------------------------------------------------------------------------------- */

const struct series_fields SERIES_FIELDS_1 = {.number = 1, .labels = 1, .samples = 2, .exemplars = 3, .histograms = 4};
const struct series_fields SERIES_FIELDS_2 = {
    .number = 5, .labels = 1, .samples = 2, .histograms = 3, .exemplars = 4, .metadata = 5, .created = 6};

struct series_state {
    struct write_series s;
    const unsigned char *labels_start, *labels_end;
    bool labels_apart; /* other fields stand between them: no key */
    struct references refs;
    struct series_metadata metadata;
    int64_t created_ms; /* 2.0 before samples had start times of their own: of those that have none */
};

/* The labels of a message whose labels come first and together, as senders write them; empty otherwise. Fields are only stepped over. */
static struct span labels_in_front(struct pb m)
{
    const unsigned char *start = m.at, *end = NULL;
    uint32_t field, type;
    while (pb_more(&m)) {
        const unsigned char *at = m.at;
        if (!pb_tag(&m, &field, &type) || !pb_skip(&m, type))
            return span_of(NULL, 0);
        if (field != SERIES_FIELDS_1.labels)
            end = end ? end : at;
        else if (end || type != PB_BYTES)
            return span_of(NULL, 0);
    }
    return span_of((const char *)start, (size_t)((end ? end : m.end) - start));
}

static bool is_known(struct decoder *d, struct pb *m, struct write_series *s)
{
    struct span key = labels_in_front(*m);
    uint32_t id;
    if (key.len == 0 || !d->known->find(d->known->ctx, key, &id))
        return false;
    s->known = id + 1;
    s->key = key;
    m->at += key.len;
    return true;
}

/* Of a known series, for words. */
static struct labels labels_of_key(struct span key, struct label pairs[LABELS_MAX])
{
    struct pb in = {(const unsigned char *)key.ptr, (const unsigned char *)key.ptr + key.len};
    uint32_t field, type;
    size_t n = 0;
    while (n < LABELS_MAX && pb_more(&in) && pb_tag(&in, &field, &type) && decode_label(&in, &pairs[n]))
        n++;
    return (struct labels){pairs, n};
}

MUST_USE static int decode_one_histogram(struct decoder *d, struct pb *in, struct series_state *st)
{
    struct pb message;
    struct histogram_sample h = {0};
    const char *why = NULL;
    if (!pb_bytes(in, &message))
        return -EBADMSG;
    int r = decode_histogram(d, message, &h, &why);
    if (r == -EINVAL) {
        struct label scratch[LABELS_MAX];
        struct labels labels = {(struct label *)d->labels.items, st->s.labels.n};
        if (st->s.known)
            labels = labels_of_key(st->s.key, scratch);
        if (labels.n > LABELS_MAX)
            labels.n = 0;
        reject(d, &labels, why);
        d->report->rejected_samples++;
        d->report->rejected_histograms++;
        return 0;
    }
    if (r == 0)
        r = pool_more(d, &d->histograms, st->s.n_histograms, 1);
    if (r == 0)
        ((struct histogram_sample *)d->histograms.items)[st->s.n_histograms++] = h;
    return r;
}

MUST_USE static int decode_one_exemplar(struct decoder *d, struct pb *in, struct series_state *st)
{
    struct exemplar x;
    int r = decode_exemplar(d, in, &x);
    if (r == -EINVAL) {
        d->report->rejected_exemplars++;
        return 0;
    }
    if (r == 0)
        r = pool_more(d, &d->exemplars, st->s.n_exemplars, 1);
    if (r == 0)
        ((struct exemplar *)d->exemplars.items)[st->s.n_exemplars++] = x;
    return r;
}

MUST_USE static int decode_series_field(struct decoder *d, const struct series_fields *f, struct pb *in,
                                        struct series_state *st)
{
    const unsigned char *start = in->at;
    uint32_t field, type;
    if (!pb_tag(in, &field, &type))
        return -EBADMSG;
    if (field == f->samples) {
        if (type != PB_BYTES)
            return -EBADMSG;
        int r = pool_more(d, &d->samples, st->s.n_samples, 1);
        if (r < 0)
            return r;
        return decode_sample(in, (struct sample *)d->samples.items + st->s.n_samples++) ? 0 : -EBADMSG;
    }
    if (field == f->labels) {
        struct label label, *pairs = (struct label *)d->labels.items;
        int r = 0;
        if (d->symbols)
            r = decode_references(d, in, type, &st->refs, pairs, &st->s.labels.n);
        else if (type != PB_BYTES || !decode_label(in, &label))
            r = -EBADMSG;
        else
            keep_label(pairs, &st->s.labels.n, &label);
        if (!st->labels_start)
            st->labels_start = start;
        else if (st->labels_end != start)
            st->labels_apart = true;
        st->labels_end = in->at;
        return r;
    }
    if (field == f->histograms)
        return type == PB_BYTES ? decode_one_histogram(d, in, st) : -EBADMSG;
    if (field == f->exemplars)
        return type == PB_BYTES ? decode_one_exemplar(d, in, st) : -EBADMSG;
    if (field == f->metadata && type == PB_BYTES)
        return decode_series_metadata(in, &st->metadata) ? 0 : -EBADMSG;
    if (f->created && field == f->created && type == PB_VARINT)
        return pb_int64(in, &st->created_ms) ? 0 : -EBADMSG;
    return pb_skip(in, type) ? 0 : -EBADMSG;
}

static void settle_starts(struct decoder *d, const struct series_state *st)
{
    struct sample *samples = (struct sample *)d->samples.items;
    struct histogram_sample *histograms = (struct histogram_sample *)d->histograms.items;
    for (size_t i = 0; i < st->s.n_samples; i++)
        samples[i].start_ms = samples[i].start_ms ? samples[i].start_ms : st->created_ms;
    for (size_t i = 0; i < st->s.n_histograms; i++)
        histograms[i].start_ms = histograms[i].start_ms ? histograms[i].start_ms : st->created_ms;
}

/* The labels are all there: valid after this, or false and the series is left out. */
static bool settle_series(struct decoder *d, struct series_state *st)
{
    struct write_series *s = &st->s;
    bool utf8_known = !d->symbols && st->labels_start && is_ascii(st->labels_start, st->labels_end);
    bool too_many = s->labels.n > LABELS_MAX;
    s->labels.pairs = (struct label *)d->labels.items;
    const char *why = "too many labels";
    if (too_many)
        s->labels.n = LABELS_MAX; /* what is there, for the name in the reason */
    if (too_many || settle_labels(&s->labels, utf8_known, &why) < 0) {
        reject(d, &s->labels, why);
        d->report->rejected_series++;
        d->report->rejected_samples += s->n_samples + s->n_histograms;
        return false;
    }
    if (!d->symbols && !st->labels_apart)
        s->key = span_of((const char *)st->labels_start, (size_t)(st->labels_end - st->labels_start));
    return true;
}

/* ---- runs: what senders mostly send, labels, then one sample of two fields, of a series that is known ---- */
enum { LABEL = 1 << 3 | PB_BYTES, SAMPLE = 2 << 3 | PB_BYTES, VALUE = 1 << 3 | PB_FIXED64, TIME = 2 << 3 };
enum known_sample { KNOWN_SAMPLE, UNKNOWN_SERIES, OTHER_SHAPE };

/* A message's end that is one sample with a value and a time. */
static bool only_sample(struct pb m, struct sample *ret)
{
    struct pb sample;
    return pb_more(&m) && *m.at++ == SAMPLE && pb_bytes(&m, &sample) && !pb_more(&m) && pb_more(&sample) &&
           *sample.at++ == VALUE && pb_double(&sample, &ret->value) && pb_more(&sample) && *sample.at++ == TIME &&
           pb_int64(&sample, &ret->t_ms) && !pb_more(&sample);
}

static enum known_sample find_known_sample(struct decoder *d, struct pb m, struct sample *ret, uint32_t *ret_id)
{
    const unsigned char *start = m.at;
    struct pb label;
    while (pb_more(&m) && *m.at == LABEL) {
        m.at++;
        if (!pb_bytes(&m, &label))
            return OTHER_SHAPE;
    }
    struct span key = span_of((const char *)start, (size_t)(m.at - start));
    if (key.len == 0 || !only_sample(m, ret))
        return OTHER_SHAPE;
    return d->known->find(d->known->ctx, key, ret_id) ? KNOWN_SAMPLE : UNKNOWN_SERIES;
}

/* A key is a series' labels one after the other: where a sample follows it there are no others. */
static bool next_known_sample(struct decoder *d, struct pb m, struct sample *ret, uint32_t *ret_id)
{
    size_t n;
    if (!d->known->next(d->known->ctx, span_of((const char *)m.at, pb_left(&m)), &n, ret_id))
        return false;
    m.at += n;
    return only_sample(m, ret);
}

MUST_USE static int add_to_run(struct decoder *d, const struct sample *s, uint32_t id)
{
    int r = pool_more(d, &d->samples, d->n_run, 1);
    if (r == 0)
        r = pool_more(d, &d->ids, d->n_run, 1);
    if (r < 0)
        return r;
    ((struct sample *)d->samples.items)[d->n_run] = *s;
    ((uint32_t *)d->ids.items)[d->n_run++] = id;
    return 0;
}

static void end_run(struct decoder *d)
{
    size_t n = d->n_run;
    d->n_run = 0;
    if (n)
        d->w->series[d->w->n_series++] = (struct write_series){
            .samples = pool_keep(&d->samples, n), .run = pool_keep(&d->ids, n), .n_samples = (uint32_t)n};
}

int decoder_end_run(struct decoder *d)
{
    int r = d->n_run ? decoder_series_room(d, 0, (struct pb){0}) : 0;
    if (r == 0)
        end_run(d);
    return r;
}

MUST_USE static int decode_any_series(struct decoder *d, const struct series_fields *f, struct pb m, bool ask)
{
    struct series_state st = {0};
    struct write_series *s = &st.s;
    int r = decoder_end_run(d);
    if (r < 0)
        return r;
    if (!ask || !is_known(d, &m, s))
        r = pool_more(d, &d->labels, 0, LABELS_MAX); /* so no list of labels ever moves */
    while (r == 0 && pb_more(&m))
        r = decode_series_field(d, f, &m, &st);
    if (r < 0)
        return r;
    if (st.refs.have_name)
        return -EBADMSG; /* a name without its value */
    if (!s->known && !settle_series(d, &st))
        return 0;
    if (st.created_ms)
        settle_starts(d, &st);
    if (st.metadata.present) {
        r = keep_series_metadata(d, &st.metadata, &s->labels);
        if (r < 0)
            return r;
    }
    if (s->n_samples + s->n_histograms + s->n_exemplars == 0)
        return 0;
    if (!s->known)
        s->labels.pairs = pool_keep(&d->labels, s->labels.n);
    s->samples = pool_keep(&d->samples, s->n_samples);
    s->histograms = pool_keep(&d->histograms, s->n_histograms);
    s->exemplars = pool_keep(&d->exemplars, s->n_exemplars);
    d->w->series[d->w->n_series++] = *s;
    return 0;
}

int decode_series(struct decoder *d, const struct series_fields *f, struct pb *in)
{
    struct pb m;
    if (!pb_bytes(in, &m))
        return -EBADMSG;
    d->series_seen++;
    struct sample s = {0};
    uint32_t id;
    enum known_sample known = UNKNOWN_SERIES;
    if (d->known)
        known = next_known_sample(d, m, &s, &id) ? KNOWN_SAMPLE : find_known_sample(d, m, &s, &id);
    if (LIKELY(known == KNOWN_SAMPLE))
        return add_to_run(d, &s, id);
    int r = decoder_series_room(d, f->number, *in);
    return r < 0 ? r : decode_any_series(d, f, m, known == OTHER_SHAPE);
}
