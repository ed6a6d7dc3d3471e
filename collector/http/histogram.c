/* histogram.c - a native histogram as Prometheus's API shows it: {"count":"3","sum":"4.5","buckets":[[0,"1","2","3"],…]}, from
 * the lowest bucket to the highest, empty ones left out. The first number of a bucket: 0 (lower, upper], 1 [lower, upper),
 * 3 [lower, upper]. */
#include "collector/http/api.h"
#include "lib/metric/native.h"

enum { OPEN_LEFT = 0, OPEN_RIGHT = 1, CLOSED = 3 };

static void write_bucket(struct json_writer *j, int kind, double low, double high, double count)
{
    if (count == 0)
        return;
    jw_array(j);
    jw_i64(j, kind);
    jw_f64_quoted(j, low);
    jw_f64_quoted(j, high);
    jw_f64_quoted(j, count);
    jw_end(j);
}

static void write_positive(struct json_writer *j, const struct native_histogram *h)
{
    int64_t index = 0;
    size_t bucket = 0;
    for (size_t s = 0; s < h->n_positive_spans; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t i = 0; i < h->positive_spans[s].length && bucket < h->n_positive; i++, index++) {
            bool lowest = h->schema == HISTOGRAM_CUSTOM_SCHEMA && index == 0;
            write_bucket(j, lowest ? CLOSED : OPEN_LEFT, native_bound(h, index - 1), native_bound(h, index),
                         h->positive[bucket++]);
        }
    }
}

/* From the largest magnitude on: spans are walked from their end. */
static void write_negative(struct json_writer *j, const struct native_histogram *h)
{
    int64_t index = 0;
    size_t bucket = h->n_negative;
    for (size_t s = 0; s < h->n_negative_spans; s++)
        index += (int64_t)h->negative_spans[s].offset + h->negative_spans[s].length;
    for (size_t s = h->n_negative_spans; s-- > 0;) {
        for (uint32_t i = 0; i < h->negative_spans[s].length && bucket > 0; i++) {
            index--;
            write_bucket(j, OPEN_RIGHT, -native_bound(h, index), -native_bound(h, index - 1), h->negative[--bucket]);
        }
        index -= h->negative_spans[s].offset;
    }
}

static bool has_bucket(const struct native_histogram *h)
{
    bool found = h->zero_count != 0;
    for (size_t i = 0; i < h->n_positive; i++)
        found |= h->positive[i] != 0;
    for (size_t i = 0; i < h->n_negative; i++)
        found |= h->negative[i] != 0;
    return found;
}

void api_histogram(struct json_writer *j, const struct native_histogram *h)
{
    jw_object(j);
    jw_key(j, "count");
    jw_f64_quoted(j, h->count);
    jw_key(j, "sum");
    jw_f64_quoted(j, h->sum);
    if (has_bucket(h)) {
        jw_key(j, "buckets");
        jw_array(j);
        write_negative(j, h);
        write_bucket(j, CLOSED, -h->zero_threshold, h->zero_threshold, h->zero_count);
        write_positive(j, h);
        jw_end(j);
    }
    jw_end(j);
}
