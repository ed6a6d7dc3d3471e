#include "shop/shop.h"

#include <errno.h>

const char *const MARKET_NAMES[MARKETS] = {"de", "jp"};
const char *const CURRENCIES[MARKETS] = {"EUR", "JPY"};
const char *const CHANNEL_NAMES[CHANNELS] = {"web", "app"};
const char *const SOURCE_NAMES[SOURCES] = {"", "load", "synthetic"};
const char *const STEP_NAMES[STEPS] = {"home",     "search",  "product", "cart",     "address",
                                       "shipping", "payment", "order",   "wishlist", "compare"};

int source_parse(struct span header, enum source *ret)
{
    if (header.len == 0) {
        *ret = SOURCE_CUSTOMER;
        return 0;
    }
    for (enum source s = SOURCE_LOAD; s < SOURCES; s++) {
        struct span kind = span_str(SOURCE_NAMES[s]);
        if (!span_starts(header, kind) || header.len == kind.len || header.ptr[kind.len] != '/')
            continue;
        struct span id = span_from(header, kind.len + 1);
        if (id.len < 1 || id.len > 64)
            return -EINVAL;
        for (size_t i = 0; i < id.len; i++) {
            char c = id.ptr[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-'))
                return -EINVAL;
        }
        *ret = s;
        return 0;
    }
    return -EINVAL;
}
