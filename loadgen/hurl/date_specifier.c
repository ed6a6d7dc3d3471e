#include "loadgen/hurl/date_specifier.h"

const char *const date_months[MONTHS_N] = {"January", "February", "March",     "April",   "May",      "June",
                                           "July",    "August",   "September", "October", "November", "December"};
const char *const date_days[DAYS_N] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
/* Specifiers that stand for others. */
static const struct {
    char letter;
    const char *format;
} COMPOUNDS[] = {
    {'D', "%m/%d/%y"},
    {'x', "%m/%d/%y"},
    {'F', "%Y-%m-%d"},
    {'v', "%e-%b-%Y"},
    {'R', "%H:%M"},
    {'T', "%H:%M:%S"},
    {'X', "%H:%M:%S"},
    {'r', "%I:%M:%S %p"},
    {'c', "%a %b %e %H:%M:%S %Y"},
    {'h', "%b"},
    {'+', "%Y-%m-%dT%H:%M:%S%.f%:z"},
};

const char *date_compound(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(COMPOUNDS); i++)
        if (COMPOUNDS[i].letter == letter)
            return COMPOUNDS[i].format;
    return NULL;
}

struct specifier date_take_specifier(struct span *rest)
{
    struct specifier p = {0};
    size_t i = 0, n = rest->len;
    const char *s = rest->ptr;
    if (i < n && (s[i] == '-' || s[i] == '_' || s[i] == '0'))
        p.pad = s[i++];
    if (i < n && s[i] == '.') {
        p.dot = true;
        i++;
    }
    if (i < n && (s[i] == '3' || s[i] == '6' || s[i] == '9'))
        p.digits = s[i++] - '0';
    while (i < n && s[i] == ':' && p.colons < 3) {
        p.colons++;
        i++;
    }
    if (i < n && s[i] == '#') {
        p.sharp = true;
        i++;
    }
    if (i < n)
        p.letter = s[i++];
    *rest = span_from(*rest, i);
    return p;
}
