#include "shop/catalogue.h"

#include <errno.h>

#include "lib/base/number.h"

struct catalogue {
    struct product products[PRODUCTS];
    atomic_llong filled_ms[PRODUCTS]; /* 0: not in the cache */
};

static const char *const ADJECTIVES[] = {"Light", "Warm", "Classic", "Urban",  "Alpine",
                                         "Soft",  "Bold", "Quiet",   "Bright", "Swift"};
static const char *const MATERIALS[] = {"Wool",  "Linen", "Leather", "Cotton", "Oak",
                                        "Steel", "Glass", "Cork",    "Silk",   "Denim"};
static const char *const THINGS[] = {"Jacket", "Bag",   "Lamp",  "Chair", "Shoe",
                                     "Mug",    "Scarf", "Watch", "Desk",  "Shirt"};

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int catalogue_new(uint64_t seed, struct catalogue **ret)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    for (size_t i = 0; i < PRODUCTS; i++) {
        struct product *p = &c->products[i];
        uint64_t r = next_random(&seed);
        snprintf(p->sku, sizeof p->sku, "SKU-%04zu", i + 1);
        snprintf(p->name, sizeof p->name, "%s %s %s", ADJECTIVES[i % 10], MATERIALS[i / 10 % 10],
                 THINGS[(i / 100 + r % 10) % 10]);
        p->price_minor[MARKET_DE] = (int64_t)(r >> 8) % 300 * 100 + 990; /* 9.90 to 308.90 EUR */
        p->price_minor[MARKET_JP] = p->price_minor[MARKET_DE] * 16 / 1000 * 100 + 80;
    }
    *ret = c;
    return 0;
}

void catalogue_free(struct catalogue *c)
{
    free(c);
}

const struct product *catalogue_product(const struct catalogue *c, size_t index)
{
    return &c->products[index];
}

int catalogue_find(const struct catalogue *c UNUSED, struct span sku)
{
    uint64_t n;
    if (sku.len != 8 || !span_starts(sku, SPAN("SKU-")) || parse_u64_span(span_from(sku, 4), PRODUCTS, &n) < 0 ||
        n == 0)
        return -ENOENT;
    return (int)n - 1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool holds(const char *name, struct span text)
{
    for (; *name; name++) {
        size_t i = 0;
        while (i < text.len && name[i] && lower(name[i]) == lower(text.ptr[i]))
            i++;
        if (i == text.len)
            return true;
    }
    return text.len == 0;
}

size_t catalogue_search(const struct catalogue *c, struct span text, size_t *indexes, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < PRODUCTS && n < max; i++)
        if (holds(c->products[i].name, text))
            indexes[n++] = i;
    return n;
}

bool catalogue_cached(struct catalogue *c, size_t index, int64_t now_ms, int64_t ttl_ms)
{
    int64_t at = atomic_load_explicit(&c->filled_ms[index], memory_order_relaxed);
    return at != 0 && now_ms - at < ttl_ms;
}

void catalogue_filled(struct catalogue *c, size_t index, int64_t now_ms)
{
    atomic_store_explicit(&c->filled_ms[index], now_ms, memory_order_relaxed);
}

void catalogue_flush(struct catalogue *c)
{
    for (size_t i = 0; i < PRODUCTS; i++)
        atomic_store_explicit(&c->filled_ms[i], 0, memory_order_relaxed);
}
