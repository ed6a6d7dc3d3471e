/* Every reader of numbers takes any bytes; what is read as a double prints and reads back to the same bits. */
#include <math.h>
#include <string.h>

#include "lib/base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    char printed[NUMBER_TEXT_MAX];
    uint64_t u;
    int64_t i;
    double v, back;
    bool b;
    if (parse_u64_span(text, UINT64_MAX, &u) == 0 && u == 0 && size == 0)
        abort();
    if (parse_i64_span(text, -5, 5, &i) == 0 && (i < -5 || i > 5))
        abort();
    if (parse_f64_span(text, &v) == 0) {
        size_t n = format_f64(printed, v);
        if (parse_f64_span(span_of(printed, n), &back) < 0 || memcmp(&v, &back, sizeof v) != 0)
            abort();
        n = format_f64_g(printed, v);
        if (parse_f64_span(span_of(printed, n), &back) < 0 || memcmp(&v, &back, sizeof v) != 0)
            abort();
    }
    if (parse_duration_ms(text, &i) == 0) {
        int64_t again;
        size_t n = format_duration_ms(printed, i);
        if (i < 0 || parse_duration_ms(span_of(printed, n), &again) < 0 || again != i)
            abort();
    }
    if (parse_rfc3339_ms(text, &i) == 0) {
        int64_t again;
        size_t n = format_rfc3339_ms(printed, i);
        if (i >= -62167219200000 && i < 253402300800000 &&
            (parse_rfc3339_ms(span_of(printed, n), &again) < 0 || again != i))
            abort();
    }
    if (parse_bytes(text, &u) == 0 && size == 0)
        abort();
    if (parse_bool(text, &b) == 0 && size != (b ? 4u : 5u))
        abort();
    return 0;
}
