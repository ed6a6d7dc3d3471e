#include "collector/promql/functions.h"

#include "collector/promql/calls.h"

#define S PROMQL_SCALAR
#define V PROMQL_VECTOR
#define M PROMQL_MATRIX
#define T PROMQL_STRING
#define MAP(f)                                                                                                         \
    {                                                                                                                  \
        .name = #f, .returns = V, .args = {V}, .n_args = 1, .call = call_map, .detail = &MAP_##f                       \
    }
#define CALENDAR(f)                                                                                                    \
    {                                                                                                                  \
        .name = #f, .returns = V, .args = {V}, .n_args = 1, .variadic = 1, .needs_time = true, .call = call_calendar,  \
        .detail = &MAP_##f                                                                                             \
    }
#define OVER(f, how)                                                                                                   \
    {                                                                                                                  \
        .name = #f, .returns = V, .args = {M}, .n_args = 1, .call = call_range, .detail = &RANGE_##how                 \
    }
#define CONSTANT(f)                                                                                                    \
    {                                                                                                                  \
        .name = #f, .returns = S, .call = call_constant                                                                \
    }
#define NATIVE(f)                                                                                                      \
    {                                                                                                                  \
        .name = "histogram_" #f, .returns = V, .args = {V}, .n_args = 1, .call = call_native, .detail = &NATIVE_##f    \
    }

const struct promql_function PROMQL_FUNCTIONS[] = {
    /* mathematics */
    MAP(abs),
    MAP(ceil),
    MAP(floor),
    {.name = "round", .returns = V, .args = {V, S}, .n_args = 2, .variadic = 1, .call = call_map, .detail = &MAP_round},
    MAP(sqrt),
    MAP(exp),
    MAP(ln),
    MAP(log2),
    MAP(log10),
    MAP(sgn),
    {.name = "clamp", .returns = V, .args = {V, S, S}, .n_args = 3, .call = call_clamp},
    {.name = "clamp_min", .returns = V, .args = {V, S}, .n_args = 2, .call = call_map, .detail = &MAP_clamp_min},
    {.name = "clamp_max", .returns = V, .args = {V, S}, .n_args = 2, .call = call_map, .detail = &MAP_clamp_max},
    /* trigonometry */
    MAP(sin),
    MAP(cos),
    MAP(tan),
    MAP(asin),
    MAP(acos),
    MAP(atan),
    MAP(sinh),
    MAP(cosh),
    MAP(tanh),
    MAP(asinh),
    MAP(acosh),
    MAP(atanh),
    MAP(deg),
    MAP(rad),
    CONSTANT(pi),
    /* time */
    {.name = "time", .returns = S, .needs_time = true, .call = call_time},
    {.name = "timestamp", .returns = V, .args = {V}, .n_args = 1, .needs_time = true, .call = call_timestamp},
    CALENDAR(minute),
    CALENDAR(hour),
    CALENDAR(day_of_month),
    CALENDAR(day_of_week),
    CALENDAR(day_of_year),
    CALENDAR(days_in_month),
    CALENDAR(month),
    CALENDAR(year),
    /* vectors and labels */
    {.name = "absent", .returns = V, .args = {V}, .n_args = 1, .call = call_absent},
    {.name = "absent_over_time", .returns = V, .args = {M}, .n_args = 1, .call = call_absent_over_time},
    {.name = "scalar", .returns = S, .args = {V}, .n_args = 1, .call = call_scalar},
    {.name = "vector", .returns = V, .args = {S}, .n_args = 1, .call = call_vector},
    {.name = "sort", .returns = V, .args = {V}, .n_args = 1, .call = call_sort},
    {.name = "sort_desc", .returns = V, .args = {V}, .n_args = 1, .call = call_sort},
    {.name = "label_replace", .returns = V, .args = {V, T, T, T, T}, .n_args = 5, .call = call_label_replace},
    {.name = "label_join", .returns = V, .args = {V, T, T, T}, .n_args = 4, .variadic = -1, .call = call_label_join},
    /* ranges */
    OVER(rate, rate),
    OVER(irate, irate),
    OVER(delta, delta),
    OVER(increase, increase),
    OVER(idelta, idelta),
    OVER(deriv, deriv),
    {.name = "predict_linear",
     .returns = V,
     .args = {M, S},
     .n_args = 2,
     .needs_time = true,
     .call = call_range,
     .detail = &RANGE_predict_linear},
    OVER(changes, changes),
    OVER(resets, resets),
    OVER(avg_over_time, avg),
    OVER(min_over_time, min),
    OVER(max_over_time, max),
    OVER(sum_over_time, sum),
    OVER(count_over_time, count),
    {.name = "quantile_over_time",
     .returns = V,
     .args = {S, M},
     .n_args = 2,
     .call = call_range,
     .detail = &RANGE_quantile},
    OVER(stddev_over_time, stddev),
    OVER(stdvar_over_time, stdvar),
    OVER(last_over_time, last),
    OVER(first_over_time, first),
    OVER(present_over_time, present),
    /* histograms */
    {.name = "histogram_quantile", .returns = V, .args = {S, V}, .n_args = 2, .call = call_histogram_quantile},
    {.name = "histogram_fraction", .returns = V, .args = {S, S, V}, .n_args = 3, .call = call_histogram_fraction},
    NATIVE(avg),
    NATIVE(count),
    NATIVE(sum),
    NATIVE(stddev),
    NATIVE(stdvar),
    /* experimental in Prometheus */
    {.name = "histogram_quantiles",
     .returns = V,
     .args = {V, T, S, S},
     .n_args = 4,
     .variadic = 9,
     .call = call_histogram_quantiles},
    {.name = "double_exponential_smoothing",
     .returns = V,
     .args = {M, S, S},
     .n_args = 3,
     .call = call_range,
     .detail = &RANGE_double_exponential_smoothing},
    {.name = "info", .returns = V, .args = {V, V}, .n_args = 2, .variadic = 1, .call = call_info},
    OVER(mad_over_time, mad),
    OVER(ts_of_first_over_time, ts_of_first),
    OVER(ts_of_last_over_time, ts_of_last),
    OVER(ts_of_min_over_time, ts_of_min),
    OVER(ts_of_max_over_time, ts_of_max),
    {.name = "sort_by_label", .returns = V, .args = {V, T}, .n_args = 2, .variadic = -1, .call = call_sort_by_label},
    {.name = "sort_by_label_desc",
     .returns = V,
     .args = {V, T},
     .n_args = 2,
     .variadic = -1,
     .call = call_sort_by_label},
    {.name = "max_of", .returns = S, .args = {S, S}, .n_args = 2, .call = call_min_max_of},
    {.name = "min_of", .returns = S, .args = {S, S}, .n_args = 2, .call = call_min_max_of},
    CONSTANT(start),
    CONSTANT(end),
    CONSTANT(step),
    CONSTANT(range),
    {.name = "start_timestamp",
     .returns = V,
     .args = {V},
     .n_args = 1,
     .needs_time = true,
     .call = call_start_timestamp},
};
const size_t PROMQL_FUNCTIONS_COUNT = ARRAY_LEN(PROMQL_FUNCTIONS);
_Static_assert(ARRAY_LEN(PROMQL_FUNCTIONS) == 90, "Prometheus 3 has 90 functions");

const struct promql_function *promql_function_find(struct span name)
{
    for (size_t i = 0; i < PROMQL_FUNCTIONS_COUNT; i++)
        if (span_equal(name, span_str(PROMQL_FUNCTIONS[i].name)))
            return &PROMQL_FUNCTIONS[i];
    return NULL;
}
