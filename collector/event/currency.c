#include "collector/event/currency.h"

#include <math.h>

/* ISO 4217, amendment 176: whose minor unit is not a hundredth. */
static const struct {
    const char code[4];
    int decimals;
} ODD[] = {{"BHD", 3}, {"BIF", 0}, {"CLF", 4}, {"CLP", 0}, {"DJF", 0}, {"GNF", 0}, {"IQD", 3}, {"ISK", 0}, {"JOD", 3},
           {"JPY", 0}, {"KMF", 0}, {"KRW", 0}, {"KWD", 3}, {"LYD", 3}, {"OMR", 3}, {"PYG", 0}, {"RWF", 0}, {"TND", 3},
           {"UGX", 0}, {"UYI", 0}, {"UYW", 4}, {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0}, {"XPF", 0}};

int currency_decimals(struct span code)
{
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++)
        if (span_equal(code, span_str(ODD[i].code)))
            return ODD[i].decimals;
    return 2;
}

double currency_scale(struct span code)
{
    static const double POWERS[] = {1, 10, 100, 1000, 10000};
    return POWERS[currency_decimals(code)];
}

bool currency_is_code(struct span code)
{
    if (code.len != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (code.ptr[i] < 'A' || code.ptr[i] > 'Z')
            return false;
    return true;
}

size_t amount_format(char text[MONEY_TEXT_MAX], double v, int decimals)
{
    char plain[400];
    if (!isfinite(v) || fabs(v) >= 1e15)
        return format_f64(text, v);
    snprintf(plain, sizeof plain, "%.*f", decimals, fabs(v));
    size_t digits = strcspn(plain, "."), n = 0;
    if (v < 0 && strspn(plain, "0.") < strlen(plain))
        text[n++] = '-';
    for (size_t i = 0; i < digits; i++) {
        if (i && (digits - i) % 3 == 0)
            text[n++] = ',';
        text[n++] = plain[i];
    }
    return n + (size_t)snprintf(text + n, MONEY_TEXT_MAX - n, "%s", plain + digits);
}
