/* What is refused with .strict, beyond what exposition.c enforces:
 *
 * - a family in pieces: its lines must stand together, metadata before samples, each of TYPE, HELP and UNIT once;
 * - names that clash: what two families call a sample, or a family named as another's sample;
 * - samples whose name does not fit the TYPE (OpenMetrics: a counter foo has foo_total and foo_created only);
 * - counters and buckets that are negative or NaN, info other than 1, statesets other than 0 and 1 or without their label,
 *   quantiles outside 0..1, units of info and stateset;
 * - histograms without a +Inf bucket, with bounds or counts that fall, with a _count other than the +Inf bucket;
 * - exemplars elsewhere than on _bucket and _total, or with more than 128 characters of labels;
 * - text: a missing comma or newline at the end, raw newlines in label values (exposition_scan.c). */
#include "lib/metric/exposition_strict.h"

#include <errno.h>
#include <math.h>

#include "lib/base/hash.h"
#include "lib/base/number.h"
#include "lib/metric/exposition_created.h"

#define STRICT_NAMES_MAX 1000000u /* sample names of one page */
#define STRICT_BYTES_MAX (256ul << 20)

struct family {
    struct span name;
    enum metric_type type;
    bool said[3]; /* by enum metadata_kind */
    bool sampled, closed;
};

/* The buckets of one metric, which stand together. */
struct buckets {
    bool any, infinite;
    uint64_t key;
    double bound, count;
};

struct strict {
    bool openmetrics;
    struct arena arena;
    struct strmap families, samples; /* name -> struct family */
    struct family *current;
    struct buckets buckets;
    struct buf why;
};

static const char *const SUFFIXES[][2][5] = {
    /* text, OpenMetrics */
    [METRIC_TYPE_UNKNOWN] = {{""}, {""}},
    [METRIC_TYPE_COUNTER] = {{""}, {"_total", "_created"}},
    [METRIC_TYPE_GAUGE] = {{""}, {""}},
    [METRIC_TYPE_HISTOGRAM] = {{"_bucket", "_sum", "_count"}, {"_bucket", "_sum", "_count", "_created"}},
    [METRIC_TYPE_GAUGE_HISTOGRAM] = {{"_bucket", "_gsum", "_gcount"}, {"_bucket", "_gsum", "_gcount"}},
    [METRIC_TYPE_SUMMARY] = {{"", "_sum", "_count"}, {"", "_sum", "_count", "_created"}},
    [METRIC_TYPE_INFO] = {{"_info"}, {"_info"}},
    [METRIC_TYPE_STATESET] = {{""}, {""}},
};

int strict_new(bool openmetrics, struct strict **ret)
{
    struct strict *st = calloc(1, sizeof *st);
    if (!st)
        return -ENOMEM;
    st->openmetrics = openmetrics;
    arena_init(&st->arena, STRICT_BYTES_MAX);
    strmap_init(&st->families, STRICT_NAMES_MAX);
    strmap_init(&st->samples, STRICT_NAMES_MAX);
    buf_init(&st->why, PROBLEM_TEXT_MAX);
    *ret = st;
    return 0;
}

void strict_free(struct strict *st)
{
    if (!st)
        return;
    strmap_done(&st->families);
    strmap_done(&st->samples);
    arena_done(&st->arena);
    buf_done(&st->why);
    free(st);
}

PRINTF_LIKE(2, 3) static const char *refuse(struct strict *st, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_clear(&st->why);
    buf_vprintf(&st->why, format, args);
    va_end(args);
    return buf_error(&st->why) ? "refused (the names are too long to show)" : st->why.data;
}

static const char *too_many(void)
{
    return "more metric names than can be checked";
}

/* ---- families and the names of their samples ---- */

static const char *close_buckets(struct strict *st)
{
    bool open = st->buckets.any && !st->buckets.infinite;
    st->buckets = (struct buckets){0};
    return open ? "the histogram before has no +Inf bucket, or its buckets do not stand together" : NULL;
}

static const char *claim_name(struct strict *st, struct family *f, const char *suffix)
{
    char *name = arena_printf(&st->arena, SPAN_FMT "%s", SPAN_ARG(f->name), suffix);
    if (!name)
        return too_many();
    struct family *owner = strmap_get(&st->samples, span_str(name));
    if (!owner)
        owner = strmap_get(&st->families, span_str(name));
    if (owner && owner != f)
        return refuse(st, "%s is a name of family " SPAN_FMT " and of family " SPAN_FMT, name, SPAN_ARG(owner->name),
                      SPAN_ARG(f->name));
    return strmap_put(&st->samples, span_str(name), f) < 0 ? too_many() : NULL;
}

static const char *claim_names(struct strict *st, struct family *f)
{
    const char *const *suffixes = SUFFIXES[f->type][st->openmetrics];
    for (size_t i = 0; i < 5 && suffixes[i]; i++) {
        const char *why = claim_name(st, f, suffixes[i]);
        if (why)
            return why;
    }
    return NULL;
}

static const char *enter(struct strict *st, struct family *f)
{
    if (f == st->current)
        return NULL;
    const char *why = close_buckets(st);
    if (st->current)
        st->current->closed = true;
    st->current = f;
    if (!why && f->closed)
        why = refuse(st, "family " SPAN_FMT " comes in pieces", SPAN_ARG(f->name));
    return why;
}

/* The family of that name, made when it is new. */
static const char *family_named(struct strict *st, struct span name, struct family **ret)
{
    *ret = strmap_get(&st->families, name);
    if (*ret)
        return NULL;
    struct family *owner = strmap_get(&st->samples, name);
    if (owner)
        return refuse(st, SPAN_FMT " is a name of family " SPAN_FMT " already", SPAN_ARG(name), SPAN_ARG(owner->name));
    bool ok = true;
    struct family *f = arena_alloc(&st->arena, sizeof *f);
    if (!f)
        return too_many();
    f->name = arena_span(&st->arena, name, &ok);
    if (!ok || strmap_put(&st->families, f->name, f) < 0)
        return too_many();
    *ret = f;
    return NULL;
}

const char *strict_metadata(struct strict *st, const struct metadata *m, enum metadata_kind kind)
{
    static const char *const kinds[] = {"TYPE", "HELP", "UNIT"};
    struct family *f;
    const char *why = family_named(st, m->name, &f);
    if (!why)
        why = enter(st, f);
    if (why)
        return why;
    if (f->sampled)
        return refuse(st, "%s of " SPAN_FMT " behind its samples", kinds[kind], SPAN_ARG(f->name));
    if (f->said[kind])
        return refuse(st, "second %s of " SPAN_FMT, kinds[kind], SPAN_ARG(f->name));
    f->said[kind] = true;
    f->type = m->type;
    if (m->unit.len > 0 && (m->type == METRIC_TYPE_INFO || m->type == METRIC_TYPE_STATESET))
        return refuse(st, "%s " SPAN_FMT " has a unit", metric_type_name(m->type), SPAN_ARG(f->name));
    return kind == METADATA_TYPE ? claim_names(st, f) : NULL;
}

/* ---- samples ---- */

static const char *check_bucket(struct strict *st, const struct exposition_sample *s)
{
    struct buckets *b = &st->buckets;
    uint64_t key = created_key(&s->labels, SPAN("le"));
    if (b->any && key != b->key) {
        const char *why = close_buckets(st);
        if (why)
            return why;
    }
    double bound;
    if (parse_f64_span(labels_get(&s->labels, SPAN("le")), &bound) < 0 || isnan(bound))
        return "a bucket without a number as le";
    if (b->any && bound <= b->bound)
        return "buckets do not rise in le";
    if (!(s->value >= (b->any ? b->count : 0)) && s->type == METRIC_TYPE_HISTOGRAM)
        return "a bucket counts less than the one before (buckets are cumulative), or is negative or NaN";
    *b = (struct buckets){.any = true, .infinite = isinf(bound), .key = key, .bound = bound, .count = s->value};
    return NULL;
}

static const char *check_histogram(struct strict *st, const struct exposition_sample *s, struct span suffix)
{
    if (span_equal(suffix, SPAN("_bucket")))
        return check_bucket(st, s);
    bool count = span_equal(suffix, SPAN("_count")) || span_equal(suffix, SPAN("_gcount"));
    bool same = st->buckets.infinite && created_key(&s->labels, SPAN("le")) == st->buckets.key;
    if (count && same && s->value != st->buckets.count)
        return "_count differs from the +Inf bucket";
    return NULL;
}

static const char *check_stateset(struct strict *st, const struct exposition_sample *s)
{
    if (s->value != 0 && s->value != 1)
        return "a stateset is 0 or 1";
    if (labels_get(&s->labels, st->current->name).len == 0)
        return refuse(st, "a stateset needs the label " SPAN_FMT, SPAN_ARG(st->current->name));
    return NULL;
}

static const char *check_summary(const struct exposition_sample *s, struct span suffix)
{
    double quantile;
    if (suffix.len > 0)
        return !span_equal(suffix, SPAN("_created")) && s->value < 0 ? "a summary's sum or count is negative" : NULL;
    if (parse_f64_span(labels_get(&s->labels, SPAN("quantile")), &quantile) < 0 || !(quantile >= 0 && quantile <= 1))
        return "a summary needs the label quantile between 0 and 1";
    return NULL;
}

static const char *check_value(struct strict *st, const struct exposition_sample *s, struct span suffix)
{
    bool created = span_equal(suffix, SPAN("_created"));
    if (s->exemplar && !span_equal(suffix, SPAN("_bucket")) && !span_equal(suffix, SPAN("_total")))
        return "exemplars belong to _bucket and _total";
    switch (st->current->type) {
    case METRIC_TYPE_COUNTER:
        return !created && !(s->value >= 0) ? "a counter is negative or NaN" : NULL;
    case METRIC_TYPE_INFO:
        return s->value != 1 ? "an info is 1" : NULL;
    case METRIC_TYPE_STATESET:
        return check_stateset(st, s);
    case METRIC_TYPE_SUMMARY:
        return check_summary(s, suffix);
    case METRIC_TYPE_HISTOGRAM:
    case METRIC_TYPE_GAUGE_HISTOGRAM:
        return check_histogram(st, s, suffix);
    case METRIC_TYPE_UNKNOWN:
    case METRIC_TYPE_GAUGE:
        break;
    }
    return NULL;
}

const char *strict_sample(struct strict *st, const struct exposition_sample *s)
{
    struct span name = labels_get(&s->labels, SPAN("__name__"));
    const char *why = NULL;
    struct family *f = strmap_get(&st->samples, name);
    if (!f) { /* a family without TYPE is of unknown type */
        why = family_named(st, name, &f);
        if (!why && f->said[METADATA_TYPE])
            why = refuse(st, SPAN_FMT " is no sample of the %s " SPAN_FMT, SPAN_ARG(name), metric_type_name(f->type),
                         SPAN_ARG(f->name));
        if (!why)
            why = claim_names(st, f);
    }
    if (!why)
        why = enter(st, f);
    if (why)
        return why;
    f->sampled = true;
    return check_value(st, s, span_from(name, f->name.len));
}

const char *strict_end(struct strict *st)
{
    return close_buckets(st);
}
