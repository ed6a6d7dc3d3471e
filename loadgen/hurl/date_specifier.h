/* date_specifier.h - what writing and reading dates share: the names, and the specifiers of a format. Private to date_*.c. */
#pragma once

#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"

#define US_PER_S 1000000
#define DAY_S 86400
#define YEAR_MAX 200000 /* as far as microseconds in 64 bits go, a third less */
#define MONTHS_N 12u
#define DAYS_N 7u
#define SHORT_BYTES 3u /* of a name */

extern const char *const date_months[MONTHS_N];
extern const char *const date_days[DAYS_N]; /* from Sunday */

/* One specifier: %[-_0][.][369][:::|#]letter */
struct specifier {
    char pad;    /* '-', '_', '0', or 0: the letter's own */
    bool dot;    /* %.f */
    int digits;  /* of %3f; 0: none said */
    int colons;  /* of %:z */
    bool sharp;  /* %#z */
    char letter; /* 0: the format ends */
};

struct specifier date_take_specifier(struct span *rest);
/* The format that a letter stands for; NULL: it stands for itself. */
const char *date_compound(char letter);
/* 0 is Sunday; days since the epoch. */
static inline unsigned date_weekday(int64_t days)
{
    return (unsigned)(((days + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}
