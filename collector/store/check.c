#include "collector/store/check.h"

#include <errno.h>
#include <stdlib.h>

#include "collector/store/histogram_extent.h"
#include "collector/store/rollup_extent.h"
#include "collector/store/series_index.h"

struct check {
    struct store_files *files;
    struct store_checked n;
    void (*fault)(void *ctx, const struct store_fault *fault);
    void *ctx;
    uint8_t *named; /* a bit per series */
    int64_t times[EXTENT_SAMPLES_MAX], starts[EXTENT_SAMPLES_MAX];
    uint64_t bits[EXTENT_SAMPLES_MAX];
    struct rollup_clock clock;
    double rollups[ROLLUP_FIELDS][ROLLUPS_MAX];
};

static void on_fault(void *ctx, const struct store_fault *fault)
{
    struct check *c = ctx;
    c->n.faults++;
    if (c->fault)
        c->fault(c->ctx, fault);
}

static int on_series(void *ctx, uint32_t id, const struct labels *labels UNUSED, size_t bytes UNUSED)
{
    struct check *c = ctx;
    c->named[id / 8] |= (uint8_t)(1u << id % 8);
    c->n.series++;
    return 0;
}

static int on_family(void *ctx, const struct metadata *m UNUSED)
{
    ((struct check *)ctx)->n.families++;
    return 0;
}

/* A series that a running collector has added since the table was read has its row by now. */
static bool is_named(struct check *c, uint32_t id)
{
    if (id >= SERIES_LIMIT)
        return false;
    if (!(c->named[id / 8] >> id % 8 & 1) && store_files_name(c->files, id)[0])
        c->named[id / 8] |= (uint8_t)(1u << id % 8);
    return c->named[id / 8] >> id % 8 & 1;
}

static int on_sample(void *ctx, uint32_t id, const struct sample *s UNUSED)
{
    struct check *c = ctx;
    c->n.log_samples++;
    c->n.unnamed += !(c->named[id / 8] >> id % 8 & 1);
    return 0;
}

static int on_histogram(void *ctx, uint32_t id, const struct histogram_item *item UNUSED)
{
    struct check *c = ctx;
    c->n.histograms++;
    c->n.unnamed += !is_named(c, id);
    return 0;
}

static int on_record(void *ctx, const struct store_row *row UNUSED)
{
    ((struct check *)ctx)->n.records++;
    return 0;
}

/* NULL: every value of it can be had. */
static const char *wrong_column(struct check *c, const struct extent *x, const struct extent_series *at)
{
    if (extent_times(x, at, c->times) < 0)
        return "its column of times cannot be decoded";
    for (size_t i = 1; i < at->samples; i++)
        if (c->times[i] <= c->times[i - 1])
            return "its times do not ascend";
    if (c->times[0] < x->min_ms || c->times[at->samples - 1] > x->max_ms)
        return "its times lie outside of the extent's";
    if (extent_values(x, at, c->bits, c->starts) < 0)
        return "its column of values cannot be decoded";
    return NULL;
}

static int count_row(void *ctx, const struct histogram_row *row UNUSED)
{
    ++*(size_t *)ctx;
    return 0;
}

static const char *wrong_histograms(struct check *c, const struct extent *x, const struct histogram_series *at)
{
    size_t rows = 0;
    if (histogram_extent_times(x, at, c->times) < 0)
        return "its column of times cannot be decoded";
    for (size_t i = 1; i < at->samples; i++)
        if (c->times[i] <= c->times[i - 1])
            return "its times do not ascend";
    if (c->times[0] < x->min_ms || c->times[at->samples - 1] > x->max_ms)
        return "its times lie outside of the extent's";
    int r = histogram_extent_read(x, at, 0, at->samples, count_row, &rows);
    return r < 0 || rows != at->samples ? "its native histograms cannot be decoded" : NULL;
}

static const char *wrong_rollups(struct check *c, const struct extent *x, const struct rollup_series *at)
{
    if (rollup_clock(x, at, &c->clock) < 0)
        return "the times and counts of its rollups cannot be decoded, or are none of such buckets";
    return rollup_values(x, at, (1u << ROLLUP_FIELDS) - 1, c->rollups) < 0 ? "its rollups cannot be decoded" : NULL;
}

static int on_extent(void *ctx, const struct store_row *row, const struct extent *x)
{
    struct check *c = ctx;
    c->n.extents++;
    for (unsigned ord = 0; ord < EXTENT_SERIES_MAX; ord++) {
        struct extent_series at;
        struct histogram_series histograms;
        struct rollup_series rollups;
        uint32_t id = extent_series_of(x->group) + ord;
        const char *wrong;
        if (x->histograms ? !histogram_extent_find(x, ord, &histograms)
            : x->rollups  ? !rollup_find(x, ord, &rollups)
                          : !extent_find(x, ord, &at))
            continue;
        c->n.columns++;
        c->n.unnamed += !is_named(c, id);
        if (x->histograms) {
            c->n.histograms += histograms.samples;
            wrong = wrong_histograms(c, x, &histograms);
        } else if (x->rollups) {
            c->n.rollups += rollups.buckets;
            wrong = wrong_rollups(c, x, &rollups);
        } else {
            c->n.samples += at.samples;
            wrong = wrong_column(c, x, &at);
        }
        if (wrong)
            on_fault(c, &(struct store_fault){.file = row->file,
                                              .table = "ext",
                                              .row = row->id,
                                              .what = wrong,
                                              .series = store_files_name(c->files, id),
                                              .min_ms = x->min_ms,
                                              .max_ms = x->max_ms});
    }
    return 0;
}

int store_check(const char *dir, void (*fault)(void *ctx, const struct store_fault *fault), void *ctx,
                struct store_checked *ret, char *why, size_t why_bytes)
{
    struct store_file *files;
    size_t n_files = 0;
    struct check *c = calloc(1, sizeof *c);
    int r = -ENOMEM;
    if (c && (c->named = calloc(SERIES_LIMIT / 8, 1)) != NULL)
        r = store_files_open(dir, &c->files, why, why_bytes);
    if (r == 0) {
        const struct store_walk walk = {c,         on_series, on_family, on_sample, on_histogram,
                                        on_record, on_extent, on_fault};
        c->fault = fault;
        c->ctx = ctx;
        r = store_files_lists(c->files, &walk, &c->n.lists);
        if (r == 0)
            r = store_files_structure(c->files, &walk);
        if (r == 0)
            r = store_files_series(c->files, &walk);
        if (r == 0)
            r = store_files_families(c->files, &walk);
        if (r == 0)
            r = store_files_log(c->files, &walk);
        if (r == 0)
            r = store_files_extents(c->files, &walk);
        if (r == 0 && store_files_list(c->files, &files, &n_files) == 0)
            c->n.files = n_files;
        if (r < 0)
            (void)snprintf(why, why_bytes, "%s: %s", dir, strerror(-r));
    }
    if (r == 0)
        *ret = c->n;
    if (c) {
        store_files_close(c->files);
        free(c->named);
    }
    free(c);
    return r;
}
