/* Prometheus's template functions over numbers (prometheus.io/docs/prometheus/latest/configuration/template_reference). */
#include <math.h>

#include "collector/template/go_format.h"
#include "collector/template/template_functions.h"
#include "lib/base/limits.h"
#include "lib/base/number.h"

/* 4 significant digits and a prefix of SI or IEC. */
static void scaled(struct buf *out, double v, double step, const char *const *prefixes, bool up)
{
    const char *prefix = "";
    for (int i = 0; i < 8; i++) {
        if (up ? fabs(v) < step : fabs(v) >= 1)
            break;
        prefix = prefixes[i];
        v = up ? v / step : v * step;
    }
    go_float(out, v, 'g', 4);
    buf_str(out, prefix);
}
static const char *const LARGE[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const SMALL[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
static const char *const LARGE_1024[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

FUNCTION(humanize)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    if (v == 0 || !isfinite(v))
        go_float(&b, v, 'g', 4);
    else if (fabs(v) >= 1)
        scaled(&b, v, 1000, LARGE, true);
    else
        scaled(&b, v, 1000, SMALL, false);
    return template_take_text(run, &b, ret);
}

FUNCTION(humanize_1024)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    if (fabs(v) <= 1 || !isfinite(v))
        go_float(&b, v, 'g', 4);
    else
        scaled(&b, v, 1024, LARGE_1024, true);
    return template_take_text(run, &b, ret);
}

static void whole_duration(struct buf *b, double v)
{
    const char *sign = v < 0 ? "-" : "";
    v = fabs(v);
    uint64_t s = v < 9.2e18 ? (uint64_t)v : UINT64_MAX / 2;
    unsigned long long days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60, seconds = s % 60;
    if (days)
        buf_printf(b, "%s%llud %lluh %llum %llus", sign, days, hours, minutes, seconds);
    else if (hours)
        buf_printf(b, "%s%lluh %llum %llus", sign, hours, minutes, seconds);
    else if (minutes)
        buf_printf(b, "%s%llum %llus", sign, minutes, seconds);
    else {
        buf_str(b, sign);
        go_float(b, v, 'g', 4);
        buf_char(b, 's');
    }
}

FUNCTION(humanize_duration)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    if (!isfinite(v))
        go_float(&b, v, 'g', 4);
    else if (v == 0)
        buf_str(&b, "0s");
    else if (fabs(v) >= 1)
        whole_duration(&b, v);
    else {
        scaled(&b, v, 1000, SMALL, false);
        buf_char(&b, 's');
    }
    return template_take_text(run, &b, ret);
}

FUNCTION(humanize_percentage)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    go_float(&b, v * 100, 'g', 4);
    buf_char(&b, '%');
    return template_take_text(run, &b, ret);
}

/* Go's time.Time printed: 2015-06-23 13:19:44.128 +0000 UTC */
FUNCTION(humanize_timestamp)
{
    double v;
    if (!template_to_float(run, &args[0], &v))
        return false;
    struct buf b;
    buf_init(&b, TEMPLATE_BYTES_MAX);
    if (!isfinite(v)) {
        go_float(&b, v, 'g', 4);
        return template_take_text(run, &b, ret);
    }
    if (fabs(v * 1e9) > 0x1p63) {
        buf_done(&b);
        return template_fail(run,
                             "the value cannot be represented as a nanoseconds timestamp since it overflows int64");
    }
    char text[NUMBER_TEXT_MAX];
    size_t len = format_rfc3339_ms(text, (int64_t)(v * 1e9) / 1000000);
    struct span s = {text, len - 1}; /* without the Z */
    text[span_find(s, 'T')] = ' ';
    while (s.len && s.ptr[s.len - 1] == '0' && memchr(s.ptr, '.', s.len))
        s.len--;
    if (s.len && s.ptr[s.len - 1] == '.')
        s.len--;
    buf_span(&b, s);
    buf_str(&b, " +0000 UTC");
    return template_take_text(run, &b, ret);
}

FUNCTION(parse_duration)
{
    struct span s;
    int64_t ms;
    if (!template_to_text(run, &args[0], &s))
        return false;
    if (parse_duration_ms(s, &ms) < 0)
        return template_fail(run, "not a valid duration string: \"" SPAN_FMT "\"", SPAN_ARG(s));
    *ret = template_float((double)ms / 1000);
    return true;
}

FUNCTION(now)
{
    *ret = template_float((double)run->data->now_ms / 1000);
    return true;
}

const struct template_function TEMPLATE_NUMBER_FUNCTIONS[] = {
    {"humanize", 1, 1, humanize},
    {"humanize1024", 1, 1, humanize_1024},
    {"humanizeDuration", 1, 1, humanize_duration},
    {"humanizePercentage", 1, 1, humanize_percentage},
    {"humanizeTimestamp", 1, 1, humanize_timestamp},
    {"parseDuration", 1, 1, parse_duration},
    {"now", 0, 0, now},
    {0},
};
