#include "tui/words.h"

#include <math.h>

#define UNKNOWN "\xe2\x80\x93" /* en dash */

static const char *unknown_or_infinite(char *text, double v)
{
    snprintf(text, WORDS_MAX, "%s", isnan(v) ? UNKNOWN : v > 0 ? "\xe2\x88\x9e" : "-\xe2\x88\x9e");
    return text;
}

const char *words_count(char text[WORDS_MAX], double v)
{
    if (!isfinite(v))
        return unknown_or_infinite(text, v);
    double a = fabs(v);
    if (a == 0)
        snprintf(text, WORDS_MAX, "0");
    else if (a < 1000 && v == floor(v))
        snprintf(text, WORDS_MAX, "%.0f", v);
    else if (a < 9.995)
        snprintf(text, WORDS_MAX, "%.2f", v);
    else if (a < 99.95)
        snprintf(text, WORDS_MAX, "%.1f", v);
    else if (a < 999.5)
        snprintf(text, WORDS_MAX, "%.0f", v);
    else if (a < 9999.5)
        snprintf(text, WORDS_MAX, "%s%d,%03d", v < 0 ? "-" : "", (int)((a + .5) / 1000), (int)(a + .5) % 1000);
    else if (a < 999.5e3)
        snprintf(text, WORDS_MAX, "%.3gk", v / 1e3);
    else if (a < 999.5e6)
        snprintf(text, WORDS_MAX, "%.3gM", v / 1e6);
    else
        snprintf(text, WORDS_MAX, "%.3gG", v / 1e9);
    return text;
}

const char *words_ratio(char text[WORDS_MAX], double v)
{
    if (!isfinite(v))
        return unknown_or_infinite(text, v);
    double percent = v * 100, a = fabs(percent);
    snprintf(text, WORDS_MAX, a == 0 || a >= 9.95 ? "%.0f %%" : a >= .095 ? "%.1f %%" : "%.2f %%", percent);
    return text;
}

const char *words_seconds(char text[WORDS_MAX], double v)
{
    if (!isfinite(v))
        return unknown_or_infinite(text, v);
    if (v == 0)
        snprintf(text, WORDS_MAX, "0 s");
    else if (fabs(v) < .00995)
        snprintf(text, WORDS_MAX, "%.1f ms", v * 1e3);
    else if (fabs(v) < .9995)
        snprintf(text, WORDS_MAX, "%.0f ms", v * 1e3);
    else if (fabs(v) < 99.95)
        snprintf(text, WORDS_MAX, "%.1f s", v);
    else
        words_age(text, fabs(v) < 9e12 ? (int64_t)(v * 1e3) : (int64_t)9e15);
    return text;
}

const char *words_age(char text[WORDS_MAX], int64_t ms)
{
    long long s = ms < 0 ? 0 : ms / 1000;
    if (s < 60)
        snprintf(text, WORDS_MAX, "%lld s", s);
    else if (s < 3600)
        snprintf(text, WORDS_MAX, "%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, WORDS_MAX, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(text, WORDS_MAX, "%lld d %lld h", s / 86400, s / 3600 % 24);
    return text;
}

const char *words_clock(char text[WORDS_MAX], int64_t unix_ms)
{
    long long s = unix_ms / 1000 % 86400;
    if (s < 0)
        s += 86400;
    snprintf(text, WORDS_MAX, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

const char *words_signal(char text[WORDS_MAX], const char *signal, double v)
{
    if (strstr(signal, "_ratio"))
        return words_ratio(text, v);
    if (strstr(signal, "seconds"))
        return words_seconds(text, v);
    return words_count(text, v);
}
