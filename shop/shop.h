/* shop.h - the parts of the sample shop and who owns what.
 *
 *   shop_start(&config, &shop): catalogue (constant), faults (atomics), metrics (atomics), pool (own lock),
 * orders (SQLite, one writing connection behind its own lock), sessions (own lock), workers. A request is
 * deferred to a worker, which runs its step and answers.
 *
 * docs/shop.md is the contract: routes, outcomes, metrics, faults, ledger. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macros.h"
#include "lib/base/span.h"
#include "lib/base/limits.h"

#define PRODUCTS 500
#define QUANTITY_MAX 99u        /* of one article in a cart */
#define NOTED_MAX 12u           /* articles of a wish list, or side by side */
#define SESSION_IDLE_MS 1800000 /* 30 minutes, the field's habit */
#define WORKERS 256u            /* requests that may wait at once: a 10 s pool wait at 20 payments/s, and air */
#define POOL_WAIT_MS 10000
#define DB_SESSIONS_MAX 64

enum market { MARKET_DE, MARKET_JP, MARKETS };
enum channel { CHANNEL_WEB, CHANNEL_APP, CHANNELS };
enum source { SOURCE_CUSTOMER, SOURCE_LOAD, SOURCE_SYNTHETIC, SOURCES };
enum step {
    STEP_HOME,
    STEP_SEARCH,
    STEP_PRODUCT,
    STEP_CART,
    STEP_ADDRESS,
    STEP_SHIPPING,
    STEP_PAYMENT,
    STEP_ORDER,
    STEP_WISHLIST,
    STEP_COMPARE,
    STEPS
};
enum outcome {
    OUTCOME_OK,
    OUTCOME_DECLINED,
    OUTCOME_OUT_OF_STOCK,
    OUTCOME_THROTTLED,
    OUTCOME_INVALID,
    OUTCOME_ERROR,
    OUTCOME_TIMEOUT,
    OUTCOMES
};
enum payment { PAYMENT_APPROVED, PAYMENT_DECLINED, PAYMENT_ERROR, PAYMENT_TIMEOUT, PAYMENT_RATE_LIMITED, PAYMENTS };
enum dependency { DEPENDENCY_GATEWAY, DEPENDENCY_DATABASE, DEPENDENCIES };

extern const char *const MARKET_NAMES[MARKETS], *const CURRENCIES[MARKETS], *const CHANNEL_NAMES[CHANNELS];
extern const char *const SOURCE_NAMES[SOURCES], *const STEP_NAMES[STEPS];

/* "load/ID" or "synthetic/ID" with ID [A-Za-z0-9._-]{1,64}; an empty header is a customer. -EINVAL. */
MUST_USE int source_parse(struct span header, enum source *ret);
