#include "loadgen/hurl/generate.h"

#include <ctype.h>
#include <errno.h>

#include "lib/base/clock.h"

static const char *const FIRST_NAMES[] = {"Ada",   "Amir",  "Anna",  "Ben",  "Clara", "David", "Elena", "Emil",
                                          "Fatma", "Greta", "Hugo",  "Ida",  "Jan",   "Kofi",  "Lena",  "Linus",
                                          "Maria", "Mei",   "Nadia", "Noah", "Olga",  "Omar",  "Paul",  "Priya",
                                          "Rosa",  "Sofia", "Tariq", "Theo", "Vera",  "Yuki"};
static const char *const LAST_NAMES[] = {
    "Adeyemi", "Bauer", "Brown", "Chen",     "Dubois",  "Fischer", "Garcia", "Haas",   "Hansen", "Ito",
    "Johnson", "Kaya",  "Khan",  "Kowalski", "Lang",    "Lopez",   "Martin", "Meyer",  "Moreau", "Novak",
    "Okafor",  "Patel", "Rossi", "Santos",   "Schmidt", "Singh",   "Smith",  "Wagner", "Weber",  "Yilmaz"};
static const char *const WORDS[] = {"amber",   "anchor", "basil",   "beacon",  "canvas", "cedar",  "copper",  "cotton",
                                    "ember",   "falcon", "garden",  "granite", "harbor", "indigo", "jasmine", "kettle",
                                    "lantern", "linen",  "maple",   "marble",  "meadow", "nutmeg", "orchid",  "pebble",
                                    "quartz",  "ribbon", "saffron", "timber",  "velvet", "willow"};
/* Numbers that payment providers publish for tests; no card has them. */
static const char *const CARDS[] = {"4242424242424242", "4000056655665556", "5555555555554444", "5200828282828210",
                                    "378282246310005",  "6011111111111117", "3056930009020004", "3566002020360505"};

#define PICK(list, rng) (list)[rng_below((rng), ARRAY_LEN(list))]

static char *random_string(struct arena *a, struct rng *rng, size_t n)
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char *text = arena_alloc(a, n + 1);
    for (size_t i = 0; text && i < n; i++)
        text[i] = ALPHABET[rng_below(rng, sizeof ALPHABET - 1)];
    return text;
}

/* Version 4 of RFC 9562. */
static char *random_uuid(struct arena *a, struct rng *rng)
{
    uint64_t high = rng_next(rng), low = rng_next(rng);
    return arena_printf(a, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
                        (unsigned)(high & 0xfff), (unsigned)(0x8000 | (low >> 48 & 0x3fff)),
                        (unsigned long long)(low & 0xffffffffffff));
}

/* ada.haas381@example.com: nobody can own a name there (RFC 2606). */
static char *random_email(struct arena *a, struct rng *rng)
{
    char *text = arena_printf(a, "%s.%s%u@example.com", PICK(FIRST_NAMES, rng), PICK(LAST_NAMES, rng),
                              (unsigned)rng_below(rng, 1000));
    for (char *c = text; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return text;
}

int hurl_generate(enum hurl_function function, int64_t low, int64_t high, struct rng *rng, struct arena *a,
                  struct hurl_value *ret)
{
    const char *text = NULL;
    switch (function) {
    case HURL_NO_FUNCTION:
    case HURL_GET_ENV:
        return -EINVAL;
    case HURL_NEW_DATE:
        *ret = hurl_value_date(unix_ms() * 1000);
        return 0;
    case HURL_RANDOM_BOOL:
        *ret = hurl_value_bool(rng_below(rng, 2) == 1);
        return 0;
    case HURL_RANDOM_INT:
        *ret = hurl_value_int(low + (int64_t)rng_below(rng, (uint64_t)high - (uint64_t)low + 1));
        return 0;
    case HURL_NEW_UUID:
        text = random_uuid(a, rng);
        break;
    case HURL_RANDOM_STRING:
        text = random_string(a, rng, (size_t)low);
        break;
    case HURL_RANDOM_WORD:
        text = PICK(WORDS, rng);
        break;
    case HURL_RANDOM_FIRST_NAME:
        text = PICK(FIRST_NAMES, rng);
        break;
    case HURL_RANDOM_LAST_NAME:
        text = PICK(LAST_NAMES, rng);
        break;
    case HURL_RANDOM_FULL_NAME:
        text = arena_printf(a, "%s %s", PICK(FIRST_NAMES, rng), PICK(LAST_NAMES, rng));
        break;
    case HURL_RANDOM_EMAIL:
        text = random_email(a, rng);
        break;
    case HURL_RANDOM_CARD:
        text = PICK(CARDS, rng);
        break;
    }
    if (!text)
        return -ENOMEM;
    *ret = hurl_value_text(span_str(text));
    return 0;
}
