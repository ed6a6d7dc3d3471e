#include "loadgen/hurl/slo.h"

#include <errno.h>

#include "lib/base/number.h"

#define SLO_TIME_MAX_MS 86400000

MUST_USE static int read_limit(struct span text, bool ratio, double *ret)
{
    int64_t ms;
    double percent;
    if (!ratio) {
        if (parse_duration_ms(text, &ms) < 0 || ms < 0 || ms > SLO_TIME_MAX_MS)
            return -EINVAL;
        *ret = (double)ms * 1000;
        return 0;
    }
    if (text.len < 2 || text.ptr[text.len - 1] != '%' ||
        parse_f64_span(span_of(text.ptr, text.len - 1), &percent) < 0 || !(percent >= 0 && percent <= 100))
        return -EINVAL;
    *ret = percent / 100;
    return 0;
}

/* p95 is 95, p999 is 99.9 */
MUST_USE static int read_percentile(struct span metric, double *ret)
{
    uint64_t digits;
    if (metric.len < 2 || metric.ptr[0] != 'p' || parse_u64_span(span_from(metric, 1), 99999, &digits) < 0)
        return -EINVAL;
    double percentile = (double)digits;
    while (percentile >= 100)
        percentile /= 10;
    *ret = percentile;
    return 0;
}

int hurl_slo_parse(struct span word, struct hurl_slo *ret)
{
    static const struct {
        const char *name;
        enum hurl_slo_metric metric;
    } METRICS[] = {
        {"err", HURL_SLO_ERRORS}, {"business", HURL_SLO_BUSINESS}, {"max", HURL_SLO_MAX}, {"mean", HURL_SLO_MEAN}};
    struct hurl_slo slo = {.text = word, .metric = HURL_SLO_PERCENTILE};
    size_t less = span_find(word, '<');
    if (less == word.len)
        return -EINVAL;
    struct span metric = span_of(word.ptr, less), limit = span_from(word, less + 1);
    if (limit.len && limit.ptr[0] == '=') {
        slo.inclusive = true;
        limit = span_from(limit, 1);
    }
    bool named = false;
    for (size_t i = 0; i < ARRAY_LEN(METRICS); i++)
        if (span_equal(metric, span_str(METRICS[i].name))) {
            slo.metric = METRICS[i].metric;
            named = true;
        }
    if (!named && read_percentile(metric, &slo.percentile) < 0)
        return -EINVAL;
    if (read_limit(limit, hurl_slo_is_ratio(slo.metric), &slo.limit) < 0)
        return -EINVAL;
    *ret = slo;
    return 0;
}
